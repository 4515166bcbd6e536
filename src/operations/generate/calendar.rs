//! Days and seconds of the civil calendar, as whole numbers since 1970-01-01, and their text.
//!
//! Goes in: a year, a month, a day. Comes out: day numbers, and texts `YYYY-MM-DD` and `YYYY-MM-DD HH:MM:SS`.
//! Not known here: today, zones, leap seconds. Local civil time is all a bureau's export has.

use crate::model::day;

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// The number of a day; 1970-01-01 is 0. The generator's days exist: a date that does not is a bug of its recipe.
#[must_use]
pub fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let part = |n: i64| u32::try_from(n).unwrap_or(0);
    let found = day::from_ymd(i32::try_from(year).unwrap_or(0), part(month), part(day));
    i64::from(found.expect("a recipe's date is in the calendar"))
}

/// Year, month and day of a day's number.
#[must_use]
pub fn civil(number: i64) -> (i64, i64, i64) {
    let (year, month, day) = day::to_ymd(i32::try_from(number).expect("a recipe's day is near our time"));
    (i64::from(year), i64::from(month), i64::from(day))
}

/// The same day `months` later; the caller's day of the month must exist there (a first always does).
#[must_use]
pub fn months_later((year, month, day): (i64, i64, i64), months: i64) -> i64 {
    let index = year * 12 + month - 1 + months;
    day_number(index.div_euclid(12), index.rem_euclid(12) + 1, day)
}

/// `2026-01-05`.
#[must_use]
pub fn day_text(number: i64) -> String {
    let (year, month, day) = civil(number);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-01-05 08:30:00` of seconds since 1970-01-01 00:00:00.
#[must_use]
pub fn time_text(seconds: i64) -> String {
    let of_day = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{} {hour:02}:{minute:02}:{second:02}", day_text(seconds.div_euclid(DAY)))
}

/// Seconds of a time of day on a day.
#[must_use]
pub fn at(day: i64, hour: i64, minute: i64, second: i64) -> i64 {
    day * DAY + hour * 3600 + minute * 60 + second
}
