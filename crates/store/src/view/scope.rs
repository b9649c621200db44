//! What every view of one command has in common: the moment, the settings, what lookups
//! saw, and the hash of the key that the command names.

use std::cell::Cell;

use ochre_structures::hash::hash_bytes;

use crate::entry::Entry;
use crate::keyspace::Store;
use crate::settings::Settings;

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
    /// The key that the command names, if it names one, with its hash.
    pub named: Option<Hashed<'a>>,
}

/// A key with its hash, so that one command hashes it once.
#[derive(Debug, Clone, Copy)]
pub struct Hashed<'a> {
    key: &'a [u8],
    hash: u64,
}

impl<'a> Hashed<'a> {
    /// O(bytes of the key).
    #[inline]
    pub fn new(key: &'a [u8]) -> Self {
        Self {
            key,
            hash: hash_bytes(key),
        }
    }

    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.key
    }

    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The hash of `key`: the known one if it is the very same slice. The bytes of that
    /// one are borrowed, so whatever lies at its address is it.
    #[inline]
    pub fn hash_of(known: Option<&Self>, key: &[u8]) -> u64 {
        match known {
            Some(known) if std::ptr::eq(known.key, key) => known.hash,
            _ => hash_bytes(key),
        }
    }
}

/// Where a key belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) hash: u64,
    pub(super) stripe: u32,
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
    pub(super) fn random_bits(&self) -> u64 {
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
    /// Where `key` belongs.
    #[inline]
    pub(super) fn locate(&self, key: &[u8]) -> Spot {
        let hash = Hashed::hash_of(self.named.as_ref(), key);
        Spot {
            hash,
            stripe: self.store.stripe_of_hash(hash),
        }
    }

    /// The moment against which deadlines of fields are held: 0 while none are enforced.
    #[inline]
    pub(super) fn deadline_now_ms(&self) -> u64 {
        if self.expire {
            self.now_ms.max(0) as u64
        } else {
            0
        }
    }

    #[inline]
    pub(super) fn is_past(&self, entry: &Entry) -> bool {
        self.expire
            && entry
                .expiry_ms()
                .is_some_and(|deadline| deadline <= self.now_ms)
    }

    #[inline]
    pub(super) fn touch(&self, entry: &Entry) {
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
