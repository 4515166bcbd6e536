//! The dirt of real exports, laid over the rows of people without planted facts: what ingest must read through, and what it
//! must set aside.
//!
//! Goes in: the tidy rows of one person, a stream of chance. Comes out: the same rows, soiled, and how many of which defect.
//! No defect makes or unmakes a violation: a row that ends in quarantine is a failed upload of a line that was uploaded again
//! under another number, so that what remains of a settlement adds up; and nobody soiled carries a plant. Every form of an export gets the same soiled rows.
//!
//! Not known here: file formats, rules. To add a defect: a name in [`DEFECTS`], a branch in [`soil`].

use super::calendar::{civil, day_number};
use super::random::Random;
use super::rows::{Row, Rows};
use crate::model::Table;

/// The defects, in the order of the counts; the last five end in quarantine or are dropped.
pub const DEFECTS: [&str; 11] = [
    "lost-leading-zero",
    "free-text-diagnosis",
    "thousands-separator",
    "full-width-digits",
    "date-forms",
    "impossible-birth-date",
    "exact-duplicate",
    "conflicting-duplicate",
    "unreadable-date",
    "unreadable-amount",
    "ruined-identifier",
];

/// Times in a hundred thousand that a person gets the defect.
const SHARES: [u64; 11] = [15_000, 30_000, 10_000, 3_000, 15_000, 100, 2_000, 200, 300, 300, 200];

/// What the number of a failed upload begins with.
const FAILED: &str = "8";

/// How many rows have which defect.
pub type Counts = [u64; DEFECTS.len()];

/// Soils the rows of one person; `turn` counts the people without plants, the first of whom get one defect each, so that
/// even a small export has them all.
pub fn soil(rows: &mut Rows, chance: &mut Random, turn: u64, counts: &mut Counts) {
    for (defect, share) in SHARES.into_iter().enumerate() {
        let in_turn = turn < 44 && turn % DEFECTS.len() as u64 == defect as u64;
        if chance.chance(share) || in_turn {
            counts[defect] += match defect {
                0 => lost_zeros(rows),
                1 => free_text(rows, chance),
                2 => thousands(rows),
                3 => full_width(rows, chance),
                4 => date_forms(rows, chance),
                5 => impossible_birth(rows, chance),
                6 => duplicate(rows, chance, false),
                7 => duplicate(rows, chance, true),
                8 => spoil(rows, chance, "fee_ocur_time", &["2026-13-45 25:61:00", "不详", "####"]),
                9 => spoil(rows, chance, "det_item_fee_sumamt", &["#REF!", "--", "壹拾元"]),
                _ => ruined(rows, chance),
            };
        }
    }
}

fn column(table: Table, name: &str) -> usize {
    table.position(name).unwrap_or(0)
}

fn cells<'a>(rows: &'a mut Rows, table: Table, name: &str) -> impl Iterator<Item = &'a mut String> {
    let at = column(table, name);
    rows.tables[table as usize].iter_mut().map(move |row| &mut row[at])
}

/// `02` becomes `2`.
fn lost_zeros(rows: &mut Rows) -> u64 {
    let mut count = 0;
    for table in [Table::Encounter, Table::Settlement] {
        for cell in cells(rows, table, "hosp_lv").filter(|cell| cell.starts_with('0')) {
            cell.remove(0);
            count += 1;
        }
    }
    count
}

/// What a doctor types stands where the code should.
fn free_text(rows: &mut Rows, chance: &mut Random) -> u64 {
    let mut count = 0;
    let (id, code, name) = (
        column(Table::Diagnosis, "mdtrt_id"),
        column(Table::Diagnosis, "diag_code"),
        column(Table::Diagnosis, "diag_name"),
    );
    let (kind, main, main_name) = (
        column(Table::Encounter, "med_type"),
        column(Table::Encounter, "dscg_maindiag_code"),
        column(Table::Encounter, "dscg_maindiag_name"),
    );
    let [_, encounters, _, diagnoses, ..] = &mut rows.tables;
    for visit in encounters.iter_mut().filter(|visit| matches!(visit[kind].as_str(), "11" | "13" | "16")) {
        let visit_id = visit[0].clone();
        for diagnosis in diagnoses.iter_mut().filter(|diagnosis| diagnosis[id] == visit_id) {
            let words =
                super::catalogue::ACUTE.iter().find(|d| d.code == diagnosis[code]).map_or("待查", |d| d.words);
            let words = format!("{words}{}", chance.pick(&["", "?", " 复查", "，待查"]));
            diagnosis[code].clone_from(&words);
            diagnosis[name].clone_from(&words);
            visit[main].clear();
            visit[main_name] = words;
            count += 1;
        }
    }
    count
}

/// `1234.50` becomes `1,234.50`.
fn thousands(rows: &mut Rows) -> u64 {
    let mut count = 0;
    for (table, name) in [
        (Table::Settlement, "medfee_sumamt"),
        (Table::Settlement, "inscp_amt"),
        (Table::Settlement, "hifp_pay"),
        (Table::FeeDetail, "det_item_fee_sumamt"),
    ] {
        for cell in cells(rows, table, name) {
            let digits = cell.find('.').unwrap_or(0);
            let sign = usize::from(cell.starts_with('-'));
            if digits - sign > 3 {
                cell.insert(digits - 3, ',');
                count += 1;
            }
        }
    }
    count
}

/// The digits of one line's amounts as an input method for Chinese writes them.
fn full_width(rows: &mut Rows, chance: &mut Random) -> u64 {
    let Some(line) = quiet_line(rows, chance) else { return 0 };
    for name in ["cnt", "pric", "det_item_fee_sumamt"] {
        let cell = &mut rows.tables[Table::FeeDetail as usize][line][column(Table::FeeDetail, name)];
        *cell = cell.chars().map(wide).collect();
    }
    1
}

fn wide(digit: char) -> char {
    match digit {
        '0'..='9' => char::from_u32('０' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
        '.' => '．',
        other => other,
    }
}

/// One person's dates in another form, a form a column. A line loses its time of day only where no refund needs it.
fn date_forms(rows: &mut Rows, chance: &mut Random) -> u64 {
    let mut count = 0;
    for (table, name) in [
        (Table::Settlement, "begndate"),
        (Table::Settlement, "enddate"),
        (Table::Encounter, "brdy"),
        (Table::Person, "psn_insu_date"),
    ] {
        let form = chance.below(3);
        for cell in cells(rows, table, name) {
            *cell = day_as(cell, form);
            count += 1;
        }
    }
    let (form, quiet) = (chance.below(3), quiet_encounters(rows));
    let at = column(Table::FeeDetail, "fee_ocur_time");
    let Rows { tables, belongs } = rows;
    for (line, (encounter, _)) in tables[Table::FeeDetail as usize].iter_mut().zip(belongs) {
        if quiet[*encounter] {
            line[at] = day_as(&line[at], form);
            count += 1;
        }
    }
    count
}

/// `2026/1/5`, `20260105` or a spreadsheet's day number.
fn day_as(iso: &str, form: u64) -> String {
    let part = |range: std::ops::Range<usize>| iso.get(range).and_then(|digits| digits.parse::<i64>().ok());
    let (Some(year), Some(month), Some(day)) = (part(0..4), part(5..7), part(8..10)) else { return iso.to_owned() };
    match form {
        0 => format!("{year}/{month}/{day}"),
        1 => format!("{year:04}{month:02}{day:02}"),
        _ => (day_number(year, month, day) - day_number(1899, 12, 30)).to_string(),
    }
}

/// Born eight centuries ago: an age of 850.
fn impossible_birth(rows: &mut Rows, chance: &mut Random) -> u64 {
    let (_, month, day) = civil(chance.between(0, 3000));
    let born = format!("1176-{month:02}-{day:02}");
    let mut count = 0;
    for table in [Table::Person, Table::Encounter] {
        for cell in cells(rows, table, "brdy") {
            cell.clone_from(&born);
            count += 1;
        }
    }
    count
}

/// Encounters in which nothing is taken back and more than two lines stand.
fn quiet_encounters(rows: &Rows) -> Vec<bool> {
    let cnt = column(Table::FeeDetail, "cnt");
    let mut lines = vec![(0, true); rows.of(Table::Encounter).len()];
    for (line, &(encounter, _)) in rows.of(Table::FeeDetail).iter().zip(&rows.belongs) {
        lines[encounter].0 += 1;
        lines[encounter].1 &= !line[cnt].starts_with('-');
    }
    lines.into_iter().map(|(count, quiet)| quiet && count > 2).collect()
}

/// A line of such an encounter that is neither a bed nor already soiled.
fn quiet_line(rows: &Rows, chance: &mut Random) -> Option<usize> {
    let quiet = quiet_encounters(rows);
    let (charge, amount, number) = (
        column(Table::FeeDetail, "med_chrgitm_type"),
        column(Table::FeeDetail, "det_item_fee_sumamt"),
        column(Table::FeeDetail, "feedetl_sn"),
    );
    let may: Vec<usize> = rows
        .of(Table::FeeDetail)
        .iter()
        .zip(&rows.belongs)
        .enumerate()
        .filter(|(_, (line, (encounter, _)))| {
            quiet[*encounter]
                && matches!(line[charge].as_str(), "03" | "04" | "05")
                && line[amount].parse::<f64>().is_ok()
                && !line[number].starts_with(FAILED)
        })
        .map(|(at, _)| at)
        .collect();
    (!may.is_empty()).then(|| *chance.pick(&may))
}

/// The same row twice, or a failed upload twice with two amounts.
fn duplicate(rows: &mut Rows, chance: &mut Random, conflicting: bool) -> u64 {
    let Some(line) = quiet_line(rows, chance) else { return 0 };
    if conflicting {
        let failed = failed_upload(rows, line);
        push(rows, line, failed.clone());
        let mut again = failed;
        for name in ["det_item_fee_sumamt", "inscp_amt"] {
            again[column(Table::FeeDetail, name)].insert(0, '9');
        }
        push(rows, line, again);
    } else {
        let again = rows.of(Table::FeeDetail)[line].clone();
        push(rows, line, again);
    }
    1
}

/// The row that did not come through the first time; the line itself was uploaded anew.
fn failed_upload(rows: &Rows, line: usize) -> Row {
    let mut failed = rows.of(Table::FeeDetail)[line].clone();
    failed[column(Table::FeeDetail, "feedetl_sn")].replace_range(..1, FAILED);
    failed
}

fn push(rows: &mut Rows, line: usize, row: Row) {
    let belongs = rows.belongs[line];
    rows.tables[Table::FeeDetail as usize].push(row);
    rows.belongs.push(belongs);
}

/// One cell that nobody can read.
fn spoil(rows: &mut Rows, chance: &mut Random, name: &str, texts: &[&str]) -> u64 {
    let Some(line) = quiet_line(rows, chance) else { return 0 };
    let mut failed = failed_upload(rows, line);
    (*chance.pick(texts)).clone_into(&mut failed[column(Table::FeeDetail, name)]);
    push(rows, line, failed);
    1
}

/// A number that a spreadsheet kept six digits of.
fn ruined(rows: &mut Rows, chance: &mut Random) -> u64 {
    let Some(line) = quiet_line(rows, chance) else { return 0 };
    let mut failed = failed_upload(rows, line);
    let cell = &mut failed[column(Table::FeeDetail, "feedetl_sn")];
    let exponent = cell.len() - 1;
    *cell = format!("{}.{}E+{exponent}", &cell[..1], &cell[1..6]);
    push(rows, line, failed);
    1
}
