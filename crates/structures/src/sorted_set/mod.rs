//! The large sorted set: what OBJECT ENCODING calls `skiplist`.
//!
//! It is not one: members live packed in the leaves of a counted B+tree ordered by
//! (score, member), and a hash index tells which leaf holds a member. It knows no
//! keys, no locks and no listpack; small sets are another structure's.
//!
//! ```text
//!  member ─hash─► index slot (position, leaf number) ──┐
//!                                                      ▼
//!  score, rank ─► inner nodes (counts, separators) ─► leaf (4 KB of packed members)
//! ```
//!
//! - `leaf`: the packed run of members; `inner`: a node above; `tree`: reading both;
//! - `edit`: inserting, removing, splitting, merging; `index`: members by hash;
//! - `shed`: long runs removed; `cut`: bounds; `range`: walking; `frozen`: reading without a lock; `build`:
//!   loading in bulk.
//!
//! A member costs its bytes and 11 beside them in a leaf that is five sixths full, and
//! about 12 in the index. Ranks cost O(log n). Freezing copies one pointer per 32 leaves and per inner
//! node; each write after it copies the nodes that it touches, the first time.
//!
//! Invariants: every member is in exactly one leaf and has exactly one index slot
//! with that leaf's number; any other slot names a leaf that has been shed; scores are
//! never NaN.

mod build;
mod cut;
mod edit;
mod frozen;
mod index;
mod inner;
mod leaf;
mod range;
mod shed;
mod tree;

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::hash::hash_bytes;
use edit::Links;
use index::{MemberIndex, leaf_tag, position_of};
use shed::Shed;
use tree::Tree;

pub use build::{DuplicateMember, SortedSetBuilder};
pub use cut::{LexBound, ScoreBound};
pub use frozen::{FrozenMembers, FrozenSortedSet};
pub use range::Members;

/// What an insertion did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Insertion {
    /// The member is new.
    Inserted,
    /// The member was there, with the score given here.
    Updated(f64),
    /// The member was there with an equal score, or the caller declined.
    Unchanged,
}

/// A set of members, ordered by score and then by bytes.
///
/// Members are distinct byte strings of any length. Scores are any doubles but NaN,
/// which the caller must keep out; `-0.0` and `0.0` order as equal, and the one that
/// was stored first stays.
#[derive(Default)]
pub struct SortedSet {
    tree: Tree,
    index: MemberIndex,
    links: Links,
    shed: Shed,
    /// What [`drop_some`](Self::drop_some) has still to free.
    remains: Vec<Remains>,
}

/// What a set held that is being freed.
struct Remains {
    tree: Tree,
    index: MemberIndex,
    shed: Shed,
}

impl SortedSet {
    /// An empty set; it allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.tree.len
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.tree.len == 0
    }

    /// The score of a member. O(1).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        let (leaf, position) = self.locate(hash_bytes(member), member)?;
        Some(self.tree.leaf(leaf).score(position))
    }

    /// Begins to load what is touched `step`-th (from 0) on the way to the member with
    /// this hash; returns whether there are more steps. A hint, for members that are
    /// looked up soon.
    pub fn prefetch_step(&self, step: usize, hash: u64) -> bool {
        self.index.prefetch_step(step, hash)
    }

    /// Adds a member, or gives it another score. O(log n) for a new member; for a
    /// score that changes little, O(1).
    pub fn insert(&mut self, member: &[u8], score: f64) -> Insertion {
        self.insert_with(member, |_| Some(score))
    }

    /// Like [`insert`](Self::insert), with a score that depends on the member's
    /// present one; `None` leaves things as they are. The member is looked up once.
    pub fn insert_with(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Insertion {
        if !self.shed.is_empty() {
            self.tidy();
        }
        let hash = hash_bytes(member);
        let found = self.locate(hash, member);
        let present = found.map(|(leaf, position)| self.tree.leaf(leaf).score(position));
        let Some(score) = decide(present) else {
            return Insertion::Unchanged;
        };
        debug_assert!(!score.is_nan(), "the caller keeps NaN out");
        debug_assert_eq!(self.index.len(), self.len() + self.shed.members());
        match (found, present) {
            (Some(_), Some(present)) if present == score => Insertion::Unchanged,
            (Some(place), Some(present)) => {
                self.move_entry(hash, place, member, score);
                Insertion::Updated(present)
            }
            _ => {
                let leaf = self.place(hash, member, score);
                self.index.insert(hash, leaf);
                Insertion::Inserted
            }
        }
    }

    /// Removes a member and returns its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        if !self.shed.is_empty() {
            self.tidy();
        }
        let (leaf, position) = self.locate(hash_bytes(member), member)?;
        let score = self.tree.leaf(leaf).score(position);
        self.remove_run(leaf, position..position + 1, |_, _| ());
        Some(score)
    }

    /// How many members come before this one. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        self.rank_and_score(member).map(|(rank, _)| rank)
    }

    /// How many members come after this one. O(log n).
    pub fn rev_rank(&self, member: &[u8]) -> Option<usize> {
        self.rank(member).map(|rank| self.len() - 1 - rank)
    }

    /// Rank and score of a member, with one lookup. O(log n).
    pub fn rank_and_score(&self, member: &[u8]) -> Option<(usize, f64)> {
        let (leaf, position) = self.locate(hash_bytes(member), member)?;
        let score = self.tree.leaf(leaf).score(position);
        Some((self.rank_in_leaf(leaf, position), score))
    }

    /// The member of a rank, with its score. O(log n).
    pub fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        let (leaf, position) = self.tree.at_rank(rank)?;
        Some(leaf.entry(position))
    }

    /// The least member, with its score.
    pub fn first(&self) -> Option<(&[u8], f64)> {
        self.at(0)
    }

    /// The greatest member, with its score.
    pub fn last(&self) -> Option<(&[u8], f64)> {
        self.at(self.len().checked_sub(1)?)
    }

    /// A member that every call chooses afresh, each with the same probability.
    /// `random` gives 64 random bits. O(log n).
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<(&[u8], f64)> {
        let rank = (u128::from(random()) * self.len() as u128) >> 64;
        self.at(rank as usize)
    }

    /// Removes the least member. O(log n).
    pub fn pop_first(&mut self) -> Option<(Vec<u8>, f64)> {
        self.pop(0)
    }

    /// Removes the greatest member. O(log n).
    pub fn pop_last(&mut self) -> Option<(Vec<u8>, f64)> {
        self.pop(self.len().checked_sub(1)?)
    }

    fn pop(&mut self, rank: usize) -> Option<(Vec<u8>, f64)> {
        let mut popped = None;
        self.remove_range_by_rank(rank..rank + 1, |member, score| {
            popped = Some((member.to_vec(), score));
        });
        popped
    }

    /// All members in order.
    pub fn iter(&self) -> Members<'_> {
        self.by_rank(0..self.len())
    }

    /// The members of a run of ranks, cut to those that exist; reversible.
    pub fn by_rank(&self, ranks: Range<usize>) -> Members<'_> {
        Members::new(&self.tree, ranks)
    }

    /// The ranks of the members whose score lies between two bounds: its length is
    /// their count, [`by_rank`](Self::by_rank) walks them. O(log n).
    pub fn score_ranks(&self, min: ScoreBound, max: ScoreBound) -> Range<usize> {
        self.tree.score_ranks(min, max)
    }

    /// The ranks of the members that lie between two bounds. O(log n).
    ///
    /// This makes sense when all scores are equal. Else it is some run of ranks, as in
    /// Redis.
    pub fn lex_ranks(&self, min: LexBound<'_>, max: LexBound<'_>) -> Range<usize> {
        self.tree.lex_ranks(min, max)
    }

    /// Removes a run of ranks, cut to those that exist, and tells each member and its
    /// score in ascending order. Returns their number. O(log n + removed).
    pub fn remove_range_by_rank(
        &mut self,
        ranks: Range<usize>,
        mut removed: impl FnMut(&[u8], f64),
    ) -> usize {
        if !self.shed.is_empty() {
            self.tidy();
        }
        let end = ranks.end.min(self.len());
        let total = end.saturating_sub(ranks.start);
        let mut left = total;
        while left > 0 {
            let (_, leaf, position) = self.tree.path_of_rank(ranks.start);
            let run = left.min(self.tree.leaf(leaf).len() - position);
            self.remove_run(leaf, position..position + run, &mut removed);
            left -= run;
        }
        total
    }

    /// Removes the members whose score lies between two bounds, as
    /// [`remove_range_by_rank`](Self::remove_range_by_rank) does.
    pub fn remove_range_by_score(
        &mut self,
        min: ScoreBound,
        max: ScoreBound,
        removed: impl FnMut(&[u8], f64),
    ) -> usize {
        self.remove_range_by_rank(self.score_ranks(min, max), removed)
    }

    /// Removes the members that lie between two bounds, as
    /// [`remove_range_by_rank`](Self::remove_range_by_rank) does.
    pub fn remove_range_by_lex(
        &mut self,
        min: LexBound<'_>,
        max: LexBound<'_>,
        removed: impl FnMut(&[u8], f64),
    ) -> usize {
        self.remove_range_by_rank(self.lex_ranks(min, max), removed)
    }

    /// Visits about `count` members in the order of their hashes, from `position` on,
    /// and returns the position to go on from, or `None` at the end. Start at 0.
    ///
    /// A member that is present from the first call to the last is visited at least
    /// once, whatever comes and goes meanwhile.
    pub fn scan(
        &self,
        position: u32,
        count: usize,
        mut visit: impl FnMut(&[u8], f64),
    ) -> Option<u32> {
        self.index.scan(position, count, |position, leaf| {
            let Some(leaf) = self.tree.find_leaf(leaf) else {
                return;
            };
            for i in leaf.tagged(leaf_tag(position)) {
                let (member, score) = leaf.entry(i);
                if position_of(hash_bytes(member)) == position {
                    visit(member, score);
                }
            }
        })
    }

    /// The set as it is now, readable without a lock while this one changes.
    /// O(n / 2,000) pointer copies: microseconds for a million members.
    pub fn freeze(&self) -> FrozenSortedSet {
        FrozenSortedSet::new(self.tree.clone())
    }

    /// The members as they are now, to be looked up without a lock while this set changes.
    /// O(n / 2,000) pointer copies.
    pub fn freeze_members(&self) -> FrozenMembers {
        FrozenMembers::new(self.tree.clone(), self.index.clone())
    }

    /// Bytes allocated for this set, nodes shared with frozen ones included.
    /// O(inner nodes).
    pub fn memory_bytes(&self) -> usize {
        self.links.leaf_bytes
            + self.tree.spine_bytes()
            + self.links.memory_bytes()
            + self.shed.memory_bytes()
            + self.index.memory_bytes()
    }

    /// Empties the set at once and frees a part of what it held, about as much as a
    /// slice of work may cost; true when all is freed. The set is an empty set like
    /// any other from the first call on.
    pub fn drop_some(&mut self) -> bool {
        if !self.is_empty() || !self.shed.is_empty() {
            self.remains.push(Remains {
                tree: std::mem::take(&mut self.tree),
                index: std::mem::take(&mut self.index),
                shed: std::mem::take(&mut self.shed),
            });
            self.links = Links::default();
        }
        if let Some(Remains { tree, index, shed }) = self.remains.last_mut() {
            if shed.drop_some() || tree.drop_chunk() || index.drop_segment() {
                return false;
            }
            self.remains.pop();
        }
        self.remains.is_empty()
    }

    /// The leaf that holds a member, and where in it.
    #[inline]
    fn locate(&self, hash: u64, member: &[u8]) -> Option<(u32, usize)> {
        locate(&self.tree, &self.index, hash, member)
    }
}

/// The leaf that holds a member, and where in it.
#[inline]
fn locate(tree: &Tree, index: &MemberIndex, hash: u64, member: &[u8]) -> Option<(u32, usize)> {
    let tag = leaf_tag(position_of(hash));
    let mut position = None;
    let leaf = index.find(hash, |leaf| {
        let Some(leaf) = tree.find_leaf(leaf) else {
            return false;
        };
        leaf.prefetch_lookup();
        position = leaf.position(tag, member);
        position.is_some()
    })?;
    Some((leaf, position?))
}

impl<M: AsRef<[u8]>> Extend<(M, f64)> for SortedSet {
    fn extend<I: IntoIterator<Item = (M, f64)>>(&mut self, entries: I) {
        for (member, score) in entries {
            self.insert(member.as_ref(), score);
        }
    }
}

impl<M: AsRef<[u8]>> FromIterator<(M, f64)> for SortedSet {
    /// Of entries with the same member, the last one counts.
    fn from_iter<I: IntoIterator<Item = (M, f64)>>(entries: I) -> Self {
        let mut set = Self::new();
        set.extend(entries);
        set
    }
}

impl std::fmt::Debug for SortedSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SortedSet of {}", self.len())
    }
}
