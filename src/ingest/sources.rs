//! Which files an export consists of, and what is in each.
//!
//! Goes in: paths that a person gave. Comes out: [`Source`]s sorted by name, each with its header and how its rows become
//! rows of tables; notes on files that were passed over; every file that cannot be read as one error. A table is told by
//! the file's name, else by its header. Not known here: the rows below the header.
//!
//! To read another kind of file: `Format`, `format_of`, and a reader beside `csv`, `xlsx` and `parquet`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::csv::{Chunk, Chunks, Shape, hexadecimal, parse, parse_parts};
use super::header::{self, Header, Layout};
use super::mapping::{Expression, Mapping};
use super::rows::Block;
use super::{Error, parquet, xlsx};
use crate::model::Table;
use crate::progress::Progress;

/// Rows looked at to find a header.
const PREVIEW: usize = 60;

/// A file (or a sheet of one) with rows.
#[derive(Debug)]
pub(super) struct Source {
    pub path: PathBuf,
    /// Its name in lists: the file's, and the sheet's where a workbook has several.
    pub label: String,
    pub bytes: u64,
    pub format: Format,
    pub header: Header,
    pub layout: Layout,
    /// Expressions of the mapping, as the plans number them.
    pub expressions: Vec<Expression>,
}

/// Kinds of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    Csv(Shape),
    Sheet(String),
    Parquet,
}

/// All sources of an export.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub sources: Vec<Source>,
    pub notes: Vec<String>,
}

/// A part of a file that can be worked on by itself.
#[derive(Debug)]
pub(super) enum Piece {
    Chunk(Chunk, Shape, usize),
    Block(Block, u64),
}

impl Piece {
    /// Its size, for progress.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Piece::Chunk(chunk, ..) => chunk.len(),
            Piece::Block(_, bytes) => *bytes,
        }
    }

    /// Hands out its rows.
    pub(super) fn rows(self, mut take: impl FnMut(&mut Block)) {
        match self {
            Piece::Chunk(chunk, shape, wanted) => parse_parts(&chunk, shape, Some(wanted), take),
            Piece::Block(mut block, _) => take(&mut block),
        }
    }
}

/// Hands out the pieces of a source.
pub(super) enum Pieces {
    Csv(Chunks, Shape, usize),
    Sheet(xlsx::Blocks),
    Parquet(parquet::Blocks),
}

impl Source {
    pub(super) fn open(&self) -> Result<Pieces, Error> {
        Ok(match &self.format {
            Format::Csv(shape) => Pieces::Csv(Chunks::open(&self.path, *shape, true)?, *shape, self.header.cells.len()),
            Format::Sheet(sheet) => Pieces::Sheet(xlsx::Blocks::open(&self.path, sheet)),
            Format::Parquet => Pieces::Parquet(parquet::Blocks::open(&self.path)?),
        })
    }

    /// Hash of the file, once its pieces were handed out.
    pub(super) fn sha256(&self, pieces: Pieces, progress: &dyn Progress) -> Result<String, Error> {
        if let Pieces::Csv(chunks, ..) = pieces
            && let Some(hash) = chunks.sha256()
        {
            return Ok(hash);
        }
        let mut file = File::open(&self.path).map_err(|e| Error::at(&self.path, "open", &e))?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let length = file.read(&mut buffer).map_err(|e| Error::at(&self.path, "read", &e))?;
            if length == 0 {
                return Ok(hexadecimal(&hasher.finalize()));
            }
            progress.go_on()?;
            hasher.update(&buffer[..length]);
        }
    }
}

impl Pieces {
    pub(super) fn next(&mut self, path: &Path) -> Result<Option<Piece>, Error> {
        guarded(path, || match self {
            Pieces::Csv(chunks, shape, wanted) => {
                let chunk = chunks.next().map_err(|e| Error::at(path, "read", &e))?;
                Ok(chunk.map(|chunk| Piece::Chunk(chunk, *shape, *wanted)))
            }
            Pieces::Sheet(blocks) => Ok(blocks.next()?.map(|(block, bytes)| Piece::Block(block, bytes))),
            Pieces::Parquet(blocks) => Ok(blocks.next()?.map(|(block, bytes)| Piece::Block(block, bytes))),
        })
    }
}

/// Runs a reader; a panic in it (of a library that met a broken file) is an error that names the file.
pub(super) fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Error::new(format!("`{}` is broken in a way that its reader cannot handle", path.display())))
    })
}

/// A file before its table is known.
struct Candidate {
    path: PathBuf,
    label: String,
    bytes: u64,
    format: Format,
    preview: Block,
}

/// Finds the files and what is in them.
pub(super) fn find(inputs: &[PathBuf], mapping: Option<&Mapping>, progress: &dyn Progress) -> Result<Sources, Error> {
    let (found, errors) = find_all(inputs, mapping, progress);
    progress.go_on()?;
    if errors.is_empty() { Ok(found) } else { Err(Error::all(errors)) }
}

/// Finds the files that can be read, and why others cannot.
pub(super) fn find_all(
    inputs: &[PathBuf],
    mapping: Option<&Mapping>,
    progress: &dyn Progress,
) -> (Sources, Vec<Error>) {
    let mut found = Sources::default();
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for input in inputs {
        if let Err(error) = list(input, &mut files, &mut found.notes) {
            errors.push(error);
        }
    }
    let mut seen = BTreeSet::new();
    files.retain(|f: &Listed| seen.insert(std::fs::canonicalize(&f.path).unwrap_or_else(|_| f.path.clone())));
    files.sort_by(|a, b| (&a.label, &a.path).cmp(&(&b.label, &b.path)));
    let names: Vec<String> = files.iter().map(|f| name_of(&f.path)).collect();
    let mut candidates = Vec::new();
    for (i, file) in files.iter().enumerate().take_while(|_| !progress.stopped()) {
        // Two files of one name in different folders are told apart by the folder.
        let label =
            if names.iter().filter(|n| **n == names[i]).count() > 1 { file.label.clone() } else { names[i].clone() };
        if mapping.is_some_and(|m| !m.concerns(&names[i])) {
            found.notes.push(format!("`{label}` is not in the mapping: not read"));
            continue;
        }
        match guarded(&file.path, || look_into(file, &label, &mut found.notes, progress)) {
            Ok(more) => candidates.extend(more),
            Err(error) => errors.push(error),
        }
    }
    candidates.sort_by(|a, b| (&a.label, &a.path).cmp(&(&b.label, &b.path)));
    match mapping {
        Some(mapping) => mapped(candidates, mapping, &mut found, &mut errors),
        None => told(candidates, &mut found, &mut errors),
    }
    if errors.is_empty() && found.sources.is_empty() {
        let given: Vec<String> = inputs.iter().map(|p| format!("`{}`", p.display())).collect();
        errors.push(Error::new(format!(
            "found no table in {}; wanted .csv, .xlsx or .parquet files such as `fee_detail.csv`",
            given.join(", ")
        )));
    }
    (found, errors)
}

struct Listed {
    path: PathBuf,
    /// Path below the folder that was given.
    label: String,
    /// Named by the person rather than found in a folder.
    named: bool,
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn list(input: &Path, files: &mut Vec<Listed>, notes: &mut Vec<String>) -> Result<(), Error> {
    let meta = std::fs::metadata(input).map_err(|e| Error::at(input, "open", &e))?;
    if !meta.is_dir() {
        files.push(Listed { path: input.to_owned(), label: name_of(input), named: true });
        return Ok(());
    }
    if input.join("dataset.json").exists() {
        return Err(Error::new(format!(
            "`{}` is a dataset already; give the folder of the export, or use the dataset as it is",
            input.display()
        )));
    }
    list_folder(input, "", 1, files, notes)
}

fn list_folder(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<Listed>,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(|e| Error::at(folder, "list", &e))? {
        let path = entry.map_err(|e| Error::at(folder, "list", &e))?.path();
        let name = name_of(&path);
        if name.starts_with('.') || name.starts_with("~$") {
            continue;
        }
        let label = format!("{prefix}{name}");
        if path.is_dir() {
            if path.join("dataset.json").exists() || name.starts_with("bucket-") {
                notes.push(format!("`{label}` is a dataset: not read"));
            } else if depth < 2 {
                list_folder(&path, &format!("{label}/"), depth + 1, files, notes)?;
            } else {
                notes.push(format!("`{label}` is a folder too deep: not read; give it by name"));
            }
        } else if is_no_data(&name) {
            notes.push(format!("`{label}` is not data of an export: not read"));
        } else if is_knowledge(&path) {
            notes.push(format!("`{label}` is a knowledge table: not read as data; `--knowledge` takes its folder"));
        } else {
            files.push(Listed { path, label, named: false });
        }
    }
    Ok(())
}

/// Whether a file is a knowledge table, which a bureau may keep beside its export: told by its header.
fn is_knowledge(path: &Path) -> bool {
    let mut first = [0; 256];
    let length = File::open(path).and_then(|mut file| file.read(&mut first)).unwrap_or(0);
    let text = String::from_utf8_lossy(&first[..length]);
    let header = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().trim_end();
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"))
        && header.starts_with("code,from,until,")
        && header.ends_with("source")
}

/// Files that lie beside an export and plainly are no table, and what this program writes itself.
fn is_no_data(name: &str) -> bool {
    let name = name.to_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, e)| e);
    matches!(
        name.as_str(),
        "truth.csv"
            | "defects.csv"
            | "quarantine.csv"
            | "coverage.csv"
            | "run.json"
            | "dataset.json"
            | "report.html"
            | "thumbs.db"
            | "desktop.ini"
    ) || name.starts_with("readme")
        || name.starts_with("findings.")
        || name.starts_with("finding_lines.")
        || matches!(
            extension,
            "md" | "json"
                | "ndjson"
                | "html"
                | "htm"
                | "pdf"
                | "doc"
                | "docx"
                | "png"
                | "jpg"
                | "jpeg"
                | "toml"
                | "yaml"
                | "yml"
                | "sql"
                | "log"
                | "sha256"
                | "md5"
                | "xml"
                | "py"
                | "sh"
                | "lock"
        )
}

/// What kind of file this is, from its first bytes, and its rows so far.
fn look_into(
    file: &Listed,
    label: &str,
    notes: &mut Vec<String>,
    progress: &dyn Progress,
) -> Result<Vec<Candidate>, Error> {
    let path = &file.path;
    let mut head = Vec::new();
    File::open(path).and_then(|f| f.take(4096).read_to_end(&mut head)).map_err(|e| Error::at(path, "read", &e))?;
    let bytes = std::fs::metadata(path).map_err(|e| Error::at(path, "read", &e))?.len();
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let candidate = |format, label: String, preview| Candidate { path: path.clone(), label, bytes, format, preview };
    let refuse = |what: &str| Err(Error::new(format!("`{label}` {what}")));
    match head.as_slice() {
        [] => refuse("is empty: wanted a header and rows"),
        [b'P', b'A', b'R', b'1', ..] => Ok(vec![candidate(Format::Parquet, label.to_owned(), parquet::preview(path)?)]),
        [b'P', b'K', 3, 4, ..] if extension != "zip" => {
            let sheets = xlsx::sheets(path, label, PREVIEW, notes, progress)?;
            let several = sheets.len() > 1;
            Ok(sheets
                .into_iter()
                .map(|(sheet, preview)| {
                    let label = if several { format!("{label}!{sheet}") } else { label.to_owned() };
                    candidate(Format::Sheet(sheet), label, preview)
                })
                .collect())
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            refuse("is an old .xls workbook or one with a password; save it as .xlsx without password, or as CSV")
        }
        [b'P', b'K', ..] | [0x1f, 0x8b, ..] | [b'7', b'z', 0xbc, ..] | [b'R', b'a', b'r', b'!', ..] => {
            refuse("is an archive; unpack it and give the folder")
        }
        [b'%', b'P', b'D', b'F', ..] => refuse("is a PDF; wanted .csv, .xlsx or .parquet"),
        _ if extension == "xlsx" || extension == "parquet" => {
            refuse("is not what its name says: it does not begin like such a file; is it cut off or renamed?")
        }
        head if head.starts_with(b"<") => refuse("is HTML or XML; save it as .xlsx or CSV"),
        _ => {
            let shape = Shape::detect(path)?;
            let mut chunks = Chunks::open(path, shape, false)?;
            let Some(chunk) = chunks.next().map_err(|e| Error::at(path, "read", &e))? else {
                return refuse("is empty: wanted a header and rows");
            };
            let mut preview = parse(&chunk, shape, None);
            preview.rows.truncate(PREVIEW);
            if let Some(wide) = preview.rows.first().filter(|r| r.found as usize > super::rows::MOST_CELLS) {
                return refuse(&format!(
                    "has {} columns in row {}; no table has more than {}",
                    wide.found,
                    wide.number,
                    super::rows::MOST_CELLS
                ));
            }
            if preview.rows.is_empty() {
                return refuse("is empty: wanted a header and rows");
            }
            if extension == "txt" && !file.named && preview.rows.iter().all(|r| r.found < 2) {
                notes.push(format!("`{label}` is not data of an export: not read"));
                return Ok(Vec::new());
            }
            Ok(vec![candidate(Format::Csv(shape), label.to_owned(), preview)])
        }
    }
}

/// The table that a file's name says, if it says one.
fn table_by_name(path: &Path) -> Option<Table> {
    let stem = path.file_stem()?.to_string_lossy().to_lowercase();
    let mut best: Option<(usize, Table)> = None;
    let mut tied = false;
    for table in Table::ALL {
        for name in table.file_names() {
            if !says(&stem, name) {
                continue;
            }
            let length = name.chars().count();
            match best {
                Some((longest, of)) if longest > length || of == table => {}
                Some((longest, _)) if longest == length => tied = true,
                _ => {
                    best = Some((length, table));
                    tied = false;
                }
            }
        }
    }
    best.filter(|_| !tied).map(|(_, table)| table)
}

/// Whether the name stands in the stem: anywhere when Chinese, as a word of its own when not.
fn says(stem: &str, name: &str) -> bool {
    stem.match_indices(name).any(|(at, _)| {
        let apart = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphabetic());
        !name.is_ascii() || (apart(stem[..at].chars().next_back()) && apart(stem[at + name.len()..].chars().next()))
    })
}

/// Sources whose tables are told by name and header.
fn told(candidates: Vec<Candidate>, found: &mut Sources, errors: &mut Vec<Error>) {
    let mut known = Vec::new();
    for candidate in candidates {
        let named = match &candidate.format {
            Format::Sheet(sheet) => table_by_name(Path::new(&format!("{sheet}.x"))),
            _ => None,
        }
        .or_else(|| table_by_name(&candidate.path));
        let named = match named {
            // A name that the header contradicts is a file by the wrong name.
            Some(table) => header::find(&candidate.preview, Some(table)).map(|h| (h, table)),
            None => None,
        };
        let by_header = || {
            let header = header::find(&candidate.preview, None).ok_or_else(|| {
                let shown: Vec<&str> = candidate
                    .preview
                    .rows
                    .first()
                    .map(|r| candidate.preview.row_cells(r).take(20).collect())
                    .unwrap_or_default();
                Error::new(format!(
                    "`{}`: no header found in its first rows; row 1 has: {}; wanted names such as `psn_no` or 人员编号; \
                     say what is what in a file for `--mapping`",
                    candidate.label,
                    super::rows::excerpt(&shown.join(", "))
                ))
            })?;
            match header::table_of(&header.cells) {
                Ok(table) => Ok((header, table)),
                Err(Some(nearest)) => match header::plan(&candidate.label, &header, nearest, &BTreeSet::new()) {
                    Err(message) => Err(Error::new(message)),
                    Ok(_) => Ok((header, nearest)),
                },
                Err(None) => Err(Error::new(format!(
                    "`{}` is of no known table: its header, row {}, has: {}",
                    candidate.label,
                    header.row,
                    header.cells.join(", ")
                ))),
            }
        };
        match named.map_or_else(by_header, Ok) {
            Ok((header, table)) => known.push((candidate, header, table)),
            Err(error) => errors.push(error),
        }
    }
    let own: BTreeSet<Table> = known.iter().map(|(_, _, table)| *table).collect();
    for (candidate, header, table) in known {
        match header::plan(&candidate.label, &header, table, &own) {
            Ok(layout) => {
                found.notes.extend(layout.notes.iter().cloned());
                found.sources.push(source(candidate, header, layout, Vec::new()));
            }
            Err(message) => errors.push(Error::new(message)),
        }
    }
}

/// Sources whose tables and columns a mapping says.
fn mapped(candidates: Vec<Candidate>, mapping: &Mapping, found: &mut Sources, errors: &mut Vec<Error>) {
    let mut used = BTreeSet::new();
    for candidate in candidates {
        let name = name_of(&candidate.path);
        let Some(header) = mapping.header(&name, &candidate.preview) else {
            errors.push(Error::new(format!("`{}` has no header: all its first rows are empty", candidate.label)));
            continue;
        };
        match mapping.plan(&name, &candidate.label, &header, &mut used) {
            Ok((layout, expressions)) => found.sources.push(source(candidate, header, layout, expressions)),
            Err(messages) => errors.extend(messages.into_iter().map(Error::new)),
        }
    }
    if errors.is_empty() {
        errors.extend(mapping.unused(&used).into_iter().map(Error::new));
    }
}

fn source(candidate: Candidate, header: Header, layout: Layout, expressions: Vec<Expression>) -> Source {
    let Candidate { path, label, bytes, format, .. } = candidate;
    Source { path, label, bytes, format, header, layout, expressions }
}
