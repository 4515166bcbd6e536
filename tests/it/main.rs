//! The one test binary: what the program promises, told as stories.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod cases;
mod casework;
mod cli;
mod deploy;
mod diagnostics;
mod doctor;
mod exemptions;
mod feedback;
#[cfg(unix)]
mod full_disk;
mod generate;
mod ingest;
mod malformed;
mod messages;
mod model;
mod nights;
mod openapi;
mod past;
mod regions;
mod report;
mod review;
mod rules;
mod scan;
mod serve;
mod stop;
mod store;
mod tidy;
mod tools;
mod truth;
