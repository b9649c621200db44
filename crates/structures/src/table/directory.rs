//! The directory: which segment covers which positions.
//!
//! ```text
//! depth 2    00        01        10        11
//!          +---------+---------+---------+---------+
//!          | A       | A       | B       | C       |    A has depth 1, B and C 2
//!          +---------+---------+---------+---------+
//! ```
//!
//! With a single segment (depth 0) there is no array: its handle stands in the
//! directory itself, so that a small table is one allocation.
//!
//! Invariant: a segment of depth `d` stands in every one of the 2^(depth - d) entries
//! that share its first `d` bits; together they are one reference to it, which the
//! directory owns. When the ownership is `Unique`, it is the only one; the directory
//! is what makes that so, since only a `Shared` one hands out references.

use std::marker::PhantomData;
use std::slice;

use super::Slot;
use super::geometry::{MAX_DEPTH, segment_span, segment_start};
use super::ownership::{Ownership, Shared, Unique};
use super::prefetch::prefetch_line;
use super::segment::{Handle, Segment, SegmentMut, SegmentRef};

pub(super) struct Directory<S, O> {
    /// The only segment while `depth` is 0, else unused.
    root: Handle<S>,
    /// 2^depth handles, or none while `depth` is 0.
    handles: Vec<Handle<S>>,
    depth: u32,
    /// Segments, vacant ones included.
    segments: u32,
    /// Segments as deep as the directory.
    deepest: u32,
    segment_bytes: usize,
    owns: PhantomData<(Segment<S>, O)>,
}

// SAFETY: the directory of a unique table owns its slots as a vector would.
unsafe impl<S: Send> Send for Directory<S, Unique> {}
// SAFETY: that of a shared table is like a collection of `Arc`s.
unsafe impl<S: Send + Sync> Send for Directory<S, Shared> {}
// SAFETY: `&self` lets slots be read, and further references be made, which may move
// to another thread only where slots are `Send` and `Sync`.
unsafe impl<S: Send + Sync, O> Sync for Directory<S, O> {}

impl<S, O> Directory<S, O> {
    pub(super) fn new() -> Self {
        Self {
            root: Segment::vacant(0).into_handle(),
            handles: Vec::new(),
            depth: 0,
            segments: 1,
            deepest: 1,
            segment_bytes: 0,
            owns: PhantomData,
        }
    }

    #[inline]
    fn handles(&self) -> &[Handle<S>] {
        if self.depth == 0 {
            slice::from_ref(&self.root)
        } else {
            &self.handles
        }
    }

    #[inline]
    fn handle(&self, position: u32) -> Handle<S> {
        if self.depth == 0 {
            self.root
        } else {
            self.handles[(position >> (32 - self.depth)) as usize]
        }
    }

    /// Begins to load the entry for `position`.
    #[inline]
    pub(super) fn prefetch(&self, position: u32) {
        if self.depth > 0 {
            let entry = (position >> (32 - self.depth)) as usize;
            prefetch_line(self.handles.as_ptr().wrapping_add(entry));
        }
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    /// Segments, those without memory included.
    pub(super) fn segments(&self) -> usize {
        self.segments as usize
    }

    /// Bytes of all segments and of the array.
    pub(super) fn memory_bytes(&self) -> usize {
        self.segment_bytes + self.handles.capacity() * size_of::<Handle<S>>()
    }

    /// The segment that covers `position`.
    #[inline]
    pub(super) fn at(&self, position: u32) -> SegmentRef<'_, S> {
        // SAFETY: the directory owns a reference to each of its segments, and changes
        // or releases them only through `&mut self`.
        unsafe { SegmentRef::borrowed(self.handle(position)) }
    }

    /// The segments in the order of their positions, from the one around `position`
    /// on, each with the first position it covers.
    pub(super) fn segments_from(
        &self,
        position: u32,
    ) -> impl Iterator<Item = (u32, SegmentRef<'_, S>)> {
        let mut next = Some(segment_start(position, self.at(position).depth()));
        std::iter::from_fn(move || {
            let start = next?;
            let segment = self.at(start);
            next = u32::try_from(u64::from(start) + segment_span(segment.depth())).ok();
            Some((start, segment))
        })
    }

    /// The entries in which the segment around `position` stands.
    fn entries(&self, position: u32, depth: u32) -> std::ops::Range<usize> {
        let width = 1_usize << (self.depth - depth);
        let index = (u64::from(position) >> (32 - self.depth)) as usize & !(width - 1);
        index..index + width
    }

    fn set(&mut self, position: u32, segment: Segment<S>) {
        let depth = segment.as_ref().depth();
        self.segments += 1;
        self.segment_bytes += segment.as_ref().memory_bytes();
        if depth == self.depth {
            self.deepest += 1;
        }
        let entries = self.entries(position, depth);
        let handle = segment.into_handle();
        if self.depth == 0 {
            self.root = handle;
        } else {
            self.handles[entries].fill(handle);
        }
    }

    /// Gives up the directory's reference to the segment around `position`, whose
    /// entries the caller fills again before anything else happens.
    fn unset(&mut self, position: u32) -> Segment<S> {
        let handle = self.handle(position);
        // SAFETY: the entries stand for a reference that the directory owns; the
        // callers, all below, overwrite every one of them at once.
        let segment = unsafe { Segment::from_handle(handle) };
        self.segments -= 1;
        self.segment_bytes -= segment.as_ref().memory_bytes();
        if handle.depth() == self.depth {
            self.deepest -= 1;
        }
        segment
    }

    /// Puts `segment` in place of the one around `position`, which is as deep.
    pub(super) fn replace(&mut self, position: u32, segment: Segment<S>) -> Segment<S> {
        assert_eq!(segment.as_ref().depth(), self.handle(position).depth());
        assert!(!segment.as_ref().is_shared());
        let old = self.unset(position);
        self.set(position, segment);
        old
    }

    /// Puts two segments, one deeper, in place of the one around `position`. The
    /// directory is deep enough (see [`double`](Self::double)).
    pub(super) fn split(&mut self, position: u32, halves: [Segment<S>; 2]) -> Segment<S> {
        let depth = self.handle(position).depth() + 1;
        assert!(depth <= self.depth);
        assert!(halves.iter().all(|half| half.as_ref().depth() == depth));
        assert!(halves.iter().all(|half| !half.as_ref().is_shared()));
        let start = segment_start(position, depth - 1);
        let old = self.unset(start);
        let [left, right] = halves;
        self.set(start, left);
        self.set(start | 1 << (32 - depth), right);
        old
    }

    /// Puts `merged` in place of the segment around `position` and its buddy, both one
    /// deeper, and halves the array while no segment needs it.
    pub(super) fn merge(&mut self, position: u32, merged: Segment<S>) -> [Segment<S>; 2] {
        assert!(!merged.as_ref().is_shared());
        let depth = merged.as_ref().depth() + 1;
        let start = segment_start(position, depth - 1);
        let buddy = start | 1 << (32 - depth);
        assert!(self.handle(start).depth() == depth && self.handle(buddy).depth() == depth);
        let old = [self.unset(start), self.unset(buddy)];
        self.set(start, merged);
        self.halve_if_possible();
        old
    }

    /// Twice the entries, so that the deepest segments can be split. O(entries).
    pub(super) fn double(&mut self) {
        assert!(self.depth < MAX_DEPTH);
        let mut handles = Vec::with_capacity(self.handles().len() * 2);
        for &handle in self.handles() {
            handles.extend([handle, handle]);
        }
        self.handles = handles;
        self.depth += 1;
        self.deepest = 0;
    }

    fn halve_if_possible(&mut self) {
        while self.depth > 0 && self.deepest == 0 {
            self.depth -= 1;
            if self.depth == 0 {
                self.root = self.handles[0];
                self.handles = Vec::new();
                self.deepest = 1;
            } else {
                self.handles = self.handles.iter().step_by(2).copied().collect();
                let depth = self.depth;
                let count = self
                    .handles
                    .iter()
                    .filter(|handle| handle.depth() == depth)
                    .count();
                // No truncation: a directory has up to 2^28 entries.
                self.deepest = count as u32;
            }
        }
    }
}

impl<S: Slot, O: Ownership<S>> Directory<S, O> {
    /// The segment that covers `position`, for changing it: a copy of the table's own
    /// when a frozen table holds it too.
    ///
    /// # Panics
    /// When the segment is vacant.
    #[inline]
    pub(super) fn at_mut(&mut self, position: u32) -> SegmentMut<'_, S> {
        if let Some(copy) = O::copy_if_shared(self.at(position)) {
            drop(self.replace(position, copy));
        }
        // SAFETY: the directory owns the reference for as long as `self` is borrowed,
        // and reaches no segment otherwise in that time. It is the only reference:
        // always where the ownership is unique, and now, by the line above, where it
        // is shared (new ones are made only through this directory, which is borrowed).
        unsafe { SegmentMut::borrowed(self.handle(position)) }
    }
}

impl<S> Directory<S, Shared> {
    /// Another reference to every segment that has memory, in the order of positions.
    pub(super) fn share_segments(&self) -> Vec<Segment<S>> {
        let mut shared = Vec::with_capacity(self.segments());
        shared.extend(
            self.segments_from(0)
                .filter(|(_, segment)| !segment.is_vacant())
                .map(|(_, segment)| segment.share()),
        );
        shared
    }
}

impl<S> Clone for Directory<S, Shared> {
    /// Another directory of the same segments.
    fn clone(&self) -> Self {
        for (_, segment) in self.segments_from(0) {
            // The reference that the copied entries stand for.
            segment.share().into_handle();
        }
        Self {
            root: self.root,
            handles: self.handles.clone(),
            depth: self.depth,
            segments: self.segments,
            deepest: self.deepest,
            segment_bytes: self.segment_bytes,
            owns: PhantomData,
        }
    }
}

impl<S, O> Drop for Directory<S, O> {
    fn drop(&mut self) {
        let mut index = 0;
        while let Some(&handle) = self.handles().get(index) {
            index += 1 << (self.depth - handle.depth());
            // SAFETY: each segment's entries stand for one reference; stepping over
            // all of them takes each back once, and nothing reads them afterwards.
            drop(unsafe { Segment::from_handle(handle) });
        }
    }
}
