//! What was said of late, so that a feedback which comes again is not kept again.
//!
//! A client that goes away between the writing of its feedback and the acknowledgement sends it again, perhaps with no id by which
//! it could be told. So it is told by what it says: everything of a [`Line`] but when it came. It was said before when the last
//! word about each of its reminders, by the same institution, is this very feedback and not a day old. Whoever keeps an order, changes
//! it and keeps it again has said three things.
//!
//! Goes in: lines as they are kept, and where they are written. Comes out: where the same line was written. Bounded: of so many
//! reminders ([`MOST`]) and of a day; what is forgotten is at worst kept twice, and counts once all the same (`kept`). Deliberately
//! unknown here: the disk.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use sha2::{Digest, Sha256};

use super::{Line, Outcome};
use crate::model::day;

/// Reminders whose last word is known: some 15 MB.
const MOST: usize = 1 << 17;

/// How long a feedback is told from a new one, in seconds.
const A_DAY: i64 = 86_400;

/// Half of a hash: nobody finds two texts of the same.
type Hash = [u8; 16];

/// A feedback by what it says.
pub(super) struct Content {
    hash: Hash,
    /// By institution and finding.
    reminders: Vec<Hash>,
    /// Seconds of civil time.
    at: i64,
}

impl Content {
    /// Nothing where it cannot be told: it came at no time, or speaks of no reminder.
    pub(super) fn of(line: &Line) -> Option<Content> {
        let at = seconds_of(&line.at)?;
        let timeless = Line { at: String::new(), ..line.clone() };
        let hash = hash(&[&serde_json::to_vec(&timeless).ok()?]);
        let reminders: Vec<Hash> = line.warns.iter().map(|said| hash_of(&line.by, &said.finding_id)).collect();
        (!reminders.is_empty()).then_some(Content { hash, reminders, at })
    }
}

fn hash_of(by: &str, finding: &str) -> Hash {
    hash(&[&by.len().to_le_bytes(), by.as_bytes(), finding.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut half = Hash::default();
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

/// Seconds since 1970 of `2026-11-22T15:40:12`, as if it were always the same time everywhere.
fn seconds_of(at: &str) -> Option<i64> {
    let (date, time) = at.split_once('T')?;
    let mut parts = time.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some(i64::from(day::parse(date)?) * A_DAY + hours * 3_600 + minutes * 60 + seconds)
}

/// The last word about each reminder.
#[derive(Default)]
pub(super) struct Lately {
    words: HashMap<Hash, Word>,
    /// Reminders in the order in which something was said of them, with the number of what was said and when.
    order: VecDeque<(Hash, u64, i64)>,
    said: u64,
}

struct Word {
    content: Hash,
    at: i64,
    number: u64,
    /// What became of it.
    written: Arc<OnceLock<Outcome>>,
}

impl Lately {
    /// Where the same was written, or is about to be; nothing where it was not said, or could not be written.
    pub(super) fn before(&self, content: &Content) -> Option<Arc<OnceLock<Outcome>>> {
        let is_same = |word: &&Word| {
            let in_time = (content.at - word.at).abs() < A_DAY;
            let stands = !matches!(word.written.get(), Some(Err(_)));
            word.content == content.hash && in_time && stands
        };
        let last = |reminder| self.words.get(reminder).filter(is_same);
        let all = content.reminders.iter().all(|reminder| last(reminder).is_some());
        let first = content.reminders.first().and_then(last);
        first.filter(|_| all).map(|word| Arc::clone(&word.written))
    }

    /// Takes it as the last word about its reminders.
    pub(super) fn say(&mut self, content: &Content, written: &Arc<OnceLock<Outcome>>) {
        self.said += 1;
        let (number, at) = (self.said, content.at);
        for reminder in &content.reminders {
            let word = Word { content: content.hash, at, number, written: Arc::clone(written) };
            self.words.insert(*reminder, word);
            self.order.push_back((*reminder, number, at));
        }
        let is_over = |order: &VecDeque<(Hash, u64, i64)>| {
            order.len() > MOST || order.front().is_some_and(|(_, _, then)| at - then >= A_DAY)
        };
        while is_over(&self.order) {
            let Some((reminder, number, _)) = self.order.pop_front() else { break };
            if self.words.get(&reminder).is_some_and(|word| word.number == number) {
                self.words.remove(&reminder);
            }
        }
    }
}

/// The last day of lines that are read from a file, in their order.
#[derive(Default)]
pub(super) struct LastDay(VecDeque<(Line, i64)>);

impl LastDay {
    pub(super) fn take(&mut self, line: Line) {
        let Some(at) = seconds_of(&line.at) else { return };
        self.0.push_back((line, at));
        while self.0.len() > MOST || self.0.front().is_some_and(|(_, then)| at - then >= A_DAY) {
            self.0.pop_front();
        }
    }

    /// What was said on it, all of it written.
    pub(super) fn said(self) -> Lately {
        let mut lately = Lately::default();
        let written = Arc::new(OnceLock::from(Ok(())));
        for (line, _) in self.0 {
            if let Some(content) = Content::of(&line) {
                lately.say(&content, &written);
            }
        }
        lately
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::feedback::Said;

    fn content(by: &str, at: &str, findings: &[&str], reason: &str) -> Content {
        let said = |finding: &&str| Said {
            finding_id: (*finding).to_owned(),
            rule_code: None,
            dspo_way: "1".to_owned(),
            reason: Some(reason.to_owned()),
        };
        let line = Line {
            at: at.to_owned(),
            by: by.to_owned(),
            msgid: None,
            task_id: None,
            stage: None,
            fixmedins_code: None,
            opter: None,
            warns: findings.iter().map(said).collect(),
        };
        Content::of(&line).unwrap()
    }

    fn written() -> Arc<OnceLock<Outcome>> {
        Arc::new(OnceLock::from(Ok(())))
    }

    #[test]
    fn the_last_word_is_known_for_a_day_and_only_while_it_is_the_last() {
        let mut lately = Lately::default();
        let first = content("H1", "2026-11-30T23:00:00", &["a", "b"], "checked");
        assert!(lately.before(&first).is_none());
        lately.say(&first, &written());
        assert!(lately.before(&first).is_some());
        let again = |at: &str| content("H1", at, &["a", "b"], "checked");
        assert!(lately.before(&again("2026-12-01T22:59:59")).is_some(), "over the end of a month");
        assert!(lately.before(&again("2026-12-01T23:00:00")).is_none());
        assert!(lately.before(&again("2026-11-30T22:58:00")).is_some(), "the clock was set back");
        for other in [
            content("H2", "2026-11-30T23:00:00", &["a", "b"], "checked"),
            content("H1", "2026-11-30T23:00:00", &["a", "b"], "looked at"),
            content("H1", "2026-11-30T23:00:00", &["a"], "checked"),
        ] {
            assert!(lately.before(&other).is_none());
        }
        lately.say(&content("H1", "2026-11-30T23:10:00", &["b"], "looked at"), &written());
        assert!(lately.before(&first).is_none(), "of `b` something else was said since");
    }

    #[test]
    fn what_could_not_be_written_was_not_said() {
        let mut lately = Lately::default();
        let (said, failed) = (content("H1", "2026-11-22T08:00:00", &["a"], "checked"), Arc::new(OnceLock::new()));
        lately.say(&said, &failed);
        assert!(lately.before(&said).is_some(), "it is being written: whoever says it again waits for the same");
        failed.set(Err((std::io::ErrorKind::StorageFull, String::new()))).unwrap();
        assert!(lately.before(&said).is_none());
    }

    #[test]
    fn it_does_not_grow() {
        let mut lately = Lately::default();
        for number in 0..MOST + 500 {
            lately.say(&content("H1", "2026-11-22T08:00:00", &[&number.to_string()], "checked"), &written());
        }
        assert_eq!((lately.words.len(), lately.order.len()), (MOST, MOST));
        for _ in 0..1_000 {
            lately.say(&content("H1", "2026-11-22T09:00:00", &["a"], "checked"), &written());
        }
        assert!(lately.order.len() <= MOST && lately.words.len() <= MOST);
        lately.say(&content("H1", "2026-11-24T09:00:00", &["a"], "checked"), &written());
        assert_eq!((lately.words.len(), lately.order.len()), (1, 1), "what is a day old is forgotten");
    }
}
