//! What a rule can still answer when columns have no source at all.
//!
//! Goes in: a rule and the columns that no file has. Comes out: those of them for whose lack the rule answers nothing. The
//! conditions are not computed but reasoned about: an absent column is null on every row, and SQL says what becomes of a
//! null; of everything else it is only known that it may be anything. So `coalesce(x, 0)` does without `x`, and
//! `a is null and b is null` without either of the two. Deliberately unknown here: files, tables, where columns come from.
//!
//! To teach it a function that is not null when an argument is: an arm in [`May::of_function`].

use std::collections::{BTreeMap, BTreeSet};

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator, Value,
};

use crate::rules::{Expression, Rule};

/// The absent columns without which the rule's conditions are never answered, or never true.
#[must_use]
pub fn wanting(rule: &Rule, absent: &BTreeSet<String>) -> BTreeSet<String> {
    let find = &rule.find;
    let mut lets: BTreeMap<String, Expr> = BTreeMap::new();
    for (name, expression) in &find.lets {
        let meaning = expression.substituted(&lets);
        lets.insert(name.clone(), meaning);
    }
    let silent = |absent: &BTreeSet<String>| {
        let may = |e: &Expression| May::of(&e.substituted(&lets), absent);
        find.about.iter().chain([&find.condition]).any(|e| !may(e).may(May::TRUE))
            || find.needs.iter().any(|e| may(e) == May::NULL)
            || find.not_evaluated_when.iter().any(|(e, _)| may(e) == May::TRUE)
    };
    if !silent(absent) {
        return BTreeSet::new();
    }
    // A column is to blame if it belongs to a smallest set of absent columns that silences the rule: what remains when all
    // the others are given back first, as far as the rule stays silent.
    let to_blame = |column: &String| {
        let mut core = absent.clone();
        for name in absent.iter().filter(|name| *name != column).chain([column]) {
            core.remove(name);
            if !silent(&core) {
                core.insert(name.clone());
            }
        }
        core.contains(column)
    };
    absent.iter().filter(|column| to_blame(column)).cloned().collect()
}

/// What an expression may be, row by row: a set of true, false and null. A value that is no condition is *true or false*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct May(u8);

impl May {
    const TRUE: May = May(1);
    const FALSE: May = May(2);
    const NULL: May = May(4);
    const ANYTHING: May = May(7);

    fn of(e: &Expr, absent: &BTreeSet<String>) -> May {
        let of = |e: &Expr| May::of(e, absent);
        match e {
            Expr::Identifier(name) if absent.contains(&name.value) => May::NULL,
            Expr::Nested(e) => of(e),
            Expr::Value(value) => match &value.value {
                Value::Null => May::NULL,
                Value::Boolean(true) => May::TRUE,
                Value::Boolean(false) => May::FALSE,
                _ => May::TRUE.or(May::FALSE),
            },
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => of(expr).not(),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => May::both(of(left), of(right)),
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => May::both(of(left).not(), of(right).not()).not(),
            Expr::BinaryOp { left, right, .. } => May::strict(&[of(left), of(right)]),
            Expr::Between { expr, .. }
            | Expr::UnaryOp { expr, .. }
            | Expr::InList { expr, .. }
            | Expr::Like { expr, .. }
            | Expr::Cast { expr, .. }
            | Expr::Ceil { expr, .. }
            | Expr::Floor { expr, .. }
            | Expr::Substring { expr, .. }
            | Expr::Trim { expr, .. } => May::strict(&[of(expr)]),
            Expr::IsNull(e) | Expr::IsUnknown(e) => of(e).is(May::NULL),
            Expr::IsNotNull(e) | Expr::IsNotUnknown(e) => of(e).is(May::NULL).not(),
            Expr::IsTrue(e) => of(e).is(May::TRUE),
            Expr::IsFalse(e) => of(e).is(May::FALSE),
            Expr::IsNotTrue(e) => of(e).is(May::TRUE).not(),
            Expr::IsNotFalse(e) => of(e).is(May::FALSE).not(),
            Expr::Case { operand: None, conditions, else_result, .. } => {
                May::of_case(conditions, else_result.as_deref(), absent)
            }
            Expr::Function(function) => May::of_function(function, absent),
            _ => May::ANYTHING,
        }
    }

    fn of_case(conditions: &[CaseWhen], otherwise: Option<&Expr>, absent: &BTreeSet<String>) -> May {
        let mut may = May(0);
        for when in conditions {
            let condition = May::of(&when.condition, absent);
            if condition.may(May::TRUE) {
                may = may.or(May::of(&when.result, absent));
            }
            if condition == May::TRUE {
                return may;
            }
        }
        may.or(otherwise.map_or(May::NULL, |e| May::of(e, absent)))
    }

    fn of_function(function: &Function, absent: &BTreeSet<String>) -> May {
        let FunctionArguments::List(list) = &function.args else { return May::ANYTHING };
        let arguments: Vec<May> = list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => May::of(e, absent),
                _ => May::ANYTHING,
            })
            .collect();
        match function.name.to_string().to_lowercase().as_str() {
            "coalesce" => {
                let mut may = May::NULL;
                for argument in arguments {
                    if may.may(May::NULL) {
                        may = May(may.0 & !May::NULL.0).or(argument);
                    }
                }
                may
            }
            // Of what is there; null only where nothing is.
            "greatest" | "least" if arguments.iter().any(|may| *may != May::NULL) => May::ANYTHING,
            "nullif" => May::strict(&arguments[..arguments.len().min(1)]),
            _ => May::strict(&arguments),
        }
    }

    /// Null where an argument is, as with most operators and functions; else anything.
    fn strict(arguments: &[May]) -> May {
        if arguments.contains(&May::NULL) { May::NULL } else { May::ANYTHING }
    }

    fn may(self, other: May) -> bool {
        self.0 & other.0 != 0
    }

    fn or(self, other: May) -> May {
        May(self.0 | other.0)
    }

    fn not(self) -> May {
        May(self.0 & May::NULL.0 | (self.0 & May::TRUE.0) << 1 | (self.0 & May::FALSE.0) >> 1)
    }

    /// `and`: false where either is, true where both are, else null.
    fn both(a: May, b: May) -> May {
        let mut may = May(0);
        if a.may(May::FALSE) || b.may(May::FALSE) {
            may = may.or(May::FALSE);
        }
        if a.may(May::TRUE) && b.may(May::TRUE) {
            may = may.or(May::TRUE);
        }
        let (not_false_a, not_false_b) = (a.may(May::TRUE.or(May::NULL)), b.may(May::TRUE.or(May::NULL)));
        if a.may(May::NULL) && not_false_b || b.may(May::NULL) && not_false_a {
            may = may.or(May::NULL);
        }
        may
    }

    /// Whether it is that, which is never null.
    fn is(self, wanted: May) -> May {
        if self == wanted {
            May::TRUE
        } else if self.may(wanted) {
            May::TRUE.or(May::FALSE)
        } else {
            May::FALSE
        }
    }
}
