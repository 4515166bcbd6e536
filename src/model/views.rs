//! The views that rules read: what a row is and which columns it has.
//!
//! Goes in: the tables. Comes out: [`View`] and its columns with their Arrow types, which the rule checker consults and
//! the engine fills. Deliberately unknown here: how a column is computed.
//!
//! To add a column: a line below, and its computation in `engine::views`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use arrow::datatypes::DataType;

use super::tables::{Kind, Table};

/// A view of the model: `in = "…"` of a rule names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// Every net fee line, widened with its encounter, person, facility and settlement.
    Line,
    /// The net fee lines with `inscp_amt` > 0.
    PaidLine,
    /// Visits and stays of which something remains after netting, one row an `mdtrt_id`.
    Encounter,
    /// Stays, with those that the office cut joined again.
    Stay,
    /// Settlements that stand, widened with their encounter.
    Settlement,
    /// The paid outpatient and pharmacy drug lines of one generic in one encounter on one day.
    Fill,
    /// A person leaves one facility and enters another on the same day.
    Transfer,
    /// An encounter and one of its diagnosis codes.
    Diagnosis,
    /// Bed checks, with the stay they belong to.
    Presence,
    /// Fee lines as exported, before netting; refund settlements and those they cancel are left out with their lines.
    RawLine,
    /// Settlements as exported; refunds and those they cancel are left out.
    RawSettlement,
    /// A trace code on a net paid line, across persons.
    Trace,
}

impl View {
    /// All views.
    pub const ALL: [View; 12] = [
        View::Line,
        View::PaidLine,
        View::Encounter,
        View::Stay,
        View::Settlement,
        View::Fill,
        View::Transfer,
        View::Diagnosis,
        View::Presence,
        View::RawLine,
        View::RawSettlement,
        View::Trace,
    ];

    /// The name a rule file uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            View::Line => "line",
            View::PaidLine => "paid_line",
            View::Encounter => "encounter",
            View::Stay => "stay",
            View::Settlement => "settlement",
            View::Fill => "fill",
            View::Transfer => "transfer",
            View::Diagnosis => "diagnosis",
            View::Presence => "presence",
            View::RawLine => "raw_line",
            View::RawSettlement => "raw_settlement",
            View::Trace => "trace",
        }
    }

    /// The view of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<View> {
        View::ALL.into_iter().find(|v| v.name() == name)
    }

    /// Columns and types, by name.
    #[must_use]
    pub fn columns(self) -> &'static BTreeMap<String, DataType> {
        static COLUMNS: LazyLock<BTreeMap<View, BTreeMap<String, DataType>>> =
            LazyLock::new(|| View::ALL.into_iter().map(|v| (v, v.list())).collect());
        &COLUMNS[&self]
    }

    /// The column that `with` looks knowledge up by, unless it says otherwise.
    #[must_use]
    pub fn code_column(self) -> Option<&'static str> {
        match self {
            View::Line | View::PaidLine | View::RawLine => Some("hilist_code"),
            View::Encounter | View::Stay | View::Settlement => Some("dscg_maindiag_code"),
            View::Fill => Some("generic"),
            View::Diagnosis => Some("diag_code"),
            View::Transfer | View::Presence | View::RawSettlement | View::Trace => None,
        }
    }

    /// The key of a finding of this view's rows, unless the rule says otherwise.
    #[must_use]
    pub fn key(self) -> &'static [&'static str] {
        match self {
            View::Line | View::PaidLine | View::RawLine => &["mdtrt_id", "feedetl_sn"],
            View::Encounter | View::Stay => &["mdtrt_id"],
            View::Settlement | View::RawSettlement => &["setl_id"],
            View::Diagnosis => &["mdtrt_id", "diag_code"],
            View::Presence => &["mdtrt_id", "day"],
            View::Trace => &["trace_code"],
            View::Fill => &["mdtrt_id", "generic", "day"],
            View::Transfer => &["psn_no", "day"],
        }
    }

    /// First and last day of a row.
    #[must_use]
    pub fn days(self) -> (&'static str, &'static str) {
        match self {
            View::Encounter | View::Stay => ("begin_day", "end_day"),
            _ => ("day", "day"),
        }
    }

    #[expect(clippy::too_many_lines, reason = "a paragraph a view, read as a table")]
    fn list(self) -> BTreeMap<String, DataType> {
        let mut columns = BTreeMap::new();
        let mut add = |name: &str, data_type: DataType| {
            columns.entry(name.to_owned()).or_insert(data_type);
        };
        let (text, day, number, truth) = (DataType::Utf8, DataType::Date32, DataType::Int64, DataType::Boolean);
        let money = Kind::Money.data_type();
        // Days of supply may be a fraction; eight decimals keep the cents of an amount that divides by them.
        let quantity = DataType::Decimal128(20, 8);
        match self {
            View::Line | View::PaidLine => {
                for c in Table::FeeDetail.columns().iter().chain(Table::Encounter.columns()) {
                    add(c.name, c.kind.data_type());
                }
                for name in ["generic", "atc4", "setting", "diagnoses", "region", "facility_region", "facility_name"] {
                    add(name, text.clone());
                }
                for name in ["fixmedins_type", "stay_id", "stay_med_types", "stay_departments", "items", "main_diag"] {
                    add(name, text.clone());
                }
                for name in ["day", "death_day", "begin_day", "end_day", "stay_begin", "stay_end"] {
                    add(name, day.clone());
                }
                for name in ["level", "age", "age_days", "stay_days", "stay_age_days"] {
                    add(name, number.clone());
                }
                for name in ["fund_pay_sumamt", "acct_pay", "visit_fund_pay_sumamt"] {
                    add(name, money.clone());
                }
                add("days", quantity);
                add("days_given", truth.clone());
                add("hardship", truth.clone());
                add("stay_open", truth);
            }
            View::Encounter => {
                for c in Table::Encounter.columns() {
                    add(c.name, c.kind.data_type());
                }
                for name in ["setting", "diagnoses", "items", "region", "facility_region", "facility_name"] {
                    add(name, text.clone());
                }
                for name in ["begin_day", "end_day", "death_day"] {
                    add(name, day.clone());
                }
                for name in ["level", "age", "age_days"] {
                    add(name, number.clone());
                }
                for name in ["lng", "lat"] {
                    add(name, Kind::Degree.data_type());
                }
                for name in ["fund_pay_sumamt", "inscp_amt", "paid_amt"] {
                    add(name, money.clone());
                }
                add("open", truth);
            }
            View::Stay => {
                for name in ["psn_no", "fixmedins_code", "mdtrt_id", "med_type", "insutype", "dscg_maindiag_code"] {
                    add(name, text.clone());
                }
                for name in [
                    "med_types",
                    "departments",
                    "dscg_way",
                    "diagnoses",
                    "items",
                    "region",
                    "facility_region",
                    "facility_name",
                    "gend",
                ] {
                    add(name, text.clone());
                }
                for name in ["begin_day", "end_day", "brdy"] {
                    add(name, day.clone());
                }
                for name in ["stay_days", "age", "age_days", "level"] {
                    add(name, number.clone());
                }
                add("inscp_amt", money.clone());
                add("medfee_sumamt", money);
                add("open", truth);
            }
            View::Settlement => {
                for c in Table::Settlement.columns().iter().chain(Table::Encounter.columns()) {
                    add(c.name, c.kind.data_type());
                }
                for name in ["setting", "region", "facility_region", "facility_name", "diagnoses"] {
                    add(name, text.clone());
                }
                for name in ["day", "begin_day", "end_day", "psn_insu_date", "paus_insu_date"] {
                    add(name, day.clone());
                }
                for name in ["level", "age", "age_days"] {
                    add(name, number.clone());
                }
                add("special_case", truth.clone());
                add("hardship", truth);
            }
            View::Fill => {
                for name in ["psn_no", "mdtrt_id", "generic", "fixmedins_code", "setting", "region"] {
                    add(name, text.clone());
                }
                for name in ["insutype", "hilist_name", "med_type"] {
                    add(name, text.clone());
                }
                add("level", number);
                add("day", day);
                add("days", quantity);
                add("inscp_amt", money);
            }
            View::Transfer => {
                for name in ["psn_no", "from_facility", "to_facility"] {
                    add(name, text.clone());
                }
                add("day", day);
            }
            View::Diagnosis => {
                for name in ["mdtrt_id", "psn_no", "fixmedins_code", "diag_code", "diag_name", "gend", "setting"] {
                    add(name, text.clone());
                }
                for name in ["region", "facility_region", "facility_name", "med_type", "insutype", "diagnoses"] {
                    add(name, text.clone());
                }
                for name in ["day", "begin_day", "end_day", "brdy"] {
                    add(name, day.clone());
                }
                for name in ["level", "age", "age_days"] {
                    add(name, number.clone());
                }
                add("is_main", truth);
            }
            View::Presence => {
                for c in Table::Presence.columns() {
                    add(c.name, c.kind.data_type());
                }
                for name in ["psn_no", "fixmedins_code", "stay_id", "region", "facility_name", "setting", "med_type"] {
                    add(name, text.clone());
                }
                for name in ["day", "stay_begin", "stay_end"] {
                    add(name, day.clone());
                }
            }
            View::RawLine | View::RawSettlement => {
                let table = if self == View::RawLine { Table::FeeDetail } else { Table::Settlement };
                for c in table.columns() {
                    add(c.name, c.kind.data_type());
                }
                for name in ["setting", "region", "facility_name", "insutype"] {
                    add(name, text.clone());
                }
                add("day", day);
                add("level", number.clone());
                if self == View::RawSettlement {
                    add("line_count", number);
                    add("line_sum", money);
                }
            }
            View::Trace => {
                for name in
                    ["trace_code", "psn_no", "mdtrt_id", "feedetl_sn", "setl_id", "fixmedins_code", "hilist_code"]
                {
                    add(name, text.clone());
                }
                for name in ["hilist_name", "region", "facility_name"] {
                    add(name, text.clone());
                }
                add("fee_ocur_time", Kind::Time.data_type());
                add("day", day);
                add("inscp_amt", money);
            }
        }
        columns
    }
}

/// What the absence of a view's column means to somebody who fills in the export: columns that the program derives are
/// named with what they are derived from.
#[must_use]
pub fn said(column: &str) -> &str {
    match column {
        "setting" => "setting（med_type 缺失，或不在就医场景表中）",
        "days" => "days（没有 prd_days，包装、剂量、频次也推算不出）",
        "gend" => "gend（缺失、不明，或两处不一致）",
        "brdy" => "brdy（缺失，或两处不一致）",
        "age" | "age_days" => "age（出生日期缺失、不可能，或两处不一致）",
        "level" => "level（hosp_lv 缺失或不在字典中）",
        "region" => "region（参保地与机构区划都没有）",
        "visit_fund_pay_sumamt" => "fund_pay_sumamt（没有结算，或有一笔不知道）",
        other => other,
    }
}
