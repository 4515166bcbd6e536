//! Reasons in the reader's language: why a row was set aside, why a unit was not evaluated.
//!
//! Goes in: the clauses of the ingest floor, which are English, and of the engine, which are Chinese. Comes out: the same in
//! Chinese or English. A dataset's own list and `coverage.csv` keep the clauses as they were said, the `quarantine.csv` of an
//! audit has them in Chinese; a clause that is not known here is shown as it is. Deliberately unknown here: who said it, how often.
//!
//! To add a reason of ingest: a line in [`SET_ASIDE`]; a test goes over what ingest can say and misses those that are not
//! here. `{}` stands for whatever differs from row to row.

use super::labels::{label, record};
use super::text::Lang;

/// Reasons of the ingest floor, the narrower pattern first.
const SET_ASIDE: [(&str, &str); 29] = [
    ("required, and empty", "必填而为空"),
    ("not a number: too long", "不是数字，太长"),
    ("not a number: the commas do not part thousands", "不是数字，逗号不在千位上"),
    ("not a number", "不是数字"),
    ("absurd size: more than sixteen digits", "数字大得离谱，超过十六位"),
    ("more than {} digits after the point", "小数超过 {} 位"),
    ("not a flag: wanted 0, 1, {}", "不是标志，应为 0、1、是、否、Y、N、true 或 false"),
    ("not a day or time: wanted {}", "不是日期或时间，应如 2024-01-05、2024/1/5、20240105，后面可带 08:00:00"),
    ("not a day: neither 20240105 nor {}", "不是日期，既不是 20240105，也不是表格软件的日期序号"),
    ("not a day", "不是日期"),
    ("no such time of day", "没有这个时刻"),
    ("no such day in the calendar", "日历上没有这一天"),
    ("year outside {} to {}", "年份不在 {} 至 {} 之间"),
    ("identifier turned into a float by a spreadsheet, unrecoverable", "编号被表格软件改成了科学计数法，无法还原"),
    ("a line break or tab in an identifier", "编号里有换行或制表符"),
    ("a NUL or control character in the cell", "单元格里有控制字符"),
    ("more than {} characters in one cell", "一个单元格超过 {} 个字"),
    ("found {} cells, wanted {}", "这一行有 {} 格，应有 {} 格"),
    ("a record of more than 1 MB", "一行超过 1 MB"),
    ("undecodable bytes: UTF-8 in a file of GB18030", "文字无法解码，GB18030 文件里混有 UTF-8"),
    ("undecodable bytes", "文字无法解码"),
    ("unclosed quote", "引号没有成对"),
    ("NUL bytes in the row", "行内有空字节"),
    ("a cell in column {}; at most {} columns are read", "第 {} 列还有内容，最多读 {} 列"),
    ("the mapping has no value for it and no default", "映射文件没有给出对应的值，也没有默认值"),
    ("`{}` of the mapping fails: {}", "映射文件里的 `{}` 算不出来：{}"),
    ("no encounter with this mdtrt_id", "找不到这个就诊ID 的就诊记录"),
    ("psn_no differs from its encounter's", "人员编号与就诊记录不一致"),
    ("several rows with this {}, and they differ", "{}相同的几行，内容不一致"),
];

/// Rows that are no claims; they are counted like the others.
const NO_CLAIMS: [(&str, &str); 2] = [("totals row", "合计行"), ("repeated header", "重复的表头")];

/// Reasons of the engine and the audit.
const ENGLISH: [(&str, &str); 7] = [
    ("无法计算", "cannot be computed"),
    ("规则未能运行：{}", "the rule could not be run: {}"),
    ("规则自 {} 起施行", "the rule applies from {} on"),
    ("规则施行至 {}", "the rule applied until {}"),
    ("未配对的冲销", "reversals without the charge they take back"),
    ("没有本规则所说的单元", "nothing that the rule speaks of"),
    ("未说明原因", "no reason given"),
];

/// What the engine adds to the name of what is missing, in English.
const DETAILS: [(&str, &str); 8] = [
    ("回溯期早于数据起始日", "looks back to before the data begin"),
    ("med_type 缺失，或不在就医场景表中", "no med_type, or one that is not among the care settings"),
    ("没有 prd_days，包装、剂量、频次也推算不出", "no prd_days, and pack, dose and frequency do not tell"),
    ("缺失、不明，或两处不一致", "missing, unclear, or two that differ"),
    ("缺失，或两处不一致", "missing, or two that differ"),
    ("出生日期缺失、不可能，或两处不一致", "birthday missing, impossible, or two that differ"),
    ("hosp_lv 缺失或不在字典中", "hosp_lv missing or not in the dictionary"),
    ("参保地与机构区划都没有", "neither the person's region nor the facility's"),
];

/// Why rows were set aside.
pub(super) fn set_aside(reason: &str, lang: Lang) -> String {
    if lang == Lang::En {
        return reason.to_owned();
    }
    SET_ASIDE
        .iter()
        .chain(&NO_CLAIMS)
        .find_map(|(english, chinese)| {
            let holes: Vec<String> = holes(english, reason)?.into_iter().map(columns).collect();
            Some(filled(chinese, &holes.iter().map(String::as_str).collect::<Vec<_>>()))
        })
        .unwrap_or_else(|| reason.to_owned())
}

/// `mdtrt_id+feedetl_sn` → `就诊ID、费用明细流水号`; what is no list of columns stays.
fn columns(names: &str) -> String {
    let words: Option<Vec<String>> = names.split('+').map(label).collect();
    words.map_or(names.to_owned(), |words| words.join("、"))
}

/// Why units were not evaluated.
pub(super) fn unanswered(reason: &str, lang: Lang) -> String {
    if let Some(names) = reason.strip_prefix("缺少 ") {
        let names = apart(names).into_iter().map(|name| missing(name, lang));
        return match lang {
            Lang::Zh => format!("缺少{}", names.collect::<Vec<_>>().join("、")),
            Lang::En => format!("missing {}", names.collect::<Vec<_>>().join(", ")),
        };
    }
    if lang == Lang::Zh {
        return reason.to_owned();
    }
    ENGLISH
        .iter()
        .find_map(|(chinese, english)| Some(filled(english, &holes(chinese, reason)?)))
        .unwrap_or_else(|| reason.to_owned())
}

/// `gend（缺失、不明，或两处不一致）` → `性别 gend（缺失、不明，或两处不一致）`.
fn missing(name: &str, lang: Lang) -> String {
    let (name, detail) =
        name.split_once('（').map_or((name, None), |(name, detail)| (name, Some(detail.trim_end_matches('）'))));
    match lang {
        Lang::Zh => {
            let words = record(name.strip_suffix(".found").unwrap_or(name)).or_else(|| label(name));
            let words = words.map_or(format!(" {name}"), |words| format!("{words} {name}"));
            detail.map_or(words.clone(), |detail| format!("{words}（{detail}）"))
        }
        Lang::En => detail.map_or(name.to_owned(), |detail| {
            let english = DETAILS.iter().find(|(chinese, _)| *chinese == detail).map_or(detail, |(_, english)| english);
            format!("{name} ({english})")
        }),
    }
}

/// Parts between `、` that are not inside brackets.
fn apart(names: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in names.char_indices() {
        match c {
            '（' => depth += 1,
            '）' => depth = depth.saturating_sub(1),
            '、' if depth == 0 => {
                parts.push(&names[from..at]);
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&names[from..]);
    parts
}

/// What stands in the holes of a pattern, if the text is of that pattern.
fn holes<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut pieces = pattern.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut found = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let at = if pieces.peek().is_none() { rest.strip_suffix(piece)?.len() } else { rest.find(piece)? };
        found.push(&rest[..at]);
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty().then_some(found)
}

fn filled(pattern: &str, holes: &[&str]) -> String {
    let mut holes = holes.iter();
    let mut pieces = pattern.split("{}");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(holes.next().unwrap_or(&""));
        text.push_str(piece);
    }
    text
}
