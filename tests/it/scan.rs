//! Nights: what came in late, twice, wrong and reversed gives the same findings as if all had come at once and right; and
//! whatever befalls a night, nothing is lost and nothing is there twice.
//!
//! Goes in: a generated export, dealt out over nights. Comes out: the store after each, held against an audit of the dataset
//! and against an audit of an export in which every row stands once, as it was last. To add a mishap: a version of a row in
//! [`Dealt::deal`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use fundaudit::cases::{Act, Actor, Status};
use fundaudit::findings::{Finding, FindingLine};
use fundaudit::ingest::past::{Key, Past, everything};
use fundaudit::ingest::{self, Dataset, Tally, append, ingest};
use fundaudit::model::{Table, day};
use fundaudit::operations::casework::{self, Order};
use fundaudit::operations::generate::{self, generate};
use fundaudit::operations::scan::{self, Asking, Done, night};
use fundaudit::operations::{audit, library};
use fundaudit::progress::Silent;
use fundaudit::rules::Exemptions;
use fundaudit::store::{self, Filter, Store};
use proptest::prelude::*;

use super::ingest::{ENCOUNTERS, FEES, SETTLEMENTS, counts, rows};

type Row = Vec<String>;

const NIGHTS: usize = 30;

/// Rows by the night on which they come, and every row as it is in the end.
struct Dealt {
    nights: Vec<Vec<(Table, Row)>>,
    last: BTreeMap<Table, Vec<Row>>,
    corrected: usize,
    late: usize,
    moved: usize,
}

fn hash(text: &str, salt: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
}

fn at(table: Table, column: &str) -> usize {
    table.position(column).unwrap()
}

impl Dealt {
    /// The rows of an export over thirty nights: the first has two months, each of the others a day and what is late.
    fn of(export: &Path) -> Dealt {
        let mut tables: BTreeMap<Table, Vec<Row>> = BTreeMap::new();
        for table in Table::ALL {
            let mut reader = csv::Reader::from_path(export.join(format!("{}.csv", table.name()))).unwrap();
            let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            tables.insert(table, rows);
        }
        let mut dealt =
            Dealt { nights: vec![Vec::new(); NIGHTS + 1], last: tables.clone(), corrected: 0, late: 0, moved: 0 };
        dealt.deal(&tables);
        dealt
    }

    fn night_of(text: &str) -> usize {
        let first = day::parse("2026-01-01").unwrap() + 58;
        let night = text.get(..10).and_then(day::parse).map_or(0, |day| day - first);
        usize::try_from(night.max(0)).unwrap().min(NIGHTS)
    }

    fn send(&mut self, night: usize, table: Table, row: Row) {
        self.nights[night.min(NIGHTS)].push((table, row));
    }

    fn deal(&mut self, tables: &BTreeMap<Table, Vec<Row>>) {
        let persons: Vec<&String> =
            tables[&Table::Person].iter().map(|row| &row[at(Table::Person, "psn_no")]).collect();
        let mut begun: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &tables[&Table::Encounter] {
            let id = row[at(Table::Encounter, "mdtrt_id")].as_str();
            let (begin, end) = (&row[at(Table::Encounter, "begntime")], &row[at(Table::Encounter, "endtime")]);
            begun.insert(id, Dealt::night_of(begin));
            let chance = hash(id, 1);
            // Late: the lines and diagnoses are there before their encounter.
            let mut first = Dealt::night_of(begin);
            if chance.is_multiple_of(9) {
                first += 1 + usize::try_from(chance / 9 % 4).unwrap();
                self.late += 1;
            }
            let last = Dealt::night_of(end).max(first).min(NIGHTS);
            // Somebody else's at first: it moves, and what hangs on it.
            if chance.is_multiple_of(23) && first + 2 <= NIGHTS && last <= first + 2 {
                let mut wrong = row.clone();
                wrong[at(Table::Encounter, "psn_no")] =
                    persons[usize::try_from(chance).unwrap() % persons.len()].clone();
                self.send(first, Table::Encounter, wrong);
                self.send(first + 2, Table::Encounter, row.clone());
                self.moved += 1;
                continue;
            }
            if last > first {
                // An open stay, until its end is known.
                let mut open = row.clone();
                open[at(Table::Encounter, "endtime")].clear();
                self.send(first, Table::Encounter, open);
            }
            self.send(last, Table::Encounter, row.clone());
        }
        for row in &tables[&Table::FeeDetail] {
            let key = format!("{}+{}", row[at(Table::FeeDetail, "mdtrt_id")], row[at(Table::FeeDetail, "feedetl_sn")]);
            let chance = hash(&key, 2);
            let mut night = Dealt::night_of(&row[at(Table::FeeDetail, "fee_ocur_time")]);
            if chance.is_multiple_of(13) {
                night = (night + 1 + usize::try_from(chance / 13 % 5).unwrap()).min(NIGHTS);
                self.late += 1;
            }
            if chance.is_multiple_of(17) && night < NIGHTS {
                let mut wrong = row.clone();
                wrong[at(Table::FeeDetail, "cnt")] = "77".to_owned();
                wrong[at(Table::FeeDetail, "hilist_code")] = "001201000040000".to_owned();
                self.send(night, Table::FeeDetail, wrong);
                night += 1;
                self.corrected += 1;
            }
            self.send(night, Table::FeeDetail, row.clone());
            if chance.is_multiple_of(19) && night + 2 <= NIGHTS {
                self.send(night + 2, Table::FeeDetail, row.clone());
            }
        }
        for row in &tables[&Table::Settlement] {
            let chance = hash(&row[at(Table::Settlement, "setl_id")], 3);
            let late = if chance.is_multiple_of(11) { 2 } else { 0 };
            self.send(Dealt::night_of(&row[at(Table::Settlement, "setl_time")]) + late, Table::Settlement, row.clone());
        }
        for table in [Table::Diagnosis, Table::Operation, Table::Presence, Table::SpecialCase] {
            for row in &tables[&table] {
                let chance = hash(&row.join("|"), 4);
                let late = if chance.is_multiple_of(7) { 3 } else { 0 };
                let night = begun.get(row[at(table, "mdtrt_id")].as_str()).copied().unwrap_or(0);
                self.send(night + late, table, row.clone());
            }
        }
        for table in [Table::Person, Table::Identity] {
            for row in &tables[&table] {
                let chance = hash(&row[at(table, "psn_no")], 5);
                if table == Table::Person && chance.is_multiple_of(5) {
                    let mut unknown = row.clone();
                    unknown[at(table, "brdy")].clear();
                    unknown[at(table, "gend")].clear();
                    self.send(0, table, unknown);
                    self.send(1 + usize::try_from(chance / 5).unwrap() % NIGHTS, table, row.clone());
                    self.corrected += 1;
                } else {
                    self.send(usize::try_from(chance).unwrap() % 3, table, row.clone());
                }
            }
        }
        for (number, row) in tables[&Table::Facility].iter().enumerate() {
            if number == 0 {
                let mut before = row.clone();
                before[at(Table::Facility, "hosp_lv")] = "01".to_owned();
                self.send(0, Table::Facility, before);
                self.send(9, Table::Facility, row.clone());
            } else {
                self.send(0, Table::Facility, row.clone());
            }
        }
    }

    /// Puts the files of a night into a drop folder: on even nights in a folder of their own, else with the day in their names.
    fn put(&self, number: usize, drop: &Path) {
        let mut tables: BTreeMap<Table, Vec<&Row>> = BTreeMap::new();
        for (table, row) in &self.nights[number] {
            tables.entry(*table).or_default().push(row);
        }
        for (table, rows) in tables {
            let name = if number.is_multiple_of(2) {
                format!("night-{number:02}/{}.csv", table.name())
            } else {
                format!(
                    "{}_{}.csv",
                    table.name(),
                    day::text(day::parse("2026-03-01").unwrap() + i32::try_from(number).unwrap())
                )
            };
            written(&drop.join(name), table, rows);
        }
    }

    /// The export as it is in the end.
    fn export(&self, into: &Path) -> PathBuf {
        for (table, rows) in &self.last {
            written(&into.join(format!("{}.csv", table.name())), *table, rows);
        }
        into.to_owned()
    }
}

fn written<'r>(path: &Path, table: Table, rows: impl IntoIterator<Item = &'r Row>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = csv::Writer::from_path(path).unwrap();
    file.write_record(table.columns().iter().map(|column| column.name)).unwrap();
    for row in rows {
        file.write_record(row).unwrap();
    }
    file.flush().unwrap();
}

/// A dataset, a drop folder and a store.
struct Place {
    folder: tempfile::TempDir,
    store: Box<dyn Store>,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("drop")).unwrap();
        let store = store::open(&format!("sqlite:{}", folder.path().join("store.db").display())).unwrap();
        Place { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self) -> scan::Options {
        scan::Options {
            drop: self.path("drop"),
            dataset: self.path("dataset"),
            out: self.path("reports"),
            threads: Some(2),
            ..scan::Options::default()
        }
    }

    /// A night, at two o'clock.
    fn night(&self, number: usize) -> Done {
        let now = move || {
            format!("{}T02:00:00", day::text(day::parse("2026-03-02").unwrap() + i32::try_from(number).unwrap()))
        };
        let asking = Asking { owner: "here/1", now: &now, seconds: i64::MAX };
        night(&self.options(), self.store.as_ref(), asking, &Silent).unwrap_or_else(|e| panic!("night {number}: {e}"))
    }

    fn dataset(&self) -> Dataset {
        Dataset::open(&self.path("dataset")).unwrap()
    }

    /// What the store has and was found last time, by id.
    fn present(&self) -> BTreeMap<String, (Finding, Vec<FindingLine>)> {
        let mut found = BTreeMap::new();
        let filter = Filter { present: Some(true), ..Filter::default() };
        let take = &mut |kept: store::Kept, lines: Vec<FindingLine>| {
            let mut lines = lines;
            lines.sort_by(|a, b| (&a.mdtrt_id, &a.feedetl_sn, a.kind).cmp(&(&b.mdtrt_id, &b.feedetl_sn, b.kind)));
            found.insert(kept.finding.finding_id.clone(), (kept.finding, lines));
            Ok(())
        };
        self.store.each(&filter, take).unwrap();
        found
    }
}

/// What an audit of everybody finds, by id.
fn audited(dataset: &Dataset, as_of: Option<i32>) -> BTreeMap<String, (Finding, Vec<FindingLine>)> {
    let options = audit::Options { as_of, threads: Some(2), ..audit::Options::default() };
    let library = library::compile(library::Origin::default(), &[]).unwrap();
    let looked = audit::look(&options, &library, &Exemptions::default(), dataset, None, &Silent).unwrap();
    let mut lines: BTreeMap<String, Vec<FindingLine>> = BTreeMap::new();
    for line in looked.outcome.lines {
        lines.entry(line.finding_id.clone()).or_default().push(line);
    }
    let with_lines = |finding: Finding| {
        let mut lines = lines.remove(&finding.finding_id).unwrap_or_default();
        lines.sort_by(|a, b| (&a.mdtrt_id, &a.feedetl_sn, a.kind).cmp(&(&b.mdtrt_id, &b.feedetl_sn, b.kind)));
        (finding.finding_id.clone(), (finding, lines))
    };
    looked.outcome.findings.into_iter().map(with_lines).collect()
}

fn assert_same(
    kept: &BTreeMap<String, (Finding, Vec<FindingLine>)>,
    whole: &BTreeMap<String, (Finding, Vec<FindingLine>)>,
    when: &str,
) {
    let missing: Vec<_> = whole.iter().filter(|(id, _)| !kept.contains_key(*id)).map(|(_, f)| &f.0).take(3).collect();
    let surplus: Vec<_> = kept.iter().filter(|(id, _)| !whole.contains_key(*id)).map(|(_, f)| &f.0).take(3).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "{when}: lacks {missing:#?}\nhas besides {surplus:#?}");
    for (id, found) in whole {
        assert_eq!(&kept[id], found, "{when}");
    }
}

fn check_counts(dataset: &Dataset) {
    for (name, t) in &dataset.manifest().tables {
        let places = [t.quarantined, t.duplicates, t.replaced, t.audited];
        assert_eq!(t.read.rows, places.iter().map(|p| p.rows).sum::<u64>(), "{name}");
        assert_eq!(t.read.sum.0, places.iter().map(|p| p.sum.0).sum::<i128>(), "{name}");
    }
    let mut lines = Tally::default();
    for unit in dataset.units() {
        let batch = dataset.read(unit, Table::FeeDetail, &["psn_no", "det_item_fee_sumamt"]).unwrap();
        lines.rows += batch.num_rows() as u64;
    }
    assert_eq!(lines.rows, dataset.manifest().tables["fee_detail"].audited.rows, "what the manifest says is there");
}

#[test]
fn thirty_nights_are_one_scan_finding_by_finding() {
    let place = Place::new();
    let export = place.path("export");
    // From 500 on every planted violation occurs.
    generate(&generate::Options { persons: 500, seed: 11, ..generate::Options::default() }, &export, &Silent).unwrap();
    let dealt = Dealt::of(&export);
    assert!(
        dealt.late > 100 && dealt.corrected > 100 && dealt.moved > 10,
        "{} {} {}",
        dealt.late,
        dealt.corrected,
        dealt.moved
    );

    let mut partly = 0;
    let mut gone = 0;
    for number in 0..=NIGHTS {
        dealt.put(number, &place.path("drop"));
        let done = place.night(number);
        assert!(done.aside.is_empty() && done.unfinished.is_empty() && !done.resumed, "{done:?}");
        partly += usize::from(done.persons.is_some());
        gone += done.merged.no_longer_found;
        if [1, 9, 17, 30].contains(&number) {
            let dataset = place.dataset();
            check_counts(&dataset);
            assert_same(&place.present(), &audited(&dataset, None), &format!("night {number}"));
        }
    }
    assert!(partly >= NIGHTS - 3, "the first night and the one with another facility ask about everybody: {partly}");
    assert!(gone > 20, "what was corrected is no longer found: {gone}");

    let dataset = place.dataset();
    let once =
        ingest(&[dealt.export(&place.path("once"))], &ingest::Options::default(), &place.path("of-once"), &Silent);
    let once = once.unwrap();
    for (name, t) in &once.manifest().tables {
        let mine = &dataset.manifest().tables[name];
        assert_eq!((mine.audited, mine.quarantined), (t.audited, t.quarantined), "{name}: nothing lost, nothing twice");
    }
    assert!(dataset.manifest().tables["fee_detail"].replaced.rows > 100);
    assert!(dataset.manifest().tables["fee_detail"].duplicates.rows > 100);
    assert_eq!(dataset.manifest().first_day, once.manifest().first_day);
    assert_eq!(dataset.manifest().last_day, once.manifest().last_day);
    let quarantine = fs::read_to_string(dataset.quarantine()).unwrap();
    assert_eq!(quarantine.lines().count(), 1, "what waited has found its encounter: {quarantine}");
    let found = audited(&once, None);
    assert!(found.len() > 100, "{}", found.len());
    assert_same(&place.present(), &found, "against an export in which every row stands once");

    let quiet = place.night(NIGHTS + 1);
    assert_eq!(
        (quiet.merged.new, quiet.merged.no_longer_found, quiet.persons),
        (0, 0, Some(0)),
        "a night without files"
    );
}

/// A dataset to which deliveries are appended.
struct Growing {
    folder: tempfile::TempDir,
    number: usize,
}

impl Growing {
    fn new() -> Growing {
        Growing { folder: tempfile::tempdir().unwrap(), number: 0 }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("dataset")
    }

    fn take(&mut self, files: &[(&str, String)]) -> (ingest::Appended, Dataset) {
        self.number += 1;
        let export = self.folder.path().join(format!("delivery-{}", self.number));
        fs::create_dir(&export).unwrap();
        for (name, text) in files {
            fs::write(export.join(name), text).unwrap();
        }
        let how = ingest::Options { threads: Some(1), ..ingest::Options::default() };
        let told = append(&[export], &format!("{}", self.number), &how, &self.path(), &Silent);
        let told = told.unwrap_or_else(|e| panic!("{e}"));
        let dataset = Dataset::open(&self.path()).unwrap();
        check_counts(&dataset);
        (told, dataset)
    }

    fn quarantine(&self) -> Vec<String> {
        let dataset = Dataset::open(&self.path()).unwrap();
        let mut list = csv::Reader::from_path(dataset.quarantine()).unwrap();
        let said = |row: csv::StringRecord| format!("{} {} {}: {}", &row[0], &row[1], &row[2], &row[3]);
        list.records().map(|row| said(row.unwrap())).collect()
    }
}

fn fees(lines: &[&str]) -> (&'static str, String) {
    ("fee_detail.csv", format!("{FEES}{}\n", lines.join("\n")))
}

fn encounters(rows: &[&str]) -> (&'static str, String) {
    ("encounter.csv", format!("{ENCOUNTERS}{}\n", rows.join("\n")))
}

fn diagnoses(rows: &[&str]) -> (&'static str, String) {
    ("diagnosis.csv", format!("mdtrt_id,diag_code\n{}\n", rows.join("\n")))
}

const LINE: [&str; 4] = ["psn_no", "mdtrt_id", "feedetl_sn", "det_item_fee_sumamt"];

#[test]
fn a_later_row_is_a_duplicate_or_a_correction() {
    let mut growing = Growing::new();
    let visits = ["M1,P1,H1,21,2026-03-10,2026-03-12", "M2,P2,H1,11,2026-03-12,2026-03-12"];
    growing.take(&[
        encounters(&visits),
        fees(&[
            "1,M1,P1,H1,2026-03-10,001,1,5,5.00",
            "2,M1,P1,H1,2026-03-11,001,1,5,5.00",
            "1,M2,P2,H1,2026-03-12,001,1,7,7.00",
        ]),
    ]);
    let (told, dataset) = growing.take(&[fees(&[
        "1,M1,P1,H1,2026-03-10,001,1,5,5.00",
        "2,M1,P1,H1,2026-03-11,001,1,6,6.00",
        "3,M1,P1,H1,2026-03-12,001,1,8,8.00",
        "1,M2,P2,H1,2026-03-12,001,1,7,7.00",
    ])]);
    let lines = &told.tables["fee_detail"];
    assert_eq!((lines.read.rows, lines.duplicates.rows, lines.replaced.rows), (4, 2, 1));
    assert_eq!(told.persons, 1, "P2 has what he had");
    assert_eq!(told.sent["H1"], (4, day::parse("2026-03-12").unwrap()));
    assert_eq!(counts(&dataset, Table::FeeDetail), (7, 0, 2, 4));
    assert_eq!(dataset.manifest().tables["fee_detail"].audited.sum.to_string(), "26.00");
    assert_eq!(dataset.manifest().tables["fee_detail"].replaced.sum.to_string(), "5.00");
    let mut all = rows(&dataset, Table::FeeDetail, &LINE);
    all.sort();
    assert_eq!(all, ["P1 M1 1 5.00", "P1 M1 2 6.00", "P1 M1 3 8.00", "P2 M2 1 7.00"]);

    // Nothing tells which of two is right when they come together: both stand aside, and what was there stays.
    let (_, dataset) =
        growing.take(&[fees(&["1,M1,P1,H1,2026-03-10,001,1,1,1.00", "1,M1,P1,H1,2026-03-10,001,1,2,2.00"])]);
    assert_eq!(counts(&dataset, Table::FeeDetail), (9, 2, 2, 4));
    assert!(rows(&dataset, Table::FeeDetail, &LINE).contains(&"P1 M1 1 5.00".to_owned()));
    assert_eq!(
        growing.quarantine(),
        [
            "3/fee_detail.csv 2 mdtrt_id+feedetl_sn: several rows with this mdtrt_id+feedetl_sn, and they differ",
            "3/fee_detail.csv 3 mdtrt_id+feedetl_sn: several rows with this mdtrt_id+feedetl_sn, and they differ"
        ]
    );
    assert_eq!(dataset.manifest().inputs.len(), 4, "{:?}", dataset.manifest().inputs);
}

#[test]
fn a_row_finds_its_person_by_an_encounter_of_an_earlier_day_or_waits_for_a_later_one() {
    let mut growing = Growing::new();
    let (_, dataset) = growing
        .take(&[encounters(&["M1,P1,H1,21,2026-03-10,"]), diagnoses(&["M1,I10.x00", "M2,E11.900", "M3,E11.900"])]);
    assert_eq!(counts(&dataset, Table::Diagnosis), (3, 2, 0, 1));
    let waits = growing.quarantine();
    assert_eq!(waits.len(), 2, "{waits:?}");
    let (told, dataset) = growing.take(&[diagnoses(&["M1,E11.900", "M1,I10.x00"])]);
    assert_eq!(
        (told.tables["diagnosis"].duplicates.rows, told.persons),
        (1, 1),
        "found by an encounter of the day before"
    );
    assert_eq!(counts(&dataset, Table::Diagnosis), (5, 2, 1, 2));
    // The encounter comes, also for what was there before anything was appended.
    let (told, dataset) = growing.take(&[encounters(&["M2,P2,H1,21,2026-03-11,2026-03-12"])]);
    assert_eq!((told.woken, told.persons), (1, 1));
    assert_eq!(counts(&dataset, Table::Diagnosis), (5, 1, 1, 3));
    let mut all = rows(&dataset, Table::Diagnosis, &["psn_no", "mdtrt_id", "diag_code"]);
    all.sort();
    assert_eq!(all, ["P1 M1 E11.900", "P1 M1 I10.x00", "P2 M2 E11.900"]);
    let waits = growing.quarantine();
    assert!(waits.len() == 1 && waits[0].starts_with("diagnosis.csv 4 mdtrt_id"), "M3 waits on: {waits:?}");
}

#[test]
fn an_encounter_that_was_somebody_elses_takes_its_rows_along() {
    let mut growing = Growing::new();
    let settled = ("settlement.csv", format!("{SETTLEMENTS}S1,M1,P1,H1,2026-03-12 10:00:00,5.00\n"));
    let (_, dataset) = growing.take(&[
        encounters(&["M1,P9,H1,21,2026-03-10,2026-03-12"]),
        diagnoses(&["M1,I10.x00"]),
        fees(&["1,M1,P1,H1,2026-03-10,001,1,5,5.00", "2,M1,P9,H1,2026-03-10,001,1,6,6.00"]),
        settled,
    ]);
    assert_eq!(counts(&dataset, Table::FeeDetail), (2, 1, 0, 1), "P1's line stands in the encounter of P9");
    assert_eq!(counts(&dataset, Table::Settlement), (1, 1, 0, 0));
    let (told, dataset) = growing.take(&[encounters(&["M1,P1,H1,21,2026-03-10,2026-03-12"])]);
    assert_eq!((told.woken, told.persons), (2, 2));
    assert_eq!(counts(&dataset, Table::FeeDetail), (2, 1, 0, 1), "now it is the other's that is a stranger's");
    assert_eq!(rows(&dataset, Table::FeeDetail, &LINE), ["P1 M1 1 5.00"]);
    assert_eq!(rows(&dataset, Table::Diagnosis, &["psn_no", "diag_code"]), ["P1 I10.x00"]);
    assert_eq!(counts(&dataset, Table::Settlement), (1, 0, 0, 1));
    assert_eq!(counts(&dataset, Table::Encounter).3, 1);
    let said = growing.quarantine();
    assert!(said.len() == 1 && said[0].contains("psn_no differs from its encounter's"), "{said:?}");
    // And back again.
    let (told, dataset) = growing.take(&[encounters(&["M1,P9,H1,21,2026-03-10,2026-03-13"])]);
    assert_eq!((told.woken, told.persons), (1, 2));
    assert_eq!(rows(&dataset, Table::FeeDetail, &LINE), ["P9 M1 2 6.00"]);
    assert_eq!(counts(&dataset, Table::FeeDetail), (2, 1, 0, 1));
}

#[test]
fn a_line_that_came_before_its_encounter_is_held_against_it() {
    let mut growing = Growing::new();
    growing.take(&[encounters(&["M9,P9,H1,21,2026-03-01,2026-03-02"])]);
    let (_, dataset) = growing.take(&[fees(&["1,M1,P1,H1,2026-03-10,001,1,5,5.00"])]);
    assert_eq!(
        counts(&dataset, Table::FeeDetail),
        (1, 0, 0, 1),
        "nobody knows the encounter: the line says whose it is"
    );
    let (told, dataset) = growing.take(&[encounters(&["M1,P2,H1,21,2026-03-10,2026-03-12"])]);
    assert_eq!(counts(&dataset, Table::FeeDetail), (1, 1, 0, 0), "it is another's");
    assert_eq!(told.persons, 2);
    let said = growing.quarantine();
    assert!(said.len() == 1 && said[0].starts_with("(taken in before) 0 psn_no"), "{said:?}");
    let (_, dataset) = growing.take(&[encounters(&["M1,P1,H1,21,2026-03-10,2026-03-12"])]);
    assert_eq!(counts(&dataset, Table::FeeDetail), (1, 0, 0, 1), "or is not");
    assert!(growing.quarantine().is_empty());
}

/// Rows of a delivery by table and key: what is new, late, there again, corrected, or somebody else's. The first delivery begins every
/// encounter of which it has a line.
fn delivery(seed: u64, number: u64) -> BTreeMap<(Table, String), String> {
    let chance = |what: String, of: u64| hash(&format!("{number} {what}"), seed) / 7 % of;
    let first = number == 0;
    let mut sent = BTreeMap::new();
    for m in (0..10_u64).filter(|m| !first || *m < 5) {
        let some = |what: &str, of: u64| chance(format!("{what} {m}"), of);
        let owner = |what: &str| if some(what, 6) > 0 { m % 4 } else { some(what, 24) / 6 };
        let day = |after: u64| format!("2026-03-{:02}", 1 + m + after);
        if first || some("visit", 6) == 0 {
            let end = if some("open", 3) == 0 { String::new() } else { day(some("end", 4)) };
            sent.insert(
                (Table::Encounter, format!("M{m}")),
                format!("M{m},P{},H1,21,{},{end}", owner("whose"), day(0)),
            );
        }
        for sn in (0..4).filter(|sn| some(&format!("line {sn}"), if first { 2 } else { 9 }) == 0) {
            let of_line = |what: &str, of: u64| some(&format!("{what} of {sn}"), of);
            let (person, amount) = (owner(&format!("line's {sn}")), 1 + of_line("amount", 2));
            let time = format!("{} 0{}:00:00", day(of_line("day", 2)), of_line("hour", 3));
            let traces = if of_line("traced", 2) == 0 { String::new() } else { format!("T{}", of_line("trace", 5)) };
            let row = format!("{sn},M{m},P{person},H1,{time},001,1,{amount},{amount}.00,{traces}");
            sent.insert((Table::FeeDetail, format!("{person} {m} {sn}")), row);
        }
        if some("settled", 6) == 0 {
            let row = format!("S{m},M{m},P{},H1,{} 10:00:00,{}.00", m % 4, day(3), 1 + some("paid", 2));
            sent.insert((Table::Settlement, format!("S{m}")), row);
        }
        for code in (0..3).filter(|code| some(&format!("diagnosis {code}"), 12) == 0) {
            let row = format!("M{m},D{code}");
            sent.insert((Table::Diagnosis, row.clone()), row);
        }
    }
    sent
}

/// As files.
fn files_with<'r>(rows: impl IntoIterator<Item = (&'r (Table, String), &'r String)>) -> Vec<(&'static str, String)> {
    let traced = FEES.trim_end();
    let fees = format!("{traced},drug_trac_codg\n");
    let heads = [
        (Table::Encounter, "encounter.csv", ENCOUNTERS),
        (Table::FeeDetail, "fee_detail.csv", fees.as_str()),
        (Table::Settlement, "settlement.csv", SETTLEMENTS),
        (Table::Diagnosis, "diagnosis.csv", "mdtrt_id,diag_code\n"),
    ];
    let mut files = heads.map(|(table, name, head)| (table, name, head.to_owned()));
    for ((table, _), row) in rows {
        let file = files.iter_mut().find(|(other, _, _)| other == table).unwrap();
        file.2.push_str(row);
        file.2.push('\n');
    }
    files.into_iter().map(|(_, name, text)| (name, text)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Rows that come in many deliveries end where an ingest puts them all at once as they were last: whose they are, in which
    /// order they stand, what they are found by.
    #[test]
    fn deliveries_one_after_the_other_are_one_ingest_of_what_was_said_last(seed in any::<u64>()) {
        let mut growing = Growing::new();
        let mut last: BTreeMap<(Table, String), String> = BTreeMap::new();
        for number in 0..14 {
            let rows = delivery(seed, number);
            growing.take(&files_with(&rows));
            last.extend(rows);
        }
        let mut once = Growing::new();
        once.take(&files_with(&last));
        assert_same_past(&growing, &once);
    }
}

#[test]
fn a_visit_a_day_is_what_all_visits_at_once_are() {
    let mut growing = Growing::new();
    let mut all: BTreeMap<(Table, String), String> = BTreeMap::new();
    for day in 1..=20_u32 {
        // Numbers do not ascend with the days.
        let visit = format!("M{}", (day * 7) % 10 + 10 * (day / 10));
        let mut rows = BTreeMap::new();
        let mut row = |table, row: String| rows.insert((table, format!("{visit} {row}")), row);
        row(Table::Encounter, format!("{visit},P1,H1,11,2026-03-{day:02},2026-03-{day:02}"));
        row(Table::FeeDetail, format!("1,{visit},P1,H1,2026-03-{day:02} 08:00:00,001,1,5,5.00,T{}", day % 3));
        row(Table::FeeDetail, format!("2,{visit},P1,H1,2026-03-{day:02} 08:00:00,001,1,5,5.00,"));
        row(Table::Settlement, format!("S{visit},{visit},P1,H1,2026-03-{day:02} 09:00:00,10.00"));
        row(Table::Diagnosis, format!("{visit},I10.x00"));
        growing.take(&files_with(&rows));
        all.extend(rows);
        if day % 8 == 3 {
            let mut once = Growing::new();
            once.take(&files_with(&all));
            assert_same_past(&growing, &once);
        }
    }
}

/// Rows, their order, and what they are found by.
fn assert_same_past(grown: &Growing, once: &Growing) {
    let [(grown, now), (once, wanted)] = [grown, once].map(|growing| {
        let dataset = Dataset::open(&growing.path()).unwrap();
        (Past::of(&dataset, &Silent).unwrap(), dataset.manifest().clone())
    });
    let whole = everything();
    for person in ["P0", "P1", "P2", "P3"] {
        let (rows, wanted) = (grown.read(&[person], &whole).unwrap(), once.read(&[person], &whole).unwrap());
        for (table, wanted) in &wanted {
            assert_eq!(&rows[table], wanted, "{} of {person}", table.name());
        }
        let alone = BTreeSet::from([person.to_owned()]);
        assert_eq!(grown.sharing(&alone).unwrap(), once.sharing(&alone).unwrap(), "who shares a code with {person}");
    }
    for number in 0..30 {
        let (encounter, settlement) = (format!("M{number}"), format!("S{number}"));
        for key in [Key::Encounter(&encounter), Key::Settlement(&settlement)] {
            assert_eq!(grown.person_of(key).unwrap(), once.person_of(key).unwrap(), "{key:?}");
        }
    }
    assert_eq!(grown.open_stays().unwrap(), once.open_stays().unwrap());
    assert_eq!((now.first_day, now.last_day), (wanted.first_day, wanted.last_day));
    for (name, table) in &wanted.tables {
        assert_eq!(now.tables[name].audited, table.audited, "{name}");
    }
}

#[test]
fn the_first_day_moves_when_the_row_that_made_it_is_corrected() {
    let mut growing = Growing::new();
    let first = |dataset: &Dataset| dataset.manifest().first_day.map(day::text);
    let (_, dataset) = growing.take(&[fees(&[
        "1,M1,P1,H1,2006-03-10,001,1,5,5.00",
        "1,M2,P2,H1,2026-03-09,001,1,5,5.00",
        "1,M3,P3,H1,2026-03-12,001,1,5,5.00",
    ])]);
    assert_eq!(first(&dataset).as_deref(), Some("2006-03-10"), "a typing error");
    let (_, dataset) = growing.take(&[fees(&["1,M1,P1,H1,2026-03-10,001,1,5,5.00"])]);
    assert_eq!(first(&dataset).as_deref(), Some("2026-03-09"));
    assert_eq!(dataset.manifest().last_day.map(day::text).as_deref(), Some("2026-03-12"));
}

#[test]
fn facilities_are_corrected_and_a_lost_file_of_persons_is_no_loss_in_silence() {
    let mut growing = Growing::new();
    let facility = |rows: &str| ("facility.csv", format!("fixmedins_code,fixmedins_name,hosp_lv\n{rows}\n"));
    growing.take(&[facility("H1,第一医院,02"), fees(&["1,M1,P1,H1,2026-03-10,001,1,5,5.00"])]);
    let (told, _) = growing.take(&[facility("H1,第一医院,02")]);
    assert!(!told.other_facilities && told.tables["facility"].duplicates.rows == 1);
    let (told, dataset) = growing.take(&[facility("H1,第一医院,03\nH2,第二医院,02")]);
    assert!(told.other_facilities);
    assert_eq!(counts(&dataset, Table::Facility), (4, 0, 1, 2), "one was replaced");
    assert_eq!(dataset.facilities().unwrap().num_rows(), 2);
    growing.take(&[fees(&["2,M1,P1,H1,2026-03-10,001,1,5,5.00"])]);
    let files: BTreeSet<String> = fs::read_dir(growing.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("facility") || name.starts_with("quarantine"))
        .collect();
    let wanted = ["facility-2.parquet", "facility.parquet", "quarantine-3.csv", "quarantine.csv"].map(str::to_owned);
    assert_eq!(files, BTreeSet::from(wanted), "of earlier states nothing is left but that of the ingest");

    fs::remove_file(growing.path().join("persons.db")).unwrap();
    let said = Dataset::open(&growing.path()).unwrap_err().to_string();
    assert!(said.contains("persons.db") && said.contains("bring it back from a backup"), "{said}");
}

/// A night of a place in another process, which a test may kill: told by its environment where and which.
#[test]
#[ignore = "started by the tests below"]
fn a_night_apart() {
    let Ok(folder) = std::env::var("FUNDAUDIT_NIGHT_IN") else { return };
    fundaudit::points::listen();
    let folder = PathBuf::from(folder);
    let now = || "2026-03-20T02:00:00".to_owned();
    let owner = format!("here/{}", std::process::id());
    let asking = Asking { owner: &owner, now: &now, seconds: i64::MAX };
    let done = store::open(&format!("sqlite:{}", folder.join("store.db").display()))
        .map_err(fundaudit::operations::Error::from)
        .and_then(|store| night(&options_in(&folder), store.as_ref(), asking, &Silent));
    match done {
        Ok(_) => std::process::exit(0),
        Err(error) => {
            eprintln!("said: {error}");
            std::process::exit(2);
        }
    }
}

fn options_in(folder: &Path) -> scan::Options {
    scan::Options {
        drop: folder.join("drop"),
        dataset: folder.join("dataset"),
        out: folder.join("reports"),
        threads: Some(2),
        ..scan::Options::default()
    }
}

fn apart(folder: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["scan::a_night_apart", "--exact", "--ignored", "--nocapture"]);
    command.env("FUNDAUDIT_NIGHT_IN", folder).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    command
}

/// A place with two nights behind it, and files for a third one in two deliveries, one of them beside a bad file.
fn evening() -> tempfile::TempDir {
    let place = Place::new();
    let export = place.path("export");
    generate(&generate::Options { persons: 90, seed: 3, ..generate::Options::default() }, &export, &Silent).unwrap();
    let dealt = Dealt::of(&export);
    for number in 0..2 {
        dealt.put(number, &place.path("drop"));
        place.night(number);
    }
    let told = notified(place.store.as_ref(), "2026-03-03T09:00:00");
    assert!(told > 3, "facilities are told of some findings, and say nothing: {told}");
    for number in 2..9 {
        dealt.put(number, &place.path("drop"));
    }
    fs::write(place.path("drop/night-02/scan.pdf"), "%PDF-1.7").unwrap();
    fs::remove_dir_all(export).unwrap();
    place.folder
}

/// Tells facilities of every finding that is certain. Comes back: how many.
fn notified(store: &dyn Store, at: &str) -> usize {
    let order = Order {
        filter: Filter { statuses: vec![Status::New], ..Filter::default() },
        command: Act::Notify { standing: None }.plain(),
        by: Actor::bureau("张某"),
        at: at.to_owned(),
        at_most: usize::MAX,
        dry_run: false,
    };
    casework::act(store, &casework::procedure(None).unwrap(), &order).unwrap().done.len()
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &place);
        } else {
            let _ = fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// Everything that is there after a night and does not depend on how long it took, as text.
fn all_of(folder: &Path) -> Vec<(String, String)> {
    let store = store::open(&format!("sqlite:{}", folder.join("store.db").display())).unwrap();
    let mut all = Vec::new();
    let take = &mut |kept: store::Kept, lines: Vec<FindingLine>| {
        all.push((kept.finding.finding_id.clone(), format!("{kept:?} {lines:?}")));
        Ok(())
    };
    store.each(&Filter::default(), take).unwrap();
    for (id, text) in &mut all {
        text.push_str(&format!(" {:?} {:?}", store.sightings(id).unwrap(), store.steps(id).unwrap()));
    }
    let without_time = |text: &str| {
        let mut value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        for name in ["elapsed_ms", "took_ms"] {
            if let Some(time) = value.get_mut(name) {
                *time = 0.into();
            }
        }
        value.to_string()
    };
    for scan in store.scans(99).unwrap() {
        let record = without_time(&scan.record);
        all.push((scan.scan_id.clone(), format!("{:?} {record}", store::Scan { record: String::new(), ..scan })));
    }
    all.push(("files".to_owned(), format!("{:?}", store.files(None).unwrap())));
    all.push(("asked".to_owned(), format!("{:?} {:?}", store.recall("scan.asked"), store.recall("scan.night"))));
    let dataset = Dataset::open(&folder.join("dataset")).unwrap();
    let manifest = ingest::Manifest { units: Vec::new(), ..dataset.manifest().clone() };
    all.push(("manifest".to_owned(), format!("{manifest:?}")));
    all.push(("quarantine".to_owned(), fs::read_to_string(dataset.quarantine()).unwrap()));
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Facility) {
        let columns: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
        all.push((table.name().to_owned(), rows(&dataset, table, &columns).join("\n")));
    }
    let report = folder.join("reports/20260320-020000");
    for name in ["night.html", "night.xlsx"] {
        all.push((name.to_owned(), format!("{:?}", fs::read(report.join(name)).unwrap())));
    }
    all.push(("night.json".to_owned(), without_time(&fs::read_to_string(report.join("night.json")).unwrap())));
    let mut left: Vec<String> = fs::read_dir(folder.join("dataset"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    // A killed run may leave its folder aside, and SQLite its log.
    left.retain(|name| !name.starts_with(".fundaudit-") && !name.ends_with("-wal") && !name.ends_with("-shm"));
    left.sort();
    all.push(("left".to_owned(), left.join(" ")));
    all
}

/// Whether the night is finished, and the journal closed.
fn is_done(folder: &Path) -> bool {
    let store = store::open(&format!("sqlite:{}", folder.join("store.db").display())).unwrap();
    let scan = store.scan("20260320-020000").unwrap();
    let journal = store.recall("scan.night").unwrap();
    scan.is_some_and(|scan| scan.state == store::ScanState::Finished) && journal.is_none_or(|open| open.is_empty())
}

fn assert_as(folder: &Path, wanted: &[(String, String)], when: &str) {
    for ((name, text), (wanted_name, wanted)) in all_of(folder).iter().zip(wanted) {
        assert!(
            name == wanted_name && text == wanted,
            "{when}: {name} differs:\n{text}\nwanted {wanted_name}:\n{wanted}"
        );
    }
}

/// Every point of the work at which it can be stopped dead.
const POINTS: [&str; 14] = [
    "scan::chosen",
    "scan::begun",
    "append::files",
    "append::change",
    "append::kept",
    "scan::delivered",
    "scan::taken",
    "append::settled",
    "scan::asked",
    "scan::merged",
    "scan::expired",
    "scan::reported",
    "scan::cleared",
    "scan::ended",
];

#[test]
fn a_night_that_is_killed_at_any_point_ends_as_one_that_was_not() {
    let evening = evening();
    let whole = tempfile::tempdir().unwrap();
    copied(evening.path(), whole.path());
    let done = apart(whole.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let wanted = all_of(whole.path());
    assert!(wanted.iter().any(|(name, _)| name == "night.html") && wanted.len() > 20);
    let report = wanted.iter().find(|(name, _)| name == "night.json").unwrap();
    let report: serde_json::Value = serde_json::from_str(&report.1).unwrap();
    assert!(report["assent"]["findings"].as_u64() > Some(3), "silence counts as assent: {}", report["assent"]);
    for point in POINTS {
        let killed = tempfile::tempdir().unwrap();
        copied(evening.path(), killed.path());
        let cut = apart(killed.path()).env("FAILPOINTS", format!("{point}=return")).output().unwrap();
        assert_eq!(cut.status.code(), None, "{point}: it died there: {}", String::from_utf8_lossy(&cut.stderr));
        let store = store::open(&format!("sqlite:{}", killed.path().join("store.db").display())).unwrap();
        let scan = store.scan("20260320-020000").unwrap();
        let finished = scan.is_some_and(|scan| scan.state == store::ScanState::Finished);
        assert_eq!(finished, point == "scan::ended", "{point}: a night that is not done is not shown as done");
        drop(store);
        let done = apart(killed.path()).output().unwrap();
        assert!(done.status.success(), "{point}: {}", String::from_utf8_lossy(&done.stderr));
        assert_as(killed.path(), &wanted, point);
    }
}

#[test]
fn a_night_that_is_killed_at_random_moments_loses_nothing_and_has_nothing_twice() {
    let kills: u64 = std::env::var("FUNDAUDIT_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let evening = evening();
    let whole = tempfile::tempdir().unwrap();
    copied(evening.path(), whole.path());
    let watch = fundaudit::clock::Stopwatch::start();
    assert!(apart(whole.path()).output().unwrap().status.success());
    let took = u64::try_from(watch.elapsed().as_millis()).unwrap();
    let wanted = all_of(whole.path());
    let killed = tempfile::tempdir().unwrap();
    copied(evening.path(), killed.path());
    let mut left = kills;
    for round in 0_u64.. {
        if left == 0 {
            break;
        }
        let mut child = apart(killed.path()).spawn().unwrap();
        let wait = hash(&format!("{round}"), kills) % (took + 1);
        std::thread::sleep(std::time::Duration::from_millis(wait));
        child.kill().unwrap();
        left -= 1;
        // Done in time, or killed when all was done and only its process was left: one more run would be another night.
        if child.wait().unwrap().success() || is_done(killed.path()) {
            assert_as(killed.path(), &wanted, "done before it could be killed");
            fs::remove_dir_all(killed.path()).unwrap();
            copied(evening.path(), killed.path());
        }
    }
    let done = apart(killed.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_as(killed.path(), &wanted, "killed again and again");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_nothing_is_lost() {
    let evening = evening();
    let whole = tempfile::tempdir().unwrap();
    copied(evening.path(), whole.path());
    assert!(apart(whole.path()).output().unwrap().status.success());
    let wanted = all_of(whole.path());
    // No file may grow beyond so many blocks of 512 bytes: at first the spill, later persons.db, at last the store.
    for blocks in [8, 64, 256, 512, 1024] {
        let full = tempfile::tempdir().unwrap();
        copied(evening.path(), full.path());
        let before =
            rows(&Dataset::open(&full.path().join("dataset")).unwrap(), Table::FeeDetail, &["psn_no", "feedetl_sn"]);
        let plain = apart(full.path());
        let mut limited = std::process::Command::new("sh");
        limited.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")).arg(plain.get_program());
        limited.args(plain.get_args());
        limited.env("FUNDAUDIT_NIGHT_IN", full.path());
        let cut = limited.output().unwrap();
        let said = String::from_utf8_lossy(&cut.stderr);
        if cut.status.success() {
            assert!(blocks > 256, "{blocks}: there was room enough");
            assert_as(full.path(), &wanted, &format!("{blocks} blocks were enough"));
            continue;
        }
        assert_eq!(cut.status.code(), Some(2), "{blocks}: {said}");
        assert!(said.contains("cannot"), "{blocks}: it says what it could not do: {said}");
        let now =
            rows(&Dataset::open(&full.path().join("dataset")).unwrap(), Table::FeeDetail, &["psn_no", "feedetl_sn"]);
        assert!(now.len() >= before.len(), "{blocks}: what was there is there");
        let done = apart(full.path()).output().unwrap();
        assert!(done.status.success(), "{blocks}: {}", String::from_utf8_lossy(&done.stderr));
        assert_as(full.path(), &wanted, &format!("the disk was full at {blocks} blocks"));
    }
}

#[test]
fn a_second_scan_names_the_first_one() {
    let place = Place::new();
    fs::write(place.path("drop/fee_detail.csv"), format!("{FEES}1,M1,P1,H1,2026-03-10,001,1,5,5.00\n")).unwrap();
    let now = || "2026-03-20T02:00:00".to_owned();
    let ask = |owner: &str| {
        let asking = Asking { owner, now: &now, seconds: i64::MAX };
        night(&place.options(), place.store.as_ref(), asking, &Silent)
    };
    let elsewhere = place.store.lease("scan", "elsewhere/7", "2026-03-20T01:59:00", 300).unwrap();
    let said = ask("here/1").unwrap_err().to_string();
    assert!(said.contains("elsewhere/7") && said.contains("2026-03-20T01:59:00"), "{said}");
    place.store.release(&elsewhere).unwrap();

    // A dead process of this machine, which nobody waits for; a living one has the lock of the dataset besides.
    place.store.lease("scan", "here/2", "2026-03-20T01:59:00", 300).unwrap();
    let lock = scan::lease::Lock::take(&place.path("dataset"), "here/2").unwrap();
    let said = ask("here/1").unwrap_err().to_string();
    assert!(said.contains("here/2"), "{said}");
    drop(lock);
    assert_eq!(ask("here/1").unwrap().scan_id, "20260320-020000");
    assert_eq!(ask("here/1").unwrap().scan_id, "20260320-020000-2", "the lease was given back");

    let lock = scan::lease::Lock::take(&place.path("dataset"), "here/9").unwrap();
    let said = ask("here/1").unwrap_err().to_string();
    assert!(said.contains("is being changed by `here/9`"), "somebody appends by hand: {said}");
    drop(lock);
    ask("here/1").unwrap();
}

#[test]
fn half_written_and_bad_files_wait_or_stand_aside_and_the_others_go_on() {
    let place = Place::new();
    let fees = |number: usize| format!("{FEES}{number},M{number},P1,H1,2026-03-10,001,1,5,5.00\n");
    fs::write(place.path("drop/fee_detail_20260310.csv"), fees(1)).unwrap();
    fs::write(place.path("drop/notes_20260310.csv"), "nothing,known\n1,2\n").unwrap();
    fs::write(place.path("drop/old.xls"), [0xd0, 0xcf, 0x11, 0xe0]).unwrap();
    let modified = fs::metadata(place.path("drop/fee_detail_20260310.csv")).unwrap().modified().unwrap();
    let changed = i64::try_from(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let now = || "2026-03-20T02:00:00".to_owned();
    let ask = |seconds: i64| {
        let options = scan::Options { quiet: 120, ..place.options() };
        night(&options, place.store.as_ref(), Asking { owner: "here/1", now: &now, seconds }, &Silent)
    };
    let said = ask(changed + 60).unwrap_err().to_string();
    assert!(said.contains("nothing to scan"), "all of them are a minute old: {said}");
    let done = ask(changed + 600).unwrap();
    let aside: Vec<&str> = done.aside.iter().map(|aside| aside.file.name.as_str()).collect();
    assert_eq!(aside, ["notes_20260310.csv", "old.xls"]);
    assert!(done.aside.iter().all(|aside| !aside.reason.is_empty()), "{:?}", done.aside);
    assert_eq!(counts(&place.dataset(), Table::FeeDetail).3, 1, "the good one was taken");

    // The same content under another name is not taken again; new content is, and what was bad is looked at again.
    fs::write(place.path("drop/again.csv"), fees(1)).unwrap();
    fs::write(place.path("drop/notes_20260310.csv"), fees(2)).unwrap();
    let done = ask(changed + 6000).unwrap();
    assert_eq!(done.aside.iter().map(|a| a.file.name.as_str()).collect::<Vec<_>>(), ["old.xls"]);
    assert_eq!(counts(&place.dataset(), Table::FeeDetail), (2, 0, 0, 2), "nothing was read twice");
    let file = place.store.files(None).unwrap().into_iter().find(|file| file.name == "old.xls").unwrap();
    assert!(file.reason.is_some(), "{file:?}");
}

#[test]
fn the_morning_report_tells_who_sent_nothing_and_shows_no_person() {
    let place = Place::new();
    let line = |number: usize, day: usize, facility: &str, person: &str| {
        format!("{number},M{number},{person},{facility},2026-03-{day:02},001201000040000,5,12,60.00\n")
    };
    fs::write(
        place.path("drop/facility.csv"),
        "fixmedins_code,fixmedins_name,hosp_lv\nH1,第一医院,02\nH2,第二医院,02\nH3,第三医院,02\nH4,<b>第四</b>,02\n",
    )
    .unwrap();
    let mut number = 0;
    for night in 0..6_usize {
        let mut text = FEES.to_owned();
        for facility in ["H1", "H2", "H3"] {
            // H2 falls silent on the last night, H3 sends one line instead of six.
            let lines = match (night, facility) {
                (5, "H2") => 0,
                (5, "H3") => 1,
                _ => 6,
            };
            for _ in 0..lines {
                number += 1;
                text.push_str(&line(number, 1 + night, facility, "370323199001011234"));
            }
        }
        fs::write(place.path(&format!("drop/fee_detail_2026030{}.csv", 1 + night)), text).unwrap();
        place.night(night);
    }
    let folder = fs::read_dir(place.path("reports")).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("night.json")).unwrap()).unwrap();
    let facilities: Vec<(&str, &str)> = json["facilities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["fixmedins_code"].as_str().unwrap(), f["sending"].as_str().unwrap()))
        .collect();
    assert_eq!(facilities, [("H2", "nothing"), ("H3", "less"), ("H4", "never"), ("H1", "usual")]);
    assert_eq!(json["facilities"][0]["last_day"], "2026-03-05");
    let page = fs::read_to_string(folder.join("night.html")).unwrap();
    assert!(page.contains("第二医院") && page.contains("未报送") && page.contains("&lt;b&gt;第四"), "{page}");
    assert!(!page.contains("<script") && page.contains("Content-Security-Policy"));
    for name in ["night.html", "night.json"] {
        assert!(!fs::read_to_string(folder.join(name)).unwrap().contains("370323199001011234"), "{name}: masked");
    }
    assert!(folder.join("night.xlsx").is_file());
}

#[test]
fn silence_is_assent_when_the_term_is_over_and_its_next_working_day_is_known() {
    let place = Place::new();
    let export = place.path("export");
    generate(&generate::Options { persons: 90, seed: 3, ..generate::Options::default() }, &export, &Silent).unwrap();
    Dealt::of(&export).put(0, &place.path("drop"));
    place.night(0);
    // Ten working days from the first of December: up to the fifteenth.
    let told = u64::try_from(notified(place.store.as_ref(), "2026-12-01T09:00:00")).unwrap();
    let at = |day: &str, rules: Option<PathBuf>| {
        let now = || format!("{day}T02:00:00");
        let options = scan::Options { rules, ..place.options() };
        let asking = Asking { owner: "here/1", now: &now, seconds: i64::MAX };
        night(&options, place.store.as_ref(), asking, &Silent).unwrap_or_else(|e| panic!("{day}: {e}"))
    };
    let standing = |status: Status| {
        let filter = Filter { statuses: vec![status], ..Filter::default() };
        place.store.list(&filter, store::Page::default()).unwrap().total
    };
    let done = at("2026-12-15", None);
    assert_eq!((done.assent.findings, done.assent.held.len()), (0, 0), "the last day is theirs");
    // What is decided next has a term that ends in a year whose holidays nobody knows: the findings stay, and it is told.
    let done = at("2026-12-29", None);
    assert_eq!((done.assent.findings, standing(Status::AppealOpen)), (0, told));
    let [held] = done.assent.held.as_slice() else { panic!("{:?}", done.assent) };
    assert!(held.findings == told && held.why.contains("calendar/2027.csv"), "{held:?}");
    assert_eq!(place.store.scan(&done.scan_id).unwrap().unwrap().state, store::ScanState::Finished);
    let page = fs::read_to_string(done.report.join("night.html")).unwrap();
    assert!(page.contains("没有办成") && page.contains("calendar/2027.csv"), "{page}");

    // The calendar has come.
    let rules = place.path("rules");
    copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("audit_rules"), &rules);
    fs::write(rules.join("calendar/2027.csv"), "day,kind,name,source\n2027-01-01,off,元旦,虚构\n").unwrap();
    let done = at("2026-12-30", Some(rules.clone()));
    assert_eq!((done.assent.findings, standing(Status::AppealOpen)), (told, 0));
    assert_eq!(standing(Status::Established), told);
    let page = fs::read_to_string(done.report.join("night.html")).unwrap();
    assert!(page.contains(&format!("视为认可的疑点 {told} 条")), "{page}");
    let json: serde_json::Value = serde_json::from_slice(&fs::read(done.report.join("night.json")).unwrap()).unwrap();
    assert_eq!(json["assent"]["findings"], told);
    // Once.
    assert_eq!(at("2026-12-31", Some(rules)).assent.findings, 0);
}

#[test]
fn a_webhook_is_told_of_counts_and_one_that_is_deaf_holds_nothing_up() {
    use std::io::{Read as _, Write as _};
    let place = Place::new();
    let put = |number: usize| {
        let text = format!("{FEES}{number},M{number},P1,H1,2026-03-10,001,1,5,5.00\n");
        fs::write(place.path(&format!("drop/fee_detail_{number}.csv")), text).unwrap();
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/morning", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.contains("took_ms") {
            let length = stream.read(&mut buffer).unwrap();
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        text
    });
    let now = || "2026-03-20T02:00:00".to_owned();
    let ask = |webhook: &str| {
        let options = scan::Options { webhook: Some(webhook.to_owned()), ..place.options() };
        night(&options, place.store.as_ref(), Asking { owner: "here/1", now: &now, seconds: i64::MAX }, &Silent)
            .unwrap()
    };
    put(1);
    assert_eq!(ask(&url).untold, None);
    let text = heard.join().unwrap();
    assert!(text.starts_with("POST /morning") && text.contains("20260320-020000") && !text.contains("P1"), "{text}");
    put(2);
    let done = ask("http://127.0.0.1:1/nobody");
    assert!(done.untold.is_some());
    assert_eq!(place.store.scan(&done.scan_id).unwrap().unwrap().state, store::ScanState::Finished);
}
