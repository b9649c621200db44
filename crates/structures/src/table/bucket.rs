//! A bucket: one cache line with seven slots.
//!
//! ```text
//!  0        7 8       16       24       32       40       48       56       64
//! +--------+-+--------+--------+--------+--------+--------+--------+--------+
//! | 7 tags |o| slot 0 | slot 1 | slot 2 | slot 3 | slot 4 | slot 5 | slot 6 |
//! +--------+-+--------+--------+--------+--------+--------+--------+--------+
//! ```
//!
//! Invariant: slot `i` is initialised if and only if tag `i` is not 0; the bucket owns
//! its initialised slots. `o`, the overflow filter, has a bit for each value of a tag's
//! low three bits: set when an element with such a tag was pushed past this bucket
//! although its home is here or earlier. So a search for something absent goes on to the
//! next bucket for one such element in eight. Bits are never cleared one by one: the
//! segment is rebuilt when too many may be stale.
//!
//! The `unsafe` here is reading slots whose tag says that they are initialised.

use std::mem::{MaybeUninit, needs_drop};
use std::num::NonZeroU8;

use super::geometry::{LINE_BYTES, SLOTS};
use super::group::{self, Matches};

/// Where the overflow filter stands in the control word.
const OVERFLOW_SHIFT: usize = 8 * SLOTS;

#[inline]
fn overflow_bit(tag: NonZeroU8) -> u64 {
    1 << (OVERFLOW_SHIFT + (tag.get() & 7) as usize)
}

#[repr(C, align(64))]
pub(super) struct Bucket<S> {
    /// The tags from the lowest byte up, the overflow filter in the highest. Always read
    /// and written whole: a byte written alone would delay the next look at all eight.
    control: u64,
    slots: [MaybeUninit<S>; SLOTS],
}

impl<S> Bucket<S> {
    /// Evaluated by whoever makes a table: slots are 8 bytes, a bucket a cache line.
    pub(super) const LAYOUT_CHECK: () = {
        assert!(size_of::<S>() == 8, "a table's slot must be 8 bytes");
        assert!(size_of::<Self>() == LINE_BYTES && align_of::<Self>() == LINE_BYTES);
    };

    pub(super) const fn new() -> Self {
        Self {
            control: 0,
            slots: [const { MaybeUninit::uninit() }; SLOTS],
        }
    }

    /// The slots that hold an element with this tag.
    #[inline]
    fn matching(&self, tag: NonZeroU8) -> Matches {
        group::matching(self.control, tag.get())
    }

    /// The first slot with this tag for whose element `equal` holds.
    #[inline]
    pub(super) fn find(
        &self,
        tag: NonZeroU8,
        equal: &mut impl FnMut(&S) -> bool,
    ) -> Option<(usize, &S)> {
        for slot in self.matching(tag) {
            // SAFETY: `matching` answers with slots below `SLOTS`, whose tag equals one
            // that is not 0; so the slot exists and is initialised (the invariant).
            let element = unsafe { self.slots.get_unchecked(slot).assume_init_ref() };
            if equal(element) {
                return Some((slot, element));
            }
        }
        None
    }

    #[inline]
    pub(super) fn occupied(&self) -> Matches {
        group::occupied(self.control)
    }

    #[inline]
    pub(super) fn elements(&self) -> impl Iterator<Item = &S> {
        self.occupied().filter_map(|slot| self.get(slot))
    }

    #[inline]
    pub(super) fn first_free(&self) -> Option<usize> {
        group::matching(self.control, 0).next()
    }

    /// Whether an element with this tag may have been pushed past this bucket.
    #[inline]
    pub(super) fn overflows(&self, tag: NonZeroU8) -> bool {
        self.control & overflow_bit(tag) != 0
    }

    /// Whether any element may have been pushed past this bucket.
    #[inline]
    pub(super) fn overflows_any(&self) -> bool {
        self.control >> OVERFLOW_SHIFT != 0
    }

    /// Notes that an element with this tag is pushed past this bucket.
    #[inline]
    pub(super) fn mark_overflow(&mut self, tag: NonZeroU8) {
        self.control |= overflow_bit(tag);
    }

    #[inline]
    pub(super) fn tag(&self, slot: usize) -> Option<NonZeroU8> {
        if slot < SLOTS {
            NonZeroU8::new((self.control >> (8 * slot)) as u8)
        } else {
            None
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: usize) -> Option<&S> {
        self.tag(slot)?;
        // SAFETY: the tag is not 0, so the slot is initialised (the invariant).
        Some(unsafe { self.slots[slot].assume_init_ref() })
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut S> {
        self.tag(slot)?;
        // SAFETY: the tag is not 0, so the slot is initialised (the invariant).
        Some(unsafe { self.slots[slot].assume_init_mut() })
    }

    /// Fills the free slot `slot`.
    ///
    /// # Panics
    /// When the slot is not free: its element would be forgotten.
    #[inline]
    pub(super) fn put(&mut self, slot: usize, tag: NonZeroU8, element: S) {
        assert!(
            slot < SLOTS && self.tag(slot).is_none(),
            "a slot is filled only when free"
        );
        self.slots[slot].write(element);
        self.control |= u64::from(tag.get()) << (8 * slot);
    }

    /// Empties the slot. Overflow filters stay as they are.
    #[inline]
    pub(super) fn take(&mut self, slot: usize) -> Option<(NonZeroU8, S)> {
        let tag = self.tag(slot)?;
        self.control &= !(0xff << (8 * slot));
        // SAFETY: the tag was not 0, so the slot is initialised; it is 0 now, so
        // nothing reads the slot again before the next `put`.
        Some((tag, unsafe { self.slots[slot].assume_init_read() }))
    }

    /// A bucket with clones of the elements in the same slots.
    pub(super) fn clone_into(&self, copy: &mut Self)
    where
        S: Clone,
    {
        for slot in self.occupied() {
            if let (Some(tag), Some(element)) = (self.tag(slot), self.get(slot)) {
                copy.put(slot, tag, element.clone());
            }
        }
        copy.control |= self.control & (0xff << OVERFLOW_SHIFT);
    }
}

impl<S> Drop for Bucket<S> {
    fn drop(&mut self) {
        if needs_drop::<S>() {
            for slot in self.occupied() {
                drop(self.take(slot));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_owned_and_found_by_tag() {
        let tag = |byte| NonZeroU8::new(byte).unwrap();
        let shared = std::rc::Rc::new(5_u64);
        let mut bucket = Bucket::new();
        for slot in 0..SLOTS {
            assert_eq!(bucket.first_free(), Some(slot));
            bucket.put(slot, tag(1 + slot as u8 % 2), shared.clone());
        }
        assert_eq!(bucket.first_free(), None);
        assert_eq!(bucket.matching(tag(2)).collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(bucket.take(3).unwrap().0, tag(2));
        assert!(bucket.take(3).is_none() && bucket.get(3).is_none() && bucket.get(7).is_none());
        assert_eq!(bucket.occupied().count(), 6);
        assert_eq!(std::rc::Rc::strong_count(&shared), 7);
        let mut copy = Bucket::new();
        assert!(!bucket.overflows_any());
        bucket.mark_overflow(tag(9));
        bucket.clone_into(&mut copy);
        assert_eq!(copy.occupied(), bucket.occupied());
        assert!(copy.overflows_any() && copy.overflows(tag(17)) && !copy.overflows(tag(2)));
        drop((bucket, copy));
        assert_eq!(std::rc::Rc::strong_count(&shared), 1);
    }
}
