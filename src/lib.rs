//! fundaudit (基金智审)

pub mod findings;
pub mod model;
pub mod progress;
pub mod report;
