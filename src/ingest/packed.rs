//! A row in as few bytes as it takes, for the way from the reader to its bucket.
//!
//! Equal rows have equal bytes and unequal rows unequal ones, so that a duplicate is seen by comparing bytes. A line of
//! fees takes about 150 bytes. Goes in: the values of a row. Comes out: bytes, and values again. The form lives as long as
//! one run and is nobody's interface: no version, no checks beyond those of slices.
//!
//! Form: a bit per column (1: not null), then the values that are there, in the order of the columns: a text as length
//! and bytes, everything else as a zigzag varint, times in seconds.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::values::{RowValues, Value};
use crate::model::{Kind, Table};

const MICROSECONDS: i64 = 1_000_000;

pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Reads what the functions above wrote.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unpacker<'a> {
    bytes: &'a [u8],
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Unpacker { bytes }
    }

    pub(super) fn is_done(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn byte(&mut self) -> u8 {
        let byte = self.bytes[0];
        self.bytes = &self.bytes[1..];
        byte
    }

    pub(super) fn number(&mut self) -> u64 {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    fn signed(&mut self) -> i64 {
        let number = self.number();
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    pub(super) fn slice(&mut self) -> &'a [u8] {
        let length = usize::try_from(self.number()).expect("written from a length in memory");
        let (slice, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        slice
    }

    pub(super) fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.slice()).expect("written from a text")
    }
}

/// Writes a row.
pub(super) fn pack(table: Table, values: &RowValues<'_>, out: &mut Vec<u8>) {
    let columns = table.columns();
    let bits = out.len();
    out.resize(bits + columns.len().div_ceil(8), 0);
    for (i, value) in values.iter().enumerate().take(columns.len()) {
        match value {
            Value::Null => continue,
            Value::Text(text) => put_text(out, text),
            Value::Decimal(units) => put_signed(out, *units),
            Value::Day(day) => put_signed(out, i64::from(*day)),
            Value::Time(time) => put_signed(out, time / MICROSECONDS),
        }
        out[bits + i / 8] |= 1 << (i % 8);
    }
}

/// Walks over the values of a packed row.
struct Walk<'a> {
    table: Table,
    bits: &'a [u8],
    next: usize,
    values: Unpacker<'a>,
}

impl<'a> Walk<'a> {
    fn new(table: Table, packed: &'a [u8]) -> Self {
        let (bits, values) = packed.split_at(table.columns().len().div_ceil(8));
        Walk { table, bits, next: 0, values: Unpacker::new(values) }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let i = self.next;
        let column = self.table.columns().get(i)?;
        self.next += 1;
        if self.bits[i / 8] & (1 << (i % 8)) == 0 {
            return Some(Value::Null);
        }
        Some(match column.kind {
            Kind::Text | Kind::Flag => Value::Text(Cow::Borrowed(self.values.text())),
            Kind::Day => Value::Day(i32::try_from(self.values.signed()).expect("written from 32 bits")),
            Kind::Time => Value::Time(self.values.signed() * MICROSECONDS),
            Kind::Money | Kind::Price | Kind::Quantity | Kind::Degree => Value::Decimal(self.values.signed()),
        })
    }
}

/// Reads a row back.
pub(super) fn unpack<'a>(table: Table, packed: &'a [u8], values: &mut RowValues<'a>) {
    for (slot, value) in values.iter_mut().zip(Walk::new(table, packed)) {
        *slot = value;
    }
}

/// The values at some positions, which must ascend.
pub(super) fn pick<const N: usize>(table: Table, packed: &[u8], positions: [usize; N]) -> [Value<'_>; N] {
    let mut walk = Walk::new(table, packed);
    let mut at = 0;
    positions.map(|position| {
        let value = walk.nth(position - at).expect("a position of the table");
        at = position + 1;
        value
    })
}

/// Compares two rows of a table column by column, nulls first.
pub(super) fn compare(table: Table, a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (Walk::new(table, a), Walk::new(table, b));
    while let (Some(a), Some(b)) = (a.next(), b.next()) {
        let order = match (&a, &b) {
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Decimal(a), Value::Decimal(b)) | (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::Day(a), Value::Day(b)) => a.cmp(b),
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Null, _) => Ordering::Less,
            (_, _) => Ordering::Greater,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// The text of a value that is one.
pub(super) fn text_of<'a>(value: &Value<'a>) -> &'a str {
    match value {
        Value::Text(Cow::Borrowed(text)) => text,
        _ => "",
    }
}
