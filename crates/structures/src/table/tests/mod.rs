//! Tests of the whole table against plain models.
//!
//! Elements count themselves in a [`Census`], so that each test can tell that every
//! element was dropped exactly once.

mod deadlines;
mod frozen;
mod memory;
mod model;
mod reserve;
mod scan;

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use super::{ExtendibleTable, Ownership, Slot};

/// The number of elements alive.
#[derive(Clone, Default)]
struct Census(Arc<AtomicIsize>);

impl Census {
    fn alive(&self) -> isize {
        self.0.load(Ordering::SeqCst)
    }
}

/// What a slot points to.
struct Item {
    key: u64,
    value: u64,
    hash: u64,
    census: Census,
}

impl Item {
    fn new(key: u64, value: u64, hash: u64, census: &Census) -> Self {
        census.0.fetch_add(1, Ordering::SeqCst);
        let census = census.clone();
        Self {
            key,
            value,
            hash,
            census,
        }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.census.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Slot for Box<Item> {
    fn position(&self) -> u32 {
        (self.hash >> 32) as u32
    }
}

impl Slot for Arc<Item> {
    fn position(&self) -> u32 {
        (self.hash >> 32) as u32
    }
}

/// A slot that holds half of its position itself.
struct Prefixed(Box<Item>);

impl Slot for Prefixed {
    const KNOWN_BITS: u32 = 16;

    fn position(&self) -> u32 {
        self.0.position()
    }

    fn known_position(&self) -> u32 {
        self.0.position() & 0xffff_0000
    }
}

impl ItemSlot for Prefixed {
    fn of(item: Item) -> Self {
        Self(Box::new(item))
    }
    fn item(&self) -> &Item {
        &self.0
    }
}

/// A plain number that is its own hash, for large tables.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Number(u64);

impl Slot for Number {
    fn position(&self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Slots that can be made of, and read as, items: both flavours' elements.
trait ItemSlot: Slot {
    fn of(item: Item) -> Self;
    fn item(&self) -> &Item;
}

impl ItemSlot for Box<Item> {
    fn of(item: Item) -> Self {
        Box::new(item)
    }
    fn item(&self) -> &Item {
        self
    }
}

impl ItemSlot for Arc<Item> {
    fn of(item: Item) -> Self {
        Arc::new(item)
    }
    fn item(&self) -> &Item {
        self
    }
}

/// How keys become hashes.
#[derive(Clone, Copy, Debug)]
enum Hashing {
    Spread,
    SameTag,
    /// All elements in one thousandth of the positions.
    Crowded,
    FewPositions,
    SamePosition,
    /// The same 64 bits for all.
    Same,
}

const HASHINGS: [Hashing; 6] = [
    Hashing::Spread,
    Hashing::SameTag,
    Hashing::Crowded,
    Hashing::FewPositions,
    Hashing::SamePosition,
    Hashing::Same,
];

/// Mixes `number`'s bits (splitmix64): every number has another result.
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Hashing {
    fn hash(self, key: u64) -> u64 {
        let mixed = mix(key);
        match self {
            Self::Spread => mixed,
            Self::SameTag => mixed & !0xff | 7,
            Self::Crowded => mixed >> 10 | 0x1234_5678 << 32,
            Self::FewPositions => mixed & 0xffff_ffff | (key % 3) << 62,
            Self::SamePosition => mixed & 0xffff_ffff | 0x8000_0001 << 32,
            Self::Same => 0xdead_beef_0000_0100,
        }
    }
}

/// Checks what must hold of any table at any time.
fn check<S: Slot, O: Ownership<S>>(table: &ExtendibleTable<S, O>) {
    assert_eq!(table.directory.count_elements(), table.len());
    assert_eq!(table.iter().count(), table.len());
}
