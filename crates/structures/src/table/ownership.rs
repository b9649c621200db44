//! The two flavours of table: one owner, or segments shared with frozen tables.
//!
//! The only difference is what happens before a segment is changed: nothing for a
//! unique table; a shared one looks at the segment's reference count, and works on a
//! copy of its own when a frozen table still reads the segment.

use super::Slot;
use super::segment::{Segment, SegmentRef};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Unique {}
    impl Sealed for super::Shared {}
}

/// How a table owns its segments: [`Unique`] or [`Shared`].
#[allow(private_interfaces)]
pub trait Ownership<S>: sealed::Sealed {
    /// The copy to change instead of `segment`, when others still read that.
    #[doc(hidden)]
    fn copy_if_shared(segment: SegmentRef<'_, S>) -> Option<Segment<S>>;
}

/// The table's segments are its own alone; it cannot be frozen, and pays no atomics.
#[derive(Clone, Copy, Debug)]
pub struct Unique;

/// Frozen tables may hold the table's segments too.
#[derive(Clone, Copy, Debug)]
pub struct Shared;

#[allow(private_interfaces)]
impl<S: Slot> Ownership<S> for Unique {
    #[inline]
    fn copy_if_shared(_: SegmentRef<'_, S>) -> Option<Segment<S>> {
        None
    }
}

#[allow(private_interfaces)]
impl<S: Slot + Clone> Ownership<S> for Shared {
    #[inline]
    fn copy_if_shared(segment: SegmentRef<'_, S>) -> Option<Segment<S>> {
        segment.is_shared().then(|| segment.private_copy())
    }
}
