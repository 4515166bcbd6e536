//! A row in as few bytes as it takes, for the way from the reader to its bucket.
//!
//! Equal rows have equal bytes and unequal rows unequal ones, so that a duplicate is seen by comparing bytes. A line of
//! fees takes about 150 bytes. Goes in: the texts of a row ([`Packer`]). Comes out: bytes, and values again ([`Walk`],
//! [`pick`]; `columns` reads whole rows). The form lives as long as one run and is nobody's interface: no version, no checks
//! beyond those of slices. Deliberately unknown here: how a value is spelled, which is for `values`.
//!
//! Form: a bit per column (1: not null), then the values that are there, in the order of the columns: a text as length
//! and bytes, everything else as a zigzag varint, times in seconds.

use std::cmp::Ordering;
use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Date32Type, Decimal128Type, TimestampMicrosecondType};

use super::values::{Reading, Value, WIDEST};
use crate::model::{Column, Kind, Table, day, money};

pub(super) const MICROSECONDS: i64 = 1_000_000;

pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text);
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

    pub(super) fn signed(&mut self) -> i64 {
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
        text_of(self.slice())
    }
}

/// Bytes that were written from a text, as a text.
pub(super) fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("written from a text")
}

/// What the form has to know of a table; a bit a column.
struct Form {
    columns: usize,
    texts: u64,
    required: u64,
}

impl Form {
    fn of(table: Table) -> &'static Form {
        static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
            let bits = |table: Table, wanted: fn(&Column) -> bool| -> u64 {
                table.columns().iter().enumerate().map(|(i, c)| u64::from(wanted(c)) << i).sum()
            };
            let form = |table: Table| Form {
                columns: table.columns().len(),
                texts: bits(table, |c| matches!(c.kind, Kind::Text | Kind::Flag)),
                required: bits(table, |c| c.required),
            };
            Table::ALL.into_iter().map(form).collect()
        });
        &FORMS[table as usize]
    }

    /// Bytes of the bits at the beginning of a row.
    fn head(&self) -> usize {
        self.columns.div_ceil(8)
    }
}

/// Parts a packed row into its bits and its values.
pub(super) fn open(table: Table, packed: &[u8]) -> (u64, Unpacker<'_>) {
    let (head, values) = packed.split_at(Form::of(table).head());
    let mut bits = [0; 8];
    bits[..head.len()].copy_from_slice(head);
    (u64::from_le_bytes(bits), Unpacker::new(values))
}

/// Packs rows one after the other.
#[derive(Debug)]
pub(super) struct Packer {
    bytes: Vec<u8>,
    /// Where each value of the row begins; 0: it is null.
    begins: [usize; WIDEST],
}

impl Packer {
    pub(super) fn new() -> Self {
        Packer { bytes: Vec::new(), begins: [0; WIDEST] }
    }

    /// Packs a row: positions in [`Table::columns`], ascending, and texts. Whether it could: if not, a cell is bad or a
    /// required one is empty, and there is no row.
    #[must_use]
    pub(super) fn pack<'t>(&mut self, table: Table, cells: impl IntoIterator<Item = (usize, &'t str)>) -> bool {
        let form = Form::of(table);
        let reading = Reading::of(table);
        let out = &mut self.bytes;
        out.clear();
        out.resize(form.head(), 0);
        self.begins[..form.columns].fill(0);
        let mut bits = 0;
        for (position, text) in cells {
            if text.is_empty() {
                continue;
            }
            let begin = out.len();
            if form.texts >> position & 1 == 1 && reading.is_plain_text(position, text) {
                put_text(out, text.as_bytes());
            } else if let Some(number) = reading.plain_number(position, text) {
                put_signed(out, number);
            } else {
                match reading.read(position, text) {
                    Ok(Value::Null) => continue,
                    Ok(Value::Text(text)) => put_text(out, text.as_bytes()),
                    Ok(Value::Decimal(units)) => put_signed(out, units),
                    Ok(Value::Day(day)) => put_signed(out, i64::from(day)),
                    Ok(Value::Time(time)) => put_signed(out, time / MICROSECONDS),
                    Err(_) => return false,
                }
            }
            self.begins[position] = begin;
            bits |= 1_u64 << position;
        }
        out[..form.head()].copy_from_slice(&bits.to_le_bytes()[..form.head()]);
        bits & form.required == form.required
    }

    /// Packs a row that is kept as columns: the way back from `columns`.
    pub(super) fn pack_kept(&mut self, rows: &KeptRows<'_>, row: usize) {
        self.pack_values(rows.table, |position| rows.value(position, row));
    }

    /// Packs a row from what [`texts`] said of it, by the names of its columns. Nothing where that is no row of the table, as
    /// it was when another version of the program wrote it down.
    #[must_use]
    pub(super) fn pack_texts<'t>(&mut self, table: Table, text: impl Fn(&str) -> Option<&'t str>) -> Option<&[u8]> {
        let reading = Reading::of(table);
        let mut readable = true;
        self.pack_values(table, |position| {
            let column = &table.columns()[position];
            let text = text(column.name)?;
            match column.kind {
                Kind::Text | Kind::Flag => Some(Kept::Text(text.as_bytes())),
                _ => match reading.read(position, text) {
                    Ok(Value::Decimal(units)) => Some(Kept::Number(units)),
                    Ok(Value::Day(day)) => Some(Kept::Number(i64::from(day))),
                    Ok(Value::Time(time)) => Some(Kept::Number(time / MICROSECONDS)),
                    _ => {
                        readable = false;
                        None
                    }
                },
            }
        });
        readable.then_some(&self.bytes)
    }

    fn pack_values<'v>(&mut self, table: Table, mut value: impl FnMut(usize) -> Option<Kept<'v>>) {
        let form = Form::of(table);
        let out = &mut self.bytes;
        out.clear();
        out.resize(form.head(), 0);
        self.begins[..form.columns].fill(0);
        let mut bits = 0;
        for position in 0..form.columns {
            let Some(value) = value(position) else { continue };
            self.begins[position] = out.len();
            bits |= 1_u64 << position;
            match value {
                Kept::Text(text) => put_text(out, text),
                Kept::Number(number) => put_signed(out, number),
            }
        }
        out[..form.head()].copy_from_slice(&bits.to_le_bytes()[..form.head()]);
    }

    /// The row.
    pub(super) fn row(&self) -> &[u8] {
        &self.bytes
    }

    /// Its text at a position; nothing where it is null.
    pub(super) fn text(&self, position: usize) -> &[u8] {
        match self.begins[position] {
            0 => &[],
            begin => Unpacker::new(&self.bytes[begin..]).slice(),
        }
    }

    /// Its number at a position.
    pub(super) fn number(&self, position: usize) -> Option<i64> {
        match self.begins[position] {
            0 => None,
            begin => Some(Unpacker::new(&self.bytes[begin..]).signed()),
        }
    }
}

/// A batch with the columns of a table in their order, to be packed row by row.
pub(super) struct KeptRows<'b> {
    table: Table,
    columns: Vec<(Option<&'b NullBuffer>, KeptColumn<'b>)>,
}

enum KeptColumn<'b> {
    Texts(&'b StringArray),
    Days(&'b [i32]),
    /// Microseconds.
    Times(&'b [i64]),
    Units(&'b [i128]),
}

impl<'b> KeptRows<'b> {
    pub(super) fn of(table: Table, batch: &'b RecordBatch) -> Self {
        let column = |(column, array): (&Column, &'b ArrayRef)| {
            let values = match column.kind {
                Kind::Text | Kind::Flag => KeptColumn::Texts(array.as_string()),
                Kind::Day => KeptColumn::Days(array.as_primitive::<Date32Type>().values()),
                Kind::Time => KeptColumn::Times(array.as_primitive::<TimestampMicrosecondType>().values()),
                Kind::Money | Kind::Price | Kind::Quantity | Kind::Degree => {
                    KeptColumn::Units(array.as_primitive::<Decimal128Type>().values())
                }
            };
            (array.nulls(), values)
        };
        KeptRows { table, columns: table.columns().iter().zip(batch.columns()).map(column).collect() }
    }

    fn value(&self, position: usize, row: usize) -> Option<Kept<'b>> {
        let (nulls, values) = &self.columns[position];
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        Some(match values {
            KeptColumn::Texts(texts) => Kept::Text(texts.value(row).as_bytes()),
            KeptColumn::Days(days) => Kept::Number(i64::from(days[row])),
            KeptColumn::Times(times) => Kept::Number(times[row] / MICROSECONDS),
            KeptColumn::Units(units) => Kept::Number(i64::try_from(units[row]).expect("sixteen digits")),
        })
    }
}

/// A value on its way back into a packed row.
enum Kept<'a> {
    Text(&'a [u8]),
    Number(i64),
}

/// What a packed row holds, as texts by the names of its columns: a form that outlives this version of the program.
pub(super) fn texts(table: Table, packed: &[u8]) -> Vec<(&'static str, String)> {
    let text = |kind: Kind, value: Packed<'_>| {
        Some(match value {
            Packed::Null => return None,
            Packed::Text(text) => text_of(text).to_owned(),
            Packed::Number(number) => match (kind, kind.scale()) {
                (_, Some(scale)) => money::plain(rust_decimal::Decimal::new(number, scale)),
                (Kind::Day, _) => day::text(i32::try_from(number).expect("written from 32 bits")),
                _ => day::time_text(number * MICROSECONDS),
            },
        })
    };
    let values = table.columns().iter().zip(Walk::new(table, packed));
    values.filter_map(|(column, value)| Some((column.name, text(column.kind, value)?))).collect()
}

/// A value of a packed row. Its kind is the column's: a number is units of the last digit, days, or seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Packed<'a> {
    Null,
    Text(&'a [u8]),
    Number(i64),
}

impl<'a> Packed<'a> {
    /// The text, if it is one.
    pub(super) fn text(self) -> &'a [u8] {
        match self {
            Packed::Text(text) => text,
            _ => &[],
        }
    }

    /// The number, if it is one.
    pub(super) fn number(self) -> Option<i64> {
        match self {
            Packed::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// Walks over the values of a packed row.
struct Walk<'a> {
    columns: usize,
    texts: u64,
    bits: u64,
    next: usize,
    values: Unpacker<'a>,
}

impl<'a> Walk<'a> {
    fn new(table: Table, packed: &'a [u8]) -> Self {
        let form = Form::of(table);
        let (bits, values) = open(table, packed);
        Walk { columns: form.columns, texts: form.texts, bits, next: 0, values }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Packed<'a>;

    fn next(&mut self) -> Option<Packed<'a>> {
        let i = self.next;
        if i >= self.columns {
            return None;
        }
        self.next += 1;
        Some(if self.bits >> i & 1 == 0 {
            Packed::Null
        } else if self.texts >> i & 1 == 1 {
            Packed::Text(self.values.slice())
        } else {
            Packed::Number(self.values.signed())
        })
    }
}

/// The values at some positions, which must ascend.
pub(super) fn pick<const N: usize>(table: Table, packed: &[u8], positions: [usize; N]) -> [Packed<'_>; N] {
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
    Walk::new(table, a).cmp(Walk::new(table, b))
}
