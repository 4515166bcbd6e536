//! The command line: read the flags, call one operation, show the outcome.
//!
//! Goes in: arguments. Comes out: results on stdout, everything else on stderr, and an exit code: 0 ran and found nothing,
//! 1 ran and found violations, 2 could not run, 130 was interrupted. Deliberately unknown here: how anything is done.
//!
//! To add a command: a variant of [`Command`], a function below that calls its operation.

mod bars;
mod case;
mod feedback;
mod findings;
mod knowledge;
mod review;
mod rules;
mod scan;
mod serve;
mod signals;
mod store;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::clock;
use crate::ingest;
use crate::model::day;
use crate::model::sheet::harmless;
use crate::operations::scan::lease;
use crate::operations::{self, audit, generate};
use crate::progress::Progress as _;
use crate::report::{Format, Lang, text};

/// 基金智审: audits the spending of a health-insurance fund.
///
/// Claims go in (settlements, visits, fee lines, as a bureau exports them); hard audit rules run over them; suspected
/// violations come out, with the evidence and the money at stake, for people to inspect.
///
///   fundaudit audit EXPORTS --out findings      the main job
///   fundaudit review PENDING --out decisions    before the money leaves
///   fundaudit serve --dataset HISTORY           the same over HTTP, while the doctor writes
///   fundaudit doctor EXPORTS                    what is in these files, before auditing
///   fundaudit rules explain BIL103              what a rule means and when a charge may be right
///
/// Exit codes: 0 ran and found nothing, 1 ran and found violations, 2 could not run, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "fundaudit", version, verbatim_doc_comment, disable_help_subcommand = true)]
struct Cli {
    /// Language of what is printed; findings themselves are Chinese. Default: from the locale
    #[arg(long, value_enum, global = true)]
    lang: Option<Language>,
    /// Form of printed tables
    #[arg(long, value_enum, global = true, default_value = "text")]
    format: Printed,
    /// Exit 0 even when violations are found
    #[arg(long, global = true)]
    exit_zero: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    Zh,
    En,
}

/// Form of a printed table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Printed {
    Text,
    Json,
    Csv,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Audit exports or a dataset: findings, coverage, quarantine, a page to read
    Audit(AuditArgs),
    /// Decide about pending claims before they are paid: pass, hold or refuse, line by line
    Review(review::ReviewArgs),
    /// Answer hospitals' systems over HTTP: the national messages 3101, 3102, 3103, and our own JSON
    Serve(Box<serve::ServeArgs>),
    /// Read exports into a dataset once, to audit it often; or append more to it
    Ingest(IngestArgs),
    /// The night: take new exports from a drop folder, ask the rules about whom they concern, keep what they find
    Scan(scan::ScanArgs),
    /// Say what is in the files, what maps to what, what would be quarantined; audits nothing
    Doctor(DoctorArgs),
    /// The rule library: list, explain, check, test, and the rule keeper's tools
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Knowledge tables: import the workbooks of the national two libraries
    #[command(subcommand)]
    Knowledge(knowledge::KnowledgeCommand),
    /// What doctors did about reminders, as the service kept it
    #[command(subcommand)]
    Feedback(feedback::FeedbackCommand),
    /// Findings that are kept in a store: list, add up, show, export
    #[command(subcommand)]
    Findings(findings::FindingsCommand),
    /// Work on findings that are kept: review, appeal, decide, recover, close
    #[command(subcommand)]
    Case(case::CaseCommand),
    /// The store of findings: info, backup, verify, restore
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Make a synthetic export with planted violations and the truth about them
    Generate(GenerateArgs),
}

impl Command {
    /// Whether it asks between its chunks if it is still wanted.
    fn can_be_stopped(&self) -> bool {
        match self {
            Command::Audit(_)
            | Command::Review(_)
            | Command::Ingest(_)
            | Command::Scan(_)
            | Command::Generate(_)
            | Command::Knowledge(_) => true,
            Command::Rules(command) => matches!(command, rules::RulesCommand::Diff { .. }),
            Command::Findings(command) => matches!(command, findings::FindingsCommand::Export { .. }),
            // The service has its own way to end.
            Command::Doctor(_) | Command::Store(_) | Command::Case(_) | Command::Feedback(_) | Command::Serve(_) => {
                false
            }
        }
    }
}

#[derive(Debug, Args)]
struct AuditArgs {
    /// A folder of exports, files, or a dataset made by `ingest`
    #[arg(required = true, value_name = "EXPORT")]
    inputs: Vec<PathBuf>,
    /// Folder for the findings
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Rule library to use instead of the one that is built in
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Folder of knowledge tables (`<table>.csv`), each instead of the library's table of that name
    #[arg(long, value_name = "DIR")]
    knowledge: Option<PathBuf>,
    /// Rules to run: codes, families, names; default: all that are trial or stable
    #[arg(long, value_delimiter = ',', value_name = "CODE,FAMILY,name")]
    select: Vec<String>,
    /// Region of rows that have none, for parameters: six digits, such as 370323
    #[arg(long, value_name = "ADMDVS")]
    region: Option<String>,
    /// First day to answer for; earlier claims are still history
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    from: Option<i32>,
    /// Last day to answer for
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    until: Option<i32>,
    /// Facilities to answer for, by code
    #[arg(long, value_delimiter = ',', value_name = "CODE")]
    facility: Vec<String>,
    /// Day to which open stays run; default: the last day in the data
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    as_of: Option<i32>,
    /// Forms in which findings are written
    #[arg(long, default_value = "parquet,csv,xlsx,json", value_name = "LIST")]
    out_format: String,
    /// Threads; default: all processors
    #[arg(long)]
    threads: Option<usize>,
    /// Memory for claims at work, about, such as 4GB: when it is short, fewer threads work at once
    ///
    /// Bounds the units that are audited and the buckets that are sorted at the same time. On top come the findings, which
    /// are held until they are written, a workbook's shared texts while it is read, and some 100 MB.
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    memory: Option<u64>,
    /// Seconds that a rule may take over the whole run, all threads together, before the report names it
    ///
    /// Findings do not depend on it. Default: a rule is named that takes more than 20 % of all rules' time and 5 seconds.
    #[arg(long, value_name = "SECONDS")]
    rule_budget: Option<u64>,
    /// A file that says which column is which, for exports with other names
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Folder of exemptions, `*.toml`: the findings that they cover are kept, marked and counted
    #[arg(long, value_name = "DIR")]
    exemptions: Option<PathBuf>,
    /// Number of buckets of the temporary dataset; the answer does not depend on it
    #[arg(long, hide_short_help = true)]
    buckets: Option<usize>,
    /// Show whole person numbers in the workbook
    #[arg(long)]
    unmask: bool,
}

#[derive(Debug, Args)]
struct IngestArgs {
    /// A folder of exports, or files
    #[arg(required = true, value_name = "EXPORT")]
    inputs: Vec<PathBuf>,
    /// Folder for the dataset
    #[arg(long, value_name = "DIR")]
    dataset: PathBuf,
    /// Append to the dataset: a row whose key it has already is a duplicate or a correction
    #[arg(long)]
    append: bool,
    /// A file that says which column is which
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Number of buckets; default: by the size of the input
    #[arg(long, hide_short_help = true)]
    buckets: Option<usize>,
    /// Threads; default: all processors
    #[arg(long)]
    threads: Option<usize>,
    /// Memory for buckets at work, about, such as 4GB: when it is short, fewer threads work at once
    ///
    /// Bounds the buckets of persons that are sorted at the same time. On top come a workbook's shared texts while it is
    /// read, and some 100 MB.
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    memory: Option<u64>,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    /// A folder of exports, or files
    #[arg(required = true, value_name = "EXPORT")]
    inputs: Vec<PathBuf>,
    /// A file that says which column is which
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Rule library to use instead of the one that is built in
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Folder of knowledge tables (`<table>.csv`), each instead of the library's table of that name
    #[arg(long, value_name = "DIR")]
    knowledge: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct GenerateArgs {
    /// Number of persons; from 500 on every planted violation occurs
    #[arg(long)]
    persons: u32,
    /// Folder for the export
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Decides everything that chance decides
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// First day of the period
    #[arg(long, value_parser = a_day, default_value = "2026-01-01", value_name = "YYYY-MM-DD")]
    from: i32,
    /// Length of the period in months
    #[arg(long, default_value_t = 3)]
    months: u32,
    /// Files: csv, csv-gb18030 or xlsx-flat
    #[arg(long, value_enum, default_value = "csv")]
    form: FormArg,
    /// Another order of the same rows
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// With the dirt of real exports
    #[arg(long)]
    messy: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormArg {
    Csv,
    CsvGb18030,
    XlsxFlat,
}

fn a_day(text: &str) -> Result<i32, String> {
    day::parse(text).ok_or_else(|| "wanted a day such as 2026-03-31".to_owned())
}

fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim().to_ascii_uppercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err("wanted a size such as 4GB or 512MB".to_owned()),
    };
    digits
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(unit))
        .ok_or_else(|| "wanted a size such as 4GB or 512MB".to_owned())
}

/// Rows as CSV, with what a spreadsheet would run disarmed.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|c| harmless(c).into_owned())).expect("rows of one length, into memory");
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// What a command came to.
enum Outcome {
    Clean,
    Found,
}

/// What every command needs to show something.
struct Face {
    lang: Lang,
    printed: Printed,
    progress: bars::Bars,
}

impl Face {
    /// Prints a result; a reader that has gone away is no error.
    #[expect(clippy::unused_self, reason = "the face is where results are shown")]
    fn print(&self, text: &str) {
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
}

/// Runs the program with its arguments.
#[must_use]
pub fn run() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(2);
        }
    };
    // Who runs a service reads its log.
    let told = if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("FUNDAUDIT_LOG").unwrap_or_else(|_| told.into()))
        .with_writer(std::io::stderr)
        .without_time()
        .try_init();
    if cfg!(debug_assertions) {
        crate::points::listen();
    }
    let stopped = Arc::new(AtomicBool::new(false));
    if cli.command.can_be_stopped() {
        signals::listen(&stopped);
    }
    let face = Face {
        lang: language(cli.lang),
        printed: cli.format,
        progress: bars::Bars::new(std::io::stderr().is_terminal(), stopped),
    };
    let outcome = match cli.command {
        Command::Audit(args) => audit(&args, &face),
        Command::Review(args) => review::run(&args, &face),
        Command::Serve(args) => serve::run(&args, &face),
        Command::Ingest(args) => ingest(&args, &face),
        Command::Scan(args) => scan::run(&args, &face),
        Command::Doctor(args) => doctor(&args, &face),
        Command::Rules(command) => rules::run(&command, &face),
        Command::Knowledge(command) => knowledge::run(&command, &face),
        Command::Feedback(command) => feedback::run(&command, &face),
        Command::Findings(command) => findings::run(&command, &face),
        Command::Case(command) => case::run(&command, &face),
        Command::Store(command) => store::run(&command, &face),
        Command::Generate(args) => generate(&args, &face),
    };
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(u8::from(!cli.exit_zero)),
        Err(error) => {
            // A bar of the stage that failed would stand above the sentence for ever.
            face.progress.end();
            let _ = writeln!(std::io::stderr(), "fundaudit: {error}");
            ExitCode::from(if matches!(error, operations::Error::Stopped) { signals::INTERRUPTED } else { 2 })
        }
    }
}

/// The flags as they are asked for: a scan is a night and wants all of it, a service may do nights.
fn command() -> clap::Command {
    Cli::command().mut_subcommand("scan", scan::wants_all).mut_subcommand("serve", serve::wants_schedule)
}

fn language(asked: Option<Language>) -> Lang {
    match asked {
        Some(Language::Zh) => Lang::Zh,
        Some(Language::En) => Lang::En,
        None => {
            let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
            if locale.is_some_and(|l| l.to_ascii_lowercase().starts_with("zh")) { Lang::Zh } else { Lang::En }
        }
    }
}

fn audit(args: &AuditArgs, face: &Face) -> Result<Outcome, operations::Error> {
    let options = audit::Options {
        inputs: args.inputs.clone(),
        out: args.out.clone(),
        rules: args.rules.clone(),
        knowledge: args.knowledge.clone(),
        select: args.select.clone(),
        region: args.region.clone(),
        from: args.from,
        until: args.until,
        facilities: args.facility.clone(),
        as_of: args.as_of,
        formats: Format::parse(&args.out_format)?,
        threads: args.threads,
        memory: args.memory,
        rule_budget: args.rule_budget,
        mapping: args.mapping.clone(),
        exemptions: args.exemptions.clone(),
        buckets: args.buckets,
        unmask: args.unmask,
    };
    let done = audit::audit(&options, &face.progress)?;
    match face.printed {
        Printed::Text => face.print(&text::headlines(&done.outcome, &done.context, face.lang)),
        Printed::Json => face.print(&format!("{:#}\n", done.context.run)),
        Printed::Csv => {
            let mut table = String::from("rule_code,evaluated,not_evaluated,findings,amount,allocated\n");
            for rule in done.context.run["rules"].as_array().into_iter().flatten() {
                let cell = |name: &str| rule[name].as_str().map_or_else(|| rule[name].to_string(), str::to_owned);
                table.push_str(
                    &["code", "evaluated", "not_evaluated", "findings", "amount", "allocated"].map(cell).join(","),
                );
                table.push('\n');
            }
            face.print(&table);
        }
    }
    Ok(if done.outcome.findings.is_empty() { Outcome::Clean } else { Outcome::Found })
}

fn ingest(args: &IngestArgs, face: &Face) -> Result<Outcome, operations::Error> {
    let how = ingest::Options {
        mapping: args.mapping.clone(),
        buckets: args.buckets,
        threads: args.threads,
        memory: args.memory,
    };
    // A scan at work on the dataset must not find another one.
    let shared = args.append || lease::Lock::is_known(&args.dataset);
    let _alone = shared.then(|| lease::Lock::take(&args.dataset, &scan::owner())).transpose()?;
    let dataset = if args.append {
        let delivery = clock::now_text().replace(['-', ':'], "").replace('T', "-");
        ingest::append(&args.inputs, &delivery, &how, &args.dataset, &face.progress)?;
        ingest::Dataset::open(&args.dataset)?
    } else {
        ingest::ingest(&args.inputs, &how, &args.dataset, &face.progress)?
    };
    let manifest = dataset.manifest();
    match face.printed {
        Printed::Json => face.print(&format!(
            "{:#}\n",
            serde_json::json!({ "tables": manifest.tables, "inputs": manifest.inputs, "notes": manifest.notes })
        )),
        printed => {
            let comma = printed == Printed::Csv;
            let mut table = if comma {
                "table,read,quarantined,duplicates,audited,sum_read,sum_audited\n".to_owned()
            } else {
                format!(
                    "{:<14}{:>12}{:>12}{:>12}{:>12}{:>20}\n",
                    "table", "read", "quarantined", "duplicates", "audited", "sum audited"
                )
            };
            for (name, t) in manifest.tables.iter().filter(|(_, t)| t.present) {
                let row = if comma {
                    format!(
                        "{name},{},{},{},{},{},{}\n",
                        t.read.rows, t.quarantined.rows, t.duplicates.rows, t.audited.rows, t.read.sum, t.audited.sum
                    )
                } else {
                    format!(
                        "{name:<14}{:>12}{:>12}{:>12}{:>12}{:>20}\n",
                        t.read.rows,
                        t.quarantined.rows,
                        t.duplicates.rows,
                        t.audited.rows,
                        t.audited.sum.to_string()
                    )
                };
                table.push_str(&row);
            }
            if !comma {
                for note in &manifest.notes {
                    table.push_str(&format!("note: {note}\n"));
                }
                table.push_str(&format!(
                    "dataset: {}\nnext: fundaudit audit {} --out findings\n",
                    args.dataset.display(),
                    args.dataset.display()
                ));
            }
            face.print(&table);
        }
    }
    Ok(Outcome::Clean)
}

fn doctor(args: &DoctorArgs, face: &Face) -> Result<Outcome, operations::Error> {
    let origin = operations::library::Origin { rules: args.rules.as_deref(), knowledge: args.knowledge.as_deref() };
    let found = operations::doctor::doctor(&args.inputs, args.mapping.as_deref(), origin)?;
    match face.printed {
        Printed::Json => face.print(&format!("{:#}\n", found.json())),
        _ => face.print(&found.text(face.lang)),
    }
    Ok(if found.survey.errors.is_empty() { Outcome::Clean } else { Outcome::Found })
}

fn generate(args: &GenerateArgs, face: &Face) -> Result<Outcome, operations::Error> {
    let options = generate::Options {
        persons: args.persons,
        seed: args.seed,
        from: day::to_ymd(args.from),
        months: args.months,
        form: match args.form {
            FormArg::Csv => generate::Form::Csv,
            FormArg::CsvGb18030 => generate::Form::CsvGb18030,
            FormArg::XlsxFlat => generate::Form::XlsxFlat,
        },
        shuffle: args.shuffle,
        messy: args.messy,
    };
    let made = generate::generate(&options, &args.out, &face.progress)?;
    let facts: u64 = made.facts.values().sum();
    face.print(&format!(
        "{} persons, {} fee lines, {facts} findings to be made by {} rules\nexport: {}   truth: {}   catalogue, for --knowledge: {}\n",
        made.persons,
        made.fee_lines(),
        made.facts.len(),
        args.out.display(),
        args.out.join("truth.csv").display(),
        args.out.join("knowledge").display()
    ));
    Ok(Outcome::Clean)
}
