//! Before the money leaves: a review finds what the audit finds, sees the past of the person and no more, and decides by
//! policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use fundaudit::clock::Deadline;
use fundaudit::engine::{Facility, Setting, Tables};
use fundaudit::findings::{Finding, FindingLine, Outcome};
use fundaudit::ingest::past::everything;
use fundaudit::ingest::values::TableBuilder;
use fundaudit::ingest::{self, Dataset};
use fundaudit::model::{Table, day};
use fundaudit::operations::audit;
use fundaudit::operations::generate::{self, generate};
use fundaudit::operations::library;
use fundaudit::operations::review::command::{self, Done, Options};
use fundaudit::operations::review::history::{OfDataset, Wanted, With};
use fundaudit::operations::review::{Ask, Decided, History, Nothing, Review, Reviewer, Setup, Stage};
use fundaudit::progress::Silent;
use fundaudit::rules::{Decision, Decisions};
use hashbrown::HashMap;
use proptest::prelude::*;
use rayon::prelude::*;
use rust_decimal::Decimal;

/// Everything that is known of a person, and which of the claims are in the past.
struct Past<'a> {
    whole: &'a Tables,
    settled: BTreeSet<String>,
    encounters: BTreeSet<String>,
    month: &'a Month,
}

impl History for Past<'_> {
    fn of(&self, _persons: &[&str], _wanted: &Wanted) -> Result<Tables, fundaudit::operations::Error> {
        Ok(chosen(self.whole, &|id| self.settled.contains(id), &|id| self.encounters.contains(id)))
    }

    fn first_day(&self) -> i32 {
        self.month.first_day
    }

    fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
        &self.month.facilities
    }
}

/// A generated month as a dataset, and what an audit finds in it.
struct Month {
    _folder: tempfile::TempDir,
    dataset: Dataset,
    past: ingest::Past,
    facilities: Arc<HashMap<String, Facility>>,
    first_day: i32,
    last_day: i32,
    setup: Setup,
    /// What the audit finds.
    batch: Outcome,
}

fn month() -> Month {
    let options = generate::Options { persons: 500, months: 1, seed: 5, ..generate::Options::default() };
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("export");
    generate(&options, &export, &Silent).unwrap();
    let dataset =
        ingest::ingest(std::slice::from_ref(&export), &ingest::Options::default(), &folder.path().join("d"), &Silent)
            .unwrap();
    let knowledge = export.join("knowledge");
    let origin = library::Origin { rules: None, knowledge: Some(&knowledge) };
    let library = library::compile(origin, &[]).unwrap();
    let outcome = audit::findings_of(&audit::Options::default(), &library, &dataset, &Silent).unwrap();
    let facilities = Setting::facilities_of(&dataset.facilities().unwrap()).unwrap();
    Month {
        facilities: Arc::new(facilities),
        first_day: dataset.manifest().first_day.unwrap(),
        last_day: dataset.manifest().last_day.unwrap(),
        setup: Setup { knowledge: Some(knowledge), ..Setup::default() },
        batch: outcome,
        past: ingest::Past::of(&dataset, &Silent).unwrap(),
        dataset,
        _folder: folder,
    }
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Vec<Option<&'a str>> {
    batch.column_by_name(name).unwrap().as_string::<i32>().iter().collect()
}

/// Rows of some settlements and encounters; what is known of the person as such is always there.
fn chosen(whole: &Tables, settled: &dyn Fn(&str) -> bool, encounter: &dyn Fn(&str) -> bool) -> Tables {
    let mut tables = Tables::new();
    for (table, batch) in whole {
        let mask: BooleanArray = match table {
            Table::Settlement | Table::FeeDetail => {
                texts(batch, "setl_id").iter().map(|id| Some(id.is_some_and(settled))).collect()
            }
            Table::Person | Table::Identity | Table::Facility => vec![Some(true); batch.num_rows()].into(),
            _ => texts(batch, "mdtrt_id").iter().map(|id| Some(id.is_some_and(encounter))).collect(),
        };
        tables.insert(*table, filter_record_batch(batch, &mask).unwrap());
    }
    tables
}

impl Month {
    fn persons(&self) -> Vec<String> {
        let mut persons = BTreeSet::new();
        for unit in self.dataset.units() {
            let batch = self.dataset.read(unit, Table::FeeDetail, &["psn_no"]).unwrap();
            persons.extend(texts(&batch, "psn_no").into_iter().flatten().map(str::to_owned));
        }
        persons.into_iter().collect()
    }

    fn whole(&self, person: &str) -> Tables {
        self.past.read(&[person], &everything()).unwrap()
    }
}

/// A settlement and its encounter.
#[derive(Debug, Clone)]
struct Settled {
    id: String,
    encounter: String,
    day: i32,
    /// The settlement that it takes back.
    takes_back: Option<String>,
}

/// A person's claims.
struct Life {
    whole: Tables,
    order: Vec<Settled>,
}

impl Life {
    fn of(month: &Month, person: &str) -> Life {
        let whole = month.whole(person);
        let batch = &whole[&Table::Settlement];
        let times = batch.column_by_name("setl_time").unwrap().as_primitive::<TimestampMicrosecondType>();
        let owned = |name: &str| -> Vec<Option<String>> {
            texts(batch, name).into_iter().map(|text| text.map(str::to_owned)).collect()
        };
        let (ids, encounters, origins) = (owned("setl_id"), owned("mdtrt_id"), owned("init_setl_id"));
        let mut order: Vec<(i64, Settled)> = (0..batch.num_rows())
            .map(|row| {
                let day = i32::try_from(times.value(row).div_euclid(86_400_000_000)).unwrap();
                let (id, encounter) = (ids[row].clone().unwrap(), encounters[row].clone().unwrap());
                (times.value(row), Settled { id, encounter, day, takes_back: origins[row].clone() })
            })
            .collect();
        order.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
        Life { whole, order: order.into_iter().map(|(_, settled)| settled).collect() }
    }

    fn claim(&self, number: usize) -> Tables {
        let of = &self.order[number];
        chosen(&self.whole, &|id| id == of.id, &|id| id == of.encounter)
    }

    /// The claims before this one.
    fn past<'a>(&'a self, number: usize, month: &'a Month) -> Past<'a> {
        let before = &self.order[..number];
        Past {
            whole: &self.whole,
            settled: before.iter().map(|settled| settled.id.clone()).collect(),
            encounters: before.iter().map(|settled| settled.encounter.clone()).collect(),
            month,
        }
    }

    /// All claims up to this one as one batch.
    fn until(&self, number: usize) -> Tables {
        let so_far = &self.order[..=number];
        chosen(&self.whole, &|id| so_far.iter().any(|settled| settled.id == id), &|id| {
            so_far.iter().any(|settled| settled.encounter == id)
        })
    }
}

/// Amounts by rule and finding.
type Facts = BTreeMap<(String, String), Decimal>;

fn facts<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Facts {
    findings.into_iter().map(|f| ((f.rule_code.clone(), f.finding_id.clone()), f.amount)).collect()
}

/// A claim that is settled later makes the earlier one a finding: a stay that ends after a visit during it was paid, a stay
/// that began before one that was settled first. And what one person's claim says of another's (IDN103).
const A_LATER_CLAIM: [&str; 5] = ["IDN103", "STY101", "STY102", "STY104", "STY105"];

#[test]
fn a_month_claim_by_claim_finds_what_the_audit_finds() {
    let month = month();
    let reviewer = Reviewer::new(&month.setup).unwrap();
    let rules: BTreeSet<&str> = reviewer.rules(Stage::During).map(|rule| rule.code.as_str()).collect();
    let lives: BTreeMap<String, Life> =
        month.persons().into_iter().map(|person| (person.clone(), Life::of(&month, &person))).collect();
    // (person, place of the claim, rule, finding) → amount, in the order of settlement.
    let found: Vec<(&str, usize, Facts)> = lives
        .par_iter()
        .flat_map_iter(|(person, life)| {
            let (reviewer, month) = (&reviewer, &month);
            (0..life.order.len()).map(move |number| {
                let ask = Ask::of(Stage::During, life.order[number].day);
                let review = reviewer.review(&life.claim(number), &life.past(number, month), &ask).unwrap();
                let two_at_once = Ask { hands: 2, ..ask };
                let again = reviewer.review(&life.claim(number), &life.past(number, month), &two_at_once).unwrap();
                assert_eq!(format!("{again:?}"), format!("{review:?}"), "two threads say what one says");
                (person.as_str(), number, facts(&review.findings))
            })
        })
        .collect();
    assert!(found.len() > 700, "a month has claims: {}", found.len());
    let mut replayed: BTreeMap<(String, String), (&str, usize, Decimal)> = BTreeMap::new();
    for (person, number, facts) in &found {
        for (fact, amount) in facts {
            // The last word on a fact counts: a second claim of a day may make it larger.
            replayed.insert(fact.clone(), (person, *number, *amount));
        }
    }
    let batch = facts(month.batch.findings.iter().filter(|f| rules.contains(f.rule_code.as_str())));
    assert!(batch.keys().map(|(rule, _)| rule).collect::<BTreeSet<_>>().len() > 40, "most rules find something");

    let whose: HashMap<(String, String), (String, String)> = whose_lines(&lives);
    let as_one = |tables: &Tables, day: i32| {
        let nothing = Past { whole: tables, settled: BTreeSet::new(), encounters: BTreeSet::new(), month: &month };
        facts(&reviewer.review(tables, &nothing, &Ask::of(Stage::During, day)).unwrap().findings)
    };
    let mut later = BTreeSet::new();
    for (fact, amount) in &batch {
        if replayed.get(fact).is_some_and(|(_, _, replayed)| replayed == amount) {
            continue;
        }
        later.insert(fact.0.as_str());
        proven_later(fact, *amount, &month, &lives, &whose, &as_one);
    }
    assert_eq!(later, BTreeSet::from(A_LATER_CLAIM), "no other rule differs, and these do");

    let mut taken_back = 0;
    for (fact, (person, number, amount)) in replayed.iter().filter(|(fact, _)| !batch.contains_key(*fact)) {
        // Found when it was settled, as one batch would have then; a later refund took the claim back.
        let life = &lives[*person];
        let then = as_one(&life.until(*number), life.order[*number].day);
        assert_eq!(then.get(fact), Some(amount), "{fact:?} was no fact on that day either");
        let settled: BTreeSet<&str> = life.order[..=*number].iter().map(|settled| settled.id.as_str()).collect();
        let takes_back = |later: &Settled| later.takes_back.as_deref().is_some_and(|id| settled.contains(id));
        let refunded = life.order[number + 1..].iter().any(takes_back);
        assert!(refunded, "{fact:?} is not in the audit, and nobody took a claim back");
        taken_back += 1;
    }
    assert!(taken_back > 10, "refunds were planted: {taken_back}");
}

/// Person and settlement of each line.
fn whose_lines(lives: &BTreeMap<String, Life>) -> HashMap<(String, String), (String, String)> {
    let mut whose = HashMap::new();
    for (person, life) in lives {
        let lines = &life.whole[&Table::FeeDetail];
        let ids = texts(lines, "mdtrt_id").into_iter().zip(texts(lines, "feedetl_sn"));
        for ((encounter, serial), settlement) in ids.zip(texts(lines, "setl_id")) {
            let line = (encounter.unwrap().to_owned(), serial.unwrap().to_owned());
            whose.insert(line, (person.clone(), settlement.unwrap_or_default().to_owned()));
        }
    }
    whose
}

/// A fact that only a later claim makes: on the day on which the last of its violating claims was settled not even an audit
/// of everything so far finds it, and once all is settled it does.
fn proven_later(
    fact: &(String, String),
    amount: Decimal,
    month: &Month,
    lives: &BTreeMap<String, Life>,
    whose: &HashMap<(String, String), (String, String)>,
    as_one: &dyn Fn(&Tables, i32) -> Facts,
) {
    let lines: Vec<&FindingLine> = month.batch.lines.iter().filter(|line| line.finding_id == fact.1).collect();
    let of = |line: &FindingLine| &whose[&(line.mdtrt_id.clone(), line.feedetl_sn.clone())];
    let persons: BTreeSet<&str> = lines.iter().map(|line| of(line).0.as_str()).collect();
    let violating: BTreeSet<&str> =
        lines.iter().filter(|line| line.kind == 1).map(|line| of(line).1.as_str()).collect();
    if fact.0 == "IDN103" {
        // Another person's past: whoever reviews both together finds it, and each alone knows nothing of it.
        assert!(persons.len() > 1, "{fact:?} is about one person");
        let mut together = Tables::new();
        for person in &persons {
            let life = &lives[*person];
            let until = life.until(life.order.len() - 1);
            assert!(!as_one(&until, month.last_day).contains_key(fact), "{fact:?} is found in one person's claims");
            for (table, batch) in until {
                let all = together.remove(&table).map_or_else(
                    || batch.clone(),
                    |known| arrow::compute::concat_batches(&batch.schema(), [&known, &batch]).unwrap(),
                );
                together.insert(table, all);
            }
        }
        assert_eq!(as_one(&together, month.last_day).get(fact), Some(&amount));
        return;
    }
    let life = &lives[*persons.first().unwrap()];
    assert_eq!(persons.len(), 1, "{fact:?}");
    let last = life.order.iter().rposition(|settled| violating.contains(settled.id.as_str())).unwrap();
    assert!(last + 1 < life.order.len(), "{fact:?}: no later claim");
    let then = as_one(&life.until(last), life.order[last].day);
    assert_ne!(then.get(fact), Some(&amount), "{fact:?} was to be found when the claim was settled");
    let in_the_end = as_one(&life.until(life.order.len() - 1), month.last_day);
    assert_eq!(in_the_end.get(fact), Some(&amount), "{fact:?} is not of this person's claims alone");
}

/// Rows of tables, a text of `name=value` each.
pub(super) fn rows(tables: &[(Table, &[&str])]) -> Tables {
    let mut made = Tables::new();
    for (table, rows) in tables {
        let mut builder = TableBuilder::new(*table);
        for row in *rows {
            let cells: Vec<(usize, &str)> = row
                .split_whitespace()
                .map(|cell| cell.split_once('=').unwrap())
                .map(|(name, value)| (table.position(name).unwrap_or_else(|| panic!("no column {name}")), value))
                .collect();
            builder.push(cells).unwrap_or_else(|bad| panic!("{bad:?}"));
        }
        made.insert(*table, builder.finish());
    }
    made
}

/// A visit of P1 at H1 on 11 March with nursing of class II (once a day, 12 yuan), so many units of it.
pub(super) fn nursing(encounter: &str, settlement: &str, units: u32) -> Tables {
    let fen = 12 * units;
    rows(&[
        (
            Table::Settlement,
            &[&format!(
                "setl_id={settlement} mdtrt_id={encounter} psn_no=P1 fixmedins_code=H1 setl_time=2026-03-12 medfee_sumamt={fen} inscp_amt={fen} insu_admdvs=370323"
            )],
        ),
        (
            Table::Encounter,
            &[&format!(
                "mdtrt_id={encounter} psn_no=P1 fixmedins_code=H1 med_type=11 begntime=2026-03-11 endtime=2026-03-11"
            )],
        ),
        (
            Table::FeeDetail,
            &[&format!(
                "feedetl_sn=1 mdtrt_id={encounter} setl_id={settlement} psn_no=P1 fixmedins_code=H1 hilist_code=001201000040000 fee_ocur_time=2026-03-11T08:00:00 cnt={units} pric=12 det_item_fee_sumamt={fen} inscp_amt={fen}"
            )],
        ),
    ])
}

/// A past that somebody holds in his hand.
pub(super) struct Held(Tables, Arc<HashMap<String, Facility>>);

impl History for Held {
    fn of(&self, _persons: &[&str], _wanted: &Wanted) -> Result<Tables, fundaudit::operations::Error> {
        Ok(self.0.clone())
    }

    fn first_day(&self) -> i32 {
        day::parse("2026-01-01").unwrap()
    }

    fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
        &self.1
    }
}

pub(super) fn held(tables: Tables) -> Held {
    Held(tables, Arc::default())
}

fn during() -> Ask {
    Ask::of(Stage::During, day::parse("2026-03-31").unwrap())
}

fn reviewer() -> Reviewer {
    Reviewer::new(&Setup::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn of_rule<'r>(review: &'r Review, code: &str) -> Vec<&'r Finding> {
    review.findings.iter().filter(|finding| finding.rule_code == code).collect()
}

fn only(review: &Review) -> &Decided {
    assert_eq!(review.claims.len(), 1, "{:?}", review.claims);
    &review.claims[0]
}

#[test]
fn a_certain_finding_is_refused_line_by_line() {
    let reviewer = reviewer();
    let review = reviewer.review(&nursing("M1", "S1", 3), &Nothing::default(), &during()).unwrap();
    let claim = only(&review);
    assert_eq!((claim.decision, claim.claimed, claim.refused), (Decision::Refuse, yuan("36.00"), yuan("24.00")));
    let line = &claim.refused_lines[0];
    assert_eq!((line.feedetl_sn.as_str(), line.amount, line.rule_code.as_str()), ("1", yuan("24.00"), "BIL103"));
    assert_eq!(claim.finding_ids, [review.findings[0].finding_id.clone()]);

    let clean = reviewer.review(&nursing("M1", "S1", 1), &Nothing::default(), &during()).unwrap();
    assert_eq!((only(&clean).decision, only(&clean).refused), (Decision::Pass, yuan("0.00")));
    assert!(clean.findings.is_empty());
}

fn yuan(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn a_claim_is_held_against_the_past_and_not_against_itself() {
    let reviewer = reviewer();
    let pending = nursing("M2", "S2", 1);
    let alone = reviewer.review(&pending, &Nothing::default(), &during()).unwrap();
    assert!(alone.findings.is_empty());
    // The day's one unit of nursing has been paid already.
    let after = reviewer.review(&pending, &held(nursing("M1", "S1", 1)), &during()).unwrap();
    assert_eq!(of_rule(&after, "BIL103").len(), 1);
    assert_eq!(only(&after).setl_id, "S2", "the past waits for no decision");
    assert!(only(&after).refused <= only(&after).claimed);
    // The same claim, known already under its ids.
    let known = reviewer.review(&pending, &held(nursing("M2", "S2", 1)), &during()).unwrap();
    assert!(known.findings.is_empty(), "{:?}", known.findings);
    // Sent again with another quantity: what is pending counts, not what it was.
    let again = reviewer.review(&nursing("M2", "S2", 1), &held(nursing("M2", "S2", 5)), &during()).unwrap();
    assert!(again.findings.is_empty(), "{:?}", again.findings);
    // A violation that is wholly of the past is nobody's news.
    let past =
        reviewer.review(&rows(&[(Table::Person, &["psn_no=P1 gend=2"])]), &held(nursing("M1", "S1", 3)), &during());
    assert!(past.unwrap().findings.is_empty());
}

/// A part of a stay of P1 at H1 that goes on over the turn of a year, with so many days of nursing of class II.
fn part_of_stay(encounter: &str, begin: &str, end: &str, days: u32) -> Tables {
    let fen = 12 * days;
    rows(&[
        (
            Table::Settlement,
            &[&format!(
                "setl_id=S{encounter} mdtrt_id={encounter} psn_no=P1 fixmedins_code=H1 setl_time={end} medfee_sumamt={fen} inscp_amt={fen}"
            )],
        ),
        (
            Table::Encounter,
            &[&format!(
                "mdtrt_id={encounter} psn_no=P1 fixmedins_code=H1 med_type=21 begntime={begin} endtime={end} ars_year_ipt_flag=1"
            )],
        ),
        (
            Table::FeeDetail,
            &[&format!(
                "feedetl_sn=1 mdtrt_id={encounter} setl_id=S{encounter} psn_no=P1 fixmedins_code=H1 hilist_code=001201000040000 fee_ocur_time={begin} cnt={days} pric=12 det_item_fee_sumamt={fen} inscp_amt={fen}"
            )],
        ),
    ])
}

#[test]
fn a_part_of_a_stay_is_seen_with_the_parts_that_were_paid() {
    let reviewer = reviewer();
    let (first, second) =
        (part_of_stay("M1", "2026-03-01", "2026-03-06", 9), part_of_stay("M2", "2026-03-06", "2026-03-08", 2));
    let nursing = |pending: &Tables, past: Tables| {
        let review = reviewer.review(pending, &held(past), &during()).unwrap();
        facts(of_rule(&review, "BIL109"))
    };
    assert!(nursing(&second, Tables::new()).is_empty(), "two days of nursing in two days");
    let mut both = first.clone();
    for (table, batch) in &mut both {
        *batch = arrow::compute::concat_batches(&batch.schema(), [&*batch, &second[table]]).unwrap();
    }
    let at_once = nursing(&both, Tables::new());
    assert_eq!(at_once.len(), 1, "eleven days of nursing in seven days");
    assert_eq!(nursing(&second, first.clone()), at_once);
    // A stay that has nothing to do with it changes nothing.
    let mut past = first;
    let other = part_of_stay("M0", "2026-01-01", "2026-01-04", 9);
    for (table, batch) in &mut past {
        *batch = arrow::compute::concat_batches(&batch.schema(), [&other[table], &*batch]).unwrap();
    }
    assert_eq!(nursing(&second, past), at_once, "its nursing was somebody's decision before");
}

#[test]
fn what_a_message_tells_of_the_past_is_laid_to_what_is_known() {
    let reviewer = reviewer();
    let pending = nursing("M2", "S2", 1);
    let found = |known: Tables, told: &Tables| {
        let known = held(known);
        let review = reviewer.review(&pending, &With::new(&known, told), &during()).unwrap();
        of_rule(&review, "BIL103").iter().map(|finding| finding.amount).collect::<Vec<_>>()
    };
    let nothing = Tables::new();
    assert_eq!(found(nothing.clone(), &nothing), []);
    assert_eq!(found(nothing.clone(), &nursing("M1", "S1", 1)), [yuan("12.00")], "told by the hospital alone");
    assert_eq!(found(nursing("M1", "S1", 1), &nothing), [yuan("12.00")], "known already");
    assert_eq!(found(nursing("M1", "S1", 1), &nursing("M1", "S1", 1)), [yuan("12.00")], "the same visit, once");
    assert_eq!(found(nursing("M1", "S1", 5), &nursing("M1", "S1", 1)), [yuan("60.00")], "what was uploaded stands");
    assert_eq!(found(nursing("M1", "S1", 1), &nursing("M3", "S3", 1)), [yuan("24.00")], "both");
    assert_eq!(found(nothing, &nursing("M2", "S2", 5)), [], "what is pending goes before what is told of it");
}

/// A visit of P1 at H1 that is not settled, with lines of nursing of class II (12 yuan): a serial number, and what else is to be
/// said of each.
fn visit(encounter: &str, also: &str, lines: &[&str]) -> Tables {
    let line = |line: &&str| {
        format!(
            "mdtrt_id={encounter} psn_no=P1 fixmedins_code=H1 hilist_code=001201000040000 pric=12 feedetl_sn={line}"
        )
    };
    let lines: Vec<String> = lines.iter().map(line).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let encounter =
        format!("mdtrt_id={encounter} psn_no=P1 fixmedins_code=H1 med_type=11 begntime=2026-03-11T07:50:00 {also}");
    rows(&[(Table::Encounter, &[&encounter]), (Table::FeeDetail, &lines)])
}

/// What BIL103 says when a unit of nursing is pending for the day: 12 yuan for each unit that there was before.
fn units_before(known: Tables, told: &Tables) -> u32 {
    static REVIEWER: LazyLock<Reviewer> = LazyLock::new(reviewer);
    let known = held(known);
    let review = REVIEWER.review(&nursing("M2", "S2", 1), &With::new(&known, told), &during()).unwrap();
    let amounts: Decimal = of_rule(&review, "BIL103").iter().map(|finding| finding.amount).sum();
    u32::try_from(amounts / Decimal::from(12)).unwrap()
}

const ONE: &str = "fee_ocur_time=2026-03-11T08:00:00 cnt=1 det_item_fee_sumamt=12 inscp_amt=12";
/// The same as the ward wrote it down.
const ONE_AT_NINE: &str = "fee_ocur_time=2026-03-11T09:13:00 cnt=1 det_item_fee_sumamt=12 inscp_amt=12";
const TWO: &str = "fee_ocur_time=2026-03-11 cnt=2 det_item_fee_sumamt=24 inscp_amt=24";
const ONE_LESS: &str = "fee_ocur_time=2026-03-11T10:00:00 cnt=-1 det_item_fee_sumamt=-12 inscp_amt=-12";

#[test]
fn a_line_that_hospital_and_bureau_both_tell_counts_once_whatever_its_number() {
    let bureau = || visit("M1", "", &[&format!("F77 {ONE}")]);
    let told = |lines: &[&str]| visit("M1", "", lines);
    let order = format!("RX1 {ONE_AT_NINE}");
    assert_eq!(units_before(bureau(), &Tables::new()), 1);
    assert_eq!(units_before(bureau(), &told(&[&order])), 1, "the encounter is known, and so is the line");
    assert_eq!(units_before(Tables::new(), &told(&[&order])), 1, "nobody else knows of it");
    assert_eq!(units_before(bureau(), &visit("M9", "", &[&order])), 2, "another visit");
    // What the bureau lacks: a second order of the day, and one of which the day differs.
    assert_eq!(units_before(bureau(), &told(&[&order, &format!("RX2 {ONE_AT_NINE}")])), 2);
    assert_eq!(units_before(bureau(), &told(&[&format!("RX2 {TWO}")])), 3, "another quantity is another line");
    // The bureau's line stands under its own number, too.
    assert_eq!(units_before(bureau(), &told(&[&format!("F77 {TWO}")])), 1);
    // Two lines of the bureau are two, and one order is one of them.
    let twice = visit("M1", "", &[&format!("F77 {ONE}"), &format!("F78 {ONE}")]);
    assert_eq!(units_before(twice, &told(&[&order])), 2);
    // Cut in two, or put together.
    let both = [&*order, &format!("RX2 {ONE_AT_NINE}")];
    assert_eq!(units_before(visit("M1", "", &[&format!("F77 {TWO}")]), &told(&both)), 2);
    assert_eq!(units_before(visit("M1", "", &both), &told(&[&format!("RX7 {TWO}")])), 2);
}

#[test]
fn a_reversal_finds_its_line_whoever_knows_it() {
    let order = format!("RX1 {ONE_AT_NINE}");
    let one = visit("M1", "", &[&format!("F77 {ONE}")]);
    let reversed = visit("M1", "", &[&format!("F77 {ONE}"), &format!("F78 {ONE_LESS} init_feedetl_sn=F77")]);
    let told = |lines: &[&str]| visit("M1", "", lines);
    // The hospital has taken back what the bureau still has as charged.
    assert_eq!(units_before(one, &told(&[&order, &format!("RX2 {ONE_LESS} init_feedetl_sn=RX1")])), 0);
    assert_eq!(units_before(reversed.clone(), &Tables::new()), 0);
    // Ordered again after it was taken back: the bureau has not heard of that.
    assert_eq!(units_before(reversed.clone(), &told(&[&order])), 1);
    assert_eq!(units_before(reversed, &told(&[&order, &format!("RX2 {ONE_LESS} init_feedetl_sn=RX1")])), 0);
}

#[test]
fn an_encounter_is_known_by_the_institution_s_own_number() {
    let bureau = || visit("M1", "ipt_otp_no=Z7", &[&format!("F77 {ONE}")]);
    let order = format!("RX1 {ONE_AT_NINE}");
    let told = |also: &str, lines: &[&str]| visit("ZY-1", also, lines);
    let second = format!("F77 {ONE_AT_NINE}");
    assert_eq!(units_before(bureau(), &told("ipt_otp_no=Z7", &[&order])), 1, "the same visit under another id");
    assert_eq!(units_before(bureau(), &told("ipt_otp_no=Z8", &[&order])), 2);
    assert_eq!(units_before(bureau(), &told("", &[&order])), 2, "without a number nobody can tell");
    // A line that the bureau lacks counts, even where it has the number of another line of the bureau.
    assert_eq!(units_before(bureau(), &told("ipt_otp_no=Z7", &[&order, &second])), 2);
    // The number of another person, or that of another visit of the patient.
    let other = |from: &str, to: &str| {
        let text = "mdtrt_id=M1 psn_no=P1 fixmedins_code=H1 med_type=11 begntime=2026-03-11T07:50:00 ipt_otp_no=Z7";
        let mut known = bureau();
        known.extend(rows(&[(Table::Encounter, &[&text.replace(from, to)])]));
        units_before(known, &told("ipt_otp_no=Z7", &[&order]))
    };
    assert_eq!(other("", ""), 1);
    assert_eq!((other("code=H1", "code=H2"), other("03-11T07", "03-10T07")), (2, 2));
    assert_eq!(other("T07:50", "T16:20"), 1, "the day is enough where there is one such visit");
    // Of two on that day the one that began at that time.
    let mut two = visit("M1", "ipt_otp_no=Z7", &[&format!("F77 {ONE}")]);
    two.extend(rows(&[(
        Table::Encounter,
        &[
            "mdtrt_id=M1 psn_no=P1 fixmedins_code=H1 med_type=11 begntime=2026-03-11T07:50:00 ipt_otp_no=Z7",
            "mdtrt_id=M0 psn_no=P1 fixmedins_code=H1 med_type=11 begntime=2026-03-11T15:00:00 ipt_otp_no=Z7",
        ],
    )]));
    assert_eq!(units_before(two, &told("ipt_otp_no=Z7", &[&order])), 1);
}

#[test]
fn claims_of_one_batch_see_each_other() {
    let reviewer = reviewer();
    let (mut both, other) = (nursing("M1", "S1", 1), nursing("M2", "S2", 1));
    for (table, batch) in &mut both {
        *batch = arrow::compute::concat_batches(&batch.schema(), [&*batch, &other[table]]).unwrap();
    }
    let review = reviewer.review(&both, &Nothing::default(), &during()).unwrap();
    assert_eq!(of_rule(&review, "BIL103").len(), 1);
    assert_eq!(review.claims.len(), 2);
    // One unit too many, whoever sold it: both claims carry the violating lines, the money is refused once.
    assert!(review.claims.iter().all(|claim| claim.decision == Decision::Refuse));
    assert_eq!(review.totals.refused_amount, yuan("12.00"));
    assert_eq!((review.totals.claims, review.totals.refused, review.totals.claimed), (2, 2, yuan("24.00")));
}

#[test]
fn an_order_before_any_settlement_is_a_claim_of_its_encounter() {
    let mut order = nursing("M1", "S1", 2);
    order.remove(&Table::Settlement);
    order.insert(
        Table::FeeDetail,
        rows(&[(
            Table::FeeDetail,
            &["feedetl_sn=1 mdtrt_id=M1 psn_no=P1 fixmedins_code=H1 hilist_code=001201000040000 fee_ocur_time=2026-03-11 cnt=2 pric=12 det_item_fee_sumamt=24 inscp_amt=24"],
        )])[&Table::FeeDetail]
            .clone(),
    );
    let ask = Ask::of(Stage::Before, day::parse("2026-03-11").unwrap());
    let review = reviewer().review(&order, &Nothing::default(), &ask).unwrap();
    let claim = only(&review);
    assert_eq!((claim.setl_id.as_str(), claim.mdtrt_id.as_str()), ("", "M1"));
    assert_eq!((claim.decision, claim.refused), (Decision::Refuse, yuan("12.00")));
    // Rules of later stages say nothing at all.
    let codes: BTreeSet<&str> = review.not_evaluated.iter().map(|n| n.rule_code.as_str()).collect();
    assert!(!codes.contains("REC101") && !codes.contains("STY108"), "{codes:?}");
}

#[test]
fn what_a_claim_lacks_is_said_of_it_and_not_of_its_past() {
    let of = |encounter: &str, amount: &str| {
        rows(&[
            (
                Table::Encounter,
                &[&format!(
                    "mdtrt_id={encounter} psn_no=P1 fixmedins_code=H1 med_type=11 begntime=2026-03-11 endtime=2026-03-11"
                )],
            ),
            (
                Table::FeeDetail,
                &[&format!(
                    "feedetl_sn=1 mdtrt_id={encounter} psn_no=P1 fixmedins_code=H1 hilist_code=001201000040000 fee_ocur_time=2026-03-11 cnt=1 pric=12 det_item_fee_sumamt=12{amount}"
                )],
            ),
        ])
    };
    let reviewer = reviewer();
    let unanswered = |pending: Tables, past: Tables| -> Vec<(u64, String)> {
        let review = reviewer.review(&pending, &held(past), &during()).unwrap();
        let of_rule = review.not_evaluated.into_iter().filter(|n| n.rule_code == "BIL103");
        of_rule.map(|n| (n.units, n.why)).collect()
    };
    assert_eq!(unanswered(of("M1", " inscp_amt=12"), Tables::new()), []);
    assert_eq!(unanswered(of("M1", " inscp_amt=12"), of("M0", "")), [], "the past lacks it, not the claim");
    assert_eq!(unanswered(of("M1", ""), Tables::new()), [(1, "缺少 inscp_amt".to_owned())]);
    assert_eq!(unanswered(of("M1", ""), of("M0", "")), [(1, "缺少 inscp_amt".to_owned())]);
}

#[test]
fn when_time_is_up_the_rules_that_were_not_run_are_named() {
    let reviewer = reviewer();
    let all: Vec<String> = reviewer.rules(Stage::During).map(|rule| rule.code.clone()).collect();
    let mut ask = during();
    ask.until = Some(Deadline::after(Duration::ZERO));
    let review = reviewer.review(&nursing("M1", "S1", 3), &Nothing::default(), &ask).unwrap();
    // IDN103 asks across persons, and no line has a trace code: there is nothing to ask.
    let named: BTreeSet<&str> = review.not_run.iter().map(String::as_str).collect();
    let wanted: BTreeSet<&str> = all.iter().map(String::as_str).filter(|code| *code != "IDN103").collect();
    assert_eq!(named, wanted);
    assert!(review.findings.is_empty());
    ask.until = Some(Deadline::after(Duration::from_hours(1)));
    let review = reviewer.review(&nursing("M1", "S1", 3), &Nothing::default(), &ask).unwrap();
    assert!(review.not_run.is_empty() && !review.findings.is_empty());
    ask.rules = Some(BTreeSet::from(["BIL106".to_owned()]));
    let review = reviewer.review(&nursing("M1", "S1", 3), &Nothing::default(), &ask).unwrap();
    assert!(review.findings.is_empty(), "BIL103 was not asked");
}

#[test]
fn many_threads_share_one_reviewer() {
    let reviewer = reviewer();
    let alone = format!("{:?}", reviewer.review(&nursing("M1", "S1", 3), &Nothing::default(), &during()).unwrap());
    (0..64).into_par_iter().for_each(|_| {
        let review = reviewer.review(&nursing("M1", "S1", 3), &Nothing::default(), &during()).unwrap();
        assert_eq!(format!("{review:?}"), alone);
    });
}

fn policy(text: &str) -> Result<Decisions, String> {
    let set = library::open(library::Origin::default()).unwrap();
    Decisions::read("d.toml", text, &set)
        .map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))
}

const THE_REST: &str = "[[decision]]\ndecision = \"pass\"\n";

/// What a policy decides about three units of nursing at H1 in 370323.
fn decides(entries: &str) -> (Decision, Decimal) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("d.toml");
    fs::write(&file, format!("{entries}\n{THE_REST}")).unwrap();
    let setup = Setup { decisions: Some(file), ..Setup::default() };
    let reviewer = Reviewer::new(&setup).unwrap_or_else(|e| panic!("{e}"));
    let review = reviewer.review(&nursing("M1", "S1", 3), &Nothing::default(), &during()).unwrap();
    assert_eq!(review.findings.len(), 1, "policy changes no finding");
    (only(&review).decision, only(&review).refused)
}

#[test]
fn the_first_entry_that_fits_decides() {
    let refuse = (Decision::Refuse, yuan("24.00"));
    let (hold, pass) = ((Decision::Hold, yuan("0.00")), (Decision::Pass, yuan("0.00")));
    let all = "[[decision]]\nresult = \"明确违规\"\ndecision = \"refuse\"\n";
    assert_eq!(decides(all), refuse);
    assert_eq!(decides(""), pass);
    for (exception, fits) in [
        ("rules = \"BIL103\"", true),
        ("rules = [\"MED101\", \"BIL\"]", true),
        ("rules = \"MED\"", false),
        ("severity = \"medium\"", true),
        ("severity = [\"high\", \"low\"]", false),
        ("region = \"370323\"", true),
        ("region = \"370300\"", true),
        ("region = \"370000\"", true),
        ("region = \"370322\"", false),
        ("fixmedins_code = \"H1\"", true),
        ("fixmedins_code = [\"H2\", \"H3\"]", false),
        ("rules = \"BIL103\"\nfixmedins_code = \"H2\"", false),
        ("result = \"可疑\"", false),
    ] {
        let decided = decides(&format!("[[decision]]\n{exception}\ndecision = \"hold\"\n\n{all}"));
        assert_eq!(decided, if fits { hold } else { refuse }, "{exception}");
    }
}

#[test]
fn a_rule_on_trial_and_an_exempted_finding_decide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("audit_rules"), &rules);
    let file = rules.join("billing/daily-cap-exceeded.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("status   = \"stable\"", "status   = \"trial\"")).unwrap();
    let trial = Reviewer::new(&Setup { rules: Some(rules), ..Setup::default() }).unwrap();
    let exemptions = folder.path().join("exemptions");
    fs::create_dir(&exemptions).unwrap();
    let exemption = "[[exemption]]\nid = \"E1\"\nrules = [\"BIL103\"]\nowner = \"王某\"\nreason = \"已核对\"\nfrom = 2026-03-01\nuntil = 2026-03-31\nfixmedins_code = \"H1\"\n";
    fs::write(exemptions.join("a.toml"), exemption).unwrap();
    let exempted = Reviewer::new(&Setup { exemptions: Some(exemptions), ..Setup::default() }).unwrap();
    for reviewer in [trial, exempted] {
        let review = reviewer.review(&nursing("M1", "S1", 3), &Nothing::default(), &during()).unwrap();
        assert_eq!(of_rule(&review, "BIL103").len(), 1, "it is told all the same");
        assert_eq!((only(&review).decision, only(&review).refused), (Decision::Pass, yuan("0.00")));
        assert_eq!(only(&review).finding_ids.len(), 1);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &place);
        } else {
            fs::copy(&path, &place).unwrap();
        }
    }
}

#[test]
fn mistakes_in_a_policy_are_told_all_at_once() {
    let told = policy(
        "[[decision]]\nrules = [\"BIL999\"]\nseverity = \"hihg\"\nregion = \"3703\"\ndecision = \"refuze\"\n\n[[decision]]\nfacility = \"H1\"\n",
    )
    .unwrap_err();
    for part in [
        "no rule or family has the code `BIL999`",
        "`severity` is `hihg`",
        "`3703` is not a region",
        "`decision` is `refuze`",
        "unknown key `facility`",
        "`decision` is missing",
        "d.toml:2",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let told = policy("[[decision]]\nresult = \"可疑\"\ndecision = \"hold\"\n").unwrap_err();
    assert!(told.contains("the last decision does not fit every finding"), "{told}");
    let told =
        policy(&format!("{THE_REST}[[decision]]\nrules = \"BIL\"\ndecision = \"hold\"\n{THE_REST}")).unwrap_err();
    assert!(told.contains("never asked: number 1"), "{told}");
    assert!(policy("").unwrap_err().contains("no `[[decision]]`"));
    assert!(policy("decision = 1").unwrap_err().contains("not a table"));
    // The library's own file says what holds without one.
    let set = library::open(library::Origin::default()).unwrap();
    for result in ["明确违规", "可疑"] {
        for severity in ["high", "medium", "low"] {
            let matter = fundaudit::rules::decisions::Matter {
                rule_code: "BIL103",
                result,
                severity,
                region: None,
                fixmedins_code: None,
            };
            assert_eq!(set.decisions.of(&matter), Decisions::default().of(&matter), "{result} {severity}");
        }
    }
    assert!(!set.decisions.hash.is_empty());
}

fn county() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports/county")
}

fn reviewed(inputs: &[PathBuf], out: &Path, change: impl FnOnce(&mut Options)) -> Done {
    let mut options = Options {
        inputs: inputs.to_vec(),
        dataset: None,
        out: out.to_path_buf(),
        stage: Stage::During,
        setup: Setup::default(),
        as_of: None,
        mapping: None,
        threads: None,
        memory: None,
        unmask: false,
    };
    change(&mut options);
    command::review(&options, &Silent).unwrap_or_else(|e| panic!("{e}"))
}

fn sheet(file: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(file).unwrap();
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(|row| row.unwrap()).collect()
}

#[test]
fn a_county_that_is_pending_is_decided_as_it_is_audited() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    let done = reviewed(&[county()], &of("alone"), |_| ());
    // The past holds the very same claims: none is counted against itself.
    let history = ingest::ingest(&[county()], &ingest::Options::default(), &of("history"), &Silent).unwrap();
    let with = reviewed(&[county()], &of("with"), |options| options.dataset = Some(of("history")));
    for name in ["decisions.csv", "refused_lines.csv", "findings.csv", "finding_lines.csv"] {
        assert!(
            fs::read(of("alone").join(name)).unwrap() == fs::read(of("with").join(name)).unwrap(),
            "{name} differs"
        );
    }
    assert_eq!(with.review.totals, done.review.totals);

    let library = library::compile(library::Origin::default(), &[]).unwrap();
    let audited = audit::findings_of(&audit::Options::default(), &library, &history, &Silent).unwrap();
    let reviewer = reviewer();
    let rules: BTreeSet<&str> = reviewer.rules(Stage::During).map(|rule| rule.code.as_str()).collect();
    let of_stage = || audited.findings.iter().filter(|finding| rules.contains(finding.rule_code.as_str()));
    assert_eq!(facts(&done.review.findings), facts(of_stage()));
    // Certain findings go first to every line: what they are allocated is what is refused.
    let certain: Decimal = of_stage().filter(|f| f.result == "明确违规").map(|f| f.allocated).sum();
    assert!(certain > Decimal::ZERO);
    assert_eq!(done.review.totals.refused_amount, certain);

    let decisions = sheet(&of("alone").join("decisions.csv"));
    assert_eq!(decisions.len(), done.review.claims.len());
    let lines = sheet(&of("alone").join("refused_lines.csv"));
    let sum: Decimal = lines.iter().map(|line| yuan(&line["refused"])).sum();
    assert_eq!(sum, certain);
    let record: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(of("alone").join("review.json")).unwrap()).unwrap();
    assert_eq!(record["totals"]["refused_amount"], format!("{certain:.2}"));
    assert!(done.set_aside > 0 && record["rows_set_aside"] == done.set_aside);
}

#[test]
fn persons_are_masked_unless_somebody_asks_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    let masked = reviewed(&[county()], &of("masked"), |_| ());
    reviewed(&[county()], &of("open"), |options| options.unmask = true);
    let person = &masked.review.findings[0].psn_no.clone().unwrap();
    for name in ["decisions.csv", "refused_lines.csv", "findings.csv", "finding_lines.csv", "review.json"] {
        let text = fs::read_to_string(of("masked").join(name)).unwrap();
        // Numbers of encounters hold no person's number.
        assert!(!text.contains(person.as_str()), "{name} names {person}");
    }
    assert!(fs::read_to_string(of("open").join("decisions.csv")).unwrap().contains(person.as_str()));
    assert!(fs::read_to_string(of("open").join("findings.csv")).unwrap().contains(person.as_str()));
    assert!(!masked.text(fundaudit::report::Lang::Zh).contains(person.as_str()));
}

const CLAIM: &str = r#"{"settlement":{"setl_id":"S1","mdtrt_id":"M1","psn_no":"P1","fixmedins_code":"H1","setl_time":"2026-03-12","medfee_sumamt":36,"inscp_scp_amt":"36.00"},"encounter":{"mdtrt_id":"M1","med_type":"11","begntime":"2026-03-11","endtime":"2026-03-11"},"lines":[{"feedetl_sn":"1","hilist_code":"001201000040000","fee_ocur_time":"2026-03-11 08:00:00","cnt":3,"pric":12.5,"det_item_fee_sumamt":36,"inscp_amt":"36","unknown":[1]}]}"#;

const ROWS: &str = r#"{"table":"setl_d","setl_id":"S1","mdtrt_id":"M1","psn_no":"P1","fixmedins_code":"H1","setl_time":"2026-03-12","medfee_sumamt":36,"inscp_scp_amt":"36.00"}
{"table":"mdtrt_d","mdtrt_id":"M1","psn_no":"P1","fixmedins_code":"H1","med_type":"11","begntime":"2026-03-11","endtime":"2026-03-11"}

{"table":"fee_list_d","feedetl_sn":"1","mdtrt_id":"M1","setl_id":"S1","psn_no":"P1","fixmedins_code":"H1","hilist_code":"001201000040000","fee_ocur_time":"2026-03-11 08:00:00","cnt":3,"pric":12.5,"det_item_fee_sumamt":36,"inscp_amt":"36"}
"#;

#[test]
fn ndjson_row_by_row_and_claim_by_claim() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    fs::write(of("rows.ndjson"), ROWS).unwrap();
    fs::write(of("claims.jsonl"), format!("\u{feff}{CLAIM}\r\n")).unwrap();
    fs::write(of("several.ndjson"), format!("{{\"claims\":[{CLAIM}]}}")).unwrap();
    let reviews: Vec<Review> = ["rows.ndjson", "claims.jsonl", "several.ndjson"]
        .map(|name| reviewed(&[of(name)], &of("out"), |_| ()).review)
        .into();
    let done = reviewed(&[of("several.ndjson")], &of("out"), |_| ());
    let told = format!("`{}` line 1: claims[0].lines.unknown：没有这个字段，略过", of("several.ndjson").display());
    assert_eq!((done.unread.clone(), &done.record["unread"][0]), (vec![told.clone()], &told.into()));
    assert!(done.text(fundaudit::report::Lang::Zh).contains("1 处没有读入"));
    for review in &reviews {
        let claim = only(review);
        assert_eq!((claim.decision, claim.claimed, claim.refused), (Decision::Refuse, yuan("36.00"), yuan("24.00")));
        assert_eq!(claim.psn_no, "P1");
        assert_eq!(facts(&review.findings), facts(&reviews[0].findings));
    }
}

#[test]
fn a_line_of_a_file_says_what_a_request_says() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    // Shared ids once, a second name, a Chinese name, a number written as text, a day in another form.
    let claim = r#"{"setl_d":{"结算ID":"S1","mdtrt_id":"M1","psn_no":"P1","fixmedins_code":"H1","setl_time":"20260312","medfee_sumamt":36,"inscp_scp_amt":"36.00","med_type":"11"},"就诊":[{"begntime":"2026/3/11 8:00"}],"明细":{"bkkp_sn":1,"hilist_code":"001201000040000","fee_ocur_time":"2026-03-11T08:00:00","cnt":"3","det_item_fee_sumamt":36,"inscp_amt":36}}"#;
    fs::write(of("claims.ndjson"), claim).unwrap();
    let of_file = reviewed(&[of("claims.ndjson")], &of("out"), |_| ()).review;
    let asked = fundaudit::messages::own(claim.as_bytes(), &fundaudit::messages::Limits::default()).unwrap();
    assert_eq!(asked.unread, Vec::<String>::new());
    let of_request = reviewer().review(&asked.tables, &Nothing::default(), &Ask::of(Stage::During, 20_524)).unwrap();
    assert_eq!(only(&of_file).refused, yuan("24.00"));
    assert_eq!(of_file.claims, of_request.claims);
    assert_eq!(facts(&of_file.findings), facts(&of_request.findings));
}

/// What the README posts to the service with the county as its history.
#[test]
fn the_page_s_example_sees_the_person_s_past() {
    let (dataset, _) = county_dataset();
    let history = OfDataset::new(Dataset::open(dataset.folder()).unwrap()).unwrap();
    let body = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/messages/county.json")).unwrap();
    let asked = fundaudit::messages::own(&body, &fundaudit::messages::Limits::default()).unwrap();
    assert_eq!(asked.unread, Vec::<String>::new());
    let ask = Ask::of(Stage::During, day::parse("2026-02-02").unwrap());
    let review = reviewer().review(&asked.tables, &history, &ask).unwrap();
    let claim = only(&review);
    assert_eq!((claim.decision, claim.refused), (Decision::Refuse, yuan("25.00")), "a man's warm womb pills");
    // Of two boxes from two other hospitals 44 days are left.
    let [again] = of_rule(&review, "MED103")[..] else { panic!("{:?}", facts(&review.findings)) };
    assert_eq!(
        (again.amount, again.message.contains("手中余药还有 44 天")),
        (yuan("12.60"), true),
        "{}",
        again.message
    );
    let alone = reviewer().review(&asked.tables, &Nothing::default(), &ask).unwrap();
    assert!(of_rule(&alone, "MED103").is_empty());
}

fn fundaudit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fundaudit"))
        .args(arguments)
        .env_remove("LC_ALL")
        .env("LANG", "C")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

#[test]
fn the_command_says_what_it_did_and_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let out = path("out");
    fs::write(path("refused.ndjson"), CLAIM).unwrap();
    fs::write(path("clean.ndjson"), CLAIM.replace("\"cnt\":3,\"pric\":12.5", "\"cnt\":1,\"pric\":36")).unwrap();
    for (what, line) in [
        ("不是 JSON：第 13 列没有写完", "{\"settlement\""),
        ("应当是一个 JSON 对象", "[1]"),
        ("是不是 `settlement`", "{\"settlment\":{}}"),
        ("`table` 不是这里的表", "{\"table\":\"setl\"}"),
        ("`lines` 应当是一个对象", "{\"lines\":[1]}"),
        ("`claims[0]` 应当是一个对象", "{\"claims\":1}"),
        ("没有可审的内容", "{\"lines\":[]}"),
    ] {
        fs::write(path("bad.ndjson"), format!("{CLAIM}\n{line}\n")).unwrap();
        let run = fundaudit(&["review", &path("bad.ndjson"), "--out", &out]);
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.code() == Some(2) && said.contains(what) && said.contains("line 2"), "{line}: {said}");
        assert!(!Path::new(&out).exists(), "nothing is left behind");
    }
    let run = fundaudit(&["review", &path("clean.ndjson"), "--out", &out]);
    let said = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(
        said.contains("1 pending claims of 36.00 yuan in scope: pass 1, hold 0 (0.00 yuan), refuse 0 (0.00 yuan)"),
        "{said}"
    );
    let run = fundaudit(&["review", &path("refused.ndjson"), "--out", &out, "--format", "csv"]);
    assert_eq!(run.status.code(), Some(1));
    let said = String::from_utf8(run.stdout).unwrap();
    assert_eq!(said, "setl_id,mdtrt_id,decision,claimed,refused\nS1,M1,refuse,36.00,24.00\n");
    let run = fundaudit(&["review", &path("refused.ndjson"), "--out", &out, "--dataset", &path("none")]);
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8(run.stderr).unwrap().contains("is not a dataset"));
    let run = fundaudit(&["review", &path("refused.ndjson"), "--out", &out, "--exit-zero", "--stage", "before"]);
    assert_eq!(run.status.code(), Some(0));
    assert!(sheet(&Path::new(&out).join("decisions.csv"))[0]["decision"] == "refuse", "BIL103 speaks before, too");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever the policy: no more is refused than is claimed, no line twice, a refusal has lines and nothing else has, and the
    /// findings stay what they are.
    #[test]
    fn no_policy_refuses_more_than_is_claimed(words in prop::collection::vec(0usize..3, 6)) {
        let month = county_month();
        let mut text = String::new();
        let kinds = [("明确违规", "high"), ("明确违规", "medium"), ("明确违规", "low"), ("可疑", "high"), ("可疑", "medium"), ("可疑", "low")];
        for ((result, severity), word) in kinds.iter().zip(&words) {
            let decision = ["pass", "hold", "refuse"][*word];
            text.push_str(&format!("[[decision]]\nresult = \"{result}\"\nseverity = \"{severity}\"\ndecision = \"{decision}\"\n"));
        }
        text.push_str(THE_REST);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("d.toml");
        fs::write(&file, text).unwrap();
        let reviewer = Reviewer::new(&Setup { decisions: Some(file), ..Setup::default() }).unwrap();
        let review = reviewer.review(&month.0, &Nothing { facilities: Arc::clone(&month.1) }, &during()).unwrap();
        let refusing: BTreeSet<(&str, &str)> = kinds.iter().zip(&words).filter(|(_, word)| **word == 2).map(|(kind, _)| *kind).collect();
        let by_id: BTreeMap<&str, &Finding> = review.findings.iter().map(|f| (f.finding_id.as_str(), f)).collect();
        let mut lines = BTreeSet::new();
        for claim in &review.claims {
            prop_assert!(claim.refused <= claim.claimed, "{claim:?}");
            prop_assert_eq!(claim.refused, claim.refused_lines.iter().map(|line| line.amount).sum::<Decimal>());
            prop_assert_eq!(claim.decision == Decision::Refuse, claim.refused > Decimal::ZERO);
            for line in &claim.refused_lines {
                prop_assert!(line.amount > Decimal::ZERO);
                prop_assert!(lines.insert((&line.mdtrt_id, &line.feedetl_sn)), "twice: {line:?}");
                let by = by_id[line.finding_id.as_str()];
                prop_assert!(refusing.contains(&(by.result.as_str(), by.severity.as_str())) && by.fund_money);
            }
        }
        prop_assert_eq!(lines.is_empty(), refusing.is_empty() || !review.findings.iter().any(|f| f.fund_money && f.amount > Decimal::ZERO && refusing.contains(&(f.result.as_str(), f.severity.as_str()))));
        let totals = &review.totals;
        prop_assert_eq!(totals.passed + totals.held + totals.refused, totals.claims);
    }
}

/// The sample county in several buckets, and all of its persons.
fn county_dataset() -> &'static (Dataset, Vec<String>) {
    static DATASET: std::sync::OnceLock<(Dataset, Vec<String>)> = std::sync::OnceLock::new();
    DATASET.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep();
        let how = ingest::Options { buckets: Some(3), ..ingest::Options::default() };
        let dataset = ingest::ingest(&[county()], &how, &folder.join("d"), &Silent).unwrap();
        let mut persons = BTreeSet::new();
        for unit in dataset.units() {
            let batch = dataset.read(unit, Table::Encounter, &["psn_no"]).unwrap();
            persons.extend(texts(&batch, "psn_no").into_iter().flatten().map(str::to_owned));
        }
        (dataset, persons.into_iter().collect())
    })
}

type CountyMonth = (Tables, Arc<HashMap<String, Facility>>);

/// The whole county as pending tables, with its facilities.
fn county_month() -> &'static CountyMonth {
    static MONTH: std::sync::OnceLock<CountyMonth> = std::sync::OnceLock::new();
    MONTH.get_or_init(|| {
        let (dataset, persons) = county_dataset();
        let persons: Vec<&str> = persons.iter().map(String::as_str).collect();
        let past = ingest::Past::of(dataset, &Silent).unwrap();
        let facilities = Setting::facilities_of(&dataset.facilities().unwrap()).unwrap();
        (past.read(&persons, &everything()).unwrap(), Arc::new(facilities))
    })
}
