//! Pending claims: what of them is told by which ids, and how they lie together with the past of their persons.
//!
//! Goes in: pending tables, past tables. Comes out: tables as a unit of a dataset would have them, every row once; what is at
//! issue; the claims that wait for a decision. A row of the past that is pending too is left out: a claim does not speak
//! against itself. What a pending person's row leaves open the past fills in; every other pending row stands as it is.
//! Deliberately unknown here: rules, decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, concat, filter_record_batch, is_not_null, take};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};
use rust_decimal::Decimal;

use super::history::Wanted;
use crate::engine::claims::day_of;
use crate::engine::{Claims, Hit, HitLine, Setting, Tables};
use crate::model::Table;

/// What is pending, by its ids.
#[derive(Debug, Default)]
pub(super) struct AtIssue {
    pub(super) persons: BTreeSet<String>,
    pub(super) settlements: HashSet<String>,
    pub(super) encounters: BTreeSet<String>,
    /// Serial numbers by encounter.
    lines: HashMap<String, HashSet<String>>,
    /// First day of service.
    pub(super) first_day: Option<i32>,
    /// Whether a pending line has one.
    pub(super) has_trace_codes: bool,
}

/// A claim that waits for a decision.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// Empty where nothing is settled yet.
    pub(super) setl_id: String,
    pub(super) mdtrt_id: String,
    pub(super) psn_no: String,
    pub(super) fixmedins_code: String,
    pub(super) region: Option<String>,
    pub(super) claimed: Decimal,
    pub(super) lines: Vec<ClaimLine>,
}

/// A net line of a claim whose `inscp_amt` is known and above 0.
#[derive(Debug, Clone)]
pub(super) struct ClaimLine {
    pub(super) mdtrt_id: String,
    pub(super) feedetl_sn: String,
    pub(super) inscp_amt: Decimal,
}

/// A text column, where the batch has it.
fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<Option<&'a StringArray>, ArrowError> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    column
        .as_string_opt::<i32>()
        .map(Some)
        .ok_or_else(|| ArrowError::SchemaError(format!("the column `{name}` is {}, wanted text", column.data_type())))
}

/// The texts of a column of a table; none where there is no such table or column.
fn each<'a>(tables: &'a Tables, table: Table, name: &str) -> Result<Vec<Option<&'a str>>, ArrowError> {
    let Some(batch) = tables.get(&table) else { return Ok(Vec::new()) };
    Ok(match texts(batch, name)? {
        Some(column) => column.iter().collect(),
        None => vec![None; batch.num_rows()],
    })
}

/// Texts without those that repeat the one before: rows of an encounter stand together.
fn changing(texts: Vec<Option<&str>>) -> impl Iterator<Item = &str> {
    let mut texts = texts;
    texts.dedup();
    texts.into_iter().flatten()
}

impl AtIssue {
    /// What is pending in some tables.
    pub(super) fn of(pending: &Tables) -> Result<AtIssue, ArrowError> {
        let mut at_issue = AtIssue::default();
        for table in [Table::Settlement, Table::Encounter, Table::FeeDetail, Table::Person] {
            at_issue.persons.extend(changing(each(pending, table, "psn_no")?).map(str::to_owned));
            if table != Table::Person {
                at_issue.encounters.extend(changing(each(pending, table, "mdtrt_id")?).map(str::to_owned));
            }
        }
        at_issue.settlements = changing(each(pending, Table::Settlement, "setl_id")?).map(str::to_owned).collect();
        at_issue.has_trace_codes = changing(each(pending, Table::FeeDetail, "drug_trac_codg")?).next().is_some();
        let serials = each(pending, Table::FeeDetail, "feedetl_sn")?;
        for (encounter, serial) in each(pending, Table::FeeDetail, "mdtrt_id")?.into_iter().zip(serials) {
            if let (Some(encounter), Some(serial)) = (encounter, serial) {
                at_issue.lines.entry_ref(encounter).or_default().insert(serial.to_owned());
            }
        }
        for (table, name) in [(Table::FeeDetail, "fee_ocur_time"), (Table::Encounter, "begntime")] {
            let times = pending.get(&table).and_then(|batch| batch.column_by_name(name));
            let times = times.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
            let first = times.and_then(|times| times.iter().flatten().min()).map(day_of);
            at_issue.first_day = at_issue.first_day.into_iter().chain(first).min();
        }
        Ok(at_issue)
    }

    /// Adds what else is pending.
    pub(super) fn and(&mut self, other: AtIssue) {
        self.persons.extend(other.persons);
        self.settlements.extend(other.settlements);
        self.encounters.extend(other.encounters);
        for (encounter, serials) in other.lines {
            self.lines.entry(encounter).or_default().extend(serials);
        }
        self.first_day = self.first_day.into_iter().chain(other.first_day).min();
        self.has_trace_codes |= other.has_trace_codes;
    }

    fn has_line(&self, encounter: &str, serial: &str) -> bool {
        self.lines.get(encounter).is_some_and(|serials| serials.contains(serial))
    }

    /// A line that is pending, or is settled by a pending settlement, or waits unsettled in a pending encounter.
    fn has(&self, line: &HitLine) -> bool {
        self.has_line(&line.mdtrt_id, &line.feedetl_sn)
            || match &line.setl_id {
                Some(settlement) => self.settlements.contains(settlement),
                None => self.encounters.contains(&line.mdtrt_id),
            }
    }

    /// Whether a hit is about something pending: a violating line, or where it has none, what it speaks of.
    pub(super) fn concerns(&self, hit: &Hit) -> bool {
        if !hit.violating.is_empty() {
            return hit.violating.iter().any(|line| self.has(line));
        }
        if let Some(settlement) = &hit.setl_id {
            return self.settlements.contains(settlement);
        }
        if hit.mdtrt_id.as_ref().is_some_and(|encounter| self.encounters.contains(encounter)) {
            return true;
        }
        ids_of(&hit.key).iter().any(|id| self.encounters.contains(id) || self.settlements.contains(id))
    }
}

/// The encounters and settlements that a key names.
pub(super) fn ids_of(key: &str) -> Vec<String> {
    let named: BTreeMap<String, String> = serde_json::from_str(key).unwrap_or_default();
    let is_id = |name: &str| name.starts_with("mdtrt_id") || name.starts_with("setl_id");
    named.into_iter().filter(|(name, _)| is_id(name)).map(|(_, id)| id).collect()
}

/// The columns that are wanted, in the types of their tables.
pub(super) type Forms = BTreeMap<Table, SchemaRef>;

/// The forms of some columns.
pub(super) fn forms_of(wanted: &Wanted) -> Forms {
    let field = |table: Table, name: &&'static str| {
        let kind = table.position(name).map_or(DataType::Utf8, |at| table.columns()[at].kind.data_type());
        Field::new(*name, kind, true)
    };
    let form = |table: Table, columns: &[&'static str]| {
        Arc::new(Schema::new(columns.iter().map(|name| field(table, name)).collect::<Vec<_>>()))
    };
    wanted.iter().map(|(table, columns)| (*table, form(*table, columns))).collect()
}

/// Pending and past rows in these forms.
pub(super) fn joined(pending: &Tables, past: &Tables, at_issue: &AtIssue, forms: &Forms) -> Result<Tables, ArrowError> {
    let mut tables = Tables::new();
    for (table, form) in forms {
        let own = pending.get(table).filter(|batch| batch.num_rows() > 0);
        let others = match past.get(table).filter(|batch| batch.num_rows() > 0) {
            Some(batch) => others(*table, own, batch, at_issue)?,
            None => None,
        };
        let batch = match (own, &others) {
            (None, None) => RecordBatch::new_empty(Arc::clone(form)),
            (Some(batch), None) | (None, Some(batch)) if batch.schema_ref() == form => batch.clone(),
            (Some(batch), None) | (None, Some(batch)) => {
                with_columns(form, batch.num_rows(), |name, kind| column(batch, name, kind))?
            }
            (Some(own), Some(others)) if *table == Table::Person => filled(own, others, form)?,
            // The past first: what is pending comes after it as a rule, and rows that are in order need not be sorted.
            (Some(own), Some(others)) => with_columns(form, own.num_rows() + others.num_rows(), |name, kind| {
                concat(&[&column(others, name, kind)?, &column(own, name, kind)?])
            })?,
        };
        tables.insert(*table, batch);
    }
    Ok(tables)
}

fn with_columns(
    form: &SchemaRef,
    rows: usize,
    make: impl Fn(&str, &DataType) -> Result<ArrayRef, ArrowError>,
) -> Result<RecordBatch, ArrowError> {
    let arrays = form.fields().iter().map(|field| make(field.name(), field.data_type())).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(form), arrays, &options)
}

/// A column in the type of its table; null where it is not there.
pub(super) fn column(batch: &RecordBatch, name: &str, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    match batch.column_by_name(name) {
        None => Ok(new_null_array(kind, batch.num_rows())),
        Some(column) if column.data_type() == kind => Ok(Arc::clone(column)),
        Some(column) => cast(column, kind),
    }
}

/// The rows of the past that are not pending too; nothing where none is left.
fn others(
    table: Table,
    own: Option<&RecordBatch>,
    past: &RecordBatch,
    at_issue: &AtIssue,
) -> Result<Option<RecordBatch>, ArrowError> {
    let column = |name: &str| -> Result<Option<ArrayRef>, ArrowError> {
        past.column_by_name(name).map(|column| cast(column, &DataType::Utf8)).transpose()
    };
    let stays =
        |names: [&str; 3], is_pending: &dyn Fn([Option<&str>; 3]) -> bool| -> Result<BooleanArray, ArrowError> {
            let columns = [column(names[0])?, column(names[1])?, column(names[2])?];
            Ok((0..past.num_rows())
                .map(|row| Some(!is_pending(columns.each_ref().map(|column| at(column.as_ref(), row)))))
                .collect())
        };
    let keep = match (table, own) {
        (Table::Settlement, _) => {
            stays(["setl_id", "", ""], &|[id, ..]| id.is_some_and(|id| at_issue.settlements.contains(id)))?
        }
        (Table::FeeDetail, _) => stays(["mdtrt_id", "feedetl_sn", "setl_id"], &|[encounter, serial, settlement]| {
            settlement.is_some_and(|id| at_issue.settlements.contains(id))
                || encounter.zip(serial).is_some_and(|(encounter, serial)| at_issue.has_line(encounter, serial))
        })?,
        // Of an encounter the pending rows of a table are the whole.
        (Table::Encounter | Table::Diagnosis | Table::Operation | Table::Presence | Table::SpecialCase, Some(own)) => {
            let known: HashSet<&str> = texts(own, "mdtrt_id")?.into_iter().flatten().flatten().collect();
            stays(["mdtrt_id", "", ""], &|[id, ..]| id.is_some_and(|id| known.contains(id)))?
        }
        _ => return Ok(Some(past.clone())),
    };
    if keep.true_count() == keep.len() {
        return Ok(Some(past.clone()));
    }
    Ok((keep.true_count() > 0).then_some(filter_record_batch(past, &keep)?))
}

fn at(column: Option<&ArrayRef>, row: usize) -> Option<&str> {
    let column = column?.as_string::<i32>();
    column.is_valid(row).then(|| column.value(row))
}

/// Persons once: what a pending row leaves open is as the past knows it.
fn filled(own: &RecordBatch, past: &RecordBatch, form: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let known = cast(&column(past, "psn_no", &DataType::Utf8)?, &DataType::Utf8)?;
    let known = known.as_string::<i32>();
    let mut rows: HashMap<&str, u32> = HashMap::new();
    for (row, person) in (0u32..).zip(known) {
        if let Some(person) = person {
            rows.entry(person).or_insert(row);
        }
    }
    let pending: HashSet<&str> = texts(own, "psn_no")?.into_iter().flatten().flatten().collect();
    let of_own: UInt32Array = match texts(own, "psn_no")? {
        Some(persons) => persons.iter().map(|person| rows.get(person?).copied()).collect(),
        None => UInt32Array::new_null(own.num_rows()),
    };
    let rest: UInt32Array =
        (0u32..).zip(known).filter(|(_, p)| p.is_none_or(|p| !pending.contains(p))).map(|(row, _)| row).collect();
    with_columns(form, own.num_rows() + rest.len(), |name, kind| {
        let (mine, theirs) = (column(own, name, kind)?, column(past, name, kind)?);
        let mine = if mine.null_count() == 0 {
            mine
        } else {
            zip(&is_not_null(&mine)?, &mine, &take(&theirs, &of_own, None)?)?
        };
        if rest.is_empty() { Ok(mine) } else { concat(&[&mine, &take(&theirs, &rest, None)?]) }
    })
}

/// The claims that wait: settlements, and encounters of which nothing is settled.
pub(super) fn claims(
    pending: &Tables,
    net: &Claims,
    at_issue: &AtIssue,
    setting: &Setting,
) -> Result<Vec<Claim>, ArrowError> {
    let mut waiting = Waiting::default();
    let regions = Regions::of(pending, net, setting)?;
    let of_settlement = ["setl_id", "mdtrt_id", "psn_no", "fixmedins_code", "insu_admdvs"];
    for row in rows_of(pending, Table::Settlement, of_settlement)? {
        waiting.add(row, &regions);
    }
    for table in [Table::Encounter, Table::FeeDetail] {
        for [encounter, person, facility] in rows_of(pending, table, ["mdtrt_id", "psn_no", "fixmedins_code"])? {
            if encounter.is_some_and(|encounter| !waiting.by_encounter.contains_key(encounter)) {
                waiting.add([None, encounter, person, facility, None], &regions);
            }
        }
    }
    let column = |name: &str| {
        let column = net.lines.column(name);
        column.ok_or_else(|| ArrowError::SchemaError(format!("the column `{name}` was not read")))
    };
    let text = |name: &str| column(name).map(AsArray::as_string::<i32>);
    let (encounters, serials, settlements) = (text("mdtrt_id")?, text("feedetl_sn")?, text("setl_id")?);
    let amounts = column("inscp_amt")?.as_primitive::<Decimal128Type>();
    for row in 0..net.lines.num_rows() {
        let (encounter, serial) = (encounters.value(row), serials.value(row));
        if !at_issue.has_line(encounter, serial) || amounts.is_null(row) || amounts.value(row) <= 0 {
            continue;
        }
        let settlement = settlements.is_valid(row).then(|| settlements.value(row));
        if let Some(claim) = waiting.of_line(settlement, encounter) {
            let amount = Decimal::from_i128_with_scale(amounts.value(row), 2);
            claim.claimed += amount;
            claim.lines.push(ClaimLine {
                mdtrt_id: encounter.to_owned(),
                feedetl_sn: serial.to_owned(),
                inscp_amt: amount,
            });
        }
    }
    Ok(waiting.claims)
}

/// Some text columns of a table, row by row.
fn rows_of<'a, const N: usize>(
    tables: &'a Tables,
    table: Table,
    names: [&str; N],
) -> Result<Vec<[Option<&'a str>; N]>, ArrowError> {
    let rows = tables.get(&table).map_or(0, RecordBatch::num_rows);
    let mut found = vec![[None; N]; rows];
    for (at, name) in names.iter().enumerate() {
        for (row, text) in found.iter_mut().zip(each(tables, table, name)?) {
            row[at] = text;
        }
    }
    Ok(found)
}

/// Claims as they are found.
#[derive(Default)]
struct Waiting {
    claims: Vec<Claim>,
    by_settlement: HashMap<String, usize>,
    by_encounter: HashMap<String, usize>,
}

impl Waiting {
    fn add(&mut self, row: [Option<&str>; 5], regions: &Regions<'_>) {
        let [settlement, encounter, person, facility, region] = row;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        if settlement.is_some_and(|id| self.by_settlement.contains_key(id)) {
            return;
        }
        let number = self.claims.len();
        if let Some(id) = settlement {
            self.by_settlement.insert(id.to_owned(), number);
        }
        if let Some(id) = encounter {
            self.by_encounter.entry_ref(id).or_insert(number);
        }
        self.claims.push(Claim {
            setl_id: text(settlement),
            mdtrt_id: text(encounter),
            psn_no: text(person),
            fixmedins_code: text(facility),
            region: region.or_else(|| regions.at(encounter, person, facility)).map(str::to_owned),
            claimed: Decimal::new(0, 2),
            lines: Vec::new(),
        });
    }

    fn of_line(&mut self, settlement: Option<&str>, encounter: &str) -> Option<&mut Claim> {
        let by_settlement = settlement.and_then(|id| self.by_settlement.get(id));
        let number = by_settlement.or_else(|| self.by_encounter.get(encounter))?;
        self.claims.get_mut(*number)
    }
}

/// Where a claim is insured, when its settlement does not say: encounter, person, facility, the place of the review.
struct Regions<'a> {
    of_encounter: HashMap<&'a str, &'a str>,
    of_person: HashMap<&'a str, &'a str>,
    setting: &'a Setting,
}

impl<'a> Regions<'a> {
    fn of(pending: &'a Tables, net: &'a Claims, setting: &'a Setting) -> Result<Regions<'a>, ArrowError> {
        let encounters = rows_of(pending, Table::Encounter, ["mdtrt_id", "insu_admdvs"])?;
        let persons = texts(&net.persons, "psn_no")?.zip(texts(&net.persons, "insu_admdvs")?);
        let persons = persons.into_iter().flat_map(|(persons, regions)| persons.iter().zip(regions));
        Ok(Regions {
            of_encounter: encounters.into_iter().filter_map(|[id, region]| id.zip(region)).collect(),
            of_person: persons.filter_map(|(person, region)| person.zip(region)).collect(),
            setting,
        })
    }

    fn at(&self, encounter: Option<&str>, person: Option<&str>, facility: Option<&str>) -> Option<&str> {
        let named = |of: &HashMap<&'a str, &'a str>, id: Option<&str>| id.and_then(|id| of.get(id)).copied();
        named(&self.of_encounter, encounter)
            .or_else(|| named(&self.of_person, person))
            .or_else(|| facility.and_then(|code| self.setting.facilities.get(code)?.region.as_deref()))
            .or(self.setting.region.as_deref())
    }
}
