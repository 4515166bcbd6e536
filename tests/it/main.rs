//! The one test binary: what the program promises, told as stories.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod cases;
mod casework;
mod cli;
mod diagnostics;
mod doctor;
mod exemptions;
mod generate;
mod ingest;
mod malformed;
mod messages;
mod model;
mod past;
mod regions;
mod report;
mod review;
mod rules;
mod scan;
mod stop;
mod store;
mod tidy;
mod tools;
mod truth;
