"""DuckDB at work: the rules of `duckdb/*.sql`, and the reading of CSV, as well as we know how to have it done.

For: `bench.py peers` and `bench.py ingest`, which run this file in a process of its own. Goes in: one JSON argument
(dataset or export, threads, what to do). Comes out: one JSON line of times; the answers in a file, for comparison. What is
timed: loading parameters and knowledge, the model, the rules; not starting Python, not handing the answers over.
Deliberately unknown: the program.

What makes it quicker than as written for the cross-check (`tuned`), each measured, none changing an answer:
- what is only read or filtered is a view, so that a column which nobody names is neither read nor copied;
- `line` holds the columns that some statement names, and its joins build their tables of the smaller side, as written (left to
  itself, DuckDB misjudges the views and hashes the lines);
- knowledge is matched by prefix once a distinct code, then joined by equality;
- equal lines (BIL107) are counted without DISTINCT: a line is there once;
- no checkpoints of a database in memory, no order of insertion kept.
"""

import hashlib
import json
import re
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # for the cross-check, whose model, statements and comparison these are

import crosscheck  # noqa: E402

SQL = HERE / "duckdb"
ONLY_READ = [
    "all_settlement", "all_encounter", "all_line", "all_diagnosis", "person", "identity", "presence", "special_case",
    "standing_line", "standing_settlement", "net_line",
]  # fmt: skip
# What statements read besides knowledge and parameters; handed to peers that are given the model.
MODEL = [
    "all_line", "all_settlement", "standing_line", "standing_settlement", "refunded_with_lines", "period", "person",
    "presence", "special_case", "line", "encounter", "diagnosis", "stay", "part_of", "items_of_encounter", "items_of_stay",
    "chronic_visit", "hardship", "settlement", "fill",
]  # fmt: skip
BY_CODE = re.compile(r"know_(\w+) k (ON|WHERE) starts_with\(l\.hilist_code, k\.code\)")


# ── the statements ───────────────────────────────────────────────────────────────────────────────────────────────────
def statements(tuned=True):
    """Code → SELECT of key and amount."""
    found = {}
    for path in sorted(SQL.glob("[A-Z][A-Z][A-Z][0-9]*.sql")):
        text = path.read_text(encoding="utf-8").strip().rstrip(";")
        if tuned:
            text = BY_CODE.sub(r"code_\1 k \2 k.hilist_code = l.hilist_code", text)
            if path.stem == "BIL107":
                text = text.replace("count(DISTINCT feedetl_sn)", "count(*)")
        found[path.stem] = text
    return found


def named():
    """Every word of the statements and of the model above the lines: a column that is none of them is not needed."""
    model = (SQL / "00_model.sql").read_text(encoding="utf-8").split("CREATE VIEW paid_line")[1]
    return set(re.findall(r"\w+", model + " ".join(statements().values())))


def named_with(table):
    """Every word of the statements that name a table."""
    name = re.compile(r"\b(paid_)?line\b" if table == "line" else rf"\b{table}\b")
    return {word for text in statements().values() if name.search(text) for word in re.findall(r"\w+", text)}


def connect(how):
    import duckdb

    con = duckdb.connect()
    con.execute(f"SET threads = {int(how['threads'])}")
    con.execute(f"SET temp_directory = '{Path(how['work']) / 'duckdb-temp'}'")
    con.execute("SET preserve_insertion_order = false")
    con.execute("SET checkpoint_threshold = '1TB'")
    return con


def build_model(con, dataset, rules, tuned=True):
    """Parameters, knowledge, and the tables of 00_model.sql."""
    import duckdb

    crosscheck.load_parameters(con, rules / "parameters")
    crosscheck.load_knowledge(con, rules / "knowledge")
    model = (SQL / "00_model.sql").read_text(encoding="utf-8").replace("getvariable('dataset') || '", f"'{dataset}")
    if tuned:
        for name in ONLY_READ:
            model, changed = re.subn(rf"CREATE TABLE {name} +AS", f"CREATE VIEW {name} AS", model)
            if changed != 1:
                sys.exit(f"00_model.sql makes no table `{name}`: take it out of ONLY_READ in {__file__}")
    words = named()
    for statement in duckdb.extract_statements(model):
        text = "\n".join(line for line in statement.query.splitlines() if not line.startswith("--")).strip().rstrip(";")
        if tuned and text.startswith("CREATE TABLE line AS"):
            body = text.removeprefix("CREATE TABLE line AS")
            text = f"CREATE TABLE line AS SELECT {', '.join(c for c in columns(con, body) if c in words)} FROM ({body})"
            con.execute("SET disabled_optimizers = 'build_side_probe_side'")
        con.execute(text)
        con.execute("SET disabled_optimizers = ''")
        if tuned and text.startswith("CREATE TABLE code AS"):
            for table in tables(con, "know_"):
                if "code" in columns(con, f"FROM {table}"):
                    con.execute(
                        f"CREATE TABLE code_{table[5:]} AS "
                        f"SELECT c.hilist_code, k.* FROM code c JOIN {table} k ON starts_with(c.hilist_code, k.code)"
                    )


def columns(con, query):
    return [row[0] for row in con.execute(f"DESCRIBE {query}").fetchall()]


def tables(con, prefix):
    return sorted(name for (name,) in con.execute("SELECT table_name FROM information_schema.tables").fetchall() if name.startswith(prefix))


def run_rules(how):
    """The model and every rule, one statement each or all in one."""
    con, tuned = connect(how), how.get("tuned", True)
    texts = statements(tuned)
    began, cpu = time.monotonic(), time.process_time()
    build_model(con, how["dataset"], Path(how["rules"]), tuned)
    modelled = time.monotonic()
    con.execute("CREATE TABLE answer (code VARCHAR, key VARCHAR, amount DECIMAL(16,2))")
    parts = [f"SELECT '{code}', key, amount FROM (\n{text}\n)" for code, text in texts.items()]
    for select in ["\nUNION ALL\n".join(parts)] if how["together"] else parts:
        con.execute("INSERT INTO answer " + select)
    ended = time.monotonic()
    spent = time.process_time() - cpu
    answer = {code: [] for code in texts}
    for code, key, amount in con.execute("FROM answer").fetchall():
        answer[code].append([key, None if amount is None else str(amount)])
    Path(how["answers"]).write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
    return {"model": modelled - began, "rules": ended - modelled, "wall": ended - began, "cpu": spent}


def write_model(how):
    """The model as Parquet, narrowed to what statements name, for peers that are given it."""
    con = connect(how)
    began = time.monotonic()
    build_model(con, how["dataset"], Path(how["rules"]))
    spent = time.monotonic() - began
    con.execute("SET preserve_insertion_order = true")
    into = Path(how["model"])
    for table in [*MODEL, "parameter_on", *tables(con, "know_"), *tables(con, "code_")]:
        there = columns(con, f"FROM {table}")
        words = named_with(table) if table in MODEL else there
        wanted = [f'"{c}"' for c in there if c in words] or ["*"]
        con.execute(f"COPY (SELECT {', '.join(wanted)} FROM {table}) TO '{into / table}.parquet' (FORMAT parquet, COMPRESSION lz4_raw)")
    (into / "model.json").write_text(json.dumps({"seconds": spent}), encoding="utf-8")
    return {}


# ── reading CSV ──────────────────────────────────────────────────────────────────────────────────────────────────────
def read_export(how):
    """Every table of an export, UTF-8, into Parquet sorted by person (and time, where there is one), types as in our dataset."""
    con = connect(how)
    into = Path(how["work"]) / "duckdb-parquet"
    into.mkdir(exist_ok=True)
    jobs = []
    for file in sorted(Path(how["export"]).glob("*.csv")):
        ours = sorted(Path(how["dataset"]).glob(f"**/{file.stem}.parquet"))
        if not ours:  # truth.csv is no data
            continue
        known = dict(con.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet('{ours[0]}'))").fetchall())
        header = file.open(encoding="utf-8-sig").readline().strip().split(",")
        types = ", ".join(f"'{name}': '{known.get(name, 'VARCHAR')}'" for name in header)
        order = ", ".join(name for name in ("psn_no", "fee_ocur_time") if name in header)
        jobs.append(
            f"COPY (SELECT * FROM read_csv('{file}', header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', columns = {{{types}}})"
            f"{' ORDER BY ' + order if order else ''}) TO '{into / file.stem}.parquet' (FORMAT parquet, COMPRESSION lz4_raw)"
        )
    began, cpu = time.monotonic(), time.process_time()
    for job in jobs:
        con.execute(job)
    spent = {"wall": time.monotonic() - began, "cpu": time.process_time() - cpu}
    return {**spent, "fee_lines": con.execute(f"SELECT count(*) FROM '{into / 'fee_detail.parquet'}'").fetchone()[0]}


def rows_written(run):
    return run["fee_lines"]


# ── comparison, in the process of bench.py ───────────────────────────────────────────────────────────────────────────
def findings(path):
    """Ours: the rules that there are statements of, and (rule, key) → amount."""
    import duckdb

    rows = duckdb.connect().execute(f"SELECT rule_code, key, amount FROM read_parquet('{path}')").fetchall()
    return {"rules": list(statements()), "keys": {(code, crosscheck.canonical(key)): amount for code, key, amount in rows}}


def answers(path):
    """Theirs: rule → its (key, amount) pairs."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def differences(found, theirs, only=None):
    """Rule → what differs. Without `only`, every rule of ours must have been answered."""
    told = {}
    for code in only if only is not None else {*found["rules"], *(code for code, _ in found["keys"])}:
        a = {key: amount for (of, key), amount in found["keys"].items() if of == code}
        if code not in theirs:
            told[code] = "not answered"
            continue
        b = {crosscheck.canonical(key): None if amount is None else Decimal(amount).quantize(Decimal("0.01")) for key, amount in theirs[code]}
        apart = crosscheck.compare(a, b)
        if apart:
            told[code] = f"{len(apart)} differ, the first: key {apart[0][0]}, ours {apart[0][1]}, theirs {apart[0][2]}"
        elif len(b) != len(theirs[code]):
            told[code] = f"{len(theirs[code]) - len(b)} keys twice"
    return told


def model_files(data, work, rules, threads):
    """The model of a dataset as Parquet, made once and kept as long as nothing that it is made from changes."""
    made_from = [Path(__file__), *SQL.glob("*.sql"), *(rules / "parameters").glob("*.toml"), *(rules / "knowledge").glob("*.csv"), Path(data) / "dataset.json"]
    mark = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(made_from))).hexdigest()[:12]
    folder = Path(work) / f"model-{mark}-of-{Path(data).name}"
    if not folder.is_dir():
        part = folder.with_name(folder.name + ".part")
        part.mkdir(exist_ok=True)
        how = {"dataset": str(data), "work": str(work), "rules": str(rules), "threads": threads, "model": str(part)}
        subprocess.run([sys.executable, __file__, json.dumps(how)], check=True, stdout=subprocess.DEVNULL)
        part.rename(folder)
    return folder


def main():
    import duckdb

    how = json.loads(sys.argv[1])
    work = read_export if "export" in how else write_model if "model" in how else run_rules
    print(json.dumps({**work(how), "version": duckdb.__version__}))


if __name__ == "__main__":
    main()
