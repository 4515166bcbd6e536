//! Casework (疑点处理): people work on what is kept in a store, one case or many at once.
//!
//! Goes in: a store, the procedure of the place, an [`Order`]: which cases, what to do with them, who, when. Comes out: what was
//! done and what was refused, each with its reason; nothing of a case that was refused is written, and all that is done is written
//! together. When somebody else was quicker with a case, everything is read again and decided anew. Deliberately unknown here:
//! what may follow what ([`cases`](crate::cases)), SQL, flags.
//!
//! To add a kind of work: an act of `cases`, and its flags in `cli::case`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Error;
use crate::cases::scorecard::{self, Card};
use crate::cases::{Act, Actor, Attachment, Case, Command, Procedure, Refusal, Status, Step, apply};
use crate::model::day;
use crate::rules::Files;
use crate::store::{self, Filter, Order as Sorting, Page, Store};

/// How often everything is read again because somebody else was quicker.
const ATTEMPTS: u32 = 5;

/// What is to be done, with which cases.
#[derive(Debug, Clone)]
pub struct Order {
    pub filter: Filter,
    pub command: Command,
    pub by: Actor,
    /// Civil local time.
    pub at: String,
    /// More cases than this are a mistake in the filter.
    pub at_most: usize,
    /// Say what would be done and write nothing.
    pub dry_run: bool,
}

/// What became of an order.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Cases as they are now, with the step that made them so.
    pub done: Vec<(Case, Step)>,
    /// Findings whose cases stayed as they were, and why.
    pub refused: Vec<(String, Refusal)>,
}

/// The procedure of a rule library; without one, the procedure that is built in.
///
/// # Errors
/// Every mistake in it; a folder that cannot be read.
pub fn procedure(rules: Option<&Path>) -> Result<Procedure, Error> {
    let files = match rules {
        Some(folder) => Files::in_folder(folder)
            .map_err(|e| Error::Usage(format!("cannot read the rules in `{}`: {e}", folder.display())))?,
        None => Files::built_in(),
    };
    Procedure::read(&files).map_err(Error::Rules)
}

/// Does what is ordered with every case that the filter lets pass.
///
/// # Errors
/// Findings that are named and not there; more cases than was said; the store.
pub fn act(store: &dyn Store, procedure: &Procedure, order: &Order) -> Result<Done, Error> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let cases = store.cases(&order.filter, Page::all(Sorting::Money))?;
        let known = |id: &String| cases.iter().any(|case| case.finding_id == *id);
        if let Some(id) = order.filter.findings.iter().find(|id| !known(id)) {
            return Err(missing(store, id)?);
        }
        if cases.len() > order.at_most {
            return Err(Error::Usage(format!(
                "{} cases fit, and at most {} were expected: narrow the filter, or say `--at-most {}`",
                cases.len(),
                order.at_most,
                cases.len()
            )));
        }
        let mut outcome = Done::default();
        let mut steps = Vec::new();
        for case in &cases {
            match apply(case, &order.command, procedure, &order.by, &order.at) {
                Ok((after, step)) => {
                    steps.push((case.version, after.clone(), step.clone()));
                    outcome.done.push((after, step));
                }
                Err(why) => outcome.refused.push((case.finding_id.clone(), why)),
            }
        }
        if order.dry_run || steps.is_empty() {
            return Ok(outcome);
        }
        match store.step(&steps) {
            Ok(()) => return Ok(outcome),
            Err(store::Error::Moved { .. }) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A finding that was named and that the filter did not let pass: is it there at all?
fn missing(store: &dyn Store, id: &str) -> Result<Error, Error> {
    Ok(match store.get(id)? {
        Some(_) => {
            Error::Usage(format!("finding `{id}` is there, but not among those that the other conditions let pass"))
        }
        None => Error::Usage(format!("there is no finding `{id}` in the store: `fundaudit case list` names them all")),
    })
}

/// Lets the silence of facilities count as assent where their time is over (逾期视为认可).
///
/// # Errors
/// The store; a time that is none.
pub fn expire(store: &dyn Store, procedure: &Procedure, at: &str, dry_run: bool) -> Result<Done, Error> {
    let today = at
        .get(..10)
        .and_then(day::parse)
        .ok_or_else(|| Error::Usage(format!("`{at}` is not a time such as 2026-11-22T15:40:12")))?;
    let filter = Filter {
        statuses: vec![Status::AppealOpen, Status::SecondAppealOpen],
        due_by: Some(today - 1),
        ..Filter::default()
    };
    let command = Act::Expire.plain();
    let order = Order { filter, command, by: Actor::machine(), at: at.to_owned(), at_most: usize::MAX, dry_run };
    act(store, procedure, &order)
}

/// A scorecard for each rule that has findings.
///
/// # Errors
/// The store.
pub fn cards(store: &dyn Store, procedure: &Procedure, filter: &Filter, today: i32) -> Result<Vec<Card>, Error> {
    let counts = store.scorecard(filter)?;
    Ok(counts.iter().map(|counts| scorecard::card(counts, procedure, today)).collect())
}

/// A file as it belongs to a step: its name, size and hash. The file itself stays where it is.
///
/// # Errors
/// A file that cannot be read.
pub fn attachment(path: &Path) -> Result<Attachment, Error> {
    let disk = |source| Error::Disk { doing: format!("read the attachment `{}`", path.display()), source };
    let mut file = File::open(path).map_err(disk)?;
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).map_err(disk)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Attachment { name, sha256: crate::rules::hex(&hash.finalize()), bytes })
}
