//! From the bytes of a request to the bytes of its answer: read, ask whose it is, review, say what came of it.
//!
//! Goes in: an [`Asking`] and the [`State`] of the service. Comes out: a [`Reply`], or a feedback that is to be kept before it
//! is acknowledged. Deliberately unknown here: sockets, headers, threads. Never panics for what a message holds, and a bad
//! message is never the service's failure: a national one gets `infcode` -1 and a sentence with status 200, one of ours a
//! status of 4xx.
//!
//! Readings: an open stay runs to the last day that the message speaks of, and not beyond today. A task that was answered
//! completely is answered with the same bytes; an answer for which time ran out is not remembered, so that asking again
//! helps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use axum::body::Bytes;
use serde_json::Value;

use super::State;
use super::keys::Institution;
use super::remembered::Question;
use crate::clock::{Deadline, now_precisely};
use crate::engine::claims::day_of;
use crate::messages::{
    self, Answered, Asked, Claim, Codes, Feedback, Form, Infno, NotEvaluated, Refused, ReviewAsked, Stamp, Why,
};
use crate::model::Table;
use crate::operations::review::history::{Ahead, With};
use crate::operations::review::{Ask, History, Review, Reviewer, Stage};

/// What is compiled and read of a rule library.
pub(super) struct Rules {
    pub(super) reviewer: Reviewer,
    pub(super) codes: Codes,
}

/// Where a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    /// Our own JSON.
    Review,
    /// A national message; nothing: of any kind, by its `infno`.
    National(Option<Infno>),
}

impl Address {
    pub(super) fn name(self) -> &'static str {
        match self {
            Address::Review => "review",
            Address::National(Some(infno)) => infno.number(),
            Address::National(None) => "national",
        }
    }
}

/// A request whose body has come.
pub(super) struct Asking {
    pub(super) address: Address,
    /// Who asks; nothing: there are no keys.
    pub(super) by: Option<Arc<Institution>>,
    pub(super) body: Bytes,
    /// Its number and when it came.
    pub(super) id: String,
    pub(super) received: String,
    pub(super) until: Deadline,
    pub(super) today: i32,
}

/// What came of it, with what the log says.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) outcome: &'static str,
    /// Seconds after which it may be asked again.
    pub(super) retry: Option<u64>,
    pub(super) claims: usize,
    pub(super) findings: usize,
    pub(super) not_run: usize,
}

/// A reply, or something to do before it.
pub(super) enum Said {
    Reply(Reply),
    /// Is to be kept and then acknowledged.
    Feedback(Box<Feedback>, Option<Question>),
}

/// Why a request is not answered.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) outcome: &'static str,
    /// Chinese, without full stop, without a value of the message.
    pub(super) said: String,
    pub(super) retry: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: u16, outcome: &'static str, said: impl Into<String>) -> Refusal {
        Refusal { status, outcome, said: said.into(), retry: None }
    }

    pub(super) fn after(self, seconds: u64) -> Refusal {
        Refusal { retry: Some(seconds), ..self }
    }

    /// In the form of the address: a national system reads `infcode` and `err_msg`, whatever went wrong.
    pub(super) fn reply(&self, address: Address, codes: &Codes, id: &str, received: &str) -> Reply {
        let reason = Refused { why: Why::Unreadable, said: self.said.clone(), msgid: None };
        let (status, value) = match address {
            Address::Review => (self.status, messages::own_refusal(&reason)),
            Address::National(_) => (200, messages::refuse(&reason, &stamp(id, received), codes)),
        };
        Reply { status, retry: self.retry, ..Reply::of(&value, self.outcome) }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        let status = match refused.why {
            Why::TooLarge => 413,
            Why::NotJson | Why::NotOurs => 400,
            Why::Unreadable => 422,
        };
        Refusal::new(status, "refused", refused.said)
    }
}

impl Reply {
    fn of(value: &Value, outcome: &'static str) -> Reply {
        Reply::bytes(value.to_string().into(), outcome)
    }

    pub(super) fn bytes(body: Bytes, outcome: &'static str) -> Reply {
        Reply { status: 200, body, outcome, retry: None, claims: 0, findings: 0, not_run: 0 }
    }
}

/// Reads, reviews, answers.
pub(super) fn answer(state: &State, asking: &Asking) -> Said {
    let rules = state.rules.now();
    let history = history(state, asking, &rules);
    said(state, asking, &rules, history.as_ref()).unwrap_or_else(|refusal| {
        Said::Reply(refusal.reply(asking.address, &rules.codes, &asking.id, &asking.received))
    })
}

/// The past as it is at this moment, until the review is done. An idle thread reads that of the person whom the message is
/// probably about, while the message is read.
fn history(state: &State, asking: &Asking, rules: &Rules) -> Arc<dyn History> {
    let known = Arc::clone(&**state.history.load());
    let stage = match asking.address {
        Address::National(Some(Infno::Feedback)) => return known,
        Address::National(Some(Infno::Before)) => Stage::Before,
        _ => Stage::During,
    };
    let person = if state.crew.idle() > 0 { messages::person_hint(&asking.body) } else { None };
    let Some(person) = person else { return known };
    let ahead = Arc::new(Ahead::new(known, person, rules.reviewer.columns(stage).clone()));
    let reader = Arc::clone(&ahead);
    // If it fails or panics, so it does for who asks for it: he tells.
    rayon::spawn(move || drop(catch_unwind(AssertUnwindSafe(|| reader.read().is_ok()))));
    ahead
}

fn said(state: &State, asking: &Asking, rules: &Rules, history: &dyn History) -> Result<Said, Refusal> {
    let limits = &state.limits;
    let asked = match asking.address {
        Address::Review => messages::own(&asking.body, limits).map(|asked| Asked::Review(Box::new(asked))),
        Address::National(infno) => messages::request_to(infno, &asking.body, limits, &rules.codes),
    };
    match asked? {
        Asked::Review(asked) => review(state, asking, rules, &asked, history).map(Said::Reply),
        Asked::Feedback(feedback) => {
            if let (Some(by), Some(code)) = (&asking.by, &feedback.fixmedins_code)
                && !by.may_ask_for(code)
            {
                return Err(not_theirs());
            }
            let told_by = feedback.msgid.as_ref().or(feedback.task_id.as_ref());
            let question = told_by.map(|task| question(state, asking, task));
            match question.as_ref().and_then(|question| state.remembered.of(question)) {
                Some(body) => Ok(Said::Reply(Reply::bytes(body, "repeated"))),
                None => Ok(Said::Feedback(Box::new(feedback), question)),
            }
        }
    }
}

/// The acknowledgement of a feedback that is kept.
pub(super) fn acknowledged(feedback: &Feedback, codes: &Codes, id: &str, received: &str) -> Reply {
    Reply::of(&messages::acknowledge(feedback, &stamp(id, received), codes), "acknowledged")
}

fn review(
    state: &State,
    asking: &Asking,
    rules: &Rules,
    asked: &ReviewAsked,
    history: &dyn History,
) -> Result<Reply, Refusal> {
    let by = asking.by.as_deref().filter(|by| !by.may_ask_for_all());
    if let Some(by) = by {
        whose(by, asked)?;
    }
    let question = asked.task_id.as_ref().map(|task| question(state, asking, task));
    if let Some(body) = question.as_ref().and_then(|question| state.remembered.of(question)) {
        state.figures.repeated();
        return Ok(Reply::bytes(body, "repeated"));
    }
    let mut answered = Answered::to(asked, Stamp::default());
    let chosen = rules.codes.chosen(asked, &rules.reviewer.library().set);
    answered.notes.extend(chosen.notes);
    let region = asked.region.clone().filter(|region| is_region(region));
    if region != asked.region {
        answered.notes.push("`region` 应当是六位数字，例如 370323：没有用".to_owned());
    }
    let ask = Ask {
        until: Some(asking.until),
        rules: chosen.rules,
        region,
        hands: 1 + state.crew.idle().min(1),
        ..Ask::of(stage_of(asked.stage), last_day(asked).map_or(asking.today, |day| day.min(asking.today)))
    };
    let history = With::new(history, &asked.context);
    let review = rules.reviewer.review(&asked.tables, &history, &ask).map_err(|error| {
        tracing::error!(request = %asking.id, %error, "a review failed");
        failed()
    })?;
    fill(&mut answered, review, by.is_some());
    answered.stamp = stamp(&asking.id, &asking.received);
    for claim in &answered.claims {
        state.figures.decided(word_of(&claim.decision));
    }
    state.figures.reviewed(answered.findings.len(), answered.not_run.len());
    let value = match answered.form {
        Form::Own => messages::own_answer(&answered),
        Form::National | Form::NationalNewer => messages::answer(&answered, &rules.codes),
    };
    let outcome = if answered.is_complete() { "answered" } else { "incomplete" };
    let mut body = Bytes::from(value.to_string());
    if let (Some(question), true) = (question, answered.is_complete()) {
        body = state.remembered.keep(question, body);
    }
    Ok(Reply {
        claims: answered.claims.len(),
        findings: answered.findings.len(),
        not_run: answered.not_run.len(),
        ..Reply::bytes(body, outcome)
    })
}

/// What somebody is told when the service itself went wrong; why is in the log, under the number of the request.
pub(super) fn failed() -> Refusal {
    Refusal::new(500, "failed", "这一次没有审成，原因在服务的日志里；请稍后重试，或按没有提醒处理").after(1)
}

fn not_theirs() -> Refusal {
    Refusal::new(403, "not_allowed", "消息里有别的定点医药机构：这把密钥只能问本机构的就诊")
}

/// An institution asks for its own patients: every row that is pending is of its own, whatever the row beside it says.
fn whose(by: &Institution, asked: &ReviewAsked) -> Result<(), Refusal> {
    let rows = [Table::Settlement, Table::Encounter, Table::FeeDetail].into_iter().filter_map(|table| {
        let codes = asked.tables.get(&table)?.column_by_name("fixmedins_code")?;
        codes.as_string_opt::<i32>()
    });
    let mut codes = rows.flatten().flatten().chain(asked.facilities.iter().map(String::as_str));
    if codes.all(|code| by.may_ask_for(code)) { Ok(()) } else { Err(not_theirs()) }
}

fn question(state: &State, asking: &Asking, task: &str) -> Question {
    let by = asking.by.as_ref().map_or("", |by| by.code.as_str());
    state.remembered.question(by, asking.address.name(), task, &asking.body)
}

fn stage_of(stage: messages::Stage) -> Stage {
    match stage {
        messages::Stage::Before => Stage::Before,
        messages::Stage::During => Stage::During,
    }
}

fn is_region(region: &str) -> bool {
    region.len() == 6 && region.bytes().all(|b| b.is_ascii_digit())
}

/// The last day of which a message speaks.
fn last_day(asked: &ReviewAsked) -> Option<i32> {
    let times = [
        (Table::FeeDetail, "fee_ocur_time"),
        (Table::Encounter, "begntime"),
        (Table::Encounter, "endtime"),
        (Table::Settlement, "setl_time"),
    ];
    let last = times.into_iter().filter_map(|(table, name)| {
        let column = asked.tables.get(&table)?.column_by_name(name)?;
        column.as_primitive_opt::<TimestampMicrosecondType>()?.iter().flatten().max()
    });
    last.max().map(day_of)
}

/// Puts what a review came to into the words of messages. Who asks only for his own learns of no other line.
fn fill(answered: &mut Answered, review: Review, only_own: bool) {
    answered.claims = review
        .claims
        .into_iter()
        .map(|claim| Claim {
            setl_id: claim.setl_id,
            mdtrt_id: claim.mdtrt_id,
            psn_no: claim.psn_no,
            fixmedins_code: claim.fixmedins_code,
            decision: claim.decision.name().to_owned(),
            claimed: claim.claimed,
            refused: claim.refused,
            refused_lines: claim.refused_lines.into_iter().map(|line| (line.feedetl_sn, line.amount)).collect(),
            finding_ids: claim.finding_ids,
        })
        .collect();
    answered.findings = review.findings;
    answered.lines = review.lines;
    if only_own {
        let visits = &answered.visits;
        let is_own = |encounter: &str, serial: &str| visits.get(encounter).is_some_and(|v| v.lines.contains(serial));
        answered.lines.retain(|line| is_own(&line.mdtrt_id, &line.feedetl_sn));
    }
    answered.not_evaluated = review
        .not_evaluated
        .into_iter()
        .map(|n| NotEvaluated { rule_code: n.rule_code, why: n.why, units: n.units })
        .collect();
    answered.not_run = review.not_run;
}

fn word_of(decision: &str) -> &'static str {
    match decision {
        "refuse" => "refuse",
        "hold" => "hold",
        _ => "pass",
    }
}

/// The number and the times of an answer, as the national envelope has them.
fn stamp(id: &str, received: &str) -> Stamp {
    let as_sent = |time: &str| time.replace('T', " ");
    Stamp { id: id.to_owned(), received: as_sent(received), responded: as_sent(&now_precisely()) }
}
