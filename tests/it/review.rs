//! Before the money leaves: a review finds what the audit finds, sees the past of the person and no more, and decides by
//! policy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use fundaudit::clock::{Deadline, Stopwatch};
use fundaudit::engine::{Facility, Setting, Tables};
use fundaudit::findings::Finding;
use fundaudit::ingest::{self, Dataset};
use fundaudit::model::Table;
use fundaudit::operations::audit;
use fundaudit::operations::generate::{self, generate};
use fundaudit::operations::library;
use fundaudit::operations::review::history::Wanted;
use fundaudit::operations::review::{Ask, History, Review, Reviewer, Setup, Stage};
use fundaudit::progress::Silent;
use hashbrown::HashMap;
use rayon::prelude::*;

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
    facilities: Arc<HashMap<String, Facility>>,
    first_day: i32,
    last_day: i32,
    setup: Setup,
    batch: Vec<Finding>,
}

fn month(options: &generate::Options) -> Month {
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("export");
    generate(options, &export, &Silent).unwrap();
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
        batch: outcome.findings,
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
        Table::ALL
            .into_iter()
            .filter(|table| *table != Table::Facility)
            .map(|table| {
                let columns: Vec<&str> = table.columns().iter().map(|c| c.name).collect();
                (table, self.dataset.read_persons(table, &columns, &[person]).unwrap())
            })
            .collect()
    }
}

/// The settlements of a person in the order in which they were settled: settlement, encounter, day.
fn in_order(whole: &Tables) -> Vec<(String, String, i32)> {
    let batch = &whole[&Table::Settlement];
    let times = batch.column_by_name("setl_time").unwrap().as_primitive::<TimestampMicrosecondType>();
    let mut order: Vec<(i64, &str, &str)> = texts(batch, "setl_id")
        .into_iter()
        .zip(texts(batch, "mdtrt_id"))
        .enumerate()
        .map(|(row, (id, encounter))| (times.value(row), id.unwrap(), encounter.unwrap()))
        .collect();
    order.sort_unstable();
    let day = |micros: i64| i32::try_from(micros.div_euclid(86_400_000_000)).unwrap();
    order.into_iter().map(|(time, id, encounter)| (id.to_owned(), encounter.to_owned(), day(time))).collect()
}

#[test]
fn explore() {
    let month = month(&generate::Options { persons: 500, months: 1, seed: 5, ..generate::Options::default() });
    let reviewer = Reviewer::new(&month.setup).unwrap();
    let watch = Stopwatch::start();
    let persons = month.persons();
    let reviews: Vec<(String, Review)> = persons
        .par_iter()
        .flat_map_iter(|person| {
            let whole = month.whole(person);
            let mut past =
                Past { whole: &whole, settled: BTreeSet::new(), encounters: BTreeSet::new(), month: &month };
            let mut made = Vec::new();
            for (settlement, encounter, day) in in_order(&whole) {
                let pending = chosen(&whole, &|id| id == settlement, &|id| id == encounter);
                made.push((settlement.clone(), reviewer.review(&pending, &past, &Ask::of(Stage::During, day)).unwrap()));
                past.settled.insert(settlement);
                past.encounters.insert(encounter);
            }
            made
        })
        .collect();
    println!("{} reviews of {} persons in {:?}", reviews.len(), persons.len(), watch.elapsed());
    let rules: BTreeSet<&str> = reviewer.rules(Stage::During).map(|r| r.code.as_str()).collect();
    let batch: BTreeMap<(&str, &str), String> = month
        .batch
        .iter()
        .filter(|f| rules.contains(f.rule_code.as_str()))
        .map(|f| ((f.rule_code.as_str(), f.finding_id.as_str()), f.amount.to_string()))
        .collect();
    let mut replay: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for (_, review) in &reviews {
        for f in &review.findings {
            replay.insert((&f.rule_code, &f.finding_id), f.amount.to_string());
        }
    }
    let mut by_rule: BTreeMap<&str, [u32; 4]> = BTreeMap::new();
    for (key, amount) in &batch {
        let at = match replay.get(key) {
            None => 1,
            Some(other) if other == amount => 0,
            Some(_) => 2,
        };
        by_rule.entry(key.0).or_default()[at] += 1;
    }
    for key in replay.keys().filter(|k| !batch.contains_key(*k)) {
        by_rule.entry(key.0).or_default()[3] += 1;
    }
    println!("rule same missing differs surplus");
    for (rule, counts) in by_rule {
        println!("{rule} {counts:?}");
    }
}

#[test]
fn speed() {
    let month = month(&generate::Options { persons: 500, months: 1, seed: 5, ..generate::Options::default() });
    let reviewer = Reviewer::new(&month.setup).unwrap();
    for person in month.persons().iter() {
        let whole = month.whole(person);
        for (settlement, encounter, day) in in_order(&whole) {
            let pending = chosen(&whole, &|id| id == settlement, &|id| id == encounter);
            let lines = pending[&Table::FeeDetail].num_rows();
            if !(4..=6).contains(&lines) { continue }
            let none = fundaudit::operations::review::Nothing::default();
            for stage in [Stage::Before, Stage::During] {
                reviewer.review(&pending, &none, &Ask::of(stage, day)).unwrap();
                let watch = Stopwatch::start();
                for _ in 0..200 { reviewer.review(&pending, &none, &Ask::of(stage, day)).unwrap(); }
                println!("{lines} lines {stage:?}: {:?} each", watch.elapsed() / 200);
                let mut late = Ask::of(stage, day);
                late.until = Some(Deadline::after(std::time::Duration::ZERO));
                let watch = Stopwatch::start();
                for _ in 0..200 { reviewer.review(&pending, &none, &late).unwrap(); }
                println!("   without any rule: {:?}", watch.elapsed() / 200);
                let codes: Vec<String> = reviewer.rules(stage).map(|r| r.code.clone()).collect();
                let mut spent = Vec::new();
                for code in codes {
                    let mut one = Ask::of(stage, day);
                    one.rules = Some(BTreeSet::from([code.clone()]));
                    let watch = Stopwatch::start();
                    for _ in 0..100 { reviewer.review(&pending, &none, &one).unwrap(); }
                    spent.push((watch.elapsed() / 100, code));
                }
                spent.sort(); spent.reverse();
                println!("   {:?}", &spent[..12]);
            }
            return;
        }
    }
}
