//! JSON: findings as one array with an object a line, and the run's own record.
//!
//! Goes in: findings; the value that operations made of the run. Comes out: `findings.json`, where `key` and `evidence`
//! are objects and money is a number written with two decimals (no float comes near it); `run.json`, indented, its keys in
//! the order in which they were made. Deliberately unknown here: masks (JSON keeps whole keys).

use std::io::{self, Write};

use super::Told;
use super::columns::{COLUMNS, Cell, Kind, yuan};
use crate::findings::Finding;

/// Writes `findings.json`.
pub(super) fn findings(findings: &[Finding], mut to: impl Write, told: &Told<'_>) -> io::Result<()> {
    to.write_all(b"[")?;
    for (number, finding) in findings.iter().enumerate() {
        to.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        for (place, column) in COLUMNS.iter().enumerate() {
            write!(to, "{}\"{}\":", if place == 0 { "{" } else { "," }, column.name)?;
            match (column.cell)(finding) {
                Cell::Absent => to.write_all(b"null")?,
                Cell::Money(amount) => to.write_all(yuan(amount).as_bytes())?,
                // As it stands, so that its numbers keep their digits.
                Cell::Text(text) if column.kind == Kind::Json && is_json(text) => to.write_all(text.as_bytes())?,
                Cell::Text(text) => serde_json::to_writer(&mut to, text)?,
            }
        }
        to.write_all(b"}")?;
        told.row()?;
    }
    to.write_all(b"\n]\n")
}

/// Writes `run.json`.
pub(super) fn run(run: &serde_json::Value, mut to: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut to, run)?;
    to.write_all(b"\n")
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
