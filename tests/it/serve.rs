//! The service: asked as hospitals' systems ask it, and as nobody should.
//!
//! Goes in: the messages of `fixtures/messages`, a service on a free port in this process, or the program itself; sockets of
//! the standard library. To add a story: start a [`Running`], [`call`] it, look at what came back.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use fundaudit::clock::Stopwatch;
use fundaudit::engine::{Facility, Tables};
use fundaudit::ingest::{self, Dataset};
use fundaudit::messages::{Done, Feedback, Limits};
use fundaudit::operations::Error;
use fundaudit::operations::review::history::{OfDataset, Wanted};
use fundaudit::operations::review::{History, Nothing, Setup};
use fundaudit::progress::Silent;
use fundaudit::serve::feedback::{Feedbacks, Kept};
use fundaudit::serve::{Bounds, Options, Service, keys};
use hashbrown::HashMap;
use serde_json::{Value, json};

use super::messages::{Dice, copy, fixture, mutate};
use super::review::{held, nursing};

/// The institution of the fixtures.
const HOSPITAL: &str = "H37030000127";
/// The patient of the fixtures.
const PATIENT: &str = "370323000000000000000000000417";
const IN_GOOD_TIME: Duration = Duration::from_mins(1);

// ---- A service in this process

/// Keeps feedback in memory.
#[derive(Default)]
struct Memory {
    kept: Mutex<Vec<(Feedback, String, String)>>,
    fails: AtomicBool,
}

impl Feedbacks for Memory {
    fn keep(&self, feedback: &Feedback, by: &str, at: &str) -> io::Result<Kept> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is full"));
        }
        self.kept.lock().unwrap().push((feedback.clone(), by.to_owned(), at.to_owned()));
        Ok(Kept::Now)
    }
}

struct Running {
    service: Option<Service>,
    address: SocketAddr,
    feedback: Arc<Memory>,
}

impl Running {
    fn start(options: Options, history: Arc<dyn History>) -> Running {
        let feedback = Arc::new(Memory::default());
        let service =
            Service::start(options, history, Some(Arc::clone(&feedback) as _)).unwrap_or_else(|e| panic!("{e}"));
        Running { address: service.address(), service: Some(service), feedback }
    }

    fn alone(options: Options) -> Running {
        Running::start(options, Arc::new(Nothing::default()))
    }

    fn service(&self) -> &Service {
        self.service.as_ref().unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        call(self.address, "POST", path, &[], body.to_string().as_bytes())
    }

    fn get(&self, path: &str) -> Answer {
        call(self.address, "GET", path, &[], b"")
    }

    fn health(&self) -> Value {
        self.get("/healthz").json()
    }

    /// The value of a figure, by its name and labels.
    fn figure(&self, name: &str) -> Option<u64> {
        let text = self.get("/metrics").text();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    fn stop(mut self) -> bool {
        self.service.take().unwrap().stop(Duration::from_secs(20))
    }
}

/// A service on a free port with these rules; slow machines have the time that they need.
fn options(rules: &[&str]) -> Options {
    Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        setup: Setup { select: rules.iter().map(|&rule| rule.to_owned()).collect(), ..Setup::default() },
        threads: Some(2),
        budget: IN_GOOD_TIME,
        bounds: Bounds { look_every: Duration::from_millis(50), ..Bounds::default() },
        ..Options::default()
    }
}

fn county(folder: &Path) -> PathBuf {
    let dataset = folder.join("county");
    let export = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports/county");
    ingest::ingest(&[export], &ingest::Options::default(), &dataset, &Silent).unwrap();
    dataset
}

// ---- A client

pub(super) struct Answer {
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }

    /// `infcode` and `err_msg` of a national answer, which has status 200 whatever happens.
    fn national(&self) -> (String, String) {
        assert_eq!(self.status, 200);
        let value = self.json();
        (value["infcode"].as_str().unwrap().to_owned(), value["err_msg"].as_str().unwrap().to_owned())
    }
}

/// One request on a connection of its own.
pub(super) fn call(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = connect(address);
    let mut all = vec![("Connection", "close")];
    all.extend(headers);
    send(&mut stream, method, path, &all, body).unwrap();
    receive(&mut BufReader::new(stream)).unwrap()
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(IN_GOOD_TIME)).unwrap();
    stream
}

pub(super) fn send(
    to: &mut impl Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<()> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    // At once: a body that waits for the receipt of its head waits for forty milliseconds.
    to.write_all(&[request.as_bytes(), body].concat())?;
    to.flush()
}

pub(super) fn receive(from: &mut impl BufRead) -> io::Result<Answer> {
    let mut line = String::new();
    let mut headers = BTreeMap::new();
    from.read_line(&mut line)?;
    let Some(status) = line.split(' ').nth(1).and_then(|status| status.parse().ok()) else {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("no answer: `{line}`")));
    };
    loop {
        line.clear();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    from.read_exact(&mut body)?;
    Ok(Answer { status, headers, body })
}

/// Waits for something that is bound to happen.
pub(super) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let since = Stopwatch::start();
    while !happened() {
        assert!(since.elapsed() < IN_GOOD_TIME, "it did not happen: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn own() -> Value {
    fixture("own.json")
}

/// A claim that is not remembered.
fn untold() -> Value {
    let mut claim = own();
    claim.as_object_mut().unwrap().remove("task_id");
    claim
}

// ---- What is asked and answered

#[test]
fn hospitals_messages_are_answered_in_their_own_words() {
    let running = Running::alone(options(&["SCP101", "MED101", "BIL103"]));
    for (name, person, order) in [("3101.json", "patn_id", "rx_id"), ("3101-newer.json", "psn_no", "feedetl_sn")] {
        let answer = running.post("/api/v1/3101", &fixture(name));
        assert_eq!(answer.national(), ("0".to_owned(), String::new()), "{name}");
        let value = answer.json();
        let results = value.pointer("/output/result").unwrap().as_array().unwrap();
        let result = results.iter().find(|result| result["rule_id"] == "SCP101").unwrap();
        assert_eq!(result[person], PATIENT);
        assert_eq!(result["judge_result_detail_dtos"][0][order], "CF9001-1");
        assert_eq!(result["vola_amt"].to_string(), "50.0");
        assert_eq!(result["task_id"], "T20260310-000017");
        let id = value["inf_refmsgid"].as_str().unwrap();
        assert!(id.len() == 30 && id.bytes().all(|b| b.is_ascii_digit()), "{id}");
        assert_eq!(answer.headers["x-request-id"], id);
        for time in ["refmsg_time", "respond_time"] {
            let time = value[time].as_str().unwrap();
            assert!(time.len() == 23 && time.as_bytes()[10] == b' ', "{time}");
        }
    }
    assert_eq!(running.post("/api/v1/3102", &fixture("3102.json")).national().0, "0");
    // One address for all of them, by `infno`.
    for name in ["3101.json", "3102.json", "3103.json"] {
        assert_eq!(running.post("/api/v1/national", &fixture(name)).national().0, "0", "{name}");
    }
    // A message without `infno` is what its address is for; one with another is told so.
    let mut message = fixture("3102.json");
    message.as_object_mut().unwrap().remove("infno");
    let value = running.post("/api/v1/3102", &message).json();
    assert_eq!(value["infcode"], "0");
    assert!(!value["warn_msg"].as_str().unwrap().contains("infno"), "{value}");
    let (code, said) = running.post("/api/v1/3101", &fixture("3102.json")).national();
    assert_eq!((code.as_str(), said.as_str()), ("-1", "`infno` 是 3102，却送到了 3101 的地址"));
    assert!(running.stop());
}

#[test]
fn our_own_json_gets_decisions_line_by_line() {
    let running = Running::alone(options(&["SCP101"]));
    let answer = running.post("/api/v1/review", &own());
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/json"));
    let value = answer.json();
    let claim = &value["decisions"][0];
    assert_eq!((claim["setl_id"].as_str(), claim["decision"].as_str()), (Some("JS1"), Some("refuse")));
    assert_eq!((claim["refused"].to_string(), claim["complete"].as_bool()), ("50.0".to_owned(), Some(true)));
    assert_eq!(claim["refused_lines"][0]["feedetl_sn"], "CF9001-1");
    assert_eq!(value["totals"]["refuse"], 1);
    // What is wrong with a request is told with a status that says whose fault it is.
    let wrong = |body: &[u8]| {
        let answer = call(running.address, "POST", "/api/v1/review", &[], body);
        (answer.status, answer.error())
    };
    assert_eq!(wrong(b"").0, 400);
    assert_eq!(wrong(b"{\"claims\":").0, 400);
    let (status, said) = wrong(b"{\"claims\":[]}");
    assert_eq!((status, said.as_str()), (422, "`claims` 没有内容：至少要有一份，里面有 `encounter` 和 `lines`"));
    let mut elsewhere = untold();
    elsewhere["region"] = json!("Zibo");
    let unread = running.post("/api/v1/review", &elsewhere).json()["unread"].to_string();
    assert!(unread.contains("`region` 应当是六位数字"), "{unread}");
    let nowhere = running.get("/api/v2");
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.error().contains("/api/v1/review"));
    assert_eq!(running.get("/api/v1/review").status, 405);
    let packed = call(running.address, "POST", "/api/v1/review", &[("Content-Encoding", "gzip")], b"x");
    assert_eq!((packed.status, packed.error().contains("不要压缩")), (415, true));
}

#[test]
fn the_past_is_that_of_the_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = Dataset::open(&county(folder.path())).unwrap();
    let unit = &dataset.units()[0];
    let known = |table, column: &'static str| {
        let batch = dataset.read(unit, table, &[column]).unwrap();
        let column = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
        arrow::array::AsArray::as_string::<i32>(&column).iter().flatten().next().unwrap().to_owned()
    };
    let person = known(fundaudit::model::Table::Settlement, "psn_no");
    let running = Running::start(options(&[]), Arc::new(OfDataset::new(dataset).unwrap()));
    let mut claim = untold();
    claim["claims"][0]["settlement"]["psn_no"] = json!(person);
    let value = running.post("/api/v1/review", &claim).json();
    assert_eq!(value["decisions"][0]["decision"], "refuse", "{value}");
    assert!(value["findings"].as_array().unwrap().iter().any(|finding| finding["rule_code"] == "SCP101"));
    assert_eq!(value["not_run"], json!([]));
}

#[test]
fn an_earlier_visit_that_the_bureau_knows_too_counts_once() {
    let order = |id: &str, current: &str| {
        json!({ "rx_id": id, "hilist_code": "001201000040000", "hilist_name": "Ⅱ级护理", "cnt": 1, "pric": 12, "sumamt": 12,
                "ownpay_amt": 0, "selfpay_amt": 0, "drord_begn_date": "2026-03-11 08:30:00", "curr_drord_flag": current })
    };
    let visit = |id: &str, order: Value| {
        json!({ "mdtrt_id": id, "medins_id": "H1", "med_type": "11", "adm_date": "2026-03-11 08:00:00",
                "fsi_order_dtos": [order] })
    };
    // One unit of nursing is asked for; of the earlier visit the hospital knows its order, the bureau its line of the same day.
    let message = |earlier: &str| {
        json!({ "infno": "3102", "fixmedins_code": "H1", "input": { "data": { "patient_dtos": [{
            "patn_id": "P1", "curr_mdtrt_id": "M2",
            "fsi_encounter_dtos": [visit("M2", order("RX9", "1")), visit(earlier, order("RX4", "1"))],
        }] } } })
    };
    let running = Running::start(options(&["BIL103"]), Arc::new(held(nursing("M1", "S1", 1))));
    let too_much = |earlier: &str| {
        let value = running.post("/api/v1/3102", &message(earlier)).json();
        assert_eq!(value["infcode"], "0", "{value}");
        value.pointer("/output/result/0/vola_amt").map(ToString::to_string)
    };
    assert_eq!(too_much("M1").as_deref(), Some("12.0"), "the bureau's line and the hospital's order are one");
    assert_eq!(too_much("M5").as_deref(), Some("24.0"), "a visit of which only the hospital knows counts besides");
    assert!(running.stop());
}

#[test]
fn who_has_no_time_is_told_what_was_not_run() {
    let running = Running::alone(Options { budget: Duration::ZERO, ..options(&["SCP101", "MED101"]) });
    let value = running.post("/api/v1/review", &own()).json();
    assert_eq!(value["not_run"], json!(["MED101", "SCP101"]));
    assert_eq!(value["complete"], false);
    // It passes, and says itself that this is not the last word.
    assert_eq!(
        (&value["decisions"][0]["decision"], &value["decisions"][0]["complete"]),
        (&json!("pass"), &json!(false))
    );
    let value = running.post("/api/v1/3101", &fixture("3101.json")).json();
    assert_eq!((&value["infcode"], &value["output"]["result"]), (&json!("0"), &json!([])));
    let warned = value["warn_msg"].as_str().unwrap();
    assert!(warned.starts_with("没有审完：时间不够，2 条规则没有运行：MED101、SCP101"), "{warned}");
    let figures = running.get("/metrics").text();
    assert!(figures.contains("fundaudit_rules_not_run_total 4"), "{figures}");
    assert!(figures.contains("fundaudit_reviews_incomplete_total 2"), "{figures}");
}

#[test]
fn a_rule_that_takes_too_long_is_given_up_in_the_middle() {
    // As many orders as a message may have, of an item and of one that it contains: each is to be held against every other, minutes of
    // work for one rule.
    let order = |number: usize| {
        let item = if number.is_multiple_of(2) { "003314000020000" } else { "003112010260000" };
        json!({ "rx_id": format!("RX{number}"), "hilist_code": item, "cnt": 1, "pric": 12, "sumamt": 12,
                "ownpay_amt": 0, "selfpay_amt": 0, "drord_begn_date": "2026-03-11 08:30:00" })
    };
    let orders: Vec<Value> = (0..Limits::default().orders).map(order).collect();
    let message = json!({ "infno": "3102", "fixmedins_code": "H1", "input": { "data": { "patient_dtos": [{
        "patn_id": "P1",
        "fsi_encounter_dtos": [{ "mdtrt_id": "M1", "medins_id": "H1", "med_type": "21", "adm_date": "2026-03-11 08:00:00",
                                 "fsi_order_dtos": orders }],
    }] } } });
    let took = |budget: Duration| {
        let running = Running::alone(Options { budget, ..options(&["BIL101"]) });
        let watch = Stopwatch::start();
        let value = running.post("/api/v1/3102", &message).json();
        let took = watch.elapsed();
        let warned = value["warn_msg"].as_str().unwrap();
        assert!(warned.starts_with("没有审完：时间不够，1 条规则没有运行：BIL101"), "{warned}");
        assert_eq!((&value["infcode"], &value["output"]["result"]), (&json!("0"), &json!([])), "nothing by halves");
        took
    };
    // Reading a message of that size takes its time, and with a few milliseconds no rule is begun.
    let reading = took(Duration::from_millis(5));
    // With twice that time the rule is begun, and stops where it is.
    let budget = reading * 2;
    let given_up = took(budget);
    assert!(given_up < budget * 3, "{given_up:?} for a budget of {budget:?}");
}

#[test]
fn the_same_task_has_the_same_answer() {
    let running = Running::alone(options(&["SCP101"]));
    let message = fixture("3101.json");
    let first = running.post("/api/v1/3101", &message);
    let again = running.post("/api/v1/3101", &message);
    assert_eq!(first.body, again.body, "with its number and its times");
    assert_ne!(first.headers["x-request-id"], again.headers["x-request-id"]);
    // Another body under the same task is another question.
    let mut other = message.clone();
    other["input"]["data"]["patient_dtos"][0]["gend"] = json!("2");
    let other = running.post("/api/v1/3101", &other);
    assert_eq!(other.json()["output"]["result"], json!([]));
    assert_eq!(running.post("/api/v1/3101", &message).body, first.body);
    // Without a task every question is new.
    let mut untold = message;
    untold["input"]["data"].as_object_mut().unwrap().remove("task_id");
    let (one, two) = (running.post("/api/v1/3101", &untold), running.post("/api/v1/3101", &untold));
    assert_ne!(one.json()["inf_refmsgid"], two.json()["inf_refmsgid"]);
    assert!(running.get("/metrics").text().contains("fundaudit_repeated_total 2"));
}

#[test]
fn what_a_doctor_did_is_acknowledged_when_it_is_kept() {
    let running = Running::alone(options(&["SCP101"]));
    let message = fixture("3103.json");
    assert_eq!(running.post("/api/v1/3103", &message).national().0, "0");
    {
        let kept = running.feedback.kept.lock().unwrap();
        let [(feedback, by, at)] = kept.as_slice() else { panic!("{} were kept", kept.len()) };
        assert_eq!((by.as_str(), feedback.warnings.len()), (HOSPITAL, 2));
        assert_eq!(feedback.warnings[1].done, Done::Kept);
        assert!(at.len() == 19 && at.as_bytes()[10] == b'T', "{at}");
    }
    // The same message again is acknowledged, and is not said twice.
    assert_eq!(running.post("/api/v1/3103", &message).national().0, "0");
    assert_eq!(running.feedback.kept.lock().unwrap().len(), 1);
    // What is not kept is not acknowledged, and may be sent again.
    let mut next = message.clone();
    next["msgid"] = json!("H37030000127202603100300000001");
    running.feedback.fails.store(true, Ordering::SeqCst);
    assert_eq!(
        running.post("/api/v1/3103", &next).national(),
        ("-1".to_owned(), "反馈没有登记成功，请重发".to_owned())
    );
    running.feedback.fails.store(false, Ordering::SeqCst);
    assert_eq!(running.post("/api/v1/3103", &next).national().0, "0");
    assert_eq!(running.feedback.kept.lock().unwrap().len(), 2);
    let figures = running.get("/metrics").text();
    assert!(figures.contains("fundaudit_feedback_total{done=\"changed\"} 2"), "{figures}");

    let nobody = Service::start(options(&["SCP101"]), Arc::new(Nothing::default()), None).unwrap();
    let answer = call(nobody.address(), "POST", "/api/v1/3103", &[], message.to_string().as_bytes());
    let (code, said) = answer.national();
    assert!(code == "-1" && said.contains("`--feedback`"), "{said}");
}

#[test]
fn whatever_is_sent_is_answered_or_told_what_is_wrong_with_it() {
    let running = Running::alone(options(&["SCP101", "MED101", "BIL103"]));
    let mut line = BufReader::new(connect(running.address));
    let names = ["3101.json", "3102.json", "3103.json", "3101-newer.json", "own.json"];
    let (mut answered, mut told) = (0, 0);
    for seed in 1..=250_usize {
        let name = names[seed % names.len()];
        let mut dice = Dice(u64::try_from(seed).unwrap().wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut message = fixture(name);
        for _ in 0..=dice.below(8) {
            mutate(&mut message, &mut dice);
        }
        let mut body = message.to_string().into_bytes();
        if seed % 7 == 0 {
            let at = dice.below(body.len());
            if dice.below(2) == 0 { body.truncate(at) } else { body[at] ^= 1 << dice.below(8) }
        }
        let path = if name == "own.json" { "/api/v1/review" } else { "/api/v1/national" };
        send(line.get_mut(), "POST", path, &[], &body).unwrap();
        let answer = receive(&mut line).unwrap_or_else(|e| panic!("{seed}: {e}"));
        let value = answer.json();
        if name == "own.json" {
            assert!([200, 400, 413, 422].contains(&answer.status), "{seed}: {}", answer.status);
            if answer.status == 200 { answered += 1 } else { told += usize::from(!answer.error().is_empty()) }
        } else {
            let (code, said) = answer.national();
            assert_eq!(code == "0", said.is_empty(), "{seed}: {value}");
            if code == "0" { answered += 1 } else { told += 1 }
        }
    }
    assert_eq!(answered + told, 250);
    assert!(answered > 100 && told > 20, "{answered} answered, {told} told");
    assert_eq!(running.health()["status"], "ok");
}

// ---- Who may ask

/// A file of institutions: code, key, rate, burst, more lines.
fn key_file(folder: &Path, institutions: &[(&str, &str, u32, u32, &str)]) -> PathBuf {
    let file = folder.join("keys.toml");
    let entries = institutions
        .iter()
        .map(|(code, key, rate, burst, more)| format!("{}{more}\n", keys::entry(code, "示例", key, *rate, *burst)));
    fs::write(&file, entries.collect::<String>()).unwrap();
    file
}

fn ask_with(running: &Running, path: &str, key: &str, body: &Value) -> Answer {
    let key = format!("Bearer {key}");
    call(running.address, "POST", path, &[("Authorization", &key)], body.to_string().as_bytes())
}

#[test]
fn an_institution_asks_for_its_own_patients() {
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(
        folder.path(),
        &[
            (HOSPITAL, "ours", 100, 100, ""),
            ("H37030000999", "theirs", 100, 100, ""),
            ("H37030000888", "allied", 100, 100, "may_ask = [\"H37030000127\"]"),
            ("370300", "bureau", 100, 100, "all = true"),
        ],
    );
    let running = Running::alone(Options { keys: Some(keys), ..options(&["SCP101"]) });
    let own = untold();
    let status = |key: &str, body: &Value| ask_with(&running, "/api/v1/review", key, body).status;
    assert_eq!(["ours", "theirs", "allied", "bureau"].map(|key| status(key, &own)), [200, 403, 200, 200]);
    let unknown = running.post("/api/v1/review", &own);
    assert_eq!((unknown.status, unknown.headers["www-authenticate"].as_str()), (401, "Bearer"));
    assert_eq!(status("guessed", &own), 401);
    let other = call(running.address, "POST", "/api/v1/review", &[("X-Api-Key", "ours")], own.to_string().as_bytes());
    assert_eq!(other.status, 200, "in the other header too");
    // National systems read `infcode`, whatever went wrong.
    let message = fixture("3101.json");
    assert_eq!(ask_with(&running, "/api/v1/3101", "ours", &message).national().0, "0");
    let (code, said) = ask_with(&running, "/api/v1/3101", "theirs", &message).national();
    assert!(code == "-1" && said.contains("只能问本机构的就诊"), "{said}");
    let (code, said) = running.post("/api/v1/3101", &message).national();
    assert!(code == "-1" && said.contains("X-Api-Key"), "{said}");
    // Another's visit beside one's own, and another's line in one's own visit.
    let mut two = own.clone();
    let mut second = two["claims"][0].clone();
    second["settlement"] =
        json!({ "setl_id": "JS2", "mdtrt_id": "MZ2", "psn_no": PATIENT, "fixmedins_code": "H37030000999" });
    two["claims"].as_array_mut().unwrap().push(second);
    assert_eq!(["ours", "theirs", "bureau"].map(|key| status(key, &two)), [403, 403, 200]);
    let mut line = own.clone();
    line["claims"][0]["lines"][1]["fixmedins_code"] = json!("H37030000999");
    assert_eq!(["ours", "theirs", "bureau"].map(|key| status(key, &line)), [403, 403, 200]);
    let mut order = message.clone();
    order["input"]["data"]["patient_dtos"][0]["fsi_encounter_dtos"][0]["fsi_order_dtos"][0]["fixmedins_code"] =
        json!("H37030000999");
    assert_eq!(ask_with(&running, "/api/v1/3101", "ours", &order).national().0, "-1");
    // A visit of nobody's is not read, and the answer says so.
    two["claims"][1]["settlement"].as_object_mut().unwrap().remove("fixmedins_code");
    let value = ask_with(&running, "/api/v1/review", "ours", &two).json();
    assert_eq!(value["decisions"].as_array().unwrap().len(), 1);
    assert!(value["unread"].to_string().contains("claims[1].settlement"), "{value}");
    // What a doctor did is kept under who sent it, and nobody speaks for another.
    assert_eq!(ask_with(&running, "/api/v1/3103", "theirs", &fixture("3103.json")).national().0, "-1");
    assert_eq!(ask_with(&running, "/api/v1/3103", "allied", &fixture("3103.json")).national().0, "0");
    assert_eq!(running.feedback.kept.lock().unwrap()[0].1, "H37030000888");
    // The same task and body of another institution is its own question.
    let told = fixture("own.json");
    assert_eq!(status("ours", &told), 200);
    assert_eq!(status("theirs", &told), 403, "what is remembered for one is not told to another");
    assert_eq!([running.get("/healthz").status, running.get("/metrics").status], [200, 200]);
    assert!(!running.get("/metrics").text().contains(HOSPITAL));
}

/// A visit of the fixture's hospital with one unit of nursing, as our own JSON.
fn one_nursing() -> Value {
    json!({ "claims": [{
        "settlement": { "setl_id": "S2", "mdtrt_id": "M2", "psn_no": "P1", "fixmedins_code": "H1", "setl_time": "2026-03-12", "insu_admdvs": "370323" },
        "encounter": { "med_type": "11", "begntime": "2026-03-11", "endtime": "2026-03-11" },
        "lines": [{ "feedetl_sn": "1", "hilist_code": "001201000040000", "fee_ocur_time": "2026-03-11T08:00:00", "cnt": 1, "pric": 12, "det_item_fee_sumamt": 12, "inscp_amt": 12 }],
    }] })
}

#[test]
fn who_asks_for_his_own_learns_of_no_other_line() {
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(folder.path(), &[("H1", "ours", 9, 9, ""), ("370300", "bureau", 9, 9, "all = true")]);
    let history = Arc::new(held(nursing("M1", "S1", 1)));
    let running = Running::start(Options { keys: Some(keys), ..options(&["BIL103"]) }, history);
    let lines = |key: &str| {
        let value = ask_with(&running, "/api/v1/review", key, &one_nursing()).json();
        assert_eq!(value["decisions"][0]["decision"], "refuse", "{value}");
        let lines = value["findings"][0]["lines"].as_array().unwrap();
        lines.iter().map(|line| line["mdtrt_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lines("bureau"), ["M1", "M2"]);
    assert_eq!(lines("ours"), ["M2"]);
}

#[test]
fn a_key_has_its_rate_and_another_key_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(folder.path(), &[(HOSPITAL, "slow", 1, 2, ""), (HOSPITAL, "fast", 100, 100, "")]);
    let running = Running::alone(Options { keys: Some(keys.clone()), ..options(&["SCP101"]) });
    // A message that is refused at once, so that no second goes by.
    let ask = |key: &str| ask_with(&running, "/api/v1/review", key, &json!({}));
    let asked: Vec<u16> = (0..6).map(|_| ask("slow").status).collect();
    assert_eq!(asked[..2], [422, 422]);
    assert!(asked[2..].contains(&429), "{asked:?}");
    until("one too many", || ask("slow").status == 429);
    let limited = ask_with(&running, "/api/v1/review", "slow", &json!({}));
    if limited.status == 429 {
        assert_eq!(limited.headers["retry-after"].parse::<u64>().unwrap(), 1);
    }
    assert_eq!(ask("fast").status, 422);
    // The file changes: who is still in it goes on counting, who is new may ask, who is gone may not.
    key_file(folder.path(), &[(HOSPITAL, "slow", 1, 2, ""), (HOSPITAL, "new", 100, 100, "")]);
    until("the new key is known", || ask("new").status == 422);
    assert_eq!(ask("fast").status, 401);
    assert_eq!(running.health()["status"], "ok");
    // A mistake changes nothing, and is told.
    fs::write(&keys, "[[institution]]\nfixmedins_code = \"H1\"\nkey_sha256 = \"my secret\"\nrate = 1\n").unwrap();
    until("the mistake is told", || running.health()["status"] == "old");
    assert_eq!(ask("new").status, 422);
    let why = running.health()["not_taken_in"]["keys"].as_str().unwrap().to_owned();
    assert!(why.contains("keys.toml:3: `key_sha256` is no hash") && !why.contains("my secret"), "{why}");
}

#[test]
fn a_file_of_keys_is_told_all_its_mistakes_at_once() {
    let text =
        "[[institution]]\nfixmedins_code = \"H-1\"\nkey_sha256 = \"abc\"\nrate = 0\nburst = 0\nmay_ask = [\"\"]\n";
    let mistakes = keys::Keys::read("keys.toml", text, None).unwrap_err();
    let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [2, 6, 4, 5, 3], "{mistakes:?}");
    assert!(mistakes.iter().all(|mistake| mistake.source.is_empty()), "no line of the file is shown");
    let twice = format!("{0}{0}", keys::entry("H1", "一\"院", "k", 1, 1));
    assert_eq!(keys::Keys::read("keys.toml", &twice, None).unwrap_err()[0].message, "this key is there twice");
    let known = keys::Keys::read("keys.toml", &keys::entry("H1", "一\"院", "k", 1, 1), None).unwrap();
    assert_eq!((known.of("k").unwrap().name.as_str(), known.of("K").is_none(), known.len()), ("一\"院", true, 1));
    assert!(keys::Keys::read("keys.toml", "[[institution]]\ncode = \"H1\"\n", None).is_err());
    assert!(keys::Keys::read("keys.toml", "", None).unwrap().is_empty());
}

#[test]
fn nobody_listens_beyond_this_machine_without_keys_and_tls() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Some(key_file(folder.path(), &[(HOSPITAL, "k", 1, 1, "")]));
    let refused = |listen: [u8; 4], keys: Option<PathBuf>, behind_proxy: bool| {
        let options = Options { listen: SocketAddr::from((listen, 0)), keys, behind_proxy, ..options(&["SCP101"]) };
        Service::start(options, Arc::new(Nothing::default()), None).err().map(|error| error.to_string())
    };
    let everywhere = [0, 0, 0, 0];
    let said = refused(everywhere, None, false).unwrap();
    assert!(said.contains("without keys") && said.contains("--keys FILE"), "{said}");
    let said = refused(everywhere, keys.clone(), false).unwrap();
    assert!(said.contains("without TLS") && said.contains("--behind-proxy"), "{said}");
    let said = refused([127, 0, 0, 1], None, true).unwrap();
    assert!(said.contains("behind a proxy"), "{said}");
    assert_eq!(refused(everywhere, keys, true), None);
    assert_eq!(refused([127, 0, 0, 1], None, false), None);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = Options { listen: taken.local_addr().unwrap(), ..options(&["SCP101"]) };
    let said = Service::start(options, Arc::new(Nothing::default()), None).err().unwrap().to_string();
    assert!(said.contains("cannot listen on 127.0.0.1:") && said.contains("--listen"), "{said}");
}

#[test]
fn a_page_in_somebody_s_browser_is_not_answered() {
    let running = Running::alone(options(&["SCP101"]));
    let from_a_page = [("Origin", "https://example.org")];
    let answer = call(running.address, "POST", "/api/v1/review", &from_a_page, own().to_string().as_bytes());
    assert_eq!(answer.status, 403);
}

#[test]
fn with_a_certificate_it_speaks_tls_and_nothing_else() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls").join(name);
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| {
        fs::copy(of(name), folder.path().join(name)).unwrap();
        folder.path().join(name)
    });
    let keys = key_file(folder.path(), &[(HOSPITAL, "ours", 9, 9, "")]);
    let options = Options {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        keys: Some(keys),
        tls: Some((cert.clone(), key)),
        ..options(&["SCP101"])
    };
    let running = Running::alone(options);
    let address = SocketAddr::from(([127, 0, 0, 1], running.address.port()));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(of("cert.pem")).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let ask = |method: &str, path: &str| {
        let name = ServerName::try_from("localhost").unwrap();
        let session = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
        let mut stream = rustls::StreamOwned::new(session, connect(address));
        let body = if method == "POST" { fixture("3101.json").to_string() } else { String::new() };
        send(&mut stream, method, path, &[("X-Api-Key", "ours")], body.as_bytes()).unwrap();
        receive(&mut BufReader::new(stream)).unwrap()
    };
    assert_eq!(ask("POST", "/api/v1/3101").national().0, "0");
    let mut plain = connect(address);
    send(&mut plain, "GET", "/healthz", &[], b"").unwrap();
    assert!(receive(&mut BufReader::new(plain)).is_err(), "not without TLS");
    // A certificate that is no use is not taken in, and the old one goes on.
    fs::write(&cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    until("the certificate is refused", || ask("GET", "/healthz").text().contains("cert.pem"));
    assert_eq!(ask("POST", "/api/v1/3101").national().0, "0");
}

// ---- Trouble

#[test]
fn new_rules_are_taken_in_and_no_request_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("audit_rules"), &rules);
    let policy = folder.path().join("decisions.toml");
    let decides = |decision: &str| {
        fs::write(&policy, format!("[[decision]]\ndecision = \"{decision}\"\nwhy = \"试\"\n")).unwrap();
    };
    decides("refuse");
    let mut options = options(&["SCP101"]);
    options.setup.rules = Some(rules.clone());
    options.setup.decisions = Some(policy.clone());
    let running = Running::alone(options);
    let (address, over, asked) = (running.address, AtomicBool::new(false), AtomicUsize::new(0));
    let body = untold().to_string();
    let seen: Mutex<Vec<String>> = Mutex::default();
    let decision = || running.post("/api/v1/review", &untold()).json()["decisions"][0]["decision"].clone();
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                let mut line = BufReader::new(connect(address));
                while !over.load(Ordering::SeqCst) {
                    send(line.get_mut(), "POST", "/api/v1/review", &[], body.as_bytes()).unwrap();
                    let answer = receive(&mut line).unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let decision = answer.json()["decisions"][0]["decision"].as_str().unwrap().to_owned();
                    asked.fetch_add(1, Ordering::SeqCst);
                    let mut seen = seen.lock().unwrap();
                    if !seen.contains(&decision) {
                        seen.push(decision);
                    }
                }
            });
        }
        // A failed assertion must not leave the others asking for ever.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until("it is asked", || asked.load(Ordering::SeqCst) > 10);
            decides("hold");
            until("the new policy decides", || decision() == "hold");
            // A mistake changes nothing, and is told.
            fs::write(&policy, "[[decision]]\ndecision = \"perhaps\"\n").unwrap();
            until("the mistake is told", || running.health()["status"] == "old");
            assert_eq!(decision(), "hold");
            let figures = running.get("/metrics").text();
            assert!(figures.contains("fundaudit_reload_failed{what=\"rules\"} 1"), "{figures}");
            // A rule file too: the rule is gone while its file is.
            decides("refuse");
            until("the mistake is over", || running.health()["status"] == "ok");
            assert_eq!(decision(), "refuse");
            let before = running.health()["rule_set_hash"].clone();
            let file = rules.join("scope/wrong-sex-for-item.toml");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, format!("{text}\n# another hash\n")).unwrap();
            until("the rule's text is taken in", || running.health()["rule_set_hash"] != before);
            // Told to, it looks at once and loads whatever changed or not.
            let loaded = || running.figure("fundaudit_reloads_total{what=\"rules\",outcome=\"ok\"}");
            let so_far = loaded();
            assert!(so_far >= Some(3), "{so_far:?}");
            running.service().reload();
            until("it is loaded once more", || loaded() > so_far);
        }));
        over.store(true, Ordering::SeqCst);
        if let Err(panic) = told {
            std::panic::resume_unwind(panic);
        }
    });
    let mut seen = seen.into_inner().unwrap();
    seen.sort();
    assert_eq!(seen, ["hold", "refuse"]);
    let answered = running.figure("fundaudit_requests_total{address=\"review\",outcome=\"answered\"}").unwrap();
    assert!(answered >= u64::try_from(asked.load(Ordering::SeqCst)).unwrap() && answered > 30, "{answered}");
}

/// A past for which one waits.
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
    facilities: Arc<HashMap<String, Facility>>,
}

impl Gate {
    fn closed() -> Arc<Gate> {
        Arc::new(Gate {
            open: Mutex::new(false),
            opened: Condvar::new(),
            waiting: AtomicUsize::new(0),
            facilities: Arc::default(),
        })
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

impl History for Gate {
    fn of(&self, _persons: &[&str], _wanted: &Wanted) -> Result<Tables, Error> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.opened.wait(open).unwrap();
        }
        Ok(Tables::new())
    }

    fn first_day(&self) -> i32 {
        0
    }

    fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
        &self.facilities
    }
}

#[test]
fn a_full_queue_says_so_and_who_waited_too_long_is_told_what_was_not_run() {
    let gate = Gate::closed();
    let mut options = options(&["SCP101"]);
    options.threads = Some(1);
    options.budget = Duration::from_secs(1);
    options.bounds.queue = 1;
    let running = Running::start(options, Arc::clone(&gate) as _);
    thread::scope(|threads| {
        let first = threads.spawn(|| running.post("/api/v1/review", &untold()));
        until("the first is at work", || gate.waiting.load(Ordering::SeqCst) == 1);
        let second = threads.spawn(|| running.post("/api/v1/3101", &fixture("3101.json")));
        until("the second waits", || running.health()["waiting"] == 1);
        let third = running.post("/api/v1/review", &untold());
        assert_eq!((third.status, third.headers["retry-after"].as_str()), (503, "1"));
        let fourth = running.post("/api/v1/3101", &fixture("3101.json"));
        assert_eq!(fourth.headers["retry-after"], "1");
        assert_eq!(fourth.national().0, "-1");
        thread::sleep(Duration::from_millis(1_100));
        gate.open();
        // Both began after their time: nothing was run, and each says so.
        assert_eq!(first.join().unwrap().json()["not_run"], json!(["SCP101"]));
        assert!(second.join().unwrap().json()["warn_msg"].as_str().unwrap().starts_with("没有审完"));
    });
    assert_eq!(running.post("/api/v1/review", &untold()).json()["complete"], true);
    // An answer for which there was no time is not remembered: who asks again is reviewed.
    assert_eq!(running.post("/api/v1/3101", &fixture("3101.json")).json()["output"]["result"][0]["rule_id"], "SCP101");
    let figures = running.get("/metrics").text();
    assert!(figures.contains("fundaudit_requests_total{address=\"3101\",outcome=\"busy\"} 1"), "{figures}");
}

/// A past that cannot be read, that is a bug, or that is there: as it is told.
#[derive(Default)]
struct Broken {
    how: AtomicUsize,
    facilities: Arc<HashMap<String, Facility>>,
}

impl History for Broken {
    fn of(&self, _persons: &[&str], _wanted: &Wanted) -> Result<Tables, Error> {
        match self.how.load(Ordering::SeqCst) {
            0 => Err(Error::Engine("/data/persons.db: disk I/O error".to_owned())),
            1 => panic!("on purpose"),
            _ => Ok(Tables::new()),
        }
    }

    fn first_day(&self) -> i32 {
        0
    }

    fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
        &self.facilities
    }
}

#[test]
fn what_goes_wrong_with_one_review_is_told_and_goes_wrong_with_no_other() {
    let past = Arc::new(Broken::default());
    let running = Running::start(options(&["SCP101"]), Arc::clone(&past) as _);
    for (how, what) in ["an error", "a panic"].into_iter().enumerate() {
        past.how.store(how, Ordering::SeqCst);
        let answer = running.post("/api/v1/review", &untold());
        assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (500, "1"), "{what}");
        assert!(
            answer.error().starts_with("这一次没有审成") && !answer.error().contains("/data"),
            "{}",
            answer.error()
        );
        let (code, said) = running.post("/api/v1/3101", &fixture("3101.json")).national();
        assert!(code == "-1" && said.starts_with("这一次没有审成"), "{what}: {said}");
    }
    past.how.store(2, Ordering::SeqCst);
    assert_eq!(running.post("/api/v1/review", &untold()).status, 200);
    assert_eq!(running.post("/api/v1/3101", &fixture("3101.json")).national().0, "0", "it is asked anew");
    assert_eq!(running.figure("fundaudit_requests_total{address=\"3101\",outcome=\"failed\"}"), Some(2));
    until("nobody is at work", || running.figure("fundaudit_at_work") == Some(0));
}

#[test]
fn who_is_in_flight_when_it_stops_has_an_answer() {
    let gate = Gate::closed();
    let mut running = Running::start(options(&["SCP101"]), Arc::clone(&gate) as _);
    let (address, service) = (running.address, running.service.take().unwrap());
    thread::scope(|threads| {
        let asked: Vec<_> = (0..4)
            .map(|_| threads.spawn(|| call(address, "POST", "/api/v1/review", &[], untold().to_string().as_bytes())))
            .collect();
        until("all are there", || call(address, "GET", "/healthz", &[], b"").json()["waiting"] == 2);
        // One that only holds its connection is no reason to wait.
        let _idle = connect(address);
        let stopped = threads.spawn(|| service.stop(Duration::from_secs(30)));
        until("nobody else is taken", || TcpStream::connect(address).is_err());
        assert!(!stopped.is_finished());
        gate.open();
        for answer in asked {
            assert_eq!(answer.join().unwrap().status, 200);
        }
        assert!(stopped.join().unwrap());
    });
}

#[test]
fn slow_and_silent_clients_are_left_alone_and_others_served() {
    let mut options = options(&["SCP101"]);
    options.bounds.header_time = Duration::from_millis(400);
    options.bounds.body_time = Duration::from_millis(400);
    options.bounds.connections = 20;
    let running = Running::alone(options);
    let address = running.address;
    // One says nothing, one its head by the letter, one its body, one stays after its answer.
    let silent = connect(address);
    let mut head = connect(address);
    head.write_all(b"POST /api/v1/review HTTP/1.1\r\nHost: x\r\nX-").unwrap();
    let mut body = connect(address);
    body.write_all(b"POST /api/v1/review HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"claims\"").unwrap();
    let mut stays = connect(address);
    send(&mut stays, "GET", "/healthz", &[], b"").unwrap();
    assert_eq!(running.post("/api/v1/review", &untold()).status, 200);
    let ends = |mut stream: TcpStream| {
        let mut rest = Vec::new();
        // Closed or reset, but not kept.
        let _ = stream.read_to_end(&mut rest);
        String::from_utf8(rest).unwrap()
    };
    let since = Stopwatch::start();
    assert_eq!(ends(silent), "");
    assert!(!ends(head).contains("200 OK"));
    let told = ends(body);
    assert!(told.starts_with("HTTP/1.1 408") && told.contains("正文没有在"), "{told}");
    assert!(ends(stays).starts_with("HTTP/1.1 200"));
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    // Twenty connections, and one too many is closed.
    until("the others are gone", || running.get("/metrics").text().contains("fundaudit_connections 1\n"));
    // Who says nothing for long makes room: on a slow machine perhaps before all are there.
    until("one too many is closed", || {
        let _many: Vec<TcpStream> = (0..20).map(|_| connect(address)).collect();
        (0..3).any(|_| {
            let mut stream = connect(address);
            let _ = send(&mut stream, "GET", "/healthz", &[], b"");
            receive(&mut BufReader::new(stream)).is_err()
        })
    });
    until("there is room again", || {
        let mut stream = connect(address);
        send(&mut stream, "GET", "/healthz", &[], b"").is_ok() && receive(&mut BufReader::new(stream)).is_ok()
    });
}

#[test]
fn a_body_has_an_end() {
    let mut options = options(&["SCP101"]);
    options.limits.bytes = 20_000;
    let running = Running::alone(options);
    let mut announced = connect(running.address);
    announced.write_all(b"POST /api/v1/review HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n").unwrap();
    let answer = receive(&mut BufReader::new(announced)).unwrap();
    assert_eq!((answer.status, answer.error().as_str()), (413, "消息超过 20000 字节，分几次送"));
    let mut endless = connect(running.address);
    endless.write_all(b"POST /api/v1/3101 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
    for _ in 0..5 {
        endless.write_all(&chunk).unwrap();
    }
    assert_eq!(receive(&mut BufReader::new(endless)).unwrap().national().0, "-1");
    assert_eq!(running.post("/api/v1/review", &untold()).status, 200);
}

#[test]
fn all_bodies_together_have_an_end() {
    let gate = Gate::closed();
    let mut options = options(&["SCP101"]);
    options.bounds.bodies_kib = untold().to_string().len().div_ceil(1024);
    let running = Running::start(options, Arc::clone(&gate) as _);
    thread::scope(|threads| {
        let first = threads.spawn(|| running.post("/api/v1/review", &untold()));
        until("the first is at work", || gate.waiting.load(Ordering::SeqCst) == 1);
        assert_eq!(running.post("/api/v1/review", &untold()).status, 503);
        gate.open();
        assert_eq!(first.join().unwrap().status, 200);
    });
    assert_eq!(running.post("/api/v1/review", &untold()).status, 200, "its room is free again");
}

// ---- The program itself

pub(super) struct Program {
    child: Child,
    pub(super) address: SocketAddr,
    log: Option<thread::JoinHandle<String>>,
}

impl Program {
    pub(super) fn start(arguments: &[&str]) -> Program {
        Program::start_with(arguments, &[])
    }

    /// With these variables besides.
    pub(super) fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fundaudit"))
            .args(["serve", "--listen", "127.0.0.1:0", "--budget", "60s", "--threads", "2"])
            .args(arguments)
            .env_remove("FUNDAUDIT_LOG")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = child.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut text = String::new();
            let _ = log.read_to_string(&mut text);
            text
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("http://").and_then(|address| address.parse().ok()) else {
            let _ = child.kill();
            panic!("it does not say where it listens: `{line}` {}", log.join().unwrap());
        };
        Program { child, address, log: Some(log) }
    }

    pub(super) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Waits for its end. Comes back: its exit code and its log.
    pub(super) fn ended(&mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { drop(found.insert(path.clone(), fs::read(path).unwrap())) }
        }
    }
    found
}

#[test]
fn killed_with_requests_in_flight_it_leaves_all_as_it_was_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = county(folder.path());
    let arguments = ["--dataset", dataset.to_str().unwrap(), "--select", "SCP101,BIL103"];
    drop(Program::start(&arguments));
    let before = bytes(folder.path());
    for _ in 0..2 {
        let mut program = Program::start(&arguments);
        let (address, answered) = (program.address, AtomicUsize::new(0));
        thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    let mut line = BufReader::new(connect(address));
                    while send(line.get_mut(), "POST", "/api/v1/review", &[], untold().to_string().as_bytes()).is_ok() {
                        let Ok(answer) = receive(&mut line) else { break };
                        assert_eq!(answer.status, 200);
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            until("it is busy", || answered.load(Ordering::SeqCst) > 20);
            program.signal("-KILL");
            program.child.wait().unwrap();
        });
        assert!(bytes(folder.path()) == before, "killed, and it shows");
    }
    let program = Program::start(&arguments);
    assert_eq!(call(program.address, "POST", "/api/v1/review", &[], untold().to_string().as_bytes()).status, 200);
}

#[test]
fn told_to_stop_it_ends_well_and_its_log_names_no_patient() {
    let mut program = Program::start(&["--select", "SCP101"]);
    let address = program.address;
    for (path, name) in
        [("review", "own.json"), ("3101", "3101.json"), ("3103", "3103.json"), ("national", "3102.json")]
    {
        let answer = call(address, "POST", &format!("/api/v1/{path}"), &[], fixture(name).to_string().as_bytes());
        assert_eq!(answer.status, 200);
    }
    call(address, "POST", "/api/v1/review", &[], format!("{{\"{PATIENT}\": \"卜虚构\"}}").as_bytes());
    program.signal("-HUP");
    until("it has read its files anew", || {
        let figures = call(address, "GET", "/metrics", &[], b"").text();
        figures.contains("fundaudit_reloads_total{what=\"rules\",outcome=\"ok\"} 1")
    });
    // Somebody who holds a connection does not hold up the end.
    let _idle = connect(address);
    program.signal("-TERM");
    let (code, log) = program.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("address=\"3101\"") && log.contains("outcome=\"answered\""), "{log}");
    for word in [PATIENT, "卜虚构", "艾附暖宫丸", "MZ26031000017"] {
        assert!(!log.contains(word), "{word} in {log}");
    }
    assert!(log.contains("no --keys") && log.contains("no --dataset") && log.contains("stopping"), "{log}");
}

#[test]
fn a_key_is_shown_once_and_its_entry_is_taken() {
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_fundaudit")).args(["serve", "key", "new"]).args(arguments).output().unwrap()
    };
    let made = run(&["--fixmedins", HOSPITAL, "--name", "鲁中示例医院", "--rate", "5", "--lang", "en"]);
    let text = String::from_utf8(made.stdout).unwrap();
    let key = text.lines().nth(1).unwrap();
    assert_eq!(key.len(), 64);
    let entry = text.split_once("# for the file of --keys\n").unwrap().1;
    assert!(!entry.contains(key));
    let known = keys::Keys::read("keys.toml", entry, None).unwrap();
    assert_eq!(known.of(key).unwrap().code, HOSPITAL);
    let other = String::from_utf8(run(&["--fixmedins", HOSPITAL]).stdout).unwrap();
    assert_ne!(other.lines().nth(1), Some(key), "every key is another");
    assert_eq!(run(&["--fixmedins", "H 1"]).status.code(), Some(2));
    assert_eq!(run(&["--fixmedins", "H1", "--rate", "0"]).status.code(), Some(2));
    let refused =
        Command::new(env!("CARGO_BIN_EXE_fundaudit")).args(["serve", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let budget = Command::new(env!("CARGO_BIN_EXE_fundaudit")).args(["serve", "--budget", "soon"]).output().unwrap();
    assert!(String::from_utf8_lossy(&budget.stderr).contains("wanted a time such as 800ms or 2s"));
}
