//! A frozen table: what a shared table held at one moment, readable from any thread
//! without a lock while the table goes on changing.

use std::fmt;

use super::Slot;
use super::scan::Elements;
use super::segment::Segment;
use super::table::SharedTable;

/// The elements of a [`SharedTable`] as of [`freeze`](SharedTable::freeze).
///
/// Holds references to the table's segments. Dropping it drops the slots of those that
/// the table has copied or let go of since.
pub struct FrozenTable<S> {
    segments: Vec<Segment<S>>,
    len: usize,
    /// How many buckets of the last segment [`take_some`](Self::take_some) has passed.
    taken_buckets: usize,
}

impl<S: Slot + Clone> SharedTable<S> {
    /// The table as it is now, in O(segments) pointer copies. Costs later writers one
    /// copy of each segment they touch, while the result lives.
    pub fn freeze(&self) -> FrozenTable<S> {
        FrozenTable {
            segments: self.directory.share_segments(),
            len: self.len,
            taken_buckets: 0,
        }
    }
}

impl<S> fmt::Debug for FrozenTable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenTable")
            .field("len", &self.len)
            .field("segments", &self.segments.len())
            .finish()
    }
}

impl<S> FrozenTable<S> {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of segments: the end of the indices of
    /// [`visit_from`](Self::visit_from).
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// All elements, in the order of the segments' positions.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &S> {
        Elements::new(self.segments.iter().map(Segment::as_ref), self.len)
    }

    /// Visits the elements of one segment (a few hundred at most, unless hashes
    /// collide); returns the index of the next one, `None` after the last.
    pub fn visit_from(&self, segment_index: usize, mut visit: impl FnMut(&S)) -> Option<usize> {
        let segment = self.segments.get(segment_index)?;
        for bucket in segment.as_ref().buckets() {
            bucket.elements().for_each(&mut visit);
        }
        let next = segment_index + 1;
        (next < self.segments.len()).then_some(next)
    }

    /// Visits a few of the elements not visited by this yet (a hundred or so), each once,
    /// and lets go of segments that were visited whole; false when nothing was left.
    pub fn take_some(&mut self, visit: impl FnMut(&S)) -> bool {
        const BUCKETS: usize = 16;
        let Some(last) = self.segments.last() else {
            return false;
        };
        let buckets = &last.as_ref().buckets()[self.taken_buckets..];
        let some = &buckets[..buckets.len().min(BUCKETS)];
        some.iter()
            .flat_map(|bucket| bucket.elements())
            .for_each(visit);
        self.taken_buckets += some.len();
        if some.len() == buckets.len() {
            self.len -= last.as_ref().len();
            self.taken_buckets = 0;
            self.segments.pop();
        }
        true
    }
}
