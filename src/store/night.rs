//! What nights leave: scans, files that were taken in, leases, small values.
//!
//! Goes in: records. Comes out: the same, and who has a lease. A scan is *running* until what it found is in the store; only a
//! scan that was merged can be *finished*, so one that was killed is never shown as finished. Deliberately unknown here: what
//! a scan does.

use jiff::civil::DateTime;
use jiff::Span;

use super::database::{Arg, Row, Session, There};
use super::sql::Sql;
use super::{
    End, Error, FileTaken, Held, Info, Lease, Merged, Scan, ScanRecord, ScanState, schema,
};

const SCAN: &str = "select scan_id, state, started_at, merged_at, ended_at, as_of, rule_set_hash, everyone, merged, record \
                    from scan";
const FILE: &str = "select sha256, name, bytes, rows, taken_at, scan_id, reason from file_taken";

impl Sql {
    pub(super) fn begin_scan(&self, scan: &ScanRecord) -> Result<(), Error> {
        let mut session = self.database.write("write down that the scan begins")?;
        begin(session.as_mut(), scan)?;
        session.commit()
    }

    pub(super) fn end_scan(&self, scan_id: &str, end: End, record: &str, at: &str) -> Result<(), Error> {
        let mut session = self.database.write("write down that the scan ended")?;
        let Some(scan) = scan_of(session.as_mut(), scan_id)? else {
            return Err(Error::Unknown { what: "scan", name: scan_id.to_owned() });
        };
        let state = match (end, scan.state) {
            (End::Finished, ScanState::Running | ScanState::Failed) => {
                return Err(Error::Refused(format!(
                    "scan `{scan_id}` cannot be finished: what it found is not in the store"
                )));
            }
            (End::Finished, _) => ScanState::Finished,
            // What is in the store stays there: such a scan is only without its report.
            (End::Failed, ScanState::Merged | ScanState::Finished) => scan.state,
            (End::Failed, _) => ScanState::Failed,
        };
        session.run(
            "update scan set state = $1, ended_at = $2, record = $3 where scan_id = $4",
            &[Arg::from(state.name()), Arg::from(at), Arg::from(record), Arg::from(scan_id)],
        )?;
        session.commit()
    }

    pub(super) fn last_scans(&self, last: u32) -> Result<Vec<Scan>, Error> {
        let mut session = self.database.read("list scans")?;
        let sql = format!("{SCAN} order by started_at desc, scan_id desc limit $1");
        session.rows(&sql, &[Arg::from(i64::from(last))])?.into_iter().map(scan).collect()
    }

    pub(super) fn scan_of(&self, scan_id: &str) -> Result<Option<Scan>, Error> {
        scan_of(self.database.read("find a scan")?.as_mut(), scan_id)
    }

    pub(super) fn file_of(&self, sha256: &str) -> Result<Option<FileTaken>, Error> {
        let mut session = self.database.read("find a file")?;
        session.row(&format!("{FILE} where sha256 = $1"), &[Arg::from(sha256)])?.map(file).transpose()
    }

    pub(super) fn note_files(&self, files: &[FileTaken]) -> Result<(), Error> {
        let mut session = self.database.write("write down files")?;
        note_files(session.as_mut(), files)?;
        session.commit()
    }

    pub(super) fn files_of(&self, scan_id: Option<&str>) -> Result<Vec<FileTaken>, Error> {
        let mut session = self.database.read("list files")?;
        let rows = match scan_id {
            Some(scan) => session.rows(&format!("{FILE} where scan_id = $1 order by name, sha256"), &[Arg::from(scan)])?,
            None => session.rows(&format!("{FILE} order by name, sha256"), &[])?,
        };
        rows.into_iter().map(file).collect()
    }

    pub(super) fn note_value(&self, name: &str, value: &str) -> Result<(), Error> {
        let mut session = self.database.write("remember a value")?;
        remember(session.as_mut(), name, value)?;
        session.commit()
    }

    pub(super) fn value_of(&self, name: &str) -> Result<Option<String>, Error> {
        let mut session = self.database.read("recall a value")?;
        let row = session.row("select value from remembered where name = $1", &[Arg::from(name)])?;
        row.map(|mut row| row.text()).transpose()
    }

    pub(super) fn take_lease(&self, name: &str, owner: &str, now: &str, seconds: u32) -> Result<Lease, Error> {
        let moment = time(now)?;
        let mut session = self.database.write("take a lease")?;
        // A row to wait for: of two that come at once the second sees what the first has done.
        session.put(
            "lease",
            &["name", "owner", "number", "since", "heartbeat", "seconds"],
            There::Stays,
            &[vec![Arg::from(name), Arg::from(""), Arg::from(0_i64), Arg::from(now), Arg::from(now), Arg::from(0_i64)]],
        )?;
        session.run("update lease set number = number where name = $1", &[Arg::from(name)])?;
        let (held, number, lasting) = lease_of(session.as_mut(), name)?;
        let lapsed = lasting == 0 || time(&held.heartbeat)?.saturating_add(Span::new().seconds(lasting)) < moment;
        if !lapsed && held.owner != owner {
            return Err(Error::Held(held));
        }
        let number = number + 1;
        session.run(
            "update lease set owner = $1, number = $2, since = $3, heartbeat = $3, seconds = $4 where name = $5",
            &[
                Arg::from(owner),
                Arg::from(number),
                Arg::from(now),
                Arg::from(i64::from(seconds.max(1))),
                Arg::from(name),
            ],
        )?;
        session.commit()?;
        Ok(Lease { name: name.to_owned(), owner: owner.to_owned(), number })
    }

    pub(super) fn keep_lease(&self, lease: &Lease, now: &str) -> Result<(), Error> {
        time(now)?;
        let mut session = self.database.write("keep a lease")?;
        check_lease(session.as_mut(), lease)?;
        session.run("update lease set heartbeat = $1 where name = $2", &[Arg::from(now), Arg::from(&lease.name)])?;
        session.commit()
    }

    pub(super) fn give_lease_back(&self, lease: &Lease) -> Result<(), Error> {
        let mut session = self.database.write("give a lease back")?;
        session.run(
            "update lease set seconds = 0 where name = $1 and number = $2",
            &[Arg::from(&lease.name), Arg::from(lease.number)],
        )?;
        session.commit()
    }

    pub(super) fn about(&self) -> Result<Info, Error> {
        let (database, bytes) = self.database.about()?;
        let mut session = self.database.read("look at the store")?;
        let mut info = Info { database, bytes, schema: schema::TODAY, ..Info::default() };
        for table in schema::tables() {
            let rows = session.number(&format!("select count(*) from {table}"), &[])?;
            info.rows.insert(table.to_owned(), u64::try_from(rows).unwrap_or(0));
        }
        let sql = format!("{SCAN} where state = $1 order by started_at desc, scan_id desc limit 1");
        info.last_scan = session.row(&sql, &[Arg::from(ScanState::Finished.name())])?.map(scan).transpose()?;
        for mut row in session.rows("select name from lease where seconds > 0 order by name", &[])? {
            info.leases.push(lease_of(session.as_mut(), &row.text()?)?.0);
        }
        Ok(info)
    }
}

/// Writes a scan down, unless it is there.
pub(super) fn begin(session: &mut dyn Session, scan: &ScanRecord) -> Result<(), Error> {
    session.put(
        "scan",
        &["scan_id", "state", "started_at", "as_of", "rule_set_hash", "everyone", "record"],
        There::Stays,
        &[vec![
            Arg::from(&scan.scan_id),
            Arg::from(ScanState::Running.name()),
            Arg::from(&scan.started_at),
            Arg::from(scan.as_of),
            Arg::from(&scan.rule_set_hash),
            Arg::from(scan.everyone),
            Arg::from(""),
        ]],
    )
}

/// What a scan found is in the store.
pub(super) fn merged(session: &mut dyn Session, scan: &ScanRecord, merged: &Merged, at: &str) -> Result<(), Error> {
    let said = serde_json::to_string(merged).expect("counts are JSON");
    session.run(
        "update scan set state = $1, merged_at = $2, merged = $3, as_of = $4, rule_set_hash = $5, everyone = $6 \
         where scan_id = $7",
        &[
            Arg::from(ScanState::Merged.name()),
            Arg::from(at),
            Arg::from(said),
            Arg::from(scan.as_of),
            Arg::from(&scan.rule_set_hash),
            Arg::from(scan.everyone),
            Arg::from(&scan.scan_id),
        ],
    )?;
    Ok(())
}

pub(super) fn scan_of(session: &mut dyn Session, scan_id: &str) -> Result<Option<Scan>, Error> {
    session.row(&format!("{SCAN} where scan_id = $1"), &[Arg::from(scan_id)])?.map(scan).transpose()
}

fn scan(mut row: Row) -> Result<Scan, Error> {
    Ok(Scan {
        scan_id: row.text()?,
        state: row.word(ScanState::from_name)?,
        started_at: row.text()?,
        merged_at: row.may_text()?,
        ended_at: row.may_text()?,
        as_of: row.may_day()?.unwrap_or_default(),
        rule_set_hash: row.text()?,
        everyone: row.flag()?,
        merged: match row.may_text()? {
            Some(said) => Some(serde_json::from_str(&said).map_err(|error| Error::Damaged {
                what: "the record of a scan".to_owned(),
                said: error.to_string(),
            })?),
            None => None,
        },
        record: row.text()?,
    })
}

/// Writes files down; what was set aside may be taken later.
pub(super) fn note_files(session: &mut dyn Session, files: &[FileTaken]) -> Result<(), Error> {
    for file in files {
        session.run("delete from file_taken where sha256 = $1 and reason is not null", &[Arg::from(&file.sha256)])?;
    }
    let rows: Vec<Vec<Arg<'_>>> = files
        .iter()
        .map(|file| {
            vec![
                Arg::from(&file.sha256),
                Arg::from(&file.name),
                Arg::from(file.bytes),
                Arg::from(file.rows),
                Arg::from(&file.taken_at),
                Arg::from(&file.scan_id),
                Arg::from(&file.reason),
            ]
        })
        .collect();
    session.put("file_taken", schema::table("file_taken").columns, There::Stays, &rows)
}

fn file(mut row: Row) -> Result<FileTaken, Error> {
    Ok(FileTaken {
        sha256: row.text()?,
        name: row.text()?,
        bytes: row.count()?,
        rows: row.count()?,
        taken_at: row.text()?,
        scan_id: row.may_text()?,
        reason: row.may_text()?,
    })
}

pub(super) fn remember(session: &mut dyn Session, name: &str, value: &str) -> Result<(), Error> {
    let row = vec![Arg::from(name), Arg::from(value)];
    session.put("remembered", &["name", "value"], There::Goes(&["name"]), &[row])
}

/// Fails unless the lease is still its owner's.
pub(super) fn check_lease(session: &mut dyn Session, lease: &Lease) -> Result<(), Error> {
    // Touched, so that nobody takes it over before this transaction ends.
    session.run("update lease set number = number where name = $1", &[Arg::from(&lease.name)])?;
    let (held, number, lasting) = lease_of(session, &lease.name)?;
    if number == lease.number && held.owner == lease.owner && lasting > 0 {
        return Ok(());
    }
    Err(Error::Held(held))
}

/// Who has a lease, its number, and for how many seconds after a heartbeat.
fn lease_of(session: &mut dyn Session, name: &str) -> Result<(Held, i64, i64), Error> {
    let row = session.row("select owner, since, heartbeat, number, seconds from lease where name = $1", &[Arg::from(name)])?;
    let Some(mut row) = row else { return Err(Error::Unknown { what: "lease", name: name.to_owned() }) };
    let held = Held { name: name.to_owned(), owner: row.text()?, since: row.text()?, heartbeat: row.text()? };
    Ok((held, row.int()?, row.int()?))
}

fn time(text: &str) -> Result<DateTime, Error> {
    text.parse().map_err(|error: jiff::Error| {
        Error::Refused(format!("`{text}` is no time such as `2026-11-22T15:40:12`: {error}"))
    })
}
