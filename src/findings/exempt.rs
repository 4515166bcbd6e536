//! Which exemption covers a finding.
//!
//! Goes in: exemptions, and a hit whose hits of one key have merged. Comes out: those that cover it, in order of their ids.
//! An exemption never reaches further than it says: what is not known (a day, a facility, an item) is not covered, and a
//! finding about two persons or two facilities is covered only where both are named.
//! Deliberately unknown here: today. An exemption that has ended still covers the days that it was for.

use hashbrown::HashMap;

use crate::engine::{Hit, HitLine};
use crate::rules::Exemption;

/// Exemptions by what they name first, so that a hit is asked of few.
#[derive(Debug, Default)]
pub(super) struct Register<'a> {
    all: &'a [Exemption],
    by_person: HashMap<&'a str, Vec<usize>>,
    by_encounter: HashMap<&'a str, Vec<usize>>,
    others: Vec<usize>,
}

impl<'a> Register<'a> {
    pub(super) fn of(exemptions: &'a [Exemption]) -> Register<'a> {
        let mut register = Register { all: exemptions, ..Register::default() };
        for (place, exemption) in exemptions.iter().enumerate() {
            let (list, names) = if !exemption.psn_no.is_empty() {
                (&mut register.by_person, &exemption.psn_no)
            } else if !exemption.mdtrt_id.is_empty() {
                (&mut register.by_encounter, &exemption.mdtrt_id)
            } else {
                register.others.push(place);
                continue;
            };
            for name in names {
                list.entry(name.as_str()).or_default().push(place);
            }
        }
        register
    }

    /// Places of the exemptions that cover a hit, in order.
    pub(super) fn covering(&self, rule_code: &str, hit: &Hit) -> Vec<usize> {
        if self.all.is_empty() {
            return Vec::new();
        }
        let first = |of: fn(&HitLine) -> Option<&str>| hit.violating.first().and_then(of);
        let person = first(|l| l.psn_no.as_deref()).or(hit.psn_no.as_deref());
        let encounter = first(|l| Some(&l.mdtrt_id)).or(hit.mdtrt_id.as_deref());
        let named = |list: &HashMap<&str, Vec<usize>>, name: Option<&str>| -> Vec<usize> {
            name.and_then(|name| list.get(name)).cloned().unwrap_or_default()
        };
        let mut places = self.others.clone();
        places.extend(named(&self.by_person, person));
        places.extend(named(&self.by_encounter, encounter));
        places.retain(|place| covers(&self.all[*place], rule_code, hit));
        places.sort_unstable();
        places
    }
}

fn covers(exemption: &Exemption, rule_code: &str, hit: &Hit) -> bool {
    let family = rule_code.get(..3).unwrap_or(rule_code);
    let named = exemption.rules.contains(rule_code) || exemption.rules.contains(family);
    let in_time = hit.from_day.is_some_and(|day| exemption.from <= day && day <= exemption.until)
        && hit.until_day.is_some_and(|day| exemption.from <= day && day <= exemption.until);
    // Every violating line, or the finding itself where it has none.
    let each = |of: fn(&HitLine) -> Option<&str>, own: Option<&String>, fits: &dyn Fn(&str) -> bool| {
        if hit.violating.is_empty() {
            own.is_some_and(|own| fits(own))
        } else {
            hit.violating.iter().all(|line| of(line).is_some_and(fits))
        }
    };
    named
        && in_time
        && (exemption.psn_no.is_empty()
            || each(|l| l.psn_no.as_deref(), hit.psn_no.as_ref(), &|n| exemption.psn_no.contains(n)))
        && (exemption.mdtrt_id.is_empty()
            || each(|l| Some(&l.mdtrt_id), hit.mdtrt_id.as_ref(), &|n| exemption.mdtrt_id.contains(n)))
        && (exemption.fixmedins_code.is_empty()
            || each(|l| l.fixmedins_code.as_deref(), hit.fixmedins_code.as_ref(), &|n| {
                exemption.fixmedins_code.contains(n)
            }))
        && (exemption.hilist_code.is_empty()
            || each(|l| l.hilist_code.as_deref(), None, &|code| {
                exemption.hilist_code.iter().any(|prefix| code.starts_with(prefix.as_str()))
            }))
}
