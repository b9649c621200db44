//! The member index: from a member's hash to the number of the leaf that holds it.
//!
//! It stores no members and compares none: the set looks into the leaf. Slots with
//! equal hash and leaf are interchangeable, so it may hold several of them.
//! (Temporary backing until the table is merged.)

use std::collections::BTreeMap;

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

#[derive(Default)]
pub(super) struct MemberIndex {
    slots: BTreeMap<u32, Vec<u32>>,
}

impl MemberIndex {
    pub(super) fn find(&self, hash: u64, mut holds: impl FnMut(u32) -> bool) -> Option<u32> {
        let leaves = self.slots.get(&position_of(hash))?;
        leaves.iter().copied().find(|&leaf| holds(leaf))
    }
    pub(super) fn insert(&mut self, hash: u64, leaf: u32) {
        self.slots.entry(position_of(hash)).or_default().push(leaf);
    }
    pub(super) fn relocate(&mut self, hash: u64, from: u32, to: u32) {
        let leaves = self.slots.get_mut(&position_of(hash)).expect("known");
        *leaves
            .iter_mut()
            .find(|leaf| **leaf == from)
            .expect("known") = to;
    }
    pub(super) fn remove(&mut self, hash: u64, leaf: u32) {
        let leaves = self.slots.get_mut(&position_of(hash)).expect("known");
        let at = leaves.iter().position(|&l| l == leaf).expect("known");
        leaves.swap_remove(at);
        if leaves.is_empty() {
            self.slots.remove(&position_of(hash));
        }
    }
    pub(super) fn scan(
        &self,
        position: u32,
        count: usize,
        mut visit: impl FnMut(u32, u32),
    ) -> Option<u32> {
        let mut seen = 0;
        for (&p, leaves) in self.slots.range(position..) {
            if seen >= count {
                return Some(p);
            }
            for &leaf in leaves {
                visit(p, leaf);
                seen += 1;
            }
        }
        None
    }
    pub(super) fn len(&self) -> usize {
        self.slots.values().map(Vec::len).sum()
    }
    pub(super) fn memory_bytes(&self) -> usize {
        0
    }
    pub(super) fn drop_segment(&mut self) -> bool {
        self.slots.pop_first().is_some()
    }
}
