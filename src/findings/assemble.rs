//! Hits become findings: one identity a fact, lines with their share, money counted once.
//!
//! Goes in: hits by rule, and exemptions. Comes out: findings and lines in order of rule code and key; an exempted finding
//! is kept and says by what. The order of the hits, and so the number of threads or buckets that made them, leaves no
//! trace.
//!
//! Money: a finding's amount is spread over its violating lines in proportion to `inscp_amt`. A line's
//! money goes to one finding only: 明确违规 before 可疑, then the higher severity, then the rule code, then the key. What it
//! gives there is the finding's allocated amount, never more than the line's own.

use std::collections::{BTreeMap, HashSet};

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::exempt::Register;
use super::{Finding, FindingLine};
use crate::engine::{Hit, HitLine};
use crate::model::{day, money};
use crate::progress::{Progress, Silent, Stopped};
use crate::rules::{Exemption, Rule};

/// What a finding takes over from its rule.
#[derive(Debug, Clone)]
pub struct RuleFacts {
    pub code: String,
    pub name: String,
    pub title: String,
    pub hash: String,
    pub unit: String,
    pub basis: String,
    pub fund_money: bool,
}

impl RuleFacts {
    /// The facts of a rule.
    #[must_use]
    pub fn of(rule: &Rule) -> RuleFacts {
        let basis: Vec<String> = rule.basis.iter().map(|b| format!("{} {}", b.law, b.article)).collect();
        let unit = if rule.find.per.is_empty() {
            rule.find.view.name().to_owned()
        } else {
            rule.find.per.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
        };
        RuleFacts {
            code: rule.code.clone(),
            name: rule.name.clone(),
            title: rule.title.clone(),
            hash: rule.hash.clone(),
            unit,
            basis: basis.join("；").chars().take(500).collect(),
            fund_money: rule.find.fund_money,
        }
    }
}

/// The same fact has the same id on every run: a hash of rule code and key.
#[must_use]
pub fn finding_id(rule_code: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(rule_code.as_bytes());
    hash.update([0]);
    hash.update(key.as_bytes());
    hash.finalize().iter().take(16).fold(String::with_capacity(32), |text, b| text + &format!("{b:02x}"))
}

/// What hits became.
#[derive(Debug, Default)]
pub struct Assembled {
    pub findings: Vec<Finding>,
    pub lines: Vec<FindingLine>,
    /// Hits under an exemption, by the rule's place and the facility under which they were counted (empty: none).
    pub exempted: BTreeMap<(usize, String), u64>,
    /// What each exemption did, in their order.
    pub covered: Vec<Covered>,
}

/// What an exemption did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Covered {
    /// Findings that name it.
    pub findings: u64,
    /// Findings that it covers too, but that name an earlier one.
    pub besides: u64,
}

/// Makes findings of hits; `hits` names each hit's rule by its place in `rules`.
#[must_use]
pub fn assemble(rules: &[RuleFacts], exemptions: &[Exemption], hits: Vec<(usize, Hit)>) -> Assembled {
    assemble_told(rules, exemptions, hits, &Silent).expect("nobody stops it")
}

/// Makes findings of hits; `progress` is told of each hit twice: when it is held against the others, and when it is written
/// down.
///
/// # Errors
/// When the work is wanted no longer.
pub fn assemble_told(
    rules: &[RuleFacts],
    exemptions: &[Exemption],
    hits: Vec<(usize, Hit)>,
    progress: &dyn Progress,
) -> Result<Assembled, Stopped> {
    let mut by_fact: BTreeMap<(&str, String), (usize, Hit)> = BTreeMap::new();
    // Where hits that merged into an earlier one were counted.
    let mut merged_at: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    let mut sorted = hits;
    // Hits of one key merge; the order in which they do must not depend on who found them.
    sorted.sort_by(|(a, x), (b, y)| {
        (rules[*a].code.as_str(), &x.key, x.from_day, &x.fixmedins_code, &x.message).cmp(&(
            rules[*b].code.as_str(),
            &y.key,
            y.from_day,
            &y.fixmedins_code,
            &y.message,
        ))
    });
    let all = sorted.len();
    for (number, (rule, hit)) in sorted.into_iter().enumerate() {
        tell(number, all, progress)?;
        let key = (rules[rule].code.as_str(), hit.key.clone());
        match by_fact.get_mut(&key) {
            Some((_, known)) => {
                merged_at.entry(key).or_default().push(hit.fixmedins_code.clone().unwrap_or_default());
                merge(known, hit);
            }
            None => {
                by_fact.insert(key, (rule, hit));
            }
        }
    }
    let mut facts: Vec<(usize, Hit)> = by_fact.into_values().collect();
    for (_, hit) in &mut facts {
        hit.violating.sort_by(|a, b| (&a.mdtrt_id, &a.feedetl_sn).cmp(&(&b.mdtrt_id, &b.feedetl_sn)));
        hit.involved.sort_by(|a, b| (&a.mdtrt_id, &a.feedetl_sn).cmp(&(&b.mdtrt_id, &b.feedetl_sn)));
    }
    let shares: Vec<Vec<Decimal>> = facts.iter().map(|(_, hit)| shares(hit)).collect();
    progress.go_on()?;
    let allocated = allocate(rules, &facts, &shares);
    let register = Register::of(exemptions);
    let mut made = Assembled { covered: vec![Covered::default(); exemptions.len()], ..Assembled::default() };
    let lines = &mut made.lines;
    let all = facts.len();
    for (number, (((rule, hit), shares), allocated)) in facts.into_iter().zip(shares).zip(allocated).enumerate() {
        tell(number, all, progress)?;
        let facts = &rules[rule];
        let id = finding_id(&facts.code, &hit.key);
        for (line, share) in hit.violating.iter().zip(&shares) {
            lines.push(FindingLine {
                finding_id: id.clone(),
                mdtrt_id: line.mdtrt_id.clone(),
                feedetl_sn: line.feedetl_sn.clone(),
                kind: 1,
                amount: *share,
            });
        }
        for line in &hit.involved {
            lines.push(FindingLine {
                finding_id: id.clone(),
                mdtrt_id: line.mdtrt_id.clone(),
                feedetl_sn: line.feedetl_sn.clone(),
                kind: 2,
                amount: money::to_cent(line.inscp_amt),
            });
        }
        let covering = register.covering(&facts.code, &hit);
        if let Some((by, others)) = covering.split_first() {
            made.covered[*by].findings += 1;
            for other in others {
                made.covered[*other].besides += 1;
            }
            let counted_at = merged_at.remove(&(facts.code.as_str(), hit.key.clone())).unwrap_or_default();
            for facility in counted_at.into_iter().chain([hit.fixmedins_code.clone().unwrap_or_default()]) {
                *made.exempted.entry((rule, facility)).or_default() += 1;
            }
        }
        let exempted_by = covering.first().map(|by| exemptions[*by].id.clone());
        made.findings.push(Finding { exempted_by, ..finding(facts, hit, id, &shares, allocated) });
    }
    Ok(made)
}

/// Tells of progress in steps, each when it begins.
fn tell(number: usize, all: usize, progress: &dyn Progress) -> Result<(), Stopped> {
    const STEP: usize = 1024;
    if number.is_multiple_of(STEP) {
        progress.advance((all - number).min(STEP) as u64);
        progress.go_on()?;
    }
    Ok(())
}

fn merge(known: &mut Hit, other: Hit) {
    known.amount += other.amount;
    known.from_day = known.from_day.into_iter().chain(other.from_day).min();
    known.until_day = known.until_day.into_iter().chain(other.until_day).max();
    for (mine, theirs) in [(&mut known.violating, other.violating), (&mut known.involved, other.involved)] {
        for line in theirs {
            if !mine.iter().any(|l| l.mdtrt_id == line.mdtrt_id && l.feedetl_sn == line.feedetl_sn) {
                mine.push(line);
            }
        }
    }
}

/// The finding's amount spread over its violating lines.
fn shares(hit: &Hit) -> Vec<Decimal> {
    let weights: Vec<Decimal> = hit.violating.iter().map(|l| l.inscp_amt.max(Decimal::ZERO)).collect();
    money::spread(hit.amount, &weights)
}

/// Certain before suspected, high before medium before low.
fn gravity(result: &str, severity: &str) -> (bool, u8) {
    let severity = match severity {
        "high" => 0,
        "medium" => 1,
        _ => 2,
    };
    (result != "明确违规", severity)
}

/// The order in which findings take the money of a line; the first takes it.
#[must_use]
pub fn precedence(finding: &Finding) -> impl Ord + '_ {
    let (certain, severity) = gravity(&finding.result, &finding.severity);
    (certain, severity, finding.rule_code.as_str(), finding.key.as_str())
}

/// What of each fact's amount no other fact counts.
fn allocate(rules: &[RuleFacts], facts: &[(usize, Hit)], shares: &[Vec<Decimal>]) -> Vec<Decimal> {
    let mut order: Vec<usize> = (0..facts.len()).filter(|f| rules[facts[*f].0].fund_money).collect();
    let rank = |fact: usize| {
        let (rule, hit) = &facts[fact];
        let (certain, severity) = gravity(&hit.result, &hit.severity);
        (certain, severity, rules[*rule].code.as_str(), hit.key.as_str())
    };
    order.sort_by(|a, b| rank(*a).cmp(&rank(*b)));
    let mut taken: HashSet<(&str, &str)> = HashSet::new();
    let mut allocated = vec![Decimal::new(0, 2); facts.len()];
    for fact in order {
        for (line, share) in facts[fact].1.violating.iter().zip(&shares[fact]) {
            if *share > Decimal::ZERO && taken.insert((&line.mdtrt_id, &line.feedetl_sn)) {
                allocated[fact] += (*share).min(money::to_cent(line.inscp_amt));
            }
        }
    }
    allocated
}

fn finding(facts: &RuleFacts, hit: Hit, finding_id: String, shares: &[Decimal], allocated: Decimal) -> Finding {
    let only = |of: &dyn Fn(&HitLine) -> Option<String>| -> Option<String> { hit.violating.first().and_then(of) };
    let settled = || {
        let first = hit.violating.first().and_then(|l| l.setl_id.clone());
        first.filter(|id| hit.violating.iter().all(|l| l.setl_id.as_ref() == Some(id)))
    };
    let feedetl_sn = match hit.violating.len() {
        0 => hit.feedetl_sn.clone(),
        1 => only(&|l| Some(l.feedetl_sn.clone())),
        _ => None,
    };
    let only_psn = only(&|l| l.psn_no.clone());
    Finding {
        finding_id,
        rule_code: facts.code.clone(),
        rule_name: facts.name.clone(),
        rule_title: facts.title.clone(),
        rule_hash: facts.hash.clone(),
        unit: facts.unit.clone(),
        // The money is where the violating lines are; a unit without lines speaks for itself.
        mdtrt_id: only(&|l| Some(l.mdtrt_id.clone())).or(hit.mdtrt_id.clone()),
        setl_id: if hit.violating.is_empty() { hit.setl_id.clone() } else { settled() },
        feedetl_sn,
        fixmedins_code: only(&|l| l.fixmedins_code.clone()).or(hit.fixmedins_code.clone()),
        from_day: hit.from_day.map(day::text),
        until_day: hit.until_day.map(day::text),
        allocated,
        fund_loss_est: if facts.fund_money { fund_loss(&hit, shares) } else { None },
        basis: facts.basis.clone(),
        exempted_by: None,
        fund_money: facts.fund_money,
        result: hit.result,
        severity: hit.severity,
        key: hit.key,
        psn_no: only_psn.or(hit.psn_no),
        amount: hit.amount,
        message: hit.message,
        evidence: hit.evidence,
    }
}

/// Amount × the fund's share in each line's settlement, where every line's is known.
fn fund_loss(hit: &Hit, shares: &[Decimal]) -> Option<Decimal> {
    if hit.violating.is_empty() {
        return None;
    }
    let mut sum = Decimal::ZERO;
    for (line, share) in hit.violating.iter().zip(shares) {
        let (paid, scope) = line.fund_share?;
        sum += share.checked_mul(paid)?.checked_div(scope)?;
    }
    Some(money::to_cent(sum))
}
