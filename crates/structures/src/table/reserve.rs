//! Making room for many elements at once.
//!
//! Invariant: room is made for elements that are at hand, so what is allocated is in
//! proportion to them.

use super::Slot;
use super::geometry::{SPLIT_BUCKETS, buckets_for, segment_span};
use super::ownership::Ownership;
use super::segment::Segment;
use super::table::ExtendibleTable;

impl<S: Slot, O: Ownership<S>> ExtendibleTable<S, O> {
    /// Makes room for `additional` elements that are about to be inserted, whose hashes
    /// are spread as hashes are: each segment grows once instead of step by step. Room
    /// is no promise; an insertion that finds none makes it as usual. O(elements, those
    /// to come included).
    ///
    /// Not for numbers that somebody merely claims: the memory is taken here and now.
    pub fn reserve(&mut self, additional: usize) {
        let total = self.len().saturating_add(additional);
        let mut start = 0_u64;
        while let Ok(position) = u32::try_from(start) {
            let segment = self.directory.at(position);
            let depth = segment.depth();
            let expected = segment.len() + (additional >> depth);
            // Some segments get more than their share.
            let buckets = buckets_for(expected + expected / 16 + 1, depth);
            let (is_vacant, present) = (segment.is_vacant(), segment.bucket_count());
            if buckets > SPLIT_BUCKETS && self.may_split(depth, total) {
                if is_vacant {
                    let segment = Segment::with_buckets(1, depth);
                    self.directory.replace(position, segment);
                }
                self.split(position);
                continue;
            }
            if is_vacant {
                let segment = Segment::with_buckets(buckets, depth);
                self.directory.replace(position, segment);
            } else if buckets > present {
                self.resize(position, buckets);
            }
            start += segment_span(depth);
        }
    }
}
