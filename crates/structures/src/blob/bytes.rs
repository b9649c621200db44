//! The blob itself: an allocation with a count of owners.
//!
//! ```text
//!   offset 0            4                        ≤ 14
//!   +-------------------+------------------------+---------+--------+
//!   | count, atomic u32 | length of bytes varint | bytes … | unused |
//!   +-------------------+------------------------+---------+--------+
//! ```
//!
//! Invariant: every `Blob` stands for one of `count`; length and bytes are initialised,
//! and written only by a sole owner. The allocation's size follows from the length.

use std::alloc::{self, Layout};
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use super::varint::{read_varint_with, write_varint};
use crate::size_class::size_class;
use crate::table::prefetch_line;

const COUNT_BYTES: usize = size_of::<AtomicU32>();

/// Where the mark stands in the packed pointer.
const MARK_SHIFT: u32 = 48;
const ADDRESS_BITS: usize = (1 << MARK_SHIFT) - 1;

/// Shared ownership of immutable bytes, with a mark of 16 bits of each owner's; 8 bytes.
///
/// A sole owner may change the bytes: [`bytes_mut`](Self::bytes_mut),
/// [`replace_tail`](Self::replace_tail).
#[repr(transparent)]
pub struct Blob {
    /// The address with the mark in the upper 16 bits.
    packed: NonNull<u8>,
}

// SAFETY: the bytes change only while there is one owner, who then has `&mut`; the count
// is atomic.
unsafe impl Send for Blob {}
// SAFETY: as above.
unsafe impl Sync for Blob {}

/// The allocation for `len` bytes whose length takes `prefix` bytes.
fn layout(prefix: usize, len: usize) -> Layout {
    let bytes = len
        .checked_add(COUNT_BYTES + prefix)
        .map_or(usize::MAX, size_class);
    match Layout::from_size_align(bytes, align_of::<u64>()) {
        Ok(layout) => layout,
        Err(_) => panic!("a blob's size overflows"),
    }
}

impl Blob {
    /// The bytes of `parts`, one after the other.
    pub fn new(mark: u16, parts: &[&[u8]]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum();
        let (prefix, used) = write_varint(len);
        let layout = layout(used, len);
        // SAFETY: the layout is not empty (at least the smallest size class).
        let Some(base) = NonNull::new(unsafe { alloc::alloc(layout) }) else {
            alloc::handle_alloc_error(layout);
        };
        assert!(
            base.as_ptr().addr() <= ADDRESS_BITS,
            "addresses of this platform leave 16 bits free"
        );
        // SAFETY: the allocation has room for count, prefix and all parts (`layout`), is
        // aligned for the count, and nobody else knows it yet.
        unsafe {
            base.cast::<AtomicU32>().write(AtomicU32::new(1));
            let mut at = base.add(COUNT_BYTES);
            at.copy_from_nonoverlapping(NonNull::from(&prefix).cast(), used);
            at = at.add(used);
            for part in parts {
                at.copy_from_nonoverlapping(NonNull::from(*part).cast(), part.len());
                at = at.add(part.len());
            }
        }
        Self {
            packed: base.map_addr(|address| address | usize::from(mark) << MARK_SHIFT),
        }
    }

    #[inline]
    fn base(&self) -> *mut u8 {
        self.packed.as_ptr().map_addr(|bits| bits & ADDRESS_BITS)
    }

    /// The owner's mark.
    #[inline]
    pub fn mark(&self) -> u16 {
        (self.packed.addr().get() >> MARK_SHIFT) as u16
    }

    #[inline]
    fn count(&self) -> &AtomicU32 {
        // SAFETY: the allocation starts with the count and lives as long as `self`.
        unsafe { &*self.base().cast::<AtomicU32>() }
    }

    /// The length of the bytes, and of the prefix that says so.
    #[inline]
    fn lengths(&self) -> (usize, usize) {
        // SAFETY: the prefix is initialised, and reading it ends with its last byte.
        read_varint_with(|at| unsafe { self.base().add(COUNT_BYTES + at).read() })
    }

    /// The number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.lengths().0
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        let (len, prefix) = self.lengths();
        // SAFETY: `len` initialised bytes follow the prefix; they do not change while
        // `self` is borrowed (the invariant).
        unsafe { std::slice::from_raw_parts(self.base().add(COUNT_BYTES + prefix), len) }
    }

    /// Whether there are other owners.
    #[inline]
    pub fn is_shared(&self) -> bool {
        // Acquire: what a sole owner does next comes after the reads of those who have
        // let go.
        self.count().load(Ordering::Acquire) != 1
    }

    /// The bytes, to be changed; `None` where there are other owners.
    #[inline]
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        if self.is_shared() {
            return None;
        }
        let (len, prefix) = self.lengths();
        // SAFETY: as in `bytes`; nobody else owns them, and new owners are made through
        // `self` only, which is borrowed for changing.
        Some(unsafe { std::slice::from_raw_parts_mut(self.base().add(COUNT_BYTES + prefix), len) })
    }

    /// Puts `tail` in place of the bytes from `at` on, where that needs no other
    /// allocation: there is no other owner and the size class stays. Says whether it
    /// did.
    ///
    /// # Panics
    /// When `at` is beyond the end.
    #[inline]
    pub fn replace_tail(&mut self, at: usize, tail: &[u8]) -> bool {
        let (old_len, old_prefix) = self.lengths();
        assert!(at <= old_len, "the tail starts within the bytes");
        let len = at + tail.len();
        let (prefix, used) = write_varint(len);
        if self.is_shared() || layout(used, len) != layout(old_prefix, old_len) {
            return false;
        }
        // SAFETY: the sole owner, borrowed for changing, writes count and lengths that
        // the allocation has room for, its layout being the same. `tail` borrows from
        // elsewhere: bytes of this blob cannot be borrowed at the same time.
        unsafe {
            let start = self.base().add(COUNT_BYTES);
            if used != old_prefix {
                start.add(old_prefix).copy_to(start.add(used), at);
            }
            start.copy_from_nonoverlapping(prefix.as_ptr(), used);
            start
                .add(used + at)
                .copy_from_nonoverlapping(tail.as_ptr(), tail.len());
        }
        true
    }

    /// Bytes of the allocation, which the owners share.
    #[inline]
    pub fn allocated_bytes(&self) -> usize {
        let (len, prefix) = self.lengths();
        layout(prefix, len).size()
    }

    /// Begins to load the start of the allocation.
    #[inline]
    pub fn prefetch(&self) {
        prefetch_line(self.base());
    }
}

impl Clone for Blob {
    /// Another owner of the same bytes.
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed suffices, as for `Arc`: the new owner is made from a living one.
        let before = self.count().fetch_add(1, Ordering::Relaxed);
        // Never wrap around into a free.
        assert!(before < u32::MAX / 2, "too many owners of a blob");
        Self {
            packed: self.packed,
        }
    }
}

impl Drop for Blob {
    #[inline]
    fn drop(&mut self) {
        let count = self.count();
        // A sole owner needs no read-modify-write: others could be made from it alone.
        if count.load(Ordering::Acquire) != 1 {
            if count.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        let (len, prefix) = self.lengths();
        // SAFETY: this was the last owner, and the allocation was made with this very
        // layout, which follows from the length.
        unsafe { alloc::dealloc(self.base(), layout(prefix, len)) }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob(\"{}\")", self.bytes().escape_ascii())
    }
}
