//! The insurance's catalogue of the made-up county, as a knowledge table: every code that its people are charged, but a few.
//!
//! Goes in: the codes that were charged, the first day of the export. Comes out: `code,from,until,source`, a line a code. One
//! code is left out, one ends in the period, one begins in it, and one ends while a shorter prefix of it goes on: the recipes
//! of SCP110 charge these. Not known here: who is charged what, when.
//!
//! To move another code in or out: an item in `catalogue`, a branch in [`row`], a recipe in `plant::listing`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::calendar::day_text;
use super::catalogue::{BEGUN, DROPPED, ENDED, RENUMBERED};

/// The last day of the code that ends, from the first day of the export.
pub const LAST_DAY: i64 = 13;
/// The first day of the code that begins.
pub const FIRST_DAY: i64 = 16;
/// Of the renumbered code, so much stays in the catalogue.
const KEPT: usize = 11;

/// The table.
#[must_use]
pub fn table(codes: &BTreeSet<&'static str>, first_day: i64) -> String {
    let mut text = String::from("code,from,until,source\n");
    for code in codes {
        for (code, from, until) in row(code, first_day) {
            let day = |day: Option<i64>| day.map(day_text).unwrap_or_default();
            let _ = writeln!(text, "{code},{},{},仿真数据：虚构的当地目录", day(from), day(until));
        }
    }
    text
}

type Row = (&'static str, Option<i64>, Option<i64>);

fn row(code: &'static str, first_day: i64) -> Vec<Row> {
    match code {
        _ if code == DROPPED.code => Vec::new(),
        _ if code == ENDED.code => vec![(code, None, Some(first_day + LAST_DAY))],
        _ if code == BEGUN.code => vec![(code, Some(first_day + FIRST_DAY), None)],
        _ if code == RENUMBERED.code => {
            vec![(&code[..KEPT], None, None), (code, None, Some(first_day + LAST_DAY))]
        }
        _ => vec![(code, None, None)],
    }
}
