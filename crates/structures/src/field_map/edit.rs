//! Changing the map: values, deadlines, removals.

use super::FieldMap;
use super::record::Record;
use crate::hash::hash_bytes;
use crate::table::{Due, Entry};

/// What becomes of a field's deadline when its value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldDeadline {
    /// It stays.
    Keep,
    /// It is cleared.
    Clear,
    /// It is set to this moment, in milliseconds of Unix time.
    AtMs(u64),
}

impl FieldDeadline {
    /// The new deadline in place of `present`.
    #[inline]
    pub fn over(self, present: Option<u64>) -> Option<u64> {
        match self {
            Self::Keep => present,
            Self::Clear => None,
            Self::AtMs(deadline_ms) => Some(deadline_ms),
        }
    }
}

impl FieldMap {
    /// Gives `field` a value; says whether the field is new. In place where nobody else
    /// holds the record and the size class stays. O(1).
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], deadline: FieldDeadline) -> bool {
        let hash = hash_bytes(field);
        let (inserted, deadline_ms) = match self.records.entry(hash, |record| record.is(field)) {
            Entry::Occupied(mut slot) => {
                let record = slot.get_mut();
                let present = record.view().deadline_ms;
                let deadline_ms = deadline.over(present);
                if deadline_ms != present || !record.replace_value(value) {
                    let new = Record::new(hash, field, value, deadline_ms);
                    self.blob_bytes += new.allocated_bytes();
                    self.blob_bytes -= record.allocated_bytes();
                    self.with_deadline += usize::from(deadline_ms.is_some());
                    self.with_deadline -= usize::from(present.is_some());
                    *record = new;
                }
                (false, deadline_ms)
            }
            Entry::Vacant(slot) => {
                let deadline_ms = deadline.over(None);
                let new = Record::new(hash, field, value, deadline_ms);
                self.blob_bytes += new.allocated_bytes();
                self.with_deadline += usize::from(deadline_ms.is_some());
                slot.insert(new);
                (true, deadline_ms)
            }
        };
        if let Some(deadline_ms) = deadline_ms {
            self.records.note_deadline(hash, deadline_ms);
        }
        inserted
    }

    /// Sets or clears the deadline of `field`; returns the one it had, `None` where there
    /// is no such field. O(1).
    pub fn set_deadline(&mut self, field: &[u8], deadline_ms: Option<u64>) -> Option<Option<u64>> {
        let hash = hash_bytes(field);
        let record = self.records.find_mut(hash, |record| record.is(field))?;
        let present = record.view().deadline_ms;
        if present == deadline_ms {
            return Some(present);
        }
        let in_place = deadline_ms.is_some_and(|deadline_ms| record.replace_deadline(deadline_ms));
        if !in_place {
            let new = Record::new(hash, field, record.view().value, deadline_ms);
            self.blob_bytes += new.allocated_bytes();
            self.blob_bytes -= record.allocated_bytes();
            *record = new;
        }
        self.with_deadline += usize::from(deadline_ms.is_some());
        self.with_deadline -= usize::from(present.is_some());
        if let Some(deadline_ms) = deadline_ms {
            self.records.note_deadline(hash, deadline_ms);
        }
        Some(present)
    }

    /// Takes `field` out; says whether it was there. O(1).
    #[inline]
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self
            .records
            .remove(hash_bytes(field), |record| record.is(field))
        {
            Some(record) => {
                self.forget(&record);
                true
            }
            None => false,
        }
    }

    fn forget(&mut self, record: &Record) {
        self.blob_bytes -= record.allocated_bytes();
        self.with_deadline -= usize::from(record.view().deadline_ms.is_some());
    }

    /// Removes fields past their deadline and hands their names to `removed`, in up to
    /// `max_segments` segments of the table (about 1500 fields each). Returns whether some
    /// may be left.
    pub fn expire_due(
        &mut self,
        now_ms: u64,
        max_segments: usize,
        mut removed: impl FnMut(&[u8]),
    ) -> bool {
        if self.earliest_deadline_ms() > now_ms {
            return false;
        }
        let (mut bytes, mut count) = (0, 0);
        let decide = |record: &mut Record| {
            let view = record.view();
            if view.is_due(now_ms) {
                Due::Remove
            } else {
                Due::Keep(view.deadline_ms)
            }
        };
        let visited = self
            .records
            .visit_due(now_ms, max_segments, decide, |record| {
                bytes += record.allocated_bytes();
                count += 1;
                removed(record.view().field);
            });
        self.blob_bytes -= bytes;
        self.with_deadline -= count;
        visited == max_segments && self.earliest_deadline_ms() <= now_ms
    }

    /// Frees about 1500 fields. False when there was nothing left. For dropping a large
    /// map in slices.
    pub fn drop_some(&mut self) -> bool {
        // Sizes need not be followed any more: the map is on its way out.
        self.blob_bytes = 0;
        self.with_deadline = 0;
        self.records.release_segment()
    }
}
