//! The member index: from a member's hash to the number of the leaf that holds it.
//!
//! It stores no members and compares none: the set looks into the leaf. A slot is the
//! hash's position and a leaf number, 8 bytes:
//!
//! ```text
//!  position (top 32 bits of the member's hash) │ leaf number
//! ```
//!
//! Slots with equal position and leaf are interchangeable: a leaf that holds two
//! members of one position is found twice, and searched both times.
//!
//! Invariant (the set's): one slot per member, with the number of its leaf.

use crate::table::{SharedTable, Slot};

/// The 32 bits of a hash by which a slot is ordered.
#[inline]
pub(super) fn position_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The tag under which a leaf files a member: the low byte of its position, so that
/// a slot alone tells it.
#[inline]
pub(super) fn leaf_tag(position: u32) -> u8 {
    position as u8
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    position: u32,
    leaf: u32,
}

impl Slot for Place {
    #[inline]
    fn position(&self) -> u32 {
        self.position
    }
}

/// Leaf numbers by the hashes of members. A clone shares the segments, as a tree's clone
/// shares nodes.
#[derive(Clone, Default)]
pub(super) struct MemberIndex {
    places: SharedTable<Place>,
}

impl MemberIndex {
    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The leaf filed under this hash that `holds` what is looked for.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut holds: impl FnMut(u32) -> bool) -> Option<u32> {
        let position = position_of(hash);
        let place = self.places.find(hash, |place| {
            place.position == position && holds(place.leaf)
        })?;
        Some(place.leaf)
    }

    /// Files a leaf under a hash.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64, leaf: u32) {
        let position = position_of(hash);
        self.places.insert(hash, Place { position, leaf });
    }

    /// Files under another leaf what was filed under `from`.
    #[inline]
    pub(super) fn relocate(&mut self, hash: u64, from: u32, to: u32) {
        let known = place(hash, from);
        if let Some(place) = self.places.find_mut(hash, |place| *place == known) {
            place.leaf = to;
        } else {
            debug_assert!(false, "a member that moves has a slot");
        }
    }

    /// Forgets one member of a leaf.
    #[inline]
    pub(super) fn remove(&mut self, hash: u64, leaf: u32) {
        let known = place(hash, leaf);
        let removed = self.places.remove(hash, |place| *place == known);
        debug_assert!(removed.is_some(), "a member that goes has a slot");
    }

    /// Visits position and leaf of about `count` slots in the order of hashes, and
    /// returns the position to go on from.
    pub(super) fn scan(
        &self,
        position: u32,
        count: usize,
        mut visit: impl FnMut(u32, u32),
    ) -> Option<u32> {
        self.places
            .scan(position, count, |place| visit(place.position, place.leaf))
    }

    /// Begins to load what is touched `step`-th on the way to the slot of this hash;
    /// returns whether there are more steps.
    pub(super) fn prefetch_step(&self, step: usize, hash: u64) -> bool {
        step < 2 && self.places.prefetch_step(step, hash)
    }

    /// Begins to load what a lookup of this hash needs first.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        self.places.prefetch_bucket(hash);
    }

    /// Bytes allocated.
    pub(super) fn memory_bytes(&self) -> usize {
        self.places.memory_bytes()
    }

    /// Frees one segment's slots. False when there was nothing left. For dropping.
    pub(super) fn drop_segment(&mut self) -> bool {
        self.places.release_segment()
    }
}

#[inline]
fn place(hash: u64, leaf: u32) -> Place {
    let position = position_of(hash);
    Place { position, leaf }
}
