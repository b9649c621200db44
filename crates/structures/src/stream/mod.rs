//! Streams: a log of entries with increasing IDs, and groups of consumers that share
//! the reading of it.
//!
//! ```text
//! Stream ─┬─ Log      nodes: ID of the first entry → Arc → listpack, in Redis's format
//!         │           length, first and last ID, entries added, greatest deleted ID
//!         └─ groups   name → Arc → Group ─┬─ pending: ID → consumer, time, count
//!                                         └─ consumers: name, times, pending IDs
//! ```
//!
//! Nodes, pending entries and IDs live in ordered maps of shared chunks, so a
//! freeze copies one pointer for 64 nodes and one for each group, whatever is pending;
//! a later write copies the chunk and the node, or the group's spine and the chunk,
//! that it touches.
//!
//! Which entry goes into which node, and which nodes a trim removes, is as in Redis
//! 7.2, and nodes are its bytes: RDB files and DUMP payloads take them as they are.
//!
//! This module knows nothing of keys, commands, clocks and propagation: it is told the
//! time, and tells what it did.
//!
//! Invariant: nodes from outside are validated before they get here ([`Builder`]).

mod build;
mod chunks;
mod delivery;
mod frozen;
mod group;
mod id;
mod log;
mod node;
mod progress;
mod radix;
mod read;
mod trim;
mod validate;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use triomphe::Arc;

pub use crate::listpack::Element;
pub use build::{BuildError, Builder, EntriesRead, Figures};
pub use delivery::{Acknowledgement, Claim, Claimed, DeliveryCount, NotPending};
pub use frozen::FrozenStream;
pub use group::{Consumer, ConsumerId, Group, Pending, PendingIter, Presence};
pub use id::{ID_BYTES, IntervalError, InvalidId, NewId, StreamId};
pub use log::{AppendError, Log, MAX_NODE_BYTES, NodeLimits, SetIdError};
pub use node::{Entry, Fields, Pairs};
pub use read::{Range, RangeBack};
pub use trim::{Keep, Precision, Trim, TrimmedNode};
pub use validate::{NodeError, NodeSummary, validate_node};

/// A name of a group or a consumer, shared with frozen streams.
type Name = std::sync::Arc<[u8]>;

/// There is a group of this name: BUSYGROUP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("consumer group name already exists")]
pub struct GroupExists;

/// A stream: a [`Log`], to which it dereferences, and the groups that read it.
///
/// A clone shares everything and costs O(chunks + groups) pointer copies.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    log: Log,
    groups: BTreeMap<Name, Arc<Group>>,
}

impl Stream {
    /// A stream that has never had entries.
    #[must_use]
    pub fn new() -> Stream {
        Stream::default()
    }

    /// Begins to load what is touched `step`-th (from 0) on the way to the end of the
    /// last node; returns whether there are more steps.
    #[inline]
    pub fn prefetch_step(&self, step: usize) -> bool {
        self.log.prefetch_step(step)
    }

    /// The number of groups. O(1).
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The groups, ordered by name.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, &**group))
    }

    /// The group of this name. O(log groups).
    #[must_use]
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name).map(|group| &**group)
    }

    /// The group of this name, to be changed. O(log groups); the first change after a
    /// freeze copies the group's spine and list of consumers.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.get_mut(name).map(Arc::make_mut)
    }

    /// The group of this name, to be changed, and the log that it reads.
    pub fn log_and_group_mut(&mut self, name: &[u8]) -> Option<(&Log, &mut Group)> {
        let group = self.groups.get_mut(name).map(Arc::make_mut)?;
        Some((&self.log, group))
    }

    /// Makes a group that reads on after `last_id`. `entries_read` is the counter of
    /// the entry with that ID, `None` if it is not known. O(log groups).
    ///
    /// # Errors
    /// If there is a group of this name.
    pub fn create_group(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> Result<(), GroupExists> {
        if self.groups.contains_key(name) {
            return Err(GroupExists);
        }
        let group = Arc::new(Group::new(last_id, entries_read));
        self.groups.insert(Name::from(name), group);
        Ok(())
    }

    /// Removes a group and returns it, as one with much pending takes time to free.
    /// O(log groups).
    pub fn destroy_group(&mut self, name: &[u8]) -> Option<Arc<Group>> {
        self.groups.remove(name)
    }
}

impl Deref for Stream {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}

impl DerefMut for Stream {
    fn deref_mut(&mut self) -> &mut Log {
        &mut self.log
    }
}
