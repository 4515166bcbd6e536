//! `fundaudit serve …`: pending claims are reviewed over HTTP, and nights are done where there is a schedule; and `fundaudit
//! serve key new`, an institution's key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::review::SetupArgs;
use super::scan::{NightArgs, owner};
use super::signals::{Ears, Told, hear_hangups, second_ends};
use super::{Face, Outcome, Printed};
use crate::clock;
use crate::operations::review::{History, Nothing};
use crate::operations::scan::schedule::Schedule;
use crate::operations::{Error, scan};
use crate::report::Lang;
use crate::serve::feedback::{Feedbacks, Journal};
use crate::serve::nights::{Nightly, history_of};
use crate::serve::{Options, Service, keys};
use crate::store;

/// For requests in flight when the service is stopped.
const LAST_WORDS: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ServeArgs {
    #[command(subcommand)]
    command: Option<ServeCommand>,
    #[command(flatten)]
    service: ServiceArgs,
}

#[derive(Debug, Subcommand)]
enum ServeCommand {
    /// Keys of institutions
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key for an institution: the key, shown once, and its entry for the file of `--keys`
    New {
        /// The institution's code, such as H37030000127
        #[arg(long, value_name = "CODE")]
        fixmedins: String,
        /// Its name, for who reads the file
        #[arg(long, default_value = "", value_name = "NAME")]
        name: String,
        /// Requests a second
        #[arg(long, default_value_t = 50)]
        rate: u32,
        /// Requests at once
        #[arg(long, default_value_t = 100)]
        burst: u32,
    },
}

#[derive(Debug, Args)]
struct ServiceArgs {
    /// A dataset with the past of persons; without it claims are reviewed by themselves
    #[arg(long, value_name = "DIR")]
    dataset: Option<PathBuf>,
    /// Address and port; port 0 is any that is free
    #[arg(long, default_value = "127.0.0.1:8640", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// File of institutions with the hashes of their keys; without it only this machine is answered
    ///
    /// Every entry is `[[institution]]` with `fixmedins_code`, `name`, `key_sha256`, `rate` (requests a second), `burst`,
    /// `may_ask` (codes of others for which it may ask) and `all` (for everybody). `fundaudit serve key new` prints one. Read
    /// anew when it changes.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Certificate chain for TLS, PEM, the server's own first; read anew when it changes
    #[arg(long, requires = "tls_key", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// A proxy in front has TLS, and nobody else reaches this port
    #[arg(long)]
    behind_proxy: bool,
    #[command(flatten)]
    setup: SetupArgs,
    /// Folder in which what doctors did about reminders (3103) is kept; without it 3103 is not acknowledged
    #[arg(long, value_name = "DIR")]
    feedback: Option<PathBuf>,
    /// Time of a request; rules that have not begun by then are named in the answer
    #[arg(long, value_parser = a_time, default_value = "800ms", value_name = "TIME")]
    budget: Duration,
    /// Threads that review; default: all processors
    #[arg(long)]
    threads: Option<usize>,
    /// Do the nightly scan as well, at these times: five fields as cron has them, such as "0 2 * * *"
    ///
    /// Minute, hour, day of the month, month, day of the week, in the local time of this machine. The service goes on
    /// answering meanwhile, and reviews see what the night took in when it is done. A night that was missed is made up for
    /// once, when the service starts; one that was cut short is gone on with. Where clocks are put forward or back, a night
    /// at one fixed time is neither skipped nor done twice.
    #[arg(long, value_name = "CRON", requires_all = ["dataset", "drop", "store", "out"], help_heading = "The nightly scan")]
    schedule: Option<Schedule>,
    /// Threads of the night; default: half of the processors
    #[arg(long, requires = "schedule", value_name = "NUMBER", help_heading = "The nightly scan")]
    scan_threads: Option<usize>,
    #[command(flatten, next_help_heading = "The nightly scan")]
    night: NightArgs,
}

fn a_time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let (digits, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1),
        (None, Some(digits)) => (digits, 1_000),
        (None, None) => (text, 0),
    };
    match digits.trim().parse::<u64>() {
        Ok(0) => Ok(Duration::ZERO),
        Ok(number) if unit > 0 && number <= 3_600_000 / unit => Ok(Duration::from_millis(number * unit)),
        _ => Err("wanted a time such as 800ms or 2s".to_owned()),
    }
}

pub(super) fn run(args: &ServeArgs, face: &Face) -> Result<Outcome, Error> {
    match &args.command {
        Some(ServeCommand::Key(KeyCommand::New { fixmedins, name, rate, burst })) => {
            new_key(fixmedins, name, *rate, *burst, face)
        }
        None => serve(&args.service, face),
    }
}

fn serve(args: &ServiceArgs, face: &Face) -> Result<Outcome, Error> {
    hear_hangups();
    let nights = nightly(args)?;
    let history: Arc<dyn History> = match &args.dataset {
        // The first night makes the dataset.
        Some(folder) if nights.is_none() || is_there(folder) => history_of(folder)?,
        _ => Arc::new(Nothing::default()),
    };
    let options = Options {
        listen: args.listen,
        setup: args.setup.setup(),
        keys: args.keys.clone(),
        tls: args.tls_cert.clone().zip(args.tls_key.clone()),
        behind_proxy: args.behind_proxy,
        budget: args.budget,
        threads: args.threads,
        nights,
        ..Options::default()
    };
    // What a panic says may hold what it panicked over.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic, which is a bug");
    }));
    let service = Service::start(options, history, feedbacks(args)?)?;
    let system = |source| Error::Disk { doing: "listen to signals".to_owned(), source };
    let mut ears = service.wait(async { Ears::open() }).map_err(system)?;
    let stopping = Arc::new(AtomicBool::new(false));
    second_ends(&stopping);
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    face.print(&format!("{scheme}://{}\n", service.address()));
    told_of(args, &service);
    while service.wait(ears.heard()) == Told::Reload {
        tracing::info!("SIGHUP: rules, keys, certificate and the past are read anew");
        service.reload();
        match args.dataset.as_deref().map(history_of).transpose() {
            Ok(history) => history.into_iter().for_each(|history| service.renew(history)),
            Err(error) => tracing::error!(%error, "the past stays as it was"),
        }
    }
    stopping.store(true, Ordering::SeqCst);
    tracing::info!("stopping: no more connections, what is in flight is ended");
    if !service.stop(LAST_WORDS) {
        tracing::warn!("some requests were still in flight after {} seconds", LAST_WORDS.as_secs());
    }
    Ok(Outcome::Clean)
}

fn is_there(dataset: &Path) -> bool {
    dataset.join("dataset.json").exists()
}

/// What a service of no nights is not told.
pub(super) fn wants_schedule(command: clap::Command) -> clap::Command {
    let of_nights = ["drop", "out", "mapping", "webhook", "memory"];
    of_nights.iter().fold(command, |command, name| command.mut_arg(name, |arg| arg.requires("schedule")))
}

/// The nights, where there is a schedule. What is a mistake is told now, not at night; what may be there by then does not keep
/// reviews waiting.
fn nightly(args: &ServiceArgs) -> Result<Option<Nightly>, Error> {
    let night = args.schedule.clone().zip(args.dataset.clone()).zip(args.night.options()).zip(args.night.store());
    let Some((((schedule, dataset), scan), url)) = night else { return Ok(None) };
    match store::open(url) {
        Err(error @ (store::Error::Database { .. } | store::Error::Busy { .. })) => {
            tracing::warn!(%error, "the store cannot be opened now; the night tries again");
        }
        opened => drop(opened?),
    }
    if let Err(error) = scan.drop.read_dir() {
        tracing::warn!(%error, folder = %scan.drop.display(), "the folder of --drop cannot be read now");
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let setup = args.setup.setup();
    let scan = scan::Options {
        dataset,
        rules: setup.rules,
        knowledge: setup.knowledge,
        exemptions: setup.exemptions,
        region: setup.region,
        threads: Some(args.scan_threads.unwrap_or(processors / 2).max(1)),
        ..scan
    };
    Ok(Some(Nightly { schedule, scan, store: url.to_owned(), owner: owner(), now: clock::now }))
}

/// Who keeps feedback.
fn feedbacks(args: &ServiceArgs) -> Result<Option<Arc<dyn Feedbacks>>, Error> {
    let Some(folder) = &args.feedback else { return Ok(None) };
    let disk = |source| Error::Disk { doing: format!("keep feedback in `{}`", folder.display()), source };
    Ok(Some(Arc::new(Journal::open(folder).map_err(disk)?)))
}

fn told_of(args: &ServiceArgs, service: &Service) {
    let rules = service.rules();
    tracing::info!(address = %service.address(), rules, "listening");
    if args.keys.is_none() {
        tracing::warn!("no --keys: only this machine is answered, and whoever asks from it");
    }
    if args.dataset.is_none() {
        tracing::warn!("no --dataset: nothing is known of the past, claims are reviewed by themselves");
    }
    if args.dataset.as_deref().is_some_and(|folder| !is_there(folder)) {
        tracing::warn!("the dataset is not there yet: until the first night claims are reviewed by themselves");
    }
    if args.feedback.is_none() {
        tracing::warn!("no --feedback: 3103 is not acknowledged");
    }
}

fn new_key(code: &str, name: &str, rate: u32, burst: u32, face: &Face) -> Result<Outcome, Error> {
    if !keys::is_code(code) {
        return Err(Error::Usage(format!("`{code}` is no institution's code: wanted such as H37030000127")));
    }
    if rate == 0 || burst == 0 {
        return Err(Error::Usage("a rate or burst of 0 lets nothing through: wanted 1 or more".to_owned()));
    }
    let mut chance = [0; 32];
    getrandom::fill(&mut chance)
        .map_err(|e| Error::Disk { doing: "ask the system for chance".to_owned(), source: e.into() })?;
    let key: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = keys::entry(code, name, &key, rate, burst);
    if face.printed == Printed::Json {
        face.print(&format!("{:#}\n", serde_json::json!({ "key": key, "entry": entry })));
        return Ok(Outcome::Clean);
    }
    let (once, put) = match face.lang {
        Lang::Zh => ("密钥，只显示这一次，交给医院", "加进 --keys 的文件"),
        Lang::En => ("the key, shown this once, for the hospital", "for the file of --keys"),
    };
    face.print(&format!("# {once}\n{key}\n\n# {put}\n{entry}"));
    Ok(Outcome::Clean)
}
