//! The locking rules under shuttle: thousands of schedules of single-key commands,
//! multi-key commands, scripts that lock as they go, and exclusive operations at once.
//! A deadlock or a lost update in any of them fails the test.

#[path = "../src/locks.rs"]
#[allow(dead_code, reason = "the tests use a part of the module")]
mod locks;

/// Shuttle's mutex in the place of parking_lot's.
mod sync {
    use super::locks::GaveUp;
    pub use shuttle::sync::{Mutex, MutexGuard};

    pub fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        mutex.try_lock().ok()
    }

    pub fn wait_for<'a, T>(
        mutex: &'a Mutex<T>,
        _give_up: &mut dyn FnMut() -> bool,
    ) -> Result<MutexGuard<'a, T>, GaveUp> {
        Ok(mutex.lock().expect("nobody panics while holding"))
    }
}

use std::sync::Arc;

use locks::Stripes;
use shuttle::thread;

const STRIPES: u32 = 4;

/// What a stripe protects: a count, and whether a script aside keeps it to itself.
#[derive(Default)]
struct Counted {
    count: u64,
    is_reserved: bool,
}

/// How a thread takes its stripes.
#[derive(Clone, Copy)]
enum Taker {
    One(u32),
    Many(&'static [u32]),
    /// A script: the global lock, then stripes in the order it happens to touch them.
    Script(&'static [u32]),
    /// A script aside: likewise, but it reserves them and lets go of their locks.
    Aside(&'static [u32]),
    Exclusive,
}

/// Adds one to each stripe; returns how many there were.
fn add(held: &mut locks::Held<'_, Counted>, indices: &[u32]) -> u64 {
    for &index in indices {
        let stripe = held.stripe_mut(index).expect("held");
        let before = stripe.count;
        thread::yield_now();
        stripe.count = before + 1;
    }
    indices.len() as u64
}

/// Adds one to each stripe taken, as soon as none of them is reserved.
fn add_unreserved<'s>(mut lock: impl FnMut() -> locks::Held<'s, Counted>, indices: &[u32]) -> u64 {
    loop {
        let mut held = lock();
        if !held.any(|stripe| stripe.is_reserved) {
            return add(&mut held, indices);
        }
        drop(held);
        thread::yield_now();
    }
}

fn take(stripes: &Stripes<Counted>, taker: Taker) -> u64 {
    let lazily = || stripes.lazily_or(&mut || false).expect("never gives up");
    match taker {
        Taker::One(index) => add_unreserved(|| stripes.lock_one(index), &[index]),
        Taker::Many(indices) => add_unreserved(|| stripes.lock_many(indices), indices),
        Taker::Script(indices) => {
            let mut held = lazily();
            let mut sum = 0;
            for &index in indices {
                held.extend(&[index]);
                sum += add(&mut held, &[index]);
            }
            sum
        }
        Taker::Aside(indices) => {
            let mut held = lazily();
            let mut seen = Vec::new();
            for &index in indices {
                held.extend(&[index]);
                add(&mut held, &[index]);
                let stripe = held.stripe_mut(index).expect("held");
                stripe.is_reserved = true;
                seen.push(stripe.count);
                held.release_stripes();
                thread::yield_now();
            }
            held.extend(indices);
            for (&index, seen) in indices.iter().zip(seen) {
                let stripe = held.stripe_mut(index).expect("held");
                assert_eq!(stripe.count, seen, "nobody else touches what is reserved");
                stripe.is_reserved = false;
            }
            indices.len() as u64
        }
        Taker::Exclusive => {
            let all: Vec<u32> = (0..STRIPES).collect();
            add(&mut stripes.exclusive(), &all)
        }
    }
}

fn explore(takers: &'static [Taker]) {
    shuttle::check_random(
        move || {
            let stripes = Arc::new(Stripes::new(STRIPES as usize, Counted::default));
            let threads: Vec<_> = takers
                .iter()
                .map(|&taker| {
                    let stripes = stripes.clone();
                    thread::spawn(move || take(&stripes, taker) + take(&stripes, taker))
                })
                .collect();
            let added: u64 = threads
                .into_iter()
                .map(|t| t.join().expect("no panic"))
                .sum();
            let held = stripes.exclusive();
            let sum: u64 = (0..STRIPES)
                .map(|i| held.stripe(i).expect("held").count)
                .sum();
            assert_eq!(sum, added);
        },
        1000,
    );
}

#[test]
fn multi_key_commands_do_not_deadlock_each_other() {
    explore(&[
        Taker::Many(&[0, 1, 2]),
        Taker::Many(&[1, 3]),
        Taker::Many(&[0, 3]),
        Taker::One(1),
    ]);
}

#[test]
fn scripts_in_any_order_do_not_deadlock_multi_key_commands() {
    explore(&[
        Taker::Script(&[3, 0, 2]),
        Taker::Script(&[0, 3]),
        Taker::Many(&[0, 2, 3]),
        Taker::One(0),
    ]);
}

#[test]
fn exclusive_operations_meet_everybody() {
    explore(&[
        Taker::Exclusive,
        Taker::Script(&[2, 1]),
        Taker::Many(&[1, 2]),
        Taker::One(2),
    ]);
}

#[test]
fn what_a_script_aside_reserves_is_touched_by_nobody_else() {
    explore(&[
        Taker::Aside(&[2, 0]),
        Taker::Script(&[0, 2]),
        Taker::Many(&[0, 1, 2]),
        Taker::One(2),
    ]);
    explore(&[
        Taker::Aside(&[3, 1]),
        Taker::Exclusive,
        Taker::Aside(&[1]),
        Taker::One(1),
    ]);
}
