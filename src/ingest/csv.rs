//! Text files of rows: which encoding and delimiter, and the rows.
//!
//! A file is cut into chunks of whole records by one thread ([`Chunks`]) and the chunks are decoded and split into cells by
//! many ([`parse`]). The encoding is told from a sample and verified on every line: a line that is not of it becomes a row
//! with trouble, never a row with replaced characters. The same goes for quotes that do not close, NUL bytes and records of
//! more than a megabyte. Goes in: a path. Comes out: [`Block`]s. Not known here: headers, tables, columns.
//!
//! To add a delimiter: `DELIMITERS`. To add an encoding: `Encoding`, `Shape::detect` and `decode`.

use std::borrow::Cow;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use encoding_rs::{Decoder, GB18030, UTF_16BE, UTF_16LE};
use sha2::{Digest, Sha256};

use super::Error;
use super::rows::{Block, MOST_CELLS, Row, excerpt, offset};

const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Bytes looked at to tell encoding and delimiter.
const SAMPLE: usize = 256 << 10;

/// Bytes of a chunk, about; more than the longest record.
const CHUNK: usize = 5 << 18;

/// A record of more bytes is broken.
const LONGEST_RECORD: usize = 1 << 20;

/// How the bytes of a file spell text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 (and ASCII).
    Utf8,
    /// GB18030 (and GBK and GB2312, which are parts of it).
    Gb18030,
    /// UTF-16, least byte first.
    Utf16Le,
    /// UTF-16, greatest byte first.
    Utf16Be,
}

impl Encoding {
    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Gb18030 => "GB18030",
            Encoding::Utf16Le => "UTF-16LE",
            Encoding::Utf16Be => "UTF-16BE",
        }
    }
}

/// What has to be known of a text file to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub encoding: Encoding,
    pub delimiter: u8,
    /// Length of the byte order mark.
    mark: usize,
}

impl Shape {
    /// Tells the shape of a file from its bytes.
    pub(super) fn detect(path: &Path) -> Result<Shape, Error> {
        let mut file = File::open(path).map_err(|e| Error::at(path, "open", &e))?;
        let mut sample = vec![0; SAMPLE];
        let length = fill(&mut file, &mut sample).map_err(|e| Error::at(path, "read", &e))?;
        sample.truncate(length);
        let (encoding, mark) = match sample.as_slice() {
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
            [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
            _ => {
                let mut telling = sample.clone();
                // Nothing but ASCII so far tells nothing: look on until something does.
                while telling.is_ascii() && !telling.is_empty() {
                    telling.resize(SAMPLE, 0);
                    let length = fill(&mut file, &mut telling).map_err(|e| Error::at(path, "read", &e))?;
                    telling.truncate(length);
                }
                (told_from(&telling), 0)
            }
        };
        let whole = length < SAMPLE;
        let text = match encoding {
            Encoding::Utf16Le => UTF_16LE.decode_without_bom_handling(&sample[mark..]).0.into_owned(),
            Encoding::Utf16Be => UTF_16BE.decode_without_bom_handling(&sample[mark..]).0.into_owned(),
            _ => decode(sample[mark..].to_vec(), encoding).0,
        };
        Ok(Shape { encoding, delimiter: delimiter_of(&text, whole), mark })
    }
}

fn told_from(sample: &[u8]) -> Encoding {
    let (mut utf8, mut gb18030) = (0, 0);
    let lines = sample.split(|&b| b == b'\n');
    let count = lines.clone().count();
    for (i, line) in lines.enumerate() {
        // The sample cuts its first and last line; they tell only when there is nothing else.
        if line.is_ascii() || (count > 2 && i + 1 == count) {
            continue;
        }
        if std::str::from_utf8(line).is_ok() {
            utf8 += 1;
        } else if GB18030.decode_without_bom_handling_and_without_replacement(line).is_some() {
            gb18030 += 1;
        }
    }
    if gb18030 > utf8 { Encoding::Gb18030 } else { Encoding::Utf8 }
}

/// The delimiter that cuts the most lines into the same number of cells.
fn delimiter_of(sample: &str, whole: bool) -> u8 {
    let sample = match sample.rfind('\n') {
        Some(end) if !whole => &sample[..=end],
        _ => sample,
    };
    let mut best = (0, b',');
    for delimiter in DELIMITERS {
        let block = split(sample.chars().take(64 << 10).collect(), &[], 1, delimiter, None);
        let mut widths: Vec<u32> = block.rows.iter().map(|r| r.found).filter(|&w| w > 1).take(200).collect();
        widths.sort_unstable();
        let score =
            widths.chunk_by(|a, b| a == b).map(|same| same.len() as u64 * u64::from(same[0] - 1)).max().unwrap_or(0);
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    best.1
}

fn fill(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(length)
}

/// Bytes of whole records.
#[derive(Debug)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    first_line: u64,
    /// The bytes are the beginning of one record that is too long.
    oversized: bool,
}

impl Chunk {
    /// Bytes in it.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Cuts a file into chunks of whole records.
pub(super) struct Chunks {
    file: File,
    shape: Shape,
    hasher: Option<Sha256>,
    transcoder: Option<Decoder>,
    /// Bytes read and not yet handed out: decoded to UTF-8 when the file is UTF-16.
    held: Vec<u8>,
    next_line: u64,
    begun: bool,
    ended: bool,
    /// Within a record that is too long.
    skipping: bool,
}

impl Chunks {
    pub(super) fn open(path: &Path, shape: Shape, hashing: bool) -> Result<Chunks, Error> {
        let file = File::open(path).map_err(|e| Error::at(path, "open", &e))?;
        let transcoder = match shape.encoding {
            Encoding::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
            Encoding::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
            _ => None,
        };
        Ok(Chunks {
            file,
            shape,
            hasher: hashing.then(Sha256::new),
            transcoder,
            held: Vec::new(),
            next_line: 1,
            begun: false,
            ended: false,
            skipping: false,
        })
    }

    /// The next chunk, or `None` at the end of the file.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Chunk>> {
        loop {
            while !self.ended && self.held.len() < CHUNK {
                self.read_more()?;
            }
            if self.held.is_empty() && self.ended {
                return Ok(None);
            }
            if self.skipping {
                match self.held.iter().position(|&b| b == b'\n') {
                    Some(end) => {
                        self.held.drain(..=end);
                        self.next_line += 1;
                        self.skipping = false;
                    }
                    None => self.held.clear(),
                }
                continue;
            }
            let end = if self.ended { self.held.len() } else { whole_records(&self.held, self.shape.delimiter) };
            let line = self.held.iter().position(|&b| b == b'\n').unwrap_or(self.held.len());
            if end == 0 || line > LONGEST_RECORD {
                let chunk = Chunk { bytes: self.held[..1_000].to_vec(), first_line: self.next_line, oversized: true };
                self.skipping = true;
                return Ok(Some(chunk));
            }
            let rest = self.held.split_off(end);
            let bytes = std::mem::replace(&mut self.held, rest);
            let first_line = self.next_line;
            self.next_line += line_ends(&bytes);
            return Ok(Some(Chunk { bytes, first_line, oversized: false }));
        }
    }

    fn read_more(&mut self) -> std::io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        let length = fill(&mut self.file, &mut buffer)?;
        self.ended = length < CHUNK;
        buffer.truncate(length);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer);
        }
        let mark = if self.begun { 0 } else { self.shape.mark.min(length) };
        self.begun = true;
        match &mut self.transcoder {
            Some(decoder) => {
                let bytes = &buffer[mark..];
                let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 3 + 16);
                let mut text = vec![0; room];
                let (_, _, written, _) = decoder.decode_to_utf8(bytes, &mut text, self.ended);
                self.held.extend_from_slice(&text[..written]);
            }
            None if self.held.is_empty() && mark == 0 => self.held = buffer,
            None => self.held.extend_from_slice(&buffer[mark..]),
        }
        Ok(())
    }

    /// Hash of the bytes, hexadecimal, once the last chunk was handed out.
    pub(super) fn sha256(self) -> Option<String> {
        self.hasher.map(|h| hexadecimal(&h.finalize()))
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where the last whole record ends.
fn whole_records(bytes: &[u8], delimiter: u8) -> usize {
    if !bytes.contains(&b'"') {
        return bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    }
    let mut at = 0;
    loop {
        match record_end(bytes, at, delimiter) {
            End::At { next, .. } if bytes.get(next - 1) == Some(&b'\n') => at = next,
            End::At { .. } => return at,
            End::Unclosed => {
                if bytes.len() - at <= LONGEST_RECORD {
                    return at;
                }
                // Its first line is a broken row; what follows is read again from the next line.
                match bytes[at..].iter().position(|&b| b == b'\n') {
                    Some(end) => at += end + 1,
                    None => return at,
                }
            }
        }
        if at == bytes.len() {
            return at;
        }
    }
}

enum End {
    /// The position after the record and its line end, and the lines it spans.
    At { next: usize, lines: u64 },
    /// A quote opens and does not close within the bytes, or within the longest record.
    Unclosed,
}

fn record_end(bytes: &[u8], from: usize, delimiter: u8) -> End {
    let mut at = from;
    let mut lines = 1;
    let mut field_begins = true;
    let limit = bytes.len().min(from + LONGEST_RECORD);
    while at < bytes.len() {
        match bytes[at] {
            b'"' if field_begins => {
                at += 1;
                loop {
                    if at >= limit {
                        return End::Unclosed;
                    }
                    match bytes[at] {
                        b'"' if bytes.get(at + 1) == Some(&b'"') => at += 1,
                        b'"' => break,
                        b'\n' => lines += 1,
                        _ => {}
                    }
                    at += 1;
                }
                field_begins = false;
            }
            b'\n' => return End::At { next: at + 1, lines },
            byte => field_begins = byte == delimiter,
        }
        at += 1;
    }
    End::At { next: bytes.len(), lines }
}

/// Decodes a chunk and splits it into cells. `wanted`: how many cells the header has.
pub(super) fn parse(chunk: Chunk, shape: Shape, wanted: Option<usize>) -> Block {
    let first_line = chunk.first_line;
    let oversized = chunk.oversized;
    let (text, troubles) = decode(chunk.bytes, shape.encoding);
    if oversized {
        let mut block = Block::default();
        block.push_cell(excerpt(text.trim_end_matches('\u{fffd}')));
        block.end_row(first_line, 0, 1, Some(Cow::Borrowed("a record of more than 1 MB")));
        return block;
    }
    split(text, &troubles, first_line, shape.delimiter, wanted)
}

const UNDECODABLE: &str = "undecodable bytes";
const FOREIGN_UTF8: &str = "undecodable bytes: UTF-8 in a file of GB18030";

/// A text and the positions of its lines that are not of the encoding.
fn decode(bytes: Vec<u8>, encoding: Encoding) -> (String, Vec<(usize, &'static str)>) {
    match encoding {
        Encoding::Utf8 => match String::from_utf8(bytes) {
            Ok(text) => (text, Vec::new()),
            Err(e) => by_line(&e.into_bytes(), |line| std::str::from_utf8(line).ok().map(Cow::Borrowed)),
        },
        Encoding::Gb18030 => {
            let lines = || bytes.split(|&b| b == b'\n');
            if !lines().any(is_chinese_utf8)
                && let Some(text) = GB18030.decode_without_bom_handling_and_without_replacement(&bytes)
            {
                return (text.into_owned(), Vec::new());
            }
            by_line(&bytes, |line| GB18030.decode_without_bom_handling_and_without_replacement(line))
        }
        Encoding::Utf16Le | Encoding::Utf16Be => {
            // Already UTF-8 by the time it is cut into chunks; a replacement tells of a broken pair.
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut troubles = Vec::new();
            if text.contains('\u{fffd}') {
                let mut at = 0;
                for line in text.split_inclusive('\n') {
                    if line.contains('\u{fffd}') {
                        troubles.push((at, UNDECODABLE));
                    }
                    at += line.len();
                }
            }
            (text, troubles)
        }
    }
}

/// Whether a line is UTF-8 with two Chinese characters or more: hardly any line of GB18030 happens to be that.
fn is_chinese_utf8(line: &[u8]) -> bool {
    !line.is_ascii()
        && std::str::from_utf8(line)
            .is_ok_and(|text| text.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count() >= 2)
}

fn by_line<'a>(
    bytes: &'a [u8],
    decoded: impl Fn(&'a [u8]) -> Option<Cow<'a, str>>,
) -> (String, Vec<(usize, &'static str)>) {
    let mut text = String::with_capacity(bytes.len() * 3 / 2);
    let mut troubles = Vec::new();
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        match decoded(line) {
            Some(plain) if std::str::from_utf8(line).is_ok_and(|t| t == plain) || !is_chinese_utf8(line) => {
                text.push_str(&plain);
            }
            Some(_) => {
                troubles.push((text.len(), FOREIGN_UTF8));
                text.push_str(&String::from_utf8_lossy(line));
            }
            None => {
                troubles.push((text.len(), UNDECODABLE));
                text.push_str(&String::from_utf8_lossy(line));
            }
        }
    }
    (text, troubles)
}

/// Splits a decoded text of whole records into rows and cells.
fn split(
    text: String,
    troubles: &[(usize, &'static str)],
    first_line: u64,
    delimiter: u8,
    wanted: Option<usize>,
) -> Block {
    let mut block = Block { text, ..Block::default() };
    let mut unescaped = String::new();
    let bytes = block.text.as_bytes();
    let length = bytes.len();
    let quotes = bytes.contains(&b'"');
    let nuls = bytes.contains(&0);
    let mut troubles = troubles.iter().peekable();
    let mut line = first_line;
    let mut at = 0;
    let mut rows = Vec::new();
    let mut cells: Vec<(u32, u32)> = Vec::with_capacity(length / 8);
    while at < length {
        let first = cells.len();
        let (mut next, mut lines, mut broken) = match if quotes { Some(record_end(bytes, at, delimiter)) } else { None }
        {
            Some(End::At { next, lines }) => (next, lines, false),
            None => (line_end(bytes, at), 1, false),
            Some(End::Unclosed) => (line_end(bytes, at), 1, true),
        };
        let mut found = 0;
        if !broken {
            let tailed;
            (found, tailed) = fields(&block.text, at, next, delimiter, &mut cells, &mut unescaped);
            // A quote that runs over lines, and then leaves the wrong number of cells or closes within a cell, was not
            // meant as one.
            if lines > 1 && (tailed || wanted.is_some_and(|w| w != found)) {
                (next, lines, broken) = (line_end(bytes, at), 1, true);
            }
        }
        let mut trouble = broken.then_some("unclosed quote");
        while let Some(&&(position, reason)) = troubles.peek() {
            if position >= next {
                break;
            }
            trouble = Some(reason);
            troubles.next();
        }
        if nuls && trouble.is_none() && bytes[at..next].contains(&0) {
            trouble = Some("NUL bytes in the row");
        }
        if trouble.is_some() {
            cells.truncate(first);
            let raw = excerpt(block.text[at..next].trim_end_matches(['\r', '\n']));
            cells.push((offset(at), offset(at + raw.len())));
            found = 1;
        }
        // A line of nothing is no row.
        let empty = trouble.is_none() && found == 1 && cells[first].0 == cells[first].1;
        if empty {
            cells.truncate(first);
        } else {
            rows.push(Row::new(line, first, cells.len() - first, found, trouble.map(Cow::Borrowed)));
        }
        line += lines;
        at = next;
    }
    block.text.push_str(&unescaped);
    block.cells = cells;
    block.rows = rows;
    block
}

/// Line ends in the bytes; counted in runs that the compiler can count sixteen at a time.
fn line_ends(bytes: &[u8]) -> u64 {
    bytes.chunks(240).map(|run| u64::from(run.iter().fold(0_u8, |n, &b| n + u8::from(b == b'\n')))).sum()
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| from + at + 1)
}

/// Splits the record at `from..until` into cells; how many there are, and whether text follows a closing quote. Cells with doubled quotes go to `unescaped`, whose
/// text comes behind `text` in the end.
fn fields(
    text: &str,
    from: usize,
    until: usize,
    delimiter: u8,
    cells: &mut Vec<(u32, u32)>,
    unescaped: &mut String,
) -> (usize, bool) {
    let bytes = text.as_bytes();
    let mut tailed = false;
    let mut end = until;
    if end > from && bytes[end - 1] == b'\n' {
        end -= 1;
    }
    if end > from && bytes[end - 1] == b'\r' {
        end -= 1;
    }
    let first = cells.len();
    let mut found = 0;
    let mut at = from;
    loop {
        let cell;
        let mut cursor = at;
        if cursor < end && bytes[cursor] == b'"' {
            cursor += 1;
            let opened = cursor;
            let mut doubled = false;
            while cursor < end {
                if bytes[cursor] == b'"' {
                    if cursor + 1 < end && bytes[cursor + 1] == b'"' {
                        doubled = true;
                        cursor += 1;
                    } else {
                        break;
                    }
                }
                cursor += 1;
            }
            let closed = cursor.min(end);
            cursor = (cursor + 1).min(end);
            let tail = cursor;
            while cursor < end && bytes[cursor] != delimiter {
                cursor += 1;
            }
            tailed |= tail < cursor;
            if doubled || tail < cursor {
                // Written anew: doubled quotes once, and what follows the closing quote as it stands.
                let begin = text.len() + unescaped.len();
                unescaped.push_str(&text[opened..closed].replace("\"\"", "\""));
                unescaped.push_str(&text[tail..cursor]);
                cell = (offset(begin), offset(text.len() + unescaped.len()));
            } else {
                cell = (offset(opened), offset(closed));
            }
        } else {
            while cursor < end && bytes[cursor] != delimiter {
                cursor += 1;
            }
            cell = (offset(at), offset(cursor));
        }
        found += 1;
        if cells.len() - first < MOST_CELLS {
            cells.push(cell);
        }
        if cursor >= end {
            return (found, tailed);
        }
        at = cursor + 1;
    }
}
