//! Parameters: numbers from regulations, with a value per date, region, insurance and level, and a source each.
//!
//! Goes in: `audit_rules/parameters/<name>.toml`. Comes out: the value in force for a day and a place. Law has dates: the
//! value is that of the day of service, never of the day of the run.

use rust_decimal::Decimal;

use crate::model::codes::region_fit;

/// A named number with its values.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    /// Chinese title.
    pub title: String,
    /// Unit of the value: 天, 元, 比例.
    pub unit: String,
    pub values: Vec<Value>,
}

/// One value of a parameter: where and when it holds and who said so.
#[derive(Debug, Clone)]
pub struct Value {
    pub value: Decimal,
    /// First day; absent: from ever.
    pub from: Option<i32>,
    /// Last day; absent: open.
    pub until: Option<i32>,
    /// `admdvs` of county, city or province; absent: the nation.
    pub region: Option<String>,
    pub insutype: Option<String>,
    pub level: Option<i64>,
    pub document: Option<String>,
    pub article: Option<String>,
    pub verified_on: Option<i32>,
    /// An operator's default without a source.
    pub default: bool,
    /// Free remark of the rule keeper.
    pub note: Option<String>,
}

/// For whom a parameter is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked<'a> {
    pub day: i32,
    pub region: Option<&'a str>,
    pub insutype: Option<&'a str>,
    pub level: Option<i64>,
}

impl Parameter {
    /// Whether it has one value, for every day and place.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        let everywhere = |v: &Value| {
            v.from.is_none() && v.until.is_none() && v.region.is_none() && v.insutype.is_none() && v.level.is_none()
        };
        matches!(self.values.as_slice(), [only] if everywhere(only))
    }

    /// Position of the value in force: county before city before province before nation, then the one that names the
    /// insurance, then the one that names the level, then the latest `from`.
    #[must_use]
    pub fn in_force(&self, asked: Asked<'_>) -> Option<usize> {
        self.values
            .iter()
            .enumerate()
            .filter_map(|(at, v)| {
                if v.from.is_some_and(|d| asked.day < d) || v.until.is_some_and(|d| asked.day > d) {
                    return None;
                }
                let fit = region_fit(v.region.as_deref(), asked.region)?;
                if v.insutype.is_some() && v.insutype.as_deref() != asked.insutype {
                    return None;
                }
                if v.level.is_some() && v.level != asked.level {
                    return None;
                }
                Some(((fit, v.insutype.is_some(), v.level.is_some(), v.from.unwrap_or(i32::MIN)), at))
            })
            .max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)))
            .map(|(_, at)| at)
    }
}

impl Value {
    /// Document and article in one text; says when there is none.
    #[must_use]
    pub fn source(&self) -> String {
        match (&self.document, &self.article) {
            (Some(document), Some(article)) => format!("{document} {article}"),
            (Some(document), None) => document.clone(),
            _ => "经办默认值，无文件依据".to_owned(),
        }
    }
}
