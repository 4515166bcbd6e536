"""DataFusion at work: the statements of `duckdb/*.sql`, translated word for word, over a model that is given to it.

For: `bench.py peers`, which runs this file in a process of its own. Goes in: one JSON argument (the folder of the model as
Parquet, threads). Comes out: one JSON line: seconds per rule, seconds of loading, rules that could not be run and why; the
answers in a file. The model (netting, widening, knowledge by code) is made by DuckDB beforehand; `bench.py`
shows the figure without it, which is a lower bound, and with DuckDB's time for it. What is timed: loading the tables that the rules name into memory, planning,
executing. Deliberately unknown: whether the answers are right; `bench.py` compares them.

To have it run one more statement: a word in `WORDS` or a macro in `MACROS`.
"""

import datetime
import json
import re
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import duckdb_rules  # noqa: E402

PATIENCE = 300  # seconds for one statement

# The macros of 00_model.sql that statements use, in this dialect; `{0}` is the first argument.
MACROS = {
    "share": "(CASE WHEN ({2}) = 0 THEN NULL ELSE signum(({0})::DOUBLE) * floor(abs(({0})::DOUBLE * ({1})::DOUBLE / ({2})::DOUBLE) * 100 + 0.5000001) / 100 END)::DECIMAL(16,2)",
    "at_stake": "greatest(coalesce({0}, 0), 0)",
    "cents": "({0})::DECIMAL(16,2)",
    "plain": "(CASE WHEN strpos(({0})::VARCHAR, '.') > 0 THEN rtrim(rtrim(({0})::VARCHAR, '0'), '.') ELSE ({0})::VARCHAR END)",
    "in_force": "(({0} IS NULL OR {0} <= {2}) AND ({1} IS NULL OR {2} <= {1}))",
    "any_prefix": "regexp_like({0}, concat('^(', replace({1}, '.', '[.]'), ')'))",
    "param": "(SELECT max(p_value) FROM parameter_on WHERE p_name = {0} AND p_day = {1} AND p_region = coalesce({2}, ''))",
    "epoch": "date_part('epoch', {0})",
    "arg_min": "first_value({0} ORDER BY {1})",
}
WORDS = [
    (r"EXISTS \(\s*FROM", "EXISTS (SELECT 1 FROM"),
    (r"\(FROM ", "(SELECT * FROM "),
    (r"FILTER \((?!WHERE)", "FILTER (WHERE "),
    (r"\bstrftime\(", "to_char("),
    (r"\bstring_split\(", "string_to_array("),
    (r"\bregexp_matches\(", "regexp_like("),
    (r"\bany_value\(", "min("),
    (r"\blist_contains\(", "array_has("),
    (r"\blen\(", "array_length("),
]


def arguments_of(text, start):
    """The arguments of a call whose opening bracket is at `start`, and where it ends."""
    depth, quoted, begin, parts = 0, False, start + 1, []
    for at in range(start, len(text)):
        c = text[at]
        if c == "'":
            quoted = not quoted
        if quoted:
            continue
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if (c == "," and depth == 1) or depth == 0:
            parts.append(text[begin:at].strip())
            begin = at + 1
        if depth == 0:
            return parts, at + 1
    raise ValueError("a bracket is not closed")


def translate(text):
    text = re.sub(r"--[^\n]*", "", text)
    key = re.compile(r"to_json\(\{(.*?)\}\)", re.DOTALL)
    text = key.sub(lambda m: "named_struct(" + re.sub(r"'(\w+)':\s", r"'\1', ", m[1]) + ")", text)
    for pattern, word in WORDS:
        text = re.sub(pattern, word, text)
    for name, body in MACROS.items():
        at = 0
        while found := re.compile(rf"\b{name}\(").search(text, at):
            arguments, end = arguments_of(text, found.end() - 1)
            put = body.format(*arguments)
            text = text[: found.start()] + put + text[end:]
            at = found.start() + (len(put) if f"{name}(" in put else 0)
    return text


def plain(value):
    """A value of a key as the program writes it."""
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat() if isinstance(value, datetime.date) else value


def out_of_patience(*_):
    raise TimeoutError(f"more than {PATIENCE} s")


def main():
    import datafusion

    how = json.loads(sys.argv[1])
    config = datafusion.SessionConfig({"datafusion.sql_parser.dialect": "duckdb"}).with_target_partitions(how["threads"])
    session = datafusion.SessionContext(config)
    texts = {code: translate(text) for code, text in duckdb_rules.statements().items()}
    words = set(re.findall(r"\w+", " ".join(texts.values()))) | {"line"}
    began = time.monotonic()
    for file in sorted(Path(how["model"]).glob("*.parquet")):
        if file.stem in words:
            session.register_parquet("file_" + file.stem, str(file))
            session.sql(f"CREATE TABLE {file.stem} AS SELECT * FROM file_{file.stem}").collect()
    session.sql("CREATE VIEW paid_line AS SELECT * FROM line WHERE inscp_amt > 0").collect()
    loading = time.monotonic() - began

    signal.signal(signal.SIGALRM, out_of_patience)
    seconds, refused, answers = {}, {}, {}
    for code, text in texts.items():
        began = time.monotonic()
        signal.alarm(PATIENCE)
        try:
            batches = session.sql(f"SELECT key, amount::DECIMAL(16,2) AS amount FROM (\n{text}\n)").collect()
        except (Exception, TimeoutError, KeyboardInterrupt) as error:  # whatever it says, it is said in the table
            refused[code] = " ".join(str(error).split())[:140]
            continue
        finally:
            signal.alarm(0)
        seconds[code] = time.monotonic() - began
        rows = [row for batch in batches for row in batch.to_pylist()]
        answers[code] = [
            [json.dumps({k: plain(v) for k, v in row["key"].items()}, ensure_ascii=False), None if row["amount"] is None else str(row["amount"])]
            for row in rows
        ]
    Path(how["answers"]).write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")
    told = f"{len(seconds)} of {len(texts)} statements ran, one at a time, tables in memory, loading them counted"
    model = json.loads((Path(how["model"]) / "model.json").read_text(encoding="utf-8"))["seconds"]
    print(json.dumps({"model": model, "seconds": seconds, "loading": loading, "refused": refused, "version": datafusion.__version__, "how": told}))


if __name__ == "__main__":
    main()
