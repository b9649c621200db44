//! A map as it was at one moment, readable from any thread without a lock.

use super::record::{FieldRef, Record};
use crate::table::FrozenTable;

/// The fields of a [`FieldMap`](super::FieldMap) as of [`freeze`](super::FieldMap::freeze).
#[derive(Debug)]
pub struct FrozenFieldMap {
    records: FrozenTable<Record>,
}

impl FrozenFieldMap {
    pub(super) fn new(records: FrozenTable<Record>) -> Self {
        Self { records }
    }

    /// The number of fields, those past their deadline included.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The fields, in the order of their hashes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = FieldRef<'_>> {
        self.records.iter().map(Record::view)
    }

    /// Visits a slice of the fields (about 1500), the first one at 0; returns the number
    /// of the next one, `None` after the last.
    pub fn visit_slice(&self, slice: usize, mut visit: impl FnMut(FieldRef<'_>)) -> Option<usize> {
        self.records
            .visit_from(slice, |record| visit(record.view()))
    }

    /// Visits a few of the fields not visited by this yet (a hundred or so), each once, and
    /// lets go of them by and by; false when nothing was left.
    pub fn take_slice(&mut self, mut visit: impl FnMut(FieldRef<'_>)) -> bool {
        self.records.take_some(|record| visit(record.view()))
    }
}
