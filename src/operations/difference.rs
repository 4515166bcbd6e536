//! `rules diff`: what a change of rules does to the findings of a dataset, and to the money in them.
//!
//! Goes in: two rule libraries, one dataset. Comes out: findings that only the old library makes (removed), only the new one
//! makes (added), both make and say otherwise (changed), with sums by rule and by facility. A finding is the same when rule
//! code and key are. Sums are of rules' own amounts, for rules that speak of the fund's money; what another finding counts
//! is in `allocated`. Not known here: why the libraries differ.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::library::{self, Library, Origin};
use super::{Error, audit};
use crate::findings::{Finding, Outcome};
use crate::ingest::Dataset;
use crate::progress::Progress;
use crate::report::Lang;

/// What to compare and how to run it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub old: PathBuf,
    pub new: PathBuf,
    /// A folder of knowledge tables that stand in for those of both libraries.
    pub knowledge: Option<PathBuf>,
    /// A dataset made by `ingest`.
    pub dataset: PathBuf,
    /// Codes, families, names; empty: all that are trial or stable. A word may be known to one library only.
    pub select: Vec<String>,
    pub region: Option<String>,
    pub as_of: Option<i32>,
    pub threads: Option<usize>,
}

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Added,
    Removed,
    Changed,
}

impl Kind {
    /// The word in every form of output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
        }
    }
}

/// A finding that differs: at least one side is there.
#[derive(Debug, Clone)]
pub struct Differing {
    pub kind: Kind,
    pub old: Option<Finding>,
    pub new: Option<Finding>,
}

impl Differing {
    /// The new finding, or the old one where it is gone.
    #[must_use]
    pub fn finding(&self) -> &Finding {
        self.new.as_ref().or(self.old.as_ref()).expect("a difference has a side")
    }

    /// New amount less old amount.
    #[must_use]
    pub fn delta(&self) -> Decimal {
        let amount = |f: &Option<Finding>| f.as_ref().map_or(Decimal::ZERO, |f| f.amount);
        amount(&self.new) - amount(&self.old)
    }
}

/// Counts and yuan of differences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    pub added: usize,
    pub added_amount: Decimal,
    pub removed: usize,
    pub removed_amount: Decimal,
    pub changed: usize,
    /// New less old, of those that changed.
    pub changed_amount: Decimal,
}

impl Sums {
    fn add(&mut self, d: &Differing) {
        let money = if d.finding().fund_money { d.delta() } else { Decimal::ZERO };
        match d.kind {
            Kind::Added => (self.added, self.added_amount) = (self.added + 1, self.added_amount + money),
            Kind::Removed => (self.removed, self.removed_amount) = (self.removed + 1, self.removed_amount - money),
            Kind::Changed => (self.changed, self.changed_amount) = (self.changed + 1, self.changed_amount + money),
        }
    }

    fn json(&self) -> Value {
        json!({
            "added": self.added, "added_amount": yuan(self.added_amount),
            "removed": self.removed, "removed_amount": yuan(self.removed_amount),
            "changed": self.changed, "changed_amount": yuan(self.changed_amount),
        })
    }
}

/// What a library finds in all.
#[derive(Debug, Clone, Default)]
pub struct Side {
    pub folder: PathBuf,
    pub hash: String,
    pub rules: usize,
    pub findings: usize,
    /// Of the fund's money.
    pub amount: Decimal,
    pub allocated: Decimal,
    pub not_evaluated: u64,
}

/// The answer.
#[derive(Debug, Default)]
pub struct Difference {
    pub old: Side,
    pub new: Side,
    /// Findings that say the same in both.
    pub same: usize,
    /// Of these, findings whose allocated amount is another one, because another finding now counts the money, or no longer.
    pub reallocated: usize,
    /// In order of rule code, kind and key.
    pub rows: Vec<Differing>,
    pub whole: Sums,
    pub by_rule: BTreeMap<String, Sums>,
    /// By code of the facility; empty where a finding has none.
    pub by_facility: BTreeMap<String, Sums>,
    /// Not evaluated by rule, where the two differ: old and new.
    pub not_evaluated: BTreeMap<String, (u64, u64)>,
}

/// Runs both libraries over the dataset and compares what they find.
///
/// # Errors
/// Mistakes in either library, a dataset that cannot be read, work that is wanted no longer.
pub fn difference(options: &Options, progress: &dyn Progress) -> Result<Difference, Error> {
    if !options.dataset.join("dataset.json").is_file() {
        return Err(Error::Usage(format!(
            "`{}` is not a dataset: make one with `fundaudit ingest EXPORT --dataset {}`",
            options.dataset.display(),
            options.dataset.display()
        )));
    }
    let knowledge = options.knowledge.as_deref();
    let open = |folder: &PathBuf| library::open(Origin { rules: Some(folder), knowledge });
    let sets = (open(&options.old)?, open(&options.new)?);
    for word in &options.select {
        if !sets.0.rules.iter().chain(&sets.1.rules).any(|rule| library::chosen(rule, word)) {
            return Err(Error::Usage(format!("no rule of either library is called `{word}`")));
        }
    }
    let compiled = |folder: &PathBuf, rules: &[crate::rules::Rule]| {
        let known = |word: &&String| rules.iter().any(|rule| library::chosen(rule, word));
        let select: Vec<String> = options.select.iter().filter(known).cloned().collect();
        let none = select.is_empty() && !options.select.is_empty();
        let mut library = library::compile(Origin { rules: Some(folder), knowledge }, &select)?;
        if none {
            library.plans.clear();
        }
        Ok::<Library, Error>(library)
    };
    let (old, new) = (compiled(&options.old, &sets.0.rules)?, compiled(&options.new, &sets.1.rules)?);
    let dataset = Dataset::open(&options.dataset)?;
    let how = audit::Options {
        region: options.region.clone(),
        as_of: options.as_of,
        threads: options.threads,
        ..audit::Options::default()
    };
    let found = |library: &Library| {
        if library.plans.is_empty() {
            Ok(Outcome::default())
        } else {
            audit::findings_of(&how, library, &dataset, progress)
        }
    };
    let (before, after) = (found(&old)?, found(&new)?);
    let mut answer = compare(&before, &after);
    answer.old = side(&options.old, &old, &before);
    answer.new = side(&options.new, &new, &after);
    Ok(answer)
}

fn side(folder: &std::path::Path, library: &Library, outcome: &Outcome) -> Side {
    Side {
        folder: folder.to_path_buf(),
        hash: library.set.hash.clone(),
        rules: library.plans.len(),
        findings: outcome.findings.len(),
        amount: outcome.findings.iter().filter(|f| f.fund_money).map(|f| f.amount).sum(),
        allocated: outcome.findings.iter().map(|f| f.allocated).sum(),
        not_evaluated: outcome.coverage.iter().map(|c| c.not_evaluated).sum(),
    }
}

/// Compares two outcomes.
#[must_use]
pub fn compare(before: &Outcome, after: &Outcome) -> Difference {
    let mut answer = Difference::default();
    let mut old: HashMap<&str, &Finding> = before.findings.iter().map(|f| (f.finding_id.as_str(), f)).collect();
    for new in &after.findings {
        match old.remove(new.finding_id.as_str()) {
            None => answer.rows.push(Differing { kind: Kind::Added, old: None, new: Some(new.clone()) }),
            Some(old) if says(old) != says(new) => {
                answer.rows.push(Differing { kind: Kind::Changed, old: Some(old.clone()), new: Some(new.clone()) });
            }
            Some(old) => {
                answer.same += 1;
                answer.reallocated += usize::from(old.allocated != new.allocated);
            }
        }
    }
    answer.rows.extend(old.into_values().map(|old| Differing {
        kind: Kind::Removed,
        old: Some(old.clone()),
        new: None,
    }));
    answer.rows.sort_by(|a, b| {
        let (x, y) = (a.finding(), b.finding());
        (&x.rule_code, a.kind, &x.key).cmp(&(&y.rule_code, b.kind, &y.key))
    });
    for row in &answer.rows {
        let finding = row.finding();
        answer.whole.add(row);
        answer.by_rule.entry(finding.rule_code.clone()).or_default().add(row);
        answer.by_facility.entry(finding.fixmedins_code.clone().unwrap_or_default()).or_default().add(row);
    }
    for (outcome, is_new) in [(before, false), (after, true)] {
        for c in &outcome.coverage {
            let counts = answer.not_evaluated.entry(c.rule_code.clone()).or_default();
            *(if is_new { &mut counts.1 } else { &mut counts.0 }) += c.not_evaluated;
        }
    }
    answer.not_evaluated.retain(|_, (old, new)| old != new);
    answer
}

/// What a finding says to whoever must answer it. Evidence and source may be worded anew without a change of the finding.
fn says(finding: &Finding) -> (Decimal, &str, &str, &str) {
    (finding.amount, &finding.result, &finding.severity, &finding.message)
}

fn yuan(amount: Decimal) -> String {
    format!("{amount:.2}")
}

impl Difference {
    /// For people: sums, then rules with samples, then facilities. A sample shows no person.
    #[must_use]
    pub fn text(&self, lang: Lang, samples: usize) -> String {
        let zh = lang == Lang::Zh;
        let mut text = String::new();
        for (side, zh_name, en_name) in [(&self.old, "旧", "old"), (&self.new, "新", "new")] {
            let (folder, amount, allocated) = (side.folder.display(), yuan(side.amount), yuan(side.allocated));
            text.push_str(&if zh {
                format!(
                    "{zh_name} {folder}  {} 条规则，{} 条疑点，涉及 {amount}，计入 {allocated}\n",
                    side.rules, side.findings
                )
            } else {
                format!(
                    "{en_name} {folder}  rules {}, findings {}, amount {amount}, counted {allocated}\n",
                    side.rules, side.findings
                )
            });
        }
        text.push_str(&format!("\n{}\n", line(if zh { "合计" } else { "total" }, &self.whole, zh)));
        text.push_str(&if zh {
            format!("相同 {}，其中 {} 条只是计入的金额变了\n", self.same, self.reallocated)
        } else {
            format!("same {}, of which {} only count another amount\n", self.same, self.reallocated)
        });
        for (rule, sums) in &self.by_rule {
            text.push_str(&format!("\n{}\n", line(rule, sums, zh)));
            for kind in [Kind::Added, Kind::Removed, Kind::Changed] {
                let of: Vec<&Differing> =
                    self.rows.iter().filter(|d| d.kind == kind && d.finding().rule_code == *rule).collect();
                for d in of.iter().take(samples) {
                    text.push_str(&sample(d));
                }
                if of.len() > samples && samples > 0 {
                    text.push_str(&if zh {
                        format!("    … 另 {} 条\n", of.len() - samples)
                    } else {
                        format!("    … {} more\n", of.len() - samples)
                    });
                }
            }
        }
        if !self.by_facility.is_empty() {
            text.push('\n');
        }
        for (facility, sums) in &self.by_facility {
            let name = if facility.is_empty() { "—" } else { facility };
            text.push_str(&format!("{}\n", line(name, sums, zh)));
        }
        for (rule, (old, new)) in &self.not_evaluated {
            text.push_str(&format!("{rule} {} {old} → {new}\n", if zh { "不评" } else { "not evaluated" }));
        }
        text
    }

    /// A line a finding that differs.
    #[must_use]
    pub fn csv(&self) -> Vec<[String; 12]> {
        const HEAD: [&str; 12] = [
            "kind",
            "rule_code",
            "finding_id",
            "fixmedins_code",
            "key",
            "from_day",
            "old_amount",
            "new_amount",
            "old_allocated",
            "new_allocated",
            "old_message",
            "new_message",
        ];
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(self.rows.iter().map(|d| {
            let f = d.finding();
            let of = |side: &Option<Finding>, cell: fn(&Finding) -> String| side.as_ref().map(cell).unwrap_or_default();
            [
                d.kind.name().to_owned(),
                f.rule_code.clone(),
                f.finding_id.clone(),
                f.fixmedins_code.clone().unwrap_or_default(),
                f.key.clone(),
                f.from_day.clone().unwrap_or_default(),
                of(&d.old, |f| yuan(f.amount)),
                of(&d.new, |f| yuan(f.amount)),
                of(&d.old, |f| yuan(f.allocated)),
                of(&d.new, |f| yuan(f.allocated)),
                of(&d.old, |f| f.message.clone()),
                of(&d.new, |f| f.message.clone()),
            ]
        }));
        lines
    }

    /// Everything, every differing finding with both sides' amounts.
    #[must_use]
    pub fn json(&self) -> Value {
        let side = |s: &Side| {
            json!({
                "folder": s.folder, "rule_set_hash": s.hash, "rules": s.rules, "findings": s.findings, "amount": yuan(s.amount),
                "allocated": yuan(s.allocated), "not_evaluated": s.not_evaluated,
            })
        };
        let sums = |by: &BTreeMap<String, Sums>| {
            by.iter().map(|(k, s)| (k.clone(), s.json())).collect::<serde_json::Map<_, _>>()
        };
        json!({
            "old": side(&self.old), "new": side(&self.new), "same": self.same, "reallocated": self.reallocated,
            "whole": self.whole.json(), "by_rule": sums(&self.by_rule), "by_facility": sums(&self.by_facility),
            "not_evaluated": self.not_evaluated.iter().map(|(rule, (old, new))| (rule.clone(), json!({ "old": old, "new": new }))).collect::<serde_json::Map<_, _>>(),
            "findings": self.rows.iter().map(|d| {
                let f = d.finding();
                json!({
                    "kind": d.kind.name(), "rule_code": f.rule_code, "finding_id": f.finding_id, "fixmedins_code": f.fixmedins_code,
                    "key": serde_json::from_str::<Value>(&f.key).unwrap_or(Value::Null), "from_day": f.from_day,
                    "old": d.old.as_ref().map(one), "new": d.new.as_ref().map(one),
                })
            }).collect::<Vec<_>>(),
        })
    }
}

fn one(f: &Finding) -> Value {
    json!({ "amount": yuan(f.amount), "allocated": yuan(f.allocated), "result": f.result, "severity": f.severity, "message": f.message })
}

fn line(name: &str, s: &Sums, zh: bool) -> String {
    let (added, removed, changed) = (yuan(s.added_amount), yuan(s.removed_amount), yuan(s.changed_amount));
    let sign = if s.changed_amount > Decimal::ZERO { "+" } else { "" };
    if zh {
        format!(
            "{name}  新增 {} 条 +{added}  消失 {} 条 -{removed}  改变 {} 条 {sign}{changed}",
            s.added, s.removed, s.changed
        )
    } else {
        format!(
            "{name}  added {} +{added}  removed {} -{removed}  changed {} {sign}{changed}",
            s.added, s.removed, s.changed
        )
    }
}

fn sample(d: &Differing) -> String {
    let f = d.finding();
    let mark = match d.kind {
        Kind::Added => "+",
        Kind::Removed => "-",
        Kind::Changed => "~",
    };
    let amount = match (&d.old, &d.new) {
        (Some(old), Some(new)) => format!("{} → {}", yuan(old.amount), yuan(new.amount)),
        _ => yuan(f.amount),
    };
    let place: Vec<&str> =
        [&f.fixmedins_code, &f.mdtrt_id, &f.feedetl_sn, &f.from_day].into_iter().filter_map(Option::as_deref).collect();
    let message =
        f.psn_no.as_deref().filter(|n| n.len() > 1).map_or_else(|| f.message.clone(), |n| f.message.replace(n, "***"));
    format!("  {mark} {amount}  {}  {message}\n", place.join(" "))
}
