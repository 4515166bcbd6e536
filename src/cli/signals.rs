//! Signals: Ctrl-C and its relatives ask the work to stop; a second one ends the process at once.
//!
//! Goes in: a flag. Comes out: the flag set when SIGINT, SIGTERM or SIGHUP arrives, and [`INTERRUPTED`] as the exit code.
//! A service hears them otherwise: SIGHUP has it read its files anew ([`Ears`]). Only commands that ask the flag between their chunks listen; for the others a signal does what it always does. Not known
//! here: what is being stopped.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts;
use signal_hook::flag;

/// Exit code of work that was stopped, as shells have it for Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;

#[cfg(unix)]
const HEARD: [i32; 3] = [consts::SIGINT, consts::SIGTERM, consts::SIGHUP];
#[cfg(not(unix))]
const HEARD: [i32; 2] = [consts::SIGINT, consts::SIGTERM];

/// Sets `stopped` on the first signal, ends the process on the next.
pub(super) fn listen(stopped: &Arc<AtomicBool>) {
    let ignored = ignored();
    for signal in HEARD {
        // Who started us under `nohup`, or in the background of a script, does not want this one heard.
        if ignored & (1 << (signal - 1)) != 0 {
            continue;
        }
        // In this order: the first signal finds the flag unset and sets it, the next finds it set.
        let heard = flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), Arc::clone(stopped))
            .and_then(|_| flag::register(signal, Arc::clone(stopped)));
        if let Err(error) = heard {
            tracing::warn!(signal, %error, "this signal ends the work at once: it cannot be listened to");
        }
    }
}

/// What a service is told by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// SIGINT, SIGTERM.
    Stop,
    /// SIGHUP.
    Reload,
}

/// A service that is still loading is not ended by who wants it to load anew: it reads the files as they are anyway.
pub(super) fn hear_hangups() {
    #[cfg(unix)]
    if let Err(error) = flag::register(consts::SIGHUP, Arc::default()) {
        tracing::warn!(%error, "SIGHUP ends the service while it starts");
    }
}

/// Ends the process when a signal to stop comes and `stopping` is set already.
pub(super) fn second_ends(stopping: &Arc<AtomicBool>) {
    for signal in [consts::SIGINT, consts::SIGTERM] {
        if let Err(error) = flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), Arc::clone(stopping)) {
            tracing::warn!(signal, %error, "a second signal does not end the process at once");
        }
    }
}

/// The signals that a service hears. To be opened within a runtime of tokio.
#[cfg(unix)]
pub(super) struct Ears {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Ears {
    pub(super) fn open() -> std::io::Result<Ears> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Ears {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn heard(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.terminate.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Ears;

#[cfg(not(unix))]
impl Ears {
    pub(super) fn open() -> std::io::Result<Ears> {
        Ok(Ears)
    }

    /// Waits for Ctrl-C.
    pub(super) async fn heard(&mut self) -> Told {
        let _ = tokio::signal::ctrl_c().await;
        Told::Stop
    }
}

/// Signals that are ignored already, as the system's set of bits; none where the system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}
