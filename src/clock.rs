//! The one door to "now": how long something took, whether it is late, and, for faces alone, what the calendar on the wall
//! says. Everywhere else calendar time comes in by argument.

#![expect(clippy::disallowed_methods, reason = "this is the door")]

use std::time::{Duration, Instant};

/// Measures a stretch of time.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A moment by which an answer is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long after now.
    #[must_use]
    pub fn after(time: Duration) -> Deadline {
        Deadline(Instant::now() + time)
    }

    /// Whether it has passed.
    #[must_use]
    pub fn is_past(&self) -> bool {
        Instant::now() >= self.0
    }
}

/// What the clock on the wall says, as it is kept: `2026-11-22T15:40:12`, local time without a zone.
#[must_use]
pub fn now_text() -> String {
    jiff::Zoned::now().datetime().strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Seconds since 1970-01-01, to tell how old a file is.
#[must_use]
pub fn seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}
