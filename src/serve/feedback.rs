//! What doctors did about reminders (3103), kept: a journal that is only ever added to.
//!
//! Goes in: a [`Feedback`], who sent it, when. Comes out: nothing until it is on the disk, and then for good. A folder holds a
//! file a month (`feedback-2026-11.ndjson`), a line a feedback, each with the checksum of what it says:
//!
//! ```text
//! {"sha256":"9f2c41d07be35a88","feedback":{"at":"2026-11-22T15:40:12","by":"H37032300001",…,"warns":[…]}}
//! ```
//! Requests that wait at the same time share one write and one `fsync` ([`Journal::keep`]). What a power cut left half
//! written at the end of a file was never acknowledged: it is cut (into `feedback-2026-11.cut`) when the journal is opened. A line that is damaged
//! elsewhere is left as it is, passed over and counted. Two processes cannot write one folder.
//!
//! A feedback that comes again within a day, because its acknowledgement was lost, is acknowledged again and not kept again, also
//! after a restart: `lately` tells it by what it says.
//!
//! [`kept`] reads it back: counts by rule, rows for a spreadsheet. Deliberately unknown here: HTTP, findings (a reminder says
//! its rule itself, [`crate::messages::jr_id`]), patients: a feedback names none.
//!
//! To keep more of a feedback: a field of [`Line`] with a default, so that older files are still read.

pub mod kept;
mod lately;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::messages::{Feedback, Stage};
use lately::{Content, LastDay, Lately};

/// Whoever keeps feedback.
pub trait Feedbacks: Send + Sync {
    /// Keeps what a doctor said; when this comes back without an error it is kept whatever happens next. It waits for the
    /// disk. `by` is the institution whose key was used, `at` the civil time `2026-11-22T15:40:12`.
    ///
    /// # Errors
    /// It is not kept, and the sender must be told so.
    fn keep(&self, feedback: &Feedback, by: &str, at: &str) -> io::Result<Kept>;
}

/// That a feedback is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Now,
    /// It was said before.
    Before,
}

/// A feedback as a line of the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub at: String,
    /// The institution that sent it.
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msgid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// 前 or 中.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The institution that the message names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixmedins_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opter: Option<String>,
    pub warns: Vec<Said>,
}

/// What was said about one reminder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub finding_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_code: Option<String>,
    /// 1 the order was kept, 2 it was changed.
    pub dspo_way: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Line {
    fn of(feedback: &Feedback, by: &str, at: &str) -> Line {
        let warns = feedback.warnings.iter().map(|warning| Said {
            finding_id: warning.finding_id().to_owned(),
            rule_code: warning.rule_code().map(str::to_owned),
            dspo_way: warning.done.code().to_owned(),
            reason: warning.reason.clone(),
        });
        let stage = feedback.stage.map(|stage| match stage {
            Stage::Before => "前",
            Stage::During => "中",
        });
        Line {
            at: at.to_owned(),
            by: by.to_owned(),
            msgid: feedback.msgid.clone(),
            task_id: feedback.task_id.clone(),
            stage: stage.map(str::to_owned),
            fixmedins_code: feedback.fixmedins_code.clone(),
            opter: feedback.opter.clone(),
            warns: warns.collect(),
        }
    }

    /// With its checksum and its end.
    fn sealed(&self) -> io::Result<Vec<u8>> {
        let inner = serde_json::to_vec(self)?;
        Ok([HEAD, checksum(&inner).as_bytes(), MIDDLE, &inner, END, b"\n"].concat())
    }

    /// The line, where it says what was written.
    fn unsealed(line: &[u8]) -> Option<Line> {
        let rest = line.strip_prefix(HEAD)?;
        let (sum, rest) = rest.split_at_checked(CHECKSUM)?;
        let inner = rest.strip_prefix(MIDDLE)?.strip_suffix(END)?;
        (checksum(inner).as_bytes() == sum).then(|| serde_json::from_slice(inner).ok())?
    }
}

const HEAD: &[u8] = b"{\"sha256\":\"";
const MIDDLE: &[u8] = b"\",\"feedback\":";
const END: &[u8] = b"}";

/// Hex digits of a checksum.
const CHECKSUM: usize = 16;

fn checksum(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().take(CHECKSUM / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// `2026-11` of `2026-11-22T15:40:12`.
fn month_of(at: &str) -> Option<&str> {
    let month = at.get(..7)?;
    let fits = month.bytes().enumerate().all(|(n, byte)| if n == 4 { byte == b'-' } else { byte.is_ascii_digit() });
    fits.then_some(month)
}

/// The journal in a folder, open for adding.
pub struct Journal {
    gathered: Mutex<Gathered>,
    /// Whoever writes has it.
    disk: Mutex<Box<dyn Disk>>,
    written: Condvar,
}

/// What waits to be written.
#[derive(Default)]
struct Gathered {
    /// By month.
    lines: BTreeMap<String, Vec<u8>>,
    /// What will become of these lines.
    batch: Arc<OnceLock<Outcome>>,
    writing: bool,
    lately: Lately,
}

/// Of a whole batch, so that each of its requests can be told: an error's kind and words.
type Outcome = Result<(), (io::ErrorKind, String)>;

impl Journal {
    /// Opens the journal of a folder, which is made where it is missing. What was left half written is cut.
    ///
    /// # Errors
    /// The disk; another process has the journal open.
    pub fn open(folder: &Path) -> io::Result<Journal> {
        let (files, lately) = Files::open(folder)?;
        Ok(Journal::on(Box::new(files), lately))
    }

    fn on(disk: Box<dyn Disk>, lately: Lately) -> Journal {
        let gathered = Mutex::new(Gathered { lately, ..Gathered::default() });
        Journal { gathered, disk: Mutex::new(disk), written: Condvar::new() }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        // Nothing is left half done under this lock.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line and waits until it is on the disk; one that was said before waits for that one. The first of those who wait
    /// writes for all who came until then; who comes meanwhile waits for the next writing.
    fn add(&self, month: &str, line: &Line) -> io::Result<Kept> {
        let (sealed, content) = (line.sealed()?, Content::of(line));
        let mut gathered = self.gathered();
        let before = content.as_ref().and_then(|content| gathered.lately.before(content));
        let kept = if before.is_some() { Kept::Before } else { Kept::Now };
        let mine = before.unwrap_or_else(|| Arc::clone(&gathered.batch));
        if kept == Kept::Now {
            gathered.lines.entry(month.to_owned()).or_default().extend_from_slice(&sealed);
            if let Some(content) = content {
                gathered.lately.say(&content, &mine);
            }
        }
        loop {
            if let Some(outcome) = mine.get() {
                return outcome.clone().map(|()| kept).map_err(|(kind, said)| io::Error::new(kind, said));
            }
            if gathered.writing {
                gathered = self.written.wait(gathered).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            gathered.writing = true;
            let lines = std::mem::take(&mut gathered.lines);
            let batch = std::mem::take(&mut gathered.batch);
            drop(gathered);
            let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = lines.iter().try_for_each(|(month, bytes)| disk.append(month, bytes));
            drop(disk);
            // Nobody else writes this batch, so it is set here only.
            let _ = batch.set(outcome.map_err(|error| (error.kind(), error.to_string())));
            gathered = self.gathered();
            gathered.writing = false;
            self.written.notify_all();
        }
    }
}

impl Feedbacks for Journal {
    fn keep(&self, feedback: &Feedback, by: &str, at: &str) -> io::Result<Kept> {
        let Some(month) = month_of(at) else {
            let said = format!("the time of a feedback is `{at}`, wanted such as 2026-11-22T15:40:12");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, said));
        };
        self.add(month, &Line::of(feedback, by, at))
    }
}

/// Where lines go.
trait Disk: Send {
    /// Adds whole lines to the file of a month. When this comes back without an error they survive a power cut; otherwise
    /// none of them is there.
    fn append(&mut self, month: &str, lines: &[u8]) -> io::Result<()>;
}

/// The files of a folder.
struct Files {
    folder: PathBuf,
    /// Held as long as the journal is open; the system lets go of it when the process ends, however it ends.
    _lock: File,
    /// The file that was last written: its month, its good length.
    open: Option<(String, File, u64)>,
}

/// The file whose lock says that somebody writes.
const LOCK: &str = "feedback.lock";

impl Files {
    /// The files, and what they say of late.
    fn open(folder: &Path) -> io::Result<(Files, Lately)> {
        let named = |error: io::Error, path: &Path| {
            io::Error::new(error.kind(), format!("feedback journal `{}`: {error}", path.display()))
        };
        fs::create_dir_all(folder).map_err(|error| named(error, folder))?;
        let path = folder.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|error| named(error, &path))?;
        if lock.try_lock().is_err() {
            let said = "another process keeps feedback here; give this one a folder of its own";
            return Err(named(io::Error::new(io::ErrorKind::WouldBlock, said), folder));
        }
        let files = kept::files(folder)?;
        let mut last_day = LastDay::default();
        // Nobody writes older ones.
        for file in &files[files.len().saturating_sub(2)..] {
            cut(file, &mut last_day).map_err(|error| named(error, file))?;
        }
        sync_folder(folder)?;
        Ok((Files { folder: folder.to_owned(), _lock: lock, open: None }, last_day.said()))
    }

    fn file(&mut self, month: &str) -> io::Result<&mut (String, File, u64)> {
        if self.open.as_ref().is_none_or(|(open, ..)| open != month) {
            let path = self.folder.join(kept::name_of(month));
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            let length = file.metadata()?.len();
            // The name of a new file is to survive, too.
            sync_folder(&self.folder)?;
            self.open = Some((month.to_owned(), file, length));
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("no file is open"))
    }
}

impl Disk for Files {
    fn append(&mut self, month: &str, lines: &[u8]) -> io::Result<()> {
        let (_, file, length) = self.file(month)?;
        match file.write_all(lines).and_then(|()| file.sync_data()) {
            Ok(()) => {
                *length += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Of what was not kept nothing stays; the file is opened anew for the next, for after an error nobody
                // knows what it would take.
                let taken_back = file.set_len(*length).and_then(|()| file.sync_all());
                self.open = None;
                if let Err(again) = taken_back {
                    tracing::error!(month, error = %again, "the feedback journal has a half-written line, which is cut at the next start");
                }
                Err(error)
            }
        }
    }
}

/// Makes the names in a folder survive.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Cuts what stands after the last good line of a file, and puts it beside, for whoever wants to look. Hands over the good lines.
fn cut(path: &Path, lines: &mut LastDay) -> io::Result<()> {
    let good = kept::good_length(path, &mut |line| lines.take(line))?;
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let bytes = file.metadata()?.len() - good;
    if bytes > 0 {
        tracing::warn!(file = %path.display(), bytes, "cut a half-written end, which was never acknowledged, from the feedback journal");
        let mut beside = OpenOptions::new().create(true).append(true).open(path.with_extension("cut"))?;
        file.seek(io::SeekFrom::Start(good))?;
        io::copy(&mut file, &mut beside)?;
        file.set_len(good)?;
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;
    use crate::messages::{Done, Warning};

    /// A disk that writes when it is told to, and says how it went when it is told so.
    struct Told {
        began: Sender<usize>,
        go: Receiver<io::Result<()>>,
    }

    impl Disk for Told {
        fn append(&mut self, _month: &str, lines: &[u8]) -> io::Result<()> {
            self.began.send(lines.split(|byte| *byte == b'\n').count() - 1).map_err(io::Error::other)?;
            self.go.recv().map_err(io::Error::other)?
        }
    }

    fn feedback(id: usize) -> Feedback {
        Feedback {
            msgid: None,
            task_id: Some(format!("T{id}")),
            stage: Some(Stage::During),
            fixmedins_code: None,
            opter: None,
            warnings: vec![Warning { warn_rslt_id: format!("SCP101-{id:032x}"), done: Done::Changed, reason: None }],
        }
    }

    #[test]
    fn who_comes_while_the_disk_writes_shares_the_next_writing_and_its_fate() {
        let ((began, begun), (go, gone)) = (channel(), channel());
        let journal = Journal::on(Box::new(Told { began, go: gone }), Lately::default());
        let keep = |id| journal.keep(&feedback(id), "H1", "2026-11-22T15:40:12");
        thread::scope(|scope| {
            let first = scope.spawn(move || keep(0));
            assert_eq!(begun.recv(), Ok(1), "the first writes alone");
            let others: Vec<_> = (1..=20).map(|id| scope.spawn(move || keep(id))).collect();
            let again = scope.spawn(move || keep(0));
            while journal.gathered().lines.values().flatten().filter(|byte| **byte == b'\n').count() < 20 {
                thread::yield_now();
            }
            assert!(others.iter().all(|other| !other.is_finished()), "nobody is told before the disk has it");
            go.send(Ok(())).unwrap();
            assert_eq!(first.join().unwrap().unwrap(), Kept::Now);
            assert_eq!(again.join().unwrap().unwrap(), Kept::Before, "who said the same waited for the same");
            assert_eq!(begun.recv(), Ok(20), "the others together");
            go.send(Err(io::Error::from(io::ErrorKind::StorageFull))).unwrap();
            for other in others {
                assert_eq!(other.join().unwrap().unwrap_err().kind(), io::ErrorKind::StorageFull);
            }
            // A disk that has room again is used again.
            let next = scope.spawn(move || keep(20));
            assert_eq!(begun.recv(), Ok(1), "what could not be kept is no repetition");
            go.send(Ok(())).unwrap();
            assert_eq!(next.join().unwrap().unwrap(), Kept::Now);
        });
    }

    #[test]
    fn a_line_is_read_back_and_a_changed_one_is_not() {
        let line = Line::of(&feedback(7), "H1", "2026-11-22T15:40:12");
        let sealed = line.sealed().unwrap();
        let sealed = sealed.strip_suffix(b"\n").unwrap();
        assert_eq!(Line::unsealed(sealed), Some(line));
        assert!(serde_json::from_slice::<serde_json::Value>(sealed).is_ok(), "any reader of JSON reads it");
        for at in 0..sealed.len() {
            let mut changed = sealed.to_vec();
            changed[at] ^= 1;
            assert_eq!(Line::unsealed(&changed), None, "byte {at}");
        }
        assert_eq!(Line::unsealed(b""), None);
    }

    #[test]
    fn a_time_that_is_none_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        for at in ["", "22.11.2026", "2026/11/22", "../../etc"] {
            assert_eq!(journal.keep(&feedback(1), "H1", at).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
