//! The large list, behind `OBJECT ENCODING` quicklist: a deque of nodes of a few KB.
//!
//! ```text
//! spine  ┌ count, bytes, ─┬─ count, bytes, ─┬─ … ─┐   VecDeque<Slot>, 16 bytes a node
//!        └─────── Arc ────┴─────── Arc ─────┴─────┘
//!                  │                │
//!        Packed: a listpack    Plain: one element, too large for a listpack
//! ```
//!
//! The spine holds the counts, so an index is found by walking 16 bytes a node from
//! the nearer end, and no node is touched on the way. A node is shared with every
//! frozen copy of the list until it is written: a write copies that node alone.
//!
//! Which element goes into which node follows Redis 7.2's quicklist (fill limits,
//! splits, merges), so that `DEBUG OBJECT` and RDB files look the same, with two
//! differences: neighbours that fit into one node are merged after deletions too,
//! and an LSET that would blow a node up beyond its limit splits it. As there, the
//! element at which a full node is split may take a part beyond the limit.
//!
//! This module knows nothing of keys, commands and thresholds between encodings.
//!
//! Invariant: no node is empty, a packed node holds a well-formed listpack, each
//! slot's figures are its node's, and `len` is the sum of the counts.

mod edit;
mod frozen;
mod limit;
mod node;
mod read;
mod spine;
mod stretch;
mod strip;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use crate::listpack::{Element, Place};
pub use frozen::{Cursor, FrozenList};
pub use limit::NodeLimit;
pub use node::{Container, NodeRef};
pub use read::{Direction, Iter, resolve_range};
pub use stretch::Stretch;

use node::Slot;

/// One of the two ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The head: LEFT.
    Front,
    /// The tail: RIGHT.
    Back,
}

/// A list of any length. A clone shares all nodes and costs one pointer copy each.
#[derive(Clone, Debug)]
pub struct List {
    nodes: VecDeque<Slot>,
    /// The number of elements.
    len: usize,
    limit: NodeLimit,
}

impl List {
    /// A list without elements, whose nodes will keep to `limit`.
    #[must_use]
    pub fn new(limit: NodeLimit) -> Self {
        List {
            nodes: VecDeque::new(),
            len: 0,
            limit,
        }
    }

    /// The number of elements. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the nodes keep to.
    #[must_use]
    pub fn limit(&self) -> NodeLimit {
        self.limit
    }

    /// Sets from how many bytes on an element gets a node of its own from now on, as
    /// [`NodeLimit::with_packed_threshold`] does; the nodes there are stay as they are.
    pub fn set_packed_threshold(&mut self, bytes: u32) {
        self.limit = self.limit.with_packed_threshold(bytes);
    }

    /// The number of nodes: `ql_nodes` of DEBUG OBJECT. O(1).
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Begins to load what is touched `step`-th (from 0) on the way to an end: spine,
    /// node, its bytes. A step reads only what those before it have loaded. Returns
    /// whether there are more.
    #[inline]
    pub fn prefetch_step(&self, step: usize, side: Side) -> bool {
        let slot = match side {
            Side::Front => self.nodes.front(),
            Side::Back => self.nodes.back(),
        };
        if let Some(slot) = slot {
            slot.prefetch_step(step, side);
        }
        step < 2
    }

    /// The size in bytes of all nodes' contents: `ql_uncompressed_size` of DEBUG
    /// OBJECT. O(nodes).
    #[must_use]
    pub fn content_bytes(&self) -> usize {
        self.nodes.iter().map(Slot::bytes).sum()
    }

    /// About how many bytes of memory the list takes, nodes shared with frozen
    /// copies included and allocator rounding left out. O(nodes).
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.nodes.capacity() * size_of::<Slot>()
            + self.nodes.len() * node::OVERHEAD_BYTES
            + self.content_bytes()
    }
}
