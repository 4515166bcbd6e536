//! What of a person's rows a delivery may touch, what stays as it is, and how both become his rows again.
//!
//! **What stays.** A row of an encounter that the person's own rows begin and that no new row names. It shares a key with no new
//! row: the key of every table has the encounter, but that of settlements, whose own number must not be named either. It is
//! nobody else's: an encounter goes to another person only by a row that names it. So nothing that is said of new rows is
//! another because of it. What has no encounter stays unless the delivery tells of the person himself. A row of an encounter that the
//! person's rows do not begin never stays.
//!
//! **Put behind.** Where all rows stay and the new ones come after them, the new ones are kept beside what is there, and nothing of
//! that is written anew. Tables whose rows do not stand by time are small: if there are new rows of one, all of it is put behind.
//! Else, or where much was put behind already, all rows of the person are put together.
//!
//! Goes in: what new rows name, who is in the file; later the rows of a person that are new or were touched. Comes out: the rows
//! that may be touched; later the person, packed. Deliberately unknown here: what a new row does to an old one.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch, not};
use arrow::datatypes::TimestampMicrosecondType;
use hashbrown::{HashMap, HashSet};

use super::super::dataset::bucket_schema;
use super::change::{in_order, order_of};
use super::payload::{Damage, Own, Rows, Section};
use super::{Before, Error, Found, Ids, Made, Packed, Past, Wanted, Wish};
use crate::model::Table;

/// How often something is put behind the rows of a person before all are put together.
const BEHIND: usize = 8;

/// What new rows name.
#[derive(Debug, Clone, Copy)]
pub(in crate::ingest) struct Named<'a> {
    pub encounters: &'a BTreeSet<String>,
    pub settlements: &'a BTreeSet<String>,
    /// Persons of whom there are rows without an encounter.
    pub told: &'a BTreeSet<String>,
}

/// What is in the file of a person.
#[derive(Debug, Clone)]
pub(in crate::ingest) struct Had {
    pub psn_no: String,
    /// When the services were that stay: the first and last moment of each kind.
    pub times: Vec<ArrayRef>,
    id: i64,
    /// Fee lines that stay.
    lines: u64,
    /// Where each table ends; nothing where rows may be touched or much was put behind already.
    ends: Option<Vec<(Table, End)>>,
}

/// When the last row of a table was; nothing where its rows do not stand by time.
type End = Option<i64>;

/// Whether the rows of a table stand by time.
pub(super) fn stands_by_time(table: Table) -> bool {
    !order_of(table).is_empty()
}

/// The time of a row by which it stands in its place.
fn time_of(column: &ArrayRef, row: usize) -> End {
    column
        .as_primitive_opt::<TimestampMicrosecondType>()
        .filter(|times| times.is_valid(row))
        .map(|times| times.value(row))
}

impl Past {
    /// Parts the rows of some persons: those that new rows may touch, in the columns that are wanted, and what there is of each.
    /// `times`: columns of which the rows that stay are to be told.
    pub(in crate::ingest) fn part(
        &self,
        persons: &[&str],
        named: Named<'_>,
        wanted: &Wanted,
        times: &[(Table, &[&str])],
    ) -> Result<(BTreeMap<Table, RecordBatch>, Vec<Had>), Error> {
        let wishes = self.wishes(wanted)?;
        let mut made: Vec<Made<'_>> = wishes.iter().map(Made::of).collect();
        let mut all = Vec::with_capacity(persons.len());
        self.reading(|db| {
            for person in persons {
                let Some(Found { id, rows, behind }) = self.found(db, person)? else { continue };
                let part = || {
                    let [touched, stays] = parted(person, rows, named)?;
                    for section in touched.sections() {
                        let section = section?;
                        if let Some(made) = made.iter_mut().find(|made| made.table == section.table) {
                            made.add(person, &section)?;
                        }
                    }
                    let may_end = touched.is_empty() && behind < BEHIND;
                    Ok(Had {
                        psn_no: (*person).to_owned(),
                        times: columns(&stays, times)?,
                        id,
                        lines: stays.of(Table::FeeDetail)?.iter().map(|section| section.rows as u64).sum(),
                        ends: if may_end { Some(ends(&stays)?) } else { None },
                    })
                };
                all.push(part().map_err(|damage| self.damaged(person, damage))?);
            }
            Ok(())
        })?;
        let last = persons.last().copied().unwrap_or_default();
        let touched = made.into_iter().map(|made| Ok((made.table, made.finish()?))).collect::<Result<_, Damage>>();
        Ok((touched.map_err(|damage| self.damaged(last, damage))?, all))
    }

    /// A person with these rows, which are new or were touched, and with those that stay. `had`: who is in the file.
    pub(in crate::ingest) fn joined(
        &self,
        person: &str,
        rows: &[Own<'_>],
        named: Named<'_>,
        had: &HashMap<String, Had>,
    ) -> Result<Packed, Error> {
        let Some(had) = had.get(person) else { return Ok(Packed::of(person, rows)) };
        let found = || self.reading(|db| Ok(self.found(db, person)?.map(|found| found.rows).unwrap_or_default()));
        let damaged = |damage| self.damaged(person, damage);
        if let Some(ends) = had.ends.as_ref().filter(|ends| !rows.is_empty() && all_after(ends, rows)) {
            let in_time = |own: &&Own<'_>| stands_by_time(own.0) || !ends.iter().any(|(table, _)| *table == own.0);
            let (mut mine, others): (Vec<Own<'_>>, Vec<Own<'_>>) = rows.iter().cloned().partition(|own| in_time(&own));
            let whole = if others.is_empty() {
                Vec::new()
            } else {
                let tables: Vec<Table> = others.iter().map(|(table, _, _)| *table).collect();
                together(person, &found()?, &others, &tables).map_err(damaged)?
            };
            mine.extend(whole.iter().map(own));
            let mut packed = Packed::of(person, &mine);
            packed.fee_lines += had.lines;
            return Ok(Packed { behind: Some(had.id), ..packed });
        }
        let found = found()?;
        let ids = Ids::of_rows(&found).map_err(damaged)?;
        let [_, stays] = parted(person, found, named).map_err(damaged)?;
        let all = together(person, &stays, rows, &Table::ALL).map_err(damaged)?;
        let all: Vec<Own<'_>> = all.iter().map(own).collect();
        Ok(Packed { before: Some(Before { id: had.id, ids }), ..Packed::of(person, &all) })
    }
}

/// Rows that may be touched, and rows that stay.
fn parted(person: &str, rows: Rows, named: Named<'_>) -> Result<[Rows; 2], Damage> {
    let mut own = Vec::new();
    for encounters in rows.of(Table::Encounter)? {
        own.push(encounters.named("mdtrt_id")?);
    }
    let own = own.iter().flat_map(|ids| ids.as_string::<i32>().iter().flatten());
    let own: HashSet<&str> = own.filter(|id| !named.encounters.contains(*id)).collect();
    let staying = rows.sections().map(|section| staying(person, &section?, &own, named));
    let staying: Vec<Vec<bool>> = staying.collect::<Result<_, Damage>>()?;
    let mut touched = Rows::default();
    if staying.iter().flatten().all(|stays| *stays) {
        return Ok([touched, rows]);
    }
    let mut stays = Rows::default();
    for (section, mask) in rows.sections().zip(staying) {
        let section = section?;
        if mask.iter().all(|stays| *stays) {
            stays.take(&section);
        } else if mask.iter().all(|stays| !stays) {
            touched.take(&section);
        } else {
            let batch = batch_of(person, section.table, std::slice::from_ref(&section))?;
            let mask = BooleanArray::from(mask);
            let bad = |_| "its rows cannot be parted";
            for (rows, mask) in [(&mut touched, not(&mask).map_err(bad)?), (&mut stays, mask)] {
                rows.put(section.table, &filter_record_batch(&batch, &mask).map_err(bad)?);
            }
        }
    }
    Ok([touched, stays])
}

/// Which rows of a section stay. `own`: encounters of the person that nobody names.
fn staying(person: &str, section: &Section<'_>, own: &HashSet<&str>, named: Named<'_>) -> Result<Vec<bool>, Damage> {
    if section.table.position("mdtrt_id").is_none() {
        return Ok(vec![!named.told.contains(person); section.rows]);
    }
    let encounters = section.named("mdtrt_id")?;
    let encounters: &StringArray = encounters.as_string();
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
    let settlements: Option<&StringArray> = settlements.as_ref().map(AsArray::as_string);
    let is_named = |row: usize| settlements.is_some_and(|ids| named.settlements.contains(ids.value(row)));
    Ok((0..section.rows).map(|row| is_own(row) && !is_named(row)).collect())
}

fn columns(rows: &Rows, wanted: &[(Table, &[&str])]) -> Result<Vec<ArrayRef>, Damage> {
    let mut columns = Vec::new();
    for (table, names) in wanted {
        for section in rows.of(*table)? {
            for name in *names {
                columns.push(section.named(name)?);
            }
        }
    }
    Ok(columns)
}

fn ends(rows: &Rows) -> Result<Vec<(Table, End)>, Damage> {
    let mut ends = BTreeMap::new();
    for section in rows.sections() {
        let section = section?;
        let first = order_of(section.table).first();
        let last = first.map(|name| Ok::<_, Damage>(time_of(&section.named(name)?, section.rows - 1))).transpose()?;
        ends.insert(section.table, last.flatten());
    }
    Ok(ends.into_iter().collect())
}

/// Whether rows, which stand in order, come after those ends for sure, where they stand by time.
fn all_after(ends: &[(Table, End)], rows: &[Own<'_>]) -> bool {
    rows.iter().all(|(table, batch, range)| {
        let end = ends.iter().find(|(other, _)| other == table);
        let (Some((_, end)), Some(name)) = (end, order_of(*table).first()) else { return true };
        let first = batch.column_by_name(name).and_then(|column| time_of(column, range.start));
        end.zip(first).is_some_and(|(end, first)| end < first)
    })
}

fn own((table, batch): &(Table, RecordBatch)) -> Own<'_> {
    (*table, batch, 0..batch.num_rows())
}

/// Rows that stay and others, in the order of an ingest.
fn together(
    person: &str,
    stays: &Rows,
    rows: &[Own<'_>],
    tables: &[Table],
) -> Result<Vec<(Table, RecordBatch)>, Damage> {
    let mut all = Vec::new();
    for table in tables.iter().copied() {
        let mut parts = Vec::new();
        let old = stays.of(table)?;
        if !old.is_empty() {
            parts.push(batch_of(person, table, &old)?);
        }
        for (_, batch, range) in rows.iter().filter(|(other, _, _)| *other == table) {
            parts.push(batch.slice(range.start, range.len()));
        }
        if !parts.is_empty() {
            let batch = concat_batches(&bucket_schema(table), &parts).map_err(|_| "its rows do not fit")?;
            all.push((table, in_order(table, &batch).map_err(|_| "its rows have no order")?));
        }
    }
    Ok(all)
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
