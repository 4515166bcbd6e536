//! fundaudit (基金智审)

pub mod findings;
pub mod ingest;
pub mod model;
pub mod progress;
