//! Chance that repeats: a small generator of our own, so that the same seed gives the same bytes on every machine and in
//! every year, whatever a crate decides to change.
//!
//! Goes in: a seed and a stream (a person's number, a purpose). Comes out: [`Random`], numbers in a range, a choice.
//! Not known here: time, the operating system's entropy, persons. There is no global state to add to.

/// Xoshiro256**, filled by `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream of this number under this seed. Two streams of one seed have nothing to do with each other.
    #[must_use]
    pub fn stream(seed: u64, purpose: u64, number: u64) -> Random {
        let mut mixer = seed;
        let mut start = split_mix(&mut mixer) ^ purpose.wrapping_mul(0xA076_1D64_78BD_642F);
        start = split_mix(&mut start).wrapping_add(number.wrapping_mul(0xE703_7ED1_A0B4_28DB));
        let state = [split_mix(&mut start), split_mix(&mut start), split_mix(&mut start), split_mix(&mut start)];
        Random { state }
    }

    /// 64 bits.
    pub fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let out = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        out
    }

    /// A whole number from 0 up to, not including, `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(end)) >> 64).unwrap_or(0)
    }

    /// A whole number from `low` to `high`, both included; `low` when the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).saturating_add(1);
        low + self.below(u64::try_from(width).unwrap_or(0)).cast_signed()
    }

    /// True `parts` times in a hundred thousand.
    pub fn chance(&mut self, parts: u64) -> bool {
        self.below(100_000) < parts
    }

    /// One of these. The slice must not be empty.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        &of[at]
    }
}

/// One step of `SplitMix64`.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
