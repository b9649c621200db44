//! Reading a log: entries of an interval, from either end, and single ones.
//!
//! Invariant: only live entries are seen, in the order of their IDs.

use triomphe::Arc;

use super::chunks;
use super::node::{Entry, Node, Reader};
use super::{Log, StreamId};
use crate::listpack::Position;

impl Log {
    /// The entries from `from` to `to`, both included, in order. O(log nodes + one
    /// node) to start.
    #[must_use]
    pub fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        Range {
            nodes: self.nodes.range(self.nodes.floor(from), to),
            current: None,
            from,
            to,
        }
    }

    /// The entries of the same interval, from the last to the first.
    #[must_use]
    pub fn range_back(&self, from: StreamId, to: StreamId) -> RangeBack<'_> {
        RangeBack {
            nodes: self.nodes.range(self.nodes.floor(from), to),
            current: None,
            from,
            to,
        }
    }

    /// All entries, in order.
    #[must_use]
    pub fn iter(&self) -> Range<'_> {
        self.range(StreamId::MIN, StreamId::MAX)
    }

    /// The entry with this ID. O(log nodes + one node).
    #[must_use]
    pub fn entry(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// Whether there is an entry with this ID. O(log nodes + one node).
    #[must_use]
    pub fn contains(&self, id: StreamId) -> bool {
        self.entry(id).is_some()
    }

    /// The first entry. O(one node), unless trimming has left empty ones.
    #[must_use]
    pub fn first(&self) -> Option<Entry<'_>> {
        self.iter().next()
    }

    /// The last entry. O(one node).
    #[must_use]
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range_back(StreamId::MIN, StreamId::MAX).next()
    }
}

impl<'a> IntoIterator for &'a Log {
    type Item = Entry<'a>;
    type IntoIter = Range<'a>;

    fn into_iter(self) -> Range<'a> {
        self.iter()
    }
}

/// The entries of an interval, in order.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    /// The nodes not begun yet.
    nodes: chunks::Iter<'a, Arc<Node>>,
    /// The node being read, and where its next entry starts.
    current: Option<(Reader<'a>, Position)>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some((reader, at)) = &mut self.current {
                while let Some(found) = reader.at(*at) {
                    *at = found.after;
                    if !found.is_live() || found.id < self.from {
                        continue;
                    }
                    if found.id > self.to {
                        // Nothing after it is inside either.
                        self.current = None;
                        self.nodes = self.nodes.none_left();
                        return None;
                    }
                    return Some(reader.entry(found));
                }
            }
            let (master, node) = self.nodes.next()?;
            // Who follows a stream asks for its last entries, over and over.
            let is_followed = self.to == StreamId::MAX
                && self.from > master
                && self.nodes.clone().next().is_none();
            self.current = node.read(master).map(|reader| {
                let near_end = is_followed.then(|| reader.start_near_end(self.from));
                let start = near_end.flatten().unwrap_or(reader.start());
                (reader, start)
            });
        }
    }
}

/// The entries of an interval, from the last to the first.
#[derive(Clone, Debug)]
pub struct RangeBack<'a> {
    /// The nodes not begun yet.
    nodes: chunks::Iter<'a, Arc<Node>>,
    /// The node being read, and where its next entry ends.
    current: Option<(Reader<'a>, Position)>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some((reader, end)) = &mut self.current {
                while let Some(found) = reader.before(*end) {
                    *end = found.at;
                    if !found.is_live() || found.id > self.to {
                        continue;
                    }
                    if found.id < self.from {
                        // Nothing before it is inside either.
                        self.current = None;
                        self.nodes = self.nodes.none_left();
                        return None;
                    }
                    return Some(reader.entry(found));
                }
            }
            let (master, node) = self.nodes.next_back()?;
            self.current = node.read(master).map(|reader| {
                let end = reader.end();
                (reader, end)
            });
        }
    }
}
