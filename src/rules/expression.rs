//! Expressions: the SQL that a rule may say, and nothing more.
//!
//! Goes in: the text between the quotes of a rule file. Comes out: a parsed [`Expression`], with the names it uses and
//! where they stand, or every mistake in it. What is absent: subqueries, tables, windows, and every function that is not
//! on the list below; an expression cannot reach a file, the network, the clock or chance, because no name that does is
//! ever handed to the query engine.
//!
//! To allow a function: one line in [`FUNCTIONS`] with its reason.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, UnaryOperator, Value,
    visit_expressions, visit_expressions_mut,
};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::parser::Parser;
use datafusion_sql::sqlparser::tokenizer::{Location, Span, Token};

/// Functions of a row's values. All are pure, keep to the size of their input and depend on nothing else.
pub const FUNCTIONS: &[&str] = &[
    "abs",
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "round",
    "floor",
    "ceil",
    "substr",
    "left",
    "right",
    "starts_with",
    "strpos",
    "char_length",
    "length",
    "lower",
    "upper",
    "trim",
    "regexp_like",
    "days_between",
    "add_days",
    "any_prefix",
    "listed",
    "first_prefix",
    "list_length",
    "month_of",
    "hours_between",
    "distance_km",
    "has_time",
];

/// Functions of a group's rows; only in `measure`.
pub const MEASURES: &[&str] = &["sum", "count", "min", "max", "bool_or", "bool_and", "first"];

/// An expression of a rule, parsed, with the place where it was written.
#[derive(Debug, Clone)]
pub struct Expression {
    /// As written.
    pub text: String,
    /// Parsed; knowledge columns are single identifiers `cap.max`, parameters identifiers `$name`.
    pub ast: Expr,
    /// Byte range of the text (without quotes) in the rule file.
    pub place: Range<usize>,
    /// Column names used, `cap.max` and `$name` among them, each with its byte range in the file.
    pub names: Vec<(String, Range<usize>)>,
    /// Whether it calls a function of groups.
    pub measures: bool,
}

/// A mistake at a byte range of the rule file.
#[derive(Debug, Clone)]
pub struct Mistake {
    pub place: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

impl Expression {
    /// Parses `text`, which stands at `place` of its file.
    ///
    /// # Errors
    /// Every construct that is not allowed, or the one place where the text stops being SQL.
    pub fn parse(text: &str, place: Range<usize>) -> Result<Expression, Vec<Mistake>> {
        let at = Offsets { text, start: place.start };
        if text.len() > 4_000 {
            return Err(vec![mistake(place, "expression longer than 4,000 bytes", "split it with `let`")]);
        }
        let dialect = GenericDialect {};
        let parsed = Parser::new(&dialect)
            .with_recursion_limit(64)
            .try_with_sql(text)
            .and_then(|mut parser| parser.parse_expr().map(|ast| (ast, parser.peek_token())));
        let mut ast = match parsed {
            Ok((ast, rest)) if rest.token == Token::EOF => ast,
            Ok((_, rest)) => {
                let found = at.range(rest.span);
                return Err(vec![mistake(
                    found,
                    &format!("unexpected `{}` after the expression", rest.token),
                    "join two conditions with `and` or `or`",
                )]);
            }
            Err(error) => {
                let message = error.to_string();
                let found = at.of_error(&message).unwrap_or_else(|| place.clone());
                let message = message.trim_start_matches("sql parser error: ").to_owned();
                return Err(vec![Mistake {
                    place: found,
                    message: format!("not an SQL expression: {message}"),
                    help: None,
                }]);
            }
        };
        let mut mistakes = Vec::new();
        let mut names = Vec::new();
        let mut measures = false;
        let _ = visit_expressions(&ast, |e| {
            look(e, &at, &place, &mut names, &mut measures, &mut mistakes);
            ControlFlow::<()>::Continue(())
        });
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let _ = visit_expressions_mut(&mut ast, |e| {
            flatten(e);
            ControlFlow::<()>::Continue(())
        });
        Ok(Expression { text: text.to_owned(), ast, place, names, measures })
    }

    /// The same with every name of `lets` replaced by what it stands for.
    #[must_use]
    pub fn substituted(&self, lets: &BTreeMap<String, Expr>) -> Expr {
        let mut ast = self.ast.clone();
        if !lets.is_empty() {
            let _ = visit_expressions_mut(&mut ast, |e| {
                if let Expr::Identifier(name) = e
                    && let Some(meaning) = lets.get(&name.value)
                {
                    *e = Expr::Nested(Box::new(meaning.clone()));
                }
                ControlFlow::<()>::Continue(())
            });
        }
        ast
    }
}

/// Column names (flattened, parameters with their `$`) that a parsed expression uses, each once, in order of name.
#[must_use]
pub fn names_of(ast: &Expr) -> Vec<String> {
    let mut names = std::collections::BTreeSet::new();
    let _ = visit_expressions(ast, |e| {
        if let Expr::Identifier(name) = e {
            names.insert(name.value.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    names.into_iter().collect()
}

/// A call of a measure function.
#[derive(Debug, Clone)]
pub struct Measure {
    /// `sum`, `count`, …
    pub function: String,
    pub distinct: bool,
    /// None for `count(*)`.
    pub argument: Option<Expr>,
    pub filter: Option<Expr>,
}

/// Takes the measure calls out of an expression: each is replaced by the identifier `#0`, `#1`, … counted from `first`.
#[must_use]
pub fn take_measures(ast: &Expr, first: usize) -> (Expr, Vec<Measure>) {
    let mut ast = ast.clone();
    let mut found = Vec::new();
    let _ = visit_expressions_mut(&mut ast, |e| {
        if let Expr::Function(function) = e
            && let Some(measure) = measure_of(function)
        {
            let name = format!("#{}", first + found.len());
            found.push(measure);
            *e = Expr::Identifier(Ident::with_quote('"', name));
        }
        ControlFlow::<()>::Continue(())
    });
    (ast, found)
}

fn measure_of(function: &Function) -> Option<Measure> {
    let name = function.name.to_string().to_lowercase();
    if !MEASURES.contains(&name.as_str()) {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else { return None };
    let argument = match list.args.first() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(e))) => Some(e.clone()),
        _ => None,
    };
    Some(Measure {
        function: name,
        distinct: list.duplicate_treatment.is_some(),
        argument,
        filter: function.filter.as_deref().cloned(),
    })
}

fn flatten(e: &mut Expr) {
    match e {
        Expr::CompoundIdentifier(parts) => {
            let name = parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
            *e = Expr::Identifier(Ident::with_quote('"', name));
        }
        Expr::Value(value) => {
            if let Value::Placeholder(name) = &value.value {
                *e = Expr::Identifier(Ident::with_quote('"', name.clone()));
            }
        }
        Expr::Identifier(name) => name.quote_style = Some('"'),
        _ => {}
    }
}

#[expect(clippy::too_many_lines, reason = "the list of what an expression may be, read as a table")]
fn look(
    e: &Expr,
    at: &Offsets<'_>,
    place: &Range<usize>,
    names: &mut Vec<(String, Range<usize>)>,
    measures: &mut bool,
    mistakes: &mut Vec<Mistake>,
) {
    let refuse = |what: &str| {
        mistake(
            place.clone(),
            &format!("{what} is not allowed in a rule"),
            "see `audit_rules/README.md` for what an expression may say",
        )
    };
    match e {
        Expr::Identifier(name) => names.push((name.value.clone(), at.range(name.span))),
        Expr::CompoundIdentifier(parts) => {
            let name = parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
            let first = parts.first().map(|p| p.span);
            let last = parts.last().map(|p| p.span);
            let span = first.zip(last).map_or_else(Span::empty, |(a, b)| Span::new(a.start, b.end));
            names.push((name, at.range(span)));
        }
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) if name.starts_with('$') => names.push((name.clone(), at.range(value.span))),
            Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null => {}
            other => mistakes.push(mistake(
                at.range(value.span),
                &format!("the value `{other}` is not allowed in a rule"),
                "write a number, a text in single quotes, true, false or null",
            )),
        },
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            let found = function.name.0.first().map_or_else(
                || place.clone(),
                |part| part.as_ident().map_or_else(|| place.clone(), |i| at.range(i.span)),
            );
            if MEASURES.contains(&name.as_str()) {
                *measures = true;
                if let FunctionArguments::List(list) = &function.args {
                    if list.args.len() != 1 {
                        mistakes.push(mistake(
                            found.clone(),
                            &format!("`{name}` takes one argument, found {}", list.args.len()),
                            "for example `sum(cnt)`",
                        ));
                    }
                } else {
                    mistakes.push(mistake(
                        found.clone(),
                        &format!("`{name}` takes one argument"),
                        "for example `sum(cnt)`",
                    ));
                }
            } else if !FUNCTIONS.contains(&name.as_str()) {
                let near = crate::span::nearest(&name, FUNCTIONS.iter().chain(MEASURES).copied());
                let help = near.map_or_else(
                    || format!("functions are: {}, and in measures {}", FUNCTIONS.join(", "), MEASURES.join(", ")),
                    |n| format!("did you mean `{n}`?"),
                );
                mistakes.push(mistake(
                    found.clone(),
                    &format!("the function `{name}` is not allowed in a rule"),
                    &help,
                ));
            }
            if function.over.is_some() {
                mistakes.push(mistake(found.clone(), "`over` (a window) is not allowed in a rule", "use `sequence`"));
            }
            if function.filter.is_some() && !MEASURES.contains(&name.as_str()) {
                mistakes.push(mistake(
                    found,
                    "`filter` belongs to a measure",
                    "for example `sum(cnt) filter (where …)`",
                ));
            }
        }
        Expr::BinaryOp { op, .. } => {
            use BinaryOperator as B;
            if !matches!(
                op,
                B::Plus
                    | B::Minus
                    | B::Multiply
                    | B::Divide
                    | B::Modulo
                    | B::Gt
                    | B::Lt
                    | B::GtEq
                    | B::LtEq
                    | B::Eq
                    | B::NotEq
                    | B::And
                    | B::Or
                    | B::StringConcat
            ) {
                mistakes.push(refuse(&format!("the operator `{op}`")));
            }
        }
        Expr::UnaryOp { op, .. } => {
            if !matches!(op, UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not) {
                mistakes.push(refuse(&format!("the operator `{op}`")));
            }
        }
        Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::Between { .. }
        | Expr::Like { any: false, .. }
        | Expr::Cast { .. }
        | Expr::Ceil { .. }
        | Expr::Floor { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::Nested(_)
        | Expr::TypedString(_)
        | Expr::Case { .. } => {}
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
            mistakes.push(mistake(
                place.clone(),
                "a subquery is not allowed in a rule: a rule reaches no table but its view",
                "use `match` to look at other rows of the person",
            ));
        }
        other => mistakes.push(refuse(&format!("`{other}`"))),
    }
}

fn mistake(place: Range<usize>, message: &str, help: &str) -> Mistake {
    Mistake { place, message: message.to_owned(), help: Some(help.to_owned()) }
}

/// Turns line and column of the parser into byte ranges of the file.
struct Offsets<'a> {
    text: &'a str,
    start: usize,
}

impl Offsets<'_> {
    fn byte(&self, location: Location) -> usize {
        if location.line == 0 {
            return self.start;
        }
        let line = usize::try_from(location.line).unwrap_or(1) - 1;
        let column = usize::try_from(location.column).unwrap_or(1).saturating_sub(1);
        let mut offset = 0;
        for (number, content) in self.text.split_inclusive('\n').enumerate() {
            if number == line {
                offset += content.char_indices().nth(column).map_or(content.len(), |(at, _)| at);
                break;
            }
            offset += content.len();
        }
        self.start + offset
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start);
        let end = if span.end.line == 0 { self.start + self.text.len() } else { self.byte(span.end) };
        start..end.max(start + 1)
    }

    /// The place that a parser's message names: `… at Line: 1, Column: 7`.
    fn of_error(&self, message: &str) -> Option<Range<usize>> {
        let (_, rest) = message.rsplit_once("Line: ")?;
        let (line, rest) = rest.split_once(", Column: ")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let start = self.byte(Location { line: line.trim().parse().ok()?, column: digits.parse().ok()? });
        Some(start..start + 1)
    }
}
