//! A blob or an integer, in 8 bytes.
//!
//! ```text
//!   63                                   1 0
//!   +-------------------------------------+-+
//!   | integer, 63 bits, signed            |1|
//!   | mark, 16 bits | address, a multiple |0|
//!   +-------------------------------------+-+
//! ```
//!
//! Invariant: where bit 0 is not set, the word is a [`Blob`] that is owned.

use std::fmt;
use std::ptr::NonNull;

use super::Blob;

const INTEGER: usize = 1;

/// A [`Blob`], or an integer of 63 bits without an allocation.
#[repr(transparent)]
pub struct IntOrBlob(NonNull<u8>);

/// What an [`IntOrBlob`] is.
#[derive(Debug)]
pub enum Content<'a> {
    Int(i64),
    Blob(&'a Blob),
}

// SAFETY: an integer is plain data, and a blob is `Send`.
unsafe impl Send for IntOrBlob {}
// SAFETY: an integer is plain data, and a blob is `Sync`.
unsafe impl Sync for IntOrBlob {}

impl IntOrBlob {
    /// The integer, where it fits in 63 bits.
    #[inline]
    pub fn from_int(value: i64) -> Option<Self> {
        let word = (value << 1) as usize | INTEGER;
        if value << 1 >> 1 != value {
            return None;
        }
        NonNull::new(std::ptr::without_provenance_mut(word)).map(Self)
    }

    #[inline]
    pub fn from_blob(blob: Blob) -> Self {
        // SAFETY: both are one pointer, and a blob's address is even, as it is aligned to
        // 8; ownership moves.
        unsafe { std::mem::transmute::<Blob, Self>(blob) }
    }

    #[inline]
    fn is_int(&self) -> bool {
        self.0.addr().get() & INTEGER != 0
    }

    /// What it is.
    #[inline]
    pub fn get(&self) -> Content<'_> {
        if self.is_int() {
            Content::Int(self.0.addr().get() as i64 >> 1)
        } else {
            // SAFETY: not an integer, so the word is a blob (the invariant), and both
            // types are transparent over the same pointer.
            Content::Blob(unsafe { &*std::ptr::from_ref(self).cast::<Blob>() })
        }
    }
}

impl Clone for IntOrBlob {
    #[inline]
    fn clone(&self) -> Self {
        match self.get() {
            Content::Int(_) => Self(self.0),
            Content::Blob(blob) => Self::from_blob(blob.clone()),
        }
    }
}

impl Drop for IntOrBlob {
    #[inline]
    fn drop(&mut self) {
        if !self.is_int() {
            // SAFETY: not an integer, so the word is a blob that is owned (the
            // invariant); `self` is not used again.
            unsafe { std::ptr::drop_in_place(std::ptr::from_mut(self).cast::<Blob>()) }
        }
    }
}

impl fmt::Debug for IntOrBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
