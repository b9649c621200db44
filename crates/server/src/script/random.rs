//! The random numbers of scripts: a `drand48`, so that a script which sets the seed draws
//! the same numbers wherever and whenever it runs.

use std::cell::Cell;

/// The generator: 48 bits of state.
#[derive(Debug, Default)]
pub struct Random {
    state: Cell<u64>,
}

impl Random {
    /// Starts the sequence of a seed.
    pub fn seed(&self, seed: u32) {
        self.state.set(u64::from(seed) << 16 | 0x330e);
    }

    /// The next number, in [0, 1).
    pub fn next(&self) -> f64 {
        const MAX: u64 = i32::MAX as u64;
        let state = self
            .state
            .get()
            .wrapping_mul(0x5_deec_e66d)
            .wrapping_add(0xb);
        self.state.set(state & 0xffff_ffff_ffff);
        let drawn = (self.state.get() >> 17) % MAX;
        drawn as f64 / MAX as f64
    }
}
