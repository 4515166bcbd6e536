//! Exports → a dataset on disk, in bounded memory, nothing lost.
//!
//! ```text
//! files ─ sources ─ csv │ xlsx │ parquet ─ rows ─ intake ─ spill by key ─ bucket::assign ─ spill by person ─ bucket::sort ─ dataset
//!          header │ mapping               values ─ packed └── complaints ──────────────────────────────── quarantine.csv
//! ```
//! Every row that is read is in the end audited, quarantined with a reason, or a duplicate of an audited one; rows and cents
//! add up, or the ingest fails. Memory is that of some chunks while reading and of one bucket a thread afterwards. The
//! dataset is written beside its place and moved there when it is whole.
//!
//! Goes in: paths, perhaps a mapping. Comes out: [`Dataset`], or for `doctor` a [`Survey`]. Deliberately unknown here: rules,
//! the query engine's plans, what a row means.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;

pub mod append;
mod bucket;
mod columns;
mod csv;
pub mod dataset;
mod error;
mod header;
mod intake;
mod mapping;
mod packed;
mod parquet;
pub mod past;
mod rows;
mod sources;
mod spill;
pub mod survey;
pub mod values;
mod xlsx;

pub use append::{Appended, append, append_soon, delivered, settle};
pub use csv::Encoding;
pub use dataset::{Cents, Dataset, Growth, Input, Manifest, TableSummary, Tally, Unit, bucket_of};
pub use error::Error;
pub use past::Past;
pub use survey::{Survey, read_through, survey};
pub use values::{BadCell, BadValue, TableBuilder, Value, parse, parse_cell};
pub use xlsx::{Sheet, sheets_of};

use crate::aside::{Aside, PREFIX, replace_folder};
use crate::model::Table;
use crate::progress::Progress;
use bucket::Waits;
use intake::{Intake, Ledger, Origin};
use mapping::Mapping;
use sources::{Format, Source, Sources};
use spill::{Complaints, GATHERED, Spill};

/// Input bytes of a bucket, about.
const BUCKET_BYTES: u64 = 48 << 20;

/// Memory for each input byte of a bucket at work: its records, their order, its rows as columns. About.
const MEMORY_A_BYTE: u64 = 6;

/// Input bytes of a bucket when memory is short.
const SMALLEST_BUCKET: u64 = 1 << 20;

/// First and last day.
type Days = (i32, i32);

/// How to ingest.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A file that says which column is which.
    pub mapping: Option<PathBuf>,
    /// Number of buckets; by default as many as the input's size asks for.
    pub buckets: Option<usize>,
    /// Threads; by default as many as there are processors.
    pub threads: Option<usize>,
    /// Bytes for buckets at work, about. Besides: some 100 MB for what is read ahead and not yet spilled, and the shared texts
    /// of a workbook that is being read. Of a delivery to a dataset that is there up to 256 MB wait in memory, or an eighth of this.
    pub memory: Option<u64>,
}

/// Reads the files of `inputs` and writes the dataset `into`, a folder that is new, empty or a dataset.
///
/// # Errors
/// When a file cannot be read as a table, the disk fails, the counts do not add up, or the work is wanted no longer; then
/// `into` is as it was. Bad rows are no errors: they are in the dataset's `quarantine.csv`.
pub fn ingest(inputs: &[PathBuf], options: &Options, into: &Path, progress: &dyn Progress) -> Result<Dataset, Error> {
    check_place(into)?;
    let mapping = options.mapping.as_deref().map(Mapping::load).transpose()?;
    progress.begin("look", 0);
    let sources = sources::find(inputs, mapping.as_ref(), progress)?;
    progress.end();
    let (buckets, threads) = portions(bytes_of(&sources.sources), options);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::new(format!("cannot start threads: {e}")))?;
    let done = pool.install(|| ingest_here(sources, buckets, into, progress));
    // A writer that was stopped says so in its library's words.
    done.map_err(|error| if progress.stopped() { crate::progress::Stopped.into() } else { error })
}

fn ingest_here(sources: Sources, buckets: usize, into: &Path, progress: &dyn Progress) -> Result<Dataset, Error> {
    let Sources { sources, mut notes } = sources;
    let beside = into.parent().unwrap_or(Path::new("."));
    let work = Aside::within(beside).map_err(|e| Error::at(beside, "write into", &e))?;
    let built = work.path().join("dataset");
    std::fs::create_dir_all(&built).map_err(|e| Error::at(&built, "create", &e))?;

    let encounters = sources.iter().flat_map(|s| &s.layout.plans).any(|p| p.table == Table::Encounter);
    let mut job = Job::new(work.path(), buckets, encounters, None)?;
    job.read_all(&sources, progress)?;
    job.assign_all(progress)?;
    job.write_facilities(&built)?;
    let (units, days) = job.write_all(&built, progress)?;
    job.settle_up()?;
    let names: Vec<String> = sources.iter().map(|s| s.label.clone()).collect();
    spill::write_quarantine(&job.complaints_folder, &names, &built.join("quarantine.csv"), progress)?;
    append::write_waiting(std::mem::take(&mut job.waits), &names, &built)?;

    for (table, summary) in Table::ALL.into_iter().zip(&mut job.ledger.tables) {
        summary.columns = columns_of(table, &sources);
        summary.present = !summary.columns.is_empty();
    }
    notes.extend(job.note());
    notes.sort();
    let manifest = Manifest {
        version: dataset::VERSION,
        buckets,
        first_day: days.map(|d| d.0),
        last_day: days.map(|d| d.1),
        tables: Table::ALL.into_iter().map(|t| (t.name().to_owned(), job.ledger.tables[t as usize].clone())).collect(),
        inputs: job.inputs,
        notes,
        units,
        growth: None,
    };
    let path = built.join("dataset.json");
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| Error::at(&path, "write", &e))?;
    std::fs::write(&path, text).map_err(|e| Error::at(&path, "write", &e))?;
    progress.go_on()?;
    replace_folder(into, &built, work.path()).map_err(|e| Error::at(into, "replace", &e))?;
    Dataset::open(into)
}

/// The columns of a table that any of the sources has.
fn columns_of(table: Table, sources: &[Source]) -> Vec<String> {
    let plans = sources.iter().flat_map(|s| &s.layout.plans).filter(|p| p.table == table);
    let columns: BTreeSet<&str> = plans.flat_map(header::Plan::names).collect();
    table.columns().iter().filter(|c| columns.contains(c.name)).map(|c| c.name.to_owned()).collect()
}

/// A dataset may be replaced, anything else may not.
fn check_place(into: &Path) -> Result<(), Error> {
    let Ok(entries) = std::fs::read_dir(into) else {
        if into.exists() {
            return Err(Error::new(format!("`{}` is a file; a dataset is a folder", into.display())));
        }
        return Ok(());
    };
    // What a killed run left under way is no file of anybody's.
    let is_left_over = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(PREFIX);
    let mut names = entries.flatten().map(|entry| entry.file_name());
    if names.any(|name| !is_left_over(&name)) && !into.join("dataset.json").exists() {
        return Err(Error::new(format!(
            "`{}` has files in it and is no dataset; give a new folder for the dataset",
            into.display()
        )));
    }
    Ok(())
}

/// Bytes of an input, as CSV, about.
fn bytes_of(sources: &[Source]) -> u64 {
    let mut seen = BTreeSet::new();
    sources
        .iter()
        .filter(|s| seen.insert(&s.path))
        .map(|s| {
            // What the same rows would be as CSV, about.
            s.bytes
                * match s.format {
                    Format::Csv(_) => 1,
                    Format::Parquet => 4,
                    Format::Sheet(_) => 6,
                }
        })
        .sum()
}

/// How many buckets, and how many threads to work on one each, so that memory is enough. When it is short there are fewer
/// threads; when it is too short for one bucket, the buckets are smaller. A person is never cut.
fn portions(bytes: u64, options: &Options) -> (usize, usize) {
    let memory = options.memory.unwrap_or(u64::MAX);
    let a_bucket = (memory / MEMORY_A_BYTE).clamp(SMALLEST_BUCKET, BUCKET_BYTES);
    let by_size = usize::try_from(bytes.div_ceil(a_bucket).next_power_of_two()).unwrap_or(1024);
    let buckets = options.buckets.unwrap_or(by_size).clamp(1, 1024);
    let at_work = (bytes / buckets as u64).max(SMALLEST_BUCKET) * MEMORY_A_BYTE;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let affordable = usize::try_from(memory / at_work).unwrap_or(usize::MAX).max(1);
    (buckets, options.threads.filter(|&n| n > 0).unwrap_or(processors).min(affordable))
}

fn check_sums(ledger: &Ledger) -> Result<(), Error> {
    for (table, counts) in Table::ALL.into_iter().zip(&ledger.tables) {
        let mut accounted = counts.quarantined;
        accounted.merge(counts.duplicates);
        accounted.merge(counts.replaced);
        accounted.merge(counts.audited);
        if accounted != counts.read {
            return Err(Error::new(format!(
                "the table `{}` does not add up: {} rows read, {} accounted for; {} yuan read, {} accounted for; \
                 this is a mistake of the program, please report it",
                table.name(),
                counts.read.rows,
                accounted.rows,
                counts.read.sum,
                accounted.sum
            )));
        }
    }
    Ok(())
}

/// An ingest on its way.
struct Job {
    buckets: usize,
    people: Spill,
    keys: Spill,
    complaints: Complaints,
    complaints_folder: PathBuf,
    ledger: Ledger,
    inputs: Vec<Input>,
    set_aside: u64,
    /// Whether there are encounters to hold the persons of fee lines and settlements against.
    encounters: bool,
    /// Whether some of the rows are in a dataset already.
    grows: bool,
    /// Packed rows of the facility table.
    facilities: Vec<Vec<u8>>,
    waits: Vec<Waits>,
    /// Persons of whom the dataset has other rows now.
    changed: BTreeSet<String>,
    /// Persons who are charged in an encounter that nobody knows.
    unknown: BTreeSet<(String, String)>,
}

impl Job {
    /// `grows`: the rows of a dataset that is there come too, and so many bytes may stay in memory between the steps.
    fn new(work: &Path, buckets: usize, encounters: bool, grows: Option<usize>) -> Result<Job, Error> {
        let held = grows.unwrap_or(GATHERED);
        Ok(Job {
            buckets,
            people: Spill::new(work.join("people"), buckets, held)?,
            keys: Spill::new(work.join("keys"), buckets, held)?,
            complaints: Complaints::default(),
            complaints_folder: work.join("complaints"),
            ledger: Ledger::default(),
            inputs: Vec::new(),
            set_aside: 0,
            encounters,
            grows: grows.is_some(),
            facilities: Vec::new(),
            waits: Vec::new(),
            changed: BTreeSet::new(),
            unknown: BTreeSet::new(),
        })
    }

    fn write_facilities(&mut self, built: &Path) -> Result<(), Error> {
        bucket::write_facilities(std::mem::take(&mut self.facilities), built)
    }

    /// Sees that the counts add up when all is built, and puts what is left in order.
    fn settle_up(&mut self) -> Result<(), Error> {
        let rows = self.ledger.of(Table::Facility);
        // Facilities are few and written whole: what was neither refused nor there twice is in the file.
        rows.audited.rows = rows.read.rows - rows.quarantined.rows - rows.duplicates.rows - rows.replaced.rows;
        check_sums(&self.ledger)?;
        self.complaints.spill(&self.complaints_folder, true)?;
        self.waits.sort_unstable();
        Ok(())
    }

    /// What is to be said of totals rows and the like.
    fn note(&self) -> Option<String> {
        let rows = self.set_aside;
        (rows > 0)
            .then(|| format!("{rows} totals rows and repeated headers are listed in quarantine.csv and not counted"))
    }

    fn read_all(&mut self, sources: &[Source], progress: &dyn Progress) -> Result<(), Error> {
        progress.begin("read", sources.iter().map(|s| s.bytes).sum());
        for (file, source) in (0_u32..).zip(sources) {
            self.read(file, source, self.encounters, progress)?;
        }
        self.set_down()?;
        progress.end();
        Ok(())
    }

    /// Between two steps of a first ingest nothing stays in memory; what a delivery holds is little.
    fn set_down(&mut self) -> Result<(), Error> {
        if self.grows {
            return Ok(());
        }
        self.people.flush()?;
        self.keys.flush()
    }

    /// Reads a file: each thread takes the next piece of it when it is done with the one before.
    fn read(&mut self, file: u32, source: &Source, encounters: bool, progress: &dyn Progress) -> Result<(), Error> {
        let mut pieces = source.open()?;
        let origin = Origin { file, header: &source.header, plans: &source.layout.plans, encounters };
        let before = self.ledger.clone();
        let failed = || Error::new("a thread of this job has failed");
        // None: a thread met an error, so the others need not go on.
        let feed = Mutex::new(Some(&mut pieces));
        let complaints = Mutex::new(&mut self.complaints);
        let take_some = |intake: &mut Intake| -> Result<bool, Error> {
            progress.go_on()?;
            let Some(piece) = (match feed.lock().map_err(|_| failed())?.as_mut() {
                Some(pieces) => pieces.next(&source.path)?,
                None => None,
            }) else {
                return Ok(false);
            };
            let bytes = piece.bytes();
            intake.begin_chunk();
            piece.rows(|block| {
                let computed = mapping::evaluate(&source.expressions, block);
                intake.take(block, origin, &computed);
            });
            self.people.take(&mut intake.people, false)?;
            self.keys.take(&mut intake.keys, false)?;
            let mut complaints = complaints.lock().map_err(|_| failed())?;
            complaints.merge(std::mem::take(&mut intake.complaints));
            complaints.spill(&self.complaints_folder, false)?;
            progress.advance(bytes);
            Ok(true)
        };
        let take_all = || -> Result<Intake, Error> {
            let mut intake = Intake::new(self.buckets);
            while take_some(&mut intake)? {}
            self.people.take(&mut intake.people, true)?;
            self.keys.take(&mut intake.keys, true)?;
            Ok(intake)
        };
        let taken = rayon::broadcast(|_| {
            take_all().inspect_err(|_| {
                if let Ok(mut feed) = feed.lock() {
                    *feed = None;
                }
            })
        });
        for intake in taken {
            let intake = intake?;
            self.ledger.merge(&intake.ledger);
            self.set_aside += intake.set_aside;
        }
        let sha256 = source.sha256(pieces, progress)?;
        let tables: BTreeSet<Table> = source.layout.plans.iter().filter(|p| !p.split).map(|p| p.table).collect();
        for table in tables {
            let rows = self.ledger.tables[table as usize].read.rows - before.tables[table as usize].read.rows;
            self.inputs.push(Input {
                file: source.label.clone(),
                sha256: sha256.clone(),
                bytes: source.bytes,
                table: table.name().to_owned(),
                rows,
            });
        }
        Ok(())
    }

    /// Step one over all partitions by key.
    fn assign_all(&mut self, progress: &dyn Progress) -> Result<(), Error> {
        progress.begin("assign", self.keys.bytes());
        let (people, keys) = (&self.people, &self.keys);
        let (buckets, may_wait, grows) = (self.buckets, self.encounters, self.grows);
        let rest: Vec<bucket::Outcome> = (0..buckets)
            .into_par_iter()
            .map(|partition| {
                progress.go_on()?;
                let bytes = keys.load(partition)?;
                let length = bytes.len() as u64;
                let mut outcome = bucket::assign(&bytes, buckets, may_wait, grows);
                drop(bytes);
                people.take(&mut std::mem::take(&mut outcome.people), true)?;
                progress.advance(length);
                Ok(outcome)
            })
            .collect::<Result<_, Error>>()?;
        for outcome in rest {
            self.take(outcome)?;
        }
        self.set_down()?;
        progress.end();
        Ok(())
    }

    /// Takes what a step leaves besides files.
    fn take(&mut self, outcome: bucket::Outcome) -> Result<(), Error> {
        self.facilities.extend(outcome.facilities);
        self.waits.extend(outcome.waits);
        self.changed.extend(outcome.changed);
        self.unknown.extend(outcome.unknown);
        self.complaints.merge(outcome.complaints);
        self.ledger.merge(&outcome.ledger);
        self.complaints.spill(&self.complaints_folder, false)
    }

    /// Step two over all buckets of persons, into the files of a dataset. Returns the units in order, and the first and last day.
    fn write_all(&mut self, built: &Path, progress: &dyn Progress) -> Result<(Vec<Unit>, Option<Days>), Error> {
        progress.begin("sort", self.people.bytes());
        let people = &self.people;
        let outcomes: Vec<bucket::Outcome> = (0..self.buckets)
            .into_par_iter()
            .map(|bucket| bucket::sort(&people.load(bucket)?, self.grows, progress)?.write(bucket, built, progress))
            .collect::<Result<_, Error>>()?;
        let mut units = Vec::new();
        let mut days: Option<Days> = None;
        for mut outcome in outcomes {
            units.append(&mut outcome.units);
            days = bucket::joined(days, outcome.days);
            self.take(outcome)?;
        }
        progress.end();
        Ok((units, days))
    }

    /// Step two over all buckets of persons, for a dataset that grows: packs those who have other rows now, some buckets at a
    /// time, and hands them over in order while the next are packed. Returns the first and last day.
    fn pack_all(
        &mut self,
        pack: impl Fn(&str, &[past::Own<'_>]) -> Result<past::Packed, Error> + Sync,
        mut put: impl FnMut(Vec<past::Packed>) -> Result<(), Error> + Send,
        progress: &dyn Progress,
    ) -> Result<Option<Days>, Error> {
        progress.begin("sort", self.people.bytes());
        let buckets: Vec<usize> = (0..self.buckets).collect();
        let mut days: Option<Days> = None;
        let mut ready = Vec::new();
        for round in buckets.chunks(rayon::current_num_threads()) {
            let (people, changed) = (&self.people, &self.changed);
            let of_bucket =
                |bucket: &usize| bucket::sort(&people.load(*bucket)?, true, progress)?.pack(changed, &pack, progress);
            let packed = || round.par_iter().map(of_bucket).collect::<Result<Vec<_>, Error>>();
            let (written, packed) = rayon::join(|| put(std::mem::take(&mut ready)), packed);
            written?;
            for mut outcome in packed? {
                ready.append(&mut outcome.persons);
                days = bucket::joined(days, outcome.days);
                self.take(outcome)?;
            }
        }
        put(ready)?;
        progress.end();
        Ok(days)
    }
}
