//! Nodes as wholes: found, added, split, merged, loaded and dropped.

use super::node::{NodeRef, Slot};
use super::{List, NodeLimit, Side};
use crate::listpack::{self, Listpack, Shape};

impl List {
    /// A list of the elements of a small one: the listpack becomes the first node.
    /// The bytes are trusted; those from outside go to [`List::push_packed_node`].
    #[must_use]
    pub fn from_listpack(limit: NodeLimit, bytes: &[u8]) -> Self {
        let mut list = List::new(limit);
        list.push_slot(Side::Back, Slot::packed(bytes.to_vec()));
        list
    }

    /// The listpack of a list that has one packed node and no other: what it can
    /// shrink to, if it is small enough.
    #[must_use]
    pub fn as_listpack(&self) -> Option<&[u8]> {
        if self.nodes.len() != 1 {
            return None;
        }
        Some(self.nodes.front()?.listpack()?.0)
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeRef<'_>> + ExactSizeIterator {
        self.nodes.iter().map(Slot::as_ref)
    }

    /// Adds a node read from an RDB file at the back; one without elements is left
    /// out, as Redis does. O(bytes).
    ///
    /// # Errors
    /// Bytes that are no well-formed listpack leave the list as it was.
    pub fn push_packed_node(&mut self, bytes: Vec<u8>) -> Result<(), listpack::Error> {
        listpack::validate(&bytes, Shape::Elements)?;
        self.push_slot(Side::Back, Slot::packed(bytes));
        Ok(())
    }

    /// Adds a node of one element at the back, as an RDB file may hold it.
    pub fn push_plain_node(&mut self, element: Vec<u8>) {
        self.push_slot(Side::Back, Slot::plain(element));
    }

    /// Frees up to `nodes` nodes from the back, elements and all, and says whether
    /// the list is empty now: for freeing a huge list in slices.
    #[must_use]
    pub fn drop_some(&mut self, nodes: usize) -> bool {
        let kept = self.nodes.len().saturating_sub(nodes);
        self.drop_nodes(kept, self.nodes.len());
        self.nodes.is_empty()
    }

    /// The node and the index in it of the element with this index. O(nodes) of the
    /// nearer half.
    pub(super) fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index <= self.len / 2 {
            let mut left = index;
            for (node, slot) in self.nodes.iter().enumerate() {
                match left.checked_sub(slot.count()) {
                    Some(rest) => left = rest,
                    None => return Some((node, left)),
                }
            }
        } else {
            let mut right = self.len - index;
            for (node, slot) in self.nodes.iter().enumerate().rev() {
                match slot.count().checked_sub(right) {
                    Some(inside) => return Some((node, inside)),
                    None => right -= slot.count(),
                }
            }
        }
        None
    }

    /// Adds a node at an end. The one that was there has most likely stopped growing.
    pub(super) fn push_slot(&mut self, side: Side, slot: Slot) {
        if slot.count() == 0 {
            return;
        }
        self.len += slot.count();
        match side {
            Side::Front => {
                if let Some(old) = self.nodes.front_mut() {
                    old.seal();
                }
                self.nodes.push_front(slot);
            }
            Side::Back => {
                if let Some(old) = self.nodes.back_mut() {
                    old.seal();
                }
                self.nodes.push_back(slot);
            }
        }
    }

    /// Adds a node so that it gets this index.
    pub(super) fn insert_slot(&mut self, node: usize, slot: Slot) {
        self.len += slot.count();
        self.nodes.insert(node, slot);
    }

    /// Drops the nodes from index `from` up to, and without, `to`.
    pub(super) fn drop_nodes(&mut self, from: usize, to: usize) {
        if from < to {
            self.len -= self.nodes.range(from..to).map(Slot::count).sum::<usize>();
            drop(self.nodes.drain(from..to));
        }
    }

    /// Changes the listpack of a packed node, keeping the count of the list; at least
    /// one element must remain. A plain node is left alone.
    #[inline]
    pub(super) fn edit_node<R>(
        &mut self,
        node: usize,
        change: impl FnOnce(&mut super::strip::Strip) -> R,
    ) -> Option<R> {
        let slot = self.nodes.get_mut(node)?;
        let before = slot.count();
        let result = slot.edit(change);
        self.len = self.len - before + slot.count();
        result
    }

    /// Splits a packed node before its element with this index; both parts must hold
    /// some.
    pub(super) fn split_node(&mut self, node: usize, index: usize) {
        let rest = self.edit_node(node, |strip| {
            let index = i64::try_from(index).ok()?;
            let position = Listpack(listpack::Buffer::bytes(strip)).position(index)?;
            let rest = listpack::split_off(strip, position);
            strip.seal();
            Some(rest)
        });
        if let Some(Some(rest)) = rest {
            self.insert_slot(node + 1, Slot::packed(rest));
        }
    }

    /// Merges the node with the one after it, if both are packed and fit into one.
    pub(super) fn merge_with_next(&mut self, node: usize) -> bool {
        let (Some(left), Some(right)) = (self.nodes.get(node), self.nodes.get(node + 1)) else {
            return false;
        };
        if !mergeable(self.limit, left, right) {
            return false;
        }
        if let Some(right) = self.nodes.remove(node + 1) {
            merge(&mut self.nodes[node], &right);
        }
        true
    }

    /// After a split: merges the neighbourhood of a node in the order quicklist does.
    pub(super) fn merge_around(&mut self, node: usize) {
        let mut node = node;
        if node >= 2 && self.merge_with_next(node - 2) {
            node -= 1;
        }
        self.merge_with_next(node + 1);
        if node >= 1 && self.merge_with_next(node - 1) {
            node -= 1;
        }
        self.merge_with_next(node);
    }

    /// After deletions in many places: merges all neighbours that fit. O(nodes).
    pub(super) fn merge_all(&mut self) {
        let limit = self.limit;
        let mut merged = std::collections::VecDeque::<Slot>::with_capacity(self.nodes.len());
        for slot in self.nodes.drain(..) {
            match merged.back_mut() {
                Some(left) if mergeable(limit, left, &slot) => merge(left, &slot),
                _ => merged.push_back(slot),
            }
        }
        merged.shrink_to_fit();
        self.nodes = merged;
    }
}

fn mergeable(limit: NodeLimit, left: &Slot, right: &Slot) -> bool {
    let both_packed = left.listpack().is_some() && right.listpack().is_some();
    let bytes = left.bytes() + right.bytes() - listpack::EMPTY.len();
    both_packed && !limit.is_exceeded_by(bytes, left.count() + right.count())
}

/// Appends the elements of `right` to `left`; both are packed.
fn merge(left: &mut Slot, right: &Slot) {
    if let Some(right) = right.listpack() {
        left.edit(|strip| {
            listpack::append_listpack(strip, right);
            strip.seal();
        });
    }
}
