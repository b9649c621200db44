//! Large hashes: fields with values by hash, behind what OBJECT ENCODING calls
//! `hashtable`.
//!
//! ```text
//!   table slot (8 bytes) ─▶ blob: count, length, record ─▶ field, deadline, value
//! ```
//!
//! A field is one allocation with its value and, where it has one, its deadline. One of
//! 48 bytes in all costs 64 and its share of the table, about 11. The map knows no keys,
//! no locks, no clock; small hashes are listpacks, another module's.
//!
//! Fields past their deadline stay until [`FieldMap::expire_due`] removes them. It finds
//! them without an index: each segment of the table knows its earliest deadline.
//!
//! - `record`: the bytes of a field; `edit`: what changes the map; `frozen`: reading
//!   without a lock.
//!
//! Invariant: each field has one slot; `with_deadline` and `blob_bytes` agree with the
//! records; no record's deadline is before the table's earliest one.

mod edit;
mod frozen;
mod record;

#[cfg(test)]
mod tests;

use crate::hash::hash_bytes;
use crate::table::SharedTable;

pub use edit::FieldDeadline;
pub use frozen::FrozenFieldMap;
pub use record::FieldRef;
use record::Record;

/// Values by field; both are byte strings of any length.
#[derive(Clone, Default)]
pub struct FieldMap {
    records: SharedTable<Record>,
    /// Bytes allocated for records, not for the table.
    blob_bytes: usize,
    /// How many fields have a deadline.
    with_deadline: usize,
}

impl FieldMap {
    /// An empty map; it allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of fields, those past their deadline included. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many fields have a deadline. O(1).
    #[inline]
    pub fn with_deadline(&self) -> usize {
        self.with_deadline
    }

    /// The field with its value and deadline. O(1).
    #[inline]
    pub fn find(&self, field: &[u8]) -> Option<FieldRef<'_>> {
        let found = self
            .records
            .find(hash_bytes(field), |record| record.is(field))?;
        Some(found.view())
    }

    /// The fields, in the order of their hashes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = FieldRef<'_>> {
        self.records.iter().map(Record::view)
    }

    /// A field by chance, each about equally likely. `random` gives 64 random bits a
    /// call. O(1).
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<FieldRef<'_>> {
        self.records.random(random).map(Record::view)
    }

    /// Emits about `count` fields from `position` on (0 at first) and returns the
    /// position to go on from, never 0; `None` at the end. A field that stays in the map
    /// from the first call to the last is emitted exactly once.
    pub fn scan(
        &self,
        position: u32,
        count: usize,
        mut emit: impl FnMut(FieldRef<'_>),
    ) -> Option<u32> {
        self.records
            .scan(position, count, |record| emit(record.view()))
    }

    /// No field is due before this moment (Unix milliseconds); `u64::MAX` when none has a
    /// deadline. May be too early, never too late. O(1).
    #[inline]
    pub fn earliest_deadline_ms(&self) -> u64 {
        if self.with_deadline == 0 {
            u64::MAX
        } else {
            self.records.earliest_deadline_ms()
        }
    }

    /// How many fields are past their deadline. O(1) when none can be, else the work of
    /// the table's segments that may hold some and a look at each other one.
    pub fn count_due(&self, now_ms: u64) -> usize {
        if self.earliest_deadline_ms() > now_ms {
            return 0;
        }
        let mut due = 0;
        self.records.visit_due_segments(now_ms, |record| {
            due += usize::from(record.view().is_due(now_ms));
        });
        due
    }

    /// The map as it is now, in O(n / 1500) pointer copies. While the result lives, a
    /// write copies the segment (about 1500 slots) that it touches, the first time, and
    /// the record that it changes.
    pub fn freeze(&self) -> FrozenFieldMap {
        FrozenFieldMap::new(self.records.freeze())
    }

    /// Bytes allocated for table and fields. O(1).
    pub fn memory_bytes(&self) -> usize {
        self.records.memory_bytes() + self.blob_bytes
    }

    /// Begins to load what is touched `step`-th on the way to the field with this hash;
    /// returns whether there are more steps. See [`SharedTable::prefetch_step`].
    #[inline]
    pub fn prefetch_step(&self, step: usize, hash: u64) -> bool {
        self.records.prefetch_step(step, hash)
    }
}

impl std::fmt::Debug for FieldMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FieldMap({} fields)", self.len())
    }
}
