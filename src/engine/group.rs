//! Groups of rows and what is counted over them: `per`, `measure`, `totals`, and rows that agree with others: `match`.
//!
//! Goes in: a frame, the expressions that make a group, the aggregates. Comes out: the rows sorted by group, and a row a
//! group. Keys are compared as numbers (a text is its number in the unit, a day or an amount is itself), so grouping is a
//! hash of a few integers a row, and nothing at all where a row repeats the key before it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, UInt32Array, make_comparator};
use arrow::compute::take;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use hashbrown::HashTable;

use super::frame::{Compiled, Frame};
use super::plan::MeasurePlan;
use super::views::{Columns, Views};
use crate::model::View;

/// Stands for null among cells: no day, count or amount that an export can hold.
const NULL: u64 = 1 << 63;

/// The values of a column as integers: equal where the values are, in all columns of one unit.
///
/// # Errors
/// The column was not read.
pub fn cells(views: &Views<'_>, view: View, frame: &Frame<'_>, of: &Compiled) -> Result<Vec<u64>, ArrowError> {
    if of.data_type == DataType::Utf8
        && let Some(name) = of.column.as_ref().filter(|name| view.columns().contains_key(*name) && !frame.has_own(name))
    {
        if frame.rows() < views.rows(view)? / 8 && !views.is_numbered(view, name) {
            return cells_of(views, &frame.column(name)?);
        }
        let numbers = views.numbers(view, name)?;
        return Ok((0..frame.rows()).map(|row| u64::from(numbers[frame.source_row(row) as usize])).collect());
    }
    cells_of(views, &frame.evaluate(of)?)
}

/// The values of an array as integers.
///
/// # Errors
/// Never for the types that expressions have.
pub fn cells_of(views: &Views<'_>, array: &ArrayRef) -> Result<Vec<u64>, ArrowError> {
    let whole = |value: Option<i64>| value.map_or(NULL, i64::cast_unsigned);
    Ok(match array.data_type() {
        DataType::Utf8 => views.numbers_of(array.as_string::<i32>()).into_iter().map(u64::from).collect(),
        DataType::Date32 => array.as_primitive::<Date32Type>().iter().map(|day| whole(day.map(i64::from))).collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(whole).collect(),
        DataType::Timestamp(_, _) => array.as_primitive::<TimestampMicrosecondType>().iter().map(whole).collect(),
        DataType::Boolean => array.as_boolean().iter().map(|b| whole(b.map(i64::from))).collect(),
        DataType::Decimal128(_, _) if array.as_primitive::<Decimal128Type>().iter().flatten().all(fits) => array
            .as_primitive::<Decimal128Type>()
            .iter()
            .map(|value| whole(value.and_then(|value| i64::try_from(value).ok())))
            .collect(),
        _ => {
            // Anything else by its text.
            let texts = arrow::compute::cast(array, &DataType::Utf8)?;
            views.numbers_of(texts.as_string::<i32>()).into_iter().map(u64::from).collect()
        }
    })
}

fn fits(value: i128) -> bool {
    i64::try_from(value).is_ok_and(|value| value != i64::MIN)
}

/// Rows sorted by group, with the aggregates of each group as `#0`, `#1`, ….
pub struct Grouped<'a> {
    pub rows: Frame<'a>,
    /// A row a group: the group's first row.
    pub groups: Frame<'a>,
    /// Where each group begins in `rows`; one more entry than groups.
    pub starts: Vec<usize>,
    /// Group of each row of the frame.
    pub group_of: Vec<u32>,
}

/// Groups the rows of a frame.
///
/// # Errors
/// A column was not read.
pub fn grouped<'a>(
    views: &Views<'a>,
    view: View,
    frame: &Frame<'a>,
    per: &[Compiled],
    measured: &[MeasurePlan],
) -> Result<Grouped<'a>, ArrowError> {
    let keys: Vec<Vec<u64>> = per.iter().map(|c| cells(views, view, frame, c)).collect::<Result<_, _>>()?;
    let (group_of, groups) = numbered(&keys, frame.rows());
    // Sort by counting: no list a group.
    let mut starts = vec![0; groups + 1];
    for &group in &group_of {
        starts[group as usize + 1] += 1;
    }
    for group in 1..starts.len() {
        starts[group] += starts[group - 1];
    }
    let in_order = group_of.is_sorted();
    let rows = if in_order {
        frame.clone()
    } else {
        let mut free = starts.clone();
        let mut order = vec![0_u32; frame.rows()];
        for (row, group) in (0u32..).zip(&group_of) {
            let place = &mut free[*group as usize];
            order[*place] = row;
            *place += 1;
        }
        frame.select(&UInt32Array::from(order))?
    };
    let firsts = starts[..starts.len() - 1].iter().map(|s| u32::try_from(*s).unwrap_or(u32::MAX));
    let mut groups = rows.select(&UInt32Array::from_iter_values(firsts))?;
    let known = rows.rows() == groups.rows();
    let mut arguments = BTreeMap::new();
    for (number, measure) in measured.iter().enumerate() {
        let column = aggregate((views, view), &rows, measure, &starts, known, &mut arguments)?;
        groups.put(&format!("#{number}"), column);
    }
    Ok(Grouped { rows, groups, starts, group_of })
}

/// Numbers the distinct keys in the order of their first rows: a number a row, and how many there are.
fn numbered(keys: &[Vec<u64>], rows: usize) -> (Vec<u32>, usize) {
    let hasher = BuildHasherDefault::<Mixed>::default();
    let mut group_of: Vec<u32> = Vec::with_capacity(rows);
    // First row of each group.
    let mut firsts: Vec<u32> = Vec::new();
    let same = |a: usize, b: usize| keys.iter().all(|key| key[a] == key[b]);
    let hash_of = |row: usize| {
        let mut hash = hasher.build_hasher();
        for key in keys {
            hash.write_u64(key[row]);
        }
        hash.finish()
    };
    let mut index: HashTable<(u64, u32)> = HashTable::with_capacity(rows / 8);
    for row in 0..rows {
        if row > 0 && same(row, row - 1) {
            group_of.push(group_of[row - 1]);
            continue;
        }
        let hash = hash_of(row);
        let same_as = |group: u32| same(firsts[group as usize] as usize, row);
        let found = index.find(hash, |(other, group)| *other == hash && same_as(*group)).map(|(_, group)| *group);
        let group = found.unwrap_or_else(|| {
            let group = u32::try_from(firsts.len()).unwrap_or(u32::MAX);
            firsts.push(u32::try_from(row).unwrap_or(u32::MAX));
            index.insert_unique(hash, (hash, group), |(hash, _)| *hash);
            group
        });
        group_of.push(group);
    }
    (group_of, firsts.len())
}

/// Mixes integers: multiply and fold, as good as the keys of one unit need.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let wide = u128::from(self.0 ^ value ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
        self.0 = u64::try_from(wide >> 64).unwrap_or(0) ^ u64::try_from(wide & u128::from(u64::MAX)).unwrap_or(0);
    }
}

/// One aggregate over each run `starts[i]..starts[i + 1]`.
///
/// A sum over an unknown value is unknown; a sum over nothing is 0. `bool_or` and `bool_and` answer as `or` and `and` do.
fn aggregate(
    (views, view): (&Views<'_>, View),
    rows: &Frame<'_>,
    measure: &MeasurePlan,
    starts: &[usize],
    singles: bool,
    arguments: &mut BTreeMap<String, ArrayRef>,
) -> Result<ArrayRef, ArrowError> {
    let mut evaluated = |compiled: &Compiled| -> Result<ArrayRef, ArrowError> {
        if let Some(known) = arguments.get(&compiled.text) {
            return Ok(Arc::clone(known));
        }
        let made = rows.evaluate(compiled)?;
        arguments.insert(compiled.text.clone(), Arc::clone(&made));
        Ok(made)
    };
    let argument = measure.argument.as_ref().map(&mut evaluated).transpose()?;
    let filter = measure.filter.as_ref().map(&mut evaluated).transpose()?;
    let filter: Option<&BooleanArray> = filter.as_ref().map(AsArray::as_boolean);
    let counted = |row: usize| filter.is_none_or(|f| f.is_valid(row) && f.value(row));
    let runs = || starts.windows(2).map(|w| (w[0]..w[1]).filter(|row| counted(*row)));
    let Some(argument) = argument else {
        return Ok(Arc::new(runs().map(|run| i64::try_from(run.count()).ok()).collect::<Int64Array>()));
    };
    let known = |row: &usize| argument.is_valid(*row);
    match measure.function.as_str() {
        "count" if measure.distinct => {
            let values = match &measure.argument {
                Some(of) => cells(views, view, rows, of)?,
                None => cells_of(views, &argument)?,
            };
            let mut seen: Vec<u64> = Vec::new();
            let counts = runs().map(|run| {
                seen.clear();
                seen.extend(run.filter(known).map(|row| values[row]));
                seen.sort_unstable();
                seen.dedup();
                i64::try_from(seen.len()).ok()
            });
            Ok(Arc::new(counts.collect::<Int64Array>()))
        }
        "count" => {
            Ok(Arc::new(runs().map(|run| i64::try_from(run.filter(known).count()).ok()).collect::<Int64Array>()))
        }
        "sum" => {
            if let DataType::Decimal128(precision, scale) = measure.data_type {
                let values = argument.as_primitive::<Decimal128Type>();
                let sums = runs().map(|mut run| {
                    run.try_fold(0_i128, |sum, row| values.is_valid(row).then(|| sum + values.value(row)))
                });
                Ok(Arc::new(sums.collect::<Decimal128Array>().with_precision_and_scale(precision, scale)?))
            } else {
                let values = argument.as_primitive::<Int64Type>();
                let sums = runs().map(|mut run| {
                    run.try_fold(0_i64, |sum, row| values.is_valid(row).then(|| sum.saturating_add(values.value(row))))
                });
                Ok(Arc::new(sums.collect::<Int64Array>()))
            }
        }
        "bool_or" | "bool_and" => {
            let values = argument.as_boolean();
            let decides = measure.function == "bool_or";
            let answers = runs().map(|run| {
                let mut unknown = false;
                for row in run {
                    if values.is_null(row) {
                        unknown = true;
                    } else if values.value(row) == decides {
                        return Some(decides);
                    }
                }
                (!unknown).then_some(!decides)
            });
            Ok(Arc::new(answers.collect::<BooleanArray>()))
        }
        // min, max, first: a row of the run that has the value.
        _ if singles && filter.is_none() => Ok(argument),
        name => {
            let order = make_comparator(&argument, &argument, arrow::compute::SortOptions::default())?;
            let chosen: UInt32Array = runs()
                .map(|mut run| {
                    let row = match name {
                        "first" => run.next(),
                        "min" => run.filter(known).min_by(|a, b| order(*a, *b)),
                        _ => run.filter(known).max_by(|a, b| order(*a, *b)),
                    };
                    row.and_then(|row| u32::try_from(row).ok())
                })
                .collect();
            take(&argument, &chosen, None)
        }
    }
}

/// After so many steps of work that may grow with the square of the rows, somebody asks whether there is time left.
pub const STEPS: usize = 1 << 14;

/// Rows of the frame with the rows of another view that agree in some columns and are allowed; in order of both.
///
/// # Errors
/// A column was not read; what `go_on` says, asked now and then.
pub fn candidate_pairs(
    views: &Views<'_>,
    view: View,
    frame: &Frame<'_>,
    other: View,
    on: &[String],
    allowed: Option<&BooleanArray>,
    go_on: &dyn Fn() -> Result<(), ArrowError>,
) -> Result<Vec<(u32, u32)>, ArrowError> {
    if frame.rows() == 0 {
        return Ok(Vec::new());
    }
    // By what leaves the fewest partners: an encounter has fewer rows than its person.
    let by = if on.iter().any(|name| name == "mdtrt_id") { "mdtrt_id" } else { "psn_no" };
    let partners = views.rows_of(other, by)?;
    if partners.is_empty() {
        return Ok(Vec::new());
    }
    let left = views.numbers(view, by)?;
    let rest: Vec<&String> = on.iter().filter(|name| *name != by).collect();
    let both: Vec<(Vec<u64>, Vec<u64>)> = rest
        .iter()
        .map(|name| Ok((whole_column(views, view, name)?, whole_column(views, other, name)?)))
        .collect::<Result<_, ArrowError>>()?;
    let known = |cell: u64, text: bool| cell != if text { 0 } else { NULL };
    let texts: Vec<bool> = rest.iter().map(|name| view.columns().get(*name) == Some(&DataType::Utf8)).collect();
    let mut pairs = Vec::new();
    let mut steps = 0;
    for row in 0..frame.rows() {
        let source = frame.source_row(row) as usize;
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        for &partner in partners.of(left[source]) {
            steps += 1;
            if steps % STEPS == 0 {
                go_on()?;
            }
            let agree = both
                .iter()
                .zip(&texts)
                .all(|((mine, theirs), text)| known(mine[source], *text) && mine[source] == theirs[partner as usize]);
            let partner_row = partner as usize;
            if agree && allowed.is_none_or(|mask| mask.is_valid(partner_row) && mask.value(partner_row)) {
                pairs.push((row, partner));
            }
        }
    }
    Ok(pairs)
}

fn whole_column(views: &Views<'_>, view: View, name: &str) -> Result<Vec<u64>, ArrowError> {
    if view.columns().get(name) == Some(&DataType::Utf8) {
        return Ok(views.numbers(view, name)?.iter().map(|n| u64::from(*n)).collect());
    }
    cells_of(views, &views.column(view, name)?)
}

/// Whether each row has the same keys as the row before it.
///
/// # Errors
/// A column was not read.
pub fn continues(views: &Views<'_>, view: View, frame: &Frame<'_>, per: &[Compiled]) -> Result<Vec<bool>, ArrowError> {
    let keys: Vec<Vec<u64>> = per.iter().map(|c| cells(views, view, frame, c)).collect::<Result<_, _>>()?;
    Ok((0..frame.rows()).map(|row| row > 0 && keys.iter().all(|key| key[row] == key[row - 1])).collect())
}
