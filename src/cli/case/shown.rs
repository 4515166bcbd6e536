//! Cases as people and programs see them: lines for a terminal, JSON, rows of a CSV. Deliberately unknown here: masks; whoever
//! reads a finding has masked it.

use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use crate::cases::scorecard::Card;
use crate::cases::{self, Case, Procedure, Status, Step, document};
use crate::model::day;
use crate::operations::findings::List;
use crate::report::Lang;

/// `3f…  初审 → 已告知待申诉  仍主张 12.00  期限 2026-10-14`
pub(super) fn moved(case: &Case, step: &Step) -> String {
    let mut line = format!("{}  {}", case.finding_id, step.from.title());
    if step.to != step.from {
        line.push_str(&format!(" → {}", step.to.title()));
    }
    line.push_str(&format!("  {}  {}", step.action.title(), step.outcome.title()));
    for (title, amount) in
        [("仍主张", case.standing), ("追回", case.decided), ("违约金", case.damages), ("已到账", case.recovered)]
    {
        if amount != Decimal::ZERO || title == "仍主张" {
            line.push_str(&format!("  {title} {amount:.2}"));
        }
    }
    if let Some(assignee) = &case.assignee {
        line.push_str(&format!("  经办 {assignee}"));
    }
    if let Some(deadline) = case.deadline {
        line.push_str(&format!("  期限 {}", day::text(deadline)));
    }
    line.push('\n');
    line
}

/// A list to work from: who has what until when.
pub(super) fn listed(list: &List, lang: Lang) -> String {
    let mut text = String::new();
    for kept in &list.findings {
        let (case, finding) = (&kept.case, &kept.finding);
        text.push_str(&format!(
            "{}  {} {}  {}（{}）  {:.2}",
            case.finding_id,
            finding.rule_code,
            finding.rule_title,
            case.status.title(),
            case.outcome.title(),
            case.standing
        ));
        for part in [
            kept.facility.clone().or_else(|| finding.fixmedins_code.clone()),
            case.assignee.as_ref().map(|name| format!("{} {name}", lang.of("经办", "with"))),
            case.deadline.map(|on| format!("{} {}", lang.of("期限", "until"), day::text(on))),
            case.seen_again.then(|| lang.of("再次发现", "seen again").to_owned()),
            (!case.present).then(|| lang.of("不再发现", "no longer found").to_owned()),
        ]
        .into_iter()
        .flatten()
        {
            text.push_str(&format!("  {part}"));
        }
        text.push('\n');
    }
    let shown = list.page.skip + list.findings.len() as u64;
    text.push_str(&match (lang, list.total > shown) {
        (Lang::Zh, true) => format!("{} 件，接着看：--skip {shown}\n", list.total),
        (Lang::Zh, false) => format!("{} 件\n", list.total),
        (Lang::En, true) => format!("{} cases, go on with --skip {shown}\n", list.total),
        (Lang::En, false) => format!("{} cases\n", list.total),
    });
    text
}

/// What can be done next.
pub(super) fn possible(status: Status, lang: Lang) -> String {
    let words: Vec<&str> = cases::possible(status).iter().map(|action| action.name()).collect();
    format!("   = {} {}\n", lang.of("可以", "possible"), words.join(", "))
}

pub(super) fn case_json(case: &Case) -> Json {
    json!({
        "finding_id": case.finding_id,
        "status": case.status.name(),
        "outcome": case.outcome.name(),
        "measures": case.measures.iter().map(|measure| measure.name()).collect::<Vec<_>>(),
        "version": case.version,
        "assignee": case.assignee,
        "deadline": case.deadline.map(day::text),
        "found": yuan(case.found),
        "standing": yuan(case.standing),
        "decided": yuan(case.decided),
        "damages": yuan(case.damages),
        "recovered": yuan(case.recovered),
        "damages_recovered": yuan(case.damages_recovered),
        "seen_again": case.seen_again,
        "present": case.present,
        "judges": case.judges,
        "changed_at": case.changed_at,
        "region": case.region,
        "fixmedins_code": case.fixmedins_code,
    })
}

pub(super) fn step_json(step: &Step) -> Json {
    json!({
        "seq": step.seq,
        "at": step.at,
        "actor": step.actor,
        "action": step.action.name(),
        "from": step.from.name(),
        "to": step.to.name(),
        "outcome": step.outcome.name(),
        "reason_code": step.reason_code,
        "reason": step.reason,
        "money": step.action.money(),
        "before": yuan(step.before),
        "after": yuan(step.after),
        "damages": yuan(step.damages),
        "deadline": step.deadline.map(day::text),
        "attachments": step.attachments,
    })
}

/// Money for programs: text with two places, never a binary fraction.
fn yuan(amount: Decimal) -> String {
    format!("{amount:.2}")
}

pub(super) fn steps(steps: &[Step]) -> Vec<[String; 12]> {
    let head = [
        "seq",
        "at",
        "actor",
        "action",
        "from",
        "to",
        "outcome",
        "reason_code",
        "reason",
        "before",
        "after",
        "damages",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(steps.iter().map(|step| {
        [
            step.seq.to_string(),
            step.at.clone(),
            step.actor.clone(),
            step.action.name().to_owned(),
            step.from.name().to_owned(),
            step.to.name().to_owned(),
            step.outcome.name().to_owned(),
            step.reason_code.clone().unwrap_or_default(),
            step.reason.clone(),
            yuan(step.before),
            yuan(step.after),
            yuan(step.damages),
        ]
    }));
    rows
}

pub(super) fn transitions() -> Vec<[String; 6]> {
    let mut rows = vec![["from", "action", "to", "by", "when", "judges"].map(str::to_owned)];
    rows.extend(document::rows());
    rows
}

pub(super) fn procedure_text(procedure: &Procedure, lang: Lang) -> String {
    let mut text = String::new();
    for row in &cases::TABLE {
        let by: Vec<&str> = row.by.iter().map(|role| role.title()).collect();
        text.push_str(&format!(
            "{} --{}--> {}  {}{}{}\n",
            row.from.title(),
            row.action.title(),
            row.to.title(),
            by.join("、"),
            if row.judges { "，判断" } else { "" },
            if row.when.title().is_empty() { String::new() } else { format!("，{}", row.when.title()) }
        ));
    }
    text.push('\n');
    for [title, value, region, source] in document::numbers(procedure) {
        text.push_str(&format!("{title}  {value}  {region}  {source}\n"));
    }
    text.push('\n');
    for reason in &procedure.reasons {
        text.push_str(&format!("{:<20} {}（错在：{}）\n", reason.code, reason.title, reason.fault.title()));
    }
    let years: Vec<String> = procedure.calendar.years().map(|year| year.to_string()).collect();
    text.push_str(&match lang {
        Lang::Zh => format!("\n节假日和调休：{}\n", years.join("、")),
        Lang::En => format!("\nholidays are known of {}\n", years.join(", ")),
    });
    text
}

pub(super) fn scores(cards: &[Card], procedure: &Procedure, lang: Lang) -> String {
    let mut text = String::new();
    for card in cards {
        let counts = &card.counts;
        text.push_str(&format!(
            "{}  {}  {}  疑点 {}  有结论 {}  成立 {}  误报 {}{}  申诉 {}  撤回 {}  机审 {:.2}  到账 {:.2}  人工 {} 步",
            card.verdict.title(),
            counts.rule_code,
            counts.rule_title,
            counts.hits,
            counts.reviewed,
            card.confirmed,
            card.wrong,
            card.wrong_share.map_or_else(String::new, |share| format!("（{}%）", percent(share))),
            counts.appealed,
            counts.overturned,
            counts.found,
            counts.recovered,
            counts.steps
        ));
        if let Some(each) = card.recovered_a_step {
            text.push_str(&format!("  每步到账 {each:.2}"));
        }
        text.push('\n');
        for (code, times) in &card.look_at {
            let title = procedure.reason(code).map_or(code.as_str(), |reason| reason.title.as_str());
            text.push_str(&format!("    复核规则：{title} {times} 次\n"));
        }
    }
    if cards.is_empty() {
        text.push_str(match lang {
            Lang::Zh => "没有疑点\n",
            Lang::En => "no findings\n",
        });
    }
    text
}

/// A share as per cent, without trailing zeros.
fn percent(share: Decimal) -> Decimal {
    (share * Decimal::ONE_HUNDRED).normalize()
}

pub(super) fn card_json(card: &Card) -> Json {
    let counts = &card.counts;
    json!({
        "rule_code": counts.rule_code,
        "rule_title": counts.rule_title,
        "verdict": card.verdict.name(),
        "hits": counts.hits,
        "reviewed": counts.reviewed,
        "confirmed": card.confirmed,
        "dismissed": counts.dismissed,
        "appealed": counts.appealed,
        "overturned": counts.overturned,
        "wrong": card.wrong,
        "wrong_share": card.wrong_share.map(|share| share.to_string()),
        "found": yuan(counts.found),
        "standing": yuan(counts.standing),
        "decided": yuan(counts.decided),
        "recovered": yuan(counts.recovered),
        "steps": counts.steps,
        "recovered_a_step": card.recovered_a_step.map(yuan),
        "reasons": counts.reasons,
        "look_at": card.look_at.iter().map(|(code, times)| json!({ "code": code, "times": times })).collect::<Vec<_>>(),
    })
}

pub(super) fn card_rows(cards: &[Card]) -> Vec<[String; 13]> {
    let head = [
        "rule_code",
        "verdict",
        "hits",
        "reviewed",
        "confirmed",
        "wrong",
        "wrong_share",
        "appealed",
        "overturned",
        "found",
        "decided",
        "recovered",
        "steps",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(cards.iter().map(|card| {
        let counts = &card.counts;
        [
            counts.rule_code.clone(),
            card.verdict.name().to_owned(),
            counts.hits.to_string(),
            counts.reviewed.to_string(),
            card.confirmed.to_string(),
            card.wrong.to_string(),
            card.wrong_share.map(|share| share.to_string()).unwrap_or_default(),
            counts.appealed.to_string(),
            counts.overturned.to_string(),
            yuan(counts.found),
            yuan(counts.decided),
            yuan(counts.recovered),
            counts.steps.to_string(),
        ]
    }));
    rows
}
