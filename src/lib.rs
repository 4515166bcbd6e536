//! fundaudit (基金智审)

pub mod cli;
pub mod clock;
pub mod engine;
pub mod findings;
pub mod ingest;
pub mod model;
pub mod operations;
pub mod progress;
pub mod report;
pub mod rules;
pub mod span;
