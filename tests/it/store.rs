//! Findings that are kept: one story, told to SQLite and to PostgreSQL.
//!
//! PostgreSQL is told where `FUNDAUDIT_TEST_POSTGRES` holds the URL of a server on which databases may be made, as `.ci/run` sets
//! it; elsewhere that half is skipped, and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use fundaudit::cases::{Act, Actor, Case, Measure, Procedure, Status, apply};
use fundaudit::clock::Stopwatch;
use fundaudit::findings::{Finding, FindingLine};
use fundaudit::model::day;
use fundaudit::rules::Files;
use fundaudit::store::{
    self, Assigned, By, End, Error, Facility, FileTaken, Filter, Found, Kept, Lease, Merged, Order, Page, ScanRecord,
    ScanState, Scope, Store, What, backup,
};
use rust_decimal::Decimal;

/// A place for a store, which goes when the story is over.
struct Place {
    url: String,
    folder: tempfile::TempDir,
    /// Name of the database and URL of its server.
    database: Option<(String, String)>,
}

impl Place {
    fn in_a_file() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("findings.db").display());
        Place { url, folder, database: None }
    }

    /// On the server that the tests are given, if they are given one.
    fn on_the_server() -> Option<Place> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Some(server) = std::env::var("FUNDAUDIT_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) else {
            // Not by `eprintln!`, which the test runner keeps to itself.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: the PostgreSQL half of a story of the store; FUNDAUDIT_TEST_POSTGRES names no server (.ci/run starts one)"
            );
            return None;
        };
        let name = format!("fundaudit_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        ask(&server, &format!("create database {name}"));
        let (before, after) = server.split_once('?').map_or((server.as_str(), ""), |(before, after)| (before, after));
        let (host, _) = before.rsplit_once('/').unwrap();
        let url = format!("{host}/{name}?{after}");
        Some(Place { url, folder: tempfile::tempdir().unwrap(), database: Some((name, server)) })
    }

    fn open(&self) -> Box<dyn Store> {
        store::open(&self.url).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes what is kept behind the store's back.
    fn tamper(&self, sql: &str) {
        if self.database.is_some() {
            ask(&self.url, sql);
        } else {
            let file = rusqlite::Connection::open(self.url.strip_prefix("sqlite:").unwrap()).unwrap();
            file.execute_batch(sql).unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((name, server)) = &self.database {
            ask(server, &format!("drop database if exists {name} with (force)"));
        }
    }
}

/// Says something to PostgreSQL.
fn ask(url: &str, sql: &str) {
    use sqlx::Connection as _;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// Tells a story to both databases, as two tests.
macro_rules! told_to_both {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $story() { super::$story(&super::Place::in_a_file()); })+
        }
        mod postgres {
            $(#[test] fn $story() { if let Some(place) = super::Place::on_the_server() { super::$story(&place); } })+
        }
    };
}

told_to_both!(
    a_fact_has_one_row_whatever_the_number_of_scans,
    what_was_dismissed_and_comes_back_is_seen_again,
    only_whom_a_scan_looked_at_can_be_gone,
    a_scan_is_merged_once_and_finished_only_then,
    a_merge_that_fails_leaves_nothing,
    who_looks_does_not_wait_for_a_scan_that_writes,
    of_two_who_work_on_a_case_the_second_is_told,
    one_at_a_time_has_the_lease,
    files_are_taken_once_and_values_are_remembered,
    lists_and_sums_are_those_of_the_findings,
    rules_get_their_counts,
    a_backup_is_a_store_again,
    what_was_changed_behind_its_back_is_found,
    what_is_kept_comes_back_to_the_letter,
);

fn yuan(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn finding(id: u32, rule: &str, person: &str, amount: &str) -> Found {
    let finding_id = format!("{id:032x}");
    let finding = Finding {
        finding_id: finding_id.clone(),
        rule_code: rule.to_owned(),
        rule_name: format!("name-of-{}", rule.to_lowercase()),
        rule_title: format!("{rule} 的名称"),
        rule_hash: "h1".to_owned(),
        result: if id.is_multiple_of(2) { "明确违规" } else { "可疑" }.to_owned(),
        severity: ["high", "medium", "low"][id as usize % 3].to_owned(),
        unit: "line".to_owned(),
        key: format!(r#"{{"psn_no":"{person}","day":"2026-03-11"}}"#),
        psn_no: Some(person.to_owned()),
        mdtrt_id: Some(format!("M{}", id / 2)),
        setl_id: None,
        feedetl_sn: Some("1".to_owned()),
        fixmedins_code: Some(format!("H37032300{:03}", id % 5)),
        from_day: Some("2026-03-11".to_owned()),
        until_day: Some("2026-03-12".to_owned()),
        amount: yuan(amount),
        allocated: yuan(amount),
        fund_loss_est: Some(yuan("0.70")),
        message: format!("参保人 {person} 计费 2，上限 1"),
        basis: "条例 第三十八条".to_owned(),
        evidence: format!(r#"{{"used":2,"psn_no":"{person}"}}"#),
        exempted_by: None,
        fund_money: true,
    };
    let line = FindingLine {
        finding_id,
        mdtrt_id: format!("M{}", id / 2),
        feedetl_sn: "1".to_owned(),
        kind: 1,
        amount: yuan(amount),
    };
    (finding, vec![line], vec![person.to_owned()])
}

fn id(number: u32) -> String {
    format!("{number:032x}")
}

fn scan(name: &str) -> ScanRecord {
    ScanRecord {
        scan_id: name.to_owned(),
        started_at: format!("2026-11-{name}T02:00:00"),
        as_of: day::parse("2026-11-30").unwrap(),
        rule_set_hash: "rules".to_owned(),
        everyone: true,
        region: Some("370323".to_owned()),
        ..ScanRecord::default()
    }
}

/// Merges a scan of everyone; `night` is its day of the month and its name.
fn night(store: &dyn Store, night: &str, found: Vec<Found>) -> Merged {
    store.merge(&scan(night), &mut found.into_iter(), &Scope::Everyone, &format!("2026-11-{night}T02:30:00")).unwrap()
}

fn get(store: &dyn Store, number: u32) -> Kept {
    store.get(&id(number)).unwrap().unwrap()
}

fn said(store: &dyn Store, number: u32) -> Vec<What> {
    store.sightings(&id(number)).unwrap().into_iter().map(|sighting| sighting.what).collect()
}

fn procedure() -> Procedure {
    Procedure::read(&Files::built_in()).unwrap()
}

/// A person does something to a case.
fn act(store: &dyn Store, number: u32, act: Act, by: &str, at: &str) -> Case {
    let case = get(store, number).case;
    let withdraws = matches!(act, Act::Dismiss | Act::Revoke { .. });
    let command = act.because("看过病历");
    let command = if withdraws { command.coded("mapping") } else { command };
    let (after, step) = apply(&case, &command, &procedure(), &Actor::bureau(by), at).unwrap();
    store.step(&[(case.version, after.clone(), step)]).unwrap();
    after
}

fn a_fact_has_one_row_whatever_the_number_of_scans(place: &Place) {
    let store = place.open();
    let three = || {
        vec![finding(1, "BIL103", "P1", "12"), finding(2, "BIL103", "P2", "7.5"), finding(3, "STY101", "P3", "0.01")]
    };
    assert_eq!(night(store.as_ref(), "01", three()), Merged { new: 3, ..Merged::default() });
    let first = get(store.as_ref(), 1);
    assert_eq!(first.finding, three()[0].0);
    assert_eq!(store.lines(&id(1)).unwrap(), three()[0].1);
    assert_eq!((first.case.status, first.case.found, first.case.present), (Status::New, yuan("12"), true));
    assert_eq!((first.case.region.as_deref(), first.case.certain), (Some("370323"), false));
    assert_eq!((first.first_scan.as_str(), first.last_scan.as_str()), ("01", "01"));

    // The second night finds the same: nothing is written but that it was met.
    assert_eq!(night(store.as_ref(), "02", three()), Merged { unchanged: 3, ..Merged::default() });
    let again = get(store.as_ref(), 1);
    assert_eq!((again.first_scan.as_str(), again.last_scan.as_str()), ("01", "02"));
    assert_eq!(again.case, first.case);
    assert_eq!(said(store.as_ref(), 1), [What::New]);

    // The third finds other money and another text; a new version of a rule that says the same is no change.
    let mut found = three();
    found[0].0.amount = yuan("24");
    found[0].0.allocated = yuan("20");
    found[0].0.message = "计费 3，上限 1".to_owned();
    found[0].1[0].amount = yuan("24");
    found[1].0.rule_hash = "h2".to_owned();
    assert_eq!(night(store.as_ref(), "03", found), Merged { changed: 1, unchanged: 2, ..Merged::default() });
    let changed = get(store.as_ref(), 1);
    assert_eq!((changed.finding.amount, changed.finding.allocated), (yuan("24.00"), yuan("20.00")));
    assert_eq!(
        (changed.case.found, changed.case.standing),
        (yuan("20"), yuan("20")),
        "nobody has told the facility yet"
    );
    assert_eq!(get(store.as_ref(), 2).finding.rule_hash, "h2");
    let sightings = store.sightings(&id(1)).unwrap();
    assert_eq!(said(store.as_ref(), 1), [What::New, What::Changed]);
    let changes: BTreeMap<&str, (Option<&str>, Option<&str>)> = sightings[1]
        .changes
        .iter()
        .map(|change| (change.column.as_str(), (change.before.as_deref(), change.after.as_deref())))
        .collect();
    assert_eq!(changes.keys().copied().collect::<Vec<_>>(), ["allocated", "amount", "lines", "message"]);
    assert_eq!(changes["amount"], (Some("12.00"), Some("24.00")));
    assert_eq!(changes["message"].0, Some("参保人 P1 计费 2，上限 1"));

    // The fourth does not find two of them; they stay, and are not found again and again as missing.
    let left = vec![finding(3, "STY101", "P3", "0.01")];
    let gone = Merged { unchanged: 1, no_longer_found: 2, ..Merged::default() };
    assert_eq!(night(store.as_ref(), "04", left.clone()), gone);
    assert!(!get(store.as_ref(), 2).case.present);
    assert_eq!(night(store.as_ref(), "05", left), Merged { unchanged: 1, ..Merged::default() });

    // What comes back is marked.
    assert_eq!(night(store.as_ref(), "06", three()), Merged { seen_again: 2, unchanged: 1, ..Merged::default() });
    let back = get(store.as_ref(), 2);
    assert!(back.case.present && back.case.seen_again);
    assert_eq!(said(store.as_ref(), 2), [What::New, What::NoLongerFound, What::SeenAgain]);
    assert_eq!(
        said(store.as_ref(), 1),
        [What::New, What::Changed, What::NoLongerFound, What::SeenAgain, What::Changed]
    );
    assert_eq!(store.list(&Filter::default(), Page::default()).unwrap().total, 3);
    let marked = Filter { seen_again: Some(true), ..Filter::default() };
    assert_eq!(store.list(&marked, Page::default()).unwrap().total, 2);
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

fn what_was_dismissed_and_comes_back_is_seen_again(place: &Place) {
    let store = place.open();
    let one = || vec![finding(1, "BIL103", "P1", "12"), finding(2, "BIL103", "P2", "5")];
    night(store.as_ref(), "01", one());
    act(store.as_ref(), 1, Act::Assign { to: "王某".to_owned() }, "组长", "2026-11-01T09:00:00");
    act(store.as_ref(), 1, Act::Dismiss, "王某", "2026-11-01T10:00:00");

    let merged = night(store.as_ref(), "02", one());
    assert_eq!(merged, Merged { seen_again: 1, unchanged: 1, ..Merged::default() });
    let kept = get(store.as_ref(), 1);
    assert!(kept.case.seen_again);
    assert_eq!(
        (kept.case.status, kept.case.outcome.name()),
        (Status::Closed, "dismissed"),
        "the decision stands beside it"
    );
    let steps = store.steps(&id(1)).unwrap();
    assert_eq!(steps.iter().map(|step| step.action.name()).collect::<Vec<_>>(), ["assign", "dismiss", "seen_again"]);
    assert_eq!((steps[1].reason.as_str(), steps[1].actor.as_str()), ("看过病历", "bureau:王某"));

    // Once said is enough.
    assert_eq!(night(store.as_ref(), "03", one()), Merged { unchanged: 2, ..Merged::default() });

    // Told to the facility, the money stands as it was told, and the change is written down.
    act(store.as_ref(), 2, Act::Notify { standing: None }, "王某", "2026-11-03T10:00:00");
    let mut more = one();
    more[1].0.amount = yuan("9");
    more[1].0.allocated = yuan("9");
    assert_eq!(night(store.as_ref(), "04", more), Merged { changed: 1, unchanged: 1, ..Merged::default() });
    let told = get(store.as_ref(), 2);
    assert_eq!((told.finding.allocated, told.case.found, told.case.standing), (yuan("9"), yuan("5"), yuan("5")));
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

fn only_whom_a_scan_looked_at_can_be_gone(place: &Place) {
    let store = place.open();
    let mut two_persons = finding(3, "IDN103", "P1", "3");
    two_persons.2 = vec!["P1".to_owned(), "P2".to_owned()];
    let mut nobody = finding(4, "REC101", "P9", "4");
    nobody.0.psn_no = None;
    nobody.2 = Vec::new();
    night(
        store.as_ref(),
        "01",
        vec![finding(1, "BIL103", "P1", "1"), finding(2, "BIL103", "P2", "2"), two_persons.clone(), nobody.clone()],
    );
    let of = |persons: &[&str]| Scope::Persons(persons.iter().map(|p| (*p).to_owned()).collect::<BTreeSet<_>>());
    let partial = |name: &str, found: Vec<Found>, scope: &Scope| {
        let record = ScanRecord { everyone: false, ..scan(name) };
        store.merge(&record, &mut found.into_iter(), scope, &format!("2026-11-{name}T02:30:00")).unwrap()
    };
    // P1 alone: the finding about both was not looked for, nor that about nobody.
    assert_eq!(partial("02", vec![], &of(&["P1"])), Merged { no_longer_found: 1, ..Merged::default() });
    let present = |number| get(store.as_ref(), number).case.present;
    assert_eq!([1, 2, 3, 4].map(present), [false, true, true, true]);
    assert_eq!(partial("03", vec![], &of(&["P1", "P2", "P7"])), Merged { no_longer_found: 2, ..Merged::default() });
    assert_eq!([1, 2, 3, 4].map(present), [false, false, false, true]);
    assert_eq!(partial("04", vec![], &of(&[])), Merged::default());
    assert_eq!(night(store.as_ref(), "05", vec![]), Merged { no_longer_found: 1, ..Merged::default() });
    let gone = Filter { sighted: Some(("03".to_owned(), What::NoLongerFound)), ..Filter::default() };
    let ids: Vec<String> = listed(store.as_ref(), &gone);
    assert_eq!(ids, [id(3), id(2)], "the most money first");
}

fn a_scan_is_merged_once_and_finished_only_then(place: &Place) {
    let store = place.open();
    let record = ScanRecord {
        files: vec![FileTaken { sha256: "a".repeat(64), name: "fee.csv".to_owned(), rows: 7, ..FileTaken::default() }],
        remember: BTreeMap::from([("rule_set".to_owned(), "abc".to_owned())]),
        facilities: BTreeMap::from([(
            "H37032300001".to_owned(),
            Facility { name: Some("沂源县人民医院".to_owned()), admdvs: Some("370324".to_owned()) },
        )]),
        ..scan("01")
    };
    store.scan_begin(&record).unwrap();
    let state = || store.scan("01").unwrap().unwrap().state;
    assert_eq!(state(), ScanState::Running);
    let early = store.scan_end("01", End::Finished, "{}", "2026-11-01T02:10:00").unwrap_err();
    assert!(early.to_string().contains("is not in the store"), "{early}");
    assert_eq!(store.recall("rule_set").unwrap(), None);

    let merged = || {
        let found = vec![finding(1, "BIL103", "P1", "12"), finding(2, "BIL103", "P2", "1")];
        store.merge(&record, &mut found.into_iter(), &Scope::Everyone, "2026-11-01T02:30:00").unwrap()
    };
    assert_eq!(merged(), Merged { new: 2, ..Merged::default() });
    assert_eq!(state(), ScanState::Merged);
    assert_eq!(store.info().unwrap().last_scan, None, "not finished, so not shown as such");
    // Killed before it could write down that it was merged, it merges again: the same answer, and nothing twice.
    assert_eq!(merged(), Merged { new: 2, ..Merged::default() });
    assert_eq!(said(store.as_ref(), 1), [What::New]);
    assert_eq!(store.recall("rule_set").unwrap().as_deref(), Some("abc"));
    assert_eq!(store.file(&"a".repeat(64)).unwrap().unwrap().rows, 7);

    store.scan_end("01", End::Finished, r#"{"seconds":3}"#, "2026-11-01T02:40:00").unwrap();
    let done = store.scan("01").unwrap().unwrap();
    assert_eq!((done.state, done.ended_at.as_deref()), (ScanState::Finished, Some("2026-11-01T02:40:00")));
    assert_eq!((done.record.as_str(), done.merged), (r#"{"seconds":3}"#, Some(Merged { new: 2, ..Merged::default() })));
    assert_eq!(store.info().unwrap().last_scan.unwrap().scan_id, "01");

    // The facility's own region goes before the scan's, and its name is shown.
    let kept = get(store.as_ref(), 1);
    assert_eq!((kept.case.region.as_deref(), kept.facility.as_deref()), (Some("370324"), Some("沂源县人民医院")));
    assert_eq!(get(store.as_ref(), 2).case.region.as_deref(), Some("370323"));

    store.scan_begin(&scan("02")).unwrap();
    store.scan_end("02", End::Failed, "", "2026-11-02T02:40:00").unwrap();
    let states: Vec<_> = store.scans(9).unwrap().into_iter().map(|scan| (scan.scan_id, scan.state)).collect();
    assert_eq!(states, [("02".to_owned(), ScanState::Failed), ("01".to_owned(), ScanState::Finished)]);
    assert!(matches!(store.scan_end("99", End::Failed, "", "2026-11-02T02:40:00"), Err(Error::Unknown { .. })));
}

fn a_merge_that_fails_leaves_nothing(place: &Place) {
    let store = place.open();
    night(store.as_ref(), "01", vec![finding(1, "BIL103", "P1", "12")]);
    // The second group of findings breaks off, as a crash in the middle would.
    let mut number = 10;
    let mut broken = std::iter::from_fn(|| {
        number += 1;
        assert!(number < 1_500, "broken off");
        Some(finding(number, "BIL103", "P1", "1"))
    });
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.merge(&scan("02"), &mut broken, &Scope::Everyone, "2026-11-02T02:30:00")
    }));
    assert!(died.is_err());
    // The same finding twice is refused, and so is all that came with it.
    let twice = vec![finding(5, "BIL103", "P1", "1"), finding(5, "BIL103", "P1", "1")];
    assert!(store.merge(&scan("02"), &mut twice.into_iter(), &Scope::Everyone, "2026-11-02T02:30:00").is_err());
    assert_eq!(store.list(&Filter::default(), Page::default()).unwrap().total, 1);
    assert_eq!(store.scan("02").unwrap(), None);
    assert!(get(store.as_ref(), 1).case.present);
    assert_eq!(night(store.as_ref(), "02", vec![finding(1, "BIL103", "P1", "12")]).unchanged, 1);
}

fn who_looks_does_not_wait_for_a_scan_that_writes(place: &Place) {
    let store = place.open();
    night(store.as_ref(), "01", vec![finding(1, "BIL103", "P1", "12")]);
    let lease = store.lease("scan", "night@a:17", "2026-11-02T02:19:00", 3_600).unwrap();
    let record = ScanRecord { lease: Some(lease), ..scan("02") };
    let mut looked = 0;
    let mut found = (1..=1_200).map(|number| {
        if number % 400 == 0 {
            // Another program, opened while the scan is in the middle of its writing, sees what was there before.
            let another = place.open();
            assert_eq!(another.list(&Filter::default(), Page::default()).unwrap().total, 1);
            assert_eq!(another.scan("02").unwrap(), None);
            // A second scan is told at once who is at work.
            let watch = Stopwatch::start();
            let held = another.lease("scan", "night@b:4", "2026-11-02T02:20:00", 60).unwrap_err();
            assert!(matches!(held, Error::Held(held) if held.owner == "night@a:17"));
            assert!(watch.elapsed().as_secs() < 2);
            looked += 1;
        }
        finding(number, "BIL103", "P1", "12")
    });
    let merged = store.merge(&record, &mut found, &Scope::Everyone, "2026-11-02T02:30:00").unwrap();
    assert_eq!((merged, looked), (Merged { new: 1_199, unchanged: 1, ..Merged::default() }, 3));
    assert_eq!(place.open().list(&Filter::default(), Page::default()).unwrap().total, 1_200);
}

fn of_two_who_work_on_a_case_the_second_is_told(place: &Place) {
    let store = place.open();
    night(store.as_ref(), "01", vec![finding(1, "BIL103", "P1", "12"), finding(2, "BIL103", "P2", "12")]);
    let read = get(store.as_ref(), 1).case;
    let other = get(store.as_ref(), 2).case;
    let assigned = |case: &Case, to: &str| {
        let command = Act::Assign { to: to.to_owned() }.plain();
        let (after, step) = apply(case, &command, &procedure(), &Actor::bureau("组长"), "2026-11-01T09:00:00").unwrap();
        (case.version, after, step)
    };
    store.step(&[assigned(&read, "王某")]).unwrap();
    // The other one's list holds a case that is still as it was read, and nothing of it is written.
    let late = store.step(&[assigned(&other, "李某"), assigned(&read, "李某")]).unwrap_err();
    assert!(matches!(&late, Error::Moved { finding_id } if *finding_id == id(1)), "{late}");
    assert_eq!(get(store.as_ref(), 1).case.assignee.as_deref(), Some("王某"));
    assert_eq!(get(store.as_ref(), 2).case, other);
    assert_eq!(store.steps(&id(2)).unwrap(), []);
    let mut nowhere = assigned(&other, "李某");
    (nowhere.1.finding_id, nowhere.2.finding_id) = (id(77), id(77));
    assert!(matches!(store.step(&[nowhere]), Err(Error::Unknown { .. })));

    let mine = Filter { assignee: Assigned::To("王某".to_owned()), ..Filter::default() };
    let cases = store.cases(&mine, Page::default()).unwrap();
    assert_eq!(cases, [get(store.as_ref(), 1).case]);
    let free = Filter { assignee: Assigned::Nobody, ..Filter::default() };
    assert_eq!(listed(store.as_ref(), &free), [id(2)]);
}

fn one_at_a_time_has_the_lease(place: &Place) {
    let store = place.open();
    let another = place.open();
    let lease = store.lease("scan", "night@a:17", "2026-11-22T02:00:00", 60).unwrap();
    let held = another.lease("scan", "night@b:4", "2026-11-22T02:00:30", 60).unwrap_err();
    let said = held.to_string();
    assert!(said.contains("night@a:17") && said.contains("2026-11-22T02:00:00"), "{said}");
    another.lease("report", "night@b:4", "2026-11-22T02:00:30", 60).unwrap();
    // A sign of life at the last moment; a second after the next one would have been due, it lapses.
    store.heartbeat(&lease, "2026-11-22T02:01:00").unwrap();
    assert!(another.lease("scan", "night@b:4", "2026-11-22T02:02:00", 60).is_err());
    let taken = another.lease("scan", "night@b:4", "2026-11-22T02:02:01", 60).unwrap();
    assert!(taken.number > lease.number);
    assert!(matches!(store.heartbeat(&lease, "2026-11-22T02:02:02"), Err(Error::Held(_))));

    // What is found by one who has lost his lease is not merged.
    let late = ScanRecord { lease: Some(lease.clone()), ..scan("01") };
    let found = vec![finding(1, "BIL103", "P1", "12")];
    let refused = store.merge(&late, &mut found.clone().into_iter(), &Scope::Everyone, "2026-11-22T02:03:00");
    assert!(matches!(refused, Err(Error::Held(held)) if held.owner == "night@b:4"));
    assert_eq!(store.list(&Filter::default(), Page::default()).unwrap().total, 0);
    store.release(&lease).unwrap();
    let held = store.info().unwrap().leases;
    assert_eq!(held.len(), 2, "giving back what one has no more gives nothing back: {held:?}");

    let right = ScanRecord { lease: Some(taken.clone()), ..scan("01") };
    store.merge(&right, &mut found.into_iter(), &Scope::Everyone, "2026-11-22T02:03:00").unwrap();
    another.release(&taken).unwrap();
    store.lease("scan", "night@a:18", "2026-11-22T02:02:02", 60).unwrap();
    let missing = Lease { name: "nothing".to_owned(), ..Lease::default() };
    assert!(matches!(store.heartbeat(&missing, "2026-11-22T02:02:02"), Err(Error::Unknown { .. })));
    assert!(store.lease("scan", "night@a:18", "2026-02-30T02:02:02", 60).is_err(), "no such day");
}

fn files_are_taken_once_and_values_are_remembered(place: &Place) {
    let store = place.open();
    let file = |letter: &str, name: &str, reason: Option<&str>| FileTaken {
        sha256: letter.repeat(64),
        name: name.to_owned(),
        bytes: 1 << 40,
        rows: 10,
        taken_at: "2026-11-01T02:00:00".to_owned(),
        scan_id: Some("01".to_owned()),
        reason: reason.map(str::to_owned),
    };
    store.take_files(&[file("b", "b.csv", None), file("a", "a.csv", Some("not a table"))]).unwrap();
    assert_eq!(store.files(Some("01")).unwrap(), [file("a", "a.csv", Some("not a table")), file("b", "b.csv", None)]);
    // The same content under another name was taken; what was set aside may be mended and come again.
    store.take_files(&[file("b", "again.csv", Some("late")), file("a", "a.csv", None)]).unwrap();
    assert_eq!(store.file(&"b".repeat(64)).unwrap(), Some(file("b", "b.csv", None)));
    assert_eq!(store.file(&"a".repeat(64)).unwrap(), Some(file("a", "a.csv", None)));
    assert_eq!(store.file(&"c".repeat(64)).unwrap(), None);
    assert_eq!(store.files(None).unwrap().len(), 2);

    assert_eq!(store.recall("as_of").unwrap(), None);
    store.remember("as_of", "2026-11-01").unwrap();
    store.remember("as_of", "2026-11-02").unwrap();
    assert_eq!(store.recall("as_of").unwrap().as_deref(), Some("2026-11-02"));
}

fn listed(store: &dyn Store, filter: &Filter) -> Vec<String> {
    let list = store.list(filter, Page::default()).unwrap();
    list.findings.into_iter().map(|kept| kept.finding.finding_id).collect()
}

/// Twelve hundred findings, more than are read at once, with everything that a filter may ask for.
fn many() -> Vec<Found> {
    (0..1_200)
        .map(|number| {
            let rule = ["BIL103", "BIL104", "STY101", "RAT101"][number as usize % 4];
            let mut found =
                finding(number, rule, &format!("P{}", number % 100), &format!("{}.{:02}", number % 97, number % 100));
            found.0.fund_money = rule != "RAT101";
            if rule == "RAT101" {
                found.0.allocated = Decimal::ZERO;
            }
            let first = day::parse("2026-01-01").unwrap() + i32::try_from(number % 300).unwrap();
            found.0.from_day = Some(day::text(first));
            found.0.until_day = Some(day::text(first + 3));
            found.0.exempted_by = number.is_multiple_of(50).then(|| "EX-1".to_owned());
            if number.is_multiple_of(7) {
                found.2.push("PX".to_owned());
            }
            found
        })
        .collect()
}

/// Whether a filter is to let a finding pass.
type Fits<'a> = Box<dyn Fn(&Found) -> bool + 'a>;

#[expect(clippy::too_many_lines, reason = "one filter after another")]
fn lists_and_sums_are_those_of_the_findings(place: &Place) {
    let store = place.open();
    let found = many();
    assert_eq!(night(store.as_ref(), "01", found.clone()).new, 1_200);
    let mut seen: Vec<Finding> = Vec::new();
    store
        .each(&Filter::default(), &mut |kept, lines| {
            assert_eq!(lines.len(), 1);
            seen.push(kept.finding);
            Ok(())
        })
        .unwrap();
    let mut wanted: Vec<Finding> = found.iter().map(|(finding, ..)| finding.clone()).collect();
    wanted.sort_by(|a, b| (&a.rule_code, &a.finding_id).cmp(&(&b.rule_code, &b.finding_id)));
    assert!(seen == wanted, "all of them, in order of rule and finding");

    let days = |finding: &Finding| {
        let of = |day: &Option<String>| day::parse(day.as_deref().unwrap()).unwrap();
        (of(&finding.from_day), of(&finding.until_day))
    };
    let march = (day::parse("2026-03-01").unwrap(), day::parse("2026-03-31").unwrap());
    let of = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let all = Filter::default;
    let asked: Vec<(&str, Filter, Fits<'_>)> = vec![
        ("all", all(), Box::new(|_| true)),
        ("a rule", Filter { rules: of(&["BIL104"]), ..all() }, Box::new(|f| f.0.rule_code == "BIL104")),
        (
            "a family and a rule",
            Filter { rules: of(&["BIL", "STY101"]), ..all() },
            Box::new(|f| f.0.rule_code != "RAT101"),
        ),
        ("a name", Filter { rules: of(&["name-of-sty101"]), ..all() }, Box::new(|f| f.0.rule_code == "STY101")),
        (
            "a facility",
            Filter { facilities: of(&["H37032300002"]), ..all() },
            Box::new(|f| f.0.fixmedins_code.as_deref() == Some("H37032300002")),
        ),
        ("a city", Filter { regions: of(&["370300"]), ..all() }, Box::new(|_| true)),
        ("a province", Filter { regions: of(&["370000"]), ..all() }, Box::new(|_| true)),
        ("another county", Filter { regions: of(&["370324"]), ..all() }, Box::new(|_| false)),
        (
            "a person of some line",
            Filter { persons: of(&["PX"]), ..all() },
            Box::new(|f| f.2.contains(&"PX".to_owned())),
        ),
        (
            "an encounter",
            Filter { encounters: of(&["M100"]), ..all() },
            Box::new(|f| f.0.mdtrt_id.as_deref() == Some("M100")),
        ),
        ("certain", Filter { results: of(&["明确违规"]), ..all() }, Box::new(|f| f.0.result == "明确违规")),
        ("grave", Filter { severities: of(&["high", "low"]), ..all() }, Box::new(|f| f.0.severity != "medium")),
        (
            "reaching into March",
            Filter { from: Some(march.0), until: Some(march.1), ..all() },
            Box::new(|f| days(&f.0).1 >= march.0 && days(&f.0).0 <= march.1),
        ),
        ("large", Filter { at_least: Some(yuan("50.50")), ..all() }, Box::new(|f| f.0.amount >= yuan("50.50"))),
        ("exempted", Filter { exempted: Some(true), ..all() }, Box::new(|f| f.0.exempted_by.is_some())),
        (
            "not exempted, of the fund",
            Filter { exempted: Some(false), fund_money: Some(true), ..all() },
            Box::new(|f| f.0.exempted_by.is_none() && f.0.fund_money),
        ),
        ("gone", Filter { present: Some(false), ..all() }, Box::new(|_| false)),
        ("due", Filter { due_by: Some(30_000), ..all() }, Box::new(|_| false)),
        (
            "new, by status",
            Filter { statuses: vec![Status::New], sighted: Some(("01".to_owned(), What::New)), ..all() },
            Box::new(|_| true),
        ),
        ("closed", Filter { statuses: vec![Status::Closed], ..all() }, Box::new(|_| false)),
        (
            "everything at once",
            Filter {
                rules: of(&["BIL"]),
                facilities: of(&["H37032300000"]),
                persons: of(&["P0", "P40"]),
                results: of(&["明确违规"]),
                from: Some(march.0),
                ..all()
            },
            Box::new(|f| {
                f.0.rule_code.starts_with("BIL")
                    && f.0.fixmedins_code.as_deref() == Some("H37032300000")
                    && ["P0", "P40"].contains(&f.2[0].as_str())
                    && f.0.result == "明确违规"
                    && days(&f.0).1 >= march.0
            }),
        ),
    ];
    for (name, filter, fits) in &asked {
        let mut wanted: Vec<&Finding> = found.iter().filter(|found| fits(found)).map(|(finding, ..)| finding).collect();
        wanted.sort_by(|a, b| b.allocated.cmp(&a.allocated).then(a.finding_id.cmp(&b.finding_id)));
        let page = |skip, take| store.list(filter, Page { skip, take, order: Order::Money }).unwrap();
        assert_eq!(page(0, 1).total, wanted.len() as u64, "{name}");
        let whole: Vec<Finding> = page(0, 5_000).findings.into_iter().map(|kept| kept.finding).collect();
        assert!(whole.iter().eq(wanted.iter().copied()), "{name}");
        let second: Vec<Finding> = page(3, 4).findings.into_iter().map(|kept| kept.finding).collect();
        assert!(second.iter().eq(wanted.iter().copied().skip(3).take(4)), "{name}");
        for by in By::ALL {
            let sums = store.sum(filter, *by).unwrap();
            assert_eq!(
                sums.iter().map(|sum| sum.findings).sum::<u64>(),
                wanted.len() as u64,
                "{name} by {}",
                by.name()
            );
            let money: Decimal = wanted.iter().map(|finding| finding.allocated).sum();
            assert_eq!(sums.iter().map(|sum| sum.allocated).sum::<Decimal>(), money, "{name} by {}", by.name());
            let apart: Decimal = wanted.iter().filter(|f| f.fund_money).map(|finding| finding.amount).sum();
            assert_eq!(sums.iter().map(|sum| sum.amount).sum::<Decimal>(), apart, "{name} by {}", by.name());
        }
    }

    // One sum by hand, and the other orders by their first.
    let by_month: BTreeMap<String, u64> =
        store.sum(&all(), By::Month).unwrap().into_iter().map(|sum| (sum.key, sum.findings)).collect();
    let mut months: BTreeMap<String, u64> = BTreeMap::new();
    for (finding, ..) in &found {
        *months.entry(finding.from_day.as_deref().unwrap()[..7].to_owned()).or_default() += 1;
    }
    assert_eq!(by_month, months);
    let titles: Vec<_> = store.sum(&all(), By::Rule).unwrap().into_iter().map(|sum| sum.title).collect();
    assert!(titles.contains(&Some("BIL103 的名称".to_owned())), "{titles:?}");
    for order in Order::ALL {
        let list = store.list(&all(), Page { skip: 0, take: 1_200, order: *order }).unwrap();
        assert_eq!(list.findings.iter().map(|kept| &kept.finding.finding_id).collect::<BTreeSet<_>>().len(), 1_200);
        let keys: Vec<(i64, String)> = list
            .findings
            .iter()
            .map(|kept| match order {
                Order::Day => (-i64::from(days(&kept.finding).0), String::new()),
                Order::Rule => (0, kept.finding.rule_code.clone()),
                Order::Facility => (0, kept.finding.fixmedins_code.clone().unwrap()),
                Order::Money | Order::Due | Order::Newest => (0, String::new()),
            })
            .collect();
        assert!(keys.is_sorted(), "{}", order.name());
    }
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

fn rules_get_their_counts(place: &Place) {
    let store = place.open();
    let found: Vec<Found> = (1..=5).map(|n| finding(n, "BIL103", &format!("P{n}"), "10")).collect();
    night(store.as_ref(), "01", [found, vec![finding(9, "STY101", "P9", "1")]].concat());
    for number in [1, 2] {
        act(store.as_ref(), number, Act::Assign { to: "王某".to_owned() }, "组长", "2026-11-02T09:00:00");
    }
    act(store.as_ref(), 1, Act::Dismiss, "王某", "2026-11-02T10:00:00");
    act(store.as_ref(), 2, Act::Notify { standing: None }, "王某", "2026-11-02T10:00:00");
    act(store.as_ref(), 2, Act::Accept, "王某", "2026-11-02T11:00:00");
    let decision = Act::Decide { measures: vec![Measure::Recover], fund: Some(yuan("8")), damages: yuan("2") };
    act(store.as_ref(), 2, decision, "赵某", "2026-11-02T12:00:00");
    act(store.as_ref(), 2, Act::Recover { fund: yuan("5"), damages: yuan("1") }, "赵某", "2026-11-02T13:00:00");
    act(store.as_ref(), 4, Act::Notify { standing: None }, "王某", "2026-11-02T10:00:00");
    act(store.as_ref(), 4, Act::Appeal, "王某", "2026-11-02T11:00:00");
    act(store.as_ref(), 4, Act::Revoke { panel: Vec::new() }, "李某", "2026-11-02T12:00:00");

    let cards = store.scorecard(&Filter::default()).unwrap();
    assert_eq!(cards.iter().map(|card| card.rule_code.as_str()).collect::<Vec<_>>(), ["BIL103", "STY101"]);
    let card = &cards[0];
    assert_eq!(card.rule_title, "BIL103 的名称");
    assert_eq!((card.hits, card.reviewed, card.dismissed), (5, 3, 1));
    assert_eq!((card.appealed, card.overturned), (1, 1));
    assert_eq!((card.found, card.standing), (yuan("50"), yuan("30")));
    assert_eq!((card.decided, card.recovered, card.steps), (yuan("8"), yuan("5"), 10));
    assert_eq!(card.reasons, BTreeMap::from([("mapping".to_owned(), 2)]));
    assert_eq!((cards[1].hits, cards[1].reviewed, cards[1].steps), (1, 0, 0));
    let none = store.scorecard(&Filter { rules: vec!["MED".to_owned()], ..Filter::default() }).unwrap();
    assert_eq!(none, []);
    let sums = store.sum(&Filter::default(), By::Nothing).unwrap();
    assert_eq!((sums[0].damages, sums[0].damages_recovered), (yuan("2"), yuan("1")));
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

/// Everything that a store says of itself, to hold two against each other.
fn everything(store: &dyn Store) -> Vec<String> {
    let mut said = Vec::new();
    let mut ids = Vec::new();
    store
        .each(&Filter::default(), &mut |kept, lines| {
            ids.push(kept.finding.finding_id.clone());
            said.push(format!("{kept:?} {lines:?}"));
            Ok(())
        })
        .unwrap();
    for id in ids {
        said.push(format!("{:?} {:?}", store.sightings(&id).unwrap(), store.steps(&id).unwrap()));
    }
    said.push(format!("{:?} {:?}", store.scans(99).unwrap(), store.files(None).unwrap()));
    said.push(format!("{:?} {:?}", store.recall("rule_set").unwrap(), store.scorecard(&Filter::default()).unwrap()));
    said
}

fn a_backup_is_a_store_again(place: &Place) {
    let store = place.open();
    night(store.as_ref(), "01", many());
    act(store.as_ref(), 4, Act::Notify { standing: None }, "王某", "2026-11-01T10:00:00");
    night(store.as_ref(), "02", many().into_iter().skip(10).collect());
    store.remember("rule_set", "abc").unwrap();
    store.take_files(&[FileTaken { sha256: "a".repeat(64), ..FileTaken::default() }]).unwrap();

    let file = place.file("findings.backup");
    let rows = backup::write(store.as_ref(), &file, "2026-11-03T08:00:00").unwrap();
    assert_eq!((rows["finding"], rows["finding_line"], rows["scan"], rows["case_step"]), (1_200, 1_200, 2, 11));
    assert_eq!(backup::verify(&file).unwrap(), rows);
    let twice = backup::write(store.as_ref(), &file, "2026-11-03T08:00:00").unwrap_err();
    assert!(twice.to_string().contains("there already"), "{twice}");

    // Into a file, whichever database it came from.
    let other = Place::in_a_file();
    let restored = other.open();
    assert_eq!(backup::restore(&file, restored.as_ref()).unwrap(), rows);
    assert!(everything(restored.as_ref()) == everything(store.as_ref()));
    assert_eq!(restored.verify().unwrap(), Vec::<String>::new());
    // And back into one of its own kind, byte for byte the same backup.
    let again = other.file("again.backup");
    backup::write(restored.as_ref(), &again, "2026-11-03T08:00:00").unwrap();
    assert!(std::fs::read(&again).unwrap() == std::fs::read(&file).unwrap());
    if place.database.is_some() {
        let third = Place::on_the_server().unwrap();
        backup::restore(&again, third.open().as_ref()).unwrap();
        assert!(everything(third.open().as_ref()) == everything(store.as_ref()));
    }
    let full = backup::restore(&file, store.as_ref()).unwrap_err();
    assert!(full.to_string().contains("not empty"), "{full}");

    // Cut, or changed in one place: neither read nor restored, and the new store stays empty.
    let whole = std::fs::read(&file).unwrap();
    for (name, bytes) in [
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("cut at the end", whole[..whole.len() - 40].to_vec()),
        ("changed", {
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        }),
        ("empty", Vec::new()),
        ("something else", b"PK\x03\x04".to_vec()),
    ] {
        let bad = other.file("bad.backup");
        std::fs::write(&bad, bytes).unwrap();
        let said = backup::verify(&bad).unwrap_err().to_string();
        assert!(said.contains("bad.backup") && said.contains("damaged"), "{name}: {said}");
        let empty = Place::in_a_file();
        backup::restore(&bad, empty.open().as_ref()).unwrap_err();
        assert_eq!(empty.open().info().unwrap().rows["finding"], 0, "{name}");
    }
}

fn what_was_changed_behind_its_back_is_found(place: &Place) {
    let store = place.open();
    night(store.as_ref(), "01", vec![finding(1, "BIL103", "P1", "12"), finding(2, "BIL103", "P2", "12")]);
    act(store.as_ref(), 2, Act::Notify { standing: None }, "王某", "2026-11-01T10:00:00");
    let complaints = || store.verify().unwrap().join("\n");
    assert_eq!(complaints(), "");
    for (change, back, said) in [
        ("update finding set amount = 1", "update finding set amount = 1200", "is not as it was written"),
        (
            "update finding_text set message = 'x' where finding_id like '%1'",
            "update finding_text set message = '参保人 P1 计费 2，上限 1' where finding_id like '%1'",
            "is not as it was written",
        ),
        (
            "update finding_line set feedetl_sn = '2'",
            "update finding_line set feedetl_sn = '1'",
            "not as it was written",
        ),
        (
            "update finding set status = 'closed' where version = 1",
            "update finding set status = 'appeal_open' where version = 1",
            "not where its last step led",
        ),
        (
            "update finding set version = 3 where version = 1",
            "update finding set version = 1 where version = 3",
            "number of its steps",
        ),
        ("update finding set standing = 1300", "update finding set standing = 1200", "money does not add up"),
        ("update sighting set what = 'changed'", "update sighting set what = 'new'", "that no scan found"),
    ] {
        place.tamper(change);
        assert!(complaints().contains(said), "{change}: {}", complaints());
        place.tamper(back);
        assert_eq!(complaints(), "", "{back}");
    }
}

fn what_is_kept_comes_back_to_the_letter(place: &Place) {
    let store = place.open();
    let mut odd = finding(1, "BIL103", "', \"); drop table finding; --", "12");
    odd.0.message = "换行\n制表\t引号'\"反斜杠\\ 表情😀 $1 ? :a %s".to_owned();
    odd.0.evidence = r#"{"a":"\u0000","b":null}"#.to_owned();
    odd.0.amount = yuan("90071992547409.93");
    odd.0.allocated = yuan("0.01");
    odd.0.fund_loss_est = None;
    odd.0.psn_no = None;
    odd.0.from_day = None;
    odd.0.setl_id = Some(String::new());
    odd.2 = vec!["乙".to_owned(), "甲".to_owned(), "乙".to_owned()];
    night(store.as_ref(), "01", vec![odd.clone()]);
    let kept = get(store.as_ref(), 1);
    assert_eq!(kept.finding, odd.0);
    assert_eq!(kept.persons, ["乙", "甲"]);
    assert_eq!(night(store.as_ref(), "02", vec![odd.clone()]).unchanged, 1);
    // A character that PostgreSQL does not keep is the same replacement in both, and no change the next night.
    odd.0.message = "a\0b".to_owned();
    assert_eq!(night(store.as_ref(), "03", vec![odd.clone()]).changed, 1);
    assert_eq!(get(store.as_ref(), 1).finding.message, "a\u{fffd}b");
    assert_eq!(night(store.as_ref(), "04", vec![odd]).unchanged, 1);
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn a_place_that_is_no_store_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let error = |url: &str| store::open(url).err().unwrap().to_string();
    for (url, said) in [("findings.db", "wanted `sqlite:PATH`"), ("sqlite:", "wanted"), ("mysql://x", "wanted")] {
        assert!(error(url).contains(said), "{}", error(url));
    }
    assert!(error(&format!("sqlite:{}", folder.path().display())).contains("a folder"));
    std::fs::write(folder.path().join("notes.txt"), "notes, long enough to have a head of a hundred bytes ".repeat(9))
        .unwrap();
    assert!(error(&at("notes.txt")).contains("no SQLite database"), "{}", error(&at("notes.txt")));
    rusqlite::Connection::open(folder.path().join("other.db")).unwrap().execute_batch("create table t (x)").unwrap();
    let before = std::fs::read(folder.path().join("other.db")).unwrap();
    assert!(error(&at("other.db")).contains("another program"));
    assert_eq!(std::fs::read(folder.path().join("other.db")).unwrap(), before);

    let missing = store::open_existing(&at("none.db")).err().unwrap().to_string();
    assert!(missing.contains("there is no store"), "{missing}");
    assert!(!folder.path().join("none.db").exists());

    // One that a later version made is not touched; neither is one whose form was changed.
    drop(store::open(&at("deep/new.db")).unwrap());
    let file = folder.path().join("deep/new.db");
    let say = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    say("insert into fundaudit_schema values (99, 'later', 'x')");
    assert!(error(&at("deep/new.db")).contains("a later version made it"));
    say("delete from fundaudit_schema where number = 99; update fundaudit_schema set sha256 = 'x'");
    assert!(error(&at("deep/new.db")).contains("damaged"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "person numbers are in it");
    }
}

#[test]
fn a_password_is_not_repeated() {
    let url = "postgres://auditor:s3cret@127.0.0.1:1/findings?sslmode=disable&password=s3cret";
    let said = store::open(url).err().unwrap().to_string();
    assert!(said.contains("postgres://auditor@127.0.0.1:1/findings") && !said.contains("s3cret"), "{said}");
    assert_eq!(store::shown_url("postgres://a:b@c@h/d"), "postgres://a@h/d");
    assert_eq!(store::shown_url("sqlite:/x/y.db"), "sqlite:/x/y.db");
}

fn fundaudit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fundaudit"))
        .args(arguments)
        .env_remove("LC_ALL")
        .env_remove("FUNDAUDIT_STORE")
        .env("LANG", "C")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_command_lists_shows_and_exports_with_masks() {
    let place = Place::in_a_file();
    let store = place.open();
    let mut two = finding(2, "IDN103", "37030000123", "30");
    two.2.push("37030000999".to_owned());
    two.0.evidence = r#"{"psn_no":"37030000123","other":"37030000999"}"#.to_owned();
    night(store.as_ref(), "01", vec![finding(1, "BIL103", "37030000123", "12"), two, finding(3, "BIL103", "P3", "1")]);
    night(store.as_ref(), "02", vec![finding(1, "BIL103", "37030000123", "12")]);
    act(store.as_ref(), 1, Act::Assign { to: "王某".to_owned() }, "组长", "2026-11-02T09:00:00");
    drop(store);
    let url = place.url.as_str();

    let list = fundaudit(&["findings", "list", "--store", url]);
    let said = text(&list.stdout);
    assert_eq!(list.status.code(), Some(0), "{said}{}", text(&list.stderr));
    assert!(said.contains(&id(1)) && !said.contains(&id(2)) && said.contains("1 findings"), "{said}");
    let all = text(&fundaudit(&["findings", "list", "--store", url, "--all", "--order", "rule", "--take", "2"]).stdout);
    assert!(all.contains("3 findings, 1 more: --skip 2"), "{all}");
    let sums =
        text(&fundaudit(&["findings", "list", "--store", url, "--all", "--by", "rule", "--format", "csv"]).stdout);
    assert!(sums.contains("\nBIL103,BIL103 的名称,2,13.00,13.00,13.00,0.00,"), "{sums}");
    let json =
        text(&fundaudit(&["findings", "list", "--store", url, "--all", "--rule", "IDN", "--format", "json"]).stdout);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["total"].as_u64(), json["findings"][0]["allocated"].as_str()), (Some(1), Some("30.00")));

    let show = |extra: &[&str]| {
        let run = fundaudit(&[&["findings", "show", &id(2), "--store", url][..], extra].concat());
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
        text(&run.stdout)
    };
    for said in [show(&[]), show(&["--format", "json"])] {
        assert!(!said.contains("37030000123") && !said.contains("37030000999"), "every person is masked: {said}");
        assert!(said.contains("370***23"), "{said}");
    }
    assert!(show(&["--format", "json", "--unmask"]).contains("37030000999"));
    let worked = text(&fundaudit(&["findings", "show", &id(1), "--store", url, "--lang", "zh"]).stdout);
    assert!(worked.contains("分派") && worked.contains("王某") && worked.contains("初审"), "{worked}");

    let out = place.file("out");
    let export = |extra: &[&str]| {
        let out = out.to_str().unwrap();
        let run = fundaudit(&[&["findings", "export", "--all", "--store", url, "--out", out][..], extra].concat());
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    };
    export(&["--out-format", "csv,json,parquet,xlsx"]);
    for name in [
        "findings.csv",
        "findings.json",
        "findings.parquet",
        "findings.xlsx",
        "finding_lines.csv",
        "finding_lines.parquet",
        "cases.csv",
    ] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(read("findings.csv").lines().count(), 4);
    for name in ["findings.csv", "findings.json", "cases.csv"] {
        assert!(!read(name).contains("37030000123") && !read(name).contains("37030000999"), "{name}");
    }
    assert!(read("cases.csv").contains("initial_review"), "{}", read("cases.csv"));
    export(&["--out-format", "csv", "--unmask"]);
    assert!(read("findings.csv").contains("37030000999"));

    for (arguments, said) in [
        (&["findings", "show", "abc", "--store", url][..], "no finding `abc`"),
        (&["findings", "list"][..], "--store"),
        (&["findings", "list", "--store", "sqlite:/no/such/file.db"][..], "there is no store"),
        (&["findings", "list", "--store", url, "--status", "nwe"][..], "wanted one of new, initial_review"),
        (&["findings", "list", "--store", url, "--order", "size"][..], "wanted one of money"),
        (&["findings", "list", "--store", url, "--sighted", "01"][..], "wanted SCAN:WORD"),
    ] {
        let run = fundaudit(arguments);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        assert!(text(&run.stderr).contains(said), "{arguments:?}: {}", text(&run.stderr));
    }
}

#[test]
fn the_command_backs_up_verifies_and_restores() {
    let place = Place::in_a_file();
    let store = place.open();
    night(store.as_ref(), "01", vec![finding(1, "BIL103", "P1", "12")]);
    store.scan_end("01", End::Finished, "{}", "2026-11-01T03:00:00").unwrap();
    store.lease("scan", "night@a:17", "2026-11-22T02:00:00", 60).unwrap();
    let (url, file) = (place.url.as_str(), place.file("a.backup"));
    let file = file.to_str().unwrap();
    let run = |arguments: &[&str], code: i32| {
        let run = fundaudit(arguments);
        let said = text(&run.stdout) + &text(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {said}");
        said
    };
    let info = run(&["store", "info", "--store", url], 0);
    for said in ["SQLite 3.", "last finished scan: 01", "`scan` is held by `night@a:17`"] {
        assert!(info.contains(said), "{info}");
    }
    assert!(run(&["store", "backup", "--store", url, "--to", file], 0).contains("backup: "));
    assert!(run(&["store", "backup", "--store", url, "--to", file], 2).contains("there already"));
    assert!(run(&["store", "verify", "--backup", file], 0).contains("whole: "));
    assert!(run(&["store", "verify", "--store", url], 0).contains("nothing is wrong"));
    let other = format!("sqlite:{}", place.file("b.db").display());
    assert!(run(&["store", "restore", "--store", &other, "--from", file], 0).contains("restored: "));
    assert!(run(&["store", "restore", "--store", &other, "--from", file], 2).contains("not empty"));
    assert!(run(&["findings", "list", "--store", &other], 0).contains(&id(1)));
    place.tamper("update finding set amount = 1");
    assert!(run(&["store", "verify", "--store", url], 1).contains("is not as it was written"));
}

/// The disk fills up while a store is restored: the shell sets the largest file, as a full disk would.
#[cfg(unix)]
#[test]
fn a_full_disk_is_said_and_nothing_is_lost() {
    let place = Place::in_a_file();
    let store = place.open();
    night(store.as_ref(), "01", many());
    let file = place.file("a.backup");
    backup::write(store.as_ref(), &file, "2026-11-01T03:00:00").unwrap();
    let target = place.file("small.db");
    drop(store::open(&format!("sqlite:{}", target.display())).unwrap());
    // SIGXFSZ is ignored, so that writing fails instead of killing.
    let script = format!(
        "trap '' XFSZ; ulimit -f 600; exec '{}' store restore --store 'sqlite:{}' --from '{}'",
        env!("CARGO_BIN_EXE_fundaudit"),
        target.display(),
        file.display()
    );
    let run = Command::new("sh").args(["-c", &script]).env("LANG", "C").output().unwrap();
    let said = text(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot restore the store") && said.contains("what was there is intact"), "{said}");
    let after = store::open(&format!("sqlite:{}", target.display())).unwrap();
    assert_eq!(after.info().unwrap().rows["finding"], 0);
    assert_eq!(after.verify().unwrap(), Vec::<String>::new());
    backup::restore(&file, after.as_ref()).unwrap();
    assert_eq!(after.info().unwrap().rows["finding"], 1_200);
    // A backup for which there is no space leaves no half of one.
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec '{}' store backup --store '{}' --to '{}'",
        env!("CARGO_BIN_EXE_fundaudit"),
        place.url,
        place.file("half.backup").display()
    );
    let run = Command::new("sh").args(["-c", &script]).env("LANG", "C").output().unwrap();
    assert_eq!(run.status.code(), Some(2), "{}", text(&run.stderr));
    assert!(!place.file("half.backup").exists());
    assert_eq!(leftovers(place.folder.path()), Vec::<String>::new());
}

fn leftovers(folder: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with('.')).collect()
}

/// `cargo test --release -- --ignored --nocapture a_hundred_thousand`: prints what each took.
#[test]
#[ignore = "a measure, for a release build"]
fn a_hundred_thousand_findings_answer_at_once() {
    let place = Place::in_a_file();
    let store = place.open();
    let found: Vec<Found> = (0..100_000_u32)
        .map(|number| {
            let spread = number.wrapping_mul(2_654_435_761);
            let rule = format!("BIL{}", 101 + spread % 40);
            let mut found = finding(
                spread,
                &rule,
                &format!("3703{:07}", spread % 60_000),
                &format!("{}.{:02}", spread % 5_000, spread % 100),
            );
            found.0.fixmedins_code = Some(format!("H3703230{:04}", spread % 300));
            let first = day::parse("2026-01-01").unwrap() + i32::try_from(spread % 300).unwrap();
            found.0.from_day = Some(day::text(first));
            found.0.until_day = found.0.from_day.clone();
            found.0.evidence = format!(r#"{{"used":2,"text":"{}"}}"#, "证据".repeat(60));
            found
        })
        .collect();
    let watch = Stopwatch::start();
    night(store.as_ref(), "01", found.clone());
    println!("{:>9.1?} merge of 100,000 new findings", watch.elapsed());
    let watch = Stopwatch::start();
    assert_eq!(night(store.as_ref(), "02", found).unchanged, 100_000);
    println!("{:>9.1?} merge of the same 100,000 again", watch.elapsed());
    let watch = Stopwatch::start();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    println!("{:>9.1?} verify", watch.elapsed());

    let rule = Filter { rules: vec!["BIL107".to_owned()], ..Filter::default() };
    let facility = Filter { facilities: vec!["H37032300017".to_owned()], present: Some(true), ..Filter::default() };
    let march = Filter { from: day::parse("2026-03-01"), until: day::parse("2026-03-31"), ..Filter::default() };
    let worst = Filter {
        rules: vec!["BIL".to_owned()],
        results: vec!["明确违规".to_owned()],
        statuses: vec![Status::New],
        regions: vec!["370300".to_owned()],
        at_least: Some(yuan("100")),
        present: Some(true),
        ..Filter::default()
    };
    let sighted = Filter { sighted: Some(("01".to_owned(), What::New)), ..Filter::default() };
    let mut slow = Vec::new();
    let mut timed = |name: String, work: &dyn Fn()| {
        // The first reads from the disk; the second is what a person at a screen meets.
        work();
        let watch = Stopwatch::start();
        work();
        let took = watch.elapsed();
        println!("{took:>9.1?} {name}");
        if took.as_millis() >= 100 {
            slow.push(name);
        }
    };
    for (name, filter) in [
        ("all", Filter::default()),
        ("a rule", rule),
        ("a facility", facility),
        ("a month", march),
        ("six conditions", worst),
        ("new in a scan", sighted),
    ] {
        for order in Order::ALL {
            timed(format!("list {name} by {}", order.name()), &|| {
                store.list(&filter, Page { order: *order, ..Page::default() }).unwrap();
            });
        }
        for by in By::ALL {
            timed(format!("sum {name} by {}", by.name()), &|| drop(store.sum(&filter, *by).unwrap()));
        }
        timed(format!("scorecard {name}"), &|| drop(store.scorecard(&filter).unwrap()));
    }
    timed("the last page of all".to_owned(), &|| {
        store.list(&Filter::default(), Page { skip: 99_900, take: 100, order: Order::Money }).unwrap();
    });
    assert!(cfg!(debug_assertions) || slow.is_empty(), "100 ms or more: {slow:?}");
}
