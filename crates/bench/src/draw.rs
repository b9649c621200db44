//! Random numbers for a load: which key, member, score and value a request names. Not for
//! secrets. The same seed gives the same draws, on every machine.

/// How the keys of a load are chosen out of its key space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Every key equally often.
    Uniform,
    /// Few keys take most requests: the n-th most frequent one is drawn in proportion to
    /// `1 / n^exponent`. The exponent lies between 0 and 1, both excluded (YCSB: 0.99).
    Zipf(f64),
    /// 0, 1, 2, …, and again from 0.
    Sequential,
}

/// A 64-bit generator (SplitMix64): one addition and three multiplications a number.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of this seed; every seed, also 0, is a good one.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number, uniform over all of `u64`.
    #[inline]
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// Uniform in `0..bound`; 0 when the bound is 0. The bias is below 2⁻³² for the bounds
    /// a key space has.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in `0.0..1.0`.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Chooses key numbers in `0..keyspace` by a distribution.
#[derive(Clone, Debug)]
pub struct KeyPicker {
    keyspace: u64,
    method: Method,
}

#[derive(Clone, Debug)]
enum Method {
    Uniform,
    Zipf(Zipf),
    Sequential { next: u64 },
}

impl KeyPicker {
    /// A picker over `0..keyspace` (at least one key). A Zipf picker's making is O(keyspace).
    pub fn new(distribution: Distribution, keyspace: u64) -> Self {
        let keyspace = keyspace.max(1);
        let method = match distribution {
            Distribution::Uniform => Method::Uniform,
            Distribution::Zipf(exponent) => Method::Zipf(Zipf::new(keyspace, exponent)),
            Distribution::Sequential => Method::Sequential { next: 0 },
        };
        Self { keyspace, method }
    }

    /// The same picker, a sequential one starting at `first` (several threads share a key
    /// space that way).
    pub fn starting_at(mut self, first: u64) -> Self {
        if let Method::Sequential { next } = &mut self.method {
            *next = first % self.keyspace;
        }
        self
    }

    /// The next key's number.
    #[inline]
    pub fn pick(&mut self, random: &mut Random) -> u64 {
        match &mut self.method {
            Method::Uniform => random.below(self.keyspace),
            // Scrambled, or the frequent keys would be neighbours.
            Method::Zipf(zipf) => mix(zipf.rank(random)) % self.keyspace,
            Method::Sequential { next } => {
                let picked = *next;
                *next = if picked + 1 == self.keyspace {
                    0
                } else {
                    picked + 1
                };
                picked
            }
        }
    }
}

/// Zipf ranks by the closed-form approximation of Gray et al., "Quickly generating
/// billion-record synthetic databases" (SIGMOD 1994): O(1) a draw.
#[derive(Clone, Debug)]
struct Zipf {
    count: f64,
    exponent: f64,
    zeta: f64,
    eta: f64,
    alpha: f64,
}

impl Zipf {
    fn new(count: u64, exponent: f64) -> Self {
        let exponent = exponent.clamp(0.01, 0.999);
        let zeta: f64 = (1..=count).map(|i| (i as f64).powf(-exponent)).sum();
        let zeta_of_two = 1.0 + 0.5f64.powf(exponent);
        let count = count as f64;
        let eta = (1.0 - (2.0 / count).powf(1.0 - exponent)) / (1.0 - zeta_of_two / zeta);
        Self {
            count,
            exponent,
            zeta,
            eta,
            alpha: 1.0 / (1.0 - exponent),
        }
    }

    fn rank(&self, random: &mut Random) -> u64 {
        let unit = random.unit();
        let scaled = unit * self.zeta;
        if scaled < 1.0 || self.count < 2.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5f64.powf(self.exponent) {
            return 1;
        }
        let rank = self.count * (self.eta * unit - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(self.count as u64 - 1)
    }
}

/// Everything a template's placeholders draw from.
#[derive(Clone, Debug)]
pub struct Draw {
    random: Random,
    keys: KeyPicker,
    members: u64,
    sequence: u64,
}

impl Draw {
    /// Draws keys by `keys`, members and fields out of `0..members`, and counts requests
    /// from `first_sequence`.
    pub fn new(seed: u64, keys: KeyPicker, members: u64, first_sequence: u64) -> Self {
        Self {
            random: Random::new(seed),
            keys,
            members: members.max(1),
            sequence: first_sequence,
        }
    }

    /// The number of the next key.
    #[inline]
    pub fn key(&mut self) -> u64 {
        self.keys.pick(&mut self.random)
    }

    /// The number of a member or a field.
    #[inline]
    pub fn member(&mut self) -> u64 {
        self.random.below(self.members)
    }

    /// Any number.
    #[inline]
    pub fn number(&mut self) -> u64 {
        self.random.number()
    }

    /// The number of this request.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Goes on to the next request.
    #[inline]
    pub fn advance(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(distribution: Distribution, keyspace: u64, draws: usize) -> Vec<usize> {
        let mut picker = KeyPicker::new(distribution, keyspace);
        let mut random = Random::new(1);
        let mut counts = vec![0; keyspace as usize];
        for _ in 0..draws {
            counts[picker.pick(&mut random) as usize] += 1;
        }
        counts
    }

    #[test]
    fn uniform_reaches_every_key_about_equally() {
        let counts = counts(Distribution::Uniform, 10, 100_000);
        assert!(
            counts.iter().all(|&n| (9_000..11_000).contains(&n)),
            "{counts:?}"
        );
    }

    #[test]
    fn zipf_favours_few() {
        let mut counts = counts(Distribution::Zipf(0.99), 10_000, 100_000);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let top: usize = counts[..100].iter().sum();
        assert!(
            top > 40_000,
            "the hundred most frequent of 10,000 keys took {top} of 100,000"
        );
        assert!(counts[0] > counts[10]);
    }

    #[test]
    fn sequential_walks_and_wraps() {
        let mut picker = KeyPicker::new(Distribution::Sequential, 3).starting_at(2);
        let mut random = Random::new(0);
        let picked: Vec<u64> = (0..4).map(|_| picker.pick(&mut random)).collect();
        assert_eq!(picked, [2, 0, 1, 2]);
    }

    proptest! {
        #[test]
        fn picks_stay_inside(keyspace in 1u64..5000, seed: u64, exponent in 0.0f64..2.0) {
            for distribution in [Distribution::Uniform, Distribution::Zipf(exponent), Distribution::Sequential] {
                let mut picker = KeyPicker::new(distribution, keyspace);
                let mut random = Random::new(seed);
                for _ in 0..50 {
                    prop_assert!(picker.pick(&mut random) < keyspace);
                }
            }
        }
    }
}
