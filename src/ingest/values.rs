//! From the text of a cell to a value of its column, and from values to an Arrow batch.
//!
//! Exports are typed by people and spreadsheets: full-width digits, thousands commas, six spellings of a day, codes that
//! lost their leading zero. All of that is read here, and what cannot be read without guessing is a [`BadValue`] that
//! says why. Goes in: a [`Kind`] or [`Column`] and a text. Comes out: a [`Value`], or rows in a [`TableBuilder`].
//! Deliberately unknown here: files, encodings, which header is which column.
//!
//! To read a new spelling: the slow half of `decimal`, `civil` or `identifier` below, and a line in the tests.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayBuilder, ArrayRef, Date32Builder, Decimal128Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
    new_null_array,
};
use arrow::datatypes::{DataType, SchemaRef};

use crate::model::day::from_ymd;
use crate::model::{Column, Kind, Table};

/// More characters than this in one cell are a broken file, not a value.
pub const LONGEST_CELL: usize = 4_000;

/// Decimal columns hold sixteen digits; one more is absurd.
const DECIMAL_LIMIT: i128 = 10_i128.pow(16);

const MICROSECONDS: i64 = 1_000_000;

/// What a cell holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing was written, or a word for nothing.
    Null,
    /// A text, a code or a flag.
    Text(Cow<'a, str>),
    /// A decimal in units of the column's last digit: `12.30` yuan is 1230.
    Decimal(i64),
    /// Days since 1970-01-01.
    Day(i32),
    /// Microseconds since 1970-01-01 00:00:00, civil time.
    Time(i64),
}

/// Why a text is not a value of its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    /// A clause for the quarantine list, without full stop.
    pub reason: Cow<'static, str>,
}

impl From<&'static str> for BadValue {
    fn from(reason: &'static str) -> Self {
        BadValue { reason: Cow::Borrowed(reason) }
    }
}

impl From<String> for BadValue {
    fn from(reason: String) -> Self {
        BadValue { reason: Cow::Owned(reason) }
    }
}

/// A cell that kept its row out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCell {
    /// The platform's name of the column.
    pub column: &'static str,
    /// Why, as a clause.
    pub reason: Cow<'static, str>,
    /// What was written in the cell.
    pub text: String,
}

/// Reads `text` as a value of `kind`.
///
/// # Errors
/// [`BadValue`] says what is wrong with the text.
pub fn parse(kind: Kind, text: &str) -> Result<Value<'_>, BadValue> {
    let text = trim(text);
    if is_null(kind, text) {
        return Ok(Value::Null);
    }
    match kind {
        Kind::Text => free_text(text).map(Value::Text),
        Kind::Flag => flag(text).map(|f| Value::Text(Cow::Borrowed(f))),
        Kind::Money => decimal(text, 2, false).map(Value::Decimal),
        Kind::Price => decimal(text, 6, false).map(Value::Decimal),
        Kind::Quantity => decimal(text, 4, false).map(Value::Decimal),
        Kind::Degree => decimal(text, 8, true).map(Value::Decimal),
        Kind::Day => civil(text).map(|(day, _)| Value::Day(day)),
        Kind::Time => {
            let (day, second) = civil(text)?;
            if !crate::model::day::OF_SERVICE.contains(&day) && !crate::model::day::OPEN_END.contains(&day) {
                return Err("year outside 1900 to 2199".into());
            }
            Ok(Value::Time((i64::from(day) * 86_400 + i64::from(second)) * MICROSECONDS))
        }
    }
}

/// Reads `text` as a cell of `column`: [`parse`], and what is known of the column's codes (lost zeros, `11.0` for `11`,
/// 男 and 女, identifiers typed in full width).
///
/// # Errors
/// [`BadValue`] says what is wrong with the text.
pub fn parse_cell<'a>(column: &Column, text: &'a str) -> Result<Value<'a>, BadValue> {
    parse_written(column.kind, Writing::of(column), text)
}

fn parse_written(kind: Kind, writing: Writing, text: &str) -> Result<Value<'_>, BadValue> {
    match parse(kind, text)? {
        Value::Text(text) if kind == Kind::Text => Ok(Value::Text(identifier(writing, text)?)),
        value => Ok(value),
    }
}

/// How the cells of a table are read, by position.
#[derive(Debug)]
pub(super) struct Reading {
    columns: Vec<(Kind, Writing)>,
    /// The columns without which there is no row: a bit a column.
    required: u64,
}

impl Reading {
    pub(super) fn of(table: Table) -> &'static Reading {
        static READINGS: LazyLock<Vec<Reading>> = LazyLock::new(|| {
            let reading = |table: Table| Reading {
                columns: table.columns().iter().map(|c| (c.kind, Writing::of(c))).collect(),
                required: (0..).zip(table.columns()).map(|(at, c)| u64::from(c.required) << at).sum(),
            };
            Table::ALL.into_iter().map(reading).collect()
        });
        &READINGS[table as usize]
    }

    /// As [`parse_cell`].
    pub(super) fn read<'a>(&self, position: usize, text: &'a str) -> Result<Value<'a>, BadValue> {
        let (kind, writing) = self.columns[position];
        parse_written(kind, writing, text)
    }

    /// As [`Reading::read`], quicker where the text is written as most are.
    fn read_mostly_plain<'a>(&self, position: usize, text: &'a str) -> Result<Value<'a>, BadValue> {
        if !text.is_empty() && self.is_plain_text(position, text) {
            return Ok(Value::Text(Cow::Borrowed(text)));
        }
        let Some(number) = self.plain_number(position, text) else { return self.read(position, text) };
        Ok(match self.columns[position].0 {
            Kind::Day => i32::try_from(number).map_or(Value::Null, Value::Day),
            Kind::Time => Value::Time(number * MICROSECONDS),
            _ => Value::Decimal(number),
        })
    }

    /// The cells of a column as [`Reading::read`] has them; `None` where one of them is bad.
    fn column<'c, 't>(&self, position: usize, cells: &'c [Option<&'t str>]) -> Option<Cells<'c, 't>> {
        if !matches!(self.columns[position].0, Kind::Text | Kind::Flag) {
            let number = |cell: Option<&str>| {
                let Some(text) = cell else { return Some(None) };
                self.plain_number(position, text).map(Some).or_else(|| match self.read(position, text).ok()? {
                    Value::Decimal(number) => Some(Some(number)),
                    Value::Day(day) => Some(Some(i64::from(day))),
                    Value::Time(time) => Some(Some(time / MICROSECONDS)),
                    Value::Text(_) | Value::Null => Some(None),
                })
            };
            return cells.iter().copied().map(number).collect::<Option<Vec<_>>>().map(Cells::Numbers);
        }
        if cells.iter().flatten().all(|text| !text.is_empty() && self.is_plain_text(position, text)) {
            return Some(Cells::Plain(cells));
        }
        let text = |cell: Option<&'t str>| {
            let Some(text) = cell else { return Some(None) };
            match self.read(position, text).ok()? {
                Value::Text(text) => Some(Some(text)),
                _ => Some(None),
            }
        };
        cells.iter().copied().map(text).collect::<Option<Vec<_>>>().map(Cells::Texts)
    }

    /// Whether [`Reading::read`] has this text, which is not empty, as it stands: `false` says nothing.
    pub(super) fn is_plain_text(&self, position: usize, text: &str) -> bool {
        match self.columns[position] {
            (Kind::Text, writing) => is_plain(writing, text),
            (Kind::Flag, _) => matches!(text.as_bytes(), [b'0'..=b'9']),
            _ => false,
        }
    }

    /// The number that [`Reading::read`] has, where it is written as most are: units of the last digit, days, or seconds
    /// since 1970-01-01 00:00:00. `None` says nothing.
    pub(super) fn plain_number(&self, position: usize, text: &str) -> Option<i64> {
        let bytes = text.as_bytes();
        match self.columns[position].0 {
            Kind::Money => plain_decimal(bytes, 2),
            Kind::Price => plain_decimal(bytes, 6),
            Kind::Quantity => plain_decimal(bytes, 4),
            Kind::Degree => plain_decimal(bytes, 8),
            Kind::Day => iso_civil(bytes)?.ok().map(|(day, _)| i64::from(day)),
            Kind::Time => {
                let (day, second) = iso_civil(bytes)?.ok()?;
                let plain = crate::model::day::OF_SERVICE.contains(&day);
                plain.then_some(i64::from(day) * 86_400 + i64::from(second))
            }
            Kind::Text | Kind::Flag => None,
        }
    }
}

/// Signs that a text may have; a text of none is left as it is.
mod signs {
    /// Below the blank, and 0x7f.
    pub(super) const CONTROL: u8 = 1;
    /// Something that `identifier` may have to mend: a blank, a quote, a character that is not ASCII.
    pub(super) const MENDABLE: u8 = 2;
    /// A point, which codes may have and numbers may lose.
    pub(super) const POINT: u8 = 4;

    pub(super) const OF: [u8; 256] = {
        let mut of = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            of[byte] = match byte {
                0..=0x1f | 0x7f => CONTROL | MENDABLE,
                0x20 | 0x27 | 0x2b | 0x3d | 0x80.. => MENDABLE,
                0x2e => POINT,
                _ => 0,
            };
            byte += 1;
        }
        of
    };
}

/// Whether a text, not empty, is its own value: nothing to trim, no word for nothing, nothing to mend, nothing wrong.
fn is_plain(writing: Writing, text: &str) -> bool {
    let bytes = text.as_bytes();
    let found = bytes.iter().fold(0, |found, &byte| found | signs::OF[usize::from(byte)]);
    let (wrong, shortest) = match writing {
        Writing::Prose => (signs::CONTROL, 1),
        Writing::Code => (signs::MENDABLE, 1),
        Writing::Number => (signs::MENDABLE | signs::POINT, 1),
        Writing::TwoDigits | Writing::Sex => (signs::MENDABLE | signs::POINT, 2),
    };
    found & wrong == 0
        && (bytes.len() > 4 || (bytes.len() >= shortest && !matches!(bytes, b"-" | b"\\N" | b"NULL" | b"null")))
        // Without these signs it can neither be trimmed nor be a float.
        && (found & (signs::MENDABLE | signs::POINT) == 0 || (is_trimmed(text) && !looks_floated(bytes)))
        && bytes.len() <= LONGEST_CELL
}

/// Whether there is nothing to trim from a text; most begin and end with ASCII, a Chinese character or a full-width sign.
fn is_trimmed(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins = bytes.first().is_some_and(|b| b.is_ascii_graphic() || matches!(b, 0xe4..=0xe9));
    let ends = match bytes {
        [.., 0xe4..=0xe9, _, _] | [.., 0xef, 0xbc, _] => true,
        [.., last] => last.is_ascii_graphic(),
        [] => false,
    };
    (begins && ends) || trim(text).len() == text.len()
}

/// How the text of a column is written, so what may be mended in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// Names and descriptions: left as they are.
    Prose,
    /// Codes whose dots mean something (ICD): full width is mended.
    Code,
    /// Numbers kept as text: `11.0` is `11`.
    Number,
    /// Two-digit codes: `1` has lost its zero.
    TwoDigits,
    /// 1 男, 2 女, 0 unknown.
    Sex,
}

impl Writing {
    fn of(column: &Column) -> Writing {
        match column.name {
            "hosp_lv" | "chrgitm_lv" | "med_chrgitm_type" => Writing::TwoDigits,
            "gend" => Writing::Sex,
            "diag_code" | "oprn_oprt_code" | "dscg_maindiag_code" | "hilist_code" | "medins_list_codg"
            | "drug_trac_codg" | "dise_no" | "evidence_no" => Writing::Code,
            "spec" | "reason" | "cnt_prcunt" | "registered_by" | "tcmdrug_used_way" | "adm_bed" | "check_way" => {
                Writing::Prose
            }
            name if name.ends_with("_name") || name.ends_with("_dscr") => Writing::Prose,
            _ => Writing::Number,
        }
    }
}

/// Trims white space, and the marks that files leave behind: byte order marks and zero-width spaces.
fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    if let (Some(first), Some(last)) = (bytes.first(), bytes.last())
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return text;
    }
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}')
}

fn is_null(kind: Kind, text: &str) -> bool {
    match text.len() {
        0 => true,
        1 => text == "-",
        2 => text == "\\N",
        3 => kind != Kind::Text && text == "无",
        4 => text == "NULL" || text == "null",
        _ => false,
    }
}

const FLOATED: &str = "identifier turned into a float by a spreadsheet, unrecoverable";

fn free_text(text: &str) -> Result<Cow<'_, str>, BadValue> {
    let mut plain = true;
    for &byte in text.as_bytes() {
        plain &= byte >= 0x20 && byte != 0x7f;
    }
    if !plain && text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err("a NUL or control character in the cell".into());
    }
    if text.len() > LONGEST_CELL && text.chars().count() > LONGEST_CELL {
        return Err(BadValue::from(format!("more than {LONGEST_CELL} characters in one cell")));
    }
    if looks_floated(text.as_bytes()) {
        return Err(FLOATED.into());
    }
    Ok(Cow::Borrowed(text))
}

/// `1.23457E+17`, `1E+17`, `1.2e17`: what a spreadsheet makes of a long number.
fn looks_floated(bytes: &[u8]) -> bool {
    if bytes.len() < 4 || bytes.len() > 30 || !bytes[0].is_ascii_digit() {
        return false;
    }
    let Some(e) = bytes.iter().position(|b| matches!(b, b'E' | b'e')) else { return false };
    let (mantissa, exponent) = (&bytes[..e], &bytes[e + 1..]);
    let signed = exponent.first() == Some(&b'+');
    let digits = if signed { &exponent[1..] } else { exponent };
    let pointed = mantissa.get(1) == Some(&b'.') && mantissa.len() > 2;
    (pointed || (signed && mantissa.len() == 1))
        && mantissa.iter().enumerate().all(|(i, b)| b.is_ascii_digit() || i == 1)
        && (1..=3).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
}

fn identifier(writing: Writing, text: Cow<'_, str>) -> Result<Cow<'_, str>, BadValue> {
    if writing == Writing::Prose {
        return Ok(text);
    }
    let text = if text.is_ascii() { text } else { unwiden(text) };
    // `'00123` and `="00123"` are how people keep a spreadsheet from eating zeros.
    let text = match text.as_bytes() {
        [b'\'', _, ..] => Cow::Owned(text[1..].trim().to_owned()),
        [b'=', b'"', .., b'"'] if text.len() > 3 => Cow::Owned(text[2..text.len() - 1].trim().to_owned()),
        _ => text,
    };
    if matches!(text, Cow::Owned(_)) && looks_floated(text.as_bytes()) {
        return Err(FLOATED.into());
    }
    if text.bytes().any(|b| b < b' ') {
        return Err("a line break or tab in an identifier".into());
    }
    Ok(match writing {
        Writing::Sex => match text.as_ref() {
            "男" | "男性" => Cow::Borrowed("1"),
            "女" | "女性" => Cow::Borrowed("2"),
            "未知" | "不详" => Cow::Borrowed("0"),
            _ => without_fraction(text),
        },
        Writing::TwoDigits => {
            let text = without_fraction(text);
            match text.as_bytes() {
                [d] if d.is_ascii_digit() => Cow::Owned(format!("0{text}")),
                _ => text,
            }
        }
        Writing::Number => without_fraction(text),
        Writing::Code | Writing::Prose => text,
    })
}

/// `11.0` → `11`: a whole number that was exported as a float.
fn without_fraction(text: Cow<'_, str>) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if bytes.last() != Some(&b'0') {
        return text;
    }
    let Some(point) = bytes.iter().position(|&b| b == b'.') else { return text };
    let whole = point > 0
        && point + 1 < bytes.len()
        && bytes[..point].iter().all(u8::is_ascii_digit)
        && bytes[point + 1..].iter().all(|&b| b == b'0');
    if !whole {
        return text;
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..point]),
        Cow::Owned(mut text) => {
            text.truncate(point);
            Cow::Owned(text)
        }
    }
}

/// Full-width letters, digits and signs become ASCII.
fn unwiden(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.chars().any(|c| ascii_of(c) != c) { Cow::Owned(text.chars().map(ascii_of).collect()) } else { text }
}

/// The ASCII character that a full-width one stands for, else itself.
pub(super) fn ascii_of(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        '\u{2212}' | '\u{2013}' => '-',
        _ => c,
    }
}

fn flag(text: &str) -> Result<&'static str, BadValue> {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let mut narrow = [0_u8; 8];
    let mut length = 0;
    for c in text.chars().map(ascii_of) {
        match c {
            '是' | '有' => return one_word(text, "1"),
            '否' => return one_word(text, "0"),
            c if c.is_ascii() && length < narrow.len() => {
                narrow[length] = c.to_ascii_lowercase() as u8;
                length += 1;
            }
            _ => return Err(not_a_flag()),
        }
    }
    match &narrow[..length] {
        [d @ b'0'..=b'9'] | [d @ b'0'..=b'9', b'.', b'0'] => Ok(DIGITS[usize::from(d - b'0')]),
        b"true" | b"t" | b"yes" | b"y" => Ok("1"),
        b"false" | b"f" | b"no" | b"n" => Ok("0"),
        _ => Err(not_a_flag()),
    }
}

fn one_word(text: &str, flag: &'static str) -> Result<&'static str, BadValue> {
    if text.chars().count() == 1 { Ok(flag) } else { Err(not_a_flag()) }
}

fn not_a_flag() -> BadValue {
    "not a flag: wanted 0, 1, 是, 否, Y, N, true or false".into()
}

/// A decimal in units of its last digit. `round`: digits beyond the scale are rounded half up instead of refused.
fn decimal(text: &str, scale: usize, round: bool) -> Result<i64, BadValue> {
    if let Some(value) = plain_decimal(text.as_bytes(), scale) {
        return Ok(value);
    }
    spelled_decimal(text, scale, round)
}

/// The common case: `-123.45` with no more digits than fit.
fn plain_decimal(bytes: &[u8], scale: usize) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let mut value = 0_i64;
    let mut fraction = None;
    for (i, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + i64::from(byte - b'0'),
            b'.' if fraction.is_none() && i > 0 => fraction = Some(digits.len() - i - 1),
            _ => return None,
        }
    }
    let fraction = fraction.unwrap_or(0);
    if fraction > scale {
        return None;
    }
    let value = value.checked_mul(10_i64.pow(u32::try_from(scale - fraction).ok()?))?;
    (i128::from(value) < DECIMAL_LIMIT).then_some(if negative { -value } else { value })
}

/// Every other way to write a number: full width, `1,234.50`, `￥12.00元`, `(12.00)`, `1.2E+3`.
fn spelled_decimal(text: &str, scale: usize, round: bool) -> Result<i64, BadValue> {
    if text.len() > 200 {
        return Err("not a number: too long".into());
    }
    let mut narrow: String = text.chars().map(ascii_of).filter(|c| !c.is_whitespace()).collect();
    if let Some(rest) = narrow.strip_prefix(['¥', '￥']) {
        narrow = rest.to_owned();
    }
    if let Some(rest) = narrow.strip_suffix('元') {
        narrow.truncate(rest.len());
    }
    let mut negative = false;
    let mut body = narrow.as_str();
    if let Some(inner) = body.strip_prefix('(').and_then(|b| b.strip_suffix(')')) {
        (negative, body) = (true, inner);
    } else if let Some(rest) = body.strip_prefix('-') {
        (negative, body) = (true, rest);
    } else if let Some(rest) = body.strip_prefix('+') {
        body = rest;
    }
    let body = body.strip_prefix(['¥', '￥']).unwrap_or(body);
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], body[at + 1..].parse::<i32>().map_err(|_| BadValue::from("not a number"))?),
        None => (body, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = ungrouped(whole)?;
    if whole.len() + fraction.len() == 0 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err("not a number".into());
    }
    if !(-60..=60).contains(&exponent) {
        return Err("absurd size: more than sixteen digits".into());
    }
    let digits: String = [whole.as_str(), fraction].concat();
    // The point stands after `point` digits; the unit's last digit after `point + scale`.
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX) + i64::from(exponent);
    let kept = point + i64::try_from(scale).unwrap_or(0);
    let mut value = 0_i128;
    let mut lost = false;
    let mut up = false;
    for (i, byte) in (0_i64..).zip(digits.bytes()) {
        let digit = i128::from(byte - b'0');
        if i < kept {
            value = value * 10 + digit;
            if value >= DECIMAL_LIMIT {
                return Err("absurd size: more than sixteen digits".into());
            }
        } else {
            up |= i == kept && digit >= 5;
            lost |= digit != 0;
        }
    }
    for _ in i64::try_from(digits.len()).unwrap_or(0)..kept {
        value *= 10;
        if value >= DECIMAL_LIMIT {
            return Err("absurd size: more than sixteen digits".into());
        }
    }
    if lost && !round {
        return Err(BadValue::from(format!("more than {scale} digits after the point")));
    }
    value += i128::from(up && round);
    let value = i64::try_from(value).map_err(|_| BadValue::from("absurd size: more than sixteen digits"))?;
    Ok(if negative { -value } else { value })
}

/// `1,234` → `1234`; groups other than of three are refused, so that `12,50` is not read as 1250.
fn ungrouped(whole: &str) -> Result<String, BadValue> {
    if !whole.bytes().all(|b| b.is_ascii_digit() || b == b',') {
        return Err("not a number".into());
    }
    if whole.contains(',') {
        let mut groups = whole.split(',');
        let first = groups.next().unwrap_or("");
        if first.is_empty() || first.len() > 3 || groups.any(|g| g.len() != 3) {
            return Err("not a number: the commas do not part thousands".into());
        }
    }
    Ok(whole.replace(',', ""))
}

/// Days since 1970-01-01 and seconds of the day.
fn civil(text: &str) -> Result<(i32, i32), BadValue> {
    if let Some(civil) = iso_civil(text.as_bytes()) {
        return civil;
    }
    spelled_civil(text)
}

/// `2024-01-05` and `2024-01-05 08:00:00`; anything else is `None`.
fn iso_civil(b: &[u8]) -> Option<Result<(i32, i32), BadValue>> {
    fn two(b: &[u8], at: usize) -> Option<i32> {
        let (x, y) = (b[at], b[at + 1]);
        (x.is_ascii_digit() && y.is_ascii_digit()).then(|| i32::from(x - b'0') * 10 + i32::from(y - b'0'))
    }
    if !(b.len() == 10 || b.len() == 19) || b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    let (year, month, day) = (two(b, 0)? * 100 + two(b, 2)?, two(b, 5)?, two(b, 8)?);
    let (hour, minute, second) = if b.len() == 19 {
        if !matches!(b[10], b' ' | b'T') || b[13] != b':' || b[16] != b':' {
            return None;
        }
        (two(b, 11)?, two(b, 14)?, two(b, 17)?)
    } else {
        (0, 0, 0)
    };
    Some(day_of(year, month, day).and_then(|d| Ok((d, second_of(hour, minute, second)?))))
}

fn spelled_civil(text: &str) -> Result<(i32, i32), BadValue> {
    const WANTED: &str = "not a day or time: wanted 2024-01-05, 2024/1/5, 20240105 or with 08:00:00 behind";
    if text.len() > 80 {
        return Err(WANTED.into());
    }
    // One spelling: digits in groups, `-` between the parts of a day, a blank, `:` between the parts of a time.
    let mut spelled = String::with_capacity(text.len());
    for c in text.chars().map(ascii_of) {
        match c {
            '年' | '月' | '/' => spelled.push('-'),
            '日' | '号' | 'T' | 't' => spelled.push(' '),
            '时' | '点' | '分' => spelled.push(':'),
            '秒' => {}
            c => spelled.push(c),
        }
    }
    let spelled = spelled.trim_matches([' ', ':']);
    if spelled.bytes().all(|b| b.is_ascii_digit()) {
        return unseparated(spelled, WANTED);
    }
    let (date, time) = match spelled.split_once(' ') {
        Some((date, time)) => (date, time.trim()),
        None => (spelled, ""),
    };
    if let Some((serial, fraction)) = date.split_once('.')
        && time.is_empty()
        && (4..=6).contains(&serial.len())
        && (serial.len() > 4 || !fraction.contains('.'))
        && serial.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return excel_serial(serial, fraction);
    }
    let separator = if date.contains('-') { '-' } else { '.' };
    let mut parts = date.split(separator).map(|part| number(part, 4));
    let (Some(Some(year)), Some(Some(month)), Some(Some(day)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        // `20240105 08:00:00`
        if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) {
            let (day, _) = unseparated(date, WANTED)?;
            return Ok((day, clock(time).ok_or(WANTED)??));
        }
        return Err(WANTED.into());
    };
    if date.find(separator) != Some(4) {
        return Err(WANTED.into());
    }
    Ok((day_of(year, month, day)?, clock(time).ok_or(WANTED)??))
}

/// `8:00`, `08:00:00`, `08:00:00.000`, `08:00:00Z`, `08:00:00+08:00`: the zone is dropped, the time stands as written.
fn clock(time: &str) -> Option<Result<i32, BadValue>> {
    if time.is_empty() {
        return Some(Ok(0));
    }
    let time = time.strip_suffix(['Z', 'z']).unwrap_or(time).trim_end();
    let time = match time.rfind(['+', '-']) {
        Some(at) if time[at + 1..].bytes().all(|b| b.is_ascii_digit() || b == b':') => time[..at].trim_end(),
        Some(_) => return None,
        None => time,
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut parts = time.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next().unwrap_or(Some(0))?, parts.next().unwrap_or(Some(0))?);
    if parts.next().is_some() {
        return None;
    }
    Some(second_of(hour, minute, second))
}

fn number(digits: &str, longest: usize) -> Option<i32> {
    if digits.is_empty() || digits.len() > longest || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// `20240105`, `202401050800`, `20240105080000`, and a spreadsheet's `45296`.
fn unseparated(digits: &str, wanted: &'static str) -> Result<(i32, i32), BadValue> {
    let part = |from: usize, until: usize| digits.get(from..until).and_then(|d| number(d, 4));
    match digits.len() {
        4..=6 => excel_serial(digits, ""),
        8 | 12 | 14 => {
            let (Some(year), Some(month), Some(day)) = (part(0, 4), part(4, 6), part(6, 8)) else {
                return Err(wanted.into());
            };
            let second = second_of(part(8, 10).unwrap_or(0), part(10, 12).unwrap_or(0), part(12, 14).unwrap_or(0))?;
            Ok((day_of(year, month, day)?, second))
        }
        _ => Err(wanted.into()),
    }
}

/// A spreadsheet's day number in the 1900 system, with the time as a fraction of the day.
fn excel_serial(serial: &str, fraction: &str) -> Result<(i32, i32), BadValue> {
    let serial: i32 = serial.parse().map_err(|_| BadValue::from("not a day"))?;
    // 1900 to 2199 as a number is more likely a year than a day of the years 1905 and 1906.
    if !(2_200..=109_574).contains(&serial) {
        return Err("not a day: neither 20240105 nor a spreadsheet's day number".into());
    }
    let fraction: String = fraction.chars().take(12).collect();
    let length = u32::try_from(fraction.len()).unwrap_or(0);
    let parts: i64 = if fraction.is_empty() { 0 } else { fraction.parse().unwrap_or(0) };
    let unit = 10_i64.pow(length);
    // To the nearest second: a spreadsheet's 08:00 is 0.333333333333333.
    let second = (parts * 86_400 * 2 + unit) / (unit * 2);
    let day = serial - 25_569;
    Ok(if second >= 86_400 { (day + 1, 0) } else { (day, i32::try_from(second).unwrap_or(0)) })
}

fn second_of(hour: i32, minute: i32, second: i32) -> Result<i32, BadValue> {
    if hour > 23 || minute > 59 || second > 59 {
        return Err("no such time of day".into());
    }
    Ok(hour * 3_600 + minute * 60 + second)
}

fn day_of(year: i32, month: i32, day: i32) -> Result<i32, BadValue> {
    if !(1000..=9999).contains(&year) {
        return Err("year outside 1000 to 9999".into());
    }
    let found = u32::try_from(month).ok().zip(u32::try_from(day).ok());
    found.and_then(|(month, day)| from_ymd(year, month, day)).ok_or_else(|| "no such day in the calendar".into())
}

/// No table has more columns than this.
pub(super) const WIDEST: usize = 48;

/// A row's values in the order of the table's columns; absent ones are null.
type RowValues<'a> = [Value<'a>; WIDEST];

/// A row of nulls.
fn empty_row<'a>() -> RowValues<'a> {
    [const { Value::Null }; WIDEST]
}

/// Reads a row: `cells` are positions in [`Table::columns`] and texts. Which columns have a value: a bit a column. Every bad
/// cell is listed, not only the first.
fn read_row<'a>(
    table: Table,
    cells: impl IntoIterator<Item = (usize, &'a str)>,
    values: &mut RowValues<'a>,
) -> Result<u64, Vec<BadCell>> {
    let reading = Reading::of(table);
    let mut bad = Vec::new();
    let mut given = 0;
    for (position, text) in cells {
        match reading.read_mostly_plain(position, text) {
            Ok(Value::Null) => given &= !(1 << position),
            Ok(value) => {
                values[position] = value;
                given |= 1 << position;
            }
            Err(BadValue { reason }) => {
                bad.push(BadCell { column: table.columns()[position].name, reason, text: text.to_owned() });
            }
        }
    }
    for position in bits(reading.required & !given) {
        let column = table.columns()[position].name;
        if !bad.iter().any(|cell| cell.column == column) {
            bad.push(BadCell { column, reason: Cow::Borrowed("required, and empty"), text: String::new() });
        }
    }
    if bad.is_empty() { Ok(given) } else { Err(bad) }
}

/// The places of the bits that are set, in order.
fn bits(mut of: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = of.trailing_zeros();
        of &= of.checked_sub(1)?;
        Some(at as usize)
    })
}

/// What is wrong with a row, cell by cell.
pub(super) fn bad_cells<'a>(table: Table, cells: impl IntoIterator<Item = (usize, &'a str)>) -> Vec<BadCell> {
    read_row(table, cells, &mut empty_row()).err().unwrap_or_default()
}

/// Builds one column: from its first value on, for most columns of a short message have none.
#[derive(Debug)]
struct ColumnBuilder {
    kind: Kind,
    values: Option<Values>,
}

/// The values so far; rows behind the last of them have none.
#[derive(Debug)]
enum Values {
    Text(StringBuilder),
    Decimal(Decimal128Builder),
    Day(Date32Builder),
    Time(TimestampMicrosecondBuilder),
}

/// The cells of a column, read.
enum Cells<'c, 't> {
    /// Texts that stand for themselves.
    Plain(&'c [Option<&'t str>]),
    Texts(Vec<Option<Cow<'t, str>>>),
    /// Units of the last digit, days, or seconds since 1970-01-01 00:00:00.
    Numbers(Vec<Option<i64>>),
}

impl Cells<'_, '_> {
    /// How many hold something.
    fn given(&self) -> usize {
        match self {
            Cells::Plain(texts) => texts.iter().flatten().count(),
            Cells::Texts(texts) => texts.iter().flatten().count(),
            Cells::Numbers(numbers) => numbers.iter().flatten().count(),
        }
    }
}

impl ColumnBuilder {
    /// The values so far, with room for more, up to a row that has none yet.
    fn until(&mut self, row: usize, more: usize) -> &mut Values {
        let values = self.values.get_or_insert_with(|| match (self.kind, self.kind.scale()) {
            (_, Some(_)) => Values::Decimal(Decimal128Builder::with_capacity(row + more)),
            (Kind::Day, _) => Values::Day(Date32Builder::with_capacity(row + more)),
            (Kind::Time, _) => Values::Time(TimestampMicrosecondBuilder::with_capacity(row + more)),
            _ => Values::Text(StringBuilder::with_capacity(row + more, 0)),
        });
        values.fill_to(row);
        values
    }

    /// Gives so many rows from this one on, which have none yet, their values.
    fn put_all(&mut self, row: usize, rows: usize, cells: &Cells<'_, '_>) {
        match (self.until(row, rows), cells) {
            (Values::Text(b), Cells::Plain(texts)) => b.extend(texts.iter().copied()),
            (Values::Text(b), Cells::Texts(texts)) => b.extend(texts.iter().map(Option::as_deref)),
            (Values::Decimal(b), Cells::Numbers(n)) => b.extend(n.iter().map(|units| units.map(i128::from))),
            (Values::Day(b), Cells::Numbers(n)) => b.extend(n.iter().map(|day| i32::try_from((*day)?).ok())),
            (Values::Time(b), Cells::Numbers(n)) => b.extend(n.iter().map(|time| time.map(|t| t * MICROSECONDS))),
            _ => unreachable!("cells of another kind than their column"),
        }
    }

    /// Gives a row, which has none yet, a value.
    fn put(&mut self, row: usize, value: &Value<'_>) {
        match (self.until(row, 1), value) {
            (Values::Text(b), Value::Text(text)) => b.append_value(text),
            (Values::Decimal(b), Value::Decimal(units)) => b.append_value(i128::from(*units)),
            (Values::Day(b), Value::Day(day)) => b.append_value(*day),
            (Values::Time(b), Value::Time(time)) => b.append_value(*time),
            (_, value) => unreachable!("{value:?} of another kind than its column"),
        }
    }

    fn finish(&mut self, rows: usize, of: &DataType) -> ArrayRef {
        let Some(mut values) = self.values.take() else { return new_null_array(of, rows) };
        values.fill_to(rows);
        match values {
            Values::Text(mut b) => Arc::new(b.finish()),
            Values::Decimal(mut b) => Arc::new(b.finish().with_data_type(of.clone())),
            Values::Day(mut b) => Arc::new(b.finish()),
            Values::Time(mut b) => Arc::new(b.finish()),
        }
    }
}

impl Values {
    /// Nulls as far as a row.
    fn fill_to(&mut self, row: usize) {
        match self {
            Values::Text(b) => b.append_nulls(row - b.len()),
            Values::Decimal(b) => b.append_nulls(row - b.len()),
            Values::Day(b) => b.append_nulls(row - b.len()),
            Values::Time(b) => b.append_nulls(row - b.len()),
        }
    }
}

/// Rows of one table, from texts to a batch with the table's schema.
#[derive(Debug)]
pub struct TableBuilder {
    table: Table,
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    rows: usize,
}

impl TableBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new(table: Table) -> Self {
        let columns = table.columns().iter().map(|c| ColumnBuilder { kind: c.kind, values: None }).collect();
        TableBuilder { table, schema: table.schema(), columns, rows: 0 }
    }

    /// Reads a row: positions in [`Table::columns`] and texts; columns not named are null.
    ///
    /// # Errors
    /// Every bad cell of the row, required columns without a value among them; then nothing is appended.
    pub fn push<'c>(&mut self, cells: impl IntoIterator<Item = (usize, &'c str)>) -> Result<(), Vec<BadCell>> {
        let mut values = empty_row();
        for position in bits(read_row(self.table, cells, &mut values)?) {
            self.columns[position].put(self.rows, &values[position]);
        }
        self.rows += 1;
        Ok(())
    }

    /// Appends rows that are given column by column, quicker than [`TableBuilder::push`]: positions in [`Table::columns`], each
    /// once, and as many cells as rows, `None` where there is nothing. Where a cell is bad or something is missing that is
    /// required, nothing is appended and comes back `false`: [`TableBuilder::push`] says of each row what it is.
    #[must_use]
    pub fn push_all(&mut self, rows: usize, columns: &[(usize, Vec<Option<&str>>)]) -> bool {
        let reading = Reading::of(self.table);
        let read = columns.iter().map(|(position, cells)| Some((*position, reading.column(*position, cells)?)));
        let Some(read) = read.collect::<Option<Vec<_>>>() else { return false };
        let whole = read.iter().filter(|(_, cells)| cells.given() == rows);
        let whole = whole.fold(0, |whole, (position, _)| whole | 1 << position);
        if reading.required & !whole != 0 {
            return false;
        }
        for (position, cells) in read.iter().filter(|(_, cells)| cells.given() > 0) {
            self.columns[*position].put_all(self.rows, rows, cells);
        }
        self.rows += rows;
        true
    }

    /// Rows so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The rows so far as a batch; the builder is empty afterwards.
    ///
    /// # Panics
    /// When the texts of one column are more than two gigabytes.
    pub fn finish(&mut self) -> RecordBatch {
        let rows = std::mem::take(&mut self.rows);
        let fields = self.schema.fields().iter().zip(&mut self.columns);
        let columns = fields.map(|(field, column)| column.finish(rows, field.data_type())).collect();
        RecordBatch::try_new(self.schema.clone(), columns).expect("the builders follow the table's schema")
    }
}
