//! What doctors did about reminders is kept: through a kill, a half-written line, a second writer; and read back.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use fundaudit::messages::{Asked, Codes, Done, Feedback, Limits, Stage, Warning, request};
use fundaudit::serve::feedback::kept::{self, Counts, Days, OfRule};
use fundaudit::serve::feedback::{Feedbacks, Journal, Kept, Line};

use super::openapi::asked_over_http;

const AT: &str = "2026-11-22T15:40:12";

fn said(task: &str, reminders: &[(&str, Done, Option<&str>)]) -> Feedback {
    Feedback {
        msgid: None,
        task_id: Some(task.to_owned()),
        stage: Some(Stage::Before),
        fixmedins_code: Some("H1".to_owned()),
        opter: Some("0417".to_owned()),
        warnings: reminders
            .iter()
            .map(|(id, done, reason)| Warning {
                warn_rslt_id: (*id).to_owned(),
                done: *done,
                reason: reason.map(str::to_owned),
            })
            .collect(),
    }
}

fn all(folder: &Path) -> (Vec<Line>, u64) {
    let mut lines = Vec::new();
    let damaged = kept::each(folder, &Days::default(), &mut |line| {
        lines.push(line);
        Ok(())
    });
    (lines, damaged.unwrap())
}

#[test]
fn a_message_of_a_vendor_is_kept_as_it_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let message = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/messages/3103.json")).unwrap();
    let Asked::Feedback(feedback) = request(&message, &Limits::default(), &Codes::default()).unwrap() else {
        panic!("a feedback was wanted")
    };
    let journal = Journal::open(folder.path()).unwrap();
    journal.keep(&feedback, "H37030000127", AT).unwrap();
    let (lines, damaged) = all(folder.path());
    assert_eq!((lines.len(), damaged), (1, 0));
    let rows = kept::rows(&lines[0]);
    let cells: Vec<[&str; 4]> =
        rows.iter().map(|row| [&row[1], &row[7], &row[9], &row[10]].map(String::as_str)).collect();
    assert_eq!(cells, [["H37030000127", "SCP101", "2", ""], ["H37030000127", "", "1", "患者长期服用，已核对说明书"]]);
    assert_eq!(rows[0][8], "5a1f00000000000000000000000000aa");
}

#[test]
fn a_month_is_a_file_and_the_last_word_counts() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let kept_because = |reason| (Done::Kept, Some(reason));
    for (at, by, id, (done, reason)) in [
        ("2026-10-31T23:59:59", "H1", "SCP101-a", kept_because("已核对")),
        ("2026-11-01T00:00:00", "H1", "SCP101-a", (Done::Changed, None)),
        ("2026-11-01T00:00:01", "H2", "SCP101-a", kept_because("已核对")),
        ("2026-11-02T08:00:00", "H1", "SCP101-b", kept_because("已核对")),
        ("2026-11-02T08:00:00", "H1", "SCP101-c", kept_because("=1+1")),
        ("2026-12-01T08:00:00", "H1", "MED101-d", (Done::Changed, None)),
        ("2026-12-01T08:00:00", "H1", "e", (Done::Changed, None)),
    ] {
        journal.keep(&said("T", &[(id, done, reason)]), by, at).unwrap();
    }
    let names: Vec<String> = kept::files(folder.path())
        .unwrap()
        .iter()
        .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["feedback-2026-10.ndjson", "feedback-2026-11.ndjson", "feedback-2026-12.ndjson"]);

    let counts = Counts::of(folder.path(), &Days::default()).unwrap();
    let scp = &counts.rules[&Some("SCP101".to_owned())];
    assert_eq!(
        (scp.kept, scp.changed),
        (3, 1),
        "H1's second word about `a` is the one that counts; H2 speaks for itself"
    );
    assert_eq!(scp.first_reasons(1), [("已核对", 2)]);
    assert_eq!(counts.rules[&Some("MED101".to_owned())], OfRule { changed: 1, ..OfRule::default() });
    assert_eq!(counts.rules[&None].changed, 1);
    assert_eq!((counts.messages, counts.institutions.len(), counts.damaged), (7, 2, 0));

    let of = |from: Option<&str>, until: Option<&str>| {
        let days = Days { from: from.map(str::to_owned), until: until.map(str::to_owned) };
        Counts::of(folder.path(), &days).unwrap().messages
    };
    assert_eq!(of(Some("2026-11-01"), Some("2026-11-30")), 4);
    assert_eq!((of(None, Some("2026-10-31")), of(None, Some("2026-10-30"))), (1, 0));
    assert_eq!((of(Some("2026-12-01"), None), of(Some("2026-12-02"), None)), (2, 0));
}

#[test]
fn a_half_written_end_is_cut_and_damage_elsewhere_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feedback-2026-11.ndjson");
    let keep = |task: &str| {
        let journal = Journal::open(folder.path()).unwrap();
        journal.keep(&said(task, &[("SCP101-a", Done::Changed, None)]), "H1", AT).unwrap();
    };
    let tasks = || all(folder.path()).0.into_iter().map(|line| line.task_id.unwrap()).collect::<Vec<_>>();
    keep("T1");
    keep("T2");
    let good = fs::read(&file).unwrap();
    for torn in
        [&b"{"[..], &good[..good.len() / 3], b"\0\0\0\0\n\0\0", b"{\"sha256\":\"0000000000000000\",\"feedback\":{}}\n"]
    {
        fs::write(&file, [&good, torn].concat()).unwrap();
        assert_eq!(tasks(), ["T1", "T2"], "who only reads passes over it");
        drop(Journal::open(folder.path()).unwrap());
        assert!(fs::read(&file).unwrap() == good, "the end was not cut: {torn:?}");
        assert!(fs::read(file.with_extension("cut")).unwrap().ends_with(torn), "what was cut is beside it");
    }
    keep("T3");
    assert_eq!(tasks(), ["T1", "T2", "T3"]);

    let mut damaged = fs::read(&file).unwrap();
    let at = damaged.windows(2).position(|two| two == b"T2").unwrap();
    damaged[at + 1] = b'9';
    fs::write(&file, &damaged).unwrap();
    drop(Journal::open(folder.path()).unwrap());
    assert!(fs::read(&file).unwrap() == damaged, "a line in the middle is nobody's to cut");
    assert_eq!((tasks(), all(folder.path()).1), (vec!["T1".to_owned(), "T3".to_owned()], 1));
}

#[test]
fn one_writes_and_a_second_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let told = Journal::open(folder.path()).err().unwrap().to_string();
    assert!(told.contains("another process keeps feedback here"), "{told}");
    drop(journal);
    assert!(Journal::open(folder.path()).is_ok());
    let file = folder.path().join("no-folder");
    fs::write(&file, "").unwrap();
    let told = Journal::open(&file).err().unwrap().to_string();
    assert!(told.contains("no-folder"), "{told}");
}

/// The folder into which a process of this test keeps feedback until it is killed.
const INTO: &str = "FUNDAUDIT_TEST_KEEP_INTO";

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    if let Some(folder) = std::env::var_os(INTO) {
        keep_until_killed(Path::new(&folder));
    }
    for round in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "feedback::what_was_acknowledged_is_there_after_a_kill", "--nocapture"])
            .env(INTO, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let is_kept = |line: &String| line.starts_with("kept ");
        let mut acknowledged: Vec<String> = told.by_ref().filter(is_kept).take(200 + round * 37).collect();
        process.kill().unwrap();
        process.wait().unwrap();
        // What it said before it died was said, too; a last line may be torn.
        acknowledged.extend(told.filter(|line| is_kept(line) && line.ends_with('.')));
        let (lines, damaged) = all(folder.path());
        let there: BTreeSet<String> =
            lines.iter().map(|line| format!("kept {}.", line.task_id.as_ref().unwrap())).collect();
        assert_eq!(there.len(), lines.len(), "none is there twice");
        assert!(acknowledged.len() >= 200 && acknowledged.iter().all(|task| there.contains(task)), "round {round}");
        drop(Journal::open(folder.path()).unwrap());
        assert_eq!((all(folder.path()).0.len(), damaged), (lines.len(), 0));
    }
}

/// Eight at once keep feedback and say so, for ever.
fn keep_until_killed(folder: &Path) -> ! {
    let journal = Journal::open(folder).unwrap();
    thread::scope(|scope| {
        for who in 0..8 {
            let journal = &journal;
            scope.spawn(move || {
                for number in 0.. {
                    let task = format!("{who}-{number}");
                    journal.keep(&said(&task, &[("SCP101-a", Done::Kept, Some("已核对"))]), "H1", AT).unwrap();
                    let mut out = std::io::stdout().lock();
                    let told = out.write_all(format!("kept {task}.\n").as_bytes()).and_then(|()| out.flush());
                    if told.is_err() {
                        // Whoever was to kill this is gone.
                        std::process::exit(1);
                    }
                }
            });
        }
    });
    unreachable!("it is killed")
}

fn fundaudit(arguments: &[&str]) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_fundaudit"))
        .args(arguments)
        .env_remove("LC_ALL")
        .env("LANG", "C")
        .output()
        .unwrap();
    let said = [run.stdout, run.stderr].concat();
    (run.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn the_command_counts_by_rule_and_a_spreadsheet_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    for (task, id, done, reason) in [
        ("T1", "SCP101-a", Done::Kept, Some("=cmd|' /C calc'!A0")),
        ("T2", "SCP101-b", Done::Kept, Some("已核对说明书\n第二行")),
        ("T3", "SCP101-c", Done::Changed, None),
        ("T4", "=1+1", Done::Changed, None),
    ] {
        journal.keep(&said(task, &[(id, done, reason)]), "H1", AT).unwrap();
    }
    let dir = folder.path().to_str().unwrap();
    let (code, said) = fundaudit(&["feedback", "list", dir]);
    assert_eq!(code, Some(0), "{said}");
    let row = |text: &str, name: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.split_whitespace().skip(1).map(str::to_owned).collect()
    };
    assert_eq!(row(&said, "SCP101"), ["3", "2", "1", "67"]);
    assert_eq!(row(&said, "unknown"), ["1", "0", "1", "0"]);
    assert!(said.contains("4 messages of 1 institutions"), "{said}");

    let (_, csv) = fundaudit(&["feedback", "list", dir, "--format", "csv", "--reasons", "1"]);
    assert!(csv.contains("SCP101,2,1,1 × =cmd"), "a count stands before the reason: {csv}");
    let (_, json) = fundaudit(&["feedback", "list", dir, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["messages"], &json["rules"][1]["kept"]), (&4.into(), &2.into()));

    let out: PathBuf = folder.path().join("out.csv");
    let (code, said) = fundaudit(&["feedback", "export", dir, "--out", out.to_str().unwrap()]);
    assert_eq!((code, said.starts_with("4 rows")), (Some(0), true), "{said}");
    let text = fs::read_to_string(&out).unwrap();
    let mut sheet = csv::Reader::from_reader(text.strip_prefix('\u{feff}').unwrap().as_bytes());
    assert_eq!(sheet.headers().unwrap().iter().collect::<Vec<_>>(), kept::HEAD);
    let rows: Vec<csv::StringRecord> = sheet.records().map(Result::unwrap).collect();
    assert_eq!((&rows[0][10], &rows[1][10], &rows[3][8]), ("'=cmd|' /C calc'!A0", "已核对说明书\n第二行", "'=1+1"));

    let (_, none) = fundaudit(&["feedback", "list", dir, "--from", "2026-11-23"]);
    assert!(none.contains("0 messages"), "{none}");
    let (code, said) = fundaudit(&["feedback", "list", folder.path().join("none").to_str().unwrap()]);
    assert!(code == Some(2) && said.contains("read the feedback in"), "{said}");
}

/// A service of its own process; the address that it says.
fn service(feedback: &Path) -> (Child, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_fundaudit"))
        .args(["serve", "--listen", "127.0.0.1:0", "--feedback", feedback.to_str().unwrap()])
        .env("LANG", "C")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut told).unwrap();
    (process, told.trim().trim_start_matches("http://").to_owned())
}

#[test]
fn a_feedback_that_comes_again_within_a_day_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let nameless = |reason| Feedback { task_id: None, ..said("", &[("SCP101-a", Done::Kept, Some(reason))]) };
    let open = || Journal::open(folder.path()).unwrap();
    let journal = open();
    let keep = |journal: &Journal, feedback: &Feedback, at: &str| journal.keep(feedback, "H1", at).unwrap();
    assert_eq!(keep(&journal, &nameless("checked"), AT), Kept::Now);
    assert_eq!(keep(&journal, &nameless("checked"), "2026-11-22T15:40:42"), Kept::Before);
    assert_eq!(keep(&journal, &nameless("no alternative"), "2026-11-22T15:41:00"), Kept::Now, "another reason");
    assert_eq!(
        keep(&journal, &nameless("checked"), "2026-11-22T15:42:00"),
        Kept::Now,
        "the first one again: a third word"
    );
    // Its ids are part of what a feedback says.
    let named = said("T1", &[("SCP101-a", Done::Kept, Some("checked"))]);
    assert_eq!(keep(&journal, &named, "2026-11-22T15:43:00"), Kept::Now);
    assert_eq!(keep(&journal, &named, "2026-11-22T15:44:00"), Kept::Before);
    drop(journal);

    let journal = open();
    assert_eq!(keep(&journal, &named, "2026-11-22T15:45:00"), Kept::Before, "after a restart, too");
    assert_eq!(keep(&journal, &nameless("checked"), "2026-11-22T15:45:00"), Kept::Now);
    drop(journal);
    let journal = open();
    assert_eq!(keep(&journal, &nameless("checked"), "2026-11-23T15:44:59"), Kept::Before);
    assert_eq!(keep(&journal, &nameless("checked"), "2026-11-23T15:45:00"), Kept::Now, "the next day it is news");
    assert_eq!((all(folder.path()).0.len(), all(folder.path()).1), (6, 0));
}

#[test]
fn a_client_that_went_away_before_its_acknowledgement_sends_again_and_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let message = fixture_3103();
    let message = message.replace("\"msgid\": \"H37030000127202603100300000000\",", "");
    assert!(!message.contains("msgid") && !message.contains("task_id"), "no id by which it could be told");
    let send = |address: &str, message: &str| {
        let (status, _, answer) = asked_over_http(address.parse().unwrap(), "post", "/api/v1/3103", message);
        assert!(status == "200" && answer.contains("\"infcode\":\"0\""), "{answer}");
    };
    let (mut process, address) = service(folder.path());
    let mut gone = TcpStream::connect(&address).unwrap();
    let length = message.len();
    write!(gone, "POST /api/v1/3103 HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{message}").unwrap();
    while all(folder.path()).0.is_empty() {
        thread::sleep(Duration::from_millis(10));
    }
    // It is on the disk, and the client never hears of it.
    drop(gone);
    send(&address, &message);
    send(&address, &message);
    assert_eq!(all(folder.path()).0.len(), 1);
    send(&address, &message.replace("患者长期服用", "患者不能换药"));
    assert_eq!(all(folder.path()).0.len(), 2, "another reason is another feedback");
    let (_, _, figures) = asked_over_http(address.parse().unwrap(), "get", "/metrics", "");
    assert!(figures.contains("fundaudit_feedback_total{done=\"kept\"} 2"), "{figures}");
    process.kill().unwrap();
    process.wait().unwrap();

    let (mut process, address) = service(folder.path());
    send(&address, &message.replace("患者长期服用", "患者不能换药"));
    process.kill().unwrap();
    process.wait().unwrap();
    let (_, said) = fundaudit(&["feedback", "list", folder.path().to_str().unwrap()]);
    assert!(said.contains("2 messages of 1 institutions"), "{said}");
}

fn fixture_3103() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/messages/3103.json")).unwrap()
}

#[test]
fn a_3103_that_a_killed_service_acknowledged_is_there_when_it_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let message = fixture_3103();
    for round in 1..=2 {
        let (mut process, address) = service(folder.path());
        // Another message each time: one that is repeated is not kept again.
        let message =
            message.replace("H37030000127202603100300000000", &format!("H3703000012720260310030000000{round}"));
        let (status, _, answer) = asked_over_http(address.parse().unwrap(), "post", "/api/v1/3103", &message);
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(status == "200" && answer.contains("\"infcode\":\"0\""), "{answer}");
        let (lines, damaged) = all(folder.path());
        assert_eq!((lines.len(), damaged), (round, 0));
        assert_eq!(lines[round - 1].by, "H37030000127");
    }
    let (_, said) = fundaudit(&["feedback", "list", folder.path().to_str().unwrap()]);
    assert!(said.contains("2 messages of 1 institutions"), "{said}");
}
