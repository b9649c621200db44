//! The script that runs now: since when, whether it takes too long, whether somebody
//! wants it killed. One script runs at a time, so there is one of these.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use parking_lot::Mutex;

/// The running script, if any.
#[derive(Debug, Default)]
pub struct Running {
    /// Unix time in milliseconds; 0 while none runs.
    since_ms: AtomicI64,
    busy: AtomicBool,
    killed: AtomicBool,
    wrote: AtomicBool,
    /// The worker that runs it.
    worker: AtomicUsize,
    what: Mutex<What>,
}

/// What runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct What {
    /// The function's name; empty for EVAL.
    pub function: String,
    /// The command as it came, for FUNCTION STATS.
    pub command: Vec<Vec<u8>>,
    pub is_function: bool,
}

/// Why a script cannot be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unkillable {
    NothingRuns,
    HasWritten,
    IsFunction,
    IsScript,
}

impl Running {
    pub fn begin(&self, now_ms: i64, worker: usize, what: What) {
        self.killed.store(false, Ordering::Relaxed);
        self.wrote.store(false, Ordering::Relaxed);
        self.worker.store(worker, Ordering::Relaxed);
        *self.what.lock() = what;
        self.since_ms.store(now_ms, Ordering::Release);
    }

    pub fn end(&self) {
        self.since_ms.store(0, Ordering::Release);
        self.busy.store(false, Ordering::Release);
    }

    /// The script has changed data: it can no longer be killed.
    #[inline]
    pub fn note_write(&self) {
        self.wrote.store(true, Ordering::Relaxed);
    }

    /// Whether it has run for longer than `busy-reply-threshold`.
    #[inline]
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Whether it runs for too long on this worker, which then serves nobody.
    pub fn occupies(&self, worker: usize) -> bool {
        self.is_busy() && self.worker.load(Ordering::Relaxed) == worker
    }

    /// Called by the interpreter now and then; returns whether the script must end.
    pub fn tick(&self, now_ms: i64, threshold_ms: u64) -> bool {
        let since_ms = self.since_ms.load(Ordering::Acquire);
        if threshold_ms > 0 && since_ms > 0 && now_ms - since_ms > threshold_ms as i64 {
            self.busy.store(true, Ordering::Release);
        }
        self.killed.load(Ordering::Acquire)
    }

    /// What runs and for how many milliseconds.
    pub fn current(&self, now_ms: i64) -> Option<(What, i64)> {
        let since_ms = self.since_ms.load(Ordering::Acquire);
        (since_ms > 0).then(|| (self.what.lock().clone(), (now_ms - since_ms).max(0)))
    }

    /// SCRIPT KILL or FUNCTION KILL.
    ///
    /// # Errors
    /// Why it cannot be killed.
    pub fn kill(&self, is_function: bool) -> Result<(), Unkillable> {
        if self.since_ms.load(Ordering::Acquire) == 0 {
            return Err(Unkillable::NothingRuns);
        }
        match (self.what.lock().is_function, is_function) {
            (true, false) => return Err(Unkillable::IsFunction),
            (false, true) => return Err(Unkillable::IsScript),
            _ => {}
        }
        if self.wrote.load(Ordering::Relaxed) {
            return Err(Unkillable::HasWritten);
        }
        self.killed.store(true, Ordering::Release);
        Ok(())
    }

    /// SHUTDOWN NOSAVE ends a script whatever it has done.
    pub fn abort(&self) {
        self.killed.store(true, Ordering::Release);
    }
}
