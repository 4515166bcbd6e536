//! Knowledge joined to rows: `with`.
//!
//! Goes in: a frame, and a table to look its rows up in by a code and a day. Comes out: the frame with a row for each thing
//! that the code speaks of. A table is asked once a distinct code, and for each span of days in which its answer is the
//! same; the answers are kept in a [`Memory`] from unit to unit, because a city uses the same few thousand codes all year.
//! Deliberately unknown here: rules.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Date32Type, Int64Type};
use arrow::error::ArrowError;
use hashbrown::HashMap;

use super::frame::Frame;
use super::plan::NUMBER;
use super::views::{Columns, Views, nulls};
use super::words::Words;
use crate::model::View;
use crate::model::supply::Dosage;
use crate::rules::knowledge::{Cell, Knowledge, NUMBERS, Place};
use crate::rules::{RuleSet, With};

/// Codes that a memory keeps before it begins anew: what a year of a city needs many times over.
const CODES: usize = 1 << 20;

/// What a worker keeps from unit to unit: codes it met, what knowledge says of them, dosage texts it has read.
///
/// Belongs to one compiled library: another numbers its look-ups otherwise.
#[derive(Debug, Default)]
pub struct Memory {
    codes: RefCell<Words>,
    /// By look-up, then by code.
    known: RefCell<Vec<Vec<Known>>>,
    /// How fast packs are used up, by the texts that say so.
    supplies: RefCell<HashMap<[u32; 4], Option<Dosage>>>,
}

/// What a look-up knows of a code.
#[derive(Debug, Clone, Default)]
enum Known {
    #[default]
    Unasked,
    Nothing,
    /// One a side.
    Speaks(Vec<Candidates>),
}

/// Rows of a table that may hold for a code.
#[derive(Debug, Clone)]
struct Candidates {
    /// For each part of a `|`-joined code the rows whose code is a prefix of it, longest first.
    lists: Vec<Vec<usize>>,
    /// Whether a region or a level decides too.
    placed: bool,
    /// First and last day of a span in which these rows hold, where nothing but the day decides.
    steady: Option<(i32, i32, Vec<usize>)>,
}

impl Memory {
    /// Forgets what would grow without end.
    pub fn begin_unit(&self) {
        if self.codes.borrow().count() > CODES {
            self.codes.take();
            self.known.take();
            self.supplies.take();
        }
    }

    /// What a look-up knows, a place for each of `codes`.
    fn known_of(&self, look_up: usize, codes: usize) -> RefMut<'_, Vec<Known>> {
        let mut all = self.known.borrow_mut();
        if all.len() <= look_up {
            all.resize_with(look_up + 1, Vec::new);
        }
        RefMut::map(all, |all| {
            let known = &mut all[look_up];
            if known.len() <= codes {
                known.resize_with(codes + 1, Known::default);
            }
            known
        })
    }

    /// A number for each row of a column of codes, the same in every unit; 0 for null.
    pub fn codes(&self, column: &StringArray) -> Vec<u32> {
        self.codes.borrow_mut().numbers(column)
    }

    /// How fast a pack is used up; the codes are those of unit, spec, dose and frequency.
    pub fn dosage(&self, said: [u32; 4]) -> Option<Dosage> {
        *self.supplies.borrow_mut().entry(said).or_insert_with(|| {
            let words = self.codes.borrow();
            let [unit, spec, dose, often] = said.map(|code| words.text(code));
            Dosage::read(unit, spec, dose, often)
        })
    }
}

/// A compiled `with`.
#[derive(Debug)]
pub struct LookUp {
    /// Its place among the look-ups of a run.
    number: usize,
    /// The table by its other side or another column.
    turned: Option<Knowledge>,
    columns: Arc<KnowledgeColumns>,
}

impl LookUp {
    /// Prepares a look-up; `used` names the table's columns that the rule reads.
    #[must_use]
    pub fn new(number: usize, with: &With, knowledge: &Knowledge, used: &[&str]) -> LookUp {
        let by = with.other_side.as_deref().or(with.column.as_deref());
        LookUp {
            number,
            turned: by.and_then(|column| knowledge.turned(column)),
            columns: Arc::new(KnowledgeColumns::new(knowledge, used)),
        }
    }

    /// The rows of a view of which knowledge speaks at all, among those of a mask, in order: found by their codes, so that a
    /// table that speaks of few costs next to nothing. `pairs`: of the table's rows only those, see [`LookUp::pairs`]. Nothing
    /// where rows without a match stay.
    ///
    /// # Errors
    /// A column was not read.
    pub fn concerned(
        &self,
        with: &With,
        set: &RuleSet,
        views: &Views<'_>,
        view: View,
        among: Option<&BooleanArray>,
        pairs: Option<&[bool]>,
    ) -> Result<Option<UInt32Array>, ArrowError> {
        let Some(knowledge) = set.knowledge.get(&with.table).filter(|_| !with.optional) else { return Ok(None) };
        let sides = self.sides(with, knowledge);
        let rows_of = views.rows_of_codes(view, &with.by)?;
        let words = views.memory().codes.borrow();
        let mut known = views.memory().known_of(self.number, words.count());
        let mut rows: Vec<u32> = Vec::new();
        for (code, of_code) in rows_of.each() {
            let Some(candidates) = known[code as usize].of(&sides, words.text(code)) else { continue };
            let mut found = candidates.iter().flat_map(|side| side.lists.iter().flatten());
            if pairs.is_none_or(|pairs| found.any(|row| pairs[*row])) {
                rows.extend(of_code.iter().filter(|row| among.is_none_or(|mask| mask.value(**row as usize))));
            }
        }
        rows.sort_unstable();
        Ok(Some(UInt32Array::from(rows)))
    }

    /// Of each row of the table whether both its sides are among the codes of a view.
    ///
    /// # Errors
    /// A column was not read.
    pub fn pairs(
        &self,
        with: &With,
        set: &RuleSet,
        views: &Views<'_>,
        view: View,
    ) -> Result<Option<Vec<bool>>, ArrowError> {
        let Some(knowledge) = set.knowledge.get(&with.table) else { return Ok(None) };
        let sides = self.sides(with, knowledge);
        let rows_of = views.rows_of_codes(view, &with.by)?;
        let words = views.memory().codes.borrow();
        let mut known = views.memory().known_of(self.number, words.count());
        let mut found = vec![0_u8; knowledge.rows.len()];
        for (code, _) in rows_of.each() {
            let Some(candidates) = known[code as usize].of(&sides, words.text(code)) else { continue };
            for (side, candidates) in candidates.iter().enumerate() {
                candidates.lists.iter().flatten().for_each(|row| found[*row] |= 1 << side);
            }
        }
        Ok(Some(found.into_iter().map(|of_row| of_row == (1 << sides.len()) - 1).collect()))
    }

    /// The table by each side that a code may be looked up on.
    fn sides<'k>(&'k self, with: &With, knowledge: &'k Knowledge) -> Vec<(&'static str, &'k Knowledge, bool)> {
        match (&self.turned, &with.other_side) {
            (Some(turned), Some(_)) => vec![("A", knowledge, false), ("B", turned, true)],
            (Some(turned), None) => vec![("", turned, false)],
            (None, _) => vec![("", knowledge, false)],
        }
    }

    /// Joins knowledge: rows without a match go, unless it is optional; one row for each thing a code speaks of. `pairs`: as
    /// [`LookUp::concerned`] has it.
    ///
    /// # Errors
    /// A column was not read.
    pub fn join<'a>(
        &self,
        frame: &Frame<'a>,
        with: &With,
        set: &RuleSet,
        views: &Views<'a>,
        view: View,
        pairs: Option<&[bool]>,
    ) -> Result<Frame<'a>, ArrowError> {
        let Some(knowledge) = set.knowledge.get(&with.table) else {
            return frame.select(&UInt32Array::from(Vec::<u32>::new()));
        };
        let sides = self.sides(with, knowledge);
        let codes = views.codes(view, &with.by)?;
        let days = views.column(view, view.days().0)?;
        let days = days.as_primitive::<Date32Type>();
        let region = with.region.as_ref().map(|c| views.column(view, c)).transpose()?;
        let level = with.level.as_ref().map(|c| views.column(view, c)).transpose()?;
        let same: Vec<(usize, ArrayRef)> = with
            .same
            .iter()
            .filter_map(|name| knowledge.position(name).map(|at| (at, name)))
            .map(|(at, name)| views.column(view, name).map(|column| (at, column)))
            .collect::<Result<_, _>>()?;
        let words = views.memory().codes.borrow();
        let mut known = views.memory().known_of(self.number, words.count());

        let mut keep: Vec<u32> = Vec::new();
        let mut matched: Vec<Option<u32>> = Vec::new();
        let mut side_of: Vec<&str> = Vec::new();
        for row in 0..frame.rows() {
            let source = frame.source_row(row) as usize;
            let (code, before) = (codes[source], keep.len());
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            let known = (code != 0 && days.is_valid(source)).then(|| &mut known[code as usize]);
            if let Some(candidates) = known.and_then(|known| known.of(&sides, words.text(code))) {
                let place = Place {
                    region: region.as_ref().and_then(|r| {
                        let r = r.as_string::<i32>();
                        r.is_valid(source).then(|| r.value(source))
                    }),
                    level: level.as_ref().and_then(|l| {
                        let l = l.as_primitive::<Int64Type>();
                        l.is_valid(source).then(|| l.value(source))
                    }),
                };
                for ((side, table, every), candidates) in sides.iter().zip(candidates) {
                    for &found in candidates.on(table, days.value(source), place, *every).iter() {
                        if pairs.is_some_and(|pairs| !pairs[found]) {
                            continue;
                        }
                        let agrees = same.iter().all(|(cell, column)| {
                            let wanted = column.as_string::<i32>();
                            let cell = &table.rows[found].cells[*cell];
                            wanted.is_valid(source) && matches!(cell, Cell::Text(text) if text == wanted.value(source))
                        });
                        if agrees {
                            keep.push(row);
                            matched.push(u32::try_from(found).ok());
                            side_of.push(side);
                        }
                    }
                }
            }
            if keep.len() == before && with.optional {
                keep.push(row);
                matched.push(None);
                side_of.push("");
            }
        }
        let untouched = keep.len() == frame.rows() && (0u32..).zip(&keep).all(|(row, kept)| row == *kept);
        let mut chosen = if untouched { frame.clone() } else { frame.select(&UInt32Array::from(keep))? };
        chosen.join(&with.name, Rc::new(Arc::clone(&self.columns)), UInt32Array::from(matched));
        if knowledge.rows.is_empty() {
            // Not loaded: whether it would list the row is not known.
            chosen.put(&format!("{}.found", with.name), nulls(&DataType::Boolean, chosen.rows()));
        }
        if with.other_side.is_some() && self.turned.is_some() {
            chosen.put(&format!("{}.side", with.name), Arc::new(StringArray::from(side_of)));
        }
        Ok(chosen)
    }
}

impl Known {
    /// What is known of a code, a side each, if anything; it is asked once.
    fn of(&mut self, sides: &[(&str, &Knowledge, bool)], code: &str) -> Option<&mut Vec<Candidates>> {
        if matches!(self, Known::Unasked) {
            *self = ask(sides, code);
        }
        match self {
            Known::Speaks(candidates) => Some(candidates),
            Known::Unasked | Known::Nothing => None,
        }
    }
}

/// What the sides of a look-up may say of a code, or of each of a list of codes.
fn ask(sides: &[(&str, &Knowledge, bool)], code: &str) -> Known {
    let candidates: Vec<Candidates> = sides
        .iter()
        .map(|(_, table, _)| {
            let lists: Vec<Vec<usize>> = code.split('|').map(|code| table.candidates(code)).collect();
            let placed = lists.iter().flatten().any(|row| table.is_placed(*row));
            Candidates { lists, placed, steady: None }
        })
        .collect();
    let silent = candidates.iter().all(|side| side.lists.iter().all(Vec::is_empty));
    if silent { Known::Nothing } else { Known::Speaks(candidates) }
}

impl Candidates {
    /// Rows that hold on a day at a place: one a dimension value, the longest prefix first; all where `every`.
    fn on(&mut self, table: &Knowledge, day: i32, place: Place<'_>, every: bool) -> std::borrow::Cow<'_, [usize]> {
        if self.placed {
            return best_of(table, &self.lists, day, place, every).into();
        }
        if !matches!(&self.steady, Some((first, last, _)) if (*first..=*last).contains(&day)) {
            let (first, last) = table.steady(self.lists.iter().flatten(), day);
            self.steady = Some((first, last, best_of(table, &self.lists, day, place, every)));
        }
        self.steady.as_ref().map(|(_, _, rows)| rows.as_slice()).unwrap_or_default().into()
    }
}

/// Rows of a table that hold for any of a list's codes: one a dimension value, the longest prefix first.
fn best_of(table: &Knowledge, lists: &[Vec<usize>], on: i32, place: Place<'_>, every: bool) -> Vec<usize> {
    if let [one] = lists {
        return table.valid(one, on, place, every);
    }
    let mut all: Vec<usize> = lists.iter().flatten().copied().collect();
    all.sort_by_key(|&row| (std::cmp::Reverse(table.rows[row].code.len()), row));
    all.dedup();
    table.valid(&all, on, place, every)
}

/// The columns of a knowledge table that a rule reads, as arrays.
#[derive(Debug)]
struct KnowledgeColumns {
    rows: usize,
    arrays: BTreeMap<String, ArrayRef>,
}

impl KnowledgeColumns {
    fn new(knowledge: &Knowledge, used: &[&str]) -> KnowledgeColumns {
        let arrays = used
            .iter()
            .filter_map(|name| {
                let array: ArrayRef = match knowledge.position(name) {
                    _ if *name == "code" => {
                        Arc::new(knowledge.rows.iter().map(|r| Some(r.code.as_str())).collect::<StringArray>())
                    }
                    Some(at) if NUMBERS.contains(name) => Arc::new(numbers(knowledge, at)),
                    Some(at) => Arc::new(
                        knowledge
                            .rows
                            .iter()
                            .map(|r| if let Cell::Text(text) = &r.cells[at] { Some(text.as_str()) } else { None })
                            .collect::<StringArray>(),
                    ),
                    None => return None,
                };
                Some(((*name).to_owned(), array))
            })
            .collect();
        KnowledgeColumns { rows: knowledge.rows.len(), arrays }
    }
}

/// A column of numbers, in the type that the compiler gave it.
fn numbers(knowledge: &Knowledge, at: usize) -> Decimal128Array {
    let values = knowledge.rows.iter().map(|row| match &row.cells[at] {
        Cell::Number(number) => {
            let mut number = *number;
            number.rescale(4);
            (number.scale() == 4).then(|| number.mantissa())
        }
        _ => None,
    });
    values.collect::<Decimal128Array>().with_data_type(NUMBER)
}

impl Columns for Arc<KnowledgeColumns> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        self.arrays
            .get(name)
            .cloned()
            .ok_or_else(|| ArrowError::SchemaError(format!("knowledge has no column `{name}`")))
    }
}

/// True where a mask does not say no.
#[must_use]
pub fn not_false(mask: &BooleanArray) -> BooleanArray {
    let said_no = !mask.values();
    BooleanArray::new(
        match mask.nulls() {
            Some(nulls) => !&(&said_no & nulls.inner()),
            None => !&said_no,
        },
        None,
    )
}
