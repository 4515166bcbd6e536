//! The rows of a batch that were kept: a column is copied when it is first asked for, and only then.
//!
//! Goes in: a batch and a mask. Comes out: columns without the rows that went. Most columns of claims are read for a few
//! findings, so most of them are never copied.

use std::cell::OnceCell;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{FilterBuilder, FilterPredicate, take};
use arrow::error::ArrowError;

use super::frame::positions;

/// Something with columns that have names.
pub(super) trait Named {
    /// The column of that name.
    fn named(&self, name: &str) -> Option<&ArrayRef>;
}

impl Named for RecordBatch {
    fn named(&self, name: &str) -> Option<&ArrayRef> {
        self.column_by_name(name)
    }
}

/// Rows of a batch.
#[derive(Debug)]
pub struct Kept {
    batch: RecordBatch,
    /// Nothing: all of them.
    those: Option<Those>,
    columns: Vec<OnceCell<ArrayRef>>,
}

#[derive(Debug)]
struct Those {
    filter: FilterPredicate,
    /// Rows of the batch, in order.
    rows: UInt32Array,
}

impl Kept {
    /// All rows of a batch.
    #[must_use]
    pub fn whole(batch: RecordBatch) -> Kept {
        let columns = vec![OnceCell::new(); batch.num_columns()];
        Kept { batch, those: None, columns }
    }

    /// The rows where a mask is true.
    #[must_use]
    pub fn those(batch: RecordBatch, mask: &BooleanArray) -> Kept {
        let mut kept = Kept::whole(batch);
        if mask.true_count() < mask.len() {
            kept.those = Some(Those { filter: FilterBuilder::new(mask).optimize().build(), rows: positions(mask) });
        }
        kept
    }

    /// Some of the rows that were kept.
    #[must_use]
    pub fn among(&self, keep: &[bool]) -> Kept {
        let rows = || (0..keep.len()).filter(|row| keep[*row]);
        let (first, last) = (rows().next().unwrap_or(0), rows().next_back().unwrap_or(0));
        let count = rows().count();
        if count == 0 || self.those.is_none() && last + 1 - first == count {
            // Rows that stand together are not even copied.
            return Kept::whole(self.batch.slice(first, count));
        }
        let mut mask = vec![false; self.batch.num_rows()];
        for row in rows() {
            mask[self.those.as_ref().map_or(row, |those| those.rows.value(row) as usize)] = true;
        }
        Kept::those(self.batch.clone(), &BooleanArray::from(mask))
    }

    /// How many rows were kept.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.those.as_ref().map_or(self.batch.num_rows(), |those| those.rows.len())
    }

    /// The column of that name, without the rows that went.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.named(name)
    }

    /// Whether there is a column of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    /// A column at some of the rows that were kept.
    ///
    /// # Errors
    /// There is no such column; a row outside.
    pub fn gather(&self, name: &str, rows: &UInt32Array) -> Result<ArrayRef, ArrowError> {
        let at = self.batch.schema().index_of(name)?;
        match &self.those {
            // Few rows: from where they were, without copying the column.
            Some(those) if self.columns[at].get().is_none() && rows.len() < self.num_rows() / 8 => {
                let rows = take(&those.rows, rows, None)?;
                take(self.batch.column(at), &rows, None)
            }
            _ => {
                let column = self.named(name).ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))?;
                take(column, rows, None)
            }
        }
    }
}

impl Named for Kept {
    fn named(&self, name: &str) -> Option<&ArrayRef> {
        let at = self.batch.schema_ref().index_of(name).ok()?;
        let Some(those) = &self.those else { return Some(self.batch.column(at)) };
        if self.columns[at].get().is_none() {
            let column = those.filter.filter(self.batch.column(at)).ok()?;
            // Nobody else can have filled it: a batch belongs to one thread.
            let _ = self.columns[at].set(column);
        }
        self.columns[at].get()
    }
}
