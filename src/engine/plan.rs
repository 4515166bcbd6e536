//! Plans: rules whose expressions are compiled once per run.
//!
//! Goes in: a [`RuleSet`]. Comes out: a [`Plan`] a rule, or every expression that does not have the type its place wants,
//! with file, line and caret. This is where the query engine is named: its parser's trees become its physical
//! expressions; its planner never sees a table, because there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::{DFSchema, Result};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr, ExprWithAlias};

use super::factor::factored;
use super::frame::Compiled;
use super::functions;
use super::lookup::LookUp;
use super::sides::are_silent_alone;
use crate::model::View;
use crate::rules::expression::{Measure, names_of, take_measures};
use crate::rules::knowledge::NUMBERS;
use crate::rules::{Expression, LinesOf, Match, Part, Rule, RuleSet};
use crate::span::Diagnostic;
use crate::sql::Dialect;

/// Type of a number from knowledge or a parameter.
pub(super) const NUMBER: DataType = DataType::Decimal128(16, 4);

/// A rule ready to run.
#[derive(Debug)]
pub struct Plan {
    pub rule: Rule,
    /// One for each `with`.
    pub look_ups: Vec<LookUp>,
    pub about: Option<Test>,
    /// The parts of `about` that `and` joins, where it speaks of the view's own columns only; else none.
    pub about_parts: Vec<Compiled>,
    /// Whether `about` speaks of columns that `match` or `sequence` make; else it is asked before them.
    pub about_comes_last: bool,
    /// As written, for the reason, and compiled.
    pub needs_known: Vec<(String, Compiled)>,
    pub totals: Vec<TotalPlan>,
    pub matches: Vec<MatchPlan>,
    pub sequence: Option<SequencePlan>,
    pub per: Vec<Compiled>,
    /// Aggregated arguments, `#0`, `#1`, …
    pub measured: Vec<MeasurePlan>,
    /// Named results over the aggregates.
    pub measures: Vec<(String, Compiled)>,
    pub unless: Vec<Compiled>,
    pub not_evaluated_when: Vec<(Compiled, String)>,
    pub condition: Test,
    pub violating: Option<Compiled>,
    pub involved: Option<Compiled>,
    pub lines_of: Option<(LinesOf, Compiled)>,
    pub amount: Compiled,
    pub key: Vec<(String, Compiled)>,
    pub finding: Vec<Piece>,
    /// Shown name and value; parameters are named `$name`.
    pub evidence: Vec<(String, Compiled)>,
    pub severity: Option<Compiled>,
    pub result: Option<Compiled>,
    /// For measures and totals the columns that they rest on: the reason when one is unknown.
    pub rests_on: BTreeMap<String, Vec<String>>,
    /// Parameters it uses.
    pub parameters: BTreeSet<String>,
    /// Columns of views it reads, by view: what has to be read from disk.
    pub reads: BTreeSet<(View, String)>,
    /// Columns of its own view without which it has no rows, no knowledge or nothing to measure. What its conditions cannot
    /// do without, [`super::wanting`] says; the rest of what it reads makes answers sharper.
    pub needs: BTreeSet<String>,
    /// Whether a hit of it may be about an encounter that none of its own rows is of: it names, or takes the lines of, a row
    /// that it was matched with or that came before.
    pub speaks_of_others: bool,
    /// Whether its units that have one side of its knowledge only are surely clean, where all rows are in force and paid.
    pub sides_are_silent_alone: bool,
}

impl Plan {
    /// Whether a part of `about` may be asked before `totals` are counted: where it says the same of all rows that a total
    /// is counted over, because they are of one encounter or stay.
    #[must_use]
    pub fn may_come_first(&self, part: &Compiled) -> bool {
        let of = |per: &[Compiled], names: &[&str]| {
            per.iter().any(|c| c.column.as_deref().is_some_and(|column| names.contains(&column)))
        };
        let of_setting = part.schema.fields().iter().all(|field| field.name() == "setting");
        self.totals.iter().all(|total| of_setting && of(&total.per, &["stay_id", "mdtrt_id"]))
    }

    fn names_others(&self) -> bool {
        let find = &self.rule.find;
        let of_another = |name: &String| {
            let joined = name.split_once('.').map(|(before, _)| before);
            let matched = joined.is_some_and(|before| find.matches.iter().any(|m| m.name == before));
            matched || matches!(joined, Some("previous" | "first")) || ELSEWHERE.contains(&name.as_str())
        };
        let speaks = |compiled: &Compiled| {
            let names = compiled.schema.fields().iter().map(|field| field.name());
            names.flat_map(|name| self.rests_on.get(name).into_iter().flatten().chain([name])).any(of_another)
        };
        self.key.iter().any(|(_, compiled)| speaks(compiled)) || self.lines_of.iter().any(|(_, of)| speaks(of))
    }

    /// Whether it says the same of an encounter and its stay when there are no lines of other encounters.
    #[must_use]
    pub fn is_of_encounters(&self) -> bool {
        let find = &self.rule.find;
        if self.speaks_of_others || matches!(find.view, View::Transfer | View::Trace) {
            return false;
        }
        let of_lines = |view: View| matches!(view, View::Line | View::PaidLine | View::RawLine | View::Fill);
        // What encounters and stays have from their lines is not known of others.
        let sums = self.reads.iter().any(|(view, column)| match view {
            View::Encounter => matches!(column.as_str(), "inscp_amt" | "paid_amt" | "items"),
            View::Stay => column == "items",
            _ => false,
        });
        // Lines without a stay have that in common, wherever they are from.
        let in_stays = self.about_parts.iter().any(|part| IN_STAYS.contains(&part.text.as_str()));
        let within = |per: &[Compiled]| {
            let columns = || per.iter().filter_map(|compiled| compiled.column.as_deref());
            columns().any(|column| column == "mdtrt_id") || in_stays && columns().any(|column| column == "stay_id")
        };
        let alone = if of_lines(find.view) {
            (self.per.is_empty() || within(&self.per))
                && self.totals.iter().all(|total| within(&total.per))
                && self.sequence.iter().all(|sequence| within(&sequence.per))
        } else {
            let together = !self.per.is_empty() || !self.totals.is_empty() || self.sequence.is_some();
            !(together && sums)
        };
        let matched = |found: &Match| {
            if of_lines(found.view) {
                found.on.iter().any(|column| column == "mdtrt_id")
            } else {
                !(sums && matches!(found.view, View::Encounter | View::Stay))
            }
        };
        alone && find.matches.iter().all(matched)
    }

    /// Whether it asks about each trace code by itself.
    #[must_use]
    pub fn code_by_code(&self) -> bool {
        let of_code = |per: &[Compiled]| per.iter().any(|c| c.column.as_deref() == Some("trace_code"));
        let sequence = self.sequence.as_ref().is_none_or(|sequence| of_code(&sequence.per));
        of_code(&self.per) && sequence && self.totals.iter().all(|t| of_code(&t.per)) && self.matches.is_empty()
    }

    /// Whether its question goes across persons: it is asked once, of what all batches gave, not batch by batch.
    #[must_use]
    pub fn across_persons(&self) -> bool {
        self.rule.find.view == View::Trace
    }
}

/// Columns with the ids of other claims than the row's own.
const ELSEWHERE: [&str; 3] = ["refl_old_mdtrt_id", "init_setl_id", "init_feedetl_sn"];

/// Parts of `about` that leave no line without a stay.
const IN_STAYS: [&str; 2] = ["setting = 'inpatient'", "stay_id IS NOT NULL"];

/// A condition with the columns whose absence leaves it unanswered.
#[derive(Debug)]
pub struct Test {
    pub compiled: Compiled,
    /// Shown as the reason when null.
    pub columns: Vec<String>,
}

/// A compiled `match`.
#[derive(Debug)]
pub struct MatchPlan {
    /// What `when` asks of the row alone: only rows where it is true are paired with others.
    pub own: Option<Compiled>,
    /// What it asks of the other row alone.
    pub theirs: Vec<Compiled>,
    /// What it asks of both rows, one after another of the pairs that are left.
    pub both: Vec<Compiled>,
    pub look_back_days: Option<Compiled>,
}

/// A compiled `totals` entry.
#[derive(Debug)]
pub struct TotalPlan {
    pub per: Vec<Compiled>,
    pub measured: Vec<MeasurePlan>,
    /// Column name with its prefix, over the aggregates.
    pub columns: Vec<(String, Compiled)>,
}

/// The compiled expressions of a `sequence`.
#[derive(Debug)]
pub struct SequencePlan {
    pub per: Vec<Compiled>,
    pub by: Vec<Compiled>,
    pub rank: Option<(String, Compiled)>,
    pub rolling: Option<RollingPlan>,
}

/// A compiled rolling sum.
#[derive(Debug)]
pub struct RollingPlan {
    pub name: String,
    pub sum: Compiled,
    pub day: Compiled,
    pub days: Compiled,
}

/// Type of a rolling sum.
pub(super) const ROLLING: DataType = DataType::Decimal128(28, 6);

/// A compiled aggregate.
#[derive(Debug)]
pub struct MeasurePlan {
    pub function: String,
    pub distinct: bool,
    pub argument: Option<Compiled>,
    pub filter: Option<Compiled>,
    pub data_type: DataType,
}

/// A piece of a message.
#[derive(Debug)]
pub enum Piece {
    Text(String),
    Value(Compiled),
}

/// Compiles rules.
pub struct Compiler<'a> {
    set: &'a RuleSet,
    dialect: Dialect,
    /// Look-ups numbered so far.
    look_ups: usize,
    mistakes: Vec<Diagnostic>,
}

type Types = BTreeMap<String, DataType>;

impl<'a> Compiler<'a> {
    /// A compiler for the rules of a set.
    #[must_use]
    pub fn new(set: &'a RuleSet) -> Compiler<'a> {
        Compiler { set, dialect: Dialect::new(functions::allowed(), true), look_ups: 0, mistakes: Vec::new() }
    }

    /// Compiles rules; the order is kept.
    ///
    /// # Errors
    /// Every expression that cannot be compiled or has the wrong type.
    pub fn compile(mut self, rules: &[&Rule]) -> Result<Vec<Plan>, Vec<Diagnostic>> {
        let plans: Vec<Option<Plan>> = rules.iter().map(|rule| self.rule(rule)).collect();
        if self.mistakes.is_empty() { Ok(plans.into_iter().flatten().collect()) } else { Err(self.mistakes) }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "a paragraph a word of the language, in the order in which names become known"
    )]
    fn rule(&mut self, rule: &Rule) -> Option<Plan> {
        let before = self.mistakes.len();
        let find = &rule.find;
        let mut types: Types = find.view.columns().clone();
        for name in self.set.parameters.keys() {
            types.insert(format!("${name}"), NUMBER);
        }
        for with in &find.with {
            let knowledge = self.set.knowledge.get(&with.table)?;
            types.insert(format!("{}.found", with.name), DataType::Boolean);
            types.insert(format!("{}.code", with.name), DataType::Utf8);
            types.insert(format!("{}.side", with.name), DataType::Utf8);
            for column in &knowledge.columns {
                let number = NUMBERS.contains(&column.as_str());
                types.insert(format!("{}.{column}", with.name), if number { NUMBER } else { DataType::Utf8 });
            }
        }
        for found in &find.matches {
            types.insert(format!("{}.found", found.name), DataType::Boolean);
            for (column, data_type) in found.view.columns() {
                types.insert(format!("{}.{column}", found.name), data_type.clone());
            }
        }
        if let Some(sequence) = &find.sequence {
            types.insert("previous.found".to_owned(), DataType::Boolean);
            types.insert("nth".to_owned(), DataType::Int64);
            for column in &sequence.previous {
                if let Some(data_type) = types.get(column).cloned() {
                    types.insert(format!("previous.{column}"), data_type);
                }
            }
            for column in &sequence.first {
                if let Some(data_type) = types.get(column).cloned() {
                    types.insert(format!("first.{column}"), data_type);
                }
            }
            if let Some(stack) = &sequence.stack {
                types.insert(stack.name.clone(), DataType::Decimal128(20, 8));
            }
            if let Some(rank) = &sequence.rank {
                types.insert(rank.name.clone(), DataType::Int64);
            }
            if let Some(rolling) = &sequence.rolling {
                types.insert(rolling.name.clone(), ROLLING);
            }
        }
        // A let is substituted where it is used, so it may speak of anything that is known there.
        let mut lets: BTreeMap<String, Expr> = BTreeMap::new();
        for (name, expression) in &find.lets {
            let meaning = expression.substituted(&lets);
            lets.insert(name.clone(), meaning);
        }
        let mut scope = Scope { rule, types, lets, used: BTreeSet::new() };

        let mut totals = Vec::new();
        for total in &find.totals {
            let per = total.per.iter().filter_map(|e| self.value(e, &mut scope)).collect();
            let mut measured = Vec::new();
            let mut columns = Vec::new();
            for (column, expression) in &total.measure {
                let compiled = self.aggregates(expression, &mut measured, &mut scope)?;
                columns.push((format!("{}.{column}", total.name), compiled));
            }
            for (name, compiled) in &columns {
                scope.types.insert(name.clone(), compiled.data_type.clone());
            }
            totals.push(TotalPlan { per, measured, columns });
        }
        let about = find.about.as_ref().and_then(|e| self.test(e, &mut scope));
        let own = |test: &Test| test.columns.iter().all(|c| find.view.columns().contains_key(c));
        let about_parts = match (&find.about, &about) {
            (Some(written), Some(test)) if own(test) => {
                let parts = conjuncts(written.substituted(&scope.lets));
                parts.iter().filter_map(|part| self.compiled(part, written, &mut scope)).collect()
            }
            _ => Vec::new(),
        };
        let needs_known: Vec<(String, Compiled)> =
            find.needs.iter().filter_map(|e| self.value(e, &mut scope).map(|c| (e.text.clone(), c))).collect();
        let mut matches = Vec::new();
        for found in &find.matches {
            let mut plan = self.parted(&found.when, &found.name, &mut scope)?;
            plan.look_back_days = found.look_back_days.as_ref().and_then(|e| self.value(e, &mut scope));
            matches.push(plan);
        }
        let sequence = find.sequence.as_ref().map(|sequence| SequencePlan {
            per: sequence.per.iter().filter_map(|e| self.value(e, &mut scope)).collect(),
            by: sequence.by.iter().filter_map(|e| self.value(e, &mut scope)).collect(),
            rank: sequence.rank.as_ref().and_then(|r| self.value(&r.of, &mut scope).map(|c| (r.name.clone(), c))),
            rolling: sequence.rolling.as_ref().and_then(|r| {
                let (sum, day) = (self.value(&r.sum, &mut scope)?, self.value(&r.day, &mut scope)?);
                Some(RollingPlan { name: r.name.clone(), sum, day, days: self.value(&r.days, &mut scope)? })
            }),
        });
        let per: Vec<Compiled> = find.per.iter().filter_map(|(_, e)| self.value(e, &mut scope)).collect();
        let mut measured = Vec::new();
        let mut measures = Vec::new();
        for (name, expression) in &find.measure {
            let compiled = self.aggregates(expression, &mut measured, &mut scope)?;
            scope.types.insert(name.clone(), compiled.data_type.clone());
            measures.push((name.clone(), compiled));
        }
        scope.types.insert("nth_in_group".to_owned(), DataType::Int64);
        let unless: Vec<Compiled> = find.unless.iter().filter_map(|e| self.boolean(e, &mut scope)).collect();
        let not_evaluated_when: Vec<(Compiled, String)> = find
            .not_evaluated_when
            .iter()
            .filter_map(|(e, why)| self.boolean(e, &mut scope).map(|c| (c, why.clone())))
            .collect();
        let condition = self.test(&find.condition, &mut scope);
        let violating = find.violating.as_ref().and_then(|e| self.boolean(e, &mut scope));
        let involved = find.involved.as_ref().and_then(|e| self.boolean(e, &mut scope));
        let lines_of = find.lines_of.as_ref().and_then(|(whose, e)| self.value(e, &mut scope).map(|c| (*whose, c)));
        let amount = self.value(&find.amount, &mut scope);
        if let Some(found) = &amount
            && !found.data_type.is_numeric()
        {
            self.wrong(&find.amount, rule, &format!("`amount` is {}, wanted a number", found.data_type));
        }
        let key: Vec<(String, Compiled)> =
            find.key.iter().filter_map(|(name, e)| self.value(e, &mut scope).map(|c| (name.clone(), c))).collect();
        let finding = rule
            .says
            .finding
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(Piece::Text(text.clone())),
                Part::Value(e) => self.value(e, &mut scope).map(Piece::Value),
            })
            .collect();
        let evidence = self.evidence(rule, &mut scope);
        let severity = rule.says.severity.as_ref().and_then(|e| self.value(e, &mut scope));
        let result = rule.says.result.as_ref().and_then(|e| self.value(e, &mut scope));
        if self.mistakes.len() > before {
            return None;
        }
        let mut rests_on: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let all = totals.iter().map(|t| (&t.columns, &t.measured)).chain(std::iter::once((&measures, &measured)));
        for (columns, measured) in all {
            for (name, compiled) in columns {
                rests_on.insert(name.clone(), columns_under(compiled, measured));
            }
        }
        let mut needs: BTreeSet<String> =
            find.with.iter().filter(|with| !with.optional).map(|with| with.by.clone()).collect();
        needs.extend(find.view.key().iter().map(|name| (*name).to_owned()));
        for compiled in measured.iter().flat_map(|m| m.argument.iter().chain(&m.filter)) {
            needs.extend(compiled.schema.fields().iter().map(|field| field.name().clone()));
        }
        needs.retain(|name| find.view.columns().contains_key(name));
        let (used, scope_lets) = (scope.used, scope.lets);
        let made = |name: &String| {
            find.matches.iter().any(|m| name.starts_with(&format!("{}.", m.name)))
                || find.sequence.as_ref().is_some_and(|s| {
                    name.starts_with("previous.")
                        || name.starts_with("first.")
                        || name == "nth"
                        || s.rank.as_ref().is_some_and(|rank| rank.name == *name)
                        || s.rolling.as_ref().is_some_and(|rolling| rolling.name == *name)
                        || s.stack.as_ref().is_some_and(|stack| stack.name == *name)
                })
        };
        let look_ups = find
            .with
            .iter()
            .map(|with| {
                let prefix = format!("{}.", with.name);
                let columns: Vec<&str> = used.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
                self.look_ups += 1;
                Some(LookUp::new(self.look_ups - 1, with, self.set.knowledge.get(&with.table)?, &columns))
            })
            .collect::<Option<Vec<_>>>()?;
        let mut plan = Plan {
            look_ups,
            about_parts,
            about_comes_last: about.as_ref().is_some_and(|a| a.columns.iter().any(made)),
            about,
            rests_on,
            needs_known,
            totals,
            matches,
            sequence,
            per,
            measured,
            measures,
            unless,
            not_evaluated_when,
            condition: condition?,
            violating,
            involved,
            lines_of,
            amount: amount?,
            key,
            finding,
            evidence,
            severity,
            result,
            parameters: used.iter().filter_map(|n| n.strip_prefix('$').map(str::to_owned)).collect(),
            reads: reads(rule, &used),
            needs,
            rule: rule.clone(),
            speaks_of_others: false,
            sides_are_silent_alone: are_silent_alone(find, &scope_lets),
        };
        plan.speaks_of_others = plan.names_others();
        Some(plan)
    }

    /// What the file lists, and every column and parameter that the condition used.
    fn evidence(&mut self, rule: &Rule, scope: &mut Scope<'_>) -> Vec<(String, Compiled)> {
        let mut named: Vec<(String, Expression)> = rule.says.evidence.clone();
        let condition = rule.find.condition.substituted(&scope.lets);
        let about = rule.find.about.as_ref().map(|e| e.substituted(&scope.lets));
        let mut used: Vec<String> = names_of(&condition);
        used.extend(about.iter().flat_map(names_of));
        for name in used {
            // Joined lists are long and say less than the condition that read them.
            if named.iter().any(|(n, _)| *n == name) || matches!(name.as_str(), "items" | "psn_no") {
                continue;
            }
            if let Ok(expression) = Expression::parse(&quoted(&name), rule.find.condition.place.clone()) {
                named.push((name, expression));
            }
        }
        named.into_iter().filter_map(|(name, e)| self.value(&e, scope).map(|c| (name, c))).collect()
    }

    /// An expression over aggregates: its calls go to `measured`, the rest is compiled over their results.
    fn aggregates(
        &mut self,
        expression: &Expression,
        measured: &mut Vec<MeasurePlan>,
        scope: &mut Scope<'_>,
    ) -> Option<Compiled> {
        let (rest, calls) = take_measures(&expression.substituted(&scope.lets), measured.len());
        for call in &calls {
            let plan = self.measure(call, expression, scope)?;
            scope.types.insert(format!("#{}", measured.len()), plan.data_type.clone());
            measured.push(plan);
        }
        self.compiled(&rest, expression, scope)
    }

    fn measure(&mut self, call: &Measure, written: &Expression, scope: &mut Scope<'_>) -> Option<MeasurePlan> {
        let argument = match &call.argument {
            Some(e) => Some(self.compiled(e, written, scope)?),
            None => None,
        };
        let filter = match &call.filter {
            Some(e) => Some(self.compiled(e, written, scope)?),
            None => None,
        };
        let of = argument.as_ref().map(|c| c.data_type.clone());
        let data_type = match (call.function.as_str(), of) {
            ("count", _) | ("sum", Some(DataType::Int64)) => DataType::Int64,
            ("sum", Some(DataType::Decimal128(p, s))) => DataType::Decimal128((p + 10).min(38), s),
            ("bool_or" | "bool_and", Some(DataType::Boolean)) => DataType::Boolean,
            ("min" | "max" | "first", Some(of)) => of,
            (function, of) => {
                let of = of.map_or_else(|| "nothing".to_owned(), |t| t.to_string());
                self.wrong(written, scope.rule, &format!("`{function}` of {of} is not possible"));
                return None;
            }
        };
        Some(MeasurePlan { function: call.function.clone(), distinct: call.distinct, argument, filter, data_type })
    }

    fn test(&mut self, e: &Expression, scope: &mut Scope<'_>) -> Option<Test> {
        let compiled = self.boolean(e, scope)?;
        let columns = names_of(&e.substituted(&scope.lets));
        Some(Test { compiled, columns })
    }

    fn boolean(&mut self, e: &Expression, scope: &mut Scope<'_>) -> Option<Compiled> {
        let compiled = self.value(e, scope)?;
        if compiled.data_type != DataType::Boolean {
            self.wrong(e, scope.rule, &format!("this is {}, wanted a condition (true or false)", compiled.data_type));
            return None;
        }
        Some(compiled)
    }

    /// The `when` of a match in its parts joined by `and`: those of the row alone, of the matched row alone, of both. It is
    /// true where all are, so asking the first two before rows are paired changes no answer.
    fn parted(&mut self, when: &Expression, name: &str, scope: &mut Scope<'_>) -> Option<MatchPlan> {
        let whole = self.boolean(when, scope)?;
        let prefix = format!("{name}.");
        let mut own = Vec::new();
        let (mut theirs, mut both) = (Vec::new(), Vec::new());
        for part in conjuncts(when.substituted(&scope.lets)) {
            let names = names_of(&part);
            let of_theirs = names.iter().filter(|n| n.starts_with(&prefix)).count();
            if of_theirs == 0 {
                own.push(part);
            } else if of_theirs == names.len() {
                theirs.push(self.compiled(&part, when, scope)?);
            } else {
                both.push(self.compiled(&part, when, scope)?);
            }
        }
        let own = match joined_by_and(own) {
            Some(ast) => Some(self.compiled(&ast, when, scope)?),
            None => None,
        };
        // A bare `null` is no condition by itself.
        if own.iter().chain(&theirs).chain(&both).any(|part| part.data_type != DataType::Boolean) {
            return Some(MatchPlan { own: None, theirs: Vec::new(), both: vec![whole], look_back_days: None });
        }
        Some(MatchPlan { own, theirs, both, look_back_days: None })
    }

    fn value(&mut self, e: &Expression, scope: &mut Scope<'_>) -> Option<Compiled> {
        let ast = e.substituted(&scope.lets);
        self.compiled(&ast, e, scope)
    }

    fn compiled(&mut self, ast: &Expr, written: &Expression, scope: &mut Scope<'_>) -> Option<Compiled> {
        let names = names_of(ast);
        let column = match ast {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => names.first().cloned(),
            _ => None,
        };
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            let Some(data_type) = scope.types.get(&name) else {
                let message = format!("`{name}` is not known here");
                self.wrong(written, scope.rule, &message);
                return None;
            };
            fields.push(Field::new(&name, data_type.clone(), true));
            scope.used.insert(name);
        }
        let schema = Arc::new(Schema::new(fields));
        match self.physical(ast, &schema) {
            Ok((expression, data_type)) => {
                let mut whole =
                    Compiled { schema, expression, data_type, text: ast.to_string(), column, factored: None };
                whole.factored = factored(scope.rule.find.view, &whole).unwrap_or_default();
                Some(whole)
            }
            Err(error) => {
                let text = error.strip_backtrace();
                let message = text.lines().next().unwrap_or_default().to_owned();
                self.wrong(written, scope.rule, &format!("cannot be computed: {message}"));
                None
            }
        }
    }

    fn physical(&self, ast: &Expr, schema: &Arc<Schema>) -> Result<(Arc<dyn PhysicalExpr>, DataType)> {
        let named = DFSchema::try_from(Arc::clone(schema))?;
        let logical = self.dialect.plan(ExprWithAlias { expr: ast.clone(), alias: None }, &named)?;
        let physical = self.dialect.compile(logical, &named)?;
        let data_type = physical.data_type(schema)?;
        Ok((physical, data_type))
    }

    fn wrong(&mut self, e: &Expression, rule: &Rule, message: &str) {
        self.mistakes.push(Diagnostic::at(&rule.file, &rule.source, e.place.clone(), message));
    }
}

/// The parts that `and` joins.
fn conjuncts(ast: Expr) -> Vec<Expr> {
    match ast {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut parts = conjuncts(*left);
            parts.extend(conjuncts(*right));
            parts
        }
        Expr::Nested(inner) => conjuncts(*inner),
        other => vec![other],
    }
}

/// `and` between parts; nothing where there is none.
fn joined_by_and(parts: Vec<Expr>) -> Option<Expr> {
    parts.into_iter().map(|part| Expr::Nested(Box::new(part))).reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    })
}

/// The columns under an expression over aggregates.
fn columns_under(compiled: &Compiled, measured: &[MeasurePlan]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for field in compiled.schema.fields() {
        match field.name().strip_prefix('#').and_then(|n| n.parse::<usize>().ok()).and_then(|n| measured.get(n)) {
            Some(measure) => {
                let parts = measure.argument.iter().chain(&measure.filter);
                found.extend(parts.flat_map(|c| c.schema.fields().iter().map(|f| f.name().clone())));
            }
            None => {
                found.insert(field.name().clone());
            }
        }
    }
    found.into_iter().collect()
}

struct Scope<'a> {
    rule: &'a Rule,
    types: Types,
    lets: BTreeMap<String, Expr>,
    /// Every name that an expression of the rule used.
    used: BTreeSet<String>,
}

/// A name as an expression: `cap.max` and `$limit` parse as they are, anything odd in double quotes.
fn quoted(name: &str) -> String {
    if name.starts_with('$') || name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}

/// Columns of views that a rule reads, from the names that its expressions used.
fn reads(rule: &Rule, used: &BTreeSet<String>) -> BTreeSet<(View, String)> {
    let find = &rule.find;
    let mut found = BTreeSet::new();
    let mut note = |view: View, column: &str| {
        if view.columns().contains_key(column) {
            found.insert((view, column.to_owned()));
        }
    };
    for name in used {
        note(find.view, name);
        for other in &find.matches {
            if let Some(column) = name.strip_prefix(&format!("{}.", other.name)) {
                note(other.view, column);
            }
        }
        if name.starts_with('$') {
            for column in ["region", "insutype", "level"] {
                note(find.view, column);
            }
        }
    }
    for with in &find.with {
        for column in std::iter::once(&with.by).chain(&with.region).chain(&with.level).chain(&with.same) {
            note(find.view, column);
        }
    }
    for other in &find.matches {
        for column in &other.on {
            note(find.view, column);
            note(other.view, column);
        }
    }
    if let Some(sequence) = &find.sequence {
        let stacked = sequence.stack.iter().flat_map(|s| [&s.from, &s.days]);
        for column in sequence.previous.iter().chain(&sequence.first).chain(stacked) {
            note(find.view, column);
        }
    }
    if find.view == View::PaidLine {
        note(find.view, "inscp_amt");
    }
    found
}
