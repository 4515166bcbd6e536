//! The morning report of a night, put together from what the store says and what the deliveries brought.
//!
//! Goes in: the night, its deliveries, what the rules answered, the store. Comes out: a folder with the report that appears as a
//! whole, and a [`Record`], which the store keeps with the scan: the nights after compare themselves with it. Deliberately
//! unknown here: how a page looks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::journal;
use crate::aside::{Aside, replace_folder};
use crate::ingest::append::Sent;
use crate::ingest::past::Past;
use crate::ingest::{self, Appended, Dataset};
use crate::model::day;
use crate::operations::Error;
use crate::operations::audit::{Looked, quarantined};
use crate::report::night::{self, Assent, Counts, FacilityNews, File, Group, New, Night, Quarantined, Rows, Sending};
use crate::report::tally::tally;
use crate::store::{By, Facility, FileTaken, Filter, Merged, Order, Page, ScanState, Store, Sum, What};

/// Nights with which a night is compared.
const BEFORE: usize = 28;

/// So many nights of one day of the week tell what is usual on it; so many at all, what is usual.
const ENOUGH: usize = 3;

/// New findings that are listed.
const LISTED: u32 = 10_000;

/// What the store keeps with a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// About how many persons the rules were asked; none: about everybody.
    pub persons: Option<u64>,
    pub elapsed_ms: u64,
    /// Whose term for an appeal had passed.
    #[serde(default)]
    pub assent: Assent,
    /// Fee lines that each facility sent this night.
    pub sent: BTreeMap<String, u64>,
    /// The last day of service of each facility by then.
    pub last_days: BTreeMap<String, i32>,
}

/// What a report is made from.
pub(super) struct From<'a> {
    pub night: &'a journal::Night,
    pub store: &'a dyn Store,
    pub dataset: &'a Dataset,
    pub past: &'a Past,
    pub looked: &'a Looked,
    pub merged: &'a Merged,
    pub assent: &'a Assent,
    pub persons: Option<u64>,
    pub facilities: &'a BTreeMap<String, Facility>,
    pub files: &'a [FileTaken],
    pub elapsed_ms: u64,
}

/// Makes the report.
pub(super) fn made(from: &From<'_>) -> Result<(Night, Record), Error> {
    let before = before(from)?;
    let brought = brought(from)?;
    let mut sent = Sent::new();
    for (code, (lines, last)) in brought.iter().flat_map(|told| &told.sent) {
        let known = sent.entry(code.clone()).or_insert((0, *last));
        *known = (known.0 + lines, known.1.max(*last));
    }
    let mut last_days = before.first().map(|(_, record)| record.last_days.clone()).unwrap_or_default();
    for (code, (_, last)) in &sent {
        let known = last_days.entry(code.clone()).or_insert(*last);
        *known = (*known).max(*last);
    }
    let record = Record {
        persons: from.persons,
        elapsed_ms: from.elapsed_ms,
        assent: from.assent.clone(),
        sent: sent.iter().map(|(code, (lines, _))| (code.clone(), *lines)).collect(),
        last_days,
    };
    let new = Filter { sighted: Some((from.night.scan_id.clone(), What::New)), ..Filter::default() };
    let present = Filter { present: Some(true), ..Filter::default() };
    let listed = from.store.list(&new, Page { skip: 0, take: LISTED, order: Order::Money })?;
    let context = &from.looked.context;
    let tally = tally(&from.looked.outcome, context);
    let unanswered = tally.by_rule.iter().filter(|rule| !rule.is_netting()).flat_map(|rule| {
        rule.answers.top_reasons().into_iter().map(|(why, units)| (rule.rule.code.clone(), why.to_owned(), units))
    });
    let mut usual: Vec<u64> = before.iter().map(|(_, record)| record.elapsed_ms).collect();
    let night = Night {
        scan_id: from.night.scan_id.clone(),
        started_at: from.night.started_at.clone(),
        as_of: context.as_of.clone(),
        region: context.region.clone(),
        program_version: context.program_version.clone(),
        rule_set_hash: context.rule_set_hash.clone(),
        persons: from.persons,
        counts: counts(from.merged),
        standing: from.store.sum(&present, By::Nothing)?.into_iter().next().map(group).unwrap_or_default(),
        assent: from.assent.clone(),
        by_rule: from.store.sum(&new, By::Rule)?.into_iter().map(group).collect(),
        by_facility: from.store.sum(&new, By::Facility)?.into_iter().map(group).collect(),
        newest: listed.findings.iter().map(|kept| New::of(&kept.finding, kept.facility.as_deref())).collect(),
        facilities: facilities(from, &record, &before),
        files: from.files.iter().map(file).collect(),
        rows: rows(&brought),
        woken: brought.iter().map(|told| told.woken).sum(),
        quarantined: set_aside(from, &brought)?,
        unanswered: unanswered.collect(),
        evaluated: tally.answers.evaluated,
        stale: context.stale.values.iter().map(|(value, findings)| (value.parameter.clone(), *findings)).collect(),
        stale_findings: context.stale.findings,
        expired: context.exemptions.iter().filter(|e| e.expired).map(|e| e.id.clone()).collect(),
        took_ms: from.elapsed_ms,
        usually_ms: (usual.len() >= ENOUGH).then(|| median(&mut usual)),
    };
    Ok((night, record))
}

/// Puts the report into a folder of its own name in `out`.
pub(super) fn publish(night: &Night, out: &Path) -> Result<PathBuf, Error> {
    let place = out.join(&night.scan_id);
    let disk = |source| Error::Disk { doing: format!("write the report `{}`", place.display()), source };
    let aside = Aside::within(out).map_err(disk)?;
    let made = aside.path().join("night");
    fs::create_dir(&made).and_then(|()| night::write(night, &made)).map_err(disk)?;
    replace_folder(&place, &made, aside.path()).map_err(disk)?;
    Ok(place)
}

/// The nights before that were finished, the last one first, with the day on which they began.
fn before(from: &From<'_>) -> Result<Vec<(i32, Record)>, Error> {
    let scans = from.store.scans(u32::try_from(BEFORE * 2).unwrap_or(u32::MAX))?;
    let earlier = scans.into_iter().filter(|scan| {
        scan.state == ScanState::Finished
            && scan.scan_id != from.night.scan_id
            && scan.started_at <= from.night.started_at
    });
    let read = |scan: crate::store::Scan| {
        let day = scan.started_at.get(..10).and_then(day::parse)?;
        Some((day, serde_json::from_str(&scan.record).ok()?))
    };
    Ok(earlier.filter_map(read).take(BEFORE).collect())
}

/// What each delivery brought.
fn brought(from: &From<'_>) -> Result<Vec<Appended>, Error> {
    let mut all = Vec::new();
    for delivery in from.night.deliveries.iter().filter(|delivery| !delivery.files.is_empty()) {
        match ingest::delivered(from.past, &delivery.name)? {
            Some(told) => all.push(told),
            // The one that made the dataset.
            None => all.push(Appended::beginning(from.dataset.folder())?),
        }
    }
    Ok(all)
}

fn counts(merged: &Merged) -> Counts {
    Counts {
        new: merged.new,
        changed: merged.changed,
        seen_again: merged.seen_again,
        no_longer_found: merged.no_longer_found,
        unchanged: merged.unchanged,
    }
}

fn group(sum: Sum) -> Group {
    Group { key: sum.key, title: sum.title.unwrap_or_default(), findings: sum.findings, allocated: sum.allocated }
}

fn file(taken: &FileTaken) -> File {
    File { name: taken.name.clone(), bytes: taken.bytes, rows: taken.rows, reason: taken.reason.clone() }
}

fn rows(brought: &[Appended]) -> Vec<Rows> {
    let mut all: BTreeMap<&str, Rows> = BTreeMap::new();
    for (table, t) in brought.iter().flat_map(|told| &told.tables).filter(|(_, t)| t.read.rows > 0) {
        let rows = all.entry(table).or_default();
        rows.table.clone_from(table);
        rows.read += t.read.rows;
        rows.quarantined += t.quarantined.rows;
        rows.duplicates += t.duplicates.rows;
        rows.replaced += t.replaced.rows;
    }
    all.into_values().collect()
}

/// Rows of this night's files that stand aside, by file and reason.
fn set_aside(from: &From<'_>, brought: &[Appended]) -> Result<Vec<Quarantined>, Error> {
    let files: BTreeSet<&str> = brought.iter().flat_map(|told| &told.inputs).map(|input| input.file.as_str()).collect();
    let all = quarantined(&from.dataset.quarantine())?;
    let mine = all.into_iter().filter(|set| files.contains(set.file.as_str()));
    Ok(mine.map(|set| Quarantined { file: set.file, reason: set.reason, rows: set.rows }).collect())
}

/// Every facility, those first that somebody should call.
fn facilities(from: &From<'_>, record: &Record, before: &[(i32, Record)]) -> Vec<FacilityNews> {
    let today = from.night.started_at.get(..10).and_then(day::parse).unwrap_or_default();
    let codes: BTreeSet<&String> = from.facilities.keys().chain(record.last_days.keys()).collect();
    let mut all: Vec<FacilityNews> = codes
        .into_iter()
        .map(|code| {
            let lines = record.sent.get(code).copied().unwrap_or_default();
            let sent = |record: &Record| record.sent.get(code).copied().unwrap_or_default();
            let alike = before.iter().filter(|(day, _)| (today - day) % 7 == 0);
            let mut nights: Vec<u64> = alike.map(|(_, record)| sent(record)).collect();
            if nights.len() < ENOUGH {
                nights = before.iter().map(|(_, record)| sent(record)).collect();
            }
            let usual = (nights.len() >= ENOUGH).then(|| median(&mut nights));
            let last_day = record.last_days.get(code).copied();
            let sending = match (usual, lines) {
                _ if last_day.is_none() => Sending::Never,
                (None, _) => Sending::Unknown,
                (Some(usual), 0) if usual > 0 => Sending::Nothing,
                (Some(usual), lines) if lines * 2 < usual => Sending::Less,
                _ => Sending::Usual,
            };
            let name = from.facilities.get(code).and_then(|facility| facility.name.clone()).unwrap_or_default();
            let last_day = last_day.map(day::text);
            FacilityNews { fixmedins_code: code.clone(), name, sending, lines, usual, last_day }
        })
        .collect();
    all.sort_by(|a, b| (a.sending, &a.fixmedins_code).cmp(&(b.sending, &b.fixmedins_code)));
    all
}

/// The number in the middle; of two the lower one.
fn median(numbers: &mut [u64]) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
