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

    /// Makes room for `additional` entries that are at hand, and for as many as will come
    /// to be in this stripe, if that is believed: it is not, beyond a small multiple of
    /// what is there.
    pub fn reserve_load(&mut self, db: u16, additional: usize, expected: usize) {
        /// A table with one of so many elements in place takes 150 bytes for each.
        const BELIEVED: usize = 16;
        let table = &mut self.database_mut(db).table;
        let present = table.len();
        let known = present.saturating_add(additional);
        let total = expected.min(known.saturating_mul(BELIEVED)).max(known);
        table.reserve(total - present);
    }

    /// Begins to fetch what [`Stripe::load`] needs of the table first.
    #[inline]
    pub fn prefetch_load(&self, hash: u64, db: u16) {
        if let Some(database) = self.database(db) {
            database.table().prefetch_bucket(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Payload;
    use ochre_structures::hash::hash_bytes;

    fn entries(count: i64) -> impl Iterator<Item = Entry> {
        let key = |number: i64| format!("key:{number}");
        (0..count).map(move |number| Entry::new(key(number).as_bytes(), Payload::Int(number), None))
    }

    fn load(stripe: &mut Stripe, entry: Entry) {
        let hash = hash_bytes(entry.key());
        let loaded = stripe.load(&Deadlines::new(1), (0, hash), 0, entry, Existing::Refuse);
        assert!(matches!(loaded, Loaded::Inserted));
    }

    #[test]
    fn a_believable_hint_is_believed_once_and_for_all() {
        let mut stripe = Stripe::default();
        stripe.reserve_load(0, 512, 4_000);
        let reserved = stripe.database_mut(0).table().memory_bytes();
        entries(4_000).for_each(|entry| load(&mut stripe, entry));
        let grown = stripe.database_mut(0).table().memory_bytes();
        assert!(grown <= reserved * 5 / 4, "{grown} {reserved}");
    }

    #[test]
    fn an_absurd_hint_costs_a_small_multiple_of_what_came() {
        let mut stripe = Stripe::default();
        entries(100).for_each(|entry| {
            stripe.reserve_load(0, 1, usize::MAX);
            load(&mut stripe, entry);
        });
        let reserved = stripe.database_mut(0).table().memory_bytes();
        assert!(reserved <= 100 * 16 * 16, "{reserved}");
    }
}
