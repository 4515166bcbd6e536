//! Case books: `fixtures/<family>/<name>.md`, a heading a case, a sentence, small tables, the expected findings.
//!
//! Goes in: Markdown. Comes out: [`Book`]s of cells as text. Deliberately unknown here: what the cells mean and how a case
//! is run; the same book is read by people.

use std::collections::BTreeMap;

use crate::model::Table;
use crate::span::Diagnostic;

/// A case book.
#[derive(Debug, Clone)]
pub struct Book {
    pub file: String,
    pub title: String,
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, Default)]
pub struct Case {
    pub name: String,
    /// 1-based line of its heading.
    pub line: usize,
    /// Rows as (column, cell); empty cells are null.
    pub tables: BTreeMap<Table, Vec<Vec<(String, String)>>>,
    pub expect: Vec<Expected>,
    /// Rule code and units.
    pub not_evaluated: Vec<(String, u64)>,
    pub as_of: Option<String>,
    pub region: Option<String>,
    /// Visits whose row the export lacks; without this, a visit that lines or settlements name is made up.
    pub lost: Vec<String>,
}

/// A finding that a case expects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expected {
    pub rule: String,
    pub key: BTreeMap<String, String>,
    pub amount: String,
}

impl Book {
    /// Reads a book.
    ///
    /// # Errors
    /// Every line that is not understood.
    pub fn read(file: &str, text: &str) -> Result<Book, Vec<Diagnostic>> {
        let mut book = Book { file: file.to_owned(), title: String::new(), cases: Vec::new() };
        let mut background = Case::default();
        let mut mistakes = Vec::new();
        let mut block: Option<String> = None;
        let mut header: Option<Vec<String>> = None;
        let mut offset = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let place = offset..offset + line.trim_end().len();
            offset += line.len();
            let line = line.trim();
            let mut wrong = |message: String| mistakes.push(Diagnostic::at(file, text, place.clone(), message));
            if let Some(title) = line.strip_prefix("# ") {
                title.trim().clone_into(&mut book.title);
            } else if let Some(name) = line.strip_prefix("## ") {
                book.cases.push(Case { name: name.trim().to_owned(), line: number + 1, ..background.clone() });
                (block, header) = (None, None);
            } else if let Some(rest) = line.strip_prefix("**") {
                let Some((name, value)) = rest.split_once("**") else { continue };
                let case = book.cases.last_mut().unwrap_or(&mut background);
                header = None;
                match name.trim() {
                    "as of" => case.as_of = Some(value.trim().to_owned()),
                    "region" => case.region = Some(value.trim().to_owned()),
                    "no encounter" => case.lost.extend(value.split_whitespace().map(str::to_owned)),
                    name @ ("expect" | "not evaluated") => block = Some(name.to_owned()),
                    name if Table::named(name).is_some() => block = Some(name.to_owned()),
                    name => wrong(format!(
                        "unknown block `{name}`, wanted a table, `expect`, `not evaluated`, `as of`, `region` or `no encounter`"
                    )),
                }
            } else if line.starts_with('|') {
                let cells: Vec<String> = line
                    .replace("\\|", "\u{1}")
                    .trim_matches('|')
                    .split('|')
                    .map(|c| c.trim().replace('\u{1}', "|"))
                    .collect();
                if cells.iter().all(|c| !c.is_empty() && c.chars().all(|c| matches!(c, '-' | ':'))) {
                    continue;
                }
                let Some(block) = &block else { continue };
                let Some(columns) = &header else {
                    if let Some(table) = Table::named(block)
                        && let Some(unknown) = cells.iter().find(|c| table.position(c).is_none())
                    {
                        wrong(format!("`{block}` has no column `{unknown}`"));
                    }
                    header = Some(cells);
                    continue;
                };
                if cells.len() != columns.len() {
                    wrong(format!("found {} cells, wanted {}", cells.len(), columns.len()));
                    continue;
                }
                let row: Vec<(String, String)> = columns.iter().cloned().zip(cells).collect();
                let case = book.cases.last_mut().unwrap_or(&mut background);
                if let Some(table) = Table::named(block) {
                    case.tables.entry(table).or_default().push(row);
                } else {
                    let of =
                        |name: &str| row.iter().find(|(c, _)| c == name).map(|(_, v)| v.clone()).unwrap_or_default();
                    if block == "expect" {
                        case.expect.push(Expected { rule: of("rule"), key: key_of(&of("key")), amount: of("amount") });
                    } else {
                        match of("units").parse() {
                            Ok(units) => case.not_evaluated.push((of("rule"), units)),
                            Err(_) => wrong(format!("`units` is `{}`, wanted a number", of("units"))),
                        }
                    }
                }
            }
        }
        if mistakes.is_empty() { Ok(book) } else { Err(mistakes) }
    }
}

/// `psn_no=P1 day=2026-03-11 fee_ocur_time=2026-03-11 08:00:00`: a word with `=` begins the next pair.
fn key_of(text: &str) -> BTreeMap<String, String> {
    let mut key = BTreeMap::new();
    let mut last: Option<String> = None;
    for word in text.split_whitespace() {
        match word.split_once('=') {
            Some((name, value)) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                key.insert(name.to_owned(), value.to_owned());
                last = Some(name.to_owned());
            }
            _ => {
                if let Some(value) = last.as_ref().and_then(|name| key.get_mut(name)) {
                    value.push(' ');
                    value.push_str(word);
                }
            }
        }
    }
    key
}
