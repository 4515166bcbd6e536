//! `fundaudit case …`: people work on findings that are kept in a store.

mod shown;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use self::shown::{
    card_json, card_rows, case_json, kept_json, kept_rows, listed_text, mask, moved, procedure_text, scores, shown, step_json,
    step_rows, told_json, transitions,
};
use super::{Face, Outcome, Printed, a_day, table};
use crate::cases::{self, Act, Actor, Command, Measure, Procedure, Status, document};
use crate::clock;
use crate::operations::Error;
use crate::operations::casework::{self, Done, Order};
use crate::report::Lang;
use crate::store::{self, Assigned, Filter, Order as Sorting, Page, Store};

#[derive(Debug, Subcommand)]
pub(super) enum CaseCommand {
    /// Findings at work: where they are, who has them, until when, how much money
    List {
        #[command(flatten)]
        at: StoreArgs,
        #[command(flatten)]
        which: WhichArgs,
        /// Only what is past its deadline today
        #[arg(long)]
        overdue: bool,
        /// Order
        #[arg(long, value_enum, default_value = "due")]
        by: SortArg,
        /// Rows to show
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One finding with every step and what each scan said of it
    Show {
        #[command(flatten)]
        at: StoreArgs,
        #[arg(value_name = "FINDING")]
        finding: String,
        /// Show whole person numbers
        #[arg(long)]
        unmask: bool,
    },
    /// Give cases to somebody; new ones thereby come to their first review
    Assign {
        /// Who is to work on them
        #[arg(long, value_name = "NAME")]
        to: String,
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Write down what a review, a panel or an investigation has concluded, or what is done about a violation
    Decide {
        /// The conclusion
        #[arg(long = "as", value_enum, required_unless_present = "measure", conflicts_with = "measure")]
        conclusion: Option<ConclusionArg>,
        /// What is done: refuse, recover, agreement, administrative, police
        #[arg(long, value_delimiter = ',', value_name = "LIST")]
        measure: Vec<String>,
        /// Yuan that still stand, with `--as partly`, or with `--as notify` where less than all is asserted
        #[arg(long, value_name = "YUAN", conflicts_with = "measure")]
        stands: Option<Decimal>,
        /// Yuan of the fund that the measure takes back; default: all that stands
        #[arg(long, value_name = "YUAN", requires = "measure")]
        fund: Option<Decimal>,
        /// Liquidated damages in yuan
        #[arg(long, value_name = "YUAN", requires = "measure")]
        damages: Option<Decimal>,
        /// Who sits in the panel, with whoever writes it down
        #[arg(long, value_delimiter = ',', value_name = "NAMES", conflicts_with = "measure")]
        panel: Vec<String>,
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Write down that the facility appeals, once or again; or that it accepts
    Appeal {
        /// It accepts what it was told
        #[arg(long)]
        accept: bool,
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Write down what came in: deducted from a settlement, or paid back
    Recover {
        /// Yuan of the fund
        #[arg(long, value_name = "YUAN", default_value = "0")]
        fund: Decimal,
        /// Yuan of liquidated damages
        #[arg(long, value_name = "YUAN", default_value = "0")]
        damages: Decimal,
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Close what is done; with money outstanding it is written off, by somebody who has not judged the case
    Close {
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Open again what was dismissed or revoked, for other eyes
    Reopen {
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Let silence count as assent wherever the time for an appeal is over
    Expire {
        #[command(flatten)]
        at: StoreArgs,
        #[command(flatten)]
        place: PlaceArgs,
        /// Say what would be done and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// A scorecard for each rule: keep it, tune it, retire it
    Score {
        #[command(flatten)]
        at: StoreArgs,
        #[command(flatten)]
        which: WhichArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// The procedure: what may follow what, who may do it, time limits, coded reasons
    Rules {
        #[command(flatten)]
        place: PlaceArgs,
        /// Form of the text
        #[arg(long = "as", value_enum, default_value = "text")]
        form: FormArg,
    },
}

#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// Where findings are kept: sqlite:PATH or `postgres://USER@HOST/DATABASE`
    #[arg(long, value_name = "URL")]
    store: String,
}

impl StoreArgs {
    fn open(&self) -> Result<Box<dyn Store>, Error> {
        Ok(store::open_existing(&self.store)?)
    }
}

#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// Rule library whose `procedure/` and `calendar/` hold, instead of those that are built in
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

impl PlaceArgs {
    fn procedure(&self) -> Result<Procedure, Error> {
        casework::procedure(self.rules.as_deref())
    }
}

/// Which cases: all conditions hold at once.
#[derive(Debug, Args)]
pub(super) struct WhichArgs {
    /// Findings by their identifier
    #[arg(value_name = "FINDING")]
    findings: Vec<String>,
    /// Rules: codes or families
    #[arg(long, value_delimiter = ',', value_name = "CODE,FAMILY")]
    rule: Vec<String>,
    /// Facilities by code
    #[arg(long, value_delimiter = ',', value_name = "CODE")]
    facility: Vec<String>,
    /// Regions: six digits, a city with `00` at the end
    #[arg(long, value_delimiter = ',', value_name = "ADMDVS")]
    region: Vec<String>,
    /// Where cases are; `fundaudit case rules` names the words
    #[arg(long, value_delimiter = ',', value_parser = a_status, value_name = "LIST")]
    status: Vec<Status>,
    /// What was concluded
    #[arg(long, value_delimiter = ',', value_parser = an_outcome, value_name = "LIST")]
    outcome: Vec<cases::Outcome>,
    /// Who has them
    #[arg(long, value_name = "NAME", conflicts_with = "unassigned")]
    assignee: Option<String>,
    /// Only what nobody has
    #[arg(long)]
    unassigned: bool,
    /// Deadline on this day or before
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    due_by: Option<i32>,
    /// First day of the facts
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    from: Option<i32>,
    /// Last day of the facts
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    until: Option<i32>,
    /// Only what scans found again after it had been dismissed or was gone
    #[arg(long)]
    seen_again: bool,
    /// Only what scans no longer find
    #[arg(long)]
    gone: bool,
}

impl WhichArgs {
    fn filter(&self) -> Filter {
        Filter {
            findings: self.findings.clone(),
            rules: self.rule.clone(),
            facilities: self.facility.clone(),
            regions: self.region.clone(),
            statuses: self.status.clone(),
            outcomes: self.outcome.clone(),
            assignee: match &self.assignee {
                Some(name) => Assigned::To(name.trim().to_owned()),
                None if self.unassigned => Assigned::Nobody,
                None => Assigned::Whoever,
            },
            due_by: self.due_by,
            from: self.from,
            until: self.until,
            seen_again: self.seen_again.then_some(true),
            present: self.gone.then_some(false),
            ..Filter::default()
        }
    }
}

/// What every step says, and about which cases.
#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    #[command(flatten)]
    at: StoreArgs,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Who does it: the name of one of the bureau's staff
    #[arg(long, value_name = "NAME", required_unless_present = "by_facility", conflicts_with = "by_facility")]
    by: Option<String>,
    /// The facility itself does it: its code
    #[arg(long, value_name = "CODE")]
    by_facility: Option<String>,
    /// Why, in words
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    /// Why, as a coded reason, where money is withdrawn
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Files that belong to it; their names, sizes and hashes are kept
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// When it happened, if it was not now: a letter that came yesterday. That it was written down later is kept too
    #[arg(long, value_name = "YYYY-MM-DDTHH:MM:SS")]
    when: Option<String>,
    /// Refuse to touch more cases than this
    #[arg(long, default_value_t = 500, value_name = "CASES")]
    at_most: usize,
    /// Say what would be done and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum SortArg {
    Due,
    Money,
    Day,
    Rule,
    Facility,
    Newest,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FormArg {
    Text,
    Markdown,
}

/// The words of [`cases::Action`] that conclude something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ConclusionArg {
    /// 初审成立: the facility is told, and may appeal
    Notify,
    /// 初审排除: there is no violation
    Dismiss,
    /// 转调查核实: somebody has to look on the spot
    Investigate,
    /// 维持: all of it stands
    Uphold,
    /// 部分维持: part of it stands, `--stands`
    Partly,
    /// 撤销: nothing of it stands
    Revoke,
}

fn a_status(text: &str) -> Result<Status, String> {
    Status::from_name(text).ok_or_else(|| format!("wanted one of {}", Status::ALL.map(Status::name).join(", ")))
}

fn an_outcome(text: &str) -> Result<cases::Outcome, String> {
    cases::Outcome::from_name(text)
        .ok_or_else(|| format!("wanted one of {}", cases::Outcome::ALL.map(cases::Outcome::name).join(", ")))
}

pub(super) fn run(command: &CaseCommand, face: &Face) -> Result<Outcome, Error> {
    match command {
        CaseCommand::List { at, which, overdue, by, limit } => list(at, which, *overdue, *by, *limit, face),
        CaseCommand::Show { at, finding, unmask } => {
            let mut told = casework::told(at.open()?.as_ref(), finding)?;
            if !unmask {
                mask(&mut told);
            }
            face.print(&match face.printed {
                Printed::Text => shown(&told),
                Printed::Json => format!("{:#}\n", told_json(&told)),
                Printed::Csv => table(&step_rows(&told.steps)),
            });
            Ok(Outcome::Clean)
        }
        CaseCommand::Assign { to, work } => act(Act::Assign { to: to.clone() }, work, face),
        CaseCommand::Decide { conclusion, measure, stands, fund, damages, panel, work } => {
            let act_of = match conclusion {
                None => Act::Decide {
                    measures: measures(measure)?,
                    fund: *fund,
                    damages: damages.unwrap_or_default(),
                },
                Some(conclusion) => concluded(*conclusion, *stands, panel)?,
            };
            act(act_of, work, face)
        }
        CaseCommand::Appeal { accept, work } => act(if *accept { Act::Accept } else { Act::Appeal }, work, face),
        CaseCommand::Recover { fund, damages, work } => {
            act(Act::Recover { fund: *fund, damages: *damages }, work, face)
        }
        CaseCommand::Close { work } => act(Act::Close, work, face),
        CaseCommand::Reopen { work } => act(Act::Reopen, work, face),
        CaseCommand::Expire { at, place, dry_run } => {
            let store = at.open()?;
            let done = casework::expire(store.as_ref(), &place.procedure()?, &clock::now_text(), *dry_run)?;
            Ok(said(&done, *dry_run, face))
        }
        CaseCommand::Score { at, which, place } => {
            let procedure = place.procedure()?;
            let cards = casework::cards(at.open()?.as_ref(), &procedure, &which.filter(), clock::today())?;
            face.print(&match face.printed {
                Printed::Text => scores(&cards, &procedure, face.lang),
                Printed::Json => format!("{:#}\n", Json::from(cards.iter().map(card_json).collect::<Vec<_>>())),
                Printed::Csv => table(&card_rows(&cards)),
            });
            Ok(Outcome::Clean)
        }
        CaseCommand::Rules { place, form } => {
            let procedure = place.procedure()?;
            face.print(&match (face.printed, form) {
                (Printed::Json, _) => format!("{:#}\n", document::json(&procedure)),
                (Printed::Csv, _) => table(&transitions()),
                (Printed::Text, FormArg::Markdown) => document::markdown(&procedure),
                (Printed::Text, FormArg::Text) => procedure_text(&procedure, face.lang),
            });
            Ok(Outcome::Clean)
        }
    }
}

fn measures(words: &[String]) -> Result<Vec<Measure>, Error> {
    Measure::from_names(&words.join(",")).map_err(|word| {
        let known = Measure::ALL.map(Measure::name).join(", ");
        Error::Usage(format!("there is no measure `{word}`: wanted one or more of {known}"))
    })
}

fn concluded(conclusion: ConclusionArg, stands: Option<Decimal>, panel: &[String]) -> Result<Act, Error> {
    let panel = panel.to_vec();
    if stands.is_some() && !matches!(conclusion, ConclusionArg::Partly | ConclusionArg::Notify) {
        return Err(Error::Usage("`--stands` goes with `--as partly` or `--as notify`: otherwise all or nothing stands".to_owned()));
    }
    Ok(match conclusion {
        ConclusionArg::Notify => Act::Notify { standing: stands },
        ConclusionArg::Dismiss => Act::Dismiss,
        ConclusionArg::Investigate => Act::Investigate,
        ConclusionArg::Uphold => Act::Uphold { panel },
        ConclusionArg::Partly => match stands {
            Some(standing) => Act::Partly { standing, panel },
            None => return Err(Error::Usage("`--as partly` needs `--stands YUAN`: how much still stands".to_owned())),
        },
        ConclusionArg::Revoke => Act::Revoke { panel },
    })
}

fn list(
    at: &StoreArgs,
    which: &WhichArgs,
    overdue: bool,
    by: SortArg,
    limit: u32,
    face: &Face,
) -> Result<Outcome, Error> {
    let mut filter = which.filter();
    if overdue {
        let yesterday = clock::today() - 1;
        filter.due_by = Some(filter.due_by.map_or(yesterday, |day| day.min(yesterday)));
    }
    let order = match by {
        SortArg::Due => Sorting::Due,
        SortArg::Money => Sorting::Money,
        SortArg::Day => Sorting::Day,
        SortArg::Rule => Sorting::Rule,
        SortArg::Facility => Sorting::Facility,
        SortArg::Newest => Sorting::Newest,
    };
    let listed = at.open()?.list(&filter, Page { skip: 0, take: limit, order })?;
    face.print(&match face.printed {
        Printed::Text => listed_text(&listed, face.lang),
        Printed::Json => format!(
            "{:#}\n",
            json!({ "total": listed.total, "cases": listed.findings.iter().map(kept_json).collect::<Vec<_>>() })
        ),
        Printed::Csv => table(&kept_rows(&listed)),
    });
    Ok(Outcome::Clean)
}

/// Does one thing with all the cases that are named.
fn act(act: Act, work: &WorkArgs, face: &Face) -> Result<Outcome, Error> {
    let filter = work.which.filter();
    if filter == Filter::default() {
        return Err(Error::Usage(
            "name findings, or a condition such as `--rule BIL103 --status new`: without either, every case would be meant".to_owned(),
        ));
    }
    let now = clock::now_text();
    let mut reason = work.reason.trim().to_owned();
    let at = match &work.when {
        Some(when) if *when > now => {
            return Err(Error::Usage(format!("`--when {when}` has not come yet: it is {now}")));
        }
        Some(when) => {
            reason = format!("{reason}（补记于 {now}）");
            when.clone()
        }
        None => now,
    };
    let attachments = work.attach.iter().map(|file| casework::attachment(file)).collect::<Result<_, _>>()?;
    let order = Order {
        filter,
        command: Command { act, reason_code: work.code.clone(), reason, attachments },
        by: match (&work.by, &work.by_facility) {
            (_, Some(code)) => Actor::facility(code),
            (Some(name), None) => Actor::bureau(name),
            (None, None) => Actor::bureau(""),
        },
        at,
        at_most: work.at_most,
        dry_run: work.dry_run,
    };
    let store = work.at.open()?;
    let done = casework::act(store.as_ref(), &work.place.procedure()?, &order)?;
    if let ([], [(_, why)]) = (done.done.as_slice(), done.refused.as_slice()) {
        return Err(Error::Usage(why.to_string()));
    }
    Ok(said(&done, work.dry_run, face))
}

/// What was done and what was refused; something refused is exit 1.
fn said(done: &Done, dry_run: bool, face: &Face) -> Outcome {
    face.print(&match face.printed {
        Printed::Text => {
            let mut text = String::new();
            for (case, step) in &done.done {
                text.push_str(&moved(case, step));
            }
            for (finding, why) in &done.refused {
                text.push_str(&format!("{finding}  refused: {why}\n"));
            }
            let (yes, no) = (done.done.len(), done.refused.len());
            text.push_str(&match (face.lang, dry_run) {
                (Lang::Zh, false) => format!("办理 {yes} 件，未办 {no} 件\n"),
                (Lang::Zh, true) => format!("将办理 {yes} 件，不能办 {no} 件；没有写入\n"),
                (Lang::En, false) => format!("{yes} done, {no} refused\n"),
                (Lang::En, true) => format!("{yes} would be done, {no} refused; nothing was written\n"),
            });
            text
        }
        Printed::Json => {
            let cases: Vec<Json> =
                done.done.iter().map(|(case, step)| json!({ "case": case_json(case), "step": step_json(step) })).collect();
            let refused: Vec<Json> = done
                .refused
                .iter()
                .map(|(finding, why)| json!({ "finding_id": finding, "why": why.to_string() }))
                .collect();
            format!("{:#}\n", json!({ "dry_run": dry_run, "done": cases, "refused": refused }))
        }
        Printed::Csv => {
            let mut rows = vec![["finding_id", "from", "action", "to", "outcome", "refused"].map(str::to_owned)];
            rows.extend(done.done.iter().map(|(case, step)| {
                let words = [step.from.name(), step.action.name(), step.to.name(), step.outcome.name(), ""];
                let [from, action, to, outcome, refused] = words.map(str::to_owned);
                [case.finding_id.clone(), from, action, to, outcome, refused]
            }));
            rows.extend(done.refused.iter().map(|(finding, why)| {
                let none = String::new;
                [finding.clone(), none(), none(), none(), none(), why.to_string()]
            }));
            table(&rows)
        }
    });
    if done.refused.is_empty() { Outcome::Clean } else { Outcome::Found }
}
