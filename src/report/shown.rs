//! What eyes may see: masks, and JSON turned into words.
//!
//! Goes in: identifiers, messages, the JSON of `key` and `evidence`. Comes out: text for workbook, page and terminal, where
//! a `psn_no` is masked, names and certificate numbers are gone, and no character can steer a terminal or turn the
//! direction of reading. Deliberately unknown here: which face shows it, escaping for HTML.
//!
//! To hide one more column: its name in [`HIDDEN`].

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde_json::Value;

use super::columns::yuan;
use crate::model::tables::Table;

/// Columns whose values are never shown.
const HIDDEN: [&str; 2] = ["psn_name", "certno"];

/// What stands where something is hidden.
const MASK: &str = "***";

/// A person's number as people see it: first three and last two characters; of a shorter one the first and the last.
pub(super) fn person(psn_no: &str) -> String {
    let characters: Vec<char> = psn_no.chars().collect();
    let (head, tail) = match characters.len() {
        0..=2 => return MASK.to_owned(),
        3..=7 => (1, 1),
        _ => (3, 2),
    };
    let (head, tail) = (&characters[..head], &characters[characters.len() - tail..]);
    visible(&format!("{}{MASK}{}", head.iter().collect::<String>(), tail.iter().collect::<String>())).into_owned()
}

/// The text without characters that are not seen but do something: controls, and marks that turn the direction of reading.
/// Line ends and tabs become spaces.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).filter(|c| !acts(*c)).collect(),
    )
}

/// The text with the person's number masked wherever it stands as a word of its own.
pub(super) fn without_person(text: &str, psn_no: Option<&str>) -> String {
    let Some(psn_no) = psn_no.filter(|number| !number.is_empty()) else { return visible(text).into_owned() };
    let joins = |c: char| c.is_ascii_alphanumeric();
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    for (at, found) in text.match_indices(psn_no) {
        let end = at + found.len();
        let inside = text[..at].chars().next_back().is_some_and(joins) || text[end..].chars().next().is_some_and(joins);
        if !inside {
            shown.push_str(&text[done..at]);
            shown.push_str(&person(psn_no));
            done = end;
        }
    }
    shown.push_str(&text[done..]);
    visible(&shown).into_owned()
}

/// The members of a JSON object as names and words, masked unless `whole`. Text that is no object is one member without
/// a name.
pub(super) fn members(json: &str, psn_no: Option<&str>, whole: bool) -> Vec<(String, String)> {
    let hide = |text: &str| if whole { visible(text).into_owned() } else { without_person(text, psn_no) };
    match serde_json::from_str::<Value>(json) {
        Ok(Value::Object(object)) => {
            object.iter().map(|(name, value)| (visible(name).into_owned(), words(name, value, &hide, whole))).collect()
        }
        Ok(Value::Null) => Vec::new(),
        Ok(other) => vec![(String::new(), words("", &other, &hide, whole))],
        Err(_) if json.trim().is_empty() => Vec::new(),
        Err(_) => vec![(String::new(), hide(json))],
    }
}

/// The members in one line: `就诊ID=M1；日=2026-03-11`.
pub(super) fn one_line(members: &[(String, String)]) -> String {
    let mut line = String::new();
    for (name, words) in members {
        if !line.is_empty() {
            line.push('；');
        }
        if !name.is_empty() {
            line.push_str(name);
            line.push('=');
        }
        line.push_str(words);
    }
    line
}

fn words(name: &str, value: &Value, hide: &dyn Fn(&str) -> String, whole: bool) -> String {
    let column = name.rsplit('.').next().unwrap_or(name);
    if HIDDEN.iter().any(|hidden| column.starts_with(hidden)) {
        return MASK.to_owned();
    }
    match value {
        Value::Null => "（空）".to_owned(),
        Value::Bool(true) => "是".to_owned(),
        Value::Bool(false) => "否".to_owned(),
        Value::Number(number) => {
            let digits = number.to_string();
            digits.strip_suffix(".0").map_or(digits.clone(), str::to_owned)
        }
        Value::String(text) if column.starts_with("psn_no") && !whole => person(text),
        Value::String(text) => hide(text),
        Value::Array(values) => {
            values.iter().map(|value| words(name, value, hide, whole)).collect::<Vec<_>>().join("、")
        }
        Value::Object(object) => object
            .iter()
            .map(|(inner, value)| format!("{} {}", visible(inner), words(inner, value, hide, whole)))
            .collect::<Vec<_>>()
            .join("，"),
    }
}

/// The Chinese name of a column of the tables, where it has one.
pub(super) fn label(name: &str) -> Option<&'static str> {
    let column = name.rsplit('.').next().unwrap_or(name);
    let own = match column {
        "day" => "日期",
        "month" => "月份",
        "generic" => "通用名",
        "stay_days" => "住院天数",
        "days" => "用药天数",
        "age" => "年龄",
        "level" => "机构等级",
        "setting" => "就医方式",
        _ => "",
    };
    if !own.is_empty() {
        return Some(own);
    }
    let columns = Table::ALL.into_iter().flat_map(Table::columns);
    let known = columns.into_iter().find(|known| known.name == column)?;
    known.aliases.iter().find(|alias| !alias.is_ascii()).copied()
}

/// high → 高.
pub(super) fn severity(severity: &str) -> &str {
    match severity {
        "high" => "高",
        "medium" => "中",
        "low" => "低",
        other => other,
    }
}

/// Yuan with thousands set apart: `1,234,567.80`.
pub(super) fn money(amount: Decimal) -> String {
    let text = yuan(amount);
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, cents) = digits.split_once('.').unwrap_or((digits, "00"));
    format!("{sign}{}.{cents}", thousands(whole))
}

/// A count with thousands set apart: `1,234`.
pub(super) fn count(count: u64) -> String {
    thousands(&count.to_string())
}

fn thousands(digits: &str) -> String {
    let mut apart = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}
