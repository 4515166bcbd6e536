//! Work on what is kept: the command as an office uses it, from the first look to the money, over a store in a file.
//!
//! Goes in: a store with a handful of findings, and commands. Comes out: what they print, what `case show` says afterwards.
//! Every command says when it happened (`--when`), and brings a calendar of all years, so that the story is the same any day.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Barrier;

use fundaudit::cases::{Act, Actor, Outcome, Procedure, Status};
use fundaudit::findings::{Finding, FindingLine};
use fundaudit::operations::casework::{self, Order};
use fundaudit::rules::Files;
use fundaudit::store::{self, Filter, ScanRecord, Scope, Store};
use serde_json::Value;

const PERSON: &str = "370323195001010011";

/// A store and a library with a calendar for every year, in a folder that goes away.
struct Office {
    folder: tempfile::TempDir,
}

impl Office {
    /// Two suspicions of BIL103 over 1,000.00 and 30.00, a violation of BIL107 over 12.00, found on 2026-03-01.
    fn new() -> Office {
        let office = Office { folder: tempfile::tempdir().unwrap() };
        let calendar = office.library().join("calendar");
        std::fs::create_dir_all(&calendar).unwrap();
        for year in 2026..=2100 {
            let text = format!("day,kind,name,source\n{year}-01-01,off,元旦,虚构\n");
            std::fs::write(calendar.join(format!("{year}.csv")), text).unwrap();
        }
        office.scanned("s1", "2026-03-01T02:00:00", &Office::findings());
        office
    }

    fn findings() -> Vec<Finding> {
        vec![
            finding("f1", "BIL103", "可疑", "1000.00"),
            finding("f2", "BIL103", "可疑", "30.00"),
            finding("f3", "BIL107", "明确违规", "12.00"),
        ]
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("library")
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("findings.db").display())
    }

    fn store(&self) -> Box<dyn Store> {
        store::open(&self.url()).unwrap()
    }

    fn scanned(&self, scan: &str, at: &str, findings: &[Finding]) {
        let record = ScanRecord {
            scan_id: scan.to_owned(),
            started_at: at.to_owned(),
            rule_set_hash: "hash".to_owned(),
            everyone: true,
            region: Some("370323".to_owned()),
            ..ScanRecord::default()
        };
        let mut found = findings.iter().map(|finding| {
            let line = FindingLine {
                finding_id: finding.finding_id.clone(),
                mdtrt_id: "m1".to_owned(),
                feedetl_sn: "1".to_owned(),
                kind: 1,
                amount: finding.amount,
            };
            (finding.clone(), vec![line], vec![PERSON.to_owned()])
        });
        self.store().merge(&record, &mut found, &Scope::Everyone, at).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let library = self.library();
        let mut all = vec!["case", arguments[0], "--store"];
        let url = self.url();
        all.push(&url);
        all.extend(&arguments[1..]);
        if !matches!(arguments[0], "list" | "show") {
            all.extend(["--rules", library.to_str().unwrap()]);
        }
        Command::new(env!("CARGO_BIN_EXE_fundaudit"))
            .args(all)
            .env_remove("LC_ALL")
            .env("LANG", "C")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap()
    }

    /// What it prints, where it does what is asked.
    fn does(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        let (out, err) = (text(&run.stdout), text(&run.stderr));
        assert_eq!(run.status.code(), Some(0), "{arguments:?}: {out}{err}");
        out
    }

    /// What it says, where it does not.
    fn refuses(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {}", text(&run.stdout));
        text(&run.stderr)
    }

    fn show(&self, finding: &str) -> Value {
        serde_json::from_str(&self.does(&["show", finding, "--format", "json"])).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(super) fn finding(id: &str, rule: &str, result: &str, amount: &str) -> Finding {
    Finding {
        finding_id: id.to_owned(),
        rule_code: rule.to_owned(),
        rule_name: "a-rule".to_owned(),
        rule_title: "超限定频次".to_owned(),
        rule_hash: "00".to_owned(),
        result: result.to_owned(),
        severity: "medium".to_owned(),
        unit: "group".to_owned(),
        key: "{}".to_owned(),
        psn_no: Some(PERSON.to_owned()),
        mdtrt_id: Some("m1".to_owned()),
        setl_id: None,
        feedetl_sn: None,
        fixmedins_code: Some("H37032300004".to_owned()),
        from_day: Some("2026-02-11".to_owned()),
        until_day: Some("2026-02-11".to_owned()),
        amount: amount.parse().unwrap(),
        allocated: amount.parse().unwrap(),
        fund_loss_est: None,
        message: format!("{PERSON} 计费 2，上限 1"),
        basis: "条例 第三十八条第三项".to_owned(),
        evidence: "{}".to_owned(),
        exempted_by: None,
        fund_money: true,
    }
}

#[test]
fn an_office_brings_a_suspicion_to_its_end() {
    let office = Office::new();
    let listed = office.does(&["list", "--status", "new", "--rule", "BIL103"]);
    assert!(listed.contains("f1  BIL103") && listed.contains("2 cases") && !listed.contains("f3"), "{listed}");
    office.does(&["assign", "f1", "--to", "李某", "--by", "张某", "--when", "2026-03-02T09:00:00"]);
    let listed = office.does(&["list", "--assignee", "李某"]);
    assert!(listed.contains("初审") && listed.contains("with 李某") && listed.contains("until 2026-03-16"), "{listed}");
    office.does(&["decide", "f1", "--as", "notify", "--by", "李某", "--when", "2026-03-03T09:00:00"]);
    let record = office.folder.path().join("病历.pdf");
    std::fs::write(&record, "abc").unwrap();
    let (facility, reason) = ("H37032300004", format!("{PERSON} 的病历有记载"));
    let attach = ["--attach", record.to_str().unwrap(), "--when", "2026-03-17T23:59:59"];
    let appeal = ["appeal", "f1", "--by-facility", facility, "--reason", &reason];
    office.does(&[&appeal[..], &attach[..]].concat());
    let twice = office.refuses(&[
        "decide",
        "f1",
        "--as",
        "uphold",
        "--reason",
        "维持",
        "--by",
        "李某",
        "--when",
        "2026-03-18T09:00:00",
    ]);
    assert!(twice.contains("`李某` has judged this case before"), "{twice}");
    let partly = ["decide", "f1", "--as", "partly", "--stands", "700", "--code", "transfer", "--reason", "两天成立"];
    office.does(&[&partly[..], &["--by", "王某", "--when", "2026-03-18T09:00:00"]].concat());
    office.does(&["appeal", "f1", "--accept", "--by", "张某", "--when", "2026-03-19T09:00:00"]);
    let decision = ["decide", "f1", "--measure", "recover,agreement", "--damages", "140", "--reason", "协议"];
    office.does(&[&decision[..], &["--by", "赵某", "--when", "2026-03-20T09:00:00"]].concat());
    let recover = ["recover", "f1", "--fund", "700", "--damages", "140", "--by", "财务"];
    office.does(&[&recover[..], &["--when", "2026-04-01T09:00:00"]].concat());
    let closed = office.does(&["close", "f1", "--by", "财务", "--when", "2026-04-02T09:00:00", "--lang", "zh"]);
    assert!(closed.contains("已执行 → 已结案") && closed.contains("办理 1 件，未办 0 件"), "{closed}");

    let told = office.show("f1");
    let case = &told["case"];
    for (name, wanted) in [
        ("status", "closed"),
        ("outcome", "partly"),
        ("found", "1000.00"),
        ("standing", "700.00"),
        ("decided", "700.00"),
        ("damages", "140.00"),
        ("recovered", "700.00"),
        ("damages_recovered", "140.00"),
    ] {
        assert_eq!(case[name], wanted, "{name}");
    }
    assert_eq!(told["region"], "370323");
    assert_eq!(case["measures"], serde_json::json!(["recover", "agreement"]));
    assert_eq!(case["version"], 8);
    let steps = told["steps"].as_array().unwrap();
    let actions: Vec<&str> = steps.iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["assign", "notify", "appeal", "partly", "accept", "decide", "recover", "close"]);
    assert_eq!(steps[1]["deadline"], "2026-03-17");
    let attachment = &steps[2]["attachments"][0];
    assert_eq!(attachment["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!((attachment["name"].as_str(), attachment["bytes"].as_u64()), (Some("病历.pdf"), Some(3)));
    let reason = steps[2]["reason"].as_str().unwrap();
    assert!(reason.contains("补记于") && reason.contains("370***11") && !reason.contains(PERSON), "{reason}");
    let page = office.does(&["show", "f1"]);
    assert!(
        !page.contains(PERSON)
            && page.contains("370***11")
            && page.contains("1000.00 → 700.00")
            && page.contains("sha256:ba7816bf"),
        "{page}"
    );
    assert!(office.does(&["show", "f1", "--unmask"]).contains(PERSON));
    assert_eq!(office.store().verify().unwrap(), Vec::<String>::new(), "steps, cases and money agree");
}

#[test]
fn many_are_done_at_once_and_what_cannot_be_is_named() {
    let office = Office::new();
    let when = ["--by", "甲", "--when", "2026-03-02T09:00:00"];
    let all = [&["decide", "--as", "notify", "--status", "new"][..], &when].concat();
    let looked = office.run(&[&all[..], &["--dry-run"]].concat());
    assert!(text(&looked.stdout).contains("1 would be done, 2 refused; nothing was written"), "{looked:?}");
    assert_eq!(office.show("f3")["case"]["status"], "new", "nothing was written");
    let done = office.run(&all);
    let out = text(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{out}");
    assert!(out.contains("f1  refused") && out.contains("f2  refused") && out.contains("1 done, 2 refused"), "{out}");
    assert_eq!(office.show("f3")["case"]["status"], "appeal_open");
    assert_eq!(office.show("f1")["case"]["version"], 0);
    let wide = office.refuses(&[&["assign", "--rule", "BIL", "--to", "乙", "--at-most", "2"][..], &when].concat());
    assert!(wide.contains("3 cases fit"), "{wide}");
    let nothing = office.refuses(&[&["assign", "--to", "乙"][..], &when].concat());
    assert!(nothing.contains("every case would be meant"), "{nothing}");
    let unknown = office.refuses(&[&["assign", "f1", "f9", "--to", "乙"][..], &when].concat());
    assert!(unknown.contains("there is no finding `f9`"), "{unknown}");
    let elsewhere = office.refuses(&[&["assign", "f1", "--rule", "BIL107", "--to", "乙"][..], &when].concat());
    assert!(elsewhere.contains("finding `f1` is there, but not among"), "{elsewhere}");
    assert_eq!(office.show("f1")["case"]["version"], 0, "one unknown, and none is done");
    let out = office.does(&[&["assign", "--rule", "BIL103", "--to", "乙"][..], &when].concat());
    assert!(out.contains("2 done, 0 refused"), "{out}");
    let future = office.refuses(&["close", "f3", "--by", "甲", "--when", "2999-01-01T00:00:00"]);
    assert!(future.contains("has not come yet"), "{future}");
    for wrong in [
        &["decide", "f1", "--as", "partly", "--reason", "x", "--by", "乙"][..],
        &["decide", "f1", "--as", "uphold", "--stands", "3", "--reason", "x", "--by", "乙"],
        &["decide", "f1", "--measure", "fine", "--reason", "x", "--by", "乙"],
        &["decide", "f1", "--reason", "x", "--by", "乙"],
        &["decide", "f1", "--as", "notify"],
    ] {
        office.refuses(wrong);
    }
}

#[test]
fn silence_counts_as_assent_when_the_time_is_over() {
    let office = Office::new();
    office.does(&["decide", "f3", "--as", "notify", "--by", "甲", "--when", "2026-03-02T09:00:00"]);
    let procedure = casework::procedure(Some(&office.library())).unwrap();
    let store = office.store();
    let early = casework::expire(store.as_ref(), &procedure, "2026-03-16T23:59:59", false).unwrap();
    assert!(early.done.is_empty() && early.refused.is_empty(), "the last day still counts");
    let out = office.does(&["expire"]);
    assert!(out.contains("逾期视为认可") && out.contains("1 done, 0 refused"), "{out}");
    let told = office.show("f3");
    assert_eq!(
        (&told["case"]["status"], &told["case"]["outcome"]),
        (&"established".into(), &"accepted_by_timeout".into())
    );
    assert_eq!(told["steps"][1]["actor"], "machine");
    assert!(office.does(&["expire"]).contains("0 done, 0 refused"), "once");
}

#[test]
fn what_a_scan_finds_again_stands_beside_the_decision() {
    let office = Office::new();
    let by = ["--by", "甲", "--when", "2026-03-02T09:00:00"];
    office.does(&[&["assign", "f2", "--to", "甲"][..], &by].concat());
    let dismissed = ["decide", "f2", "--as", "dismiss", "--code", "outside_examination", "--reason", "外送检验"];
    office.does(&[&dismissed[..], &by].concat());
    let mut findings = Office::findings();
    findings.remove(0);
    office.scanned("s2", "2026-03-03T02:00:00", &findings);
    let told = office.show("f2");
    assert_eq!(told["case"]["seen_again"], true);
    assert_eq!((&told["case"]["status"], &told["case"]["outcome"]), (&"closed".into(), &"dismissed".into()));
    let again = office.does(&["list", "--seen-again", "--format", "csv"]);
    assert_eq!(again.lines().count(), 2, "{again}");
    assert!(again.lines().nth(1).unwrap().starts_with("f2,BIL103,"), "{again}");
    let gone = office.does(&["list", "--gone"]);
    assert!(gone.contains("f1 ") && gone.contains("no longer found") && gone.contains("1 cases"), "{gone}");
    office.scanned("s3", "2026-03-04T02:00:00", &findings);
    assert_eq!(office.show("f2")["case"]["version"], told["case"]["version"], "not every night");
    let same = ["reopen", "f2", "--reason", "再看", "--by", "乙", "--when", "2026-03-05T09:00:00"];
    office.does(&same);
    let twice = office.refuses(&["decide", "f2", "--as", "notify", "--by", "甲", "--when", "2026-03-06T09:00:00"]);
    assert!(twice.contains("has judged this case before"), "{twice}");
}

#[test]
fn of_two_who_decide_at_the_same_time_one_is_told() {
    let office = Office::new();
    let procedure = Procedure::built_in().unwrap();
    let order = |who: &str| Order {
        filter: Filter { findings: vec!["f3".to_owned()], ..Filter::default() },
        command: Act::Notify { standing: None }.plain(),
        by: Actor::bureau(who),
        at: "2026-03-02T09:00:00".to_owned(),
        at_most: 1,
        dry_run: false,
    };
    let barrier = Barrier::new(2);
    let done: Vec<_> = std::thread::scope(|threads| {
        let work = |who: &'static str| {
            let (barrier, office, procedure, order) = (&barrier, &office, &procedure, &order);
            threads.spawn(move || {
                let store = office.store();
                barrier.wait();
                casework::act(store.as_ref(), procedure, &order(who)).unwrap()
            })
        };
        let both = [work("甲"), work("乙")];
        both.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let yes = done.iter().filter(|done| done.done.len() == 1).count();
    let no = done.iter().filter(|done| done.refused.len() == 1).count();
    assert_eq!((yes, no), (1, 1), "{done:?}");
    let case = office.store().get("f3").unwrap().unwrap().case;
    assert_eq!((case.version, case.status, case.outcome), (1, Status::AppealOpen, Outcome::Asserted));
    assert_eq!(case.judges.len(), 1);
}

#[test]
fn scorecards_and_the_procedure_are_printed() {
    let office = Office::new();
    let by = ["--by", "甲", "--when", "2026-03-02T09:00:00"];
    office.does(&[&["assign", "f1", "f2", "--to", "甲"][..], &by].concat());
    let dismissed = ["decide", "f1", "f2", "--as", "dismiss", "--code", "transfer", "--reason", "转科"];
    office.does(&[&dismissed[..], &by].concat());
    let cards: Value = serde_json::from_str(&office.does(&["score", "--format", "json"])).unwrap();
    let card = cards.as_array().unwrap().iter().find(|card| card["rule_code"] == "BIL103").unwrap();
    for (name, wanted) in [("hits", 2), ("reviewed", 2), ("dismissed", 2), ("wrong", 2), ("confirmed", 0), ("steps", 4)]
    {
        assert_eq!(card[name], wanted, "{name}");
    }
    assert_eq!((&card["verdict"], &card["wrong_share"]), (&"too_few".into(), &"1".into()), "two are no sample");
    let text_of_it = office.does(&["score"]);
    assert!(text_of_it.contains("样本不足  BIL103") && text_of_it.contains("误报 2（100%）"), "{text_of_it}");
    let csv = office.does(&["score", "--format", "csv", "--rule", "BIL107"]);
    assert_eq!(csv.lines().count(), 2, "{csv}");

    let printed = |arguments: &[&str]| {
        let run =
            Command::new(env!("CARGO_BIN_EXE_fundaudit")).args(["case", "rules"]).args(arguments).output().unwrap();
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
        text(&run.stdout)
    };
    assert!(printed(&["--as", "markdown"]).starts_with("```mermaid\nstateDiagram-v2\n"));
    assert!(printed(&[]).contains("初审 --初审排除--> 已结案  经办人员，判断"));
    let json: Value = serde_json::from_str(&printed(&["--format", "json"])).unwrap();
    assert_eq!(json["transitions"].as_array().unwrap().len(), fundaudit::cases::TABLE.len());
    assert_eq!(printed(&["--format", "csv"]).lines().count(), fundaudit::cases::TABLE.len() + 1);
}

#[test]
fn a_library_with_mistakes_in_its_procedure_is_refused_everywhere() {
    let office = Office::new();
    std::fs::write(office.library().join("calendar/2027.csv"), "day,kind,name,source\n2027-01-01,holiday,元旦,x\n")
        .unwrap();
    let refused = office.refuses(&["assign", "f1", "--to", "甲", "--by", "乙"]);
    assert!(refused.contains("calendar/2027.csv:2") && refused.contains("`kind` is `holiday`"), "{refused}");
    let copy = office.folder.path().join("whole");
    for (path, text) in &Files::built_in().texts {
        let place = copy.join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    }
    let check = || {
        let run = Command::new(env!("CARGO_BIN_EXE_fundaudit"))
            .args(["rules", "check", "--rules", copy.to_str().unwrap()])
            .output()
            .unwrap();
        (run.status.code(), text(&run.stderr))
    };
    assert_eq!(check().0, Some(0));
    replace(&copy.join("procedure/appeal_days.toml"), "value       = 10", "value       = 0.5");
    let (code, said) = check();
    assert_eq!(code, Some(2));
    assert!(said.contains("0.5 is not a whole number from 1 to 366"), "{said}");
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
}
