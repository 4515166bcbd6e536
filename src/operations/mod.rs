//! Operations: one file a verb; plain options in, outcome out. Every face calls these.
//!
//! Goes in: paths and choices, a [`crate::progress::Progress`]. Comes out: what was done, or an [`Error`] that says what to
//! try. Deliberately unknown here: flags, exit codes, terminals.

pub mod audit;
pub mod cases;
pub mod generate;
pub mod library;
