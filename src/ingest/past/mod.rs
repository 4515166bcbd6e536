//! The past of persons, one read a person: `persons.db` in the folder of a dataset.
//!
//! ```text
//! buckets of a dataset ─ build ─ persons.db: person → payload, later ones │ encounter, settlement → person │ trace code → persons
//! later rows of persons ─ part, change ─┘               └─ read ─ the columns that are wanted, of these persons
//! ```
//! The Parquet files of a dataset are for reading everything; who asks about one person in a hundred thousand reads this:
//! about ten pages of a database file and one small block to unpack. It is made from the Parquet files when it is first asked
//! for, and again when it belongs to another state of them. Rows that come later are put here, person by person, instead of his
//! rows or behind them, each change whole or not at all; readers go on meanwhile. Whoever reads the whole dataset asks
//! [`Past::changed`] whose rows he has to take from here instead.
//!
//! Goes in: a [`Dataset`], later whole persons. Comes out: batches as the dataset would give them. Deliberately unknown here:
//! rules, what is pending, where later rows come from.

mod build;
mod change;
mod grown;
mod part;
mod payload;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Schema, SchemaRef, TimestampMicrosecondType};
use hashbrown::HashSet;
use rayon::prelude::*;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use sha2::{Digest, Sha256};

use super::Error;
use super::dataset::{Dataset, bucket_schema, unknown_column};
use crate::model::{Table, codes, day};
use crate::progress::Progress;
pub(super) use build::persons_of;
pub use change::Change;
pub(super) use grown::Waiting;
pub(super) use part::{Had, Named};
pub(super) use payload::Own;
use payload::{Column, Damage, FORM, Rows, Section};

/// The file in a dataset's folder.
pub const FILE: &str = "persons.db";

/// Columns by table.
pub type Wanted = BTreeMap<Table, Vec<&'static str>>;

/// Ids that one thread looks up in one go.
const A_LOT: usize = 64;

/// Persons whose rows one thread reads in one go.
const PERSONS: usize = 256;

/// Wishes whose places are remembered.
const WISHES: usize = 16;

const SCHEMA: &str = "
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE person(id INTEGER PRIMARY KEY, psn_no TEXT NOT NULL, changed INTEGER NOT NULL, open INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE encounter(mdtrt_id TEXT PRIMARY KEY, person INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE settlement(setl_id TEXT PRIMARY KEY, person INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE trace(code INTEGER NOT NULL, person INTEGER NOT NULL, PRIMARY KEY(code, person)) WITHOUT ROWID;
";

/// What was put behind the rows of a person since they were written.
const LATER: &str = "
CREATE TABLE IF NOT EXISTS later(id INTEGER PRIMARY KEY, person INTEGER NOT NULL, open INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS later_of ON later(person);
CREATE INDEX IF NOT EXISTS open_later ON later(person) WHERE open;
";

const INDEXES: &str = "
CREATE UNIQUE INDEX person_of ON person(psn_no);
CREATE INDEX changed_person ON person(id) WHERE changed;
CREATE INDEX open_person ON person(id) WHERE open;
";

/// What a row is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// `mdtrt_id`
    Encounter(&'a str),
    /// `setl_id`
    Settlement(&'a str),
}

/// The past of persons. Read by many threads at once.
#[derive(Debug)]
pub struct Past {
    path: PathBuf,
    /// Connections that nobody uses just now; as many as threads that read at once.
    readers: Mutex<Vec<Connection>>,
    wishes: Mutex<Vec<(Wanted, Arc<Wishes>)>>,
}

/// Places of the columns that are wanted, by table.
type Wishes = Vec<(Table, Wish)>;

#[derive(Debug)]
struct Wish {
    schema: SchemaRef,
    /// Positions in the schema of the dataset's file; nothing: the person.
    places: Vec<Option<usize>>,
}

impl Wish {
    fn of(table: Table, columns: &[&str]) -> Result<Wish, Error> {
        let whole = bucket_schema(table);
        let mut fields = Vec::with_capacity(columns.len());
        let mut places = Vec::with_capacity(columns.len());
        for column in columns {
            let at = whole.index_of(column).map_err(|_| unknown_column(table, column))?;
            fields.push(Arc::clone(&whole.fields()[at]));
            places.push((*column != "psn_no").then_some(at));
        }
        Ok(Wish { schema: Arc::new(Schema::new(fields)), places })
    }
}

/// The rows of some persons in a table, in the making.
struct Made<'w> {
    table: Table,
    wish: &'w Wish,
    rows: usize,
    columns: Vec<Column>,
}

impl Made<'_> {
    fn of((table, wish): &(Table, Wish)) -> Made<'_> {
        let columns = wish.schema.fields().iter().map(|field| Column::new(field.data_type())).collect();
        Made { table: *table, wish, rows: 0, columns }
    }

    fn add(&mut self, person: &str, section: &Section<'_>) -> Result<(), Damage> {
        self.rows += section.rows;
        for (column, place) in self.columns.iter_mut().zip(&self.wish.places) {
            match place {
                Some(at) => section.add_to(column, *at)?,
                None => column.add_text(person, section.rows)?,
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<RecordBatch, Damage> {
        let columns = self.columns.into_iter().map(Column::finish).collect::<Result<_, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.wish.schema), columns, &rows)
            .map_err(|_| "columns do not fit")
    }
}

/// Every column of every table that belongs to persons.
#[must_use]
pub fn everything() -> Wanted {
    let of_persons = Table::ALL.into_iter().filter(|table| *table != Table::Facility);
    let columns = |table: Table| {
        let own = table.columns().iter().map(|column| column.name);
        own.chain(table.position("psn_no").is_none().then_some("psn_no")).collect()
    };
    of_persons.map(|table| (table, columns(table))).collect()
}

impl Past {
    /// Opens the file of a dataset; makes it where it is missing or belongs to another state of the dataset, which takes about
    /// as long as an audit does. Nothing is left behind by work that was given up.
    ///
    /// # Errors
    /// The dataset cannot be read, its folder not written, or the work is wanted no longer. The file belongs to another state of
    /// the dataset, and rows that came later are in it: they are nowhere else.
    pub fn of(dataset: &Dataset, progress: &dyn Progress) -> Result<Past, Error> {
        let path = dataset.folder().join(FILE);
        let state = state_of(dataset)?;
        if !belongs(&path, &state)? {
            build::build(dataset, &state, &path, progress)?;
        }
        let past = Past { path, readers: Mutex::default(), wishes: Mutex::default() };
        past.reading(|db| db.execute_batch(LATER).map_err(|e| Error::at(&past.path, "write", &e)))?;
        Ok(past)
    }

    /// Every row of some persons in these columns, person by person in the order in which they are named; the tables of
    /// nobody's rows are empty. `psn_no` is there for every table.
    ///
    /// # Errors
    /// The file cannot be read or is damaged; a column is unknown.
    pub fn read(&self, persons: &[&str], wanted: &Wanted) -> Result<BTreeMap<Table, RecordBatch>, Error> {
        let wishes = self.wishes(wanted)?;
        let lots = if persons.len() <= PERSONS {
            vec![self.read_lot(persons, &wishes)?]
        } else {
            persons.par_chunks(PERSONS).map(|lot| self.read_lot(lot, &wishes)).collect::<Result<_, Error>>()?
        };
        let mut read = BTreeMap::new();
        for (at, (table, wish)) in wishes.iter().enumerate() {
            let batch = match lots.as_slice() {
                [only] => only[at].clone(),
                many => concat_batches(&wish.schema, many.iter().map(|lot| &lot[at]))
                    .map_err(|e| Error::at(&self.path, "read", &e))?,
            };
            read.insert(*table, batch);
        }
        Ok(read)
    }

    /// What [`Past::read`] wants of a few persons, for each wish.
    fn read_lot(&self, persons: &[&str], wishes: &Wishes) -> Result<Vec<RecordBatch>, Error> {
        let mut made: Vec<Made<'_>> = wishes.iter().map(Made::of).collect();
        self.reading(|db| {
            for person in persons {
                let Some(Found { rows, .. }) = self.found(db, person)? else { continue };
                for section in rows.sections() {
                    let section = section.map_err(|damage| self.damaged(person, damage))?;
                    if let Some(made) = made.iter_mut().find(|made| made.table == section.table) {
                        made.add(person, &section).map_err(|damage| self.damaged(person, damage))?;
                    }
                }
            }
            Ok(())
        })?;
        let last = persons.last().copied().unwrap_or_default();
        let finished = made.into_iter().map(|made| made.finish().map_err(|damage| self.damaged(last, damage)));
        finished.collect()
    }

    /// Whose an encounter or a settlement is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn person_of(&self, key: Key<'_>) -> Result<Option<String>, Error> {
        let (sql, id) = match key {
            Key::Encounter(id) => {
                ("SELECT psn_no FROM encounter JOIN person ON person.id = encounter.person WHERE mdtrt_id = ?1", id)
            }
            Key::Settlement(id) => {
                ("SELECT psn_no FROM settlement JOIN person ON person.id = settlement.person WHERE setl_id = ?1", id)
            }
        };
        self.reading(|db| {
            let mut statement = self.told(db.prepare_cached(sql))?;
            self.told(statement.query_row([id], |row| row.get(0)).optional())
        })
    }

    /// These persons and all who hold a drug trace code that one of them holds, and who hold one with those, and so on.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn sharing(&self, persons: &BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
        if let Some(holders) = self.holders()? {
            return Ok(grown::linked(persons, &holders));
        }
        let mut all = persons.clone();
        let mut waiting: Vec<String> = persons.iter().cloned().collect();
        let mut asked: HashSet<i64> = HashSet::new();
        self.reading(|db| {
            let mut others = self.told(db.prepare_cached(
                "SELECT psn_no FROM trace JOIN person ON person.id = trace.person WHERE trace.code = ?1",
            ))?;
            while let Some(person) = waiting.pop() {
                let Some(Found { rows, .. }) = self.found(db, &person)? else { continue };
                let traces = Ids::of_rows(&rows).map_err(|damage| self.damaged(&person, damage))?.traces;
                for code in traces.into_iter().filter(|code| asked.insert(*code)) {
                    for other in self.told(others.query_map([code], |row| row.get::<_, String>(0)))? {
                        let other = self.told(other)?;
                        if !all.contains(&other) {
                            waiting.push(other.clone());
                            all.insert(other);
                        }
                    }
                }
            }
            Ok(all)
        })
    }

    /// Persons with an encounter that has not ended: what is said of them changes with the day on which it is asked.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open_stays(&self) -> Result<BTreeSet<String>, Error> {
        self.persons(
            "SELECT psn_no FROM person WHERE open UNION \
             SELECT psn_no FROM later JOIN person ON person.id = later.person WHERE later.open",
        )
    }

    /// Persons whose rows were put here, or taken away, since the Parquet files were written: whoever reads those leaves these
    /// persons out and reads them here.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn changed(&self) -> Result<BTreeSet<String>, Error> {
        self.persons(
            "SELECT psn_no FROM person WHERE changed UNION \
             SELECT psn_no FROM later JOIN person ON person.id = later.person",
        )
    }

    /// What a change noted under a name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn noted(&self, name: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        self.reading(|db| self.told(db.query_row(sql, [change::note(name)], |row| row.get(0)).optional()))
    }

    /// Begins a change: nothing of it is there until it is committed. One at a time; readers see what was before.
    ///
    /// # Errors
    /// The file cannot be written; another change is under way.
    pub fn change(&self) -> Result<Change<'_>, Error> {
        Change::begin(self)
    }

    /// Waits until all changes that hold are on the disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        match std::fs::File::open(&log).and_then(|log| log.sync_all()) {
            // Whoever closed the file last has brought all to its place.
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::at(Path::new(&log), "write", &e)),
            _ => Ok(()),
        }
    }

    /// Brings what changes wrote into the log to its place in the file, beside those who read. Who closes the file last does it in
    /// any case; until then it may be done while nobody waits for it.
    ///
    /// # Errors
    /// The file cannot be written; what holds stays in the log.
    pub fn write_back(&self) -> Result<(), Error> {
        let done = opened(&self.path).and_then(|db| db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
        done.map_err(|e| Error::at(&self.path, "write", &e))
    }

    fn persons(&self, sql: &str) -> Result<BTreeSet<String>, Error> {
        self.reading(|db| {
            let mut statement = self.told(db.prepare(sql))?;
            let found = self.told(statement.query_map([], |row| row.get(0)))?;
            self.told(found.collect())
        })
    }

    fn wishes(&self, wanted: &Wanted) -> Result<Arc<Wishes>, Error> {
        let mut known = whole(&self.wishes);
        if let Some((_, wishes)) = known.iter().find(|(known, _)| known == wanted) {
            return Ok(Arc::clone(wishes));
        }
        let made = wanted.iter().map(|(table, columns)| Ok((*table, Wish::of(*table, columns)?)));
        let made: Arc<Wishes> = Arc::new(made.collect::<Result<_, Error>>()?);
        if known.len() == WISHES {
            known.clear();
        }
        known.push((wanted.clone(), Arc::clone(&made)));
        Ok(made)
    }

    /// What a connection sees of a person.
    fn found(&self, db: &Connection, person: &str) -> Result<Option<Found>, Error> {
        let mut first = self.told(db.prepare_cached("SELECT id, payload FROM person WHERE psn_no = ?1"))?;
        let mut row = self.told(first.query([person]))?;
        let Some(row) = self.told(row.next())? else { return Ok(None) };
        let (id, rows) = (self.told(row.get(0))?, self.rows(person, row, 1)?);
        // The first statement is not done yet, so that both see the same state, whoever changes the file meanwhile.
        let mut later = self.told(db.prepare_cached("SELECT payload FROM later WHERE person = ?1 ORDER BY id"))?;
        let mut later = self.told(later.query([id]))?;
        let mut all = vec![rows];
        while let Some(row) = self.told(later.next())? {
            all.push(self.rows(person, row, 0)?);
        }
        let behind = all.len() - 1;
        let rows = if behind == 0 {
            all.remove(0)
        } else {
            Rows::with_later(&all, part::stands_by_time).map_err(|damage| self.damaged(person, damage))?
        };
        Ok(Some(Found { id, rows, behind }))
    }

    /// The rows in a column of a result.
    fn rows(&self, person: &str, row: &Row<'_>, at: usize) -> Result<Rows, Error> {
        let payload = self.told(row.get_ref(at))?;
        let payload = payload.as_blob().map_err(|e| Error::at(&self.path, "read", &e))?;
        Rows::open(person, payload).map_err(|damage| self.damaged(person, damage))
    }

    fn damaged(&self, person: &str, damage: Damage) -> Error {
        Error::new(format!(
            "`{}` is damaged: the rows of a person cannot be read: {damage} (the number ends with {}); bring the file back from a \
             backup, or, if no rows were appended to the dataset, remove it: it is made again",
            self.path.display(),
            person.char_indices().nth_back(3).map_or(person, |(at, _)| &person[at..]),
        ))
    }

    fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T, Error> {
        result.map_err(|e| Error::at(&self.path, "read", &e))
    }

    /// Reads with a connection of its own.
    fn reading<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let idle = whole(&self.readers).pop();
        let db = match idle {
            Some(db) => db,
            None => self.told(opened(&self.path))?,
        };
        let done = read(&db);
        whole(&self.readers).push(db);
        done
    }
}

/// What is behind a lock is whole at every moment, whoever panicked.
fn whole<T>(behind: &Mutex<T>) -> MutexGuard<'_, T> {
    behind.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection to a file that is there.
fn opened(path: &Path) -> rusqlite::Result<Connection> {
    // Whoever closes last writes back what is in the log, so nobody opens it for reading only.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    // The inner pages of the trees: 4 MB a reader.
    db.execute_batch("PRAGMA cache_size = -4096; PRAGMA synchronous = FULL;")?;
    Ok(db)
}

/// What the file was made from: the form of it, and the dataset's units with the sizes of their files.
fn state_of(dataset: &Dataset) -> Result<String, Error> {
    let mut hash = Sha256::new();
    hash.update([FORM]);
    let units = serde_json::to_vec(dataset.units_in_files()).map_err(|e| Error::new(e.to_string()))?;
    hash.update(units);
    let mut files = BTreeSet::new();
    for unit in dataset.units_in_files() {
        for (name, _) in unit.row_groups.iter().filter(|(_, group)| group.is_some()) {
            files.extend(Table::named(name).map(|table| dataset.file(unit, table)));
        }
    }
    for file in files {
        let bytes = std::fs::metadata(&file).map_err(|e| Error::at(&file, "read", &e))?.len();
        hash.update(bytes.to_le_bytes());
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether there is such a file and it belongs to this state of the dataset.
fn belongs(path: &Path, state: &str) -> Result<bool, Error> {
    if !path.exists() {
        return Ok(false);
    }
    let one = |db: &Connection, sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0));
    // Whatever is wrong with it, rows that are nowhere else are not made again from the Parquet files.
    let appended = path.with_file_name(super::dataset::MARK).exists();
    let db = match opened(path) {
        Ok(db) => db,
        Err(e) if e.sqlite_error_code() != Some(rusqlite::ErrorCode::NotADatabase) => {
            // It has to write a little even where it is only to be read.
            return Err(Error::at(path, "write", &e));
        }
        Err(e) if appended => return Err(Error::at(path, "read", &e)),
        Err(_) => return Ok(false),
    };
    match one(&db, "SELECT value FROM meta WHERE name = 'state'") {
        Ok(known) if known == state => Ok(true),
        // No such file, or one of a run that was killed while it was made.
        Err(rusqlite::Error::SqliteFailure(cause, _))
            if !matches!(cause.code, rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::Unknown) =>
        {
            Err(Error::at(path, "read", &cause))
        }
        _ => {
            // A file of an earlier version may lack the second table.
            let grown =
                "SELECT count(*) || '' FROM (SELECT id FROM person WHERE changed UNION SELECT person FROM later)";
            let changed = "SELECT count(*) || '' FROM person WHERE changed";
            let later = one(&db, grown).or_else(|_| one(&db, changed)).unwrap_or_default();
            if later == "0" || (later.is_empty() && !appended) {
                return Ok(false);
            }
            Err(Error::new(format!(
                "`{}` belongs to another state of the dataset, and has the rows of {} persons that were appended to it: bring \
                 back the dataset's files as they were, or ingest everything again into a new folder",
                path.display(),
                if later.is_empty() { "unknown" } else { &later }
            )))
        }
    }
}

/// A person in the file.
struct Found {
    id: i64,
    rows: Rows,
    /// How often something was put behind them.
    behind: usize,
}

/// Where a person stands in the file, and the ids he has there.
#[derive(Debug, Default)]
struct Before {
    id: i64,
    ids: Ids,
}

/// What rows of a person are known by, and whether one of his encounters is open.
#[derive(Debug, Default)]
struct Ids {
    encounters: Vec<String>,
    settlements: Vec<String>,
    /// Short names of trace codes, each once. Two codes with one name would only make a circle of persons larger.
    traces: Vec<i64>,
    open: bool,
}

impl Ids {
    fn of_rows(rows: &Rows) -> Result<Ids, Damage> {
        let mut ids = Ids::default();
        for (table, columns) in Ids::COLUMNS {
            for section in rows.of(table)? {
                for column in columns {
                    ids.take(table, column, &section.named(column)?);
                }
            }
        }
        ids.traces.sort_unstable();
        ids.traces.dedup();
        Ok(ids)
    }

    fn of_batches(rows: &[Own<'_>]) -> Ids {
        let mut ids = Ids::default();
        for (table, columns) in Ids::COLUMNS {
            for (_, batch, range) in rows.iter().filter(|(other, _, _)| *other == table) {
                for name in columns {
                    if let Some(column) = batch.column_by_name(name) {
                        ids.take(table, name, &column.slice(range.start, range.len()));
                    }
                }
            }
        }
        ids.traces.sort_unstable();
        ids.traces.dedup();
        ids
    }

    const COLUMNS: [(Table, &[&str]); 3] = [
        (Table::Encounter, &["mdtrt_id", "endtime"]),
        (Table::Settlement, &["setl_id"]),
        (Table::FeeDetail, &["drug_trac_codg"]),
    ];

    fn take(&mut self, table: Table, name: &str, column: &ArrayRef) {
        if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
            // An end in the year 9999 is none.
            let day = |time: i64| i32::try_from(time.div_euclid(86_400_000_000)).unwrap_or(i32::MAX);
            self.open |= times.iter().any(|time| time.is_none_or(|time| day::OPEN_END.contains(&day(time))));
            return;
        }
        debug_assert_eq!(column.data_type(), &DataType::Utf8, "{name} is a text");
        let texts = column.as_string::<i32>().iter().flatten();
        match table {
            Table::Encounter => self.encounters.extend(texts.map(str::to_owned)),
            Table::Settlement => self.settlements.extend(texts.map(str::to_owned)),
            _ => {
                let codes = texts.flat_map(codes::trace_codes);
                self.traces.extend(codes.map(|code| payload::mixed(0, code.as_bytes()).cast_signed()));
            }
        }
    }
}

impl Ids {
    /// Encounters, settlements and traces, as the tables of the file have them.
    fn named(&self) -> [BTreeSet<Value>; 3] {
        let texts = |ids: &[String]| ids.iter().map(|id| Value::Text(id.clone())).collect();
        let numbers = self.traces.iter().map(|code| Value::Number(*code)).collect();
        [texts(&self.encounters), texts(&self.settlements), numbers]
    }
}

/// An id as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    Number(i64),
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Value::Text(text) => text.to_sql(),
            Value::Number(number) => number.to_sql(),
        }
    }
}

/// A person ready to be written.
#[derive(Debug)]
pub(super) struct Packed {
    pub psn_no: String,
    /// All that he has.
    pub fee_lines: u64,
    /// What the file has of him; nothing: that is to be looked up.
    before: Option<Before>,
    /// Behind whose rows these are put; nothing: they are all that he has.
    behind: Option<i64>,
    payload: Vec<u8>,
    ids: Ids,
}

impl Packed {
    /// Of rows with every column of the dataset's files, in their order.
    pub(super) fn of(psn_no: &str, rows: &[Own<'_>]) -> Packed {
        let lines = rows.iter().filter(|(table, _, _)| *table == Table::FeeDetail);
        Packed {
            psn_no: psn_no.to_owned(),
            before: None,
            behind: None,
            fee_lines: lines.map(|(_, _, rows)| rows.len() as u64).sum(),
            payload: payload::pack(psn_no, rows),
            ids: Ids::of_batches(rows),
        }
    }
}
