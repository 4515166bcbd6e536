//! The nights of a service: they come when they are due, reviews see what they took in, and whatever becomes of them the service
//! answers.
//!
//! Goes in: a drop folder, a store, a service in this process with a clock of ours, or the program itself with nights behind
//! it. To add a mishap: let it happen between two [`Evening::tick`]s, and look at `/healthz`.

use std::fs;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fundaudit::operations::review::{Nothing, Setup};
use fundaudit::operations::scan::{self, Asking, night};
use fundaudit::progress::Silent;
use fundaudit::serve::nights::Nightly;
use fundaudit::serve::{Bounds, Options, Service};
use fundaudit::store::{self, ScanState, Store};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use super::serve::{Program, call, connect, receive, send, until};

/// Somebody whose number must not be in a log.
const PERSON: &str = "370323195001010011";

/// A folder with a drop folder, and what nights make beside it.
struct Evening {
    folder: tempfile::TempDir,
}

impl Evening {
    fn new() -> Evening {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("drop")).unwrap();
        Evening { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.path("store.db").display())
    }

    fn store(&self) -> Box<dyn Store> {
        store::open(&self.url()).unwrap()
    }

    /// A unit of nursing of the person on a day of March, where one is the cap of a day, is delivered.
    fn deliver(&self, day: u32) {
        let folder = self.path(&format!("drop/night-{day:02}"));
        fs::create_dir(&folder).unwrap();
        let encounter = format!(
            "mdtrt_id,psn_no,fixmedins_code,med_type,begntime,endtime\nM{day},{PERSON},H1,11,2026-03-{day:02},2026-03-{day:02}\n"
        );
        let fees = format!(
            "feedetl_sn,mdtrt_id,psn_no,fixmedins_code,fee_ocur_time,hilist_code,cnt,pric,det_item_fee_sumamt,inscp_amt\n\
             1,M{day},{PERSON},H1,2026-03-{day:02} 08:00:00,001201000040000,1,12,12.00,12.00\n"
        );
        fs::write(folder.join("encounter.csv"), encounter).unwrap();
        fs::write(folder.join("fee_detail.csv"), fees).unwrap();
    }

    fn options(&self) -> scan::Options {
        scan::Options {
            drop: self.path("drop"),
            dataset: self.path("dataset"),
            out: self.path("reports"),
            threads: Some(1),
            ..scan::Options::default()
        }
    }

    /// A night by hand, at a time.
    fn night_at(&self, time: &str) -> String {
        let now = || time.to_owned();
        let asking = Asking { owner: "here/1", now: &now, seconds: i64::MAX };
        night(&self.options(), self.store().as_ref(), asking, &Silent).unwrap().scan_id
    }

    /// The arguments of the program.
    fn arguments(&self, schedule: &str) -> Vec<String> {
        let folder = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let words = ["--select", "BIL103", "--quiet", "0", "--schedule", schedule].map(str::to_owned);
        let places = [("--drop", folder("drop")), ("--dataset", folder("dataset")), ("--out", folder("reports"))];
        let places = places.into_iter().flat_map(|(name, place)| [name.to_owned(), place]);
        words.into_iter().chain(places).chain(["--store".to_owned(), self.url()]).collect()
    }
}

/// Whether a further unit of nursing on a day of March is one too many: it is where the past is known.
fn is_too_many(address: SocketAddr, day: u32) -> bool {
    let answer = call(address, "POST", "/api/v1/review", &[], one_more(day).to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    !answer.json()["findings"].as_array().unwrap().is_empty()
}

fn one_more(day: u32) -> Value {
    let on = format!("2026-03-{day:02}");
    json!({ "claims": [{
        "settlement": { "setl_id": "S900", "mdtrt_id": "M900", "psn_no": PERSON, "fixmedins_code": "H1", "setl_time": on, "insu_admdvs": "370323" },
        "encounter": { "med_type": "11", "begntime": on, "endtime": on },
        "lines": [{ "feedetl_sn": "1", "hilist_code": "001201000040000", "fee_ocur_time": format!("{on}T18:00:00"), "cnt": 1, "pric": 12, "det_item_fee_sumamt": 12, "inscp_amt": 12 }],
    }] })
}

fn health(address: SocketAddr) -> Value {
    call(address, "GET", "/healthz", &[], b"").json()["night"].clone()
}

fn figures(address: SocketAddr) -> String {
    call(address, "GET", "/metrics", &[], b"").text()
}

/// Waits until the last night is another than that one and nobody is at work. Comes back: `/healthz`.
fn after(address: SocketAddr, before: &Value) -> Value {
    until("a night is over", || {
        let night = health(address);
        night["state"] == "waiting" && night["next"].is_string() && night["last"] != *before
    });
    health(address)
}

fn shanghai() -> TimeZone {
    TimeZone::posix("CST-8").unwrap()
}

#[test]
fn reviews_see_the_past_that_the_night_took_in_and_no_request_is_lost() {
    static SECONDS: AtomicI64 = AtomicI64::new(0);
    fn clock() -> Zoned {
        Timestamp::from_second(SECONDS.load(Ordering::SeqCst)).unwrap().to_zoned(shanghai())
    }
    let tick = |text: &str| {
        let now = text.parse::<DateTime>().unwrap().to_zoned(shanghai()).unwrap();
        SECONDS.store(now.timestamp().as_second(), Ordering::SeqCst);
    };
    tick("2026-03-19T22:00:00");
    let evening = Evening::new();
    evening.deliver(11);
    let nightly = Nightly {
        schedule: "0 2 * * *".parse().unwrap(),
        scan: evening.options(),
        store: evening.url(),
        owner: "here/2".to_owned(),
        now: clock,
    };
    let options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        setup: Setup { select: vec!["BIL103".to_owned()], ..Setup::default() },
        threads: Some(2),
        budget: Duration::from_mins(1),
        nights: Some(nightly),
        bounds: Bounds { look_every: Duration::from_millis(50), ..Bounds::default() },
        ..Options::default()
    };
    let service = Service::start(options, Arc::new(Nothing::default()), None).unwrap();
    let address = service.address();

    // Nothing was ever done, so nothing is missed.
    let first = after(address, &json!("nothing"));
    assert_eq!((&first["next"], &first["last"]), (&json!("2026-03-20T02:00:00"), &Value::Null), "{first}");
    assert!(!is_too_many(address, 11));
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let mut line = BufReader::new(connect(address));
                while !over.load(Ordering::SeqCst) {
                    send(line.get_mut(), "POST", "/api/v1/review", &[], one_more(12).to_string().as_bytes()).unwrap();
                    assert_eq!(receive(&mut line).unwrap().status, 200);
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // A failed assertion must not leave the others asking for ever.
        let told = std::panic::catch_unwind(|| {
            tick("2026-03-20T02:00:00");
            let night = after(address, &Value::Null);
            let last = &night["last"];
            assert_eq!((&last["state"], &last["scan_id"]), (&json!("finished"), &json!("20260320-020000")), "{night}");
            assert_eq!(night["next"], "2026-03-21T02:00:00");
            assert!(is_too_many(address, 11), "the night made the dataset, and reviews see it");
            assert!(!is_too_many(address, 12));
            evening.deliver(12);
            tick("2026-03-21T02:00:07");
            let night = after(address, last);
            assert_eq!(night["last"]["scan_id"], "20260321-020007", "{night}");
            assert!(is_too_many(address, 11) && is_too_many(address, 12), "what was appended is the past too");
        });
        over.store(true, Ordering::SeqCst);
        if let Err(panic) = told {
            std::panic::resume_unwind(panic);
        }
    });
    assert!(asked.load(Ordering::SeqCst) > 10);
    let text = figures(address);
    for line in
        ["fundaudit_nights_total{outcome=\"finished\"} 2", "fundaudit_night_failed 0", "fundaudit_night_running 0"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }

    // Another scan is at work, somewhere else: no night, and no other before its moment.
    let last = health(address)["last"].clone();
    let elsewhere = evening.store().lease("scan", "elsewhere/7", "2026-03-22T01:59:00", 300).unwrap();
    tick("2026-03-22T02:00:00");
    let night = after(address, &last);
    assert_eq!((&night["last"]["state"], &night["next"]), (&json!("held"), &json!("2026-03-23T02:00:00")), "{night}");
    evening.store().release(&elsewhere).unwrap();
    // A night that fails is told, and the one after it goes on with it.
    evening.deliver(13);
    fs::write(evening.path("not a folder"), "").unwrap();
    fs::rename(evening.path("reports"), evening.path("reports-aside")).unwrap();
    fs::rename(evening.path("not a folder"), evening.path("reports")).unwrap();
    tick("2026-03-23T02:00:00");
    let night = after(address, &night["last"]);
    assert_eq!((&night["last"]["state"], &night["last"]["scan_id"]), (&json!("failed"), &json!("20260323-020000")));
    assert!(is_too_many(address, 13), "it was taken in, and only its report is missing");
    assert!(figures(address).contains("fundaudit_night_failed 1"));
    fs::remove_file(evening.path("reports")).unwrap();
    evening.deliver(14);
    // Two nights have passed: that of the 23rd is brought to its end, and the one that is due is done, once.
    tick("2026-03-25T09:00:00");
    until("both are done", || health(address)["last"]["scan_id"] == "20260325-090000");
    assert!(is_too_many(address, 14));
    let scans = evening.store().scans(99).unwrap();
    let all: Vec<(&str, bool)> =
        scans.iter().map(|scan| (scan.scan_id.as_str(), scan.state == ScanState::Finished)).collect();
    let wanted = ["20260325-090000", "20260323-020000", "20260321-020007", "20260320-020000"];
    assert_eq!(all, wanted.map(|id| (id, true)));
    assert!(service.stop(Duration::from_secs(20)));
}

/// Every day at a time that is far from now.
fn twelve_hours_from_now() -> String {
    format!("0 {} * * *", (fundaudit::clock::now().hour() + 12) % 24)
}

#[test]
fn a_missed_night_is_made_up_for_when_the_service_starts() {
    let evening = Evening::new();
    evening.deliver(11);
    let before = evening.night_at("2026-03-19T02:00:00");
    evening.deliver(12);
    let schedule = twelve_hours_from_now();
    let arguments = evening.arguments(&schedule);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut program = Program::start(&arguments);
    let address = program.address;
    until("the night is made up for", || {
        let night = health(address);
        night["state"] == "waiting" && night["last"]["scan_id"].as_str().is_some_and(|id| id != before)
    });
    let night = health(address);
    assert_eq!((&night["last"]["state"], &night["schedule"]), (&json!("finished"), &json!(schedule)), "{night}");
    let scan_id = night["last"]["scan_id"].as_str().unwrap().to_owned();
    assert!(evening.path("reports").join(&scan_id).join("night.html").is_file());
    assert!(is_too_many(address, 11) && is_too_many(address, 12), "the new past is seen");
    program.signal("-HUP");
    until("the past is read anew", || {
        figures(address).contains("fundaudit_reloads_total{what=\"rules\",outcome=\"ok\"} 1")
    });
    assert!(is_too_many(address, 12));
    program.signal("-TERM");
    let (code, log) = program.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the night is done") && log.contains("the next night") && !log.contains(PERSON), "{log}");

    // Once is enough.
    let mut again = Program::start(&arguments);
    until("it waits", || health(again.address)["next"].is_string());
    assert_eq!(health(again.address)["last"]["scan_id"], scan_id.as_str());
    again.signal("-TERM");
    assert_eq!(again.ended().0, Some(0));
    assert_eq!(evening.store().scans(99).unwrap().len(), 2);
}

#[test]
fn told_to_stop_at_night_it_ends_well_and_goes_on_when_it_starts_again() {
    let evening = Evening::new();
    evening.deliver(11);
    evening.night_at("2026-03-19T02:00:00");
    evening.deliver(12);
    let arguments = evening.arguments(&twelve_hours_from_now());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut program = Program::start_with(&arguments, &[("FAILPOINTS", "scan::asked=sleep(5000)")]);
    let address = program.address;
    let last = || evening.store().scans(1).unwrap().remove(0);
    until("a night is at work", || health(address)["state"] == "running" && last().started_at.as_str() > "2026-03-20");
    assert!(!is_too_many(address, 13), "it answers meanwhile");
    program.signal("-TERM");
    let (code, log) = program.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the night is cut short"), "{log}");
    let cut = last();
    assert_eq!(cut.state, ScanState::Running, "it is not shown as done");

    let program = Program::start(&arguments);
    let address = program.address;
    until("it is gone on with", || health(address)["last"]["state"] == "finished");
    assert_eq!(health(address)["last"]["scan_id"], cut.scan_id.as_str());
    assert!(is_too_many(address, 12));
    assert_eq!(evening.store().scans(99).unwrap().len(), 2);
}

#[test]
fn what_is_missing_or_wrong_is_told_at_the_start() {
    let evening = Evening::new();
    let said = |arguments: &[&str]| {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_fundaudit"))
            .arg("serve")
            .args(arguments)
            .env_remove("FUNDAUDIT_STORE")
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(run.stderr).unwrap()
    };
    let alone = said(&["--schedule", "0 2 * * *"]);
    for flag in ["--dataset <DIR>", "--drop <DIR>", "--store <URL>", "--out <DIR>"] {
        assert!(alone.contains(flag), "{flag}: {alone}");
    }
    assert!(said(&["--drop", "here"]).contains("--schedule <CRON>"));
    let wrong = said(&["--schedule", "0 24 * * *"]);
    assert!(wrong.contains("`24` (hour)") && wrong.contains("such as `0 2 * * *`"), "{wrong}");
    let arguments = evening.arguments("0 2 * * *");
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let place = arguments.iter().position(|word| *word == "--store").unwrap() + 1;
    arguments[place] = "mysql://here/findings";
    assert!(said(&arguments).contains("sqlite:PATH"));
}
