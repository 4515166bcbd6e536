//! Cases (疑点处理): the life of a finding after the machine has found it, as the national procedure asks: 初审, 告知 and 申诉
//! with a deadline, 复审, 再申诉 and 合议, 调查核实, 处理, 执行, 结案.
//!
//! Goes in: a [`Case`], a [`Command`], who gives it, when, and the [`Procedure`] of the place (time limits, working days, coded
//! reasons). Comes out: the case after it and the [`Step`] that says what happened, or a [`Refusal`] that says why not and what
//! can be done. What may follow what is a table, [`TABLE`]; whatever is not in it does not happen.
//!
//! What holds for every case, whatever is asked of it:
//! - status is apart from outcome: where the case is, and what has been concluded about the fact;
//! - who has judged a case once (初审, 复审, 合议, 调查核实, 处理, 核销) never judges it again, not even after it was reopened;
//! - `found` = `standing` + withdrawn; 0 ≤ `recovered` ≤ `decided` ≤ `standing`, 0 ≤ `damages_recovered` ≤ `damages`;
//! - every step counts the version on by one, and time never goes back.
//!
//! Deliberately unknown here: databases, files, clocks, who may log in.
//!
//! To add a step: a word in [`Action`] with its row in [`TABLE`] and its effect in `life`. To add a status: a word in
//! [`Status`], its time limit in `Status::limit`, its rows. Old words are never renamed: databases hold them.

mod calendar;
pub mod document;
mod life;
mod procedure;
mod refusal;
pub mod scorecard;
mod table;
mod words;

use rust_decimal::Decimal;

pub use calendar::{Calendar, Gap, Special};
pub use life::{apply, scanned};
pub use procedure::{Fault, NUMBERS, Procedure, Reason};
pub use refusal::Refusal;
pub use table::{BY_SCANS, TABLE, Transition, When, possible};
pub use words::{Action, Actor, Measure, Outcome, Role, Status};

/// A finding at work.
///
/// `certain`, `region` and `fixmedins_code` are the finding's own and are only read here; the rest changes by steps alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub finding_id: String,
    pub status: Status,
    pub outcome: Outcome,
    /// What the decision orders; empty before it. Kept as one text: [`Measure::names`].
    pub measures: Vec<Measure>,
    /// Counts the steps.
    pub version: i64,
    /// Who is to work on it.
    pub assignee: Option<String>,
    /// Last day of the present status, if it has a time limit: days since 1970-01-01.
    pub deadline: Option<i32>,
    /// Fund money at stake as the machine found it (the finding's `allocated`), until the facility was told.
    pub found: Decimal,
    /// What of it is still asserted.
    pub standing: Decimal,
    /// What of it the decision takes back: not paid (拒付) or claimed back (追回).
    pub decided: Decimal,
    /// Liquidated damages (违约金) of the decision.
    pub damages: Decimal,
    /// What of `decided` has been deducted or paid back.
    pub recovered: Decimal,
    /// What of `damages` has come in.
    pub damages_recovered: Decimal,
    /// The fact came back after it was closed or no longer found; the old decision stands beside it.
    pub seen_again: bool,
    /// Whether the last scan that looked still found it.
    pub present: bool,
    /// Names of those who have judged it, in their order: none judges again. The first is the first reviewer (初审).
    pub judges: Vec<String>,
    /// Time of the last step; of the case's opening before the first.
    pub changed_at: String,
    /// 明确违规: may be put to the facility without 初审.
    pub certain: bool,
    /// `admdvs` of the facility's bureau, for time limits.
    pub region: Option<String>,
    pub fixmedins_code: Option<String>,
}

/// What was done to a case, once and for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub finding_id: String,
    /// 1, 2, … within the case: the case's version after it.
    pub seq: i64,
    /// Civil local time, `2026-11-22T15:40:12`.
    pub at: String,
    /// Who did it: [`Actor::name`].
    pub actor: String,
    pub action: Action,
    pub from: Status,
    pub to: Status,
    /// The outcome after the step.
    pub outcome: Outcome,
    /// Coded reason, where money is withdrawn: a code of `audit_rules/procedure/reasons.csv`.
    pub reason_code: Option<String>,
    pub reason: String,
    /// Fund money before and after: what [`Action::money`] names (`standing`, `decided`, `recovered`, `found`).
    pub before: Decimal,
    pub after: Decimal,
    /// Liquidated damages that this step ordered or took in.
    pub damages: Decimal,
    /// The deadline that the step set.
    pub deadline: Option<i32>,
    pub attachments: Vec<Attachment>,
}

/// A document that belongs to a step, by its hash: the file itself is kept where the bureau keeps files.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attachment {
    pub name: String,
    /// Hex.
    pub sha256: String,
    pub bytes: u64,
}

/// What is asked of a case, with what must be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub act: Act,
    pub reason_code: Option<String>,
    pub reason: String,
    pub attachments: Vec<Attachment>,
}

/// What is asked, with its numbers. Each is an [`Action`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// 分派: give it to somebody; a new case thereby comes to 初审.
    Assign { to: String },
    /// 初审成立: the facility is told and may appeal. `standing`: what is asserted, where that is less than all.
    Notify { standing: Option<Decimal> },
    /// 初审排除.
    Dismiss,
    /// 转调查核实.
    Investigate,
    /// 机构认可.
    Accept,
    /// 申诉; after 复审, 再申诉.
    Appeal,
    /// 逾期未申诉，视为认可.
    Expire,
    /// 维持. `panel`: who sits in it, for 合议.
    Uphold { panel: Vec<String> },
    /// 部分维持: so much still stands.
    Partly { standing: Decimal, panel: Vec<String> },
    /// 撤销.
    Revoke { panel: Vec<String> },
    /// 处理决定. `fund`: what is taken back; none: all that stands, where 拒付 or 追回 is among the measures.
    Decide { measures: Vec<Measure>, fund: Option<Decimal>, damages: Decimal },
    /// 执行: so much was deducted or came in, now.
    Recover { fund: Decimal, damages: Decimal },
    /// 结案; with money outstanding it is 核销, and needs somebody who has not judged the case.
    Close,
    /// 重新审查, of what was dismissed or revoked.
    Reopen,
    /// The machine finds other money.
    Change { found: Decimal },
    /// The machine finds it again.
    SeenAgain,
    /// The machine no longer finds it.
    Gone,
}

/// What a scan says of a finding that it has looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is there, with so much money at stake (`allocated`); the scan before said `before`.
    There { before: Decimal, now: Decimal },
    /// Its persons were looked at and it is not there.
    Gone,
}
