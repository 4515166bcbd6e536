//! The past of persons: what `persons.db` says of a person is what the dataset says of him, before and after changes.
//!
//! Goes in: the sample county, rows made by hand. To add a story: take a [`county`] of its own, change it, read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use fundaudit::ingest::past::{FILE, Key, Wanted, everything};
use fundaudit::ingest::values::TableBuilder;
use fundaudit::ingest::{self, Dataset, Past};
use fundaudit::model::Table;
use fundaudit::progress::{Progress, Silent};
use proptest::prelude::*;
use rusqlite::Connection;

/// The sample county in several buckets, somewhere of its own.
fn county() -> (tempfile::TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let export = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports/county");
    let how = ingest::Options { buckets: Some(3), ..ingest::Options::default() };
    let dataset = ingest::ingest(&[export], &how, &folder.path().join("d"), &Silent).unwrap();
    (folder, dataset)
}

fn past(dataset: &Dataset) -> Past {
    Past::of(dataset, &Silent).unwrap_or_else(|e| panic!("{e}"))
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Vec<Option<&'a str>> {
    batch.column_by_name(name).unwrap().as_string::<i32>().iter().collect()
}

/// The rows of some persons as the Parquet files have them, by table.
fn in_files(dataset: &Dataset, persons: &[&str], wanted: &Wanted) -> BTreeMap<Table, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for (table, columns) in wanted {
        let rows: &mut BTreeSet<String> = found.entry(*table).or_default();
        for unit in dataset.units() {
            let batch = dataset.read(unit, *table, columns).unwrap();
            let whose = dataset.read(unit, *table, &["psn_no"]).unwrap();
            let mask: BooleanArray =
                texts(&whose, "psn_no").iter().map(|p| Some(p.is_some_and(|p| persons.contains(&p)))).collect();
            rows.extend(shown(&filter_record_batch(&batch, &mask).unwrap()));
        }
    }
    found
}

fn shown(batch: &RecordBatch) -> Vec<String> {
    (0..batch.num_rows()).map(|row| format!("{:?}", batch.slice(row, 1))).collect()
}

fn persons(dataset: &Dataset) -> Vec<String> {
    let mut persons = BTreeSet::new();
    for unit in dataset.units() {
        let batch = dataset.read(unit, Table::Encounter, &["psn_no"]).unwrap();
        persons.extend(texts(&batch, "psn_no").into_iter().flatten().map(str::to_owned));
    }
    persons.into_iter().collect()
}

/// Rows of a table, a text of `name=value` each.
fn rows(table: Table, rows: &[&str]) -> RecordBatch {
    let mut builder = TableBuilder::new(table);
    for row in rows {
        let cells: Vec<(usize, &str)> = row
            .split_whitespace()
            .map(|cell| cell.split_once('=').unwrap())
            .map(|(name, value)| (table.position(name).unwrap(), value))
            .collect();
        builder.push(cells).unwrap_or_else(|bad| panic!("{bad:?}"));
    }
    builder.finish()
}

/// A person with an encounter and a line of drugs.
fn person(psn_no: &str, encounter: &str, end: &str, traces: &str) -> BTreeMap<Table, RecordBatch> {
    let end = if end.is_empty() { String::new() } else { format!("endtime={end}") };
    let traces = if traces.is_empty() { String::new() } else { format!("drug_trac_codg={traces}") };
    BTreeMap::from([
        (
            Table::Encounter,
            rows(
                Table::Encounter,
                &[&format!(
                    "mdtrt_id={encounter} psn_no={psn_no} fixmedins_code=H1 med_type=21 begntime=2026-03-11 {end}"
                )],
            ),
        ),
        (
            Table::FeeDetail,
            rows(
                Table::FeeDetail,
                &[&format!(
                    "feedetl_sn=1 mdtrt_id={encounter} psn_no={psn_no} fixmedins_code=H1 hilist_code=XA01 fee_ocur_time=2026-03-11 cnt=1 det_item_fee_sumamt=12 {traces}"
                )],
            ),
        ),
        (
            Table::Settlement,
            rows(
                Table::Settlement,
                &[&format!(
                    "setl_id=S{encounter} mdtrt_id={encounter} psn_no={psn_no} fixmedins_code=H1 setl_time=2026-03-12 medfee_sumamt=12"
                )],
            ),
        ),
    ])
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn the_county() -> &'static (Dataset, Past, Vec<String>) {
    static COUNTY: OnceLock<(Dataset, Past, Vec<String>)> = OnceLock::new();
    COUNTY.get_or_init(|| {
        let (folder, dataset) = county();
        let _kept = folder.keep();
        (dataset.clone(), past(&dataset), persons(&dataset))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Some persons' rows are what the whole dataset has of them, whoever they are and whatever columns are wanted.
    #[test]
    fn persons_are_read_as_the_dataset_has_them(
        chosen in prop::collection::btree_set(any::<prop::sample::Index>().prop_map(|index| index.index(1 << 20)), 0..12),
        columns in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
        all in any::<bool>(),
    ) {
        let (dataset, past, everybody) = the_county();
        let chosen: BTreeSet<&str> = chosen.iter().map(|at| everybody[at % everybody.len()].as_str()).collect();
        let mut persons: Vec<&str> = chosen.into_iter().collect();
        persons.push("a stranger");
        let mut wanted = everything();
        if !all {
            for names in wanted.values_mut() {
                let some: BTreeSet<usize> = columns.iter().map(|index| index.index(names.len())).collect();
                *names = some.into_iter().rev().map(|at| names[at]).collect();
            }
            wanted.remove(&Table::Person);
        }
        let read = past.read(&persons, &wanted).unwrap();
        prop_assert_eq!(read.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
        for (table, batch) in &read {
            let names: Vec<&str> = batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
            prop_assert_eq!(&names, &wanted[table]);
        }
        let shown: BTreeMap<Table, BTreeSet<String>> =
            read.iter().map(|(table, batch)| (*table, shown(batch).into_iter().collect())).collect();
        prop_assert_eq!(shown, in_files(dataset, &persons, &wanted));
    }
}

#[test]
fn rows_stand_in_the_order_of_the_dataset_and_of_the_question() {
    let (dataset, past, everybody) = the_county();
    let whole = everything();
    for unit in dataset.units() {
        for (table, columns) in &whole {
            let batch = dataset.read(unit, *table, columns).unwrap();
            let whose = texts(&batch, "psn_no");
            let Some(first) = whose.first().copied().flatten() else { continue };
            let own = whose.iter().filter(|person| **person == Some(first)).count();
            assert_eq!(past.read(&[first], &whole).unwrap()[table], batch.slice(0, own), "{}", table.name());
        }
    }
    let two = [everybody[9].as_str(), everybody[3].as_str()];
    let read = past.read(&two, &whole).unwrap();
    let mut order = texts(&read[&Table::FeeDetail], "psn_no");
    order.dedup();
    assert_eq!(order, two.map(Some));
    let wrong = past.read(&two, &BTreeMap::from([(Table::FeeDetail, vec!["psn_no", "colour"])])).unwrap_err();
    assert!(wrong.to_string().contains("no column `colour`"), "{wrong}");
}

#[test]
fn whose_an_id_is_and_who_shares_a_trace_code() {
    let (dataset, past, _) = the_county();
    for unit in dataset.units() {
        let encounters = dataset.read(unit, Table::Encounter, &["mdtrt_id", "psn_no"]).unwrap();
        for (id, person) in texts(&encounters, "mdtrt_id").into_iter().zip(texts(&encounters, "psn_no")) {
            assert_eq!(past.person_of(Key::Encounter(id.unwrap())).unwrap().as_deref(), person);
        }
        let settlements = dataset.read(unit, Table::Settlement, &["setl_id", "psn_no"]).unwrap();
        for (id, person) in texts(&settlements, "setl_id").into_iter().zip(texts(&settlements, "psn_no")) {
            assert_eq!(past.person_of(Key::Settlement(id.unwrap())).unwrap().as_deref(), person);
        }
    }
    assert_eq!(past.person_of(Key::Encounter("nobody's")).unwrap(), None);
    // Who holds which code, from the Parquet files.
    let mut holders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for unit in dataset.units() {
        let lines = dataset.read(unit, Table::FeeDetail, &["psn_no", "drug_trac_codg"]).unwrap();
        for (person, codes) in texts(&lines, "psn_no").into_iter().zip(texts(&lines, "drug_trac_codg")) {
            for code in codes.unwrap_or_default().split('|').filter(|code| !code.is_empty()) {
                holders.entry(code.to_owned()).or_default().insert(person.unwrap().to_owned());
            }
        }
    }
    let shared: Vec<&BTreeSet<String>> = holders.values().filter(|persons| persons.len() > 1).collect();
    assert!(!shared.is_empty(), "IDN103 was planted");
    for persons in shared {
        let found = past.sharing(&BTreeSet::from([persons.first().unwrap().clone()])).unwrap();
        assert!(found.is_superset(persons), "{persons:?} in {found:?}");
    }
    let alone = holders
        .values()
        .find(|of| of.len() == 1 && holders.values().filter(|other| other.is_superset(of)).all(|o| o.len() == 1));
    let alone = alone.expect("most codes are one person's");
    assert_eq!(past.sharing(alone).unwrap(), *alone);
    assert!(past.sharing(&BTreeSet::new()).unwrap().is_empty());
}

#[test]
fn a_change_is_there_when_it_is_committed_and_not_before() {
    let (_folder, dataset) = county();
    let past = past(&dataset);
    let everybody = persons(&dataset);
    let whole = everything();
    let before = past.read(&[&everybody[0]], &whole).unwrap();
    assert!(past.changed().unwrap().is_empty() && past.noted("night").unwrap().is_none());
    {
        let mut change = past.change().unwrap();
        change.put("P1", &person("P1", "M1", "", "T1|T2")).unwrap();
        change.forget(&everybody[0]).unwrap();
        change.note("night", "1").unwrap();
        assert!(past.change().is_err_and(|e| e.to_string().contains("by somebody else")), "one at a time");
        assert_eq!(past.read(&[&everybody[0]], &whole).unwrap(), before, "nothing of it yet");
    }
    assert_eq!(past.read(&["P1"], &whole).unwrap()[&Table::Encounter].num_rows(), 0, "it never was");

    let open = past.open_stays().unwrap();
    let mut change = past.change().unwrap();
    change.put("P1", &person("P1", "M1", "", "T1|T2")).unwrap();
    change.put("P2", &person("P2", "M2", "2026-03-12", "T2")).unwrap();
    change.put("P3", &person("P3", "M3", "9999-12-31", "T3|T1")).unwrap();
    change.put("P4", &person("P4", "M4", "2026-03-12", "")).unwrap();
    change.forget(&everybody[0]).unwrap();
    change.note("night", "1").unwrap();
    change.note("night", "2").unwrap();
    change.commit().unwrap();
    assert_eq!(past.noted("night").unwrap().as_deref(), Some("2"));
    assert_eq!(past.changed().unwrap(), set(&["P1", "P2", "P3", "P4", &everybody[0]]));
    assert_eq!(past.person_of(Key::Encounter("M2")).unwrap().as_deref(), Some("P2"));
    assert_eq!(past.person_of(Key::Settlement("SM4")).unwrap().as_deref(), Some("P4"));
    assert_eq!(past.sharing(&set(&["P2"])).unwrap(), set(&["P1", "P2", "P3"]), "one leads to the next");
    let gone = past.read(&[&everybody[0]], &whole).unwrap();
    assert!(gone.values().all(|batch| batch.num_rows() == 0));
    let lost = texts(&before[&Table::Encounter], "mdtrt_id")[0].unwrap();
    assert_eq!(past.person_of(Key::Encounter(lost)).unwrap(), None);
    let now = past.open_stays().unwrap();
    let forgotten = set(&[&everybody[0]]);
    assert_eq!(now, &(&open - &forgotten) | &set(&["P1", "P3"]), "an end in the year 9999 is none");

    // What is put again takes the place of all that was there.
    let mut change = past.change().unwrap();
    change.put("P1", &person("P1", "M5", "2026-03-12", "T9")).unwrap();
    // A person of the dataset gets rows that he had, in whatever order they come.
    let theirs = past.read(&[&everybody[1]], &whole).unwrap();
    let turned = theirs.iter().map(|(table, batch)| {
        let rows: UInt32Array = (0..u32::try_from(batch.num_rows()).unwrap()).rev().collect();
        (*table, take_record_batch(batch, &rows).unwrap())
    });
    change.put(&everybody[1], &turned.collect()).unwrap();
    change.commit().unwrap();
    assert_eq!(past.person_of(Key::Encounter("M1")).unwrap(), None);
    assert_eq!(past.person_of(Key::Encounter("M5")).unwrap().as_deref(), Some("P1"));
    assert_eq!(past.sharing(&set(&["P2"])).unwrap(), set(&["P2"]), "P1 held them together");
    assert_eq!(past.read(&[&everybody[1]], &whole).unwrap(), theirs);
    assert!(past.changed().unwrap().contains(&everybody[1]));

    // And somebody who opens it anew finds all this.
    drop(past);
    let again = Past::of(&dataset, &Silent).unwrap();
    assert_eq!(again.noted("night").unwrap().as_deref(), Some("2"));
    assert_eq!(again.person_of(Key::Encounter("M5")).unwrap().as_deref(), Some("P1"));
}

#[test]
fn readers_see_a_change_whole_or_not_at_all() {
    let (_folder, dataset) = county();
    let past = past(&dataset);
    let wanted = BTreeMap::from([(Table::FeeDetail, vec!["feedetl_sn"]), (Table::Encounter, vec!["mdtrt_id"])]);
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                let mut seen = BTreeSet::new();
                while !done.load(Ordering::SeqCst) {
                    let read = past.read(&["P1"], &wanted).unwrap();
                    let visits = texts(&read[&Table::Encounter], "mdtrt_id").len();
                    assert_eq!(visits, read[&Table::FeeDetail].num_rows(), "a visit has its line");
                    seen.insert(visits);
                }
            });
        }
        for night in 0..20 {
            let mut change = past.change().unwrap();
            if night % 2 == 0 {
                change.put("P1", &person("P1", "M1", "", "T1")).unwrap();
            } else {
                change.forget("P1").unwrap();
            }
            change.commit().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(past.changed().unwrap(), set(&["P1"]));
}

fn sql(file: &Path, statement: &str) {
    Connection::open(file).unwrap().execute_batch(statement).unwrap();
}

#[test]
fn damage_is_told_and_not_believed() {
    let (_folder, dataset) = county();
    let file = dataset.folder().join(FILE);
    let everybody = persons(&dataset);
    drop(past(&dataset));
    let one = &everybody[0];
    let payload: Vec<u8> = Connection::open(&file)
        .unwrap()
        .query_row("SELECT payload FROM person WHERE psn_no = ?1", [one], |row| row.get(0))
        .unwrap();
    let step = (payload.len() / 40).max(1);
    for at in (0..payload.len()).step_by(step) {
        let mut bad = payload.clone();
        bad[at] ^= 0x10;
        let db = Connection::open(&file).unwrap();
        db.execute("UPDATE person SET payload = ?1 WHERE psn_no = ?2", rusqlite::params![bad, one]).unwrap();
        drop(db);
        let told = past(&dataset).read(&[one], &everything()).unwrap_err().to_string();
        assert!(told.contains("is damaged") && !told.contains(one.as_str()), "byte {at}: {told}");
    }
    for length in [0, 1, 12, payload.len() - 1] {
        let db = Connection::open(&file).unwrap();
        let bad = &payload[..length];
        db.execute("UPDATE person SET payload = ?1 WHERE psn_no = ?2", rusqlite::params![bad, one]).unwrap();
        drop(db);
        assert!(past(&dataset).read(&[one], &everything()).is_err(), "{length} bytes");
    }
    // The rows of another person are damage too.
    sql(
        &file,
        &format!(
            "UPDATE person SET payload = (SELECT payload FROM person WHERE psn_no = '{}') WHERE psn_no = '{one}'",
            everybody[1]
        ),
    );
    assert!(past(&dataset).read(&[one], &everything()).is_err());
    assert!(past(&dataset).read(&[&everybody[1]], &everything()).is_ok(), "the others are as they were");
}

/// Writes down which stages there were.
#[derive(Default)]
struct Stages(std::sync::Mutex<Vec<String>>);

impl Progress for Stages {
    fn begin(&self, stage: &str, _total: u64) {
        self.0.lock().unwrap().push(stage.to_owned());
    }
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
}

#[test]
fn it_is_made_when_it_is_missing_or_of_another_dataset_and_never_over_later_rows() {
    let (_folder, dataset) = county();
    let file = dataset.folder().join(FILE);
    let made = |dataset: &Dataset| -> Result<bool, String> {
        let stages = Stages::default();
        let past = Past::of(dataset, &stages).map_err(|e| e.to_string())?;
        let persons = persons(dataset);
        assert!(past.read(&[&persons[0]], &everything()).unwrap()[&Table::Encounter].num_rows() > 0);
        Ok(!stages.0.into_inner().unwrap().is_empty())
    };
    assert_eq!(made(&dataset), Ok(true), "it was missing");
    assert_eq!(made(&dataset), Ok(false), "and is there now");
    let names: Vec<PathBuf> = fs::read_dir(dataset.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains(".fundaudit-")), "{names:?}");
    fs::write(&file, "not a database at all, but long enough to be taken for one by somebody in a hurry").unwrap();
    assert_eq!(made(&dataset), Ok(true));
    fs::write(&file, "").unwrap();
    assert_eq!(made(&dataset), Ok(true), "a run was killed while it made it");
    sql(&file, "UPDATE meta SET value = 'another' WHERE name = 'state'");
    assert_eq!(made(&dataset), Ok(true));
    sql(&file, "UPDATE person SET changed = 1 WHERE id = 3");
    assert_eq!(made(&dataset), Ok(false));
    sql(&file, "UPDATE meta SET value = 'another' WHERE name = 'state'");
    let told = made(&dataset).unwrap_err();
    assert!(told.contains("the rows of 1 persons that were appended"), "{told}");
}
