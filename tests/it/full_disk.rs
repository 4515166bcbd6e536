//! The disk is full: at the import, where rows wait on disk, at the report, at the store. Each time the program says what it could
//! not write and where, and what was there before is as it was.
//!
//! Goes in: the program itself, in a shell that sets the largest file, as a full disk would; nobody has to be root for that. Each
//! story goes from no room at all to room enough, and names the places that must have been hit on the way. Deliberately unknown
//! here: how large a file of the program's is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fundaudit::findings::FindingLine;
use fundaudit::store::{self, Filter, ScanRecord, Scope, backup};

use super::casework::finding;

/// The program, as somebody calls it.
fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fundaudit"))
        .args(arguments)
        .env_remove("LC_ALL")
        .env("LANG", "C")
        .output()
        .unwrap()
}

/// The program where no file may grow beyond so many blocks of 512 bytes. SIGXFSZ is ignored, so that writing fails instead of
/// killing, as on a full disk.
fn with_room(blocks: u64, arguments: &[&str]) -> Output {
    Command::new("sh")
        .arg("-c")
        .arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_fundaudit"))
        .args(arguments)
        .env_remove("LC_ALL")
        .env("LANG", "C")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Does it with more room each time, beginning with so many blocks, until there is enough. After each failure `as_before` looks
/// whether all is as it was. Comes back with the places that were hit, by the first of `places` that the message has: no
/// failure is without one.
fn until_there_is_room(
    mut blocks: u64,
    arguments: &[&str],
    places: &[&str],
    mut as_before: impl FnMut(&str, &str),
) -> BTreeSet<String> {
    let mut hit = BTreeSet::new();
    loop {
        let run = with_room(blocks, arguments);
        let said = text(&run.stderr);
        match run.status.code() {
            Some(0 | 1) => return hit,
            Some(2) => {}
            other => panic!("{blocks} blocks: ended with {other:?}: {said}"),
        }
        assert!(
            said.contains("cannot ") && !said.contains("panicked"),
            "{blocks} blocks: what could not be done: {said}"
        );
        let place = places.iter().find(|place| said.contains(**place));
        let place = place.unwrap_or_else(|| panic!("{blocks} blocks: which file and where? {said}"));
        hit.insert((*place).to_owned());
        as_before(place, &said);
        blocks += (blocks / 3).max(1);
        assert!(blocks < 1 << 17, "there is room enough: {said}");
    }
}

fn all_were_hit(hit: &BTreeSet<String>, places: &[&str]) {
    let missed: Vec<&&str> = places.iter().filter(|place| !hit.contains(**place)).collect();
    assert!(missed.is_empty(), "never full there: {missed:?}; only at {hit:?}");
}

/// What lies in a folder, folder by folder, byte by byte. What a database keeps besides its file while it is open is not told.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return all };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes(&path));
        } else {
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all
}

/// Folders and files that were under way, below a folder.
fn left_over(folder: &Path) -> Vec<String> {
    let paths = bytes(folder).into_keys().map(|path| path.display().to_string());
    paths.filter(|path| path.contains("/.fundaudit-")).collect()
}

const FEES: &str = "feedetl_sn,mdtrt_id,setl_id,psn_no,fixmedins_code,med_type,fee_ocur_time,hilist_code,cnt,pric,\
                    det_item_fee_sumamt,inscp_amt\n";
const ENCOUNTERS: &str = "mdtrt_id,psn_no,fixmedins_code,med_type,begntime,endtime\n";
const DIAGNOSES: &str = "mdtrt_id,diag_code,diag_name\n";

/// Persons with a visit each, and nursing of class II three times on that day, where once is allowed. Their numbers are as
/// long as real ones, and no two begin alike.
fn persons(count: std::ops::Range<u64>, folder: &Path) {
    let (mut fees, mut encounters) = (FEES.to_owned(), ENCOUNTERS.to_owned());
    for number in count {
        let id = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(encounters, "M{id:020},P{id:020},H37032300004,21,2026-03-11,2026-03-12").unwrap();
        writeln!(fees, "F{id:020},M{id:020},,P{id:020},H37032300004,21,2026-03-11,001201000040000,3,12,36,36").unwrap();
    }
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("fee_detail.csv"), fees).unwrap();
    fs::write(folder.join("encounter.csv"), encounters).unwrap();
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Persons in a folder of exports.
    fn with(self, name: &str, count: std::ops::Range<u64>) -> Place {
        persons(count, &self.path(name));
        self
    }

    /// What an audit of the dataset finds, to the byte.
    fn findings(&self, dataset: &str) -> Vec<u8> {
        let out = tempfile::tempdir().unwrap();
        let to = out.path().display().to_string();
        let run = program(&["audit", &self.text(dataset), "--out", &to, "--select", "BIL103", "--out-format", "csv"]);
        assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
        [fs::read(out.path().join("findings.csv")).unwrap(), fs::read(out.path().join("finding_lines.csv")).unwrap()]
            .concat()
    }
}

#[test]
fn an_import_on_a_full_disk_leaves_no_half_of_a_dataset() {
    // Each export makes another file the largest: rows that wait on disk, by person and by encounter; a table of the dataset; the
    // list of rows set aside, as it waits and as it is written; rows that wait for their encounter; the manifest.
    let many = Place::new().with("export", 0..2_000);
    let one = Place::new().with("export", 0..1);
    let bad = Place::new().with("export", 0..1);
    let long = "x".repeat(200);
    let row = |n: usize| format!("F{n},M1,,P1,H1,21,2026-03-11,001201000040000,three{n:060},12,36,36\n");
    let rows: String = (0..600).map(row).collect();
    fs::write(bad.path(&format!("export/fee_detail-{long}.csv")), format!("{FEES}{rows}")).unwrap();
    let strangers = Place::new().with("export", 0..1);
    let rows: String = (0..400).map(|n| format!("M{n},I10,{}\n", "n".repeat(100))).collect();
    fs::write(strangers.path(&format!("export/diagnosis-{long}.csv")), format!("{DIAGNOSES}{rows}")).unwrap();
    let files = Place::new().with("export", 0..1);
    for number in 0..60 {
        let row = format!("F{number},M{number},,P1,H1,21,2026-03-11,001201000040000,1,12,12,12\n");
        let name = format!("export/fee_detail-{number:02}-{}.csv", "y".repeat(180));
        fs::write(files.path(&name), format!("{FEES}{row}")).unwrap();
    }

    let places =
        ["/people/", "/keys/", "/complaints/", ".parquet`", "quarantine.csv`", "waiting.ndjson`", "dataset.json`"];
    for (place, wanted) in [
        (&many, &["/people/"][..]),
        (&one, &[".parquet`"]),
        (&bad, &["/complaints/", "quarantine.csv`"]),
        (&strangers, &["/keys/", "waiting.ndjson`"]),
        (&files, &["dataset.json`"]),
    ] {
        let (export, dataset) = (place.text("export"), place.text("dataset"));
        let arguments = ["ingest", &export, "--dataset", &dataset, "--threads", "1"];
        let hit = until_there_is_room(1, &arguments, &places, |_, said| {
            assert!(!place.path("dataset").exists() && left_over(place.0.path()).is_empty(), "nothing is left: {said}");
            assert!(said.contains(&place.text("")), "where: {said}");
            assert!(said.contains("free some space"), "what to do: {said}");
        });
        all_were_hit(&hit, wanted);
        // What had room in the end is whole.
        assert!(!place.findings("dataset").is_empty());
    }
    // A dataset that was there is not lost to one for which there was no room.
    let before = bytes(&many.path("dataset"));
    let run = with_room(8, &["ingest", &one.text("export"), "--dataset", &many.text("dataset")]);
    assert_eq!((run.status.code(), bytes(&many.path("dataset")) == before), (Some(2), true), "{}", text(&run.stderr));
}

#[test]
fn more_rows_for_which_there_is_no_room_leave_the_dataset_as_it_was() {
    let place = Place::new().with("first", 0..40).with("second", 40..60).with("third", 60..1_500);
    let (dataset, second, third) = (place.text("dataset"), place.text("second"), place.text("third"));
    assert!(program(&["ingest", &place.text("first"), "--dataset", &dataset]).status.success());
    let growing = format!("{dataset}/persons.db`");
    let places = ["/people/", "/keys/", ".parquet`", &growing, "/persons.db`", "quarantine", "appended`"];
    // The file of persons is made by the first that is appended; later it grows.
    for (more, wanted) in [(&second, &["/persons.db`"][..]), (&third, &["/people/", &growing])] {
        let before = place.findings("dataset");
        let mut audited = BTreeSet::new();
        let arguments = ["ingest", more, "--dataset", &dataset, "--append", "--memory", "1MB"];
        let hit = until_there_is_room(1, &arguments, &places, |hit, said| {
            assert!(said.contains(&dataset) && said.contains("free some space"), "where, and what to do: {said}");
            assert!(left_over(&place.path("dataset")).is_empty(), "{said}");
            // An audit takes its time: one for each place.
            if audited.insert(hit.to_owned()) {
                assert!(place.findings("dataset") == before, "an audit finds what it found: {said}");
            }
        });
        all_were_hit(&hit, wanted);
        assert!(place.findings("dataset").len() > before.len(), "with room it is all there");
    }
    // Rows that were appended are nowhere else: a file of persons that cannot be read is not made again without them.
    let before = place.findings("dataset");
    let run = with_room(8, &["ingest", &second, "--dataset", &dataset, "--append"]);
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains(&format!("cannot write `{growing}")), "{}", text(&run.stderr));
    assert!(place.findings("dataset") == before);
    fs::write(place.path("dataset/persons.db"), "nothing of the kind".repeat(1_000)).unwrap();
    let run = program(&["audit", &dataset, "--out", &place.text("findings")]);
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains(&format!("cannot read `{growing}")), "{}", text(&run.stderr));
}

#[test]
fn an_audit_without_room_leaves_the_earlier_findings() {
    let place = Place::new().with("first", 0..3).with("export", 0..2_500).with("more", 0..12_000);
    let out = place.text("findings");
    let before = || bytes(&place.path("findings"));
    let audit = |export: &str, formats: &str, more: &[&str]| -> Vec<String> {
        let arguments = ["audit", export, "--out", &out, "--select", "BIL103", "--out-format", formats];
        arguments.iter().chain(more).map(|&argument| argument.to_owned()).collect()
    };
    let earlier = audit(&place.text("first"), "csv", &[]);
    let earlier: Vec<&str> = earlier.iter().map(String::as_str).collect();
    assert_eq!(program(&earlier).status.code(), Some(1));

    // The export is taken in first, in a folder beside the findings.
    let places = [
        "/people/",
        "/keys/",
        ".parquet`",
        "dataset.json`",
        "quarantine.csv`",
        "report.html`",
        "findings.",
        "run.json`",
    ];
    let spilled = audit(&place.text("export"), "csv", &["--memory", "1MB"]);
    let was = before();
    let hit = until_there_is_room(1, &spilled.iter().map(String::as_str).collect::<Vec<_>>(), &places, |_, said| {
        assert!(said.contains(&out), "where: {said}");
        assert!(before() == was, "the earlier findings are there, and nothing besides: {said}");
    });
    all_were_hit(&hit, &["/people/", "findings."]);

    // Of a dataset nothing has to be taken in: what is full is where the report is written, whatever its form.
    let (dataset, large) = (place.text("dataset"), place.text("large"));
    for (export, dataset) in [("export", &dataset), ("more", &large)] {
        assert!(program(&["ingest", &place.text(export), "--dataset", dataset]).status.success());
    }
    let others = ["report.html`", "finding_lines.", "coverage.csv`", "run.json`", "quarantine.csv`"];
    for (dataset, formats, from) in
        [(&dataset, "csv", 900), (&dataset, "json", 900), (&dataset, "xlsx", 900), (&large, "parquet", 900)]
    {
        assert_eq!(program(&earlier).status.code(), Some(1));
        let was = before();
        let findings = format!("findings.{formats}`");
        let places: Vec<&str> = others.into_iter().chain([findings.as_str()]).collect();
        let arguments = audit(dataset, formats, &[]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let hit = until_there_is_room(from, &arguments, &places, |_, said| {
            assert!(said.contains(&out) && !said.contains("/.fundaudit-"), "where, by its own name: {said}");
            assert!(said.contains("earlier files there are untouched"), "{said}");
            assert!(before() == was, "the earlier findings are there, and nothing besides: {said}");
        });
        all_were_hit(&hit, &["report.html`", &findings]);
        assert!(before() != was);
    }
    // Nor is a folder left that was not there.
    let nowhere = place.text("new/deep");
    let run = with_room(8, &["audit", &dataset, "--out", &nowhere, "--select", "BIL103"]);
    assert_eq!((run.status.code(), place.path("new").exists()), (Some(2), false), "{}", text(&run.stderr));
}

/// What a store holds, to the letter.
fn held(file: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("a.backup");
    let store = store::open(&format!("sqlite:{}", file.display())).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    backup::write(store.as_ref(), &to, "2026-11-01T03:00:00").unwrap();
    fs::read(to).unwrap()
}

/// The findings of a store with all that is kept of them.
fn kept(file: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let store = store::open(&format!("sqlite:{}", file.display())).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    let take = &mut |kept: store::Kept, lines: Vec<FindingLine>| {
        all.insert(kept.finding.finding_id.clone(), format!("{kept:?} {lines:?}"));
        Ok(())
    };
    store.each(&Filter::default(), take).unwrap();
    all
}

#[test]
fn a_night_that_finds_more_than_there_is_room_for_leaves_the_store_as_it_was() {
    let place = Place::new().with("drop/night-01", 0..20);
    let (file, url) = (place.path("findings.db"), format!("sqlite:{}", place.text("findings.db")));
    let (drop, dataset, reports) = (place.text("drop"), place.text("dataset"), place.text("reports"));
    let folders = ["--drop", &drop, "--dataset", &dataset, "--store", &url, "--out", &reports];
    let night = [&["scan", "--region", "370323", "--quiet", "0", "--memory", "1MB"][..], &folders].concat();
    let first = program(&night);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let before = kept(&file);
    assert!(before.len() >= 20);

    // What it finds is much more than what it reads.
    persons(20..1_200, &place.path("drop/night-02"));
    let places = ["findings.db`", "/people/", "/keys/", ".parquet`", "persons.db`", "quarantine", "appended`"];
    let mut merges = 0;
    let hit = until_there_is_room(1, &night, &places, |_, said| {
        if said.contains("cannot merge what the scan found in `") {
            merges += 1;
            assert!(said.contains("what was there is intact"), "{said}");
            assert!(kept(&file) == before, "every finding as it was, and none besides: {said}");
        }
    });
    all_were_hit(&hit, &["findings.db`", "/people/", "persons.db`"]);
    assert!(merges > 0, "the merge had no room");
    let verified = program(&["store", "verify", "--store", &url]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stdout));
    let after = kept(&file);
    assert!(after.len() >= 1_200 && before.keys().all(|id| after.contains_key(id)), "with room it is all there");
}

#[test]
fn work_on_many_cases_is_written_as_a_whole_or_not_at_all() {
    let place = Place::new();
    let (file, url) = (place.path("findings.db"), format!("sqlite:{}", place.text("findings.db")));
    let store = store::open(&url).unwrap();
    let scan = ScanRecord { scan_id: "01".to_owned(), everyone: true, ..ScanRecord::default() };
    let of = |number: u32| (finding(&format!("f{number:04}"), "BIL103", "可疑", "12.00"), Vec::new(), Vec::new());
    store.merge(&scan, &mut (0..1_500).map(of), &Scope::Everyone, "2026-03-01T02:00:00").unwrap();
    drop(store);
    let before = held(&file);
    let whom = ["--status", "new", "--to", "Li", "--by", "Zhang", "--at-most", "9999", "--when", "2026-03-02T09:00:00"];
    let assign = [&["case", "assign", "--store", &url][..], &whom].concat();
    let mut steps = 0;
    let hit = until_there_is_room(1, &assign, &["findings.db`"], |_, said| {
        steps += u32::from(said.contains("cannot keep steps in `"));
        assert!(said.contains(&place.text("")) && said.contains("what was there is intact"), "{said}");
        assert!(held(&file) == before, "nobody was given anything: {said}");
    });
    all_were_hit(&hit, &["findings.db`"]);
    assert!(steps > 0, "the steps had no room");
    assert!(held(&file) != before);
    let verified = program(&["store", "verify", "--store", &url]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stdout));
}
