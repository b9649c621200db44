//! The entries of a stream and what is known about those it has had: appending.
//!
//! Invariant: nodes and live entries are ordered by ID, all at most `last_id`;
//! `length` is the number of live entries, `first_id` the first of them (`0-0` if
//! there are none).

use triomphe::Arc;

use super::chunks::Chunks;
use super::node::{Node, Pairs};
use super::{NewId, StreamId};
use crate::table::prefetch_line;

/// The most bytes of names and values of one entry, and of a node.
pub const MAX_NODE_BYTES: usize = 1 << 30;

/// When to begin a new node: `stream-node-max-bytes` and `stream-node-max-entries`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// The size in bytes a node stays below; 0 for the greatest possible.
    pub max_bytes: usize,
    /// The most entries of a node, deleted ones included; 0 for any number.
    pub max_entries: u64,
}

impl Default for NodeLimits {
    fn default() -> Self {
        NodeLimits {
            max_bytes: 4096,
            max_entries: 100,
        }
    }
}

impl NodeLimits {
    /// The limit of [`super::Trim`] that Redis takes for an approximate trim without
    /// LIMIT: 100 nodes full of entries.
    #[must_use]
    pub fn default_trim_limit(self) -> u64 {
        match self.max_entries.saturating_mul(100) {
            0 => 10_000,
            limit => limit.min(1_000_000),
        }
    }

    pub(super) fn effective_bytes(self) -> usize {
        match self.max_bytes {
            1..=MAX_NODE_BYTES => self.max_bytes,
            _ => MAX_NODE_BYTES,
        }
    }
}

/// Why an entry cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The ID is `0-0`, which no entry can have.
    #[error("the ID must be greater than 0-0")]
    Zero,
    /// The last ID is the greatest there is.
    #[error("the stream has exhausted the last possible ID")]
    Exhausted,
    /// The ID is not greater than that of the last entry ever added.
    #[error("the ID is equal or smaller than the last one")]
    NotGreater,
    /// Names and values together exceed [`MAX_NODE_BYTES`].
    #[error("the entry is too large to be stored")]
    TooLarge,
}

/// Why XSETID cannot set the last ID. In the order in which Redis finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetIdError {
    /// The ID is smaller than the greatest deleted one that is to be set with it.
    #[error("the ID is smaller than the provided max_deleted_entry_id")]
    BelowGivenDeleted,
    /// The ID is smaller than that of a deleted entry.
    #[error("the ID is smaller than current max_deleted_entry_id")]
    BelowDeleted,
    /// The ID is smaller than that of an entry.
    #[error("the ID is smaller than the top item")]
    BelowTop,
    /// Fewer entries are said to have been added than there are.
    #[error("entries_added is smaller than the stream's length")]
    AddedBelowLength,
}

/// The entries of a stream. Part of a [`super::Stream`], apart from its groups.
#[derive(Clone, Debug, Default)]
pub struct Log {
    pub(super) nodes: Chunks<Arc<Node>>,
    pub(super) length: u64,
    pub(super) first_id: StreamId,
    pub(super) last_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) entries_added: u64,
}

impl Log {
    /// See [`super::Stream::prefetch_step`].
    #[inline]
    pub(super) fn prefetch_step(&self, step: usize) -> bool {
        if step < 3 {
            self.nodes.prefetch_last(step);
            return true;
        }
        match self.nodes.last_value() {
            None => return false,
            Some(node) if step == 3 => prefetch_line(&**node),
            Some(node) => {
                let bytes = node.bytes();
                prefetch_line(bytes.as_ptr());
                prefetch_line(bytes.as_ptr().wrapping_add(bytes.len()).wrapping_sub(64));
                prefetch_line(bytes.as_ptr().wrapping_add(bytes.len()));
            }
        }
        step < 4
    }
    /// The number of entries. O(1).
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are no entries. (There may have been some, and groups.)
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The ID of the first entry, `0-0` if there are none. O(1).
    #[must_use]
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The greatest ID ever added, deleted since or not, or what XSETID said. O(1).
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The greatest ID ever deleted one by one (not by trimming); `0-0` if none. O(1).
    #[must_use]
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added. O(1).
    #[must_use]
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Adds an entry at the end and returns its ID. The clock is asked for `*` alone.
    /// O(size of the entry); the first write after a freeze copies one node.
    ///
    /// # Errors
    /// See [`AppendError`]; the log is as it was then.
    pub fn append<'a>(
        &mut self,
        id: NewId,
        now_ms: u64,
        pairs: impl Pairs<'a>,
        limits: NodeLimits,
    ) -> Result<StreamId, AppendError> {
        let id = self.resolve_id(id, now_ms)?;
        let content_bytes = pairs.clone().fold(0_usize, |sum, (name, value)| {
            sum.saturating_add(name.len()).saturating_add(value.len())
        });
        if content_bytes > MAX_NODE_BYTES {
            return Err(AppendError::TooLarge);
        }
        match self.nodes.last_mut() {
            Some((master, node)) if !node.is_full(content_bytes, limits) => {
                Arc::make_mut(node).append(master, id, pairs);
            }
            full => {
                if let Some((_, node)) = full
                    && let Some(node) = Arc::get_mut(node)
                {
                    node.seal();
                }
                self.nodes.insert(id, Arc::new(Node::of_one(pairs)));
            }
        }
        self.length += 1;
        self.entries_added = self.entries_added.saturating_add(1);
        self.last_id = id;
        if self.length == 1 {
            self.first_id = id;
        }
        Ok(id)
    }

    /// The ID that an append would use. O(1).
    ///
    /// # Errors
    /// All of [`AppendError`] but [`AppendError::TooLarge`].
    pub fn resolve_id(&self, id: NewId, now_ms: u64) -> Result<StreamId, AppendError> {
        let last = self.last_id;
        if id == NewId::Exact(StreamId::MIN) {
            return Err(AppendError::Zero);
        }
        if last == StreamId::MAX {
            return Err(AppendError::Exhausted);
        }
        let id = match id {
            NewId::Exact(id) => Some(id),
            NewId::Auto if now_ms > last.ms => Some(StreamId::new(now_ms, 0)),
            NewId::Auto => last.next(),
            // Time must not go on to the next millisecond here.
            NewId::InMillisecond(ms) if ms == last.ms => {
                last.seq.checked_add(1).map(|seq| StreamId { ms, seq })
            }
            NewId::InMillisecond(ms) => Some(StreamId::new(ms, 0)),
        };
        id.filter(|id| *id > last).ok_or(AppendError::NotGreater)
    }

    /// Sets the last ID, as XSETID does, and the history that may come with it.
    /// O(one node).
    ///
    /// # Errors
    /// See [`SetIdError`]; the log is as it was then.
    pub fn set_last_id(
        &mut self,
        id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) -> Result<(), SetIdError> {
        let max_deleted_id = max_deleted_id.filter(|id| !id.is_zero());
        if max_deleted_id.is_some_and(|deleted| id < deleted) {
            return Err(SetIdError::BelowGivenDeleted);
        }
        if id < self.max_deleted_id {
            return Err(SetIdError::BelowDeleted);
        }
        if self.length > 0 {
            if self.last().is_some_and(|last| id < last.id) {
                return Err(SetIdError::BelowTop);
            }
            if entries_added.is_some_and(|added| added < self.length) {
                return Err(SetIdError::AddedBelowLength);
            }
        }
        self.drop_nodes_above(id);
        self.last_id = id;
        if let Some(entries_added) = entries_added {
            self.entries_added = entries_added;
        }
        if let Some(max_deleted_id) = max_deleted_id {
            self.max_deleted_id = max_deleted_id;
        }
        Ok(())
    }

    /// Drops nodes of deleted entries alone, which may still take up room above the last
    /// ID if that is set back: their keys would be out of order with what comes next.
    pub(super) fn drop_nodes_above(&mut self, id: StreamId) {
        while let Some((master, _)) = self.nodes.last()
            && master > id
        {
            self.nodes.remove(master);
        }
    }

    /// The number of nodes: `radix-tree-keys` of XINFO STREAM. O(1).
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes as RDB files have them: the ID of the master entry and the listpack.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (StreamId, &[u8])> {
        self.nodes.iter().map(|(id, node)| (id, node.bytes()))
    }
}
