//! Filling the store from a file: entries that were made elsewhere go into their place
//! without a view, without effects and without touching access clocks.
//!
//! The caller holds the stripe, and sees to it that nobody else works on the store:
//! nothing is announced, recorded or captured.

use ochre_structures::table::Entry as TableEntry;

use crate::entry::Entry;
use crate::keyspace::Deadlines;
use crate::stripe::Stripe;
use crate::value::hash::earliest_field_deadline_ms;

/// What is done about a key that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// The new entry is refused.
    #[default]
    Refuse,
    /// The new entry takes its place.
    Replace,
}

/// What became of an entry.
#[derive(Debug)]
pub enum Loaded {
    /// Its key is new.
    Inserted,
    /// It took the place of this one.
    Replaced(Entry),
    /// Its key was there already.
    Refused(Entry),
}

impl Stripe {
    /// Adds an entry to database `db` of this stripe, which is number `index` and has
    /// `hash`, that of the entry's key, within it. O(1).
    pub fn load(
        &mut self,
        deadlines: &Deadlines,
        (index, hash): (u32, u64),
        db: u16,
        entry: Entry,
        existing: Existing,
    ) -> Loaded {
        entry.set_snapshot_bit(self.snapshot_bit);
        let own = entry.expiry_ms();
        let fields = earliest_field_deadline_ms(&entry);
        let database = self.database_mut(db);
        let (replaced, before) = match database
            .table
            .entry(hash, |other| other.key() == entry.key())
        {
            TableEntry::Vacant(slot) => {
                slot.insert(entry);
                (None, None)
            }
            TableEntry::Occupied(_) if existing == Existing::Refuse => {
                return Loaded::Refused(entry);
            }
            TableEntry::Occupied(mut slot) => {
                let replaced = slot.replace(entry);
                let before = replaced.expiry_ms();
                (Some(replaced), before)
            }
        };
        if own.is_some() || before.is_some() {
            database.count_deadline(before, own);
        }
        let own = own.map(|at| at.max(0) as u64);
        if let Some(earliest) = own.into_iter().chain(fields).min() {
            database.table.note_deadline(hash, earliest);
            deadlines.note(index, i64::try_from(earliest).unwrap_or(i64::MAX));
        }
        replaced.map_or(Loaded::Inserted, Loaded::Replaced)
    }

    /// Makes room for so many entries that are about to be loaded.
    pub fn reserve_load(&mut self, db: u16, additional: usize) {
        self.database_mut(db).table.reserve(additional);
    }

    /// Begins to fetch what [`Stripe::load`] needs of the table first.
    #[inline]
    pub fn prefetch_load(&self, hash: u64, db: u16) {
        if let Some(database) = self.database(db) {
            database.table().prefetch_bucket(hash);
        }
    }
}
