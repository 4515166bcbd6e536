//! Findings and their cases as rows, and questions about them: lists, sums, one finding with what scans said of it.
//!
//! Goes in: a filter, a page. Comes out: findings as they were found, with the case. A list asks for the ids of its page first,
//! over the narrow table alone, and for the texts of these only. Deliberately unknown here: how findings come in (`merge`), what
//! people do with them (`work`).

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};

use super::database::{Arg, Row, Session, cents, without_nul};
use super::filter::{Where, ordered};
use super::sql::Sql;
use super::{By, Change, Error, Filter, Kept, Listed, Page, Sighting, Sum, What};
use crate::cases::{Case, Measure, Outcome, Status};
use crate::findings::{Finding, FindingLine};
use crate::model::day;

/// The cells of a case, over `f`; [`case`] reads them.
pub(super) const CASE: &str = "f.finding_id, f.status, f.outcome, f.measures, f.version, f.assignee, f.deadline, f.found, \
                               f.standing, f.decided, f.damages, f.recovered, f.damages_recovered, f.seen_again, f.present, \
                               f.judges, f.changed_at, f.result, f.region, f.fixmedins_code";

/// What is known of a finding besides its case; [`kept`] reads these and then the case.
const KEPT: &str = "f.finding_id, f.rule_code, t.rule_name, t.rule_title, t.rule_hash, f.result, f.severity, t.unit, t.key, \
                    f.psn_no, f.mdtrt_id, t.setl_id, t.feedetl_sn, f.fixmedins_code, f.from_day, f.until_day, f.amount, \
                    f.allocated, f.fund_loss_est, t.message, t.basis, t.evidence, f.exempted_by, f.fund_money, h.name, \
                    f.first_scan, f.first_seen_at, f.last_scan, f.last_seen_at";

const FROM: &str = "from finding f join finding_text t on t.finding_id = f.finding_id \
                    left join facility h on h.fixmedins_code = f.fixmedins_code where f.finding_id in";

pub(super) const CERTAIN: &str = "明确违规";

impl Sql {
    pub(super) fn list_findings(&self, filter: &Filter, page: Page) -> Result<Listed, Error> {
        let mut session = self.database.read("list findings")?;
        let wanted = Where::of(filter);
        let total = session.number(&format!("select count(*) from finding f {}", wanted.text()), &wanted.args)?;
        let ids = ids_of(session.as_mut(), wanted, page)?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        Ok(Listed { findings: findings_of(session.as_mut(), &ids)?, total: u64::try_from(total).unwrap_or(0) })
    }

    pub(super) fn list_cases(&self, filter: &Filter, page: Page) -> Result<Vec<Case>, Error> {
        let mut session = self.database.read("list cases")?;
        let ids = ids_of(session.as_mut(), Where::of(filter), page)?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut cases = HashMap::with_capacity(ids.len());
        session.of(&format!("select {CASE} from finding f where f.finding_id in"), &ids, "", &mut |mut row| {
            let case = case(&mut row)?;
            cases.insert(case.finding_id.clone(), case);
            Ok(())
        })?;
        Ok(ids.iter().filter_map(|id| cases.remove(*id)).collect())
    }

    pub(super) fn each_finding(
        &self,
        filter: &Filter,
        take: &mut dyn FnMut(Kept, Vec<FindingLine>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut session = self.database.read("read findings")?;
        let wanted = Where::of(filter);
        let sql = format!("select f.finding_id from finding f {} order by f.rule_code, f.finding_id", wanted.text());
        let mut ids = Vec::new();
        session.each(&sql, &wanted.args, &mut |mut row| {
            ids.push(row.text()?);
            Ok(())
        })?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for group in ids.chunks(super::database::GROUP) {
            let mut lines = lines_of(session.as_mut(), group)?;
            for kept in findings_of(session.as_mut(), group)? {
                let lines = lines.remove(&kept.finding.finding_id).unwrap_or_default();
                take(kept, lines)?;
            }
        }
        Ok(())
    }

    pub(super) fn finding_of(&self, finding_id: &str) -> Result<Option<Kept>, Error> {
        let mut session = self.database.read("show a finding")?;
        Ok(findings_of(session.as_mut(), &[finding_id])?.pop())
    }

    pub(super) fn lines_of(&self, finding_id: &str) -> Result<Vec<FindingLine>, Error> {
        let mut session = self.database.read("list the lines of a finding")?;
        Ok(lines_of(session.as_mut(), &[finding_id])?.remove(finding_id).unwrap_or_default())
    }

    pub(super) fn sightings_of(&self, finding_id: &str) -> Result<Vec<Sighting>, Error> {
        let mut session = self.database.read("list what scans said of a finding")?;
        let rows = session.rows(
            "select scan_id, at, what, changes from sighting where finding_id = $1 order by at, scan_id, what desc",
            &[Arg::from(finding_id)],
        )?;
        rows.into_iter()
            .map(|mut row| {
                Ok(Sighting {
                    scan_id: row.text()?,
                    at: row.text()?,
                    what: row.word(What::from_name)?,
                    changes: json(&row.text()?)?,
                })
            })
            .collect()
    }

    pub(super) fn add_up(&self, filter: &Filter, by: By) -> Result<Vec<Sum>, Error> {
        let key = match by {
            By::Nothing => "''",
            By::Rule => "f.rule_code",
            By::Facility => "coalesce(f.fixmedins_code, '')",
            By::Region => "coalesce(f.region, '')",
            By::Status => "f.status",
            By::Outcome => "f.outcome",
            By::Month => "coalesce(f.month, '')",
            By::Result => "f.result",
            By::Severity => "f.severity",
            By::Assignee => "coalesce(f.assignee, '')",
        };
        let sums: Vec<String> = [
            "case when f.fund_money = 1 then f.amount else 0 end",
            "f.allocated",
            "f.standing",
            "f.decided",
            "f.damages",
            "f.recovered",
            "f.damages_recovered",
        ]
        .iter()
        .map(|cents| format!("cast(coalesce(sum({cents}), 0) as bigint)"))
        .collect();
        let mut session = self.database.read("add up findings")?;
        let wanted = Where::of(filter);
        let group = if by == By::Nothing { String::new() } else { format!("group by {key}") };
        let sql = format!(
            "select {key}, count(*), {} from finding f {} {group} order by 4 desc, 2 desc, 1",
            sums.join(", "),
            wanted.text()
        );
        let rows = session.rows(&sql, &wanted.args)?;
        let mut titles = match by {
            By::Rule => names(session.as_mut(), "select rule_code, rule_title from rule")?,
            By::Facility => names(session.as_mut(), "select fixmedins_code, name from facility where name is not null")?,
            _ => BTreeMap::new(),
        };
        rows.into_iter()
            .map(|mut row| {
                let key = row.text()?;
                let title = match by {
                    By::Status => Status::from_name(&key).map(|status| status.title().to_owned()),
                    By::Outcome => Outcome::from_name(&key).map(|outcome| outcome.title().to_owned()),
                    _ => titles.remove(&key),
                };
                Ok(Sum {
                    key,
                    title,
                    findings: row.count()?,
                    amount: row.yuan()?,
                    allocated: row.yuan()?,
                    standing: row.yuan()?,
                    decided: row.yuan()?,
                    damages: row.yuan()?,
                    recovered: row.yuan()?,
                    damages_recovered: row.yuan()?,
                })
            })
            .collect()
    }
}

fn names(session: &mut dyn Session, sql: &str) -> Result<BTreeMap<String, String>, Error> {
    session.rows(sql, &[])?.into_iter().map(|mut row| Ok((row.text()?, row.text()?))).collect()
}

/// The ids of a page, in its order.
fn ids_of(session: &mut dyn Session, mut wanted: Where<'_>, page: Page) -> Result<Vec<String>, Error> {
    let condition = wanted.text();
    let take = wanted.mark(Arg::from(i64::from(page.take)));
    let skip = wanted.mark(Arg::from(page.skip));
    let sql =
        format!("select f.finding_id from finding f {condition} {} limit {take} offset {skip}", ordered(page.order));
    session.rows(&sql, &wanted.args)?.into_iter().map(|mut row| row.text()).collect()
}

/// Findings of these ids, in their order.
pub(super) fn findings_of(session: &mut dyn Session, ids: &[&str]) -> Result<Vec<Kept>, Error> {
    let mut found = HashMap::with_capacity(ids.len());
    session.of(&format!("select {KEPT}, {CASE} {FROM}"), ids, "", &mut |mut row| {
        let kept = kept(&mut row)?;
        found.insert(kept.finding.finding_id.clone(), kept);
        Ok(())
    })?;
    let mut persons = persons_of(session, ids)?;
    let whole = |mut kept: Kept| {
        kept.persons = persons.remove(&kept.finding.finding_id).unwrap_or_default();
        kept
    };
    Ok(ids.iter().filter_map(|id| found.remove(*id)).map(whole).collect())
}

/// Lines of these findings.
pub(super) fn lines_of(session: &mut dyn Session, ids: &[&str]) -> Result<HashMap<String, Vec<FindingLine>>, Error> {
    let mut lines: HashMap<String, Vec<FindingLine>> = HashMap::new();
    let sql = "select finding_id, mdtrt_id, feedetl_sn, kind, amount from finding_line where finding_id in";
    session.of(sql, ids, "order by finding_id, place", &mut |mut row| {
        let line = FindingLine {
            finding_id: row.text()?,
            mdtrt_id: row.text()?,
            feedetl_sn: row.text()?,
            kind: u8::try_from(row.int()?).unwrap_or(0),
            amount: row.yuan()?,
        };
        lines.entry(line.finding_id.clone()).or_default().push(line);
        Ok(())
    })?;
    Ok(lines)
}

/// Persons of these findings, in order.
fn persons_of(session: &mut dyn Session, ids: &[&str]) -> Result<HashMap<String, Vec<String>>, Error> {
    let mut persons: HashMap<String, Vec<String>> = HashMap::new();
    let sql = "select finding_id, psn_no from finding_person where finding_id in";
    session.of(sql, ids, "order by finding_id, psn_no", &mut |mut row| {
        let id = row.text()?;
        persons.entry(id).or_default().push(row.text()?);
        Ok(())
    })?;
    Ok(persons)
}

fn kept(row: &mut Row) -> Result<Kept, Error> {
    let text_of = |day: Option<i32>| day.map(day::text);
    let finding = Finding {
        finding_id: row.text()?,
        rule_code: row.text()?,
        rule_name: row.text()?,
        rule_title: row.text()?,
        rule_hash: row.text()?,
        result: row.text()?,
        severity: row.text()?,
        unit: row.text()?,
        key: row.text()?,
        psn_no: row.may_text()?,
        mdtrt_id: row.may_text()?,
        setl_id: row.may_text()?,
        feedetl_sn: row.may_text()?,
        fixmedins_code: row.may_text()?,
        from_day: text_of(row.may_day()?),
        until_day: text_of(row.may_day()?),
        amount: row.yuan()?,
        allocated: row.yuan()?,
        fund_loss_est: row.may_yuan()?,
        message: row.text()?,
        basis: row.text()?,
        evidence: row.text()?,
        exempted_by: row.may_text()?,
        fund_money: row.flag()?,
    };
    Ok(Kept {
        finding,
        persons: Vec::new(),
        facility: row.may_text()?,
        first_scan: row.text()?,
        first_seen_at: row.text()?,
        last_scan: row.text()?,
        last_seen_at: row.text()?,
        case: case(row)?,
    })
}

/// Reads [`CASE`].
pub(super) fn case(row: &mut Row) -> Result<Case, Error> {
    Ok(Case {
        finding_id: row.text()?,
        status: row.word(Status::from_name)?,
        outcome: row.word(Outcome::from_name)?,
        measures: row.word(|words| Measure::from_names(words).ok())?,
        version: row.int()?,
        assignee: row.may_text()?,
        deadline: row.may_day()?,
        found: row.yuan()?,
        standing: row.yuan()?,
        decided: row.yuan()?,
        damages: row.yuan()?,
        recovered: row.yuan()?,
        damages_recovered: row.yuan()?,
        seen_again: row.flag()?,
        present: row.flag()?,
        judges: json(&row.text()?)?,
        changed_at: row.text()?,
        certain: row.text()? == CERTAIN,
        region: row.may_text()?,
        fixmedins_code: row.may_text()?,
    })
}

/// Columns of the case, in the order of [`case_args`].
pub(super) const CASE_COLUMNS: [&str; 16] = [
    "status",
    "outcome",
    "measures",
    "version",
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
    "judges",
    "changed_at",
];

/// Values of [`CASE_COLUMNS`].
pub(super) fn case_args(case: &Case) -> Vec<Arg<'static>> {
    vec![
        Arg::from(case.status.name()),
        Arg::from(case.outcome.name()),
        Arg::from(Measure::names(&case.measures)),
        Arg::from(case.version),
        Arg::from(&case.assignee).owned(),
        Arg::from(case.deadline),
        Arg::cents(case.found),
        Arg::cents(case.standing),
        Arg::cents(case.decided),
        Arg::cents(case.damages),
        Arg::cents(case.recovered),
        Arg::cents(case.damages_recovered),
        Arg::from(case.seen_again),
        Arg::from(case.present),
        Arg::from(serde_json::to_string(&case.judges).expect("names are JSON")),
        Arg::from(case.changed_at.as_str()).owned(),
    ]
}

/// When a finding was seen.
pub(super) struct Times<'a> {
    pub first_scan: &'a str,
    pub first_seen_at: &'a str,
    pub last_scan: &'a str,
    pub last_seen_at: &'a str,
}

/// A row of the table `finding`.
pub(super) fn narrow<'a>(finding: &'a Finding, content: &'a str, times: &Times<'a>, case: &Case) -> Vec<Arg<'a>> {
    let mut row = vec![
        Arg::from(&finding.finding_id),
        Arg::from(&finding.rule_code),
        Arg::from(&finding.result),
        Arg::from(&finding.severity),
        Arg::from(&finding.psn_no),
        Arg::from(&finding.mdtrt_id),
        Arg::from(&finding.fixmedins_code),
        Arg::from(&case.region).owned(),
        Arg::from(day_of(finding.from_day.as_deref())),
        Arg::from(day_of(finding.until_day.as_deref())),
        Arg::from(finding.from_day.as_deref().and_then(|day| day.get(..7))),
        Arg::cents(finding.amount),
        Arg::cents(finding.allocated),
        Arg::Int(finding.fund_loss_est.map(cents)),
        Arg::from(finding.fund_money),
        Arg::from(&finding.exempted_by),
        Arg::from(content),
        Arg::from(times.first_scan),
        Arg::from(times.first_seen_at),
        Arg::from(times.last_scan),
        Arg::from(times.last_seen_at),
    ];
    row.extend(case_args(case));
    row
}

/// A row of the table `finding_text`.
pub(super) fn texts(finding: &Finding) -> Vec<Arg<'_>> {
    vec![
        Arg::from(&finding.finding_id),
        Arg::from(&finding.rule_name),
        Arg::from(&finding.rule_title),
        Arg::from(&finding.rule_hash),
        Arg::from(&finding.unit),
        Arg::from(&finding.key),
        Arg::from(&finding.setl_id),
        Arg::from(&finding.feedetl_sn),
        Arg::from(&finding.message),
        Arg::from(&finding.basis),
        Arg::from(&finding.evidence),
    ]
}

/// Rows of the table `finding_line`.
pub(super) fn line_rows<'a>(finding_id: &'a str, lines: &'a [FindingLine]) -> impl Iterator<Item = Vec<Arg<'a>>> {
    lines.iter().enumerate().map(move |(place, line)| {
        vec![
            Arg::from(finding_id),
            Arg::from(place as u64),
            Arg::from(&line.mdtrt_id),
            Arg::from(&line.feedetl_sn),
            Arg::from(i64::from(line.kind)),
            Arg::cents(line.amount),
        ]
    })
}

fn day_of(text: Option<&str>) -> Option<i32> {
    text.and_then(day::parse)
}

/// What a scan says of a fact, cell by cell, except the rule's name and version, which may change without the fact.
fn cells(finding: &Finding, lines: &[FindingLine], persons: &[String]) -> Vec<(&'static str, Option<String>)> {
    let text = |text: &str| Some(without_nul(text).into_owned());
    let may = |text: &Option<String>| text.as_deref().map(|text| without_nul(text).into_owned());
    let yuan = |amount: Decimal| Some(Decimal::new(cents(amount), 2).to_string());
    let day = |day: &Option<String>| day_of(day.as_deref()).map(day::text);
    let lines: Vec<_> = lines
        .iter()
        .map(|line| (without_nul(&line.mdtrt_id), without_nul(&line.feedetl_sn), line.kind, yuan(line.amount)))
        .collect();
    vec![
        ("result", text(&finding.result)),
        ("severity", text(&finding.severity)),
        ("unit", text(&finding.unit)),
        ("key", text(&finding.key)),
        ("psn_no", may(&finding.psn_no)),
        ("mdtrt_id", may(&finding.mdtrt_id)),
        ("setl_id", may(&finding.setl_id)),
        ("feedetl_sn", may(&finding.feedetl_sn)),
        ("fixmedins_code", may(&finding.fixmedins_code)),
        ("from_day", day(&finding.from_day)),
        ("until_day", day(&finding.until_day)),
        ("amount", yuan(finding.amount)),
        ("allocated", yuan(finding.allocated)),
        ("fund_loss_est", finding.fund_loss_est.and_then(yuan)),
        ("message", text(&finding.message)),
        ("basis", text(&finding.basis)),
        ("evidence", text(&finding.evidence)),
        ("exempted_by", may(&finding.exempted_by)),
        ("fund_money", Some(finding.fund_money.to_string())),
        ("lines", serde_json::to_string(&lines).ok()),
        ("persons", serde_json::to_string(persons).ok()),
    ]
}

/// A hash of all that a scan says of a fact. `persons` are in order, each once.
pub(super) fn content(finding: &Finding, lines: &[FindingLine], persons: &[String]) -> String {
    let mut hash = Sha256::new();
    for (_, cell) in cells(finding, lines, persons) {
        // Nothing and the empty text are two things.
        let length = cell.as_ref().map_or(u64::MAX, |text| text.len() as u64);
        hash.update(length.to_le_bytes());
        hash.update(cell.unwrap_or_default().as_bytes());
    }
    hash.finalize().iter().take(16).fold(String::with_capacity(32), |hex, byte| hex + &format!("{byte:02x}"))
}

/// A fact as it was and as it is.
pub(super) struct Said<'a> {
    pub finding: &'a Finding,
    pub lines: &'a [FindingLine],
    pub persons: &'a [String],
}

/// The cells in which two sayings of one fact differ.
pub(super) fn changes(before: &Said<'_>, after: &Said<'_>) -> Vec<Change> {
    let of = |said: &Said<'_>| cells(said.finding, said.lines, said.persons);
    of(before)
        .into_iter()
        .zip(of(after))
        .filter(|((_, before), (_, after))| before != after)
        .map(|((column, before), (_, after))| Change { column: column.to_owned(), before, after })
        .collect()
}

pub(super) fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::Damaged { what: "the store".to_owned(), said: format!("{error} in `{text}`") })
}
