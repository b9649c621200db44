//! The locks with real threads. Schedules are explored in `tests/locks_shuttle.rs`,
//! which takes the module as it is, hence without these.

use crate::locks::*;

#[test]
fn many_are_held_and_found() {
    let stripes = Stripes::new(8, || 0);
    let mut held = stripes.lock_many(&[1, 3, 6]);
    *held.stripe_mut(3).unwrap() += 1;
    assert_eq!(held.stripe(3), Some(&1));
    assert_eq!(held.stripe(2), None);
    assert!(stripes.try_lock_one(6).is_none());
    drop(held);
    assert!(stripes.try_lock_one(6).is_some());
}

#[test]
fn waiting_gives_up_when_told() {
    let stripes = Stripes::new(2, || 0);
    let _held = stripes.lock_one(0);
    let mut asked = 0;
    let result = stripes.lock_one_or(0, &mut || {
        asked += 1;
        asked == 2
    });
    assert!(result.is_err_and(|e| e == GaveUp));
    assert!(stripes.lock_many_or(&[0, 1], &mut || true).is_err());
    assert!(
        stripes.try_lock_one(1).is_some(),
        "nothing is kept after giving up"
    );
}

#[test]
#[should_panic(expected = "takes the global lock")]
fn only_the_global_holder_may_extend() {
    let stripes = Stripes::new(2, || 0);
    let mut held = stripes.lock_one(0);
    held.extend(&[1]);
}

#[test]
fn threads_that_take_everything_in_every_way_finish() {
    let stripes = Stripes::new(4, || 0_u64);
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let stripes = &stripes;
            scope.spawn(move || {
                for round in 0..2000_u32 {
                    match (thread + round) % 4 {
                        0 => *stripes.lock_one(round % 4).stripe_mut(round % 4).unwrap() += 1,
                        1 => {
                            let mut held = stripes.lock_many(&[0, 2, 3]);
                            *held.stripe_mut(2).unwrap() += 1;
                        }
                        2 => {
                            let mut held = stripes.lazily_or(&mut || false).unwrap();
                            held.extend(&[3]);
                            held.extend(&[1]);
                            *held.stripe_mut(1).unwrap() += 1;
                        }
                        _ => *stripes.exclusive().stripe_mut(0).unwrap() += 1,
                    }
                }
            });
        }
    });
    let total: u64 = {
        let held = stripes.exclusive();
        (0..4).map(|i| *held.stripe(i).unwrap()).sum()
    };
    assert_eq!(total, 8000);
}

#[test]
fn more_are_taken_only_if_nobody_holds_them() {
    let stripes = Stripes::new(8, || 0);
    let mut held = stripes.lock_one(3);
    let other = stripes.lock_one(5);
    assert!(!held.try_extend(&[1, 3, 5]));
    assert!(held.holds(3) && !held.holds(1));
    assert!(stripes.try_lock_one(1).is_some(), "none is kept in vain");
    drop(other);
    assert!(held.try_extend(&[1, 3, 5]));
    assert!([1, 3, 5].iter().all(|&index| held.holds(index)));
    *held.stripe_mut(5).unwrap() += 1;
    drop(held);
    assert_eq!(stripes.try_lock_one(5).as_deref(), Some(&1));
}
