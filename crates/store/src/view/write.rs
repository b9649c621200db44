//! Changing the held keys of one database, and recording that.
//!
//! A key is hashed and its entry looked up once per call; what has a deadline that may
//! have come goes to `deadlines`, out of the way of everything else.

use ochre_structures::table::Entry as TableEntry;

use super::scope::Spot;
use super::{ReadView, Scope};
use crate::Effects;
use crate::Held;
use crate::effects::{EventClass, Ready, Removed};
use crate::entry::{Entry, Payload};
use crate::freeing::Garbage;
use crate::object::Object;
use crate::settings::Settings;
use crate::stripe::Stripe;
use crate::value::hash::earliest_field_deadline_ms;

/// What becomes of a key's deadline when its value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It is cleared.
    Clear,
    /// It stays.
    Keep,
    /// It is set to this Unix time in milliseconds.
    AtMs(i64),
}

/// Why a key is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// A command asked for it.
    Deleted,
    /// Its deadline has passed.
    Expired,
    /// Memory was short.
    Evicted,
}

/// Write access to the held keys of one database.
pub struct WriteView<'a, 's> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) held: &'a mut Held<'s>,
    pub(super) db: u16,
    pub effects: &'a mut Effects,
}

/// An entry that may be changed, and where what is cut off it goes.
pub struct EntryMut<'v> {
    entry: &'v mut Entry,
    effects: &'v mut Effects,
}

impl std::ops::Deref for EntryMut<'_> {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        self.entry
    }
}

impl<'v> EntryMut<'v> {
    /// Replaces the value; the old one is freed after the locks are released.
    pub fn replace(&mut self, payload: Payload<'_>) {
        if let Some(object) = self.entry.replace(payload) {
            self.effects.garbage.push(Garbage::Object(object));
        }
    }

    /// The entry itself, for edits in place.
    pub fn into_inner(self) -> &'v mut Entry {
        self.entry
    }

    /// The entry itself, for edits in place.
    pub fn inner(&mut self) -> &mut Entry {
        self.entry
    }

    pub fn object_mut(&mut self) -> Option<&mut Object> {
        self.entry.object_mut()
    }
}

impl<'a, 's> WriteView<'a, 's> {
    pub fn new(
        scope: &'a Scope<'a>,
        held: &'a mut Held<'s>,
        db: u16,
        effects: &'a mut Effects,
    ) -> Self {
        Self {
            scope,
            held,
            db,
            effects,
        }
    }

    pub fn settings(&self) -> &'a Settings {
        self.scope.settings
    }

    /// Unix time in milliseconds, as of the start of the unit of execution.
    pub fn now_ms(&self) -> i64 {
        self.scope.now_ms
    }

    /// The moment against which deadlines of fields are held (Unix milliseconds); 0
    /// while none are enforced.
    #[inline]
    pub fn deadline_now_ms(&self) -> u64 {
        self.scope.deadline_now_ms()
    }

    /// 64 random bits, for draws among members.
    pub fn random(&self) -> u64 {
        self.scope.observed.random_bits()
    }

    pub fn db(&self) -> u16 {
        self.db
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.scope.store.databases()
    }

    /// Whether a deadline in the past removes a key here and now. Not while a stream
    /// is applied that carries its own deletions.
    pub fn enforces_deadlines(&self) -> bool {
        self.scope.expire
    }

    /// Goes over to another database; returns the one left.
    pub fn select(&mut self, db: u16) -> u16 {
        std::mem::replace(&mut self.db, db)
    }

    /// The same keys, for reading.
    pub fn read(&self) -> ReadView<'_> {
        ReadView::new(self.scope, self.held, self.db)
    }

    /// The entry of `key`, touched but not counted among hits and misses, as Redis's
    /// lookups for writing are not.
    pub fn find(&self, key: &[u8]) -> Option<&Entry> {
        let entry = self.read().peek(key)?;
        self.scope.touch(entry);
        Some(entry)
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// The entry of `key`, to be changed in place. A key past its deadline is removed,
    /// and so are a hash's fields.
    #[inline]
    pub fn find_mut(&mut self, key: &[u8]) -> Option<EntryMut<'_>> {
        let spot = self.scope.locate(key);
        if self.may_be_due(spot) {
            self.remove_due(spot, key);
        }
        self.find_as_is(spot, key)
    }

    /// The entry of `key`, past its deadline or not.
    #[inline]
    pub(super) fn find_as_is(&mut self, spot: Spot, key: &[u8]) -> Option<EntryMut<'_>> {
        let db = self.db;
        let stripe = self
            .held
            .stripe_mut(spot.stripe)
            .expect("the key specification names every key");
        let (database, before) = stripe.change(db);
        let entry = database
            .table
            .find_mut(spot.hash, |entry| entry.key() == key)?;
        before.change_of(db, entry);
        self.scope.touch(entry);
        Some(EntryMut {
            entry,
            effects: self.effects,
        })
    }

    #[inline]
    pub(super) fn stripe_mut(&mut self, spot: Spot) -> &mut Stripe {
        self.held
            .stripe_mut(spot.stripe)
            .expect("the key specification names every key")
    }

    /// Gives `key` a value, whatever it had before. Returns whether it is a new key.
    /// Announces `new` keys but not the change itself: see [`WriteView::modified`].
    pub fn set(&mut self, key: &[u8], payload: Payload<'_>, expiry: Expiry) -> bool {
        let spot = self.scope.locate(key);
        if self.may_be_due(spot) && self.is_past(spot, key) {
            self.remove_as(key, Removal::Expired);
        }
        let (db, scope) = (self.db, self.scope);
        let fields_due_ms = payload.earliest_field_deadline_ms();
        let (hash, index) = (spot.hash, spot.stripe);
        let stripe = self
            .held
            .stripe_mut(index)
            .expect("the key specification names every key");
        let bit = stripe.snapshot_bit;
        let (database, before) = stripe.change(db);
        let new = match database.table.entry(hash, |entry| entry.key() == key) {
            TableEntry::Occupied(mut slot) => {
                let entry = slot.get_mut();
                before.change_of(db, entry);
                scope.touch(entry);
                if let Some(object) = entry.replace(payload) {
                    self.effects.garbage.push(Garbage::Object(object));
                }
                let old = entry.expiry_ms();
                match expiry {
                    Expiry::Clear if old.is_some() => {
                        entry.set_expiry_ms(None);
                        database.count_deadline(old, None);
                    }
                    Expiry::AtMs(deadline) => {
                        entry.set_expiry_ms(Some(deadline));
                        database.count_deadline(old, Some(deadline));
                        database.table.note_deadline(hash, deadline.max(0) as u64);
                        scope.store.deadlines().note(index, deadline);
                    }
                    _ => {}
                }
                false
            }
            TableEntry::Vacant(slot) => {
                let deadline = match expiry {
                    Expiry::AtMs(deadline) => Some(deadline),
                    Expiry::Clear | Expiry::Keep => None,
                };
                let entry = Entry::new(key, payload, deadline);
                entry.set_access(scope.settings.access_policy.born(scope.now_ms));
                if bit {
                    entry.set_snapshot_bit(true);
                }
                slot.insert(entry);
                if let Some(deadline) = deadline {
                    database.count_deadline(None, Some(deadline));
                    database.table.note_deadline(hash, deadline.max(0) as u64);
                    scope.store.deadlines().note(index, deadline);
                }
                true
            }
        };
        if let Some(deadline_ms) = fields_due_ms {
            self.note_deadline(spot, deadline_ms);
        }
        if new {
            self.effects.event(EventClass::New, "new", db, key);
        }
        new
    }

    /// Adds an entry made elsewhere (RENAME, MOVE, COPY, RESTORE), in the place of any
    /// of the same key.
    pub fn put(&mut self, entry: Entry) {
        let key: Box<[u8]> = entry.key().into();
        self.remove_as_silently(&key);
        let spot = self.scope.locate(&key);
        let (hash, index) = (spot.hash, spot.stripe);
        let db = self.db;
        let stripe = self.stripe_mut(spot);
        entry.set_snapshot_bit(stripe.snapshot_bit);
        let deadline = entry.expiry_ms();
        let fields_due_ms = earliest_field_deadline_ms(&entry);
        let database = stripe.database_mut(db);
        database.table.insert(hash, entry);
        if let Some(deadline) = deadline {
            database.count_deadline(None, Some(deadline));
            database.table.note_deadline(hash, deadline.max(0) as u64);
            self.scope.store.deadlines().note(index, deadline);
        }
        if let Some(deadline_ms) = fields_due_ms {
            self.note_deadline(spot, deadline_ms);
        }
        self.effects.event(EventClass::New, "new", db, &key);
    }

    /// Takes the entry of `key` out, unless it is past its deadline.
    pub fn take(&mut self, key: &[u8]) -> Option<Entry> {
        let spot = self.scope.locate(key);
        if self.may_be_due(spot) {
            self.remove_due(spot, key);
        }
        self.detach(spot, key)
    }

    fn detach(&mut self, spot: Spot, key: &[u8]) -> Option<Entry> {
        let db = self.db;
        let (database, before) = self.stripe_mut(spot).change(db);
        let mut entry = database
            .table
            .remove(spot.hash, |entry| entry.key() == key)?;
        before.change_of(db, &mut entry);
        database.count_deadline(entry.expiry_ms(), None);
        Some(entry)
    }

    /// Removes `key`. Returns whether it was there (and not past its deadline).
    /// Neither announced nor counted as a change: see [`WriteView::modified`].
    pub fn remove(&mut self, key: &[u8]) -> bool {
        match self.take(key) {
            Some(entry) => {
                self.effects.garbage.push(Garbage::Entry(entry));
                true
            }
            None => false,
        }
    }

    /// Has an entry that is in no table freed once the locks are released.
    pub fn discard(&mut self, entry: Entry) {
        self.effects.garbage.push(Garbage::Entry(entry));
    }

    pub(super) fn remove_as_silently(&mut self, key: &[u8]) {
        let spot = self.scope.locate(key);
        if let Some(entry) = self.detach(spot, key) {
            self.effects.garbage.push(Garbage::Entry(entry));
        }
    }

    /// Removes `key` on behalf of the server itself, records and announces that.
    /// Returns whether it was there, past its deadline or not.
    pub fn remove_as(&mut self, key: &[u8], why: Removal) -> bool {
        let spot = self.scope.locate(key);
        let Some(entry) = self.detach(spot, key) else {
            return false;
        };
        self.effects.garbage.push(Garbage::Entry(entry));
        let (class, name) = match why {
            Removal::Deleted => (EventClass::Generic, "del"),
            Removal::Expired => (EventClass::Expired, "expired"),
            Removal::Evicted => (EventClass::Evicted, "evicted"),
        };
        if why == Removal::Expired {
            self.effects.expired += 1;
        }
        if self.effects.recording {
            self.effects.removed.push(Removed {
                db: self.db,
                key: key.into(),
            });
        }
        self.mark_changed(key);
        self.effects.event(class, name, self.db, key);
        true
    }

    /// Sets or clears the deadline of `key`. Returns whether the key is there.
    pub fn set_expiry(&mut self, key: &[u8], deadline_ms: Option<i64>) -> bool {
        let spot = self.scope.locate(key);
        let Some(entry) = self.find_mut(key) else {
            return false;
        };
        let entry = entry.into_inner();
        let old = entry.expiry_ms();
        entry.set_expiry_ms(deadline_ms);
        let db = self.db;
        let database = self.stripe_mut(spot).database_mut(db);
        database.count_deadline(old, deadline_ms);
        if let Some(deadline) = deadline_ms {
            database
                .table
                .note_deadline(spot.hash, deadline.max(0) as u64);
            self.scope.store.deadlines().note(spot.stripe, deadline);
        }
        true
    }

    /// Counts one change of `key` and tells everybody who cares: WATCH, client-side
    /// caches, and subscribers of keyspace events (`name`, by the rules of `class`).
    #[inline]
    pub fn modified(&mut self, key: &[u8], class: EventClass, name: &'static str) {
        self.effects.dirty += 1;
        self.mark_changed(key);
        self.effects.event(class, name, self.db, key);
    }

    /// Tells WATCH, client-side caches and blocked clients that `key` changed.
    #[inline]
    pub fn mark_changed(&mut self, key: &[u8]) {
        if self.effects.tracking {
            self.effects.changed.push(Removed {
                db: self.db,
                key: key.into(),
            });
        }
        let spot = self.scope.locate(key);
        let Some(stripe) = self.held.stripe(spot.stripe) else {
            return;
        };
        if !stripe.watches.is_empty() {
            stripe.watches.mark(self.db, key);
        }
        if stripe.has_waiter(self.db, key) {
            self.note_ready(key);
        }
    }

    /// Has the clients that wait for `key` served, or told that they wait in vain,
    /// where WATCH and client-side caches are not concerned.
    pub fn ready(&mut self, key: &[u8]) {
        let spot = self.scope.locate(key);
        let stripe = self.held.stripe(spot.stripe);
        if stripe.is_some_and(|stripe| stripe.has_waiter(self.db, key)) {
            self.note_ready(key);
        }
    }

    #[cold]
    fn note_ready(&mut self, key: &[u8]) {
        self.effects.ready.push(Ready {
            db: self.db,
            key: key.into(),
        });
    }

    /// Announces an event without counting a change.
    #[inline]
    pub fn notify(&mut self, key: &[u8], class: EventClass, name: &'static str) {
        self.effects.event(class, name, self.db, key);
    }

    /// Counts further changes.
    #[inline]
    pub fn dirty(&mut self, changes: u64) {
        self.effects.dirty += changes;
    }
}
