//! Reading the held keys of one database. Nothing changes but access clocks.

use super::Scope;
use crate::Held;
use crate::entry::Entry;
use crate::settings::Settings;

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
        let spot = self.scope.locate(key);
        let stripe = self.held.stripe(spot.stripe);
        debug_assert!(stripe.is_some(), "the key specification misses a key");
        let entry = stripe?
            .database(self.db)?
            .table
            .find(spot.hash, |entry| entry.key() == key)?;
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
