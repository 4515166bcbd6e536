//! Claims of some persons, complete: every row of every table that concerns them, netted.
//!
//! Goes in: the tables of a unit (person-complete) as Arrow batches. Comes out: [`Claims`]: net lines, settlements that
//! stand, encounters of which something remains, and how rows refer to each other. Refunds net out here, once, before any
//! rule looks (refund settlements before single lines).
//!
//! Cost: one pass over the lines, one hash lookup a line for its encounter; about 24 bytes a line beside the columns.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, take, take_record_batch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};

use super::kept::{Kept, Named};
use super::words::{RowsBy, Texts, with_its_own_texts};
use crate::model::{Table, codes::trace_codes};

/// Text column of a batch.
pub(super) fn text<'a>(batch: &'a impl Named, name: &str) -> Result<&'a StringArray, ArrowError> {
    typed(batch, name)
}

/// The texts of a column of a batch.
pub(super) fn texts<'a>(batch: &'a impl Named, name: &str) -> Result<Texts<'a>, ArrowError> {
    batch
        .named(name)
        .and_then(Texts::of)
        .ok_or_else(|| ArrowError::SchemaError(format!("the column `{name}` was not read")))
}

/// Time column of a batch.
pub(super) fn time<'a>(batch: &'a impl Named, name: &str) -> Result<&'a TimestampMicrosecondArray, ArrowError> {
    typed(batch, name)
}

/// Decimal column of a batch.
pub(super) fn decimal<'a>(batch: &'a impl Named, name: &str) -> Result<&'a Decimal128Array, ArrowError> {
    typed(batch, name)
}

/// Day column of a batch.
pub(super) fn day<'a>(batch: &'a impl Named, name: &str) -> Result<&'a Date32Array, ArrowError> {
    typed(batch, name)
}

fn typed<'a, T: Array + 'static>(batch: &'a impl Named, name: &str) -> Result<&'a T, ArrowError> {
    batch
        .named(name)
        .and_then(|c| c.as_any().downcast_ref())
        .ok_or_else(|| ArrowError::SchemaError(format!("the column `{name}` was not read")))
}

/// `Some(text)` of a row, unless null.
pub(super) fn at(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

/// The day of a time.
#[must_use]
pub fn day_of(micros: i64) -> i32 {
    i32::try_from(micros.div_euclid(86_400_000_000)).unwrap_or(i32::MAX)
}

/// What netting did, in rows and fen of `det_item_fee_sumamt`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Netting {
    /// Lines as they were read.
    pub lines: Tally,
    /// Lines of refund settlements and of those they cancel.
    pub of_refund_settlements: Tally,
    /// Lines cancelled whole, and the lines that cancelled them.
    pub cancelled: Tally,
    /// Negative lines that reduced another line in part; their money is taken off it.
    pub partial: Tally,
    /// Negative lines that found no partner.
    pub unpaired: Tally,
    /// Lines that remain.
    pub net: Tally,
    /// Settlements read, removed as refunds and refunded, unpaired.
    pub settlements: u64,
    pub settlements_removed: u64,
    pub settlements_unpaired: u64,
}

/// Rows and fen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub rows: u64,
    pub fen: i128,
}

impl Tally {
    fn add(&mut self, fen: i128) {
        self.rows += 1;
        self.fen += fen;
    }

    fn merge(&mut self, other: Tally) {
        self.rows += other.rows;
        self.fen += other.fen;
    }
}

impl Netting {
    /// Adds the counts of other persons.
    pub fn merge(&mut self, other: &Netting) {
        self.lines.merge(other.lines);
        self.of_refund_settlements.merge(other.of_refund_settlements);
        self.cancelled.merge(other.cancelled);
        self.partial.merge(other.partial);
        self.unpaired.merge(other.unpaired);
        self.net.merge(other.net);
        self.settlements += other.settlements;
        self.settlements_removed += other.settlements_removed;
        self.settlements_unpaired += other.settlements_unpaired;
    }

    /// Rows and money read = removed + cancelled + partial + unpaired + net.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let mut sum = Tally::default();
        for part in [self.of_refund_settlements, self.cancelled, self.partial, self.unpaired, self.net] {
            sum.merge(part);
        }
        sum == self.lines
    }
}

/// The tables of some persons as they were read, by table; absent tables are empty batches.
pub type Tables = BTreeMap<Table, RecordBatch>;

/// The claims of some persons after netting.
#[derive(Debug)]
pub struct Claims {
    /// Net lines, in order of person, time, encounter, serial number.
    pub lines: Kept,
    /// Settlements that stand.
    pub settlements: RecordBatch,
    /// Encounters of which a line or a settlement remains.
    pub encounters: RecordBatch,
    pub persons: RecordBatch,
    pub diagnoses: RecordBatch,
    pub identities: RecordBatch,
    pub special_cases: RecordBatch,
    pub presences: RecordBatch,
    /// Lines as read, without those of refund settlements and of what they cancel.
    pub raw_lines: Kept,
    /// Settlements as read, without refunds and what they cancel.
    pub raw_settlements: Kept,
    pub netting: Netting,
    /// Unpaired reversals by facility.
    pub unpaired_at: BTreeMap<String, u64>,
    /// Row of `encounters` by `mdtrt_id`.
    pub encounter_of: Arc<RowsBy>,
    /// Row of `persons` by `psn_no`.
    pub person_of: Arc<RowsBy>,
    /// Row of `settlements` by `setl_id`.
    pub settlement_of: Arc<RowsBy>,
}

impl Claims {
    /// Nets the tables of some persons.
    ///
    /// # Errors
    /// A column that netting needs was not read.
    pub fn net(tables: &Tables) -> Result<Claims, ArrowError> {
        let get = |table: Table| tables.get(&table).cloned().unwrap_or_else(|| RecordBatch::new_empty(table.schema()));
        let lines = sorted(&get(Table::FeeDetail), &["psn_no", "fee_ocur_time", "mdtrt_id", "feedetl_sn"])?;
        let settlements = sorted(&get(Table::Settlement), &["psn_no", "setl_time", "setl_id"])?;
        let encounters = sorted(&get(Table::Encounter), &["psn_no", "begntime", "mdtrt_id"])?;
        let mut netting = Netting { settlements: settlements.num_rows() as u64, ..Netting::default() };
        let mut unpaired_at = BTreeMap::new();
        let (settlements, removed) = standing_settlements(&settlements, &mut netting)?;
        let raw_lines = without_refunds(&lines, &removed)?;
        let raw_settlements = Kept::whole(settlements.clone());
        let lines = net_lines(&lines, &removed, &mut netting, &mut unpaired_at)?;
        debug_assert!(netting.adds_up(), "netting lost a line: {netting:?}");

        let settlement_of = Arc::new(RowsBy::new(texts(&settlements, "setl_id")?));
        let (encounters, encounter_of) = remaining(&encounters, &lines, &settlements)?;
        let persons = get(Table::Person);
        let person_of = Arc::new(RowsBy::new(texts(&persons, "psn_no")?));
        Ok(Claims {
            lines,
            settlements,
            encounters,
            persons,
            diagnoses: get(Table::Diagnosis),
            identities: get(Table::Identity),
            special_cases: get(Table::SpecialCase),
            presences: get(Table::Presence),
            raw_lines,
            raw_settlements,
            netting,
            unpaired_at,
            encounter_of: Arc::new(encounter_of),
            person_of,
            settlement_of,
        })
    }
}

impl Claims {
    /// The same with no other lines than those of some encounters, and those whose encounter is not there; nothing where these
    /// are all.
    ///
    /// # Errors
    /// A column was not read.
    pub fn of_encounters(&self, encounters: &BTreeSet<String>) -> Result<Option<Claims>, ArrowError> {
        let keep = |lines: &Kept| -> Result<Vec<bool>, ArrowError> {
            let stays =
                |id: Option<&str>| id.is_none_or(|id| encounters.contains(id) || self.encounter_of.last(id).is_none());
            Ok(texts(lines, "mdtrt_id")?.each(stays))
        };
        let (lines, raw_lines) = (keep(&self.lines)?, keep(&self.raw_lines)?);
        if lines.iter().chain(&raw_lines).all(|keep| *keep) {
            return Ok(None);
        }
        Ok(Some(Claims {
            lines: self.lines.among(&lines),
            raw_lines: self.raw_lines.among(&raw_lines),
            raw_settlements: Kept::whole(self.settlements.clone()),
            settlements: self.settlements.clone(),
            encounters: self.encounters.clone(),
            persons: self.persons.clone(),
            diagnoses: self.diagnoses.clone(),
            identities: self.identities.clone(),
            special_cases: self.special_cases.clone(),
            presences: self.presences.clone(),
            netting: self.netting,
            unpaired_at: self.unpaired_at.clone(),
            encounter_of: Arc::clone(&self.encounter_of),
            person_of: Arc::clone(&self.person_of),
            settlement_of: Arc::clone(&self.settlement_of),
        }))
    }
}

/// Net lines with trace codes, and their settlements: what a question across persons takes from each batch of persons.
#[derive(Debug)]
pub struct Traced {
    lines: RecordBatch,
    settlements: RecordBatch,
}

impl Claims {
    /// The lines with trace codes and their settlements, in the columns that are asked for; none, and the common case costs
    /// one look at a column. They wait for the end of a run, so nothing of the unit is kept with them.
    ///
    /// # Errors
    /// A column was not read.
    pub fn traced(&self, of_lines: &[&str], of_settlements: &[&str]) -> Result<Option<Traced>, ArrowError> {
        let codes = text(&self.lines, "drug_trac_codg")?;
        if codes.null_count() == codes.len() {
            return Ok(None);
        }
        let keep: UInt32Array = (0u32..).zip(codes.iter()).filter(|(_, c)| c.is_some()).map(|(row, _)| row).collect();
        let named = of_lines.iter().filter(|name| self.lines.has(name));
        let lines = RecordBatch::try_from_iter_with_nullable(
            named
                .map(|name| Ok((*name, with_its_own_texts(&self.lines.gather(name, &keep)?)?, true)))
                .collect::<Result<Vec<_>, ArrowError>>()?,
        )?;
        let wanted: HashSet<&str> = texts(&lines, "setl_id")?.distinct().into_iter().collect();
        let ids = text(&self.settlements, "setl_id")?;
        let settled: UInt32Array = (0u32..)
            .zip(ids.iter())
            .filter(|(_, id)| id.is_some_and(|id| wanted.contains(id)))
            .map(|(row, _)| row)
            .collect();
        let named = of_settlements.iter().filter_map(|name| self.settlements.column_by_name(name).map(|c| (*name, c)));
        let settlements = RecordBatch::try_from_iter_with_nullable(
            named
                .map(|(name, c)| Ok((name, take(c, &settled, None)?, true)))
                .collect::<Result<Vec<_>, ArrowError>>()?,
        )?;
        drop(wanted);
        Ok(Some(Traced { lines, settlements }))
    }

    /// Claims of nothing but traced lines, of all persons. Where they are asked code by code, the lines whose codes no other
    /// line has come part by part, and only the others, which are few, are laid together: what waits takes memory once.
    ///
    /// # Errors
    /// A column is missing.
    pub fn across(parts: Vec<Traced>, code_by_code: bool) -> Result<Across, ArrowError> {
        let hasher = DefaultHashBuilder::default();
        let repeated = if code_by_code { repeated(&parts, &hasher)? } else { HashSet::new() };
        let (waiting, together) = if code_by_code { (parts, Vec::new()) } else { (Vec::new(), parts) };
        Ok(Across { hasher, repeated, waiting: waiting.into_iter(), together })
    }

    fn of_traced(Traced { lines, settlements }: Traced) -> Result<Claims, ArrowError> {
        let empty = |table: Table| RecordBatch::new_empty(table.schema());
        Ok(Claims {
            settlement_of: Arc::new(RowsBy::new(texts(&settlements, "setl_id")?)),
            raw_lines: Kept::whole(lines.slice(0, 0)),
            raw_settlements: Kept::whole(settlements.slice(0, 0)),
            lines: Kept::whole(lines),
            settlements,
            encounters: empty(Table::Encounter),
            persons: empty(Table::Person),
            diagnoses: empty(Table::Diagnosis),
            identities: empty(Table::Identity),
            special_cases: empty(Table::SpecialCase),
            presences: empty(Table::Presence),
            netting: Netting::default(),
            unpaired_at: BTreeMap::new(),
            encounter_of: Arc::default(),
            person_of: Arc::default(),
        })
    }
}

/// Claims of traced lines, one after another; no code is in two of them.
#[derive(Debug)]
pub struct Across {
    hasher: DefaultHashBuilder,
    /// Hashes of the codes that more than one line may have.
    repeated: HashSet<u64>,
    waiting: std::vec::IntoIter<Traced>,
    together: Vec<Traced>,
}

impl Across {
    /// The lines of a part whose codes no other line has; the others are put to those of the parts before.
    fn apart(&mut self, part: &Traced) -> Result<Claims, ArrowError> {
        let shared = part.codes(&self.hasher, |codes| codes.iter().any(|code| self.repeated.contains(code)))?;
        let others: BooleanArray = shared.iter().map(|shared| shared.map(|shared| !shared)).collect();
        self.together.push(part.those(&shared)?);
        Claims::of_traced(part.those(&others)?)
    }
}

impl Iterator for Across {
    type Item = Result<Claims, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(part) = self.waiting.next() {
            return Some(self.apart(&part));
        }
        let parts = std::mem::take(&mut self.together);
        let first = parts.first()?;
        let (lines, settlements) = (first.lines.schema(), first.settlements.schema());
        let lines = concat_batches(&lines, parts.iter().map(|p| &p.lines));
        let settlements = concat_batches(&settlements, parts.iter().map(|p| &p.settlements));
        drop(parts);
        Some(lines.and_then(|lines| Claims::of_traced(Traced { lines, settlements: settlements? })))
    }
}

impl Traced {
    /// An answer for each line about the hashes of its codes.
    fn codes(
        &self,
        hasher: &DefaultHashBuilder,
        mut answer: impl FnMut(&[u64]) -> bool,
    ) -> Result<BooleanArray, ArrowError> {
        let mut hashes: Vec<u64> = Vec::new();
        let lists = text(&self.lines, "drug_trac_codg")?.iter();
        Ok(lists
            .map(|list| {
                hashes.clear();
                hashes.extend(trace_codes(list.unwrap_or_default()).map(|code| hasher.hash_one(code)));
                Some(answer(&hashes))
            })
            .collect())
    }

    /// Some of the lines, and their settlements.
    fn those(&self, lines: &BooleanArray) -> Result<Traced, ArrowError> {
        let lines = filter_record_batch(&self.lines, lines)?;
        let wanted: HashSet<&str> = texts(&lines, "setl_id")?.distinct().into_iter().collect();
        let ids = text(&self.settlements, "setl_id")?;
        let settlements = kept(&self.settlements, |row| at(ids, row).is_some_and(|id| wanted.contains(id)))?;
        Ok(Traced { lines: own_texts(&lines)?, settlements })
    }
}

/// The same rows, with no texts in their columns of codes but their own.
fn own_texts(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(with_its_own_texts).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(batch.schema(), columns)
}

fn repeated(parts: &[Traced], hasher: &DefaultHashBuilder) -> Result<HashSet<u64>, ArrowError> {
    let mut all: Vec<u64> = Vec::new();
    for part in parts {
        part.codes(hasher, |codes| {
            all.extend(codes);
            true
        })?;
    }
    all.sort_unstable();
    Ok(all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect())
}

/// In the order of the dataset; a dataset is in it already, and the check costs one pass.
fn sorted(batch: &RecordBatch, by: &[&str]) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<&ArrayRef> = by.iter().filter_map(|name| batch.column_by_name(name)).collect();
    let orders: Vec<Order<'_>> = columns.iter().map(|column| Order::of(column)).collect::<Result<_, _>>()?;
    let compare = |a: usize, b: usize| {
        orders.iter().map(|order| order.compare(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    };
    if (1..batch.num_rows()).all(|row| compare(row - 1, row).is_le()) {
        return Ok(batch.clone());
    }
    let columns: Vec<SortColumn> =
        columns.into_iter().map(|values| SortColumn { values: Arc::clone(values), options: None }).collect();
    take_record_batch(batch, &lexsort_to_indices(&columns, None)?)
}

/// The order of a column's rows: null first, then by value.
enum Order<'a> {
    Text(Texts<'a>),
    Time(&'a TimestampMicrosecondArray),
}

impl<'a> Order<'a> {
    fn of(column: &'a ArrayRef) -> Result<Order<'a>, ArrowError> {
        let text = Texts::of(column).map(Order::Text);
        text.or_else(|| column.as_any().downcast_ref().map(Order::Time))
            .ok_or_else(|| ArrowError::SchemaError(format!("claims are not in the order of a {}", column.data_type())))
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Order::Text(texts) if texts.same(a, b) => Ordering::Equal,
            Order::Text(texts) => texts.at(a).cmp(&texts.at(b)),
            Order::Time(column) => {
                let value = |row: usize| column.is_valid(row).then(|| column.value(row));
                value(a).cmp(&value(b))
            }
        }
    }
}

fn mask_of(rows: usize, test: impl FnMut(usize) -> bool) -> BooleanArray {
    BooleanArray::new(BooleanBuffer::collect_bool(rows, test), None)
}

/// The rows that a test keeps; all of them cost nothing.
fn kept(batch: &RecordBatch, test: impl FnMut(usize) -> bool) -> Result<RecordBatch, ArrowError> {
    let mask = mask_of(batch.num_rows(), test);
    if mask.true_count() == batch.num_rows() { Ok(batch.clone()) } else { filter_record_batch(batch, &mask) }
}

/// Settlements that stand, and the ids of those that do not: refunds and what they name.
fn standing_settlements(
    batch: &RecordBatch,
    netting: &mut Netting,
) -> Result<(RecordBatch, HashSet<String>), ArrowError> {
    let ids = text(batch, "setl_id")?;
    let flags = text(batch, "refd_setl_flag")?;
    let origins = text(batch, "init_setl_id")?;
    let totals = decimal(batch, "medfee_sumamt")?;
    let refunds = |row: &usize| at(flags, *row) == Some("1") || (totals.is_valid(*row) && totals.value(*row) < 0);
    let refunds: Vec<usize> = (0..batch.num_rows()).filter(refunds).collect();
    let named: HashSet<&str> = refunds.iter().filter_map(|row| at(origins, *row)).collect();
    let known = ids.iter().enumerate().filter_map(|(row, id)| id.filter(|id| named.contains(id)).map(|id| (id, row)));
    let by_id: HashMap<&str, usize> = if named.is_empty() { HashMap::new() } else { known.collect() };
    let mut gone = vec![false; batch.num_rows()];
    let mut removed = HashSet::new();
    for row in refunds {
        gone[row] = true;
        match at(origins, row).and_then(|origin| by_id.get(origin)) {
            Some(&origin) if origin != row => {
                gone[origin] = true;
                removed.insert(ids.value(row).to_owned());
                removed.insert(ids.value(origin).to_owned());
            }
            // Its negative lines may still find their own partners.
            _ => netting.settlements_unpaired += 1,
        }
    }
    netting.settlements_removed = gone.iter().filter(|g| **g).count() as u64;
    Ok((kept(batch, |row| !gone[row])?, removed))
}

fn without_refunds(lines: &RecordBatch, removed: &HashSet<String>) -> Result<Kept, ArrowError> {
    if removed.is_empty() {
        return Ok(Kept::whole(lines.clone()));
    }
    let gone = texts(lines, "setl_id")?.each(|settlement| settlement.is_some_and(|s| removed.contains(s)));
    Ok(Kept::those(lines.clone(), &mask_of(lines.num_rows(), |row| !gone[row])))
}

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stands,
    OfRefund,
    Cancelled,
    Partial,
    Unpaired,
}

const AMOUNTS: [&str; 5] =
    ["det_item_fee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_amt"];

fn net_lines(
    batch: &RecordBatch,
    removed: &HashSet<String>,
    netting: &mut Netting,
    unpaired_at: &mut BTreeMap<String, u64>,
) -> Result<Kept, ArrowError> {
    let rows = batch.num_rows();
    let (serials, encounters, settlements) =
        (text(batch, "feedetl_sn")?, texts(batch, "mdtrt_id")?, texts(batch, "setl_id")?);
    let (codes, origins, facilities) =
        (texts(batch, "hilist_code")?, text(batch, "init_feedetl_sn")?, texts(batch, "fixmedins_code")?);
    let times = time(batch, "fee_ocur_time")?;
    let (counts, prices, totals) =
        (decimal(batch, "cnt")?, decimal(batch, "pric")?, decimal(batch, "det_item_fee_sumamt")?);

    let mut fate = vec![Fate::Stands; rows];
    if !removed.is_empty() {
        fate = settlements.each(|settlement| match settlement {
            Some(settlement) if removed.contains(settlement) => Fate::OfRefund,
            _ => Fate::Stands,
        });
    }
    let negatives: Vec<usize> = (0..rows)
        .filter(|&row| fate[row] == Fate::Stands && (counts.value(row) < 0 || totals.value(row) < 0))
        .collect();
    // Quantity that is left of a line that was reduced, and the negative lines that reduced it.
    let mut left: HashMap<usize, (i128, Vec<usize>)> = HashMap::new();
    if !negatives.is_empty() {
        // The encounters that have a negative line are numbered; the others are of no concern.
        let mut concerned: HashMap<&str, usize> = HashMap::new();
        for &row in &negatives {
            let next = concerned.len();
            concerned.entry(encounters.at(row).unwrap_or_default()).or_insert(next);
        }
        let number_of = encounters.each(|id| concerned.get(id.unwrap_or_default()).copied());
        let mut lines_of: Vec<Vec<usize>> = vec![Vec::new(); concerned.len()];
        for (row, number) in number_of.iter().enumerate() {
            if let Some(number) = number
                && fate[row] == Fate::Stands
                && counts.value(row) >= 0
                && totals.value(row) >= 0
            {
                lines_of[*number].push(row);
            }
        }
        // Reversals that name their line go first: what is written down goes before what is inferred.
        let named = negatives.iter().filter(|&&row| origins.is_valid(row));
        let unnamed = negatives.iter().filter(|&&row| origins.is_null(row));
        for &row in named.chain(unnamed) {
            let of_encounter = number_of[row].map(|number| lines_of[number].as_slice()).unwrap_or_default();
            let quantity = counts.value(row).abs();
            let partner = if let Some(origin) = at(origins, row) {
                of_encounter
                    .iter()
                    .copied()
                    .find(|&other| fate[other] == Fate::Stands && serials.value(other) == origin)
            } else {
                of_encounter.iter().copied().rev().find(|&other| {
                    fate[other] == Fate::Stands
                        && !left.contains_key(&other)
                        && times.value(other) <= times.value(row)
                        && codes.at(other) == codes.at(row)
                        && prices.is_valid(other) == prices.is_valid(row)
                        && (prices.is_null(row) || prices.value(other) == prices.value(row))
                        && counts.value(other) == quantity
                })
            };
            let Some(partner) = partner else {
                fate[row] = Fate::Unpaired;
                *unpaired_at.entry(facilities.at(row).unwrap_or_default().to_owned()).or_default() += 1;
                continue;
            };
            let (remaining, by) = left.entry(partner).or_insert_with(|| (counts.value(partner), Vec::new()));
            by.push(row);
            if quantity >= *remaining {
                fate[partner] = Fate::Cancelled;
                for reversal in left.remove(&partner).map(|(_, by)| by).unwrap_or_default() {
                    fate[reversal] = Fate::Cancelled;
                }
            } else {
                *remaining -= quantity;
                fate[row] = Fate::Partial;
            }
        }
    }
    for row in 0..rows {
        let fen = totals.value(row);
        netting.lines.add(fen);
        match fate[row] {
            Fate::OfRefund => netting.of_refund_settlements.add(fen),
            Fate::Cancelled => netting.cancelled.add(fen),
            Fate::Unpaired => netting.unpaired.add(fen),
            // The money of a partial reversal is taken off the line it reduces; nothing is left of a negative one.
            Fate::Partial => netting.partial.add(fen + fen.abs()),
            Fate::Stands => netting.net.add(fen),
        }
    }
    for (_, by) in left.values() {
        netting.net.fen += by.iter().map(|&row| -totals.value(row).abs()).sum::<i128>();
    }
    let batch = if left.is_empty() { batch.clone() } else { reduced(batch, &left)? };
    Ok(Kept::those(batch, &mask_of(rows, |row| fate[row] == Fate::Stands)))
}

/// The batch with quantity, amounts and days of the partly refunded lines reduced.
fn reduced(batch: &RecordBatch, left: &HashMap<usize, (i128, Vec<usize>)>) -> Result<RecordBatch, ArrowError> {
    let counts = decimal(batch, "cnt")?.clone();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    for (place, field) in batch.schema().fields().iter().enumerate() {
        let name = field.name().as_str();
        let amount = AMOUNTS.contains(&name);
        if !amount && name != "cnt" && name != "prd_days" {
            continue;
        }
        let old = decimal(batch, name)?;
        let DataType::Decimal128(precision, scale) = *old.data_type() else { continue };
        let mut new = old.values().to_vec();
        for (&row, (remaining, by)) in left.iter().filter(|(row, _)| old.is_valid(**row)) {
            new[row] = if name == "cnt" {
                *remaining
            } else if amount && by.iter().all(|&reversal| old.is_valid(reversal)) {
                old.value(row) + by.iter().map(|&reversal| -old.value(reversal).abs()).sum::<i128>()
            } else {
                half_up(old.value(row) * remaining, counts.value(row))
            };
        }
        let new = Decimal128Array::new(new.into(), old.nulls().cloned());
        columns[place] = Arc::new(new.with_precision_and_scale(precision, scale)?);
    }
    RecordBatch::try_new(batch.schema(), columns)
}

fn half_up(numerator: i128, denominator: i128) -> i128 {
    if denominator == 0 {
        return 0;
    }
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    if rest.abs() * 2 >= denominator.abs() { quotient + numerator.signum() * denominator.signum() } else { quotient }
}

/// Encounters with a net line or a standing settlement: of the others nothing remains, they are no visit and no stay.
fn remaining(
    encounters: &RecordBatch,
    lines: &Kept,
    settlements: &RecordBatch,
) -> Result<(RecordBatch, RowsBy), ArrowError> {
    let known = RowsBy::new(texts(encounters, "mdtrt_id")?);
    let mut alive = vec![false; encounters.num_rows()];
    for texts in [texts(lines, "mdtrt_id")?, texts(settlements, "mdtrt_id")?] {
        for id in texts.distinct() {
            known.get(id).iter().for_each(|row| alive[*row as usize] = true);
        }
    }
    if alive.iter().all(|alive| *alive) {
        return Ok((encounters.clone(), known));
    }
    let encounters = kept(encounters, |row| alive[row])?;
    let known = RowsBy::new(texts(&encounters, "mdtrt_id")?);
    Ok((encounters, known))
}
