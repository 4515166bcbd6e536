//! Calendar days as numbers: days since 1970-01-01, the way Arrow keeps a `Date32`.
//!
//! Goes in: year, month, day or `YYYY-MM-DD`. Comes out: day numbers, their text, ages. No time zone, no "now".

/// Days on which a service may lie: 1900-01-01 to 2199-12-31. A birth date may be as wrong as it likes (bureaus have
/// ages of 850): it is read, and rules that need an age answer *not evaluated*.
pub const OF_SERVICE: std::ops::RangeInclusive<i32> = -25_567..=84_005;

/// The year 9999, which exports write for an end that is open.
pub const OPEN_END: std::ops::RangeInclusive<i32> = 2_932_532..=2_932_896;

/// Day number of a calendar date; `None` where the date does not exist.
#[must_use]
pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<i32> {
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => return None,
    };
    if day == 0 || day > longest || !(1..=9999).contains(&year) {
        return None;
    }
    // Days from civil (proleptic Gregorian): years begin in March, so that the leap day is the last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_from_march = (month.cast_signed() + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day.cast_signed() - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Year, month, day of a day number.
#[must_use]
pub fn to_ymd(day: i32) -> (i32, u32, u32) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1).cast_unsigned();
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 }.cast_unsigned();
    let year = year_of_era + era * 400 + i32::from(month <= 2);
    (year, month, day)
}

/// `YYYY-MM-DD` of a day number.
#[must_use]
pub fn text(day: i32) -> String {
    let (year, month, day) = to_ymd(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `YYYY-MM-DD HH:MM:SS` of microseconds since 1970-01-01.
#[must_use]
pub fn time_text(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let day = i32::try_from(seconds.div_euclid(86_400)).unwrap_or(i32::MAX);
    let second = seconds.rem_euclid(86_400);
    format!("{} {:02}:{:02}:{:02}", text(day), second / 3_600, second / 60 % 60, second % 60)
}

/// Day number of `YYYY-MM-DD`.
#[must_use]
pub fn parse(text: &str) -> Option<i32> {
    let mut parts = text.trim().splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    from_ymd(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// The same date a year earlier; the 28th where that year has no 29 February.
#[must_use]
pub fn a_year_before(day: i32) -> i32 {
    let (year, month, date) = to_ymd(day);
    from_ymd(year - 1, month, date).or_else(|| from_ymd(year - 1, month, 28)).unwrap_or(day - 365)
}

/// Whole years from birth to a day; negative before birth.
#[must_use]
pub fn age(birth: i32, on: i32) -> i32 {
    let (birth_year, birth_month, birth_day) = to_ymd(birth);
    let (year, month, day) = to_ymd(on);
    year - birth_year - i32::from((month, day) < (birth_month, birth_day))
}
