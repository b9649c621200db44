//! How much memory the server uses: the allocator's own figures, and the highest seen.
//!
//! Reading them makes the allocator add up its threads' counters, which takes some
//! microseconds: hot paths ask [`MemoryMeter::used_bytes`], which reads them seldom.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tikv_jemalloc_ctl::{epoch, stats};

/// How old a reading may be while there is room, and when there is hardly any.
const CALM_MS: i64 = 10;
const TIGHT_MS: i64 = 1;

/// The allocator's figures, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// Handed out to the program (`used_memory`).
    pub allocated_bytes: u64,
    /// In pages that hold something.
    pub active_bytes: u64,
    /// In physical memory.
    pub resident_bytes: u64,
}

/// The meter.
#[derive(Debug, Default)]
pub struct MemoryMeter {
    used_bytes: AtomicU64,
    read_at_ms: AtomicI64,
    peak_bytes: AtomicU64,
    /// `used_memory` when the server was ready.
    startup_bytes: AtomicU64,
}

impl MemoryMeter {
    /// Reads the allocator's figures now.
    pub fn measure(&self) -> Reading {
        // Without a new epoch the figures are those of the last one: old, not wrong.
        let _ = epoch::advance();
        let bytes = |read: Result<usize, _>| read.map_or(0, |bytes| bytes as u64);
        let reading = Reading {
            allocated_bytes: bytes(stats::allocated::read()),
            active_bytes: bytes(stats::active::read()),
            resident_bytes: bytes(stats::resident::read()),
        };
        self.used_bytes
            .store(reading.allocated_bytes, Ordering::Relaxed);
        self.peak_bytes
            .fetch_max(reading.allocated_bytes, Ordering::Relaxed);
        reading
    }

    /// The memory in use, read a few milliseconds ago at most. The nearer it was to
    /// `limit_bytes`, the sooner it is read again.
    #[inline]
    pub fn used_bytes(&self, limit_bytes: u64, now_ms: i64) -> u64 {
        let used = self.used_bytes.load(Ordering::Relaxed);
        let may_be_old = if used < limit_bytes / 10 * 9 {
            CALM_MS
        } else {
            TIGHT_MS
        };
        let read_at = self.read_at_ms.load(Ordering::Relaxed);
        if now_ms - read_at < may_be_old && now_ms >= read_at {
            return used;
        }
        self.refresh(read_at, now_ms)
    }

    #[cold]
    fn refresh(&self, read_at: i64, now_ms: i64) -> u64 {
        let claimed =
            self.read_at_ms
                .compare_exchange(read_at, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        match claimed {
            Ok(_) => self.measure().allocated_bytes,
            // Another thread is reading.
            Err(_) => self.used_bytes.load(Ordering::Relaxed),
        }
    }

    /// Keeps the peak up to date; called often, reads seldom.
    #[inline]
    pub fn watch_peak(&self, now_ms: i64) {
        const PEAK_MS: i64 = 100;
        let read_at = self.read_at_ms.load(Ordering::Relaxed);
        if now_ms - read_at >= PEAK_MS {
            self.refresh(read_at, now_ms);
        }
    }

    /// The highest use seen.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Ordering::Relaxed)
    }

    /// Notes what the server uses before it holds anything.
    pub fn started(&self) {
        let allocated = self.measure().allocated_bytes;
        self.startup_bytes.store(allocated, Ordering::Relaxed);
    }

    pub fn startup_bytes(&self) -> u64 {
        self.startup_bytes.load(Ordering::Relaxed)
    }
}
