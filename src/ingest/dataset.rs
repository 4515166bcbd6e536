//! The dataset on disk: what is in the folder, and how to read a unit of it.
//!
//! A dataset holds the audited rows of an export, clustered by person. A bucket is the rows of all persons whose number
//! hashes to it; a *unit* is a run of persons in a bucket with about 100,000 fee lines, complete: unit for unit, every table's
//! row group holds the same persons. Goes in: a folder that [`super::ingest`] wrote. Comes out: the [`Manifest`], the
//! [`Unit`]s, and batches of chosen columns. Deliberately unknown here: rules, views, what a row means.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::model::Table;

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

/// What came in of a table, and where it went: read = quarantined + duplicates + audited, in rows and in cents.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The bucket they are in.
    pub bucket: usize,
    /// Fee lines of these persons.
    pub fee_lines: u64,
    /// Table → its row group in the bucket's file; null when these persons have no rows in it.
    pub row_groups: BTreeMap<String, Option<usize>>,
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
}

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
}

impl Dataset {
    /// Opens the folder that an ingest wrote.
    ///
    /// # Errors
    /// When there is no `dataset.json`, or one of another version.
    pub fn open(folder: &Path) -> Result<Dataset, Error> {
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
        Ok(Dataset { folder: folder.to_owned(), manifest })
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
        let schema = bucket_schema(table);
        let Some(group) = unit.row_groups.get(table.name()).copied().flatten() else {
            return project(&RecordBatch::new_empty(schema), table, columns);
        };
        read_columns(&self.file(unit, table), table, &schema, Some(group), columns)
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
        let schema = as_codes(&bucket_schema(table), coded);
        let Some(group) = unit.row_groups.get(table.name()).copied().flatten() else {
            return project(&RecordBatch::new_empty(schema), table, columns);
        };
        read_columns(&self.file(unit, table), table, &schema, Some(group), columns)
    }

    /// The facility table, whole.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn facilities(&self) -> Result<RecordBatch, Error> {
        let schema = bucket_schema(Table::Facility);
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        read_columns(&self.folder.join("facility.parquet"), Table::Facility, &schema, None, &names)
    }
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
