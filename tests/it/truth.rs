//! The planted truth is found exactly, and nothing about how the work was done leaves a trace in the answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use fundaudit::engine::{Claims, Found, Memory, Scope, Setting, Views, coded, needed, run};
use fundaudit::ingest::{self, Dataset};
use fundaudit::operations::audit::{self, Options};
use fundaudit::operations::generate::{self, generate};
use fundaudit::operations::library;
use fundaudit::progress::Silent;
use fundaudit::report::Format;

type Facts = BTreeMap<(String, String), String>;

fn made(folder: &Path, options: &generate::Options) -> PathBuf {
    let out = folder.join("export");
    generate(options, &out, &Silent).unwrap();
    out
}

fn audited(input: &Path, out: &Path, change: impl FnOnce(&mut Options)) -> PathBuf {
    let mut options = Options {
        inputs: vec![input.to_path_buf()],
        out: out.to_path_buf(),
        formats: vec![Format::Parquet, Format::Csv],
        ..Options::default()
    };
    change(&mut options);
    audit::audit(&options, &Silent).unwrap_or_else(|e| panic!("{e}"));
    out.to_path_buf()
}

fn facts(file: &Path) -> Facts {
    let text = fs::read_to_string(file).unwrap();
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let head = reader.headers().unwrap().clone();
    let at = |name: &str| head.iter().position(|h| h == name).unwrap();
    let (rule, key, amount) = (at("rule_code"), at("key"), at("amount"));
    reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            let key: BTreeMap<String, String> = serde_json::from_str(&row[key]).unwrap();
            ((row[rule].to_owned(), format!("{key:?}")), row[amount].to_owned())
        })
        .collect()
}

/// The findings are the planted ones, all rules among them. An audit without the export's own catalogue answers nothing of
/// SCP110, and says so: then the truth is all but those.
fn assert_truth(export: &Path, out: &Path, with_catalogue: bool) {
    let (mut truth, found) = (facts(&export.join("truth.csv")), facts(&out.join("findings.csv")));
    let rules: std::collections::BTreeSet<String> = truth.keys().map(|(rule, _)| rule.clone()).collect();
    assert_eq!(rules.len(), 53, "every rule is planted: {rules:?}");
    let (evaluated, unanswered) = answered(out, "SCP110");
    if with_catalogue {
        assert!(evaluated > 0, "the catalogue was there");
    } else {
        assert!(evaluated == 0 && unanswered > 0, "without a catalogue nothing is in it or out of it");
        truth.retain(|(rule, _), _| rule != "SCP110");
    }
    let missing: Vec<_> = truth.iter().filter(|(k, v)| found.get(*k) != Some(*v)).take(5).collect();
    let surplus: Vec<_> = found.iter().filter(|(k, v)| truth.get(*k) != Some(*v)).take(5).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "planted, not found: {missing:#?}\nfound, not planted: {surplus:#?}"
    );
}

/// Units of a rule that were evaluated and that were not.
fn answered(out: &Path, rule: &str) -> (u64, u64) {
    let mut reader = csv::Reader::from_path(out.join("coverage.csv")).unwrap();
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(|row| row.unwrap()).collect();
    let of = |column: &str| {
        rows.iter().filter(|r| r.values().any(|v| v == rule)).map(|r| r[column].parse::<u64>().unwrap()).sum()
    };
    (of("evaluated"), of("not_evaluated"))
}

/// With the catalogue that lies beside the export.
fn with_catalogue(export: &Path) -> impl FnOnce(&mut Options) + use<> {
    let folder = export.join("knowledge");
    move |options| options.knowledge = Some(folder)
}

/// What does not depend on how the work was done: all files but `run.json`, which holds times, and `quarantine.csv`,
/// which holds row numbers of the input.
fn answer(out: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    ["findings.csv", "findings.parquet", "finding_lines.csv", "finding_lines.parquet", "coverage.csv"]
        .into_iter()
        .map(|name| (name, fs::read(out.join(name)).unwrap()))
        .collect()
}

fn assert_same(one: &Path, other: &Path, what: &str) {
    let (one, other) = (answer(one), answer(other));
    for (name, bytes) in one {
        assert!(other[name] == bytes, "{name} differs {what}");
    }
}

#[test]
fn twenty_thousand_persons_whatever_the_threads_buckets_and_order() {
    let folder = tempfile::tempdir().unwrap();
    let options = generate::Options { persons: 20_000, seed: 7, ..generate::Options::default() };
    let export = made(folder.path(), &options);
    let two = audited(&export, &folder.path().join("two"), |o| {
        with_catalogue(&export)(o);
        o.threads = Some(2);
    });
    assert_truth(&export, &two, true);
    let one = audited(&export, &folder.path().join("one"), |o| {
        with_catalogue(&export)(o);
        o.threads = Some(1);
    });
    assert_same(&one, &two, "with another number of threads");
    let single = audited(&export, &folder.path().join("single"), |o| {
        with_catalogue(&export)(o);
        o.buckets = Some(1);
    });
    assert_same(&single, &two, "with 1 bucket");
    let many = audited(&export, &folder.path().join("many"), |o| {
        with_catalogue(&export)(o);
        o.buckets = Some(64);
    });
    assert_same(&many, &two, "with 64 buckets");
    let again = tempfile::tempdir().unwrap();
    let shuffled = made(again.path(), &generate::Options { shuffle: Some(11), ..options });
    let other_order = audited(&shuffled, &folder.path().join("shuffled"), with_catalogue(&shuffled));
    assert_same(&other_order, &two, "with the rows in another order");
}

#[test]
fn the_dirt_of_real_exports_creates_and_removes_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let options = generate::Options { persons: 3_000, seed: 5, messy: true, ..generate::Options::default() };
    let export = made(folder.path(), &options);
    let out = audited(&export, &folder.path().join("out"), with_catalogue(&export));
    assert_truth(&export, &out, true);
    let run: serde_json::Value = serde_json::from_slice(&fs::read(out.join("run.json")).unwrap()).unwrap();
    for table in ["fee_detail", "settlement"] {
        let of = |part: &str| run["tables"][table][part]["rows"].as_u64().unwrap();
        assert_eq!(of("read"), of("quarantined") + of("duplicates") + of("audited"), "{table}");
    }
    for part in ["quarantined", "duplicates"] {
        assert!(run["tables"]["fee_detail"][part]["rows"].as_u64().unwrap() > 0, "the dirt is there: {part}");
    }
    assert_eq!(run["netting"]["adds_up"], true);
}

#[test]
fn the_county_in_three_forms_gives_the_same_findings() {
    let exports = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports");
    let folder = tempfile::tempdir().unwrap();
    let plain = audited(&exports.join("county"), &folder.path().join("plain"), |_| ());
    assert_truth(&exports.join("county"), &plain, false);
    let whole = audited(&exports.join("county"), &folder.path().join("whole"), with_catalogue(&exports.join("county")));
    assert_truth(&exports.join("county"), &whole, true);
    for form in ["county-gb18030", "county-xlsx"] {
        let other = audited(&exports.join(form), &folder.path().join(form), |_| ());
        assert_same(&plain, &other, &format!("for {form}"));
        let out = folder.path().join(format!("{form}-whole"));
        let other = audited(&exports.join(form), &out, with_catalogue(&exports.join(form)));
        assert_same(&whole, &other, &format!("for {form} with its catalogue"));
    }
    // The lines alone repeat their settlements; what is lost is one settlement without a line, of which nothing was found.
    let lines = folder.path().join("lines");
    fs::create_dir_all(&lines).unwrap();
    for file in fs::read_dir(exports.join("county-xlsx")).unwrap().map(|e| e.unwrap().path()) {
        if file.extension().is_some_and(|e| e == "xlsx") && !file.ends_with("结算.xlsx") {
            fs::copy(&file, lines.join(file.file_name().unwrap())).unwrap();
        }
    }
    let (flat, plain) = (answer(&audited(&lines, &folder.path().join("flat"), |_| ())), answer(&plain));
    for name in ["findings.csv", "finding_lines.csv"] {
        assert!(flat[name] == plain[name], "{name} differs for the flat workbook alone");
    }
    assert_ne!(flat["coverage.csv"], plain["coverage.csv"], "the settlement without a line is not evaluated");
}

#[test]
fn a_dataset_gives_the_same_findings_as_its_export() {
    let exports = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports/county");
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset");
    fundaudit::ingest::ingest(
        std::slice::from_ref(&exports),
        &fundaudit::ingest::Options::default(),
        &dataset,
        &Silent,
    )
    .unwrap();
    let from_export = audited(&exports, &folder.path().join("a"), |_| ());
    let from_dataset = audited(&dataset, &folder.path().join("b"), |_| ());
    assert_same(&from_export, &from_dataset, "from a dataset");
}

#[test]
fn a_period_and_a_facility_choose_among_the_findings_and_change_none() {
    let exports = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports/county");
    let folder = tempfile::tempdir().unwrap();
    let whole = audited(&exports, &folder.path().join("whole"), |_| ());
    let all = facts(&whole.join("findings.csv"));
    let half = audited(&exports, &folder.path().join("half"), |o| o.until = fundaudit::model::day::parse("2026-01-15"));
    let some = facts(&half.join("findings.csv"));
    assert!(!some.is_empty() && some.len() < all.len(), "{} of {}", some.len(), all.len());
    assert!(some.iter().all(|(key, amount)| all.get(key) == Some(amount)));
    let one = audited(&exports, &folder.path().join("facility"), |o| {
        o.select = vec!["IDN".to_owned(), "wrong-sex-for-item".to_owned()];
    });
    let chosen = facts(&one.join("findings.csv"));
    assert!(chosen.keys().all(|(rule, _)| rule.starts_with("IDN") || rule == "SCP101") && !chosen.is_empty());
}

#[test]
fn the_catalogue_counts_on_its_last_and_first_days() {
    let county = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports/county");
    let folder = tempfile::tempdir().unwrap();
    let with = |days: [&str; 2], name: &str| {
        let tables = folder.path().join(name);
        fs::create_dir_all(&tables).unwrap();
        let text = fs::read_to_string(county.join("knowledge/catalogue.csv")).unwrap();
        assert_eq!(text.matches(",2026-01-14,").count(), 2, "a code and a renumbered one end on this day");
        fs::write(tables.join("catalogue.csv"), text.replacen(days[0], days[1], 1)).unwrap();
        let out = audited(&county, &folder.path().join(format!("{name}-out")), |o| o.knowledge = Some(tables));
        let run: serde_json::Value = serde_json::from_slice(&fs::read(out.join("run.json")).unwrap()).unwrap();
        let found = facts(&out.join("findings.csv"));
        let found: Vec<_> = found.into_iter().filter(|((rule, _), _)| rule == "SCP110").collect();
        (found, run["rule_set_hash"].clone(), run["knowledge"].clone())
    };
    let ended = "002504010110000,,2026-01-14,";
    let (as_made, hash, named) = with([ended, ended], "as-made");
    let (a_day_longer, other_hash, _) = with([ended, "002504010110000,,2026-01-15,"], "longer");
    let (a_day_shorter, ..) = with([ended, "002504010110000,,2026-01-13,"], "shorter");
    assert_eq!(as_made.len() - a_day_longer.len(), 2, "both lines of the day after are in again");
    assert_eq!(a_day_shorter.len() - as_made.len(), 1, "the line of the last day is out now");
    assert_ne!(hash, other_hash, "the hash of the rule set covers the tables that were brought");
    assert_eq!(named[0]["table"], "catalogue");
    assert!(named[0]["file"].as_str().unwrap().ends_with("catalogue.csv"), "{named}");
    assert!(named[0]["rows"].as_u64().unwrap() > 100 && named[0]["sha256"].as_str().unwrap().len() == 64, "{named}");
}

/// A month of 400 persons with everything that exports have wrong.
fn messy(buckets: Option<usize>) -> (tempfile::TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let options = generate::Options { persons: 400, seed: 11, messy: true, ..generate::Options::default() };
    let export = made(folder.path(), &options);
    let how = ingest::Options { buckets, ..ingest::Options::default() };
    let dataset = ingest::ingest(&[export], &how, &folder.path().join("dataset"), &Silent).unwrap();
    (folder, dataset)
}

fn setting_of(dataset: &Dataset, library: &library::Library) -> Setting {
    let knowledge = |name: &str| library.set.knowledge.get(name).cloned().map(Arc::new);
    Setting {
        as_of: dataset.manifest().last_day.unwrap(),
        first_day: dataset.manifest().first_day.unwrap(),
        region: None,
        facilities: Setting::facilities_of(&dataset.facilities().unwrap()).unwrap().into(),
        care_settings: knowledge("care_setting_of_med_type"),
        identity_groups: knowledge("identity_group"),
    }
}

/// Who wants no count of clean units is not asked to look at half a pair: where a rule needs both sides, one side alone is
/// clean. What is hit and what is not evaluated stays the same.
#[test]
fn a_pair_of_which_one_side_is_missing_is_clean_and_may_be_left_out() {
    let (_folder, dataset) = messy(Some(100));
    let library = library::compile(library::Origin { rules: None, knowledge: None }, &[]).unwrap();
    let setting = setting_of(&dataset, &library);
    let of_pairs = || library.plans.iter().filter(|plan| plan.sides_are_silent_alone);
    let codes: Vec<&str> = of_pairs().map(|plan| plan.rule.code.as_str()).collect();
    assert_eq!(codes, ["BIL101", "BIL102"], "a package of which the parts are charged is no pair");
    let quiet = Scope { without_clean: true, ..Scope::default() };
    let (mut hits, mut looked_at, mut left) = (0, 0, 0);
    for unit in dataset.units() {
        let columns = needed(&library.plans).into_iter();
        let read = columns.map(|(table, names)| (table, dataset.read(unit, table, &names).unwrap()));
        let claims = Claims::net(&read.collect()).unwrap();
        let memory = Memory::default();
        let views = Rc::new(Views::new(&claims, &setting, &memory));
        for plan in of_pairs() {
            let all = run(plan, &library.set, &views, &Scope::default()).unwrap();
            let some = run(plan, &library.set, &views, &quiet).unwrap();
            assert_eq!(all.hits, some.hits, "{}", plan.rule.code);
            let reasons = |found: &Found| -> BTreeMap<String, u64> {
                let reasons = found.answers.values().flat_map(|answers| &answers.reasons);
                reasons.map(|(why, units)| (why.clone(), *units)).collect()
            };
            assert_eq!(reasons(&all), reasons(&some), "{}", plan.rule.code);
            let evaluated = |found: &Found| found.answers.values().map(|answers| answers.evaluated).sum::<u64>();
            hits += all.hits.len();
            looked_at += evaluated(&all);
            left += evaluated(&all) - evaluated(&some);
        }
    }
    assert!(hits > 0 && left > looked_at / 10, "{hits} hits, {left} of {looked_at} units left out");
}

/// A dataset's texts are read as codes, and what speaks of one code or of an encounter is computed once for each; a claim that
/// comes by itself has texts, and every row is asked. The answers are one.
#[test]
fn codes_and_texts_give_the_same_hits_and_answers() {
    let (_folder, dataset) = messy(None);
    let library = library::compile(library::Origin { rules: None, knowledge: None }, &[]).unwrap();
    let setting = setting_of(&dataset, &library);
    let (mut hits, mut units) = (0, 0);
    for unit in dataset.units() {
        let claims = |as_codes: bool| {
            let columns = needed(&library.plans).into_iter();
            let read = columns.map(|(table, names)| {
                let coded = if as_codes { coded(table) } else { Vec::new() };
                (table, dataset.read_coded(unit, table, &names, &coded).unwrap())
            });
            Claims::net(&read.collect()).unwrap()
        };
        let (codes, texts) = (claims(true), claims(false));
        assert_eq!(codes.netting, texts.netting);
        let memories = (Memory::default(), Memory::default());
        let of_codes = Rc::new(Views::new(&codes, &setting, &memories.0));
        let of_texts = Rc::new(Views::new(&texts, &setting, &memories.1));
        for plan in library.plans.iter().filter(|plan| !plan.across_persons()) {
            let one = run(plan, &library.set, &of_codes, &Scope::default()).unwrap();
            let other = run(plan, &library.set, &of_texts, &Scope::default()).unwrap();
            assert_eq!(one.hits, other.hits, "{}", plan.rule.code);
            assert_eq!(one.answers, other.answers, "{}", plan.rule.code);
            hits += one.hits.len();
        }
        units += 1;
    }
    assert!(units > 0 && hits > 100, "{hits} hits in {units} units: too few to say anything");
}
