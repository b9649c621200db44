//! Blocked clients: who waits for which key, first come first served.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Someone who waits for keys. The store only keeps the order; what a waiter is and
/// how it is served is the server's.
pub trait Waiter: Any + Send + Sync {
    /// Whether it has something to say also when a key goes or changes its type.
    fn wakes_on_absence(&self) -> bool {
        false
    }
}

/// The waiters on the keys of one stripe.
#[derive(Default)]
pub struct Waiters {
    by_key: HashMap<(u16, Box<[u8]>), Queue>,
}

#[derive(Default)]
struct Queue {
    waiters: VecDeque<Arc<dyn Waiter>>,
    /// How many of them wake on absence.
    on_absence: usize,
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

    /// How many of those keys have a waiter that wakes when they go. O(keys).
    pub fn len_on_absence(&self) -> usize {
        self.by_key
            .values()
            .filter(|queue| queue.on_absence > 0)
            .count()
    }

    /// Queues a waiter behind the others of the key. It must not be queued there yet.
    pub fn add(&mut self, db: u16, key: &[u8], waiter: &Arc<dyn Waiter>) {
        let queue = self.by_key.entry((db, key.into())).or_default();
        queue.on_absence += usize::from(waiter.wakes_on_absence());
        queue.waiters.push_back(waiter.clone());
    }

    /// Takes a waiter out, if it is there. O(1) for the first in line.
    pub fn remove(&mut self, db: u16, key: &[u8], waiter: &Arc<dyn Waiter>) {
        let place = (db, key.into());
        let Some(queue) = self.by_key.get_mut(&place) else {
            return;
        };
        if let Some(at) = queue.waiters.iter().position(|other| same(other, waiter)) {
            queue.waiters.remove(at);
            queue.on_absence -= usize::from(waiter.wakes_on_absence());
            if queue.waiters.is_empty() {
                self.by_key.remove(&place);
            }
        }
    }

    #[inline]
    pub fn has(&self, db: u16, key: &[u8]) -> bool {
        !self.by_key.is_empty() && self.by_key.contains_key(&(db, key.into()))
    }

    /// Whether a waiter on the key wakes when that goes.
    pub fn has_on_absence(&self, db: u16, key: &[u8]) -> bool {
        self.by_key
            .get(&(db, key.into()))
            .is_some_and(|queue| queue.on_absence > 0)
    }

    /// The waiter in this place of the key's line, 0 being the first who came.
    pub fn get(&self, db: u16, key: &[u8], place: usize) -> Option<&Arc<dyn Waiter>> {
        self.by_key.get(&(db, key.into()))?.waiters.get(place)
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
    impl Waiter for Client {
        fn wakes_on_absence(&self) -> bool {
            self.0 == 2
        }
    }

    #[test]
    fn first_come_first_served() {
        let mut waiters = Waiters::default();
        let all: Vec<Arc<dyn Waiter>> = (0..3).map(|i| Arc::new(Client(i)) as _).collect();
        for waiter in &all {
            waiters.add(0, b"k", waiter);
        }
        waiters.remove(0, b"k", &all[1]);
        waiters.remove(0, b"k", &all[1]);
        let order: Vec<u32> = (0..3)
            .filter_map(|place| waiters.get(0, b"k", place).cloned())
            .map(|waiter| {
                (waiter as Arc<dyn Any + Send + Sync>)
                    .downcast::<Client>()
                    .unwrap()
                    .0
            })
            .collect();
        assert_eq!(order, [0, 2]);
        assert!(waiters.has(0, b"k") && !waiters.has(1, b"k"));
        assert!(waiters.has_on_absence(0, b"k"));
        waiters.remove(0, b"k", &all[2]);
        assert!(!waiters.has_on_absence(0, b"k"));
        waiters.remove(0, b"k", &all[0]);
        assert!(waiters.is_empty());
    }
}
