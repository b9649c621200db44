//! An inner node: which child holds which part of the order, and how many members.
//!
//! It addresses its children by number and owns none of them, so that cloning one
//! copies a few hundred bytes and shares nothing by accident.
//!
//! Invariants: the four columns are equally long; separator `i` (for `i` ≥ 1) is not
//! less than any entry of child `i-1` and not greater than any of child `i` (an entry
//! equal to it may be on either side); separator 0 is never read, since what lies
//! before it is the parent's business.

use smallvec::SmallVec;

use super::cut::{Cut, entry_order};
use super::leaf::Leaf;

/// Most children of an inner node.
pub(super) const FANOUT_MAX: usize = 64;
/// An inner node with fewer children than this looks for a neighbour to merge with.
pub(super) const FANOUT_MIN: usize = FANOUT_MAX / 4;

/// The least entry that a child may hold: a score and the shortest beginning of a
/// member that tells it from what is left of it; empty when the score alone does.
#[derive(Debug, Clone, Default)]
pub(super) struct Separator {
    pub(super) score: f64,
    pub(super) member: SmallVec<[u8; 16]>,
}

impl Separator {
    /// What tells `right`, the first entry of a child, from `left`, the last entry of
    /// the child before it.
    pub(super) fn between(left: (&[u8], f64), right: (&[u8], f64)) -> Self {
        debug_assert!(entry_order((left.1, left.0), (right.1, right.0)).is_lt());
        let member = if left.1 < right.1 {
            &[]
        } else {
            let common = left.0.iter().zip(right.0).take_while(|(l, r)| l == r);
            let shown = common.count() + 1;
            right.0.get(..shown).unwrap_or(right.0)
        };
        Self {
            score: right.1,
            member: SmallVec::from_slice(member),
        }
    }

    /// What tells `right` from `left`, the leaf before it.
    pub(super) fn between_leaves(left: &Leaf, right: &Leaf) -> Self {
        Self::between(left.entry(left.len() - 1), right.entry(0))
    }
}

/// An inner node of the tree.
#[derive(Debug, Clone, Default)]
pub(super) struct Inner {
    children: Vec<u32>,
    counts: Vec<usize>,
    separator_scores: Vec<f64>,
    separator_members: Vec<SmallVec<[u8; 16]>>,
}

impl Inner {
    /// Number of children.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    /// The number of the child at `i`.
    #[inline]
    pub(super) fn child(&self, i: usize) -> u32 {
        self.children[i]
    }

    /// The numbers of all children, in order.
    pub(super) fn children(&self) -> &[u32] {
        &self.children
    }

    /// Where the child with this number is.
    #[inline]
    pub(super) fn position(&self, child: u32) -> usize {
        let found = self.children.iter().position(|&c| c == child);
        found.expect("a node is among its parent's children")
    }

    /// Number of members below this node.
    pub(super) fn members(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Number of members below child `i`.
    pub(super) fn count(&self, i: usize) -> usize {
        self.counts[i]
    }

    /// Number of members below the children before `i`.
    #[inline]
    pub(super) fn members_before(&self, i: usize) -> usize {
        self.counts[..i].iter().sum()
    }

    /// The child that holds the member of rank `rank` among those below this node,
    /// and its rank in there; the last child when the rank is past the end.
    #[inline]
    pub(super) fn child_of_rank(&self, mut rank: usize) -> (usize, usize) {
        let last = self.len() - 1;
        for (i, &count) in self.counts[..last].iter().enumerate() {
            if rank < count {
                return (i, rank);
            }
            rank -= count;
        }
        (last, rank)
    }

    /// The child in which the cut falls. `first_member` tells the first member below
    /// a child, for cuts that a separator without a member cannot answer.
    #[inline]
    pub(super) fn child_of_cut<'a>(
        &'a self,
        cut: &impl Cut,
        first_member: impl Fn(u32) -> &'a [u8],
    ) -> usize {
        self.last_before(|cut_score, i| {
            cut.follows(cut_score, || self.separator_member(i, cut, &first_member))
        })
    }

    #[inline]
    fn separator_member<'a, C: Cut>(
        &'a self,
        i: usize,
        _cut: &C,
        first_member: &impl Fn(u32) -> &'a [u8],
    ) -> &'a [u8] {
        let member = &self.separator_members[i];
        if C::NEEDS_MEMBER && member.is_empty() {
            first_member(self.children[i])
        } else {
            member
        }
    }

    /// The last child whose separator lies before the cut, or the first child.
    #[inline]
    fn last_before(&self, lies_before: impl Fn(f64, usize) -> bool) -> usize {
        let mut low = 1;
        let mut high = self.len();
        while low < high {
            let middle = low.midpoint(high);
            if lies_before(self.separator_scores[middle], middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low - 1
    }

    /// Whether an entry that is less than all of child `i` still belongs into it.
    pub(super) fn owns_before(&self, i: usize, score: f64, member: &[u8]) -> bool {
        i > 0 && entry_order(self.separator(i), (score, member)).is_le()
    }

    /// Whether an entry that is greater than all of child `i` still belongs into it.
    pub(super) fn owns_after(&self, i: usize, score: f64, member: &[u8]) -> bool {
        i + 1 < self.len() && entry_order((score, member), self.separator(i + 1)).is_lt()
    }

    fn separator(&self, i: usize) -> (f64, &[u8]) {
        (self.separator_scores[i], &self.separator_members[i])
    }

    /// A copy of separator `i`.
    pub(super) fn separator_of(&self, i: usize) -> Separator {
        Separator {
            score: self.separator_scores[i],
            member: self.separator_members[i].clone(),
        }
    }

    /// Adds `added` members to child `i` and takes `removed` away.
    #[inline]
    pub(super) fn change_count(&mut self, i: usize, added: usize, removed: usize) {
        self.counts[i] = self.counts[i] + added - removed;
    }

    /// Puts another child in the place of child `i`, with its own count.
    pub(super) fn replace(&mut self, i: usize, child: u32, count: usize) {
        self.children[i] = child;
        self.counts[i] = count;
    }

    /// Changes what tells child `i` from the one before it.
    pub(super) fn set_separator(&mut self, i: usize, separator: Separator) {
        self.separator_scores[i] = separator.score;
        self.separator_members[i] = separator.member;
    }

    /// Inserts a child at `i`.
    pub(super) fn insert(&mut self, i: usize, child: u32, count: usize, separator: Separator) {
        self.children.insert(i, child);
        self.counts.insert(i, count);
        self.separator_scores.insert(i, separator.score);
        self.separator_members.insert(i, separator.member);
    }

    /// Adds a child after all others.
    pub(super) fn push(&mut self, child: u32, count: usize, separator: Separator) {
        self.insert(self.len(), child, count, separator);
    }

    /// Removes child `i`.
    pub(super) fn remove(&mut self, i: usize) {
        self.children.remove(i);
        self.counts.remove(i);
        self.separator_scores.remove(i);
        self.separator_members.remove(i);
    }

    /// Takes the children from `i` on into a new node.
    pub(super) fn split_off(&mut self, i: usize) -> Inner {
        Inner {
            children: self.children.split_off(i),
            counts: self.counts.split_off(i),
            separator_scores: self.separator_scores.split_off(i),
            separator_members: self.separator_members.split_off(i),
        }
    }

    /// Adds the children of `right`, the next node, which begins at `separator`.
    pub(super) fn append(&mut self, right: &Inner, separator: Separator) {
        let start = self.len();
        self.children.extend_from_slice(&right.children);
        self.counts.extend_from_slice(&right.counts);
        self.separator_scores
            .extend_from_slice(&right.separator_scores);
        self.separator_members
            .extend_from_slice(&right.separator_members);
        self.set_separator(start, separator);
    }

    /// Bytes allocated for this node, apart from the few members too long to be
    /// stored in line.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.children.capacity() * size_of::<u32>()
            + self.counts.capacity() * size_of::<usize>()
            + self.separator_scores.capacity() * size_of::<f64>()
            + self.separator_members.capacity() * size_of::<SmallVec<[u8; 16]>>()
    }
}
