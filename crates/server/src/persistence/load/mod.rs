//! A whole RDB into the store, by all cores.
//!
//! ```text
//!            ┌─ thread ─┐ lock │ next_batch, facts │ unlock │ decode │ now and then
//!   input ───┤  thread  ├──────┴───────────────────┴────────┴────────┴ insert, by stripe
//!            └─ thread ─┘
//! ```
//!
//! Every thread takes a batch from the one reader in turn, which only finds where items
//! end (and sums them up), then decodes the batch's entries and gathers them by stripe.
//! When it has gathered enough it inserts them: one lock for all entries of a stripe,
//! one stripe at a time. The file says how many keys a database has, so a stripe's table
//! is made as large as it will be, once. What is no entry (facts about the file, function libraries)
//! goes to a [`LoadSink`] in the order of the file.
//!
//! Nobody else may work on the store. After an error the store holds a part of the
//! keys.
//!
//! Invariant: memory in flight is a few batches, and 24 bytes for each of the entries
//! gathered, whose number is bounded; what the file announces is believed up to a small
//! multiple of what came already.

mod batch;
mod error;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ochre_rdb::{Batch, ChecksumPolicy, ChecksumState, Item, Reader, Validation};
use ochre_store::load::Existing;
use ochre_store::{Settings, Store};
use parking_lot::Mutex;

use batch::{Inserter, SizeHints};
pub use error::{LoadError, LoadFault};

/// How many bytes of the file a batch has, about: enough for the threads to meet rarely,
/// little enough to stay in a core's cache.
const BATCH_BYTES: usize = 1 << 18;

/// What becomes of keys whose deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpiredKeys {
    /// They are left out, as a primary does.
    #[default]
    Drop,
    /// They are kept, as a replica does, whose primary says when they go, and whoever
    /// reads on in an append-only file.
    Keep,
}

/// What a thread does before it works.
#[derive(Clone)]
pub struct ThreadBegin(Arc<dyn Fn() + Send + Sync>);

impl ThreadBegin {
    /// It does this.
    pub fn new(begin: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(begin))
    }
}

impl Default for ThreadBegin {
    /// Nothing.
    fn default() -> Self {
        Self::new(|| {})
    }
}

impl std::fmt::Debug for ThreadBegin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ThreadBegin")
    }
}

/// How to load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// How many threads work, the caller's included; at least one.
    pub threads: usize,
    /// What the others do first.
    pub begin: ThreadBegin,
    pub expired: ExpiredKeys,
    /// What is done about keys that are there already, those of this file included. Of
    /// two of one name in the file itself, which Redis never writes, either may stay.
    pub existing: Existing,
    pub checksum: ChecksumPolicy,
    /// How much of each value is checked. Members and fields that come one by one are
    /// found to be distinct by making tables of them, so [`Validation::Packed`] is all.
    pub validation: Validation,
    /// The thresholds by which values get their encodings.
    pub settings: Settings,
    /// Unix time in milliseconds.
    pub now_ms: i64,
    /// `key-load-delay`: microseconds of delay after each key, for tests.
    pub delay_us: u64,
}

/// Takes what is no entry, in the order of the file.
pub trait LoadSink: Send {
    /// A fact about the file: `redis-ver`, `repl-id`, `aof-base` …
    fn aux(&mut self, _key: &[u8], _value: &[u8]) {}

    /// The code of a function library.
    ///
    /// # Errors
    /// Why it cannot be loaded; the load ends.
    fn function(&mut self, code: &[u8]) -> Result<(), String>;

    /// A line for the log.
    fn note(&mut self, _line: String) {}
}

/// How far a load is, for others to see; and the way to end it.
#[derive(Debug, Default)]
pub struct LoadProgress {
    bytes: AtomicU64,
    keys: AtomicU64,
    aborted: AtomicBool,
}

impl LoadProgress {
    /// Bytes of the file passed so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Keys read so far, and inserted or about to be.
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    /// Has the load end soon, with [`LoadFault::Aborted`].
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
    }

    /// Says how far a load is that is none of an RDB.
    pub fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }
}

/// What was found in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadCounts {
    /// Keys inserted, those that took another's place included.
    pub keys: u64,
    /// Keys that were past their deadline and left out.
    pub expired: u64,
    /// Keys without elements, which were left out: some versions of Redis wrote such.
    pub empty: u64,
}

impl LoadCounts {
    fn add(&mut self, other: &Self) {
        self.keys += other.keys;
        self.expired += other.expired;
        self.empty += other.empty;
    }
}

/// A load that succeeded.
#[derive(Debug)]
pub struct LoadedFile<R> {
    pub counts: LoadCounts,
    /// The length of the RDB.
    pub bytes: u64,
    /// The version of its format.
    pub version: u32,
    pub checksum: ChecksumState,
    /// The input, from which nothing was read that is not here or in `rest`.
    pub input: R,
    /// What was read beyond the end of the RDB.
    pub rest: Vec<u8>,
}

/// Loads the RDB that `input` begins with.
///
/// # Errors
/// What is wrong with the file, and where; that it could not be read; or that the load
/// was aborted.
pub fn load<R: Read + Send>(
    store: &Store,
    input: R,
    options: &LoadOptions,
    sink: &mut dyn LoadSink,
    progress: &LoadProgress,
) -> Result<LoadedFile<R>, LoadError> {
    let job = Job {
        store,
        options,
        progress,
        hints: SizeHints::new(store.databases()),
        source: Mutex::new(Source {
            database: 0,
            reader: Reader::new(input, options.checksum),
            sink,
            checksum: ChecksumState::Absent,
            ended: false,
        }),
        counts: Mutex::new(LoadCounts::default()),
        failure: Mutex::new(None),
        failed: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        for number in 1..options.threads {
            let job = &job;
            let started = std::thread::Builder::new()
                .name(format!("ochre-load-{number}"))
                .spawn_scoped(scope, move || {
                    (job.options.begin.0)();
                    job.work(number);
                });
            if started.is_err() {
                // Fewer do the work then.
                break;
            }
        }
        job.work(0);
    });
    if let Some(failure) = job.failure.into_inner() {
        return Err(failure);
    }
    let source = job.source.into_inner();
    let (bytes, version) = (source.reader.offset(), source.reader.version());
    let (input, rest) = source.reader.into_input();
    Ok(LoadedFile {
        counts: job.counts.into_inner(),
        bytes,
        version: version.unwrap_or_default(),
        checksum: source.checksum,
        input,
        rest,
    })
}

/// What the threads share.
struct Job<'j, R> {
    store: &'j Store,
    options: &'j LoadOptions,
    progress: &'j LoadProgress,
    hints: SizeHints,
    source: Mutex<Source<'j, R>>,
    counts: Mutex<LoadCounts>,
    /// The failure that comes first in the file, of those met.
    failure: Mutex<Option<LoadError>>,
    failed: AtomicBool,
}

struct Source<'j, R> {
    /// The database that a hint about sizes concerns.
    database: u32,
    reader: Reader<R>,
    sink: &'j mut dyn LoadSink,
    checksum: ChecksumState,
    ended: bool,
}

impl<R: Read + Send> Job<'_, R> {
    fn work(&self, number: usize) {
        let mut inserter = Inserter::new(self.store, self.options, &self.hints, number);
        let mut used = None;
        while !self.failed.load(Ordering::Relaxed) {
            if self.progress.is_aborted() {
                self.fail(LoadError::new(self.progress.bytes(), LoadFault::Aborted));
                break;
            }
            let batch = match self.next_batch(used.take()) {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(failure) => {
                    self.fail(failure);
                    break;
                }
            };
            match inserter.take(&batch) {
                Ok(keys) => {
                    self.progress.keys.fetch_add(keys, Ordering::Relaxed);
                    let delay_us = self.options.delay_us.saturating_mul(keys);
                    if delay_us > 0 {
                        std::thread::sleep(Duration::from_micros(delay_us));
                    }
                }
                Err(failure) => {
                    self.fail(failure);
                    break;
                }
            };
            used = Some(batch);
        }
        if let Err(failure) = inserter.insert() {
            self.fail(failure);
        }
        self.counts.lock().add(&inserter.counts);
        if !inserter.notes.is_empty() {
            let mut source = self.source.lock();
            for note in inserter.notes {
                source.sink.note(note);
            }
        }
    }

    /// The next batch; its items that are no entries were dealt with.
    fn next_batch(&self, used: Option<Batch>) -> Result<Option<Batch>, LoadError> {
        let mut source = self.source.lock();
        if let Some(used) = used {
            source.reader.recycle(used);
        }
        if source.ended {
            return Ok(None);
        }
        let found = source.reader.next_batch(BATCH_BYTES);
        let Some(batch) = found.inspect_err(|_| source.ended = true)? else {
            source.ended = true;
            return Ok(None);
        };
        self.progress
            .bytes
            .store(source.reader.offset(), Ordering::Relaxed);
        let facts = source.take_facts(&batch, &self.hints);
        facts.inspect_err(|_| source.ended = true)?;
        Ok(Some(batch))
    }

    fn fail(&self, failure: LoadError) {
        self.failed.store(true, Ordering::Relaxed);
        let mut first = self.failure.lock();
        if first
            .as_ref()
            .is_none_or(|first| failure.offset < first.offset)
        {
            *first = Some(failure);
        }
    }
}

impl<R> Source<'_, R> {
    fn take_facts(&mut self, batch: &Batch, hints: &SizeHints) -> Result<(), LoadError> {
        let mut digits = (itoa::Buffer::new(), itoa::Buffer::new());
        for item in batch.facts() {
            match item? {
                Item::Aux { key, value } => self
                    .sink
                    .aux(key.as_bytes(&mut digits.0), value.as_bytes(&mut digits.1)),
                Item::Function(code) => {
                    let loaded = self.sink.function(code.as_bytes(&mut digits.0));
                    loaded
                        .map_err(|why| LoadError::new(batch.offset(), LoadFault::Function(why)))?;
                }
                Item::ModuleAux { module } => {
                    let fault = LoadFault::ModuleAux(module);
                    return Err(LoadError::new(batch.offset(), fault));
                }
                Item::Eof(checksum) => self.checksum = checksum,
                Item::SelectDb(database) => self.database = database,
                Item::ResizeDb { keys, .. } => hints.note(self.database, keys),
                Item::SlotInfo { .. } | Item::Entry(_) => (),
            }
        }
        Ok(())
    }
}
