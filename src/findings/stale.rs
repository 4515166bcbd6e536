//! Findings that rest on a number that nobody has looked up for a year.
//!
//! Goes in: findings, whose evidence holds each parameter's value with its source and the day on which somebody last held it
//! against that source, and the as-of day of the run. Comes out: the values that were not verified in the twelve calendar
//! months before that day, and how many findings rest on each. Deliberately unknown here: the rule library.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Finding;
use crate::model::day;

/// A parameter's value that was not verified for twelve months, or never.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StaleValue {
    /// Without its `$`.
    pub parameter: String,
    pub value: String,
    pub source: String,
    pub region: Option<String>,
    pub verified_on: Option<String>,
}

/// All of them, with the number of findings on each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stale {
    /// Findings that rest on at least one.
    pub findings: u64,
    /// In order of the parameters' names.
    pub values: Vec<(StaleValue, u64)>,
}

/// Counts them.
#[must_use]
pub fn stale(findings: &[Finding], as_of: i32) -> Stale {
    let limit = day::a_year_before(as_of);
    let mut counts: BTreeMap<StaleValue, u64> = BTreeMap::new();
    let mut resting = 0;
    // Most evidence has no parameter, and is not taken apart.
    for finding in findings.iter().filter(|finding| finding.evidence.contains("\"$")) {
        let Ok(evidence) = serde_json::from_str::<Map<String, Value>>(&finding.evidence) else { continue };
        let old: Vec<StaleValue> = evidence.iter().filter_map(|(name, fact)| aged(name, fact, limit)).collect();
        resting += u64::from(!old.is_empty());
        for value in old {
            *counts.entry(value).or_default() += 1;
        }
    }
    Stale { findings: resting, values: counts.into_iter().collect() }
}

/// The value under a name, if it is a parameter's and was last verified before `limit`.
fn aged(name: &str, fact: &Value, limit: i32) -> Option<StaleValue> {
    let parameter = name.strip_prefix('$')?;
    let word = |key: &str| fact.get(key).and_then(Value::as_str).map(str::to_owned);
    // Without a source no value was in force, and nothing rests on it.
    let source = word("source")?;
    let verified_on = word("verified_on");
    if verified_on.as_deref().and_then(day::parse).is_some_and(|verified| verified >= limit) {
        return None;
    }
    let value = word("value").unwrap_or_default();
    Some(StaleValue { parameter: parameter.to_owned(), value, source, region: word("region"), verified_on })
}
