//! Growing, splitting, shrinking and merging: one segment (or two buddies) at a time.
//!
//! Each step has three parts: compute the positions (the slots' own code, which may
//! panic; nothing has changed), allocate, then move (no foreign code, no panic).

use super::Slot;
use super::geometry::{
    MAX_DEPTH, SPLIT_BUCKETS, buckets_for, full_at, home_bucket, segment_start, sparse_below,
};
use super::ownership::Ownership;
use super::probe::{positions, scatter};
use super::segment::Segment;
use super::table::ExtendibleTable;

/// The table's elements per entry below which the directory is not doubled. A table of
/// uniform hashes has about a hundred or more per entry. Deliberately equal positions
/// would double it without end: such segments grow beyond their usual size instead.
const LEAST_ELEMENTS_PER_ENTRY: usize = 16;

/// A directory of up to this many entries is made regardless.
const FREE_ENTRIES: usize = 16;

/// Whether all positions from a lowest to a highest have the same home bucket in a
/// segment of `depth` and `buckets`.
fn same_home(depth: u32, buckets: usize) -> impl Fn(u32, u32) -> bool {
    move |lowest, highest| {
        home_bucket(lowest, depth, buckets) == home_bucket(highest, depth, buckets)
            && segment_start(lowest, depth) == segment_start(highest, depth)
    }
}

impl<S: Slot, O: Ownership<S>> ExtendibleTable<S, O> {
    /// Makes room in the segment around `position`, which has none. At most the work of
    /// one segment, plus copying the directory when that doubles. One call may not be
    /// enough: all elements may fall into one half.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(&mut self, position: u32) {
        let segment = self.directory.at(position);
        let (len, buckets) = (segment.len(), segment.bucket_count());
        if segment.is_vacant() {
            let segment = Segment::with_buckets(1, segment.depth());
            self.directory.replace(position, segment);
        } else if buckets >= SPLIT_BUCKETS && self.may_split(segment.depth(), self.len()) {
            self.split(position);
        } else {
            let buckets = buckets_for(full_at(buckets).max(len) + 1, segment.depth());
            self.resize(position, buckets);
        }
    }

    /// Whether a segment of this depth may split in a table of so many elements.
    pub(super) fn may_split(&self, depth: u32, elements: usize) -> bool {
        if depth < self.directory.depth() {
            return true;
        }
        let entries = 2_usize << depth;
        depth < MAX_DEPTH && entries <= FREE_ENTRIES + elements / LEAST_ELEMENTS_PER_ENTRY
    }

    /// Moves the elements of the segment around `position` to one of `buckets`.
    pub(super) fn resize(&mut self, position: u32, buckets: usize) {
        let depth = self.directory.at(position).depth();
        let positions = positions(self.directory.at(position), same_home(depth, buckets));
        let mut old = self.directory.at_mut(position);
        let mut new = [Segment::with_buckets(buckets, depth)];
        new[0].as_mut().set_deadline_ms(old.as_ref().deadline_ms());
        scatter(&mut old, &positions, &mut new, |_| 0);
        let [new] = new;
        self.directory.replace(position, new);
    }

    pub(super) fn split(&mut self, position: u32) {
        let segment = self.directory.at(position);
        let depth = segment.depth() + 1;
        let half_of = |position: u32| (position >> (32 - depth) & 1) as usize;
        let mut moved = positions(segment, |lowest, highest| {
            segment_start(lowest, depth) == segment_start(highest, depth)
        });
        let right_len = moved
            .iter()
            .map(|&position| half_of(position))
            .sum::<usize>();
        let lens = [moved.len() - right_len, right_len];
        let buckets = lens.map(|len| buckets_for(len + len / 16 + 1, depth));
        if S::KNOWN_BITS > 0 {
            // Those were good enough to tell the half, perhaps not to tell the home.
            moved = positions(segment, |lowest, highest| {
                same_home(depth, buckets[half_of(lowest)])(lowest, highest)
            });
        }
        if depth > self.directory.depth() {
            self.directory.double();
        }
        let mut old = self.directory.at_mut(position);
        let deadline_ms = old.as_ref().deadline_ms();
        let mut halves = [0, 1].map(|half| {
            if lens[half] == 0 {
                return Segment::vacant(depth);
            }
            let mut segment = Segment::with_buckets(buckets[half], depth);
            segment.as_mut().set_deadline_ms(deadline_ms);
            segment
        });
        scatter(&mut old, &moved, &mut halves, half_of);
        self.directory.split(position, halves);
        let start = segment_start(position, depth - 1);
        // The entry that there is may lead to either half.
        self.deadlines.copy(deadline_ms, start);
        self.deadlines.copy(deadline_ms, start | 1 << (32 - depth));
    }

    /// After removals: shrinks the segment around `position`, or merges it with its
    /// buddy, if it has become sparse; rebuilds it if its overflow filters have become
    /// stale.
    #[inline]
    pub(super) fn give_back(&mut self, position: u32) {
        let segment = self.directory.at(position);
        let buckets = segment.bucket_count();
        if segment.len() < sparse_below(buckets) {
            if buckets > 1 || segment.depth() > 0 {
                self.shrink(position);
            }
        } else if segment.stale() > buckets {
            // One stale bit in eight, at most. About one element in six stands off its
            // home, so this is an element moved per element removed, or less.
            self.rebuild(position);
        }
    }

    #[cold]
    #[inline(never)]
    fn rebuild(&mut self, position: u32) {
        self.resize(position, self.directory.at(position).bucket_count());
    }

    #[cold]
    #[inline(never)]
    fn shrink(&mut self, position: u32) {
        let mut most = full_at(SPLIT_BUCKETS) * 8 / 9;
        while self.merge(position, most) {
            // Go on upwards only while next to nothing is left.
            most = full_at(SPLIT_BUCKETS) / 2;
        }
        let segment = self.directory.at(position);
        let len = segment.len();
        let buckets = buckets_for(len + len / 4, segment.depth());
        if len < sparse_below(segment.bucket_count()) && buckets < segment.bucket_count() {
            self.resize(position, buckets);
        }
    }

    /// Merges the segment around `position` with its buddy if together they have at
    /// most `most` elements.
    fn merge(&mut self, position: u32, most: usize) -> bool {
        let segment = self.directory.at(position);
        let depth = segment.depth();
        if depth == 0 {
            return false;
        }
        let buddy_position = position ^ 1 << (32 - depth);
        let buddy = self.directory.at(buddy_position);
        let len = segment.len() + buddy.len();
        if buddy.depth() != depth || len > most {
            return false;
        }
        let deadline_ms = segment.deadline_ms().min(buddy.deadline_ms());
        let both = [position, buddy_position];
        let buckets = buckets_for(len + len / 8, depth - 1);
        let same_home = same_home(depth - 1, buckets);
        let moved = both.map(|position| positions(self.directory.at(position), &same_home));
        let mut merged = [if len == 0 {
            Segment::vacant(depth - 1)
        } else {
            Segment::with_buckets(buckets, depth - 1)
        }];
        for (position, positions) in both.into_iter().zip(moved) {
            if !self.directory.at(position).is_vacant() {
                let mut old = self.directory.at_mut(position);
                scatter(&mut old, &positions, &mut merged, |_| 0);
            }
        }
        let [mut merged] = merged;
        if len > 0 {
            merged.as_mut().set_deadline_ms(deadline_ms);
        }
        self.directory.merge(position, merged);
        true
    }
}
