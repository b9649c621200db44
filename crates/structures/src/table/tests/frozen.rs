//! Freezing: a frozen table stays as it was, while the table goes on, on other threads.

use std::collections::BTreeMap;
use std::thread;

use proptest::prelude::*;

use super::super::{FrozenTable, SharedTable, Table};
use super::*;

fn assert_send_sync<T: Send + Sync>() {}

#[test]
fn tables_cross_threads() {
    assert_send_sync::<Table<Arc<Item>>>();
    assert_send_sync::<SharedTable<Arc<Item>>>();
    assert_send_sync::<FrozenTable<Arc<Item>>>();
}

fn content(frozen: &FrozenTable<Arc<Item>>) -> BTreeMap<u64, u64> {
    let content: BTreeMap<_, _> = frozen.iter().map(|slot| (slot.key, slot.value)).collect();
    assert_eq!(content.len(), frozen.len());
    let mut visited = BTreeMap::new();
    let mut next = (frozen.segment_count() > 0).then_some(0);
    while let Some(index) = next {
        next = frozen.visit_from(index, |slot| {
            assert!(visited.insert(slot.key, slot.value).is_none());
        });
    }
    assert_eq!(visited, content);
    content
}

fn set(
    table: &mut SharedTable<Arc<Item>>,
    hashing: Hashing,
    key: u64,
    value: u64,
    census: &Census,
) {
    let hash = hashing.hash(key);
    let item = Arc::new(Item::new(key, value, hash, census));
    match table.find_mut(hash, |slot| slot.key == key) {
        Some(slot) => *slot = item,
        None => table.insert(hash, item),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn frozen_tables_keep_their_moment(
        hashing in prop::sample::select(&HASHINGS[..]),
        rounds in prop::collection::vec((any::<bool>(), any::<bool>(), 0..700_u64, 1..700_u64), 1..12),
    ) {
        let census = Census::default();
        let mut table = SharedTable::new();
        let mut model = BTreeMap::new();
        let mut frozen = Vec::new();
        for (round, (add, forget, first, many)) in rounds.into_iter().enumerate() {
            for key in first..first + many {
                if add {
                    set(&mut table, hashing, key, round as u64, &census);
                    model.insert(key, round as u64);
                } else {
                    let removed = table.remove(hashing.hash(key), |slot| slot.key == key);
                    prop_assert_eq!(removed.map(|slot| slot.value), model.remove(&key));
                }
            }
            if forget {
                frozen.clear();
            }
            frozen.push((table.freeze(), model.clone()));
            for (frozen, model) in &frozen {
                prop_assert_eq!(&content(frozen), model);
            }
            check(&table);
        }
        while table.release_segment() {}
        for (frozen, model) in &frozen {
            prop_assert_eq!(&content(frozen), model);
        }
        drop(table);
        for (mut frozen, model) in frozen {
            prop_assert_eq!(&content(&frozen), &model);
            let mut taken = BTreeMap::new();
            while frozen.take_some(|slot| {
                assert_eq!(taken.insert(slot.key, slot.value), None);
            }) {}
            prop_assert_eq!(taken, model);
            prop_assert!(frozen.is_empty());
        }
        prop_assert_eq!(census.alive(), 0);
    }
}

#[test]
fn other_threads_read_while_the_owner_writes() {
    let census = Census::default();
    let hashing = Hashing::Spread;
    let mut table = SharedTable::new();
    for key in 0..3_000 {
        set(&mut table, hashing, key, key, &census);
    }
    let readers: Vec<_> = (1..=3_u64)
        .map(|round| {
            let frozen = table.freeze();
            let reader = thread::spawn(move || {
                let first = content(&frozen);
                for _ in 0..5 {
                    assert_eq!(content(&frozen), first);
                }
                first
            });
            for key in 0..3_000 {
                set(
                    &mut table,
                    hashing,
                    key + 500 * round,
                    key * 7 + round,
                    &census,
                );
                if key % 3 == 0 {
                    let key = key + 100 * round;
                    table.remove(hashing.hash(key), |slot| slot.key == key);
                }
            }
            reader
        })
        .collect();
    let mut contents = readers.into_iter().map(|reader| reader.join().unwrap());
    let first: BTreeMap<_, _> = (0..3_000).map(|key| (key, key)).collect();
    assert_eq!(contents.next().unwrap(), first);
    assert!(contents.all(|content| content.len() > 2_000));
    check(&table);
    assert_eq!(census.alive(), table.len() as isize);
    drop(table);
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_clone_goes_its_own_way() {
    let census = Census::default();
    let hashing = Hashing::Spread;
    for count in [0, 5, 4_000] {
        let mut table = SharedTable::new();
        (0..count).for_each(|key| set(&mut table, hashing, key, 1, &census));
        table.note_deadline(hashing.hash(0), 77);
        let mut clone = table.clone();
        assert_eq!(clone.earliest_deadline_ms(), table.earliest_deadline_ms());
        (0..count).for_each(|key| set(&mut clone, hashing, key * 2, 2, &census));
        (0..count).for_each(|key| drop(table.remove(hashing.hash(key), |slot| slot.key == key)));
        check(&table);
        check(&clone);
        assert!(table.is_empty());
        let twos = clone.iter().filter(|slot| slot.value == 2).count() as u64;
        assert_eq!((twos, clone.len() as u64), (count, count + count / 2));
        drop(table);
        drop(clone);
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn a_write_copies_only_its_segment() {
    let mut table = SharedTable::new();
    for key in 0..20_000 {
        table.insert(mix(key), Number(mix(key)));
    }
    let frozen = table.freeze();
    table.find_mut(mix(7), |slot| slot.0 == mix(7)).unwrap();
    let shared = |table: &SharedTable<Number>| {
        let segments = table.directory.segments_from(0);
        segments.filter(|(_, segment)| segment.is_shared()).count()
    };
    assert_eq!(shared(&table), table.segment_count() - 1);
    drop(frozen);
    assert_eq!(shared(&table), 0);
}

/// A slot whose clone panics at the given number.
struct Fragile(Box<(u64, Census)>);

impl Slot for Fragile {
    fn position(&self) -> u32 {
        (self.0.0 >> 32) as u32
    }
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(self.0.0 != mix(40), "this one cannot be cloned");
        self.0.1.0.fetch_add(1, Ordering::SeqCst);
        Self(self.0.clone())
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        self.0.1.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_panicking_clone_changes_nothing() {
    let census = Census::default();
    let mut table = SharedTable::new();
    for key in 0..100 {
        census.0.fetch_add(1, Ordering::SeqCst);
        table.insert(mix(key), Fragile(Box::new((mix(key), census.clone()))));
    }
    let frozen = table.freeze();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        table.remove(mix(7), |slot| slot.0.0 == mix(7)).is_some()
    }));
    assert!(outcome.is_err());
    check(&table);
    assert_eq!((table.len(), frozen.len(), census.alive()), (100, 100, 100));
    drop(frozen);
    assert!(table.remove(mix(7), |slot| slot.0.0 == mix(7)).is_some());
    drop(table);
    assert_eq!(census.alive(), 0);
}
