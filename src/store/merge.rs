//! A scan's findings come in.
//!
//! Goes in: findings, who was looked at. Comes out: the store afterwards, in one transaction. Findings come in groups: the
//! hashes of what is kept are read, and only what differs is written. A fact that came out the same costs a look and the note
//! that it was seen; what a fact that is not met costs nothing, unless its persons were looked at.
//!
//! Deliberately unknown here: what a scan's news mean for a case, which `cases::scanned` says.

use std::collections::{BTreeMap, HashMap};

use super::database::{Arg, GROUP, Session, There, group_of};
use super::finding::{self, CASE, CASE_COLUMNS, Said, Times, case};
use super::sql::Sql;
use super::work::put_steps;
use super::{Error, Facility, Found, Merged, ScanRecord, Scope, What, night, schema};
use crate::cases::{Case, Seen, Step, scanned};
use crate::findings::{Finding, FindingLine};

impl Sql {
    pub(super) fn merge_scan(
        &self,
        scan: &ScanRecord,
        found: &mut dyn Iterator<Item = Found>,
        scope: &Scope,
        at: &str,
    ) -> Result<Merged, Error> {
        let mut session = self.database.write_alone("merge what the scan found")?;
        let session = session.as_mut();
        if let Some(known) = night::scan_of(session, &scan.scan_id)?
            && let Some(merged) = known.merged
        {
            return Ok(merged);
        }
        if let Some(lease) = &scan.lease {
            night::check_lease(session, lease)?;
        }
        night::begin(session, scan)?;
        night::note_files(session, &scan.files)?;
        for (name, value) in &scan.remember {
            night::remember(session, name, value)?;
        }
        put_facilities(session, &scan.facilities)?;
        let mut merge = Merge { session, scan, at, rules: BTreeMap::new(), merged: Merged::default() };
        let mut group = Vec::with_capacity(GROUP);
        loop {
            group.extend(found.by_ref().take(GROUP - group.len()));
            if group.is_empty() {
                break;
            }
            merge.take(&group)?;
            group.clear();
        }
        merge.forget(scope)?;
        merge.put_rules()?;
        let merged = merge.merged;
        night::merged(session, scan, &merged, at)?;
        self.commit(session, merged)
    }
}

struct Merge<'a> {
    session: &'a mut dyn Session,
    scan: &'a ScanRecord,
    at: &'a str,
    /// Code → name and title.
    rules: BTreeMap<String, (String, String)>,
    merged: Merged,
}
