//! The tables, and how an older store comes up to date.
//!
//! Goes in: a database. Comes out: the same with today's tables; one that a later version of the program made is refused.
//! Every change of the tables is a file in `migrations/`, run once, in order, in one transaction with the note that it was.
//! A file that has been released is never changed again: its hash is noted, and a store that was made by other text is said to
//! be damaged.
//!
//! To change the tables: a further file, a line in [`MIGRATIONS`], and the columns in [`TABLES`].

use sha2::{Digest as _, Sha256};

use super::Error;
use super::database::{Arg, Database, Session};

/// Name and text of each step, in order; its number is its place, from 1.
const MIGRATIONS: [(&str, &str); 2] = [
    ("findings", include_str!("migrations/0001_findings.sql")),
    ("by_facility", include_str!("migrations/0002_by_facility.sql")),
];

/// A table with its key and its columns, as they stand in a backup. Those that others refer to come first.
pub(super) struct Table {
    pub name: &'static str,
    /// Order of its rows.
    pub key: &'static [&'static str],
    pub columns: &'static [&'static str],
}

/// Every table whose rows are kept for good. A lease is of the moment.
pub(super) const TABLES: [Table; 11] = [
    Table {
        name: "finding",
        key: &["finding_id"],
        columns: &[
            "finding_id",
            "rule_code",
            "result",
            "severity",
            "psn_no",
            "mdtrt_id",
            "fixmedins_code",
            "region",
            "from_day",
            "until_day",
            "month",
            "amount",
            "allocated",
            "fund_loss_est",
            "fund_money",
            "exempted_by",
            "content",
            "first_scan",
            "first_seen_at",
            "last_scan",
            "last_seen_at",
            "status",
            "outcome",
            "measures",
            "version",
            "assignee",
            "deadline",
            "found",
            "standing",
            "decided",
            "damages",
            "recovered",
            "damages_recovered",
            "seen_again",
            "present",
            "judges",
            "changed_at",
        ],
    },
    Table {
        name: "finding_text",
        key: &["finding_id"],
        columns: &[
            "finding_id",
            "rule_name",
            "rule_title",
            "rule_hash",
            "unit",
            "key",
            "setl_id",
            "feedetl_sn",
            "message",
            "basis",
            "evidence",
        ],
    },
    Table {
        name: "finding_line",
        key: &["finding_id", "place"],
        columns: &["finding_id", "place", "mdtrt_id", "feedetl_sn", "kind", "amount"],
    },
    Table { name: "finding_person", key: &["finding_id", "psn_no"], columns: &["finding_id", "psn_no"] },
    Table {
        name: "sighting",
        key: &["finding_id", "scan_id", "what"],
        columns: &["finding_id", "scan_id", "what", "at", "changes"],
    },
    Table {
        name: "case_step",
        key: &["finding_id", "seq"],
        columns: &[
            "finding_id",
            "seq",
            "at",
            "actor",
            "action",
            "from_status",
            "to_status",
            "outcome",
            "reason_code",
            "reason",
            "before",
            "after",
            "damages",
            "deadline",
            "attachments",
        ],
    },
    Table { name: "rule", key: &["rule_code"], columns: &["rule_code", "rule_name", "rule_title"] },
    Table { name: "facility", key: &["fixmedins_code"], columns: &["fixmedins_code", "name", "admdvs"] },
    Table {
        name: "scan",
        key: &["scan_id"],
        columns: &[
            "scan_id",
            "state",
            "started_at",
            "merged_at",
            "ended_at",
            "as_of",
            "rule_set_hash",
            "everyone",
            "merged",
            "record",
        ],
    },
    Table {
        name: "file_taken",
        key: &["sha256"],
        columns: &["sha256", "name", "bytes", "rows", "taken_at", "scan_id", "reason"],
    },
    Table { name: "remembered", key: &["name"], columns: &["name", "value"] },
];

/// Columns of numbers that may be empty, in any table.
pub(super) const MAY_LACK_A_NUMBER: [&str; 4] = ["from_day", "until_day", "fund_loss_est", "deadline"];

/// The table of this name.
pub(super) fn table(name: &str) -> &'static Table {
    TABLES.iter().find(|table| table.name == name).expect("a table of the list")
}

/// Names of all tables.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// The number of the last step.
pub(super) const TODAY: i64 = MIGRATIONS.len() as i64;

/// Runs the steps that a database has not had yet. One that is up to date is only read: whoever looks at findings does not
/// wait for a scan that writes.
pub(super) fn bring_up_to_date(database: &dyn Database) -> Result<(), Error> {
    let place = database.place();
    match database.read("read the form of the store").and_then(|mut session| steps_done(session.as_mut(), &place)) {
        Ok(done) if done == TODAY => return Ok(()),
        Err(error @ (Error::Newer { .. } | Error::Damaged { .. })) => return Err(error),
        // A new store has no such table yet; what else is wrong comes up again below.
        Ok(_) | Err(_) => {}
    }
    let postgres = place.starts_with("postgres");
    let mut session = database.write("bring the store up to date")?;
    if postgres {
        // Two workstations that open a new store at the same time make it once.
        session.script("select pg_advisory_xact_lock(6657364)")?;
    }
    session.script(&in_words_of(
        postgres,
        "create table if not exists fundaudit_schema \
         (number {int} not null primary key, name {text} not null, sha256 {text} not null) {strict}",
    ))?;
    let done = steps_done(session.as_mut(), &place)?;
    for (at, (name, text)) in MIGRATIONS.iter().enumerate().skip(usize::try_from(done).unwrap_or(0)) {
        session.script(&in_words_of(postgres, text))?;
        note(session.as_mut(), at + 1, name, &hash_of(text))?;
    }
    session.commit()
}

/// The number of the last step that a store has had.
fn steps_done(session: &mut dyn Session, place: &str) -> Result<i64, Error> {
    let mut done = 0;
    for mut row in session.rows("select number, sha256 from fundaudit_schema order by number", &[])? {
        let (number, hash) = (row.int()?, row.text()?);
        if number > TODAY {
            return Err(Error::Newer { place: place.to_owned(), found: number, known: TODAY });
        }
        let text = usize::try_from(number - 1).ok().and_then(|at| MIGRATIONS.get(at));
        if number != done + 1 || text.is_none_or(|(_, text)| hash_of(text) != hash) {
            return Err(Error::Damaged {
                what: format!("the store at `{place}`"),
                said: format!("step {number} of its form is not the one that this program knows"),
            });
        }
        done = number;
    }
    Ok(done)
}

fn note(session: &mut dyn Session, number: usize, name: &str, hash: &str) -> Result<(), Error> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    session.run(
        "insert into fundaudit_schema (number, name, sha256) values ($1, $2, $3)",
        &[Arg::from(number), Arg::from(name), Arg::from(hash)],
    )?;
    Ok(())
}

fn in_words_of(postgres: bool, text: &str) -> String {
    let (text_word, int, strict) =
        if postgres { ("text collate \"C\"", "bigint", "") } else { ("text", "integer", "strict") };
    text.replace("{text}", text_word).replace("{int}", int).replace("{strict}", strict)
}

fn hash_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"))
}
