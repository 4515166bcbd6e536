//! Where a thing was written, and what is wrong with it: file, line, column, a caret under the place, a suggestion.
//!
//! Goes in: the text of a file and a byte range of it. Comes out: a [`Diagnostic`] that prints itself the way a compiler
//! does. Deliberately unknown here: what the text means.

use std::fmt;
use std::ops::Range;

/// One mistake in a file that people write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Path as it was given.
    pub file: String,
    /// 1-based; 0 when the mistake concerns the whole file.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// Characters under the caret.
    pub width: usize,
    /// The line as it stands in the file.
    pub source: String,
    /// What is wrong.
    pub message: String,
    /// What to try.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake at a byte range of `text`.
    #[must_use]
    pub fn at(file: &str, text: &str, range: Range<usize>, message: impl Into<String>) -> Diagnostic {
        let start = floor_char(text, range.start.min(text.len()));
        let end = floor_char(text, range.end.clamp(start, text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        Diagnostic {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: text[start..end.min(line_end)].chars().count().max(1),
            source: text[line_start..line_end].trim_end_matches('\r').to_owned(),
            message: message.into(),
            help: None,
        }
    }

    /// A mistake of the file as a whole.
    #[must_use]
    pub fn whole(file: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: file.to_owned(),
            line: 0,
            column: 0,
            width: 0,
            source: String::new(),
            message: message.into(),
            help: None,
        }
    }

    /// The same with a suggestion.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

fn floor_char(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        if self.line == 0 {
            write!(f, "  --> {}", self.file)?;
        } else {
            let gutter = self.line.to_string().len();
            writeln!(f, "{:gutter$}--> {}:{}:{}", "", self.file, self.line, self.column)?;
            writeln!(f, "{:gutter$} |", "")?;
            writeln!(f, "{} | {}", self.line, self.source)?;
            // Wide characters take two cells on a terminal; the caret follows them.
            let before: usize = self.source.chars().take(self.column - 1).map(cells).sum();
            let under: usize = self.source.chars().skip(self.column - 1).take(self.width).map(cells).sum();
            write!(f, "{:gutter$} | {:before$}{}", "", "", "^".repeat(under.max(1)))?;
        }
        if let Some(help) = &self.help {
            let gutter = self.line.to_string().len();
            write!(f, "\n{:gutter$} = help: {help}", "")?;
        }
        Ok(())
    }
}

/// Terminal cells that a character takes: two for East Asian wide ones.
#[must_use]
pub fn cells(c: char) -> usize {
    match u32::from(c) {
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE4F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6 => 2,
        _ => 1,
    }
}

/// The known name nearest to a mistyped one, when it is near enough to be meant.
#[must_use]
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near(typed, known).first().copied()
}

/// The known names near enough to a mistyped one to be meant, the nearest first; three at most.
#[must_use]
pub fn near<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (typed.chars().count() / 3).max(2);
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}
