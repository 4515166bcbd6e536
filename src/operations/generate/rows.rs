//! A life as rows of text: one row a settlement, an encounter, a line, in the columns of `model::tables`.
//!
//! Goes in: a [`Life`]. Comes out: [`Rows`], every cell the tidy text an honest export would have, an empty cell for what is
//! unknown. How much of a settlement the fund pays is decided here, so that the identities of a settlement hold to the cent.
//! Not known here: the dirt of exports, file formats, rules.
//!
//! To add a column: its name and text in the row of its table, in the table's order.

use super::calendar::{DAY, day_text, time_text};
use super::catalogue::{Facility, REGION};
use super::life::{Encounter, Life, Line, ONE, Prescription, Settlement, Slip, Supply, TakesBack, doctor_code, share};
use crate::model::Table;

/// One row: a text a column, empty for null.
pub type Row = Vec<String>;

/// The rows of one person, by table in the order of [`Table::ALL`].
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Rows of each table.
    pub tables: [Vec<Row>; 10],
    /// For each row of `fee_detail`: which row of `encounter` and of `settlement` it belongs to.
    pub belongs: Vec<(usize, Option<usize>)>,
}

impl Rows {
    /// The rows of a table.
    #[must_use]
    pub fn of(&self, table: Table) -> &[Row] {
        &self.tables[table as usize]
    }

    fn push(&mut self, table: Table, cells: &[(&str, String)]) {
        self.tables[table as usize].push(row(table, cells));
    }
}

/// Lays named cells into the columns of a table. They must come in the table's order; one that does not is left out, which
/// the test of the generator would see.
fn row(table: Table, cells: &[(&str, String)]) -> Row {
    let mut row = vec![String::new(); table.columns().len()];
    let mut named = cells.iter().peekable();
    for (column, cell) in table.columns().iter().zip(&mut row) {
        if let Some((_, text)) = named.next_if(|(name, _)| *name == column.name) {
            cell.clone_from(text);
        }
    }
    debug_assert!(named.next().is_none(), "cells of `{}` are out of order", table.name());
    row
}

/// A whole number of the smallest unit with `scale` digits after the point.
#[must_use]
pub fn decimal(number: i64, scale: usize) -> String {
    let unit = 10_u64.pow(u32::try_from(scale).unwrap_or(0));
    let (sign, number) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
    format!("{sign}{}.{:0scale$}", number / unit, number % unit)
}

fn yuan(cents: i64) -> String {
    decimal(cents, 2)
}

/// A quantity: whole numbers without a point, as hospitals write them.
fn quantity(number: i64) -> String {
    let text = decimal(number, 4);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn flag(value: bool) -> String {
    String::from(if value { "1" } else { "0" })
}

/// The facilities, once for all persons.
#[must_use]
pub fn facility_rows(facilities: &[Facility]) -> Vec<Row> {
    facilities
        .iter()
        .map(|facility| {
            row(
                Table::Facility,
                &[
                    ("fixmedins_code", facility.code.clone()),
                    ("fixmedins_name", facility.name.clone()),
                    ("fixmedins_type", facility.kind.to_owned()),
                    ("medins_type", facility.medins_type.to_owned()),
                    ("hosp_lv", text(facility.grade)),
                    ("admdvs", REGION.to_owned()),
                    ("lng", text(facility.at.map(|(lng, _)| decimal(lng, 6)))),
                    ("lat", text(facility.at.map(|(_, lat)| decimal(lat, 6)))),
                    ("bed_cnt", facility.beds.to_string()),
                    ("basic_drug_flag", flag(facility.level < 2 && facility.kind == "1")),
                ],
            )
        })
        .collect()
}

/// All rows of a life.
#[must_use]
pub fn rows(life: &Life, facilities: &[Facility]) -> Rows {
    let mut rows = Rows::default();
    person(life, &mut rows);
    for (index, visit) in life.encounters.iter().enumerate() {
        encounter(life, index, visit, &facilities[visit.facility], &mut rows);
        let first = rows.of(Table::Settlement).len();
        for (number, settlement) in visit.settlements.iter().enumerate() {
            settle(life, (index, visit), (number, settlement), &facilities[visit.facility], &mut rows);
        }
        for (number, line) in visit.lines.iter().enumerate() {
            fee(life, (index, visit), (number, line), &facilities[visit.facility], &mut rows);
            rows.belongs.push((index, line.settlement.map(|settlement| first + settlement)));
        }
    }
    rows
}

fn person(life: &Life, rows: &mut Rows) {
    let age = (life.first_day - life.born) / 365;
    rows.push(
        Table::Person,
        &[
            ("psn_no", life.psn_no()),
            ("psn_name", format!("示例{:06}", life.number + 1)),
            ("gend", life.gend.to_string()),
            ("brdy", day_text(life.born)),
            ("psn_type", kind_of_person(life, age).to_owned()),
            ("insutype", life.insutype.to_owned()),
            ("insu_admdvs", REGION.to_owned()),
            ("psn_insu_stas", String::from("1")),
            ("psn_insu_date", day_text(life.insured)),
            ("paus_insu_date", text(life.paused.map(day_text))),
            ("die_date", text(life.died.map(day_text))),
        ],
    );
    if let Some(hardship) = life.hardship {
        rows.push(
            Table::Identity,
            &[
                ("psn_no", life.psn_no()),
                ("psn_idet_type", hardship.to_owned()),
                ("begntime", time_text((life.first_day - 800) * DAY)),
            ],
        );
    }
}

fn kind_of_person(life: &Life, age: i64) -> &'static str {
    match (life.insutype, age) {
        ("310", ..60) => "11",
        ("310", _) => "12",
        (_, ..18) => "14",
        (_, 18..60) => "15",
        _ => "16",
    }
}

fn encounter(life: &Life, index: usize, visit: &Encounter, facility: &Facility, rows: &mut Rows) {
    let id = life.mdtrt_id(index);
    let stays = matches!(visit.med_type, "21" | "2105" | "24" | "52" | "28" | "71");
    let disease = visit.diseases.first();
    let department = visit.department.unwrap_or(if stays { "A03" } else { "" });
    rows.push(
        Table::Encounter,
        &[
            ("mdtrt_id", id.clone()),
            ("psn_no", life.psn_no()),
            ("fixmedins_code", facility.code.clone()),
            ("med_type", visit.med_type.to_owned()),
            ("insutype", life.insutype.to_owned()),
            ("insu_admdvs", REGION.to_owned()),
            ("gend", text(visit.gend)),
            ("brdy", day_text(life.born)),
            ("hosp_lv", text(facility.grade.filter(|_| visit.has_grade))),
            ("begntime", time_text(visit.begin)),
            ("endtime", text(visit.end.map(time_text))),
            ("ipt_otp_no", format!("{}{:07}", if stays { "Z" } else { "M" }, life.number % 10_000_000)),
            ("adm_dept_codg", department.to_owned()),
            ("dscg_dept_codg", if visit.changed_department { "A04".to_owned() } else { department.to_owned() }),
            ("traf_dept_flag", flag(visit.changed_department)),
            ("dscg_maindiag_code", text(disease.map(|disease| disease.code))),
            ("dscg_maindiag_name", text(disease.map(|disease| disease.name))),
            ("dscg_way", text(visit.leaving)),
            ("inhosp_stas", if stays { flag(visit.end.is_none()) } else { String::new() }),
            ("die_date", text(visit.died.map(day_text))),
            ("matn_type", text(visit.maternity)),
            ("dise_no", text(visit.dise_no)),
            ("ars_year_ipt_flag", if stays { flag(visit.across_years) } else { String::new() }),
            ("mdtrt_cert_type", String::from("02")),
            ("maf_psn_flag", flag(life.hardship.is_some())),
        ],
    );
    for (order, disease) in visit.diseases.iter().enumerate() {
        rows.push(
            Table::Diagnosis,
            &[
                ("mdtrt_id", id.clone()),
                ("diag_code", disease.code.to_owned()),
                ("diag_name", disease.name.to_owned()),
                ("diag_type", String::from("1")),
                ("maindiag_flag", flag(order == 0)),
                ("diag_srt_no", (order + 1).to_string()),
                ("inout_diag_type", String::from(if stays { "2" } else { "" })),
                ("diag_time", time_text(visit.begin)),
            ],
        );
    }
    if let Some((code, name)) = visit.operation {
        rows.push(
            Table::Operation,
            &[
                ("mdtrt_id", id.clone()),
                ("oprn_oprt_code", code.to_owned()),
                ("oprn_oprt_name", name.to_owned()),
                ("main_oprn_flag", flag(true)),
                ("oprn_oprt_date", day_text(visit.begin.div_euclid(DAY))),
                ("oper_dr_code", doctor_code(facility, 1)),
            ],
        );
    }
    let checks = visit.bed_checks.iter().map(|time| (time, true));
    for (number, (check, in_bed)) in checks.chain(visit.absences.iter().map(|time| (time, false))).enumerate() {
        rows.push(
            Table::Presence,
            &[
                ("mdtrt_id", id.clone()),
                ("check_time", time_text(*check)),
                ("check_way", String::from("人脸识别")),
                ("on_bed_flag", flag(in_bed)),
                ("evidence_no", format!("E{id}{number:02}")),
            ],
        );
    }
    if let Some(reason) = visit.special_case {
        rows.push(
            Table::SpecialCase,
            &[
                ("mdtrt_id", id),
                ("reason", reason.to_owned()),
                ("registered_by", String::from("医保办")),
                ("registered_time", time_text(visit.begin + 7200)),
            ],
        );
    }
}

/// What the fund, the account and the person pay of a settlement, in cents.
struct Paid {
    deductible: i64,
    pool: i64,
    serious: i64,
    aid: i64,
    account: i64,
}

fn paid(life: &Life, visit: &Encounter, inscp: i64) -> Paid {
    let stays = matches!(visit.med_type, "21" | "2105" | "24" | "52" | "28");
    let employee = life.insutype == "310";
    let deductible = if stays { inscp.min(50_000) } else { 0 };
    let percent = match (visit.med_type, employee) {
        ("41", true) => 0,
        ("41", false) => 50,
        (kind, _) if kind.starts_with("14") || kind.starts_with("99") => 75,
        (_, true) if stays => 85,
        (_, false) if stays => 70,
        (_, true) => 60,
        (_, false) => 50,
    };
    let pool = share(inscp - deductible, percent, 100);
    let serious = if !employee && inscp > 1_500_000 { share(inscp - 1_500_000, 10, 100) } else { 0 };
    let left = inscp - pool - serious;
    let aid = if life.hardship.is_some() && stays { share(left, 50, 100) } else { 0 };
    let account = if employee { share(left - aid, 80, 100) } else { 0 };
    Paid { deductible, pool, serious, aid, account }
}

/// What the funds pay of a settlement, in cents.
#[must_use]
pub fn fund_paid(life: &Life, encounter: usize, settlement: usize) -> i64 {
    let paid = paid(life, &life.encounters[encounter], life.settled_inscp(encounter, settlement));
    paid.pool + paid.serious + paid.aid
}

fn settle(
    life: &Life,
    (index, visit): (usize, &Encounter),
    (number, settlement): (usize, &Settlement),
    facility: &Facility,
    rows: &mut Rows,
) {
    let lines: Vec<&Line> = visit.lines.iter().filter(|line| line.settlement == Some(number)).collect();
    let sum = |part: fn(&Line) -> i64| lines.iter().map(|line| part(line)).sum::<i64>();
    let (fee, own) = (sum(|l| l.amount) + settlement.unlisted, sum(|l| l.own) + settlement.unlisted);
    let (over, first) = (sum(|l| l.over), sum(|l| l.first));
    let inscp = fee - own - over - first;
    let sign = if settlement.refunds.is_some() { -1 } else { 1 };
    let paid = paid(life, visit, inscp * sign);
    let (pool, serious, aid, account) = (paid.pool * sign, paid.serious * sign, paid.aid * sign, paid.account * sign);
    let (in_scope, fund, slipped) = match settlement.slip {
        Some(Slip::Scope(cents)) => (inscp + cents, pool + serious + aid, 0),
        Some(Slip::Fund(cents)) => (inscp, pool + serious + aid + cents, 0),
        Some(Slip::Cash(cents)) => (inscp, pool + serious + aid, cents),
        None => (inscp, pool + serious + aid, 0),
    };
    rows.push(
        Table::Settlement,
        &[
            ("setl_id", life.setl_id(index, number)),
            ("mdtrt_id", life.mdtrt_id(index)),
            ("psn_no", life.psn_no()),
            ("fixmedins_code", facility.code.clone()),
            ("insutype", life.insutype.to_owned()),
            ("med_type", visit.med_type.to_owned()),
            ("psn_type", kind_of_person(life, (life.first_day - life.born) / 365).to_owned()),
            ("insu_admdvs", REGION.to_owned()),
            ("hosp_lv", text(facility.grade.filter(|_| visit.has_grade))),
            ("begndate", day_text(visit.begin.div_euclid(DAY))),
            ("enddate", day_text(visit.end.unwrap_or(settlement.time).div_euclid(DAY))),
            ("setl_time", time_text(settlement.time)),
            ("medfee_sumamt", yuan(fee)),
            ("fulamt_ownpay_amt", yuan(own)),
            ("overlmt_selfpay", yuan(over)),
            ("preselfpay_amt", yuan(first)),
            ("inscp_amt", yuan(in_scope)),
            ("act_pay_dedc", yuan(paid.deductible * sign)),
            ("hifp_pay", yuan(pool)),
            ("cvlserv_pay", yuan(0)),
            ("hifes_pay", yuan(0)),
            ("hifmi_pay", yuan(serious)),
            ("hifob_pay", yuan(0)),
            ("maf_pay", yuan(aid)),
            ("oth_pay", yuan(0)),
            ("fund_pay_sumamt", yuan(fund)),
            ("psn_pay", yuan(fee - fund)),
            ("acct_pay", yuan(account)),
            ("cash_payamt", yuan(fee - fund - account + slipped)),
            ("refd_setl_flag", flag(settlement.refunds.is_some())),
            ("init_setl_id", text(settlement.refunds.map(|refunded| life.setl_id(index, refunded)))),
            ("mid_setl_flag", flag(settlement.midway)),
            ("dise_no", text(visit.dise_no)),
            ("year", day_text(settlement.time.div_euclid(DAY))[..4].to_owned()),
            ("crte_time", time_text(settlement.time + 60)),
        ],
    );
}

fn fee(
    life: &Life,
    (index, visit): (usize, &Encounter),
    (number, fee): (usize, &Line),
    facility: &Facility,
    rows: &mut Rows,
) {
    let item = fee.item;
    let pack = item.pack;
    let says = pack.filter(|pack| fee.supply == Supply::Texts || pack.days == 0);
    let days = match fee.supply {
        Supply::Days(days) if fee.cnt > 0 => quantity(days),
        _ => String::new(),
    };
    let named = match fee.takes_back {
        TakesBack::Named(original) => life.feedetl_sn(index, original),
        TakesBack::Nothing | TakesBack::Unnamed => String::new(),
    };
    let prescribed = matches!(item.list_type, "101" | "102") && !matches!(visit.med_type, "41");
    let (prescription, batch) = match fee.prescription {
        Prescription::Numbered if prescribed => {
            let of_day = fee.time.div_euclid(DAY).rem_euclid(1000) * 1000;
            (format!("R{}", of_day + number.cast_signed() as i64 / 5), String::new())
        }
        Prescription::Number(number) => (format!("RX{number}"), String::new()),
        Prescription::Batch(number) => (String::new(), format!("B{number}")),
        Prescription::Numbered | Prescription::Nameless => (String::new(), String::new()),
    };
    rows.push(
        Table::FeeDetail,
        &[
            ("feedetl_sn", life.feedetl_sn(index, number)),
            ("mdtrt_id", life.mdtrt_id(index)),
            ("setl_id", text(fee.settlement.map(|settlement| life.setl_id(index, settlement)))),
            ("psn_no", life.psn_no()),
            ("fixmedins_code", facility.code.clone()),
            ("med_type", visit.med_type.to_owned()),
            ("fee_ocur_time", time_text(fee.time)),
            ("rx_drord_no", prescription),
            ("chrg_bchno", batch),
            ("hilist_code", item.code.to_owned()),
            ("hilist_name", item.name.to_owned()),
            ("list_type", item.list_type.to_owned()),
            ("med_chrgitm_type", item.charge.to_owned()),
            ("chrgitm_lv", item.level.to_owned()),
            ("cnt", quantity(fee.cnt)),
            ("pric", yuan(fee.pric)),
            ("det_item_fee_sumamt", yuan(fee.amount)),
            ("pric_uplmt_amt", text(fee.limit.map(yuan))),
            (
                "selfpay_prop",
                String::from(if item.level == "03" {
                    "1"
                } else if item.level == "02" {
                    "0.1"
                } else {
                    "0"
                }),
            ),
            ("fulamt_ownpay_amt", yuan(fee.own)),
            ("overlmt_selfpay", yuan(fee.over)),
            ("preselfpay_amt", yuan(fee.first)),
            ("inscp_amt", yuan(fee.inscp())),
            ("spec", text(pack.map(|pack| pack.spec))),
            ("cnt_prcunt", pack.map_or(if item.list_type == "301" { "个" } else { "次" }, |pack| pack.unit).to_owned()),
            ("dosform_name", text(pack.map(|pack| pack.form))),
            ("sin_dos_dscr", text(says.map(|pack| pack.dose))),
            ("used_frqu_dscr", text(says.map(|pack| pack.frequency))),
            ("prd_days", days),
            ("bilg_dept_codg", if visit.med_type == "41" { String::new() } else { String::from("A03") }),
            ("bilg_dr_codg", text(fee.doctor.map(|doctor| doctor_code(facility, doctor)))),
            ("acord_dept_codg", text(fee.department)),
            ("dscg_tkdrug_flag", if item.list_type == "101" { flag(fee.take_home) } else { String::new() }),
            ("etip_flag", flag(fee.etip)),
            ("init_feedetl_sn", named),
            ("crte_time", time_text(fee.time + fee.uploaded)),
            ("drug_trac_codg", trace(life, (index, visit), (number, fee))),
        ],
    );
}

/// The trace code of a pack: its own, and only where a single pack is sold over a counter that scans them.
fn trace(life: &Life, (index, visit): (usize, &Encounter), (number, fee): (usize, &Line)) -> String {
    if let Some(code) = &fee.trace {
        return code.clone();
    }
    let scanned = matches!(visit.med_type, "41" | "9929") && fee.item.list_type == "101" && fee.cnt == ONE;
    if scanned { format!("81{}", &life.feedetl_sn(index, number)[1..]) } else { String::new() }
}
