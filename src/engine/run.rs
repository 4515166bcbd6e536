//! Running a plan over the claims of some persons.
//!
//! Goes in: a [`Plan`] and [`Views`]. Comes out: [`Hit`]s and what could not be answered. Every word of the language has its
//! meaning here, in the order in which a rule applies them: `with`, `about`, `match`, `sequence`, `per` and `measure`,
//! `unless`, `not_evaluated_when`, `where`, `amount`, lines. Deliberately unknown here: any single rule.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, UInt32Array, make_comparator,
};
use arrow::compute::{SortOptions, cast, take};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use arrow::error::ArrowError;
use hashbrown::HashMap;
use rust_decimal::Decimal;

use super::answers::{Answer, Answers, Count};
use super::claims::texts;
use super::frame::{Compiled, Frame, positions};
use super::group::{Grouped, STEPS, candidate_pairs, cells, cells_of, continues, grouped};
use super::hit::{Hit, HitLine, show};
use super::lookup::{LookUp, not_false};
use super::plan::{MatchPlan, Piece, Plan, ROLLING, RollingPlan};
use super::views::{Chosen, Columns, ViewRows, Views};
use super::words::Texts;
use crate::clock::Deadline;
use crate::model::views::said;
use crate::model::{View, day as calendar, money};
use crate::rules::parameters::{Asked, Parameter, Value};
use crate::rules::{LinesOf, Match, RuleSet, With};

/// Which units a run answers for; everything else is history.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// First and last day; a unit that touches the period is in it.
    pub from: Option<i32>,
    pub until: Option<i32>,
    /// Empty: all.
    pub facilities: Vec<String>,
    /// Encounters whose units are counted in the answers; nothing: all are. Hits are not held to it: a claim may make a hit of
    /// a unit that another began.
    pub counted: Option<BTreeSet<String>>,
    /// Encounters, with all parts of their stays, of which hits are wanted; nothing: of all. A hit that is about none of them
    /// may be there or not.
    pub wanted: Option<BTreeSet<String>>,
    /// Whether nobody wants to know how many units are clean: they may be left out.
    pub without_clean: bool,
    /// When a rule that is not done is given up.
    pub deadline: Option<Deadline>,
}

/// Hits and answers of one rule over some persons; answers by facility (empty: none).
#[derive(Debug, Default)]
pub struct Found {
    pub hits: Vec<Hit>,
    pub answers: BTreeMap<String, Answers>,
    /// The deadline passed before the rule was done: there are no hits and no answers.
    pub given_up: bool,
}

/// Why a rule stopped where it was.
#[derive(Debug)]
struct GivenUp;

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline has passed")
    }
}

impl std::error::Error for GivenUp {}

/// A day of supply as `days` keeps it: eight decimals.
const ONE_DAY: i128 = 100_000_000;

/// First and last day.
type Extent = (Option<i32>, Option<i32>);

/// For each unit the reason for which it is not evaluated, if any; nothing where no unit has one.
type Excused = Option<Vec<Option<u32>>>;

/// Violating and involved net lines.
type Roles = (Vec<u32>, Vec<u32>);

/// Whether a view's rows are fee lines.
fn is_of_lines(view: View) -> bool {
    matches!(view, View::Line | View::PaidLine | View::RawLine)
}

/// Pairs that one `match` looks at in one go: about 4 million rows of a few columns.
const PAIRS: usize = 1 << 20;

/// Runs one plan. The deadline is looked at between its words, and inside those whose work can grow faster than the rows: by
/// pairs, by window, by hit.
///
/// # Errors
/// A column was not read. A value that cannot be computed is not an error but *not evaluated*.
pub fn run<'a>(plan: &'a Plan, set: &'a RuleSet, views: &Rc<Views<'a>>, scope: &Scope) -> Result<Found, ArrowError> {
    match whole(&Run { plan, set, views, scope }) {
        Err(ArrowError::ExternalError(why)) if why.is::<GivenUp>() => Ok(Found { given_up: true, ..Found::default() }),
        done => done,
    }
}

/// All words of a rule, in their order.
fn whole(run: &Run<'_, '_>) -> Result<Found, ArrowError> {
    let Run { plan, set, views, .. } = *run;
    let mut found = Found::default();
    let pairs = run.only_pairs()?;
    let (mut frame, asked) = run.begin(&pairs)?;
    if run.is_moot(&frame)? {
        return Ok(found);
    }
    for ((with, look_up), pairs) in run.look_ups().zip(&pairs) {
        if frame.rows() == 0 {
            return Ok(found);
        }
        frame = look_up.join(&frame, with, set, views, plan.rule.find.view, pairs.as_deref())?;
        run.go_on()?;
    }
    if run.is_moot(&frame)? {
        return Ok(found);
    }
    run.parameters(&mut frame)?;
    frame = run.paid(frame, &mut found)?;
    run.totals(&mut frame)?;
    run.go_on()?;
    if !plan.about_comes_last && !asked {
        frame = run.about(frame, &mut found)?;
    }
    frame = run.needs(frame, &mut found)?;
    run.go_on()?;
    if run.is_moot(&frame)? {
        return Ok(found);
    }
    frame = run.matches(frame)?;
    if run.is_moot(&frame)? {
        return Ok(found);
    }
    frame = run.sequence(frame)?;
    run.go_on()?;
    if plan.about_comes_last {
        frame = run.about(frame, &mut found)?;
    }
    if run.is_moot(&frame)? {
        return Ok(found);
    }
    let units = if plan.per.is_empty() { Units { rows: None, frame } } else { run.groups(&frame)? };
    run.go_on()?;
    run.answer(&units, &mut found)?;
    Ok(found)
}

/// What decides which value of a parameter is in force: day, region, kind of insurance (as their numbers in the unit), level.
type Occasion = (Option<i32>, u32, u32, Option<i64>);

/// The occasions of the rows of a view, as far as some parameters ask.
struct Occasions<'v, 'a> {
    views: &'v Views<'a>,
    days: Option<Date32Array>,
    regions: Option<Rc<Vec<u32>>>,
    insured: Option<Rc<Vec<u32>>>,
    levels: Option<Int64Array>,
}

impl<'v, 'a> Occasions<'v, 'a> {
    fn new(views: &'v Views<'a>, view: View, parameters: &[(&str, &Parameter)]) -> Result<Self, ArrowError> {
        let columns = view.columns();
        let varying = || parameters.iter().map(|(_, p)| *p).filter(|p| !p.is_constant());
        let asked = |name: &str, by: fn(&Value) -> bool| {
            columns.contains_key(name) && varying().any(|parameter| parameter.values.iter().any(by))
        };
        let numbers = |name: &str, by| if asked(name, by) { views.numbers(view, name).map(Some) } else { Ok(None) };
        let graded = asked("level", |value| value.level.is_some());
        Ok(Occasions {
            views,
            days: match varying().next() {
                Some(_) => Some(views.column(view, view.days().0)?.as_primitive::<Date32Type>().clone()),
                None => None,
            },
            regions: numbers("region", |value| value.region.is_some())?,
            insured: numbers("insutype", |value| value.insutype.is_some())?,
            levels: if graded { Some(views.column(view, "level")?.as_primitive::<Int64Type>().clone()) } else { None },
        })
    }

    fn of(&self, row: usize) -> Occasion {
        let number = |of: &Option<Rc<Vec<u32>>>| of.as_ref().map_or(0, |numbers| numbers[row]);
        (
            self.days.as_ref().and_then(|days| days.is_valid(row).then(|| days.value(row))),
            number(&self.regions),
            number(&self.insured),
            self.levels.as_ref().and_then(|levels| levels.is_valid(row).then(|| levels.value(row))),
        )
    }

    /// The place of the value in force, among a parameter's values.
    fn in_force(&self, parameter: &Parameter, (day, region, insutype, level): Occasion) -> Option<usize> {
        if parameter.is_constant() {
            return Some(0);
        }
        let word = |number: u32| (number != 0).then(|| self.views.word(number));
        let (region, insutype) = (word(region), word(insutype));
        let (region, insutype) = (region.as_deref(), insutype.as_deref());
        parameter.in_force(Asked { day: day?, region, insutype, level })
    }
}

/// The values of some parameters, a row an occasion.
struct Values {
    rows: usize,
    columns: BTreeMap<String, ArrayRef>,
}

impl Columns for Values {
    fn rows(&self) -> usize {
        self.rows
    }

    fn column(&self, name: &str) -> Result<ArrayRef, ArrowError> {
        self.columns.get(name).cloned().ok_or_else(|| ArrowError::SchemaError(format!("no parameter `{name}`")))
    }
}

struct Run<'r, 'a> {
    plan: &'a Plan,
    set: &'a RuleSet,
    views: &'r Rc<Views<'a>>,
    scope: &'r Scope,
}

/// What the condition is asked of: rows, or groups of rows.
struct Units<'a> {
    /// For groups: the rows, sorted by group, and where each group begins (one more entry than groups).
    rows: Option<(Frame<'a>, Vec<usize>)>,
    frame: Frame<'a>,
}

impl<'a> Run<'_, 'a> {
    fn view(&self) -> View {
        self.plan.rule.find.view
    }

    /// Whether there is time left.
    fn go_on(&self) -> Result<(), ArrowError> {
        match self.scope.deadline {
            Some(deadline) if deadline.is_past() => Err(ArrowError::ExternalError(Box::new(GivenUp))),
            _ => Ok(()),
        }
    }

    /// Whether these rows make no hit that is wanted, nor an answer that is counted: none is of a wanted encounter.
    fn is_moot(&self, frame: &Frame<'a>) -> Result<bool, ArrowError> {
        if frame.rows() == 0 {
            return Ok(true);
        }
        let Some(wanted) = &self.scope.wanted else { return Ok(false) };
        if !self.view().columns().contains_key("mdtrt_id") || self.plan.speaks_of_others {
            return Ok(false);
        }
        let numbers = self.views.numbers(self.view(), "mdtrt_id")?;
        let wanted = Numbers::of(wanted, self.views);
        Ok(!(0..frame.rows()).any(|row| wanted.has(numbers[frame.source_row(row) as usize])))
    }

    /// Each `with` and its look-up.
    fn look_ups(&self) -> impl Iterator<Item = (&'a With, &'a LookUp)> {
        self.plan.rule.find.with.iter().zip(&self.plan.look_ups)
    }

    /// For each look-up the rows of knowledge whose other side is there too, where the others can be left out: what has one side
    /// alone makes clean units, which nobody counts.
    fn only_pairs(&self) -> Result<Vec<Option<Vec<bool>>>, ArrowError> {
        let only = self.scope.without_clean
            && self.plan.sides_are_silent_alone
            && self.is_always_in_force()
            && (self.view() != View::PaidLine || self.views.paid()?.unknown == 0);
        let pairs = |(with, look_up): (&With, &LookUp)| {
            if only { look_up.pairs(with, self.set, self.views, self.view()) } else { Ok(None) }
        };
        self.look_ups().map(pairs).collect()
    }

    /// The rows to begin with, and whether `about` has been asked of them for good.
    ///
    /// Lines that are surely not paid, and what `about` surely does not speak of, are left out at once, where no knowledge
    /// narrows the rows down; what is unknown stays until it can be counted. Parts of `about` that rules share (`setting =
    /// 'inpatient'`) are computed once a unit.
    fn begin(&self, pairs: &[Option<Vec<bool>>]) -> Result<(Frame<'a>, bool), ArrowError> {
        let frame = Frame::new(Rc::new(ViewRows::new(self.views, self.view())?));
        if frame.rows() == 0 {
            return Ok((frame, false));
        }
        let mut mask: Option<BooleanArray> = None;
        if self.view() == View::PaidLine {
            mask = Some(self.views.paid()?.perhaps.clone());
        }
        for ((with, look_up), pairs) in self.look_ups().zip(pairs) {
            let (mask, pairs) = (mask.as_ref(), pairs.as_deref());
            if let Some(rows) = look_up.concerned(with, self.set, self.views, self.view(), mask, pairs)? {
                return Ok((frame.select(&rows)?, false));
            }
        }
        let early: Vec<&Compiled> =
            self.plan.about_parts.iter().filter(|part| self.plan.may_come_first(part)).collect();
        let name: Vec<&str> = early.iter().map(|part| part.text.as_str()).collect();
        let chosen = self.views.chosen(self.view(), &name.join(" AND "), || {
            let mut about: Option<BooleanArray> = None;
            for part in &early {
                let answers = self.part(&frame, part)?;
                about = Some(match about {
                    Some(known) => arrow::compute::and_kleene(&known, &answers)?,
                    None => answers,
                });
            }
            let known = about.as_ref().is_some_and(|about| about.null_count() == 0);
            let about = about.map(|about| if known { about } else { not_false(&about) });
            let mask = match (mask, about) {
                (Some(mask), Some(about)) => Some(arrow::compute::and(&mask, &about)?),
                (mask, about) => mask.or(about),
            };
            let all = mask.as_ref().is_none_or(|mask| mask.true_count() == mask.len());
            Ok(Chosen { rows: mask.filter(|_| !all).map(|mask| positions(&mask)), known })
        })?;
        let asked = chosen.known && early.len() == self.plan.about_parts.len();
        match &chosen.rows {
            Some(rows) => Ok((frame.select(rows)?, asked)),
            None => Ok((frame, asked)),
        }
    }

    /// The answers of a part of `about` for every row of the view.
    fn part(&self, frame: &Frame<'a>, part: &Compiled) -> Result<BooleanArray, ArrowError> {
        self.views.mask(self.view(), &part.text, || frame.condition(part))
    }

    /// Parameters are values of the row's day and place: asked once for each day and place that differ.
    fn parameters(&self, frame: &mut Frame<'a>) -> Result<(), ArrowError> {
        let named = |name: &'a String| self.set.parameters.get(name).map(|parameter| (name.as_str(), parameter));
        let parameters: Vec<(&str, &Parameter)> = self.plan.parameters.iter().filter_map(named).collect();
        if parameters.is_empty() {
            return Ok(());
        }
        let occasions = Occasions::new(self.views, self.view(), &parameters)?;
        let mut numbers: HashMap<Occasion, u32> = HashMap::new();
        let mut distinct: Vec<Occasion> = Vec::new();
        let mut last: Option<(Occasion, u32)> = None;
        let rows = (0..frame.rows()).map(|row| {
            let occasion = occasions.of(frame.source_row(row) as usize);
            if let Some((_, number)) = last.filter(|(known, _)| *known == occasion) {
                return number;
            }
            let number = *numbers.entry(occasion).or_insert_with(|| {
                distinct.push(occasion);
                u32::try_from(distinct.len() - 1).unwrap_or(u32::MAX)
            });
            last = Some((occasion, number));
            number
        });
        let rows: UInt32Array = rows.collect();
        let mut columns = BTreeMap::new();
        for (name, parameter) in parameters {
            let value = |occasion: &Occasion| {
                let at = occasions.in_force(parameter, *occasion)?;
                scaled(parameter.values[at].value, 4)
            };
            let values: Decimal128Array = distinct.iter().map(value).collect();
            columns.insert(name.to_owned(), Arc::new(values.with_precision_and_scale(16, 4)?) as ArrayRef);
        }
        frame.join_named("$", Rc::new(Values { rows: distinct.len(), columns }), rows);
        Ok(())
    }

    /// `paid_line`: lines with `inscp_amt` > 0; an unknown amount is not evaluated.
    fn paid(&self, frame: Frame<'a>, found: &mut Found) -> Result<Frame<'a>, ArrowError> {
        if self.view() != View::PaidLine || self.views.paid()?.unknown == 0 {
            return Ok(frame);
        }
        let amounts = frame.column("inscp_amt")?;
        let amounts = amounts.as_primitive::<Decimal128Type>();
        if amounts.null_count() > 0 {
            // Only lines that the rule would otherwise speak of are missed.
            let unknown = frame.filter(&arrow::compute::is_null(amounts)?)?;
            let asked = match &self.plan.about {
                Some(about) if !self.plan.about_comes_last => {
                    unknown.filter(&not_false(&unknown.condition(&about.compiled)?))?
                }
                _ => unknown,
            };
            self.unanswered(&asked, &["inscp_amt".to_owned()], found)?;
        }
        let mask: BooleanArray = amounts.iter().map(|a| Some(a.is_some_and(|a| a > 0))).collect();
        frame.filter(&mask)
    }

    fn about(&self, frame: Frame<'a>, found: &mut Found) -> Result<Frame<'a>, ArrowError> {
        let Some(about) = &self.plan.about else { return Ok(frame) };
        let mask = frame.condition(&about.compiled)?;
        if mask.null_count() > 0 {
            let unknown = frame.filter(&arrow::compute::is_null(&mask)?)?;
            self.unanswered(&unknown, &about.columns, found)?;
        }
        frame.filter(&mask)
    }

    /// Rows that lack what the rule needs are not evaluated.
    fn needs(&self, frame: Frame<'a>, found: &mut Found) -> Result<Frame<'a>, ArrowError> {
        let mut frame = frame;
        for (text, needed) in &self.plan.needs_known {
            let values = frame.evaluate(needed)?;
            if values.null_count() > 0 {
                let unknown = frame.filter(&arrow::compute::is_null(&values)?)?;
                let because = [format!("缺少 {text}")];
                self.count_unanswered(&unknown, |_| Answer::Because(0), |_| String::new(), &because, found)?;
                frame = frame.filter(&arrow::compute::is_not_null(&values)?)?;
            }
        }
        Ok(frame)
    }

    /// Aggregates over the rows that share something, on every one of them.
    fn totals(&self, frame: &mut Frame<'a>) -> Result<(), ArrowError> {
        for total in &self.plan.totals {
            let mut made: Vec<(String, ArrayRef)> = Vec::new();
            {
                let grouped = grouped(self.views, self.view(), frame, &total.per, &total.measured)?;
                // Back to the rows of the frame, wherever they were in their group.
                let group_of = UInt32Array::from(grouped.group_of);
                for (name, compiled) in &total.columns {
                    made.push((name.clone(), take(&grouped.groups.evaluate(compiled)?, &group_of, None)?));
                }
            }
            for (name, column) in made {
                frame.put(&name, column);
            }
        }
        Ok(())
    }

    /// Counts rows that a missing value leaves unanswered, with the columns that are null.
    fn unanswered(&self, frame: &Frame<'a>, columns: &[String], found: &mut Found) -> Result<(), ArrowError> {
        let lacks = Lacks::of(frame, columns);
        self.count_unanswered(
            frame,
            |row| Answer::Lacks(lacks.bits(row)),
            |bits| self.missing(&lacks, bits),
            &[],
            found,
        )
    }

    /// Which columns are missing, in words.
    fn missing(&self, lacks: &Lacks<'_, '_>, bits: u64) -> String {
        let missing: Vec<String> = lacks.names(bits).map(|name| self.lacking(name)).collect();
        if missing.is_empty() { "无法计算".to_owned() } else { format!("缺少 {}", missing.join("、")) }
    }

    /// What the absence of a name means: of a measure, that of the columns under it.
    fn lacking(&self, name: &str) -> String {
        if let Some(under) = self.plan.rests_on.get(name).filter(|under| !under.is_empty()) {
            return under.iter().map(|column| said(column)).collect::<Vec<_>>().join("/");
        }
        match name.strip_suffix(".found") {
            Some(name) => format!("{name}（回溯期早于数据起始日）"),
            None => said(name).to_owned(),
        }
    }

    fn count_unanswered(
        &self,
        frame: &Frame<'a>,
        answer: impl Fn(usize) -> Answer,
        lacking: impl Fn(u64) -> String,
        because: &[String],
        found: &mut Found,
    ) -> Result<(), ArrowError> {
        let inside = self.in_scope(frame, None)?;
        let facilities = self.facilities(frame)?;
        let counted = self.counted(frame, None)?;
        let mut count = Count::default();
        for row in 0..frame.rows() {
            if inside.as_ref().is_none_or(|inside| inside.value(row))
                && counted.as_ref().is_none_or(|counted| counted[row])
            {
                count.add(facilities(row), answer(row));
            }
        }
        count.told(&mut found.answers, |number| self.views.word(number), lacking, because);
        Ok(())
    }

    fn matches(&self, mut frame: Frame<'a>) -> Result<Frame<'a>, ArrowError> {
        for (number, found) in self.plan.rule.find.matches.iter().enumerate() {
            let plan = &self.plan.matches[number];
            let other: Rc<dyn Columns + 'a> = Rc::new(ViewRows::new(self.views, found.view)?);
            let pairs = self.pairs(&frame, plan, found, &other)?;
            let mut lefts: Vec<u32> = Vec::new();
            let mut rights: Vec<u32> = Vec::new();
            for chunk in pairs.chunks(PAIRS) {
                let (mut left, mut right): (Vec<u32>, Vec<u32>) = chunk.iter().copied().unzip();
                let of_lines = is_of_lines(found.view);
                for part in plan.theirs.iter().filter(|_| of_lines).chain(&plan.both) {
                    if left.is_empty() {
                        break;
                    }
                    self.go_on()?;
                    let mut joined = frame.select(&UInt32Array::from(left.clone()))?;
                    joined.join(&found.name, Rc::clone(&other), UInt32Array::from(right.clone()));
                    let those = positions(&joined.condition(part)?);
                    if those.len() < left.len() {
                        left = those.values().iter().map(|at| left[*at as usize]).collect();
                        right = those.values().iter().map(|at| right[*at as usize]).collect();
                    }
                }
                if found.view == View::PaidLine {
                    let amounts = self.views.column(View::Line, "inscp_amt")?;
                    let amounts = amounts.as_primitive::<Decimal128Type>();
                    let paid = |line: u32| amounts.is_valid(line as usize) && amounts.value(line as usize) > 0;
                    (left, right) = left.into_iter().zip(right).filter(|(_, line)| paid(*line)).unzip();
                }
                lefts.extend(left);
                rights.extend(right);
            }
            if found.each {
                frame = frame.select(&UInt32Array::from(lefts))?;
                frame.join(&found.name, other, UInt32Array::from(rights));
                continue;
            }
            let mut first: Vec<Option<u32>> = vec![None; frame.rows()];
            for (left, right) in lefts.into_iter().zip(rights) {
                let known = &mut first[left as usize];
                *known = Some(known.map_or(right, |k| k.min(right)));
            }
            let mut answers: Vec<Option<bool>> = first.iter().map(|f| Some(f.is_some())).collect();
            if let Some(look_back) = &plan.look_back_days {
                let back = cast(&frame.evaluate(look_back)?, &DataType::Int64)?;
                let back = back.as_primitive::<Int64Type>();
                let days = frame.column(self.view().days().0)?;
                let days = days.as_primitive::<Date32Type>();
                for (row, answer) in answers.iter_mut().enumerate() {
                    let begins = i64::from(days.value(row)) - back.value(row);
                    if *answer == Some(false) && begins < i64::from(self.views.setting.first_day) {
                        *answer = None;
                    }
                }
            }
            frame.put(&format!("{}.found", found.name), Arc::new(BooleanArray::from(answers)));
            frame.join(&found.name, other, UInt32Array::from(first));
        }
        Ok(frame)
    }

    /// Rows of the frame with the rows of the matched view that agree in the columns of `on`; only rows of which all is true
    /// that the match asks of them alone: there is no need to pair the others.
    fn pairs(
        &self,
        frame: &Frame<'a>,
        plan: &MatchPlan,
        found: &Match,
        other: &Rc<dyn Columns + 'a>,
    ) -> Result<Vec<(u32, u32)>, ArrowError> {
        let mut allowed: Option<BooleanArray> = None;
        // Few pairs of lines are left as a rule, and a unit has many lines.
        if !plan.theirs.is_empty() && !is_of_lines(found.view) {
            let mut theirs = Frame::new(Rc::clone(other));
            theirs.join(&found.name, Rc::clone(other), (0..u32::try_from(other.rows()).unwrap_or(u32::MAX)).collect());
            for part in &plan.theirs {
                let answers = theirs.condition(part)?;
                allowed = Some(match allowed {
                    Some(known) => arrow::compute::and_kleene(&known, &answers)?,
                    None => answers,
                });
            }
        }
        let paired = |frame: &Frame<'a>| {
            let go_on = || self.go_on();
            candidate_pairs(self.views, self.view(), frame, found.view, &found.on, allowed.as_ref(), &go_on)
        };
        let Some(own) = &plan.own else { return paired(frame) };
        let mask = frame.condition(own)?;
        if mask.true_count() == frame.rows() {
            return paired(frame);
        }
        let rows = positions(&mask);
        let mut pairs = paired(&frame.select(&rows)?)?;
        for (left, _) in &mut pairs {
            *left = rows.value(*left as usize);
        }
        Ok(pairs)
    }

    fn sequence(&self, frame: Frame<'a>) -> Result<Frame<'a>, ArrowError> {
        let (Some(sequence), Some(plan)) = (&self.plan.rule.find.sequence, &self.plan.sequence) else {
            return Ok(frame);
        };
        let order = self.order(&frame, &plan.per, &plan.by)?;
        let mut frame = frame.select(&UInt32Array::from(order))?;
        let runs = continues(self.views, self.view(), &frame, &plan.per)?;
        let before: UInt32Array = (0u32..).zip(&runs).map(|(row, same)| same.then(|| row - 1)).collect();
        for name in &sequence.previous {
            let column = take(&frame.column(name)?, &before, None)?;
            frame.put(&format!("previous.{name}"), column);
        }
        frame.put("previous.found", Arc::new(BooleanArray::from(runs.clone())));
        let mut nth = 0;
        let places: Int64Array = runs
            .iter()
            .map(|same| {
                nth = if *same { nth + 1 } else { 1 };
                Some(nth)
            })
            .collect();
        frame.put("nth", Arc::new(places));
        if let Some(stack) = &sequence.stack {
            let from = frame.column(&stack.from)?;
            let from = from.as_primitive::<Date32Type>();
            let days = cast(&frame.column(&stack.days)?, &DataType::Decimal128(20, 8))?;
            let days = days.as_primitive::<Decimal128Type>();
            let mut end: Option<i128> = None;
            let in_hand: Vec<Option<i128>> = (0..frame.rows())
                .map(|row| {
                    if !runs[row] {
                        end = None;
                    }
                    let begin = i128::from(from.is_valid(row).then(|| from.value(row))?) * ONE_DAY;
                    let left = end.map_or(0, |end| end - begin);
                    if days.is_valid(row) {
                        end = Some(end.map_or(begin, |end| end.max(begin)) + days.value(row));
                    }
                    Some(left.max(0))
                })
                .collect();
            frame.put(&stack.name, Arc::new(Decimal128Array::from(in_hand).with_precision_and_scale(20, 8)?));
        }
        let firsts: UInt32Array = {
            let mut first = 0;
            (0u32..)
                .zip(&runs)
                .map(|(row, same)| {
                    first = if *same { first } else { row };
                    Some(first)
                })
                .collect()
        };
        for name in &sequence.first {
            let column = take(&frame.column(name)?, &firsts, None)?;
            frame.put(&format!("first.{name}"), column);
        }
        if let Some((name, of)) = &plan.rank {
            let values = cells_of(self.views, &frame.evaluate(of)?)?;
            let mut place = 0;
            let places: Int64Array = (0..frame.rows())
                .map(|row| {
                    if !runs[row] {
                        place = 1;
                    } else if values[row] != values[row - 1] {
                        place += 1;
                    }
                    Some(place)
                })
                .collect();
            frame.put(name, Arc::new(places));
        }
        if let Some(rolling) = &plan.rolling {
            let column = rolled(&frame, rolling, firsts.values(), &|| self.go_on())?;
            frame.put(&rolling.name, column);
        }
        Ok(frame)
    }

    /// Rows by run, and in each run by the values of `by`; equal ones in the order in which they come.
    fn order(&self, frame: &Frame<'a>, per: &[Compiled], by: &[Compiled]) -> Result<Vec<u32>, ArrowError> {
        let per: Vec<Vec<u64>> =
            per.iter().map(|c| cells(self.views, self.view(), frame, c)).collect::<Result<_, _>>()?;
        let by = by
            .iter()
            .map(|c| {
                let values = frame.evaluate(c)?;
                make_comparator(&values, &values, SortOptions::default())
            })
            .collect::<Result<Vec<_>, ArrowError>>()?;
        let compare = |a: &u32, b: &u32| {
            let (a, b) = (*a as usize, *b as usize);
            let runs = per.iter().map(|run| run[a].cmp(&run[b]));
            runs.chain(by.iter().map(|order| order(a, b))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        };
        let mut order: Vec<u32> = (0..u32::try_from(frame.rows()).unwrap_or(u32::MAX)).collect();
        order.sort_by(compare);
        Ok(order)
    }

    fn groups(&self, frame: &Frame<'a>) -> Result<Units<'a>, ArrowError> {
        let Grouped { rows, mut groups, starts, .. } =
            grouped(self.views, self.view(), frame, &self.plan.per, &self.plan.measured)?;
        for (name, compiled) in &self.plan.measures {
            let column = groups.evaluate(compiled)?;
            groups.put(name, column);
        }
        Ok(Units { rows: Some((rows, starts)), frame: groups })
    }

    fn answer(&self, units: &Units<'a>, found: &mut Found) -> Result<(), ArrowError> {
        let frame = &units.frame;
        let inside = self.in_scope(frame, units.rows.as_ref())?;
        let facilities = self.facilities(frame)?;
        let (mut excused, mut because) = self.not_in_force(units)?;
        for (when, why) in &self.plan.not_evaluated_when {
            because.push(why.clone());
            let reason = u32::try_from(because.len() - 1).ok();
            for row in positions(&frame.condition(when)?).values() {
                let excused = excused.get_or_insert_with(|| vec![None; frame.rows()]);
                let known = &mut excused[*row as usize];
                *known = known.or(reason);
            }
        }
        let answers = frame.condition(&self.plan.condition.compiled)?;
        let silent = self.silent(frame, &answers, excused.as_deref())?;
        let lacks = Lacks::of(frame, &self.plan.condition.columns);
        let mut hits: Vec<u32> = Vec::new();
        let mut count = Count::default();
        let counted = self.counted(frame, units.rows.as_ref())?;
        if counted.is_none() && inside.is_none() && silent.is_none() && excused.is_none() && answers.null_count() == 0 {
            // The common case: every unit has its answer, and next to none is hit.
            count.all_clean((0..frame.rows()).map(&facilities));
            hits.extend(positions(&answers).values());
            for hit in &hits {
                count.but_hit(facilities(*hit as usize));
            }
            return self.told(units, count, &hits, &because, &lacks, found);
        }
        for row in 0..frame.rows() {
            if inside.as_ref().is_some_and(|inside| !inside.value(row)) {
                continue;
            }
            let answer = if silent.as_ref().is_some_and(|silent| silent[row]) {
                Answer::Clean
            } else if let Some(why) = excused.as_ref().and_then(|excused| excused[row]) {
                Answer::Because(why)
            } else if answers.is_null(row) {
                Answer::Lacks(lacks.bits(row))
            } else if answers.value(row) {
                hits.push(u32::try_from(row).unwrap_or(u32::MAX));
                Answer::Hit
            } else {
                Answer::Clean
            };
            if counted.as_ref().is_none_or(|counted| counted[row]) {
                count.add(facilities(row), answer);
            }
        }
        self.told(units, count, &hits, &because, &lacks, found)
    }

    /// Adds what was counted, and the hits.
    fn told(
        &self,
        units: &Units<'a>,
        count: Count,
        hits: &[u32],
        because: &[String],
        lacks: &Lacks<'_, '_>,
        found: &mut Found,
    ) -> Result<(), ArrowError> {
        let lacking = |bits| self.missing(lacks, bits);
        count.told(&mut found.answers, |number| self.views.word(number), lacking, because);
        if hits.is_empty() { Ok(()) } else { self.hits(units, hits, &mut found.hits) }
    }

    /// Units on which `unless` keeps the rule silent; asked only of those that would be hit or not evaluated.
    fn silent(
        &self,
        frame: &Frame<'a>,
        answers: &BooleanArray,
        excused: Option<&[Option<u32>]>,
    ) -> Result<Option<Vec<bool>>, ArrowError> {
        if self.plan.unless.is_empty() {
            return Ok(None);
        }
        let loud = |row: &usize| {
            answers.is_null(*row) || answers.value(*row) || excused.is_some_and(|excused| excused[*row].is_some())
        };
        let loud: Vec<u32> = (0..frame.rows()).filter(loud).filter_map(|row| u32::try_from(row).ok()).collect();
        if loud.is_empty() {
            return Ok(None);
        }
        let mut silent = vec![false; frame.rows()];
        let chosen = frame.select(&UInt32Array::from(loud.clone()))?;
        for unless in &self.plan.unless {
            for (row, value) in loud.iter().zip(chosen.condition(unless)?.iter()) {
                silent[*row as usize] |= value == Some(true);
            }
        }
        Ok(Some(silent))
    }

    /// Whether the rule speaks about every day of which there may be rows.
    fn is_always_in_force(&self) -> bool {
        let (from, until) = self.plan.rule.in_force;
        // No line, encounter or stay is earlier than the data; a settlement may be.
        let of_service = !matches!(self.view(), View::Settlement | View::RawSettlement | View::Presence);
        until.is_none() && from.is_none_or(|from| of_service && from <= self.views.setting.first_day)
    }

    /// Units of days that the rule does not speak about, by reason: they are history for others, and answered with why.
    fn not_in_force(&self, units: &Units<'a>) -> Result<(Excused, Vec<String>), ArrowError> {
        let (from, until) = self.plan.rule.in_force;
        let mut because = Vec::new();
        if self.is_always_in_force() {
            return Ok((None, because));
        }
        because.push(from.map_or_else(String::new, |from| format!("规则自 {} 起施行", calendar::text(from))));
        because.push(until.map_or_else(String::new, |until| format!("规则施行至 {}", calendar::text(until))));
        let why = |on: Option<i32>| {
            let on = on?;
            if from.is_some_and(|from| on < from) {
                return Some(0);
            }
            until.is_some_and(|until| on > until).then_some(1)
        };
        let days = self.days(&units.frame, units.rows.as_ref())?;
        Ok((Some(days.into_iter().map(|(first, _)| why(first)).collect()), because))
    }

    /// Whether a unit touches the period and the facilities that were asked for; nothing where all were.
    fn in_scope(
        &self,
        frame: &Frame<'a>,
        rows: Option<&(Frame<'a>, Vec<usize>)>,
    ) -> Result<Option<BooleanArray>, ArrowError> {
        let scope = self.scope;
        if scope.from.is_none() && scope.until.is_none() && scope.facilities.is_empty() {
            return Ok(None);
        }
        let days = self.days(frame, rows)?;
        let facilities = self.facilities(frame)?;
        let wanted: Vec<u32> = scope.facilities.iter().filter_map(|code| self.views.number_of(code)).collect();
        Ok(Some(
            (0..frame.rows())
                .map(|row| {
                    let (first, last) = days[row];
                    let in_time = last.is_none_or(|last| scope.from.is_none_or(|from| last >= from))
                        && first.is_none_or(|first| scope.until.is_none_or(|until| first <= until));
                    let in_place = scope.facilities.is_empty() || wanted.contains(&facilities(row));
                    Some(in_time && in_place)
                })
                .collect(),
        ))
    }

    /// Whether each unit is counted in the answers; nothing where all are.
    fn counted(
        &self,
        frame: &Frame<'a>,
        rows: Option<&(Frame<'a>, Vec<usize>)>,
    ) -> Result<Option<Vec<bool>>, ArrowError> {
        let Some(encounters) = &self.scope.counted else { return Ok(None) };
        if !self.view().columns().contains_key("mdtrt_id") {
            return Ok(None);
        }
        let numbers = self.views.numbers(self.view(), "mdtrt_id")?;
        let wanted = Numbers::of(encounters, self.views);
        let of = |frame: &Frame<'a>, row: usize| wanted.has(numbers[frame.source_row(row) as usize]);
        Ok(Some(match rows {
            None => (0..frame.rows()).map(|row| of(frame, row)).collect(),
            Some((rows, starts)) => {
                starts.windows(2).map(|group| (group[0]..group[1]).any(|row| of(rows, row))).collect()
            }
        }))
    }

    /// First and last day of each unit.
    fn days(&self, frame: &Frame<'a>, rows: Option<&(Frame<'a>, Vec<usize>)>) -> Result<Vec<Extent>, ArrowError> {
        let (first, last) = self.view().days();
        let read = |frame: &Frame<'a>| -> Result<(Date32Array, Date32Array), ArrowError> {
            Ok((frame.column(first)?.as_primitive().clone(), frame.column(last)?.as_primitive().clone()))
        };
        match rows {
            None => {
                let (first, last) = read(frame)?;
                Ok(first.iter().zip(last.iter()).collect())
            }
            Some((rows, starts)) => self.days_of_groups(rows, starts, 0..frame.rows()),
        }
    }

    /// First and last day of the rows of some groups.
    fn days_of_groups(
        &self,
        rows: &Frame<'a>,
        starts: &[usize],
        groups: impl Iterator<Item = usize>,
    ) -> Result<Vec<Extent>, ArrowError> {
        let (first, last) = self.view().days();
        let (first, last) = (rows.column(first)?, rows.column(last)?);
        let (first, last) = (first.as_primitive::<Date32Type>(), last.as_primitive::<Date32Type>());
        let known = |days: &Date32Array, row: usize| days.is_valid(row).then(|| days.value(row));
        Ok(groups
            .map(|group| {
                let rows = starts[group]..starts[group + 1];
                (rows.clone().filter_map(|r| known(first, r)).min(), rows.filter_map(|r| known(last, r)).max())
            })
            .collect())
    }

    /// The facility of a row, as its number in the unit; 0 where it has none.
    fn facilities<'f>(&self, frame: &'f Frame<'a>) -> Result<impl Fn(usize) -> u32 + use<'f, 'a>, ArrowError> {
        let known = self.view().columns().contains_key("fixmedins_code");
        let numbers = if known { Some(self.views.numbers(self.view(), "fixmedins_code")?) } else { None };
        Ok(move |row: usize| numbers.as_ref().map_or(0, |numbers| numbers[frame.source_row(row) as usize]))
    }

    fn hits(&self, units: &Units<'a>, hits: &[u32], into: &mut Vec<Hit>) -> Result<(), ArrowError> {
        let plan = self.plan;
        let chosen = units.frame.select(&UInt32Array::from(hits.to_vec()))?;
        // A settlement may be worth less than nothing; what is at stake is not.
        let at_stake =
            to_money(&chosen.evaluate(&plan.amount)?)?.into_iter().map(|amount| amount.max(Decimal::new(0, 2)));
        let amounts: Vec<Decimal> = at_stake.collect();
        let evaluate = |compiled: &Compiled| chosen.evaluate(compiled);
        let key: Vec<(&str, ArrayRef)> =
            plan.key.iter().map(|(n, c)| evaluate(c).map(|a| (n.as_str(), a))).collect::<Result<_, _>>()?;
        let pieces: Vec<Result<ArrayRef, &str>> = plan
            .finding
            .iter()
            .map(|p| match p {
                Piece::Text(text) => Ok(Err(text.as_str())),
                Piece::Value(c) => evaluate(c).map(Ok),
            })
            .collect::<Result<_, ArrowError>>()?;
        let evidence: Vec<(&str, ArrayRef)> =
            plan.evidence.iter().map(|(n, c)| evaluate(c).map(|a| (n.as_str(), a))).collect::<Result<_, _>>()?;
        let severity = plan.severity.as_ref().map(evaluate).transpose()?;
        let result = plan.result.as_ref().map(evaluate).transpose()?;
        let lines_of = plan.lines_of.as_ref().map(|(whose, c)| evaluate(c).map(|a| (*whose, a))).transpose()?;
        let days = match &units.rows {
            None => self.days(&chosen, None)?,
            Some((rows, starts)) => self.days_of_groups(rows, starts, hits.iter().map(|hit| *hit as usize))?,
        };
        let columns = self.view().columns();
        let optional = |name: &str| -> Result<Option<ArrayRef>, ArrowError> {
            if columns.contains_key(name) { chosen.column(name).map(Some) } else { Ok(None) }
        };
        let (person, encounter) = (optional("psn_no")?, optional("mdtrt_id")?);
        let (settlement, facility) = (optional("setl_id")?, optional("fixmedins_code")?);
        let serial = if plan.per.is_empty() { optional("feedetl_sn")? } else { None };
        let lines = self.lines(units, hits)?;
        for (at, (violating, involved)) in lines.into_iter().enumerate() {
            self.go_on()?;
            let violating = match &lines_of {
                Some((whose, ids)) if ids.is_valid(at) => self.paid_lines(*whose, ids.as_string::<i32>().value(at))?,
                Some(_) => Vec::new(),
                None => violating,
            };
            let word = |array: &Option<ArrayRef>| array.as_ref().and_then(|a| show(a, at));
            let mut message = String::new();
            for piece in &pieces {
                match piece {
                    Err(text) => message.push_str(text),
                    Ok(array) => message.push_str(&show(array, at).unwrap_or_else(|| "—".to_owned())),
                }
            }
            let mut facts = serde_json::Map::new();
            for (name, array) in &evidence {
                let value = show(array, at).map_or(serde_json::Value::Null, serde_json::Value::String);
                let fact = match name.strip_prefix('$') {
                    Some(parameter) => self.cited(parameter, value, chosen.source_row(at))?,
                    None => value,
                };
                facts.insert((*name).to_owned(), fact);
            }
            let mut key_json = serde_json::Map::new();
            for (name, array) in &key {
                if let Some(text) = show(array, at) {
                    key_json.insert((*name).to_owned(), serde_json::Value::String(text));
                }
            }
            into.push(Hit {
                key: serde_json::Value::Object(key_json).to_string(),
                result: word(&result).unwrap_or_else(|| plan.rule.result.clone()),
                severity: word(&severity).unwrap_or_else(|| plan.rule.severity.clone()),
                psn_no: word(&person),
                mdtrt_id: word(&encounter),
                setl_id: word(&settlement),
                feedetl_sn: word(&serial),
                fixmedins_code: word(&facility),
                from_day: days[at].0,
                until_day: days[at].1,
                amount: amounts[at],
                message: message.chars().take(500).collect(),
                evidence: serde_json::Value::Object(facts).to_string(),
                violating: self.hit_lines(&violating)?,
                involved: self.hit_lines(&involved)?,
            });
        }
        Ok(())
    }

    /// A parameter's value, on the day and at the place of a row of the view, with where it comes from.
    fn cited(&self, name: &str, value: serde_json::Value, row: u32) -> Result<serde_json::Value, ArrowError> {
        let mut fact = serde_json::Map::new();
        fact.insert("value".to_owned(), value);
        if let Some(parameter) = self.set.parameters.get(name) {
            let occasions = Occasions::new(self.views, self.view(), &[(name, parameter)])?;
            if let Some(at) = occasions.in_force(parameter, occasions.of(row as usize)) {
                let chosen = &parameter.values[at];
                fact.insert("source".to_owned(), chosen.source().into());
                if let Some(region) = &chosen.region {
                    fact.insert("region".to_owned(), region.clone().into());
                }
                if let Some(verified) = chosen.verified_on {
                    fact.insert("verified_on".to_owned(), calendar::text(verified).into());
                }
            }
        }
        Ok(serde_json::Value::Object(fact))
    }

    /// Violating and involved net lines of each hit.
    fn lines(&self, units: &Units<'a>, hits: &[u32]) -> Result<Vec<Roles>, ArrowError> {
        let view = self.view();
        let Some((rows, starts)) = &units.rows else {
            let members = |hit: &u32| self.views.members(view, units.frame.source_row(*hit as usize));
            return hits.iter().map(|hit| Ok((members(hit)?, Vec::new()))).collect();
        };
        // The rows of the groups that were hit, with the measures of their group.
        let mut keep = Vec::new();
        let mut group = Vec::new();
        let mut nth = Vec::new();
        for hit in hits {
            let (start, end) = (starts[*hit as usize], starts[*hit as usize + 1]);
            for (place, row) in (start..end).enumerate() {
                keep.push(u32::try_from(row).unwrap_or(u32::MAX));
                group.push(*hit);
                nth.push(i64::try_from(place + 1).unwrap_or(i64::MAX));
            }
        }
        let mut frame = rows.select(&UInt32Array::from(keep))?;
        let group_rows = UInt32Array::from(group.clone());
        for (name, _) in &self.plan.measures {
            let column = take(&units.frame.column(name)?, &group_rows, None)?;
            frame.put(name, column);
        }
        frame.put("nth_in_group", Arc::new(Int64Array::from(nth)));
        let violating = self.plan.violating.as_ref().map(|c| frame.condition(c)).transpose()?;
        let involved = self.plan.involved.as_ref().map(|c| frame.condition(c)).transpose()?;
        let mut found: Vec<Roles> = Vec::with_capacity(hits.len());
        let mut last = None;
        for (row, number) in group.iter().enumerate() {
            if last != Some(number) {
                found.push((Vec::new(), Vec::new()));
                last = Some(number);
            }
            let Some((bad, other)) = found.last_mut() else { continue };
            let is = |mask: &Option<BooleanArray>, otherwise: bool| {
                mask.as_ref().map_or(otherwise, |m| m.is_valid(row) && m.value(row))
            };
            let members = self.views.members(view, frame.source_row(row))?;
            if is(&violating, true) {
                bad.extend(&members);
            } else if is(&involved, false) {
                other.extend(&members);
            }
        }
        Ok(found)
    }

    /// The net paid lines of a stay, an encounter or a settlement.
    fn paid_lines(&self, whose: LinesOf, id: &str) -> Result<Vec<u32>, ArrowError> {
        let lines = match whose {
            LinesOf::Stay => self.views.lines_of_stay(id)?,
            LinesOf::Encounter => self.views.lines_of_encounter(id)?,
            LinesOf::Settlement => self.views.lines_of_settlement(id)?,
        };
        let amounts = self.views.column(View::Line, "inscp_amt")?;
        let amounts = amounts.as_primitive::<Decimal128Type>();
        Ok(lines
            .into_iter()
            .filter(|line| amounts.is_valid(*line as usize) && amounts.value(*line as usize) > 0)
            .collect())
    }

    fn hit_lines(&self, lines: &[u32]) -> Result<Vec<HitLine>, ArrowError> {
        let mut sorted = lines.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let amounts = self.views.column(View::Line, "inscp_amt")?;
        let amounts = amounts.as_primitive::<Decimal128Type>();
        let column = |name: &str| texts(&self.views.claims.lines, name);
        let people = column("psn_no")?;
        let (ids, serials, settled, places) =
            (column("mdtrt_id")?, column("feedetl_sn")?, column("setl_id")?, column("fixmedins_code")?);
        let items = column("hilist_code")?;
        let word = |texts: Texts<'_>, at: usize| texts.at(at).map(str::to_owned);
        sorted
            .into_iter()
            .map(|line| {
                let at = line as usize;
                Ok(HitLine {
                    psn_no: word(people, at),
                    mdtrt_id: word(ids, at).unwrap_or_default(),
                    feedetl_sn: word(serials, at).unwrap_or_default(),
                    setl_id: word(settled, at),
                    fixmedins_code: word(places, at),
                    hilist_code: word(items, at),
                    inscp_amt: Decimal::from_i128_with_scale(
                        if amounts.is_valid(at) { amounts.value(at) } else { 0 },
                        2,
                    ),
                    fund_share: self.views.fund_share(line)?.map(|(paid, scope)| {
                        (Decimal::from_i128_with_scale(paid, 2), Decimal::from_i128_with_scale(scope, 2))
                    }),
                })
            })
            .collect()
    }
}

/// For each row the sum over the rows of its run, up to it, whose day differs from its own by less than its number of days.
///
/// An unknown summand makes the sum unknown.
fn rolled(
    frame: &Frame<'_>,
    plan: &RollingPlan,
    firsts: &[u32],
    go_on: &dyn Fn() -> Result<(), ArrowError>,
) -> Result<ArrayRef, ArrowError> {
    let summands = cast(&frame.evaluate(&plan.sum)?, &ROLLING)?;
    let summands = summands.as_primitive::<Decimal128Type>();
    let days = frame.evaluate(&plan.day)?;
    let days = days.as_primitive::<Date32Type>();
    let widths = cast(&frame.evaluate(&plan.days)?, &DataType::Decimal128(20, 4))?;
    let widths = widths.as_primitive::<Decimal128Type>();
    let mut steps = 0;
    let sum_of = |row: usize| {
        if days.is_null(row) || widths.is_null(row) {
            return Ok(None);
        }
        let mut sum = 0;
        for other in (firsts[row] as usize..=row).rev() {
            steps += 1;
            if steps % STEPS == 0 {
                go_on()?;
            }
            if days.is_null(other) {
                continue;
            }
            if i128::from(days.value(row) - days.value(other)) * 10_000 >= widths.value(row) {
                // Rows are in the order of their days: the earlier ones are further away.
                break;
            }
            if summands.is_null(other) {
                return Ok(None);
            }
            sum += summands.value(other);
        }
        Ok(Some(sum))
    };
    let sums: Vec<Option<i128>> = (0..frame.rows()).map(sum_of).collect::<Result<_, ArrowError>>()?;
    Ok(Arc::new(Decimal128Array::from(sums).with_data_type(ROLLING)))
}

fn scaled(value: Decimal, scale: u32) -> Option<i128> {
    let mut value = value;
    value.rescale(scale);
    (value.scale() == scale).then(|| value.mantissa())
}

/// Any numeric array as money, half up to the cent; null is 0.
fn to_money(array: &ArrayRef) -> Result<Vec<Decimal>, ArrowError> {
    let zero = Decimal::new(0, 2);
    if let DataType::Decimal128(_, scale) = array.data_type() {
        let scale = u32::try_from(*scale).unwrap_or(0);
        Ok(array
            .as_primitive::<Decimal128Type>()
            .iter()
            .map(|v| {
                let Some(mut v) = v else { return zero };
                let mut scale = scale;
                // Digits far behind the cent do not change it, and 28 digits must hold the rest.
                while scale > 12 {
                    v /= 10;
                    scale -= 1;
                }
                Decimal::try_from_i128_with_scale(v, scale).map_or(zero, money::to_cent)
            })
            .collect())
    } else {
        let cents = cast(array, &DataType::Decimal128(38, 2))?;
        to_money(&cents)
    }
}

/// Columns that may be null, and which of them are; looked at when a row lacks something, which few do.
struct Lacks<'f, 'a> {
    frame: &'f Frame<'a>,
    names: &'f [String],
    columns: OnceCell<Vec<(&'f String, ArrayRef)>>,
}

impl<'f, 'a> Lacks<'f, 'a> {
    fn of(frame: &'f Frame<'a>, names: &'f [String]) -> Lacks<'f, 'a> {
        Lacks { frame, names, columns: OnceCell::new() }
    }

    fn columns(&self) -> &[(&'f String, ArrayRef)] {
        self.columns.get_or_init(|| {
            // A bit each; no condition has as many.
            let named = self.names.iter().take(64);
            named.filter_map(|name| self.frame.column(name).ok().map(|column| (name, column))).collect()
        })
    }

    /// The columns that are null in a row.
    fn bits(&self, row: usize) -> u64 {
        let columns = self.columns().iter().enumerate();
        columns.fold(0, |bits, (at, (_, column))| bits | u64::from(column.is_null(row)) << at)
    }

    fn names(&self, bits: u64) -> impl Iterator<Item = &'f str> {
        let chosen = self.columns().iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1);
        chosen.map(|(_, (name, _))| name.as_str())
    }
}

/// Numbers of some texts of a unit.
struct Numbers(Vec<u32>);

impl Numbers {
    fn of(ids: &BTreeSet<String>, views: &Views<'_>) -> Numbers {
        let mut numbers: Vec<u32> = ids.iter().filter_map(|id| views.number_of(id)).collect();
        numbers.sort_unstable();
        Numbers(numbers)
    }

    fn has(&self, number: u32) -> bool {
        self.0.binary_search(&number).is_ok()
    }
}
