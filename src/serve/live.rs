//! Files that the service lives by, read anew when they change, with nobody waiting for it.
//!
//! Goes in: files and folders, how to load them. Comes out: what they hold now. Loading happens aside, on the watching thread;
//! requests in flight end with what they began with. What cannot be loaded changes nothing: the service goes on with what it
//! had, says so in the log, in `/healthz` and in `/metrics`, and looks again when the files change again. Deliberately unknown
//! here: what is in the files.
//!
//! A look compares names, sizes and times; what differs there is compared by hash, a round later, so that a file that is
//! being written is let be. SIGHUP loads at once, whatever changed.
//!
//! To add files: a [`Watched`] in `Service::start`, its place in the list of the watcher.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use super::figures::Figures;
use crate::operations::Error;

/// Loads what files hold; gets what was loaded before.
type Load<T> = Box<dyn Fn(Option<&T>) -> Result<T, Error> + Send + Sync>;

/// What some files hold.
pub(super) struct Watched<T> {
    what: &'static str,
    files: Vec<PathBuf>,
    load: Load<T>,
    now: ArcSwap<T>,
    seen: Mutex<Seen>,
    trouble: Mutex<Option<String>>,
}

#[derive(Default)]
struct Seen {
    listing: Listing,
    hash: [u8; 32],
    /// What was seen to differ a round ago.
    settling: Option<Listing>,
}

/// Files with size and time, in order.
type Listing = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Something that is loaded anew.
pub(super) trait Renewed: Send + Sync {
    /// Looks at the files, and loads them if they changed or `at_once`.
    fn look(&self, at_once: bool, figures: &Figures);
}

impl<T> Watched<T> {
    /// Loads for the first time.
    ///
    /// # Errors
    /// Whatever is wrong with the files.
    pub(super) fn new(what: &'static str, files: Vec<PathBuf>, load: Load<T>) -> Result<Watched<T>, Error> {
        // Before loading: what changes while it is loaded is seen as a change.
        let listing = listed(&files);
        let seen = Seen { hash: hash_of(&listing), listing, settling: None };
        let now = ArcSwap::from_pointee(load(None)?);
        Ok(Watched { what, files, load, now, seen: Mutex::new(seen), trouble: Mutex::default() })
    }

    /// What the files hold, as of the last time that they could be loaded.
    pub(super) fn now(&self) -> Arc<T> {
        self.now.load_full()
    }

    /// Why the files as they are now are not what is used.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T: Send + Sync> Renewed for Watched<T> {
    fn look(&self, at_once: bool, figures: &Figures) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let listing = listed(&self.files);
        if !at_once {
            if listing == seen.listing {
                seen.settling = None;
                return;
            }
            if seen.settling.as_ref() != Some(&listing) {
                seen.settling = Some(listing);
                return;
            }
        }
        seen.settling = None;
        let hash = hash_of(&listing);
        let same = hash == seen.hash;
        seen.listing = listing;
        seen.hash = hash;
        if same && !at_once {
            return;
        }
        let outcome = (self.load)(Some(&self.now()));
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(loaded) => {
                self.now.store(Arc::new(loaded));
                *trouble = None;
                figures.reloaded(self.what, true);
                tracing::info!(what = self.what, "taken in anew");
            }
            Err(error) => {
                tracing::error!(what = self.what, %error, "changed files are not taken in; the service goes on as before");
                *trouble = Some(in_a_line(&error));
                figures.reloaded(self.what, false);
            }
        }
    }
}

/// Looks every so often, and at once when told to; ends when nobody can tell it any more.
pub(super) fn watch(watched: &[Arc<dyn Renewed>], every: Duration, told: &Receiver<()>, figures: &Figures) {
    loop {
        let at_once = match told.recv_timeout(every) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        for files in watched {
            files.look(at_once, figures);
        }
    }
}

/// An error in a line, for who looks at the health of the service.
pub(super) fn in_a_line(error: &Error) -> String {
    match error {
        Error::Rules(mistakes) | Error::Exemptions(mistakes) => mistakes.first().map_or_else(String::new, |first| {
            let line = if first.line == 0 { String::new() } else { format!(":{}", first.line) };
            format!("{}{line}: {} ({} mistake(s) in all, see the log)", first.file, first.message, mistakes.len())
        }),
        other => other.to_string(),
    }
}

/// Every file below, in order; what is not there is not there.
fn listed(files: &[PathBuf]) -> Listing {
    let mut open: Vec<PathBuf> = files.to_vec();
    let mut found = Listing::new();
    while let Some(path) = open.pop() {
        let Ok(about) = std::fs::metadata(&path) else { continue };
        if about.is_dir() {
            let inside = std::fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(inside.map(|entry| entry.path()).filter(|path| !is_aside(path)));
        } else {
            found.push((path, about.len(), about.modified().ok()));
        }
    }
    found.sort();
    found
}

/// What editors and version control leave beside the files that matter.
fn is_aside(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.starts_with('.') || name.starts_with("~$") || name.ends_with('~')
}

fn hash_of(listing: &Listing) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (path, ..) in listing {
        hash.update(path.as_os_str().as_encoded_bytes());
        let bytes = std::fs::read(path).unwrap_or_default();
        hash.update(bytes.len().to_le_bytes());
        hash.update(&bytes);
    }
    hash.finalize().into()
}
