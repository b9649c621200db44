//! Walking over the table: resumable scans, iteration, random elements, extraction,
//! and emptying it a segment at a time.

use super::Slot;
use super::bucket::Bucket;
use super::deadlines::Deadlines;
use super::directory::Directory;
use super::geometry::{SLOTS, end_of_home, segment_span, segment_start};
use super::group::Matches;
use super::ownership::Ownership;
use super::probe::{self, Place};
use super::segment::{Segment, SegmentRef};
use super::table::ExtendibleTable;

/// How many buckets without an element of their own a scan passes per element asked for.
const BUCKETS_PER_ELEMENT: usize = 10;

/// Attempts at hitting an element by chance before settling for the next one.
const RANDOM_ATTEMPTS: usize = 64;

impl<S: Slot, O: Ownership<S>> ExtendibleTable<S, O> {
    /// Emits the elements from `position` on, whole home buckets at a time, until
    /// `count` or more are out or about `10 * count` buckets are passed. Returns the
    /// position to continue from, `None` at the end.
    ///
    /// An element that is in the table from the first call (with position 0) to the
    /// last is emitted exactly once, however the table grows or shrinks between the
    /// calls: the cursor splits the elements by their hashes, not by where they stand.
    pub fn scan(&self, position: u32, count: usize, mut emit: impl FnMut(&S)) -> Option<u32> {
        let mut cursor = position;
        let mut emitted = 0;
        let mut passed = 0_usize;
        loop {
            let segment = self.directory.at(cursor);
            let end = if segment.len() == 0 {
                let start = segment_start(cursor, segment.depth());
                u64::from(start) + segment_span(segment.depth())
            } else {
                probe::visit_home(segment, segment.home(cursor), |position, element| {
                    // Those before the cursor went out before, when the bounds between
                    // buckets were others.
                    if position >= cursor {
                        emitted += 1;
                        emit(element);
                    }
                });
                end_of_home(cursor, segment.depth(), segment.bucket_count())
            };
            cursor = u32::try_from(end).ok()?;
            passed += 1;
            if emitted >= count || passed >= count.saturating_mul(BUCKETS_PER_ELEMENT) {
                return Some(cursor);
            }
        }
    }

    /// All elements, in the order of the segments' positions.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &S> {
        let segments = self.directory.segments_from(0);
        Elements::new(segments.map(|(_, segment)| segment), self.len)
    }

    /// An element by chance, each about equally likely; `None` when the table is empty.
    /// `random` gives 64 random bits a call.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<&S> {
        if self.is_empty() {
            return None;
        }
        for _ in 0..RANDOM_ATTEMPTS {
            let bits = random();
            // A position hits a segment in proportion to the hashes it covers, hence to
            // the elements it has; then each of its slots is as likely as another.
            let segment = self.directory.at((bits >> 32) as u32);
            let slots = segment.bucket_count() * SLOTS;
            let index = ((u64::from(bits as u32) * slots as u64) >> 32) as usize;
            let element = segment.buckets()[index / SLOTS].get(index % SLOTS);
            if element.is_some() {
                return element;
            }
        }
        // A nearly empty table (many were removed at once, or hashes collide): take the
        // next element after a random place.
        let start = random();
        self.buckets_from((start >> 32) as u32)
            .chain(self.buckets_from(0))
            .find_map(|bucket| {
                let full: Vec<usize> = bucket.occupied().collect();
                let pick = (start as u32 as usize).checked_rem(full.len())?;
                bucket.get(full[pick])
            })
    }

    /// Visits the elements that stand in `buckets` neighbouring buckets (7 slots each)
    /// from a random one on, going round at the table's end: a sample that costs few
    /// cache misses.
    pub fn visit_random_run(
        &self,
        random: &mut impl FnMut() -> u64,
        buckets: usize,
        mut visit: impl FnMut(&S),
    ) {
        let start = (random() >> 32) as u32;
        let mut after = self.buckets_from(start).peekable();
        let first = after.peek().copied();
        let before = self
            .buckets_from(0)
            .take_while(|&bucket| first.is_none_or(|first| !std::ptr::eq(bucket, first)));
        for bucket in after.chain(before).take(buckets) {
            bucket.elements().for_each(&mut visit);
        }
    }

    /// The buckets from the home bucket of `position` on, to the end of the table;
    /// none of vacant segments.
    fn buckets_from(&self, position: u32) -> impl Iterator<Item = &Bucket<S>> {
        let mut skip = self.directory.at(position).home(position);
        self.directory
            .segments_from(position)
            .map(move |(_, segment)| (segment, std::mem::take(&mut skip)))
            .filter(|(segment, _)| !segment.is_vacant())
            .flat_map(|(segment, skip)| &segment.buckets()[skip..])
    }

    /// Takes out every element for which `chosen` holds and hands it to `taken`. Whole
    /// table; shrinks it afterwards.
    pub fn extract_if(&mut self, mut chosen: impl FnMut(&S) -> bool, mut taken: impl FnMut(S)) {
        let mut cursor = Some(0);
        while let Some(position) = cursor {
            cursor = self.segment_after(position);
            self.extract_from_segment(position, &mut chosen, &mut taken);
        }
        let mut cursor = Some(0);
        while let Some(position) = cursor {
            self.give_back(position);
            cursor = self.segment_after(position);
        }
    }

    /// Where the segment after the one around `position` starts.
    fn segment_after(&self, position: u32) -> Option<u32> {
        let depth = self.directory.at(position).depth();
        let start = u64::from(segment_start(position, depth));
        u32::try_from(start + segment_span(depth)).ok()
    }

    fn extract_from_segment(
        &mut self,
        position: u32,
        chosen: &mut impl FnMut(&S) -> bool,
        taken: &mut impl FnMut(S),
    ) {
        for bucket in 0..self.directory.at(position).bucket_count() {
            for slot in self.directory.at(position).buckets()[bucket].occupied() {
                let Some(element) = self.directory.at(position).buckets()[bucket].get(slot) else {
                    continue;
                };
                if chosen(element) {
                    let home = element.position();
                    let mut segment = self.directory.at_mut(position);
                    let place = Place { bucket, slot };
                    if let Some(element) = probe::remove(&mut segment, home, place) {
                        self.len -= 1;
                        taken(element);
                    }
                }
            }
        }
    }

    /// Takes out the elements of one segment that has any; `None` when the table is
    /// empty. For dropping a large table in slices. Elements of a segment that a frozen
    /// table holds too are clones.
    pub fn drain_segment(&mut self) -> Option<Vec<S>> {
        let position = self.next_filled()?;
        let mut segment = self.directory.at_mut(position);
        let mut elements = Vec::with_capacity(segment.as_ref().len());
        for bucket in segment.buckets_mut() {
            for slot in bucket.occupied() {
                elements.extend(bucket.take(slot).map(|(_, element)| element));
            }
        }
        segment.set_len(0);
        self.len -= elements.len();
        self.vacate(position);
        Some(elements)
    }

    /// Drops the elements of one segment that has any (or, of one that a frozen table
    /// holds too, leaves them to that); false when the table is empty.
    pub fn release_segment(&mut self) -> bool {
        let Some(position) = self.next_filled() else {
            return false;
        };
        self.len -= self.directory.at(position).len();
        self.vacate(position);
        true
    }

    fn next_filled(&mut self) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        let filled =
            |(start, segment): (u32, SegmentRef<'_, S>)| (segment.len() > 0).then_some(start);
        let mut after = self
            .directory
            .segments_from(self.released)
            .filter_map(filled);
        let start = match after.next() {
            Some(start) => start,
            None => self.directory.segments_from(0).find_map(filled)?,
        };
        self.released = start;
        Some(start)
    }

    /// Drops the segment around `position`, leaving a vacant one, or an empty directory
    /// after the last element.
    fn vacate(&mut self, position: u32) {
        if self.is_empty() {
            self.deadlines = Deadlines::new();
            self.directory = Directory::new();
        } else {
            let depth = self.directory.at(position).depth();
            drop(self.directory.replace(position, Segment::vacant(depth)));
        }
    }
}

/// Iterates over the elements of segments, of which there are `left` more.
pub(super) struct Elements<'a, S, I> {
    segments: I,
    buckets: std::slice::Iter<'a, Bucket<S>>,
    current: Option<(&'a Bucket<S>, Matches)>,
    left: usize,
}

impl<S, I> Elements<'_, S, I> {
    pub(super) fn new(segments: I, len: usize) -> Self {
        Self {
            segments,
            buckets: [].iter(),
            current: None,
            left: len,
        }
    }
}

impl<'a, S, I: Iterator<Item = SegmentRef<'a, S>>> Iterator for Elements<'a, S, I> {
    type Item = &'a S;

    fn next(&mut self) -> Option<&'a S> {
        loop {
            if let Some((bucket, slots)) = &mut self.current
                && let Some(slot) = slots.next()
            {
                self.left -= 1;
                return bucket.get(slot);
            }
            if let Some(bucket) = self.buckets.next() {
                self.current = Some((bucket, bucket.occupied()));
            } else {
                self.current = None;
                self.buckets = self.segments.next()?.buckets().iter();
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, S, I: Iterator<Item = SegmentRef<'a, S>>> ExactSizeIterator for Elements<'a, S, I> {}

impl<S, O> Directory<S, O> {
    /// Whether the segments' own lengths add up to `len`: for tests.
    #[cfg(test)]
    pub(super) fn count_elements(&self) -> usize {
        self.segments_from(0)
            .map(|(_, segment)| {
                let found: usize = segment.buckets().iter().map(|b| b.occupied().count()).sum();
                assert_eq!(found, segment.len());
                found
            })
            .sum()
    }
}
