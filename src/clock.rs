//! The one door to "now": how long something took, whether it is late, and what day it is for the faces that must know
//! (a service stamps its answers). Everything below a face gets calendar time by argument.

#![expect(clippy::disallowed_methods, reason = "this is the door")]

use std::time::{Duration, Instant};

use jiff::Zoned;

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

/// Today, where this machine is.
#[must_use]
pub fn today() -> i32 {
    let epoch = jiff::civil::date(1970, 1, 1);
    let since = now().date().since(epoch).map(|span| span.get_days());
    since.unwrap_or(0)
}

/// Now, where this machine is.
#[must_use]
pub fn now() -> Zoned {
    Zoned::now()
}

/// The time of day, where this machine is: `2026-11-22T15:40:12`.
#[must_use]
pub fn now_text() -> String {
    text(&now())
}

/// A moment as it is kept: `2026-11-22T15:40:12`.
#[must_use]
pub fn text(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The same to the millisecond: `2026-11-22T15:40:12.345`.
#[must_use]
pub fn now_precisely() -> String {
    now().strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}

/// Seconds since 1970-01-01, to tell how old a file is.
#[must_use]
pub fn seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}
