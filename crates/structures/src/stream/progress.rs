//! How far a group has read, and how much is left: counters that are exact while no
//! entry has been deleted where it matters, and unknown otherwise. Redis 7.2's rules.
//!
//! An entry's counter is its number among all that were ever added, from 1 on. It
//! follows from an ID only at the ends of the log, as IDs in between are not counted.

use super::{Group, Log, StreamId};

impl Log {
    /// The counter of the entry with this ID, or of the last one before it; `None` if
    /// it cannot be told. O(1).
    #[must_use]
    pub fn counter_of(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.length == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let before_first = self.entries_added.wrapping_sub(self.length);
        let whole_from_first = self.max_deleted_id.is_zero() || self.max_deleted_id < self.first_id;
        match id.cmp(&self.first_id) {
            _ if !whole_from_first => None,
            std::cmp::Ordering::Less => Some(before_first),
            std::cmp::Ordering::Equal => Some(before_first.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Whether an entry between the first one and the end was deleted that is not
    /// before `from`, as far as the greatest deleted ID tells. O(1).
    #[must_use]
    pub fn has_deleted_from(&self, from: StreamId) -> bool {
        self.length > 0
            && !self.max_deleted_id.is_zero()
            && self.first_id <= self.max_deleted_id
            && from <= self.max_deleted_id
    }
}

impl Group {
    /// Notes that the entry with this ID has been read.
    pub(super) fn note_read(&mut self, log: &Log, id: StreamId) {
        if id <= self.last_id {
            return;
        }
        match self.entries_read {
            Some(read) if !log.has_deleted_from(id) => {
                self.entries_read = Some(read.saturating_add(1));
            }
            _ if log.entries_added > 0 => self.entries_read = log.counter_of(id),
            _ => {}
        }
        self.last_id = id;
    }

    /// How many entries the group has yet to read: `lag` of XINFO. `None` if it cannot
    /// be told; negative if the counters were set so. O(1).
    #[must_use]
    pub fn lag(&self, log: &Log) -> Option<i64> {
        if log.entries_added == 0 {
            return Some(0);
        }
        let read = match self.entries_read {
            Some(read) if !log.has_deleted_from(self.last_id) => read,
            _ => log.counter_of(self.last_id)?,
        };
        Some(log.entries_added.wrapping_sub(read) as i64)
    }
}
