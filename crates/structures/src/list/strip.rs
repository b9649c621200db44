//! The bytes of a packed node, with room to grow at either end.
//!
//! ```text
//! ┌──────┬──────────────────────┬───────┐
//! │ room │ the listpack         │ room  │
//! └──────┴──────────────────────┴───────┘
//! 0      start                  end     room.len()
//! ```
//!
//! A splice moves what is shorter, the bytes before it or those after it. So a push
//! or a pop at the front moves the six bytes of a header instead of the whole node.
//!
//! Offsets of 32 bits make a node's heap block fit 32 bytes; a listpack states its
//! own size in 32 bits.
//!
//! Invariant: `start <= end <= room.len() <= u32::MAX`; the bytes outside mean nothing.

use super::Side;
use crate::listpack::Buffer;
use crate::table::prefetch_line;

/// Below this capacity in bytes, unused room is not worth giving back.
const KEPT_BYTES: usize = 512;

/// From this size in bytes on, room for growth is an eighth instead of up to half.
const LARGE_BYTES: usize = 1 << 16;

const MAX_BYTES: usize = u32::MAX as usize;

/// What a processor loads at once.
const LINE_BYTES: usize = 64;

#[derive(Debug)]
pub(super) struct Strip {
    room: Box<[u8]>,
    start: u32,
    end: u32,
}

impl Strip {
    /// Takes a listpack over.
    ///
    /// # Panics
    /// If there are 4 GiB or more, which the header of a listpack cannot say.
    pub(super) fn new(listpack: Vec<u8>) -> Self {
        assert!(listpack.len() <= MAX_BYTES, "a listpack beyond its header");
        Strip {
            start: 0,
            end: listpack.len() as u32,
            room: listpack.into_boxed_slice(),
        }
    }

    /// Begins to load the header of the listpack and what is on either side of an end:
    /// the last element there, and the room for the next.
    #[inline]
    pub(super) fn prefetch(&self, side: Side) {
        let at = |offset: usize| self.room.as_ptr().wrapping_add(offset);
        prefetch_line(at(self.start()));
        match side {
            Side::Front => prefetch_line(at(self.start()).wrapping_sub(LINE_BYTES)),
            Side::Back => {
                prefetch_line(at(self.end()).wrapping_sub(LINE_BYTES));
                prefetch_line(at(self.end()));
            }
        }
    }

    fn start(&self) -> usize {
        self.start as usize
    }

    fn end(&self) -> usize {
        self.end as usize
    }

    fn len(&self) -> usize {
        self.end() - self.start()
    }

    /// Gives unused room back if it is more than an eighth: for a node that is not
    /// likely to grow.
    pub(super) fn seal(&mut self) {
        if self.room.len() - self.len() > self.len() / 8 {
            *self = self.clone();
        }
    }

    /// Gives unused room back if it is most of the node.
    pub(super) fn relax(&mut self) {
        if self.room.len() > KEPT_BYTES && self.room.len() / 4 > self.len() {
            *self = self.clone();
        }
    }

    /// Makes the room this large, if it is smaller, for growth on this side.
    pub(super) fn reserve(&mut self, side: Side, capacity: usize) {
        if self.room.len() < capacity {
            let start = match side {
                Side::Front => capacity - self.len(),
                Side::Back => 0,
            };
            self.relocate(capacity, start);
        }
    }

    /// Makes room for `extra` bytes before the content.
    #[inline]
    fn reserve_front(&mut self, extra: usize) {
        if self.start() < extra {
            self.grow_front(extra);
        }
    }

    fn grow_front(&mut self, extra: usize) {
        let len = self.len();
        let spare = self.room.len() - len;
        if spare >= extra && spare >= len {
            // Half is free, but on the other side.
            self.slide(spare);
        } else {
            let capacity = grown_capacity(len + extra);
            self.relocate(capacity, capacity - len);
        }
    }

    /// Makes room for `extra` bytes behind the content.
    #[inline]
    fn reserve_back(&mut self, extra: usize) {
        if self.room.len() - self.end() < extra {
            self.grow_back(extra);
        }
    }

    fn grow_back(&mut self, extra: usize) {
        let len = self.len();
        if self.start() >= extra && self.start() >= len {
            self.slide(0);
        } else {
            self.relocate(grown_capacity(len + extra), 0);
        }
    }

    /// Moves the content to this offset of the same room.
    fn slide(&mut self, start: usize) {
        self.room.copy_within(self.start()..self.end(), start);
        self.end = (start + self.len()) as u32;
        self.start = start as u32;
    }

    /// Moves the content to this offset of a new room.
    fn relocate(&mut self, capacity: usize, start: usize) {
        let end = start + self.len();
        let mut room = vec![0; capacity].into_boxed_slice();
        room[start..end].copy_from_slice(self.bytes());
        *self = Strip {
            room,
            start: start as u32,
            end: end as u32,
        };
    }
}

fn grown_capacity(needed: usize) -> usize {
    if needed >= LARGE_BYTES {
        (needed + needed / 8).min(MAX_BYTES)
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
        &self.room[self.start()..self.end()]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        let content = self.start()..self.end();
        &mut self.room[content]
    }

    #[inline]
    fn gap(&mut self, at: usize, remove: usize, len: usize) -> &mut [u8] {
        let before = at;
        let after = self.len() - at - remove;
        if before < after {
            if len > remove {
                self.reserve_front(len - remove);
            }
            let old = self.start();
            let new = old + remove - len;
            self.room.copy_within(old..old + before, new);
            self.start = new as u32;
        } else {
            if len > remove {
                self.reserve_back(len - remove);
            }
            let old = self.start() + at + remove;
            let new = self.start() + at + len;
            self.room.copy_within(old..old + after, new);
            self.end = (new + after) as u32;
        }
        let at = self.start() + before;
        &mut self.room[at..at + len]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Buffer, Side, Strip};

    proptest! {
        #[test]
        fn a_strip_splices_like_a_vec(
            splices in proptest::collection::vec(
                (any::<usize>(), any::<usize>(), 0_usize..40, any::<u8>(), 0_u8..8), 0..60),
        ) {
            let mut model: Vec<u8> = Vec::new();
            let mut strip = Strip::new(Vec::new());
            for (at, remove, insert, byte, action) in splices {
                match action {
                    3 => strip.reserve(Side::Front, remove % 200),
                    4 => strip.reserve(Side::Back, remove % 200),
                    _ => {}
                }
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
            assert!(strip.room.len() <= 64);
        }
        for _ in 0..10_000 {
            strip.splice(0, 0, &[1; 16]);
            strip.splice(strip.bytes().len() - 16, 16, &[]);
            assert!(strip.room.len() <= 64);
        }
    }
}
