//! # fundaudit (基金智审)
//!
//! Audits the spending of a health-insurance fund. Exports of claims go in; hard audit rules run over them; suspected
//! violations come out, with the evidence and the money at stake, for people to inspect.
//!
//! ```text
//!  exports: CSV, XLSX, Parquet            audit_rules/: rules, parameters, knowledge
//!        │ ingest                                  │ rules::load   every mistake at once, with carets
//!        ▼                                         ▼
//!  dataset: Parquet, clustered by person     RuleSet ─ engine::Compiler ─▶ Plans   once per run
//!        │                                         │
//!        │   units of whole persons, in parallel   │
//!        ▼                                         ▼
//!  Claims::net ─▶ Views ─────────▶ engine::run: with · about · match · sequence · per · where · amount
//!  refunds out    columns when                     │
//!                 first asked for                  ▼
//!                                       Hits and answers: hit, clean, not evaluated (why)
//!                                                  │ findings::assemble   identity, lines, money counted once
//!                                                  ▼
//!                                       findings.* coverage.csv quarantine.csv run.json report.html
//! ```
//!
//! ## Reading order
//! 1. [`model`]: the vocabulary. [`model::tables`] is what exports hold, [`model::views`] what rules read.
//! 2. [`rules`]: a rule is a file; the words it may say are the fields of [`rules::Find`].
//! 3. [`engine`]: [`engine::Claims`] (netting), [`engine::Views`], then `run`, where each word has its meaning.
//! 4. [`findings`]: what a hit becomes before a person answers it.
//! 5. [`ingest`]: from files as people make them to a dataset that holds what can be audited and a list of what cannot.
//! 6. [`operations`]: a verb a file; [`operations::audit`] ties the above together in a screen.
//! 7. [`store`]: findings that live on, and [`cases`], what people do with them.
//! 8. [`report`] and [`cli`]: what people see; [`messages`]: what hospitals' systems ask and are answered, [`serve`]: where.
//!
//! ## Before payment
//! [`operations::review`] asks the same plans about pending claims and the past of their persons, with nothing compiled anew,
//! and decides by policy. One claim is a unit of a few rows; [`ingest::past`] reads what came before, a person at a time.
//! [`serve`] answers hospitals' systems with it over HTTP, and does the nights ([`operations::scan`]) where it has a schedule.
//!
//! ## Floors
//! Imports point down; modules of one floor do not see each other; a test holds it.
//! 9 `cli` · 8 `serve` · 7 `operations` · 6 `store` · 5 `report`, `messages`, `cases` · 4 `findings` · 3 `engine` · 2 `ingest`, `rules` ·
//! 1 `model` · 0 `clock`, `span`, `progress`, `aside`, `points`, `sql`.
//!
//! ## What is absent
//! - No code for one rule: a rule that cannot be said in its file means that the language lacks a word.
//! - No network but that to a store that was asked for, no clock, no chance but in the faces ([`serve`], [`cli`]): time, seeds
//!   and paths come in by argument. The same input, rules and as-of day give the same bytes, whatever the threads, the buckets or the order of rows; only
//!   `run.json` and the stamps of answers also hold times.
//! - No float where money passes: decimals in columns, `rust_decimal` where money is computed, half up to the cent.
//! - No row that disappears: rows and cents read = quarantined + duplicates + audited, and a run that does not add up fails.
//! - No half of a result: files are made aside and moved into place at the end, so work that fails or is stopped leaves what
//!   was there before.
//! - No silence about missing data: what a condition needs and does not have is *not evaluated*, with the reason.
//! - No table, file or function with an effect within reach of a rule: expressions are checked against a list of names
//!   before the query engine sees them, and it is given no table.
//!
//! ## Why there is no query plan
//! Almost every rule is about one person, and a unit holds whole persons: joins are look-ups inside a unit, groups and
//! sequences are runs of neighbouring rows. So the query engine is used for what it is best at here, the expression
//! language (its parser, types, functions and compiled vector expressions), and grouping, pairing and ordering are kernels
//! of ours over one unit. Nothing is planned per claim, which the review of a single claim needs too, and memory is that
//! of a unit a thread, whatever the size of the data. A rule across persons is asked once,
//! of what all units gave.
//!
//! ## Why it is quick
//! A rule looks at few lines of a unit, and what it has in common with other rules is computed once. A line that no table of
//! a rule speaks of is found by its code and never looked at; a table is asked once a code, not once a line
//! (`engine::lookup`). Conditions that rules share (`setting = 'inpatient'`) are answered once a unit, and of encounters where
//! they speak of encounters. Keys are compared and grouped as numbers (`engine::words`, `engine::group`); a column is copied
//! when a rule first asks for it, or fetched for the few rows that are asked for (`engine::kept`, `Columns::gather`).
//! BENCHMARKS.md has the figures and the commands that print them.
//!
//! ## To add
//! - a rule: a file in `audit_rules/<family>/`, a case book in `fixtures/<family>/`, a row in `audit_rules/README.md`;
//! - a column of a table: a line in [`model::tables`]; a column of a view: its type in [`model::views`], its computation in
//!   `engine::views`;
//! - a word of the language: [`rules::Find`], its reading in `rules::file`, its meaning in `engine::run`;
//! - a form of output: a file in [`report`]; a verb: a file in [`operations`] and its flags in [`cli`].

pub mod aside;
pub mod cases;
pub mod cli;
pub mod clock;
pub mod engine;
pub mod findings;
pub mod ingest;
pub mod messages;
pub mod model;
pub mod operations;
pub mod points;
pub mod progress;
pub mod report;
pub mod rules;
pub mod serve;
pub mod span;
pub mod sql;
pub mod store;
