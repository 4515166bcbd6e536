//! Decisions (复核决定): what becomes of a pending claim because of a finding. Policy, and so a file: `decisions.toml` of the
//! library, or another that a review is given.
//!
//! Goes in: the file's text and the rules that it may name. Comes out: [`Decisions`], entries in their order, or every mistake
//! at once, with its place. The first entry that fits a finding decides; the last one fits all, so that nothing is left open.
//! Deliberately unknown here: findings and claims, money, and that a rule on trial never decides; a review knows those.
//!
//! To add something that an entry may ask for: a key in [`KNOWN`], a field of [`Entry`], its meaning in [`Entry::fits`].

use std::collections::BTreeSet;
use std::ops::Range;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::RuleSet;
use super::file::{Entry as Given, Reader, hex};
use crate::model::codes::region_fit;
use crate::span::{Diagnostic, nearest};

/// The file's name in a library.
pub const FILE: &str = "decisions.toml";

const KNOWN: [&str; 7] = ["rules", "result", "severity", "region", "fixmedins_code", "decision", "why"];
const RESULTS: [&str; 2] = ["明确违规", "可疑"];
const SEVERITIES: [&str; 3] = ["high", "medium", "low"];

/// What is done with a pending claim; the later ones are the graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Decision {
    /// It is paid.
    #[default]
    Pass,
    /// A person must look.
    Hold,
    /// An amount of it is not paid.
    Refuse,
}

impl Decision {
    pub const ALL: [Decision; 3] = [Decision::Pass, Decision::Hold, Decision::Refuse];

    /// The word in files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Decision::Pass => "pass",
            Decision::Hold => "hold",
            Decision::Refuse => "refuse",
        }
    }

    /// The word for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Decision::Pass => "通过",
            Decision::Hold => "待核",
            Decision::Refuse => "拒付",
        }
    }

    fn named(word: &str) -> Option<Decision> {
        Decision::ALL.into_iter().find(|decision| decision.name() == word)
    }
}

/// A finding about a claim, as far as policy asks.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a> {
    pub rule_code: &'a str,
    pub result: &'a str,
    pub severity: &'a str,
    /// `admdvs` of the claim.
    pub region: Option<&'a str>,
    pub fixmedins_code: Option<&'a str>,
}

/// A line of the policy: empty lists ask nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Codes and families.
    pub rules: BTreeSet<String>,
    pub results: BTreeSet<String>,
    pub severities: BTreeSet<String>,
    /// Counties, cities (`…00`), provinces (`…0000`).
    pub regions: BTreeSet<String>,
    pub facilities: BTreeSet<String>,
    pub decision: Decision,
}

impl Entry {
    fn fits(&self, matter: &Matter<'_>) -> bool {
        let asks = |of: &BTreeSet<String>, fits: &dyn Fn(&str) -> bool| of.is_empty() || of.iter().any(|one| fits(one));
        asks(&self.rules, &|rule| matter.rule_code == rule || matter.rule_code.get(..3) == Some(rule))
            && asks(&self.results, &|result| matter.result == result)
            && asks(&self.severities, &|severity| matter.severity == severity)
            && asks(&self.regions, &|region| region_fit(Some(region), matter.region).is_some())
            && asks(&self.facilities, &|facility| matter.fixmedins_code == Some(facility))
    }

    fn asks_nothing(&self) -> bool {
        *self == Entry { decision: self.decision, ..Entry::default() }
    }

    /// Whether every finding that fits `later` fits this one too, as far as the entries alone tell.
    fn covers(&self, later: &Entry) -> bool {
        let wider = |mine: &BTreeSet<String>, theirs: &BTreeSet<String>| {
            mine.is_empty() || !theirs.is_empty() && theirs.is_subset(mine)
        };
        wider(&self.rules, &later.rules)
            && wider(&self.results, &later.results)
            && wider(&self.severities, &later.severities)
            && wider(&self.regions, &later.regions)
            && wider(&self.facilities, &later.facilities)
    }
}

/// The policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisions {
    /// In the order of the file.
    pub entries: Vec<Entry>,
    /// Hash of the file, hex; empty where there was none.
    pub hash: String,
}

/// What holds where a library says nothing: 明确违规 is refused, 可疑 of high and medium severity is held, the rest passes.
impl Default for Decisions {
    fn default() -> Decisions {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Decisions {
            entries: vec![
                Entry { results: words(&["明确违规"]), decision: Decision::Refuse, ..Entry::default() },
                Entry { severities: words(&["high", "medium"]), decision: Decision::Hold, ..Entry::default() },
                Entry::default(),
            ],
            hash: String::new(),
        }
    }
}

impl Decisions {
    /// Reads a policy.
    ///
    /// # Errors
    /// Every mistake of the file.
    pub fn read(file: &str, text: &str, set: &RuleSet) -> Result<Decisions, Vec<Diagnostic>> {
        let mut reader = Reader::new(file, text);
        let mut entries: Vec<(Entry, Range<usize>)> = Vec::new();
        let parsed = reader.parsed();
        if reader.mistakes.is_empty() {
            let head = reader.table(parsed.get_ref(), &["decision"], "a file of decisions");
            let list = head.get("decision").map(|(_, value)| value);
            match list.map(|list| (list, list.get_ref().as_array())) {
                Some((_, Some(list))) => {
                    for item in list {
                        match item.get_ref().as_table() {
                            Some(table) => {
                                entries.extend(entry(&mut reader, table, &item.span(), set).map(|e| (e, item.span())));
                            }
                            None => not_a_table(&mut reader, item.span()),
                        }
                    }
                }
                Some((list, None)) => not_a_table(&mut reader, list.span()),
                None => reader.mistakes.push(
                    Diagnostic::whole(file, "no `[[decision]]`")
                        .help("the last one fits all findings, the first that fits decides"),
                ),
            }
        }
        if reader.mistakes.is_empty() {
            in_order(&mut reader, &entries);
        }
        if !reader.mistakes.is_empty() {
            return Err(reader.mistakes);
        }
        let entries = entries.into_iter().map(|(entry, _)| entry).collect();
        Ok(Decisions { entries, hash: hex(&Sha256::digest(text)) })
    }

    /// What the first entry that fits says.
    #[must_use]
    pub fn of(&self, matter: &Matter<'_>) -> Decision {
        self.entries.iter().find(|entry| entry.fits(matter)).map_or(Decision::Hold, |entry| entry.decision)
    }
}

fn not_a_table(reader: &mut Reader<'_>, place: Range<usize>) {
    reader.wrong(place, "a decision is not a table", Some("write `[[decision]]`".to_owned()));
}

/// An entry behind one that takes all of its findings is never asked; and the last takes what is left.
fn in_order(reader: &mut Reader<'_>, entries: &[(Entry, Range<usize>)]) {
    for (number, (entry, place)) in entries.iter().enumerate() {
        if let Some(first) = entries[..number].iter().position(|(earlier, _)| earlier.covers(entry)) {
            reader.wrong(
                place.clone(),
                format!("this decision is never asked: number {} fits all of its findings before it", first + 1),
                Some("the first that fits decides: put the exception before the rule".to_owned()),
            );
        }
    }
    if let Some((last, place)) = entries.last().filter(|(last, _)| !last.asks_nothing()) {
        reader.wrong(
            place.clone(),
            "the last decision does not fit every finding",
            Some(format!("end with `[[decision]]` and nothing but `decision = \"{}\"`", last.decision.name())),
        );
    }
}

fn entry(reader: &mut Reader<'_>, table: &DeTable<'_>, place: &Range<usize>, set: &RuleSet) -> Option<Entry> {
    let given = reader.table(table, &KNOWN, "a decision");
    let before = reader.mistakes.len();
    let rules = listed(reader, given.get("rules"), "rules", &|word| {
        let known = || set.rules.iter().flat_map(|rule| [rule.code.as_str(), rule.family()]);
        if known().any(|name| name == word) {
            return Ok(());
        }
        let close = nearest(word, known()).map(|name| format!("did you mean `{name}`?"));
        let help = close.unwrap_or_else(|| "`fundaudit rules list` shows them all".to_owned());
        Err((format!("no rule or family has the code `{word}`"), help))
    });
    let one_of = |known: &'static [&'static str], name: &'static str| {
        move |word: &str| {
            if known.contains(&word) {
                return Ok(());
            }
            Err((format!("`{name}` is `{word}`"), format!("wanted one or more of {}", known.join(", "))))
        }
    };
    let results = listed(reader, given.get("result"), "result", &one_of(&RESULTS, "result"));
    let severities = listed(reader, given.get("severity"), "severity", &one_of(&SEVERITIES, "severity"));
    let regions = listed(reader, given.get("region"), "region", &|word| {
        if word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(());
        }
        let help = "six digits: a county as it is, a city with `00`, a province with `0000` at the end";
        Err((format!("`{word}` is not a region"), help.to_owned()))
    });
    let facilities = listed(reader, given.get("fixmedins_code"), "fixmedins_code", &|_| Ok(()));
    let decision = match given.get("decision") {
        None => {
            reader.wrong(place.clone(), "`decision` is missing", Some("pass, hold or refuse".to_owned()));
            None
        }
        Some((_, value)) => {
            let word = value.get_ref().as_str().unwrap_or_default();
            let decision = Decision::named(word);
            if decision.is_none() {
                let help = "wanted `pass`, `hold` or `refuse`".to_owned();
                reader.wrong(value.span(), format!("`decision` is `{word}`"), Some(help));
            }
            decision
        }
    };
    reader.text_of(given.get("why"), "why", false);
    if reader.mistakes.len() > before {
        return None;
    }
    Some(Entry { rules, results, severities, regions, facilities, decision: decision? })
}

/// What is wrong with a word, and what to do.
type Checked = Result<(), (String, String)>;

/// A text or a list of texts, each of which is checked.
fn listed(
    reader: &mut Reader<'_>,
    given: Option<&Given<'_>>,
    name: &str,
    check: &dyn Fn(&str) -> Checked,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (word, place) in reader.listed(given, name) {
        match check(&word) {
            Ok(()) => {
                found.insert(word);
            }
            Err((message, help)) => reader.wrong(place, message, Some(help)),
        }
    }
    found
}
