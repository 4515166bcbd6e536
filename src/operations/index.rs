//! `rules index`: the table of rules in the library's README, made from the rules.
//!
//! Goes in: a library and its README. Comes out: the table between the two markers. Result and unit are said in words there;
//! a row that is in the table keeps its words, a new row gets them from the rule. Not known here: other pages.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::scaffold::FAMILIES;
use super::{Error, library};
use crate::model::View;
use crate::rules::{Rule, RuleSet};

/// The line before the table and the line after it.
pub const MARKERS: (&str, &str) =
    ("<!-- rules index: `fundaudit rules index --write` -->", "<!-- end of rules index -->");

/// The table, with the words of the table in `readme`, where it has the rule.
#[must_use]
pub fn table(set: &RuleSet, readme: &str) -> String {
    let kept: HashMap<&str, Vec<&str>> = readme
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").map(str::trim).collect();
            (cells.len() == 6).then(|| (cells[0], cells))
        })
        .collect();
    let order = |r: &Rule| FAMILIES.iter().position(|(_, letters)| *letters == r.family()).unwrap_or(FAMILIES.len());
    let mut rules: Vec<&Rule> = set.rules.iter().collect();
    rules.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.code.cmp(&b.code)));
    let mut text = String::from("| 编码 | 名字 | 标题 | 结果 | 单元 | 全国分类 |\n|---|---|---|---|---|---|\n");
    for rule in rules {
        let words = kept.get(rule.code.as_str());
        let result = if rule.says.result.is_some() {
            words.map_or_else(|| "明确违规或可疑".to_owned(), |w| w[3].to_owned())
        } else {
            rule.result.clone()
        };
        let unit = words.map(|w| w[4].to_owned()).filter(|u| !u.is_empty()).unwrap_or_else(|| unit(rule));
        let national: Vec<String> = rule.national.iter().map(ToString::to_string).collect();
        let national = if national.is_empty() { "未列".to_owned() } else { national.join("、") };
        let place = rule.file.rsplit('/').take(2).collect::<Vec<_>>();
        let place = format!("{}/{}", place.get(1).unwrap_or(&""), place.first().unwrap_or(&""));
        text.push_str(&format!(
            "| {} | [{}]({place}) | {} | {result} | {unit} | {national} |\n",
            rule.code, rule.name, rule.title
        ));
    }
    text
}

/// What one finding of a rule speaks of.
fn unit(rule: &Rule) -> String {
    if rule.find.matches.iter().any(|m| m.each) {
        return format!("两条{}", of_view(rule.find.view));
    }
    if rule.find.per.is_empty() {
        return of_view(rule.find.view).to_owned();
    }
    let word = |name: &str| {
        match name.rsplit('.').next().unwrap_or(name) {
            "psn_no" => "人",
            "day" => "天",
            "mdtrt_id" => "就诊",
            "setl_id" => "结算",
            "fixmedins_code" => "机构",
            "hilist_code" => "项目",
            "generic" => "通用名",
            "point" => "知识点",
            "group" => "组",
            "code_b" => "项目对",
            "diag_code" => "诊断",
            "stay_id" => "一次住院",
            other => other,
        }
        .to_owned()
    };
    rule.find.per.iter().map(|(name, _)| word(name)).collect::<Vec<_>>().join("、")
}

fn of_view(view: View) -> &'static str {
    match view.name() {
        "line" | "paid_line" | "raw_line" => "明细行",
        "encounter" => "就诊",
        "stay" => "一次住院",
        "settlement" | "raw_settlement" => "结算",
        "fill" => "一次取药",
        "transfer" => "一次转院",
        "diagnosis" => "就诊、诊断",
        "presence" => "一次在床核查",
        "trace" => "追溯码",
        other => other,
    }
}

/// The README with the table in its place.
///
/// # Errors
/// A README without the two markers, in this order.
pub fn placed(set: &RuleSet, readme: &str) -> Result<String, Error> {
    let (begin, end) = MARKERS;
    let inside = readme
        .find(begin)
        .map(|at| at + begin.len())
        .and_then(|from| readme[from..].find(end).map(|until| (from, from + until)));
    let Some((from, until)) = inside else {
        return Err(Error::Usage(format!(
            "README.md has no place for the index: write the lines `{begin}` and `{end}`"
        )));
    };
    Ok(format!("{}\n\n{}\n{}", &readme[..from], table(set, &readme[from..until]), &readme[until..]))
}

/// Writes the table into `README.md` of a library and says whether that changed it.
///
/// # Errors
/// Mistakes in rules, a README that cannot be read, has no place for the table, or cannot be written.
pub fn write(folder: &Path) -> Result<(PathBuf, bool), Error> {
    let set = library::open(Some(folder))?;
    let file = folder.join("README.md");
    let failed = |doing: &str| {
        let doing = format!("{doing} `{}`", file.display());
        move |source| Error::Disk { doing, source }
    };
    let readme = fs::read_to_string(&file).map_err(failed("read"))?.replace("\r\n", "\n");
    let new = placed(&set, &readme)?;
    if new != readme {
        fs::write(&file, &new).map_err(failed("write"))?;
    }
    let changed = new != readme;
    Ok((file, changed))
}
