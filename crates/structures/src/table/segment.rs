//! A segment: a header line and its buckets in one allocation, counted by references.
//!
//! ```text
//! handle   63 ........ 48 47 ................ 6 5      4 ... 0
//!          bucket count   address of the header vacant depth
//!
//! memory   +--------+----------+----------+--- - - ---+
//!          | header | bucket 0 | bucket 1 |           |   64 bytes each
//!          +--------+----------+----------+--- - - ---+
//! ```
//!
//! The handle carries what a lookup needs to find the home bucket, so that it need not
//! touch the header's line. A bucket count of 0 in the handle means that it does not
//! fit into 16 bits and stands in the header (only reached by deliberately colliding
//! hashes). Vacant segments have no memory of their own: their handles lead to one
//! static, read-only segment with a single empty bucket, so that lookups in them need
//! no special case.
//!
//! Invariants: a [`Segment`] is one reference to a segment. Memory reached through a
//! reference is changed only by whoever holds the only one. A [`SegmentRef`] or
//! [`SegmentMut`] borrows from a `Segment` (or from a directory, which owns its
//! segments by handle).
//!
//! All memory handling of the table is here: allocation, reference counts, and the
//! borrowing of header and buckets through a handle.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use super::bucket::Bucket;
use super::geometry::{LINE_BYTES, full_at, home_bucket};
use super::prefetch::prefetch_line;

const DEPTH_MASK: usize = 0x1f;
const VACANT_FLAG: usize = 0x20;
const COUNT_SHIFT: u32 = 48;
const ADDRESS_MASK: usize = (1 << COUNT_SHIFT) - LINE_BYTES;

const _: () = assert!(usize::BITS == 64, "handles pack a 48-bit address");

#[repr(C, align(64))]
struct Header {
    references: AtomicU32,
    buckets: u32,
    len: u32,
    /// How many elements were taken out that may have left bits in overflow filters.
    stale: u32,
    /// No element of the segment is due earlier; `u64::MAX` when none has a deadline.
    deadline_ms: u64,
}

#[repr(C, align(64))]
struct VacantSegment {
    header: Header,
    bucket: [u64; LINE_BYTES / 8],
}

static VACANT: VacantSegment = VacantSegment {
    header: Header {
        references: AtomicU32::new(1),
        buckets: 1,
        len: 0,
        stale: 0,
        deadline_ms: u64::MAX,
    },
    bucket: [0; LINE_BYTES / 8],
};

/// The packed word by which a segment is known. Copying it copies no reference: whoever
/// keeps handles says which of them count.
pub(super) struct Handle<S> {
    packed: *mut u8,
    slots: PhantomData<S>,
}

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Handle<S> {}

// SAFETY: a handle by itself is a word; what it leads to is reached only through
// `Segment`, `SegmentRef` and `SegmentMut`, whose own bounds decide.
unsafe impl<S> Send for Handle<S> {}
// SAFETY: as above.
unsafe impl<S> Sync for Handle<S> {}

impl<S> Handle<S> {
    #[inline]
    pub(super) fn depth(self) -> u32 {
        (self.packed.addr() & DEPTH_MASK) as u32
    }

    #[inline]
    pub(super) fn is_vacant(self) -> bool {
        self.packed.addr() & VACANT_FLAG != 0
    }

    #[inline]
    fn header(self) -> *mut Header {
        self.packed.map_addr(|packed| packed & ADDRESS_MASK).cast()
    }

    #[inline]
    fn first_bucket(self) -> *mut Bucket<S> {
        self.packed
            .map_addr(|packed| (packed & ADDRESS_MASK) + LINE_BYTES)
            .cast()
    }

    fn pack(header: *mut Header, buckets: usize, depth: u32, vacant: bool) -> Self {
        let address = header.addr();
        assert!(
            address & !ADDRESS_MASK == 0 && depth as usize <= DEPTH_MASK,
            "a segment's address has 48 bits and is aligned to a line"
        );
        let count = if buckets >> 16 == 0 { buckets } else { 0 };
        let flag = if vacant { VACANT_FLAG } else { 0 };
        let packed = header
            .cast::<u8>()
            .map_addr(|address| address | count << COUNT_SHIFT | flag | depth as usize);
        Self {
            packed,
            slots: PhantomData,
        }
    }
}

/// One reference to a segment.
pub(super) struct Segment<S> {
    handle: Handle<S>,
}

// SAFETY: like `Arc`: another holder may read the slots from another thread, and
// whoever drops the last reference drops them.
unsafe impl<S: Send + Sync> Send for Segment<S> {}
// SAFETY: as above.
unsafe impl<S: Send + Sync> Sync for Segment<S> {}

impl<S> Segment<S> {
    /// A segment without memory and without room.
    pub(super) fn vacant(depth: u32) -> Self {
        let header = (&raw const VACANT).cast_mut().cast::<Header>();
        Self {
            handle: Handle::pack(header, 1, depth, true),
        }
    }

    /// An empty segment, referred to only by the result.
    pub(super) fn with_buckets(buckets: usize, depth: u32) -> Self {
        let (Ok(count), true) = (u32::try_from(buckets), buckets > 0) else {
            panic!("a segment has 1 to 2^32 buckets");
        };
        let layout = Self::layout(buckets);
        // SAFETY: the layout's size is not 0.
        let memory = unsafe { alloc(layout) };
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        let header = memory.cast::<Header>();
        // SAFETY: the memory is fresh, large enough for the header and `buckets`
        // buckets, and aligned for both; every part is written before it is read.
        unsafe {
            header.write(Header {
                references: AtomicU32::new(1),
                buckets: count,
                len: 0,
                stale: 0,
                deadline_ms: u64::MAX,
            });
            let first = memory.add(LINE_BYTES).cast::<Bucket<S>>();
            for index in 0..buckets {
                first.add(index).write(Bucket::new());
            }
        }
        Self {
            handle: Handle::pack(header, buckets, depth, false),
        }
    }

    fn layout(buckets: usize) -> Layout {
        match Layout::from_size_align((buckets + 1) * LINE_BYTES, LINE_BYTES) {
            Ok(layout) => layout,
            Err(_) => panic!("a segment's size overflows"),
        }
    }

    /// Gives the reference away as a handle; [`from_handle`](Self::from_handle) takes
    /// it back.
    pub(super) fn into_handle(self) -> Handle<S> {
        ManuallyDrop::new(self).handle
    }

    /// # Safety
    /// `handle` came from [`into_handle`](Self::into_handle), and the reference it
    /// stands for has not been taken back since.
    pub(super) unsafe fn from_handle(handle: Handle<S>) -> Self {
        Self { handle }
    }

    pub(super) fn as_ref(&self) -> SegmentRef<'_, S> {
        SegmentRef {
            handle: self.handle,
            borrow: PhantomData,
        }
    }

    /// # Panics
    /// When others hold references, or the segment is vacant.
    pub(super) fn as_mut(&mut self) -> SegmentMut<'_, S> {
        assert!(
            !self.handle.is_vacant() && !self.as_ref().is_shared(),
            "only the sole holder of a segment changes it"
        );
        SegmentMut {
            handle: self.handle,
            borrow: PhantomData,
        }
    }
}

impl<S> Clone for Segment<S> {
    /// Another reference to the same segment.
    fn clone(&self) -> Self {
        self.as_ref().share()
    }
}

impl<S> Drop for Segment<S> {
    fn drop(&mut self) {
        if self.handle.is_vacant() {
            return;
        }
        let header = self.handle.header();
        // SAFETY: this reference keeps the segment alive.
        let references = unsafe { &(*header).references };
        // A sole holder needs no read-modify-write: nobody can add a reference but
        // through one. The acquire orders the drop of the slots after the other
        // holders' last reads.
        if references.load(Ordering::Acquire) != 1 {
            if references.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        let buckets = self.as_ref().bucket_count();
        // SAFETY: this was the last reference, so nobody else reaches the buckets, all
        // of which are initialised, nor the memory, which was allocated with this very
        // layout. Should a slot's drop panic, the memory leaks.
        unsafe {
            ptr::drop_in_place(ptr::slice_from_raw_parts_mut(
                self.handle.first_bucket(),
                buckets,
            ));
            dealloc(header.cast(), Self::layout(buckets));
        }
    }
}

/// A segment borrowed for reading.
pub(super) struct SegmentRef<'a, S> {
    handle: Handle<S>,
    borrow: PhantomData<&'a S>,
}

impl<S> Clone for SegmentRef<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for SegmentRef<'_, S> {}

impl<'a, S> SegmentRef<'a, S> {
    /// # Safety
    /// For `'a` the reference that `handle` stands for is kept, and the segment is not
    /// changed.
    #[inline]
    pub(super) unsafe fn borrowed(handle: Handle<S>) -> Self {
        Self {
            handle,
            borrow: PhantomData,
        }
    }

    #[inline]
    fn header(self) -> &'a Header {
        // SAFETY: the segment is alive and unchanged for `'a`.
        unsafe { &*self.handle.header() }
    }

    #[inline]
    pub(super) fn depth(self) -> u32 {
        self.handle.depth()
    }

    #[inline]
    pub(super) fn is_vacant(self) -> bool {
        self.handle.is_vacant()
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        self.header().len as usize
    }

    #[inline]
    pub(super) fn has_room(self) -> bool {
        !self.is_vacant() && self.len() < full_at(self.bucket_count())
    }

    /// How many elements were taken out that may have left bits in overflow filters.
    #[inline]
    pub(super) fn stale(self) -> usize {
        self.header().stale as usize
    }

    pub(super) fn deadline_ms(self) -> u64 {
        self.header().deadline_ms
    }

    /// Whether others hold references to this segment.
    #[inline]
    pub(super) fn is_shared(self) -> bool {
        // Acquire: what the sole holder does next comes after the reads of those who
        // have let go.
        self.header().references.load(Ordering::Acquire) != 1
    }

    #[inline]
    pub(super) fn bucket_count(self) -> usize {
        match self.handle.packed.addr() >> COUNT_SHIFT {
            0 => self.header().buckets as usize,
            count => count,
        }
    }

    /// Bytes of the segment's allocation.
    pub(super) fn memory_bytes(self) -> usize {
        if self.is_vacant() {
            0
        } else {
            (self.bucket_count() + 1) * LINE_BYTES
        }
    }

    #[inline]
    pub(super) fn buckets(self) -> &'a [Bucket<S>] {
        // SAFETY: `bucket_count` buckets follow the header, initialised and unchanged
        // for `'a`. (The static segment's zeroes are an empty bucket.)
        unsafe { std::slice::from_raw_parts(self.handle.first_bucket(), self.bucket_count()) }
    }

    #[inline]
    pub(super) fn home(self, position: u32) -> usize {
        home_bucket(position, self.depth(), self.bucket_count())
    }

    /// Begins to load the line of the home bucket; touches no memory of the segment.
    #[inline]
    pub(super) fn prefetch_home(self, position: u32) {
        prefetch_line(self.handle.first_bucket().wrapping_add(self.home(position)));
    }

    /// Begins to load the header's line, which every change touches.
    #[inline]
    pub(super) fn prefetch_header(self) {
        prefetch_line(self.handle.header());
    }

    /// Another reference to this segment.
    pub(super) fn share(self) -> Segment<S> {
        if !self.is_vacant() {
            // Relaxed suffices, as for `Arc`: the new reference is made from a live one.
            let before = self.header().references.fetch_add(1, Ordering::Relaxed);
            // Freezing the same table billions of times without dropping what comes
            // out: memory would be gone first. Never wrap around into a free.
            assert!(before < u32::MAX / 2, "too many references to a segment");
        }
        Segment {
            handle: self.handle,
        }
    }

    /// The same elements, cloned, at the same places of a segment of the result's own.
    pub(super) fn private_copy(self) -> Segment<S>
    where
        S: Clone,
    {
        if self.is_vacant() {
            return Segment::vacant(self.depth());
        }
        // Should a clone panic, the copy is dropped with the clones made so far.
        let mut copy = Segment::with_buckets(self.bucket_count(), self.depth());
        let mut target = copy.as_mut();
        for (from, to) in self.buckets().iter().zip(target.buckets_mut()) {
            from.clone_into(to);
        }
        target.set_len(self.len());
        target.header_mut().stale = self.header().stale;
        target.set_deadline_ms(self.deadline_ms());
        copy
    }
}

/// A segment borrowed by its sole holder, for changing it. Never vacant.
pub(super) struct SegmentMut<'a, S> {
    handle: Handle<S>,
    borrow: PhantomData<&'a mut S>,
}

impl<'a, S> SegmentMut<'a, S> {
    /// # Safety
    /// For `'a` the reference that `handle` stands for is kept and the only one, and
    /// the segment is reached through the result alone.
    ///
    /// # Panics
    /// When the segment is vacant: nobody may write to the static one.
    #[inline]
    pub(super) unsafe fn borrowed(handle: Handle<S>) -> Self {
        assert!(!handle.is_vacant(), "a vacant segment cannot be changed");
        Self {
            handle,
            borrow: PhantomData,
        }
    }

    #[inline]
    pub(super) fn as_ref(&self) -> SegmentRef<'_, S> {
        SegmentRef {
            handle: self.handle,
            borrow: PhantomData,
        }
    }

    #[inline]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: the segment is alive and reached through `self` alone.
        unsafe { &mut *self.handle.header() }
    }

    #[inline]
    pub(super) fn buckets_mut(&mut self) -> &mut [Bucket<S>] {
        let count = self.as_ref().bucket_count();
        // SAFETY: `count` initialised buckets follow the header, and the segment is
        // reached through `self` alone.
        unsafe { std::slice::from_raw_parts_mut(self.handle.first_bucket(), count) }
    }

    /// As [`buckets_mut`](Self::buckets_mut), for the whole of the borrow.
    #[inline]
    pub(super) fn into_buckets(self) -> &'a mut [Bucket<S>] {
        let count = self.as_ref().bucket_count();
        // SAFETY: as above, for `'a`; `self` is consumed.
        unsafe { std::slice::from_raw_parts_mut(self.handle.first_bucket(), count) }
    }

    #[inline]
    pub(super) fn set_len(&mut self, len: usize) {
        // No truncation: slots are 8 bytes, so 2^32 of them would be one segment of
        // 32 GB, which is refused before (`Segment::with_buckets`).
        self.header_mut().len = len as u32;
    }

    #[inline]
    pub(super) fn count_stale(&mut self) {
        let stale = &mut self.header_mut().stale;
        *stale = stale.saturating_add(1);
    }

    #[inline]
    pub(super) fn set_deadline_ms(&mut self, deadline_ms: u64) {
        self.header_mut().deadline_ms = deadline_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU8;

    #[test]
    fn handles_carry_depth_and_bucket_count() {
        for (buckets, depth) in [(1, 0), (63, 12), (65_535, 28), (65_536, 1), (70_000, 3)] {
            let segment = Segment::<u64>::with_buckets(buckets, depth);
            assert_eq!(segment.as_ref().bucket_count(), buckets);
            assert_eq!(segment.as_ref().buckets().len(), buckets);
            assert_eq!(segment.as_ref().depth(), depth);
            assert!(segment.as_ref().has_room());
        }
        let vacant = Segment::<u64>::vacant(7);
        assert_eq!(vacant.as_ref().depth(), 7);
        assert!(!vacant.as_ref().has_room());
        assert_eq!(vacant.as_ref().buckets()[0].occupied().count(), 0);
    }

    #[test]
    fn the_last_reference_drops_the_slots_once() {
        let element = std::sync::Arc::new(1_u64);
        let mut segment = Segment::with_buckets(2, 0);
        let mut target = segment.as_mut();
        target.buckets_mut()[1].put(3, NonZeroU8::MIN, element.clone());
        target.set_len(1);
        let other = segment.clone();
        assert!(segment.as_ref().is_shared());
        let copy = other.as_ref().private_copy();
        assert_eq!(std::sync::Arc::strong_count(&element), 3);
        drop(segment);
        assert!(!other.as_ref().is_shared());
        assert!(other.as_ref().buckets()[1].get(3).is_some());
        std::thread::spawn(move || drop(other)).join().unwrap();
        assert_eq!(std::sync::Arc::strong_count(&element), 2);
        drop(copy);
        assert_eq!(std::sync::Arc::strong_count(&element), 1);
    }
}
