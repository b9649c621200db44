//! Which scripts are short: those run on the worker that received them; all others run
//! aside, as they might keep the worker's other clients waiting.
//!
//! A script is taken for long until it has proven short, and after it was long once it
//! has to prove it many times. The memory is a table of counters by name: scripts that
//! share one are judged together, which costs time and nothing else.

use std::sync::atomic::{AtomicI8, Ordering};
use std::time::Duration;

use ochre_structures::hash::hash_bytes;

/// What a worker's clients may be kept waiting for by one script.
pub const SHORT: Duration = Duration::from_millis(1);

const COUNTERS: usize = 4096;
/// Short runs in a row that make up for a long one.
const ATONEMENT: i8 = 32;

/// The counters: positive ones are of short scripts.
#[derive(Debug)]
pub struct Paces(Box<[AtomicI8]>);

impl Default for Paces {
    fn default() -> Self {
        Self((0..COUNTERS).map(|_| AtomicI8::new(0)).collect())
    }
}

impl Paces {
    /// Whether the script (or function) of this name has been short of late.
    #[inline]
    pub fn is_short(&self, name: &str) -> bool {
        self.counter(name).load(Ordering::Relaxed) > 0
    }

    /// Notes how long a run took.
    #[inline]
    pub fn note(&self, name: &str, took: Duration) {
        let counter = self.counter(name);
        if took >= SHORT {
            counter.store(-ATONEMENT, Ordering::Relaxed);
        } else {
            let runs = counter.load(Ordering::Relaxed);
            if runs <= 0 {
                counter.store(runs + 1, Ordering::Relaxed);
            }
        }
    }

    #[inline]
    fn counter(&self, name: &str) -> &AtomicI8 {
        &self.0[hash_bytes(name.as_bytes()) as usize % COUNTERS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_short_once_it_was_and_long_for_a_while_after_it_was_that() {
        let paces = Paces::default();
        assert!(!paces.is_short("a"));
        paces.note("a", Duration::from_micros(3));
        assert!(paces.is_short("a"));
        paces.note("a", SHORT);
        for _ in 0..=ATONEMENT {
            assert!(!paces.is_short("a"));
            paces.note("a", Duration::ZERO);
        }
        assert!(paces.is_short("a"));
    }
}
