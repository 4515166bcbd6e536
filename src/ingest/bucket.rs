//! From spilled records to the buckets of a dataset: whose rows they are, which are there twice, in which order they stand.
//!
//! Two steps, each over one part at a time, so that memory is that of a part for each thread. [`assign`] takes a partition
//! by key: settles encounters and settlements that are there more than once, gives diagnoses and the like the person of
//! their encounter, and finds fee lines and settlements whose person is not their encounter's. [`sort`] takes a bucket of
//! persons: settles the rest, sorts, cuts units. What it made goes one of two ways: [`Sorted::write`] writes Parquet,
//! [`Sorted::pack`] packs the persons for `past`. Goes in: records of `intake`. Comes out: files or packed persons, counts,
//! complaints. Not known here: where a row was read.
//!
//! Nothing here depends on the order of records: groups are compared as a whole and rows sorted by all they hold.
//!
//! Rows that are in the dataset already may be among the records, when `append` takes in more: each has a *turn*, and what came
//! later wins. Within a turn nothing is later than anything else.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use hashbrown::hash_table::{Entry, HashTable};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::Error;
use super::append::{Sent, count, stranger};
use super::columns::batch;
use super::dataset::{Unit, bucket_folder, bucket_of, bucket_schema};
use super::intake::{CHARGED, EARLIER, Ledger, NOW, SPLIT, WAITING, amount_of, put_record, put_record_of};
use super::packed::{Packed, Unpacker, compare, pick, put_text, text_of};
use super::past;
use super::spill::Complaints;
use crate::model::Table;
use crate::progress::Progress;

/// Fee lines of a unit, about.
const UNIT_LINES: u64 = 100_000;

const DAY: i64 = 86_400_000_000;

/// A row on its way.
#[derive(Debug, Clone, Copy)]
struct Record<'a> {
    tag: u8,
    turn: u32,
    file: u32,
    row: u64,
    payload: &'a [u8],
}

impl Record<'_> {
    fn is_split(&self) -> bool {
        self.tag & SPLIT != 0
    }

    /// Whether it was set aside until now.
    fn waited(&self) -> bool {
        self.tag & WAITING != 0
    }

    /// Whether the dataset has it already.
    fn is_kept(&self) -> bool {
        self.tag & (EARLIER | WAITING) == EARLIER
    }

    /// Writes it on, with another payload perhaps.
    fn put(&self, out: &mut Vec<u8>, payload: &[u8]) {
        put_record_of(out, self.tag, self.turn, self.file, self.row, payload);
    }
}

/// A row that is set aside because of its encounter: it belongs to the dataset once that says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waits {
    pub encounter: String,
    pub turn: u32,
    pub file: u32,
    pub row: u64,
    pub table: Table,
    pub payload: Vec<u8>,
    /// It is no news.
    pub waited: bool,
}

/// Records by table, and the pairs (encounter, person).
struct Records<'a> {
    tables: Vec<Vec<Record<'a>>>,
    charged: Vec<(&'a [u8], &'a [u8])>,
}

fn records(bytes: &[u8]) -> Records<'_> {
    let mut records = Records { tables: vec![Vec::new(); Table::ALL.len()], charged: Vec::new() };
    let mut bytes = Unpacker::new(bytes);
    while !bytes.is_done() {
        let tag = bytes.byte();
        let turn = if tag & EARLIER == 0 { NOW } else { u32::try_from(bytes.number()).expect("written from 32 bits") };
        let file = u32::try_from(bytes.number()).expect("written from 32 bits");
        let row = bytes.number();
        let payload = bytes.slice();
        if tag == CHARGED {
            let mut pair = Unpacker::new(payload);
            records.charged.push((pair.slice(), pair.slice()));
        } else {
            let table = usize::from(tag & !(SPLIT | EARLIER | WAITING));
            records.tables[table].push(Record { tag, turn, file, row, payload });
        }
    }
    records
}

/// Who and what some records name.
#[derive(Debug, Default)]
pub(super) struct Whose {
    pub persons: BTreeSet<String>,
    /// Encounters of rows of any table.
    pub encounters: BTreeSet<String>,
    /// Encounters that are rows themselves.
    pub begun: BTreeSet<String>,
    pub settlements: BTreeSet<String>,
    /// Persons of rows without an encounter.
    pub told: BTreeSet<String>,
    /// Whether there is a row of a facility.
    pub facilities: bool,
    /// Fee lines by facility.
    pub sent: Sent,
}

impl Whose {
    /// Looks at more records.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        let records = records(bytes);
        let mut note = |known: fn(&mut Whose) -> &mut BTreeSet<String>, text: &[u8]| {
            let known = known(self);
            if !known.contains(text_of(text)) {
                known.insert(text_of(text).to_owned());
            }
        };
        for (table, rows) in Table::ALL.into_iter().zip(&records.tables) {
            let named = |column: &str| table.position(column).map(|p| Names { table, positions: [p], order: [0] });
            let (person, encounter) = (named("psn_no"), named("mdtrt_id"));
            for row in rows {
                if let Some([person]) = person.as_ref().map(|names| names.in_row(row.payload)) {
                    note(|whose| &mut whose.persons, person);
                    if encounter.is_none() {
                        note(|whose| &mut whose.told, person);
                    }
                }
                if let Some([encounter]) = encounter.as_ref().map(|names| names.in_row(row.payload)) {
                    note(|whose| &mut whose.encounters, encounter);
                    if table == Table::Encounter {
                        note(|whose| &mut whose.begun, encounter);
                    }
                }
                if table == Table::Settlement {
                    let [settlement] = Names::of(table, ["setl_id"]).in_row(row.payload);
                    note(|whose| &mut whose.settlements, settlement);
                }
            }
        }
        let line = Names::of(Table::FeeDetail, ["fixmedins_code", "fee_ocur_time"]);
        for row in &records.tables[Table::FeeDetail as usize] {
            let [facility, time] = line.pick(row.payload);
            let day = time.number().unwrap_or_default().div_euclid(86_400);
            count(&mut self.sent, text_of(facility.text()), i32::try_from(day).expect("years are bounded"));
        }
        self.facilities |= !records.tables[Table::Facility as usize].is_empty();
    }

    /// What both name.
    pub(super) fn and(mut self, mut other: Whose) -> Whose {
        self.persons.append(&mut other.persons);
        self.encounters.append(&mut other.encounters);
        self.begun.append(&mut other.begun);
        self.settlements.append(&mut other.settlements);
        self.told.append(&mut other.told);
        self.facilities |= other.facilities;
        for (facility, (lines, last)) in other.sent {
            let known = self.sent.entry(facility).or_insert((0, last));
            *known = (known.0 + lines, known.1.max(last));
        }
        self
    }
}

/// What a step leaves besides files.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Records for the buckets of persons.
    pub people: Vec<Vec<u8>>,
    /// Packed rows of the facility table.
    pub facilities: Vec<Vec<u8>>,
    pub complaints: Complaints,
    pub ledger: Ledger,
    pub units: Vec<Unit>,
    /// Persons with all their rows, where these go into no files.
    pub persons: Vec<past::Packed>,
    pub days: Option<(i32, i32)>,
    /// Whether rows may wait for their encounter: not where nothing tells of encounters.
    may_wait: bool,
    /// Rows that do.
    pub waits: Vec<Waits>,
    /// Persons who are charged in an encounter that nobody knows: (encounter, person).
    pub unknown: BTreeSet<(String, String)>,
    /// Persons of whom the dataset has other rows now than before.
    pub changed: BTreeSet<String>,
}

impl Outcome {
    /// Sets a row aside because of its encounter. What was set aside for it before is no news.
    fn wait(&mut self, table: Table, record: &Record<'_>, encounter: &[u8], column: &str, reason: &str, text: &str) {
        if !record.waited() {
            self.complaints.add(record.file, record.row, column, reason, text);
        }
        if !self.may_wait {
            return;
        }
        self.waits.push(Waits {
            encounter: text_of(encounter).to_owned(),
            turn: record.turn,
            file: record.file,
            row: record.row,
            table,
            payload: record.payload.to_vec(),
            waited: record.waited(),
        });
    }
}

/// Step one, for one partition by key. `may_wait`: whether what has no encounter is remembered for the day when it has; `grows`:
/// also who is charged in it.
pub(super) fn assign(bytes: &[u8], buckets: usize, may_wait: bool, grows: bool) -> Outcome {
    let mut out = Outcome { people: vec![Vec::new(); buckets], may_wait, ..Outcome::default() };
    let mut records = records(bytes);
    let mut take = |table: Table| std::mem::take(&mut records.tables[table as usize]);

    let mut persons: HashMap<&[u8], &[u8]> = HashMap::new();
    let ids = Names::of(Table::Encounter, ["mdtrt_id", "psn_no"]);
    for record in settle(Table::Encounter, take(Table::Encounter), &mut out) {
        let [encounter, person] = ids.in_row(record.payload);
        persons.insert(encounter, person);
        record.put(&mut out.people[bucket_of(person, buckets)], record.payload);
    }
    let ids = Names::of(Table::Settlement, ["psn_no"]);
    for record in settle(Table::Settlement, take(Table::Settlement), &mut out) {
        let [person] = ids.in_row(record.payload);
        record.put(&mut out.people[bucket_of(person, buckets)], record.payload);
    }
    for record in settle(Table::Facility, take(Table::Facility), &mut out) {
        out.facilities.push(record.payload.to_vec());
    }
    let mut payload = Vec::new();
    for table in [Table::Diagnosis, Table::Operation, Table::Presence, Table::SpecialCase] {
        let mut found = take(table);
        if found.iter().any(Record::is_split) {
            // Of the lines that say the same, the first one is complained of.
            found.sort_unstable_by_key(|record| (record.file, record.row));
        }
        let ids = Names::of(table, ["mdtrt_id"]);
        let mut lost = HashSet::new();
        for record in found {
            let [encounter] = ids.in_row(record.payload);
            let Some(person) = persons.get(encounter) else {
                // Split off a flat file it stands on every line; it is one row all the same.
                let counts = out.ledger.of(table);
                if record.is_split() {
                    if !lost.insert(record.payload) {
                        continue;
                    }
                    counts.read.rows += 1;
                }
                counts.quarantined.rows += 1;
                out.wait(table, &record, encounter, "mdtrt_id", "no encounter with this mdtrt_id", text_of(encounter));
                continue;
            };
            payload.clear();
            put_text(&mut payload, person);
            payload.extend_from_slice(record.payload);
            record.put(&mut out.people[bucket_of(person, buckets)], &payload);
        }
    }
    let charged: HashSet<(&[u8], &[u8])> = records.charged.iter().copied().collect();
    for (encounter, person) in charged {
        if grows && !persons.contains_key(encounter) {
            out.unknown.insert((text_of(encounter).to_owned(), text_of(person).to_owned()));
        }
        if persons.get(encounter).is_some_and(|of| *of != person) {
            payload.clear();
            put_text(&mut payload, encounter);
            put_text(&mut payload, person);
            put_record(&mut out.people[bucket_of(person, buckets)], CHARGED, 0, 0, &payload);
        }
    }
    out
}

/// Some columns of a table, looked up once for many rows.
struct Names<const N: usize> {
    table: Table,
    /// Their positions, ascending.
    positions: [usize; N],
    /// Which of the positions each column has.
    order: [usize; N],
}

impl<const N: usize> Names<N> {
    fn of(table: Table, names: [&str; N]) -> Self {
        let unsorted = names.map(|name| table.position(name).expect("a column of the table"));
        let mut positions = unsorted;
        positions.sort_unstable();
        let order = unsorted.map(|p| positions.iter().position(|&s| s == p).expect("the same positions"));
        Names { table, positions, order }
    }

    /// Their values in a packed row.
    fn pick<'a>(&self, row: &'a [u8]) -> [Packed<'a>; N] {
        let values = pick(self.table, row, self.positions);
        self.order.map(|at| values[at])
    }

    /// Their texts in a packed row.
    fn in_row<'a>(&self, row: &'a [u8]) -> [&'a [u8]; N] {
        self.pick(row).map(Packed::text)
    }
}

/// What names a row within a bucket.
enum Key {
    /// For fee lines the person is part of it, so that what is found does not depend on which persons share a bucket.
    Line(Names<3>),
    Id(Names<1>),
    /// All it holds.
    Whole,
}

impl Key {
    fn of(table: Table) -> Key {
        match table {
            Table::FeeDetail => Key::Line(Names::of(table, ["psn_no", "mdtrt_id", "feedetl_sn"])),
            _ => match table.key() {
                [only] => Key::Id(Names::of(table, [only])),
                _ => Key::Whole,
            },
        }
    }

    fn in_row<'a>(&self, row: &'a [u8]) -> [&'a [u8]; 3] {
        match self {
            Key::Line(names) => names.in_row(row),
            Key::Id(names) => [names.in_row(row)[0], &[], &[]],
            Key::Whole => [row, &[], &[]],
        }
    }
}

/// Rows there once. Of rows that are equal in everything the first stays; rows of one turn that differ under one key all go;
/// a row of a later turn replaces that of an earlier one.
fn settle<'a>(table: Table, rows: Vec<Record<'a>>, out: &mut Outcome) -> Vec<Record<'a>> {
    let key = Key::of(table);
    let mut clashes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let hasher = DefaultHashBuilder::default();
    let mut first: HashTable<(u64, usize)> = HashTable::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        let own = key.in_row(row.payload);
        let hash = hasher.hash_one(own);
        let same = |&(other, at): &(u64, usize)| other == hash && key.in_row(rows[at].payload) == own;
        match first.entry(hash, same, |&(hash, _)| hash) {
            Entry::Occupied(entry) => {
                let at = entry.get().1;
                clashes.entry(at).or_insert_with(|| vec![at]).push(i);
            }
            Entry::Vacant(entry) => {
                entry.insert((hash, i));
            }
        }
    }
    let mut gone: HashSet<usize> = HashSet::new();
    for mut group in clashes.into_values() {
        group.sort_by_key(|&i| (rows[i].turn, rows[i].file, rows[i].row));
        let mut stays: Option<usize> = None;
        for turn in group.chunk_by(|&a, &b| rows[a].turn == rows[b].turn) {
            let first = rows[turn[0]];
            if turn.iter().any(|&i| rows[i].payload != first.payload) {
                differ(table, &key, turn.iter().map(|&i| rows[i]), out);
                gone.extend(turn);
                continue;
            }
            let known = stays.is_some_and(|at| rows[at].payload == first.payload);
            let mut again = turn.iter();
            if !known {
                again.next();
                if let Some(before) = stays.replace(turn[0]) {
                    gone.insert(before);
                    replaced(table, &rows[before], out);
                }
            }
            for &i in again {
                gone.insert(i);
                if !rows[i].is_split() {
                    out.ledger.of(table).duplicates.add(cents_of(table, rows[i].payload));
                }
            }
        }
    }
    let mut kept = rows;
    if !gone.is_empty() {
        let mut i = 0;
        kept.retain(|_| {
            i += 1;
            !gone.contains(&(i - 1))
        });
    }
    for row in kept.iter().filter(|r| r.is_split()) {
        out.ledger.of(table).read.add(cents_of(table, row.payload));
    }
    kept
}

/// Rows of one turn that differ under one key.
fn differ<'a>(table: Table, key: &Key, rows: impl Iterator<Item = Record<'a>>, out: &mut Outcome) {
    let mut distinct = HashSet::new();
    for row in rows {
        let cents = cents_of(table, row.payload);
        if row.is_split() {
            if !distinct.insert(row.payload) {
                continue;
            }
            out.ledger.of(table).read.add(cents);
        }
        out.ledger.of(table).quarantined.add(cents);
        let names = table.key().join("+");
        let key = key.in_row(row.payload).map(text_of);
        let text = if table == Table::FeeDetail { format!("{}+{}", key[1], key[2]) } else { key[0].to_owned() };
        let reason = format!("several rows with this {names}, and they differ");
        out.complaints.add(row.file, row.row, &names, &reason, &text);
    }
}

/// A row whose place a later one takes.
fn replaced(table: Table, row: &Record<'_>, out: &mut Outcome) {
    out.ledger.of(table).replaced.add(cents_of(table, row.payload));
    if row.is_kept() && table.position("psn_no").is_some() {
        let [person] = Names::of(table, ["psn_no"]).in_row(row.payload);
        out.changed.insert(text_of(person).to_owned());
    }
}

pub(super) fn cents_of(table: Table, payload: &[u8]) -> i64 {
    let amount = amount_of(table).map(|position| pick(table, payload, [position]));
    amount.and_then(|[cents]| cents.number()).unwrap_or(0)
}

/// A row in its place.
struct Placed<'a> {
    person: u32,
    /// Seconds since 1970-01-01 00:00:00.
    time: i64,
    ids: [&'a [u8]; 2],
    row: &'a [u8],
}

/// The tables of a bucket, in the order of their files.
const OF_PERSONS: [Table; 9] = [
    Table::Settlement,
    Table::Encounter,
    Table::FeeDetail,
    Table::Diagnosis,
    Table::Operation,
    Table::Person,
    Table::Identity,
    Table::Presence,
    Table::SpecialCase,
];

fn writer(path: &Path, table: Table) -> Result<ArrowWriter<File>, Error> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(None)
        .set_created_by("fundaudit".to_owned())
        .build();
    let file = File::create(path).map_err(|e| Error::at(path, "create", &e))?;
    ArrowWriter::try_new(file, bucket_schema(table), Some(properties)).map_err(|e| Error::at(path, "write", &e))
}

/// A bucket of persons, every row in its place.
pub(super) struct Sorted<'a> {
    /// In order; rows name them by their ranks.
    persons: Vec<&'a str>,
    /// Rows of the tables of [`OF_PERSONS`].
    tables: Vec<Vec<Placed<'a>>>,
    /// Ranks at which units begin, and the end of the last.
    cuts: Vec<u32>,
    out: Outcome,
}

/// Step two, for one bucket of persons. `grows`: whether some of the rows are in a dataset already, so that it matters whose
/// are not.
pub(super) fn sort<'a>(bytes: &'a [u8], grows: bool, progress: &dyn Progress) -> Result<Sorted<'a>, Error> {
    let mut out = Outcome { may_wait: true, ..Outcome::default() };
    let mut records = records(bytes);
    let strangers: HashSet<(&[u8], &[u8])> = records.charged.iter().copied().collect();
    if !strangers.is_empty() {
        for table in [Table::FeeDetail, Table::Settlement] {
            let ids = Names::of(table, ["mdtrt_id", "psn_no"]);
            records.tables[table as usize].retain(|record| {
                let [encounter, person] = ids.in_row(record.payload);
                if !strangers.contains(&(encounter, person)) {
                    return true;
                }
                let cents = cents_of(table, record.payload);
                out.ledger.of(table).quarantined.add(cents);
                if record.is_kept() {
                    out.changed.insert(text_of(person).to_owned());
                }
                let text = stranger(text_of(person), text_of(encounter));
                out.wait(table, record, encounter, "psn_no", "psn_no differs from its encounter's", &text);
                false
            });
        }
    }

    // Whose row, and the row itself without the person put before it.
    let mut people = People::default();
    let mut rows: Vec<Vec<(u32, &[u8])>> = Vec::with_capacity(OF_PERSONS.len());
    for table in OF_PERSONS {
        progress.go_on()?;
        let mut found = std::mem::take(&mut records.tables[table as usize]);
        // Encounters and settlements were settled by their key, in step one.
        if !matches!(table, Table::Encounter | Table::Settlement) {
            found = settle(table, found, &mut out);
        }
        let own = table.position("psn_no").map(|position| Names { table, positions: [position], order: [0] });
        let mut mine = Vec::with_capacity(found.len());
        for record in found {
            let (person, row) = if let Some(own) = &own {
                (own.in_row(record.payload)[0], record.payload)
            } else {
                let mut payload = Unpacker::new(record.payload);
                (payload.slice(), payload.rest())
            };
            if grows && !record.is_kept() && !out.changed.contains(text_of(person)) {
                out.changed.insert(text_of(person).to_owned());
            }
            mine.push((people.number(person), row));
        }
        rows.push(mine);
    }
    let (persons, ranks) = people.ranked();
    let tables: Vec<Vec<Placed<'a>>> =
        OF_PERSONS.into_iter().zip(rows).map(|(table, rows)| place(table, rows, &ranks)).collect();
    let cuts = cuts(persons.len(), &tables);
    Ok(Sorted { persons, tables, cuts, out })
}

impl<'a> Sorted<'a> {
    /// Writes the files of the bucket.
    pub(super) fn write(mut self, bucket: usize, dataset: &Path, progress: &dyn Progress) -> Result<Outcome, Error> {
        if self.persons.is_empty() {
            return Ok(self.out);
        }
        let folder = bucket_folder(dataset, bucket);
        std::fs::create_dir_all(&folder).map_err(|e| Error::at(&folder, "create", &e))?;
        self.out.units = self.cuts.windows(2).map(|_| Unit { bucket, ..Unit::default() }).collect();
        for (table, rows) in OF_PERSONS.into_iter().zip(std::mem::take(&mut self.tables)) {
            self.write_table(table, &rows, &folder, progress)?;
        }
        Ok(self.out)
    }

    /// Packs the persons of whom the dataset has other rows now, each with `pack`; `changed` are those of whom that is known without
    /// their bucket.
    pub(super) fn pack(
        mut self,
        changed: &BTreeSet<String>,
        pack: impl Fn(&str, &[past::Own<'_>]) -> Result<past::Packed, Error>,
        progress: &dyn Progress,
    ) -> Result<Outcome, Error> {
        let tables = std::mem::take(&mut self.tables);
        let mut rest: Vec<&[Placed<'a>]> = tables.iter().map(Vec::as_slice).collect();
        for end in self.cuts.clone().into_iter().skip(1) {
            let mut batches = Vec::with_capacity(OF_PERSONS.len());
            for (table, rest) in OF_PERSONS.into_iter().zip(&mut rest) {
                progress.go_on()?;
                let (mine, others) = rest.split_at(rest.partition_point(|row| row.person < end));
                *rest = others;
                if !mine.is_empty() {
                    batches.push((table, self.batch_of(table, mine)));
                    progress.advance(bytes_of(mine));
                }
            }
            for (person, rows) in past::persons_of(&batches) {
                if changed.contains(person) || self.out.changed.contains(person) {
                    self.out.persons.push(pack(person, &rows)?);
                }
            }
        }
        Ok(self.out)
    }

    fn write_table(
        &mut self,
        table: Table,
        rows: &[Placed<'a>],
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let name = table.name();
        if rows.is_empty() {
            for unit in &mut self.out.units {
                unit.row_groups.insert(name.to_owned(), None);
            }
            return Ok(());
        }
        let path = folder.join(format!("{name}.parquet"));
        let failed = |e: parquet::errors::ParquetError| Error::at(&path, "write", &e);
        let mut file = writer(&path, table)?;
        let mut groups = 0;
        let mut rest = rows;
        for unit in 0..self.out.units.len() {
            let (mine, others) = rest.split_at(rest.partition_point(|row| row.person < self.cuts[unit + 1]));
            rest = others;
            if mine.is_empty() {
                self.out.units[unit].row_groups.insert(name.to_owned(), None);
                continue;
            }
            progress.go_on()?;
            file.write(&self.batch_of(table, mine)).map_err(failed)?;
            file.flush().map_err(failed)?;
            self.out.units[unit].row_groups.insert(name.to_owned(), Some(groups));
            if table == Table::FeeDetail {
                self.out.units[unit].fee_lines = mine.len() as u64;
            }
            groups += 1;
            progress.advance(bytes_of(mine));
        }
        file.close().map_err(failed)?;
        Ok(())
    }

    /// Rows as a batch with the schema of their table in a dataset. They are audited with this.
    fn batch_of(&mut self, table: Table, rows: &[Placed<'a>]) -> RecordBatch {
        let batch = batch(table, rows.iter().map(|row| row.row));
        let amounts = amount_of(table).map(|position| batch.column(position).as_primitive::<Decimal128Type>());
        let cents = amounts.map_or(0, |amounts| amounts.iter().flatten().sum());
        self.out.ledger.of(table).audited.add_all(rows.len(), cents);
        let days: &[&str] = match table {
            Table::FeeDetail => &["fee_ocur_time"],
            Table::Encounter => &["begntime", "endtime"],
            _ => &[],
        };
        for day in days {
            let times = batch.column_by_name(day).expect("a column of the table");
            self.out.days = joined(self.out.days, days_of(times));
        }
        if table.position("psn_no").is_some() {
            return batch;
        }
        let psn_no: StringArray = rows.iter().map(|row| Some(self.persons[row.person as usize])).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(psn_no)];
        columns.extend(batch.columns().iter().cloned());
        RecordBatch::try_new(bucket_schema(table), columns).expect("the schema has the person before it")
    }
}

fn bytes_of(rows: &[Placed<'_>]) -> u64 {
    rows.iter().map(|row| row.row.len() as u64).sum()
}

/// The persons of a bucket, numbered as they are met.
#[derive(Default)]
struct People<'a> {
    numbers: HashMap<&'a [u8], u32>,
    /// Rows of a person mostly stand together.
    last: Option<(&'a [u8], u32)>,
}

impl<'a> People<'a> {
    fn number(&mut self, person: &'a [u8]) -> u32 {
        if let Some((last, number)) = self.last
            && last == person
        {
            return number;
        }
        let next = u32::try_from(self.numbers.len()).expect("persons of one bucket");
        let number = *self.numbers.entry(person).or_insert(next);
        self.last = Some((person, number));
        number
    }

    /// The persons in order, and the place in it of each number.
    fn ranked(self) -> (Vec<&'a str>, Vec<u32>) {
        let mut order: Vec<(&[u8], u32)> = self.numbers.into_iter().collect();
        order.sort_unstable();
        let mut ranks = vec![0; order.len()];
        for (rank, (_, number)) in (0..).zip(&order) {
            ranks[*number as usize] = rank;
        }
        (order.into_iter().map(|(person, _)| text_of(person)).collect(), ranks)
    }
}

fn place<'a>(table: Table, rows: Vec<(u32, &'a [u8])>, ranks: &[u32]) -> Vec<Placed<'a>> {
    let order = match table {
        Table::FeeDetail => Some(["fee_ocur_time", "mdtrt_id", "feedetl_sn"]),
        Table::Encounter => Some(["begntime", "mdtrt_id", "psn_no"]),
        Table::Settlement => Some(["setl_time", "setl_id", "psn_no"]),
        _ => None,
    };
    let order = order.map(|columns| Names::of(table, columns));
    let mut placed: Vec<Placed<'a>> = rows
        .into_iter()
        .map(|(person, row)| {
            let (time, ids) = match &order {
                Some(order) => {
                    let [Packed::Number(time), one, other] = order.pick(row) else {
                        unreachable!("times of the order are required")
                    };
                    (time, [one.text(), other.text()])
                }
                None => (0, [[].as_slice(); 2]),
            };
            Placed { person: ranks[person as usize], time, ids, row }
        })
        .collect();
    placed.sort_unstable_by(|a, b| {
        (a.person, a.time, a.ids)
            .cmp(&(b.person, b.time, b.ids))
            .then_with(|| if a.row == b.row { Ordering::Equal } else { compare(table, a.row, b.row) })
    });
    placed
}

/// Ranks at which units begin, and the end of the last. A unit ends with the person who fills it.
fn cuts(persons: usize, placed: &[Vec<Placed<'_>>]) -> Vec<u32> {
    let mut lines = vec![0_u64; persons];
    let mut others = vec![0_u64; persons];
    for (table, rows) in OF_PERSONS.into_iter().zip(placed) {
        let counts = if table == Table::FeeDetail { &mut lines } else { &mut others };
        for row in rows {
            counts[row.person as usize] += 1;
        }
    }
    let mut cuts = vec![0];
    let (mut unit_lines, mut unit_others) = (0, 0);
    for (next, (lines, others)) in (1_u32..).zip(lines.into_iter().zip(others)) {
        unit_lines += lines;
        unit_others += others;
        if unit_lines >= UNIT_LINES || unit_others >= UNIT_LINES {
            cuts.push(next);
            (unit_lines, unit_others) = (0, 0);
        }
    }
    let end = u32::try_from(persons).expect("persons of one bucket");
    if cuts.last() != Some(&end) {
        cuts.push(end);
    }
    cuts
}

/// The first and last day of some times; services that have no end yet do not count.
pub(super) fn days_of(times: &dyn Array) -> Option<(i32, i32)> {
    let days = times.as_primitive::<TimestampMicrosecondType>().iter().flatten().map(|time| {
        let day = i32::try_from(time.div_euclid(DAY)).expect("years are bounded");
        (day, day)
    });
    days.filter(|(day, _)| !crate::model::day::OPEN_END.contains(day)).fold(None, |all, day| joined(all, Some(day)))
}

/// The days of both.
pub(super) fn joined(a: Option<(i32, i32)>, b: Option<(i32, i32)>) -> Option<(i32, i32)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Writes the facility table, sorted by its key.
pub(super) fn write_facilities(mut rows: Vec<Vec<u8>>, dataset: &Path) -> Result<(), Error> {
    rows.sort_unstable_by(|a, b| compare(Table::Facility, a, b));
    let path = dataset.join("facility.parquet");
    let failed = |e: parquet::errors::ParquetError| Error::at(&path, "write", &e);
    let mut file = writer(&path, Table::Facility)?;
    if !rows.is_empty() {
        let batch = batch(Table::Facility, rows.iter().map(Vec::as_slice));
        file.write(&batch).map_err(failed)?;
    }
    file.close().map_err(failed)?;
    Ok(())
}
