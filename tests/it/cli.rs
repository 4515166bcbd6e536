//! The command as its users meet it: what it prints where, and its exit codes.

use std::path::PathBuf;
use std::process::{Command, Output};

fn fundaudit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fundaudit"))
        .args(arguments)
        .env_remove("LC_ALL")
        .env("LANG", "C")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_main_job_finds_violations_and_exits_one() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("findings");
    let run = fundaudit(&["audit", "fixtures/exports/county", "--out", out.to_str().unwrap(), "--lang", "zh"]);
    let (stdout, stderr) = (text(&run.stdout), text(&run.stderr));
    assert_eq!(run.status.code(), Some(1), "{stdout}{stderr}");
    assert_eq!(stderr, "", "no progress in a pipe");
    let found: std::collections::BTreeSet<&str> = stdout
        .lines()
        .filter_map(|l| l.split_once('[').and_then(|(_, r)| r.split_once(']')))
        .map(|(code, _)| code)
        .collect();
    assert!(found.len() >= 14, "{stdout}");
    for name in [
        "findings.parquet",
        "findings.csv",
        "findings.xlsx",
        "findings.json",
        "finding_lines.parquet",
        "coverage.csv",
        "quarantine.csv",
        "run.json",
        "report.html",
    ] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let leftovers: Vec<PathBuf> = std::fs::read_dir(&out)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.file_name().unwrap().to_string_lossy().starts_with('.'))
        .collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    insta::assert_snapshot!(stdout.replace(out.to_str().unwrap(), "OUT"));
    let again = fundaudit(&["audit", "fixtures/exports/county", "--out", out.to_str().unwrap(), "--exit-zero"]);
    assert_eq!(again.status.code(), Some(0));
}

#[test]
fn what_cannot_run_exits_two_and_says_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    for (arguments, said) in [
        (&["audit", "no/such/folder", "--out", out][..], "no/such/folder"),
        (&["audit", "fixtures/exports/county", "--out", out, "--select", "BIL13"][..], "did you mean `BIL103`?"),
        (&["audit", "fixtures/exports/county", "--out", out, "--region", "37"][..], "six digits"),
        (&["audit", "fixtures/exports/county", "--out", out, "--from", "2026-02-30"][..], "wanted a day"),
        (&["audit", "fixtures/exports/county", "--out", out, "--out-format", "pdf"][..], "`pdf`"),
        (
            &["audit", "fixtures/exports/county", "--out", out, "--from", "2026-02-02", "--until", "2026-02-01"][..],
            "after",
        ),
        (&["rules", "explain", "BIL13"][..], "did you mean `BIL103`?"),
        (&["audit"][..], "--out"),
        (&["odit"][..], "audit"),
    ] {
        let run = fundaudit(arguments);
        let stderr = text(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{arguments:?} {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn rules_are_listed_explained_checked_and_tested() {
    let list = fundaudit(&["rules", "list", "--lang", "zh"]);
    let rules = text(&list.stdout).lines().count();
    assert!(rules >= 14);
    let explained = fundaudit(&["rules", "explain", "BIL103"]);
    insta::assert_snapshot!(text(&explained.stdout));
    let check = fundaudit(&["rules", "check", "--rules", "audit_rules"]);
    assert_eq!((check.status.code(), text(&check.stdout).contains("no mistakes")), (Some(0), true));
    let test = fundaudit(&["rules", "test"]);
    assert_eq!(test.status.code(), Some(0), "{}", text(&test.stdout));
    assert!(text(&test.stdout).starts_with(&format!("{rules} rules over {rules} books")), "{}", text(&test.stdout));
}

#[test]
fn help_teaches_and_doctor_audits_nothing() {
    let help = fundaudit(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    insta::assert_snapshot!(text(&help.stdout));
    let doctor = fundaudit(&["doctor", "fixtures/exports/county-xlsx", "--lang", "zh"]);
    let said = text(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(0), "{said}");
    assert!(said.contains("fee_detail") && said.contains("可以运行的规则"), "{said}");
}

#[test]
fn a_library_with_mistakes_runs_nothing_and_names_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("billing")).unwrap();
    std::fs::write(folder.path().join("billing/x.toml"), "code = \"BIL1\"\n").unwrap();
    let run = fundaudit(&["rules", "check", "--rules", folder.path().to_str().unwrap()]);
    let stderr = text(&run.stderr);
    assert_eq!(run.status.code(), Some(2));
    assert!(stderr.contains("billing/x.toml:1:8") && stderr.contains("`title` is missing"), "{stderr}");
}

/// The library's tables are replaced by those of a folder, or every mistake in the folder is named.
#[test]
fn tables_of_a_folder_stand_in_for_the_librarys() {
    let folder = tempfile::tempdir().unwrap();
    let tables = |name: &str, files: &[(&str, &str)]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            std::fs::write(path.join(file), text).unwrap();
        }
        path.to_str().unwrap().to_owned()
    };
    let checked = |path: &str| {
        let run = fundaudit(&["rules", "check", "--knowledge", path]);
        (run.status.code(), text(&run.stdout), text(&run.stderr))
    };

    let good = tables(
        "good",
        &[
            ("catalogue.csv", "code,from,until,source\n00,,,本地目录\n"),
            ("bed_item.csv", "\u{feff}code,from,until,source\r\n0011090000,,,本地\r\n"),
            ("README.md", "ours"),
        ],
    );
    let (code, stdout, stderr) = checked(&good);
    assert_eq!((code, stdout.contains("no mistakes")), (Some(0), true), "{stderr}");
    let rows = |arguments: &[&str]| {
        let said = text(&fundaudit(arguments).stdout);
        said.lines().find(|l| l.contains("catalogue，")).unwrap().trim().to_owned()
    };
    assert!(rows(&["rules", "explain", "SCP110"]).contains("catalogue，0 行"));
    assert!(rows(&["rules", "explain", "SCP110", "--knowledge", &good]).contains("catalogue，1 行"));

    let bad = tables(
        "bad",
        &[
            ("catalog.csv", "code,from,until,source\n00,,,本地\n"),
            ("daily_cap.csv", "code,from,until,point,source\n001201000040000,,,二级护理,本地\n"),
            ("herb_never.csv", "code,from,until,source\nT0017,,,本地\nT0018,2026-02-30,,本地\n"),
            ("zzzzzzzzzzzzzz.csv", "code,from,until,source\n"),
            ("目录.xlsx", "PK"),
        ],
    );
    let (code, _, stderr) = checked(&bad);
    assert_eq!(code, Some(2), "{stderr}");
    for said in [
        "no knowledge table `catalog`",
        "did you mean `catalogue`?",
        "bad/daily_cap.csv:1:1",
        "`daily_cap` has no column `max`",
        "bad/herb_never.csv:3:1",
        "`from` is `2026-02-30`, wanted YYYY-MM-DD",
        "tables are age_range, bed_item",
        "knowledge import 目录.xlsx --into",
    ] {
        assert!(stderr.contains(said), "{said} in {stderr}");
    }

    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    for (arguments, said) in [
        (&["audit", "fixtures/exports/county", "--out", out, "--knowledge", "no/such"][..], "knowledge in `no/such`"),
        (&["doctor", "fixtures/exports/county", "--knowledge", &bad][..], "did you mean `catalogue`?"),
        (
            &["rules", "check", "--knowledge", &tables("none", &[("notes.txt", "")])][..],
            "has no knowledge table: wanted",
        ),
    ] {
        let run = fundaudit(arguments);
        let stderr = text(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{arguments:?} {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

/// A bureau keeps its tables beside its export: they are no data of it, whoever reads the folder.
#[test]
fn knowledge_beside_an_export_is_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset");
    let doctor = fundaudit(&["doctor", "fixtures/exports/county", "--knowledge", "fixtures/exports/county/knowledge"]);
    let said = text(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(0), "{said}");
    assert!(said.contains("note: `knowledge/catalogue.csv` is a knowledge table"), "{said}");
    let ingest = fundaudit(&["ingest", "fixtures/exports/county", "--dataset", dataset.to_str().unwrap()]);
    assert_eq!(ingest.status.code(), Some(0), "{}", text(&ingest.stderr));
    let quarantine = std::fs::read_to_string(dataset.join("quarantine.csv")).unwrap();
    assert!(!quarantine.contains("catalogue"), "{quarantine}");
}
