//! The vocabulary: tables, columns, codes, money, days. No I/O, no async, no query engine.

pub mod codes;
pub mod day;
pub mod money;
pub mod sheet;
pub mod supply;
pub mod tables;
pub mod views;

pub use tables::{Column, Kind, Table};
pub use views::View;
