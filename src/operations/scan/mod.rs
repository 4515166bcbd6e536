//! `scan`: a night. What came into the drop folder goes into the dataset, the rules are asked about whom it concerns, what they
//! say goes into the store, and in the morning there is a report.
//!
//! ```text
//! drop folder ─ drop ─ deliveries ─ ingest::append ─ dataset ┬ persons with other rows ─┐
//!                                                            ├ open stays, as the day moved ├ those who share a trace code
//!                                                            └ … ────────────────────────┘            │
//!            store ◀─ merge (scope: these persons) ◀─ findings ◀─ every rule, audit::look ◀───────────┘
//!              └─ casework::expire: the silence of facilities counts as assent
//! ```
//! **Whom.** What the rules say of a person rests on all rows of that person; on those of others who hold one of the same drug
//! trace codes; on the as-of day, where an encounter has not ended; and on what is the same for everybody: rules, parameters,
//! knowledge, exemptions, the region, the facility table, the first day of the data. So persons are asked about when their rows
//! changed (append keeps them as *due*, with those who shared a code before it) or when the day moved over an open stay, and
//! with them who shares a code now, transitively: also a line's money, which goes to one finding, is then shared out among the
//! same findings as in a scan of everybody. When what is the same for everybody changed, everybody is asked about.
//!
//! **Resumable.** A night is written down in the store before it begins (`journal`), and every step can be done twice: a file is
//! in the dataset or not, by its content; a scan is merged once by its id; the report appears as a whole. Killed at any point, the
//! next run finds the night and goes on with the same files, the same id, the same time; the store and the report come out the
//! same. What came into the drop folder meanwhile is for the night after.
//!
//! **Alone.** `lease` lets one scan work at a time, and `ingest --append` not during one.
//!
//! Goes in: [`Options`], a [`Store`], who asks and what time it is. Comes out: [`Done`], and a folder with the report.
//! Deliberately unknown here: when it is night; flags, exit codes.

pub mod drop;
mod journal;
pub mod lease;
pub mod report;
pub mod schedule;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;

use arrow::array::{Array as _, AsArray as _};
use sha2::{Digest, Sha256};

use super::audit::{self, Looked};
use super::{Error, casework, library};
use crate::cases::{Action, Procedure, Refusal};
use crate::clock::Stopwatch;
use crate::ingest::past::{self, Past};
use crate::ingest::{self, Dataset, read_through};
use crate::model::Table;
use crate::points::reached;
use crate::progress::{Progress, Silent};
use crate::report::night::{Assent, Held};
use crate::rules::Exemptions;
use crate::store::{End, Facility, FileTaken, Found, Lease, Merged, Scan, ScanRecord, ScanState, Scope, Store};
use drop::{Delivery, SetAside};
use journal::{Asked, Night};
use lease::Now;

/// What a night does and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder into which exports are put.
    pub drop: PathBuf,
    /// Made by the first night.
    pub dataset: PathBuf,
    /// For reports, a folder a night.
    pub out: PathBuf,
    /// None: the library that was built in.
    pub rules: Option<PathBuf>,
    /// A folder of knowledge tables, each instead of the library's table of that name.
    pub knowledge: Option<PathBuf>,
    /// A folder of exemptions.
    pub exemptions: Option<PathBuf>,
    /// Region (`admdvs`) of rows that have none.
    pub region: Option<String>,
    /// None: the last day in the data.
    pub as_of: Option<i32>,
    pub mapping: Option<PathBuf>,
    /// Seconds for which a file must have been left alone before it is taken.
    pub quiet: u32,
    /// Ask about everybody, whatever changed.
    pub everyone: bool,
    /// Who is told in the morning: counts and money, no persons.
    pub webhook: Option<String>,
    /// None: as many as there are processors.
    pub threads: Option<usize>,
    /// Bytes for what is worked on at once, about.
    pub memory: Option<u64>,
}

/// Who asks, and what time it is.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// `machine/process`.
    pub owner: &'a str,
    /// As it is kept.
    pub now: Now<'a>,
    /// Seconds since 1970-01-01, to tell how old a file is.
    pub seconds: i64,
}

/// What a night did.
#[derive(Debug)]
pub struct Done {
    pub scan_id: String,
    /// Whether it went on where another run had stopped.
    pub resumed: bool,
    pub merged: Merged,
    /// Findings whose term for an appeal had passed.
    pub assent: Assent,
    /// About how many persons the rules were asked; none: about everybody.
    pub persons: Option<u64>,
    pub aside: Vec<SetAside>,
    pub unfinished: Vec<String>,
    /// The folder of the report.
    pub report: PathBuf,
    /// Why nobody could be told at the webhook.
    pub untold: Option<String>,
}

/// The last night as a store has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Last {
    /// None: no scan has begun yet.
    pub scan: Option<Scan>,
    /// It is not done: the next run goes on with it.
    pub is_open: bool,
}

/// The last night.
///
/// # Errors
/// The store.
pub fn last(store: &dyn Store) -> Result<Last, Error> {
    let scan = store.scans(1)?.into_iter().next();
    Ok(Last { scan, is_open: journal::unfinished(store)?.is_some() })
}

/// Does a night, or what is left of one that was cut short.
///
/// # Errors
/// Another scan is at work; mistakes in rules or exemptions; a disk or a store that refuses; work that is wanted no longer. What
/// was done holds, and the next run goes on from there.
pub fn night(options: &Options, store: &dyn Store, asking: Asking<'_>, progress: &dyn Progress) -> Result<Done, Error> {
    audit::check_region(options.region.as_deref())?;
    let guard = lease::take(store, &options.dataset, asking.owner, asking.now)?;
    let done = guard.during(asking.now, progress, |progress| {
        let watch = Stopwatch::start();
        let open = journal::unfinished(store)?;
        // The rules are compiled while somebody looks what there is to take.
        let (asked_with, found) = thread::scope(|threads| {
            let rules = threads.spawn(|| asked_with(options));
            let found = open.is_none().then(|| found(options, store, asking, progress)).transpose();
            (rules.join().unwrap_or_else(|panic| resume_unwind(panic)), found)
        });
        let (library, exemptions, procedure) = asked_with?;
        let found = found?.unwrap_or_default();
        let lease = &guard.lease;
        Scanning { options, store, asking, lease, watch, library, exemptions, procedure }.run(open, found, progress)
    });
    let released = guard.release();
    let done = done?;
    released?;
    Ok(done)
}

/// What the rules are asked with.
fn asked_with(options: &Options) -> Result<(library::Library, Exemptions, Procedure), Error> {
    let origin = library::Origin { rules: options.rules.as_deref(), knowledge: options.knowledge.as_deref() };
    let library = library::compile(origin, &[])?;
    let exemptions = library::exemptions(options.exemptions.as_deref(), &library.set)?;
    Ok((library, exemptions, casework::procedure(options.rules.as_deref())?))
}

/// What is new in the drop folder.
fn found(
    options: &Options,
    store: &dyn Store,
    asking: Asking<'_>,
    progress: &dyn Progress,
) -> Result<drop::Found, Error> {
    let taken: BTreeSet<String> = if options.dataset.join("dataset.json").exists() {
        let dataset = Dataset::open_for_persons(&options.dataset)?;
        dataset.manifest().inputs.iter().map(|input| input.sha256.clone()).collect()
    } else {
        BTreeSet::new()
    };
    let known = |sha256: &str| {
        // What was set aside is looked at again: perhaps there is a mapping now.
        Ok(taken.contains(sha256) || store.file(sha256)?.is_some_and(|file| file.reason.is_none()))
    };
    let how = drop::Look {
        folder: &options.drop,
        mapping: options.mapping.as_deref(),
        quiet: options.quiet,
        now: asking.seconds,
    };
    drop::look(how, &journal::seen(store)?, known, progress)
}

/// A night on its way.
struct Scanning<'a> {
    options: &'a Options,
    store: &'a dyn Store,
    asking: Asking<'a>,
    lease: &'a Lease,
    watch: Stopwatch,
    library: library::Library,
    exemptions: Exemptions,
    procedure: Procedure,
}

/// Whom a night is about, and how the rules are asked.
struct Concern {
    asked: Asked,
    /// None: everybody.
    whom: Option<BTreeSet<String>>,
}

impl Scanning<'_> {
    fn run(&self, open: Option<Night>, found: drop::Found, progress: &dyn Progress) -> Result<Done, Error> {
        let resumed = open.is_some();
        let mut night = match open {
            Some(night) if night.dataset == self.place() => night,
            Some(other) => {
                return Err(Error::Usage(format!(
                    "the night {} over the dataset `{}` was cut short: finish it first, with that dataset",
                    other.scan_id, other.dataset
                )));
            }
            None => self.chosen(found)?,
        };
        reached("scan::chosen");
        self.store.scan_begin(&ScanRecord {
            scan_id: night.scan_id.clone(),
            started_at: night.started_at.clone(),
            rule_set_hash: self.library.set.hash.clone(),
            ..ScanRecord::default()
        })?;
        reached("scan::begun");
        self.finished(&mut night, resumed, progress).inspect_err(|error| {
            if !matches!(error, Error::Stopped) {
                let why = serde_json::json!({ "failed": error.to_string() }).to_string();
                // The error to tell is the first one; the next run goes on anyhow.
                let _ = self.store.scan_end(&night.scan_id, End::Failed, &why, &(self.asking.now)());
            }
        })
    }

    fn finished(&self, night: &mut Night, resumed: bool, progress: &dyn Progress) -> Result<Done, Error> {
        if let Some(done) = self.closed(night)? {
            return Ok(done);
        }
        // While it is open here, no delivery waits for its rows to be brought from the log to their place.
        let open = self.opened(progress)?;
        self.take(night, progress)?;
        reached("scan::taken");
        let mut dataset = Dataset::open_for_persons(&self.options.dataset)?;
        let past = Past::of(&dataset, progress)?;
        let concern = self.concern(night, &dataset, &past)?;
        if concern.whom.is_none() {
            dataset = Dataset::open(&self.options.dataset)?;
        }
        let (how, whom) = (self.as_an_audit(), concern.whom.as_ref());
        let looked = thread::scope(|threads| {
            let settled = threads.spawn(|| {
                ingest::settle(&dataset)?;
                // If this fails, whoever closes the file tries again.
                let _ = past.write_back();
                Ok::<_, ingest::Error>(())
            });
            let looked = audit::look(&how, &self.library, &self.exemptions, &dataset, whom, progress)?;
            settled.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            Ok::<_, Error>(looked)
        })?;
        drop(open);
        reached("scan::asked");
        progress.go_on()?;
        let facilities = facilities_of(&dataset)?;
        let files = files_of(night, &dataset);
        let merged = self.merge(night, (&facilities, &files), &concern, &looked)?;
        reached("scan::merged");
        progress.go_on()?;
        let assent = self.expire(night)?;
        reached("scan::expired");
        let (told, record) = report::made(&report::From {
            night,
            store: self.store,
            dataset: &dataset,
            past: &past,
            looked: &looked,
            merged: &merged,
            assent: &assent,
            persons: concern.whom.as_ref().map(|whom| whom.len() as u64),
            facilities: &facilities,
            files: &files,
            elapsed_ms: u64::try_from(self.watch.elapsed().as_millis()).unwrap_or(u64::MAX),
        })?;
        let report = report::publish(&told, &self.options.out)?;
        reached("scan::reported");
        let untold = self.options.webhook.as_deref().and_then(|url| webhook::tell(url, &told).err());
        if let Some(why) = &untold {
            tracing::warn!(why, "nobody was told at the webhook");
        }
        clear(night, &past, &concern.asked, &record)?;
        self.end(night, &journal::json(&record)?)?;
        Ok(Done { report, untold, ..self.done(night, resumed, merged, &record) })
    }

    fn done(&self, night: &Night, resumed: bool, merged: Merged, record: &report::Record) -> Done {
        Done {
            scan_id: night.scan_id.clone(),
            resumed,
            merged,
            assent: record.assent.clone(),
            persons: record.persons,
            aside: night.aside.clone(),
            unfinished: night.unfinished.clone(),
            report: self.options.out.join(&night.scan_id),
            untold: None,
        }
    }

    /// Ends a night of which nothing but the end is missing.
    fn closed(&self, night: &Night) -> Result<Option<Done>, Error> {
        let scan = self.store.scan(&night.scan_id)?;
        let Some(merged) = scan.and_then(|scan| scan.merged) else { return Ok(None) };
        let past = Past::of(&Dataset::open_for_persons(&self.options.dataset)?, &Silent)?;
        if past.noted(CLEARED)?.as_deref() != Some(night.scan_id.as_str()) {
            return Ok(None);
        }
        let record = past.noted(RECORD)?.unwrap_or_default();
        self.end(night, &record)?;
        let record = serde_json::from_str(&record).unwrap_or_default();
        Ok(Some(self.done(night, true, merged, &record)))
    }

    /// The dataset, as the journal names it.
    fn place(&self) -> String {
        let path = &self.options.dataset;
        std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
    }

    /// Decides what the night is to do, and writes it down.
    fn chosen(&self, found: drop::Found) -> Result<Night, Error> {
        if found.deliveries.is_empty() && !self.options.dataset.join("dataset.json").exists() {
            let why = found.aside.first().map_or_else(String::new, |aside| format!("; {}", aside.reason));
            return Err(Error::Usage(format!(
                "nothing to scan: there is no dataset `{}` yet, and no new table in `{}`{why}",
                self.options.dataset.display(),
                self.options.drop.display()
            )));
        }
        journal::see(self.store, &found.seen)?;
        let started_at = (self.asking.now)();
        let scan_id = self.new_id(&started_at)?;
        let named = |delivery: Delivery| {
            let name = if delivery.name.is_empty() { scan_id.clone() } else { format!("{scan_id}/{}", delivery.name) };
            Delivery { name, ..delivery }
        };
        let night = Night {
            deliveries: found.deliveries.into_iter().map(named).collect(),
            scan_id: scan_id.clone(),
            started_at,
            dataset: self.place(),
            aside: found.aside,
            unfinished: found.unfinished,
            asked: journal::asked(self.store)?,
        };
        journal::write(self.store, &night)?;
        Ok(night)
    }

    /// The time as a name: `20261122-020000`, and a number where the store has that already.
    fn new_id(&self, started_at: &str) -> Result<String, Error> {
        let digits: String = started_at.chars().filter(char::is_ascii_digit).collect();
        let (day, time) = digits.split_at_checked(8).unwrap_or((&digits, ""));
        let mut id = format!("{day}-{time}");
        let mut number = 1;
        while self.store.scan(&id)?.is_some() {
            number += 1;
            id = format!("{day}-{time}-{number}");
        }
        Ok(id)
    }

    /// Takes the deliveries into the dataset, one after the other.
    fn take(&self, night: &mut Night, progress: &dyn Progress) -> Result<(), Error> {
        let how = ingest::Options {
            mapping: self.options.mapping.clone(),
            threads: self.options.threads,
            memory: self.options.memory,
            ..ingest::Options::default()
        };
        for at in 0..night.deliveries.len() {
            while !self.is_taken(&night.deliveries[at])? {
                self.still_there(night, at, progress)?;
                let delivery = &night.deliveries[at];
                if delivery.files.is_empty() {
                    break;
                }
                let files: Vec<PathBuf> = delivery.files.iter().map(|file| file.path.clone()).collect();
                match ingest::append_soon(&files, &delivery.name, &how, &self.options.dataset, progress) {
                    Ok(_) => break,
                    Err(error) if error.is_stop() => return Err(error.into()),
                    Err(error) => self.cross_out(night, at, error)?,
                }
            }
            reached("scan::delivered");
        }
        Ok(())
    }

    /// The past of persons, where it is there.
    fn opened(&self, progress: &dyn Progress) -> Result<Option<Past>, Error> {
        if ["dataset.json", past::FILE].into_iter().any(|name| !self.options.dataset.join(name).exists()) {
            return Ok(None);
        }
        let dataset = Dataset::open_for_persons(&self.options.dataset)?;
        Ok(Some(Past::of(&dataset, progress)?))
    }

    fn is_taken(&self, delivery: &Delivery) -> Result<bool, Error> {
        if !self.options.dataset.join("dataset.json").exists() {
            return Ok(false);
        }
        let dataset = Dataset::open_for_persons(&self.options.dataset)?;
        let inputs = &dataset.manifest().inputs;
        Ok(delivery.files.iter().all(|file| inputs.iter().any(|input| input.sha256 == file.sha256)))
    }

    /// Leaves files out of a delivery that are gone, or others than they were when the night was written down.
    fn still_there(&self, night: &mut Night, at: usize, progress: &dyn Progress) -> Result<(), Error> {
        let mut files = Vec::new();
        for file in &night.deliveries[at].files {
            if file.path.exists() && drop::hashed(&file.path, progress)? == file.sha256 {
                files.push(file.clone());
            } else {
                night.unfinished.push(file.name.clone());
            }
        }
        if files.len() < night.deliveries[at].files.len() {
            night.deliveries[at].files = files;
            journal::write(self.store, night)?;
        }
        Ok(())
    }

    /// Sets the files of a delivery aside that cannot be read to their end. Where all can, it is not they who are to blame.
    fn cross_out(&self, night: &mut Night, at: usize, error: ingest::Error) -> Result<(), Error> {
        let mut good = Vec::new();
        let mut bad = Vec::new();
        for file in &night.deliveries[at].files {
            match read_through(std::slice::from_ref(&file.path), self.options.mapping.as_deref()) {
                Ok(()) => good.push(file.clone()),
                Err(error) => bad.push(SetAside { file: file.clone(), reason: error.to_string() }),
            }
        }
        if bad.is_empty() {
            return Err(error.into());
        }
        night.deliveries[at].files = good;
        night.aside.extend(bad);
        journal::write(self.store, night)
    }

    fn as_an_audit(&self) -> audit::Options {
        audit::Options {
            region: self.options.region.clone(),
            as_of: self.options.as_of,
            threads: self.options.threads,
            memory: self.options.memory,
            ..audit::Options::default()
        }
    }

    /// About whom the rules are to be asked.
    fn concern(&self, night: &Night, dataset: &Dataset, past: &Past) -> Result<Concern, Error> {
        let manifest = dataset.manifest();
        let deliveries = manifest.growth.as_ref().map_or(0, |growth| growth.deliveries);
        let first = manifest.inputs.iter().take_while(|input| !input.file.contains('/'));
        let asked = Asked {
            with: self.the_same_for_all(dataset)?,
            as_of: audit::as_of(&self.as_an_audit(), dataset),
            dataset: hash(first.map(|input| input.sha256.as_bytes())),
            deliveries,
        };
        let before = night.asked.as_ref();
        let stands = before.is_some_and(|before| {
            before.with == asked.with && before.dataset == asked.dataset && before.deliveries <= asked.deliveries
        });
        // Another store may have been told of persons who were due.
        let known = before.map(journal::json).transpose()? == past.noted(journal::ASKED)?;
        if self.options.everyone || !stands || !known {
            return Ok(Concern { asked, whom: None });
        }
        let mut due = past.due()?;
        if before.is_some_and(|before| before.as_of != asked.as_of) {
            due.extend(past.open_stays()?);
        }
        Ok(Concern { asked, whom: Some(past.sharing(&due)?) })
    }

    /// A hash of everything that is the same for all persons and on which findings rest.
    fn the_same_for_all(&self, dataset: &Dataset) -> Result<String, Error> {
        let file = dataset.facility_file();
        let facilities =
            fs::read(&file).map_err(|source| Error::Disk { doing: format!("read `{}`", file.display()), source })?;
        let first_day = dataset.manifest().first_day.map(|day| day.to_string()).unwrap_or_default();
        let brought: String =
            self.library.set.brought.iter().map(|table| format!("{}={};", table.table, table.hash)).collect();
        Ok(hash([
            env!("CARGO_PKG_VERSION").as_bytes(),
            self.library.set.hash.as_bytes(),
            brought.as_bytes(),
            self.exemptions.hash.as_bytes(),
            self.options.region.as_deref().unwrap_or_default().as_bytes(),
            first_day.as_bytes(),
            &facilities,
        ]))
    }

    fn merge(
        &self,
        night: &Night,
        (facilities, files): (&BTreeMap<String, Facility>, &[FileTaken]),
        concern: &Concern,
        looked: &Looked,
    ) -> Result<Merged, Error> {
        let record = ScanRecord {
            scan_id: night.scan_id.clone(),
            started_at: night.started_at.clone(),
            as_of: concern.asked.as_of,
            rule_set_hash: self.library.set.hash.clone(),
            everyone: concern.whom.is_none(),
            region: self.options.region.clone(),
            facilities: facilities.clone(),
            files: files.to_vec(),
            remember: BTreeMap::from([(journal::ASKED.to_owned(), journal::json(&concern.asked)?)]),
            lease: Some(self.lease.clone()),
        };
        let scope = concern.whom.clone().map_or(Scope::Everyone, Scope::Persons);
        let mut lines: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for line in &looked.outcome.lines {
            lines.entry(line.finding_id.as_str()).or_default().push(line.clone());
        }
        let mut found = looked.outcome.findings.iter().map(|finding| -> Found {
            let id = finding.finding_id.as_str();
            let persons = looked.persons.get(id).into_iter().flatten().cloned().collect();
            (finding.clone(), lines.remove(id).unwrap_or_default(), persons)
        });
        Ok(self.store.merge(&record, &mut found, &scope, &night.started_at)?)
    }

    /// Lets the silence of facilities count as assent, as of the beginning of the night: done again, it does nothing more.
    fn expire(&self, night: &Night) -> Result<Assent, Error> {
        let done = casework::expire(self.store, &self.procedure, &night.started_at, false)?;
        let mut held: BTreeMap<String, u64> = BTreeMap::new();
        for (_, refusal) in &done.refused {
            *held.entry(why_held(refusal)).or_default() += 1;
        }
        // Those too that were moved on by a run that was cut short.
        let findings = self.store.taken(Action::Expire, &night.started_at)?;
        Ok(Assent { findings, held: held.into_iter().map(|(why, findings)| Held { why, findings }).collect() })
    }

    /// The scan is finished, and with it the night.
    fn end(&self, night: &Night, record: &str) -> Result<(), Error> {
        let ended = self.store.scan(&night.scan_id)?.is_some_and(|scan| scan.state == ScanState::Finished);
        if !ended {
            self.store.scan_end(&night.scan_id, End::Finished, record, &(self.asking.now)())?;
        }
        reached("scan::ended");
        journal::close(self.store)
    }
}

/// Why a finding stays where it is, for the report.
fn why_held(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Calendar(gap) => format!(
            "{0} 年的节假日还不知道，工作日算不到那一年；国务院办公厅公布以后，把 `calendar/{0}.csv` 放进规则库（`--rules`）",
            gap.year
        ),
        other => other.to_string(),
    }
}

/// Nobody is due any longer: the rules were asked about all of them, and what they said is in the store.
fn clear(night: &Night, past: &Past, asked: &Asked, record: &report::Record) -> Result<(), Error> {
    let mut change = past.change()?;
    change.nothing_due()?;
    change.note(journal::ASKED, &journal::json(asked)?)?;
    change.note(RECORD, &journal::json(record)?)?;
    change.note(CLEARED, &night.scan_id)?;
    change.commit()?;
    reached("scan::cleared");
    Ok(())
}

/// Notes of `persons.db`: the scan after which nobody was due, and its record.
const CLEARED: &str = "scan.cleared";
const RECORD: &str = "scan.record";

fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of a night as the store keeps them.
fn files_of(night: &Night, dataset: &Dataset) -> Vec<FileTaken> {
    let rows = |sha256: &str| {
        let inputs = dataset.manifest().inputs.iter().filter(|input| input.sha256 == sha256);
        inputs.map(|input| input.rows).sum()
    };
    let taken = |file: &drop::File, reason: Option<&String>| FileTaken {
        sha256: file.sha256.clone(),
        name: file.name.clone(),
        bytes: file.bytes,
        rows: if reason.is_some() { 0 } else { rows(&file.sha256) },
        taken_at: night.started_at.clone(),
        scan_id: Some(night.scan_id.clone()),
        reason: reason.cloned(),
    };
    let good = night.deliveries.iter().flat_map(|delivery| &delivery.files).map(|file| taken(file, None));
    good.chain(night.aside.iter().map(|aside| taken(&aside.file, Some(&aside.reason)))).collect()
}

/// Names and regions of the facilities.
fn facilities_of(dataset: &Dataset) -> Result<BTreeMap<String, Facility>, Error> {
    let batch = dataset.facilities()?;
    let column = |name: &str| {
        let position = Table::Facility.position(name).expect("a column of the table");
        batch.column(position).as_string::<i32>()
    };
    let (codes, names, regions) = (column("fixmedins_code"), column("fixmedins_name"), column("admdvs"));
    let text = |column: &arrow::array::StringArray, row| column.is_valid(row).then(|| column.value(row).to_owned());
    let facility = |row| Some((text(codes, row)?, Facility { name: text(names, row), admdvs: text(regions, row) }));
    Ok((0..batch.num_rows()).filter_map(facility).collect())
}
