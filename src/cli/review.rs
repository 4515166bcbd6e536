//! `fundaudit review …`: pending claims get decisions.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Face, Outcome, Printed, a_day, bytes, table};
use crate::operations::Error;
use crate::operations::review::command::{self, Options};
use crate::operations::review::{Setup, Stage};

#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    /// A folder of an export of pending claims, files, NDJSON files (`*.ndjson`), or a dataset made by `ingest`
    #[arg(required = true, value_name = "PENDING")]
    inputs: Vec<PathBuf>,
    /// A dataset with the past of these persons; without it claims are reviewed by themselves
    #[arg(long, value_name = "DIR")]
    dataset: Option<PathBuf>,
    /// Folder for the decisions
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// When the review happens: while orders are written, or before a settlement is paid
    #[arg(long, value_enum, default_value = "during")]
    stage: StageArg,
    #[command(flatten)]
    setup: SetupArgs,
    /// Day to which open stays run; default: the last day in the data
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    as_of: Option<i32>,
    /// A file that says which column is which, for exports with other names
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Threads; default: all processors
    #[arg(long)]
    threads: Option<usize>,
    /// Memory for claims at work, about, such as 4GB
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    memory: Option<u64>,
    /// Show whole person numbers
    #[arg(long)]
    unmask: bool,
}

/// What claims are held against before they are paid.
#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    /// Rule library to use instead of the one that is built in
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Folder of knowledge tables (`<table>.csv`), each instead of the library's table of that name
    #[arg(long, value_name = "DIR")]
    knowledge: Option<PathBuf>,
    /// Rules to run, of those of the stage: codes, families, names
    #[arg(long, value_delimiter = ',', value_name = "CODE,FAMILY,name")]
    select: Vec<String>,
    /// Which finding leads to which decision; default: the library's `decisions.toml`
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Folder of exemptions, `*.toml`: the findings that they cover decide nothing
    #[arg(long, value_name = "DIR")]
    exemptions: Option<PathBuf>,
    /// Region of rows that have none, for parameters and decisions: six digits, such as 370323
    #[arg(long, value_name = "ADMDVS")]
    region: Option<String>,
}

impl SetupArgs {
    pub(super) fn setup(&self) -> Setup {
        Setup {
            rules: self.rules.clone(),
            knowledge: self.knowledge.clone(),
            select: self.select.clone(),
            decisions: self.decisions.clone(),
            exemptions: self.exemptions.clone(),
            region: self.region.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StageArg {
    Before,
    During,
}

pub(super) fn run(args: &ReviewArgs, face: &Face) -> Result<Outcome, Error> {
    let options = Options {
        inputs: args.inputs.clone(),
        dataset: args.dataset.clone(),
        out: args.out.clone(),
        stage: match args.stage {
            StageArg::Before => Stage::Before,
            StageArg::During => Stage::During,
        },
        setup: args.setup.setup(),
        as_of: args.as_of,
        mapping: args.mapping.clone(),
        threads: args.threads,
        memory: args.memory,
        unmask: args.unmask,
    };
    let done = command::review(&options, &face.progress)?;
    match face.printed {
        Printed::Text => face.print(&done.text(face.lang)),
        Printed::Json => face.print(&format!("{:#}\n", done.record)),
        Printed::Csv => {
            let mut rows = vec![["setl_id", "mdtrt_id", "decision", "claimed", "refused"].map(str::to_owned)];
            rows.extend(done.review.claims.iter().map(|claim| {
                let money = [claim.claimed, claim.refused].map(|amount| format!("{amount:.2}"));
                let [claimed, refused] = money;
                [claim.setl_id.clone(), claim.mdtrt_id.clone(), claim.decision.name().to_owned(), claimed, refused]
            }));
            face.print(&table(&rows));
        }
    }
    Ok(if done.review.findings.is_empty() { Outcome::Clean } else { Outcome::Found })
}
