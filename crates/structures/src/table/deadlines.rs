//! Deadlines: finding elements that are due without an index entry per element.
//!
//! Each segment knows the earliest deadline of its elements, or an earlier moment: a
//! removed or postponed deadline is not followed. A heap orders the segments by it.
//!
//! Invariant: for each segment with a deadline the heap has an entry with that deadline
//! and some position inside the segment. Other entries are stale; they are dropped when
//! they come up, and all at once when there are too many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Slot;
use super::geometry::position_of;
use super::ownership::Ownership;
use super::probe::{self, Place};
use super::table::ExtendibleTable;

/// Stale heap entries allowed besides one per segment and entry.
const STALE_ALLOWANCE: usize = 32;

/// What becomes of an element that [`visit_due`](ExtendibleTable::visit_due) shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It stays; its deadline in Unix milliseconds, if it has one.
    Keep(Option<u64>),
    /// It is taken out.
    Remove,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    /// (deadline in Unix milliseconds, a position in the segment), earliest first.
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Deadlines {
    pub(super) const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.heap.capacity() * size_of::<Reverse<(u64, u32)>>()
    }

    /// An entry for a segment that inherited `deadline_ms`, if that is one.
    pub(super) fn copy(&mut self, deadline_ms: u64, position: u32) {
        if deadline_ms != u64::MAX {
            self.heap.push(Reverse((deadline_ms, position)));
        }
    }
}

impl<S: Slot, O: Ownership<S>> ExtendibleTable<S, O> {
    /// Notes that the element with this hash, which is in the table, is due at
    /// `deadline_ms` (Unix milliseconds).
    pub fn note_deadline(&mut self, hash: u64, deadline_ms: u64) {
        let position = position_of(hash);
        let segment = self.directory.at(position);
        if segment.is_vacant() || deadline_ms >= segment.deadline_ms() {
            return;
        }
        self.directory.at_mut(position).set_deadline_ms(deadline_ms);
        self.deadlines.copy(deadline_ms, position);
        if self.deadlines.heap.len() > 2 * self.directory.segments() + STALE_ALLOWANCE {
            self.rebuild_deadlines();
        }
    }

    /// No element is due before this moment (Unix milliseconds); `u64::MAX` when none
    /// has a deadline. May be too early, never too late. O(1).
    #[inline]
    pub fn earliest_deadline_ms(&self) -> u64 {
        self.deadlines
            .heap
            .peek()
            .map_or(u64::MAX, |Reverse((deadline_ms, _))| *deadline_ms)
    }

    /// Shows all elements of up to `max_segments` segments whose earliest deadline has
    /// come (with deadlines or without, due or not) to `decide`, and hands those to
    /// remove to `removed`. Returns how many segments it visited: when that is
    /// `max_segments`, others may be due too. An element that is kept although it is due
    /// is shown again from the next millisecond on.
    pub fn visit_due(
        &mut self,
        now_ms: u64,
        max_segments: usize,
        mut decide: impl FnMut(&mut S) -> Due,
        mut removed: impl FnMut(S),
    ) -> usize {
        let mut visited = 0;
        while let Some(&Reverse((deadline_ms, position))) = self.deadlines.heap.peek() {
            let segment = self.directory.at(position);
            if segment.deadline_ms() == deadline_ms {
                if deadline_ms > now_ms || visited == max_segments {
                    break;
                }
                visited += 1;
                // Should the closures panic, the entry and the segment's deadline are
                // still there.
                let earliest_ms = self.visit_segment(position, &mut decide, &mut removed);
                // Or this loop would not end.
                let earliest_ms = earliest_ms.max(now_ms.saturating_add(1));
                self.directory.at_mut(position).set_deadline_ms(earliest_ms);
                self.deadlines.heap.pop();
                self.deadlines.copy(earliest_ms, position);
                self.give_back(position);
            } else {
                self.deadlines.heap.pop();
            }
        }
        visited
    }

    /// Shows all elements of the segments whose earliest deadline has come, with
    /// deadlines or without, due or not. Looks at every segment's header.
    pub fn visit_due_segments(&self, now_ms: u64, mut visit: impl FnMut(&S)) {
        for (_, segment) in self.directory.segments_from(0) {
            if segment.deadline_ms() <= now_ms {
                for bucket in segment.buckets() {
                    bucket.elements().for_each(&mut visit);
                }
            }
        }
    }

    /// Returns the earliest deadline among the elements that stay.
    fn visit_segment(
        &mut self,
        position: u32,
        decide: &mut impl FnMut(&mut S) -> Due,
        removed: &mut impl FnMut(S),
    ) -> u64 {
        let mut earliest_ms = u64::MAX;
        for bucket in 0..self.directory.at(position).bucket_count() {
            for slot in self.directory.at(position).buckets()[bucket].occupied() {
                let mut segment = self.directory.at_mut(position);
                let Some(element) = segment.buckets_mut()[bucket].get_mut(slot) else {
                    continue;
                };
                match decide(element) {
                    Due::Keep(deadline_ms) => {
                        earliest_ms = earliest_ms.min(deadline_ms.unwrap_or(u64::MAX));
                    }
                    Due::Remove => {
                        let home = element.position();
                        let place = Place { bucket, slot };
                        if let Some(element) = probe::remove(&mut segment, home, place) {
                            self.len -= 1;
                            removed(element);
                        }
                    }
                }
            }
        }
        earliest_ms
    }

    fn rebuild_deadlines(&mut self) {
        let segments = self.directory.segments_from(0);
        self.deadlines.heap = segments
            .filter(|(_, segment)| segment.deadline_ms() != u64::MAX)
            .map(|(start, segment)| Reverse((segment.deadline_ms(), start)))
            .collect();
    }
}
