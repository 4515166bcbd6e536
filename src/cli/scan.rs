//! `fundaudit scan …`: a night, now; and the options of a night, which `fundaudit serve --schedule` has too.

use std::path::PathBuf;

use clap::Args;

use super::{Face, Outcome, Printed, a_day, bytes, table};
use crate::clock;
use crate::operations::Error;
use crate::operations::scan::{self, Asking, Done, Options};
use crate::report::Lang;
use crate::store;

#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    #[command(flatten)]
    night: NightArgs,
    /// Dataset that grows night by night; the first night makes it
    #[arg(long, value_name = "DIR")]
    dataset: PathBuf,
    /// Rule library to use instead of the one that is built in
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Folder of knowledge tables (`<table>.csv`), each instead of the library's table of that name
    #[arg(long, value_name = "DIR")]
    knowledge: Option<PathBuf>,
    /// Folder of exemptions, `*.toml`: the findings that they cover are kept, marked and counted
    #[arg(long, value_name = "DIR")]
    exemptions: Option<PathBuf>,
    /// Region of rows that have none, for parameters: six digits, such as 370323
    #[arg(long, value_name = "ADMDVS")]
    region: Option<String>,
    /// Day to which open stays run; default: the last day in the data
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    as_of: Option<i32>,
    /// Ask the rules about everybody, not only about those whose claims changed
    #[arg(long)]
    everyone: bool,
    /// Threads; default: all processors
    #[arg(long)]
    threads: Option<usize>,
}

/// What every night needs.
#[derive(Debug, Args)]
pub(super) struct NightArgs {
    /// Folder into which exports are put; it is only read
    #[arg(long, value_name = "DIR")]
    drop: Option<PathBuf>,
    /// Where findings are kept: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`
    #[arg(long, value_name = "URL", env = "FUNDAUDIT_STORE", hide_env_values = true)]
    store: Option<String>,
    /// Folder for the reports, a folder a night
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A file that says which column is which, for exports with other names
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Seconds for which a file must have been left alone before it is taken
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    quiet: u32,
    /// Address to which counts and money are posted in the morning, as JSON; no persons
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Memory for claims that the night works on, about, such as 4GB
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    memory: Option<u64>,
}

impl NightArgs {
    /// Without these there is no night.
    pub(super) const WANTED: [&str; 3] = ["drop", "store", "out"];

    /// The options of a night, where all that is wanted is there.
    pub(super) fn options(&self) -> Option<Options> {
        Some(Options {
            drop: self.drop.clone()?,
            out: self.out.clone()?,
            mapping: self.mapping.clone(),
            quiet: self.quiet,
            webhook: self.webhook.clone(),
            memory: self.memory,
            ..Options::default()
        })
    }

    /// The store.
    pub(super) fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }
}

/// `scan` without what every night needs is a mistake; a service may do no nights.
pub(super) fn wants_all(command: clap::Command) -> clap::Command {
    NightArgs::WANTED.iter().fold(command, |command, name| command.mut_arg(name, |arg| arg.required(true)))
}

pub(super) fn run(args: &ScanArgs, face: &Face) -> Result<Outcome, Error> {
    let (Some(night), Some(url)) = (args.night.options(), args.night.store()) else {
        return Err(Error::Usage("a scan wants `--drop`, `--store` and `--out`".to_owned()));
    };
    let options = Options {
        dataset: args.dataset.clone(),
        rules: args.rules.clone(),
        knowledge: args.knowledge.clone(),
        exemptions: args.exemptions.clone(),
        region: args.region.clone(),
        as_of: args.as_of,
        everyone: args.everyone,
        threads: args.threads,
        ..night
    };
    let store = store::open(url)?;
    let asking = Asking { owner: &owner(), now: &clock::now_text, seconds: clock::seconds() };
    let done = scan::night(&options, store.as_ref(), asking, &face.progress)?;
    match face.printed {
        Printed::Text => face.print(&text(&done, face.lang)),
        Printed::Json => face.print(&format!("{:#}\n", json(&done))),
        Printed::Csv => {
            let merged = &done.merged;
            let counts = [merged.new, merged.changed, merged.seen_again, merged.no_longer_found, merged.unchanged];
            let [new, changed, again, gone, unchanged] = counts.map(|count| count.to_string());
            let assented = done.assent.findings.to_string();
            let head = ["scan_id", "new", "changed", "seen_again", "no_longer_found", "unchanged", "assented"];
            let row = [done.scan_id.clone(), new, changed, again, gone, unchanged, assented];
            face.print(&table(&[head.map(str::to_owned), row]));
        }
    }
    // What was found is in the store: a timer need not take it for a failure.
    Ok(Outcome::Clean)
}

/// This machine and this process.
pub(super) fn owner() -> String {
    // A service that sees nothing of /proc but itself still has the other file.
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let names =
        files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).chain(std::env::var("HOSTNAME").ok());
    let name = names.map(|name| name.trim().to_owned()).find(|name| !name.is_empty());
    format!("{}/{}", name.unwrap_or_else(|| "localhost".to_owned()), std::process::id())
}

fn json(done: &Done) -> serde_json::Value {
    let aside: Vec<_> = done
        .aside
        .iter()
        .map(
            |aside| serde_json::json!({ "file": aside.file.name, "sha256": aside.file.sha256, "reason": aside.reason }),
        )
        .collect();
    serde_json::json!({
        "scan_id": done.scan_id, "resumed": done.resumed, "findings": done.merged, "assent": done.assent, "persons": done.persons,
        "set_aside": aside, "unfinished": done.unfinished, "report": done.report, "untold": done.untold,
    })
}

fn text(done: &Done, lang: Lang) -> String {
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let merged = &done.merged;
    let mut text = format!(
        "{} {}{}\n",
        say("夜间扫描", "scan"),
        done.scan_id,
        if done.resumed { say("（接续上次中断处）", " (went on where it had been cut short)") } else { "" }
    );
    for (name, count) in [
        (say("新增疑点", "new findings"), merged.new),
        (say("有变化", "changed"), merged.changed),
        (say("再次发现", "seen again"), merged.seen_again),
        (say("不再发现", "no longer found"), merged.no_longer_found),
        (say("未变", "unchanged"), merged.unchanged),
        (say("逾期视为认可", "silence counted as assent"), done.assent.findings),
    ] {
        text.push_str(&format!("  {name} {count}\n"));
    }
    match done.persons {
        Some(persons) => text.push_str(&format!("  {} {persons}\n", say("涉及参保人", "persons asked about"))),
        None => text.push_str(say("  涉及全部参保人\n", "  everybody was asked about\n")),
    }
    for held in &done.assent.held {
        let name = say("申诉期满、没有办成", "term for an appeal over, not moved on");
        text.push_str(&format!("{name} {}: {}\n", held.findings, held.why));
    }
    for aside in &done.aside {
        text.push_str(&format!("{} {}: {}\n", say("搁置", "set aside"), aside.file.name, aside.reason));
    }
    for name in &done.unfinished {
        text.push_str(&format!(
            "{} {name}\n",
            say("尚未写完，留待下次", "perhaps still being written, left for next time:")
        ));
    }
    if let Some(why) = &done.untold {
        text.push_str(&format!("{}: {why}\n", say("未能通知 webhook", "nobody was told at the webhook")));
    }
    text.push_str(&format!("{} {}\n", say("晨报", "report"), done.report.join("night.html").display()));
    text
}
