//! The rows of a person in a few kilobytes, column by column, so that those which are wanted are read and no others.
//!
//! Goes in: batches of a person, in the schemas of the dataset's files. Comes out: bytes, and columns again. Equal batches give
//! equal bytes. Damage is found before anything is believed: a checksum over the bytes and the person's number. Deliberately
//! unknown here: where bytes are kept, what a row means.
//!
//! Form, all numbers little endian: [`FORM`], length unpacked (u32), checksum (u64), an LZ4 block. In it a section for each table
//! that has rows, or several, of which the rows of the first come first: its place in [`Table::ALL`] (u8), rows (u32), a bit for
//! each column of the schema that is not null throughout (u64), length of the columns (u32); for each of these columns its length
//! (u32) and: a tag (u8), a bit a row where some are null (1: not null), then texts as lengths and bytes, numbers in as many bytes
//! as the longest needs. `psn_no` is not kept: whose the rows are is known.
//!
//! To change the form: a new [`FORM`]; files of another are made again.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, NullBufferBuilder, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, TimestampMicrosecondType};

use super::super::dataset::bucket_schema;
use crate::model::Table;

/// Which form it is.
pub(super) const FORM: u8 = 1;

const HEAD: usize = 1 + 4 + 8;

/// Bit of a tag: some rows are null.
const NULLS: u8 = 0x80;

/// Rows of a table that belong to one person; the batch has the schema of the dataset's file.
pub(in crate::ingest) type Own<'b> = (Table, &'b RecordBatch, Range<usize>);

/// Mixes bytes into a number: for finding damage and for short names, against nobody's will.
pub(super) fn mixed(seed: u64, bytes: &[u8]) -> u64 {
    let mut hash = seed ^ (bytes.len() as u64);
    let mut mix = |word: u64| {
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        mix(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(u64::from_le_bytes(last));
    hash
}

fn checksum(person: &str, length: usize, block: &[u8]) -> u64 {
    mixed(mixed(length as u64, person.as_bytes()), block)
}

fn number_of(length: usize) -> u32 {
    u32::try_from(length).expect("the rows of one person are less than 4 GB")
}

/// The rows of a person.
pub(super) fn pack(person: &str, rows: &[Own<'_>]) -> Vec<u8> {
    let mut raw = Vec::new();
    for (table, batch, range) in rows.iter().filter(|(_, _, range)| !range.is_empty()) {
        put_table(&mut raw, *table, batch, range.clone());
    }
    let block = lz4_flex::block::compress(&raw);
    let mut payload = Vec::with_capacity(HEAD + block.len());
    payload.push(FORM);
    payload.extend(number_of(raw.len()).to_le_bytes());
    payload.extend(checksum(person, raw.len(), &block).to_le_bytes());
    payload.extend(block);
    payload
}

fn put_table(raw: &mut Vec<u8>, table: Table, batch: &RecordBatch, rows: Range<usize>) {
    let place = Table::ALL.iter().position(|known| *known == table).and_then(|at| u8::try_from(at).ok());
    raw.push(place.expect("ten tables"));
    raw.extend(number_of(rows.len()).to_le_bytes());
    let head = raw.len();
    raw.extend([0; 12]);
    let mut bits = 0_u64;
    for (at, (field, column)) in batch.schema_ref().fields().iter().zip(batch.columns()).enumerate() {
        let nulls = column.nulls().map_or(0, |nulls| nulls.slice(rows.start, rows.len()).null_count());
        if field.name() == "psn_no" || nulls == rows.len() {
            continue;
        }
        bits |= 1 << at;
        let length = raw.len();
        raw.extend([0; 4]);
        put_column(raw, column, rows.clone(), nulls > 0);
        let written = number_of(raw.len() - length - 4);
        raw[length..length + 4].copy_from_slice(&written.to_le_bytes());
    }
    let written = number_of(raw.len() - head - 12);
    raw[head..head + 8].copy_from_slice(&bits.to_le_bytes());
    raw[head + 8..head + 12].copy_from_slice(&written.to_le_bytes());
}

fn put_column(raw: &mut Vec<u8>, column: &ArrayRef, rows: Range<usize>, nulls: bool) {
    let tag = raw.len();
    raw.push(if nulls { NULLS } else { 0 });
    let known = column.nulls().filter(|_| nulls);
    let there = |row: &usize| known.is_none_or(|known| known.is_valid(*row));
    if nulls {
        let mut bits = vec![0_u8; rows.len().div_ceil(8)];
        for (at, _) in rows.clone().enumerate().filter(|(_, row)| there(row)) {
            bits[at / 8] |= 1 << (at % 8);
        }
        raw.extend(bits);
    }
    let width = match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            let length = |row: usize| if there(&row) { texts.value(row).len() } else { 0 };
            let width = match rows.clone().map(length).max().unwrap_or(0) {
                0..=0xff => 1,
                0x100..=0xffff => 2,
                _ => 4,
            };
            put_low_bytes(raw, rows.clone().map(|row| i128::from(number_of(length(row)))), width);
            if known.is_none() {
                // They stand one after the other.
                let place = |row: usize| usize::try_from(texts.value_offsets()[row]).unwrap_or_default();
                raw.extend_from_slice(&texts.value_data()[place(rows.start)..place(rows.end)]);
            } else {
                rows.filter(there).for_each(|row| raw.extend(texts.value(row).as_bytes()));
            }
            width
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>();
            put_numbers(raw, rows.map(|row| if there(&row) { i128::from(days.value(row)) } else { 0 }))
        }
        DataType::Timestamp(_, _) => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            put_numbers(raw, rows.map(|row| if there(&row) { i128::from(times.value(row)) } else { 0 }))
        }
        _ => {
            let numbers = column.as_primitive::<Decimal128Type>();
            put_numbers(raw, rows.map(|row| if there(&row) { numbers.value(row) } else { 0 }))
        }
    };
    raw[tag] |= u8::try_from(width).expect("at most 16");
}

/// Numbers in as many bytes as the longest needs; how many that were.
fn put_numbers(raw: &mut Vec<u8>, numbers: impl Iterator<Item = i128> + Clone) -> usize {
    let (least, most) = numbers.clone().fold((0, 0), |(least, most), n| (n.min(least), n.max(most)));
    let fits = |width: &usize| least >= -(1_i128 << (8 * width - 1)) && most < 1 << (8 * width - 1);
    let width = [1, 2, 4, 8].into_iter().find(fits).unwrap_or(16);
    put_low_bytes(raw, numbers, width);
    width
}

/// The lowest bytes of numbers, so many of each.
fn put_low_bytes(raw: &mut Vec<u8>, numbers: impl Iterator<Item = i128>, width: usize) {
    fn put<const WIDTH: usize>(raw: &mut Vec<u8>, numbers: impl Iterator<Item = i128>) {
        numbers.for_each(|number| raw.extend_from_slice(&number.to_le_bytes()[..WIDTH]));
    }
    match width {
        1 => put::<1>(raw, numbers),
        2 => put::<2>(raw, numbers),
        4 => put::<4>(raw, numbers),
        8 => put::<8>(raw, numbers),
        _ => put::<16>(raw, numbers),
    }
}

/// Why bytes are not the rows of a person.
pub(super) type Damage = &'static str;

const SHORT: Damage = "it ends too early";

/// The unpacked rows of a person.
#[derive(Debug, Default)]
pub(super) struct Rows(Vec<u8>);

impl Rows {
    /// Opens what [`pack`] made.
    pub(super) fn open(person: &str, payload: &[u8]) -> Result<Rows, Damage> {
        let (head, block) = payload.split_at_checked(HEAD).ok_or(SHORT)?;
        let mut head = Bytes(head);
        if head.byte()? != FORM {
            return Err("it has another form");
        }
        let length = head.length()?;
        if head.long()? != checksum(person, length, block) {
            return Err("its checksum is another");
        }
        let mut raw = vec![0; length];
        let written = lz4_flex::block::decompress_into(block, &mut raw).map_err(|_| "it cannot be unpacked")?;
        if written == length { Ok(Rows(raw)) } else { Err(SHORT) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Rows, and what was put behind them: of tables that do not stand by time the last has all rows.
    pub(super) fn with_later(all: &[Rows], by_time: impl Fn(Table) -> bool) -> Result<Rows, Damage> {
        let mut last = [0; Table::ALL.len()];
        for (number, rows) in all.iter().enumerate() {
            for section in rows.sections() {
                last[section?.table as usize] = number;
            }
        }
        let mut joined = Rows::default();
        for (number, rows) in all.iter().enumerate() {
            for section in rows.sections() {
                let section = section?;
                if by_time(section.table) || last[section.table as usize] == number {
                    joined.take(&section);
                }
            }
        }
        Ok(joined)
    }

    /// Puts a section of others behind these.
    pub(super) fn take(&mut self, section: &Section<'_>) {
        self.0.extend_from_slice(section.bytes);
    }

    /// Puts rows of a batch behind these.
    pub(super) fn put(&mut self, table: Table, batch: &RecordBatch) {
        put_table(&mut self.0, table, batch, 0..batch.num_rows());
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = Result<Section<'_>, Damage>> {
        let mut rest = Bytes(&self.0);
        std::iter::from_fn(move || (!rest.0.is_empty()).then(|| Section::take(&mut rest)))
    }

    /// The sections of a table.
    pub(super) fn of(&self, table: Table) -> Result<Vec<Section<'_>>, Damage> {
        self.sections().filter(|section| section.as_ref().map_or(true, |section| section.table == table)).collect()
    }
}

/// Reads from the front.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Damage> {
        Ok(self.take(1)?[0])
    }

    fn length(&mut self) -> Result<usize, Damage> {
        let bytes = self.take(4)?.try_into().map_err(|_| SHORT)?;
        usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| SHORT)
    }

    fn long(&mut self) -> Result<u64, Damage> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().map_err(|_| SHORT)?))
    }
}

/// Rows of a table.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// All of it.
    pub(super) bytes: &'a [u8],
    pub(super) table: Table,
    pub(super) rows: usize,
    /// The bytes of each column of the schema; none where all of it is null.
    columns: [&'a [u8]; 64],
}

impl<'a> Section<'a> {
    fn take(rest: &mut Bytes<'a>) -> Result<Section<'a>, Damage> {
        let begin = rest.0;
        let table = *Table::ALL.get(usize::from(rest.byte()?)).ok_or("it has an unknown table")?;
        let rows = rest.length()?;
        let bits = rest.long()?;
        let length = rest.length()?;
        let mut inside = Bytes(rest.take(length)?);
        let mut columns = [[].as_slice(); 64];
        for (_, column) in columns.iter_mut().enumerate().filter(|(at, _)| bits >> at & 1 == 1) {
            let length = inside.length()?;
            *column = inside.take(length)?;
        }
        Ok(Section { bytes: &begin[..begin.len() - rest.0.len()], table, rows, columns })
    }

    /// Adds a column, by its position in the table's schema, to one of this type.
    pub(super) fn add_to(&self, column: &mut Column, position: usize) -> Result<(), Damage> {
        match self.columns.get(position) {
            Some(bytes) if !bytes.is_empty() => column.add(Bytes(bytes), self.rows),
            _ => {
                column.add_nulls(self.rows);
                Ok(())
            }
        }
    }

    /// A column by its name.
    pub(super) fn named(&self, name: &str) -> Result<ArrayRef, Damage> {
        let schema = bucket_schema(self.table);
        let position = schema.index_of(name).map_err(|_| "it lacks a column")?;
        let mut column = Column::new(schema.field(position).data_type());
        self.add_to(&mut column, position)?;
        column.finish()
    }
}

/// A column in the making, of rows of many persons.
#[derive(Debug)]
pub(super) struct Column {
    kind: DataType,
    nulls: NullBufferBuilder,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// Where each text ends, after a zero, and all of them.
    Texts(Vec<i32>, Vec<u8>),
    Days(Vec<i32>),
    Times(Vec<i64>),
    Numbers(Vec<i128>),
}

const NO_COLUMN: Damage = "a column of it is no column";

impl Column {
    pub(super) fn new(kind: &DataType) -> Column {
        let values = match kind {
            DataType::Utf8 => Values::Texts(vec![0], Vec::new()),
            DataType::Date32 => Values::Days(Vec::new()),
            DataType::Timestamp(_, _) => Values::Times(Vec::new()),
            _ => Values::Numbers(Vec::new()),
        };
        Column { kind: kind.clone(), nulls: NullBufferBuilder::new(0), values }
    }

    /// Adds rows that are null.
    fn add_nulls(&mut self, rows: usize) {
        self.nulls.append_n_nulls(rows);
        match &mut self.values {
            Values::Texts(ends, _) => ends.resize(ends.len() + rows, ends.last().copied().unwrap_or_default()),
            Values::Days(days) => days.resize(days.len() + rows, 0),
            Values::Times(times) => times.resize(times.len() + rows, 0),
            Values::Numbers(numbers) => numbers.resize(numbers.len() + rows, 0),
        }
    }

    /// Adds rows that all have this text.
    pub(super) fn add_text(&mut self, text: &str, rows: usize) -> Result<(), Damage> {
        let Values::Texts(ends, all) = &mut self.values else { return Err(NO_COLUMN) };
        self.nulls.append_n_non_nulls(rows);
        for _ in 0..rows {
            all.extend_from_slice(text.as_bytes());
            ends.push(end(all.len())?);
        }
        Ok(())
    }

    /// Adds rows as [`put_column`] wrote them.
    fn add(&mut self, mut bytes: Bytes<'_>, rows: usize) -> Result<(), Damage> {
        let tag = bytes.byte()?;
        if tag & NULLS == 0 {
            self.nulls.append_n_non_nulls(rows);
        } else {
            let bits = bytes.take(rows.div_ceil(8))?;
            self.nulls.append_buffer(&NullBuffer::new(BooleanBuffer::new(Buffer::from(bits), 0, rows)));
        }
        let width = usize::from(tag & !NULLS);
        match &mut self.values {
            Values::Texts(ends, all) => {
                let lengths = bytes.take(rows * width)?;
                let begin = all.len();
                all.extend_from_slice(bytes.0);
                end(all.len())?;
                if add_ends(ends, lengths, width, begin)? == all.len() { Ok(()) } else { Err(SHORT) }
            }
            Values::Days(days) => add_numbers(days, bytes.take(rows * width)?, width, |n| i32::try_from(n).ok()),
            Values::Times(times) => add_numbers(times, bytes.take(rows * width)?, width, |n| i64::try_from(n).ok()),
            Values::Numbers(numbers) => add_numbers(numbers, bytes.take(rows * width)?, width, Some),
        }
    }

    /// All of it.
    pub(super) fn finish(mut self) -> Result<ArrayRef, Damage> {
        let nulls = self.nulls.finish();
        let bad = |_| NO_COLUMN;
        Ok(match self.values {
            Values::Texts(ends, all) => {
                Arc::new(StringArray::try_new(OffsetBuffer::new(ends.into()), all.into(), nulls).map_err(bad)?)
            }
            Values::Days(days) => Arc::new(Date32Array::try_new(days.into(), nulls).map_err(bad)?),
            Values::Times(times) => Arc::new(TimestampMicrosecondArray::try_new(times.into(), nulls).map_err(bad)?),
            Values::Numbers(numbers) => {
                let numbers = Decimal128Array::try_new(numbers.into(), nulls).map_err(bad)?;
                Arc::new(numbers.with_data_type(self.kind))
            }
        })
    }
}

/// Where a text ends.
fn end(length: usize) -> Result<i32, Damage> {
    i32::try_from(length).map_err(|_| "it has more text than a column can hold")
}

/// Adds where texts of these lengths end, the first of which begins there; where the last one does.
fn add_ends(ends: &mut Vec<i32>, lengths: &[u8], width: usize, begin: usize) -> Result<usize, Damage> {
    let mut last = begin;
    ends.reserve(lengths.len() / width.max(1));
    let mut add = |length: usize| {
        last += length;
        ends.push(i32::try_from(last).unwrap_or(i32::MAX));
    };
    match width {
        1 => lengths.iter().for_each(|length| add(usize::from(*length))),
        2 => lengths.as_chunks::<2>().0.iter().for_each(|bytes| add(usize::from(u16::from_le_bytes(*bytes)))),
        4 => {
            let of = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).unwrap_or(usize::MAX / 4);
            lengths.as_chunks::<4>().0.iter().for_each(|bytes| add(of(bytes)));
        }
        _ => return Err(NO_COLUMN),
    }
    Ok(last)
}

/// Adds the numbers that [`put_numbers`] wrote.
fn add_numbers<T>(to: &mut Vec<T>, bytes: &[u8], width: usize, fit: impl Fn(i128) -> Option<T>) -> Result<(), Damage> {
    let rows = bytes.len() / width.max(1);
    to.reserve(rows);
    let before = to.len();
    match width {
        1 => to.extend(bytes.iter().map_while(|byte| fit(i128::from(byte.cast_signed())))),
        2 => to.extend(bytes.as_chunks::<2>().0.iter().map_while(|b| fit(i128::from(i16::from_le_bytes(*b))))),
        4 => to.extend(bytes.as_chunks::<4>().0.iter().map_while(|b| fit(i128::from(i32::from_le_bytes(*b))))),
        8 => to.extend(bytes.as_chunks::<8>().0.iter().map_while(|b| fit(i128::from(i64::from_le_bytes(*b))))),
        16 => to.extend(bytes.as_chunks::<16>().0.iter().map_while(|b| fit(i128::from_le_bytes(*b)))),
        _ => return Err(NO_COLUMN),
    }
    if to.len() == before + rows { Ok(()) } else { Err(NO_COLUMN) }
}
