//! A rule as an essay, for a terminal, a repository or a browser: the same words in the same order.
//!
//! Goes in: an [`Essay`]. Comes out: text, Markdown or a page that needs nothing else. Deliberately unknown here: where the
//! words come from. To add a form: a function beside [`Essay::markdown`].

use std::fmt::Write as _;

use super::markup::Markup;

/// What is said of a rule.
#[derive(Debug, Clone, Default)]
pub struct Essay {
    /// Code, Chinese title, name.
    pub heading: String,
    pub heading_en: String,
    /// Name and value: 结果 明确违规.
    pub facts: Vec<(String, String)>,
    /// Where the rule stands in the national list; empty: not listed there.
    pub national: String,
    pub why: String,
    /// Heading and items; a section without items is not shown.
    pub sections: Vec<(String, Vec<String>)>,
    /// Expressions and file: name and value.
    pub end: Vec<(String, String)>,
}

const SHEET: &str = "body { max-width: 46em; margin: 3em auto; padding: 0 1em; color: #1b2329; font: 16px/1.7 \"Noto Sans CJK SC\", \"Source Han Sans SC\", \"PingFang SC\", \"Microsoft YaHei\", sans-serif; } h1 { font-size: 1.5em; line-height: 1.3; margin: 0; } h2 { font-size: 1.05em; margin: 1.6em 0 .3em; } p { margin: .4em 0; } ul { margin: 0; padding-left: 1.3em; } .en, .facts { color: #5b6770; } code { font-size: .9em; background: #f4f6f8; padding: .1em .3em; }";

impl Essay {
    fn shown(&self) -> impl Iterator<Item = &(String, Vec<String>)> {
        self.sections.iter().filter(|(_, items)| !items.is_empty())
    }

    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let facts: Vec<String> = self.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let mut text = format!("{}\n{}\n\n{}\n", self.heading, self.heading_en, facts.join("   "));
        if !self.national.is_empty() {
            let _ = writeln!(text, "{}", self.national);
        }
        let _ = writeln!(text, "\n{}\n", self.why);
        for (heading, items) in self.shown() {
            let _ = writeln!(text, "{heading}");
            for item in items {
                let _ = writeln!(text, "  · {item}");
            }
            text.push('\n');
        }
        for (name, value) in &self.end {
            let _ = writeln!(text, "{name}  {value}");
        }
        text
    }

    /// For a repository.
    #[must_use]
    pub fn markdown(&self) -> String {
        let facts: Vec<String> =
            self.facts.iter().map(|(name, value)| format!("{name} **{}**", plain(value))).collect();
        let mut text = format!("# {}\n\n{}\n\n{}\n", plain(&self.heading), plain(&self.heading_en), facts.join(" · "));
        if !self.national.is_empty() {
            let _ = write!(text, "\n{}\n", self.national);
        }
        let _ = write!(text, "\n{}\n", plain(&self.why));
        for (heading, items) in self.shown() {
            let _ = write!(text, "\n## {heading}\n\n");
            for item in items {
                let _ = writeln!(text, "- {}", plain(item));
            }
        }
        text.push('\n');
        for (name, value) in &self.end {
            let _ = writeln!(text, "- {name}: `{value}`");
        }
        text
    }

    /// For a browser: one page, no network.
    #[must_use]
    pub fn html(&self) -> String {
        let mut page = Markup::default();
        page.doctype();
        page.element("html", &[("lang", "zh-CN")], |page| {
            page.element("head", &[], |page| {
                page.void("meta", &[("charset", "utf-8")]);
                page.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
                page.leaf("title", &[], &self.heading);
                page.style(SHEET);
            });
            page.line();
            page.element("body", &[], |page| self.body(page));
        });
        page.line();
        page.finish()
    }

    fn body(&self, page: &mut Markup) {
        page.leaf("h1", &[], &self.heading);
        page.leaf("p", &[("class", "en")], &self.heading_en);
        let mut facts: Vec<String> = self.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
        if !self.national.is_empty() {
            facts.push(self.national.clone());
        }
        page.leaf("p", &[("class", "facts")], &facts.join(" · "));
        page.line();
        for paragraph in self.why.lines().filter(|l| !l.trim().is_empty()) {
            page.leaf("p", &[], paragraph);
        }
        for (heading, items) in self.shown() {
            page.line();
            page.leaf("h2", &[], heading);
            page.element("ul", &[], |page| {
                for item in items {
                    page.leaf("li", &[], item);
                }
            });
        }
        for (name, value) in &self.end {
            page.line();
            page.element("p", &[], |page| {
                page.text(&format!("{name} "));
                page.leaf("code", &[], value);
            });
        }
    }
}

/// Text that Markdown reads as text.
fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if matches!(c, '\\' | '`' | '*' | '_' | '<' | '[' | ']' | '|') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
