//! From packed rows to an Arrow batch of their table.
//!
//! Rows come in sorted order and lie anywhere in memory; columns are built one after the other. So a few hundred rows at a
//! time are opened and each column takes its value from all of them: the rows stay in the nearest cache, and what to do with
//! a value is decided once a column, not once a value. Goes in: rows of `packed`. Comes out: a batch with the table's schema.
//! Not known here: what order the rows are in, and why.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Date32Builder, Decimal128Builder, RecordBatch, StringArray, TimestampMicrosecondBuilder,
};

use super::packed::{MICROSECONDS, Unpacker, open};
use crate::model::{Kind, Table};

/// Rows open at a time.
const OPEN: usize = 256;

/// The rows as one batch.
///
/// # Panics
/// When the texts of one column are more than two gigabytes.
pub(super) fn batch<'a>(table: Table, rows: impl ExactSizeIterator<Item = &'a [u8]>) -> RecordBatch {
    let mut columns: Vec<Builder> = table.columns().iter().map(|c| Builder::new(c.kind, rows.len())).collect();
    let mut rows = rows.map(|row| open(table, row));
    let mut opened: Vec<(u64, Unpacker<'a>)> = Vec::with_capacity(OPEN);
    loop {
        opened.clear();
        opened.extend(rows.by_ref().take(OPEN));
        if opened.is_empty() {
            break;
        }
        for (position, column) in columns.iter_mut().enumerate() {
            column.take(position, &mut opened);
        }
    }
    let columns = columns.into_iter().map(Builder::finish).collect();
    RecordBatch::try_new(table.schema(), columns).expect("the builders follow the table's schema")
}

/// Builds one column.
enum Builder {
    /// Checked to be text once, as a whole.
    Text(BinaryBuilder),
    Decimal(Decimal128Builder, u32),
    Day(Date32Builder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(kind: Kind, rows: usize) -> Self {
        match (kind, kind.scale()) {
            (_, Some(scale)) => Builder::Decimal(Decimal128Builder::with_capacity(rows), scale),
            (Kind::Day, _) => Builder::Day(Date32Builder::with_capacity(rows)),
            (Kind::Time, _) => Builder::Time(TimestampMicrosecondBuilder::with_capacity(rows)),
            _ => Builder::Text(BinaryBuilder::with_capacity(rows, 0)),
        }
    }

    /// Takes the value at `position` from every row; those before it have been taken.
    fn take(&mut self, position: usize, rows: &mut [(u64, Unpacker<'_>)]) {
        let there = |bits: u64| bits >> position & 1 == 1;
        match self {
            Builder::Text(b) => {
                for (bits, values) in rows {
                    if there(*bits) { b.append_value(values.slice()) } else { b.append_null() }
                }
            }
            Builder::Decimal(b, _) => {
                for (bits, values) in rows {
                    b.append_option(there(*bits).then(|| i128::from(values.signed())));
                }
            }
            Builder::Day(b) => {
                for (bits, values) in rows {
                    let day = || i32::try_from(values.signed()).expect("written from 32 bits");
                    b.append_option(there(*bits).then(day));
                }
            }
            Builder::Time(b) => {
                for (bits, values) in rows {
                    b.append_option(there(*bits).then(|| values.signed() * MICROSECONDS));
                }
            }
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Builder::Text(mut b) => {
                Arc::new(StringArray::try_from_binary(b.finish()).expect("every value was written from a text"))
            }
            Builder::Decimal(mut b, scale) => {
                let scale = i8::try_from(scale).expect("the scales of `Kind` are small");
                let decimals = b.finish().with_precision_and_scale(16, scale);
                Arc::new(decimals.expect("the scales of `Kind` fit 16 digits"))
            }
            Builder::Day(mut b) => Arc::new(b.finish()),
            Builder::Time(mut b) => Arc::new(b.finish()),
        }
    }
}
