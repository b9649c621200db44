//! The reader: bytes in from any source, batches of items out.
//!
//! ```text
//! buffer   items found | item cut off | free
//!          ^0          ^scanned       ^filled
//! ```
//!
//! A batch takes the buffer itself, the item that is cut off moves to a new one: no
//! value is copied on its way. Only when one item is larger than the buffer does the
//! buffer grow, as its bytes arrive.
//!
//! Invariants: the source is asked for more only when an item is cut off, so nothing
//! is waited for after the end of the RDB; and what was read beyond it is given back
//! ([`Reader::into_input`]).

use std::io::{ErrorKind, Read};

use super::batch::{Batch, ChecksumState, Placed};
use super::scan::{Found, Scan};
use crate::crc64::Crc64;
use crate::cursor::Cursor;
use crate::error::{RdbError, RdbErrorKind, Result};

/// How much the buffer grows at a time, at least.
const MIN_ROOM_BYTES: usize = 16 << 10;

/// How many buffers are kept for later, at most.
const MAX_SPARE: usize = 8;

/// How much of an announced length is made room for before it arrives, at most.
const MAX_ROOM_BYTES: u64 = 1 << 20;

/// Whether the checksum at the end is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumPolicy {
    /// It is, unless the file says that it was written without.
    #[default]
    Verify,
    /// It is not, and not computed either.
    Ignore,
}

/// Reads an RDB from a source. One pass, forwards, without seeking.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    input_ended: bool,
    policy: ChecksumPolicy,
    buffer: Vec<u8>,
    /// The bytes of the buffer that came from the source.
    filled: usize,
    /// The end of the last item.
    scanned: usize,
    /// Up to where the checksum was computed.
    summed: usize,
    /// Where the buffer starts in the file.
    offset: u64,
    checksum: Crc64,
    scan: Scan,
    items: Vec<Placed>,
    /// Buffers and lists of items that were given back; the latter are empty.
    spare: Vec<(Vec<u8>, Vec<Placed>)>,
    finished: bool,
    failure: Option<RdbError>,
}

impl<R: Read> Reader<R> {
    /// A reader of this source, from where it stands. Reads nothing yet.
    pub fn new(input: R, policy: ChecksumPolicy) -> Self {
        Reader {
            input,
            input_ended: false,
            policy,
            buffer: Vec::new(),
            filled: 0,
            scanned: 0,
            summed: 0,
            offset: 0,
            checksum: Crc64::new(),
            scan: Scan::default(),
            items: Vec::new(),
            spare: Vec::new(),
            finished: false,
            failure: None,
        }
    }

    /// The version of the format, once anything was read.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        self.scan.version()
    }

    /// How many bytes were passed: up to the end of the last item found.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset + self.scanned as u64
    }

    /// The next items, of about `target_bytes` together, unless one alone is larger.
    /// `None` after the end. Reads as much as it needs, and waits for it.
    ///
    /// # Errors
    /// What is wrong with the file; all items before that were given out, and there
    /// is nothing after it.
    pub fn next_batch(&mut self, target_bytes: usize) -> Result<Option<Batch>> {
        while !self.finished && self.failure.is_none() {
            match self.step() {
                Ok(()) if self.scanned < target_bytes || self.items.is_empty() => (),
                Ok(()) => break,
                Err(error) => match error.kind {
                    RdbErrorKind::Truncated { missing } if !self.input_ended => {
                        if self.filled >= target_bytes && !self.items.is_empty() {
                            break;
                        }
                        if let Err(error) = self.fill(missing, target_bytes) {
                            self.failure = Some(error);
                            break;
                        }
                    }
                    _ => {
                        self.failure = Some(error);
                        break;
                    }
                },
            }
        }
        if !self.items.is_empty() {
            return Ok(Some(self.take_batch(target_bytes)));
        }
        match self.failure.take() {
            Some(failure) => {
                self.finished = true;
                Err(failure)
            }
            None => Ok(None),
        }
    }

    /// Takes back the allocations of a batch that is no longer needed.
    pub fn recycle(&mut self, batch: Batch) {
        if self.spare.len() < MAX_SPARE {
            let Batch {
                bytes, mut items, ..
            } = batch;
            items.clear();
            self.spare.push((bytes, items));
        }
    }

    /// The source, and what was read from it beyond the end of the RDB.
    pub fn into_input(mut self) -> (R, Vec<u8>) {
        self.buffer.truncate(self.filled);
        self.buffer.drain(..self.scanned);
        (self.input, self.buffer)
    }

    /// Finds one item, or fails without having moved.
    fn step(&mut self) -> Result<()> {
        let mut cursor = Cursor::new(&self.buffer[..self.filled], self.offset, "item");
        cursor.seek(self.scanned);
        match self.scan.step(&mut cursor)? {
            Found::Passed => self.scanned = cursor.position(),
            Found::Item(item) => {
                self.scanned = cursor.position();
                self.items.push(item);
            }
            Found::End { stored } => {
                let end = cursor.position();
                let checksum_bytes = stored.map_or(0, |_| size_of::<u64>());
                let state = self.verify(stored, end - checksum_bytes)?;
                self.scanned = end;
                self.items.push(Placed::Eof(state));
                self.finished = true;
            }
        }
        Ok(())
    }

    fn verify(&mut self, stored: Option<u64>, end: usize) -> Result<ChecksumState> {
        let stored = match (self.policy, stored) {
            (_, None) => return Ok(ChecksumState::Absent),
            (ChecksumPolicy::Ignore, _) | (_, Some(0)) => return Ok(ChecksumState::Unchecked),
            (ChecksumPolicy::Verify, Some(stored)) => stored,
        };
        self.sum_up_to(end);
        let computed = self.checksum.value();
        if stored == computed {
            return Ok(ChecksumState::Verified);
        }
        Err(RdbError {
            offset: self.offset + end as u64,
            what: "checksum",
            kind: RdbErrorKind::Checksum { stored, computed },
        })
    }

    fn sum_up_to(&mut self, end: usize) {
        if self.policy == ChecksumPolicy::Verify {
            self.checksum.update(&self.buffer[self.summed..end]);
            self.summed = end;
        }
    }

    /// Hands out what was found, and keeps what is cut off.
    fn take_batch(&mut self, target_bytes: usize) -> Batch {
        if !self.finished && self.failure.is_none() {
            self.sum_up_to(self.scanned);
        }
        let end = self.scanned;
        let rest = &self.buffer[end..self.filled];
        let (mut buffer, items) = self.spare.pop().unwrap_or_default();
        buffer.resize(rest.len().max(self.next_size(target_bytes)), 0);
        buffer[..rest.len()].copy_from_slice(rest);
        let rest = rest.len();
        let mut bytes = std::mem::replace(&mut self.buffer, buffer);
        bytes.truncate(end);
        let batch = Batch {
            bytes,
            offset: self.offset,
            items: std::mem::replace(&mut self.items, items),
        };
        self.items.reserve(batch.items.len());
        self.offset += end as u64;
        self.scan.shift(end);
        self.filled = rest;
        self.scanned = 0;
        self.summed = 0;
        batch
    }

    /// How large the next buffer is to be: nothing is read after the end.
    fn next_size(&self, target_bytes: usize) -> usize {
        if self.finished || self.input_ended {
            0
        } else {
            room_for(target_bytes)
        }
    }

    /// Drops what was passed and is no item: the header, metadata of the next key.
    fn forget_passed(&mut self) {
        self.sum_up_to(self.scanned);
        self.buffer.copy_within(self.scanned..self.filled, 0);
        self.scan.shift(self.scanned);
        self.offset += self.scanned as u64;
        self.filled -= self.scanned;
        self.scanned = 0;
        self.summed = 0;
    }

    /// Reads once. Makes room for what is known to be missing, within reason.
    fn fill(&mut self, missing: u64, target_bytes: usize) -> Result<()> {
        if self.items.is_empty() && self.scanned > 0 {
            self.forget_passed();
        }
        if self.filled == self.buffer.len() {
            let missing = missing.min(MAX_ROOM_BYTES) as usize;
            let room = missing.max(MIN_ROOM_BYTES);
            let size = (self.filled + room).max(room_for(target_bytes));
            self.buffer.resize(size, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.input_ended = true,
                // A source that claims more than it was given room for is not believed.
                Ok(count) => self.filled = (self.filled + count).min(self.buffer.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(RdbError {
                        offset: self.offset + self.filled as u64,
                        what: "input",
                        kind: RdbErrorKind::Io(error),
                    });
                }
            }
            return Ok(());
        }
    }
}

/// The size of a buffer for batches of this size: the item at its end is rarely whole.
fn room_for(target_bytes: usize) -> usize {
    const MAX_TARGET_BYTES: usize = 64 << 20;
    target_bytes.clamp(MIN_ROOM_BYTES, MAX_TARGET_BYTES) + MIN_ROOM_BYTES / 4
}
