//! Cases as people and programs see them: lines for a terminal, JSON, rows of a CSV. Person numbers are masked by [`mask`], which
//! whoever shows a finding calls first.

use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use crate::cases::scorecard::Card;
use crate::cases::{self, Actor, Case, Procedure, Step, document};
use crate::model::day;
use crate::operations::casework::Told;
use crate::report::{Lang, masked, without_person};
use crate::store::{Kept, Listed};

/// `3f…  初审 → 已告知待申诉  仍主张 12.00  期限 2026-10-14`
pub(super) fn moved(case: &Case, step: &Step) -> String {
    let mut line = format!("{}  {}", case.finding_id, step.from.title());
    if step.to != step.from {
        line.push_str(&format!(" → {}", step.to.title()));
    }
    line.push_str(&format!("  {}  {}", step.action.title(), step.outcome.title()));
    for (title, amount) in [("仍主张", case.standing), ("追回", case.decided), ("违约金", case.damages), ("已到账", case.recovered)] {
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

pub(super) fn listed_text(listed: &Listed, lang: Lang) -> String {
    let mut text = String::new();
    for kept in &listed.findings {
        let (case, finding) = (&kept.case, &kept.finding);
        text.push_str(&format!(
            "{}  {} {}  {}  {}  {:.2}/{:.2}",
            case.finding_id,
            finding.rule_code,
            finding.rule_title,
            case.status.title(),
            case.outcome.title(),
            case.standing,
            case.found
        ));
        for part in [
            kept.facility.clone().or_else(|| finding.fixmedins_code.clone()),
            case.assignee.as_ref().map(|name| format!("经办 {name}")),
            case.deadline.map(|day| format!("期限 {}", day::text(day))),
            case.seen_again.then(|| "再次发现".to_owned()),
            (!case.present).then(|| "不再发现".to_owned()),
        ]
        .into_iter()
        .flatten()
        {
            text.push_str(&format!("  {part}"));
        }
        text.push('\n');
    }
    let shown = listed.findings.len() as u64;
    text.push_str(&match lang {
        Lang::Zh if shown < listed.total => format!("共 {} 件，列出 {shown} 件（--limit）\n", listed.total),
        Lang::Zh => format!("共 {} 件\n", listed.total),
        Lang::En if shown < listed.total => format!("{} cases, {shown} shown (--limit)\n", listed.total),
        Lang::En => format!("{} cases\n", listed.total),
    });
    text
}

/// The person's number is hidden wherever it stands: in the finding, and in what people wrote.
pub(super) fn mask(told: &mut Told) {
    let person = told.kept.finding.psn_no.clone();
    for step in &mut told.steps {
        step.reason = without_person(&step.reason, person.as_deref());
    }
    told.kept.finding = masked(&told.kept.finding);
}

pub(super) fn shown(told: &Told) -> String {
    let (finding, case) = (&told.kept.finding, &told.kept.case);
    let mut text = format!(
        "{}[{}] {}\n  疑点 {}\n  {}\n  依据 {}\n",
        finding.severity, finding.rule_code, finding.rule_title, finding.finding_id, finding.message, finding.basis
    );
    text.push_str(&format!(
        "  {}  {}{}{}\n",
        case.status.title(),
        case.outcome.title(),
        if case.seen_again { "  再次发现" } else { "" },
        if case.present { "" } else { "  不再发现" }
    ));
    text.push_str(&format!(
        "  机审 {:.2}  仍主张 {:.2}  追回 {:.2}  违约金 {:.2}  已到账 {:.2}  违约金已到账 {:.2}\n",
        case.found, case.standing, case.decided, case.damages, case.recovered, case.damages_recovered
    ));
    if !case.measures.is_empty() {
        text.push_str(&format!("  处理 {}\n", case.measures.iter().map(|m| m.title()).collect::<Vec<_>>().join("、")));
    }
    if let Some(assignee) = &case.assignee {
        text.push_str(&format!("  经办 {assignee}\n"));
    }
    if let Some(deadline) = case.deadline {
        text.push_str(&format!("  期限 {}\n", day::text(deadline)));
    }
    for sighting in &told.sightings {
        text.push_str(&format!("  {}  扫描 {}：{}\n", sighting.at, sighting.scan_id, sighting.what.title()));
    }
    for step in &told.steps {
        text.push_str(&format!("  {}  {}  {}", step.at, who(step), step.action.title()));
        if step.to != step.from {
            text.push_str(&format!("  {} → {}", step.from.title(), step.to.title()));
        }
        if step.before != step.after {
            text.push_str(&format!("  {:.2} → {:.2}", step.before, step.after));
        }
        if step.damages != Decimal::ZERO {
            text.push_str(&format!("  违约金 {:.2}", step.damages));
        }
        if let Some(code) = &step.reason_code {
            text.push_str(&format!("  [{code}]"));
        }
        if !step.reason.is_empty() {
            text.push_str(&format!("  {}", without_person(&step.reason, None)));
        }
        text.push('\n');
        for attachment in &step.attachments {
            text.push_str(&format!(
                "      附件 {}  {} 字节  sha256 {}\n",
                without_person(&attachment.name, None),
                attachment.bytes,
                attachment.sha256
            ));
        }
    }
    let possible: Vec<&str> = cases::possible(case.status).iter().map(|action| action.name()).collect();
    text.push_str(&format!("  可以：{}\n", possible.join(", ")));
    text
}

fn who(step: &Step) -> String {
    Actor::from_name(&step.actor).map_or_else(|| step.actor.clone(), |actor| actor.title().to_owned())
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

pub(super) fn kept_json(kept: &Kept) -> Json {
    let mut json = case_json(&kept.case);
    let finding = masked(&kept.finding);
    for (name, value) in [
        ("rule_code", Json::from(finding.rule_code)),
        ("rule_title", Json::from(finding.rule_title)),
        ("result", Json::from(finding.result)),
        ("severity", Json::from(finding.severity)),
        ("message", Json::from(finding.message)),
        ("from_day", Json::from(finding.from_day)),
        ("until_day", Json::from(finding.until_day)),
        ("facility", Json::from(kept.facility.clone())),
    ] {
        json[name] = value;
    }
    json
}

pub(super) fn told_json(told: &Told) -> Json {
    json!({
        "case": case_json(&told.kept.case),
        "finding": {
            "rule_code": told.kept.finding.rule_code,
            "rule_title": told.kept.finding.rule_title,
            "result": told.kept.finding.result,
            "severity": told.kept.finding.severity,
            "psn_no": told.kept.finding.psn_no,
            "fixmedins_code": told.kept.finding.fixmedins_code,
            "from_day": told.kept.finding.from_day,
            "until_day": told.kept.finding.until_day,
            "amount": yuan(told.kept.finding.amount),
            "allocated": yuan(told.kept.finding.allocated),
            "message": told.kept.finding.message,
            "basis": told.kept.finding.basis,
        },
        "sightings": told.sightings.iter().map(|sighting| json!({
            "scan_id": sighting.scan_id, "at": sighting.at, "what": sighting.what.name(),
        })).collect::<Vec<_>>(),
        "steps": told.steps.iter().map(step_json).collect::<Vec<_>>(),
    })
}

/// Money for programs: text with two places, never a binary fraction.
fn yuan(amount: Decimal) -> String {
    format!("{amount:.2}")
}

pub(super) fn kept_rows(listed: &Listed) -> Vec<[String; 14]> {
    let head = [
        "finding_id", "rule_code", "fixmedins_code", "from_day", "status", "outcome", "assignee", "deadline", "found",
        "standing", "decided", "recovered", "seen_again", "present",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(listed.findings.iter().map(|kept| {
        let (case, finding) = (&kept.case, &kept.finding);
        [
            case.finding_id.clone(),
            finding.rule_code.clone(),
            finding.fixmedins_code.clone().unwrap_or_default(),
            finding.from_day.clone().unwrap_or_default(),
            case.status.name().to_owned(),
            case.outcome.name().to_owned(),
            case.assignee.clone().unwrap_or_default(),
            case.deadline.map(day::text).unwrap_or_default(),
            yuan(case.found),
            yuan(case.standing),
            yuan(case.decided),
            yuan(case.recovered),
            case.seen_again.to_string(),
            case.present.to_string(),
        ]
    }));
    rows
}

pub(super) fn step_rows(steps: &[Step]) -> Vec<[String; 12]> {
    let head = [
        "seq", "at", "actor", "action", "from", "to", "outcome", "reason_code", "reason", "before", "after", "damages",
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
        "rule_code", "verdict", "hits", "reviewed", "confirmed", "wrong", "wrong_share", "appealed", "overturned", "found",
        "decided", "recovered", "steps",
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
