//! What doctors did about reminders, and who keeps it.
//!
//! Goes in: a [`Feedback`] (3103), who sent it, when. Comes out: kept, or why not. Deliberately unknown here: messages,
//! sockets; what the reminders were about.

use std::io;

use crate::messages::Feedback;

/// Keeps what doctors did. Called by many threads at once; comes back when what was given is safe from a loss of power.
pub trait Feedbacks: Send + Sync {
    /// Keeps one message: `by` is the institution that sent it, `at` the time of day, `2026-11-22T15:40:12`.
    ///
    /// # Errors
    /// It is not kept, and must not be acknowledged.
    fn keep(&self, feedback: &Feedback, by: &str, at: &str) -> io::Result<()>;
}
