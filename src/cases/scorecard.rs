//! Scorecards (规则评价): is a rule worth the work it makes? Keep it, tune it, or retire it, once enough of its findings were
//! judged by people.
//!
//! Goes in: plain [`Counts`] of a rule, the procedure's numbers and coded reasons. Comes out: a [`Card`]. Only what people have
//! concluded counts; a finding that was right when it was made and that the facility had corrected is no mistake of the rule.
//! Shares are compared as exact decimals, edges belong to the milder verdict.
//!
//! Deliberately unknown here: where the counts come from.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::procedure::{Fault, Procedure};

/// What became of a rule's findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub rule_code: String,
    pub rule_title: String,
    /// Findings of the rule.
    pub hits: u64,
    /// Of them, those about which a person has concluded something.
    pub reviewed: u64,
    /// Of those, dismissed by 初审.
    pub dismissed: u64,
    /// Of those, put to the facility, which objected.
    pub appealed: u64,
    /// Of those, withdrawn in whole or in part after the facility was told.
    pub overturned: u64,
    /// Coded reasons of what was dismissed or withdrawn.
    pub reasons: BTreeMap<String, u64>,
    pub found: Decimal,
    pub standing: Decimal,
    pub decided: Decimal,
    pub recovered: Decimal,
    /// Steps that people took: what the rule costs.
    pub steps: u64,
}

/// What to do with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Too few findings were judged to say anything.
    TooFew,
    Keep,
    Tune,
    Retire,
}

impl Verdict {
    /// The word in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::TooFew => "too_few",
            Verdict::Keep => "keep",
            Verdict::Tune => "tune",
            Verdict::Retire => "retire",
        }
    }

    /// The word for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Verdict::TooFew => "样本不足",
            Verdict::Keep => "保留",
            Verdict::Tune => "调整",
            Verdict::Retire => "停用",
        }
    }
}

/// A rule's scorecard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub counts: Counts,
    /// Judged findings that stand: reviewed, neither dismissed nor withdrawn.
    pub confirmed: u64,
    /// Mistakes of the rule or its data: dismissed or withdrawn, less those that were right when they were made.
    pub wrong: u64,
    /// `wrong` of `reviewed`, to four places; none where nothing was judged.
    pub wrong_share: Option<Decimal>,
    /// Yuan recovered a step of work, to the cent; none without work.
    pub recovered_a_step: Option<Decimal>,
    pub verdict: Verdict,
    /// Reasons that lie with the rule and came so often that somebody should look at it, whatever the share.
    pub look_at: Vec<(String, u64)>,
}

/// Judges a rule by what became of its findings, with the numbers in force on a day.
#[must_use]
pub fn card(counts: &Counts, procedure: &Procedure, today: i32) -> Card {
    let number = |name: &str| procedure.number(name, today, None);
    let fault = |code: &str| procedure.reason(code).map_or(Fault::Rule, |reason| reason.fault);
    let excused: u64 = counts.reasons.iter().filter(|(code, _)| fault(code) == Fault::None).map(|(_, n)| n).sum();
    let withdrawn = (counts.dismissed + counts.overturned).min(counts.reviewed);
    let wrong = withdrawn.saturating_sub(excused);
    let share = |part: u64, whole: u64| {
        (whole > 0).then(|| (Decimal::from(part) / Decimal::from(whole)).round_dp(4).normalize())
    };
    let over = |limit: Decimal| Decimal::from(wrong) > limit * Decimal::from(counts.reviewed);
    let verdict = if Decimal::from(counts.reviewed) < number("scorecard_reviewed_min") {
        Verdict::TooFew
    } else if over(number("scorecard_wrong_share_retire")) {
        Verdict::Retire
    } else if over(number("scorecard_wrong_share_keep")) {
        Verdict::Tune
    } else {
        Verdict::Keep
    };
    let often = number("scorecard_same_reason");
    let look_at = counts
        .reasons
        .iter()
        .filter(|(code, times)| fault(code) == Fault::Rule && Decimal::from(**times) >= often)
        .map(|(code, times)| (code.clone(), *times))
        .collect();
    Card {
        confirmed: counts.reviewed - withdrawn,
        wrong,
        wrong_share: share(wrong, counts.reviewed),
        recovered_a_step: (counts.steps > 0)
            .then(|| crate::model::money::to_cent(counts.recovered / Decimal::from(counts.steps))),
        verdict,
        look_at,
        counts: counts.clone(),
    }
}
