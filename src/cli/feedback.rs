//! `fundaudit feedback …`: what doctors did about reminders, as the service kept it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Face, Outcome, Printed, a_day, table};
use crate::model::day;
use crate::operations::Error;
use crate::report::{Lang, sheets};
use crate::serve::feedback::kept::{self, Counts, Days, OfRule};

#[derive(Debug, Subcommand)]
pub(super) enum FeedbackCommand {
    /// By rule: how often an order was kept in spite of a reminder, how often it was changed, and the reasons given
    List {
        /// The folder that `serve --feedback` keeps
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        days: DaysArgs,
        /// Reasons to show of each rule
        #[arg(long, default_value_t = 3)]
        reasons: usize,
    },
    /// Every answer to a reminder as a row of a CSV
    Export {
        /// The folder that `serve --feedback` keeps
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        days: DaysArgs,
        /// The CSV to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct DaysArgs {
    /// First day on which feedback came
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    from: Option<i32>,
    /// Last day on which feedback came
    #[arg(long, value_parser = a_day, value_name = "YYYY-MM-DD")]
    until: Option<i32>,
}

impl DaysArgs {
    fn days(&self) -> Days {
        Days { from: self.from.map(day::text), until: self.until.map(day::text) }
    }
}

pub(super) fn run(command: &FeedbackCommand, face: &Face) -> Result<Outcome, Error> {
    match command {
        FeedbackCommand::List { folder, days, reasons } => {
            let disk = |source| Error::Disk { doing: format!("read the feedback in `{}`", folder.display()), source };
            let counts = Counts::of(folder, &days.days()).map_err(disk)?;
            face.print(&match face.printed {
                Printed::Text => text(&counts, *reasons, face.lang),
                Printed::Json => format!("{:#}\n", json(&counts, *reasons)),
                Printed::Csv => csv(&counts, *reasons),
            });
        }
        FeedbackCommand::Export { folder, days, out } => {
            let disk = |source| Error::Disk { doing: format!("write the feedback into `{}`", out.display()), source };
            let mut rows = Vec::new();
            let damaged = kept::each(folder, &days.days(), &mut |line| {
                rows.extend(kept::rows(&line));
                Ok(())
            });
            let damaged = damaged.map_err(|source| Error::Disk {
                doing: format!("read the feedback in `{}`", folder.display()),
                source,
            })?;
            let count = rows.len();
            sheets::table(kept::HEAD, rows, out).map_err(disk)?;
            face.print(&match face.lang {
                Lang::Zh => format!("{count} 条，写入 {}\n", out.display()),
                Lang::En => format!("{count} rows in {}\n", out.display()),
            });
            face.print(&told_damaged(damaged, face.lang));
        }
    }
    Ok(Outcome::Clean)
}

fn told_damaged(damaged: u64, lang: Lang) -> String {
    match (damaged, lang) {
        (0, _) => String::new(),
        (_, Lang::Zh) => format!("{damaged} 行损坏，没有算：与自己的校验和不符\n"),
        (_, Lang::En) => format!("{damaged} damaged lines were passed over: they do not fit their checksums\n"),
    }
}

/// Reminders that were answered, and how many orders of a hundred were kept.
fn answered(rule: &OfRule) -> (u64, u64) {
    let all = rule.kept + rule.changed;
    (all, (rule.kept * 100 + all / 2) / all.max(1))
}

fn text(counts: &Counts, reasons: usize, lang: Lang) -> String {
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let mut text = String::new();
    let [rule, all, kept, changed, share] = match lang {
        Lang::Zh => ["规则", "答复", "继续执行", "返回修改", "继续 %"],
        Lang::En => ["rule", "answered", "kept", "changed", "kept %"],
    };
    text.push_str(&format!("{rule:<8}{all:>10}{kept:>10}{changed:>10}{share:>8}\n"));
    for (code, of_rule) in &counts.rules {
        let code = code.as_deref().unwrap_or(say("不明", "unknown"));
        let (all, share) = answered(of_rule);
        text.push_str(&format!("{code:<8}{all:>10}{:>10}{:>10}{share:>8}\n", of_rule.kept, of_rule.changed));
        for (reason, count) in of_rule.first_reasons(reasons) {
            text.push_str(&format!("    {count} × {}\n", crate::report::without_person(reason, None)));
        }
    }
    let (messages, institutions) = (counts.messages, counts.institutions.len());
    text.push_str(&match lang {
        Lang::Zh => format!("{messages} 条反馈，{institutions} 家机构\n"),
        Lang::En => format!("{messages} messages of {institutions} institutions\n"),
    });
    text + &told_damaged(counts.damaged, lang)
}

fn json(counts: &Counts, reasons: usize) -> serde_json::Value {
    let rules = counts.rules.iter().map(|(code, rule)| {
        let reasons = rule.first_reasons(reasons).into_iter();
        let reasons = reasons.map(|(reason, count)| serde_json::json!({ "reason": reason, "count": count }));
        serde_json::json!({
            "rule_code": code, "kept": rule.kept, "changed": rule.changed, "reasons": reasons.collect::<Vec<_>>(),
        })
    });
    serde_json::json!({
        "messages": counts.messages,
        "institutions": counts.institutions,
        "damaged": counts.damaged,
        "rules": rules.collect::<Vec<_>>(),
    })
}

fn csv(counts: &Counts, reasons: usize) -> String {
    let mut rows = vec![["rule_code", "kept", "changed", "reasons"].map(str::to_owned)];
    rows.extend(counts.rules.iter().map(|(code, rule)| {
        let reasons = rule.first_reasons(reasons).into_iter().map(|(reason, count)| format!("{count} × {reason}"));
        [
            code.clone().unwrap_or_default(),
            rule.kept.to_string(),
            rule.changed.to_string(),
            reasons.collect::<Vec<_>>().join("; "),
        ]
    }));
    table(&rows)
}
