//! `rules new`: a rule that nobody has written yet, with its case book. It is a draft that never fires, so the library stays
//! sound while its keeper fills it in.
//!
//! Goes in: family, name, code, title. Comes out: two files, none of which existed. Not known here: what the rule will find.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Error, library};
use crate::model::day;

/// Folder of each family and the letters of its codes.
pub const FAMILIES: [(&str, &str); 7] = [
    ("ratios", "RAT"),
    ("medication", "MED"),
    ("scope", "SCP"),
    ("billing", "BIL"),
    ("stays", "STY"),
    ("identity", "IDN"),
    ("records", "REC"),
];

/// What the new rule is called and where it goes.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `billing/oxygen-over-stay`.
    pub place: String,
    pub code: String,
    pub title: String,
    /// None: to be written.
    pub title_en: Option<String>,
    /// The day from which the rule is in the library.
    pub since: Option<i32>,
    /// Folder of the rule library.
    pub rules: PathBuf,
    /// Folder of the case books.
    pub books: PathBuf,
}

/// Writes the rule and its book, and returns their paths.
///
/// # Errors
/// A name, family or code that cannot be, or is taken; a file that exists; a disk that says no.
pub fn new(options: &Options) -> Result<(PathBuf, PathBuf), Error> {
    let (family, name) = options.place.split_once('/').ok_or_else(|| {
        Error::Usage(format!(
            "`{}` is no place for a rule: wanted FAMILY/NAME, such as billing/oxygen-over-stay",
            options.place
        ))
    })?;
    check(options, family, name)?;
    let rule = options.rules.join(family).join(format!("{name}.toml"));
    let book = options.books.join(family).join(format!("{name}.md"));
    for file in [&rule, &book] {
        if file.exists() {
            return Err(Error::Usage(format!("`{}` exists: take another name, or edit it", file.display())));
        }
    }
    write(&rule, &rule_text(options, name))?;
    write(&book, &book_text(options, name))?;
    Ok((rule, book))
}

fn check(options: &Options, family: &str, name: &str) -> Result<(), Error> {
    let usage = |text: String| Err(Error::Usage(text));
    let Some((_, letters)) = FAMILIES.iter().find(|(folder, _)| *folder == family) else {
        let known: Vec<&str> = FAMILIES.iter().map(|(folder, _)| *folder).collect();
        return usage(format!("no family is called `{family}`: one of {}", known.join(", ")));
    };
    let words =
        name.split('-').all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    if !words || name.starts_with("check-") {
        return usage(format!(
            "`{name}` is no name for a rule: small letters and hyphens that say what is found, such as bed-days-over-stay"
        ));
    }
    let digits = options.code.strip_prefix(letters).unwrap_or_default();
    if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return usage(format!("`--code {}` is no code of `{family}`: wanted {letters} and three digits", options.code));
    }
    if options.title.trim().is_empty() {
        return usage("`--title` is empty: say in Chinese what is found".to_owned());
    }
    let set = library::open(Some(&options.rules))?;
    if let Some(taken) = set.rules.iter().find(|r| r.code == options.code || r.name == name) {
        let free = (101..=999).map(|n| format!("{letters}{n}")).find(|code| set.rules.iter().all(|r| r.code != *code));
        let free = free.map_or_else(String::new, |code| format!("; {code} is free"));
        return usage(format!("{} is `{}` already{free}", taken.code, taken.name));
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::Disk { doing: format!("write `{}`", file.display()), source };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::File::create_new(file).and_then(|mut f| f.write_all(text.as_bytes())).map_err(failed)
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn rule_text(options: &Options, name: &str) -> String {
    let since = options.since.map(|d| format!("since    = \"{}\"\n", day::text(d))).unwrap_or_default();
    let title = quoted(options.title.trim());
    let title_en = quoted(options.title_en.as_deref().unwrap_or("(to be written)"));
    let code = &options.code;
    format!(
        r#"code     = "{code}"
version  = 1
name     = "{name}"
title    = {title}
title_en = {title_en}
status   = "draft"                        # draft → trial → stable → retired；草稿不跑，也不进 rules.lock
result   = "可疑"                         # 明确违规 或 可疑
severity = "medium"                       # high medium low
stages   = ["后"]
national = []
{since}in_force = "2021-05-01.."
why = """
（写：为什么要查，查到的是什么。）
"""
basis = [{{ law = "医疗保障基金使用监督管理条例", article = "（写：第几条第几项）" }}]
may_be_right_when = ["（写：什么时候收费可能是对的）"]
blind_spots       = ["（写：这条规则看不见什么）"]
reads             = []

[find]
in     = "paid_line"                      # 视图，见 README.md
where  = "false"                          # 真命中，假干净，空不评
amount = "inscp_amt"

[says]
finding  = "{{hilist_name}} {{day}}"
evidence = ["inscp_amt"]
"#
    )
}

fn book_text(options: &Options, name: &str) -> String {
    let Options { code, title, .. } = options;
    format!(
        r"# {code} {} ({name})

（写：这本书里的编码、日子和人。）

## 一行普通收费

（写：为什么干净。再写命中、边上的值和边上的日子两侧、退费、每一种不说、一例不评。）

**fee_detail**

| mdtrt_id | feedetl_sn | hilist_code | fee_ocur_time | cnt | pric | inscp_amt |
|---|---|---|---|---|---|---|
| S1 | 1 | 002501010150000 | 2026-03-11 | 1 | 15 | 15 |
",
        title.trim()
    )
}
