//! Which knowledge table a workbook is for, and what a point says in that table's columns.
//!
//! Goes in: titles, headings, a point's cells. Comes out: a [`Shape`], values, or a sentence that says why a point cannot be
//! said in the table. A point that the table cannot say exactly is refused, never bent to what it can say.
//!
//! To import another table: a row in [`SHAPES`] and a function that reads its values.

use rust_decimal::Decimal;

use super::workbook::{Cells, Meaning};

/// How a knowledge table is filled from a workbook.
#[derive(Debug)]
pub(super) struct Shape {
    pub table: &'static str,
    /// Words of titles and headings that tell the table; empty: only by name.
    pub words: &'static [&'static str],
    /// Tables that it wins against where both are told of: a cycle also has a frequency.
    pub over: &'static [&'static str],
    /// Value columns, without `code`, `from`, `until`, `source`.
    pub columns: &'static [&'static str],
    /// Meanings without which no row can be read.
    pub needs: &'static [Meaning],
    pub values: fn(&Cells, &str) -> Result<Vec<String>, String>,
}

const NONE: &[&str] = &[];

pub(super) const SHAPES: &[Shape] = &[
    Shape {
        table: "sex_limit",
        words: &["性别"],
        over: NONE,
        columns: &["sex"],
        needs: &[Meaning::Limit],
        values: sex,
    },
    Shape {
        table: "facility_level",
        words: &["机构等级", "机构级别"],
        over: NONE,
        columns: &["min_level", "first_prescription_only"],
        needs: &[Meaning::Limit],
        values: level,
    },
    Shape {
        table: "duplicate_pair",
        words: &["重复收费"],
        over: NONE,
        columns: &["code_b", "window"],
        needs: &[Meaning::CodeB, Meaning::Window],
        values: pair,
    },
    Shape {
        table: "service_consumable_pair",
        words: &[],
        over: NONE,
        columns: &["code_b", "window"],
        needs: &[Meaning::CodeB, Meaning::Window],
        values: consumable_pair,
    },
    Shape {
        table: "cycle_cap",
        words: &["限定周期", "周期超频次", "周期"],
        over: &["daily_cap", "course_days"],
        columns: &["point", "max", "days"],
        needs: &[Meaning::Limit, Meaning::Days],
        values: cycle,
    },
    Shape {
        table: "daily_cap",
        words: &["限定频次", "单日上限"],
        over: NONE,
        columns: &["point", "max"],
        needs: &[Meaning::Limit],
        values: daily,
    },
    Shape {
        table: "hourly_item",
        words: &[],
        over: NONE,
        columns: &["point", "max"],
        needs: &[Meaning::Limit],
        values: hourly,
    },
    Shape { table: "newborn_only", words: &["新生儿"], over: NONE, columns: NONE, needs: &[], values: nothing },
    Shape {
        table: "child_only",
        words: &["儿童"],
        over: &["age_range"],
        columns: &["max_age"],
        needs: &[],
        values: child,
    },
    Shape {
        table: "course_days",
        words: &["疗程"],
        over: NONE,
        columns: &["point", "max_days"],
        needs: &[Meaning::Limit],
        values: course,
    },
    Shape {
        table: "fund_limit", words: &["工伤", "生育"], over: NONE, columns: &["fund"], needs: &[], values: fund
    },
    Shape {
        table: "care_setting",
        words: &["就医方式"],
        over: NONE,
        columns: &["settings"],
        needs: &[Meaning::Limit],
        values: setting,
    },
    Shape {
        table: "age_range",
        words: &["年龄"],
        over: NONE,
        columns: &["min_age", "max_age"],
        needs: &[Meaning::Limit],
        values: age,
    },
    Shape {
        table: "second_line",
        words: &["二线"],
        over: NONE,
        columns: &["first_line"],
        needs: &[],
        values: second_line,
    },
    Shape {
        table: "herb_never",
        words: &["单复方均不"],
        over: &["herb_not_alone"],
        columns: NONE,
        needs: &[],
        values: nothing,
    },
    Shape {
        table: "herb_not_alone",
        words: &["单方使用不予", "单方不予", "单独使用"],
        over: NONE,
        columns: NONE,
        needs: &[],
        values: nothing,
    },
    Shape {
        table: "chronic_drugs",
        words: &[],
        over: NONE,
        columns: &["dise_no"],
        needs: &[Meaning::Other("dise_no")],
        values: disease,
    },
    Shape { table: "catalogue", words: &[], over: NONE, columns: NONE, needs: &[], values: nothing },
    Shape { table: "bed_item", words: &[], over: NONE, columns: NONE, needs: &[], values: nothing },
    Shape { table: "inpatient_consultation", words: &[], over: NONE, columns: NONE, needs: &[], values: nothing },
];

/// Tables that say the same kind of thing to two rules: a code is in one of them, or it would be found twice.
pub(super) const SIBLINGS: [(&str, &str); 2] = [("daily_cap", "hourly_item"), ("hourly_item", "daily_cap")];

/// The shape that the first telling source tells of: the file's name, titles, headings, kinds; each only if it tells of one.
pub(super) fn told(sources: &[Vec<String>]) -> Option<&'static Shape> {
    sources.iter().find_map(|texts| {
        let told: Vec<&Shape> =
            SHAPES.iter().filter(|s| s.words.iter().any(|w| texts.iter().any(|t| t.contains(w)))).collect();
        let left: Vec<&&Shape> = told.iter().filter(|s| !told.iter().any(|o| o.over.contains(&s.table))).collect();
        match left.as_slice() {
            [one] => Some(**one),
            _ => None,
        }
    })
}

#[expect(clippy::unnecessary_wraps, reason = "one of the readers of values")]
fn nothing(_: &Cells, _: &str) -> Result<Vec<String>, String> {
    Ok(Vec::new())
}

fn sex(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    let limit = cells.get(Meaning::Limit);
    match (limit.contains('男'), limit.contains('女')) {
        (true, false) => Ok(vec!["1".to_owned()]),
        (false, true) => Ok(vec!["2".to_owned()]),
        _ => Err(format!("the sex is `{limit}`, wanted 男 or 女")),
    }
}

fn level(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    let limit = cells.get(Meaning::Limit);
    let levels: Vec<(char, &str)> = [('一', "1"), ('二', "2"), ('三', "3")]
        .into_iter()
        .filter(|(c, _)| limit.contains(&format!("{c}级")))
        .collect();
    let [(_, level)] = levels.as_slice() else {
        return Err(format!("the level is `{limit}`, wanted one of 一级, 二级, 三级"));
    };
    let first = match cells.get(Meaning::First) {
        "" | "否" | "0" => first_prescription(&[limit, cells.get(Meaning::Ground), cells.get(Meaning::Remark)]),
        _ => true,
    };
    Ok(vec![(*level).to_owned(), u8::from(first).to_string()])
}

/// 首次处方…由二级…: the level is asked of the first prescription. 首次处方时病眼视力… speaks of something else.
fn first_prescription(texts: &[&str]) -> bool {
    texts.iter().flat_map(|t| t.split(['。', '；', ';'])).any(|clause| {
        clause.split("首次处方").skip(1).any(|rest| {
            let near: String = rest.chars().take(12).collect();
            ["一级", "二级", "三级"].iter().any(|level| near.contains(level))
        })
    })
}

fn pair(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    let said = cells.get(Meaning::Window);
    let window = match said.trim_end_matches("以内").trim_end_matches('内') {
        "同一小时" | "同小时" | "1小时" | "一小时" => "hour",
        "6小时" | "六小时" => "6hours",
        hours if hours.contains("小时") => {
            return Err(format!(
                "the time is `{said}`: of hours the table says one (同一小时) and six (6小时); a longer time would find too \
                 much, a shorter one too little"
            ));
        }
        _ => day_or_visit(said)?,
    };
    Ok(vec![code(cells.get(Meaning::CodeB))?, window.to_owned()])
}

fn consumable_pair(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    let window = match cells.get(Meaning::Window) {
        hours if hours.contains("小时") => {
            return Err(format!(
                "the time is `{hours}`: rule BIL102, which asks this table, knows a day (单日) and a visit (单次就诊), no \
                 hours, and a day would find too much"
            ));
        }
        other => day_or_visit(other)?,
    };
    Ok(vec![code(cells.get(Meaning::CodeB))?, window.to_owned()])
}

/// Within which time both items of a pair count, where it is no number of hours.
fn day_or_visit(window: &str) -> Result<&'static str, String> {
    match window {
        "单日" | "当日" | "同日" | "同一日" | "同一天" | "一日" | "日" => Ok("day"),
        "单次就诊" | "单次住院" | "同次就诊" | "同一次就诊" | "一次就诊" | "就诊" | "住院期间" => {
            Ok("visit")
        }
        "" => Err("the row does not say in which time both count".to_owned()),
        other => Err(format!(
            "the time is `{other}`: the table says a day (单日) or a visit (单次就诊), and a day would find too much"
        )),
    }
}

fn point(cells: &Cells) -> Result<String, String> {
    match cells.get(Meaning::Name) {
        "" => Err("the point has no name".to_owned()),
        name => Ok(name.to_owned()),
    }
}

fn daily(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    let unit = cells.get(Meaning::Unit);
    if ["周", "月", "年", "疗程"].iter().any(|w| unit.contains(w)) {
        return Err(format!("the unit is `{unit}`: the table counts by the day"));
    }
    Ok(vec![point(cells)?, number(cells.get(Meaning::Limit), "the cap")?])
}

fn hourly(cells: &Cells, context: &str) -> Result<Vec<String>, String> {
    match cells.get(Meaning::Unit) {
        unit if unit.contains("小时") => daily(cells, context),
        unit => Err(format!("the unit is `{unit}`: the table holds what is charged by the hour")),
    }
}

fn cycle(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    let days = days(cells.get(Meaning::Days), cells.get(Meaning::Unit), "the cycle")?;
    Ok(vec![point(cells)?, number(cells.get(Meaning::Limit), "the cap")?, days])
}

fn course(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    Ok(vec![point(cells)?, days(cells.get(Meaning::Limit), cells.get(Meaning::Unit), "the course")?])
}

fn child(cells: &Cells, context: &str) -> Result<Vec<String>, String> {
    let said = [cells.get(Meaning::Limit), cells.get(Meaning::Kind), cells.get(Meaning::Logic), context];
    let ages: Vec<u32> =
        said.iter().flat_map(|t| numbers(t)).filter_map(|n| n.parse().ok()).filter(|n| (1..=18).contains(n)).collect();
    match ages.as_slice() {
        // Between 14 and 18 the texts differ; a limit that is not said does not accuse anybody of fourteen.
        [] => Ok(vec!["18".to_owned()]),
        [first, rest @ ..] if rest.iter().all(|n| n == first) => Ok(vec![first.to_string()]),
        _ => Err(format!("several ages in `{}`", said.join(" "))),
    }
}

fn age(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    let limit = cells.get(Meaning::Limit);
    let found = numbers(limit);
    let upper = ["以下", "及以下", "≤", "<", "不超过", "以内", "小于"].iter().any(|w| limit.contains(w));
    let lower = ["以上", "≥", ">", "大于", "满"].iter().any(|w| limit.contains(w));
    if ["月", "天", "日"].iter().any(|w| limit.contains(w)) {
        return Err(format!("the age is `{limit}`, wanted years"));
    }
    match (found.as_slice(), lower, upper) {
        ([min, max], _, _) => Ok(vec![min.clone(), max.clone()]),
        ([min], true, false) => Ok(vec![min.clone(), String::new()]),
        ([max], false, true) => Ok(vec![String::new(), max.clone()]),
        _ => Err(format!("the age is `{limit}`, wanted such as 6岁以下, 18岁以上 or 6-18岁")),
    }
}

fn fund(cells: &Cells, context: &str) -> Result<Vec<String>, String> {
    for said in [
        cells.get(Meaning::Limit),
        cells.get(Meaning::Kind),
        cells.get(Meaning::Logic),
        cells.get(Meaning::Ground),
        context,
    ] {
        match (said.contains("工伤"), said.contains("生育")) {
            (true, false) => return Ok(vec!["work_injury".to_owned()]),
            (false, true) => return Ok(vec!["maternity".to_owned()]),
            _ => {}
        }
    }
    Err("the row does not say which fund: wanted 工伤 or 生育".to_owned())
}

fn setting(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    const WORDS: [(&str, &str); 7] = [
        ("住院", "inpatient"),
        ("门诊", "outpatient"),
        ("急诊", "emergency"),
        ("抢救", "emergency"),
        ("日间手术", "day_surgery"),
        ("家庭病床", "home_bed"),
        ("药店", "pharmacy"),
    ];
    let limit = cells.get(Meaning::Limit);
    let mut rest = limit.replace("门急诊", "门诊急诊");
    let mut settings: Vec<&str> = Vec::new();
    for (word, setting) in WORDS {
        if rest.contains(word) {
            rest = rest.replace(word, "");
            if !settings.contains(&setting) {
                settings.push(setting);
            }
        }
    }
    let rest = rest.trim_matches(|c: char| "限、，,/和或及仅使用 ".contains(c));
    if settings.is_empty() || rest.chars().any(|c| !"限、，,/和或及仅使用 ".contains(c)) {
        return Err(format!("the settings are `{limit}`, wanted 住院, 门诊, 急诊, 日间手术, 家庭病床, 药店"));
    }
    Ok(vec![settings.join("|")])
}

fn second_line(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    let first: Result<Vec<String>, String> =
        codes(cells.get(Meaning::Other("first_line"))).into_iter().map(code).collect();
    Ok(vec![first?.join("|")])
}

fn disease(cells: &Cells, _: &str) -> Result<Vec<String>, String> {
    match cells.get(Meaning::Other("dise_no")) {
        "" => Err("the row has no code of a disease".to_owned()),
        code => Ok(vec![code.to_owned()]),
    }
}

/// Codes in a cell: several stand apart by spaces, commas or lines.
pub(super) fn codes(cell: &str) -> Vec<&str> {
    cell.split([',', '，', '、', ';', '；', '\n', '\r', ' ', '|']).map(str::trim).filter(|c| !c.is_empty()).collect()
}

/// An item code as the platform writes it.
pub(super) fn code(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a code is missing".to_owned());
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(format!("`{text}` is no code: wanted letters and digits"));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        if text.len() != 15 {
            return Err(format!(
                "`{text}` has {} digits, wanted 15: a spreadsheet drops leading zeros, store the column as text",
                text.len()
            ));
        }
    } else if text.len() < 8 {
        return Err(format!("`{text}` is too short for a code"));
    }
    Ok(text.to_ascii_uppercase())
}

/// Numbers in a text, in order.
fn numbers(text: &str) -> Vec<String> {
    let plain: String = text.chars().map(|c| if c.is_ascii_digit() || c == '.' { c } else { ' ' }).collect();
    plain.split_whitespace().filter_map(|w| w.parse::<Decimal>().ok()).map(|n| n.normalize().to_string()).collect()
}

/// The one number of a text; 每日一次 has one too.
fn number(text: &str, what: &str) -> Result<String, String> {
    match numbers(text).as_slice() {
        [one] => return Ok(one.clone()),
        [] => {
            let words: Vec<usize> =
                text.chars().filter_map(|c| "零一二三四五六七八九十".chars().position(|w| w == c)).collect();
            if let [one] = words.as_slice() {
                return Ok(one.to_string());
            }
        }
        _ => {}
    }
    Err(format!("{what} is `{text}`, wanted one number"))
}

/// Days of a text: 14天, 14, 2周, 1年.
fn days(text: &str, unit: &str, what: &str) -> Result<String, String> {
    let count: Decimal = number(text, what)?.parse().map_err(|_| format!("{what} is `{text}`, wanted days"))?;
    let said = |word: char| text.contains(word) || (unit.contains(word) && numbers(text).join("") == text);
    let times = match () {
        () if said('月') => return Err(format!("{what} is `{text}{unit}`: a month is not a number of days")),
        () if said('年') => 365,
        () if said('周') => 7,
        () => 1,
    };
    Ok((count * Decimal::from(times)).normalize().to_string())
}
