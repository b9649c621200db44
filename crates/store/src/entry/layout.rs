//! Where the parts of an entry lie in its allocation (drawn in the parent module), and
//! how long that is: plain arithmetic, no memory.
//!
//! Invariant: the layout follows from the three sizes of a [`Shape`] alone, so the
//! header tells how an entry was allocated.

use std::alloc::Layout;

use crate::object::Object;

/// There is a deadline before the key.
pub(super) const EXPIRES: u8 = 1;
/// The lengths are behind the header, as they do not fit in it.
pub(super) const LONG: u8 = 2;
/// The entry's side of the snapshot bit.
pub(super) const SNAPSHOT: u8 = 4;
/// A short string that has been changed in place: Redis reports it as `raw`.
pub(super) const RAW: u8 = 8;

pub(super) const HEADER_BYTES: usize = 8;
pub(super) const POINTER_BYTES: usize = size_of::<*mut Object>();

/// The sizes of an entry's parts, from which its layout follows.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub key: usize,
    pub payload: usize,
    pub expires: bool,
}

impl Shape {
    pub fn is_long(self) -> bool {
        self.key > usize::from(u8::MAX) || self.payload > usize::from(u16::MAX)
    }

    pub fn flags(self) -> u8 {
        (if self.expires { EXPIRES } else { 0 }) | (if self.is_long() { LONG } else { 0 })
    }

    pub fn key_offset(self) -> usize {
        key_offset(self.flags())
    }

    pub fn layout(self) -> Layout {
        let bytes = size_class(self.key_offset() + self.key + self.payload);
        Layout::from_size_align(bytes, 8).expect("lengths below 2^32 make a valid layout")
    }
}

/// Where the key starts in an entry with these flags.
#[inline]
pub(super) fn key_offset(flags: u8) -> usize {
    HEADER_BYTES + if flags & LONG != 0 { 8 } else { 0 } + if flags & EXPIRES != 0 { 8 } else { 0 }
}

/// Rounds up to jemalloc's size classes: multiples of 16 up to 128, then four classes
/// to each doubling. With another allocator it merely rounds.
pub fn size_class(bytes: usize) -> usize {
    if bytes <= 128 {
        return bytes.next_multiple_of(16).max(16);
    }
    let step = 1 << ((bytes - 1).ilog2() - 2);
    bytes.next_multiple_of(step)
}
