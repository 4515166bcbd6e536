//! What a spreadsheet makes of a cell: text that it would run as a formula is disarmed before it is written to any CSV.
//!
//! Goes in: a cell's text. Comes out: the same, or the same behind an apostrophe. Not known here: which file it goes to.

use std::borrow::Cow;

/// The text, with an apostrophe before it where a spreadsheet would run it.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    let first = text.trim_start_matches([' ', '\u{3000}', '\u{a0}', '\u{feff}']).chars().next();
    let risky = matches!(first, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'));
    if risky && !is_plain_number(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// A sign, digits, perhaps a point and digits; nothing else.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, rest].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}
