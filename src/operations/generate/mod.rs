//! Synthetic exports of a county's insurance fund, with violations planted in them and the truth about each: what an audit
//! must find, to the cent, and nothing else. For trying the program without anybody's data, for tests, for measuring speed.
//!
//! Goes in: how many persons, a seed, a period, a form. Comes out: the files of an export, `knowledge/catalogue.csv` (the codes
//! that the insurance pays for, [`listing`]), `truth.csv` (`rule_code,key,amount`; the facts of SCP110 are found with that
//! catalogue only) and `generated.json` (the [`Summary`]: rows, findings and defects counted). Same options, same bytes: chance is our own, time comes in as the first day, and what
//! happens to person `k` depends on the seed and `k` alone, so persons stream through and memory does not grow with them
//! (the truth itself is kept, some hundred bytes a finding).
//!
//! Reading order: `random`, `calendar`, `catalogue` (what can be charged), `listing` (what the insurance pays for) → `life` (what befell one person) → `ordinary` (an
//! honest quarter) and `plant` (violations and near misses) → `rows` (a life as text) → `defects` (the dirt of exports) →
//! `export` (files). Not known here: rule files, knowledge tables, the engine. The generator plants from the meaning of the
//! rules, so that it can disagree with them.

mod calendar;
mod catalogue;
mod defects;
mod export;
mod life;
mod listing;
mod ordinary;
mod plant;
mod random;
mod rows;

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use self::calendar::{day_number, day_text, months_later};
use self::catalogue::{Facility, facilities};
use self::defects::{Counts, DEFECTS};
use self::export::{Export, piece};
use self::ordinary::Period;
use self::plant::{Fact, Scene};
use self::random::Random;
use self::rows::{Row, Rows, facility_rows, rows};
use crate::aside::Aside;
use crate::model::Table;
use crate::progress::{Progress, Stopped};

/// Persons of which one piece of the files is made.
const PIECE_PERSONS: u64 = 256;
/// Persons of a piece when rows are shuffled: rows are shuffled within a piece, persons over all.
const SHUFFLED_PERSONS: u64 = 4096;
/// Of a hundred thousand persons beyond the first, so many carry a plant.
const PLANTED: u64 = 3_000;

/// The files an export comes as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A file a table, comma-separated, UTF-8, platform names.
    Csv,
    /// The same in GB18030, with Chinese file names and headers.
    CsvGb18030,
    /// A workbook of fee lines with encounter and settlement repeated on every line, the other tables beside it; Chinese
    /// headers, titles above, totals at the foot.
    XlsxFlat,
}

/// What to generate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Number of persons; from 500 on every recipe occurs, and every defect.
    pub persons: u32,
    /// Decides everything that chance decides.
    pub seed: u64,
    /// First day: year, month, day. At most the 28th, so that it exists in every month.
    pub from: (i32, u32, u32),
    /// Length of the period.
    pub months: u32,
    /// The files.
    pub form: Form,
    /// Another order of the same rows.
    pub shuffle: Option<u64>,
    /// Whether people without plants get the dirt of real exports.
    pub messy: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            persons: 20_000,
            seed: 1,
            from: (2026, 1, 1),
            months: 3,
            form: Form::Csv,
            shuffle: None,
            messy: false,
        }
    }
}

/// What was generated.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Persons.
    pub persons: u64,
    /// Persons whose life follows a recipe.
    pub planted_persons: u64,
    /// Rows of each table, in the order of [`Table::ALL`]; duplicates that the dirt adds are counted.
    pub rows: [u64; 10],
    /// Settlements that take another back.
    pub refund_settlements: u64,
    /// Findings an audit must make, by rule code.
    pub facts: std::collections::BTreeMap<String, u64>,
    /// Rows with each defect, by name.
    pub defects: std::collections::BTreeMap<String, u64>,
}

impl Summary {
    /// Number of fee lines.
    #[must_use]
    pub fn fee_lines(&self) -> u64 {
        self.rows[Table::FeeDetail as usize]
    }
}

/// Why nothing, or only a part, was generated.
#[derive(Debug)]
pub enum Error {
    /// The period makes no sense.
    Period {
        /// What is wrong, and what to try.
        why: String,
    },
    /// The disk refuses.
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What it says.
        source: std::io::Error,
    },
    /// A row cannot be written as comma-separated text.
    Row {
        /// What the writer says.
        source: csv::Error,
    },
    /// A workbook cannot be written.
    Workbook {
        /// What the writer says.
        source: Box<rust_xlsxwriter::XlsxError>,
    },
    /// Somebody wanted it no longer.
    Stopped,
}

impl Error {
    fn file(path: &Path, source: std::io::Error) -> Error {
        Error::File { path: path.to_owned(), source }
    }

    fn workbook(source: rust_xlsxwriter::XlsxError) -> Error {
        Error::Workbook { source: Box::new(source) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Period { why } => write!(f, "cannot generate this period: {why}"),
            Error::File { path, source } => {
                write!(f, "cannot write `{}`: {source}; try another folder with `--out`", path.display())
            }
            Error::Row { source } => write!(f, "cannot write a row as comma-separated text: {source}"),
            Error::Stopped => Stopped.fmt(f),
            Error::Workbook { source } => write!(f, "cannot write a workbook: {source}"),
        }
    }
}

impl std::error::Error for Error {}

/// The rules and names of the recipes that every export has, and whether the truth has a finding of it.
#[must_use]
pub fn recipes() -> Vec<(&'static str, &'static str, bool)> {
    plant::recipes().iter().map(|recipe| (recipe.rule, recipe.name, recipe.hit)).collect()
}

/// Generates an export into a folder. Its files appear there when all are whole.
///
/// # Errors
/// When the period makes no sense, the disk refuses, or the work is wanted no longer; then `out` is as it was.
pub fn generate(options: &Options, out: &Path, progress: &dyn Progress) -> Result<Summary, Error> {
    // A writer that was stopped says so in its library's words.
    written(options, out, progress).map_err(|error| if progress.stopped() { Error::Stopped } else { error })
}

fn written(options: &Options, out: &Path, progress: &dyn Progress) -> Result<Summary, Error> {
    let period = period(options)?;
    let facilities = facilities();
    let about =
        format!("统计期间：{} 至 {}　单位：元", day_text(period.first), day_text(period.first + period.days - 1));
    let aside = Aside::within(out).map_err(|source| Error::file(out, source))?;
    let mut export = Export::create(options.form, aside.path(), about)?;
    let mut told = Told::default();

    let mut county = Rows::default();
    county.tables[Table::Facility as usize] = facility_rows(&facilities);
    told.add(&county);
    export.write(piece(options.form, vec![county], |_| {})?, progress)?;

    let persons = u64::from(options.persons);
    let size = if options.shuffle.is_some() { SHUFFLED_PERSONS } else { PIECE_PERSONS };
    let pieces: Vec<u64> = (0..persons.div_ceil(size)).collect();
    progress.begin("generate", persons);
    for some in pieces.chunks(rayon::current_num_threads() * 2) {
        let made: Vec<_> = some
            .par_iter()
            .map(|&number| {
                progress.go_on()?;
                let numbers = number * size..persons.min((number + 1) * size);
                make(options, &facilities, period, number, numbers)
            })
            .collect();
        for made in made {
            progress.go_on()?;
            let (piece, of_piece) = made?;
            progress.advance(of_piece.summary.persons);
            export.write(piece, progress)?;
            told.join(of_piece);
        }
    }
    progress.end();
    progress.begin("write", 0);
    export.finish(progress)?;
    let knowledge = aside.path().join("knowledge");
    std::fs::create_dir_all(&knowledge).map_err(|source| Error::file(&knowledge, source))?;
    save(&knowledge.join("catalogue.csv"), listing::table(&told.codes, period.first).as_bytes())?;
    let summary = told.write(aside.path())?;
    progress.go_on()?;
    aside.publish().map_err(|(path, source)| Error::file(&path, source))?;
    progress.end();
    Ok(summary)
}

/// The days of the options.
fn period(options: &Options) -> Result<Period, Error> {
    let (year, month, day) = options.from;
    let from = (i64::from(year), i64::from(month), i64::from(day));
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || !(1990..=2100).contains(&year) {
        return Err(Error::Period {
            why: format!(
                "found first day `{year}-{month:02}-{day:02}`, wanted a day from the 1st to the 28th of a month"
            ),
        });
    }
    if !(1..=120).contains(&options.months) {
        return Err(Error::Period { why: format!("found {} months, wanted 1 to 120", options.months) });
    }
    let first = day_number(from.0, from.1, from.2);
    Ok(Period { first, days: months_later(from, i64::from(options.months)) - first })
}

/// One piece: these persons' rows, and what is to be told of them.
fn make(
    options: &Options,
    facilities: &[Facility],
    period: Period,
    number: u64,
    places: std::ops::Range<u64>,
) -> Result<(export::Piece, Told), Error> {
    let mut told = Told::default();
    let persons: Vec<Rows> = places
        .map(|place| {
            let person = options.shuffle.map_or(place, |key| permuted(place, u64::from(options.persons), key));
            let rows = one_person(options, facilities, period, person, &mut told);
            told.add(&rows);
            told.summary.persons += 1;
            rows
        })
        .collect();
    let piece = piece(options.form, persons, |tables| {
        let Some(key) = options.shuffle else { return };
        for (rows, stream) in tables.iter_mut().zip(0..) {
            shuffle(rows, &mut Random::stream(key, 0x5F + stream, number));
        }
    })?;
    Ok((piece, told))
}

/// The life of person `number`, in rows.
fn one_person(options: &Options, facilities: &[Facility], period: Period, number: u64, told: &mut Told) -> Rows {
    let mut chance = Random::stream(options.seed, 1, number);
    let mut life = ordinary::born(number, &mut chance, period);
    let recipe = match plant::recipe_of(number) {
        Some(recipe) => Some(recipe),
        None => chance.chance(PLANTED).then(|| chance.pick(plant::recipes())),
    };
    if let Some(recipe) = recipe {
        let last = (period.days - recipe.days).max(0);
        let day = period.first + chance.between(0, last);
        recipe.plant(&mut Scene { life: &mut life, chance: &mut chance, day, facts: &mut told.facts });
        told.summary.planted_persons += 1;
    } else {
        ordinary::live(&mut life, &mut chance, period);
    }
    told.summary.refund_settlements +=
        life.encounters.iter().flat_map(|visit| &visit.settlements).filter(|s| s.refunds.is_some()).count() as u64;
    told.codes.extend(life.encounters.iter().flat_map(|visit| &visit.lines).map(|line| line.item.code));
    let mut rows = rows(&life, facilities);
    if options.messy && recipe.is_none() {
        let turn = number.saturating_sub(plant::recipes().len() as u64);
        let mut dirt = Random::stream(options.seed, 2, number);
        defects::soil(&mut rows, &mut dirt, turn, &mut told.defects);
    }
    rows
}

/// A bijection of the numbers below `count`.
fn permuted(place: u64, count: u64, key: u64) -> u64 {
    let mut chance = Random::stream(key, 0x5E, 0);
    let shift = chance.below(count);
    let mut step = chance.below(count).max(1);
    while common_divisor(step, count) != 1 {
        step += 1;
    }
    let at = (u128::from(place) * u128::from(step) + u128::from(shift)) % u128::from(count.max(1));
    u64::try_from(at).unwrap_or(place)
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

fn shuffle(rows: &mut [Row], chance: &mut Random) {
    for end in (1..rows.len()).rev() {
        let other = usize::try_from(chance.below(end as u64 + 1)).unwrap_or(0);
        rows.swap(end, other);
    }
}

/// What is to be told: counts, and the truth.
#[derive(Default)]
struct Told {
    summary: Summary,
    facts: Vec<Fact>,
    defects: Counts,
    /// Item codes that anybody was charged.
    codes: BTreeSet<&'static str>,
}

impl Told {
    fn add(&mut self, rows: &Rows) {
        for (count, table) in self.summary.rows.iter_mut().zip(&rows.tables) {
            *count += table.len() as u64;
        }
    }

    fn join(&mut self, other: Told) {
        self.summary.persons += other.summary.persons;
        self.summary.planted_persons += other.summary.planted_persons;
        self.summary.refund_settlements += other.summary.refund_settlements;
        for (mine, theirs) in self.summary.rows.iter_mut().zip(other.summary.rows) {
            *mine += theirs;
        }
        for (mine, theirs) in self.defects.iter_mut().zip(other.defects) {
            *mine += theirs;
        }
        self.facts.extend(other.facts);
        self.codes.extend(other.codes);
    }

    /// Writes `truth.csv` and `generated.json`.
    fn write(mut self, out: &Path) -> Result<Summary, Error> {
        self.facts.sort();
        let mut truth = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        let row = |source| Error::Row { source };
        truth.write_record(["rule_code", "key", "amount"]).map_err(row)?;
        for fact in &self.facts {
            truth.write_record([fact.rule, &fact.key, &rows::decimal(fact.amount, 2)]).map_err(row)?;
            *self.summary.facts.entry(fact.rule.to_owned()).or_default() += 1;
        }
        let truth = truth.into_inner().map_err(|source| Error::Row { source: source.into_error().into() })?;
        save(&out.join("truth.csv"), &truth)?;

        for (name, count) in DEFECTS.into_iter().zip(self.defects) {
            self.summary.defects.insert(name.to_owned(), count);
        }
        let mut summary = serde_json::to_vec_pretty(&self.summary)
            .map_err(|source| Error::file(out, std::io::Error::other(source)))?;
        summary.push(b'\n');
        save(&out.join("generated.json"), &summary)?;
        Ok(self.summary)
    }
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = std::fs::File::create(path).map_err(|source| Error::file(path, source))?;
    file.write_all(bytes).map_err(|source| Error::file(path, source))
}

impl From<Stopped> for Error {
    fn from(_: Stopped) -> Error {
        Error::Stopped
    }
}
