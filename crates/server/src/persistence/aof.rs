//! The append-only file as it is written: one thread follows the journal and brings it
//! to disk, for all workers at once.
//!
//! ```text
//!  workers ──► journal ──► this thread ──► file ──► disk
//!     ▲                                              │
//!     └──────── replies withheld until ◄── durable ──┘      (appendfsync always)
//! ```
//!
//! With `appendfsync always` a reply leaves its worker only when the disk has the journal
//! up to where it stood when the reply was made: one sync serves all that came meanwhile.
//! That is a sync of the commit log beside the file (`ochre_journal::aof`), which is cheaper.
//! Otherwise nobody waits for the disk, unless the thread falls far behind.
//!
//! A write that fails is cut off the file and tried again; until it succeeds writes are
//! refused (MISCONF), and with `always` the replies of those that were made stay withheld.
//!
//! Not here: which files there are (`ochre_journal::aof`), rewrites (`rewrite`).
//!
//! A sync that fails may concern what nobody waited for, and what is no longer there to be
//! written again. Nothing from there on counts as durable until a rewrite has put a new
//! base, which holds it, in front: that is a gap.
//!
//! Invariants: the file holds whole units only, but for a torn tail after a crash; what
//! is published as durable is on disk; the journal is kept from the first byte that a
//! failure could still undo.

mod writer;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ochre_journal::Cursor;
use ochre_journal::aof::{AofFolder, Increment};
use parking_lot::{Condvar, Mutex};

use crate::config::choices::AppendFsync;
use crate::net::mail::Mail;
use crate::server::Server;
use crate::threads::{self, Duty};
use writer::FileWriter;

/// Workers wait when so much has not been written yet.
const LAG_BYTES_MAX: u64 = 64 << 20;

/// Whether there is an append-only file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    Off = 0,
    /// Switched on while the server runs: its first base is being written.
    WaitsForRewrite = 1,
    On = 2,
}

/// What becomes of replies and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Durability {
    /// Replies leave at once.
    Free = 0,
    /// Replies wait for the disk (`appendfsync always`).
    Withheld = 1,
    /// The disk fails: writes are refused. Replies to what was written before under
    /// `always` still wait; others leave.
    Failing = 2,
}

/// What all threads know of the append-only file.
#[derive(Debug, Default)]
pub struct Aof {
    phase: AtomicU8,
    /// A [`Durability`]: one word, so that nobody sees writes allowed and replies free
    /// where they must wait.
    durability: AtomicU8,
    /// Whether replies to changes wait for the disk, be it that it fails.
    always: AtomicBool,
    failure: Mutex<String>,
    /// Apart from what every command looks at.
    offsets: Box<Offsets>,
    gap: Mutex<Option<Gap>>,
    orders: Mutex<Orders>,
    carried_out: Condvar,
    stop_ordered: Condvar,
    /// The files; `None` while there is no append-only file.
    pub folder: Mutex<Option<AofFolder>>,
    /// Bytes of all files after the last rewrite or at the start.
    base_bytes: AtomicU64,
    pub delayed_syncs: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How far the thread is, in offsets of the journal.
#[derive(Debug)]
#[repr(align(128))]
struct Offsets {
    written: AtomicU64,
    synced: AtomicU64,
    /// Where the gap begins; `u64::MAX` if there is none.
    gap_start: AtomicU64,
    /// Bytes of all files.
    current_bytes: AtomicU64,
}

impl Default for Offsets {
    fn default() -> Self {
        Self {
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            gap_start: AtomicU64::new(u64::MAX),
            current_bytes: AtomicU64::new(0),
        }
    }
}

/// A part of the journal that the disk may have dropped.
#[derive(Debug, Clone, Copy)]
struct Gap {
    start: u64,
    end: u64,
}

#[derive(Debug, Default)]
struct Orders {
    /// In the order of their offsets. There are several only while the disk is slow or
    /// fails: a rewrite does not wait for the one before it to be followed.
    switches: VecDeque<Switch>,
    sync: bool,
    stop: bool,
}

/// Another file from an offset on.
#[derive(Debug)]
struct Switch {
    at: u64,
    increment: Increment,
}

impl Aof {
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Off,
            1 => Phase::WaitsForRewrite,
            _ => Phase::On,
        }
    }

    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    #[inline]
    pub fn durability(&self) -> Durability {
        match self.durability.load(Ordering::SeqCst) {
            0 => Durability::Free,
            1 => Durability::Withheld,
            _ => Durability::Failing,
        }
    }

    /// Puts `appendfsync` into force, unless the disk fails just now.
    fn set_policy(&self, policy: AppendFsync) {
        let wanted = if policy == AppendFsync::Always && self.phase() != Phase::Off {
            Durability::Withheld
        } else {
            Durability::Free
        };
        self.always
            .store(wanted == Durability::Withheld, Ordering::SeqCst);
        // An error means that the disk fails.
        let _ = self
            .durability
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |old| {
                (old != Durability::Failing as u8).then_some(wanted as u8)
            });
    }

    /// Whether replies to changes wait for the disk, also while it fails.
    #[inline]
    pub fn is_always(&self) -> bool {
        self.always.load(Ordering::SeqCst)
    }

    /// Up to which offset of the journal replies may leave.
    pub fn released(&self) -> u64 {
        if self.is_always() {
            self.durable()
        } else {
            u64::MAX
        }
    }

    /// Bytes of all files.
    pub fn current_bytes(&self) -> u64 {
        self.offsets.current_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of all files after the last rewrite, or at the start.
    pub fn base_bytes(&self) -> u64 {
        self.base_bytes.load(Ordering::Relaxed)
    }

    /// Notes how large the files are after a rewrite, or at the start.
    pub fn measured(&self, bytes: u64) {
        self.offsets.current_bytes.store(bytes, Ordering::Relaxed);
        self.base_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Up to where the journal is on disk, without gaps.
    #[inline]
    pub fn durable(&self) -> u64 {
        // In this order: whoever sees a sync that came behind a gap sees the gap.
        let synced = self.synced();
        synced.min(self.offsets.gap_start.load(Ordering::SeqCst))
    }

    /// Up to where a sync has succeeded, of the file or of its commit log.
    #[inline]
    pub fn synced(&self) -> u64 {
        self.offsets.synced.load(Ordering::SeqCst)
    }

    /// Whether the files lack something that only a rewrite brings back.
    pub fn has_gap(&self) -> bool {
        self.offsets.gap_start.load(Ordering::SeqCst) != u64::MAX
    }

    /// Notes what the disk may have dropped.
    fn open_gap(&self, start: u64, end: u64) {
        let mut gap = self.gap.lock();
        let before = gap.unwrap_or(Gap { start, end });
        let start = start.min(before.start);
        *gap = Some(Gap {
            start,
            end: end.max(before.end),
        });
        self.offsets.gap_start.store(start, Ordering::SeqCst);
    }

    /// Notes that the files begin with a base that holds all up to `offset`.
    fn close_gap(&self, offset: u64) {
        let mut gap = self.gap.lock();
        if gap.is_some_and(|gap| gap.end <= offset) {
            *gap = None;
            self.offsets.gap_start.store(u64::MAX, Ordering::SeqCst);
        }
    }

    /// Why writes fail, if they do.
    #[cold]
    pub fn failure(&self) -> String {
        self.failure.lock().clone()
    }

    #[inline]
    pub fn is_failing(&self) -> bool {
        self.durability() == Durability::Failing
    }

    /// Bytes of the journal that are not written yet, which is what workers wait for
    /// when it is too much.
    #[inline]
    pub fn is_far_behind(&self, journal_end: u64) -> bool {
        self.phase() != Phase::Off
            && journal_end.saturating_sub(self.offsets.written.load(Ordering::Relaxed))
                > LAG_BYTES_MAX
            && !self.is_failing()
    }

    /// Has what comes behind `at` written to another file. Called under all locks, when
    /// the journal ends at `at`.
    pub fn switch(&self, at: u64, increment: Increment) {
        let switch = Switch { at, increment };
        self.orders.lock().switches.push_back(switch);
    }

    /// Where the next switch is ordered.
    fn next_switch(&self) -> Option<u64> {
        self.orders.lock().switches.front().map(|switch| switch.at)
    }
}

/// Starts to write the journal, from where `cursor` stands, to the end of `increment`.
///
/// # Errors
/// When there can be no thread.
pub fn start(server: &Arc<Server>, cursor: Cursor, increment: Increment) -> io::Result<()> {
    let aof = &server.persistence.aof;
    aof.offsets
        .written
        .store(cursor.position(), Ordering::SeqCst);
    aof.offsets
        .synced
        .store(cursor.position(), Ordering::SeqCst);
    // Whatever files had one, the new ones begin here.
    aof.close_gap(cursor.position());
    *aof.orders.lock() = Orders::default();
    // Whoever writes before the thread runs must wait for it.
    follow_policy(server);
    let writer = FileWriter::new(server.clone(), cursor, increment);
    let thread = std::thread::Builder::new()
        .name("ochre-aof".into())
        .spawn(move || {
            let server = writer.server();
            threads::begin(Duty::Background, &server.live().config, &server.log);
            writer.run();
        })?;
    *aof.thread.lock() = Some(thread);
    Ok(())
}

/// Puts the configured policy into force. Not left to the thread that writes: what is
/// written from now on must wait for it.
pub fn follow_policy(server: &Server) {
    let configured = || server.live().config.persistence.append_fsync;
    loop {
        let policy = configured();
        server.persistence.aof.set_policy(policy);
        // It may have been changed in between, and put into force before this one.
        if configured() == policy {
            return;
        }
    }
}

/// Writes all that is there and ends the thread. The journal must have ended.
pub fn stop(server: &Server) {
    let aof = &server.persistence.aof;
    aof.orders.lock().stop = true;
    aof.stop_ordered.notify_all();
    server.persistence.journal.wake_all();
    let thread = aof.thread.lock().take();
    if let Some(thread) = thread {
        // A panic has been reported already.
        let _ = thread.join();
    }
    aof.set_phase(Phase::Off);
    aof.always.store(false, Ordering::SeqCst);
    aof.durability
        .store(Durability::Free as u8, Ordering::SeqCst);
    tell_workers(server, Tell::All);
    server.persistence.waits.fail();
}

/// Writes and syncs all that is in the journal now; says whether that succeeded. Without
/// an append-only file there is nothing to do.
pub fn flush(server: &Server) -> bool {
    let aof = &server.persistence.aof;
    if aof.phase() == Phase::Off {
        return true;
    }
    let end = server.persistence.journal.end();
    let mut orders = aof.orders.lock();
    while aof.synced() < end {
        if aof.is_failing() || orders.stop {
            return false;
        }
        orders.sync = true;
        server.persistence.journal.wake_all();
        aof.carried_out
            .wait_for(&mut orders, Duration::from_millis(10));
    }
    true
}

/// Notes that a new base, which holds all up to `offset`, is in front of the files.
pub fn rebased(server: &Server, offset: u64) {
    let aof = &server.persistence.aof;
    if aof.has_gap() {
        aof.close_gap(offset);
        tell_workers(server, Tell::Waiting);
        server.persistence.waits.serve(server);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tell {
    /// Those that wait for the disk.
    Waiting,
    All,
}

/// Tells workers that the disk has got on.
fn tell_workers(server: &Server, whom: Tell) {
    for worker in &server.mailboxes {
        if whom == Tell::All || worker.waits_for_disk.load(Ordering::SeqCst) {
            worker.mailbox.put(Mail::Durable);
        }
    }
}
