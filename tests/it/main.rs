//! The one test binary.

mod report;
mod rules;
