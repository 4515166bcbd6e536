//! Progress bars on a terminal, nothing in a pipe; and whether a signal asked the work to stop.
//!
//! Goes in: what operations tell of their progress. Comes out: one line on stderr, for the stage at work: how far, of how
//! much, and the time left where a total is known. Not known here: what the stages do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::progress::Progress;

/// Stages that count bytes.
const IN_BYTES: [&str; 3] = ["read", "assign", "sort"];

/// Draws the progress of an operation on stderr.
pub(super) struct Bars {
    on_terminal: bool,
    current: Mutex<Option<ProgressBar>>,
    stopped: Arc<AtomicBool>,
}

impl Bars {
    /// `stopped` is set by whoever wants the work to stop.
    pub(super) fn new(on_terminal: bool, stopped: Arc<AtomicBool>) -> Bars {
        Bars { on_terminal, current: Mutex::new(None), stopped }
    }

    fn with(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        // A bar that a panicking thread left locked is not worth a second panic.
        if let Ok(mut bar) = self.current.lock() {
            act(&mut bar);
        }
    }
}

impl Progress for Bars {
    fn begin(&self, stage: &str, total: u64) {
        if !self.on_terminal {
            return;
        }
        self.with(|bar| {
            let made = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
            made.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
            let template = match (total, IN_BYTES.contains(&stage)) {
                (0, _) => "{spinner} {msg:<12} {elapsed}",
                (_, true) => "  {msg:<12} {wide_bar} {percent:>3}%  {bytes}/{total_bytes}  {left}",
                (_, false) => "  {msg:<12} {wide_bar} {percent:>3}%  {human_pos}/{human_len}  {left}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                made.set_style(style.with_key("left", left));
            }
            made.set_message(stage.to_owned());
            made.enable_steady_tick(Duration::from_millis(125));
            *bar = Some(made);
        });
    }

    fn advance(&self, units: u64) {
        if !self.on_terminal {
            return;
        }
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.inc(units);
            }
        });
    }

    fn end(&self) {
        self.with(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// The time left, once there is something to tell it from.
fn left(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    if state.pos() > 0 {
        // A bar that cannot be drawn is no reason to stop.
        let _ = write!(to, "{:#} left", HumanDuration(state.eta()));
    }
}
