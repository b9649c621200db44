//! Both flavours against `std::collections::HashMap`, with hashes that collide on purpose.

use std::collections::HashMap;

use proptest::prelude::*;

use super::super::{Entry, ExtendibleTable, Ownership, SharedTable, Table};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Set(u64),
    Add(u64),
    /// Adds as many absent keys in a row.
    AddMany(u64, u64),
    Change(u64),
    Replace(u64),
    Remove(u64),
    RemoveEntry(u64),
    RemoveMany(u64, u64),
    Extract(u64),
    Drain,
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..600_u64;
    prop_oneof![
        4 => key.clone().prop_map(Step::Set),
        4 => key.clone().prop_map(Step::Add),
        3 => (key.clone(), 1..400_u64).prop_map(|(key, count)| Step::AddMany(key, count)),
        2 => key.clone().prop_map(Step::Change),
        2 => key.clone().prop_map(Step::Replace),
        4 => key.clone().prop_map(Step::Remove),
        2 => key.clone().prop_map(Step::RemoveEntry),
        2 => (key.clone(), 1..400_u64).prop_map(|(key, count)| Step::RemoveMany(key, count)),
        1 => (2..5_u64).prop_map(Step::Extract),
        1 => Just(Step::Drain),
        1 => Just(Step::Release),
    ]
}

/// A table, and what should be in it.
struct Pair<S, O> {
    table: ExtendibleTable<S, O>,
    model: HashMap<u64, u64>,
    hashing: Hashing,
    census: Census,
    clock: u64,
}

impl<S: ItemSlot, O: Ownership<S>> Pair<S, O> {
    fn new(hashing: Hashing) -> Self {
        Self {
            table: ExtendibleTable::new(),
            model: HashMap::new(),
            hashing,
            census: Census::default(),
            clock: 0,
        }
    }

    fn element(&mut self, key: u64) -> (u64, u64, S) {
        self.clock += 1;
        let hash = self.hashing.hash(key);
        let item = Item::new(key, self.clock, hash, &self.census);
        (hash, self.clock, S::of(item))
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Set(key) => {
                let (hash, value, element) = self.element(key);
                let stored = match self.table.entry(hash, |slot| slot.item().key == key) {
                    Entry::Occupied(mut slot) => {
                        let old = slot.replace(element);
                        assert_eq!(Some(old.item().value), self.model.get(&key).copied());
                        slot.into_mut()
                    }
                    Entry::Vacant(slot) => {
                        assert!(!self.model.contains_key(&key));
                        slot.insert(element)
                    }
                };
                assert_eq!((stored.item().key, stored.item().value), (key, value));
                self.model.insert(key, value);
            }
            Step::Add(key) => {
                let (hash, value, element) = self.element(key);
                let equal = |slot: &S| slot.item().key == key;
                let stored = self.table.find_or_insert_with(hash, equal, || element);
                let expected = *self.model.entry(key).or_insert(value);
                assert_eq!(stored.item().value, expected);
            }
            Step::AddMany(first, count) => {
                for key in first..first + count {
                    if !self.model.contains_key(&key) {
                        let (hash, value, element) = self.element(key);
                        self.table.insert(hash, element);
                        self.model.insert(key, value);
                    }
                }
            }
            Step::Change(key) => {
                let (hash, value, element) = self.element(key);
                let found = self.table.find_mut(hash, |slot| slot.item().key == key);
                assert_eq!(found.is_some(), self.model.contains_key(&key));
                if let Some(slot) = found {
                    *slot = element;
                    self.model.insert(key, value);
                }
            }
            Step::Replace(key) => {
                let (hash, value, element) = self.element(key);
                if let Entry::Occupied(mut slot) =
                    self.table.entry(hash, |slot| slot.item().key == key)
                {
                    assert_eq!(Some(&slot.get().item().value), self.model.get(&key));
                    *slot.get_mut() = element;
                    self.model.insert(key, value);
                }
            }
            Step::Remove(key) => self.remove(key),
            Step::RemoveEntry(key) => {
                let hash = self.hashing.hash(key);
                let removed = match self.table.entry(hash, |slot| slot.item().key == key) {
                    Entry::Occupied(slot) => Some(slot.remove()),
                    Entry::Vacant(_) => None,
                };
                let removed = removed.map(|slot| slot.item().value);
                assert_eq!(removed, self.model.remove(&key));
            }
            Step::RemoveMany(first, count) => {
                (first..first + count).for_each(|key| self.remove(key));
            }
            Step::Extract(divisor) => {
                let mut extracted = HashMap::new();
                self.table.extract_if(
                    |slot| slot.item().key % divisor == 0,
                    |slot| {
                        assert!(
                            extracted
                                .insert(slot.item().key, slot.item().value)
                                .is_none()
                        )
                    },
                );
                let expected: HashMap<_, _> =
                    self.model.extract_if(|key, _| key % divisor == 0).collect();
                assert_eq!(extracted, expected);
            }
            Step::Drain => {
                let Some(elements) = self.table.drain_segment() else {
                    assert!(self.model.is_empty());
                    return;
                };
                assert!(!elements.is_empty());
                for element in elements {
                    let (key, value) = (element.item().key, element.item().value);
                    assert_eq!(self.model.remove(&key), Some(value));
                }
            }
            Step::Release => {
                assert_eq!(self.table.release_segment(), !self.model.is_empty());
                assert!(self.table.len() < self.model.len() || self.model.is_empty());
                let (table, hashing) = (&self.table, self.hashing);
                self.model.retain(|&key, _| {
                    table
                        .find(hashing.hash(key), |slot| slot.item().key == key)
                        .is_some()
                });
            }
        }
    }

    fn remove(&mut self, key: u64) {
        let hash = self.hashing.hash(key);
        let removed = self.table.remove(hash, |slot| slot.item().key == key);
        assert_eq!(
            removed.map(|slot| slot.item().value),
            self.model.remove(&key)
        );
    }

    fn check(&self) {
        check(&self.table);
        assert_eq!(self.table.len(), self.model.len());
        assert_eq!(self.census.alive(), self.model.len() as isize);
        for (&key, &value) in &self.model {
            let hash = self.hashing.hash(key);
            let found = self.table.find(hash, |slot| slot.item().key == key);
            assert_eq!(found.map(|slot| slot.item().value), Some(value));
            let mut seen = false;
            self.table
                .candidates(hash, |slot| seen |= slot.item().key == key);
            assert!(seen);
            self.table.prefetch_bucket(hash);
            self.table.prefetch_change(hash);
        }
        for key in 100_000..100_050 {
            let hash = self.hashing.hash(key);
            assert!(
                self.table
                    .find(hash, |slot| slot.item().key == key)
                    .is_none()
            );
        }
    }

    fn run(hashing: Hashing, steps: &[Step]) {
        let mut pair = Self::new(hashing);
        for step in steps {
            pair.apply(step);
            pair.check();
        }
        let census = pair.census.clone();
        drop(pair);
        assert_eq!(census.alive(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn unique_table_equals_the_model(
        hashing in prop::sample::select(&HASHINGS[..]),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        Pair::<Box<Item>, super::super::Unique>::run(hashing, &steps);
    }

    #[test]
    fn slots_that_know_half_their_position_equal_the_model(
        hashing in prop::sample::select(&HASHINGS[..]),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        Pair::<Prefixed, super::super::Unique>::run(hashing, &steps);
    }

    #[test]
    fn shared_table_equals_the_model(
        hashing in prop::sample::select(&HASHINGS[..]),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        Pair::<Arc<Item>, super::super::Shared>::run(hashing, &steps);
    }
}

/// Small enough for valgrind and Miri, yet through every size, split and merge.
#[test]
fn small_tables_grow_and_shrink_through_all_sizes() {
    for hashing in HASHINGS {
        let mut pair = Pair::<Box<Item>, super::super::Unique>::new(hashing);
        pair.apply(&Step::AddMany(0, 900));
        pair.check();
        let full_bytes = pair.table.memory_bytes();
        pair.apply(&Step::RemoveMany(5, 895));
        pair.check();
        assert!(pair.table.memory_bytes() * 4 < full_bytes);
        pair.apply(&Step::AddMany(5, 700));
        pair.apply(&Step::Drain);
        pair.apply(&Step::Extract(2));
        pair.apply(&Step::Release);
        pair.check();
        let census = pair.census.clone();
        drop(pair);
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn an_empty_table_allocates_nothing_and_answers() {
    let mut table = Table::<Number>::new();
    assert_eq!((table.len(), table.memory_bytes()), (0, 0));
    assert!(table.is_empty() && table.find(5, |_| true).is_none());
    assert!(table.find_mut(5, |_| true).is_none() && table.remove(5, |_| true).is_none());
    assert!(table.scan(0, 10, |_| ()).is_none() && table.drain_segment().is_none());
    assert!(table.random(&mut || 3).is_none() && !table.release_segment());
    table.visit_random_run(&mut || 3, 5, |_| panic!("there is none"));
    table.note_deadline(5, 5);
    assert_eq!(table.earliest_deadline_ms(), u64::MAX);
    assert!(SharedTable::<Number>::new().freeze().is_empty());
}

/// A number that holds 16 bits of its position and counts how often it was read whole.
struct Counted(u64);

thread_local! {
    static WHOLE_READS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

impl Slot for Counted {
    const KNOWN_BITS: u32 = 16;

    fn position(&self) -> u32 {
        WHOLE_READS.set(WHOLE_READS.get() + 1);
        (self.0 >> 32) as u32
    }

    fn known_position(&self) -> u32 {
        (self.0 >> 32) as u32 & 0xffff_0000
    }
}

#[test]
fn known_bits_spare_reading_elements_when_growing() {
    let mut table = Table::new();
    for key in 0..10_000 {
        table.insert(mix(key), Counted(mix(key)));
    }
    // Debug builds check the position of every element inserted.
    let reads = WHOLE_READS.get() - if cfg!(debug_assertions) { 10_000 } else { 0 };
    assert!(reads < 2_000, "{reads} reads");
    check(&table);
    assert!((0..10_000).all(|key| table.find(mix(key), |slot| slot.0 == mix(key)).is_some()));
}

/// Thousands of elements that no split can tell apart: the segment grows instead, and
/// the directory stays small.
#[test]
fn identical_positions_neither_split_without_end_nor_waste_memory() {
    for count in [600_u64, 5_000, 30_000] {
        let mut table = Table::new();
        // The low bits differ, so each is found by itself.
        for low in 0..count {
            table.insert(0x5555_5555 << 32 | low, Number(0x5555_5555 << 32 | low));
        }
        check(&table);
        assert!(
            table.memory_bytes() < 20 * count as usize + 4096,
            "{}",
            table.memory_bytes()
        );
        for low in (0..count).step_by(97) {
            let hash = 0x5555_5555 << 32 | low;
            assert_eq!(table.find(hash, |slot| slot.0 == hash), Some(&Number(hash)));
        }
        let mut scanned = 0;
        assert!(table.scan(0, usize::MAX, |_| scanned += 1).is_none());
        assert_eq!(scanned, count);
        for low in 10..count {
            let hash = 0x5555_5555 << 32 | low;
            assert!(table.remove(hash, |slot| slot.0 == hash).is_some());
        }
        check(&table);
        assert!(table.memory_bytes() < 4096, "{}", table.memory_bytes());
    }
}

#[test]
fn panicking_closures_leave_the_table_whole() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let mut pair = Pair::<Box<Item>, super::super::Unique>::new(Hashing::Spread);
    pair.apply(&Step::AddMany(0, 2000));
    let table = &mut pair.table;
    table.note_deadline(Hashing::Spread.hash(5), 5);
    let mut panics = |action: &mut dyn FnMut(&mut Table<Box<Item>>)| {
        assert!(catch_unwind(AssertUnwindSafe(|| action(table))).is_err());
    };
    let hash = Hashing::Spread.hash(5);
    panics(&mut |table| assert!(table.find(hash, |_| panic!("equal")).is_none()));
    panics(&mut |table| assert!(table.remove(hash, |_| panic!("equal")).is_none()));
    panics(&mut |table| {
        table.find_or_insert_with(1, |_| false, || panic!("make"));
    });
    panics(&mut |table| table.candidates(hash, |_| panic!("visit")));
    panics(&mut |table| table.extract_if(|_| panic!("chosen"), drop));
    panics(&mut |table| assert!(table.scan(0, 5, |_| panic!("emit")).is_none()));
    panics(&mut |table| assert!(table.visit_due(9, 1, |_| panic!("decide"), drop) > 1));
    assert_eq!(table.earliest_deadline_ms(), 5);
    pair.check();
    let mut extracted = 0;
    let table = &mut pair.table;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        table.extract_if(
            |slot| slot.key % 2 == 0,
            |_| {
                extracted += 1;
                assert!(extracted < 100, "taken");
            },
        );
    }));
    assert!(outcome.is_err());
    check(table);
    assert_eq!(table.len(), 1900);
    assert_eq!(pair.census.alive(), 1900);
}

#[test]
fn random_elements_are_spread_evenly() {
    let mut table = Table::new();
    for key in 0..5_000 {
        table.insert(mix(key), Number(mix(key)));
    }
    let mut hits = HashMap::new();
    let mut state = 1;
    let mut random = || {
        state += 1;
        mix(state)
    };
    for _ in 0..100_000 {
        *hits
            .entry(table.random(&mut random).unwrap().0)
            .or_insert(0) += 1;
    }
    assert!(hits.len() > 4_990, "{} elements hit", hits.len());
    // 20 expected; a fair draw stays below 45 or so.
    assert!(hits.values().all(|&count| count < 50));
    let mut run = Vec::new();
    table.visit_random_run(&mut random, 8, |slot| run.push(slot.0));
    assert!((15..=56).contains(&run.len()), "{} in 8 buckets", run.len());
    let mut all = 0;
    table.visit_random_run(&mut random, usize::MAX, |_| all += 1);
    assert_eq!(all, 5_000);
    for key in 1..5_000 {
        table.remove(mix(key), |slot| slot.0 == mix(key));
    }
    assert_eq!(table.random(&mut random), Some(&Number(mix(0))));
}
