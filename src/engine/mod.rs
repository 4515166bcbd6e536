//! The engine: rules → plans → hits. The only floor that names the query engine's plans.
//!
//! Goes in: a rule set, and claims person by person. Comes out: hits and answers. One person at a time, a hundred thousand
//! lines at once: a batch holds whole persons, so every rule about a person is answered inside one batch, and memory does
//! not grow with the data. Plans are compiled once per run. Deliberately unknown here: files, findings, faces.
//!
//! Reading order: `claims` (netting), `views` (the model's columns), `plan` (expressions compiled), `frame` (rows with
//! what is joined to them), `factor` (what is computed once a code or an encounter), `lookup` and `group` (knowledge and
//! groups), `run` (the words of the language), `absent` (what is left of a rule without some columns), `sides` (knowledge of pairs).

mod absent;
mod answers;
pub mod claims;
mod columns;
mod factor;
mod frame;
mod functions;
mod group;
mod hit;
mod kept;
mod lookup;
mod plan;
mod run;
mod sides;
pub mod views;
mod words;

pub use absent::wanting;
pub use answers::Answers;
pub use claims::{Claims, Netting, Tables};
pub use columns::{coded, needed, traced};
pub use hit::{Hit, HitLine};
pub use lookup::Memory;
pub use plan::{Compiler, Plan};
pub use run::{Found, Scope, run};
pub use views::{Facility, Setting, Views};
