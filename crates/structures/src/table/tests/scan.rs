//! The scan's guarantee: what is in the table all the time is emitted, whatever else
//! comes and goes between the calls.

use std::collections::HashMap;

use proptest::prelude::*;

use super::super::Table;
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn elements_that_stay_are_emitted_once(
        hashing in prop::sample::select(&HASHINGS[..]),
        stay in 0..1500_u64,
        before in 0..3000_u64,
        count in prop_oneof![1..20_usize, 100..1000_usize],
        changes in prop::collection::vec((any::<bool>(), 0..3000_u64, 1..2000_u64), 0..30),
    ) {
        // Keys below `stay` stay; those from 10,000 on come and go.
        let mut table = Table::new();
        let mut present = std::collections::HashSet::new();
        let mut toggle = |table: &mut Table<Box<Item>>, key: u64, add: bool| {
            let hash = hashing.hash(key);
            if add && present.insert(key) {
                table.insert(hash, Box::new(Item::new(key, 0, hash, &Census::default())));
            } else if !add && present.remove(&key) {
                assert!(table.remove(hash, |slot| slot.key == key).is_some());
            }
        };
        (0..stay).for_each(|key| toggle(&mut table, key, true));
        (10_000..10_000 + before).for_each(|key| toggle(&mut table, key, true));
        let mut emitted = HashMap::new();
        let mut cursor = Some(0);
        let mut changes = changes.into_iter();
        while let Some(position) = cursor {
            let mut batch = 0;
            let next = table.scan(position, count, |slot| {
                batch += 1;
                assert!(slot.position() >= position);
                *emitted.entry(slot.key).or_insert(0) += 1;
            });
            prop_assert!(next.is_none_or(|next| next > position));
            cursor = next;
            if let Some((add, first, many)) = changes.next() {
                (10_000 + first..10_000 + first + many)
                    .for_each(|key| toggle(&mut table, key, add));
            }
        }
        for key in 0..stay {
            prop_assert_eq!(emitted.get(&key), Some(&1), "key {}", key);
        }
    }
}

#[test]
fn a_call_emits_about_as_many_as_asked_for() {
    let mut table = Table::new();
    for key in 0..100_000 {
        table.insert(mix(key), Number(mix(key)));
    }
    let (mut cursor, mut calls, mut emitted) = (Some(0), 0, 0);
    while let Some(position) = cursor {
        let mut batch = 0;
        cursor = table.scan(position, 10, |_| batch += 1);
        assert!(batch < 60);
        emitted += batch;
        calls += 1;
    }
    assert_eq!(emitted, 100_000);
    assert!((5_000..10_000).contains(&calls), "{calls} calls");
}

#[test]
fn a_call_over_emptiness_is_bounded() {
    let mut table = Table::new();
    for key in 0..200_000 {
        table.insert(mix(key), Number(mix(key)));
    }
    // Every segment but those of the last positions becomes vacant.
    while table.len() > 1_000 {
        table.release_segment();
    }
    let (mut cursor, mut calls, mut emitted) = (Some(0), 0, 0);
    while let Some(position) = cursor {
        cursor = table.scan(position, 1, |_| emitted += 1);
        calls += 1;
    }
    assert_eq!(emitted, table.len());
    assert!(calls >= table.segment_count() / 10, "{calls} calls");
}
