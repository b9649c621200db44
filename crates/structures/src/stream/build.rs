//! Putting a stream together from the parts of an RDB file or a DUMP payload.
//!
//! Everything is checked as it comes: what [`Builder::finish`] returns is as good as a
//! stream that was written entry by entry. Memory taken is that of the parts given.

use triomphe::Arc;

use super::group::{ConsumerId, Nack};
use super::node::Node;
use super::validate::{NodeError, validate_node};
use super::{Group, Name, Stream, StreamId};

/// Why parts are no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A node is malformed.
    #[error("stream node {master}: {error}")]
    Node {
        /// The node's key.
        master: StreamId,
        /// What is wrong.
        error: NodeError,
    },
    /// A node's key is not above all entries before it.
    #[error("stream node {master} is out of order")]
    NodeOrder {
        /// The node's key.
        master: StreamId,
    },
    /// There are other entries than the stated length says.
    #[error("stream length is said to be {stated}, but is {actual}")]
    Length {
        /// The stated length.
        stated: u64,
        /// The number of live entries in the nodes.
        actual: u64,
    },
    /// An entry has an ID above the stated last one.
    #[error("stream has an entry {actual} above its last ID {stated}")]
    LastId {
        /// The stated last ID.
        stated: StreamId,
        /// The last entry's ID.
        actual: StreamId,
    },
    /// Two groups have one name.
    #[error("stream has two consumer groups of one name")]
    DuplicateGroup,
    /// Two consumers of a group have one name.
    #[error("consumer group has two consumers of one name")]
    DuplicateConsumer,
    /// A group has an ID pending twice.
    #[error("entry {id} is pending twice in its group")]
    DuplicatePending {
        /// The ID.
        id: StreamId,
    },
    /// A consumer's pending ID is not pending in the group, or is another consumer's.
    #[error("entry {id} is pending for a consumer, but not so in its group")]
    StrayPending {
        /// The ID.
        id: StreamId,
    },
    /// An ID is pending in the group, but for no consumer.
    #[error("entry {id} is pending for no consumer")]
    Ownerless {
        /// The ID.
        id: StreamId,
    },
}

/// What a file says about a stream beside its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The number of entries.
    pub length: u64,
    /// The greatest ID ever added.
    pub last_id: StreamId,
    /// The greatest ID deleted; `0-0` if the file's version does not have it.
    pub max_deleted_id: StreamId,
    /// The number of entries ever added; `None` if the file's version does not have it.
    pub entries_added: Option<u64>,
}

/// What a file says about how much a group has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntriesRead {
    /// The counter, or that it is not known.
    Stated(Option<u64>),
    /// The file's version does not have it: it is told from the group's last ID, as
    /// far as possible.
    Estimated,
}

impl EntriesRead {
    /// The counter as files have it: -1, as a 64-bit number, says that it is not known.
    #[must_use]
    pub fn from_file(counter: u64) -> EntriesRead {
        EntriesRead::Stated((counter != u64::MAX).then_some(counter))
    }
}

/// The owner of pending entries whose consumer has not been read yet.
const NOBODY: ConsumerId = ConsumerId(u32::MAX);

/// A stream being put together, in the order of an RDB file: nodes, figures, then
/// group by group its pending entries and its consumers with theirs.
#[derive(Debug, Default)]
pub struct Builder {
    stream: Stream,
    /// The greatest ID of a live entry, or key of a node, so far.
    greatest: Option<StreamId>,
    last_live: Option<StreamId>,
    group: Option<(Name, Group)>,
    /// How many of the group's pending entries have an owner.
    owned: usize,
}

impl Builder {
    /// A stream without parts.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Adds a node: the ID of its master entry and its listpack. O(bytes).
    ///
    /// # Errors
    /// If it is malformed or not after the one before.
    pub fn push_node(&mut self, master: StreamId, bytes: Vec<u8>) -> Result<(), BuildError> {
        let summary =
            validate_node(&bytes, master).map_err(|error| BuildError::Node { master, error })?;
        if self.greatest.is_some_and(|greatest| master <= greatest) {
            return Err(BuildError::NodeOrder { master });
        }
        self.greatest = summary.last_live.or(Some(master));
        self.last_live = summary.last_live.or(self.last_live);
        let log = &mut self.stream.log;
        log.length += summary.live;
        log.nodes.insert(master, Arc::new(Node::from_bytes(bytes)));
        Ok(())
    }

    /// Sets the figures, after all nodes. The first ID is not among them: it is what
    /// the nodes say.
    ///
    /// # Errors
    /// If they do not fit the nodes.
    pub fn set_figures(&mut self, figures: Figures) -> Result<(), BuildError> {
        let log = &mut self.stream.log;
        if figures.length != log.length {
            return Err(BuildError::Length {
                stated: figures.length,
                actual: log.length,
            });
        }
        if let Some(actual) = self.last_live
            && actual > figures.last_id
        {
            return Err(BuildError::LastId {
                stated: figures.last_id,
                actual,
            });
        }
        log.drop_nodes_above(figures.last_id);
        log.last_id = figures.last_id;
        log.max_deleted_id = figures.max_deleted_id;
        log.entries_added = figures.entries_added.unwrap_or(figures.length);
        log.refresh_first_id();
        Ok(())
    }

    /// Begins a group, after the figures; what follows is the group's.
    ///
    /// # Errors
    /// If there is one of this name, or the group before is not whole.
    pub fn begin_group(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: EntriesRead,
    ) -> Result<(), BuildError> {
        self.end_group()?;
        if self.stream.groups.contains_key(name) {
            return Err(BuildError::DuplicateGroup);
        }
        let entries_read = match entries_read {
            EntriesRead::Stated(counter) => counter,
            EntriesRead::Estimated => self.stream.log.counter_of(last_id),
        };
        self.group = Some((Name::from(name), Group::new(last_id, entries_read)));
        Ok(())
    }

    /// Adds an entry to those pending in the group; a consumer has to claim it later.
    ///
    /// # Errors
    /// If it is there already, or there is no group.
    pub fn push_pending(
        &mut self,
        id: StreamId,
        delivery_time_ms: i64,
        delivery_count: u64,
    ) -> Result<(), BuildError> {
        let Some((_, group)) = &mut self.group else {
            return Err(BuildError::StrayPending { id });
        };
        let nack = Nack {
            consumer: NOBODY,
            delivery_time_ms,
            delivery_count,
        };
        match group.pending.insert(id, nack) {
            None => Ok(()),
            Some(_) => Err(BuildError::DuplicatePending { id }),
        }
    }

    /// Adds a consumer to the group and returns what to name it by.
    ///
    /// # Errors
    /// If there is one of this name, or there is no group.
    pub fn push_consumer(
        &mut self,
        name: &[u8],
        seen_time_ms: i64,
        active_time_ms: Option<i64>,
    ) -> Result<ConsumerId, BuildError> {
        match &mut self.group {
            Some((_, group)) if group.consumer_id(name).is_none() => {
                Ok(group.add_consumer(name, seen_time_ms, active_time_ms))
            }
            _ => Err(BuildError::DuplicateConsumer),
        }
    }

    /// Gives one of the group's pending entries to a consumer.
    ///
    /// # Errors
    /// If it is not pending in the group, or is a consumer's already.
    pub fn push_consumer_pending(
        &mut self,
        consumer: ConsumerId,
        id: StreamId,
    ) -> Result<(), BuildError> {
        let stray = BuildError::StrayPending { id };
        let (_, group) = self.group.as_mut().ok_or(stray)?;
        let nack = group.pending.get_mut(id).ok_or(stray)?;
        if nack.consumer != NOBODY {
            return Err(stray);
        }
        nack.consumer = consumer;
        let consumer = group.consumer_mut(consumer).ok_or(stray)?;
        consumer.pending.insert(id, ());
        self.owned += 1;
        Ok(())
    }

    /// The stream. O(1).
    ///
    /// # Errors
    /// If the last group is not whole.
    pub fn finish(mut self) -> Result<Stream, BuildError> {
        self.end_group()?;
        Ok(self.stream)
    }

    fn end_group(&mut self) -> Result<(), BuildError> {
        let Some((name, group)) = self.group.take() else {
            return Ok(());
        };
        if self.owned < group.pending.len() {
            let ownerless = group
                .pending
                .iter()
                .find(|(_, nack)| nack.consumer == NOBODY);
            return Err(BuildError::Ownerless {
                id: ownerless.map_or(StreamId::MIN, |(id, _)| id),
            });
        }
        self.owned = 0;
        self.stream.groups.insert(name, Arc::new(group));
        Ok(())
    }
}
