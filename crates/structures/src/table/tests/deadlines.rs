//! Deadlines against a plain map of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Due, SharedTable, Table};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Adds keys with deadlines so far after now (0: without).
    Add(u64, u64, u64),
    Postpone(u64, u64),
    Remove(u64, u64),
    Pass(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..800_u64, 1..500_u64, 0..300_u64).prop_map(|(key, many, ms)| Step::Add(key, many, ms)),
        (0..800_u64, 1..300_u64).prop_map(|(key, ms)| Step::Postpone(key, ms)),
        (0..800_u64, 1..500_u64).prop_map(|(key, many)| Step::Remove(key, many)),
        (0..200_u64, 1..6_usize).prop_map(|(ms, segments)| Step::Pass(ms, segments)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_due_is_found_on_time(
        hashing in prop::sample::select(&HASHINGS[..]),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let census = Census::default();
        let mut table = Table::<Box<Item>>::new();
        let mut model = BTreeMap::<u64, u64>::new();
        let mut now_ms = 1_000;
        for step in steps {
            match step {
                Step::Add(first, many, after_ms) => {
                    for key in first..first + many {
                        model.entry(key).or_insert_with(|| {
                            let hash = hashing.hash(key);
                            let after_now_ms = now_ms + after_ms + key % 50;
                            let due_ms = if after_ms == 0 { u64::MAX } else { after_now_ms };
                            table.insert(hash, Box::new(Item::new(key, due_ms, hash, &census)));
                            table.note_deadline(hash, due_ms);
                            due_ms
                        });
                    }
                }
                Step::Postpone(key, after_ms) => {
                    let hash = hashing.hash(key);
                    if let Some(slot) = table.find_mut(hash, |slot| slot.key == key) {
                        slot.value = now_ms + after_ms;
                        table.note_deadline(hash, now_ms + after_ms);
                        model.insert(key, now_ms + after_ms);
                    }
                }
                Step::Remove(first, many) => {
                    for key in first..first + many {
                        let removed = table.remove(hashing.hash(key), |slot| slot.key == key);
                        prop_assert_eq!(removed.map(|slot| slot.value), model.remove(&key));
                    }
                }
                Step::Pass(ms, max_segments) => {
                    now_ms += ms;
                    let mut rounds = 0;
                    while table.earliest_deadline_ms() <= now_ms {
                        let visited = table.visit_due(now_ms, max_segments, |slot| {
                            if slot.value <= now_ms {
                                Due::Remove
                            } else {
                                Due::Keep((slot.value != u64::MAX).then_some(slot.value))
                            }
                        }, |slot| assert_eq!(model.remove(&slot.key), Some(slot.value)));
                        prop_assert!(visited <= max_segments);
                        rounds += 1;
                        prop_assert!(rounds < 1000);
                    }
                    prop_assert!(model.values().all(|&due_ms| due_ms > now_ms));
                }
            }
            check(&table);
            prop_assert_eq!(table.len(), model.len());
            prop_assert_eq!(census.alive(), model.len() as isize);
            let earliest_ms = model.values().copied().min().unwrap_or(u64::MAX);
            prop_assert!(table.earliest_deadline_ms() <= earliest_ms);
            prop_assert!(table.deadlines.memory_bytes() <= 16 * 2 * (3 * table.segment_count() + 40));
        }
    }
}

#[test]
fn a_shared_table_expires_beside_its_frozen_self() {
    let census = Census::default();
    let mut table = SharedTable::new();
    for key in 0..2_000 {
        let hash = mix(key);
        table.insert(hash, Arc::new(Item::new(key, key, hash, &census)));
        table.note_deadline(hash, key);
    }
    let frozen = table.freeze();
    assert_eq!(table.earliest_deadline_ms(), 0);
    let mut removed = 0;
    table.visit_due(
        999,
        usize::MAX,
        |slot| {
            if slot.value <= 999 {
                Due::Remove
            } else {
                Due::Keep(Some(slot.value))
            }
        },
        |_| removed += 1,
    );
    assert_eq!((removed, table.len(), frozen.len()), (1_000, 1_000, 2_000));
    assert_eq!(table.earliest_deadline_ms(), 1_000);
    assert_eq!(frozen.iter().map(|slot| slot.key).sum::<u64>(), 1_999_000);
    check(&table);
    drop((table, frozen));
    assert_eq!(census.alive(), 0);
}

#[test]
fn what_is_due_but_kept_is_shown_once_a_call() {
    let mut table = Table::new();
    for key in 0..1_000 {
        table.insert(mix(key), Number(mix(key)));
        table.note_deadline(mix(key), 5);
    }
    for now_ms in [5, 6, 9] {
        let mut shown = 0;
        let keep = |_: &mut Number| {
            shown += 1;
            Due::Keep(Some(5))
        };
        let visited = table.visit_due(now_ms, usize::MAX, keep, drop);
        assert_eq!((visited, shown), (table.segment_count(), 1_000));
        assert_eq!(table.earliest_deadline_ms(), now_ms + 1);
    }
    let visited = table.visit_due(u64::MAX, usize::MAX, |_| Due::Remove, drop);
    assert!(visited > 0 && table.is_empty());
    assert_eq!(table.earliest_deadline_ms(), u64::MAX);
}
