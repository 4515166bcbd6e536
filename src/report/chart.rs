//! Charts, drawn as inline SVG: bars for rules and facilities, columns for months, a strip for three answers.
//!
//! Goes in: labels and money. Comes out: markup that scales, prints, needs no script, and tells a screen reader its numbers.
//! A pale bar is the amount by each rule alone, the full one what is counted of it.
//! Deliberately unknown here: which figures these are.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::markup::Markup;
use super::shown;
use super::text::width;

/// One bar or column.
pub(super) struct Bar {
    pub label: String,
    pub amount: Decimal,
    pub counted: Decimal,
    pub findings: u64,
}

/// Horizontal bars, label above, value at the right.
pub(super) fn bars(markup: &mut Markup, title: &str, bars: &[Bar]) {
    const WIDTH: f64 = 460.0;
    const STEP: f64 = 36.0;
    let top = largest(bars);
    let height = STEP * px(bars.len()) + 2.0;
    figure(markup, "chart", title, (WIDTH, height), bars, |markup| {
        for (place, bar) in bars.iter().enumerate() {
            let y = STEP * px(place);
            let value = format!("{} 元 · {} 条", shown::money(bar.counted), shown::count(bar.findings));
            let room = 68_usize.saturating_sub(width(&value));
            markup.leaf("text", &[("x", "0"), ("y", &n(y + 13.0)), ("class", "label")], &cut(&bar.label, room));
            markup.leaf(
                "text",
                &[("x", &n(WIDTH)), ("y", &n(y + 13.0)), ("class", "value"), ("text-anchor", "end")],
                &value,
            );
            let at = n(y + 19.0);
            rect(markup, "track", ("0", &at), (WIDTH, 9.0));
            rect(markup, "pale", ("0", &at), (WIDTH * share(bar.amount, top), 9.0));
            rect(markup, "full", ("0", &at), (WIDTH * share(bar.counted, top), 9.0));
        }
    });
}

/// Columns side by side, value above, label below.
pub(super) fn columns(markup: &mut Markup, title: &str, bars: &[Bar]) {
    const WIDTH: f64 = 1120.0;
    const FOOT: f64 = 168.0;
    const HIGH: f64 = 130.0;
    let top = largest(bars);
    let step = (WIDTH / px(bars.len().max(1))).min(160.0);
    let thick = (step * 0.56).min(56.0);
    // Labels are some 65 wide: where columns are thinner, every second or third has one.
    let every = if step >= 72.0 { 1 } else { (72.0 / step).ceil().to_usize().unwrap_or(1).max(1) };
    figure(markup, "chart wide", title, (WIDTH, 192.0), bars, |markup| {
        for (place, bar) in bars.iter().enumerate() {
            let middle = step * (px(place) + 0.5);
            let left = n(middle - thick / 2.0);
            for (class, amount) in [("pale", bar.amount), ("full", bar.counted)] {
                let high = HIGH * share(amount, top);
                rect(markup, class, (&left, &n(FOOT - high)), (thick, high));
            }
            if place % every == 0 {
                let above = FOOT - HIGH * share(bar.amount.max(bar.counted), top) - 6.0;
                let middle = n(middle);
                let at = |y: &str, class: &'static str, markup: &mut Markup, text: &str| {
                    markup.leaf("text", &[("x", &middle), ("y", y), ("class", class), ("text-anchor", "middle")], text);
                };
                at(&n(above), "value", markup, &short(bar.counted));
                at("186", "label", markup, &bar.label);
            }
        }
        let across = n(step * px(bars.len()));
        let foot = n(FOOT);
        markup.leaf("line", &[("x1", "0"), ("y1", &foot), ("x2", &across), ("y2", &foot), ("class", "foot")], "");
    });
}

/// A strip of three answers: hit, clean, not evaluated.
pub(super) fn strip(markup: &mut Markup, hit: u64, clean: u64, not_evaluated: u64) {
    const WIDTH: f64 = 150.0;
    let whole = Decimal::from(hit) + Decimal::from(clean) + Decimal::from(not_evaluated);
    let title =
        format!("命中 {}，未见异常 {}，未评估 {}", shown::count(hit), shown::count(clean), shown::count(not_evaluated));
    let size = [("viewBox", "0 0 150 10"), ("class", "strip"), ("role", "img"), ("aria-label", title.as_str())];
    markup.element("svg", &size, |markup| {
        rect(markup, "track", ("0", "0"), (WIDTH, 10.0));
        let mut left = 0.0;
        for (class, units) in [("full", hit), ("clean", clean), ("unknown", not_evaluated)] {
            let mut wide = WIDTH * share(Decimal::from(units), whole);
            if units > 0 {
                // What happened at all is seen.
                wide = wide.max(2.0).min(WIDTH - left);
            }
            rect(markup, class, (&n(left), "0"), (wide, 10.0));
            left += wide;
        }
    });
}

fn figure(
    markup: &mut Markup,
    class: &str,
    title: &str,
    (wide, high): (f64, f64),
    bars: &[Bar],
    body: impl FnOnce(&mut Markup),
) {
    let told: Vec<String> = bars.iter().map(|bar| format!("{} {} 元", bar.label, shown::money(bar.counted))).collect();
    let view = format!("0 0 {} {}", n(wide), n(high));
    let label = format!("{title}：{}", told.join("；"));
    markup.element("svg", &[("viewBox", &view), ("class", class), ("role", "img"), ("aria-label", &label)], body);
}

fn rect(markup: &mut Markup, class: &'static str, (x, y): (&str, &str), (wide, high): (f64, f64)) {
    if wide > 0.0 && high > 0.0 {
        let (wide, high) = (n(wide), n(high));
        markup.leaf("rect", &[("x", x), ("y", y), ("width", &wide), ("height", &high), ("class", class)], "");
    }
}

fn largest(bars: &[Bar]) -> Decimal {
    bars.iter().map(|bar| bar.amount.max(bar.counted)).max().unwrap_or_default()
}

/// What part of the largest it is, 0 to 1.
fn share(amount: Decimal, top: Decimal) -> f64 {
    if top <= Decimal::ZERO { 0.0 } else { (amount / top).to_f64().unwrap_or(0.0).clamp(0.0, 1.0) }
}

/// Yuan in a few characters: `1,234`, `12.3万`, `4.56亿`.
pub(super) fn short(amount: Decimal) -> String {
    let hundred_million = Decimal::from(100_000_000);
    let ten_thousand = Decimal::from(10_000);
    if amount.abs() >= hundred_million {
        format!("{:.2}亿", amount / hundred_million)
    } else if amount.abs() >= ten_thousand {
        format!("{:.1}万", amount / ten_thousand)
    } else {
        let money = shown::money(amount);
        money.strip_suffix(".00").map_or(money.clone(), str::to_owned)
    }
}

/// The label, cut to what `room` half-width characters hold.
fn cut(label: &str, room: usize) -> String {
    if width(label) <= room {
        return label.to_owned();
    }
    let mut kept = String::new();
    for c in label.chars() {
        if width(&kept) + width(c.encode_utf8(&mut [0; 4])) + 2 > room {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

fn px(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// A coordinate with at most one decimal.
fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
