//! The procedure of a place: time limits by status, region and day, working days, coded reasons, what a scorecard asks.
//!
//! Goes in: `procedure/` and `calendar/` of a rule library, beside its rules. Comes out: a [`Procedure`], or every mistake at
//! once. The time limits are parameters like those of rules (`from`, `until`, `region`, a source each), because the nation asks
//! for reasonable ones and leaves the number to provinces and cities. They are not part of the rule set's hash: what is done
//! about findings does not change them.
//!
//! To add a number: its file in `audit_rules/procedure/`, its name in [`NUMBERS`]. To add a reason: a row of `reasons.csv`; a
//! code that was ever used stays.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::calendar::{Calendar, Gap};
use super::words::Status;
use crate::rules::parameters::Asked;
use crate::rules::{Files, Parameter, at_line, parameter};
use crate::span::{Diagnostic, nearest};

const FOLDER: &str = "procedure/";
const CALENDAR: &str = "calendar/";
const REASONS: &str = "procedure/reasons.csv";
const HEADER: [&str; 5] = ["code", "title", "fault", "explain", "source"];

/// Every number of the procedure, each a file of its own.
pub const NUMBERS: [&str; 13] = [
    "initial_review_days",
    "appeal_days",
    "re_review_days",
    "second_appeal_days",
    "panel_days",
    "investigation_days",
    "decision_days",
    "execution_days",
    "panel_members_min",
    "scorecard_reviewed_min",
    "scorecard_wrong_share_keep",
    "scorecard_wrong_share_retire",
    "scorecard_same_reason",
];

impl Status {
    /// The number of working days that a case may stay here.
    #[must_use]
    pub const fn limit(self) -> Option<&'static str> {
        match self {
            Status::InitialReview => Some("initial_review_days"),
            Status::AppealOpen => Some("appeal_days"),
            Status::ReReview => Some("re_review_days"),
            Status::SecondAppealOpen => Some("second_appeal_days"),
            Status::Panel => Some("panel_days"),
            Status::Investigation => Some("investigation_days"),
            Status::Established => Some("decision_days"),
            Status::Decided => Some("execution_days"),
            Status::New | Status::Recovered | Status::Closed => None,
        }
    }
}

/// How cases are dealt with here.
#[derive(Debug, Clone)]
pub struct Procedure {
    pub calendar: Calendar,
    /// In the order of the file.
    pub reasons: Vec<Reason>,
    /// By name: all of [`NUMBERS`].
    pub numbers: BTreeMap<String, Parameter>,
}

/// A coded reason why money is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub code: String,
    pub title: String,
    pub fault: Fault,
    pub explain: String,
    pub source: String,
}

/// What was wrong, if the machine was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The rule, a parameter, a knowledge point: it can be mended there.
    Rule,
    /// The data were wrong: the finding was no violation, and the rule could not know.
    Data,
    /// Nothing: the finding was right when it was made.
    None,
}

impl Fault {
    /// The word in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Fault::Rule => "rule",
            Fault::Data => "data",
            Fault::None => "none",
        }
    }

    /// The word for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Fault::Rule => "规则",
            Fault::Data => "数据",
            Fault::None => "没有误报",
        }
    }

    fn from_name(name: &str) -> Option<Fault> {
        [Fault::Rule, Fault::Data, Fault::None].into_iter().find(|fault| fault.name() == name)
    }
}

impl Procedure {
    /// The procedure that is built in.
    ///
    /// # Errors
    /// Mistakes in it.
    pub fn built_in() -> Result<Procedure, Vec<Diagnostic>> {
        Procedure::read(&Files::built_in())
    }

    /// The procedure of a library. A library without `procedure/` has the built-in one, and one without `calendar/` the
    /// built-in calendar.
    ///
    /// # Errors
    /// Every mistake of every file.
    pub fn read(files: &Files) -> Result<Procedure, Vec<Diagnostic>> {
        let built_in = Files::built_in();
        let of = |folder: &str| {
            if files.texts.keys().any(|path| path.starts_with(folder)) { files } else { &built_in }
        };
        let mut mistakes = Vec::new();
        let calendar = gathered(calendar(of(CALENDAR)), &mut mistakes);
        let numbers = gathered(numbers(of(FOLDER)), &mut mistakes);
        let reasons = gathered(reasons(of(FOLDER)), &mut mistakes);
        match (calendar, numbers, reasons) {
            (Some(calendar), Some(numbers), Some(reasons)) => Ok(Procedure { calendar, reasons, numbers }),
            _ => Err(mistakes),
        }
    }

    /// The value of a number in force on a day in a region.
    #[must_use]
    pub fn number(&self, name: &str, on: i32, region: Option<&str>) -> Decimal {
        let parameter = self.numbers.get(name).expect("every number was read");
        let at = parameter.in_force(Asked { day: on, region, insutype: None, level: None });
        at.map(|at| parameter.values[at].value).expect("a value for every day and place was asked for when it was read")
    }

    /// A number that counts things.
    #[must_use]
    pub fn count(&self, name: &str, on: i32, region: Option<&str>) -> u32 {
        self.number(name, on, region).to_u32().unwrap_or(u32::MAX)
    }

    /// The last day of a status that begins on a day, if it has a time limit.
    ///
    /// # Errors
    /// A year of which the holidays are not known.
    pub fn deadline(&self, status: Status, on: i32, region: Option<&str>) -> Result<Option<i32>, Gap> {
        status.limit().map(|name| self.calendar.after(on, self.count(name, on, region))).transpose()
    }

    /// The reason of this code; else the code that may have been meant.
    ///
    /// # Errors
    /// There is none.
    pub fn reason(&self, code: &str) -> Result<&Reason, Option<String>> {
        let codes = || self.reasons.iter().map(|reason| reason.code.as_str());
        self.reasons.iter().find(|reason| reason.code == code).ok_or_else(|| nearest(code, codes()).map(str::to_owned))
    }
}

fn gathered<T>(read: Result<T, Vec<Diagnostic>>, mistakes: &mut Vec<Diagnostic>) -> Option<T> {
    read.map_err(|wrong| mistakes.extend(wrong)).ok()
}

fn calendar(files: &Files) -> Result<Calendar, Vec<Diagnostic>> {
    let mut calendar = Calendar::default();
    let mut mistakes = Vec::new();
    for (path, text) in &files.texts {
        let Some(name) = path.strip_prefix(CALENDAR).and_then(|file| file.strip_suffix(".csv")) else { continue };
        let read = match name.parse() {
            Ok(year) => calendar.read(year, &files.called(path), text),
            Err(_) => Err(vec![Diagnostic::whole(&files.called(path), "wanted `calendar/<year>.csv`")]),
        };
        gathered(read, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(calendar) } else { Err(mistakes) }
}

fn numbers(files: &Files) -> Result<BTreeMap<String, Parameter>, Vec<Diagnostic>> {
    let mut numbers = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (path, text) in &files.texts {
        let Some(name) = path.strip_prefix(FOLDER).and_then(|file| file.strip_suffix(".toml")) else { continue };
        let file = files.called(path);
        if !NUMBERS.contains(&name) {
            let help = nearest(name, NUMBERS).map_or_else(
                || format!("numbers are {}", NUMBERS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            mistakes.push(Diagnostic::whole(&file, format!("the procedure has no number `{name}`")).help(help));
            continue;
        }
        let Some(parameter) = gathered(parameter(&file, name, text), &mut mistakes) else { continue };
        mistakes.extend(unfit(&parameter).map(|why| Diagnostic::whole(&file, why)));
        numbers.insert(name.to_owned(), parameter);
    }
    for missing in NUMBERS.iter().filter(|name| !files.texts.contains_key(&format!("{FOLDER}{name}.toml"))) {
        mistakes.push(Diagnostic::whole(&files.called(&format!("{FOLDER}{missing}.toml")), "the file is missing"));
    }
    if mistakes.is_empty() { Ok(numbers) } else { Err(mistakes) }
}

/// What a number of the procedure must not be: undefined somewhere, or out of all proportion.
fn unfit(parameter: &Parameter) -> Option<String> {
    let everywhere = parameter.values.iter().any(|v| {
        v.from.is_none() && v.until.is_none() && v.region.is_none() && v.insutype.is_none() && v.level.is_none()
    });
    if !everywhere {
        return Some(
            "no value for every day and place: one without `from`, `until` and `region` is what holds elsewhere"
                .to_owned(),
        );
    }
    let share = parameter.name.contains("share");
    let fits = |value: Decimal| {
        if share {
            (Decimal::ZERO..=Decimal::ONE).contains(&value)
        } else {
            value.is_integer() && (Decimal::ONE..=Decimal::from(366)).contains(&value)
        }
    };
    let wanted = if share { "a share from 0 to 1" } else { "a whole number from 1 to 366" };
    let value = parameter.values.iter().map(|v| v.value).find(|value| !fits(*value))?;
    Some(format!("the value {value} is not {wanted}"))
}

fn reasons(files: &Files) -> Result<Vec<Reason>, Vec<Diagnostic>> {
    let file = files.called(REASONS);
    let Some(text) = files.texts.get(REASONS) else {
        return Err(vec![Diagnostic::whole(&file, "the file is missing: coded reasons why a finding is withdrawn")]);
    };
    let mut mistakes = Vec::new();
    let mut found: Vec<Reason> = Vec::new();
    let mut wrong = |line: usize, message: String| mistakes.push(at_line(&file, text, line, message));
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    for (line, record) in (1..).zip(reader.records()) {
        let cells: Vec<String> = match record {
            Ok(record) => record.iter().map(|cell| cell.trim().to_owned()).collect(),
            Err(error) => {
                wrong(line, error.to_string());
                continue;
            }
        };
        let [code, title, fault, explain, source] = cells.as_slice() else {
            wrong(line, format!("found {} cells, wanted {}", cells.len(), HEADER.join(",")));
            continue;
        };
        if line == 1 {
            if cells != HEADER {
                wrong(line, format!("the header is `{}`, wanted `{}`", cells.join(","), HEADER.join(",")));
            }
            continue;
        }
        if code.is_empty() || !code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            wrong(line, format!("`code` is `{code}`, wanted small letters, digits and `_`"));
        } else if found.iter().any(|reason| reason.code == *code) {
            wrong(line, format!("`{code}` is there twice"));
        } else if title.is_empty() || source.is_empty() {
            wrong(line, "`title` or `source` is empty".to_owned());
        }
        match Fault::from_name(fault) {
            Some(fault) => found.push(Reason {
                code: code.clone(),
                title: title.clone(),
                fault,
                explain: explain.clone(),
                source: source.clone(),
            }),
            None => wrong(line, format!("`fault` is `{fault}`, wanted `rule`, `data` or `none`")),
        }
    }
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}
