//! Answers: from findings to the JSON that a hospital's system, or a caller of ours, reads.
//!
//! Goes in: an [`Answered`], which the caller fills from a review, and [`Codes`]. Comes out: a JSON value. Deliberately
//! unknown here: how a review is made, when it was made, what a decision rests on.
//!
//! National answers are exact about whose words they use: who asked with `patn_id` and `rx_id` is answered with them, who
//! asked with `psn_no` and `feedetl_sn` with those. `jr_id` is the rule's code and the finding's id ([`jr_id`]), so that what
//! a doctor says in 3103 lands on the same fact however often it was asked, and on its rule without asking anybody. A finding under an exemption is no reminder and stays out. The details name
//! only lines that the message itself had: others are another visit's, perhaps another hospital's. What was not read, not
//! run or not evaluated goes into `warn_msg`, which every system has.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Codes, Feedback, Form, Refused, ReviewAsked, Stage, Visit};
use crate::findings::{Finding, FindingLine};
use crate::model::money::to_cent;

/// Characters that the national fields have room for.
const LONG: usize = 500;
const NAME: usize = 200;
/// Rules without an answer that a warning names.
const NAMED: usize = 20;

/// Ids and times of an answer, which only the caller knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// `inf_refmsgid`.
    pub id: String,
    /// When the message came, `2026-01-05 08:00:00.000` or as the region writes it.
    pub received: String,
    /// When the answer went.
    pub responded: String,
}

/// What a review came to, in the words of messages.
#[derive(Debug, Clone)]
pub struct Answered {
    pub form: Form,
    pub stage: Stage,
    pub task_id: Option<String>,
    pub stamp: Stamp,
    /// Encounters of the message.
    pub visits: BTreeMap<String, Visit>,
    pub claims: Vec<Claim>,
    pub findings: Vec<Finding>,
    /// Their lines, in any order.
    pub lines: Vec<FindingLine>,
    pub not_evaluated: Vec<NotEvaluated>,
    /// Codes of rules that were not begun in time.
    pub not_run: Vec<String>,
    /// What could not be read, and what else the sender should know.
    pub notes: Vec<String>,
}

/// What is decided about a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub setl_id: String,
    pub mdtrt_id: String,
    pub psn_no: String,
    pub fixmedins_code: String,
    /// `pass`, `hold` or `refuse`.
    pub decision: String,
    pub claimed: Decimal,
    pub refused: Decimal,
    /// `feedetl_sn` and yuan.
    pub refused_lines: Vec<(String, Decimal)>,
    pub finding_ids: Vec<String>,
}

/// What a rule could not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotEvaluated {
    pub rule_code: String,
    pub why: String,
    pub units: u64,
}

impl Answered {
    /// An answer without findings, to what was asked.
    #[must_use]
    pub fn to(asked: &ReviewAsked, stamp: Stamp) -> Answered {
        Answered {
            form: asked.form,
            stage: asked.stage,
            task_id: asked.task_id.clone(),
            stamp,
            visits: asked.visits.clone(),
            claims: Vec::new(),
            findings: Vec::new(),
            lines: Vec::new(),
            not_evaluated: Vec::new(),
            not_run: Vec::new(),
            notes: asked.unread.clone(),
        }
    }

    /// Whether every rule was run. A `pass` that is not complete is not the last word.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.not_run.is_empty()
    }

    /// Lines of each finding.
    fn by_finding(&self) -> BTreeMap<&str, Vec<&FindingLine>> {
        let mut lines: BTreeMap<&str, Vec<&FindingLine>> = BTreeMap::new();
        for line in &self.lines {
            lines.entry(&line.finding_id).or_default().push(line);
        }
        lines
    }

    /// What the sender should know besides, in one text.
    fn warning(&self) -> String {
        let mut parts = Vec::new();
        if !self.not_run.is_empty() {
            // The first are the gravest; a list that is too long would hide what follows.
            let named: Vec<&str> = self.not_run.iter().take(NAMED).map(String::as_str).collect();
            let more = if self.not_run.len() > NAMED { " 等" } else { "" };
            let count = self.not_run.len();
            parts.push(format!("没有审完：时间不够，{count} 条规则没有运行：{}{more}", named.join("、")));
        }
        if !self.notes.is_empty() {
            parts.push(format!("没有读入：{}", self.notes.join("；")));
        }
        if !self.not_evaluated.is_empty() {
            let mut rules: Vec<&str> = self.not_evaluated.iter().map(|n| n.rule_code.as_str()).collect();
            rules.dedup();
            parts.push(format!("缺数据，没有评：{}", rules.join("、")));
        }
        cut(&parts.join("。"), LONG)
    }
}

/// The answer to 3101 or 3102.
#[must_use]
pub fn answer(review: &Answered, codes: &Codes) -> Value {
    let lines = review.by_finding();
    let results: Vec<Value> = review
        .findings
        .iter()
        .filter(|finding| finding.exempted_by.is_none())
        .map(|finding| {
            result(review, codes, finding, lines.get(finding.finding_id.as_str()).map_or(&[][..], Vec::as_slice))
        })
        .collect();
    envelope("0", &review.stamp, &review.warning(), "", &json!({ "result": results }), codes)
}

/// The answer to 3103: what was said is kept.
#[must_use]
pub fn acknowledge(_feedback: &Feedback, stamp: &Stamp, codes: &Codes) -> Value {
    envelope("0", stamp, "", "", &json!({}), codes)
}

/// The answer to a national message that is not answered.
#[must_use]
pub fn refuse(reason: &Refused, stamp: &Stamp, codes: &Codes) -> Value {
    envelope("-1", stamp, "", &cut(&reason.said, LONG), &json!({}), codes)
}

fn envelope(infcode: &str, stamp: &Stamp, warning: &str, error: &str, output: &Value, codes: &Codes) -> Value {
    let infcode = match infcode.parse::<i64>() {
        Ok(number) if codes.infcode_is_number() => Value::from(number),
        _ => Value::from(infcode),
    };
    json!({
        "infcode": infcode,
        "inf_refmsgid": stamp.id,
        "refmsg_time": stamp.received,
        "respond_time": stamp.responded,
        "enctype": "",
        "signtype": "",
        "warn_msg": warning,
        "cainfo": "",
        "err_msg": error,
        "output": output,
    })
}

/// What a reminder is called to its receiver, who says it again in 3103: `SCP101-5a1f…`.
#[must_use]
pub fn jr_id(rule_code: &str, finding_id: &str) -> String {
    format!("{rule_code}-{finding_id}")
}

/// The rule and the finding of a `jr_id`; without the rule where only the finding's id was sent.
pub(super) fn of_jr_id(id: &str) -> (Option<&str>, &str) {
    match id.split_once('-') {
        Some((code, finding)) if is_code(code) && !finding.is_empty() => (Some(code), finding),
        _ => (None, id),
    }
}

/// Three letters and three digits.
fn is_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 6 && bytes[..3].iter().all(u8::is_ascii_uppercase) && bytes[3..].iter().all(u8::is_ascii_digit)
}

/// One finding as a result of 3101 or 3102.
fn result(review: &Answered, codes: &Codes, finding: &Finding, lines: &[&FindingLine]) -> Value {
    let newer = review.form == Form::NationalNewer;
    // A finding across visits or persons names one of the message's own.
    let of_line = lines.iter().map(|line| line.mdtrt_id.as_str()).find(|id| review.visits.contains_key(*id));
    let own = finding.mdtrt_id.as_deref().filter(|id| review.visits.contains_key(*id));
    let mdtrt_id = own.or(of_line).or(finding.mdtrt_id.as_deref());
    let psn_no = mdtrt_id
        .and_then(|id| review.visits.get(id))
        .map(|visit| visit.psn_no.as_str())
        .or(finding.psn_no.as_deref())
        .or_else(|| review.visits.values().next().map(|visit| visit.psn_no.as_str()));
    let person = if newer { "psn_no" } else { "patn_id" };
    let text = cut(&finding.message, LONG);
    let at_stake = if finding.fund_money { finding.amount } else { Decimal::ZERO };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("jr_id", jr_id(&finding.rule_code, &finding.finding_id).into());
    put("rule_id", finding.rule_code.as_str().into());
    put("rule_name", cut(&finding.rule_title, NAME).into());
    put("vola_cont", text.as_str().into());
    if newer {
        put("vola_name", text.as_str().into());
    }
    put(person, psn_no.unwrap_or_default().into());
    put("mdtrt_id", mdtrt_id.unwrap_or_default().into());
    put("vola_amt", amount(at_stake, codes));
    put("vola_amt_stas", "1".into());
    put("sev_deg", codes.sev_deg(finding).into());
    put("vola_evid", cut(&grounds(finding), LONG).into());
    put("vola_bhvr_type", codes.vola_bhvr_type(finding).into());
    put("task_id", review.task_id.as_deref().unwrap_or_default().into());
    if let Some(wanted) = codes.is_feedback() {
        put("is_feedback", wanted.into());
    }
    put("judge_result_detail_dtos", details(review, codes, finding, lines).into());
    Value::Object(fields)
}

/// The law, and who said so of each number and knowledge point that the rule went by.
fn grounds(finding: &Finding) -> String {
    let evidence: Value = serde_json::from_str(&finding.evidence).unwrap_or_default();
    let mut grounds = vec![finding.basis.as_str()];
    for (name, value) in evidence.as_object().into_iter().flatten() {
        let source = if name.ends_with(".source") { value.as_str() } else { value["source"].as_str() };
        if let Some(source) = source.filter(|source| !source.is_empty() && !grounds.contains(source)) {
            grounds.push(source);
        }
    }
    grounds.join("；")
}

/// The lines of a finding that the message had.
fn details(review: &Answered, codes: &Codes, finding: &Finding, lines: &[&FindingLine]) -> Vec<Value> {
    let newer = review.form == Form::NationalNewer;
    let (person, order) = if newer { ("psn_no", "feedetl_sn") } else { ("patn_id", "rx_id") };
    let mut details = Vec::new();
    for line in lines {
        let Some(visit) = review.visits.get(&line.mdtrt_id).filter(|visit| visit.lines.contains(&line.feedetl_sn))
        else {
            continue;
        };
        let yuan = if finding.fund_money { line.amount } else { Decimal::ZERO };
        let mut fields = Map::new();
        fields.insert("jrd_id".to_owned(), format!("{}-{}", finding.finding_id, details.len() + 1).into());
        fields.insert(person.to_owned(), visit.psn_no.as_str().into());
        fields.insert("mdtrt_id".to_owned(), line.mdtrt_id.as_str().into());
        fields.insert(order.to_owned(), line.feedetl_sn.as_str().into());
        fields.insert("vola_item_type".to_owned(), line.kind.to_string().into());
        fields.insert("vola_amt".to_owned(), amount(yuan, codes));
        details.push(Value::Object(fields));
    }
    details
}

/// The answer to our own JSON.
#[must_use]
pub fn own_answer(review: &Answered) -> Value {
    let lines = review.by_finding();
    let findings: Vec<Value> = review
        .findings
        .iter()
        .map(|f| own_finding(f, lines.get(f.finding_id.as_str()).map_or(&[][..], Vec::as_slice)))
        .collect();
    let decisions: Vec<Value> = review
        .claims
        .iter()
        .map(|claim| {
            let refused = claim.refused_lines.iter();
            let refused: Vec<Value> =
                refused.map(|(sn, yuan)| json!({ "feedetl_sn": sn, "amount": number(*yuan) })).collect();
            json!({
                "setl_id": claim.setl_id,
                "mdtrt_id": claim.mdtrt_id,
                "psn_no": claim.psn_no,
                "fixmedins_code": claim.fixmedins_code,
                "decision": claim.decision,
                "complete": review.is_complete(),
                "claimed": number(claim.claimed),
                "refused": number(claim.refused),
                "refused_lines": refused,
                "findings": claim.finding_ids,
            })
        })
        .collect();
    let counted = |decision: &str| review.claims.iter().filter(|claim| claim.decision == decision).count();
    let not_evaluated = review.not_evaluated.iter();
    let not_evaluated: Vec<Value> =
        not_evaluated.map(|n| json!({ "rule_code": n.rule_code, "why": n.why, "units": n.units })).collect();
    json!({
        "task_id": review.task_id,
        "stage": match review.stage { Stage::Before => "before", Stage::During => "during" },
        "complete": review.is_complete(),
        "totals": {
            "claims": review.claims.len(),
            "pass": counted("pass"),
            "hold": counted("hold"),
            "refuse": counted("refuse"),
            "claimed": number(review.claims.iter().map(|claim| claim.claimed).sum()),
            "refused": number(review.claims.iter().map(|claim| claim.refused).sum()),
        },
        "decisions": decisions,
        "findings": findings,
        "not_evaluated": not_evaluated,
        "not_run": review.not_run,
        "unread": review.notes,
    })
}

/// The answer to a request of ours that is not answered.
#[must_use]
pub fn own_refusal(reason: &Refused) -> Value {
    json!({ "error": reason.said })
}

fn own_finding(finding: &Finding, lines: &[&FindingLine]) -> Value {
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "mdtrt_id": line.mdtrt_id,
                "feedetl_sn": line.feedetl_sn,
                "kind": line.kind,
                "amount": number(line.amount),
            })
        })
        .collect();
    json!({
        "finding_id": finding.finding_id,
        "rule_code": finding.rule_code,
        "rule_name": finding.rule_name,
        "rule_title": finding.rule_title,
        "result": finding.result,
        "severity": finding.severity,
        "unit": finding.unit,
        "key": parsed(&finding.key),
        "psn_no": finding.psn_no,
        "mdtrt_id": finding.mdtrt_id,
        "setl_id": finding.setl_id,
        "fixmedins_code": finding.fixmedins_code,
        "from_day": finding.from_day,
        "until_day": finding.until_day,
        "amount": number(finding.amount),
        "allocated": number(finding.allocated),
        "fund_money": finding.fund_money,
        "message": finding.message,
        "basis": finding.basis,
        "evidence": parsed(&finding.evidence),
        "exempted_by": finding.exempted_by,
        "lines": lines,
    })
}

fn amount(yuan: Decimal, codes: &Codes) -> Value {
    if codes.amounts_are_texts() { Value::from(to_cent(yuan).to_string()) } else { number(yuan) }
}

/// Yuan as a JSON number. A number keeps fifteen digits exactly; an amount beyond ten trillion goes as text.
fn number(yuan: Decimal) -> Value {
    let text = to_cent(yuan).to_string();
    if text.len() > 15 {
        return Value::from(text);
    }
    text.parse::<serde_json::Number>().map_or_else(|_| Value::from(text), Value::Number)
}

/// The first characters of a text.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}
