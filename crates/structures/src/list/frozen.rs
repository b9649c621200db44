//! A list as it was at one moment, to be read without a lock and in slices.

use std::ops::Deref;

use super::{Container, Element, List};
use crate::listpack::{Listpack, Position};

/// A list that no longer changes, whatever is written to the one it came from. It can
/// be sent to another thread. Its nodes are freed with the last list that has them.
#[derive(Clone, Debug)]
pub struct FrozenList(List);

/// Where a visit of a frozen list goes on: valid for that list alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    node: usize,
    /// Where in the node's listpack; its first element if unset.
    position: Option<Position>,
}

impl List {
    /// The list as it is now. Costs one pointer copy a node; afterwards, the first
    /// write to each node copies that node.
    #[must_use]
    pub fn freeze(&self) -> FrozenList {
        FrozenList(self.clone())
    }
}

impl FrozenList {
    /// The cursor of the element with this index, or of the end.
    #[must_use]
    pub fn cursor(&self, index: usize) -> Cursor {
        let Some((node, inside)) = self.0.locate(index) else {
            return Cursor {
                node: self.0.nodes.len(),
                position: None,
            };
        };
        let position = self.0.nodes[node]
            .listpack()
            .filter(|_| inside > 0)
            .and_then(|pack| pack.position(i64::try_from(inside).ok()?));
        Cursor { node, position }
    }

    /// Hands up to `max_elements` (at least one) elements from `cursor` on to `visit`,
    /// and returns the cursor of the next; `None` at the end. O(elements visited).
    pub fn visit_from(
        &self,
        cursor: Cursor,
        max_elements: usize,
        mut visit: impl FnMut(Element<'_>),
    ) -> Option<Cursor> {
        let Cursor { node, mut position } = cursor;
        let mut left = max_elements.max(1);
        for (node, slot) in (node..).zip(self.0.nodes.iter().skip(node)) {
            if left == 0 {
                return Some(Cursor { node, position });
            }
            let content = slot.as_ref();
            if content.container == Container::Plain {
                visit(Element::Str(content.bytes));
                left -= 1;
            } else {
                let pack = Listpack(content.bytes);
                let mut entries = match position {
                    Some(position) => pack.entries_from(position),
                    None => pack.entries(),
                };
                for entry in entries.by_ref() {
                    if left == 0 {
                        return Some(Cursor {
                            node,
                            position: Some(entry.position),
                        });
                    }
                    visit(entry.element);
                    left -= 1;
                }
            }
            position = None;
        }
        None
    }

    /// Gives up to `nodes` nodes back from the end; see [`List::drop_some`].
    #[must_use]
    pub fn drop_some(&mut self, nodes: usize) -> bool {
        self.0.drop_some(nodes)
    }
}

impl Deref for FrozenList {
    type Target = List;

    fn deref(&self) -> &List {
        &self.0
    }
}
