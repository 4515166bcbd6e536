//! `fundaudit case …`: people work on findings that are kept in a store.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::{Face, Outcome, Printed, a_day, table};
use crate::cases::scorecard::Card;
use crate::cases::{self, Act, Actor, Case, Command, Measure, Procedure, Status, Step, document};
use crate::clock;
use crate::model::day;
use crate::operations::casework::{self, Done, Order, Told};
use crate::operations::Error;
use crate::report::{Lang, masked, without_person};
use crate::store::{self, Assigned, Filter, Kept, Listed, Order as Sorting, Page, Store};

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

/// `3f…  初审 → 已告知待申诉  仍主张 12.00  期限 2026-10-14`
fn moved(case: &Case, step: &Step) -> String {
    let mut line = format!("{}  {}", case.finding_id, step.from.title());
    if step.to != step.from {
        line.push_str(&format!(" → {}", step.to.title()));
    }
    line.push_str(&format!("  {}  {}", step.action.title(), step.outcome.title()));
    for (title, amount) in [("仍主张", case.standing), ("追回", case.decided), ("违约金", case.damages), ("已到账", case.recovered)] {
        if amount != Decimal::ZERO || title == "仍主张" {
            line.push_str(&format!("  {title} {amount:.2}"));
        }
    }
    if let Some(assignee) = &case.assignee {
        line.push_str(&format!("  经办 {assignee}"));
    }
    if let Some(deadline) = case.deadline {
        line.push_str(&format!("  期限 {}", day::text(deadline)));
    }
    line.push('\n');
    line
}

fn listed_text(listed: &Listed, lang: Lang) -> String {
    let mut text = String::new();
    for kept in &listed.findings {
        let (case, finding) = (&kept.case, &kept.finding);
        text.push_str(&format!(
            "{}  {} {}  {}  {}  {:.2}/{:.2}",
            case.finding_id,
            finding.rule_code,
            finding.rule_title,
            case.status.title(),
            case.outcome.title(),
            case.standing,
            case.found
        ));
        for part in [
            kept.facility.clone().or_else(|| finding.fixmedins_code.clone()),
            case.assignee.as_ref().map(|name| format!("经办 {name}")),
            case.deadline.map(|day| format!("期限 {}", day::text(day))),
            case.seen_again.then(|| "再次发现".to_owned()),
            (!case.present).then(|| "不再发现".to_owned()),
        ]
        .into_iter()
        .flatten()
        {
            text.push_str(&format!("  {part}"));
        }
        text.push('\n');
    }
    let shown = listed.findings.len() as u64;
    text.push_str(&match lang {
        Lang::Zh if shown < listed.total => format!("共 {} 件，列出 {shown} 件（--limit）\n", listed.total),
        Lang::Zh => format!("共 {} 件\n", listed.total),
        Lang::En if shown < listed.total => format!("{} cases, {shown} shown (--limit)\n", listed.total),
        Lang::En => format!("{} cases\n", listed.total),
    });
    text
}

/// The person's number is hidden wherever it stands: in the finding, and in what people wrote.
fn mask(told: &mut Told) {
    let person = told.kept.finding.psn_no.clone();
    for step in &mut told.steps {
        step.reason = without_person(&step.reason, person.as_deref());
    }
    told.kept.finding = masked(&told.kept.finding);
}

fn shown(told: &Told) -> String {
    let (finding, case) = (&told.kept.finding, &told.kept.case);
    let mut text = format!(
        "{}[{}] {}\n  疑点 {}\n  {}\n  依据 {}\n",
        finding.severity, finding.rule_code, finding.rule_title, finding.finding_id, finding.message, finding.basis
    );
    text.push_str(&format!(
        "  {}  {}{}{}\n",
        case.status.title(),
        case.outcome.title(),
        if case.seen_again { "  再次发现" } else { "" },
        if case.present { "" } else { "  不再发现" }
    ));
    text.push_str(&format!(
        "  机审 {:.2}  仍主张 {:.2}  追回 {:.2}  违约金 {:.2}  已到账 {:.2}  违约金已到账 {:.2}\n",
        case.found, case.standing, case.decided, case.damages, case.recovered, case.damages_recovered
    ));
    if !case.measures.is_empty() {
        text.push_str(&format!("  处理 {}\n", case.measures.iter().map(|m| m.title()).collect::<Vec<_>>().join("、")));
    }
    if let Some(assignee) = &case.assignee {
        text.push_str(&format!("  经办 {assignee}\n"));
    }
    if let Some(deadline) = case.deadline {
        text.push_str(&format!("  期限 {}\n", day::text(deadline)));
    }
    for sighting in &told.sightings {
        text.push_str(&format!("  {}  扫描 {}：{}\n", sighting.at, sighting.scan_id, sighting.what.title()));
    }
    for step in &told.steps {
        text.push_str(&format!("  {}  {}  {}", step.at, who(step), step.action.title()));
        if step.to != step.from {
            text.push_str(&format!("  {} → {}", step.from.title(), step.to.title()));
        }
        if step.before != step.after {
            text.push_str(&format!("  {:.2} → {:.2}", step.before, step.after));
        }
        if step.damages != Decimal::ZERO {
            text.push_str(&format!("  违约金 {:.2}", step.damages));
        }
        if let Some(code) = &step.reason_code {
            text.push_str(&format!("  [{code}]"));
        }
        if !step.reason.is_empty() {
            text.push_str(&format!("  {}", without_person(&step.reason, None)));
        }
        text.push('\n');
        for attachment in &step.attachments {
            text.push_str(&format!(
                "      附件 {}  {} 字节  sha256 {}\n",
                without_person(&attachment.name, None),
                attachment.bytes,
                attachment.sha256
            ));
        }
    }
    let possible: Vec<&str> = cases::possible(case.status).iter().map(|action| action.name()).collect();
    text.push_str(&format!("  可以：{}\n", possible.join(", ")));
    text
}

fn who(step: &Step) -> String {
    Actor::from_name(&step.actor).map_or_else(|| step.actor.clone(), |actor| actor.title().to_owned())
}

fn case_json(case: &Case) -> Json {
    json!({
        "finding_id": case.finding_id,
        "status": case.status.name(),
        "outcome": case.outcome.name(),
        "measures": case.measures.iter().map(|measure| measure.name()).collect::<Vec<_>>(),
        "version": case.version,
        "assignee": case.assignee,
        "deadline": case.deadline.map(day::text),
        "found": yuan(case.found),
        "standing": yuan(case.standing),
        "decided": yuan(case.decided),
        "damages": yuan(case.damages),
        "recovered": yuan(case.recovered),
        "damages_recovered": yuan(case.damages_recovered),
        "seen_again": case.seen_again,
        "present": case.present,
        "judges": case.judges,
        "changed_at": case.changed_at,
        "region": case.region,
        "fixmedins_code": case.fixmedins_code,
    })
}

fn step_json(step: &Step) -> Json {
    json!({
        "seq": step.seq,
        "at": step.at,
        "actor": step.actor,
        "action": step.action.name(),
        "from": step.from.name(),
        "to": step.to.name(),
        "outcome": step.outcome.name(),
        "reason_code": step.reason_code,
        "reason": step.reason,
        "money": step.action.money(),
        "before": yuan(step.before),
        "after": yuan(step.after),
        "damages": yuan(step.damages),
        "deadline": step.deadline.map(day::text),
        "attachments": step.attachments,
    })
}

fn kept_json(kept: &Kept) -> Json {
    let mut json = case_json(&kept.case);
    let finding = masked(&kept.finding);
    for (name, value) in [
        ("rule_code", Json::from(finding.rule_code)),
        ("rule_title", Json::from(finding.rule_title)),
        ("result", Json::from(finding.result)),
        ("severity", Json::from(finding.severity)),
        ("message", Json::from(finding.message)),
        ("from_day", Json::from(finding.from_day)),
        ("until_day", Json::from(finding.until_day)),
        ("facility", Json::from(kept.facility.clone())),
    ] {
        json[name] = value;
    }
    json
}

fn told_json(told: &Told) -> Json {
    json!({
        "case": case_json(&told.kept.case),
        "finding": {
            "rule_code": told.kept.finding.rule_code,
            "rule_title": told.kept.finding.rule_title,
            "result": told.kept.finding.result,
            "severity": told.kept.finding.severity,
            "psn_no": told.kept.finding.psn_no,
            "fixmedins_code": told.kept.finding.fixmedins_code,
            "from_day": told.kept.finding.from_day,
            "until_day": told.kept.finding.until_day,
            "amount": yuan(told.kept.finding.amount),
            "allocated": yuan(told.kept.finding.allocated),
            "message": told.kept.finding.message,
            "basis": told.kept.finding.basis,
        },
        "sightings": told.sightings.iter().map(|sighting| json!({
            "scan_id": sighting.scan_id, "at": sighting.at, "what": sighting.what.name(),
        })).collect::<Vec<_>>(),
        "steps": told.steps.iter().map(step_json).collect::<Vec<_>>(),
    })
}

/// Money for programs: text with two places, never a binary fraction.
fn yuan(amount: Decimal) -> String {
    format!("{amount:.2}")
}

fn kept_rows(listed: &Listed) -> Vec<[String; 14]> {
    let head = [
        "finding_id", "rule_code", "fixmedins_code", "from_day", "status", "outcome", "assignee", "deadline", "found",
        "standing", "decided", "recovered", "seen_again", "present",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(listed.findings.iter().map(|kept| {
        let (case, finding) = (&kept.case, &kept.finding);
        [
            case.finding_id.clone(),
            finding.rule_code.clone(),
            finding.fixmedins_code.clone().unwrap_or_default(),
            finding.from_day.clone().unwrap_or_default(),
            case.status.name().to_owned(),
            case.outcome.name().to_owned(),
            case.assignee.clone().unwrap_or_default(),
            case.deadline.map(day::text).unwrap_or_default(),
            yuan(case.found),
            yuan(case.standing),
            yuan(case.decided),
            yuan(case.recovered),
            case.seen_again.to_string(),
            case.present.to_string(),
        ]
    }));
    rows
}

fn step_rows(steps: &[Step]) -> Vec<[String; 12]> {
    let head = [
        "seq", "at", "actor", "action", "from", "to", "outcome", "reason_code", "reason", "before", "after", "damages",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(steps.iter().map(|step| {
        [
            step.seq.to_string(),
            step.at.clone(),
            step.actor.clone(),
            step.action.name().to_owned(),
            step.from.name().to_owned(),
            step.to.name().to_owned(),
            step.outcome.name().to_owned(),
            step.reason_code.clone().unwrap_or_default(),
            step.reason.clone(),
            yuan(step.before),
            yuan(step.after),
            yuan(step.damages),
        ]
    }));
    rows
}

fn transitions() -> Vec<[String; 6]> {
    let mut rows = vec![["from", "action", "to", "by", "when", "judges"].map(str::to_owned)];
    rows.extend(document::rows());
    rows
}

fn procedure_text(procedure: &Procedure, lang: Lang) -> String {
    let mut text = String::new();
    for row in &cases::TABLE {
        let by: Vec<&str> = row.by.iter().map(|role| role.title()).collect();
        text.push_str(&format!(
            "{} --{}--> {}  {}{}{}\n",
            row.from.title(),
            row.action.title(),
            row.to.title(),
            by.join("、"),
            if row.judges { "，判断" } else { "" },
            if row.when.title().is_empty() { String::new() } else { format!("，{}", row.when.title()) }
        ));
    }
    text.push('\n');
    for [title, value, region, source] in document::numbers(procedure) {
        text.push_str(&format!("{title}  {value}  {region}  {source}\n"));
    }
    text.push('\n');
    for reason in &procedure.reasons {
        text.push_str(&format!("{:<20} {}（错在：{}）\n", reason.code, reason.title, reason.fault.title()));
    }
    let years: Vec<String> = procedure.calendar.years().map(|year| year.to_string()).collect();
    text.push_str(&match lang {
        Lang::Zh => format!("\n节假日和调休：{}\n", years.join("、")),
        Lang::En => format!("\nholidays are known of {}\n", years.join(", ")),
    });
    text
}

fn scores(cards: &[Card], procedure: &Procedure, lang: Lang) -> String {
    let mut text = String::new();
    for card in cards {
        let counts = &card.counts;
        text.push_str(&format!(
            "{}  {}  {}  疑点 {}  有结论 {}  成立 {}  误报 {}{}  申诉 {}  撤回 {}  机审 {:.2}  到账 {:.2}  人工 {} 步",
            card.verdict.title(),
            counts.rule_code,
            counts.rule_title,
            counts.hits,
            counts.reviewed,
            card.confirmed,
            card.wrong,
            card.wrong_share.map_or_else(String::new, |share| format!("（{}%）", percent(share))),
            counts.appealed,
            counts.overturned,
            counts.found,
            counts.recovered,
            counts.steps
        ));
        if let Some(each) = card.recovered_a_step {
            text.push_str(&format!("  每步到账 {each:.2}"));
        }
        text.push('\n');
        for (code, times) in &card.look_at {
            let title = procedure.reason(code).map_or(code.as_str(), |reason| reason.title.as_str());
            text.push_str(&format!("    复核规则：{title} {times} 次\n"));
        }
    }
    if cards.is_empty() {
        text.push_str(match lang {
            Lang::Zh => "没有疑点\n",
            Lang::En => "no findings\n",
        });
    }
    text
}

/// A share as per cent, without trailing zeros.
fn percent(share: Decimal) -> Decimal {
    (share * Decimal::ONE_HUNDRED).normalize()
}

fn card_json(card: &Card) -> Json {
    let counts = &card.counts;
    json!({
        "rule_code": counts.rule_code,
        "rule_title": counts.rule_title,
        "verdict": card.verdict.name(),
        "hits": counts.hits,
        "reviewed": counts.reviewed,
        "confirmed": card.confirmed,
        "dismissed": counts.dismissed,
        "appealed": counts.appealed,
        "overturned": counts.overturned,
        "wrong": card.wrong,
        "wrong_share": card.wrong_share.map(|share| share.to_string()),
        "found": yuan(counts.found),
        "standing": yuan(counts.standing),
        "decided": yuan(counts.decided),
        "recovered": yuan(counts.recovered),
        "steps": counts.steps,
        "recovered_a_step": card.recovered_a_step.map(yuan),
        "reasons": counts.reasons,
        "look_at": card.look_at.iter().map(|(code, times)| json!({ "code": code, "times": times })).collect::<Vec<_>>(),
    })
}

fn card_rows(cards: &[Card]) -> Vec<[String; 13]> {
    let head = [
        "rule_code", "verdict", "hits", "reviewed", "confirmed", "wrong", "wrong_share", "appealed", "overturned", "found",
        "decided", "recovered", "steps",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(cards.iter().map(|card| {
        let counts = &card.counts;
        [
            counts.rule_code.clone(),
            card.verdict.name().to_owned(),
            counts.hits.to_string(),
            counts.reviewed.to_string(),
            card.confirmed.to_string(),
            card.wrong.to_string(),
            card.wrong_share.map(|share| share.to_string()).unwrap_or_default(),
            counts.appealed.to_string(),
            counts.overturned.to_string(),
            yuan(counts.found),
            yuan(counts.decided),
            yuan(counts.recovered),
            counts.steps.to_string(),
        ]
    }));
    rows
}
