//! Rules: `audit_rules/` → a [`RuleSet`], or every mistake at once.
//!
//! Goes in: the files of a rule library, from a folder or built into the binary. Comes out: rules whose texts are parsed
//! and whose names are checked, parameters, knowledge, and a hash that says which library it was. Deliberately unknown
//! here: claims, plans, how a rule is run. A rule is data; what its words mean is the engine's business.
//!
//! To add a word to the language: a field in [`Find`], its reading in `file`, its meaning in `engine::run`, its paragraph
//! in `audit_rules/README.md`.

pub mod book;
pub mod decisions;
pub mod exemption;
pub mod expression;
mod file;
pub mod knowledge;
pub mod library;
pub mod parameters;

use std::collections::BTreeMap;

pub use decisions::{Decision, Decisions};
pub use exemption::{Exemption, Exemptions};
pub use expression::Expression;
pub(crate) use file::{at_line, hex};
pub use file::{load, parameter};
pub use knowledge::Knowledge;
pub use library::Files;
pub use parameters::Parameter;

use crate::model::View;

/// A rule library, read and checked.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// By code.
    pub rules: Vec<Rule>,
    pub parameters: BTreeMap<String, Parameter>,
    pub knowledge: BTreeMap<String, Knowledge>,
    /// Tables that were brought along for this run and stand in for the library's own, by name.
    pub brought: Vec<Brought>,
    /// What a review decides because of findings.
    pub decisions: Decisions,
    /// Hash of all files but the decisions, hex; of brought tables, not of those they stand in for.
    pub hash: String,
}

/// A knowledge table from outside the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    pub table: String,
    pub file: String,
    pub rows: usize,
    /// Hash of its text, hex.
    pub hash: String,
}

/// One audit rule.
#[derive(Debug, Clone)]
pub struct Rule {
    pub code: String,
    /// Counts the texts that this rule has had: a change that is merged is a new version. 1 where the file says nothing.
    pub version: u32,
    /// = the file's stem.
    pub name: String,
    pub title: String,
    pub title_en: String,
    pub status: Status,
    /// 明确违规 or 可疑.
    pub result: String,
    /// high, medium or low.
    pub severity: String,
    pub stages: Vec<String>,
    /// Numbers in the national list; empty: not listed there.
    pub national: Vec<i64>,
    pub since: Option<i32>,
    /// Days of service that it speaks about, both included.
    pub in_force: (Option<i32>, Option<i32>),
    pub why: String,
    pub basis: Vec<Basis>,
    pub may_be_right_when: Vec<String>,
    pub blind_spots: Vec<String>,
    /// Readings taken where the meaning could be read in two ways.
    pub reads: Vec<String>,
    pub find: Find,
    pub says: Says,
    /// Path below `audit_rules/`.
    pub file: String,
    /// The file's text, for carets.
    pub source: String,
    /// Hash of the file, hex.
    pub hash: String,
}

impl Rule {
    /// The family, `BIL` of `BIL103`.
    #[must_use]
    pub fn family(&self) -> &str {
        self.code.get(..3).unwrap_or(&self.code)
    }
}

/// How far a rule has come; only trial and stable ones run by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Draft,
    Trial,
    Stable,
    Retired,
}

impl Status {
    /// The word in a rule file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::Trial => "trial",
            Status::Stable => "stable",
            Status::Retired => "retired",
        }
    }
}

/// Law and article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    pub law: String,
    pub article: String,
}

/// What a rule looks for; see `audit_rules/README.md` for each word.
#[derive(Debug, Clone)]
pub struct Find {
    pub view: View,
    pub with: Vec<With>,
    /// In the order of the file; later ones may use earlier ones.
    pub lets: Vec<(String, Expression)>,
    pub about: Option<Expression>,
    /// Without one of these a row is not evaluated.
    pub needs: Vec<Expression>,
    pub totals: Vec<Total>,
    pub matches: Vec<Match>,
    pub sequence: Option<Sequence>,
    /// Name in the key and expression.
    pub per: Vec<(String, Expression)>,
    pub measure: Vec<(String, Expression)>,
    pub unless: Vec<Expression>,
    pub not_evaluated_when: Vec<(Expression, String)>,
    pub condition: Expression,
    pub violating: Option<Expression>,
    pub involved: Option<Expression>,
    pub lines_of: Option<(LinesOf, Expression)>,
    pub amount: Expression,
    /// False where the amount is not the fund's money.
    pub fund_money: bool,
    pub key: Vec<(String, Expression)>,
}

/// Knowledge that rows are joined with.
#[derive(Debug, Clone)]
pub struct With {
    pub name: String,
    pub table: String,
    /// Column of the view that is looked up.
    pub by: String,
    /// Rows without a match stay, with `name.found` = false.
    pub optional: bool,
    /// Column of the view that the table's `region` must fit.
    pub region: Option<String>,
    /// Column of the view that the table's `level` must equal.
    pub level: Option<String>,
    /// Pair tables: the column of the other side; the row is looked up as A and as B.
    pub other_side: Option<String>,
    /// Column of the table that is looked up, instead of `code`.
    pub column: Option<String>,
    /// Columns in which the table's row and the view's row must be equal.
    pub same: Vec<String>,
}

/// Aggregates over the rows that share something, put on every one of them.
#[derive(Debug, Clone)]
pub struct Total {
    pub name: String,
    pub per: Vec<Expression>,
    pub measure: Vec<(String, Expression)>,
}

/// Other rows of the same person.
#[derive(Debug, Clone)]
pub struct Match {
    pub name: String,
    pub view: View,
    /// Columns that must be equal; `psn_no` always is.
    pub on: Vec<String>,
    pub when: Expression,
    /// Every matching row makes a unit of its own.
    pub each: bool,
    pub look_back_days: Option<Expression>,
}

/// Rows in order.
#[derive(Debug, Clone)]
pub struct Sequence {
    pub per: Vec<Expression>,
    pub by: Vec<Expression>,
    /// Columns of the row before, as `previous.column`.
    pub previous: Vec<String>,
    /// Columns of the run's first row, as `first.column`.
    pub first: Vec<String>,
    pub stack: Option<Stack>,
    pub rank: Option<Rank>,
    pub rolling: Option<Rolling>,
}

/// The place of a row's value among the distinct values of its run: 1, 2, …
#[derive(Debug, Clone)]
pub struct Rank {
    pub name: String,
    pub of: Expression,
}

/// A sum over the rows up to this one whose day differs by less than a number of days.
#[derive(Debug, Clone)]
pub struct Rolling {
    pub name: String,
    pub sum: Expression,
    pub day: Expression,
    pub days: Expression,
}

/// Supplies laid end to end.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Name of the resulting column: what is still in hand when the row begins.
    pub name: String,
    pub from: String,
    pub days: String,
}

/// Whose lines carry a finding's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinesOf {
    Stay,
    Settlement,
    Encounter,
}

/// What a finding says.
#[derive(Debug, Clone)]
pub struct Says {
    /// Text and expressions in turn.
    pub finding: Vec<Part>,
    /// Name shown and expression.
    pub evidence: Vec<(String, Expression)>,
    pub severity: Option<Expression>,
    pub result: Option<Expression>,
}

/// A piece of a message.
#[derive(Debug, Clone)]
pub enum Part {
    Text(String),
    Value(Box<Expression>),
}
