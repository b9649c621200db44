//! Client-side caching: which clients may have cached which keys of a stripe.

use std::collections::{BTreeSet, HashMap};

/// The keys of one stripe that clients have read and may remember. Keys are told apart
/// by name only, not by database, as clients' caches do.
#[derive(Debug, Default)]
pub struct Tracked {
    by_key: HashMap<Box<[u8]>, BTreeSet<u64>>,
}

impl Tracked {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// How many keys are tracked.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// How many pairs of key and client are kept.
    pub fn items(&self) -> usize {
        self.by_key.values().map(BTreeSet::len).sum()
    }

    /// Notes that a client has read a key. Returns whether the key is new here.
    pub fn add(&mut self, key: &[u8], client: u64) -> bool {
        if let Some(clients) = self.by_key.get_mut(key) {
            clients.insert(client);
            return false;
        }
        self.by_key.insert(key.into(), BTreeSet::from([client]));
        true
    }

    /// Forgets a key; the clients that must be told.
    pub fn take(&mut self, key: &[u8]) -> Option<BTreeSet<u64>> {
        self.by_key.remove(key)
    }

    /// Forgets some key, for a table that has grown too large.
    pub fn take_any(&mut self) -> Option<(Box<[u8]>, BTreeSet<u64>)> {
        let key = self.by_key.keys().next()?.clone();
        let clients = self.by_key.remove(&key)?;
        Some((key, clients))
    }

    /// Forgets everything; returns how many keys there were.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.by_key).len()
    }
}
