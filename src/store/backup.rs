//! Backups: everything that is kept, in one file that either database takes, and the check of a store against itself.
//!
//! Goes in: a store, or such a file. Comes out: the file, what is wrong, a store filled anew. A backup is a snapshot of one
//! moment, made while others work; it is JSON, a row a line under the columns' names, compressed (LZ4), with the number of rows
//! and a SHA-256 of all lines at its end, so that a torn or a changed file is told from a whole one. It is also the way from
//! SQLite to PostgreSQL. It holds whole person numbers: keep it as you keep the store.
//!
//! A store is filled only while it is empty: nothing is ever written over. Deliberately unknown here: schedules, where
//! backups lie.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::database::{Arg, Cell, GROUP, Session, There};
use super::finding;
use super::sql::Sql;
use super::{Error, Store, schema};
use crate::aside::Aside;

/// The form of the file.
const FORM: u64 = 1;

/// Rows by table.
pub type Rows = BTreeMap<String, u64>;

/// Writes a backup: made aside, on the disk, then moved into its place. A file that is there already is not written over.
///
/// # Errors
/// A file that is there; the database or the disk, and then nothing is left behind.
pub fn write(store: &dyn Store, file: &Path, made_at: &str) -> Result<Rows, Error> {
    let disk = |source| Error::Disk { doing: format!("write the backup `{}`", file.display()), source };
    if file.exists() {
        return Err(Error::Refused(format!("`{}` is there already: a backup writes over nothing", file.display())));
    }
    let Some(name) = file.file_name() else {
        return Err(Error::Refused(format!("`{}` names no file", file.display())));
    };
    let aside = Aside::within(file.parent().unwrap_or(Path::new(""))).map_err(disk)?;
    let open = private(&aside.path().join(name)).map_err(disk)?;
    let mut packed = lz4_flex::frame::FrameEncoder::new(BufWriter::with_capacity(1 << 16, &open));
    let rows = store.dump(&mut packed, made_at)?;
    let mut unpacked = packed.finish().map_err(|error| disk(io::Error::other(error)))?;
    unpacked.flush().map_err(disk)?;
    drop(unpacked);
    open.sync_all().map_err(disk)?;
    aside.publish().map_err(|(_, source)| disk(source))?;
    Ok(rows)
}

/// Reads a backup to its end and holds it against its own sums.
///
/// # Errors
/// What is wrong with it.
pub fn verify(file: &Path) -> Result<Rows, Error> {
    let mut from = unpacked(file)?;
    read(&mut from, &mut |_, _| Ok(())).map_err(|error| named(error, file))
}

/// Fills an empty store from a backup, all of it or nothing.
///
/// # Errors
/// A store that is not empty; what is wrong with the file; the database.
pub fn restore(file: &Path, store: &dyn Store) -> Result<Rows, Error> {
    let mut from = unpacked(file)?;
    store.fill(&mut from).map_err(|error| named(error, file))
}

/// A new file for its owner alone.
fn private(path: &Path) -> io::Result<File> {
    let mut how = File::options();
    how.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        how.mode(0o600);
    }
    how.open(path)
}

fn unpacked(file: &Path) -> Result<impl Read, Error> {
    let open = File::open(file)
        .map_err(|source| Error::Disk { doing: format!("read the backup `{}`", file.display()), source })?;
    Ok(lz4_flex::frame::FrameDecoder::new(BufReader::new(open)))
}

fn named(error: Error, file: &Path) -> Error {
    match error {
        Error::Damaged { what, said } if what == BACKUP => {
            Error::Damaged { what: format!("the backup `{}`", file.display()), said }
        }
        other => other,
    }
}

const BACKUP: &str = "the backup";

fn damaged(said: impl Into<String>) -> Error {
    Error::Damaged { what: BACKUP.to_owned(), said: said.into() }
}

impl Sql {
    pub(super) fn dump_all(&self, to: &mut dyn Write, made_at: &str) -> Result<Rows, Error> {
        let mut session = self.database.read("back the store up")?;
        let mut out = Out { to, hash: Sha256::new() };
        out.line(&json!({ "fundaudit_backup": FORM, "schema": schema::TODAY, "made_at": made_at }).to_string())?;
        let mut counts = Rows::new();
        for table in &schema::TABLES {
            out.line(&json!({ "table": table.name, "columns": table.columns }).to_string())?;
            let sql =
                format!("select {} from {} order by {}", table.columns.join(","), table.name, table.key.join(","));
            let mut rows = 0;
            session.each(&sql, &[], &mut |mut row| {
                rows += 1;
                let cells: Vec<Value> = table.columns.iter().map(|_| value(row.cell())).collect();
                out.line(&Value::Array(cells).to_string())
            })?;
            counts.insert(table.name.to_owned(), rows);
        }
        let hash = hex(&out.hash.clone().finalize());
        out.line(&json!({ "end": counts, "sha256": hash }).to_string())?;
        Ok(counts)
    }

    pub(super) fn fill_all(&self, from: &mut dyn Read) -> Result<Rows, Error> {
        let mut session = self.database.write_alone("restore the store")?;
        for table in schema::tables() {
            if session.number(&format!("select count(*) from {table}"), &[])? > 0 {
                return Err(Error::Refused(format!(
                    "the store at `{}` is not empty (`{table}` has rows): a backup is restored into a new one, nothing is \
                     written over",
                    self.database.place()
                )));
            }
        }
        let mut waiting: Vec<Vec<Arg<'static>>> = Vec::new();
        let mut into: Option<&'static schema::Table> = None;
        let counts = read(from, &mut |table, row| {
            if into.is_none_or(|before| before.name != table.name) || waiting.len() >= GROUP {
                flush(session.as_mut(), into, &mut waiting)?;
                into = Some(table);
            }
            waiting.push(row);
            Ok(())
        })?;
        flush(session.as_mut(), into, &mut waiting)?;
        session.commit()?;
        Ok(counts)
    }

    pub(super) fn complaints(&self) -> Result<Vec<String>, Error> {
        let mut complaints = self.database.check()?;
        let mut session = self.database.read("check the store")?;
        for (said, sql) in AGREEMENTS {
            let count = session.number(&format!("select count(*) from ({sql}) wrong"), &[])?;
            if count > 0 {
                let first = session.row(&format!("select min(id) from ({sql}) wrong"), &[])?;
                let first = first.map_or(Ok(None), |mut row| row.may_text())?.unwrap_or_default();
                complaints.push(format!("{count} × {said}, the first is `{first}`"));
            }
        }
        // What each fact was written as, word for word.
        let mut contents: BTreeMap<String, String> = BTreeMap::new();
        session.each("select finding_id, content from finding", &[], &mut |mut row| {
            contents.insert(row.text()?, row.text()?);
            Ok(())
        })?;
        let ids: Vec<&str> = contents.keys().map(String::as_str).collect();
        for group in ids.chunks(GROUP) {
            let mut lines = finding::lines_of(session.as_mut(), group)?;
            for kept in finding::findings_of(session.as_mut(), group)? {
                let id = &kept.finding.finding_id;
                let lines = lines.remove(id).unwrap_or_default();
                if contents.get(id) != Some(&finding::content(&kept.finding, &lines, &kept.persons)) {
                    complaints.push(format!("finding `{id}` is not as it was written"));
                }
            }
        }
        Ok(complaints)
    }
}

/// What must be so in every store: a sentence, and the question for those of which it is not.
const AGREEMENTS: [(&str, &str); 9] = [
    (
        "a finding without its texts",
        "select f.finding_id as id from finding f left join finding_text t on t.finding_id = f.finding_id \
         where t.finding_id is null",
    ),
    (
        "a case whose version is not the number of its steps",
        "select f.finding_id as id from finding f \
         where f.version <> (select count(*) from case_step s where s.finding_id = f.finding_id) \
         or f.version <> (select coalesce(max(s.seq), 0) from case_step s where s.finding_id = f.finding_id)",
    ),
    (
        "a case that is not where its last step led",
        "select f.finding_id as id from finding f join case_step s on s.finding_id = f.finding_id and s.seq = f.version \
         where s.to_status <> f.status or s.outcome <> f.outcome",
    ),
    (
        "a step that does not begin where the one before it ended",
        "select s.finding_id as id from case_step s join case_step b on b.finding_id = s.finding_id and b.seq = s.seq - 1 \
         where b.to_status <> s.from_status or b.at > s.at",
    ),
    (
        "a case whose money does not add up",
        "select finding_id as id from finding where standing < 0 or standing > found or decided < 0 or decided > standing \
         or recovered < 0 or recovered > decided or damages_recovered < 0 or damages_recovered > damages",
    ),
    (
        "a case that nobody has touched whose money is not the finding's",
        "select finding_id as id from finding where version = 0 and found <> allocated",
    ),
    (
        "a finding that no scan found",
        "select f.finding_id as id from finding f left join sighting s on s.finding_id = f.finding_id and s.what = 'new' \
         where s.finding_id is null",
    ),
    (
        "a finding of a scan that is not in the list of scans",
        "select f.finding_id as id from finding f left join scan s on s.scan_id = f.last_scan where s.scan_id is null",
    ),
    (
        "a scan that is finished and was never merged",
        "select scan_id as id from scan where state in ('merged', 'finished') and merged is null",
    ),
];

struct Out<'a> {
    to: &'a mut dyn Write,
    hash: Sha256,
}

impl Out<'_> {
    fn line(&mut self, text: &str) -> Result<(), Error> {
        self.hash.update(text.as_bytes());
        self.hash.update(b"\n");
        self.to
            .write_all(text.as_bytes())
            .and_then(|()| self.to.write_all(b"\n"))
            .map_err(|source| Error::Disk { doing: "write the backup".to_owned(), source })
    }
}

/// Reads a backup; each row goes to `take` under its table. Its end is checked before this returns.
fn read(
    from: &mut dyn Read,
    take: &mut dyn FnMut(&'static schema::Table, Vec<Arg<'static>>) -> Result<(), Error>,
) -> Result<Rows, Error> {
    let mut from = BufReader::with_capacity(1 << 16, from);
    let mut hash = Sha256::new();
    let mut counts = Rows::new();
    let mut table: Option<&'static schema::Table> = None;
    let mut line = String::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let length = from.read_line(&mut line).map_err(|error| damaged(format!("after line {number}: {error}")))?;
        if length == 0 {
            return Err(damaged(format!("it ends after line {number}, before its end")));
        }
        number += 1;
        let value: Value =
            serde_json::from_str(&line).map_err(|error| damaged(format!("line {number} is no JSON: {error}")))?;
        if number == 1 {
            begins(&value)?;
        } else if let Some(said) = value.get("end") {
            ends(&value, said, &counts, hash)?;
            return match from.fill_buf().map(<[u8]>::is_empty) {
                Ok(true) => Ok(counts),
                Ok(false) => Err(damaged("something follows its end")),
                Err(error) => Err(damaged(error.to_string())),
            };
        } else if let Some(name) = value.get("table").and_then(Value::as_str) {
            let known = schema::TABLES.iter().find(|table| table.name == name);
            let known = known.ok_or_else(|| damaged(format!("line {number} begins an unknown table `{name}`")))?;
            if value["columns"] != json!(known.columns) {
                return Err(damaged(format!("the columns of `{name}` are not those of this program")));
            }
            counts.insert(name.to_owned(), 0);
            table = Some(known);
        } else {
            let known = table.ok_or_else(|| damaged(format!("line {number} is a row of no table")))?;
            let row = cells(&value, known.columns).ok_or_else(|| damaged(format!("line {number} is no row")))?;
            *counts.entry(known.name.to_owned()).or_default() += 1;
            take(known, row)?;
        }
        hash.update(line.as_bytes());
    }
}

fn begins(head: &Value) -> Result<(), Error> {
    match head.get("fundaudit_backup").and_then(Value::as_u64) {
        Some(FORM) => {}
        Some(form) => return Err(damaged(format!("its form is {form}, this program reads {FORM}"))),
        None => return Err(damaged("it is no backup of a store")),
    }
    let schema = head.get("schema").and_then(Value::as_i64).unwrap_or_default();
    if schema != schema::TODAY {
        return Err(Error::Refused(format!(
            "the backup is of a store of form {schema}, this program's is {}: restore it with the version that made it, and open \
             the store with this one",
            schema::TODAY
        )));
    }
    Ok(())
}

fn ends(end: &Value, said: &Value, counts: &Rows, hash: Sha256) -> Result<(), Error> {
    if end.get("sha256").and_then(Value::as_str) != Some(hex(&hash.finalize()).as_str()) {
        return Err(damaged("its lines are not those of which it has the SHA-256"));
    }
    if *said != json!(counts) {
        return Err(damaged(format!("it has other numbers of rows than it says: {said}")));
    }
    Ok(())
}

fn flush(
    session: &mut dyn Session,
    table: Option<&'static schema::Table>,
    rows: &mut Vec<Vec<Arg<'static>>>,
) -> Result<(), Error> {
    if let Some(table) = table.filter(|_| !rows.is_empty()) {
        session.put(table.name, table.columns, There::Fails, rows)?;
        rows.clear();
    }
    Ok(())
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => Value::from(number),
        Cell::Text(text) => Value::from(text),
    }
}

/// A row as values.
fn cells(row: &Value, columns: &[&str]) -> Option<Vec<Arg<'static>>> {
    let cells = row.as_array().filter(|cells| cells.len() == columns.len())?;
    cells
        .iter()
        .zip(columns)
        .map(|(cell, column)| match cell {
            // The two kinds of column want different nothings.
            Value::Null if schema::MAY_LACK_A_NUMBER.contains(column) => Some(Arg::Int(None)),
            Value::Null => Some(Arg::Text(None)),
            Value::Number(number) => number.as_i64().map(Arg::from),
            Value::String(text) => Some(Arg::from(text.clone())),
            _ => None,
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |hex, byte| hex + &format!("{byte:02x}"))
}
