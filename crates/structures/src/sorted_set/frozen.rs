//! A sorted set as it was at one moment.
//!
//! It shares its nodes with the set it came from until that one changes them, and is read
//! without any lock: in order ([`FrozenSortedSet`], which has no member index), or member
//! by member ([`FrozenMembers`]).

use std::ops::Range;

use super::cut::{LexBound, ScoreBound};
use super::index::MemberIndex;
use super::locate;
use super::range::Members;
use super::tree::Tree;
use crate::hash::hash_bytes;

/// A sorted set that never changes again. Cloning costs what freezing costs.
#[derive(Clone)]
pub struct FrozenSortedSet {
    tree: Tree,
}

impl FrozenSortedSet {
    pub(super) fn new(tree: Tree) -> Self {
        Self { tree }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.tree.len
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.tree.len == 0
    }

    /// All members in order, with their scores.
    pub fn iter(&self) -> Members<'_> {
        self.by_rank(0..self.len())
    }

    /// The members of a run of ranks, cut to those that exist; reversible.
    pub fn by_rank(&self, ranks: Range<usize>) -> Members<'_> {
        Members::new(&self.tree, ranks)
    }

    /// The ranks of the members whose score lies between two bounds. O(log n).
    pub fn score_ranks(&self, min: ScoreBound, max: ScoreBound) -> Range<usize> {
        self.tree.score_ranks(min, max)
    }

    /// The ranks of the members that lie between two bounds, which makes sense when
    /// all scores are equal. O(log n).
    pub fn lex_ranks(&self, min: LexBound<'_>, max: LexBound<'_>) -> Range<usize> {
        self.tree.lex_ranks(min, max)
    }

    /// Visits up to `count` members from a rank on, in ascending order, and returns
    /// the rank to go on from, or `None` when the last member was visited.
    pub fn visit_from(
        &self,
        rank: usize,
        count: usize,
        mut visit: impl FnMut(&[u8], f64),
    ) -> Option<usize> {
        let end = rank.saturating_add(count).min(self.len());
        for (member, score) in self.by_rank(rank..end) {
            visit(member, score);
        }
        (end < self.len()).then_some(end)
    }

    /// Visits up to `count` members that come before a rank, in descending order, and
    /// returns the rank to go on from, or `None` when the first member was visited.
    /// Start with the number of members.
    pub fn visit_back_from(
        &self,
        rank: usize,
        count: usize,
        mut visit: impl FnMut(&[u8], f64),
    ) -> Option<usize> {
        let end = rank.min(self.len());
        let start = end.saturating_sub(count);
        for (member, score) in self.by_rank(start..end).rev() {
            visit(member, score);
        }
        (start > 0).then_some(start)
    }

    #[cfg(test)]
    pub(super) fn into_tree(self) -> Tree {
        self.tree
    }

    /// Empties the set and gives up a part of its nodes; true when none is left. It
    /// matters when the set it came from is gone or has changed: then this is where
    /// the memory is freed.
    pub fn drop_some(&mut self) -> bool {
        !self.tree.drop_chunk()
    }
}

/// The members of a sorted set as they were, to be looked up.
#[derive(Clone)]
pub struct FrozenMembers {
    tree: Tree,
    index: MemberIndex,
}

impl FrozenMembers {
    pub(super) fn new(tree: Tree, index: MemberIndex) -> Self {
        Self { tree, index }
    }

    /// The score of a member. O(1).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        let (leaf, position) = locate(&self.tree, &self.index, hash_bytes(member), member)?;
        Some(self.tree.leaf(leaf).score(position))
    }

    /// Empties it and gives up a part of what it shares; true when nothing is left. See
    /// [`FrozenSortedSet::drop_some`].
    pub fn drop_some(&mut self) -> bool {
        !(self.tree.drop_chunk() || self.index.drop_segment())
    }
}
