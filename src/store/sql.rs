//! [`Store`] over any [`Database`]: which file answers which method.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use super::database::Database;
use super::{
    By, End, Error, FileTaken, Filter, Found, Info, Kept, Lease, Listed, Merged, Page, Scan, ScanRecord, Scope,
    Sighting, Store, Sum, Version, schema,
};
use crate::cases::scorecard::Counts;
use crate::cases::{Action, Case, Step};
use crate::findings::FindingLine;

/// A store in a database.
pub(super) struct Sql {
    pub(super) database: Box<dyn Database>,
}

impl Sql {
    /// Makes its tables, or brings them up to date.
    pub(super) fn of(database: impl Database + 'static) -> Result<Sql, Error> {
        schema::bring_up_to_date(&database)?;
        Ok(Sql { database: Box::new(database) })
    }
}

impl Store for Sql {
    fn scan_begin(&self, scan: &ScanRecord) -> Result<(), Error> {
        self.begin_scan(scan)
    }

    fn merge(
        &self,
        scan: &ScanRecord,
        found: &mut dyn Iterator<Item = Found>,
        scope: &Scope,
        at: &str,
    ) -> Result<Merged, Error> {
        self.merge_scan(scan, found, scope, at)
    }

    fn scan_end(&self, scan_id: &str, end: End, record: &str, at: &str) -> Result<(), Error> {
        self.end_scan(scan_id, end, record, at)
    }

    fn scans(&self, last: u32) -> Result<Vec<Scan>, Error> {
        self.last_scans(last)
    }

    fn scan(&self, scan_id: &str) -> Result<Option<Scan>, Error> {
        self.scan_of(scan_id)
    }

    fn file(&self, sha256: &str) -> Result<Option<FileTaken>, Error> {
        self.file_of(sha256)
    }

    fn take_files(&self, files: &[FileTaken]) -> Result<(), Error> {
        self.note_files(files)
    }

    fn files(&self, scan_id: Option<&str>) -> Result<Vec<FileTaken>, Error> {
        self.files_of(scan_id)
    }

    fn remember(&self, name: &str, value: &str) -> Result<(), Error> {
        self.note_value(name, value)
    }

    fn recall(&self, name: &str) -> Result<Option<String>, Error> {
        self.value_of(name)
    }

    fn lease(&self, name: &str, owner: &str, now: &str, seconds: u32) -> Result<Lease, Error> {
        self.take_lease(name, owner, now, seconds)
    }

    fn heartbeat(&self, lease: &Lease, now: &str) -> Result<(), Error> {
        self.keep_lease(lease, now)
    }

    fn release(&self, lease: &Lease) -> Result<(), Error> {
        self.give_lease_back(lease)
    }

    fn list(&self, filter: &Filter, page: Page) -> Result<Listed, Error> {
        self.list_findings(filter, page)
    }

    fn each(
        &self,
        filter: &Filter,
        take: &mut dyn FnMut(Kept, Vec<FindingLine>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.each_finding(filter, take)
    }

    fn sum(&self, filter: &Filter, by: By) -> Result<Vec<Sum>, Error> {
        self.add_up(filter, by)
    }

    fn get(&self, finding_id: &str) -> Result<Option<Kept>, Error> {
        self.finding_of(finding_id)
    }

    fn lines(&self, finding_id: &str) -> Result<Vec<FindingLine>, Error> {
        self.lines_of(finding_id)
    }

    fn sightings(&self, finding_id: &str) -> Result<Vec<Sighting>, Error> {
        self.sightings_of(finding_id)
    }

    fn cases(&self, filter: &Filter, page: Page) -> Result<Vec<Case>, Error> {
        self.list_cases(filter, page)
    }

    fn step(&self, steps: &[(Version, Case, Step)]) -> Result<(), Error> {
        self.keep_steps(steps)
    }

    fn taken(&self, action: Action, at: &str) -> Result<u64, Error> {
        self.steps_taken(action, at)
    }

    fn steps(&self, finding_id: &str) -> Result<Vec<Step>, Error> {
        self.steps_of(finding_id)
    }

    fn scorecard(&self, filter: &Filter) -> Result<Vec<Counts>, Error> {
        self.scores(filter)
    }

    fn info(&self) -> Result<Info, Error> {
        self.about()
    }

    fn verify(&self) -> Result<Vec<String>, Error> {
        self.complaints()
    }

    fn dump(&self, to: &mut dyn Write, made_at: &str) -> Result<BTreeMap<String, u64>, Error> {
        self.dump_all(to, made_at)
    }

    fn fill(&self, from: &mut dyn Read) -> Result<BTreeMap<String, u64>, Error> {
        self.fill_all(from)
    }
}
