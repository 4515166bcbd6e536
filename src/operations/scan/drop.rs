//! The drop folder: which files of it are new, which are still being written, which cannot be read; and what belongs together.
//!
//! Goes in: a folder into which bureaus put exports, what is known of files already. Comes out: [`Found`]. The folder is only
//! read: what was taken stays there, and what cannot be taken too, with its reason in the store. A file is known by its
//! content; one whose name, size and time of change are as they were is not read again to know it. Deliberately unknown here:
//! what is in the tables.
//!
//! **Deliveries.** Files that lie in one folder below the drop folder are one delivery, and those that lie in the drop folder
//! itself are one for each day in their names (`fee_detail_20261122.csv`, `费用明细2026-11-22.xlsx`; files without a day come
//! first). Deliveries are taken in order of these names. What comes later corrects what came earlier; within a delivery nothing
//! is later.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ingest::survey;
use crate::operations::Error;
use crate::progress::Progress;

/// A file of the drop folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct File {
    /// Below the drop folder.
    pub name: String,
    pub path: PathBuf,
    pub sha256: String,
    pub bytes: u64,
}

/// Files that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub name: String,
    pub files: Vec<File>,
}

/// A file that is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    pub file: File,
    pub reason: String,
}

/// What is in the drop folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// New files, in the order in which they are to be taken.
    pub deliveries: Vec<Delivery>,
    /// New files that cannot be read.
    pub aside: Vec<SetAside>,
    /// Files that are perhaps still being written.
    pub unfinished: Vec<String>,
    /// Names, sizes and times of all files, with what is in them.
    pub seen: Seen,
}

/// Content by name, size and time of change (nanoseconds).
pub type Seen = BTreeMap<String, (u64, i128, String)>;

/// Where to look, and how.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub folder: &'a Path,
    pub mapping: Option<&'a Path>,
    /// Seconds for which a file must have been left alone.
    pub quiet: u32,
    /// Seconds since 1970-01-01.
    pub now: i64,
}

/// Looks into the drop folder. `known` says of content whether it was taken or set aside before.
///
/// # Errors
/// The folder cannot be read, or the work is wanted no longer.
pub fn look(
    how: Look<'_>,
    seen: &Seen,
    known: impl Fn(&str) -> Result<bool, Error>,
    progress: &dyn Progress,
) -> Result<Found, Error> {
    let mut names = Vec::new();
    list(how.folder, "", &mut names)?;
    names.sort();
    let mut found = Found::default();
    let mut contents = BTreeSet::new();
    let mut deliveries: BTreeMap<(String, String), Vec<File>> = BTreeMap::new();
    progress.begin("drop", names.len() as u64);
    for name in names {
        progress.go_on()?;
        progress.advance(1);
        let path = how.folder.join(&name);
        let Some((bytes, changed)) = state(&path) else { continue };
        let age = i128::from(how.now) - changed.div_euclid(1_000_000_000);
        // A time in the future tells nothing: a clock was wrong.
        if (0..i128::from(how.quiet)).contains(&age) {
            found.unfinished.push(name);
            continue;
        }
        let sha256 = match seen.get(&name) {
            Some((size, time, sha256)) if (*size, *time) == (bytes, changed) => sha256.clone(),
            _ => {
                let sha256 = hashed(&path, progress)?;
                if state(&path) != Some((bytes, changed)) {
                    found.unfinished.push(name);
                    continue;
                }
                sha256
            }
        };
        found.seen.insert(name.clone(), (bytes, changed, sha256.clone()));
        if known(&sha256)? || !contents.insert(sha256.clone()) {
            continue;
        }
        let file = File { name: name.clone(), path, sha256, bytes };
        match unreadable(&file.path, how.mapping)? {
            Some(reason) => found.aside.push(SetAside { file, reason }),
            None => deliveries.entry(delivery_of(&name)).or_default().push(file),
        }
    }
    progress.end();
    found.deliveries = deliveries
        .into_iter()
        .map(|((folder, day), files)| {
            let name = [folder, day].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
            Delivery { name, files }
        })
        .collect();
    Ok(found)
}

/// Files below the folder, those of folders too; nothing whose name begins with a dot or `~$`.
fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) -> Result<(), Error> {
    let disk = |source| Error::Disk { doing: format!("read the drop folder `{}`", folder.display()), source };
    for entry in fs::read_dir(folder).map_err(disk)? {
        let entry = entry.map_err(disk)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name.starts_with("~$") {
            continue;
        }
        let below = format!("{prefix}{name}");
        if entry.path().is_dir() { list(&entry.path(), &format!("{below}/"), names)? } else { names.push(below) }
    }
    Ok(())
}

/// Size and time of change; nothing where the file is gone.
fn state(path: &Path) -> Option<(u64, i128)> {
    let meta = fs::metadata(path).ok()?;
    let time = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((meta.len(), i128::try_from(time.as_nanos()).ok()?))
}

/// The content of a file, in hexadecimal.
///
/// # Errors
/// It cannot be read, or the work is wanted no longer.
pub fn hashed(path: &Path, progress: &dyn Progress) -> Result<String, Error> {
    let disk = |source| Error::Disk { doing: format!("read `{}`", path.display()), source };
    let mut file = fs::File::open(path).map_err(disk)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer).map_err(disk)?;
        if length == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        progress.go_on()?;
        hasher.update(&buffer[..length]);
    }
}

/// Why a file cannot be read as a table, if it cannot.
fn unreadable(path: &Path, mapping: Option<&Path>) -> Result<Option<String>, Error> {
    let found = survey(&[path.to_owned()], mapping)?;
    if let Some(error) = found.errors.first() {
        return Ok(Some(error.clone()));
    }
    let nothing = || found.notes.first().cloned().unwrap_or_else(|| "no table is in it".to_owned());
    Ok(found.files.is_empty().then(nothing))
}

/// The delivery of a file: its folder, or the day in its name.
fn delivery_of(name: &str) -> (String, String) {
    match name.split_once('/') {
        Some((folder, _)) => (folder.to_owned(), String::new()),
        None => (String::new(), day_in(name).unwrap_or_default()),
    }
}

/// The first day that a name has: `20261122`, `2026-11-22`, `2026_11_22`.
fn day_in(name: &str) -> Option<String> {
    let characters: Vec<char> = name.chars().collect();
    let number = |from: usize, length: usize| -> Option<u32> {
        let digits = characters.get(from..from + length)?;
        digits.iter().try_fold(0, |number, c| Some(number * 10 + c.to_digit(10)?))
    };
    let alone = |from: usize, until: usize| {
        let digit = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(char::is_ascii_digit);
        !digit(from.checked_sub(1)) && !digit(Some(until))
    };
    (0..characters.len()).find_map(|at| {
        let year = number(at, 4)?;
        let gap = usize::from(matches!(characters.get(at + 4), Some('-' | '_' | '.')));
        let (month, day) = (number(at + 4 + gap, 2)?, number(at + 6 + 2 * gap, 2)?);
        let whole = alone(at, at + 8 + 2 * gap) && (gap == 0 || characters.get(at + 7) == characters.get(at + 4));
        let known = crate::model::day::from_ymd(i32::try_from(year).ok()?, month, day)?;
        (whole && (1990..=2199).contains(&year)).then(|| crate::model::day::text(known))
    })
}

#[cfg(test)]
mod tests {
    use super::{day_in, delivery_of};

    #[test]
    fn a_day_in_a_name_is_told_from_other_numbers() {
        for (name, day) in [
            ("fee_detail_20261122.csv", Some("2026-11-22")),
            ("费用明细2026-11-22.xlsx", Some("2026-11-22")),
            ("2026_01_05 结算.csv", Some("2026-01-05")),
            ("export-20261122-20261123.csv", Some("2026-11-22")),
            ("fee_detail_2026-03.csv", None),
            ("fee_detail_20261341.csv", None),
            ("batch-120261122.csv", None),
            ("2026-1122.csv", None),
            ("facility.csv", None),
        ] {
            assert_eq!(day_in(name).as_deref(), day, "{name}");
        }
        assert_eq!(delivery_of("2026-11-22/fee_detail.csv"), ("2026-11-22".to_owned(), String::new()));
        assert_eq!(delivery_of("fee_20261122.csv"), (String::new(), "2026-11-22".to_owned()));
    }
}
