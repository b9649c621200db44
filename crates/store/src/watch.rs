//! WATCH: who is told that a key has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The mark that a watched key leaves on its watcher. One per watching client; the
/// stripes of its keys point to it.
#[derive(Debug, Default)]
pub struct Watcher {
    changed: AtomicBool,
}

impl Watcher {
    pub fn mark(&self) {
        self.changed.store(true, Ordering::Release);
    }

    /// Whether any watched key has changed. Exact while the keys' stripes are held.
    pub fn is_marked(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }
}

/// A key with its database.
type WatchedKey = (u16, Box<[u8]>);

/// The watchers of the keys of one stripe.
#[derive(Debug, Default)]
pub struct Watches {
    by_key: HashMap<WatchedKey, Vec<Arc<Watcher>>>,
}

impl Watches {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// How many keys are watched.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn add(&mut self, db: u16, key: &[u8], watcher: &Arc<Watcher>) {
        self.by_key
            .entry((db, key.into()))
            .or_default()
            .push(watcher.clone());
    }

    pub fn remove(&mut self, db: u16, key: &[u8], watcher: &Arc<Watcher>) {
        let place = (db, key.into());
        if let Some(list) = self.by_key.get_mut(&place) {
            list.retain(|other| !Arc::ptr_eq(other, watcher));
            if list.is_empty() {
                self.by_key.remove(&place);
            }
        }
    }

    /// Marks the watchers of a key.
    pub fn mark(&self, db: u16, key: &[u8]) {
        if self.is_empty() {
            return;
        }
        if let Some(list) = self.by_key.get(&(db, key.into())) {
            list.iter().for_each(|watcher| watcher.mark());
        }
    }

    /// Marks the watchers of the keys of `db` for which `exists_before_or_after` holds:
    /// a flush or swap of databases changes only those.
    pub fn mark_database(&self, db: u16, mut changed: impl FnMut(&[u8]) -> bool) {
        for ((watched_db, key), list) in &self.by_key {
            if *watched_db == db && changed(key) {
                list.iter().for_each(|watcher| watcher.mark());
            }
        }
    }
}
