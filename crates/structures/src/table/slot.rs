//! What a table asks of its elements.

/// An element of a table: 8 bytes, usually an owning pointer to the element proper.
pub trait Slot: Sized {
    /// The top 32 bits of the hash under which the slot was inserted.
    ///
    /// Must not change while the slot is in a table: if it does, elements may no longer
    /// be found, though memory stays sound.
    fn position(&self) -> u32;

    /// Begins to load what [`position`](Self::position) will read. A hint, called for
    /// a few slots ahead when many positions are about to be computed.
    fn prefetch(&self) {}
}
