//! Progress of long work, as the operations tell it and a face shows it.
//!
//! Goes in: the name of a stage and how far it is. Comes out: nothing here; `cli` draws bars from it, tests are silent.

/// Hears of the progress of long work. Called from many threads.
pub trait Progress: Sync {
    /// A stage begins; `total` units of work are known (0: unknown).
    fn begin(&self, stage: &str, total: u64);
    /// `units` more are done.
    fn advance(&self, units: u64);
    /// The stage is over.
    fn end(&self);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
}
