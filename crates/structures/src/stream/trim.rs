//! Taking entries out of a log: one by one, and from the front by a bound.
//!
//! Entries are only marked as deleted, and a node goes when its last live entry is
//! deleted or when a trim passes it whole. Which nodes go when is Redis's, so that
//! the bytes of a node agree with those a Redis would have after the same commands.
//!
//! Invariant: after each operation `first_id` and `length` say what is there.

use triomphe::Arc;

use super::node::Node;
use super::{Log, StreamId};

/// What a trim keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// MAXLEN: the last so many entries.
    MaxLen(u64),
    /// MINID: the entries with this ID or a greater one.
    MinId(StreamId),
}

/// How closely a trim keeps to its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// `=`: to the entry.
    Exact,
    /// `~`: whole nodes go, so some entries more may be kept.
    Approximate,
}

/// A trim, as XTRIM and XADD describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is kept.
    pub keep: Keep,
    /// How closely.
    pub precision: Precision,
    /// LIMIT: stop before a node whose entries would bring the number of removed ones
    /// above this; 0 for no limit. See [`super::NodeLimits::default_trim_limit`].
    pub limit: u64,
}

/// A node that a trim took out of its log. There is nothing to do with it but to drop it,
/// which anyone can do.
#[derive(Debug)]
pub struct TrimmedNode(#[expect(dead_code, reason = "held to be dropped")] Arc<Node>);

impl Log {
    /// Deletes the entry with this ID and says whether there was one. O(log nodes +
    /// one node).
    pub fn delete(&mut self, id: StreamId) -> bool {
        let master = self.nodes.floor(id);
        let Some(found) = self.nodes.get(master).and_then(|node| {
            let reader = node.read(master)?;
            let found = reader
                .entries()
                .find(|found| found.is_live() && found.id >= id)?;
            (found.id == id).then_some((found.at, found.flags))
        }) else {
            return false;
        };
        self.delete_from_node(master, found);
        self.length = self.length.saturating_sub(1);
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id || self.length == 0 {
            self.refresh_first_id();
        }
        true
    }

    fn delete_from_node(
        &mut self,
        master: StreamId,
        (at, flags): (crate::listpack::Position, i64),
    ) {
        let Some(node) = self.nodes.get_mut(master) else {
            return;
        };
        let (live, deleted) = node.counts();
        if live <= 1 {
            self.nodes.remove(master);
            return;
        }
        let node = Arc::make_mut(node);
        node.mark_deleted(at, flags);
        node.set_counts(live - 1, deleted.saturating_add(1));
    }

    /// Removes entries from the front and returns how many. O(removed nodes, and one
    /// node).
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        self.trim_into(trim, drop)
    }

    /// As [`trim`](Self::trim), but hands the nodes that go to `gone`: freeing very many
    /// takes long.
    pub fn trim_into(&mut self, trim: &Trim, mut gone: impl FnMut(TrimmedNode)) -> u64 {
        let mut removed: u64 = 0;
        while let Some((master, node)) = self.nodes.first() {
            if let Keep::MaxLen(max) = trim.keep
                && self.length <= max
            {
                break;
            }
            let entries = u64::try_from(node.counts().0).unwrap_or(0);
            if trim.limit > 0 && removed.saturating_add(entries) > trim.limit {
                break;
            }
            let whole = match trim.keep {
                Keep::MaxLen(max) => self.length.saturating_sub(entries) >= max,
                // The last entry counts even if it is deleted.
                Keep::MinId(min) => node
                    .read(master)
                    .and_then(|reader| reader.before(reader.end()))
                    .is_some_and(|last| last.id < min),
            };
            if whole {
                if let Some(node) = self.nodes.remove(master) {
                    gone(TrimmedNode(node));
                }
                self.length = self.length.saturating_sub(entries);
                removed += entries;
                continue;
            }
            if trim.precision == Precision::Exact {
                let (from_node, first_left) = self.trim_first_node(trim.keep);
                removed += from_node;
                if let Some(first) = first_left {
                    self.first_id = first;
                    return removed;
                }
            }
            break;
        }
        if removed > 0 || self.length == 0 {
            self.refresh_first_id();
        }
        removed
    }

    /// Marks entries at the front of the first node as deleted, which does not have
    /// to go as a whole. Returns how many, and the first live entry after them, if the
    /// node has one.
    fn trim_first_node(&mut self, keep: Keep) -> (u64, Option<StreamId>) {
        let length = self.length;
        let mut doomed = smallvec::SmallVec::<[_; 8]>::new();
        let mut first_left = None;
        let Some((master, node)) = self.nodes.first() else {
            return (0, None);
        };
        let Some(reader) = node.read(master) else {
            return (0, None);
        };
        for found in reader.entries() {
            if !found.is_live() {
                continue;
            }
            let stop = match keep {
                Keep::MaxLen(max) => length.saturating_sub(doomed.len() as u64) <= max,
                Keep::MinId(min) => found.id >= min,
            };
            if stop {
                first_left = Some(found.id);
                break;
            }
            doomed.push((found.at, found.flags));
        }
        if doomed.is_empty() {
            return (0, first_left);
        }
        let (live, deleted) = node.counts();
        let count = doomed.len() as i64;
        if let Some((_, node)) = self.nodes.first_mut() {
            let node: &mut Node = Arc::make_mut(node);
            // From the back, as flags from outside may take more bytes than they need:
            // then what follows them moves.
            for &(at, flags) in doomed.iter().rev() {
                node.mark_deleted(at, flags);
            }
            node.set_counts(live.saturating_sub(count), deleted.saturating_add(count));
        }
        self.length = length.saturating_sub(doomed.len() as u64);
        (doomed.len() as u64, first_left)
    }

    pub(super) fn refresh_first_id(&mut self) {
        self.first_id = self.first().map_or(StreamId::MIN, |first| first.id);
    }
}
