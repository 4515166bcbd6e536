//! Exports → a dataset on disk, in bounded memory, nothing lost.

pub mod values;

pub use values::{BadCell, BadValue, TableBuilder, Value, parse, parse_cell};
