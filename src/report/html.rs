//! The page: what a bureau's chief reads, prints and files.
//!
//! Goes in: an [`Outcome`] and its [`Context`]. Comes out: `report.html`, one page that needs nothing but itself: no
//! network, no script, a content policy that forbids both, charts as inline SVG, everything escaped by `markup.rs`.
//! People are masked, and a section says what is not shown. It holds no time of day, and no duration but that of a
//! rule over its time budget: the same findings give the same page.
//!
//! Deliberately unknown here: rules' expressions; anything that is not in the outcome or the context.
//!
//! To add a section: a function below and a line in [`SECTIONS`].

use std::collections::BTreeMap;

use hashbrown::HashMap;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::chart::{self, Bar};
use super::labels::{self, label};
use super::markup::Markup;
use super::reasons::{set_aside, unanswered};
use super::shown::{count, members, money, person, severity, without_person};
use super::tally::{FacilityTally, RuleTally, Share, Silence, Tally, tally};
use super::{Account, Context, ExemptionMeta, Lang, Step};
use crate::findings::{Finding, FindingLine, Outcome};

const SHEET: &str = include_str!("report.css");

/// Findings shown one by one.
const LARGEST: usize = 200;
/// Facilities in the table.
const FACILITIES: usize = 200;
/// Exemptions in the table.
const EXEMPTIONS: usize = 200;
/// Bars in a chart.
const BARS: usize = 10;
/// Lines shown under a finding.
const LINES: usize = 20;
/// Reasons shown for a rule, and sets of quarantined rows.
const REASONS: usize = 4;
const QUARANTINED: usize = 100;

struct Report<'a> {
    outcome: &'a Outcome,
    context: &'a Context,
    tally: Tally,
    /// The largest findings, most money first.
    largest: Vec<&'a Finding>,
}

type Section = (&'static str, &'static str, fn(&Report<'_>, &mut Markup));

/// The sections in order: anchor, heading, body.
const SECTIONS: [Section; 9] = [
    ("overview", "概览", overview),
    ("rules", "按规则", rules),
    ("facilities", "按机构", facilities),
    ("months", "按月份", months),
    ("coverage", "评估范围", coverage),
    ("standing", "豁免与参数", standing),
    ("input", "输入数据", input),
    ("largest", "金额最大的疑点", largest),
    ("reading", "怎样读本报告", reading),
];

/// The whole page.
pub(super) fn page(outcome: &Outcome, context: &Context) -> String {
    let mut largest: Vec<&Finding> = outcome.findings.iter().collect();
    largest.sort_by(|a, b| {
        (b.allocated, b.amount).cmp(&(a.allocated, a.amount)).then_with(|| a.finding_id.cmp(&b.finding_id))
    });
    largest.truncate(LARGEST);
    let report = Report { outcome, context, tally: tally(outcome, context), largest };

    document(report.title(), |page| {
        masthead(&report, page);
        page.element("main", &[], |page| {
            for (anchor, heading, body) in SECTIONS {
                page.line();
                page.element("section", &[("id", anchor)], |page| {
                    page.leaf("h2", &[], heading);
                    body(&report, page);
                });
            }
        });
        page.line();
        page.element("footer", &[], |page| footer(&report, page));
    })
}

/// A page that needs nothing but itself, around a body.
pub(super) fn document(title: &str, body: impl FnOnce(&mut Markup)) -> String {
    let mut page = Markup::default();
    page.doctype();
    page.element("html", &[("lang", "zh-CN")], |page| {
        page.element("head", &[], |page| head(title, page));
        page.line();
        page.element("body", &[], body);
    });
    page.line();
    page.finish()
}

fn head(title: &str, page: &mut Markup) {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        base64(&Sha256::digest(SHEET))
    );
    page.void("meta", &[("charset", "utf-8")]);
    page.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
    page.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    page.void("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    page.leaf("title", &[], title);
    page.style(SHEET);
}

impl Report<'_> {
    fn title(&self) -> &str {
        if self.context.title.is_empty() { "医保基金审核报告" } else { &self.context.title }
    }

    /// Name of a facility, else its code.
    fn facility<'s>(&'s self, code: &'s str) -> &'s str {
        if code.is_empty() {
            return "（无机构）";
        }
        self.context.facilities.get(code).map_or(code, String::as_str)
    }
}

fn masthead(report: &Report<'_>, page: &mut Markup) {
    let context = report.context;
    page.element("header", &[], |page| {
        page.leaf("p", &[("class", "kicker")], "基金智审　医疗保障基金使用审核");
        page.leaf("h1", &[], report.title());
        page.element("dl", &[("class", "meta")], |page| {
            let period = context.period.as_ref().map_or(String::new(), |(from, until)| format!("{from} 至 {until}"));
            let rules = format!("{} 条", count(report.tally.rules()));
            let hash: String = context.rule_set_hash.chars().take(16).collect();
            for (name, value) in [
                ("期间", period.as_str()),
                ("区域", &context.region),
                ("截至日", &context.as_of),
                ("规则", &rules),
                ("规则集", &hash),
                ("程序", &context.program_version),
            ] {
                if !value.is_empty() {
                    page.element("div", &[], |page| {
                        page.leaf("dt", &[], name);
                        page.leaf("dd", &[], value);
                    });
                }
            }
        });
        page.element("nav", &[("aria-label", "目录")], |page| {
            for (anchor, heading, _) in SECTIONS {
                page.leaf("a", &[("href", &format!("#{anchor}"))], heading);
            }
        });
    });
}

fn overview(report: &Report<'_>, page: &mut Markup) {
    let tally = &report.tally;
    let all = &tally.all;
    page.element("div", &[("class", "figures")], |page| {
        let mut figure = |class: &'static str, name: &str, value: &str, note: &str| {
            page.element("div", &[("class", class)], |page| {
                page.leaf("p", &[("class", "name")], name);
                page.leaf("p", &[("class", "value")], value);
                page.leaf("p", &[("class", "note")], note);
            });
        };
        figure("figure main", "计入金额（元）", &money(all.allocated), "同一笔钱只计一次");
        let kinds = format!("明确违规 {}，可疑 {}", count(tally.certain.findings), count(tally.suspected.findings));
        figure("figure", "疑点（条）", &count(all.findings), &kinds);
        let hit = tally.by_rule.iter().filter(|rule| rule.share.findings > 0).count() as u64;
        figure("figure", "涉及机构（家）", &count(tally.facilities), &format!("{} 条规则有疑点", count(hit)));
        figure("figure", "涉及参保人（人）", &count(tally.persons), "编号已遮盖");
        figure("figure", "未评估（次）", &count(tally.answers.not_evaluated), "没有结论，不等于没有问题");
    });
    if all.findings == 0 {
        page.leaf("p", &[("class", "lead")], "本次审核未发现疑点。请同时查看下面的评估范围：未评估的部分没有结论。");
        return;
    }
    page.leaf("p", &[("class", "lead")], &in_words(tally));

    page.element("div", &[("class", "pair")], |page| {
        let rules: Vec<Bar> = tally
            .by_rule
            .iter()
            .map(|rule| bar(format!("{} {}", rule.rule.code, rule.rule.title), &rule.share))
            .collect();
        chart_of(page, "规则", rules, "条规则未画出");
        let facilities: Vec<Bar> = tally
            .by_facility
            .iter()
            .map(|facility| bar(report.facility(&facility.code).to_owned(), &facility.share))
            .collect();
        chart_of(page, "机构", facilities, "家机构未画出");
    });
    page.element("figure", &[], |page| {
        page.leaf("figcaption", &[], "各月计入金额（元；按疑点起始日归月，数字为计入金额）");
        chart::columns(page, "各月计入金额", &month_bars(tally));
    });
    legend(
        page,
        &[("key full", "计入金额：同一笔钱只计一次"), ("key pale", "涉及金额：每条规则单独看，规则之间有重复")],
    );
}

/// What the colours of a chart mean; a colour and its words stay on one line.
fn legend(page: &mut Markup, keys: &[(&'static str, &str)]) {
    page.element("p", &[("class", "legend")], |page| {
        for (class, words) in keys {
            page.element("span", &[], |page| {
                page.leaf("span", &[("class", *class)], "");
                page.text(words);
            });
        }
    });
}

fn in_words(tally: &Tally) -> String {
    let all = &tally.all;
    let mut words = format!(
        "在 {} 家机构发现 {} 条疑点，涉及 {} 名参保人。各条规则单独看，涉及金额相加为 {} 元；同一笔钱只计一次，计入金额为 {} 元，其中明确违规 {} 元，可疑 {} 元。",
        count(tally.facilities),
        count(all.findings),
        count(tally.persons),
        money(all.amount),
        money(all.allocated),
        money(tally.certain.allocated),
        money(tally.suspected.allocated),
    );
    if all.apart_findings > 0 {
        let apart = format!(
            "另有 {} 条疑点的 {} 元不是基金支出，单独列出，不计入合计。",
            count(all.apart_findings),
            money(all.apart)
        );
        words.push_str(&apart);
    }
    if all.exempted > 0 {
        let exempted = format!(
            "全部疑点中有 {} 条、{} 元有有效豁免，仍列出、仍在合计之内。",
            count(all.exempted),
            money(all.exempted_allocated)
        );
        words.push_str(&exempted);
    }
    words
}

fn bar(label: String, share: &Share) -> Bar {
    Bar { label, amount: share.amount, counted: share.allocated, findings: share.findings }
}

fn chart_of(page: &mut Markup, what: &str, mut bars: Vec<Bar>, left_out: &str) {
    bars.retain(|bar| bar.findings > 0);
    bars.sort_by(|a, b| (b.counted, b.amount).cmp(&(a.counted, a.amount)).then_with(|| a.label.cmp(&b.label)));
    let rest = bars.len().saturating_sub(BARS);
    bars.truncate(BARS);
    let title = format!("计入金额最多的{what}");
    page.element("figure", &[], |page| {
        page.leaf("figcaption", &[], &title);
        chart::bars(page, &title, &bars);
        if rest > 0 {
            page.leaf("p", &[("class", "note")], &format!("另有 {} {left_out}，见下表。", count(rest as u64)));
        }
    });
}

/// A column for each month from the first to the last, empty ones between too, unless that would be very many.
fn month_bars(tally: &Tally) -> Vec<Bar> {
    let dated: BTreeMap<&str, &Share> = tally
        .by_month
        .iter()
        .filter(|(month, _)| !month.is_empty())
        .map(|(month, share)| (month.as_str(), share))
        .collect();
    let number = |month: &str| -> Option<u32> {
        let (year, month) = month.split_once('-')?;
        Some(year.parse::<u32>().ok()? * 12 + month.parse::<u32>().ok()?.checked_sub(1)?)
    };
    let ends = dated.keys().next().zip(dated.keys().next_back());
    if let Some((Some(first), Some(last))) = ends.map(|(first, last)| (number(first), number(last)))
        && last.saturating_sub(first) < 48
    {
        let empty = Share::default();
        return (first..=last)
            .map(|month| {
                let name = format!("{:04}-{:02}", month / 12, month % 12 + 1);
                let share = dated.get(name.as_str()).copied().unwrap_or(&empty);
                bar(name, share)
            })
            .collect();
    }
    let from = dated.len().saturating_sub(48);
    dated.into_iter().skip(from).map(|(month, share)| bar(month.to_owned(), share)).collect()
}

fn rules(report: &Report<'_>, page: &mut Markup) {
    let mut rules: Vec<&RuleTally> = report.tally.by_rule.iter().collect();
    rules.sort_by(|a, b| {
        (b.share.allocated, b.share.amount, b.share.findings)
            .cmp(&(a.share.allocated, a.share.amount, a.share.findings))
            .then_with(|| a.rule.code.cmp(&b.rule.code))
    });
    rules.retain(|rule| rule.share.findings > 0);
    let heads = ["规则", "结论", "程度", "#疑点", "#机构", "#涉及金额", "#计入金额", "#已评估", "#命中", "#未评估"];
    table(page, &heads, |page| {
        for rule in &rules {
            row(page, |page| {
                page.element("th", &[("scope", "row")], |page| {
                    page.leaf("span", &[("class", "code")], &rule.rule.code);
                    page.text(" ");
                    page.text(&rule.rule.title);
                });
                page.leaf("td", &[], &rule.rule.result);
                level(page, &rule.rule.severity);
                numbers(page, &[count(rule.share.findings), count(rule.facilities)]);
                if rule.share.apart_findings > 0 {
                    page.element("td", &[("class", "num")], |page| {
                        page.text(&money(rule.share.amount + rule.share.apart));
                        page.leaf("span", &[("class", "under")], "另列，非基金支出");
                    });
                } else {
                    numbers(page, &[money(rule.share.amount)]);
                }
                numbers(
                    page,
                    &[
                        money(rule.share.allocated),
                        count(rule.answers.evaluated),
                        count(rule.answers.hit),
                        count(rule.answers.not_evaluated),
                    ],
                );
            });
        }
        let all = &report.tally.all;
        page.element("tr", &[("class", "sum")], |page| {
            page.leaf("th", &[("scope", "row"), ("colspan", "3")], "合计");
            numbers(
                page,
                &[
                    count(all.findings),
                    count(report.tally.facilities),
                    money(all.amount),
                    money(all.allocated),
                    count(report.tally.answers.evaluated),
                    count(report.tally.answers.hit),
                    count(report.tally.answers.not_evaluated),
                ],
            );
        });
    });
    silent(&report.tally, page);
}

/// Rules without findings, apart by why: only the first group is an answer.
fn silent(tally: &Tally, page: &mut Markup) {
    let groups: Vec<(&str, &str, Vec<&RuleTally>)> = Silence::ALL
        .into_iter()
        .map(|silence| {
            let (name, meaning) = match silence {
                Silence::Clean => ("检查过，未发现疑点", ""),
                Silence::Unanswered => ("只有未评估的", "没有结论，不等于没有问题；原因见评估范围。"),
                Silence::Empty => ("没有可检查的内容", "数据里没有这些规则所说的人、就诊或费用。"),
            };
            (name, meaning, tally.silent(silence).collect())
        })
        .filter(|(_, _, rules): &(_, _, Vec<_>)| !rules.is_empty())
        .collect();
    if groups.is_empty() {
        return;
    }
    let all: usize = groups.iter().map(|(_, _, rules)| rules.len()).sum();
    let kinds: Vec<String> =
        groups.iter().map(|(name, _, rules)| format!("{name} {} 条", count(rules.len() as u64))).collect();
    page.element("details", &[], |page| {
        page.leaf("summary", &[], &format!("没有疑点的规则 {} 条：{}", count(all as u64), kinds.join("；")));
        for (name, meaning, rules) in &groups {
            page.leaf("h4", &[], &format!("{name}（{} 条）", count(rules.len() as u64)));
            if !meaning.is_empty() {
                page.leaf("p", &[("class", "note")], meaning);
            }
            page.element("ul", &[("class", "columns")], |page| {
                for rule in rules {
                    page.element("li", &[], |page| {
                        page.leaf("span", &[("class", "code")], &rule.rule.code);
                        page.text(" ");
                        page.text(&rule.rule.title);
                        if rule.answers.evaluated > 0 && rule.answers.not_evaluated > 0 {
                            let part = format!("另有未评估 {} 次", count(rule.answers.not_evaluated));
                            page.leaf("span", &[("class", "under")], &part);
                        }
                    });
                }
            });
        }
    });
}

fn facilities(report: &Report<'_>, page: &mut Markup) {
    let mut facilities: Vec<&FacilityTally> =
        report.tally.by_facility.iter().filter(|f| f.share.findings > 0).collect();
    facilities.sort_by(|a, b| {
        (b.share.allocated, b.share.amount).cmp(&(a.share.allocated, a.share.amount)).then_with(|| a.code.cmp(&b.code))
    });
    let hidden = facilities.len().saturating_sub(FACILITIES);
    facilities.truncate(FACILITIES);
    if facilities.is_empty() {
        page.leaf("p", &[], "没有机构有疑点。");
        return;
    }
    table(
        page,
        &["机构", "#疑点", "#规则", "#涉及金额", "#计入金额", "#占比", "#已评估", "#未评估"],
        |page| {
            for facility in &facilities {
                row(page, |page| {
                    page.element("th", &[("scope", "row")], |page| {
                        page.text(report.facility(&facility.code));
                        if report.context.facilities.contains_key(&facility.code) {
                            page.text(" ");
                            page.leaf("span", &[("class", "code")], &facility.code);
                        }
                    });
                    numbers(
                        page,
                        &[
                            count(facility.share.findings),
                            count(facility.rules),
                            money(facility.share.amount),
                            money(facility.share.allocated),
                            percent(facility.share.allocated, report.tally.all.allocated),
                            count(facility.answers.evaluated),
                            count(facility.answers.not_evaluated),
                        ],
                    );
                });
            }
        },
    );
    if hidden > 0 {
        page.leaf(
            "p",
            &[("class", "note")],
            &format!("另有 {} 家机构有疑点而未列出，见 findings 文件。", count(hidden as u64)),
        );
    }
}

fn months(report: &Report<'_>, page: &mut Markup) {
    if report.tally.by_month.is_empty() {
        page.leaf("p", &[], "没有疑点。");
        return;
    }
    table(page, &["月份", "#疑点", "#涉及金额", "#计入金额", "#占比"], |page| {
        for (month, share) in &report.tally.by_month {
            row(page, |page| {
                page.leaf("th", &[("scope", "row")], if month.is_empty() { "（无日期）" } else { month });
                numbers(
                    page,
                    &[
                        count(share.findings),
                        money(share.amount),
                        money(share.allocated),
                        percent(share.allocated, report.tally.all.allocated),
                    ],
                );
            });
        }
    });
    page.leaf("p", &[("class", "note")], "按疑点的起始日归月。");
}

fn coverage(report: &Report<'_>, page: &mut Markup) {
    page.leaf(
        "p",
        &[],
        "每条规则对每个判断单元只有三种回答：命中、未见异常、未评估。未评估就是没有结论，多半因为缺少所需的数据，不等于没有问题。命中按判断单元计，可与疑点条数不同。",
    );
    legend(page, &[("key full", "命中"), ("key clean", "未见异常"), ("key unknown", "未评估")]);
    table(page, &["规则", "#命中", "#未见异常", "#未评估", "三种回答", "未评估的原因"], |page| {
        for rule in &report.tally.by_rule {
            let answers = &rule.answers;
            let clean = answers.evaluated.saturating_sub(answers.hit);
            row(page, |page| {
                page.element("th", &[("scope", "row")], |page| {
                    page.leaf("span", &[("class", "code")], &rule.rule.code);
                    page.text(" ");
                    page.text(&rule.rule.title);
                });
                page.element("td", &[("class", "num")], |page| {
                    page.text(&count(answers.hit));
                    if answers.exempted > 0 {
                        page.leaf("span", &[("class", "under")], &format!("其中豁免 {}", count(answers.exempted)));
                    }
                });
                numbers(page, &[count(clean), count(answers.not_evaluated)]);
                page.element("td", &[], |page| {
                    if answers.evaluated + answers.not_evaluated > 0 {
                        chart::strip(page, answers.hit, clean, answers.not_evaluated);
                    } else {
                        page.text("没有判断单元");
                    }
                });
                page.leaf("td", &[("class", "reason")], &some_reasons(&answers.top_reasons()));
            });
        }
    });
    page.leaf("p", &[("class", "note")], "按规则和机构的计数见 coverage.csv。");
    let slow = &report.context.over_budget;
    if !slow.is_empty() {
        let named: Vec<String> = slow.iter().map(|rule| super::text::slow(rule, Lang::Zh)).collect();
        let note = format!("耗时超出预算的规则（每次运行的用时不同，不影响结果）：{}。", named.join("；"));
        page.leaf("p", &[("class", "note")], &note);
    }
}

/// What the findings stand on beside the data: exemptions that somebody answers for, numbers that somebody looked up.
fn standing(report: &Report<'_>, page: &mut Markup) {
    page.leaf("h3", &[], "豁免");
    exemptions(report, page);
    page.leaf("h3", &[], "超过十二个月未核实的参数");
    let stale = &report.context.stale;
    if stale.findings == 0 {
        page.leaf("p", &[], "没有疑点所依据的参数值超过十二个月未核实。");
        return;
    }
    let lead = format!(
        "{} 条疑点所依据的参数值，到截至日已超过十二个月没有对照出处核实。请规则维护人员核对原文后更新核实日期。",
        count(stale.findings)
    );
    page.leaf("p", &[("class", "lead")], &lead);
    table(page, &["参数", "#值", "出处", "区划", "核实日期", "#疑点"], |page| {
        for (value, findings) in &stale.values {
            row(page, |page| {
                let name = format!("${}", value.parameter);
                page.element("th", &[("scope", "row")], |page| {
                    page.text(&label(&name).unwrap_or_default());
                    page.text(" ");
                    page.leaf("code", &[], &name);
                });
                numbers(page, std::slice::from_ref(&value.value));
                page.leaf("td", &[], &value.source);
                page.leaf("td", &[], value.region.as_deref().unwrap_or("全国"));
                page.leaf("td", &[], value.verified_on.as_deref().unwrap_or("从未核实"));
                numbers(page, &[count(*findings)]);
            });
        }
    });
}

fn exemptions(report: &Report<'_>, page: &mut Markup) {
    let all = &report.context.exemptions;
    if all.is_empty() {
        page.leaf("p", &[], "本次审核没有读入豁免。");
        return;
    }
    let expired = all.iter().filter(|exemption| exemption.expired).count() as u64;
    let mut lead = format!("读入 {} 项豁免。豁免的范围可能是参保人，本报告不显示。", count(all.len() as u64));
    if expired > 0 {
        lead.push_str(&format!("其中 {} 项在截至日前已到期，只覆盖到期前的日子，请续期或删去。", count(expired)));
    }
    page.leaf("p", &[("class", "lead")], &lead);
    // What has ended comes first: a table that is cut must not hide it.
    let mut shown: Vec<&ExemptionMeta> = all.iter().collect();
    shown.sort_by_key(|exemption| !exemption.expired);
    let hidden = shown.len().saturating_sub(EXEMPTIONS);
    shown.truncate(EXEMPTIONS);
    table(page, &["豁免", "规则", "责任人", "理由", "期间", "状态", "#覆盖疑点"], |page| {
        for exemption in shown {
            row(page, |page| {
                page.leaf("th", &[("scope", "row")], &exemption.id);
                page.leaf("td", &[], &exemption.rules.join("、"));
                page.leaf("td", &[], &exemption.owner);
                page.leaf("td", &[], &exemption.reason);
                page.leaf("td", &[], &format!("{} 至 {}", exemption.from, exemption.until));
                page.leaf("td", &[], if exemption.expired { "已到期" } else { "有效" });
                page.element("td", &[("class", "num")], |page| {
                    page.text(&count(exemption.covered));
                    if exemption.covered_besides > 0 {
                        let besides = format!("另 {} 条已由别的豁免覆盖", count(exemption.covered_besides));
                        page.leaf("span", &[("class", "under")], &besides);
                    }
                });
            });
        }
    });
    if hidden > 0 {
        page.leaf("p", &[("class", "note")], &format!("另有 {} 项豁免未列出，见 run.json。", count(hidden as u64)));
    }
}

fn some_reasons(reasons: &[(&str, u64)]) -> String {
    let mut parts: Vec<String> = reasons
        .iter()
        .take(REASONS)
        .map(|(reason, units)| format!("{}：{} 次", unanswered(reason, Lang::Zh), count(*units)))
        .collect();
    if reasons.len() > REASONS {
        let rest: u64 = reasons[REASONS..].iter().map(|(_, units)| units).sum();
        parts.push(format!("另 {} 种原因：{} 次", reasons.len() - REASONS, count(rest)));
    }
    parts.join("；")
}

fn input(report: &Report<'_>, page: &mut Markup) {
    let context = report.context;
    if !context.accounts.is_empty() {
        page.leaf("h3", &[], "从导出到审核");
        // A row is replaced where a dataset was appended to, and nowhere else.
        let corrected = context.accounts.iter().any(|account| account.replaced.rows > 0);
        let (sum, head): (_, &[_]) = if corrected {
            (
                "读入 = 隔离 + 重复 + 更正 + 冲销 + 审核",
                &["数据表", "#读入", "#隔离", "#重复", "#更正", "#冲销", "#审核"],
            )
        } else {
            ("读入 = 隔离 + 重复 + 冲销 + 审核", &["数据表", "#读入", "#隔离", "#重复", "#冲销", "#审核"])
        };
        page.leaf("p", &[], &format!("{sum}，行数与金额逐表相符。"));
        table(page, head, |page| {
            for Account { table, read, quarantined, duplicates, replaced, netted, audited } in &context.accounts {
                row(page, |page| {
                    page.element("th", &[("scope", "row")], |page| {
                        if let Some(words) = labels::table(table) {
                            page.text(words);
                            page.text(" ");
                        }
                        page.leaf("span", &[("class", "code")], table);
                    });
                    let replaced = corrected.then_some(replaced);
                    let steps = [read, quarantined, duplicates].into_iter().chain(replaced).chain([netted, audited]);
                    for Step { rows, sum } in steps {
                        page.element("td", &[("class", "num")], |page| {
                            page.text(&format!("{} 行", count(*rows)));
                            if let Some(sum) = sum {
                                page.leaf("span", &[("class", "under")], &format!("{} 元", money(*sum)));
                            }
                        });
                    }
                });
            }
        });
    }
    page.leaf("h3", &[], "未审核的行（隔离）");
    if context.quarantined.is_empty() {
        page.leaf("p", &[], "没有。每一行都经过审核。");
        return;
    }
    let mut sets: Vec<_> = context.quarantined.iter().collect();
    sets.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| (&a.file, &a.reason).cmp(&(&b.file, &b.reason))));
    let hidden = sets.len().saturating_sub(QUARANTINED);
    sets.truncate(QUARANTINED);
    table(page, &["文件", "原因", "#行数"], |page| {
        for set in &sets {
            row(page, |page| {
                page.leaf("th", &[("scope", "row")], &set.file);
                page.leaf("td", &[], &set_aside(&set.reason, Lang::Zh));
                numbers(page, &[count(set.rows)]);
            });
        }
        page.element("tr", &[("class", "sum")], |page| {
            page.leaf("th", &[("scope", "row"), ("colspan", "2")], "合计");
            numbers(page, &[count(report.tally.quarantined)]);
        });
    });
    if hidden > 0 {
        page.leaf("p", &[("class", "note")], &format!("另有 {} 种情形未列出。", count(hidden as u64)));
    }
    page.leaf("p", &[("class", "note")], "逐行的文件、行号、列与原因见 quarantine.csv。");
}

fn largest(report: &Report<'_>, page: &mut Markup) {
    let shown = report.largest.len();
    if shown == 0 {
        page.leaf("p", &[], "没有疑点。");
        return;
    }
    let all = report.outcome.findings.len();
    let which = if shown == all {
        format!("全部 {} 条疑点，按计入金额排列；展开可见证据。", count(all as u64))
    } else {
        format!(
            "全部 {} 条疑点中计入金额最大的 {} 条；展开可见证据，其余见 findings 文件。",
            count(all as u64),
            count(shown as u64)
        )
    };
    page.leaf("p", &[], &which);
    let mut lines: HashMap<&str, (Vec<&FindingLine>, u64)> =
        report.largest.iter().map(|finding| (finding.finding_id.as_str(), (Vec::new(), 0))).collect();
    for line in &report.outcome.lines {
        if let Some((some, number)) = lines.get_mut(line.finding_id.as_str()) {
            *number += 1;
            if some.len() < LINES {
                some.push(line);
            }
        }
    }
    page.element("div", &[("class", "findings")], |page| {
        for (place, finding) in report.largest.iter().enumerate() {
            page.line();
            page.element("details", &[], |page| {
                page.element("summary", &[], |page| summary(report, page, place + 1, finding));
                page.element("div", &[("class", "body")], |page| {
                    body(report, page, finding);
                    if let Some((some, number)) = lines.get(finding.finding_id.as_str()) {
                        lines_of(page, finding, some, *number);
                    }
                });
            });
        }
    });
}

fn summary(report: &Report<'_>, page: &mut Markup, place: usize, finding: &Finding) {
    page.leaf("span", &[("class", "rank")], &place.to_string());
    page.element("span", &[("class", "what")], |page| {
        page.leaf("span", &[("class", "code")], &finding.rule_code);
        page.text(" ");
        page.text(&finding.rule_title);
        page.leaf("span", &[("class", "under")], &without_person(&finding.message, finding.psn_no.as_deref()));
    });
    page.element("span", &[("class", "where")], |page| {
        page.text(report.facility(finding.fixmedins_code.as_deref().unwrap_or("")));
        page.leaf("span", &[("class", "under")], &days(finding));
    });
    page.element("span", &[("class", "num")], |page| {
        let amount = if finding.fund_money { finding.allocated } else { finding.amount };
        page.text(&money(amount));
        let note = match (finding.fund_money, finding.exempted_by.is_some()) {
            (false, _) => "另列".to_owned(),
            (true, true) => "已豁免".to_owned(),
            (true, false) if finding.amount != finding.allocated => format!("涉及 {}", money(finding.amount)),
            (true, false) => String::new(),
        };
        page.leaf("span", &[("class", "under")], &note);
    });
}

fn days(finding: &Finding) -> String {
    match (finding.from_day.as_deref(), finding.until_day.as_deref()) {
        (Some(from), Some(until)) if from != until => format!("{from} 至 {until}"),
        (Some(day), _) | (None, Some(day)) => day.to_owned(),
        (None, None) => String::new(),
    }
}

fn body(report: &Report<'_>, page: &mut Markup, finding: &Finding) {
    let psn_no = finding.psn_no.as_deref();
    let hide = |text: &str| without_person(text, psn_no);
    page.element("dl", &[("class", "facts")], |page| {
        let mut fact = |name: &str, value: &str| {
            if !value.is_empty() {
                page.element("div", &[], |page| {
                    page.leaf("dt", &[], name);
                    page.leaf("dd", &[], value);
                });
            }
        };
        fact("结论", &format!("{}，严重程度{}", finding.result, severity(&finding.severity)));
        let code = finding.fixmedins_code.as_deref().unwrap_or("");
        let name = report.facility(code);
        fact("机构", &if name == code || code.is_empty() { name.to_owned() } else { format!("{name}（{code}）") });
        fact("参保人", &psn_no.map_or(String::new(), person));
        fact("就诊", &hide(finding.mdtrt_id.as_deref().unwrap_or("")));
        fact("结算", &hide(finding.setl_id.as_deref().unwrap_or("")));
        fact("费用明细", &hide(finding.feedetl_sn.as_deref().unwrap_or("")));
        fact("日期", &days(finding));
        let apart = if finding.fund_money { "" } else { "（不是基金支出，另列）" };
        fact("涉及金额", &format!("{} 元{apart}", money(finding.amount)));
        fact("计入金额", &format!("{} 元", money(finding.allocated)));
        if let Some(loss) = finding.fund_loss_est {
            fact("基金损失估算", &format!("{} 元", money(loss)));
        }
        fact("依据", &hide(&finding.basis));
        if let Some(rule) = report.context.rules.iter().find(|rule| rule.code == finding.rule_code) {
            fact("可能合理", &rule.may_be_right_when.join("；"));
        }
        fact("豁免", &hide(finding.exempted_by.as_deref().unwrap_or("")));
        fact("疑点编号", &finding.finding_id);
    });
    let tables = [("定位", &finding.key), ("证据", &finding.evidence)];
    page.element("div", &[("class", "pair")], |page| {
        for (heading, json) in tables {
            let members = members(json, psn_no, false);
            if !members.is_empty() {
                page.element("div", &[], |page| evidence(page, heading, &members));
            }
        }
    });
}

fn evidence(page: &mut Markup, heading: &str, members: &[(String, String)]) {
    page.leaf("h4", &[], heading);
    page.element("table", &[("class", "evidence")], |page| {
        page.element("tbody", &[], |page| {
            for (name, words) in members {
                row(page, |page| {
                    page.element("th", &[("scope", "row")], |page| {
                        if let Some(label) = label(name) {
                            page.text(&label);
                            page.text(" ");
                        }
                        page.leaf("code", &[], name);
                    });
                    page.leaf("td", &[], words);
                });
            }
        });
    });
}

fn lines_of(page: &mut Markup, finding: &Finding, lines: &[&FindingLine], number: u64) {
    if lines.is_empty() {
        return;
    }
    page.leaf("h4", &[], &format!("费用明细（{} 条）", count(number)));
    table(page, &["就诊", "明细流水号", "类别", "#金额"], |page| {
        for line in lines {
            row(page, |page| {
                let psn_no = finding.psn_no.as_deref();
                page.leaf("td", &[], &without_person(&line.mdtrt_id, psn_no));
                page.leaf("td", &[], &without_person(&line.feedetl_sn, psn_no));
                page.leaf("td", &[], if line.kind == 1 { "违规项" } else { "涉及项" });
                numbers(page, &[money(line.amount)]);
            });
        }
    });
    let hidden = number - lines.len() as u64;
    if hidden > 0 {
        page.leaf("p", &[("class", "note")], &format!("另有 {} 条明细，见 finding_lines 文件。", count(hidden)));
    }
}

fn reading(report: &Report<'_>, page: &mut Markup) {
    page.element("dl", &[("class", "reading")], |page| {
        for (term, meaning) in [
            ("疑点", "机器按规则找到的、需要有人回答的事实，不是处理决定。每条都写明依据、证据和可能合理的情形。"),
            ("明确违规与可疑", "“明确违规”由数据本身即可判定；“可疑”须核对病历、处方和单据后再定。"),
            ("涉及金额", "一条规则单独看时涉及的医保范围内金额。同一笔费用可被多条规则涉及，所以不可相加。"),
            ("计入金额", "同一笔钱只计一次：先明确违规、再严重程度、再规则编码。机构、月份和全部的合计都用它。"),
            ("另列", "不属于基金支出的金额，如超比例的个人自付，单独列出，不计入合计。"),
            ("豁免", "有有效豁免的疑点不隐藏，仍列出并计数，写明豁免编号。"),
            ("未评估", "规则没有作出判断，多半因为缺少所需的数据，原因见评估范围。补齐数据后可重新审核。"),
        ] {
            page.leaf("dt", &[], term);
            page.leaf("dd", &[], meaning);
        }
    });
    page.leaf("h3", &[], "本报告没有显示的");
    let tally = &report.tally;
    let beyond = report.outcome.findings.len() - report.largest.len();
    let facilities = tally.by_facility.iter().filter(|facility| facility.share.findings > 0).count();
    let quiet = tally.by_facility.iter().filter(|f| f.share.findings == 0 && !f.code.is_empty()).count();
    page.element("ul", &[], |page| {
        for hidden in [
            format!("{} 名参保人的完整编号（只留首尾）；姓名与证件号码一律不显示。", count(tally.persons)),
            format!("{} 条疑点未逐条列出，在 findings 文件中。", count(beyond as u64)),
            format!("{} 家有疑点的机构未列入机构表。", count(facilities.saturating_sub(FACILITIES) as u64)),
            format!("{} 家审核过而没有疑点的机构。", count(quiet as u64)),
            format!(
                "{} 次未评估，{} 行未审核：本报告对它们没有结论。",
                count(tally.answers.not_evaluated),
                count(tally.quarantined)
            ),
            "运行用时与内存、输入文件的摘要值，在 run.json 中。".to_owned(),
        ] {
            page.leaf("li", &[], &hidden);
        }
    });
}

fn footer(report: &Report<'_>, page: &mut Markup) {
    let context = report.context;
    page.leaf("p", &[], &format!("规则集 {}　程序 fundaudit {}", context.rule_set_hash, context.program_version));
    page.leaf("p", &[], "同样的数据、规则和截至日，得到同样的报告。");
}

/// A table; a head that begins with `#` stands over numbers.
pub(super) fn table(page: &mut Markup, heads: &[&str], body: impl FnOnce(&mut Markup)) {
    page.element("div", &[("class", "scroll")], |page| {
        page.element("table", &[], |page| {
            page.element("thead", &[], |page| {
                page.element("tr", &[], |page| {
                    for head in heads {
                        match head.strip_prefix('#') {
                            Some(head) => page.leaf("th", &[("scope", "col"), ("class", "num")], head),
                            None => page.leaf("th", &[("scope", "col")], head),
                        }
                    }
                });
            });
            page.element("tbody", &[], body);
        });
    });
}

pub(super) fn row(page: &mut Markup, cells: impl FnOnce(&mut Markup)) {
    page.line();
    page.element("tr", &[], cells);
}

pub(super) fn numbers(page: &mut Markup, numbers: &[String]) {
    for number in numbers {
        page.leaf("td", &[("class", "num")], number);
    }
}

fn level(page: &mut Markup, found: &str) {
    let class = if found == "high" { "level high" } else { "level" };
    page.element("td", &[], |page| page.leaf("span", &[("class", class)], severity(found)));
}

fn percent(part: Decimal, whole: Decimal) -> String {
    if whole <= Decimal::ZERO {
        return "—".to_owned();
    }
    format!("{:.1}%", part * Decimal::from(100) / whole)
}

/// Base64 of the policy's hash.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = [0; 3];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for place in 0..4 {
            let digit = (word >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    text
}
