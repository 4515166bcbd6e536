"""Polars at work: twelve rules by hand, rows and groups, over a model that is given to it.

For: `bench.py peers`, which runs this file in a process of its own. Goes in: one JSON argument (the folder of the model as
Parquet, threads). Comes out: one JSON line of seconds; the answers in a file. The model (netting, widening, knowledge by
code) is made by DuckDB beforehand and costs Polars nothing: its figure is a lower bound. What is timed: reading the columns
that the rules need from Parquet and all twelve queries, once in one `collect_all` (the engine may share what is common) and
once one after the other; the quicker counts. Deliberately unknown: whether the answers are right; `bench.py` compares them.

To add a rule: a function named like its code that returns a lazy frame of its key columns and `amount`, and its columns.
"""

import json
import os
import sys
import time
from pathlib import Path

HOW = json.loads(sys.argv[1])
os.environ["POLARS_MAX_THREADS"] = str(HOW["threads"])  # read when polars is imported

import polars as pl  # noqa: E402

LINE = ["mdtrt_id", "feedetl_sn"]
CENTS = pl.Decimal(16, 2)


def scan(name):
    return pl.scan_parquet(Path(HOW["model"]) / f"{name}.parquet")


def paid():
    return scan("line").filter(pl.col("inscp_amt") > 0)


def on_the_day(frame, table, per=()):
    """Lines with the knowledge of their code: in force on the day, of the longest prefix for each line (and `per`)."""
    known = scan(f"code_{table}").with_columns(pl.col("code").str.len_bytes().alias("length"))
    since, until = pl.col("from_known"), pl.col("until_known")
    return (
        frame.join(known.rename({"from": "from_known", "until": "until_known"}), on="hilist_code")
        .filter((since.is_null() | (since <= pl.col("day"))) & (until.is_null() | (pl.col("day") <= until)))
        .sort("length", descending=True, maintain_order=True)
        .unique(subset=[*LINE, *per], keep="first", maintain_order=True)
    )


def with_parameter(frame, name, day="day", region="region"):
    """The parameter's value for a row's day and region, as a column of its name."""
    values = scan("parameter_on").filter(pl.col("p_name") == name).select("p_day", "p_region", pl.col("p_value").alias(name))
    place = pl.col(region).fill_null("") if region else pl.lit("")
    return frame.with_columns(place.alias("p_region"), pl.col(day).cast(pl.Date).alias("p_day")).join(values, on=["p_day", "p_region"], how="left")


def lines(frame, amount=pl.col("inscp_amt")):
    return frame.select(*LINE, amount.cast(CENTS).alias("amount"))


def cents(money):
    """A product of decimals, half up to the cent; computed in floats with a nudge, and compared afterwards."""
    money = money.cast(pl.Float64)
    return (money.sign() * ((money.abs() * 100 + 0.5000001).floor()) / 100).cast(CENTS)


def SCP101():
    return lines(on_the_day(paid(), "sex_limit").filter(pl.col("gend") != pl.col("sex")))


def SCP102():
    return lines(on_the_day(paid(), "child_only").filter(pl.col("age") > pl.col("max_age").cast(pl.Int64)))


def SCP105():
    meant = pl.col("settings").str.split("|")
    inside = meant.list.contains(pl.col("setting"))
    bed = pl.col("setting").is_in(["day_surgery", "home_bed"]) & meant.list.contains(pl.lit("inpatient"))
    return lines(on_the_day(paid(), "care_setting").filter(pl.col("setting").is_not_null() & ~inside & ~bed))


def SCP108():
    young, old = pl.col("min_age").cast(pl.Int64), pl.col("max_age").cast(pl.Int64)
    return lines(on_the_day(paid(), "age_range").filter((pl.col("age") < young).fill_null(False) | (pl.col("age") > old).fill_null(False)))


def BIL106():
    region, known = pl.col("facility_region"), pl.col("region_known")
    near = known.is_null() | (known == region) | (known == region.str.head(4) + "00") | (known == region.str.head(2) + "0000")
    same = pl.col("level_known").is_null() | (pl.col("level_known") == pl.col("level").cast(pl.Int64).cast(pl.String))
    rank = pl.when(known.is_null()).then(0).when(known.str.ends_with("0000")).then(1).when(known.str.ends_with("00")).then(2).otherwise(3)
    ceilings = scan("code_price_ceiling").rename({"from": "from_known", "until": "until_known", "region": "region_known", "level": "level_known"})
    since, until = pl.col("from_known"), pl.col("until_known")
    listed = (
        paid()
        .select(*LINE, "hilist_code", "day", "facility_region", "level")
        .join(ceilings, on="hilist_code")
        .filter((since.is_null() | (since <= pl.col("day"))) & (until.is_null() | (pl.col("day") <= until)) & near & same)
        .with_columns(rank.alias("rank"), pl.col("code").str.len_bytes().alias("length"))
        .sort("length", "rank", pl.col("level_known").is_null(), descending=[True, True, False], maintain_order=True)
        .unique(subset=LINE, keep="first", maintain_order=True)
        .select(*LINE, pl.col("max_price").cast(pl.Float64))
    )
    own = pl.col("pric_uplmt_amt").cast(pl.Float64)
    own = pl.when((own > 0) & (own < 99999) & (pl.col("overlmt_selfpay") == 0)).then(own)
    above = pl.col("pric").cast(pl.Float64) - pl.min_horizontal("max_price", own)
    return lines(
        paid().join(listed, on=LINE, how="left").with_columns(above.alias("above")).filter(pl.col("above") > 0.010000001),
        pl.min_horizontal(cents(pl.col("above") * pl.col("cnt").cast(pl.Float64)), pl.col("inscp_amt").cast(CENTS)),
    )


def BIL107():
    key = ["mdtrt_id", "hilist_code", "fee_ocur_time", "cnt", "pric", "bilg_dr_codg"]
    same = paid().group_by(key).agg(pl.len().alias("n"), pl.col("inscp_amt").sum().alias("all"), pl.col("inscp_amt").sort_by("feedetl_sn").first().alias("first"))
    return same.filter(pl.col("n") > 1).select(*key, (pl.col("all") - pl.col("first")).cast(CENTS).alias("amount"))


def BIL111():
    key = ["psn_no", "day", "point"]
    used = on_the_day(paid(), "hourly_item", ["point"]).group_by(key).agg(pl.col("cnt").sum(), pl.col("inscp_amt").sum(), pl.col("max").cast(pl.Float64).min())
    count = pl.col("cnt").cast(pl.Float64)
    return used.filter(count > pl.col("max")).select(*key, cents(pl.col("inscp_amt").cast(pl.Float64) * (count - pl.col("max")) / count).alias("amount"))


def BIL113():
    product = pl.col("cnt").cast(pl.Float64) * pl.col("pric").cast(pl.Float64)
    charged = pl.col("det_item_fee_sumamt").cast(pl.Float64)
    limit = pl.when(pl.col("list_type").is_in(["102", "106"])).then(0.50).otherwise(0.05)
    apart = scan("line").filter((product - charged).abs() > limit + 0.000000001)
    return lines(apart, pl.max_horizontal(cents(charged - product), pl.lit(0).cast(CENTS)))


def IDN101():
    return lines(paid().filter(pl.col("day") > pl.col("death_day")))


def MED106():
    drugs = scan("line").filter(
        pl.col("is_drug") & ~pl.col("list_type").is_in(["102", "106"]) & (pl.col("setting") != "inpatient") & pl.col("rx_drord_no").is_not_null()
    )
    key = ["mdtrt_id", "rx_drord_no"]
    most = pl.col("drugs_per_prescription_max")
    counted = with_parameter(drugs, "drugs_per_prescription_max").group_by(key).agg(pl.col("generic").n_unique().alias("n"), most.min())
    return counted.filter(pl.col("n") > most.cast(pl.Float64)).select(*key, pl.lit(0).cast(CENTS).alias("amount"))


def MED110():
    return lines(on_the_day(paid(), "herb_never"))


def REC103():
    standing = scan("all_line").join(scan("refunded_with_lines"), on="setl_id", how="anti")
    late = (pl.col("crte_time") - pl.col("fee_ocur_time")).dt.total_seconds()
    judged = with_parameter(standing, "upload_hours_max", day="fee_ocur_time", region=None)
    return lines(judged.filter(late > pl.col("upload_hours_max").cast(pl.Float64) * 3600), pl.lit(0))


RULES = [SCP101, SCP102, SCP105, SCP108, BIL106, BIL107, BIL111, BIL113, IDN101, MED106, MED110, REC103]


def plain(name, value):
    """A value of a key as the program writes it."""
    if value is None or isinstance(value, str):
        return value
    if name == "fee_ocur_time":
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if name in ("cnt", "pric"):
        text = str(value)
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.isoformat()


def main():
    began = time.monotonic()
    together = pl.collect_all([rule() for rule in RULES])
    at_once = time.monotonic() - began
    seconds = {}
    for rule in RULES:
        began = time.monotonic()
        rule().collect()
        seconds[rule.__name__] = time.monotonic() - began
    one_by_one = sum(seconds.values())
    answers = {}
    for rule, frame in zip(RULES, together):
        answers[rule.__name__] = [
            [json.dumps({k: plain(k, v) for k, v in row.items() if k != "amount"}, ensure_ascii=False), None if row["amount"] is None else str(row["amount"])]
            for row in frame.to_dicts()
        ]
    Path(HOW["answers"]).write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")
    best = min(at_once, one_by_one)
    told = f"rows and groups by hand, lazy over Parquet, {'in one collect_all' if at_once <= one_by_one else 'one after the other'} (the quicker), the model not counted"
    print(json.dumps({"seconds": dict.fromkeys(seconds, 0.0), "loading": best, "refused": {}, "version": pl.__version__, "how": told, "at_once": at_once, "one_by_one": one_by_one}))


if __name__ == "__main__":
    main()
