//! Hits: rows that the engine matched, with what is needed to make findings of them.
//!
//! A hit is not yet a finding: it has no identity beyond its key, and its money may be claimed by other hits too.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use rust_decimal::Decimal;

use crate::model::{day, money};

/// A row or group that fulfilled a rule's condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// JSON object of the key columns; nulls are left out.
    pub key: String,
    pub result: String,
    pub severity: String,
    pub psn_no: Option<String>,
    pub mdtrt_id: Option<String>,
    pub setl_id: Option<String>,
    pub feedetl_sn: Option<String>,
    pub fixmedins_code: Option<String>,
    pub from_day: Option<i32>,
    pub until_day: Option<i32>,
    /// To the cent.
    pub amount: Decimal,
    pub message: String,
    /// JSON object.
    pub evidence: String,
    pub violating: Vec<HitLine>,
    pub involved: Vec<HitLine>,
}

/// A net line of a hit.
#[derive(Debug, Clone, PartialEq)]
pub struct HitLine {
    pub psn_no: Option<String>,
    pub mdtrt_id: String,
    pub feedetl_sn: String,
    pub setl_id: Option<String>,
    pub fixmedins_code: Option<String>,
    pub hilist_code: Option<String>,
    pub inscp_amt: Decimal,
    /// `hifp_pay` and `inscp_amt` of the line's settlement.
    pub fund_share: Option<(Decimal, Decimal)>,
}

/// A value as people read it: days as YYYY-MM-DD, times with seconds, numbers without trailing zeros, 是/否.
#[must_use]
pub fn show(array: &ArrayRef, at: usize) -> Option<String> {
    if array.is_null(at) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(at).to_owned(),
        DataType::Utf8View => array.as_string_view().value(at).to_owned(),
        DataType::Date32 => day::text(array.as_primitive::<Date32Type>().value(at)),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(at).to_string(),
        DataType::Boolean => if array.as_boolean().value(at) { "是" } else { "否" }.to_owned(),
        DataType::Timestamp(_, _) => day::time_text(array.as_primitive::<TimestampMicrosecondType>().value(at)),
        DataType::Decimal128(_, scale) => {
            let (mut value, mut scale) =
                (array.as_primitive::<Decimal128Type>().value(at), u32::try_from(*scale).unwrap_or(0));
            while scale > 8 {
                value /= 10;
                scale -= 1;
            }
            Decimal::try_from_i128_with_scale(value, scale).map_or_else(|_| value.to_string(), money::plain)
        }
        other => arrow::util::display::array_value_to_string(array, at).unwrap_or_else(|_| other.to_string()),
    })
}
