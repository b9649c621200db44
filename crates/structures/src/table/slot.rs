//! What a table asks of its elements.

/// An element of a table: 8 bytes, usually an owning pointer to the element proper.
pub trait Slot: Sized {
    /// How many leading bits of the position the slot holds itself, so that they can be
    /// told without reading what it points to (say, in the unused high bits of a
    /// pointer). At most 32; 0 when it holds none.
    ///
    /// With 16 of them, a table of up to some ten thousand elements grows practically
    /// without touching any element: nearly always they tell the new home.
    const KNOWN_BITS: u32 = 0;

    /// The top 32 bits of the hash under which the slot was inserted.
    ///
    /// Must not change while the slot is in a table: if it does, elements may no longer
    /// be found, though memory stays sound.
    fn position(&self) -> u32;

    /// The leading [`KNOWN_BITS`](Self::KNOWN_BITS) of the position, the others 0.
    fn known_position(&self) -> u32 {
        0
    }

    /// Begins to load what [`position`](Self::position) will read. A hint, called for
    /// a few slots ahead when many positions are about to be computed.
    fn prefetch(&self) {}
}
