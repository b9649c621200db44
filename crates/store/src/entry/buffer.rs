//! Editing a payload in place. No `unsafe`: the entry resizes itself.

use ochre_structures::listpack::Buffer;

use super::Entry;

/// The payload of an entry as an editable buffer: what the listpack and intset
/// algorithms work on.
pub struct InlineBuffer<'a>(pub(super) &'a mut Entry);

impl Buffer for InlineBuffer<'_> {
    fn bytes(&self) -> &[u8] {
        self.0.payload()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.payload_mut()
    }

    fn gap(&mut self, at: usize, remove: usize, len: usize) -> &mut [u8] {
        let old = self.0.lengths().1;
        assert!(at + remove <= old);
        let new = old - remove + len;
        if new > old {
            self.0.resize(new);
        }
        let payload = self.0.payload_mut();
        payload.copy_within(at + remove..old, at + len);
        if new < old {
            self.0.resize(new);
        }
        &mut self.0.payload_mut()[at..at + len]
    }
}
