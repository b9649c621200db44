//! Long runs of members removed at once: from the tree leaf by leaf, from the member index
//! bit by bit, by the changes that follow.
//!
//! ```text
//!   tree    ─┬─ leaf 3 ─┬─ leaf 7 ─┬─ …        shed: leaf 5, leaf 9, members and all
//!            │          │          │                   │
//!   index   slots of 3, 7, …              and still those of 5 and 9, which lead nowhere
//! ```
//!
//! To find the slots of a thousand members costs as many cache misses as to find the
//! members; so a leaf that goes as a whole is put aside, and a change later on takes some
//! of its slots out of the index. Until then they name a leaf that is not in the tree:
//! whoever follows one finds nothing there. The leaf's number is free only afterwards, so
//! no slot ever leads to a leaf that it was not meant for.
//!
//! Invariant: the index has one slot for each member of the set and for each of those that
//! [`Shed`] counts.

use std::ops::Range;

use super::SortedSet;
use super::leaf::Leaf;
use crate::hash::hash_bytes;

/// Members whose slots a change takes out of the index, beside what it is there for: a few
/// microseconds' work.
const TIDIED_MEMBERS: usize = 32;

/// How often that is done before more is shed: half a millisecond's work.
const TIDYINGS_BEFORE: usize = 128;

/// A leaf that is out of the tree.
struct ShedLeaf {
    number: u32,
    leaf: Leaf,
    /// How many of its members the index has slots for: the first ones.
    left: usize,
}

/// Leaves that are out of the tree, with members that the index still has slots for.
#[derive(Default)]
pub(super) struct Shed {
    leaves: Vec<ShedLeaf>,
    /// Members of all of them that the index has slots for.
    members: usize,
}

impl Shed {
    /// Members that the index still has slots for.
    pub(super) fn members(&self) -> usize {
        self.members
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Bytes allocated beside the leaves.
    pub(super) fn memory_bytes(&self) -> usize {
        self.leaves.capacity() * size_of::<ShedLeaf>()
    }

    /// Bytes allocated for the leaves.
    #[cfg(test)]
    pub(super) fn leaf_bytes(&self) -> usize {
        let leaves = self.leaves.iter();
        leaves.map(|shed| shed.leaf.allocation_bytes()).sum()
    }

    /// Lets go of some leaves; false when none was left. For dropping.
    pub(super) fn drop_some(&mut self) -> bool {
        const LEAVES: usize = 32;
        let had_some = !self.leaves.is_empty();
        let kept = self.leaves.len().saturating_sub(LEAVES);
        self.leaves.truncate(kept);
        had_some
    }
}

impl SortedSet {
    /// Removes a run of ranks, cut to those that exist. Returns their number. As
    /// [`remove_range_by_rank`](Self::remove_range_by_rank) does it, but a long run costs
    /// O(its leaves) now, and the changes to come a little more.
    pub fn shed_range_by_rank(&mut self, ranks: Range<usize>) -> usize {
        // Who sheds again and again pays for most of it.
        for _ in 0..TIDYINGS_BEFORE {
            self.tidy();
        }
        let end = ranks.end.min(self.len());
        let total = end.saturating_sub(ranks.start);
        let mut left = total;
        while left > 0 {
            let (_, number, position) = self.tree.path_of_rank(ranks.start);
            let members = self.tree.leaf(number).len();
            let run = left.min(members - position);
            if run == members {
                self.shed_leaf(number);
            } else {
                self.remove_run(number, position..position + run, |_, _| ());
            }
            left -= run;
        }
        total
    }

    /// Takes a leaf out of the tree, with all its members.
    fn shed_leaf(&mut self, number: u32) {
        let path = self.path_of_leaf(number);
        let Some(leaf) = self.tree.leaf_slot(number).take() else {
            return;
        };
        let members = leaf.len();
        self.change_counts(&path, 0, members);
        if let Some(step) = path.last() {
            self.remove_child(&path, step.child);
        }
        self.shed.members += members;
        self.shed.leaves.push(ShedLeaf {
            number,
            leaf,
            left: members,
        });
    }

    /// Takes some slots of members that are gone out of the index.
    pub(super) fn tidy(&mut self) {
        let Some(last) = self.shed.leaves.last_mut() else {
            return;
        };
        let rest = last.left.saturating_sub(TIDIED_MEMBERS);
        for position in rest..last.left {
            let hash = hash_bytes(last.leaf.member(position));
            self.index.remove(hash, last.number);
        }
        self.shed.members -= last.left - rest;
        last.left = rest;
        if rest == 0 {
            let (number, bytes) = (last.number, last.leaf.allocation_bytes());
            self.links.release_leaf(number, bytes);
            self.shed.leaves.pop();
        }
    }
}
