//! How often something happens just now (`instantaneous_ops_per_sec` and the like),
//! without a timer: counts go into slots of 100 ms, and a slot is emptied by the first
//! who comes to use it again.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The length of a slot, in milliseconds.
const SLOT_MS: i64 = 100;
/// Slots that make up the past over which the rate is taken.
const SLOTS: usize = 16;

#[derive(Debug, Default)]
struct Slot {
    /// Which 100 ms since the epoch these are.
    number: AtomicI64,
    count: AtomicU64,
}

/// One rate.
#[derive(Debug, Default)]
pub struct Rate {
    slots: [Slot; SLOTS],
}

impl Rate {
    /// Counts `amount` at `now_ms`.
    #[inline]
    pub fn add(&self, amount: u64, now_ms: i64) {
        let number = now_ms / SLOT_MS;
        let slot = &self.slots[number.rem_euclid(SLOTS as i64) as usize];
        if slot.number.swap(number, Ordering::Relaxed) != number {
            slot.count.store(0, Ordering::Relaxed);
        }
        slot.count.fetch_add(amount, Ordering::Relaxed);
    }

    /// The count per second over the last 1.6 seconds.
    pub fn per_second(&self, now_ms: i64) -> f64 {
        let number = now_ms / SLOT_MS;
        let recent = number - SLOTS as i64 + 1..=number;
        let total: u64 = self
            .slots
            .iter()
            .filter(|slot| recent.contains(&slot.number.load(Ordering::Relaxed)))
            .map(|slot| slot.count.load(Ordering::Relaxed))
            .sum();
        total as f64 * 1000.0 / (SLOTS as i64 * SLOT_MS) as f64
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        for slot in &self.slots {
            slot.count.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_counts_fade() {
        let rate = Rate::default();
        for at in 0..16 {
            rate.add(10, at * 100 + 5_000);
        }
        assert_eq!(rate.per_second(6_500), 100.0);
        assert_eq!(rate.per_second(7_300), 50.0);
        assert_eq!(rate.per_second(60_000), 0.0);
        rate.add(16, 60_000);
        assert_eq!(rate.per_second(60_001), 10.0);
    }
}
