//! Somebody answers for it that a case is in order: the finding stays, says so and is counted; what an exemption does not
//! name it does not reach. And a number that nobody looked up for a year is named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fundaudit::engine::{Hit, HitLine};
use fundaudit::findings::{Assembled, Finding, RuleFacts, assemble};
use fundaudit::model::day;
use fundaudit::operations::audit::{self, Done, Options};
use fundaudit::operations::library;
use fundaudit::progress::Silent;
use fundaudit::report::{Format, Lang, text};
use fundaudit::rules::{Exemptions, RuleSet};
use rust_decimal::Decimal;
use tempfile::TempDir;

const PERSON: &str = "370323260000000092";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn a_day(text: &str) -> i32 {
    day::parse(text).unwrap()
}

fn set() -> RuleSet {
    library::open(library::Origin::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// Exemptions as a folder of files by name.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// An exemption of BIL103 in January; `more` is its scope, or says something again in other words.
fn exemption(id: &str, more: &str) -> String {
    let mut keys = BTreeMap::from([
        ("id", format!("\"{id}\"")),
        ("rules", "[\"BIL103\"]".to_owned()),
        ("owner", "\"王某\"".to_owned()),
        ("reason", "\"已核对\"".to_owned()),
        ("from", "2026-01-01".to_owned()),
        ("until", "2026-01-31".to_owned()),
    ]);
    for line in more.lines() {
        let (key, value) = line.split_once('=').unwrap();
        keys.insert(key.trim(), value.trim().to_owned());
    }
    keys.iter().fold("[[exemption]]\n".to_owned(), |text, (key, value)| format!("{text}{key} = {value}\n"))
}

fn read(text: &str) -> Result<Exemptions, String> {
    let folder = folder(&[("a.toml", text)]);
    let name = folder.path().display().to_string();
    Exemptions::read(folder.path(), &set())
        .map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n").replace(&name, "DIR"))
}

fn line(encounter: &str, facility: &str, item: Option<&str>) -> HitLine {
    HitLine {
        psn_no: Some("P1".to_owned()),
        mdtrt_id: encounter.to_owned(),
        feedetl_sn: format!("{encounter}-{}", item.unwrap_or_default()),
        setl_id: None,
        fixmedins_code: Some(facility.to_owned()),
        hilist_code: item.map(str::to_owned),
        inscp_amt: Decimal::new(1_000, 2),
        fund_share: None,
    }
}

/// Two lines of P1 at H1 in M1, 10 to 12 January.
fn hit() -> Hit {
    Hit {
        key: "{\"n\":\"1\"}".to_owned(),
        result: "可疑".to_owned(),
        severity: "medium".to_owned(),
        psn_no: Some("P1".to_owned()),
        mdtrt_id: Some("M1".to_owned()),
        setl_id: None,
        feedetl_sn: None,
        fixmedins_code: Some("H1".to_owned()),
        from_day: Some(a_day("2026-01-10")),
        until_day: Some(a_day("2026-01-12")),
        amount: Decimal::new(2_000, 2),
        message: String::new(),
        evidence: "{}".to_owned(),
        violating: vec![line("M1", "H1", Some("0012010")), line("M1", "H1", Some("0012020"))],
        involved: vec![line("M9", "H9", Some("9"))],
    }
}

fn assembled(rule: &str, exemptions: &Exemptions, hits: Vec<Hit>) -> Assembled {
    let set = set();
    let rule = set.rules.iter().find(|r| r.code == rule).unwrap();
    assemble(&[RuleFacts::of(rule)], &exemptions.entries, hits.into_iter().map(|hit| (0, hit)).collect())
}

/// Which exemption a hit of BIL103 falls under.
fn covered(text: &str, hit: Hit) -> Option<String> {
    let exemptions = read(text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assembled("BIL103", &exemptions, vec![hit]).findings.remove(0).exempted_by
}

fn covers(scope: &str, hit: Hit) -> bool {
    covered(&exemption("EX-1", scope), hit).is_some()
}

fn audited(out: &Path, change: impl FnOnce(&mut Options)) -> Done {
    let mut options = Options {
        inputs: vec![root().join("fixtures/exports/county")],
        out: out.to_path_buf(),
        formats: vec![Format::Csv],
        ..Options::default()
    };
    change(&mut options);
    audit::audit(&options, &Silent).unwrap_or_else(|e| panic!("{e}"))
}

fn page(out: &Path) -> String {
    fs::read_to_string(out.join("report.html")).unwrap()
}

#[test]
fn what_is_covered_is_kept_and_marked_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, exempt) = (folder.path().join("plain"), folder.path().join("exempt"));
    let before = audited(&plain, |_| ());
    let after = audited(&exempt, |o| o.exemptions = Some(root().join("fixtures/exemptions")));

    let unmarked = |f: &Finding| Finding { exempted_by: None, ..f.clone() };
    assert_eq!(before.outcome.findings, after.outcome.findings.iter().map(unmarked).collect::<Vec<_>>());
    assert_eq!(before.outcome.lines, after.outcome.lines);

    let marked: Vec<&Finding> = after.outcome.findings.iter().filter(|f| f.exempted_by.is_some()).collect();
    let of = |id: &str| marked.iter().filter(|f| f.exempted_by.as_deref() == Some(id)).collect::<Vec<_>>();
    assert!(of("EX-2026-001").iter().all(|f| f.psn_no.as_deref() == Some(PERSON) && f.rule_code == "BIL103"));
    assert!(of("EX-2026-002").iter().all(|f| f.fixmedins_code.as_deref() == Some("H37032300004")));
    assert_eq!((of("EX-2026-001").len(), of("EX-2026-003").len()), (1, 1), "26030000000156002 is after 2026-01-20");
    assert!(!of("EX-2026-002").is_empty() && of("EX-2026-002").len() < before.outcome.findings.len());

    let mut counted: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for finding in &marked {
        *counted.entry((&finding.rule_code, finding.fixmedins_code.as_deref().unwrap())).or_default() += 1;
    }
    for (row, earlier) in after.outcome.coverage.iter().zip(&before.outcome.coverage) {
        let expected = counted.remove(&(row.rule_code.as_str(), row.fixmedins_code.as_str())).unwrap_or_default();
        assert_eq!((row.exempted, row.hit, row.evaluated), (expected, earlier.hit, earlier.evaluated), "{row:?}");
    }
    assert!(counted.is_empty(), "{counted:?}");

    let table = fs::read_to_string(exempt.join("findings.csv")).unwrap();
    assert_eq!(table.matches("EX-2026-001").count(), 1);
    let headlines = text::headlines(&after.outcome, &after.context, Lang::Zh);
    assert!(headlines.contains(&format!("豁免 其中 {} 条疑点", marked.len())), "{headlines}");
    let record: serde_json::Value = serde_json::from_slice(&fs::read(exempt.join("run.json")).unwrap()).unwrap();
    assert_eq!(record["exemption_set_hash"].as_str().unwrap().len(), 64);
    assert!(record["options"]["exemptions"].as_str().unwrap().ends_with("exemptions"));
    let listed = record["exemptions"].as_array().unwrap();
    assert_eq!(listed.iter().map(|e| e["covered"].as_u64().unwrap()).sum::<u64>(), marked.len() as u64);
    assert_eq!(listed[0]["owner"], "稽核科 王某");
    let page = page(&exempt);
    for said in ["EX-2026-001", "稽核科 王某", "转科当日两个病区各收一次二级护理", "读入 3 项豁免"]
    {
        assert!(page.contains(said), "{said}");
    }
    for shown in [&page, &headlines, &record["exemptions"].to_string()] {
        assert!(!shown.contains(PERSON), "a person's number is not shown");
    }
    let plain: serde_json::Value = serde_json::from_slice(&fs::read(plain.join("run.json")).unwrap()).unwrap();
    assert!(plain["exemption_set_hash"].is_null() && plain["exemptions"].as_array().unwrap().is_empty());
}

#[test]
fn every_day_of_the_finding_lies_in_the_period() {
    for (from, until, expected) in [
        ("2026-01-10", "2026-01-12", true),
        ("2026-01-11", "2026-01-12", false),
        ("2026-01-10", "2026-01-11", false),
        ("2025-12-01", "2026-01-09", false),
        ("2026-01-13", "2026-02-28", false),
    ] {
        let scope = format!("psn_no = \"P1\"\nfrom = {from}\nuntil = {until}");
        assert_eq!(covers(&scope, hit()), expected, "{from} to {until}");
    }
    assert!(!covers("psn_no = \"P1\"", Hit { until_day: None, ..hit() }), "a day that is not known is not covered");
    assert!(!covers("psn_no = \"P1\"", Hit { from_day: None, ..hit() }));
}

#[test]
fn a_year_is_allowed_and_not_a_day_more() {
    let of = |until: &str| read(&exemption("EX-1", &format!("psn_no = \"P1\"\nfrom = 2026-01-01\nuntil = {until}")));
    assert!(of("2027-01-01").is_ok(), "365 days later");
    let mistake = of("2027-01-02").unwrap_err();
    assert!(mistake.contains("366 days after") && mistake.contains("at most 2027-01-01"), "{mistake}");
    assert!(of("2026-01-01").is_ok(), "one day");
    assert!(of("2025-12-31").unwrap_err().contains("before `from`"));
}

#[test]
fn the_scope_holds_for_every_violating_line() {
    assert!(covers("psn_no = [\"P0\", \"P1\"]", hit()) && !covers("psn_no = \"P2\"", hit()));
    assert!(covers("mdtrt_id = \"M1\"", hit()) && !covers("mdtrt_id = \"M9\"", hit()), "M9 is only involved");
    assert!(covers("fixmedins_code = \"H1\"", hit()) && !covers("fixmedins_code = \"H\"", hit()), "no prefix");
    assert!(covers("hilist_code = \"0012\"", hit()) && covers("hilist_code = [\"001201\", \"001202\"]", hit()));
    assert!(!covers("hilist_code = \"001201\"", hit()), "one line of two");
    let also = |scope: &str| covers(&format!("psn_no = \"P1\"\n{scope}"), hit());
    assert!(also("mdtrt_id = \"M1\"") && !also("mdtrt_id = \"M2\"") && !also("hilist_code = \"001201\""), "all hold");

    let wider = |other: HitLine| {
        let mut wider = hit();
        wider.violating.push(other);
        wider
    };
    assert!(!covers("mdtrt_id = \"M1\"", wider(line("M2", "H1", None))));
    assert!(covers("mdtrt_id = [\"M1\", \"M2\"]", wider(line("M2", "H1", None))));
    assert!(!covers("fixmedins_code = \"H1\"", wider(line("M1", "H2", None))));
    assert!(!covers("hilist_code = \"0012\"", wider(line("M1", "H1", None))), "an item that is not known");
    let of_another = HitLine { psn_no: Some("P2".to_owned()), ..line("M2", "H1", None) };
    assert!(!covers("psn_no = \"P1\"", wider(of_another.clone())), "nobody answered for P2");
    assert!(covers("psn_no = [\"P1\", \"P2\"]", wider(of_another)));

    let bare = Hit { violating: Vec::new(), ..hit() };
    for (scope, expected) in [
        ("psn_no = \"P1\"", true),
        ("mdtrt_id = \"M1\"", true),
        ("mdtrt_id = \"M2\"", false),
        ("fixmedins_code = \"H1\"", true),
        ("hilist_code = \"0012\"", false),
    ] {
        assert_eq!(covers(scope, bare.clone()), expected, "without lines: {scope}");
    }
}

#[test]
fn a_family_is_all_its_rules() {
    let scope = "psn_no = \"P1\"";
    for (rules, rule, expected) in [
        ("[\"BIL\"]", "BIL103", true),
        ("[\"MED\", \"BIL103\"]", "BIL103", true),
        ("[\"MED\"]", "BIL103", false),
        ("\"BIL101\"", "BIL103", false),
    ] {
        let exemptions = read(&exemption("EX-1", &format!("{scope}\nrules = {rules}"))).unwrap();
        let found = assembled(rule, &exemptions, vec![hit()]);
        assert_eq!(found.findings[0].exempted_by.is_some(), expected, "{rules}");
    }
}

#[test]
fn of_two_exemptions_the_first_by_id_is_named() {
    let text = exemption("EX-B", "psn_no = \"P1\"")
        + &exemption("EX-A", "mdtrt_id = \"M1\"")
        + &exemption("EX-0", "psn_no = \"P2\"");
    let exemptions = read(&text).unwrap();
    let found = assembled("BIL103", &exemptions, vec![hit()]);
    assert_eq!(found.findings[0].exempted_by.as_deref(), Some("EX-A"));
    let did: Vec<(&str, u64, u64)> =
        exemptions.entries.iter().zip(&found.covered).map(|(e, c)| (e.id.as_str(), c.findings, c.besides)).collect();
    assert_eq!(did, [("EX-0", 0, 0), ("EX-A", 1, 0), ("EX-B", 0, 1)]);
    assert_eq!(found.exempted, BTreeMap::from([((0, "H1".to_owned()), 1)]), "one hit, counted once");
}

#[test]
fn hits_that_merge_are_exempted_where_each_was_counted() {
    let elsewhere = Hit { fixmedins_code: Some("H2".to_owned()), violating: Vec::new(), ..hit() };
    let nowhere = Hit { fixmedins_code: None, violating: Vec::new(), ..hit() };
    let exemptions = read(&exemption("EX-1", "psn_no = \"P1\"")).unwrap();
    let found = assembled("BIL103", &exemptions, vec![hit(), elsewhere.clone(), nowhere]);
    assert_eq!((found.findings.len(), found.covered[0].findings), (1, 1));
    let at = |facility: &str| ((0, facility.to_owned()), 1);
    assert_eq!(found.exempted, BTreeMap::from([at(""), at("H1"), at("H2")]));
    let late = Hit { until_day: Some(a_day("2026-02-01")), ..elsewhere };
    assert!(assembled("BIL103", &exemptions, vec![hit(), late]).exempted.is_empty(), "the whole fact has to fit");
}

#[test]
fn an_exemption_that_has_ended_is_told_once_a_run_and_keeps_its_days() {
    let out = tempfile::tempdir().unwrap();
    let of = |as_of: &str| {
        audited(&out.path().join(as_of), |o| {
            o.exemptions = Some(root().join("fixtures/exemptions"));
            o.select = vec!["STY".to_owned()];
            o.as_of = Some(a_day(as_of));
        })
    };
    let last = of("2026-01-20");
    assert!(last.context.exemptions.iter().all(|e| !e.expired), "its last day");
    assert!(!text::headlines(&last.outcome, &last.context, Lang::En).contains("expired"));
    let ended = of("2026-01-21");
    for (lang, said) in [
        (Lang::En, "expired 1 exemption, renew or take out: EX-2026-003 (经办中心 李某, until 2026-01-20)"),
        (Lang::Zh, "豁免到期 1 项，请续期或删去：EX-2026-003（经办中心 李某，至 2026-01-20）"),
    ] {
        let headlines = text::headlines(&ended.outcome, &ended.context, lang);
        assert_eq!(headlines.matches(said).count(), 1, "{headlines}");
    }
    let page = page(&out.path().join("2026-01-21"));
    assert_eq!((page.matches("已到期，只覆盖").count(), page.matches(">已到期<").count()), (1, 1));
    let did: Vec<(&str, bool, u64)> =
        ended.context.exemptions.iter().map(|e| (e.id.as_str(), e.expired, e.covered)).collect();
    assert_eq!(did, [("EX-2026-001", false, 0), ("EX-2026-002", false, 0), ("EX-2026-003", true, 1)]);
    assert_eq!(ended.context.run["exemptions"][2]["expired"], true);
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let text = format!(
        "{}\n{}\n{}",
        "# 试\n[[exemption]]\nid = \"EX-1\"\nrules = [\"BIL13\", \"MED\"]\nowner = \" \"\nfrom = 2026-01-01\nuntil = 2027-02-01\npsn_no = [\"P1\", 3]\n",
        "[[exemption]]\nid = \"EX-1\"\nrules = []\nowner = \"王某\"\nreason = 7\nfrom = \"2026-02-30\"\nuntil = 2026-03-01\n",
        "[[exemption]]\nid = \"EX-3\"\nrules = [\"XYZ\"]\nowner = \"王某\"\nreason = \"已核对\"\nfrom = 2026-03-01\nuntil = 2026-02-01\nhilist_codes = \"0012\"\nmdtrt_id = \"\"\n"
    );
    insta::assert_snapshot!(read(&text).unwrap_err());
}

#[test]
fn an_id_is_given_once_in_a_folder() {
    let scope = "psn_no = \"P1\"";
    let folder =
        folder(&[("b.toml", &exemption("EX-1", scope)), ("a.toml", &exemption("EX-1", scope)), ("c.txt", "not read")]);
    let mistakes = Exemptions::read(folder.path(), &set()).unwrap_err();
    let [mistake] = mistakes.as_slice() else { panic!("{mistakes:?}") };
    assert!(mistake.file.ends_with("b.toml") && mistake.message.contains("a.toml:3"), "{mistake}");
}

#[test]
fn a_mistake_does_not_print_a_persons_number() {
    for wrong in [
        "psn_no = [\"370323260000000092\", 1]",
        "psn_no = 370323260000000092",
        "psn_nos = \"370323260000000092\"",
        "person = \"A370323260000000092\"",
        "rules = \"370323260000000092\"\npsn_no = \"1\"",
        "reason = 370323260000000092\npsn_no = \"1\"",
        "psn_no = \"370323260000000092",
    ] {
        let said = read(&exemption("EX-1", wrong)).unwrap_err();
        assert!(!said.contains("0000000092") && said.contains("***") && said.contains('^'), "{wrong}: {said}");
    }
    let exemptions = read(&exemption("EX-1", "psn_no = \"370323260000000092\"")).unwrap();
    assert!(!format!("{exemptions:?}").contains("370323"), "nor does a log");
}

#[test]
fn a_number_that_somebody_wrote_into_the_reason_is_masked() {
    let folder = folder(&[(
        "a.toml",
        &exemption(
            "EX-1",
            &format!(
                "psn_no = \"{PERSON}\"\nreason = \"参保人 {PERSON} 已核对\"\nfrom = 2026-01-01\nuntil = 2026-01-02"
            ),
        ),
    )]);
    let out = folder.path().join("out");
    let done = audited(&out, |o| {
        o.exemptions = Some(folder.path().to_path_buf());
        o.select = vec!["BIL103".to_owned()];
    });
    assert_eq!(done.context.exemptions[0].reason, "参保人 370***92 已核对");
    assert_eq!(done.context.exemptions[0].covered, 0, "listed all the same");
    assert!(!page(&out).contains(PERSON) && !fs::read_to_string(out.join("run.json")).unwrap().contains(PERSON));
}

#[test]
fn what_is_no_folder_of_exemptions_is_refused() {
    let large = folder(&[("a.toml", &"#".repeat((1 << 20) + 1))]);
    let said = |folder: &Path| Exemptions::read(folder, &set()).unwrap_err()[0].to_string();
    assert!(said(large.path()).contains("larger than 1 MiB"));
    fs::write(large.path().join("a.toml"), "#".repeat(1 << 20)).unwrap();
    assert!(Exemptions::read(large.path(), &set()).is_ok_and(|e| e.entries.is_empty()));
    fs::write(large.path().join("a.toml"), [0xff, 0xfe]).unwrap();
    assert!(said(large.path()).contains("not UTF-8"));
    assert!(said(Path::new("no/such/folder")).contains("cannot read the folder"));
    let not_toml = read("[[exemption]\n").unwrap_err();
    assert!(not_toml.contains("not TOML") && not_toml.contains("a.toml:1"), "{not_toml}");
    let many: String = (0..10_001).map(|n| format!("[[exemption]]\nid = \"{n}\"\n")).collect();
    let said = read(&many).unwrap_err();
    assert!(said.contains("10001 exemptions, more than 10000"), "{}", &said[said.len() - 200..]);
}

#[test]
fn the_command_checks_a_folder_and_refuses_a_wrong_one() {
    let fundaudit = |arguments: &[&str]| {
        let run = Command::new(env!("CARGO_BIN_EXE_fundaudit"))
            .args(arguments)
            .env("LC_ALL", "C")
            .current_dir(root())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (run.status.code(), text(&run.stdout), text(&run.stderr))
    };
    let (code, stdout, _) = fundaudit(&["rules", "check", "--exemptions", "fixtures/exemptions"]);
    assert!(code == Some(0) && stdout.contains("3 exemptions, no mistakes"), "{stdout}");
    let wrong = folder(&[("a.toml", "[[exemption]]\nid = \"EX-1\"\n")]);
    let (wrong, out) = (wrong.path().to_str().unwrap().to_owned(), wrong.path().join("out"));
    for arguments in [
        &["rules", "check", "--exemptions", &wrong][..],
        &["audit", "fixtures/exports/county", "--out", out.to_str().unwrap(), "--exemptions", &wrong][..],
    ] {
        let (code, _, stderr) = fundaudit(arguments);
        assert!(code == Some(2) && stderr.contains("mistake(s) in the exemptions"), "{stderr}");
    }
    assert!(!out.exists(), "nothing is begun");
}

/// The library with `verified_on` of one parameter's values said otherwise.
fn library_with(parameter: &str, verified_on: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut open = vec![root().join("audit_rules")];
    while let Some(from) = open.pop() {
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let to = folder.path().join(path.strip_prefix(root().join("audit_rules")).unwrap());
            if path.is_dir() {
                fs::create_dir_all(to).unwrap();
                open.push(path);
            } else if path.file_stem().is_some_and(|stem| stem == parameter) {
                let text = fs::read_to_string(path).unwrap();
                let said =
                    |line: &str| if line.starts_with("verified_on") { verified_on.to_owned() } else { line.to_owned() };
                fs::write(to, text.lines().map(said).collect::<Vec<_>>().join("\n")).unwrap();
            } else {
                fs::copy(path, to).unwrap();
            }
        }
    }
    folder
}

#[test]
fn a_value_that_nobody_verified_for_twelve_months_is_named() {
    let out = tempfile::tempdir().unwrap();
    let audited_with = |verified_on: &str, as_of: &str| {
        let rules = library_with("readmission_days", verified_on);
        audited(out.path(), |o| {
            o.rules = Some(rules.path().to_path_buf());
            o.select = vec!["STY103".to_owned(), "BIL108".to_owned()];
            o.as_of = Some(a_day(as_of));
        })
    };
    let fresh = audited_with("verified_on = 2025-01-31", "2026-01-31");
    let resting = fresh.outcome.findings.iter().filter(|f| f.rule_code == "STY103").count() as u64;
    assert!(resting > 0 && resting < fresh.outcome.findings.len() as u64);
    assert!(fresh.outcome.findings.iter().any(|f| f.evidence.contains("\"verified_on\":\"2025-01-31\"")));
    assert_eq!(fresh.context.stale.findings, 0, "twelve months to the day");
    assert!(!text::headlines(&fresh.outcome, &fresh.context, Lang::En).contains("unverified"));

    let stale = audited_with("verified_on = 2025-01-31", "2026-02-01");
    assert_eq!(stale.context.stale.findings, resting, "and a day more");
    let [(value, findings)] = stale.context.stale.values.as_slice() else { panic!("{:?}", stale.context.stale) };
    assert_eq!((value.parameter.as_str(), *findings), ("readmission_days", resting));
    let zh = text::headlines(&stale.outcome, &stale.context, Lang::Zh);
    let line = format!(
        "参数待核实 {resting} 条疑点所依据的参数值已超过十二个月未核实：分解住院间隔天数 {}（2025-01-31 核实）：{resting} 条",
        value.value
    );
    assert!(zh.contains(&line), "{zh}");
    let record = &stale.context.run["stale_parameters"];
    assert_eq!((&record["findings"], &record["values"][0]["verified_on"]), (&resting.into(), &"2025-01-31".into()));
    assert!(page(out.path()).contains(&format!("{resting} 条疑点所依据的参数值")));

    let never = audited_with("", "2026-01-31");
    assert_eq!(never.context.stale.findings, resting);
    let en = text::headlines(&never.outcome, &never.context, Lang::En);
    assert!(en.contains(&format!("$readmission_days {}, never verified ({resting})", value.value)), "{en}");
}

#[test]
fn a_year_before_the_29th_of_february_is_the_28th() {
    for (day, before) in [("2024-02-29", "2023-02-28"), ("2025-02-28", "2024-02-28"), ("2026-01-31", "2025-01-31")] {
        assert_eq!(day::text(day::a_year_before(a_day(day))), before);
    }
}
