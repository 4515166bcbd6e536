//! Sums over what was found: by rule, by facility, by month, and of the whole.
//!
//! Goes in: an [`Outcome`] and the rules' names. Comes out: a [`Tally`], which page, workbook and terminal all show, so
//! that they never disagree. Money counted once is the sum of `allocated`, exempted findings included and also shown
//! apart; money that is not the fund's is in [`Share::apart`] only. Deliberately unknown here: how anything is shown.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;
use rust_decimal::Decimal;

use super::{Context, RuleMeta};
use crate::findings::{Coverage, Finding, Outcome};

/// A part of the findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    pub findings: u64,
    /// Fund money by each rule alone; one yuan may be in it more than once.
    pub amount: Decimal,
    /// Fund money counted once.
    pub allocated: Decimal,
    /// Money that is not the fund's.
    pub apart: Decimal,
    /// Findings whose money is not the fund's.
    pub apart_findings: u64,
    /// Findings covered by an exemption, and their share of `allocated`.
    pub exempted: u64,
    pub exempted_allocated: Decimal,
}

impl Share {
    fn add(&mut self, finding: &Finding) {
        self.findings += 1;
        self.allocated += finding.allocated;
        if finding.fund_money {
            self.amount += finding.amount;
        } else {
            self.apart += finding.amount;
            self.apart_findings += 1;
        }
        if finding.exempted_by.is_some() {
            self.exempted += 1;
            self.exempted_allocated += finding.allocated;
        }
    }
}

/// The three answers, summed over coverage rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Hit or clean.
    pub evaluated: u64,
    pub hit: u64,
    pub exempted: u64,
    pub not_evaluated: u64,
    /// Reason → units not evaluated for it.
    pub reasons: BTreeMap<String, u64>,
}

impl Answers {
    fn add(&mut self, row: &Coverage) {
        self.evaluated += row.evaluated;
        self.hit += row.hit;
        self.exempted += row.exempted;
        self.not_evaluated += row.not_evaluated;
        for (reason, units) in reasons(&row.reason, row.not_evaluated) {
            *self.reasons.entry(reason).or_default() += units;
        }
    }

    /// Reasons, the most frequent first.
    #[must_use]
    pub fn top_reasons(&self) -> Vec<(&str, u64)> {
        let mut reasons: Vec<(&str, u64)> =
            self.reasons.iter().map(|(reason, units)| (reason.as_str(), *units)).collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        reasons
    }
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleTally {
    pub rule: RuleMeta,
    pub share: Share,
    pub answers: Answers,
    /// Facilities with findings.
    pub facilities: u64,
}

/// One facility; an empty code gathers findings without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FacilityTally {
    pub code: String,
    pub share: Share,
    pub answers: Answers,
    /// Rules with findings.
    pub rules: u64,
}

/// All the sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub all: Share,
    /// 明确违规.
    pub certain: Share,
    /// 可疑.
    pub suspected: Share,
    /// Persons with findings.
    pub persons: u64,
    /// Facilities with findings.
    pub facilities: u64,
    /// Every rule that ran or found something, by code.
    pub by_rule: Vec<RuleTally>,
    /// Every facility with findings or coverage, by code.
    pub by_facility: Vec<FacilityTally>,
    /// Month of the first day, `YYYY-MM`; empty where a finding has no day.
    pub by_month: BTreeMap<String, Share>,
    pub answers: Answers,
    pub quarantined: u64,
}

/// Sums an outcome up.
#[must_use]
pub fn tally(outcome: &Outcome, context: &Context) -> Tally {
    let mut whole = Tally { quarantined: context.quarantined.iter().map(|set| set.rows).sum(), ..Tally::default() };
    let mut rules: BTreeMap<&str, RuleTally> = BTreeMap::new();
    for rule in &context.rules {
        rules.insert(&rule.code, RuleTally { rule: rule.clone(), ..RuleTally::default() });
    }
    let mut facilities: BTreeMap<&str, FacilityTally> = BTreeMap::new();
    let mut persons: HashSet<&str> = HashSet::new();
    let mut pairs: BTreeSet<(&str, &str)> = BTreeSet::new();

    for finding in &outcome.findings {
        let facility = finding.fixmedins_code.as_deref().unwrap_or("");
        let rule = rules.entry(&finding.rule_code).or_insert_with(|| RuleTally {
            rule: RuleMeta {
                code: finding.rule_code.clone(),
                name: finding.rule_name.clone(),
                title: finding.rule_title.clone(),
                severity: finding.severity.clone(),
                result: finding.result.clone(),
                ..RuleMeta::default()
            },
            ..RuleTally::default()
        });
        let month = finding.from_day.as_deref().and_then(|day| day.get(..7)).unwrap_or("");
        rule.share.add(finding);
        facilities.entry(facility).or_default().share.add(finding);
        if let Some(share) = whole.by_month.get_mut(month) {
            share.add(finding);
        } else {
            whole.by_month.entry(month.to_owned()).or_default().add(finding);
        }
        whole.all.add(finding);
        if finding.result == "明确违规" { &mut whole.certain } else { &mut whole.suspected }.add(finding);
        persons.extend(finding.psn_no.as_deref());
        pairs.insert((&finding.rule_code, facility));
    }
    for row in &outcome.coverage {
        whole.answers.add(row);
        rules
            .entry(&row.rule_code)
            .or_insert_with(|| RuleTally {
                rule: RuleMeta { code: row.rule_code.clone(), ..RuleMeta::default() },
                ..RuleTally::default()
            })
            .answers
            .add(row);
        facilities.entry(&row.fixmedins_code).or_default().answers.add(row);
    }
    for (rule, facility) in pairs {
        if let Some(rule) = rules.get_mut(rule).filter(|_| !facility.is_empty()) {
            rule.facilities += 1;
        }
        if let Some(facility) = facilities.get_mut(facility) {
            facility.rules += 1;
        }
    }
    whole.persons = persons.len() as u64;
    whole.by_rule = rules.into_values().collect();
    whole.by_facility =
        facilities.into_iter().map(|(code, sums)| FacilityTally { code: code.to_owned(), ..sums }).collect();
    whole.facilities =
        whole.by_facility.iter().filter(|facility| facility.share.findings > 0 && !facility.code.is_empty()).count()
            as u64;
    whole
}

/// Takes `缺少 gend 12；缺少 brdy 3` apart. A part without a count stands for what the others leave of `total`.
fn reasons(text: &str, total: u64) -> Vec<(String, u64)> {
    let mut counted = Vec::new();
    let mut uncounted = Vec::new();
    for part in text.split(['；', ';']).map(str::trim).filter(|part| !part.is_empty()) {
        match part.rsplit_once(' ').and_then(|(reason, units)| Some((reason.trim(), units.parse::<u64>().ok()?))) {
            Some((reason, units)) => counted.push((reason.to_owned(), units)),
            None => uncounted.push(part.to_owned()),
        }
    }
    let left = total.saturating_sub(counted.iter().map(|(_, units)| units).sum());
    if let Some(reason) = uncounted.into_iter().reduce(|a, b| format!("{a}；{b}")) {
        counted.push((reason, left));
    } else if left > 0 {
        counted.push(("未说明原因".to_owned(), left));
    }
    counted
}
