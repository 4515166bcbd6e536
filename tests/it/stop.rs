//! Long work that is stopped, fails or is killed: what was there before is as it was, byte for byte, and nothing else is.
//!
//! Goes in: the sample county and generated exports; a progress that stops at a step, or a signal to a real process. To add
//! a story: make an earlier result, take its [`bytes`], stop the work, compare.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fundaudit::aside::Aside;
use fundaudit::ingest::{self, ingest};
use fundaudit::operations::difference::{self, difference};
use fundaudit::operations::generate::{self, generate};
use fundaudit::operations::knowledge::{self, import};
use fundaudit::operations::{Error, audit};
use fundaudit::progress::{Progress, Silent};
use fundaudit::report::{Format, Lang, text};

const COUNTY: &str = "fixtures/exports/county";

/// An export of sixty persons, in which these rules find something.
fn small(folder: &Path) -> PathBuf {
    let export = folder.join("small");
    generate(&generate::Options { persons: 60, ..generate::Options::default() }, &export, &Silent).unwrap();
    export
}

/// Wanted no longer after so many steps.
struct StopsAfter(AtomicI64);

impl StopsAfter {
    fn steps(steps: i64) -> StopsAfter {
        StopsAfter(AtomicI64::new(steps))
    }
}

impl Progress for StopsAfter {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _units: u64) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
    fn end(&self) {}
    fn stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst) <= 0
    }
}

/// Every file and folder below, with its bytes.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.insert(path.clone(), None);
                open.push(path);
            } else {
                found.insert(path.clone(), Some(fs::read(path).unwrap()));
            }
        }
    }
    found
}

/// Does `work` until it is left to finish, stopping it one step later each time. Returns how often it was stopped.
fn stopped_at_every_step<T>(folder: &Path, work: impl Fn(&dyn Progress) -> Result<T, Error>) -> (i64, T) {
    let before = bytes(folder);
    for steps in 0..1000 {
        match work(&StopsAfter::steps(steps)) {
            Ok(done) => return (steps, done),
            Err(Error::Stopped) => assert!(bytes(folder) == before, "stopped after {steps} steps, and it shows"),
            Err(error) => panic!("stopped after {steps} steps it says something else: {error}"),
        }
    }
    panic!("never finishes");
}

fn county() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(COUNTY)
}

fn options(out: &Path) -> audit::Options {
    audit::Options {
        inputs: vec![county()],
        out: out.to_owned(),
        select: vec!["BIL103".to_owned(), "IDN103".to_owned()],
        formats: Format::ALL.to_vec(),
        threads: Some(2),
        ..audit::Options::default()
    }
}

#[test]
fn an_audit_stopped_at_any_step_leaves_the_earlier_findings() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = vec![small(folder.path())];
    let of = |rule: &str, out: &str| audit::Options {
        inputs: inputs.clone(),
        select: vec![rule.to_owned(), "IDN103".to_owned()],
        ..options(&folder.path().join(out))
    };
    audit::audit(&of("SCP101", "findings"), &Silent).unwrap();
    let work = |progress: &dyn Progress| audit::audit(&of("MED101", "findings"), progress);
    let (stopped, done) = stopped_at_every_step(folder.path(), work);
    assert!(stopped > 20, "stopped while reading, while auditing and while writing: {stopped}");
    assert!(!done.outcome.findings.is_empty() && done.outcome.findings.iter().all(|f| f.rule_code == "MED101"));
    let found = fs::read_to_string(folder.path().join("findings/findings.csv")).unwrap();
    assert!(found.contains("MED101") && !found.contains("SCP101"), "then the new result is there");

    let work = |progress: &dyn Progress| audit::audit(&of("MED101", "not/yet/there"), progress);
    stopped_at_every_step(folder.path(), work);
    assert_eq!(fs::read_dir(folder.path().join("not/yet/there")).unwrap().count(), 10, "the files and nothing else");
}

#[test]
fn an_ingest_stopped_at_any_step_leaves_the_earlier_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset");
    let how = ingest::Options { buckets: Some(3), threads: Some(2), ..ingest::Options::default() };
    let export = small(folder.path());
    ingest(&[export.join("facility.csv"), export.join("encounter.csv")], &how, &dataset, &Silent).unwrap();
    let (stopped, done) = stopped_at_every_step(folder.path(), |progress| {
        ingest(std::slice::from_ref(&export), &how, &dataset, progress).map_err(Error::from)
    });
    assert!(stopped > 10, "{stopped}");
    assert!(done.manifest().tables["fee_detail"].audited.rows > 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "export and dataset, and nothing beside them");
    let again = folder.path().join("again");
    let whole = ingest(&[export], &how, &again, &Silent).unwrap();
    assert_eq!(done.manifest(), whole.manifest(), "as if nobody had ever stopped it");
}

#[test]
fn the_past_of_persons_is_made_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let how = ingest::Options { buckets: Some(3), ..ingest::Options::default() };
    let dataset = ingest(&[small(folder.path())], &how, &folder.path().join("dataset"), &Silent).unwrap();
    let work = |progress: &dyn Progress| ingest::Past::of(&dataset, progress).map_err(Error::from);
    let (stopped, past) = stopped_at_every_step(folder.path(), work);
    assert!(stopped >= 3, "{stopped}");
    assert!(past.changed().unwrap().is_empty());
}

#[test]
fn an_export_that_is_generated_appears_whole_or_not_at_all() {
    for form in [generate::Form::Csv, generate::Form::XlsxFlat] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("export");
        let few = generate::Options { persons: 20, form, ..generate::Options::default() };
        generate(&few, &out, &Silent).unwrap();
        let more = generate::Options { persons: 300, ..few };
        let work = |progress: &dyn Progress| generate(&more, &out, progress).map_err(Error::from);
        let (stopped, made) = stopped_at_every_step(folder.path(), work);
        assert!(stopped >= 2, "{stopped}");
        assert_eq!(made.persons, 300);
        assert!(out.join("knowledge/catalogue.csv").is_file() && out.join("truth.csv").is_file());
    }
}

#[test]
fn a_workbook_is_imported_whole_or_not_at_all_and_two_libraries_are_compared_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let workbook = folder.path().join("医疗服务项目超限定频次（第八批-1）.xlsx");
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in (0..).zip([
        ["知识点", "医疗服务项目编码", "医疗服务项目名称", "限定频次（日）"],
        ["二级护理", "001201000040000", "Ⅱ级护理", "1"],
    ]) {
        for (column, cell) in (0..).zip(cells) {
            sheet.write_string(row, column, cell).unwrap();
        }
    }
    book.save(&workbook).unwrap();
    let into = folder.path().join("knowledge");
    fs::create_dir(&into).unwrap();
    let what =
        knowledge::Options { workbook, into, table: Some("daily_cap".to_owned()), ..knowledge::Options::default() };
    let before = bytes(folder.path());
    assert!(matches!(import(&what, &StopsAfter::steps(0)), Err(Error::Stopped)));
    assert!(bytes(folder.path()) == before);

    let dataset = folder.path().join("dataset");
    ingest(&[county()], &ingest::Options::default(), &dataset, &Silent).unwrap();
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("audit_rules");
    let libraries = difference::Options {
        old: rules.clone(),
        new: rules,
        dataset,
        select: vec!["BIL103".to_owned()],
        ..difference::Options::default()
    };
    let (stopped, found) = stopped_at_every_step(folder.path(), |progress| difference(&libraries, progress));
    assert!(stopped >= 2 && found.rows.is_empty() && found.same > 0);
}

#[test]
fn a_failed_audit_leaves_the_earlier_findings() {
    let folder = tempfile::tempdir().unwrap();
    let (out, dataset) = (folder.path().join("findings"), folder.path().join("dataset"));
    ingest(&[county()], &ingest::Options::default(), &dataset, &Silent).unwrap();
    let of_dataset = audit::Options { inputs: vec![dataset.clone()], ..options(&out) };
    audit::audit(&of_dataset, &Silent).unwrap();
    let lines = dataset.join("bucket-0000/fee_detail.parquet");
    let whole = fs::read(&lines).unwrap();
    fs::write(&lines, &whole[..whole.len() / 2]).unwrap();
    let before = bytes(folder.path());
    let said = audit::audit(&of_dataset, &Silent).unwrap_err().to_string();
    assert!(said.contains("fee_detail.parquet"), "{said}");
    assert!(bytes(folder.path()) == before, "a unit that cannot be read");

    fs::write(&lines, whole).unwrap();
    fs::remove_file(out.join("report.html")).unwrap();
    fs::create_dir(out.join("report.html")).unwrap();
    let before = bytes(folder.path());
    let said = audit::audit(&of_dataset, &Silent).unwrap_err().to_string();
    assert!(said.contains("report.html"), "{said}");
    assert!(bytes(folder.path()) == before, "a place that a folder holds is found before anything is moved");
}

/// Takes the disk away from under the work at its first step.
struct NoDisk<'a>(&'a Path);

impl Progress for NoDisk<'_> {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _units: u64) {
        for entry in fs::read_dir(self.0).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with(".fundaudit-") {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }
    fn end(&self) {}
}

#[test]
fn a_failed_ingest_leaves_the_earlier_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let (export, dataset) = (small(folder.path()), folder.path().join("dataset"));
    let how = ingest::Options { threads: Some(1), ..ingest::Options::default() };
    ingest(&[export.join("facility.csv"), export.join("encounter.csv")], &how, &dataset, &Silent).unwrap();
    let before = bytes(folder.path());
    let said = ingest(&[export], &how, &dataset, &NoDisk(folder.path())).unwrap_err();
    assert!(!said.is_stop() && said.to_string().contains("cannot write"), "{said}");
    assert!(bytes(folder.path()) == before);
}

#[test]
fn what_is_aside_goes_and_takes_along_only_what_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/c");
    drop(Aside::within(&deep).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no folder was there before");
    fs::create_dir(folder.path().join("a")).unwrap();
    let aside = Aside::within(&deep).unwrap();
    fs::write(deep.join("somebody-else's"), "").unwrap();
    drop(aside);
    assert_eq!(fs::read_dir(&deep).unwrap().count(), 1, "a folder that has become another's stays");

    let aside = Aside::within(&deep).unwrap();
    fs::create_dir(aside.path().join("in")).unwrap();
    for name in ["in/one", "two"] {
        fs::write(aside.path().join(name), "new").unwrap();
    }
    fs::create_dir(deep.join("two")).unwrap();
    let (place, _) = aside.publish().unwrap_err();
    assert_eq!(place, deep.join("two"));
    assert!(!deep.join("in").exists(), "nothing was moved");
}

/// Starts the program in a folder, with what is printed thrown away but for the errors.
fn started(folder: &Path, arguments: &[&str]) -> Child {
    // A test run that was itself started with signals ignored (nohup, a job in the background) must not hand that on.
    let mut program = if cfg!(target_os = "linux") {
        let mut program = Command::new("env");
        program.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_fundaudit")]);
        program
    } else {
        Command::new(env!("CARGO_BIN_EXE_fundaudit"))
    };
    program
        .args(arguments)
        .env("LANG", "C")
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until there is a folder under way in `folder`, then signals the process. Returns its exit code and its last words.
#[cfg(unix)]
fn signalled(child: Child, signal: &str, folder: &Path) -> (Option<i32>, String) {
    let is_at_work = || {
        let Ok(entries) = fs::read_dir(folder) else { return false };
        entries.flatten().any(|e| e.file_name().to_string_lossy().starts_with(".fundaudit-"))
    };
    let mut child = child;
    while !is_at_work() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    let done = child.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

/// A folder with an export of some size, its dataset, and the findings of another audit.
#[cfg(unix)]
fn at_work() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let options = generate::Options { persons: 2000, ..generate::Options::default() };
    generate(&options, &folder.path().join("export"), &Silent).unwrap();
    let how = ingest::Options::default();
    ingest(&[folder.path().join("export")], &how, &folder.path().join("dataset"), &Silent).unwrap();
    audit::audit(&self::options(&folder.path().join("findings")), &Silent).unwrap();
    folder
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_what_was_there_and_exits_130() {
    let folder = at_work();
    let here = folder.path();
    let before = bytes(here);
    let findings = here.join("findings");
    for (arguments, signal, at_work_in) in [
        (&["audit", "dataset", "--out", "findings"][..], "-INT", findings.as_path()),
        (&["audit", "export", "--out", "findings"], "-TERM", &findings),
        (&["ingest", "export", "--dataset", "dataset"], "-INT", here),
        (&["generate", "--persons", "60000", "--out", "export"], "-HUP", &here.join("export")),
    ] {
        let (code, said) = signalled(started(here, arguments), signal, at_work_in);
        assert_eq!(code, Some(130), "{arguments:?} {signal}: {said}");
        assert_eq!(
            said, "fundaudit: interrupted: nothing was written, what was there before is as it was\n",
            "one line"
        );
        assert!(bytes(here) == before, "{arguments:?} {signal}");
    }
}

#[cfg(unix)]
#[test]
fn what_a_killed_run_left_confuses_nobody() {
    let folder = at_work();
    let here = folder.path();
    let is_left = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".fundaudit-")).count()
    };
    let (code, _) = signalled(started(here, &["audit", "export", "--out", "export"]), "-KILL", &here.join("export"));
    assert_eq!((code, is_left(&here.join("export"))), (None, 1), "killed, and its folder is there");
    let how = ingest::Options::default();
    let clean = ingest(&[here.join("export")], &how, &here.join("again"), &Silent).unwrap();
    let before: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(here.join("dataset/dataset.json")).unwrap()).unwrap();
    assert_eq!(serde_json::to_value(clean.manifest()).unwrap(), before, "an export with such a folder reads the same");

    let empty = here.join("empty");
    fs::create_dir_all(empty.join(".fundaudit-killed")).unwrap();
    ingest(&[county()], &how, &empty, &Silent).expect("a folder with nothing but remains is free for a dataset");
    audit::audit(&options(&here.join("export")), &Silent).unwrap();
    assert_eq!(is_left(&here.join("export")), 1, "it may be another run's: nobody but a person removes it");
}

#[cfg(unix)]
#[test]
fn under_nohup_a_lost_terminal_does_not_stop_the_work() {
    let folder = at_work();
    let here = folder.path();
    let run = format!("trap '' HUP; exec {} ingest export --dataset again", env!("CARGO_BIN_EXE_fundaudit"));
    let child = Command::new("sh")
        .args(["-c", &run])
        .current_dir(here)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (code, said) = signalled(child, "-HUP", here);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(here.join("again/dataset.json").is_file());
}

/// The library with one rule more, which cannot be computed: it takes every item's code for a number.
fn with_a_failing_rule() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("audit_rules");
    let mut open = vec![root.clone()];
    while let Some(from) = open.pop() {
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let to = folder.path().join(path.strip_prefix(&root).unwrap());
            if path.is_dir() {
                fs::create_dir_all(to).unwrap();
                open.push(path);
            } else {
                fs::copy(path, to).unwrap();
            }
        }
    }
    let rule = fs::read_to_string(root.join("records/uploaded-late.toml")).unwrap();
    let rule = rule
        .replace("REC103", "REC199")
        .replace("uploaded-late", "code-as-number")
        .replace("\"hours > $upload_hours_max\"", "\"hours > $upload_hours_max or cast(hilist_code as bigint) = 7\"");
    fs::write(folder.path().join("records/code-as-number.toml"), rule).unwrap();
    folder
}

#[test]
fn a_rule_that_fails_says_so_and_leaves_the_others_alone() {
    let folder = tempfile::tempdir().unwrap();
    let rules = with_a_failing_rule();
    let audited = |name: &str, rules: Option<&Path>| {
        let all =
            audit::Options { select: vec![], rules: rules.map(Path::to_owned), ..options(&folder.path().join(name)) };
        audit::audit(&all, &Silent).unwrap_or_else(|e| panic!("{e}"))
    };
    let without = audited("without", None);
    let with = audited("with", Some(rules.path()));
    assert!(!without.outcome.findings.is_empty());
    for name in ["findings.csv", "finding_lines.csv"] {
        let read = |side: &str| fs::read(folder.path().join(side).join(name)).unwrap();
        assert!(read("with") == read("without"), "{name}: the other rules find what they found, byte for byte");
    }
    let others: Vec<_> = with.outcome.coverage.iter().filter(|c| c.rule_code != "REC199").collect();
    assert_eq!(others, without.outcome.coverage.iter().collect::<Vec<_>>());
    let failed: Vec<_> = with.outcome.coverage.iter().filter(|c| c.rule_code == "REC199").collect();
    let [row] = failed.as_slice() else { panic!("{failed:?}") };
    assert!(row.evaluated == 0 && row.hit == 0 && row.not_evaluated > 0, "no answer is no clean bill: {row:?}");
    assert!(row.reason.contains("规则未能运行"), "{row:?}");
}

#[test]
fn a_rule_over_its_budget_is_named_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    let audited = |name: &str, rule_budget: Option<u64>| {
        audit::audit(&audit::Options { rule_budget, ..options(&folder.path().join(name)) }, &Silent).unwrap()
    };
    let (plain, none, strict) = (audited("plain", None), audited("none", Some(3600)), audited("strict", Some(0)));
    assert_eq!(plain.context.over_budget, [], "the slowest rule of a short run is no news");
    assert_eq!(none.context.over_budget, []);
    let codes: Vec<&str> = strict.context.over_budget.iter().map(|o| o.code.as_str()).collect();
    assert_eq!(codes, ["BIL103", "IDN103"], "every rule takes more than nothing");
    let shares: u64 = strict.context.over_budget.iter().map(|o| o.share).sum();
    assert!((98..=100).contains(&shares), "{shares}");
    for rule in strict.context.run["rules"].as_array().unwrap() {
        assert_eq!((&rule["over_budget"]["budget"], &rule["over_budget"]["unit"]), (&0.into(), &"seconds".into()));
    }
    assert!(plain.context.run["rules"][0]["over_budget"].is_null());
    for name in ["findings.csv", "findings.parquet", "findings.xlsx", "findings.json", "coverage.csv", "quarantine.csv"]
    {
        let read = |side: &str| fs::read(folder.path().join(side).join(name)).unwrap();
        assert!(read("strict") == read("plain"), "{name} says nothing of time");
    }
    let page = |side: &str| fs::read_to_string(folder.path().join(side).join("report.html")).unwrap();
    assert!(page("plain") == page("none"));
    assert!(page("strict").contains("耗时超出预算的规则") && page("strict").contains("BIL103 用时"));
    let said = |lang| text::headlines(&strict.outcome, &strict.context, lang);
    assert!(said(Lang::En).contains("over its time budget"), "{}", said(Lang::En));
    assert!(said(Lang::Zh).contains("耗时超出预算"), "{}", said(Lang::Zh));
}

#[test]
fn memory_bounds_the_ingest_and_not_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let ingested = |name: &str, memory: Option<u64>| {
        let how = ingest::Options { memory, threads: Some(4), ..ingest::Options::default() };
        ingest(&[county()], &how, &folder.path().join(name), &Silent).unwrap()
    };
    let (plain, little) = (ingested("plain", None), ingested("little", Some(1 << 20)));
    assert!(little.manifest().buckets >= plain.manifest().buckets);
    assert_eq!(little.manifest().tables, plain.manifest().tables);
}
