//! Why an export could not be taken in at all.
//!
//! A bad row is not an error: it goes to the quarantine list. An [`Error`] is for what keeps the whole job from being
//! done: a file that cannot be opened, a required column that is missing, a disk that is full. Goes in: what was found,
//! what was wanted, where. Comes out: one sentence, or one a line when several files are wrong. Not known here: exit codes.

use std::fmt;
use std::path::Path;

use crate::progress::Stopped;

/// Why an export could not be taken in, as a sentence to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
    stopped: bool,
}

impl Error {
    /// An error with this sentence.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Error { message: message.into(), stopped: false }
    }

    /// An error about a file or folder. Everything is written aside or in one transaction, so what was there is untouched.
    #[must_use]
    pub(super) fn at(path: &Path, what: &str, cause: &dyn fmt::Display) -> Self {
        let said = format!("cannot {what} `{}`: {cause}", path.display());
        Error::new(match what {
            "write" | "write into" | "create" => format!(
                "{said}; what was there before is untouched: free some space there, or see who may write there, and run it again"
            ),
            _ => said,
        })
    }

    /// Whether nothing is wrong but that the work was wanted no longer.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        self.stopped
    }

    /// Several errors as one, a line each.
    #[must_use]
    pub(super) fn all(errors: Vec<Error>) -> Self {
        Error::new(errors.into_iter().map(|e| e.message).collect::<Vec<_>>().join("\n"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Error {
        Error { message: stopped.to_string(), stopped: true }
    }
}
