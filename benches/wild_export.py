"""A wild export: few people, few items, every condition of every rule close to its edge, and much that is missing.

For: the cross-check. The program's own generator makes believable data in which a rule is hit now and then; here almost
every row is near a boundary, so that two readings of one sentence come apart. Goes in: the knowledge CSVs (for codes),
persons, seed. Comes out: the CSV files of an export, and `knowledge/catalogue.csv` that lists some of its codes, some by a
prefix, some from or until a day of it. Deliberately unknown: what any rule would say about it.

To reach a new rule: let one of the columns below take the values that the rule's condition turns on.
"""

import csv
import datetime as dt
import random
from pathlib import Path

FIRST = dt.date(2026, 1, 1)
DAYS = 75


OF_DIAGNOSES = {"sex_diagnosis", "chronic_disease", "special_chronic", "planned_readmission"}
NOT_CODES = {"identity_group", "care_setting_of_med_type", "long_stay_care"}


def whole(code):
    """A full item code that begins with this prefix."""
    if code[0] == "X":
        return (code + "XL02BBA326"[len(code):] + "A001010100020")[:23] if len(code) < 10 else (code + "A001010100020")[:23]
    return code.ljust({"Z": 20, "0": 15}.get(code[0], 0), "0")


# Lines whose pairs count by the hour: when, and how many seconds later the other item of the pair. Midnight is no time of day.
HOURS = ["00:00:00", "00:30:00", "02:30:00", "08:00:00", "09:00:00", "13:59:59", "14:00:00", "20:30:00", "23:30:01"]
APART = [0, 1, 3599, 3600, 3601, -3599, -3600, 7200, 21599, 21600, 21601, -21599, -21600]


def codes_of(knowledge):
    """Full item codes, table by table, diagnoses that the knowledge tables speak of, and partners in pairs that count by the hour."""
    items, diagnoses, by_hours = {}, set(), {}
    for path in sorted(Path(knowledge).glob("*.csv")):
        if path.stem in NOT_CODES:
            continue
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                (diagnoses.add if path.stem in OF_DIAGNOSES else items.setdefault(path.stem, set()).add)(row["code"])
                if row.get("parts"):
                    items.setdefault(path.stem + row["code"], set()).update(row["parts"].split("|"))
                if "hour" in (row.get("window") or ""):
                    items.setdefault(path.stem + "by the hour", set()).update((row["code"], row["code_b"]))
                    for one, other in ((row["code"], row["code_b"]), (row["code_b"], row["code"])):
                        by_hours.setdefault(whole(one), []).append(whole(other))
                for column in ("code_b", "parts", "first_line", "with"):
                    items.setdefault(path.stem, set()).update(c for c in (row.get(column) or "").split("|") if c)
                diagnoses.update(c for c in (row.get("diagnoses") or "").split("|") if c)
    return [sorted({whole(c) for c in codes}) for _, codes in sorted(items.items()) if codes], sorted(diagnoses), by_hours


def make(folder, knowledge, persons, seed):
    """Write the export into `folder`."""
    r = random.Random(seed)
    aside = random.Random(seed + 2)  # a chance of its own: the other columns stay as they were
    clock = random.Random(seed + 3)  # another
    items, diagnoses, by_hours = codes_of(knowledge)
    plain_items = ["002501010150000", "002503050010000", "001102000010000", "003106010010000", "XC08CAA252A001010100020",
                   "XA02BCA224E003010100004", "XC08CAB001A001010100020", "ZA01AAG0101010100007"]
    diagnoses = [d if "." in d or len(d) < 3 else d for d in diagnoses] + ["J18.900", "K35.800", "J18.000", "I63.900", "O80.900"]
    diagnoses = [d + "10" if len(d) == 1 else d for d in diagnoses]
    maybe = lambda chance, value, other="": value if r.random() < chance else other
    pick = r.choice
    out = {n: [] for n in ("settlement", "encounter", "fee_detail", "diagnosis", "facility", "person", "identity", "presence", "special_case", "operation")}

    facilities = []
    for i, (kind, level) in enumerate([("1", "02"), ("1", "05"), ("1", "08"), ("1", "11"), ("1", ""), ("2", ""), ("1", "14")]):
        code = f"H3406020000{i}" if kind == "1" else f"P3406020000{i}"
        facilities.append((code, level))
        out["facility"].append(dict(fixmedins_code=code, fixmedins_name=f"机构{i}", fixmedins_type=kind, hosp_lv=level,
                                    admdvs=pick(["340602", "340600", "330302", ""]), lng=maybe(0.85, f"{116.8 + i * 0.25:.6f}"), lat=maybe(0.9, f"{33.9 + i * 0.1:.6f}")))
    inpatient = ["21"] * 8 + ["2105", "22", "24", "52", "28"]
    outpatient = ["11"] * 5 + ["140104", "140104", "140201", "9901", "13", "13", "1301", "16", "51", "71", "15", "12"]
    pharmacy = ["41", "41", "9929"]
    if seed % 2 == 0:  # a visit long ago, so that looking back ends inside the data
        out["encounter"].append(dict(mdtrt_id="LONGAGO", psn_no="LONGAGO", fixmedins_code=facilities[0][0], med_type="11", begntime="2024-06-01 08:00:00", endtime="2024-06-01 09:00:00"))
    sn = 0
    setl_no = 0
    for p in range(persons):
        psn = f"W{p:05d}"
        gend, brdy = pick(["1", "2", "1", "2", "9", ""]), pick(["1950-05-05", "1990-02-28", "2010-06-01", "2012-01-20", "2026-01-03", "2025-12-20", "1176-01-01", "2027-01-01", "", "1970-07-07"])
        die = maybe(0.1, str(FIRST + dt.timedelta(days=r.randrange(DAYS))))
        out["person"].append(dict(psn_no=psn, psn_name="某", gend=gend, brdy=brdy, insu_admdvs=pick(["340602", "340603", "330302", "370323", ""]), insutype=pick(["310", "390", ""]),
                                  psn_insu_date=maybe(0.6, str(FIRST + dt.timedelta(days=r.randrange(-30, DAYS)))), paus_insu_date=maybe(0.4, str(FIRST + dt.timedelta(days=r.randrange(-30, DAYS)))), die_date=die))
        for _ in range(pick([0, 0, 1, 2])):
            begin = FIRST + dt.timedelta(days=r.randrange(-20, DAYS))
            out["identity"].append(dict(psn_no=psn, psn_idet_type=pick(["10", "2001", "监测人口", "99"]), begntime=f"{begin} 00:00:00", endtime=maybe(0.5, f"{begin + dt.timedelta(days=r.randrange(40))} 00:00:00")))
        table = pick(items)  # whole tables, so that pairs, packages and classes meet
        own = r.sample(table, min(len(table), 5)) + [pick(pick(items)) for _ in range(4)] + r.sample(plain_items, 2)
        illnesses = r.sample(diagnoses, 2)
        last = None
        often = r.random() < 0.05  # one drug, bought again and again
        if often:
            own = [i for i in own if i[0] == "X"][:1] or [plain_items[4]]
        for v in range(9 if often else r.randrange(2, 8)):
            mdtrt = f"{psn}M{v}"
            kind = pick(["out", "drugstore"]) if often else pick(["in", "in", "out", "out", "drugstore"])
            drugstore = kind == "drugstore"
            facility, level = facilities[5] if drugstore else pick([f for f in facilities if f[0][0] == "H"][: pick([2, 6])])
            med_type = pick({"in": inpatient, "out": outpatient, "drugstore": pharmacy}[kind])
            begin = FIRST + dt.timedelta(days=r.randrange(DAYS))
            if last and often:
                begin = last + dt.timedelta(days=pick([1, 2, 4]))
            elif last and r.random() < 0.4:
                begin = last + dt.timedelta(days=pick([-1, 0, 0, 1, 1, 2, 15, 16]))
            length = pick([0, 0, 1, 2, 3, 5, 9, 22]) if kind == "in" else 0
            end = begin + dt.timedelta(days=length)
            last = end
            begin_time = f"{begin} {pick(['00:00:00', '08:10:00', '09:20:30', '09:50:00', '10:05:00'])}"
            main = pick(illnesses)
            encounter = dict(mdtrt_id=mdtrt, psn_no=psn, fixmedins_code=facility, med_type=med_type, insutype=pick(["310", "390", "510", ""]), insu_admdvs=maybe(0.3, pick(["340602", "370323"])),
                             gend=maybe(0.6, gend if r.random() < 0.9 else pick(["1", "2", "0"])), brdy=maybe(0.5, brdy if r.random() < 0.9 else "1950-05-05"), hosp_lv=maybe(0.5, level),
                             begntime=begin_time, endtime=maybe(0.93, f"{end} 15:00:00"), traf_dept_flag=pick(["0", "1", "0", ""]), dscg_maindiag_code=maybe(0.85, main),
                             dscg_way=pick(["1"] * 8 + ["2", "3", "4", "9", ""] + ["5"] * (r.random() < 0.15)), die_date=maybe(0.04, str(end)), matn_type=maybe(0.1, "1"), dise_no=maybe(0.3, pick(["M03900", "M01600", "M07800"])),
                             ars_year_ipt_flag=pick(["0", "0", "", "1"]), adm_dept_codg=pick(["A03", "A15", "A21", ""]), dscg_dept_codg=pick(["A03", "A15", "A21", "B01", ""]))
            if seed % 3 or r.random() > 0.02:  # every third seed lacks some encounters
                out["encounter"].append(encounter)
            if r.random() < 0.08:
                out["special_case"].append(dict(mdtrt_id=mdtrt, reason="登记", registered_time=begin_time))
            for d in range(pick([0, 1, 2])):
                out["diagnosis"].append(dict(mdtrt_id=mdtrt, diag_code=pick(diagnoses + ["高血压", main]), diag_name="x", maindiag_flag=str(int(d == 0)), diag_srt_no=str(d + 1)))
            for d in range(length + 1 if kind == "in" and r.random() < 0.5 else 0):
                out["presence"].append(dict(mdtrt_id=mdtrt, check_time=f"{begin + dt.timedelta(days=d)} 21:00:00", check_way="人脸", on_bed_flag=pick(["0", "1", ""]), evidence_no=f"E{mdtrt}{d}"))
            mid = pick(["0", "0", "1", ""])
            setls = [] if r.random() < 0.06 else [f"S{setl_no + i:07d}" for i in range(pick([1, 1, 1, 2]))]
            setl_no += len(setls)
            lines = []
            daily = pick([None, own[0], plain_items[2]]) if length > 4 else None
            wanted = [daily] * (length + 1) if daily else [pick(own) for _ in range(pick([0, 1, 3, 6, 12]))]
            if r.random() < 0.04:  # nearly everything of one table, often on one day
                wanted = [i for i in pick([t for t in items if len(t) < 40]) if r.random() < 0.9]
            for nth, item in enumerate(wanted):
                sn += 1
                drug = item[0] in "XZ"
                herb = item[0] == "T"
                day = begin + dt.timedelta(days=nth if daily else r.choice([0, 0, length, r.randrange(length + 1), pick([-4, -3, -1, 1])]))
                cnt, pric = pick(["1", "1", "1", "2", "3", "0.5", "25", "28", "7"]), pick(["10", "10.01", "10.02", "15", "37.5", "80", "600", ""])
                gross = round(float(cnt) * float(pric or 10), 2)
                ownpay, over, pre = (pick([0, 0, 0, gross, round(gross / 10, 2)]) for _ in range(3))
                scope = max(0.0, round(gross - ownpay - over - pre, 2))
                line = dict(feedetl_sn=f"{sn:09d}", mdtrt_id=mdtrt, setl_id=pick(setls + [""]) if r.random() < 0.2 or not setls else setls[0], psn_no=psn, fixmedins_code=facility, med_type=med_type,
                            fee_ocur_time=f"{day} {pick(['08:00:00', '09:30:00', '23:00:01', '23:00:01'])}", rx_drord_no=maybe(0.7, f"R{pick([1, 2])}"), chrg_bchno=maybe(0.6, f"B{pick([1, 2])}"), hilist_code=item, hilist_name="项目",
                            list_type="101" if drug else pick(["102", "106"]) if herb else pick(["201", "301"]),
                            med_chrgitm_type=pick(["09", "11"]) if drug else "10" if herb else pick(["01", "02", "07"]) if daily and r.random() < 0.97 else pick(["01", "02", "03", "04", "05", "06", "07", "08"]), chrgitm_lv=pick(["01", "02", "03"]), cnt=cnt, pric=pric,
                            det_item_fee_sumamt=f"{gross + pick([0, 0, 0, 0.05, 0.06, -0.3]):.2f}", pric_uplmt_amt=pick(["", "10", "0", "99999", "9.99", "36"]), fulamt_ownpay_amt=maybe(0.95, f"{ownpay:.2f}"), overlmt_selfpay=maybe(0.95, f"{over:.2f}"),
                            preselfpay_amt=maybe(0.95, f"{pre:.2f}"), inscp_amt=maybe(0.9, f"{scope:.2f}"), spec=maybe(0.9, pick(["0.25g×12片/盒", "5mg×28片/盒", "10ml×12支/盒", "20mg×14粒/盒"])) if drug else "", cnt_prcunt=pick(["盒", "盒", "支", ""]) if drug else "次",
                            sin_dos_dscr=pick(["0.25g", "500mg", "1片", "10mg", "10ml", "适量", ""]) if drug else "", used_frqu_dscr=pick(["qd", "bid", "tid", "qw", "prn", "q8h", "遵医嘱", ""]) if drug else "",
                            prd_days=pick(["", "", "7", "8", "14", "28", "84", "85", "60", "61", "3", "4", "0"]) if drug else "", bilg_dept_codg="A03", bilg_dr_codg=pick(["D1", ""]), acord_dept_codg=pick(["A01", "A02", ""]),
                            dscg_tkdrug_flag=pick(["1", "0", ""]) if drug else "", etip_flag=pick(["0"] * 6 + ["1", ""]), matn_fee_flag="0", init_feedetl_sn="",
                            crte_time=maybe(0.8, f"{day + dt.timedelta(days=pick([0, 2, 3, 4]))} 08:00:00"), drug_trac_codg="|".join(f"C{r.randrange(persons * 2):04d}" for _ in range(pick([0, 0, 1, 2]))) if drug else "")
                if item in by_hours:
                    at = dt.datetime.fromisoformat(f"{day} {clock.choice(HOURS)}")
                    line["fee_ocur_time"] = str(at)
                    if clock.random() < 0.5:
                        sn += 1
                        then = at + dt.timedelta(seconds=clock.choice(APART))
                        lines.append(line | dict(feedetl_sn=f"{sn:09d}", hilist_code=clock.choice(by_hours[item]), fee_ocur_time=str(then)))
                lines.append(line)
                if r.random() < 0.15:  # the same once more
                    sn += 1
                    lines.append(line | dict(feedetl_sn=f"{sn:09d}"))
                if r.random() < 0.12:  # a reversal: whole or in part, naming its line or not, or naming nothing there is
                    sn += 1
                    part = pick([1, 1, 0.5])
                    named = pick([line["feedetl_sn"], ""] if part == 1 else [line["feedetl_sn"]])
                    back = {k: f"{-round(float(line[k]) * part, 2):.2f}" if line[k] else "" for k in ("det_item_fee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_amt")}
                    lines.append(line | back | dict(feedetl_sn=f"{sn:09d}", cnt=f"{-float(cnt) * part:g}", init_feedetl_sn=named, fee_ocur_time=f"{day} 23:30:00", prd_days=""))
                elif r.random() < 0.02:
                    sn += 1
                    lines.append(line | dict(feedetl_sn=f"{sn:09d}", cnt="-9", det_item_fee_sumamt="-90", init_feedetl_sn=""))
            out["fee_detail"] += lines
            for i, setl in enumerate(setls):
                mine = [l for l in lines if l["setl_id"] == setl]
                total = lambda column: round(sum(float(l[column] or 0) for l in mine), 2)
                fee, scope = max(0.0, total("det_item_fee_sumamt") + pick([0, 0, 0, 0.02, -5])), max(0.0, total("inscp_amt"))
                if r.random() < 0.05:
                    fee = 0.0
                fund = round(scope * 0.7, 2)
                acct = pick([0.0, round(fee - fund, 2), 5.0])
                settlement = dict(setl_id=setl, mdtrt_id=mdtrt, psn_no=psn, fixmedins_code=facility, insutype=aside.choice([encounter["insutype"]] * 8 + ["510", ""]), med_type=med_type, insu_admdvs=maybe(0.4, pick(["340602", "340603", "370323"])), setl_time=f"{end + dt.timedelta(days=pick([0, 0, 1, 5]))} 16:00:00",
                                  medfee_sumamt=f"{fee:.2f}", fulamt_ownpay_amt=maybe(0.95, f"{total('fulamt_ownpay_amt'):.2f}"), overlmt_selfpay=maybe(0.95, f"{total('overlmt_selfpay'):.2f}"), preselfpay_amt=maybe(0.95, f"{total('preselfpay_amt'):.2f}"),
                                  inscp_amt=maybe(0.9, f"{scope:.2f}"), hifp_pay=maybe(0.9, f"{fund:.2f}"), hifmi_pay=maybe(0.3, "0.00"), maf_pay=maybe(0.3, "0.00"), fund_pay_sumamt=maybe(0.9, pick([f"{fund:.2f}", f"{fund:.2f}", f"{fund + 0.01:.2f}", f"{fund + 0.02:.2f}", "0"])), acct_pay=maybe(0.9, f"{acct:.2f}"),
                                  cash_payamt=maybe(0.9, f"{fee - fund - acct:.2f}"), ownpay_hosp_part=maybe(0.1, "1.00"), refd_setl_flag="0", init_setl_id="", mid_setl_flag=mid if i == 0 else "0")
                out["settlement"].append(settlement)
                if r.random() < 0.07:  # the whole settlement back
                    setl_no += 1
                    refund = f"S{setl_no - 1:07d}R"
                    money = ("medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_amt", "hifp_pay", "fund_pay_sumamt", "acct_pay", "cash_payamt")
                    out["settlement"].append(settlement | {k: f"{-float(settlement[k]):.2f}" if settlement[k] else "" for k in money} | dict(setl_id=refund, refd_setl_flag="1", init_setl_id=maybe(0.8, setl)))
                    for l in mine:
                        sn += 1
                        back = {k: f"{-float(l[k]):.2f}" if l[k] else "" for k in ("det_item_fee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_amt")}
                        out["fee_detail"].append(l | back | dict(feedetl_sn=f"{sn:09d}", setl_id=refund, cnt=f"{-float(l['cnt']):g}", init_feedetl_sn=pick(["", l["feedetl_sn"]])))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in out.items():
        if rows:
            columns = list(dict.fromkeys(c for row in rows[:200] for c in row))
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
    (folder / "knowledge").mkdir(exist_ok=True)
    with (folder / "knowledge" / "catalogue.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["code", "from", "until", "source"])
        r = random.Random(seed + 1)  # a chance of its own: the rows above stay as they were
        for code in sorted({line["hilist_code"] for line in out["fee_detail"]}):
            for _ in range(r.choice([0, 1, 1, 1, 2])):
                first, last = sorted(FIRST + dt.timedelta(days=r.randrange(DAYS)) for _ in "ab")
                writer.writerow([code[: r.choice([10, len(code), len(code)])], r.choice(["", "", first]), r.choice(["", "", last]), "made up"])
