//! Progress bars on a terminal, nothing in a pipe.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::Progress;

/// Draws the progress of an operation on stderr.
pub(super) struct Bars {
    on_terminal: bool,
    current: Mutex<Option<ProgressBar>>,
}

impl Bars {
    pub(super) fn new(on_terminal: bool) -> Bars {
        Bars { on_terminal, current: Mutex::new(None) }
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
            let template = if total == 0 {
                "{spinner} {msg:<12} {human_pos}  {elapsed}"
            } else {
                "  {msg:<12} {wide_bar} {percent:>3}%  {human_pos}/{human_len}  {eta} left"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                made.set_style(style);
            }
            made.set_message(stage.to_owned());
            made.enable_steady_tick(Duration::from_millis(125));
            *bar = Some(made);
        });
    }

    fn advance(&self, units: u64) {
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
}
