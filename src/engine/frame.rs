//! Frames: rows of a view with what a rule has joined to them.
//!
//! Goes in: a source of columns, a choice of its rows, joined sources under a prefix (`cap.max`, `prior.day`, `$limit`),
//! columns of its own (`in_hand`). Comes out: columns by name, gathered when first asked for, and the values of
//! expressions. Deliberately unknown here: which rule it is.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use datafusion_common::DataFusionError;
use datafusion_physical_expr::PhysicalExpr;
use hashbrown::HashMap;

use super::factor::Factored;
use super::views::Columns;

/// An expression of a rule, ready to be evaluated over a frame.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The columns it reads, as its schema names them.
    pub schema: SchemaRef,
    pub expression: Arc<dyn PhysicalExpr>,
    pub data_type: DataType,
    /// As SQL: equal texts are equal questions.
    pub text: String,
    /// The column, where it is nothing but one.
    pub column: Option<String>,
    /// The same in parts, where some of it need not be asked of every row.
    pub factored: Option<Box<Factored>>,
}

/// Rows with columns under a prefix.
#[derive(Clone)]
struct Joined<'a> {
    prefix: String,
    source: Rc<dyn Columns + 'a>,
    /// A row of the source for each row of the frame; null where there is none.
    rows: UInt32Array,
}

/// Which rows of a source a frame has.
#[derive(Clone)]
enum Chosen {
    /// Every one, in order: columns are the source's own, nothing is gathered.
    All(usize),
    These(UInt32Array),
}

/// Rows of a source with what was joined to them.
#[derive(Clone)]
pub struct Frame<'a> {
    source: Rc<dyn Columns + 'a>,
    rows: Chosen,
    joined: Vec<Joined<'a>>,
    own: HashMap<String, ArrayRef>,
    gathered: RefCell<HashMap<String, ArrayRef>>,
}

impl<'a> Frame<'a> {
    /// All rows of a source.
    #[must_use]
    pub fn new(source: Rc<dyn Columns + 'a>) -> Frame<'a> {
        let rows = Chosen::All(source.rows());
        Frame { source, rows, joined: Vec::new(), own: HashMap::new(), gathered: RefCell::default() }
    }

    /// Row of the source behind a row of the frame.
    #[must_use]
    pub fn source_row(&self, row: usize) -> u32 {
        match &self.rows {
            Chosen::All(_) => u32::try_from(row).unwrap_or(u32::MAX),
            Chosen::These(rows) => rows.value(row),
        }
    }

    /// Whether a column is its own and not the source's.
    #[must_use]
    pub fn has_own(&self, name: &str) -> bool {
        self.own.contains_key(name) || self.joined.iter().any(|j| name.starts_with(j.prefix.as_str()))
    }

    /// Adds a column of its own.
    pub fn put(&mut self, name: &str, column: ArrayRef) {
        self.own.insert(name.to_owned(), column);
    }

    /// Joins another source's rows under a prefix, one (or null) for each row of the frame.
    pub fn join(&mut self, prefix: &str, source: Rc<dyn Columns + 'a>, rows: UInt32Array) {
        self.join_named(&format!("{prefix}."), source, rows);
    }

    /// Joins as [`Frame::join`] does; what comes before the columns' names is the whole of `prefix`.
    pub fn join_named(&mut self, prefix: &str, source: Rc<dyn Columns + 'a>, rows: UInt32Array) {
        self.joined.push(Joined { prefix: prefix.to_owned(), source, rows });
    }

    /// The chosen rows, in the chosen order; a row may be chosen more than once.
    ///
    /// # Errors
    /// A row outside the frame.
    pub fn select(&self, keep: &UInt32Array) -> Result<Frame<'a>, ArrowError> {
        let pick = |rows: &UInt32Array| -> Result<UInt32Array, ArrowError> {
            Ok(take(rows, keep, None)?.as_primitive().clone())
        };
        let mut joined = Vec::with_capacity(self.joined.len());
        for j in &self.joined {
            joined.push(Joined { prefix: j.prefix.clone(), source: Rc::clone(&j.source), rows: pick(&j.rows)? });
        }
        let mut own = HashMap::new();
        for (name, column) in &self.own {
            own.insert(name.clone(), take(column, keep, None)?);
        }
        let rows = match &self.rows {
            Chosen::All(_) => keep.clone(),
            Chosen::These(rows) => pick(rows)?,
        };
        Ok(Frame {
            source: Rc::clone(&self.source),
            rows: Chosen::These(rows),
            joined,
            own,
            gathered: RefCell::default(),
        })
    }

    /// The rows where `mask` is true.
    ///
    /// # Errors
    /// The mask does not fit.
    pub fn filter(&self, mask: &BooleanArray) -> Result<Frame<'a>, ArrowError> {
        if mask.true_count() == self.rows() {
            return Ok(self.clone());
        }
        self.select(&positions(mask))
    }

    /// The value of an expression for each row.
    ///
    /// A row on which it cannot be computed (a division by zero, a number too large) is null: it is not evaluated.
    ///
    /// # Errors
    /// A column was not read.
    pub fn evaluate(&self, compiled: &Compiled) -> Result<ArrayRef, ArrowError> {
        if let Some(column) = &compiled.column {
            return self.column(column);
        }
        if let Some(factored) = &compiled.factored
            && let Some(results) = self.parts(factored)?
        {
            let rest = &factored.rest;
            let names = rest.schema.fields().iter().take(rest.schema.fields().len() - results.len());
            let columns: Result<Vec<ArrayRef>, ArrowError> = names.map(|f| self.column(f.name())).collect();
            return compute(rest, columns?.into_iter().chain(results).collect(), self.rows());
        }
        let columns: Result<Vec<ArrayRef>, ArrowError> =
            compiled.schema.fields().iter().map(|f| self.column(f.name())).collect();
        compute(compiled, columns?, self.rows())
    }

    /// The results of the parts of an expression; nothing where the source has no way to them.
    fn parts(&self, factored: &Factored) -> Result<Option<Vec<ArrayRef>>, ArrowError> {
        let mut results = Vec::with_capacity(factored.parts.len());
        for (level, part) in &factored.parts {
            // A measure may have a column's name: it is the group's, not the line's.
            if part.schema.fields().iter().any(|field| self.has_own(field.name())) {
                return Ok(None);
            }
            let name = format!("{level:?} {}", part.text);
            if let Some(found) = self.gathered.borrow().get(&name) {
                results.push(Arc::clone(found));
                continue;
            }
            let rows = match &self.rows {
                Chosen::All(_) => None,
                Chosen::These(rows) => Some(rows),
            };
            let Some(found) = self.source.part(level, part, rows)? else { return Ok(None) };
            self.gathered.borrow_mut().insert(name, Arc::clone(&found));
            results.push(found);
        }
        Ok(Some(results))
    }

    /// The value of a condition for each row.
    ///
    /// # Errors
    /// A column was not read.
    pub fn condition(&self, compiled: &Compiled) -> Result<BooleanArray, ArrowError> {
        let values = self.evaluate(compiled)?;
        values.as_boolean_opt().cloned().ok_or_else(|| ArrowError::SchemaError("not a condition".to_owned()))
    }
}

impl Columns for Frame<'_> {
    fn rows(&self) -> usize {
        match &self.rows {
            Chosen::All(rows) => *rows,
            Chosen::These(rows) => rows.len(),
        }
    }

    fn column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        if let Some(own) = self.own.get(name) {
            return Ok(Arc::clone(own));
        }
        if let Some(found) = self.gathered.borrow().get(name) {
            return Ok(Arc::clone(found));
        }
        let joined = self.joined.iter().find_map(|j| name.strip_prefix(j.prefix.as_str()).map(|rest| (j, rest)));
        let column = match joined {
            Some((j, "found")) => {
                Arc::new((0..j.rows.len()).map(|row| Some(j.rows.is_valid(row))).collect::<BooleanArray>())
            }
            Some((j, rest)) => j.source.gather(rest, &j.rows)?,
            None => match &self.rows {
                Chosen::All(_) => self.source.column(name)?,
                Chosen::These(rows) => self.source.gather(name, rows)?,
            },
        };
        self.gathered.borrow_mut().insert(name.to_owned(), Arc::clone(&column));
        Ok(column)
    }
}

/// The value of an expression over columns, in the order of its schema.
///
/// # Errors
/// They do not fit together.
pub fn compute(compiled: &Compiled, columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    computed(compiled, &RecordBatch::try_new_with_options(Arc::clone(&compiled.schema), columns, &options)?)
}

fn computed(compiled: &Compiled, batch: &RecordBatch) -> Result<ArrayRef, ArrowError> {
    let rows = batch.num_rows();
    match compiled.expression.evaluate(batch).and_then(|value| value.into_array(rows)) {
        Ok(values) => Ok(values),
        Err(_) if rows > 1 => {
            let half = rows / 2;
            let (one, other) =
                (computed(compiled, &batch.slice(0, half))?, computed(compiled, &batch.slice(half, rows - half))?);
            concat(&[&one, &other])
        }
        Err(error) => match error.find_root() {
            DataFusionError::ArrowError(cause, _)
                if matches!(cause.as_ref(), ArrowError::DivideByZero | ArrowError::ArithmeticOverflow(_)) =>
            {
                Ok(new_null_array(&compiled.data_type, rows))
            }
            other => Err(ArrowError::ComputeError(other.strip_backtrace())),
        },
    }
}

/// Positions where a mask is true.
#[must_use]
pub fn positions(mask: &BooleanArray) -> UInt32Array {
    let known = match mask.nulls() {
        Some(nulls) => mask.values() & nulls.inner(),
        None => mask.values().clone(),
    };
    UInt32Array::from_iter_values(known.set_indices().filter_map(|row| u32::try_from(row).ok()))
}
