//! Exemptions (豁免): who answers for it that a rule is right about a case and the case is in order all the same.
//!
//! Goes in: a folder of `*.toml` and the rules that it may name. Comes out: [`Exemptions`] in order of their ids, with a hash
//! of the folder, or every mistake at once, with its place. Deliberately unknown here: findings; whether one is covered is
//! said in `findings::exempt`. Nothing expires here either: the day of the run comes later.
//!
//! A person's number is health data. What is wrong with a file is told with the numbers in it masked, and no exemption
//! prints its scope.
//!
//! To add a scope: a key in [`SCOPE`], a field of [`Exemption`], its meaning in `findings::exempt`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::RuleSet;
use super::file::{Entry, Reader, hex};
use crate::model::day;
use crate::span::{Diagnostic, nearest};

/// No file of exemptions is larger.
const LARGEST: u64 = 1 << 20;
/// Files in a folder.
const FILES: usize = 1_000;
/// Exemptions in a folder.
const MOST: usize = 10_000;
/// An exemption ends after at most so many days; who still wants it says so again.
const LONGEST_DAYS: i32 = 365;

const REQUIRED: [&str; 6] = ["id", "rules", "owner", "reason", "from", "until"];
const SCOPE: [&str; 4] = ["psn_no", "mdtrt_id", "fixmedins_code", "hilist_code"];

/// Findings of some rules, in some days and some scope, that somebody answers for.
#[derive(Clone, PartialEq, Eq)]
pub struct Exemption {
    pub id: String,
    /// Codes and families.
    pub rules: BTreeSet<String>,
    pub owner: String,
    pub reason: String,
    /// First and last day.
    pub from: i32,
    pub until: i32,
    /// Each of the four: empty where it is not asked; at least one is asked.
    pub psn_no: BTreeSet<String>,
    pub mdtrt_id: BTreeSet<String>,
    pub fixmedins_code: BTreeSet<String>,
    /// Prefixes.
    pub hilist_code: BTreeSet<String>,
}

/// Without its scope: a person's number has no place in a log.
impl fmt::Debug for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exemption({})", self.id)
    }
}

/// The exemptions of a folder.
#[derive(Debug, Clone, Default)]
pub struct Exemptions {
    /// By id.
    pub entries: Vec<Exemption>,
    /// Hash of all files, hex; empty where no folder was read.
    pub hash: String,
}

impl Exemptions {
    /// Reads every `*.toml` that lies in the folder itself.
    ///
    /// # Errors
    /// Every mistake of every file; a folder or file that cannot be read.
    pub fn read(folder: &Path, set: &RuleSet) -> Result<Exemptions, Vec<Diagnostic>> {
        let (texts, mut mistakes) = texts(folder);
        let mut hash = Sha256::new();
        let mut known = Known { set, taken: BTreeMap::new(), entries: Vec::new() };
        for (name, text) in &texts {
            for part in [name.as_bytes(), text.as_bytes()] {
                hash.update(part);
                hash.update([0]);
            }
            let file = folder.join(name).display().to_string();
            let mut reader = Reader::new(&file, text);
            known.file(&mut reader, &file, text);
            mistakes.append(&mut reader.mistakes);
        }
        if known.taken.len() > MOST {
            let much = format!("{} exemptions, more than {MOST}", known.taken.len());
            mistakes
                .push(Diagnostic::whole(&folder.display().to_string(), much).help("take out those that have ended"));
        }
        if !mistakes.is_empty() {
            return Err(mistakes.into_iter().map(masked).collect());
        }
        known.entries.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Exemptions { entries: known.entries, hash: hex(&hash.finalize()) })
    }
}

/// Name and text of every file, and what could not be read.
fn texts(folder: &Path) -> (BTreeMap<String, String>, Vec<Diagnostic>) {
    let root = folder.display().to_string();
    let mut found = BTreeMap::new();
    let mut mistakes = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return (found, vec![Diagnostic::whole(&root, format!("cannot read the folder: {error}"))]),
    };
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                mistakes.push(Diagnostic::whole(&root, format!("cannot read the folder: {error}")));
                continue;
            }
        };
        if path.extension().is_none_or(|e| e != "toml") || !path.is_file() {
            continue;
        }
        if found.len() + mistakes.len() == FILES {
            mistakes.push(Diagnostic::whole(&root, format!("more than {FILES} files")));
            break;
        }
        let file = path.display().to_string();
        match fs::metadata(&path).and_then(|m| if m.len() > LARGEST { Ok(None) } else { fs::read(&path).map(Some) }) {
            Err(error) => mistakes.push(Diagnostic::whole(&file, format!("cannot be read: {error}"))),
            Ok(None) => mistakes.push(Diagnostic::whole(&file, format!("larger than {} MiB", LARGEST >> 20))),
            Ok(Some(bytes)) => match String::from_utf8(bytes) {
                Err(_) => mistakes.push(Diagnostic::whole(&file, "not UTF-8").help("save it as UTF-8")),
                Ok(text) => {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    found.insert(name, text.trim_start_matches('\u{feff}').replace("\r\n", "\n"));
                }
            },
        }
    }
    mistakes.sort_by(|a, b| a.file.cmp(&b.file));
    (found, mistakes)
}

/// What has been read so far.
struct Known<'s> {
    set: &'s RuleSet,
    /// Id → where it stands.
    taken: BTreeMap<String, String>,
    entries: Vec<Exemption>,
}

impl Known<'_> {
    fn file<'a>(&mut self, reader: &mut Reader<'a>, file: &str, text: &'a str) {
        let parsed = reader.parsed();
        if !reader.mistakes.is_empty() {
            return;
        }
        let head = reader.table(parsed.get_ref(), &["exemption"], "a file of exemptions");
        let Some((_, value)) = head.get("exemption") else { return };
        let Some(list) = value.get_ref().as_array() else {
            reader.wrong(value.span(), "`exemption` is not a list of tables", Some("write `[[exemption]]`".to_owned()));
            return;
        };
        for item in list {
            let Some(table) = item.get_ref().as_table() else {
                reader.wrong(item.span(), "an exemption is not a table", Some("write `[[exemption]]`".to_owned()));
                continue;
            };
            let before = reader.mistakes.len();
            let found = self.exemption(reader, table, &item.span(), &|place| {
                format!("{file}:{}", Diagnostic::at(file, text, place, "").line)
            });
            if reader.mistakes.len() == before {
                self.entries.extend(found);
            }
        }
    }

    fn exemption(
        &mut self,
        reader: &mut Reader<'_>,
        table: &DeTable<'_>,
        place: &Range<usize>,
        line: &dyn Fn(Range<usize>) -> String,
    ) -> Option<Exemption> {
        let keys: Vec<&str> = REQUIRED.iter().chain(&SCOPE).copied().collect();
        let entries = reader.table(table, &keys, "an exemption");
        for name in REQUIRED {
            if !entries.contains_key(name) {
                reader.wrong(place.clone(), format!("`{name}` is missing"), None);
            }
        }
        let id = words(reader, entries.get("id"), "id", 64);
        if let Some((_, value)) = entries.get("id").filter(|_| !id.is_empty()) {
            if let Some(other) = self.taken.get(&id) {
                let help = Some("an id is given once in all files of the folder".to_owned());
                reader.wrong(value.span(), format!("the id `{id}` is already taken at {other}"), help);
            } else {
                self.taken.insert(id.clone(), line(value.span()));
            }
        }
        let mut rules = BTreeSet::new();
        for (word, place) in reader.listed(entries.get("rules"), "rules") {
            if self.set.rules.iter().any(|rule| rule.code == word || rule.family() == word) {
                rules.insert(word);
                continue;
            }
            let known = self.set.rules.iter().flat_map(|rule| [rule.code.as_str(), rule.family()]);
            let help = nearest(&word, known)
                .map_or_else(|| "`fundaudit rules list` shows them all".to_owned(), |n| format!("did you mean `{n}`?"));
            reader.wrong(place, format!("no rule or family has the code `{word}`"), Some(help));
        }
        let owner = words(reader, entries.get("owner"), "owner", 100);
        let reason = words(reader, entries.get("reason"), "reason", 500);
        let from = reader.day_of(entries.get("from"), "from");
        let until = reader.day_of(entries.get("until"), "until");
        if let (Some(from), Some(until), Some((_, value))) = (from, until, entries.get("until")) {
            if until < from {
                reader.wrong(value.span(), "`until` is before `from`", None);
            } else if until - from > LONGEST_DAYS {
                let last = day::text(from + LONGEST_DAYS);
                reader.wrong(
                    value.span(),
                    format!("`until` is {} days after `from`, more than {LONGEST_DAYS}", until - from),
                    Some(format!("at most {last}; afterwards a new exemption with its own reason")),
                );
            }
        }
        if !SCOPE.iter().any(|name| entries.contains_key(name)) {
            let help = format!("at least one of {}", SCOPE.map(|name| format!("`{name}`")).join(", "));
            reader.wrong(place.clone(), "an exemption without a scope", Some(help));
        }
        let mut scope = |name: &str| reader.listed(entries.get(name), name).into_iter().map(|(text, _)| text).collect();
        Some(Exemption {
            id,
            rules,
            owner,
            reason,
            from: from?,
            until: until?,
            psn_no: scope("psn_no"),
            mdtrt_id: scope("mdtrt_id"),
            fixmedins_code: scope("fixmedins_code"),
            hilist_code: scope("hilist_code"),
        })
    }
}

/// A text of at most so many characters; that it is missing has been said.
fn words(reader: &mut Reader<'_>, entry: Option<&Entry<'_>>, name: &str, most: usize) -> String {
    let Some((_, value)) = entry else { return String::new() };
    let text = reader.text_of(entry, name, true);
    if text.chars().count() > most {
        reader.wrong(value.span(), format!("`{name}` has more than {most} characters"), None);
    }
    text
}

/// A mistake as anyone may read it: long numbers masked, and everything that is said of a person.
fn masked(mistake: Diagnostic) -> Diagnostic {
    Diagnostic {
        source: without_numbers(&mistake.source),
        message: without_numbers(&mistake.message),
        help: mistake.help.as_deref().map(without_numbers),
        ..mistake
    }
}

/// Words with six digits or more, and what stands in quotes on a line about a person, as stars; as wide as it was, so that
/// the caret stays where it is.
fn without_numbers(line: &str) -> String {
    let about_a_person = line.contains("psn");
    let mut shown = String::with_capacity(line.len());
    let mut quoted = false;
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if length == 0 {
            quoted ^= matches!(first, '"' | '\'');
            shown.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(length);
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if digits >= 6 || about_a_person && (quoted || digits == length) {
            shown.push_str(&"*".repeat(length));
        } else {
            shown.push_str(word);
        }
        rest = after;
    }
    shown
}
