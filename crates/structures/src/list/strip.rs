//! The bytes of a packed node, with room to grow at either end.
//!
//! ```text
//! ┌──────┬──────────────────────┬───────┐
//! │ room │ the listpack         │ room  │
//! └──────┴──────────────────────┴───────┘
//! 0      start              bytes.len() capacity
//! ```
//!
//! A splice moves what is shorter, the bytes before it or those after it. So a push
//! or a pop at the front moves the six bytes of a header instead of the whole node.
//!
//! Invariant: `start <= bytes.len()`; the bytes before `start` mean nothing.

use crate::listpack::Buffer;

/// Below this capacity in bytes, unused room is not worth giving back.
const KEPT_BYTES: usize = 512;

/// From this size in bytes on, room for growth is an eighth instead of up to half.
const LARGE_BYTES: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Strip {
    bytes: Vec<u8>,
    start: usize,
}

impl Strip {
    /// Takes the bytes over as they are, with the room behind them.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Strip { bytes, start: 0 }
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Gives unused room back if it is more than an eighth: for a node that is not
    /// likely to grow.
    pub(super) fn seal(&mut self) {
        if self.bytes.capacity() - self.len() > self.len() / 8 {
            self.shrink();
        }
    }

    /// Gives unused room back if it is most of the node.
    pub(super) fn relax(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES && self.bytes.capacity() / 4 > self.len() {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.start == 0 {
            self.bytes.shrink_to_fit();
        } else {
            *self = self.clone();
        }
    }

    /// Makes room for `extra` bytes before `start`.
    fn reserve_front(&mut self, extra: usize) {
        if self.start >= extra {
            return;
        }
        let len = self.len();
        let spare = self.bytes.capacity() - len;
        if spare >= extra && spare >= len {
            // Half is free, but on the other side: move everything to the back.
            let start = self.bytes.capacity() - len;
            self.bytes.resize(start + len, 0);
            self.bytes.copy_within(self.start..self.start + len, start);
            self.start = start;
            return;
        }
        let capacity = grown_capacity(len + extra);
        let mut bytes = Vec::with_capacity(capacity);
        bytes.resize(capacity - len, 0);
        bytes.extend_from_slice(self.bytes());
        self.start = capacity - len;
        self.bytes = bytes;
    }

    /// Makes room for `extra` bytes behind the last.
    fn reserve_back(&mut self, extra: usize) {
        if self.bytes.capacity() - self.bytes.len() >= extra {
            return;
        }
        let len = self.len();
        if self.start >= extra && self.start >= len {
            self.bytes.copy_within(self.start.., 0);
            self.bytes.truncate(len);
        } else {
            let mut bytes = Vec::with_capacity(grown_capacity(len + extra));
            bytes.extend_from_slice(self.bytes());
            self.bytes = bytes;
        }
        self.start = 0;
    }
}

fn grown_capacity(needed: usize) -> usize {
    if needed >= LARGE_BYTES {
        needed + needed / 8
    } else {
        needed.next_power_of_two()
    }
}

impl Clone for Strip {
    /// Copies the content, without the room around it.
    fn clone(&self) -> Self {
        Strip::new(self.bytes().to_vec())
    }
}

impl Buffer for Strip {
    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    fn splice(&mut self, at: usize, remove: usize, insert: &[u8]) {
        let before = at;
        let after = self.len() - at - remove;
        if before < after {
            if insert.len() > remove {
                self.reserve_front(insert.len() - remove);
            }
            let start = self.start + remove - insert.len();
            self.bytes
                .copy_within(self.start..self.start + before, start);
            self.start = start;
            let at = start + before;
            self.bytes[at..at + insert.len()].copy_from_slice(insert);
        } else {
            if insert.len() > remove {
                self.reserve_back(insert.len() - remove);
            }
            let at = self.start + at;
            Buffer::splice(&mut self.bytes, at, remove, insert);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Buffer, Strip};

    proptest! {
        #[test]
        fn a_strip_splices_like_a_vec(
            splices in proptest::collection::vec(
                (any::<usize>(), any::<usize>(), 0_usize..40, any::<u8>(), 0_u8..8), 0..60),
        ) {
            let mut model: Vec<u8> = Vec::new();
            let mut strip = Strip::new(Vec::new());
            for (at, remove, insert, byte, action) in splices {
                // Mostly at the ends, as lists are used.
                let at = match action % 4 {
                    0 => 0,
                    1 => model.len(),
                    _ => at % (model.len() + 1),
                };
                let remove = (remove % 30).min(model.len() - at);
                let insert = vec![byte; insert];
                drop(Vec::splice(&mut model, at..at + remove, insert.iter().copied()));
                strip.splice(at, remove, &insert);
                match action {
                    5 => strip.seal(),
                    6 => strip.relax(),
                    7 => strip = strip.clone(),
                    _ => {}
                }
                prop_assert_eq!(strip.bytes(), &model);
                prop_assert_eq!(strip.bytes_mut(), &model);
            }
        }
    }

    #[test]
    fn a_queue_that_stays_short_stays_small() {
        let mut strip = Strip::new(Vec::new());
        for _ in 0..10_000 {
            strip.splice(strip.bytes().len(), 0, &[1; 16]);
            strip.splice(0, 16, &[]);
            assert!(strip.bytes.capacity() <= 64);
        }
        for _ in 0..10_000 {
            strip.splice(0, 0, &[1; 16]);
            strip.splice(strip.bytes().len() - 16, 16, &[]);
            assert!(strip.bytes.capacity() <= 64);
        }
    }
}
