//! Progress of long work, as the operations tell it and a face shows it; and the face's word that it should stop.
//!
//! Goes in: the name of a stage and how far it is. Comes out: whether to go on. Work asks between its chunks with
//! [`Progress::go_on`] and gives up with `?`; what it has made so far lies aside and goes with it. Deliberately unknown
//! here: bars, signals, who wants it to stop. `cli` draws bars and hears signals; tests are silent, or stop at a step.

use std::fmt;
use std::io::{self, Write};

/// Hears of the progress of long work. Called from many threads.
pub trait Progress: Sync {
    /// A stage begins; `total` units of work are known (0: unknown).
    fn begin(&self, stage: &str, total: u64);
    /// `units` more are done.
    fn advance(&self, units: u64);
    /// The stage is over.
    fn end(&self);
    /// Whether the work is wanted no longer. Once it is so, it stays so.
    fn stopped(&self) -> bool {
        false
    }
    /// To be asked between chunks of work that take less than a second.
    ///
    /// # Errors
    /// When the work is wanted no longer.
    fn go_on(&self) -> Result<(), Stopped> {
        if self.stopped() { Err(Stopped) } else { Ok(()) }
    }
}

/// Why work was given up: somebody wanted it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted: nothing was written, what was there before is as it was")
    }
}

impl std::error::Error for Stopped {}

impl From<Stopped> for io::Error {
    fn from(stopped: Stopped) -> io::Error {
        // Not `Interrupted`, which writers take for a reason to try again.
        io::Error::other(stopped)
    }
}

/// Says nothing and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
}

/// A writer that fails as soon as the work is wanted no longer, for libraries that write much in one call.
pub struct Stoppable<'a, W> {
    to: W,
    progress: &'a dyn Progress,
}

impl<'a, W: Write> Stoppable<'a, W> {
    /// Writes to `to`.
    pub fn new(to: W, progress: &'a dyn Progress) -> Stoppable<'a, W> {
        Stoppable { to, progress }
    }
}

impl<W: Write> Write for Stoppable<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.progress.go_on()?;
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
