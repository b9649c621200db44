//! The ordered part of a sorted set, as far as it is read: leaves, inner nodes, and
//! the ways down.
//!
//! It knows no member index and changes no shape (`edit` does). Cloning a tree is
//! what freezing is: the clone shares every node with the original until that one
//! changes it.
//!
//! ```text
//! Tree ── inners ──► Vec<Option<Arc<Inner>>>          by inner number
//!     └── chunks ──► Vec<Arc<[Option<Leaf>; 32]>>     by leaf number / 32
//! ```
//!
//! Leaves are reached through chunks of 32, so that freezing a set touches one
//! reference count per 32 leaves. The first change to a chunk after that counts its
//! leaves up; the first change to a leaf copies the leaf.
//!
//! Invariants: all leaves are at the same depth; no leaf is empty between two
//! operations of the set; a node number in use has a node.

use std::ops::Range;

use smallvec::SmallVec;
use triomphe::Arc;

use super::cut::{Cut, LexBound, LexCut, ScoreBound, ScoreCut};
use super::inner::Inner;
use super::leaf::Leaf;

/// Leaves per chunk.
const CHUNK_LEAVES: usize = 32;

type Chunk = [Option<Leaf>; CHUNK_LEAVES];

/// One step of a way down: an inner node and which of its children was taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) inner: u32,
    pub(super) child: usize,
}

/// A way from the root down to a leaf; empty when the root is the leaf.
pub(super) type Path = SmallVec<[Step; 6]>;

/// Leaves and inner nodes by number, and where the root is.
#[derive(Clone, Default)]
pub(super) struct Tree {
    chunks: Vec<Arc<Chunk>>,
    inners: Vec<Option<Arc<Inner>>>,
    /// A leaf's number when `height` is 0, else an inner node's. Without meaning when
    /// the tree is empty.
    pub(super) root: u32,
    /// Levels of inner nodes above the leaves.
    pub(super) height: u32,
    /// Number of members.
    pub(super) len: usize,
}

impl Tree {
    /// The leaf with this number.
    #[inline]
    pub(super) fn leaf(&self, leaf: u32) -> &Leaf {
        let slot = &self.chunks[leaf as usize / CHUNK_LEAVES][leaf as usize % CHUNK_LEAVES];
        slot.as_ref().expect("a leaf number in use has a leaf")
    }

    /// The leaf with this number, if it is in the tree: an index may name one that has been
    /// shed.
    #[inline]
    pub(super) fn find_leaf(&self, leaf: u32) -> Option<&Leaf> {
        self.chunks[leaf as usize / CHUNK_LEAVES][leaf as usize % CHUNK_LEAVES].as_ref()
    }

    /// The place for the leaf with this number; chunks appear as needed.
    #[inline]
    pub(super) fn leaf_slot(&mut self, leaf: u32) -> &mut Option<Leaf> {
        let chunk = leaf as usize / CHUNK_LEAVES;
        if chunk == self.chunks.len() {
            self.chunks.push(Arc::new([const { None }; CHUNK_LEAVES]));
        }
        &mut Arc::make_mut(&mut self.chunks[chunk])[leaf as usize % CHUNK_LEAVES]
    }

    /// The inner node with this number.
    #[inline]
    pub(super) fn inner(&self, inner: u32) -> &Inner {
        let slot = self.inners[inner as usize].as_ref();
        slot.expect("an inner node number in use has a node")
    }

    /// The inner node with this number, for changing it: a shared one is copied.
    #[inline]
    pub(super) fn inner_mut(&mut self, inner: u32) -> &mut Inner {
        let slot = self.inners[inner as usize].as_mut();
        Arc::make_mut(slot.expect("an inner node number in use has a node"))
    }

    /// Puts a node at a number: a free one, or the next.
    pub(super) fn set_inner(&mut self, inner: u32, node: Inner) {
        if inner as usize == self.inners.len() {
            self.inners.push(None);
        }
        self.inners[inner as usize] = Some(Arc::new(node));
    }

    /// Takes a node away; a shared one is copied and stays with its sharers.
    pub(super) fn take_inner(&mut self, inner: u32) -> Inner {
        let slot = self.inners[inner as usize].take();
        Arc::unwrap_or_clone(slot.expect("an inner node number in use has a node"))
    }

    /// The way to the leaf in which a cut falls.
    #[inline]
    pub(super) fn path_of_cut(&self, cut: &impl Cut) -> (Path, u32) {
        let mut path = Path::new();
        let mut node = self.root;
        for height in (1..=self.height).rev() {
            let inner = self.inner(node);
            let child = inner.child_of_cut(cut, |child| self.first_member(child, height - 1));
            path.push(Step { inner: node, child });
            node = inner.child(child);
        }
        (path, node)
    }

    /// The way to the member of a rank, which must exist: its leaf and its position.
    pub(super) fn path_of_rank(&self, rank: usize) -> (Path, u32, usize) {
        let mut path = Path::new();
        let mut node = self.root;
        let mut rest = rank;
        for _ in 0..self.height {
            let inner = self.inner(node);
            let (child, rank_in_child) = inner.child_of_rank(rest);
            path.push(Step { inner: node, child });
            node = inner.child(child);
            rest = rank_in_child;
        }
        (path, node, rest)
    }

    /// The leaf and the position of the member of a rank, if there is one.
    #[inline]
    pub(super) fn at_rank(&self, rank: usize) -> Option<(&Leaf, usize)> {
        if rank >= self.len {
            return None;
        }
        let mut node = self.root;
        let mut rest = rank;
        for _ in 0..self.height {
            let inner = self.inner(node);
            let (child, rank_in_child) = inner.child_of_rank(rest);
            node = inner.child(child);
            rest = rank_in_child;
        }
        Some((self.leaf(node), rest))
    }

    /// The number of entries before a cut.
    pub(super) fn rank_of_cut(&self, cut: &impl Cut) -> usize {
        if self.len == 0 {
            return 0;
        }
        let mut rank = 0;
        let mut node = self.root;
        for height in (1..=self.height).rev() {
            let inner = self.inner(node);
            let child = inner.child_of_cut(cut, |child| self.first_member(child, height - 1));
            rank += inner.members_before(child);
            node = inner.child(child);
        }
        rank + self.leaf(node).partition(cut)
    }

    /// The ranks of the members whose score lies between two bounds.
    pub(super) fn score_ranks(&self, min: ScoreBound, max: ScoreBound) -> Range<usize> {
        let start = self.rank_of_cut(&ScoreCut::start(min));
        let end = self.rank_of_cut(&ScoreCut::end(max));
        start..end.max(start)
    }

    /// The ranks of the members that lie between two bounds.
    pub(super) fn lex_ranks(&self, min: LexBound<'_>, max: LexBound<'_>) -> Range<usize> {
        let start = match min {
            LexBound::Min => 0,
            LexBound::Max => self.len,
            LexBound::Inclusive(member) => self.rank_of_cut(&LexCut::Before(member)),
            LexBound::Exclusive(member) => self.rank_of_cut(&LexCut::After(member)),
        };
        let end = match max {
            LexBound::Min => 0,
            LexBound::Max => self.len,
            LexBound::Inclusive(member) => self.rank_of_cut(&LexCut::After(member)),
            LexBound::Exclusive(member) => self.rank_of_cut(&LexCut::Before(member)),
        };
        start..end.max(start)
    }

    /// The first member below a node that is `height` levels above the leaves.
    fn first_member(&self, mut node: u32, height: u32) -> &[u8] {
        for _ in 0..height {
            node = self.inner(node).child(0);
        }
        self.leaf(node).member(0)
    }

    /// Whether a way takes the last child everywhere.
    pub(super) fn is_last(&self, path: &Path) -> bool {
        path.iter()
            .all(|step| step.child + 1 == self.inner(step.inner).len())
    }

    /// Whether a way takes the first child everywhere.
    pub(super) fn is_first(path: &Path) -> bool {
        path.iter().all(|step| step.child == 0)
    }

    /// Gives up one chunk of leaves. False when there was none left. For dropping.
    pub(super) fn drop_chunk(&mut self) -> bool {
        self.inners.clear();
        self.len = 0;
        self.chunks.pop().is_some()
    }

    /// Bytes allocated for everything but the leaves.
    pub(super) fn spine_bytes(&self) -> usize {
        let inners = self.inners.iter().flatten();
        self.chunks.capacity() * size_of::<Arc<Chunk>>()
            + self.chunks.len() * (size_of::<Chunk>() + size_of::<usize>())
            + self.inners.capacity() * size_of::<Option<Arc<Inner>>>()
            + inners.map(|inner| inner.memory_bytes()).sum::<usize>()
    }
}
