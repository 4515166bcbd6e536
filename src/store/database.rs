//! What the store asks of a database: transactions in which one text of SQL runs.
//!
//! Goes in: SQL that SQLite and PostgreSQL both understand, with `$1`, `$2` … for its values, and values that are whole
//! numbers or texts. Comes out: rows of such cells. Money is cents, a day is its number, a flag is 0 or 1: with two types there
//! is nothing on which the two could differ. Deliberately unknown here: what the tables mean.
//!
//! To add a database: a [`Database`] that opens transactions, a [`Session`] that runs SQL in one.

use std::borrow::Cow;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::Error;
use crate::model::money;

/// A database with the tables of `schema.rs`.
pub(super) trait Database: Send + Sync {
    /// A transaction that sees one moment and changes nothing. `doing` stands in errors: cannot *list findings*.
    fn read(&self, doing: &'static str) -> Result<Box<dyn Session + '_>, Error>;

    /// A transaction that writes. What it wrote is there after [`Session::commit`], and not at all without.
    fn write(&self, doing: &'static str) -> Result<Box<dyn Session + '_>, Error>;

    /// A transaction that writes while nobody else writes findings.
    fn write_alone(&self, doing: &'static str) -> Result<Box<dyn Session + '_>, Error>;

    /// Where it is, without a password.
    fn place(&self) -> String;

    /// Name and version; bytes on the disk.
    fn about(&self) -> Result<(String, Option<u64>), Error>;

    /// What the database's own check complains of.
    fn check(&self) -> Result<Vec<String>, Error>;
}

/// What a row that is there already means for one that is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There<'a> {
    /// It must not be.
    Fails,
    /// It stays.
    Stays,
    /// It goes: found by these columns.
    Goes(&'a [&'a str]),
}

/// A transaction. Dropped without a commit it has done nothing.
pub(super) trait Session {
    /// Runs a statement; how many rows it touched.
    fn run(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, Error>;

    /// Runs several statements without values.
    fn script(&mut self, sql: &str) -> Result<(), Error>;

    /// The rows of a question.
    fn rows(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Row>, Error>;

    /// The same one after the other, few in memory at a time.
    fn each(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        take: &mut dyn FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error>;

    /// Puts rows into a table.
    fn put(&mut self, table: &str, columns: &[&str], there: There<'_>, rows: &[Vec<Arg<'_>>]) -> Result<(), Error>;

    /// Keeps what was done.
    fn commit(self: Box<Self>) -> Result<(), Error>;
}

impl dyn Session + '_ {
    /// The one row of a question, if there is one.
    pub(super) fn row(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, args)?.into_iter().next())
    }

    /// The one number of a question.
    pub(super) fn number(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<i64, Error> {
        self.row(sql, args)?.map_or(Ok(0), |mut row| row.int())
    }

    /// Rows of some findings, asked for in groups of [`GROUP`]. `sql` ends where the list of ids begins: `… where finding_id in`.
    pub(super) fn of(
        &mut self,
        sql: &str,
        ids: &[&str],
        tail: &str,
        take: &mut dyn FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for group in ids.chunks(GROUP) {
            let (list, args) = group_of(group);
            for row in self.rows(&format!("{sql} {list} {tail}"), &args)? {
                take(row)?;
            }
        }
        Ok(())
    }
}

/// What follows the values of an insertion.
pub(super) fn on_conflict(columns: &[&str], there: There<'_>) -> String {
    match there {
        There::Fails => String::new(),
        There::Stays => "on conflict do nothing".to_owned(),
        There::Goes(key) => {
            let rest = columns.iter().filter(|column| !key.contains(column));
            let set: Vec<String> = rest.map(|column| format!("{column} = excluded.{column}")).collect();
            if set.is_empty() {
                return "on conflict do nothing".to_owned();
            }
            format!("on conflict ({}) do update set {}", key.join(","), set.join(", "))
        }
    }
}

/// Ids that are asked for at once: one text of SQL for all groups, so that it is prepared once.
pub(super) const GROUP: usize = 500;

/// `($1,$2,…)` for a group of ids, and the values: the last id fills the places that are left over.
pub(super) fn group_of<'a>(ids: &[&'a str]) -> (String, Vec<Arg<'a>>) {
    let last = ids.last().copied().unwrap_or_default();
    let size = if ids.len() <= 1 { 1 } else { GROUP };
    let args = (0..size).map(|place| Arg::from(ids.get(place).copied().unwrap_or(last))).collect();
    let marks: Vec<String> = (1..=size).map(|place| format!("${place}")).collect();
    (format!("({})", marks.join(",")), args)
}

/// A value for a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Arg<'a> {
    Int(Option<i64>),
    Text(Option<Cow<'a, str>>),
}

impl Arg<'_> {
    /// Whole cents.
    pub(super) fn cents(amount: Decimal) -> Arg<'static> {
        Arg::Int(Some(cents(amount)))
    }

    /// The same for as long as is wanted.
    pub(super) fn owned(self) -> Arg<'static> {
        match self {
            Arg::Int(value) => Arg::Int(value),
            Arg::Text(value) => Arg::Text(value.map(|text| Cow::Owned(text.into_owned()))),
        }
    }
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Arg::Int(Some(value))
    }
}

impl From<i32> for Arg<'_> {
    fn from(value: i32) -> Self {
        Arg::Int(Some(i64::from(value)))
    }
}

impl From<u64> for Arg<'_> {
    fn from(value: u64) -> Self {
        Arg::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<bool> for Arg<'_> {
    fn from(value: bool) -> Self {
        Arg::Int(Some(i64::from(value)))
    }
}

impl From<Option<i32>> for Arg<'_> {
    fn from(value: Option<i32>) -> Self {
        Arg::Int(value.map(i64::from))
    }
}

impl From<Option<i64>> for Arg<'_> {
    fn from(value: Option<i64>) -> Self {
        Arg::Int(value)
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(value: &'a str) -> Self {
        Arg::Text(Some(without_nul(value)))
    }
}

impl<'a> From<&'a String> for Arg<'a> {
    fn from(value: &'a String) -> Self {
        Arg::from(value.as_str())
    }
}

impl From<String> for Arg<'_> {
    fn from(value: String) -> Self {
        Arg::Text(Some(Cow::Owned(without_nul(&value).into_owned())))
    }
}

impl<'a> From<Option<&'a str>> for Arg<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Arg::Text(value.map(without_nul))
    }
}

impl<'a> From<&'a Option<String>> for Arg<'a> {
    fn from(value: &'a Option<String>) -> Self {
        Arg::from(value.as_deref())
    }
}

/// PostgreSQL keeps no NUL in a text; neither do we, so that both keep the same.
pub(super) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Yuan as whole cents, half up.
pub(super) fn cents(amount: Decimal) -> i64 {
    let cents = money::to_cent(amount) * Decimal::ONE_HUNDRED;
    cents.to_i64().unwrap_or(if amount.is_sign_negative() { i64::MIN } else { i64::MAX })
}

/// A cell of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
}

/// A row, whose cells are taken in the order in which they were asked for.
#[derive(Debug)]
pub(super) struct Row {
    cells: std::vec::IntoIter<Cell>,
}

impl Row {
    pub(super) fn new(cells: Vec<Cell>) -> Row {
        Row { cells: cells.into_iter() }
    }

    pub(super) fn cell(&mut self) -> Cell {
        self.cells.next().unwrap_or(Cell::Null)
    }

    pub(super) fn may_int(&mut self) -> Result<Option<i64>, Error> {
        match self.cell() {
            Cell::Null => Ok(None),
            Cell::Int(value) => Ok(Some(value)),
            Cell::Text(text) => Err(unlike("a number", &text)),
        }
    }

    pub(super) fn int(&mut self) -> Result<i64, Error> {
        self.may_int()?.ok_or_else(|| unlike("a number", "nothing"))
    }

    pub(super) fn count(&mut self) -> Result<u64, Error> {
        let number = self.int()?;
        u64::try_from(number).map_err(|_| unlike("a count", &number.to_string()))
    }

    pub(super) fn may_day(&mut self) -> Result<Option<i32>, Error> {
        let number = self.may_int()?;
        number.map(|number| i32::try_from(number).map_err(|_| unlike("a day", &number.to_string()))).transpose()
    }

    pub(super) fn flag(&mut self) -> Result<bool, Error> {
        Ok(self.int()? != 0)
    }

    pub(super) fn yuan(&mut self) -> Result<Decimal, Error> {
        Ok(Decimal::new(self.int()?, 2))
    }

    pub(super) fn may_yuan(&mut self) -> Result<Option<Decimal>, Error> {
        Ok(self.may_int()?.map(|cents| Decimal::new(cents, 2)))
    }

    pub(super) fn may_text(&mut self) -> Result<Option<String>, Error> {
        match self.cell() {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            Cell::Int(value) => Err(unlike("a text", &value.to_string())),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, Error> {
        self.may_text()?.ok_or_else(|| unlike("a text", "nothing"))
    }

    /// A word that stands for something.
    pub(super) fn word<T>(&mut self, means: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        let word = self.text()?;
        means(&word).ok_or_else(|| unlike("a word that this program knows", &word))
    }
}

fn unlike(wanted: &str, found: &str) -> Error {
    Error::Damaged { what: "the store".to_owned(), said: format!("`{found}` stands where {wanted} is wanted") }
}
