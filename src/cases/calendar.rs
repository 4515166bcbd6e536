//! Working days: weekdays, less the holidays and with the make-up days (调休) that the State Council sets for each year.
//!
//! Goes in: `audit_rules/calendar/<year>.csv` (`day,kind,name,source`; `kind` is `off` or `work`), a file a year that has been
//! published. Comes out: whether a day is a working day, and the n-th working day after one. Of a year that has no file
//! nothing is guessed: whoever asks gets a [`Gap`].
//!
//! To add a year: its file, from the notice of the State Council's office, usually in November of the year before.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::day;
use crate::rules::at_line;
use crate::span::Diagnostic;

const HEADER: [&str; 4] = ["day", "kind", "name", "source"];

/// Holidays and make-up days of the years that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeMap<i32, BTreeMap<i32, Special>>,
}

/// A day that is not what its weekday says, or that is a holiday on a weekend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    /// A make-up day; else a holiday.
    pub works: bool,
    pub name: String,
    pub source: String,
}

/// A year of which no calendar is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub year: i32,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the holidays of {0} are not known, so no working day of {0} can be counted: put `calendar/{0}.csv` into the rule \
             library (day,kind,name,source) when the State Council has published them, and name the library with `--rules`",
            self.year
        )
    }
}

impl std::error::Error for Gap {}

impl Calendar {
    /// Takes in the file of a year.
    ///
    /// # Errors
    /// Every line that cannot be read.
    pub fn read(&mut self, year: i32, file: &str, text: &str) -> Result<(), Vec<Diagnostic>> {
        let mut mistakes = Vec::new();
        let mut wrong = |line: usize, message: String| mistakes.push(at_line(file, text, line, message));
        let mut days: BTreeMap<i32, Special> = BTreeMap::new();
        let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
        for (line, record) in (1..).zip(reader.records()) {
            let cells: Vec<String> = match record {
                Ok(record) => record.iter().map(|cell| cell.trim().to_owned()).collect(),
                Err(error) => {
                    wrong(line, error.to_string());
                    continue;
                }
            };
            let [on, kind, name, source] = cells.as_slice() else {
                wrong(line, format!("found {} cells, wanted {}", cells.len(), HEADER.join(",")));
                continue;
            };
            if line == 1 {
                if cells != HEADER {
                    wrong(line, format!("the header is `{}`, wanted `{}`", cells.join(","), HEADER.join(",")));
                }
                continue;
            }
            let Some(number) = day::parse(on) else {
                wrong(line, format!("`day` is `{on}`, wanted YYYY-MM-DD"));
                continue;
            };
            let works = match kind.as_str() {
                "off" => false,
                "work" => true,
                other => {
                    wrong(line, format!("`kind` is `{other}`, wanted `off` (a holiday) or `work` (a make-up day)"));
                    continue;
                }
            };
            if day::to_ymd(number).0 != year {
                wrong(line, format!("{on} is not in {year}: the file is that of one year"));
            } else if works && !is_weekend(number) {
                wrong(line, format!("{on} is a weekday and works anyway: a make-up day is a Saturday or Sunday"));
            } else if name.is_empty() || source.is_empty() {
                wrong(line, "`name` or `source` is empty: which holiday, and which notice says so".to_owned());
            }
            let special = Special { works, name: name.clone(), source: source.clone() };
            if days.insert(number, special).is_some() {
                wrong(line, format!("{on} is there twice"));
            }
        }
        if days.values().all(|special| special.works) {
            mistakes
                .push(Diagnostic::whole(file, format!("no holiday in {year}: a year without one is not a calendar")));
        }
        if mistakes.is_empty() {
            self.years.insert(year, days);
            return Ok(());
        }
        Err(mistakes)
    }

    /// The years that are known, in order.
    pub fn years(&self) -> impl Iterator<Item = i32> + '_ {
        self.years.keys().copied()
    }

    /// What is special about a day.
    #[must_use]
    pub fn special(&self, on: i32) -> Option<&Special> {
        self.years.get(&day::to_ymd(on).0)?.get(&on)
    }

    /// Whether work is done on a day.
    ///
    /// # Errors
    /// A year that is not known.
    pub fn is_working(&self, on: i32) -> Result<bool, Gap> {
        let year = day::to_ymd(on).0;
        let days = self.years.get(&year).ok_or(Gap { year })?;
        Ok(days.get(&on).map_or_else(|| !is_weekend(on), |special| special.works))
    }

    /// The n-th working day after a day, which itself is not counted; the day itself for none.
    ///
    /// # Errors
    /// A year on the way that is not known.
    pub fn after(&self, day: i32, working_days: u32) -> Result<i32, Gap> {
        let (mut on, mut left) = (day, working_days);
        while left > 0 {
            on += 1;
            left -= u32::from(self.is_working(on)?);
        }
        Ok(on)
    }
}

/// Saturday or Sunday. 1970-01-01 was a Thursday.
fn is_weekend(on: i32) -> bool {
    (on + 3).rem_euclid(7) >= 5
}
