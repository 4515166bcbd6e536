//! The one test binary.

mod ingest;
mod malformed;
mod report;
mod rules;
