//! The generator keeps its promises: the same bytes for the same options, persons that do not depend on each other, sound
//! settlements, a truth for every rule, and three forms of one export that say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use calamine::{Data, Reader, Xlsx, open_workbook};
use fundaudit::model::{Kind, Table};
use fundaudit::operations::generate::{Form, Options, Summary, generate, recipes};
use fundaudit::progress::Silent;

/// The rules that are planted: all.
const RULES: [&str; 53] = [
    "BIL101", "BIL102", "BIL103", "BIL104", "BIL105", "BIL106", "BIL107", "BIL108", "BIL109", "BIL110", "BIL111",
    "BIL112", "BIL113", "BIL114", "IDN101", "IDN102", "IDN103", "IDN104", "MED101", "MED102", "MED103", "MED104",
    "MED105", "MED106", "MED107", "MED108", "MED109", "MED110", "RAT101", "REC101", "REC102", "REC103", "SCP101",
    "SCP102", "SCP103", "SCP104", "SCP105", "SCP106", "SCP107", "SCP108", "SCP109", "SCP110", "SCP111", "SCP112",
    "STY101", "STY102", "STY103", "STY104", "STY105", "STY106", "STY107", "STY108", "STY109",
];

/// Rules that speak of no money, and BIL113 where too little was charged.
const NO_MONEY: [&str; 5] = ["BIL113", "MED106", "REC103", "SCP109", "SCP112"];

/// The small export of the fixtures: one month, every recipe once, every defect.
fn small(form: Form) -> Options {
    Options { persons: 540, seed: 18, months: 1, form, messy: true, ..Options::default() }
}

fn made(options: &Options) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let summary = generate(options, folder.path(), &Silent).unwrap();
    (folder, summary)
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

/// Rows of a table of the UTF-8 form, as (column, text).
fn table(folder: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.join(format!("{name}.csv"))).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

#[test]
fn same_options_same_bytes() {
    for form in [Form::Csv, Form::CsvGb18030, Form::XlsxFlat] {
        let (one, other) = (made(&small(form)).0, made(&small(form)).0);
        assert_eq!(files(one.path()), files(other.path()), "{form:?}");
    }
    let other_seed = made(&Options { seed: 7, ..small(Form::Csv) }).0;
    assert_ne!(files(made(&small(Form::Csv)).0.path()), files(other_seed.path()));
}

#[test]
fn a_person_does_not_depend_on_how_many_there_are() {
    let (few, _) = made(&Options { persons: 600, messy: true, ..Options::default() });
    let (many, _) = made(&Options { persons: 720, messy: true, ..Options::default() });
    for name in ["fee_detail", "settlement", "encounter", "diagnosis", "person"] {
        let (few, many) = (files(few.path()), files(many.path()));
        let file = format!("{name}.csv");
        assert!(many[&file].starts_with(&few[&file]), "`{file}` of 600 persons is not the beginning of that of 720");
    }
    let truth =
        |folder: &Path| -> BTreeSet<_> { table(folder, "truth").into_iter().map(|row| row["key"].clone()).collect() };
    assert!(truth(few.path()).is_subset(&truth(many.path())));
}

#[test]
fn shuffled_rows_are_the_same_rows() {
    let plain = made(&Options { persons: 300, ..Options::default() }).0;
    let shuffled = made(&Options { persons: 300, shuffle: Some(4), ..Options::default() }).0;
    let sorted = |folder: &Path, name: &str| {
        let mut rows = table(folder, name);
        rows.sort();
        rows
    };
    for name in ["fee_detail", "settlement", "encounter", "person", "truth"] {
        assert_eq!(sorted(plain.path(), name), sorted(shuffled.path(), name), "{name}");
    }
    assert_ne!(table(plain.path(), "fee_detail"), table(shuffled.path(), "fee_detail"));
}

fn cents(text: &str) -> i64 {
    let (whole, part) = text.trim_start_matches('-').split_once('.').unwrap();
    let value = whole.parse::<i64>().unwrap() * 100 + part.parse::<i64>().unwrap();
    if text.starts_with('-') { -value } else { value }
}

/// The persons whose lives follow a recipe about settlements, of those who come first; later ones are not planted here.
fn wrong_on_purpose() -> BTreeSet<String> {
    let recipes = recipes();
    let about = |&(rule, ..): &(&str, &str, bool)| matches!(rule, "REC101" | "REC102");
    (0..recipes.len()).filter(|&at| about(&recipes[at])).map(|at| format!("37032326{:010}", at + 1)).collect()
}

#[test]
fn settlements_are_sound_to_the_cent() {
    let (folder, summary) = made(&Options { persons: 1200, ..Options::default() });
    // Planted persons may have settlements that are wrong on purpose, found or within what is allowed.
    let planted = wrong_on_purpose();
    let mut lines: BTreeMap<String, i64> = BTreeMap::new();
    for line in table(folder.path(), "fee_detail") {
        *lines.entry(line["setl_id"].clone()).or_default() += cents(&line["det_item_fee_sumamt"]);
        let parts: i64 = ["fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_amt"]
            .iter()
            .map(|part| cents(&line[*part]))
            .sum();
        assert_eq!(parts, cents(&line["det_item_fee_sumamt"]), "{line:?}");
    }
    let mut refunds = 0;
    for row in table(folder.path(), "settlement") {
        let of = |name: &str| cents(&row[name]);
        refunds += u64::from(row["refd_setl_flag"] == "1");
        if planted.contains(&row["psn_no"]) {
            continue;
        }
        assert_eq!(of("medfee_sumamt"), lines[&row["setl_id"]], "lines of {row:?}");
        assert_eq!(
            of("inscp_amt"),
            of("medfee_sumamt") - of("fulamt_ownpay_amt") - of("overlmt_selfpay") - of("preselfpay_amt")
        );
        let fund = ["hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay", "oth_pay"];
        assert_eq!(of("fund_pay_sumamt"), fund.iter().map(|part| of(part)).sum::<i64>());
        assert_eq!(of("fund_pay_sumamt") + of("acct_pay") + of("cash_payamt"), of("medfee_sumamt"));
    }
    assert_eq!(refunds, summary.refund_settlements);
}

#[test]
fn a_county_has_the_proportions_of_a_county() {
    let (folder, summary) = made(&Options { persons: 6000, ..Options::default() });
    let lines = summary.fee_lines();
    assert!((6000 * 20..6000 * 30).contains(&lines), "{lines} lines");
    let settlements = summary.rows[Table::Settlement as usize];
    let refunds = summary.refund_settlements * 10_000 / settlements;
    assert!((450..600).contains(&refunds), "{refunds} of 10,000 settlements are refunds");
    let rows = table(folder.path(), "fee_detail");
    let null = rows.iter().filter(|row| row["prd_days"].is_empty()).count() * 1000 / rows.len();
    assert!((915..945).contains(&null), "{null} of 1,000 lines without `prd_days`");
    let stays = table(folder.path(), "encounter").iter().filter(|row| row["med_type"] == "21").count();
    assert!((500..1100).contains(&stays), "{stays} stays");
}

#[test]
fn every_rule_is_planted_and_every_key_is_unique() {
    assert!(recipes().len() <= 500);
    for rule in RULES {
        for wanted in [true, false] {
            assert!(recipes().iter().any(|&(code, _, hit)| code == rule && hit == wanted), "{rule} {wanted}");
        }
    }
    let (folder, summary) = made(&small(Form::Csv));
    let truth = table(folder.path(), "truth");
    let keys: BTreeSet<_> = truth.iter().map(|row| (row["rule_code"].clone(), row["key"].clone())).collect();
    assert_eq!(keys.len(), truth.len());
    assert_eq!(summary.facts.keys().map(String::as_str).collect::<Vec<_>>(), RULES);
    assert!(summary.defects.values().all(|&count| count > 0), "{:?}", summary.defects);
    for row in &truth {
        assert!(cents(&row["amount"]) > 0 || NO_MONEY.contains(&row["rule_code"].as_str()), "{row:?}");
        let key: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&row["key"]).unwrap();
        assert!(key.values().all(serde_json::Value::is_string), "{row:?}");
    }
}

#[test]
fn three_forms_carry_the_same_rows() {
    let utf8 = made(&small(Form::Csv)).0;
    let national = made(&small(Form::CsvGb18030)).0;
    let workbooks = made(&small(Form::XlsxFlat)).0;
    let files_of = |folder: &Path, name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_eq!(files_of(utf8.path(), "truth.csv"), files_of(national.path(), "truth.csv"));
    assert_eq!(files_of(utf8.path(), "truth.csv"), files_of(workbooks.path(), "truth.csv"));

    for table in Table::ALL {
        let bytes = files_of(utf8.path(), &format!("{}.csv", table.name()));
        let plain = String::from_utf8(bytes).unwrap();
        let name = table.file_names().iter().find(|name| !name.is_ascii()).unwrap();
        let bytes = files_of(national.path(), &format!("{name}.csv"));
        let (text, _, broken) = encoding_rs::GB18030.decode(&bytes);
        assert!(!broken);
        let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
        assert_eq!(body(&plain), body(&text), "{name}");
    }

    let flat = sheet(&workbooks.path().join("费用明细.xlsx"));
    for of in Table::ALL {
        let mut wanted: Vec<Vec<String>> =
            table(utf8.path(), of.name()).iter().map(|row| cells(of, |name, _| row[name].clone())).collect();
        let apart = workbooks.path().join(format!("{}.xlsx", of.file_names().iter().find(|n| !n.is_ascii()).unwrap()));
        let mut found: Vec<Vec<String>> = match of {
            Table::FeeDetail | Table::Encounter | Table::Settlement => flat
                .iter()
                .filter(|row| of != Table::Settlement || !row["结算ID"].is_empty())
                .map(|row| {
                    cells(of, |_, header| {
                        let own = format!("结算.{header}");
                        let named =
                            if of == Table::Settlement && row.contains_key(&own) { &row[&own] } else { &row[header] };
                        named.clone()
                    })
                })
                .collect(),
            _ => Vec::new(),
        };
        // Other tables have workbooks of their own; so do the settlements where one of them has no line.
        if of != Table::FeeDetail && apart.exists() {
            found.extend(sheet(&apart).iter().map(|row| cells(of, |_, header| row[header].clone())));
        }
        wanted.sort();
        found.sort();
        if of != Table::FeeDetail {
            wanted.dedup();
            found.dedup();
        }
        assert_eq!(wanted.len(), found.len(), "rows of `{}`", of.name());
        assert_eq!(wanted, found, "{}", of.name());
    }
}

/// A row in the order of the table's columns; numbers without trailing zeros, as a workbook gives them back.
fn cells(table: Table, cell: impl Fn(&str, &str) -> String) -> Vec<String> {
    table
        .columns()
        .iter()
        .map(|column| {
            let header = column.aliases.iter().find(|alias| !alias.is_ascii()).unwrap();
            let text = cell(column.name, header);
            match (column.kind, text.parse::<f64>()) {
                (Kind::Money | Kind::Price | Kind::Quantity | Kind::Degree, Ok(number)) => number.to_string(),
                _ => text,
            }
        })
        .collect()
}

/// The rows of a hand-made sheet: titles above the header, totals at the foot.
fn sheet(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut book: Xlsx<_> = open_workbook(path).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    let text = |cell: &Data| match cell {
        Data::Empty => String::new(),
        Data::Float(number) => number.to_string(),
        Data::Int(number) => number.to_string(),
        other => other.to_string(),
    };
    let mut rows = range.rows().skip(2);
    let header: Vec<String> = rows.next().unwrap().iter().map(text).collect();
    rows.map(|row| header.iter().cloned().zip(row.iter().map(text)).collect::<BTreeMap<_, _>>())
        .take_while(|row| !row[&header[0]].starts_with("合计") && !row[&header[0]].is_empty())
        .collect()
}

/// `FUNDAUDIT_WRITE_FIXTURES=1 cargo test --test it -- generate::write_fixture` writes the sample exports anew.
#[test]
fn write_fixture() {
    let exports = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports");
    for (name, form) in [("county", Form::Csv), ("county-gb18030", Form::CsvGb18030), ("county-xlsx", Form::XlsxFlat)] {
        let folder = exports.join(name);
        if std::env::var_os("FUNDAUDIT_WRITE_FIXTURES").is_some() {
            if folder.exists() {
                std::fs::remove_dir_all(&folder).unwrap();
            }
            let summary = generate(&small(form), &folder, &Silent).unwrap();
            assert!(summary.fee_lines() <= 5_000, "{} lines", summary.fee_lines());
        }
        assert_eq!(
            files(&folder),
            files(made(&small(form)).0.path()),
            "the sample export `{name}` is not what the generator writes; write it anew"
        );
    }
}

/// The catalogue lists what people are charged, but for the codes that a recipe charges outside it.
#[test]
fn the_catalogue_lists_every_code_but_the_planted_ones() {
    let (folder, _) = made(&small(Form::Csv));
    let listed = table(&folder.path().join("knowledge"), "catalogue");
    let day = |text: &str, open: &str| if text.is_empty() { open.to_owned() } else { text.to_owned() };
    let mut out: BTreeSet<(String, String)> = BTreeSet::new();
    for line in table(folder.path(), "fee_detail") {
        let (code, on) = (&line["hilist_code"], &line["fee_ocur_time"].get(..10).unwrap_or_default().to_owned());
        let held = listed.iter().any(|row| {
            code.starts_with(&row["code"]) && day(&row["from"], "0000") <= *on && *on <= day(&row["until"], "9999")
        });
        let plain = on.len() == 10 && on.as_bytes()[4] == b'-';
        if !held && plain && cents(&line["inscp_amt"]) > 0 {
            out.insert((line["mdtrt_id"].clone(), line["feedetl_sn"].clone()));
        }
    }
    let truth = table(folder.path(), "truth").into_iter().filter(|row| row["rule_code"] == "SCP110");
    let told: BTreeSet<(String, String)> = truth
        .map(|row| {
            let key: BTreeMap<String, String> = serde_json::from_str(&row["key"]).unwrap();
            (key["mdtrt_id"].clone(), key["feedetl_sn"].clone())
        })
        .collect();
    assert!(told.len() >= 4 && told.is_subset(&out), "{told:?} {out:?}");
    let surplus: Vec<_> = out.difference(&told).collect();
    assert_eq!(surplus.len(), 1, "only the line that was given back: {surplus:?}");
}
