//! `/openapi.json`: every route of the service, what it takes and what it answers, as `OpenAPI` 3.1.
//!
//! Goes in: nothing. Comes out: the document. The names of fields are those by which messages are read
//! ([`messages::fields_of`], [`messages::PARTS`], [`messages::LISTS`]) with the titles and kinds of the model's columns, so that
//! a column that is added is described; the envelopes around them and the answers are written here, and tests hold them
//! against what is read and answered. Deliberately unknown here: how a request is served.
//!
//! A message is read more kindly than it is described: a list may be a single object, a number a text, nothing `""`, `"-"` or
//! `null`; unknown fields are passed over. The descriptions say so once.
//!
//! To add a route: a line in [`ROUTES`], its entry in [`operation`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::messages::{Field, LISTS, Limits, PARTS, REASON, SHARED, fields_of};
use crate::model::{Kind, Table};

/// Every route: method and path.
pub const ROUTES: [(&str, &str); 8] = [
    ("post", "/api/v1/review"),
    ("post", "/api/v1/3101"),
    ("post", "/api/v1/3102"),
    ("post", "/api/v1/3103"),
    ("post", "/api/v1/national"),
    ("get", "/openapi.json"),
    ("get", "/healthz"),
    ("get", "/metrics"),
];

/// The document as it is sent.
#[must_use]
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());
    &TEXT
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (method, path) in ROUTES {
        paths.entry(path).or_default().insert(method.to_owned(), operation(path));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "基金智审 fundaudit",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": ABOUT,
        },
        "servers": [{ "url": "/", "description": "本服务" }],
        "tags": [
            { "name": "review", "description": "付费前审核" },
            { "name": "national", "description": "国家接口 3101、3102、3103" },
            { "name": "service", "description": "服务自身" },
        ],
        "security": [{ "bearer": [] }, { "key": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "机构的密钥。只听本机的服务可以不设密钥。" },
                "key": { "type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "同上，写在另一个头里。" },
            },
            "headers": {
                "RequestId": { "description": "这次请求的编号，日志里也有；国家接口的 `inf_refmsgid` 就是它", "schema": { "type": "string" } },
                "RetryAfter": { "description": "几秒以后再来", "schema": { "type": "integer", "minimum": 0 } },
            },
            "schemas": schemas(),
        },
    })
}

const ABOUT: &str = "付费前审核：医院信息系统在开单、收费、结算时来问，几毫秒内得到答复。\n\n\
    读消息从宽：集合可以是列表，也可以是一个对象；数可以写成文字；`\"\"`、`\"-\"`、`null` 是没有；日期认 \
    `2026-03-10 09:05:00`、带 `T`、`2026/3/10 9:05`、`20260310090500` 和毫秒数（按北京时间）；不认识的字段略过。\
    读不懂的一项空着，在 `warn_msg`（国家接口）或 `unread`（我们自己的 JSON）里写明在哪里、该怎么写，不写它的值。\n\n\
    一个机构只能问自己的就诊。同一机构、同一 `task_id`、同样的内容，答复也一样。姓名和证件号不读。";

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// What a route takes and answers.
fn operation(path: &str) -> Value {
    let national = |id: &str, summary: &str, description: &str, request: &str, answer: &str, examples: Value| {
        json!({
            "tags": ["national"],
            "operationId": id,
            "summary": summary,
            "description": description,
            "requestBody": body(&reference(request), &examples),
            "responses": national_responses(answer),
        })
    };
    match path {
        "/api/v1/review" => json!({
            "tags": ["review"],
            "operationId": "review",
            "summary": "审核待付的费用（我们自己的 JSON）",
            "description": "一份或几份费用，用平台的列名。每份得到一个决定：pass 通过、hold 待核、refuse 拒付（逐行写明金额）。",
            "requestBody": body(&json!({ "anyOf": [reference("OwnRequest"), reference("OwnClaim")] }), &json!({ "claim": { "value": own_example() } })),
            "responses": own_responses(),
        }),
        "/api/v1/3101" => national(
            "before",
            "3101 明细审核事前分析",
            "开单、开医嘱时问，用“前”环节的规则。`infno` 不写就是 3101，写了别的就退回。",
            "NationalReview",
            "NationalAnswer",
            json!({
                "patn_id": { "summary": "patn_id、rx_id 的写法", "value": sample(include_str!("../../fixtures/messages/3101.json")) },
                "psn_no": { "summary": "psn_no、feedetl_sn 的写法", "value": sample(include_str!("../../fixtures/messages/3101-newer.json")) },
            }),
        ),
        "/api/v1/3102" => national(
            "during",
            "3102 明细审核事中分析",
            "预结算、结算时问，用“中”环节的规则。",
            "NationalReview",
            "NationalAnswer",
            json!({ "stay": { "value": sample(include_str!("../../fixtures/messages/3102.json")) } }),
        ),
        "/api/v1/3103" => national(
            "feedback",
            "3103 明细审核反馈",
            "医生对提醒做了什么，为什么。答复 `infcode` 0 的时候已经写到盘上。",
            "NationalFeedback",
            "NationalAcknowledgement",
            json!({ "warns": { "value": sample(include_str!("../../fixtures/messages/3103.json")) } }),
        ),
        "/api/v1/national" => {
            let either = json!({ "anyOf": [reference("NationalReview"), reference("NationalFeedback")] });
            json!({
                "tags": ["national"],
                "operationId": "national",
                "summary": "3101、3102、3103 走同一个地址",
                "description": "按消息的 `infno` 分。",
                "requestBody": body(&either, &json!({})),
                "responses": national_responses("NationalAny"),
            })
        }
        "/openapi.json" => open("openapi", "本文件", "application/json", &json!({ "type": "object" })),
        "/healthz" => open("health", "服务是否正常，用的是哪一版规则", "application/json", &reference("Health")),
        _ => open("metrics", "Prometheus 指标", "application/openmetrics-text", &json!({ "type": "string" })),
    }
}

fn sample(text: &str) -> Value {
    serde_json::from_str(text).expect("the samples are read by the tests")
}

fn own_example() -> Value {
    json!({
        "stage": "during",
        "task_id": "T20260310-000018",
        "claims": [{
            "settlement": { "setl_id": "JS1", "mdtrt_id": "MZ26031000017", "psn_no": "370323000000000000000000000417", "fixmedins_code": "H37030000127", "setl_time": "2026-03-10 10:00:00", "medfee_sumamt": 50 },
            "encounter": { "med_type": "11", "begntime": "2026-03-10 09:00:00", "endtime": "2026-03-10 09:30:00" },
            "person": { "gend": "1", "brdy": "1956-08-13" },
            "diagnoses": [{ "diag_code": "N40.x00", "maindiag_flag": "1" }],
            "lines": [{ "feedetl_sn": "CF9001-1", "fee_ocur_time": "2026-03-10 09:05:00", "hilist_code": "ZD03AAA0043010100166", "hilist_name": "艾附暖宫丸", "list_type": "101", "cnt": 2, "pric": 25, "det_item_fee_sumamt": 50, "inscp_amt": 50 }],
        }],
    })
}

fn body(schema: &Value, examples: &Value) -> Value {
    let most = Limits::default().bytes >> 20;
    json!({
        "required": true,
        "description": format!("UTF-8，最多 {most} MiB"),
        "content": { "application/json": { "schema": schema, "examples": examples } },
    })
}

fn answered(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn later(description: &str, schema: &Value) -> Value {
    let mut response = answered(description, schema);
    response["headers"] = json!({ "Retry-After": { "$ref": "#/components/headers/RetryAfter" } });
    response
}

fn own_responses() -> Value {
    let error = reference("OwnError");
    let refused = [
        ("400", "不是 JSON，或正文没有到齐", false),
        ("401", "没有密钥，或密钥不对", false),
        ("403", "不是这个机构的就诊，或没有写是哪个机构的", false),
        ("408", "正文来得太慢", false),
        ("413", "太大，分几次送", false),
        ("415", "正文压缩了：不要压缩", false),
        ("422", "是 JSON，但没有读得懂的内容", false),
        ("429", "问得太快，超过了密钥的速率", true),
        ("500", "这一次没有审成：服务自己的错，内容没有问题", true),
        ("503", "正忙，排队已满", true),
    ];
    let mut responses =
        json!({ "200": answered("决定、疑点、没有评的和没有来得及运行的规则", &reference("OwnAnswer")) });
    for (status, description, again) in refused {
        let said = format!("{description}。`error` 说怎么办");
        responses[status] = if again { later(&said, &error) } else { answered(&said, &error) };
    }
    for response in responses.as_object_mut().expect("it is an object").values_mut() {
        response["headers"]["X-Request-Id"] = json!({ "$ref": "#/components/headers/RequestId" });
    }
    responses
}

fn national_responses(answer: &str) -> Value {
    let said = "总是 200：`infcode` 0 是答复，-1 是没有答（读不懂、密钥不对、不是本机构的就诊、问得太快、正忙），`err_msg` 说该怎么办。没有答的，按没有提醒处理";
    let mut response = answered(said, &reference(answer));
    response["headers"] = json!({ "X-Request-Id": { "$ref": "#/components/headers/RequestId" } });
    json!({ "200": response })
}

/// A route that is asked without a key.
fn open(id: &str, summary: &str, form: &str, schema: &Value) -> Value {
    json!({
        "tags": ["service"],
        "operationId": id,
        "summary": summary,
        "security": [{}],
        "responses": { "200": { "description": summary, "content": { (form): { "schema": schema } } } },
    })
}

fn schemas() -> Value {
    let mut all = Map::new();
    let mut put = |name: &str, schema: Value| all.insert(name.to_owned(), schema);
    for (name, schema) in kinds() {
        put(name, schema);
    }
    for (part, table) in PARTS {
        put(&format!("Own{}", capital(part)), own_row(table));
    }
    put("OwnClaim", own_claim());
    put("OwnRequest", own_request());
    put("OwnAnswer", own_answer());
    put("OwnError", object(&[("error", text_of("该写什么，怎么办"))], &["error"]));
    put("Health", health());
    put("NationalReview", national_review());
    put("NationalPatient", national_patient());
    put("NationalEncounter", national_encounter());
    for (name, table) in [("Diagnosis", Table::Diagnosis), ("Operation", Table::Operation)] {
        put(&format!("National{name}"), national_row(table, &[]));
    }
    put("NationalOrder", national_row(Table::FeeDetail, &ORDER));
    put("NationalFeedback", national_feedback());
    put("NationalAnswer", national_answer(&object(&[("result", list_of(&reference("NationalResult")))], &["result"])));
    put("NationalResult", national_result());
    put("NationalDetail", national_detail());
    put("NationalAcknowledgement", national_answer(&json!({ "type": "object" })));
    put("NationalAny", json!({ "anyOf": [reference("NationalAnswer"), reference("NationalAcknowledgement")] }));
    Value::Object(all)
}

/// `Lines` of `lines`, `BedChecks` of `bed_checks`.
fn capital(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

/// An object with these properties, of which some must be there.
fn object(properties: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn text_of(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn text_or_null(description: &str) -> Value {
    json!({ "type": ["string", "null"], "description": description })
}

fn yuan(description: &str) -> Value {
    // Beyond ten trillion a number would not keep the cents.
    json!({ "type": ["number", "string"], "description": format!("{description}，元") })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn list_of(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// A list, or where there is one only, it alone.
fn some(items: &Value) -> Value {
    json!({ "anyOf": [items, list_of(items), { "type": ["null", "string"], "maxLength": 1 }] })
}

/// What a cell of each kind may be.
fn kinds() -> [(&'static str, Value); 8] {
    let cell = |types: &[&str], description: &str, examples: Value| json!({ "type": types, "description": description, "examples": examples });
    let number = ["string", "number", "null"];
    [
        ("Text", cell(&number, "文字或编码。编码请加引号，前导的零要留着", json!(["001201000040000"]))),
        ("Flag", cell(&["string", "number", "boolean", "null"], "标志：0 或 1", json!(["1", 0]))),
        ("Money", cell(&number, "金额，元，最多两位小数", json!(["12.50", 12.5]))),
        ("Price", cell(&number, "单价或比例，最多六位小数", json!(["12.5"]))),
        ("Quantity", cell(&number, "数量，最多四位小数", json!(["2", 0.5]))),
        ("Degree", cell(&number, "经纬度", json!(["118.12"]))),
        ("Day", cell(&number, "日期", json!(["2026-01-05", "20260105"]))),
        ("Time", cell(&number, "时间，当地时间", json!(["2026-01-05 08:00:00", "2026-01-05T08:00:00"]))),
    ]
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "Text",
        Kind::Flag => "Flag",
        Kind::Money => "Money",
        Kind::Price => "Price",
        Kind::Quantity => "Quantity",
        Kind::Degree => "Degree",
        Kind::Day => "Day",
        Kind::Time => "Time",
    }
}

/// A column as a property, with its Chinese name.
fn property(field: &Field, also: &str) -> Value {
    let column = field.column;
    let mut schema = reference(kind_name(column.kind));
    if column.name == "drug_trac_codg" {
        schema = json!({ "anyOf": [schema, list_of(&reference("Text"))] });
    }
    if let Some(title) = column.aliases.iter().find(|name| !name.is_ascii()) {
        schema["title"] = json!(title);
    }
    if !also.is_empty() {
        schema["description"] = json!(also);
    }
    schema
}

/// A row of our own JSON: the platform's columns.
fn own_row(table: Table) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields_of(table) {
        let column = field.column;
        let others: Vec<String> =
            column.aliases.iter().filter(|name| name.is_ascii()).map(|name| format!("`{name}`")).collect();
        let also = if others.is_empty() { String::new() } else { format!("也可以写作 {}", others.join("、")) };
        properties.insert(column.name.to_owned(), property(&field, &also));
        if column.required && !SHARED.contains(&column.name) {
            required.push(column.name);
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn own_claim() -> Value {
    let properties: Map<String, Value> = PARTS
        .iter()
        .map(|(part, _)| ((*part).to_owned(), some(&reference(&format!("Own{}", capital(part))))))
        .collect();
    let shared: Vec<String> = SHARED.iter().map(|name| format!("`{name}`")).collect();
    json!({
        "type": "object",
        "description": format!("一份费用。各部分共有的（{}）在 `settlement`、`encounter` 或 `person` 里写一次就够。没有 `settlement` 就是还没有结算。", shared.join("、")),
        "properties": properties,
        "anyOf": [{ "required": ["settlement"] }, { "required": ["encounter"] }, { "required": ["lines"] }],
    })
}

fn own_request() -> Value {
    let stage = json!({ "type": "string", "enum": ["before", "during", "前", "中"], "default": "during", "description": "before：开单时；during：结算或付费前" });
    object(
        &[
            ("stage", stage),
            ("task_id", text_or_null("同一机构、同一 `task_id`、同样的内容，答复也一样")),
            ("msgid", text_or_null("发送方的消息编号")),
            ("region", text_or_null("按哪里的政策决定：六位区划")),
            ("trig_scen", text_or_null("触发场景，决定用哪些规则")),
            (
                "rules",
                json!({ "type": ["array", "string", "null"], "items": { "type": "string" }, "description": "只用这些规则：编码、族或名字" }),
            ),
            ("fixmedins_code", text_or_null("问的机构；不写就看费用是哪个机构的")),
            ("syscode", text_or_null("调用方系统")),
            ("claims", some(&reference("OwnClaim"))),
        ],
        &["claims"],
    )
}

fn own_answer() -> Value {
    let totals = object(
        &[
            ("claims", count("几份")),
            ("pass", count("通过")),
            ("hold", count("待核")),
            ("refuse", count("拒付")),
            ("claimed", yuan("政策范围内")),
            ("refused", yuan("不付的")),
        ],
        &["claims", "pass", "hold", "refuse", "claimed", "refused"],
    );
    let complete = json!({ "type": "boolean", "description": "规则都运行了；false 的 pass 不算数" });
    let line = object(&[("feedetl_sn", text_of("明细")), ("amount", yuan("不付的"))], &["feedetl_sn", "amount"]);
    let decision = object(
        &[
            ("setl_id", text_of("空的是还没有结算")),
            ("mdtrt_id", text_of("就诊")),
            ("psn_no", text_of("人员编号")),
            ("fixmedins_code", text_of("机构")),
            ("decision", json!({ "type": "string", "enum": ["pass", "hold", "refuse"] })),
            ("complete", complete.clone()),
            ("claimed", yuan("政策范围内")),
            ("refused", yuan("不付的")),
            ("refused_lines", list_of(&line)),
            ("findings", list_of(&json!({ "type": "string", "description": "`finding_id`" }))),
        ],
        &[
            "setl_id",
            "mdtrt_id",
            "psn_no",
            "fixmedins_code",
            "decision",
            "claimed",
            "refused",
            "refused_lines",
            "findings",
        ],
    );
    let not_evaluated = object(
        &[("rule_code", text_of("规则")), ("why", text_of("缺什么")), ("units", count("几处"))],
        &["rule_code", "why", "units"],
    );
    object(
        &[
            ("task_id", text_or_null("问的时候写的")),
            ("stage", json!({ "type": "string", "enum": ["before", "during"] })),
            ("complete", complete.clone()),
            ("totals", totals),
            ("decisions", list_of(&decision)),
            ("findings", list_of(&own_finding())),
            ("not_evaluated", list_of(&not_evaluated)),
            ("not_run", list_of(&json!({ "type": "string", "description": "时间不够，没有运行的规则：答复不完整" }))),
            ("unread", list_of(&json!({ "type": "string", "description": "没有读入的，在哪里，该怎么写" }))),
        ],
        &["task_id", "stage", "totals", "decisions", "findings", "not_evaluated", "not_run", "unread"],
    )
}

fn own_finding() -> Value {
    let line = object(
        &[
            ("mdtrt_id", text_of("就诊")),
            ("feedetl_sn", text_of("明细")),
            ("kind", json!({ "type": "integer", "enum": [1, 2], "description": "1 违规项 2 涉及项" })),
            ("amount", yuan("这一行的涉及金额")),
        ],
        &["mdtrt_id", "feedetl_sn", "kind", "amount"],
    );
    object(
        &[
            ("finding_id", text_of("同一件事总是同一个")),
            ("rule_code", text_of("规则编码")),
            ("rule_name", text_of("规则的名字")),
            ("rule_title", text_of("规则的标题")),
            ("result", json!({ "type": "string", "enum": ["明确违规", "可疑"] })),
            ("severity", json!({ "type": "string", "enum": ["high", "medium", "low"] })),
            ("unit", text_of("规则看的单元")),
            ("key", json!({ "description": "单元的键" })),
            ("psn_no", text_or_null("人员编号")),
            ("mdtrt_id", text_or_null("就诊")),
            ("setl_id", text_or_null("结算")),
            ("fixmedins_code", text_or_null("机构")),
            ("from_day", text_or_null("第一天")),
            ("until_day", text_or_null("最后一天")),
            ("amount", yuan("这条规则自己的涉及金额")),
            ("allocated", yuan("其中别的疑点没有算的")),
            ("fund_money", json!({ "type": "boolean", "description": "是不是基金的钱" })),
            ("message", text_of("说明")),
            ("basis", text_of("依据")),
            ("evidence", json!({ "description": "条件用到的每个值和参数的出处" })),
            ("exempted_by", text_or_null("哪一项豁免覆盖它")),
            ("lines", list_of(&line)),
        ],
        &[
            "finding_id",
            "rule_code",
            "rule_title",
            "result",
            "severity",
            "amount",
            "allocated",
            "message",
            "basis",
            "lines",
        ],
    )
}

/// The nights of a service that does them.
fn night() -> Value {
    let words =
        |words: &[&str], description: &str| json!({ "type": "string", "enum": words, "description": description });
    let last = object(
        &[
            ("scan_id", text_or_null("扫描的编号；没有开始成的没有")),
            (
                "state",
                words(
                    &["finished", "failed", "held", "cut_short"],
                    "held：别的扫描正在进行；cut_short：中断了，下次启动接着做",
                ),
            ),
            ("started_at", text_of("开始的时间，当地时间")),
            ("seconds", json!({ "type": ["number", "null"], "description": "用了多少秒；启动以前的不知道" })),
        ],
        &["scan_id", "state", "started_at"],
    );
    let mut night = object(
        &[
            ("schedule", text_of("几点扫描：`--schedule` 的写法")),
            ("state", words(&["waiting", "running"], "等下一次，或者正在扫描")),
            ("next", text_or_null("下一次的时间，当地时间")),
            ("last", last_or_null(last)),
        ],
        &["schedule", "state"],
    );
    night["type"] = json!(["object", "null"]);
    night["description"] = json!("夜间扫描；没有 `--schedule` 的服务是 null");
    night
}

fn last_or_null(mut last: Value) -> Value {
    last["type"] = json!(["object", "null"]);
    last["description"] = json!("上一次怎么样");
    last
}

fn health() -> Value {
    let status = json!({ "type": "string", "enum": ["ok", "old"], "description": "old：改过的规则、密钥或证书没有读进来，用的还是先前的；`not_taken_in` 说为什么" });
    object(
        &[
            ("status", status),
            ("version", text_of("程序的版本")),
            ("rule_set_hash", text_of("规则集")),
            ("decisions_hash", text_of("决定的政策")),
            ("not_taken_in", json!({ "type": "object", "description": "没有读进来的：什么，为什么" })),
            ("night", night()),
        ],
        &["status", "version", "rule_set_hash"],
    )
}

/// Fields of an order that no column has.
const ORDER: [(&str, &str); 4] = [
    ("curr_drord_flag", "1 这次要审的，0 只作参照"),
    ("lv1_hosp_item_pric", "一级医院价格"),
    ("lv2_hosp_item_pric", "二级医院价格"),
    ("lv3_hosp_item_pric", "三级医院价格"),
];

/// Columns that a national message tells once for all rows below it; the first three an encounter takes, too.
const INHERITED: [&str; 5] = ["psn_no", "fixmedins_code", "mdtrt_id", "med_type", "setl_id"];

/// A row of a national message: the names of both vocabularies.
fn national_row(table: Table, besides: &[(&str, &str)]) -> Value {
    let inherited = if table == Table::Encounter { &INHERITED[..3] } else { &INHERITED[..] };
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields_of(table) {
        let column = field.column;
        // The platform's names win; what the older words call it is the same.
        properties.insert(column.name.to_owned(), property(&field, ""));
        let also = format!("同 `{}`", column.name);
        for name in field.national.iter().chain(column.aliases.iter().filter(|name| name.is_ascii())) {
            properties.entry((*name).to_owned()).or_insert_with(|| property(&field, &also));
        }
        if column.required && !inherited.contains(&column.name) {
            let aliases = column.aliases.iter().filter(|name| name.is_ascii());
            let names: Vec<&str> = [column.name].iter().chain(field.national).chain(aliases).copied().collect();
            required.push(any_of(&names));
        }
    }
    for (name, description) in besides {
        let mut schema = reference("Text");
        schema["description"] = json!(description);
        properties.entry((*name).to_owned()).or_insert(schema);
    }
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["allOf"] = json!(required);
    }
    schema
}

/// One of these names must be there.
fn any_of(names: &[&str]) -> Value {
    let each: Vec<Value> = names.iter().map(|name| json!({ "required": [name] })).collect();
    match each.as_slice() {
        [only] => only.clone(),
        _ => json!({ "anyOf": each }),
    }
}

fn national_encounter() -> Value {
    let mut schema = national_row(
        Table::Encounter,
        &[("med_mdtrt_type", "就诊类型：1 门诊 2 住院 3 购药 4 其他"), ("setl_id", "结算；不写就是还没有结算")],
    );
    let facility = national_row(Table::Facility, &[]);
    for (name, property) in facility["properties"].as_object().into_iter().flatten() {
        let known = schema["properties"].as_object_mut().expect("an object has properties");
        known.entry(name.clone()).or_insert_with(|| property.clone());
    }
    let rows = ["NationalDiagnosis", "NationalOrder", "NationalOperation"];
    for ((list, _), row) in LISTS[2..].iter().zip(rows) {
        schema["properties"][*list] = some(&reference(row));
    }
    schema
}

fn national_patient() -> Value {
    let mut schema = object(
        &[
            ("patn_id", text_of("参保人")),
            ("psn_no", text_of("同 `patn_id`")),
            ("gend", reference("Text")),
            ("brdy", reference("Day")),
            ("poolarea", reference("Text")),
            ("insu_admdvs", reference("Text")),
            ("curr_mdtrt_id", text_or_null("这次要审的就诊；别的就诊只作参照。不写就全审")),
            (LISTS[1].0, some(&reference("NationalEncounter"))),
        ],
        &[LISTS[1].0],
    );
    schema["allOf"] = json!([any_of(&["patn_id", "psn_no"])]);
    schema
}

/// The envelope of a national message.
fn national(input: &Value, infno: &[&str]) -> Value {
    object(
        &[
            ("infno", json!({ "type": ["string", "integer"], "examples": infno, "description": "交易编号" })),
            ("msgid", text_or_null("消息编号，答复里原样写回")),
            ("fixmedins_code", text_or_null("问的机构")),
            ("insuplc_admdvs", text_or_null("参保地区划")),
            ("opter", text_or_null("经办人")),
            ("inf_time", text_or_null("发送时间")),
            ("input", object(&[("data", input.clone())], &["data"])),
        ],
        &["infno", "input"],
    )
}

fn national_review() -> Value {
    let words = json!({ "type": ["array", "string", "null"], "items": { "type": "string" }, "description": "规则：编码、族或名字；写了认识的 `trig_scen` 就不看它" });
    let data = object(
        &[
            ("syscode", text_or_null("调用方系统")),
            ("task_id", text_or_null("同一机构、同一 `task_id`、同样的内容，答复也一样")),
            (
                "trig_scen",
                text_or_null(
                    "触发场景：1 门诊挂号 2 门诊收费登记 3 住院登记 4 住院收费登记 5 住院执行医嘱 6 门诊结算 7 门诊预结算 8 住院结算 9 住院预结算",
                ),
            ),
            ("rule_ids", words),
            (LISTS[0].0, some(&reference("NationalPatient"))),
        ],
        &[LISTS[0].0],
    );
    national(&data, &["3101", "3102"])
}

fn national_feedback() -> Value {
    let warning = object(
        &[
            ("warn_rslt_id", text_of("审核结果里的 `jr_id`")),
            (
                "dspo_way",
                json!({ "type": ["string", "integer"], "enum": ["1", "2", 1, 2], "description": "1 继续执行医嘱 2 返回修改医嘱" }),
            ),
            (
                "dspo_way_rea",
                json!({ "type": ["string", "null"], "maxLength": REASON, "description": "理由；继续执行医嘱时要写" }),
            ),
        ],
        &["warn_rslt_id", "dspo_way"],
    );
    let data = object(
        &[
            ("task_id", text_or_null("审核时的任务")),
            (
                "warn_type",
                json!({ "type": ["string", "integer", "null"], "enum": ["1", "2", 1, 2, null], "description": "1 事前 2 事中" }),
            ),
            ("warns", some(&warning)),
        ],
        &["warns"],
    );
    national(&data, &["3103"])
}

fn national_answer(output: &Value) -> Value {
    object(
        &[
            (
                "infcode",
                json!({ "type": ["string", "integer"], "enum": ["0", "-1", 0, -1], "description": "0 答了，-1 没有答" }),
            ),
            ("inf_refmsgid", text_of("答复的编号")),
            ("refmsg_time", text_of("收到的时间")),
            ("respond_time", text_of("答复的时间")),
            ("enctype", text_of("空")),
            ("signtype", text_of("空")),
            ("warn_msg", text_of("没有读入的、没有评的、没有来得及运行的规则")),
            ("cainfo", text_of("空")),
            ("err_msg", text_of("`infcode` -1 的原因，怎么办")),
            ("output", json!({ "anyOf": [output, { "type": "object", "maxProperties": 0 }] })),
        ],
        &["infcode", "inf_refmsgid", "refmsg_time", "respond_time", "warn_msg", "err_msg", "output"],
    )
}

fn national_result() -> Value {
    let mut schema = object(
        &[
            ("jr_id", text_of("违规标识：规则编码加疑点的标识，3103 的 `warn_rslt_id` 照抄")),
            ("rule_id", text_of("规则编码")),
            ("rule_name", text_of("规则标题")),
            ("vola_cont", text_of("违规内容")),
            ("vola_name", text_of("同 `vola_cont`")),
            ("patn_id", text_of("参保人")),
            ("psn_no", text_of("同 `patn_id`")),
            ("mdtrt_id", text_of("就诊")),
            ("vola_amt", yuan("这条规则自己的涉及金额，不是基金的钱时为 0")),
            ("vola_amt_stas", text_of("1 正常")),
            ("sev_deg", text_of("严重程度，字典在 messages.toml")),
            ("vola_evid", text_of("依据")),
            ("vola_bhvr_type", text_of("违规行为分类，字典在 messages.toml")),
            ("task_id", text_of("问的时候写的")),
            ("is_feedback", json!({ "type": "integer", "enum": [0, 1], "description": "是否要 3103 反馈" })),
            ("judge_result_detail_dtos", list_of(&reference("NationalDetail"))),
        ],
        &[
            "jr_id",
            "rule_id",
            "rule_name",
            "vola_cont",
            "mdtrt_id",
            "vola_amt",
            "vola_amt_stas",
            "sev_deg",
            "vola_bhvr_type",
            "judge_result_detail_dtos",
        ],
    );
    schema["allOf"] = json!([any_of(&["patn_id", "psn_no"])]);
    schema
}

fn national_detail() -> Value {
    let mut schema = object(
        &[
            ("jrd_id", text_of("违规明细标识")),
            ("patn_id", text_of("参保人")),
            ("psn_no", text_of("同 `patn_id`")),
            ("mdtrt_id", text_of("就诊")),
            ("rx_id", text_of("处方")),
            ("feedetl_sn", text_of("同 `rx_id`")),
            ("vola_item_type", json!({ "type": "string", "enum": ["1", "2"], "description": "1 违规项 2 涉及项" })),
            ("vola_amt", yuan("这一行的涉及金额")),
        ],
        &["jrd_id", "mdtrt_id", "vola_item_type", "vola_amt"],
    );
    schema["allOf"] = json!([any_of(&["patn_id", "psn_no"]), any_of(&["rx_id", "feedetl_sn"])]);
    schema
}
