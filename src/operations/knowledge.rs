//! `knowledge import`: a workbook of the national two libraries (两库) → a knowledge table, and a report of what that changes.
//!
//! ```text
//! workbook ─ header, points, codes joined (workbook) ─ values of one table (shapes) ─ against the rows there are ─ table.csv
//! ```
//! Law has dates: a row that says otherwise than before does not replace the old one. The old row ends the day before, the
//! new one begins. Nothing is dropped in silence: rows in a sheet = titles and header + remarks + read + unread, and every
//! unread row is named with the reason. Goes in: a workbook, a folder of tables. Comes out: [`Imported`]. Not known here:
//! rules that read the table; `rules diff` tells what an import does to findings.

mod shapes;
mod workbook;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Error;
use crate::aside;
use crate::ingest;
use crate::model::{day, sheet::harmless};
use crate::progress::Progress;
use crate::report::Lang;
use crate::rules::Knowledge;
use crate::span::nearest;
use shapes::{SHAPES, Shape};
pub use workbook::{At, SheetRows, Unread};
use workbook::{Entry, Meaning, Workbook};

/// The library's default first day: the regulation on the fund's supervision is in force since then.
const FIRST_DAY: &str = "2021-05-01";
/// Added rows that a person is shown.
const SHOWN: usize = 3;
const COLUMNS_OF_THINGS: [&str; 4] = ["point", "code_b", "dise_no", "group"];

/// What to import and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub workbook: PathBuf,
    /// Folder of the knowledge tables.
    pub into: PathBuf,
    /// None: as the workbook tells.
    pub table: Option<String>,
    /// First day of new rows; None: 2021-05-01, and no row that says otherwise can be superseded.
    pub from: Option<i32>,
    pub dry_run: bool,
}

/// A row of the table: code, what it speaks of, days and values as they stand in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub code: String,
    /// `point`, `code_b`, `dise_no` or `group`; empty where the table has none of these.
    pub of: String,
    pub from: String,
    pub until: String,
    /// Values that are not what it speaks of, by column.
    pub values: Vec<(String, String)>,
    pub source: String,
}

/// What an import came to.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    pub table: String,
    /// The table's file.
    pub file: PathBuf,
    /// 第八批-1; empty where the file's name does not say.
    pub batch: String,
    pub dry_run: bool,
    pub sheets: Vec<SheetRows>,
    pub points: usize,
    /// Codes (pairs of codes in a table of pairs) that were read.
    pub codes: usize,
    pub added: Vec<Row>,
    /// The row that ends, with its new end, and the row that takes its place.
    pub changed: Vec<(Row, Row)>,
    /// Rows that an earlier import of this workbook wrote and that are not in it any more, with their new end.
    pub removed: Vec<Row>,
    /// Rows with shorter codes that say otherwise than an added row, which now wins for its code. They stay.
    pub overruled: Vec<(Row, Row)>,
    pub unchanged: usize,
    /// Codes that stand in the workbook twice and say the same.
    pub repeated: usize,
    /// Pairs that a row with shorter codes says already, and codes that a table of the same kind (`hourly_item`) has.
    pub covered: usize,
    pub unread: Vec<Unread>,
    pub remarks: Vec<(At, String)>,
    pub notes: Vec<String>,
}

/// Imports a workbook.
///
/// # Errors
/// A workbook that cannot be read or tells no table, a table with mistakes, a folder that is not there or cannot be written.
pub fn import(options: &Options, progress: &dyn Progress) -> Result<Imported, Error> {
    if !options.into.is_dir() {
        return Err(Error::Usage(format!(
            "there is no folder `{}`: run where the rule library lies, or name its `knowledge` folder with `--into`",
            options.into.display()
        )));
    }
    progress.begin("import", 0);
    let sheets = ingest::sheets_of(&options.workbook, progress)?;
    let mut book = Workbook::of(&sheets);
    let stem = options.workbook.file_stem().map_or_else(String::new, |s| s.to_string_lossy().trim().to_owned());
    let shape = shape_of(options, &book, &stem)?;
    if let Some(missing) = shape.needs.iter().find(|m| !book.headings.iter().any(|h| workbook::meaning(h) == Some(**m)))
    {
        return Err(Error::Usage(format!(
            "`{}` has no column that `{}` needs ({missing:?}); its headings are {}",
            options.workbook.display(),
            shape.table,
            book.headings.iter().filter(|h| !h.is_empty()).cloned().collect::<Vec<_>>().join(", ")
        )));
    }
    let batch = batch_of(&stem);
    let mut table = Table::open(&options.into.join(format!("{}.csv", shape.table)), shape)?;
    let mut done = Imported {
        table: shape.table.to_owned(),
        file: table.file.clone(),
        batch: batch.clone(),
        dry_run: options.dry_run,
        ..Imported::default()
    };
    let items = items(&mut book, shape, &stem, &mut done);
    progress.end();
    progress.go_on()?;
    let from = options.from.or_else(|| day::parse(FIRST_DAY)).unwrap_or_default();
    let sibling = match shapes::SIBLINGS.iter().find(|(table, _)| *table == shape.table) {
        Some((_, other)) => Some(Table::open(&options.into.join(format!("{other}.csv")), shape)?),
        None => None,
    };
    let source = Source { stem: &stem, batch: &batch, by_default: options.from.is_none() };
    table.merge(items, from, &source, sibling.as_ref(), &mut book, &mut done);
    book.unread.sort_by(|a, b| a.at.cmp(&b.at));
    (done.sheets, done.unread, done.remarks) = (book.sheets, book.unread, book.remarks);
    done.notes.splice(0..0, book.notes);
    if !options.dry_run && (!done.added.is_empty() || !done.changed.is_empty() || !done.removed.is_empty()) {
        progress.go_on()?;
        table.write()?;
    }
    Ok(done)
}

fn shape_of(options: &Options, book: &Workbook, stem: &str) -> Result<&'static Shape, Error> {
    let known = || SHAPES.iter().map(|s| s.table);
    if let Some(name) = &options.table {
        return SHAPES.iter().find(|s| s.table == *name).ok_or_else(|| {
            let hint = nearest(name, known()).map_or_else(
                || format!("one of {}", known().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            Error::Usage(format!("no workbook is imported into a table `{name}`: {hint}"))
        });
    }
    let kinds: BTreeSet<&str> =
        book.entries.iter().flat_map(|e| [e.cells.get(Meaning::Kind), e.cells.get(Meaning::Logic)]).collect();
    let sources = [
        vec![stem.to_owned()],
        book.titles.clone(),
        book.headings.clone(),
        kinds.into_iter().map(str::to_owned).collect(),
    ];
    shapes::told(&sources).ok_or_else(|| {
        Error::Usage(format!(
            "`{}` does not tell which table it is for: name it with `--table`, one of {}",
            options.workbook.display(),
            known().collect::<Vec<_>>().join(", ")
        ))
    })
}

/// `第八批-1` of a file's name.
fn batch_of(stem: &str) -> String {
    let plain: String = stem.chars().filter(|c| !c.is_whitespace()).collect();
    let number = |c: char| "一二三四五六七八九十百".contains(c) || c.is_ascii_digit();
    for (at, _) in plain.match_indices('第') {
        let rest = &plain[at + '第'.len_utf8()..];
        let end = rest.find(|c| !number(c)).unwrap_or(rest.len());
        if end > 0 && rest[end..].starts_with('批') {
            let part = &rest[end + '批'.len_utf8()..];
            let part = part
                .strip_prefix(['-', '－', '—'])
                .map_or("", |p| &p[..p.find(|c: char| !c.is_ascii_digit()).unwrap_or(p.len())]);
            let part = if part.is_empty() { String::new() } else { format!("-{part}") };
            return format!("第{}批{part}", &rest[..end]);
        }
    }
    String::new()
}

/// A code with its values, and where they stand.
struct Item {
    at: At,
    text: String,
    code: String,
    values: Vec<String>,
    /// What the source says of it: name and limit.
    said: String,
}

/// Reads every entry; what cannot be read is in the workbook's unread rows.
fn items(book: &mut Workbook, shape: &Shape, stem: &str, done: &mut Imported) -> Vec<Item> {
    // Points of sheets of their own are read once, so that a bad one is named itself and not only its codes.
    let mut bad: BTreeMap<At, String> = BTreeMap::new();
    let mut counts: HashMap<At, usize> = HashMap::new();
    for entry in &book.entries {
        if let Some(point) = &entry.point {
            *counts.entry(point.clone()).or_default() += codes_of(entry).len();
        }
    }
    for point in std::mem::take(&mut book.points) {
        let found = counts.get(&point.at).copied().unwrap_or_default();
        let asked = point.cells.get(Meaning::Count);
        let why = if found == 0 {
            Some("no code belongs to the point".to_owned())
        } else if shape.columns.contains(&"code_b") {
            None
        } else {
            (shape.values)(&point.cells, stem).err()
        };
        if !asked.is_empty() && asked.parse() != Ok(found) {
            done.notes
                .push(format!("`{}` row {}: {asked} codes are announced, {found} found", point.at.sheet, point.at.row));
        }
        match why {
            Some(why) => {
                bad.insert(point.at.clone(), why.clone());
                book.refuse(point.at, why, point.text);
            }
            None => done.points += 1,
        }
    }
    let mut items = Vec::new();
    for entry in std::mem::take(&mut book.entries) {
        if let Some(point) = entry.point.as_ref().filter(|p| bad.contains_key(p)) {
            let why = format!("its point (`{}` row {}) could not be read", point.sheet, point.row);
            book.refuse(entry.at, why, entry.text);
            continue;
        }
        let read: Result<Vec<(String, Vec<String>)>, String> = (shape.values)(&entry.cells, stem)
            .and_then(|values| codes_of(&entry).into_iter().map(|c| Ok((shapes::code(c)?, values.clone()))).collect());
        match read {
            Err(why) => book.refuse(entry.at, why, entry.text),
            Ok(read) => {
                done.points += usize::from(entry.point.is_none());
                done.codes += read.len();
                let limit: String = format!("{}{}", entry.cells.get(Meaning::Limit), entry.cells.get(Meaning::Unit));
                let said = match entry.cells.get(Meaning::NameB) {
                    "" => format!("{} {limit}", entry.cells.get(Meaning::Name)),
                    b => format!("{} 含 {b}", entry.cells.get(Meaning::Name)),
                };
                let said: String = said.trim().chars().take(100).collect();
                items.extend(read.into_iter().map(|(code, values)| Item {
                    at: entry.at.clone(),
                    text: entry.text.clone(),
                    code,
                    values,
                    said: said.clone(),
                }));
            }
        }
    }
    items
}

fn codes_of(entry: &Entry) -> Vec<&str> {
    let codes = shapes::codes(entry.cells.get(Meaning::Code));
    if codes.is_empty() { vec![""] } else { codes }
}

/// What the `source` of a new row says.
struct Source<'a> {
    stem: &'a str,
    batch: &'a str,
    /// The first day is the library's default, not the keeper's word.
    by_default: bool,
}

impl Source<'_> {
    /// The words by which rows of this workbook are known again.
    fn mark(&self) -> String {
        format!("《{}》", self.stem)
    }

    fn of(&self, said: &str) -> String {
        let start = if self.by_default { "；起始日为经办默认" } else { "" };
        format!("国家医保局两库{}{}{start}：{said}", self.batch, self.mark())
    }
}

/// A knowledge table as it stands in its file.
struct Table {
    file: PathBuf,
    header: Vec<String>,
    /// Cells in the header's order.
    rows: Vec<Vec<String>>,
    /// Rows to write after the row of this number.
    after: BTreeMap<usize, Vec<Vec<String>>>,
    added: Vec<Vec<String>>,
    /// Position of the column that says what a row speaks of.
    of: Option<usize>,
    /// Positions of the value columns of the shape, in its order.
    values: Vec<usize>,
}

impl Table {
    fn open(file: &Path, shape: &Shape) -> Result<Table, Error> {
        let mut header: Vec<String> = vec!["code".to_owned(), "from".to_owned(), "until".to_owned()];
        header.extend(shape.columns.iter().map(|c| (*c).to_owned()));
        header.push("source".to_owned());
        let mut rows = Vec::new();
        if file.exists() {
            let text = fs::read_to_string(file)
                .map_err(|source| Error::Disk { doing: format!("read `{}`", file.display()), source })?;
            Knowledge::read(shape.table, &text).map_err(|wrong| broken(file, &wrong))?;
            let unreadable = |e: csv::Error| Error::Usage(format!("cannot read `{}`: {e}", file.display()));
            let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
            header = reader.headers().map_err(unreadable)?.iter().map(|h| h.trim().to_owned()).collect();
            for record in reader.records() {
                rows.push(record.map_err(unreadable)?.iter().map(|c| c.trim().to_owned()).collect());
            }
        }
        let at = |name: &str| header.iter().position(|h| h == name);
        let values: Option<Vec<usize>> = shape.columns.iter().map(|c| at(c)).collect();
        let values = values.ok_or_else(|| {
            let wanted = shape.columns.join(", ");
            Error::Usage(format!(
                "`{}` has the columns {}: wanted {wanted} among them",
                file.display(),
                header.join(", ")
            ))
        })?;
        let of = shape.columns.iter().position(|c| COLUMNS_OF_THINGS.contains(c)).map(|n| values[n]);
        Ok(Table { file: file.to_owned(), header, rows, after: BTreeMap::new(), added: Vec::new(), of, values })
    }

    fn cell<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        self.header.iter().position(|h| h == column).map_or("", |at| row[at].as_str())
    }

    fn shown(&self, row: &[String]) -> Row {
        Row {
            code: row[0].clone(),
            of: self.of.map_or_else(String::new, |at| row[at].clone()),
            from: row[1].clone(),
            until: row[2].clone(),
            values: self
                .values
                .iter()
                .filter(|at| Some(**at) != self.of)
                .map(|at| (self.header[*at].clone(), row[*at].clone()))
                .collect(),
            source: self.cell(row, "source").to_owned(),
        }
    }

    /// Code and what the row speaks of. A row of one region or level is not the nation's.
    fn key(&self, row: &[String]) -> (String, String, String) {
        let of = self.of.map_or("", |at| row[at].as_str());
        (row[0].clone(), of.to_owned(), format!("{}/{}", self.cell(row, "region"), self.cell(row, "level")))
    }

    fn says_the_same(&self, a: &[String], b: &[String]) -> bool {
        let number = |text: &str| text.parse::<Decimal>().ok();
        self.values
            .iter()
            .all(|at| a[*at] == b[*at] || (number(&a[*at]).is_some() && number(&a[*at]) == number(&b[*at])))
    }

    /// Puts the items beside the rows that are there.
    fn merge(
        &mut self,
        items: Vec<Item>,
        from: i32,
        source: &Source<'_>,
        sibling: Option<&Table>,
        book: &mut Workbook,
        done: &mut Imported,
    ) {
        let mut known: HashMap<(String, String, String), Vec<usize>> = HashMap::new();
        let mut by_code: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, row) in self.rows.iter().enumerate() {
            known.entry(self.key(row)).or_default().push(number);
            by_code.entry(row[0].clone()).or_default().push(number);
        }
        let mut seen: HashMap<(String, String, String), (At, Vec<String>)> = HashMap::new();
        let mut elsewhere: Vec<String> = Vec::new();
        let mut points: HashMap<String, BTreeSet<String>> = HashMap::new();
        for item in &items {
            let row = self.row(item, from, source);
            points.entry(item.code.clone()).or_default().insert(self.key(&row).1);
        }
        for item in items {
            let row = self.row(&item, from, source);
            // A point is a name, and names are written in more ways than one: the one point of a code is that point.
            let alias = if points[&item.code].len() == 1 { self.other_name(&by_code, &row, from) } else { None };
            let known_as = alias.unwrap_or_else(|| row.clone());
            let key = self.key(&known_as);
            if let Some((at, before)) = seen.get(&key) {
                if self.says_the_same(before, &row) {
                    done.repeated += 1;
                } else {
                    let why = format!("`{}` row {} says otherwise of `{}`", at.sheet, at.row, item.code);
                    done.codes -= 1;
                    book.refuse(item.at, why, item.text);
                }
                continue;
            }
            seen.insert(key.clone(), (item.at.clone(), row.clone()));
            let held: Vec<usize> =
                known.get(&key).into_iter().flatten().copied().filter(|n| self.end(*n) >= from).collect();
            match self.place(&held, &known_as, from) {
                Place::Unchanged => done.unchanged += 1,
                Place::New if self.pair_is_covered(&by_code, &row, from) => done.covered += 1,
                Place::New if sibling.is_some_and(|s| s.holds(&item, from).is_some()) => {
                    let (other, same) = sibling.and_then(|s| s.holds(&item, from)).unwrap_or_default();
                    if same {
                        done.covered += 1;
                    } else {
                        let why = format!(
                            "`{other}` says otherwise of `{}`: it would be found twice; import it there with `--table`",
                            item.code
                        );
                        done.codes -= 1;
                        book.refuse(item.at, why, item.text);
                    }
                }
                Place::New => {
                    self.beside(&by_code, &row, from, &mut done.overruled, &mut elsewhere);
                    done.added.push(self.shown(&row));
                    self.added.push(row);
                }
                Place::After(number, start) => {
                    let mut row = row;
                    row[1] = day::text(start);
                    done.added.push(self.shown(&row));
                    self.after.entry(number).or_default().push(row);
                }
                Place::Instead(number) => {
                    self.rows[number][2] = day::text(from - 1);
                    done.changed.push((self.shown(&self.rows[number]), self.shown(&row)));
                    self.after.entry(number).or_default().push(row);
                }
                Place::TooEarly(number) => {
                    let old = &self.rows[number];
                    let words =
                        |row: &[String]| self.values.iter().map(|at| row[*at].as_str()).collect::<Vec<_>>().join(" ");
                    let why = format!(
                        "the table says `{}` of `{}` since {}, the workbook says `{}`: say from which later day with `--from`",
                        words(old),
                        item.code,
                        if old[1].is_empty() { "ever" } else { &old[1] },
                        words(&row)
                    );
                    done.codes -= 1;
                    book.refuse(item.at, why, item.text);
                }
            }
        }
        if let [first, rest @ ..] = elsewhere.as_slice() {
            done.notes.push(format!(
                "{} added code(s) are in the table under another point too, and both now hold: {first}{}",
                elsewhere.len(),
                if rest.is_empty() { "" } else { ", …" }
            ));
        }
        self.retire(&seen, from, source, book, done);
    }

    /// What shorter codes, or another name for the same code, say so far: the longest code wins for each `point`, so a new row
    /// overrules a shorter one of its point and stands beside those of other points.
    fn beside(
        &self,
        by_code: &HashMap<String, Vec<usize>>,
        row: &[String],
        from: i32,
        overruled: &mut Vec<(Row, Row)>,
        elsewhere: &mut Vec<String>,
    ) {
        let pairs = self.header.iter().any(|h| h == "code_b");
        let points = self.header.iter().any(|h| h == "point");
        let shorter = (1..=row[0].len()).rev().filter_map(|length| row[0].get(..length).and_then(|c| by_code.get(c)));
        let mut nearest = None;
        for n in shorter.flatten().copied().filter(|n| self.begin(*n) <= from && self.end(*n) >= from) {
            let other = &self.rows[n];
            if self.of.is_none_or(|at| other[at] == row[at]) {
                nearest = nearest.or(Some(other));
            } else if points {
                elsewhere.push(format!("{} (`{}` of {})", row[0], self.shown(other).of, other[0]));
                break;
            }
        }
        if let Some(other) = nearest.filter(|other| !pairs && !self.says_the_same(other, row)) {
            overruled.push((self.shown(other), self.shown(row)));
        }
    }

    /// Ends rows that an earlier import of this workbook wrote and that are not in it any more.
    fn retire(
        &mut self,
        seen: &HashMap<(String, String, String), (At, Vec<String>)>,
        from: i32,
        source: &Source<'_>,
        book: &Workbook,
        done: &mut Imported,
    ) {
        let mark = source.mark();
        let gone: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.cell(&self.rows[*n], "source").contains(&mark) && self.rows[*n][2].is_empty())
            .filter(|n| !seen.contains_key(&self.key(&self.rows[*n])))
            .collect();
        let mut kept = 0;
        for number in gone {
            // An unread row may be the one that is missed; and a row cannot end before it began.
            if book.unread.is_empty() && self.begin(number) < from {
                self.rows[number][2] = day::text(from - 1);
                done.removed.push(self.shown(&self.rows[number]));
            } else {
                kept += 1;
            }
        }
        if kept > 0 {
            done.notes.push(format!(
                "{kept} row(s) of an earlier import of this workbook are not in it any more and were kept: they end when every row \
                 can be read and `--from` is a day after their first"
            ));
        }
    }

    fn row(&self, item: &Item, from: i32, source: &Source<'_>) -> Vec<String> {
        let mut row = vec![String::new(); self.header.len()];
        row[0].clone_from(&item.code);
        row[1] = day::text(from);
        for (at, value) in self.values.iter().zip(&item.values) {
            row[*at] = harmless(value).into_owned();
        }
        if let Some(last) = row.last_mut() {
            *last = source.of(&item.said);
        }
        row
    }

    fn begin(&self, number: usize) -> i32 {
        day::parse(&self.rows[number][1]).unwrap_or(i32::MIN)
    }

    fn end(&self, number: usize) -> i32 {
        day::parse(&self.rows[number][2]).unwrap_or(i32::MAX)
    }

    /// The row under the name that its code has in the table, where it has one name there, and another than the row's.
    fn other_name(&self, by_code: &HashMap<String, Vec<usize>>, row: &[String], from: i32) -> Option<Vec<String>> {
        let at = self.of.filter(|at| self.header[*at] == "point")?;
        let names: BTreeSet<&str> = by_code
            .get(&row[0])?
            .iter()
            .filter(|n| self.end(**n) >= from)
            .map(|n| self.rows[*n][at].as_str())
            .collect();
        let name = names.first().filter(|name| names.len() == 1 && **name != row[at])?;
        let mut same = row.to_vec();
        (*name).clone_into(&mut same[at]);
        Some(same)
    }

    /// Where a row goes among those of its key that hold on its first day or later.
    fn place(&self, held: &[usize], row: &[String], from: i32) -> Place {
        let Some(last) = held.iter().copied().max_by_key(|n| self.begin(*n)) else { return Place::New };
        let open = self.end(last) == i32::MAX;
        match (self.says_the_same(&self.rows[last], row), open) {
            (true, true) => Place::Unchanged,
            (true, false) => Place::After(last, self.end(last) + 1),
            (false, _) if self.begin(last) < from => Place::Instead(last),
            (false, _) => Place::TooEarly(last),
        }
    }

    /// Whether this table, a sibling of the one imported into, has the code: its file's name, and whether it says the same.
    fn holds(&self, item: &Item, from: i32) -> Option<(String, bool)> {
        let number = (0..self.rows.len()).find(|n| self.rows[*n][0] == item.code && self.end(*n) >= from)?;
        let row = &self.rows[number];
        let number = |text: &str| text.parse::<Decimal>().ok();
        let same =
            self.values.iter().zip(&item.values).filter(|(at, _)| Some(**at) != self.of).all(|(at, value)| {
                row[*at] == *value || (number(value).is_some() && number(value) == number(&row[*at]))
            });
        Some((self.file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned()), same))
    }

    /// Whether a row with shorter codes says this pair already: both would be found, as two facts.
    fn pair_is_covered(&self, by_code: &HashMap<String, Vec<usize>>, row: &[String], from: i32) -> bool {
        let (Some(b), Some(window)) =
            (self.header.iter().position(|h| h == "code_b"), self.header.iter().position(|h| h == "window"))
        else {
            return false;
        };
        (1..=row[0].len()).filter_map(|length| row[0].get(..length).and_then(|code| by_code.get(code))).flatten().any(
            |n| {
                let other = &self.rows[*n];
                row[b].starts_with(&other[b])
                    && other[window] == row[window]
                    && self.begin(*n) <= from
                    && self.end(*n) == i32::MAX
            },
        )
    }

    /// Writes the table in place of the old one, whole or not at all.
    fn write(&self) -> Result<(), Error> {
        let failed = |source| Error::Disk { doing: format!("write `{}`", self.file.display()), source };
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        let mut put = |row: &Vec<String>| writer.write_record(row).map_err(|e| failed(e.into()));
        put(&self.header)?;
        for (number, row) in self.rows.iter().enumerate() {
            put(row)?;
            for new in self.after.get(&number).into_iter().flatten() {
                put(new)?;
            }
        }
        for row in &self.added {
            put(row)?;
        }
        let bytes = writer.into_inner().map_err(|e| failed(e.into_error()))?;
        let text = String::from_utf8_lossy(&bytes);
        let name = self.file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        Knowledge::read(name, &text).map_err(|wrong| broken(&self.file, &wrong))?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let mut new = tempfile::Builder::new().prefix(aside::PREFIX).tempfile_in(folder).map_err(failed)?;
        new.write_all(&bytes).map_err(failed)?;
        // A temporary file is its owner's alone; a table is everybody's who may read the library.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&self.file).map_or(0o644, |m| m.permissions().mode());
            fs::set_permissions(new.path(), fs::Permissions::from_mode(mode)).map_err(failed)?;
        }
        new.persist(&self.file).map_err(|e| failed(e.error))?;
        Ok(())
    }
}

fn broken(file: &Path, wrong: &[(usize, String)]) -> Error {
    let lines: Vec<String> =
        wrong.iter().take(20).map(|(line, why)| format!("`{}` line {line}: {why}", file.display())).collect();
    Error::Usage(format!("{}\nthe table has {} mistake(s), nothing was written", lines.join("\n"), wrong.len()))
}

/// What is to be done with a row.
enum Place {
    Unchanged,
    New,
    /// After this row, which says the same until the day before.
    After(usize, i32),
    /// This row ends, the new one takes its place.
    Instead(usize),
    /// This row says otherwise and begins on the same day or later.
    TooEarly(usize),
}

impl Imported {
    /// For people.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let zh = lang == Lang::Zh;
        let mut text = format!("{} → {}\n", if self.batch.is_empty() { "—" } else { &self.batch }, self.file.display());
        for s in &self.sheets {
            text.push_str(&if zh {
                format!(
                    "工作表 `{}`  {} 行 = 标题和表头 {} + 说明 {} + 读入 {} + 未读 {}\n",
                    s.name, s.rows, s.above, s.remarks, s.read, s.unread
                )
            } else {
                format!(
                    "sheet `{}`  {} rows = title and header {} + remarks {} + read {} + unread {}\n",
                    s.name, s.rows, s.above, s.remarks, s.read, s.unread
                )
            });
        }
        let (added, changed, removed) = (self.added.len(), self.changed.len(), self.removed.len());
        let Imported { points, codes, unchanged, repeated, covered, .. } = self;
        text.push_str(&if zh {
            format!("知识点 {points}，编码 {codes} = 新增 {added} + 改值 {changed} + 未变 {unchanged} + 重复 {repeated} + 别的行已说 {covered}\n旧行截止 {}（被取代 {changed}，工作簿里不再有 {removed}）\n", changed + removed)
        } else {
            format!("points {points}, codes {codes} = added {added} + changed {changed} + unchanged {unchanged} + repeated {repeated} + said already by another row {covered}\nold rows ended {} (superseded {changed}, no longer in the workbook {removed})\n", changed + removed)
        });
        for new in self.added.iter().take(SHOWN) {
            text.push_str(&format!("  + {} {}  {} ({} ..)\n", new.code, new.of, words(new), new.from));
        }
        if added > SHOWN {
            let more = added - SHOWN;
            text.push_str(&if zh {
                format!("  … 另 {more} 行，`--format csv` 给全部\n")
            } else {
                format!("  … {more} more, all with `--format csv`\n")
            });
        }
        for (old, new) in &self.overruled {
            text.push_str(&format!(
                "  ! {} {}  {} {} {} {}\n",
                new.code,
                new.of,
                words(new),
                if zh { "盖过较短的" } else { "overrules the shorter" },
                old.code,
                words(old)
            ));
        }
        for (old, new) in &self.changed {
            text.push_str(&format!(
                "  ~ {} {}  {} ({} .. {}) → {} ({} ..)\n",
                new.code,
                new.of,
                words(old),
                old.from,
                old.until,
                words(new),
                new.from
            ));
        }
        for old in &self.removed {
            text.push_str(&format!("  - {} {}  {} ({} .. {})\n", old.code, old.of, words(old), old.from, old.until));
        }
        for (name, rows) in [(if zh { "说明" } else { "remark" }, &self.remarks)] {
            for (at, said) in rows {
                text.push_str(&format!("  {name} `{}` {}: {said}\n", at.sheet, at.row));
            }
        }
        for u in &self.unread {
            text.push_str(&format!(
                "  {} `{}` {}: {}  [{}]\n",
                if zh { "未读" } else { "unread" },
                u.at.sheet,
                u.at.row,
                u.why,
                u.text
            ));
        }
        for note in &self.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text.push_str(match (self.dry_run, zh) {
            (true, true) => "只是试算，没有写\n",
            (true, false) => "a trial: nothing was written\n",
            (false, true) => "接着：fundaudit rules check，再用 fundaudit rules diff 看疑点变了多少\n",
            (false, false) => {
                "next: fundaudit rules check, then fundaudit rules diff to see what becomes of findings\n"
            }
        });
        text
    }

    /// Everything.
    #[must_use]
    pub fn json(&self) -> Value {
        let row = |r: &Row| {
            let values: serde_json::Map<String, Value> =
                r.values.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
            json!({ "code": r.code, "of": r.of, "from": r.from, "until": r.until, "values": values, "source": r.source })
        };
        json!({
            "table": self.table, "file": self.file, "batch": self.batch, "dry_run": self.dry_run,
            "sheets": self.sheets.iter().map(|s| json!({ "name": s.name, "rows": s.rows, "above": s.above, "remarks": s.remarks, "read": s.read, "unread": s.unread })).collect::<Vec<_>>(),
            "points": self.points, "codes": self.codes, "unchanged": self.unchanged, "repeated": self.repeated, "covered": self.covered,
            "added": self.added.iter().map(row).collect::<Vec<_>>(),
            "changed": self.changed.iter().map(|(old, new)| json!({ "old": row(old), "new": row(new) })).collect::<Vec<_>>(),
            "overruled": self.overruled.iter().map(|(old, new)| json!({ "old": row(old), "new": row(new) })).collect::<Vec<_>>(),
            "removed": self.removed.iter().map(row).collect::<Vec<_>>(),
            "remarks": self.remarks.iter().map(|(at, text)| json!({ "sheet": at.sheet, "row": at.row, "text": text })).collect::<Vec<_>>(),
            "unread": self.unread.iter().map(|u| json!({ "sheet": u.at.sheet, "row": u.at.row, "why": u.why, "text": u.text })).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }

    /// A line a row that is added, ended or unread.
    #[must_use]
    pub fn csv(&self) -> Vec<[String; 9]> {
        let line =
            |what: &str, r: &Row| [what, &r.code, &r.of, &r.from, &r.until, &words(r), "", "", ""].map(str::to_owned);
        let mut lines: Vec<[String; 9]> =
            vec![["what", "code", "of", "from", "until", "values", "sheet", "row", "why"].map(str::to_owned)];
        lines.extend(self.added.iter().map(|r| line("added", r)));
        lines.extend(self.changed.iter().flat_map(|(old, new)| [line("superseded", old), line("changed", new)]));
        lines.extend(self.overruled.iter().map(|(old, _)| line("overruled", old)));
        lines.extend(self.removed.iter().map(|r| line("removed", r)));
        lines.extend(self.unread.iter().map(|u| {
            let empty = String::new;
            [
                "unread".to_owned(),
                empty(),
                empty(),
                empty(),
                empty(),
                u.text.clone(),
                u.at.sheet.clone(),
                u.at.row.to_string(),
                u.why.clone(),
            ]
        }));
        lines
    }
}

fn words(row: &Row) -> String {
    row.values.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
