//! A connection's queue of output, and the pool its buffers return to.
//!
//! ```text
//! chunks: [ sent | rest of the first ][ second ][ third ] ...
//!           ^ `sent` bytes of the first chunk are already gone
//! ```
//!
//! Small pieces are joined, so that a slow reader of many small messages costs their bytes
//! and not a vector each. Nothing here talks to the kernel.
//!
//! Invariant: no chunk is empty, `sent` is less than the first chunk's length, and `bytes`
//! is the sum of the lengths less `sent`.

use std::collections::VecDeque;

use super::Chunk;

/// Pieces that fit together into this many bytes are joined.
const JOINED_BYTES_MAX: usize = 16 * 1024;

#[derive(Default)]
pub(super) struct Output {
    chunks: VecDeque<Chunk>,
    sent: usize,
    bytes: usize,
}

impl Output {
    /// Bytes still to be sent.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of slices that [`Self::slices`] yields.
    pub fn pieces(&self) -> usize {
        self.chunks.len()
    }

    /// Appends a chunk that is not empty.
    pub fn push(&mut self, chunk: Chunk, recycler: &mut Recycler) {
        let length = chunk.as_bytes().len();
        self.bytes += length;
        if let (Some(Chunk::Bytes(last)), Chunk::Bytes(more)) = (self.chunks.back_mut(), &chunk)
            && last.len() + length <= JOINED_BYTES_MAX
        {
            last.extend_from_slice(more);
            recycler.take_chunk(chunk);
        } else {
            self.chunks.push_back(chunk);
        }
    }

    /// What is to be sent, in order.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.sent;
        self.chunks.iter().map(move |chunk| {
            let bytes = chunk.as_bytes();
            bytes.get(std::mem::take(&mut skip)..).unwrap_or_default()
        })
    }

    /// Notes that the first `count` bytes have gone out.
    pub fn advance(&mut self, count: usize, recycler: &mut Recycler) {
        let mut left = count.min(self.bytes);
        self.bytes -= left;
        while left > 0 {
            let Some(first) = self.chunks.front() else {
                break;
            };
            let rest = first.as_bytes().len().saturating_sub(self.sent);
            if left < rest {
                self.sent += left;
                break;
            }
            left -= rest;
            self.sent = 0;
            if let Some(chunk) = self.chunks.pop_front() {
                recycler.take_chunk(chunk);
            }
        }
    }

    /// Appends all of another queue of which nothing was sent yet.
    pub fn append(&mut self, later: &mut Output) {
        debug_assert_eq!(later.sent, 0);
        self.bytes += std::mem::take(&mut later.bytes);
        self.chunks.append(&mut later.chunks);
    }

    fn clear(&mut self, recycler: &mut Recycler) {
        for chunk in self.chunks.drain(..) {
            recycler.take_chunk(chunk);
        }
        self.sent = 0;
        self.bytes = 0;
    }
}

/// Buffers waiting to be used again, bounded in number and size.
#[derive(Default)]
pub(super) struct Recycler {
    buffers: Vec<Vec<u8>>,
    buffer_bytes: usize,
    #[expect(clippy::vec_box, reason = "what is recycled is the box")]
    outputs: Vec<Box<Output>>,
}

impl Recycler {
    /// A larger vector is freed rather than kept.
    const BUFFER_BYTES_MAX: usize = 64 * 1024;
    /// All kept vectors together hold no more.
    const TOTAL_BYTES_MAX: usize = 1024 * 1024;
    const BUFFERS_MAX: usize = 1024;
    const OUTPUTS_MAX: usize = 1024;
    /// Capacity of a vector made because none was kept.
    const FRESH_BYTES: usize = 1024;

    /// An empty vector.
    pub fn bytes(&mut self) -> Vec<u8> {
        match self.buffers.pop() {
            Some(buffer) => {
                self.buffer_bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(Self::FRESH_BYTES),
        }
    }

    /// An empty queue.
    pub fn output(&mut self) -> Box<Output> {
        self.outputs.pop().unwrap_or_default()
    }

    pub fn take_chunk(&mut self, chunk: Chunk) {
        let Chunk::Bytes(mut buffer) = chunk else {
            return;
        };
        let capacity = buffer.capacity();
        if (Self::FRESH_BYTES / 4..=Self::BUFFER_BYTES_MAX).contains(&capacity)
            && self.buffer_bytes + capacity <= Self::TOTAL_BYTES_MAX
            && self.buffers.len() < Self::BUFFERS_MAX
        {
            buffer.clear();
            self.buffer_bytes += capacity;
            self.buffers.push(buffer);
        }
    }

    pub fn take_output(&mut self, mut output: Box<Output>) {
        output.clear(self);
        // A queue that once was very long keeps room for as many chunks: let it go.
        if self.outputs.len() < Self::OUTPUTS_MAX && output.chunks.capacity() <= 64 {
            self.outputs.push(output);
        }
    }
}
