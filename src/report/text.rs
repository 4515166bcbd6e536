//! The report on a terminal: plain text, aligned for full-width characters.
//!
//! Goes in: an [`Outcome`] and its [`Context`], or one [`Finding`]. Comes out: text without colours and without anything
//! that could steer a terminal; whoever prints it may colour it. Chinese, or English around the rules' own Chinese texts.
//! A `psn_no` is masked. Deliberately unknown here: whether this is a terminal, how wide it is.

use std::fmt::Write as _;

use super::columns::yuan;
use super::labels::label;
use super::reasons::{set_aside, unanswered};
use super::shown::{count, members, money, person, visible, without_person};
use super::tally::{RuleTally, Silence, Tally, tally};
use super::{Budget, Context, OverBudget, Quarantined, RuleMeta};
use crate::findings::{Finding, Outcome, StaleValue};

/// Language of the words around findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    #[default]
    Zh,
    En,
}

impl Lang {
    /// The words of this language.
    #[must_use]
    pub fn of<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

/// How many reasons are named before the rest is counted.
const REASONS: usize = 3;

/// One line a rule with findings, then the totals and what they hide, then where to look.
#[must_use]
pub fn headlines(outcome: &Outcome, context: &Context, lang: Lang) -> String {
    let tally = tally(outcome, context);
    let mut rules: Vec<&RuleTally> = tally.by_rule.iter().filter(|rule| rule.share.findings > 0).collect();
    rules.sort_by(|a, b| {
        let weight = |rule: &RuleTally| (severity_rank(&rule.rule.severity), std::cmp::Reverse(rule.share.allocated));
        weight(a).cmp(&weight(b)).then_with(|| a.rule.code.cmp(&b.rule.code))
    });
    let rows: Vec<[String; 6]> = rules.iter().map(|rule| headline(rule, lang)).collect();
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(widest);

    let mut text = String::new();
    for [rule, title, findings, amount, allocated, note] in &rows {
        let line = format!(
            "{}  {}  {}  {} {}  {} {}  {note}",
            left(rule, widths[0]),
            left(title, widths[1]),
            right(findings, widths[2]),
            lang.of("涉及", "amount"),
            right(amount, widths[3]),
            lang.of("计入", "counted"),
            right(allocated, widths[4]),
        );
        say(&mut text, line.trim_end());
    }
    if !rows.is_empty() {
        text.push('\n');
    }
    totals(&mut text, &tally, lang);
    hidden(&mut text, &tally, context, lang);
    overdue(&mut text, context, lang);
    directions(&mut text, &rules, context, lang);
    text
}

fn headline(rule: &RuleTally, lang: Lang) -> [String; 6] {
    let share = &rule.share;
    let RuleMeta { code, name, title, severity, .. } = &rule.rule;
    let title = if lang == Lang::En && !name.is_empty() { name } else { title };
    [
        visible(&format!("{severity}[{code}]")).into_owned(),
        visible(title).into_owned(),
        match lang {
            Lang::Zh => format!("{} 条", count(share.findings)),
            Lang::En => count(share.findings),
        },
        money(share.amount + share.apart),
        money(share.allocated),
        if share.apart_findings > 0 { lang.of("另列", "apart").to_owned() } else { String::new() },
    ]
}

fn totals(text: &mut String, tally: &Tally, lang: Lang) {
    let all = &tally.all;
    if all.findings == 0 {
        say(text, lang.of("未发现疑点", "no findings"));
        return;
    }
    let findings = count(all.findings);
    let (allocated, amount) = (money(all.allocated), money(all.amount));
    say(
        text,
        &match lang {
            Lang::Zh => {
                let facilities = count(tally.facilities);
                format!("合计 {findings} 条疑点，{facilities} 家机构，计入金额 {allocated} 元（同一笔钱只计一次）")
            }
            Lang::En => format!(
                "total {} at {}, {allocated} yuan, each yuan counted once",
                many(all.findings, "finding", "findings"),
                many(tally.facilities, "facility", "facilities"),
            ),
        },
    );
    let (certain, suspected) = (&tally.certain, &tally.suspected);
    say(
        text,
        &match lang {
            Lang::Zh => format!(
                "     明确违规 {} 条 {} 元，可疑 {} 条 {} 元；各规则涉及金额相加 {amount} 元",
                count(certain.findings),
                money(certain.allocated),
                count(suspected.findings),
                money(suspected.allocated),
            ),
            Lang::En => format!(
                "      certain {} ({} yuan), suspected {} ({} yuan); rules' own amounts add up to {amount} yuan",
                count(certain.findings),
                money(certain.allocated),
                count(suspected.findings),
                money(suspected.allocated),
            ),
        },
    );
    if all.apart_findings > 0 {
        let apart = money(all.apart);
        say(
            text,
            &match lang {
                Lang::Zh => {
                    format!("另列 {} 条疑点的 {apart} 元不是基金支出，未计入合计", count(all.apart_findings))
                }
                Lang::En => format!(
                    "apart {} about {apart} yuan that is not the fund's, not in the total",
                    many(all.apart_findings, "finding", "findings")
                ),
            },
        );
    }
    if all.exempted > 0 {
        let (findings, exempted) = (count(all.exempted), money(all.exempted_allocated));
        say(
            text,
            &match lang {
                Lang::Zh => format!("豁免 其中 {findings} 条疑点 {exempted} 元有有效豁免，仍在合计之内"),
                Lang::En => format!(
                    "exempt {findings} of these findings, {exempted} yuan: covered by an exemption, still in the total"
                ),
            },
        );
    }
}

fn hidden(text: &mut String, tally: &Tally, context: &Context, lang: Lang) {
    silent(text, tally, lang);
    if tally.answers.not_evaluated > 0 {
        let reasons = tally.answers.top_reasons();
        let reasons: Vec<_> = reasons.iter().map(|(reason, units)| (unanswered(reason, lang), *units)).collect();
        let (units, reasons) = (tally.answers.not_evaluated, top(&reasons, lang, "次"));
        say(
            text,
            &match lang {
                Lang::Zh => format!("未评估 {} 次（没有结论，不等于没有问题）：{reasons}", count(units)),
                Lang::En => format!(
                    "not evaluated {} (no answer, which is not a clean bill): {reasons}",
                    many(units, "time", "times")
                ),
            },
        );
    }
    if tally.quarantined > 0 {
        let named = |set: &Quarantined| (format!("{} {}", set.file, set_aside(&set.reason, lang)), set.rows);
        let mut sets: Vec<(String, u64)> = context.quarantined.iter().map(named).collect();
        sets.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let (rows, sets) = (tally.quarantined, top(&sets, lang, "行"));
        say(
            text,
            &match lang {
                Lang::Zh => format!("未审核 {} 行（已隔离，见 quarantine.csv）：{sets}", count(rows)),
                Lang::En => {
                    format!("not audited {} (set aside, see quarantine.csv): {sets}", many(rows, "row", "rows"))
                }
            },
        );
    }
}

/// What somebody should look at again: exemptions that have ended, numbers that nobody verified for a year, rules that
/// took long.
fn overdue(text: &mut String, context: &Context, lang: Lang) {
    if !context.over_budget.is_empty() {
        let named: Vec<String> = context.over_budget.iter().map(|rule| slow(rule, lang)).collect();
        let named = first_few(&named, lang);
        say(
            text,
            &format!(
                "{}{named}",
                lang.of("耗时超出预算（不影响结果）：", "over its time budget, findings unaffected: ")
            ),
        );
    }
    let ended: Vec<String> = context
        .exemptions
        .iter()
        .filter(|exemption| exemption.expired)
        .map(|e| match lang {
            Lang::Zh => format!("{}（{}，至 {}）", e.id, e.owner, e.until),
            Lang::En => format!("{} ({}, until {})", e.id, e.owner, e.until),
        })
        .collect();
    if !ended.is_empty() {
        let (number, named) = (ended.len() as u64, first_few(&ended, lang));
        say(
            text,
            &match lang {
                Lang::Zh => format!("豁免到期 {} 项，请续期或删去：{named}", count(number)),
                Lang::En => {
                    format!("expired {}, renew or take out: {named}", many(number, "exemption", "exemptions"))
                }
            },
        );
    }
    let stale = &context.stale;
    if stale.findings > 0 {
        let values: Vec<String> =
            stale.values.iter().map(|(value, findings)| old_value(value, *findings, lang)).collect();
        let values = first_few(&values, lang);
        say(
            text,
            &match lang {
                Lang::Zh => {
                    format!("参数待核实 {} 条疑点所依据的参数值已超过十二个月未核实：{values}", count(stale.findings))
                }
                Lang::En => format!(
                    "unverified {} on parameter values that nobody verified for twelve months: {values}",
                    many(stale.findings, "finding rests", "findings rest")
                ),
            },
        );
    }
}

/// `SCP107 用时 12.3 秒，占各规则合计的 34%（预算 20%）`.
pub(super) fn slow(rule: &OverBudget, lang: Lang) -> String {
    let seconds = format!("{}.{}", rule.spent_ms / 1000, rule.spent_ms / 100 % 10);
    let OverBudget { code, share, .. } = rule;
    match (lang, rule.budget) {
        (Lang::Zh, Budget::Percent(most)) => {
            format!("{code} 用时 {seconds} 秒，占各规则合计的 {share}%（预算 {most}%）")
        }
        (Lang::Zh, Budget::Seconds(most)) => {
            format!("{code} 用时 {seconds} 秒，占各规则合计的 {share}%（预算 {most} 秒）")
        }
        (Lang::En, Budget::Percent(most)) => {
            format!("{code} {seconds} s, {share}% of all rules' time (budget {most}%)")
        }
        (Lang::En, Budget::Seconds(most)) => {
            format!("{code} {seconds} s, {share}% of all rules' time (budget {most} s)")
        }
    }
}

/// `$rx_days_long 30（2024-05-01 核实）：12 条`.
fn old_value(old: &StaleValue, findings: u64, lang: Lang) -> String {
    let (name, value) = (format!("${}", old.parameter), &old.value);
    match (lang, &old.verified_on) {
        (Lang::Zh, verified) => {
            let name = label(&name).unwrap_or(name);
            let verified = verified.as_ref().map_or("从未核实".to_owned(), |day| format!("{day} 核实"));
            format!("{name} {value}（{verified}）：{} 条", count(findings))
        }
        (Lang::En, Some(day)) => format!("{name} {value}, verified on {day} ({})", count(findings)),
        (Lang::En, None) => format!("{name} {value}, never verified ({})", count(findings)),
    }
}

/// Names, and the rest counted.
fn first_few(names: &[String], lang: Lang) -> String {
    let (named, rest) = names.split_at(names.len().min(REASONS));
    let mut text = named.join(lang.of("；", "; "));
    if !rest.is_empty() {
        let more = count(rest.len() as u64);
        text.push_str(&match lang {
            Lang::Zh => format!("；另 {more} 项"),
            Lang::En => format!("; {more} more"),
        });
    }
    text
}

/// Rules without findings, apart by why: only the first kind is an answer.
fn silent(text: &mut String, tally: &Tally, lang: Lang) {
    let kinds: Vec<(Silence, u64)> = Silence::ALL
        .into_iter()
        .map(|silence| (silence, tally.silent(silence).count() as u64))
        .filter(|(_, rules)| *rules > 0)
        .collect();
    let all: u64 = kinds.iter().map(|(_, rules)| rules).sum();
    if all == 0 {
        return;
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(silence, rules)| match (silence, lang) {
            (Silence::Clean, Lang::Zh) => format!("检查过，未发现疑点 {} 条", count(rules)),
            (Silence::Clean, Lang::En) => format!("{} checked, nothing found", count(rules)),
            (Silence::Unanswered, Lang::Zh) => format!("只有未评估的 {} 条", count(rules)),
            (Silence::Unanswered, Lang::En) => format!("{} not evaluated at all", count(rules)),
            (Silence::Empty, Lang::Zh) => format!("没有可检查的内容 {} 条", count(rules)),
            (Silence::Empty, Lang::En) => format!("{} with nothing to check", count(rules)),
        })
        .collect();
    let kinds = kinds.join(lang.of("；", "; "));
    say(
        text,
        &match lang {
            Lang::Zh => format!("没有疑点的规则 {} 条：{kinds}", count(all)),
            Lang::En => format!("{} without findings: {kinds}", many(all, "rule", "rules")),
        },
    );
}

fn directions(text: &mut String, rules: &[&RuleTally], context: &Context, lang: Lang) {
    if let Some(out) = &context.out {
        text.push('\n');
        let out = out.display().to_string();
        say(
            text,
            &match lang {
                Lang::Zh => format!("结果在 {out}，先打开 {out}/report.html"),
                Lang::En => format!("results are in {out}; open {out}/report.html first"),
            },
        );
    }
    if let Some(rule) = rules.first() {
        let code = &rule.rule.code;
        say(
            text,
            &match lang {
                Lang::Zh => format!("help: `fundaudit rules explain {code}` 说明规则、依据与可能合理的情形"),
                Lang::En => format!(
                    "help: `fundaudit rules explain {code}` tells the rule, its law and when the charge may be right"
                ),
            },
        );
    } else if tally_is_thin(context) {
        say(
            text,
            lang.of(
                "help: `fundaudit doctor <EXPORT>` 查看哪些文件、哪些列没有读到",
                "help: `fundaudit doctor <EXPORT>` shows which files and columns were not read",
            ),
        );
    }
}

/// Nothing was found and something was not read: the export may be the reason.
fn tally_is_thin(context: &Context) -> bool {
    !context.quarantined.is_empty()
}

/// One finding: headline, place, evidence, money, law, what may excuse it, help.
#[must_use]
pub fn finding(finding: &Finding, context: &Context, lang: Lang) -> String {
    let psn_no = finding.psn_no.as_deref();
    let hide = |text: &str| without_person(text, psn_no);
    let rule = context.rules.iter().find(|rule| rule.code == finding.rule_code);
    let mut text = String::new();

    let title = lang.of(&finding.rule_title, &finding.rule_name);
    say(&mut text, &format!("{}[{}] {title}", finding.severity, finding.rule_code));
    say(&mut text, &format!("  --> {}", place(finding, context, lang)));
    say(&mut text, &format!("   |  {}", hide(&finding.message)));
    let mut line = String::new();
    for (name, words) in members(&finding.evidence, psn_no, false) {
        let member = match label(&name).filter(|_| lang == Lang::Zh) {
            Some(label) => format!("  {label}（{name}）{words}"),
            None => format!("  {name} {words}"),
        };
        if !line.is_empty() && width(&line) + width(&member) > 96 {
            say(&mut text, &format!("   |{line}"));
            line.clear();
        }
        line.push_str(&member);
    }
    if !line.is_empty() {
        say(&mut text, &format!("   |{line}"));
    }
    let (amount, allocated) = (yuan(finding.amount), yuan(finding.allocated));
    say(
        &mut text,
        &match (finding.fund_money, lang) {
            (true, Lang::Zh) => format!("   = 涉及金额 {amount} (计入 {allocated})"),
            (true, Lang::En) => format!("   = amount {amount} (counted {allocated})"),
            (false, Lang::Zh) => format!("   = 涉及金额 {amount} (不是基金支出，另列)"),
            (false, Lang::En) => format!("   = amount {amount} (not the fund's money, shown apart)"),
        },
    );
    if let Some(loss) = finding.fund_loss_est {
        say(&mut text, &format!("   = {} {}", lang.of("基金损失估算", "fund loss, estimated"), yuan(loss)));
    }
    say(&mut text, &format!("   = {} {}", lang.of("结论", "result"), finding.result));
    say(&mut text, &format!("   = {} {}", lang.of("依据", "basis"), hide(&finding.basis)));
    if let Some(rule) = rule.filter(|rule| !rule.may_be_right_when.is_empty()) {
        let excuses = rule.may_be_right_when.join("；");
        say(&mut text, &format!("   = {} {excuses}", lang.of("可能合理", "may be right when")));
    }
    if let Some(exemption) = &finding.exempted_by {
        say(&mut text, &format!("   = {} {}", lang.of("已豁免", "exempted by"), hide(exemption)));
    }
    say(&mut text, &format!("   = {} {}", lang.of("疑点编号", "finding"), finding.finding_id));
    say(&mut text, &format!("   = help: `fundaudit rules explain {}`", finding.rule_code));
    text
}

/// `2026-03 H1 某某医院: 就诊 S-104482, 明细 3, 2026-03-11`.
fn place(finding: &Finding, context: &Context, lang: Lang) -> String {
    let mut head = String::new();
    if let Some(month) = finding.from_day.as_deref().and_then(|day| day.get(..7)) {
        head.push_str(month);
    }
    if let Some(code) = finding.fixmedins_code.as_deref() {
        let name = context.facilities.get(code).map_or("", String::as_str);
        head = format!("{head} {code} {name}");
    }
    let mut parts = Vec::new();
    if let Some(psn_no) = finding.psn_no.as_deref() {
        parts.push(format!("{} {}", lang.of("参保人", "person"), person(psn_no)));
    }
    for (id, zh, en) in [
        (&finding.mdtrt_id, "就诊", "encounter"),
        (&finding.setl_id, "结算", "settlement"),
        (&finding.feedetl_sn, "明细", "line"),
    ] {
        if let Some(id) = id {
            parts.push(format!("{} {}", lang.of(zh, en), without_person(id, finding.psn_no.as_deref())));
        }
    }
    match (finding.from_day.as_deref(), finding.until_day.as_deref()) {
        (Some(from), Some(until)) if from != until => parts.push(format!("{from} {} {until}", lang.of("至", "to"))),
        (Some(day), _) | (None, Some(day)) => parts.push(day.to_owned()),
        (None, None) => {}
    }
    let (head, parts) = (head.trim(), parts.join(", "));
    if head.is_empty() { parts } else { format!("{head}: {parts}") }
}

/// The first few, and the rest counted. `measure` is the Chinese word behind a number.
fn top(counts: &[(String, u64)], lang: Lang, measure: &str) -> String {
    let (named, rest) = counts.split_at(counts.len().min(REASONS));
    let one = |words: &str, units: u64| match lang {
        Lang::Zh => format!("{words}：{} {measure}", count(units)),
        Lang::En => format!("{words} ({})", count(units)),
    };
    let mut parts: Vec<String> = named.iter().map(|(reason, units)| one(reason, *units)).collect();
    if !rest.is_empty() {
        let kinds = rest.len() as u64;
        let words = match lang {
            Lang::Zh => format!("另 {kinds} 种原因"),
            Lang::En => many(kinds, "other reason", "other reasons"),
        };
        parts.push(one(&words, rest.iter().map(|(_, units)| units).sum()));
    }
    parts.join(lang.of("；", "; "))
}

/// `1 facility`, `1,204 facilities`.
fn many(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}

fn say(text: &mut String, line: &str) {
    let line = visible(line);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", line.trim_end());
}

fn severity_rank(severity: &str) -> u8 {
    match severity {
        "high" => 0,
        "medium" => 1,
        "low" => 2,
        _ => 3,
    }
}

fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Columns of a terminal that the text takes: two for a full-width character, none for a combining mark.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
            0x1100..=0x115f
            | 0x2e80..=0x303e
            | 0x3041..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xf900..=0xfaff
            | 0xfe30..=0xfe6f
            | 0xff00..=0xff60
            | 0xffe0..=0xffe6
            | 0x1_f300..=0x1_faff
            | 0x2_0000..=0x3_fffd => 2,
            _ => 1,
        })
        .sum()
}
