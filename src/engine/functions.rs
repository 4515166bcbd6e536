//! The functions that expressions may call: the query engine's pure ones by name, and some of our own.
//!
//! Comes out: [`allowed`]. The list of names is `rules::expression::FUNCTIONS`; what is not handed over here does not
//! exist for a rule, whatever the query engine could do.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

use crate::model::day;
use crate::rules::expression::FUNCTIONS;
use crate::sql::Dialect;

/// Hours, to the second and finer.
const HOURS: DataType = DataType::Decimal128(20, 6);
/// Longitude and latitude.
const DEGREES: DataType = DataType::Decimal128(16, 8);
/// Kilometres, to the metre.
const KILOMETRES: DataType = DataType::Decimal128(16, 3);

fn text() -> DataType {
    DataType::Utf8
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

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
        create_udf("first_prefix", vec![text(), text()], text(), Volatility::Immutable, Arc::new(first_prefix)),
        create_udf("list_length", vec![text()], DataType::Int64, Volatility::Immutable, Arc::new(list_length)),
        create_udf("month_of", vec![DataType::Date32], text(), Volatility::Immutable, Arc::new(month_of)),
        create_udf("hours_between", vec![time(), time()], HOURS, Volatility::Immutable, Arc::new(hours_between)),
        create_udf("has_time", vec![time()], DataType::Boolean, Volatility::Immutable, Arc::new(has_time)),
        create_udf("distance_km", vec![DEGREES; 4], KILOMETRES, Volatility::Immutable, Arc::new(distance_km)),
    ];
    let theirs = Dialect::every_function()
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

/// `first_prefix(code, prefixes)`: the first of the `|`-joined prefixes that the code begins with.
fn first_prefix(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [codes, prefixes] = arrays(arguments)?;
    let (codes, prefixes): (&StringArray, &StringArray) = (as_array(&codes)?, as_array(&prefixes)?);
    let found: StringArray = codes
        .iter()
        .zip(prefixes.iter())
        .map(|(code, prefixes)| {
            let code = code?;
            prefixes?.split('|').find(|prefix| !prefix.is_empty() && code.starts_with(prefix))
        })
        .collect();
    Ok(ColumnarValue::Array(Arc::new(found)))
}

/// `list_length(list)`: how many parts a `|`-joined list has.
fn list_length(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [list] = arrays(arguments)?;
    let list: &StringArray = as_array(&list)?;
    let lengths: Int64Array = list.iter().map(|l| i64::try_from(l?.split('|').count()).ok()).collect();
    Ok(ColumnarValue::Array(Arc::new(lengths)))
}

/// `month_of(day)`: `YYYY-MM`.
fn month_of(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [days] = arrays(arguments)?;
    let days: &Date32Array = as_array(&days)?;
    let mut texts: hashbrown::HashMap<i32, String> = hashbrown::HashMap::new();
    for on in days.iter().flatten() {
        texts.entry(on).or_insert_with(|| day::text(on)[..7].to_owned());
    }
    let months: StringArray = days.iter().map(|on| on.and_then(|on| texts.get(&on))).collect();
    Ok(ColumnarValue::Array(Arc::new(months)))
}

/// `hours_between(later, earlier)`, negative when the first is the earlier.
fn hours_between(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [later, earlier] = arrays(arguments)?;
    let (later, earlier): (&TimestampMicrosecondArray, &TimestampMicrosecondArray) =
        (as_array(&later)?, as_array(&earlier)?);
    // Microseconds ÷ 3,600 are millionths of an hour.
    let hours: Decimal128Array =
        later.iter().zip(earlier.iter()).map(|(a, b)| Some(i128::from(a? - b?) / 3_600)).collect();
    Ok(ColumnarValue::Array(Arc::new(hours.with_data_type(HOURS))))
}

/// `has_time(time)`: false at 00:00:00, where an export most likely had no time of day.
fn has_time(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [times] = arrays(arguments)?;
    let times: &TimestampMicrosecondArray = as_array(&times)?;
    let answers: BooleanArray = times.iter().map(|t| t.map(|t| t.rem_euclid(86_400_000_000) != 0)).collect();
    Ok(ColumnarValue::Array(Arc::new(answers)))
}

/// `distance_km(lng1, lat1, lng2, lat2)`: great circle on a sphere of 6,371.0088 km. A distance, no money: floats will do.
fn distance_km(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [lng1, lat1, lng2, lat2] = arrays(arguments)?;
    let parts: [&Decimal128Array; 4] = [as_array(&lng1)?, as_array(&lat1)?, as_array(&lng2)?, as_array(&lat2)?];
    let rows = parts[0].len();
    let kilometres: Decimal128Array = (0..rows)
        .map(|row| {
            if parts.iter().any(|p| p.is_null(row)) {
                return None;
            }
            let [lng1, lat1, lng2, lat2] = parts.map(|p| distance::radians(p.value(row)));
            Some(distance::metres(lng1, lat1, lng2, lat2))
        })
        .collect();
    Ok(ColumnarValue::Array(Arc::new(kilometres.with_data_type(KILOMETRES))))
}

/// The one place of this floor where floats are: the shape of the earth.
mod distance {
    #![expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "metres on the earth fit with room to spare"
    )]

    /// Radians of 10⁻⁸ degrees.
    pub(super) fn radians(degrees: i128) -> f64 {
        (degrees as f64 / 1e8).to_radians()
    }

    /// Great-circle distance in whole metres.
    pub(super) fn metres(lng1: f64, lat1: f64, lng2: f64, lat2: f64) -> i128 {
        let half = |a: f64, b: f64| ((a - b) / 2.0).sin().powi(2);
        let chord = half(lat1, lat2) + lat1.cos() * lat2.cos() * half(lng1, lng2);
        (2.0 * 6_371_008.8 * chord.sqrt().min(1.0).asin()).round() as i128
    }
}
