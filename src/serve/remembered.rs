//! Answers that were given: the same question of the same institution gets the same bytes again.
//!
//! Goes in: who asked, which task, the body; an answer. Comes out: the answer that stands. Bounded by number and by bytes;
//! what was asked for longest ago goes first. Deliberately unknown here: messages.
//!
//! A body is told from another by 128 bits of a hash that is seeded anew in every process; entries of one institution never
//! answer another.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;

use axum::body::Bytes;

/// Which question it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// The institution; empty where there are no keys.
    pub(super) by: String,
    /// The address that was asked.
    pub(super) address: &'static str,
    pub(super) task: String,
    /// Length and hashes of the body.
    pub(super) body: (usize, u64, u64),
}

/// Answers by question.
pub(super) struct Remembered {
    most: usize,
    most_bytes: usize,
    seeds: [RandomState; 2],
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    answers: HashMap<Question, (Bytes, u64)>,
    /// The questions in the order in which they were last asked.
    order: BTreeMap<u64, Question>,
    bytes: usize,
    clock: u64,
}

impl Remembered {
    /// Remembers so many answers of so many bytes together.
    pub(super) fn new(most: usize, most_bytes: usize) -> Remembered {
        Remembered { most, most_bytes, seeds: [RandomState::new(), RandomState::new()], kept: Mutex::default() }
    }

    /// A question, by its task and its body.
    pub(super) fn question(&self, by: &str, address: &'static str, task: &str, body: &[u8]) -> Question {
        let [first, second] = &self.seeds;
        let body = (body.len(), first.hash_one(body), second.hash_one(body));
        Question { by: by.to_owned(), address, task: task.to_owned(), body }
    }

    /// The answer to a question that was asked before.
    pub(super) fn of(&self, question: &Question) -> Option<Bytes> {
        // What a panicking thread left locked is whole: nothing in here panics half way.
        let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = &mut *kept;
        let (answer, asked) = kept.answers.get_mut(question)?;
        kept.order.remove(asked);
        kept.clock += 1;
        *asked = kept.clock;
        kept.order.insert(kept.clock, question.clone());
        Some(answer.clone())
    }

    /// Remembers an answer. Comes back: the one that stands, which is another's where two asked at the same time.
    pub(super) fn keep(&self, question: Question, answer: Bytes) -> Bytes {
        if let Some(known) = self.of(&question) {
            return known;
        }
        let size = size_of(&question, &answer);
        if self.most == 0 || size > self.most_bytes / 4 {
            return answer;
        }
        let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.clock += 1;
        let clock = kept.clock;
        kept.bytes += size;
        kept.order.insert(clock, question.clone());
        if let Some((other, asked)) = kept.answers.insert(question.clone(), (answer.clone(), clock)) {
            // Another thread was quicker between the look and the lock; its answer has gone out.
            kept.bytes -= size;
            kept.order.remove(&clock);
            kept.answers.insert(question, (other.clone(), asked));
            return other;
        }
        while kept.answers.len() > self.most || kept.bytes > self.most_bytes {
            let Some((_, oldest)) = kept.order.pop_first() else { break };
            if let Some((gone, _)) = kept.answers.remove(&oldest) {
                kept.bytes -= size_of(&oldest, &gone);
            }
        }
        answer
    }

    /// How many answers there are, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (kept.answers.len(), kept.bytes)
    }
}

fn size_of(question: &Question, answer: &Bytes) -> usize {
    answer.len() + 2 * (question.by.len() + question.task.len()) + 200
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(remembered: &Remembered, question: &Question) -> Option<String> {
        remembered.of(question).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn the_first_answer_stands_and_only_for_who_asked() {
        let remembered = Remembered::new(10, 10_000);
        let question = remembered.question("H1", "review", "T1", b"body");
        assert_eq!(remembered.keep(question.clone(), Bytes::from_static(b"one")), "one");
        assert_eq!(remembered.keep(question.clone(), Bytes::from_static(b"two")), "one");
        assert_eq!(text(&remembered, &question).as_deref(), Some("one"));
        for other in [
            remembered.question("H2", "review", "T1", b"body"),
            remembered.question("H1", "3101", "T1", b"body"),
            remembered.question("H1", "review", "T2", b"body"),
            remembered.question("H1", "review", "T1", b"bodz"),
        ] {
            assert_eq!(text(&remembered, &other), None, "{other:?}");
        }
    }

    #[test]
    fn what_was_asked_for_longest_ago_goes_first() {
        let remembered = Remembered::new(2, 10_000);
        let [a, b, c] = ["a", "b", "c"].map(|task| remembered.question("H1", "review", task, b""));
        remembered.keep(a.clone(), Bytes::from_static(b"a"));
        remembered.keep(b.clone(), Bytes::from_static(b"b"));
        remembered.of(&a);
        remembered.keep(c.clone(), Bytes::from_static(b"c"));
        assert_eq!([&a, &b, &c].map(|q| remembered.of(q).is_some()), [true, false, true]);
        assert_eq!(remembered.size().0, 2);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let remembered = Remembered::new(1_000, 8_000);
        for task in 0..100 {
            let question = remembered.question("H1", "review", &task.to_string(), b"");
            remembered.keep(question, Bytes::from(vec![0; 1_000]));
            assert!(remembered.size().1 <= 8_000, "{:?}", remembered.size());
        }
        assert_eq!(remembered.size().0, 6);
        let large = remembered.question("H1", "review", "large", b"");
        remembered.keep(large.clone(), Bytes::from(vec![0; 3_000]));
        assert!(remembered.of(&large).is_none(), "one answer does not push out all others");
    }
}
