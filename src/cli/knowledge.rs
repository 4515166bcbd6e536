//! `fundaudit knowledge …`: workbooks of the national two libraries become knowledge tables.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Face, Outcome, Printed, a_day, table};
use crate::operations::{Error, knowledge};

#[derive(Debug, Subcommand)]
pub(super) enum KnowledgeCommand {
    /// Read a workbook of the national two libraries into a knowledge table; exit 1 when a row could not be read
    Import {
        #[arg(value_name = "WORKBOOK.xlsx")]
        workbook: PathBuf,
        /// Folder of the knowledge tables
        #[arg(long, value_name = "DIR", default_value = "audit_rules/knowledge")]
        into: PathBuf,
        /// Table to fill; default: as file name, titles and headings tell
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
        /// First day of the new rows; rows that say otherwise end the day before. Default: 2021-05-01, superseding none
        #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
        from: Option<i32>,
        /// Say what would change and write nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn run(command: &KnowledgeCommand, face: &Face) -> Result<Outcome, Error> {
    let KnowledgeCommand::Import { workbook, into, table: name, from, dry_run } = command;
    let options = knowledge::Options {
        workbook: workbook.clone(),
        into: into.clone(),
        table: name.clone(),
        from: *from,
        dry_run: *dry_run,
    };
    let done = knowledge::import(&options, &face.progress)?;
    face.print(&match face.printed {
        Printed::Text => done.text(face.lang),
        Printed::Json => format!("{:#}\n", done.json()),
        Printed::Csv => table(&done.csv()),
    });
    Ok(if done.unread.is_empty() { Outcome::Clean } else { Outcome::Found })
}
