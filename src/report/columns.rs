//! The columns of findings: one list, from which Parquet, CSV, JSON and the workbook are written.
//!
//! Goes in: a [`Finding`]. Comes out: its cells, in the order of the contract. Deliberately unknown here: any format.
//!
//! To add a column: one entry in [`COLUMNS`].

use rust_decimal::{Decimal, RoundingStrategy};

use crate::findings::Finding;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Text that is a JSON object.
    Json,
    Day,
    Money,
}

/// One value of a finding.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Text(&'a str),
    Money(Decimal),
    Absent,
}

impl<'a> Cell<'a> {
    fn may(text: Option<&'a str>) -> Cell<'a> {
        text.map_or(Cell::Absent, Cell::Text)
    }
}

/// One column: its name in files, its Chinese title and width in the workbook, how to read it off a finding.
pub(super) struct Column {
    pub name: &'static str,
    pub title: &'static str,
    pub kind: Kind,
    pub nullable: bool,
    pub width: f64,
    pub cell: for<'a> fn(&'a Finding) -> Cell<'a>,
}

const fn must(
    name: &'static str,
    title: &'static str,
    kind: Kind,
    width: f64,
    cell: for<'a> fn(&'a Finding) -> Cell<'a>,
) -> Column {
    Column { name, title, kind, nullable: false, width, cell }
}

const fn may(
    name: &'static str,
    title: &'static str,
    kind: Kind,
    width: f64,
    cell: for<'a> fn(&'a Finding) -> Cell<'a>,
) -> Column {
    Column { name, title, kind, nullable: true, width, cell }
}

/// The columns of `findings.*`, in order.
pub(super) static COLUMNS: [Column; 23] = [
    must("finding_id", "疑点编号", Kind::Text, 20.0, |f| Cell::Text(&f.finding_id)),
    must("rule_code", "规则编码", Kind::Text, 10.0, |f| Cell::Text(&f.rule_code)),
    must("rule_name", "规则英文名", Kind::Text, 26.0, |f| Cell::Text(&f.rule_name)),
    must("rule_title", "规则名称", Kind::Text, 30.0, |f| Cell::Text(&f.rule_title)),
    must("rule_hash", "规则版本", Kind::Text, 18.0, |f| Cell::Text(&f.rule_hash)),
    must("result", "结论", Kind::Text, 10.0, |f| Cell::Text(&f.result)),
    must("severity", "严重程度", Kind::Text, 9.0, |f| Cell::Text(&f.severity)),
    must("unit", "判断单元", Kind::Text, 12.0, |f| Cell::Text(&f.unit)),
    must("key", "定位", Kind::Json, 40.0, |f| Cell::Text(&f.key)),
    may("psn_no", "人员编号", Kind::Text, 14.0, |f| Cell::may(f.psn_no.as_deref())),
    may("mdtrt_id", "就诊编号", Kind::Text, 20.0, |f| Cell::may(f.mdtrt_id.as_deref())),
    may("setl_id", "结算编号", Kind::Text, 20.0, |f| Cell::may(f.setl_id.as_deref())),
    may("feedetl_sn", "费用明细流水号", Kind::Text, 20.0, |f| Cell::may(f.feedetl_sn.as_deref())),
    may("fixmedins_code", "机构编码", Kind::Text, 16.0, |f| Cell::may(f.fixmedins_code.as_deref())),
    may("from_day", "起始日", Kind::Day, 11.5, |f| Cell::may(f.from_day.as_deref())),
    may("until_day", "截止日", Kind::Day, 11.5, |f| Cell::may(f.until_day.as_deref())),
    must("amount", "涉及金额", Kind::Money, 14.0, |f| Cell::Money(f.amount)),
    must("allocated", "计入金额", Kind::Money, 14.0, |f| Cell::Money(f.allocated)),
    may("fund_loss_est", "基金损失估算", Kind::Money, 14.0, |f| {
        f.fund_loss_est.map_or(Cell::Absent, Cell::Money)
    }),
    must("message", "说明", Kind::Text, 56.0, |f| Cell::Text(&f.message)),
    must("basis", "依据", Kind::Text, 40.0, |f| Cell::Text(&f.basis)),
    must("evidence", "证据", Kind::Json, 56.0, |f| Cell::Text(&f.evidence)),
    may("exempted_by", "豁免", Kind::Text, 14.0, |f| Cell::may(f.exempted_by.as_deref())),
];

/// Yuan as text with two decimals.
pub(super) fn yuan(amount: Decimal) -> String {
    format!("{:.2}", cents_rounded(amount))
}

/// Yuan as whole cents.
pub(super) fn cents(amount: Decimal) -> i128 {
    let mut amount = cents_rounded(amount);
    amount.rescale(2);
    amount.mantissa()
}

fn cents_rounded(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// Year, month, day of `YYYY-MM-DD`, if it is one.
pub(super) fn civil(day: &str) -> Option<(i32, u8, u8)> {
    let bytes = day.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        let digits = day.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i32>().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i32::from(leap),
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    Some((year, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
}

/// Days since 1970-01-01 of `YYYY-MM-DD`, if it is a day.
pub(super) fn epoch_day(day: &str) -> Option<i32> {
    let (year, month, day) = civil(day)?;
    // Years begin in March here, so that the leap day is the last of its year.
    let (month, day) = (i32::from(month), i32::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}
