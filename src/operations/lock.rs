//! `rules lock`: which text of each rule is the one in use. A finding carries its rule's hash; the lock says which version
//! that was, and a rule that changes without a new version shows.
//!
//! `rules.lock` is a line a rule, `code version hash`, by code. Drafts change freely and are not in it. Goes in: a library
//! and the text of its lock. Comes out: a new text, or the [`Change`]s. Not known here: what a change means for findings;
//! `rules diff` tells that.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use super::{Error, library};
use crate::rules::{RuleSet, Status};

/// The lock's name in a library.
pub const FILE: &str = "rules.lock";

const HEAD: &str = "# Written by `fundaudit rules lock`: code, version and hash of every rule that is not a draft.\n\
                    # A rule that changes gets a new `version` and four lines in CHANGELOG.md, and then a new line here.\n";

/// How a rule and its line in the lock differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The text is another one, the version is not.
    SameVersion { code: String, file: String, version: u32 },
    /// The version is lower than the locked one.
    Back { code: String, file: String, version: u32, locked: u32 },
    /// A new version that the lock does not know yet.
    Newer { code: String, version: u32, locked: u32 },
    /// A rule that the lock does not know yet.
    New { code: String },
    /// The lock knows a rule that the library does not have.
    Gone { code: String },
    /// A line that is no code, version and hash.
    Unread { line: usize, text: String },
}

impl Change {
    /// Whether writing the lock anew would hide something.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        matches!(self, Change::SameVersion { .. } | Change::Back { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lock = "`fundaudit rules lock` writes it";
        match self {
            Change::SameVersion { code, file, version } => write!(
                f,
                "{code} has changed without a new version: write `version = {}` into `{file}`, four lines into CHANGELOG.md",
                version + 1
            ),
            Change::Back { code, file, version, locked } => write!(
                f,
                "{code} went back from version {locked} to {version}: write `version = {}` into `{file}`, an old text too is a new version",
                locked + 1
            ),
            Change::Newer { code, version, locked } => {
                write!(f, "{code} has version {version}, the lock has {locked}: {lock}")
            }
            Change::New { code } => write!(f, "{code} is not in the lock: {lock}"),
            Change::Gone { code } => {
                write!(
                    f,
                    "{code} is in the lock, and the library has it no more or as a draft: retire a rule (`status = \"retired\"`) rather than remove it, or {lock} without it"
                )
            }
            Change::Unread { line, text } => {
                write!(f, "line {line} of `{FILE}` is `{text}`, wanted a code, a version and a hash: {lock}")
            }
        }
    }
}

/// The lock of a library.
#[must_use]
pub fn text(set: &RuleSet) -> String {
    let lines = locked_rules(set).map(|r| format!("{} {} {}\n", r.code, r.version, r.hash));
    HEAD.to_owned() + &lines.collect::<String>()
}

fn locked_rules(set: &RuleSet) -> impl Iterator<Item = &crate::rules::Rule> {
    set.rules.iter().filter(|r| r.status != Status::Draft)
}

/// How a library differs from the text of its lock, by code.
#[must_use]
pub fn changes(set: &RuleSet, lock: &str) -> Vec<Change> {
    let mut found = Vec::new();
    let mut locked: BTreeMap<&str, (u32, &str)> = BTreeMap::new();
    for (number, line) in lock.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next().and_then(|w| w.parse().ok()), words.next(), words.next()) {
            (Some(code), Some(version), Some(hash), None) => {
                locked.insert(code, (version, hash));
            }
            _ => found.push(Change::Unread { line: number + 1, text: line.chars().take(80).collect() }),
        }
    }
    for rule in locked_rules(set) {
        let (code, file, version) = (rule.code.clone(), rule.file.clone(), rule.version);
        match locked.remove(rule.code.as_str()) {
            None => found.push(Change::New { code }),
            Some((before, hash)) if before == version && hash != rule.hash => {
                found.push(Change::SameVersion { code, file, version });
            }
            Some((before, _)) if before > version => found.push(Change::Back { code, file, version, locked: before }),
            Some((before, _)) if before < version => found.push(Change::Newer { code, version, locked: before }),
            Some(_) => {}
        }
    }
    found.extend(locked.into_keys().map(|code| Change::Gone { code: code.to_owned() }));
    found
}

/// How a library differs from its lock; nothing where it has no lock.
///
/// # Errors
/// Mistakes in rules, a folder that cannot be read.
pub fn check(folder: Option<&Path>) -> Result<Option<Vec<Change>>, Error> {
    let (set, lock) = library::open_with(folder, FILE)?;
    Ok(lock.map(|lock| changes(&set, &lock)))
}

/// Writes the lock of a library: the rules in it. Writes nothing while a rule has changed without a new version, and returns
/// those that have.
///
/// # Errors
/// Mistakes in rules, a folder that cannot be read or written.
pub fn write(folder: &Path) -> Result<Result<usize, Vec<Change>>, Error> {
    let (set, lock) = library::open_with(Some(folder), FILE)?;
    let mut wrong = lock.map(|lock| changes(&set, &lock)).unwrap_or_default();
    wrong.retain(Change::is_mistake);
    if !wrong.is_empty() {
        return Ok(Err(wrong));
    }
    let file = folder.join(FILE);
    fs::write(&file, text(&set))
        .map_err(|source| Error::Disk { doing: format!("write `{}`", file.display()), source })?;
    Ok(Ok(locked_rules(&set).count()))
}
