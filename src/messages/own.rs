//! Our own JSON: claims with the platform's column names, as `POST /api/v1/review` and the NDJSON of `fundaudit review` have
//! them.
//!
//! ```text
//! {"claims": [{"settlement": {…}, "encounter": {…}, "person": {…}, "diagnoses": [{…}], "lines": [{…}, …]}, …]}   several
//! {"settlement": {…}, "encounter": {…}, "lines": [{…}, …]}                                                        a claim
//! {"table": "setl_d", "setl_id": "S1", "mdtrt_id": "M1", …}                                                       a row
//! ```
//! Goes in: the bytes, beside the claims `stage`, `region`, `task_id` and the rules that are asked for. Comes out: of
//! [`own`] a [`ReviewAsked`], of [`rows`] the rows as texts, for who judges them as those of any export. Deliberately unknown
//! here: rules, what a decision is.
//!
//! What all rows of a claim share (`mdtrt_id`, `psn_no`, `fixmedins_code`, `setl_id`, `med_type` …) is written once, in the
//! settlement or the encounter. A field that no table has is noted, with the name that was probably meant.
//!
//! To add a table: a line in [`PARTS`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use hashbrown::HashSet;

use super::fields::{Notes, Place, Row, Sheet, Tables};
use super::json::{self, Fields, Item, Node, Rows};
use super::{Form, Limits, Refused, ReviewAsked, Stage, Visit, Why};
use crate::model::Table;
use crate::span::nearest;

/// Names of a claim's parts, the ones that others take from first. A part may also be called as a file of its table is.
pub const PARTS: [(&str, Table); 10] = [
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

/// Parts as people may call several of them.
const SEVERAL: [(&str, Table); 3] =
    [("settlements", Table::Settlement), ("encounters", Table::Encounter), ("presences", Table::Presence)];

/// Columns that the parts of a claim share; the first [`IDS`] say whose a row is.
pub const SHARED: [&str; 10] = [
    "psn_no",
    "fixmedins_code",
    "mdtrt_id",
    "setl_id",
    "med_type",
    "insutype",
    "insu_admdvs",
    "hosp_lv",
    "gend",
    "brdy",
];
const IDS: usize = 4;

/// Positions in a table of the columns that are looked at in every row.
struct Looked {
    /// Those that the parts of a claim share.
    shared: [Option<usize>; SHARED.len()],
    /// Its key.
    key: Vec<usize>,
    serial: Option<usize>,
}

impl Looked {
    fn at(table: Table) -> &'static Looked {
        static LOOKED: LazyLock<Vec<Looked>> = LazyLock::new(|| {
            let looked = |table: Table| Looked {
                shared: SHARED.map(|column| table.position(column)),
                key: table.key().iter().filter_map(|column| table.position(column)).collect(),
                serial: table.position("feedetl_sn"),
            };
            Table::ALL.into_iter().map(looked).collect()
        });
        &LOOKED[table as usize]
    }

    /// Positions of `psn_no`, `fixmedins_code` and `mdtrt_id`.
    fn whose(&self) -> [Option<usize>; IDS - 1] {
        [self.shared[0], self.shared[1], self.shared[2]]
    }
}

/// Fields beside the claims.
const BESIDE: [&str; 9] =
    ["claims", "stage", "region", "msgid", "task_id", "syscode", "trig_scen", "rules", "fixmedins_code"];

/// Reads our own JSON.
///
/// # Errors
/// [`Refused`] says what its sender should write instead.
pub fn own(body: &[u8], limits: &Limits) -> Result<ReviewAsked, Refused> {
    let parsed = json::parse_rows(body, limits, |name| table_of(name).is_some())?;
    let mut walk = Walk::new(limits);
    let mut made = Made::default();
    let stage = match parsed.text("stage").as_deref() {
        None | Some("during" | "中") => Stage::During,
        Some("before" | "前") => Stage::Before,
        Some(_) => {
            let said = "`stage` 应当是 before（开单时）或 during（结算或付费前）";
            return Err(Refused::new(Why::Unreadable, said));
        }
    };
    walk.message(&parsed, &mut made)?;
    let text = |name: &str| parsed.text(name).map(Cow::into_owned).filter(|t| t.len() <= 200);
    let words = parsed.get("rules").map_or(&[][..], Node::items).iter().filter_map(Node::as_text);
    let asked = ReviewAsked {
        form: Form::Own,
        stage,
        msgid: text("msgid"),
        task_id: text("task_id"),
        syscode: text("syscode"),
        trig_scen: text("trig_scen"),
        rule_ids: words.map(Into::into).collect(),
        fixmedins_code: text("fixmedins_code"),
        facilities: BTreeSet::new(),
        region: text("region"),
        tables: BTreeMap::new(),
        context: BTreeMap::new(),
        visits: BTreeMap::new(),
        unread: walk.notes.finish(),
    };
    made.finish(asked)
}

/// Hands over the rows of our own JSON as they were told, each with what it takes from its claim; nothing is judged. Comes
/// back: what was not read, as [`ReviewAsked::unread`] has it.
///
/// # Errors
/// [`Refused`]: no such object, a row that is no object, nothing at all.
pub fn rows(
    body: &[u8],
    limits: &Limits,
    take: &mut dyn FnMut(Table, Vec<(&'static str, String)>),
) -> Result<Vec<String>, Refused> {
    let parsed = json::parse_rows(body, limits, |name| table_of(name).is_some())?;
    let mut walk = Walk { strict: true, ..Walk::new(limits) };
    let mut each = Each { taken: 0, take };
    walk.message(&parsed, &mut each)?;
    let notes = walk.notes.finish();
    if each.taken == 0 { Err(nothing(&notes, "没有一行")) } else { Ok(notes) }
}

fn nothing(notes: &[String], otherwise: &str) -> Refused {
    let why: Vec<&str> = notes.iter().take(3).map(String::as_str).collect();
    let why = if why.is_empty() { otherwise.to_owned() } else { why.join("；") };
    Refused::new(Why::Unreadable, format!("没有可审的内容：{why}"))
}

/// The table that a part of this name belongs to.
fn table_of(name: &str) -> Option<Table> {
    let name = name.to_lowercase();
    let short = PARTS.iter().chain(&SEVERAL).find(|(part, _)| *part == name).map(|(_, table)| *table);
    short.or_else(|| Table::ALL.into_iter().find(|table| table.file_names().contains(&name.as_str())))
}

/// The parts of a claim that are rows of a table, with their names.
fn parts_of<'n, 'a>(claim: &'n Node<'a>, table: Table) -> impl Iterator<Item = (&'n str, &'n Node<'a>)> {
    let fields = if let Node::Object(fields) = claim { fields.as_slice() } else { &[] };
    let of_table = fields.iter().filter(move |(name, _)| table_of(name) == Some(table));
    of_table.map(|(name, node)| (name.as_ref(), node))
}

/// What a part holds, whether it came as a list or as a single object.
fn items_of<'n, 'a>(part: &'n Node<'a>) -> Vec<Item<Fields<'n, 'a>>> {
    match part {
        Node::Rows(rows) => rows.items(),
        part if part.is_nothing() => Vec::new(),
        Node::Object(fields) => vec![Item::Object(fields.iter().map(|(name, node)| (name.as_ref(), node)).collect())],
        _ => vec![Item::Other],
    }
}

/// What each of the columns that the rows of a claim share was given.
type Shared = [Option<String>; SHARED.len()];

/// What the rows of a claim take from its settlement, encounter and person, in this order.
fn shared_of(claim: &Node<'_>) -> Shared {
    let mut shared = Shared::default();
    for (_, table) in &PARTS[..3] {
        let first = parts_of(claim, *table).find_map(|(_, part)| items_of(part).into_iter().next());
        let Some(Item::Object(fields)) = first else { continue };
        let row = Row::of(*table, fields.into_iter(), String::new(), &mut Notes::default());
        for (column, known) in SHARED.into_iter().zip(&mut shared).filter(|(_, known)| known.is_none()) {
            *known = row.get(column).map(str::to_owned);
        }
    }
    shared
}

/// Who takes rows.
trait Take {
    fn row(&mut self, row: Row<'_>, notes: &mut Notes);

    /// All rows of a list at once, or none of them: then each comes by itself.
    fn sheet(&mut self, sheet: &Sheet<'_>) -> bool;
}

/// Hands over each row.
struct Each<'t> {
    taken: usize,
    take: &'t mut dyn FnMut(Table, Vec<(&'static str, String)>),
}

impl Take for Each<'_> {
    fn row(&mut self, row: Row<'_>, _notes: &mut Notes) {
        self.taken += 1;
        (self.take)(row.table(), row.into_cells());
    }

    fn sheet(&mut self, _sheet: &Sheet<'_>) -> bool {
        false
    }
}

/// Rows of a list from which on it is worth while to take them column by column.
const SHEET: usize = 8;

/// Goes through a message, row by row.
struct Walk<'l> {
    limits: &'l Limits,
    notes: Notes,
    /// Rows of each table in the message.
    counts: BTreeMap<Table, usize>,
    /// A row that is no object is refused rather than noted.
    strict: bool,
}

impl Walk<'_> {
    fn new(limits: &Limits) -> Walk<'_> {
        Walk { limits, notes: Notes::default(), counts: BTreeMap::new(), strict: false }
    }

    fn message(&mut self, parsed: &Node<'_>, take: &mut dyn Take) -> Result<(), Refused> {
        let Node::Object(fields) = parsed else {
            return Err(Refused::new(Why::NotJson, "应当是一个 JSON 对象：{\"claims\":[…]}"));
        };
        let names = || fields.iter().map(|(name, _)| name.as_ref());
        if let Some(name) = parsed.text("table") {
            let Some(table) = table_of(&name) else {
                let said = "`table` 不是这里的表：写 `setl_d`、`mdtrt_d`、`fee_list_d` 这样的表名";
                return Err(Refused::new(Why::Unreadable, said));
            };
            let fields = fields.iter().map(|(name, node)| (name.as_ref(), node));
            self.row(table, fields, table.name().into(), &Shared::default(), take);
            return Ok(());
        }
        let parts = PARTS.map(|(part, _)| part);
        let claims = parsed.get("claims").map(Node::items);
        if claims.is_none() {
            let others = names().filter(|name| table_of(name).is_none());
            self.unknown(others, &[&parts[..], &BESIDE[..]].concat(), "");
            if names().any(|name| table_of(name).is_some()) {
                return self.claim(parsed, "", take);
            }
        } else {
            self.unknown(names(), &BESIDE, "");
        }
        let claims = claims.unwrap_or_default();
        if claims.is_empty() {
            let meant = std::mem::take(&mut self.notes).finish();
            let meant = meant.first().map_or_else(String::new, |note| format!("（{note}）"));
            let said = format!("`claims` 没有内容：至少要有一份，里面有 `encounter` 和 `lines`{meant}");
            return Err(Refused::new(Why::Unreadable, said));
        }
        if claims.len() > self.limits.patients {
            let said = format!("`claims` 有 {} 份，最多 {} 份，分几次送", claims.len(), self.limits.patients);
            return Err(Refused::new(Why::TooLarge, said));
        }
        for (number, claim) in claims.iter().enumerate() {
            let place = format!("claims[{number}].");
            match claim {
                Node::Object(fields) => {
                    let names = fields.iter().map(|(name, _)| name.as_ref());
                    self.unknown(names.filter(|name| table_of(name).is_none()), &parts, &place);
                    self.claim(claim, &place, take)?;
                }
                _ => self.no_object(&Place::numbered("claims", number))?,
            }
        }
        Ok(())
    }

    fn claim(&mut self, claim: &Node<'_>, place: &str, take: &mut dyn Take) -> Result<(), Refused> {
        let shared = shared_of(claim);
        for (_, table) in PARTS {
            for (part, told) in parts_of(claim, table) {
                if let Node::Rows(rows) = told {
                    self.within(part, table, rows.len())?;
                    let sheet = if rows.len() < SHEET { None } else { sheet_of(table, rows, &shared) };
                    if sheet.is_some_and(|sheet| take.sheet(&sheet)) {
                        continue;
                    }
                } else {
                    self.within(part, table, usize::from(!told.is_nothing()))?;
                }
                let items = items_of(told);
                let (list, only) = (format!("{place}{part}"), items.len() == 1);
                for (number, item) in items.into_iter().enumerate() {
                    let at = if only { Place::from(list.as_str()) } else { Place::numbered(&list, number) };
                    match item {
                        Item::Object(fields) => self.row(table, fields.into_iter(), at, &shared, take),
                        Item::Nothing => {}
                        Item::Other => self.no_object(&at)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn no_object(&mut self, place: &Place<'_>) -> Result<(), Refused> {
        if self.strict {
            return Err(Refused::new(Why::Unreadable, format!("`{place}` 应当是一个对象")));
        }
        self.notes.add(|| format!("{place} 没有读入：应当是一个对象"));
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

    fn row<'n, 'a: 'n>(
        &mut self,
        table: Table,
        fields: impl ExactSizeIterator<Item = (&'n str, &'n Node<'a>)>,
        at: Place<'n>,
        shared: &'n Shared,
        take: &mut dyn Take,
    ) {
        let mut row = Row::of(table, fields, at, &mut self.notes);
        if !row.strange().is_empty() {
            let known: Vec<&str> = table.columns().iter().map(|c| c.name).chain(["table"]).collect();
            self.unknown(row.strange().iter().copied(), &known, &format!("{}.", row.place()));
        }
        let looked = Looked::at(table);
        // Whether its person, its facility or, last, its encounter is another than the claim's.
        let another = |(position, of_claim): (Option<usize>, &Option<String>)| {
            let own = position.and_then(|position| row.get_at(position));
            own.zip(of_claim.as_deref()).is_some_and(|(own, of_claim)| own != of_claim)
        };
        let mut own = looked.whose().into_iter().zip(shared);
        // A row of another person, facility or encounter than the claim's takes only what it can still share.
        let until = match (own.next_back().is_some_and(another), own.any(another)) {
            (true, _) => IDS - 1,
            (false, true) => IDS,
            (false, false) => SHARED.len(),
        };
        for (position, of_claim) in looked.shared.iter().zip(shared).take(until) {
            if let Some(position) = position {
                row.inherit_at(*position, of_claim.as_deref());
            }
        }
        take.row(row, &mut self.notes);
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
}

/// The rows of a list with what they take from their claim, column by column, where all are of its person, its facility and its
/// encounter.
fn sheet_of<'n>(table: Table, rows: &'n Rows<'_>, shared: &'n Shared) -> Option<Sheet<'n>> {
    let mut sheet = Sheet::of(table, rows)?;
    let looked = Looked::at(table);
    for (position, of_claim) in looked.whose().into_iter().zip(shared) {
        let (Some(position), Some(of_claim)) = (position, of_claim) else { continue };
        let own = sheet.column(position).unwrap_or_default();
        if own.iter().flatten().any(|own| own != of_claim) {
            return None;
        }
    }
    for (position, of_claim) in looked.shared.iter().zip(shared) {
        if let (Some(position), Some(of_claim)) = (position, of_claim) {
            sheet.inherit(*position, of_claim);
        }
    }
    Some(sheet)
}

/// What is made of the rows of a request.
#[derive(Default)]
struct Made {
    tables: Tables,
    /// Keys of rows so far.
    seen: HashSet<(Table, String)>,
    facilities: BTreeSet<String>,
    visits: BTreeMap<String, Visit>,
}

impl Take for Made {
    fn row(&mut self, mut row: Row<'_>, notes: &mut Notes) {
        let table = row.table();
        let looked = Looked::at(table);
        let key = key_of(looked.key.iter().map(|position| row.get_at(*position)));
        if key.is_some_and(|key| !self.seen.insert((table, key))) {
            // Two settlements of one stay both tell of it; a line that is there twice is a mistake.
            if table == Table::FeeDetail {
                notes.add(|| format!("{} 没有读入：`feedetl_sn` 与同一就诊前面的明细相同", row.place()));
            }
            return;
        }
        if row.push(&mut self.tables, notes) {
            self.visit(
                looked.whose().map(|position| row.get_at(position?)),
                [looked.serial.and_then(|at| row.get_at(at))].into_iter(),
            );
        }
    }

    fn sheet(&mut self, sheet: &Sheet<'_>) -> bool {
        let table = sheet.table();
        let looked = Looked::at(table);
        let column = |position: usize| sheet.column(position).unwrap_or_default();
        let cell = |position: Option<usize>, row: usize| column(position?).get(row).copied().flatten();
        let key = |row: usize| key_of(looked.key.iter().map(|position| cell(Some(*position), row)));
        let mut keys = HashSet::with_capacity(sheet.rows());
        keys.extend((0..sheet.rows()).filter_map(|row| Some((table, key(row)?))));
        let are_new = looked.key.is_empty() || keys.len() == sheet.rows();
        if !are_new || keys.iter().any(|key| self.seen.contains(key)) || !sheet.push(&mut self.tables) {
            return false;
        }
        if self.seen.len() < keys.len() {
            std::mem::swap(&mut self.seen, &mut keys);
        }
        self.seen.extend(keys);
        let whose = |row: usize| looked.whose().map(|position| cell(position, row));
        let mut from = 0;
        while from < sheet.rows() {
            let until = (from..sheet.rows()).find(|row| whose(*row) != whose(from)).unwrap_or(sheet.rows());
            self.visit(whose(from), (from..until).map(|row| cell(looked.serial, row)));
            from = until;
        }
        true
    }
}

/// What a row is known by, where it has all of it.
fn key_of<'k>(parts: impl Iterator<Item = Option<&'k str>>) -> Option<String> {
    let mut key = String::with_capacity(40);
    for part in parts {
        key.push_str(part?);
        key.push('\0');
    }
    (!key.is_empty()).then_some(key)
}

impl Made {
    /// Rows of a person, a facility and an encounter, with their serial numbers.
    fn visit<'r>(
        &mut self,
        [person, facility, encounter]: [Option<&str>; IDS - 1],
        serials: impl ExactSizeIterator<Item = Option<&'r str>>,
    ) {
        if let Some(facility) = facility.filter(|code| !self.facilities.contains(*code)) {
            self.facilities.insert(facility.to_owned());
        }
        let Some(mdtrt_id) = encounter else { return };
        let visit = match self.visits.get_mut(mdtrt_id) {
            Some(visit) => visit,
            None => self.visits.entry(mdtrt_id.to_owned()).or_default(),
        };
        if let (true, Some(psn_no)) = (visit.psn_no.is_empty(), person) {
            psn_no.clone_into(&mut visit.psn_no);
        }
        visit.lines.reserve(serials.len());
        visit.lines.extend(serials.flatten().map(str::to_owned));
    }

    fn finish(self, mut asked: ReviewAsked) -> Result<ReviewAsked, Refused> {
        let rows = |table| self.tables.rows(table);
        if rows(Table::Settlement) + rows(Table::Encounter) + rows(Table::FeeDetail) == 0 {
            return Err(nothing(&asked.unread, "没有就诊，也没有明细"));
        }
        if asked.fixmedins_code.is_none() && self.facilities.len() == 1 {
            asked.fixmedins_code = self.facilities.first().cloned();
        }
        asked.facilities = self.facilities;
        asked.visits = self.visits;
        asked.tables = self.tables.finish();
        Ok(asked)
    }
}
