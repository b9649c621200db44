//! The thread that writes the append-only file: it follows the journal, syncs by the
//! policy, changes files where a rewrite says so, and undoes what a failing disk has left
//! behind.
//!
//! With `appendfsync always` a commit log (`ochre_journal::aof::CommitLog`) makes durable
//! what is waited for, and the file is synced when the log is full or a second has passed.
//!
//! Invariant: `synced` ≤ `durable`, `synced` ≤ `kept` ≤ `written`, and the journal is kept
//! from `kept` on; the file is `written.length` long unless `uncut` says otherwise. With a
//! commit log `kept` is `synced`, and the log has what is between that and `durable`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ochre_journal::aof::{self, CommitLog, Committed, Increment};
use ochre_journal::disk::DiskFile;
use ochre_journal::{Chunk, Cursor};

use super::{Aof, Durability, Phase, Switch, Tell, tell_workers};
use crate::config::choices::AppendFsync;
use crate::process::offer_processor;
use crate::server::Server;

/// How long changes are gathered where nobody waits for the disk: fewer wake-ups, fewer
/// system calls.
const GATHERING: Duration = Duration::from_millis(2);
/// For how long at most, where replies wait for the disk, others go first.
const COURTESY: Duration = Duration::from_millis(1);
/// The period of `appendfsync everysec`, and of syncs that a commit log makes unnecessary
/// for longer.
const SYNC_PERIOD: Duration = Duration::from_secs(1);
/// With a commit log the disk begins to write the file after so many bytes, so that the
/// sync that follows takes a millisecond and not ten.
const WRITEBACK_BYTES: u64 = 1 << 20;
/// A failed write is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

/// A place in the journal, and what the file is that ends there.
#[derive(Debug, Clone, Copy)]
struct Mark {
    offset: u64,
    length: u64,
    /// The last annotation: what is written again is the same, byte for byte.
    stamp_s: i64,
}

/// The thread's own.
pub(super) struct FileWriter {
    server: Arc<Server>,
    cursor: Cursor,
    file: Box<dyn DiskFile>,
    /// The number of the increment that the file is.
    sequence: u64,
    log: Option<CommitLog>,
    /// Not used again before another increment begins.
    log_has_failed: bool,
    /// Up to where the file is on disk.
    synced: Mark,
    /// Up to where all is on disk, be it in the log.
    durable: u64,
    /// Up to where all was written.
    written: Mark,
    /// From where on the journal is kept, to be written again if need be.
    kept: Mark,
    /// What a failure left behind here could not be cut off yet.
    uncut: Option<u64>,
    /// Up to which byte the disk was asked to begin to write the file.
    begun_length: u64,
    synced_at: Instant,
    policy: AppendFsync,
    /// `aof-commit-log`.
    may_log: bool,
    /// `aof-timestamp-enabled`: what follows an annotation happened in that second or
    /// later, as far as the next one.
    stamps: bool,
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
    /// A writer that goes on at the end of `increment`, with what `cursor` reads.
    pub(super) fn new(server: Arc<Server>, cursor: Cursor, increment: Increment) -> Self {
        let start = Mark {
            offset: cursor.position(),
            length: increment.bytes,
            stamp_s: 0,
        };
        Self {
            synced: start,
            durable: start.offset,
            written: start,
            kept: start,
            begun_length: start.length,
            cursor,
            file: increment.file,
            sequence: increment.sequence,
            log: None,
            log_has_failed: false,
            uncut: None,
            synced_at: Instant::now(),
            policy: server.live().config.persistence.append_fsync,
            may_log: false,
            stamps: false,
            server,
        }
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
        self.may_log = persistence.aof_commit_log;
        // What the log has is written again as it was.
        if self.durable <= self.written.offset {
            self.stamps = persistence.aof_timestamp_enabled;
        }
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
        if let Err(failure) = self.sync_what_is_due(stop || sync) {
            return self.failed(failure, stop);
        }
        self.succeeded();
        if stop {
            self.end_log();
            return Next::Stop;
        }
        if self.policy != AppendFsync::Always && !sync {
            std::thread::sleep(GATHERING);
        }
        let is_behind = self.synced.offset < self.written.offset;
        let patience = (is_behind && self.policy != AppendFsync::No).then(|| {
            let rest = SYNC_PERIOD.saturating_sub(self.synced_at.elapsed());
            rest.max(GATHERING)
        });
        if !self.has_orders() {
            self.cursor.wait(patience);
        }
        Next::Go
    }

    /// Syncs by the policy, or all that there is.
    fn sync_what_is_due(&mut self, all: bool) -> Result<(), Failure> {
        let is_behind = self.synced.offset < self.written.offset;
        if self.log.is_some() != self.uses_log() {
            // A log begins and ends where the file is durable.
            if is_behind {
                return self.sync();
            }
            self.renew_log();
            return Ok(());
        }
        if is_behind && all {
            return self.sync();
        }
        let is_over = self.synced_at.elapsed() >= SYNC_PERIOD;
        match self.policy {
            AppendFsync::Always if self.durable < self.written.offset => self.commit(),
            AppendFsync::Always if is_behind && is_over => self.sync(),
            AppendFsync::EverySecond if is_behind && is_over && !self.spares_the_disk() => {
                self.sync()
            }
            _ => Ok(()),
        }
    }

    /// Offers the processor for as long as somebody takes it and makes changes, so that one
    /// sync serves all clients that a worker was about to serve. Where nobody else wants the
    /// processor this takes a microsecond or two, whatever other processors do.
    fn let_workers_go_first(&self) {
        let journal = &self.server.persistence.journal;
        let began = Instant::now();
        let mut end = journal.end();
        while began.elapsed() < COURTESY {
            let was_taken = offer_processor();
            let before = std::mem::replace(&mut end, journal.end());
            if end == before || !was_taken {
                return;
            }
        }
    }

    fn has_orders(&self) -> bool {
        let orders = self.aof().orders.lock();
        orders.stop || orders.sync
    }

    /// `no-appendfsync-on-rewrite`: the disk is busy with a snapshot.
    fn spares_the_disk(&self) -> bool {
        let live = self.server.live();
        live.config.persistence.no_append_fsync_on_rewrite
            && self.server.persistence.jobs.is_running()
    }

    fn write_all(&mut self) -> Result<(), Failure> {
        if let Some(length) = self.uncut {
            self.cut(length)?;
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
            if let Some(Switch { increment, .. }) = orders.switches.pop_front() {
                self.file = increment.file;
                self.sequence = increment.sequence;
                self.written.length = increment.bytes;
            }
            drop(orders);
            self.written.stamp_s = 0;
            self.synced = self.written;
            self.kept = self.written;
            self.begun_length = self.written.length;
            self.log_has_failed = false;
            self.renew_log();
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
        if self.stamps && second > self.written.stamp_s {
            aof::append_timestamp(&mut stamp, second);
            self.file.write_all(&stamp)?;
        }
        self.file.write_all(bytes)?;
        if let Some(log) = &mut self.log {
            log.note(&stamp);
            log.note(bytes);
        }
        if !stamp.is_empty() {
            self.written.stamp_s = second;
        }
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
        if self.log.is_some() {
            if self.written.length - self.begun_length >= WRITEBACK_BYTES {
                self.file
                    .start_writeback(self.begun_length, self.written.length);
                self.begun_length = self.written.length;
            }
        } else if self.policy != AppendFsync::Always {
            self.kept = self.written;
            self.cursor.release(self.kept.offset);
        }
        Ok(())
    }

    /// Makes durable what somebody waits for.
    fn commit(&mut self) -> Result<(), Failure> {
        if let Some(log) = &mut self.log
            && self.synced_at.elapsed() < SYNC_PERIOD
        {
            match log.commit() {
                Ok(Committed::Yes) => {
                    self.became_durable();
                    return Ok(());
                }
                Ok(Committed::Ended) => {}
                Err(error) => self.note_log_failure(&error),
            }
        }
        self.sync()
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
        self.renew_log();
        self.became_durable();
        Ok(())
    }

    /// Tells everybody who waits that all that was written is durable.
    fn became_durable(&mut self) {
        // After a failure what is durable by the log alone is written again bit by bit.
        self.durable = self.durable.max(self.written.offset);
        // Whoever gets his reply may write again.
        self.succeeded();
        let aof = self.aof();
        aof.offsets.synced.store(self.durable, Ordering::SeqCst);
        tell_workers(&self.server, Tell::Waiting);
        self.server.persistence.waits.serve(&self.server);
        aof.carried_out.notify_all();
    }

    /// Whether there is to be a commit log. Without a base nothing is found again anyway.
    fn uses_log(&self) -> bool {
        self.policy == AppendFsync::Always
            && self.may_log
            && !self.log_has_failed
            && self.aof().phase() == Phase::On
    }

    /// Begins a run of the log, or begins or ends to have one. The file is durable.
    fn renew_log(&mut self) {
        if !self.uses_log() {
            return self.end_log();
        }
        let (sequence, length) = (self.sequence, self.written.length);
        if let Some(log) = &mut self.log {
            return log.restart(sequence, length);
        }
        let folder = self.aof().folder.lock();
        let path = folder.as_ref().map(|folder| folder.place().commit_log());
        drop(folder);
        let disk = self.server.persistence.disk.clone();
        self.log = path.and_then(|path| CommitLog::begin(disk, path, sequence, length));
        self.log_has_failed = self.log.is_none();
    }

    /// Removes the log. The file is durable.
    fn end_log(&mut self) {
        if let Some(Err(error)) = self.log.take().map(CommitLog::remove) {
            self.server.log.warning(&format!(
                "The commit log of the append-only file is no longer needed, but cannot be \
                 removed: {error}"
            ));
        }
    }

    /// Has no more commits made by the log. Those that were made are needed until the file
    /// is synced.
    fn note_log_failure(&mut self, error: &io::Error) {
        self.log_has_failed = true;
        self.server.log.warning(&format!(
            "Cannot write the commit log, so the append-only file itself is synced before each \
             reply, until its next rewrite: {error}"
        ));
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
                if let Some(log) = &mut self.log {
                    // What was not committed is to be noted again.
                    log.abandon();
                }
                if self.kept.offset > self.synced.offset {
                    self.aof().open_gap(self.synced.offset, self.kept.offset);
                }
                ("syncing", error, self.kept)
            }
        };
        self.note_failure(what, &error);
        if let Err(error) = self.cut(whole.length) {
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
        self.begun_length = self.begun_length.min(whole.length);
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

    /// Cuts off what is to be written again.
    fn cut(&mut self, length: u64) -> io::Result<()> {
        if let Some(log) = &mut self.log {
            log.insist()?;
        }
        self.file.set_len(length)
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
