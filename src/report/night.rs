//! The morning report: what a night found, for those who come in at eight.
//!
//! Goes in: a [`Night`], filled by who knows the store. Comes out: `night.html` (one page that needs nothing but itself, made as
//! `report.html` is), `night.xlsx` and `night.json`. Persons are masked in all three. But for the time that the night took,
//! which is in `night.json` alone, the same night gives the same bytes. Deliberately unknown here: stores, files of claims.
//!
//! To add a section: a function below and a line in [`SECTIONS`].

use std::io;
use std::path::Path;

use rust_decimal::Decimal;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, Worksheet, XlsxError};
use serde::{Deserialize, Serialize};

use super::columns::civil;
use super::html::{self, numbers, row, table};
use super::markup::Markup;
use super::reasons::{set_aside, unanswered};
use super::shown::{count, money};
use super::xlsx::{self, Style};
use super::{Lang, masked};
use crate::findings::Finding;

/// Findings that are shown one by one on the page.
const SHOWN: usize = 100;

/// What a night found, and in what.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Night {
    pub scan_id: String,
    pub started_at: String,
    /// `YYYY-MM-DD`.
    pub as_of: String,
    pub region: String,
    pub program_version: String,
    pub rule_set_hash: String,
    /// About how many persons the rules were asked; none: about everybody.
    pub persons: Option<u64>,
    pub counts: Counts,
    /// What is open in the store by now, found by the last scan that looked.
    pub standing: Group,
    /// Whose term for an appeal had passed.
    pub assent: Assent,
    /// New findings by rule, and by facility.
    pub by_rule: Vec<Group>,
    pub by_facility: Vec<Group>,
    /// The new ones, most money first, with the name of the facility.
    pub newest: Vec<New>,
    /// Facilities that sent nothing or less than usual first.
    pub facilities: Vec<FacilityNews>,
    pub files: Vec<File>,
    pub rows: Vec<Rows>,
    /// Rows that had been set aside because of their encounter and are audited now.
    pub woken: u64,
    pub quarantined: Vec<Quarantined>,
    /// What the rules could not answer: rule, why, units.
    pub unanswered: Vec<(String, String, u64)>,
    /// Units that were answered, hit or clean.
    pub evaluated: u64,
    /// Parameters that nobody verified for a year, and findings of this night that rest on them.
    pub stale: Vec<(String, u64)>,
    pub stale_findings: u64,
    /// Exemptions that have ended.
    pub expired: Vec<String>,
    /// Wall time, and that of the nights before; in `night.json` alone.
    pub took_ms: u64,
    pub usually_ms: Option<u64>,
}

/// What a scan said about facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub new: u64,
    pub changed: u64,
    pub seen_again: u64,
    pub no_longer_found: u64,
    pub unchanged: u64,
}

/// Findings whose facility let the term for an appeal pass: its silence counts as assent (逾期视为认可).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assent {
    /// Those that moved on.
    pub findings: u64,
    /// Those that did not, and why; the next night tries again.
    pub held: Vec<Held>,
}

/// Findings that stay where they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub why: String,
    pub findings: u64,
}

/// Findings added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    pub key: String,
    pub title: String,
    pub findings: u64,
    /// Each yuan once.
    pub allocated: Decimal,
}

/// A new finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct New {
    pub finding_id: String,
    pub rule_code: String,
    pub rule_title: String,
    pub result: String,
    pub severity: String,
    pub fixmedins_code: String,
    pub facility: String,
    /// Masked.
    pub psn_no: String,
    pub from_day: String,
    pub allocated: Decimal,
    pub message: String,
}

impl New {
    /// A finding as it may be shown.
    #[must_use]
    pub fn of(finding: &Finding, facility: Option<&str>) -> New {
        let shown = masked(finding);
        New {
            finding_id: shown.finding_id,
            rule_code: shown.rule_code,
            rule_title: shown.rule_title,
            result: shown.result,
            severity: shown.severity,
            fixmedins_code: shown.fixmedins_code.unwrap_or_default(),
            facility: facility.unwrap_or_default().to_owned(),
            psn_no: shown.psn_no.unwrap_or_default(),
            from_day: shown.from_day.unwrap_or_default(),
            allocated: shown.allocated,
            message: shown.message,
        }
    }
}

/// How a facility's night compares with its other nights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sending {
    /// Nothing, where something is usual.
    Nothing,
    /// Less than half of the usual.
    Less,
    /// It has never sent anything.
    Never,
    #[default]
    Usual,
    /// There are too few nights to tell.
    Unknown,
}

impl Sending {
    fn title(self) -> &'static str {
        match self {
            Sending::Nothing => "未报送",
            Sending::Less => "少于平常",
            Sending::Never => "从未报送",
            Sending::Usual => "正常",
            Sending::Unknown => "时间尚短",
        }
    }
}

/// What a facility sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FacilityNews {
    pub fixmedins_code: String,
    pub name: String,
    pub sending: Sending,
    /// Fee lines of this night.
    pub lines: u64,
    /// Of a night, usually.
    pub usual: Option<u64>,
    /// The last day of service among all that it sent, `YYYY-MM-DD`.
    pub last_day: Option<String>,
}

/// A file of the drop folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct File {
    pub name: String,
    pub bytes: u64,
    pub rows: u64,
    /// Why it was not taken; none: it was.
    pub reason: Option<String>,
}

/// Rows of a table that came in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    pub table: String,
    pub read: u64,
    pub quarantined: u64,
    pub duplicates: u64,
    pub replaced: u64,
}

/// Rows set aside, by file and reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    pub file: String,
    pub reason: String,
    pub rows: u64,
}

/// Writes the three files into a folder.
///
/// # Errors
/// The disk, or the workbook's writer.
pub fn write(night: &Night, into: &Path) -> io::Result<()> {
    std::fs::write(into.join("night.html"), page(night))?;
    workbook(night, &into.join("night.xlsx")).map_err(|e| match e {
        XlsxError::IoError(error) => error,
        other => io::Error::other(other),
    })?;
    let mut json = serde_json::to_vec_pretty(night)?;
    json.push(b'\n');
    std::fs::write(into.join("night.json"), json)
}

type Section = (&'static str, &'static str, fn(&Night, &mut Markup));

/// The sections in order: anchor, heading, body.
const SECTIONS: [Section; 6] = [
    ("overview", "昨夜", overview),
    ("rules", "新增疑点：按规则与机构", groups),
    ("newest", "新增疑点：逐条", newest),
    ("facilities", "机构报送", facilities),
    ("input", "收到的数据", input),
    ("coverage", "评估范围与参数", coverage),
];

fn page(night: &Night) -> String {
    let title = format!("夜间扫描晨报 {}", night.started_at.get(..10).unwrap_or_default());
    html::document(&title, |page| {
        page.element("header", &[], |page| {
            page.leaf("p", &[("class", "kicker")], "基金智审　医疗保障基金使用审核");
            page.leaf("h1", &[], &title);
            let hash: String = night.rule_set_hash.chars().take(16).collect();
            page.element("dl", &[("class", "meta")], |page| {
                for (name, value) in [
                    ("扫描", &night.scan_id),
                    ("开始", &night.started_at.replace('T', " ")),
                    ("截至日", &night.as_of),
                    ("区域", &night.region),
                    ("规则集", &hash),
                    ("程序", &night.program_version),
                ] {
                    if !value.is_empty() {
                        page.element("div", &[], |page| {
                            page.leaf("dt", &[], name);
                            page.leaf("dd", &[], value);
                        });
                    }
                }
            });
            page.element("nav", &[("aria-label", "目录")], |page| {
                for (anchor, heading, _) in SECTIONS {
                    page.leaf("a", &[("href", &format!("#{anchor}"))], heading);
                }
            });
        });
        page.element("main", &[], |page| {
            for (anchor, heading, body) in SECTIONS {
                page.line();
                page.element("section", &[("id", anchor)], |page| {
                    page.leaf("h2", &[], heading);
                    body(night, page);
                });
            }
        });
        page.line();
        page.element("footer", &[], |page| {
            page.leaf("p", &[], "人员编号已遮盖，姓名与证件号码不在本页。疑点是需要有人回答的事实，不是处理决定。");
            page.leaf("p", &[], "本次用时与以往的比较，在 night.json 中。");
        });
    })
}

fn overview(night: &Night, page: &mut Markup) {
    let new: Decimal = night.by_rule.iter().map(|group| group.allocated).sum();
    let counts = &night.counts;
    let (aside, less) = (night.files.iter().filter(|f| f.reason.is_some()).count(), quiet(night));
    page.element("div", &[("class", "figures")], |page| {
        let mut figure = |class: &'static str, name: &str, value: &str, note: &str| {
            page.element("div", &[("class", class)], |page| {
                page.leaf("p", &[("class", "name")], name);
                page.leaf("p", &[("class", "value")], value);
                page.leaf("p", &[("class", "note")], note);
            });
        };
        figure("figure main", "新增计入金额（元）", &money(new), "同一笔钱只计一次");
        let again = format!("再次发现 {}，有变化 {}", count(counts.seen_again), count(counts.changed));
        figure("figure", "新增疑点（条）", &count(counts.new), &again);
        figure("figure", "不再发现（条）", &count(counts.no_longer_found), "已更正、已退费，不删除");
        let standing = format!("计入 {} 元", money(night.standing.allocated));
        figure("figure", "现存疑点（条）", &count(night.standing.findings), &standing);
        figure("figure", "报送异常机构（家）", &count(less), "未报送或少于平常");
    });
    assent(night, page);
    let whom = night.persons.map_or("全部参保人".to_owned(), |persons| format!("{} 名参保人", count(persons)));
    let rows: u64 = night.rows.iter().map(|rows| rows.read).sum();
    let quarantined: u64 = night.rows.iter().map(|rows| rows.quarantined).sum();
    let files = night.files.len() - aside;
    page.leaf(
        "p",
        &[("class", "lead")],
        &format!(
            "收到 {} 个文件、{} 行，其中隔离 {} 行；对{whom}运行了规则。{}",
            count(files as u64),
            count(rows),
            count(quarantined),
            if aside > 0 {
                format!("另有 {} 个文件未能读取，见“收到的数据”。", count(aside as u64))
            } else {
                String::new()
            },
        ),
    );
}

/// What became of those whose time for an appeal was over.
fn assent(night: &Night, page: &mut Markup) {
    if night.assent.findings > 0 {
        let moved = count(night.assent.findings);
        page.leaf("p", &[], &format!("申诉期满没有申诉、视为认可的疑点 {moved} 条，已转入“已认定待处理”。"));
    }
    for held in &night.assent.held {
        let text = format!("另有 {} 条申诉期已满，没有办成：{}。下一夜再办。", count(held.findings), held.why);
        page.leaf("p", &[("class", "note")], &text);
    }
}

fn quiet(night: &Night) -> u64 {
    night.facilities.iter().filter(|f| matches!(f.sending, Sending::Nothing | Sending::Less)).count() as u64
}

fn groups(night: &Night, page: &mut Markup) {
    if night.by_rule.is_empty() {
        page.leaf("p", &[], "没有新增疑点。");
        return;
    }
    for (heading, head, groups) in
        [("按规则", ["规则", "名称"], &night.by_rule), ("按机构", ["机构", "名称"], &night.by_facility)]
    {
        page.leaf("h3", &[], heading);
        table(page, &[head[0], head[1], "#新增疑点", "#计入金额（元）"], |page| {
            for group in groups {
                row(page, |page| {
                    let key = if group.key.is_empty() { "（无机构）" } else { &group.key };
                    page.leaf("th", &[("scope", "row")], key);
                    page.leaf("td", &[], &group.title);
                    numbers(page, &[count(group.findings), money(group.allocated)]);
                });
            }
        });
    }
}

fn newest(night: &Night, page: &mut Markup) {
    if night.newest.is_empty() {
        page.leaf("p", &[], "没有新增疑点。");
        return;
    }
    table(page, &["规则", "结论", "机构", "参保人", "日期", "#计入金额（元）", "说明"], |page| {
        for new in night.newest.iter().take(SHOWN) {
            row(page, |page| {
                page.element("th", &[("scope", "row")], |page| {
                    page.text(&new.rule_code);
                    page.leaf("span", &[("class", "under")], &new.rule_title);
                });
                page.leaf("td", &[], &new.result);
                page.leaf("td", &[], if new.facility.is_empty() { &new.fixmedins_code } else { &new.facility });
                page.leaf("td", &[], &new.psn_no);
                page.leaf("td", &[], &new.from_day);
                numbers(page, &[money(new.allocated)]);
                page.leaf("td", &[], &new.message);
            });
        }
    });
    let hidden = night.newest.len().saturating_sub(SHOWN);
    if hidden > 0 {
        page.leaf("p", &[("class", "note")], &format!("另有 {} 条未列出，见 night.xlsx。", count(hidden as u64)));
    }
}

fn facilities(night: &Night, page: &mut Markup) {
    page.leaf(
        "p",
        &[],
        "“平常”是该机构此前最近 28 次扫描中（同一星期几足够时只取同一天）每次费用明细行数的中位数；不足一半为“少于平常”。",
    );
    table(page, &["机构", "名称", "报送", "#本次明细行", "#平常", "最近服务日"], |page| {
        for facility in &night.facilities {
            row(page, |page| {
                page.leaf("th", &[("scope", "row")], &facility.fixmedins_code);
                page.leaf("td", &[], &facility.name);
                let marked = matches!(facility.sending, Sending::Nothing | Sending::Less);
                let class = if marked { "level high" } else { "level" };
                page.element("td", &[], |page| page.leaf("span", &[("class", class)], facility.sending.title()));
                numbers(page, &[count(facility.lines), facility.usual.map_or("—".to_owned(), count)]);
                page.leaf("td", &[], facility.last_day.as_deref().unwrap_or("—"));
            });
        }
    });
}

fn input(night: &Night, page: &mut Markup) {
    if night.files.is_empty() {
        page.leaf("p", &[], "没有收到新文件。");
    } else {
        table(page, &["文件", "#大小（字节）", "#行数", "结果"], |page| {
            for file in &night.files {
                row(page, |page| {
                    page.leaf("th", &[("scope", "row")], &file.name);
                    numbers(page, &[count(file.bytes), count(file.rows)]);
                    page.leaf(
                        "td",
                        &[],
                        &file.reason.as_ref().map_or("已入库".to_owned(), |why| format!("搁置：{why}")),
                    );
                });
            }
        });
    }
    if !night.rows.is_empty() {
        page.leaf("h3", &[], "行");
        table(page, &["数据表", "#读入", "#隔离", "#重复", "#更正"], |page| {
            for rows in &night.rows {
                row(page, |page| {
                    page.leaf("th", &[("scope", "row")], &rows.table);
                    numbers(page, &[rows.read, rows.quarantined, rows.duplicates, rows.replaced].map(count));
                });
            }
        });
    }
    if night.woken > 0 {
        let text = format!("此前因就诊未到而隔离的 {} 行，本次已找到就诊并入库。", count(night.woken));
        page.leaf("p", &[], &text);
    }
    if !night.quarantined.is_empty() {
        page.leaf("h3", &[], "隔离的行");
        table(page, &["文件", "原因", "#行数"], |page| {
            for set in &night.quarantined {
                row(page, |page| {
                    page.leaf("th", &[("scope", "row")], &set.file);
                    page.leaf("td", &[], &set_aside(&set.reason, Lang::Zh));
                    numbers(page, &[count(set.rows)]);
                });
            }
        });
    }
}

fn coverage(night: &Night, page: &mut Markup) {
    let without: u64 = night.unanswered.iter().map(|(_, _, units)| units).sum();
    page.leaf(
        "p",
        &[],
        &format!("本次评估 {} 次，未评估 {} 次（没有结论，不等于没有问题）。", count(night.evaluated), count(without)),
    );
    if !night.unanswered.is_empty() {
        table(page, &["规则", "原因", "#未评估"], |page| {
            for (rule, why, units) in night.unanswered.iter().take(SHOWN) {
                row(page, |page| {
                    page.leaf("th", &[("scope", "row")], rule);
                    page.leaf("td", &[], &unanswered(why, Lang::Zh));
                    numbers(page, &[count(*units)]);
                });
            }
        });
    }
    if !night.stale.is_empty() {
        page.leaf("h3", &[], "一年以上无人核对的参数");
        page.leaf("p", &[], &format!("本次评估到的疑点中有 {} 条以它们为依据。", count(night.stale_findings)));
        table(page, &["参数", "#疑点"], |page| {
            for (name, findings) in &night.stale {
                row(page, |page| {
                    page.leaf("th", &[("scope", "row")], name);
                    numbers(page, &[count(*findings)]);
                });
            }
        });
    }
    if !night.expired.is_empty() {
        page.leaf("h3", &[], "已到期的豁免");
        page.leaf("p", &[], &night.expired.join("、"));
    }
}

fn workbook(night: &Night, to: &Path) -> Result<(), XlsxError> {
    let mut book = Workbook::new();
    let (year, month, day) = night.started_at.get(..10).and_then(civil).unwrap_or((2000, 1, 1));
    let created = ExcelDateTime::from_ymd(u16::try_from(year).unwrap_or(2000), month, day)?;
    let program = format!("fundaudit {}", night.program_version);
    book.set_properties(
        &DocProperties::new().set_title("夜间扫描晨报").set_author(&program).set_creation_datetime(&created),
    );
    let style = Style::new();
    sheet(
        &mut book,
        &style,
        "新增疑点",
        &[
            ("规则", 10.0),
            ("名称", 28.0),
            ("结论", 10.0),
            ("机构编码", 16.0),
            ("机构", 28.0),
            ("参保人", 14.0),
            ("日期", 12.0),
            ("计入金额", 14.0),
            ("说明", 80.0),
            ("疑点编号", 36.0),
        ],
        night.newest.iter().map(|n| {
            vec![
                Cell::Text(&n.rule_code),
                Cell::Text(&n.rule_title),
                Cell::Text(&n.result),
                Cell::Text(&n.fixmedins_code),
                Cell::Text(&n.facility),
                Cell::Text(&n.psn_no),
                Cell::Text(&n.from_day),
                Cell::Money(n.allocated),
                Cell::Text(&n.message),
                Cell::Text(&n.finding_id),
            ]
        }),
    )?;
    for (name, groups) in [("按规则", &night.by_rule), ("按机构", &night.by_facility)] {
        let heads = [("编码", 16.0), ("名称", 36.0), ("新增疑点", 12.0), ("计入金额", 16.0)];
        sheet(
            &mut book,
            &style,
            name,
            &heads,
            groups.iter().map(|g| {
                vec![Cell::Text(&g.key), Cell::Text(&g.title), Cell::Count(g.findings), Cell::Money(g.allocated)]
            }),
        )?;
    }
    let heads = [
        ("机构编码", 16.0),
        ("名称", 36.0),
        ("报送", 12.0),
        ("本次明细行", 12.0),
        ("平常", 12.0),
        ("最近服务日", 14.0),
    ];
    sheet(
        &mut book,
        &style,
        "机构报送",
        &heads,
        night.facilities.iter().map(|f| {
            vec![
                Cell::Text(&f.fixmedins_code),
                Cell::Text(&f.name),
                Cell::Text(f.sending.title()),
                Cell::Count(f.lines),
                f.usual.map_or(Cell::Text("—"), Cell::Count),
                Cell::Text(f.last_day.as_deref().unwrap_or("—")),
            ]
        }),
    )?;
    let heads = [("文件", 48.0), ("字节", 14.0), ("行数", 12.0), ("搁置的原因", 80.0)];
    sheet(
        &mut book,
        &style,
        "文件",
        &heads,
        night.files.iter().map(|f| {
            vec![
                Cell::Text(&f.name),
                Cell::Count(f.bytes),
                Cell::Count(f.rows),
                Cell::Text(f.reason.as_deref().unwrap_or_default()),
            ]
        }),
    )?;
    in_all(night, &mut book, &style)?;
    book.save(to)
}

/// What the scan said, and what silence came to, in numbers.
fn in_all(night: &Night, book: &mut Workbook, style: &Style) -> Result<(), XlsxError> {
    let counts = &night.counts;
    let mut rows = vec![
        vec![Cell::Text("新增"), Cell::Count(counts.new)],
        vec![Cell::Text("有变化"), Cell::Count(counts.changed)],
        vec![Cell::Text("再次发现"), Cell::Count(counts.seen_again)],
        vec![Cell::Text("不再发现"), Cell::Count(counts.no_longer_found)],
        vec![Cell::Text("未变"), Cell::Count(counts.unchanged)],
        vec![Cell::Text("逾期视为认可"), Cell::Count(night.assent.findings)],
    ];
    let held = night.assent.held.iter();
    rows.extend(
        held.map(|held| vec![Cell::Text("申诉期满、没有办成"), Cell::Count(held.findings), Cell::Text(&held.why)]),
    );
    let heads = [("疑点", 24.0), ("条数", 12.0), ("原因", 80.0)];
    sheet(book, style, "概况", &heads, rows.into_iter())
}

enum Cell<'a> {
    Text(&'a str),
    Count(u64),
    Money(Decimal),
}

/// A sheet with a head row; rows beyond what a sheet holds are left to `night.json`.
fn sheet<'a>(
    book: &mut Workbook,
    style: &Style,
    name: &str,
    heads: &[(&str, f64)],
    rows: impl Iterator<Item = Vec<Cell<'a>>>,
) -> Result<(), XlsxError> {
    let sheet: &mut Worksheet = book.add_worksheet();
    sheet.set_name(name)?.set_freeze_panes(1, 0)?;
    for (column, (head, width)) in (0_u16..).zip(heads) {
        sheet.set_column_width(column, *width)?;
        xlsx::text(sheet, 0, column, head, &style.head)?;
    }
    for (line, cells) in (1_u32..xlsx::EXCEL_ROWS).zip(rows) {
        for (column, cell) in (0_u16..).zip(cells) {
            match cell {
                Cell::Text(words) => xlsx::text(sheet, line, column, words, &style.text)?,
                Cell::Count(number) => xlsx::count(sheet, line, column, number, &style.count)?,
                Cell::Money(amount) => xlsx::money(sheet, line, column, amount, &style.money)?,
            }
        }
    }
    Ok(())
}
