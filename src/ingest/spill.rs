//! Rows and complaints between two steps, on disk but for a bounded part, so that memory does not grow with the input.
//!
//! [`Spill`] keeps bytes by bucket, [`Complaints`] keeps the lines of the quarantine list by file and page of rows, so that
//! the list can be written in order with one page in memory. Goes in: buffers of many threads' making. Comes out: a
//! bucket's bytes; the finished `quarantine.csv`. Not known here: what the bytes mean.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rayon::prelude::*;

use super::Error;
use super::packed::{Unpacker, put_number, put_text};
use super::rows::excerpt;
use crate::model::sheet::harmless;
use crate::progress::{Progress, Stoppable};

/// Held in memory before it is written, about, by a [`Spill`] and once more by the threads that fill it.
pub(super) const GATHERED: usize = 32 << 20;

/// Bytes by bucket, from many threads. The order of what they bring is not kept.
#[derive(Debug)]
pub(super) struct Spill {
    directory: PathBuf,
    /// Bytes of one bucket that are held in memory.
    room: usize,
    pending: Vec<Mutex<Vec<u8>>>,
}

impl Spill {
    /// `held`: bytes of all buckets that are held in memory; what is more goes to the disk.
    pub(super) fn new(directory: PathBuf, buckets: usize, held: usize) -> Result<Self, Error> {
        fs::create_dir_all(&directory).map_err(|e| Error::at(&directory, "create", &e))?;
        Ok(Spill { directory, room: held / buckets, pending: (0..buckets).map(|_| Mutex::default()).collect() })
    }

    fn pending(&self, bucket: usize) -> Result<MutexGuard<'_, Vec<u8>>, Error> {
        self.pending[bucket].lock().map_err(|_| Error::new("a thread of this job has failed"))
    }

    /// Takes the buffers that are worth the way, of one for each bucket; those are empty afterwards. `all`: every one.
    pub(super) fn take(&self, buffers: &mut [Vec<u8>], all: bool) -> Result<(), Error> {
        let worth = if all { 1 } else { GATHERED / self.pending.len() / rayon::current_num_threads() };
        for (bucket, buffer) in buffers.iter_mut().enumerate().filter(|(_, buffer)| buffer.len() >= worth) {
            self.put(bucket, buffer)?;
            buffer.clear();
        }
        Ok(())
    }

    fn put(&self, bucket: usize, bytes: &[u8]) -> Result<(), Error> {
        let mut pending = self.pending(bucket)?;
        if pending.len() + bytes.len() < self.room {
            if pending.capacity() < pending.len() + bytes.len() {
                // Twice as much as before, and never more than there is room for.
                let wanted = (pending.capacity() * 2).max(pending.len() + bytes.len()).min(self.room);
                let more = wanted - pending.len();
                pending.reserve_exact(more);
            }
            pending.extend_from_slice(bytes);
            return Ok(());
        }
        append(&bucket_file(&self.directory, bucket), &[&pending, bytes])?;
        pending.clear();
        Ok(())
    }

    /// Writes what is held.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let directory = &self.directory;
        self.pending.par_iter_mut().enumerate().try_for_each(|(bucket, pending)| {
            let pending = pending.get_mut().map_err(|_| Error::new("a thread of this job has failed"))?;
            let bytes = std::mem::take(pending);
            if bytes.is_empty() { Ok(()) } else { append(&bucket_file(directory, bucket), &[&bytes]) }
        })
    }

    /// Bytes of all buckets.
    pub(super) fn bytes(&self) -> u64 {
        let of = |bucket: usize| {
            let file = fs::metadata(bucket_file(&self.directory, bucket)).map_or(0, |file| file.len());
            file + self.pending(bucket).map_or(0, |held| held.len() as u64)
        };
        (0..self.pending.len()).map(of).sum()
    }

    /// What was brought for a bucket.
    pub(super) fn read(&self, bucket: usize) -> Result<Vec<u8>, Error> {
        let path = bucket_file(&self.directory, bucket);
        let mut bytes =
            if path.exists() { fs::read(&path).map_err(|e| Error::at(&path, "read", &e))? } else { Vec::new() };
        bytes.extend_from_slice(&self.pending(bucket)?);
        Ok(bytes)
    }

    /// What was brought for a bucket; nothing of it is here afterwards.
    pub(super) fn load(&self, bucket: usize) -> Result<Vec<u8>, Error> {
        let path = bucket_file(&self.directory, bucket);
        if !path.exists() {
            return Ok(std::mem::take(&mut *self.pending(bucket)?));
        }
        let bytes = self.read(bucket)?;
        *self.pending(bucket)? = Vec::new();
        fs::remove_file(&path).map_err(|e| Error::at(&path, "remove", &e))?;
        Ok(bytes)
    }
}

fn bucket_file(directory: &Path, bucket: usize) -> PathBuf {
    directory.join(format!("{bucket:04}"))
}

fn append(path: &Path, pieces: &[&[u8]]) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::at(path, "write", &e);
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    pieces.iter().try_for_each(|piece| file.write_all(piece)).map_err(failed)
}

/// Rows of a file per page of complaints.
const PAGE: u64 = 1 << 16;

/// Lines of the quarantine list, by (file, page of rows). Also the form in which a thread hands them over.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    pages: BTreeMap<(u32, u64), Vec<u8>>,
    gathered: usize,
}

impl Complaints {
    pub(super) fn add(&mut self, file: u32, row: u64, column: &str, reason: &str, text: &str) {
        let page = self.pages.entry((file, row / PAGE)).or_default();
        let before = page.len();
        put_number(page, row);
        put_text(page, column.as_bytes());
        put_text(page, reason.as_bytes());
        put_text(page, excerpt(text).as_bytes());
        self.gathered += page.len() - before;
    }

    pub(super) fn merge(&mut self, other: Complaints) {
        self.gathered += other.gathered;
        for (key, bytes) in other.pages {
            let page = self.pages.entry(key).or_default();
            if page.is_empty() { *page = bytes } else { page.extend_from_slice(&bytes) }
        }
    }

    /// Writes to `directory` when much has gathered, or in any case when `all`.
    pub(super) fn spill(&mut self, directory: &Path, all: bool) -> Result<(), Error> {
        if self.pages.is_empty() || (!all && self.gathered < GATHERED / 4) {
            return Ok(());
        }
        fs::create_dir_all(directory).map_err(|e| Error::at(directory, "create", &e))?;
        self.gathered = 0;
        for ((file, page), bytes) in std::mem::take(&mut self.pages) {
            append(&page_file(directory, file, page), &[&bytes])?;
        }
        Ok(())
    }

    /// The lines in order, as (row, column, reason, text) of a file. For few of them.
    pub(super) fn lines(&self) -> Vec<(u32, Line<'_>)> {
        self.pages.iter().flat_map(|(&(file, _), bytes)| lines(bytes).into_iter().map(move |l| (file, l))).collect()
    }
}

/// One line of the quarantine list: row, column, reason, text.
pub(super) type Line<'a> = (u64, &'a str, &'a str, &'a str);

fn page_file(directory: &Path, file: u32, page: u64) -> PathBuf {
    directory.join(format!("{file:08}-{page:016}"))
}

fn lines(bytes: &[u8]) -> Vec<Line<'_>> {
    let mut bytes = Unpacker::new(bytes);
    let mut lines = Vec::new();
    while !bytes.is_done() {
        lines.push((bytes.number(), bytes.text(), bytes.text(), bytes.text()));
    }
    lines.sort_unstable();
    lines
}

/// Writes `quarantine.csv` from what was spilled to `directory`: sorted by file, row and column. `names` are the files in
/// the order of their numbers.
pub(super) fn write_quarantine(
    directory: &Path,
    names: &[String],
    into: &Path,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let file = File::create(into).map_err(|e| Error::at(into, "create", &e))?;
    let mut list = csv::Writer::from_writer(std::io::BufWriter::new(Stoppable::new(file, progress)));
    let failed = |e: csv::Error| Error::at(into, "write", &e);
    list.write_record(["file", "row", "column", "reason", "text"]).map_err(failed)?;
    let mut pages: Vec<PathBuf> = match fs::read_dir(directory) {
        Ok(entries) => entries.filter_map(|e| e.ok().map(|e| e.path())).collect(),
        Err(_) => Vec::new(),
    };
    pages.sort();
    progress.begin("quarantine", pages.len() as u64);
    for path in pages {
        let number: usize = path
            .file_name()
            .and_then(|n| n.to_str())
            .and_then(|n| n.split('-').next())
            .and_then(|n| n.parse().ok())
            .expect("a page is named by the number of its file");
        let bytes = fs::read(&path).map_err(|e| Error::at(&path, "read", &e))?;
        for (row, column, reason, text) in lines(&bytes) {
            let text: Cow<'_, str> = if text.contains('\0') { text.replace('\0', "␀").into() } else { text.into() };
            let (file, text) = (harmless(&names[number]), harmless(&text));
            list.write_record([file.as_ref(), &row.to_string(), column, reason, &text]).map_err(failed)?;
        }
        progress.advance(1);
    }
    progress.end();
    list.flush().map_err(|e| Error::at(into, "write", &e))
}
