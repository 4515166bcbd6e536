//! Operations: one file a verb; plain options in, outcome out. Every face calls these.

pub mod cases;
