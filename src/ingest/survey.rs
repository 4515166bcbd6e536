//! What is in the files of an export, without reading them all: for `doctor`.
//!
//! Goes in: the same paths and mapping as for an ingest. Comes out: per file its table, encoding, delimiter, header, what
//! each header means, which columns are missing, and what of the first rows would be quarantined. Not known here: rules.

use std::path::{Path, PathBuf};

use super::csv::Encoding;
use super::header::From;
use super::intake::{Intake, Origin};
use super::mapping::{self, Mapping};
use super::sources::{self, Format, Source, Sources};
use super::{Error, Tally};
use crate::progress::Silent;

/// Rows looked at in each file.
const ROWS: u64 = 10_000;

/// What is in the files of an export.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Files and sheets that can be read, by name.
    pub files: Vec<SurveyedFile>,
    /// What was passed over, and why.
    pub notes: Vec<String>,
    /// Why the export cannot be read as it is: a line a file.
    pub errors: Vec<String>,
}

/// What is in one file.
#[derive(Debug, Clone)]
pub struct SurveyedFile {
    /// Its name, with the sheet where there are several.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// `CSV`, `XLSX` or `Parquet`.
    pub format: &'static str,
    /// For text files.
    pub encoding: Option<Encoding>,
    /// For text files.
    pub delimiter: Option<char>,
    /// Row of the header, 1-based; 0 where names are part of the format.
    pub header_row: u64,
    /// Rows with something in them above the header.
    pub title_rows: usize,
    /// The tables read from it; the first is its own.
    pub tables: Vec<SurveyedTable>,
    /// Headers that mean nothing.
    pub unknown: Vec<String>,
    /// Totals rows and repeated headers among the first rows.
    pub set_aside: u64,
    /// What would be quarantined of the first 10,000 rows.
    pub quarantined: Vec<Complaint>,
}

/// A table in a file.
#[derive(Debug, Clone)]
pub struct SurveyedTable {
    /// Its name.
    pub table: &'static str,
    /// Split off the lines of a flat file.
    pub split: bool,
    /// (where it comes from, column), in the order of the table.
    pub columns: Vec<(String, &'static str)>,
    /// Columns that the file does not have. Required ones are never missing here: that is an error.
    pub missing: Vec<&'static str>,
    /// Of the first rows: read and quarantined.
    pub read: Tally,
    /// Of the first rows.
    pub quarantined: Tally,
}

/// A line of the quarantine list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// 1-based row of the file.
    pub row: u64,
    /// Column of the table, or empty for the row as a whole.
    pub column: String,
    /// Why.
    pub reason: String,
    /// What was written.
    pub text: String,
}

/// Looks into the files of `inputs`.
///
/// # Errors
/// When the mapping cannot be read. Files that cannot be read are in [`Survey::errors`].
pub fn survey(inputs: &[PathBuf], mapping: Option<&Path>) -> Result<Survey, Error> {
    let mapping = mapping.map(Mapping::load).transpose()?;
    let mut survey = Survey::default();
    let (Sources { sources, notes }, errors) = sources::find_all(inputs, mapping.as_ref(), &Silent);
    survey.notes = notes;
    survey.errors = errors.into_iter().map(|e| e.to_string()).collect();
    for source in &sources {
        match look(source) {
            Ok(file) => survey.files.push(file),
            Err(error) => survey.errors.push(error.to_string()),
        }
    }
    Ok(survey)
}

/// Reads every row of some files and keeps none: whether they can be read to their end.
///
/// # Errors
/// Why one of them cannot.
pub fn read_through(inputs: &[PathBuf], mapping: Option<&Path>) -> Result<(), Error> {
    let mapping = mapping.map(Mapping::load).transpose()?;
    for source in &sources::find(inputs, mapping.as_ref(), &Silent)?.sources {
        let mut pieces = source.open()?;
        while pieces.next(&source.path)?.is_some() {}
    }
    Ok(())
}

fn look(source: &Source) -> Result<SurveyedFile, Error> {
    let mut intake = Intake::new(1);
    let mut pieces = source.open()?;
    let origin = Origin { file: 0, header: &source.header, plans: &source.layout.plans, encounters: false };
    let mut rows = 0;
    while rows < ROWS
        && let Some(piece) = pieces.next(&source.path)?
    {
        piece.rows(|block| {
            block.rows.truncate(usize::try_from(ROWS - rows).unwrap_or(usize::MAX));
            rows += block.rows.len() as u64;
            let computed = mapping::evaluate(&source.expressions, block);
            intake.take(block, origin, &computed);
        });
    }
    let (format, encoding, delimiter) = match &source.format {
        Format::Csv(shape) => ("CSV", Some(shape.encoding), Some(char::from(shape.delimiter))),
        Format::Sheet(_) => ("XLSX", None, None),
        Format::Parquet => ("Parquet", None, None),
    };
    let tables = source.layout.plans.iter().map(|plan| {
        let counts = intake.ledger.of(plan.table).clone();
        let columns = plan.table.columns();
        SurveyedTable {
            table: plan.table.name(),
            split: plan.split,
            columns: plan.columns.iter().map(|(p, from)| (written(from, source), columns[*p].name)).collect(),
            missing: columns
                .iter()
                .enumerate()
                .filter(|(i, _)| !plan.columns.iter().any(|(p, _)| p == i))
                .map(|(_, c)| c.name)
                .collect(),
            read: counts.read,
            quarantined: counts.quarantined,
        }
    });
    let tables = tables.collect();
    let quarantined = intake
        .complaints
        .lines()
        .into_iter()
        .map(|(_, (row, column, reason, text))| Complaint {
            row,
            column: column.to_owned(),
            reason: reason.to_owned(),
            text: text.to_owned(),
        })
        .collect();
    Ok(SurveyedFile {
        file: source.label.clone(),
        bytes: source.bytes,
        format,
        encoding,
        delimiter,
        header_row: source.header.row,
        title_rows: source.header.titles,
        tables,
        unknown: source.layout.unknown.clone(),
        set_aside: intake.set_aside,
        quarantined,
    })
}

/// Where the text of a column comes from, as a person would say it.
fn written(from: &From, source: &Source) -> String {
    match from {
        From::Cell(cell) => source.header.cells[*cell].clone(),
        From::Lookup { cell, .. } => format!("{} (translated)", source.header.cells[*cell]),
        From::Constant(text) => format!("\"{text}\""),
        From::Computed(number) => source.expressions[*number].text().to_owned(),
        From::RowNumber => "row_number".to_owned(),
    }
}
