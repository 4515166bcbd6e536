"""Polars at work: twelve rules by hand, rows and groups, over a model of its own.

For: `bench.py peers`, which runs this file in a process of its own. Goes in: one JSON argument (dataset, rule library for
parameters and knowledge, threads). Comes out: one JSON line of seconds; the answers in a file. What is timed: reading the
columns that these rules need, netting refunds and reversals, widening the lines, matching knowledge once a code, and twelve
queries: once in one `collect_all` (the engine may share what is common), once one after the other; the quicker counts. The
model is that of `duckdb/00_model.sql`, as far as these rules look. Deliberately unknown: whether the answers are right;
`bench.py` compares them.

To add a rule: a function named like its code that returns a lazy frame of its key columns and `amount`;
a column that lines do not have yet goes into `net_lines` or `widened`.
"""

import datetime
import json
import os
import sys
import time
import tomllib
from pathlib import Path

HOW = json.loads(sys.argv[1])
os.environ["POLARS_MAX_THREADS"] = str(HOW["threads"])  # read when polars is imported

import polars as pl  # noqa: E402

LINE = ["mdtrt_id", "feedetl_sn"]
CENTS = pl.Decimal(16, 2)
MODEL = {}  # name → frame, made by `build`


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────────────────
def raw(table):
    return pl.scan_parquet(Path(HOW["dataset"]) / "bucket-*" / f"{table}.parquet")


def build():
    """Net lines, widened, in memory; raw lines stay lazy."""
    settlement = raw("settlement")
    refund = settlement.filter(pl.col("refd_setl_flag") == "1").select("setl_id", "init_setl_id").collect()
    named = refund.lazy().filter(pl.col("init_setl_id") != pl.col("setl_id")).join(settlement.select(init_setl_id="setl_id"), on="init_setl_id", how="semi").collect()
    both = pl.concat([named.select("setl_id"), named.select(setl_id="init_setl_id")])
    refunded = pl.concat([refund.select("setl_id"), both])
    standing_settlement = settlement.join(refunded.lazy(), on="setl_id", how="anti").select("setl_id", "mdtrt_id", "insu_admdvs")
    MODEL["refunded_with_lines"] = both.unique()
    MODEL["line"] = widened(net_lines(both), standing_settlement.collect()).collect()
    MODEL["parameter_on"] = parameters()


def net_lines(refunded):
    """Lines of refunded settlements go; reversals that name their line are taken off it; others close brackets."""
    money = pl.col("det_item_fee_sumamt") - pl.col("fulamt_ownpay_amt") - pl.col("overlmt_selfpay") - pl.col("preselfpay_amt")
    standing = (
        raw("fee_detail")
        .select(
            *LINE, "setl_id", "psn_no", "fixmedins_code", "med_type", "fee_ocur_time", "rx_drord_no", "hilist_code", "list_type", "cnt", "pric",
            "det_item_fee_sumamt", "pric_uplmt_amt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_amt", "bilg_dr_codg", "init_feedetl_sn",
        )  # fmt: skip
        .join(refunded.lazy(), on="setl_id", how="anti")
        .with_columns(pl.coalesce("inscp_amt", money).alias("inscp_amt"))
        .drop("fulamt_ownpay_amt", "preselfpay_amt")
        .collect()
    )
    sums = ["cnt", "det_item_fee_sumamt", "overlmt_selfpay", "inscp_amt"]
    negative = standing.filter(pl.col("cnt") < 0)
    named = (
        negative.filter(pl.col("init_feedetl_sn").is_not_null())
        .group_by("mdtrt_id", feedetl_sn="init_feedetl_sn")
        .agg(pl.col(c).sum().alias(f"{c}_back") for c in sums)
    )
    unnamed = negative.filter(pl.col("init_feedetl_sn").is_null()).select("mdtrt_id", "hilist_code").unique()
    same, kind = ["mdtrt_id", "hilist_code", "pric", "size"], pl.col("cnt") < 0
    walk = (
        standing.filter((pl.col("cnt") > 0) | pl.col("init_feedetl_sn").is_null())
        .join(unnamed, on=["mdtrt_id", "hilist_code"], how="semi")
        .join(named, on=LINE, how="anti")
        .select(*LINE, "hilist_code", "pric", "cnt", "fee_ocur_time", size=pl.col("cnt").abs(), sign=pl.col("cnt").sign().cast(pl.Int64))
        .sort("fee_ocur_time", kind, "feedetl_sn")
        .with_columns(s=pl.col("sign").cum_sum().over(same))
        .with_columns(depth=pl.col("s") - pl.min_horizontal(pl.lit(0), pl.col("s").cum_min().over(same)))
        .with_columns(level=pl.when(pl.col("cnt") > 0).then("depth").otherwise(pl.col("depth") + 1))
        .with_columns(next=pl.col("cnt").shift(-1).over([*same, "level"]))
    )
    paired = walk.filter((pl.col("cnt") > 0) & (pl.col("next") < 0)).select(LINE)
    left = [(pl.col(c) + pl.col(f"{c}_back").fill_null(0)).alias(c) for c in sums]
    gone = pl.col("cnt_back").is_not_null() & (pl.col("cnt") + pl.col("cnt_back") == 0)
    return (
        standing.lazy()
        .join(named.lazy(), on=LINE, how="left")
        .filter((pl.col("cnt") >= 0) & (pl.col("cnt") + pl.col("cnt_back").fill_null(0) >= 0) & ~gone)
        .join(paired.lazy(), on=LINE, how="anti")
        .with_columns(left)
        .drop(f"{c}_back" for c in sums)
    )


def widened(net, settlements):
    """What these rules ask of a line: setting, sex, age, level, regions, day of death."""
    net = net.collect().lazy()
    person = raw("person").select("psn_no", p_gend="gend", p_brdy="brdy", p_region="insu_admdvs", p_die="die_date").collect().lazy()
    facility = pl.scan_parquet(Path(HOW["dataset"]) / "facility.parquet").select("fixmedins_code", "admdvs", f_level=level_of("hosp_lv")).collect().lazy()
    encounter = (
        raw("encounter")
        .select("mdtrt_id", "psn_no", "fixmedins_code", "gend", "brdy", "hosp_lv", "insu_admdvs", "dscg_way", "endtime", "die_date", e_med_type="med_type")
        .join(person, on="psn_no", how="left")
        .join(facility, on="fixmedins_code", how="left")
        .with_columns(
            gend=one_of(known_sex("gend"), known_sex("p_gend")), brdy=one_of(pl.col("brdy"), pl.col("p_brdy")),
            level=pl.coalesce(level_of("hosp_lv"), "f_level"), e_there=pl.lit(True),
            death=pl.min_horizontal("die_date", pl.when(pl.col("dscg_way") == "5").then(pl.col("endtime").cast(pl.Date))),
        )  # fmt: skip
        .collect()
    )
    there = pl.concat([net.select("mdtrt_id").unique().collect(), settlements.select("mdtrt_id")])
    death = (
        pl.concat([person.select("psn_no", death="p_die").collect(), encounter.join(there, on="mdtrt_id", how="semi").select("psn_no", "death")])
        .drop_nulls()
        .group_by("psn_no")
        .agg(death_day=pl.col("death").min())
    )
    day = pl.col("fee_ocur_time").cast(pl.Date)
    own, med_type = pl.col("e_there").is_not_null(), pl.coalesce("e_med_type", "med_type")
    gend, brdy = pl.when(own).then("gend").otherwise(known_sex("p_gend")), pl.when(own).then("brdy").otherwise("p_brdy")
    lines = (
        net.join(encounter.lazy().select("mdtrt_id", "gend", "brdy", "level", "insu_admdvs", "e_med_type", "e_there"), on="mdtrt_id", how="left")
        .join(person, on="psn_no", how="left")
        .join(facility, on="fixmedins_code", how="left")
        .join(settlements.lazy().select("setl_id", t_region="insu_admdvs"), on="setl_id", how="left")
        .join(death.lazy(), on="psn_no", how="left")
        .with_columns(
            med_type=med_type, day=day, gend=gend, brdy=brdy, level=pl.coalesce("level", "f_level"), facility_region="admdvs",
            region=pl.coalesce("t_region", "insu_admdvs", "p_region", "admdvs"), is_drug=pl.col("list_type").str.starts_with("1"),
            generic=pl.when(pl.col("hilist_code").str.starts_with("X")).then(pl.col("hilist_code").str.head(10))
            .when(pl.col("hilist_code").str.starts_with("Z")).then(pl.col("hilist_code").str.head(11)).otherwise("hilist_code"),
        )  # fmt: skip
        .with_columns(age=age("day", "brdy"))
        .drop("psn_no_right", "admdvs", "t_region", "insu_admdvs", "p_region", "p_gend", "p_brdy", "p_die", "f_level", "e_med_type", "e_there", strict=False)
    )
    types = net.select(pl.col("med_type")).unique().collect()["med_type"].to_list() + encounter["e_med_type"].unique().to_list()
    rows = [{"med_type": t, "setting": s} for t in set(types) - {None} if (s := setting(t))]
    return lines.join(pl.LazyFrame(rows, schema={"med_type": pl.String, "setting": pl.String}), on="med_type", how="left")


def level_of(name):
    code = pl.col(name).str.strip_chars().str.zfill(2)
    levels = {3: ["01", "02", "03", "04", "12"], 2: ["05", "06", "07", "13"], 1: ["08", "09", "10", "14"], 0: ["11"]}
    return pl.coalesce(pl.when(code.is_in(codes)).then(pl.lit(level)) for level, codes in levels.items())


def known_sex(name):
    return pl.when(pl.col(name).is_in(["1", "2"])).then(pl.col(name))


def one_of(a, b):
    return pl.when(a.is_null()).then(b).when(b.is_null() | (a == b)).then(a)


def age(day, born):
    """Whole years; null where they are not between 0 and 130."""
    day, born = pl.col(day), pl.col(born)
    before = (day.dt.month() < born.dt.month()) | ((day.dt.month() == born.dt.month()) & (day.dt.day() < born.dt.day()))
    years = day.dt.year().cast(pl.Int64) - born.dt.year() - before.cast(pl.Int64)
    return pl.when((day >= born) & years.is_between(0, 130)).then(years)


def setting(med_type):
    rows = [r for r in knowledge("care_setting_of_med_type") if med_type.startswith(r["code"])]
    return max(rows, key=lambda r: len(r["code"]))["setting"] if rows else None


# ── knowledge and parameters ─────────────────────────────────────────────────────────────────────────────────────────
def knowledge(table):
    path = Path(HOW["rules"]) / "knowledge" / f"{table}.csv"
    return pl.read_csv(path, infer_schema=False, null_values="").to_dicts()


def by_code(table):
    """Knowledge by the codes that lines have: code and prefix are matched once, here."""
    codes = MODEL["line"].select("hilist_code").unique()["hilist_code"].drop_nulls().to_list()
    day = lambda text: datetime.date.fromisoformat(text) if text else None  # noqa: E731
    known = knowledge(table)
    rows = [{**r, "hilist_code": c, "from_known": day(r["from"]), "until_known": day(r["until"])} for c in codes for r in known if c.startswith(r["code"])]
    names = [*known[0], "hilist_code"] if known else ["code", "hilist_code"]
    schema = {**{n: pl.String for n in names}, "from_known": pl.Date, "until_known": pl.Date}
    return pl.DataFrame(rows, schema=schema).rename({"region": "region_known", "level": "level_known"}, strict=False).lazy()


def parameters():
    """A value for every parameter, day and region that occurs; the nearer region, then the later start."""
    places = MODEL["line"].select(p_day="day", p_region=pl.col("region").fill_null("")).unique()
    raw_days = raw("fee_detail").select(p_day=pl.col("fee_ocur_time").cast(pl.Date), p_region=pl.lit("")).unique().collect()
    rows = []
    for name in ("drugs_per_prescription_max", "upload_hours_max"):
        values = tomllib.loads((Path(HOW["rules"]) / "parameters" / f"{name}.toml").read_text(encoding="utf-8"))["value"]
        for day, region in pl.concat([places, raw_days]).unique().iter_rows():
            fit = [
                v
                for v in values
                if (not v.get("from") or v["from"] <= day) and (not v.get("until") or day <= v["until"])
                and (not v.get("region") or v["region"] in (region, region[:4] + "00", region[:2] + "0000"))
            ]  # fmt: skip
            if fit:
                nearest = max(fit, key=lambda v: (len((v.get("region") or "").rstrip("0")), v.get("from") or datetime.date.min))
                rows.append((name, day, region, float(nearest["value"])))
    return pl.DataFrame(rows, schema={"p_name": pl.String, "p_day": pl.Date, "p_region": pl.String, "p_value": pl.Float64}, orient="row")


# ── words that rules share ───────────────────────────────────────────────────────────────────────────────────────────
def scan(name):
    return raw("fee_detail") if name == "all_line" else MODEL[name].lazy()


def paid():
    return scan("line").filter(pl.col("inscp_amt") > 0)


def on_the_day(frame, table, per=()):
    """Lines with the knowledge of their code: in force on the day, of the longest prefix for each line (and `per`)."""
    since, until = pl.col("from_known"), pl.col("until_known")
    return (
        frame.join(by_code(table).with_columns(length=pl.col("code").str.len_bytes()), on="hilist_code")
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


# ── the rules ────────────────────────────────────────────────────────────────────────────────────────────────────────
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
    since, until = pl.col("from_known"), pl.col("until_known")
    listed = (
        paid()
        .select(*LINE, "hilist_code", "day", "facility_region", "level")
        .join(by_code("price_ceiling"), on="hilist_code")
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


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────────
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
    build()
    model = time.monotonic() - began
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
    told = f"rows and groups by hand, {'in one collect_all' if at_once <= one_by_one else 'one after the other'} (the quicker), its own model counted"
    print(json.dumps({"seconds": dict.fromkeys(seconds, 0.0), "loading": best, "model": model, "refused": {}, "version": pl.__version__, "how": told, "at_once": at_once, "one_by_one": one_by_one}))


if __name__ == "__main__":
    main()
