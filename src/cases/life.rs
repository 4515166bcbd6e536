//! A step: what a command does to a case, or why it does not.
//!
//! Goes in: a case, a command, the procedure, who and when. Comes out: the case after it and the record of the step, or a
//! [`Refusal`]; nothing in between. The order is always the same: is what was said complete and well formed; what would the
//! money and the outcome be; is there a row in the table; may this person judge; until when may the next status last.

use rust_decimal::Decimal;

use super::procedure::Procedure;
use super::refusal::Refusal;
use super::table::{self, Transition};
use super::words::{Action, Actor, Measure, Outcome, Role, Status};
use super::{Act, Case, Command, Seen, Step};
use crate::model::day;
use crate::model::money::to_cent;

/// No reason is longer, in characters.
const LONGEST_REASON: usize = 2_000;
const LONGEST_NAME: usize = 60;
const MOST_ATTACHMENTS: usize = 100;

impl Case {
    /// The case of a finding that the machine has found just now.
    #[must_use]
    pub fn open(finding_id: &str, certain: bool, allocated: Decimal, at: &str) -> Case {
        let found = to_cent(allocated);
        Case {
            finding_id: finding_id.to_owned(),
            status: Status::New,
            outcome: Outcome::Open,
            measures: Vec::new(),
            version: 0,
            assignee: None,
            deadline: None,
            found,
            standing: found,
            decided: nothing(),
            damages: nothing(),
            recovered: nothing(),
            damages_recovered: nothing(),
            seen_again: false,
            present: true,
            judges: Vec::new(),
            changed_at: at.to_owned(),
            certain,
            region: None,
            fixmedins_code: None,
        }
    }

    /// Whether the facility was told; from then on the case no longer follows the machine.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.outcome != Outcome::Open
    }

    /// Whether nothing that was decided is outstanding.
    #[must_use]
    pub fn is_all_in(&self) -> bool {
        self.recovered == self.decided && self.damages_recovered == self.damages
    }

    /// Whether this person has judged the case; written otherwise in spaces or capitals is still the same person.
    #[must_use]
    pub fn was_judged_by(&self, name: &str) -> bool {
        self.judges.iter().any(|judge| same(judge, name))
    }

    /// What of `found` was withdrawn.
    #[must_use]
    pub fn withdrawn(&self) -> Decimal {
        self.found - self.standing
    }

    fn money(&self, action: Action) -> Decimal {
        match action.money() {
            "found" => self.found,
            "decided" => self.decided,
            "recovered" => self.recovered,
            _ => self.standing,
        }
    }
}

/// Does what is asked of a case.
///
/// # Errors
/// Why it cannot be, and what can be done; the case stays as it was.
pub fn apply(
    case: &Case,
    command: &Command,
    procedure: &Procedure,
    by: &Actor,
    at: &str,
) -> Result<(Case, Step), Refusal> {
    let today = moment(case, at)?;
    let action = command.act.action();
    let rows = permitted(case, action, by)?;
    spoken(command, by)?;
    let mut after = case.clone();
    effect(&mut after, &command.act)?;
    let Some(row) = rows.iter().find(|row| row.when.holds(case, &after, today)) else {
        let wanted = rows.iter().map(|row| row.when).collect();
        return Err(Refusal::Condition { action, status: case.status, wanted, deadline: case.deadline });
    };
    reasoned(case, &after, command, row, procedure)?;
    let panel = seated(case, command, procedure, by, today)?;
    if row.judges {
        judge(&mut after, by, panel)?;
    }
    after.status = row.to;
    if row.to != case.status {
        after.deadline = procedure.deadline(row.to, today, case.region.as_deref())?;
        after.assignee = None;
    }
    if let Act::Assign { to } = &command.act {
        if after.was_judged_by(to) {
            return Err(Refusal::SamePerson { name: to.trim().to_owned() });
        }
        after.assignee = Some(to.trim().to_owned());
    }
    let step = recorded(case, &mut after, command, by, at);
    Ok((after, step))
}

/// What a scan that looked for a finding does to its case: nothing, or steps of the machine.
///
/// Until the facility is told, the case follows the machine's money; afterwards what it was told stands until a person
/// withdraws it, and that the machine says otherwise is only written down. A fact that is there again after it was no longer
/// found, or that is still there after people had dismissed or revoked it, is *seen again*, once.
#[must_use]
pub fn scanned(case: &Case, seen: Seen, at: &str) -> Vec<(Case, Step)> {
    let mut acts = Vec::new();
    match seen {
        Seen::There { before, now } => {
            let known = if case.is_told() { before } else { case.found };
            if known != now {
                acts.push(Act::Change { found: now });
            }
            let done_with = case.status == Status::Closed && case.outcome.is_overturned();
            if !case.present || done_with && !case.seen_again {
                acts.push(Act::SeenAgain);
            }
        }
        Seen::Gone if case.present => acts.push(Act::Gone),
        Seen::Gone => {}
    }
    // A scan's clock may be behind that of a person who worked on the case meanwhile.
    let at = at.max(case.changed_at.as_str());
    let mut steps: Vec<(Case, Step)> = Vec::new();
    for act in acts {
        let before = steps.last().map_or(case, |(case, _)| case).clone();
        let mut after = before.clone();
        match &act {
            Act::Change { found } => change(&mut after, *found),
            Act::SeenAgain => (after.present, after.seen_again) = (true, true),
            _ => after.present = false,
        }
        let step = recorded(&before, &mut after, &act.plain(), &Actor::machine(), at);
        steps.push((after, step));
    }
    steps
}

impl Act {
    /// With nothing said about it.
    #[must_use]
    pub fn plain(self) -> Command {
        Command { act: self, reason_code: None, reason: String::new(), attachments: Vec::new() }
    }

    /// With a reason in words.
    #[must_use]
    pub fn because(self, reason: &str) -> Command {
        Command { reason: reason.to_owned(), ..self.plain() }
    }
}

impl Command {
    /// With a coded reason.
    #[must_use]
    pub fn coded(self, code: &str) -> Command {
        Command { reason_code: Some(code.to_owned()), ..self }
    }
}

/// The day of the time, which must be one, and not before the last step.
fn moment(case: &Case, at: &str) -> Result<i32, Refusal> {
    let number = |from: usize, below: u32| {
        let digits = at.get(from..from + 2).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
        digits.and_then(|d| d.parse::<u32>().ok()).filter(|n| *n < below)
    };
    let day = at.get(..10).and_then(day::parse);
    let marks = at.get(10..11) == Some("T") && at.get(13..14) == Some(":") && at.get(16..17) == Some(":");
    let whole =
        at.len() == 19 && marks && number(11, 24).is_some() && number(14, 60).is_some() && number(17, 60).is_some();
    let Some(day) = day.filter(|_| whole) else { return Err(Refusal::Time { at: at.to_owned() }) };
    if at < case.changed_at.as_str() {
        return Err(Refusal::Earlier { at: at.to_owned(), last: case.changed_at.clone() });
    }
    Ok(day)
}

/// The rows of the table for this action here, if this actor may take any.
fn permitted(case: &Case, action: Action, by: &Actor) -> Result<Vec<Transition>, Refusal> {
    let rows = table::rows(case.status, action);
    if rows.is_empty() {
        let possible = table::possible(case.status);
        return Err(Refusal::NotHere { action, status: case.status, possible });
    }
    let rows: Vec<Transition> = rows.into_iter().filter(|row| row.by.contains(&by.role)).collect();
    if rows.is_empty() {
        return Err(Refusal::Role { action, role: by.role });
    }
    if by.role == Role::Facility && case.fixmedins_code.as_ref().is_some_and(|own| *own != by.who) {
        return Err(Refusal::OtherFacility { code: by.who.clone() });
    }
    Ok(rows)
}

/// Whether names, texts and attachments are what they should be.
fn spoken(command: &Command, by: &Actor) -> Result<(), Refusal> {
    if by.role != Role::Machine {
        named("the one who acts", &by.who)?;
    }
    if let Act::Assign { to } = &command.act {
        named("the one it is given to", to)?;
    }
    let length = command.reason.chars().count();
    if length > LONGEST_REASON {
        return Err(Refusal::Text(format!(
            "the reason has {length} characters, at most {LONGEST_REASON} are kept: attach a file"
        )));
    }
    if command.reason.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(Refusal::Text("the reason holds control characters".to_owned()));
    }
    if command.attachments.len() > MOST_ATTACHMENTS {
        return Err(Refusal::Text(format!("more than {MOST_ATTACHMENTS} attachments in one step")));
    }
    for attachment in &command.attachments {
        let hex = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        if attachment.sha256.len() != 64 || !attachment.sha256.bytes().all(hex) || attachment.name.trim().is_empty() {
            return Err(Refusal::Text(format!("the attachment `{}` has no name or no SHA-256", attachment.name)));
        }
    }
    Ok(())
}

fn named(what: &str, name: &str) -> Result<(), Refusal> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Refusal::Text(format!("{what} has no name of 1 to {LONGEST_NAME} characters: say who it is")));
    }
    Ok(())
}

/// Money and outcome after what is asked.
fn effect(case: &mut Case, act: &Act) -> Result<(), Refusal> {
    match act {
        Act::Notify { standing } => {
            if let Some(standing) = standing {
                withdraw_to(case, *standing, true)?;
            }
            case.outcome = Outcome::Asserted;
        }
        Act::Dismiss => (case.standing, case.outcome) = (nothing(), Outcome::Dismissed),
        Act::Revoke { .. } => (case.standing, case.outcome) = (nothing(), Outcome::Revoked),
        Act::Accept | Act::Expire => {
            // After 复审, silence and assent leave its result as it is.
            if case.outcome == Outcome::Asserted {
                case.outcome = if *act == Act::Accept { Outcome::Accepted } else { Outcome::AcceptedByTimeout };
            }
        }
        Act::Uphold { .. } => {
            case.outcome = match case.outcome {
                Outcome::Open => Outcome::Asserted,
                Outcome::Partly => Outcome::Partly,
                _ => Outcome::Upheld,
            };
        }
        Act::Partly { standing, .. } => {
            withdraw_to(case, *standing, false)?;
            case.outcome = if case.is_told() { Outcome::Partly } else { Outcome::Asserted };
        }
        Act::Decide { measures, fund, damages } => decide(case, measures, *fund, *damages)?,
        Act::Recover { fund, damages } => {
            let (left, damages_left) = (case.decided - case.recovered, case.damages - case.damages_recovered);
            within("what came in", *fund, left)?;
            within("what came in of damages", *damages, damages_left)?;
            if fund.is_zero() && damages.is_zero() {
                return Err(Refusal::Money(
                    "nothing came in: say how much of the fund's money or of damages".to_owned(),
                ));
            }
            case.recovered += to_cent(*fund);
            case.damages_recovered += to_cent(*damages);
        }
        Act::Reopen => {
            case.standing = case.found;
            case.outcome = Outcome::Open;
            // Somebody looks again: what comes back after that is news once more.
            case.seen_again = false;
        }
        Act::Change { found } => change(case, *found),
        Act::SeenAgain => (case.present, case.seen_again) = (true, true),
        Act::Gone => case.present = false,
        Act::Assign { .. } | Act::Investigate | Act::Appeal | Act::Close => {}
    }
    Ok(())
}

/// Until the facility is told, the machine's money is what is asserted.
fn change(case: &mut Case, found: Decimal) {
    if !case.is_told() {
        case.found = to_cent(found);
        case.standing = case.found;
    }
}

fn withdraw_to(case: &mut Case, standing: Decimal, all_is_fine: bool) -> Result<(), Refusal> {
    let less = standing < case.standing || all_is_fine && standing == case.standing;
    if standing <= Decimal::ZERO || !less || !whole_cents(standing) {
        return Err(Refusal::Money(format!(
            "{standing} cannot be what still stands of {}: wanted more than 0 and less than that, in whole cents; all or nothing has \
             its own word",
            case.standing
        )));
    }
    case.standing = to_cent(standing);
    Ok(())
}

fn decide(case: &mut Case, measures: &[Measure], fund: Option<Decimal>, damages: Decimal) -> Result<(), Refusal> {
    let mut ordered = measures.to_vec();
    ordered.sort();
    ordered.dedup();
    if ordered.is_empty() {
        let known = Measure::ALL.map(Measure::name).join(", ");
        return Err(Refusal::Money(format!("a decision without a measure: wanted one or more of {known}")));
    }
    let takes: Vec<&Measure> = ordered.iter().filter(|m| matches!(m, Measure::Refuse | Measure::Recover)).collect();
    if takes.len() > 1 {
        return Err(Refusal::Money(
            "money is either not paid (refuse) or paid and claimed back (recover): name one of them".to_owned(),
        ));
    }
    let fund = fund.unwrap_or(if takes.is_empty() { Decimal::ZERO } else { case.standing });
    within("what is taken back", fund, case.standing)?;
    if takes.is_empty() != fund.is_zero() {
        let word = if takes.is_empty() {
            "needs `refuse` or `recover` among its measures"
        } else {
            "has no money to take back"
        };
        return Err(Refusal::Money(format!("a decision over {fund} {word}")));
    }
    if damages.is_sign_negative() || !whole_cents(damages) {
        return Err(Refusal::Money(format!("damages of {damages}: wanted 0 or more, in whole cents")));
    }
    case.measures = ordered;
    case.decided = to_cent(fund);
    case.damages = to_cent(damages);
    Ok(())
}

fn within(what: &str, amount: Decimal, most: Decimal) -> Result<(), Refusal> {
    if amount < Decimal::ZERO || amount > most || !whole_cents(amount) {
        return Err(Refusal::Money(format!("{what} is {amount}, wanted 0 to {most}, in whole cents")));
    }
    Ok(())
}

fn whole_cents(amount: Decimal) -> bool {
    to_cent(amount) == amount
}

fn nothing() -> Decimal {
    Decimal::new(0, 2)
}

/// Steps that people must be able to read again years later say why; where money is withdrawn, also in a coded word.
fn reasoned(
    case: &Case,
    after: &Case,
    command: &Command,
    row: &Transition,
    procedure: &Procedure,
) -> Result<(), Refusal> {
    let action = row.action;
    let withdraws = after.standing < case.standing && action != Action::Change
        || matches!(action, Action::Dismiss | Action::Partly | Action::Revoke);
    let spoken = !command.reason.trim().is_empty();
    let needs = row.judges && action != Action::Notify
        || withdraws
        || matches!(action, Action::Appeal | Action::Investigate | Action::Reopen);
    if needs && !spoken {
        return Err(Refusal::NoReason { action });
    }
    match &command.reason_code {
        None if withdraws => Err(Refusal::NoCode { action, known: codes(procedure) }),
        Some(_) if !withdraws => Err(Refusal::Text(format!(
            "`{}` withdraws nothing, so it has no coded reason: say it in words",
            action.name()
        ))),
        Some(code) => procedure.reason(code).map(drop).map_err(|near| Refusal::UnknownCode {
            code: code.clone(),
            near,
            known: codes(procedure),
        }),
        None => Ok(()),
    }
}

fn codes(procedure: &Procedure) -> Vec<String> {
    procedure.reasons.iter().map(|reason| reason.code.clone()).collect()
}

/// Who sits in the panel: only where one is asked for, enough of them, each once, the one who writes it down among them.
fn seated<'c>(
    case: &Case,
    command: &'c Command,
    procedure: &Procedure,
    by: &Actor,
    today: i32,
) -> Result<&'c [String], Refusal> {
    let panel: &[String] = match &command.act {
        Act::Uphold { panel } | Act::Partly { panel, .. } | Act::Revoke { panel } => panel,
        _ => &[],
    };
    if case.status != Status::Panel {
        return if panel.is_empty() { Ok(panel) } else { Err(Refusal::Panel("only 合议 has a panel".to_owned())) };
    }
    let judging = matches!(command.act, Act::Uphold { .. } | Act::Partly { .. } | Act::Revoke { .. });
    if !judging {
        return Ok(panel);
    }
    let least = procedure.count("panel_members_min", today, case.region.as_deref()) as usize;
    for (at, member) in panel.iter().enumerate() {
        named("a member of the panel", member)?;
        if panel[..at].iter().any(|other| same(other, member)) {
            return Err(Refusal::Panel(format!("`{}` sits in the panel twice", member.trim())));
        }
    }
    if panel.len() < least {
        return Err(Refusal::Panel(format!("a panel of {}: wanted {least} or more", panel.len())));
    }
    if !panel.iter().any(|member| same(member, &by.who)) {
        return Err(Refusal::Panel(format!("`{}` writes its result down and does not sit in the panel", by.who)));
    }
    Ok(panel)
}

/// Writes down who judged, unless he has judged before.
fn judge(case: &mut Case, by: &Actor, panel: &[String]) -> Result<(), Refusal> {
    let alone = [by.who.clone()];
    let names: &[String] = if panel.is_empty() { &alone } else { panel };
    for name in names {
        if case.was_judged_by(name) {
            return Err(Refusal::SamePerson { name: name.trim().to_owned() });
        }
    }
    case.judges.extend(names.iter().map(|name| name.trim().to_owned()));
    Ok(())
}

fn same(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    plain(one) == plain(other)
}

/// Counts the case on and says what happened.
fn recorded(before: &Case, after: &mut Case, command: &Command, by: &Actor, at: &str) -> Step {
    let action = command.act.action();
    after.version = before.version + 1;
    at.clone_into(&mut after.changed_at);
    let damages = match action {
        Action::Decide => after.damages,
        Action::Recover => after.damages_recovered - before.damages_recovered,
        _ => nothing(),
    };
    // What the machine says is written down even where the case no longer follows it.
    let now = if let Act::Change { found } = &command.act { to_cent(*found) } else { after.money(action) };
    Step {
        finding_id: before.finding_id.clone(),
        seq: after.version,
        at: at.to_owned(),
        actor: by.name(),
        action,
        from: before.status,
        to: after.status,
        outcome: after.outcome,
        reason_code: command.reason_code.clone(),
        reason: told(&command.act, command.reason.trim()),
        before: before.money(action),
        after: now,
        damages,
        deadline: after.deadline.filter(|_| after.status != before.status),
        attachments: command.attachments.clone(),
    }
}

/// The reason, with what the step's own columns do not hold before it.
fn told(act: &Act, reason: &str) -> String {
    let first = match act {
        Act::Assign { to } => format!("分派给 {}", to.trim()),
        Act::Uphold { panel } | Act::Partly { panel, .. } | Act::Revoke { panel } if !panel.is_empty() => {
            format!("合议：{}", panel.iter().map(|name| name.trim()).collect::<Vec<_>>().join("、"))
        }
        Act::Decide { measures, .. } => {
            let mut titles: Vec<Measure> = measures.clone();
            titles.sort();
            titles.dedup();
            titles.into_iter().map(Measure::title).collect::<Vec<_>>().join("、")
        }
        _ => String::new(),
    };
    [first.as_str(), reason].iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join("。")
}
