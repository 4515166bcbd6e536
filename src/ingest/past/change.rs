//! Changing the past: whole persons are put or forgotten, all of a change or nothing of it.
//!
//! Goes in: a person's number and all rows he has from now on. Comes out: the file with these rows in the order that an ingest
//! of them would give, their ids, and a mark that the Parquet files do not have them so. Deliberately unknown here: how old
//! and new rows of a person become one.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use rusqlite::{Connection, params};

use super::super::dataset::bucket_schema;
use super::grown::there_is;
use super::payload::Own;
use super::{Before, Error, Found, Ids, Packed, Past, Value, opened};
use crate::model::Table;

/// Persons that wait to be written together.
const TOGETHER: usize = 256;

/// How long another change is waited for.
const SOON: Duration = Duration::from_secs(1);

/// A change that is under way; dropped without [`Change::commit`] it never was.
#[derive(Debug)]
pub struct Change<'p> {
    past: &'p Past,
    pub(super) db: Connection,
    waiting: Vec<Packed>,
}

/// The name of a note among what is known of the file.
pub(super) fn note(name: &str) -> String {
    format!("note {name}")
}

impl<'p> Change<'p> {
    pub(super) fn begin(past: &'p Past) -> Result<Change<'p>, Error> {
        let begun = opened(&past.path).and_then(|db| {
            db.busy_timeout(SOON)?;
            // What is changed stays in memory until it holds, and is written once, into the log; unless that has grown long,
            // nobody waits here for what is in it to be brought to its place, see [`Past::write_back`].
            db.execute_batch(
                "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16384; PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
            )
            .map(|()| db)
        });
        let db = begun.map_err(|e| {
            if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) {
                let path = past.path.display();
                Error::new(format!("`{path}` is being changed by somebody else; wait until that is done and try again"))
            } else {
                Error::at(&past.path, "write", &e)
            }
        })?;
        Ok(Change { past, db, waiting: Vec::new() })
    }

    /// Gives a person these rows and no others. Columns that a table lacks are null, tables that are not there have no rows.
    ///
    /// # Errors
    /// A column has another type than its table says; the file cannot be written.
    pub fn put(&mut self, person: &str, tables: &BTreeMap<Table, RecordBatch>) -> Result<(), Error> {
        let mut own = Vec::with_capacity(tables.len());
        for (table, batch) in tables.iter().filter(|(table, batch)| **table != Table::Facility && batch.num_rows() > 0)
        {
            own.push((*table, in_order(*table, &complete(*table, batch)?)?));
        }
        let rows: Vec<Own<'_>> = own.iter().map(|(table, batch)| (*table, batch, 0..batch.num_rows())).collect();
        self.put_packed(Packed::of(person, &rows))
    }

    /// The same of a person who is packed already.
    pub(in crate::ingest) fn put_packed(&mut self, packed: Packed) -> Result<(), Error> {
        self.waiting.push(packed);
        if self.waiting.len() == TOGETHER { self.write() } else { Ok(()) }
    }

    /// Takes all rows of a person away.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn forget(&mut self, person: &str) -> Result<(), Error> {
        self.put(person, &BTreeMap::new())
    }

    /// Keeps a word under a name, instead of what was there; it holds with the change.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
        self.done(self.db.execute(sql, params![note(name), value])).map(|_| ())
    }

    /// Makes the change hold: when this returns it is on the disk.
    ///
    /// # Errors
    /// The file cannot be written; then it is as it was.
    pub fn commit(self) -> Result<(), Error> {
        let past = self.past;
        self.commit_soon()?;
        past.sync()
    }

    /// Makes the change hold, whole or, should the power fail before [`Past::sync`], not at all.
    pub(in crate::ingest) fn commit_soon(mut self) -> Result<(), Error> {
        self.write()?;
        self.done(self.db.execute_batch("COMMIT"))
    }

    pub(super) fn done<T>(&self, result: rusqlite::Result<T>) -> Result<T, Error> {
        result.map_err(|e| Error::at(&self.past.path, "write", &e))
    }

    /// What the file has of a person.
    fn before(&self, person: &str) -> Result<Option<Before>, Error> {
        let Some(Found { id, rows, .. }) = self.past.found(&self.db, person)? else { return Ok(None) };
        let ids = Ids::of_rows(&rows).map_err(|damage| self.past.damaged(person, damage))?;
        Ok(Some(Before { id, ids }))
    }

    fn write(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut person = self.done(self.db.prepare(
            "INSERT INTO person(id, psn_no, changed, open, payload) VALUES (?1, ?2, 1, ?3, ?4) \
             ON CONFLICT(id) DO UPDATE SET changed = 1, open = excluded.open, payload = excluded.payload",
        ))?;
        let mut later = self.done(self.db.prepare("INSERT INTO later(person, open, payload) VALUES (?1, ?2, ?3)"))?;
        let mut together = self.done(self.db.prepare("DELETE FROM later WHERE person = ?1"))?;
        let mut forget = Vec::new();
        let mut keep = Vec::new();
        for (table, id) in [("encounter", "mdtrt_id"), ("settlement", "setl_id"), ("trace", "code")] {
            let sql = format!("DELETE FROM {table} WHERE {id} = ?1 AND person = ?2");
            forget.push(self.done(self.db.prepare(&sql))?);
            keep.push(self.done(self.db.prepare(&format!("INSERT OR REPLACE INTO {table} VALUES (?1, ?2)")))?);
        }
        let sql = "INSERT OR IGNORE INTO shared SELECT ?1 WHERE EXISTS (SELECT 1 FROM trace WHERE code = ?1 AND person <> ?2)";
        let kept = self.done(there_is(&self.db, "shared"))?;
        let mut shared = if kept { Some(self.done(self.db.prepare(sql))?) } else { None };
        for packed in waiting {
            let psn_no = &packed.psn_no;
            let open = packed.ids.open;
            let (id, old) = if let Some(id) = packed.behind {
                self.done(later.execute(params![id, open, packed.payload]))?;
                (id, Ids::default())
            } else {
                let before = match packed.before {
                    Some(before) => Some(before),
                    None => self.before(psn_no)?,
                };
                let (id, old) = before.map_or_else(Default::default, |before| (Some(before.id), before.ids));
                self.done(person.execute(params![id, psn_no, open, packed.payload]))?;
                let id = id.unwrap_or_else(|| self.db.last_insert_rowid());
                self.done(together.execute([id]))?;
                (id, old)
            };
            // Most of what a person has he had before: only the others are written.
            let (new, old) = (packed.ids.named(), old.named());
            for (table, (new, old)) in new.iter().zip(&old).enumerate() {
                for gone in old.difference(new) {
                    self.done(forget[table].execute(params![gone, id]))?;
                }
                for come in new.difference(old) {
                    self.done(keep[table].execute(params![come, id]))?;
                    if let Some(shared) = shared.as_mut().filter(|_| matches!(come, Value::Number(_))) {
                        self.done(shared.execute(params![come, id]))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Rows with every column of the dataset's file.
fn complete(table: Table, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let schema = bucket_schema(table);
    let rows = batch.num_rows();
    let column = |name: &str, kind| batch.column_by_name(name).cloned().unwrap_or_else(|| new_null_array(kind, rows));
    let columns = schema.fields().iter().map(|field| column(field.name(), field.data_type())).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|e| Error::new(format!("rows of `{}` cannot be kept: {e}", table.name())))
}

/// The columns by which an ingest puts rows in order; after them all columns.
pub(super) fn order_of(table: Table) -> &'static [&'static str] {
    match table {
        Table::FeeDetail => &["fee_ocur_time", "mdtrt_id", "feedetl_sn"],
        Table::Encounter => &["begntime", "mdtrt_id"],
        Table::Settlement => &["setl_time", "setl_id"],
        _ => &[],
    }
}

/// Rows in the order in which an ingest of them puts them.
pub(super) fn in_order(table: Table, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    if batch.num_rows() < 2 {
        return Ok(batch.clone());
    }
    let all = table.columns().iter().map(|column| column.name);
    let columns: Vec<SortColumn> = order_of(table)
        .iter()
        .copied()
        .chain(all)
        .filter_map(|name| batch.column_by_name(name))
        .map(|values: &ArrayRef| SortColumn { values: values.clone(), options: None })
        .collect();
    let failed = |e| Error::new(format!("rows of `{}` cannot be sorted: {e}", table.name()));
    let order = lexsort_to_indices(&columns, None).map_err(failed)?;
    take_record_batch(batch, &order).map_err(failed)
}
