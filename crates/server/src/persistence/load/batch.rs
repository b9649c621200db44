//! The entries of batches: decoded, gathered by stripe, inserted many at a time.
//!
//! A stripe that gets many entries at once is locked once, and the memory that each needs
//! is fetched while others are inserted.

use std::sync::atomic::{AtomicU64, Ordering};

use ochre_rdb::{Batch, LyingEntry, RdbErrorKind};
use ochre_store::load::{Existing, Loaded};
use ochre_store::{Entry, Store};
use ochre_structures::hash::hash_bytes;

use super::{ExpiredKeys, LoadCounts, LoadError, LoadFault, LoadOptions};
use crate::commands::string::value as string;
use crate::persistence::restore;

/// How much of a key an error or a line of the log quotes.
const QUOTED_BYTES: usize = 128;

/// Of how many empty keys each thread speaks in the log.
const EMPTY_NOTES_MAX: u64 = 10;

/// How many entries ahead the table's bucket and the entry are fetched.
const AHEAD: usize = 6;

/// How many entries are gathered before they are inserted: enough that a stripe gets
/// many at once, few enough that they are in a cache still.
const GATHERED: usize = 1 << 17;

/// An entry on its way.
struct Arrival {
    hash: u64,
    entry: Entry,
    /// Where its value is in the file, above the 16 bits of its database.
    origin: u64,
}

impl Arrival {
    fn db(&self) -> u16 {
        self.origin as u16
    }

    fn offset(&self) -> u64 {
        self.origin >> u16::BITS
    }
}

/// How many keys the file says that each database has.
pub(super) struct SizeHints(Vec<AtomicU64>);

impl SizeHints {
    pub(super) fn new(databases: usize) -> Self {
        Self((0..databases).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn note(&self, database: u32, keys: u64) {
        if let Some(hint) = self.0.get(database as usize) {
            hint.store(keys, Ordering::Relaxed);
        }
    }

    fn keys(&self, database: u16) -> u64 {
        let hint = self.0.get(usize::from(database));
        hint.map_or(0, |hint| hint.load(Ordering::Relaxed))
    }
}

/// One thread's insertions, with its room for them.
pub(super) struct Inserter<'j> {
    store: &'j Store,
    options: &'j LoadOptions,
    hints: &'j SizeHints,
    pub(super) counts: LoadCounts,
    pub(super) notes: Vec<String>,
    /// Entries not inserted yet, by stripe.
    gathered: Vec<Vec<Arrival>>,
    waiting: usize,
    /// The stripe at which this thread begins to insert, so that they do not all begin
    /// at one.
    first: u32,
}

impl<'j> Inserter<'j> {
    /// The insertions of thread `number`.
    pub(super) fn new(
        store: &'j Store,
        options: &'j LoadOptions,
        hints: &'j SizeHints,
        number: usize,
    ) -> Self {
        let stripes = store.stripes.count();
        let first = stripes * number / options.threads.max(1);
        Self {
            store,
            options,
            hints,
            counts: LoadCounts::default(),
            notes: Vec::new(),
            gathered: (0..stripes).map(|_| Vec::new()).collect(),
            waiting: 0,
            first: (first % stripes) as u32,
        }
    }

    /// Takes the entries of a batch; returns how many there were.
    pub(super) fn take(&mut self, batch: &Batch) -> Result<u64, LoadError> {
        let before = self.waiting;
        for entry in batch.entries() {
            self.take_entry(entry)?;
        }
        let taken = (self.waiting - before) as u64;
        if self.waiting >= GATHERED {
            self.insert()?;
        }
        Ok(taken)
    }

    #[inline]
    fn take_entry(&mut self, lying: LyingEntry<'_>) -> Result<(), LoadError> {
        let (options, databases) = (self.options, self.store.databases());
        let database = lying.database();
        let Some(db) = u16::try_from(database)
            .ok()
            .filter(|&db| usize::from(db) < databases)
        else {
            let fault = LoadFault::Database {
                database,
                databases,
            };
            return Err(LoadError::new(lying.value_offset(), fault));
        };
        let expiry_ms = lying.expiry_ms();
        let is_past = expiry_ms.is_some_and(|at| at < options.now_ms);
        if is_past && options.expired == ExpiredKeys::Drop {
            self.counts.expired += 1;
            return Ok(());
        }
        let (hash, entry) = if let Some((key, text)) = lying.plain_text() {
            let entry = Entry::new(key, string::payload(text), expiry_ms);
            (hash_bytes(key), entry)
        } else {
            match self.decode(lying)? {
                Some(decoded) => decoded,
                None => return Ok(()),
            }
        };
        let settings = &options.settings;
        let clock = restore::access_clock(settings.access_policy, options.now_ms, lying.access());
        entry.set_access(clock);
        let run = &mut self.gathered[self.store.stripe_of_hash(hash) as usize];
        run.push(Arrival {
            hash,
            entry,
            origin: lying.value_offset() << u16::BITS | u64::from(db),
        });
        self.waiting += 1;
        Ok(())
    }

    /// The entry and the hash of its key; `None` for one that is empty and left out.
    #[inline(never)]
    fn decode(&mut self, lying: LyingEntry<'_>) -> Result<Option<(u64, Entry)>, LoadError> {
        let raw = lying.raw()?;
        let mut digits = itoa::Buffer::new();
        let key = raw.key.as_bytes(&mut digits);
        let value = match raw.decode(self.options.validation) {
            Ok(value) => value,
            Err(error) if matches!(error.kind, RdbErrorKind::Empty) => {
                self.counts.empty += 1;
                if self.counts.empty <= EMPTY_NOTES_MAX {
                    let key = quoted(key).escape_ascii().to_string();
                    self.notes.push(format!("Skipping empty key: {key}"));
                }
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let settings = &self.options.settings;
        let entry = restore::entry(key, value, raw.expiry_ms, settings).map_err(|error| {
            let key = quoted(key).to_vec();
            LoadError::new(raw.value_offset, LoadFault::Value { key, error })
        })?;
        Ok(Some((hash_bytes(key), entry)))
    }

    /// Inserts what was gathered.
    ///
    /// # Errors
    /// A key that is there already, the first in the file of those that are; the others
    /// are inserted.
    pub(super) fn insert(&mut self) -> Result<(), LoadError> {
        let mut refused: Option<LoadError> = None;
        let stripes = self.gathered.len() as u32;
        for index in (self.first..stripes).chain(0..self.first) {
            let run = &mut self.gathered[index as usize];
            if run.is_empty() {
                continue;
            }
            let mut held = self.store.stripes.lock_one(index);
            let Some(stripe) = held.stripe_mut(index) else {
                continue;
            };
            let db = run[0].db();
            let of_db = run.iter().take_while(|arrival| arrival.db() == db);
            let expected = self.hints.keys(db) / u64::from(stripes);
            let expected = usize::try_from(expected).unwrap_or(usize::MAX);
            stripe.reserve_load(db, of_db.count(), expected);
            let mut run = run.drain(..);
            while let Some(arrival) = run.next() {
                if let Some(ahead) = run.as_slice().get(AHEAD) {
                    stripe.prefetch_load(ahead.hash, ahead.db());
                    ahead.entry.prefetch();
                }
                let (db, offset) = (arrival.db(), arrival.offset());
                let (deadlines, existing) = (self.store.deadlines(), self.options.existing);
                let place = (index, arrival.hash);
                match stripe.load(deadlines, place, db, arrival.entry, existing) {
                    Loaded::Inserted | Loaded::Replaced(_) => self.counts.keys += 1,
                    Loaded::Refused(entry) => {
                        let key = quoted(entry.key()).to_vec();
                        if refused.as_ref().is_none_or(|error| offset < error.offset) {
                            let fault = LoadFault::DuplicateKey {
                                database: u32::from(db),
                                key,
                            };
                            refused = Some(LoadError::new(offset, fault));
                        }
                    }
                }
            }
        }
        self.waiting = 0;
        debug_assert!(
            refused.is_none() || self.options.existing == Existing::Refuse,
            "only a key that is there is refused"
        );
        refused.map_or(Ok(()), Err)
    }
}

fn quoted(key: &[u8]) -> &[u8] {
    &key[..key.len().min(QUOTED_BYTES)]
}
