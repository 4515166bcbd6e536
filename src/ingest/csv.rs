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
            _ => decode(&sample[mark..], encoding).0,
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
        // What is not transcoded is read to where it stays.
        let mut raw = if self.transcoder.is_some() { Vec::new() } else { std::mem::take(&mut self.held) };
        let before = raw.len();
        raw.reserve_exact(CHUNK);
        let length = (&mut self.file).take(CHUNK as u64).read_to_end(&mut raw)?;
        self.ended = length < CHUNK;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&raw[before..]);
        }
        let mark = if self.begun { 0 } else { self.shape.mark.min(length) };
        self.begun = true;
        raw.drain(before..before + mark);
        match &mut self.transcoder {
            Some(decoder) => {
                let room = decoder.max_utf8_buffer_length(raw.len()).unwrap_or(raw.len() * 3 + 16);
                let mut text = vec![0; room];
                let (_, _, written, _) = decoder.decode_to_utf8(&raw, &mut text, self.ended);
                self.held.extend_from_slice(&text[..written]);
            }
            None => self.held = raw,
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

/// Bytes of a part of a chunk, about: with its cells it fits into a processor's own cache.
const PART: usize = 1 << 17;

/// As [`parse`], one part of the chunk after the other where its lines are its records.
pub(super) fn parse_parts(chunk: &Chunk, shape: Shape, wanted: Option<usize>, mut take: impl FnMut(&mut Block)) {
    if chunk.oversized || chunk.bytes.contains(&b'"') {
        take(&mut parse(chunk, shape, wanted));
        return;
    }
    let mut first_line = chunk.first_line;
    let mut rest = chunk.bytes.as_slice();
    while !rest.is_empty() {
        let (part, others) = rest.split_at(line_end(rest, PART.min(rest.len())));
        let (text, troubles) = decode(part, shape.encoding);
        take(&mut split(text, &troubles, first_line, shape.delimiter, wanted));
        first_line += line_ends(part);
        rest = others;
    }
}

/// Decodes a chunk and splits it into cells. `wanted`: how many cells the header has.
pub(super) fn parse(chunk: &Chunk, shape: Shape, wanted: Option<usize>) -> Block {
    let first_line = chunk.first_line;
    let oversized = chunk.oversized;
    let (text, troubles) = decode(&chunk.bytes, shape.encoding);
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
fn decode(bytes: &[u8], encoding: Encoding) -> (String, Vec<(usize, &'static str)>) {
    match encoding {
        Encoding::Utf8 => match std::str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), Vec::new()),
            Err(_) => by_line(bytes, |line| std::str::from_utf8(line).ok().map(Cow::Borrowed)),
        },
        Encoding::Gb18030 => {
            if !has_chinese_utf8(bytes)
                && let Some(text) = GB18030.decode_without_bom_handling_and_without_replacement(bytes)
            {
                return (text.into_owned(), Vec::new());
            }
            by_line(bytes, |line| GB18030.decode_without_bom_handling_and_without_replacement(line))
        }
        Encoding::Utf16Le | Encoding::Utf16Be => {
            // Already UTF-8 by the time it is cut into chunks; a replacement tells of a broken pair.
            let text = String::from_utf8_lossy(bytes).into_owned();
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

/// Whether any line is.
fn has_chinese_utf8(mut bytes: &[u8]) -> bool {
    while let Err(error) = std::str::from_utf8(bytes) {
        // The line in which it stops being UTF-8 is not; whole lines before it may be.
        let valid = error.valid_up_to();
        let before = bytes[..valid].iter().rposition(|&b| b == b'\n').unwrap_or(0);
        if lines(&bytes[..before]).any(is_chinese_utf8) {
            return true;
        }
        bytes = &bytes[line_end(bytes, valid)..];
    }
    lines(bytes).any(is_chinese_utf8)
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
    let nuls = bytes.contains(&0);
    let mut marks = Marks::new(bytes, [delimiter, b'\n', b'"']);
    let mut troubles = troubles.iter().peekable();
    let mut line = first_line;
    let mut at = 0;
    let mut rows = Vec::new();
    let mut cells: Vec<(u32, u32)> = Vec::with_capacity(length / 5);
    while at < length {
        let first = cells.len();
        let Record { next, lines, mut found, broken } = plain_record(&mut marks, at, &mut cells).unwrap_or_else(|| {
            cells.truncate(first);
            let record = quoted_record(&block.text, at, delimiter, wanted, &mut cells, &mut unescaped);
            marks.go_to(record.next);
            record
        });
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

/// A record that was split.
struct Record {
    /// The position after it and its line end.
    next: usize,
    lines: u64,
    /// Cells in it.
    found: usize,
    /// Its first line alone, for a quote opens in it and does not close as it should.
    broken: bool,
}

/// Splits the record at `from`, where the marks are, when there is no quote in it.
fn plain_record(marks: &mut Marks<'_, 3>, from: usize, cells: &mut Vec<(u32, u32)>) -> Option<Record> {
    let bytes = marks.bytes;
    let mut found = 0;
    let mut begin = from;
    loop {
        let (mut end, next, last) = match marks.next() {
            Some(at) => match bytes[at] {
                b'"' => return None,
                byte => (at, at + 1, byte == b'\n'),
            },
            None => (bytes.len(), bytes.len(), true),
        };
        if last && end > begin && bytes[end - 1] == b'\r' {
            end -= 1;
        }
        found += 1;
        if found <= MOST_CELLS {
            cells.push((offset(begin), offset(end)));
        }
        if last {
            return Some(Record { next, lines: 1, found, broken: false });
        }
        begin = next;
    }
}

/// Splits the record at `at` with all that quotes can mean.
fn quoted_record(
    text: &str,
    at: usize,
    delimiter: u8,
    wanted: Option<usize>,
    cells: &mut Vec<(u32, u32)>,
    unescaped: &mut String,
) -> Record {
    if let End::At { next, lines } = record_end(text.as_bytes(), at, delimiter) {
        let (found, tailed) = fields(text, at, next, delimiter, cells, unescaped);
        // A quote that runs over lines, and then leaves the wrong number of cells or closes within a cell, was not meant
        // as one.
        if lines == 1 || !(tailed || wanted.is_some_and(|w| w != found)) {
            return Record { next, lines, found, broken: false };
        }
    }
    Record { next: line_end(text.as_bytes(), at), lines: 1, found: 0, broken: true }
}

/// Bytes looked at together: as many as a word has bits.
const LOOK: usize = 64;

/// Walks over those bytes that are one of a few. They are ASCII and not NUL.
struct Marks<'a, const N: usize> {
    bytes: &'a [u8],
    /// Each of the few, eight times.
    wanted: [u64; N],
    /// Where the bytes at hand begin.
    at: usize,
    /// A bit for each of them that is one of the few and was not handed out.
    found: u64,
}

impl<'a, const N: usize> Marks<'a, N> {
    fn new(bytes: &'a [u8], wanted: [u8; N]) -> Self {
        let mut marks = Marks { bytes, wanted: wanted.map(|byte| u64::from_le_bytes([byte; 8])), at: 0, found: 0 };
        marks.go_to(0);
        marks
    }

    /// The next one is the first at or after this position.
    fn go_to(&mut self, position: usize) {
        let within = position % LOOK;
        self.at = position - within;
        self.found = self.look() & (u64::MAX << within);
    }

    fn look(&self) -> u64 {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if let Some(bytes) = rest.first_chunk() {
            return self.look_at(bytes);
        }
        let mut bytes = [0; LOOK];
        bytes[..rest.len()].copy_from_slice(rest);
        self.look_at(&bytes)
    }

    #[inline]
    fn look_at(&self, bytes: &[u8; LOOK]) -> u64 {
        const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
        // Brings the lowest bits of eight bytes together in the highest byte.
        const TOGETHER: u64 = 0x0102_0408_1020_4080;
        let (words, _) = bytes.as_chunks();
        words.iter().rev().fold(0, |found, word| {
            let word = u64::from_le_bytes(*word);
            // A byte that equals is 0 after the exclusive or, and only then its highest bit stays 0.
            let others = self.wanted.iter().fold(u64::MAX, |others, wanted| {
                let differs = word ^ wanted;
                others & (((differs & LOW) + LOW) | differs)
            });
            let bits = ((!others & !LOW) >> 7).wrapping_mul(TOGETHER) >> 56;
            found << 8 | bits
        })
    }
}

impl<const N: usize> Iterator for Marks<'_, N> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            self.at += LOOK;
            if self.at >= self.bytes.len() {
                return None;
            }
            self.found = self.look();
        }
        let position = self.at + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(position)
    }
}

/// The lines of the bytes, without their ends.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut begin = 0;
    Marks::new(bytes, [b'\n']).chain([bytes.len()]).map(move |end| {
        let line = &bytes[begin..end];
        begin = end + 1;
        line
    })
}

/// Line ends in the bytes; counted in runs that the compiler can count sixteen at a time.
fn line_ends(bytes: &[u8]) -> u64 {
    bytes.chunks(240).map(|run| u64::from(run.iter().fold(0_u8, |n, &b| n + u8::from(b == b'\n')))).sum()
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    Marks::new(&bytes[from..], [b'\n']).next().map_or(bytes.len(), |at| from + at + 1)
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
