//! Rows of cells as text, whatever file they came from.
//!
//! Every reader hands out [`Block`]s: one text, the cells as ranges of it, the rows as ranges of cells, each with the
//! number that a person sees in an editor or spreadsheet. No cell has a `String` of its own. Goes in: what a reader
//! found. Comes out: cells. Not known here: encodings, tables, columns.

use std::borrow::Cow;

/// More cells than this in a row are not looked at: no table is that wide.
pub(super) const MOST_CELLS: usize = 1_024;

/// Some rows.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub text: String,
    pub cells: Vec<(u32, u32)>,
    pub rows: Vec<Row>,
    /// Cells stand by position, as in a sheet: their number tells nothing.
    pub fixed: bool,
}

/// One row of a block.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// 1-based, as an editor or a spreadsheet shows it.
    pub number: u64,
    first: u32,
    /// Cells kept.
    kept: u32,
    /// Cells found, which may be more than were kept.
    pub found: u32,
    /// What is wrong with the row as a whole, if anything is; its only cell is then an excerpt of it.
    pub trouble: Option<Cow<'static, str>>,
}

impl Row {
    /// A row of `kept` cells from the one at `first`.
    pub(super) fn new(
        number: u64,
        first: usize,
        kept: usize,
        found: usize,
        trouble: Option<Cow<'static, str>>,
    ) -> Self {
        Row { number, first: offset(first), kept: offset(kept), found: offset(found), trouble }
    }
}

impl Block {
    /// The cell at a position of a row; empty beyond its end.
    pub(super) fn cell(&self, row: &Row, position: usize) -> &str {
        if position >= row.kept as usize {
            return "";
        }
        let (from, until) = self.cells[row.first as usize + position];
        if from == until {
            return "";
        }
        &self.text[from as usize..until as usize]
    }

    /// All cells of a row.
    pub(super) fn row_cells<'a>(&'a self, row: &Row) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
        let first = row.first as usize;
        self.cells[first..first + row.kept as usize]
            .iter()
            .map(|&(from, until)| &self.text[from as usize..until as usize])
    }

    /// Whether every cell of the row is blank.
    pub(super) fn is_blank(&self, row: &Row) -> bool {
        row.trouble.is_none() && self.row_cells(row).all(|c| c.trim().is_empty())
    }

    /// Adds a cell to the row being written.
    pub(super) fn push_cell(&mut self, text: &str) {
        let from = offset(self.text.len());
        self.text.push_str(text);
        self.cells.push((from, offset(self.text.len())));
    }

    /// Ends the row whose cells begin at `first`.
    pub(super) fn end_row(&mut self, number: u64, first: usize, found: usize, trouble: Option<Cow<'static, str>>) {
        self.rows.push(Row::new(number, first, self.cells.len() - first, found, trouble));
    }
}

/// Blocks are a few megabytes; ranges in them are kept in 32 bits.
pub(super) fn offset(position: usize) -> u32 {
    u32::try_from(position).expect("a block of rows is a few megabytes")
}

/// The first characters of a text, for a list that people read.
pub(super) fn excerpt(text: &str) -> &str {
    match text.char_indices().nth(200) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}
