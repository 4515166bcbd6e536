//! Where the files of a rule library come from: a folder, or the library built into the binary; and knowledge tables of a
//! folder beside it, which take the place of the library's tables of the same names for one run.
//!
//! Comes out: [`Files`], path → text, in order of path. Deliberately unknown here: what the texts mean, beyond the names of
//! tables and of their columns.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use include_dir::{Dir, include_dir};

use crate::span::{Diagnostic, near};

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/audit_rules");

/// No rule file, parameter or knowledge table is larger.
const LARGEST: u64 = 64 << 20;

/// Files of a library by their path below its root, with `/` between.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// How the root is called in messages.
    pub root: String,
    pub texts: BTreeMap<String, String>,
    /// Tables that stand in for the library's own: path below the root → the file that was read instead.
    pub instead: BTreeMap<String, String>,
}

impl Files {
    /// The library that was built in.
    #[must_use]
    pub fn built_in() -> Files {
        let mut texts = BTreeMap::new();
        let mut open = vec![&BUILT_IN];
        while let Some(dir) = open.pop() {
            open.extend(dir.dirs());
            for file in dir.files() {
                if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
                    texts.insert(path.replace('\\', "/"), text.replace("\r\n", "\n"));
                }
            }
        }
        Files { root: "audit_rules".to_owned(), texts, instead: BTreeMap::new() }
    }

    /// The library in a folder.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn in_folder(root: &Path) -> io::Result<Files> {
        let mut texts = BTreeMap::new();
        let mut open = vec![root.to_path_buf()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let kind = path.extension().and_then(|e| e.to_str());
                if !matches!(kind, Some("toml" | "csv" | "md" | "lock")) || fs::metadata(&path)?.len() > LARGEST {
                    continue;
                }
                let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                let text = fs::read_to_string(&path)
                    .map_err(|e| io::Error::new(e.kind(), format!("`{}`: {e}", path.display())))?;
                texts.insert(below, text.replace("\r\n", "\n"));
            }
        }
        Ok(Files { root: root.display().to_string(), texts, instead: BTreeMap::new() })
    }

    /// How the file at this path below the root is called in messages.
    #[must_use]
    pub fn called(&self, path: &str) -> String {
        self.instead.get(path).cloned().unwrap_or_else(|| format!("{}/{path}", self.root))
    }

    /// Takes the tables of a folder, `<table>.csv`, instead of the library's tables of the same names. Comes back: what is
    /// wrong with the folder's names and headers; what is wrong with rows is seen when the library is loaded.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn take_knowledge(&mut self, folder: &Path) -> io::Result<Vec<Diagnostic>> {
        let mut paths: Vec<_> = fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<io::Result<_>>()?;
        paths.sort();
        let mut mistakes = Vec::new();
        let mut taken = 0;
        for path in paths {
            let file = path.display().to_string();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let kind = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
            if name.starts_with('.') || name.starts_with("~$") || path.is_dir() {
                continue;
            }
            if matches!(kind.as_str(), "xlsx" | "xls") {
                mistakes.push(Diagnostic::whole(&file, "a workbook is no knowledge table").help(format!(
                    "`fundaudit knowledge import {name} --into {}` makes a table of it; keep the workbook elsewhere",
                    folder.display()
                )));
            }
            if kind != "csv" {
                continue;
            }
            taken += 1;
            let table = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let below = format!("knowledge/{table}.csv");
            let Some(own) = self.texts.get(&below) else {
                mistakes.push(self.no_such_table(&file, &table));
                continue;
            };
            let text = readable(&path)?.replace("\r\n", "\n");
            let (wanted, found) = (header(own), header(&text));
            let lacking: Vec<&str> = wanted.iter().filter(|c| !found.contains(c)).map(String::as_str).collect();
            if !lacking.is_empty() {
                let line = text.find('\n').unwrap_or(text.len());
                mistakes.push(
                    Diagnostic::at(
                        &file,
                        &text,
                        0..line,
                        format!("`{table}` has no column `{}`", lacking.join("`, `")),
                    )
                    .help(format!("the library's table has {}", wanted.join(","))),
                );
            }
            self.texts.insert(below.clone(), text);
            self.instead.insert(below, file);
        }
        if taken == 0 && mistakes.is_empty() {
            let known = self.tables().collect::<Vec<_>>().join(", ");
            mistakes.push(
                Diagnostic::whole(
                    &folder.display().to_string(),
                    "the folder has no knowledge table: wanted `<table>.csv`",
                )
                .help(format!("tables are {known}")),
            );
        }
        Ok(mistakes)
    }

    /// Names of the knowledge tables.
    fn tables(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().filter_map(|path| path.strip_prefix("knowledge/")?.strip_suffix(".csv"))
    }

    fn no_such_table(&self, file: &str, table: &str) -> Diagnostic {
        let known: Vec<&str> = self.tables().collect();
        let close = near(table, known.iter().copied());
        let help = if close.is_empty() {
            format!("tables are {}", known.join(", "))
        } else {
            format!("did you mean `{}`?", close.join("` or `"))
        };
        Diagnostic::whole(file, format!("the rule library has no knowledge table `{table}`: no rule would read it"))
            .help(help)
    }
}

/// The text of a table that somebody brings along.
fn readable(path: &Path) -> io::Result<String> {
    let named = |kind: io::ErrorKind, why: String| io::Error::new(kind, format!("`{}`: {why}", path.display()));
    let length = fs::metadata(path).map_err(|e| named(e.kind(), e.to_string()))?.len();
    if length > LARGEST {
        let why =
            format!("{} MiB, wanted at most {}; prefixes of codes make a table short", length >> 20, LARGEST >> 20);
        return Err(named(io::ErrorKind::InvalidData, why));
    }
    let bytes = fs::read(path).map_err(|e| named(e.kind(), e.to_string()))?;
    String::from_utf8(bytes).map_err(|_| {
        named(io::ErrorKind::InvalidData, "the text is not UTF-8; save it as CSV UTF-8 and try again".to_owned())
    })
}

/// The column names of a table.
fn header(text: &str) -> Vec<String> {
    let line = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    line.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
}
