//! What a command sees of the keyspace: exactly the keys whose stripes it holds.
//!
//! A [`ReadView`] cannot change anything but access clocks; a [`WriteView`] records
//! what it changes in [`Effects`]. Both treat a key past its deadline as absent; a
//! write view removes such a key when it meets it. The views never lock: asking for a
//! key whose stripe is not held is a bug in the command's key specification, and is
//! answered as if the key were absent (and caught by a debug assertion).

use std::cell::Cell;

use ochre_structures::hash::hash_bytes;
use ochre_structures::table::Entry as TableEntry;

use crate::Effects;
use crate::Held;
use crate::effects::{EventClass, Ready, Removed, RemovedFields};
use crate::entry::{Entry, Payload};
use crate::freeing::Garbage;
use crate::keyspace::Store;
use crate::object::Object;
use crate::settings::Settings;
use crate::stripe::Stripe;
use crate::value::hash::{HashMut, earliest_field_deadline_ms};

/// What every view of one command has in common.
pub struct Scope<'a> {
    pub store: &'a Store,
    pub settings: &'a Settings,
    /// Unix time in milliseconds; the same for the whole unit of execution.
    pub now_ms: i64,
    /// Whether lookups refresh the access clock (CLIENT NO-TOUCH says no).
    pub touch: bool,
    /// Whether deadlines are enforced; not while a replica or a loader applies a
    /// stream that carries its own deletions.
    pub expire: bool,
    pub observed: Observed,
}

/// What lookups saw, for the statistics and for lazy expiry.
#[derive(Debug, Default)]
pub struct Observed {
    pub hits: Cell<u32>,
    pub misses: Cell<u32>,
    /// A read met a key past its deadline: somebody should remove it.
    pub expired: Cell<bool>,
    random: Cell<u64>,
}

impl Observed {
    /// A cheap random number in 0..1, for the LFU counter.
    fn random(&self) -> f64 {
        (self.random_bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// 64 random bits (xorshift64*): for sampling, not for secrets.
    fn random_bits(&self) -> u64 {
        let mut x = self.random.get();
        if x == 0 {
            // Zero would stay zero.
            x = 0x9e37_79b9_7f4a_7c15;
        }
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Seeds the random numbers of the LFU counter and of draws among members.
    pub fn seeded(seed: u64) -> Self {
        Self {
            random: Cell::new(seed),
            ..Self::default()
        }
    }
}

impl Scope<'_> {
    /// The moment against which deadlines of fields are held: 0 while none are enforced.
    #[inline]
    fn deadline_now_ms(&self) -> u64 {
        if self.expire {
            self.now_ms.max(0) as u64
        } else {
            0
        }
    }

    #[inline]
    fn is_past(&self, entry: &Entry) -> bool {
        self.expire
            && entry
                .expiry_ms()
                .is_some_and(|deadline| deadline <= self.now_ms)
    }

    #[inline]
    fn touch(&self, entry: &Entry) {
        if self.touch {
            let access = entry.access();
            let touched = self
                .settings
                .access_policy
                .touched(access, self.now_ms, || self.observed.random());
            if touched != access {
                entry.set_access(touched);
            }
        }
    }
}

/// Read access to the held keys of one database.
#[derive(Clone, Copy)]
pub struct ReadView<'a> {
    scope: &'a Scope<'a>,
    held: &'a Held<'a>,
    db: u16,
}

impl<'a> ReadView<'a> {
    pub fn new(scope: &'a Scope<'a>, held: &'a Held<'a>, db: u16) -> Self {
        Self { scope, held, db }
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

    /// The same keys of another database. The stripe of a key does not depend on it.
    pub fn of_db(&self, db: u16) -> Self {
        Self { db, ..*self }
    }

    /// The entry of `key`: refreshes its access clock and counts a hit or a miss.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<&'a Entry> {
        let found = self.peek(key);
        let observed = &self.scope.observed;
        match found {
            Some(entry) => {
                self.scope.touch(entry);
                observed.hits.set(observed.hits.get() + 1);
            }
            None => observed.misses.set(observed.misses.get() + 1),
        }
        found
    }

    /// The entry of `key`, leaving no trace of the access.
    #[inline]
    pub fn peek(&self, key: &[u8]) -> Option<&'a Entry> {
        let hash = hash_bytes(key);
        let stripe = self.held.stripe(self.scope.store.stripe_of_hash(hash));
        debug_assert!(stripe.is_some(), "the key specification misses a key");
        let entry = stripe?
            .database(self.db)?
            .table
            .find(hash, |entry| entry.key() == key)?;
        if self.scope.is_past(entry) {
            self.scope.observed.expired.set(true);
            return None;
        }
        Some(entry)
    }

    /// The entry of `key`: counts a hit or a miss, but leaves the access clock alone.
    pub fn look(&self, key: &[u8]) -> Option<&'a Entry> {
        let found = self.peek(key);
        let observed = &self.scope.observed;
        let count = match found {
            Some(_) => &observed.hits,
            None => &observed.misses,
        };
        count.set(count.get() + 1);
        found
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }
}

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
    scope: &'a Scope<'a>,
    held: &'a mut Held<'s>,
    db: u16,
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
    pub fn find_mut(&mut self, key: &[u8]) -> Option<EntryMut<'_>> {
        let hash = hash_bytes(key);
        let index = self.scope.store.stripe_of_hash(hash);
        if self.is_past(hash, index, key) {
            self.remove_as(key, Removal::Expired);
            return None;
        }
        if self.has_due_fields(hash, index, key) {
            self.expire_fields(key, usize::MAX);
        }
        self.find_as_is(hash, index, key)
    }

    /// The entry of `key`, past its deadline or not.
    fn find_as_is(&mut self, hash: u64, index: u32, key: &[u8]) -> Option<EntryMut<'_>> {
        let db = self.db;
        let stripe = self
            .held
            .stripe_mut(index)
            .expect("the key specification names every key");
        let (capture, bit) = (stripe.capture.clone(), stripe.snapshot_bit);
        let entry = stripe
            .database_mut(db)
            .table
            .find_mut(hash, |entry| entry.key() == key)?;
        Stripe::before_change(&capture, bit, db, entry);
        self.scope.touch(entry);
        Some(EntryMut {
            entry,
            effects: self.effects,
        })
    }

    fn is_past(&self, hash: u64, stripe: u32, key: &[u8]) -> bool {
        if !self.scope.expire {
            return false;
        }
        self.held
            .stripe(stripe)
            .and_then(|stripe| stripe.database(self.db))
            .filter(|database| database.expiring() > 0)
            .and_then(|database| database.table.find(hash, |entry| entry.key() == key))
            .is_some_and(|entry| self.scope.is_past(entry))
    }

    /// Whether `key` is a hash with fields past their deadline. Looks only where some key
    /// of the stripe may be due.
    #[inline]
    fn has_due_fields(&self, hash: u64, stripe: u32, key: &[u8]) -> bool {
        let now_ms = self.scope.deadline_now_ms();
        self.held
            .stripe(stripe)
            .and_then(|stripe| stripe.database(self.db))
            .filter(|database| database.table.earliest_deadline_ms() <= now_ms)
            .and_then(|database| database.table.find(hash, |entry| entry.key() == key))
            .and_then(earliest_field_deadline_ms)
            .is_some_and(|deadline| deadline <= now_ms)
    }

    /// Removes fields of the hash `key` that are past their deadline, and the key with the
    /// last of them; records and announces that. Of a large hash, about 400 fields a
    /// slice. Returns whether the key is gone.
    pub fn expire_fields(&mut self, key: &[u8], slices: usize) -> bool {
        let hash = hash_bytes(key);
        let index = self.scope.store.stripe_of_hash(hash);
        let (now_ms, settings) = (self.scope.deadline_now_ms(), self.scope.settings);
        let Some(entry) = self.find_as_is(hash, index, key) else {
            return false;
        };
        let Ok(mut fields) = HashMut::of(entry.into_inner(), settings) else {
            return false;
        };
        let mut removed = Vec::new();
        fields.expire_due(now_ms, slices, |field| removed.push(field.to_vec()));
        let emptied = fields.is_empty();
        if removed.is_empty() {
            return false;
        }
        self.effects.expired_fields += removed.len() as u64;
        if self.effects.recording {
            self.effects.removed_fields.push(RemovedFields {
                db: self.db,
                key: key.into(),
                fields: removed,
            });
        }
        self.mark_changed(key);
        self.notify(key, EventClass::Hash, "hexpired");
        if emptied {
            self.remove_as_silently(key);
            self.notify(key, EventClass::Generic, "del");
        }
        emptied
    }

    /// The earliest deadline of any field of the hash `key`, or an earlier moment; `None`
    /// when no field has one.
    pub(crate) fn earliest_field_deadline_ms(&self, key: &[u8]) -> Option<u64> {
        self.read().peek(key).and_then(earliest_field_deadline_ms)
    }

    /// Notes that a field of the hash `key` has this deadline (Unix milliseconds), so that
    /// it is removed on time.
    pub fn note_field_deadline(&mut self, key: &[u8], deadline_ms: u64) {
        let hash = hash_bytes(key);
        let index = self.scope.store.stripe_of_hash(hash);
        self.note_deadline(hash, index, deadline_ms);
    }

    fn note_deadline(&mut self, hash: u64, index: u32, deadline_ms: u64) {
        Self::database(self.held, index, self.db)
            .table
            .note_deadline(hash, deadline_ms);
        let deadline = i64::try_from(deadline_ms).unwrap_or(i64::MAX);
        self.scope.store.deadlines().note(index, deadline);
    }

    /// Whether `key` is there and past its deadline.
    pub fn is_expired(&self, key: &[u8]) -> bool {
        let hash = hash_bytes(key);
        self.is_past(hash, self.scope.store.stripe_of_hash(hash), key)
    }

    /// Gives `key` a value, whatever it had before. Returns whether it is a new key.
    /// Announces `new` keys but not the change itself: see [`WriteView::modified`].
    pub fn set(&mut self, key: &[u8], payload: Payload<'_>, expiry: Expiry) -> bool {
        let hash = hash_bytes(key);
        let index = self.scope.store.stripe_of_hash(hash);
        if self.is_past(hash, index, key) {
            self.remove_as(key, Removal::Expired);
        }
        let (db, scope) = (self.db, self.scope);
        let fields_due_ms = payload.earliest_field_deadline_ms();
        let stripe = self
            .held
            .stripe_mut(index)
            .expect("the key specification names every key");
        let bit = stripe.snapshot_bit;
        let capture = stripe.capture.clone();
        let database = stripe.database_mut(db);
        let new = match database.table.entry(hash, |entry| entry.key() == key) {
            TableEntry::Occupied(mut slot) => {
                let entry = slot.get_mut();
                Stripe::before_change(&capture, bit, db, entry);
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
            self.note_deadline(hash, index, deadline_ms);
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
        let hash = hash_bytes(&key);
        let index = self.scope.store.stripe_of_hash(hash);
        let db = self.db;
        let stripe = self
            .held
            .stripe_mut(index)
            .expect("the key specification names every key");
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
            self.note_deadline(hash, index, deadline_ms);
        }
        self.effects.event(EventClass::New, "new", db, &key);
    }

    /// Takes the entry of `key` out, unless it is past its deadline.
    pub fn take(&mut self, key: &[u8]) -> Option<Entry> {
        let hash = hash_bytes(key);
        let index = self.scope.store.stripe_of_hash(hash);
        if self.is_past(hash, index, key) {
            self.remove_as(key, Removal::Expired);
            return None;
        }
        if self.has_due_fields(hash, index, key) {
            self.expire_fields(key, usize::MAX);
        }
        self.detach(hash, index, key)
    }

    fn detach(&mut self, hash: u64, index: u32, key: &[u8]) -> Option<Entry> {
        let db = self.db;
        let stripe = self
            .held
            .stripe_mut(index)
            .expect("the key specification names every key");
        let (capture, bit) = (stripe.capture.clone(), stripe.snapshot_bit);
        let database = stripe.database_mut(db);
        let mut entry = database.table.remove(hash, |entry| entry.key() == key)?;
        Stripe::before_change(&capture, bit, db, &mut entry);
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

    fn remove_as_silently(&mut self, key: &[u8]) {
        let hash = hash_bytes(key);
        let index = self.scope.store.stripe_of_hash(hash);
        if let Some(entry) = self.detach(hash, index, key) {
            self.effects.garbage.push(Garbage::Entry(entry));
        }
    }

    /// Removes `key` on behalf of the server itself, records and announces that.
    /// Returns whether it was there, past its deadline or not.
    pub fn remove_as(&mut self, key: &[u8], why: Removal) -> bool {
        let hash = hash_bytes(key);
        let index = self.scope.store.stripe_of_hash(hash);
        let Some(entry) = self.detach(hash, index, key) else {
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
        let hash = hash_bytes(key);
        let index = self.scope.store.stripe_of_hash(hash);
        let Some(entry) = self.find_mut(key) else {
            return false;
        };
        let entry = entry.into_inner();
        let old = entry.expiry_ms();
        entry.set_expiry_ms(deadline_ms);
        let db = self.db;
        let database = Self::database(self.held, index, db);
        database.count_deadline(old, deadline_ms);
        if let Some(deadline) = deadline_ms {
            database.table.note_deadline(hash, deadline.max(0) as u64);
            self.scope.store.deadlines().note(index, deadline);
        }
        true
    }

    fn database<'h>(held: &'h mut Held<'s>, index: u32, db: u16) -> &'h mut crate::Database {
        held.stripe_mut(index)
            .expect("the key specification names every key")
            .database_mut(db)
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
        let index = self.scope.store.stripe_of(key);
        let Some(stripe) = self.held.stripe(index) else {
            return;
        };
        if !stripe.watches.is_empty() {
            stripe.watches.mark(self.db, key);
        }
        self.ready(key);
    }

    /// Has the clients that wait for `key` served, or told that they wait in vain,
    /// where WATCH and client-side caches are not concerned.
    #[inline]
    pub fn ready(&mut self, key: &[u8]) {
        let index = self.scope.store.stripe_of(key);
        let stripe = self.held.stripe(index);
        if stripe.is_some_and(|stripe| stripe.has_waiter(self.db, key)) {
            self.effects.ready.push(Ready {
                db: self.db,
                key: key.into(),
            });
        }
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

/// Access to the whole keyspace, one stripe after the other or all at once.
pub struct KeyspaceView<'a, 's> {
    pub scope: &'a Scope<'a>,
    held: &'a mut Held<'s>,
    db: u16,
    pub effects: &'a mut Effects,
}

impl<'a, 's> KeyspaceView<'a, 's> {
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

    pub fn db(&self) -> u16 {
        self.db
    }

    pub fn stripes(&self) -> u32 {
        self.scope.store.stripes.count() as u32
    }

    /// Runs `look` on one stripe: the held one, or one locked for this moment. Within
    /// a transaction or script all stripes are held.
    pub fn with_stripe<R>(&mut self, index: u32, look: impl FnOnce(&mut Stripe) -> R) -> R {
        if let Some(stripe) = self.held.stripe_mut(index) {
            return look(stripe);
        }
        let mut held = self.held.owner().lock_one(index);
        look(held.stripe_mut(index).expect("just locked"))
    }

    /// Runs `write` with a write view of one stripe's keys in `db`.
    pub fn write_stripe<R>(
        &mut self,
        index: u32,
        db: u16,
        write: impl FnOnce(&mut WriteView<'_, '_>) -> R,
    ) -> R {
        if self.held.holds(index) {
            return write(&mut WriteView::new(self.scope, self.held, db, self.effects));
        }
        let mut held = self.held.owner().lock_one(index);
        write(&mut WriteView::new(self.scope, &mut held, db, self.effects))
    }

    /// Whether no stripe is held, so that others may be locked at other times: outside
    /// of transactions and scripts.
    pub fn holds_nothing(&self) -> bool {
        self.held.is_nothing() && !self.held.is_global()
    }

    /// Takes every stripe, for an operation on the whole keyspace at once.
    pub fn make_exclusive(&mut self) {
        if self.held.is_everything() {
            return;
        }
        if self.held.is_global() {
            self.held.extend_to_all();
        } else {
            debug_assert!(self.held.is_nothing(), "no stripe is held unless all are");
            *self.held = self.held.owner().exclusive();
        }
    }

    /// A write view; every stripe must be held.
    pub fn write(&mut self) -> WriteView<'_, 's> {
        debug_assert!(self.held.is_everything());
        WriteView::new(self.scope, self.held, self.db, self.effects)
    }

    /// The held stripes, for exclusive operations.
    pub fn held(&mut self) -> &mut Held<'s> {
        self.held
    }
}
