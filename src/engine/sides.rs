//! Knowledge of two sides (an item and what it contains) of which one side alone can be no finding.
//!
//! Goes in: a rule as it is written. Comes out: whether its units that have rows of one side only are surely clean. Most lines
//! that such knowledge speaks of lack their other side; who needs no count of clean units leaves them out before anything is
//! joined or grouped. Worked out from the words of the rule, so no rule has to say it. Deliberately unknown here: which codes
//! there are.

use std::collections::{BTreeMap, BTreeSet};

use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr};

use crate::rules::Find;
use crate::rules::expression::take_measures;

/// Whether nothing but a clean answer can come of a group of rows that all are of one side of the rule's knowledge: its
/// condition needs both, nothing else of it leaves rows unanswered, and a group is of one pair. `lets` are whole.
pub(super) fn are_silent_alone(find: &Find, lets: &BTreeMap<String, Expr>) -> bool {
    let [with] = find.with.as_slice() else { return false };
    let Some(other_side) = with.other_side.as_deref().filter(|_| !with.optional) else { return false };
    let plain = find.about.is_none() && find.needs.is_empty() && find.totals.is_empty() && find.sequence.is_none();
    let of_one_pair = ["code", other_side].into_iter().all(|side| {
        let column = format!("{}.{side}", with.name);
        find.per.iter().any(|(_, per)| is_named(&per.substituted(lets), &column))
    });
    plain && of_one_pair && ["A", "B"].into_iter().all(|side| needs(find, lets, &with.name, side))
}

/// Whether the condition, and everything that may leave a group unanswered, is false of groups without rows of a side.
fn needs(find: &Find, lets: &BTreeMap<String, Expr>, with: &str, side: &str) -> bool {
    let column = format!("{with}.side");
    let is_side = |e: &Expr| match e {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            is_named(left, &column) && right.to_string() == format!("'{side}'")
        }
        _ => false,
    };
    let mut false_measures: BTreeSet<&str> = BTreeSet::new();
    for (name, expression) in &find.measure {
        let (rest, calls) = take_measures(&expression.substituted(lets), 0);
        let none_is = |e: &Expr| {
            let mut named = (0..).zip(&calls).filter(|(number, _)| is_named(e, &format!("#{number}")));
            named.any(|(_, call)| {
                call.function == "bool_or" && call.argument.as_ref().is_some_and(|of| is_false(of, &is_side))
            })
        };
        if is_false(&rest, &none_is) {
            false_measures.insert(name);
        }
    }
    let is_measure = |e: &Expr| matches!(e, Expr::Identifier(name) if false_measures.contains(name.value.as_str()));
    let asked = std::iter::once(&find.condition).chain(find.not_evaluated_when.iter().map(|(when, _)| when));
    asked.map(|expression| expression.substituted(lets)).all(|ast| is_false(&ast, &is_measure))
}

/// Whether a condition is false where these parts of it are, whatever the others are, unknown included.
fn is_false(ast: &Expr, part: &dyn Fn(&Expr) -> bool) -> bool {
    match ast {
        Expr::Nested(inner) => is_false(inner, part),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => is_false(left, part) || is_false(right, part),
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => is_false(left, part) && is_false(right, part),
        other => part(other),
    }
}

fn is_named(ast: &Expr, name: &str) -> bool {
    matches!(ast, Expr::Identifier(found) if found.value == name)
}
