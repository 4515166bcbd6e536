//! `review`: claims that are not paid yet, held against the rules and against what is known of their persons.
//!
//! ```text
//! pending claims ┐
//!                ├ laid together ─ net ─ views ─ the rules of the stage ─ hits about what is pending ─ findings ─ decisions
//! their past ────┘
//! ```
//! The heart is a [`Reviewer`]: a library compiled once, asked as often as one likes, by as many threads. It has no files and
//! no network; [`pending`] lays claims and past together, [`decide`] says pass, hold or refuse, [`history`] tells the past of
//! persons, [`told`] which of it a message tells besides, [`command`] is the face of files. The same engine gives the
//! same findings as an audit: same identity, same amount.
//!
//! A finding counts here when it is about something pending: one of its violating lines, or the claim itself. What is purely
//! of the past was somebody's decision before. A question across persons (IDN103) sees the pending batch and the past of its
//! persons, not the past of everybody else.
//!
//! To review at another moment: a variant of [`Stage`] and its word in the rules' `stages`.

pub mod command;
mod decide;
pub mod history;
mod ndjson;
mod pending;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::error::ArrowError;
use rust_decimal::Decimal;

use super::audit::{code_table, tried};
use super::{Error, library};
use crate::clock::Deadline;
use crate::engine::claims::Traced;
use crate::engine::{Answers, Claims, Found, Hit, Memory, Plan, Scope, Setting, Tables, Views, needed, traced};
use crate::findings::{Finding, FindingLine, RuleFacts, assemble_told};
use crate::model::Table;
use crate::progress::Silent;
use crate::rules::{Decision, Decisions, Exemptions, Knowledge, Status};
pub use history::{History, Nothing};
use pending::{AtIssue, Claim, Forms};

/// When a review happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// 前: while an order is written.
    Before,
    /// 中: a settlement is about to be paid.
    During,
}

impl Stage {
    /// The word in a rule's `stages`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Stage::Before => "前",
            Stage::During => "中",
        }
    }
}

/// What a reviewer is made of.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// None: the library that was built in.
    pub rules: Option<PathBuf>,
    /// A folder of knowledge tables, each instead of the library's table of that name.
    pub knowledge: Option<PathBuf>,
    /// Codes, families or names; empty: all that are trial or stable.
    pub select: Vec<String>,
    /// None: the library's own policy.
    pub decisions: Option<PathBuf>,
    /// A folder of exemptions: findings that they cover decide nothing.
    pub exemptions: Option<PathBuf>,
    /// Region (`admdvs`) of rows that have none.
    pub region: Option<String>,
}

/// What is asked of one review.
#[derive(Debug, Clone)]
pub struct Ask {
    pub stage: Stage,
    /// Open stays run to this day.
    pub as_of: i32,
    /// Rules that are not done by then are listed as not run.
    pub until: Option<Deadline>,
    /// Codes; nothing: all of the stage.
    pub rules: Option<BTreeSet<String>>,
    /// Region of rows that have none, before the reviewer's own.
    pub region: Option<String>,
    /// Threads that may work on it at once, for a caller who has an idle one; more than two help no further, and the answer is
    /// the same.
    pub hands: usize,
}

impl Ask {
    /// All rules of a stage, however long it takes.
    #[must_use]
    pub fn of(stage: Stage, as_of: i32) -> Ask {
        Ask { stage, as_of, until: None, rules: None, region: None, hands: 1 }
    }
}

/// What a review came to.
#[derive(Debug, Clone, Default)]
pub struct Review {
    /// By settlement, then encounter.
    pub claims: Vec<Decided>,
    /// By rule code and key.
    pub findings: Vec<Finding>,
    pub lines: Vec<FindingLine>,
    /// What could not be answered about what is pending.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Codes of the rules for which there was no time.
    pub not_run: Vec<String>,
    pub totals: Totals,
}

/// Units of pending claims about which a rule has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotEvaluated {
    pub rule_code: String,
    pub why: String,
    pub units: u64,
}

/// A pending claim and what is to be done with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Empty where nothing is settled yet: the claim is the encounter.
    pub setl_id: String,
    pub mdtrt_id: String,
    pub psn_no: String,
    pub fixmedins_code: String,
    pub decision: Decision,
    /// Yuan within the scope of payment (`inscp_amt`) of its net lines, to the cent.
    pub claimed: Decimal,
    /// Yuan of it that are not to be paid; never more than is claimed.
    pub refused: Decimal,
    pub refused_lines: Vec<RefusedLine>,
    /// Findings about it, those that decide nothing too.
    pub finding_ids: Vec<String>,
}

/// What is not to be paid of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedLine {
    pub mdtrt_id: String,
    pub feedetl_sn: String,
    /// To the cent; each yuan once, whatever the number of findings.
    pub amount: Decimal,
    /// The finding that takes it.
    pub finding_id: String,
    pub rule_code: String,
}

/// Claims and money by decision.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    pub claims: u64,
    pub passed: u64,
    pub held: u64,
    pub refused: u64,
    pub claimed: Decimal,
    /// Of the claims that are held.
    pub claimed_held: Decimal,
    pub refused_amount: Decimal,
}

/// Reviews claims. Everything that does not depend on the claim is done when it is made; it is shared between threads.
#[derive(Debug)]
pub struct Reviewer {
    library: library::Library,
    policy: Decisions,
    exemptions: Exemptions,
    region: Option<String>,
    care_settings: Arc<Knowledge>,
    identity_groups: Arc<Knowledge>,
    /// By plan.
    facts: Vec<RuleFacts>,
    before: OfStage,
    during: OfStage,
    /// What workers remember of codes; as many as reviews at once.
    memories: Mutex<Vec<Memory>>,
}

/// What a stage runs and reads.
#[derive(Debug)]
struct OfStage {
    /// Places of the plans; the gravest first, for time may run out.
    plans: Vec<usize>,
    /// Of all plans: whether it has its answer without the lines of other encounters.
    of_encounters: Vec<bool>,
    columns: BTreeMap<Table, Vec<&'static str>>,
    forms: Forms,
    /// Columns of traced lines and of their settlements that a question across persons reads.
    across: BTreeMap<Table, Vec<&'static str>>,
}

impl OfStage {
    fn of(stage: Stage, all: &[Plan]) -> OfStage {
        let mut plans: Vec<usize> =
            (0..all.len()).filter(|plan| all[*plan].rule.stages.iter().any(|word| word == stage.word())).collect();
        plans.sort_by_key(|plan| {
            let rule = &all[*plan].rule;
            (rule.result != "明确违规", rule.severity != "high", rule.severity != "medium", &rule.code)
        });
        let columns = needed(plans.iter().map(|plan| &all[*plan]));
        let across = traced(plans.iter().map(|plan| &all[*plan]).filter(|plan| plan.across_persons()));
        let of_encounters = all.iter().map(Plan::is_of_encounters).collect();
        OfStage { plans, of_encounters, forms: pending::forms_of(&columns), columns, across }
    }
}

/// What the rules say of some persons, before it is made into findings.
#[derive(Debug, Default)]
struct Part {
    hits: Vec<(usize, Hit)>,
    answers: BTreeMap<usize, Vec<Answers>>,
    traced: Option<Traced>,
    claims: Vec<Claim>,
    at_issue: AtIssue,
    not_run: BTreeSet<usize>,
}

impl Reviewer {
    /// Loads and compiles the rules that can be asked before payment.
    ///
    /// # Errors
    /// Every mistake in rules, knowledge, decisions and exemptions; a selection that names nothing.
    pub fn new(setup: &Setup) -> Result<Reviewer, Error> {
        let origin = library::Origin { rules: setup.rules.as_deref(), knowledge: setup.knowledge.as_deref() };
        let library = library::compile(origin, &setup.select)?;
        let policy = library::decisions(setup.decisions.as_deref(), &library.set)?;
        let exemptions = library::exemptions(setup.exemptions.as_deref(), &library.set)?;
        super::audit::check_region(setup.region.as_deref())?;
        Ok(Reviewer {
            policy,
            exemptions,
            region: setup.region.clone(),
            care_settings: code_table(&library.set, "care_setting_of_med_type")?,
            identity_groups: code_table(&library.set, "identity_group")?,
            facts: library.plans.iter().map(|plan| RuleFacts::of(&plan.rule)).collect(),
            before: OfStage::of(Stage::Before, &library.plans),
            during: OfStage::of(Stage::During, &library.plans),
            library,
            memories: Mutex::default(),
        })
    }

    /// The library that it asks.
    #[must_use]
    pub fn library(&self) -> &library::Library {
        &self.library
    }

    /// The policy by which it decides.
    #[must_use]
    pub fn policy(&self) -> &Decisions {
        &self.policy
    }

    /// The rules of a stage, the gravest first.
    pub fn rules(&self, stage: Stage) -> impl Iterator<Item = &crate::rules::Rule> {
        self.of(stage).plans.iter().map(|plan| &self.library.plans[*plan].rule)
    }

    /// Columns that a review of a stage reads, by table: what a [`History`] has to bring.
    #[must_use]
    pub fn columns(&self, stage: Stage) -> &BTreeMap<Table, Vec<&'static str>> {
        &self.of(stage).columns
    }

    /// Reviews claims: rows of the platform's tables, in the schemas of [`Table`], any of their columns.
    ///
    /// # Errors
    /// The history cannot be read; a column that claims are told by is missing or has another type.
    pub fn review(&self, pending: &Tables, history: &dyn History, ask: &Ask) -> Result<Review, Error> {
        let part = self.look(pending, history, ask, true)?;
        self.finish(vec![part], history, ask)
    }

    fn of(&self, stage: Stage) -> &OfStage {
        match stage {
            Stage::Before => &self.before,
            Stage::During => &self.during,
        }
    }

    fn asked<'s>(&'s self, ask: &'s Ask) -> impl Iterator<Item = (usize, &'s Plan)> {
        let chosen = |code: &str| ask.rules.as_ref().is_none_or(|rules| rules.contains(code));
        let plans = self.of(ask.stage).plans.iter().map(|plan| (*plan, &self.library.plans[*plan]));
        plans.filter(move |(_, plan)| chosen(&plan.rule.code))
    }

    /// Asks the rules about some persons; `alone` when nobody else is asked with them.
    fn look(&self, pending: &Tables, history: &dyn History, ask: &Ask, alone: bool) -> Result<Part, Error> {
        let internal = |e: ArrowError| Error::Engine(format!("cannot review: {e}"));
        let of_stage = self.of(ask.stage);
        let at_issue = AtIssue::of(pending).map_err(internal)?;
        let persons: Vec<&str> = at_issue.persons.iter().map(String::as_str).collect();
        let past = history.of(&persons, &of_stage.columns)?;
        let tables = pending::joined(pending, &past, &at_issue, &of_stage.forms).map_err(internal)?;
        let setting = self.setting(pending, history, &at_issue, ask)?;
        let claims = Claims::net(&tables).map_err(internal)?;
        let mut part = Part {
            claims: pending::claims(pending, &claims, &at_issue, &setting).map_err(internal)?,
            ..Part::default()
        };
        let memory = self.remembered();
        let views = Rc::new(Views::new(&claims, &setting, &memory));
        let near = views.with_their_stays(&at_issue.encounters).map_err(internal)?;
        // Most rules see no further than an encounter: they are asked of the few lines of those that are pending.
        let near_claims = claims.of_encounters(&near).map_err(internal)?;
        let near_scope = Scope {
            counted: Some(at_issue.encounters.clone()),
            without_clean: true,
            deadline: ask.until,
            ..Scope::default()
        };
        let scope = Scope { wanted: Some(near), ..near_scope.clone() };
        let plans: Vec<(usize, &Plan)> = self.asked(ask).filter(|(_, plan)| !plan.across_persons()).collect();
        let is_near = |number: usize| of_stage.of_encounters[number];
        let mut found: Vec<(usize, Found)> = match near_claims {
            // Both have views of their own; whoever is done first goes on with the near rules that are left.
            Some(near) if ask.hands > 1 => {
                let (of_near, of_all): (Vec<_>, Vec<_>) = plans.into_iter().partition(|(number, _)| is_near(*number));
                let (near_scope, setting, next) = (&near_scope, &setting, AtomicUsize::new(0));
                let next_near = &|| of_near.get(next.fetch_add(1, Ordering::Relaxed)).copied();
                let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                let into = &mut theirs;
                rayon::in_place_scope(|threads| {
                    threads.spawn(move |_| {
                        let memory = self.remembered();
                        let views = Rc::new(Views::new(&near, setting, &memory));
                        into.extend(std::iter::from_fn(next_near).map(|plan| self.one(ask, plan, &views, near_scope)));
                        drop(views);
                        self.remember(memory);
                    });
                    ours.extend(
                        of_all
                            .into_iter()
                            .chain(std::iter::from_fn(next_near))
                            .map(|plan| self.one(ask, plan, &views, &scope)),
                    );
                });
                ours.append(&mut theirs);
                ours
            }
            near => {
                let near_views = near.as_ref().map(|near| Rc::new(Views::new(near, &setting, &memory)));
                let of = |plan: (usize, _)| match &near_views {
                    Some(views) if is_near(plan.0) => self.one(ask, plan, views, &near_scope),
                    _ => self.one(ask, plan, &views, &scope),
                };
                plans.into_iter().map(of).collect()
            }
        };
        drop(views);
        self.remember(memory);
        found.sort_by_key(|(number, _)| *number);
        for (number, found) in found {
            part.take(number, found, &at_issue);
        }
        // Who is asked alone cannot share a code that he has not.
        let may_share = !alone || at_issue.has_trace_codes;
        if may_share && self.asked(ask).any(|(_, plan)| plan.across_persons()) {
            let kept = &of_stage.across;
            part.traced = claims.traced(&kept[&Table::FeeDetail], &kept[&Table::Settlement]).map_err(internal)?;
        }
        part.at_issue = at_issue;
        Ok(part)
    }

    /// What a rule says; it is given up when its time is over.
    fn one<'a>(
        &'a self,
        ask: &Ask,
        (number, plan): (usize, &'a Plan),
        views: &Rc<Views<'a>>,
        scope: &Scope,
    ) -> (usize, Found) {
        if ask.until.is_some_and(|until| until.is_past()) {
            return (number, Found { given_up: true, ..Found::default() });
        }
        (number, tried(plan, &self.library.set, views, scope))
    }

    /// What somebody who asks now may remember of codes.
    fn remembered(&self) -> Memory {
        let memory = self.memories.lock().map(|mut kept| kept.pop()).ok().flatten().unwrap_or_default();
        memory.begin_unit();
        memory
    }

    /// Keeps a memory for who asks next.
    fn remember(&self, memory: Memory) {
        if let Ok(mut kept) = self.memories.lock() {
            kept.push(memory);
        }
    }

    /// What holds for a whole review.
    fn setting(
        &self,
        pending: &Tables,
        history: &dyn History,
        at_issue: &AtIssue,
        ask: &Ask,
    ) -> Result<Setting, Error> {
        let internal = |e: ArrowError| Error::Engine(format!("cannot review: {e}"));
        let mut facilities = Arc::clone(history.facilities());
        if let Some(own) = pending.get(&Table::Facility).filter(|own| own.num_rows() > 0) {
            let own = Setting::facilities_of(own).map_err(internal)?;
            if own.keys().any(|code| !facilities.contains_key(code)) {
                let mut all = own;
                all.extend(facilities.iter().map(|(code, facility)| (code.clone(), facility.clone())));
                facilities = Arc::new(all);
            }
        }
        Ok(Setting {
            as_of: ask.as_of,
            first_day: history.first_day().min(at_issue.first_day.unwrap_or(ask.as_of)),
            region: ask.region.clone().or_else(|| self.region.clone()),
            facilities,
            care_settings: Some(Arc::clone(&self.care_settings)),
            identity_groups: Some(Arc::clone(&self.identity_groups)),
        })
    }

    /// Asks what goes across persons, once of all parts, makes findings and decides.
    fn finish(&self, parts: Vec<Part>, history: &dyn History, ask: &Ask) -> Result<Review, Error> {
        let mut whole = Part::default();
        let mut traced = Vec::new();
        for part in parts {
            whole.hits.extend(part.hits);
            for (number, answers) in part.answers {
                whole.answers.entry(number).or_default().extend(answers);
            }
            traced.extend(part.traced);
            whole.claims.extend(part.claims);
            whole.at_issue.and(part.at_issue);
            whole.not_run.extend(part.not_run);
        }
        self.ask_across(&mut whole, traced, history, ask)?;
        whole.claims.sort_by(|a, b| (&a.setl_id, &a.mdtrt_id).cmp(&(&b.setl_id, &b.mdtrt_id)));
        let hits = std::mem::take(&mut whole.hits);
        let made = assemble_told(&self.facts, &self.exemptions.entries, hits, &Silent)?;
        let stable = |code: &str| {
            let rule = self.library.set.rules.binary_search_by(|rule| rule.code.as_str().cmp(code)).ok();
            rule.is_some_and(|rule| self.library.set.rules[rule].status == Status::Stable)
        };
        let claims = decide::decided(&whole.claims, &made.findings, &made.lines, &self.policy, stable);
        let code = |number: &usize| self.library.plans[*number].rule.code.clone();
        let mut not_evaluated = Vec::new();
        for (number, answers) in &whole.answers {
            let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
            for (why, units) in answers.iter().flat_map(|answers| &answers.reasons) {
                *reasons.entry(why).or_default() += units;
            }
            let told = reasons.into_iter().filter(|(_, units)| *units > 0);
            not_evaluated.extend(told.map(|(why, units)| NotEvaluated {
                rule_code: code(number),
                why: why.to_owned(),
                units,
            }));
        }
        let mut not_run: Vec<String> = whole.not_run.iter().map(code).collect();
        not_run.sort();
        Ok(Review {
            totals: Totals::of(&claims),
            claims,
            findings: made.findings,
            lines: made.lines,
            not_evaluated,
            not_run,
        })
    }

    fn ask_across(&self, whole: &mut Part, traced: Vec<Traced>, history: &dyn History, ask: &Ask) -> Result<(), Error> {
        let internal = |e: ArrowError| Error::Engine(format!("cannot ask across persons: {e}"));
        let asking: Vec<(usize, &Plan)> = self.asked(ask).filter(|(_, plan)| plan.across_persons()).collect();
        if traced.is_empty() || asking.is_empty() {
            return Ok(());
        }
        let setting = self.setting(&Tables::new(), history, &whole.at_issue, ask)?;
        let memory = Memory::default();
        let at_issue = std::mem::take(&mut whole.at_issue);
        let pending = Some(at_issue.encounters.clone());
        let scope = Scope { counted: pending.clone(), wanted: pending, deadline: ask.until, ..Scope::default() };
        let code_by_code = asking.iter().all(|(_, plan)| plan.code_by_code());
        for claims in Claims::across(traced, code_by_code).map_err(internal)? {
            let claims = claims.map_err(internal)?;
            let views = Rc::new(Views::new(&claims, &setting, &memory));
            for plan in &asking {
                let (number, found) = self.one(ask, *plan, &views, &scope);
                whole.take(number, found, &at_issue);
            }
        }
        whole.at_issue = at_issue;
        Ok(())
    }
}

impl Part {
    /// Adds what a rule found, as far as it is about something pending; of one that was given up nothing stays.
    fn take(&mut self, number: usize, found: Found, at_issue: &AtIssue) {
        if found.given_up {
            self.not_run.insert(number);
            self.hits.retain(|(rule, _)| *rule != number);
            self.answers.remove(&number);
            return;
        }
        let hits = found.hits.into_iter().filter(|hit| at_issue.concerns(hit));
        self.hits.extend(hits.map(|hit| (number, hit)));
        let unanswered: Vec<Answers> =
            found.answers.into_values().filter(|answers| answers.not_evaluated > 0).collect();
        if !unanswered.is_empty() {
            self.answers.entry(number).or_default().extend(unanswered);
        }
    }
}

impl Totals {
    fn of(claims: &[Decided]) -> Totals {
        let mut totals = Totals::default();
        for claim in claims {
            totals.claims += 1;
            totals.claimed += claim.claimed;
            totals.refused_amount += claim.refused;
            match claim.decision {
                Decision::Pass => totals.passed += 1,
                Decision::Hold => {
                    totals.held += 1;
                    totals.claimed_held += claim.claimed;
                }
                Decision::Refuse => totals.refused += 1,
            }
        }
        totals
    }
}
