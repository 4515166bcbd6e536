//! Exports as bureaus send them, and the dataset they become.
//!
//! Goes in: small files written here. Comes out: what `fundaudit::ingest` says of them. To add a story: write the files with
//! [`Export`], ingest, look at rows, counts and the quarantine list.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use fundaudit::ingest::{
    Dataset, Error, Options, TableBuilder, TableSummary, Value, ingest, parse, parse_cell, survey,
};
use fundaudit::model::{Kind, Table};
use fundaudit::progress::Silent;
use proptest::prelude::*;

/// A folder with an export, and a place for its dataset.
pub struct Export {
    folder: tempfile::TempDir,
}

/// A line of `quarantine.csv`: file, row, column, reason, text.
pub type Quarantined = (String, u64, String, String, String);

impl Export {
    pub fn new() -> Export {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("export")).unwrap();
        Export { folder }
    }

    pub fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Export {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("export")
    }

    pub fn dataset(&self) -> PathBuf {
        self.folder.path().join("dataset")
    }

    pub fn ingest_with(&self, options: &Options) -> Result<Dataset, Error> {
        ingest(&[self.path()], options, &self.dataset(), &Silent)
    }

    pub fn ingest(&self) -> Dataset {
        let dataset = self.ingest_with(&Options::default()).unwrap_or_else(|e| panic!("{e}"));
        for summary in dataset.manifest().tables.values() {
            let mut accounted = summary.audited.sum.0 + summary.duplicates.sum.0 + summary.quarantined.sum.0;
            assert_eq!(summary.read.sum.0, accounted);
            accounted = i128::from(summary.audited.rows + summary.duplicates.rows + summary.quarantined.rows);
            assert_eq!(i128::from(summary.read.rows), accounted);
        }
        dataset
    }

    pub fn refusal(&self) -> String {
        let error = self.ingest_with(&Options::default()).unwrap_err().to_string();
        let name = self.folder.path().file_name().unwrap().to_string_lossy().into_owned();
        assert!(!self.dataset().exists(), "a refused export leaves no dataset");
        let left: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["export"], "a refused export leaves nothing behind in {name}");
        error
    }

    pub fn quarantine(&self) -> Vec<Quarantined> {
        let mut list = csv::Reader::from_path(self.dataset().join("quarantine.csv")).unwrap();
        list.deserialize().map(|l| l.unwrap()).collect()
    }

    /// Row, column and reason of the quarantine list.
    pub fn reasons(&self) -> Vec<String> {
        self.quarantine().into_iter().map(|(_, row, column, reason, _)| format!("{row} {column}: {reason}")).collect()
    }
}

pub fn counts(dataset: &Dataset, table: Table) -> (u64, u64, u64, u64) {
    let t: &TableSummary = &dataset.manifest().tables[table.name()];
    (t.read.rows, t.quarantined.rows, t.duplicates.rows, t.audited.rows)
}

/// Every row of a table, as texts joined by blanks.
pub fn rows(dataset: &Dataset, table: Table, columns: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for unit in dataset.units() {
        all.extend(texts(&dataset.read(unit, table, columns).unwrap()));
    }
    all
}

pub fn texts(batch: &RecordBatch) -> Vec<String> {
    (0..batch.num_rows())
        .map(|row| {
            let cells: Vec<String> = batch
                .columns()
                .iter()
                .map(|c| {
                    let text = arrow::compute::cast(c, &arrow::datatypes::DataType::Utf8).unwrap();
                    let text = text.as_string::<i32>();
                    if text.is_null(row) { "null".to_owned() } else { text.value(row).to_owned() }
                })
                .collect();
            cells.join(" ")
        })
        .collect()
}

pub const FEES: &str =
    "feedetl_sn,mdtrt_id,psn_no,fixmedins_code,fee_ocur_time,hilist_code,cnt,pric,det_item_fee_sumamt\n";
pub const ENCOUNTERS: &str = "mdtrt_id,psn_no,fixmedins_code,med_type,begntime,endtime\n";
pub const SETTLEMENTS: &str = "setl_id,mdtrt_id,psn_no,fixmedins_code,setl_time,medfee_sumamt\n";

fn month() -> Export {
    Export::new()
        .with(
            "fee_detail_2026-03.csv",
            format!(
                "{FEES}1,M1,P1,H1,2026-03-11,001,2,12,24.00\n2,M1,P1,H1,2026-03-10 08:00:00,002,1,5,5.00\n1,M2,P2,H1,2026-03-12,001,1,12,12.00\n"
            ),
        )
        .with("encounter.csv", format!("{ENCOUNTERS}M1,P1,H1,21,2026-03-10,2026-03-12\nM2,P2,H1,11,2026-03-12,\n"))
        .with("settlement.csv", format!("{SETTLEMENTS}S1,M1,P1,H1,2026-03-12 10:00:00,29.00\nS2,M2,P2,H1,2026-03-12,12.00\n"))
        .with("诊断.csv", "就诊ID,诊断代码,主诊断标志\nM1,I10.x00,是\nM1,E11.900,否\n")
        .with("定点机构.csv", "机构编码,机构名称,医院等级\nH1,第一医院,2\n")
        .with("README.md", "# an export")
}

#[test]
fn a_folder_of_tables_becomes_a_dataset() {
    let export = month();
    let dataset = export.ingest();
    assert_eq!(counts(&dataset, Table::FeeDetail), (3, 0, 0, 3));
    assert_eq!(dataset.manifest().tables["fee_detail"].audited.sum.to_string(), "41.00");
    assert_eq!(dataset.manifest().tables["settlement"].read.sum.to_string(), "41.00");
    assert_eq!(dataset.units().len(), 1);
    assert_eq!(dataset.units()[0].fee_lines, 3);
    assert_eq!(
        rows(&dataset, Table::FeeDetail, &["psn_no", "feedetl_sn", "fee_ocur_time", "cnt", "det_item_fee_sumamt"]),
        [
            "P1 2 2026-03-10T08:00:00 1.0000 5.00",
            "P1 1 2026-03-11T00:00:00 2.0000 24.00",
            "P2 1 2026-03-12T00:00:00 1.0000 12.00"
        ]
    );
    assert_eq!(
        rows(&dataset, Table::Diagnosis, &["diag_code", "psn_no", "maindiag_flag"]),
        ["E11.900 P1 0", "I10.x00 P1 1"]
    );
    let facilities = dataset.facilities().unwrap();
    assert_eq!(facilities.column_by_name("hosp_lv").unwrap().as_string::<i32>().value(0), "02");
    assert_eq!(dataset.manifest().first_day.map(fundaudit::model::day::text).as_deref(), Some("2026-03-10"));
    assert!(dataset.manifest().tables["diagnosis"].present);
    assert!(!dataset.manifest().tables["presence"].present);
    assert!(export.quarantine().is_empty());
    let empty = dataset.read(&dataset.units()[0], Table::Presence, &["psn_no", "mdtrt_id"]).unwrap();
    assert_eq!((empty.num_rows(), empty.num_columns()), (0, 2));
    assert!(dataset.read(&dataset.units()[0], Table::Presence, &["nothing"]).is_err());
}

#[test]
fn the_same_rows_in_any_order_threads_and_buckets_are_the_same_dataset() {
    let mut lines: Vec<String> =
        (0..400).map(|i| format!("{i},M{},P{},H1,2026-03-{:02},001,1,12,{}.00", i / 4, i / 8, 1 + i % 28, i)).collect();
    lines.push("7,M1,P0,H1,2026-03-08,001,1,12,7.00".to_owned());
    lines.push("9,M2,P1,H1,2026-03-10,001,1,12,1.00".to_owned());
    let encounters: String = (0..100).map(|i| format!("M{i},P{},H1,21,2026-03-01,\n", i / 2)).collect();
    let ingested = |lines: &[String], threads: usize, buckets: usize| {
        let export = Export::new()
            .with("fees.csv", format!("{FEES}{}\n", lines.join("\n")))
            .with("encounter.csv", format!("{ENCOUNTERS}{encounters}"));
        let options = Options { threads: Some(threads), buckets: Some(buckets), ..Options::default() };
        let dataset = export.ingest_with(&options).unwrap();
        let mut files = Vec::new();
        for bucket in 0..buckets {
            let path = export.dataset().join(format!("bucket-{bucket:04}")).join("fee_detail.parquet");
            files.push(std::fs::read(path).unwrap_or_default());
        }
        let mut quarantine: Vec<String> =
            export.quarantine().into_iter().map(|(.., reason, text)| reason + &text).collect();
        quarantine.sort();
        let mut all = rows(&dataset, Table::FeeDetail, &["psn_no", "mdtrt_id", "feedetl_sn", "det_item_fee_sumamt"]);
        all.sort();
        (files, quarantine, all, counts(&dataset, Table::FeeDetail))
    };
    let forth = ingested(&lines, 1, 4);
    lines.reverse();
    let back = ingested(&lines, 3, 4);
    assert_eq!(forth, back);
    assert_eq!(forth.3, (402, 2, 1, 399));
    let one = ingested(&lines, 2, 1);
    assert_eq!((forth.1, forth.2), (one.1, one.2));
}

#[test]
fn units_hold_whole_persons_and_every_table_the_same_ones() {
    let mut fees = FEES.to_owned();
    let mut encounters = ENCOUNTERS.to_owned();
    for person in 0..2_600 {
        encounters.push_str(&format!("M{person},P{person:05},H1,21,2026-03-01,\n"));
        for line in 0..80 {
            fees.push_str(&format!("{line},M{person},P{person:05},H1,2026-03-01,001,1,1,1\n"));
        }
    }
    let export = Export::new().with("fee_detail.csv", fees).with("encounter.csv", encounters);
    let dataset = export.ingest_with(&Options { buckets: Some(1), ..Options::default() }).unwrap();
    assert_eq!(dataset.units().iter().map(|u| u.fee_lines).collect::<Vec<_>>(), [100_000, 100_000, 8_000]);
    for unit in dataset.units() {
        let mut of_lines = texts(&dataset.read(unit, Table::FeeDetail, &["psn_no"]).unwrap());
        of_lines.dedup();
        assert_eq!(of_lines, texts(&dataset.read(unit, Table::Encounter, &["psn_no"]).unwrap()));
    }
}

#[test]
fn gb18030_with_title_rows_totals_and_a_second_header_is_read() {
    let text = "某某医院2026年3月费用明细表\n\n\
        费用明细流水号,就诊ID,人员编号,机构编码,费用发生日期,项目编码,项目名称,数量,单价(元),金额（元）\n\
        1,M1,P1,H1,2026/3/5,001,床位费,１,\"1,234.50\",\"1,234.50\"\n\
        费用明细流水号,就诊ID,人员编号,机构编码,费用发生日期,项目编码,项目名称,数量,单价(元),金额（元）\n\
        2,M1,P1,H1,20260306,002,护理,-1,10,￥-10.00\n\
        合计,,,,,,,,,\"1,224.50\"\n\
        制表人：张三\n";
    let (bytes, _, _) = encoding_rs::GB18030.encode(text);
    let export = Export::new().with("2026年3月费用明细.csv", bytes);
    let dataset = export.ingest();
    assert_eq!(counts(&dataset, Table::FeeDetail), (2, 0, 0, 2));
    assert_eq!(
        rows(&dataset, Table::FeeDetail, &["hilist_name", "det_item_fee_sumamt", "pric"]),
        ["床位费 1234.50 1234.500000", "护理 -10.00 10.000000"]
    );
    assert_eq!(export.reasons(), ["5 : repeated header", "7 : totals row", "8 : totals row"]);
    let survey = survey(&[export.path()], None).unwrap();
    assert_eq!(survey.files[0].encoding.unwrap().name(), "GB18030");
    assert_eq!((survey.files[0].header_row, survey.files[0].title_rows), (3, 1));
}

#[test]
fn utf16_tabs_and_byte_order_marks_are_read() {
    let text = format!("{FEES}1,M1,P1,H1,2026-03-11,001,2,12,24.00\n").replace(',', "\t");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let export = Export::new()
        .with("fee_detail_1.txt", utf16)
        .with("fee_detail_2.csv", format!("\u{feff}{}2;M1;P1;H1;2026-03-11;001;2;12;24.00", FEES.replace(',', ";")));
    let dataset = export.ingest();
    assert_eq!(counts(&dataset, Table::FeeDetail), (2, 0, 0, 2));
}

#[test]
fn a_flat_file_is_read_as_several_tables() {
    let export = Export::new().with(
        "三月.csv",
        "费用明细流水号,就诊ID,结算ID,人员编号,姓名,性别,机构编码,机构名称,医疗类别,入院时间,出院时间,诊断编码,收费日期,项目编码,数量,金额,统筹支付,结算时间,医疗费总额,inscp_amt,结算.符合范围金额\n\
         1,M1,S1,P1,张三,男,H1,一院,21,2026-03-01,2026-03-03,I10,2026-03-01,001,1,10.00,20.00,2026-03-03,30.00,9.00,25.00\n\
         2,M1,S1,P1,张三,男,H1,一院,21,2026-03-01,2026-03-03,I10,2026-03-02,001,1,20.00,20.00,2026-03-03,30.00,16.00,25.00\n\
         1,M2,,P2,李四,女,H1,一院,11,2026-03-05,,J06,2026-03-05,002,1,7.00,,,,7.00,\n",
    );
    let dataset = export.ingest();
    assert_eq!(export.reasons(), Vec::<String>::new());
    assert_eq!(counts(&dataset, Table::FeeDetail), (3, 0, 0, 3));
    assert_eq!(counts(&dataset, Table::Encounter), (2, 0, 0, 2));
    assert_eq!(counts(&dataset, Table::Settlement), (1, 0, 0, 1));
    assert_eq!(counts(&dataset, Table::Person), (2, 0, 0, 2));
    assert_eq!(counts(&dataset, Table::Diagnosis), (2, 0, 0, 2));
    assert_eq!(counts(&dataset, Table::Facility), (1, 0, 0, 1));
    assert_eq!(
        rows(&dataset, Table::Settlement, &["setl_id", "medfee_sumamt", "hifp_pay", "inscp_amt"]),
        ["S1 30.00 20.00 25.00"]
    );
    assert_eq!(rows(&dataset, Table::FeeDetail, &["inscp_amt"]), ["9.00", "16.00", "7.00"]);
    assert_eq!(rows(&dataset, Table::Encounter, &["psn_no", "gend"]), ["P1 1", "P2 2"]);
}

#[test]
fn a_flat_file_that_contradicts_itself_says_where() {
    let head = "feedetl_sn,mdtrt_id,psn_no,fixmedins_code,fee_ocur_time,hilist_code,cnt,det_item_fee_sumamt,med_type,begntime\n";
    let export = Export::new().with(
        "flat.csv",
        format!("{head}1,M1,P1,H1,2026-03-01,001,1,1,21,2026-03-01\n2,M1,P1,H1,2026-03-01,001,1,1,21,2026-03-02\n"),
    );
    let dataset = export.ingest();
    assert_eq!(counts(&dataset, Table::Encounter), (2, 2, 0, 0));
    assert_eq!(counts(&dataset, Table::FeeDetail), (2, 0, 0, 2));
    assert_eq!(export.reasons().len(), 2);
}

#[test]
fn workbooks_made_by_hand_are_read() {
    use rust_xlsxwriter::{Format, Workbook};
    let mut book = Workbook::new();
    book.add_worksheet().set_name("说明").unwrap().write(0, 0, "三月导出").unwrap();
    let sheet = book.add_worksheet();
    sheet.set_name("费用明细").unwrap();
    sheet.merge_range(0, 0, 0, 8, "三月费用", &Format::new()).unwrap();
    for (i, name) in
        ["费用明细流水号", "就诊ID", "人员编号", "机构编码", "费用发生时间", "项目编码", "数量", "单价", "金额"]
            .iter()
            .enumerate()
    {
        sheet.write(2, u16::try_from(i).unwrap(), *name).unwrap();
    }
    let day = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    for (row, id) in [(3, 1.0), (4, 2.0)] {
        sheet.write(row, 0, id).unwrap();
        sheet.write(row, 1, "M1").unwrap();
        sheet.write(row, 2, 330_102_000_123_f64).unwrap();
        sheet.write(row, 3, "H1").unwrap();
        sheet.write_with_format(row, 4, 46_092.333_333_333, &day).unwrap();
        sheet.write(row, 5, "001").unwrap();
        sheet.write(row, 6, 3).unwrap();
        sheet.write(row, 7, 0.1).unwrap();
        sheet.write(row, 8, 0.1 + 0.2).unwrap();
    }
    sheet.write(5, 0, 123_456_789_012_345_678.0).unwrap();
    sheet.write(5, 1, "M1").unwrap();
    sheet.write(5, 2, "P1").unwrap();
    sheet.write(5, 3, "H1").unwrap();
    sheet.write(5, 4, 46_092).unwrap();
    sheet.write(5, 5, "001").unwrap();
    sheet.write(5, 6, 3).unwrap();
    sheet.write(5, 8, 7.5).unwrap();
    sheet.write(6, 0, "合计").unwrap();
    sheet.write(6, 8, 0.6).unwrap();
    let export = Export::new().with("三月.xlsx", book.save_to_buffer().unwrap());
    let dataset = export.ingest();
    assert_eq!(
        rows(&dataset, Table::FeeDetail, &["psn_no", "feedetl_sn", "fee_ocur_time", "det_item_fee_sumamt"]),
        ["330102000123 1 2026-03-11T08:00:00 0.30", "330102000123 2 2026-03-11T08:00:00 0.30"]
    );
    assert_eq!(counts(&dataset, Table::FeeDetail), (3, 1, 0, 2));
    assert_eq!(dataset.manifest().tables["fee_detail"].quarantined.sum.to_string(), "7.50");
    assert_eq!(
        export.reasons(),
        ["6 feedetl_sn: identifier turned into a float by a spreadsheet, unrecoverable", "7 : totals row"]
    );
}

#[test]
fn a_dataset_of_parquet_files_is_an_export_too() {
    let first = month();
    let dataset = first.ingest();
    let second = Export::new()
        .with("fee_detail.parquet", std::fs::read(first.dataset().join("bucket-0000/fee_detail.parquet")).unwrap())
        .with("encounter.parquet", std::fs::read(first.dataset().join("bucket-0000/encounter.parquet")).unwrap());
    let again = second.ingest();
    let columns: Vec<&str> = Table::FeeDetail.columns().iter().map(|c| c.name).collect();
    assert_eq!(rows(&dataset, Table::FeeDetail, &columns), rows(&again, Table::FeeDetail, &columns));
}

#[test]
fn duplicates_are_counted_and_contradictions_quarantined() {
    let export = Export::new()
        .with(
            "fee_detail.csv",
            format!(
                "{FEES}1,M1,P1,H1,2026-03-11,001,2,12,24.00\n1,M1,P1,H1,2026/3/11,001,2.0,12,24\n\
                 2,M1,P1,H1,2026-03-11,001,2,12,24.00\n2,M1,P1,H1,2026-03-11,001,2,12,25.00\n\
                 3,M1,P9,H1,2026-03-11,001,2,12,1.00\n4,M7,P1,H1,2026-03-11,001,2,12,2.00\n"
            ),
        )
        .with("encounter.csv", format!("{ENCOUNTERS}M1,P1,H1,21,2026-03-10,\n"))
        .with("settlement.csv", format!("{SETTLEMENTS}S1,M1,P2,H1,2026-03-10,5\nS2,M8,P2,H1,2026-03-10,6\nS3,M1,P1,H1,2026-03-10,7\nS3,M1,P1,H1,2026-03-10,8\n"))
        .with("diagnosis.csv", "mdtrt_id,diag_code\nM1,I10\nM1,I10\nM5,I10\n");
    let dataset = export.ingest();
    assert_eq!(counts(&dataset, Table::FeeDetail), (6, 3, 1, 2));
    assert_eq!(counts(&dataset, Table::Settlement), (4, 3, 0, 1));
    assert_eq!(counts(&dataset, Table::Diagnosis), (3, 1, 1, 1));
    assert_eq!(dataset.manifest().tables["fee_detail"].duplicates.sum.to_string(), "24.00");
    let list: Vec<String> = export
        .quarantine()
        .into_iter()
        .map(|(file, row, _, reason, text)| format!("{file} {row} {reason} {text}"))
        .collect();
    assert_eq!(
        list,
        [
            "diagnosis.csv 4 no encounter with this mdtrt_id M5",
            "fee_detail.csv 4 several rows with this mdtrt_id+feedetl_sn, and they differ M1+2",
            "fee_detail.csv 5 several rows with this mdtrt_id+feedetl_sn, and they differ M1+2",
            "fee_detail.csv 6 psn_no differs from its encounter's P9 (M1)",
            "settlement.csv 2 psn_no differs from its encounter's P2 (M1)",
            "settlement.csv 4 several rows with this setl_id, and they differ S3",
            "settlement.csv 5 several rows with this setl_id, and they differ S3",
        ]
    );
}

#[test]
fn a_mapping_reads_a_foreign_export() {
    let export = Export::new()
        .with("medications.csv", "START,PATIENT,CODE,COST\n2026-03-01T08:00:00Z,p1,314,12.50\n2026-03-02T08:00:00Z,p1,315,\n2026-03-02T08:00:00Z,p2,x,3.00\n")
        .with("patients.csv", "Id,GENDER\np1,M\np2,F\np3,X\n")
        .with("other.csv", "a,b\n1,2\n");
    let mapping = export.path().join("mapping.toml");
    std::fs::write(
        &mapping,
        r#"
[[fee_detail]]
file = "med*.csv"
where = "COST is not null"
[fee_detail.columns]
feedetl_sn = { column = "row_number" }
mdtrt_id = { sql = "concat(PATIENT, '-', substr(START, 1, 10))" }
psn_no = { column = "PATIENT" }
fixmedins_code = { value = "H1" }
fee_ocur_time = { column = "START" }
hilist_code = { column = "CODE" }
cnt = { value = "1" }
prd_days = { sql = "cast(CODE as int) - 300" }
det_item_fee_sumamt = { column = "COST" }

[[person]]
file = "patients.csv"
[person.columns]
psn_no = { column = "Id" }
gend = { column = "GENDER", values = { M = "1", F = "2" } }
"#,
    )
    .unwrap();
    let options = Options { mapping: Some(mapping.clone()), ..Options::default() };
    let dataset = export.ingest_with(&options).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(rows(&dataset, Table::FeeDetail, &["feedetl_sn", "mdtrt_id", "prd_days"]), ["2 p1-2026-03-01 14.0000"]);
    assert_eq!(rows(&dataset, Table::Person, &["psn_no", "gend"]), ["p1 1", "p2 2"]);
    let reasons = export.reasons();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].starts_with("4 : `cast(CODE as int) - 300` of the mapping fails"), "{reasons:?}");
    assert_eq!(reasons[1], "4 gend: the mapping has no value for it and no default");

    let mistakes = |text: &str| {
        std::fs::write(&mapping, text).unwrap();
        export.ingest_with(&options).unwrap_err().to_string()
    };
    assert!(mistakes("[[fee_detal]]\nfile = 'x'").contains("unknown table `fee_detal`; nearest: `fee_detail`"));
    assert!(
        mistakes("[[person]]\nfile = 'patients.csv'\n[person.columns]\npsn_nr = { value = 'x' }")
            .contains("nearest: `psn_no`")
    );
    assert!(
        mistakes("[[person]]\nfile = 'patients.csv'\n[person.columns]\npsn_no = { column = 'ID' }")
            .contains("unknown column `ID`; nearest: `Id`")
    );
    assert!(
        mistakes("[[person]]\nfile = 'patients.csv'\n[person.columns]\npsn_no = { sql = 'random()' }")
            .contains("`random()`")
    );
    assert!(
        mistakes("[[person]]\nfile = 'patients.csv'\n[person.columns]\npsn_no = { sql = 'cast(now() as text)' }")
            .contains("`now`")
    );
    assert!(
        mistakes("[[person]]\nfile = 'nobody.csv'\n[person.columns]\npsn_no = { column = 'ID' }")
            .contains("no file `nobody.csv`")
    );
    assert!(
        mistakes("[[person]]\nfile = 'patients.csv'\n[person.columns]\ngend = { value = '1' }")
            .contains("required column `psn_no`")
    );
}

#[test]
fn a_survey_says_what_is_in_the_files() {
    let export = month()
        .with("wrong.csv", "psn_no,begntime\nP1,2026-03-01\n")
        .with("fees_2.csv", format!("{FEES}1,M1,P1,H1,soon,001,2,12,24.00\n"));
    let survey = survey(&[export.path()], None).unwrap();
    assert_eq!(survey.files.iter().map(|f| f.tables[0].table).collect::<Vec<_>>().len(), 6);
    assert_eq!(survey.errors.len(), 1, "{:?}", survey.errors);
    assert!(survey.errors[0].contains("`wrong.csv`"), "{:?}", survey.errors);
    let fees = survey.files.iter().find(|f| f.file == "fees_2.csv").unwrap();
    assert_eq!(fees.quarantined[0].column, "fee_ocur_time");
    assert_eq!(fees.delimiter, Some(','));
    assert!(fees.tables[0].missing.contains(&"inscp_amt"));
}

#[test]
fn a_folder_that_is_no_dataset_is_not_overwritten() {
    let export = month();
    std::fs::create_dir(export.dataset()).unwrap();
    std::fs::write(export.dataset().join("letter.txt"), "dear").unwrap();
    let error = export.ingest_with(&Options::default()).unwrap_err().to_string();
    assert!(error.contains("is no dataset"), "{error}");
    std::fs::remove_file(export.dataset().join("letter.txt")).unwrap();
    export.ingest();
    export.ingest();
    assert!(
        ingest(&[export.dataset()], &Options::default(), Path::new("x"), &Silent)
            .unwrap_err()
            .to_string()
            .contains("dataset already")
    );
}

#[test]
fn cells_as_people_type_them() {
    let money = |text: &str| match parse(Kind::Money, text) {
        Ok(Value::Decimal(cents)) => cents.to_string(),
        Ok(Value::Null) => "null".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(bad) => bad.reason.into_owned(),
    };
    for (text, cents) in [
        ("12", "1200"),
        ("-12.3", "-1230"),
        ("1,234.50", "123450"),
        ("１２．５", "1250"),
        ("－３", "-300"),
        ("￥12.00元", "1200"),
        ("12.5000", "1250"),
        ("1.2E+3", "120000"),
        ("(12.00)", "-1200"),
        ("+.5", "50"),
        ("", "null"),
        ("无", "null"),
        ("\\N", "null"),
        ("12,50", "not a number: the commas do not part thousands"),
        ("12.345", "more than 2 digits after the point"),
        ("123456789012345", "absurd size: more than sixteen digits"),
        ("1E+99", "absurd size: more than sixteen digits"),
        ("twelve", "not a number"),
        ("99999999999999.99", "9999999999999999"),
        ("1.2.3", "not a number"),
        ("--1", "not a number"),
    ] {
        assert_eq!(money(text), cents, "{text}");
    }
    let time = |text: &str| match parse(Kind::Time, text) {
        Ok(Value::Time(time)) => {
            let array = arrow::array::PrimitiveArray::<TimestampMicrosecondType>::from(vec![time]);
            arrow::compute::cast(&array, &arrow::datatypes::DataType::Utf8)
                .unwrap()
                .as_string::<i32>()
                .value(0)
                .to_owned()
        }
        Ok(other) => format!("{other:?}"),
        Err(bad) => bad.reason.into_owned(),
    };
    for (text, wanted) in [
        ("2024-01-05", "2024-01-05T00:00:00"),
        ("2024/1/5", "2024-01-05T00:00:00"),
        ("2024.1.5", "2024-01-05T00:00:00"),
        ("20240105", "2024-01-05T00:00:00"),
        ("2024-01-05 08:00:00", "2024-01-05T08:00:00"),
        ("2024-01-05T08:00:00Z", "2024-01-05T08:00:00"),
        ("2024-01-05T08:00:00.123+08:00", "2024-01-05T08:00:00"),
        ("20240105080000", "2024-01-05T08:00:00"),
        ("2024/1/5 8:00", "2024-01-05T08:00:00"),
        ("2024年1月5日", "2024-01-05T00:00:00"),
        ("2024年1月5日8时30分", "2024-01-05T08:30:00"),
        ("45296", "2024-01-05T00:00:00"),
        ("45296.5", "2024-01-05T12:00:00"),
        ("２０２４－０１－０５", "2024-01-05T00:00:00"),
        ("2024-02-29", "2024-02-29T00:00:00"),
        ("2023-02-29", "no such day in the calendar"),
        ("1899-12-31", "year outside 1900 to 2199"),
        ("2200-01-01", "year outside 1900 to 2199"),
        ("2024-01-05 25:00:00", "no such time of day"),
        ("2199-12-31", "2199-12-31T00:00:00"),
    ] {
        assert_eq!(time(text), wanted, "{text}");
    }
    for text in ["2024", "5/1/2024", "soon", "2024-13", "99999999999", "1"] {
        assert!(parse(Kind::Time, text).is_err(), "{text}");
    }
    let cell = |table: Table, column: &str, text: &str| match parse_cell(
        &table.columns()[table.position(column).unwrap()],
        text,
    ) {
        Ok(Value::Text(text)) => text.into_owned(),
        Ok(other) => format!("{other:?}"),
        Err(bad) => bad.reason.into_owned(),
    };
    for (column, text, wanted) in [
        ("hosp_lv", "1", "01"),
        ("hosp_lv", "2.0", "02"),
        ("med_type", "11.0", "11"),
        ("gend", "男", "1"),
        ("psn_no", "Ｐ１２", "P12"),
        ("psn_no", "'00123", "00123"),
        ("psn_no", "=\"00123\"", "00123"),
        ("dscg_maindiag_code", "39.0", "39.0"),
        ("traf_dept_flag", "是", "1"),
        ("traf_dept_flag", "False", "0"),
        ("traf_dept_flag", "maybe", "not a flag: wanted 0, 1, 是, 否, Y, N, true or false"),
        ("mdtrt_id", "1.23457E+17", "identifier turned into a float by a spreadsheet, unrecoverable"),
        ("mdtrt_id", "a\u{0}b", "a NUL or control character in the cell"),
        ("mdtrt_id", "  M1\u{3000}", "M1"),
    ] {
        assert_eq!(cell(Table::Encounter, column, text), wanted, "{column} {text}");
    }
    assert!(cell(Table::Encounter, "dscg_maindiag_name", &"长".repeat(4_001)).starts_with("more than 4000"));
}

#[test]
fn a_builder_refuses_a_bad_row_whole() {
    let mut builder = TableBuilder::new(Table::FeeDetail);
    let at = |name: &str| Table::FeeDetail.position(name).unwrap();
    let good = [
        (at("feedetl_sn"), "1"),
        (at("mdtrt_id"), "M1"),
        (at("psn_no"), "P1"),
        (at("fixmedins_code"), "H1"),
        (at("fee_ocur_time"), "2026-03-01"),
        (at("hilist_code"), "001"),
        (at("cnt"), "1"),
        (at("det_item_fee_sumamt"), "12.30"),
    ];
    builder.push(good).unwrap();
    let bad = builder.push([(at("feedetl_sn"), "2"), (at("cnt"), "many")]).unwrap_err();
    assert_eq!(bad.len(), 7);
    assert_eq!((bad[0].column, bad[0].reason.as_ref()), ("cnt", "not a number"));
    let batch = builder.finish();
    assert_eq!((batch.num_rows(), batch.schema()), (1, Table::FeeDetail.schema()));
    assert_eq!(batch.column(at("det_item_fee_sumamt")).as_primitive::<Decimal128Type>().value(0), 1230);
    assert!(builder.is_empty());
}

/// The cells of a file are read on a shorter way where they are written as most are: it ends where the long one does.
#[test]
fn a_cell_of_a_file_is_what_it_is_alone() {
    let long = "长".repeat(4_001);
    #[rustfmt::skip]
    let spellings = [
        "", "-", "\\N", "NULL", "null", "无", " ", "0", "1", "9", "01", "10", "1.0", "11.0", "1.50", "10.05", "-3", "+3", ".5", "5.",
        "12.30", "12.345", "99999999999999999", "1,234.50", "￥12.00元", "(12.00)", "e5", "5e5", "5E+5", "5.5E+5", "1.23457E+17",
        "J18.900", "XR05CBA176B002010100035", "'00123", "=\"00123\"", "Ａ１２", " M1", "M1\u{3000}", "中文", "中文）", "中 文", "\u{3000}中文",
        "a\tb", "a\u{1}b", "a\u{7f}b", "a\u{85}b", "\u{feff}x", "x\u{200b}", "𠀀", "男", "女", "是", "否", "Y", "2024-01-05", "2024/1/5",
        "2024-01-05 08:00:00", "2024-01-05T08:00:00", "2024-02-30", "2024-01-05 24:00:00", "1899-12-31", "9999-12-31", "45296",
        long.as_str(),
    ];
    let columns = Table::FeeDetail.columns();
    let usual = |name: &str| match name {
        "mdtrt_id" | "psn_no" | "fixmedins_code" | "hilist_code" => "A1",
        "fee_ocur_time" => "2026-03-01",
        "cnt" | "det_item_fee_sumamt" => "1",
        _ => "",
    };
    let mut file = columns.iter().map(|c| c.name).collect::<Vec<_>>().join(",") + "\n";
    let (mut wanted, mut refused) = (TableBuilder::new(Table::FeeDetail), 0);
    let mut kept = Vec::new();
    for (odd, text) in (1..columns.len()).flat_map(|odd| spellings.map(|text| (odd, text))) {
        let number = format!("L{odd}-{}", file.len());
        let mut cells: Vec<&str> = columns.iter().map(|c| usual(c.name)).collect();
        (cells[0], cells[odd]) = (&number, text);
        match wanted.push(cells.iter().copied().enumerate()) {
            Ok(()) => kept.push(number.clone()),
            Err(_) => refused += 1,
        }
        let quoted = cells.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect::<Vec<_>>();
        let plain = !text.contains(['"', ',']);
        file += &if plain { cells.join(",") } else { quoted.join(",") };
        file.push('\n');
    }
    let dataset = Export::new().with("fees.csv", file);
    let dataset_of = dataset.ingest();
    let names: Vec<&str> = columns.iter().map(|c| c.name).collect();
    let wanted = wanted.finish();
    let mut found = 0;
    for unit in dataset_of.units() {
        let rows = dataset_of.read(unit, Table::FeeDetail, &names).unwrap();
        for (at, number) in rows.column(0).as_string::<i32>().iter().enumerate() {
            let alone = kept.iter().position(|k| Some(k.as_str()) == number).unwrap();
            assert_eq!(rows.slice(at, 1), wanted.slice(alone, 1), "{number:?}");
            found += 1;
        }
    }
    assert_eq!((found, dataset_of.manifest().tables["fee_detail"].quarantined.rows), (kept.len(), refused));
    assert!(refused > 500 && kept.len() > 500, "{refused} {found}");
}

proptest! {
    #[test]
    fn a_number_that_is_written_is_read(units in -9_999_999_999_999_999_i64..=9_999_999_999_999_999) {
        let sign = if units < 0 { "-" } else { "" };
        for (kind, scale) in [(Kind::Money, 2), (Kind::Quantity, 4), (Kind::Price, 6), (Kind::Degree, 8)] {
            let unit = 10_u64.pow(scale);
            let (whole, rest) = (units.unsigned_abs() / unit, units.unsigned_abs() % unit);
            let text = format!("{sign}{whole}.{rest:0width$}", width = scale as usize);
            prop_assert_eq!(parse(kind, &text), Ok(Value::Decimal(units)));
            let wide: String = text.chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap()).collect();
            prop_assert_eq!(parse(kind, &wide), Ok(Value::Decimal(units)));
        }
    }

    #[test]
    fn a_day_that_is_written_is_read(day in -25_567_i32..=84_005, second in 0_i32..86_400) {
        let text = fundaudit::model::day::text(day);
        prop_assert_eq!(parse(Kind::Day, &text), Ok(Value::Day(day)));
        let (slashed, plain) = (text.replace('-', "/"), text.replace('-', ""));
        prop_assert_eq!(parse(Kind::Day, &slashed), Ok(Value::Day(day)));
        prop_assert_eq!(parse(Kind::Day, &plain), Ok(Value::Day(day)));
        let time = format!("{text} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60);
        let wanted = Value::Time((i64::from(day) * 86_400 + i64::from(second)) * 1_000_000);
        prop_assert_eq!(parse(Kind::Time, &time), Ok(wanted));
    }

    #[test]
    fn no_text_makes_a_cell_panic(text in "\\PC{0,40}|[0-9０-９.,/年月日: -]{0,24}") {
        for kind in [Kind::Text, Kind::Flag, Kind::Money, Kind::Price, Kind::Quantity, Kind::Degree, Kind::Day, Kind::Time] {
            let _ = parse(kind, &text);
        }
    }
}
