//! What a write view does about keys and fields past their deadline: they are removed
//! when they are met.
//!
//! Few keys have a deadline, and fewer are past it when a command comes for them: one
//! look at the earliest deadline of the key's table tells that nothing is to be done.

use super::scope::Spot;
use super::{Removal, WriteView};
use crate::effects::{EventClass, RemovedFields};
use crate::value::hash::{HashMut, earliest_field_deadline_ms};

impl WriteView<'_, '_> {
    /// Whether some key of the same stripe and database, or a field in it, may be past its
    /// deadline.
    #[inline]
    pub(super) fn may_be_due(&self, spot: Spot) -> bool {
        let now_ms = self.scope.deadline_now_ms();
        self.held
            .stripe(spot.stripe)
            .and_then(|stripe| stripe.database(self.db))
            .is_some_and(|database| database.table.earliest_deadline_ms() <= now_ms)
    }

    /// Removes `key` if it is past its deadline, else its fields that are.
    #[cold]
    pub(super) fn remove_due(&mut self, spot: Spot, key: &[u8]) {
        if self.is_past(spot, key) {
            self.remove_as(key, Removal::Expired);
        } else if self.has_due_fields(spot, key) {
            self.expire_fields(key, usize::MAX);
        }
    }

    pub(super) fn is_past(&self, spot: Spot, key: &[u8]) -> bool {
        if !self.scope.expire {
            return false;
        }
        self.held
            .stripe(spot.stripe)
            .and_then(|stripe| stripe.database(self.db))
            .and_then(|database| database.table.find(spot.hash, |entry| entry.key() == key))
            .is_some_and(|entry| self.scope.is_past(entry))
    }

    fn has_due_fields(&self, spot: Spot, key: &[u8]) -> bool {
        let now_ms = self.scope.deadline_now_ms();
        self.held
            .stripe(spot.stripe)
            .and_then(|stripe| stripe.database(self.db))
            .and_then(|database| database.table.find(spot.hash, |entry| entry.key() == key))
            .and_then(earliest_field_deadline_ms)
            .is_some_and(|deadline| deadline <= now_ms)
    }

    /// Removes fields of the hash `key` that are past their deadline, and the key with the
    /// last of them; records and announces that. Of a large hash, about 1500 fields a
    /// slice. Returns whether the key is gone.
    pub fn expire_fields(&mut self, key: &[u8], slices: usize) -> bool {
        let spot = self.scope.locate(key);
        let (now_ms, settings) = (self.scope.deadline_now_ms(), self.scope.settings);
        let Some(entry) = self.find_as_is(spot, key) else {
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
        let spot = self.scope.locate(key);
        self.note_deadline(spot, deadline_ms);
    }

    pub(super) fn note_deadline(&mut self, spot: Spot, deadline_ms: u64) {
        let db = self.db;
        self.stripe_mut(spot)
            .database_mut(db)
            .table
            .note_deadline(spot.hash, deadline_ms);
        let deadline = i64::try_from(deadline_ms).unwrap_or(i64::MAX);
        self.scope.store.deadlines().note(spot.stripe, deadline);
    }

    /// Whether `key` is there and past its deadline.
    pub fn is_expired(&self, key: &[u8]) -> bool {
        self.is_past(self.scope.locate(key), key)
    }
}
