//! `doctor`: what is in these files, what maps to what, which rules could run, what would be quarantined. Audits nothing.
//!
//! Goes in: the paths of an export. Comes out: a [`Diagnosis`] that prints itself. A rule "could run" when the columns
//! that have a source somewhere can make it hit; what it counts as 0 when absent is not missed. It may still meet empty
//! cells.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Error, library};
use crate::engine::{Plan, wanting};
use crate::ingest::{self, Survey};
use crate::model::{Table, View};
use crate::report::Lang;

/// What `doctor` found.
#[derive(Debug)]
pub struct Diagnosis {
    pub survey: Survey,
    pub rules: Vec<Readiness>,
}

/// Whether a rule could run on these files.
#[derive(Debug)]
pub struct Readiness {
    pub code: String,
    pub title: String,
    pub title_en: String,
    /// Columns without a source, without which the rule answers nothing.
    pub missing: Vec<String>,
    /// Columns without a source that would make its answers sharper.
    pub sharper_with: Vec<String>,
}

/// Columns of views that come from elsewhere: any one of the sources will do.
const SOURCES: &[(&str, &[&str])] = &[
    ("gend", &["encounter.gend", "person.gend"]),
    ("brdy", &["encounter.brdy", "person.brdy"]),
    ("age", &["encounter.brdy", "person.brdy"]),
    ("age_days", &["encounter.brdy", "person.brdy"]),
    ("level", &["encounter.hosp_lv", "facility.hosp_lv"]),
    ("setting", &["encounter.med_type", "fee_detail.med_type"]),
    ("region", &["settlement.insu_admdvs", "encounter.insu_admdvs", "person.insu_admdvs", "facility.admdvs"]),
    ("facility_region", &["facility.admdvs"]),
    ("death_day", &["person.die_date", "encounter.die_date", "encounter.dscg_way"]),
    ("days", &["fee_detail.prd_days", "fee_detail.spec"]),
    ("diagnoses", &["diagnosis.diag_code", "encounter.dscg_maindiag_code"]),
    ("dscg_maindiag_code", &["encounter.dscg_maindiag_code", "diagnosis.maindiag_flag"]),
    ("hardship", &["identity.psn_idet_type"]),
    ("trace_code", &["fee_detail.drug_trac_codg"]),
    ("stay_id", &["encounter.begntime"]),
    ("stay_days", &["encounter.endtime"]),
    ("stay_med_types", &["encounter.med_type"]),
    ("stay_departments", &["encounter.adm_dept_codg", "encounter.dscg_dept_codg"]),
    ("visit_fund_pay_sumamt", &["settlement.fund_pay_sumamt"]),
];

/// Looks into the files of an export.
///
/// # Errors
/// Rules or a mapping with mistakes. Files that cannot be read are in the survey.
pub fn doctor<'a>(
    inputs: &[PathBuf],
    mapping: Option<&Path>,
    rules: impl Into<library::Origin<'a>>,
) -> Result<Diagnosis, Error> {
    let library = library::compile(rules, &[])?;
    let survey = ingest::survey(inputs, mapping)?;
    let mut present: BTreeSet<String> = BTreeSet::new();
    for table in survey.files.iter().flat_map(|f| &f.tables) {
        present.extend(table.columns.iter().map(|(_, column)| format!("{}.{column}", table.table)));
    }
    let rules = library
        .plans
        .iter()
        .map(|plan| {
            let (missing, sharper_with) = without_source(plan, &present);
            let rule = &plan.rule;
            Readiness {
                code: rule.code.clone(),
                title: rule.title.clone(),
                title_en: rule.title_en.clone(),
                missing,
                sharper_with,
            }
        })
        .collect();
    Ok(Diagnosis { survey, rules })
}

/// Columns that the rule reads and no file has: those it cannot do without, and the others.
fn without_source(plan: &Plan, present: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
    let own = plan.rule.find.view;
    let mut absent: BTreeMap<(View, &str), String> = BTreeMap::new();
    for (view, column) in &plan.reads {
        let sources = sources(*view, column);
        if !sources.is_empty() && !sources.iter().any(|s| present.contains(s)) {
            absent.insert((*view, column), sources.join(" / "));
        }
    }
    let own_columns = absent.keys().filter(|(view, _)| *view == own).map(|(_, column)| (*column).to_owned()).collect();
    let wanting = wanting(&plan.rule, &own_columns);
    let (mut missing, mut sharper_with) = (BTreeSet::new(), BTreeSet::new());
    for ((view, column), sources) in absent {
        if view == own && (plan.needs.contains(column) || wanting.contains(column)) {
            missing.insert(sources);
        } else {
            sharper_with.insert(sources);
        }
    }
    sharper_with.retain(|sources| !missing.contains(sources));
    (missing.into_iter().collect(), sharper_with.into_iter().collect())
}

/// Where a column of a view may come from; nothing for what the program makes itself.
fn sources(view: View, column: &str) -> Vec<String> {
    if let Some((_, sources)) = SOURCES.iter().find(|(name, _)| *name == column) {
        return sources.iter().map(|s| (*s).to_owned()).collect();
    }
    let tables: &[Table] = match view {
        View::Line | View::PaidLine | View::Fill | View::RawLine | View::Trace => &[Table::FeeDetail, Table::Encounter],
        View::Settlement | View::RawSettlement => &[Table::Settlement, Table::Encounter],
        View::Diagnosis => &[Table::Diagnosis, Table::Encounter],
        View::Presence => &[Table::Presence, Table::Encounter],
        View::Encounter | View::Stay | View::Transfer => &[Table::Encounter, Table::Settlement],
    };
    tables.iter().filter(|t| t.position(column).is_some()).map(|t| format!("{}.{column}", t.name())).collect()
}

impl Diagnosis {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let files: Vec<Value> = self
            .survey
            .files
            .iter()
            .map(|f| {
                let tables: Vec<Value> = f
                    .tables
                    .iter()
                    .map(|t| {
                        let columns: BTreeMap<&str, &str> = t.columns.iter().map(|(from, column)| (*column, from.as_str())).collect();
                        json!({ "table": t.table, "split": t.split, "columns": columns, "missing": t.missing, "rows_looked_at": t.read.rows, "quarantined": t.quarantined.rows })
                    })
                    .collect();
                json!({ "file": f.file, "bytes": f.bytes, "format": f.format, "encoding": f.encoding.map(|e| e.name().to_owned()), "header_row": f.header_row, "title_rows": f.title_rows, "tables": tables, "unknown": f.unknown })
            })
            .collect();
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|r| json!({ "code": r.code, "title": r.title, "missing": r.missing, "sharper_with": r.sharper_with }))
            .collect();
        json!({ "files": files, "rules": rules, "notes": self.survey.notes, "errors": self.survey.errors })
    }

    /// As people read it.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let zh = lang == Lang::Zh;
        let say = |chinese: &'static str, english: &'static str| if zh { chinese } else { english };
        let mut text = String::new();
        for file in &self.survey.files {
            let mut shape = vec![file.format.to_owned()];
            shape.extend(file.encoding.map(|e| e.name().to_owned()));
            shape.extend(file.delimiter.map(|d| if d == '\t' { "tab".to_owned() } else { format!("`{d}`") }));
            let _ = writeln!(
                text,
                "{}  ({}, {} bytes, {} {})",
                file.file,
                shape.join(", "),
                file.bytes,
                say("表头在第", "header in row"),
                file.header_row
            );
            for table in &file.tables {
                let _ = writeln!(
                    text,
                    "  → {}  {} {}, {} {}, {} {}",
                    table.table,
                    table.columns.len(),
                    say("列", "columns"),
                    table.read.rows,
                    say("行看过", "rows looked at"),
                    table.quarantined.rows,
                    say("行将隔离", "would be quarantined")
                );
                for (from, column) in table.columns.iter().filter(|(from, column)| !from.eq_ignore_ascii_case(column)) {
                    let _ = writeln!(text, "      {from} → {column}");
                }
                if !table.missing.is_empty() {
                    let _ = writeln!(text, "      {}: {}", say("没有", "not there"), table.missing.join(", "));
                }
            }
            if !file.unknown.is_empty() {
                let _ = writeln!(
                    text,
                    "  {}: {}",
                    say("不认识的列", "columns that mean nothing to us"),
                    file.unknown.join(", ")
                );
            }
            for complaint in file.quarantined.iter().take(5) {
                let _ = writeln!(
                    text,
                    "  {} {} {} {}",
                    say("隔离 行", "quarantine row"),
                    complaint.row,
                    complaint.column,
                    complaint.reason
                );
            }
            if file.quarantined.len() > 5 {
                let _ = writeln!(text, "  … {} {}", file.quarantined.len() - 5, say("处另有隔离", "more"));
            }
        }
        let ready = self.rules.iter().filter(|r| r.missing.is_empty()).count();
        let _ = writeln!(text, "\n{} {ready} / {}", say("可以运行的规则", "rules that could run"), self.rules.len());
        for rule in &self.rules {
            let title = if zh { &rule.title } else { &rule.title_en };
            if !rule.missing.is_empty() {
                let _ = writeln!(
                    text,
                    "  {} {title}: {} {}",
                    rule.code,
                    say("缺少", "no source for"),
                    rule.missing.join("; ")
                );
            } else if !rule.sharper_with.is_empty() {
                let _ = writeln!(
                    text,
                    "  {} {title}: {} {}",
                    rule.code,
                    say("可以运行；有了这些更准", "could run; sharper with"),
                    rule.sharper_with.join("; ")
                );
            }
        }
        for note in &self.survey.notes {
            let _ = writeln!(text, "note: {note}");
        }
        for error in &self.survey.errors {
            let _ = writeln!(text, "error: {error}");
        }
        text
    }
}
