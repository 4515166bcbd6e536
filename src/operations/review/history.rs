//! What is known of persons before their pending claims: where a review asks for the past.
//!
//! Goes in: persons. Comes out: the rows of the platform's tables that concern them, as a dataset holds them or as somebody
//! else does who implements [`History`]. Deliberately unknown here: what is pending; rows that are pending too are left out
//! by who lays both together.

use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;

use super::super::Error;
use super::pending::{AtIssue, forms_of, joined};
use super::told;
use crate::engine::{Facility, Setting, Tables};
use crate::ingest::{Dataset, Past};
use crate::progress::{Progress, Silent};

pub use crate::ingest::past::Wanted;

/// The past of persons.
pub trait History: Send + Sync {
    /// Every row of these persons, all of a review in one call. A table or a column that is not there is unknown.
    ///
    /// # Errors
    /// It cannot be read.
    fn of(&self, persons: &[&str], wanted: &Wanted) -> Result<Tables, Error>;
    /// The first day of which it knows everything; a look back beyond it is not evaluated.
    fn first_day(&self) -> i32;
    /// Designated facilities by code.
    fn facilities(&self) -> &Arc<HashMap<String, Facility>>;
}

/// No past: claims are reviewed by themselves.
#[derive(Debug, Default)]
pub struct Nothing {
    pub facilities: Arc<HashMap<String, Facility>>,
}

impl History for Nothing {
    fn of(&self, _persons: &[&str], _wanted: &Wanted) -> Result<Tables, Error> {
        Ok(Tables::new())
    }

    fn first_day(&self) -> i32 {
        i32::MAX
    }

    fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
        &self.facilities
    }
}

/// The past as a dataset has it, one read a person: see [`Past`].
#[derive(Debug)]
pub struct OfDataset {
    dataset: Dataset,
    past: Past,
    facilities: Arc<HashMap<String, Facility>>,
}

impl OfDataset {
    /// Opens the past of a dataset and reads the facilities, once.
    ///
    /// # Errors
    /// They cannot be read, or the past not made.
    pub fn new(dataset: Dataset) -> Result<OfDataset, Error> {
        OfDataset::told(dataset, &Silent)
    }

    /// As [`OfDataset::new`], and tells how far it is: where the past is asked for the first time it is made, which takes about as
    /// long as an audit of the dataset.
    ///
    /// # Errors
    /// As [`OfDataset::new`]; the work is wanted no longer.
    pub fn told(dataset: Dataset, progress: &dyn Progress) -> Result<OfDataset, Error> {
        let facilities = facilities_of(&dataset)?;
        let past = Past::of(&dataset, progress)?;
        Ok(OfDataset { dataset, past, facilities: Arc::new(facilities) })
    }

    /// With more facilities, where the dataset does not have them.
    #[must_use]
    pub fn knowing(mut self, more: HashMap<String, Facility>) -> OfDataset {
        let known = Arc::make_mut(&mut self.facilities);
        for (code, facility) in more {
            known.entry(code).or_insert(facility);
        }
        self
    }

    /// The dataset.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Its persons' past.
    #[must_use]
    pub fn past(&self) -> &Past {
        &self.past
    }
}

/// The facilities of a dataset by code.
pub(super) fn facilities_of(dataset: &Dataset) -> Result<HashMap<String, Facility>, Error> {
    Setting::facilities_of(&dataset.facilities()?).map_err(|e| Error::Engine(e.to_string()))
}

impl History for OfDataset {
    fn of(&self, persons: &[&str], wanted: &Wanted) -> Result<Tables, Error> {
        Ok(self.past.read(persons, wanted)?)
    }

    fn first_day(&self) -> i32 {
        self.dataset.manifest().first_day.unwrap_or(i32::MAX)
    }

    fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
        &self.facilities
    }
}

/// A past of which the rows of one person are read before it is sure that they are asked for.
pub struct Ahead {
    base: Arc<dyn History>,
    person: String,
    wanted: Wanted,
    read: OnceLock<Result<Tables, Error>>,
}

impl Ahead {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(base: Arc<dyn History>, person: String, wanted: Wanted) -> Ahead {
        Ahead { base, person, wanted, read: OnceLock::new() }
    }

    /// Reads the person's rows, once: who asks for them meanwhile waits for them.
    pub fn read(&self) -> &Result<Tables, Error> {
        self.read.get_or_init(|| self.base.of(&[&self.person], &self.wanted))
    }
}

impl History for Ahead {
    fn of(&self, persons: &[&str], wanted: &Wanted) -> Result<Tables, Error> {
        match persons {
            [person] if *person == self.person && *wanted == self.wanted => match self.read() {
                Ok(rows) => Ok(rows.clone()),
                // Perhaps it can be read now; else it says why not.
                Err(_) => self.base.of(persons, wanted),
            },
            _ => self.base.of(persons, wanted),
        }
    }

    fn first_day(&self) -> i32 {
        self.base.first_day()
    }

    fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
        self.base.facilities()
    }
}

/// A past to which somebody adds what he knows of it himself, as a hospital's message does of earlier visits. What both know
/// counts once, as `base` has it: see `told`.
#[derive(Clone, Copy)]
pub struct With<'h> {
    base: &'h dyn History,
    told: &'h Tables,
}

impl<'h> With<'h> {
    /// What `base` knows and what is told.
    #[must_use]
    pub fn new(base: &'h dyn History, told: &'h Tables) -> With<'h> {
        With { base, told }
    }
}

impl History for With<'_> {
    fn of(&self, persons: &[&str], wanted: &Wanted) -> Result<Tables, Error> {
        if self.told.values().all(|batch| batch.num_rows() == 0) {
            return self.base.of(persons, wanted);
        }
        let known = self.base.of(persons, &told::with_what_tells(wanted))?;
        let internal = |e| Error::Engine(format!("cannot lay what is told of the past to what is known: {e}"));
        let besides = told::besides(self.told, &known).map_err(internal)?;
        joined(&besides, &known, &AtIssue::default(), &forms_of(wanted)).map_err(internal)
    }

    fn first_day(&self) -> i32 {
        self.base.first_day()
    }

    fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
        self.base.facilities()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::Table;

    /// Writes down for whom it is asked.
    #[derive(Default)]
    struct Asked {
        of: Mutex<Vec<String>>,
        nobody: Nothing,
    }

    impl History for Asked {
        fn of(&self, persons: &[&str], wanted: &Wanted) -> Result<Tables, Error> {
            self.of.lock().unwrap().push(persons.join(" "));
            if persons == ["P3"] { Err(Error::Stopped) } else { self.nobody.of(persons, wanted) }
        }

        fn first_day(&self) -> i32 {
            self.nobody.first_day()
        }

        fn facilities(&self) -> &Arc<HashMap<String, Facility>> {
            self.nobody.facilities()
        }
    }

    #[test]
    fn who_is_read_ahead_is_read_once_and_others_as_ever() {
        let wanted = Wanted::from([(Table::Encounter, vec!["mdtrt_id"])]);
        let base = Arc::new(Asked::default());
        let ahead = |person: &str| Ahead::new(Arc::clone(&base) as Arc<dyn History>, person.to_owned(), wanted.clone());
        let asked = || std::mem::take(&mut *base.of.lock().unwrap());
        let of_p1 = ahead("P1");
        std::thread::scope(|threads| {
            threads.spawn(|| of_p1.read().is_ok());
            assert!(of_p1.of(&["P1"], &wanted).is_ok());
        });
        assert_eq!(asked(), ["P1"]);
        // Somebody else, more than one, other columns: what was read ahead is not what is asked for.
        assert!(of_p1.of(&["P2"], &wanted).is_ok());
        assert!(of_p1.of(&["P1", "P2"], &wanted).is_ok());
        assert!(of_p1.of(&["P1"], &Wanted::new()).is_ok());
        assert_eq!(asked(), ["P2", "P1 P2", "P1"]);
        // What cannot be read is told to who asks for it.
        let of_p3 = ahead("P3");
        assert!(of_p3.read().is_err());
        assert!(of_p3.of(&["P3"], &wanted).is_err());
        assert_eq!(asked(), ["P3", "P3"]);
    }
}
