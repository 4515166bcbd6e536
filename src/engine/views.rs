//! The views of the model over the claims of some persons: columns are computed when a rule first asks, and once.
//!
//! Goes in: [`Claims`], the facilities, the rule library's code tables, the run's as-of day and region. Comes out: for a
//! view, rows and columns as Arrow arrays; for a row, the net lines that it stands for. Deliberately unknown here: rules.
//!
//! To add a column: its type in `model::views`, its computation in the `match` of its view below.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
    UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::UInt32Type;
use arrow::error::ArrowError;
use hashbrown::HashMap;
use rust_decimal::Decimal;

use super::claims::{Claims, at, day, day_of, decimal, text, texts, time};
use super::factor::Level;
use super::frame::{Compiled, Frame, compute};
use super::kept::{Kept, Named};
use super::lookup::Memory;
use super::words::{ByNumber, RowsBy, Texts, Words, spelled_out};
use crate::model::{Table, View, codes, day as calendar};
use crate::rules::knowledge::{Cell, Knowledge, Place};

/// What holds for a whole run.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Open stays run to this day.
    pub as_of: i32,
    /// First day in the data; look-backs that begin before it are not evaluated when something is absent.
    pub first_day: i32,
    /// Region of rows that have none.
    pub region: Option<String>,
    pub facilities: Arc<HashMap<String, Facility>>,
    /// `care_setting_of_med_type` and `identity_group` of the rule library.
    pub care_settings: Option<Arc<Knowledge>>,
    pub identity_groups: Option<Arc<Knowledge>>,
}

/// A designated facility.
#[derive(Debug, Clone, Default)]
pub struct Facility {
    pub name: Option<String>,
    pub kind: Option<String>,
    pub level: Option<i64>,
    pub region: Option<String>,
    /// Degrees, eight decimals.
    pub lng: Option<i128>,
    pub lat: Option<i128>,
}

impl Setting {
    /// Reads the facility table.
    ///
    /// # Errors
    /// A column is missing.
    pub fn facilities_of(batch: &RecordBatch) -> Result<HashMap<String, Facility>, ArrowError> {
        let (ids, names, kinds) =
            (text(batch, "fixmedins_code")?, text(batch, "fixmedins_name")?, text(batch, "fixmedins_type")?);
        let (levels, regions) = (text(batch, "hosp_lv")?, text(batch, "admdvs")?);
        let (lngs, lats) = (decimal(batch, "lng")?, decimal(batch, "lat")?);
        let degree = |array: &Decimal128Array, row: usize| array.is_valid(row).then(|| array.value(row));
        let owned = |array: &StringArray, row| at(array, row).map(str::to_owned);
        Ok((0..batch.num_rows())
            .filter_map(|row| {
                let facility = Facility {
                    name: owned(names, row),
                    kind: owned(kinds, row),
                    level: at(levels, row).and_then(codes::level),
                    region: owned(regions, row),
                    lng: degree(lngs, row),
                    lat: degree(lats, row),
                };
                at(ids, row).map(|id| (id.to_owned(), facility))
            })
            .collect())
    }
}

/// Rows and columns of something.
pub trait Columns {
    /// Number of rows.
    fn rows(&self) -> usize;
    /// A column by name.
    ///
    /// # Errors
    /// There is no such column, or it was not read.
    fn column(&self, name: &str) -> Result<ArrayRef, ArrowError>;
    /// A column at some rows, in their order; null where a row is null.
    ///
    /// # Errors
    /// As [`Columns::column`]; a row outside.
    fn gather(&self, name: &str, rows: &UInt32Array) -> Result<ArrayRef, ArrowError> {
        take(&self.column(name)?, rows, None)
    }
    /// The value of a part of an expression at some rows, or at all, computed once for each thing of its level; nothing where
    /// the source has no such level.
    ///
    /// # Errors
    /// A column was not read.
    fn part(
        &self,
        _level: &Level,
        _part: &Compiled,
        _rows: Option<&UInt32Array>,
    ) -> Result<Option<ArrayRef>, ArrowError> {
        Ok(None)
    }
}

/// The column of stays behind a column of lines.
fn of_stay(name: &str) -> Option<&'static str> {
    Some(match name {
        "stay_id" => "mdtrt_id",
        "stay_begin" => "begin_day",
        "stay_end" => "end_day",
        "stay_open" => "open",
        "stay_days" => "stay_days",
        "stay_med_types" => "med_types",
        "stay_departments" => "departments",
        _ => return None,
    })
}

/// Something for each column of a view.
type ByColumn<T> = HashMap<(View, String), T>;

/// Values of a part of an expression, and the place among them of each line's.
type Shared = (ArrayRef, UInt32Array);

/// The views over one batch of persons.
pub struct Views<'a> {
    pub claims: &'a Claims,
    pub setting: &'a Setting,
    memory: &'a Memory,
    cache: RefCell<ByColumn<ArrayRef>>,
    codes: RefCell<ByColumn<Rc<Vec<u32>>>>,
    numbers: RefCell<ByColumn<Rc<Vec<u32>>>>,
    words: RefCell<Words>,
    masks: RefCell<ByColumn<BooleanArray>>,
    chosen: RefCell<ByColumn<Rc<Chosen>>>,
    parts: RefCell<HashMap<(Level, String), Option<Shared>>>,
    /// Of each line in a column of codes; of null, one behind the last.
    places: RefCell<HashMap<String, UInt32Array>>,
    rows_of: RefCell<ByColumn<Rc<ByNumber>>>,
    rows_of_codes: RefCell<ByColumn<Rc<ByNumber>>>,
    visits: OnceCell<Vec<Visit<'a>>>,
    stays: OnceCell<Vec<Stay>>,
    fills: OnceCell<Fills>,
    transfers: OnceCell<Vec<(String, i32, String, String)>>,
    diagnoses: OnceCell<Vec<Diagnosed>>,
    listed: OnceCell<RowsBy>,
    traces: OnceCell<Vec<(String, u32)>>,
    line_links: OnceCell<Links>,
    line_facilities: OnceCell<Vec<Option<&'a Facility>>>,
    deaths: OnceCell<HashMap<u32, i32>>,
    identities: OnceCell<HashMap<u32, Vec<Identity<'a>>>>,
    fund_pay: OnceCell<HashMap<u32, Option<i128>>>,
    stay_numbers: OnceCell<Vec<Option<u32>>>,
    line_stays: OnceCell<UInt32Array>,
    paid: OnceCell<Paid>,
}

/// What an encounter says once its gaps are filled from person and facility.
#[derive(Debug, Clone, Default)]
struct Visit<'a> {
    setting: Option<&'a str>,
    begin_day: Option<i32>,
    end_day: Option<i32>,
    level: Option<i64>,
    gend: Option<&'a str>,
    brdy: Option<i32>,
    region: Option<&'a str>,
    insutype: Option<&'a str>,
    main_diagnosis: Option<&'a str>,
    diagnoses: Option<Cow<'a, str>>,
}

/// A stay after joining: rows of the encounter table, first part first.
#[derive(Debug, Clone)]
struct Stay {
    parts: Vec<u32>,
    begin_day: i32,
    end_day: i32,
    open: bool,
}

/// Lines of one generic in one encounter on one day.
#[derive(Debug, Clone)]
struct Fill {
    first: u32,
    /// Its number among the members.
    place: u32,
    day: i32,
    /// In 10⁻⁸ days.
    days: Option<i128>,
    fen: i128,
}

/// All fills, in the order of persons, days, encounters and generics.
#[derive(Debug)]
struct Fills {
    fills: Vec<Fill>,
    /// A fill's number and a line of it, in the order of lines.
    members: Vec<(u32, u32)>,
    /// `members` by fill.
    lines_of: OnceCell<HashMap<u32, Vec<u32>>>,
}

impl Fills {
    fn lines_of(&self, fill: &Fill) -> Vec<u32> {
        let all = self.lines_of.get_or_init(|| {
            let mut all: HashMap<u32, Vec<u32>> = HashMap::new();
            for (place, line) in &self.members {
                all.entry(*place).or_default().push(*line);
            }
            all
        });
        all.get(&fill.place).cloned().unwrap_or_default()
    }
}

/// For each net line: its encounter, person and settlement.
#[derive(Debug)]
struct Links {
    encounter: Vec<Option<u32>>,
    person: Vec<Option<u32>>,
    settlement: Vec<Option<u32>>,
    /// `encounter` as an array, to gather with.
    of_encounter: UInt32Array,
    /// Whether every line has its encounter.
    complete: bool,
}

/// Lines that a column is made for.
#[derive(Clone, Copy)]
enum Which<'r> {
    /// All of them; how many there are.
    All(usize),
    These(&'r [u32]),
}

impl Which<'_> {
    fn len(self) -> usize {
        match self {
            Which::All(lines) => lines,
            Which::These(rows) => rows.len(),
        }
    }

    fn line(self, at: usize) -> usize {
        match self {
            Which::All(_) => at,
            Which::These(rows) => rows[at] as usize,
        }
    }
}

/// The rows that a condition leaves.
#[derive(Debug)]
pub struct Chosen {
    /// Nothing: all of them.
    pub rows: Option<UInt32Array>,
    /// Whether there was a condition, and it was known for every row.
    pub known: bool,
}

/// Net lines by what is known of their `inscp_amt`.
#[derive(Debug)]
pub struct Paid {
    /// Whether a line is paid, or may be.
    pub perhaps: BooleanArray,
    /// Lines whose amount is unknown.
    pub unknown: usize,
}

const DAYS_SCALE: u32 = 8;

/// Columns of lines that are computed for them; what is neither here nor in the table is that of the encounter.
pub(super) const LINES_OWN: &[&str] = &[
    "day",
    "generic",
    "atc4",
    "inscp_amt",
    "med_type",
    "setting",
    "level",
    "gend",
    "brdy",
    "age",
    "age_days",
    "death_day",
    "region",
    "facility_region",
    "facility_name",
    "fixmedins_type",
    "insutype",
    "days",
    "main_diag",
    "fund_pay_sumamt",
    "acct_pay",
    "hardship",
    "stay_age_days",
    "days_given",
    "stay_id",
    "stay_begin",
    "stay_end",
    "stay_days",
    "stay_open",
    "stay_med_types",
    "stay_departments",
    "visit_fund_pay_sumamt",
];

impl<'a> Views<'a> {
    /// Views over netted claims.
    #[must_use]
    pub fn new(claims: &'a Claims, setting: &'a Setting, memory: &'a Memory) -> Views<'a> {
        Views {
            claims,
            setting,
            memory,
            cache: RefCell::default(),
            codes: RefCell::default(),
            numbers: RefCell::default(),
            words: RefCell::default(),
            masks: RefCell::default(),
            chosen: RefCell::default(),
            parts: RefCell::default(),
            places: RefCell::default(),
            rows_of: RefCell::default(),
            rows_of_codes: RefCell::default(),
            stay_numbers: OnceCell::new(),
            line_stays: OnceCell::new(),
            paid: OnceCell::new(),
            visits: OnceCell::new(),
            stays: OnceCell::new(),
            fills: OnceCell::new(),
            transfers: OnceCell::new(),
            diagnoses: OnceCell::new(),
            listed: OnceCell::new(),
            traces: OnceCell::new(),
            line_links: OnceCell::new(),
            line_facilities: OnceCell::new(),
            deaths: OnceCell::new(),
            identities: OnceCell::new(),
            fund_pay: OnceCell::new(),
        }
    }

    /// Number of rows of a view.
    ///
    /// # Errors
    /// A column that the view rests on was not read.
    pub fn rows(&self, view: View) -> Result<usize, ArrowError> {
        Ok(match view {
            View::Line | View::PaidLine => self.claims.lines.num_rows(),
            View::Encounter => self.claims.encounters.num_rows(),
            View::Stay => self.stays()?.len(),
            View::Settlement => self.claims.settlements.num_rows(),
            View::Fill => self.fills()?.fills.len(),
            View::Transfer => self.transfers()?.len(),
            View::Diagnosis => self.diagnosed()?.len(),
            View::Presence => self.claims.presences.num_rows(),
            View::RawLine => self.claims.raw_lines.num_rows(),
            View::RawSettlement => self.claims.raw_settlements.num_rows(),
            View::Trace => self.traces()?.len(),
        })
    }

    /// A column of a view.
    ///
    /// # Errors
    /// There is no such column, or it was not read.
    pub fn column(&self, view: View, name: &str) -> Result<ArrayRef, ArrowError> {
        // Both views of lines are the same rows; `paid_line` adds a condition.
        let view = if view == View::PaidLine { View::Line } else { view };
        let key = (view, name.to_owned());
        if let Some(found) = self.cache.borrow().get(&key) {
            return Ok(Arc::clone(found));
        }
        let made = match view {
            View::Line | View::PaidLine if self.is_through_encounter(name)? => self.of_encounter(name),
            View::Line | View::PaidLine => self.line_column(name, Which::All(self.claims.lines.num_rows())),
            View::Encounter => self.encounter_column(name),
            View::Stay => self.stay_column(name),
            View::Settlement => self.settlement_column(name),
            View::Fill => self.fill_column(name),
            View::Transfer => self.transfer_column(name),
            View::Diagnosis => self.diagnosis_column(name),
            View::Presence => self.presence_column(name),
            View::RawLine | View::RawSettlement => self.raw_column(view, name),
            View::Trace => self.trace_column(name),
        }?;
        self.cache.borrow_mut().insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// A column of a view at some rows: what lines have from their encounters and stays is fetched there, not copied to every
    /// line first.
    ///
    /// # Errors
    /// There is no such column, or it was not read; a row outside.
    pub fn gather(&self, view: View, name: &str, rows: &UInt32Array) -> Result<ArrayRef, ArrowError> {
        match view {
            View::Line | View::PaidLine if self.is_through_encounter(name)? => {
                let encounters = take(&self.links()?.of_encounter, rows, None)?;
                self.gather(View::Encounter, name, encounters.as_primitive())
            }
            View::Line | View::PaidLine if of_stay(name).is_some() => {
                let stays = take(&self.stays_of_lines()?, rows, None)?;
                take(&self.column(View::Stay, of_stay(name).unwrap_or(name))?, stays.as_primitive::<UInt32Type>(), None)
            }
            View::Diagnosis if name == "diag_name" && rows.null_count() == 0 => {
                self.diagnosis_names(rows.values().iter().map(|row| *row as usize))
            }
            // Long lists: only those that are looked at are made.
            View::Encounter if name == "items" && rows.len() < self.claims.encounters.num_rows() / 2 => {
                let ids = text(&self.claims.encounters, "mdtrt_id")?;
                let items = rows.iter().map(|row| match row {
                    Some(row) => self.items_of(&[ids.value(row as usize)]),
                    None => Ok(None),
                });
                Ok(Arc::new(items.collect::<Result<StringArray, ArrowError>>()?))
            }
            View::Line | View::PaidLine | View::RawLine => match self.as_read(view, name) {
                Some(batch) => spelled_out(&batch.gather(name, rows)?),
                None if view != View::RawLine && self.is_cheaper_for(name, rows) => {
                    self.line_column(name, Which::These(rows.values()))
                }
                None => take(&self.column(view, name)?, rows, None),
            },
            _ => take(&self.column(view, name)?, rows, None),
        }
    }

    /// Whether a column of lines is better made for these few than for all.
    fn is_cheaper_for(&self, name: &str, rows: &UInt32Array) -> bool {
        rows.null_count() == 0
            && rows.len() < self.claims.lines.num_rows() / 4
            && LINES_OWN.contains(&name)
            && of_stay(name).is_none()
            && !self.cache.borrow().contains_key(&(View::Line, name.to_owned()))
    }

    /// Whether a column of lines is that of their encounters, for every line.
    fn is_through_encounter(&self, name: &str) -> Result<bool, ArrowError> {
        Ok(self.is_of_encounter(name)
            || match name {
                "setting" | "gend" | "brdy" | "level" => self.links()?.complete,
                "med_type" => self.links()?.complete && texts(&self.claims.encounters, name)?.all_known(),
                _ => false,
            })
    }

    /// For a condition over lines that speaks of nothing but their encounters: the encounter of each line.
    ///
    /// # Errors
    /// A column was not read.
    pub fn lifted<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> Result<Option<&UInt32Array>, ArrowError> {
        let links = self.links()?;
        let all = links.complete && names.all(|name| matches!(self.is_through_encounter(name), Ok(true)));
        Ok(all.then_some(&links.of_encounter))
    }

    /// A part of an expression for each text that a column of codes may have, null last, and the place of each line's.
    fn part_of_codes(&self, name: &str, part: &Compiled) -> Result<Option<Shared>, ArrowError> {
        let column = self.claims.lines.named(name).and_then(Texts::of);
        let Some(Texts::Coded(places, texts)) = column else { return Ok(None) };
        let all: ArrayRef = Arc::new(texts.iter().chain(std::iter::once(None)).collect::<StringArray>());
        let values = compute(part, vec![all], texts.len() + 1)?;
        let known = self.places.borrow().get(name).cloned();
        let places = known.unwrap_or_else(|| {
            let null = u32::try_from(texts.len()).unwrap_or(u32::MAX);
            let place = |place: Option<i32>| place.and_then(|place| u32::try_from(place).ok()).unwrap_or(null);
            let made = UInt32Array::from_iter_values(places.iter().map(place));
            self.places.borrow_mut().insert(name.to_owned(), made.clone());
            made
        });
        Ok(Some((values, places)))
    }

    /// What the worker keeps from unit to unit.
    #[must_use]
    pub fn memory(&self) -> &'a Memory {
        self.memory
    }

    /// A number for each row of a column of codes, the same in every unit of a run; 0 for null.
    ///
    /// # Errors
    /// There is no such column, or it was not read.
    pub fn codes(&self, view: View, name: &str) -> Result<Rc<Vec<u32>>, ArrowError> {
        self.numbered(&self.codes, view, name, &|column| self.memory.codes(column))
    }

    /// A number for each row of a text column: equal texts have equal numbers in all columns of this unit; 0 for null.
    ///
    /// # Errors
    /// There is no such column, or it was not read.
    pub fn numbers(&self, view: View, name: &str) -> Result<Rc<Vec<u32>>, ArrowError> {
        self.numbered(&self.numbers, view, name, &|column| self.words.borrow_mut().numbers(column))
    }

    /// Whether the numbers of a column are at hand, or next to nothing away: read as codes, or that of few encounters.
    #[must_use]
    pub fn is_numbered(&self, view: View, name: &str) -> bool {
        let view = if view == View::PaidLine { View::Line } else { view };
        view != View::Line
            || self.numbers.borrow().contains_key(&(view, name.to_owned()))
            || self.as_read(view, name).and_then(|b| b.named(name)).is_none_or(|c| c.as_string_opt::<i32>().is_none())
    }

    /// The number of a text, if this unit gave it one.
    #[must_use]
    pub fn number_of(&self, word: &str) -> Option<u32> {
        self.words.borrow().find(word)
    }

    /// The text of a number that this unit gave.
    #[must_use]
    pub fn word(&self, number: u32) -> String {
        self.words.borrow().text(number).to_owned()
    }

    /// The numbers of a text column that is no view's own.
    #[must_use]
    pub fn numbers_of(&self, column: &StringArray) -> Vec<u32> {
        self.words.borrow_mut().numbers(column)
    }

    fn numbered(
        &self,
        cache: &RefCell<ByColumn<Rc<Vec<u32>>>>,
        view: View,
        name: &str,
        number: &dyn Fn(&StringArray) -> Vec<u32>,
    ) -> Result<Rc<Vec<u32>>, ArrowError> {
        let view = if view == View::PaidLine { View::Line } else { view };
        let key = (view, name.to_owned());
        if let Some(found) = cache.borrow().get(&key) {
            return Ok(Rc::clone(found));
        }
        // Few encounters and stays stand for many lines.
        let made = if view == View::Line && self.is_through_encounter(name)? {
            let of_encounter = self.numbered(cache, View::Encounter, name, number)?;
            self.links()?.encounter.iter().map(|e| e.map_or(0, |e| of_encounter[e as usize])).collect()
        } else if let (View::Line, Some(column)) = (view, of_stay(name)) {
            let of_stay = self.numbered(cache, View::Stay, column, number)?;
            self.stays_of_lines()?.iter().map(|stay| stay.map_or(0, |stay| of_stay[stay as usize])).collect()
        } else if let Some(texts) = self.as_read(view, name).and_then(|b| b.named(name)).and_then(Texts::of) {
            texts.numbers(number)
        } else if let (View::Line, "generic" | "atc4") = (view, name) {
            texts(&self.claims.lines, "hilist_code")?.numbers(|items| number(&part_of_code(items, name)))
        } else {
            number(as_text(&self.column(view, name)?)?)
        };
        let made = Rc::new(made);
        cache.borrow_mut().insert(key, Rc::clone(&made));
        Ok(made)
    }

    /// The rows of a view of lines, for a column that was read as it stands.
    fn as_read(&self, view: View, name: &str) -> Option<&'a Kept> {
        let batch = match view {
            View::Line | View::PaidLine if !LINES_OWN.contains(&name) => &self.claims.lines,
            View::RawLine if !matches!(name, "day" | "setting" | "level" | "facility_name" | "region") => {
                &self.claims.raw_lines
            }
            _ => return None,
        };
        batch.has(name).then_some(batch)
    }

    /// Rows of a view by the number of their person or encounter, in order.
    ///
    /// # Errors
    /// The view has no such column, or it was not read.
    pub fn rows_of(&self, view: View, name: &str) -> Result<Rc<ByNumber>, ArrowError> {
        let view = if view == View::PaidLine { View::Line } else { view };
        let key = (view, name.to_owned());
        if let Some(found) = self.rows_of.borrow().get(&key) {
            return Ok(Rc::clone(found));
        }
        let made = Rc::new(ByNumber::new(&self.numbers(view, name)?));
        self.rows_of.borrow_mut().insert(key, Rc::clone(&made));
        Ok(made)
    }

    /// Rows of a view by their code in a column.
    ///
    /// # Errors
    /// There is no such column, or it was not read.
    pub fn rows_of_codes(&self, view: View, name: &str) -> Result<Rc<ByNumber>, ArrowError> {
        let view = if view == View::PaidLine { View::Line } else { view };
        let key = (view, name.to_owned());
        if let Some(found) = self.rows_of_codes.borrow().get(&key) {
            return Ok(Rc::clone(found));
        }
        let made = Rc::new(ByNumber::new(&self.codes(view, name)?));
        self.rows_of_codes.borrow_mut().insert(key, Rc::clone(&made));
        Ok(made)
    }

    /// Whether a column of lines is that of their encounters.
    fn is_of_encounter(&self, name: &str) -> bool {
        !LINES_OWN.contains(&name) && !self.claims.lines.has(name)
    }

    /// The answers of a condition over a whole view, under a name: they are computed when a rule first asks, and once.
    ///
    /// # Errors
    /// What computing them gives.
    pub fn mask(
        &self,
        view: View,
        name: &str,
        compute: impl FnOnce() -> Result<BooleanArray, ArrowError>,
    ) -> Result<BooleanArray, ArrowError> {
        let view = if view == View::PaidLine { View::Line } else { view };
        let key = (view, name.to_owned());
        if let Some(found) = self.masks.borrow().get(&key) {
            return Ok(found.clone());
        }
        let made = compute()?;
        self.masks.borrow_mut().insert(key, made.clone());
        Ok(made)
    }

    /// The rows of a view that a condition leaves, under its name: they are found when a rule first asks, and once.
    ///
    /// # Errors
    /// What finding them gives.
    pub fn chosen(
        &self,
        view: View,
        name: &str,
        find: impl FnOnce() -> Result<Chosen, ArrowError>,
    ) -> Result<Rc<Chosen>, ArrowError> {
        let key = (view, name.to_owned());
        if let Some(found) = self.chosen.borrow().get(&key) {
            return Ok(Rc::clone(found));
        }
        let found = Rc::new(find()?);
        self.chosen.borrow_mut().insert(key, Rc::clone(&found));
        Ok(found)
    }

    /// Which net lines are paid.
    ///
    /// # Errors
    /// A column was not read.
    pub fn paid(&self) -> Result<&Paid, ArrowError> {
        get_or_try(&self.paid, || {
            let amounts = self.column(View::Line, "inscp_amt")?;
            let amounts = as_decimal(&amounts)?;
            let above = arrow::buffer::BooleanBuffer::collect_bool(amounts.len(), |row| amounts.values()[row] > 0);
            let perhaps = match amounts.nulls() {
                Some(nulls) => &(&above & nulls.inner()) | &!nulls.inner(),
                None => above,
            };
            Ok(Paid { perhaps: BooleanArray::new(perhaps, None), unknown: amounts.null_count() })
        })
    }

    /// The net lines that a row of a view stands for; none for views that are not made of lines.
    ///
    /// # Errors
    /// A column that the view rests on was not read.
    pub fn members(&self, view: View, row: u32) -> Result<Vec<u32>, ArrowError> {
        Ok(match view {
            View::Line | View::PaidLine => vec![row],
            View::Fill => {
                let fills = self.fills()?;
                fills.lines_of(&fills.fills[row as usize])
            }
            View::Trace => vec![self.traces()?[row as usize].1],
            _ => Vec::new(),
        })
    }

    /// Net lines of an encounter.
    ///
    /// # Errors
    /// A column was not read.
    pub fn lines_of_encounter(&self, mdtrt_id: &str) -> Result<Vec<u32>, ArrowError> {
        self.lines_by("mdtrt_id", mdtrt_id)
    }

    /// Net lines of a settlement.
    ///
    /// # Errors
    /// A column was not read.
    pub fn lines_of_settlement(&self, setl_id: &str) -> Result<Vec<u32>, ArrowError> {
        self.lines_by("setl_id", setl_id)
    }

    fn lines_by(&self, name: &str, id: &str) -> Result<Vec<u32>, ArrowError> {
        let rows = self.rows_of(View::Line, name)?;
        Ok(self.number_of(id).map(|number| rows.of(number).to_vec()).unwrap_or_default())
    }

    /// These encounters and all that are joined with one of them to a stay.
    ///
    /// # Errors
    /// A column was not read.
    pub fn with_their_stays(&self, encounters: &BTreeSet<String>) -> Result<BTreeSet<String>, ArrowError> {
        let (stays, numbers) = (self.stays()?, self.stay_numbers()?);
        let ids = text(&self.claims.encounters, "mdtrt_id")?;
        let rows = encounters.iter().filter_map(|id| self.claims.encounter_of.last(id));
        let joined = rows.filter_map(|row| numbers[row as usize]).flat_map(|stay| &stays[stay as usize].parts);
        let joined = joined.filter_map(|part| at(ids, *part as usize)).map(str::to_owned);
        Ok(encounters.iter().cloned().chain(joined).collect())
    }

    /// Net lines of the joined stay that begins with this encounter.
    ///
    /// # Errors
    /// A column was not read.
    pub fn lines_of_stay(&self, first_mdtrt_id: &str) -> Result<Vec<u32>, ArrowError> {
        let ids = text(&self.claims.encounters, "mdtrt_id")?;
        let Some(row) = self.claims.encounter_of.last(first_mdtrt_id) else { return Ok(Vec::new()) };
        let Some(stay) = self.stay_numbers()?[row as usize] else {
            return self.lines_of_encounter(first_mdtrt_id);
        };
        let mut lines = Vec::new();
        for &part in &self.stays()?[stay as usize].parts {
            lines.extend(self.lines_of_encounter(ids.value(part as usize))?);
        }
        Ok(lines)
    }

    /// Share of the fund in a line's money, as (`hifp_pay`, `inscp_amt`) of its settlement in fen, where both are known.
    ///
    /// # Errors
    /// A column was not read.
    pub fn fund_share(&self, line: u32) -> Result<Option<(i128, i128)>, ArrowError> {
        let Some(row) = self.links()?.settlement[line as usize] else { return Ok(None) };
        let (paid, scope) =
            (decimal(&self.claims.settlements, "hifp_pay")?, self.column(View::Settlement, "inscp_amt")?);
        let scope = as_decimal(&scope)?;
        let row = row as usize;
        Ok((paid.is_valid(row) && scope.is_valid(row) && scope.value(row) > 0)
            .then(|| (paid.value(row), scope.value(row))))
    }

    fn links(&self) -> Result<&Links, ArrowError> {
        get_or_try(&self.line_links, || {
            let lines = &self.claims.lines;
            let (encounters, persons, settlements) =
                (texts(lines, "mdtrt_id")?, texts(lines, "psn_no")?, texts(lines, "setl_id")?);
            let encounter = self.claims.encounter_of.last_of_each(encounters);
            Ok(Links {
                of_encounter: UInt32Array::from(encounter.clone()),
                complete: encounter.iter().all(Option::is_some),
                encounter,
                person: self.claims.person_of.last_of_each(persons),
                settlement: self.claims.settlement_of.last_of_each(settlements),
            })
        })
    }

    fn care_setting(&self, med_type: Option<&str>, on: i32) -> Option<&'a str> {
        let table = self.setting.care_settings.as_deref()?;
        let rows = table.valid(&table.candidates(med_type?), on, Place::default(), false);
        match table.rows[*rows.first()?].cells.first()? {
            Cell::Text(setting) => Some(setting.as_str()),
            _ => None,
        }
    }

    fn visits(&self) -> Result<&Vec<Visit<'a>>, ArrowError> {
        get_or_try(&self.visits, || {
            let (claims, setting) = (self.claims, self.setting);
            let batch = &claims.encounters;
            let (ids, people, facilities) =
                (text(batch, "mdtrt_id")?, text(batch, "psn_no")?, text(batch, "fixmedins_code")?);
            let (med_types, insutypes, regions) =
                (text(batch, "med_type")?, text(batch, "insutype")?, text(batch, "insu_admdvs")?);
            let (genders, births, levels) = (text(batch, "gend")?, day(batch, "brdy")?, text(batch, "hosp_lv")?);
            let (begins, ends, mains) =
                (time(batch, "begntime")?, time(batch, "endtime")?, text(batch, "dscg_maindiag_code")?);
            let persons = &claims.persons;
            let (person_gend, person_brdy) = (text(persons, "gend")?, day(persons, "brdy")?);
            let (person_region, person_insu) = (text(persons, "insu_admdvs")?, text(persons, "insutype")?);
            let person_of = claims.person_of.last_of_each(Texts::Plain(people));
            let (coded, flags) = (text(&claims.diagnoses, "diag_code")?, text(&claims.diagnoses, "maindiag_flag")?);
            let listed = self.listed_diagnoses()?;
            let mut settings: HashMap<(&str, i32), Option<&'a str>> = HashMap::new();
            let mut visits = Vec::with_capacity(batch.num_rows());
            let mut codes: Vec<&str> = Vec::new();
            for row in 0..batch.num_rows() {
                let person = person_of[row].map(|person| person as usize);
                let facility = at(facilities, row).and_then(|f| setting.facilities.get(f));
                let begin_day = begins.is_valid(row).then(|| day_of(begins.value(row)));
                let med_type = at(med_types, row);
                let care = med_type
                    .zip(begin_day)
                    .and_then(|(m, on)| *settings.entry((m, on)).or_insert_with(|| self.care_setting(Some(m), on)));
                let own_birth = births.is_valid(row).then(|| births.value(row));
                let persons_birth = person.and_then(|p| person_brdy.is_valid(p).then(|| person_brdy.value(p)));
                let listed = at(ids, row).map(|id| listed.get(id)).unwrap_or_default();
                let flagged =
                    listed.iter().map(|d| *d as usize).find(|&d| at(flags, d) == Some("1") && coded.is_valid(d));
                let main_diagnosis = at(mains, row).or_else(|| flagged.and_then(|d| at(coded, d)));
                // The main one first, the others by code, each once.
                codes.clear();
                codes.extend(listed.iter().filter_map(|d| at(coded, *d as usize)));
                codes.sort_unstable();
                codes.dedup();
                codes.retain(|code| Some(*code) != main_diagnosis);
                let diagnoses = match (main_diagnosis, codes.as_slice()) {
                    (None, []) => None,
                    (Some(only), []) | (None, &[only]) => Some(Cow::Borrowed(only)),
                    (main, others) => {
                        let all: Vec<&str> = main.into_iter().chain(others.iter().copied()).collect();
                        Some(Cow::Owned(all.join("|")))
                    }
                };
                visits.push(Visit {
                    setting: care,
                    begin_day,
                    // An end in the year 9999 is none.
                    end_day: ends
                        .is_valid(row)
                        .then(|| day_of(ends.value(row)))
                        .filter(|day| !calendar::OPEN_END.contains(day)),
                    level: at(levels, row).and_then(codes::level).or_else(|| facility.and_then(|f| f.level)),
                    gend: agreed(known_sex(at(genders, row)), known_sex(person.and_then(|p| at(person_gend, p)))),
                    brdy: agreed(own_birth, persons_birth),
                    region: at(regions, row)
                        .or_else(|| person.and_then(|p| at(person_region, p)))
                        .or_else(|| facility.and_then(|f| f.region.as_deref()))
                        .or(setting.region.as_deref()),
                    insutype: at(insutypes, row).or_else(|| person.and_then(|p| at(person_insu, p))),
                    diagnoses,
                    main_diagnosis,
                });
            }
            Ok(visits)
        })
    }

    fn stays(&self) -> Result<&Vec<Stay>, ArrowError> {
        get_or_try(&self.stays, || {
            let batch = &self.claims.encounters;
            let (ids, people, facilities) =
                (text(batch, "mdtrt_id")?, text(batch, "psn_no")?, text(batch, "fixmedins_code")?);
            let across = text(batch, "ars_year_ipt_flag")?;
            let visits = self.visits()?;
            let settlements = &self.claims.settlements;
            let (settled, midway) = (text(settlements, "mdtrt_id")?, text(settlements, "mid_setl_flag")?);
            let cut: std::collections::HashSet<&str> = (0..settlements.num_rows())
                .filter(|&row| at(midway, row) == Some("1"))
                .filter_map(|row| at(settled, row))
                .collect();
            let mut inpatient: Vec<u32> = (0u32..)
                .zip(visits)
                .filter(|(_, v)| v.setting == Some("inpatient") && v.begin_day.is_some())
                .map(|(row, _)| row)
                .collect();
            let order = |row: &u32| {
                let row = *row as usize;
                (at(people, row), at(facilities, row), visits[row].begin_day, at(ids, row))
            };
            inpatient.sort_by(|a, b| order(a).cmp(&order(b)));
            let mut stays: Vec<Stay> = Vec::new();
            for row in inpatient {
                let visit = &visits[row as usize];
                let begin_day = visit.begin_day.unwrap_or(self.setting.as_of);
                let open = visit.end_day.is_none();
                let end_day = visit.end_day.unwrap_or(self.setting.as_of).max(begin_day);
                if let Some(last) = stays.last_mut() {
                    let earlier = *last.parts.last().unwrap_or(&row) as usize;
                    let same = at(people, earlier) == at(people, row as usize)
                        && at(facilities, earlier) == at(facilities, row as usize);
                    let follows = !last.open && (0..=1).contains(&(begin_day - last.end_day));
                    let marked = at(across, earlier) == Some("1") || at(across, row as usize) == Some("1");
                    if same && follows && (marked || at(ids, earlier).is_some_and(|id| cut.contains(id))) {
                        last.parts.push(row);
                        last.end_day = end_day;
                        last.open = open;
                        continue;
                    }
                }
                stays.push(Stay { parts: vec![row], begin_day, end_day, open });
            }
            // In the order in which a person lived them, whatever the facility.
            let order = |stay: &Stay| {
                let row = stay.parts[0] as usize;
                (at(people, row), stay.begin_day, at(ids, row))
            };
            stays.sort_by(|a, b| order(a).cmp(&order(b)));
            Ok(stays)
        })
    }

    /// For each net line its joined stay.
    fn stays_of_lines(&self) -> Result<UInt32Array, ArrowError> {
        if let Some(found) = self.line_stays.get() {
            return Ok(found.clone());
        }
        let of_encounter = self.stay_numbers()?;
        let stay = |encounter: &Option<u32>| encounter.and_then(|e| of_encounter[e as usize]);
        let made: UInt32Array = self.links()?.encounter.iter().map(stay).collect();
        Ok(self.line_stays.get_or_init(|| made).clone())
    }

    /// For each encounter its joined stay.
    fn stay_numbers(&self) -> Result<&Vec<Option<u32>>, ArrowError> {
        get_or_try(&self.stay_numbers, || {
            let mut numbers = vec![None; self.claims.encounters.num_rows()];
            for (number, stay) in (0u32..).zip(self.stays()?) {
                for &part in &stay.parts {
                    numbers[part as usize] = Some(number);
                }
            }
            Ok(numbers)
        })
    }

    fn fills(&self) -> Result<&Fills, ArrowError> {
        get_or_try(&self.fills, || {
            let lines = &self.claims.lines;
            let (ids, items) = (texts(lines, "mdtrt_id")?, texts(lines, "hilist_code")?);
            let drug = texts(lines, "list_type")?.each(|kind| kind.map(|kind| kind.starts_with('1')));
            let places = self.settings_of_lines(|setting| matches!(setting, "outpatient" | "pharmacy"))?;
            let amounts = self.column(View::Line, "inscp_amt")?;
            let amounts = as_decimal(&amounts)?;
            let supplies = self.column(View::Line, "days")?;
            let supplies = as_decimal(&supplies)?;
            let (encounters, generics) = (self.numbers(View::Line, "mdtrt_id")?, self.numbers(View::Line, "generic")?);
            let times = time(lines, "fee_ocur_time")?;
            let mut place_of: HashMap<(u32, u32, i32), u32> = HashMap::new();
            let mut fills: Vec<Fill> = Vec::new();
            // Line and its fill, in the order of lines.
            let mut members: Vec<(u32, u32)> = Vec::new();
            for line in 0..lines.num_rows() {
                let paid = amounts.is_valid(line).then(|| amounts.value(line) > 0);
                let all = [drug[line], places[line], paid];
                if all.contains(&Some(false)) {
                    continue;
                }
                // Whether it belongs here is not known: the fill it would belong to is not evaluated.
                let unknown = all.contains(&None);
                let day = day_of(times.value(line));
                let at = u32::try_from(line).map_err(|e| ArrowError::ComputeError(e.to_string()))?;
                let place = *place_of.entry((encounters[line], generics[line], day)).or_insert_with(|| {
                    fills.push(Fill { first: at, place: 0, day, days: Some(0), fen: 0 });
                    u32::try_from(fills.len() - 1).unwrap_or(u32::MAX)
                });
                let fill = &mut fills[place as usize];
                fill.place = place;
                fill.days = fill
                    .days
                    .zip((!unknown && supplies.is_valid(line)).then(|| supplies.value(line)))
                    .map(|(a, b)| a + b);
                if !unknown {
                    fill.fen += amounts.value(line);
                }
                members.push((place, at));
            }
            let generic = |fill: &Fill| items.at(fill.first as usize).map(codes::generic);
            // Lines are in the order of persons, so numbers given in that order are too.
            let people = self.persons_in_order()?;
            let order = |fill: &Fill| (people[fill.first as usize], fill.day);
            fills.sort_by(|a, b| {
                order(a)
                    .cmp(&order(b))
                    .then_with(|| ids.at(a.first as usize).cmp(&ids.at(b.first as usize)))
                    .then_with(|| generic(a).cmp(&generic(b)))
            });
            let lines_of = OnceCell::new();
            Ok(Fills { fills, members, lines_of })
        })
    }

    /// For each line whether a test holds for its care setting; nothing where the setting is unknown.
    fn settings_of_lines(&self, test: impl Fn(&str) -> bool) -> Result<Vec<Option<bool>>, ArrowError> {
        let links = self.links()?;
        if links.complete {
            let of_encounters: Vec<Option<bool>> = self.visits()?.iter().map(|v| v.setting.map(&test)).collect();
            return Ok(links.encounter.iter().map(|e| e.and_then(|e| of_encounters[e as usize])).collect());
        }
        let settings = self.column(View::Line, "setting")?;
        Ok(as_text(&settings)?.iter().map(|setting| setting.map(&test)).collect())
    }

    /// The place of each line's person among the persons of the lines, which come in their order.
    fn persons_in_order(&self) -> Result<Vec<u32>, ArrowError> {
        let numbers = self.numbers(View::Line, "psn_no")?;
        let mut place = 0;
        Ok((0..numbers.len())
            .map(|line| {
                place += u32::from(line > 0 && numbers[line] != numbers[line - 1]);
                place
            })
            .collect())
    }

    fn transfers(&self) -> Result<&Vec<(String, i32, String, String)>, ArrowError> {
        get_or_try(&self.transfers, || {
            let batch = &self.claims.encounters;
            let (people, facilities) = (text(batch, "psn_no")?, text(batch, "fixmedins_code")?);
            let person = |stay: &Stay| at(people, stay.parts[0] as usize);
            let mut found = Vec::new();
            // Stays are in the order of persons.
            for stays in self.stays()?.chunk_by(|a, b| person(a) == person(b)).filter(|stays| stays.len() > 1) {
                let Some(person) = person(&stays[0]) else { continue };
                for left in stays.iter().filter(|s| !s.open) {
                    for entered in stays {
                        let (from, to) =
                            (at(facilities, left.parts[0] as usize), at(facilities, entered.parts[0] as usize));
                        if let (Some(from), Some(to)) = (from, to)
                            && from != to
                            && left.end_day == entered.begin_day
                        {
                            found.push((person.to_owned(), left.end_day, from.to_owned(), to.to_owned()));
                        }
                    }
                }
            }
            found.sort();
            found.dedup();
            Ok(found)
        })
    }

    /// Death of each person, by the number of `psn_no`: the earliest of the days that person and encounters give.
    fn deaths(&self) -> Result<&HashMap<u32, i32>, ArrowError> {
        get_or_try(&self.deaths, || {
            let mut found: HashMap<u32, i32> = HashMap::new();
            let mut note = |person: Option<u32>, on: i32| {
                if let Some(person) = person.filter(|person| *person != 0) {
                    let known = found.entry(person).or_insert(on);
                    *known = (*known).min(on);
                }
            };
            let persons = &self.claims.persons;
            let (ids, dates) = (text(persons, "psn_no")?, day(persons, "die_date")?);
            let of_persons = (0..persons.num_rows()).filter(|row| dates.is_valid(*row));
            of_persons
                .for_each(|row| note(at(ids, row).map(|id| self.words.borrow_mut().number(id)), dates.value(row)));
            let batch = &self.claims.encounters;
            let people = self.numbers(View::Encounter, "psn_no")?;
            let (dates, ways, ends) = (day(batch, "die_date")?, text(batch, "dscg_way")?, time(batch, "endtime")?);
            for row in 0..batch.num_rows() {
                if dates.is_valid(row) {
                    note(Some(people[row]), dates.value(row));
                }
                if ends.is_valid(row) && at(ways, row) == Some("5") {
                    note(Some(people[row]), day_of(ends.value(row)));
                }
            }
            Ok(found)
        })
    }

    fn items_of(&self, encounters: &[&str]) -> Result<Option<String>, ArrowError> {
        let item = texts(&self.claims.lines, "hilist_code")?;
        let mut codes: Vec<&str> = Vec::new();
        for id in encounters {
            codes.extend(self.lines_of_encounter(id)?.iter().filter_map(|&line| item.at(line as usize)));
        }
        codes.sort_unstable();
        codes.dedup();
        Ok((!codes.is_empty()).then(|| codes.join("|")))
    }

    /// A column of each line's encounter.
    fn of_encounter(&self, column: &str) -> Result<ArrayRef, ArrowError> {
        take(&self.column(View::Encounter, column)?, &self.links()?.of_encounter, None)
    }

    /// The facility of each line.
    fn facilities_of_lines(&self) -> Result<&Vec<Option<&'a Facility>>, ArrowError> {
        get_or_try(&self.line_facilities, || {
            let places = texts(&self.claims.lines, "fixmedins_code")?;
            Ok(places.each(|code| code.and_then(|code| self.setting.facilities.get(code))))
        })
    }

    #[expect(clippy::too_many_lines, reason = "one arm a column, read as a table")]
    fn line_column(&self, name: &str, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        let lines = &self.claims.lines;
        let times = time(lines, "fee_ocur_time")?;
        let on = |line: usize| day_of(times.value(line));
        let links = self.links()?;
        let persons = &self.claims.persons;
        let each = || (0..which.len()).map(|at| which.line(at));
        let facilities = self.facilities_of_lines()?;
        let facility = |line: usize| facilities[line];
        let visits = self.visits()?;
        let visit = |line: usize| links.encounter[line].map(|encounter| &visits[encounter as usize]);
        let births = day(persons, "brdy")?;
        let of_person = |line: usize| links.person[line].map(|person| person as usize);
        let birth = |line: usize| match visit(line) {
            Some(visit) => visit.brdy,
            None => of_person(line).and_then(|person| births.is_valid(person).then(|| births.value(person))),
        };
        Ok(match name {
            "day" => Arc::new(each().map(|line| Some(on(line))).collect::<Date32Array>()),
            "generic" | "atc4" => {
                let part =
                    |code: &'a str| if name == "generic" { Some(codes::generic(code)) } else { codes::atc4(code) };
                let items = texts(lines, "hilist_code")?;
                match which {
                    Which::All(_) => {
                        Arc::new(items.each(|code| code.and_then(part)).into_iter().collect::<StringArray>())
                    }
                    Which::These(_) => {
                        Arc::new(each().map(|line| items.at(line).and_then(part)).collect::<StringArray>())
                    }
                }
            }
            "inscp_amt" => match which {
                Which::All(_) => scope_amount(lines, "det_item_fee_sumamt")?,
                Which::These(rows) => take(&self.column(View::Line, name)?, &UInt32Array::from(rows.to_vec()), None)?,
            },
            "med_type" => {
                let (own, theirs) = (texts(lines, name)?, text(&self.claims.encounters, name)?);
                let kind =
                    |line: usize| links.encounter[line].and_then(|e| at(theirs, e as usize)).or_else(|| own.at(line));
                Arc::new(each().map(kind).collect::<StringArray>())
            }
            "setting" => {
                let own = texts(lines, "med_type")?;
                let care = |line: usize| match visit(line) {
                    Some(visit) => visit.setting,
                    None => self.care_setting(own.at(line), on(line)),
                };
                Arc::new(each().map(care).collect::<StringArray>())
            }
            "level" => {
                let level = |line: usize| match visit(line) {
                    Some(visit) => visit.level,
                    None => facility(line).and_then(|f| f.level),
                };
                Arc::new(each().map(level).collect::<Int64Array>())
            }
            "gend" => {
                let genders = text(persons, "gend")?;
                let gender = |line: usize| match visit(line) {
                    Some(visit) => visit.gend,
                    None => known_sex(of_person(line).and_then(|person| at(genders, person))),
                };
                Arc::new(each().map(gender).collect::<StringArray>())
            }
            "brdy" => Arc::new(each().map(birth).collect::<Date32Array>()),
            "age" | "age_days" => ages(each().map(birth), each().map(|line| Some(on(line))), name == "age"),
            "stay_age_days" => {
                let begins = match which {
                    Which::All(_) => self.column(View::Line, "stay_begin")?,
                    Which::These(rows) => self.gather(View::Line, "stay_begin", &UInt32Array::from(rows.to_vec()))?,
                };
                ages(each().map(birth), as_day(&begins)?.iter(), false)
            }
            "death_day" => {
                let (deaths, people) = (self.deaths()?, self.numbers(View::Line, "psn_no")?);
                Arc::new(each().map(|line| deaths.get(&people[line]).copied()).collect::<Date32Array>())
            }
            "region" => {
                let own = text(&self.claims.settlements, "insu_admdvs")?;
                let home = text(persons, "insu_admdvs")?;
                let region = |line: usize| -> Option<&str> {
                    links.settlement[line]
                        .and_then(|s| at(own, s as usize))
                        .or_else(|| visit(line).and_then(|visit| visit.region))
                        .or_else(|| of_person(line).and_then(|person| at(home, person)))
                        .or_else(|| facility(line).and_then(|f| f.region.as_deref()))
                        .or(self.setting.region.as_deref())
                };
                Arc::new(each().map(region).collect::<StringArray>())
            }
            "facility_region" => {
                let region =
                    |line: usize| facility(line).and_then(|f| f.region.as_deref()).or(self.setting.region.as_deref());
                Arc::new(each().map(region).collect::<StringArray>())
            }
            "facility_name" => {
                Arc::new(each().map(|line| facility(line).and_then(|f| f.name.as_deref())).collect::<StringArray>())
            }
            "fixmedins_type" => {
                Arc::new(each().map(|line| facility(line).and_then(|f| f.kind.as_deref())).collect::<StringArray>())
            }
            "insutype" => {
                let (own, theirs) = (text(&self.claims.settlements, name)?, text(persons, name)?);
                let kind = |line: usize| -> Option<&str> {
                    links.settlement[line]
                        .and_then(|s| at(own, s as usize))
                        .or_else(|| visit(line).and_then(|visit| visit.insutype))
                        .or_else(|| of_person(line).and_then(|person| at(theirs, person)))
                };
                Arc::new(each().map(kind).collect::<StringArray>())
            }
            "days" => {
                let (given, counts) = (decimal(lines, "prd_days")?, decimal(lines, "cnt")?);
                // The texts that say how fast a pack is used up, as codes: most lines repeat what was read before.
                let said = ["cnt_prcunt", "spec", "sin_dos_dscr", "used_frqu_dscr"];
                let [units, specs, doses, often] = said.map(|name| self.codes(View::Line, name));
                let (units, specs, doses, often) = (units?, specs?, doses?, often?);
                let days = each().map(|line| {
                    if given.is_valid(line) && given.value(line) > 0 {
                        return Some(given.value(line) * 10_i128.pow(DAYS_SCALE - 4));
                    }
                    let said = [units[line], specs[line], doses[line], often[line]];
                    let dosage = if said.contains(&0) { None } else { self.memory.dosage(said) };
                    let cnt = Decimal::try_from_i128_with_scale(counts.value(line), 4).ok()?;
                    let mut days = dosage?.days(cnt)?;
                    days.rescale(DAYS_SCALE);
                    Some(days.mantissa())
                });
                Arc::new(days.collect::<Decimal128Array>().with_precision_and_scale(20, 8)?)
            }
            "main_diag" => {
                Arc::new(each().map(|line| visit(line).and_then(|visit| visit.main_diagnosis)).collect::<StringArray>())
            }
            "fund_pay_sumamt" | "acct_pay" => {
                let settled: UInt32Array = each().map(|line| links.settlement[line]).collect();
                take(&plain(&self.claims.settlements, name)?, &settled, None)?
            }
            "hardship" => {
                let people = self.numbers(View::Line, "psn_no")?;
                Arc::new(self.hardship(each().map(|line| (people[line], Some(on(line)))))?)
            }
            "days_given" => {
                let given = decimal(lines, "prd_days")?;
                let known = |line: usize| Some(given.is_valid(line) && given.value(line) > 0);
                Arc::new(each().map(known).collect::<BooleanArray>())
            }
            "visit_fund_pay_sumamt" => {
                let visits = self.numbers(View::Line, "mdtrt_id")?;
                self.fund_pay_of(each().map(|line| visits[line]))?
            }
            _ if of_stay(name).is_some() => {
                take(&self.column(View::Stay, of_stay(name).unwrap_or(name))?, &self.stays_of_lines()?, None)?
            }
            _ => match lines.named(name) {
                Some(column) => spelled_out(column)?,
                None => self.of_encounter(name)?,
            },
        })
    }

    /// Sum of the paid lines of each encounter. A line of which it is not known whether it was paid is no paid line; beside
    /// none that is, it leaves the encounter unknown.
    fn paid_of_encounters(&self) -> Result<ArrayRef, ArrowError> {
        let amounts = self.column(View::Line, "inscp_amt")?;
        let amounts = as_decimal(&amounts)?;
        // What is known to be paid, and whether all is known.
        let mut of_encounters = vec![(0_i128, true); self.claims.encounters.num_rows()];
        for (line, encounter) in self.links()?.encounter.iter().enumerate() {
            if let Some(encounter) = encounter {
                let (paid, known) = &mut of_encounters[*encounter as usize];
                if amounts.is_valid(line) {
                    *paid += amounts.value(line).max(0);
                } else {
                    *known = false;
                }
            }
        }
        let sums: Vec<Option<i128>> =
            of_encounters.into_iter().map(|(paid, known)| (paid > 0 || known).then_some(paid)).collect();
        Ok(Arc::new(Decimal128Array::from(sums).with_precision_and_scale(16, 2)?))
    }

    /// What the fund paid for each of these visits (by the number of `mdtrt_id`), whether their rows are there or not: the
    /// sum over the settlements that stand; unknown where there is none, or one of them is unknown.
    fn fund_pay_of(&self, visits: impl Iterator<Item = u32>) -> Result<ArrayRef, ArrowError> {
        let of_visit = get_or_try(&self.fund_pay, || {
            let amounts = decimal(&self.claims.settlements, "fund_pay_sumamt")?;
            let mut of_visit: HashMap<u32, Option<i128>> = HashMap::new();
            for (row, visit) in self.numbers(View::Settlement, "mdtrt_id")?.iter().enumerate() {
                let sum = of_visit.entry(*visit).or_insert(Some(0));
                *sum = sum.zip(amounts.is_valid(row).then(|| amounts.value(row))).map(|(a, b)| a + b);
            }
            of_visit.remove(&0);
            Ok(of_visit)
        })?;
        let sums = visits.map(|visit| of_visit.get(&visit).copied().flatten());
        Ok(Arc::new(sums.collect::<Decimal128Array>().with_precision_and_scale(16, 2)?))
    }

    fn encounter_column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        let batch = &self.claims.encounters;
        let rows = batch.num_rows();
        let facilities = text(batch, "fixmedins_code")?;
        let facility = |row: usize| at(facilities, row).and_then(|f| self.setting.facilities.get(f));
        let visits = self.visits()?;
        Ok(match name {
            "setting" => Arc::new(visits.iter().map(|v| v.setting).collect::<StringArray>()),
            "gend" => Arc::new(visits.iter().map(|v| v.gend).collect::<StringArray>()),
            "region" => Arc::new(visits.iter().map(|v| v.region).collect::<StringArray>()),
            "insutype" => Arc::new(visits.iter().map(|v| v.insutype).collect::<StringArray>()),
            "diagnoses" => Arc::new(visits.iter().map(|v| v.diagnoses.as_deref()).collect::<StringArray>()),
            "dscg_maindiag_code" => Arc::new(visits.iter().map(|v| v.main_diagnosis).collect::<StringArray>()),
            "brdy" => Arc::new(visits.iter().map(|v| v.brdy).collect::<Date32Array>()),
            "begin_day" => Arc::new(visits.iter().map(|v| v.begin_day).collect::<Date32Array>()),
            "end_day" => {
                Arc::new(visits.iter().map(|v| v.end_day.or(Some(self.setting.as_of))).collect::<Date32Array>())
            }
            "open" => Arc::new(visits.iter().map(|v| Some(v.end_day.is_none())).collect::<BooleanArray>()),
            "level" => Arc::new(visits.iter().map(|v| v.level).collect::<Int64Array>()),
            "age" | "age_days" => {
                ages(visits.iter().map(|v| v.brdy), visits.iter().map(|v| v.begin_day), name == "age")
            }
            "death_day" => {
                let (deaths, people) = (self.deaths()?, self.numbers(View::Encounter, "psn_no")?);
                Arc::new(people.iter().map(|person| deaths.get(person).copied()).collect::<Date32Array>())
            }
            "facility_region" => {
                Arc::new((0..rows).map(|row| facility(row).and_then(|f| f.region.as_deref())).collect::<StringArray>())
            }
            "facility_name" => {
                Arc::new((0..rows).map(|row| facility(row).and_then(|f| f.name.as_deref())).collect::<StringArray>())
            }
            "lng" | "lat" => {
                let degree = |row: usize| facility(row).and_then(|f| if name == "lng" { f.lng } else { f.lat });
                Arc::new((0..rows).map(degree).collect::<Decimal128Array>().with_precision_and_scale(16, 8)?)
            }
            "inscp_amt" => {
                let amounts = self.column(View::Line, "inscp_amt")?;
                let amounts = as_decimal(&amounts)?;
                // One unknown line makes the sum unknown.
                let mut sums: Vec<Option<i128>> = vec![Some(0); rows];
                for (line, encounter) in self.links()?.encounter.iter().enumerate() {
                    if let Some(encounter) = encounter {
                        let sum = &mut sums[*encounter as usize];
                        let amount = amounts.is_valid(line).then(|| amounts.value(line).max(0));
                        *sum = sum.zip(amount).map(|(sum, amount)| sum + amount);
                    }
                }
                Arc::new(Decimal128Array::from(sums).with_precision_and_scale(16, 2)?)
            }
            "paid_amt" => self.paid_of_encounters()?,
            "fund_pay_sumamt" => self.fund_pay_of(self.numbers(View::Encounter, "mdtrt_id")?.iter().copied())?,
            "items" => {
                let ids = text(batch, "mdtrt_id")?;
                let items: Result<Vec<Option<String>>, ArrowError> =
                    ids.iter().map(|id| self.items_of(&[id.unwrap_or_default()])).collect();
                Arc::new(items?.into_iter().collect::<StringArray>())
            }
            _ => plain(batch, name)?,
        })
    }

    fn stay_column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        let stays = self.stays()?;
        let batch = &self.claims.encounters;
        let ids = text(batch, "mdtrt_id")?;
        let first = || stays.iter().map(|s| Some(s.parts[0])).collect::<UInt32Array>();
        let last = || stays.iter().map(|s| s.parts.last().copied()).collect::<UInt32Array>();
        let days = |s: &Stay| i64::from((s.end_day - s.begin_day).max(1));
        Ok(match name {
            "begin_day" => Arc::new(stays.iter().map(|s| Some(s.begin_day)).collect::<Date32Array>()),
            "end_day" => Arc::new(stays.iter().map(|s| Some(s.end_day)).collect::<Date32Array>()),
            "open" => Arc::new(stays.iter().map(|s| Some(s.open)).collect::<BooleanArray>()),
            "stay_days" => Arc::new(stays.iter().map(|s| Some(days(s))).collect::<Int64Array>()),
            "dscg_maindiag_code" | "dscg_way" => take(&self.column(View::Encounter, name)?, &last(), None)?,
            "med_types" => {
                let kinds = text(batch, "med_type")?;
                let of_parts = |s: &Stay| {
                    let parts: Vec<&str> = s.parts.iter().filter_map(|&part| at(kinds, part as usize)).collect();
                    (!parts.is_empty()).then(|| parts.join("|"))
                };
                Arc::new(stays.iter().map(of_parts).collect::<StringArray>())
            }
            // Where it began and where it ended, of every part, each department once.
            "departments" => {
                let (came, left) = (text(batch, "adm_dept_codg")?, text(batch, "dscg_dept_codg")?);
                let of_parts = |s: &Stay| {
                    let mut all: Vec<&str> = Vec::new();
                    for part in s.parts.iter().map(|&part| part as usize) {
                        for department in [at(came, part), at(left, part)].into_iter().flatten() {
                            if !all.contains(&department) {
                                all.push(department);
                            }
                        }
                    }
                    (!all.is_empty()).then(|| all.join("|"))
                };
                Arc::new(stays.iter().map(of_parts).collect::<StringArray>())
            }
            "diagnoses" => {
                let visits = self.visits()?;
                let joined = stays.iter().map(|s| {
                    let mut all: Vec<&str> = Vec::new();
                    for &part in s.parts.iter().rev() {
                        for code in visits[part as usize].diagnoses.iter().flat_map(|d| d.split('|')) {
                            if !all.contains(&code) {
                                all.push(code);
                            }
                        }
                    }
                    (!all.is_empty()).then(|| all.join("|"))
                });
                Arc::new(joined.collect::<StringArray>())
            }
            "items" => {
                let items: Result<Vec<Option<String>>, ArrowError> = stays
                    .iter()
                    .map(|s| self.items_of(&s.parts.iter().map(|&p| ids.value(p as usize)).collect::<Vec<_>>()))
                    .collect();
                Arc::new(items?.into_iter().collect::<StringArray>())
            }
            "inscp_amt" | "medfee_sumamt" => {
                let amounts = self.column(View::Settlement, name)?;
                let amounts = as_decimal(&amounts)?;
                let settled = text(&self.claims.settlements, "mdtrt_id")?;
                let mut by_encounter: HashMap<&str, Option<i128>> = HashMap::new();
                for row in 0..settled.len() {
                    if let Some(id) = at(settled, row) {
                        let sum = by_encounter.entry(id).or_insert(Some(0));
                        // One unknown part makes the sum unknown.
                        *sum = sum.zip(amounts.is_valid(row).then(|| amounts.value(row))).map(|(a, b)| a + b);
                    }
                }
                let sums = stays.iter().map(|s| {
                    s.parts.iter().try_fold(0, |sum, &part| {
                        by_encounter.get(ids.value(part as usize)).copied().unwrap_or(Some(0)).map(|a| sum + a)
                    })
                });
                Arc::new(sums.collect::<Decimal128Array>().with_precision_and_scale(16, 2)?)
            }
            _ => take(&self.column(View::Encounter, name)?, &first(), None)?,
        })
    }

    /// Encounter and diagnosis code, each once, in the order of encounters; the main one first.
    fn diagnosed(&self) -> Result<&Vec<Diagnosed>, ArrowError> {
        get_or_try(&self.diagnoses, || {
            let mut found = Vec::new();
            for (encounter, visit) in (0u32..).zip(self.visits()?) {
                let Some(all) = visit.diagnoses.as_deref() else { continue };
                let mut from = 0;
                for code in all.split('|') {
                    let main = visit.main_diagnosis == Some(code);
                    found.push(Diagnosed { encounter, from, until: from + code.len(), main });
                    from += code.len() + 1;
                }
            }
            Ok(found)
        })
    }

    fn diagnosis_column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        let (rows, visits) = (self.diagnosed()?, self.visits()?);
        let code = |d: &Diagnosed| visits[d.encounter as usize].diagnoses.as_deref().map(|all| &all[d.from..d.until]);
        Ok(match name {
            "diag_code" => Arc::new(rows.iter().map(code).collect::<StringArray>()),
            "diag_name" => self.diagnosis_names(0..rows.len())?,
            "is_main" => Arc::new(rows.iter().map(|d| Some(d.main)).collect::<BooleanArray>()),
            _ => {
                let name = if name == "day" { "begin_day" } else { name };
                let encounters: UInt32Array = rows.iter().map(|d| Some(d.encounter)).collect();
                take(&self.column(View::Encounter, name)?, &encounters, None)?
            }
        })
    }

    /// The name that the diagnosis table has for some of the diagnoses.
    fn diagnosis_names(&self, chosen: impl Iterator<Item = usize>) -> Result<ArrayRef, ArrowError> {
        let (rows, visits, listed) = (self.diagnosed()?, self.visits()?, self.listed_diagnoses()?);
        let (codes, names) = (text(&self.claims.diagnoses, "diag_code")?, text(&self.claims.diagnoses, "diag_name")?);
        let ids = text(&self.claims.encounters, "mdtrt_id")?;
        let name = |at_row: usize| {
            let d = &rows[at_row];
            let code = &visits[d.encounter as usize].diagnoses.as_deref()?[d.from..d.until];
            let of_encounter = listed.get(at(ids, d.encounter as usize)?).iter().rev().map(|row| *row as usize);
            let mut named = of_encounter.filter(|row| at(codes, *row) == Some(code));
            named.find_map(|row| at(names, row))
        };
        Ok(Arc::new(chosen.map(name).collect::<StringArray>()))
    }

    /// Rows of the diagnosis table by encounter.
    fn listed_diagnoses(&self) -> Result<&RowsBy, ArrowError> {
        get_or_try(&self.listed, || Ok(RowsBy::new(texts(&self.claims.diagnoses, "mdtrt_id")?)))
    }

    fn presence_column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        let batch = &self.claims.presences;
        let times = time(batch, "check_time")?;
        let ids = text(batch, "mdtrt_id")?;
        let encounters: Vec<Option<u32>> =
            ids.iter().map(|id| id.and_then(|id| self.claims.encounter_of.last(id))).collect();
        Ok(match name {
            "day" => Arc::new(times.iter().map(|t| t.map(day_of)).collect::<Date32Array>()),
            "stay_id" | "stay_begin" | "stay_end" => {
                let of_encounter = self.stay_numbers()?;
                let numbers: UInt32Array =
                    encounters.iter().map(|e| e.and_then(|e| of_encounter[e as usize])).collect();
                let column = match name {
                    "stay_id" => "mdtrt_id",
                    "stay_begin" => "begin_day",
                    _ => "end_day",
                };
                take(&self.column(View::Stay, column)?, &numbers, None)?
            }
            _ => match batch.column_by_name(name).filter(|_| Table::Presence.position(name).is_some()) {
                Some(column) => Arc::clone(column),
                None => take(&self.column(View::Encounter, name)?, &UInt32Array::from(encounters), None)?,
            },
        })
    }

    fn raw_column(&self, view: View, name: &str) -> Result<ArrayRef, ArrowError> {
        let lines = view == View::RawLine;
        let batch = if lines { &self.claims.raw_lines } else { &self.claims.raw_settlements };
        let own_region = text(&self.claims.raw_settlements, "insu_admdvs")?;
        let times = time(batch, if lines { "fee_ocur_time" } else { "setl_time" })?;
        let of_encounter = |column: &str| -> Result<ArrayRef, ArrowError> {
            let rows = UInt32Array::from(self.claims.encounter_of.last_of_each(texts(batch, "mdtrt_id")?));
            take(&self.column(View::Encounter, column)?, &rows, None)
        };
        Ok(match name {
            "day" => Arc::new(times.iter().map(|t| t.map(day_of)).collect::<Date32Array>()),
            "setting" | "level" | "facility_name" => of_encounter(name)?,
            "region" => {
                let theirs = of_encounter(name)?;
                let theirs = as_text(&theirs)?;
                let own = |row: usize| if lines { None } else { at(own_region, row) };
                let region = |row: usize| own(row).or_else(|| at(theirs, row)).or(self.setting.region.as_deref());
                Arc::new((0..batch.num_rows()).map(region).collect::<StringArray>())
            }
            "line_count" | "line_sum" => {
                let settled = self.numbers(View::RawLine, "setl_id")?;
                let own = self.numbers(View::RawSettlement, "setl_id")?;
                let totals = decimal(&self.claims.raw_lines, "det_item_fee_sumamt")?;
                let highest = settled.iter().chain(own.iter()).copied().max().unwrap_or(0);
                let mut of_settlement: Vec<(i64, i128)> = vec![(0, 0); highest as usize + 1];
                for (row, number) in settled.iter().enumerate().filter(|(_, number)| **number != 0) {
                    let known = &mut of_settlement[*number as usize];
                    known.0 += 1;
                    known.1 += totals.value(row);
                }
                let known = own.iter().map(|number| of_settlement[*number as usize]);
                if name == "line_count" {
                    Arc::new(known.map(|k| Some(k.0)).collect::<Int64Array>())
                } else {
                    let sums: Decimal128Array = known.map(|k| Some(k.1)).collect();
                    Arc::new(sums.with_precision_and_scale(16, 2)?)
                }
            }
            _ => match batch.named(name) {
                Some(column) => spelled_out(column)?,
                None => of_encounter(name)?,
            },
        })
    }

    /// Trace codes of net paid lines: code and line, in order of code, time, encounter, serial number.
    fn traces(&self) -> Result<&Vec<(String, u32)>, ArrowError> {
        get_or_try(&self.traces, || {
            let lines = &self.claims.lines;
            let codes = text(lines, "drug_trac_codg")?;
            let amounts = self.column(View::Line, "inscp_amt")?;
            let amounts = as_decimal(&amounts)?;
            let (times, ids, serials) =
                (time(lines, "fee_ocur_time")?, texts(lines, "mdtrt_id")?, text(lines, "feedetl_sn")?);
            let mut found: Vec<(String, u32)> = Vec::new();
            for (line, list) in (0u32..).zip(codes.iter()) {
                let row = line as usize;
                if amounts.is_valid(row) && amounts.value(row) > 0 {
                    found.extend(codes::trace_codes(list.unwrap_or_default()).map(|code| (code.to_owned(), line)));
                }
            }
            let order = |(_, line): &(String, u32)| {
                let row = *line as usize;
                (times.value(row), ids.at(row), at(serials, row))
            };
            found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| order(a).cmp(&order(b))));
            found.dedup();
            Ok(found)
        })
    }

    fn trace_column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        let rows = self.traces()?;
        if name == "trace_code" {
            return Ok(Arc::new(rows.iter().map(|(code, _)| Some(code.as_str())).collect::<StringArray>()));
        }
        let lines: UInt32Array = rows.iter().map(|(_, line)| Some(*line)).collect();
        take(&self.column(View::Line, name)?, &lines, None)
    }

    fn settlement_column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        let batch = &self.claims.settlements;
        let rows = batch.num_rows();
        let times = time(batch, "setl_time")?;
        let encounters = text(batch, "mdtrt_id")?;
        let link =
            || encounters.iter().map(|id| id.and_then(|id| self.claims.encounter_of.last(id))).collect::<UInt32Array>();
        let of_encounter = |column: &str| -> Result<ArrayRef, ArrowError> {
            take(&self.column(View::Encounter, column)?, &link(), None)
        };
        Ok(match name {
            "day" => Arc::new(times.iter().map(|t| t.map(day_of)).collect::<Date32Array>()),
            "inscp_amt" => scope_amount(batch, "medfee_sumamt")?,
            "region" | "insutype" | "med_type" => {
                let own = text(batch, if name == "region" { "insu_admdvs" } else { name })?;
                let theirs = of_encounter(name)?;
                let theirs = as_text(&theirs)?;
                let otherwise = if name == "region" { self.setting.region.as_deref() } else { None };
                Arc::new(
                    (0..rows)
                        .map(|row| at(own, row).or_else(|| at(theirs, row)).or(otherwise))
                        .collect::<StringArray>(),
                )
            }
            "setting" => {
                let theirs = of_encounter("setting")?;
                let theirs = as_text(&theirs)?;
                let own = text(batch, "med_type")?;
                let setting = (0..rows)
                    .map(|row| at(theirs, row).or_else(|| self.care_setting(at(own, row), day_of(times.value(row)))));
                Arc::new(setting.collect::<StringArray>())
            }
            "psn_insu_date" | "paus_insu_date" => {
                let people = text(batch, "psn_no")?;
                let persons: UInt32Array =
                    people.iter().map(|p| p.and_then(|p| self.claims.person_of.last(p))).collect();
                take(&plain(&self.claims.persons, name)?, &persons, None)?
            }
            "special_case" => {
                let registered: std::collections::HashSet<&str> =
                    text(&self.claims.special_cases, "mdtrt_id")?.iter().flatten().collect();
                Arc::new(
                    encounters
                        .iter()
                        .map(|id| Some(id.is_some_and(|id| registered.contains(id))))
                        .collect::<BooleanArray>(),
                )
            }
            "hardship" => {
                let people = self.numbers(View::Settlement, "psn_no")?;
                Arc::new(self.hardship(people.iter().copied().zip(times.iter().map(|t| t.map(day_of))))?)
            }
            "begin_day" | "end_day" | "level" | "age" | "age_days" | "facility_region" | "facility_name"
            | "diagnoses" | "gend" | "brdy" => of_encounter(name)?,
            _ => match batch.column_by_name(name) {
                Some(column) => Arc::clone(column),
                None => of_encounter(name)?,
            },
        })
    }

    /// Whether each of these persons (by the number of `psn_no`) was of a hardship group on the day.
    fn hardship(&self, asked: impl Iterator<Item = (u32, Option<i32>)>) -> Result<BooleanArray, ArrowError> {
        let known = get_or_try(&self.identities, || {
            let batch = &self.claims.identities;
            let people = self.numbers_of(text(batch, "psn_no")?);
            let (kinds, begins, ends) =
                (text(batch, "psn_idet_type")?, time(batch, "begntime")?, time(batch, "endtime")?);
            let mut known: HashMap<u32, Vec<Identity<'a>>> = HashMap::new();
            for (row, person) in people.into_iter().enumerate().filter(|(_, person)| *person != 0) {
                if let Some(kind) = at(kinds, row) {
                    let until = if ends.is_valid(row) { day_of(ends.value(row)) } else { i32::MAX };
                    known.entry(person).or_default().push(Identity { kind, from: day_of(begins.value(row)), until });
                }
            }
            Ok(known)
        })?;
        let groups = self.setting.identity_groups.as_deref();
        let grouped = |kind: &str, on: i32| {
            groups.is_some_and(|g| !g.valid(&g.candidates(kind), on, Place::default(), false).is_empty())
        };
        let is = |(person, on): (u32, Option<i32>)| {
            let on = on?;
            let of_person = known.get(&person).map(Vec::as_slice).unwrap_or_default();
            Some(of_person.iter().any(|i| i.from <= on && on <= i.until && grouped(i.kind, on)))
        };
        Ok(asked.map(is).collect())
    }

    fn fill_column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        let fills = &self.fills()?.fills;
        Ok(match name {
            "day" => Arc::new(fills.iter().map(|f| Some(f.day)).collect::<Date32Array>()),
            "days" => {
                Arc::new(fills.iter().map(|f| f.days).collect::<Decimal128Array>().with_precision_and_scale(20, 8)?)
            }
            "inscp_amt" => Arc::new(
                fills.iter().map(|f| Some(f.fen)).collect::<Decimal128Array>().with_precision_and_scale(16, 2)?,
            ),
            _ => {
                let first: UInt32Array = fills.iter().map(|f| Some(f.first)).collect();
                self.gather(View::Line, name, &first)?
            }
        })
    }

    fn transfer_column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        let rows = self.transfers()?;
        Ok(match name {
            "psn_no" => Arc::new(rows.iter().map(|r| Some(r.0.as_str())).collect::<StringArray>()),
            "day" => Arc::new(rows.iter().map(|r| Some(r.1)).collect::<Date32Array>()),
            "from_facility" => Arc::new(rows.iter().map(|r| Some(r.2.as_str())).collect::<StringArray>()),
            _ => Arc::new(rows.iter().map(|r| Some(r.3.as_str())).collect::<StringArray>()),
        })
    }
}

/// A kind of person that a person is for a time, first and last day.
#[derive(Debug)]
struct Identity<'a> {
    kind: &'a str,
    from: i32,
    until: i32,
}

/// A diagnosis of an encounter.
#[derive(Debug)]
struct Diagnosed {
    encounter: u32,
    /// Where its code is in the encounter's list.
    from: usize,
    until: usize,
    main: bool,
}

/// A view as something with rows and columns.
pub struct ViewRows<'a> {
    views: Rc<Views<'a>>,
    view: View,
    rows: usize,
}

impl<'a> ViewRows<'a> {
    /// All rows of a view.
    ///
    /// # Errors
    /// A column that the view rests on was not read.
    pub fn new(views: &Rc<Views<'a>>, view: View) -> Result<ViewRows<'a>, ArrowError> {
        Ok(ViewRows { views: Rc::clone(views), view, rows: views.rows(view)? })
    }
}

impl Columns for ViewRows<'_> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        self.views.column(self.view, name)
    }

    fn gather(&self, name: &str, rows: &UInt32Array) -> Result<ArrayRef, ArrowError> {
        self.views.gather(self.view, name, rows)
    }

    fn part(&self, level: &Level, part: &Compiled, rows: Option<&UInt32Array>) -> Result<Option<ArrayRef>, ArrowError> {
        if !matches!(self.view, View::Line | View::PaidLine) {
            return Ok(None);
        }
        let key = (level.clone(), part.text.clone());
        let known = self.views.parts.borrow().get(&key).cloned();
        let shared = if let Some(shared) = known {
            shared
        } else {
            let made = match level {
                Level::Code(name) => self.views.part_of_codes(name, part)?,
                Level::Encounter => self.part_of_encounters(part)?,
            };
            self.views.parts.borrow_mut().insert(key, made.clone());
            made
        };
        let Some((values, places)) = shared else { return Ok(None) };
        let result = match rows {
            Some(rows) => take(&values, take(&places, rows, None)?.as_primitive::<UInt32Type>(), None)?,
            None => take(&values, &places, None)?,
        };
        Ok(Some(result))
    }
}

impl ViewRows<'_> {
    /// A part of an expression for each encounter, and the encounter of each line.
    fn part_of_encounters(&self, part: &Compiled) -> Result<Option<Shared>, ArrowError> {
        let Some(places) = self.views.lifted(part.schema.fields().iter().map(|f| f.name().as_str()))? else {
            return Ok(None);
        };
        let encounters = Frame::new(Rc::new(ViewRows::new(&self.views, View::Encounter)?));
        Ok(Some((encounters.evaluate(part)?, places.clone())))
    }
}

fn get_or_try<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, ArrowError>) -> Result<&T, ArrowError> {
    if let Some(found) = cell.get() {
        return Ok(found);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}

fn plain(batch: &impl Named, name: &str) -> Result<ArrayRef, ArrowError> {
    batch.named(name).cloned().ok_or_else(|| ArrowError::SchemaError(format!("the column `{name}` was not read")))
}

fn as_text(array: &ArrayRef) -> Result<&StringArray, ArrowError> {
    array.as_any().downcast_ref().ok_or_else(|| ArrowError::SchemaError("not a text column".to_owned()))
}

fn as_decimal(array: &ArrayRef) -> Result<&Decimal128Array, ArrowError> {
    array.as_any().downcast_ref().ok_or_else(|| ArrowError::SchemaError("not a decimal column".to_owned()))
}

fn as_day(array: &ArrayRef) -> Result<&Date32Array, ArrowError> {
    array.as_any().downcast_ref().ok_or_else(|| ArrowError::SchemaError("not a day column".to_owned()))
}

/// The generic or the ATC-4 class of each code.
fn part_of_code(items: &StringArray, name: &str) -> StringArray {
    items
        .iter()
        .map(|code| if name == "generic" { code.map(codes::generic) } else { code.and_then(codes::atc4) })
        .collect()
}

/// 1 or 2; anything else is unknown.
fn known_sex(gend: Option<&str>) -> Option<&str> {
    gend.filter(|g| matches!(*g, "1" | "2"))
}

/// What both say; the one that is known; nothing where they differ.
fn agreed<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(a), Some(b)) => (a == b).then_some(a),
        (a, b) => a.or(b),
    }
}

/// `inscp_amt`, or total − own pay − over limit − pre-selfpay where it is absent and all four are there.
fn scope_amount(batch: &impl Named, total: &str) -> Result<ArrayRef, ArrowError> {
    let given = decimal(batch, "inscp_amt")?;
    if given.null_count() == 0 {
        return plain(batch, "inscp_amt");
    }
    let parts = [
        decimal(batch, total)?,
        decimal(batch, "fulamt_ownpay_amt")?,
        decimal(batch, "overlmt_selfpay")?,
        decimal(batch, "preselfpay_amt")?,
    ];
    if parts.iter().any(|p| p.null_count() == p.len()) {
        return plain(batch, "inscp_amt");
    }
    let amounts = (0..given.len()).map(|row| {
        if given.is_valid(row) {
            return Some(given.value(row));
        }
        parts
            .iter()
            .all(|p| p.is_valid(row))
            .then(|| parts[0].value(row) - parts[1].value(row) - parts[2].value(row) - parts[3].value(row))
    });
    Ok(Arc::new(amounts.collect::<Decimal128Array>().with_precision_and_scale(16, 2)?))
}

/// Age in whole years or days; null where birth is unknown or impossible (before 0 or over 130 years).
fn ages(
    births: impl Iterator<Item = Option<i32>>,
    days: impl Iterator<Item = Option<i32>>,
    in_years: bool,
) -> ArrayRef {
    let age = |birth: i32, on: i32| {
        let years = calendar::age(birth, on);
        let possible = on >= birth && years <= 130;
        possible.then(|| i64::from(if in_years { years } else { on - birth }))
    };
    // Rows of one person and day are neighbours.
    let mut last = None;
    let of = |(birth, on): (Option<i32>, Option<i32>)| {
        let asked = (birth?, on?);
        match last {
            Some((known, found)) if known == asked => found,
            _ => {
                let found = age(asked.0, asked.1);
                last = Some((asked, found));
                found
            }
        }
    };
    Arc::new(births.zip(days).map(of).collect::<Int64Array>())
}

/// A column of nulls, for what a view cannot know.
#[must_use]
pub(super) fn nulls(data_type: &arrow::datatypes::DataType, rows: usize) -> ArrayRef {
    new_null_array(data_type, rows)
}
