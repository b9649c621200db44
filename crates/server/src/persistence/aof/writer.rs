//! The thread that writes the append-only file: it follows the journal, syncs by the
//! policy, changes files where a rewrite says so, and undoes what a failing disk has left
//! behind.
//!
//! Invariant: `synced` ≤ `written`, `kept` ≤ `written`, and the journal is kept from
//! `kept` on; the file is `written.length` long unless `uncut` says otherwise.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ochre_journal::disk::DiskFile;
use ochre_journal::{Chunk, Cursor, aof};

use super::{Aof, Durability, Tell, tell_workers};
use crate::config::choices::AppendFsync;
use crate::server::Server;

/// How long changes are gathered where nobody waits for the disk: fewer wake-ups, fewer
/// system calls.
const GATHERING: Duration = Duration::from_millis(2);
/// For how long at most, where replies wait for the disk, others go first.
const COURTESY: Duration = Duration::from_millis(1);
/// The processor is back so soon only if nobody else wanted it.
const UNCLAIMED: Duration = Duration::from_micros(5);
/// The period of `appendfsync everysec`.
const SYNC_PERIOD: Duration = Duration::from_secs(1);
/// A failed write is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

/// A place in the journal and the length of the file that ends there.
#[derive(Debug, Clone, Copy)]
struct Mark {
    offset: u64,
    length: u64,
}

/// The thread's own.
pub(super) struct FileWriter {
    server: Arc<Server>,
    cursor: Cursor,
    file: Box<dyn DiskFile>,
    /// Up to where all is on disk.
    synced: Mark,
    /// Up to where all was written.
    written: Mark,
    /// From where on the journal is kept, to be written again if need be.
    kept: Mark,
    /// What a failure left behind here could not be cut off yet.
    uncut: Option<u64>,
    synced_at: Instant,
    policy: AppendFsync,
    /// `aof-timestamp-enabled`: what follows an annotation happened in that second or
    /// later, as far as the next one.
    stamps: bool,
    last_stamp_s: i64,
}

/// What the disk did not do.
#[derive(Debug)]
enum Failure {
    Write(io::Error),
    /// Nothing is known of what was written since the last success.
    Sync(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// What the thread does next.
enum Next {
    Go,
    Retry,
    Stop,
}

impl FileWriter {
    /// A writer that goes on at the end of `file`, with what `cursor` reads.
    ///
    /// # Errors
    /// The length of the file cannot be told.
    pub(super) fn new(
        server: Arc<Server>,
        cursor: Cursor,
        file: Box<dyn DiskFile>,
    ) -> io::Result<Self> {
        let start = Mark {
            offset: cursor.position(),
            length: file.len()?,
        };
        Ok(Self {
            synced: start,
            written: start,
            kept: start,
            cursor,
            file,
            uncut: None,
            synced_at: Instant::now(),
            policy: server.live().config.persistence.append_fsync,
            stamps: false,
            last_stamp_s: 0,
            server,
        })
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        loop {
            self.follow_config();
            match self.turn() {
                Next::Go => {}
                Next::Retry => self.pause(),
                Next::Stop => return,
            }
        }
    }

    /// Waits before another attempt, unless the thread is to end. There is something to
    /// read meanwhile: what could not be written.
    fn pause(&self) {
        let aof = self.aof();
        let deadline = Instant::now() + RETRY;
        let mut orders = aof.orders.lock();
        while !orders.stop
            && !aof
                .stop_ordered
                .wait_until(&mut orders, deadline)
                .timed_out()
        {}
    }

    fn aof(&self) -> &Aof {
        &self.server.persistence.aof
    }

    fn follow_config(&mut self) {
        let live = self.server.live();
        let persistence = &live.config.persistence;
        self.policy = persistence.append_fsync;
        self.stamps = persistence.aof_timestamp_enabled;
    }

    /// Writes what there is, syncs when that is due, sleeps when there is nothing.
    fn turn(&mut self) -> Next {
        let (stop, sync) = {
            let mut orders = self.aof().orders.lock();
            (orders.stop, std::mem::take(&mut orders.sync))
        };
        if self.policy == AppendFsync::Always && !stop && !sync {
            self.let_workers_go_first();
        }
        if let Err(failure) = self.write_all() {
            return self.failed(failure, stop);
        }
        let due = match self.policy {
            AppendFsync::Always => true,
            AppendFsync::EverySecond => self.synced_at.elapsed() >= SYNC_PERIOD,
            AppendFsync::No => false,
        };
        let is_behind = self.synced.offset < self.written.offset;
        if is_behind
            && (stop || sync || due && !self.spares_the_disk())
            && let Err(failure) = self.sync()
        {
            return self.failed(failure, stop);
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

    /// Offers the processor for as long as somebody takes it and makes changes, so that one
    /// sync serves all clients that a worker was about to serve. Where nobody else wants the
    /// processor this takes a microsecond or two, whatever other processors do.
    fn let_workers_go_first(&self) {
        let journal = &self.server.persistence.journal;
        let began = Instant::now();
        let mut end = journal.end();
        while began.elapsed() < COURTESY {
            let offered = Instant::now();
            std::thread::yield_now();
            let before = std::mem::replace(&mut end, journal.end());
            if end == before || offered.elapsed() < UNCLAIMED {
                return;
            }
        }
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

    fn write_all(&mut self) -> Result<(), Failure> {
        if let Some(length) = self.uncut {
            self.file.set_len(length)?;
            self.uncut = None;
        }
        loop {
            self.switch_if_due()?;
            let Some(chunk) = self.cursor.read() else {
                return Ok(());
            };
            self.write(&chunk)?;
        }
    }

    /// Goes over to another file where one was ordered from here on.
    fn switch_if_due(&mut self) -> Result<(), Failure> {
        while self.aof().next_switch() == Some(self.written.offset) {
            // What comes later must not be on disk before what came earlier.
            self.sync()?;
            let mut orders = self.server.persistence.aof.orders.lock();
            let Some(switch) = orders.switches.front() else {
                break;
            };
            let length = switch.file.len()?;
            if let Some(switch) = orders.switches.pop_front() {
                self.file = switch.file;
            }
            self.written.length = length;
            self.synced.length = length;
            self.kept.length = length;
            self.last_stamp_s = 0;
        }
        Ok(())
    }

    /// Writes a part of the journal, piece by piece where the file changes within.
    fn write(&mut self, chunk: &Chunk) -> Result<(), Failure> {
        let mut bytes = chunk.bytes();
        while !bytes.is_empty() {
            // It may have been ordered since the last look, before these bytes came.
            self.switch_if_due()?;
            let start = chunk.end() - bytes.len() as u64;
            let switch = self.aof().next_switch().filter(|&at| at > start);
            let second = chunk.next_second(start).filter(|_| self.stamps);
            let end = chunk.end();
            let end = switch.unwrap_or(end).min(second.unwrap_or(end)).min(end);
            let (now, rest) = bytes.split_at((end - start) as usize);
            self.append(now, chunk.second_at(start))?;
            bytes = rest;
        }
        Ok(())
    }

    /// Writes some units, which began in the same second.
    fn append(&mut self, bytes: &[u8], second: i64) -> io::Result<()> {
        let sleep_us = &self.server.switches.aof_flush_sleep_us;
        match sleep_us.load(Ordering::Relaxed) {
            0 => {}
            sleep_us => std::thread::sleep(Duration::from_micros(sleep_us)),
        }
        let mut stamp = Vec::new();
        if self.stamps && second > self.last_stamp_s {
            aof::append_timestamp(&mut stamp, second);
            self.last_stamp_s = second;
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
            self.kept = self.written;
            self.cursor.release(self.kept.offset);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Failure> {
        let started = Instant::now();
        self.file.sync_data().map_err(Failure::Sync)?;
        let now = Instant::now();
        if now - started > 2 * SYNC_PERIOD {
            self.aof().delayed_syncs.fetch_add(1, Ordering::Relaxed);
        }
        self.synced_at = now;
        self.synced = self.written;
        self.kept = self.written;
        self.cursor.release(self.kept.offset);
        // Whoever gets his reply may write again.
        self.succeeded();
        self.aof()
            .offsets
            .synced
            .store(self.synced.offset, Ordering::SeqCst);
        tell_workers(&self.server, Tell::Waiting);
        self.server.persistence.waits.serve(&self.server);
        self.aof().carried_out.notify_all();
        Ok(())
    }

    fn succeeded(&mut self) {
        if self.aof().is_failing() {
            // The policy may have been changed since this turn began.
            let durability = if self.aof().is_always() {
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
            if self.aof().has_gap() {
                // A new base holds what the disk may have dropped.
                self.server.persistence.jobs.schedule_rewrite();
            }
        }
    }

    /// Notes a failure and undoes what it may have left behind.
    fn failed(&mut self, failure: Failure, stop: bool) -> Next {
        // After a failed sync as much is written again as is still there.
        let (what, error, whole) = match failure {
            Failure::Write(error) => ("writing", error, self.written),
            Failure::Sync(error) => {
                if self.kept.offset > self.synced.offset {
                    self.aof().open_gap(self.synced.offset, self.kept.offset);
                }
                ("syncing", error, self.kept)
            }
        };
        self.note_failure(what, &error);
        if let Err(error) = self.file.set_len(whole.length) {
            self.uncut = Some(whole.length);
            self.server.log.warning(&format!(
                "Could not remove short write from the append-only file. The server may refuse \
                 to load the AOF the next time it starts. ftruncate: {error}"
            ));
        }
        let aof = &self.server.persistence.aof;
        aof.offsets
            .current_bytes
            .fetch_sub(self.written.length - whole.length, Ordering::Relaxed);
        aof.offsets.written.store(whole.offset, Ordering::SeqCst);
        self.written = whole;
        // The annotation may have been cut off.
        self.last_stamp_s = 0;
        self.cursor.rewind(whole.offset);
        aof.carried_out.notify_all();
        if stop {
            self.server
                .log
                .warning("The append-only file lacks the latest changes.");
            return Next::Stop;
        }
        Next::Retry
    }

    /// Has writes refused from now on, and says why.
    fn note_failure(&self, what: &str, error: &io::Error) {
        let text = match error.raw_os_error() {
            Some(_) => {
                let text = error.to_string();
                text.split(" (os error").next().unwrap_or(&text).to_owned()
            }
            None => error.to_string(),
        };
        let aof = self.aof();
        aof.failure.lock().clone_from(&text);
        let before = aof
            .durability
            .swap(Durability::Failing as u8, Ordering::SeqCst);
        if before != Durability::Failing as u8 {
            self.server
                .log
                .warning(&format!("Error {what} the append-only file: {text}"));
        }
    }
}
