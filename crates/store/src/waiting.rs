//! Blocked clients: who waits for which key, first come first served.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Someone who waits for keys. The store only keeps the order; what a waiter is and
/// how it is served is the server's.
pub trait Waiter: Any + Send + Sync {}

/// The waiters on the keys of one stripe.
#[derive(Default)]
pub struct Waiters {
    by_key: HashMap<(u16, Box<[u8]>), VecDeque<Arc<dyn Waiter>>>,
}

impl Waiters {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// How many keys are waited for.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Queues a waiter behind the others of the key; twice on one key counts once.
    pub fn add(&mut self, db: u16, key: &[u8], waiter: &Arc<dyn Waiter>) {
        let queue = self.by_key.entry((db, key.into())).or_default();
        if !queue.iter().any(|other| same(other, waiter)) {
            queue.push_back(waiter.clone());
        }
    }

    pub fn remove(&mut self, db: u16, key: &[u8], waiter: &Arc<dyn Waiter>) {
        let place = (db, key.into());
        if let Some(queue) = self.by_key.get_mut(&place) {
            queue.retain(|other| !same(other, waiter));
            if queue.is_empty() {
                self.by_key.remove(&place);
            }
        }
    }

    #[inline]
    pub fn has(&self, db: u16, key: &[u8]) -> bool {
        !self.by_key.is_empty() && self.by_key.contains_key(&(db, key.into()))
    }

    /// The waiters on a key in the order they came.
    pub fn of(&self, db: u16, key: &[u8]) -> Vec<Arc<dyn Waiter>> {
        self.by_key
            .get(&(db, key.into()))
            .map(|queue| queue.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Every waiter, once for each of its keys.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Waiter>> {
        self.by_key.values().flatten()
    }

    /// The keys of `db` that somebody waits for.
    pub fn keys(&self, db: u16) -> impl Iterator<Item = &[u8]> {
        self.by_key
            .keys()
            .filter(move |(of, _)| *of == db)
            .map(|(_, key)| &**key)
    }
}

fn same(a: &Arc<dyn Waiter>, b: &Arc<dyn Waiter>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Client(u32);
    impl Waiter for Client {}

    #[test]
    fn first_come_first_served() {
        let mut waiters = Waiters::default();
        let all: Vec<Arc<dyn Waiter>> = (0..3).map(|i| Arc::new(Client(i)) as _).collect();
        for waiter in all.iter().chain(&all[..1]) {
            waiters.add(0, b"k", waiter);
        }
        waiters.remove(0, b"k", &all[1]);
        let order: Vec<u32> = waiters
            .of(0, b"k")
            .into_iter()
            .map(|waiter| {
                (waiter as Arc<dyn Any + Send + Sync>)
                    .downcast::<Client>()
                    .unwrap()
                    .0
            })
            .collect();
        assert_eq!(order, [0, 2]);
        assert!(waiters.has(0, b"k") && !waiters.has(1, b"k"));
        assert_eq!(waiters.all().count(), 2);
        waiters.remove(0, b"k", &all[0]);
        waiters.remove(0, b"k", &all[2]);
        assert!(waiters.is_empty());
    }
}
