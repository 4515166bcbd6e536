//! The nights of a service: a thread that waits for the next one, does it, and has reviews see what came in.
//!
//! Goes in: a schedule, what a night needs, a clock. Comes out: nights, done while the service answers; what became of the last
//! one and when the next is due, for `/healthz` and `/metrics`. A night that was missed is made up for when the service starts,
//! one that was cut short is gone on with; a night that fails is told in the log, and the next one comes all the same. The log
//! names no person. Deliberately unknown here: how a night is done, how moments are reckoned (`operations::scan`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Zoned;
use serde_json::{Value, json};

use super::State;
use super::live::in_a_line;
use crate::clock::{self, Stopwatch};
use crate::ingest::Dataset;
use crate::operations::Error;
use crate::operations::review::History;
use crate::operations::review::history::OfDataset;
use crate::operations::scan::schedule::{Before, Due, Schedule, moment};
use crate::operations::scan::{self, Asking, Last};
use crate::progress::Progress;
use crate::store::{self, ScanState};

/// When nights are done, and how.
#[derive(Debug, Clone)]
pub struct Nightly {
    pub schedule: Schedule,
    pub scan: scan::Options,
    /// The URL of the store: each night opens it for itself.
    pub store: String,
    /// `machine/process`.
    pub owner: String,
    /// The clock.
    pub now: fn() -> Zoned,
}

/// What reviews see of a dataset as it is now.
///
/// # Errors
/// It cannot be read.
pub fn history_of(dataset: &Path) -> Result<Arc<dyn History>, Error> {
    Ok(Arc::new(OfDataset::new(Dataset::open_for_persons(dataset)?)?))
}

/// The nights, as requests see them.
pub(super) struct Nights {
    nightly: Nightly,
    stopped: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    running: bool,
    next: Option<Zoned>,
    last: Option<Ended>,
}

/// How a night ended.
#[derive(Debug, Clone)]
struct Ended {
    scan_id: Option<String>,
    how: How,
    started_at: String,
    seconds: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Finished,
    Failed,
    /// Somebody else was at work.
    Held,
    CutShort,
}

impl How {
    fn name(self) -> &'static str {
        match self {
            How::Finished => "finished",
            How::Failed => "failed",
            How::Held => "held",
            How::CutShort => "cut_short",
        }
    }
}

/// A thread with its nights. Dropped, it is told to stop.
pub(super) struct Watchman {
    nights: Arc<Nights>,
    thread: JoinHandle<()>,
}

impl Watchman {
    /// Starts the thread; it looks at the clock every so often.
    pub(super) fn start(nights: Arc<Nights>, state: Arc<State>, every: Duration) -> std::io::Result<Watchman> {
        let mine = Arc::clone(&nights);
        let thread = std::thread::Builder::new().name("nights".to_owned()).spawn(move || mine.watch(&state, every))?;
        Ok(Watchman { nights, thread })
    }

    /// Tells a night that is at work to stop.
    pub(super) fn tell_to_stop(&self) {
        self.nights.stopped.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
    }

    /// Waits for it, so long at most. Comes back: whether it has stopped.
    pub(super) fn wait(&self, most: Duration) -> bool {
        let since = Stopwatch::start();
        while !self.thread.is_finished() {
            if since.elapsed() >= most {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Watchman {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

impl Nights {
    pub(super) fn new(nightly: Nightly) -> Nights {
        Nights { nightly, stopped: AtomicBool::new(false), told: Mutex::default() }
    }

    /// As `/healthz` tells it.
    pub(super) fn health(&self) -> Value {
        let told = self.told();
        let last = told.last.as_ref().map(|ended| {
            json!({
                "scan_id": ended.scan_id,
                "state": ended.how.name(),
                "started_at": ended.started_at,
                "seconds": ended.seconds,
            })
        });
        json!({
            "schedule": self.nightly.schedule.to_string(),
            "state": if told.running { "running" } else { "waiting" },
            "next": told.next.as_ref().map(clock::text),
            "last": last,
        })
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Nothing in here panics while it holds the lock.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Zoned {
        (self.nightly.now)()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Waits for nights and does them, until it is told to stop.
    fn watch(&self, state: &State, every: Duration) {
        let mut before = self.begin(state);
        while !self.is_stopped() {
            let now = self.now();
            match self.nightly.schedule.due(&before, &now) {
                Due::Now => before = self.night(&now, state),
                Due::At(next) => {
                    self.wait_for(next.as_ref(), state, every);
                    // Nothing was due until the waiting began, and perhaps it was done by hand meanwhile.
                    let moved_on = self.now();
                    let began = self.began_last(&moved_on).max(Some(now)).filter(|began| *began <= moved_on);
                    before = Before { began: began.unwrap_or(moved_on), cut_short: false };
                }
            }
        }
    }

    /// What is known when the service starts. Nothing is missed where nothing was ever done.
    fn begin(&self, state: &State) -> Before {
        let now = self.now();
        let last = match self.last() {
            Ok(last) => last,
            Err(error) => {
                tracing::error!(%error, "it cannot be told whether a night was missed");
                return Before { began: now, cut_short: false };
            }
        };
        let began = last.scan.as_ref().and_then(|scan| moment(&scan.started_at, &now)).filter(|began| *began <= now);
        if let Some(scan) = last.scan {
            let how = match scan.state {
                ScanState::Finished => How::Finished,
                ScanState::Failed => How::Failed,
                ScanState::Running | ScanState::Merged => How::CutShort,
            };
            let ended = scan.ended_at.as_deref().and_then(|at| moment(at, &now)).filter(|_| how == How::Finished);
            state.figures.night_known(how == How::Finished, ended.map(|at| at.timestamp().as_second()));
            self.told().last =
                Some(Ended { scan_id: Some(scan.scan_id), how, started_at: scan.started_at, seconds: None });
        }
        Before { began: began.unwrap_or(now), cut_short: last.is_open }
    }

    /// The last night, as the store has it.
    fn last(&self) -> Result<Last, Error> {
        scan::last(store::open(&self.nightly.store)?.as_ref())
    }

    /// When the last night began, as the store has it; not what lies ahead of this clock.
    fn began_last(&self, now: &Zoned) -> Option<Zoned> {
        let scan = self.last().ok()?.scan?;
        moment(&scan.started_at, now).filter(|began| began <= now)
    }

    /// Waits for a moment. The clock is looked at again and again: a machine may sleep, and a clock be set.
    fn wait_for(&self, next: Option<&Zoned>, state: &State, every: Duration) {
        tracing::info!(next = next.map(clock::text), "the next night");
        state.figures.night_next(next.map(|next| next.timestamp().as_second()));
        self.told().next = next.cloned();
        while !self.is_stopped() && next.is_none_or(|next| self.now() < *next) {
            std::thread::park_timeout(every);
        }
    }

    /// Does a night. Comes back: what is known after it.
    fn night(&self, now: &Zoned, state: &State) -> Before {
        tracing::info!("the night begins");
        let mut told = self.told();
        (told.running, told.next) = (true, None);
        drop(told);
        state.figures.night_begins();
        let watch = Stopwatch::start();
        let done = catch_unwind(AssertUnwindSafe(|| self.scanned(now)));
        let seconds = watch.elapsed().as_secs_f64();
        let how = self.log(&done);
        // What a night took in is there, also where it did not come to its end.
        let dataset = &self.nightly.scan.dataset;
        match dataset.join("dataset.json").exists().then(|| history_of(dataset)).transpose() {
            Ok(history) => history.into_iter().for_each(|history| state.history.store(Arc::new(history))),
            Err(error) => {
                tracing::error!(error = in_a_line(&error), "reviews go on with the past as it was before the night");
            }
        }
        let ended = self.now();
        state.figures.night_ended(how.name(), how == How::Finished, ended.timestamp().as_second(), seconds);
        let done = done.ok().and_then(Result::ok);
        // The scan that was worked on: of one that did not come to its end the store knows.
        let scan = self.last().ok().and_then(|last| last.scan).filter(|scan| match &done {
            Some(done) => scan.scan_id == done.scan_id,
            None => how != How::Held && scan.state != ScanState::Finished,
        });
        let (scan_id, started_at) =
            scan.map_or_else(|| (None, clock::text(now)), |scan| (Some(scan.scan_id), scan.started_at));
        // One that was gone on with is an earlier night: that of today may still be due.
        let earlier = done.filter(|done| done.resumed).and_then(|_| moment(&started_at, now));
        let began = earlier.filter(|began| began <= now).unwrap_or_else(|| now.clone());
        let mut told = self.told();
        told.running = false;
        told.last = Some(Ended { scan_id, how, started_at, seconds: Some(seconds) });
        Before { began, cut_short: false }
    }

    /// The work of a night, on threads of its own: those that review are left alone.
    fn scanned(&self, now: &Zoned) -> Result<scan::Done, Error> {
        let threads = self.nightly.scan.threads.unwrap_or(1).max(1);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("night-{number}"))
            .build()
            .map_err(|e| Error::Engine(format!("cannot start the threads of the night: {e}")))?;
        let store = store::open(&self.nightly.store)?;
        let text = || clock::text(&self.now());
        let asking = Asking { owner: &self.nightly.owner, now: &text, seconds: now.timestamp().as_second() };
        pool.install(|| scan::night(&self.nightly.scan, store.as_ref(), asking, self))
    }

    fn log(&self, done: &std::thread::Result<Result<scan::Done, Error>>) -> How {
        match done {
            Ok(Ok(done)) => {
                let merged = &done.merged;
                tracing::info!(
                    scan = done.scan_id,
                    resumed = done.resumed,
                    new = merged.new,
                    no_longer_found = merged.no_longer_found,
                    assented = done.assent.findings,
                    set_aside = done.aside.len(),
                    "the night is done"
                );
                How::Finished
            }
            Ok(Err(Error::Stopped)) if self.is_stopped() => {
                tracing::info!("the night is cut short; the next start goes on with it");
                How::CutShort
            }
            Ok(Err(Error::Stopped)) => {
                tracing::warn!("the night is cut short: its lease went to another scan");
                How::CutShort
            }
            Ok(Err(error)) if error.is_busy() => {
                tracing::warn!(error = in_a_line(error), "no night: somebody else is at work");
                How::Held
            }
            Ok(Err(error)) => {
                tracing::error!(error = in_a_line(error), "the night failed; the service goes on");
                How::Failed
            }
            // The hook has told where.
            Err(_) => How::Failed,
        }
    }
}

impl Progress for Nights {
    fn begin(&self, stage: &str, _total: u64) {
        tracing::debug!(stage, "the night");
    }

    fn advance(&self, _units: u64) {}

    fn end(&self) {}

    fn stopped(&self) -> bool {
        self.is_stopped()
    }
}
