//! A stretch of elements at an end of a list, apart from the list: taken off it, or shared
//! with it, and read once, in slices, from that end on.
//!
//! ```text
//!   the list   [ a b c ][ d e f ][ g h i ]
//!   4 from the back:     nodes in the order of reading   [ g h i ][ d e f ], 4 left
//!                                                              ^ read backwards
//! ```
//!
//! Nodes are moved or shared, no element is touched: to make a stretch costs O(its nodes). The
//! last node may hold elements beyond the stretch, which stay unread.

use std::collections::VecDeque;

use super::node::Slot;
use super::{Container, Element, List, Side};
use crate::listpack::{Listpack, Position};

/// Elements of a list from one of its ends on. It can be sent to another thread, and lets
/// go of each node that was read to its end.
#[derive(Debug)]
pub struct Stretch {
    /// In the order of reading.
    nodes: VecDeque<Slot>,
    /// The end that reading began at.
    side: Side,
    /// Elements not read yet.
    left: usize,
    /// Of the node in hand: the next entry to be read from the front, or the last that was
    /// read from the back. None of it was read if unset.
    position: Option<Position>,
}

impl List {
    /// Takes up to `count` elements off an end. O(nodes taken), and one node.
    #[must_use]
    pub fn take_stretch(&mut self, side: Side, count: usize) -> Stretch {
        let count = count.min(self.len);
        let mut nodes = VecDeque::new();
        let mut left = count;
        while let Some(slot) = self.end(side).filter(|slot| slot.count() <= left) {
            left -= slot.count();
            self.len -= slot.count();
            nodes.extend(match side {
                Side::Front => self.nodes.pop_front(),
                Side::Back => self.nodes.pop_back(),
            });
        }
        if left > 0 {
            nodes.extend(self.end(side).cloned());
            let (node, index) = match side {
                Side::Front => (0, 0),
                Side::Back => {
                    let last = self.nodes.len() - 1;
                    (last, self.nodes[last].count() - left)
                }
            };
            self.delete_in_node(node, index, left);
        }
        Stretch::new(nodes, side, count)
    }

    /// Up to `count` elements of an end as they are now; the list keeps them. O(nodes
    /// shared).
    #[must_use]
    pub fn share_stretch(&self, side: Side, count: usize) -> Stretch {
        let count = count.min(self.len);
        let mut shared = 0;
        let is_within = |slot: &&Slot| {
            let begins_within = shared < count;
            shared += slot.count();
            begins_within
        };
        let nodes = match side {
            Side::Front => self.nodes.iter().take_while(is_within).cloned().collect(),
            Side::Back => (self.nodes.iter().rev().take_while(is_within))
                .cloned()
                .collect(),
        };
        Stretch::new(nodes, side, count)
    }

    fn end(&self, side: Side) -> Option<&Slot> {
        match side {
            Side::Front => self.nodes.front(),
            Side::Back => self.nodes.back(),
        }
    }
}

impl Stretch {
    fn new(nodes: VecDeque<Slot>, side: Side, left: usize) -> Self {
        Self {
            nodes,
            side,
            left,
            position: None,
        }
    }

    /// The number of elements not read yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether every element was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Hands up to `max_elements` of the elements not read yet to `visit`, in the order in
    /// which popping them one by one would meet them. O(elements visited).
    pub fn read(&mut self, max_elements: usize, mut visit: impl FnMut(Element<'_>)) {
        let mut wanted = max_elements.min(self.left);
        while wanted > 0 {
            let Some(node) = self.nodes.front().map(Slot::as_ref) else {
                self.left = 0;
                return;
            };
            let mut seen = 0;
            let mut is_done = false;
            if node.container == Container::Plain {
                visit(Element::Str(node.bytes));
                (seen, is_done) = (1, true);
            } else {
                let pack = Listpack(node.bytes);
                let mut entries = match (self.position, self.side) {
                    (None, _) => pack.entries(),
                    (Some(position), Side::Front) => pack.entries_from(position),
                    (Some(position), Side::Back) => pack.entries_before(position),
                };
                while seen < wanted {
                    let entry = match self.side {
                        Side::Front => entries.next(),
                        Side::Back => entries.next_back(),
                    };
                    let Some(entry) = entry else {
                        is_done = true;
                        break;
                    };
                    visit(entry.element);
                    seen += 1;
                    self.position = Some(entry.position);
                }
                if self.side == Side::Front {
                    self.position = Some(entries.front());
                }
            }
            wanted -= seen;
            self.left -= seen;
            if is_done || self.left == 0 {
                self.nodes.pop_front();
                self.position = None;
            }
        }
    }
}
