//! Durability: the journal and who follows it, snapshots, loading, and what lies between
//! the keyspace and Redis's files.
//!
//! ```text
//!   units ──► journal ──► aof ──► appendonlydir/      jobs ──► snapshot ──► dump.rdb
//!                          ▲                            │
//!                          └───────── rewrite ◄─────────┘
//!   store ──► image ──► RDB items, dumps, commands of an append-only file
//!   store ◄── restore ◄── plain values of an RDB ◄── load (all cores), RESTORE
//!   store ◄── replay (all cores) ◄── commands of an append-only file
//! ```
//!
//! Not here: what a change is recorded as, which the handlers of commands say.

pub mod aof;
pub mod image;
pub mod jobs;
mod leftovers;
pub mod load;
pub mod reload;
pub mod replay;
pub mod restore;
pub mod rewrite;
pub mod shutdown;
pub mod snapshot;
pub mod start;
pub mod waits;

#[cfg(test)]
pub(crate) mod samples;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ochre_journal::Journal;
use ochre_journal::disk::Disk;

use aof::{Aof, Durability, Phase};
use jobs::Jobs;
use start::Loading;
use waits::Waits;

/// Workers wait when they have captured so much for a snapshot that is not written yet.
const CAPTURED_BYTES_MAX: u64 = 16 << 20;

/// A worker that waits for a disk far behind looks again after this.
const THROTTLE_STEP: Duration = Duration::from_millis(1);

/// What all threads share of durability.
#[derive(Debug)]
pub struct Persistence {
    pub journal: Arc<Journal>,
    pub disk: Arc<dyn Disk>,
    pub aof: Aof,
    pub jobs: Jobs,
    pub waits: Waits,
    pub loading: Loading,
    /// Whether changes are appended to the journal.
    recording: AtomicBool,
    /// The last snapshot failed.
    save_failed: AtomicBool,
}

impl Persistence {
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            journal: Arc::default(),
            disk,
            aof: Aof::default(),
            jobs: Jobs::default(),
            waits: Waits::default(),
            loading: Loading::default(),
            recording: AtomicBool::new(false),
            save_failed: AtomicBool::new(false),
        }
    }

    /// Whether changes are recorded: only while somebody follows the journal.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }

    /// Begins or ends recording. To begin, all locks are held, or nobody else is there
    /// yet: then whoever holds a lock knows.
    pub fn set_recording(&self, recording: bool) {
        self.recording.store(recording, Ordering::SeqCst);
    }

    /// Whether replies are to wait for the disk.
    #[inline]
    pub fn withholds(&self) -> bool {
        self.aof.durability() == Durability::Withheld
    }

    /// Whether replies to changes that are made already are to wait for the disk, also
    /// while it fails.
    #[inline]
    pub fn withholds_changes(&self) -> bool {
        match self.aof.durability() {
            Durability::Free => false,
            Durability::Withheld => true,
            Durability::Failing => self.aof.is_always(),
        }
    }

    /// Whether the last snapshot failed.
    #[inline]
    pub fn has_save_failed(&self) -> bool {
        self.save_failed.load(Ordering::Relaxed)
    }

    /// Whether commands have to be looked at more closely: the dataset is being loaded, or
    /// cannot be brought to disk.
    #[inline]
    pub fn is_impaired(&self) -> bool {
        self.loading.is_active() || self.has_save_failed() || self.aof.is_failing()
    }

    fn note_save_outcome(&self, failed: bool) {
        self.save_failed.store(failed, Ordering::Relaxed);
    }

    /// Waits while the append-only file or a snapshot is far behind, so that the memory
    /// for what is not written stays bounded. No lock may be held.
    #[inline]
    pub fn throttle(&self) {
        while self.jobs.queued_bytes.load(Ordering::Relaxed) > CAPTURED_BYTES_MAX
            || self.aof.phase() != Phase::Off && self.aof.is_far_behind(self.journal.end())
        {
            std::thread::sleep(THROTTLE_STEP);
        }
    }
}
