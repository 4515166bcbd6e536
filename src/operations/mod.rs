//! One file a verb; plain options in, outcome out; every face calls these.

pub mod generate;
