//! `fundaudit case …`: people work on findings that are kept in a store.

mod shown;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use self::shown::{
    card_json, card_rows, case_json, listed, moved, possible, procedure_text, scores, step_json, steps, transitions,
};
use super::findings::{StoreArg, WhichArgs};
use super::{Face, Outcome, Printed, table};
use crate::cases::{Act, Actor, Command, Measure, Procedure, document};
use crate::clock;
use crate::operations::casework::{self, Done, Order};
use crate::operations::{Error, findings};
use crate::report::Lang;
use crate::store::{self, Filter, Order as Sorting, Page, Store};

#[derive(Debug, Subcommand)]
pub(super) enum CaseCommand {
    /// Findings at work: where they are, who has them, until when, how much money
    List {
        #[command(flatten)]
        store: StoreArg,
        #[command(flatten)]
        cases: CasesArgs,
        /// Only what is past its deadline today
        #[arg(long)]
        overdue: bool,
        /// Order: due, money, day, rule, facility, newest
        #[arg(long, value_parser = findings::order, default_value = "due", value_name = "WORD")]
        order: Sorting,
        /// Cases to pass over
        #[arg(long, default_value_t = 0, value_name = "N")]
        skip: u64,
        /// Cases to list
        #[arg(long, default_value_t = 100, value_name = "N")]
        take: u32,
        /// Show whole person numbers
        #[arg(long)]
        unmask: bool,
    },
    /// One finding with every step and what each scan said of it
    Show {
        #[command(flatten)]
        store: StoreArg,
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
        store: StoreArg,
        #[command(flatten)]
        place: PlaceArgs,
        /// Say what would be done and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// A scorecard for each rule: keep it, tune it, retire it
    Score {
        #[command(flatten)]
        store: StoreArg,
        #[command(flatten)]
        cases: CasesArgs,
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

/// Cases by name, or by what holds for them.
#[derive(Debug, Args)]
pub(super) struct CasesArgs {
    /// Findings by their identifier
    #[arg(value_name = "FINDING")]
    findings: Vec<String>,
    #[command(flatten)]
    which: Box<WhichArgs>,
}

impl CasesArgs {
    /// A case is at work though its fact is no longer found: only who asks for those that are gone gets them alone.
    fn filter(&self) -> Filter {
        let mut filter = self.which.filter();
        filter.findings.extend(self.findings.iter().cloned());
        filter.present = filter.present.filter(|present| !present);
        filter
    }
}

/// What every step says, and about which cases.
#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    cases: CasesArgs,
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
pub(super) enum FormArg {
    Text,
    Markdown,
}

/// The words of [`crate::cases::Action`] that conclude something.
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

pub(super) fn run(command: &CaseCommand, face: &Face) -> Result<Outcome, Error> {
    match command {
        CaseCommand::List { store, cases, overdue, order, skip, take, unmask } => {
            let mut filter = cases.filter();
            if *overdue {
                let yesterday = clock::today() - 1;
                filter.due_by = Some(filter.due_by.map_or(yesterday, |day| day.min(yesterday)));
            }
            let page = Page { skip: *skip, take: *take, order: *order };
            let list = findings::list(open(store)?.as_ref(), &filter, page, *unmask)?;
            face.print(&match face.printed {
                Printed::Text => listed(&list, face.lang),
                Printed::Json => format!("{:#}\n", list.json()),
                Printed::Csv => table(&list.csv()),
            });
            Ok(Outcome::Clean)
        }
        CaseCommand::Show { store, finding, unmask } => {
            let told = findings::show(open(store)?.as_ref(), finding, *unmask)?;
            face.print(&match face.printed {
                Printed::Text => told.text(face.lang) + &possible(told.kept.case.status, face.lang),
                Printed::Json => format!("{:#}\n", told.json()),
                Printed::Csv => table(&steps(&told.steps)),
            });
            Ok(Outcome::Clean)
        }
        CaseCommand::Assign { to, work } => act(Act::Assign { to: to.clone() }, work, face),
        CaseCommand::Decide { conclusion, measure, stands, fund, damages, panel, work } => {
            let act_of = match conclusion {
                None => Act::Decide { measures: measures(measure)?, fund: *fund, damages: damages.unwrap_or_default() },
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
        CaseCommand::Expire { store, place, dry_run } => {
            let store = open(store)?;
            let done = casework::expire(store.as_ref(), &place.procedure()?, &clock::now_text(), *dry_run)?;
            Ok(said(&done, *dry_run, face))
        }
        CaseCommand::Score { store, cases, place } => {
            let procedure = place.procedure()?;
            let cards = casework::cards(open(store)?.as_ref(), &procedure, &cases.filter(), clock::today())?;
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

fn open(store: &StoreArg) -> Result<Box<dyn Store>, Error> {
    Ok(store::open_existing(&store.url)?)
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
        return Err(Error::Usage(
            "`--stands` goes with `--as partly` or `--as notify`: otherwise all or nothing stands".to_owned(),
        ));
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

/// Does one thing with all the cases that are named.
fn act(act: Act, work: &WorkArgs, face: &Face) -> Result<Outcome, Error> {
    let filter = work.cases.filter();
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
    let store = open(&work.store)?;
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
            let cases: Vec<Json> = done
                .done
                .iter()
                .map(|(case, step)| json!({ "case": case_json(case), "step": step_json(step) }))
                .collect();
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
