//! Work on cases: steps are kept, cases move on, rules get their counts.
//!
//! Goes in: steps that `cases` has allowed. Comes out: the cases after them, each step for ever. A case is written only while
//! it has the version that was read: of two who work on it at the same time the second is told. Deliberately unknown here:
//! whether a step is allowed.

use std::collections::BTreeMap;

use super::database::{Arg, Row, Session, There};
use super::filter::Where;
use super::finding::{CASE_COLUMNS, case_args, json};
use super::sql::Sql;
use super::{Error, Filter, Version, schema};
use crate::cases::scorecard::Counts;
use crate::cases::{Action, Case, Outcome, Role, Status, Step};

impl Sql {
    pub(super) fn keep_steps(&self, steps: &[(Version, Case, Step)]) -> Result<(), Error> {
        let mut session = self.database.write("keep steps")?;
        for (read, case, step) in steps {
            if step.finding_id != case.finding_id || step.seq != case.version {
                return Err(Error::Refused(format!(
                    "step {} of `{}` does not belong to version {} of the case `{}`",
                    step.seq, step.finding_id, case.version, case.finding_id
                )));
            }
            put_case(session.as_mut(), case, *read)?;
        }
        let steps: Vec<Step> = steps.iter().map(|(.., step)| step.clone()).collect();
        put_steps(session.as_mut(), &steps)?;
        session.commit()
    }

    pub(super) fn steps_taken(&self, action: Action, at: &str) -> Result<u64, Error> {
        let mut session = self.database.read("count steps")?;
        let sql = "select count(*) from case_step where action = $1 and at = $2";
        let taken = session.number(sql, &[Arg::from(action.name()), Arg::from(at)])?;
        Ok(u64::try_from(taken).unwrap_or(0))
    }

    pub(super) fn steps_of(&self, finding_id: &str) -> Result<Vec<Step>, Error> {
        let mut session = self.database.read("list the steps of a case")?;
        let sql = format!(
            "select {} from case_step where finding_id = $1 order by seq",
            schema::table("case_step").columns.join(", ")
        );
        session.rows(&sql, &[Arg::from(finding_id)])?.into_iter().map(step).collect()
    }

    pub(super) fn scores(&self, filter: &Filter) -> Result<Vec<Counts>, Error> {
        let mut session = self.database.read("count what became of findings")?;
        let wanted = Where::of(filter);
        // Everything that a person has concluded leaves `open`; what was told and then withdrawn is not merely dismissed.
        let sql = format!(
            "select f.rule_code, count(*), \
             sum(case when f.outcome <> '{open}' then 1 else 0 end), \
             sum(case when f.outcome = '{dismissed}' then 1 else 0 end), \
             sum(case when f.outcome in ('{partly}', '{revoked}') then 1 else 0 end), \
             cast(sum(f.found) as bigint), cast(sum(f.standing) as bigint), cast(sum(f.decided) as bigint), \
             cast(sum(f.recovered) as bigint) \
             from finding f {condition} group by f.rule_code order by f.rule_code",
            condition = wanted.text(),
            open = Outcome::Open.name(),
            dismissed = Outcome::Dismissed.name(),
            partly = Outcome::Partly.name(),
            revoked = Outcome::Revoked.name(),
        );
        let mut scores: BTreeMap<String, Counts> = BTreeMap::new();
        for mut row in session.rows(&sql, &wanted.args)? {
            let counts = Counts {
                rule_code: row.text()?,
                hits: row.count()?,
                reviewed: row.count()?,
                dismissed: row.count()?,
                overturned: row.count()?,
                found: row.yuan()?,
                standing: row.yuan()?,
                decided: row.yuan()?,
                recovered: row.yuan()?,
                ..Counts::default()
            };
            scores.insert(counts.rule_code.clone(), counts);
        }
        for mut row in session.rows("select rule_code, rule_title from rule", &[])? {
            if let Some(counts) = scores.get_mut(&row.text()?) {
                counts.rule_title = row.text()?;
            }
        }
        // From the few steps to their findings, in this order.
        let of_steps = |counted: &str, condition: &str| {
            format!(
                "select f.rule_code, {counted} from case_step s cross join finding f {}",
                wanted.and(&format!("f.finding_id = s.finding_id and {condition}"))
            )
        };
        let appealed = of_steps("count(distinct f.finding_id)", &format!("s.action = '{}'", Action::Appeal.name()));
        for mut row in session.rows(&format!("{appealed} group by f.rule_code"), &wanted.args)? {
            if let Some(counts) = scores.get_mut(&row.text()?) {
                counts.appealed = row.count()?;
            }
        }
        let of_people = of_steps("count(*)", &format!("s.actor <> '{}'", Role::Machine.name()));
        for mut row in session.rows(&format!("{of_people} group by f.rule_code"), &wanted.args)? {
            if let Some(counts) = scores.get_mut(&row.text()?) {
                counts.steps = row.count()?;
            }
        }
        // A finding counts once under each reason, and only while it is dismissed or withdrawn.
        let withdrawn = [Outcome::Dismissed, Outcome::Partly, Outcome::Revoked].map(Outcome::name).join("', '");
        let reasons = of_steps(
            "s.reason_code, count(distinct f.finding_id)",
            &format!("s.reason_code is not null and f.outcome in ('{withdrawn}')"),
        );
        for mut row in session.rows(&format!("{reasons} group by f.rule_code, s.reason_code"), &wanted.args)? {
            if let Some(counts) = scores.get_mut(&row.text()?) {
                counts.reasons.insert(row.text()?, row.count()?);
            }
        }
        Ok(scores.into_values().collect())
    }
}

/// Writes a case over the version that was read.
pub(super) fn put_case(session: &mut dyn Session, case: &Case, read: Version) -> Result<(), Error> {
    let set: Vec<String> =
        CASE_COLUMNS.iter().enumerate().map(|(place, column)| format!("{column} = ${}", place + 1)).collect();
    let mut args = case_args(case);
    args.push(Arg::from(&case.finding_id));
    args.push(Arg::from(read));
    let sql = format!(
        "update finding set {} where finding_id = ${} and version = ${}",
        set.join(", "),
        args.len() - 1,
        args.len()
    );
    if session.run(&sql, &args)? == 1 {
        return Ok(());
    }
    let there = session.number("select count(*) from finding where finding_id = $1", &[Arg::from(&case.finding_id)])?;
    if there == 0 {
        return Err(Error::Unknown { what: "finding", name: case.finding_id.clone() });
    }
    Err(Error::Moved { finding_id: case.finding_id.clone() })
}

/// Writes steps down.
pub(super) fn put_steps(session: &mut dyn Session, steps: &[Step]) -> Result<(), Error> {
    let rows: Vec<Vec<Arg<'_>>> = steps
        .iter()
        .map(|step| {
            vec![
                Arg::from(&step.finding_id),
                Arg::from(step.seq),
                Arg::from(&step.at),
                Arg::from(&step.actor),
                Arg::from(step.action.name()),
                Arg::from(step.from.name()),
                Arg::from(step.to.name()),
                Arg::from(step.outcome.name()),
                Arg::from(&step.reason_code),
                Arg::from(&step.reason),
                Arg::cents(step.before),
                Arg::cents(step.after),
                Arg::cents(step.damages),
                Arg::from(step.deadline),
                Arg::from(serde_json::to_string(&step.attachments).expect("names and hashes are JSON")),
            ]
        })
        .collect();
    session.put("case_step", schema::table("case_step").columns, There::Fails, &rows)
}

fn step(mut row: Row) -> Result<Step, Error> {
    Ok(Step {
        finding_id: row.text()?,
        seq: row.int()?,
        at: row.text()?,
        actor: row.text()?,
        action: row.word(Action::from_name)?,
        from: row.word(Status::from_name)?,
        to: row.word(Status::from_name)?,
        outcome: row.word(Outcome::from_name)?,
        reason_code: row.may_text()?,
        reason: row.text()?,
        before: row.yuan()?,
        after: row.yuan()?,
        damages: row.yuan()?,
        deadline: row.may_day()?,
        attachments: json(&row.text()?)?,
    })
}
