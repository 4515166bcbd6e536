//! `rules test`: every rule over every case of every book.
//!
//! Goes in: books and a compiled library. Comes out: for each case what was expected and what was found. A rule that fires
//! in another rule's book shows, because a case lists all findings of all rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use arrow::error::ArrowError;

use crate::engine::{Claims, Memory, Plan, Scope, Setting, Tables, Views, claims, run};
use crate::findings::{RuleFacts, assemble};
use crate::ingest::values::TableBuilder;
use crate::model::{Table, day};
use crate::rules::RuleSet;
use crate::rules::book::{Book, Case, Expected};

/// What went otherwise than a case says.
#[derive(Debug, Clone)]
pub struct Failure {
    pub file: String,
    pub line: usize,
    pub case: String,
    pub problems: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{} {}", self.file, self.line, self.case)?;
        for problem in &self.problems {
            writeln!(f, "    {problem}")?;
        }
        Ok(())
    }
}

/// Runs all rules over a book.
#[must_use]
pub fn test(book: &Book, set: &RuleSet, plans: &[Plan]) -> Vec<Failure> {
    book.cases
        .iter()
        .filter_map(|case| {
            let problems = match problems(case, set, plans) {
                Ok(problems) => problems,
                Err(problem) => vec![problem],
            };
            (!problems.is_empty()).then(|| Failure {
                file: book.file.clone(),
                line: case.line,
                case: case.name.clone(),
                problems,
            })
        })
        .collect()
}

fn problems(case: &Case, set: &RuleSet, plans: &[Plan]) -> Result<Vec<String>, String> {
    let tables = tables(case)?;
    let internal = |e: ArrowError| e.to_string();
    let (first_day, last_day) = extent(&tables);
    let facilities =
        tables.get(&Table::Facility).map(Setting::facilities_of).transpose().map_err(internal)?.unwrap_or_default();
    let setting = Setting {
        as_of: case.as_of.as_deref().and_then(day::parse).unwrap_or(last_day),
        first_day,
        region: case.region.clone(),
        facilities: facilities.into(),
        care_settings: set.knowledge.get("care_setting_of_med_type").cloned().map(Arc::new),
        identity_groups: set.knowledge.get("identity_group").cloned().map(Arc::new),
    };
    let claims = Claims::net(&tables).map_err(internal)?;
    let memory = Memory::default();
    let views = Rc::new(Views::new(&claims, &setting, &memory));
    let facts: Vec<RuleFacts> = plans.iter().map(|p| RuleFacts::of(&p.rule)).collect();
    let mut hits = Vec::new();
    let mut unanswered: BTreeMap<&str, (u64, BTreeSet<String>)> = BTreeMap::new();
    for (number, plan) in plans.iter().enumerate() {
        let found = run(plan, set, &views, &Scope::default()).map_err(|e| format!("{}: {e}", plan.rule.code))?;
        hits.extend(found.hits.into_iter().map(|hit| (number, hit)));
        for answers in found.answers.into_values() {
            let known = unanswered.entry(&plan.rule.code).or_default();
            known.0 += answers.not_evaluated;
            known.1.extend(answers.reasons.into_keys());
        }
    }
    let findings = assemble(&facts, &[], hits).findings;
    let mut found: Vec<Expected> = findings
        .iter()
        .map(|f| Expected {
            rule: f.rule_code.clone(),
            key: serde_json::from_str::<BTreeMap<String, String>>(&f.key).unwrap_or_default(),
            amount: f.amount.to_string(),
        })
        .collect();
    let mut expected = case.expect.clone();
    found.sort();
    expected.sort();
    let mut problems = Vec::new();
    for missing in expected.iter().filter(|e| !found.contains(e)) {
        problems.push(format!("expected, not found: {}", shown(missing)));
    }
    for surplus in found.iter().filter(|f| !expected.contains(f)) {
        problems.push(format!("found, not expected: {}", shown(surplus)));
    }
    for (rule, units) in &case.not_evaluated {
        let (found, reasons) = unanswered.get(rule.as_str()).cloned().unwrap_or_default();
        if found != *units {
            problems.push(format!("not evaluated by {rule}: expected {units}, found {found} {reasons:?}"));
        }
    }
    Ok(problems)
}

fn shown(e: &Expected) -> String {
    let key: Vec<String> = e.key.iter().map(|(k, v)| format!("{k}={v}")).collect();
    format!("{} {} {}", e.rule, key.join(" "), e.amount)
}

fn extent(tables: &Tables) -> (i32, i32) {
    let mut days = Vec::new();
    for (table, columns) in
        [(Table::FeeDetail, &["fee_ocur_time"][..]), (Table::Encounter, &["begntime", "endtime"][..])]
    {
        let Some(batch) = tables.get(&table) else { continue };
        for column in columns {
            if let Some(times) = batch.column_by_name(column) {
                use arrow::array::AsArray;
                days.extend(
                    times
                        .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
                        .iter()
                        .flatten()
                        .map(claims::day_of),
                );
            }
        }
    }
    (days.iter().copied().min().unwrap_or(0), days.iter().copied().max().unwrap_or(0))
}

type Cells = BTreeMap<String, String>;

/// The tables of a case, its gaps filled: the smallest table shows the point.
fn tables(case: &Case) -> Result<Tables, String> {
    let rows = |table: Table| -> Vec<Cells> {
        case.tables
            .get(&table)
            .map(|rows| rows.iter().map(|r| r.iter().cloned().collect()).collect())
            .unwrap_or_default()
    };
    let default = |cells: &mut Cells, name: &str, value: &str| {
        cells.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    };
    let mut lines = rows(Table::FeeDetail);
    for (number, cells) in lines.iter_mut().enumerate() {
        for (name, value) in [("psn_no", "P1"), ("fixmedins_code", "H1"), ("mdtrt_id", "M1"), ("cnt", "1")] {
            default(cells, name, value);
        }
        default(cells, "feedetl_sn", &(number + 1).to_string());
        if !cells.contains_key("det_item_fee_sumamt") {
            let product = cells
                .get("pric")
                .and_then(|p| p.parse::<rust_decimal::Decimal>().ok())
                .zip(cells["cnt"].parse::<rust_decimal::Decimal>().ok())
                .map(|(p, c)| (p * c).round_dp(2).to_string());
            let amount =
                cells.get("inscp_amt").filter(|a| !a.is_empty()).cloned().or(product).unwrap_or_else(|| "0".to_owned());
            cells.insert("det_item_fee_sumamt".to_owned(), amount);
        }
        let total = cells["det_item_fee_sumamt"].clone();
        default(cells, "inscp_amt", &total);
    }
    let mut encounters = rows(Table::Encounter);
    let mut settlements = rows(Table::Settlement);
    for (number, cells) in settlements.iter_mut().enumerate() {
        default(cells, "mdtrt_id", "M1");
        default(cells, "setl_id", &(number + 1).to_string());
        default(cells, "setl_time", "2026-03-31");
    }
    let mut wanted: Vec<String> = Vec::new();
    for cells in lines.iter().chain(&settlements).chain(&rows(Table::Diagnosis)).chain(&rows(Table::SpecialCase)) {
        if let Some(id) = cells.get("mdtrt_id")
            && !wanted.contains(id)
            && !case.lost.contains(id)
        {
            wanted.push(id.clone());
        }
    }
    for cells in &mut encounters {
        default(cells, "mdtrt_id", "M1");
    }
    for id in wanted {
        if !encounters.iter().any(|e| e["mdtrt_id"] == id) {
            encounters.push(Cells::from([("mdtrt_id".to_owned(), id)]));
        }
    }
    for cells in &mut encounters {
        let own: Vec<&Cells> = lines.iter().filter(|l| l["mdtrt_id"] == cells["mdtrt_id"]).collect();
        for (name, value) in [("psn_no", "P1"), ("fixmedins_code", "H1"), ("med_type", "21")] {
            let of_line = own.iter().find_map(|l| l.get(name).cloned());
            default(cells, name, &of_line.unwrap_or_else(|| value.to_owned()));
        }
        let mut times: Vec<String> = own.iter().filter_map(|l| l.get("fee_ocur_time").cloned()).collect();
        times.sort();
        default(cells, "begntime", times.first().map_or("2026-03-01", String::as_str));
        default(cells, "endtime", times.last().map_or("2026-03-31", String::as_str));
    }
    for cells in &mut settlements {
        let encounter = encounters.iter().find(|e| e["mdtrt_id"] == cells["mdtrt_id"]);
        for (name, value) in [("psn_no", "P1"), ("fixmedins_code", "H1")] {
            default(cells, name, encounter.and_then(|e| e.get(name)).map_or(value, String::as_str));
        }
    }
    let mut tables = Tables::new();
    for table in Table::ALL {
        let filled = match table {
            Table::FeeDetail => lines.clone(),
            Table::Encounter => encounters.clone(),
            Table::Settlement => settlements.clone(),
            other => {
                let mut rows = rows(other);
                for cells in &mut rows {
                    for (name, value) in
                        [("psn_no", "P1"), ("mdtrt_id", "M1"), ("fixmedins_code", "H1"), ("fixmedins_name", "一医院")]
                    {
                        if other.position(name).is_some() {
                            default(cells, name, value);
                        }
                    }
                }
                rows
            }
        };
        let mut builder = TableBuilder::new(table);
        for cells in &filled {
            let cells: Vec<(usize, &str)> =
                cells.iter().filter_map(|(name, value)| table.position(name).map(|at| (at, value.as_str()))).collect();
            builder.push(cells).map_err(|bad| {
                format!("{}: {}", table.name(), bad.iter().map(|b| format!("{b:?}")).collect::<Vec<_>>().join("; "))
            })?;
        }
        tables.insert(table, builder.finish());
    }
    Ok(tables)
}
