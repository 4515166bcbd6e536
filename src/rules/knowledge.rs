//! Knowledge: dated tables of codes, matched by the longest prefix.
//!
//! Goes in: `audit_rules/knowledge/<table>.csv` (`code,from,until,…,source`). Comes out: for a code and a day, the rows
//! that hold: of the rows valid on the day the longest prefix wins, for each `point`, `code_b`, `dise_no` or `group`
//! where the table has one. A table may also speak by `region` and `level`; then the nearest region wins among equals.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::model::codes::region_fit;
use crate::model::day;

/// Columns of knowledge that hold numbers; all others hold text.
pub const NUMBERS: &[&str] = &[
    "max_age",
    "min_age",
    "min_level",
    "first_prescription_only",
    "max_days",
    "max",
    "days",
    "list_price",
    "max_price",
    "hourly",
    "price",
];

/// Columns that make one code speak of several things at once.
const DIMENSIONS: &[&str] = &["point", "code_b", "dise_no", "group"];

/// What `window` of a pair may say, and the one table that may say hours: a rule that meets another word would pair whatever
/// a person was ever charged.
const WINDOWS: [&str; 2] = ["day", "visit"];
const HOURS: [&str; 2] = ["hour", "6hours"];
const WITH_HOURS: &str = "duplicate_pair";

/// A cell of a knowledge row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Empty,
    Text(String),
    Number(Decimal),
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    pub code: String,
    pub from: Option<i32>,
    pub until: Option<i32>,
    /// In the order of [`Knowledge::columns`].
    pub cells: Vec<Cell>,
}

/// A knowledge table.
#[derive(Debug, Clone)]
pub struct Knowledge {
    pub name: String,
    /// Value columns, `source` the last; without `code`, `from`, `until`.
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    by_code: HashMap<String, Vec<usize>>,
    longest: usize,
    dimension: Option<usize>,
    region: Option<usize>,
    level: Option<usize>,
}

/// Where a row of a matching dimension is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    pub region: Option<&'a str>,
    pub level: Option<i64>,
}

impl Knowledge {
    /// Reads a table from CSV text.
    ///
    /// # Errors
    /// Every line that cannot be read, with its 1-based number and what is wrong.
    pub fn read(name: &str, text: &str) -> Result<Knowledge, Vec<(usize, String)>> {
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let mut mistakes = Vec::new();
        let header: Vec<String> = match reader.headers() {
            Ok(header) => header.iter().map(|h| h.trim().to_owned()).collect(),
            Err(error) => return Err(vec![(1, error.to_string())]),
        };
        if header.first().map(String::as_str) != Some("code")
            || header.get(1).map(String::as_str) != Some("from")
            || header.get(2).map(String::as_str) != Some("until")
            || header.last().map(String::as_str) != Some("source")
        {
            return Err(vec![(
                1,
                format!("the header begins `code,from,until` and ends `source`; found `{}`", header.join(",")),
            )]);
        }
        let columns: Vec<String> = header[3..].to_vec();
        let mut rows = Vec::new();
        for (number, record) in reader.records().enumerate() {
            let line = number + 2;
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    mistakes.push((line, error.to_string()));
                    continue;
                }
            };
            if record.len() != header.len() {
                mistakes.push((line, format!("found {} cells, wanted {}", record.len(), header.len())));
                continue;
            }
            let mut a_day = |at: usize, what: &str| {
                let cell = record[at].trim();
                if cell.is_empty() {
                    return None;
                }
                let found = day::parse(cell);
                if found.is_none() {
                    mistakes.push((line, format!("`{what}` is `{cell}`, wanted YYYY-MM-DD")));
                }
                found
            };
            let (from, until) = (a_day(1, "from"), a_day(2, "until"));
            if from.zip(until).is_some_and(|(from, until)| from > until) {
                mistakes.push((line, "`from` is after `until`".to_owned()));
            }
            if record[0].trim().is_empty() {
                mistakes.push((line, "`code` is empty".to_owned()));
            }
            let mut cells = Vec::with_capacity(columns.len());
            for (column, cell) in columns.iter().zip(record.iter().skip(3)) {
                let cell = cell.trim();
                cells.push(if cell.is_empty() {
                    if column == "source" {
                        mistakes.push((line, "`source` is empty: every row says where it comes from".to_owned()));
                    }
                    if column == "window" {
                        mistakes.push((line, "`window` is empty: in which time do both items count?".to_owned()));
                    }
                    Cell::Empty
                } else if NUMBERS.contains(&column.as_str()) {
                    if let Ok(number) = cell.parse() {
                        Cell::Number(number)
                    } else {
                        mistakes.push((line, format!("`{column}` is `{cell}`, wanted a number")));
                        Cell::Empty
                    }
                } else {
                    if column == "window" && !WINDOWS.contains(&cell) && !(name == WITH_HOURS && HOURS.contains(&cell))
                    {
                        let more = if name == WITH_HOURS { ", hour, 6hours" } else { "" };
                        mistakes.push((line, format!("`window` is `{cell}`, wanted one of day, visit{more}")));
                    }
                    Cell::Text(cell.to_owned())
                });
            }
            rows.push(Row { code: record[0].trim().to_owned(), from, until, cells });
        }
        if mistakes.is_empty() { Ok(Knowledge::new(name, columns, rows)) } else { Err(mistakes) }
    }

    fn new(name: &str, columns: Vec<String>, rows: Vec<Row>) -> Knowledge {
        let at = |wanted: &str| columns.iter().position(|c| c == wanted);
        let dimension = DIMENSIONS.iter().find_map(|d| at(d));
        let (region, level) = (at("region"), at("level"));
        let mut by_code: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, row) in rows.iter().enumerate() {
            by_code.entry(row.code.clone()).or_default().push(number);
        }
        let longest = rows.iter().map(|r| r.code.len()).max().unwrap_or(0);
        Knowledge { name: name.to_owned(), columns, rows, by_code, longest, dimension, region, level }
    }

    /// The same table looked up by another column, each part of a `|`-joined list a prefix; every row competes for itself.
    #[must_use]
    pub fn turned(&self, column: &str) -> Option<Knowledge> {
        let at = self.columns.iter().position(|c| c == column)?;
        let mut turned = Knowledge::new(&self.name, self.columns.clone(), self.rows.clone());
        turned.dimension = None;
        turned.by_code.clear();
        turned.longest = 0;
        for (number, row) in self.rows.iter().enumerate() {
            if let Cell::Text(codes) = &row.cells[at] {
                for code in codes.split('|').filter(|code| !code.is_empty()) {
                    turned.longest = turned.longest.max(code.len());
                    let rows = turned.by_code.entry(code.to_owned()).or_default();
                    if rows.last() != Some(&number) {
                        rows.push(number);
                    }
                }
            }
        }
        Some(turned)
    }

    /// Position of a value column.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c == column)
    }

    /// Rows whose code is a prefix of `code`, longest first, whatever the day. Empty for most codes.
    #[must_use]
    pub fn candidates(&self, code: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for length in (1..=code.len().min(self.longest)).rev() {
            if let Some(rows) = code.get(..length).and_then(|prefix| self.by_code.get(prefix)) {
                found.extend_from_slice(rows);
            }
        }
        found
    }

    /// Whether a row speaks of a region or a level of its own, so that the day alone does not decide.
    #[must_use]
    pub fn is_placed(&self, row: usize) -> bool {
        [self.region, self.level].into_iter().flatten().any(|at| self.rows[row].cells[at] != Cell::Empty)
    }

    /// First and last day around `on` between which none of these rows begins or ends to hold.
    #[must_use]
    pub fn steady<'r>(&self, rows: impl Iterator<Item = &'r usize>, on: i32) -> (i32, i32) {
        let (mut first, mut last) = (i32::MIN, i32::MAX);
        for row in rows.map(|row| &self.rows[*row]) {
            // A row changes what holds on its first day and on the day after its last.
            for change in row.from.into_iter().chain(row.until.map(|until| until.saturating_add(1))) {
                if change <= on {
                    first = first.max(change);
                } else {
                    last = last.min(change - 1);
                }
            }
        }
        (first, last)
    }

    /// Of candidates (longest first), those that hold on the day: one a dimension value, or one in all.
    ///
    /// `every` keeps all that are valid (the B side of a pair).
    #[must_use]
    pub fn valid(&self, candidates: &[usize], on: i32, place: Place<'_>, every: bool) -> Vec<usize> {
        let mut best: Vec<(usize, (usize, u8, bool, i32))> = Vec::new();
        for &number in candidates {
            let row = &self.rows[number];
            if row.from.is_some_and(|d| on < d) || row.until.is_some_and(|d| on > d) {
                continue;
            }
            let mut rank = (row.code.len(), 0, false, row.from.unwrap_or(i32::MIN));
            if let Some(at) = self.region {
                let spoken_of = if let Cell::Text(region) = &row.cells[at] { Some(region.as_str()) } else { None };
                match region_fit(spoken_of, place.region) {
                    Some(fit) => rank.1 = fit,
                    None => continue,
                }
            }
            if let Some(at) = self.level
                && let Cell::Text(level) = &row.cells[at]
            {
                if place.level.map(|l| l.to_string()).as_deref() != Some(level.as_str()) {
                    continue;
                }
                rank.2 = true;
            }
            if every {
                best.push((number, rank));
                continue;
            }
            let same = best.iter().position(|(other, _)| match self.dimension {
                Some(at) => self.rows[*other].cells[at] == row.cells[at],
                None => true,
            });
            match same {
                Some(place) if rank > best[place].1 => best[place] = (number, rank),
                Some(_) => {}
                None => best.push((number, rank)),
            }
        }
        best.into_iter().map(|(number, _)| number).collect()
    }
}
