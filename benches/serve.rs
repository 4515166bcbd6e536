//! The load on a running service: how long an answer takes, how many there are a second, what the service keeps of it.
//!
//! For: figures of `fundaudit serve`, from a process of its own, over loopback. Goes in: the dataset whose past the service
//! has, its address, how many connections. Comes out: for each kind of claim and number of connections percentiles, answers
//! a second, errors, answers that are not complete, answers with findings; with `--watch PID` the memory of the service at
//! the start, at every tenth and at the end. `--json` prints a line of JSON a run. Deliberately unknown here: what is right
//! in an answer.
//!
//! A pending claim is made of a person of the dataset: his own items, diagnoses, institution, under new ids, on the last day
//! of the data, so that the service has to read his past and the rules have something to look at. As many persons as there
//! are claims (`--claims`), spread over the whole dataset. A claim says no task, so that no answer is a remembered one.
//!
//! A connection is a thread that asks, waits for the whole answer and asks again. What is timed is from before the first byte
//! is written until the last one is read. Claims are made before anything is timed.
//!
//!     cargo bench --bench serve -- DATASET --to 127.0.0.1:8640 --mode outpatient,stay --connections 1,8,32
//!
//! To add a kind of claim: a variant of [`Mode`], its choice of encounters in [`Mode::has`], its lines in [`lines_of`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::{Parser, ValueEnum};
use fundaudit::clock::Stopwatch;
use fundaudit::ingest::{Dataset, Unit};
use fundaudit::model::{Table, day};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Parser)]
#[command(name = "serve")]
struct Args {
    /// The dataset that the service was started with
    dataset: PathBuf,
    /// Where the service listens
    #[arg(long, default_value = "127.0.0.1:8640")]
    to: SocketAddr,
    /// Key of an institution that may ask for all, where the service wants one
    #[arg(long)]
    key: Option<String>,
    /// Kinds of claims, one after the other
    #[arg(long, value_enum, value_delimiter = ',', default_value = "outpatient,stay")]
    mode: Vec<Mode>,
    /// Connections at once, one number after the other
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    connections: Vec<usize>,
    /// Requests of each run
    #[arg(long, default_value_t = 5_000)]
    requests: usize,
    /// Requests before each run that do not count
    #[arg(long, default_value_t = 500)]
    warm_up: usize,
    /// Claims that are made, each of another person; a stay of 200 lines counts as twenty
    #[arg(long, default_value_t = 20_000)]
    claims: usize,
    /// Our own JSON, or the national message 3102
    #[arg(long, value_enum, default_value = "own")]
    form: Form,
    /// Process of the service, whose memory is looked at
    #[arg(long, value_name = "PID")]
    watch: Option<u32>,
    /// A line of JSON for each run
    #[arg(long)]
    json: bool,
    /// `cargo bench` says this to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Ordinary outpatient claims of five lines
    Outpatient,
    /// Inpatient encounters of two hundred lines
    Stay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Own,
    National,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Outpatient => "outpatient",
            Mode::Stay => "stay",
        }
    }

    fn lines(self) -> usize {
        match self {
            Mode::Outpatient => 5,
            Mode::Stay => 200,
        }
    }

    /// Different items of a claim; a stay has each of them every day.
    fn items(self) -> usize {
        match self {
            Mode::Outpatient => 5,
            Mode::Stay => 20,
        }
    }

    /// Whether an encounter of this `med_type` is of the kind.
    fn has(self, med_type: &str) -> bool {
        match self {
            Mode::Outpatient => med_type.starts_with("11") || med_type.starts_with("14"),
            Mode::Stay => med_type.starts_with('2') || med_type == "52",
        }
    }

    fn claims(self, asked: usize) -> usize {
        match self {
            Mode::Outpatient => asked.max(1),
            Mode::Stay => asked.div_ceil(20).max(1),
        }
    }
}

fn main() -> Fallible<()> {
    let args = Args::parse();
    let dataset = Dataset::open(&args.dataset).map_err(|e| e.to_string())?;
    let mut failed = 0;
    for mode in &args.mode {
        eprintln!("making claims: {}", mode.name());
        let requests = prepared(&dataset, &args, *mode)?;
        for connections in &args.connections {
            let run = drive(&args, *mode, (*connections).max(1), &requests)?;
            failed += run.errors();
            println!("{}", if args.json { run.json().to_string() } else { run.text() });
        }
    }
    if failed > 0 { Err(format!("{failed} requests were not answered").into()) } else { Ok(()) }
}

// ── claims ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const VISIT: [&str; 12] = [
    "mdtrt_id",
    "psn_no",
    "fixmedins_code",
    "med_type",
    "insutype",
    "insu_admdvs",
    "gend",
    "brdy",
    "hosp_lv",
    "dscg_maindiag_code",
    "dscg_maindiag_name",
    "maf_psn_flag",
];

const LINE: [&str; 22] = [
    "mdtrt_id",
    "hilist_code",
    "hilist_name",
    "list_type",
    "med_chrgitm_type",
    "chrgitm_lv",
    "cnt",
    "pric",
    "det_item_fee_sumamt",
    "pric_uplmt_amt",
    "selfpay_prop",
    "fulamt_ownpay_amt",
    "overlmt_selfpay",
    "preselfpay_amt",
    "inscp_amt",
    "spec",
    "cnt_prcunt",
    "dosform_name",
    "sin_dos_dscr",
    "used_frqu_dscr",
    "prd_days",
    "bilg_dept_codg",
];

const DIAGNOSIS: [&str; 4] = ["mdtrt_id", "diag_code", "diag_name", "maindiag_flag"];

type Row = Map<String, Value>;

/// What a claim is made of: an encounter that somebody had, without its ids and times.
struct Claim {
    visit: Row,
    diagnoses: Vec<Row>,
    lines: Vec<Row>,
}

/// Whole requests, head and body, in an order that goes to and fro in the dataset.
fn prepared(dataset: &Dataset, args: &Args, mode: Mode) -> Fallible<Vec<Vec<u8>>> {
    let units = dataset.units();
    let last = dataset.manifest().last_day.ok_or("the dataset has no day of service")?;
    let each = mode.claims(args.claims).div_ceil(units.len().max(1));
    let claims: Fallible<Vec<Vec<Claim>>> = units.par_iter().map(|unit| of_unit(dataset, unit, mode, each)).collect();
    let mut claims: Vec<Claim> = claims?.into_iter().flatten().collect();
    if claims.is_empty() {
        return Err(format!("the dataset has no encounter of the kind `{}`", mode.name()).into());
    }
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    for at in (1..claims.len()).rev() {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let other = usize::try_from(dice % (at as u64 + 1)).unwrap_or(0);
        claims.swap(at, other);
    }
    Ok(claims.par_iter().enumerate().map(|(number, claim)| request(args, mode, number, claim, last)).collect())
}

/// Some encounters of a unit, of a person each.
fn of_unit(dataset: &Dataset, unit: &Unit, mode: Mode, most: usize) -> Fallible<Vec<Claim>> {
    let read = |table, columns: &[&str]| dataset.read(unit, table, columns).map_err(|e| e.to_string());
    let (visits, lines) = (read(Table::Encounter, &VISIT)?, read(Table::FeeDetail, &LINE)?);
    let diagnoses = read(Table::Diagnosis, &DIAGNOSIS)?;
    let (visits, lines, diagnoses) = (Sheet::of(&visits)?, Sheet::of(&lines)?, Sheet::of(&diagnoses)?);
    let fitting: Vec<usize> = (0..visits.rows)
        .filter(|row| visits.text(*row, "med_type").is_some_and(|med_type| mode.has(&med_type)))
        .collect();
    let lines_by = lines.by("mdtrt_id");
    let diagnoses_by = diagnoses.by("mdtrt_id");
    let of_encounter = |id: &str| -> Vec<Row> {
        let rows = lines_by.get(id).into_iter().flatten().map(|row| lines.row(*row));
        // What was taken back is no order.
        rows.filter(|line| !text(line, "cnt").starts_with('-')).collect()
    };
    // What else is ordered on such occasions, the commonest first: what is rare may be wrong for somebody.
    let mut others: BTreeMap<String, (usize, Row)> = BTreeMap::new();
    for id in fitting.iter().take(2_000).filter_map(|row| visits.text(*row, "mdtrt_id")) {
        for line in of_encounter(&id) {
            others.entry(text(&line, "hilist_code").to_owned()).or_insert((0, line)).0 += 1;
        }
    }
    let mut others: Vec<(usize, Row)> = others.into_values().collect();
    others.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let others: Vec<Row> = others.into_iter().map(|(_, line)| line).collect();
    let mut persons = BTreeSet::new();
    let mut claims = Vec::new();
    let step = (fitting.len() / most.max(1)).max(1);
    for row in fitting.iter().step_by(step).chain(&fitting) {
        if claims.len() == most {
            break;
        }
        let (Some(id), Some(person)) = (visits.text(*row, "mdtrt_id"), visits.text(*row, "psn_no")) else { continue };
        let own = of_encounter(&id);
        if own.is_empty() || !persons.insert(person) {
            continue;
        }
        // No item twice a day.
        let mut codes = BTreeSet::new();
        let mut all = own.into_iter().chain(others.iter().cloned());
        let mut lines: Vec<Row> = Vec::new();
        while let (true, Some(line)) = (lines.len() < mode.items(), all.next()) {
            if codes.insert(text(&line, "hilist_code").to_owned()) {
                lines.push(if mode == Mode::Stay { one_of(line) } else { line });
            }
        }
        let said = diagnoses_by.get(&id).into_iter().flatten().map(|row| diagnoses.row(*row));
        claims.push(Claim { visit: visits.row(*row), diagnoses: said.collect(), lines });
    }
    Ok(claims)
}

/// A line of one unit, for each day of a stay.
fn one_of(mut line: Row) -> Row {
    let price = cents(text(&line, "pric"));
    let within = cents(text(&line, "inscp_amt")) > 0;
    let yuan = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
    let (inside, outside) = if within { (price, 0) } else { (0, price) };
    for (name, value) in [
        ("cnt", "1".to_owned()),
        ("pric", yuan(price)),
        ("det_item_fee_sumamt", yuan(price)),
        ("inscp_amt", yuan(inside)),
        ("fulamt_ownpay_amt", yuan(outside)),
        ("preselfpay_amt", yuan(0)),
    ] {
        line.insert(name.to_owned(), value.into());
    }
    line
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A batch as texts.
struct Sheet<'b> {
    rows: usize,
    columns: Vec<(String, &'b dyn Array, ArrayFormatter<'b>)>,
}

impl<'b> Sheet<'b> {
    fn of(batch: &'b RecordBatch) -> Fallible<Sheet<'b>> {
        static OPTIONS: FormatOptions<'static> = FormatOptions::new();
        let columns = batch.schema_ref().fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, column)| -> Fallible<_> {
            Ok((field.name().clone(), column.as_ref(), ArrayFormatter::try_new(column.as_ref(), &OPTIONS)?))
        });
        Ok(Sheet { rows: batch.num_rows(), columns: columns.collect::<Fallible<_>>()? })
    }

    fn text(&self, row: usize, name: &str) -> Option<String> {
        let (_, array, shown) = self.columns.iter().find(|(column, ..)| column == name)?;
        array.is_valid(row).then(|| shown.value(row).to_string())
    }

    fn by(&self, name: &str) -> HashMap<String, Vec<usize>> {
        let mut by: HashMap<String, Vec<usize>> = HashMap::new();
        for row in 0..self.rows {
            if let Some(text) = self.text(row, name) {
                by.entry(text).or_default().push(row);
            }
        }
        by
    }

    fn row(&self, row: usize) -> Row {
        let known = self.columns.iter().filter(|(_, array, _)| array.is_valid(row));
        known.map(|(name, _, shown)| (name.clone(), shown.value(row).to_string().into())).collect()
    }
}

/// The lines of a claim, under new ids, on the days of the claim: each day begins with the first again.
fn lines_of(mode: Mode, number: usize, claim: &Claim, last: i32) -> Vec<Row> {
    let (first, days) = begins(mode, last);
    (0..mode.lines())
        .map(|at| {
            let on = first + i32::try_from(at % days).unwrap_or(0);
            let minute = at / days;
            let mut line = claim.lines[minute % claim.lines.len()].clone();
            line.insert("feedetl_sn".to_owned(), format!("L{number}-{at}").into());
            line.insert("mdtrt_id".to_owned(), format!("LOAD{number}").into());
            let time = format!("{} {:02}:{:02}:00", day::text(on), 9 + minute / 60, minute % 60);
            line.insert("fee_ocur_time".to_owned(), time.into());
            line
        })
        .collect()
}

/// First day of a claim, and how many.
fn begins(mode: Mode, last: i32) -> (i32, usize) {
    match mode {
        Mode::Outpatient => (last, 1),
        Mode::Stay => (last - 9, 10),
    }
}

fn request(args: &Args, mode: Mode, number: usize, claim: &Claim, last: i32) -> Vec<u8> {
    let lines = lines_of(mode, number, claim, last);
    let mut visit = claim.visit.clone();
    let (first, _) = begins(mode, last);
    for (name, value) in [
        ("mdtrt_id", format!("LOAD{number}")),
        ("begntime", format!("{} 08:30:00", day::text(first))),
        ("endtime", format!("{} 16:30:00", day::text(last))),
    ] {
        visit.insert(name.to_owned(), value.into());
    }
    let body = match args.form {
        Form::Own => own(number, &visit, claim, &lines, last),
        Form::National => national(mode, &visit, claim, &lines),
    };
    let body = body.to_string();
    let path = if args.form == Form::Own { "/api/v1/review" } else { "/api/v1/3102" };
    let key = args.key.as_ref().map_or_else(String::new, |key| format!("Authorization: Bearer {key}\r\n"));
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{key}\r\n",
        args.to,
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

fn own(number: usize, visit: &Row, claim: &Claim, lines: &[Row], last: i32) -> Value {
    let cents: i64 = lines.iter().map(|line| cents(text(line, "det_item_fee_sumamt"))).sum();
    let mut settlement = Row::new();
    for name in ["mdtrt_id", "psn_no", "fixmedins_code", "insutype", "med_type", "insu_admdvs", "hosp_lv"] {
        if let Some(value) = visit.get(name) {
            settlement.insert(name.to_owned(), value.clone());
        }
    }
    settlement.insert("setl_id".to_owned(), format!("LOADS{number}").into());
    settlement.insert("setl_time".to_owned(), format!("{} 17:00:00", day::text(last)).into());
    settlement.insert("medfee_sumamt".to_owned(), format!("{}.{:02}", cents / 100, cents % 100).into());
    json!({
        "stage": "during",
        "claims": [{ "settlement": settlement, "encounter": visit, "diagnoses": of_claim(&claim.diagnoses), "lines": lines }],
    })
}

/// The rows of another encounter, without its id.
fn of_claim(rows: &[Row]) -> Vec<Row> {
    let without = |row: &Row| {
        let mut row = row.clone();
        row.shift_remove("mdtrt_id");
        row
    };
    rows.iter().map(without).collect()
}

fn national(mode: Mode, visit: &Row, claim: &Claim, lines: &[Row]) -> Value {
    let mut encounter = visit.clone();
    encounter.insert("fsi_diagnose_dtos".to_owned(), of_claim(&claim.diagnoses).into());
    encounter.insert("fsi_order_dtos".to_owned(), lines.to_vec().into());
    json!({
        "infno": "3102",
        "fixmedins_code": visit.get("fixmedins_code"),
        "input": { "data": {
            "syscode": "LOAD",
            "trig_scen": if mode == Mode::Stay { "8" } else { "6" },
            "patient_dtos": [{
                "psn_no": visit.get("psn_no"),
                "gend": visit.get("gend"),
                "brdy": visit.get("brdy"),
                "curr_mdtrt_id": visit.get("mdtrt_id"),
                "fsi_encounter_dtos": [encounter],
            }],
        } },
    })
}

/// `12.50` as 1250.
fn cents(yuan: &str) -> i64 {
    let (whole, rest) = yuan.split_once('.').unwrap_or((yuan, "0"));
    let rest: String = rest.chars().chain("00".chars()).take(2).collect();
    whole.parse::<i64>().unwrap_or(0) * 100 + rest.parse::<i64>().unwrap_or(0)
}

// ── the run ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/// What became of the requests of one thread.
#[derive(Default)]
struct Told {
    micros: Vec<u32>,
    statuses: BTreeMap<u16, u64>,
    /// Connections that broke, answers that did not come.
    broken: u64,
    /// National answers with `infcode` -1.
    refused: u64,
    incomplete: u64,
    with_findings: u64,
    bytes: u64,
}

/// A run with so many connections.
struct Run {
    mode: Mode,
    form: Form,
    connections: usize,
    seconds: f64,
    told: Told,
    memory: Vec<Memory>,
}

fn drive(args: &Args, mode: Mode, connections: usize, requests: &[Vec<u8>]) -> Fallible<Run> {
    let mut first = Connection::open(args.to).map_err(|e| format!("no service answers at {}: {e}", args.to))?;
    let (status, body) = first.ask(&requests[0])?;
    if status != 200 || body.contains("\"infcode\":\"-1\"") {
        return Err(format!("the service does not answer such a claim: status {status}: {body}").into());
    }
    drop(first);
    let (next, done, warm) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let memory = Mutex::new(Vec::new());
    let (before, after) = (Barrier::new(connections + 1), Barrier::new(connections + 1));
    let look = |count: usize| {
        if let Some(found) = args.watch.and_then(|pid| Memory::of(pid, count))
            && let Ok(mut memory) = memory.lock()
        {
            memory.push(found);
        }
    };
    let tenth = (args.requests / 10).max(1);
    let (told, seconds) = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                let (next, done, warm, before, after, look) = (&next, &done, &warm, &before, &after, &look);
                scope.spawn(move || {
                    let mut line = Line::to(args.to);
                    let mut told = Told::default();
                    // Warm with the last ones, so that the first of the run are new to the service.
                    while let Some(at) = below(warm, args.warm_up) {
                        line.ask(&requests[requests.len() - 1 - at % requests.len()], &mut Told::default());
                    }
                    before.wait();
                    while let Some(at) = below(next, args.requests) {
                        line.ask(&requests[at % requests.len()], &mut told);
                        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
                        if count % tenth == 0 {
                            look(count);
                        }
                    }
                    after.wait();
                    told
                })
            })
            .collect();
        before.wait();
        look(0);
        let watch = Stopwatch::start();
        after.wait();
        let seconds = watch.elapsed().as_secs_f64();
        let told: Vec<Told> = threads.into_iter().filter_map(|thread| thread.join().ok()).collect();
        (told, seconds)
    });
    if told.len() < connections {
        return Err("a thread of the load tool panicked".into());
    }
    let mut told = told.into_iter().fold(Told::default(), Told::and);
    told.micros.sort_unstable();
    let mut memory = memory.into_inner().unwrap_or_default();
    memory.sort_by_key(|found| found.requests);
    Ok(Run { mode, form: args.form, connections, seconds, told, memory })
}

/// The next number, while there is one.
fn below(next: &AtomicUsize, end: usize) -> Option<usize> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    (at < end).then_some(at)
}

impl Told {
    fn and(mut self, other: Told) -> Told {
        self.micros.extend(other.micros);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.broken += other.broken;
        self.refused += other.refused;
        self.incomplete += other.incomplete;
        self.with_findings += other.with_findings;
        self.bytes += other.bytes;
        self
    }
}

/// Asks over a connection that is made anew when it breaks.
struct Line {
    to: SocketAddr,
    connection: Option<Connection>,
}

impl Line {
    fn to(to: SocketAddr) -> Line {
        Line { to, connection: Connection::open(to).ok() }
    }

    fn ask(&mut self, request: &[u8], told: &mut Told) {
        if self.connection.is_none() {
            self.connection = Connection::open(self.to).ok();
        }
        let Some(connection) = &mut self.connection else {
            told.broken += 1;
            return;
        };
        let watch = Stopwatch::start();
        let seen = connection.ask(request).map(|(status, body)| (watch.elapsed(), status, Seen::of(body)));
        let Ok((took, status, seen)) = seen else {
            told.broken += 1;
            self.connection = None;
            return;
        };
        told.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        *told.statuses.entry(status).or_default() += 1;
        told.bytes += seen.bytes;
        told.refused += u64::from(seen.refused);
        told.incomplete += u64::from(seen.incomplete);
        told.with_findings += u64::from(seen.with_findings);
    }
}

/// What is looked at of an answer, after its time has been taken.
struct Seen {
    bytes: u64,
    refused: bool,
    incomplete: bool,
    with_findings: bool,
}

impl Seen {
    fn of(body: &str) -> Seen {
        let has = |what: &str| body.contains(what);
        Seen {
            bytes: body.len() as u64,
            refused: has("\"infcode\":\"-1\"") || has("\"infcode\":-1"),
            incomplete: has("\"complete\":false") || has("条规则没有运行"),
            with_findings: has("\"finding_id\":\"") || has("\"jr_id\":\""),
        }
    }
}

/// A kept connection and what has been read of it.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    fn open(to: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream, read: vec![0; 64 << 10] })
    }

    /// Status and body of the answer.
    fn ask(&mut self, request: &[u8]) -> io::Result<(u16, &str)> {
        self.stream.write_all(request)?;
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut filled = 0;
        let (status, from, until) = loop {
            if filled == self.read.len() {
                self.read.resize(filled * 2, 0);
            }
            let count = self.stream.read(&mut self.read[filled..])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += count;
            let Some(end) = self.read[..filled].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.read[..end]).map_err(|_| bad("the head is no text"))?;
            let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(|| bad("no status"))?;
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let length = length.ok_or_else(|| bad("no content-length"))?;
            break (status, end + 4, end + 4 + length);
        };
        if self.read.len() < until {
            self.read.resize(until, 0);
        }
        self.stream.read_exact(&mut self.read[filled.min(until)..until])?;
        let body = std::str::from_utf8(&self.read[from..until]).map_err(|_| bad("the body is no text"))?;
        Ok((status, body))
    }
}

/// Memory of a process after so many requests, in KiB.
#[derive(Debug, Clone, Copy)]
struct Memory {
    requests: usize,
    resident: u64,
    /// Without files that are mapped.
    anonymous: u64,
    peak: u64,
}

impl Memory {
    fn of(pid: u32, requests: usize) -> Option<Memory> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
        };
        Some(Memory { requests, resident: kib("VmRSS")?, anonymous: kib("RssAnon")?, peak: kib("VmHWM")? })
    }
}

// ── what is told ────────────────────────────────────────────────────────────────────────────────────────────────────

/// A count as a number with a point.
fn real(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

impl Run {
    /// Milliseconds within which so many of a thousand answers came.
    fn within(&self, of_thousand: usize) -> f64 {
        let all = &self.told.micros;
        let at = (all.len() * of_thousand).div_ceil(1000).clamp(1, all.len().max(1)) - 1;
        all.get(at).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }

    fn per_second(&self) -> f64 {
        real(self.told.micros.len() as u64) / self.seconds.max(1e-9)
    }

    fn errors(&self) -> u64 {
        let others: u64 = self.told.statuses.iter().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum();
        self.told.broken + others + self.told.refused
    }

    fn json(&self) -> Value {
        let told = &self.told;
        let memory = self.memory.iter().map(|m| {
            json!({ "requests": m.requests, "resident_kib": m.resident, "anonymous_kib": m.anonymous, "peak_kib": m.peak })
        });
        json!({
            "mode": self.mode.name(),
            "form": if self.form == Form::Own { "own" } else { "national" },
            "lines": self.mode.lines(),
            "connections": self.connections,
            "requests": told.micros.len(),
            "seconds": self.seconds,
            "per_second": self.per_second(),
            "p50_ms": self.within(500),
            "p90_ms": self.within(900),
            "p99_ms": self.within(990),
            "max_ms": self.within(1000),
            "errors": self.errors(),
            "broken": told.broken,
            "refused": told.refused,
            "statuses": told.statuses.iter().map(|(status, count)| (status.to_string(), json!(count))).collect::<Row>(),
            "incomplete": told.incomplete,
            "with_findings": told.with_findings,
            "answer_bytes": told.bytes,
            "memory": memory.collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> String {
        let told = &self.told;
        let mut text = format!(
            "{}, {} lines, {} connection(s): {} answers in {:.2} s, {:.0} a second\n  p50 {:.2} ms, p90 {:.2}, p99 {:.2}, max {:.2}\n  errors {}, incomplete {}, with findings {}",
            self.mode.name(),
            self.mode.lines(),
            self.connections,
            told.micros.len(),
            self.seconds,
            self.per_second(),
            self.within(500),
            self.within(900),
            self.within(990),
            self.within(1000),
            self.errors(),
            told.incomplete,
            told.with_findings,
        );
        for memory in &self.memory {
            text += &format!(
                "\n  after {:>7} requests: {:.1} MB resident, {:.1} MB of it anonymous",
                memory.requests,
                real(memory.resident) / 1024.0,
                real(memory.anonymous) / 1024.0
            );
        }
        text
    }
}
