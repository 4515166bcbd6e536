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

/// The rule code under which coverage counts reversals that found no charge to take back.
const NETTING: &str = "NETTING";

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

/// Why a rule has no findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silence {
    /// It looked and found nothing.
    Clean,
    /// It had units, and answered none of them.
    Unanswered,
    /// There was nothing it speaks of.
    Empty,
}

impl Silence {
    pub const ALL: [Silence; 3] = [Silence::Clean, Silence::Unanswered, Silence::Empty];
}

impl RuleTally {
    /// A row of coverage that counts reversals, and no rule.
    #[must_use]
    pub fn is_netting(&self) -> bool {
        self.rule.code == NETTING
    }

    /// Why this rule has no findings; `None` where it has some, or is no rule.
    #[must_use]
    pub fn silence(&self) -> Option<Silence> {
        match &self.answers {
            _ if self.share.findings > 0 || self.is_netting() => None,
            answers if answers.evaluated > 0 => Some(Silence::Clean),
            answers if answers.not_evaluated > 0 => Some(Silence::Unanswered),
            _ => Some(Silence::Empty),
        }
    }
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

impl Tally {
    /// How many rules ran or found something.
    #[must_use]
    pub fn rules(&self) -> u64 {
        self.by_rule.iter().filter(|rule| !rule.is_netting()).count() as u64
    }

    /// Rules without findings, of that kind, by code.
    pub fn silent(&self, silence: Silence) -> impl Iterator<Item = &RuleTally> {
        self.by_rule.iter().filter(move |rule| rule.silence() == Some(silence))
    }
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
                rule: RuleMeta {
                    code: row.rule_code.clone(),
                    title: if row.rule_code == NETTING { "冲销与原费用配对".to_owned() } else { String::new() },
                    ..RuleMeta::default()
                },
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

/// Takes `缺少 gend 12；缺少 brdy 3` apart. A part without a count stands for what the others leave of `total`,
/// and says nothing where they leave none.
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
    if left == 0 {
        return counted;
    }
    if let Some(reason) = uncounted.into_iter().reduce(|a, b| format!("{a}；{b}")) {
        counted.push((reason, left));
    } else {
        counted.push(("未说明原因".to_owned(), left));
    }
    counted
}
