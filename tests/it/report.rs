//! What people and programs get to read: the files of an audit, the page and the terminal.
//!
//! Each case writes a small outcome and reads it back the way its reader would: a spreadsheet, a Parquet reader, eyes.
//! The sample page stays in the target directory's `tmp/report-sample` for whoever wants to look at it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type};
use calamine::{Data, Reader};
use fundaudit::findings::{Coverage, Finding, FindingLine, Outcome};
use fundaudit::progress::Silent;
use fundaudit::report::{self, Account, Context, Format, Lang, Quarantined, RuleMeta, Step, text};
use rust_decimal::Decimal;

fn yuan(text: &str) -> Decimal {
    text.parse().expect("an amount in a case")
}

fn finding(rule: &RuleMeta, number: u64) -> Finding {
    Finding {
        finding_id: format!("f{number:015x}"),
        rule_code: rule.code.clone(),
        rule_name: rule.name.clone(),
        rule_title: rule.title.clone(),
        rule_hash: "a1b2c3".to_owned(),
        result: rule.result.clone(),
        severity: rule.severity.clone(),
        unit: "group".to_owned(),
        key: r#"{"psn_no":"33030000123","day":"2026-03-11","point":"Ⅱ级护理"}"#.to_owned(),
        psn_no: Some("33030000123".to_owned()),
        mdtrt_id: Some("S-104482".to_owned()),
        setl_id: None,
        feedetl_sn: Some("0012".to_owned()),
        fixmedins_code: Some("H33030001".to_owned()),
        from_day: Some("2026-03-11".to_owned()),
        until_day: Some("2026-03-11".to_owned()),
        amount: yuan("24"),
        allocated: yuan("24"),
        fund_loss_est: Some(yuan("19.2")),
        message: "Ⅱ级护理 2026-03-11 计费 2，上限 1".to_owned(),
        basis: "医疗保障基金使用监督管理条例 第三十八条第三项".to_owned(),
        evidence: r#"{"used":2,"cap.max":1,"cap.source":"医疗服务价格项目规范"}"#.to_owned(),
        exempted_by: None,
        fund_money: true,
    }
}

fn rule(code: &str, name: &str, title: &str, severity: &str, result: &str) -> RuleMeta {
    RuleMeta {
        code: code.to_owned(),
        name: name.to_owned(),
        title: title.to_owned(),
        family: "billing".to_owned(),
        severity: severity.to_owned(),
        result: result.to_owned(),
        may_be_right_when: vec!["当日转科".to_owned(), "抢救".to_owned()],
    }
}

fn rules() -> Vec<RuleMeta> {
    vec![
        rule("BIL103", "daily-cap-exceeded", "医疗服务项目超限定频次", "medium", "明确违规"),
        rule("MED103", "repeat-prescription-before-run-out", "重复开药", "medium", "可疑"),
        rule("RAT101", "self-pay-ratio-over-limit", "自费费用占比超限", "low", "可疑"),
        rule("SCP101", "wrong-sex-for-item", "限性别项目用于另一性别", "high", "明确违规"),
        rule("STY104", "overlapping-stays", "重叠住院", "high", "明确违规"),
    ]
}

/// Twelve months, seven facilities, five rules: one of them silent, one not about the fund's money, one finding exempted.
fn sample() -> (Outcome, Context) {
    let rules = rules();
    let mut outcome = Outcome::default();
    for number in 0..260_u64 {
        let which = [0, 0, 0, 1, 1, 2, 3][usize::try_from(number % 7).expect("small")];
        let mut finding = finding(&rules[which], number);
        let month = number * 7 % 12 + 1;
        let facility = number * number % 11 % 7 + 1;
        let psn_no = format!("3303{:07}", number * 37 % 1_000);
        finding.key = format!(r#"{{"psn_no":"{psn_no}","day":"2025-{month:02}-11","point":"Ⅱ级护理"}}"#);
        finding.psn_no = Some(psn_no);
        finding.from_day = Some(format!("2025-{month:02}-11"));
        finding.until_day = Some(format!("2025-{month:02}-{}", 11 + number % 5));
        finding.fixmedins_code = Some(format!("H3303000{facility}"));
        finding.amount = Decimal::new(i64::try_from(number * number * 31 % 900_000 + 1_200).expect("small"), 2);
        finding.allocated =
            if number % 3 == 0 { finding.amount / Decimal::from(2) } else { finding.amount }.round_dp(2);
        if which == 2 {
            finding.fund_money = false;
            finding.allocated = Decimal::ZERO;
        }
        if number == 252 {
            finding.exempted_by = Some("EX-7".to_owned());
        }
        outcome.lines.push(FindingLine {
            finding_id: finding.finding_id.clone(),
            mdtrt_id: "S-104482".to_owned(),
            feedetl_sn: format!("{number:06}"),
            kind: 1 + u8::from(number % 4 == 0),
            amount: finding.amount,
        });
        outcome.findings.push(finding);
    }
    for (place, rule) in rules.iter().enumerate() {
        for facility in 1..=7_u64 {
            let not_evaluated = if place == 3 { 40 * facility } else { 3 };
            outcome.coverage.push(Coverage {
                rule_code: rule.code.clone(),
                fixmedins_code: format!("H3303000{facility}"),
                evaluated: 400,
                hit: if place == 4 { 0 } else { 10 },
                exempted: 0,
                not_evaluated,
                reason: if place == 3 {
                    format!("缺少 gend {}；缺少 brdy 5", not_evaluated - 5)
                } else {
                    "缺少 cnt".to_owned()
                },
            });
        }
    }
    let names = [
        "温州医学院附属第一医院",
        "瓯海区第三人民医院",
        "永嘉县中医院",
        "苍南康宁医院",
        "平阳老年护理院",
        "大参林药房人民路店",
        "洞头海岛卫生院",
    ];
    let step = |rows, sum: &str| Step { rows, sum: Some(yuan(sum)) };
    let context = Context {
        title: "温州市 2025 年度医保基金审核报告".to_owned(),
        period: Some(("2025-01-01".to_owned(), "2025-12-31".to_owned())),
        as_of: "2025-12-31".to_owned(),
        region: "浙江省温州市（330300）".to_owned(),
        program_version: "0.1.0".to_owned(),
        rule_set_hash: "9f2c41d07be35a8890aa".to_owned(),
        facilities: (1..).zip(names).map(|(n, name)| (format!("H3303000{n}"), name.to_owned())).collect(),
        rules,
        quarantined: vec![
            Quarantined { file: "fee_detail.csv".to_owned(), reason: "`cnt` 不是数".to_owned(), rows: 12 },
            Quarantined { file: "settlement.csv".to_owned(), reason: "缺少 `setl_id`".to_owned(), rows: 2 },
        ],
        accounts: vec![Account {
            table: "fee_detail".to_owned(),
            read: step(120_412, "8123456.78"),
            quarantined: step(12, "456.78"),
            duplicates: step(0, "0"),
            replaced: Step::default(),
            netted: step(400, "23000"),
            audited: step(120_000, "8100000"),
        }],
        run: serde_json::json!({"version": "0.1.0", "a": {"z": 1, "b": 2}}),
        ..Context::default()
    };
    (outcome, context)
}

fn write(outcome: &Outcome, context: &Context, formats: &str, out: &Path) -> Vec<String> {
    let formats = Format::parse(formats).expect("formats of a case");
    let files = report::write(outcome, context, &formats, out, &Silent).expect("a report is written");
    files.iter().map(|file| file.file_name().expect("a file").to_string_lossy().into_owned()).collect()
}

fn one(change: impl FnOnce(&mut Finding)) -> Outcome {
    let mut finding = finding(&rules()[0], 1);
    change(&mut finding);
    Outcome { findings: vec![finding], ..Outcome::default() }
}

#[test]
fn the_terminal_says_a_line_a_rule_and_what_it_hides() {
    let (outcome, mut context) = sample();
    context.out = Some("findings".into());
    insta::assert_snapshot!("terminal_zh", text::headlines(&outcome, &context, Lang::Zh));
    insta::assert_snapshot!("terminal_en", text::headlines(&outcome, &context, Lang::En));
}

#[test]
fn the_terminal_says_that_nothing_was_found() {
    let context = Context { rules: rules(), ..Context::default() };
    insta::assert_snapshot!(text::headlines(&Outcome::default(), &context, Lang::Zh), @r"
    未发现疑点
    没有疑点的规则 5 条：没有可检查的内容 5 条
    ");
}

#[test]
fn a_rule_without_findings_is_not_always_a_clean_one() {
    let context = Context {
        rules: rules().into_iter().take(3).collect(),
        quarantined: vec![Quarantined { file: "a.csv".to_owned(), reason: "not a number".to_owned(), rows: 1 }],
        ..Context::default()
    };
    let row = |rule_code: &str, evaluated, not_evaluated, reason: &str| Coverage {
        rule_code: rule_code.to_owned(),
        fixmedins_code: String::new(),
        evaluated,
        hit: 0,
        exempted: 0,
        not_evaluated,
        reason: reason.to_owned(),
    };
    let outcome = Outcome {
        coverage: vec![
            row("BIL103", 9, 1, "缺少 setting（med_type 缺失，或不在就医场景表中）、list_type 1"),
            row("MED103", 0, 2, "缺少 prior（回溯期早于数据起始日） 1；规则自 2021-05-01 起施行 1"),
            row("RAT101", 0, 0, "没有本规则所说的单元"),
            row("NETTING", 0, 3, "未配对的冲销 3"),
        ],
        ..Outcome::default()
    };
    insta::assert_snapshot!(text::headlines(&outcome, &context, Lang::Zh));
    insta::assert_snapshot!(text::headlines(&outcome, &context, Lang::En));
    let out = tempfile::tempdir().expect("a directory");
    write(&outcome, &context, "parquet", out.path());
    let page = fs::read_to_string(out.path().join("report.html")).expect("UTF-8");
    for said in
        ["检查过，未发现疑点（1 条）", "只有未评估的（1 条）", "没有可检查的内容（1 条）", "<dd>3 条</dd>", "不是数字"]
    {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains("没有本规则所说的单元"), "said once, by its group");
}

/// Every clause of `src/ingest` that begins a reason for setting a row aside, as its source says it.
fn reasons_of_ingest() -> Vec<String> {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ingest");
    let mut reasons = Vec::new();
    for (file, marks) in [
        (
            "values.rs",
            &["Err(", "BadValue::from(", "WANTED: &str = ", "FLOATED: &str = ", "Borrowed(\"", "    \"not a flag"][..],
        ),
        (
            "csv.rs",
            &["Cow::Borrowed(\"", "UNDECODABLE: &str", "FOREIGN_UTF8: &str", "then_some(\"", "trouble = Some(\""],
        ),
        ("xlsx.rs", &["format!(\"a cell in column"]),
        ("intake.rs", &["reason: \"", "Some(\"totals", "some(\"repeated", "format!(\"found {}"]),
        ("mapping.rs", &["let reason = format!("]),
        ("bucket.rs", &["let reason = format!(", "complaints.add(record", "            \"psn_no differs"]),
    ] {
        let source = fs::read_to_string(at.join(file)).expect("a file of the ingest floor");
        for line in source.lines().filter(|line| marks.iter().any(|mark| line.contains(mark))) {
            let texts = line.split('"').skip(1).step_by(2).filter(|text| text.contains(' '));
            reasons.extend(texts.map(str::to_owned));
        }
    }
    reasons
}

#[test]
fn every_reason_of_ingest_is_told_in_chinese() {
    let reasons = reasons_of_ingest();
    assert!(reasons.len() > 30, "the scan lost its way: {reasons:?}");
    let untold: Vec<String> = reasons
        .into_iter()
        // What stands in the braces of a format is a number or a name.
        .map(|reason| {
            reason
                .split('{')
                .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest))
                .collect::<Vec<_>>()
                .join("7")
        })
        .filter(|reason| {
            let quarantined = vec![Quarantined { file: "a.csv".to_owned(), reason: reason.clone(), rows: 1 }];
            let context = Context { quarantined, ..Context::default() };
            text::headlines(&Outcome::default(), &context, Lang::Zh).contains(&format!("a.csv {reason}"))
        })
        .collect();
    assert!(untold.is_empty(), "give these a line in src/report/reasons.rs: {untold:#?}");
}

#[test]
fn the_evidence_of_every_rule_has_chinese_names() {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("audit_rules");
    let mut unnamed = Vec::new();
    for file in walkdir(&at).iter().filter(|file| file.extension().is_some_and(|ending| ending == "toml")) {
        let rule: toml::Table = fs::read_to_string(file).expect("UTF-8").parse().expect("TOML");
        let Some(evidence) = rule.get("says").and_then(|says| says.get("evidence")).and_then(toml::Value::as_array)
        else {
            continue;
        };
        for name in evidence.iter().filter_map(toml::Value::as_str) {
            let finding = one(|finding| finding.evidence = format!(r#"{{"{name}":"x"}}"#)).findings.remove(0);
            if !text::finding(&finding, &Context::default(), Lang::Zh).contains(&format!("（{name}）")) {
                unnamed.push(format!("{name} of {}", file.display()));
            }
        }
    }
    assert!(unnamed.is_empty(), "give these a line in src/report/labels.rs: {unnamed:#?}");
}

fn walkdir(at: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(at).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walkdir(&path) } else { vec![path] }).collect()
}

#[test]
fn a_parameter_is_shown_by_its_value_and_source() {
    let one = one(|finding| {
        finding.evidence = r#"{"$rx_days_long":{"value":"84","source":"处方管理办法 第十九条","region":"330300"},"$bed_days_tolerance":{"value":"1","source":"经办默认（无出处） 无"},"nolong.found":"否","prior.found":null}"#.to_owned();
    });
    let said = text::finding(&one.findings[0], &Context::default(), Lang::Zh);
    for member in [
        "长处方最多天数（$rx_days_long）84，出处：处方管理办法 第十九条，适用区划 330300",
        "床日费宽限天数（$bed_days_tolerance）1，出处：经办默认（无出处）",
        "不得开长处方目录记录（nolong.found）无",
        "此前上级机构用药记录（prior.found）无法判断",
    ] {
        assert!(said.contains(member), "{member} in {said}");
    }
}

#[test]
fn one_finding_stands_alone() {
    let context = Context {
        rules: rules(),
        facilities: BTreeMap::from([("H33030001".to_owned(), "温州一院".to_owned())]),
        ..Context::default()
    };
    let finding = finding(&rules()[0], 1);
    insta::assert_snapshot!(text::finding(&finding, &context, Lang::Zh), @r"
    medium[BIL103] 医疗服务项目超限定频次
      --> 2026-03 H33030001 温州一院: 参保人 330***23, 就诊 S-104482, 明细 0012, 2026-03-11
       |  Ⅱ级护理 2026-03-11 计费 2，上限 1
       |  计费数量（used）2  限定频次（cap.max）1  限频表的出处（cap.source）医疗服务价格项目规范
       = 涉及金额 24.00 (计入 24.00)
       = 基金损失估算 19.20
       = 结论 明确违规
       = 依据 医疗保障基金使用监督管理条例 第三十八条第三项
       = 可能合理 当日转科；抢救
       = 疑点编号 f000000000000001
       = help: `fundaudit rules explain BIL103`
    ");
}

#[test]
fn nothing_in_a_claim_steers_the_terminal() {
    let hostile = one(|finding| {
        finding.message = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n假行\u{202e}倒".to_owned();
        finding.rule_title = "标题\u{1b}[31m".to_owned();
    });
    let context = Context::default();
    let all = text::headlines(&hostile, &context, Lang::Zh) + &text::finding(&hostile.findings[0], &context, Lang::Zh);
    assert!(all.chars().all(|c| c == '\n' || !c.is_control()), "{all:?}");
    assert!(!all.contains('\u{202e}'));
}

#[test]
fn formats_are_named_in_a_list() {
    assert_eq!(Format::parse("json, parquet,json").expect("a list"), [Format::Parquet, Format::Json]);
    let wrong = Format::parse("parquet,pdf").expect_err("no such format").to_string();
    insta::assert_snapshot!(wrong, @"`pdf` is not an output format: write one or more of `parquet`, `csv`, `xlsx`, `json`, with commas between");
    assert!(Format::parse(" ,").is_err());
}

#[test]
fn the_directory_speaks_of_one_run() {
    let (outcome, context) = sample();
    let out = tempfile::tempdir().expect("a directory");
    let all = [
        "report.html",
        "findings.parquet",
        "findings.csv",
        "findings.xlsx",
        "findings.json",
        "finding_lines.parquet",
        "finding_lines.csv",
        "coverage.csv",
        "run.json",
    ];
    assert_eq!(write(&outcome, &context, "parquet,csv,xlsx,json", out.path()), all);
    fs::write(out.path().join("quarantine.csv"), "not ours").expect("a file");
    fs::create_dir(out.path().join(".fundaudit-killed")).expect("the remains of an interrupted run");

    assert_eq!(
        write(&outcome, &context, "parquet", out.path()),
        ["report.html", "findings.parquet", "finding_lines.parquet", "coverage.csv", "run.json"]
    );
    let mut left: Vec<String> = fs::read_dir(out.path())
        .expect("a listing")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(
        left,
        [
            ".fundaudit-killed",
            "coverage.csv",
            "finding_lines.parquet",
            "findings.parquet",
            "quarantine.csv",
            "report.html",
            "run.json"
        ],
        "what is not ours to judge stays: a folder under way may be another run's"
    );
}

#[test]
fn a_report_that_cannot_be_written_leaves_the_earlier_one() {
    let out = tempfile::tempdir().expect("a directory");
    write(&one(|_| ()), &Context::default(), "parquet", out.path());
    let before = fs::read(out.path().join("findings.parquet")).expect("a file");
    let wrong = one(|finding| finding.from_day = Some("2026-02-30".to_owned()));
    let error =
        report::write(&wrong, &Context::default(), &[Format::Parquet], out.path(), &Silent).expect_err("no such day");
    insta::assert_snapshot!(error.to_string(), @"finding `f000000000000001` has `from_day` = `2026-02-30`, wanted a day such as `2026-03-11`: its rule makes a wrong day");
    assert_eq!(fs::read(out.path().join("findings.parquet")).expect("a file"), before);
    assert_eq!(fs::read_dir(out.path()).expect("a listing").count(), 5, "nothing unfinished is left");
}

#[test]
fn the_same_findings_give_the_same_bytes() {
    let (outcome, context) = sample();
    let (one, two) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let files = write(&outcome, &context, "parquet,csv,xlsx,json", one.path());
    let narrow = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    narrow.install(|| write(&outcome, &context, "parquet,csv,xlsx,json", two.path()));
    for file in files {
        let [a, b] = [one.path(), two.path()].map(|out| fs::read(out.join(&file)).expect("a file"));
        assert!(a == b, "{file} differs");
    }
}

#[test]
fn csv_opens_in_a_spreadsheet_and_runs_nothing() {
    let hostile = one(|finding| {
        finding.key = "{}".to_owned();
        finding.psn_no = Some("=HYPERLINK(\"http://x\",\"y\")".to_owned());
        finding.mdtrt_id = Some("+86-577".to_owned());
        finding.setl_id = Some("＝1+1".to_owned());
        finding.feedetl_sn = Some("-12".to_owned());
        finding.fixmedins_code = Some("@SUM(A1)".to_owned());
        finding.message = " =1+1, \"quoted\"\r\nsecond".to_owned();
        finding.basis = "\t=1".to_owned();
        finding.evidence = "{}".to_owned();
        finding.exempted_by = Some("-2+3".to_owned());
    });
    let out = tempfile::tempdir().expect("a directory");
    write(&hostile, &Context::default(), "csv", out.path());
    let csv = fs::read_to_string(out.path().join("findings.csv")).expect("UTF-8");
    assert!(csv.starts_with('\u{feff}') && csv.ends_with("\r\n"));
    insta::assert_snapshot!(csv.trim_start_matches('\u{feff}').replace("\r\n", "␍␊\n"), @r#"
    finding_id,rule_code,rule_name,rule_title,rule_hash,result,severity,unit,key,psn_no,mdtrt_id,setl_id,feedetl_sn,fixmedins_code,from_day,until_day,amount,allocated,fund_loss_est,message,basis,evidence,exempted_by␍␊
    f000000000000001,BIL103,daily-cap-exceeded,医疗服务项目超限定频次,a1b2c3,明确违规,medium,group,{},"'=HYPERLINK(""http://x"",""y"")",'+86-577,'＝1+1,-12,'@SUM(A1),2026-03-11,2026-03-11,24.00,24.00,19.20,"' =1+1, ""quoted""␍␊
    second",'	=1,{},'-2+3␍␊
    "#);
}

#[test]
fn csv_of_lines_and_coverage() {
    let (mut outcome, context) = sample();
    outcome.lines.truncate(2);
    outcome.coverage.truncate(2);
    let out = tempfile::tempdir().expect("a directory");
    write(&outcome, &context, "csv", out.path());
    let read = |file: &str| fs::read_to_string(out.path().join(file)).expect("UTF-8").replace(['\u{feff}', '\r'], "");
    insta::assert_snapshot!(read("finding_lines.csv"), @r"
    finding_id,mdtrt_id,feedetl_sn,kind,amount
    f000000000000000,S-104482,000000,2,12.00
    f000000000000001,S-104482,000001,1,12.31
    ");
    insta::assert_snapshot!(read("coverage.csv"), @r"
    rule_code,fixmedins_code,evaluated,hit,exempted,not_evaluated,reason
    BIL103,H33030001,400,10,0,3,缺少 cnt
    BIL103,H33030002,400,10,0,3,缺少 cnt
    ");
}

#[test]
fn parquet_has_text_ids_decimal_money_and_days() {
    let (outcome, context) = sample();
    let out = tempfile::tempdir().expect("a directory");
    write(&outcome, &context, "parquet", out.path());
    let open = |name: &str| {
        let file = fs::File::open(out.path().join(name)).expect("a file");
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        reader.build().expect("a reader").next().expect("a batch").expect("rows")
    };
    let findings = open("findings.parquet");
    assert_eq!(findings.num_rows(), outcome.findings.len());
    let column = |name: &str| findings.column_by_name(name).expect("a column");
    assert_eq!(column("feedetl_sn").as_string::<i32>().value(0), "0012");
    assert_eq!(column("psn_no").as_string::<i32>().value(1), "33030000037", "whole, because inspectors join on it");
    assert_eq!(column("amount").data_type(), &DataType::Decimal128(16, 2));
    assert_eq!(column("amount").as_primitive::<Decimal128Type>().value_as_string(1), "12.31");
    assert_eq!(
        column("from_day").as_primitive::<Date32Type>().value_as_date(1).map(|day| day.to_string()),
        Some("2025-08-11".to_owned())
    );
    assert!(column("setl_id").is_null(0));
    let lines = open("finding_lines.parquet");
    assert_eq!(lines.schema().field(4).data_type(), &DataType::Decimal128(16, 2));
    assert_eq!(lines.num_rows(), outcome.lines.len());
}

#[test]
fn json_keeps_the_digits() {
    let one = one(|finding| finding.evidence = r#"{"used":2.50,"cap.max":"1","note":"</script>"}"#.to_owned());
    let out = tempfile::tempdir().expect("a directory");
    let context = Context { run: serde_json::json!({"z": 1, "a": {"y": 2, "b": 3}}), ..Context::default() };
    write(&one, &context, "json", out.path());
    let json = fs::read_to_string(out.path().join("findings.json")).expect("UTF-8");
    assert!(json.contains(r#""used":2.50"#) && json.contains(r#""amount":24.00,"#), "{json}");
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value[0]["key"]["point"], "Ⅱ级护理");
    assert_eq!(value[0]["setl_id"], serde_json::Value::Null);
    insta::assert_snapshot!(fs::read_to_string(out.path().join("run.json")).expect("UTF-8"), @r#"
    {
      "z": 1,
      "a": {
        "y": 2,
        "b": 3
      }
    }
    "#);
    write(&Outcome::default(), &context, "json", out.path());
    assert_eq!(fs::read_to_string(out.path().join("findings.json")).expect("UTF-8"), "[\n]\n");
}

fn sheet(out: &Path, name: &str) -> Vec<Vec<Data>> {
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(out.join("findings.xlsx")).expect("a workbook");
    book.worksheet_range(name).expect("a sheet").rows().map(<[Data]>::to_vec).collect()
}

#[test]
fn the_workbook_keeps_ids_as_text_and_money_as_numbers() {
    let (outcome, context) = sample();
    let out = tempfile::tempdir().expect("a directory");
    write(&outcome, &context, "xlsx", out.path());
    let book: calamine::Xlsx<_> = calamine::open_workbook(out.path().join("findings.xlsx")).expect("a workbook");
    assert_eq!(book.sheet_names(), ["疑点", "汇总", "明细", "说明"]);
    let rows = sheet(out.path(), "疑点");
    assert_eq!(rows.len(), 2 + outcome.findings.len());
    let at = |name: &str| rows[1].iter().position(|cell| *cell == Data::String(name.to_owned())).expect("a column");
    let text = |name: &str| rows[3][at(name)].clone();
    assert_eq!(rows[0][at("psn_no")], Data::String("人员编号".to_owned()));
    assert_eq!(text("feedetl_sn"), Data::String("0012".to_owned()), "leading zeros stay");
    assert_eq!(text("psn_no"), Data::String("330***37".to_owned()));
    assert_eq!(text("key"), Data::String("人员编号=330***37；日期=2025-08-11；限频项目=Ⅱ级护理".to_owned()));
    assert_eq!(text("amount"), Data::Float(12.31));
    assert_eq!(text("severity"), Data::String("中".to_owned()));
    assert_eq!(text("facility_name"), Data::String("瓯海区第三人民医院".to_owned()));
    assert!(matches!(text("from_day"), Data::DateTime(_)));
    let whole: Vec<String> = rows.iter().flatten().map(ToString::to_string).collect();
    assert!(!whole.iter().any(|cell| cell.contains("33030000037")), "no whole number anywhere");

    let open = Context { unmask: true, ..context };
    write(&outcome, &open, "xlsx", out.path());
    assert_eq!(sheet(out.path(), "疑点")[3][at("psn_no")], Data::String("33030000037".to_owned()));
}

#[test]
fn what_a_sheet_cannot_hold_goes_to_the_next() {
    let (outcome, context) = sample();
    let out = tempfile::tempdir().expect("a directory");
    write(&outcome, &Context { max_sheet_rows: Some(102), ..context }, "xlsx", out.path());
    let book: calamine::Xlsx<_> = calamine::open_workbook(out.path().join("findings.xlsx")).expect("a workbook");
    assert_eq!(book.sheet_names(), ["疑点", "疑点2", "疑点3", "汇总", "明细", "明细2", "明细3", "说明"]);
    let rows: Vec<usize> = ["疑点", "疑点2", "疑点3"].map(|name| sheet(out.path(), name).len() - 2).into();
    assert_eq!(rows, [100, 100, 60]);
}

#[test]
fn a_cell_longer_than_excel_allows_is_cut_and_says_so() {
    let long = one(|finding| finding.evidence = format!(r#"{{"codes":"{}"}}"#, "𠮷医".repeat(20_000)));
    let out = tempfile::tempdir().expect("a directory");
    write(&long, &Context::default(), "xlsx", out.path());
    let cells: Vec<String> = sheet(out.path(), "疑点")[2].iter().map(ToString::to_string).collect();
    assert!(cells.iter().any(|cell| cell.ends_with("…（过长，全文见 findings.parquet）")));
}

#[test]
fn the_page_is_only_text_whatever_the_names_are() {
    let mut hostile = one(|finding| {
        finding.rule_title = "<script>alert(1)</script>".to_owned();
        finding.message = "\"><img src=x onerror=alert(2)> 33030000123 号".to_owned();
        finding.evidence =
            r#"{"<b>x":"</td><script>","psn_name":"张三","prior.psn_no":"33030000999","list":["</style>"]}"#.to_owned();
        finding.mdtrt_id = Some("'><svg/onload=alert(3)>".to_owned());
    });
    hostile.coverage.push(Coverage {
        rule_code: "<i>".to_owned(),
        fixmedins_code: "H33030001".to_owned(),
        evaluated: 1,
        hit: 1,
        exempted: 0,
        not_evaluated: 1,
        reason: "<u>缺少</u> 1".to_owned(),
    });
    let context = Context {
        title: "</title><script>".to_owned(),
        facilities: BTreeMap::from([(
            "H33030001".to_owned(),
            "<a href=javascript:alert(4)>医院</a> & \"科\"".to_owned(),
        )]),
        quarantined: vec![Quarantined { file: "<x>.csv".to_owned(), reason: "</table>".to_owned(), rows: 1 }],
        ..Context::default()
    };
    let out = tempfile::tempdir().expect("a directory");
    write(&hostile, &context, "parquet", out.path());
    let page = fs::read_to_string(out.path().join("report.html")).expect("UTF-8");
    for raw in [
        "<script",
        "<img",
        "<svg/",
        "<a href=j",
        "<i>",
        "<u>",
        "<x>",
        "<b>",
        "张三",
        "33030000123",
        "33030000999",
        "http://",
        "https://",
        " style=",
    ] {
        let found = page.match_indices(raw).count();
        assert_eq!(found, 0, "{raw} in the page");
    }
    assert!(page.contains("&lt;a href=javascript:alert(4)&gt;医院&lt;/a&gt; &amp; &quot;科&quot;"));
    assert!(page.contains("330***23 号") && page.contains("330***99"));
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(page.contains("default-src &#39;none&#39;"));
    assert_eq!(page.matches("</table>").count(), page.matches("<table").count());
}

#[test]
fn the_page_counts_money_once_and_says_what_it_hides() {
    let (outcome, context) = sample();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-sample");
    write(&outcome, &context, "parquet,csv,xlsx,json", &out);
    let page = fs::read_to_string(out.join("report.html")).expect("UTF-8");
    let once: Decimal = outcome.findings.iter().map(|finding| finding.allocated).sum();
    let plain = page.replace(',', "");
    assert!(plain.contains(&format!("<p class=\"value\">{once}</p>")), "{once}");
    for hidden in [
        "60 条疑点未逐条列出",
        "另列，非基金支出",
        "没有疑点的规则 1 条：检查过，未发现疑点 1 条",
        "缺少性别 gend：1,085 次；缺少出生日期 brdy：35 次",
        "已豁免",
        "12 行",
    ] {
        assert!(page.contains(hidden), "{hidden}");
    }
    assert!(!page.contains("33030000037"));
}

#[test]
fn short_numbers_are_masked_too() {
    for (psn_no, shown) in
        [("1", "***"), ("P1", "***"), ("P12", "P***2"), ("1234567", "1***7"), ("12345678", "123***78")]
    {
        let one = one(|finding| finding.psn_no = Some(psn_no.to_owned()));
        let text = text::finding(&one.findings[0], &Context::default(), Lang::En);
        assert!(text.contains(&format!("person {shown}, ")), "{text}");
    }
}
