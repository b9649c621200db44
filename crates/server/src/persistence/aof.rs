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
//! Otherwise nobody waits for the disk, unless the thread falls far behind.
//!
//! A write that fails is cut off the file and tried again; until it succeeds writes are
//! refused (MISCONF), and with `always` the replies of those that were made stay withheld.
//!
//! Not here: which files there are (`ochre_journal::aof`), rewrites (`rewrite`).
//!
//! Invariants: the file holds whole units only, but for a torn tail after a crash; what
//! is published as durable is on disk; the journal is kept from the first byte that a
//! failure could still undo.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ochre_journal::aof::AofFolder;
use ochre_journal::disk::DiskFile;
use ochre_journal::{Chunk, Cursor, aof};
use parking_lot::{Condvar, Mutex};

use crate::config::choices::AppendFsync;
use crate::net::mail::Mail;
use crate::server::Server;
use crate::threads::{self, Duty};

/// How long changes are gathered where nobody waits for the disk: fewer wake-ups, fewer
/// system calls.
const GATHERING: Duration = Duration::from_millis(2);
/// The period of `appendfsync everysec`.
const SYNC_PERIOD: Duration = Duration::from_secs(1);
/// A failed write is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
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
    failure: Mutex<String>,
    /// Apart from what every command looks at.
    offsets: Box<Offsets>,
    orders: Mutex<Orders>,
    carried_out: Condvar,
    /// The files; `None` while there is no append-only file.
    pub folder: Mutex<Option<AofFolder>>,
    /// Bytes of all files after the last rewrite or at the start.
    base_bytes: AtomicU64,
    pub delayed_syncs: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How far the thread is, in offsets of the journal.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Offsets {
    written: AtomicU64,
    durable: AtomicU64,
    /// Bytes of all files.
    current_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Orders {
    switch: Option<Switch>,
    sync: bool,
    stop: bool,
}

/// Another file from an offset on.
#[derive(Debug)]
struct Switch {
    at: u64,
    file: Box<dyn DiskFile>,
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
    pub fn set_policy(&self, policy: AppendFsync) {
        let wanted = if policy == AppendFsync::Always && self.phase() != Phase::Off {
            Durability::Withheld
        } else {
            Durability::Free
        };
        // An error means that the disk fails.
        let _ = self
            .durability
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |old| {
                (old != Durability::Failing as u8).then_some(wanted as u8)
            });
    }

    /// Up to which offset of the journal replies may leave.
    pub fn released(&self, policy: AppendFsync) -> u64 {
        if policy == AppendFsync::Always && self.phase() != Phase::Off {
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

    /// Up to where the journal is on disk.
    #[inline]
    pub fn durable(&self) -> u64 {
        self.offsets.durable.load(Ordering::SeqCst)
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
    pub fn switch(&self, at: u64, file: Box<dyn DiskFile>) {
        self.orders.lock().switch = Some(Switch { at, file });
    }

    /// Takes back a switch that has not been carried out.
    pub fn cancel_switch(&self) -> bool {
        self.orders.lock().switch.take().is_some()
    }
}

/// Starts to write the journal, from where `cursor` stands, to `file`.
///
/// # Errors
/// When there can be no thread.
pub fn start(server: &Arc<Server>, cursor: Cursor, file: Box<dyn DiskFile>) -> io::Result<()> {
    let aof = &server.persistence.aof;
    aof.offsets
        .written
        .store(cursor.position(), Ordering::SeqCst);
    aof.offsets
        .durable
        .store(cursor.position(), Ordering::SeqCst);
    *aof.orders.lock() = Orders::default();
    let length = file.len()?;
    let writer = FileWriter {
        server: server.clone(),
        synced: Mark {
            offset: cursor.position(),
            length,
        },
        written: Mark {
            offset: cursor.position(),
            length,
        },
        cursor,
        file,
        synced_at: Instant::now(),
        policy: server.live().config.persistence.append_fsync,
        stamps: false,
        last_stamp_s: 0,
    };
    // Not left to the thread: writes that come before its first turn must wait, too.
    aof.set_policy(writer.policy);
    let thread = std::thread::Builder::new()
        .name("ochre-aof".into())
        .spawn(move || {
            let server = &writer.server;
            threads::begin(Duty::Background, &server.live().config, &server.log);
            writer.run();
        })?;
    *aof.thread.lock() = Some(thread);
    Ok(())
}

/// Writes all that is there and ends the thread. The journal must have ended.
pub fn stop(server: &Server) {
    let aof = &server.persistence.aof;
    aof.orders.lock().stop = true;
    server.persistence.journal.wake_all();
    let thread = aof.thread.lock().take();
    if let Some(thread) = thread {
        // A panic has been reported already.
        let _ = thread.join();
    }
    aof.set_phase(Phase::Off);
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
    while aof.durable() < end {
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

/// A place in the journal and the length of the file that ends there.
#[derive(Debug, Clone, Copy)]
struct Mark {
    offset: u64,
    length: u64,
}

/// The thread's own.
struct FileWriter {
    server: Arc<Server>,
    cursor: Cursor,
    file: Box<dyn DiskFile>,
    /// Up to where all is on disk.
    synced: Mark,
    /// Up to where all was written.
    written: Mark,
    synced_at: Instant,
    policy: AppendFsync,
    /// `aof-timestamp-enabled`
    stamps: bool,
    last_stamp_s: i64,
}

/// What the thread does next.
enum Next {
    Go,
    Retry,
    Stop,
}

impl FileWriter {
    fn run(mut self) {
        loop {
            self.follow_config();
            match self.turn() {
                Next::Go => {}
                Next::Retry => self.cursor.wait(Some(RETRY)),
                Next::Stop => return,
            }
        }
    }

    fn aof(&self) -> &Aof {
        &self.server.persistence.aof
    }

    fn follow_config(&mut self) {
        let live = self.server.live();
        let persistence = &live.config.persistence;
        self.policy = persistence.append_fsync;
        self.stamps = persistence.aof_timestamp_enabled;
        self.aof().set_policy(self.policy);
    }

    /// Writes what there is, syncs when that is due, sleeps when there is nothing.
    fn turn(&mut self) -> Next {
        let (stop, sync) = {
            let mut orders = self.aof().orders.lock();
            (orders.stop, std::mem::take(&mut orders.sync))
        };
        if let Err(error) = self.write_all() {
            return self.failed("writing", &error, stop);
        }
        let due = match self.policy {
            AppendFsync::Always => true,
            AppendFsync::EverySecond => self.synced_at.elapsed() >= SYNC_PERIOD,
            AppendFsync::No => false,
        };
        let is_behind = self.synced.offset < self.written.offset;
        if is_behind
            && (stop || sync || due && !self.spares_the_disk())
            && let Err(error) = self.sync()
        {
            return self.failed("syncing", &error, stop);
        }
        self.succeeded();
        if stop {
            return Next::Stop;
        }
        if self.policy != AppendFsync::Always && !sync {
            std::thread::sleep(GATHERING);
        }
        let patience = if self.synced.offset < self.written.offset {
            Some(
                SYNC_PERIOD
                    .saturating_sub(self.synced_at.elapsed())
                    .max(GATHERING),
            )
        } else {
            None
        };
        if !self.has_orders() {
            self.cursor.wait(patience);
        }
        Next::Go
    }

    fn has_orders(&self) -> bool {
        let orders = self.aof().orders.lock();
        orders.stop || orders.sync
    }

    /// `no-appendfsync-on-rewrite`: the disk is busy with a snapshot. Where replies wait
    /// for the disk that is no reason.
    fn spares_the_disk(&self) -> bool {
        self.policy != AppendFsync::Always
            && self
                .server
                .live()
                .config
                .persistence
                .no_append_fsync_on_rewrite
            && self.server.persistence.jobs.is_running()
    }

    fn write_all(&mut self) -> io::Result<()> {
        loop {
            self.switch_if_due()?;
            let Some(chunk) = self.cursor.read() else {
                return Ok(());
            };
            self.write(&chunk)?;
        }
    }

    /// Goes over to another file where one was ordered from here on.
    fn switch_if_due(&mut self) -> io::Result<()> {
        let at = self.aof().orders.lock().switch.as_ref().map(|s| s.at);
        if at != Some(self.written.offset) {
            return Ok(());
        }
        // What comes later must not be on disk before what came earlier.
        self.sync()?;
        let switch = self.aof().orders.lock().switch.take();
        if let Some(switch) = switch {
            let length = switch.file.len()?;
            self.file = switch.file;
            self.written.length = length;
            self.synced.length = length;
            self.last_stamp_s = 0;
        }
        Ok(())
    }

    /// Writes a part of the journal, in two where the file changes within.
    fn write(&mut self, chunk: &Chunk) -> io::Result<()> {
        let switch_at = self.aof().orders.lock().switch.as_ref().map(|s| s.at);
        let bytes = chunk.bytes();
        let (now, later) = match switch_at {
            Some(at) if at > chunk.start && at < chunk.end() => {
                bytes.split_at((at - chunk.start) as usize)
            }
            _ => (bytes, &bytes[..0]),
        };
        self.append(now)?;
        if !later.is_empty() {
            self.switch_if_due()?;
            self.append(later)?;
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sleep_us = &self.server.switches.aof_flush_sleep_us;
        match sleep_us.load(Ordering::Relaxed) {
            0 => {}
            sleep_us => std::thread::sleep(Duration::from_micros(sleep_us)),
        }
        let mut stamp = Vec::new();
        if self.stamps {
            let now_s = crate::clock::now_ms() / 1000;
            if now_s != self.last_stamp_s {
                aof::append_timestamp(&mut stamp, now_s);
                self.last_stamp_s = now_s;
            }
        }
        if !stamp.is_empty() {
            self.file.write_all(&stamp)?;
        }
        self.file.write_all(bytes)?;
        let added = (stamp.len() + bytes.len()) as u64;
        self.written.length += added;
        self.written.offset += bytes.len() as u64;
        let aof = self.aof();
        aof.offsets
            .current_bytes
            .fetch_add(added, Ordering::Relaxed);
        aof.offsets
            .written
            .store(self.written.offset, Ordering::SeqCst);
        if self.policy != AppendFsync::Always {
            self.cursor.release(self.written.offset);
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let started = Instant::now();
        self.file.sync_data()?;
        let now = Instant::now();
        if now - started > 2 * SYNC_PERIOD {
            self.aof().delayed_syncs.fetch_add(1, Ordering::Relaxed);
        }
        self.synced_at = now;
        self.synced = self.written;
        self.cursor.release(self.synced.offset);
        self.aof()
            .offsets
            .durable
            .store(self.synced.offset, Ordering::SeqCst);
        tell_workers(&self.server, Tell::Waiting);
        self.server.persistence.waits.serve(&self.server);
        self.aof().carried_out.notify_all();
        Ok(())
    }

    fn succeeded(&mut self) {
        if self.aof().is_failing() {
            let durability = if self.policy == AppendFsync::Always {
                Durability::Withheld
            } else {
                Durability::Free
            };
            self.aof()
                .durability
                .store(durability as u8, Ordering::SeqCst);
            self.server
                .log
                .warning("AOF write error looks solved. The server can write again.");
        }
    }

    /// Notes a failure and undoes what it may have left behind.
    fn failed(&mut self, what: &str, error: &io::Error, stop: bool) -> Next {
        let text = match error.raw_os_error() {
            Some(_) => {
                let text = error.to_string();
                text.split(" (os error").next().unwrap_or(&text).to_owned()
            }
            None => error.to_string(),
        };
        *self.aof().failure.lock() = text.clone();
        let before = self
            .aof()
            .durability
            .swap(Durability::Failing as u8, Ordering::SeqCst);
        if before != Durability::Failing as u8 {
            self.server
                .log
                .warning(&format!("Error {what} the append-only file: {text}"));
        }
        // After a failed sync nothing is known of what was written since the last.
        let whole = if what == "syncing" && self.policy == AppendFsync::Always {
            self.synced
        } else {
            self.written
        };
        let cut = self.file.set_len(whole.length);
        if let Err(error) = cut {
            self.server.log.warning(&format!(
                "Could not remove short write from the append-only file. The server may refuse \
                 to load the AOF the next time it starts. ftruncate: {error}"
            ));
        }
        let aof = self.aof();
        aof.offsets
            .current_bytes
            .fetch_sub(self.written.length - whole.length, Ordering::Relaxed);
        aof.offsets.written.store(whole.offset, Ordering::SeqCst);
        self.written = whole;
        self.cursor.rewind(whole.offset);
        self.aof().carried_out.notify_all();
        if stop {
            self.server
                .log
                .warning("The append-only file lacks the latest changes.");
            return Next::Stop;
        }
        Next::Retry
    }
}
