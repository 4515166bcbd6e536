//! `fundaudit store …`: look after the store of findings.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::findings::StoreArg;
use super::{Face, Outcome, Printed, table};
use crate::clock;
use crate::operations::Error;
use crate::store::{self, Held, Info, backup};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Say what the store holds
    Info {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Copy everything into one file, as of this moment, while others work; it writes over nothing
    Backup {
        #[command(flatten)]
        store: StoreArg,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Check a store against itself, or a backup against its sums; exit 1 when something is wrong
    Verify {
        /// The store: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`
        #[arg(
            long = "store",
            env = "FUNDAUDIT_STORE",
            hide_env_values = true,
            value_name = "URL",
            required_unless_present = "backup"
        )]
        url: Option<String>,
        /// Check this backup instead
        #[arg(long, value_name = "FILE")]
        backup: Option<PathBuf>,
    },
    /// Fill a new, empty store from a backup, also one of the other database
    Restore {
        #[command(flatten)]
        store: StoreArg,
        /// The backup to read
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
}

pub(super) fn run(command: &StoreCommand, face: &Face) -> Result<Outcome, Error> {
    match command {
        StoreCommand::Info { store } => {
            let info = store::open_existing(&store.url)?.info()?;
            face.print(&match face.printed {
                Printed::Text => text(&info),
                Printed::Json => format!("{:#}\n", record(&info)),
                Printed::Csv => counted(&info.rows),
            });
        }
        StoreCommand::Backup { store, to } => {
            let store = store::open_existing(&store.url)?;
            let rows = backup::write(store.as_ref(), to, &clock::now_text())?;
            // What was written is read again: a backup that cannot be read is none.
            backup::verify(to)?;
            said(face, &rows, &format!("backup: {}", to.display()));
        }
        StoreCommand::Verify { backup: Some(file), .. } => {
            let rows = backup::verify(file)?;
            said(face, &rows, &format!("whole: {}", file.display()));
        }
        StoreCommand::Verify { url, .. } => {
            let url = url.as_deref().unwrap_or_default();
            let complaints = store::open_existing(url)?.verify()?;
            face.print(&match face.printed {
                Printed::Json => format!("{:#}\n", json!(complaints)),
                _ if complaints.is_empty() => "nothing is wrong\n".to_owned(),
                _ => complaints.iter().map(|complaint| format!("{complaint}\n")).collect(),
            });
            return Ok(if complaints.is_empty() { Outcome::Clean } else { Outcome::Found });
        }
        StoreCommand::Restore { store, from } => {
            backup::verify(from)?;
            let store_there = store::open(&store.url)?;
            let rows = backup::restore(from, store_there.as_ref())?;
            said(face, &rows, &format!("restored: {}", store::shown_url(&store.url)));
        }
    }
    Ok(Outcome::Clean)
}

fn said(face: &Face, rows: &backup::Rows, done: &str) {
    face.print(&match face.printed {
        Printed::Text => format!("{}{done}\n", lines(rows)),
        Printed::Json => format!("{:#}\n", json!(rows)),
        Printed::Csv => counted(rows),
    });
}

fn lines(rows: &backup::Rows) -> String {
    rows.iter().map(|(table, count)| format!("{table:<16}{count:>12}\n")).collect()
}

fn counted(rows: &backup::Rows) -> String {
    let mut cells = vec![["table", "rows"].map(str::to_owned)];
    cells.extend(rows.iter().map(|(table, count)| [table.clone(), count.to_string()]));
    table(&cells)
}

fn text(info: &Info) -> String {
    let mut text = format!("{}, form {}", info.database, info.schema);
    if let Some(bytes) = info.bytes {
        text.push_str(&format!(", {bytes} bytes"));
    }
    text.push('\n');
    text.push_str(&lines(&info.rows));
    match &info.last_scan {
        Some(scan) => {
            let ended = scan.ended_at.as_deref().unwrap_or_default();
            text.push_str(&format!("last finished scan: {} ({} to {ended})\n", scan.scan_id, scan.started_at));
        }
        None => text.push_str("no scan has finished yet\n"),
    }
    for Held { name, owner, since, heartbeat } in &info.leases {
        text.push_str(&format!("`{name}` is held by `{owner}` since {since}, last sign of life {heartbeat}\n"));
    }
    text
}

fn record(info: &Info) -> serde_json::Value {
    json!({
        "database": info.database, "schema": info.schema, "bytes": info.bytes, "rows": info.rows,
        "last_scan": info.last_scan.as_ref().map(|scan| json!({
            "scan_id": scan.scan_id, "started_at": scan.started_at, "ended_at": scan.ended_at, "merged": scan.merged,
        })),
        "leases": info.leases.iter().map(|held| json!({
            "name": held.name, "owner": held.owner, "since": held.since, "heartbeat": held.heartbeat,
        })).collect::<Vec<_>>(),
    })
}
