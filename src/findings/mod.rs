//! Findings: facts that somebody must answer.
//!
//! Goes in: hits (rows that the engine matched) and coverage counts. Comes out: an [`Outcome`]: findings with a stable
//! identity, their lines of kind 1 and 2, money counted once, coverage with three answers. Deliberately unknown here:
//! rules' expressions, files, how anything is shown.

use rust_decimal::Decimal;

/// One suspected violation, with the columns of `findings.*`, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Hash of rule code and key: the same fact has the same id on every run.
    pub finding_id: String,
    pub rule_code: String,
    pub rule_name: String,
    pub rule_title: String,
    pub rule_hash: String,
    /// 明确违规 or 可疑.
    pub result: String,
    /// high, medium or low.
    pub severity: String,
    /// What the rule's unit is: line, settlement, stay, stay pair, group …
    pub unit: String,
    /// JSON object of the key columns.
    pub key: String,
    pub psn_no: Option<String>,
    pub mdtrt_id: Option<String>,
    pub setl_id: Option<String>,
    pub feedetl_sn: Option<String>,
    pub fixmedins_code: Option<String>,
    /// First and last day of the fact, `YYYY-MM-DD`.
    pub from_day: Option<String>,
    pub until_day: Option<String>,
    /// Yuan at stake by this rule alone, to the cent.
    pub amount: Decimal,
    /// Yuan of it that no other finding counts, to the cent.
    pub allocated: Decimal,
    /// Yuan of fund money probably lost, where the settlement says its share.
    pub fund_loss_est: Option<Decimal>,
    /// At most 500 characters, Chinese.
    pub message: String,
    /// At most 500 characters: law and article.
    pub basis: String,
    /// JSON object: every value the condition used, each parameter with its source.
    pub evidence: String,
    /// Identifier of the exemption that covers it, if one does.
    pub exempted_by: Option<String>,
    /// False where `amount` is not the fund's money (RAT101 and the like): shown apart, never added in.
    pub fund_money: bool,
}

/// A line of a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingLine {
    pub finding_id: String,
    pub mdtrt_id: String,
    pub feedetl_sn: String,
    /// 1 violating (违规项), 2 involved (涉及项).
    pub kind: u8,
    /// Yuan of the finding's amount that this line carries; the line's `inscp_amt` for kind 2.
    pub amount: Decimal,
}

/// What one rule could say about one facility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    pub rule_code: String,
    /// Empty where the unit has no facility.
    pub fixmedins_code: String,
    /// Units answered: hit or clean.
    pub evaluated: u64,
    pub hit: u64,
    /// Hits covered by an exemption; still counted in `hit`.
    pub exempted: u64,
    pub not_evaluated: u64,
    /// Why, with counts: `缺少 gend 12；缺少 brdy 3`.
    pub reason: String,
}

/// Everything an audit found, in the order in which it is written: findings by rule code and key.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub findings: Vec<Finding>,
    pub lines: Vec<FindingLine>,
    pub coverage: Vec<Coverage>,
}

pub mod assemble;
mod exempt;
pub mod stale;

pub use assemble::{Assembled, Covered, RuleFacts, assemble, assemble_told, finding_id, precedence};
pub use stale::{Stale, StaleValue, stale};
