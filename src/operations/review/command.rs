//! The files of a review: a bureau's pending settlements in, decisions out.
//!
//! Goes in: paths of pending claims in any form that ingest takes, or NDJSON; a dataset with the past. Comes out:
//! `decisions.csv`, `refused_lines.csv`, `findings.csv`, `finding_lines.csv`, `quarantine.csv` and `review.json`, all or none,
//! and [`Done`], which prints itself. Persons are masked unless somebody asked otherwise; claims are known by their ids.
//! Deliberately unknown here: how anything is decided.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::history::{History, Nothing, OfDataset, facilities_of};
use super::{Ask, Part, Review, Reviewer, Setup, Stage, ndjson};
use crate::aside::Aside;
use crate::engine::Tables;
use crate::findings::Finding;
use crate::ingest::{self, Dataset, Unit};
use crate::model::day;
use crate::operations::{Error, audit};
use crate::progress::Progress;
use crate::report::{self, Lang, sheets};
use crate::rules::Decision;

/// What to review and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// A folder or files of an export of pending claims, NDJSON files, or one dataset.
    pub inputs: Vec<PathBuf>,
    /// The past: a dataset.
    pub dataset: Option<PathBuf>,
    pub out: PathBuf,
    pub stage: Stage,
    pub setup: Setup,
    /// None: the last day in the claims and the past.
    pub as_of: Option<i32>,
    pub mapping: Option<PathBuf>,
    pub threads: Option<usize>,
    /// Bytes for what is worked on at once, about.
    pub memory: Option<u64>,
    /// Whole person numbers.
    pub unmask: bool,
}

/// What a review of files did.
#[derive(Debug)]
pub struct Done {
    pub review: Review,
    pub files: Vec<PathBuf>,
    /// `review.json`.
    pub record: Value,
    /// Rows that could not be read without guessing, and so were not reviewed.
    pub set_aside: u64,
    /// What was not read of NDJSON: fields that nothing knows, cells that are no text.
    pub unread: Vec<String>,
    unmask: bool,
    out: PathBuf,
}

/// Reviews files. The folder of the decisions is as it was until all of them are whole.
///
/// # Errors
/// Mistakes in rules or policy, claims or a past that cannot be read, a disk that is full, work that is wanted no longer.
pub fn review(options: &Options, progress: &dyn Progress) -> Result<Done, Error> {
    if options.inputs.is_empty() {
        let what = "nothing to review: name a folder of pending claims, files, or NDJSON";
        return Err(Error::Usage(what.to_owned()));
    }
    let reviewer = Reviewer::new(&options.setup)?;
    let past = options.dataset.as_deref().map(Dataset::open).transpose()?;
    let disk = |source| Error::Disk { doing: format!("write into `{}`", options.out.display()), source };
    // Kept until the end: the folder of a temporary dataset goes when this goes.
    let work = Aside::within(&options.out).map_err(disk)?;
    let (pending, unread) = taken_in(options, work.path(), progress)?;
    let last_days = [pending.manifest().last_day, past.as_ref().and_then(|past| past.manifest().last_day)];
    let as_of = options.as_of.or(last_days.into_iter().flatten().max()).unwrap_or(0);
    let facilities = facilities_of(&pending)?;
    let history: Box<dyn History> = match past {
        Some(past) => Box::new(OfDataset::told(past, progress)?.knowing(facilities)),
        None => Box::new(Nothing { facilities: facilities.into() }),
    };
    let ask = Ask::of(options.stage, as_of);
    let parts = look(options, &reviewer, &pending, history.as_ref(), &ask, progress)?;
    progress.begin("decide", 0);
    let review = reviewer.finish(parts, history.as_ref(), &ask)?;
    progress.end();

    let set_aside = pending.manifest().tables.values().map(|table| table.quarantined.rows).sum();
    let mut record = record(options, &reviewer, &pending, &review, as_of, set_aside);
    record["unread"] = json!(unread);
    let made = Aside::within(&options.out).map_err(disk)?;
    write(options, &review, &record, &pending, made.path(), progress).map_err(|source| {
        // A writer that was stopped says so in its library's words.
        if progress.stopped() { Error::Stopped } else { disk(source) }
    })?;
    progress.go_on()?;
    let files = made
        .publish()
        .map_err(|(path, source)| Error::Disk { doing: format!("write `{}`", path.display()), source })?;
    Ok(Done { review, files, record, set_aside, unread, unmask: options.unmask, out: options.out.clone() })
}

/// The pending claims as a dataset, and what was not read of NDJSON.
fn taken_in(options: &Options, work: &Path, progress: &dyn Progress) -> Result<(Dataset, Vec<String>), Error> {
    let mut unread = Vec::new();
    if let Some(folder) = audit::dataset_of(&options.inputs) {
        return Ok((Dataset::open(folder)?, unread));
    }
    let mut inputs = Vec::new();
    for (number, input) in options.inputs.iter().enumerate() {
        if ndjson::is_ndjson(input) {
            let spread = ndjson::spread(input, &work.join(format!("pending-{number}")))?;
            inputs.extend(spread.files);
            unread.extend(spread.notes);
        } else {
            inputs.push(input.clone());
        }
    }
    let how = ingest::Options {
        mapping: options.mapping.clone(),
        threads: options.threads,
        memory: options.memory,
        ..ingest::Options::default()
    };
    Ok((ingest::ingest(&inputs, &how, &work.join("dataset"), progress)?, unread))
}

/// Asks the rules about every unit of persons.
fn look(
    options: &Options,
    reviewer: &Reviewer,
    pending: &Dataset,
    history: &dyn History,
    ask: &Ask,
    progress: &dyn Progress,
) -> Result<Vec<Part>, Error> {
    let pool = audit::workers(options.threads, options.memory)?;
    progress.begin("review", pending.units().iter().map(|unit| unit.fee_lines).sum());
    let of_unit = |unit: &Unit| -> Result<Part, Error> {
        progress.go_on()?;
        let tables: Tables = pending.read_unit(unit, reviewer.columns(ask.stage), |_| Vec::new())?;
        let part = reviewer.look(&tables, history, ask, false)?;
        progress.advance(unit.fee_lines);
        Ok(part)
    };
    let parts = pool.install(|| pending.units().par_iter().map(of_unit).collect());
    progress.end();
    parts
}

fn record(
    options: &Options,
    reviewer: &Reviewer,
    pending: &Dataset,
    review: &Review,
    as_of: i32,
    set_aside: u64,
) -> Value {
    let person = |psn_no: &str| shown(psn_no, options.unmask);
    let claims: Vec<Value> = review
        .claims
        .iter()
        .map(|claim| {
            let lines: Vec<Value> = claim
                .refused_lines
                .iter()
                .map(|line| {
                    json!({ "mdtrt_id": line.mdtrt_id, "feedetl_sn": line.feedetl_sn, "amount": yuan(line.amount), "finding_id": line.finding_id, "rule_code": line.rule_code })
                })
                .collect();
            json!({
                "setl_id": claim.setl_id, "mdtrt_id": claim.mdtrt_id, "psn_no": person(&claim.psn_no), "fixmedins_code": claim.fixmedins_code,
                "decision": claim.decision.name(), "claimed": yuan(claim.claimed), "refused": yuan(claim.refused),
                "refused_lines": lines, "finding_ids": claim.finding_ids,
            })
        })
        .collect();
    let totals = &review.totals;
    let not_evaluated: Vec<Value> = review
        .not_evaluated
        .iter()
        .map(|n| json!({ "rule_code": n.rule_code, "why": n.why, "units": n.units }))
        .collect();
    let set = &reviewer.library().set;
    json!({
        "program": "fundaudit",
        "version": env!("CARGO_PKG_VERSION"),
        "rule_set_hash": set.hash,
        "decisions_hash": reviewer.policy().hash,
        "knowledge": set.brought.iter().map(|t| json!({ "table": t.table, "file": t.file, "rows": t.rows, "sha256": t.hash })).collect::<Vec<_>>(),
        "stage": options.stage.word(),
        "as_of": day::text(as_of),
        "region": options.setup.region,
        "history": options.dataset,
        "inputs": pending.manifest().inputs,
        "notes": pending.manifest().notes,
        "rows_set_aside": set_aside,
        "rules": reviewer.rules(options.stage).map(|rule| json!({ "code": rule.code, "version": rule.version, "hash": rule.hash, "status": rule.status.name() })).collect::<Vec<_>>(),
        "totals": {
            "claims": totals.claims, "pass": totals.passed, "hold": totals.held, "refuse": totals.refused,
            "claimed": yuan(totals.claimed), "claimed_held": yuan(totals.claimed_held), "refused_amount": yuan(totals.refused_amount),
            "findings": review.findings.len(),
        },
        "not_evaluated": not_evaluated,
        "not_run": review.not_run,
        "claims": claims,
    })
}

fn yuan(amount: rust_decimal::Decimal) -> String {
    format!("{amount:.2}")
}

fn shown(psn_no: &str, unmask: bool) -> String {
    if unmask { psn_no.to_owned() } else { report::without_person(psn_no, Some(psn_no)) }
}

fn write(
    options: &Options,
    review: &Review,
    record: &Value,
    pending: &Dataset,
    into: &Path,
    progress: &dyn Progress,
) -> std::io::Result<()> {
    let head = [
        "setl_id",
        "mdtrt_id",
        "psn_no",
        "fixmedins_code",
        "decision",
        "decision_title",
        "claimed",
        "refused",
        "findings",
        "finding_ids",
    ];
    let rows = review.claims.iter().map(|claim| {
        [
            claim.setl_id.clone(),
            claim.mdtrt_id.clone(),
            shown(&claim.psn_no, options.unmask),
            claim.fixmedins_code.clone(),
            claim.decision.name().to_owned(),
            claim.decision.title().to_owned(),
            yuan(claim.claimed),
            yuan(claim.refused),
            claim.finding_ids.len().to_string(),
            claim.finding_ids.join("|"),
        ]
    });
    sheets::table(head, rows, &into.join("decisions.csv"))?;
    let lines = review.claims.iter().flat_map(|claim| {
        claim.refused_lines.iter().map(|line| {
            [
                claim.setl_id.clone(),
                line.mdtrt_id.clone(),
                line.feedetl_sn.clone(),
                yuan(line.amount),
                line.rule_code.clone(),
                line.finding_id.clone(),
            ]
        })
    });
    let head = ["setl_id", "mdtrt_id", "feedetl_sn", "refused", "rule_code", "finding_id"];
    sheets::table(head, lines, &into.join("refused_lines.csv"))?;
    let findings = into.join("findings.csv");
    if options.unmask {
        sheets::findings(&review.findings, &findings, progress)?;
    } else {
        let masked: Vec<Finding> = review.findings.iter().map(report::masked).collect();
        sheets::findings(&masked, &findings, progress)?;
    }
    sheets::lines(&review.lines, &into.join("finding_lines.csv"), progress)?;
    sheets::quarantine(&pending.quarantine(), &into.join("quarantine.csv"))?;
    std::fs::write(into.join("review.json"), format!("{record:#}\n"))
}

/// Claims that are named on a terminal.
const SHOWN: usize = 20;

impl Done {
    /// As people read it.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
        let review = &self.review;
        let mut text = String::new();
        let mut named: Vec<_> = review.claims.iter().filter(|claim| claim.decision != Decision::Pass).collect();
        named.sort_by(|a, b| {
            b.decision.cmp(&a.decision).then(b.refused.cmp(&a.refused)).then(a.setl_id.cmp(&b.setl_id))
        });
        for claim in named.iter().take(SHOWN) {
            let id = if claim.setl_id.is_empty() { &claim.mdtrt_id } else { &claim.setl_id };
            let rules: std::collections::BTreeSet<&str> = review
                .findings
                .iter()
                .filter(|finding| claim.finding_ids.binary_search(&finding.finding_id).is_ok())
                .map(|finding| finding.rule_code.as_str())
                .collect();
            let rules = rules.into_iter().collect::<Vec<_>>().join(",");
            let word = say(claim.decision.title(), claim.decision.name());
            let line = format!(
                "{word:<8}{}  {}  {} {:>12}  {} {:>12}  {rules}",
                report::without_person(id, None),
                shown(&claim.psn_no, self.unmask),
                say("申报", "claimed"),
                yuan(claim.claimed),
                say("拒付", "refused"),
                yuan(claim.refused),
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        if named.len() > SHOWN {
            let _ =
                writeln!(text, "… {} {}", named.len() - SHOWN, say("笔另见 decisions.csv", "more, see decisions.csv"));
        }
        if !named.is_empty() {
            text.push('\n');
        }
        let totals = &review.totals;
        let _ = match lang {
            Lang::Zh => writeln!(
                text,
                "{} 笔待结算费用：通过 {}，待核 {}（{} 元），拒付 {}（{} 元）；政策范围内共 {} 元",
                totals.claims,
                totals.passed,
                totals.held,
                yuan(totals.claimed_held),
                totals.refused,
                yuan(totals.refused_amount),
                yuan(totals.claimed)
            ),
            Lang::En => writeln!(
                text,
                "{} pending claims of {} yuan in scope: pass {}, hold {} ({} yuan), refuse {} ({} yuan)",
                totals.claims,
                yuan(totals.claimed),
                totals.passed,
                totals.held,
                yuan(totals.claimed_held),
                totals.refused,
                yuan(totals.refused_amount)
            ),
        };
        let unanswered: u64 = review.not_evaluated.iter().map(|n| n.units).sum();
        if unanswered > 0 {
            let rules: std::collections::BTreeSet<&str> =
                review.not_evaluated.iter().map(|n| n.rule_code.as_str()).collect();
            let rules = rules.into_iter().collect::<Vec<_>>().join(", ");
            let what =
                say("次不评（没有答案，不等于没有问题）", "times not evaluated (no answer, which is not a clean bill)");
            let _ = writeln!(text, "{unanswered} {what}: {rules}");
        }
        if !review.not_run.is_empty() {
            let _ = writeln!(text, "{}: {}", say("没有来得及运行", "no time for"), review.not_run.join(", "));
        }
        if self.set_aside > 0 {
            let what =
                say("行没有复核（隔离，见 quarantine.csv）", "rows not reviewed (set aside, see quarantine.csv)");
            let _ = writeln!(text, "{} {what}", self.set_aside);
        }
        if let Some(first) = self.unread.first() {
            let what =
                say("处没有读入，都在 review.json 的 unread：", "places not read, all in review.json, `unread`:");
            let _ = writeln!(text, "{} {what} {}", self.unread.len(), report::without_person(first, None));
        }
        let _ = writeln!(text, "\n{} {}", say("结果在", "results are in"), self.out.display());
        text
    }
}
