//! What a listpack or an intset needs from the owner of its bytes.
//!
//! Invariant: an editing function leaves the buffer well formed, and reaches
//! that state by one splice and one patch of the header.

/// Bytes that can be edited in the middle: a `Vec<u8>`, a node of a list, the
/// tail of a keyspace entry.
pub trait Buffer {
    /// All bytes of the container, and nothing else.
    fn bytes(&self) -> &[u8];

    /// The same bytes, to be patched in place.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Makes the `remove` bytes from offset `at` on, which lie within
    /// [`Buffer::bytes`], `len` bytes and returns those, to be written by the caller.
    fn gap(&mut self, at: usize, remove: usize, len: usize) -> &mut [u8];

    /// Replaces the `remove` bytes from offset `at` on by `insert`.
    #[inline]
    fn splice(&mut self, at: usize, remove: usize, insert: &[u8]) {
        self.gap(at, remove, insert.len()).copy_from_slice(insert);
    }
}

impl Buffer for Vec<u8> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn gap(&mut self, at: usize, remove: usize, len: usize) -> &mut [u8] {
        let old_len = self.len();
        let moved_from = at + remove;
        let moved_to = at + len;
        if len > remove {
            self.resize(old_len + len - remove, 0);
        }
        if moved_from != moved_to {
            self.copy_within(moved_from..old_len, moved_to);
        }
        self.truncate(old_len - remove + len);
        &mut self[at..moved_to]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Buffer;

    proptest! {
        #[test]
        fn a_vec_splices_like_the_iterator_version(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            insert in proptest::collection::vec(any::<u8>(), 0..20),
            at in 0_usize..40,
            remove in 0_usize..40,
        ) {
            let at = at.min(bytes.len());
            let remove = remove.min(bytes.len() - at);
            let mut expected = bytes.clone();
            drop(Vec::splice(&mut expected, at..at + remove, insert.iter().copied()));
            let mut actual = bytes;
            Buffer::splice(&mut actual, at, remove, &insert);
            prop_assert_eq!(actual, expected);
        }
    }
}
