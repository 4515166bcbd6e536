//! Days and seconds of the civil calendar, as whole numbers since 1970-01-01, and their text.
//!
//! Goes in: a year, a month, a day. Comes out: day numbers, and texts `YYYY-MM-DD` and `YYYY-MM-DD HH:MM:SS`.
//! Not known here: today, zones, leap seconds. Local civil time is all a bureau's export has.

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// The number of a day; 1970-01-01 is 0.
#[must_use]
pub fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day's number.
#[must_use]
pub fn civil(number: i64) -> (i64, i64, i64) {
    let shifted = number + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
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
