//! Walks over the keyspace: SCAN, KEYS, RANDOMKEY, sizes, flushes, expiry.
//!
//! A scan cursor is a place in the hash space, not an index: the stripe in the upper
//! 32 bits, the position within the stripe's table below. Stripes and positions are
//! hash bits, so whatever grows or shrinks between two calls, a key that is there from
//! the first to the last is returned.

use ochre_structures::table::Due;

use crate::effects::{EventClass, Ready};
use crate::entry::Entry;
use crate::freeing::Garbage;
use crate::keyspace::Store;
use crate::stripe::Stripe;
use crate::value::hash::earliest_field_deadline_ms;
use crate::view::{KeyspaceView, Removal};

/// How much of a table one step of the expiry walk looks at: in a large table some two
/// thousand keys, which takes about half a millisecond when all of them are due.
const DUE_SEGMENTS_PER_STEP: usize = 1;

/// How much of a hash with fields that are due one step looks at: a few thousand fields.
const FIELD_SLICES_PER_STEP: usize = 8;

/// Which entries count as there: those that are not past their deadline.
#[derive(Debug, Clone, Copy)]
struct Live {
    now_ms: i64,
    expire: bool,
}

impl Live {
    #[inline]
    fn has(self, entry: &Entry) -> bool {
        !(self.expire && entry.expiry_ms().is_some_and(|at| at <= self.now_ms))
    }
}

/// Where a walk stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    stripe: u32,
    position: u32,
}

impl Place {
    fn of_cursor(cursor: u64) -> Self {
        Self {
            stripe: (cursor >> 32) as u32,
            position: cursor as u32,
        }
    }

    fn cursor(self, stripes: u32) -> u64 {
        if self.stripe < stripes {
            u64::from(self.stripe) << 32 | u64::from(self.position)
        } else {
            0
        }
    }

    /// Goes on to the position `next` of the same stripe, or to the next stripe.
    fn advance(&mut self, next: Option<u32>) {
        match next {
            Some(position) => self.position = position,
            None => {
                self.stripe += 1;
                self.position = 0;
            }
        }
    }
}

/// Shows about `count` entries of a stripe from `position` on to `visit` (those past
/// their deadline as `None`); returns where to go on.
fn scan_stripe(
    stripe: &Stripe,
    db: u16,
    position: u32,
    count: usize,
    live: Live,
    mut visit: impl FnMut(Option<&Entry>),
) -> Option<u32> {
    let table = stripe.database(db)?.table();
    table.scan(position, count, |entry| {
        visit(live.has(entry).then_some(entry));
    })
}

/// A walk over all keys of a database that rests between its steps and holds no lock
/// then: for replies too large to be made at once. A key that is there from the first
/// step to the last is shown exactly once.
#[derive(Debug)]
pub struct Walk {
    db: u16,
    live: Live,
    place: Place,
}

impl Walk {
    /// Shows about `entries` entries to `visit`, those past their deadline left out.
    /// Ends early where a stripe is held for long by others. Returns whether any are
    /// left.
    pub fn step(&mut self, store: &Store, entries: usize, mut visit: impl FnMut(&Entry)) -> bool {
        let stripes = store.stripes.count() as u32;
        let mut budget = entries;
        while self.place.stripe < stripes && budget > 0 {
            // The holder may be a script: the thread's other connections come first.
            let Ok(held) = store.stripes.lock_one_or(self.place.stripe, &mut || true) else {
                return true;
            };
            let stripe = held.stripe(self.place.stripe).expect("just locked");
            // An empty stripe costs a lock, much as an entry costs a cache miss.
            let mut seen = 1;
            let next = scan_stripe(
                stripe,
                self.db,
                self.place.position,
                budget,
                self.live,
                |entry| {
                    seen += 1;
                    if let Some(entry) = entry {
                        visit(entry);
                    }
                },
            );
            self.place.advance(next);
            budget = budget.saturating_sub(seen);
        }
        self.place.stripe < stripes
    }

    /// The cursor that goes on where the walk stands; 0 at the end.
    pub fn cursor(&self, store: &Store) -> u64 {
        self.place.cursor(store.stripes.count() as u32)
    }
}

impl KeyspaceView<'_, '_> {
    /// Visits at least `count` live entries from `cursor` on, where there are as many,
    /// and returns the cursor to go on from; 0 is both start and end.
    ///
    /// Cost: O(count) plus the empty stripes passed, of which one call passes any
    /// number: each costs one uncontended lock.
    pub fn scan(&mut self, cursor: u64, count: usize, mut visit: impl FnMut(&Entry)) -> u64 {
        let mut place = Place::of_cursor(cursor);
        let (db, live) = (self.db(), self.live());
        let mut seen = 0;
        while place.stripe < self.stripes() && seen < count {
            let next = self.with_stripe(place.stripe, |stripe| {
                scan_stripe(stripe, db, place.position, count - seen, live, |entry| {
                    seen += 1;
                    if let Some(entry) = entry {
                        visit(entry);
                    }
                })
            });
            place.advance(next);
        }
        place.cursor(self.stripes())
    }

    /// Which entries count as there.
    fn live(&self) -> Live {
        Live {
            now_ms: self.scope.now_ms,
            expire: self.scope.expire,
        }
    }

    /// A walk from the start of this database that goes on after this view is gone.
    pub fn walk(&self, cursor: u64) -> Walk {
        Walk {
            db: self.db(),
            live: self.live(),
            place: Place::of_cursor(cursor),
        }
    }

    /// Visits the live entries of one stripe.
    pub fn visit_stripe(&mut self, index: u32, mut visit: impl FnMut(&Entry)) {
        let (db, live) = (self.db(), self.live());
        self.with_stripe(index, |stripe| {
            if let Some(database) = stripe.database(db) {
                database
                    .table()
                    .iter()
                    .filter(|entry| live.has(entry))
                    .for_each(&mut visit);
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

    /// The average time to live of those keys of a database that have a deadline, in
    /// milliseconds; 0 where none has.
    pub fn average_ttl_ms(&mut self, db: u16) -> i64 {
        let (mut expiring, mut deadlines_ms) = (0, 0_i128);
        for index in 0..self.stripes() {
            self.with_stripe(index, |stripe| {
                if let Some(database) = stripe.database(db) {
                    expiring += database.expiring() as i128;
                    deadlines_ms += database.deadlines_ms();
                }
            });
        }
        let ttl_ms =
            deadlines_ms.checked_div(expiring).unwrap_or(0) - i128::from(self.scope.now_ms);
        i64::try_from(ttl_ms).unwrap_or(i64::MAX).max(0)
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
            let mut live = self.live();
            live.expire &= attempt + 1 < TRIES;
            let key = self.with_stripe(index, |stripe| {
                let entry = stripe.database(db)?.table().random(random)?;
                live.has(entry).then(|| entry.key().to_vec())
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
        self.effects.flushed = true;
        let mut removed = 0;
        // Whoever waits for a key to go, too.
        let mut gone = Vec::new();
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
                let waited: Vec<Box<[u8]>> = stripe
                    .waiters
                    .keys(of)
                    .filter(|key| stripe.waiters.has_on_absence(of, key))
                    .map(Into::into)
                    .collect();
                gone.extend(waited.into_iter().map(|key| Ready { db: of, key }));
                match &stripe.capture {
                    Some(capture) if !taken.is_empty() => {
                        capture.capture_table(of, taken.table, stripe.snapshot_bit);
                    }
                    _ => tables.push(taken.table),
                }
            }
            for table in tables {
                if !table.is_empty() {
                    self.effects.garbage.push(Garbage::Table(table));
                }
            }
            self.scope.store.deadlines().set(index, i64::MAX);
        }
        self.effects.ready.append(&mut gone);
        if db.is_some() {
            self.renew_deadlines();
        }
        removed
    }

    /// Exchanges the keys of two databases. Takes exclusive access.
    pub fn swap_databases(&mut self, a: u16, b: u16) {
        self.make_exclusive();
        if let Some(capture) = self
            .held()
            .stripe(0)
            .and_then(|first| first.capture.clone())
        {
            capture.databases_swapped(a, b);
        }
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
                self.effects.ready.push(Ready {
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
                        view.expire_fields(key, FIELD_SLICES_PER_STEP);
                        let left = view.earliest_field_deadline_ms(key);
                        if left.is_some_and(|deadline| deadline <= now_ms) {
                            // The rest is for the next step.
                            view.note_field_deadline(key, now_ms);
                        }
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
