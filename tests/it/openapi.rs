//! What the service says of itself holds: the document is whole, the samples fit it, what does not fit is not read, and what is
//! answered is described to the last field.
//!
//! The judge of a schema below knows the few words that the document uses, and a word that it does not know fails the test.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use fundaudit::messages::{
    Asked, Claim, Codes, Done, Feedback, Form, Limits, NotEvaluated, Refused, Stage, Stamp, Warning, acknowledge,
    answer, own, own_answer, own_refusal, refuse, request,
};
use fundaudit::operations::review::Nothing;
use fundaudit::serve::feedback::{Journal, kept};
use fundaudit::serve::openapi::{ROUTES, document, text};
use fundaudit::serve::{Options, Service};
use serde_json::{Value, json};

use super::messages::{answered, codes, fixture, review};

/// Words that only tell people something.
const TOLD: [&str; 5] = ["title", "description", "examples", "example", "default"];

/// Whether a value is as a schema says; `strict`: and no property is there that the schema does not name.
fn fits(document: &Value, schema: &Value, value: &Value, strict: bool, at: &str) -> Result<(), String> {
    for (word, said) in schema.as_object().unwrap() {
        let each = |said: &Value| -> Vec<Result<(), String>> {
            said.as_array().unwrap().iter().map(|one| fits(document, one, value, strict, at)).collect()
        };
        match word.as_str() {
            "$ref" => fits(document, resolved(document, said), value, strict, at)?,
            "allOf" => each(said).into_iter().collect::<Result<_, _>>()?,
            "anyOf" => {
                let each = each(said);
                if !each.iter().any(Result::is_ok) {
                    let why: Vec<String> = each.into_iter().filter_map(Result::err).collect();
                    return Err(format!("{at}: none of {}", why.join(" | ")));
                }
            }
            "type" => {
                let types = said.as_array().map_or_else(|| vec![said], |list| list.iter().collect());
                if !types.iter().any(|kind| is(kind.as_str().unwrap(), value)) {
                    return Err(format!("{at}: {value} is not of type {said}"));
                }
            }
            "enum" if !said.as_array().unwrap().contains(value) => {
                return Err(format!("{at}: {value} is not in {said}"));
            }
            "required" if value.is_object() => {
                for name in said.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        return Err(format!("{at}: no {name}"));
                    }
                }
            }
            "properties" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    match said.get(name) {
                        Some(schema) => fits(document, schema, inner, strict, &format!("{at}.{name}"))?,
                        None if strict => return Err(format!("{at}.{name} is not described")),
                        None => {}
                    }
                }
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(document, said, item, strict, &format!("{at}[{number}]"))?;
                }
            }
            "maxLength" if value.as_str().is_some_and(|t| t.chars().count() as u64 > said.as_u64().unwrap()) => {
                return Err(format!("{at}: longer than {said}"));
            }
            "minimum" if value.as_f64().is_some_and(|n| n < said.as_f64().unwrap()) => {
                return Err(format!("{at}: {value} is less than {said}"));
            }
            "maxProperties" if value.as_object().is_some_and(|o| o.len() as u64 > said.as_u64().unwrap()) => {
                return Err(format!("{at}: more than {said} properties"));
            }
            "enum" | "required" | "maxLength" | "minimum" | "maxProperties" => {}
            word => assert!(TOLD.contains(&word), "the judge does not know `{word}`"),
        }
    }
    Ok(())
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        kind => panic!("no type is called {kind}"),
    }
}

fn resolved<'d>(document: &'d Value, reference: &Value) -> &'d Value {
    let place = reference.as_str().unwrap().strip_prefix('#').unwrap();
    document.pointer(place).unwrap_or_else(|| panic!("nothing is at {place}"))
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn judged(name: &str, value: &Value) -> Result<(), String> {
    fits(&document(), &schema(name), value, false, name)
}

fn described(name: &str, value: &Value) {
    fits(&document(), &schema(name), value, true, name).unwrap_or_else(|why| panic!("{why}\n{value:#}"));
}

/// Every object of the document that has this field.
fn having<'d>(node: &'d Value, field: &str, found: &mut Vec<&'d Value>) {
    match node {
        Value::Object(fields) => {
            if fields.contains_key(field) {
                found.push(node);
            }
            fields.values().for_each(|inner| having(inner, field, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| having(inner, field, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_whole() {
    let document = document();
    assert_eq!(serde_json::from_str::<Value>(text()).unwrap(), document);
    assert_eq!(document["openapi"], "3.1.0");
    let mut there = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            there.insert((method.as_str(), path.as_str()));
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{path}: this name is taken");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.values().all(|r| r["content"].as_object().is_some_and(|c| c.len() == 1)), "{path}");
            assert!(responses.contains_key("200"), "{path}");
            assert!(responses.values().all(|response| response["description"].is_string()), "{path}");
            assert_eq!(method == "post", operation.get("requestBody").is_some(), "{path}");
            for tag in operation["tags"].as_array().unwrap() {
                assert!(
                    document["tags"].as_array().unwrap().iter().any(|known| known["name"] == *tag),
                    "{path}: {tag}"
                );
            }
        }
    }
    assert_eq!(there, BTreeSet::from(ROUTES));
    for requirement in document["security"].as_array().unwrap() {
        for name in requirement.as_object().unwrap().keys() {
            assert!(document["components"]["securitySchemes"].get(name).is_some(), "{name}");
        }
    }
    let mut references = Vec::new();
    having(&document, "$ref", &mut references);
    let mut used = BTreeSet::new();
    for reference in references {
        resolved(&document, &reference["$ref"]);
        used.insert(reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap());
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(used.contains(name.as_str()), "no route speaks of the schema {name}");
    }
}

#[test]
fn every_example_is_what_its_route_takes_and_is_read_whole() {
    let document = document();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(content) = item.pointer("/post/requestBody/content/application~1json") else { continue };
        for example in content["examples"].as_object().unwrap().values() {
            count += 1;
            let value = &example["value"];
            fits(&document, &content["schema"], value, false, path).unwrap_or_else(|why| panic!("{why}"));
            let body = value.to_string();
            let unread = if path.ends_with("/review") {
                own(body.as_bytes(), &Limits::default()).unwrap().unread
            } else {
                match request(body.as_bytes(), &Limits::default(), &codes()).unwrap() {
                    Asked::Review(asked) => asked.unread,
                    Asked::Feedback(_) => Vec::new(),
                }
            };
            assert_eq!(unread, Vec::<String>::new(), "{path}");
        }
    }
    assert_eq!(count, 5);
    assert_eq!(judged("OwnRequest", &fixture("own.json")), Ok(()));
    assert_eq!(judged("OwnClaim", &fixture("own.json")["claims"][0]), Ok(()));
}

#[test]
fn what_does_not_fit_is_not_read_or_noted() {
    let order = "/input/data/patient_dtos/0/fsi_encounter_dtos/0/fsi_order_dtos/0";
    let visit = "/input/data/patient_dtos/0/fsi_encounter_dtos/0";
    for (place, field, value) in [
        ("/input/data", "patient_dtos", None),
        ("/input/data/patient_dtos/0", "fsi_encounter_dtos", None),
        ("/input/data/patient_dtos/0", "patn_id", None),
        (visit, "adm_date", None),
        (visit, "med_type", None),
        (visit, "dscg_date", Some(json!(["2026-03-10"]))),
        (order, "rx_id", None),
        (order, "cnt", None),
        (order, "sumamt", Some(json!({"yuan": 50}))),
        (order, "hilist_code", None),
    ] {
        let mut message = fixture("3101.json");
        let parent = message.pointer_mut(place).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => drop(parent.insert(field.to_owned(), value)),
            None => drop(parent.remove(field)),
        }
        assert!(judged("NationalReview", &message).is_err(), "{place} {field} fits");
        match request(message.to_string().as_bytes(), &Limits::default(), &codes()) {
            Ok(Asked::Review(asked)) => assert!(!asked.unread.is_empty(), "{place} {field} is read"),
            Ok(Asked::Feedback(_)) => panic!("{place} {field}"),
            Err(_) => {}
        }
    }
    for (field, value) in [
        ("dspo_way", json!("3")),
        ("dspo_way", json!(null)),
        ("dspo_way_rea", json!("好".repeat(501))),
        ("warn_rslt_id", json!(null)),
    ] {
        let mut message = fixture("3103.json");
        message["input"]["data"]["warns"][1][field] = value;
        assert!(judged("NationalFeedback", &message).is_err(), "{field} fits");
        let read = request(message.to_string().as_bytes(), &Limits::default(), &codes());
        assert!(read.is_err(), "{field} is read");
    }
}

/// A field that is described and not read would be a promise that nobody keeps.
#[test]
fn every_field_that_is_described_is_read() {
    let document = document();
    let names = |name: &str| -> Vec<String> {
        document["components"]["schemas"][name]["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let not_text = json!({"a": 1});
    // Said beside the columns, and looked at elsewhere.
    let besides = ["curr_drord_flag", "lv1_hosp_item_pric", "lv2_hosp_item_pric", "lv3_hosp_item_pric"];
    for (row, list) in [("NationalOrder", "fsi_order_dtos"), ("NationalDiagnosis", "fsi_diagnose_dtos")] {
        for name in names(row).iter().filter(|name| !besides.contains(&name.as_str())) {
            let mut message = fixture("3101.json");
            message["input"]["data"]["patient_dtos"][0]["fsi_encounter_dtos"][0][list][0] = json!({ name: not_text });
            let told = review(&message).unread.join("\n");
            assert!(told.contains(&format!("{list}[0].{name}：应当是文字或数")), "{row}.{name}: {told}");
        }
    }
    for name in names("OwnLines") {
        let mut message = fixture("own.json");
        message["claims"][0]["lines"][0] = json!({ &name: not_text });
        let told = own(message.to_string().as_bytes(), &Limits::default()).unwrap().unread.join("\n");
        assert!(told.contains(&format!("lines[0].{name}：应当是文字或数")), "OwnLines.{name}: {told}");
    }
}

#[test]
fn what_is_answered_is_described_to_the_last_field() {
    for name in ["3101.json", "3101-newer.json"] {
        let mut answered = answered(&review(&fixture(name)), &["SCP101", "MED101"]);
        described("NationalAnswer", &answer(&answered, &codes()));
        assert!(!answered.findings.is_empty());
        answered.not_run.push("STY103".to_owned());
        answered.claims.push(Claim {
            setl_id: String::new(),
            mdtrt_id: "M".to_owned(),
            psn_no: "P".to_owned(),
            fixmedins_code: "H".to_owned(),
            decision: "refuse".to_owned(),
            claimed: "60.50".parse().unwrap(),
            refused: "99999999999999.99".parse().unwrap(),
            refused_lines: vec![("1".to_owned(), "50".parse().unwrap())],
            finding_ids: vec!["F".to_owned()],
        });
        answered.not_evaluated.push(NotEvaluated {
            rule_code: "MED101".to_owned(),
            why: "缺少 days".to_owned(),
            units: 2,
        });
        described("OwnAnswer", &own_answer(&answered));
    }
    let dictionaries = "[answer]\ninfcode = \"number\"\namounts = \"text\"\nis_feedback = 1\n[[sev_deg]]\ncode = \"1\"\n[[vola_bhvr_type]]\ncode = \"1\"\n";
    let set = fundaudit::rules::load(&fundaudit::rules::Files::built_in()).unwrap();
    let others = Codes::read("messages.toml", dictionaries, &set).unwrap();
    let reviewed = answered(&review(&fixture("3101.json")), &["SCP101"]);
    assert_eq!(reviewed.form, Form::National);
    described("NationalAnswer", &answer(&reviewed, &others));

    let refused: Refused = request(b"{", &Limits::default(), &codes()).err().unwrap();
    for codes in [&codes(), &others] {
        described("NationalAnswer", &refuse(&refused, &Stamp::default(), codes));
        let feedback = Feedback {
            msgid: None,
            task_id: None,
            stage: Some(Stage::During),
            fixmedins_code: None,
            opter: None,
            warnings: vec![Warning { warn_rslt_id: "F".to_owned(), done: Done::Changed, reason: None }],
        };
        described("NationalAcknowledgement", &acknowledge(&feedback, &Stamp::default(), codes));
    }
    described("OwnError", &own_refusal(&refused));
    assert!(
        fits(&document(), &schema("OwnError"), &json!({"error": "x", "more": 1}), true, "").is_err(),
        "the judge is strict"
    );
}

/// Status, kind of content and body of a request on a connection of its own.
pub(super) fn asked_over_http(to: SocketAddr, method: &str, path: &str, body: &str) -> (String, String, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    let (method, length) = (method.to_uppercase(), body.len());
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim()).to_owned()
    };
    let kind = header("content-type").split(';').next().unwrap_or_default().to_owned();
    (head.split(' ').nth(1).unwrap().to_owned(), kind, body.to_owned())
}

#[test]
fn the_service_answers_as_it_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Options::default() };
    let feedback = Arc::new(Journal::open(folder.path()).unwrap());
    let service = Service::start(options, Arc::new(Nothing::default()), Some(feedback)).unwrap();
    let document = document();
    let as_described = |method: &str, path: &str, body: &str, wanted: &str| {
        let (status, kind, answer) = asked_over_http(service.address(), method, path, body);
        assert_eq!(status, wanted, "{method} {path}: {answer}");
        let content = &document["paths"][path][method]["responses"][&status]["content"];
        let described = content.as_object().unwrap_or_else(|| panic!("{path}: a {status} is not described"));
        let schema = described.get(&kind).unwrap_or_else(|| panic!("{path}: {kind} is not described"));
        if kind == "application/json" {
            let value: Value = serde_json::from_str(&answer).unwrap();
            let strict = path.starts_with("/api/");
            fits(&document, &schema["schema"], &value, strict, path).unwrap_or_else(|why| panic!("{why}\n{value:#}"));
        }
        answer
    };
    for (method, path) in ROUTES {
        let sample = match path.rsplit('/').next().unwrap() {
            "review" => "county.json",
            "3102" => "3102.json",
            "3103" => "3103.json",
            _ => "3101.json",
        };
        let body = if method == "post" { fixture(sample).to_string() } else { String::new() };
        let answer = as_described(method, path, &body, "200");
        if path == "/openapi.json" {
            assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), document);
        }
        if method == "post" {
            assert!(!answer.contains("\"infcode\":\"-1\""), "{path}: {answer}");
            let (wrong, status) = if path.ends_with("/review") { ("{\"claims\":[]}", "422") } else { ("{", "200") };
            let told = as_described(method, path, wrong, status);
            assert!(status == "422" || told.contains("\"infcode\":\"-1\""), "{path}: {told}");
        }
    }
    as_described("post", "/api/v1/review", "[", "400");
    assert_eq!(kept::files(folder.path()).unwrap().len(), 1, "3103 was kept");
    assert!(service.stop(Duration::from_secs(5)));
}
