//! The store: all stripes, and what is kept beside their locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;

use ochre_structures::hash::hash_bytes;

use crate::freeing::Freer;
use crate::locks::Stripes;
use crate::stripe::Stripe;

/// The most databases there can be.
pub const DATABASES_MAX: usize = 1 << 14;

/// The bits of a key's hash below its stripe; tables use the lowest eight for tags.
const STRIPE_SHIFT: u32 = 8;

/// Called when a deadline earlier than all others was set, with it.
pub type EarlierDeadline = Box<dyn Fn(i64) + Send + Sync>;

/// The keyspace.
pub struct Store {
    pub stripes: Stripes<Stripe>,
    pub freer: Freer,
    databases: usize,
    deadlines: Deadlines,
}

impl Store {
    /// An empty store of `stripes` stripes (a power of two) and `databases` databases.
    /// The handle is the freeing thread's, which ends after the store is dropped.
    pub fn start(stripes: usize, databases: usize) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        Self::start_with(stripes, databases, || {})
    }

    /// As [`Store::start`]; the freeing thread begins with `begin`.
    pub fn start_with(
        stripes: usize,
        databases: usize,
        begin: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        assert!(databases <= DATABASES_MAX);
        let (freer, handle) = Freer::start(begin)?;
        let store = Self {
            stripes: Stripes::new(stripes, Stripe::default),
            freer,
            databases,
            deadlines: Deadlines::new(stripes),
        };
        Ok((Arc::new(store), handle))
    }

    /// How many databases there are (`databases`).
    pub fn databases(&self) -> usize {
        self.databases
    }

    /// The stripe of a key with this hash.
    #[inline]
    pub fn stripe_of_hash(&self, hash: u64) -> u32 {
        (hash >> STRIPE_SHIFT) as u32 & (self.stripes.count() as u32 - 1)
    }

    /// Begins to load the lock and the head of the stripe of a key with this hash.
    #[inline]
    pub fn prefetch_stripe(&self, hash: u64) {
        self.stripes.prefetch(self.stripe_of_hash(hash));
    }

    /// The stripe of a key.
    #[inline]
    pub fn stripe_of(&self, key: &[u8]) -> u32 {
        self.stripe_of_hash(hash_bytes(key))
    }

    /// The deadlines known per stripe.
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }
}

/// The earliest deadline of each stripe, readable without its lock, and the earliest of
/// all. They are lower bounds: a deadline may have been cleared since.
pub struct Deadlines {
    per_stripe: Box<[AtomicI64]>,
    earliest: AtomicI64,
    on_earlier: std::sync::OnceLock<EarlierDeadline>,
}

impl Deadlines {
    pub(crate) fn new(stripes: usize) -> Self {
        Self {
            per_stripe: (0..stripes).map(|_| AtomicI64::new(i64::MAX)).collect(),
            earliest: AtomicI64::new(i64::MAX),
            on_earlier: std::sync::OnceLock::new(),
        }
    }

    /// Sets who is told of a new earliest deadline. Once.
    pub fn on_earlier(&self, tell: EarlierDeadline) {
        let _ = self.on_earlier.set(tell);
    }

    /// Notes a deadline set in a stripe whose lock is held.
    #[inline]
    pub fn note(&self, stripe: u32, deadline_ms: i64) {
        let place = &self.per_stripe[stripe as usize];
        if deadline_ms < place.load(Ordering::Relaxed) {
            // Either `refresh` sees this store, or this load sees what `refresh` stored
            // before it: hence one order for all four.
            place.store(deadline_ms, Ordering::SeqCst);
            if deadline_ms < self.earliest.load(Ordering::SeqCst) {
                self.lower(deadline_ms);
            }
        }
    }

    #[cold]
    fn lower(&self, deadline_ms: i64) {
        if self.earliest.fetch_min(deadline_ms, Ordering::SeqCst) > deadline_ms
            && let Some(tell) = self.on_earlier.get()
        {
            tell(deadline_ms);
        }
    }

    /// Sets a stripe's earliest deadline, exactly; its lock is held.
    pub fn set(&self, stripe: u32, deadline_ms: i64) {
        self.per_stripe[stripe as usize].store(deadline_ms, Ordering::SeqCst);
    }

    /// The stripe's earliest deadline, or `i64::MAX`.
    pub fn of(&self, stripe: u32) -> i64 {
        self.per_stripe[stripe as usize].load(Ordering::Relaxed)
    }

    /// Recomputes the earliest deadline of all and returns it. Deadlines noted
    /// meanwhile are not lost: the minimum is reset before the stripes are read.
    pub fn refresh(&self) -> i64 {
        self.earliest.store(i64::MAX, Ordering::SeqCst);
        let earliest = self
            .per_stripe
            .iter()
            .map(|place| place.load(Ordering::SeqCst))
            .min()
            .unwrap_or(i64::MAX);
        self.earliest
            .fetch_min(earliest, Ordering::SeqCst)
            .min(earliest)
    }
}
