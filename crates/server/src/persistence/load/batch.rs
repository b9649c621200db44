//! The entries of batches: decoded, gathered by stripe, inserted many at a time.
//!
//! A stripe's table that gets many entries at once grows while it is in the cache, and
//! so do the entries whose place it must compute anew when it grows: inserted as they
//! come, they would be fetched from memory several times each.

use ochre_rdb::{Batch, Item, RawEntry, RdbErrorKind};
use ochre_store::load::{Existing, Loaded};
use ochre_store::{Entry, Store};
use ochre_structures::hash::hash_bytes;

use super::{ExpiredKeys, LoadCounts, LoadError, LoadFault, LoadOptions};
use crate::persistence::restore;

/// How much of a key an error or a line of the log quotes.
const QUOTED_BYTES: usize = 128;

/// Of how many empty keys each thread speaks in the log.
const EMPTY_NOTES_MAX: u64 = 10;

/// How many entries ahead the table's bucket and the entry are fetched.
const AHEAD: usize = 6;

/// How many entries are gathered before they are inserted, at least; 24 bytes each.
const GATHERED_MIN: usize = 1 << 19;

/// Of what is inserted already, this part may be gathered besides.
const GATHERED_SHARE: usize = 2;

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

/// One thread's insertions, with its room for them.
pub(super) struct Inserter<'j> {
    store: &'j Store,
    options: &'j LoadOptions,
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
    pub(super) fn new(store: &'j Store, options: &'j LoadOptions, number: usize) -> Self {
        let stripes = store.stripes.count();
        let first = stripes * number / options.threads.max(1);
        Self {
            store,
            options,
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
        for item in batch.items() {
            if let Item::Entry(raw) = item? {
                self.take_entry(&raw)?;
            }
        }
        let taken = (self.waiting - before) as u64;
        let inserted = usize::try_from(self.counts.keys).unwrap_or(usize::MAX);
        if self.waiting >= GATHERED_MIN.max(inserted / GATHERED_SHARE) {
            self.insert()?;
        }
        Ok(taken)
    }

    fn take_entry(&mut self, raw: &RawEntry<'_>) -> Result<(), LoadError> {
        let (options, databases) = (self.options, self.store.databases());
        let Some(db) = u16::try_from(raw.database)
            .ok()
            .filter(|&db| usize::from(db) < databases)
        else {
            let fault = LoadFault::Database {
                database: raw.database,
                databases,
            };
            return Err(LoadError::new(raw.value_offset, fault));
        };
        let mut digits = itoa::Buffer::new();
        let key = raw.key.as_bytes(&mut digits);
        let is_past = raw.expiry_ms.is_some_and(|at| at < options.now_ms);
        if is_past && options.expired == ExpiredKeys::Drop {
            self.counts.expired += 1;
            return Ok(());
        }
        let value = match raw.decode(options.validation) {
            Ok(value) => value,
            Err(error) if matches!(error.kind, RdbErrorKind::Empty) => {
                self.counts.empty += 1;
                if self.counts.empty <= EMPTY_NOTES_MAX {
                    let key = quoted(key).escape_ascii().to_string();
                    self.notes.push(format!("Skipping empty key: {key}"));
                }
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let settings = &options.settings;
        let entry = restore::entry(key, value, raw.expiry_ms, settings).map_err(|error| {
            let key = quoted(key).to_vec();
            LoadError::new(raw.value_offset, LoadFault::Value { key, error })
        })?;
        let clock = restore::access_clock(settings.access_policy, options.now_ms, raw.access);
        entry.set_access(clock);
        let hash = hash_bytes(key);
        self.gathered[self.store.stripe_of_hash(hash) as usize].push(Arrival {
            hash,
            entry,
            origin: raw.value_offset << u16::BITS | u64::from(db),
        });
        self.waiting += 1;
        Ok(())
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
            stripe.reserve_load(db, of_db.count());
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
                            let fault = LoadFault::DuplicateKey { key };
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
