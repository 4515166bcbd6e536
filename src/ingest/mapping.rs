//! A person's own word on which column is which: the file for `--mapping`.
//!
//! ```toml
//! [[fee_detail]]
//! file  = "medications.csv"                  # a name, or a pattern with * and ?
//! where = "TOTALCOST <> ''"                  # optional: only rows for which this holds
//! [fee_detail.columns]
//! fee_ocur_time = { column = "START" }
//! insutype      = { value = "310" }
//! gend          = { column = "GENDER", values = { M = "1", F = "2" }, default = "0" }
//! feedetl_sn    = { sql = "concat(PATIENT, '-', CODE)" }
//! ```
//!
//! A table may stand several times, and a file may feed several tables. With `distinct = true` equal rows are one row rather
//! than duplicates. Expressions are SQL over the columns of the file as text (an empty cell is null) and `row_number`; only
//! scalar functions of a list are allowed, so that the same input gives the same rows. Goes in: the text of the mapping.
//! Comes out: [`Mapping`], and the plans of a file. Every mistake is listed, with the nearest name. Not known here: rows.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::DFSchema;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::Expr;
use datafusion_physical_expr::PhysicalExpr;

use super::Error;
use super::header::{self, From, Header, Layout, Plan, nearest_name};
use super::rows::{Block, Row};
use crate::model::Table;
use crate::sql::Dialect;

/// Name under which an expression sees the number of the row.
const ROW_NUMBER: &str = "row_number";

/// Functions an expression may call: scalar, without effect, the same today and tomorrow.
const ALLOWED: [&str; 57] = [
    "abs",
    "ascii",
    "bit_length",
    "btrim",
    "ceil",
    "char_length",
    "character_length",
    "chr",
    "coalesce",
    "concat",
    "concat_ws",
    "contains",
    "date_part",
    "date_trunc",
    "datepart",
    "datetrunc",
    "ends_with",
    "floor",
    "from_unixtime",
    "greatest",
    "initcap",
    "instr",
    "least",
    "left",
    "length",
    "levenshtein",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "position",
    "power",
    "regexp_count",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "signum",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substring",
    "to_char",
    "to_date",
    "to_timestamp",
    "translate",
    "trunc",
];
const ALLOWED_TOO: [&str; 3] = ["trim", "upper", "to_hex"];

/// The whole mapping.
#[derive(Debug)]
pub(super) struct Mapping {
    name: String,
    entries: Vec<Entry>,
}

/// One table from one file, or from the files of a pattern.
#[derive(Debug)]
struct Entry {
    table: Table,
    file: String,
    condition: Option<String>,
    distinct: bool,
    columns: Vec<(usize, Given)>,
}

#[derive(Debug)]
enum Given {
    Column(String),
    Value(String),
    Values { column: String, values: HashMap<String, String>, default: Option<String> },
    Sql(String),
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    text: String,
    compiled: Arc<dyn PhysicalExpr>,
    /// Position in the header of each column it reads; `None` is the number of the row.
    reads: Vec<Option<usize>>,
    schema: Arc<Schema>,
}

impl Mapping {
    /// Reads a mapping file.
    pub(super) fn load(path: &Path) -> Result<Mapping, Error> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::at(path, "read", &e))?;
        let name = path.display().to_string();
        let document: toml::Table =
            text.parse().map_err(|e: toml::de::Error| Error::new(format!("`{name}` is not TOML: {e}")))?;
        let mut mapping = Mapping { name, entries: Vec::new() };
        let mut errors = Vec::new();
        for (key, value) in &document {
            let Some(table) = Table::named(key) else {
                errors.push(mapping.mistake("", "table", key, Table::ALL.map(Table::name)));
                continue;
            };
            let entries: Vec<&toml::Value> = match value {
                toml::Value::Array(entries) => entries.iter().collect(),
                single => vec![single],
            };
            for entry in entries {
                match mapping.entry(table, entry) {
                    Ok(entry) => mapping.entries.push(entry),
                    Err(messages) => errors.extend(messages),
                }
            }
        }
        if errors.is_empty() && mapping.entries.is_empty() {
            errors
                .push(format!("`{}` names no table: wanted `[[fee_detail]]` with `file` and `columns`", mapping.name));
        }
        if errors.is_empty() { Ok(mapping) } else { Err(Error::all(errors.into_iter().map(Error::new).collect())) }
    }

    fn mistake<'a>(&self, place: &str, what: &str, found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = match nearest_name(found, known.iter().copied()) {
            Some(near) => format!("nearest: `{near}`"),
            None => format!("known: {}", known.join(", ")),
        };
        format!("`{}`{place}: unknown {what} `{found}`; {hint}", self.name)
    }

    fn entry(&self, table: Table, value: &toml::Value) -> Result<Entry, Vec<String>> {
        let place = format!(", `{}`", table.name());
        let toml::Value::Table(fields) = value else {
            return Err(vec![format!(
                "`{}`{place}: wanted `[[{}]]` with `file` and `columns`",
                self.name,
                table.name()
            )]);
        };
        let mut errors = Vec::new();
        let mut entry = Entry { table, file: String::new(), condition: None, distinct: false, columns: Vec::new() };
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("file", toml::Value::String(file)) => entry.file.clone_from(file),
                ("where", toml::Value::String(condition)) => entry.condition = Some(condition.clone()),
                ("distinct", toml::Value::Boolean(distinct)) => entry.distinct = *distinct,
                ("columns", toml::Value::Table(columns)) => {
                    for (name, given) in columns {
                        let Some(position) = table.position(name) else {
                            errors.push(self.mistake(&place, "column", name, table.columns().iter().map(|c| c.name)));
                            continue;
                        };
                        match given_of(given) {
                            Ok(given) => entry.columns.push((position, given)),
                            Err(message) => errors.push(format!("`{}`{place}, `{name}`: {message}", self.name)),
                        }
                    }
                }
                ("file" | "where" | "distinct" | "columns", _) => {
                    errors.push(format!("`{}`{place}: `{key}` is not of the right type", self.name));
                }
                _ => errors.push(self.mistake(&place, "key", key, ["file", "where", "distinct", "columns"])),
            }
        }
        if entry.file.is_empty() {
            errors.push(format!("`{}`{place}: `file` is missing, such as `file = \"fees.csv\"`", self.name));
        }
        for (position, column) in table.columns().iter().enumerate() {
            if column.required && !entry.columns.iter().any(|(p, _)| *p == position) && errors.is_empty() {
                errors.push(format!(
                    "`{}`{place}, `{}`: the required column `{}` is not mapped; write `{} = {{ column = \"…\" }}`",
                    self.name, entry.file, column.name, column.name
                ));
            }
        }
        entry.columns.sort_by_key(|(position, _)| *position);
        if errors.is_empty() { Ok(entry) } else { Err(errors) }
    }

    /// Whether any table is read from a file of this name.
    pub(super) fn concerns(&self, file: &str) -> bool {
        self.entries.iter().any(|e| fits(&e.file, file))
    }

    /// The header of a file: the row that has the most of the columns that are named, else the first.
    pub(super) fn header(&self, file: &str, preview: &Block) -> Option<Header> {
        let mut named: BTreeSet<&str> = BTreeSet::new();
        for (_, given) in self.entries.iter().filter(|e| fits(&e.file, file)).flat_map(|e| &e.columns) {
            if let Given::Column(column) | Given::Values { column, .. } = given {
                named.insert(column.as_str());
            }
        }
        header::find_named(preview, &named).or_else(|| header::first_row(preview))
    }

    /// The plans for a file, and the expressions they use.
    pub(super) fn plan(
        &self,
        file: &str,
        label: &str,
        header: &Header,
        used: &mut BTreeSet<usize>,
    ) -> Result<(Layout, Vec<Expression>), Vec<String>> {
        let mut layout = Layout::default();
        let mut expressions = Vec::new();
        let mut errors = Vec::new();
        let mut read: BTreeSet<usize> = BTreeSet::new();
        let dialect = Dialect::new(Dialect::every_function(), false);
        for (number, entry) in self.entries.iter().enumerate().filter(|(_, e)| fits(&e.file, file)) {
            used.insert(number);
            let place = format!(", `{}`", entry.table.name());
            let mut find = |column: &str, errors: &mut Vec<String>| {
                let cell = header.cells.iter().position(|c| c == column);
                match cell {
                    Some(cell) => drop(read.insert(cell)),
                    None => errors.push(format!(
                        "{} of `{label}`",
                        self.mistake(&place, "column", column, header.cells.iter().map(String::as_str))
                    )),
                }
                cell
            };
            let mut columns = Vec::new();
            for (position, given) in &entry.columns {
                let from =
                    match given {
                        Given::Column(column) if column == ROW_NUMBER && !header.cells.contains(column) => {
                            Some(From::RowNumber)
                        }
                        Given::Column(column) => find(column, &mut errors).map(From::Cell),
                        Given::Value(text) => Some(From::Constant(text.clone())),
                        Given::Values { column, values, default } => find(column, &mut errors)
                            .map(|cell| From::Lookup { cell, values: values.clone(), default: default.clone() }),
                        Given::Sql(sql) => match compile(&dialect, sql, header) {
                            Ok(expression) => {
                                expressions.push(expression);
                                Some(From::Computed(expressions.len() - 1))
                            }
                            Err(message) => {
                                let name = entry.table.columns()[*position].name;
                                errors.push(format!("`{}`{place}, `{name}`: {message}", self.name));
                                None
                            }
                        },
                    };
                columns.extend(from.map(|from| (*position, from)));
            }
            let filter = entry.condition.as_ref().and_then(|sql| match compile(&dialect, sql, header) {
                Ok(expression) => {
                    expressions.push(expression);
                    Some(expressions.len() - 1)
                }
                Err(message) => {
                    errors.push(format!("`{}`{place}, `where`: {message}", self.name));
                    None
                }
            });
            layout.plans.push(Plan { table: entry.table, split: entry.distinct, columns, filter, only_with: None });
        }
        for expression in &expressions {
            read.extend(expression.reads.iter().flatten());
        }
        layout.unknown = header
            .cells
            .iter()
            .enumerate()
            .filter(|(i, name)| !read.contains(i) && !name.is_empty())
            .map(|(_, name)| name.clone())
            .collect();
        if errors.is_empty() { Ok((layout, expressions)) } else { Err(errors) }
    }

    /// Entries whose file is not there.
    pub(super) fn unused(&self, used: &BTreeSet<usize>) -> Vec<String> {
        let entries = self.entries.iter().enumerate().filter(|(i, _)| !used.contains(i));
        entries
            .map(|(_, e)| format!("`{}`, `{}`: no file `{}` among the inputs", self.name, e.table.name(), e.file))
            .collect()
    }
}

fn given_of(value: &toml::Value) -> Result<Given, String> {
    const WANTED: &str = "wanted `{ column = \"…\" }`, `{ value = \"…\" }`, `{ column = \"…\", values = { a = \"b\" } }` or `{ sql = \"…\" }`";
    let toml::Value::Table(fields) = value else { return Err(WANTED.to_owned()) };
    let known = ["column", "value", "values", "default", "sql"];
    if let Some(key) = fields.keys().find(|k| !known.contains(&k.as_str())) {
        let near = nearest_name(key, known).map(|n| format!("; nearest: `{n}`")).unwrap_or_default();
        return Err(format!("unknown key `{key}`{near}; {WANTED}"));
    }
    let text = |key: &str| -> Result<Option<String>, String> {
        match fields.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text.clone())),
            Some(other) if other.is_integer() || other.is_float() || other.is_bool() => Ok(Some(other.to_string())),
            Some(_) => Err(format!("`{key}` is no text")),
        }
    };
    let (column, value, default, sql) = (text("column")?, text("value")?, text("default")?, text("sql")?);
    match (column, value, fields.get("values"), default, sql) {
        (Some(column), None, None, None, None) => Ok(Given::Column(column)),
        (None, Some(value), None, None, None) => Ok(Given::Value(value)),
        (None, None, None, None, Some(sql)) => Ok(Given::Sql(sql)),
        (Some(column), None, Some(toml::Value::Table(pairs)), default, None) => {
            let mut values = HashMap::new();
            for (from, to) in pairs {
                let toml::Value::String(to) = to else { return Err(format!("the value for `{from}` is no text")) };
                values.insert(from.clone(), to.clone());
            }
            Ok(Given::Values { column, values, default })
        }
        _ => Err(WANTED.to_owned()),
    }
}

/// Whether a file's name fits a pattern with `*` and `?`.
fn fits(pattern: &str, name: &str) -> bool {
    fn fit(pattern: &[char], name: &[char]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['*', rest @ ..] => (0..=name.len()).any(|at| fit(rest, &name[at..])),
            ['?', rest @ ..] => !name.is_empty() && fit(rest, &name[1..]),
            [c, rest @ ..] => name.first() == Some(c) && fit(rest, &name[1..]),
        }
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    fit(&pattern, &name)
}

fn compile(dialect: &Dialect, sql: &str, header: &Header) -> Result<Expression, String> {
    let mut names: Vec<(&str, Option<usize>)> = Vec::new();
    for (cell, name) in header.cells.iter().enumerate() {
        if !name.is_empty() && !names.iter().any(|(n, _)| *n == name.as_str()) {
            names.push((name, Some(cell)));
        }
    }
    if !header.cells.iter().any(|c| c == ROW_NUMBER) {
        names.push((ROW_NUMBER, None));
    }
    let schema_of = |names: &[(&str, Option<usize>)]| {
        Schema::new(names.iter().map(|(n, _)| Field::new(*n, DataType::Utf8, true)).collect::<Vec<_>>())
    };
    let all = DFSchema::try_from(schema_of(&names)).map_err(|e| first_line(&e))?;
    let expr = dialect.read(sql, &all).map_err(|e| format!("`{sql}`: {}", first_line(&e)))?;
    let mut refused = None;
    expr.apply(|part| {
        match part {
            Expr::ScalarFunction(call) if !is_allowed(call.name()) => {
                refused = Some(format!("function `{}`", call.name()));
            }
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) => refused = Some("subquery".to_owned()),
            Expr::ScalarVariable(..) | Expr::Placeholder(_) => refused = Some("variable".to_owned()),
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(|e| first_line(&e))?;
    if let Some(refused) = refused {
        return Err(format!("`{sql}` has a {refused}, which a mapping may not use; allowed: {}", ALLOWED.join(", ")));
    }
    let reads: Vec<(&str, Option<usize>)> = {
        let used = expr.column_refs();
        names.into_iter().filter(|(n, _)| used.iter().any(|c| c.name == **n)).collect()
    };
    let schema = schema_of(&reads);
    let own = DFSchema::try_from(schema.clone()).map_err(|e| first_line(&e))?;
    let compiled = dialect.compile(expr, &own).map_err(|e| format!("`{sql}`: {}", first_line(&e)))?;
    Ok(Expression {
        text: sql.to_owned(),
        compiled,
        reads: reads.into_iter().map(|(_, cell)| cell).collect(),
        schema: Arc::new(schema),
    })
}

fn is_allowed(name: &str) -> bool {
    let name = name.to_lowercase();
    ALLOWED.contains(&name.as_str()) || ALLOWED_TOO.contains(&name.as_str())
}

fn first_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

impl Expression {
    /// As it is written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn over(&self, block: &Block, rows: &[Row]) -> Result<StringArray, String> {
        let columns: Vec<ArrayRef> = self
            .reads
            .iter()
            .map(|cell| {
                let texts: StringArray = match cell {
                    Some(cell) => {
                        rows.iter().map(|row| Some(block.cell(row, *cell).trim()).filter(|c| !c.is_empty())).collect()
                    }
                    None => rows.iter().map(|row| Some(row.number.to_string())).collect(),
                };
                Arc::new(texts) as ArrayRef
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| first_line(&e))?;
        let values =
            self.compiled.evaluate(&batch).and_then(|v| v.into_array(rows.len())).map_err(|e| first_line(&e))?;
        let texts = cast(&values, &DataType::Utf8).map_err(|e| first_line(&e))?;
        texts.as_any().downcast_ref::<StringArray>().cloned().ok_or_else(|| "the result is no text".to_owned())
    }
}

/// Evaluates the expressions over a block; a row for which one fails gets into trouble, not its neighbours.
pub(super) fn evaluate(expressions: &[Expression], block: &mut Block) -> Vec<StringArray> {
    let mut computed = Vec::with_capacity(expressions.len());
    for expression in expressions {
        computed.push(match expression.over(block, &block.rows) {
            Ok(array) => array,
            Err(_) => one_by_one(expression, block),
        });
    }
    computed
}

fn one_by_one(expression: &Expression, block: &mut Block) -> StringArray {
    let mut texts: Vec<Option<String>> = Vec::with_capacity(block.rows.len());
    for i in 0..block.rows.len() {
        match expression.over(block, &block.rows[i..=i]) {
            Ok(array) if array.is_null(0) => texts.push(None),
            Ok(array) => texts.push(Some(array.value(0).to_owned())),
            Err(reason) => {
                texts.push(None);
                let reason = format!("`{}` of the mapping fails: {reason}", expression.text);
                block.rows[i].trouble.get_or_insert(reason.into());
            }
        }
    }
    texts.into_iter().collect()
}
