//! The table as people read it: a picture, the steps, the time limits, the coded reasons.
//!
//! Goes in: [`TABLE`], a [`Procedure`]. Comes out: Markdown (with a Mermaid picture, which the document holds and a test
//! compares), rows for a terminal, JSON. Deliberately unknown here: flags and files.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::procedure::Procedure;
use super::table::{TABLE, Transition};
use super::words::{Action, Outcome, Role, Status};
use crate::model::{day, money};
use crate::rules::parameters::Value;

/// The whole procedure as Markdown.
#[must_use]
pub fn markdown(procedure: &Procedure) -> String {
    let mut text = String::from("```mermaid\n");
    text.push_str(&picture());
    text.push_str("```\n\n");
    let _ = writeln!(text, "| 从 | 做什么 | 到 | 谁 | 条件 | 判断 |\n|---|---|---|---|---|---|");
    for row in &TABLE {
        let _ = writeln!(
            text,
            "| {} `{}` | {} `{}` | {} `{}` | {} | {} | {} |",
            row.from.title(),
            row.from.name(),
            row.action.title(),
            row.action.name(),
            row.to.title(),
            row.to.name(),
            who(row),
            row.when.title(),
            if row.judges { "是" } else { "" }
        );
    }
    let _ = writeln!(text, "\n| 结论 | 意思 |\n|---|---|");
    for outcome in Outcome::ALL {
        let _ = writeln!(text, "| `{}` | {} |", outcome.name(), outcome.title());
    }
    let _ = writeln!(text, "\n| 数 | 值 | 地区 | 出处 |\n|---|---|---|---|");
    for row in numbers(procedure) {
        let _ = writeln!(text, "| {} | {} | {} | {} |", row[0], row[1], row[2], row[3]);
    }
    let _ = writeln!(text, "\n| 理由代码 | 理由 | 错在哪里 | 说明 |\n|---|---|---|---|");
    for reason in &procedure.reasons {
        let _ =
            writeln!(text, "| `{}` | {} | {} | {} |", reason.code, reason.title, reason.fault.title(), reason.explain);
    }
    let years: Vec<String> = procedure.calendar.years().map(|year| year.to_string()).collect();
    let _ = writeln!(text, "\n节假日和调休：{}。", years.join("、"));
    text
}

/// The picture: statuses and what leads from one to the other, in Mermaid.
#[must_use]
pub fn picture() -> String {
    let mut text = String::from("stateDiagram-v2\n");
    for status in Status::ALL {
        let _ = writeln!(text, "    state \"{}\" as {}", status.title(), status.name());
    }
    let _ = writeln!(text, "    [*] --> {}", Status::New.name());
    let mut drawn: Vec<(Status, Status)> = Vec::new();
    for row in TABLE.iter().filter(|row| row.from != row.to) {
        if drawn.contains(&(row.from, row.to)) {
            continue;
        }
        drawn.push((row.from, row.to));
        let mut actions: Vec<Action> = TABLE
            .iter()
            .filter(|other| (other.from, other.to) == (row.from, row.to))
            .map(|other| other.action)
            .collect();
        actions.sort();
        actions.dedup();
        let titles: Vec<&str> = actions.into_iter().map(Action::title).collect();
        let _ = writeln!(text, "    {} --> {}: {}", row.from.name(), row.to.name(), titles.join("、"));
    }
    let _ = writeln!(text, "    {} --> [*]", Status::Closed.name());
    text
}

/// The table for a terminal or a spreadsheet: from, action, to, who, when, whether it judges.
#[must_use]
pub fn rows() -> Vec<[String; 6]> {
    TABLE
        .iter()
        .map(|row| {
            let names = [row.from.name(), row.action.name(), row.to.name()].map(str::to_owned);
            let [from, action, to] = names;
            [from, action, to, who(row), row.when.title().to_owned(), if row.judges { "是" } else { "" }.to_owned()]
        })
        .collect()
}

/// Everything for a program.
#[must_use]
pub fn json(procedure: &Procedure) -> Json {
    let words = |pairs: Vec<(&str, &str)>| -> Json {
        pairs
            .into_iter()
            .map(|(name, title)| (name.to_owned(), Json::from(title)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!({
        "statuses": words(Status::ALL.iter().map(|s| (s.name(), s.title())).collect()),
        "outcomes": words(Outcome::ALL.iter().map(|o| (o.name(), o.title())).collect()),
        "actions": words(Action::ALL.iter().map(|a| (a.name(), a.title())).collect()),
        "transitions": TABLE.iter().map(|row| json!({
            "from": row.from.name(),
            "action": row.action.name(),
            "to": row.to.name(),
            "by": row.by.iter().map(|role| role.name()).collect::<Vec<_>>(),
            "when": row.when.title(),
            "judges": row.judges,
        })).collect::<Vec<_>>(),
        "numbers": numbers(procedure).into_iter().map(|[title, value, region, source]| json!({
            "title": title, "value": value, "region": region, "source": source,
        })).collect::<Vec<_>>(),
        "reasons": procedure.reasons.iter().map(|reason| json!({
            "code": reason.code,
            "title": reason.title,
            "fault": reason.fault.name(),
            "explain": reason.explain,
            "source": reason.source,
        })).collect::<Vec<_>>(),
        "calendar_years": procedure.calendar.years().collect::<Vec<_>>(),
    })
}

/// Each value of each number: title, value with its unit, where and when, source.
#[must_use]
pub fn numbers(procedure: &Procedure) -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    for parameter in super::NUMBERS.iter().filter_map(|name| procedure.numbers.get(*name)) {
        rows.extend(parameter.values.iter().map(|value| {
            let value_text = format!("{} {}", money::plain(value.value), parameter.unit);
            [parameter.title.clone(), value_text, place(value), source(value)]
        }));
    }
    rows
}

fn place(value: &Value) -> String {
    let region = value.region.as_deref().map_or_else(|| "全国".to_owned(), |region| format!("区划 {region}"));
    match (value.from, value.until) {
        (None, None) => region,
        (from, until) => format!(
            "{region}，{} 至 {}",
            from.map_or_else(|| "…".to_owned(), day::text),
            until.map_or_else(|| "今".to_owned(), day::text)
        ),
    }
}

fn source(value: &Value) -> String {
    match &value.note {
        Some(note) => format!("{}（{note}）", value.source()),
        None => value.source(),
    }
}

fn who(row: &Transition) -> String {
    row.by.iter().map(|role: &Role| role.title()).collect::<Vec<_>>().join("、")
}
