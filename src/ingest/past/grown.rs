//! What a dataset has beside the rows of persons since it was appended to: rows that wait for their encounter, how many lines
//! each person has that was put here, and persons about whom the rules are to be asked again.
//!
//! Goes in: rows as texts, persons. Comes out: the same. Part of a [`Change`], so that it holds together with the rows of
//! persons or not at all. Deliberately unknown here: when a row stops waiting, who asks the rules.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use rusqlite::{Connection, OptionalExtension, params};

use super::{A_LOT, Change, Error, Past};
use crate::model::Table;

/// Made by the first change that grows a dataset.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS waiting(id INTEGER PRIMARY KEY, mdtrt_id TEXT NOT NULL, turn INTEGER NOT NULL, file TEXT NOT NULL, row INTEGER NOT NULL, name TEXT NOT NULL, cells TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS waiting_for ON waiting(mdtrt_id);
CREATE TABLE IF NOT EXISTS grown(psn_no TEXT PRIMARY KEY, fee_lines INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS charged(mdtrt_id TEXT NOT NULL, psn_no TEXT NOT NULL, PRIMARY KEY(mdtrt_id, psn_no)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS due(psn_no TEXT PRIMARY KEY) WITHOUT ROWID;
";

/// Trace codes that several persons hold, or once held: few, so that who shares one with whom is told without reading rows.
const SHARED: &str = "
CREATE TABLE shared(code INTEGER PRIMARY KEY);
INSERT INTO shared SELECT code FROM trace GROUP BY code HAVING count(*) > 1;
";

/// A row that is set aside because of its encounter, in a form that outlives this version of the program.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::ingest) struct Waiting {
    /// In the file; 0 before it is there.
    #[serde(skip)]
    pub id: i64,
    /// The encounter for which it waits.
    pub mdtrt_id: String,
    /// When it came, among the deliveries.
    pub turn: u32,
    /// As the list of rows set aside names it.
    pub file: String,
    pub row: u64,
    pub table: String,
    /// JSON object: column → text.
    pub cells: String,
}

impl Past {
    /// Rows that wait for one of these encounters, in the order in which they came.
    pub(in crate::ingest) fn waiting_for(&self, encounters: &BTreeSet<String>) -> Result<Vec<Waiting>, Error> {
        if !self.has_grown()? {
            return Ok(Vec::new());
        }
        let mut waiting = Vec::new();
        self.reading(|db| {
            let sql = "SELECT id, mdtrt_id, turn, file, row, name, cells FROM waiting WHERE mdtrt_id = ?1";
            let mut statement = self.told(db.prepare(sql))?;
            for encounter in encounters {
                let found = self.told(statement.query_map([encounter], |row| {
                    Ok(Waiting {
                        id: row.get(0)?,
                        mdtrt_id: row.get(1)?,
                        turn: row.get(2)?,
                        file: row.get(3)?,
                        row: row.get::<_, i64>(4)?.cast_unsigned(),
                        table: row.get(5)?,
                        cells: row.get(6)?,
                    })
                }))?;
                for row in found {
                    waiting.push(self.told(row)?);
                }
            }
            Ok(())
        })?;
        waiting.sort_by_key(|row: &Waiting| row.id);
        Ok(waiting)
    }

    /// Whose these encounters and settlements are.
    pub(in crate::ingest) fn owners(
        &self,
        encounters: &BTreeSet<String>,
        settlements: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, Error> {
        let find = |table: &str, id: &str, ids: &[&String]| {
            self.reading(|db| {
                let sql =
                    format!("SELECT psn_no FROM {table} JOIN person ON person.id = {table}.person WHERE {id} = ?1");
                let mut statement = self.told(db.prepare_cached(&sql))?;
                let mut owner = |id: &&String| statement.query_row([id], |row| row.get::<_, String>(0)).optional();
                let owners = ids.iter().filter_map(|id| owner(id).transpose());
                self.told(owners.collect::<rusqlite::Result<BTreeSet<String>>>())
            })
        };
        let mut persons = BTreeSet::new();
        for (table, id, ids) in [("encounter", "mdtrt_id", encounters), ("settlement", "setl_id", settlements)] {
            let ids: Vec<&String> = ids.iter().collect();
            let found = ids.par_chunks(A_LOT).map(|ids| find(table, id, ids)).collect::<Result<Vec<_>, Error>>()?;
            persons.extend(found.into_iter().flatten());
        }
        Ok(persons)
    }

    /// Who holds each of the trace codes that several persons hold; nothing where nobody keeps account of these codes.
    pub(super) fn holders(&self) -> Result<Option<Vec<Vec<String>>>, Error> {
        if !self.has("shared")? {
            return Ok(None);
        }
        // In this order: the codes are few, and all that are held are many.
        let sql = "SELECT shared.code, psn_no FROM shared CROSS JOIN trace ON trace.code = shared.code \
                   CROSS JOIN person ON person.id = trace.person ORDER BY shared.code, trace.person";
        self.reading(|db| {
            let mut statement = self.told(db.prepare(sql))?;
            let mut rows = self.told(statement.query([]))?;
            let mut holders: Vec<Vec<String>> = Vec::new();
            let mut last = None;
            while let Some(row) = self.told(rows.next())? {
                let code: i64 = self.told(row.get(0))?;
                if last.replace(code) != Some(code) {
                    holders.push(Vec::new());
                }
                if let Some(of_code) = holders.last_mut() {
                    of_code.push(self.told(row.get(1))?);
                }
            }
            Ok(Some(holders))
        })
    }

    /// Persons who were charged in these encounters when nobody knew them.
    pub(in crate::ingest) fn charged_in(&self, encounters: &BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
        if !self.has_grown()? {
            return Ok(BTreeSet::new());
        }
        self.reading(|db| {
            let mut statement = self.told(db.prepare("SELECT psn_no FROM charged WHERE mdtrt_id = ?1"))?;
            let mut persons = BTreeSet::new();
            for encounter in encounters {
                for person in self.told(statement.query_map([encounter], |row| row.get::<_, String>(0)))? {
                    persons.insert(self.told(person)?);
                }
            }
            Ok(persons)
        })
    }

    /// Persons of whom this file has the rows, with the number of their fee lines, by number.
    pub(in crate::ingest) fn grown(&self) -> Result<Vec<(String, u64)>, Error> {
        if !self.has_grown()? {
            return Ok(Vec::new());
        }
        self.reading(|db| {
            let mut statement = self.told(db.prepare("SELECT psn_no, fee_lines FROM grown ORDER BY psn_no"))?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()));
            let found = self.told(statement.query_map([], row))?;
            self.told(found.collect())
        })
    }

    /// Fee lines of persons; nothing for those of whom the dataset's files have the rows.
    pub(in crate::ingest) fn lines_of(&self, persons: &BTreeSet<String>) -> Result<Vec<Option<u64>>, Error> {
        if !self.has_grown()? {
            return Ok(vec![None; persons.len()]);
        }
        self.reading(|db| {
            let mut statement = self.told(db.prepare("SELECT fee_lines FROM grown WHERE psn_no = ?1"))?;
            let mut lines = |person: &String| statement.query_row([person], |row| row.get::<_, i64>(0)).optional();
            persons.iter().map(|person| Ok(self.told(lines(person))?.map(i64::cast_unsigned))).collect()
        })
    }

    /// Persons about whom the rules are to be asked: their rows, or those of somebody whom a rule sees together with them, are
    /// others than when they were asked last.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn due(&self) -> Result<BTreeSet<String>, Error> {
        if self.has_grown()? { self.persons("SELECT psn_no FROM due") } else { Ok(BTreeSet::new()) }
    }

    fn has_grown(&self) -> Result<bool, Error> {
        self.has("grown")
    }

    fn has(&self, table: &str) -> Result<bool, Error> {
        self.reading(|db| self.told(there_is(db, table)))
    }
}

/// Whether the file has a table.
pub(super) fn there_is(db: &Connection, table: &str) -> rusqlite::Result<bool> {
    db.query_row("SELECT count(*) FROM sqlite_master WHERE name = ?1", [table], |row| Ok(row.get::<_, i64>(0)? > 0))
}

/// These persons, and everybody who is linked to them by lists in which they stand together.
pub(super) fn linked(persons: &BTreeSet<String>, lists: &[Vec<String>]) -> BTreeSet<String> {
    let mut of_person: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, list) in lists.iter().enumerate() {
        for person in list {
            of_person.entry(person).or_default().push(number);
        }
    }
    let mut all = persons.clone();
    let mut open: Vec<&str> = persons.iter().map(String::as_str).collect();
    let mut seen = vec![false; lists.len()];
    while let Some(person) = open.pop() {
        for &list in of_person.get(person).into_iter().flatten() {
            if !std::mem::replace(&mut seen[list], true) {
                for other in lists[list].iter().filter(|other| !persons.contains(*other)) {
                    if all.insert(other.clone()) {
                        open.push(other);
                    }
                }
            }
        }
    }
    all
}

impl Change<'_> {
    /// Makes room for what the methods below keep.
    pub(in crate::ingest) fn grow(&self) -> Result<(), Error> {
        self.done(self.db.execute_batch(TABLES))?;
        if self.done(there_is(&self.db, "shared"))? { Ok(()) } else { self.done(self.db.execute_batch(SHARED)) }
    }

    /// Lets rows wait.
    pub(in crate::ingest) fn wait(&self, rows: &[Waiting]) -> Result<(), Error> {
        let sql = "INSERT INTO waiting(mdtrt_id, turn, file, row, name, cells) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut statement = self.done(self.db.prepare(sql))?;
        for row in rows {
            let number = row.row.cast_signed();
            let values = params![row.mdtrt_id, row.turn, row.file, number, row.table, row.cells];
            self.done(statement.execute(values))?;
        }
        Ok(())
    }

    /// Rows that wait no longer.
    pub(in crate::ingest) fn wake(&self, rows: &[Waiting]) -> Result<(), Error> {
        let mut statement = self.done(self.db.prepare("DELETE FROM waiting WHERE id = ?1"))?;
        rows.iter().try_for_each(|row| self.done(statement.execute([row.id])).map(|_| ()))
    }

    /// Persons are charged in encounters that nobody knows: (encounter, person).
    pub(in crate::ingest) fn charge(&self, pairs: &BTreeSet<(String, String)>) -> Result<(), Error> {
        let mut statement = self.done(self.db.prepare("INSERT OR IGNORE INTO charged VALUES (?1, ?2)"))?;
        pairs.iter().try_for_each(|pair| self.done(statement.execute([&pair.0, &pair.1])).map(|_| ()))
    }

    /// Encounters have come.
    pub(in crate::ingest) fn know(&self, encounters: &BTreeSet<String>) -> Result<(), Error> {
        let mut statement = self.done(self.db.prepare("DELETE FROM charged WHERE mdtrt_id = ?1"))?;
        encounters.iter().try_for_each(|encounter| self.done(statement.execute([encounter])).map(|_| ()))
    }

    /// The rows of persons are here from now on, so many fee lines of each.
    pub(in crate::ingest) fn count(&self, persons: &BTreeMap<String, u64>) -> Result<(), Error> {
        let mut statement = self.done(self.db.prepare("INSERT OR REPLACE INTO grown VALUES (?1, ?2)"))?;
        let put = |(person, lines): (&String, &u64)| statement.execute(params![person, lines.cast_signed()]);
        persons.iter().map(put).try_for_each(|put| self.done(put).map(|_| ()))
    }

    /// The rules are to be asked about persons.
    pub(in crate::ingest) fn make_due(&self, persons: &BTreeSet<String>) -> Result<(), Error> {
        let mut statement = self.done(self.db.prepare("INSERT OR IGNORE INTO due VALUES (?1)"))?;
        persons.iter().try_for_each(|person| self.done(statement.execute([person])).map(|_| ()))
    }

    /// The rules were asked about everybody who was due.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn nothing_due(&self) -> Result<(), Error> {
        self.grow()?;
        self.done(self.db.execute("DELETE FROM due", [])).map(|_| ())
    }
}

/// The table of a row that waits.
impl Waiting {
    pub(in crate::ingest) fn of_table(&self) -> Option<Table> {
        Table::named(&self.table)
    }
}
