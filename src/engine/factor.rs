//! Expressions in parts: what speaks of one code, or of encounters alone, is computed once a code or an encounter, not once a
//! line.
//!
//! Goes in: an expression over lines as the query engine compiled it. Comes out: its largest parts that read one column of
//! codes, or nothing but columns of encounters, and what is left of it over their results. `left(med_chrgitm_type, 2) = '01'`
//! is asked of the few types that a unit has, `setting = 'inpatient'` of its encounters, and lines take the answers.
//! Deliberately unknown here: where a unit's codes and encounters are; see [`super::views::ViewRows`].
//!
//! To add a level: a variant of [`Level`], where it is found out below, and where it is computed in `views`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::Result;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::{collect_columns, reassign_expr_columns};

use super::columns::coded;
use super::frame::Compiled;
use super::views::LINES_OWN;
use crate::model::{Table, View};

/// What a part of an expression over lines depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Level {
    /// A column of fee lines that is read as codes.
    Code(String),
    /// Columns of encounters.
    Encounter,
}

/// An expression in parts.
#[derive(Debug, Clone)]
pub struct Factored {
    pub parts: Vec<(Level, Compiled)>,
    /// What is left, over the columns of its schema; the results of the parts are its last columns, in their order.
    pub rest: Compiled,
}

/// Columns of lines that are those of their encounters wherever every line has one.
const OF_ENCOUNTERS: &[&str] = &["setting", "gend", "brdy", "level", "med_type"];

fn level_of(view: View, name: &str) -> Option<Level> {
    if !matches!(view, View::Line | View::PaidLine) {
        return None;
    }
    let own = LINES_OWN.contains(&name);
    if !own && coded(Table::FeeDetail).contains(&name) {
        return Some(Level::Code(name.to_owned()));
    }
    let theirs = View::Encounter.columns().get(name);
    let theirs = theirs.is_some() && theirs == view.columns().get(name);
    let through = OF_ENCOUNTERS.contains(&name) || !own && Table::FeeDetail.position(name).is_none();
    (theirs && through).then_some(Level::Encounter)
}

/// The level of an expression: that of all its columns, if they have one.
fn level(view: View, expression: &Arc<dyn PhysicalExpr>) -> Option<Level> {
    let mut columns = collect_columns(expression).into_iter();
    let first = level_of(view, columns.next()?.name())?;
    columns.all(|column| level_of(view, column.name()).as_ref() == Some(&first)).then_some(first)
}

/// The parts of an expression; nothing where it has none.
///
/// # Errors
/// The query engine cannot put it together again.
pub fn factored(view: View, whole: &Compiled) -> Result<Option<Box<Factored>>> {
    let mut parts: Vec<(Level, Compiled)> = Vec::new();
    let mut fields: Vec<Arc<Field>> = whole.schema.fields().to_vec();
    let rest = Arc::clone(&whole.expression).transform_down(|expression| {
        if expression.children().is_empty() {
            return Ok(Transformed::no(expression));
        }
        let Some(level) = level(view, &expression) else { return Ok(Transformed::no(expression)) };
        let part = compiled(&expression, &whole.schema)?;
        let name = format!("{level:?} {}", part.text);
        let at = if let Some(known) = fields.iter().position(|field| *field.name() == name) {
            known
        } else {
            fields.push(Arc::new(Field::new(&name, part.data_type.clone(), true)));
            parts.push((level, part));
            fields.len() - 1
        };
        Ok(Transformed::new(Arc::new(Column::new(&name, at)) as Arc<dyn PhysicalExpr>, true, TreeNodeRecursion::Jump))
    });
    let rest = rest.data()?;
    if parts.is_empty() {
        return Ok(None);
    }
    let schema = Arc::new(Schema::new(fields));
    let used = collect_columns(&rest);
    let made = parts.len();
    let (own, results) = schema.fields().split_at(schema.fields().len() - made);
    let left = own.iter().filter(|field| used.iter().any(|column| column.name() == field.name()));
    let schema = Arc::new(Schema::new(left.chain(results).cloned().collect::<Vec<_>>()));
    let expression = reassign_expr_columns(rest, &schema)?;
    let rest = Compiled { schema, expression, factored: None, ..whole.clone() };
    Ok(Some(Box::new(Factored { parts, rest })))
}

/// A part by itself, over the columns it reads.
fn compiled(part: &Arc<dyn PhysicalExpr>, whole: &Schema) -> Result<Compiled> {
    let data_type: DataType = part.data_type(whole)?;
    let used = collect_columns(part);
    let fields = whole.fields().iter().filter(|field| used.iter().any(|column| column.name() == field.name()));
    let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
    let expression = reassign_expr_columns(Arc::clone(part), &schema)?;
    let text = expression.to_string();
    Ok(Compiled { schema, expression, data_type, text, column: None, factored: None })
}
