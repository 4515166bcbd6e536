//! Our own JSON: claims with the platform's column names, as `POST /api/v1/review` and `fundaudit review` take them.
//!
//! Goes in: `{"stage":"during","region":"370323","claims":[{"settlement":{…},"encounter":{…},"person":{…},
//! "diagnoses":[…],"operations":[…],"lines":[…]}]}`, or one claim by itself. Comes out: [`ReviewAsked`]. Deliberately
//! unknown here: rules, what a decision is.
//!
//! What all rows of a claim share (`mdtrt_id`, `psn_no`, `fixmedins_code`, `setl_id`, `med_type`) is written once, in the
//! settlement or the encounter. A field that no table has is noted, with the name that was probably meant.
//!
//! To add a table: a line in [`PARTS`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::fields::{Notes, Row, Tables, knows};
use super::json::{self, Node};
use super::{Form, Limits, Refused, ReviewAsked, Stage, Why};
use crate::model::Table;
use crate::span::nearest;

/// Names of a claim's parts, the ones that others take from first.
const PARTS: [(&str, Table); 10] = [
    ("settlement", Table::Settlement),
    ("encounter", Table::Encounter),
    ("person", Table::Person),
    ("facility", Table::Facility),
    ("diagnoses", Table::Diagnosis),
    ("operations", Table::Operation),
    ("lines", Table::FeeDetail),
    ("identities", Table::Identity),
    ("bed_checks", Table::Presence),
    ("special_cases", Table::SpecialCase),
];

/// Columns that the parts of a claim share.
const SHARED: [&str; 10] = [
    "mdtrt_id",
    "psn_no",
    "fixmedins_code",
    "setl_id",
    "med_type",
    "insutype",
    "insu_admdvs",
    "hosp_lv",
    "gend",
    "brdy",
];

/// Reads our own JSON.
///
/// # Errors
/// [`Refused`] says what its sender should write instead.
pub fn own(body: &[u8], limits: &Limits) -> Result<ReviewAsked, Refused> {
    let parsed = json::parse(body, limits)?;
    let wrong = |said: &str| Refused::new(Why::Unreadable, said);
    let Node::Object(fields) = &parsed else {
        return Err(Refused::new(Why::NotJson, "应当是一个 JSON 对象：{\"claims\":[…]}"));
    };
    let single = fields.iter().any(|(name, _)| PARTS.iter().any(|(part, _)| part == name));
    let claims = if single { std::slice::from_ref(&parsed) } else { parsed.get("claims").map_or(&[][..], Node::items) };
    if claims.is_empty() {
        return Err(wrong("`claims` 没有内容：至少要有一份，里面有 `encounter` 和 `lines`"));
    }
    if claims.len() > limits.patients {
        let said = format!("`claims` 有 {} 份，最多 {} 份，分几次送", claims.len(), limits.patients);
        return Err(Refused::new(Why::TooLarge, said));
    }
    let stage = match parsed.text("stage").as_deref() {
        None | Some("during" | "中") => Stage::During,
        Some("before" | "前") => Stage::Before,
        Some(_) => return Err(wrong("`stage` 应当是 before（开单时）或 during（结算或付费前）")),
    };
    let text = |name: &str| parsed.text(name).map(Cow::into_owned).filter(|t| t.len() <= 200);
    let mut reading = Reading {
        tables: Tables::default(),
        notes: Notes::default(),
        counts: BTreeMap::new(),
        seen: BTreeSet::new(),
        limits,
        asked: ReviewAsked {
            form: Form::Own,
            stage,
            msgid: text("msgid"),
            task_id: text("task_id"),
            syscode: text("syscode"),
            trig_scen: text("trig_scen"),
            rule_ids: parsed
                .get("rules")
                .map_or(&[][..], Node::items)
                .iter()
                .filter_map(Node::as_text)
                .map(Into::into)
                .collect(),
            fixmedins_code: text("fixmedins_code"),
            facilities: BTreeSet::new(),
            region: text("region"),
            tables: BTreeMap::new(),
            context: BTreeMap::new(),
            visits: BTreeMap::new(),
            unread: Vec::new(),
        },
    };
    for (number, claim) in claims.iter().enumerate() {
        let place = if single { String::new() } else { format!("claims[{number}].") };
        reading.claim(claim, &place, single)?;
    }
    reading.finish()
}

struct Reading<'l> {
    tables: Tables,
    notes: Notes,
    /// Rows of each table in the message.
    counts: BTreeMap<Table, usize>,
    /// Keys of rows so far.
    seen: BTreeSet<(Table, String)>,
    limits: &'l Limits,
    asked: ReviewAsked,
}

/// What the rows of a claim take from its settlement, encounter and person, in this order.
fn shared_of(claim: &Node<'_>) -> BTreeMap<&'static str, String> {
    let mut shared = BTreeMap::new();
    for (part, table) in &PARTS[..3] {
        let Some(node) = claim.get(part).and_then(|node| node.items().first()) else { continue };
        let row = Row::read(*table, node, String::new(), &mut Notes::default());
        for column in SHARED {
            if let Some(value) = row.get(column) {
                shared.entry(column).or_insert_with(|| value.to_owned());
            }
        }
    }
    shared
}

impl Reading<'_> {
    fn claim(&mut self, claim: &Node<'_>, place: &str, single: bool) -> Result<(), Refused> {
        let Node::Object(fields) = claim else {
            self.notes.add(|| format!("{place}没有读入：应当是一个对象"));
            return Ok(());
        };
        if !single {
            self.unknown(fields.iter().map(|(name, _)| name.as_ref()), &PARTS.map(|(part, _)| part), place);
        }
        let shared = shared_of(claim);
        for (part, table) in PARTS {
            let Some(rows) = claim.get(part).map(Node::items) else { continue };
            self.within(part, table, rows.len())?;
            for (number, item) in rows.iter().enumerate() {
                let at = if rows.len() == 1 { format!("{place}{part}") } else { format!("{place}{part}[{number}]") };
                self.row(table, item, at, &shared);
            }
        }
        Ok(())
    }

    fn within(&mut self, part: &str, table: Table, rows: usize) -> Result<(), Refused> {
        let most = match table {
            Table::FeeDetail => self.limits.orders,
            Table::Settlement | Table::Encounter | Table::Person | Table::Facility => self.limits.encounters,
            _ => self.limits.diagnoses,
        };
        let count = self.counts.entry(table).or_default();
        *count += rows;
        if *count <= most {
            return Ok(());
        }
        Err(Refused::new(Why::TooLarge, format!("`{part}` 有 {count} 行，最多 {most} 行，分几次送")))
    }

    fn row(&mut self, table: Table, item: &Node<'_>, at: String, shared: &BTreeMap<&'static str, String>) {
        let Node::Object(fields) = item else {
            if !item.is_nothing() {
                self.notes.add(|| format!("{at} 没有读入：应当是一个对象"));
            }
            return;
        };
        let strange = fields.iter().map(|(name, _)| name.as_ref()).filter(|name| !knows(table, name));
        let known: Vec<&str> = table.columns().iter().map(|c| c.name).collect();
        self.unknown(strange, &known, &format!("{at}."));
        let mut row = Row::read(table, item, at, &mut self.notes);
        for column in SHARED {
            row.inherit(column, shared.get(column).map(String::as_str));
        }
        let id = |column: &str| row.get(column).map(str::to_owned);
        let (mdtrt_id, psn_no, facility, sn) = (id("mdtrt_id"), id("psn_no"), id("fixmedins_code"), id("feedetl_sn"));
        let key: Vec<&str> = table.key().iter().filter_map(|column| row.get(column)).collect();
        if !key.is_empty() && key.len() == table.key().len() && !self.seen.insert((table, key.join("\0"))) {
            // Two settlements of one stay both tell of it; a line that is there twice is a mistake.
            if table == Table::FeeDetail {
                let place = row.place();
                self.notes.add(|| format!("{place} 没有读入：`feedetl_sn` 与同一就诊前面的明细相同"));
            }
            return;
        }
        if !row.push(&mut self.tables, &mut self.notes) {
            return;
        }
        self.asked.facilities.extend(facility);
        let Some(mdtrt_id) = mdtrt_id else { return };
        let visit = self.asked.visits.entry(mdtrt_id).or_default();
        if let (true, Some(psn_no)) = (visit.psn_no.is_empty(), psn_no) {
            visit.psn_no = psn_no;
        }
        visit.lines.extend(sn);
    }

    /// Notes fields that nothing knows.
    fn unknown<'f>(&mut self, found: impl Iterator<Item = &'f str>, known: &[&str], place: &str) {
        for name in found.filter(|name| !known.contains(name)) {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            self.notes.add(|| match nearest(name, known.iter().copied()) {
                Some(meant) => format!("{place}{shown}：没有这个字段，略过；是不是 `{meant}`"),
                None => format!("{place}{shown}：没有这个字段，略过"),
            });
        }
    }

    fn finish(mut self) -> Result<ReviewAsked, Refused> {
        let rows = |table| self.tables.rows(table);
        let nothing = rows(Table::Settlement) + rows(Table::Encounter) + rows(Table::FeeDetail) == 0;
        self.asked.unread = self.notes.finish();
        if nothing {
            let why: Vec<&str> = self.asked.unread.iter().take(3).map(String::as_str).collect();
            let why = if why.is_empty() { "没有就诊，也没有明细".to_owned() } else { why.join("；") };
            return Err(Refused::new(Why::Unreadable, format!("没有可审的内容：{why}")));
        }
        if self.asked.fixmedins_code.is_none() && self.asked.facilities.len() == 1 {
            self.asked.fixmedins_code = self.asked.facilities.first().cloned();
        }
        self.asked.tables = self.tables.finish();
        Ok(self.asked)
    }
}
