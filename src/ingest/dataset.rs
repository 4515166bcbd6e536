//! The dataset on disk: what is in the folder, and how to read a unit of it.
//!
//! A dataset holds the audited rows of an export, clustered by person. A bucket is the rows of all persons whose number
//! hashes to it; a *unit* is a run of persons in a bucket with about 100,000 fee lines, complete: unit for unit, every table's
//! row group holds the same persons. Persons of whom more was taken in since ([`super::append`]) have all their rows in
//! `persons.db`, which has the manifest of the dataset as it is now too; they make units of their own, and those of the files
//! are read without them. Goes in: a folder that [`super::ingest`] wrote. Comes out: the [`Manifest`], the [`Unit`]s, and
//! batches of chosen columns. Deliberately unknown here: rules, views, what a row means.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use hashbrown::HashSet;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde::{Deserialize, Serialize};

use super::Error;
use super::past::Past;
use crate::model::Table;
use crate::progress::{Progress, Silent};

/// The form of the folder. A dataset of another version is refused.
pub const VERSION: u32 = 1;

/// A sum of money in cents, written as decimal text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cents(pub i128);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

impl Serialize for Cents {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cents {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: String = text.chars().filter(|&c| c != '.').collect();
        match (digits.parse(), text.find('.')) {
            (Ok(cents), Some(at)) if text.len() - at == 3 => Ok(Cents(cents)),
            _ => Err(serde::de::Error::custom(format!("`{text}` is not an amount such as `12.30`"))),
        }
    }
}

/// A number of rows and what they sum to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Rows.
    pub rows: u64,
    /// Sum of `det_item_fee_sumamt` (fee lines) or `medfee_sumamt` (settlements) over the rows whose amount can be read.
    pub sum: Cents,
}

impl Tally {
    /// One more row with this amount, in cents.
    pub(super) fn add(&mut self, cents: i64) {
        self.rows += 1;
        self.sum.0 += i128::from(cents);
    }

    /// Without the rows of another tally, which are among these.
    pub(super) fn without(&mut self, other: Tally) {
        self.rows -= other.rows;
        self.sum.0 -= other.sum.0;
    }

    fn is_nothing(&self) -> bool {
        self.rows == 0
    }

    /// Rows that sum to so many cents.
    pub(super) fn add_all(&mut self, rows: usize, cents: i128) {
        self.rows += rows as u64;
        self.sum.0 += cents;
    }

    /// All rows of another tally.
    pub(super) fn merge(&mut self, other: Tally) {
        self.rows += other.rows;
        self.sum.0 += other.sum.0;
    }
}

/// What came in of a table, and where it went: read = quarantined + duplicates + replaced + audited, in rows and in cents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableSummary {
    /// Whether any input had this table.
    pub present: bool,
    /// Columns that at least one input had.
    pub columns: Vec<String>,
    /// Rows read.
    pub read: Tally,
    /// Rows kept out and listed in `quarantine.csv`.
    pub quarantined: Tally,
    /// Rows equal to one that was kept.
    pub duplicates: Tally,
    /// Rows in whose place a later row with the same key is.
    #[serde(default, skip_serializing_if = "Tally::is_nothing")]
    pub replaced: Tally,
    /// Rows in the dataset.
    pub audited: Tally,
    /// Quarantined rows whose own amount could not be read; they are in no sum.
    pub sum_unreadable: u64,
}

impl TableSummary {
    pub(super) fn merge(&mut self, other: &TableSummary) {
        self.read.merge(other.read);
        self.quarantined.merge(other.quarantined);
        self.duplicates.merge(other.duplicates);
        self.replaced.merge(other.replaced);
        self.audited.merge(other.audited);
        self.sum_unreadable += other.sum_unreadable;
    }
}

/// A file that was read for a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name, without folders.
    pub file: String,
    /// Hash of its bytes, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// The table read from it.
    pub table: String,
    /// Rows read from it for that table.
    pub rows: u64,
}

/// A run of persons with all their rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unit {
    /// The bucket they are in.
    pub bucket: usize,
    /// Fee lines of these persons.
    pub fee_lines: u64,
    /// Table → its row group in the bucket's file; null when these persons have no rows in it.
    pub row_groups: BTreeMap<String, Option<usize>>,
    /// The persons, where their rows are not in the bucket's files but among those that were taken in since.
    #[serde(skip)]
    pub persons: Option<Arc<[String]>>,
}

/// `dataset.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// Number of buckets.
    pub buckets: usize,
    /// First day of service in the data.
    #[serde(with = "day_text")]
    pub first_day: Option<i32>,
    /// Last day of service in the data.
    #[serde(with = "day_text")]
    pub last_day: Option<i32>,
    /// Every table by its name.
    pub tables: BTreeMap<String, TableSummary>,
    /// Files read, by name.
    pub inputs: Vec<Input>,
    /// What was noticed and needs no action.
    pub notes: Vec<String>,
    /// Units in the order of their buckets and persons.
    pub units: Vec<Unit>,
    /// What was appended, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
}

/// What an appended dataset has besides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Growth {
    /// Deliveries that were taken after the first one.
    pub deliveries: u32,
    /// The list of rows set aside as it is now.
    pub quarantine: Option<String>,
    /// The facility table as it is now, where it changed.
    pub facilities: Option<String>,
}

/// The file that says: `persons.db` has rows that are nowhere else.
pub(super) const MARK: &str = "appended";

/// The note of `persons.db` that is the manifest of an appended dataset.
pub(super) const NOTE: &str = "dataset";

/// Fee lines of a unit of persons who are in no bucket, about.
const UNIT_LINES: u64 = 100_000;

/// The same where few persons are asked about: each thread has its share of them, and what is worked on stays near.
const FEW_LINES: u64 = 16_384;

/// Days since 1970-01-01 as `2026-03-31`.
mod day_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::ingest::values::{Value, parse};
    use crate::model::Kind;

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(day: &Option<i32>, serializer: S) -> Result<S::Ok, S::Error> {
        day.map(crate::model::day::text).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        match parse(Kind::Day, &text) {
            Ok(Value::Day(day)) => Ok(Some(day)),
            _ => Err(serde::de::Error::custom(format!("`{text}` is not a day such as `2026-03-31`"))),
        }
    }
}

/// The bucket of a person (or of another key): the same on every machine and in every version of a dataset.
#[must_use]
pub fn bucket_of(key: impl AsRef<[u8]>, buckets: usize) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in key.as_ref() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // FNV's low bits are weak for short keys: fold the high ones in.
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from((u128::from(hash) * buckets as u128) >> 64).unwrap_or(0)
}

/// The schema of a table's file in a bucket: the table's own, with the person before it where it names none.
#[must_use]
pub fn bucket_schema(table: Table) -> SchemaRef {
    let schema = table.schema();
    if table.position("psn_no").is_some() || table == Table::Facility {
        return schema;
    }
    let mut fields = vec![Arc::new(Field::new("psn_no", DataType::Utf8, true))];
    fields.extend(schema.fields().iter().cloned());
    Arc::new(Schema::new(fields))
}

/// The folder of a bucket.
pub(super) fn bucket_folder(dataset: &Path, bucket: usize) -> PathBuf {
    dataset.join(format!("bucket-{bucket:04}"))
}

/// A dataset that is ready to be read.
#[derive(Debug, Clone)]
pub struct Dataset {
    folder: PathBuf,
    manifest: Manifest,
    grown: Option<Arc<Grown>>,
}

/// Where the rows are that were taken in since the files were written.
#[derive(Debug)]
struct Grown {
    past: Arc<Past>,
    /// Persons whose rows in the files count no longer.
    persons: HashSet<String>,
}

impl Dataset {
    /// Opens the folder that an ingest wrote.
    ///
    /// # Errors
    /// When there is no `dataset.json`, or one of another version.
    pub fn open(folder: &Path) -> Result<Dataset, Error> {
        let mut dataset = Dataset::open_for_persons(folder)?;
        let Some(grown) = dataset.grown.take() else { return Ok(dataset) };
        let persons = grown.past.grown()?;
        let first = dataset.manifest.units.len();
        let more = units_of(persons.iter().map(|(person, lines)| (person.as_str(), *lines)), first, UNIT_LINES);
        dataset.manifest.units.extend(more);
        let persons = persons.into_iter().map(|(person, _)| person).collect();
        dataset.grown = Some(Arc::new(Grown { past: Arc::clone(&grown.past), persons }));
        Ok(dataset)
    }

    /// As [`Dataset::open`], for who reads no units but those of [`Dataset::units_with`]: it knows what was appended, and not
    /// whose the rows are.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn open_for_persons(folder: &Path) -> Result<Dataset, Error> {
        let dataset = Dataset::open_files(folder)?;
        if folder.join(MARK).exists() { dataset.with_growth() } else { Ok(dataset) }
    }

    /// The dataset as its files have it, without what was appended since.
    pub(super) fn open_files(folder: &Path) -> Result<Dataset, Error> {
        let path = folder.join("dataset.json");
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Error::new(format!(
                "`{}` is not a dataset: cannot read `dataset.json` in it: {e}; make one with `fundaudit ingest`",
                folder.display()
            ))
        })?;
        let manifest: Manifest = serde_json::from_str(&text).map_err(|e| Error::at(&path, "understand", &e))?;
        if manifest.version != VERSION {
            return Err(Error::new(format!(
                "the dataset `{}` has version {}, wanted {VERSION}; run `fundaudit ingest` again",
                folder.display(),
                manifest.version
            )));
        }
        Ok(Dataset::of(folder, manifest))
    }

    /// A folder with this manifest.
    pub(super) fn of(folder: &Path, manifest: Manifest) -> Dataset {
        Dataset { folder: folder.to_owned(), manifest, grown: None }
    }

    /// With what was appended.
    fn with_growth(mut self) -> Result<Dataset, Error> {
        let file = self.folder.join(super::past::FILE);
        if !file.exists() {
            return Err(Error::new(format!(
                "`{}` is missing: it has rows that were appended to the dataset and are nowhere else; bring it back from a \
                 backup, or ingest all exports again into a new folder",
                file.display()
            )));
        }
        let past = Past::of(&self, &Silent)?;
        let Some(text) = past.noted(NOTE)? else { return Ok(self) };
        let now: Manifest = serde_json::from_str(&text).map_err(|e| Error::at(&file, "understand", &e))?;
        let units = std::mem::take(&mut self.manifest.units);
        self.manifest = Manifest { units, ..now };
        self.grown = Some(Arc::new(Grown { past: Arc::new(past), persons: HashSet::new() }));
        Ok(self)
    }

    /// Where the rows are that were appended, if there are any.
    pub(super) fn past(&self) -> Option<&Past> {
        self.grown.as_deref().map(|grown| grown.past.as_ref())
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is known of it as a whole.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its units, in order.
    #[must_use]
    pub fn units(&self) -> &[Unit] {
        &self.manifest.units
    }

    /// Units that lie in files of the folder: what was there before anything was appended.
    #[must_use]
    pub fn units_in_files(&self) -> &[Unit] {
        let units = &self.manifest.units;
        &units[..units.partition_point(|unit| unit.persons.is_none())]
    }

    /// The list of rows that were set aside.
    #[must_use]
    pub fn quarantine(&self) -> PathBuf {
        let now = self.manifest.growth.as_ref().and_then(|growth| growth.quarantine.as_deref());
        self.folder.join(now.unwrap_or("quarantine.csv"))
    }

    /// Units of nobody but these persons, to be read with [`Dataset::read_unit`].
    ///
    /// # Errors
    /// `persons.db` cannot be made or read.
    pub fn units_with(
        &self,
        persons: &BTreeSet<String>,
        progress: &dyn Progress,
    ) -> Result<(Dataset, Vec<Unit>), Error> {
        let mut dataset = self.clone();
        let past = if let Some(grown) = &self.grown {
            Arc::clone(&grown.past)
        } else {
            let past = Arc::new(Past::of(self, progress)?);
            dataset.grown = Some(Arc::new(Grown { past: Arc::clone(&past), persons: HashSet::new() }));
            past
        };
        let lines = past.lines_of(persons)?;
        let persons = persons.iter().zip(lines).map(|(person, lines)| (person.as_str(), lines.unwrap_or(USUAL_LINES)));
        let units = units_of(persons, 0, FEW_LINES);
        Ok((dataset, units))
    }

    /// The rows of a unit in some tables, with some of the columns as codes.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    pub fn read_unit(
        &self,
        unit: &Unit,
        wanted: &BTreeMap<Table, Vec<&'static str>>,
        coded: impl Fn(Table) -> Vec<&'static str>,
    ) -> Result<BTreeMap<Table, RecordBatch>, Error> {
        if let Some(persons) = &unit.persons {
            let read = self.read_grown(persons, wanted)?;
            return read.into_iter().map(|(table, batch)| Ok((table, coded_in(&batch, &coded(table))?))).collect();
        }
        let table = |(table, names): (&Table, &Vec<&'static str>)| {
            Ok((*table, self.read_coded(unit, *table, names, &coded(*table))?))
        };
        wanted.iter().map(table).collect()
    }

    /// The Parquet file that holds a unit's rows of a table, in the row group that the unit names: for other readers.
    #[must_use]
    pub fn file(&self, unit: &Unit, table: Table) -> PathBuf {
        bucket_folder(&self.folder, unit.bucket).join(format!("{}.parquet", table.name()))
    }

    /// The rows of a unit in one table, as one batch with these columns in this order; `psn_no` is there for every table.
    ///
    /// # Errors
    /// When the file cannot be read or a column is unknown.
    pub fn read(&self, unit: &Unit, table: Table, columns: &[&str]) -> Result<RecordBatch, Error> {
        self.read_coded(unit, table, columns, &[])
    }

    /// As [`Dataset::read`], with some of the columns as codes: a dictionary of the few texts that the rows repeat.
    ///
    /// # Errors
    /// When the file cannot be read or a column is unknown.
    pub fn read_coded(
        &self,
        unit: &Unit,
        table: Table,
        columns: &[&str],
        coded: &[&str],
    ) -> Result<RecordBatch, Error> {
        if let Some(persons) = &unit.persons {
            let names = columns.iter().map(|column| known_column(table, column)).collect::<Result<_, _>>()?;
            let read = self.read_grown(persons, &BTreeMap::from([(table, names)]))?;
            let batch = read.into_values().next().ok_or_else(|| unknown_column(table, "psn_no"))?;
            return coded_in(&batch, coded);
        }
        let schema = as_codes(&bucket_schema(table), coded);
        let Some(group) = unit.row_groups.get(table.name()).copied().flatten() else {
            return project(&RecordBatch::new_empty(schema), table, columns);
        };
        let file = self.file(unit, table);
        let Some(grown) = self.grown.as_ref().filter(|grown| !grown.persons.is_empty()) else {
            return read_columns(&file, table, &schema, Some(group), columns);
        };
        let with_persons: Vec<&str> =
            columns.iter().copied().chain((!columns.contains(&"psn_no")).then_some("psn_no")).collect();
        let batch = read_columns(&file, table, &schema, Some(group), &with_persons)?;
        project(&without(&batch, &grown.persons, table)?, table, columns)
    }

    fn read_grown(
        &self,
        persons: &[String],
        wanted: &BTreeMap<Table, Vec<&'static str>>,
    ) -> Result<BTreeMap<Table, RecordBatch>, Error> {
        let Some(grown) = &self.grown else {
            return Err(Error::new("a unit of persons is read from the dataset that made it".to_owned()));
        };
        let persons: Vec<&str> = persons.iter().map(String::as_str).collect();
        grown.past.read(&persons, wanted)
    }

    /// The facility table, whole.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn facilities(&self) -> Result<RecordBatch, Error> {
        let schema = bucket_schema(Table::Facility);
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        read_columns(&self.facility_file(), Table::Facility, &schema, None, &names)
    }

    /// The file of the facility table.
    #[must_use]
    pub fn facility_file(&self) -> PathBuf {
        let now = self.manifest.growth.as_ref().and_then(|growth| growth.facilities.as_deref());
        self.folder.join(now.unwrap_or("facility.parquet"))
    }
}

/// Lines of a person of whom nothing was appended, for want of a count.
const USUAL_LINES: u64 = 100;

/// Units of these persons with their fee lines.
fn units_of<'p>(persons: impl Iterator<Item = (&'p str, u64)>, first: usize, enough: u64) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut unit: Vec<String> = Vec::new();
    let mut fee_lines = 0;
    let mut end = |unit: &mut Vec<String>, fee_lines: &mut u64| {
        if !unit.is_empty() {
            let persons: Arc<[String]> = std::mem::take(unit).into();
            units.push(Unit {
                bucket: first + units.len(),
                fee_lines: *fee_lines,
                persons: Some(persons),
                ..Unit::default()
            });
            *fee_lines = 0;
        }
    };
    for (person, lines) in persons {
        unit.push(person.to_owned());
        fee_lines += lines;
        // A person without lines has rows too.
        if fee_lines >= enough || unit.len() as u64 >= enough {
            end(&mut unit, &mut fee_lines);
        }
    }
    end(&mut unit, &mut fee_lines);
    units
}

/// The rows of everybody else.
fn without(batch: &RecordBatch, persons: &HashSet<String>, table: Table) -> Result<RecordBatch, Error> {
    let failed = |e: arrow::error::ArrowError| Error::new(format!("cannot read `{}`: {e}", table.name()));
    let numbers = batch.column_by_name("psn_no").ok_or_else(|| unknown_column(table, "psn_no"))?;
    let mask: BooleanArray = if let Some(codes) = numbers.as_dictionary_opt::<Int32Type>() {
        let words = codes.values().as_string::<i32>();
        let others: Vec<bool> = words.iter().map(|word| word.is_none_or(|word| !persons.contains(word))).collect();
        codes
            .keys()
            .iter()
            .map(|key| Some(key.and_then(|k| usize::try_from(k).ok()).is_none_or(|k| others[k])))
            .collect()
    } else {
        numbers.as_string::<i32>().iter().map(|p| Some(p.is_none_or(|p| !persons.contains(p)))).collect()
    };
    if mask.true_count() == mask.len() { Ok(batch.clone()) } else { filter_record_batch(batch, &mask).map_err(failed) }
}

/// The name of a column, from the table's own list.
fn known_column(table: Table, column: &str) -> Result<&'static str, Error> {
    let own = table.columns().iter().map(|known| known.name);
    own.chain(["psn_no"]).find(|known| *known == column).ok_or_else(|| unknown_column(table, column))
}

/// The batch with some of its text columns as dictionaries.
fn coded_in(batch: &RecordBatch, coded: &[&str]) -> Result<RecordBatch, Error> {
    let schema = as_codes(&batch.schema(), coded);
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
    columns
        .collect::<Result<_, _>>()
        .and_then(|columns| {
            let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(schema, columns, &rows)
        })
        .map_err(|e| Error::new(format!("cannot read rows as codes: {e}")))
}

/// The schema with some of its text columns as dictionaries.
fn as_codes(schema: &SchemaRef, coded: &[&str]) -> SchemaRef {
    let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields = schema.fields().iter().map(|field| {
        let coded = coded.contains(&field.name().as_str()) && *field.data_type() == DataType::Utf8;
        if coded { Arc::new(field.as_ref().clone().with_data_type(codes.clone())) } else { Arc::clone(field) }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn read_columns(
    path: &Path,
    table: Table,
    schema: &SchemaRef,
    group: Option<usize>,
    columns: &[&str],
) -> Result<RecordBatch, Error> {
    let mut wanted = Vec::with_capacity(columns.len());
    for column in columns {
        wanted.push(schema.index_of(column).map_err(|_| unknown_column(table, column))?);
    }
    let file = File::open(path).map_err(|e| Error::at(path, "open", &e))?;
    let failed = |e: &dyn fmt::Display| Error::at(path, "read", e);
    let options = ArrowReaderOptions::new().with_schema(Arc::clone(schema));
    let mut reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(|e| failed(&e))?;
    let mask = ProjectionMask::roots(reader.parquet_schema(), wanted.iter().copied());
    if let Some(group) = group {
        reader = reader.with_row_groups(vec![group]);
    }
    let rows: i64 = match group {
        Some(group) => reader.metadata().row_group(group).num_rows(),
        None => reader.metadata().file_metadata().num_rows(),
    };
    let reader = reader
        .with_projection(mask)
        .with_batch_size(usize::try_from(rows).unwrap_or(1).max(1))
        .build()
        .map_err(|e| failed(&e))?;
    let read_schema = arrow::array::RecordBatchReader::schema(&reader);
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| failed(&e))?;
    let batch = match batches.as_slice() {
        [only] => only.clone(),
        many => concat_batches(&read_schema, many).map_err(|e| failed(&e))?,
    };
    project(&batch, table, columns)
}

fn project(batch: &RecordBatch, table: Table, columns: &[&str]) -> Result<RecordBatch, Error> {
    let mut positions = Vec::with_capacity(columns.len());
    for column in columns {
        positions.push(batch.schema().index_of(column).map_err(|_| unknown_column(table, column))?);
    }
    batch.project(&positions).map_err(|e| Error::new(format!("cannot read `{}`: {e}", table.name())))
}

pub(super) fn unknown_column(table: Table, column: &str) -> Error {
    Error::new(format!("the table `{}` has no column `{column}`", table.name()))
}
