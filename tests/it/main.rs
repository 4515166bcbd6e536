//! The one test binary.

//! The one test binary: what the program promises, told as stories.

mod generate;
mod ingest;
mod malformed;
mod report;
mod rules;
