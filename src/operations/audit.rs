//! `audit`: the main job. Exports or a dataset in; findings, coverage, quarantine and the record of the run out.
//!
//! ```text
//! exports ─ ingest ─ dataset ─ units in parallel: read → net → views → every rule ─ hits ─ findings ─ files
//! ```
//! A unit holds whole persons; units share nothing but the compiled rules, and their results are merged in the order of
//! the dataset, so threads leave no trace. Memory: a unit per thread, and the hits. Work that fails or is stopped, between
//! units and between rules, leaves the folder of the findings as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rayon::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Error, library};
use crate::aside::Aside;
use crate::clock::Stopwatch;
use crate::engine::claims::{Tally as Lines, Traced};
use crate::engine::{
    Answers, Claims, Found, Hit, Memory, Netting, Plan, Scope, Setting, Tables, Views, coded, needed, run, traced,
};
use crate::findings::{Coverage, Covered, Outcome, RuleFacts, assemble_told, finding_id, stale};
use crate::ingest::{self, Dataset, TableSummary, Unit};
use crate::model::{Table, day};
use crate::progress::Progress;
use crate::report::{self, Account, Budget, Context, ExemptionMeta, Format, OverBudget, Quarantined, RuleMeta, Step};
use crate::rules::{Exemptions, Knowledge, RuleSet};

/// What to audit and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A folder or files of an export, or one dataset.
    pub inputs: Vec<PathBuf>,
    pub out: PathBuf,
    /// None: the library that was built in.
    pub rules: Option<PathBuf>,
    /// A folder of knowledge tables, each instead of the library's table of that name.
    pub knowledge: Option<PathBuf>,
    /// Codes, families or names; empty: all.
    pub select: Vec<String>,
    /// Region (`admdvs`) of rows that have none.
    pub region: Option<String>,
    pub from: Option<i32>,
    pub until: Option<i32>,
    pub facilities: Vec<String>,
    /// None: the last day in the data.
    pub as_of: Option<i32>,
    pub formats: Vec<Format>,
    /// None: as many as there are processors.
    pub threads: Option<usize>,
    /// Bytes for what is worked on at once, about: buckets of an ingest, units of the audit. Findings come on top.
    pub memory: Option<u64>,
    /// Seconds of thread time that a rule may take over the whole run before it is named; None: [`MOST_PERCENT`].
    pub rule_budget: Option<u64>,
    pub mapping: Option<PathBuf>,
    /// A folder of exemptions.
    pub exemptions: Option<PathBuf>,
    /// Buckets of the temporary dataset; None: by size.
    pub buckets: Option<usize>,
    /// Whole person numbers in the workbook.
    pub unmask: bool,
}

/// What an audit did.
#[derive(Debug)]
pub struct Done {
    pub outcome: Outcome,
    pub context: Context,
    pub files: Vec<PathBuf>,
}

/// A unit of 100,000 lines, its views and the arrays of the rules at work take about as much.
const UNIT_BYTES: u64 = 320 << 20;

/// A rule that takes more of all rules' time than this, in percent, is named, for it holds up the others ...
const MOST_PERCENT: u64 = 20;
/// ... if it is so many seconds at least: in a short run some rule is always the slowest.
const SHORT_SECONDS: u64 = 5;

/// Audits. Everything is made in a hidden folder in `out`; the files of an earlier run stay until the new ones are whole.
///
/// # Errors
/// Rules or exemptions with mistakes, inputs that cannot be read, counts that do not add up, a disk that is full, work that
/// is wanted no longer; then `out` is as it was.
pub fn audit(options: &Options, progress: &dyn Progress) -> Result<Done, Error> {
    let whole = Stopwatch::start();
    let mut stages = Stages::default();
    let origin = library::Origin { rules: options.rules.as_deref(), knowledge: options.knowledge.as_deref() };
    let library = stages.time("rules", || library::compile(origin, &options.select))?;
    let exemptions = library::exemptions(options.exemptions.as_deref(), &library.set)?;
    check(options)?;
    // Kept until the end: the folder of a temporary dataset goes when this goes.
    let aside = Aside::within(&options.out)
        .map_err(|source| Error::Disk { doing: format!("write into `{}`", options.out.display()), source })?;
    let dataset = if let Some(folder) = dataset_of(&options.inputs) {
        Dataset::open(folder)?
    } else {
        let how = ingest::Options {
            mapping: options.mapping.clone(),
            buckets: options.buckets,
            threads: options.threads,
            memory: options.memory,
        };
        stages.time("ingest", || ingest::ingest(&options.inputs, &how, &aside.path().join("dataset"), progress))?
    };
    let (outcome, setting, run) = answer(options, &library, &exemptions, &dataset, None, &mut stages, progress)?;

    let mut context = context(options, &library.set, &library.plans, &dataset, &setting, &run.netting)?;
    context.exemptions = exemption_metas(&exemptions, &run.covered, setting.as_of);
    context.stale = stale(&outcome.findings, setting.as_of);
    context.over_budget = over_budget(&library.plans, &run.spent.rules, options.rule_budget);
    stages.add("whole", whole.elapsed());
    context.run = record(options, &library, &dataset, &setting, &outcome, &run.netting, &run.spent, &stages);
    of_standing(&mut context, &exemptions);
    of_budget(&mut context);
    let files = report::write(&outcome, &context, &options.formats, &options.out, progress)?;
    Ok(Done { outcome, context, files })
}

/// What a library finds in a dataset; nothing is written. `inputs`, `out`, `rules`, `knowledge`, `select`, `exemptions` and
/// `formats` are not read.
///
/// # Errors
/// A dataset that cannot be read, counts that do not add up.
pub fn findings_of(
    options: &Options,
    library: &library::Library,
    dataset: &Dataset,
    progress: &dyn Progress,
) -> Result<Outcome, Error> {
    answer(options, library, &Exemptions::default(), dataset, None, &mut Stages::default(), progress)
        .map(|(outcome, _, _)| outcome)
}

/// What a library says of everybody, or of some persons.
#[derive(Debug)]
pub struct Looked {
    pub outcome: Outcome,
    pub context: Context,
    /// The persons of each finding's lines, by its id.
    pub persons: BTreeMap<String, BTreeSet<String>>,
}

/// What a library finds in the claims of `whom`, or of everybody, with what a page says around it; nothing is written.
/// `inputs`, `out`, `rules`, `knowledge`, `select`, `exemptions` and `formats` are not read.
///
/// # Errors
/// A dataset that cannot be read, counts that do not add up.
pub fn look(
    options: &Options,
    library: &library::Library,
    exemptions: &Exemptions,
    dataset: &Dataset,
    whom: Option<&BTreeSet<String>>,
    progress: &dyn Progress,
) -> Result<Looked, Error> {
    let (outcome, setting, run) =
        answer(options, library, exemptions, dataset, whom, &mut Stages::default(), progress)?;
    let mut context = context(options, &library.set, &library.plans, dataset, &setting, &run.netting)?;
    context.exemptions = exemption_metas(exemptions, &run.covered, setting.as_of);
    context.stale = stale(&outcome.findings, setting.as_of);
    context.over_budget = over_budget(&library.plans, &run.spent.rules, options.rule_budget);
    Ok(Looked { outcome, context, persons: run.persons })
}

/// The day to which open stays run.
#[must_use]
pub fn as_of(options: &Options, dataset: &Dataset) -> i32 {
    options.as_of.or(dataset.manifest().last_day).unwrap_or(0)
}

/// Every unit, or those of some persons, and every rule: the outcome, and what the record of the run tells of how it came about.
fn answer(
    options: &Options,
    library: &library::Library,
    exemptions: &Exemptions,
    dataset: &Dataset,
    whom: Option<&BTreeSet<String>>,
    stages: &mut Stages,
    progress: &dyn Progress,
) -> Result<(Outcome, Setting, Whole), Error> {
    let setting = setting(options, &library.set, dataset)?;
    let scope =
        Scope { from: options.from, until: options.until, facilities: options.facilities.clone(), ..Scope::default() };
    let (dataset, units) = match whom {
        None => (dataset.clone(), dataset.units().to_vec()),
        Some(persons) => dataset.units_with(persons, progress)?,
    };
    let mut run = stages.time("audit", || run_units(options, library, &dataset, &units, &setting, &scope, progress))?;
    if whom.is_none() {
        check_netting(&run.netting, &dataset)?;
    }
    let facts: Vec<RuleFacts> = library.plans.iter().map(|p| RuleFacts::of(&p.rule)).collect();
    let hits = std::mem::take(&mut run.hits);
    run.persons = persons_of(&facts, &hits);
    progress.begin("findings", hits.len() as u64 * 2);
    let made = stages.time("findings", || assemble_told(&facts, &exemptions.entries, hits, progress))?;
    progress.end();
    run.covered = made.covered;
    let coverage = coverage(&library.plans, &run, &made.exempted);
    Ok((Outcome { findings: made.findings, lines: made.lines, coverage }, setting, run))
}

/// Whom each finding is about.
fn persons_of(rules: &[RuleFacts], hits: &[(usize, Hit)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut persons: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (rule, hit) in hits {
        let known = persons.entry(finding_id(&rules[*rule].code, &hit.key)).or_default();
        let of_lines = hit.violating.iter().chain(&hit.involved).filter_map(|line| line.psn_no.as_ref());
        for person in of_lines.chain(&hit.psn_no) {
            if !known.contains(person) {
                known.insert(person.clone());
            }
        }
    }
    persons
}

fn check(options: &Options) -> Result<(), Error> {
    if options.inputs.is_empty() {
        return Err(Error::Usage("nothing to audit: name a folder of exports, files, or a dataset".to_owned()));
    }
    check_region(options.region.as_deref())?;
    if options.from.zip(options.until).is_some_and(|(from, until)| from > until) {
        return Err(Error::Usage("`--from` is after `--until`".to_owned()));
    }
    Ok(())
}

/// A region is six digits.
pub(super) fn check_region(region: Option<&str>) -> Result<(), Error> {
    match region {
        Some(region) if region.len() != 6 || !region.bytes().all(|b| b.is_ascii_digit()) => {
            Err(Error::Usage(format!("`--region {region}` is not a region: wanted six digits, such as 370323")))
        }
        _ => Ok(()),
    }
}

/// The folder, when the one input is a dataset.
pub(super) fn dataset_of(inputs: &[PathBuf]) -> Option<&Path> {
    match inputs {
        [one] if one.join("dataset.json").is_file() => Some(one),
        _ => None,
    }
}

fn setting(options: &Options, set: &RuleSet, dataset: &Dataset) -> Result<Setting, Error> {
    let manifest = dataset.manifest();
    let facilities = Setting::facilities_of(&dataset.facilities()?).map_err(|e| Error::Engine(e.to_string()))?;
    Ok(Setting {
        as_of: as_of(options, dataset),
        first_day: manifest.first_day.unwrap_or(0),
        region: options.region.clone(),
        facilities: facilities.into(),
        care_settings: Some(code_table(set, "care_setting_of_med_type")?),
        identity_groups: Some(code_table(set, "identity_group")?),
    })
}

/// A knowledge table that the model reads.
pub(super) fn code_table(set: &RuleSet, name: &str) -> Result<Arc<Knowledge>, Error> {
    set.knowledge
        .get(name)
        .cloned()
        .map(Arc::new)
        .ok_or_else(|| Error::Usage(format!("the rule library has no knowledge table `{name}`, which the model needs")))
}

/// Time of each part of a run, and of each rule.
#[derive(Debug, Default, Clone)]
struct Spent {
    read: Duration,
    net: Duration,
    rules: Vec<Duration>,
}

#[derive(Debug, Default)]
struct Whole {
    hits: Vec<(usize, Hit)>,
    answers: Vec<BTreeMap<String, Answers>>,
    netting: Netting,
    unpaired_at: BTreeMap<String, u64>,
    traced: Vec<Traced>,
    /// What each exemption did.
    covered: Vec<Covered>,
    /// Whom each finding is about, by its id.
    persons: BTreeMap<String, BTreeSet<String>>,
    spent: Spent,
}

impl Whole {
    /// Adds what the next units gave.
    fn and(mut self, next: Whole) -> Whole {
        if self.answers.is_empty() {
            return next;
        }
        self.hits.extend(next.hits);
        for (known, new) in self.answers.iter_mut().zip(next.answers) {
            for (facility, answers) in new {
                match known.get_mut(&facility) {
                    Some(known) => known.merge(answers),
                    None => {
                        known.insert(facility, answers);
                    }
                }
            }
        }
        self.netting.merge(&next.netting);
        for (facility, rows) in next.unpaired_at {
            *self.unpaired_at.entry(facility).or_default() += rows;
        }
        self.traced.extend(next.traced);
        self.spent.read += next.spent.read;
        self.spent.net += next.spent.net;
        for (known, new) in self.spent.rules.iter_mut().zip(next.spent.rules) {
            *known += new;
        }
        self
    }
}

fn run_units(
    options: &Options,
    library: &library::Library,
    dataset: &Dataset,
    units: &[Unit],
    setting: &Setting,
    scope: &Scope,
    progress: &dyn Progress,
) -> Result<Whole, Error> {
    let columns = needed(&library.plans);
    let pool = workers(options.threads, options.memory)?;
    progress.begin("audit", units.iter().map(|u| u.fee_lines).sum());
    // What a worker remembers is handed on from unit to unit; there are as many memories as units at work at once.
    let memories: Mutex<Vec<Memory>> = Mutex::default();
    let taken = || memories.lock().map(|mut kept| kept.pop()).ok().flatten().unwrap_or_default();
    let mut whole = pool.install(|| {
        units
            .par_iter()
            .map(|unit| {
                progress.go_on()?;
                let memory = taken();
                let part = run_unit(library, dataset, unit, &columns, setting, scope, &memory, progress)?;
                if let Ok(mut kept) = memories.lock() {
                    kept.push(memory);
                }
                Ok(part)
            })
            // In the order of the dataset, and as soon as neighbours are done: memory does not grow with the units.
            .try_fold(Whole::default, |known, part: Result<Whole, Error>| Ok::<_, Error>(known.and(part?)))
            .try_reduce(Whole::default, |one, next| Ok(one.and(next)))
    })?;
    progress.end();
    // An empty dataset has no unit that would have said so.
    whole.answers.resize_with(library.plans.len(), BTreeMap::new);
    whole.spent.rules.resize(library.plans.len(), Duration::ZERO);
    ask_across(library, setting, scope, &mut whole, progress)?;
    Ok(whole)
}

/// As many threads as are wanted and as memory is enough for, with a unit each.
pub(super) fn workers(threads: Option<usize>, memory: Option<u64>) -> Result<rayon::ThreadPool, Error> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let affordable =
        memory.map_or(usize::MAX, |bytes| usize::try_from(bytes / UNIT_BYTES).unwrap_or(usize::MAX).max(1));
    let threads = threads.unwrap_or(processors).clamp(1, affordable);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|e| Error::Engine(format!("cannot start threads: {e}")))
}

/// Questions across persons, asked once of what all units gave.
fn ask_across(
    library: &library::Library,
    setting: &Setting,
    scope: &Scope,
    whole: &mut Whole,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let internal = |e: arrow::error::ArrowError| Error::Engine(format!("cannot ask across persons: {e}"));
    progress.begin("across", 0);
    let memory = Memory::default();
    let asking = || library.plans.iter().enumerate().filter(|(_, plan)| plan.across_persons());
    let code_by_code = asking().all(|(_, plan)| plan.code_by_code());
    for claims in Claims::across(std::mem::take(&mut whole.traced), code_by_code).map_err(internal)? {
        let claims = claims.map_err(internal)?;
        let views = Rc::new(Views::new(&claims, setting, &memory));
        let mut part = Whole::default();
        part.answers.resize_with(library.plans.len(), BTreeMap::new);
        part.spent.rules.resize(library.plans.len(), Duration::ZERO);
        for (number, plan) in asking() {
            progress.go_on()?;
            let watch = Stopwatch::start();
            let found = tried(plan, &library.set, &views, scope);
            part.hits.extend(found.hits.into_iter().map(|hit| (number, hit)));
            part.answers[number] = found.answers;
            part.spent.rules[number] = watch.elapsed();
        }
        *whole = std::mem::take(whole).and(part);
    }
    progress.end();
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "what a unit needs, and who may stop it")]
fn run_unit(
    library: &library::Library,
    dataset: &Dataset,
    unit: &Unit,
    columns: &BTreeMap<Table, Vec<&'static str>>,
    setting: &Setting,
    scope: &Scope,
    memory: &Memory,
    progress: &dyn Progress,
) -> Result<Whole, Error> {
    let internal =
        |e: arrow::error::ArrowError| Error::Engine(format!("cannot net unit of bucket {}: {e}", unit.bucket));
    let mut part = Whole::default();
    let watch = Stopwatch::start();
    let tables: Tables = dataset.read_unit(unit, columns, coded)?;
    part.spent.read = watch.elapsed();
    let watch = Stopwatch::start();
    let claims = Claims::net(&tables).map_err(internal)?;
    drop(tables);
    part.spent.net = watch.elapsed();
    part.netting = claims.netting;
    part.unpaired_at.clone_from(&claims.unpaired_at);
    if library.plans.iter().any(Plan::across_persons) {
        // What waits for the end is kept in the columns that its rules read, and no others.
        let kept = traced(library.plans.iter().filter(|plan| plan.across_persons()));
        part.traced.extend(claims.traced(&kept[&Table::FeeDetail], &kept[&Table::Settlement]).map_err(internal)?);
    }
    memory.begin_unit();
    let views = Rc::new(Views::new(&claims, setting, memory));
    for (number, plan) in library.plans.iter().enumerate() {
        progress.go_on()?;
        progress.advance(share(unit, number, library.plans.len()));
        if plan.across_persons() {
            part.answers.push(BTreeMap::new());
            part.spent.rules.push(Duration::ZERO);
            continue;
        }
        let watch = Stopwatch::start();
        let found = tried(plan, &library.set, &views, scope);
        part.hits.extend(found.hits.into_iter().map(|hit| (number, hit)));
        part.answers.push(found.answers);
        part.spent.rules.push(watch.elapsed());
    }
    Ok(part)
}

/// A rule's share of a unit's lines, so that progress shows within a unit; the shares of all its rules are its lines.
fn share(unit: &Unit, rule: usize, rules: usize) -> u64 {
    let before = |rule: usize| unit.fee_lines * rule as u64 / rules as u64;
    before(rule + 1) - before(rule)
}

/// Runs a rule. One that fails is not evaluated, and says why; the others finish.
pub(super) fn tried<'a>(plan: &'a Plan, set: &'a RuleSet, views: &Rc<Views<'a>>, scope: &Scope) -> Found {
    run(plan, set, views, scope).unwrap_or_else(|error| failed(plan, views, &error))
}

fn failed(plan: &Plan, views: &Rc<Views<'_>>, error: &arrow::error::ArrowError) -> Found {
    tracing::error!(rule = %plan.rule.code, error = %error, "a rule could not be run");
    let rows = views.rows(plan.rule.find.view).unwrap_or(0) as u64;
    let mut found = Found::default();
    let reasons = BTreeMap::from([(format!("规则未能运行：{error}"), rows)]);
    found.answers.insert(String::new(), Answers { not_evaluated: rows, reasons, ..Answers::default() });
    found
}

/// Lines read from the dataset = lines netted away + net lines, and the dataset's own count agrees.
fn check_netting(netting: &Netting, dataset: &Dataset) -> Result<(), Error> {
    let audited = dataset.manifest().tables.get(Table::FeeDetail.name()).map(|t| t.audited).unwrap_or_default();
    if netting.adds_up() && netting.lines.rows == audited.rows && netting.lines.fen == audited.sum.0 {
        return Ok(());
    }
    Err(Error::Engine(format!(
        "fee lines do not add up: the dataset has {} rows of {} yuan, netting saw {} rows of {}; nothing was written",
        audited.rows,
        audited.sum,
        netting.lines.rows,
        yuan(netting.lines.fen)
    )))
}

fn yuan(fen: i128) -> Decimal {
    Decimal::try_from_i128_with_scale(fen, 2).unwrap_or_default()
}

fn coverage(plans: &[Plan], run: &Whole, exempted: &BTreeMap<(usize, String), u64>) -> Vec<Coverage> {
    let mut rows = Vec::new();
    for (number, (plan, answers)) in plans.iter().zip(&run.answers).enumerate() {
        for (facility, a) in answers {
            let mut reasons: Vec<(&String, &u64)> = a.reasons.iter().collect();
            reasons.sort_by(|x, y| y.1.cmp(x.1).then(x.0.cmp(y.0)));
            rows.push(Coverage {
                rule_code: plan.rule.code.clone(),
                fixmedins_code: facility.clone(),
                evaluated: a.evaluated,
                hit: a.hit,
                exempted: exempted.get(&(number, facility.clone())).copied().unwrap_or_default(),
                not_evaluated: a.not_evaluated,
                reason: reasons
                    .iter()
                    .map(|(reason, units)| format!("{reason} {units}"))
                    .collect::<Vec<_>>()
                    .join("；"),
            });
        }
        if answers.is_empty() {
            rows.push(Coverage {
                rule_code: plan.rule.code.clone(),
                fixmedins_code: String::new(),
                evaluated: 0,
                hit: 0,
                exempted: 0,
                not_evaluated: 0,
                reason: "没有本规则所说的单元".to_owned(),
            });
        }
    }
    for (facility, reversals) in &run.unpaired_at {
        rows.push(Coverage {
            rule_code: "NETTING".to_owned(),
            fixmedins_code: facility.clone(),
            evaluated: 0,
            hit: 0,
            exempted: 0,
            not_evaluated: *reversals,
            reason: format!("未配对的冲销 {reversals}"),
        });
    }
    rows
}

fn context(
    options: &Options,
    set: &RuleSet,
    plans: &[Plan],
    dataset: &Dataset,
    setting: &Setting,
    netting: &Netting,
) -> Result<Context, Error> {
    let manifest = dataset.manifest();
    let first = options.from.or(manifest.first_day);
    let last = options.until.or(manifest.last_day);
    let facilities =
        setting.facilities.iter().filter_map(|(code, f)| f.name.clone().map(|name| (code.clone(), name))).collect();
    let rules = plans
        .iter()
        .map(|p| RuleMeta {
            code: p.rule.code.clone(),
            name: p.rule.name.clone(),
            title: p.rule.title.clone(),
            family: p.rule.family().to_owned(),
            severity: p.rule.severity.clone(),
            result: p.rule.result.clone(),
            may_be_right_when: p.rule.may_be_right_when.clone(),
        })
        .collect();
    Ok(Context {
        period: first.zip(last).map(|(first, last)| (day::text(first), day::text(last))),
        as_of: day::text(setting.as_of),
        region: options.region.clone().unwrap_or_default(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        rule_set_hash: set.hash.clone(),
        facilities,
        rules,
        quarantined: quarantined(&dataset.quarantine())?,
        accounts: accounts(&manifest.tables, netting),
        unmask: options.unmask,
        set_aside: Some(dataset.quarantine()),
        out: Some(options.out.clone()),
        ..Context::default()
    })
}

/// What may be shown of exemptions: a person's number is masked wherever somebody wrote it.
fn exemption_metas(exemptions: &Exemptions, covered: &[Covered], as_of: i32) -> Vec<ExemptionMeta> {
    exemptions
        .entries
        .iter()
        .zip(covered)
        .map(|(exemption, covered)| {
            let shown = |text: &str| {
                let start = report::without_person(text, None);
                exemption.psn_no.iter().fold(start, |text, person| report::without_person(&text, Some(person)))
            };
            ExemptionMeta {
                id: shown(&exemption.id),
                rules: exemption.rules.iter().cloned().collect(),
                owner: shown(&exemption.owner),
                reason: shown(&exemption.reason),
                from: day::text(exemption.from),
                until: day::text(exemption.until),
                expired: exemption.until < as_of,
                covered: covered.findings,
                covered_besides: covered.besides,
            }
        })
        .collect()
}

/// Rules that took more time than they may, in their order.
fn over_budget(plans: &[Plan], spent: &[Duration], most: Option<u64>) -> Vec<OverBudget> {
    let whole = spent.iter().sum::<Duration>().as_micros();
    let of_rule = |(plan, spent): (&Plan, &Duration)| {
        let share = u64::try_from(spent.as_micros() * 100 / whole.max(1)).unwrap_or(100);
        let (is_over, budget) = if let Some(seconds) = most {
            (*spent > Duration::from_secs(seconds), Budget::Seconds(seconds))
        } else {
            let is_long = *spent >= Duration::from_secs(SHORT_SECONDS);
            (is_long && spent.as_micros() * 100 > whole * u128::from(MOST_PERCENT), Budget::Percent(MOST_PERCENT))
        };
        let spent_ms = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
        is_over.then(|| OverBudget { code: plan.rule.code.clone(), spent_ms, share, budget })
    };
    plans.iter().zip(spent).filter_map(of_rule).collect()
}

/// What the record of a run says of rules that took long: null for a rule within its budget.
fn of_budget(context: &mut Context) {
    for rule in context.run["rules"].as_array_mut().into_iter().flatten() {
        let over = context.over_budget.iter().find(|over| rule["code"] == over.code);
        rule["over_budget"] = over.map_or(Value::Null, |over| {
            let (most, unit) = match over.budget {
                Budget::Seconds(most) => (most, "seconds"),
                Budget::Percent(most) => (most, "percent"),
            };
            json!({ "spent_ms": over.spent_ms, "share_percent": over.share, "budget": most, "unit": unit })
        });
    }
}

/// What the record of a run says of exemptions and of numbers that nobody verified for a year.
fn of_standing(context: &mut Context, exemptions: &Exemptions) {
    let hash = (!exemptions.hash.is_empty()).then_some(&exemptions.hash);
    let listed: Vec<Value> = context
        .exemptions
        .iter()
        .map(|e| {
            json!({
                "id": e.id, "rules": e.rules, "owner": e.owner, "reason": e.reason, "from": e.from, "until": e.until,
                "expired": e.expired, "covered": e.covered, "covered_besides": e.covered_besides,
            })
        })
        .collect();
    let values: Vec<Value> = context
        .stale
        .values
        .iter()
        .map(|(v, findings)| {
            json!({
                "parameter": v.parameter, "value": v.value, "source": v.source, "region": v.region,
                "verified_on": v.verified_on, "findings": findings,
            })
        })
        .collect();
    context.run["exemption_set_hash"] = json!(hash);
    context.run["exemptions"] = Value::Array(listed);
    context.run["stale_parameters"] = json!({ "findings": context.stale.findings, "values": values });
}

/// Rows by file and reason.
pub(super) fn quarantined(file: &Path) -> Result<Vec<Quarantined>, Error> {
    let unreadable = |e: csv::Error| Error::Engine(format!("cannot read `{}`: {e}", file.display()));
    let mut reader = csv::Reader::from_path(file).map_err(unreadable)?;
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut last: Option<(String, String)> = None;
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let cell = |at: usize| record.get(at).unwrap_or_default();
        // A row may be wrong in several columns: it is listed for each, one after the other, and counted once.
        let row = (cell(0).to_owned(), cell(1).to_owned());
        if last.as_ref() != Some(&row) {
            *counts.entry((cell(0).to_owned(), cell(3).to_owned())).or_default() += 1;
            last = Some(row);
        }
    }
    Ok(counts.into_iter().map(|((file, reason), rows)| Quarantined { file, reason, rows }).collect())
}

fn accounts(tables: &BTreeMap<String, TableSummary>, netting: &Netting) -> Vec<Account> {
    let with_money = |name: &str| matches!(name, "fee_detail" | "settlement");
    Table::ALL
        .into_iter()
        .filter_map(|table| tables.get(table.name()).map(|t| (table, t)))
        .filter(|(_, t)| t.present)
        .map(|(table, t)| {
            let step = |tally: ingest::Tally| Step {
                rows: tally.rows,
                sum: with_money(table.name()).then(|| yuan(tally.sum.0)),
            };
            let mut account = Account {
                table: table.name().to_owned(),
                read: step(t.read),
                quarantined: step(t.quarantined),
                duplicates: step(t.duplicates),
                replaced: step(t.replaced),
                netted: Step { rows: 0, sum: with_money(table.name()).then(Decimal::default) },
                audited: step(t.audited),
            };
            if table == Table::FeeDetail {
                account.netted = Step {
                    rows: netting.lines.rows - netting.net.rows,
                    sum: Some(yuan(netting.lines.fen - netting.net.fen)),
                };
                account.audited = Step { rows: netting.net.rows, sum: Some(yuan(netting.net.fen)) };
            }
            account
        })
        .collect()
}

/// Wall time of each stage and the most memory used so far.
#[derive(Debug, Default)]
struct Stages(Vec<(&'static str, Duration, Option<u64>)>);

impl Stages {
    fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let done = work();
        self.add(name, watch.elapsed());
        done
    }

    fn add(&mut self, name: &'static str, spent: Duration) {
        self.0.push((name, spent, peak_memory()));
    }
}

/// Peak resident memory in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb * 1024)
}

#[expect(clippy::too_many_arguments, reason = "everything that a run was made of, written down once")]
fn record(
    options: &Options,
    library: &library::Library,
    dataset: &Dataset,
    setting: &Setting,
    outcome: &Outcome,
    netting: &Netting,
    spent: &Spent,
    stages: &Stages,
) -> Value {
    let manifest = dataset.manifest();
    let ms = |d: &Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let tally = |t: Lines| json!({ "rows": t.rows, "sum": yuan(t.fen).to_string() });
    let money = |findings: &mut dyn Iterator<Item = Decimal>| format!("{:.2}", findings.sum::<Decimal>());
    let rules: Vec<Value> = library
        .plans
        .iter()
        .zip(&spent.rules)
        .map(|(plan, spent)| {
            let of = || outcome.findings.iter().filter(|f| f.rule_code == plan.rule.code);
            let counted = outcome.coverage.iter().filter(|c| c.rule_code == plan.rule.code);
            let (evaluated, not_evaluated) = counted.fold((0, 0), |(e, n), c| (e + c.evaluated, n + c.not_evaluated));
            json!({
                "code": plan.rule.code, "name": plan.rule.name, "version": plan.rule.version, "hash": plan.rule.hash, "status": plan.rule.status.name(),
                "parameters": plan.parameters, "evaluated": evaluated, "not_evaluated": not_evaluated, "findings": of().count(),
                "amount": money(&mut of().map(|f| f.amount)), "allocated": money(&mut of().map(|f| f.allocated)),
                "fund_money": plan.rule.find.fund_money, "cpu_us": u64::try_from(spent.as_micros()).unwrap_or(u64::MAX),
            })
        })
        .collect();
    json!({
        "program": "fundaudit",
        "version": env!("CARGO_PKG_VERSION"),
        "rule_set_hash": library.set.hash,
        "knowledge": library.set.brought.iter().map(|t| json!({ "table": t.table, "file": t.file, "rows": t.rows, "sha256": t.hash })).collect::<Vec<_>>(),
        "options": {
            "select": options.select, "region": options.region, "from": options.from.map(day::text), "until": options.until.map(day::text),
            "facilities": options.facilities, "as_of": day::text(setting.as_of), "threads": options.threads, "memory": options.memory, "rule_budget": options.rule_budget, "exemptions": options.exemptions,
        },
        "data": { "first_day": manifest.first_day.map(day::text), "last_day": manifest.last_day.map(day::text), "buckets": manifest.buckets, "units": manifest.units.len() },
        "inputs": manifest.inputs,
        "notes": manifest.notes,
        "tables": manifest.tables,
        "netting": {
            "lines": tally(netting.lines), "of_refund_settlements": tally(netting.of_refund_settlements), "cancelled": tally(netting.cancelled),
            "partial_reversals": tally(netting.partial), "unpaired_reversals": tally(netting.unpaired), "net": tally(netting.net),
            "settlements": netting.settlements, "settlements_removed": netting.settlements_removed, "settlements_unpaired": netting.settlements_unpaired,
            "adds_up": netting.adds_up(),
        },
        "findings": {
            "count": outcome.findings.len(),
            "amount": money(&mut outcome.findings.iter().filter(|f| f.fund_money).map(|f| f.amount)),
            "allocated": money(&mut outcome.findings.iter().map(|f| f.allocated)),
            "not_fund_money": money(&mut outcome.findings.iter().filter(|f| !f.fund_money).map(|f| f.amount)),
        },
        "rules": rules,
        "stages": stages.0.iter().map(|(name, spent, peak)| json!({ "stage": name, "elapsed_ms": ms(spent), "peak_memory_bytes": peak })).collect::<Vec<_>>(),
        "thread_time_ms": { "read": ms(&spent.read), "net": ms(&spent.net), "rules": spent.rules.iter().map(ms).sum::<u64>() },
    })
}
