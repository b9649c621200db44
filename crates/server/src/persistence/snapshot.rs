//! A snapshot: the keyspace as it was at one offset of the journal, written while
//! everybody goes on. Nothing is forked and nothing copied as a whole.
//!
//! ```text
//!  start (all locks, microseconds)      walk (one stripe's lock at a time)      end
//!  | bits flip, offset noted            | entry not yet marked: encode or       |
//!  |                                    | freeze it, mark it                    |
//!                writers ──► capture: the same for the entry they are about
//!                                     to change, unless it is marked
//! ```
//!
//! Every entry bears a bit; those whose bit differs from their stripe's are not captured
//! yet. What a writer captures is queued here and written by the walking thread, before
//! it goes on, so that the queue stays short. Large values are frozen under the lock and
//! encoded after it. A table that is flushed is handed over whole.
//!
//! Not here: which file, when, and who is told.
//!
//! Invariants: each entry that was there at the start is written exactly once, as it was
//! then; when the walk is over, whether it succeeded or not, every entry is marked.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ochre_rdb::{ChecksumPolicy, Compression, Encoder, Preamble, Version, Writer};
use ochre_store::{Capture, Entry};
use ochre_structures::table::Table;
use parking_lot::Mutex;

use super::image::{self, Captured, FrozenEntry, KeptAccess};
use crate::config::REDIS_VERSION;
use crate::process::offer_processor;
use crate::server::Server;

/// Entries looked at under one hold of a stripe's lock: about 20 µs.
const ENTRIES_PER_SLICE: usize = 64;
/// After so much work where others want the processor, too, the snapshot rests.
const WORK: Duration = Duration::from_micros(300);
/// How long it rests; timers make it half as much more.
const REST: Duration = Duration::from_micros(100);

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An RDB.
    Rdb {
        version: Version,
        compression: Compression,
        checksum: ChecksumPolicy,
        /// Whether it is the base of an append-only file, and says so.
        aof_base: bool,
    },
    /// The commands that make the keys.
    Commands,
}

/// How far a snapshot has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Keys there were at its start.
    pub keys_total: AtomicU64,
    pub keys_done: AtomicU64,
}

/// What a finished snapshot says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub keys: u64,
}

/// What is noted at a snapshot's start, while nobody else does anything.
#[derive(Debug)]
struct Start {
    sizes: Vec<(u16, u64, u64)>,
    functions: Vec<Vec<u8>>,
}

/// Takes a snapshot and writes it to `out`. `at_start` is called with the journal's
/// offset while all locks are held: it must be quick.
///
/// # Errors
/// Those of `out`. Everybody's entries are marked all the same.
pub fn take<W: Write>(
    server: &Server,
    form: Form,
    out: W,
    progress: &Progress,
    at_start: impl FnOnce(u64),
) -> io::Result<(W, Summary)> {
    let queued_bytes = server.persistence.jobs.queued_bytes.clone();
    let capturing = Arc::new(Capturing::new(form, kept_access(server), queued_bytes));
    let start = begin(server, &capturing, at_start);
    let total = start.sizes.iter().map(|(_, keys, _)| keys).sum();
    progress.keys_total.store(total, Ordering::Relaxed);
    let output = Output::start(form, out, &start, server);
    capturing.failed.store(output.is_err(), Ordering::Relaxed);
    let mut walk = Walk {
        server,
        capturing: &capturing,
        turn: Turn::begin(),
        output,
        progress,
        keys: 0,
        delay_us: u64::try_from(server.live().config.testing.rdb_key_save_delay_us).unwrap_or(0),
        buffer: Vec::new(),
        frozen: Vec::new(),
        coder: Coder::new(form),
    };
    for stripe in 0..server.store.stripes.count() as u32 {
        walk.stripe(stripe);
    }
    for stripe in 0..server.store.stripes.count() as u32 {
        let mut held = server.store.stripes.lock_one(stripe);
        if let Some(stripe) = held.stripe_mut(stripe) {
            stripe.set_capture(None);
        }
    }
    walk.write_captured();
    let keys = walk.keys;
    let out = walk.output?.finish()?;
    Ok((out, Summary { keys }))
}

/// Which clocks of access a snapshot keeps: those that the eviction policy looks at.
fn kept_access(server: &Server) -> KeptAccess {
    use crate::config::choices::EvictionPolicy as Policy;
    let live = server.live();
    let now_ms = crate::clock::now_ms();
    match live.config.memory.maxmemory_policy {
        Policy::AllKeysLru | Policy::VolatileLru => KeptAccess::Idle { now_ms },
        Policy::AllKeysLfu | Policy::VolatileLfu => KeptAccess::Frequency {
            now_ms,
            policy: live.settings.access_policy,
        },
        _ => KeptAccess::Nothing,
    }
}

/// Starts the capture everywhere at once.
fn begin(server: &Server, capturing: &Arc<Capturing>, at_start: impl FnOnce(u64)) -> Start {
    let mut held = server.store.stripes.exclusive();
    let mut sizes: Vec<(u16, u64, u64)> = Vec::new();
    for index in 0..server.store.stripes.count() as u32 {
        let Some(stripe) = held.stripe_mut(index) else {
            continue;
        };
        stripe.set_capture(Some(capturing.clone()));
        for (db, database) in stripe
            .databases()
            .filter(|(_, database)| !database.is_empty())
        {
            let (keys, expiring) = (database.len() as u64, database.expiring() as u64);
            match sizes.iter_mut().find(|(of, ..)| *of == db) {
                Some(size) => {
                    size.1 += keys;
                    size.2 += expiring;
                }
                None => sizes.push((db, keys, expiring)),
            }
        }
    }
    let shelf = server.functions.shelf();
    let functions = shelf.libraries().map(|library| library.text.clone());
    let start = Start {
        sizes,
        functions: functions.collect(),
    };
    at_start(server.persistence.journal.begin_section());
    start
}

/// Encodes entries, at once where they are small.
struct Coder {
    /// `None` writes commands.
    encoder: Option<Encoder>,
}

impl Coder {
    fn new(form: Form) -> Self {
        Self {
            encoder: match form {
                Form::Rdb {
                    version,
                    compression,
                    ..
                } => Some(Encoder::new(version, compression)),
                Form::Commands => None,
            },
        }
    }

    fn capture(&mut self, entry: &Entry, kept: KeptAccess, out: &mut Vec<u8>) -> Captured {
        match &mut self.encoder {
            Some(encoder) => image::capture(entry, kept, encoder, out),
            None => image::capture_as_commands(entry, out),
        }
    }
}

/// What writers hand over, and what they need to know for it.
struct Capturing {
    kept: KeptAccess,
    /// Nobody wants the entries any more: they are only marked.
    failed: AtomicBool,
    /// How often databases changed places.
    swaps: AtomicU64,
    /// Whether the queue holds anything.
    filled: AtomicBool,
    /// Bytes of encoded entries in the queue.
    queued_bytes: Arc<AtomicU64>,
    queue: Mutex<Queue>,
}

struct Queue {
    coder: Coder,
    /// Encoded entries, in runs of one database.
    runs: Vec<Run>,
    frozen: Vec<(u16, FrozenEntry)>,
    /// Tables that were flushed, with the bit of entries captured before.
    tables: Vec<(u16, Table<Entry>, bool)>,
    /// The number that a database had at the start, by its number now; those beyond
    /// have kept theirs.
    numbers: Vec<u16>,
}

/// Encoded entries of one database.
struct Run {
    db: u16,
    keys: u64,
    bytes: Vec<u8>,
}

impl Queue {
    fn number(&self, db: u16) -> u16 {
        self.numbers.get(usize::from(db)).copied().unwrap_or(db)
    }
}

impl Capturing {
    fn new(form: Form, kept: KeptAccess, queued_bytes: Arc<AtomicU64>) -> Self {
        Self {
            kept,
            queued_bytes,
            failed: AtomicBool::new(false),
            swaps: AtomicU64::new(0),
            filled: AtomicBool::new(false),
            queue: Mutex::new(Queue {
                coder: Coder::new(form),
                runs: Vec::new(),
                frozen: Vec::new(),
                tables: Vec::new(),
                numbers: Vec::new(),
            }),
        }
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

impl Capture for Capturing {
    fn capture(&self, db: u16, entry: &Entry) {
        if self.has_failed() {
            return;
        }
        let mut queue = self.queue.lock();
        let queue = &mut *queue;
        let db = queue.number(db);
        if queue.runs.last().is_none_or(|run| run.db != db) {
            queue.runs.push(Run {
                db,
                keys: 0,
                bytes: Vec::new(),
            });
        }
        let Some(run) = queue.runs.last_mut() else {
            return;
        };
        let before = run.bytes.len();
        match queue.coder.capture(entry, self.kept, &mut run.bytes) {
            Captured::Encoded => {
                run.keys += 1;
                let added = (run.bytes.len() - before) as u64;
                self.queued_bytes.fetch_add(added, Ordering::Relaxed);
            }
            Captured::Frozen(frozen) => queue.frozen.push((db, frozen)),
        }
        self.filled.store(true, Ordering::Release);
    }

    fn capture_table(&self, db: u16, table: Table<Entry>, bit: bool) {
        let mut queue = self.queue.lock();
        let db = queue.number(db);
        queue.tables.push((db, table, bit));
        self.filled.store(true, Ordering::Release);
    }

    fn databases_swapped(&self, a: u16, b: u16) {
        let mut queue = self.queue.lock();
        let known = queue.numbers.len();
        let needed = usize::from(a.max(b)) + 1;
        if known < needed {
            queue.numbers.extend(known as u16..needed as u16);
        }
        queue.numbers.swap(usize::from(a), usize::from(b));
        self.swaps.fetch_add(1, Ordering::Release);
    }
}

/// A turn of the snapshot on a processor.
struct Turn {
    began: Instant,
    /// Somebody else took the processor when it was offered.
    is_wanted: bool,
}

impl Turn {
    fn begin() -> Self {
        Turn {
            began: Instant::now(),
            is_wanted: false,
        }
    }

    /// Lets others have the processor. Whoever serves clients should not have to wait for
    /// the scheduler to end this thread's turn, which may be milliseconds long; and where
    /// there is more to do than processors, not for this thread at all half of the time.
    fn offer(&mut self) {
        self.is_wanted |= offer_processor();
        if self.is_wanted && self.began.elapsed() >= WORK {
            std::thread::sleep(REST);
            *self = Turn::begin();
        }
    }
}

/// The walk of the one thread that writes.
struct Walk<'w, W: Write> {
    server: &'w Server,
    capturing: &'w Capturing,
    turn: Turn,
    /// After an error the walk goes on, to mark what it passes.
    output: io::Result<Output<W>>,
    progress: &'w Progress,
    keys: u64,
    /// `rdb-key-save-delay`: microseconds a key.
    delay_us: u64,
    buffer: Vec<u8>,
    frozen: Vec<FrozenEntry>,
    coder: Coder,
}

impl<W: Write> Walk<'_, W> {
    /// Captures what is left of a stripe.
    fn stripe(&mut self, index: u32) {
        // When databases change places meanwhile, so may what was passed and what was
        // not. What was passed is marked, and is cheap to pass again.
        while !self.stripe_undisturbed(index) {}
    }

    fn stripe_undisturbed(&mut self, index: u32) -> bool {
        let swaps = self.capturing.swaps.load(Ordering::Acquire);
        let mut db = 0;
        let mut position = Some(0);
        while let Some(from) = position {
            let held = self.server.store.stripes.lock_one(index);
            if self.capturing.swaps.load(Ordering::Acquire) != swaps {
                return false;
            }
            let Some(stripe) = held.stripe(index) else {
                return true;
            };
            let bit = stripe.snapshot_bit();
            let Some(database) = stripe.database(db) else {
                return true;
            };
            let number = self.capturing.queue.lock().number(db);
            let is_wanted = self.output.is_ok();
            let mut keys = 0;
            position = database.table().scan(from, ENTRIES_PER_SLICE, |entry| {
                if entry.snapshot_bit() == bit {
                    return;
                }
                entry.set_snapshot_bit(bit);
                keys += 1;
                if is_wanted
                    && let Captured::Frozen(frozen) =
                        self.coder
                            .capture(entry, self.capturing.kept, &mut self.buffer)
                {
                    self.frozen.push(frozen);
                }
            });
            drop(held);
            if position.is_none() {
                db += 1;
                position = Some(0);
            }
            self.write_slice(number, keys);
            self.turn.offer();
            if self.capturing.filled.load(Ordering::Acquire) {
                self.write_captured();
            }
        }
        true
    }

    /// Writes what the slice has collected.
    fn write_slice(&mut self, db: u16, keys: u64) {
        self.count(keys);
        let bytes = std::mem::take(&mut self.buffer);
        let frozen = std::mem::take(&mut self.frozen);
        self.attempt(|output| {
            output.encoded(db, &bytes)?;
            frozen
                .into_iter()
                .try_for_each(|entry| output.frozen(db, entry))
        });
        self.buffer = bytes;
        self.buffer.clear();
    }

    /// Writes what writers have handed over.
    fn write_captured(&mut self) {
        let (runs, frozen, tables) = {
            let mut queue = self.capturing.queue.lock();
            self.capturing.filled.store(false, Ordering::Relaxed);
            self.capturing.queued_bytes.store(0, Ordering::Relaxed);
            (
                std::mem::take(&mut queue.runs),
                std::mem::take(&mut queue.frozen),
                std::mem::take(&mut queue.tables),
            )
        };
        self.count(runs.iter().map(|run| run.keys).sum::<u64>() + frozen.len() as u64);
        self.attempt(|output| {
            for run in &runs {
                output.encoded(run.db, &run.bytes)?;
            }
            frozen
                .into_iter()
                .try_for_each(|(db, entry)| output.frozen(db, entry))
        });
        for (db, table, bit) in tables {
            for entry in table.iter().filter(|entry| entry.snapshot_bit() != bit) {
                if self.output.is_err() {
                    break;
                }
                if let Captured::Frozen(frozen) =
                    self.coder
                        .capture(entry, self.capturing.kept, &mut self.buffer)
                {
                    self.frozen.push(frozen);
                }
                self.write_slice(db, 1);
            }
        }
    }

    fn count(&mut self, keys: u64) {
        self.keys += keys;
        if self.delay_us > 0 && self.output.is_ok() {
            std::thread::sleep(Duration::from_micros(self.delay_us.saturating_mul(keys)));
        }
        self.progress.keys_done.fetch_add(keys, Ordering::Relaxed);
    }

    /// Writes, unless that has failed before.
    fn attempt(&mut self, write: impl FnOnce(&mut Output<W>) -> io::Result<()>) {
        let Ok(output) = &mut self.output else {
            return;
        };
        if let Err(error) = write(output) {
            self.capturing.failed.store(true, Ordering::Relaxed);
            self.output = Err(error);
        }
    }
}

/// The file in the making.
struct Output<W: Write> {
    target: Target<W>,
    selected: Option<u16>,
    sizes: Vec<(u16, u64, u64)>,
}

enum Target<W: Write> {
    Rdb(Box<Writer<W>>),
    Commands(io::BufWriter<W>),
}

impl<W: Write> Output<W> {
    fn start(form: Form, out: W, start: &Start, server: &Server) -> io::Result<Self> {
        let target = match form {
            Form::Rdb {
                version,
                compression,
                checksum,
                aof_base,
            } => {
                let mut writer = Writer::new(out, Encoder::new(version, compression), checksum)?;
                writer.preamble(&Preamble {
                    redis_version: REDIS_VERSION,
                    created_s: crate::clock::now_ms() / 1000,
                    used_memory: server.memory.measure().allocated_bytes,
                    replication: None,
                    aof_base,
                })?;
                for text in &start.functions {
                    writer.function(text)?;
                }
                Target::Rdb(Box::new(writer))
            }
            Form::Commands => {
                let mut writer = io::BufWriter::with_capacity(64 << 10, out);
                for text in &start.functions {
                    command(&mut writer, &[b"FUNCTION", b"LOAD", text])?;
                }
                Target::Commands(writer)
            }
        };
        Ok(Self {
            target,
            selected: None,
            sizes: start.sizes.clone(),
        })
    }

    fn select(&mut self, db: u16) -> io::Result<()> {
        if self.selected == Some(db) {
            return Ok(());
        }
        self.selected = Some(db);
        match &mut self.target {
            Target::Rdb(writer) => {
                writer.select_db(u32::from(db))?;
                // Once: it is a hint to make room.
                if let Some(at) = self.sizes.iter().position(|(of, ..)| *of == db) {
                    let (_, keys, expiring) = self.sizes.swap_remove(at);
                    writer.resize_db(keys, expiring)?;
                }
                Ok(())
            }
            Target::Commands(writer) => command(writer, &[b"SELECT", db.to_string().as_bytes()]),
        }
    }

    fn encoded(&mut self, db: u16, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.select(db)?;
        match &mut self.target {
            Target::Rdb(writer) => writer.write_all(bytes),
            Target::Commands(writer) => writer.write_all(bytes),
        }
    }

    fn frozen(&mut self, db: u16, entry: FrozenEntry) -> io::Result<()> {
        self.select(db)?;
        match &mut self.target {
            Target::Rdb(writer) => {
                let (encoder, out) = writer.parts();
                entry.encode(encoder, out)
            }
            Target::Commands(writer) => entry.encode_as_commands(writer),
        }
    }

    fn finish(self) -> io::Result<W> {
        match self.target {
            Target::Rdb(writer) => writer.finish(),
            Target::Commands(writer) => writer.into_inner().map_err(|error| error.into_error()),
        }
    }
}

/// Writes a command in the form of the protocol.
fn command(out: &mut impl Write, words: &[&[u8]]) -> io::Result<()> {
    let mut bytes = Vec::new();
    ochre_journal::aof::append_command(&mut bytes, words);
    out.write_all(&bytes)
}
