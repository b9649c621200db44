//! THE locks: who may hold which stripes, and how several are taken without deadlock.
//!
//! The rules (they are the whole proof that nothing deadlocks):
//!
//! 1. A command takes all its stripes before its first read and holds them until its
//!    effects are recorded.
//! 2. A command of several stripes takes all of them or none: in ascending order with
//!    try-lock; on a miss it releases everything, waits for the missing one while
//!    holding nothing, and tries again with that one in hand.
//! 3. Only the holder of the one global lock may wait for a stripe while it holds
//!    others. Whoever needs stripes it cannot name ahead, or all of them, takes the
//!    global lock first.
//! 4. Under a stripe lock: no I/O, no waiting for another thread.
//!
//! A holder of the global lock may release its stripes between its commands, once it has
//! marked within them what it keeps to itself (`reserved`): others look for such marks
//! before they touch anything, and come again later.
//!
//! Whoever holds stripes may take more that nobody holds at that moment: that waits for
//! nobody.
//!
//! So at any time at most one thread waits while holding stripes, and the threads that
//! hold what it waits for wait for nothing.
//!
//! The module is generic over what a stripe protects, and knows neither keys nor
//! commands. It takes its mutex from the sibling module `sync`, in whose place
//! `tests/locks_shuttle.rs` puts shuttle's, to explore schedules.

use super::sync::{Mutex, MutexGuard, try_lock, wait_for};

/// Keeps neighbours out of each other's cache lines (two lines, as the prefetcher
/// fetches pairs).
#[repr(align(128))]
struct Padded<T>(T);

/// The stripes, each a lock around a `T`, and the global lock.
pub struct Stripes<T> {
    stripes: Box<[Padded<Mutex<T>>]>,
    global: Mutex<()>,
}

/// The caller's reason to stop waiting was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GaveUp;

/// Stripes held, and perhaps the global lock. Dropping it releases them.
pub struct Held<'s, T> {
    owner: &'s Stripes<T>,
    guards: Guards<'s, T>,
    global: Option<MutexGuard<'s, ()>>,
}

/// The guards of the stripes held. One is the usual number, and needs no allocation.
enum Guards<'s, T> {
    One(u32, MutexGuard<'s, T>),
    /// Ascending by index.
    Many(Vec<(u32, MutexGuard<'s, T>)>),
}

impl<T> Stripes<T> {
    /// `count` stripes, a power of two.
    pub fn new(count: usize, mut make: impl FnMut() -> T) -> Self {
        assert!(count.is_power_of_two());
        Self {
            stripes: (0..count).map(|_| Padded(Mutex::new(make()))).collect(),
            global: Mutex::new(()),
        }
    }

    #[inline]
    pub fn count(&self) -> usize {
        self.stripes.len()
    }

    /// Nothing held: for commands that lock as they go, or not at all.
    pub fn none(&self) -> Held<'_, T> {
        Held {
            owner: self,
            guards: Guards::Many(Vec::new()),
            global: None,
        }
    }

    /// Locks one stripe, waiting for it.
    #[inline]
    pub fn lock_one(&self, index: u32) -> Held<'_, T> {
        self.lock_one_or(index, &mut || false)
            .expect("never gives up")
    }

    /// Locks one stripe; while it must wait, asks `give_up` every millisecond.
    #[inline]
    pub fn lock_one_or(
        &self,
        index: u32,
        give_up: &mut dyn FnMut() -> bool,
    ) -> Result<Held<'_, T>, GaveUp> {
        Ok(self.held_one(index, self.wait(index, give_up)?))
    }

    /// Locks one stripe if nobody holds it.
    #[inline]
    pub fn try_lock_one(&self, index: u32) -> Option<MutexGuard<'_, T>> {
        self.try_stripe(index)
    }

    /// The stripe of this index, which is locked.
    #[inline]
    pub fn held_one<'s>(&'s self, index: u32, guard: MutexGuard<'s, T>) -> Held<'s, T> {
        Held {
            owner: self,
            guards: Guards::One(index, guard),
            global: None,
        }
    }

    /// Locks several stripes, named in ascending order without repetition (rule 2).
    pub fn lock_many_or(
        &self,
        indices: &[u32],
        give_up: &mut dyn FnMut() -> bool,
    ) -> Result<Held<'_, T>, GaveUp> {
        debug_assert!(indices.is_sorted_by(|a, b| a < b));
        if let &[only] = indices {
            return self.lock_one_or(only, give_up);
        }
        let mut guards = Vec::with_capacity(indices.len());
        let mut waited: Option<(u32, MutexGuard<'_, T>)> = None;
        'again: loop {
            for &index in indices {
                if waited.as_ref().is_some_and(|(held, _)| *held == index) {
                    guards.extend(waited.take());
                    continue;
                }
                match self.try_stripe(index) {
                    Some(guard) => guards.push((index, guard)),
                    None => {
                        // Nothing may be held while waiting.
                        guards.clear();
                        drop(waited.take());
                        waited = Some((index, self.wait(index, give_up)?));
                        continue 'again;
                    }
                }
            }
            return Ok(Held {
                owner: self,
                guards: Guards::Many(guards),
                global: None,
            });
        }
    }

    /// As [`Stripes::lock_many_or`], for as long as it takes.
    pub fn lock_many(&self, indices: &[u32]) -> Held<'_, T> {
        self.lock_many_or(indices, &mut || false)
            .expect("never gives up")
    }

    /// Takes the global lock and no stripe yet: see [`Held::extend`].
    pub fn lazily_or(&self, give_up: &mut dyn FnMut() -> bool) -> Result<Held<'_, T>, GaveUp> {
        Ok(Held {
            owner: self,
            guards: Guards::Many(Vec::new()),
            global: Some(wait_for(&self.global, give_up)?),
        })
    }

    /// The global lock and every stripe: exclusive access to everything.
    pub fn exclusive_or(&self, give_up: &mut dyn FnMut() -> bool) -> Result<Held<'_, T>, GaveUp> {
        let mut held = self.lazily_or(give_up)?;
        held.extend_to_all();
        Ok(held)
    }

    /// As [`Stripes::exclusive_or`], for as long as it takes.
    pub fn exclusive(&self) -> Held<'_, T> {
        self.exclusive_or(&mut || false).expect("never gives up")
    }

    /// Prefetches the lock and the head of a stripe.
    #[inline]
    pub fn prefetch(&self, index: u32) {
        ochre_structures::table::prefetch_line(&self.stripes[index as usize]);
    }

    #[inline]
    fn try_stripe(&self, index: u32) -> Option<MutexGuard<'_, T>> {
        try_lock(&self.stripes[index as usize].0)
    }

    #[inline]
    fn wait(
        &self,
        index: u32,
        give_up: &mut dyn FnMut() -> bool,
    ) -> Result<MutexGuard<'_, T>, GaveUp> {
        wait_for(&self.stripes[index as usize].0, give_up)
    }
}

impl<'s, T> Held<'s, T> {
    /// Whether this holds the global lock.
    pub fn is_global(&self) -> bool {
        self.global.is_some()
    }

    /// Whether this holds every stripe.
    pub fn is_everything(&self) -> bool {
        match &self.guards {
            Guards::One(..) => self.owner.count() == 1,
            Guards::Many(guards) => guards.len() == self.owner.count(),
        }
    }

    /// Whether this holds no stripe.
    pub fn is_nothing(&self) -> bool {
        matches!(&self.guards, Guards::Many(guards) if guards.is_empty())
    }

    /// The stripes these were taken from.
    pub fn owner(&self) -> &'s Stripes<T> {
        self.owner
    }

    pub fn holds(&self, index: u32) -> bool {
        self.stripe(index).is_some()
    }

    /// Locks more stripes, waiting for them while holding what is held (rule 3).
    ///
    /// # Panics
    /// If the global lock is not held and a stripe is missing.
    pub fn extend(&mut self, indices: &[u32]) {
        for &index in indices {
            if self.holds(index) {
                continue;
            }
            assert!(
                self.is_global(),
                "waiting while holding takes the global lock"
            );
            let owner = self.owner;
            let guard = owner.wait(index, &mut || false).expect("never gives up");
            // The global lock is taken before any stripe, so there is a list.
            if let Guards::Many(guards) = &mut self.guards {
                let place = guards.partition_point(|(held, _)| *held < index);
                guards.insert(place, (index, guard));
            }
        }
    }

    /// Locks more stripes if nobody holds any of them this moment, waiting for none;
    /// says whether all of them are held now. Those taken are kept only then.
    pub fn try_extend(&mut self, indices: &[u32]) -> bool {
        let missing = indices.iter().filter(|&&index| !self.holds(index));
        let mut taken = Vec::new();
        for &index in missing {
            match self.owner.try_stripe(index) {
                Some(guard) => taken.push((index, guard)),
                None => return false,
            }
        }
        if taken.is_empty() {
            return true;
        }
        let held = std::mem::replace(&mut self.guards, Guards::Many(Vec::new()));
        let mut all = match held {
            Guards::One(index, guard) => vec![(index, guard)],
            Guards::Many(guards) => guards,
        };
        all.append(&mut taken);
        all.sort_unstable_by_key(|(index, _)| *index);
        self.guards = Guards::Many(all);
        true
    }

    /// Releases the stripes and keeps the global lock, if that is held.
    pub fn release_stripes(&mut self) {
        self.guards = Guards::Many(Vec::new());
    }

    /// Whether any stripe held is one that `is_so` says yes to.
    #[inline]
    pub fn any(&self, mut is_so: impl FnMut(&T) -> bool) -> bool {
        match &self.guards {
            Guards::One(_, guard) => is_so(guard),
            Guards::Many(guards) => guards.iter().any(|(_, guard)| is_so(guard)),
        }
    }

    /// Locks every stripe not held yet (rule 3).
    pub fn extend_to_all(&mut self) {
        for index in 0..self.owner.count() as u32 {
            self.extend(&[index]);
        }
    }

    /// The stripe, if held.
    #[inline]
    pub fn stripe(&self, index: u32) -> Option<&T> {
        match &self.guards {
            Guards::One(only, guard) => (*only == index).then_some(&**guard),
            Guards::Many(guards) => Self::slot(guards, index).map(|slot| &*guards[slot].1),
        }
    }

    /// The stripe, if held.
    #[inline]
    pub fn stripe_mut(&mut self, index: u32) -> Option<&mut T> {
        match &mut self.guards {
            Guards::One(only, guard) => (*only == index).then_some(&mut **guard),
            Guards::Many(guards) => {
                let slot = Self::slot(guards, index)?;
                Some(&mut *guards[slot].1)
            }
        }
    }

    fn slot(guards: &[(u32, MutexGuard<'s, T>)], index: u32) -> Option<usize> {
        // When everything is held, and often otherwise, the index is the slot.
        if guards
            .get(index as usize)
            .is_some_and(|(held, _)| *held == index)
        {
            return Some(index as usize);
        }
        guards.binary_search_by_key(&index, |(held, _)| *held).ok()
    }
}
