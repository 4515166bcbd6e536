//! Pending claims as NDJSON: a JSON object a line becomes rows of an export, and an export is what ingest reads.
//!
//! ```text
//! {"table": "setl_d", "setl_id": "S1", "mdtrt_id": "M1", …}                                      a row
//! {"settlement": {…}, "encounter": {…}, "person": {…}, "diagnoses": [{…}], "lines": [{…}, …]}    a claim
//! {"claims": [{"settlement": …}, …]}                                                             several
//! ```
//! Tables are called as files of them may be called; columns as the platform or its second names call them. In a claim a row
//! that does not say whose it is takes that over from settlement and encounter. Goes in: a file. Comes out: a CSV a table, in a
//! folder. Deliberately unknown here: what makes a row good; ingest sets aside what is not, with a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::Error;
use crate::model::Table;

/// No line is longer.
const LONGEST: u64 = 16 << 20;

/// Names of many rows of a table, beside those of its files.
const MANY: [(&str, Table); 8] = [
    ("lines", Table::FeeDetail),
    ("diagnoses", Table::Diagnosis),
    ("operations", Table::Operation),
    ("settlements", Table::Settlement),
    ("encounters", Table::Encounter),
    ("identities", Table::Identity),
    ("presences", Table::Presence),
    ("special_cases", Table::SpecialCase),
];

/// What rows of a claim take over from settlement and encounter, in this order.
const WHOSE: [&str; 4] = ["setl_id", "mdtrt_id", "psn_no", "fixmedins_code"];

/// Whether a file is of this form, by its name.
#[must_use]
pub(super) fn is_ndjson(path: &Path) -> bool {
    let kind = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    matches!(kind.as_deref(), Some("ndjson" | "jsonl"))
}

type Row = BTreeMap<&'static str, String>;

/// Writes the rows of a file into a folder, `<table>.csv` each. Comes back: these files.
///
/// # Errors
/// A line that is no such object, with its number; the disk.
pub(super) fn spread(file: &Path, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    // First which columns there are, then the rows: a file may be large.
    let mut columns: BTreeMap<Table, BTreeSet<&'static str>> = BTreeMap::new();
    each_row(file, |table, row| {
        columns.entry(table).or_default().extend(row.keys());
        Ok(())
    })?;
    let disk = |source| Error::Disk { doing: format!("write into `{}`", folder.display()), source };
    std::fs::create_dir_all(folder).map_err(disk)?;
    let written = |e: csv::Error| disk(std::io::Error::other(e));
    let mut files = Vec::new();
    let mut writers = BTreeMap::new();
    for (table, names) in &columns {
        let path = folder.join(format!("{}.csv", table.name()));
        let mut writer = csv::Writer::from_writer(BufWriter::new(File::create(&path).map_err(disk)?));
        writer.write_record(names).map_err(written)?;
        files.push(path);
        writers.insert(*table, writer);
    }
    each_row(file, |table, row| {
        let (Some(writer), Some(names)) = (writers.get_mut(&table), columns.get(&table)) else { return Ok(()) };
        writer.write_record(names.iter().map(|name| row.get(name).map_or("", String::as_str))).map_err(written)
    })?;
    for writer in writers.into_values() {
        let mut file = writer.into_inner().map_err(|e| disk(e.into_error()))?;
        file.flush().map_err(disk)?;
    }
    Ok(files)
}

/// Hands over every row of a file.
fn each_row(path: &Path, mut take: impl FnMut(Table, Row) -> Result<(), Error>) -> Result<(), Error> {
    let unreadable = |e: std::io::Error| Error::Disk {
        doing: format!("read the pending claims in `{}`", path.display()),
        source: e,
    };
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let read = lines.by_ref().take(LONGEST + 1).read_until(b'\n', &mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        let wrong = |what: &str| Error::Usage(format!("`{}` line {number}: {what}", path.display()));
        if read as u64 > LONGEST {
            return Err(wrong("longer than 16 MiB, wanted one claim or one row a line"));
        }
        let text = std::str::from_utf8(&line).map_err(|_| wrong("not UTF-8; save the file as UTF-8 and try again"))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        let value: Value = serde_json::from_str(text).map_err(|e| wrong(&format!("no JSON: {e}")))?;
        let Value::Object(object) = value else { return Err(wrong("no JSON object")) };
        for (table, row) in rows_of(&object).map_err(|what| wrong(&what))? {
            take(table, row)?;
        }
    }
    Ok(())
}

/// The rows of a line.
fn rows_of(object: &Map<String, Value>) -> Result<Vec<(Table, Row)>, String> {
    if let Some(named) = object.get("table") {
        let name = named.as_str().unwrap_or_default();
        let table =
            table_of(name).ok_or_else(|| format!("`table` is {named}, wanted such as `setl_d` or `fee_detail`"))?;
        return Ok(vec![(table, row_of(table, object))]);
    }
    if let Some(claims) = object.get("claims") {
        let claims = claims.as_array().ok_or("`claims` is no list")?;
        let mut rows = Vec::new();
        for claim in claims {
            rows.extend(rows_of_claim(claim.as_object().ok_or("a claim is no JSON object")?)?);
        }
        return Ok(rows);
    }
    rows_of_claim(object)
}

fn rows_of_claim(claim: &Map<String, Value>) -> Result<Vec<(Table, Row)>, String> {
    let mut rows = Vec::new();
    for (name, value) in claim {
        let Some(table) = table_of(name) else { continue };
        let items = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
        for item in items.into_iter().filter(|item| !item.is_null()) {
            let item = item.as_object().ok_or_else(|| format!("`{name}` is no JSON object, nor a list of them"))?;
            rows.push((table, row_of(table, item)));
        }
    }
    if rows.is_empty() {
        return Err("neither a row (`table`) nor a claim (`settlement`, `encounter`, `lines` …)".to_owned());
    }
    let mut known: BTreeMap<&'static str, String> = BTreeMap::new();
    for from in [Table::Settlement, Table::Encounter, Table::Person] {
        for (_, row) in rows.iter().filter(|(table, _)| *table == from) {
            for name in WHOSE {
                if let Some(id) = row.get(name) {
                    known.entry(name).or_insert_with(|| id.clone());
                }
            }
        }
    }
    for (table, row) in rows.iter_mut().filter(|(table, _)| *table != Table::Facility) {
        for name in WHOSE.into_iter().filter(|name| table.position(name).is_some()) {
            if let (None, Some(id)) = (row.get(name), known.get(name)) {
                row.insert(name, id.clone());
            }
        }
    }
    Ok(rows)
}

fn table_of(name: &str) -> Option<Table> {
    let name = name.to_lowercase();
    let many = MANY.iter().find(|(many, _)| *many == name).map(|(_, table)| *table);
    many.or_else(|| Table::ALL.into_iter().find(|table| table.file_names().contains(&name.as_str())))
}

/// The cells of an object that are columns of a table.
fn row_of(table: Table, object: &Map<String, Value>) -> Row {
    let column = |name: &str| {
        let known = table.columns().iter().find(|c| c.name == name || c.aliases.contains(&name));
        known.map(|column| column.name)
    };
    let cell = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        // As it was written: a number keeps its digits.
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    object.iter().filter_map(|(name, value)| Some((column(name)?, cell(value)?))).collect()
}
