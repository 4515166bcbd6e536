//! When nights begin: an expression as cron has it, in the local time of the machine.
//!
//! Goes in: the expression, when the last night began, what time it is. Comes out: that one is due now, or the moment of the
//! next. However many moments have passed since the last night began, one night makes up for them. Deliberately unknown here:
//! clocks, stores, what a night does.
//!
//! Where clocks are put forward, a time of the day that is left out is the first moment after it; where they are put back, a
//! time of the day that comes twice is its first (croner's readings, for one fixed time of a day).

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Zoned;
use jiff::civil::{self, DateTime};

/// An expression of five fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    cron: Cron,
    text: String,
}

/// What is known of the nights before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// When the last one began; where there was none, from when on nights are wanted.
    pub began: Zoned,
    /// It is not done, and nobody is at work on it.
    pub cut_short: bool,
}

/// What the schedule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    Now,
    /// Not before this moment; none: never again.
    At(Option<Zoned>),
}

impl Schedule {
    /// Whether a night is due.
    #[must_use]
    pub fn due(&self, before: &Before, now: &Zoned) -> Due {
        let last = self.cron.find_previous_occurrence(now, true);
        if before.cut_short || last.is_ok_and(|moment| moment > before.began) {
            return Due::Now;
        }
        Due::At(self.cron.find_next_occurrence(now, false).ok())
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Schedule, String> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let wanted =
            "wanted minute, hour, day of the month, month, day of the week, such as `0 2 * * *` for every night at two";
        let fields = text.split(' ').filter(|field| !field.is_empty()).count();
        if fields != 5 && !text.starts_with('@') {
            return Err(format!("it has {fields} fields, not five: {wanted}"));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron =
            parser.parse(&text).map_err(|error| format!("{}{}: {wanted}", place(parser, &text), said(&error)))?;
        let some_day = civil::date(2000, 1, 1).at(0, 0, 0, 0);
        if cron.find_next_occurrence(&some_day, true).is_err() {
            return Err(format!("no day is such a day: {wanted}"));
        }
        Ok(Schedule { cron, text })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first field that is none by itself: `24` (hour).
fn place(parser: CronParser, text: &str) -> String {
    let fields = ["minute", "hour", "day of the month", "month", "day of the week"];
    let alone = |at: usize, field: &str| {
        let cells: Vec<&str> = (0..fields.len()).map(|other| if other == at { field } else { "*" }).collect();
        cells.join(" ")
    };
    let mut all = text.split(' ').zip(fields).enumerate();
    let wrong = all.find(|(at, (field, _))| parser.parse(&alone(*at, field)).is_err());
    wrong.map_or_else(String::new, |(_, (field, name))| format!("`{field}` ({name}): "))
}

/// The library's sentence in the middle of ours.
fn said(error: &CronError) -> String {
    let text = match error {
        CronError::InvalidPattern(text) | CronError::IllegalCharacters(text) | CronError::ComponentError(text) => text,
        other => return other.to_string().trim_end_matches('.').to_lowercase(),
    };
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// A time as stores keep it (`2026-11-22T02:00:00`), where the clock is that of `now`.
#[must_use]
pub fn moment(text: &str, now: &Zoned) -> Option<Zoned> {
    text.parse::<DateTime>().ok()?.to_zoned(now.time_zone().clone()).ok()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    const CHINA: &str = "CST-8";
    const SWEDEN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn at(zone: &str, text: &str) -> Zoned {
        text.parse::<DateTime>().unwrap().to_zoned(TimeZone::posix(zone).unwrap()).unwrap()
    }

    /// In China, which does not move its clocks.
    fn here(text: &str) -> Zoned {
        at(CHINA, text)
    }

    fn due(cron: &str, began: &str, now: &str) -> String {
        due_in(CHINA, cron, began, now)
    }

    fn due_in(zone: &str, cron: &str, began: &str, now: &str) -> String {
        let before = Before { began: at(zone, began), cut_short: false };
        said_of(&cron.parse::<Schedule>().unwrap().due(&before, &at(zone, now)))
    }

    fn said_of(due: &Due) -> String {
        match due {
            Due::Now => "now".to_owned(),
            Due::At(moment) => moment.as_ref().map_or_else(|| "never".to_owned(), |m| m.datetime().to_string()),
        }
    }

    const NIGHTLY: &str = "0 2 * * *";

    #[test]
    fn a_night_is_due_at_its_moment_and_once() {
        let began = "2026-11-21T02:00:00";
        assert_eq!(due(NIGHTLY, began, "2026-11-22T01:59:59"), "2026-11-22T02:00:00");
        assert_eq!(due(NIGHTLY, began, "2026-11-22T02:00:00"), "now");
        assert_eq!(due(NIGHTLY, "2026-11-22T02:00:00", "2026-11-22T02:00:00"), "2026-11-23T02:00:00");
        assert_eq!(due(NIGHTLY, "2026-11-22T02:00:00", "2026-11-22T02:00:01"), "2026-11-23T02:00:00");
    }

    #[test]
    fn missed_once_or_many_times_it_is_due_once() {
        assert_eq!(due(NIGHTLY, "2026-11-21T02:00:00", "2026-11-22T09:30:00"), "now");
        assert_eq!(due(NIGHTLY, "2026-10-01T02:00:00", "2026-11-22T09:30:00"), "now");
        // That one began at half past nine: the next is tomorrow's.
        assert_eq!(due(NIGHTLY, "2026-11-22T09:30:00", "2026-11-22T09:50:00"), "2026-11-23T02:00:00");
        // A night out of turn does not stand for the one that follows it.
        assert_eq!(due(NIGHTLY, "2026-11-22T01:30:00", "2026-11-22T02:00:00"), "now");
        // A night of twenty-five hours: the moment has passed meanwhile.
        assert_eq!(due(NIGHTLY, "2026-11-22T02:00:00", "2026-11-23T03:00:00"), "now");
    }

    #[test]
    fn what_was_cut_short_is_due_whatever_the_hour() {
        let schedule: Schedule = NIGHTLY.parse().unwrap();
        let before = Before { began: here("2026-11-22T02:00:00"), cut_short: true };
        assert_eq!(schedule.due(&before, &here("2026-11-22T02:10:00")), Due::Now);
    }

    #[test]
    fn months_end_and_leap_days_come_when_they_come() {
        assert_eq!(due("0 2 31 * *", "2026-03-31T02:00:00", "2026-04-30T12:00:00"), "2026-05-31T02:00:00");
        assert_eq!(due("0 2 L * *", "2028-01-31T02:00:00", "2028-02-10T00:00:00"), "2028-02-29T02:00:00");
        assert_eq!(due("59 23 31 12 *", "2025-12-31T23:59:00", "2026-12-31T23:58:59"), "2026-12-31T23:59:00");
        assert_eq!(due(NIGHTLY, "2028-02-28T02:00:00", "2028-02-28T12:00:00"), "2028-02-29T02:00:00");
        // On the leap day alone: the one of 2028 was missed, the next is in 2032.
        assert_eq!(due("0 2 29 2 *", "2024-02-29T02:00:00", "2027-03-01T00:00:00"), "2028-02-29T02:00:00");
        assert_eq!(due("0 2 29 2 *", "2024-02-29T02:00:00", "2028-03-01T00:00:00"), "now");
        assert_eq!(due("0 2 29 2 *", "2028-03-01T00:00:00", "2028-03-01T00:00:01"), "2032-02-29T02:00:00");
        assert_eq!(due("0 2 * * MON-FRI", "2026-11-20T02:00:00", "2026-11-21T08:00:00"), "2026-11-23T02:00:00");
    }

    #[test]
    fn clocks_that_are_moved_skip_no_night_and_bring_none_twice() {
        let there = |began: &str, now: &str| due_in(SWEDEN, "30 2 * * *", began, now);
        // 2025-03-30: from two to three there is nothing.
        assert_eq!(there("2025-03-29T02:30:00", "2025-03-30T01:59:00"), "2025-03-30T03:00:00");
        assert_eq!(there("2025-03-29T02:30:00", "2025-03-30T03:00:00"), "now");
        assert_eq!(there("2025-03-30T03:00:00", "2025-03-30T03:00:30"), "2025-03-31T02:30:00");
        // 2025-10-26: from two to three comes twice.
        let second = here("2025-10-26T09:30:00").with_time_zone(TimeZone::posix(SWEDEN).unwrap());
        assert_eq!(second.datetime().to_string(), "2025-10-26T02:30:00");
        let schedule: Schedule = "30 2 * * *".parse().unwrap();
        let first = at(SWEDEN, "2025-10-26T02:30:00");
        assert!(first < second);
        let before = |began: &Zoned| Before { began: began.clone(), cut_short: false };
        assert_eq!(schedule.due(&before(&at(SWEDEN, "2025-10-25T02:30:00")), &first), Due::Now);
        assert_eq!(said_of(&schedule.due(&before(&first), &second)), "2025-10-27T02:30:00");
    }

    #[test]
    fn what_is_no_schedule_is_told_with_an_example() {
        let wrong = |text: &str| text.parse::<Schedule>().unwrap_err();
        for (text, why) in [
            ("", "it has 0 fields, not five"),
            ("0 2 * *", "it has 4 fields, not five"),
            ("0 0 2 * * *", "it has 6 fields, not five"),
            ("0 24 * * *", "`24` (hour): "),
            ("0 2 * XYZ *", "`XYZ` (month): "),
            ("0 2 30 2 *", "no day is such a day"),
            ("two in the night please", "wanted minute"),
        ] {
            let said = wrong(text);
            assert!(said.contains(why) && said.contains("such as `0 2 * * *`"), "`{text}`: {said}");
        }
        assert_eq!(" 0  2 * * * ".parse::<Schedule>().unwrap().to_string(), "0 2 * * *");
        assert_eq!("@daily".parse::<Schedule>().unwrap().to_string(), "@daily");
    }

    #[test]
    fn a_time_that_was_kept_is_one_again() {
        let now = here("2026-11-22T09:30:00");
        assert_eq!(moment("2026-11-22T02:00:00", &now), Some(here("2026-11-22T02:00:00")));
        assert_eq!(moment("yesterday", &now), None);
    }
}
