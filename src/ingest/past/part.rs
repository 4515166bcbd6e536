//! What of a person's rows a delivery may touch, and what stays as it is.
//!
//! **Who stays.** A row of an encounter that the person's own rows begin and that no new row names. It shares a key with no new row: the
//! key of every table has the encounter, but that of settlements, whose own number must not be named either. It is nobody
//! else's: an encounter goes to another person only by a row that names it. So nothing that is said of new rows can be another
//! for it, and it needs no more than its place among them. Rows without an encounter are few and never stay; nor do rows of an
//! encounter that the person's rows do not begin, of which nothing is known for sure.
//!
//! Goes in: what new rows name, a person's payload; later his other rows, new and old. Comes out: the rows that may be touched, the
//! ids they had, the bytes of those that stay; later all his rows as they are now. Rows that come after all that stay are put
//! behind them as a section of their own, and what stays is copied; else, or where there would be many sections, the table is put
//! together anew. Deliberately unknown here: what a new row does to an old one.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch, not};
use arrow::datatypes::TimestampMicrosecondType;
use hashbrown::HashSet;

use super::super::dataset::bucket_schema;
use super::change::in_order;
use super::payload::{self, Damage, Own, Rows, Section};
use super::{Error, Ids, Made, Packed, Past, Wanted, Wish};
use crate::model::Table;

/// Sections of one table that a person may have.
const SECTIONS: usize = 8;

/// What new rows name.
#[derive(Debug, Clone, Copy)]
pub(in crate::ingest) struct Named<'a> {
    pub encounters: &'a BTreeSet<String>,
    pub settlements: &'a BTreeSet<String>,
}

/// The rows of some persons.
#[derive(Debug)]
pub(in crate::ingest) struct Parted {
    /// Those that new rows may touch, in the columns that are wanted.
    pub touched: BTreeMap<Table, RecordBatch>,
    /// What is left of each person who is known.
    pub staying: Vec<Staying>,
}

/// What stays of a person.
#[derive(Debug)]
pub(in crate::ingest) struct Staying {
    pub psn_no: String,
    pub had: Had,
    rows: Rows,
}

/// Where a person stands in the file, and which ids he may lose: those that no row that stays has.
#[derive(Debug)]
pub(in crate::ingest) struct Had {
    pub(super) id: i64,
    pub(super) ids: Ids,
}

impl Staying {
    /// The rows, as [`Packed::onto`] takes them.
    pub(in crate::ingest) fn rows(&self) -> &[u8] {
        self.rows.sections()
    }
}

impl Past {
    /// Parts the rows of some persons.
    pub(in crate::ingest) fn part(&self, persons: &[&str], named: Named<'_>, wanted: &Wanted) -> Result<Parted, Error> {
        let wishes = self.wishes(wanted)?;
        let mut made: Vec<Made<'_>> = wishes.iter().map(Made::of).collect();
        let mut staying = Vec::with_capacity(persons.len());
        self.reading(|db| {
            let mut statement = self.told(db.prepare_cached("SELECT payload, id FROM person WHERE psn_no = ?1"))?;
            for person in persons {
                let mut found = self.told(statement.query([person]))?;
                let Some(row) = self.told(found.next())? else { continue };
                let (rows, id) = (self.rows(person, row, 0)?, self.told(row.get(1))?);
                let mut part = || {
                    let [touched, stays] = parted(person, &rows, named)?;
                    for section in touched.tables() {
                        let section = section?;
                        if let Some(made) = made.iter_mut().find(|made| made.table == section.table) {
                            made.add(person, &section)?;
                        }
                    }
                    let mut ids = Ids::of_rows(&touched)?;
                    if !ids.traces.is_empty() {
                        let kept = Ids::of_rows(&stays)?.traces;
                        ids.traces.retain(|code| kept.binary_search(code).is_err());
                    }
                    Ok(Staying { psn_no: (*person).to_owned(), had: Had { id, ids }, rows: stays })
                };
                staying.push(part().map_err(|damage| self.damaged(person, damage))?);
            }
            Ok(())
        })?;
        let last = persons.last().copied().unwrap_or_default();
        let mut touched = BTreeMap::new();
        for made in made {
            touched.insert(made.table, made.finish().map_err(|damage| self.damaged(last, damage))?);
        }
        Ok(Parted { touched, staying })
    }

    /// A column of the rows of somebody that stay, section by section.
    pub(in crate::ingest) fn staying_column(
        &self,
        staying: &Staying,
        table: Table,
        column: &str,
    ) -> Result<Vec<ArrayRef>, Error> {
        let columns = staying.rows.of(table).and_then(|sections| sections.iter().map(|s| s.named(column)).collect());
        columns.map_err(|damage| self.damaged(&staying.psn_no, damage))
    }
}

/// Rows that may be touched, and rows that stay.
fn parted(person: &str, rows: &Rows, named: Named<'_>) -> Result<[Rows; 2], Damage> {
    let mut own = Vec::new();
    for encounters in rows.of(Table::Encounter)? {
        own.push(encounters.named("mdtrt_id")?);
    }
    let own = own.iter().flat_map(|ids| ids.as_string::<i32>().iter().flatten());
    let own: HashSet<&str> = own.filter(|id| !named.encounters.contains(*id)).collect();
    let (mut touched, mut stays) = (Vec::new(), Vec::new());
    for section in rows.tables() {
        let section = section?;
        if section.table.position("mdtrt_id").is_none() {
            touched.extend_from_slice(section.bytes);
            continue;
        }
        let encounters = section.named("mdtrt_id")?;
        let encounters = encounters.as_string::<i32>();
        // The lines of an encounter mostly stand together.
        let mut last = ("", false);
        let mut is_own = |row: usize| {
            let id = encounters.value(row);
            if last.0 != id {
                last = (id, own.contains(id));
            }
            last.1
        };
        let settlements = (section.table == Table::Settlement).then(|| section.named("setl_id")).transpose()?;
        let settlements: Option<&StringArray> = settlements.as_ref().map(|ids| ids.as_string());
        let is_named = |row: usize| settlements.is_some_and(|ids| named.settlements.contains(ids.value(row)));
        let mask: Vec<bool> = (0..section.rows).map(|row| is_own(row) && !is_named(row)).collect();
        let many = mask.iter().filter(|stays| **stays).count();
        if many == mask.len() {
            stays.extend_from_slice(section.bytes);
        } else if many == 0 {
            touched.extend_from_slice(section.bytes);
        } else {
            let batch = batch_of(person, section.table, std::slice::from_ref(&section))?;
            let mask = BooleanArray::from(mask);
            let bad = |_| "its rows cannot be parted";
            for (raw, mask) in [(&mut touched, not(&mask).map_err(bad)?), (&mut stays, mask)] {
                let batch = filter_record_batch(&batch, &mask).map_err(bad)?;
                payload::put_table(raw, section.table, &batch, 0..batch.num_rows());
            }
        }
    }
    Ok([Rows::of_sections(touched), Rows::of_sections(stays)])
}

/// Sections of a table as a batch with the schema of the dataset's file.
fn batch_of(person: &str, table: Table, sections: &[Section<'_>]) -> Result<RecordBatch, Damage> {
    let schema = bucket_schema(table);
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let wish = (table, Wish::of(table, &names).map_err(|_| "it lacks a column")?);
    let mut made = Made::of(&wish);
    for section in sections {
        made.add(person, section)?;
    }
    made.finish()
}

impl Packed {
    /// Of rows that stay, and all others that the person has now; those with every column of the dataset's files, in their order.
    pub(in crate::ingest) fn onto(psn_no: &str, stays: &[u8], rows: &[Own<'_>]) -> Result<Packed, Error> {
        let made = onto(psn_no, &Rows::of_sections(stays.to_vec()), rows);
        made.map_err(|damage| Error::new(format!("the rows of a person cannot be put together: {damage}")))
    }
}

fn onto(psn_no: &str, stays: &Rows, rows: &[Own<'_>]) -> Result<Packed, Damage> {
    let mut raw = Vec::with_capacity(stays.sections().len() * 2);
    let mut ids = Ids::of_batches(rows);
    let mut fee_lines = 0;
    for table in Table::ALL {
        let old = stays.of(table)?;
        let new = rows.iter().find(|(other, _, range)| *other == table && !range.is_empty());
        if table == Table::Encounter {
            for section in &old {
                ids.take(table, "endtime", &section.named("endtime")?);
            }
        }
        if table == Table::FeeDetail {
            let kept: usize = old.iter().map(|section| section.rows).sum();
            fee_lines = (kept + new.map_or(0, |(_, _, range)| range.len())) as u64;
        }
        match (old.as_slice(), new) {
            ([.., last], Some((_, batch, range))) if old.len() == SECTIONS || !is_after(last, batch, range.start)? => {
                let mine = [batch_of(psn_no, table, &old)?, batch.slice(range.start, range.len())];
                let all = concat_batches(&bucket_schema(table), &mine).map_err(|_| "its rows do not fit")?;
                let all = in_order(table, &all).map_err(|_| "its rows have no order")?;
                payload::put_table(&mut raw, table, &all, 0..all.num_rows());
            }
            (old, new) => {
                old.iter().for_each(|section| raw.extend_from_slice(section.bytes));
                if let Some((_, batch, range)) = new {
                    payload::put_table(&mut raw, table, batch, range.clone());
                }
            }
        }
    }
    Ok(Packed { psn_no: psn_no.to_owned(), fee_lines, payload: payload::packed(psn_no, &raw), ids })
}

/// Whether a row comes after all of a section for sure, by the first column of the order of its table.
fn is_after(section: &Section<'_>, batch: &RecordBatch, row: usize) -> Result<bool, Damage> {
    let first = super::change::order_of(section.table).first().copied();
    let name = first.unwrap_or(section.table.columns()[0].name);
    let (old, new) = (section.named(name)?, batch.column_by_name(name).ok_or("it lacks a column")?);
    let last = section.rows - 1;
    if old.is_null(last) || new.is_null(row) {
        return Ok(false);
    }
    Ok(match (old.as_string_opt::<i32>(), new.as_string_opt::<i32>()) {
        (Some(old), Some(new)) => old.value(last) < new.value(row),
        _ => {
            let time = |column: &ArrayRef, row: usize| {
                column.as_primitive_opt::<TimestampMicrosecondType>().map(|times| times.value(row))
            };
            time(&old, last).zip(time(new, row)).is_some_and(|(old, new)| old < new)
        }
    })
}
