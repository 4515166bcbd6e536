//! Three answers, counted: hit, clean, not evaluated (why), by facility.
//!
//! Goes in: what a rule says of each unit. Comes out: [`Answers`] by facility. A unit costs a few additions: facilities are
//! numbers, and a reason becomes a text once.

use std::collections::BTreeMap;

use hashbrown::HashMap;

/// What a rule could say at one facility.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    pub evaluated: u64,
    pub hit: u64,
    pub not_evaluated: u64,
    pub reasons: BTreeMap<String, u64>,
}

impl Answers {
    /// Adds the answers for other persons.
    pub fn merge(&mut self, other: Answers) {
        self.evaluated += other.evaluated;
        self.hit += other.hit;
        self.not_evaluated += other.not_evaluated;
        for (reason, units) in other.reasons {
            *self.reasons.entry(reason).or_default() += units;
        }
    }
}

/// What a rule says of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Hit,
    Clean,
    /// The columns that are null, as bits.
    Lacks(u64),
    /// A reason by its place in a list.
    Because(u32),
}

/// Counts answers while a rule runs; facilities by number, 0 for none.
#[derive(Debug, Default)]
pub struct Count {
    places: HashMap<u32, usize>,
    last: Option<(u32, usize)>,
    /// Evaluated, hit, not evaluated.
    counts: Vec<(u32, [u64; 3])>,
    reasons: HashMap<(usize, u64, bool), u64>,
}

impl Count {
    /// The place of a facility among the counts.
    fn at(&mut self, facility: u32) -> usize {
        let at = match self.last {
            Some((last, at)) if last == facility => at,
            _ => *self.places.entry(facility).or_insert_with(|| {
                self.counts.push((facility, [0; 3]));
                self.counts.len() - 1
            }),
        };
        self.last = Some((facility, at));
        at
    }

    /// A clean unit at each of these facilities.
    pub fn all_clean(&mut self, facilities: impl Iterator<Item = u32>) {
        // Units of one encounter are neighbours.
        let mut run: (u32, u64) = (0, 0);
        for facility in facilities {
            if facility != run.0 && run.1 > 0 {
                let at = self.at(run.0);
                self.counts[at].1[0] += run.1;
                run.1 = 0;
            }
            run = (facility, run.1 + 1);
        }
        if run.1 > 0 {
            let at = self.at(run.0);
            self.counts[at].1[0] += run.1;
        }
    }

    /// One unit that was counted as clean at a facility is hit.
    pub fn but_hit(&mut self, facility: u32) {
        let at = self.at(facility);
        self.counts[at].1[1] += 1;
    }

    /// One more unit at a facility.
    pub fn add(&mut self, facility: u32, answer: Answer) {
        let at = self.at(facility);
        let [evaluated, hit, not_evaluated] = &mut self.counts[at].1;
        match answer {
            Answer::Clean => *evaluated += 1,
            Answer::Hit => {
                *evaluated += 1;
                *hit += 1;
            }
            Answer::Lacks(columns) => {
                *not_evaluated += 1;
                *self.reasons.entry((at, columns, true)).or_default() += 1;
            }
            Answer::Because(reason) => {
                *not_evaluated += 1;
                *self.reasons.entry((at, u64::from(reason), false)).or_default() += 1;
            }
        }
    }

    /// Adds what was counted to what is known, by the facilities' codes; `lacking` says what null columns mean, `because`
    /// are the other reasons.
    pub fn told(
        self,
        into: &mut BTreeMap<String, Answers>,
        facility: impl Fn(u32) -> String,
        lacking: impl Fn(u64) -> String,
        because: &[String],
    ) {
        for (at, (number, [evaluated, hit, not_evaluated])) in self.counts.iter().enumerate() {
            let reasons = self.reasons.iter().filter(|((place, _, _), _)| *place == at);
            let reasons = reasons.map(|((_, what, lacks), units)| {
                let text = if *lacks {
                    lacking(*what)
                } else {
                    usize::try_from(*what).ok().and_then(|at| because.get(at)).cloned().unwrap_or_default()
                };
                (text, *units)
            });
            let mut told =
                Answers { evaluated: *evaluated, hit: *hit, not_evaluated: *not_evaluated, reasons: BTreeMap::new() };
            for (reason, units) in reasons {
                *told.reasons.entry(reason).or_default() += units;
            }
            into.entry(facility(*number)).or_default().merge(told);
        }
    }
}
