//! Workbooks as rows of text, cell by cell, never a whole sheet in memory.
//!
//! A workbook is a zip of XML, and both can be made to cost a thousand times their size. Before a library sees it, every
//! part is inflated once to nowhere and counted: what the zip says of its sizes is not believed. Then sheets are streamed.
//! Goes in: a path. Comes out: the sheets with something in them, and [`Block`]s. Days come as the numbers that the sheet
//! holds. Not known here: headers, tables.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use calamine::{DataRef, ExcelDateTime, Reader, SheetVisible, Xlsx};

use super::Error;
use super::rows::Block;
use crate::progress::Progress;

const MOST_ROWS: u32 = 1_048_576;
const MOST_COLUMNS: u32 = 512;
const MOST_CELLS: u64 = 50_000_000;

/// One part of the zip, inflated.
const LARGEST_PART: u64 = 1 << 30;
/// The shared texts, which are held in memory.
const LARGEST_TEXTS: u64 = 256 << 20;
/// Other parts that are held in memory: styles, relations.
const LARGEST_OTHER: u64 = 32 << 20;
/// Inflated bytes to a byte of the zip, beyond the first of them.
const STEEPEST: u64 = 200;
const STEEPNESS_FROM: u64 = 32 << 20;
/// Bytes without a tag: one cell's text.
const LONGEST_TEXT: u64 = 1 << 20;

const ROWS: usize = 4_096;
const BYTES: usize = 2 << 20;

/// Inflates every part to nowhere and refuses what is too much.
fn weigh(path: &Path, progress: &dyn Progress) -> Result<(), Error> {
    let broken = |e: &dyn std::fmt::Display| {
        Error::new(format!(
            "`{}` is not a whole workbook: {e}; open it in a spreadsheet and save it again",
            path.display()
        ))
    };
    let file = File::open(path).map_err(|e| Error::at(path, "open", &e))?;
    let mut zip = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| broken(&e))?;
    if zip.len() > 10_000 {
        return Err(Error::new(format!("`{}` has {} parts; wanted a workbook", path.display(), zip.len())));
    }
    let mut buffer = vec![0; 64 << 10];
    for i in 0..zip.len() {
        let mut part = zip.by_index(i).map_err(|e| broken(&e))?;
        let name = part.name().map_err(|e| broken(&e))?.to_lowercase();
        let packed = part.compressed_size().max(1);
        let most = if name.ends_with("sharedstrings.xml") {
            LARGEST_TEXTS
        } else if name.contains("worksheets/sheet") || name.contains("/media/") {
            LARGEST_PART
        } else {
            LARGEST_OTHER
        };
        let too_much = |what: String| {
            Error::new(format!("`{}` is refused: its part `{name}` {what}; save the data as CSV", path.display()))
        };
        let is_text = matches!(name.rsplit_once('.'), Some((_, "xml" | "rels")));
        let (mut size, mut without_tag) = (0_u64, 0_u64);
        loop {
            let length = part.read(&mut buffer).map_err(|e| broken(&e))?;
            if length == 0 {
                break;
            }
            progress.go_on()?;
            size += length as u64;
            if size > most {
                return Err(too_much(format!("inflates to more than {} MB", most >> 20)));
            }
            if size > STEEPNESS_FROM && size / packed > STEEPEST {
                return Err(too_much(format!("inflates to more than {STEEPEST} times its size")));
            }
            if is_text {
                for piece in buffer[..length].split_inclusive(|&b| b == b'<') {
                    without_tag += piece.len() as u64;
                    if without_tag > LONGEST_TEXT {
                        return Err(too_much("has a text of more than 1 MB".to_owned()));
                    }
                    if piece.ends_with(b"<") {
                        without_tag = 0;
                    }
                }
            }
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<Xlsx<BufReader<File>>, Error> {
    let file = File::open(path).map_err(|e| Error::at(path, "open", &e))?;
    Xlsx::new(BufReader::new(file)).map_err(|e| {
        Error::new(format!("`{}` is not a workbook that can be read: {e}; save it as .xlsx again", path.display()))
    })
}

/// The sheets with a row or more, each with its first rows.
pub(super) fn sheets(
    path: &Path,
    label: &str,
    rows: usize,
    notes: &mut Vec<String>,
    progress: &dyn Progress,
) -> Result<Vec<(String, Block)>, Error> {
    weigh(path, progress)?;
    let mut book = open(path)?;
    let mut found = Vec::new();
    for sheet in book.sheets_metadata().to_vec() {
        let mut preview = None;
        let walked = walk(&mut book, path, &sheet.name, rows, &mut |block: Block, _| {
            preview = Some(block);
            false
        });
        if let Err(error) = walked {
            notes.push(format!("{error}: not read"));
            continue;
        }
        let Some(preview) = preview.filter(|p| p.rows.iter().any(|r| !p.is_blank(r))) else { continue };
        if sheet.visible != SheetVisible::Visible {
            notes.push(format!("the sheet `{}` of `{label}` is hidden; it is looked at like the others", sheet.name));
        }
        found.push((sheet.name, preview));
    }
    if found.is_empty() {
        return Err(Error::new(format!("`{label}` has no sheet with rows; wanted a header and rows")));
    }
    // Sheets without a header beside one that has it are remarks, not tables.
    let usable = |block: &Block| super::header::find(block, None).is_some_and(|h| h.cells.len() > 2);
    if found.iter().any(|(_, block)| usable(block)) {
        found.retain(|(name, block)| {
            let keep = usable(block);
            if !keep {
                notes.push(format!("the sheet `{name}` of `{label}` has no header: not read"));
            }
            keep
        });
    }
    Ok(found)
}

/// A sheet as a person sees it: rows that are not blank, each with its 1-based number, cells as text.
#[derive(Debug, Clone)]
pub struct Sheet {
    pub name: String,
    pub rows: Vec<(u64, Vec<String>)>,
}

/// All sheets of a small workbook, for those that people write by hand; exports are streamed.
///
/// # Errors
/// A file that is no workbook, or one that is larger than people write by hand.
pub fn sheets_of(path: &Path, progress: &dyn Progress) -> Result<Vec<Sheet>, Error> {
    const MOST: usize = 200_000;
    weigh(path, progress)?;
    let mut book = open(path)?;
    let mut sheets = Vec::new();
    for meta in book.sheets_metadata().to_vec() {
        let mut rows = Vec::new();
        walk(&mut book, path, &meta.name, ROWS, &mut |block: Block, _| {
            for row in block.rows.iter().filter(|r| !block.is_blank(r)) {
                rows.push((row.number, block.row_cells(row).map(|c| c.trim().to_owned()).collect()));
            }
            rows.len() <= MOST && !progress.stopped()
        })?;
        progress.go_on()?;
        if rows.len() > MOST {
            return Err(Error::new(format!(
                "the sheet `{}` of `{}` has more than {MOST} rows",
                meta.name,
                path.display()
            )));
        }
        sheets.push(Sheet { name: meta.name, rows });
    }
    Ok(sheets)
}

/// Reads a sheet; `emit` gets blocks of `rows` rows with their share of bytes, and says whether to go on.
fn walk(
    book: &mut Xlsx<BufReader<File>>,
    path: &Path,
    sheet: &str,
    rows: usize,
    emit: &mut dyn FnMut(Block, u64) -> bool,
) -> Result<(), Error> {
    let failed =
        |e: &dyn std::fmt::Display| Error::new(format!("cannot read the sheet `{sheet}` of `{}`: {e}", path.display()));
    let mut cells = book.worksheet_cells_reader(sheet).map_err(|e| failed(&e))?;
    let mut block = Block { fixed: true, ..Block::default() };
    let mut row = RowSoFar::default();
    let mut count = 0_u64;
    while let Some(cell) = cells.next_cell().map_err(|e| failed(&e))? {
        let (number, column) = cell.get_position();
        count += 1;
        if number >= MOST_ROWS || count > MOST_CELLS {
            return Err(failed(&format!("more than {MOST_ROWS} rows or {MOST_CELLS} cells; save the data as CSV")));
        }
        if matches!(cell.get_value(), DataRef::Empty) {
            continue;
        }
        if number != row.number || row.cells.is_empty() {
            row.end(&mut block);
            row.number = number;
            if block.rows.len() >= rows || block.text.len() >= BYTES || block.cells.len() >= BYTES {
                let full = std::mem::replace(&mut block, Block { fixed: true, ..Block::default() });
                let bytes = full.text.len() as u64;
                if !emit(full, bytes) {
                    return Ok(());
                }
            }
        }
        row.push(column, cell.get_value());
    }
    row.end(&mut block);
    if !block.rows.is_empty() {
        let bytes = block.text.len() as u64;
        emit(block, bytes);
    }
    Ok(())
}

/// The cells of a row, by column.
#[derive(Debug, Default)]
struct RowSoFar {
    number: u32,
    cells: Vec<(u32, String)>,
    far: Option<u32>,
}

impl RowSoFar {
    fn push(&mut self, column: u32, value: &DataRef<'_>) {
        if column >= MOST_COLUMNS {
            self.far = Some(column);
            if self.cells.is_empty() {
                self.cells.push((0, String::new()));
            }
            return;
        }
        self.cells.push((column, text_of(value)));
    }

    fn end(&mut self, block: &mut Block) {
        if self.cells.is_empty() {
            return;
        }
        self.cells.sort_by_key(|(column, _)| *column);
        let first = block.cells.len();
        let mut next = 0;
        for (column, text) in self.cells.drain(..) {
            while next < column {
                block.push_cell("");
                next += 1;
            }
            if next == column {
                block.push_cell(&text);
                next += 1;
            }
        }
        let trouble = self
            .far
            .take()
            .map(|column| format!("a cell in column {}; at most {MOST_COLUMNS} columns are read", column + 1).into());
        let found = block.cells.len() - first;
        block.end_row(u64::from(self.number) + 1, first, found, trouble);
    }
}

fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number_text(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(yes) => String::from(if *yes { "1" } else { "0" }),
        DataRef::DateTime(day) => day_text(day),
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    }
}

fn day_text(day: &ExcelDateTime) -> String {
    if !day.is_datetime() {
        return number_text(day.as_f64());
    }
    // Both date systems, 1900 and 1904, come out as civil time.
    let (year, month, day, hour, minute, second, _) = day.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// A number as the spreadsheet shows it: fifteen digits, and from 10^15 in the form that tells an identifier has lost its end.
fn number_text(number: f64) -> String {
    if !number.is_finite() {
        return "#NUM!".to_owned();
    }
    if number.abs() >= 1e15 {
        let text = format!("{number:.14e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}E+{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'));
    }
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    rounded.to_string()
}

/// Hands out the rows of a sheet, which another thread reads.
pub(super) struct Blocks {
    path: PathBuf,
    receiver: Receiver<Result<(Block, u64), Error>>,
    thread: Option<JoinHandle<()>>,
}

impl Blocks {
    pub(super) fn open(path: &Path, sheet: &str) -> Blocks {
        let (sender, receiver) = sync_channel(2);
        let (own_path, sheet) = (path.to_owned(), sheet.to_owned());
        let thread = std::thread::spawn(move || {
            let read = open(&own_path).and_then(|mut book| {
                walk(&mut book, &own_path, &sheet, ROWS, &mut |block, bytes| sender.send(Ok((block, bytes))).is_ok())
            });
            if let Err(error) = read {
                // Nobody listens any more: nobody wants to know.
                let _ = sender.send(Err(error));
            }
        });
        Blocks { path: path.to_owned(), receiver, thread: Some(thread) }
    }

    /// The next rows, and their size.
    pub(super) fn next(&mut self) -> Result<Option<(Block, u64)>, Error> {
        if let Ok(read) = self.receiver.recv() {
            return read.map(Some);
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => {
                Err(Error::new(format!("`{}` is broken in a way that its reader cannot handle", self.path.display())))
            }
            _ => Ok(None),
        }
    }
}
