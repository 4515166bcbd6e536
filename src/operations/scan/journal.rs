//! The journal of the nights: what was begun and is not done, so that a night that was cut short goes on where it stood.
//!
//! Goes in and comes out: a [`Night`], a small JSON in the store. It is written once, when it is decided what the night is to do,
//! and once more when that is done; everything in between tells for itself how far it is: the dataset which files it has, the
//! store whether the scan was merged. A file that turns out to be unreadable is crossed out. Deliberately unknown here: the
//! steps of a night.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::drop::{Delivery, Seen, SetAside};
use crate::operations::Error;
use crate::store::Store;

/// Under which names the store remembers what a scan has to know of the one before.
const NIGHT: &str = "scan.night";
const SEEN: &str = "scan.files";
/// Kept by the merge of a scan, in one transaction with its findings.
pub const ASKED: &str = "scan.asked";

/// What a night is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Night {
    pub scan_id: String,
    pub started_at: String,
    /// The dataset that it works on.
    pub dataset: String,
    pub deliveries: Vec<Delivery>,
    pub aside: Vec<SetAside>,
    pub unfinished: Vec<String>,
    /// How the rules were asked last before this night.
    pub asked: Option<Asked>,
}

/// How the rules were asked: as long as this stays as it is, what is known of persons whose rows are as they were stays too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Of rules, parameters, knowledge, exemptions, region, facilities, the first day of the data, the program.
    pub with: String,
    /// The day to which open stays ran.
    pub as_of: i32,
    /// Of the files with which the dataset began.
    pub dataset: String,
    /// Deliveries that were appended to it.
    pub deliveries: u32,
}

/// The night that is not done, if there is one.
pub fn unfinished(store: &dyn Store) -> Result<Option<Night>, Error> {
    recalled(store, NIGHT)
}

/// Writes down what a night is to do.
pub fn write(store: &dyn Store, night: &Night) -> Result<(), Error> {
    Ok(store.remember(NIGHT, &json(night)?)?)
}

/// The night is done.
pub fn close(store: &dyn Store) -> Result<(), Error> {
    Ok(store.remember(NIGHT, "")?)
}

/// Files of the drop folder as they were seen last.
pub fn seen(store: &dyn Store) -> Result<Seen, Error> {
    Ok(recalled(store, SEEN)?.unwrap_or_default())
}

/// Files of the drop folder as they are.
pub fn see(store: &dyn Store, seen: &Seen) -> Result<(), Error> {
    Ok(store.remember(SEEN, &json(seen)?)?)
}

/// How the rules were asked last.
pub fn asked(store: &dyn Store) -> Result<Option<Asked>, Error> {
    recalled(store, ASKED)
}

/// As the store remembers it.
pub fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Engine(format!("cannot write the journal of the nights: {e}")))
}

fn recalled<T: DeserializeOwned>(store: &dyn Store, name: &str) -> Result<Option<T>, Error> {
    let Some(text) = store.recall(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|e| {
        Error::Engine(format!(
            "the journal of the nights in the store cannot be read (`{name}`: {e}): another version of the program wrote it; let \
             that one finish the night"
        ))
    })
}
