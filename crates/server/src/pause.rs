//! CLIENT PAUSE: for a while, clients' commands (or only their writes) wait.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use crate::commands::spec::Flags;

/// What is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    Nothing,
    Writes,
    All,
}

/// The pause in force, if any.
#[derive(Debug, Default)]
pub struct Pause {
    until_ms: AtomicI64,
    what: AtomicU8,
}

impl Pause {
    /// What is paused at `now_ms`.
    #[inline]
    pub fn state(&self, now_ms: i64) -> Paused {
        match self.what.load(Ordering::Acquire) {
            0 => Paused::Nothing,
            _ if self.until_ms.load(Ordering::Acquire) <= now_ms => Paused::Nothing,
            1 => Paused::Writes,
            _ => Paused::All,
        }
    }

    /// Whether a pause was begun and not ended; its time may be up.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.what.load(Ordering::Acquire) != 0
    }

    /// Whether a command of these flags has to wait now.
    pub fn holds_back(&self, command: Flags, now_ms: i64) -> bool {
        match self.state(now_ms) {
            Paused::Nothing => false,
            Paused::Writes => command.has(Flags::WRITE) || command.has(Flags::MAY_REPLICATE),
            Paused::All => true,
        }
    }

    /// When the pause ends, in Unix milliseconds.
    pub fn until_ms(&self) -> i64 {
        self.until_ms.load(Ordering::Acquire)
    }

    /// Begins a pause, or changes the one in force: as in Redis, a pause of all is not
    /// weakened to one of writes, nor an end moved earlier, while it lasts.
    pub fn begin(&self, what: Paused, until_ms: i64, now_ms: i64) {
        let current = self.state(now_ms);
        let until_ms = if current == Paused::Nothing {
            until_ms
        } else {
            until_ms.max(self.until_ms())
        };
        let what = if current == Paused::All {
            Paused::All
        } else {
            what
        };
        self.until_ms.store(until_ms, Ordering::Release);
        let code = match what {
            Paused::Nothing => 0,
            Paused::Writes => 1,
            Paused::All => 2,
        };
        self.what.store(code, Ordering::Release);
    }

    pub fn end(&self) {
        self.what.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_all_is_neither_weakened_nor_shortened() {
        let pause = Pause::default();
        pause.begin(Paused::All, 1_000, 0);
        pause.begin(Paused::Writes, 500, 10);
        assert!(pause.holds_back(Flags::READONLY, 999));
        assert!(!pause.holds_back(Flags::WRITE, 1_000));
        pause.begin(Paused::Writes, 3_000, 2_000);
        assert!(pause.holds_back(Flags::WRITE, 2_000));
        assert!(!pause.holds_back(Flags::READONLY, 2_000));
        pause.end();
        assert!(!pause.holds_back(Flags::WRITE, 2_000));
    }
}
