//! The vocabulary: tables, columns, codes, money, days. No I/O, no async, no query engine.

pub mod tables;

pub use tables::{Column, Kind, Table};
