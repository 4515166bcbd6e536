//! The functions that expressions may call: the query engine's pure ones by name, and four of our own.
//!
//! Comes out: [`allowed`]. The list of names is `rules::expression::FUNCTIONS`; what is not handed over here does not
//! exist for a rule, whatever the query engine could do.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Date32Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

use crate::rules::expression::FUNCTIONS;

/// The functions a session knows.
#[must_use]
pub fn allowed() -> Vec<Arc<ScalarUDF>> {
    let ours = [
        create_udf(
            "days_between",
            vec![DataType::Date32, DataType::Date32],
            DataType::Int64,
            Volatility::Immutable,
            Arc::new(days_between),
        ),
        create_udf(
            "add_days",
            vec![DataType::Date32, DataType::Int64],
            DataType::Date32,
            Volatility::Immutable,
            Arc::new(add_days),
        ),
        create_udf(
            "any_prefix",
            vec![DataType::Utf8, DataType::Utf8],
            DataType::Boolean,
            Volatility::Immutable,
            Arc::new(any_prefix),
        ),
        create_udf(
            "listed",
            vec![DataType::Utf8, DataType::Utf8],
            DataType::Boolean,
            Volatility::Immutable,
            Arc::new(listed),
        ),
    ];
    let theirs = SessionStateDefaults::default_scalar_functions()
        .into_iter()
        .filter(|f| FUNCTIONS.contains(&f.name()) || f.aliases().iter().any(|a| FUNCTIONS.contains(&a.as_str())));
    theirs.chain(ours.into_iter().map(Arc::new)).collect()
}

fn arrays<const N: usize>(arguments: &[ColumnarValue]) -> Result<[ArrayRef; N]> {
    let arrays = ColumnarValue::values_to_arrays(arguments)?;
    arrays.try_into().map_err(|_| DataFusionError::Execution(format!("wanted {N} arguments")))
}

fn as_array<T: 'static>(array: &ArrayRef) -> Result<&T> {
    array
        .as_any()
        .downcast_ref()
        .ok_or_else(|| DataFusionError::Execution(format!("an argument is {}", array.data_type())))
}

/// `days_between(later, earlier)`: calendar days, negative when the first is the earlier.
fn days_between(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [later, earlier] = arrays(arguments)?;
    let (later, earlier): (&Date32Array, &Date32Array) = (as_array(&later)?, as_array(&earlier)?);
    let days: Int64Array = later.iter().zip(earlier.iter()).map(|(a, b)| Some(i64::from(a?) - i64::from(b?))).collect();
    Ok(ColumnarValue::Array(Arc::new(days)))
}

/// `add_days(day, n)`.
fn add_days(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [day, n] = arrays(arguments)?;
    let (day, n): (&Date32Array, &Int64Array) = (as_array(&day)?, as_array(&n)?);
    let days: Date32Array =
        day.iter().zip(n.iter()).map(|(day, n)| day?.checked_add(i32::try_from(n?).ok()?)).collect();
    Ok(ColumnarValue::Array(Arc::new(days)))
}

/// `any_prefix(codes, prefixes)`: whether one of the `|`-joined codes begins with one of the `|`-joined prefixes.
fn any_prefix(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [codes, prefixes] = arrays(arguments)?;
    let (codes, prefixes): (&StringArray, &StringArray) = (as_array(&codes)?, as_array(&prefixes)?);
    let found: BooleanArray = codes
        .iter()
        .zip(prefixes.iter())
        .map(|(codes, prefixes)| {
            let prefixes = prefixes?;
            Some(
                codes?
                    .split('|')
                    .any(|code| prefixes.split('|').any(|prefix| !prefix.is_empty() && code.starts_with(prefix))),
            )
        })
        .collect();
    Ok(ColumnarValue::Array(Arc::new(found)))
}

/// `listed(list, value)`: whether a `|`-joined list holds a value.
fn listed(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [list, value] = arrays(arguments)?;
    let (list, value): (&StringArray, &StringArray) = (as_array(&list)?, as_array(&value)?);
    let found: BooleanArray = list
        .iter()
        .zip(value.iter())
        .map(|(list, value)| Some(list?.split('|').any(|one| Some(one) == value)))
        .collect();
    Ok(ColumnarValue::Array(Arc::new(found)))
}
