//! The floor: what any program must do with a dataset before it can audit it, and nothing else.
//!
//! For: dividing the time of an audit by something that does not depend on the machine. Goes in: a dataset, rules, a number
//! of threads. Comes out: one JSON line: wall and CPU time, rows, bytes. What is timed: opening, reading and decoding the
//! columns that the selected rules need, of every unit, on as many threads as the audit has; then they are dropped.
//! Deliberately not timed: compiling the rules (they say which columns) and reading `dataset.json`.
//!
//! Two readers: `dataset` is the program's own (a batch a unit, the facts together as the engine wants them), `plain` the
//! parquet crate over the same files and row groups (footers once, batches of 8,192 rows, each dropped at once). The lower
//! of the two is the floor; `plain` is there so that a slow reader of ours cannot flatter us.
//!
//!     cargo bench --bench floor -- DATASET --threads 2 --reader plain
//!
//! To add a reader: a variant of [`Reader`], a function that returns what it [`Decoded`].

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::iter::Sum;
use std::path::PathBuf;
use std::time::Duration;

use arrow::array::RecordBatch;
use clap::{Parser, ValueEnum};
use fundaudit::clock::Stopwatch;
use fundaudit::engine::needed;
use fundaudit::ingest::Dataset;
use fundaudit::ingest::dataset::bucket_schema;
use fundaudit::model::Table;
use fundaudit::operations::library;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use rayon::prelude::*;
use serde_json::json;

// The program's allocator: the floor and the audit pay the same for memory.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Columns = BTreeMap<Table, Vec<&'static str>>;
type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const PLAIN_ROWS: usize = 8192;

#[derive(Debug, Parser)]
#[command(name = "floor")]
struct Args {
    /// A dataset made by `fundaudit ingest`
    dataset: PathBuf,
    /// Rules whose columns are read; default: all that an audit runs
    #[arg(long, value_delimiter = ',')]
    select: Vec<String>,
    /// Rule library to use instead of the one that is built in
    #[arg(long)]
    rules: Option<PathBuf>,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, value_enum, default_value = "dataset")]
    reader: Reader,
    /// `cargo bench` says this to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reader {
    Dataset,
    Plain,
}

/// What was read: rows of all tables, and the bytes that they take as arrays.
#[derive(Debug, Clone, Copy, Default)]
struct Decoded {
    rows: u64,
    bytes: u64,
}

impl Decoded {
    fn of(batch: &RecordBatch) -> Decoded {
        Decoded { rows: batch.num_rows() as u64, bytes: batch.get_array_memory_size() as u64 }
    }
}

impl Sum for Decoded {
    fn sum<I: Iterator<Item = Decoded>>(all: I) -> Decoded {
        all.fold(Decoded::default(), |a, b| Decoded { rows: a.rows + b.rows, bytes: a.bytes + b.bytes })
    }
}

fn main() -> Fallible<()> {
    let args = Args::parse();
    let library = library::compile(args.rules.as_deref(), &args.select).map_err(|e| e.to_string())?;
    let columns = needed(&library.plans);
    let dataset = Dataset::open(&args.dataset).map_err(|e| e.to_string())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.max(1)).build()?;

    let (before, watch) = (cpu(), Stopwatch::start());
    let decoded = pool.install(|| match args.reader {
        Reader::Dataset => by_dataset(&dataset, &columns),
        Reader::Plain => by_parquet(&dataset, &columns),
    })?;
    // The pool is still there, so its threads' time can be read.
    let (wall, after) = (watch.elapsed(), cpu());

    println!(
        "{}",
        json!({
            "reader": format!("{:?}", args.reader).to_lowercase(),
            "threads": args.threads,
            "rules": library.plans.len(),
            "columns": columns.values().map(Vec::len).sum::<usize>(),
            "fee_lines": dataset.units().iter().map(|u| u.fee_lines).sum::<u64>(),
            "rows": decoded.rows,
            "bytes": decoded.bytes,
            "file_bytes": encoded(&dataset, &columns)?,
            "wall_ms": ms(wall),
            "cpu_ms": before.zip(after).map(|(before, after)| ms(after.saturating_sub(before))),
        })
    );
    Ok(())
}

/// As the audit reads: a unit at a time, a batch a table.
fn by_dataset(dataset: &Dataset, columns: &Columns) -> Fallible<Decoded> {
    let units: Fallible<Vec<Decoded>> = dataset
        .units()
        .par_iter()
        .map(|unit| {
            let tables: Result<Vec<RecordBatch>, _> =
                columns.iter().map(|(table, names)| dataset.read(unit, *table, names)).collect();
            Ok(tables.map_err(|e| e.to_string())?.iter().map(Decoded::of).sum())
        })
        .collect();
    Ok(units?.into_iter().sum())
}

/// The same row groups and columns through nothing but the parquet crate.
fn by_parquet(dataset: &Dataset, columns: &Columns) -> Fallible<Decoded> {
    let mut work = Vec::new();
    for (path, (table, groups)) in files(dataset, columns) {
        let footer = ArrowReaderMetadata::load(&File::open(&path)?, ArrowReaderOptions::default())?;
        let roots = columns[&table].iter().filter_map(|name| bucket_schema(table).index_of(name).ok());
        let mask = ProjectionMask::roots(footer.parquet_schema(), roots);
        work.extend(groups.into_iter().map(|group| (path.clone(), footer.clone(), mask.clone(), group)));
    }
    let parts: Fallible<Vec<Decoded>> = work
        .into_par_iter()
        .map(|(path, footer, mask, group)| {
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(File::open(path)?, footer)
                .with_row_groups(vec![group])
                .with_projection(mask)
                .with_batch_size(PLAIN_ROWS)
                .build()?;
            reader.map(|batch| Ok(Decoded::of(&batch?))).sum::<Fallible<Decoded>>()
        })
        .collect();
    Ok(parts?.into_iter().sum())
}

/// Bytes of the columns in the files, compressed.
fn encoded(dataset: &Dataset, columns: &Columns) -> Fallible<u64> {
    let mut bytes = 0;
    for (path, (table, groups)) in files(dataset, columns) {
        let footer = ArrowReaderMetadata::load(&File::open(&path)?, ArrowReaderOptions::default())?;
        for group in groups {
            for name in &columns[&table] {
                let column = bucket_schema(table).index_of(name)?;
                bytes += footer.metadata().row_group(group).column(column).compressed_size().unsigned_abs();
            }
        }
    }
    Ok(bytes)
}

/// Every file that has something to read, with the row groups of its units.
fn files(dataset: &Dataset, columns: &Columns) -> BTreeMap<PathBuf, (Table, Vec<usize>)> {
    let mut files: BTreeMap<PathBuf, (Table, Vec<usize>)> = BTreeMap::new();
    for unit in dataset.units() {
        for table in columns.keys() {
            if let Some(Some(group)) = unit.row_groups.get(table.name()) {
                let file = files.entry(dataset.file(unit, *table)).or_insert_with(|| (*table, Vec::new()));
                file.1.push(*group);
            }
        }
    }
    files
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Processor time of all threads that there are, where the system tells.
fn cpu() -> Option<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task").ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}
