//! The feedback journal read back: line by line, counted by rule, as rows for a spreadsheet.
//!
//! Goes in: the journal's folder, which somebody may be writing at the same time. Comes out: its [`Line`]s in the order in
//! which they were kept, how many are damaged, and [`Counts`]. What was said twice about one reminder counts once, with the
//! last word. Deliberately unknown here: findings; a reminder that nobody answered is not in the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::Line;

/// No line is longer: a message is 8 MiB, and text grows at most sixfold in JSON.
const LONGEST: u64 = 64 << 20;

/// The file of a month.
pub(super) fn name_of(month: &str) -> String {
    format!("feedback-{month}.ndjson")
}

/// The files of a folder, in the order of their months.
///
/// # Errors
/// The disk.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let month = name.strip_prefix("feedback-").and_then(|rest| rest.strip_suffix(".ndjson"));
        if month.is_some_and(|month| name_of(month) == name && super::month_of(month) == Some(month)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A line of a file as it stands.
enum Found {
    Good(Box<Line>),
    /// It ends, and says something else than its checksum.
    Damaged,
    /// It does not end: nobody was told that it is kept.
    Open,
}

/// The lines of a file with the place where each ends.
fn lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<(Found, u64)>>> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut line, mut at) = (Vec::new(), 0_u64);
    Ok(std::iter::from_fn(move || {
        line.clear();
        match file.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(read) => {
                at += read as u64;
                let found = match line.strip_suffix(b"\n") {
                    None if read as u64 == LONGEST => Found::Damaged,
                    None => Found::Open,
                    Some(line) => Line::unsealed(line).map_or(Found::Damaged, |line| Found::Good(Box::new(line))),
                };
                Some(Ok((found, at)))
            }
            Err(error) => Some(Err(error)),
        }
    }))
}

/// How far a file is good: to the end of its last good line. Hands over the good ones.
pub(super) fn good_length(path: &Path, take: &mut dyn FnMut(Line)) -> io::Result<u64> {
    let mut good = 0;
    for line in lines(path)? {
        if let (Found::Good(line), end) = line? {
            take(*line);
            good = end;
        }
    }
    Ok(good)
}

/// Days that are asked for, `2026-11-22`, both included; none: all.
#[derive(Debug, Clone, Default)]
pub struct Days {
    pub from: Option<String>,
    pub until: Option<String>,
}

impl Days {
    fn has(&self, at: &str) -> bool {
        let day = at.get(..10).unwrap_or(at);
        self.from.as_deref().is_none_or(|from| from <= day) && self.until.as_deref().is_none_or(|until| day <= until)
    }

    fn has_file(&self, path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let after = self.from.as_deref().and_then(super::month_of).is_none_or(|from| *name_of(from) <= *name);
        let before = self.until.as_deref().and_then(super::month_of).is_none_or(|until| *name <= *name_of(until));
        after && before
    }
}

/// Hands over every feedback of some days, in the order in which they were kept. Comes back: how many lines are damaged.
///
/// # Errors
/// The disk; what `take` says.
pub fn each(folder: &Path, days: &Days, take: &mut dyn FnMut(Line) -> io::Result<()>) -> io::Result<u64> {
    let mut damaged = 0;
    for file in files(folder)?.iter().filter(|file| days.has_file(file)) {
        for line in lines(file)? {
            match line?.0 {
                Found::Good(line) if days.has(&line.at) => take(*line)?,
                Found::Good(_) | Found::Open => {}
                Found::Damaged => damaged += 1,
            }
        }
    }
    Ok(damaged)
}

/// What became of reminders, by rule; without a rule where the sender did not say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub rules: BTreeMap<Option<String>, OfRule>,
    /// Messages.
    pub messages: u64,
    pub institutions: BTreeSet<String>,
    /// Lines that say something else than was written.
    pub damaged: u64,
}

/// What became of the reminders of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfRule {
    /// The order was kept as it was.
    pub kept: u64,
    /// The order was changed.
    pub changed: u64,
    /// Why it was kept: the reasons as they were written, and how often.
    pub reasons: BTreeMap<String, u64>,
}

impl OfRule {
    /// The reasons that are given most often, the most frequent first.
    #[must_use]
    pub fn first_reasons(&self, most: usize) -> Vec<(&str, u64)> {
        let mut reasons: Vec<(&str, u64)> =
            self.reasons.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        reasons.truncate(most);
        reasons
    }
}

/// The last word about a reminder.
struct Word {
    rule: Option<String>,
    kept: bool,
    reason: Option<String>,
}

impl Counts {
    /// Counts the feedback of some days.
    ///
    /// # Errors
    /// The disk.
    pub fn of(folder: &Path, days: &Days) -> io::Result<Counts> {
        let mut counts = Counts::default();
        // By institution and finding: whoever says something again means what was said last.
        let mut words: BTreeMap<(String, String), Word> = BTreeMap::new();
        let damaged = each(folder, days, &mut |line| {
            counts.messages += 1;
            for said in line.warns {
                let word = Word { rule: said.rule_code, kept: said.dspo_way == "1", reason: said.reason };
                words.insert((line.by.clone(), said.finding_id), word);
            }
            counts.institutions.insert(line.by);
            Ok(())
        })?;
        counts.damaged = damaged;
        for Word { rule, kept, reason } in words.into_values() {
            let of_rule = counts.rules.entry(rule).or_default();
            if kept {
                of_rule.kept += 1;
                *of_rule.reasons.entry(reason.unwrap_or_default()).or_default() += 1;
            } else {
                of_rule.changed += 1;
            }
        }
        Ok(counts)
    }
}

/// The columns of [`rows`].
pub const HEAD: [&str; 11] = [
    "at",
    "by",
    "fixmedins_code",
    "opter",
    "msgid",
    "task_id",
    "stage",
    "rule_code",
    "finding_id",
    "dspo_way",
    "reason",
];

/// A row for each reminder of a feedback.
#[must_use]
pub fn rows(line: &Line) -> Vec<[String; HEAD.len()]> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let row = |said: &super::Said| {
        [
            line.at.clone(),
            line.by.clone(),
            text(&line.fixmedins_code),
            text(&line.opter),
            text(&line.msgid),
            text(&line.task_id),
            text(&line.stage),
            text(&said.rule_code),
            said.finding_id.clone(),
            said.dspo_way.clone(),
            text(&said.reason),
        ]
    };
    line.warns.iter().map(row).collect()
}
