//! `fundaudit rules …`: the rule keeper's commands.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Face, Outcome, Printed};
use crate::operations::{Error, library};
use crate::report::Lang;
use crate::rules::Rule;

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
    },
    /// Every mistake in a library, with file, line and caret
    Check {
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
    },
    /// Run every rule over every case book
    Test {
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
        /// Folder of the case books, a folder a family
        #[arg(long, default_value = "fixtures", value_name = "DIR")]
        books: PathBuf,
    },
}

pub(super) fn run(command: &RulesCommand, face: &Face) -> Result<Outcome, Error> {
    match command {
        RulesCommand::List { rules } => {
            let set = library::open(rules.as_deref())?;
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
                        .map(|r| serde_json::json!({ "code": r.code, "name": r.name, "title": r.title, "title_en": r.title_en, "status": r.status.name(), "result": r.result, "severity": r.severity, "stages": r.stages, "national": r.national, "hash": r.hash }))
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
            Ok(Outcome::Clean)
        }
        RulesCommand::Explain { rule, rules } => {
            let set = library::open(rules.as_deref())?;
            let found = library::named(&set, rule)?;
            face.print(&library::explain(&set, found));
            Ok(Outcome::Clean)
        }
        RulesCommand::Check { rules } => {
            let found = library::compile(rules.as_deref(), &[])?;
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
            Ok(Outcome::Clean)
        }
        RulesCommand::Test { rules, books } => {
            let tested = library::test(rules.as_deref(), books)?;
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
    }
}
