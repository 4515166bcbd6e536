//! The service: hospitals' systems ask while a doctor writes, and have their answer before he looks up.
//!
//! ```text
//!  request ─ key, rate ─ body ─ queue ─┬─ review threads ─ read · whose · review · answer ─ response
//!  routes     keys                crew │    answer            With(history, what the message tells)
//!                                      │    remembered: the same task, the same bytes
//!  files change ─ live ─ new Rules ────┤    feedback: kept before it is acknowledged
//!  a moment comes ─ nights ─ new past ─┘
//! ```
//! Goes in: [`Options`], a past of persons, somebody who keeps feedback. Comes out: a [`Service`] that answers
//! `POST /api/v1/review` (our own JSON), the national messages under `/api/v1/3101`, `/3102`, `/3103` and `/national`, and
//! `GET /openapi.json`, `/healthz` and `/metrics`. Deliberately unknown here: how a review is made, what messages hold, signals, flags.
//!
//! What holds whatever is sent: a message is answered or told what is wrong with it, within its time, and what did not fit
//! into the time is named; memory, threads, connections and queues have an end; nobody learns of a patient who is not his; no
//! person and no body is in a log; an acknowledged feedback is on disk; changed rules, and the past after a night, are taken
//! in without a request lost.
//!
//! To add an address: `routes`. To add files that are watched: a `Watched` in [`Service::start`]. To add a bound: a field of
//! [`Bounds`] and the place that holds it.

mod answer;
mod crew;
pub mod feedback;
mod figures;
pub mod keys;
mod listen;
mod live;
pub mod nights;
pub mod openapi;
mod remembered;
mod routes;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::clock::Stopwatch;
use crate::messages::Limits;
use crate::operations::review::{History, Reviewer, Setup};
use crate::operations::{Error, library};
use answer::Rules;
use crew::Crew;
use feedback::Feedbacks;
use figures::Figures;
use keys::Keys;
use live::{Renewed, Watched};
use nights::{Nightly, Nights, Watchman};
use remembered::Remembered;

/// How the service is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port 0: any that is free.
    pub listen: SocketAddr,
    /// Rules, knowledge, decisions, exemptions, region.
    pub setup: Setup,
    /// A file of institutions; none: no key is asked for, and only this machine is answered.
    pub keys: Option<PathBuf>,
    /// Certificate chain and key, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Somebody in front has TLS.
    pub behind_proxy: bool,
    /// Time of a request from its whole body to the last rule that may begin.
    pub budget: Duration,
    /// Threads that review; none: as many as processors.
    pub threads: Option<usize>,
    /// Nights, where the service does them.
    pub nights: Option<Nightly>,
    /// How much of a message is read.
    pub limits: Limits,
    pub bounds: Bounds,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 8640)),
            setup: Setup::default(),
            keys: None,
            tls: None,
            behind_proxy: false,
            budget: Duration::from_millis(800),
            threads: None,
            nights: None,
            limits: Limits::default(),
            bounds: Bounds::default(),
        }
    }
}

/// What has an end.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Open connections.
    pub connections: usize,
    /// Requests that wait for a thread.
    pub queue: usize,
    /// KiB of all bodies that are here.
    pub bodies_kib: usize,
    /// From a connection or the last answer on it to the head of the next request; of a handshake.
    pub header_time: Duration,
    /// From the head of a request to the end of its body.
    pub body_time: Duration,
    /// For which a client may take nothing of its answer.
    pub write_time: Duration,
    /// Answers that are remembered, and their bytes.
    pub remembered: (usize, usize),
    /// Between two looks at the files, and at the clock for the next night.
    pub look_every: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            connections: 1_024,
            queue: 256,
            bodies_kib: 256 << 10,
            header_time: Duration::from_secs(30),
            body_time: Duration::from_secs(10),
            write_time: Duration::from_secs(30),
            remembered: (4_096, 64 << 20),
            look_every: Duration::from_secs(2),
        }
    }
}

/// What requests share.
struct State {
    rules: Arc<Watched<Rules>>,
    keys: Option<Arc<Watched<Keys>>>,
    certificate: Option<Arc<Watched<()>>>,
    history: ArcSwap<Arc<dyn History>>,
    nights: Option<Arc<Nights>>,
    feedback: Option<Arc<dyn Feedbacks>>,
    remembered: Remembered,
    figures: Arc<Figures>,
    crew: Crew,
    /// Of bodies, KiB.
    room: Arc<Semaphore>,
    limits: Limits,
    bounds: Bounds,
    budget: Duration,
    /// Of the numbers of requests.
    region: String,
    numbers: AtomicU64,
    since: Stopwatch,
}

/// A service that runs until it is stopped.
pub struct Service {
    address: SocketAddr,
    state: Arc<State>,
    handle: Handle<SocketAddr>,
    server: JoinHandle<std::io::Result<()>>,
    look: Mutex<Sender<()>>,
    watchman: Option<Watchman>,
    runtime: Runtime,
}

impl Service {
    /// Loads everything and begins to answer.
    ///
    /// # Errors
    /// Mistakes in rules, keys or certificate; an address that cannot be listened on, or must not.
    pub fn start(
        options: Options,
        history: Arc<dyn History>,
        feedback: Option<Arc<dyn Feedbacks>>,
    ) -> Result<Service, Error> {
        listen::check(&options)?;
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let system = |source| Error::Disk { doing: "start the threads of the service".to_owned(), source };
        let runtime = Builder::new_multi_thread()
            .worker_threads(processors.min(2))
            .max_blocking_threads(64)
            .thread_name("serve")
            .enable_all()
            .build()
            .map_err(system)?;
        let rules = Arc::new(watched_rules(&options.setup)?);
        let keys = options.keys.map(watched_keys).transpose()?.map(Arc::new);
        let (tls, certificate) = options.tls.map(watched_tls).transpose()?.unzip();
        let certificate = certificate.map(Arc::new);
        // Last of what can go wrong: who connects is answered.
        let listener = runtime.block_on(async { listen::bind(options.listen) })?;
        let address = listener.local_addr().map_err(system)?;
        let mut watched: Vec<Arc<dyn Renewed>> = vec![Arc::clone(&rules) as _];
        watched.extend(keys.clone().map(|keys| keys as Arc<dyn Renewed>));
        watched.extend(certificate.clone().map(|certificate| certificate as Arc<dyn Renewed>));
        let nights = options.nights.map(|nightly| Arc::new(Nights::new(nightly)));
        let figures = Arc::new(Figures::new(nights.is_some()));
        let bounds = options.bounds;
        let state = Arc::new(State {
            rules,
            keys,
            certificate,
            history: ArcSwap::from_pointee(history),
            nights: nights.clone(),
            feedback,
            remembered: Remembered::new(bounds.remembered.0, bounds.remembered.1),
            figures: Arc::clone(&figures),
            crew: Crew::new(options.threads.unwrap_or(processors), bounds.queue).map_err(system)?,
            room: Arc::new(Semaphore::new(bounds.bodies_kib.min(Semaphore::MAX_PERMITS))),
            limits: options.limits,
            budget: options.budget,
            region: options.setup.region.unwrap_or_else(|| "000000".to_owned()),
            numbers: AtomicU64::new(1),
            since: Stopwatch::start(),
            bounds: bounds.clone(),
        });
        let (look, told) = channel();
        let watching = Arc::clone(&figures);
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || live::watch(&watched, bounds.look_every, &told, &watching))
            .map_err(system)?;
        let start = |nights| Watchman::start(nights, Arc::clone(&state), bounds.look_every);
        let watchman = nights.map(start).transpose().map_err(system)?;
        let handle = Handle::new();
        let router = routes::router(Arc::clone(&state));
        let server = runtime.spawn(listen::serve(listener, tls, router, handle.clone(), &state.bounds, figures));
        Ok(Service { address, state, handle, server, look: Mutex::new(look), watchman, runtime })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The rules that it asks before payment, in number.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.state.rules.now().reviewer.library().plans.len()
    }

    /// Has rules, keys and certificate loaded anew at once.
    pub fn reload(&self) {
        if let Ok(look) = self.look.lock() {
            // The watching thread lives as long as this sender.
            let _ = look.send(());
        }
    }

    /// Has reviews see another past from now on; those that have begun end with what they began with.
    pub fn renew(&self, history: Arc<dyn History>) {
        self.state.history.store(Arc::new(history));
    }

    /// Waits for something, in the runtime of the service.
    pub fn wait<T>(&self, until: impl Future<Output = T>) -> T {
        self.runtime.block_on(until)
    }

    /// Takes no more connections, ends what is in flight, so long at most, and stops. Comes back: whether all was ended.
    #[must_use]
    pub fn stop(self, most: Duration) -> bool {
        let since = Stopwatch::start();
        if let Some(watchman) = &self.watchman {
            watchman.tell_to_stop();
        }
        self.handle.graceful_shutdown(Some(most));
        let grace = Duration::from_secs(1);
        let server = self.server;
        let served = self.runtime.block_on(async { tokio::time::timeout(most + grace, server).await });
        let all = since.elapsed() < most && matches!(served, Ok(Ok(Ok(()))));
        let left = || most.saturating_sub(since.elapsed()).max(grace);
        let done = self.state.crew.stop(left());
        if self.watchman.as_ref().is_some_and(|watchman| !watchman.wait(left())) {
            tracing::warn!("the night has not stopped yet; the next start goes on with it");
        }
        self.runtime.shutdown_timeout(grace);
        all && done
    }
}

fn watched_rules(setup: &Setup) -> Result<Watched<Rules>, Error> {
    let files = [&setup.rules, &setup.knowledge, &setup.decisions, &setup.exemptions];
    let files = files.into_iter().flatten().cloned().collect();
    let setup = setup.clone();
    let load = move |_: Option<&Rules>| {
        let reviewer = Reviewer::new(&setup)?;
        let codes = library::dictionaries(setup.rules.as_deref(), &reviewer.library().set)?;
        Ok(Rules { reviewer, codes })
    };
    Watched::new("rules", files, Box::new(load))
}

fn watched_keys(file: PathBuf) -> Result<Watched<Keys>, Error> {
    let path = file.clone();
    Watched::new("keys", vec![file], Box::new(move |before: Option<&Keys>| Keys::load(&path, before)))
}

/// The configuration that connections are made with, and the files that change it.
fn watched_tls((certificate, key): (PathBuf, PathBuf)) -> Result<(RustlsConfig, Watched<()>), Error> {
    let config = RustlsConfig::from_config(Arc::new(listen::tls(&certificate, &key)?));
    let files = vec![certificate.clone(), key.clone()];
    let used = config.clone();
    let load = move |_: Option<&()>| {
        used.reload_from_config(Arc::new(listen::tls(&certificate, &key)?));
        Ok(())
    };
    Ok((config, Watched::new("certificate", files, Box::new(load))?))
}
