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
    /// The worker that runs it; [`ASIDE`] where none does.
    worker: AtomicUsize,
    /// It runs aside, and has taken every stripe.
    has_everything: AtomicBool,
    what: Mutex<Record>,
}

/// The name and the command, in buffers that are used again.
#[derive(Debug, Default)]
struct Record {
    function: String,
    /// The words one after the other, and where each ends.
    words: Vec<u8>,
    ends: Vec<usize>,
}

/// In the place of a worker: the thread of scripts.
const ASIDE: usize = usize::MAX;

/// Whoever needs what a script aside has, waits this long for it before it comes again
/// later.
const LONG_MS: i64 = 1;

/// A script that has run for so many milliseconds holds its worker up: new connections
/// go elsewhere. Far below what people wait for, far above what scripts usually take.
const HELD_UP_MS: i64 = 10;

/// Buffers above this are given back.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// What runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct What {
    /// The function's name; empty for EVAL.
    pub function: String,
    /// The command as it came, for FUNCTION STATS.
    pub command: Vec<Vec<u8>>,
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
    /// Notes that a script starts, on a worker or aside; `function` is empty for EVAL.
    pub fn begin(&self, now_ms: i64, worker: Option<usize>, function: &str, command: &[&[u8]]) {
        self.killed.store(false, Ordering::Relaxed);
        self.wrote.store(false, Ordering::Relaxed);
        let worker = worker.unwrap_or(ASIDE);
        self.worker.store(worker, Ordering::Relaxed);
        self.has_everything.store(false, Ordering::Relaxed);
        let mut what = self.what.lock();
        let what = &mut *what;
        what.function.clear();
        what.function.push_str(function);
        what.words.clear();
        what.words.shrink_to(KEPT_BYTES_MAX);
        what.ends.clear();
        for word in command {
            what.words.extend_from_slice(word);
            what.ends.push(what.words.len());
        }
        self.since_ms.store(now_ms, Ordering::SeqCst);
    }

    /// Whether what runs is a function.
    pub fn is_function(&self) -> bool {
        !self.what.lock().function.is_empty()
    }

    pub fn end(&self) {
        self.since_ms.store(0, Ordering::SeqCst);
        self.busy.store(false, Ordering::SeqCst);
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

    /// The worker that has been running it for so long that new clients are better
    /// served elsewhere.
    pub fn held_up(&self, now_ms: i64) -> Option<usize> {
        let since_ms = self.since_ms.load(Ordering::Acquire);
        let is_held_up = since_ms > 0 && now_ms - since_ms >= HELD_UP_MS;
        is_held_up
            .then(|| self.worker.load(Ordering::Relaxed))
            .filter(|&worker| worker != ASIDE)
    }

    /// Whether a script has been running aside for so long that nobody should wait for
    /// what it has.
    pub fn is_long(&self) -> bool {
        let since_ms = self.since_ms.load(Ordering::SeqCst);
        since_ms > 0
            && self.worker.load(Ordering::Relaxed) == ASIDE
            && crate::clock::now_ms() - since_ms >= LONG_MS
    }

    /// As [`Running::is_long`], where the script has taken every stripe.
    pub fn is_long_with_everything(&self) -> bool {
        self.has_everything.load(Ordering::Relaxed) && self.is_long()
    }

    /// The script, which runs aside, has taken every stripe.
    pub fn note_everything(&self) {
        self.has_everything.store(true, Ordering::Relaxed);
    }

    /// Called by the interpreter now and then; returns whether the script has become
    /// busy with this.
    pub fn tick(&self, now_ms: i64, threshold_ms: u64) -> bool {
        let since_ms = self.since_ms.load(Ordering::Acquire);
        threshold_ms > 0
            && since_ms > 0
            && now_ms - since_ms > threshold_ms as i64
            && !self.busy.swap(true, Ordering::SeqCst)
    }

    /// Whether the script must end.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// Whether the script runs on a thread of its own.
    pub fn is_aside(&self) -> bool {
        self.worker.load(Ordering::Relaxed) == ASIDE
    }

    /// What runs and for how many milliseconds.
    pub fn current(&self, now_ms: i64) -> Option<(What, i64)> {
        let since_ms = self.since_ms.load(Ordering::Acquire);
        (since_ms > 0).then(|| (self.what.lock().read(), (now_ms - since_ms).max(0)))
    }

    /// SCRIPT KILL or FUNCTION KILL.
    ///
    /// # Errors
    /// Why it cannot be killed.
    pub fn kill(&self, is_function: bool) -> Result<(), Unkillable> {
        if self.since_ms.load(Ordering::Acquire) == 0 {
            return Err(Unkillable::NothingRuns);
        }
        match (self.is_function(), is_function) {
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

    /// The end of the server is that of its script, whatever that has done.
    pub fn abort(&self) {
        self.killed.store(true, Ordering::Release);
    }
}

impl Record {
    fn read(&self) -> What {
        let mut start = 0;
        let command = self.ends.iter().map(|&end| {
            let word = self.words[start..end].to_vec();
            start = end;
            word
        });
        What {
            command: command.collect(),
            function: self.function.clone(),
        }
    }
}
