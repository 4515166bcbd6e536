//! Reviews one after another, in this process: how long the past of a person and the rules take, and nothing of a network.
//!
//! For: profiling, and for knowing what a service adds. Goes in: a dataset with the past. Its own encounters are the pending
//! claims: under new ids, some days after the person's last day, with as many lines as are asked for, so that every person has
//! his real past and no claim is known already. Comes out: one JSON line: percentiles in microseconds of a review and of the
//! reading in it, reviews a second, what was found, and a digest of it: two programs that answer alike have the same digest.
//!
//!     cargo bench --bench review -- DATASET --lines 200 --reviews 2000 --threads 1
//!
//! To add a kind of claim: a way to choose encounters in [`chosen`].

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
    new_null_array,
};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use clap::Parser;
use fundaudit::clock::Stopwatch;
use fundaudit::engine::{Facility, Tables};
use fundaudit::ingest::Dataset;
use fundaudit::ingest::past::everything;
use fundaudit::model::Table;
use fundaudit::operations::review::history::{OfDataset, Wanted};
use fundaudit::operations::review::{Ask, History, Review, Reviewer, Setup, Stage};
use hashbrown::HashMap;
use serde_json::json;
use sha2::{Digest, Sha256};

// The program's allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const DAY: i64 = 86_400_000_000;

#[derive(Debug, Parser)]
#[command(name = "review")]
struct Args {
    /// A dataset made by `fundaudit ingest`
    dataset: PathBuf,
    /// Lines of a claim
    #[arg(long, default_value_t = 5)]
    lines: usize,
    /// Different claims
    #[arg(long, default_value_t = 1000)]
    claims: usize,
    #[arg(long, default_value_t = 5000)]
    reviews: usize,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Threads that may work on one review at once
    #[arg(long, default_value_t = 1)]
    hands: usize,
    /// Folder of knowledge tables
    #[arg(long)]
    knowledge: Option<PathBuf>,
    /// Rules to run; default: all of the stage
    #[arg(long, value_delimiter = ',')]
    select: Vec<String>,
    /// `cargo bench` says this to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// A claim that waits, and the day on which it does.
struct Pending {
    tables: Tables,
    day: i32,
}

/// The past, and how long it took to read.
struct Timed {
    inner: OfDataset,
    reads: Mutex<Vec<Duration>>,
}

impl History for Timed {
    fn of(&self, persons: &[&str], wanted: &Wanted) -> Result<Tables, fundaudit::operations::Error> {
        let watch = Stopwatch::start();
        let tables = self.inner.of(persons, wanted);
        if let Ok(mut reads) = self.reads.lock() {
            reads.push(watch.elapsed());
        }
        tables
    }

    fn first_day(&self) -> i32 {
        self.inner.first_day()
    }

    fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
        self.inner.facilities()
    }
}

fn main() -> Fallible<()> {
    let args = Args::parse();
    let setup = Setup { knowledge: args.knowledge.clone(), select: args.select.clone(), ..Setup::default() };
    let reviewer = Reviewer::new(&setup).map_err(|e| e.to_string())?;
    let history = OfDataset::new(Dataset::open(&args.dataset)?).map_err(|e| e.to_string())?;
    let claims = claims(&history, &args)?;
    if claims.is_empty() {
        return Err("the dataset has no encounter with enough lines".into());
    }
    let history = Timed { inner: history, reads: Mutex::default() };
    let review = |claim: &Pending| -> Fallible<Review> {
        let ask = Ask { hands: args.hands, ..Ask::of(Stage::During, claim.day) };
        reviewer.review(&claim.tables, &history, &ask).map_err(|e| e.to_string().into())
    };
    let digest = digest(&claims, &review)?;
    history.reads.lock().map_err(|e| e.to_string())?.clear();

    let next = AtomicUsize::new(0);
    let all = Stopwatch::start();
    let spent: Vec<Fallible<Vec<Duration>>> = std::thread::scope(|threads| {
        let work = || {
            let mut spent = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= args.reviews {
                    return Ok(spent);
                }
                let watch = Stopwatch::start();
                std::hint::black_box(review(&claims[number % claims.len()])?);
                spent.push(watch.elapsed());
            }
        };
        let started: Vec<_> = (0..args.threads.max(1)).map(|_| threads.spawn(work)).collect();
        started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".into()))).collect()
    });
    let micros = all.elapsed().as_micros().max(1);
    let mut reviews = Vec::new();
    for spent in spent {
        reviews.extend(spent?);
    }
    let reads = std::mem::take(&mut *history.reads.lock().map_err(|e| e.to_string())?);
    let past_lines: usize = claims.iter().map(|claim| past_lines(&history.inner, claim)).sum::<Fallible<usize>>()?;
    let line = json!({
        "lines": args.lines, "claims": claims.len(), "threads": args.threads, "reviews": reviews.len(),
        "past_lines_mean": past_lines / claims.len(),
        "a_second": args.reviews as u128 * 1_000_000 / micros,
        "review_us": percentiles(reviews), "read_us": percentiles(reads),
        "digest": digest,
    });
    println!("{line}");
    Ok(())
}

fn percentiles(mut all: Vec<Duration>) -> serde_json::Value {
    all.sort_unstable();
    let at = |share: usize| {
        all.get((all.len() * share / 1000).min(all.len().saturating_sub(1))).map_or(0, Duration::as_micros)
    };
    let mean = all.iter().sum::<Duration>().as_micros() / all.len().max(1) as u128;
    json!({ "p50": at(500), "p90": at(900), "p99": at(990), "p999": at(999), "max": at(1000), "mean": mean })
}

/// What is answered about all claims, and how much was found.
fn digest(claims: &[Pending], review: &dyn Fn(&Pending) -> Fallible<Review>) -> Fallible<serde_json::Value> {
    let mut hash = Sha256::new();
    let (mut findings, mut unanswered) = (0, 0);
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for claim in claims {
        let said = review(claim)?;
        for finding in &said.findings {
            let told = [&finding.finding_id, &finding.message, &finding.evidence, &finding.amount.to_string()];
            for text in told {
                hash.update(text.as_bytes());
            }
            *rules.entry(finding.rule_code.clone()).or_default() += 1;
        }
        hash.update(format!("{:?}{:?}{:?}", said.claims, said.lines, said.not_evaluated).as_bytes());
        findings += said.findings.len();
        unanswered += said.not_evaluated.len();
    }
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(json!({ "sha256": hash, "findings": findings, "not_evaluated": unanswered, "rules": rules }))
}

fn past_lines(history: &OfDataset, claim: &Pending) -> Fallible<usize> {
    let person = texts(&claim.tables[&Table::FeeDetail], "psn_no")?.value(0).to_owned();
    let wanted = BTreeMap::from([(Table::FeeDetail, vec!["feedetl_sn"])]);
    Ok(history.past().read(&[&person], &wanted)?[&Table::FeeDetail].num_rows())
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Fallible<&'a StringArray> {
    Ok(batch.column_by_name(name).ok_or_else(|| format!("no column {name}"))?.as_string())
}

/// Encounters and their persons, all over the dataset: with about as many lines, or the longest there are.
fn chosen(dataset: &Dataset, args: &Args) -> Fallible<Vec<(String, String)>> {
    let mut found: Vec<(usize, String, String)> = Vec::new();
    let units = dataset.units();
    for unit in units.iter().step_by(units.len().div_ceil(8).max(1)) {
        let lines = dataset.read(unit, Table::FeeDetail, &["mdtrt_id", "psn_no"])?;
        let mut of: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        let persons = texts(&lines, "psn_no")?;
        for (row, id) in texts(&lines, "mdtrt_id")?.iter().enumerate() {
            of.entry(id.unwrap_or_default()).or_insert((0, persons.value(row))).0 += 1;
        }
        found.extend(of.into_iter().map(|(id, (count, person))| (count, id.to_owned(), person.to_owned())));
    }
    // As near to the wanted length as there are enough of, from below and above; then all over the dataset.
    found.sort_by_key(|(count, id, _)| (count.abs_diff(args.lines), id.clone()));
    found.truncate(args.claims);
    found.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(found.into_iter().map(|(_, encounter, person)| (encounter, person)).collect())
}

fn claims(history: &OfDataset, args: &Args) -> Fallible<Vec<Pending>> {
    let mut claims = Vec::new();
    for (number, (encounter, person)) in chosen(history.dataset(), args)?.into_iter().enumerate() {
        let whole = history.past().read(&[&person], &everything())?;
        claims.extend(claim(&whole, &encounter, number, args.lines)?);
    }
    Ok(claims)
}

/// The encounter once more, after all that the person has had.
fn claim(whole: &Tables, encounter: &str, number: usize, lines: usize) -> Fallible<Option<Pending>> {
    let times = |batch: &RecordBatch, name: &str| -> Vec<i64> {
        let column = batch.column_by_name(name).map(AsArray::as_primitive::<TimestampMicrosecondType>);
        column.into_iter().flat_map(|column| column.iter().flatten()).collect()
    };
    let mut tables = Tables::new();
    for (table, batch) in whole.iter().filter(|(_, batch)| batch.num_rows() > 0) {
        let mut batch = batch.clone();
        if batch.column_by_name("mdtrt_id").is_some() {
            let mut mask: Vec<bool> = texts(&batch, "mdtrt_id")?.iter().map(|id| id == Some(encounter)).collect();
            if *table == Table::FeeDetail {
                let counts = batch.column_by_name("cnt").ok_or("no column cnt")?.as_primitive::<Decimal128Type>();
                mask.iter_mut().zip(counts).for_each(|(keep, count)| *keep &= count.is_some_and(|count| count > 0));
            }
            batch = filter_record_batch(&batch, &BooleanArray::from(mask))?;
        }
        if *table == Table::Settlement {
            batch = batch.slice(0, batch.num_rows().min(1));
        }
        if batch.num_rows() > 0 && *table != Table::Identity {
            tables.insert(*table, batch);
        }
    }
    let (Some(own), Some(_), Some(begins)) = (
        tables.get(&Table::FeeDetail).cloned(),
        tables.get(&Table::Settlement),
        tables.get(&Table::Encounter).and_then(|batch| times(batch, "begntime").first().copied()),
    ) else {
        return Ok(None);
    };
    let last = times(&whole[&Table::FeeDetail], "fee_ocur_time").into_iter().max().unwrap_or(begins);
    let shift = (last.div_euclid(DAY) - begins.div_euclid(DAY) + 2) * DAY;
    let rows: UInt32Array = (0..lines).map(|line| u32::try_from(line % own.num_rows()).ok()).collect();
    tables.insert(Table::FeeDetail, take_record_batch(&own, &rows)?);
    // What is charged once more is charged on later days: the encounter is longer, not denser.
    let days = times(&own, "fee_ocur_time").into_iter().map(|time| time.div_euclid(DAY));
    let days = days.clone().max().unwrap_or(0) - days.min().unwrap_or(0) + 1;
    let again = |row: usize| i64::try_from(row / own.num_rows()).unwrap_or(0) * days * DAY;
    let mut moved = Tables::new();
    for (table, batch) in tables {
        moved.insert(
            table,
            renamed(&batch, number, &|name, row| {
                shift
                    + match name {
                        "fee_ocur_time" => again(row),
                        "begntime" => 0,
                        _ => again(lines.saturating_sub(1)),
                    }
            })?,
        );
    }
    let ends = times(&moved[&Table::Settlement], "setl_time").into_iter().max().unwrap_or(begins + shift);
    Ok(Some(Pending { day: i32::try_from(ends.div_euclid(DAY))?, tables: moved }))
}

/// Rows under new ids, at another time.
fn renamed(batch: &RecordBatch, number: usize, later: &dyn Fn(&str, usize) -> i64) -> Fallible<RecordBatch> {
    let rows = batch.num_rows();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let each = |of: &dyn Fn(usize) -> String| -> ArrayRef {
            Arc::new((0..rows).map(|row| column.is_valid(row).then(|| of(row))).collect::<StringArray>())
        };
        columns.push(match field.name().as_str() {
            "mdtrt_id" => each(&|_| format!("NM{number}")),
            "setl_id" => each(&|_| format!("NS{number}")),
            "feedetl_sn" => each(&|row| format!("N{row:04}")),
            "drug_trac_codg" => each(&|row| format!("99{number:09}{row:09}")),
            "init_feedetl_sn" | "init_setl_id" | "refd_setl_flag" => new_null_array(field.data_type(), rows),
            "fee_ocur_time" | "begntime" | "endtime" | "setl_time" => {
                let times = column.as_primitive::<TimestampMicrosecondType>().iter().enumerate();
                let moved = times.map(|(row, time)| time.map(|time| time + later(field.name(), row)));
                Arc::new(moved.collect::<TimestampMicrosecondArray>())
            }
            _ => Arc::clone(column),
        });
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}
