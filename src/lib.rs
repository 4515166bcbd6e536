//! fundaudit (基金智审)

pub mod findings;
pub mod model;
pub mod operations;
pub mod progress;
