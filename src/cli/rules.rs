//! `fundaudit rules …`: the rule keeper's commands.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};

use super::{Face, Outcome, Printed, a_day, table};
use crate::operations::library::Origin;
use crate::operations::{Error, difference, index, library, lock, scaffold};
use crate::report::Lang;
use crate::rules::{Rule, RuleSet};

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// All rules of the library, a line each
    List {
        /// Rule library to use instead of the one that is built in
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
    },
    /// What a rule means, why, by which law, when the charge may be right, what it cannot see
    Explain {
        /// Code or name
        rule: String,
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
        /// Folder of knowledge tables, each instead of the library's table of that name
        #[arg(long, value_name = "DIR")]
        knowledge: Option<PathBuf>,
        /// Form: for a terminal, a repository or a browser
        #[arg(long = "as", value_enum, default_value = "text", value_name = "FORM")]
        form: Form,
    },
    /// Every mistake in a library, with file, line and caret, and what has changed since it was locked
    Check {
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
        /// Folder of knowledge tables, each instead of the library's table of that name
        #[arg(long, value_name = "DIR")]
        knowledge: Option<PathBuf>,
        /// Folder of exemptions to check too
        #[arg(long, value_name = "DIR")]
        exemptions: Option<PathBuf>,
    },
    /// Run every rule over every case book
    Test {
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
        /// Folder of knowledge tables, each instead of the library's table of that name
        #[arg(long, value_name = "DIR")]
        knowledge: Option<PathBuf>,
        /// Folder of the case books, a folder a family
        #[arg(long, default_value = "fixtures", value_name = "DIR")]
        books: PathBuf,
    },
    /// A new rule and its case book, to be filled in: a draft that is sound and finds nothing
    New {
        /// Place of the rule, such as billing/oxygen-over-stay
        #[arg(value_name = "FAMILY/NAME")]
        place: String,
        /// Three letters of the family and three digits, such as BIL199
        #[arg(long)]
        code: String,
        /// What is found, in Chinese
        #[arg(long)]
        title: String,
        /// The same in English
        #[arg(long)]
        title_en: Option<String>,
        /// Day from which the rule is in the library
        #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
        since: Option<i32>,
        #[arg(long, value_name = "DIR", default_value = "audit_rules")]
        rules: PathBuf,
        /// Folder of the case books
        #[arg(long, value_name = "DIR", default_value = "fixtures")]
        books: PathBuf,
    },
    /// Write down version and hash of every rule; refuses while a rule has changed without a new version
    Lock {
        #[arg(long, value_name = "DIR", default_value = "audit_rules")]
        rules: PathBuf,
        /// Write nothing, say how rules and lock differ
        #[arg(long)]
        check: bool,
    },
    /// What another library finds in a dataset: findings added, removed, changed, and the money in them
    Diff {
        /// Folder of the library as it was
        old: PathBuf,
        /// Folder of the library as it is to be
        new: PathBuf,
        /// Folder of knowledge tables, each instead of the table of that name in both libraries
        #[arg(long, value_name = "DIR")]
        knowledge: Option<PathBuf>,
        /// A dataset made by `ingest`
        #[arg(long, value_name = "DIR")]
        dataset: PathBuf,
        /// Rules to run: codes, families, names; default: all that are trial or stable
        #[arg(long, value_delimiter = ',', value_name = "CODE,FAMILY,name")]
        select: Vec<String>,
        /// Region of rows that have none, for parameters: six digits
        #[arg(long, value_name = "ADMDVS")]
        region: Option<String>,
        /// Day to which open stays run; default: the last day in the data
        #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
        as_of: Option<i32>,
        /// Threads; default: all processors
        #[arg(long)]
        threads: Option<usize>,
        /// Findings to show of each rule and kind
        #[arg(long, default_value_t = 3)]
        samples: usize,
    },
    /// The table of rules for the library's README
    Index {
        #[arg(long, value_name = "DIR", default_value = "audit_rules")]
        rules: PathBuf,
        /// Write it into README.md, between its two markers
        #[arg(long)]
        write: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Form {
    Text,
    Markdown,
    Html,
}

pub(super) fn run(command: &RulesCommand, face: &Face) -> Result<Outcome, Error> {
    match command {
        RulesCommand::List { rules } => Ok(list(&library::open(rules.as_deref())?, face)),
        RulesCommand::Explain { rule, rules, knowledge, form } => {
            let set = library::open(origin(rules.as_ref(), knowledge.as_ref()))?;
            let found = library::named(&set, rule)?;
            let essay = library::essay(&set, found);
            face.print(&match form {
                Form::Text => essay.text(),
                Form::Markdown => essay.markdown(),
                Form::Html => essay.html(),
            });
            Ok(Outcome::Clean)
        }
        RulesCommand::Check { rules, knowledge, exemptions } => {
            check(origin(rules.as_ref(), knowledge.as_ref()), exemptions.as_deref(), face)
        }
        RulesCommand::Test { rules, knowledge, books } => test(origin(rules.as_ref(), knowledge.as_ref()), books, face),
        RulesCommand::New { place, code, title, title_en, since, rules, books } => {
            let options = scaffold::Options {
                place: place.clone(),
                code: code.clone(),
                title: title.clone(),
                title_en: title_en.clone(),
                since: *since,
                rules: rules.clone(),
                books: books.clone(),
            };
            write(&options, face)
        }
        RulesCommand::Lock { rules, check: true } => match lock::check(Some(rules))? {
            Some(changes) => Ok(said(&changes, face)),
            None => Err(Error::Usage(format!(
                "`{}` has no `{}`: `fundaudit rules lock` writes it",
                rules.display(),
                lock::FILE
            ))),
        },
        RulesCommand::Lock { rules, check: false } => match lock::write(rules)? {
            Ok(count) => {
                let file = rules.join(lock::FILE);
                face.print(&match face.lang {
                    Lang::Zh => format!("{count} 条规则，写入 {}\n", file.display()),
                    Lang::En => format!("{count} rules locked in {}\n", file.display()),
                });
                Ok(Outcome::Clean)
            }
            Err(changes) => Ok(said(&changes, face)),
        },
        RulesCommand::Diff { old, new, knowledge, dataset, select, region, as_of, threads, samples } => {
            let options = difference::Options {
                old: old.clone(),
                new: new.clone(),
                knowledge: knowledge.clone(),
                dataset: dataset.clone(),
                select: select.clone(),
                region: region.clone(),
                as_of: *as_of,
                threads: *threads,
            };
            diff(&options, *samples, face)
        }
        RulesCommand::Index { rules, write: false } => {
            let readme = std::fs::read_to_string(rules.join("README.md")).unwrap_or_default();
            face.print(&index::table(&library::open(Some(rules))?, &readme));
            Ok(Outcome::Clean)
        }
        RulesCommand::Index { rules, write: true } => {
            let (file, changed) = index::write(rules)?;
            face.print(&match (changed, face.lang) {
                (true, Lang::Zh) => format!("写入 {}\n", file.display()),
                (true, Lang::En) => format!("written into {}\n", file.display()),
                (false, Lang::Zh) => format!("{} 已是新的\n", file.display()),
                (false, Lang::En) => format!("{} is as it should be\n", file.display()),
            });
            Ok(Outcome::Clean)
        }
    }
}

fn list(set: &RuleSet, face: &Face) -> Outcome {
    let rows: Vec<&Rule> = set.rules.iter().collect();
    face.print(&match face.printed {
        Printed::Text => rows
            .iter()
            .map(|r| {
                let title = if face.lang == Lang::Zh { &r.title } else { &r.title_en };
                format!("{}  {:<8} {:<7} {}  {}  {title}\n", r.code, r.status.name(), r.severity, r.result, r.stages.concat())
            })
            .collect::<String>(),
        Printed::Json => format!(
            "{:#}\n",
            rows.iter()
                .map(|r| serde_json::json!({ "code": r.code, "name": r.name, "title": r.title, "title_en": r.title_en, "version": r.version, "status": r.status.name(), "result": r.result, "severity": r.severity, "stages": r.stages, "national": r.national, "hash": r.hash }))
                .collect::<serde_json::Value>()
        ),
        Printed::Csv => {
            let mut table = String::from("code,name,title,status,result,severity,stages\n");
            for r in rows {
                table.push_str(&format!("{},{},{},{},{},{},{}\n", r.code, r.name, r.title, r.status.name(), r.result, r.severity, r.stages.concat()));
            }
            table
        }
    });
    Outcome::Clean
}

fn origin<'a>(rules: Option<&'a PathBuf>, knowledge: Option<&'a PathBuf>) -> Origin<'a> {
    Origin { rules: rules.map(PathBuf::as_path), knowledge: knowledge.map(PathBuf::as_path) }
}

fn check(origin: Origin<'_>, exemptions: Option<&Path>, face: &Face) -> Result<Outcome, Error> {
    let found = library::check(origin)?;
    let exempt = exemptions.map(|_| library::exemptions(exemptions, &found.set)).transpose()?;
    let changes = lock::check(origin.rules)?.unwrap_or_default();
    face.print(&match face.lang {
        Lang::Zh => format!(
            "{} 条规则，{} 个参数，{} 张知识表，没有错误\n",
            found.set.rules.len(),
            found.set.parameters.len(),
            found.set.knowledge.len()
        ),
        Lang::En => format!(
            "{} rules, {} parameters, {} knowledge tables, no mistakes\n",
            found.set.rules.len(),
            found.set.parameters.len(),
            found.set.knowledge.len()
        ),
    });
    if let Some(exempt) = exempt {
        let number = exempt.entries.len();
        face.print(&match face.lang {
            Lang::Zh => format!("{number} 项豁免，没有错误\n"),
            Lang::En => format!("{number} exemptions, no mistakes\n"),
        });
    }
    Ok(said(&changes, face))
}

fn test(origin: Origin<'_>, books: &Path, face: &Face) -> Result<Outcome, Error> {
    let tested = library::test(origin, books)?;
    for failure in &tested.failures {
        face.print(&failure.to_string());
    }
    face.print(&match face.lang {
        Lang::Zh => format!(
            "{} 条规则，{} 本案例，{} 个案例，{} 个不符\n",
            tested.rules,
            tested.books,
            tested.cases,
            tested.failures.len()
        ),
        Lang::En => format!(
            "{} rules over {} books, {} cases, {} unexpected\n",
            tested.rules,
            tested.books,
            tested.cases,
            tested.failures.len()
        ),
    });
    Ok(if tested.failures.is_empty() { Outcome::Clean } else { Outcome::Found })
}

fn write(options: &scaffold::Options, face: &Face) -> Result<Outcome, Error> {
    let (rule, book) = scaffold::new(options)?;
    face.print(&match face.lang {
        Lang::Zh => format!("规则 {}\n案例 {}\n接着：写好这两个文件，fundaudit rules check，fundaudit rules test，再 rules index --write 和 rules lock\n", rule.display(), book.display()),
        Lang::En => format!("rule {}\nbook {}\nnext: fill in both, fundaudit rules check, fundaudit rules test, then rules index --write and rules lock\n", rule.display(), book.display()),
    });
    Ok(Outcome::Clean)
}

fn diff(options: &difference::Options, samples: usize, face: &Face) -> Result<Outcome, Error> {
    let found = difference::difference(options, &face.progress)?;
    face.print(&match face.printed {
        Printed::Text => found.text(face.lang, samples),
        Printed::Json => format!("{:#}\n", found.json()),
        Printed::Csv => table(&found.csv()),
    });
    Ok(if found.rows.is_empty() { Outcome::Clean } else { Outcome::Found })
}

/// How rules and lock differ, a line each.
fn said(changes: &[lock::Change], face: &Face) -> Outcome {
    for change in changes {
        face.print(&format!("{change}\n"));
    }
    if changes.is_empty() { Outcome::Clean } else { Outcome::Found }
}
