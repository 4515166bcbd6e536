//! The report: findings become files that people and programs read, and lines on a terminal.
//!
//! Goes in: an [`Outcome`], the [`Context`] that pages show, the [`Format`]s wanted. Comes out: `findings.*`,
//! `finding_lines.*`, `coverage.csv`, `report.html`, `run.json` in one directory, and the texts of [`text`].
//! The same outcome and context give the same bytes: nothing here asks for the time, and nothing depends on threads.
//!
//! Who sees what: Parquet, CSV and JSON keep whole keys, because inspectors join on them. Workbook, page and terminal show
//! a masked `psn_no` and never a name or a certificate number ([`Context::unmask`] opens the workbook's `psn_no` only).
//!
//! Deliberately unknown here: rules' expressions, the query engine, where findings are kept, who asks.
//!
//! To add a format: a variant of [`Format`], a file beside `csv.rs` with one `write`, an arm in [`Output::render`]. A new
//! column of findings goes into `columns.rs` and is then in every format.

mod chart;
mod columns;
mod csv;
mod essay;
mod html;
mod json;
mod labels;
mod markup;
pub mod night;
mod parquet;
mod reasons;
mod scratch;
pub mod sheets;
mod shown;
pub mod tally;
pub mod text;
mod xlsx;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rust_decimal::Decimal;

use crate::aside::{self, Aside};
use crate::findings::{Outcome, Stale};
use crate::progress::{Progress, Stoppable, Stopped};

pub use essay::Essay;
pub use shown::{masked, without_person};
pub use text::Lang;

/// What pages and workbooks say around the findings.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Heading of the page; empty: 医保基金审核报告.
    pub title: String,
    /// First and last day audited, `YYYY-MM-DD`.
    pub period: Option<(String, String)>,
    /// The day the audit speaks as of, `YYYY-MM-DD`; also the creation date inside the workbook.
    pub as_of: String,
    /// Region in the user's words or its admdvs; empty: not shown.
    pub region: String,
    /// Version of this program.
    pub program_version: String,
    /// Hash of the rules and parameters that ran.
    pub rule_set_hash: String,
    /// Facility code → name.
    pub facilities: BTreeMap<String, String>,
    /// Every rule that ran.
    pub rules: Vec<RuleMeta>,
    /// Rows of the input that were not audited.
    pub quarantined: Vec<Quarantined>,
    /// Rows and sums on their way from the export to the audit; empty: that section is left out.
    pub accounts: Vec<Account>,
    /// Every exemption that was read, by id.
    pub exemptions: Vec<ExemptionMeta>,
    /// Parameter values that nobody verified in the twelve months before `as_of`.
    pub stale: Stale,
    /// Content of `run.json`. Shown nowhere else: it holds times, and pages are the same on every run.
    pub run: serde_json::Value,
    /// Rules that took more time than they may. Times differ from run to run, so these are shown and decide nothing.
    pub over_budget: Vec<OverBudget>,
    /// A dataset's list of rows set aside, which becomes `quarantine.csv`; `None`: that file is left alone.
    pub set_aside: Option<PathBuf>,
    /// Show whole `psn_no` in the workbook. Names stay hidden.
    pub unmask: bool,
    /// Rows a sheet may hold, head included; `None`: Excel's own limit of 1,048,576. What is more goes to further sheets.
    pub max_sheet_rows: Option<u32>,
    /// Where the files lie, as [`text::headlines`] says it. Never written into a file.
    pub out: Option<PathBuf>,
}

/// What is shown about a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleMeta {
    pub code: String,
    pub name: String,
    pub title: String,
    pub family: String,
    /// high, medium or low.
    pub severity: String,
    /// 明确违规 or 可疑.
    pub result: String,
    /// When the charge may be right; shown under a finding.
    pub may_be_right_when: Vec<String>,
}

/// A rule that took more time than it may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverBudget {
    pub code: String,
    /// Thread time of all its units.
    pub spent_ms: u64,
    /// Of all rules' time, in percent.
    pub share: u64,
    /// What it may take: seconds, or a share of all rules' time in percent.
    pub budget: Budget,
}

/// What a rule may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    Seconds(u64),
    Percent(u64),
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::Percent(100)
    }
}

/// What is shown about an exemption: never its scope, for that may be a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExemptionMeta {
    pub id: String,
    /// Codes and families.
    pub rules: Vec<String>,
    pub owner: String,
    pub reason: String,
    /// First and last day, `YYYY-MM-DD`.
    pub from: String,
    pub until: String,
    /// It ended before the as-of day.
    pub expired: bool,
    /// Findings that name it.
    pub covered: u64,
    /// Findings that it covers too, but that name an earlier one.
    pub covered_besides: u64,
}

/// Rows set aside, by file and reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantined {
    pub file: String,
    pub reason: String,
    pub rows: u64,
}

/// One table's way from the export to the audit; read = quarantined + duplicates + replaced + netted + audited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    pub table: String,
    pub read: Step,
    pub quarantined: Step,
    pub duplicates: Step,
    /// Rows in whose place a later one is; none where nothing was appended.
    pub replaced: Step,
    pub netted: Step,
    pub audited: Step,
}

/// Rows at one station of an [`Account`], and their money where the table has any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    pub rows: u64,
    pub sum: Option<Decimal>,
}

/// A format in which findings can be written. `finding_lines.parquet`, `coverage.csv`, `run.json` and `report.html` are
/// always written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    Parquet,
    Csv,
    Xlsx,
    Json,
}

impl Format {
    /// Every format, in the order in which files are listed.
    pub const ALL: [Format; 4] = [Format::Parquet, Format::Csv, Format::Xlsx, Format::Json];

    /// The word for it, which is the file's ending too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Xlsx => "xlsx",
            Format::Json => "json",
        }
    }

    /// Reads a list such as `parquet,csv,xlsx,json`; each format once, in the order of [`Format::ALL`].
    ///
    /// # Errors
    /// A word that is no format, or no word at all.
    pub fn parse(list: &str) -> Result<Vec<Format>, Error> {
        let mut formats = Vec::new();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let known = Format::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(word));
            formats.push(known.ok_or_else(|| Error::Format { found: word.to_owned() })?);
        }
        if formats.is_empty() {
            return Err(Error::Format { found: list.to_owned() });
        }
        formats.sort_unstable();
        formats.dedup();
        Ok(formats)
    }
}

/// Why nothing was written.
#[derive(Debug)]
pub enum Error {
    /// A word that names no format.
    Format { found: String },
    /// The disk said no.
    Disk { doing: &'static str, path: PathBuf, source: std::io::Error },
    /// The Parquet writer said no.
    Parquet { file: String, source: ::parquet::errors::ParquetError },
    /// The workbook writer said no.
    Xlsx { file: String, source: rust_xlsxwriter::XlsxError },
    /// Somebody wanted it no longer.
    Stopped,
    /// A finding's day is not a day.
    Day { finding_id: String, column: &'static str, found: String },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Format { found } => write!(
                f,
                "`{found}` is not an output format: write one or more of `parquet`, `csv`, `xlsx`, `json`, with commas between"
            ),
            Error::Disk { doing, path, source } => write!(
                f,
                "cannot {doing} `{}`: {source}; earlier files there are untouched, try another `--out` or free some space",
                path.display()
            ),
            Error::Stopped => Stopped.fmt(f),
            Error::Parquet { file, source } => {
                write!(f, "cannot write `{file}`: {source}; earlier files there are untouched")
            }
            Error::Xlsx { file, source } => write!(
                f,
                "cannot write `{file}`: {source}; earlier files there are untouched, `--out-format parquet,csv` does without \
                 the workbook"
            ),
            Error::Day { finding_id, column, found } => write!(
                f,
                "finding `{finding_id}` has `{column}` = `{found}`, wanted a day such as `2026-03-11`: its rule makes a wrong day"
            ),
        }
    }
}

impl Error {
    /// The same about the place of a file that was being written aside.
    fn at(self, place: &Path) -> Error {
        let file = place.display().to_string();
        match self {
            Error::Disk { doing: "write", source, .. } => {
                Error::Disk { doing: "write", path: place.to_path_buf(), source }
            }
            Error::Parquet { source, .. } => Error::Parquet { file, source },
            Error::Xlsx { source, .. } => Error::Xlsx { file, source },
            other => other,
        }
    }
}

impl From<Stopped> for Error {
    fn from(_: Stopped) -> Error {
        Error::Stopped
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Disk { source, .. } => Some(source),
            Error::Parquet { source, .. } => Some(source),
            Error::Xlsx { source, .. } => Some(source),
            Error::Format { .. } | Error::Day { .. } | Error::Stopped => None,
        }
    }
}

/// Writes the files of an audit into `out` and says which. Everything is first written into a hidden directory beside its
/// place and moved at the end, `run.json` last: a run that fails or is stopped leaves what was there before. A report file of
/// an earlier run whose format is not wanted this time is removed, so that the directory speaks of one run.
///
/// # Errors
/// The disk, or a writer, a finding that cannot be written, or the work is wanted no longer; then nothing in `out` has
/// changed.
pub fn write(
    outcome: &Outcome,
    context: &Context,
    formats: &[Format],
    out: &Path,
    progress: &dyn Progress,
) -> Result<Vec<PathBuf>, Error> {
    let disk = |doing, path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Disk { doing, path, source }
    };
    let outputs: Vec<Output> = Output::ALL.into_iter().filter(|output| output.wanted(formats, context)).collect();
    let aside = Aside::within(out).map_err(disk("write into the directory", out))?;

    progress.begin("report", outputs.iter().map(|output| output.rows(outcome)).sum());
    let rendered: Vec<Result<(), Error>> = outputs
        .par_iter()
        .map(|output| {
            progress.go_on()?;
            let told = Told::new(progress);
            let done = output.render(outcome, context, &aside.path().join(output.file()), &told);
            told.rest(output.rows(outcome));
            done.map_err(|error| error.at(&out.join(output.file())))
        })
        .collect();
    progress.end();
    // A writer that was stopped says so in its library's words.
    progress.go_on()?;
    if let Some(error) = rendered.into_iter().find_map(Result::err) {
        return Err(error);
    }

    let places: Vec<PathBuf> = outputs.iter().map(|output| out.join(output.file())).collect();
    aside::free(&places).map_err(|(path, source)| Error::Disk { doing: "write", path, source })?;
    for output in Output::ALL {
        let place = out.join(output.file());
        if outputs.contains(&output) {
            fs::rename(aside.path().join(output.file()), &place).map_err(disk("write", &place))?;
        } else if output != Output::Quarantine && place.exists() {
            fs::remove_file(&place).map_err(disk("remove the earlier", &place))?;
        }
    }
    Ok(places)
}

/// How many rows of one file are written, told in steps.
struct Told<'a> {
    progress: &'a dyn Progress,
    rows: Cell<u64>,
}

impl<'a> Told<'a> {
    /// Rows of a step.
    const STEP: u64 = 1024;

    fn new(progress: &'a dyn Progress) -> Told<'a> {
        Told { progress, rows: Cell::new(0) }
    }

    /// One row more; fails when the work is wanted no longer.
    fn row(&self) -> Result<(), Stopped> {
        self.rows.set(self.rows.get() + 1);
        if self.rows.get().is_multiple_of(Told::STEP) {
            self.progress.advance(Told::STEP);
            self.progress.go_on()?;
        }
        Ok(())
    }

    /// The file is written: what of its `rows` was not told yet is.
    fn rest(&self, rows: u64) {
        let told = self.rows.get() / Told::STEP * Told::STEP;
        self.progress.advance(rows.saturating_sub(told));
    }
}

/// A dataset's list of rows set aside, its reasons in Chinese as the page and the workbook show them. It is read and written
/// row by row: an export may be nothing but rows set aside.
fn quarantine(list: &Path, to: impl std::io::Write, place: &Path) -> Result<(), Error> {
    let disk = |doing, path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Disk { doing, path, source }
    };
    let from = std::io::BufReader::new(fs::File::open(list).map_err(disk("read", list))?);
    csv::quarantine(from, to).map_err(disk("write", place))
}

/// The files of a report, in the order in which they are listed and moved into place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Page,
    Findings(Format),
    LinesParquet,
    LinesCsv,
    Coverage,
    Quarantine,
    Run,
}

impl Output {
    const ALL: [Output; 10] = [
        Output::Page,
        Output::Findings(Format::Parquet),
        Output::Findings(Format::Csv),
        Output::Findings(Format::Xlsx),
        Output::Findings(Format::Json),
        Output::LinesParquet,
        Output::LinesCsv,
        Output::Coverage,
        Output::Quarantine,
        Output::Run,
    ];

    fn file(self) -> &'static str {
        match self {
            Output::Page => "report.html",
            Output::Findings(Format::Parquet) => "findings.parquet",
            Output::Findings(Format::Csv) => "findings.csv",
            Output::Findings(Format::Xlsx) => "findings.xlsx",
            Output::Findings(Format::Json) => "findings.json",
            Output::LinesParquet => "finding_lines.parquet",
            Output::LinesCsv => "finding_lines.csv",
            Output::Coverage => "coverage.csv",
            Output::Quarantine => "quarantine.csv",
            Output::Run => "run.json",
        }
    }

    /// Rows to write, about: what its progress is counted in.
    fn rows(self, outcome: &Outcome) -> u64 {
        let rows = match self {
            Output::Findings(Format::Xlsx) => outcome.findings.len() + outcome.lines.len(),
            Output::Findings(_) => outcome.findings.len(),
            Output::LinesParquet | Output::LinesCsv => outcome.lines.len(),
            Output::Page | Output::Coverage | Output::Quarantine | Output::Run => 1,
        };
        rows as u64
    }

    fn wanted(self, formats: &[Format], context: &Context) -> bool {
        match self {
            Output::Quarantine => context.set_aside.is_some(),
            Output::Findings(format) => formats.contains(&format),
            Output::LinesCsv => formats.contains(&Format::Csv),
            Output::Page | Output::LinesParquet | Output::Coverage | Output::Run => true,
        }
    }

    fn render(self, outcome: &Outcome, context: &Context, path: &Path, told: &Told<'_>) -> Result<(), Error> {
        let disk = |source| Error::Disk { doing: "write", path: path.to_path_buf(), source };
        let file = fs::File::create(path).map_err(disk)?;
        let mut to = std::io::BufWriter::with_capacity(1 << 16, Stoppable::new(&file, told.progress));
        match self {
            Output::Page => to.write_all(html::page(outcome, context).as_bytes()).map_err(disk)?,
            Output::Findings(Format::Parquet) => parquet::findings(&outcome.findings, &mut to, told)?,
            Output::Findings(Format::Csv) => csv::findings(&outcome.findings, &mut to, told).map_err(disk)?,
            Output::Findings(Format::Xlsx) => {
                xlsx::workbook(outcome, context, path.parent().unwrap_or(Path::new(".")), &mut to, told)?;
            }
            Output::Findings(Format::Json) => json::findings(&outcome.findings, &mut to, told).map_err(disk)?,
            Output::LinesParquet => parquet::lines(&outcome.lines, &mut to, told)?,
            Output::LinesCsv => csv::lines(&outcome.lines, &mut to, told).map_err(disk)?,
            Output::Coverage => csv::coverage(&outcome.coverage, &mut to).map_err(disk)?,
            Output::Quarantine => {
                if let Some(list) = &context.set_aside {
                    quarantine(list, &mut to, path)?;
                }
            }
            Output::Run => json::run(&context.run, &mut to).map_err(disk)?,
        }
        to.flush().map_err(disk)?;
        drop(to);
        file.sync_all().map_err(disk)
    }
}
