//! Expressions in SQL, compiled: the half of the query engine that this program has.
//!
//! Goes in: an expression as text or as the parser's tree, and the columns that it may name. Comes out: the engine's
//! expression, and what computes it over a batch. There is no table, no query, no plan and no function of many rows: the
//! parts of the engine that would make them are not linked. Deliberately unknown here: who may call what; a dialect is
//! given its functions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DFSchema, Result, TableReference, plan_err};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion_functions::core::planner::CoreFunctionPlanner;
use datafusion_functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion_sql::parser::DFParserBuilder;
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast::ExprWithAlias;
use datafusion_sql::sqlparser::dialect::GenericDialect;

/// What expressions may say and how it is read.
pub struct Dialect {
    options: Arc<ConfigOptions>,
    functions: BTreeMap<String, Arc<ScalarUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialect({} functions)", self.functions.len())
    }
}

impl Dialect {
    /// Expressions over these functions. Names keep their case; where `exact`, `0.10` is a decimal and never a float.
    #[must_use]
    pub fn new(functions: Vec<Arc<ScalarUDF>>, exact: bool) -> Dialect {
        let mut options = ConfigOptions::new();
        options.sql_parser.parse_float_as_decimal = exact;
        options.sql_parser.enable_ident_normalization = false;
        let mut named = BTreeMap::new();
        for function in functions {
            for alias in function.aliases() {
                named.insert(alias.clone(), Arc::clone(&function));
            }
            named.insert(function.name().to_owned(), function);
        }
        Dialect {
            options: Arc::new(options),
            functions: named,
            planners: vec![
                Arc::new(CoreFunctionPlanner::default()),
                Arc::new(DatetimeFunctionPlanner),
                Arc::new(UnicodeFunctionPlanner),
            ],
        }
    }

    /// Every scalar function that the engine has.
    #[must_use]
    pub fn every_function() -> Vec<Arc<ScalarUDF>> {
        datafusion_functions::all_default_functions()
    }

    /// Reads an expression over columns.
    ///
    /// # Errors
    /// It cannot be parsed; a column or a function is not there.
    pub fn read(&self, sql: &str, columns: &DFSchema) -> Result<Expr> {
        let mut parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build()?;
        self.plan(parser.parse_into_expr()?, columns)
    }

    /// The engine's expression of a parsed one.
    ///
    /// # Errors
    /// A column or a function is not there, or wants something else.
    pub fn plan(&self, tree: ExprWithAlias, columns: &DFSchema) -> Result<Expr> {
        let how = ParserOptions {
            parse_float_as_decimal: self.options.sql_parser.parse_float_as_decimal,
            enable_ident_normalization: false,
            ..ParserOptions::default()
        };
        let planner = SqlToRel::new_with_options(self, how);
        planner.sql_to_expr_with_alias(tree, columns, &mut PlannerContext::new())
    }

    /// What computes an expression over batches with these columns.
    ///
    /// # Errors
    /// Types that do not go together.
    pub fn compile(&self, expression: Expr, columns: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(columns.clone()))
            .with_config_options(Arc::clone(&self.options))
            .build();
        let simplifier = ExprSimplifier::new(context);
        // Some functions (`coalesce`) exist only until they are simplified away.
        let simple = simplifier.simplify(simplifier.coerce(expression, columns)?)?;
        let properties = ExecutionProps { config_options: Some(Arc::clone(&self.options)), ..ExecutionProps::new() };
        create_physical_expr(
            &simplifier.coerce(simple, columns)?,
            columns,
            &properties,
            &PhysicalPlanningContext::default(),
        )
    }
}

impl ContextProvider for Dialect {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("an expression reads no table, and `{name}` would be one")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.get(name).cloned()
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, _name: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
