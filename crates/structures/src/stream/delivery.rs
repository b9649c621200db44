//! Handing entries to consumers: new ones, those not acknowledged yet, and those
//! claimed from others.
//!
//! Times come from the caller, and so does every decision about replies and about
//! what is propagated: the functions here say what they have done, entry by entry.
//!
//! Invariant: whatever is handed out to be acknowledged is pending for exactly the
//! consumer that got it.

use super::group::Nack;
use super::{ConsumerId, Entry, Group, Log, Pending, StreamId};

/// Whether delivered entries have to be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// They are pending until they are.
    Expected,
    /// NOACK: they are not pending at all.
    None,
}

/// What a claim does with the count of deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryCount {
    /// One more: the entry is delivered.
    Increment,
    /// JUSTID: as it is.
    Keep,
    /// RETRYCOUNT.
    Set(u64),
}

/// What a claim does with an entry that is not pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPending {
    /// Nothing.
    Skip,
    /// FORCE: makes it pending.
    Create,
}

/// The options of XCLAIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Only entries delivered at least so long ago, in milliseconds; 0 for all.
    pub min_idle_ms: i64,
    /// The time of delivery to be noted: now, unless IDLE or TIME say otherwise.
    pub delivery_time_ms: i64,
    /// What happens to the count of deliveries.
    pub delivery_count: DeliveryCount,
    /// What happens to entries that are not pending.
    pub not_pending: NotPending,
}

/// What became of an entry that a consumer claims.
#[derive(Clone, Debug)]
pub enum Claimed<'a> {
    /// It is the consumer's now.
    Moved {
        /// As it is pending now.
        pending: Pending<'a>,
        /// The entry.
        entry: Entry<'a>,
    },
    /// The stream has no such entry any more, so that it is not pending any more.
    Deleted {
        /// As it was pending.
        pending: Pending<'a>,
    },
    /// Nothing has changed.
    Untouched,
}

impl Group {
    /// Delivers up to `count` entries (0: all) that the group has not delivered yet to
    /// a consumer, and returns how many: XREADGROUP with `>`. Each is shown to `visit`
    /// when it is noted, so that the group is then as it has to be propagated with it.
    /// O(log nodes + one node + entries).
    pub fn deliver_new(
        &mut self,
        log: &Log,
        consumer: ConsumerId,
        count: u64,
        acknowledgement: Acknowledgement,
        now_ms: i64,
        mut visit: impl FnMut(&Group, Entry<'_>),
    ) -> u64 {
        let Some(start) = self.last_id.next() else {
            return 0;
        };
        let mut delivered = 0;
        for entry in log.range(start, StreamId::MAX) {
            self.note_read(log, entry.id);
            if acknowledgement == Acknowledgement::Expected {
                // It may be pending already: the group's position can be set back.
                self.set_pending(
                    entry.id,
                    Nack {
                        consumer,
                        delivery_time_ms: now_ms,
                        delivery_count: 1,
                    },
                );
                if let Some(consumer) = self.consumer_mut(consumer) {
                    consumer.active_time_ms = Some(now_ms);
                }
            }
            visit(self, entry);
            delivered += 1;
            if delivered == count {
                break;
            }
        }
        delivered
    }

    /// Delivers up to `count` entries (0: all) again that are pending for a consumer,
    /// from the ID `from` on, and returns how many: XREADGROUP with an ID. `visit` gets
    /// `None` for an entry that is deleted. O(entries × log n).
    pub fn deliver_again(
        &mut self,
        log: &Log,
        consumer: ConsumerId,
        from: StreamId,
        count: u64,
        now_ms: i64,
        mut visit: impl FnMut(StreamId, Option<Entry<'_>>),
    ) -> u64 {
        let Some(own) = self.share_consumer(consumer) else {
            return 0;
        };
        let mut delivered = 0;
        for (id, ()) in own.pending.range(from, StreamId::MAX) {
            let entry = log.entry(id);
            if entry.is_some()
                && let Some(nack) = self.pending.get_mut(id)
            {
                nack.delivery_time_ms = now_ms;
                nack.delivery_count = nack.delivery_count.saturating_add(1);
            }
            visit(id, entry);
            delivered += 1;
            if delivered == count {
                break;
            }
        }
        delivered
    }

    /// Makes an entry a consumer's, if the options let it: XCLAIM, for one of its IDs.
    /// O(log n + one node).
    pub fn claim<'a>(
        &'a mut self,
        log: &'a Log,
        consumer: ConsumerId,
        id: StreamId,
        options: &Claim,
        now_ms: i64,
    ) -> Claimed<'a> {
        let Some(entry) = log.entry(id) else {
            return match self.remove_pending(id) {
                Some(nack) => self.deleted(id, nack),
                None => Claimed::Untouched,
            };
        };
        let old = match (self.pending.get(id), options.not_pending) {
            (Some(&nack), _) => {
                let idle_ms = now_ms.saturating_sub(nack.delivery_time_ms);
                if options.min_idle_ms > 0 && idle_ms < options.min_idle_ms {
                    return Claimed::Untouched;
                }
                nack
            }
            // As if it had been delivered once.
            (None, NotPending::Create) => Nack {
                consumer,
                delivery_time_ms: now_ms,
                delivery_count: 1,
            },
            (None, NotPending::Skip) => return Claimed::Untouched,
        };
        let nack = Nack {
            consumer,
            delivery_time_ms: options.delivery_time_ms,
            delivery_count: match options.delivery_count {
                DeliveryCount::Increment => old.delivery_count.saturating_add(1),
                DeliveryCount::Keep => old.delivery_count,
                DeliveryCount::Set(count) => count,
            },
        };
        self.set_pending(id, nack);
        if let Some(consumer) = self.consumer_mut(consumer) {
            consumer.active_time_ms = Some(now_ms);
        }
        match self.describe(id, nack) {
            Some(pending) => Claimed::Moved { pending, entry },
            None => Claimed::Untouched,
        }
    }

    /// Claims up to `count` pending entries from the ID `from` on that were delivered
    /// at least `min_idle_ms` milliseconds ago, looking at ten times as many at most,
    /// and returns from which ID to go on; `0-0` at the end: XAUTOCLAIM. `visit` sees
    /// those that are moved and those found deleted; both count.
    #[expect(clippy::too_many_arguments, reason = "the arguments of XAUTOCLAIM")]
    pub fn claim_idle(
        &mut self,
        log: &Log,
        consumer: ConsumerId,
        from: StreamId,
        min_idle_ms: i64,
        count: u64,
        delivery_count: DeliveryCount,
        now_ms: i64,
        mut visit: impl FnMut(Claimed<'_>),
    ) -> StreamId {
        let options = Claim {
            min_idle_ms,
            delivery_time_ms: now_ms,
            delivery_count,
            not_pending: NotPending::Skip,
        };
        let mut left = count;
        let mut attempts = count.saturating_mul(10);
        let mut from = from;
        loop {
            let next = self.pending.range(from, StreamId::MAX).next();
            let Some((id, _)) = next else {
                return StreamId::MIN;
            };
            if attempts == 0 || left == 0 {
                return id;
            }
            attempts -= 1;
            match self.claim(log, consumer, id, &options, now_ms) {
                Claimed::Untouched => {}
                claimed => {
                    visit(claimed);
                    left -= 1;
                }
            }
            match id.next() {
                Some(next) => from = next,
                None => return StreamId::MIN,
            }
        }
    }

    fn deleted(&self, id: StreamId, nack: Nack) -> Claimed<'_> {
        match self.describe(id, nack) {
            Some(pending) => Claimed::Deleted { pending },
            None => Claimed::Untouched,
        }
    }
}
