//! The rule library as a run wants it: loaded, chosen, compiled.
//!
//! Goes in: an [`Origin`]: a folder (or nothing: the library that was built in), a folder of knowledge tables that
//! stand in for its own, and a choice of rules. Comes out: [`Library`], or every mistake at once.

use std::path::{Path, PathBuf};

use crate::engine::{Compiler, Plan};
use crate::messages::Codes;
use crate::report::Essay;
use crate::rules::{Decisions, Exemptions, Files, Rule, RuleSet, Status, load};
use crate::span::nearest;

use super::Error;

/// Where a library comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// None: the library that was built in.
    pub rules: Option<&'a Path>,
    /// A folder of `<table>.csv`, each instead of the library's table of that name.
    pub knowledge: Option<&'a Path>,
}

impl<'a> From<Option<&'a Path>> for Origin<'a> {
    fn from(rules: Option<&'a Path>) -> Origin<'a> {
        Origin { rules, knowledge: None }
    }
}

impl<'a> From<Option<&'a PathBuf>> for Origin<'a> {
    fn from(rules: Option<&'a PathBuf>) -> Origin<'a> {
        Origin::from(rules.map(PathBuf::as_path))
    }
}

/// A rule set with the plans of the rules that were chosen, by code.
#[derive(Debug)]
pub struct Library {
    pub set: RuleSet,
    pub plans: Vec<Plan>,
}

/// Loads a library and checks everything in it.
///
/// # Errors
/// Every mistake of every file; a folder that cannot be read.
pub fn open<'a>(origin: impl Into<Origin<'a>>) -> Result<RuleSet, Error> {
    open_with(origin, "").map(|(set, _)| set)
}

/// Loads a library, and the text of one more file of it, where it has that file.
///
/// # Errors
/// As [`open`].
pub fn open_with<'a>(origin: impl Into<Origin<'a>>, more: &str) -> Result<(RuleSet, Option<String>), Error> {
    let origin = origin.into();
    let mut files = match origin.rules {
        Some(folder) => Files::in_folder(folder)
            .map_err(|e| Error::Usage(format!("cannot read the rules in `{}`: {e}", folder.display())))?,
        None => Files::built_in(),
    };
    let mut mistakes = match origin.knowledge {
        Some(folder) => files
            .take_knowledge(folder)
            .map_err(|e| Error::Usage(format!("cannot read the knowledge in `{}`: {e}", folder.display())))?,
        None => Vec::new(),
    };
    let set = match load(&files) {
        Ok(set) if mistakes.is_empty() => set,
        Ok(_) => return Err(Error::Rules(mistakes)),
        Err(others) => {
            mistakes.extend(others);
            return Err(Error::Rules(mistakes));
        }
    };
    if set.rules.is_empty() {
        return Err(Error::Usage(format!("no rule in `{}`: wanted `<family>/<name>.toml`", files.root)));
    }
    Ok((set, files.texts.remove(more)))
}

/// Loads a library and compiles the rules that `select` names: codes, families, names; empty: all that are trial or stable.
///
/// # Errors
/// Every mistake of every file; a selection that names nothing.
pub fn compile<'a>(origin: impl Into<Origin<'a>>, select: &[String]) -> Result<Library, Error> {
    let set = open(origin)?;
    for word in select {
        if !set.rules.iter().any(|rule| chosen(rule, word)) {
            let known = set.rules.iter().flat_map(|r| [r.code.as_str(), r.name.as_str(), r.family()]);
            let hint = nearest(word, known)
                .map_or_else(|| "`fundaudit rules list` shows them all".to_owned(), |n| format!("did you mean `{n}`?"));
            return Err(Error::Usage(format!("no rule is called `{word}`: {hint}")));
        }
    }
    let rules: Vec<&Rule> = set
        .rules
        .iter()
        .filter(|rule| {
            if select.is_empty() {
                matches!(rule.status, Status::Trial | Status::Stable)
            } else {
                select.iter().any(|word| chosen(rule, word))
            }
        })
        .collect();
    let plans = Compiler::new(&set).compile(&rules).map_err(Error::Rules)?;
    Ok(Library { set, plans })
}

/// Loads a library and compiles every rule of it but the retired ones, drafts too; and reads the dictionaries of messages and
/// the procedure by which findings are dealt with.
///
/// # Errors
/// Every mistake of every file.
pub fn check<'a>(origin: impl Into<Origin<'a>>) -> Result<Library, Error> {
    let origin = origin.into();
    let (set, dictionaries) = open_with(origin, Codes::FILE)?;
    super::casework::procedure(origin.rules)?;
    if let Some(text) = dictionaries {
        let root = origin.rules.map_or_else(|| "audit_rules".to_owned(), |folder| folder.display().to_string());
        Codes::read(&format!("{root}/{}", Codes::FILE), &text, &set).map_err(Error::Rules)?;
    }
    let rules: Vec<&Rule> = set.rules.iter().filter(|rule| rule.status != Status::Retired).collect();
    let plans = Compiler::new(&set).compile(&rules).map_err(Error::Rules)?;
    Ok(Library { set, plans })
}

/// The exemptions in a folder; without a folder there are none.
///
/// # Errors
/// Every mistake of every file; a folder that cannot be read.
pub fn exemptions(folder: Option<&Path>, set: &RuleSet) -> Result<Exemptions, Error> {
    folder.map_or_else(|| Ok(Exemptions::default()), |f| Exemptions::read(f, set).map_err(Error::Exemptions))
}

/// The policy of a review: that of a file, or the library's own.
///
/// # Errors
/// Every mistake of the file; a file that cannot be read.
pub fn decisions(file: Option<&Path>, set: &RuleSet) -> Result<Decisions, Error> {
    let Some(file) = file else { return Ok(set.decisions.clone()) };
    let text = std::fs::read_to_string(file)
        .map_err(|e| Error::Usage(format!("cannot read the decisions in `{}`: {e}", file.display())))?;
    Decisions::read(&file.display().to_string(), &text.replace("\r\n", "\n"), set).map_err(Error::Rules)
}

/// Whether a word of a selection names this rule: its code, family or name.
#[must_use]
pub fn chosen(rule: &Rule, word: &str) -> bool {
    rule.code.eq_ignore_ascii_case(word) || rule.family().eq_ignore_ascii_case(word) || rule.name == word
}

/// The rule of this code or name.
///
/// # Errors
/// There is none; says which is near.
pub fn named<'a>(set: &'a RuleSet, word: &str) -> Result<&'a Rule, Error> {
    set.rules.iter().find(|r| r.code.eq_ignore_ascii_case(word) || r.name == word).ok_or_else(|| {
        let known = set.rules.iter().flat_map(|r| [r.code.as_str(), r.name.as_str()]);
        let hint = nearest(word, known)
            .map_or_else(|| "`fundaudit rules list` shows them all".to_owned(), |n| format!("did you mean `{n}`?"));
        Error::Usage(format!("no rule is called `{word}`: {hint}"))
    })
}

/// A rule as an essay: what, why, law, when the charge may be right, what it cannot see, its parameters with their sources.
#[must_use]
pub fn essay(set: &RuleSet, rule: &Rule) -> Essay {
    let numbers: Vec<String> = rule.national.iter().map(ToString::to_string).collect();
    let parameters = set
        .parameters
        .values()
        .filter(|p| rule.source.contains(&format!("${}", p.name)))
        .flat_map(|p| p.values.iter().map(move |v| value_line(p, v)))
        .collect();
    let mut tables: Vec<String> = rule
        .find
        .with
        .iter()
        .filter_map(|w| set.knowledge.get(&w.table).map(|k| format!("{}，{} 行", w.table, k.rows.len())))
        .collect();
    tables.dedup();
    let mut facts = vec![
        ("结果", rule.result.clone()),
        ("严重程度", rule.severity.clone()),
        ("环节", rule.stages.join("、")),
        ("状态", rule.status.name().to_owned()),
    ];
    // That a rule is as it first was is no news.
    if rule.version > 1 {
        facts.push(("版本", rule.version.to_string()));
    }
    let owned = |pairs: Vec<(&str, String)>| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Essay {
        heading: format!("{} {} ({})", rule.code, rule.title, rule.name),
        heading_en: rule.title_en.clone(),
        facts: owned(facts),
        national: if numbers.is_empty() {
            String::new()
        } else {
            format!("国家规则 第 {} 类", numbers.join("、"))
        },
        why: rule.why.clone(),
        sections: [
            ("依据", rule.basis.iter().map(|b| format!("{} {}", b.law, b.article)).collect()),
            ("可能合理", rule.may_be_right_when.clone()),
            ("看不见", rule.blind_spots.clone()),
            ("本规则的理解", rule.reads.clone()),
            ("参数", parameters),
            ("知识表", tables),
        ]
        .into_iter()
        .map(|(heading, items)| (heading.to_owned(), items))
        .collect(),
        end: owned(vec![
            ("条件", rule.find.condition.text.clone()),
            ("金额", rule.find.amount.text.clone()),
            ("文件", rule.file.clone()),
        ]),
    }
}

fn value_line(parameter: &crate::rules::Parameter, value: &crate::rules::parameters::Value) -> String {
    use crate::model::{day, money};
    let days = match (value.from, value.until) {
        (None, None) => String::new(),
        (from, until) => format!(
            "，{} 至 {}",
            from.map_or_else(|| "…".to_owned(), day::text),
            until.map_or_else(|| "今".to_owned(), day::text)
        ),
    };
    let place = value.region.as_deref().map_or_else(|| "全国".to_owned(), |r| format!("区划 {r}"));
    format!("{} = {} {}（{place}{days}）{}", parameter.title, money::plain(value.value), parameter.unit, value.source())
}

/// What `rules test` came to.
#[derive(Debug)]
pub struct Tested {
    pub rules: usize,
    pub books: usize,
    pub cases: usize,
    pub failures: Vec<super::cases::Failure>,
}

/// Runs every rule over every case book of a folder.
///
/// # Errors
/// Mistakes in rules or books; a folder that cannot be read; a rule without a book.
pub fn test<'a>(origin: impl Into<Origin<'a>>, books: &Path) -> Result<Tested, Error> {
    let library = compile(origin, &[])?;
    let unreadable = |source| Error::Disk { doing: format!("read the case books in `{}`", books.display()), source };
    let mut files = Vec::new();
    for family in std::fs::read_dir(books).map_err(unreadable)? {
        let family = family.map_err(unreadable)?.path();
        if family.is_dir() && !matches!(family.file_name().and_then(|n| n.to_str()), Some("exports" | "mappings")) {
            for file in std::fs::read_dir(&family).map_err(unreadable)? {
                let file = file.map_err(unreadable)?.path();
                if file.extension().is_some_and(|e| e == "md") {
                    files.push(file);
                }
            }
        }
    }
    files.sort();
    for plan in &library.plans {
        if !files.iter().any(|f| f.file_stem().is_some_and(|s| s == plan.rule.name.as_str())) {
            return Err(Error::Usage(format!(
                "the rule {} has no case book: wanted `{}/<family>/{}.md`",
                plan.rule.code,
                books.display(),
                plan.rule.name
            )));
        }
    }
    let mut tested = Tested { rules: library.plans.len(), books: files.len(), cases: 0, failures: Vec::new() };
    let mut mistakes = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        match crate::rules::book::Book::read(&file.display().to_string(), &text) {
            Ok(book) => {
                tested.cases += book.cases.len();
                tested.failures.extend(super::cases::test(&book, &library.set, &library.plans));
            }
            Err(wrong) => mistakes.extend(wrong),
        }
    }
    if mistakes.is_empty() { Ok(tested) } else { Err(Error::Rules(mistakes)) }
}
