//! The files of an export: comma-separated text in UTF-8 or GB18030, or workbooks as somebody makes them by hand.
//!
//! Goes in: rows of text, in pieces, in order. Comes out: files in a folder, the same bytes for the same rows. All three
//! forms carry the same facts: the flat workbook repeats encounter and settlement on every line; where a settlement has no
//! line, all settlements stand in a workbook of their own beside it. Not known here: where rows come from, what they mean.
//!
//! To add a form: a variant of [`Form`], a branch in [`Export::create`] and in [`Export::write`].

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use encoding_rs::GB18030;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet};

use super::rows::{Row, Rows};
use super::{Error, Form};
use crate::model::{Kind, Table};
use crate::progress::{Progress, Stoppable};

/// Rows of a worksheet before the next file is begun; a sheet holds 1,048,576.
const SHEET_ROWS: u32 = 1_000_000;

/// Columns of a settlement that a fee line has too, with another meaning or for a settlement of its own.
const CLASHING: [&str; 6] =
    ["med_type", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_amt", "crte_time"];

/// Rows ready for the files: bytes for text forms, rows for workbooks.
pub enum Piece {
    /// Encoded text by table.
    Bytes(Vec<Vec<u8>>),
    /// Flat rows, then the other tables' rows, and whether a settlement of them is on no line.
    Rows(Vec<Row>, Vec<Vec<Row>>, bool),
}

/// Makes a piece of these persons' rows. Runs on many threads; [`Export::write`] does not.
///
/// # Errors
/// When a row cannot be written as comma-separated text.
pub fn piece(form: Form, persons: Vec<Rows>, mix: impl FnOnce(&mut [Vec<Row>])) -> Result<Piece, Error> {
    if form == Form::XlsxFlat {
        let mut tables: [Vec<Row>; 10] = Default::default();
        let mut flat = Vec::new();
        let mut lineless = false;
        for mut rows in persons {
            flat.extend(flat_rows(&rows));
            lineless |= has_lineless(&rows);
            for table in Table::ALL.into_iter().filter(|&table| has_book(table)) {
                tables[table as usize].append(&mut rows.tables[table as usize]);
            }
        }
        let mut all: Vec<Vec<Row>> = std::iter::once(flat).chain(tables).collect();
        mix(&mut all);
        let flat = all.remove(0);
        return Ok(Piece::Rows(flat, all, lineless));
    }
    let mut tables: Vec<Vec<Row>> = vec![Vec::new(); Table::ALL.len()];
    for rows in persons {
        for (all, mut of_person) in tables.iter_mut().zip(rows.tables) {
            all.append(&mut of_person);
        }
    }
    mix(&mut tables);
    tables.iter().map(|rows| encoded(form, rows)).collect::<Result<_, _>>().map(Piece::Bytes)
}

/// Rows as bytes of a text form.
fn encoded(form: Form, rows: &[Row]) -> Result<Vec<u8>, Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|source| Error::Row { source })?;
    }
    let bytes = writer.into_inner().map_err(|source| Error::Row { source: source.into_error().into() })?;
    if form == Form::CsvGb18030 {
        let text = String::from_utf8_lossy(&bytes);
        return Ok(GB18030.encode(&text).0.into_owned());
    }
    Ok(bytes)
}

/// Whether the flat workbook carries the table.
fn in_flat(table: Table) -> bool {
    matches!(table, Table::FeeDetail | Table::Encounter | Table::Settlement)
}

/// The columns of the flat workbook: table, column, header.
fn flat_columns() -> Vec<(Table, usize, String)> {
    let mut columns: Vec<(Table, usize, String)> = Vec::new();
    for table in [Table::FeeDetail, Table::Encounter, Table::Settlement] {
        for (at, column) in table.columns().iter().enumerate() {
            let known = columns.iter().any(|&(of, at, _)| of.columns()[at].name == column.name);
            if !known {
                columns.push((table, at, chinese(table, at).to_owned()));
            } else if table == Table::Settlement && CLASHING.contains(&column.name) {
                columns.push((table, at, format!("结算.{}", chinese(table, at))));
            }
        }
    }
    columns
}

fn flat_rows(rows: &Rows) -> Vec<Row> {
    let columns = flat_columns();
    let (lines, encounters, settlements) =
        (rows.of(Table::FeeDetail), rows.of(Table::Encounter), rows.of(Table::Settlement));
    lines
        .iter()
        .zip(&rows.belongs)
        .map(|(line, &(encounter, settlement))| {
            columns
                .iter()
                .map(|&(table, at, _)| match table {
                    Table::FeeDetail => line[at].clone(),
                    Table::Encounter => encounters[encounter][at].clone(),
                    _ => settlement.map(|settlement| settlements[settlement][at].clone()).unwrap_or_default(),
                })
                .collect()
        })
        .collect()
}

/// Whether a settlement has no line that could repeat it.
fn has_lineless(rows: &Rows) -> bool {
    let on_lines: BTreeSet<usize> = rows.belongs.iter().filter_map(|&(_, settlement)| settlement).collect();
    on_lines.len() < rows.of(Table::Settlement).len()
}

/// Whether a table has a workbook of its own beside the flat one; that of settlements is kept only where it is needed.
fn has_book(table: Table) -> bool {
    !in_flat(table) || table == Table::Settlement
}

/// The first Chinese header of a column.
fn chinese(table: Table, at: usize) -> &'static str {
    let column = &table.columns()[at];
    column.aliases.iter().find(|alias| !alias.is_ascii()).copied().unwrap_or(column.name)
}

/// The first Chinese name of a table's file.
fn chinese_file(table: Table) -> &'static str {
    table.file_names().iter().find(|name| !name.is_ascii()).copied().unwrap_or(table.name())
}

/// The files being written.
pub struct Export {
    folder: PathBuf,
    state: State,
    period: String,
}

enum State {
    Text(Vec<BufWriter<File>>),
    Books { flat: Box<Book>, parts: u32, others: Vec<Option<Book>>, lineless: bool },
}

/// A workbook with one sheet, written from top to bottom.
struct Book {
    workbook: Workbook,
    next: u32,
    numbers: Vec<bool>,
    total: Option<usize>,
    sum: f64,
}

impl Export {
    /// Opens the files of an export in a folder, which is made if it is missing.
    ///
    /// # Errors
    /// When the folder or a file cannot be made.
    pub fn create(form: Form, folder: &Path, period: String) -> Result<Export, Error> {
        std::fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
        let state = if form == Form::XlsxFlat {
            let mut others = Vec::new();
            for table in Table::ALL {
                others.push(if has_book(table) { Some(Book::of_table(table, &period)?) } else { None });
            }
            State::Books { flat: Box::new(Book::flat(&period)?), parts: 0, others, lineless: false }
        } else {
            let mut files = Vec::new();
            for table in Table::ALL {
                let name = if form == Form::Csv { table.name() } else { chinese_file(table) };
                let path = folder.join(format!("{name}.csv"));
                let mut file = BufWriter::new(File::create(&path).map_err(|source| Error::file(&path, source))?);
                let header: Row = (0..table.columns().len())
                    .map(|at| if form == Form::Csv { table.columns()[at].name } else { chinese(table, at) }.to_owned())
                    .collect();
                file.write_all(&encoded(form, &[header])?).map_err(|source| Error::file(&path, source))?;
                files.push(file);
            }
            State::Text(files)
        };
        Ok(Export { folder: folder.to_owned(), state, period })
    }

    /// Writes the next piece.
    ///
    /// # Errors
    /// When the disk or the workbook refuses.
    pub fn write(&mut self, piece: Piece, progress: &dyn Progress) -> Result<(), Error> {
        match (&mut self.state, piece) {
            (State::Text(files), Piece::Bytes(tables)) => {
                for (file, bytes) in files.iter_mut().zip(tables) {
                    file.write_all(&bytes).map_err(|source| Error::file(&self.folder, source))?;
                }
            }
            (State::Books { flat, parts, others, lineless }, Piece::Rows(lines, tables, more)) => {
                *lineless |= more;
                for line in &lines {
                    if flat.next >= SHEET_ROWS {
                        let full = std::mem::replace(flat, Box::new(Book::flat(&self.period)?));
                        *parts += 1;
                        full.save(&self.folder.join(flat_name(*parts)), progress)?;
                    }
                    flat.row(line)?;
                }
                for (book, rows) in others.iter_mut().zip(&tables) {
                    for row in rows {
                        if let Some(book) = book {
                            book.row(row)?;
                        }
                    }
                }
            }
            (State::Text(_), Piece::Rows(..)) | (State::Books { .. }, Piece::Bytes(_)) => {}
        }
        Ok(())
    }

    /// Closes the files.
    ///
    /// # Errors
    /// When the disk or the workbook refuses.
    pub fn finish(self, progress: &dyn Progress) -> Result<(), Error> {
        match self.state {
            State::Text(files) => {
                for mut file in files {
                    file.flush().map_err(|source| Error::file(&self.folder, source))?;
                }
            }
            State::Books { flat, parts, others, lineless } => {
                flat.save(&self.folder.join(flat_name(parts + 1)), progress)?;
                for (table, book) in Table::ALL.into_iter().zip(others) {
                    if let Some(book) = book.filter(|_| !in_flat(table) || lineless) {
                        book.save(&self.folder.join(format!("{}.xlsx", chinese_file(table))), progress)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn flat_name(part: u32) -> String {
    if part <= 1 { String::from("费用明细.xlsx") } else { format!("费用明细-{part}.xlsx") }
}

impl Book {
    fn flat(period: &str) -> Result<Book, Error> {
        let columns = flat_columns();
        let total = columns
            .iter()
            .position(|&(table, at, _)| table == Table::FeeDetail && table.columns()[at].name == "det_item_fee_sumamt");
        let headers: Vec<String> = columns.iter().map(|(_, _, header)| header.clone()).collect();
        let numbers = columns.iter().map(|&(table, at, _)| is_number(table, at)).collect();
        Book::new("沂源县医疗费用明细（仿真数据）", period, &headers, numbers, total)
    }

    fn of_table(table: Table, period: &str) -> Result<Book, Error> {
        let headers: Vec<String> = (0..table.columns().len()).map(|at| chinese(table, at).to_owned()).collect();
        let numbers = (0..table.columns().len()).map(|at| is_number(table, at)).collect();
        Book::new(&format!("沂源县{}（仿真数据）", chinese_file(table)), period, &headers, numbers, None)
    }

    /// A title across the columns, a line about the period, the header.
    fn new(
        title: &str,
        period: &str,
        headers: &[String],
        numbers: Vec<bool>,
        total: Option<usize>,
    ) -> Result<Book, Error> {
        let mut workbook = Workbook::new();
        let made = ExcelDateTime::from_ymd(2026, 1, 1).map_err(Error::workbook)?;
        workbook.set_properties(&DocProperties::new().set_creation_datetime(&made));
        let sheet = workbook.add_worksheet_with_constant_memory().map_err(Error::workbook)?;
        let width = u16::try_from(headers.len()).unwrap_or(u16::MAX);
        let middle = Format::new().set_align(FormatAlign::Center).set_bold();
        sheet.merge_range(0, 0, 0, width - 1, title, &middle).map_err(Error::workbook)?;
        sheet.write_string(1, 0, period).map_err(Error::workbook)?;
        for (at, header) in (0_u16..).zip(headers) {
            sheet.write_string(2, at, header).map_err(Error::workbook)?;
        }
        Ok(Book { workbook, next: 3, numbers, total, sum: 0.0 })
    }

    fn sheet(&mut self) -> Result<&mut Worksheet, Error> {
        self.workbook.worksheet_from_index(0).map_err(Error::workbook)
    }

    fn row(&mut self, row: &Row) -> Result<(), Error> {
        let next = self.next;
        let numbers = std::mem::take(&mut self.numbers);
        let total = self.total;
        let mut amount = 0.0;
        let sheet = self.sheet()?;
        for ((at, text), &number) in (0_u16..).zip(row).zip(&numbers) {
            if text.is_empty() {
                continue;
            }
            let value = if number { as_number(text) } else { None };
            match value {
                Some(value) => {
                    if total == Some(usize::from(at)) {
                        amount = value;
                    }
                    sheet.write_number(next, at, value).map_err(Error::workbook)?
                }
                None => sheet.write_string(next, at, text).map_err(Error::workbook)?,
            };
        }
        self.numbers = numbers;
        self.sum += amount;
        self.next += 1;
        Ok(())
    }

    /// Totals at the foot, then the file.
    fn save(mut self, path: &Path, progress: &dyn Progress) -> Result<(), Error> {
        if let Some(total) = self.total {
            let (next, sum) = (self.next, (self.sum * 100.0).round() / 100.0);
            let at = u16::try_from(total).unwrap_or(0);
            let sheet = self.sheet()?;
            sheet.write_string(next, 0, "合计").map_err(Error::workbook)?;
            sheet.write_number(next, at, sum).map_err(Error::workbook)?;
            sheet.write_string(next + 2, 0, "制表：示例　　审核：示例").map_err(Error::workbook)?;
        }
        let file = File::create(path).map_err(|source| Error::file(path, source))?;
        let file = BufWriter::new(Stoppable::new(file, progress));
        self.workbook.save_to_writer(file).map_err(Error::workbook)
    }
}

/// Whether a column is written as numbers: amounts and quantities, and the medical type, which a spreadsheet takes for one.
fn is_number(table: Table, at: usize) -> bool {
    let column = &table.columns()[at];
    matches!(column.kind, Kind::Money | Kind::Price | Kind::Quantity | Kind::Degree) || column.name == "med_type"
}

/// Plain digits as a number; `1,234.50` and `１２` stay text.
fn as_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if plain { text.parse().ok() } else { None }
}
