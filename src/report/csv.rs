//! CSV that opens in a spreadsheet as it was meant: UTF-8 with a byte order mark, lines ended by CR LF, no formulas.
//!
//! Goes in: findings, lines, coverage, the list of rows set aside. Comes out: `findings.csv`, `finding_lines.csv`,
//! `coverage.csv`, `quarantine.csv`, with the contract's column names. A cell that a spreadsheet would take for a formula gets a leading apostrophe; plain numbers keep their
//! sign. Whoever joins on such a key takes Parquet, which has the text as it was.
//!
//! Deliberately unknown here: masks (CSV keeps whole keys), numbers of rows (Excel shows the first 1,048,576 of a CSV).

use std::io::{self, Read, Write};

use super::Told;
use super::columns::{COLUMNS, Cell, yuan};
use super::reasons::set_aside;
use super::text::Lang;
use crate::findings::{Coverage, Finding, FindingLine};
use crate::model::sheet::harmless;

/// Writes `findings.csv`.
pub(super) fn findings(findings: &[Finding], to: impl Write, told: &Told<'_>) -> io::Result<()> {
    let mut sheet = Sheet::begin(to, COLUMNS.iter().map(|column| column.name))?;
    for finding in findings {
        for column in &COLUMNS {
            match (column.cell)(finding) {
                Cell::Text(text) => sheet.text(text)?,
                Cell::Money(amount) => sheet.text(&yuan(amount))?,
                Cell::Absent => sheet.text("")?,
            }
        }
        sheet.end_row()?;
        told.row()?;
    }
    sheet.finish()
}

/// Writes `finding_lines.csv`.
pub(super) fn lines(lines: &[FindingLine], to: impl Write, told: &Told<'_>) -> io::Result<()> {
    let mut sheet = Sheet::begin(to, ["finding_id", "mdtrt_id", "feedetl_sn", "kind", "amount"])?;
    for line in lines {
        sheet.text(&line.finding_id)?;
        sheet.text(&line.mdtrt_id)?;
        sheet.text(&line.feedetl_sn)?;
        sheet.text(&line.kind.to_string())?;
        sheet.text(&yuan(line.amount))?;
        sheet.end_row()?;
        told.row()?;
    }
    sheet.finish()
}

/// Writes `coverage.csv`.
pub(super) fn coverage(coverage: &[Coverage], to: impl Write) -> io::Result<()> {
    let columns = ["rule_code", "fixmedins_code", "evaluated", "hit", "exempted", "not_evaluated", "reason"];
    let mut sheet = Sheet::begin(to, columns)?;
    for row in coverage {
        sheet.text(&row.rule_code)?;
        sheet.text(&row.fixmedins_code)?;
        for count in [row.evaluated, row.hit, row.exempted, row.not_evaluated] {
            sheet.text(&count.to_string())?;
        }
        sheet.text(&row.reason)?;
        sheet.end_row()?;
    }
    sheet.finish()
}

/// Writes `quarantine.csv` from a dataset's list: the same rows, the reasons in the language of the findings.
pub(super) fn quarantine(list: impl Read, to: impl Write) -> io::Result<()> {
    let mut list = ::csv::Reader::from_reader(list);
    let head = list.headers().map_err(disk)?.clone();
    let reason = head.iter().position(|name| name == "reason");
    let mut sheet = Sheet::begin(to, &head)?;
    let mut row = ::csv::StringRecord::new();
    while list.read_record(&mut row).map_err(disk)? {
        for (at, cell) in row.iter().enumerate() {
            if Some(at) == reason { sheet.text(&set_aside(cell, Lang::Zh))? } else { sheet.text(cell)? }
        }
        sheet.end_row()?;
    }
    sheet.finish()
}

/// Writes a table of texts: a head, then rows of as many cells.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    to: impl Write,
) -> io::Result<()> {
    let mut sheet = Sheet::begin(to, head)?;
    for row in rows {
        for cell in &row {
            sheet.text(cell)?;
        }
        sheet.end_row()?;
    }
    sheet.finish()
}

struct Sheet<W: Write> {
    rows: ::csv::Writer<W>,
}

impl<W: Write> Sheet<W> {
    fn begin<'a>(mut to: W, head: impl IntoIterator<Item = &'a str>) -> io::Result<Sheet<W>> {
        to.write_all("\u{feff}".as_bytes())?;
        let mut rows = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(to);
        rows.write_record(head).map_err(disk)?;
        Ok(Sheet { rows })
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        self.rows.write_field(harmless(text).as_bytes()).map_err(disk)
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.rows.write_record(None::<&[u8]>).map_err(disk)
    }

    fn finish(mut self) -> io::Result<()> {
        self.rows.flush()
    }
}

fn disk(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(source) => source,
        other => io::Error::other(format!("{other:?}")),
    }
}
