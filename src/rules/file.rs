//! Reads the files of a library: rule files, parameters, knowledge. Every mistake is found in one go, with its place.
//!
//! Goes in: [`Files`]. Comes out: a [`RuleSet`] or a list of [`Diagnostic`]s. Names are checked here (columns, lets,
//! knowledge, parameters, functions); types are checked when the engine compiles the rule.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::decisions::{self, Decisions};
use super::expression::{Expression, Mistake};
use super::parameters::{Parameter, Value};
use super::{
    Basis, Brought, Files, Find, Knowledge, LinesOf, Match, Part, Rank, Rolling, Rule, RuleSet, Says, Sequence, Stack,
    Status, Total, With,
};
use crate::model::{View, day};
use crate::span::{Diagnostic, nearest};

/// Folders of a library for what is done about findings: time limits and coded reasons, working days.
const PROCEDURE: [&str; 2] = ["procedure/", "calendar/"];

/// Reads a whole library.
///
/// # Errors
/// Every mistake of every file.
pub fn load(files: &Files) -> Result<RuleSet, Vec<Diagnostic>> {
    let mut set = RuleSet::default();
    let mut mistakes = Vec::new();
    let mut hash = Sha256::new();
    for (path, text) in &files.texts {
        // What is decided and done because of findings does not change them.
        if (is_code(path, "csv") || is_code(path, "toml")) && path != decisions::FILE && !is_of_procedure(path) {
            hash.update(path.as_bytes());
            hash.update([0]);
            hash.update(text.as_bytes());
            hash.update([0]);
        }
        let full = files.called(path);
        if let Some(name) = stem_in(path, "knowledge/", ".csv") {
            match Knowledge::read(name, text) {
                Ok(table) => {
                    if files.instead.contains_key(path) {
                        let (file, rows) = (full, table.rows.len());
                        let hash = hex(&Sha256::digest(text));
                        set.brought.push(Brought { table: name.to_owned(), file, rows, hash });
                    }
                    set.knowledge.insert(name.to_owned(), table);
                }
                Err(wrong) => {
                    mistakes.extend(wrong.into_iter().map(|(line, message)| at_line(&full, text, line, message)));
                }
            }
        } else if let Some(name) = stem_in(path, "parameters/", ".toml") {
            let mut reader = Reader::new(&full, text);
            if let Some(parameter) = reader.parameter(name) {
                set.parameters.insert(name.to_owned(), parameter);
            }
            mistakes.append(&mut reader.mistakes);
        }
    }
    set.hash = hex(&hash.finalize());
    for (path, text) in &files.texts {
        let family = path.split('/').next().unwrap_or_default();
        if !is_code(path, "toml")
            || !path.contains('/')
            || matches!(family, "parameters" | "knowledge" | "retired")
            || is_of_procedure(path)
        {
            continue;
        }
        let full = files.called(path);
        let mut reader = Reader::new(&full, text);
        if let Some(rule) = reader.rule(path, &set)
            && reader.mistakes.is_empty()
        {
            set.rules.push(rule);
        }
        mistakes.append(&mut reader.mistakes);
    }
    set.rules.sort_by(|a, b| a.code.cmp(&b.code));
    for pair in set.rules.windows(2) {
        if pair[0].code == pair[1].code {
            mistakes.push(Diagnostic::whole(
                &pair[1].file,
                format!("the code `{}` is already taken by `{}`", pair[1].code, pair[0].file),
            ));
        }
    }
    if let Some(text) = files.texts.get(decisions::FILE).filter(|_| mistakes.is_empty()) {
        match Decisions::read(&files.called(decisions::FILE), text, &set) {
            Ok(read) => set.decisions = read,
            Err(wrong) => mistakes.extend(wrong),
        }
    }
    if mistakes.is_empty() { Ok(set) } else { Err(mistakes) }
}

/// Whether a file of a library says how findings are dealt with, and nothing about how they are found.
fn is_of_procedure(path: &str) -> bool {
    PROCEDURE.iter().any(|folder| path.starts_with(folder))
}

/// Reads one parameter's file; `name` is its stem.
///
/// # Errors
/// Every mistake in it.
pub fn parameter(file: &str, name: &str, text: &str) -> Result<Parameter, Vec<Diagnostic>> {
    let mut reader = Reader::new(file, text);
    match reader.parameter(name) {
        Some(parameter) if reader.mistakes.is_empty() => Ok(parameter),
        _ => Err(reader.mistakes),
    }
}

fn is_code(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, e)| e == extension)
}

fn stem_in<'a>(path: &'a str, folder: &str, extension: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_suffix(extension)
}

pub(crate) fn at_line(file: &str, text: &str, line: usize, message: String) -> Diagnostic {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let length = text.get(start..).map_or(0, |rest| rest.find('\n').unwrap_or(rest.len()));
    Diagnostic::at(file, text, start..start + length, message)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

pub(super) type Entry<'a> = (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

/// Reads one file and gathers what is wrong with it.
pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) mistakes: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Reader<'a> {
        Reader { file, text, mistakes: Vec::new() }
    }

    pub(super) fn wrong(&mut self, place: Range<usize>, message: impl Into<String>, help: Option<String>) {
        let mut mistake = Diagnostic::at(self.file, self.text, place, message);
        mistake.help = help;
        self.mistakes.push(mistake);
    }

    pub(super) fn table<'t>(
        &mut self,
        table: &'t DeTable<'t>,
        known: &[&str],
        what: &str,
    ) -> BTreeMap<&'t str, Entry<'t>> {
        let mut entries: BTreeMap<&'t str, Entry<'t>> = BTreeMap::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                entries.insert(name, (key, value));
            } else {
                let help = nearest(name, known.iter().copied())
                    .map_or_else(|| format!("{what} knows: {}", known.join(", ")), |n| format!("did you mean `{n}`?"));
                self.wrong(key.span(), format!("unknown key `{name}` in {what}"), Some(help));
            }
        }
        entries
    }

    pub(super) fn parsed(&mut self) -> Spanned<DeTable<'a>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let place = error.span().unwrap_or(0..0);
            self.wrong(place, format!("not TOML: {}", error.message()), None);
        }
        table
    }

    pub(super) fn text_of(&mut self, entry: Option<&Entry<'_>>, name: &str, required: bool) -> String {
        match entry {
            None => {
                if required {
                    self.mistakes.push(Diagnostic::whole(self.file, format!("`{name}` is missing")));
                }
                String::new()
            }
            Some((_, value)) => match value.get_ref().as_str() {
                Some(text) if !text.trim().is_empty() || !required => text.trim().to_owned(),
                Some(_) => {
                    self.wrong(value.span(), format!("`{name}` is empty"), None);
                    String::new()
                }
                None => {
                    self.wrong(
                        value.span(),
                        format!("`{name}` is {}, wanted a text", value.get_ref().type_str()),
                        None,
                    );
                    String::new()
                }
            },
        }
    }

    fn texts_of(&mut self, entry: Option<&Entry<'_>>, name: &str, never_empty: Option<&str>) -> Vec<String> {
        let mut found = Vec::new();
        if let Some((_, value)) = entry {
            if let Some(list) = value.get_ref().as_array() {
                for item in list {
                    match item.get_ref().as_str() {
                        Some(text) => found.push(text.to_owned()),
                        None => self.wrong(
                            item.span(),
                            format!("`{name}` holds {}, wanted texts", item.get_ref().type_str()),
                            None,
                        ),
                    }
                }
            } else {
                self.wrong(
                    value.span(),
                    format!("`{name}` is {}, wanted a list of texts", value.get_ref().type_str()),
                    None,
                );
            }
        }
        if let Some(help) = never_empty
            && found.is_empty()
        {
            match entry {
                Some((_, value)) => self.wrong(value.span(), format!("`{name}` is empty"), Some(help.to_owned())),
                None => self.mistakes.push(Diagnostic::whole(self.file, format!("`{name}` is missing")).help(help)),
            }
        }
        found
    }

    /// A text or a list of texts, each with its place.
    pub(super) fn listed(&mut self, entry: Option<&Entry<'_>>, name: &str) -> Vec<(String, Range<usize>)> {
        let Some((_, value)) = entry else { return Vec::new() };
        let mut found = Vec::new();
        let items = match value.get_ref().as_array() {
            Some(list) => list.iter().collect(),
            None => vec![*value],
        };
        if items.is_empty() {
            self.wrong(value.span(), format!("`{name}` is empty"), None);
        }
        for item in items {
            match item.get_ref().as_str().map(str::trim) {
                Some("") => self.wrong(item.span(), format!("`{name}` has an empty text"), None),
                Some(text) => found.push((text.to_owned(), item.span())),
                None => {
                    let kind = item.get_ref().type_str();
                    let message = format!("`{name}` has {kind}, wanted a text or a list of texts");
                    let help = "codes stand in quotes, or leading zeros are lost";
                    self.wrong(item.span(), message, Some(help.to_owned()));
                }
            }
        }
        found
    }

    pub(super) fn day_of(&mut self, entry: Option<&Entry<'_>>, name: &str) -> Option<i32> {
        let (_, value) = entry?;
        let text = match value.get_ref() {
            DeValue::Datetime(date) => date.to_string(),
            DeValue::String(text) => text.to_string(),
            other => {
                self.wrong(
                    value.span(),
                    format!("`{name}` is {}, wanted a day such as 2026-03-01", other.type_str()),
                    None,
                );
                return None;
            }
        };
        let found = day::parse(&text);
        if found.is_none() {
            self.wrong(value.span(), format!("`{name}` is `{text}`, wanted a day such as 2026-03-01"), None);
        }
        found
    }

    fn number_of(&mut self, entry: Option<&Entry<'_>>, name: &str) -> Option<Decimal> {
        let (_, value) = entry?;
        let text = match value.get_ref() {
            DeValue::Integer(n) => n.as_str().replace('_', ""),
            DeValue::Float(n) => n.as_str().replace('_', ""),
            other => {
                self.wrong(value.span(), format!("`{name}` is {}, wanted a number", other.type_str()), None);
                return None;
            }
        };
        let found = text.parse().ok();
        if found.is_none() {
            self.wrong(value.span(), format!("`{name}` is `{text}`, wanted a plain decimal number"), None);
        }
        found
    }

    fn flag_of(&mut self, entry: Option<&Entry<'_>>, name: &str, otherwise: bool) -> bool {
        let Some((_, value)) = entry else { return otherwise };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(value.span(), format!("`{name}` is {}, wanted true or false", value.get_ref().type_str()), None);
            otherwise
        })
    }

    fn parameter(&mut self, stem: &str) -> Option<Parameter> {
        const KNOWN: &[&str] = &[
            "value",
            "from",
            "until",
            "region",
            "insutype",
            "level",
            "document",
            "article",
            "verified_on",
            "default",
            "note",
        ];
        let parsed = self.parsed();
        let head = self.table(parsed.get_ref(), &["name", "title", "unit", "value"], "a parameter file");
        let name = self.text_of(head.get("name"), "name", true);
        if let Some((_, value)) = head.get("name")
            && name != stem
        {
            self.wrong(value.span(), format!("`name` is `{name}`, wanted the file's stem `{stem}`"), None);
        }
        let title = self.text_of(head.get("title"), "title", true);
        let unit = self.text_of(head.get("unit"), "unit", true);
        let mut values = Vec::new();
        let Some((_, list)) = head.get("value") else {
            self.mistakes.push(
                Diagnostic::whole(self.file, "no `[[value]]`")
                    .help("a parameter has at least one value, with its source or `default = true`"),
            );
            return None;
        };
        let Some(list) = list.get_ref().as_array() else {
            self.wrong(list.span(), "`value` is not a list of tables", Some("write `[[value]]`".to_owned()));
            return None;
        };
        for item in list {
            let Some(table) = item.get_ref().as_table() else { continue };
            let entries = self.table(table, KNOWN, "a parameter's value");
            let optional = |reader: &mut Self, name: &str| {
                let text = reader.text_of(entries.get(name), name, false);
                (!text.is_empty()).then_some(text)
            };
            let value = self.number_of(entries.get("value"), "value");
            let found = Value {
                value: value.unwrap_or_default(),
                from: self.day_of(entries.get("from"), "from"),
                until: self.day_of(entries.get("until"), "until"),
                region: optional(self, "region"),
                insutype: optional(self, "insutype"),
                level: self.number_of(entries.get("level"), "level").and_then(|l| l.try_into().ok()),
                document: optional(self, "document"),
                article: optional(self, "article"),
                verified_on: self.day_of(entries.get("verified_on"), "verified_on"),
                default: self.flag_of(entries.get("default"), "default", false),
                note: optional(self, "note"),
            };
            if value.is_none() && !entries.contains_key("value") {
                self.wrong(item.span(), "a value without `value`", None);
            }
            if found.document.is_none() && !found.default {
                self.wrong(
                    item.span(),
                    "a value without a source",
                    Some("name `document` and `article`, or say `default = true` for an operator's default".to_owned()),
                );
            }
            if found.region.as_ref().is_some_and(|r| r.len() != 6 || !r.bytes().all(|b| b.is_ascii_digit())) {
                self.wrong(
                    item.span(),
                    "`region` is not six digits",
                    Some("county 340602, city 340600, province 340000".to_owned()),
                );
            }
            values.push(found);
        }
        Some(Parameter { name, title, unit, values })
    }

    #[expect(clippy::too_many_lines, reason = "a paragraph a key of the head")]
    fn rule(&mut self, path: &str, set: &RuleSet) -> Option<Rule> {
        const HEAD: &[&str] = &[
            "code",
            "version",
            "name",
            "title",
            "title_en",
            "status",
            "result",
            "severity",
            "stages",
            "national",
            "since",
            "in_force",
            "why",
            "basis",
            "may_be_right_when",
            "blind_spots",
            "reads",
            "find",
            "says",
        ];
        let parsed = self.parsed();
        if !self.mistakes.is_empty() {
            return None;
        }
        let head = self.table(parsed.get_ref(), HEAD, "a rule");
        let code = self.text_of(head.get("code"), "code", true);
        if let Some((_, value)) = head.get("code")
            && (code.len() != 6
                || !code.bytes().take(3).all(|b| b.is_ascii_uppercase())
                || !code.bytes().skip(3).all(|b| b.is_ascii_digit()))
        {
            self.wrong(
                value.span(),
                format!("`code` is `{code}`, wanted three capitals and three digits"),
                Some("for example BIL103".to_owned()),
            );
        }
        let version = self.version(head.get("version"));
        let name = self.text_of(head.get("name"), "name", true);
        let stem = path.rsplit('/').next().and_then(|f| f.strip_suffix(".toml")).unwrap_or_default();
        if let Some((_, value)) = head.get("name")
            && name != stem
        {
            self.wrong(value.span(), format!("`name` is `{name}`, wanted the file's stem `{stem}`"), None);
        }
        let title = self.text_of(head.get("title"), "title", true);
        let title_en = self.text_of(head.get("title_en"), "title_en", true);
        let status = match self.one_of(head.get("status"), "status", &["draft", "trial", "stable", "retired"]).as_str()
        {
            "draft" => Status::Draft,
            "trial" => Status::Trial,
            "retired" => Status::Retired,
            _ => Status::Stable,
        };
        let result = self.one_of(head.get("result"), "result", &["明确违规", "可疑"]);
        let severity = self.one_of(head.get("severity"), "severity", &["high", "medium", "low"]);
        let stages = self.texts_of(head.get("stages"), "stages", Some("one or more of 前, 中, 后"));
        if let Some((_, value)) = head.get("stages")
            && let Some(stage) = stages.iter().find(|s| !["前", "中", "后"].contains(&s.as_str()))
        {
            self.wrong(value.span(), format!("unknown stage `{stage}`"), Some("stages are 前, 中, 后".to_owned()));
        }
        let mut national = Vec::new();
        if let Some((_, value)) = head.get("national")
            && let Some(list) = value.get_ref().as_array()
        {
            for item in list {
                match item.get_ref().as_integer().and_then(|n| n.as_str().parse().ok()) {
                    Some(number) => national.push(number),
                    None => self.wrong(item.span(), "`national` holds numbers of the national list", None),
                }
            }
        }
        let since = self.day_of(head.get("since"), "since");
        let in_force = self.period(head.get("in_force"));
        let why = self.text_of(head.get("why"), "why", true);
        let basis = self.basis(head.get("basis"));
        let may_be_right_when = self.texts_of(
            head.get("may_be_right_when"),
            "may_be_right_when",
            Some("never empty: say when the charge may be right"),
        );
        let blind_spots =
            self.texts_of(head.get("blind_spots"), "blind_spots", Some("never empty: say what the rule cannot see"));
        let reads = self.texts_of(head.get("reads"), "reads", None);
        let find = if let Some((table, place)) =
            head.get("find").and_then(|(_, v)| v.get_ref().as_table().map(|t| (t, v.span())))
        {
            self.find(table, place, set)
        } else {
            self.mistakes.push(Diagnostic::whole(self.file, "`[find]` is missing"));
            None
        };
        let scope = find.as_ref().map(|(_, scope)| scope);
        let says = if let Some(table) = head.get("says").and_then(|(_, v)| v.get_ref().as_table()) {
            scope.map(|scope| self.says(table, scope))
        } else {
            self.mistakes.push(Diagnostic::whole(self.file, "`[says]` is missing"));
            None
        };
        Some(Rule {
            code,
            version,
            name,
            title,
            title_en,
            status,
            result,
            severity,
            stages,
            national,
            since,
            in_force,
            why,
            basis,
            may_be_right_when,
            blind_spots,
            reads,
            find: find?.0,
            says: says?,
            file: self.file.to_owned(),
            source: self.text.to_owned(),
            hash: hex(&Sha256::digest(self.text.as_bytes())),
        })
    }

    fn version(&mut self, entry: Option<&Entry<'_>>) -> u32 {
        let Some((_, value)) = entry else { return 1 };
        let found = value.get_ref().as_integer().and_then(|n| n.as_str().parse().ok()).filter(|n| *n > 0);
        found.unwrap_or_else(|| {
            self.wrong(
                value.span(),
                "`version` is not a whole number from 1 on",
                Some("for example version = 2".to_owned()),
            );
            1
        })
    }

    fn one_of(&mut self, entry: Option<&Entry<'_>>, name: &str, known: &[&str]) -> String {
        let found = self.text_of(entry, name, true);
        if let Some((_, value)) = entry
            && !found.is_empty()
            && !known.contains(&found.as_str())
        {
            self.wrong(value.span(), format!("`{name}` is `{found}`"), Some(format!("one of {}", known.join(", "))));
        }
        found
    }

    fn period(&mut self, entry: Option<&Entry<'_>>) -> (Option<i32>, Option<i32>) {
        let text = self.text_of(entry, "in_force", false);
        if text.is_empty() {
            return (None, None);
        }
        let read = |part: &str| if part.is_empty() { Some(None) } else { day::parse(part).map(Some) };
        if let Some((from, until)) = text.split_once("..")
            && let (Some(from), Some(until)) = (read(from.trim()), read(until.trim()))
        {
            return (from, until);
        }
        if let Some((_, value)) = entry {
            self.wrong(
                value.span(),
                format!("`in_force` is `{text}`"),
                Some("for example 2021-05-01.. or 2023-01-01..2025-12-31".to_owned()),
            );
        }
        (None, None)
    }

    fn basis(&mut self, entry: Option<&Entry<'_>>) -> Vec<Basis> {
        let mut found = Vec::new();
        if let Some((_, value)) = entry
            && let Some(list) = value.get_ref().as_array()
        {
            for item in list {
                if let Some(table) = item.get_ref().as_table() {
                    let entries = self.table(table, &["law", "article"], "a basis");
                    found.push(Basis {
                        law: self.text_of(entries.get("law"), "law", true),
                        article: self.text_of(entries.get("article"), "article", true),
                    });
                } else {
                    self.wrong(item.span(), "a basis is a table with `law` and `article`", None);
                }
            }
        }
        if found.is_empty() {
            self.mistakes
                .push(Diagnostic::whole(self.file, "`basis` is missing").help("a finding names law and article"));
        }
        found
    }

    /// The text of an expression and where its characters stand in the file.
    fn expression(&mut self, value: &Spanned<DeValue<'_>>, name: &str) -> Option<Expression> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong(
                value.span(),
                format!("`{name}` is {}, wanted an expression in quotes", value.get_ref().type_str()),
                None,
            );
            return None;
        };
        let span = value.span();
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
            if raw.as_bytes().get(3) == Some(&b'\n') { 4 } else { 3 }
        } else {
            1
        };
        let place = span.start + quotes..(span.start + quotes + text.len()).min(span.end);
        match Expression::parse(text, place) {
            Ok(expression) => Some(expression),
            Err(mistakes) => {
                for Mistake { place, message, help } in mistakes {
                    self.wrong(place, message, help);
                }
                None
            }
        }
    }

    fn named_expressions(&mut self, entry: Option<&Entry<'_>>, what: &str) -> Vec<(String, Expression)> {
        let Some((_, value)) = entry else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(
                value.span(),
                format!("`{what}` is {}, wanted a table of names and expressions", value.get_ref().type_str()),
                None,
            );
            return Vec::new();
        };
        table
            .iter()
            .filter_map(|(key, value)| self.expression(value, what).map(|e| (key.get_ref().to_string(), e)))
            .collect()
    }

    fn expressions(&mut self, entry: Option<&Entry<'_>>, what: &str) -> Vec<Expression> {
        let Some((_, value)) = entry else { return Vec::new() };
        match value.get_ref().as_array() {
            Some(list) => list.iter().filter_map(|item| self.expression(item, what)).collect(),
            None => self.expression(value, what).into_iter().collect(),
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one paragraph a word of the language, in the order in which they are applied"
    )]
    fn find(&mut self, table: &DeTable<'_>, place: Range<usize>, set: &RuleSet) -> Option<(Find, Scope)> {
        const WORDS: &[&str] = &[
            "in",
            "with",
            "let",
            "about",
            "needs",
            "totals",
            "match",
            "sequence",
            "per",
            "measure",
            "unless",
            "not_evaluated_when",
            "where",
            "violating",
            "involved",
            "lines_of",
            "amount",
            "fund_money",
            "key",
        ];
        let words = self.table(table, WORDS, "[find]");
        let view_name = self.text_of(words.get("in"), "in", true);
        let Some(view) = View::named(&view_name) else {
            if let Some((_, value)) = words.get("in") {
                let names = View::ALL.map(View::name);
                let help = nearest(&view_name, names)
                    .map_or_else(|| format!("views are {}", names.join(", ")), |n| format!("did you mean `{n}`?"));
                self.wrong(
                    value.span(),
                    format!("unknown view `{view_name}`: a rule reads a view of the model and nothing else"),
                    Some(help),
                );
            }
            return None;
        };
        let mut scope = Scope {
            names: view.columns().keys().cloned().collect(),
            parameters: set.parameters.keys().cloned().collect(),
        };
        let with = self.with(words.get("with"), view, set, &mut scope);
        let lets = self.named_expressions(words.get("let"), "let");
        let totals = self.totals(words.get("totals"), &mut scope);
        let matches = self.matches(words.get("match"), view, &mut scope);
        let sequence = words.get("sequence").and_then(|entry| self.sequence(entry, &mut scope));
        scope.names.extend(lets.iter().map(|(name, _)| name.clone()));
        let per =
            self.expressions(words.get("per"), "per").into_iter().map(|e| (last_word(&e.text), e)).collect::<Vec<_>>();
        let measure = self.named_expressions(words.get("measure"), "measure");
        let about = words.get("about").and_then(|(_, v)| self.expression(v, "about"));
        let needs = self.expressions(words.get("needs"), "needs");
        let unless = self.expressions(words.get("unless"), "unless");
        let mut not_evaluated_when = Vec::new();
        if let Some((_, value)) = words.get("not_evaluated_when")
            && let Some(list) = value.get_ref().as_array()
        {
            for item in list {
                if let Some(table) = item.get_ref().as_table() {
                    let entries = self.table(table, &["when", "why"], "not_evaluated_when");
                    let why = self.text_of(entries.get("why"), "why", true);
                    if let Some(when) = entries.get("when").and_then(|(_, v)| self.expression(v, "when")) {
                        not_evaluated_when.push((when, why));
                    }
                }
            }
        }
        scope.names.extend(measure.iter().map(|(name, _)| name.clone()));
        // The names of rows and groups are all known now; a let is replaced where it is used, so it may speak of measures.
        let own = lets
            .iter()
            .map(|(_, e)| e)
            .chain(&about)
            .chain(per.iter().map(|(_, e)| e))
            .chain(measure.iter().map(|(_, e)| e));
        for expression in own.chain(&needs) {
            self.known(expression, &scope);
        }
        for expression in totals.iter().flat_map(|t| t.per.iter().chain(t.measure.iter().map(|(_, e)| e))) {
            self.known(expression, &scope);
        }
        if let Some(sequence) = &sequence {
            let rolling = sequence.rolling.iter().flat_map(|r| [&r.sum, &r.day, &r.days]);
            let rank = sequence.rank.iter().map(|r| &r.of);
            for expression in sequence.per.iter().chain(&sequence.by).chain(rolling).chain(rank) {
                self.known(expression, &scope);
                self.no_measures(expression, "`sequence`");
            }
        }
        for (_, expression) in &lets {
            self.no_measures(expression, "let");
        }
        for found in &matches {
            let mut with_other = scope.clone();
            with_other.names.extend(found.view.columns().keys().map(|c| format!("{}.{c}", found.name)));
            self.known(&found.when, &with_other);
            if let Some(days) = &found.look_back_days {
                self.known(days, &scope);
            }
        }
        for (name, expression) in &measure {
            if per.is_empty() {
                self.wrong(
                    expression.place.clone(),
                    format!("the measure `{name}` needs groups"),
                    Some("add `per = […]`".to_owned()),
                );
            }
        }
        scope.names.insert("nth_in_group".to_owned());
        let condition = if let Some((_, value)) = words.get("where") {
            self.expression(value, "where")
        } else {
            self.wrong(
                place.clone(),
                "`where` is missing",
                Some("the condition under which a row or group is a violation".to_owned()),
            );
            None
        };
        let amount = if let Some((_, value)) = words.get("amount") {
            self.expression(value, "amount")
        } else {
            self.wrong(place, "`amount` is missing", Some("the money at stake, for example `inscp_amt`".to_owned()));
            None
        };
        let violating = words.get("violating").and_then(|(_, v)| self.expression(v, "violating"));
        let involved = words.get("involved").and_then(|(_, v)| self.expression(v, "involved"));
        let lines_of = words.get("lines_of").and_then(|(_, value)| {
            let table = value.get_ref().as_table()?;
            let entries = self.table(table, &["stay", "settlement", "encounter"], "lines_of");
            let (name, (_, value)) = entries.into_iter().next()?;
            let whose = match name {
                "stay" => LinesOf::Stay,
                "settlement" => LinesOf::Settlement,
                _ => LinesOf::Encounter,
            };
            self.expression(value, "lines_of").map(|e| (whose, e))
        });
        let fund_money = self.flag_of(words.get("fund_money"), "fund_money", true);
        let mut key = self.named_expressions(words.get("key"), "key");
        let later = unless
            .iter()
            .chain(&condition)
            .chain(&amount)
            .chain(&violating)
            .chain(&involved)
            .chain(lines_of.iter().map(|(_, e)| e));
        for expression in later.chain(key.iter().map(|(_, e)| e)).chain(not_evaluated_when.iter().map(|(e, _)| e)) {
            self.known(expression, &scope);
            self.no_measures(expression, "this place");
        }
        if key.is_empty() {
            key = if per.is_empty() {
                view.key()
                    .iter()
                    .filter_map(|c| Expression::parse(c, 0..c.len()).ok().map(|e| ((*c).to_owned(), e)))
                    .collect()
            } else {
                per.clone()
            };
        }
        let find = Find {
            view,
            with,
            lets,
            about,
            needs,
            totals,
            matches,
            sequence,
            per,
            measure,
            unless,
            not_evaluated_when,
            condition: condition?,
            violating,
            involved,
            lines_of,
            amount: amount?,
            fund_money,
            key,
        };
        Some((find, scope))
    }

    fn with(&mut self, entry: Option<&Entry<'_>>, view: View, set: &RuleSet, scope: &mut Scope) -> Vec<With> {
        let mut found = Vec::new();
        let Some((_, value)) = entry else { return found };
        let Some(tables) = value.get_ref().as_table() else {
            self.wrong(
                value.span(),
                "`with` is not a table",
                Some("for example with = { cap = \"daily_cap\" }".to_owned()),
            );
            return found;
        };
        for (key, value) in tables {
            let name = key.get_ref().to_string();
            let mut with = With {
                name: name.clone(),
                table: String::new(),
                by: String::new(),
                optional: false,
                region: None,
                level: None,
                other_side: None,
                column: None,
                same: Vec::new(),
            };
            let mut place = value.span();
            if let Some(table) = value.get_ref().as_str() {
                table.clone_into(&mut with.table);
            } else if let Some(table) = value.get_ref().as_table() {
                let entries = self.table(
                    table,
                    &["table", "by", "optional", "region", "level", "sides", "column", "same"],
                    "with",
                );
                if let Some((_, value)) = entries.get("table") {
                    place = value.span();
                }
                with.table = self.text_of(entries.get("table"), "table", true);
                with.by = self.text_of(entries.get("by"), "by", false);
                with.optional = self.flag_of(entries.get("optional"), "optional", false);
                for (word, column) in [("region", &mut with.region), ("level", &mut with.level)] {
                    let text = self.text_of(entries.get(word), word, false);
                    *column = (!text.is_empty()).then_some(text);
                }
                with.other_side = self.texts_of(entries.get("sides"), "sides", None).pop();
                with.same = self.texts_of(entries.get("same"), "same", None);
                let column = self.text_of(entries.get("column"), "column", false);
                with.column = (!column.is_empty()).then_some(column);
            }
            if with.by.is_empty() {
                view.code_column().unwrap_or_default().clone_into(&mut with.by);
            }
            for column in std::iter::once(&with.by).chain(&with.region).chain(&with.level).chain(&with.same) {
                if !view.columns().contains_key(column) {
                    let help = nearest(column, view.columns().keys().map(String::as_str))
                        .map(|n| format!("did you mean `{n}`?"));
                    self.wrong(value.span(), format!("the view `{}` has no column `{column}`", view.name()), help);
                }
            }
            if let Some(knowledge) = set.knowledge.get(&with.table) {
                for column in ["code", "found"].into_iter().chain(knowledge.columns.iter().map(String::as_str)) {
                    scope.names.insert(format!("{name}.{column}"));
                }
                if let Some(side) = &with.other_side {
                    scope.names.insert(format!("{name}.side"));
                    if knowledge.position(side).is_none() {
                        self.wrong(
                            value.span(),
                            format!("the knowledge table `{}` has no column `{side}`", with.table),
                            None,
                        );
                    }
                }
            } else {
                let help = nearest(&with.table, set.knowledge.keys().map(String::as_str)).map_or_else(
                    || {
                        format!(
                            "tables are {}",
                            set.knowledge.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
                        )
                    },
                    |n| format!("did you mean `{n}`?"),
                );
                self.wrong(
                    place,
                    format!(
                        "unknown knowledge table `{}`: a rule reaches no table but those of `audit_rules/knowledge`",
                        with.table
                    ),
                    Some(help),
                );
            }
            found.push(with);
        }
        found
    }

    fn matches(&mut self, entry: Option<&Entry<'_>>, view: View, scope: &mut Scope) -> Vec<Match> {
        let mut found = Vec::new();
        let Some((_, value)) = entry else { return found };
        let Some(tables) = value.get_ref().as_table() else {
            self.wrong(value.span(), "`match` is not a table", None);
            return found;
        };
        for (key, value) in tables {
            let name = key.get_ref().to_string();
            let Some(table) = value.get_ref().as_table() else {
                self.wrong(value.span(), format!("the match `{name}` is not a table"), None);
                continue;
            };
            let entries = self.table(table, &["in", "on", "when", "keep", "look_back_days"], "match");
            let other = self.text_of(entries.get("in"), "in", true);
            let Some(other_view) = View::named(&other) else {
                self.wrong(
                    value.span(),
                    format!("unknown view `{other}`"),
                    Some(format!("views are {}", View::ALL.map(View::name).join(", "))),
                );
                continue;
            };
            let mut on = self.texts_of(entries.get("on"), "on", None);
            if !on.iter().any(|c| c == "psn_no") {
                on.insert(0, "psn_no".to_owned());
            }
            for column in &on {
                if !view.columns().contains_key(column) || !other_view.columns().contains_key(column) {
                    self.wrong(
                        value.span(),
                        format!("`on` names `{column}`, which `{}` or `{other}` lacks", view.name()),
                        None,
                    );
                }
            }
            let each = match self.text_of(entries.get("keep"), "keep", false).as_str() {
                "each" => true,
                "found" | "" => false,
                other => {
                    self.wrong(value.span(), format!("`keep` is `{other}`"), Some("found or each".to_owned()));
                    false
                }
            };
            let when = entries.get("when").and_then(|(_, v)| self.expression(v, "when"));
            let look_back_days = entries.get("look_back_days").and_then(|(_, v)| self.expression(v, "look_back_days"));
            scope.names.extend(other_view.columns().keys().map(|c| format!("{name}.{c}")));
            scope.names.insert(format!("{name}.found"));
            let Some(when) = when else {
                self.wrong(value.span(), format!("the match `{name}` has no `when`"), None);
                continue;
            };
            found.push(Match { name, view: other_view, on, when, each, look_back_days });
        }
        found
    }

    fn sequence(&mut self, entry: &Entry<'_>, scope: &mut Scope) -> Option<Sequence> {
        const WORDS: &[&str] = &["per", "by", "previous", "first", "stack", "rank", "rolling"];
        let (_, value) = entry;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(value.span(), "`sequence` is not a table", None);
            return None;
        };
        let entries = self.table(table, WORDS, "sequence");
        let per = self.expressions(entries.get("per"), "per");
        let by = self.expressions(entries.get("by"), "by");
        if per.is_empty() || by.is_empty() {
            self.wrong(
                value.span(),
                "a sequence needs `per` and `by`",
                Some("what rows belong together, and in which order they come".to_owned()),
            );
        }
        let previous = self.texts_of(entries.get("previous"), "previous", None);
        let first = self.texts_of(entries.get("first"), "first", None);
        let stack = entries.get("stack").and_then(|(_, v)| v.get_ref().as_table()).map(|table| {
            let entries = self.table(table, &["name", "from", "days"], "stack");
            Stack {
                name: self.text_of(entries.get("name"), "name", true),
                from: self.text_of(entries.get("from"), "from", true),
                days: self.text_of(entries.get("days"), "days", true),
            }
        });
        let rank = entries.get("rank").and_then(|(_, v)| v.get_ref().as_table()).and_then(|table| {
            let entries = self.table(table, &["name", "of"], "rank");
            let name = self.text_of(entries.get("name"), "name", true);
            let of = entries.get("of").and_then(|(_, v)| self.expression(v, "of"))?;
            Some(Rank { name, of })
        });
        let rolling = entries.get("rolling").and_then(|(_, v)| v.get_ref().as_table()).and_then(|table| {
            let entries = self.table(table, &["name", "sum", "day", "days"], "rolling");
            let name = self.text_of(entries.get("name"), "name", true);
            let mut part = |word: &str| entries.get(word).and_then(|(_, v)| self.expression(v, word));
            let (sum, day, days) = (part("sum"), part("day"), part("days"));
            Some(Rolling { name, sum: sum?, day: day?, days: days? })
        });
        for column in previous.iter().chain(&first).chain(stack.iter().flat_map(|s| [&s.from, &s.days])) {
            if !scope.names.contains(column) {
                let help =
                    nearest(column, scope.names.iter().map(String::as_str)).map(|n| format!("did you mean `{n}`?"));
                self.wrong(value.span(), format!("unknown column `{column}`"), help);
            }
        }
        scope.names.extend(previous.iter().map(|c| format!("previous.{c}")));
        scope.names.extend(first.iter().map(|c| format!("first.{c}")));
        scope.names.extend(["previous.found".to_owned(), "nth".to_owned()]);
        scope.names.extend(stack.iter().map(|s| s.name.clone()));
        scope.names.extend(rank.iter().map(|r| r.name.clone()));
        scope.names.extend(rolling.iter().map(|r| r.name.clone()));
        Some(Sequence { per, by, previous, first, stack, rank, rolling })
    }

    fn totals(&mut self, entry: Option<&Entry<'_>>, scope: &mut Scope) -> Vec<Total> {
        let mut found = Vec::new();
        let Some((_, value)) = entry else { return found };
        let Some(tables) = value.get_ref().as_table() else {
            self.wrong(value.span(), "`totals` is not a table", None);
            return found;
        };
        for (key, value) in tables {
            let name = key.get_ref().to_string();
            let Some(table) = value.get_ref().as_table() else {
                self.wrong(value.span(), format!("the total `{name}` is not a table"), None);
                continue;
            };
            let mut total = Total { name: name.clone(), per: Vec::new(), measure: Vec::new() };
            for (key, value) in table {
                if key.get_ref() == "per" {
                    total.per = match value.get_ref().as_array() {
                        Some(list) => list.iter().filter_map(|item| self.expression(item, "per")).collect(),
                        None => self.expression(value, "per").into_iter().collect(),
                    };
                } else if let Some(expression) = self.expression(value, "totals") {
                    let column = key.get_ref().to_string();
                    scope.names.insert(format!("{name}.{column}"));
                    total.measure.push((column, expression));
                }
            }
            if total.per.is_empty() || total.measure.is_empty() {
                self.wrong(value.span(), format!("the total `{name}` needs `per` and a measure"), None);
            }
            found.push(total);
        }
        found
    }

    fn says(&mut self, table: &DeTable<'_>, scope: &Scope) -> Says {
        let words = self.table(table, &["finding", "evidence", "severity", "result"], "[says]");
        let mut finding = Vec::new();
        if let Some((_, value)) = words.get("finding") {
            let text = self.text_of(words.get("finding"), "finding", true);
            let start = value.span().start;
            let mut rest = text.as_str();
            while let Some(open) = rest.find('{') {
                if open > 0 {
                    finding.push(Part::Text(rest[..open].to_owned()));
                }
                let Some(close) = rest[open..].find('}') else {
                    self.wrong(value.span(), "a `{` without `}`", None);
                    break;
                };
                let inner = &rest[open + 1..open + close];
                let place = self.text[start..]
                    .find(&format!("{{{inner}}}"))
                    .map_or(value.span(), |at| start + at + 1..start + at + 1 + inner.len());
                match Expression::parse(inner, place) {
                    Ok(expression) => {
                        self.known(&expression, scope);
                        finding.push(Part::Value(Box::new(expression)));
                    }
                    Err(mistakes) => {
                        for Mistake { place, message, help } in mistakes {
                            self.wrong(place, message, help);
                        }
                    }
                }
                rest = &rest[open + close + 1..];
            }
            if !rest.is_empty() {
                finding.push(Part::Text(rest.to_owned()));
            }
        } else {
            self.mistakes.push(Diagnostic::whole(self.file, "`finding` is missing in `[says]`"));
        }
        let evidence: Vec<(String, Expression)> =
            self.expressions(words.get("evidence"), "evidence").into_iter().map(|e| (e.text.clone(), e)).collect();
        let severity = words.get("severity").and_then(|(_, v)| self.expression(v, "severity"));
        let result = words.get("result").and_then(|(_, v)| self.expression(v, "result"));
        for expression in evidence.iter().map(|(_, e)| e).chain(&severity).chain(&result) {
            self.known(expression, scope);
        }
        Says { finding, evidence, severity, result }
    }

    fn no_measures(&mut self, expression: &Expression, here: &str) {
        if expression.measures {
            self.wrong(
                expression.place.clone(),
                format!("a function of groups stands in {here}"),
                Some("give it a name in `measure` and use the name".to_owned()),
            );
        }
    }

    /// Every name an expression uses exists.
    fn known(&mut self, expression: &Expression, scope: &Scope) {
        for (name, place) in &expression.names {
            if let Some(parameter) = name.strip_prefix('$') {
                if !scope.parameters.contains(parameter) {
                    let help = nearest(parameter, scope.parameters.iter().map(String::as_str)).map_or_else(
                        || format!("add `parameters/{parameter}.toml`"),
                        |n| format!("did you mean `${n}`?"),
                    );
                    self.wrong(place.clone(), format!("unknown parameter `{name}`"), Some(help));
                }
            } else if !scope.names.contains(name) {
                let help =
                    nearest(name, scope.names.iter().map(String::as_str)).map(|n| format!("did you mean `{n}`?"));
                self.wrong(place.clone(), format!("unknown column `{name}`"), help);
            }
        }
    }
}

/// Names that an expression may use.
#[derive(Clone)]
struct Scope {
    names: BTreeSet<String>,
    parameters: BTreeSet<String>,
}

/// `point` of `cap.point`.
fn last_word(text: &str) -> String {
    text.rsplit('.').next().unwrap_or(text).trim().to_owned()
}
