//! The 24-bit access clock of an entry: seconds for LRU, minutes and a logarithmic
//! counter for LFU (Redis 7.2's `lru` field).

/// What the access clock of an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessPolicy {
    /// Seconds of Unix time, modulo 2^24.
    Lru,
    /// Minutes modulo 2^16 of the last decay, and a counter that grows with the
    /// logarithm of the accesses.
    Lfu { log_factor: u32, decay_minutes: u32 },
}

/// The counter of a new entry, so that it is not evicted before it had a chance.
pub const LFU_START: u32 = 5;
const MASK: u32 = (1 << 24) - 1;

impl AccessPolicy {
    /// The clock of an entry that is made at `now_ms`.
    pub fn born(self, now_ms: i64) -> u32 {
        match self {
            Self::Lru => seconds(now_ms),
            Self::Lfu { .. } => minutes(now_ms) << 8 | LFU_START,
        }
    }

    /// The clock after an access at `now_ms`; `random` decides whether the counter
    /// of LFU grows.
    #[inline]
    pub fn touched(self, access: u32, now_ms: i64, random: impl FnOnce() -> f64) -> u32 {
        match self {
            Self::Lru => seconds(now_ms),
            Self::Lfu { log_factor, .. } => {
                let mut counter = self.frequency(access, now_ms);
                if counter < 255 {
                    let base = f64::from(counter.saturating_sub(LFU_START));
                    if random() < 1.0 / (base * f64::from(log_factor) + 1.0) {
                        counter += 1;
                    }
                }
                minutes(now_ms) << 8 | counter
            }
        }
    }

    /// The LFU counter after its decay up to `now_ms`.
    pub fn frequency(self, access: u32, now_ms: i64) -> u32 {
        let counter = access & 0xff;
        let Self::Lfu { decay_minutes, .. } = self else {
            return counter;
        };
        if decay_minutes == 0 {
            return counter;
        }
        let elapsed = minutes(now_ms).wrapping_sub(access >> 8) & 0xffff;
        counter.saturating_sub(elapsed / decay_minutes)
    }

    /// Seconds since the last access, as of `now_ms`; meaningful for LRU.
    pub fn idle_seconds(self, access: u32, now_ms: i64) -> u32 {
        seconds(now_ms).wrapping_sub(access) & MASK
    }
}

fn seconds(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & MASK
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lru_counts_idle_seconds() {
        let access = AccessPolicy::Lru.born(5_000_000);
        assert_eq!(AccessPolicy::Lru.idle_seconds(access, 5_007_500), 7);
    }

    #[test]
    fn lfu_grows_slowly_and_decays() {
        let policy = AccessPolicy::Lfu {
            log_factor: 10,
            decay_minutes: 1,
        };
        let mut access = policy.born(0);
        access = policy.touched(access, 0, || 0.0);
        assert_eq!(policy.frequency(access, 0), 6);
        access = policy.touched(access, 0, || 0.99);
        assert_eq!(policy.frequency(access, 0), 6);
        assert_eq!(policy.frequency(access, 4 * 60_000), 2);
    }
}
