//! Pending claims as NDJSON: what a line holds ([`messages::rows`] reads it, as it reads a request) becomes rows of an
//! export, and an export is what ingest reads.
//!
//! Goes in: a file. Comes out: a CSV a table, in a folder, and what of the lines was not read. Deliberately unknown here: the
//! names of parts and columns; what makes a row good, for ingest sets aside what is not, with a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::super::Error;
use crate::messages::{self, Limits};
use crate::model::Table;

/// No line is longer.
const LONGEST: usize = 16 << 20;

/// Notes that are kept of a file.
const NOTES: usize = 50;

/// Whether a file is of this form, by its name.
#[must_use]
pub(super) fn is_ndjson(path: &Path) -> bool {
    let kind = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    matches!(kind.as_deref(), Some("ndjson" | "jsonl"))
}

/// The files of a folder that were made of an NDJSON file.
pub(super) struct Spread {
    pub(super) files: Vec<PathBuf>,
    /// Fields that nothing knows or that are no text, with their places.
    pub(super) notes: Vec<String>,
}

type Cells = Vec<(&'static str, String)>;

/// Writes the rows of a file into a folder, `<table>.csv` each.
///
/// # Errors
/// A line that is no such object, with its number; the disk.
pub(super) fn spread(file: &Path, folder: &Path) -> Result<Spread, Error> {
    // First which columns there are, then the rows: a file may be large.
    let mut columns: BTreeMap<Table, BTreeSet<&'static str>> = BTreeMap::new();
    let notes = each_row(file, &mut |table, cells| {
        columns.entry(table).or_default().extend(cells.into_iter().map(|(name, _)| name));
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
    each_row(file, &mut |table, cells| {
        let (Some(writer), Some(names)) = (writers.get_mut(&table), columns.get(&table)) else { return Ok(()) };
        let cells: BTreeMap<&str, String> = cells.into_iter().collect();
        writer.write_record(names.iter().map(|name| cells.get(name).map_or("", String::as_str))).map_err(written)
    })?;
    for writer in writers.into_values() {
        let mut file = writer.into_inner().map_err(|e| disk(e.into_error()))?;
        file.flush().map_err(disk)?;
    }
    Ok(Spread { files, notes })
}

/// Hands over every row of a file; comes back: what was not read.
fn each_row(path: &Path, take: &mut dyn FnMut(Table, Cells) -> Result<(), Error>) -> Result<Vec<String>, Error> {
    // What is too much for a request is a file's everyday: only a line is bounded. Long texts are ingest's to set aside.
    let limits = Limits {
        bytes: LONGEST,
        values: LONGEST,
        text: LONGEST,
        patients: LONGEST,
        encounters: LONGEST,
        diagnoses: LONGEST,
        orders: LONGEST,
        ..Limits::default()
    };
    let unreadable = |e: std::io::Error| Error::Disk {
        doing: format!("read the pending claims in `{}`", path.display()),
        source: e,
    };
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    let (mut notes, mut more) = (Vec::new(), 0_usize);
    for number in 1u64.. {
        line.clear();
        let read = lines.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        let place = || format!("`{}` line {number}", path.display());
        if read > LONGEST {
            let what = "longer than 16 MiB, wanted one claim or one row a line";
            return Err(Error::Usage(format!("{}: {what}", place())));
        }
        let start = if line.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        let line = line[start..].trim_ascii();
        if line.is_empty() {
            continue;
        }
        let mut failed = Ok(());
        let told = messages::rows(line, &limits, &mut |table, cells| {
            if failed.is_ok() {
                failed = take(table, cells);
            }
        });
        let told = told.map_err(|refused| Error::Usage(format!("{}: {refused}", place())))?;
        failed?;
        let room = NOTES.saturating_sub(notes.len());
        more += told.len().saturating_sub(room);
        notes.extend(told.iter().take(room).map(|note| format!("{}: {note}", place())));
    }
    if more > 0 {
        notes.push(format!("`{}`: {more} more of this kind", path.display()));
    }
    Ok(notes)
}
