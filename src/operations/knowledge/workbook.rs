//! A workbook of knowledge points as entries: which column means what, which row is a point, which codes belong to it.
//!
//! The workbooks come in several hands' layouts: one sheet a service, two sheets (points, codes) for drugs, with titles above
//! and remarks below. So the header is found, and a column is known by what its heading means. Goes in: sheets of text. Comes
//! out: [`Entry`]s, and for every row that is none of them what it is instead: rows in a sheet = above + remarks + entries +
//! unread. Not known here: which knowledge table it is for.
//!
//! To know another heading: a line in [`meaning`].

use std::collections::BTreeMap;

use crate::ingest::Sheet;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meaning {
    /// Number of the point (序号 of a sheet of points).
    Number,
    /// Number of the point that a code belongs to.
    PointNumber,
    Name,
    Code,
    NameB,
    CodeB,
    /// 单日, 单次就诊: the time in which both sides of a pair count.
    Window,
    /// Days of a cycle.
    Days,
    /// The limit itself: a sex, a level, a number, a setting.
    Limit,
    /// Unit of the limit.
    Unit,
    /// Whether only the first prescription is limited.
    First,
    /// Item codes of the first line, or the code of a disease.
    Other(&'static str),
    /// What kind of limit the row is of.
    Kind,
    Logic,
    /// Law, catalogue remark, leaflet.
    Ground,
    Remark,
    /// How many codes the point has.
    Count,
}

/// The meaning of a heading.
pub(super) fn meaning(heading: &str) -> Option<Meaning> {
    let h: String = heading
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            '（' => '(',
            '）' => ')',
            'Ａ' => 'A',
            'Ｂ' => 'B',
            c => c.to_ascii_uppercase(),
        })
        .collect();
    let has = |words: &[&str]| words.iter().any(|w| h.contains(w));
    let code = has(&["代码", "编码", "国标码"]);
    let side_b = has(&["项目B", "从项", "B项", "被包含"]);
    Some(match () {
        () if h.is_empty() || h.chars().count() > 40 => return None,
        () if has(&["对应知识点序号", "知识点序号", "对应序号"]) => Meaning::PointNumber,
        () if has(&["代码数量", "编码数量"]) => Meaning::Count,
        () if code && has(&["一线"]) => Meaning::Other("first_line"),
        () if code && has(&["病种"]) => Meaning::Other("dise_no"),
        () if code && side_b => Meaning::CodeB,
        () if code => Meaning::Code,
        () if has(&["名称", "通用名"]) && side_b => Meaning::NameB,
        () if has(&["名称", "通用名"]) => Meaning::Name,
        () if matches!(h.as_str(), "序号" | "编号" | "NO" | "NO.") => Meaning::Number,
        () if has(&["时间区间", "频度", "时间窗"]) => Meaning::Window,
        () if has(&["限定类型", "规则名称", "规则类型"]) => Meaning::Kind,
        () if has(&["检出逻辑"]) => Meaning::Logic,
        () if has(&["依据", "说明", "内涵"]) => Meaning::Ground,
        () if h.contains("备注") => Meaning::Remark,
        () if has(&["首次处方"]) => Meaning::First,
        () if has(&["单位"]) => Meaning::Unit,
        () if h.contains("周期") => Meaning::Days,
        () if has(&[
            "限定",
            "限制",
            "上限",
            "疗程",
            "天数",
            "年龄",
            "就医方式",
            "对象",
            "值域",
            "级别",
            "等级",
            "性别",
            "险种",
        ]) =>
        {
            Meaning::Limit
        }
        () => return None,
    })
}

/// Cells of a row by meaning.
#[derive(Debug, Clone, Default)]
pub(super) struct Cells(BTreeMap<Meaning, String>);

impl Cells {
    pub(super) fn get(&self, meaning: Meaning) -> &str {
        self.0.get(&meaning).map_or("", String::as_str)
    }

    /// These cells; what is empty here is taken from the other row.
    fn over(&self, other: &Cells) -> Cells {
        let mut cells = other.clone();
        cells.0.extend(self.0.iter().filter(|(_, v)| !v.is_empty()).map(|(m, v)| (*m, v.clone())));
        cells
    }
}

/// A place in the workbook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    pub sheet: String,
    /// 1-based, as a spreadsheet shows it.
    pub row: u64,
}

/// A row that could not be taken, with what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub at: At,
    pub why: String,
    /// The row's cells.
    pub text: String,
}

/// A sheet and what its rows came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetRows {
    pub name: String,
    /// Rows that are not blank.
    pub rows: usize,
    /// Titles and header.
    pub above: usize,
    /// Sums and remarks.
    pub remarks: usize,
    pub read: usize,
    pub unread: usize,
}

/// A point with a row of codes.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub at: At,
    pub cells: Cells,
    pub text: String,
    /// The row of the point, where codes stand on a sheet of their own.
    pub point: Option<At>,
}

/// What a workbook holds.
#[derive(Debug, Default)]
pub(super) struct Workbook {
    pub sheets: Vec<SheetRows>,
    /// Rows with a code.
    pub entries: Vec<Entry>,
    /// Points of sheets of their own; their codes are among the entries.
    pub points: Vec<Entry>,
    pub unread: Vec<Unread>,
    /// Sums and remarks, as they stand.
    pub remarks: Vec<(At, String)>,
    pub headings: Vec<String>,
    /// Names of sheets and what stands above the headers.
    pub titles: Vec<String>,
    pub notes: Vec<String>,
}

/// One sheet with its header found.
struct Table {
    columns: Vec<Option<Meaning>>,
    rows: Vec<Entry>,
}

impl Table {
    fn has(&self, meaning: Meaning) -> bool {
        self.columns.contains(&Some(meaning))
    }
}

impl Workbook {
    pub(super) fn of(sheets: &[Sheet]) -> Workbook {
        let mut book = Workbook::default();
        let tables: Vec<Table> = sheets.iter().filter(|s| !s.rows.is_empty()).filter_map(|s| book.table(s)).collect();
        let (codes, points): (Vec<Table>, Vec<Table>) = tables.into_iter().partition(|t| t.has(Meaning::Code));
        for table in codes {
            if points.is_empty() || (table.has(Meaning::Limit) && !table.has(Meaning::PointNumber)) {
                book.entries.extend(table.rows);
            } else {
                book.join(&points, table);
            }
        }
        book.points = points.into_iter().flat_map(|t| t.rows).collect();
        book
    }

    /// Finds the header of a sheet and reads what is below it.
    fn table(&mut self, sheet: &Sheet) -> Option<Table> {
        let mut counts = SheetRows { name: sheet.name.clone(), rows: sheet.rows.len(), ..SheetRows::default() };
        self.titles.push(sheet.name.clone());
        let header = sheet.rows.iter().take(20).position(|(_, cells)| {
            let known: Vec<Meaning> = cells.iter().filter_map(|c| meaning(c)).collect();
            known.len() > 1 && known.iter().any(|m| matches!(m, Meaning::Code | Meaning::Name))
        });
        let at = |row: u64| At { sheet: sheet.name.clone(), row };
        let Some(header) = header else {
            for (number, cells) in &sheet.rows {
                let text = joined(cells);
                if cells.iter().filter(|c| !c.is_empty()).count() > 1 {
                    let why = "no header with a code or a name was understood above it".to_owned();
                    self.unread.push(Unread { at: at(*number), why, text });
                    counts.unread += 1;
                } else {
                    self.remarks.push((at(*number), text));
                    counts.remarks += 1;
                }
            }
            self.sheets.push(counts);
            return None;
        };
        counts.above = header + 1;
        self.titles.extend(sheet.rows[..header].iter().map(|(_, cells)| joined(cells)));
        let headings = &sheet.rows[header].1;
        self.headings.extend(headings.iter().cloned());
        let columns: Vec<Option<Meaning>> = headings.iter().map(|h| meaning(h)).collect();
        let mut table = Table { columns, rows: Vec::new() };
        let with_code = table.has(Meaning::Code);
        for (number, cells) in &sheet.rows[header + 1..] {
            let text = joined(cells);
            let mut found = Cells::default();
            for (meaning, cell) in table.columns.iter().zip(cells).filter(|(_, c)| !c.is_empty()) {
                let Some(meaning) = *meaning else { continue };
                let known = found.0.entry(meaning).or_default();
                if known.is_empty() {
                    known.clone_from(cell);
                } else if !matches!(meaning, Meaning::Code | Meaning::CodeB | Meaning::Name | Meaning::Number) {
                    known.push('；');
                    known.push_str(cell);
                }
            }
            let first = cells.iter().find(|c| !c.is_empty()).map_or("", String::as_str);
            let remark = ["合计", "总计", "小计", "备注", "注：", "注:", "说明"].iter().any(|w| first.starts_with(w));
            let named = !found.get(Meaning::Name).is_empty() || !found.get(Meaning::Code).is_empty();
            if cells == headings
                || (found.get(Meaning::Code).is_empty()
                    && (remark || (!named && cells.iter().filter(|c| !c.is_empty()).count() == 1)))
            {
                self.remarks.push((at(*number), text));
                counts.remarks += 1;
            } else if with_code && found.get(Meaning::Code).is_empty() {
                self.unread.push(Unread { at: at(*number), why: "the row has no code".to_owned(), text });
                counts.unread += 1;
            } else {
                table.rows.push(Entry { at: at(*number), cells: found, text, point: None });
                counts.read += 1;
            }
        }
        self.sheets.push(counts);
        Some(table)
    }

    /// Gives each row of codes its point: by the point's number where the sheet has it, by name otherwise.
    fn join(&mut self, points: &[Table], codes: Table) {
        let numbered = codes.has(Meaning::PointNumber);
        let by = if numbered { (Meaning::PointNumber, Meaning::Number) } else { (Meaning::Name, Meaning::Name) };
        let mut known: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for point in points.iter().flat_map(|t| &t.rows) {
            known.entry(point.cells.get(by.1)).or_default().push(point);
        }
        for mut entry in codes.rows {
            let wanted = entry.cells.get(by.0);
            let why = match known.get(wanted).map(Vec::as_slice) {
                _ if wanted.is_empty() => "the row does not say which point its code belongs to".to_owned(),
                None => format!("no point is called `{wanted}`"),
                Some([point]) => {
                    let (own, its) = (entry.cells.get(Meaning::Name), point.cells.get(Meaning::Name));
                    if own.is_empty() || its.is_empty() || own == its {
                        entry.point = Some(point.at.clone());
                        entry.cells = entry.cells.over(&point.cells);
                        self.entries.push(entry);
                        continue;
                    }
                    format!("the point {wanted} is `{its}`, and this row says `{own}`")
                }
                Some(several) => format!("{} points are called `{wanted}`", several.len()),
            };
            self.refuse(entry.at, why, entry.text);
        }
    }

    /// Moves a row from the read ones to the unread ones, once.
    pub(super) fn refuse(&mut self, at: At, why: String, text: String) {
        if !self.unread.iter().any(|u| u.at == at)
            && let Some(counts) = self.sheets.iter_mut().find(|s| s.name == at.sheet)
        {
            counts.read -= 1;
            counts.unread += 1;
        }
        self.unread.push(Unread { at, why, text });
    }
}

fn joined(cells: &[String]) -> String {
    let cells: Vec<&str> = cells.iter().map(String::as_str).filter(|c| !c.is_empty()).collect();
    cells.join(" · ").chars().take(200).collect()
}
