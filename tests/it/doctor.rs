//! What `doctor` says of the rules before anything is audited: what could run, what cannot, and for want of which column.
//!
//! Goes in: the headers of a small export. Comes out: the columns that a rule misses. To add a story: the columns a bureau
//! left out, and the rule that does or does not need them.

use fundaudit::operations::doctor::{Readiness, doctor};
use fundaudit::operations::library::Origin;

use crate::ingest::Export;

const FEES: &str =
    "feedetl_sn,mdtrt_id,psn_no,fixmedins_code,fee_ocur_time,hilist_code,cnt,pric,det_item_fee_sumamt,inscp_amt";
const SETTLEMENTS: &str = "setl_id,mdtrt_id,psn_no,fixmedins_code,setl_time,medfee_sumamt";

/// What is said of a rule when fee lines and settlements have these columns besides the usual ones.
fn readiness(rule: &str, of_fees: &str, of_settlements: &str) -> Readiness {
    let export = Export::new()
        .with("fee_detail.csv", format!("{FEES}{of_fees}\n"))
        .with("settlement.csv", format!("{SETTLEMENTS}{of_settlements}\n"))
        .with("encounter.csv", "mdtrt_id,psn_no,fixmedins_code,med_type,begntime,endtime\n")
        .with("facility.csv", "fixmedins_code,hosp_lv,admdvs\n");
    let diagnosis = doctor(&[export.path()], None, Origin::default()).unwrap_or_else(|e| panic!("{e}"));
    diagnosis.rules.into_iter().find(|r| r.code == rule).unwrap()
}

fn missing(rule: &str, of_fees: &str, of_settlements: &str) -> Vec<String> {
    readiness(rule, of_fees, of_settlements).missing
}

#[test]
fn fund_parts_that_count_as_nothing_are_not_missed() {
    let found = readiness("REC102", "", ",hifp_pay,fund_pay_sumamt,acct_pay,cash_payamt");
    assert_eq!(found.missing, [""; 0]);
    for part in ["settlement.cvlserv_pay", "settlement.maf_pay", "settlement.ownpay_hosp_part"] {
        assert!(found.sharper_with.iter().any(|s| s == part), "{part}: {:?}", found.sharper_with);
    }
}

#[test]
fn one_identity_that_can_be_looked_at_is_enough_and_none_is_not() {
    assert_eq!(missing("REC102", "", ",hifp_pay,fund_pay_sumamt"), [""; 0], "the funds add up, or not");
    assert_eq!(missing("REC102", "", ",fund_pay_sumamt,acct_pay,cash_payamt"), [""; 0], "so does the whole");
    let none = missing("REC102", "", ",fund_pay_sumamt,acct_pay");
    for column in ["settlement.hifp_pay", "settlement.cash_payamt", "settlement.inscp_amt"] {
        assert!(none.iter().any(|s| s == column), "{column}: {none:?}");
    }
    assert!(!none.iter().any(|s| s == "settlement.maf_pay"), "to have it would mend nothing: {none:?}");
}

#[test]
fn without_trace_codes_nobody_can_say_that_one_was_sold_twice() {
    assert_eq!(missing("IDN103", "", ""), ["fee_detail.drug_trac_codg"]);
    assert_eq!(missing("IDN103", ",drug_trac_codg", ""), [""; 0]);
}

#[test]
fn a_price_is_needed_and_a_ceiling_on_the_line_is_not() {
    let found = readiness("BIL106", "", "");
    assert_eq!(found.missing, [""; 0], "the price list is still there");
    assert!(found.sharper_with.iter().any(|s| s == "fee_detail.pric_uplmt_amt"), "{:?}", found.sharper_with);
    assert_eq!(missing("MED101", "", ""), ["fee_detail.list_type", "fee_detail.prd_days / fee_detail.spec"]);
    assert_eq!(missing("MED101", ",list_type,prd_days", ""), [""; 0], "a visit without a diagnosis is judged, too");
}
