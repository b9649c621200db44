//! Loading what is on disk, at the start and on DEBUG's request.
//!
//! Clients are answered meanwhile: those that need the dataset with an error, INFO with
//! how far it is.
//!
//! Invariant: nothing is written to the files, and no deadline enforced, before all of
//! them are loaded.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use ochre_journal::aof::{AofFolder, FileKind, Opened, Part};
use ochre_rdb::{ChecksumPolicy, Validation};
use ochre_store::load::Existing;

use super::leftovers::remove_torn_snapshots;
use super::load::{self, ExpiredKeys, LoadOptions, LoadProgress, LoadSink, ThreadBegin};
use super::replay::{self, ReplayError};
use super::{jobs, rewrite};
use crate::script::functions::Existing as ExistingLibrary;
use crate::server::Server;
use crate::threads::{self, Duty};

/// How far loading is.
#[derive(Debug, Default)]
pub struct Loading {
    active: AtomicBool,
    /// Unix time in seconds.
    pub started_s: AtomicI64,
    pub total_bytes: AtomicU64,
    /// Bytes of the files that are behind.
    passed_bytes: AtomicU64,
    /// Of the file that is being loaded.
    pub progress: LoadProgress,
    /// Of the last snapshot loaded.
    pub keys_loaded: AtomicU64,
    pub keys_expired: AtomicU64,
}

impl Loading {
    /// Whether the dataset is being loaded.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Has commands that need the dataset refused from now on.
    pub fn begin(&self) {
        self.started_s
            .store(crate::clock::now_ms() / 1000, Ordering::Relaxed);
        self.total_bytes.store(0, Ordering::Relaxed);
        self.passed_bytes.store(0, Ordering::Relaxed);
        self.active.store(true, Ordering::SeqCst);
    }

    /// Lets all commands run.
    pub fn end(&self) {
        self.active.store(false, Ordering::SeqCst);
    }

    /// Has loading end soon, without success.
    pub fn abort(&self) {
        if self.is_active() {
            self.progress.abort();
        }
    }

    /// Bytes loaded so far.
    pub fn loaded_bytes(&self) -> u64 {
        self.passed_bytes.load(Ordering::Relaxed) + self.progress.bytes()
    }

    /// How far it is, for the log.
    pub fn describe(&self) -> String {
        let (loaded, total) = (
            self.loaded_bytes(),
            self.total_bytes.load(Ordering::Relaxed),
        );
        let percent = loaded as f64 * 100.0 / total.max(1) as f64;
        format!("Loading DB in memory: {percent:.1}% ({loaded} of {total} bytes)")
    }

    fn pass_file(&self, bytes: u64) {
        self.progress.set_bytes(0);
        self.passed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Loads what the configuration says on a thread of its own; ends with the reason why
/// that failed.
///
/// # Errors
/// When there can be no thread.
pub fn spawn(server: Arc<Server>) -> io::Result<JoinHandle<Result<(), String>>> {
    std::thread::Builder::new()
        .name("ochre-load-0".into())
        // Replayed commands may be scripts.
        .stack_size(crate::server::WORKER_STACK_BYTES)
        .spawn(move || {
            threads::begin(Duty::Serving, &server.live().config, &server.log);
            let loaded = load_dataset(&server);
            if loaded.is_ok() {
                server.forget_changes();
                server.persistence.loading.end();
                server.reclaimer.ring();
            }
            loaded
        })
}

fn load_dataset(server: &Arc<Server>) -> Result<(), String> {
    let live = server.live();
    let config = &live.config;
    let started = Instant::now();
    remove_torn_snapshots(
        &*server.persistence.disk,
        &jobs::dump_path(config),
        |line| server.log.notice(&line),
    );
    if config.persistence.append_only {
        let disk = server.persistence.disk.clone();
        let (folder, opened) =
            AofFolder::open(disk, rewrite::place(config)).map_err(|error| error.to_string())?;
        let lost = folder
            .restore_commits()
            .map_err(|error| error.to_string())?;
        if let Some(lost) = lost {
            server.log.warning(&format!(
                "{} was not wholly on disk: its last {} bytes were restored from the commit log.",
                lost.increment.display(),
                lost.bytes.len()
            ));
        }
        if opened != Opened::Empty {
            load_aof(server, &folder)?;
            server.log.notice(&format!(
                "DB loaded from append only file: {:.3} seconds",
                started.elapsed().as_secs_f64()
            ));
        }
        if opened == Opened::Empty
            && server
                .persistence
                .disk
                .exists(&jobs::dump_path(config))
                .unwrap_or(false)
        {
            server.log.warning(
                "WARNING: appendonly is on, but there is no append-only file yet: the dataset \
                 begins empty, as in Redis, although there is a dump file. To keep that, start \
                 with appendonly no and switch it on by CONFIG SET appendonly yes.",
            );
        }
        folder
            .remove_leftovers()
            .map_err(|error| error.to_string())?;
        return rewrite::resume(server, folder);
    }
    let path = jobs::dump_path(config);
    if load_rdb_file(server, &path, Existing::Refuse)? {
        server.log.notice(&format!(
            "DB loaded from disk: {:.3} seconds",
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}

/// Loads a snapshot, if it is there. Nobody else works on the keys.
///
/// # Errors
/// What is wrong with the file, and where.
pub fn load_rdb_file(
    server: &Arc<Server>,
    path: &Path,
    existing: Existing,
) -> Result<bool, String> {
    let disk = &server.persistence.disk;
    let name = path.display();
    let input = match disk.read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        input => input.map_err(|error| {
            format!("Fatal error: can't open the RDB file {name} for reading: {error}")
        })?,
    };
    let bytes = disk.len(path).map_err(|error| error.to_string())?;
    let loading = &server.persistence.loading;
    loading.total_bytes.store(bytes, Ordering::Relaxed);
    load_rdb(server, input, ExpiredKeys::Drop, existing).map_err(|error| {
        format!("Fatal error loading the DB, check server logs. {name}: {error}")
    })?;
    loading.pass_file(bytes);
    Ok(true)
}

/// What follows an RDB in its file.
struct Rest {
    /// Where it starts.
    offset: u64,
    input: Box<dyn Read + Send>,
}

fn load_rdb(
    server: &Arc<Server>,
    input: Box<dyn Read + Send>,
    expired: ExpiredKeys,
    existing: Existing,
) -> Result<Rest, String> {
    let live = server.live();
    let checks = live.config.persistence.rdb_checksum
        && !server.switches.skip_checksums.load(Ordering::Relaxed);
    let options = LoadOptions {
        threads: live.config.threads.workers.max(1) as usize,
        begin: ThreadBegin::new({
            let server = server.clone();
            move || threads::begin(Duty::Serving, &server.live().config, &server.log)
        }),
        expired,
        existing,
        checksum: if checks {
            ChecksumPolicy::Verify
        } else {
            ChecksumPolicy::Ignore
        },
        validation: Validation::Packed,
        settings: live.settings.clone(),
        now_ms: crate::clock::now_ms(),
        delay_us: u64::try_from(live.config.testing.key_load_delay_us).unwrap_or(0),
    };
    let loading = &server.persistence.loading;
    let mut sink = Facts {
        server,
        existing: match existing {
            Existing::Refuse => ExistingLibrary::Keep,
            Existing::Replace => ExistingLibrary::Replace,
        },
    };
    let loaded = load::load(&server.store, input, &options, &mut sink, &loading.progress)
        .map_err(|error| error.to_string())?;
    let counts = loaded.counts;
    loading.keys_loaded.store(counts.keys, Ordering::Relaxed);
    loading
        .keys_expired
        .store(counts.expired, Ordering::Relaxed);
    server.log.notice(&format!(
        "Done loading RDB, keys loaded: {}, keys expired: {}, empty keys skipped: {}.",
        counts.keys, counts.expired, counts.empty
    ));
    Ok(Rest {
        offset: loaded.bytes,
        input: Box::new(io::Cursor::new(loaded.rest).chain(loaded.input)),
    })
}

/// Takes what an RDB says besides its keys.
struct Facts<'s> {
    server: &'s Arc<Server>,
    existing: ExistingLibrary,
}

impl LoadSink for Facts<'_> {
    fn aux(&mut self, key: &[u8], value: &[u8]) {
        let value = String::from_utf8_lossy(value);
        let log = &self.server.log;
        match key {
            b"redis-ver" | b"valkey-ver" => {
                log.notice(&format!("Loading RDB produced by version {value}"));
            }
            b"ctime" => {
                if let Ok(created_s) = value.parse::<i64>() {
                    let age_s = (crate::clock::now_ms() / 1000 - created_s).max(0);
                    log.notice(&format!("RDB age {age_s} seconds"));
                }
            }
            b"used-mem" => {
                if let Ok(bytes) = value.parse::<u64>() {
                    let megabytes = bytes as f64 / f64::from(1 << 20);
                    log.notice(&format!("RDB memory usage when created {megabytes:.2} Mb"));
                }
            }
            b"aof-base" if value == "1" => log.notice("RDB is base AOF"),
            _ => {}
        }
    }

    fn function(&mut self, code: &[u8]) -> Result<(), String> {
        replay::load_function(self.server, code, self.existing)
    }

    fn note(&mut self, line: String) {
        self.server.log.notice(&line);
    }
}

/// Loads all files of an append-only file. Nobody else works on the keys.
///
/// # Errors
/// What is wrong with which file, and where.
pub fn load_aof(server: &Arc<Server>, folder: &AofFolder) -> Result<(), String> {
    let parts = folder.parts().map_err(|error| error.to_string())?;
    let loading = &server.persistence.loading;
    let total = parts.iter().map(|part| part.bytes).sum();
    loading.total_bytes.store(total, Ordering::Relaxed);
    for part in &parts {
        let started = Instant::now();
        load_part(server, folder, part)?;
        loading.pass_file(part.bytes);
        let what = match part.kind {
            FileKind::Base => "base",
            _ => "incr",
        };
        server.log.notice(&format!(
            "DB loaded from {what} file {}: {:.3} seconds",
            part.name.display(),
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}

fn load_part(server: &Arc<Server>, folder: &AofFolder, part: &Part) -> Result<(), String> {
    const RDB_MAGIC: &[u8] = b"REDIS";
    let name = part.name.display();
    if part.bytes == 0 {
        return Ok(());
    }
    let mut input = server.persistence.disk.read(&part.path).map_err(|error| {
        format!("Fatal error: can't open the append log file {name} for reading: {error}")
    })?;
    let mut magic = Vec::new();
    (&mut input)
        .take(RDB_MAGIC.len() as u64)
        .read_to_end(&mut magic)
        .map_err(|error| {
            format!("Unrecoverable error reading the append only file {name}: {error}")
        })?;
    let is_rdb = magic == RDB_MAGIC;
    let input: Box<dyn Read + Send> = Box::new(io::Cursor::new(magic).chain(input));
    let rest = if is_rdb {
        if part.kind != FileKind::Base {
            server.log.notice("Reading RDB preamble from AOF file...");
        } else {
            server.log.notice("Reading RDB base file on AOF loading...");
        }
        load_rdb(server, input, ExpiredKeys::Keep, Existing::Refuse).map_err(|error| {
            format!("Error reading the RDB preamble of the AOF file {name}, AOF loading aborted: {error}")
        })?
    } else {
        Rest { offset: 0, input }
    };
    match replay::replay(server, rest.input, rest.offset) {
        Ok(()) => Ok(()),
        Err(ReplayError::Torn { valid_up_to, error }) => {
            mend(server, folder, part, valid_up_to, &error)
        }
        Err(ReplayError::Format(error)) => Err(format!(
            "Bad file format reading the append only file {name}: make a backup of your AOF \
             file, then use ochre check --fix {name}: {error}"
        )),
        Err(ReplayError::Command(error)) => {
            Err(format!("{error} reading the append only file {name}"))
        }
    }
}

/// Cuts off the tail that a crash has left torn, where that is allowed.
fn mend(
    server: &Server,
    folder: &AofFolder,
    part: &Part,
    valid_up_to: u64,
    error: &str,
) -> Result<(), String> {
    let name = part.name.display();
    if !part.is_last {
        return Err(format!(
            "Fatal error: the truncated file is not the last file: {name}: {error}"
        ));
    }
    if !server.live().config.persistence.aof_load_truncated {
        return Err(format!(
            "Unexpected end of file reading the append only file {name}. You can: 1) Make a \
             backup of your AOF file, then use ochre check --fix {name}. 2) Alternatively you \
             can set the 'aof-load-truncated' configuration option to yes and restart the \
             server. {error}"
        ));
    }
    server.log.warning(&format!(
        "!!! Warning: short read while loading the AOF file {name}!!!"
    ));
    server.log.warning(&format!(
        "AOF {name} loaded anyway because aof-load-truncated is enabled. Truncating the AOF at \
         offset {valid_up_to}: {error}"
    ));
    folder
        .truncate(part, valid_up_to)
        .map_err(|error| error.to_string())
}
