//! Snapshots into files: SAVE, BGSAVE, BGREWRITEAOF, the save rules. One at a time, each
//! on a thread of its own.
//!
//! ```text
//!            begin                        finish
//!   idle ------------> running(kind) ------------> idle, outcome noted, the next
//!                          |                       scheduled one begun
//!            another kind asks: scheduled, or refused
//! ```
//!
//! Not here: how a snapshot is taken (`snapshot`), what an append-only file is made of
//! (`rewrite`).
//!
//! Invariant: whoever took a [`Ticket`] finishes it, by dropping it at the latest.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ochre_journal::disk::{DiskFile, folder_of};
use ochre_rdb::{ChecksumPolicy, Compression, Version};
use parking_lot::{Condvar, Mutex};

use super::aof::Phase;
use super::rewrite;
use super::snapshot::{self, Form, Progress};
use crate::blocking::Blocked;
use crate::config::Config;
use crate::config::choices::RdbVersion;
use crate::server::Server;
use crate::threads::{self, Duty};

/// After so many seconds a failed snapshot of the save rules is tried again.
const RETRY_SECONDS: i64 = 5;
/// So many rewrites may fail in a row before the next attempts are put off.
const FREE_REWRITE_FAILURES: u64 = 2;
/// For how long attempts are put off at most.
const REWRITE_DELAY_MINUTES_MAX: i64 = 60;

/// A snapshot's file is sent towards the disk in steps of this size, so that the end has
/// little to wait for and other files are not held up.
const WRITEBACK_BYTES: u64 = 4 << 20;

/// What a snapshot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SAVE and the like: somebody waits for it.
    Save,
    /// BGSAVE and the save rules.
    BackgroundSave,
    /// BGREWRITEAOF and automatic rewrites.
    Rewrite,
}

/// The snapshot that is being taken.
#[derive(Debug, Clone)]
pub struct Job {
    pub kind: Kind,
    pub started: Instant,
    pub progress: Arc<Progress>,
}

/// How the last ones went, and what is to come.
#[derive(Debug, Clone)]
pub struct Status {
    pub running: Option<Job>,
    pub save_scheduled: bool,
    pub rewrite_scheduled: bool,
    pub last_save_failed: bool,
    /// Unix time in seconds.
    pub last_save_attempt_s: i64,
    pub last_background_save_seconds: Option<u64>,
    pub saves: u64,
    pub last_rewrite_failed: bool,
    pub last_rewrite_seconds: Option<u64>,
    pub rewrites: u64,
    pub rewrite_failures_in_a_row: u64,
    /// When an automatic rewrite may be tried again, Unix time in seconds.
    rewrite_not_before_s: i64,
}

/// The snapshots of a server.
#[derive(Debug)]
pub struct Jobs {
    status: Mutex<Status>,
    ended: Condvar,
    /// Clients that wait for a SAVE, by what their connection waits with.
    savers: Mutex<Vec<Arc<Blocked>>>,
    /// The client that asked for the one that is about to begin, and is told when the
    /// moment that it shows is past.
    starter: Mutex<Option<Arc<Blocked>>>,
    /// Bytes that writers have captured for it and that are not written yet.
    pub queued_bytes: Arc<AtomicU64>,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            status: Mutex::new(Status {
                running: None,
                save_scheduled: false,
                rewrite_scheduled: false,
                last_save_failed: false,
                last_save_attempt_s: 0,
                last_background_save_seconds: None,
                saves: 0,
                last_rewrite_failed: false,
                last_rewrite_seconds: None,
                rewrites: 0,
                rewrite_failures_in_a_row: 0,
                rewrite_not_before_s: 0,
            }),
            ended: Condvar::new(),
            savers: Mutex::default(),
            starter: Mutex::default(),
            queued_bytes: Arc::default(),
        }
    }
}

/// The right to take the next snapshot.
pub struct Ticket {
    server: Arc<Server>,
    job: Job,
    succeeded: bool,
}

impl Jobs {
    pub fn status(&self) -> Status {
        self.status.lock().clone()
    }

    /// Whether a snapshot is being taken.
    pub fn is_running(&self) -> bool {
        self.status.lock().running.is_some()
    }

    /// Has a background save begun when the one that runs has ended.
    pub fn schedule_save(&self) {
        self.status.lock().save_scheduled = true;
    }

    /// Has a rewrite begun when the one that runs has ended.
    pub fn schedule_rewrite(&self) {
        self.status.lock().rewrite_scheduled = true;
    }

    /// Tells the client that asked for a snapshot that it has begun, or that it could not.
    fn tell_starter(&self, reply: &'static [u8]) {
        if let Some(client) = self.starter.lock().take() {
            client.finish(reply.to_vec());
        }
    }

    /// Waits until none is running.
    pub fn wait_until_idle(&self) {
        let mut status = self.status.lock();
        while status.running.is_some() {
            self.ended.wait(&mut status);
        }
    }
}

impl Ticket {
    /// Takes the turn, if nobody has it.
    ///
    /// # Errors
    /// What is running.
    pub fn take(server: &Arc<Server>, kind: Kind) -> Result<Self, Kind> {
        let mut status = server.persistence.jobs.status.lock();
        if let Some(running) = &status.running {
            return Err(running.kind);
        }
        let job = Job {
            kind,
            started: Instant::now(),
            progress: Arc::default(),
        };
        match kind {
            Kind::Save | Kind::BackgroundSave => {
                status.save_scheduled = false;
                status.last_save_attempt_s = crate::clock::now_ms() / 1000;
            }
            Kind::Rewrite => status.rewrite_scheduled = false,
        }
        status.running = Some(job.clone());
        Ok(Self {
            server: server.clone(),
            job,
            succeeded: false,
        })
    }

    /// Says so in the log and does the work on a thread of its own.
    fn begin(self) {
        announce(&self.server, self.job.kind);
        self.run_in_background();
    }

    /// Does the work on a thread of its own.
    pub fn run_in_background(self) {
        let server = self.server.clone();
        let thread = std::thread::Builder::new()
            .name("ochre-snapshot".into())
            .spawn(move || {
                let duty = match self.job.kind {
                    Kind::Rewrite => Duty::Rewrite,
                    Kind::Save | Kind::BackgroundSave => Duty::Snapshot,
                };
                threads::begin(duty, &self.server.live().config, &self.server.log);
                crate::process::yield_to_others();
                // The outcome is noted and logged.
                let _ = self.run();
            });
        if let Err(error) = thread {
            server
                .log
                .warning(&format!("Can't start a thread for a snapshot: {error}"));
        }
    }

    /// Does the work, here. The text of an error has been logged.
    ///
    /// # Errors
    /// What failed.
    pub fn run(mut self) -> Result<(), String> {
        let result = match self.job.kind {
            Kind::Save | Kind::BackgroundSave => save(&self.server, &self.job.progress),
            Kind::Rewrite => rewrite::run(&self.server, &self.job.progress),
        };
        self.succeeded = result.is_ok();
        if let (Kind::BackgroundSave, Ok(())) = (self.job.kind, &result) {
            self.server
                .log
                .notice("Background saving terminated with success");
        }
        result
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let server = &self.server;
        let jobs = &server.persistence.jobs;
        let seconds = self.job.started.elapsed().as_secs();
        let now_s = crate::clock::now_ms() / 1000;
        let mut status = jobs.status.lock();
        match self.job.kind {
            Kind::Save | Kind::BackgroundSave => {
                if self.job.kind == Kind::BackgroundSave {
                    status.last_background_save_seconds = Some(seconds);
                }
                status.last_save_failed = !self.succeeded;
                if self.succeeded {
                    status.saves += 1;
                    server.last_save_s.store(now_s, Ordering::Relaxed);
                }
            }
            Kind::Rewrite => {
                status.last_rewrite_failed = !self.succeeded;
                status.last_rewrite_seconds = Some(seconds);
                status.rewrites += 1;
                if self.succeeded {
                    status.rewrite_failures_in_a_row = 0;
                } else {
                    status.rewrite_failures_in_a_row += 1;
                    let failures = status.rewrite_failures_in_a_row;
                    if let Some(beyond @ 1..) = failures.checked_sub(FREE_REWRITE_FAILURES) {
                        let minutes = (1 << beyond.min(7) >> 1).min(REWRITE_DELAY_MINUTES_MAX);
                        status.rewrite_not_before_s = now_s + 60 * minutes;
                    }
                }
            }
        }
        jobs.tell_starter(match self.job.kind {
            Kind::Rewrite => {
                b"-ERR Can't execute an AOF background rewriting. Please check the server logs \
                  for more information.\r\n"
            }
            _ => b"-ERR can't take a snapshot: see the log\r\n",
        });
        status.running = None;
        let failed = status.last_save_failed;
        drop(status);
        server.persistence.note_save_outcome(failed);
        jobs.ended.notify_all();
        if matches!(self.job.kind, Kind::Save) {
            for client in jobs.savers.lock().drain(..) {
                let reply: &[u8] = if self.succeeded {
                    b"+OK\r\n"
                } else {
                    b"-ERR error while saving the dataset: see the log\r\n"
                };
                client.finish(reply.to_vec());
            }
        }
        begin_scheduled(server);
    }
}

/// Begins a snapshot in the background and answers `client` when it has begun: what the
/// client does from then on is not in it.
pub fn begin_for(server: &Arc<Server>, kind: Kind, client: Arc<Blocked>) {
    match Ticket::take(server, kind) {
        Ok(ticket) => {
            *server.persistence.jobs.starter.lock() = Some(client);
            ticket.begin();
        }
        Err(_) => client.finish(b"-ERR Background save already in progress\r\n".to_vec()),
    }
}

/// Takes a snapshot and answers `client` when it is on disk: SAVE.
pub fn save_for(server: &Arc<Server>, client: Arc<Blocked>) {
    match Ticket::take(server, Kind::Save) {
        Ok(ticket) => {
            server.persistence.jobs.savers.lock().push(client);
            ticket.run_in_background();
        }
        Err(_) => client.finish(b"-ERR Background save already in progress\r\n".to_vec()),
    }
}

/// Begins what was scheduled, if nothing runs.
pub fn begin_scheduled(server: &Arc<Server>) {
    let status = server.persistence.jobs.status();
    if status.running.is_some() {
        return;
    }
    let ticket = if status.rewrite_scheduled {
        Ticket::take(server, Kind::Rewrite)
    } else if status.save_scheduled {
        Ticket::take(server, Kind::BackgroundSave)
    } else {
        return;
    };
    // Where somebody was faster, it will be begun after that.
    if let Ok(ticket) = ticket {
        ticket.begin();
    }
}

/// Logs the begin of a snapshot in the background.
fn announce(server: &Server, kind: Kind) {
    let pid = std::process::id();
    match kind {
        Kind::Save => {}
        Kind::BackgroundSave => server
            .log
            .notice(&format!("Background saving started by pid {pid}")),
        Kind::Rewrite => server.log.notice(&format!(
            "Background append only file rewriting started by pid {pid}"
        )),
    }
}

/// What the save rules and the growth of the append-only file ask for: called about once
/// a second.
pub fn look_after(server: &Arc<Server>) {
    begin_scheduled(server);
    let status = server.persistence.jobs.status();
    if status.running.is_some() {
        return;
    }
    let live = server.live();
    let persistence = &live.config.persistence;
    let now_s = crate::clock::now_ms() / 1000;
    let since_s = now_s - server.last_save_s.load(Ordering::Relaxed);
    let changes = server.changes();
    let may_try = !status.last_save_failed || now_s - status.last_save_attempt_s > RETRY_SECONDS;
    let due = persistence
        .save
        .0
        .iter()
        .find(|rule| changes >= rule.changes && since_s > rule.seconds as i64);
    if let Some(rule) = due
        && may_try
    {
        let Ok(ticket) = Ticket::take(server, Kind::BackgroundSave) else {
            return;
        };
        server.log.notice(&format!(
            "{} changes in {} seconds. Saving...",
            rule.changes, rule.seconds
        ));
        return ticket.begin();
    }
    if now_s < status.rewrite_not_before_s {
        return;
    }
    if server.persistence.aof.phase() == Phase::WaitsForRewrite {
        // The first base could not be written, and there is no append-only file before it.
        if let Ok(ticket) = Ticket::take(server, Kind::Rewrite) {
            ticket.begin();
        }
        return;
    }
    if server.persistence.aof.has_gap() && !server.persistence.aof.is_failing() {
        // A rewrite that was to close it has failed.
        if let Ok(ticket) = Ticket::take(server, Kind::Rewrite) {
            ticket.begin();
        }
        return;
    }
    if let Some(growth) = rewrite::growth_percent(server)
        && let Ok(ticket) = Ticket::take(server, Kind::Rewrite)
    {
        server.log.notice(&format!(
            "Starting automatic rewriting of AOF on {growth}% growth"
        ));
        ticket.begin();
    }
}

/// The form of RDB that the configuration asks for.
pub fn rdb_form(config: &Config, aof_base: bool) -> Form {
    let persistence = &config.persistence;
    Form::Rdb {
        version: match persistence.rdb_version {
            RdbVersion::V10 => Version::V10,
            RdbVersion::V11 => Version::V11,
        },
        compression: if persistence.rdb_compression {
            Compression::Lzf
        } else {
            Compression::Off
        },
        checksum: if persistence.rdb_checksum {
            ChecksumPolicy::Verify
        } else {
            ChecksumPolicy::Ignore
        },
        aof_base,
    }
}

/// Where the snapshot of the configuration is.
pub fn dump_path(config: &Config) -> PathBuf {
    config.persistence.dir.join(&config.persistence.db_filename)
}

/// Writes the snapshot that the configuration names.
fn save(server: &Arc<Server>, progress: &Progress) -> Result<(), String> {
    let live = server.live();
    let config = &live.config;
    let path = dump_path(config);
    let temporary = config
        .persistence
        .dir
        .join(format!("temp-{}.rdb", std::process::id()));
    let mut changes = 0;
    let result = write_snapshot(
        server,
        &temporary,
        rdb_form(config, false),
        progress,
        |_| changes = server.changes(),
    )
    .and_then(|()| {
        let disk = &*server.persistence.disk;
        disk.rename(&temporary, &path)?;
        disk.sync_folder(folder_of(&path))
    });
    match result {
        Ok(()) => {
            server.uncount_changes(changes);
            server.log.notice("DB saved on disk");
            Ok(())
        }
        Err(error) => {
            // What is left of it is of no use.
            let _ = server.persistence.disk.remove(&temporary);
            let text = format!("Write error saving DB on disk({}): {error}", path.display());
            server.log.warning(&text);
            Err(text)
        }
    }
}

/// Writes a snapshot into a new file, wholly and durably.
///
/// # Errors
/// Those of the disk.
pub fn write_snapshot(
    server: &Server,
    path: &Path,
    form: Form,
    progress: &Progress,
    at_start: impl FnOnce(u64),
) -> std::io::Result<()> {
    let file = server.persistence.disk.create(path);
    let jobs = &server.persistence.jobs;
    let is_rewrite = jobs
        .status()
        .running
        .is_some_and(|job| job.kind == Kind::Rewrite);
    let (mut out, _) = snapshot::take(
        server,
        form,
        Paced {
            file,
            written: 0,
            sent: 0,
        },
        progress,
        |offset| {
            at_start(offset);
            jobs.tell_starter(if is_rewrite {
                b"+Background append only file rewriting started\r\n"
            } else {
                b"+Background saving started\r\n"
            });
        },
    )?;
    match &mut out.file {
        Ok(file) => file.sync_data(),
        Err(_) => Ok(()),
    }
}

/// A file whose bytes are sent towards the disk as they come. One that could not be made
/// fails on the first write: the snapshot has to be gone through all the same.
struct Paced {
    file: std::io::Result<Box<dyn DiskFile>>,
    written: u64,
    sent: u64,
}

impl Write for Paced {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let file = match &mut self.file {
            Ok(file) => file,
            Err(error) => return Err(std::io::Error::new(error.kind(), error.to_string())),
        };
        let count = file.write(bytes)?;
        // Large values are encoded in one go: see the walk of a snapshot.
        std::thread::yield_now();
        self.written += count as u64;
        if self.written - self.sent >= WRITEBACK_BYTES {
            file.start_writeback(self.sent, self.written);
            self.sent = self.written;
        }
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.file {
            Ok(file) => file.flush(),
            Err(_) => Ok(()),
        }
    }
}
