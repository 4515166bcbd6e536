//! The workbook that an inspector takes to the hospital.
//!
//! Goes in: an [`Outcome`] and its [`Context`]. Comes out: `findings.xlsx` with the sheets 疑点 (a row a finding), 汇总,
//! 明细 (a row a line) and 说明. Two head rows: Chinese, then the contract's column name, so that a person and a formula
//! both find their way; identifiers are text, money is a number with two decimals, days are days. `psn_no` is masked unless
//! [`Context::unmask`]; names are never here. More rows than a sheet holds go to 疑点2, 疑点3 and so on; none is dropped.
//!
//! Rows go straight to disk (constant memory), so a million findings cost time, not memory. The creation date is the as-of
//! day: the same findings give the same bytes.
//!
//! To add a column: `columns.rs`, and its name in [`ORDER`].

use std::io::Write;
use std::path::Path;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

use super::columns::{COLUMNS, Cell, Column, Kind, civil};
use super::shown::Names;
use super::tally::{Share, Tally, tally};
use super::{Context, Error, Lang, Told, reasons, shown};
use crate::findings::Outcome;

/// Rows of an Excel sheet.
pub(super) const EXCEL_ROWS: u32 = 1_048_576;
/// Characters of an Excel cell.
const EXCEL_CHARACTERS: usize = 32_767;
/// Head rows of 疑点 and 明细.
const HEAD_ROWS: u32 = 2;

/// The columns of 疑点: what is read first stands first. `facility_name` comes from the context.
const ORDER: [&str; 24] = [
    "rule_code",
    "rule_title",
    "result",
    "severity",
    "facility_name",
    "fixmedins_code",
    "psn_no",
    "mdtrt_id",
    "from_day",
    "until_day",
    "amount",
    "allocated",
    "message",
    "basis",
    "evidence",
    "fund_loss_est",
    "setl_id",
    "feedetl_sn",
    "exempted_by",
    "unit",
    "key",
    "rule_name",
    "rule_hash",
    "finding_id",
];

/// Writes the workbook; `scratch` is a directory for the rows under way.
pub(super) fn workbook(
    outcome: &Outcome,
    context: &Context,
    scratch: &Path,
    to: impl Write + Send,
    told: &Told<'_>,
) -> Result<(), Error> {
    super::scratch::guarded(|| build(outcome, context, scratch, to, told))
        .map_err(|source| Error::Xlsx { file: "findings.xlsx".to_owned(), source })
}

fn build(
    outcome: &Outcome,
    context: &Context,
    scratch: &Path,
    to: impl Write + Send,
    told: &Told<'_>,
) -> Result<(), XlsxError> {
    let tally = tally(outcome, context);
    let mut book = Workbook::new();
    book.set_tempdir(scratch)?;
    let (year, month, day) = civil(&context.as_of).filter(|(year, ..)| *year >= 1900).unwrap_or((2000, 1, 1));
    let created = ExcelDateTime::from_ymd(u16::try_from(year).unwrap_or(2000), month, day)?;
    let program = format!("fundaudit {}", context.program_version);
    let title = if context.title.is_empty() { "医保基金审核疑点" } else { &context.title };
    book.set_properties(
        &DocProperties::new().set_title(title).set_author(program.trim()).set_creation_datetime(&created),
    );

    let style = Style::new();
    let names = findings(&mut book, outcome, (context, &style, told))?;
    sums(&mut book, &tally, context, &style)?;
    lines(&mut book, outcome, (context, &style, told))?;
    notes(&mut book, &tally, &names, context, &style)?;
    book.save_to_writer(to)
}

pub(super) struct Style {
    pub(super) head: Format,
    name: Format,
    pub(super) text: Format,
    wrapped: Format,
    pub(super) money: Format,
    day: Format,
    pub(super) count: Format,
    title: Format,
    bold: Format,
    bold_money: Format,
    bold_count: Format,
}

impl Style {
    pub(super) fn new() -> Style {
        let body = || Format::new().set_align(FormatAlign::Top);
        let money = || body().set_num_format("#,##0.00");
        let rule = |format: Format| {
            format.set_bold().set_border_top(FormatBorder::Thin).set_border_color(Color::RGB(0x9A_A5_B1))
        };
        Style {
            head: Format::new()
                .set_bold()
                .set_font_color(Color::White)
                .set_background_color(Color::RGB(0x1F_4E_79))
                .set_align(FormatAlign::VerticalCenter),
            name: Format::new()
                .set_font_size(9)
                .set_font_color(Color::RGB(0x5B_67_70))
                .set_background_color(Color::RGB(0xEE_F2_F6))
                .set_border_bottom(FormatBorder::Thin)
                .set_border_color(Color::RGB(0x9A_A5_B1)),
            text: body().set_num_format("@"),
            wrapped: body().set_num_format("@").set_text_wrap(),
            money: money(),
            day: body().set_num_format("yyyy-mm-dd").set_align(FormatAlign::Left),
            count: body().set_num_format("#,##0"),
            title: Format::new().set_bold().set_font_size(13).set_font_color(Color::RGB(0x1F_4E_79)),
            bold: rule(body().set_num_format("@")),
            bold_money: rule(money()),
            bold_count: rule(body().set_num_format("#,##0")),
        }
    }
}

/// One column of a sheet with two head rows.
struct Head {
    title: &'static str,
    name: &'static str,
    width: f64,
}

/// What every sheet of rows is written with.
type Around<'a> = (&'a Context, &'a Style, &'a Told<'a>);

/// Sheets of one name, one after the other, each begun with its head when the one before is full.
fn filled_sheets<T>(
    book: &mut Workbook,
    name: &str,
    heads: &[Head],
    rows: &[T],
    (context, style, told): Around<'_>,
    mut write_row: impl FnMut(&mut Worksheet, u32, &T) -> Result<(), XlsxError>,
) -> Result<(), XlsxError> {
    let limit = context.max_sheet_rows.unwrap_or(EXCEL_ROWS).clamp(HEAD_ROWS + 1, EXCEL_ROWS);
    let room = (limit - HEAD_ROWS) as usize;
    let sheets = rows.len().div_ceil(room).max(1);
    for number in 0..sheets {
        let part = &rows[(number * room).min(rows.len())..((number + 1) * room).min(rows.len())];
        let sheet = book.add_worksheet_with_constant_memory()?;
        sheet.set_name(if number == 0 { name.to_owned() } else { format!("{name}{}", number + 1) })?;
        for (place, head) in (0_u16..).zip(heads) {
            sheet.set_column_width(place, head.width)?;
        }
        let last_column = u16::try_from(heads.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let end = HEAD_ROWS - 1 + u32::try_from(part.len()).unwrap_or(limit - HEAD_ROWS);
        sheet.set_freeze_panes(HEAD_ROWS, 2)?.autofilter(HEAD_ROWS - 1, 0, end, last_column)?;
        sheet.set_repeat_rows(0, HEAD_ROWS - 1)?.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
        sheet.set_row_height(0, 22)?;
        for (place, head) in (0_u16..).zip(heads) {
            sheet.write_string_with_format(0, place, head.title, &style.head)?;
        }
        for (place, head) in (0_u16..).zip(heads) {
            sheet.write_string_with_format(1, place, head.name, &style.name)?;
        }
        for (row, item) in (HEAD_ROWS..).zip(part) {
            write_row(sheet, row, item)?;
            told.row().map_err(|stopped| XlsxError::IoError(stopped.into()))?;
        }
    }
    Ok(())
}

/// Writes 疑点; returns the names in keys and evidence, each with the words under which it stands there.
fn findings(book: &mut Workbook, outcome: &Outcome, around: Around<'_>) -> Result<Names, XlsxError> {
    let (context, style, _) = around;
    let mut names = Names::new();
    let columns: Vec<Option<&Column>> =
        ORDER.iter().map(|name| COLUMNS.iter().find(|column| column.name == *name)).collect();
    let heads: Vec<Head> = columns
        .iter()
        .map(|column| match column {
            Some(column) => Head { title: column.title, name: column.name, width: column.width },
            None => Head { title: "机构名称", name: "facility_name", width: 28.0 },
        })
        .collect();
    filled_sheets(book, "疑点", &heads, &outcome.findings, around, |sheet, row, finding| {
        let psn_no = finding.psn_no.as_deref();
        for (place, column) in (0_u16..).zip(&columns) {
            let Some(column) = column else {
                let name = finding.fixmedins_code.as_deref().and_then(|code| context.facilities.get(code));
                text(sheet, row, place, name.map_or("", String::as_str), &style.text)?;
                continue;
            };
            match ((column.cell)(finding), column.kind) {
                (Cell::Absent, _) => {}
                (Cell::Money(amount), _) => money(sheet, row, place, amount, &style.money)?,
                (Cell::Text(found), Kind::Day) => match civil(found).filter(|(year, ..)| *year >= 1900) {
                    Some((year, month, day)) => {
                        let day = ExcelDateTime::from_ymd(u16::try_from(year).unwrap_or(1900), month, day)?;
                        sheet.write_datetime_with_format(row, place, &day, &style.day)?;
                    }
                    None => text(sheet, row, place, found, &style.text)?,
                },
                (Cell::Text(json), Kind::Json) => {
                    let members = shown::members(json, psn_no, context.unmask);
                    text(sheet, row, place, &shown::one_line(&members, &mut names), &style.text)?;
                }
                (Cell::Text(found), _) if column.name == "psn_no" && !context.unmask => {
                    text(sheet, row, place, &shown::person(found), &style.text)?;
                }
                (Cell::Text(found), _) if column.name == "severity" => {
                    text(sheet, row, place, shown::severity(found), &style.text)?;
                }
                (Cell::Text(found), _) if context.unmask => text(sheet, row, place, found, &style.text)?,
                (Cell::Text(found), _) => {
                    text(sheet, row, place, &shown::without_person(found, psn_no), &style.text)?;
                }
            }
        }
        Ok(())
    })?;
    Ok(names)
}

fn lines(book: &mut Workbook, outcome: &Outcome, around: Around<'_>) -> Result<(), XlsxError> {
    let (_, style, _) = around;
    let heads = [
        Head { title: "疑点编号", name: "finding_id", width: 24.0 },
        Head { title: "就诊编号", name: "mdtrt_id", width: 24.0 },
        Head { title: "费用明细流水号", name: "feedetl_sn", width: 24.0 },
        Head { title: "类别", name: "kind", width: 10.0 },
        Head { title: "金额", name: "amount", width: 14.0 },
    ];
    filled_sheets(book, "明细", &heads, &outcome.lines, around, |sheet, row, line| {
        text(sheet, row, 0, &line.finding_id, &style.text)?;
        text(sheet, row, 1, &line.mdtrt_id, &style.text)?;
        text(sheet, row, 2, &line.feedetl_sn, &style.text)?;
        text(sheet, row, 3, if line.kind == 1 { "违规项" } else { "涉及项" }, &style.text)?;
        money(sheet, row, 4, line.amount, &style.money)
    })
}

fn sums(book: &mut Workbook, tally: &Tally, context: &Context, style: &Style) -> Result<(), XlsxError> {
    let sheet = book.add_worksheet_with_constant_memory()?;
    sheet.set_name("汇总")?;
    for (place, width) in (0_u16..).zip([16.0, 34.0, 12.0, 10.0, 12.0, 16.0, 16.0, 16.0, 12.0, 14.0, 12.0]) {
        sheet.set_column_width(place, width)?;
    }
    sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    let head = |sheet: &mut Worksheet, row: u32, titles: &[&str]| -> Result<(), XlsxError> {
        for (place, title) in (0_u16..).zip(titles) {
            sheet.write_string_with_format(row, place, *title, &style.head)?;
        }
        Ok(())
    };
    let figures = |sheet: &mut Worksheet, row: u32, share: &Share, (count_style, money_style): (&Format, &Format)| {
        count(sheet, row, 4, share.findings, count_style)?;
        money(sheet, row, 5, share.amount, money_style)?;
        money(sheet, row, 6, share.allocated, money_style)?;
        money(sheet, row, 7, share.apart, money_style)
    };

    let mut row = 0;
    sheet.write_string_with_format(row, 0, "按规则", &style.title)?;
    row += 1;
    let titles = [
        "规则编码",
        "规则名称",
        "结论",
        "严重程度",
        "疑点",
        "涉及金额",
        "计入金额",
        "另列金额",
        "涉及机构",
        "已评估",
        "未评估",
    ];
    head(sheet, row, &titles)?;
    for rule in &tally.by_rule {
        row += 1;
        text(sheet, row, 0, &rule.rule.code, &style.text)?;
        text(sheet, row, 1, &rule.rule.title, &style.text)?;
        text(sheet, row, 2, &rule.rule.result, &style.text)?;
        text(sheet, row, 3, shown::severity(&rule.rule.severity), &style.text)?;
        figures(sheet, row, &rule.share, (&style.count, &style.money))?;
        count(sheet, row, 8, rule.facilities, &style.count)?;
        count(sheet, row, 9, rule.answers.evaluated, &style.count)?;
        count(sheet, row, 10, rule.answers.not_evaluated, &style.count)?;
    }
    row += 1;
    for (place, words) in (0..).zip(["合计", "", "", ""]) {
        text(sheet, row, place, words, &style.bold)?;
    }
    figures(sheet, row, &tally.all, (&style.bold_count, &style.bold_money))?;
    count(sheet, row, 8, tally.facilities, &style.bold_count)?;
    count(sheet, row, 9, tally.answers.evaluated, &style.bold_count)?;
    count(sheet, row, 10, tally.answers.not_evaluated, &style.bold_count)?;

    row += 2;
    sheet.write_string_with_format(row, 0, "按机构", &style.title)?;
    row += 1;
    let titles =
        ["机构编码", "机构名称", "", "", "疑点", "涉及金额", "计入金额", "另列金额", "涉及规则", "已评估", "未评估"];
    head(sheet, row, &titles)?;
    for facility in &tally.by_facility {
        row += 1;
        if row >= EXCEL_ROWS - 2 {
            text(sheet, row, 0, "其余机构见 coverage.csv 与 findings.parquet", &style.text)?;
            break;
        }
        let name = context.facilities.get(&facility.code).map_or("", String::as_str);
        text(sheet, row, 0, if facility.code.is_empty() { "（无机构）" } else { &facility.code }, &style.text)?;
        text(sheet, row, 1, name, &style.text)?;
        figures(sheet, row, &facility.share, (&style.count, &style.money))?;
        count(sheet, row, 8, facility.rules, &style.count)?;
        count(sheet, row, 9, facility.answers.evaluated, &style.count)?;
        count(sheet, row, 10, facility.answers.not_evaluated, &style.count)?;
    }
    Ok(())
}

fn notes(book: &mut Workbook, tally: &Tally, names: &Names, context: &Context, style: &Style) -> Result<(), XlsxError> {
    let period = context.period.as_ref().map_or(String::new(), |(from, until)| format!("{from} 至 {until}"));
    let masked = if context.unmask {
        "人员编号为完整编号，请按个人信息保护规定保管；姓名与证件号码不在本表。"
    } else {
        "人员编号已遮盖（只留首尾），姓名与证件号码不在本表；需要完整编号时按疑点编号查 findings.parquet。"
    };
    let facts = [
        ("期间", period),
        ("截至日", context.as_of.clone()),
        ("区域", context.region.clone()),
        ("程序版本", context.program_version.clone()),
        ("规则集", context.rule_set_hash.clone()),
        ("疑点", shown::count(tally.all.findings)),
        ("未评估", shown::count(tally.answers.not_evaluated)),
        ("未审核的行", shown::count(tally.quarantined)),
        ("已豁免的疑点", shown::count(tally.all.exempted)),
    ];
    let readings = [
        ("疑点", "机器按规则找到的、需要有人回答的事实；不是处理决定。结论为“可疑”的，须核对病历与单据后再定。"),
        ("涉及金额", "该规则单独看时涉及的金额。同一笔费用可被多条规则涉及，故不可相加。"),
        ("计入金额", "同一笔钱只计一次：先明确违规、再严重程度、再规则编码。各处合计都用这一列。"),
        ("另列金额", "不属于基金支出的金额（如超比例的个人自付），单独列出，不计入合计。"),
        ("基金损失估算", "按所在结算的统筹支付比例折算；结算未给出比例时为空。"),
        ("已豁免", "有有效豁免的疑点仍列出、仍计数，“豁免”一列写明豁免编号。"),
        ("明细", "违规项承担疑点的金额；涉及项是作证的明细，金额为其医保范围内金额。按疑点编号与“疑点”表对应。"),
        (
            "已评估、未评估",
            "每条规则对每个判断单元只有三种回答：命中、未见异常、未评估（没有结论，多半因为缺数据）。未评估不等于没有问题，原因见 coverage.csv。",
        ),
        ("个人信息", masked),
    ];
    let sheet = book.add_worksheet_with_constant_memory()?;
    sheet.set_name("说明")?;
    sheet.set_column_width(0, 30)?.set_column_width(1, 96)?;
    let title = if context.title.is_empty() { "医保基金审核疑点" } else { &context.title };
    sheet.write_string_with_format(0, 0, title, &style.title)?;
    let mut row = 2;
    for (name, value) in facts {
        text(sheet, row, 0, name, &style.text)?;
        text(sheet, row, 1, &value, &style.text)?;
        row += 1;
    }
    row += 1;
    sheet.write_string_with_format(row, 0, "怎样读这张表", &style.title)?;
    for (name, value) in readings {
        row += 1;
        text(sheet, row, 0, name, &style.text)?;
        text(sheet, row, 1, value, &style.wrapped)?;
    }
    if !context.quarantined.is_empty() {
        row += 2;
        sheet.write_string_with_format(row, 0, "未审核的行", &style.title)?;
        for set in &context.quarantined {
            row += 1;
            text(sheet, row, 0, &set.file, &style.text)?;
            let reason = reasons::set_aside(&set.reason, Lang::Zh);
            text(sheet, row, 1, &format!("{} 行：{reason}", shown::count(set.rows)), &style.wrapped)?;
        }
    }
    let renamed: Vec<(&String, &String)> =
        names.iter().filter_map(|(name, words)| Some((words.as_ref()?, name))).collect();
    if !renamed.is_empty() {
        row += 2;
        sheet.write_string_with_format(row, 0, "“证据”“定位键”里的名称，在规则与其他文件里叫作", &style.title)?;
        for (words, name) in renamed {
            row += 1;
            text(sheet, row, 0, words, &style.text)?;
            text(sheet, row, 1, name, &style.text)?;
        }
    }
    Ok(())
}

/// Text as text, never a formula or a number; cut where Excel would refuse it.
pub(super) fn text(sheet: &mut Worksheet, row: u32, column: u16, text: &str, format: &Format) -> Result<(), XlsxError> {
    let text = shown::visible(text);
    // Excel counts UTF-16 units, of which UTF-8 never has fewer bytes.
    if text.len() <= EXCEL_CHARACTERS {
        sheet.write_string_with_format(row, column, text, format)?;
    } else {
        let note = "…（过长，全文见 findings.parquet）";
        let mut room = EXCEL_CHARACTERS - note.chars().count();
        let kept: String = text
            .chars()
            .take_while(|c| {
                let fits = room >= c.len_utf16();
                room = room.saturating_sub(c.len_utf16());
                fits
            })
            .collect();
        sheet.write_string_with_format(row, column, format!("{kept}{note}"), format)?;
    }
    Ok(())
}

pub(super) fn money(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    amount: Decimal,
    format: &Format,
) -> Result<(), XlsxError> {
    // Excel has floats only; up to 10^13 yuan a cent survives.
    sheet.write_number_with_format(row, column, amount.to_f64().unwrap_or_default(), format)?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "Excel has floats only; a count of rows is far below 2^53")]
pub(super) fn count(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    count: u64,
    format: &Format,
) -> Result<(), XlsxError> {
    sheet.write_number_with_format(row, column, count as f64, format)?;
    Ok(())
}
