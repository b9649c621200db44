//! Loading ahead: the memory that a group of requests will touch is asked for before the
//! first of them is executed, so that their cache misses overlap.
//!
//! ```text
//!   stripe ─▶ bucket ─▶ entry ─▶ object ─▶ directory ─▶ bucket ─▶ field     of a hash
//!                                      └─▶ spine ─▶ node ─▶ its bytes       of a list
//! ```
//!
//! Each arrow is a stage: what it leads to is asked for, for every key of the group,
//! before the next one is read. All is hints: nothing is changed, and a key whose stripe
//! somebody holds is passed over.
//!
//! For the length of this, a microsecond at most, the group's stripes are held, without
//! waiting for any. Where several workers want the same stripes, that would make them
//! wait for each other, so after a try that failed no stripe is held across stages.

use arrayvec::ArrayVec;
use ochre_store::value::list::Side;
use ochre_store::{Entry, Hashed, Store, Stripe};
use parking_lot::MutexGuard;

use super::input::GROUP;

/// Groups for which no stripe is held across stages after one was found taken.
const CAUTIOUS_GROUPS: u32 = 64;

/// A request that names one key.
pub struct Target<'i> {
    pub key: Hashed<'i>,
    /// What the command says of its place in a collection, if it is about one.
    pub aim: Option<Aim<'i>>,
}

/// Where in a collection a command works.
#[derive(Clone, Copy)]
pub struct Aim<'i> {
    /// The first argument behind the key.
    pub first: &'i [u8],
    /// The last argument.
    pub last: &'i [u8],
    /// The end of a list.
    pub end: Side,
}

/// Loads ahead for one worker.
#[derive(Debug, Default)]
pub struct Ahead {
    cautious: u32,
}

impl Ahead {
    /// Asks for the memory that these requests, a group at most, will touch in database
    /// `db`. The stripes themselves have been asked for.
    pub fn load(&mut self, store: &Store, db: u16, targets: &[Target<'_>]) {
        if self.cautious > 0 {
            self.cautious -= 1;
            return load_cautiously(store, db, targets);
        }
        let mut held = ArrayVec::<(u32, &Target<'_>, MutexGuard<'_, Stripe>), GROUP>::new();
        for target in targets {
            let index = store.stripe_of_hash(target.key.hash());
            let Some(stripe) = store.stripes.try_lock_one(index) else {
                // Held by this very group, or by another thread?
                if held.iter().all(|(own, ..)| *own != index) {
                    self.cautious = CAUTIOUS_GROUPS;
                }
                continue;
            };
            if let Some(database) = stripe.database(db) {
                database.table().prefetch_bucket(target.key.hash());
                held.push((index, target, stripe));
            }
        }
        for (_, target, stripe) in &held {
            if let Some(database) = stripe.database(db) {
                database
                    .table()
                    .candidates(target.key.hash(), Entry::prefetch);
            }
        }
        let mut entries = ArrayVec::<_, GROUP>::new();
        for (_, target, stripe) in &held {
            if let Some(aim) = target.aim
                && let Some(database) = stripe.database(db)
                && let Some(entry) = database
                    .table()
                    .find(target.key.hash(), |entry| entry.key() == target.key.bytes())
            {
                entry.prefetch_object();
                entries.push((entry, aim));
            }
        }
        let mut objects = ArrayVec::<_, GROUP>::new();
        for (entry, aim) in entries {
            if let Some(object) = entry.object() {
                objects.push((object, object.hash_of_named(aim.first, aim.last), aim.end));
            }
        }
        let mut step = 0;
        let mut is_more = !objects.is_empty();
        while is_more {
            is_more = false;
            for (object, hash, end) in &objects {
                is_more |= object.prefetch_step(step, *hash, *end);
            }
            step += 1;
        }
    }
}

/// Buckets and entries alone, no stripe held for longer than one look.
fn load_cautiously(store: &Store, db: u16, targets: &[Target<'_>]) {
    let each = |look: fn(&ochre_store::Database, u64)| {
        for target in targets {
            let stripe = store
                .stripes
                .try_lock_one(store.stripe_of_hash(target.key.hash()));
            if let Some(stripe) = stripe
                && let Some(database) = stripe.database(db)
            {
                look(database, target.key.hash());
            }
        }
    };
    each(|database, hash| database.table().prefetch_bucket(hash));
    each(|database, hash| database.table().candidates(hash, Entry::prefetch));
}
