//! Findings that are kept: a list, sums, one with all that happened to it, files to take away.
//!
//! Goes in: a store, a filter. Comes out: texts, JSON, CSV; files. Person numbers are masked in all of them, those of every
//! person whom a finding concerns, unless whole ones are asked for. Deliberately unknown here: flags, SQL, how findings came in.

use std::fs;
use std::path::{Path, PathBuf};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Error;
use crate::aside::Aside;
use crate::cases::{Actor, Measure, Step};
use crate::findings::{Finding, FindingLine, Outcome};
use crate::model::day;
use crate::progress::Progress;
use crate::report::{self, Context, Format, Lang, masked, sheets, text, without_person};
use crate::span::cells;
use crate::store::{By, Filter, Kept, Order, Page, Sighting, Store, Sum};

/// A page of findings, as people may see them.
#[derive(Debug, Clone)]
pub struct List {
    pub findings: Vec<Kept>,
    pub total: u64,
    pub page: Page,
}

/// Lists findings.
///
/// # Errors
/// The store.
pub fn list(store: &dyn Store, filter: &Filter, page: Page, unmask: bool) -> Result<List, Error> {
    let listed = store.list(filter, page)?;
    let findings = listed.findings.into_iter().map(|kept| shown(kept, unmask)).collect();
    Ok(List { findings, total: listed.total, page })
}

impl List {
    /// For a terminal.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let mut text = String::new();
        for kept in &self.findings {
            let finding = &kept.finding;
            let day = finding.from_day.as_deref().unwrap_or("          ");
            let marks = [
                (!kept.case.present, lang.of("不再发现", "gone")),
                (kept.case.seen_again, lang.of("再次发现", "seen again")),
                (finding.exempted_by.is_some(), lang.of("已豁免", "exempted")),
            ];
            let marks: String = marks.iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| format!("  {mark}")).collect();
            text.push_str(&format!(
                "{}  {} {day} {:<14} {:>14} {}  {}{marks}\n",
                finding.finding_id,
                finding.rule_code,
                finding.fixmedins_code.as_deref().unwrap_or("-"),
                yuan(finding.allocated),
                kept.case.status.title(),
                finding.rule_title,
            ));
        }
        let count = self.findings.len() as u64;
        let rest = self.total.saturating_sub(self.page.skip + count);
        text.push_str(&match (lang, rest) {
            (Lang::Zh, 0) => format!("{} 条疑点\n", self.total),
            (Lang::En, 0) => format!("{} findings\n", self.total),
            (Lang::Zh, _) => format!("{} 条疑点，还有 {rest} 条：--skip {}\n", self.total, self.page.skip + count),
            (Lang::En, _) => format!("{} findings, {rest} more: --skip {}\n", self.total, self.page.skip + count),
        });
        text
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "total": self.total, "findings": self.findings.iter().map(record).collect::<Vec<_>>() })
    }

    /// Head and rows.
    #[must_use]
    pub fn csv(&self) -> Vec<[String; CASE_HEAD.len()]> {
        let mut rows = vec![CASE_HEAD.map(str::to_owned)];
        rows.extend(self.findings.iter().map(case_row));
        rows
    }
}

/// Adds findings up.
///
/// # Errors
/// The store.
pub fn sums(store: &dyn Store, filter: &Filter, by: By) -> Result<Vec<Sum>, Error> {
    Ok(store.sum(filter, by)?)
}

const SUM_HEAD: [&str; 10] = [
    "key",
    "title",
    "findings",
    "amount",
    "allocated",
    "standing",
    "decided",
    "damages",
    "recovered",
    "damages_recovered",
];

fn sum_row(sum: &Sum) -> [String; SUM_HEAD.len()] {
    let money =
        [sum.amount, sum.allocated, sum.standing, sum.decided, sum.damages, sum.recovered, sum.damages_recovered]
            .map(yuan);
    let [amount, allocated, standing, decided, damages, recovered, damages_recovered] = money;
    [
        sum.key.clone(),
        sum.title.clone().unwrap_or_default(),
        sum.findings.to_string(),
        amount,
        allocated,
        standing,
        decided,
        damages,
        recovered,
        damages_recovered,
    ]
}

/// Sums for a terminal.
#[must_use]
pub fn sums_text(sums: &[Sum], lang: Lang) -> String {
    let heads = match lang {
        Lang::Zh => ["疑点", "计入金额", "仍成立", "决定追回", "已追回"],
        Lang::En => ["findings", "counted", "standing", "decided", "recovered"],
    };
    let mut text: String =
        heads.iter().enumerate().map(|(place, head)| right(head, if place == 0 { 9 } else { 16 })).collect();
    text.push('\n');
    for sum in sums {
        let money = [sum.allocated, sum.standing, sum.decided, sum.recovered].map(yuan);
        let [counted, standing, decided, recovered] = money;
        let title = sum.title.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "{:>9} {counted:>15} {standing:>15} {decided:>15} {recovered:>15}  {} {title}\n",
            sum.findings, sum.key
        ));
    }
    text
}

/// Sums for programs.
#[must_use]
pub fn sums_json(sums: &[Sum]) -> Value {
    let object = |sum: &Sum| {
        let cells = SUM_HEAD.into_iter().zip(sum_row(sum));
        let mut object: serde_json::Map<String, Value> =
            cells.map(|(name, cell)| (name.to_owned(), Value::String(cell))).collect();
        object.insert("findings".to_owned(), Value::from(sum.findings));
        Value::Object(object)
    };
    Value::Array(sums.iter().map(object).collect())
}

/// Sums as head and rows.
#[must_use]
pub fn sums_csv(sums: &[Sum]) -> Vec<[String; SUM_HEAD.len()]> {
    let mut rows = vec![SUM_HEAD.map(str::to_owned)];
    rows.extend(sums.iter().map(sum_row));
    rows
}

/// One finding with all that happened to it, as people may see it.
#[derive(Debug, Clone)]
pub struct Told {
    pub kept: Kept,
    pub lines: Vec<FindingLine>,
    pub sightings: Vec<Sighting>,
    pub steps: Vec<Step>,
}

/// Tells of one finding.
///
/// # Errors
/// There is none of this id; the store.
pub fn show(store: &dyn Store, finding_id: &str, unmask: bool) -> Result<Told, Error> {
    let Some(kept) = store.get(finding_id)? else {
        return Err(Error::Usage(format!(
            "there is no finding `{finding_id}` in the store: `fundaudit findings list` names them, 32 letters and digits each"
        )));
    };
    let persons = kept.persons.clone();
    let hide = |text: &str| if unmask { text.to_owned() } else { without(text, &persons) };
    let mut sightings = store.sightings(finding_id)?;
    for change in sightings.iter_mut().flat_map(|sighting| &mut sighting.changes) {
        change.before = change.before.as_deref().map(hide);
        change.after = change.after.as_deref().map(hide);
    }
    let mut steps = store.steps(finding_id)?;
    for step in &mut steps {
        step.reason = hide(&step.reason);
    }
    Ok(Told { lines: store.lines(finding_id)?, kept: shown(kept, unmask), sightings, steps })
}

impl Told {
    /// For a terminal.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let Kept { finding, case, .. } = &self.kept;
        let facility = finding.fixmedins_code.clone().zip(self.kept.facility.clone());
        let context = Context { facilities: facility.into_iter().collect(), ..Context::default() };
        let mut said = text::finding(finding, &context, lang);
        let mut say = |name: &str, what: String| said.push_str(&format!("   = {name} {what}\n"));
        say(
            lang.of("状态", "status"),
            format!(
                "{}（{}）{}{}",
                case.status.title(),
                case.outcome.title(),
                if case.present { "" } else { lang.of("，不再发现", ", no longer found") },
                if case.seen_again { lang.of("，再次发现", ", seen again") } else { "" },
            ),
        );
        say(lang.of("首次发现", "first seen"), format!("{} {}", self.kept.first_seen_at, self.kept.first_scan));
        say(lang.of("最近发现", "last seen"), format!("{} {}", self.kept.last_seen_at, self.kept.last_scan));
        if let Some(assignee) = &case.assignee {
            say(lang.of("经办人", "assignee"), assignee.clone());
        }
        if let Some(deadline) = case.deadline {
            say(lang.of("期限", "deadline"), day::text(deadline));
        }
        say(
            lang.of("金额", "money"),
            [
                (lang.of("机审", "found"), case.found),
                (lang.of("仍成立", "standing"), case.standing),
                (lang.of("决定追回", "decided"), case.decided),
                (lang.of("违约金", "damages"), case.damages),
                (lang.of("已追回", "recovered"), case.recovered),
                (lang.of("违约金到账", "damages recovered"), case.damages_recovered),
            ]
            .map(|(name, amount)| format!("{name} {}", yuan(amount)))
            .join("  "),
        );
        for line in &self.lines {
            let kind =
                if line.kind == 1 { lang.of("违规项", "violating") } else { lang.of("涉及项", "involved") };
            say(kind, format!("{} {} {}", line.mdtrt_id, line.feedetl_sn, yuan(line.amount)));
        }
        for sighting in &self.sightings {
            let changes: String = sighting
                .changes
                .iter()
                .map(|change| {
                    let of = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "-".to_owned());
                    format!("  {}: {} → {}", change.column, of(&change.before), of(&change.after))
                })
                .collect();
            say(sighting.what.title(), format!("{} {}{changes}", sighting.at, sighting.scan_id));
        }
        for step in &self.steps {
            let actor = Actor::from_name(&step.actor).map_or(step.actor.clone(), |actor| actor.title().to_owned());
            say(
                step.action.title(),
                format!(
                    "{} {actor} {} → {} {} → {}{} {}{}",
                    step.at,
                    step.from.title(),
                    step.to.title(),
                    yuan(step.before),
                    yuan(step.after),
                    if step.damages.is_zero() {
                        String::new()
                    } else {
                        format!("{}{}", lang.of(" 违约金 ", " damages "), yuan(step.damages))
                    },
                    step.reason_code.as_deref().map_or(String::new(), |code| format!("[{code}] ")),
                    step.reason
                ),
            );
            for attached in &step.attachments {
                say(
                    lang.of("附件", "attached"),
                    format!("{} {} sha256:{}", attached.name, attached.bytes, attached.sha256),
                );
            }
        }
        said
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut record = record(&self.kept);
        record["lines"] = self
            .lines
            .iter()
            .map(|line| {
                json!({ "mdtrt_id": line.mdtrt_id, "feedetl_sn": line.feedetl_sn, "kind": line.kind, "amount": yuan(line.amount) })
            })
            .collect();
        record["sightings"] = self
            .sightings
            .iter()
            .map(|seen| json!({ "scan_id": seen.scan_id, "at": seen.at, "what": seen.what.name(), "changes": seen.changes }))
            .collect();
        record["steps"] = self
            .steps
            .iter()
            .map(|step| {
                json!({
                    "seq": step.seq, "at": step.at, "actor": step.actor, "action": step.action.name(), "from": step.from.name(),
                    "to": step.to.name(), "outcome": step.outcome.name(), "reason_code": step.reason_code, "reason": step.reason,
                    "before": yuan(step.before), "after": yuan(step.after), "damages": yuan(step.damages),
                    "deadline": step.deadline.map(day::text), "attachments": step.attachments,
                })
            })
            .collect();
        record
    }
}

/// Writes findings, their lines and `cases.csv` into a folder; which files. Made aside and moved into place.
///
/// # Errors
/// The store or the disk.
pub fn export(
    store: &dyn Store,
    filter: &Filter,
    formats: &[Format],
    out: &Path,
    unmask: bool,
    progress: &dyn Progress,
) -> Result<Vec<PathBuf>, Error> {
    let mut outcome = Outcome::default();
    let mut cases: Vec<[String; CASE_HEAD.len()]> = Vec::new();
    let mut context = Context { unmask, ..Context::default() };
    store.each(filter, &mut |kept, lines| {
        let kept = shown(kept, unmask);
        cases.push(case_row(&kept));
        if let Some((code, name)) = kept.finding.fixmedins_code.clone().zip(kept.facility.clone()) {
            context.facilities.insert(code, name);
        }
        outcome.findings.push(kept.finding);
        outcome.lines.extend(lines);
        Ok(())
    })?;
    let disk = |source| Error::Disk { doing: format!("write into `{}`", out.display()), source };
    let aside = Aside::within(out).map_err(disk)?;
    progress.begin("export", outcome.findings.len() as u64);
    sheets::written(&outcome, &context, formats, aside.path(), progress)?;
    progress.end();
    sheets::table(CASE_HEAD, cases, &aside.path().join("cases.csv")).map_err(disk)?;
    for file in fs::read_dir(aside.path()).map_err(disk)? {
        let file = file.map_err(disk)?.path();
        fs::File::open(&file).and_then(|file| file.sync_all()).map_err(disk)?;
    }
    aside
        .publish()
        .map_err(|(place, source)| Error::Report(report::Error::Disk { doing: "write", path: place, source }))
}

/// Columns of `cases.csv` and of a list.
const CASE_HEAD: [&str; 26] = [
    "finding_id",
    "rule_code",
    "rule_title",
    "result",
    "psn_no",
    "mdtrt_id",
    "fixmedins_code",
    "facility",
    "from_day",
    "until_day",
    "amount",
    "allocated",
    "status",
    "outcome",
    "measures",
    "assignee",
    "deadline",
    "found",
    "standing",
    "decided",
    "damages",
    "recovered",
    "damages_recovered",
    "seen_again",
    "present",
    "first_seen_at",
];

fn case_row(kept: &Kept) -> [String; CASE_HEAD.len()] {
    let Kept { finding, case, .. } = kept;
    let may = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        finding.finding_id.clone(),
        finding.rule_code.clone(),
        finding.rule_title.clone(),
        finding.result.clone(),
        may(&finding.psn_no),
        may(&finding.mdtrt_id),
        may(&finding.fixmedins_code),
        may(&kept.facility),
        may(&finding.from_day),
        may(&finding.until_day),
        yuan(finding.amount),
        yuan(finding.allocated),
        case.status.name().to_owned(),
        case.outcome.name().to_owned(),
        Measure::names(&case.measures),
        may(&case.assignee),
        case.deadline.map(day::text).unwrap_or_default(),
        yuan(case.found),
        yuan(case.standing),
        yuan(case.decided),
        yuan(case.damages),
        yuan(case.recovered),
        yuan(case.damages_recovered),
        u8::from(case.seen_again).to_string(),
        u8::from(case.present).to_string(),
        kept.first_seen_at.clone(),
    ]
}

fn record(kept: &Kept) -> Value {
    let Kept { finding, case, .. } = kept;
    let object = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let mut record = json!({
        "finding_id": finding.finding_id, "rule_code": finding.rule_code, "rule_name": finding.rule_name,
        "rule_title": finding.rule_title, "rule_hash": finding.rule_hash, "result": finding.result,
        "severity": finding.severity, "unit": finding.unit, "key": object(&finding.key), "psn_no": finding.psn_no,
        "mdtrt_id": finding.mdtrt_id, "setl_id": finding.setl_id, "feedetl_sn": finding.feedetl_sn,
        "fixmedins_code": finding.fixmedins_code, "facility": kept.facility, "region": case.region,
        "from_day": finding.from_day, "until_day": finding.until_day, "amount": yuan(finding.amount),
        "allocated": yuan(finding.allocated), "fund_loss_est": finding.fund_loss_est.map(yuan),
    });
    record["message"] = json!(finding.message);
    record["basis"] = json!(finding.basis);
    record["evidence"] = object(&finding.evidence);
    record["exempted_by"] = json!(finding.exempted_by);
    record["fund_money"] = json!(finding.fund_money);
    record["first_seen"] = json!({ "scan_id": kept.first_scan, "at": kept.first_seen_at });
    record["last_seen"] = json!({ "scan_id": kept.last_scan, "at": kept.last_seen_at });
    record["case"] = json!({
        "status": case.status.name(), "outcome": case.outcome.name(), "version": case.version,
        "measures": case.measures.iter().map(|measure| measure.name()).collect::<Vec<_>>(),
        "assignee": case.assignee, "deadline": case.deadline.map(day::text), "judges": case.judges,
        "found": yuan(case.found), "standing": yuan(case.standing), "decided": yuan(case.decided),
        "damages": yuan(case.damages), "recovered": yuan(case.recovered),
        "damages_recovered": yuan(case.damages_recovered), "seen_again": case.seen_again, "present": case.present,
    });
    record
}

/// The finding as people may see it: every person whom it concerns masked, wherever the number stands.
#[must_use]
pub fn shown(kept: Kept, unmask: bool) -> Kept {
    if unmask {
        return kept;
    }
    let finding = masked(&kept.finding);
    let finding = Finding {
        key: without(&finding.key, &kept.persons),
        message: without(&finding.message, &kept.persons),
        evidence: without(&finding.evidence, &kept.persons),
        ..finding
    };
    let persons = kept.persons.iter().map(|psn_no| without_person(psn_no, Some(psn_no))).collect();
    Kept { finding, persons, ..kept }
}

fn without(text: &str, persons: &[String]) -> String {
    persons.iter().fold(text.to_owned(), |text, psn_no| without_person(&text, Some(psn_no)))
}

/// The text at the right of so many cells of a terminal.
fn right(text: &str, width: usize) -> String {
    let taken: usize = text.chars().map(cells).sum();
    format!("{}{text}", " ".repeat(width.saturating_sub(taken)))
}

fn yuan(amount: Decimal) -> String {
    format!("{amount:.2}")
}

/// An order by its word.
///
/// # Errors
/// The words that there are.
pub fn order(word: &str) -> Result<Order, String> {
    Order::from_name(word).ok_or_else(|| wanted(Order::ALL.iter().map(|order| order.name())))
}

/// What to add up by, by its word.
///
/// # Errors
/// The words that there are.
pub fn by(word: &str) -> Result<By, String> {
    By::from_name(word).ok_or_else(|| wanted(By::ALL.iter().map(|by| by.name())))
}

/// `wanted a, b or c`.
pub fn wanted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("wanted one of {}", words.collect::<Vec<_>>().join(", "))
}
