//! Walks over the keyspace: SCAN, KEYS, RANDOMKEY, sizes, flushes, expiry.
//!
//! A scan cursor is a place in the hash space, not an index: the stripe in the upper
//! 32 bits, the position within the stripe's table below. Stripes and positions are
//! hash bits, so whatever grows or shrinks between two calls, a key that is there from
//! the first to the last is returned.

use ochre_structures::table::Due;

use crate::effects::EventClass;
use crate::entry::Entry;
use crate::freeing::Garbage;
use crate::value::hash::earliest_field_deadline_ms;
use crate::view::{KeyspaceView, Removal};

/// How much of a table one step of the expiry walk looks at.
const DUE_SEGMENTS_PER_STEP: usize = 4;

impl KeyspaceView<'_, '_> {
    /// Visits at least `count` live entries from `cursor` on, where there are as many,
    /// and returns the cursor to go on from; 0 is both start and end.
    ///
    /// Cost: O(count) plus the empty stripes passed, of which one call passes any
    /// number: each costs one uncontended lock.
    pub fn scan(&mut self, cursor: u64, count: usize, mut visit: impl FnMut(&Entry)) -> u64 {
        let (mut stripe, mut position) = ((cursor >> 32) as u32, cursor as u32);
        let (db, now_ms, expire) = (self.db(), self.scope.now_ms, self.scope.expire);
        let mut seen = 0;
        while stripe < self.stripes() {
            let next = self.with_stripe(stripe, |stripe| {
                let table = stripe.database(db)?.table();
                table.scan(position, count - seen, |entry| {
                    seen += 1;
                    if !(expire && entry.expiry_ms().is_some_and(|at| at <= now_ms)) {
                        visit(entry);
                    }
                })
            });
            match next {
                Some(next) => position = next,
                None => {
                    stripe += 1;
                    position = 0;
                }
            }
            if seen >= count {
                break;
            }
        }
        if stripe < self.stripes() {
            u64::from(stripe) << 32 | u64::from(position)
        } else {
            0
        }
    }

    /// Visits the live entries of one stripe.
    pub fn visit_stripe(&mut self, index: u32, mut visit: impl FnMut(&Entry)) {
        let (db, now_ms, expire) = (self.db(), self.scope.now_ms, self.scope.expire);
        self.with_stripe(index, |stripe| {
            if let Some(database) = stripe.database(db) {
                for entry in database.table().iter() {
                    if !(expire && entry.expiry_ms().is_some_and(|at| at <= now_ms)) {
                        visit(entry);
                    }
                }
            }
        });
    }

    /// Keys of a database and how many of them have a deadline.
    pub fn size(&mut self, db: u16) -> (usize, usize) {
        let mut size = (0, 0);
        for index in 0..self.stripes() {
            self.with_stripe(index, |stripe| {
                if let Some(database) = stripe.database(db) {
                    size.0 += database.len();
                    size.1 += database.expiring();
                }
            });
        }
        size
    }

    /// A key drawn at random, nearly uniformly.
    pub fn random_key(&mut self, random: &mut impl FnMut() -> u64) -> Option<Vec<u8>> {
        let db = self.db();
        // A stripe's chance must follow its size: draw a rank among all keys.
        const TRIES: usize = 100;
        for attempt in 0..TRIES {
            let mut sizes = Vec::with_capacity(self.stripes() as usize);
            let mut total = 0_u64;
            for index in 0..self.stripes() {
                total += self.with_stripe(index, |s| s.database(db).map_or(0, |d| d.len())) as u64;
                sizes.push(total);
            }
            if total == 0 {
                return None;
            }
            let rank = random() % total;
            let index = sizes.partition_point(|&end| end <= rank) as u32;
            let (now_ms, expire) = (self.scope.now_ms, self.scope.expire && attempt + 1 < TRIES);
            let key = self.with_stripe(index, |stripe| {
                let entry = stripe.database(db)?.table().random(random)?;
                let past = expire && entry.expiry_ms().is_some_and(|at| at <= now_ms);
                (!past).then(|| entry.key().to_vec())
            });
            if key.is_some() {
                return key;
            }
        }
        None
    }

    /// Removes every key of `db`, or of all databases; returns how many there were.
    /// Takes exclusive access; the keys are freed after it is given up.
    pub fn flush(&mut self, db: Option<u16>) -> usize {
        self.make_exclusive();
        let mut removed = 0;
        for index in 0..self.stripes() {
            let stripe = self.held().stripe_mut(index).expect("all are held");
            let in_use: Vec<u16> = stripe
                .databases()
                .map(|(db, _)| db)
                .filter(|&of| db.is_none_or(|db| db == of))
                .collect();
            let mut tables = Vec::new();
            for of in in_use {
                let taken = stripe.take_database(of);
                stripe.watches.mark_database(of, |key| {
                    let hash = ochre_structures::hash::hash_bytes(key);
                    taken
                        .table()
                        .find(hash, |entry| entry.key() == key)
                        .is_some()
                });
                removed += taken.len();
                stripe.capture_all(of, &taken);
                tables.push(taken.table);
            }
            for table in tables {
                if !table.is_empty() {
                    self.effects.garbage.push(Garbage::Table(table));
                }
            }
            self.scope.store.deadlines().set(index, i64::MAX);
        }
        if db.is_some() {
            self.renew_deadlines();
        }
        removed
    }

    /// Exchanges the keys of two databases. Takes exclusive access.
    pub fn swap_databases(&mut self, a: u16, b: u16) {
        self.make_exclusive();
        for index in 0..self.stripes() {
            let stripe = self.held().stripe_mut(index).expect("all are held");
            for (of, other) in [(a, b), (b, a)] {
                let exists = |db: u16, key: &[u8]| {
                    let hash = ochre_structures::hash::hash_bytes(key);
                    stripe
                        .database(db)
                        .is_some_and(|d| d.table().find(hash, |e| e.key() == key).is_some())
                };
                stripe
                    .watches
                    .mark_database(of, |key| exists(of, key) || exists(other, key));
            }
            stripe.swap(a, b);
            let waited: Vec<(u16, Vec<u8>)> = [a, b]
                .into_iter()
                .flat_map(|db| stripe.waiters.keys(db).map(move |key| (db, key.to_vec())))
                .collect();
            for (db, key) in waited {
                self.effects.ready.push(crate::effects::Ready {
                    db,
                    key: key.into(),
                });
            }
        }
    }

    /// Recomputes the earliest deadline of every stripe, all of which are held.
    fn renew_deadlines(&mut self) {
        for index in 0..self.stripes() {
            let earliest = self.with_stripe(index, |stripe| stripe.earliest_deadline_ms());
            self.scope.store.deadlines().set(index, earliest);
        }
    }

    /// Removes keys of one stripe that are past their deadline, a bounded number of
    /// them. Returns whether some may be left.
    pub fn expire_due(&mut self, index: u32) -> bool {
        let now_ms = self.scope.now_ms.max(0) as u64;
        let databases: Vec<u16> = self.with_stripe(index, |stripe| {
            stripe
                .databases()
                .filter(|(_, database)| database.table().earliest_deadline_ms() <= now_ms)
                .map(|(db, _)| db)
                .collect()
        });
        let mut more = false;
        for db in databases {
            let due: Vec<Vec<u8>> = self.with_stripe(index, |stripe| {
                let mut due = Vec::new();
                let table = &mut stripe.database_mut(db).table;
                // Noted here, removed below through a view, which records and announces it.
                // A hash with fields that are due stays so until none is left.
                let note = |entry: &mut Entry| {
                    let own = entry.expiry_ms().map(|at| at.max(0) as u64);
                    let fields = earliest_field_deadline_ms(entry);
                    if own.into_iter().chain(fields).any(|at| at <= now_ms) {
                        due.push(entry.key().to_vec());
                    }
                    let own = own.filter(|&at| at > now_ms);
                    Due::Keep(own.into_iter().chain(fields).min())
                };
                table.visit_due(now_ms, DUE_SEGMENTS_PER_STEP, note, drop);
                due
            });
            self.write_stripe(index, db, |view| {
                for key in &due {
                    if view.is_expired(key) {
                        view.remove_as(key, Removal::Expired);
                    } else {
                        view.expire_fields(key, DUE_SEGMENTS_PER_STEP);
                    }
                }
            });
            more |= self.with_stripe(index, |stripe| {
                stripe
                    .database(db)
                    .is_some_and(|d| d.table().earliest_deadline_ms() <= now_ms)
            });
        }
        let earliest = self.with_stripe(index, |stripe| stripe.earliest_deadline_ms());
        self.scope.store.deadlines().set(index, earliest);
        more
    }

    /// Announces a change of the whole database, as FLUSHDB and SWAPDB make it.
    pub fn notify_all(&mut self, class: EventClass, name: &'static str, key: &[u8]) {
        let db = self.db();
        self.effects.event(class, name, db, key);
    }
}
