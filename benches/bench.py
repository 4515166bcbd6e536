#!/usr/bin/env python3
"""The benchmarks: each sub-command prints a table whose ratios come from one run on one machine.

For: anyone who wants to know what an audit costs, and what it is worth beside what they would use instead. Goes in: the
program (built when it is not there), a number of fee lines. Comes out: Markdown tables on stdout, the same as JSON with
`--json FILE`, progress on stderr. Deliberately unknown: targets; a ratio is printed, not judged. A peer whose answers are
not ours, key for key and cent for cent, gets no figure.

    python3 benches/bench.py floor    # audit ÷ decoding the same columns
    python3 benches/bench.py peers    # DuckDB, DataFusion and Polars with the same rules ÷ ours
    python3 benches/bench.py scaling  # more lines, more rules
    python3 benches/bench.py ingest   # GB18030 CSV to findings ÷ DuckDB reading the file as UTF-8
    python3 benches/bench.py rules    # where the time goes
    python3 benches/bench.py serve    # the service under load: latency, answers a second, memory

To add one: a function below that returns {"tables": [...]} and a line in `COMMANDS`.
"""

import argparse
import importlib.util
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True  # a benchmark leaves nothing in the tree
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
EXPORT_KEPT = 12_000_000  # lines; an export larger than this is removed as soon as its dataset is there


# ── running things ───────────────────────────────────────────────────────────────────────────────────────────────────
def say(text):
    print(text, file=sys.stderr, flush=True)


def measure(command, accept=(0, 1)):
    """Run to the end: seconds on the clock, seconds of processor, most memory in MB, what it printed."""
    command = [str(c) for c in command]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode not in accept:
        sys.exit(f"`{' '.join(command)}` ended with {process.returncode}; what it said is above")
    peak = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mb": peak, "printed": printed}


def median(runs, what="wall"):
    return statistics.median(run[what] for run in runs)


def build(args):
    """The program, built when it is the default one and absent."""
    if args.bin:
        if not args.bin.is_file():
            sys.exit(f"`--bin {args.bin}`: no such file; leave it out and it is built")
        return
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    args.bin = target / "release" / "fundaudit"
    if not args.bin.is_file():
        say("building the program, once: cargo build --release")
        subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)


def packages(args):
    """The peers' packages, in a venv of their own when this Python has not got them; then this command again, with it."""
    wanted = {"duckdb", *getattr(args, "peers", "duckdb").split(",")} if args.command in ("peers", "ingest") else set()
    if all(importlib.util.find_spec(name) for name in wanted):
        return
    venv = ROOT / "target" / "bench-venv"
    python = venv / "bin" / "python"
    if Path(sys.prefix).resolve() == venv.resolve():
        sys.exit(f"`{venv}` lacks one of {', '.join(sorted(wanted))}: remove it and try again")
    say(f"installing benches/requirements-peers.txt into {venv}")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, stdout=sys.stderr)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements-peers.txt"], check=True, stdout=sys.stderr)
    os.execv(python, [str(python), *sys.argv])


def bench_binary(name, named):
    """A bench in Rust, built by cargo unless it is named."""
    if named:
        return named
    say(f"building the bench, when it is not yet: cargo bench --bench {name} --no-run")
    command = ["cargo", "bench", "--bench", name, "--no-run", "--message-format=json"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == name and message.get("executable"):
            return Path(message["executable"])
    sys.exit(f"cargo named no executable of the bench `{name}`")


def audit(args, dataset, select=(), out="findings"):
    """One audit of a dataset; only Parquet (and the page and the records that every audit writes) comes out."""
    out = args.work / out
    shutil.rmtree(out, ignore_errors=True)
    chosen = ["--select", ",".join(select)] if select else []
    run = measure([args.bin, "audit", dataset, "--out", out, "--threads", args.threads, "--out-format", "parquet", *chosen])
    run["record"] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    run["out"] = out
    return run


def codes(args):
    """Rules that an audit runs, in order."""
    listed = json.loads(measure([args.bin, "rules", "list", "--format", "json"])["printed"])
    return sorted(rule["code"] for rule in listed if rule["status"] in ("trial", "stable"))


# ── inputs, made once and kept in the work folder ────────────────────────────────────────────────────────────────────
def lines_of(export):
    """Fee lines of a generated export: the third of its counted tables."""
    return json.loads((export / "generated.json").read_text(encoding="utf-8"))["rows"][2]


def generated(args, folder, persons, form):
    """An export; it gets its name only when it is whole."""
    if not folder.is_dir():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        measure([args.bin, "generate", "--persons", persons, "--seed", args.seed, "--months", args.months, "--form", form, "--out", part])
        part.rename(folder)
    return folder


def persons_for(args, lines):
    """Persons that make about so many lines, by the measure of two small generations: the planted persons are as many in both."""
    small, larger = (lines_of(generated(args, args.work / f"small-{n}-{args.months}m-seed{args.seed}", n, "csv")) for n in (2000, 6000))
    return max(500, round(2000 + (lines - small) / ((larger - small) / 4000)))


def export(args, lines, form="csv"):
    folder = args.work / f"export-{lines}-{args.months}m-seed{args.seed}-{form}"
    if not folder.is_dir():
        say(f"generating about {lines:,} lines as {form}")
    return generated(args, folder, persons_for(args, lines), form)


def dataset(args, lines):
    folder = args.work / f"dataset-{lines}-{args.months}m-seed{args.seed}"
    if not folder.is_dir():
        source = export(args, lines)
        say(f"ingesting {source.name}")
        measure([args.bin, "ingest", source, "--dataset", folder], accept=(0,))
        if lines > EXPORT_KEPT:
            shutil.rmtree(source)
    return folder


def rows_of(folder):
    return json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["tables"]["fee_detail"]["audited"]["rows"]


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def shown(cell):
    if cell is None:
        return "–"
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        return str(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.2f}" if abs(cell) >= 0.1 else f"{cell:.4f}"


def table(title, header, rows):
    """Prints it as Markdown and keeps it for the JSON."""
    print(f"\n{title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "|".join("---" if i == 0 else "--:" for i, _ in enumerate(header)) + "|")
    for row in rows:
        print("| " + " | ".join(shown(cell) for cell in row) + " |", flush=True)
    return {"title": title, "header": header, "rows": rows}


def stage(record, name):
    return next((s["elapsed_ms"] / 1000 for s in record["stages"] if s["stage"] == name), 0.0)


# ── floor ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def floor(args):
    """Audit ÷ decoding the columns that its rules need, runs alternating."""
    data, decoder = dataset(args, args.lines), bench_binary("floor", args.floor_bin)
    base = [decoder, data, "--threads", args.threads]
    readers = {"dataset": [], "plain": []}
    audits = []
    measure([*base, "--reader", "plain"])  # the files are in memory from here on
    for n in range(args.runs):
        say(f"run {n + 1} of {args.runs}")
        for reader, runs in readers.items():
            printed = json.loads(measure([*base, "--reader", reader], accept=(0,))["printed"])
            runs.append({"wall": printed["wall_ms"] / 1000, "cpu": (printed["cpu_ms"] or 0) / 1000, **printed})
        audits.append(audit(args, data))
    ours, cpu = median(audits), median(audits, "cpu")
    lowest = min(readers, key=lambda reader: median(readers[reader]))
    ground, ground_cpu = median(readers[lowest]), median(readers[lowest], "cpu")
    rules = len(audits[0]["record"]["rules"])
    rows = [
        [f"decoding, `{reader}`{' (the floor)' if reader == lowest else ''}", median(runs), median(runs, "cpu"), median(runs) / ground, median(runs, "cpu") / ground_cpu if ground_cpu else None]
        for reader, runs in readers.items()
    ]
    rows.append([f"audit, {rules} rules, whole process", ours, cpu, ours / ground, cpu / ground_cpu if ground_cpu else None])
    work = statistics.median(stage(a["record"], "audit") for a in audits)
    rows.append(["audit, its stage `audit` (units: read, net, rules)", work, None, work / ground, None])
    one = readers[lowest][0]
    tables = [
        table(
            f"Floor: {one['fee_lines']:,} fee lines, {one['rows']:,} rows of all tables, {one['columns']} columns, "
            f"{one['file_bytes'] / 2**20:,.0f} MB in the files, {one['bytes'] / 2**20:,.0f} MB decoded; median of {args.runs}",
            ["", "seconds", "CPU seconds", "÷ floor", "CPU ÷ floor"],
            rows,
        ),
        table("Where the audit's time goes", ["stage", "seconds", "÷ floor", "÷ CPU of the floor"], stages(audits, ground, ground_cpu)),
    ]
    return {"tables": tables, "ratio": ours / ground, "ratio_of_stage": work / ground}


def stages(audits, ground, ground_cpu):
    """The clock of a run, by stage; what the record cannot know is the difference to the whole process."""
    middle = sorted(audits, key=lambda a: a["wall"])[len(audits) // 2]
    record = middle["record"]
    rows = [[f"`{s['stage']}`", s["elapsed_ms"] / 1000] for s in record["stages"] if s["stage"] != "whole"]
    whole = stage(record, "whole")
    rows.append(["opening, coverage and the rest of `whole`", max(0.0, whole - sum(row[1] for row in rows))])
    rows.append(["starting, writing the findings, ending", middle["wall"] - whole])
    rows = [[*row, row[1] / ground, None] for row in rows]
    of_threads = record["thread_time_ms"].items()
    return rows + [[f"of `audit`, thread time of `{name}`", ms / 1000, None, ms / 1000 / ground_cpu if ground_cpu else None] for name, ms in of_threads]


# ── peers ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def peers(args):
    """Others with the same rules, their answers held against ours."""
    from peers import duckdb_rules

    data = dataset(args, args.lines)
    say("ours, all rules, for the answers")
    found = duckdb_rules.findings(audit(args, data)["out"] / "findings.parquet")
    result = {"tables": [], "ratios": {}, "differences": {}}
    for name in args.peers.split(","):
        (with_duckdb if name == "duckdb" else with_few)(args, data, found, name, result)
    for peer, differences in result["differences"].items():
        print(f"\n{peer}: no figure, its answers are not ours: {differences}")
    result["failed"] = bool(result["differences"])
    return result


def with_duckdb(args, data, found, _, result):
    """Every rule, with a model of its own; the better of two ways to ask."""
    from peers import duckdb_rules

    count = len(found["rules"])
    ways = {f"{count} statements": {"together": False}, "one statement, UNION ALL": {"together": True}}
    if args.as_written:
        ways[f"{count} statements, as written for the cross-check"] = {"together": False, "tuned": False}
    theirs, ours = {way: [] for way in ways}, []
    for n in range(args.runs):
        say(f"DuckDB and ours, run {n + 1} of {args.runs}")
        ours.append(audit(args, data))
        for way, how in ways.items():
            run = apart("duckdb_rules", data, args, how)
            theirs[way].append(run)
            if differences := duckdb_rules.differences(found, duckdb_rules.answers(run["answers"])):
                result["differences"][f"DuckDB, {way}"] = differences
    theirs = {way: runs for way, runs in theirs.items() if f"DuckDB, {way}" not in result["differences"]}
    if not theirs:
        return
    wall, cpu = median(ours), median(ours, "cpu")
    rows = [
        [f"DuckDB, {way}", *(median(runs, what) for what in ("model", "rules", "wall", "cpu", "peak_mb")), median(runs) / wall, median(runs, "cpu") / cpu]
        for way, runs in theirs.items()
    ]
    rows.append(["fundaudit audit, whole process", None, None, wall, cpu, median(ours, "peak_mb"), 1.0, 1.0])
    result["tables"].append(
        table(
            f"DuckDB {run['version']} with the same {count} rules: {rows_of(data):,} fee lines, {len(found['keys']):,} findings, all equal; median of {args.runs}",
            ["", "model", "rules", "seconds", "CPU seconds", "peak MB", "÷ ours", "CPU ÷ ours"],
            rows,
        )
    )
    result["ratios"]["duckdb"] = min(median(runs) for runs in theirs.values()) / wall


def apart(module, data, args, how):
    """One run of a peer in a process of its own, so that none inherits another's memory or threads."""
    answers = args.work / f"answers-{module}.json"
    how = {**how, "dataset": str(data), "threads": args.threads, "answers": str(answers), "work": str(args.work), "rules": str(ROOT / "audit_rules")}
    run = measure([sys.executable, HERE / "peers" / f"{module}.py", json.dumps(how)], accept=(0,))
    return {**json.loads(run["printed"].splitlines()[-1]), "peak_mb": run["peak_mb"], "answers": str(answers)}


def with_few(args, data, found, name, result):
    """DataFusion and Polars: those rules that they can say, beside an audit of the same rules."""
    from peers import duckdb_rules

    how = {"model": str(duckdb_rules.model_files(data, args.work, ROOT / "audit_rules", args.threads))} if name == "datafusion" else {}
    runs, audits = [], []
    for n in range(args.runs):
        say(f"{name} and ours, run {n + 1} of {args.runs}")
        runs.append(apart(f"{name}_rules", data, args, how))
        theirs = duckdb_rules.answers(runs[-1]["answers"])
        wrong = duckdb_rules.differences(found, theirs, only=theirs)
        equal = sorted(code for code in theirs if code not in wrong)
        if not equal or (wrong and name == "polars"):  # Polars runs its rules together: there is no time for some of them
            result["differences"][name] = wrong
            return
        audits.append(audit(args, data, select=equal, out="findings-selected"))
    last = runs[-1]
    refused = {**last["refused"], **{code: f"other answers: {what}" for code, what in wrong.items()}}
    rules = statistics.median(sum(run["seconds"][code] for code in equal) + run["loading"] for run in runs)
    model, ours = median(runs, "model"), median(audits)
    maker = "DuckDB's model" if name == "datafusion" else "its own model"
    rows = [
        [f"{name} {last['version']}, {len(equal)} rules, the model left out", rules, rules / ours],
        [f"{name} {last['version']}, {len(equal)} rules and {maker}", rules + model, (rules + model) / ours],
        [f"fundaudit audit --select, the same {len(equal)} rules, whole process", ours, 1.0],
    ]
    result["tables"].append(table(f"{name}: {last['how']}; median of {args.runs}", ["", "seconds", "÷ ours"], rows))
    print(f"\nRules: {', '.join(equal)}.")
    if refused:
        print("\nNot counted: " + "; ".join(f"{code}: {why}" for code, why in sorted(refused.items())) + ".")
    result["ratios"][name] = (rules + model) / ours
    result.setdefault("not_counted", {})[name] = refused


# ── scaling ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def scaling(args):
    """More lines, and more rules over the same lines."""
    sizes = [float(s) for s in args.sizes.split(",")]
    if args.hundred and 100.0 not in sizes:
        sizes.append(100.0)
    rows, before, first = [], None, None
    for size in sizes:
        data = dataset(args, round(size * 1e6))
        say(f"auditing {rows_of(data):,} lines")
        runs = [audit(args, data) for _ in range(args.runs if size <= 10 else 1)]
        now = {"lines": rows_of(data), "wall": median(runs), "cpu": median(runs, "cpu"), "peak": max(r["peak_mb"] for r in runs)}
        first = first or now
        before = before or now
        rows.append(
            [now["lines"], now["wall"], now["cpu"], now["peak"], now["lines"] / now["wall"] / 1e6, now["lines"] / before["lines"], now["wall"] / before["wall"], now["cpu"] / before["cpu"], now["peak"] / before["peak"]]
        )
        before = now
    tables = [
        table(
            f"More lines: {args.threads} threads, median of {args.runs} up to 10 million lines, one run above",
            ["fee lines", "seconds", "CPU seconds", "peak MB", "million lines a second", "lines ÷ row above", "seconds ÷ row above", "CPU ÷ row above", "memory ÷ row above"],
            rows,
        )
    ]
    all_codes = codes(args)
    data = dataset(args, round(min(sizes, key=lambda size: abs(size - args.rules_at)) * 1e6))
    choices = [all_codes[1::4], all_codes[1::2], all_codes]  # each holds the one before
    walls = {len(choice): [] for choice in choices}
    for n in range(args.runs):
        say(f"more rules, run {n + 1} of {args.runs}")
        for choice in choices:
            walls[len(choice)].append(audit(args, data, select=choice, out="findings-selected"))
    base = min(walls)
    rows = [[n, median(runs), median(runs, "cpu"), n / base, median(runs) / median(walls[base]), median(runs, "cpu") / median(walls[base], "cpu")] for n, runs in walls.items()]
    half = sorted(walls)[1]
    tables.append(
        table(f"More rules: {rows_of(data):,} fee lines, every fourth, every second, every rule", ["rules", "seconds", "CPU seconds", f"rules ÷ {base}", f"seconds ÷ {base} rules", f"CPU ÷ {base} rules"], rows)
    )
    ratio = median(walls[len(all_codes)]) / median(walls[half])
    print(f"\n{len(all_codes)} rules ÷ {half} rules: {ratio:.2f} (CPU {median(walls[len(all_codes)], 'cpu') / median(walls[half], 'cpu'):.2f})")
    return {"tables": tables, "all_rules_over_half": ratio, "half": half}


# ── ingest ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def ingest(args):
    """From files to findings, beside DuckDB putting the same rows into sorted Parquet."""
    from peers import duckdb_rules

    forms = {"GB18030": "csv-gb18030", "UTF-8": "csv"}
    exports = {name: export(args, args.lines, form) for name, form in forms.items()}
    data = dataset(args, args.lines)
    into = args.work / "ingested"
    runs = {"findings": [], "duckdb": [], **{name: [] for name in forms}}
    for n in range(args.runs):
        say(f"run {n + 1} of {args.runs}")
        runs["findings"].append(audit(args, exports["GB18030"], out="findings-of-export"))
        for name, folder in exports.items():
            shutil.rmtree(into, ignore_errors=True)
            runs[name].append(measure([args.bin, "ingest", folder, "--dataset", into, "--threads", args.threads], accept=(0,)))
        runs["duckdb"].append(apart("duckdb_rules", data, args, {"export": str(exports["UTF-8"])}))
    shutil.rmtree(into, ignore_errors=True)
    if duckdb_rules.rows_written(runs["duckdb"][-1]) != lines_of(exports["UTF-8"]):
        print("\nno figure: DuckDB did not write as many fee lines as the export has")
        return {"tables": [], "failed": True}
    peer = median(runs["duckdb"])
    named = {
        "fundaudit audit, GB18030 CSV → findings": "findings",
        "fundaudit ingest, GB18030 CSV → dataset": "GB18030",
        "fundaudit ingest, UTF-8 CSV → dataset": "UTF-8",
        "DuckDB, UTF-8 CSV → Parquet by psn_no, fee_ocur_time": "duckdb",
    }
    rows = [[name, median(runs[key]), median(runs[key], "cpu"), max(r["peak_mb"] for r in runs[key]), median(runs[key]) / peer, median(runs[key], "cpu") / median(runs["duckdb"], "cpu")] for name, key in named.items()]
    size = sum(f.stat().st_size for f in exports["GB18030"].glob("*.csv")) / 2**20
    tables = [
        table(
            f"Ingest: {lines_of(exports['GB18030']):,} fee lines, {size:,.0f} MB of CSV in GB18030, all tables; median of {args.runs}",
            ["", "seconds", "CPU seconds", "peak MB", "÷ DuckDB", "CPU ÷ DuckDB"],
            rows,
        )
    ]
    return {"tables": tables, "findings_over_duckdb": median(runs["findings"]) / peer, "gb18030_over_utf8": median(runs["GB18030"]) / median(runs["UTF-8"])}


# ── rules ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def rules(args):
    """Where the time goes: stages, then rules, dearest first."""
    data = dataset(args, args.lines)
    runs = [audit(args, data) for _ in range(args.runs)]
    middle = sorted(runs, key=lambda a: a["wall"])[len(runs) // 2]
    record = middle["record"]
    spent = record["thread_time_ms"]
    threads = sum(spent.values()) / 1000
    lines = rows_of(data)
    tables = [
        table(
            f"Stages: {lines:,} fee lines, the middle one of {args.runs} runs, {middle['wall']:.2f} s, peak {middle['peak_mb']:,.0f} MB",
            ["stage", "seconds", "÷ whole process"],
            [[f"`{s['stage']}`", s["elapsed_ms"] / 1000, s["elapsed_ms"] / 1000 / middle["wall"]] for s in record["stages"]],
        ),
        table("Thread time of `audit`", ["part", "seconds", "share"], [[f"`{name}`", ms / 1000, ms / 1000 / threads] for name, ms in spent.items()]),
    ]
    by_cost = sorted(record["rules"], key=lambda rule: -rule["cpu_us"])
    total = sum(rule["cpu_us"] for rule in by_cost) or 1
    sofar, rows = 0, []
    for rule in by_cost:
        sofar += rule["cpu_us"]
        rows.append([f"{rule['code']} {rule['name']}", rule["cpu_us"] / 1e6, rule["cpu_us"] / total, sofar / total, rule["evaluated"], rule["findings"], rule["cpu_us"] * 1000 / lines])
    tables.append(table("Rules (a view is charged to the first rule that reads it)", ["rule", "seconds", "share", "so far", "evaluated", "findings", "ns a fee line"], rows))
    return {"tables": tables}


# ── serve ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def serve(args):
    """The service under load over loopback, with a history on disk: latency, answers a second, memory."""
    data = args.dataset or history(args)
    load = bench_binary("serve", args.load_bin)
    with Service(args, data) as service:
        asked = ["--claims", args.claims, "--form", args.form]
        runs = []
        for mode in args.modes.split(","):
            say(f"{mode}: {args.connections} connections, {args.requests:,} requests each")
            runs += loaded(load, data, service, "--mode", mode, "--connections", args.connections, "--requests", args.requests, *asked)
        say(f"{args.soak:,} requests, the memory is looked at")
        soak = loaded(load, data, service, "--mode", "outpatient", "--connections", "8", "--requests", args.soak, *asked) if args.soak else []
    failed = any(run["errors"] for run in runs + soak) or service.exit != 0
    if service.exit != 0:
        print(f"\nthe service ended with {service.exit} when it was asked to stop")
    lines = rows_of(data)
    rows = [[f"{run['mode']}, {run['lines']} lines", run["connections"], run["requests"], run["p50_ms"], run["p90_ms"], run["p99_ms"], run["max_ms"], run["per_second"], run["errors"], run["incomplete"], run["with_findings"] / max(run["requests"], 1)] for run in runs + soak]
    tables = [
        table(
            f"`fundaudit serve`, {args.threads} threads, with a history of {lines:,} fee lines; the load comes from a process on the same machine",
            ["claims", "connections", "requests", "p50 ms", "p90 ms", "p99 ms", "max ms", "a second", "errors", "incomplete", "share with findings"],
            rows,
        )
    ]
    for run in soak:
        memory = [[m["requests"], m["resident_kib"] / 1024, m["anonymous_kib"] / 1024] for m in run["memory"]]
        tables.append(table(f"Memory of the service over {run['requests']:,} requests", ["requests", "resident MB", "of it anonymous MB"], memory))
    tables.append(table("The service itself", ["", "seconds", "MB"], [["start to the first healthy answer", service.started, service.first_mb]]))
    return {"tables": tables, "runs": runs, "soak": soak, "history": {"fee_lines": lines, "persons": args.persons, "months": args.months}, "failed": failed}


def history(args):
    """A dataset of so many persons over so many months; the export goes when the dataset is there."""
    folder = args.work / f"history-{args.persons}p-{args.months}m-seed{args.seed}"
    if not folder.is_dir():
        say(f"generating {args.persons:,} persons over {args.months} months")
        source = generated(args, args.work / f"{folder.name}-export", args.persons, "csv")
        say(f"ingesting {source.name}")
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        measure([args.bin, "ingest", source, "--dataset", part], accept=(0,))
        part.rename(folder)
        shutil.rmtree(source)
    return folder


def loaded(load, data, service, *arguments):
    """A run of the load tool; a line of JSON for each of its parts."""
    command = [load, data, "--to", service.address, "--watch", service.process.pid, "--json", *arguments]
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True)
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    if not runs:
        sys.exit("the load tool measured nothing; what it said is above")
    return runs


class Service:
    """`fundaudit serve`, started, healthy, and stopped as a service manager stops it."""

    def __init__(self, args, data):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        command = [args.bin, "serve", "--dataset", data, "--listen", self.address, "--threads", args.threads, *args.serve_args.split()]
        self.command = [str(c) for c in command]

    def __enter__(self):
        say(f"starting {' '.join(self.command)}")
        began = time.monotonic()
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, env={**os.environ, "FUNDAUDIT_LOG": "warn"})
        while True:
            try:
                with urllib.request.urlopen(f"http://{self.address}/healthz", timeout=5) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                pass
            if self.process.poll() is not None:
                sys.exit(f"the service ended with {self.process.returncode} before it was healthy; what it said is above")
            time.sleep(0.02)
        self.started = time.monotonic() - began
        status = Path(f"/proc/{self.process.pid}/status")
        kib = next((int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS")), 0) if status.exists() else 0
        self.first_mb = kib / 1024
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.exit = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit = f"no exit within a minute ({self.process.wait()})"


COMMANDS = {"floor": floor, "peers": peers, "scaling": scaling, "ingest": ingest, "rules": rules, "serve": serve}


def arguments():
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = ask.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        one = commands.add_parser(name, help=function.__doc__)
        one.add_argument("--bin", type=Path, help="a built fundaudit; default: target/release/fundaudit, built when absent")
        one.add_argument("--threads", type=int, default=2)
        one.add_argument("--work", type=Path, default=ROOT / "target" / "benches", help="where inputs are kept and reused")
        one.add_argument("--runs", type=int, default=3, help="the median of so many is taken")
        one.add_argument("--months", type=int, default=12 if name == "serve" else 3, help="length of the generated period")
        one.add_argument("--seed", type=int, default=1)
        one.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
        if name == "scaling":
            one.add_argument("--sizes", default="1,3,10", help="million lines")
            one.add_argument("--hundred", action="store_true", help="100 million lines too: some 60 GB of disk while they are made")
            one.add_argument("--rules-at", type=float, default=3, help="million lines for the ratio of rules; the nearest of the sizes")
        elif name == "serve":
            one.add_argument("--persons", type=int, default=200_000, help="persons of the history")
            one.add_argument("--dataset", type=Path, help="a history that is there already")
            one.add_argument("--modes", default="outpatient,stay", help="claims of 5 lines, encounters of 200")
            one.add_argument("--connections", default="1,8,32")
            one.add_argument("--requests", type=int, default=5_000, help="of each kind and number of connections")
            one.add_argument("--soak", type=int, default=200_000, help="requests over which the memory is looked at; 0: none")
            one.add_argument("--claims", type=int, default=20_000, help="different claims, each of another person")
            one.add_argument("--form", choices=("own", "national"), default="own", help="our own JSON, or 3102")
            one.add_argument("--serve-args", default="", help="more options of `fundaudit serve`, in one text")
            one.add_argument("--load-bin", type=Path, help="the built load tool; default: by cargo bench")
        else:
            one.add_argument("--lines", type=int, default=3_000_000, help="fee lines, about")
        if name == "floor":
            one.add_argument("--floor-bin", type=Path, help="the built floor bench; default: by cargo bench")
        if name == "peers":
            one.add_argument("--peers", default="duckdb,datafusion,polars")
            one.add_argument("--as-written", action="store_true", help="DuckDB also without what is done to make it quicker")
    return ask.parse_args()


def machine(args):
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "") if Path("/proc/cpuinfo").exists() else platform.processor()
    version = measure([args.bin, "--version"])["printed"].strip()
    return {"processor": model, "processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(), "program": version}


def main():
    args = arguments()
    packages(args)
    build(args)
    args.bin = args.bin.resolve()
    args.work = args.work.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    where = machine(args)
    print(f"`bench.py {' '.join(sys.argv[1:])}`: {where['program']}, {where['processors']} × {where['processor'] or where['system']}, {args.threads} threads")
    result = COMMANDS[args.command](args)
    if args.json:
        asked = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
        args.json.write_text(json.dumps({"machine": where, "asked": asked, **result}, ensure_ascii=False, indent=1), encoding="utf-8")
    if result.get("failed"):
        sys.exit(1)


if __name__ == "__main__":
    main()
