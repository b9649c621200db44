//! Elements pushed, popped, inserted, replaced and removed.
//!
//! Every write touches the nodes it must and no others: those shared with a frozen
//! copy are copied then.

use super::node::Slot;
use super::read::resolve_range;
use super::{Element, List, Place, Side};
use crate::listpack::{self, Buffer, Listpack};

impl List {
    /// Adds an element at an end. O(1) but for the bytes of one node.
    pub fn push(&mut self, side: Side, element: &[u8]) {
        let end = match side {
            Side::Front => self.nodes.front_mut(),
            Side::Back => self.nodes.back_mut(),
        };
        match end {
            Some(slot) if slot.admits(self.limit, element.len()) => {
                slot.edit(|strip| match side {
                    Side::Front => listpack::prepend(strip, element),
                    Side::Back => listpack::append(strip, element),
                });
                self.len += 1;
            }
            _ if self.limit.is_large(element.len()) => {
                self.push_slot(side, Slot::plain(element.to_vec()));
            }
            _ => {
                let mut slot = Slot::packed_one(element);
                let room = self.limit.room_beside(self.nodes.len());
                slot.edit(|strip| strip.reserve(side, room));
                self.push_slot(side, slot);
            }
        }
    }

    /// Hands the element at an end to `take`, and removes it.
    pub fn pop<R>(&mut self, side: Side, take: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let slot = match side {
            Side::Front => self.nodes.front_mut(),
            Side::Back => self.nodes.back_mut(),
        }?;
        if slot.count() > 1 {
            let taken = slot.edit(|strip| {
                let taken = match side {
                    Side::Front => listpack::pop_first(strip, take),
                    Side::Back => listpack::pop_last(strip, take),
                };
                strip.relax();
                taken
            })??;
            self.len -= 1;
            return Some(taken);
        }
        let taken = take(slot.get(0)?);
        self.len -= 1;
        match side {
            Side::Front => self.nodes.pop_front(),
            Side::Back => self.nodes.pop_back(),
        };
        Some(taken)
    }

    /// Puts `element` in the place of the one with this index (negative: from the
    /// end); says whether there is one.
    pub fn set(&mut self, index: i64, element: &[u8]) -> bool {
        let Some((node, inside)) = self.locate_signed(index) else {
            return false;
        };
        let slot = &self.nodes[node];
        if slot.count() == 1 {
            // Alone in its node, which can change its kind.
            self.nodes[node] = if self.limit.is_large(element.len()) {
                Slot::plain(element.to_vec())
            } else {
                Slot::packed_one(element)
            };
            return true;
        }
        let old_bytes = slot.get(inside).map_or(0, listpack::encoded_len);
        let new_bytes = slot.bytes() - old_bytes + listpack::encoded_len(element);
        let fits = !self.limit.is_large(element.len())
            && (new_bytes <= slot.bytes() || !self.limit.is_exceeded_by(new_bytes, slot.count()));
        if fits {
            self.edit_node(node, |strip| {
                if let Some(position) = Listpack(strip.bytes()).position(inside as i64) {
                    listpack::replace(strip, position, element);
                }
            });
        } else {
            self.delete_in_node(node, inside, 1);
            match inside.checked_sub(1) {
                Some(before) => self.insert_beside(node, before, Place::After, element),
                None => self.insert_beside(node, 0, Place::Before, element),
            }
        }
        true
    }

    /// Adds `element` beside the first one equal to `pivot`; says whether there is
    /// one. O(n).
    pub fn insert(&mut self, pivot: &[u8], place: Place, element: &[u8]) -> bool {
        let found = self.nodes.iter().enumerate().find_map(|(node, slot)| {
            let index = slot.matches(pivot).next()?;
            Some((node, index))
        });
        match found {
            Some((node, index)) => {
                self.insert_beside(node, index, place, element);
                true
            }
            None => false,
        }
    }

    /// Removes elements equal to `element` and returns how many: with a positive
    /// `count` that many from the front, with a negative one from the back, with 0
    /// all of them. O(n).
    pub fn remove(&mut self, count: i64, element: &[u8]) -> usize {
        let limit = match count {
            0 => usize::MAX,
            _ => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
        };
        let side = if count < 0 { Side::Back } else { Side::Front };
        let mut removed = 0;
        let mut unseen = 0..self.nodes.len();
        while removed < limit {
            let next = match side {
                Side::Front => unseen.next(),
                Side::Back => unseen.next_back(),
            };
            let Some(node) = next else {
                break;
            };
            let in_node = self.remove_in_node(node, side, limit - removed, element);
            removed += in_node.removed;
            if in_node.node_dropped && side == Side::Front {
                unseen = node..unseen.end - 1;
            }
        }
        if removed > 0 {
            self.merge_all();
        }
        removed
    }

    /// Removes up to `limit` matches of one node, those nearest to `side`.
    fn remove_in_node(
        &mut self,
        node: usize,
        side: Side,
        limit: usize,
        element: &[u8],
    ) -> RemovedInNode {
        let slot = &self.nodes[node];
        let matching = slot.matches(element).count();
        let removed = matching.min(limit);
        let node_dropped = removed == slot.count();
        if node_dropped {
            self.drop_nodes(node, node + 1);
        } else if removed > 0 {
            let doomed = match side {
                Side::Front => 0..removed,
                Side::Back => matching - removed..matching,
            };
            self.edit_node(node, |strip| {
                let mut seen = 0;
                listpack::retain(strip, |own| {
                    if !own.eq_bytes(element) {
                        return true;
                    }
                    seen += 1;
                    !doomed.contains(&(seen - 1))
                });
                strip.relax();
            });
        }
        RemovedInNode {
            removed,
            node_dropped,
        }
    }

    /// Keeps the elements from index `start` to `stop`, both included and counted from
    /// the end if negative, as LTRIM does. O(nodes removed).
    pub fn trim(&mut self, start: i64, stop: i64) {
        let kept = resolve_range(start, stop, self.len);
        self.delete_range(kept.end, self.len - kept.end);
        self.delete_range(0, kept.start);
    }

    /// Removes up to `count` elements from index `start` on and returns how many.
    /// O(nodes) of the shorter way to `start`, and of those removed.
    pub fn delete_range(&mut self, start: usize, count: usize) -> usize {
        let Some((first, inside)) = self.locate(start) else {
            return 0;
        };
        let count = count.min(self.len - start);
        let mut left = count;
        let mut node = first;
        if inside > 0 {
            let here = left.min(self.nodes[node].count() - inside);
            self.delete_in_node(node, inside, here);
            left -= here;
            node += 1;
        }
        let mut whole = node;
        while let Some(slot) = self.nodes.get(whole)
            && left >= slot.count()
        {
            left -= slot.count();
            whole += 1;
        }
        self.drop_nodes(node, whole);
        if left > 0 {
            self.delete_in_node(node, 0, left);
        }
        if node > 0 {
            self.merge_with_next(node - 1);
        }
        count
    }

    /// Removes elements of one node, and the node when none are left.
    pub(super) fn delete_in_node(&mut self, node: usize, index: usize, count: usize) {
        if count >= self.nodes[node].count() {
            self.drop_nodes(node, node + 1);
            return;
        }
        // The last one is nearer from the end.
        let from_end = index + 1 == self.nodes[node].count();
        let index = if from_end { -1 } else { index as i64 };
        self.edit_node(node, |strip| {
            listpack::delete_range(strip, index, count);
            strip.relax();
        });
    }

    /// Adds `element` beside the one with this index in this node.
    fn insert_beside(&mut self, node: usize, index: usize, place: Place, element: &[u8]) {
        let count = self.nodes[node].count();
        // The node index on the far side of the new element, were it between nodes.
        let (at_edge, neighbour, between) = match place {
            Place::Before => (index == 0, node.checked_sub(1), node),
            Place::After => (index + 1 == count, Some(node + 1), node + 1),
        };
        let large = self.limit.is_large(element.len());
        if !large && self.admits(node, element) {
            self.edit_node(node, |strip| {
                if let Some(position) = Listpack(strip.bytes()).position(index as i64) {
                    listpack::insert(strip, position, place, element);
                }
            });
            return;
        }
        if at_edge {
            match neighbour.filter(|&neighbour| self.admits(neighbour, element)) {
                Some(neighbour) => {
                    self.edit_node(neighbour, |strip| match place {
                        Place::Before => listpack::append(strip, element),
                        Place::After => listpack::prepend(strip, element),
                    });
                }
                None if large => self.insert_slot(between, Slot::plain(element.to_vec())),
                None => self.insert_slot(between, Slot::packed_one(element)),
            }
            return;
        }
        // In the middle of a full node: split it there. The part without the pivot
        // takes the element, the other one is the centre of the merging.
        let cut = match place {
            Place::Before => index,
            Place::After => index + 1,
        };
        self.split_node(node, cut);
        let centre = if large {
            self.insert_slot(node + 1, Slot::plain(element.to_vec()));
            node + 1
        } else {
            match place {
                Place::Before => {
                    self.edit_node(node, |strip| listpack::append(strip, element));
                    node + 1
                }
                Place::After => {
                    self.edit_node(node + 1, |strip| listpack::prepend(strip, element));
                    node
                }
            }
        };
        self.merge_around(centre);
    }

    /// Whether this node exists, is packed, and may take `element`.
    #[inline]
    fn admits(&self, node: usize, element: &[u8]) -> bool {
        let slot = self.nodes.get(node);
        slot.is_some_and(|slot| slot.admits(self.limit, element.len()))
    }
}

struct RemovedInNode {
    removed: usize,
    node_dropped: bool,
}
