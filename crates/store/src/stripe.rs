//! One stripe: a slice of the hash space of every database, and whoever waits on it.

use std::sync::Arc;

use ochre_structures::table::Table;

use crate::entry::Entry;
use crate::reserved::Reserved;
use crate::tracked::Tracked;
use crate::waiting::Waiters;
use crate::watch::Watches;

/// Receives entries as they were before a change, while a snapshot is taken.
pub trait Capture: Send + Sync {
    /// Called under the stripe's lock with an entry that is about to be changed, moved
    /// or deleted for the first time since the snapshot began.
    fn capture(&self, db: u16, entry: &Entry);

    /// Takes over a table of keys that are all gone at once; those entries whose bit is
    /// not `bit` are not captured yet. Called under all locks.
    fn capture_table(&self, db: u16, table: Table<Entry>, bit: bool);

    /// Two databases have changed places. Called under all locks.
    fn databases_swapped(&self, a: u16, b: u16);
}

/// The keys of one database that belong to one stripe.
#[derive(Default)]
pub struct Database {
    pub(crate) table: Table<Entry>,
    /// How many entries have a deadline.
    expiring: usize,
    /// The sum of their deadlines, in milliseconds of Unix time.
    deadlines_ms: i128,
}

impl Database {
    pub fn table(&self) -> &Table<Entry> {
        &self.table
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// How many keys have a deadline.
    pub fn expiring(&self) -> usize {
        self.expiring
    }

    /// The sum of all deadlines, in milliseconds of Unix time: with
    /// [`Database::expiring`] it gives the average time to live.
    pub fn deadlines_ms(&self) -> i128 {
        self.deadlines_ms
    }

    /// Counts a key whose deadline changes from `old` to `new`. Every change of a
    /// deadline comes through here, that of a key that comes or goes included.
    #[inline]
    pub(crate) fn count_deadline(&mut self, old: Option<i64>, new: Option<i64>) {
        if let Some(deadline) = old {
            self.expiring -= 1;
            self.deadlines_ms -= i128::from(deadline);
        }
        if let Some(deadline) = new {
            self.expiring += 1;
            self.deadlines_ms += i128::from(deadline);
        }
    }
}

/// What a stripe's lock protects.
#[derive(Default)]
pub struct Stripe {
    /// Database 0, which nearly everybody uses, without a further pointer.
    first: Database,
    /// Databases from 1 on, made on first use.
    others: Vec<Database>,
    pub watches: Watches,
    pub waiters: Waiters,
    pub tracked: Tracked,
    pub reserved: Reserved,
    /// Entries whose bit differs were made or captured before the running snapshot.
    pub(crate) snapshot_bit: bool,
    pub(crate) capture: Option<Arc<dyn Capture>>,
}

/// What has to see an entry before it changes: the running snapshot, if there is one.
#[derive(Clone, Copy)]
pub(crate) struct Before<'s> {
    capture: &'s Option<Arc<dyn Capture>>,
    bit: bool,
}

impl Before<'_> {
    #[inline]
    pub(crate) fn change_of(self, db: u16, entry: &mut Entry) {
        Stripe::before_change(self.capture, self.bit, db, entry);
    }
}

impl Stripe {
    /// A database, if it was ever used here.
    #[inline]
    pub fn database(&self, db: u16) -> Option<&Database> {
        if db == 0 {
            return Some(&self.first);
        }
        self.others.get(usize::from(db) - 1)
    }

    #[inline]
    pub fn database_mut(&mut self, db: u16) -> &mut Database {
        if db == 0 {
            return &mut self.first;
        }
        let index = usize::from(db) - 1;
        if self.others.len() <= index {
            self.others.resize_with(index + 1, Database::default);
        }
        &mut self.others[index]
    }

    /// A database for changing its entries, and what each must be shown to before.
    #[inline]
    pub(crate) fn change(&mut self, db: u16) -> (&mut Database, Before<'_>) {
        let before = Before {
            capture: &self.capture,
            bit: self.snapshot_bit,
        };
        if db == 0 {
            return (&mut self.first, before);
        }
        let index = usize::from(db) - 1;
        if self.others.len() <= index {
            self.others.resize_with(index + 1, Database::default);
        }
        (&mut self.others[index], before)
    }

    /// The databases in use here with their numbers.
    pub fn databases(&self) -> impl Iterator<Item = (u16, &Database)> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .enumerate()
            .map(|(db, database)| (db as u16, database))
    }

    pub fn swap(&mut self, a: u16, b: u16) {
        if a == b {
            return;
        }
        let taken = std::mem::take(self.database_mut(a));
        let other = std::mem::replace(self.database_mut(b), taken);
        *self.database_mut(a) = other;
    }

    /// Takes out all keys of a database.
    pub fn take_database(&mut self, db: u16) -> Database {
        std::mem::take(self.database_mut(db))
    }

    /// Whether a client is blocked on `key`.
    #[inline]
    pub fn has_waiter(&self, db: u16, key: &[u8]) -> bool {
        self.waiters.has(db, key)
    }

    /// The earliest deadline of any key here, or `i64::MAX`.
    pub fn earliest_deadline_ms(&self) -> i64 {
        self.databases()
            .map(|(_, database)| database.table.earliest_deadline_ms())
            .min()
            .map_or(i64::MAX, |earliest| {
                i64::try_from(earliest).unwrap_or(i64::MAX)
            })
    }

    /// Starts or ends the capture of entries as they are now. Before a capture starts,
    /// that of the one before must have marked every entry.
    pub fn set_capture(&mut self, capture: Option<Arc<dyn Capture>>) {
        if capture.is_some() {
            self.snapshot_bit = !self.snapshot_bit;
        }
        self.capture = capture;
    }

    /// The bit that entries made or captured since the last snapshot's start carry.
    pub fn snapshot_bit(&self) -> bool {
        self.snapshot_bit
    }

    /// Hands `entry` to the running snapshot if that has not got it yet.
    #[inline]
    pub(crate) fn before_change(
        capture: &Option<Arc<dyn Capture>>,
        bit: bool,
        db: u16,
        entry: &Entry,
    ) {
        if let Some(capture) = capture
            && entry.snapshot_bit() != bit
        {
            capture.capture(db, entry);
            entry.set_snapshot_bit(bit);
        }
    }
}
