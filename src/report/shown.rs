//! What eyes may see: masks, and JSON turned into words.
//!
//! Goes in: identifiers, messages, the JSON of `key` and `evidence`. Comes out: text for workbook, page and terminal, where
//! a `psn_no` is masked, names and certificate numbers are gone, and no character can steer a terminal or turn the
//! direction of reading. Deliberately unknown here: which face shows it, escaping for HTML.
//!
//! To hide one more column: its name in [`HIDDEN`]. Names of members get their words in `labels.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value;

use super::columns::yuan;
use super::labels::label;
use crate::findings::Finding;

/// Columns whose values are never shown.
const HIDDEN: [&str; 2] = ["psn_name", "certno"];

/// Names of members and their Chinese words, where they have some.
pub(super) type Names = BTreeMap<String, Option<String>>;

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

/// A finding as people see it: the person's number masked in every text of it.
#[must_use]
pub fn masked(finding: &Finding) -> Finding {
    let hide = |text: &str| without_person(text, finding.psn_no.as_deref());
    Finding {
        psn_no: finding.psn_no.as_deref().map(person),
        key: hide(&finding.key),
        message: hide(&finding.message),
        evidence: hide(&finding.evidence),
        ..finding.clone()
    }
}

/// The text with the person's number masked wherever it stands as a word of its own.
#[must_use]
pub fn without_person(text: &str, psn_no: Option<&str>) -> String {
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

/// The members in one line, under their Chinese names where they have some: `就诊ID=M1；日期=2026-03-11`.
/// The names met are kept, so that each is looked up once.
pub(super) fn one_line(members: &[(String, String)], names: &mut Names) -> String {
    let mut line = String::new();
    for (name, words) in members {
        if !names.contains_key(name) {
            names.insert(name.clone(), label(name));
        }
        let name = names.get(name).and_then(Option::as_ref).unwrap_or(name);
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
    if let Some(said) = said(name, column, value) {
        return said.to_owned();
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
        Value::Object(object) if name.starts_with('$') && object.contains_key("value") => {
            parameter(object, &|inner, value| words(inner, value, hide, whole))
        }
        Value::Object(object) => object
            .iter()
            .map(|(inner, value)| format!("{} {}", visible(inner), words(inner, value, hide, whole)))
            .collect::<Vec<_>>()
            .join("，"),
    }
}

/// A parameter by its value and where that stands: `7，出处：处方管理办法（卫生部令第53号） 第十九条`.
fn parameter(object: &serde_json::Map<String, Value>, words: &dyn Fn(&str, &Value) -> String) -> String {
    let member = |name: &str| {
        let words = object.get(name).filter(|value| !value.is_null()).map(|value| words(name, value))?;
        (!words.is_empty()).then_some(words)
    };
    let mut text = member("value").unwrap_or_else(|| "（空）".to_owned());
    if let Some(source) = member("source") {
        // A default of the program has 无 for an article.
        text.push_str("，出处：");
        text.push_str(source.strip_suffix(" 无").unwrap_or(&source));
    }
    if let Some(region) = member("region") {
        text.push_str("，适用区划 ");
        text.push_str(&region);
    }
    text
}

/// Words for values that are codes of this program or of the platform's shortest lists.
fn said(name: &str, column: &str, value: &Value) -> Option<&'static str> {
    let code = match value {
        Value::String(text) => text.as_str(),
        Value::Bool(true) => "是",
        Value::Bool(false) => "否",
        Value::Null => "",
        _ => return None,
    };
    Some(match (column, code) {
        ("found", "是") => "有",
        ("found", "否") => "无",
        ("found", "") => "无法判断",
        ("gend" | "sex", "1") => "男",
        ("gend" | "sex", "2") => "女",
        ("level" | "min_level", "1") => "一级",
        ("level" | "min_level", "2") => "二级",
        ("level" | "min_level", "3") => "三级",
        ("region" | "level", "") if name.starts_with("ceiling.") => "不限",
        ("first_prescription_only", "0") => "否",
        ("first_prescription_only", "1") => "是",
        ("window", "day") => "同一天",
        ("window", "visit") => "同一次就诊",
        ("window", "hour") => "同一次就诊，相差不到 1 小时",
        ("window", "6hours") => "同一次就诊，相差不到 6 小时",
        ("setting", "inpatient") => "住院",
        ("setting", "outpatient") => "门诊",
        ("setting", "emergency") => "急诊",
        ("setting", "pharmacy") => "药店",
        ("setting", "day_surgery") => "日间手术",
        ("setting", "home_bed") => "家庭病床",
        _ => return None,
    })
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
