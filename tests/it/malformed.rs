//! Files that are broken: each gives a clear message, or rows in quarantine while the sums add up.
//!
//! Goes in: the smallest file that is broken in one way. Comes out: the sentence a person would read. To add one: a test.

use std::io::Write;

use fundaudit::ingest::Options;
use fundaudit::model::Table;
use fundaudit::operations::audit;
use fundaudit::progress::Silent;

use crate::ingest::{ENCOUNTERS, Export, FEES, Quarantined, counts, rows};

const LINE: &str = "1,M1,P1,H1,2026-03-11,001,2,12,24.00\n";

fn fees(rows: impl AsRef<[u8]>) -> Export {
    Export::new().with("fee_detail.csv", [FEES.as_bytes(), rows.as_ref()].concat())
}

/// Ingests fee lines; counts, and the reasons of the quarantine list.
fn outcome(export: &Export) -> ((u64, u64, u64, u64), Vec<String>) {
    (counts(&export.ingest(), Table::FeeDetail), export.reasons())
}

fn reasons(of: &[&str]) -> Vec<String> {
    of.iter().map(|r| (*r).to_owned()).collect()
}

#[test]
fn a_truncated_file() {
    let export = fees(format!("{LINE}2,M1,P1,H1,2026-03"));
    assert_eq!(outcome(&export), ((2, 1, 0, 1), reasons(&["3 : found 5 cells, wanted 9"])));
    assert_eq!(export.ingest().manifest().tables["fee_detail"].sum_unreadable, 1);
}

#[test]
fn another_encoding_half_way() {
    let mut bytes = FEES.replace("hilist_code", "hilist_code,hilist_name").into_bytes();
    bytes.extend_from_slice("1,M1,P1,H1,2026-03-11,001,护理,2,12,24.00\n".as_bytes());
    bytes.extend_from_slice(&encoding_rs::GB18030.encode("2,M1,P1,H1,2026-03-11,001,床位费,2,12,24.00\n").0);
    bytes.extend_from_slice("3,M1,P1,H1,2026-03-11,001,护理,2,12,24.00\n".as_bytes());
    bytes.extend_from_slice("4,M1,P1,H1,2026-03-11,001,护理,2,12,24.00\n".as_bytes());
    let export = Export::new().with("fee_detail.csv", &bytes);
    assert_eq!(outcome(&export), ((4, 1, 0, 3), reasons(&["3 : undecodable bytes"])));

    let (gb, _, _) = encoding_rs::GB18030.encode("1,M1,P1,H1,2026-03-11,001,一级护理,2,12,24.00\n");
    let mut bytes = FEES.replace("hilist_code", "hilist_code,hilist_name").into_bytes();
    bytes.extend_from_slice(&gb);
    bytes.extend_from_slice("2,M1,P1,H1,2026-03-11,001,二级护理,2,12,24.00\n".as_bytes());
    bytes.extend_from_slice(&encoding_rs::GB18030.encode("3,M1,P1,H1,2026-03-11,001,一级护理,2,12,24.00\n").0);
    bytes.extend_from_slice(b"4,M1,P1,H1,2026-03-11,001,\xff\xff,2,12,24.00\n");
    let export = Export::new().with("fee_detail.csv", &bytes);
    assert_eq!(
        outcome(&export),
        ((4, 2, 0, 2), reasons(&["3 : undecodable bytes: UTF-8 in a file of GB18030", "5 : undecodable bytes"]))
    );
}

#[test]
fn nul_bytes() {
    let export = fees(format!("{LINE}2,M1,P1,H1,2026-03-11,0\u{0}1,2,12,24.00\n"));
    assert_eq!(outcome(&export), ((2, 1, 0, 1), reasons(&["3 : NUL bytes in the row"])));
}

#[test]
fn a_file_of_nothing_but_nul() {
    let message = Export::new().with("fee_detail.csv", vec![0; 100_000]).refusal();
    assert!(message.contains("no header found"), "{message}");
}

#[test]
fn a_hundred_thousand_columns() {
    let header: Vec<String> = (0..100_000).map(|i| format!("c{i}")).collect();
    let message = Export::new().with("fee_detail.csv", header.join(",")).refusal();
    assert_eq!(message, "`fee_detail.csv` has 100000 columns in row 1; no table has more than 1024");
}

#[test]
fn a_row_of_a_hundred_thousand_cells() {
    let export = fees(format!("{LINE}{}\n", "x,".repeat(99_999)));
    assert_eq!(outcome(&export), ((2, 1, 0, 1), reasons(&["3 : found 100000 cells, wanted 9"])));
}

#[test]
fn an_empty_file() {
    assert_eq!(
        Export::new().with("fee_detail.csv", "").refusal(),
        "`fee_detail.csv` is empty: wanted a header and rows"
    );
    assert!(Export::new().with("fee_detail.csv", "\n\n\n").refusal().contains("is empty"));
}

#[test]
fn an_empty_folder() {
    assert!(Export::new().refusal().contains("found no table in"));
}

#[test]
fn a_header_and_nothing_more() {
    assert_eq!(outcome(&fees("")), ((0, 0, 0, 0), vec![]));
}

#[test]
fn a_second_header() {
    assert_eq!(outcome(&fees(format!("{LINE}{FEES}"))), ((1, 0, 0, 1), reasons(&["3 : repeated header"])));
}

#[test]
fn ragged_rows() {
    let export =
        fees(format!("{LINE}2,M1,P1\n3,M1,P1,H1,2026-03-11,001,2,12,24.00,,\n4,M1,P1,H1,2026-03-11,0,01,2,12,24.00\n"));
    assert_eq!(
        outcome(&export),
        ((4, 2, 0, 2), reasons(&["3 : found 3 cells, wanted 9", "5 : found 10 cells, wanted 9"]))
    );
}

#[test]
fn a_quote_that_never_closes() {
    let export = fees(format!("{LINE}2,M1,P1,H1,2026-03-11,\"001,2,12,24.00\n3,M1,P1,H1,2026-03-11,001,2,12,24.00\n"));
    assert_eq!(outcome(&export), ((3, 1, 0, 2), reasons(&["3 : unclosed quote"])));
}

#[test]
fn quotes_that_swallow_rows() {
    let export = fees(format!(
        "{LINE}2,M1,P1,H1,2026-03-11,\"001,2,12,24.00\n3,M1,P1,H1,2026-03-11,\"001,2,12,24.00\n4,M1,P1,H1,2026-03-11,001,2,12,24.00\n"
    ));
    assert_eq!(outcome(&export), ((4, 2, 0, 2), reasons(&["3 : unclosed quote", "4 : unclosed quote"])));
}

#[test]
fn quotes_as_they_should_be() {
    let header = FEES.replace("hilist_code", "hilist_code,hilist_name");
    let export = Export::new().with(
        "fee_detail.csv",
        format!("{header}1,M1,P1,H1,2026-03-11,001,\"5\"\" tube, long\",2,12,24.00\n2,M1,P1,H1,2026-03-11,001,5\" tube,2,12,24.00\n3,M1,P1,H1,2026-03-11,001,\"two\nlines\",2,12,24.00\n"),
    );
    let dataset = export.ingest();
    assert_eq!(rows(&dataset, Table::FeeDetail, &["hilist_name"]), ["5\" tube, long", "5\" tube", "two\nlines"]);
}

#[test]
fn a_line_without_end() {
    let mut bytes = LINE.as_bytes().to_vec();
    bytes.extend(vec![b'x'; 9 << 20]);
    bytes.extend_from_slice(b"\n2,M1,P1,H1,2026-03-11,001,2,12,24.00\n");
    let (counted, listed) = outcome(&fees(bytes));
    assert_eq!(counted, (3, 1, 0, 2));
    assert_eq!(listed, ["3 : a record of more than 1 MB"]);
}

#[test]
fn an_unclosed_quote_before_megabytes_of_rows() {
    let mut text = String::from("0,M1,P1,H1,2026-03-11,\"001,2,12,24.00\n");
    for i in 1..100_000 {
        text.push_str(&format!("{i},M1,P1,H1,2026-03-11,001,2,12,24.00\n"));
    }
    assert_eq!(outcome(&fees(text)), ((100_000, 1, 0, 99_999), reasons(&["2 : unclosed quote"])));
}

#[test]
fn absurd_values() {
    let export = fees(
        "1,M1,P1,H1,2026-03-11,001,2,12,1e30\n2,M1,P1,H1,2026-13-11,001,2,12,24.00\n3,M1,P1,H1,2026-03-11,001,NaN,12,-99999999999999999\n\
         4,M1,P1,H1,0000-00-00,001,2,12,24.00\n5,M1,P1,H1,2026-03-11,001,-2,12,-24.00\n",
    );
    let (counted, listed) = outcome(&export);
    assert_eq!(counted, (5, 4, 0, 1));
    assert_eq!(
        listed,
        [
            "2 det_item_fee_sumamt: absurd size: more than sixteen digits",
            "3 fee_ocur_time: no such day in the calendar",
            "4 cnt: not a number",
            "4 det_item_fee_sumamt: absurd size: more than sixteen digits",
            "5 fee_ocur_time: year outside 1000 to 9999",
        ]
    );
    let dataset = export.ingest();
    let summary = &dataset.manifest().tables["fee_detail"];
    assert_eq!((summary.sum_unreadable, summary.read.sum.to_string().as_str()), (2, "24.00"));
}

#[test]
fn dates_in_every_form() {
    let export = fees(
        "1,M1,P1,H1,2026-03-11,001,2,12,1\n2,M1,P1,H1,2026/3/11,001,2,12,1\n3,M1,P1,H1,20260311,001,2,12,1\n4,M1,P1,H1,46092,001,2,12,1\n5,M1,P1,H1,2026年3月11日,001,2,12,1\n6,M1,P1,H1,11.03.2026,001,2,12,1\n",
    );
    let dataset = export.ingest();
    assert_eq!(rows(&dataset, Table::FeeDetail, &["fee_ocur_time"]), vec!["2026-03-11T00:00:00"; 5]);
    assert_eq!(export.quarantine()[0].4, "11.03.2026");
}

#[test]
fn identifiers_eaten_by_a_spreadsheet() {
    let export = fees("1,1.23457E+17,P1,H1,2026-03-11,001,2,12,24.00\n2,M1,3.30102E+11,H1,2026-03-11,001,2,12,24.00\n");
    let (counted, listed) = outcome(&export);
    assert_eq!(counted, (2, 2, 0, 0));
    assert!(listed.iter().all(|l| l.contains("turned into a float")), "{listed:?}");
    assert_eq!(export.ingest().manifest().tables["fee_detail"].quarantined.sum.to_string(), "48.00");
}

#[test]
fn a_required_cell_that_is_empty() {
    let export = fees("1,,P1,H1,2026-03-11,001,2,12,24.00\n2,M1,NULL,H1,2026-03-11,001,2,12,\n");
    assert_eq!(
        outcome(&export),
        (
            (2, 2, 0, 0),
            reasons(&[
                "2 mdtrt_id: required, and empty",
                "3 det_item_fee_sumamt: required, and empty",
                "3 psn_no: required, and empty"
            ])
        )
    );
}

#[test]
fn a_required_column_that_is_missing() {
    let message = Export::new()
        .with(
            "fee_detail.csv",
            FEES.replace("fee_ocur_time", "fee_occur_tme").replace("cnt,", "") + "1,M1,P1,H1,2026-03-11,001,12,24\n",
        )
        .refusal();
    for part in [
        "`fee_detail.csv`",
        "`fee_detail`",
        "`fee_ocur_time`",
        "费用发生时间",
        "nearest `fee_occur_tme`",
        "`cnt`",
        "数量",
        "--mapping",
        "found in the header, row 1",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn a_file_of_no_known_table() {
    let message = Export::new().with("notes.csv", "colour,taste\nred,sweet\n").refusal();
    assert!(message.contains("`notes.csv`: no header found") && message.contains("colour, taste"), "{message}");
}

#[test]
fn every_file_that_is_wrong_is_named() {
    let message =
        fees(LINE).with("a.csv", "").with("b.csv", "colour,taste\n").with("c.zip", b"PK\x03\x04...").refusal();
    assert_eq!(message.lines().count(), 3, "{message}");
    assert!(message.contains("`c.zip` is an archive; unpack it"), "{message}");
}

#[test]
fn a_workbook_that_is_none() {
    let message = Export::new().with("fees.xlsx", LINE).refusal();
    assert!(message.contains("is not what its name says"), "{message}");
    let message = Export::new().with("fees.xlsx", b"PK\x03\x04 and no more").refusal();
    assert!(message.contains("not a whole workbook"), "{message}");
    let message = Export::new().with("fees.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1").refusal();
    assert!(message.contains("old .xls"), "{message}");
}

/// A workbook with this as its only sheet.
fn workbook(sheet: &[u8], shared: &[u8]) -> Vec<u8> {
    use zip::write::{SimpleFileOptions, ZipWriter};
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let parts: [(&str, &[u8]); 6] = [
        ("[Content_Types].xml", br#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>"#),
        ("_rels/.rels", br#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#),
        ("xl/workbook.xml", br#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>"#),
        ("xl/_rels/workbook.xml.rels", br#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#),
        ("xl/sharedStrings.xml", shared),
        ("xl/worksheets/sheet1.xml", sheet),
    ];
    for (name, bytes) in parts {
        zip.start_file(name, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated))
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const SHARED: &[u8] = br#"<?xml version="1.0"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="0" uniqueCount="0"></sst>"#;

/// A sheet with the fee lines' header, one good row, and more.
fn sheet(more: &str) -> Vec<u8> {
    let row = |number: usize, cells: &str| {
        let cells: String = cells
            .trim()
            .split(',')
            .zip('A'..)
            .map(|(text, column)| format!(r#"<c r="{column}{number}" t="inlineStr"><is><t>{text}</t></is></c>"#))
            .collect();
        format!(r#"<row r="{number}">{cells}</row>"#)
    };
    format!(
        r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}{}{more}</sheetData></worksheet>"#,
        row(1, FEES),
        row(2, LINE)
    )
    .into_bytes()
}

#[test]
fn a_workbook_with_one_far_cell() {
    let far = r#"<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>"#;
    let export = Export::new().with("fee_detail.xlsx", workbook(&sheet(far), SHARED));
    let (counted, listed) = outcome(&export);
    assert_eq!(counted, (2, 1, 0, 1));
    assert_eq!(listed, ["1048576 : a cell in column 16384; at most 512 columns are read"]);
}

#[test]
fn a_zip_bomb() {
    let mut bomb = SHARED[..SHARED.len() - 6].to_vec();
    bomb.extend(format!("<si>{}</si>", "\n".repeat(60_000)).repeat(1_200).into_bytes());
    bomb.extend_from_slice(b"</sst>");
    let message = Export::new().with("fee_detail.xlsx", workbook(&sheet(""), &bomb)).refusal();
    assert!(message.contains("inflates to more than 200 times its size"), "{message}");
    let long = format!(r#"<row r="3"><c r="A3" t="inlineStr"><is><t>{}</t></is></c></row>"#, "x".repeat(3 << 20));
    let message = Export::new().with("fee_detail.xlsx", workbook(&sheet(&long), SHARED)).refusal();
    assert!(message.contains("a text of more than 1 MB"), "{message}");
}

#[test]
fn a_workbook_cut_off() {
    let whole = workbook(&sheet(""), SHARED);
    for length in [50, whole.len() / 3, whole.len() / 2, whole.len() - 10] {
        let message = Export::new().with("fee_detail.xlsx", &whole[..length]).refusal();
        assert!(message.contains("fee_detail.xlsx"), "{message}");
    }
    let broken = sheet("<row r=\"3\"><c r=\"A3\" t=\"inlineStr\"><is><t>x");
    let message = Export::new().with("fee_detail.xlsx", workbook(&broken[..broken.len() - 30], SHARED)).refusal();
    assert!(message.contains("fee_detail.xlsx"), "{message}");
}

#[test]
fn a_workbook_whose_cells_lie() {
    let more = r#"<row r="3"><c r="A3" t="s"><v>99</v></c></row>"#;
    let export = Export::new().with("fee_detail.xlsx", workbook(&sheet(more), SHARED));
    let told = export.ingest_with(&Options::default()).map(|_| ()).map_err(|e| e.to_string());
    assert!(told.as_ref().err().is_none_or(|m| m.contains("fee_detail.xlsx")), "{told:?}");
}

#[test]
fn a_parquet_file_cut_off() {
    let message = Export::new().with("fee_detail.parquet", b"PAR1 and no more PAR1").refusal();
    assert!(message.contains("fee_detail.parquet"), "{message}");
}

#[test]
fn encounters_that_contradict_each_other() {
    let export = fees(LINE)
        .with("encounter.csv", format!("{ENCOUNTERS}M1,P1,H1,21,2026-03-10,\nM1,P2,H1,21,2026-03-10,\n"))
        .with("diagnosis.csv", "mdtrt_id,diag_code\nM1,I10\n");
    let dataset = export.ingest();
    assert_eq!(counts(&dataset, Table::Encounter), (2, 2, 0, 0));
    assert_eq!(counts(&dataset, Table::Diagnosis), (1, 1, 0, 0));
    assert_eq!(counts(&dataset, Table::FeeDetail), (1, 0, 0, 1));
}

#[test]
fn the_list_that_goes_back_to_the_hospital_is_in_its_language() {
    let export =
        fees(format!("{LINE}2,M1,P1,H1,2026-03-11,001,zwei,12,24.00\n,M1,P1,H1,2026-03-11,001,2,12,24.00\n3,M1\n"))
            .with("encounter.csv", format!("{ENCOUNTERS}M1,P1,H1,21,2026-03-10,\n"));
    export.ingest();
    let english = export.quarantine();
    let out = export.dataset().with_file_name("findings");
    let options = audit::Options { inputs: vec![export.dataset()], out: out.clone(), ..audit::Options::default() };
    audit::audit(&options, &Silent).unwrap_or_else(|e| panic!("{e}"));
    let text = std::fs::read_to_string(out.join("quarantine.csv")).unwrap();
    let list = text.strip_prefix('\u{feff}').expect("a mark that tells a spreadsheet the encoding");
    let mut list = csv::Reader::from_reader(list.as_bytes());
    let chinese: Vec<Quarantined> = list.deserialize().map(|row| row.unwrap()).collect();
    let said: Vec<&str> = chinese.iter().map(|(_, _, _, reason, _)| reason.as_str()).collect();
    assert_eq!(said, ["不是数字", "必填而为空", "这一行有 2 格，应有 9 格"]);
    let place = |(file, row, column, _, text): &Quarantined| (file.clone(), *row, column.clone(), text.clone());
    let places = |of: &[Quarantined]| of.iter().map(place).collect::<Vec<_>>();
    assert_eq!(places(&chinese), places(&english), "the same rows, the same cells");
    assert_eq!(english[0].3, "not a number", "a dataset keeps what ingest said");
}
