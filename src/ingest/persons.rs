//! Reading some persons' rows out of a dataset, and no others.
//!
//! Goes in: a dataset, a table, columns, persons' numbers. Comes out: their rows, in the order of the dataset. Read are only
//! the buckets of these persons, the row groups whose statistics may hold them, and in these the pages that do: a footer and
//! the places of the persons in a row group are read once and remembered. Deliberately unknown here: what a row means.
//!
//! Cost of what is remembered: 16 bytes for each person of a row group and table that was asked, [`PLACES`] at most.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::metadata::PageIndexPolicy;

use super::Error;
use super::dataset::{Dataset, bucket_folder, bucket_of, bucket_schema, project, unknown_column};
use crate::model::Table;

/// Persons' places that are remembered before everything is forgotten: 128 MB.
const PLACES: usize = 8 << 20;

/// What has been read of the files of a dataset.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    files: BTreeMap<(usize, Table), Option<Arc<Footer>>>,
    groups: BTreeMap<(usize, Table, usize), Arc<Places>>,
    places: usize,
}

/// A file's footer, and that of a reader that wants nothing but the persons, as codes.
#[derive(Debug)]
struct Footer {
    path: PathBuf,
    rows: ArrowReaderMetadata,
    persons: ArrowReaderMetadata,
}

/// Rows of each person of a row group, by the hash of his number.
#[derive(Debug)]
struct Places(Vec<(u64, Range<u32>)>);

impl Places {
    fn of(&self, person: &str) -> impl Iterator<Item = Range<usize>> {
        let hash = hash_of(person);
        let first = self.0.partition_point(|(known, _)| *known < hash);
        let same = self.0[first..].iter().take_while(move |(known, _)| *known == hash);
        same.map(|(_, rows)| rows.start as usize..rows.end as usize)
    }
}

fn hash_of(person: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    person.hash(&mut hash);
    hash.finish()
}

impl Dataset {
    /// The rows of some persons in a table, as one batch with these columns in this order; `psn_no` is there for every table
    /// but that of facilities, which belongs to nobody.
    ///
    /// # Errors
    /// When a file cannot be read or a column is unknown.
    pub fn read_persons(&self, table: Table, columns: &[&str], persons: &[&str]) -> Result<RecordBatch, Error> {
        let schema = bucket_schema(table);
        let mut wanted = BTreeSet::from([schema.index_of("psn_no").map_err(|_| unknown_column(table, "psn_no"))?]);
        for column in columns {
            wanted.insert(schema.index_of(column).map_err(|_| unknown_column(table, column))?);
        }
        let mut of_buckets: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for person in persons {
            of_buckets.entry(bucket_of(person, self.manifest().buckets)).or_default().insert(person);
        }
        let mut parts = Vec::new();
        for (bucket, persons) in of_buckets {
            let Some(footer) = self.footer(bucket, table)? else { continue };
            for group in 0..footer.rows.metadata().num_row_groups() {
                let here: Vec<&str> = persons.iter().copied().filter(|p| footer.may_hold(group, p)).collect();
                if !here.is_empty() {
                    let places = self.places(bucket, table, group, &footer)?;
                    let mut rows: Vec<Range<usize>> = here.iter().flat_map(|person| places.of(person)).collect();
                    rows.sort_by_key(|rows| rows.start);
                    rows.dedup();
                    if !rows.is_empty() {
                        parts.push(footer.read(group, rows, &wanted, &here)?);
                    }
                }
            }
        }
        let read = match parts.as_slice() {
            [] => RecordBatch::new_empty(schema),
            [only] => only.clone(),
            [first, ..] => {
                let failed = |e: arrow::error::ArrowError| Error::new(format!("cannot read `{}`: {e}", table.name()));
                concat_batches(&first.schema(), &parts).map_err(failed)?
            }
        };
        project(&read, table, columns)
    }

    /// The footer of a bucket's file, where the bucket has rows of the table.
    fn footer(&self, bucket: usize, table: Table) -> Result<Option<Arc<Footer>>, Error> {
        if let Some(known) = self.known().files.get(&(bucket, table)) {
            return Ok(known.clone());
        }
        let has_rows = |unit: &super::Unit| {
            unit.bucket == bucket && unit.row_groups.get(table.name()).is_some_and(Option::is_some)
        };
        let footer = if self.units().iter().any(has_rows) {
            let path = bucket_folder(self.folder(), bucket).join(format!("{}.parquet", table.name()));
            Some(Arc::new(Footer::read_of(path, table)?))
        } else {
            None
        };
        self.known().files.insert((bucket, table), footer.clone());
        Ok(footer)
    }

    fn places(&self, bucket: usize, table: Table, group: usize, footer: &Footer) -> Result<Arc<Places>, Error> {
        let at = (bucket, table, group);
        if let Some(places) = self.known().groups.get(&at) {
            return Ok(Arc::clone(places));
        }
        let places = Arc::new(footer.places(group)?);
        let mut known = self.known();
        known.places += places.0.len();
        if known.places > PLACES {
            known.groups.clear();
            known.places = places.0.len();
        }
        known.groups.insert(at, Arc::clone(&places));
        Ok(places)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Remembered> {
        // What is remembered is whole at every moment, whoever panicked.
        self.known.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Footer {
    fn read_of(path: PathBuf, table: Table) -> Result<Footer, Error> {
        let file = File::open(&path).map_err(|e| Error::at(&path, "open", &e))?;
        let failed = |e: parquet::errors::ParquetError| Error::at(&path, "read", &e);
        // Where pages begin: those without the persons are not even read.
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let schema = bucket_schema(table);
        let whole = ArrowReaderMetadata::load(&file, options.clone()).map_err(failed)?;
        let reader = |schema: SchemaRef| {
            ArrowReaderMetadata::try_new(Arc::clone(whole.metadata()), options.clone().with_schema(schema))
                .map_err(failed)
        };
        let (rows, persons) = (reader(Arc::clone(&schema))?, reader(persons_as_codes(&schema))?);
        Ok(Footer { path, rows, persons })
    }

    fn column(&self) -> usize {
        self.rows.schema().index_of("psn_no").unwrap_or_default()
    }

    /// Whether the statistics of a row group leave room for a person.
    fn may_hold(&self, group: usize, person: &str) -> bool {
        let Some(statistics) = self.rows.metadata().row_group(group).column(self.column()).statistics() else {
            return true;
        };
        let person = person.as_bytes();
        statistics.min_bytes_opt().is_none_or(|min| min <= person)
            && statistics.max_bytes_opt().is_none_or(|max| person <= max)
    }

    fn reader(
        &self,
        metadata: &ArrowReaderMetadata,
        group: usize,
        wanted: impl IntoIterator<Item = usize>,
    ) -> Result<ParquetRecordBatchReaderBuilder<File>, Error> {
        let file = File::open(&self.path).map_err(|e| Error::at(&self.path, "open", &e))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
        let mask = ProjectionMask::roots(reader.parquet_schema(), wanted);
        Ok(reader.with_projection(mask).with_row_groups(vec![group]))
    }

    fn rows_of(&self, group: usize) -> usize {
        usize::try_from(self.rows.metadata().row_group(group).num_rows()).unwrap_or_default()
    }

    /// Whose rows are where in a row group.
    fn places(&self, group: usize) -> Result<Places, Error> {
        let failed = |e: &dyn std::fmt::Display| Error::at(&self.path, "read", e);
        let reader = self.reader(&self.persons, group, [self.column()])?;
        let reader = reader.with_batch_size(self.rows_of(group).max(1)).build().map_err(|e| failed(&e))?;
        let mut places: Vec<(u64, Range<u32>)> = Vec::new();
        let mut row = 0;
        for batch in reader {
            let batch = batch.map_err(|e| failed(&e))?;
            let codes = batch.column(0).as_dictionary::<Int32Type>();
            let words = codes.values().as_string::<i32>();
            let hashes: Vec<u64> = (0..words.len()).map(|word| hash_of(words.value(word))).collect();
            for key in codes.keys() {
                let hash = key.and_then(|key| usize::try_from(key).ok()).map(|key| hashes[key]);
                if let Some(hash) = hash {
                    match places.last_mut() {
                        Some((last, rows)) if *last == hash && rows.end == row => rows.end += 1,
                        _ => places.push((hash, row..row + 1)),
                    }
                }
                row += 1;
            }
        }
        places.sort_unstable_by_key(|(hash, rows)| (*hash, rows.start));
        places.shrink_to_fit();
        Ok(Places(places))
    }

    /// Rows of a row group, without those of strangers whose hash is the same.
    fn read(
        &self,
        group: usize,
        rows: Vec<Range<usize>>,
        wanted: &BTreeSet<usize>,
        persons: &[&str],
    ) -> Result<RecordBatch, Error> {
        let failed = |e: &dyn std::fmt::Display| Error::at(&self.path, "read", e);
        let count = rows.iter().map(ExactSizeIterator::len).sum::<usize>();
        let selection = RowSelection::from_consecutive_ranges(rows.into_iter(), self.rows_of(group));
        let reader = self.reader(&self.rows, group, wanted.iter().copied())?;
        let reader =
            reader.with_row_selection(selection).with_batch_size(count.max(1)).build().map_err(|e| failed(&e))?;
        let schema = arrow::array::RecordBatchReader::schema(&reader);
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| failed(&e))?;
        let batch = match batches.as_slice() {
            [only] => only.clone(),
            many => concat_batches(&schema, many).map_err(|e| failed(&e))?,
        };
        let numbers = batch.column_by_name("psn_no").map(|column| column.as_string::<i32>().clone());
        let Some(numbers) = numbers else { return Ok(batch) };
        let wanted: BTreeSet<&str> = persons.iter().copied().collect();
        let mask: BooleanArray = numbers.iter().map(|p| Some(p.is_some_and(|p| wanted.contains(p)))).collect();
        if mask.true_count() == mask.len() {
            return Ok(batch);
        }
        filter_record_batch(&batch, &mask).map_err(|e| failed(&e))
    }
}

/// The schema with the persons as codes, so that each number is looked at once.
fn persons_as_codes(schema: &SchemaRef) -> SchemaRef {
    let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields = schema.fields().iter().map(|field| {
        if field.name() == "psn_no" { Arc::new(Field::new("psn_no", codes.clone(), true)) } else { Arc::clone(field) }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
