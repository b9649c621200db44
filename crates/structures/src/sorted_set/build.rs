//! Building a large sorted set from entries that come in order.
//!
//! It fills leaves one after the other without looking for a place, and makes the
//! inner nodes at the end. Both directions are in order: Redis writes sorted sets
//! into RDB files from the greatest member down. Entries that come otherwise are
//! inserted as usual.

use super::SortedSet;
use super::cut::entry_order;
use super::index::{leaf_tag, position_of};
use super::inner::{FANOUT_MAX, Inner, Separator};
use super::leaf::Leaf;
use crate::hash::hash_bytes;

/// A member came twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("duplicate member in a sorted set")]
pub struct DuplicateMember;

#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// At most one entry so far.
    Open,
    Ascending,
    Descending,
    /// Not in order: the leaves are linked, entries are inserted one by one.
    Linked,
}

/// Takes entries and makes a [`SortedSet`].
pub struct SortedSetBuilder {
    /// Has leaves and index, but no inner nodes until they are linked.
    set: SortedSet,
    /// The leaves' numbers, in the order in which they came.
    leaves: Vec<u32>,
    order: Order,
}

impl Default for SortedSetBuilder {
    fn default() -> Self {
        Self {
            set: SortedSet::new(),
            leaves: Vec::new(),
            order: Order::Open,
        }
    }
}

impl SortedSetBuilder {
    /// A builder without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry. O(1) as long as entries ascend, or descend, else O(log n).
    ///
    /// # Errors
    /// [`DuplicateMember`], and nothing is added.
    pub fn push(&mut self, member: &[u8], score: f64) -> Result<(), DuplicateMember> {
        debug_assert!(!score.is_nan(), "the caller keeps NaN out");
        let hash = hash_bytes(member);
        if self.set.locate(hash, member).is_some() {
            return Err(DuplicateMember);
        }
        let leaf = match self.leaves.last() {
            None => self.begin_leaf(hash, member, score),
            Some(&last) => self.push_after(last, hash, member, score),
        };
        self.set.index.insert(hash, leaf);
        Ok(())
    }

    /// The set of all entries.
    pub fn finish(mut self) -> SortedSet {
        self.link();
        self.set
    }

    /// Adds an entry at the open end of the newest leaf and returns the leaf it is in.
    fn push_after(&mut self, newest: u32, hash: u64, member: &[u8], score: f64) -> u32 {
        if self.order == Order::Linked {
            return self.set.place(hash, member, score);
        }
        let leaf = self.set.tree.leaf(newest);
        let compare = |i: usize| {
            let (other, other_score) = leaf.entry(i);
            entry_order((score, member), (other_score, other))
        };
        let order = if compare(leaf.len() - 1).is_gt() {
            Order::Ascending
        } else {
            Order::Descending
        };
        let in_order = match order {
            Order::Ascending => true,
            _ => compare(0).is_lt(),
        };
        if !in_order || (self.order != Order::Open && self.order != order) {
            self.link();
            return self.set.place(hash, member, score);
        }
        self.order = order;
        if !leaf.fits(member.len()) {
            self.set.edit_leaf(newest, Leaf::shrink);
            return self.begin_leaf(hash, member, score);
        }
        let position = match order {
            Order::Ascending => leaf.len(),
            _ => 0,
        };
        let tag = leaf_tag(position_of(hash));
        self.set
            .edit_leaf(newest, |leaf| leaf.insert(position, score, member, tag));
        newest
    }

    fn begin_leaf(&mut self, hash: u64, member: &[u8], score: f64) -> u32 {
        let mut leaf = Leaf::with_full_room(member.len());
        leaf.insert(0, score, member, leaf_tag(position_of(hash)));
        let number = self.set.add_leaf(leaf);
        self.leaves.push(number);
        number
    }

    /// Builds the inner nodes, from the leaves up.
    fn link(&mut self) {
        if self.order == Order::Linked {
            return;
        }
        let Some(&newest) = self.leaves.last() else {
            return;
        };
        self.set.edit_leaf(newest, Leaf::shrink);
        if self.order == Order::Descending {
            self.leaves.reverse();
        }
        self.order = Order::Linked;
        let tree = &self.set.tree;
        let mut level = Vec::with_capacity(self.leaves.len());
        let mut before: Option<&Leaf> = None;
        for &number in &self.leaves {
            let leaf = tree.leaf(number);
            let separator = before.map_or_else(Separator::default, |before| {
                Separator::between_leaves(before, leaf)
            });
            level.push((number, leaf.len(), separator));
            before = Some(leaf);
        }
        let len = level.iter().map(|(_, count, _)| count).sum();
        let mut height = 0;
        while level.len() > 1 {
            height += 1;
            level = self.link_level(level, height);
        }
        self.set.tree.root = level[0].0;
        self.set.tree.height = height;
        self.set.tree.len = len;
    }

    /// Puts nodes, with their counts and separators, under new ones of about equal
    /// size, and returns those.
    fn link_level(
        &mut self,
        below: Vec<(u32, usize, Separator)>,
        height: u32,
    ) -> Vec<(u32, usize, Separator)> {
        let nodes = below.len().div_ceil(FANOUT_MAX * 7 / 8);
        let mut level = Vec::with_capacity(nodes);
        let total = below.len();
        let mut below = below.into_iter();
        for i in 0..nodes {
            let children = total * (i + 1) / nodes - total * i / nodes;
            let mut inner = Inner::default();
            let mut first = None;
            for (number, count, separator) in below.by_ref().take(children) {
                first.get_or_insert_with(|| separator.clone());
                inner.push(number, count, separator);
            }
            let count = inner.members();
            let number = self.set.add_inner(inner, height);
            level.push((number, count, first.unwrap_or_default()));
        }
        level
    }
}

impl<M: AsRef<[u8]>> Extend<(M, f64)> for SortedSetBuilder {
    /// Adds entries and leaves out those whose member is there already.
    fn extend<I: IntoIterator<Item = (M, f64)>>(&mut self, entries: I) {
        for (member, score) in entries {
            let _ = self.push(member.as_ref(), score);
        }
    }
}
