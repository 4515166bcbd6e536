//! Messages: what a hospital's system asks before a settlement is paid, and what it is answered.
//!
//! Goes in: the bytes of a message, the national 3101 (明细审核事前), 3102 (事中) and 3103 (反馈) or our own JSON. Comes out:
//! [`Asked`]: rows of the platform's tables, as ingest would have made them of a file, or what a doctor did about a
//! reminder; and, the other way, the JSON of an answer from findings. Deliberately unknown here: sockets, the clock, who may
//! ask, the rules' meaning, how a review is made. Time and the ids of answers come in by argument ([`Stamp`]).
//!
//! Vendors differ, and the message is read as they write it: two vocabularies of field names, a list or a single object,
//! numbers as text, `""`, `"-"` and `null` for nothing, days in several forms, fields that nobody knows. What cannot be read
//! is listed in [`ReviewAsked::unread`] and its column is empty, so that a rule which needs it answers *not evaluated*; a
//! message of which nothing can be read is [`Refused`], with a sentence that says what to write. No message panics.
//!
//! A person's name and certificate number are not read at all; `Debug` of what was read shows counts, and no note holds a
//! value.
//!
//! To add a field: a name in `fields`, or a column of the model. To add a form of message: a file beside `national`.

mod answer;
mod codes;
mod fields;
mod json;
mod national;
mod own;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arrow::array::RecordBatch;
use hashbrown::HashSet;

pub use answer::{Answered, Claim, NotEvaluated, Stamp, acknowledge, answer, jr_id, own_answer, own_refusal, refuse};
pub use codes::{Chosen, Codes};
pub use fields::{Field, fields_of};
pub use national::{LISTS, REASON, request, request_to};
pub use own::{PARTS, SHARED, own, rows};

use crate::model::Table;

/// How much of a message is read.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of the body.
    pub bytes: usize,
    /// Lists and objects inside each other.
    pub depth: usize,
    /// Values in all, lists and objects counted too.
    pub values: usize,
    /// Bytes of one text; longer ones are not read.
    pub text: usize,
    /// Patients of one national message; claims of one of ours.
    pub patients: usize,
    /// Encounters of one message.
    pub encounters: usize,
    /// Diagnoses of one message, and operations.
    pub diagnoses: usize,
    /// Orders or fee lines of one message.
    pub orders: usize,
    /// Warnings that one 3103 answers.
    pub warnings: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes: 8 << 20,
            depth: 24,
            values: 400_000,
            text: 12_000,
            patients: 200,
            encounters: 1_000,
            diagnoses: 10_000,
            orders: 10_000,
            warnings: 1_000,
        }
    }
}

/// Which message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Infno {
    /// 3101 明细审核事前分析.
    Before,
    /// 3102 明细审核事中分析.
    During,
    /// 3103 明细审核反馈.
    Feedback,
}

impl Infno {
    /// The number in the message.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Infno::Before => "3101",
            Infno::During => "3102",
            Infno::Feedback => "3103",
        }
    }
}

/// When the review happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// 前: while an order is written.
    Before,
    /// 中: a settlement is about to be made or paid.
    During,
}

/// In whose words the message was written, and so is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// `patn_id`, `rx_id`, `dise_codg`.
    #[default]
    National,
    /// The newer national words, the platform's own: `psn_no`, `feedetl_sn`, `diag_code`.
    NationalNewer,
    /// Our own JSON.
    Own,
}

/// Bytes of a message in which a hint is looked for.
const BEGINNING: usize = 4_096;

/// Whom a message is probably about, before it is read: the first `psn_no` or `patn_id` of its beginning. A guess, to get
/// ready by; nothing is to be answered because of it.
#[must_use]
pub fn person_hint(body: &[u8]) -> Option<String> {
    let body = &body[..body.len().min(BEGINNING)];
    let names: [&[u8]; 2] = [b"\"psn_no\"", b"\"patn_id\""];
    let behind = |name: &[u8]| body.windows(name.len()).position(|part| part == name).map(|at| at + name.len());
    let begin = names.into_iter().filter_map(behind).min()?;
    let value = body[begin..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let value = &value[..value.iter().position(|byte| *byte == b'"')?];
    std::str::from_utf8(value).ok().filter(|person| !person.is_empty()).map(str::to_owned)
}

/// What a message asks.
#[derive(Debug)]
pub enum Asked {
    Review(Box<ReviewAsked>),
    Feedback(Feedback),
}

/// A review that is asked for.
pub struct ReviewAsked {
    pub form: Form,
    pub stage: Stage,
    /// The sender's id of the message.
    pub msgid: Option<String>,
    /// The same task is answered the same way.
    pub task_id: Option<String>,
    pub syscode: Option<String>,
    /// When in the hospital's work the question is asked; it chooses the rules ([`Codes::chosen`]).
    pub trig_scen: Option<String>,
    /// Rules that the vendor names; `trig_scen` goes before them.
    pub rule_ids: Vec<String>,
    /// Who asks, by the envelope; else the one institution of the encounters.
    pub fixmedins_code: Option<String>,
    /// Institutions of what is pending: who asks may ask only for its own.
    pub facilities: BTreeSet<String>,
    /// Region whose policy decides, where the message says it (our own form).
    pub region: Option<String>,
    /// What is pending: rows of the platform's tables with the model's schemas; tables without rows are absent.
    pub tables: BTreeMap<Table, RecordBatch>,
    /// What the message tells of the past: earlier encounters, and orders that are not of this request
    /// (`curr_drord_flag` 0). Same schemas.
    pub context: BTreeMap<Table, RecordBatch>,
    /// Encounters of the message, by `mdtrt_id`: who, and which lines. An answer speaks of no other line.
    pub visits: BTreeMap<String, Visit>,
    /// Fields that could not be read, with place and reason, without their values.
    pub unread: Vec<String>,
}

/// An encounter of a message.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Visit {
    pub psn_no: String,
    /// Their `feedetl_sn`.
    pub lines: HashSet<String>,
}

impl ReviewAsked {
    /// Rows of a table that are pending.
    #[must_use]
    pub fn rows(&self, table: Table) -> usize {
        self.tables.get(&table).map_or(0, RecordBatch::num_rows)
    }
}

impl fmt::Debug for ReviewAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReviewAsked")
            .field("form", &self.form)
            .field("stage", &self.stage)
            .field("trig_scen", &self.trig_scen)
            .field("fixmedins_code", &self.fixmedins_code)
            .field("encounters", &self.rows(Table::Encounter))
            .field("lines", &self.rows(Table::FeeDetail))
            .field("unread", &self.unread.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Visit({} lines)", self.lines.len())
    }
}

/// What a doctor did about reminders: 3103.
#[derive(Clone, PartialEq, Eq)]
pub struct Feedback {
    pub msgid: Option<String>,
    pub task_id: Option<String>,
    /// Of which stage the reminders were (`warn_type`), where it is said.
    pub stage: Option<Stage>,
    pub fixmedins_code: Option<String>,
    /// Who was at work (`opter`), the sender's code.
    pub opter: Option<String>,
    pub warnings: Vec<Warning>,
}

impl fmt::Debug for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feedback({} warnings)", self.warnings.len())
    }
}

/// One reminder and what became of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Warning {
    /// The `jr_id` of the answer: the rule's code and the finding's id.
    pub warn_rslt_id: String,
    pub done: Done,
    /// Why; always there where the order was kept.
    pub reason: Option<String>,
}

impl Warning {
    /// The rule that reminded, where the id says it.
    #[must_use]
    pub fn rule_code(&self) -> Option<&str> {
        answer::of_jr_id(&self.warn_rslt_id).0
    }

    /// The finding that the reminder was about.
    #[must_use]
    pub fn finding_id(&self) -> &str {
        answer::of_jr_id(&self.warn_rslt_id).1
    }
}

/// What was done about a reminder (`dspo_way`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// 1 继续执行医嘱.
    Kept,
    /// 2 返回修改医嘱.
    Changed,
}

impl Done {
    /// The code in the message.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Done::Kept => "1",
            Done::Changed => "2",
        }
    }
}

/// Why a message is not answered, in words that its sender can act on; no value of the message is among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub why: Why,
    /// Chinese, without full stop.
    pub said: String,
    /// The sender's id of the message, where it could be read.
    pub msgid: Option<String>,
}

/// The kind of refusal, so that a face can choose its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// More bytes, values or levels than are read.
    TooLarge,
    /// The bytes are no JSON object.
    NotJson,
    /// A message that is not one of ours.
    NotOurs,
    /// JSON, of which nothing that matters could be read.
    Unreadable,
}

impl Refused {
    pub(crate) fn new(why: Why, said: impl Into<String>) -> Refused {
        Refused { why, said: said.into(), msgid: None }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Refused {}
