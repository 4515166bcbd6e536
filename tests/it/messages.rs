//! Messages of hospitals' systems: what is read of them, however they are written, and how they are answered.
//!
//! Goes in: `fixtures/messages` (invented persons), as they are, written otherwise, and broken. Comes out: rows as a table of
//! texts, an answer as a snapshot. To add a way in which vendors differ: a test that changes a fixture and expects the same.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use fundaudit::engine::{Claims, Compiler, Memory, Scope, Setting, Views, run};
use fundaudit::findings::{Assembled, RuleFacts, assemble};
use fundaudit::messages::{
    Answered, Asked, Claim, Codes, Done, Form, Limits, NotEvaluated, Refused, ReviewAsked, Stage, Stamp, Why,
    acknowledge, answer, own, own_answer, own_refusal, person_hint, refuse, request,
};
use fundaudit::model::Table;
use fundaudit::operations::{Error, library};
use fundaudit::rules::{Files, RuleSet, load};
use proptest::prelude::*;
use serde_json::{Value, json};

fn built_in() -> RuleSet {
    load(&Files::built_in()).unwrap()
}

pub(super) fn codes() -> Codes {
    Codes::built_in(&built_in()).unwrap()
}

pub(super) fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/messages/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn asked(message: &Value) -> Result<Asked, Refused> {
    request(message.to_string().as_bytes(), &Limits::default(), &codes())
}

pub(super) fn review(message: &Value) -> ReviewAsked {
    match asked(message).unwrap() {
        Asked::Review(asked) => *asked,
        Asked::Feedback(_) => panic!("a review was wanted"),
    }
}

fn refused(message: &Value) -> Refused {
    asked(message).unwrap_err()
}

/// The columns of a batch that hold something, a row a line.
fn rows(batch: &RecordBatch) -> String {
    let options = FormatOptions::default();
    let schema = batch.schema();
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let cells = schema.fields().iter().zip(batch.columns()).filter(|(_, column)| column.is_valid(row));
        let cells = cells.map(|(field, column)| {
            format!("{}={}", field.name(), ArrayFormatter::try_new(column, &options).unwrap().value(row))
        });
        text += &cells.collect::<Vec<_>>().join(" ");
        text.push('\n');
    }
    text
}

fn tables(tables: &BTreeMap<Table, RecordBatch>) -> String {
    tables.iter().map(|(table, batch)| format!("{}\n{}", table.name(), rows(batch))).collect()
}

/// A line's cell, by its `feedetl_sn`.
fn cell(asked: &ReviewAsked, table: Table, row: usize, column: &str) -> Option<String> {
    let batch = asked.tables.get(&table)?;
    let column = batch.column_by_name(column)?;
    column
        .is_valid(row)
        .then(|| ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap().value(row).to_string())
}

const ORDERS: &str = "/input/data/patient_dtos/0/fsi_encounter_dtos/0/fsi_order_dtos";
const VISIT: &str = "/input/data/patient_dtos/0/fsi_encounter_dtos/0";
const PATIENT: &str = "/input/data/patient_dtos/0";

fn put(message: &mut Value, place: &str, field: &str, value: Value) {
    message.pointer_mut(place).unwrap()[field] = value;
}

/// Reviews what was asked by the engine alone, without a past.
fn found(asked: &ReviewAsked, words: &[&str]) -> Assembled {
    let set = built_in();
    let rules: Vec<_> = set.rules.iter().filter(|rule| words.contains(&rule.code.as_str())).collect();
    let plans = Compiler::new(&set).compile(&rules).unwrap();
    let setting = Setting {
        as_of: fundaudit::model::day::parse("2026-03-31").unwrap(),
        first_day: fundaudit::model::day::parse("2025-01-01").unwrap(),
        region: asked.region.clone(),
        facilities: asked
            .tables
            .get(&Table::Facility)
            .map(Setting::facilities_of)
            .transpose()
            .unwrap()
            .unwrap_or_default()
            .into(),
        care_settings: set.knowledge.get("care_setting_of_med_type").cloned().map(Arc::new),
        identity_groups: set.knowledge.get("identity_group").cloned().map(Arc::new),
    };
    let claims = Claims::net(&asked.tables).unwrap();
    let memory = Memory::default();
    let views = Rc::new(Views::new(&claims, &setting, &memory));
    let facts: Vec<RuleFacts> = plans.iter().map(|plan| RuleFacts::of(&plan.rule)).collect();
    let mut hits = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        let found = run(plan, &set, &views, &Scope::default()).unwrap();
        hits.extend(found.hits.into_iter().map(|hit| (number, hit)));
    }
    assemble(&facts, &[], hits)
}

pub(super) fn answered(asked: &ReviewAsked, words: &[&str]) -> Answered {
    let Assembled { findings, lines, .. } = found(asked, words);
    let stamp = Stamp {
        id: "370300202603100906000000000001".to_owned(),
        received: "2026-03-10 09:06:00".to_owned(),
        responded: "2026-03-10 09:06:00".to_owned(),
    };
    Answered { findings, lines, ..Answered::to(asked, stamp) }
}

#[test]
fn an_order_before_it_is_saved_becomes_rows() {
    let asked = review(&fixture("3101.json"));
    assert_eq!((asked.form, asked.stage), (Form::National, Stage::Before));
    assert_eq!(asked.task_id.as_deref(), Some("T20260310-000017"));
    assert_eq!(asked.fixmedins_code.as_deref(), Some("H37030000127"));
    assert_eq!(asked.unread, Vec::<String>::new());
    insta::assert_snapshot!(format!("{}--- context\n{}", tables(&asked.tables), tables(&asked.context)));
}

#[test]
fn a_stay_before_it_is_settled_becomes_rows() {
    let asked = review(&fixture("3102.json"));
    assert_eq!((asked.form, asked.stage), (Form::National, Stage::During));
    assert_eq!(asked.unread, Vec::<String>::new());
    insta::assert_snapshot!(format!("{}--- context\n{}", tables(&asked.tables), tables(&asked.context)));
}

#[test]
fn the_man_s_warm_womb_pills_are_answered() {
    let asked = review(&fixture("3101.json"));
    let answered = answered(&asked, &["SCP101"]);
    assert_eq!(answered.findings.len(), 1);
    let mut shown = answer(&answered, &codes());
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
    // As the vendor reads it: a number, and the keys of its own message.
    let result = shown.pointer_mut("/output/result/0").unwrap();
    assert_eq!(result["vola_amt"].to_string(), "50.0");
    assert_eq!(result["judge_result_detail_dtos"][0]["rx_id"], "CF9001-1");
    let grounds = result["vola_evid"].as_str().unwrap();
    assert!(grounds.starts_with("医疗保障基金使用监督管理条例 第三十八条第六项；国家医保局两库第一批"), "{grounds}");
    assert_eq!(result["jr_id"], format!("SCP101-{}", answered.findings[0].finding_id));
    assert!(result["jr_id"].as_str().unwrap().len() <= 50, "the field has room for fifty");
}

#[test]
fn the_newer_words_say_the_same_and_are_answered_in_the_newer_words() {
    let (first, newer) = (review(&fixture("3101.json")), review(&fixture("3101-newer.json")));
    assert_eq!(newer.form, Form::NationalNewer);
    assert_eq!(tables(&first.tables), tables(&newer.tables));
    assert_eq!(tables(&first.context), tables(&newer.context));
    let result = answer(&answered(&newer, &["SCP101"]), &codes()).pointer("/output/result/0").unwrap().clone();
    assert_eq!(result["psn_no"], "370323000000000000000000000417");
    assert_eq!(result["vola_name"], result["vola_cont"]);
    assert_eq!(result["judge_result_detail_dtos"][0]["feedetl_sn"], "CF9001-1");
    assert!(result.get("patn_id").is_none() && result["judge_result_detail_dtos"][0].get("rx_id").is_none());
}

/// The same message, written by another vendor.
type Change = fn(&mut Value);

#[test]
fn however_it_is_written_it_says_the_same() {
    let as_sent = tables(&review(&fixture("3101.json")).tables);
    let changes: [(&str, Change); 9] = [
        ("single objects for lists", |m| {
            let mut patient = m.pointer(PATIENT).unwrap().clone();
            patient["fsi_encounter_dtos"] = patient["fsi_encounter_dtos"][0].clone();
            put(m, "/input/data", "patient_dtos", patient);
        }),
        ("numbers for texts", |m| {
            for (field, value) in
                [("cnt", json!(2)), ("pric", json!(25)), ("sumamt", json!(50.00)), ("ownpay_amt", json!(0.0))]
            {
                put(m, &format!("{ORDERS}/0"), field, value);
            }
            put(m, VISIT, "med_type", json!(11));
            put(m, PATIENT, "gend", json!(1));
        }),
        ("a dash and null for nothing", |m| {
            for field in ["wardno", "acct_payamt", "hifp_payamt"] {
                put(m, VISIT, field, json!("-"));
            }
            put(m, VISIT, "fsi_operation_dtos", Value::Null);
            put(m, &format!("{ORDERS}/0"), "drord_stop_date", json!("-"));
        }),
        ("days in other forms", |m| {
            put(m, PATIENT, "brdy", json!("19560813"));
            put(m, VISIT, "adm_date", json!("2026-03-10T09:00:00+08:00"));
            put(m, VISIT, "dscg_date", json!("2026/3/10 9:00"));
            put(m, &format!("{ORDERS}/0"), "drord_begn_date", json!(1_773_104_700_000_u64));
            put(m, &format!("{ORDERS}/1"), "drord_begn_date", json!("20260310090500"));
        }),
        ("fields that nobody knows", |m| {
            put(m, PATIENT, "fsi_his_data_dto", json!({"a": [1, {"b": null}]}));
            put(m, &format!("{ORDERS}/0"), "color", json!("red"));
        }),
        (
            "the data at the top",
            |m| *m = json!({"infno": "3101", "fixmedins_code": "H37030000127", "insuplc_admdvs": "370323", "patient_dtos": m.pointer("/input/data/patient_dtos").unwrap()}),
        ),
        ("the data without the input", |m| {
            *m = json!({"infno": 3101, "insuplc_admdvs": "370323", "data": m.pointer("/input/data").unwrap()});
        }),
        ("a level that lost its zero", |m| put(m, VISIT, "medins_lv", json!(5))),
        ("the id of the visit only with the patient", |m| {
            m.pointer_mut(VISIT).unwrap().as_object_mut().unwrap().remove("mdtrt_id");
        }),
    ];
    for (name, change) in changes {
        let mut message = fixture("3101.json");
        change(&mut message);
        let asked = review(&message);
        assert_eq!(tables(&asked.tables), as_sent, "{name}");
        assert_eq!(asked.unread, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_fund_s_part_is_what_is_left_and_unknown_without_one_of_the_three() {
    let part = |field: &str, value: Value| {
        let mut message = fixture("3101.json");
        put(&mut message, &format!("{ORDERS}/1"), field, value);
        let asked = review(&message);
        (cell(&asked, Table::FeeDetail, 1, "inscp_amt"), asked.unread)
    };
    assert_eq!(part("selfpay_amt", json!("3.86")), (Some("34.74".to_owned()), vec![]));
    assert_eq!(part("ownpay_amt", json!("34.74")), (Some("0.00".to_owned()), vec![]));
    assert_eq!(part("ownpay_amt", json!("-")), (None, vec![]));
    assert_eq!(part("selfpay_amt", json!(0.1 + 0.2)), (Some("38.30".to_owned()), vec![]));
    assert_eq!(part("inscp_scp_amt", json!("30")), (Some("30.00".to_owned()), vec![]));
    assert_eq!(part("overlmt_amt", json!("4.74")), (Some("30.00".to_owned()), vec![]));
    let (amount, unread) = part("ownpay_amt", json!("34.75"));
    assert_eq!(amount, None);
    assert_eq!(
        unread,
        ["patient_dtos[0].fsi_encounter_dtos[0].fsi_order_dtos[1]：自费加自付大于总费用，基金部分不明，有关规则不评"]
    );
}

#[test]
fn what_cannot_be_read_is_told_by_its_place_and_never_by_its_value() {
    let mut message = fixture("3101.json");
    put(&mut message, &format!("{ORDERS}/0"), "pric", json!("二十五秘密"));
    put(&mut message, &format!("{ORDERS}/1"), "cnt", json!("两盒秘密"));
    put(&mut message, VISIT, "dscg_date", json!("昨天秘密"));
    put(&mut message, PATIENT, "brdy", json!({"year": 1956}));
    let asked = review(&message);
    insta::assert_snapshot!(asked.unread.join("\n"));
    assert_eq!(asked.rows(Table::FeeDetail), 1);
    assert!(!asked.unread.join("").contains("秘密"));
    let warned = answer(&answered(&asked, &[]), &codes())["warn_msg"].to_string();
    assert!(warned.contains("fsi_order_dtos[0].pric"), "{warned}");
}

#[test]
fn an_order_that_is_sent_twice_is_read_once() {
    let mut message = fixture("3101.json");
    let order = message.pointer(&format!("{ORDERS}/0")).unwrap().clone();
    message.pointer_mut(ORDERS).unwrap().as_array_mut().unwrap().push(order);
    let asked = review(&message);
    assert_eq!(asked.rows(Table::FeeDetail), 2);
    assert_eq!(asked.unread.len(), 1);
    assert!(asked.unread[0].contains("[3] 没有读入：`rx_id` 与同一就诊前面的处方相同"), "{}", asked.unread[0]);
}

#[test]
fn a_current_visit_that_is_not_there_is_told_and_all_are_reviewed() {
    let mut message = fixture("3102.json");
    put(&mut message, "/input/data/patient_dtos", "curr_mdtrt_id", json!("ZY0"));
    let asked = review(&message);
    assert_eq!((asked.rows(Table::Encounter), asked.context.len()), (2, 0));
    let told = "patient_dtos[0].curr_mdtrt_id：不是任何一个就诊的 `mdtrt_id`，全部就诊都按当前的审";
    assert_eq!(asked.unread, [told]);
}

#[test]
fn a_patient_on_the_ward_has_not_left() {
    let end = |scene: &str, leaves: &str| {
        let mut message = fixture("3102.json");
        put(&mut message, "/input/data", "trig_scen", json!(scene));
        put(&mut message, "/input/data/patient_dtos/fsi_encounter_dtos/1", "dscg_date", json!(leaves));
        let asked = review(&message);
        (cell(&asked, Table::Encounter, 0, "endtime"), cell(&asked, Table::Encounter, 0, "inhosp_stas"))
    };
    let open = (None, Some("1".to_owned()));
    assert_eq!(end("5", "2026-03-06 09:30:00"), open, "an order on the ward");
    assert_eq!(end("8", "2026-03-01T10:20:00"), open, "the time of admission sent twice");
    assert_eq!(end("8", "2026-03-01T10:20:01"), (Some("2026-03-01T10:20:01".to_owned()), None));
    assert_eq!(end("8", "2026-03-06 09:30:00"), (Some("2026-03-06T09:30:00".to_owned()), None));
}

#[test]
fn the_days_of_a_drug_follow_from_its_usual_dose_where_nothing_else_is_said() {
    let mut message = fixture("3101.json");
    put(&mut message, &format!("{ORDERS}/1"), "cnt", json!("4"));
    let asked = review(&message);
    let dose = |asked: &ReviewAsked, row| {
        ["sin_dos_dscr", "used_frqu_dscr", "prd_days"].map(|column| cell(asked, Table::FeeDetail, row, column))
    };
    assert_eq!(dose(&asked, 0), [None, None, None], "no usual dose is known: not evaluated");
    assert_eq!(dose(&asked, 1), [Some("5mg".to_owned()), Some("qd".to_owned()), None]);
    // 112 days where a chronic disease is allowed 84: an estimate, so suspected only.
    let finding = &found(&asked, &["MED101"]).findings[0];
    assert_eq!((finding.result.as_str(), finding.feedetl_sn.as_deref()), ("可疑", Some("CF9001-2")));
    assert!(finding.message.contains("开药 112 天"), "{}", finding.message);
    let mut said = message;
    put(&mut said, &format!("{ORDERS}/1"), "prd_days", json!("7"));
    assert_eq!(dose(&review(&said), 1), [None, None, Some("7.0000".to_owned())]);
    assert!(found(&review(&said), &["MED101"]).findings.is_empty());
}

#[test]
fn a_scene_chooses_the_rules_before_the_vendor_does() {
    let (set, codes) = (built_in(), codes());
    let chosen = |scene: Option<&str>, ids: Value| {
        let mut message = fixture("3101.json");
        message["input"]["data"]["trig_scen"] = scene.map_or(Value::Null, Value::from);
        message["input"]["data"]["rule_ids"] = ids;
        let chosen = codes.chosen(&review(&message), &set);
        (chosen.rules.map(|rules| rules.into_iter().collect::<Vec<_>>()), chosen.notes)
    };
    assert_eq!(chosen(Some("2"), json!(["SCP101"])), (None, vec![]));
    let (registering, _) = chosen(Some("1"), json!([]));
    let registering = registering.unwrap();
    assert!(registering.iter().all(|code| code.starts_with("IDN") || code.starts_with("STY")), "{registering:?}");
    assert_eq!(chosen(None, json!(["SCP101", "wrong-sex-for-item"])), (Some(vec!["SCP101".to_owned()]), vec![]));
    assert_eq!(chosen(None, json!("")), (None, vec![]));
    let (rules, notes) = chosen(Some("77"), json!(["R01", "SCP101"]));
    assert_eq!(rules, Some(vec!["SCP101".to_owned()]));
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert_eq!(codes.scene("9"), Some("住院预结算"));
}

#[test]
fn what_a_doctor_did_is_read_and_a_kept_order_needs_its_reason() {
    let message = fixture("3103.json");
    let Asked::Feedback(feedback) = asked(&message).unwrap() else { panic!("a feedback was wanted") };
    assert_eq!(feedback.stage, Some(Stage::Before));
    assert_eq!(feedback.opter.as_deref(), Some("0417"));
    let done: Vec<_> = feedback.warnings.iter().map(|w| (w.done, w.reason.as_deref())).collect();
    assert_eq!(done, [(Done::Changed, None), (Done::Kept, Some("患者长期服用，已核对说明书"))]);
    // Who sends only the finding's id is understood; its rule is not known then.
    let about: Vec<_> = feedback.warnings.iter().map(|w| (w.rule_code(), w.finding_id())).collect();
    assert_eq!(
        about,
        [(Some("SCP101"), "5a1f00000000000000000000000000aa"), (None, "5a1f00000000000000000000000000bb")]
    );
    assert_eq!(acknowledge(&feedback, &Stamp::default(), &codes())["infcode"], "0");

    let wrong = |field: &str, value: Value| {
        let mut message = fixture("3103.json");
        put(&mut message, "/input/data/warns/1", field, value);
        refused(&message).said
    };
    assert_eq!(
        wrong("dspo_way_rea", json!("-")),
        "`warns[1].dspo_way_rea` 没有写：继续执行医嘱（`dspo_way` 1）要写理由"
    );
    assert_eq!(wrong("dspo_way_rea", json!("好".repeat(501))), "`warns[1].dspo_way_rea` 超过 500 字");
    assert_eq!(wrong("dspo_way", json!("3")), "`warns[1].dspo_way` 应当是 1（继续执行医嘱）或 2（返回修改医嘱）");
    assert_eq!(wrong("warn_rslt_id", json!("")), "`warns[1].warn_rslt_id` 没有写：填审核结果里的 `jr_id`");
    let mut just = fixture("3103.json");
    put(&mut just, "/input/data/warns/1", "dspo_way_rea", json!("好".repeat(500)));
    assert!(asked(&just).is_ok());
}

#[test]
fn a_message_that_is_not_answered_is_told_what_to_write() {
    let said = |message: Value| refused(&message).said;
    let raw = |body: &[u8]| request(body, &Limits::default(), &codes()).unwrap_err();
    let with = |place: &str, field: &str, value: Value| {
        let mut message = fixture("3101.json");
        put(&mut message, place, field, value);
        said(message)
    };
    let all = [
        raw(b"").said,
        raw(b"{\"infno\":\"3101\",").said,
        raw(b"{\"infno\":\"3101\"}}").said,
        raw(b"[1,2]").said,
        raw(&encoding_rs::GB18030.encode("{\"infno\":\"3101\",\"x\":\"张\"}").0).said,
        raw(b"{\"input\":{\"data\":{\"a\":{\"b\":1,\"b\":2}}}}").said,
        raw(format!("{{\"x\":{}1{}}}", "[".repeat(30), "]".repeat(30)).as_bytes()).said,
        raw("[".repeat(100_000).as_bytes()).said,
        said(json!({"infno": "2203", "input": {"data": {}}})),
        said(json!({"infno": "3101", "input": {"data": {}}})),
        said(json!({"infno": "3101", "input": "data"})),
        said(json!({"infno": "3101", "input": {"data": [{}, {}]}})),
        said(json!({"infno": "3103", "input": {"data": {"warns": []}}})),
        said(json!({"infno": "3101", "input": {"data": {"patient_dtos": ["x", {}]}}})),
        with(PATIENT, "patn_id", json!("")),
    ];
    insta::assert_snapshot!(all.join("\n"));
    let reason = refused(&json!({"infno": "3101", "msgid": "M9", "input": {"data": {}}}));
    assert_eq!((reason.why, reason.msgid.as_deref()), (Why::Unreadable, Some("M9")));
    let shown = refuse(&reason, &Stamp::default(), &codes());
    assert_eq!((&shown["infcode"], &shown["output"]), (&json!("-1"), &json!({})));
    assert_eq!(own_refusal(&reason)["error"], shown["err_msg"]);
}

#[test]
fn a_message_has_limits() {
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        let body = fixture("3101.json").to_string();
        request(body.as_bytes(), &limits, &codes()).map(|_| ()).map_err(|refused| (refused.why, refused.said))
    };
    assert_eq!(limits(|l| l.orders = 3), Ok(()));
    let (why, said) = limits(|l| l.orders = 2).unwrap_err();
    assert_eq!((why, said.as_str()), (Why::TooLarge, "`fsi_order_dtos`：处方（医嘱）有 3 个，最多 2 个，分几次送"));
    assert_eq!(limits(|l| l.diagnoses = 2), Ok(()));
    assert_eq!(limits(|l| l.diagnoses = 1).unwrap_err().0, Why::TooLarge);
    assert_eq!(limits(|l| l.encounters = 0).unwrap_err().0, Why::TooLarge);
    assert_eq!(limits(|l| l.patients = 0).unwrap_err().0, Why::TooLarge);
    assert_eq!(limits(|l| l.bytes = 1_000).unwrap_err().0, Why::TooLarge);
    assert_eq!(limits(|l| l.values = 100).unwrap_err().0, Why::TooLarge);
    // Root, input, data, patients, patient, encounters, encounter, orders, order.
    assert_eq!(limits(|l| l.depth = 9), Ok(()));
    assert_eq!(limits(|l| l.depth = 8).unwrap_err().0, Why::TooLarge);
    // A text that is too long is no reason to refuse the others.
    assert_eq!(limits(|l| l.text = 40), Ok(()));
    assert_eq!(limits(|l| l.text = 5).unwrap_err().0, Why::Unreadable);
}

#[test]
fn our_own_json_says_shared_ids_once_and_unknown_fields_are_told() {
    let body = fixture("own.json");
    let asked = own(body.to_string().as_bytes(), &Limits::default()).unwrap();
    assert_eq!((asked.form, asked.stage, asked.region.as_deref()), (Form::Own, Stage::During, Some("370323")));
    assert_eq!(asked.unread, ["claims[0].lines[1].prd_dayz：没有这个字段，略过；是不是 `prd_days`"]);
    insta::assert_snapshot!(tables(&asked.tables));
    let mut twice = body.clone();
    let line = twice["claims"][0]["lines"][0].clone();
    twice["claims"][0]["lines"].as_array_mut().unwrap().push(line);
    let twice = own(twice.to_string().as_bytes(), &Limits::default()).unwrap();
    assert_eq!(tables(&twice.tables), tables(&asked.tables));
    assert!(twice.unread[1].contains("lines[2] 没有读入：`feedetl_sn` 与同一就诊前面的明细相同"), "{:?}", twice.unread);
    // What is not about the claim's person, facility or encounter takes nothing that is.
    let mut others = body.clone();
    others["claims"][0]["facility"] =
        json!([{"fixmedins_name": "本院"}, {"fixmedins_code": "H2", "fixmedins_name": "他院"}]);
    others["claims"][0]["person"] = json!([{"gend": "1", "brdy": "1956-08-13"}, {"psn_no": "P2"}]);
    others["stgae"] = json!("before");
    let others = own(others.to_string().as_bytes(), &Limits::default()).unwrap();
    let of = |table, row, column| cell(&others, table, row, column);
    assert_eq!(
        [of(Table::Facility, 0, "fixmedins_code"), of(Table::Facility, 0, "hosp_lv")].map(Option::unwrap),
        ["H37030000127", "05"]
    );
    assert_eq!(of(Table::Facility, 1, "hosp_lv"), None);
    assert_eq!((of(Table::Person, 0, "gend"), of(Table::Person, 1, "gend")), (Some("1".to_owned()), None));
    assert_eq!(others.unread[0], "stgae：没有这个字段，略过；是不是 `stage`");
    // One claim by itself, as a line of a file, is the same.
    let alone = own(body["claims"][0].to_string().as_bytes(), &Limits::default()).unwrap();
    assert_eq!(tables(&alone.tables), tables(&asked.tables));

    let mut answered = answered(&asked, &["SCP101"]);
    answered.claims.push(Claim {
        setl_id: "JS1".to_owned(),
        mdtrt_id: "MZ26031000017".to_owned(),
        psn_no: "370323000000000000000000000417".to_owned(),
        fixmedins_code: "H37030000127".to_owned(),
        decision: "refuse".to_owned(),
        claimed: "60.50".parse().unwrap(),
        refused: "50".parse().unwrap(),
        refused_lines: vec![("CF9001-1".to_owned(), "50".parse().unwrap())],
        finding_ids: answered.findings.iter().map(|f| f.finding_id.clone()).collect(),
    });
    answered
        .not_evaluated
        .push(NotEvaluated { rule_code: "MED101".to_owned(), why: "缺少 days".to_owned(), units: 2 });
    answered.not_run.push("STY103".to_owned());
    insta::assert_snapshot!(serde_json::to_string_pretty(&own_answer(&answered)).unwrap());
    let warned = answer(&answered, &codes())["warn_msg"].as_str().unwrap().to_owned();
    assert!(
        warned.starts_with("没有审完：时间不够，1 条规则没有运行：STY103。没有读入：claims[0].lines[1].prd_dayz"),
        "{warned}"
    );
    assert!(warned.ends_with("缺数据，没有评：MED101"), "{warned}");
}

#[test]
fn whom_a_message_is_about_can_be_guessed_before_it_is_read() {
    for (message, person) in [
        (r#"{"claims": [{"settlement": {"setl_id": "S1", "psn_no": "P1"}, "person": {"psn_no": "P2"}}]}"#, Some("P1")),
        ("{\"input\": {\"patn_id\"\n :\t\"P3\", \"psn_no\": \"P4\"}}", Some("P3")),
        (r#"{"psn_no": 17}"#, None),
        (r#"{"psn_no": ""}"#, None),
        (r#"{"psn_no": "P"#, None),
        (r#"{"lines": []}"#, None),
        ("", None),
    ] {
        assert_eq!(person_hint(message.as_bytes()).as_deref(), person, "{message}");
    }
    let far = format!(r#"{{"x": "{}", "psn_no": "P1"}}"#, "-".repeat(5_000));
    assert_eq!(person_hint(far.as_bytes()), None);
}

#[test]
fn an_answer_names_no_line_that_the_message_did_not_have() {
    let asked = review(&fixture("3101.json"));
    let mut answered = answered(&asked, &["SCP101"]);
    let mut elsewhere = answered.lines[0].clone();
    elsewhere.mdtrt_id = "OTHER".to_owned();
    let mut unknown = answered.lines[0].clone();
    unknown.feedetl_sn = "CF1".to_owned();
    answered.lines.extend([elsewhere, unknown]);
    let shown = answer(&answered, &codes());
    assert_eq!(shown.pointer("/output/result/0/judge_result_detail_dtos").unwrap().as_array().unwrap().len(), 1);
    // Somebody answers for it already.
    answered.findings[0].exempted_by = Some("X1".to_owned());
    assert_eq!(answer(&answered, &codes())["output"], json!({"result": []}));
}

#[test]
fn the_dictionaries_are_a_file_and_its_mistakes_are_told_at_once() {
    let set = built_in();
    let text = r#"
[answer]
infcode = "number"
amounts = "text"
is_feedback = 1
[[sev_deg]]
result = "违规"
code = "1234"
[[vola_bhvr_type]]
rules = ["SCP", "SCP1O1"]
code = "行为类"
[[trig_scen]]
code = "1"
name = "门诊挂号"
[[trig_scen]]
code = "1"
name = "门诊挂号"
[[usual_dose]]
code = "XC08"
name = "钙拮抗剂"
a_day = "一片"
source = ""
"#;
    let mistakes = Codes::read("messages.toml", text, &set).unwrap_err();
    insta::assert_snapshot!(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"));
    let unknown = Codes::read("messages.toml", "[anwser]\n", &set).unwrap_err();
    assert_eq!((unknown.len(), unknown[0].line), (1, 1), "{}", unknown[0]);

    let text = "[answer]\ninfcode = \"number\"\namounts = \"text\"\nis_feedback = 1\n[[sev_deg]]\nresult = \"明确违规\"\ncode = \"甲\"\n[[sev_deg]]\ncode = \"乙\"\n[[vola_bhvr_type]]\nrules = [\"SCP\"]\ncode = \"行为类\"\n[[vola_bhvr_type]]\ncode = \"9\"\n";
    let codes = Codes::read("messages.toml", text, &set).unwrap();
    let mut message = fixture("3101.json");
    put(&mut message, &format!("{ORDERS}/1"), "prd_days", json!("112"));
    let mut answered = answered(&review(&message), &["SCP101", "MED101"]);
    for finding in answered.findings.iter_mut().filter(|finding| finding.rule_code == "MED101") {
        finding.result = "可疑".to_owned();
    }
    let shown = answer(&answered, &codes);
    assert_eq!(shown["infcode"], 0);
    let results = shown.pointer("/output/result").unwrap().as_array().unwrap();
    let of = |rule: &str| results.iter().find(|r| r["rule_id"] == rule).unwrap();
    let said = |rule: &str| {
        ["sev_deg", "vola_bhvr_type", "vola_amt"].map(|field| of(rule)[field].as_str().unwrap().to_owned())
    };
    assert_eq!(said("SCP101"), ["甲", "行为类", "50.00"]);
    assert_eq!(said("MED101")[..2], ["乙", "9"]);
    assert_eq!(of("SCP101")["is_feedback"], 1);
}

/// Copies a folder and what is in it.
pub(super) fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|e| (e.path(), e.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn rules_check_reads_the_dictionaries_too() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    copy(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("audit_rules"), &rules);
    assert!(library::check(Some(rules.as_path())).is_ok());
    let file = rules.join(Codes::FILE);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"SCP109\"", "\"SCP190\"")).unwrap();
    let Err(Error::Rules(mistakes)) = library::check(Some(rules.as_path())) else { panic!("it was taken") };
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].message, "no rule is called `SCP190`");
    assert_eq!(mistakes[0].file, file.display().to_string());
}

/// A plain generator, so that the two hundred messages are the same on every machine.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

/// Changes one place of a message: a value, a name, the shape.
pub(super) fn mutate(node: &mut Value, dice: &mut Dice) {
    let inside = dice.below(30) > 0;
    let tear = |node: &Value| if node.is_object() || node.is_array() { 40 } else { 6 };
    match node {
        Value::Object(fields) if inside && !fields.is_empty() => {
            let name = fields.keys().nth(dice.below(fields.len())).unwrap().clone();
            match dice.below(tear(&fields[&name])) {
                0 => drop(fields.remove(&name)),
                1 => {
                    let value = fields.remove(&name).unwrap();
                    fields.insert(format!("{name}_"), value);
                }
                _ => mutate(&mut fields[&name], dice),
            }
        }
        Value::Array(list) if inside && !list.is_empty() => {
            let at = dice.below(list.len());
            match dice.below(tear(&list[at])) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => mutate(&mut list[at], dice),
            }
        }
        _ => {
            let strange = [
                Value::Null,
                json!(""),
                json!("-"),
                json!({}),
                json!([]),
                json!([[]]),
                json!(true),
                json!(-1),
                json!(1e300),
                json!(1e-300),
                json!(u64::MAX),
                json!("９９．５"),
                json!("NaN"),
                json!("9".repeat(60)),
                json!("长".repeat(9_000)),
                json!("\u{0}\n\t"),
                json!("2026-02-30"),
                json!("0000-00-00 25:61:61"),
                json!(-9_223_372_036_854_775_808_i64),
                json!("999999999999999"),
                json!({"a": {"b": {"c": []}}}),
                json!("'; drop table"),
                json!("=1+1"),
                json!("\u{202e}"),
            ];
            *node = strange[dice.below(strange.len())].clone();
        }
    }
}

#[test]
fn two_hundred_mutated_messages_are_read_or_told_what_is_wrong() {
    let (set, codes) = (built_in(), codes());
    let names = ["3101.json", "3102.json", "3103.json", "3101-newer.json"];
    let (mut read, mut told) = (0, 0);
    for seed in 1..=200_usize {
        let mut dice = Dice(u64::try_from(seed).unwrap().wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut message = fixture(names[seed % names.len()]);
        for _ in 0..=dice.below(8) {
            mutate(&mut message, &mut dice);
        }
        let mut body = message.to_string().into_bytes();
        // Every fifth is also cut or has a byte turned.
        if seed % 5 == 0 {
            let at = dice.below(body.len());
            if dice.below(2) == 0 { body.truncate(at) } else { body[at] ^= 1 << dice.below(8) }
        }
        match request(&body, &Limits::default(), &codes) {
            Ok(Asked::Review(asked)) => {
                read += 1;
                for (table, batch) in asked.tables.iter().chain(&asked.context) {
                    assert_eq!(batch.schema(), table.schema());
                }
                let _ = codes.chosen(&asked, &set);
                // What was read can be reviewed and answered.
                let shown = if seed % 10 == 0 {
                    answered(&asked, &["SCP101", "MED101", "BIL103"])
                } else {
                    Answered::to(&asked, Stamp::default())
                };
                assert_eq!(answer(&shown, &codes)["infcode"], "0");
            }
            Ok(Asked::Feedback(feedback)) => {
                read += 1;
                assert_eq!(acknowledge(&feedback, &Stamp::default(), &codes)["infcode"], "0");
            }
            Err(reason) => {
                told += 1;
                let shown = refuse(&reason, &Stamp::default(), &codes);
                assert_eq!(shown["infcode"], "-1");
                assert!(reason.said.chars().count() >= 6, "{seed}: {}", reason.said);
            }
        }
    }
    assert_eq!(read + told, 200);
    assert!(read > 80 && told > 20, "{read} read, {told} told");
}

fn strangers_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "infno",
        "input",
        "data",
        "patient_dtos",
        "fsi_encounter_dtos",
        "fsi_order_dtos",
        "fsi_diagnose_dtos",
        "mdtrt_id",
        "patn_id",
        "rx_id",
        "cnt",
        "sumamt",
        "ownpay_amt",
        "selfpay_amt",
        "brdy",
        "adm_date",
        "dscg_date",
        "warns",
        "dspo_way",
        "claims",
        "lines",
        "encounter",
        "settlement",
        "setl_id",
        "feedetl_sn",
        "trig_scen",
        "rule_ids",
        "med_type",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[0-9.,:/ T-]{0,20}".prop_map(Value::from),
        prop::sample::select(vec!["3101", "3102", "3103", "-", "", "1", "2026-03-10"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 120, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..10)
                .prop_map(|fields| Value::Object(fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())),
        ]
    })
}

/// A fee line of our own JSON; `plainly`: written as most are.
fn a_line(plainly: bool) -> impl Strategy<Value = Value> {
    let of = |usual: &[&str], odd: &[Value]| {
        let usual: Vec<Value> = usual.iter().map(|text| json!(text)).collect();
        let all = if plainly { usual } else { [usual, odd.to_vec()].concat() };
        prop::option::weighted(0.9, prop::sample::select(all))
    };
    let seldom = |often: f64, text: &'static str| {
        if plainly { Just(None).boxed() } else { prop::option::weighted(often, Just(json!(text))).boxed() }
    };
    let fields = (
        of(&["001101", "ⅩA1"], &[json!("１２"), json!(" x "), json!("1.2e+5"), json!(17), json!(["x"])]),
        of(&["Ⅱ级护理", "阿莫西林（胶囊）", "-"], &[json!("a\u{1}b"), json!(""), json!(null), json!({"a": 1})]),
        of(&["1", "2.5", "-1"], &[json!("1,000"), json!("半"), json!(3), json!(0.1), json!(true)]),
        of(&["28.00", "7"], &[json!("￥28.00元"), json!("28.001"), json!("many")]),
        of(
            &["2026-03-01 08:00:00", "2026-03-02"],
            &[json!("2026/3/1"), json!("1772323200000"), json!(1_772_323_200_000_i64), json!("soon")],
        ),
        of(&["0", "1"], &[json!("是"), json!(false), json!("9.0")]),
        of(&["81900"], &[json!("81900|81901"), json!(["81900", "81901"])]),
        of(&["M1"], &[json!("M2"), json!("M1 ")]),
        seldom(0.1, "1.00"),
        seldom(0.05, "?"),
    );
    fields.prop_map(|(code, name, count, sum, time, flag, traced, encounter, sum_again, unknown)| {
        let named = [
            ("hilist_code", code),
            ("hilist_name", name),
            ("cnt", count),
            ("det_item_fee_sumamt", sum),
            ("fee_ocur_time", time),
            ("dscg_tkdrug_flag", flag),
            ("drug_trac_codg", traced),
            ("mdtrt_id", encounter),
            ("sumamt", sum_again),
            ("strange", unknown),
        ];
        Value::Object(named.into_iter().filter_map(|(name, cell)| Some((name.to_owned(), cell?))).collect())
    })
}

/// Fee lines under serial numbers, one of which may be there twice.
fn lines() -> impl Strategy<Value = Vec<Value>> {
    let lines = any::<bool>().prop_flat_map(|plainly| prop::collection::vec(a_line(plainly), 8..20));
    (lines, 0_usize..60).prop_map(|(mut lines, twice)| {
        for (number, line) in lines.iter_mut().enumerate() {
            line["feedetl_sn"] = json!(format!("L{}", if number == twice { 0 } else { number }));
        }
        lines
    })
}

proptest! {
    #[test]
    fn a_list_of_lines_says_what_its_lines_say_one_by_one(lines in lines()) {
        // An item that is nothing is passed over, and with it in the list its lines are read one by one.
        let read = |more: &[Value]| {
            let lines = [&lines[..], more].concat();
            let encounter = json!({"mdtrt_id": "M1", "psn_no": "P1", "fixmedins_code": "H1", "begntime": "2026-03-01"});
            let message = json!({"encounter": encounter, "lines": lines}).to_string();
            own(message.as_bytes(), &Limits::default()).map(|asked| {
                (tables(&asked.tables), format!("{:?}", asked.visits), asked.unread, asked.facilities)
            })
        };
        prop_assert_eq!(read(&[]), read(&[json!(null)]));
    }

    #[test]
    fn no_json_makes_a_message_panic(message in strangers_json()) {
        let codes = Codes::default();
        let body = message.to_string();
        let _ = request(body.as_bytes(), &Limits::default(), &codes);
        let _ = own(body.as_bytes(), &Limits::default());
    }

    #[test]
    fn no_bytes_make_a_message_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let codes = Codes::default();
        let _ = request(&bytes, &Limits::default(), &codes);
        let _ = own(&bytes, &Limits::default());
    }

    #[test]
    fn an_order_s_fund_part_adds_up(sum in 0_i64..10_000_000, own in 0_i64..10_000_000, shared in 0_i64..10_000_000) {
        let yuan = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
        let mut message = fixture("3101.json");
        for (field, cents) in [("sumamt", sum), ("ownpay_amt", own), ("selfpay_amt", shared)] {
            put(&mut message, &format!("{ORDERS}/0"), field, json!(yuan(cents)));
        }
        let codes = Codes::default();
        let Ok(Asked::Review(asked)) = request(message.to_string().as_bytes(), &Limits::default(), &codes) else {
            return Err(TestCaseError::fail("it was refused"));
        };
        let left = sum - own - shared;
        prop_assert_eq!(cell(&asked, Table::FeeDetail, 0, "inscp_amt"), (left >= 0).then(|| yuan(left)));
    }
}
