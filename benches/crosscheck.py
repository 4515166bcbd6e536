#!/usr/bin/env python3
"""The second opinion: every rule again as an SQL statement, run by DuckDB, compared with the program's findings.

For: catching mistakes that the program's own tests share with the program. Goes in: a built `fundaudit`, a number of
persons and seeds (or an export). Comes out: for each seed a table with a row a rule (ours, theirs, both, differences with
examples), exit 1 on any difference, and, on generated data, on a rule that found nothing: what finds nothing was not compared.
Deliberately unknown: the rule files and the engine; only `audit_rules/parameters`, `audit_rules/knowledge` and the
knowledge that lies beside the export (its catalogue) are shared, because they are data.

To add a rule: `peers/duckdb/<CODE>.sql`, one SELECT of `key` and `amount`; it is found by its name.

    python3 benches/crosscheck.py --bin target/debug/fundaudit --persons 10000 --seed 7 --messy
    python3 benches/crosscheck.py --bin target/debug/fundaudit --persons 800 --seed 7 18 --wild
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from decimal import Decimal
from pathlib import Path

sys.dont_write_bytecode = True  # a check leaves nothing in the tree
HERE = Path(__file__).resolve().parent
RULES = HERE.parent / "audit_rules"
SQL = HERE / "peers" / "duckdb"


def run(*command):
    """Run the program; exit 1 means findings, which is what we want."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"`{' '.join(str(c) for c in command)}` could not run:\n{done.stderr}")


def load_parameters(con, folder):
    con.execute("CREATE TABLE parameter (name VARCHAR, value DECIMAL(18,6), valid_from DATE, valid_until DATE, region VARCHAR)")
    for path in sorted(folder.glob("*.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        for entry in content["value"]:
            if {"insutype", "level"} & entry.keys():
                sys.exit(f"{path}: a value by `insutype` or `level` is not known here; teach `param` in 00_model.sql")
            con.execute(
                "INSERT INTO parameter VALUES (?, ?, ?, ?, ?)",
                [content["name"], Decimal(entry["value"]), entry.get("from"), entry.get("until"), entry.get("region")],
            )


def load_knowledge(con, folder):
    for path in sorted(folder.glob("*.csv")):
        con.execute(
            f"""CREATE OR REPLACE TABLE know_{path.stem} AS
                SELECT * REPLACE ("from"::DATE AS "from", "until"::DATE AS "until")
                FROM read_csv('{path}', all_varchar = true, header = true, nullstr = '', delim = ',', quote = '"')"""
        )


def canonical(key):
    """A key without its nulls and without an order: what is the same fact must compare equal."""
    return tuple(sorted((k, v) for k, v in json.loads(key).items() if v is not None))


def compare(ours, theirs):
    """Keys of one side only, and keys whose amounts differ."""
    differences = []
    for key in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(key), theirs.get(key)
        if a != b:
            differences.append((dict(key), a, b))
    return differences


def main():
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--bin", required=True, type=Path, help="the built fundaudit")
    ask.add_argument("--persons", type=int, default=10000)
    ask.add_argument("--seed", type=int, nargs="+", default=[7], help="one or several: data and a table for each")
    ask.add_argument("--months", type=int, default=3)
    ask.add_argument("--messy", action="store_true", help="with the dirt of real exports")
    ask.add_argument("--wild", action="store_true", help="rows near every edge, from wild_export.py, instead of believable ones")
    ask.add_argument("--export", type=Path, help="audit this export instead of a generated one")
    ask.add_argument("--rules", type=Path, default=RULES, help="rule library, for the program and for the data it shares")
    ask.add_argument("--select", default="", help="codes to compare; default: every statement there is")
    ask.add_argument("--lines-at-least", type=int, default=0, help="fail when there are fewer fee lines than this")
    ask.add_argument("--examples", type=int, default=3)
    ask.add_argument("--keep", type=Path, help="work here and leave the files")
    args = ask.parse_args()

    failed = False
    for nth, seed in enumerate(args.seed if args.export is None else args.seed[:1]):
        if nth:
            print()
        with tempfile.TemporaryDirectory() as temporary:
            work = args.keep or Path(temporary)
            if args.keep and len(args.seed) > 1:
                work = args.keep / f"seed-{seed}"
            work.mkdir(parents=True, exist_ok=True)
            failed |= crosscheck(args, seed, work)
    if failed:
        sys.exit(1)


def crosscheck(args, seed, work):
    """Make or take an export, audit it, ask the statements, and print where the two differ; whether anything failed."""
    import duckdb
    import wild_export

    wanted = {c for c in args.select.split(",") if c}
    statements = [p for p in sorted(SQL.glob("[A-Z][A-Z][A-Z][0-9]*.sql")) if not wanted or p.stem in wanted]
    began = time.monotonic()
    export = args.export
    if export is None and args.wild:
        export = work / "export"
        wild_export.make(export, args.rules / "knowledge", args.persons, seed)
    elif export is None:
        export = work / "export"
        messy = ["--messy"] if args.messy else []
        run(args.bin, "generate", "--persons", args.persons, "--seed", seed, "--months", args.months, *messy, "--out", export)
    beside = export / "knowledge"  # the export's own tables, instead of the library's
    knowledge = ["--knowledge", beside] if beside.is_dir() else []
    run(args.bin, "ingest", export, "--dataset", work / "dataset")
    run(args.bin, "audit", work / "dataset", "--rules", args.rules, *knowledge, "--out", work / "findings", "--out-format", "parquet")
    program_seconds = time.monotonic() - began

    began = time.monotonic()
    con = duckdb.connect()
    con.execute("SET threads = 2")
    con.execute("SET VARIABLE dataset = ?", [str(work / "dataset")])
    load_parameters(con, args.rules / "parameters")
    load_knowledge(con, args.rules / "knowledge")
    if knowledge:
        load_knowledge(con, beside)
    con.execute((SQL / "00_model.sql").read_text(encoding="utf-8"))
    lines = con.execute("SELECT count(*) FROM all_line").fetchone()[0]

    found = {}
    for code, key, amount in con.execute(
        f"SELECT rule_code, key, amount FROM read_parquet('{work / 'findings' / 'findings.parquet'}')"
    ).fetchall():
        found.setdefault(code, {})[canonical(key)] = amount

    print(f"{lines:,} fee lines, {args.persons if args.export is None else export} persons, seed {seed}")
    print(f"{'rule':8}{'ours':>8}{'theirs':>8}{'both':>8}{'differ':>8}{'amount':>16}{'seconds':>9}")
    failed = lines < args.lines_at_least
    if failed:
        print(f"found {lines} fee lines, wanted {args.lines_at_least} or more: raise `--persons`")
    library = {line.split('"')[1] for rule in args.rules.glob("*/*.toml") for line in rule.read_text(encoding="utf-8").splitlines() if line.startswith("code ")}
    absent = [p.stem for p in statements if p.stem not in library]
    for path in statements:
        code = path.stem
        if code in absent:
            continue
        started = time.monotonic()
        rows = con.execute(path.read_text(encoding="utf-8")).fetchall()
        took = time.monotonic() - started
        theirs = {canonical(key): Decimal(amount).quantize(Decimal("0.01")) if amount is not None else None for key, amount in rows}
        ours = found.pop(code, {})
        differences = compare(ours, theirs)
        same = sum(1 for key in ours if ours[key] == theirs.get(key))
        total = sum(ours.values())
        print(f"{code:8}{len(ours):8}{len(theirs):8}{same:8}{len(differences):8}{total:16,.2f}{took:9.2f}")
        if len(rows) != len(theirs):
            print(f"    theirs has {len(rows) - len(theirs)} rows whose key occurs twice")
            failed = True
        for key, a, b in differences[: args.examples]:
            print(f"    {json.dumps(key, ensure_ascii=False)}  ours {a}  theirs {b}")
        if differences:
            failed = True
        if not ours and args.export is None and not args.wild:
            print(f"    {code} found nothing: the generator plants every rule, so nothing was compared here")
            failed = True
    if absent:
        print(f"not in this library, so not compared: {', '.join(absent)}")
    if found and not wanted:
        print(f"no statement yet for: {', '.join(f'{c} ({len(f)})' for c, f in sorted(found.items()))}")
    print(f"program {program_seconds:.1f} s, statements with their model {time.monotonic() - began:.1f} s")
    return failed


if __name__ == "__main__":
    main()
