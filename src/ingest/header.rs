//! Which row is the header, which table it is of, and which cell is which column.
//!
//! Headers are typed by people: the platform's names in any case, Chinese names, units in brackets, full width, title rows
//! above. A *flat* file has fee lines with the columns of their settlement, encounter or person on every row: it is read as
//! several tables. Goes in: the first rows of a file. Comes out: [`Plan`]s, or an error that names the missing column, its
//! aliases and what was found. Not known here: encodings, values.
//!
//! To let a header be known by another name: add it to the aliases in `model::tables`.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::LazyLock;

use super::rows::{Block, Row};
use super::values::ascii_of;
use crate::model::{Column, Kind, Table};

/// Title rows that may stand above a header.
const MOST_TITLES: usize = 20;

/// Where the text of a column comes from.
#[derive(Debug, Clone)]
pub(super) enum From {
    /// A cell of the row.
    Cell(usize),
    /// The same text for every row.
    Constant(String),
    /// A cell translated; `None` as default: other texts are bad.
    Lookup { cell: usize, values: HashMap<String, String>, default: Option<String> },
    /// An expression of a mapping, by its number.
    Computed(usize),
    /// The number of the row.
    RowNumber,
}

/// How the rows of a file become rows of one table.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub table: Table,
    /// Rows repeat on every line of a flat file: equal ones are one row, not duplicates.
    pub split: bool,
    /// Position in [`Table::columns`] and source, ascending.
    pub columns: Vec<(usize, From)>,
    /// Number of the expression that a row has to satisfy.
    pub filter: Option<usize>,
    /// A row without this cell has no row in this table.
    pub only_with: Option<usize>,
}

impl Plan {
    /// Its columns as positions in the table and in the row, when that is all there is to them.
    pub(super) fn only_cells(&self) -> Option<Vec<(usize, usize)>> {
        let cell = |(position, from): &(usize, From)| match from {
            From::Cell(cell) => Some((*position, *cell)),
            _ => None,
        };
        self.columns.iter().map(cell).collect()
    }

    /// Names of the columns that it fills.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.columns.iter().map(|(position, _)| self.table.columns()[*position].name)
    }
}

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Its row.
    pub row: u64,
    /// Its cells as they are written, without blank ones at the end.
    pub cells: Vec<String>,
    /// Rows above it with something in them.
    pub titles: usize,
}

type Known = HashMap<String, Vec<(Table, usize, bool)>>;

/// Normal form of a name → the columns it may mean, and whether it is the platform's own name.
static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known = Known::new();
    for table in Table::ALL {
        for (position, column) in table.columns().iter().enumerate() {
            known.entry(normal(column.name)).or_default().push((table, position, true));
            for alias in column.aliases {
                known.entry(normal(alias)).or_default().push((table, position, false));
            }
        }
    }
    known
});

/// A header without case, width, blanks, quotes and what stands in brackets.
pub(super) fn normal(header: &str) -> String {
    let mut normal = String::with_capacity(header.len());
    let mut depth = 0_u32;
    for c in header.chars().map(ascii_of) {
        match c {
            '(' | '[' | '【' | '<' | '〔' => depth += 1,
            ')' | ']' | '】' | '>' | '〕' => depth = depth.saturating_sub(1),
            '*' | '"' | '\'' | ':' | '\u{feff}' | '\u{200b}' => {}
            c if depth > 0 || c.is_whitespace() || c.is_control() => {}
            c => normal.extend(c.to_lowercase()),
        }
    }
    normal
}

/// The table named before a point: `结算.统筹支付`, `settlement.inscp_amt`.
fn prefixed(header: &str) -> Option<(Table, String)> {
    let header = normal(header);
    let (table, column) = header.split_once('.')?;
    let table = Table::ALL.into_iter().find(|t| t.name() == table || t.file_names().contains(&table))?;
    Some((table, column.to_owned()))
}

/// The column of `table` that a header means.
fn column_of(table: Table, header: &str) -> Option<(usize, bool)> {
    if let Some((named, column)) = prefixed(header) {
        return if named == table { column_of(table, &column) } else { None };
    }
    KNOWN.get(&normal(header))?.iter().find(|(t, ..)| *t == table).map(|&(_, position, exact)| (position, exact))
}

fn is_known(header: &str) -> bool {
    KNOWN.contains_key(&normal(header))
        || prefixed(header).is_some_and(|(table, column)| column_of(table, &column).is_some())
}

/// Finds the header among the first rows: the row with the most cells that are names of columns.
pub(super) fn find(block: &Block, table: Option<Table>) -> Option<Header> {
    let mut best: Option<(usize, &Row, usize)> = None;
    let rows = block.rows.iter().filter(|r| !block.is_blank(r));
    for (titles, row) in rows.take(MOST_TITLES + 1).enumerate() {
        if row.trouble.is_some() {
            continue;
        }
        let names: BTreeSet<&str> = block
            .row_cells(row)
            .filter(|cell| match table {
                Some(table) => column_of(table, cell).is_some(),
                None => is_known(cell),
            })
            .collect();
        if names.len() > best.map_or(0, |(score, ..)| score) {
            best = Some((names.len(), row, titles));
        }
    }
    let (score, row, titles) = best?;
    // One name among many words is a title; one name alone may be a table of one column.
    if score < 2 && block.row_cells(row).filter(|c| !c.trim().is_empty()).count() > 2 {
        return None;
    }
    Some(header_at(block, row, titles))
}

/// The first row with something in it as the header, whatever its names.
pub(super) fn first_row(block: &Block) -> Option<Header> {
    let row = block.rows.iter().find(|r| r.trouble.is_none() && !block.is_blank(r))?;
    Some(header_at(block, row, 0))
}

fn header_at(block: &Block, row: &Row, titles: usize) -> Header {
    let mut cells: Vec<String> = block.row_cells(row).map(|c| c.trim().trim_matches('\u{feff}').to_owned()).collect();
    while cells.last().is_some_and(String::is_empty) {
        cells.pop();
    }
    Header { row: row.number, cells, titles }
}

/// The columns of `table` that a header has: position in the table → position in the header.
fn matches(table: Table, header: &[String]) -> HashMap<usize, usize> {
    matches_where(table, header, |_, _| true)
}

/// The same, of the headers that may mean the column at the position. Of several headers for one column the one with the
/// table before it wins, then the platform's own name, then the first.
fn matches_where(table: Table, header: &[String], may: impl Fn(usize, &str) -> bool) -> HashMap<usize, usize> {
    let mut found: HashMap<usize, (usize, (bool, bool))> = HashMap::new();
    for (cell, name) in header.iter().enumerate() {
        if let Some((position, exact)) = column_of(table, name)
            && may(position, name)
        {
            let rank = (prefixed(name).is_some(), exact);
            let entry = found.entry(position).or_insert((cell, rank));
            if rank > entry.1 {
                *entry = (cell, rank);
            }
        }
    }
    found.into_iter().map(|(position, (cell, _))| (position, cell)).collect()
}

fn missing(table: Table, found: &HashMap<usize, usize>) -> Vec<&'static Column> {
    let columns = table.columns().iter().enumerate();
    columns.filter(|(i, c)| c.required && !found.contains_key(i)).map(|(_, c)| c).collect()
}

/// The table that a header is of: the one with all its required columns and the most of its columns found.
pub(super) fn table_of(header: &[String]) -> Result<Table, Option<Table>> {
    let mut whole: Option<(usize, Table)> = None;
    let mut nearest: Option<(usize, Table)> = None;
    for table in Table::ALL {
        let found = matches(table, header);
        let better = |best: Option<(usize, Table)>| found.len() > best.map_or(0, |(n, _)| n);
        // A person or facility needs so few columns that every table looks like one.
        let telling = match table {
            Table::Person => found.len() * 2 > header.len(),
            _ => true,
        };
        if missing(table, &found).is_empty() && better(whole) && telling {
            whole = Some((found.len(), table));
        }
        if better(nearest) {
            nearest = Some((found.len(), table));
        }
    }
    let fee_line = missing(Table::FeeDetail, &matches(Table::FeeDetail, header)).is_empty();
    match whole {
        _ if fee_line => Ok(Table::FeeDetail),
        Some((_, table)) => Ok(table),
        None => Err(nearest.map(|(_, table)| table)),
    }
}

/// What a header offers of a table, and the headers that mean nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub plans: Vec<Plan>,
    /// Headers that are no column of any table read from this file.
    pub unknown: Vec<String>,
    pub notes: Vec<String>,
}

/// Plans for a file whose rows are rows of `table`. When these are fee lines, the columns of other tables on them are
/// split off, unless that table has a file `of_its_own`.
pub(super) fn plan(file: &str, header: &Header, table: Table, of_its_own: &BTreeSet<Table>) -> Result<Layout, String> {
    let found = matches(table, &header.cells);
    let lacking = missing(table, &found);
    if !lacking.is_empty() {
        return Err(missing_message(file, header, table, &lacking));
    }
    let mut layout = Layout::default();
    let mut used: BTreeSet<usize> = found.values().copied().collect();
    layout.plans.push(plan_of(table, false, &found));
    if table == Table::FeeDetail {
        for other in [Table::Encounter, Table::Settlement, Table::Person, Table::Diagnosis, Table::Facility] {
            let found = shared_out(other, &header.cells);
            let own = found.keys().filter(|&&p| is_own(other, p)).count();
            let telling = match other {
                Table::Person => found.keys().any(|&p| {
                    matches!(
                        other.columns()[p].name,
                        "psn_name" | "certno" | "psn_insu_stas" | "psn_insu_date" | "paus_insu_date"
                    ) || (matches!(other.columns()[p].name, "gend" | "brdy")
                        && !layout.plans.iter().any(|plan| plan.table == Table::Encounter)
                        && !of_its_own.contains(&Table::Encounter))
                }),
                Table::Diagnosis => found.keys().any(|&p| other.columns()[p].name == "diag_code"),
                Table::Facility => found.keys().any(|&p| other.columns()[p].name == "fixmedins_name"),
                _ => own > 0,
            };
            if !telling {
                continue;
            }
            if of_its_own.contains(&other) {
                layout.notes.push(format!(
                    "`{file}` has columns of the table `{}`, which has a file of its own: they are not read",
                    other.name()
                ));
                continue;
            }
            let lacking = missing(other, &found);
            if lacking.is_empty() {
                used.extend(found.values().copied());
                layout.plans.push(plan_of(other, true, &found));
            } else if own > 1 {
                let names: Vec<String> = lacking.iter().map(|c| format!("`{}`", c.name)).collect();
                layout.notes.push(format!(
                    "`{file}` has columns of the table `{}` but not {}: that table is not read from it",
                    other.name(),
                    names.join(", ")
                ));
            }
        }
    }
    layout.unknown = header
        .cells
        .iter()
        .enumerate()
        .filter(|(i, name)| !used.contains(i) && !name.is_empty())
        .map(|(_, name)| name.clone())
        .collect();
    Ok(layout)
}

/// Whether a column of another table is not also one of the fee line.
fn is_own(table: Table, position: usize) -> bool {
    Table::FeeDetail.position(table.columns()[position].name).is_none()
}

/// What a flat header offers of a table that is not the fee line: its own columns, those named with the table before them,
/// and the identifiers that the line shares with it. An amount that both have belongs to the line.
fn shared_out(table: Table, header: &[String]) -> HashMap<usize, usize> {
    matches_where(table, header, |position, name| {
        let column = &table.columns()[position];
        (is_own(table, position) && !line_means(column, name))
            || prefixed(name).is_some()
            || matches!(column.name, "mdtrt_id" | "setl_id" | "psn_no" | "fixmedins_code")
            || (column.name == "med_type" && table == Table::Encounter)
    })
}

/// Whether the fee line has a column of this header too, and it is an amount.
fn line_means(column: &Column, header: &str) -> bool {
    prefixed(header).is_none() && column.kind == Kind::Money && column_of(Table::FeeDetail, header).is_some()
}

fn plan_of(table: Table, split: bool, found: &HashMap<usize, usize>) -> Plan {
    let mut columns: Vec<(usize, From)> = found.iter().map(|(&p, &cell)| (p, From::Cell(cell))).collect();
    columns.sort_unstable_by_key(|(position, _)| *position);
    let only_with = match (split, table) {
        (true, Table::Settlement) => Some("setl_id"),
        (true, Table::Diagnosis) => Some("diag_code"),
        (true, Table::Facility) => Some("fixmedins_name"),
        _ => None,
    };
    let only_with = only_with.and_then(|name| found.get(&table.position(name)?).copied());
    Plan { table, split, columns, filter: None, only_with }
}

fn put(message: &mut String, clause: fmt::Arguments<'_>) {
    fmt::Write::write_fmt(message, clause).expect("a text takes what is written to it");
}

fn missing_message(file: &str, header: &Header, table: Table, lacking: &[&Column]) -> String {
    let mut message = format!("`{file}` cannot be read as the table `{}`: no column for ", table.name());
    for (i, column) in lacking.iter().enumerate() {
        if i > 0 {
            message.push_str("; ");
        }
        put(&mut message, format_args!("`{}`", column.name));
        if !column.aliases.is_empty() {
            put(&mut message, format_args!(" (also known as {})", column.aliases.join(", ")));
        }
        let near = nearest(column, &header.cells);
        if !near.is_empty() {
            put(&mut message, format_args!(", nearest `{}`", near.join("`, `")));
        }
    }
    let mut shown: Vec<&str> = header.cells.iter().map(String::as_str).take(60).collect();
    if header.cells.len() > shown.len() {
        shown.push("…");
    }
    put(
        &mut message,
        format_args!(
            "; found in the header, row {}: {}; say which column it is in a file for `--mapping`",
            header.row,
            shown.join(", ")
        ),
    );
    message
}

/// Headers that look like a misspelling of a column's name.
fn nearest(column: &Column, header: &[String]) -> Vec<String> {
    let names: Vec<String> = std::iter::once(&column.name).chain(column.aliases).map(|n| normal(n)).collect();
    let mut near: Vec<(usize, &String)> = header
        .iter()
        .filter(|found| !found.is_empty())
        .filter_map(|found| {
            let normal = normal(found);
            let best = names.iter().map(|n| (distance(n, &normal), n.chars().count())).min()?;
            (best.0 * 5 <= best.1.max(normal.chars().count()) * 2).then_some((best.0, found))
        })
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, found)| found.clone()).collect()
}

/// The name in `among` that `name` was perhaps meant to be.
pub(super) fn nearest_name<'a>(name: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    among
        .into_iter()
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance * 2 <= candidate.chars().count().max(2))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace) from one text to another.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(100).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The first row that has the most of these names, exactly as written.
pub(super) fn find_named(block: &Block, names: &BTreeSet<&str>) -> Option<Header> {
    let mut best: Option<(usize, &Row, usize)> = None;
    for (titles, row) in block.rows.iter().filter(|r| !block.is_blank(r)).take(MOST_TITLES + 1).enumerate() {
        let score = block.row_cells(row).filter(|c| names.contains(c.trim().trim_matches('\u{feff}'))).count();
        if row.trouble.is_none() && score > best.map_or(0, |(score, ..)| score) {
            best = Some((score, row, titles));
        }
    }
    best.map(|(_, row, titles)| header_at(block, row, titles))
}
