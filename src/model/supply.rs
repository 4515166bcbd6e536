//! Days of supply of a drug line, when `prd_days` does not say: from pack, dose and frequency.
//!
//! Goes in: `cnt`, `cnt_prcunt`, `spec` (0.25g×12片/盒), `sin_dos_dscr` (0.5g or 2片), `used_frqu_dscr` (tid). Comes
//! out: days, or nothing when any of them cannot be read: a guess is never made.

use std::sync::LazyLock;

use regex::Regex;
use rust_decimal::Decimal;

/// Pricing units that are packs.
const PACKS: [&str; 5] = ["盒", "瓶", "板", "桶", "罐"];
/// Units in which a pack's content and a dose are counted.
const UNITS: &str = "片|粒|丸|袋|支|枚|颗|贴|揿|喷|滴|包|瓶|泡";

/// How fast a pack is used up, read from what a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dosage {
    /// Units of one pack × days of a period.
    pack: Decimal,
    /// Units taken in a period.
    period: Decimal,
}

impl Dosage {
    /// Reads the four texts; nothing when any of them cannot be read, or the pricing unit is not a pack.
    #[must_use]
    pub fn read(cnt_prcunt: &str, spec: &str, sin_dos_dscr: &str, used_frqu_dscr: &str) -> Option<Dosage> {
        if !PACKS.contains(&cnt_prcunt.trim()) {
            return None;
        }
        let pack = Pack::read(spec)?;
        let a_time = pack.units_of(sin_dos_dscr)?;
        let (times, in_days) = times_a_day(used_frqu_dscr)?;
        let period = a_time.checked_mul(Decimal::from(times))?;
        if period <= Decimal::ZERO {
            return None;
        }
        Some(Dosage { pack: pack.units.checked_mul(Decimal::from(in_days))?, period })
    }

    /// Days that `cnt` packs last, to eight decimals.
    #[must_use]
    pub fn days(self, cnt: Decimal) -> Option<Decimal> {
        Some(cnt.checked_mul(self.pack)?.checked_div(self.period)?.round_dp(8).normalize())
    }
}

/// Days that `cnt` packs last, to eight decimals.
#[must_use]
pub fn days_of_supply(
    cnt: Decimal,
    cnt_prcunt: Option<&str>,
    spec: Option<&str>,
    sin_dos_dscr: Option<&str>,
    used_frqu_dscr: Option<&str>,
) -> Option<Decimal> {
    Dosage::read(cnt_prcunt?, spec?, sin_dos_dscr?, used_frqu_dscr?)?.days(cnt)
}

/// Times a day as a fraction (times, days), by the order-frequency codes and their Chinese words.
fn times_a_day(text: &str) -> Option<(u32, u32)> {
    let text = text.trim().to_ascii_lowercase();
    Some(match text.as_str() {
        "st" | "prn" | "qd" | "qn" | "q24h" | "每日一次" | "每日1次" | "一日一次" | "1日1次" | "每晚一次" => {
            (1, 1)
        }
        "bid" | "q12h" | "每日二次" | "每日两次" | "每日2次" | "一日二次" | "一日两次" | "1日2次" => {
            (2, 1)
        }
        "tid" | "q8h" | "每日三次" | "每日3次" | "一日三次" | "1日3次" => (3, 1),
        "qid" | "q6h" | "每日四次" | "每日4次" | "一日四次" | "1日4次" => (4, 1),
        "q4h" => (6, 1),
        "q2h" => (12, 1),
        "qh" => (24, 1),
        "qod" | "隔日一次" | "隔日1次" => (1, 2),
        "qw" | "每周一次" | "每周1次" => (1, 7),
        "biw" | "每周两次" | "每周二次" | "每周2次" => (2, 7),
        "tiw" | "每周三次" | "每周3次" => (3, 7),
        _ => return None,
    })
}

/// What a pack holds: units, and the strength of one where `spec` gives it.
struct Pack {
    units: Decimal,
    unit: String,
    strength: Option<(Decimal, Mass)>,
}

/// A strength's dimension; amounts of one dimension compare after scaling.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Mass {
    Micrograms,
    Millilitres,
    InternationalUnits,
}

impl Pack {
    fn read(spec: &str) -> Option<Pack> {
        static SPEC: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(&format!(
                r"(?i)^(?:(?P<s>[0-9.]+)\s*(?P<m>μg|ug|mcg|mg|g|ml|iu|u|万iu|万u|万单位|单位)\s*[×x*＊✕]\s*)?(?P<n>[0-9]+)\s*(?P<u>{UNITS})(?:\s*[×x*＊✕]\s*(?P<k>[0-9]+)\s*(?:板|袋|瓶))?(?:\s*/\s*(?:盒|瓶|板|桶|罐))?$"
            ))
            .ok()
        });
        let found = SPEC.as_ref()?.captures(spec.trim())?;
        let mut units: Decimal = found.name("n")?.as_str().parse().ok()?;
        if let Some(times) = found.name("k") {
            units = units.checked_mul(times.as_str().parse().ok()?)?;
        }
        let strength = match (found.name("s"), found.name("m")) {
            (Some(s), Some(m)) => Some(scaled(s.as_str().parse().ok()?, m.as_str())?),
            _ => None,
        };
        if units <= Decimal::ZERO {
            return None;
        }
        Some(Pack { units, unit: found.name("u")?.as_str().to_owned(), strength })
    }

    /// A single dose in this pack's units.
    fn units_of(&self, dose: &str) -> Option<Decimal> {
        static DOSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(&format!(r"(?i)^(?P<n>[0-9.]+)\s*(?P<u>{UNITS}|μg|ug|mcg|mg|g|ml|iu|u|万iu|万u|万单位|单位)$"))
                .ok()
        });
        let found = DOSE.as_ref()?.captures(dose.trim())?;
        let amount: Decimal = found.name("n")?.as_str().parse().ok()?;
        let unit = found.name("u")?.as_str();
        if unit == self.unit {
            return Some(amount);
        }
        let (amount, dimension) = scaled(amount, unit)?;
        let (strength, of) = self.strength?;
        if dimension != of || strength <= Decimal::ZERO {
            return None;
        }
        amount.checked_div(strength)
    }
}

fn scaled(amount: Decimal, unit: &str) -> Option<(Decimal, Mass)> {
    let (factor, dimension) = match unit.to_ascii_lowercase().as_str() {
        "g" => (1_000_000, Mass::Micrograms),
        "mg" => (1_000, Mass::Micrograms),
        "μg" | "ug" | "mcg" => (1, Mass::Micrograms),
        "ml" => (1, Mass::Millilitres),
        "iu" | "u" | "单位" => (1, Mass::InternationalUnits),
        "万iu" | "万u" | "万单位" => (10_000, Mass::InternationalUnits),
        _ => return None,
    };
    Some((amount.checked_mul(Decimal::from(factor))?, dimension))
}
