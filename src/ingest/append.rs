//! More rows for a dataset that is there: what came tonight, what came late, what was corrected.
//!
//! ```text
//! files ─ read ─┐
//! persons.db ─ rows that the new ones may touch ─┴─ assign ─ sort ─ pack ─ behind or with what stays ─ one change of persons.db
//! ```
//! Rows that are in the dataset already and may be touched go the same way once more as the new ones, with an earlier *turn*: so a
//! key, a duplicate, a stranger's line mean what they mean in [`super::ingest`], and there is one place that says so
//! (`bucket::settle`). What no new row can touch stays where it is: `past::part` says what that is.
//!
//! **Keys** are those of [`Table::key`], for fee lines with the person. A new row that is equal to the old one under its key
//! is a duplicate. One that differs is a correction: it takes the old one's place, which is counted as *replaced*. Two that
//! differ in one delivery are set aside as ever, and the old one stays: nothing says which of them is right. Tables without a
//! key (diagnoses, operations …) only grow.
//!
//! **Whose rows.** A row finds its person by its encounter, also when that came on an earlier day. A correction may give an
//! encounter to another person: its diagnoses go along, the lines of the other one are set aside as a stranger's. What is set
//! aside because of its encounter *waits*: when the encounter comes or goes to another person, it is looked at again, as if all
//! had come at once.
//!
//! **Counts.** read = quarantined + duplicates + replaced + audited, in rows and cents, over all deliveries. `quarantine.csv`
//! has a successor (`quarantine-3.csv`, named by the manifest) without the lines of rows that wait no longer.
//!
//! **Atomic.** The Parquet files and `dataset.json` stay as they are. The rows of persons, the manifest of the dataset as it is
//! now, rows that wait, persons about whom the rules are to be asked and what the delivery brought are one transaction of
//! `persons.db`: that is the moment at which the delivery is taken. Files that the manifest names are on the disk before it;
//! those that it names no longer are removed once it is on the disk itself, which a night waits for while the rules are asked.
//! `appended`, an empty file, says that `persons.db` must not be missing.
//!
//! Not seen: a line of the delivery that made the dataset, in an encounter that came later and is another person's.
//!
//! Goes in: paths, a name for the delivery, a dataset. Comes out: [`Appended`]. Cost: that of an ingest of the new rows, and of
//! looking through all rows of the persons whom they name. Deliberately unknown here: rules, who asks for it, at which time of day.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use hashbrown::HashMap;
use rayon::prelude::*;

use super::bucket::{self, Waits, Whose};
use super::dataset::{self, Dataset, MARK, Manifest, TableSummary, Tally};
use super::intake::{self, Intake, Ledger};
use super::mapping::Mapping;
use super::packed::{KeptRows, Packer, texts};
use super::past::{self, Change, Had, Named, Past, Waiting, Wanted, everything};
use super::sources::{self, Source, Sources};
use super::{Days, Error, Input, Job, Options, bytes_of, columns_of, ingest, portions, spill};
use crate::aside::Aside;
use crate::model::Table;
use crate::model::sheet::harmless;
use crate::points::reached;
use crate::progress::Progress;

/// Persons whose rows one thread lays to the new ones in one go.
const A_LOT: usize = 16;

/// Buckets of a small delivery for each thread: while some are written the next are packed.
const BUCKETS: usize = 4;

/// Bytes of rows that wait for the next step in memory, for each of two ways; those of a larger delivery wait on the disk.
const HELD: usize = 128 << 20;

/// For each byte of new rows at most about so many that they touch.
const HISTORY: u64 = 8;

/// The file of an ordinary ingest with rows that wait for their encounter, a JSON object a line.
const WAITING: &str = "waiting.ndjson";

/// How the list of rows set aside names the file of a row that came on an earlier day.
const BEFORE: &str = "(taken in before)";

/// What a delivery did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Appended {
    /// Files and rows, by table: what came in of it and where it went. `audited` is not told: what is in the dataset now is in
    /// its manifest.
    pub tables: BTreeMap<String, TableSummary>,
    /// Rows that had been set aside because of their encounter and are in the dataset now.
    pub woken: u64,
    pub inputs: Vec<Input>,
    pub notes: Vec<String>,
    /// Persons of whom the dataset has other rows now.
    pub persons: u64,
    /// Whether a facility is new or another than it was.
    pub other_facilities: bool,
    /// What each facility sent, right or wrong, once or again.
    pub sent: Sent,
}

/// Takes more files into the dataset `folder`; makes it where there is none. When this returns they are safe on the disk.
///
/// # Errors
/// As [`ingest`]; then the dataset is as it was.
pub fn append(
    inputs: &[PathBuf],
    delivery: &str,
    options: &Options,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<Appended, Error> {
    let told = append_soon(inputs, delivery, options, folder, progress)?;
    settle(&Dataset::open_for_persons(folder)?)?;
    Ok(told)
}

/// Makes safe on the disk what [`append_soon`] did, and removes the files of earlier states.
///
/// # Errors
/// The disk refuses.
pub fn settle(dataset: &Dataset) -> Result<(), Error> {
    let Some(past) = dataset.past() else { return Ok(()) };
    past.sync()?;
    reached("append::settled");
    forget_files(dataset.folder(), dataset.manifest());
    Ok(())
}

/// As [`append`], but should the power fail before [`settle`] is done, the dataset may be as it was before.
///
/// # Errors
/// As [`append`].
pub fn append_soon(
    inputs: &[PathBuf],
    delivery: &str,
    options: &Options,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<Appended, Error> {
    if !folder.join("dataset.json").exists() {
        ingest(inputs, options, folder, progress)?;
        return Appended::beginning(folder);
    }
    let dataset = Dataset::open_for_persons(folder)?;
    let mapping = options.mapping.as_deref().map(Mapping::load).transpose()?;
    progress.begin("look", 0);
    let mut sources = sources::find(inputs, mapping.as_ref(), progress)?;
    progress.end();
    for source in &mut sources.sources {
        source.label = format!("{delivery}/{}", source.label);
    }
    let (buckets, threads) = portions(bytes_of(&sources.sources) * HISTORY, options);
    // Each thread has its share of a small delivery too.
    let buckets = options.buckets.unwrap_or(buckets.max(threads * BUCKETS));
    let affordable = options.memory.and_then(|memory| usize::try_from(memory / 16).ok());
    let held = affordable.unwrap_or(HELD).min(HELD);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::new(format!("cannot start threads: {e}")))?;
    let done = pool.install(|| {
        let past = Past::of(&dataset, progress)?;
        let work = Aside::within(folder).map_err(|e| Error::at(folder, "write into", &e))?;
        let mut growing = Growing::new(&dataset, &past, work.path(), (buckets, held), &sources)?;
        growing.gather(&sources, progress)?;
        let mut change = past.change()?;
        let grown = growing.grow(sources, &mut change, progress)?;
        growing.keep(change, grown, delivery, progress)
    });
    done.map_err(|error| if progress.stopped() { crate::progress::Stopped.into() } else { error })
}

/// What the dataset was told by the delivery of this name, if it was taken after the first one.
///
/// # Errors
/// `persons.db` cannot be read.
pub fn delivered(past: &Past, delivery: &str) -> Result<Option<Appended>, Error> {
    let Some(text) = past.noted(&note_of(delivery))? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|e| Error::new(format!("cannot read what `{delivery}` brought: {e}")))
}

fn note_of(delivery: &str) -> String {
    format!("delivery {delivery}")
}

impl Appended {
    /// What the delivery brought that made a dataset: all it had then. Everybody was new, so nobody is counted.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn beginning(folder: &Path) -> Result<Appended, Error> {
        let dataset = &Dataset::open_files(folder)?;
        let Manifest { tables, inputs, notes, .. } = dataset.manifest().clone();
        let mut sent = Sent::new();
        for unit in dataset.units() {
            let lines = dataset.read(unit, Table::FeeDetail, &["fixmedins_code", "fee_ocur_time"])?;
            let times = lines.column(1).as_primitive::<TimestampMicrosecondType>();
            for (code, time) in lines.column(0).as_string::<i32>().iter().zip(times) {
                if let Some((code, time)) = code.zip(time) {
                    count(&mut sent, code, i32::try_from(time.div_euclid(DAY)).expect("years are bounded"));
                }
            }
        }
        Ok(Appended { tables, inputs, notes, sent, other_facilities: true, ..Appended::default() })
    }
}

/// Fee lines of each facility, and the last day of service among them.
pub type Sent = BTreeMap<String, (u64, i32)>;

const DAY: i64 = 86_400_000_000;

/// Counts a line of a facility.
pub(super) fn count(sent: &mut Sent, facility: &str, day: i32) {
    match sent.get_mut(facility) {
        Some((lines, last)) => (*lines, *last) = (*lines + 1, day.max(*last)),
        None => {
            sent.insert(facility.to_owned(), (1, day));
        }
    }
}

/// A delivery on its way.
struct Growing<'a> {
    dataset: &'a Dataset,
    past: &'a Past,
    work: &'a Path,
    job: Job,
    /// The number of the delivery.
    turn: u32,
    /// Files by their numbers, also those of rows that came earlier.
    names: Vec<String>,
    /// The number of what stands for the files of rows that the dataset has.
    before: u32,
    whose: Whose,
    /// Persons whose rows were laid to the new ones.
    known: BTreeSet<String>,
    /// What of the counts is not new: rows of the dataset, rows that waited.
    kept: Ledger,
    waited: Ledger,
    /// The rows that waited.
    woken: Vec<Waiting>,
    /// What those persons have in the dataset's file.
    had: HashMap<String, Had>,
    /// First and last day of all rows that those persons had.
    days: Option<Days>,
    /// First and last day of those that stay as they are.
    staying: Option<Days>,
}

/// Rows of some persons that were laid to the new ones.
struct Laid {
    ledger: Ledger,
    had: Vec<Had>,
    days: Option<Days>,
    /// Of what stays as it is.
    staying: Option<Days>,
}

/// What came of it, before it holds.
struct Grown {
    manifest: Manifest,
    told: Appended,
    /// Rows that wait from now on.
    waits: Vec<Waiting>,
    /// Files to be put into the dataset's folder.
    files: Vec<(PathBuf, String)>,
}

impl<'a> Growing<'a> {
    fn new(
        dataset: &'a Dataset,
        past: &'a Past,
        work: &'a Path,
        (buckets, held): (usize, usize),
        sources: &Sources,
    ) -> Result<Growing<'a>, Error> {
        let mut names: Vec<String> = sources.sources.iter().map(|s| s.label.clone()).collect();
        let before = number_of(&mut names, BEFORE);
        let job = Job::new(work, buckets, true, Some(held))?;
        Ok(Growing {
            dataset,
            past,
            work,
            job,
            turn: dataset.manifest().growth.as_ref().map_or(0, |growth| growth.deliveries) + 1,
            names,
            before,
            whose: Whose::default(),
            known: BTreeSet::new(),
            kept: Ledger::default(),
            waited: Ledger::default(),
            woken: Vec::new(),
            had: HashMap::new(),
            days: None,
            staying: None,
        })
    }

    /// Reads, and lays the old rows to the new ones.
    fn gather(&mut self, sources: &Sources, progress: &dyn Progress) -> Result<(), Error> {
        self.job.read_all(&sources.sources, progress)?;
        self.look()?;
        self.lay_to(progress)
    }

    /// Builds the rows of these persons anew, and puts them into the change.
    fn grow(
        &mut self,
        Sources { sources, notes }: Sources,
        change: &mut Change<'_>,
        progress: &dyn Progress,
    ) -> Result<Grown, Error> {
        let built = self.work.join("dataset");
        fs::create_dir_all(&built).map_err(|e| Error::at(&built, "create", &e))?;
        self.job.assign_all(progress)?;
        if self.whose.facilities {
            self.job.write_facilities(&built)?;
        }
        change.grow()?;
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        let mut put = |persons: Vec<past::Packed>| {
            for person in persons {
                progress.go_on()?;
                lines.insert(person.psn_no.clone(), person.fee_lines);
                change.put_packed(person)?;
            }
            Ok(())
        };
        let (past, named, had) = (self.past, named_by(&self.whose), &self.had);
        let pack = |person: &str, rows: &[past::Own<'_>]| past.joined(person, rows, named, had);
        let days = bucket::joined(self.job.pack_all(pack, &mut put, progress)?, self.staying);
        self.job.settle_up()?;
        // Who is not found among these rows has nothing but what stays.
        for person in &self.job.changed {
            if !lines.contains_key(person) {
                let rest = past.joined(person, &[], named, had)?;
                lines.insert(person.clone(), rest.fee_lines);
                change.put_packed(rest)?;
            }
        }
        change.count(&lines)?;
        let days = self.days_of_all(days, progress)?;

        let mut told = Appended { inputs: self.job.inputs.clone(), notes, ..Appended::default() };
        told.notes.extend(self.job.note().map(|note| format!("{}: {note}", self.turn)));
        told.notes.sort();
        let waits = self.waits()?;
        let mut manifest = self.dataset.manifest().clone();
        for table in Table::ALL {
            let summary = self.summary(table, &sources);
            let all = manifest.tables.entry(table.name().to_owned()).or_default();
            self.add(table, &summary, all);
            told.tables.insert(table.name().to_owned(), summary);
        }
        told.woken = self.woken.len() as u64 - self.job.waits.iter().filter(|row| row.waited).count() as u64;
        manifest.inputs.extend(told.inputs.iter().cloned());
        manifest.notes.extend(told.notes.iter().cloned());
        (manifest.first_day, manifest.last_day) = (days.map(|d| d.0), days.map(|d| d.1));
        let mut growth = manifest.growth.take().unwrap_or_default();
        growth.deliveries = self.turn;

        let mut files = Vec::new();
        let name = format!("quarantine-{}.csv", self.turn);
        files.push((self.quarantine(&built, progress)?, name.clone()));
        growth.quarantine = Some(name);
        told.other_facilities = self.whose.facilities && self.other_facilities(&built)?;
        if told.other_facilities {
            let name = format!("facility-{}.parquet", self.turn);
            files.push((built.join("facility.parquet"), name.clone()));
            growth.facilities = Some(name);
        }
        manifest.growth = Some(growth);
        manifest.units.clear();
        told.persons = self.job.changed.len() as u64;
        told.sent = std::mem::take(&mut self.whose.sent);
        Ok(Grown { manifest, told, waits, files })
    }

    /// Whom the new rows and those that waited for them name, and whose the encounters and settlements are that they name.
    fn look(&mut self) -> Result<(), Error> {
        let look = |bucket: usize| -> Result<Whose, Error> {
            let mut whose = Whose::default();
            whose.look(&self.job.people.read(bucket)?);
            whose.look(&self.job.keys.read(bucket)?);
            Ok(whose)
        };
        let all = (0..self.job.buckets).into_par_iter().map(look);
        self.whose = all.try_reduce(Whose::default, |one, next| Ok(one.and(next)))?;
        self.woken = if self.dataset.manifest().growth.is_some() {
            self.past.waiting_for(&self.whose.begun)?
        } else {
            // Nothing was appended yet: those of the ingest wait in a file of their own.
            let all = waiting_in(self.dataset.folder())?;
            all.into_iter().filter(|row| self.whose.begun.contains(&row.mdtrt_id)).collect()
        };
        // A settlement that waited may be in the dataset too, with another encounter.
        for row in self.woken.iter().filter(|row| row.of_table() == Some(Table::Settlement)) {
            self.whose.settlements.extend(cells_of(row)?.remove("setl_id"));
        }
        self.known.clone_from(&self.whose.persons);
        self.known.extend(self.past.owners(&self.whose.encounters, &self.whose.settlements)?);
        // Lines that came before their encounter: perhaps it is another's.
        self.known.extend(self.past.charged_in(&self.whose.begun)?);
        Ok(())
    }

    /// Lays the rows that the dataset has of these persons to the new ones, and those that waited for one of the encounters.
    fn lay_to(&mut self, progress: &dyn Progress) -> Result<(), Error> {
        let wanted: Wanted =
            everything().into_keys().map(|t| (t, t.columns().iter().map(|c| c.name).collect())).collect();
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        progress.begin("history", known.len() as u64);
        let intake = || Intake::new(self.job.buckets);
        let lay = |intake: &mut Intake, lot: &[&str]| self.lay(lot, &wanted, intake, progress);
        let laid: Vec<Laid> = known.par_chunks(A_LOT).map_init(intake, lay).collect::<Result<_, Error>>()?;
        for Laid { ledger, had, days, staying } in laid {
            self.job.ledger.merge(&ledger);
            for (kept, laid) in self.kept.tables.iter_mut().zip(&ledger.tables) {
                kept.audited.merge(laid.read);
            }
            self.had.extend(had.into_iter().map(|had| (had.psn_no.clone(), had)));
            self.days = bucket::joined(self.days, bucket::joined(days, staying));
            self.staying = bucket::joined(self.staying, staying);
        }
        let mut intake = Intake::new(self.job.buckets);
        if self.whose.facilities {
            let batch = self.dataset.facilities()?;
            let rows = KeptRows::of(Table::Facility, &batch);
            for row in 0..batch.num_rows() {
                let pack = |packer: &mut Packer| packer.pack_kept(&rows, row);
                intake.take_earlier(Table::Facility, false, 0, (self.before, 0), pack);
                self.kept.of(Table::Facility).audited.add(0);
            }
        }
        self.wake(&mut intake)?;
        self.job.people.take(&mut intake.people, true)?;
        self.job.keys.take(&mut intake.keys, true)?;
        self.job.ledger.merge(&intake.ledger);
        progress.end();
        Ok(())
    }

    /// Lays the rows of some persons to the new ones; what these do not touch goes beside them as it is.
    fn lay(
        &self,
        persons: &[&str],
        wanted: &Wanted,
        intake: &mut Intake,
        progress: &dyn Progress,
    ) -> Result<Laid, Error> {
        progress.go_on()?;
        let (touched, mut had) = self.past.part(persons, named_by(&self.whose), wanted, &OF_SERVICE)?;
        let times = had.iter_mut().flat_map(|had| std::mem::take(&mut had.times));
        let staying = times.fold(None, |days, times| bucket::joined(days, bucket::days_of(&times)));
        let mut days = None;
        for (table, batch) in touched {
            let rows = KeptRows::of(table, &batch);
            for row in 0..batch.num_rows() {
                let pack = |packer: &mut Packer| packer.pack_kept(&rows, row);
                intake.take_earlier(table, false, 0, (self.before, 0), pack);
            }
            days = days_of_service(table, &batch, days);
        }
        self.job.people.take(&mut intake.people, true)?;
        self.job.keys.take(&mut intake.keys, true)?;
        progress.advance(persons.len() as u64);
        Ok(Laid { ledger: std::mem::take(&mut intake.ledger), had, days, staying })
    }

    fn wake(&mut self, intake: &mut Intake) -> Result<(), Error> {
        for row in &self.woken {
            let damaged = || Error::new(format!("a row of `{}` that waits for its encounter cannot be read", row.file));
            let table = row.of_table().ok_or_else(damaged)?;
            let cells = cells_of(row)?;
            let file = number_of(&mut self.names, &row.file);
            let mut whole = true;
            let cents = intake.take_earlier(table, true, row.turn, (file, row.row), |packer| {
                whole = packer.pack_texts(table, |column| cells.get(column).map(String::as_str)).is_some();
            });
            if !whole {
                return Err(damaged());
            }
            self.waited.of(table).quarantined.add(cents);
        }
        Ok(())
    }

    /// The first and last day of the dataset as it is now. Only where the row of a day at the edge went, all have to be asked.
    fn days_of_all(&self, now: Option<Days>, progress: &dyn Progress) -> Result<Option<Days>, Error> {
        let manifest = self.dataset.manifest();
        let before = manifest.first_day.zip(manifest.last_day);
        let (Some(edge), Some(mine)) = (before, self.days) else { return Ok(bucket::joined(before, now)) };
        // Each edge by itself: it stands unless a row of it was theirs, and what they have now does not reach as far.
        let first = mine.0 != edge.0 || now.is_some_and(|now| now.0 <= edge.0);
        let last = mine.1 != edge.1 || now.is_some_and(|now| now.1 >= edge.1);
        if first && last {
            return Ok(bucket::joined(before, now));
        }
        let mut days = now;
        let dataset = Dataset::open(self.dataset.folder())?;
        for unit in dataset.units() {
            progress.go_on()?;
            for (table, times) in OF_SERVICE {
                let columns: Vec<&str> = times.iter().copied().chain(["psn_no"]).collect();
                let batch = dataset.read(unit, table, &columns)?;
                let persons = batch.column(times.len()).as_string::<i32>();
                let others = persons.iter().map(|p| Some(p.is_some_and(|p| !self.known.contains(p)))).collect();
                let others = arrow::compute::filter_record_batch(&batch, &others)
                    .map_err(|e| Error::new(format!("cannot read `{}`: {e}", table.name())))?;
                days = days_of_service(table, &others, days);
            }
        }
        Ok(days)
    }

    /// What came in of a table with this delivery, and where it went.
    fn summary(&self, table: Table, sources: &[Source]) -> TableSummary {
        let all = &self.job.ledger.tables[table as usize];
        let (kept, waited) = (&self.kept.tables[table as usize], &self.waited.tables[table as usize]);
        let mut again = Tally::default();
        for row in self.job.waits.iter().filter(|row| row.waited && row.table == table) {
            again.add(bucket::cents_of(table, &row.payload));
        }
        let mut summary = TableSummary { audited: Tally::default(), ..all.clone() };
        summary.read.without(kept.audited);
        summary.read.without(waited.quarantined);
        summary.quarantined.without(again);
        summary.columns = columns_of(table, sources);
        summary.present = !summary.columns.is_empty();
        summary
    }

    /// Adds a delivery to the counts of the dataset. Rows may have left it: lines of an encounter that is another's now.
    fn add(&self, table: Table, summary: &TableSummary, all: &mut TableSummary) {
        let now = &self.job.ledger.tables[table as usize];
        all.read.merge(summary.read);
        all.quarantined.merge(now.quarantined);
        all.quarantined.without(self.waited.tables[table as usize].quarantined);
        all.duplicates.merge(summary.duplicates);
        all.replaced.merge(summary.replaced);
        all.audited.merge(now.audited);
        all.audited.without(self.kept.tables[table as usize].audited);
        all.sum_unreadable += summary.sum_unreadable;
        all.present |= summary.present;
        let has = |name: &str| all.columns.iter().chain(&summary.columns).any(|column| column == name);
        all.columns = table.columns().iter().filter(|c| has(c.name)).map(|c| c.name.to_owned()).collect();
    }

    /// Rows that wait from now on.
    fn waits(&self) -> Result<Vec<Waiting>, Error> {
        let here = |row: &Waits| if row.turn == intake::NOW { self.turn } else { row.turn };
        let made = |row: &Waits| waiting(row, here(row), &self.names);
        let mut waits: Vec<Waiting> = self.job.waits.iter().map(made).collect::<Result<_, _>>()?;
        if self.dataset.manifest().growth.is_none() {
            // From now on all of them are in one place.
            let all = waiting_in(self.dataset.folder())?;
            waits.splice(0..0, all.into_iter().filter(|row| !self.whose.begun.contains(&row.mdtrt_id)));
        }
        Ok(waits)
    }

    /// The list of rows set aside: what it was, without the rows that wait no longer, and what is new.
    fn quarantine(&self, built: &Path, progress: &dyn Progress) -> Result<PathBuf, Error> {
        let (news, list) = (self.work.join("quarantine-news.csv"), built.join("quarantine.csv"));
        spill::write_quarantine(&self.job.complaints_folder, &self.names, &news, progress)?;
        // Of rows that came earlier and waited: how many lines of the list say the same of them.
        let mut over: BTreeMap<[String; 3], usize> = BTreeMap::new();
        for row in &self.woken {
            *over.entry(listed(row)?).or_default() += 1;
        }
        for row in self.job.waits.iter().filter(|row| row.waited) {
            if let Some(lines) = over.get_mut(&listed(&waiting(row, row.turn, &self.names)?)?) {
                *lines -= 1;
            }
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |e: csv::Error| Error::at(&path, "write", &e)
        };
        let mut to = csv::Writer::from_path(&list).map_err(failed(&list))?;
        for (number, from) in [self.dataset.quarantine(), news].into_iter().enumerate() {
            let mut from_list = csv::ReaderBuilder::new().has_headers(false).from_path(&from).map_err(failed(&from))?;
            for (line, record) in from_list.records().enumerate() {
                let record = record.map_err(failed(&from))?;
                let cell = |at: usize| record.get(at).unwrap_or_default();
                let says = [cell(0), cell(1), cell(4)].map(str::to_owned);
                let over = over.get_mut(&says).filter(|lines| **lines > 0 && matches!(cell(2), "mdtrt_id" | "psn_no"));
                match over {
                    Some(lines) if number == 0 => *lines -= 1,
                    _ if line > 0 || number == 0 => to.write_record(&record).map_err(failed(&list))?,
                    _ => {}
                }
            }
        }
        to.flush().map_err(|e| Error::at(&list, "write", &e))?;
        Ok(list)
    }

    fn other_facilities(&self, built: &Path) -> Result<bool, Error> {
        let manifest = Manifest { units: Vec::new(), growth: None, ..self.dataset.manifest().clone() };
        Ok(Dataset::of(built, manifest).facilities()? != self.dataset.facilities()?)
    }

    /// Makes it hold.
    fn keep(
        &mut self,
        mut change: Change<'_>,
        grown: Grown,
        delivery: &str,
        progress: &dyn Progress,
    ) -> Result<Appended, Error> {
        let Grown { manifest, told, waits, files } = grown;
        let folder = self.dataset.folder();
        // Who shared a trace code until now must be asked as well: perhaps nobody shares it any longer.
        let due = self.past.sharing(&self.job.changed)?;
        progress.go_on()?;
        for (from, name) in files {
            placed(&from, &folder.join(&name))?;
        }
        let mark = folder.join(MARK);
        fs::File::create(&mark).and_then(|file| file.sync_all()).map_err(|e| Error::at(&mark, "write", &e))?;
        reached("append::files");

        change.wake(&self.woken)?;
        change.wait(&waits)?;
        change.know(&self.whose.begun)?;
        change.charge(&self.job.unknown)?;
        change.make_due(&due)?;
        let described = |e: serde_json::Error| Error::at(folder, "describe", &e);
        change.note(dataset::NOTE, &serde_json::to_string(&manifest).map_err(described)?)?;
        change.note(&note_of(delivery), &serde_json::to_string(&told).map_err(described)?)?;
        progress.go_on()?;
        reached("append::change");
        change.commit_soon()?;
        reached("append::kept");
        Ok(told)
    }
}

fn named_by(whose: &Whose) -> Named<'_> {
    Named { encounters: &whose.encounters, settlements: &whose.settlements, told: &whose.told }
}

/// Columns that tell days of service.
const OF_SERVICE: [(Table, &[&str]); 2] =
    [(Table::FeeDetail, &["fee_ocur_time"]), (Table::Encounter, &["begntime", "endtime"])];

fn days_of_service(table: Table, batch: &RecordBatch, days: Option<Days>) -> Option<Days> {
    let times = OF_SERVICE.iter().filter(|(of, _)| *of == table).flat_map(|(_, times)| *times);
    let columns = times.filter_map(|name| batch.column_by_name(name));
    columns.fold(days, |days, column| bucket::joined(days, bucket::days_of(column)))
}

/// The number of a file among those that are named.
fn number_of(names: &mut Vec<String>, name: &str) -> u32 {
    let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    });
    u32::try_from(at).expect("files of one delivery")
}

/// Moves a file into its place, safe on the disk.
fn placed(from: &Path, to: &Path) -> Result<(), Error> {
    let sync = |path: &Path| fs::File::open(path).and_then(|file| file.sync_all());
    sync(from)
        .and_then(|()| fs::rename(from, to))
        .and_then(|()| sync(to.parent().unwrap_or(Path::new("."))))
        .map_err(|e| Error::at(to, "write", &e))
}

/// Removes the files of earlier states, and those of a delivery that was never taken. One that stays does no harm.
fn forget_files(folder: &Path, manifest: &Manifest) {
    let growth = manifest.growth.clone().unwrap_or_default();
    let wanted = [growth.quarantine, growth.facilities];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = name.starts_with("quarantine-") || name.starts_with("facility-");
        if ours && !wanted.iter().flatten().any(|known| *known == name) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A row that waits, in the form that is kept.
fn waiting(row: &Waits, turn: u32, names: &[String]) -> Result<Waiting, Error> {
    let cells: serde_json::Map<String, serde_json::Value> =
        texts(row.table, &row.payload).into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    Ok(Waiting {
        id: 0,
        mdtrt_id: row.encounter.clone(),
        turn,
        file: names[row.file as usize].clone(),
        row: row.row,
        table: row.table.name().to_owned(),
        cells: serde_json::to_string(&cells).map_err(|e| Error::new(format!("cannot keep a row: {e}")))?,
    })
}

/// File, row and text of a row that waits, as the list of rows set aside has them.
fn listed(row: &Waiting) -> Result<[String; 3], Error> {
    let cells = cells_of(row)?;
    let text = match cells.get("psn_no") {
        Some(person) => stranger(person, &row.mdtrt_id),
        None => row.mdtrt_id.clone(),
    };
    Ok([harmless(&row.file).into_owned(), row.row.to_string(), harmless(&text).into_owned()])
}

/// The texts of a row that waits, by column.
fn cells_of(row: &Waiting) -> Result<BTreeMap<String, String>, Error> {
    let damaged = |_| Error::new(format!("a row of `{}` that waits for its encounter cannot be read", row.file));
    serde_json::from_str(&row.cells).map_err(damaged)
}

/// What the list of rows set aside says of a line in another's encounter.
pub(super) fn stranger(person: &str, encounter: &str) -> String {
    format!("{person} ({encounter})")
}

/// Writes down the rows of an ingest that wait for their encounter, where there are any.
pub(super) fn write_waiting(waits: Vec<Waits>, names: &[String], built: &Path) -> Result<(), Error> {
    if waits.is_empty() {
        return Ok(());
    }
    let path = built.join(WAITING);
    let mut text = String::new();
    for row in waits {
        let row = serde_json::to_string(&waiting(&row, 0, names)?).map_err(|e| Error::at(&path, "write", &e))?;
        text.push_str(&row);
        text.push('\n');
    }
    fs::write(&path, text).map_err(|e| Error::at(&path, "write", &e))
}

fn waiting_in(folder: &Path) -> Result<Vec<Waiting>, Error> {
    let path = folder.join(WAITING);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).map_err(|e| Error::at(&path, "read", &e))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(|e| Error::at(&path, "understand", &e))).collect()
}
