//! Results that appear whole: made aside, in a folder of their own, and moved into their place at the end.
//!
//! Goes in: the folder where results will lie. Comes out: a folder `.fundaudit-…` in it, on the same disk, so that moving is
//! renaming. Work that fails or is stopped drops its [`Aside`], and with it everything that it made, the folders that
//! were not there before included; earlier results are as they were. A process that was killed leaves its folder behind:
//! nobody reads a folder of that name, and whoever finds one may remove it. Deliberately unknown here: what is in files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// How the name of every folder and file under way begins.
pub const PREFIX: &str = ".fundaudit-";

/// A folder for what is not finished.
#[derive(Debug)]
pub struct Aside {
    work: Option<TempDir>,
    into: PathBuf,
    /// Folders that were not there before, the deepest first.
    made: Vec<PathBuf>,
}

impl Aside {
    /// A new folder in `into`, which is made if it is missing.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn within(into: &Path) -> io::Result<Aside> {
        let into = if into.as_os_str().is_empty() { Path::new(".") } else { into };
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let made = into.ancestors().take_while(is_missing).map(Path::to_owned).collect();
        // From here on what was made goes with this, also when the next step fails.
        let mut aside = Aside { work: None, into: into.to_owned(), made };
        fs::create_dir_all(into)?;
        aside.work = Some(tempfile::Builder::new().prefix(PREFIX).tempdir_in(into)?);
        Ok(aside)
    }

    /// The folder to work in.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.work.as_ref().map_or(&self.into, TempDir::path)
    }

    /// Moves every file into its place, folder for folder, in the order of their names.
    ///
    /// # Errors
    /// With the place that refuses. A place that a folder holds is found before anything is moved.
    pub fn publish(self) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
        let mut files = Vec::new();
        let at_work = |e| (self.path().to_owned(), e);
        files_below(self.path(), Path::new(""), &mut files).map_err(at_work)?;
        let places: Vec<PathBuf> = files.iter().map(|file| self.into.join(file)).collect();
        free(&places)?;
        for (file, place) in files.iter().zip(&places) {
            let moved = place.parent().map_or(Ok(()), fs::create_dir_all);
            moved.and_then(|()| fs::rename(self.path().join(file), place)).map_err(|e| (place.clone(), e))?;
        }
        Ok(places)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            // What the disk refuses to give up is left, under a name that says whose it was.
            let _ = work.close();
        }
        for folder in &self.made {
            // A folder with results in it stays: it is not empty.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// Whether files may be put in these places: none is a folder.
///
/// # Errors
/// With the first place that is.
pub fn free(places: &[PathBuf]) -> Result<(), (PathBuf, io::Error)> {
    match places.iter().find(|place| place.is_dir()) {
        Some(place) => Err((place.clone(), io::Error::new(io::ErrorKind::IsADirectory, "a folder has this name"))),
        None => Ok(()),
    }
}

/// Puts the folder `new` in the place of `old`, which may be missing; what was there goes only when the new one is in. Between
/// the two renamings `old` is in `aside`: a process that is killed just then leaves both there, whole.
///
/// # Errors
/// When the disk refuses; then `old` is as it was.
pub fn replace_folder(old: &Path, new: &Path, aside: &Path) -> io::Result<()> {
    if fs::symlink_metadata(old).is_err() {
        return fs::rename(new, old);
    }
    let before = aside.join("before");
    fs::rename(old, &before)?;
    fs::rename(new, old).inspect_err(|_| {
        // The error to tell is the first one.
        let _ = fs::rename(&before, old);
    })
}

fn files_below(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut names: Vec<PathBuf> =
        fs::read_dir(root.join(below))?.map(|entry| Ok(below.join(entry?.file_name()))).collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        if root.join(&name).is_dir() { files_below(root, &name, files)? } else { files.push(name) }
    }
    Ok(())
}
