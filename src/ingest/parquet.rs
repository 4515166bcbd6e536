//! Parquet files as rows of text.
//!
//! Any flat column is read and written as text in the way that `values` reads it again: days as `2024-01-05`, decimals with
//! their digits. Nested columns are empty. Goes in: a path. Comes out: [`Block`]s; the names of the columns are row 0.
//! Not known here: tables, columns.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::Error;
use super::rows::{Block, MOST_CELLS};

const ROWS: usize = 8_192;

/// Hands out the rows of a file.
pub(super) struct Blocks {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    next_row: u64,
    bytes_a_row: u64,
}

impl Blocks {
    pub(super) fn open(path: &Path) -> Result<Blocks, Error> {
        let file = File::open(path).map_err(|e| Error::at(path, "open", &e))?;
        let bytes = file.metadata().map_or(0, |m| m.len());
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| Error::at(path, "read", &e))?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let columns = builder.schema().fields().len();
        if columns > MOST_CELLS {
            return Err(Error::new(format!(
                "`{}` has {columns} columns; no table has more than {MOST_CELLS}",
                path.display()
            )));
        }
        let reader = builder.with_batch_size(ROWS).build().map_err(|e| Error::at(path, "read", &e))?;
        Ok(Blocks { path: path.to_owned(), reader, next_row: 1, bytes_a_row: bytes / rows.max(1) })
    }

    /// The next rows, and about how many bytes of the file they are.
    pub(super) fn next(&mut self) -> Result<Option<(Block, u64)>, Error> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(|e| Error::at(&self.path, "read", &e))?;
        let mut block = Block { fixed: true, ..Block::default() };
        append(&batch, self.next_row, &mut block);
        self.next_row += batch.num_rows() as u64;
        Ok(Some((block, batch.num_rows() as u64 * self.bytes_a_row)))
    }
}

fn append(batch: &RecordBatch, first_row: u64, block: &mut Block) {
    let columns: Vec<StringArray> = batch
        .columns()
        .iter()
        .map(|column| {
            let text = cast(column, &DataType::Utf8).unwrap_or_else(|_| new_null_array(&DataType::Utf8, column.len()));
            text.as_any().downcast_ref::<StringArray>().cloned().expect("cast to text")
        })
        .collect();
    for (number, row) in (first_row..).zip(0..batch.num_rows()) {
        let first = block.cells.len();
        for column in &columns {
            block.push_cell(if column.is_null(row) { "" } else { column.value(row) });
        }
        block.end_row(number, first, columns.len(), None);
    }
}

/// The names of the columns as row 0, and the first rows.
pub(super) fn preview(path: &Path) -> Result<Block, Error> {
    let mut blocks = Blocks::open(path)?;
    let mut block = Block { fixed: true, ..Block::default() };
    let schema = arrow::array::RecordBatchReader::schema(&blocks.reader);
    for field in schema.fields() {
        block.push_cell(field.name());
    }
    block.end_row(0, 0, schema.fields().len(), None);
    if let Some(batch) = blocks.reader.next() {
        let batch = batch.map_err(|e| Error::at(path, "read", &e))?;
        append(&batch.slice(0, batch.num_rows().min(20)), 1, &mut block);
    }
    Ok(block)
}
