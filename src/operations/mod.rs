//! Operations: one file a verb; plain options in, outcome out. Every face calls these.
//!
//! Goes in: paths and choices, a [`crate::progress::Progress`]. Comes out: what was done, or an [`Error`] that says what to
//! try. Deliberately unknown here: flags, exit codes, terminals.

pub mod audit;
pub mod cases;
pub mod casework;
pub mod difference;
pub mod doctor;
pub mod findings;
pub mod generate;
pub mod index;
pub mod knowledge;
pub mod library;
pub mod lock;
pub mod review;
pub mod scaffold;
pub mod scan;

use std::fmt;

use crate::progress::Stopped;
use crate::span::Diagnostic;

/// Why an operation could not be done.
#[derive(Debug)]
pub enum Error {
    /// What was asked for cannot be; says what to try.
    Usage(String),
    /// Somebody else is at work on it; says who, and what to try.
    Busy(String),
    /// Mistakes in rule files.
    Rules(Vec<Diagnostic>),
    /// Mistakes in exemptions.
    Exemptions(Vec<Diagnostic>),
    /// The export or dataset could not be read.
    Ingest(crate::ingest::Error),
    /// The engine met something that it should not.
    Engine(String),
    /// Output could not be written.
    Report(crate::report::Error),
    /// Synthetic data could not be written.
    Generate(generate::Error),
    /// The store of findings could not do it.
    Store(crate::store::Error),
    /// Somebody wanted it no longer.
    Stopped,
    /// The disk said no.
    Disk { doing: String, source: std::io::Error },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(text) | Error::Busy(text) | Error::Engine(text) => f.write_str(text),
            Error::Rules(mistakes) => all(f, mistakes, "rules"),
            Error::Exemptions(mistakes) => all(f, mistakes, "exemptions"),
            Error::Ingest(error) => error.fmt(f),
            Error::Report(error) => error.fmt(f),
            Error::Generate(error) => error.fmt(f),
            Error::Store(error) => error.fmt(f),
            Error::Stopped => Stopped.fmt(f),
            Error::Disk { doing, source } => write!(f, "cannot {doing}: {source}"),
        }
    }
}

/// Every mistake, then how many there are.
fn all(f: &mut fmt::Formatter<'_>, mistakes: &[Diagnostic], of: &str) -> fmt::Result {
    for mistake in mistakes {
        writeln!(f, "{mistake}\n")?;
    }
    write!(f, "{} mistake(s) in the {of}", mistakes.len())
}

impl std::error::Error for Error {}

impl Error {
    /// Whether it is only that somebody else is at work: later it may go.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Error::Busy(_) | Error::Store(crate::store::Error::Held(_)))
    }
}

impl From<crate::ingest::Error> for Error {
    fn from(error: crate::ingest::Error) -> Error {
        if error.is_stop() { Error::Stopped } else { Error::Ingest(error) }
    }
}

impl From<crate::report::Error> for Error {
    fn from(error: crate::report::Error) -> Error {
        if matches!(error, crate::report::Error::Stopped) { Error::Stopped } else { Error::Report(error) }
    }
}

impl From<generate::Error> for Error {
    fn from(error: generate::Error) -> Error {
        if matches!(error, generate::Error::Stopped) { Error::Stopped } else { Error::Generate(error) }
    }
}

impl From<crate::store::Error> for Error {
    fn from(error: crate::store::Error) -> Error {
        Error::Store(error)
    }
}

impl From<Stopped> for Error {
    fn from(_: Stopped) -> Error {
        Error::Stopped
    }
}
