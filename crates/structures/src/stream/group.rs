//! A consumer group: how far it has read, who its consumers are, and which entries
//! were delivered but not acknowledged.
//!
//! ```text
//! group     pending: ID → consumer, delivery time, delivery count
//! consumer  pending: the IDs among them that are its own
//! ```
//!
//! The group knows nothing of entries: where one is needed, the caller passes the log.
//! Pending IDs may be of entries that are deleted since.
//!
//! Invariant: an ID is pending for a consumer exactly if the group has it as that
//! consumer's. Every [`ConsumerId`] in the group's pending entries is in use.

use std::collections::BTreeMap;

use triomphe::Arc;

use super::chunks::{self, Chunks};
use super::{Name, StreamId};

/// An entry that was delivered and not acknowledged yet, as a group keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nack {
    pub(super) consumer: ConsumerId,
    pub(super) delivery_time_ms: i64,
    pub(super) delivery_count: u64,
}

/// A consumer within its group, as a number: cheaper than its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerId(pub(super) u32);

/// Whether a consumer was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It was there.
    Found,
    /// It has been made.
    Created,
}

/// An entry that was delivered and not acknowledged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending<'a> {
    /// The entry's ID.
    pub id: StreamId,
    /// The name of the consumer it was last delivered to.
    pub consumer: &'a [u8],
    /// When that was, in milliseconds since 1970.
    pub delivery_time_ms: i64,
    /// How often it was delivered.
    pub delivery_count: u64,
}

impl Pending<'_> {
    /// How long ago it was delivered, in milliseconds. Negative if the clock has been
    /// set back since.
    #[must_use]
    pub fn idle_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.delivery_time_ms)
    }
}

/// A consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    pub(super) name: Name,
    pub(super) seen_time_ms: i64,
    pub(super) active_time_ms: Option<i64>,
    pub(super) pending: Chunks<()>,
}

impl Consumer {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// When it last asked for anything, in milliseconds since 1970.
    #[must_use]
    pub fn seen_time_ms(&self) -> i64 {
        self.seen_time_ms
    }

    /// When it last got anything, in milliseconds since 1970; `None` if it never did.
    #[must_use]
    pub fn active_time_ms(&self) -> Option<i64> {
        self.active_time_ms
    }

    /// How many entries it has not acknowledged. O(1).
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The IDs it has not acknowledged, in order.
    pub fn pending_ids(&self) -> impl DoubleEndedIterator<Item = StreamId> {
        self.pending.iter().map(|(id, ())| id)
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) last_id: StreamId,
    pub(super) entries_read: Option<u64>,
    pub(super) pending: Chunks<Nack>,
    /// The consumers by name: their places in `consumers`. Shared on its own, as it
    /// seldom changes.
    by_name: Arc<BTreeMap<Name, ConsumerId>>,
    /// A consumer's place stays its own until it is deleted.
    consumers: Vec<Option<Arc<Consumer>>>,
    /// The places of deleted consumers.
    free: Vec<ConsumerId>,
}

impl Group {
    /// A group without consumers that reads on after `last_id`.
    pub(super) fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group {
            last_id,
            entries_read,
            pending: Chunks::default(),
            by_name: Arc::new(BTreeMap::new()),
            consumers: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The ID of the last entry delivered for the first time. O(1).
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// How many entries of all that were ever added the group has read; `None` if that
    /// cannot be known. O(1).
    #[must_use]
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Moves the group, as XGROUP SETID does.
    pub fn set_position(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        self.last_id = last_id;
        self.entries_read = entries_read;
    }

    /// Moves the group forward, but never back, and says whether it moved: LASTID of
    /// XCLAIM.
    pub fn advance_to(&mut self, last_id: StreamId) -> bool {
        let ahead = last_id > self.last_id;
        if ahead {
            self.last_id = last_id;
        }
        ahead
    }

    /// The number of consumers. O(1).
    #[must_use]
    pub fn consumer_count(&self) -> usize {
        self.by_name.len()
    }

    /// The consumers, ordered by name.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.by_name.values().filter_map(|&id| self.consumer_at(id))
    }

    /// The consumer with this name. O(log consumers).
    #[must_use]
    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumer_at(self.consumer_id(name)?)
    }

    /// The number of the consumer with this name. O(log consumers).
    #[must_use]
    pub fn consumer_id(&self, name: &[u8]) -> Option<ConsumerId> {
        self.by_name.get(name).copied()
    }

    /// The number of the consumer with this name, which is made if it is not there:
    /// XGROUP CREATECONSUMER. A new one has been seen now. O(log consumers).
    pub fn ensure_consumer(&mut self, name: &[u8], now_ms: i64) -> (ConsumerId, Presence) {
        if let Some(id) = self.consumer_id(name) {
            return (id, Presence::Found);
        }
        (self.add_consumer(name, now_ms, None), Presence::Created)
    }

    /// Like [`Group::ensure_consumer`]; the consumer has been seen now in either case:
    /// for every command that a consumer gives.
    pub fn see_consumer(&mut self, name: &[u8], now_ms: i64) -> (ConsumerId, Presence) {
        let (id, presence) = self.ensure_consumer(name, now_ms);
        if let Some(consumer) = self.consumer_mut(id) {
            consumer.seen_time_ms = now_ms;
        }
        (id, presence)
    }

    /// Adds a consumer that is not there.
    pub(super) fn add_consumer(
        &mut self,
        name: &[u8],
        seen_time_ms: i64,
        active_time_ms: Option<i64>,
    ) -> ConsumerId {
        let name = Name::from(name);
        let consumer = Arc::new(Consumer {
            name: Name::clone(&name),
            seen_time_ms,
            active_time_ms,
            pending: Chunks::default(),
        });
        let id = match self.free.pop() {
            Some(id) => {
                self.consumers[id.0 as usize] = Some(consumer);
                id
            }
            None => {
                self.consumers.push(Some(consumer));
                ConsumerId(u32::try_from(self.consumers.len() - 1).unwrap_or(u32::MAX))
            }
        };
        Arc::make_mut(&mut self.by_name).insert(name, id);
        id
    }

    /// Deletes a consumer and whatever is pending for it, and returns how many
    /// entries that were; `None` if there is no such consumer. O(its pending entries).
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let id = self.consumer_id(name)?;
        Arc::make_mut(&mut self.by_name).remove(name);
        let consumer = self.consumers.get_mut(id.0 as usize)?.take()?;
        self.free.push(id);
        for pending in consumer.pending_ids() {
            self.pending.remove(pending);
        }
        Some(consumer.pending_len())
    }

    /// The number of entries not acknowledged. O(1).
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The entries not acknowledged, in order: from the first to the last, or from
    /// either end.
    #[must_use]
    pub fn pending(&self) -> PendingIter<'_> {
        self.pending_range(StreamId::MIN, StreamId::MAX)
    }

    /// The entries not acknowledged with IDs from `from` to `to`, both included.
    /// O(log n) to start.
    #[must_use]
    pub fn pending_range(&self, from: StreamId, to: StreamId) -> PendingIter<'_> {
        PendingIter {
            group: self,
            walk: Walk::Group(self.pending.range(from, to)),
        }
    }

    /// Those of one consumer of this group. O(log n) for each.
    #[must_use]
    pub fn pending_range_of<'a>(
        &'a self,
        consumer: &'a Consumer,
        from: StreamId,
        to: StreamId,
    ) -> PendingIter<'a> {
        PendingIter {
            group: self,
            walk: Walk::Consumer(consumer.pending.range(from, to)),
        }
    }

    /// What is known about one entry not acknowledged. O(log n).
    #[must_use]
    pub fn pending_entry(&self, id: StreamId) -> Option<Pending<'_>> {
        self.describe(id, *self.pending.get(id)?)
    }

    /// Takes an entry as processed and says whether it was pending: XACK. O(log n).
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        self.remove_pending(id).is_some()
    }

    pub(super) fn remove_pending(&mut self, id: StreamId) -> Option<Nack> {
        let nack = self.pending.remove(id)?;
        if let Some(consumer) = self.consumer_mut(nack.consumer) {
            consumer.pending.remove(id);
        }
        Some(nack)
    }

    /// Makes an entry pending for a consumer, whosever it was before.
    pub(super) fn set_pending(&mut self, id: StreamId, nack: Nack) {
        let old = self.pending.insert(id, nack).map(|old| old.consumer);
        if old == Some(nack.consumer) {
            return;
        }
        if let Some(consumer) = old.and_then(|old| self.consumer_mut(old)) {
            consumer.pending.remove(id);
        }
        if let Some(consumer) = self.consumer_mut(nack.consumer) {
            consumer.pending.insert(id, ());
        }
    }

    pub(super) fn describe(&self, id: StreamId, nack: Nack) -> Option<Pending<'_>> {
        Some(Pending {
            id,
            consumer: self.consumer_at(nack.consumer)?.name(),
            delivery_time_ms: nack.delivery_time_ms,
            delivery_count: nack.delivery_count,
        })
    }

    pub(super) fn consumer_at(&self, id: ConsumerId) -> Option<&Consumer> {
        self.consumers.get(id.0 as usize)?.as_deref()
    }

    /// A consumer to be changed; its share with a frozen stream is ended.
    pub(super) fn consumer_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        let consumer = self.consumers.get_mut(id.0 as usize)?.as_mut()?;
        Some(Arc::make_mut(consumer))
    }

    /// The consumer with its pending entries, held apart from the group.
    pub(super) fn share_consumer(&self, id: ConsumerId) -> Option<Arc<Consumer>> {
        self.consumers.get(id.0 as usize)?.clone()
    }

    /// About how many bytes of memory the group takes.
    pub(super) fn memory_bytes(&self) -> usize {
        const OWNERS: usize = size_of::<usize>();
        // The name, with two counts of owners, is shared by map and consumer.
        let consumers: usize = self
            .consumers()
            .map(|consumer| {
                let name = consumer.name.len() + 2 * OWNERS;
                OWNERS + size_of::<Consumer>() + name + consumer.pending.memory_bytes()
            })
            .sum();
        OWNERS
            + size_of::<Group>()
            + self.pending.memory_bytes()
            + self.consumers.capacity() * size_of::<Option<Arc<Consumer>>>()
            + self.by_name.len() * size_of::<(Name, ConsumerId)>() * 3 / 2
            + consumers
    }

    /// Drops up to about `pairs` pending entries, and returns how many of the number
    /// are left over; consumers go when all theirs have gone.
    pub(super) fn drop_some(&mut self, mut pairs: usize) -> usize {
        // Places are given up from the end now, and not to be filled again.
        self.free.clear();
        while pairs > 0 && !self.is_hollow() {
            let dropped = self
                .pending
                .drop_chunk()
                .or_else(|| self.drop_from_last_consumer());
            pairs = pairs.saturating_sub(dropped.unwrap_or(1));
        }
        pairs
    }

    /// Drops pending IDs of the last consumer, or itself if it has none left or if it
    /// is shared.
    fn drop_from_last_consumer(&mut self) -> Option<usize> {
        let last = self.consumers.last_mut()?;
        let dropped = last
            .as_mut()
            .and_then(|consumer| Arc::get_mut(consumer)?.pending.drop_chunk());
        if dropped.is_none()
            && let Some(consumer) = self.consumers.pop().flatten()
        {
            match Arc::get_mut(&mut self.by_name) {
                Some(by_name) => drop(by_name.remove(&consumer.name)),
                // A frozen copy has it too, so that nothing is freed here.
                None => self.by_name = Arc::new(BTreeMap::new()),
            }
        }
        dropped
    }

    /// Whether there is nothing left to drop in slices.
    pub(super) fn is_hollow(&self) -> bool {
        self.pending.is_empty() && self.consumers.is_empty()
    }
}

/// Walks the entries of a group that are not acknowledged.
#[derive(Clone, Debug)]
pub struct PendingIter<'a> {
    group: &'a Group,
    walk: Walk<'a>,
}

#[derive(Clone, Debug)]
enum Walk<'a> {
    Group(chunks::Iter<'a, Nack>),
    Consumer(chunks::Iter<'a, ()>),
}

impl<'a> Iterator for PendingIter<'a> {
    type Item = Pending<'a>;

    fn next(&mut self) -> Option<Pending<'a>> {
        match &mut self.walk {
            Walk::Group(all) => {
                let (id, nack) = all.next()?;
                self.group.describe(id, *nack)
            }
            Walk::Consumer(own) => self.group.pending_entry(own.next()?.0),
        }
    }
}

impl<'a> DoubleEndedIterator for PendingIter<'a> {
    fn next_back(&mut self) -> Option<Pending<'a>> {
        match &mut self.walk {
            Walk::Group(all) => {
                let (id, nack) = all.next_back()?;
                self.group.describe(id, *nack)
            }
            Walk::Consumer(own) => self.group.pending_entry(own.next_back()?.0),
        }
    }
}
