//! The names by which messages call the platform's columns, and rows read by them.
//!
//! Goes in: an object of a message. Comes out: a [`Row`] of texts by column, and in the end rows in a table's builder.
//! What could not be read is noted with the field's own name and place, never with its value: a note travels back to a
//! vendor and into logs, and a value may be a person's. Deliberately unknown here: which object holds which.
//!
//! To add a name: a line in [`wire`]. A platform name and its aliases are known from the model.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use arrow::array::RecordBatch;
use hashbrown::HashMap;
use rust_decimal::Decimal;

use super::json::{Item, Node, Rows};
use crate::ingest::{BadCell, TableBuilder, Value, parse};
use crate::model::{Column, Kind, Table, day};

/// At most so many notes are kept; the rest are counted.
const NOTES: usize = 50;

/// Names of the 3101 and 3102 messages that are not the platform's, by table: column, and its names, the best first.
fn wire(table: Table) -> &'static [(&'static str, &'static [&'static str])] {
    match table {
        Table::Encounter => &[
            ("psn_no", &["patn_id"]),
            ("fixmedins_code", &["medins_id"]),
            ("hosp_lv", &["medins_lv"]),
            ("begntime", &["adm_date"]),
            ("endtime", &["dscg_date"]),
            ("adm_bed", &["bedno"]),
            ("dscg_maindiag_code", &["dscg_main_dise_codg"]),
            ("dscg_maindiag_name", &["dscg_main_dise_name"]),
            ("chfpdr_code", &["dr_codg", "atddr_no"]),
            ("insu_admdvs", &["insuplc_admdvs"]),
        ],
        Table::FeeDetail => &[
            ("feedetl_sn", &["rx_id"]),
            ("rx_drord_no", &["rxno"]),
            ("list_type", &["hilist_type"]),
            ("med_chrgitm_type", &["chrg_type"]),
            ("chrgitm_lv", &["hilist_lv"]),
            ("dscg_tkdrug_flag", &["drord_bhvr"]),
            ("medins_list_codg", &["hosplist_code"]),
            ("medins_list_name", &["hosplist_name"]),
            ("dosform_name", &["hilist_dosform", "hosplist_dosform", "hi_dosform_name", "medins_dosform_name"]),
            ("det_item_fee_sumamt", &["sumamt"]),
            ("fulamt_ownpay_amt", &["ownpay_amt"]),
            ("preselfpay_amt", &["selfpay_amt"]),
            ("cnt_prcunt", &["spec_unt"]),
            ("fee_ocur_time", &["drord_begn_date", "drord_begntime"]),
            ("bilg_dept_codg", &["drord_dept_codg"]),
            ("bilg_dr_codg", &["drord_dr_codg"]),
        ],
        Table::Diagnosis => &[
            ("diag_code", &["dise_codg"]),
            ("diag_name", &["dise_name"]),
            ("maindiag_flag", &["maindise_flag"]),
            ("diag_srt_no", &["dias_srt_no", "dise_srt_no"]),
            ("inout_diag_type", &["inout_dise_type"]),
            ("diag_time", &["dise_date"]),
        ],
        Table::Operation => &[
            ("oprn_oprt_code", &["oprn_code"]),
            ("oprn_oprt_name", &["oprn_name"]),
            ("oprn_oprt_date", &["oprn_date"]),
        ],
        Table::Facility => &[
            ("fixmedins_code", &["medins_id"]),
            ("fixmedins_name", &["medins_name"]),
            ("hosp_lv", &["medins_lv"]),
            ("admdvs", &["medins_admdvs"]),
        ],
        Table::Person => &[("psn_no", &["patn_id"])],
        _ => &[],
    }
}

/// A column as messages call it: by its own name, by an alias, or by these.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub column: &'static Column,
    /// Names in 3101 and 3102 that are not the platform's, the best first.
    pub national: &'static [&'static str],
}

/// The columns of a table as messages call them.
pub fn fields_of(table: Table) -> impl Iterator<Item = Field> {
    table.columns().iter().map(move |column| {
        let national = wire(table).iter().find(|(name, _)| *name == column.name).map_or(&[][..], |(_, names)| names);
        Field { column, national }
    })
}

/// Position of the column that a name stands for, and how good a name it is: 0 the best.
type Names = HashMap<&'static str, (usize, usize)>;

static NAMES: LazyLock<Vec<Names>> = LazyLock::new(|| {
    Table::ALL
        .into_iter()
        .map(|table| {
            let mut names = Names::new();
            for (position, Field { column, national }) in fields_of(table).enumerate() {
                let all = std::iter::once(&column.name).chain(column.aliases).chain(national);
                for (rank, name) in all.enumerate() {
                    names.entry(name).or_insert((position, rank));
                }
            }
            names
        })
        .collect()
});

/// What could not be read, and why: each with its place.
#[derive(Default)]
pub(super) struct Notes {
    kept: Vec<String>,
    more: usize,
}

impl Notes {
    pub(super) fn add(&mut self, note: impl FnOnce() -> String) {
        if self.kept.len() < NOTES {
            self.kept.push(note());
        } else {
            self.more += 1;
        }
    }

    pub(super) fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.kept.push(format!("另有 {} 处没有列出", self.more));
        }
        self.kept
    }
}

/// What a column was given, and the field that gave it.
struct Given<'n> {
    position: usize,
    text: Cow<'n, str>,
    field: &'n str,
    rank: usize,
}

/// Where a row stands in a message; written only when somebody is told.
pub(super) struct Place<'n> {
    list: Cow<'n, str>,
    number: Option<usize>,
}

impl<'n> Place<'n> {
    /// A place in a list.
    pub(super) fn numbered(list: &'n str, number: usize) -> Place<'n> {
        Place { list: Cow::Borrowed(list), number: Some(number) }
    }
}

impl<'n> From<&'n str> for Place<'n> {
    fn from(place: &'n str) -> Place<'n> {
        Place { list: Cow::Borrowed(place), number: None }
    }
}

impl From<String> for Place<'_> {
    fn from(place: String) -> Self {
        Place { list: Cow::Owned(place), number: None }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "{}[{number}]", self.list),
            None => f.write_str(&self.list),
        }
    }
}

/// More columns than a table has.
const COLUMNS: usize = 64;

const NOWHERE: u8 = u8::MAX;

/// A row of a table as texts.
pub(super) struct Row<'n> {
    table: Table,
    /// Of the columns that were given something, in no order.
    cells: Vec<Given<'n>>,
    /// For each column its place among the cells, or [`NOWHERE`].
    places: [u8; COLUMNS],
    /// Fields that the table has no column for, in any vocabulary.
    strange: Vec<&'n str>,
    place: Place<'n>,
}

impl<'n> Row<'n> {
    /// The fields of an object that the table has columns for; the others are passed over.
    pub(super) fn read(table: Table, object: &'n Node<'_>, place: impl Into<Place<'n>>, notes: &mut Notes) -> Row<'n> {
        let fields = if let Node::Object(fields) = object { fields.as_slice() } else { &[] };
        Row::of(table, fields.iter().map(|(name, node)| (name.as_ref(), node)), place, notes)
    }

    /// The same of its fields.
    pub(super) fn of<'a: 'n>(
        table: Table,
        fields: impl ExactSizeIterator<Item = (&'n str, &'n Node<'a>)>,
        place: impl Into<Place<'n>>,
        notes: &mut Notes,
    ) -> Row<'n> {
        let places = [NOWHERE; COLUMNS];
        let mut row = Row { table, cells: Vec::new(), places, strange: Vec::new(), place: place.into() };
        // What a claim shares comes besides.
        row.cells.reserve(fields.len() + 10);
        let names = &NAMES[table as usize];
        for (field, node) in fields {
            let Some(&(position, rank)) = names.get(field) else {
                row.strange.push(field);
                continue;
            };
            if node.is_nothing() || row.at(position).is_some_and(|known| known.rank < rank) {
                continue;
            }
            match text_of(&table.columns()[position], node) {
                Ok(text) => row.give(Given { position, text, field, rank }),
                Err(why) => notes.add(|| format!("{}.{field}：{why}", row.place)),
            }
        }
        row
    }

    fn at(&self, position: usize) -> Option<&Given<'n>> {
        self.cells.get(usize::from(self.places[position]))
    }

    fn give(&mut self, given: Given<'n>) {
        let place = &mut self.places[given.position];
        if let Some(known) = self.cells.get_mut(usize::from(*place)) {
            *known = given;
        } else {
            *place = u8::try_from(self.cells.len()).expect("no more cells than columns");
            self.cells.push(given);
        }
    }

    fn take(&mut self, position: usize) -> Option<Given<'n>> {
        let place = std::mem::replace(&mut self.places[position], NOWHERE);
        if place == NOWHERE {
            return None;
        }
        let taken = self.cells.swap_remove(usize::from(place));
        if let Some(moved) = self.cells.get(usize::from(place)) {
            self.places[moved.position] = place;
        }
        Some(taken)
    }

    /// Whose row it is.
    pub(super) fn table(&self) -> Table {
        self.table
    }

    /// Fields that were passed over.
    pub(super) fn strange(&self) -> &[&'n str] {
        &self.strange
    }

    /// Every column that was given something, in the order of the table.
    pub(super) fn into_cells(mut self) -> Vec<(&'static str, String)> {
        self.cells.sort_by_key(|given| given.position);
        let columns = self.table.columns();
        self.cells.into_iter().map(|given| (columns[given.position].name, given.text.into_owned())).collect()
    }

    /// What a column was given.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        self.get_at(self.table.position(column)?)
    }

    /// What the column at a position was given.
    pub(super) fn get_at(&self, position: usize) -> Option<&str> {
        self.at(position).map(|given| given.text.as_ref())
    }

    /// Gives a column a value, whatever it had.
    pub(super) fn set(&mut self, column: &'static str, text: impl Into<Cow<'n, str>>) {
        if let Some(position) = self.table.position(column) {
            self.give(Given { position, text: text.into(), field: column, rank: 0 });
        }
    }

    /// Gives a column a value where it has none, and the table has the column.
    pub(super) fn inherit(&mut self, column: &'static str, text: Option<impl Into<Cow<'n, str>>>) {
        if let Some(position) = self.table.position(column) {
            self.inherit_at(position, text);
        }
    }

    /// Gives the column at a position a value where it has none.
    pub(super) fn inherit_at(&mut self, position: usize, text: Option<impl Into<Cow<'n, str>>>) {
        if let (Some(text), None) = (text, self.at(position)) {
            let field = self.table.columns()[position].name;
            self.give(Given { position, text: text.into(), field, rank: 0 });
        }
    }

    /// Takes a column's value away.
    pub(super) fn clear(&mut self, column: &str) {
        if let Some(position) = self.table.position(column) {
            self.take(position);
        }
    }

    /// Yuan that a column was given, where it can be read.
    pub(super) fn yuan(&self, column: &str) -> Option<Decimal> {
        match parse(Kind::Money, self.get(column)?) {
            Ok(Value::Decimal(cents)) => Some(Decimal::new(cents, 2)),
            _ => None,
        }
    }

    /// The place of the row, for a note about it.
    pub(super) fn place(&self) -> &Place<'n> {
        &self.place
    }

    /// Appends the row. Cells that cannot be read are left empty and noted; without a required one the row stays out.
    pub(super) fn push(&mut self, into: &mut Tables, notes: &mut Notes) -> bool {
        let builder = into.builder(self.table);
        loop {
            let cells = self.cells.iter().map(|given| (given.position, given.text.as_ref()));
            let Err(bad) = builder.push(cells) else { return true };
            let stays = self.note(&bad, notes);
            if !stays {
                return false;
            }
        }
    }

    /// Notes bad cells and empties them; false where one of them is required.
    fn note(&mut self, bad: &[BadCell], notes: &mut Notes) -> bool {
        let mut stays = true;
        for cell in bad {
            let Some(position) = self.table.position(cell.column) else { continue };
            let column = &self.table.columns()[position];
            stays &= !column.required;
            let given = self.take(position);
            let place = &self.place;
            match given {
                Some(given) if column.required => {
                    notes.add(|| format!("{place} 没有读入：`{}` {}", given.field, wanted(column.kind)));
                }
                Some(given) => notes.add(|| format!("{place}.{}：{}", given.field, wanted(column.kind))),
                None => notes.add(|| format!("{place} 没有读入：没有 {}", names_of(self.table, column))),
            }
        }
        stays
    }
}

/// The rows of a list, column by column, where nothing of them has to be told: quicker than one [`Row`] after the other, and
/// the same.
pub(super) struct Sheet<'n> {
    table: Table,
    rows: usize,
    /// Positions of the columns that were given something, and a cell a row.
    columns: Vec<(usize, Vec<Option<&'n str>>)>,
}

impl<'n> Sheet<'n> {
    /// `None` where an item is no object, or has a field that is unknown, that is there under two names, or that holds more than
    /// a text, a number or a flag: that is for a [`Row`].
    pub(super) fn of(table: Table, rows: &'n Rows<'_>) -> Option<Sheet<'n>> {
        let mut sheet = Sheet { table, rows: rows.len(), columns: Vec::new() };
        for name in rows.names() {
            let (position, _) = *NAMES[table as usize].get(name)?;
            if sheet.column(position).is_some() {
                return None;
            }
            sheet.columns.push((position, vec![None; rows.len()]));
        }
        for (row, item) in rows.each().enumerate() {
            let Item::Object(fields) = item else { return None };
            for (name, node) in fields.iter().filter(|(_, node)| !node.is_nothing()) {
                sheet.columns[*name].1[row] = Some(match node {
                    Node::Text(text) => text.as_ref(),
                    Node::Number(text) => text,
                    Node::Flag(true) => "1",
                    Node::Flag(false) => "0",
                    _ => return None,
                });
            }
        }
        Some(sheet)
    }

    /// Whose rows they are.
    pub(super) fn table(&self) -> Table {
        self.table
    }

    /// How many.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// What the column at a position was given; `None`: nothing in any row.
    pub(super) fn column(&self, position: usize) -> Option<&[Option<&'n str>]> {
        self.columns.iter().find(|(at, _)| *at == position).map(|(_, cells)| cells.as_slice())
    }

    /// Gives the column at a position a value in the rows where it has none.
    pub(super) fn inherit(&mut self, position: usize, text: &'n str) {
        match self.columns.iter_mut().find(|(at, _)| *at == position) {
            Some((_, cells)) => cells.iter_mut().for_each(|cell| *cell = cell.or(Some(text))),
            None => self.columns.push((position, vec![Some(text); self.rows])),
        }
    }

    /// Appends the rows, or, where a cell of them is to be looked at by itself, none.
    pub(super) fn push(&self, into: &mut Tables) -> bool {
        into.builder(self.table).push_all(self.rows, &self.columns)
    }
}

/// The names of a column as a vendor knows them.
fn names_of(table: Table, column: &Column) -> String {
    let field = fields_of(table).find(|field| field.column.name == column.name);
    let national = field.map_or(&[][..], |field| field.national);
    let all: Vec<String> = national.iter().chain([&column.name]).map(|name| format!("`{name}`")).collect();
    all.join(" 或 ")
}

/// What should have been written.
fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "读不懂：文字含控制字符、过长，或编码成了科学计数（编码要加引号）",
        Kind::Flag => "不是标志：写 0 或 1",
        Kind::Money => "不是金额：写成 12.50，最多两位小数",
        Kind::Price => "不是单价：写成 12.5，最多六位小数",
        Kind::Quantity => "不是数量：写成 2 或 0.5，最多四位小数",
        Kind::Degree => "不是经纬度：写成 118.12",
        Kind::Day => "不是日期：写成 2026-01-05",
        Kind::Time => "不是时间：写成 2026-01-05 08:00:00",
    }
}

/// The text of a field as its column reads it.
fn text_of<'n>(column: &Column, node: &'n Node<'_>) -> Result<Cow<'n, str>, &'static str> {
    if column.name == "drug_trac_codg"
        && let Node::List(codes) = node
    {
        let codes: Option<Vec<Cow<'_, str>>> = codes.iter().map(Node::as_text).collect();
        return codes.map(|codes| Cow::Owned(codes.join("|"))).ok_or("应当是追溯码的列表");
    }
    let text = match node {
        Node::TooLong => return Err("文字太长"),
        Node::List(_) | Node::Rows(_) | Node::Object(_) => return Err("应当是文字或数"),
        Node::Text(text) => Cow::Borrowed(text.as_ref()),
        node => node.as_text().ok_or("应当是文字或数")?,
    };
    Ok(match column.kind {
        Kind::Day | Kind::Time => since_epoch(column.kind, &text).map_or(text, Cow::Owned),
        _ => text,
    })
}

/// Milliseconds since 1970 as civil time in China, which is eight hours ahead: of twelve or thirteen digits, or negative,
/// and only where they are no day as people write it (202601050800).
fn since_epoch(kind: Kind, text: &str) -> Option<String> {
    const EIGHT_HOURS: i64 = 8 * 3_600_000;
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let long = (12..=13).contains(&digits.len()) || (digits.len() < text.len() && (9..=13).contains(&digits.len()));
    if !long || !digits.bytes().all(|b| b.is_ascii_digit()) || parse(kind, text).is_ok() {
        return None;
    }
    let milliseconds: i64 = text.parse().ok()?;
    let civil = day::time_text((milliseconds + EIGHT_HOURS) * 1_000);
    Some(if kind == Kind::Day { civil.get(..10)?.to_owned() } else { civil })
}

/// Rows by table.
#[derive(Default)]
pub(super) struct Tables {
    builders: BTreeMap<Table, TableBuilder>,
}

impl Tables {
    fn builder(&mut self, table: Table) -> &mut TableBuilder {
        self.builders.entry(table).or_insert_with(|| TableBuilder::new(table))
    }

    /// Rows of a table so far.
    pub(super) fn rows(&self, table: Table) -> usize {
        self.builders.get(&table).map_or(0, TableBuilder::len)
    }

    /// The tables that have rows.
    pub(super) fn finish(self) -> BTreeMap<Table, RecordBatch> {
        self.builders
            .into_iter()
            .filter(|(_, builder)| !builder.is_empty())
            .map(|(table, mut builder)| (table, builder.finish()))
            .collect()
    }
}
