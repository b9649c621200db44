//! The seeded random source of every generator: SplitMix64.
//!
//! Not for secrets, and not statistically heroic: what matters is that one seed gives
//! one sequence for ever, on every machine, so that a failing seed can be named.

/// A deterministic random source.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The source that `seed` names.
    pub fn seeded(seed: u64) -> Self {
        Rng(seed)
    }

    /// The seed of the `index`-th independent source below `seed`.
    pub fn derived(seed: u64, index: u64) -> Self {
        let mut mixer = Rng(seed ^ index.wrapping_mul(0xA076_1D64_78BD_642F));
        Rng(mixer.next())
    }

    /// The next 64 random bits.
    #[allow(clippy::should_implement_trait)] // An infinite source is not an iterator.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            0
        } else {
            (self.next() % bound as u64) as usize
        }
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low) as u64 + 1;
        low + (self.next() % span) as i64
    }

    /// True in `percent` of a hundred calls.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// A random permutation, in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_one_sequence() {
        let mut rng = Rng::seeded(7);
        let drawn: Vec<u64> = (0..3).map(|_| rng.next()).collect();
        assert_eq!(
            drawn,
            [
                7191089600892374487,
                309689372594955804,
                16616101746815609346
            ]
        );
    }

    #[test]
    fn ranges_are_inclusive_and_complete() {
        let mut rng = Rng::seeded(1);
        let mut seen = [false; 4];
        for _ in 0..200 {
            seen[(rng.between(-1, 2) + 1) as usize] = true;
        }
        assert_eq!(seen, [true; 4]);
    }
}
