//! Making `persons.db` from the Parquet files of a dataset.
//!
//! Unit by unit, as many at once as there are threads: the columns are read whole, each person's rows are packed, and the file
//! grows in the order of the dataset while the next units are read. Memory: two rounds of units, whatever the dataset. The ids
//! are sorted by the database on disk, so that each tree is written once from left to right. Made aside and moved into its place.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use rayon::prelude::*;
use rusqlite::{Connection, params};

use super::super::dataset::{Dataset, Unit};
use super::payload::Own;
use super::{Error, FILE, INDEXES, LATER, Packed, SCHEMA};
use crate::aside::Aside;
use crate::model::Table;
use crate::progress::Progress;

/// Ids in the order in which they are met.
const UNSORTED: &str = "
CREATE TABLE ids.encounter(id TEXT NOT NULL, person INTEGER NOT NULL);
CREATE TABLE ids.settlement(id TEXT NOT NULL, person INTEGER NOT NULL);
CREATE TABLE ids.trace(id INTEGER NOT NULL, person INTEGER NOT NULL);
";

/// Makes the file in its place.
pub(super) fn build(dataset: &Dataset, state: &str, path: &Path, progress: &dyn Progress) -> Result<(), Error> {
    let folder = dataset.folder();
    let aside = Aside::within(folder).map_err(|e| Error::at(folder, "write into", &e))?;
    let made = aside.path().join(FILE);
    let failed = |e: rusqlite::Error| Error::at(&made, "write", &e);
    let mut db = Connection::open(&made).map_err(failed)?;
    db.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
         PRAGMA cache_size = -32768;",
    )
    .map_err(failed)?;
    let ids = aside.path().join("ids.db");
    db.execute("ATTACH ?1 AS ids", [ids.to_string_lossy()]).map_err(failed)?;
    db.execute_batch("PRAGMA ids.journal_mode = OFF; PRAGMA ids.synchronous = OFF;").map_err(failed)?;
    db.execute_batch("BEGIN").map_err(failed)?;
    db.execute_batch(SCHEMA).map_err(failed)?;
    db.execute_batch(LATER).map_err(failed)?;
    db.execute_batch(UNSORTED).map_err(failed)?;

    progress.begin("persons", dataset.units_in_files().iter().map(|unit| unit.fee_lines).sum());
    let mut rounds = dataset.units_in_files().chunks(rayon::current_num_threads().max(1));
    let packed = |round: Option<&[Unit]>| round.map(|units| packed(dataset, units, progress)).transpose();
    let mut ready = packed(rounds.next())?;
    while let Some(persons) = ready {
        let next = rounds.next();
        let (written, next) = rayon::join(|| write(&mut db, &persons).map_err(failed), || packed(next));
        written?;
        ready = next?;
    }
    progress.end();

    progress.begin("index", 0);
    let sorted = "
        INSERT OR IGNORE INTO encounter SELECT id, person FROM ids.encounter ORDER BY id;
        INSERT OR IGNORE INTO settlement SELECT id, person FROM ids.settlement ORDER BY id;
        INSERT OR IGNORE INTO trace SELECT id, person FROM ids.trace ORDER BY id, person;";
    for sql in [sorted, INDEXES] {
        unless_stopped(&db, progress, || db.execute_batch(sql)).map_err(|e| told(failed(e), progress))?;
    }
    db.execute("INSERT INTO meta VALUES ('state', ?1)", [state]).map_err(failed)?;
    db.execute_batch("COMMIT; DETACH ids; PRAGMA journal_mode = WAL;").map_err(failed)?;
    db.close().map_err(|(_, e)| failed(e))?;
    progress.go_on()?;
    placed(&made, path).map_err(|e| Error::at(path, "write", &e))?;
    progress.end();
    Ok(())
}

fn told(error: Error, progress: &dyn Progress) -> Error {
    if progress.stopped() { crate::progress::Stopped.into() } else { error }
}

/// Does what may take long; gives it up as soon as it is wanted no longer.
fn unless_stopped<T>(db: &Connection, progress: &dyn Progress, work: impl FnOnce() -> T) -> T {
    let handle = db.get_interrupt_handle();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if progress.stopped() {
                    handle.interrupt();
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let made = work();
        done.store(true, Ordering::Relaxed);
        made
    })
}

/// Moves the file into its place, safe on the disk. What an earlier one left of its log must not be taken for this one's.
fn placed(made: &Path, path: &Path) -> io::Result<()> {
    fs::File::open(made)?.sync_all()?;
    for name in ["", "-wal", "-shm"] {
        let mut old = path.as_os_str().to_owned();
        old.push(name);
        match fs::remove_file(&old) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    fs::rename(made, path)
}

/// The persons of some units, in their order.
fn packed(dataset: &Dataset, units: &[Unit], progress: &dyn Progress) -> Result<Vec<Packed>, Error> {
    let of_unit = |unit: &Unit| -> Result<Vec<Packed>, Error> {
        progress.go_on()?;
        let mut tables = Vec::new();
        for table in
            Table::ALL.into_iter().filter(|table| unit.row_groups.get(table.name()).is_some_and(Option::is_some))
        {
            let schema = super::bucket_schema(table);
            let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            tables.push((table, dataset.read(unit, table, &columns)?));
        }
        let persons = persons_of(&tables);
        let packed = persons.into_iter().map(|(person, rows)| Packed::of(person, &rows)).collect();
        progress.advance(unit.fee_lines);
        Ok(packed)
    };
    let all = units.par_iter().map(of_unit).collect::<Result<Vec<_>, Error>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// The rows of each person; those of one person stand together in every table.
pub(in crate::ingest) fn persons_of(tables: &[(Table, RecordBatch)]) -> BTreeMap<&str, Vec<Own<'_>>> {
    let mut persons: BTreeMap<&str, Vec<Own<'_>>> = BTreeMap::new();
    for (table, batch) in tables {
        let Some(numbers) = batch.column_by_name("psn_no").map(AsArray::as_string::<i32>) else { continue };
        let mut first = 0;
        for row in 1..=numbers.len() {
            if row == numbers.len() || numbers.value(row) != numbers.value(first) {
                persons.entry(numbers.value(first)).or_default().push((*table, batch, first..row));
                first = row;
            }
        }
    }
    persons
}

fn write(db: &mut Connection, persons: &[Packed]) -> rusqlite::Result<()> {
    let mut person = db.prepare("INSERT INTO person(psn_no, changed, open, payload) VALUES (?1, 0, ?2, ?3)")?;
    let mut encounter = db.prepare("INSERT INTO ids.encounter VALUES (?1, ?2)")?;
    let mut settlement = db.prepare("INSERT INTO ids.settlement VALUES (?1, ?2)")?;
    let mut trace = db.prepare("INSERT INTO ids.trace VALUES (?1, ?2)")?;
    for packed in persons {
        let id = person.insert(params![packed.psn_no, packed.ids.open, packed.payload])?;
        for mdtrt_id in &packed.ids.encounters {
            encounter.execute(params![mdtrt_id, id])?;
        }
        for setl_id in &packed.ids.settlements {
            settlement.execute(params![setl_id, id])?;
        }
        for code in &packed.ids.traces {
            trace.execute(params![code, id])?;
        }
    }
    Ok(())
}
