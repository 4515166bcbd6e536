//! Money: exact, half up to the cent, spread without losing one.
//!
//! Goes in and comes out: `rust_decimal::Decimal` yuan. Never a float.

use rust_decimal::{Decimal, RoundingStrategy};

/// Half up to the cent.
#[must_use]
pub fn to_cent(yuan: Decimal) -> Decimal {
    let mut cents = yuan.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    cents.rescale(2);
    cents
}

/// Splits `total` in proportion to `weights`, to the cent, so that the parts add up to it exactly: every part is rounded
/// down and the cents left over go to the largest remainders, earlier parts first. Without any weight, all parts are 0.
#[must_use]
pub fn spread(total: Decimal, weights: &[Decimal]) -> Vec<Decimal> {
    let sum: Decimal = weights.iter().sum();
    if sum <= Decimal::ZERO {
        return vec![Decimal::new(0, 2); weights.len()];
    }
    if total == sum {
        return weights.iter().map(|w| to_cent(*w)).collect();
    }
    let cent = Decimal::new(1, 2);
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (place, weight) in weights.iter().enumerate() {
        let exact = total * *weight / sum;
        let mut down = exact.round_dp_with_strategy(2, RoundingStrategy::ToZero);
        down.rescale(2);
        remainders.push((exact - down, place));
        parts.push(down);
    }
    let mut left = total - parts.iter().sum::<Decimal>();
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, place) in remainders {
        if left < cent {
            break;
        }
        parts[place] += cent;
        left -= cent;
    }
    parts
}

/// A number as text without trailing zeros: `2`, `2.5`.
#[must_use]
pub fn plain(number: Decimal) -> String {
    number.normalize().to_string()
}
