//! The mutex of the stripes: parking_lot's, with a wait that can be given up.

use std::time::Duration;

pub use parking_lot::{Mutex, MutexGuard};

use crate::locks::GaveUp;

/// How long a waiter sleeps before it asks whether to go on waiting.
const PATIENCE: Duration = Duration::from_millis(1);

#[inline]
pub fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    mutex.try_lock()
}

/// Waits for the mutex, asking `give_up` every millisecond.
#[inline]
pub fn wait_for<'a, T>(
    mutex: &'a Mutex<T>,
    give_up: &mut dyn FnMut() -> bool,
) -> Result<MutexGuard<'a, T>, GaveUp> {
    if let Some(guard) = mutex.try_lock() {
        return Ok(guard);
    }
    loop {
        if let Some(guard) = mutex.try_lock_for(PATIENCE) {
            return Ok(guard);
        }
        if give_up() {
            return Err(GaveUp);
        }
    }
}
