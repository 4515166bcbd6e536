//! A scan's findings come in.
//!
//! Goes in: findings, who was looked at. Comes out: the store afterwards, in one transaction. Findings come in groups: the
//! hashes of what is kept are read, and only what differs is written. A fact that came out the same costs a look and the note
//! that it was seen; what a scan does not look at costs nothing.
//!
//! Deliberately unknown here: what a scan's news mean for a case, which `cases::scanned` says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rust_decimal::Decimal;

use super::database::{Arg, GROUP, Row, Session, There, group_of, without_nul};
use super::finding::{self, CASE, Said, Times};
use super::sql::Sql;
use super::work::{put_case, put_steps};
use super::{Error, Facility, Found, Merged, ScanRecord, Scope, What, night, schema};
use crate::cases::{Action, Case, Seen, Step, scanned};
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
        if let Some(merged) = night::scan_of(session.as_mut(), &scan.scan_id)?.and_then(|known| known.merged) {
            return Ok(merged);
        }
        if let Some(lease) = &scan.lease {
            night::check_lease(session.as_mut(), lease)?;
        }
        night::begin(session.as_mut(), scan)?;
        night::note_files(session.as_mut(), &scan.files)?;
        for (name, value) in &scan.remember {
            night::remember(session.as_mut(), name, value)?;
        }
        put_facilities(session.as_mut(), &scan.facilities)?;
        let mut merge =
            Merge { session: session.as_mut(), scan, at, rules: BTreeMap::new(), merged: Merged::default() };
        loop {
            let group: Vec<Found> = (&mut *found).take(GROUP).collect();
            if group.is_empty() {
                break;
            }
            merge.take(group)?;
        }
        merge.forget(scope)?;
        merge.put_rules()?;
        let merged = merge.merged;
        night::merged(session.as_mut(), scan, &merged, at)?;
        session.commit()?;
        Ok(merged)
    }
}

struct Merge<'a> {
    session: &'a mut dyn Session,
    scan: &'a ScanRecord,
    at: &'a str,
    /// Code → name and title, as the last finding of the rule has them.
    rules: BTreeMap<String, (String, String)>,
    merged: Merged,
}

/// A finding that a scan hands over, with what is worked out of it.
struct Heard {
    finding: Finding,
    lines: Vec<FindingLine>,
    /// In order, each once.
    persons: Vec<String>,
    content: String,
}

/// What the store knows of a fact, as far as it takes to tell whether a scan says something else.
struct Known {
    case: Case,
    content: String,
    rule_hash: String,
    allocated: Decimal,
    first_scan: String,
    first_seen_at: String,
}

/// Rows to write for a group of findings.
#[derive(Default)]
struct Rows<'a> {
    narrow: Vec<Vec<Arg<'a>>>,
    texts: Vec<Vec<Arg<'a>>>,
    lines: Vec<Vec<Arg<'a>>>,
    persons: Vec<Vec<Arg<'a>>>,
    sightings: Vec<Vec<Arg<'a>>>,
    steps: Vec<Step>,
    /// Findings whose old lines and persons go.
    replaced: Vec<&'a str>,
}

impl<'a> Merge<'a> {
    /// A group of findings.
    fn take(&mut self, group: Vec<Found>) -> Result<(), Error> {
        let heard: Vec<Heard> = group.into_iter().map(Heard::of).collect();
        let ids: Vec<&str> = heard.iter().map(|heard| heard.finding.finding_id.as_str()).collect();
        let known = self.known(&ids)?;
        let mut rows = Rows::default();
        let (mut same, mut changed) = (Vec::new(), Vec::new());
        for heard in &heard {
            let id = heard.finding.finding_id.as_str();
            self.rules.insert(
                heard.finding.rule_code.clone(),
                (heard.finding.rule_name.clone(), heard.finding.rule_title.clone()),
            );
            let Some(known) = known.get(id) else {
                let case = self.opened(&heard.finding);
                let times = self.times(None);
                rows.write(heard, &times, &case);
                rows.members(heard);
                rows.sightings.push(self.sighting(id, What::New, "[]".to_owned()));
                self.merged.new += 1;
                continue;
            };
            let (case, steps) = self.at_work(known, &heard.finding);
            let again = steps.iter().any(|step| step.action == Action::SeenAgain);
            let differs = known.content != heard.content;
            *(match (again, differs) {
                (true, _) => &mut self.merged.seen_again,
                (false, true) => &mut self.merged.changed,
                (false, false) => &mut self.merged.unchanged,
            }) += 1;
            if again {
                rows.sightings.push(self.sighting(id, What::SeenAgain, "[]".to_owned()));
            }
            if differs {
                changed.push(heard);
                rows.replaced.push(id);
                rows.members(heard);
            }
            let beside = known.rule_hash != heard.finding.rule_hash || known.case.region != case.region;
            if differs || beside || !steps.is_empty() {
                let times = self.times(Some(known));
                rows.write(heard, &times, &case);
            } else {
                same.push(id);
            }
            rows.steps.extend(steps);
        }
        self.changed(&changed, &mut rows)?;
        self.put(rows)?;
        self.seen_the_same(&same)
    }

    /// What the store knows of these.
    fn known(&mut self, ids: &[&str]) -> Result<HashMap<String, Known>, Error> {
        let mut known = HashMap::new();
        let sql = format!(
            "select {CASE}, f.content, t.rule_hash, f.allocated, f.first_scan, f.first_seen_at \
             from finding f join finding_text t on t.finding_id = f.finding_id where f.finding_id in"
        );
        self.session.of(&sql, ids, "", &mut |mut row| {
            let case = finding::case(&mut row)?;
            known.insert(
                case.finding_id.clone(),
                Known {
                    case,
                    content: row.text()?,
                    rule_hash: row.text()?,
                    allocated: row.yuan()?,
                    first_scan: row.text()?,
                    first_seen_at: row.text()?,
                },
            );
            Ok(())
        })?;
        Ok(known)
    }

    fn opened(&self, finding: &Finding) -> Case {
        let certain = finding.result == finding::CERTAIN;
        Case {
            region: self.region(finding),
            fixmedins_code: finding.fixmedins_code.clone(),
            ..Case::open(&finding.finding_id, certain, finding.allocated, self.at)
        }
    }

    /// The case after this scan, and the machine's steps in it.
    fn at_work(&self, known: &Known, finding: &Finding) -> (Case, Vec<Step>) {
        let seen = Seen::There { before: known.allocated, now: finding.allocated };
        let done = scanned(&known.case, seen, self.at);
        let mut case = done.last().map_or_else(|| known.case.clone(), |(case, _)| case.clone());
        if let Some(region) = self.region(finding) {
            case.region = Some(region);
        }
        (case, done.into_iter().map(|(_, step)| step).collect())
    }

    fn region(&self, finding: &Finding) -> Option<String> {
        let facility = finding.fixmedins_code.as_ref().and_then(|code| self.scan.facilities.get(code));
        facility.and_then(|facility| facility.admdvs.clone()).or_else(|| self.scan.region.clone())
    }

    fn times<'b>(&self, known: Option<&'b Known>) -> Times<'b>
    where
        'a: 'b,
    {
        let (record, at) = (self.scan, self.at);
        let scan = record.scan_id.as_str();
        Times {
            first_scan: known.map_or(scan, |known| &known.first_scan),
            first_seen_at: known.map_or(at, |known| &known.first_seen_at),
            last_scan: scan,
            last_seen_at: at,
        }
    }

    fn sighting<'b>(&self, id: &'b str, what: What, changes: String) -> Vec<Arg<'b>> {
        vec![
            Arg::from(id),
            Arg::from(&self.scan.scan_id).owned(),
            Arg::from(what.name()),
            Arg::from(self.at).owned(),
            Arg::from(changes),
        ]
    }

    /// Notes of what differs: what was kept is read once more, whole.
    fn changed<'b>(&mut self, heard: &[&'b Heard], rows: &mut Rows<'b>) -> Result<(), Error> {
        let ids: Vec<&str> = heard.iter().map(|heard| heard.finding.finding_id.as_str()).collect();
        let findings = finding::findings_of(self.session, &ids)?;
        let mut lines = finding::lines_of(self.session, &ids)?;
        for (heard, kept) in heard.iter().zip(findings) {
            let id = heard.finding.finding_id.as_str();
            let lines = lines.remove(id).unwrap_or_default();
            let before = Said { finding: &kept.finding, lines: &lines, persons: &kept.persons };
            let now = Said { finding: &heard.finding, lines: &heard.lines, persons: &heard.persons };
            let said = serde_json::to_string(&finding::changes(&before, &now)).expect("texts are JSON");
            rows.sightings.push(self.sighting(id, What::Changed, said));
        }
        Ok(())
    }

    fn put(&mut self, rows: Rows<'_>) -> Result<(), Error> {
        let columns = |name| schema::table(name).columns;
        for table in ["finding_line", "finding_person"] {
            for group in rows.replaced.chunks(GROUP) {
                let (list, args) = group_of(group);
                self.session.run(&format!("delete from {table} where finding_id in {list}"), &args)?;
            }
        }
        let known = There::Goes(&["finding_id"]);
        for (table, there, rows) in [
            ("finding", known, rows.narrow),
            ("finding_text", known, rows.texts),
            ("finding_line", There::Fails, rows.lines),
            ("finding_person", There::Fails, rows.persons),
            ("sighting", There::Fails, rows.sightings),
        ] {
            self.session.put(table, columns(table), there, &rows)?;
        }
        put_steps(self.session, &rows.steps)
    }

    /// That they were met, and nothing else.
    fn seen_the_same(&mut self, ids: &[&str]) -> Result<(), Error> {
        for group in ids.chunks(GROUP) {
            let (list, mut args) = group_of(group);
            args.push(Arg::from(&self.scan.scan_id));
            args.push(Arg::from(self.at));
            let (scan, at) = (args.len() - 1, args.len());
            let sql = format!("update finding set last_scan = ${scan}, last_seen_at = ${at} where finding_id in {list}");
            self.session.run(&sql, &args)?;
        }
        Ok(())
    }

    /// What is kept as there, was looked for, and was not met.
    fn forget(&mut self, scope: &Scope) -> Result<(), Error> {
        let missed = format!("select {CASE} from finding f where f.present = 1 and f.last_scan <> $1");
        let rows = match scope {
            Scope::Everyone => self.session.rows(&missed, &[Arg::from(&self.scan.scan_id)])?,
            Scope::Persons(persons) => {
                // A table of the moment: there may be more persons than a statement takes values.
                self.session.script(
                    "drop table if exists looked_at; create temp table looked_at (psn_no text not null primary key)",
                )?;
                let wanted: Vec<Vec<Arg<'_>>> = persons.iter().map(|psn_no| vec![Arg::from(psn_no)]).collect();
                self.session.put("looked_at", &["psn_no"], There::Stays, &wanted)?;
                let sql = format!(
                    "{missed} and f.finding_id in \
                     (select p.finding_id from finding_person p where p.psn_no in (select psn_no from looked_at)) \
                     and not exists (select 1 from finding_person q where q.finding_id = f.finding_id \
                     and q.psn_no not in (select psn_no from looked_at))"
                );
                let rows = self.session.rows(&sql, &[Arg::from(&self.scan.scan_id)])?;
                self.session.script("drop table looked_at")?;
                rows
            }
        };
        let mut steps = Vec::new();
        let mut sightings = Vec::new();
        let cases = rows.into_iter().map(|mut row: Row| finding::case(&mut row)).collect::<Result<Vec<_>, _>>()?;
        for case in &cases {
            let done = scanned(case, Seen::Gone, self.at);
            if let Some((gone, _)) = done.last() {
                put_case(self.session, gone, case.version)?;
            }
            steps.extend(done.into_iter().map(|(_, step)| step));
            sightings.push(self.sighting(&case.finding_id, What::NoLongerFound, "[]".to_owned()));
            self.merged.no_longer_found += 1;
        }
        self.session.put("sighting", schema::table("sighting").columns, There::Fails, &sightings)?;
        put_steps(self.session, &steps)
    }

    fn put_rules(&mut self) -> Result<(), Error> {
        let rows: Vec<Vec<Arg<'_>>> = self
            .rules
            .iter()
            .map(|(code, (name, title))| vec![Arg::from(code), Arg::from(name), Arg::from(title)])
            .collect();
        self.session.put("rule", schema::table("rule").columns, There::Goes(&["rule_code"]), &rows)
    }
}

impl Heard {
    fn of((finding, lines, persons): Found) -> Heard {
        let persons: BTreeSet<String> = persons.iter().map(|psn_no| without_nul(psn_no).into_owned()).collect();
        let persons: Vec<String> = persons.into_iter().collect();
        let content = finding::content(&finding, &lines, &persons);
        Heard { finding, lines, persons, content }
    }
}

impl<'a> Rows<'a> {
    fn write(&mut self, heard: &'a Heard, times: &Times<'a>, case: &Case) {
        self.narrow.push(finding::narrow(&heard.finding, &heard.content, times, case));
        self.texts.push(finding::texts(&heard.finding));
    }

    fn members(&mut self, heard: &'a Heard) {
        let id = heard.finding.finding_id.as_str();
        self.lines.extend(finding::line_rows(id, &heard.lines));
        self.persons.extend(heard.persons.iter().map(|psn_no| vec![Arg::from(id), Arg::from(psn_no)]));
    }
}

/// What is known of facilities; what a scan does not know is left.
fn put_facilities(session: &mut dyn Session, facilities: &BTreeMap<String, Facility>) -> Result<(), Error> {
    let rows: Vec<Vec<Arg<'_>>> = facilities
        .iter()
        .map(|(code, facility)| vec![Arg::from(code), Arg::from(&facility.name), Arg::from(&facility.admdvs)])
        .collect();
    session.put("facility", schema::table("facility").columns, There::Goes(&["fixmedins_code"]), &rows)
}
