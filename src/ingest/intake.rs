//! From rows of cells to packed rows on their way to a bucket.
//!
//! One [`Intake`] takes the rows of one chunk, on one thread. Every row that is not blank is counted once for each table it
//! is a row of, and is either packed or complained of. Goes in: a [`Block`] and the [`Plan`]s of its file. Comes out: bytes
//! for the buckets, complaints, counts. Not known here: other chunks, keys, duplicates.
//!
//! No allocation beyond the buckets' buffers, which are kept from chunk to chunk.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use arrow::array::{Array, StringArray};

use super::dataset::{TableSummary, bucket_of};
use super::header::{From, Header, Plan};
use super::packed::{Packer, put_number, put_text};
use super::rows::{Block, Row};
use super::spill::Complaints;
use super::values::{BadCell, Value, bad_cells, parse_cell};
use crate::model::{Kind, Table};

/// Tag of a record that says: this person is charged in this encounter.
pub(super) const CHARGED: u8 = 0x40;

/// Bit of a tag that says: split off a flat file.
pub(super) const SPLIT: u8 = 0x80;

/// Bit of a tag that says: in the dataset since an earlier time, or known to it.
pub(super) const EARLIER: u8 = 0x20;

/// Bit of the tag of an earlier row that says: set aside until now, because of its encounter.
pub(super) const WAITING: u8 = 0x10;

/// The turn of rows that are taken in now; an earlier row has a lower one.
pub(super) const NOW: u32 = u32::MAX;

/// Counts by table.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    pub tables: Vec<TableSummary>,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger { tables: vec![TableSummary::default(); Table::ALL.len()] }
    }
}

impl Ledger {
    pub(super) fn of(&mut self, table: Table) -> &mut TableSummary {
        &mut self.tables[table as usize]
    }

    pub(super) fn merge(&mut self, other: &Ledger) {
        for (table, more) in self.tables.iter_mut().zip(&other.tables) {
            table.merge(more);
        }
    }
}

/// Position of the amount that is summed, for tables that have one.
pub(super) fn amount_of(table: Table) -> Option<usize> {
    Places::of(table).amount
}

/// Positions of the columns that say where a row goes, by table.
struct Places {
    /// The column that names its partition or bucket.
    goes_by: usize,
    encounter: Option<usize>,
    person: Option<usize>,
    amount: Option<usize>,
}

impl Places {
    fn of(table: Table) -> &'static Places {
        static PLACES: LazyLock<Vec<Places>> = LazyLock::new(|| {
            let places = |table: Table| {
                let goes_by = match table {
                    Table::FeeDetail | Table::Person | Table::Identity => "psn_no",
                    Table::Settlement => "setl_id",
                    Table::Facility => "fixmedins_code",
                    _ => "mdtrt_id",
                };
                let amount = match table {
                    Table::FeeDetail => table.position("det_item_fee_sumamt"),
                    Table::Settlement => table.position("medfee_sumamt"),
                    _ => None,
                };
                Places {
                    goes_by: table.position(goes_by).expect("a column of the table"),
                    encounter: table.position("mdtrt_id"),
                    person: table.position("psn_no"),
                    amount,
                }
            };
            Table::ALL.into_iter().map(places).collect()
        });
        &PLACES[table as usize]
    }
}

/// What there is to know about a file for taking in its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub file: u32,
    pub header: &'a Header,
    pub plans: &'a [Plan],
    /// Whether the input has encounters to hold the persons of fee lines and settlements against.
    pub encounters: bool,
}

/// Takes in the rows of a chunk.
#[derive(Debug)]
pub(super) struct Intake {
    buckets: usize,
    /// Records for the buckets of persons.
    pub people: Vec<Vec<u8>>,
    /// Records for the partitions by key.
    pub keys: Vec<Vec<u8>>,
    pub complaints: Complaints,
    pub ledger: Ledger,
    /// Totals rows and repeated headers.
    pub set_aside: u64,
    packer: Packer,
    /// The person of the last row that went to a person's bucket, and the bucket.
    last_person: (Vec<u8>, usize),
    /// Encounter and person, packed.
    last_charged: Vec<u8>,
    charged: Vec<u8>,
    seen: HashSet<Vec<u8>>,
}

impl Intake {
    pub(super) fn new(buckets: usize) -> Self {
        Intake {
            buckets,
            people: vec![Vec::new(); buckets],
            keys: vec![Vec::new(); buckets],
            complaints: Complaints::default(),
            ledger: Ledger::default(),
            set_aside: 0,
            packer: Packer::new(),
            last_person: (Vec::new(), bucket_of("", buckets)),
            last_charged: Vec::new(),
            charged: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// The next block is of another chunk: what is said once a chunk is said anew.
    pub(super) fn begin_chunk(&mut self) {
        self.seen.clear();
    }

    /// Takes in every row of the block that stands below the header. `computed` are the mapping's expressions over it.
    pub(super) fn take(&mut self, block: &Block, origin: Origin<'_>, computed: &[StringArray]) {
        let wanted = origin.header.cells.len();
        let plans: Vec<_> = origin.plans.iter().map(|plan| (plan, plan.only_cells())).collect();
        for (index, row) in block.rows.iter().enumerate() {
            if row.number <= origin.header.row {
                continue;
            }
            if let Some(reason) = &row.trouble {
                self.refuse_whole(block, row, origin, reason);
            } else if let Some(reason) = set_aside(block, row, origin.header) {
                self.set_aside += 1;
                self.complaints.add(origin.file, row.number, "", reason, &whole(block, row));
            } else if block.is_blank(row) {
                // A blank row is no row.
            } else if !block.fixed && is_ragged(block, row, wanted) {
                self.refuse_whole(block, row, origin, &format!("found {} cells, wanted {wanted}", row.found));
            } else {
                for (plan, cells) in &plans {
                    if !is_of(plan, block, row, index, computed) {
                        continue;
                    }
                    match cells {
                        Some(cells) => self.take_cells(block, row, origin, plan, cells),
                        None => self.take_row(block, row, index, origin, plan, computed),
                    }
                }
            }
        }
    }

    /// A row whose cells cannot be told apart.
    fn refuse_whole(&mut self, block: &Block, row: &Row, origin: Origin<'_>, reason: &str) {
        for plan in origin.plans.iter().filter(|p| !p.split) {
            let counts = self.ledger.of(plan.table);
            counts.read.rows += 1;
            counts.quarantined.rows += 1;
            counts.sum_unreadable += u64::from(amount_of(plan.table).is_some());
        }
        self.complaints.add(origin.file, row.number, "", reason, &whole(block, row));
    }

    /// A row whose columns are cells of the file, as they are: positions in the table and in the row.
    fn take_cells(&mut self, block: &Block, row: &Row, origin: Origin<'_>, plan: &Plan, cells: &[(usize, usize)]) {
        let texts = || cells.iter().map(|&(position, cell)| (position, block.cell(row, cell)));
        if self.packer.pack(plan.table, texts()) {
            self.route(plan, origin, row.number);
            return;
        }
        let bad = bad_cells(plan.table, texts());
        self.refuse(block, row, origin, plan, &bad, |position| {
            texts().find(|(p, _)| *p == position).map(|(_, text)| Cow::Borrowed(text))
        });
    }

    /// A row of which a mapping says more than which column is which.
    fn take_row(
        &mut self,
        block: &Block,
        row: &Row,
        index: usize,
        origin: Origin<'_>,
        plan: &Plan,
        computed: &[StringArray],
    ) {
        let text_from = |from: &From| -> Option<Cow<'_, str>> {
            Some(match from {
                From::Cell(cell) => Cow::Borrowed(block.cell(row, *cell)),
                From::Constant(text) => Cow::Owned(text.clone()),
                From::Computed(number) if computed[*number].is_null(index) => Cow::Borrowed(""),
                From::Computed(number) => Cow::Owned(computed[*number].value(index).to_owned()),
                From::RowNumber => Cow::Owned(row.number.to_string()),
                From::Lookup { cell, values, default } => {
                    let cell = block.cell(row, *cell).trim();
                    Cow::Owned(values.get(cell).or(default.as_ref())?.clone())
                }
            })
        };
        let table = plan.table;
        let mut unmapped = Vec::new();
        let texts: Vec<(usize, Cow<'_, str>)> = plan
            .columns
            .iter()
            .map(|(position, from)| {
                let found = text_from(from).unwrap_or_else(|| {
                    let From::Lookup { cell, .. } = from else { return Cow::Borrowed("") };
                    unmapped.push(BadCell {
                        column: table.columns()[*position].name,
                        reason: "the mapping has no value for it and no default".into(),
                        text: block.cell(row, *cell).to_owned(),
                    });
                    Cow::Borrowed("")
                });
                (*position, found)
            })
            .collect();
        let cells = || texts.iter().map(|(p, t)| (*p, t.as_ref()));
        if self.packer.pack(table, cells()) && unmapped.is_empty() {
            self.route(plan, origin, row.number);
            return;
        }
        let known: Vec<&str> = unmapped.iter().map(|b| b.column).collect();
        let more = bad_cells(table, cells()).into_iter().filter(|b| !known.contains(&b.column));
        let bad: Vec<BadCell> = unmapped.iter().cloned().chain(more).collect();
        self.refuse(block, row, origin, plan, &bad, |p| {
            texts.iter().find(|(position, _)| *position == p).map(|(_, t)| Cow::Borrowed(t.as_ref()))
        });
    }

    /// A row with bad cells.
    fn refuse<'t>(
        &mut self,
        block: &Block,
        row: &Row,
        origin: Origin<'_>,
        plan: &Plan,
        bad: &[BadCell],
        text: impl Fn(usize) -> Option<Cow<'t, str>>,
    ) {
        let table = plan.table;
        if is_total(table, plan, bad, &text) {
            self.set_aside += u64::from(!plan.split);
            if !plan.split {
                self.complaints.add(origin.file, row.number, "", "totals row", &whole(block, row));
            }
            return;
        }
        if plan.split {
            // The same bad cells on every line of an encounter are one bad row.
            let mut mark = vec![table as u8];
            for (position, _) in &plan.columns {
                put_text(&mut mark, text(*position).unwrap_or_default().as_bytes());
            }
            if !self.seen.insert(mark) {
                return;
            }
        }
        let amount = amount_of(table).map(|position| {
            match parse_cell(&table.columns()[position], &text(position).unwrap_or_default()) {
                Ok(Value::Decimal(cents)) => Some(cents),
                _ => None,
            }
        });
        let counts = self.ledger.of(table);
        match amount {
            None => {
                counts.read.rows += 1;
                counts.quarantined.rows += 1;
            }
            Some(Some(cents)) => {
                counts.read.add(cents);
                counts.quarantined.add(cents);
            }
            Some(None) => {
                counts.read.rows += 1;
                counts.quarantined.rows += 1;
                counts.sum_unreadable += 1;
            }
        }
        for BadCell { column, reason, text } in bad {
            self.complaints.add(origin.file, row.number, column, reason, text);
        }
    }

    /// Sends the packed row on its way.
    fn route(&mut self, plan: &Plan, origin: Origin<'_>, row: u64) {
        let Plan { table, split, .. } = *plan;
        let places = Places::of(table);
        let packed = self.packer.row();
        if split {
            // An encounter stands on each of its lines: it goes on its way once a chunk.
            let mut mark = vec![table as u8];
            mark.extend_from_slice(packed);
            if !self.seen.insert(mark) {
                return;
            }
        } else {
            let cents = places.amount.and_then(|position| self.packer.number(position));
            self.ledger.of(table).read.add(cents.unwrap_or(0));
        }
        let tag = table as u8 | if split { SPLIT } else { 0 };
        self.send(table, tag, NOW, (origin.file, row), origin.encounters);
    }

    /// Sends a row on its way that is known since an earlier time: `pack` packs it. Returns its amount.
    pub(super) fn take_earlier(
        &mut self,
        table: Table,
        waited: bool,
        turn: u32,
        place: (u32, u64),
        pack: impl FnOnce(&mut Packer),
    ) -> i64 {
        pack(&mut self.packer);
        let cents = Places::of(table).amount.and_then(|position| self.packer.number(position)).unwrap_or(0);
        self.ledger.of(table).read.add(cents);
        let tag = table as u8 | EARLIER | if waited { WAITING } else { 0 };
        self.send(table, tag, turn, place, true);
        cents
    }

    /// Puts the packed row into its partition or bucket, and says who is charged in which encounter, where somebody asks.
    fn send(&mut self, table: Table, tag: u8, turn: u32, (file, row): (u32, u64), charges: bool) {
        let places = Places::of(table);
        let packed = self.packer.row();
        let goes_by = self.packer.text(places.goes_by);
        let out = match table {
            Table::FeeDetail | Table::Person | Table::Identity => {
                // The rows of a person mostly stand together.
                if self.last_person.0 != goes_by {
                    self.last_person = (goes_by.to_vec(), bucket_of(goes_by, self.buckets));
                }
                &mut self.people[self.last_person.1]
            }
            _ => &mut self.keys[bucket_of(goes_by, self.buckets)],
        };
        put_record_of(out, tag, turn, file, row, packed);
        if charges && matches!(table, Table::FeeDetail | Table::Settlement) {
            let text = |position: Option<usize>| position.map_or(&[][..], |p| self.packer.text(p));
            let (encounter, person) = (text(places.encounter), text(places.person));
            self.charged.clear();
            put_text(&mut self.charged, encounter);
            put_text(&mut self.charged, person);
            // The lines of an encounter mostly stand together: say it once.
            if self.last_charged != self.charged {
                put_record(&mut self.keys[bucket_of(encounter, self.buckets)], CHARGED, 0, 0, &self.charged);
                std::mem::swap(&mut self.last_charged, &mut self.charged);
            }
        }
    }
}

/// Whether the row is one of the plan's.
fn is_of(plan: &Plan, block: &Block, row: &Row, index: usize, computed: &[StringArray]) -> bool {
    plan.filter.is_none_or(|filter| !computed[filter].is_null(index) && computed[filter].value(index) == "true")
        && !plan.only_with.is_some_and(|cell| is_nothing(block.cell(row, cell)))
}

/// Writes a record: tag, file, row, payload.
pub(super) fn put_record(out: &mut Vec<u8>, tag: u8, file: u32, row: u64, payload: &[u8]) {
    put_record_of(out, tag, NOW, file, row, payload);
}

/// Writes a record, that of an earlier row with its turn.
pub(super) fn put_record_of(out: &mut Vec<u8>, tag: u8, turn: u32, file: u32, row: u64, payload: &[u8]) {
    out.push(tag);
    if tag & EARLIER != 0 {
        put_number(out, u64::from(turn));
    }
    put_number(out, u64::from(file));
    put_number(out, row);
    put_number(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

fn is_ragged(block: &Block, row: &Row, wanted: usize) -> bool {
    let found = row.found as usize;
    found < wanted || (found > wanted && block.row_cells(row).skip(wanted).any(|c| !c.trim().is_empty()))
}

fn is_nothing(cell: &str) -> bool {
    matches!(cell.trim(), "" | "-" | "NULL" | "null" | "\\N")
}

fn whole(block: &Block, row: &Row) -> String {
    let mut text = String::new();
    for (i, cell) in block.row_cells(row).enumerate() {
        if text.len() > 400 {
            break;
        }
        if i > 0 {
            text.push(',');
        }
        text.push_str(cell);
    }
    text
}

/// Why a row is listed and not counted, when it is no row of the table at all: a totals row, the header once more.
fn set_aside(block: &Block, row: &Row, header: &Header) -> Option<&'static str> {
    let first = block.row_cells(row).map(str::trim).find(|c| !c.is_empty())?;
    if is_footer(first) {
        return Some("totals row");
    }
    let name = header.cells.iter().find(|c| !c.is_empty())?;
    (first == name && header.cells.iter().zip(block.row_cells(row)).all(|(name, cell)| name == cell.trim()))
        .then_some("repeated header")
}

fn is_footer(first: &str) -> bool {
    const WHOLE: [&str; 9] = ["合计", "总计", "小计", "共计", "总合计", "本页合计", "本页小计", "累计", "合计金额"];
    const BEGINNING: [&str; 11] =
        ["制表", "制单", "填表", "审核人", "复核人", "打印时间", "打印日期", "导出时间", "打印人", "经办人", "合计:"];
    if first.is_ascii() {
        return first.len() <= 11
            && ["total", "subtotal", "grand total", "sum"].iter().any(|w| first.eq_ignore_ascii_case(w));
    }
    let plain: String = first.chars().filter(|c| !c.is_whitespace()).take(12).collect::<String>().replace('：', ":");
    WHOLE.contains(&plain.trim_end_matches(':')) || BEGINNING.iter().any(|b| plain.starts_with(b))
}

/// A row that has nothing but sums: every required text and time is empty, and a number is there.
fn is_total<'t>(table: Table, plan: &Plan, bad: &[BadCell], text: impl Fn(usize) -> Option<Cow<'t, str>>) -> bool {
    if !bad.iter().any(|b| b.text.is_empty()) {
        return false;
    }
    let mut numbers = 0;
    for (position, _) in &plan.columns {
        if is_nothing(&text(*position).unwrap_or_default()) {
            continue;
        }
        match table.columns()[*position].kind {
            Kind::Money | Kind::Price | Kind::Quantity => numbers += 1,
            _ => return false,
        }
    }
    numbers > 0
}
