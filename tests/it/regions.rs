//! Law by place and by day: one export, audited for one place after another, rests on another document each time.
//!
//! Goes in: a small export that does not say where its people are insured, and `--region`. Comes out: which limit was in
//! force, who said so, and what that does to the findings. To add a place: its admdvs in [`PLACES`], and read the snapshot.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fundaudit::findings::Finding;
use fundaudit::model::day;
use fundaudit::operations::audit::{self, Options};
use fundaudit::progress::Silent;
use fundaudit::report::Format;
use fundaudit::rules::knowledge::Cell;
use fundaudit::rules::parameters::Asked;
use fundaudit::rules::{Files, RuleSet, load};
use serde_json::Value;

const WENZHOU: &str = "330300";
const HUAIBEI: &str = "340600";
const DUJI: &str = "340602";
const TIANJIN: &str = "120000";
const YIYUAN: &str = "370323";
const BINZHOU: &str = "371600";

const PLACES: [Option<&str>; 5] = [None, Some(WENZHOU), Some(HUAIBEI), Some(DUJI), Some(TIANJIN)];

const NATION: &str = "长期处方管理规范（试行）（国卫办医发〔2021〕17号） 处方量一般在 4 周内，最长不超过 12 周";
const OF_WENZHOU: &str = "温政办〔2022〕98号 第 22 项";
const OF_HUAIBEI: &str = "淮北市医保局四举措织密疫情防控安全网（报道） 慢性病“长处方”";
const OF_DUJI: &str = "淮北市杜集区医保局送医送药上门（报道） 不超过 2 个月用药量";

/// The days on which some place's limit begins or ends, each with its neighbour.
const DAYS: [&str; 6] = ["2022-12-31", "2023-01-01", "2023-01-07", "2023-01-08", "2025-12-31", "2026-01-01"];

/// Days of supply at and above the limits of 60, 84 and 90 days.
const SUPPLIES: [u32; 6] = [60, 61, 84, 85, 90, 91];

const FEES: &str = "mdtrt_id,feedetl_sn,psn_no,fixmedins_code,hilist_code,list_type,fee_ocur_time,cnt,pric,det_item_fee_sumamt,inscp_amt,prd_days\n";
const ENCOUNTERS: &str = "mdtrt_id,psn_no,fixmedins_code,med_type,begntime,endtime\n";

/// An export that says of nobody where they are insured, and of the one hospital not where it is.
struct Export {
    folder: tempfile::TempDir,
}

impl Export {
    fn new(encounters: &str, fees: &str) -> Export {
        let export = Export { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(export.path()).unwrap();
        export
            .with("facility.csv", "fixmedins_code,fixmedins_name,hosp_lv\nH1,甲医院,3\n")
            .with("encounter.csv", &format!("{ENCOUNTERS}{encounters}"))
            .with("fee_detail.csv", &format!("{FEES}{fees}"))
    }

    fn with(self, name: &str, text: &str) -> Export {
        fs::write(self.path().join(name), text).unwrap();
        self
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("export")
    }

    /// What one rule finds when rows without a region are of this place.
    fn audited(&self, rule: &str, region: Option<&str>) -> Vec<Finding> {
        let options = Options {
            inputs: vec![self.path()],
            out: self.folder.path().join(region.unwrap_or("none")),
            select: vec![rule.to_owned()],
            region: region.map(str::to_owned),
            formats: vec![Format::Csv],
            ..Options::default()
        };
        audit::audit(&options, &Silent).unwrap_or_else(|e| panic!("{e}")).outcome.findings
    }
}

/// A visit for chronic disease a day and a supply, ten yuan a day of supply.
fn long_prescriptions() -> Export {
    let (mut encounters, mut fees) = (String::new(), String::new());
    for on in DAYS {
        for supply in SUPPLIES {
            let id = format!("M{}-{supply}", on.replace('-', ""));
            let _ = writeln!(encounters, "{id},P{id},H1,140104,{on} 08:00:00,{on} 09:00:00");
            fees.push_str(&long_prescription(&id, "1", &format!("P{id}"), on, supply));
        }
    }
    Export::new(&encounters, &fees)
}

fn long_prescription(mdtrt_id: &str, feedetl_sn: &str, psn_no: &str, on: &str, supply: u32) -> String {
    let paid = supply * 10;
    format!(
        "{mdtrt_id},{feedetl_sn},{psn_no},H1,XC08CAA232A001010100001,101,{on} 08:30:00,2,{},{paid},{paid},{supply}\n",
        paid / 2
    )
}

fn evidence(finding: &Finding) -> Value {
    serde_json::from_str(&finding.evidence).unwrap()
}

/// Document and article of the limit that a long prescription was held to.
fn source(finding: &Finding) -> String {
    evidence(finding)["$rx_days_long"]["source"].as_str().unwrap().to_owned()
}

fn on(finding: &Finding) -> &str {
    finding.from_day.as_deref().unwrap()
}

/// Visit → amount: what a finding says apart from where it rests.
fn amounts(findings: &[Finding]) -> BTreeMap<String, String> {
    findings.iter().map(|f| (f.mdtrt_id.clone().unwrap(), f.amount.to_string())).collect()
}

fn library() -> RuleSet {
    load(&Files::built_in()).unwrap_or_else(|m| panic!("{}", m[0]))
}

#[test]
fn the_same_long_prescriptions_in_four_places_and_in_none() {
    let export = long_prescriptions();
    let of: BTreeMap<Option<&str>, Vec<Finding>> =
        PLACES.into_iter().map(|place| (place, export.audited("MED101", place))).collect();

    let mut table =
        String::from("region  day         limit  findings (days of supply: yuan)  →  document and article\n");
    for place in PLACES {
        for day in DAYS {
            let found: Vec<&Finding> = of[&place].iter().filter(|f| on(f) == day).collect();
            let [first, ..] = found.as_slice() else { panic!("{place:?} {day}: nothing over any limit") };
            for finding in &found {
                assert_eq!(source(finding), source(first), "one day and place, one document");
                let fact = evidence(finding);
                assert_eq!(
                    fact["limit_days"], fact["$rx_days_long"]["value"],
                    "a chronic visit is held to the long limit"
                );
                assert_eq!(fact["region"].as_str(), place, "the evidence says for which place the limit was looked up");
            }
            let said: Vec<String> =
                found.iter().map(|f| format!("{}: {}", evidence(f)["days"].as_str().unwrap(), f.amount)).collect();
            let limit = evidence(first)["limit_days"].as_str().unwrap().to_owned();
            let _ = writeln!(
                table,
                "{:6}  {day}  {limit:>5}  {}  →  {}",
                place.unwrap_or("none"),
                said.join(", "),
                source(first)
            );
        }
    }
    insta::assert_snapshot!(table);

    // Three places differ from the nation in what is found or in what it rests on; each names its own document.
    let nation = &of[&None];
    assert!(nation.iter().all(|f| source(f) == NATION && evidence(f)["region"].is_null()));
    let wenzhou = &of[&Some(WENZHOU)];
    assert_eq!(amounts(wenzhou), amounts(nation), "twelve weeks by another document are twelve weeks");
    for (finding, nations) in wenzhou.iter().zip(nation) {
        let in_force = ("2023-01-01".."2026-01-01").contains(&on(finding));
        assert_eq!(source(finding).starts_with(OF_WENZHOU), in_force, "{} {}", on(finding), source(finding));
        assert_eq!(source(finding) == source(nations), !in_force, "{}", on(finding));
    }
    let huaibei = &of[&Some(HUAIBEI)];
    assert_ne!(amounts(huaibei), amounts(nation));
    for finding in huaibei {
        let expected = if on(finding) <= "2023-01-07" { OF_HUAIBEI } else { NATION };
        assert!(source(finding).starts_with(expected), "{} {}", on(finding), source(finding));
    }
    let duji = &of[&Some(DUJI)];
    assert_ne!(amounts(duji), amounts(huaibei), "a county's number goes before its city's");
    assert!(duji.iter().all(|f| source(f).starts_with(OF_DUJI)));

    // 天津's notice says nothing of long prescriptions: the nation's limit holds there, and the finding says so. What
    // differs from a run without a region is that the place is known.
    let tianjin = &of[&Some(TIANJIN)];
    assert_eq!(amounts(tianjin), amounts(nation));
    for (finding, nations) in tianjin.iter().zip(nation) {
        assert_eq!(evidence(finding)["$rx_days_long"], evidence(nations)["$rx_days_long"]);
        assert_ne!(finding.evidence, nations.evidence);
        assert_eq!(evidence(finding)["region"], TIANJIN);
    }
}

#[test]
fn a_visit_that_crosses_a_change_of_law_is_judged_line_by_line() {
    // 88 days: within 淮北's three months until 2023-01-07, over the nation's twelve weeks from the day after.
    let fees =
        long_prescription("M1", "1", "P1", "2023-01-07", 88) + &long_prescription("M1", "2", "P1", "2023-01-08", 88);
    let export = Export::new("M1,P1,H1,140104,2023-01-07 08:00:00,2023-01-08 09:00:00\n", &fees);
    let found = export.audited("MED101", Some(HUAIBEI));
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (one.feedetl_sn.as_deref(), on(one), one.amount.to_string().as_str()),
        (Some("2"), "2023-01-08", "40.00")
    );
    assert_eq!(source(one), NATION);
    let found = export.audited("MED101", None);
    assert_eq!(found.len(), 2, "without the place there is no three months: {found:?}");
}

#[test]
fn a_run_of_fills_across_the_last_day_of_a_document_names_both() {
    // One person in 温州, a fill of 85 days on each side of the day on which 温政办〔2022〕98号 ends, and at its beginning.
    let days = ["2022-12-31", "2023-01-01", "2025-12-31", "2026-01-01"];
    let (mut encounters, mut fees) = (String::new(), String::new());
    for (number, day) in days.iter().enumerate() {
        let _ = writeln!(encounters, "M{number},P1,H1,140104,{day} 08:00:00,{day} 09:00:00");
        fees.push_str(&long_prescription(&format!("M{number}"), "1", "P1", day, 85));
    }
    let found = Export::new(&encounters, &fees).audited("MED101", Some(WENZHOU));
    let by_wenzhou: Vec<(&str, bool)> = found.iter().map(|f| (on(f), source(f).starts_with(OF_WENZHOU))).collect();
    assert_eq!(by_wenzhou, [(days[0], false), (days[1], true), (days[2], true), (days[3], false)]);
    assert!(found.iter().all(|f| f.amount.to_string() == "10.00"), "{found:?}");
}

#[test]
fn a_stay_across_a_price_cut_pays_the_price_of_each_day() {
    // A nucleic acid test a day at 65 yuan: the price in 淮北 until 2022-05-31, five yuan too much from 2022-06-01.
    let mut fees = String::new();
    for (number, day) in ["2022-05-30", "2022-05-31", "2022-06-01", "2022-06-02"].iter().enumerate() {
        let _ = writeln!(fees, "S1,{number},P1,H1,002504030850000,201,{day} 08:30:00,1,65,65,65,");
    }
    let export = Export::new("S1,P1,H1,21,2022-05-30 08:00:00,2022-06-02 16:00:00\n", &fees);
    for place in [HUAIBEI, DUJI] {
        let found = export.audited("BIL106", Some(place));
        let said: Vec<(&str, String)> = found.iter().map(|f| (on(f), f.amount.to_string())).collect();
        assert_eq!(said, [("2022-06-01", "5.00".to_owned()), ("2022-06-02", "5.00".to_owned())], "{place}");
        for finding in &found {
            let fact = evidence(finding);
            assert_eq!(
                (fact["ceiling.max_price"].as_str(), fact["ceiling.region"].as_str()),
                (Some("60"), Some(HUAIBEI))
            );
            let source = fact["ceiling.source"].as_str().unwrap();
            assert!(source.contains("市医保局四举措织密疫情防控安全网") && source.contains("经办默认"), "{source}");
        }
    }
    for place in [None, Some(WENZHOU), Some(TIANJIN)] {
        assert_eq!(export.audited("BIL106", place), [], "淮北's price is nobody else's: {place:?}");
    }
}

#[test]
fn self_pay_rests_on_tianjins_notice_from_its_first_year_and_on_a_default_elsewhere() {
    let mut encounters = String::new();
    let mut settlements = String::from(
        "setl_id,mdtrt_id,psn_no,fixmedins_code,setl_time,medfee_sumamt,fulamt_ownpay_amt,overlmt_selfpay\n",
    );
    for (number, day) in ["2022-12-31", "2023-01-01"].iter().enumerate() {
        let _ = writeln!(encounters, "S{number},P{number},H1,21,{day} 08:00:00,{day} 16:00:00");
        let _ = writeln!(settlements, "T{number},S{number},P{number},H1,{day} 17:00:00,1000,101,0");
    }
    let export = Export::new(&encounters, "").with("settlement.csv", &settlements);
    let sources = |place: Option<&str>| -> Vec<(String, String)> {
        let found = export.audited("RAT101", place);
        found
            .iter()
            .map(|f| {
                let source = evidence(f)["$self_pay_ratio_max"]["source"].as_str().unwrap().to_owned();
                (f.amount.to_string(), source)
            })
            .collect()
    };
    let (tianjin, none) = (sources(Some(TIANJIN)), sources(None));
    assert_eq!((tianjin.len(), none.len()), (2, 2));
    assert!(tianjin.iter().chain(&none).all(|(amount, _)| amount == "1.00"), "{tianjin:?} {none:?}");
    assert!(none.iter().all(|(_, source)| source.starts_with("经办默认")), "{none:?}");
    assert!(tianjin[0].1.starts_with("经办默认"), "the day before: {tianjin:?}");
    assert!(tianjin[1].1.contains("因病返贫致贫长效机制") && tianjin[1].1.contains("第 7 项"), "{tianjin:?}");
}

#[test]
fn what_the_library_knows_of_each_place() {
    let set = library();
    let day_or = |day: Option<i32>, open: &str| day.map_or_else(|| open.to_owned(), day::text);
    let mut table = String::new();
    for parameter in set.parameters.values() {
        for value in parameter.values.iter().filter(|v| v.region.is_some()) {
            assert!(value.document.is_some() && value.article.is_some() && value.verified_on.is_some(), "{value:?}");
            let _ = writeln!(
                table,
                "{} {} = {} {}  {} to {}  {}",
                value.region.as_deref().unwrap(),
                parameter.name,
                value.value,
                parameter.unit,
                day_or(value.from, "ever"),
                day_or(value.until, "now"),
                value.source()
            );
        }
    }
    for knowledge in set.knowledge.values() {
        let (Some(region), Some(source)) = (knowledge.position("region"), knowledge.position("source")) else {
            continue;
        };
        let cell = |row: usize, at: usize| match &knowledge.rows[row].cells[at] {
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Empty => String::new(),
        };
        let price = knowledge.position("max_price").unwrap();
        for (at, row) in knowledge.rows.iter().enumerate().filter(|(at, _)| !cell(*at, region).is_empty()) {
            let _ = writeln!(
                table,
                "{} {} {} = {}  {} to {}  {}",
                cell(at, region),
                knowledge.name,
                row.code,
                cell(at, price),
                day_or(row.from, "ever"),
                day_or(row.until, "now"),
                cell(at, source)
            );
        }
    }
    insta::assert_snapshot!(table);

    // The documents of 沂源 and 滨州 give no number that a rule asks for: there the nation's hold, on every day.
    for parameter in set.parameters.values() {
        for on in DAYS.into_iter().chain(["2023-11-01", "2024-06-21"]) {
            let asked = |region| Asked { day: day::parse(on).unwrap(), region, insutype: None, level: None };
            for place in [YIYUAN, BINZHOU] {
                assert_eq!(
                    parameter.in_force(asked(Some(place))),
                    parameter.in_force(asked(None)),
                    "{}",
                    parameter.name
                );
            }
        }
    }
}

#[test]
fn the_record_of_a_run_names_each_rules_version() {
    let export = long_prescriptions();
    let findings = export.audited("MED101", None);
    let run = run_record(&export.folder.path().join("none"));
    let rules = run["rules"].as_array().unwrap();
    let rule = library().rules.into_iter().find(|r| r.code == "MED101").unwrap();
    assert_eq!(rules.len(), 1);
    assert!(rule.version > 1 && rules[0]["version"] == rule.version, "{}", rules[0]);
    assert!(findings.iter().all(|f| rules[0]["hash"] == f.rule_hash.as_str()), "the hash leads from a finding to it");
}

fn run_record(out: &Path) -> Value {
    serde_json::from_slice(&fs::read(out.join("run.json")).unwrap()).unwrap()
}
