//! The store: findings that live on between audits, the work on them, and the record of the nights.
//!
//! Goes in: what a scan found, steps of people at work, records of scans and files. Comes out: findings with their cases,
//! lists, sums, scorecards. One trait, [`Store`], in the words of the field; behind it one text of SQL that two databases
//! understand: SQLite in a file (the default, nothing to install) and PostgreSQL (for several workstations). A new way of
//! asking is a method of the trait and its SQL; a further database is a `Session` (`database.rs`) and nothing else.
//!
//! What is kept is never deleted. A fact has one row, whatever the number of scans that met it: the same `finding_id` is the
//! same fact. What a scan says about a fact that is kept already is a [`What`]: it is new, it changed (before and after are
//! kept), it was seen again after somebody had done with it (the old decision stays beside it), it is no longer found. Facts
//! that came out the same leave no trace but the scan that met them last.
//!
//! Money is kept as whole cents, days as days since 1970-01-01, times as the civil texts that came in (`2026-11-22T15:40:12`);
//! nobody here asks what time it is. Whole person numbers are kept, because inspectors join on them: whoever shows something
//! masks it ([`crate::report::masked`]).
//!
//! Deliberately unknown here: which step may follow which (`cases`), what a rule means, files of findings.

mod database;
mod filter;
mod finding;
mod merge;
mod night;
mod postgres;
mod schema;
mod sql;
mod sqlite;
mod work;

pub mod backup;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rust_decimal::Decimal;

use crate::cases::scorecard::Counts;
use crate::cases::{Action, Case, Outcome, Status, Step};
use crate::findings::{Finding, FindingLine};

/// A finding as a scan hands it over: with its lines, and the persons whom any of its lines concerns.
pub type Found = (Finding, Vec<FindingLine>, Vec<String>);

/// Where findings are kept. Every method is one transaction: it happens as a whole or not at all, and what it returned from
/// is on the disk. Methods wait for the database: from asynchronous code, call them on a thread that may wait.
pub trait Store: Send + Sync {
    /// Writes down that a scan began. A scan that was begun already is left as it is.
    ///
    /// # Errors
    /// The database.
    fn scan_begin(&self, scan: &ScanRecord) -> Result<(), Error>;

    /// Merges what a scan found, in one transaction with the scan's record, its files and what it wants remembered.
    ///
    /// Findings that are kept and that were not found are *no longer found* where the scan would have seen them: all of them
    /// under [`Scope::Everyone`], under [`Scope::Persons`] those whose persons all are in the scope; a finding without any
    /// person is known to be gone only to a scan of everyone. `found` names a `finding_id` once.
    ///
    /// A scan is merged once: merged again under the same id, it changes nothing and answers as it did the first time.
    ///
    /// # Errors
    /// The database; [`Error::Held`] when the scan's lease went to another.
    fn merge(
        &self,
        scan: &ScanRecord,
        found: &mut dyn Iterator<Item = Found>,
        scope: &Scope,
        at: &str,
    ) -> Result<Merged, Error>;

    /// Writes down that a scan ended, well or not, with what it wants to be read later (JSON).
    ///
    /// # Errors
    /// The database, or a scan that did not begin.
    fn scan_end(&self, scan_id: &str, end: End, record: &str, at: &str) -> Result<(), Error>;

    /// The last scans, the newest first.
    ///
    /// # Errors
    /// The database.
    fn scans(&self, last: u32) -> Result<Vec<Scan>, Error>;

    /// One scan.
    ///
    /// # Errors
    /// The database.
    fn scan(&self, scan_id: &str) -> Result<Option<Scan>, Error>;

    /// What became of a file with this content, if it was ever taken or set aside.
    ///
    /// # Errors
    /// The database.
    fn file(&self, sha256: &str) -> Result<Option<FileTaken>, Error>;

    /// Writes files down. One whose content is known already is left as it is, unless it was set aside.
    ///
    /// # Errors
    /// The database.
    fn take_files(&self, files: &[FileTaken]) -> Result<(), Error>;

    /// The files of a scan in order of their names; all files without one.
    ///
    /// # Errors
    /// The database.
    fn files(&self, scan_id: Option<&str>) -> Result<Vec<FileTaken>, Error>;

    /// Keeps a small value under a name.
    ///
    /// # Errors
    /// The database.
    fn remember(&self, name: &str, value: &str) -> Result<(), Error>;

    /// The value under a name.
    ///
    /// # Errors
    /// The database.
    fn recall(&self, name: &str) -> Result<Option<String>, Error>;

    /// Takes the lease of this name, for so many seconds from `now` unless a heartbeat comes. A lease that its owner let
    /// lapse is taken over; the same owner may take it anew, so two that are at work never have the same name. Who may not have
    /// it is told at once, also while a merge writes. A heartbeat has to wait for a merge in SQLite: let a lease last longer than the
    /// longest of them, and take [`Error::Busy`] for what it says, not for a loss.
    ///
    /// # Errors
    /// [`Error::Held`] names who has it; the database.
    fn lease(&self, name: &str, owner: &str, now: &str, seconds: u32) -> Result<Lease, Error>;

    /// Says that the owner is still at work.
    ///
    /// # Errors
    /// [`Error::Held`] when the lease went to another; the database.
    fn heartbeat(&self, lease: &Lease, now: &str) -> Result<(), Error>;

    /// Gives a lease back. One that went to another is left with him.
    ///
    /// # Errors
    /// The database.
    fn release(&self, lease: &Lease) -> Result<(), Error>;

    /// Findings that a filter lets pass, a page of them, with how many there are in all.
    ///
    /// # Errors
    /// The database.
    fn list(&self, filter: &Filter, page: Page) -> Result<Listed, Error>;

    /// Every finding that a filter lets pass, one after the other in order of rule, then finding, with its lines. All are of
    /// one moment, and few are in memory at a time.
    ///
    /// # Errors
    /// The database, or what `take` says.
    fn each(
        &self,
        filter: &Filter,
        take: &mut dyn FnMut(Kept, Vec<FindingLine>) -> Result<(), Error>,
    ) -> Result<(), Error>;

    /// Counts and money of the findings that a filter lets pass, added up by something, the most money first.
    ///
    /// # Errors
    /// The database.
    fn sum(&self, filter: &Filter, by: By) -> Result<Vec<Sum>, Error>;

    /// One finding.
    ///
    /// # Errors
    /// The database.
    fn get(&self, finding_id: &str) -> Result<Option<Kept>, Error>;

    /// The lines of a finding.
    ///
    /// # Errors
    /// The database.
    fn lines(&self, finding_id: &str) -> Result<Vec<FindingLine>, Error>;

    /// What scans said about a finding, the oldest first.
    ///
    /// # Errors
    /// The database.
    fn sightings(&self, finding_id: &str) -> Result<Vec<Sighting>, Error>;

    /// Cases that a filter lets pass, a page of them.
    ///
    /// # Errors
    /// The database.
    fn cases(&self, filter: &Filter, page: Page) -> Result<Vec<Case>, Error>;

    /// Keeps steps and what they made of their cases, all of them or none. Each case must still have the version that was
    /// read before it was worked on.
    ///
    /// # Errors
    /// [`Error::Moved`] names the first case that somebody else has changed; the database.
    fn step(&self, steps: &[(Version, Case, Step)]) -> Result<(), Error>;

    /// How many steps of a kind were taken at a time.
    ///
    /// # Errors
    /// The database.
    fn taken(&self, action: Action, at: &str) -> Result<u64, Error>;

    /// The steps of a case, the oldest first.
    ///
    /// # Errors
    /// The database.
    fn steps(&self, finding_id: &str) -> Result<Vec<Step>, Error>;

    /// What became of the findings of each rule, in order of the rules' codes: plain counts, for
    /// [`crate::cases::scorecard`] to judge.
    ///
    /// # Errors
    /// The database.
    fn scorecard(&self, filter: &Filter) -> Result<Vec<Counts>, Error>;

    /// What the store holds.
    ///
    /// # Errors
    /// The database.
    fn info(&self) -> Result<Info, Error>;

    /// What is wrong with the store: the database's own check, and whether what is kept agrees with itself. Empty: nothing.
    ///
    /// # Errors
    /// The database.
    fn verify(&self) -> Result<Vec<String>, Error>;

    /// Copies everything that is kept, as of one moment, into a file of its own form, which either database takes.
    /// Returns rows by table.
    ///
    /// # Errors
    /// The database or the disk.
    fn dump(&self, to: &mut dyn std::io::Write, made_at: &str) -> Result<BTreeMap<String, u64>, Error>;

    /// Fills an empty store from such a file, in one transaction.
    ///
    /// # Errors
    /// A store that holds something already; a file that is damaged; the database or the disk.
    fn fill(&self, from: &mut dyn std::io::Read) -> Result<BTreeMap<String, u64>, Error>;
}

/// The version of a case as it was read.
pub type Version = i64;

/// Opens the store at `sqlite:PATH` or `postgres://…`; makes it where there is none, and brings an older one up to date.
///
/// # Errors
/// What cannot be opened, with what to try.
pub fn open(url: &str) -> Result<Box<dyn Store>, Error> {
    opened(url, true)
}

/// The same, but a store that is not there is an error: for those who only look.
///
/// # Errors
/// As [`open`].
pub fn open_existing(url: &str) -> Result<Box<dyn Store>, Error> {
    opened(url, false)
}

fn opened(url: &str, make: bool) -> Result<Box<dyn Store>, Error> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(Error::Url { found: url.to_owned() });
        }
        return Ok(Box::new(sql::Sql::of(sqlite::Sqlite::open(std::path::Path::new(path), make)?)?));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Box::new(sql::Sql::of(postgres::Postgres::open(url)?)?));
    }
    Err(Error::Url { found: shown_url(url) })
}

/// A URL without its password, for messages.
#[must_use]
pub fn shown_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // What follows `?` may hold a password too.
    let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(name, _)| name);
            format!("{scheme}://{user}@{host}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

/// What a scan is, when it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanRecord {
    /// Names the scan for ever.
    pub scan_id: String,
    pub started_at: String,
    /// The day to which open stays run.
    pub as_of: i32,
    pub rule_set_hash: String,
    /// Whether everyone was looked at, or only those whose claims changed.
    pub everyone: bool,
    /// Region of facilities that are not in `facilities`: six digits.
    pub region: Option<String>,
    /// What is known about facilities: kept for the names that people read, and for the region of a finding.
    pub facilities: BTreeMap<String, Facility>,
    /// Files that the scan read.
    pub files: Vec<FileTaken>,
    /// Values to remember from the moment on at which the findings are merged.
    pub remember: BTreeMap<String, String>,
    /// The lease under which the scan works: what is found by one who has lost it is not merged.
    pub lease: Option<Lease>,
}

/// A designated facility.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facility {
    pub name: Option<String>,
    /// Its region: six digits.
    pub admdvs: Option<String>,
}

/// Who was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Everyone,
    Persons(BTreeSet<String>),
}

/// How a merge came out.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Merged {
    pub new: u64,
    pub unchanged: u64,
    pub changed: u64,
    pub seen_again: u64,
    pub no_longer_found: u64,
}

/// Where a scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanState {
    /// Begun; what it found is not in the store.
    Running,
    /// What it found is in the store; its report is not yet done.
    Merged,
    Finished,
    Failed,
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Only a scan that was merged can end well.
    Finished,
    Failed,
}

/// A scan as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub scan_id: String,
    pub state: ScanState,
    pub started_at: String,
    pub merged_at: Option<String>,
    pub ended_at: Option<String>,
    pub as_of: i32,
    pub rule_set_hash: String,
    pub everyone: bool,
    pub merged: Option<Merged>,
    /// JSON of the scan's own; empty before the end.
    pub record: String,
}

/// A file that was taken in, or set aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileTaken {
    /// Of its content, in hexadecimal.
    pub sha256: String,
    pub name: String,
    pub bytes: u64,
    pub rows: u64,
    pub taken_at: String,
    pub scan_id: Option<String>,
    /// Why it was set aside; `None`: it was taken.
    pub reason: Option<String>,
}

/// A lease that its owner has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub owner: String,
    /// Grows by one each time the lease changes hands.
    pub number: i64,
}

/// Which findings: all conditions hold at once; an empty list, a `None` asks nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    pub findings: Vec<String>,
    /// Codes, families of three letters, names.
    pub rules: Vec<String>,
    pub facilities: Vec<String>,
    /// Six digits; `370300` has all its counties.
    pub regions: Vec<String>,
    /// Findings with a line of one of these.
    pub persons: Vec<String>,
    pub encounters: Vec<String>,
    /// 明确违规, 可疑.
    pub results: Vec<String>,
    /// high, medium, low.
    pub severities: Vec<String>,
    pub statuses: Vec<Status>,
    pub outcomes: Vec<Outcome>,
    pub assignee: Assigned,
    /// Days of the fact that reach into this period.
    pub from: Option<i32>,
    pub until: Option<i32>,
    /// Cases whose deadline is on this day or before.
    pub due_by: Option<i32>,
    /// Found by the last scan that looked (false: no longer found).
    pub present: Option<bool>,
    pub seen_again: Option<bool>,
    pub exempted: Option<bool>,
    pub fund_money: Option<bool>,
    /// At stake by this rule alone, at least.
    pub at_least: Option<Decimal>,
    /// What a scan said about them.
    pub sighted: Option<(String, What)>,
}

/// Who has a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Assigned {
    #[default]
    Whoever,
    Nobody,
    To(String),
}

/// Part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub skip: u64,
    pub take: u32,
    pub order: Order,
}

impl Default for Page {
    fn default() -> Page {
        Page { skip: 0, take: 100, order: Order::Money }
    }
}

impl Page {
    /// All there is, in this order.
    #[must_use]
    pub fn all(order: Order) -> Page {
        Page { skip: 0, take: u32::MAX, order }
    }
}

/// Order of a list; findings that are equal in it come by their id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The most counted money first.
    Money,
    /// The latest fact first.
    Day,
    /// By rule, then the most money.
    Rule,
    /// By facility, then the most money.
    Facility,
    /// The nearest deadline first; cases without one at the end.
    Due,
    /// What was first seen last, first.
    Newest,
}

/// A finding as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub finding: Finding,
    pub case: Case,
    /// Whom any of its lines concerns, in order.
    pub persons: Vec<String>,
    /// Name of its facility, where a scan knew one.
    pub facility: Option<String>,
    pub first_scan: String,
    pub first_seen_at: String,
    pub last_scan: String,
    pub last_seen_at: String,
}

/// A page of findings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    pub findings: Vec<Kept>,
    /// That the filter lets pass, on this page or not.
    pub total: u64,
}

/// What findings are added up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// All in one.
    Nothing,
    Rule,
    Facility,
    Region,
    Status,
    Outcome,
    /// Of the fact's first day, `2026-03`.
    Month,
    Result,
    Severity,
    Assignee,
}

/// Findings added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    /// Empty where the findings have none.
    pub key: String,
    /// Title of the rule, name of the facility.
    pub title: Option<String>,
    pub findings: u64,
    /// At stake by each rule alone, fund money only; may count a yuan twice.
    pub amount: Decimal,
    /// Each yuan once.
    pub allocated: Decimal,
    pub standing: Decimal,
    pub decided: Decimal,
    pub damages: Decimal,
    pub recovered: Decimal,
    pub damages_recovered: Decimal,
}

/// What a scan said about a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    New,
    /// Money or text differ from what was kept.
    Changed,
    /// Found after somebody had done with it, or after it was no longer found.
    SeenAgain,
    NoLongerFound,
}

/// What a scan said about a fact, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub scan_id: String,
    pub at: String,
    pub what: What,
    /// Column, before, after; of a changed fact.
    pub changes: Vec<Change>,
}

/// A cell that changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Change {
    pub column: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// `SQLite 3.51.1`, `PostgreSQL 15.13`.
    pub database: String,
    pub schema: i64,
    /// Bytes on the disk, where the database tells.
    pub bytes: Option<u64>,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// The last scan that finished.
    pub last_scan: Option<Scan>,
    /// Leases that are out: name, owner, since, last heartbeat.
    pub leases: Vec<Held>,
}

/// Who has a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    pub name: String,
    pub owner: String,
    pub since: String,
    pub heartbeat: String,
}

/// Why the store could not do it.
#[derive(Debug)]
pub enum Error {
    /// No place of a store.
    Url { found: String },
    /// There is no store there.
    Missing { place: String },
    /// Something else is there.
    NotAStore { place: String, found: String },
    /// A later version of the program made it.
    Newer { place: String, found: i64, known: i64 },
    /// Another has the lease.
    Held(Held),
    /// Somebody else has changed the case since it was read.
    Moved { finding_id: String },
    /// No finding, scan or case of this name.
    Unknown { what: &'static str, name: String },
    /// It cannot be done in this state.
    Refused(String),
    /// No space is left.
    Full { doing: String, said: String },
    /// Somebody else is writing, and did not come to an end.
    Busy { doing: String, said: String },
    /// What is kept, or a backup, is not as it was written.
    Damaged { what: String, said: String },
    /// The database said no.
    Database { doing: String, said: String },
    /// The disk said no.
    Disk { doing: String, source: std::io::Error },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Url { found } => {
                write!(f, "`{found}` is no store: wanted `sqlite:PATH` or `postgres://USER@HOST/DATABASE`")
            }
            Error::Missing { place } => {
                write!(f, "there is no store at `{place}`: `fundaudit scan --store …` makes one, or mend the path")
            }
            Error::NotAStore { place, found } => {
                write!(f, "`{place}` is {found}, not a store of findings: nothing was changed, name another place")
            }
            Error::Newer { place, found, known } => write!(
                f,
                "the store at `{place}` has form {found}, this program knows {known}: a later version made it, use that one"
            ),
            Error::Held(held) => write!(
                f,
                "`{}` is held by `{}` since {} (last sign of life {}): wait until it ends, or until its lease lapses",
                held.name, held.owner, held.since, held.heartbeat
            ),
            Error::Moved { finding_id } => write!(
                f,
                "somebody else has changed the case of finding `{finding_id}` since it was read: read it again and decide anew; \
                 nothing was written"
            ),
            Error::Unknown { what, name } => write!(f, "there is no {what} `{name}` in the store"),
            Error::Refused(why) => f.write_str(why),
            Error::Full { doing, said } => write!(
                f,
                "cannot {doing}: no space is left ({said}); nothing of it was written, what was there is intact: free some space \
                 and run it again"
            ),
            Error::Busy { doing, said } => {
                write!(f, "cannot {doing}: another program is writing to the store ({said}); try again when it is done")
            }
            Error::Damaged { what, said } => {
                write!(f, "{what} is damaged: {said}; `fundaudit store verify` says more, a backup is there for this")
            }
            Error::Database { doing, said } => write!(f, "cannot {doing}: {said}"),
            Error::Disk { doing, source } => write!(f, "cannot {doing}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Disk { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A word that databases keep, and the Chinese for it.
macro_rules! words {
    ($of:ty { $($variant:ident $name:literal $title:literal),+ $(,)? }) => {
        impl $of {
            /// All of them, in order.
            pub const ALL: &[$of] = &[$(<$of>::$variant),+];

            /// The word that is kept.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(<$of>::$variant => $name),+ }
            }

            /// The word that is shown.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(<$of>::$variant => $title),+ }
            }

            /// What a word that was kept means.
            #[must_use]
            pub fn from_name(name: &str) -> Option<$of> {
                match name { $($name => Some(<$of>::$variant),)+ _ => None }
            }
        }
    };
}

words!(What {
    New "new" "新增",
    Changed "changed" "有变化",
    SeenAgain "seen_again" "再次发现",
    NoLongerFound "no_longer_found" "不再发现",
});

words!(ScanState {
    Running "running" "进行中",
    Merged "merged" "已入库",
    Finished "finished" "已完成",
    Failed "failed" "失败",
});

words!(By {
    Nothing "nothing" "合计",
    Rule "rule" "规则",
    Facility "facility" "机构",
    Region "region" "统筹区",
    Status "status" "状态",
    Outcome "outcome" "结果",
    Month "month" "月份",
    Result "result" "结论",
    Severity "severity" "严重程度",
    Assignee "assignee" "经办人",
});

words!(Order {
    Money "money" "金额",
    Day "day" "日期",
    Rule "rule" "规则",
    Facility "facility" "机构",
    Due "due" "期限",
    Newest "newest" "最近发现",
});
