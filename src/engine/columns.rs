//! Which columns have to be read: what netting and the views always need, and what the rules of a run name.
//!
//! Goes in: plans. Comes out: columns by table. A column that no selected rule reads is not decoded.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;

use super::plan::Plan;
use crate::model::{Table, View};

const ALWAYS: &[(Table, &[&str])] = &[
    (
        Table::FeeDetail,
        &[
            "feedetl_sn",
            "mdtrt_id",
            "setl_id",
            "psn_no",
            "fixmedins_code",
            "med_type",
            "fee_ocur_time",
            "hilist_code",
            "cnt",
            "pric",
            "det_item_fee_sumamt",
            "fulamt_ownpay_amt",
            "overlmt_selfpay",
            "preselfpay_amt",
            "inscp_amt",
            "init_feedetl_sn",
        ],
    ),
    (
        Table::Settlement,
        &[
            "setl_id",
            "mdtrt_id",
            "psn_no",
            "fixmedins_code",
            "insutype",
            "med_type",
            "insu_admdvs",
            "setl_time",
            "medfee_sumamt",
            "fulamt_ownpay_amt",
            "overlmt_selfpay",
            "preselfpay_amt",
            "inscp_amt",
            "hifp_pay",
            "refd_setl_flag",
            "init_setl_id",
            "mid_setl_flag",
        ],
    ),
    (
        Table::Encounter,
        &[
            "mdtrt_id",
            "psn_no",
            "fixmedins_code",
            "med_type",
            "insutype",
            "insu_admdvs",
            "gend",
            "brdy",
            "hosp_lv",
            "begntime",
            "endtime",
            "dscg_maindiag_code",
            "dscg_way",
            "die_date",
            "ars_year_ipt_flag",
        ],
    ),
    (Table::Person, &["psn_no", "gend", "brdy", "insutype", "insu_admdvs", "die_date"]),
    (Table::Diagnosis, &["mdtrt_id", "diag_code", "diag_name", "maindiag_flag"]),
    (Table::Identity, &["psn_no", "psn_idet_type", "begntime", "endtime"]),
    (Table::SpecialCase, &["mdtrt_id"]),
];

/// Columns of fee lines that are read as texts because hardly two lines have the same. The others are read as codes, a place
/// in a list of the texts there are, and netted, compared, grouped and looked up as such.
const SPELLED_OUT: &[&str] = &["feedetl_sn", "init_feedetl_sn", "drug_trac_codg"];

/// Those of a table's columns that are read as codes.
#[must_use]
pub fn coded(table: Table) -> Vec<&'static str> {
    if table != Table::FeeDetail {
        return Vec::new();
    }
    let texts = table.columns().iter().filter(|column| column.kind.data_type() == DataType::Utf8);
    texts.map(|column| column.name).filter(|name| !SPELLED_OUT.contains(name)).collect()
}

/// What a finding about a line, its money and its place say.
const OF_TRACED: &[(Table, &[&str])] = &[
    (
        Table::FeeDetail,
        &[
            "feedetl_sn",
            "mdtrt_id",
            "setl_id",
            "psn_no",
            "fixmedins_code",
            "fee_ocur_time",
            "hilist_code",
            "det_item_fee_sumamt",
            "fulamt_ownpay_amt",
            "overlmt_selfpay",
            "preselfpay_amt",
            "inscp_amt",
            "drug_trac_codg",
        ],
    ),
    (
        Table::Settlement,
        &[
            "setl_id",
            "mdtrt_id",
            "setl_time",
            "insutype",
            "insu_admdvs",
            "medfee_sumamt",
            "fulamt_ownpay_amt",
            "overlmt_selfpay",
            "preselfpay_amt",
            "inscp_amt",
            "hifp_pay",
        ],
    ),
];

/// Columns of the traced lines and of their settlements that wait for these plans, which ask across persons; as few as will
/// do, for they are kept until the end of a run.
#[must_use]
pub fn traced<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> BTreeMap<Table, Vec<&'static str>> {
    let reads: BTreeSet<&str> = plans.into_iter().flat_map(|p| &p.reads).map(|(_, column)| column.as_str()).collect();
    let of_table = |(table, always): &(Table, &[&str])| {
        let names = table.columns().iter().map(|column| column.name);
        (*table, names.filter(|name| always.contains(name) || reads.contains(name)).collect())
    };
    OF_TRACED.iter().map(of_table).collect()
}

/// Columns to read for these plans, in the order of the tables' schemas.
#[must_use]
pub fn needed<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> BTreeMap<Table, Vec<&'static str>> {
    let mut wanted: BTreeMap<Table, BTreeSet<&str>> =
        ALWAYS.iter().map(|(table, columns)| (*table, columns.iter().copied().collect())).collect();
    for (view, column) in plans.into_iter().flat_map(|p| &p.reads) {
        let tables: &[Table] = match view {
            View::Line | View::PaidLine | View::RawLine => &[Table::FeeDetail, Table::Encounter],
            View::Fill | View::Trace => &[Table::FeeDetail],
            View::Diagnosis => &[Table::Diagnosis, Table::Encounter],
            View::Presence => &[Table::Presence, Table::Encounter],
            View::Settlement | View::RawSettlement => &[Table::Settlement, Table::Encounter],
            View::Encounter | View::Stay | View::Transfer => &[Table::Encounter],
        };
        for table in tables {
            if table.position(column).is_some() {
                wanted.entry(*table).or_default().insert(column);
            }
        }
        let of_others: &[(Table, &'static str)] = match (view, column.as_str()) {
            (View::Line | View::PaidLine | View::Encounter, "fund_pay_sumamt" | "visit_fund_pay_sumamt") => {
                &[(Table::Settlement, "fund_pay_sumamt")]
            }
            (View::Line | View::PaidLine, "stay_departments") | (View::Stay, "departments") => {
                &[(Table::Encounter, "adm_dept_codg"), (Table::Encounter, "dscg_dept_codg")]
            }
            (View::Line | View::PaidLine, "acct_pay") => &[(Table::Settlement, "acct_pay")],
            (View::Settlement, "psn_insu_date") => &[(Table::Person, "psn_insu_date")],
            (View::Settlement, "paus_insu_date") => &[(Table::Person, "paus_insu_date")],
            (View::Trace, _) => &[(Table::FeeDetail, "drug_trac_codg")],
            (View::Presence, _) => &[(Table::Presence, "mdtrt_id"), (Table::Presence, "check_time")],
            _ => &[],
        };
        for (table, column) in of_others {
            wanted.entry(*table).or_default().insert(column);
        }
        let supplied = matches!(view, View::Line | View::PaidLine) && matches!(column.as_str(), "days" | "days_given");
        if supplied || *view == View::Fill {
            let of = wanted.entry(Table::FeeDetail).or_default();
            of.extend(["prd_days", "cnt_prcunt", "spec", "sin_dos_dscr", "used_frqu_dscr", "list_type"]);
        }
    }
    wanted
        .into_iter()
        .map(|(table, names)| {
            (table, table.columns().iter().map(|c| c.name).filter(|name| names.contains(name)).collect())
        })
        .collect()
}
