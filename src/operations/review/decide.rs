//! Decisions: what the findings mean for each pending claim.
//!
//! Goes in: claims, findings with their lines, the policy. Comes out: [`Decided`], a claim each: the gravest decision that a
//! finding about it leads to, and for refusals the money line by line. A rule that is not stable decides nothing, nor does a
//! finding under an exemption. A refusal of nothing is no refusal: a person must look.
//!
//! Money: as in the totals of an audit a line's money goes to one finding, the first in the same precedence, but among those
//! that refuse; it gives its share, never more than the line's own. Deliberately unknown here: rules, tables.

use hashbrown::{HashMap, HashSet};
use rust_decimal::Decimal;

use super::pending::{Claim, ids_of};
use super::{Decided, RefusedLine};
use crate::findings::{Finding, FindingLine, precedence};
use crate::rules::decisions::{Decision, Decisions, Matter};

/// Decides about every claim; `decides` says whether a rule's findings may.
pub(super) fn decided(
    claims: &[Claim],
    findings: &[Finding],
    lines: &[FindingLine],
    policy: &Decisions,
    decides: impl Fn(&str) -> bool,
) -> Vec<Decided> {
    let places = Places::of(claims);
    let mut violating: HashMap<&str, Vec<&FindingLine>> = HashMap::new();
    for line in lines.iter().filter(|line| line.kind == 1) {
        violating.entry(&line.finding_id).or_default().push(line);
    }
    let mut made: Vec<Decided> = claims.iter().map(undecided).collect();
    let mut order: Vec<&Finding> = findings.iter().collect();
    order.sort_by(|a, b| precedence(a).cmp(&precedence(b)));
    let mut taken: HashSet<(&str, &str)> = HashSet::new();
    for finding in order {
        let lines = violating.get(finding.finding_id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let may_decide = finding.exempted_by.is_none() && decides(&finding.rule_code);
        for number in places.about(finding, lines) {
            let (claim, decided) = (&claims[number], &mut made[number]);
            decided.finding_ids.push(finding.finding_id.clone());
            if !may_decide {
                continue;
            }
            let decision = policy.of(&Matter {
                rule_code: &finding.rule_code,
                result: &finding.result,
                severity: &finding.severity,
                region: claim.region.as_deref(),
                fixmedins_code: Some(&claim.fixmedins_code),
            });
            decided.decision = decided.decision.max(decision);
            if decision != Decision::Refuse || !finding.fund_money {
                continue;
            }
            for line in lines {
                let own = places.line(line).filter(|(of, _)| *of == number);
                if let Some((_, most)) = own
                    && line.amount > Decimal::ZERO
                    && taken.insert((&line.mdtrt_id, &line.feedetl_sn))
                {
                    decided.refused_lines.push(RefusedLine {
                        mdtrt_id: line.mdtrt_id.clone(),
                        feedetl_sn: line.feedetl_sn.clone(),
                        amount: line.amount.min(most),
                        finding_id: finding.finding_id.clone(),
                        rule_code: finding.rule_code.clone(),
                    });
                }
            }
        }
    }
    for decided in &mut made {
        decided.finding_ids.sort();
        decided.refused_lines.sort_by(|a, b| (&a.mdtrt_id, &a.feedetl_sn).cmp(&(&b.mdtrt_id, &b.feedetl_sn)));
        decided.refused += decided.refused_lines.iter().map(|line| line.amount).sum::<Decimal>();
        if decided.decision == Decision::Refuse && decided.refused.is_zero() {
            decided.decision = Decision::Hold;
        }
    }
    made
}

fn undecided(claim: &Claim) -> Decided {
    Decided {
        setl_id: claim.setl_id.clone(),
        mdtrt_id: claim.mdtrt_id.clone(),
        psn_no: claim.psn_no.clone(),
        fixmedins_code: claim.fixmedins_code.clone(),
        decision: Decision::Pass,
        claimed: claim.claimed,
        refused: Decimal::new(0, 2),
        refused_lines: Vec::new(),
        finding_ids: Vec::new(),
    }
}

/// Which claim is where.
struct Places<'c> {
    /// Claim and amount of each of their lines.
    lines: HashMap<(&'c str, &'c str), (usize, Decimal)>,
    settlements: HashMap<&'c str, usize>,
    encounters: HashMap<&'c str, Vec<usize>>,
}

impl<'c> Places<'c> {
    fn of(claims: &'c [Claim]) -> Places<'c> {
        let mut places = Places { lines: HashMap::new(), settlements: HashMap::new(), encounters: HashMap::new() };
        for (number, claim) in claims.iter().enumerate() {
            for line in &claim.lines {
                places.lines.insert((&line.mdtrt_id, &line.feedetl_sn), (number, line.inscp_amt));
            }
            if !claim.setl_id.is_empty() {
                places.settlements.insert(&claim.setl_id, number);
            }
            places.encounters.entry(&claim.mdtrt_id).or_default().push(number);
        }
        places
    }

    fn line(&self, line: &FindingLine) -> Option<(usize, Decimal)> {
        self.lines.get(&(line.mdtrt_id.as_str(), line.feedetl_sn.as_str())).copied()
    }

    /// The claims that a finding is about: those of its violating lines; where no line is a claim's, the settlement or the
    /// encounters that it speaks of.
    fn about(&self, finding: &Finding, lines: &[&FindingLine]) -> Vec<usize> {
        let mut claims: Vec<usize> = lines.iter().filter_map(|line| self.line(line).map(|(claim, _)| claim)).collect();
        if claims.is_empty() {
            let settled = finding.setl_id.as_deref().and_then(|id| self.settlements.get(id)).copied();
            claims.extend(settled);
        }
        if claims.is_empty() {
            let named = ids_of(&finding.key);
            let ids = finding.mdtrt_id.iter().chain(&named).map(String::as_str);
            let ids = ids.chain(lines.iter().map(|line| line.mdtrt_id.as_str()));
            claims.extend(ids.filter_map(|id| self.encounters.get(id)).flatten());
        }
        claims.sort_unstable();
        claims.dedup();
        claims
    }
}
