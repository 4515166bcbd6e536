//! `fundaudit findings …`: look at findings that are kept.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rust_decimal::Decimal;

use super::{Face, Outcome, Printed, a_day, table};
use crate::cases;
use crate::operations::{Error, findings};
use crate::report::Format;
use crate::store::{self, Assigned, By, Filter, Order, Page, What};

#[derive(Debug, Subcommand)]
pub(super) enum FindingsCommand {
    /// List findings, or add them up
    List {
        #[command(flatten)]
        store: StoreArg,
        #[command(flatten)]
        which: Box<WhichArgs>,
        /// Order: money, day, rule, facility, due, newest
        #[arg(long, value_parser = findings::order, default_value = "money", value_name = "WORD")]
        order: Order,
        /// Add up instead: nothing, rule, facility, region, status, outcome, month, result, severity, assignee
        #[arg(long, value_parser = findings::by, value_name = "WORD")]
        by: Option<By>,
        /// Findings to pass over
        #[arg(long, default_value_t = 0, value_name = "N")]
        skip: u64,
        /// Findings to list
        #[arg(long, default_value_t = 100, value_name = "N")]
        take: u32,
        /// Show whole person numbers
        #[arg(long)]
        unmask: bool,
    },
    /// Show one finding: evidence, lines, what scans said of it, what people did
    Show {
        #[arg(value_name = "FINDING")]
        finding: String,
        #[command(flatten)]
        store: StoreArg,
        /// Show whole person numbers
        #[arg(long)]
        unmask: bool,
    },
    /// Write findings, their lines and their cases into a folder
    Export {
        #[command(flatten)]
        store: StoreArg,
        #[command(flatten)]
        which: Box<WhichArgs>,
        /// Folder for the files
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Forms in which findings are written
        #[arg(long, default_value = "csv,xlsx", value_name = "LIST")]
        out_format: String,
        /// Write whole person numbers
        #[arg(long)]
        unmask: bool,
    },
}

/// Where the store is.
#[derive(Debug, Args)]
pub(super) struct StoreArg {
    /// The store: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`
    ///
    /// A password for PostgreSQL is better in `PGPASSWORD` or `~/.pgpass` than here, where other users of the machine may see it.
    #[arg(long = "store", env = "FUNDAUDIT_STORE", hide_env_values = true, value_name = "URL")]
    pub(super) url: String,
}

/// Which findings: all that is said holds at once.
#[derive(Debug, Args)]
pub(super) struct WhichArgs {
    /// Findings, by id
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    finding: Vec<String>,
    /// Rules: codes, families, names
    #[arg(long, value_delimiter = ',', value_name = "CODE,FAMILY,name")]
    rule: Vec<String>,
    /// Facilities, by code
    #[arg(long, value_delimiter = ',', value_name = "CODE")]
    facility: Vec<String>,
    /// Regions with all that lie in them: 370300 is a city with its counties
    #[arg(long, value_delimiter = ',', value_name = "ADMDVS")]
    region: Vec<String>,
    /// Persons whom a finding concerns, by whole number
    #[arg(long, value_delimiter = ',', value_name = "PSN_NO")]
    person: Vec<String>,
    /// Encounters
    #[arg(long, value_delimiter = ',', value_name = "MDTRT_ID")]
    encounter: Vec<String>,
    /// 明确违规 or 可疑
    #[arg(long, value_delimiter = ',', value_name = "WORD")]
    result: Vec<String>,
    /// high, medium, low
    #[arg(long, value_delimiter = ',', value_name = "WORD")]
    severity: Vec<String>,
    /// Where the case is: new, initial_review, appeal_open … closed
    #[arg(long, value_delimiter = ',', value_parser = status, value_name = "WORD")]
    status: Vec<cases::Status>,
    /// What was concluded: open, dismissed, asserted … revoked
    #[arg(long, value_delimiter = ',', value_parser = outcome, value_name = "WORD")]
    outcome: Vec<cases::Outcome>,
    /// Cases that this person has
    #[arg(long, value_name = "NAME", conflicts_with = "unassigned")]
    assignee: Option<String>,
    /// Cases that nobody has
    #[arg(long)]
    unassigned: bool,
    /// First day of service
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    from: Option<i32>,
    /// Last day of service
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    until: Option<i32>,
    /// Cases whose deadline is on this day or before
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    due_by: Option<i32>,
    /// At stake by the rule alone, at least
    #[arg(long, value_name = "YUAN")]
    at_least: Option<Decimal>,
    /// Only what is no longer found; without this and `--all` only what is
    #[arg(long)]
    gone: bool,
    /// What is no longer found too
    #[arg(long, conflicts_with = "gone")]
    all: bool,
    /// Only what came back after it was done with
    #[arg(long)]
    seen_again: bool,
    /// Leave out what an exemption covers
    #[arg(long)]
    not_exempted: bool,
    /// What a scan said: `SCAN:new`, `SCAN:changed`, `SCAN:seen_again`, `SCAN:no_longer_found`
    #[arg(long, value_parser = sighted, value_name = "SCAN:WORD")]
    sighted: Option<(String, What)>,
}

impl WhichArgs {
    pub(super) fn filter(&self) -> Filter {
        // What a scan no longer found is not there, whatever else is said.
        let gone = self.gone || matches!(self.sighted, Some((_, What::NoLongerFound)));
        Filter {
            findings: self.finding.clone(),
            rules: self.rule.clone(),
            facilities: self.facility.clone(),
            regions: self.region.clone(),
            persons: self.person.clone(),
            encounters: self.encounter.clone(),
            results: self.result.clone(),
            severities: self.severity.clone(),
            statuses: self.status.clone(),
            outcomes: self.outcome.clone(),
            assignee: match &self.assignee {
                Some(name) => Assigned::To(name.clone()),
                None if self.unassigned => Assigned::Nobody,
                None => Assigned::Whoever,
            },
            from: self.from,
            until: self.until,
            due_by: self.due_by,
            present: if self.all || !self.finding.is_empty() { None } else { Some(!gone) },
            seen_again: self.seen_again.then_some(true),
            exempted: self.not_exempted.then_some(false),
            fund_money: None,
            at_least: self.at_least,
            sighted: self.sighted.clone(),
        }
    }
}

fn status(word: &str) -> Result<cases::Status, String> {
    let known = || findings::wanted(cases::Status::ALL.iter().map(|status| status.name()));
    cases::Status::from_name(word).ok_or_else(known)
}

fn outcome(word: &str) -> Result<cases::Outcome, String> {
    let known = || findings::wanted(cases::Outcome::ALL.iter().map(|outcome| outcome.name()));
    cases::Outcome::from_name(word).ok_or_else(known)
}

fn sighted(text: &str) -> Result<(String, What), String> {
    let known = || findings::wanted(What::ALL.iter().map(|what| what.name()));
    let (scan, what) = text.rsplit_once(':').ok_or_else(|| "wanted SCAN:WORD, such as 2026-11-22:new".to_owned())?;
    Ok((scan.to_owned(), What::from_name(what).ok_or_else(known)?))
}

pub(super) fn run(command: &FindingsCommand, face: &Face) -> Result<Outcome, Error> {
    match command {
        FindingsCommand::List { store, which, order, by, skip, take, unmask } => {
            let store = store::open_existing(&store.url)?;
            if let Some(by) = by {
                let sums = findings::sums(store.as_ref(), &which.filter(), *by)?;
                face.print(&match face.printed {
                    Printed::Text => findings::sums_text(&sums, face.lang),
                    Printed::Json => format!("{:#}\n", findings::sums_json(&sums)),
                    Printed::Csv => table(&findings::sums_csv(&sums)),
                });
                return Ok(Outcome::Clean);
            }
            let page = Page { skip: *skip, take: *take, order: *order };
            let list = findings::list(store.as_ref(), &which.filter(), page, *unmask)?;
            face.print(&match face.printed {
                Printed::Text => list.text(face.lang),
                Printed::Json => format!("{:#}\n", list.json()),
                Printed::Csv => table(&list.csv()),
            });
        }
        FindingsCommand::Show { finding, store, unmask } => {
            let store = store::open_existing(&store.url)?;
            let told = findings::show(store.as_ref(), finding, *unmask)?;
            face.print(&match face.printed {
                Printed::Text | Printed::Csv => told.text(face.lang),
                Printed::Json => format!("{:#}\n", told.json()),
            });
        }
        FindingsCommand::Export { store, which, out, out_format, unmask } => {
            let formats = Format::parse(out_format)?;
            let store = store::open_existing(&store.url)?;
            let files =
                findings::export(store.as_ref(), &which.filter(), &formats, out, *unmask, &face.progress)?;
            for file in files {
                face.print(&format!("{}\n", file.display()));
            }
        }
    }
    Ok(Outcome::Clean)
}
