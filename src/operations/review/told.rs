//! What a message tells of the past, where the bureau knows it too: each visit and each line once.
//!
//! Goes in: the rows that a hospital tells (earlier visits, orders that are not of this request), the rows that the bureau has of
//! the same persons. Comes out: what of the told rows the bureau does not have, under the bureau's ids. Deliberately unknown
//! here: what is pending; a pending row is never looked at, so none is lost.
//!
//! A hospital numbers its orders itself (`rx_id`), and the bureau knows them by the serial numbers under which they were
//! uploaded, so an id that the bureau does not have says nothing. How it is read:
//! - **The encounter** is known when the bureau has rows of its `mdtrt_id`; or an encounter of the same person at the same
//!   institution with the same `ipt_otp_no`, which began on the same day (some hospitals give a patient the same number each
//!   time; of several the one that began at the same time, otherwise none). What is told of an encounter that is not known counts.
//! - **Of a known encounter what the bureau has stands**: its encounter, settlement, diagnoses and so on, table by table. Where
//!   the bureau has no row of a table, the told ones count. What was paid is what was uploaded, and a finding that rests on it
//!   is the one that an audit makes.
//! - **A line** of a known encounter is the bureau's when it has the same serial number there; when all that is told of the item on
//!   that day is as much, in quantity and in money, as all that the bureau has of it (a line may be cut in two, or netted with its
//!   reversal); or when the bureau has one with the same item, day, quantity and amount, each of the bureau's lines for one told
//!   line (but for lines that the bureau has as reversed, where the hospital tells no reversal: it tells what came after). The day and not the time: an order is written when it is written, a charge is uploaded with another minute. Every
//!   other line counts: uploads run late, and what was ordered this morning is what a limit a day is about.
//!
//! Not seen: a visit that the hospital tells under numbers of its own and without the bureau's `ipt_otp_no`; a line with another
//! day or amount than was uploaded. Those count twice, once as told and once as known.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Decimal128Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};

use super::history::Wanted;
use super::pending::column;
use crate::engine::Tables;
use crate::engine::claims::day_of;
use crate::model::Table;

/// Columns by which encounters and lines are recognised.
const READ: [(Table, &[&str]); 2] = [
    (Table::Encounter, &["mdtrt_id", "psn_no", "fixmedins_code", "ipt_otp_no", "begntime"]),
    (Table::FeeDetail, &["mdtrt_id", "feedetl_sn", "hilist_code", "fee_ocur_time", "cnt", "det_item_fee_sumamt"]),
];

/// What is wanted of the bureau's rows, and what it takes to recognise them.
pub(super) fn with_what_tells(wanted: &Wanted) -> Wanted {
    let mut wanted = wanted.clone();
    for (table, names) in READ {
        let columns = wanted.entry(table).or_default();
        columns.extend(names.iter().filter(|name| !columns.contains(name)).copied().collect::<Vec<_>>());
    }
    wanted
}

/// The told rows that the bureau does not have, under its ids.
pub(super) fn besides(told: &Tables, known: &Tables) -> Result<Tables, ArrowError> {
    let has = Has::of(known)?;
    let under = under(told, known, &has)?;
    let mut rest = Tables::new();
    for (table, batch) in told {
        let batch = match table {
            Table::FeeDetail => lines(batch, known.get(table), &under)?,
            _ => rows(*table, batch, &has, &under)?,
        };
        rest.insert(*table, batch);
    }
    Ok(rest)
}

/// Encounters of which the bureau has rows, by table, and its settlements.
struct Has {
    encounters: BTreeMap<Table, HashSet<String>>,
    settlements: HashSet<String>,
}

impl Has {
    fn of(known: &Tables) -> Result<Has, ArrowError> {
        let named = |batch: &RecordBatch, name: &str| -> Result<HashSet<String>, ArrowError> {
            Ok(texts(batch, name)?.iter().flatten().map(str::to_owned).collect())
        };
        let mut encounters = BTreeMap::new();
        for (table, batch) in known {
            encounters.insert(*table, named(batch, "mdtrt_id")?);
        }
        let settlements = known.get(&Table::Settlement).map(|batch| named(batch, "setl_id")).transpose()?;
        Ok(Has { encounters, settlements: settlements.unwrap_or_default() })
    }

    fn encounter(&self, id: &str) -> bool {
        self.encounters.values().any(|ids| ids.contains(id))
    }
}

/// A column as texts; nulls where it is not there.
fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray, ArrowError> {
    Ok(column(batch, name, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// A column in the type that its table gives it.
fn typed(table: Table, batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    let kind = table.position(name).map_or(DataType::Utf8, |at| table.columns()[at].kind.data_type());
    column(batch, name, &kind)
}

fn at(texts: &StringArray, row: usize) -> Option<&str> {
    texts.is_valid(row).then(|| texts.value(row))
}

/// The ids of the told encounters that the bureau knows, and its ids of them.
type Under = HashMap<String, String>;

fn under(told: &Tables, known: &Tables, has: &Has) -> Result<Under, ArrowError> {
    let mut under = Under::new();
    for batch in told.values() {
        for id in texts(batch, "mdtrt_id")?.iter().flatten().filter(|id| has.encounter(id)) {
            under.entry_ref(id).or_insert_with(|| id.to_owned());
        }
    }
    let mut numbered: HashMap<Numbered, Vec<(i64, String)>> = HashMap::new();
    for (visit, time, id) in visits(known)? {
        numbered.entry(visit).or_default().push((time, id));
    }
    for (visit, time, id) in visits(told)? {
        let same = match numbered.get(&visit).map_or(&[][..], Vec::as_slice) {
            [(_, only)] => Some(only),
            several => {
                let mut at_that_time = several.iter().filter(|(begin, _)| *begin == time);
                at_that_time.next().filter(|_| at_that_time.next().is_none()).map(|(_, id)| id)
            }
        };
        if let Some(same) = same {
            under.entry(id).or_insert_with(|| same.clone());
        }
    }
    Ok(under)
}

/// Person, institution, the institution's number, the day on which it began.
type Numbered = (String, String, String, i32);

/// The encounters that have a number, when they began, their ids.
fn visits(tables: &Tables) -> Result<Vec<(Numbered, i64, String)>, ArrowError> {
    let Some(batch) = tables.get(&Table::Encounter) else { return Ok(Vec::new()) };
    let text = |name: &str| texts(batch, name);
    let (ids, persons, places) = (text("mdtrt_id")?, text("psn_no")?, text("fixmedins_code")?);
    let numbers = text("ipt_otp_no")?;
    let begins = typed(Table::Encounter, batch, "begntime")?;
    let begins = begins.as_primitive::<TimestampMicrosecondType>();
    let visit = |row: usize| {
        let text = |texts: &StringArray| at(texts, row).map(str::to_owned);
        let begin = begins.is_valid(row).then(|| begins.value(row))?;
        Some(((text(&persons)?, text(&places)?, text(&numbers)?, day_of(begin)), begin, text(&ids)?))
    };
    Ok((0..batch.num_rows()).filter_map(visit).collect())
}

/// Rows of a table that is not of lines: those of encounters of which the bureau has none there.
fn rows(table: Table, told: &RecordBatch, has: &Has, under: &Under) -> Result<RecordBatch, ArrowError> {
    let ids = texts(told, "mdtrt_id")?;
    let settlements = texts(told, "setl_id")?;
    let of_table = has.encounters.get(&table);
    let is_known = |row: usize| {
        let settled =
            table == Table::Settlement && at(&settlements, row).is_some_and(|id| has.settlements.contains(id));
        let same = at(&ids, row).and_then(|id| under.get(id));
        settled || same.is_some_and(|id| of_table.is_some_and(|ids| ids.contains(id)))
    };
    let keep: BooleanArray = (0..told.num_rows()).map(|row| Some(!is_known(row))).collect();
    let renamed: StringArray = ids.iter().map(|id| id.map(|id| under.get(id).map_or(id, String::as_str))).collect();
    filter_record_batch(&with(told, [("mdtrt_id", renamed)])?, &keep)
}

/// A batch with other texts in some of its columns.
fn with<const N: usize>(batch: &RecordBatch, columns: [(&str, StringArray); N]) -> Result<RecordBatch, ArrowError> {
    let mut arrays = batch.columns().to_vec();
    for (name, texts) in columns {
        if let Ok(position) = batch.schema_ref().index_of(name) {
            arrays[position] = Arc::new(texts);
        }
    }
    RecordBatch::try_new(batch.schema(), arrays)
}

/// A fee line as it is recognised.
struct Line {
    encounter: String,
    serial: Option<String>,
    of: Charge,
    much: Much,
}

/// Item, day.
type Charge = (Option<String>, Option<i32>);

/// Quantity, amount, in the smallest units.
type Much = (Option<i128>, Option<i128>);

impl Line {
    fn is_reversal(&self) -> bool {
        self.much.0.is_some_and(|quantity| quantity < 0) || self.much.1.is_some_and(|amount| amount < 0)
    }

    /// What it takes back.
    fn reversed(&self) -> Much {
        (self.much.0.map(i128::abs), self.much.1.map(i128::abs))
    }
}

/// The lines of a batch; nothing for those of encounters that `known` does not give an id.
fn read(batch: &RecordBatch, known: impl Fn(&str) -> Option<String>) -> Result<Vec<Option<Line>>, ArrowError> {
    let (ids, serials, items) = (texts(batch, "mdtrt_id")?, texts(batch, "feedetl_sn")?, texts(batch, "hilist_code")?);
    let typed = |name: &str| typed(Table::FeeDetail, batch, name);
    let (times, quantities, amounts) = (typed("fee_ocur_time")?, typed("cnt")?, typed("det_item_fee_sumamt")?);
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let number = |array: &ArrayRef, row: usize| {
        let array = array.as_primitive::<Decimal128Type>();
        array.is_valid(row).then(|| array.value(row))
    };
    let line = |row: usize| {
        Some(Line {
            encounter: known(at(&ids, row)?)?,
            serial: at(&serials, row).map(str::to_owned),
            of: (at(&items, row).map(str::to_owned), times.is_valid(row).then(|| day_of(times.value(row)))),
            much: (number(&quantities, row), number(&amounts, row)),
        })
    };
    Ok((0..batch.num_rows()).map(line).collect())
}

/// Fee lines that the bureau does not have. A reversal keeps on naming the line that it reverses, whichever of the two knows it.
fn lines(told: &RecordBatch, known: Option<&RecordBatch>, under: &Under) -> Result<RecordBatch, ArrowError> {
    let mine = read(told, |id| under.get(id).cloned())?;
    let asked: HashSet<&String> = under.values().collect();
    let theirs = match known {
        Some(known) => read(known, |id| asked.contains(&id.to_owned()).then(|| id.to_owned()))?,
        None => Vec::new(),
    };
    let theirs: Vec<Line> = theirs.into_iter().flatten().collect();
    let own_ids = texts(told, "mdtrt_id")?;
    let same = recognised(&mine, &theirs, |row, line| at(&own_ids, row) == Some(&line.encounter));

    let serials = texts(told, "feedetl_sn")?;
    let reverses = texts(told, "init_feedetl_sn")?;
    let mut called: HashMap<(&str, &str), String> = HashMap::new();
    for (row, line) in mine.iter().enumerate() {
        let (Some(line), Some(id), Some(serial)) = (line, at(&own_ids, row), at(&serials, row)) else { continue };
        let name = match same[row] {
            Same::Line(other) => theirs[other].serial.clone().unwrap_or_default(),
            // In the bureau's encounter the hospital's serial number may be another line's.
            _ if line.encounter != id => format!("{id}/{serial}"),
            _ => serial.to_owned(),
        };
        called.insert((id, serial), name);
    }
    let name = |row: usize, serial: Option<&str>| {
        let named = at(&own_ids, row).zip(serial).and_then(|key| called.get(&key).map(String::as_str));
        named.or(serial).map(str::to_owned)
    };
    let rows = 0..told.num_rows();
    let ids: StringArray = rows
        .clone()
        .map(|row| mine[row].as_ref().map(|line| line.encounter.as_str()).or_else(|| at(&own_ids, row)))
        .collect();
    let new_serials: StringArray = rows.clone().map(|row| name(row, at(&serials, row))).collect();
    let new_reverses: StringArray = rows.clone().map(|row| name(row, at(&reverses, row))).collect();
    let keep: BooleanArray = rows.map(|row| Some(matches!(same[row], Same::None))).collect();
    let renamed = with(told, [("mdtrt_id", ids), ("feedetl_sn", new_serials), ("init_feedetl_sn", new_reverses)])?;
    filter_record_batch(&renamed, &keep)
}

/// Whether the bureau has a told line.
#[derive(Clone, Copy)]
enum Same {
    None,
    /// As this line.
    Line(usize),
    /// Among others of its item and day.
    Among,
}

/// Lines of one encounter, item and day: numbers of told ones, numbers of the bureau's.
type Together = (Vec<usize>, Vec<usize>);

fn recognised(mine: &[Option<Line>], theirs: &[Line], by_serial: impl Fn(usize, &Line) -> bool) -> Vec<Same> {
    let mut same = vec![Same::None; mine.len()];
    let mut taken = vec![false; theirs.len()];
    let serials: HashMap<(&str, &str), usize> = theirs
        .iter()
        .enumerate()
        .filter_map(|(number, line)| Some(((line.encounter.as_str(), line.serial.as_deref()?), number)))
        .collect();
    for (row, line) in mine.iter().enumerate() {
        let Some(line) = line.as_ref().filter(|line| by_serial(row, line)) else { continue };
        let key = line.serial.as_deref().map(|serial| (line.encounter.as_str(), serial));
        if let Some(number) = key.and_then(|key| serials.get(&key)) {
            same[row] = Same::Line(*number);
            taken[*number] = true;
        }
    }
    let mut together: HashMap<(&str, &Charge), Together> = HashMap::new();
    for (row, line) in mine.iter().enumerate() {
        if let (Some(line), Same::None) = (line, same[row]) {
            together.entry((&line.encounter, &line.of)).or_default().0.push(row);
        }
    }
    for (number, line) in theirs.iter().enumerate().filter(|(number, _)| !taken[*number]) {
        if let Some(group) = together.get_mut(&(line.encounter.as_str(), &line.of)) {
            group.1.push(number);
        }
    }
    for (told, known) in together.into_values().filter(|(_, known)| !known.is_empty()) {
        let mut left: HashMap<Much, Vec<usize>> = HashMap::new();
        for &number in known.iter().rev() {
            left.entry(theirs[number].much).or_default().push(number);
        }
        if !told.iter().filter_map(|&row| mine[row].as_ref()).any(Line::is_reversal) {
            // Who tells no reversal does not tell the line that was reversed.
            for line in known.iter().map(|&number| &theirs[number]).filter(|line| line.is_reversal()) {
                left.get_mut(&line.reversed()).and_then(Vec::pop);
            }
        }
        for &row in &told {
            let much = mine[row].as_ref().map(|line| line.much);
            if let Some(number) = much.and_then(|much| left.get_mut(&much)?.pop()) {
                same[row] = Same::Line(number);
            }
        }
        let all_told = sum(told.iter().filter_map(|&row| mine[row].as_ref()));
        if all_told.is_some() && all_told == sum(known.iter().map(|&number| &theirs[number])) {
            for &row in &told {
                if matches!(same[row], Same::None) {
                    same[row] = Same::Among;
                }
            }
        }
    }
    same
}

/// Quantity and amount of some lines, where all are known.
fn sum<'l>(lines: impl Iterator<Item = &'l Line>) -> Option<(i128, i128)> {
    let mut sum = (0, 0);
    for line in lines {
        sum = (sum.0 + line.much.0?, sum.1 + line.much.1?);
    }
    Some(sum)
}
