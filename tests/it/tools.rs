//! The rule keeper's tools: a workbook becomes knowledge with dates and nothing is dropped in silence; a changed rule shows,
//! and so do the findings that it changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use calamine::{Reader, Xlsx, open_workbook};
use fundaudit::ingest;
use fundaudit::model::day;
use fundaudit::operations::difference::{self, Difference, Kind, difference};
use fundaudit::operations::knowledge::{self, Imported, import};
use fundaudit::operations::scaffold;
use fundaudit::operations::{index, library, lock};
use fundaudit::progress::Silent;
use fundaudit::report::Lang;
use fundaudit::rules::knowledge::{Cell, Place};
use fundaudit::rules::{Files, Knowledge, load};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook};

const DAILY: &str = "【第八批-1】服务项目（限定频次）.xlsx";
const DAILY_LATER: &str = "【修订】服务项目（限定频次）.xlsx";
const LEVELS: &str = "【第五批】药品（限定机构等级）.xlsx";
const PAIRS: &str = "【第七批 】服务项目（重复收费）.xlsx";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn a_day(text: &str) -> i32 {
    day::parse(text).unwrap()
}

fn imported(name: &str, into: &Path, change: impl FnOnce(&mut knowledge::Options)) -> Imported {
    let workbook = root().join("fixtures/knowledge").join(name);
    let mut options = knowledge::Options { workbook, into: into.to_owned(), ..knowledge::Options::default() };
    change(&mut options);
    let done = import(&options, &Silent).unwrap_or_else(|e| panic!("{e}"));
    for sheet in &done.sheets {
        assert_eq!(sheet.rows, sheet.above + sheet.remarks + sheet.read + sheet.unread, "{sheet:?}");
    }
    let sum = done.added.len() + done.changed.len() + done.unchanged + done.repeated + done.covered;
    assert_eq!(done.codes, sum, "every code has one answer");
    done
}

fn table(folder: &Path, name: &str) -> Knowledge {
    let text = fs::read_to_string(folder.join(format!("{name}.csv"))).unwrap();
    Knowledge::read(name, &text).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

/// Values of a column that hold for a code on a day.
fn held(table: &Knowledge, code: &str, on: &str, column: &str) -> Vec<String> {
    let at = table.position(column).unwrap();
    let rows = table.valid(&table.candidates(code), a_day(on), Place::default(), false);
    rows.into_iter()
        .map(|n| match &table.rows[n].cells[at] {
            Cell::Empty => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
        })
        .collect()
}

fn whys(done: &Imported) -> Vec<(String, u64, String)> {
    done.unread.iter().map(|u| (u.at.sheet.clone(), u.at.row, u.why.clone())).collect()
}

#[test]
fn one_sheet_of_services_with_a_title_a_sum_and_a_remark() {
    let folder = tempfile::tempdir().unwrap();
    let done = imported(DAILY, folder.path(), |_| ());
    assert_eq!((done.table.as_str(), done.batch.as_str()), ("daily_cap", "第八批-1"));
    let [sheet] = done.sheets.as_slice() else { panic!("{:?}", done.sheets) };
    assert_eq!((sheet.rows, sheet.above, sheet.remarks, sheet.read, sheet.unread), (11, 2, 2, 4, 3));
    assert_eq!((done.points, done.codes, done.added.len(), done.repeated), (4, 4, 3, 1));
    let whys = whys(&done);
    assert!(whys[0].1 == 7 && whys[0].2.contains("13 digits"), "a code without its zeros is not guessed: {whys:?}");
    assert!(whys[1].1 == 8 && whys[1].2.contains("`月`"), "a month is not a day: {whys:?}");
    assert!(whys[2].1 == 9 && whys[2].2.contains("no code"), "{whys:?}");
    let table = table(folder.path(), "daily_cap");
    assert_eq!(held(&table, "001201000040000", "2021-05-01", "max"), ["1"]);
    assert_eq!(held(&table, "001201000040000", "2021-04-30", "max"), [""; 0]);
    assert_eq!(held(&table, "003107010220000", "2026-01-01", "point"), ["心电监测"]);
    let source = &held(&table, "003107010220000", "2026-01-01", "source")[0];
    assert!(source.contains("第八批-1") && source.contains("起始日为经办默认"), "{source}");

    let hourly = "code,from,until,point,max,source\n003107010220000,2021-05-01,,心电监测,24,经办默认\n003107010280000,2021-05-01,,血氧饱和度监测,12,经办默认\n";
    let beside = tempfile::tempdir().unwrap();
    fs::write(beside.path().join("hourly_item.csv"), hourly).unwrap();
    let own = "code,from,until,point,max,source\n001201000040000,2021-05-01,,二级护理,1,经办默认\n";
    fs::write(beside.path().join("daily_cap.csv"), own).unwrap();
    let other = imported(DAILY, beside.path(), |_| ());
    assert_eq!((other.added.len(), other.unchanged), (0, 1), "the one point of a code, whatever its name");
    assert_eq!((other.covered, other.unread.len()), (1, 4), "a code is in one of two like tables");
    assert!(other.unread.iter().any(|u| u.at.row == 5 && u.why.contains("`hourly_item` says otherwise")));

    let again = imported(DAILY, folder.path(), |_| ());
    assert_eq!((again.added.len(), again.changed.len(), again.unchanged), (0, 0, 3), "the same again changes nothing");
}

#[test]
fn a_row_that_says_otherwise_ends_the_old_one_the_day_before() {
    let folder = tempfile::tempdir().unwrap();
    imported(DAILY, folder.path(), |_| ());
    let file = folder.path().join("daily_cap.csv");
    let before = fs::read_to_string(&file).unwrap();

    let unsaid = imported(DAILY_LATER, folder.path(), |_| ());
    assert_eq!((unsaid.changed.len(), unsaid.unread.len()), (0, 1), "without a day nothing is superseded");
    assert!(unsaid.unread[0].why.contains("--from"), "{:?}", unsaid.unread);
    fs::write(&file, &before).unwrap();

    let trial = imported(DAILY_LATER, folder.path(), |o| (o.from, o.dry_run) = (Some(a_day("2026-07-01")), true));
    assert_eq!((trial.changed.len(), fs::read_to_string(&file).unwrap()), (1, before));

    let done = imported(DAILY_LATER, folder.path(), |o| o.from = Some(a_day("2026-07-01")));
    assert_eq!((done.added.len(), done.changed.len(), done.unchanged, done.unread.len()), (1, 1, 1, 0));
    let (old, new) = &done.changed[0];
    assert_eq!((old.until.as_str(), new.from.as_str(), new.until.as_str()), ("2026-06-30", "2026-07-01", ""));
    let table = table(folder.path(), "daily_cap");
    assert_eq!(held(&table, "001201000040000", "2026-06-30", "max"), ["1"], "the last day of the old row");
    assert_eq!(held(&table, "001201000040000", "2026-07-01", "max"), ["2"], "the first day of the new one");
    assert_eq!(held(&table, "001201000050000", "2026-06-30", "max"), [""; 0]);
    assert_eq!(held(&table, "001201000050000", "2026-07-01", "max"), ["1"]);
    assert_eq!(held(&table, "001201000050000999", "2026-07-01", "max"), ["1"], "a code is a prefix");
    insta::assert_snapshot!(done.text(Lang::Zh).replace(&folder.path().display().to_string(), "DIR"));
}

#[test]
fn a_row_that_its_workbook_no_longer_has_ends_too() {
    let folder = tempfile::tempdir().unwrap();
    imported(LEVELS, folder.path(), |_| ());
    let file = folder.path().join("facility_level.csv");
    let text = fs::read_to_string(&file).unwrap();
    let whole = imported(PAIRS, folder.path(), |_| ());
    assert!(!whole.unread.is_empty() && whole.removed.is_empty());
    // An earlier edition of the later workbook had one row more.
    imported(DAILY_LATER, folder.path(), |_| ());
    let daily = folder.path().join("daily_cap.csv");
    let mark = "国家医保局两库《【修订】服务项目（限定频次）》：旧项目";
    let more = format!("{}001201000060000,2021-05-01,,特殊疾病护理,1,{mark}\n", fs::read_to_string(&daily).unwrap());
    fs::write(&daily, more).unwrap();
    let kept = imported(DAILY_LATER, folder.path(), |_| ());
    assert!(kept.removed.is_empty() && kept.notes.iter().any(|n| n.contains("were kept")), "{:?}", kept.notes);
    let done = imported(DAILY_LATER, folder.path(), |o| o.from = Some(a_day("2026-07-01")));
    assert_eq!((done.removed.len(), done.removed[0].until.as_str()), (1, "2026-06-30"));
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "other tables are left alone");
}

#[test]
fn two_sheets_of_drugs_are_joined_by_the_number_of_the_point() {
    let folder = tempfile::tempdir().unwrap();
    let header = "code,from,until,min_level,first_prescription_only,source";
    let own = format!("{header}\nXS01LAK119,2025-01-01,,2,0,经办：二级眼科专科医院亦可\n");
    fs::write(folder.path().join("facility_level.csv"), own).unwrap();
    let done = imported(LEVELS, folder.path(), |o| o.from = Some(a_day("2025-08-14")));
    assert_eq!((done.table.as_str(), done.batch.as_str()), ("facility_level", "第五批"));
    assert_eq!((done.points, done.codes, done.added.len(), done.overruled.len()), (3, 5, 5, 1));
    let (shorter, longer) = &done.overruled[0];
    assert_eq!((shorter.code.as_str(), longer.code.as_str()), ("XS01LAK119", "XS01LAK119B001010100001"));
    let counts: Vec<(usize, usize)> = done.sheets.iter().map(|s| (s.read, s.unread)).collect();
    assert_eq!(counts, [(3, 2), (5, 3)]);
    let whys = whys(&done);
    let why = |row: u64, sheet: &str| whys.iter().find(|w| w.1 == row && w.0.contains(sheet)).unwrap().2.clone();
    assert!(why(5, "明细").contains("甲等"), "{whys:?}");
    assert!(why(6, "明细").contains("no code belongs"), "{whys:?}");
    assert!(why(7, "代码").contains("its point"), "{whys:?}");
    assert!(why(8, "代码").contains("no point is called `9`"), "{whys:?}");
    assert!(why(9, "代码").contains("this row says"), "{whys:?}");
    let table = table(folder.path(), "facility_level");
    let on = "2026-01-01";
    assert_eq!(held(&table, "ZA09HAC0101010100001", on, "min_level"), ["2"]);
    assert_eq!(held(&table, "XA10BJD332B001010100001", on, "first_prescription_only"), ["1"], "首次处方…由二级…");
    assert_eq!(held(&table, "XS01LAK119B001010100001", on, "min_level"), ["3"]);
    assert_eq!(held(&table, "XS01LAK119B001010100001", on, "first_prescription_only"), ["0"], "首次处方时病眼视力");
    assert_eq!(held(&table, "XS01LAK119B001010100001", "2025-08-13", "min_level"), ["2"], "the day before");
    assert!(done.notes.iter().any(|n| n.contains("3 codes are announced, 2 found")), "{:?}", done.notes);
}

#[test]
fn a_pair_in_six_hours_is_not_a_pair_in_a_day() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("duplicate_pair.csv"),
        "code,from,until,code_b,window,source\n001103000010000,2021-05-01,,001109000010,day,经办默认\n",
    )
    .unwrap();
    let done = imported(PAIRS, folder.path(), |_| ());
    assert_eq!((done.table.as_str(), done.added.len(), done.covered), ("duplicate_pair", 4, 1));
    let windows: Vec<&str> = done.added.iter().map(|r| r.values[0].1.as_str()).collect();
    assert_eq!(windows, ["day", "visit", "6hours", "hour"]);
    assert_eq!(done.unread.len(), 1);
    let why = &done.unread[0].why;
    assert!(why.contains("`12小时`") && why.contains("one (同一小时) and six (6小时)"), "{why}");
    let again = imported(PAIRS, folder.path(), |_| ());
    assert_eq!((again.added.len(), again.changed.len(), again.unchanged), (0, 0, 4));
}

/// BIL102 counts by the day and the visit: its table takes no hours.
#[test]
fn a_consumable_within_hours_of_a_service_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let done = imported(PAIRS, folder.path(), |o| o.table = Some("service_consumable_pair".to_owned()));
    let windows: Vec<&str> = done.added.iter().map(|r| r.values[0].1.as_str()).collect();
    assert_eq!(windows, ["day", "day", "visit"]);
    let whys = whys(&done);
    assert_eq!(whys.len(), 3, "{whys:?}");
    for (why, hours) in whys.iter().zip(["6小时", "同一小时", "12小时"]) {
        assert!(why.2.contains(hours) && why.2.contains("BIL102"), "{why:?}");
    }
}

#[test]
fn a_window_that_no_rule_knows_is_a_mistake_of_the_table() {
    let read = |name: &str, window: &str| {
        let head = "code,from,until,code_b,window,source";
        Knowledge::read(name, &format!("{head}\n001103000010000,2021-05-01,,001109000010,{window},经办默认\n"))
    };
    for window in ["day", "visit", "hour", "6hours"] {
        assert!(read("duplicate_pair", window).is_ok(), "{window}");
    }
    for (table, window, said) in [
        ("duplicate_pair", "6小时", "`window` is `6小时`, wanted one of day, visit, hour, 6hours"),
        ("duplicate_pair", "", "`window` is empty"),
        ("service_consumable_pair", "hour", "`window` is `hour`, wanted one of day, visit"),
    ] {
        let wrong = read(table, window).unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].0 == 2 && wrong[0].1.starts_with(said), "{wrong:?}");
    }
}

#[test]
fn what_tells_no_table_is_asked_for_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let workbook = folder.path().join("表一.xlsx");
    write(&workbook, &[("Sheet1", &[&["项目名称", "项目代码"], &["床位", "001109000010000"]])]);
    let options = knowledge::Options { workbook, into: folder.path().to_owned(), ..knowledge::Options::default() };
    let said = import(&options, &Silent).unwrap_err().to_string();
    assert!(said.contains("--table") && said.contains("daily_cap"), "{said}");
    let said =
        import(&knowledge::Options { table: Some("dayly_cap".to_owned()), ..options.clone() }, &Silent).unwrap_err();
    assert!(said.to_string().contains("did you mean `daily_cap`?"), "{said}");
    let said =
        import(&knowledge::Options { table: Some("sex_limit".to_owned()), ..options.clone() }, &Silent).unwrap_err();
    assert!(said.to_string().contains("no column that `sex_limit` needs"), "{said}");
    let done = import(&knowledge::Options { table: Some("bed_item".to_owned()), ..options }, &Silent).unwrap();
    assert_eq!(done.added.len(), 1);
}

/// A row below the header of a sheet, read without the program: sheet, number as a spreadsheet shows it, cells by heading.
type Plain = (String, u64, BTreeMap<String, String>);

/// The rows below the headers, and how many rows above them and in them are not blank.
fn plainly(name: &str) -> (Vec<Plain>, usize) {
    let mut book: Xlsx<_> = open_workbook(root().join("fixtures/knowledge").join(name)).unwrap();
    let (mut rows, mut above) = (Vec::new(), 0);
    for sheet in book.sheet_names() {
        let range = book.worksheet_range(&sheet).unwrap();
        let first = u64::from(range.start().unwrap().0) + 1;
        let mut header: Option<Vec<String>> = None;
        for (number, cells) in (first..).zip(range.rows()) {
            let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
            if cells.iter().all(String::is_empty) {
                continue;
            }
            if let Some(header) = &header {
                let named = header.iter().cloned().zip(cells).filter(|(_, cell)| !cell.is_empty());
                rows.push((sheet.clone(), number, named.collect()));
            } else {
                above += 1;
                header = cells.iter().any(|c| c == "序号").then_some(cells);
            }
        }
    }
    (rows, above)
}

/// What a table says of a code on a day in a column; for pairs, of this B.
fn says(table: &Knowledge, code: &str, b: Option<&str>, column: &str, on: i32) -> Vec<String> {
    let text = |row: usize, column: &str| match &table.rows[row].cells[table.position(column).unwrap()] {
        Cell::Empty => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
    };
    let rows = table.valid(&table.candidates(code), on, Place::default(), false);
    let rows = rows.into_iter().filter(|row| b.is_none_or(|b| b.starts_with(&text(*row, "code_b"))));
    rows.map(|row| text(row, column)).collect()
}

/// Every row of a workbook with a code is either unread, with a reason, or what its table says from the first day on; on the
/// day before, the table says what it said.
fn every_row_holds(
    name: &str,
    into: &Path,
    from: Option<&str>,
    column: &str,
    value: impl Fn(&Plain, &[Plain]) -> String,
) {
    let empty = "code,from,until,source\n".to_owned();
    let file = |done: &Imported| fs::read_to_string(&done.file).unwrap_or(empty.clone());
    let from = from.map(a_day);
    let trial = imported(name, into, |o| (o.from, o.dry_run) = (from, true));
    let before = file(&trial);
    let done = imported(name, into, |o| o.from = from);
    let (rows, above) = plainly(name);
    let of_sheets = |count: fn(&knowledge::SheetRows) -> usize| done.sheets.iter().map(count).sum::<usize>();
    assert_eq!(rows.len() + above, of_sheets(|s| s.rows), "{name}: rows as somebody else counts them");
    let first = from.unwrap_or_else(|| a_day("2021-05-01"));
    let (before, after) = (Knowledge::read("before", &before).unwrap(), table(into, &done.table));
    let mut held = 0;
    for row in &rows {
        let Some((_, code)) =
            row.2.iter().find(|(h, _)| matches!(h.as_str(), "项目代码" | "项目编码" | "药品代码" | "项目A代码"))
        else {
            continue;
        };
        if done.unread.iter().any(|u| u.at.sheet == row.0 && u.at.row == row.1) {
            continue;
        }
        let b = row.2.get("项目B代码").map(String::as_str);
        assert_eq!(says(&after, code, b, column, first), [value(row, &rows)], "{name} {row:?}");
        let day_before = if before.rows.is_empty() { Vec::new() } else { says(&before, code, b, column, first - 1) };
        assert_eq!(says(&after, code, b, column, first - 1), day_before, "{name} the day before: {row:?}");
        held += 1;
    }
    let with_code = if done.sheets.len() > 1 { done.sheets[1].read } else { of_sheets(|s| s.read) };
    assert_eq!(held, with_code, "{name}: every row that was read holds");
    assert_eq!(of_sheets(|s| s.unread), done.unread.len(), "{name}: every unread row has its reason");
}

#[test]
fn every_row_of_a_workbook_holds_from_its_first_day_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let cap = |heading: &'static str| move |row: &Plain, _: &[Plain]| row.2[heading].clone();
    every_row_holds(DAILY, folder.path(), None, "max", cap("单日上限数量"));
    every_row_holds(DAILY_LATER, folder.path(), Some("2026-07-01"), "max", cap("限制数量"));
    let daily = table(folder.path(), "daily_cap");
    let of = |on: &str| says(&daily, "001201000040000", None, "max", a_day(on));
    assert_eq!(
        (of("2026-06-30"), of("2026-07-01")),
        (vec!["1".to_owned()], vec!["2".to_owned()]),
        "the older one before"
    );
    every_row_holds(LEVELS, folder.path(), Some("2025-08-14"), "min_level", |row, rows| {
        let point = rows.iter().find(|p| p.2.get("序号") == row.2.get("对应知识点序号") && p.0 != row.0).unwrap();
        let level = point.2["限定机构等级"].chars().next().unwrap();
        ["一", "二", "三"].iter().position(|l| l.starts_with(level)).map(|l| (l + 1).to_string()).unwrap()
    });
    let own = "code,from,until,code_b,window,source\n001103000010000,2020-01-01,,001109000010,day,经办默认\n";
    fs::write(folder.path().join("duplicate_pair.csv"), own).unwrap();
    every_row_holds(PAIRS, folder.path(), None, "window", |row, _| {
        let said = ["单日", "单次就诊", "同一小时", "6小时"].iter().position(|w| row.2["时间区间"] == *w).unwrap();
        ["day", "visit", "hour", "6hours"][said].to_owned()
    });
}

/// The library of the repository, copied where it may be changed.
fn copied(into: &Path) -> PathBuf {
    let files = Files::in_folder(&root().join("audit_rules")).unwrap();
    for (path, text) in &files.texts {
        let file = into.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    into.to_owned()
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "`{}` has no `{from}`", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

/// Four outpatient prescriptions of 7, 8, 10 and 11 days, ten yuan a day.
fn prescriptions(folder: &Path) -> PathBuf {
    let export = folder.join("export");
    fs::create_dir_all(&export).unwrap();
    let mut lines = String::from(
        "psn_no,mdtrt_id,feedetl_sn,setl_id,fixmedins_code,med_type,fee_ocur_time,hilist_code,list_type,cnt,pric,det_item_fee_sumamt,inscp_amt,prd_days\n",
    );
    let mut visits = String::from("mdtrt_id,psn_no,fixmedins_code,med_type,begntime,endtime\n");
    for (n, days) in [7, 8, 10, 11].iter().enumerate() {
        let (facility, amount) = (n % 2 + 1, days * 10);
        lines.push_str(&format!(
            "P{n},M{n},{n},S{n},H{facility},11,2026-03-02,XC08CAA232A001010100001,101,2,{},{amount}.00,{amount}.00,{days}\n",
            days * 5
        ));
        visits.push_str(&format!("M{n},P{n},H{facility},11,2026-03-02,2026-03-02\n"));
    }
    fs::write(export.join("fee_detail.csv"), lines).unwrap();
    fs::write(export.join("encounter.csv"), visits).unwrap();
    let dataset = folder.join("dataset");
    ingest::ingest(&[export], &ingest::Options::default(), &dataset, &Silent).unwrap_or_else(|e| panic!("{e}"));
    dataset
}

fn by_line(found: &Difference) -> BTreeMap<String, (Kind, String)> {
    found.rows.iter().map(|d| (d.finding().mdtrt_id.clone().unwrap(), (d.kind, format!("{:.2}", d.delta())))).collect()
}

#[test]
fn ten_days_instead_of_seven_change_exactly_these_findings() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = prescriptions(folder.path());
    let seven = copied(&folder.path().join("seven"));
    let ten = copied(&folder.path().join("ten"));
    edit(&ten.join("parameters/rx_days_ordinary.toml"), "value       = 7", "value       = 10");
    let options = |old: &Path, new: &Path| difference::Options {
        old: old.to_owned(),
        new: new.to_owned(),
        dataset: dataset.clone(),
        select: vec!["MED101".to_owned()],
        ..difference::Options::default()
    };
    let found = difference(&options(&seven, &ten), &Silent).unwrap_or_else(|e| panic!("{e}"));
    let row = |kind: Kind, delta: &str| (kind, delta.to_owned());
    // 80 × 1 ÷ 8 = 10 and 100 × 3 ÷ 10 = 30 are gone; 110 × 4 ÷ 11 = 40 becomes 110 × 1 ÷ 11 = 10.
    assert_eq!(
        by_line(&found),
        BTreeMap::from([
            ("M1".to_owned(), row(Kind::Removed, "-10.00")),
            ("M2".to_owned(), row(Kind::Removed, "-30.00")),
            ("M3".to_owned(), row(Kind::Changed, "-30.00")),
        ])
    );
    assert_eq!((found.old.findings, found.new.findings), (3, 1));
    assert_eq!((found.whole.removed, found.whole.removed_amount.to_string().as_str()), (2, "40.00"));
    assert_eq!(found.by_rule.keys().collect::<Vec<_>>(), ["MED101"]);
    assert_eq!(
        (found.by_facility["H1"].removed, found.by_facility["H2"].removed, found.by_facility["H2"].changed),
        (1, 1, 1)
    );
    insta::assert_snapshot!(found.text(Lang::En, 1).replace(&folder.path().display().to_string(), "DIR"));
    let json = found.json();
    assert_eq!(json["findings"].as_array().unwrap().len(), 3);
    assert_eq!((found.csv().len(), json["by_rule"]["MED101"]["removed_amount"].as_str()), (4, Some("40.00")));

    let back = difference(&options(&ten, &seven), &Silent).unwrap();
    assert_eq!((back.whole.added, back.whole.removed, back.whole.changed), (2, 0, 1), "the other way round");
    let same = difference(&options(&seven, &seven), &Silent).unwrap();
    assert_eq!((same.rows.len(), same.same, same.reallocated), (0, 3, 0));
    let none =
        difference(&difference::Options { select: vec!["BIL".to_owned()], ..options(&seven, &ten) }, &Silent).unwrap();
    assert!(none.rows.is_empty());
}

#[test]
fn a_rule_that_changes_without_a_new_version_shows() {
    let folder = tempfile::tempdir().unwrap();
    let rules = copied(folder.path());
    let locked = lock::write(&rules).unwrap().unwrap();
    assert_eq!(lock::check(Some(&rules)).unwrap(), Some(Vec::new()));
    let file = rules.join("billing/daily-cap-exceeded.toml");
    let before = fs::read_to_string(&file).unwrap();
    edit(&file, "used > allowed", "used >= allowed");
    let changes = lock::check(Some(&rules)).unwrap().unwrap();
    assert!(
        matches!(changes.as_slice(), [lock::Change::SameVersion { code, version: 1, .. }] if code == "BIL103"),
        "{changes:?}"
    );
    assert!(changes[0].to_string().contains("version = 2"), "{}", changes[0]);
    assert!(lock::write(&rules).unwrap().is_err(), "the lock is not written over it");

    edit(&file, "code     = \"BIL103\"", "code     = \"BIL103\"\nversion  = 2");
    let changes = lock::check(Some(&rules)).unwrap().unwrap();
    assert!(matches!(changes.as_slice(), [lock::Change::Newer { version: 2, locked: 1, .. }]), "{changes:?}");
    assert_eq!(lock::write(&rules).unwrap().unwrap(), locked);
    assert_eq!(lock::check(Some(&rules)).unwrap(), Some(Vec::new()));

    fs::write(&file, before).unwrap();
    let changes = lock::check(Some(&rules)).unwrap().unwrap();
    assert!(matches!(changes.as_slice(), [lock::Change::Back { version: 1, locked: 2, .. }]), "{changes:?}");
}

#[test]
fn the_library_is_locked_indexed_and_its_changes_are_told_in_four_lines() {
    let files = Files::in_folder(&root().join("audit_rules")).unwrap();
    let set = load(&files).unwrap();
    let changes = lock::changes(&set, &files.texts[lock::FILE]);
    let said: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
    let readme = &files.texts["README.md"];
    assert!(index::placed(&set, readme).unwrap() == *readme, "run `fundaudit rules index --write`");
    for entry in files.texts["CHANGELOG.md"].split("\n## ").skip(1) {
        let lines: Vec<&str> = entry.lines().skip(1).filter(|l| !l.trim().is_empty()).collect();
        let begin = ["- 种类：", "- 期间：", "- 范围：", "- 内容："];
        assert!(
            lines.len() == 4 && lines.iter().zip(begin).all(|(line, word)| line.starts_with(word)),
            "`{}` is not told in the four lines {begin:?}",
            entry.lines().next().unwrap_or_default()
        );
    }
}

#[test]
fn a_new_rule_is_sound_and_silent() {
    let folder = tempfile::tempdir().unwrap();
    let rules = copied(&folder.path().join("rules"));
    let books = folder.path().join("books");
    let options = scaffold::Options {
        place: "billing/oxygen-over-stay".to_owned(),
        code: "BIL199".to_owned(),
        title: "吸氧\"天数\"超过住院天数".to_owned(),
        rules: rules.clone(),
        books: books.clone(),
        ..scaffold::Options::default()
    };
    let (rule, book) = scaffold::new(&options).unwrap_or_else(|e| panic!("{e}"));
    assert!(rule.is_file() && book.is_file());
    let count = library::compile(Some(&rules), &[]).unwrap().plans.len();
    let checked = library::check(Some(&rules)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(checked.plans.len(), count + 1, "checked, but a draft does not run by itself");
    let text = fs::read_to_string(&book).unwrap();
    let book = fundaudit::rules::book::Book::read("book", &text).unwrap();
    let failures = fundaudit::operations::cases::test(&book, &checked.set, &checked.plans);
    assert!(failures.is_empty(), "{}", failures[0]);

    for (change, said) in [
        (
            &(|o: &mut scaffold::Options| o.place = "billing/two".to_owned()) as &dyn Fn(&mut scaffold::Options),
            "already",
        ),
        (&|o| o.place = "bills/two".to_owned(), "no family"),
        (&|o| o.place = "two".to_owned(), "FAMILY/NAME"),
        (&|o| o.place = "billing/Check Two".to_owned(), "no name for a rule"),
        (&|o| (o.place, o.code) = ("billing/two".to_owned(), "STY199".to_owned()), "wanted BIL and three digits"),
    ] {
        let mut other = options.clone();
        change(&mut other);
        let error = scaffold::new(&other).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_rule_is_told_in_three_forms_with_the_same_words() {
    let set = library::open(Some(&root().join("audit_rules"))).unwrap();
    let rule = library::named(&set, "BIL103").unwrap();
    let essay = library::essay(&set, rule);
    let (text, markdown, html) = (essay.text(), essay.markdown(), essay.html());
    for words in [rule.title.as_str(), "第三十八条第三项", "可能合理", "used &gt; allowed"] {
        assert!(html.contains(words), "{words}");
        let words = words.replace("&gt;", ">");
        assert!(text.contains(&words) && markdown.contains(&words), "{words}");
    }
    assert!(markdown.starts_with("# BIL103") && html.starts_with("<!DOCTYPE html>") && !html.contains("http"));
}

type Rows<'a> = &'a [&'a [&'a str]];

fn write(file: &Path, sheets: &[(&str, Rows)]) {
    let mut book = Workbook::new();
    // The same bytes every time.
    let properties = DocProperties::new().set_creation_datetime(&ExcelDateTime::from_ymd(2026, 1, 1).unwrap());
    book.set_properties(&properties);
    for (name, rows) in sheets {
        let sheet = book.add_worksheet();
        sheet.set_name(*name).unwrap();
        for (r, cells) in rows.iter().enumerate() {
            for (c, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
                let (r, c) = (u32::try_from(r).unwrap(), u16::try_from(c).unwrap());
                // Short numbers, and codes marked with `#`, are numbers as a spreadsheet makes them.
                let number = cell.strip_prefix('#').unwrap_or(if cell.len() < 4 { cell } else { "" });
                match number.parse::<f64>() {
                    Ok(number) => sheet.write_number_with_format(r, c, number, &Format::new()).map(|_| ()).unwrap(),
                    Err(_) => sheet.write_string(r, c, *cell).map(|_| ()).unwrap(),
                }
            }
        }
    }
    book.save(file).unwrap();
}

#[test]
#[expect(clippy::too_many_lines, reason = "four workbooks, row by row")]
fn write_the_workbooks() {
    // Writes only when asked to, after a change of what is below.
    if std::env::var_os("FUNDAUDIT_WRITE_FIXTURES").is_none() {
        return;
    }
    let folder = root().join("fixtures/knowledge");
    fs::create_dir_all(&folder).unwrap();
    let head: &[&str] = &["序号", "医疗服务项目名称", "单日上限数量", "数量单位", "检出逻辑", "项目代码", "备注"];
    let over = "使用项目的数量总计超过上限数量";
    write(
        &folder.join(DAILY),
        &[(
            "知识点明细",
            &[
                &["“医疗服务项目限定频次”规则对应知识点明细"],
                head,
                &["1", "Ⅱ级护理", "1", "日", over, "001201000040000"],
                &["2", "心电监测", "24", "小时", over, "003107010220000"],
                &["3", "血氧饱和度监测", "24", "小时", over, "003107010280000"],
                &["4", "心电监测", "24", "小时", over, "003107010220000", "重复列出"],
                &["5", "Ⅲ级护理", "1", "日", over, "#1201000050000", "编码被存成数字"],
                &["6", "康复评定", "2", "月", over, "003402000390000"],
                &["7", "层流洁净病房床位费", "1", "日", over],
                &["合计", "", "7"],
                &["备注：各省按本省项目细化。"],
            ],
        )],
    );
    write(
        &folder.join(DAILY_LATER),
        &[(
            "知识点明细",
            &[
                &["序号", "项目名称", "限制数量", "数量单位", "项目编码"],
                &["1", "Ⅱ级护理", "2", "日", "001201000040000"],
                &["2", "心电监测", "24", "小时", "003107010220000"],
                &["3", "Ⅲ级护理", "1", "日", "001201000050000"],
            ],
        )],
    );
    let low = "使用药品的医疗机构级别低于限定级别";
    write(
        &folder.join(LEVELS),
        &[
            (
                "知识点明细",
                &[
                    &[
                        "序号",
                        "药品通用名",
                        "限定机构等级",
                        "检出逻辑",
                        "逻辑依据（药品目录备注）",
                        "知识点对应药品代码数量",
                    ],
                    &["1", "参麦注射液", "二级及以上", low, "限二级及以上医疗机构。", "3"],
                    &["2", "度拉糖肽注射液", "二级", low, "首次处方时需由二级及以上医疗机构专科医师开具处方。", "2"],
                    &[
                        "3",
                        "康柏西普眼用注射液",
                        "三级",
                        low,
                        "首次处方时病眼基线矫正视力0.05-0.5；需三级综合医院眼科医师处方。",
                        "1",
                    ],
                    &["4", "甲注射液", "甲等", low, "限甲等医院。", "1"],
                    &["5", "乙注射液", "二级", low, "限二级及以上医疗机构。", "0"],
                ],
            ),
            (
                "知识点对应药品代码",
                &[
                    &["对应知识点序号", "药品通用名", "序号", "药品代码"],
                    &["1", "参麦注射液", "1", "ZA09HAC0101010100001"],
                    &["1", "参麦注射液", "2", "ZA09HAC0101010200001"],
                    &["2", "度拉糖肽注射液", "1", "XA10BJD332B001010100001"],
                    &["2", "度拉糖肽注射液", "2", "XA10BJD332B001020100001"],
                    &["3", "康柏西普眼用注射液", "1", "XS01LAK119B001010100001"],
                    &["4", "甲注射液", "1", "ZA09HAC0999010100001"],
                    &["9", "丙注射液", "1", "ZA09HAC0998010100001"],
                    &["1", "丹参注射液", "3", "ZA12CAD0073010100001"],
                ],
            ),
        ],
    );
    let both = "项目A和项目B同时收费";
    write(
        &folder.join(PAIRS),
        &[(
            "知识点明细",
            &[
                &[
                    "序号",
                    "时间区间",
                    "项目A名称",
                    "项目A代码",
                    "项目B名称",
                    "项目B代码",
                    "检出逻辑",
                    "逻辑依据（项目A内涵）",
                    "备注",
                ],
                &[
                    "1",
                    "单日",
                    "急诊监护费",
                    "001103000010000",
                    "急诊诊查费",
                    "001102000030000",
                    both,
                    "含监护、床位、诊查、护理",
                ],
                &[
                    "2",
                    "单日",
                    "急诊监护费",
                    "001103000010000",
                    "普通病房床位费",
                    "001109000010000",
                    both,
                    "含监护、床位、诊查、护理",
                ],
                &[
                    "3",
                    "单次就诊",
                    "卵巢癌根治术",
                    "003313010060000",
                    "全子宫切除术",
                    "003313030280000",
                    both,
                    "含全子宫切除",
                ],
                &[
                    "4",
                    "6小时",
                    "睡眠呼吸监测",
                    "003106040010000",
                    "血氧饱和度监测",
                    "003107010280000",
                    both,
                    "含血氧饱和度",
                ],
                &[
                    "5",
                    "同一小时",
                    "持续有创性血压监测",
                    "003107020020000",
                    "心电监测",
                    "003107010220000",
                    both,
                    "含心电、压力连续示波",
                ],
                &["6", "12小时", "睡眠呼吸监测", "003106040010000", "心电监测", "003107010220000", both, "含心电"],
            ],
        )],
    );
}
