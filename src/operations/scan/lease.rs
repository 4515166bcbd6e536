//! One scan at a time: a lease of the store, and a lock of the dataset on this machine.
//!
//! Goes in: a store, a dataset, who asks. Comes out: [`Guard`], which gives both back; or who has them. The lease is for those
//! who share a store from several machines: it has its owner's name and a heartbeat, and lapses when that stops. The lock is
//! the operating system's: it goes with the process, however that ends. So a lease whose owner was on this machine is a dead
//! one's when the lock is free, and is taken over at once. Deliberately unknown here: what is done under it.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::operations::Error;
use crate::progress::Progress;
use crate::store::{self, Lease, Store};

/// The name of the lease.
const NAME: &str = "scan";

/// Seconds after which a lease lapses without a heartbeat, and between two heartbeats.
const LAPSES: u32 = 300;
const BEATS: Duration = Duration::from_secs(30);

/// What time it is, as it is kept.
pub type Now<'a> = &'a (dyn Fn() -> String + Sync);

/// The lock of a dataset on this machine. Given back when dropped, or when the process ends.
#[derive(Debug)]
pub struct Lock {
    /// Open as long as it is held.
    file: fs::File,
}

impl Lock {
    /// Whether a dataset has ever been locked: those who do not share it leave no file beside it.
    #[must_use]
    pub fn is_known(dataset: &Path) -> bool {
        beside(dataset).exists()
    }

    /// Takes the lock of a dataset, which need not be there yet.
    ///
    /// # Errors
    /// Somebody has it; the disk.
    pub fn take(dataset: &Path, owner: &str) -> Result<Lock, Error> {
        let path = beside(dataset);
        let disk = |source| Error::Disk { doing: format!("lock `{}`", path.display()), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(disk)?;
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(disk)?;
        match file.try_lock() {
            Ok(()) => {
                let written =
                    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(owner.as_bytes()));
                written.map_err(disk)?;
                Ok(Lock { file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                Err(Error::Busy(format!(
                    "the dataset `{}` is being changed by `{}`; wait until that is done and try again",
                    dataset.display(),
                    holder.trim()
                )))
            }
            Err(TryLockError::Error(source)) => Err(disk(source)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Nobody is named any longer; the lock itself goes with the file.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// The file of the lock: beside the dataset, which may be replaced as a whole.
fn beside(dataset: &Path) -> PathBuf {
    let mut name = dataset.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    dataset.with_file_name(name)
}

/// The lease and the lock.
pub struct Guard<'s> {
    store: &'s dyn Store,
    pub lease: Lease,
    _lock: Lock,
}

/// Takes both. `owner` is `machine/process`.
///
/// # Errors
/// Somebody has one of them: the error names who, and since when.
pub fn take<'s>(store: &'s dyn Store, dataset: &Path, owner: &str, now: Now<'_>) -> Result<Guard<'s>, Error> {
    let lease = match store.lease(NAME, owner, &now(), LAPSES) {
        Ok(lease) => lease,
        Err(store::Error::Held(held)) => {
            let here = |who: &str| who.split_once('/').map(|(machine, _)| machine.to_owned());
            let lock = if here(&held.owner) == here(owner) { Lock::take(dataset, owner).ok() } else { None };
            let Some(lock) = lock else { return Err(store::Error::Held(held).into()) };
            // Its process is dead: in its name the lease is taken and given back.
            let dead = store.lease(NAME, &held.owner, &now(), LAPSES)?;
            store.release(&dead)?;
            let lease = store.lease(NAME, owner, &now(), LAPSES)?;
            return Ok(Guard { store, lease, _lock: lock });
        }
        Err(error) => return Err(error.into()),
    };
    match Lock::take(dataset, owner) {
        Ok(lock) => Ok(Guard { store, lease, _lock: lock }),
        Err(error) => {
            store.release(&lease)?;
            Err(error)
        }
    }
}

impl Guard<'_> {
    /// Does some work while a thread says that the owner is alive. The work is stopped when the lease is lost.
    pub fn during<T>(&self, now: Now<'_>, progress: &dyn Progress, work: impl FnOnce(&dyn Progress) -> T) -> T {
        let lost = AtomicBool::new(false);
        let (done, wait): (Sender<()>, Receiver<()>) = channel();
        std::thread::scope(|threads| {
            let lost = &lost;
            threads.spawn(move || {
                while wait.recv_timeout(BEATS) == Err(RecvTimeoutError::Timeout) {
                    if matches!(self.store.heartbeat(&self.lease, &now()), Err(store::Error::Held(_))) {
                        lost.store(true, Ordering::Relaxed);
                        return;
                    }
                }
            });
            let worked = work(&WhileHeld { progress, lost });
            drop(done);
            worked
        })
    }

    /// Gives both back.
    ///
    /// # Errors
    /// The store.
    pub fn release(self) -> Result<(), Error> {
        Ok(self.store.release(&self.lease)?)
    }
}

/// Stops as soon as the lease is lost.
struct WhileHeld<'a> {
    progress: &'a dyn Progress,
    lost: &'a AtomicBool,
}

impl Progress for WhileHeld<'_> {
    fn begin(&self, stage: &str, total: u64) {
        self.progress.begin(stage, total);
    }

    fn advance(&self, units: u64) {
        self.progress.advance(units);
    }

    fn end(&self) {
        self.progress.end();
    }

    fn stopped(&self) -> bool {
        self.lost.load(Ordering::Relaxed) || self.progress.stopped()
    }
}
