#!/usr/bin/env python3
"""What a night costs, held against a scan of everything from nothing.

Goes in: the program, a number of persons. Comes out: seconds of a scan from nothing over all files, seconds of the nights
after a base of the days before, their ratio, as a table and as JSON. The export is dealt out by the days of its rows: an
encounter comes on the day it begins, without its end, and again on the day it ends. Both ways lead to stores whose findings
are compared.

    python3 benches/night.py --bin target/release/fundaudit --persons 60000 --months 12 --nights 5
"""

import argparse
import csv
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

# The column of each table that says on which day a row came; None: with the row's encounter.
DAYS = {
    "fee_detail": "fee_ocur_time",
    "settlement": "setl_time",
    "encounter": "begntime",
    "diagnosis": None,
    "operation": None,
    "presence": None,
    "special_case": None,
}


def deal(export: Path, into: Path, nights: int) -> None:
    """Deals an export out: everything up to `nights` days before the end, then a folder a day."""
    with (export / "encounter.csv").open(newline="") as file:
        begun = {row["mdtrt_id"]: row["begntime"][:10] for row in csv.DictReader(file)}
    days = sorted({day for day in begun.values()})[-nights:]
    writers: dict[tuple[str, str], csv.DictWriter] = {}
    files = []

    def put(day: str, table: str, names: list[str], row: dict[str, str]) -> None:
        folder = day if day in days else ("0000-base" if day < days[0] else days[-1])
        key = (folder, table)
        if key not in writers:
            place = into / folder
            place.mkdir(parents=True, exist_ok=True)
            file = (place / f"{table}.csv").open("w", newline="")
            files.append(file)
            writers[key] = csv.DictWriter(file, names)
            writers[key].writeheader()
        writers[key].writerow(row)

    for path in sorted(export.glob("*.csv")):
        table = path.stem
        if table == "truth":
            continue
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or [])
            for row in reader:
                if table not in DAYS:
                    put("", table, names, row)
                elif table == "encounter":
                    begin, end = row["begntime"][:10], row["endtime"][:10]
                    if end > max(begin, days[0]) or (end > begin and end >= days[0]):
                        put(begin, table, names, {**row, "endtime": ""})
                        put(end, table, names, row)
                    else:
                        put(begin, table, names, row)
                else:
                    column = DAYS[table]
                    put(row[column][:10] if column else begun.get(row["mdtrt_id"], ""), table, names, row)
    for file in files:
        file.close()


def scan(program: str, place: Path, threads: int) -> tuple[float, dict]:
    began = time.perf_counter()
    done = subprocess.run(
        [program, "--format", "json", "scan", "--drop", place / "drop", "--dataset", place / "dataset", "--store",
         f"sqlite:{place / 'store.db'}", "--out", place / "reports", "--quiet", "0", "--threads", str(threads)],
        check=True, capture_output=True, text=True,
    )
    return time.perf_counter() - began, json.loads(done.stdout)


def found(program: str, place: Path) -> list[str]:
    """The findings of a store, a line each, without what tells when they were found."""
    out = place / "export"
    subprocess.run([program, "findings", "export", "--store", f"sqlite:{place / 'store.db'}", "--out", out], check=True,
                   capture_output=True)
    path = next(p for p in sorted(out.iterdir()) if p.name.startswith("findings") and p.suffix == ".csv")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        return sorted(f"{row.get('finding_id')} {row.get('amount')} {row.get('allocated')}" for row in rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bin", required=True)
    options.add_argument("--persons", type=int, default=20000)
    options.add_argument("--months", type=int, default=12)
    options.add_argument("--nights", type=int, default=5)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--work", type=Path, help="a folder to work in, kept; default: a temporary one")
    chosen = options.parse_args()
    work = chosen.work or Path(tempfile.mkdtemp(prefix="night-"))
    export, dealt = work / "export", work / "dealt"
    if not dealt.exists():
        subprocess.run([chosen.bin, "generate", "--persons", str(chosen.persons), "--months", str(chosen.months), "--out",
                        export], check=True, capture_output=True)
        deal(export, dealt, chosen.nights)
    lines = json.loads((export / "generated.json").read_text())["rows"][2]
    (work / "whole/drop").mkdir(parents=True, exist_ok=True)
    (work / "nightly/drop").mkdir(parents=True, exist_ok=True)
    for path in export.glob("*.csv"):
        if path.stem != "truth":
            shutil.copy(path, work / "whole/drop" / path.name)
    folders = sorted(dealt.iterdir())
    whole, _ = scan(chosen.bin, work / "whole", chosen.threads)
    nights = []
    for folder in folders:
        shutil.copytree(folder, work / "nightly/drop" / folder.name)
        nights.append(scan(chosen.bin, work / "nightly", chosen.threads))
    same = found(chosen.bin, work / "whole") == found(chosen.bin, work / "nightly")
    print(f"{lines:,} fee lines; a scan of everything from nothing {whole:.2f} s; the base {nights[0][0]:.2f} s; same findings: {same}")
    print("| night | seconds | of the scan of everything | persons | new | no longer found |\n|---|--:|--:|--:|--:|--:|")
    for folder, (seconds, said) in zip(folders[1:], nights[1:]):
        merged = said["findings"]
        print(f"| {folder.name} | {seconds:.2f} | {seconds / whole:.1%} | {said['persons']} | {merged['new']} | {merged['no_longer_found']} |")
    print(json.dumps({"fee_lines": lines, "whole_s": whole, "nights_s": [n[0] for n in nights[1:]], "same_findings": same}))
    if not chosen.work:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
