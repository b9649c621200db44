//! The reader: a source, a buffer, and what is known of the file so far.
//!
//! ```text
//! buffer   given out | this command ........... | free
//!          ^0        ^at                        ^filled
//! ```
//!
//! A command is a slice of the buffer until the next call. A batch takes the buffer
//! itself; only what is cut off at its end moves to the next.

use std::io::{ErrorKind, Read};

use super::batch::{Command, CommandBatch, Placed};
use super::error::{FormatFault, ReadError, Torn};
use super::scan::{Span, Step, Unfinished, Wrong};

/// The size of the buffer, unless a command is larger.
const BUFFER_BYTES: usize = 256 << 10;

/// How much the buffer grows at a time, at least.
const MIN_ROOM_BYTES: usize = 16 << 10;

/// A buffer larger than this is not kept for the sake of one huge command.
const KEPT_BYTES: usize = 4 << 20;

/// How many batches are kept for their allocations.
const MAX_SPARE: usize = 8;

/// Reads the commands of an append-only file from a source, once, forwards.
#[derive(Debug)]
pub struct AofReader<R> {
    input: R,
    input_ended: bool,
    buffer: Vec<u8>,
    filled: usize,
    at: usize,
    /// Where the buffer starts in the file.
    offset: u64,
    unfinished: Unfinished,
    spans: Vec<Span>,
    /// Whether a transaction has begun.
    transaction: bool,
    /// Whether bytes before `at` belong to a batch that is being made.
    batch_begun: bool,
    valid_up_to: u64,
    lines: u64,
    timestamp: Option<i64>,
    last_timestamp: Option<i64>,
    stopped: bool,
    failure: Option<ReadError>,
    finished: bool,
    spare: Vec<CommandBatch>,
}

/// Whether there is something at the place where the reader stands.
enum Found {
    Command {
        start: usize,
        arguments: usize,
    },
    /// Nothing, for so many bytes are missing.
    Missing(usize),
    /// Nothing, and nothing will follow.
    End,
}

impl<R: Read> AofReader<R> {
    /// A reader of this source, which stands `offset` bytes after the file's start.
    /// Reads nothing yet.
    pub fn new(input: R, offset: u64) -> Self {
        AofReader {
            input,
            input_ended: false,
            buffer: Vec::new(),
            filled: 0,
            at: 0,
            offset,
            unfinished: Unfinished::default(),
            spans: Vec::new(),
            transaction: false,
            batch_begun: false,
            valid_up_to: offset,
            lines: 0,
            timestamp: None,
            last_timestamp: None,
            stopped: false,
            failure: None,
            finished: false,
            spare: Vec::new(),
        }
    }

    /// Ends the file before the first annotation of a later time, or before the
    /// transaction that holds it.
    #[must_use]
    pub fn up_to_timestamp(mut self, unix_seconds: i64) -> Self {
        self.last_timestamp = Some(unix_seconds);
        self
    }

    /// The next command. `None` after the end. Commands of a transaction are given
    /// out before it is known whether its EXEC is there.
    ///
    /// # Errors
    /// Why there is no command; and there is none after it.
    #[expect(
        clippy::should_implement_trait,
        reason = "what is given out borrows from the reader"
    )]
    pub fn next(&mut self) -> Result<Option<Command<'_>>, ReadError> {
        self.spans.clear();
        self.unfinished = Unfinished::default();
        loop {
            if let Some(failure) = self.end() {
                return failure.map_or(Ok(None), Err);
            }
            match self.find() {
                Err(failure) => self.failure = Some(failure),
                Ok(Found::End) => self.finished = true,
                Ok(Found::Missing(missing)) => self.fill(missing, BUFFER_BYTES),
                Ok(Found::Command { start, arguments }) => {
                    let spans = &self.spans[self.spans.len() - arguments..];
                    let bytes = &self.buffer[start..self.at];
                    let offset = self.offset + start as u64;
                    return Ok(Some(Command::new(bytes, spans, offset)));
                }
            }
        }
    }

    /// The next commands, of about `target_bytes` together, unless a command or a
    /// transaction alone is larger: the commands of a transaction come together, and
    /// only when its EXEC was found. `None` after the end.
    ///
    /// # Errors
    /// What is wrong with the file. All that is valid before it was given out; and
    /// there is nothing after it.
    pub fn next_batch(&mut self, target_bytes: usize) -> Result<Option<CommandBatch>, ReadError> {
        let target_bytes = target_bytes.clamp(1, 1 << 30);
        self.forget_passed();
        self.unfinished = Unfinished::default();
        let mut batch = self.spare.pop().unwrap_or_default();
        batch.commands.clear();
        // Spans are gathered in the batch's vector, and numbered within it.
        std::mem::swap(&mut self.spans, &mut batch.spans);
        self.spans.clear();
        // What may be given out: up to the last place outside of any transaction.
        let (mut whole, mut whole_end) = (0, 0);
        loop {
            if self.finished || self.failure.is_some() {
                break;
            }
            match self.find() {
                Err(failure) => self.failure = Some(failure),
                Ok(Found::End) => self.finished = true,
                Ok(Found::Missing(_)) if whole > 0 && self.filled >= target_bytes => break,
                Ok(Found::Missing(missing)) => self.fill(missing, target_bytes),
                Ok(Found::Command { start, .. }) => {
                    self.batch_begun = true;
                    batch.commands.push(Placed {
                        start,
                        end: self.at,
                        spans_end: self.spans.len(),
                    });
                    if !self.transaction {
                        (whole, whole_end) = (batch.commands.len(), self.at);
                        if whole_end >= target_bytes {
                            break;
                        }
                    }
                }
            }
        }
        std::mem::swap(&mut self.spans, &mut batch.spans);
        self.spans.clear();
        self.batch_begun = false;
        if whole == 0 {
            self.spare.push(batch);
            return self.end().flatten().map_or(Ok(None), Err);
        }
        if whole < batch.commands.len() && self.failure.is_none() {
            // The open transaction is read again, from its start.
            let spans = |placed: &Placed| placed.spans_end as u64;
            let again = (batch.commands.len() - whole) as u64;
            let spans = batch.commands.last().map_or(0, spans) - spans(&batch.commands[whole - 1]);
            self.lines -= again + 2 * spans;
            self.transaction = false;
        }
        batch.commands.truncate(whole);
        let last_span = batch.commands.last().map_or(0, |last| last.spans_end);
        batch.spans.truncate(last_span);
        self.take_buffer(&mut batch, whole_end, target_bytes);
        Ok(Some(batch))
    }

    /// Takes back the allocations of a batch that is no longer needed.
    pub fn recycle(&mut self, batch: CommandBatch) {
        if self.spare.len() < MAX_SPARE && batch.bytes.capacity() <= KEPT_BYTES {
            self.spare.push(batch);
        }
    }

    /// The end of the last complete command or annotation found outside of any
    /// transaction, in bytes from the start of the file.
    #[must_use]
    pub fn valid_up_to(&self) -> u64 {
        self.valid_up_to
    }

    /// How many line ends were passed, annotations not counted: those within
    /// arguments not either.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The last time that was annotated so far, in seconds since 1970.
    #[must_use]
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// Whether the file was ended by [`AofReader::up_to_timestamp`]; then it is to be
    /// cut off at [`AofReader::valid_up_to`].
    #[must_use]
    pub fn stopped_by_timestamp(&self) -> bool {
        self.stopped
    }

    /// The size of the buffer.
    #[cfg(test)]
    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// The failure, once, or that there is nothing more.
    fn end(&mut self) -> Option<Option<ReadError>> {
        if let Some(failure) = self.failure.take() {
            self.finished = true;
            return Some(Some(failure));
        }
        self.finished.then_some(None)
    }

    /// Finds the next command in the buffer, passing annotations by.
    #[inline]
    fn find(&mut self) -> Result<Found, ReadError> {
        loop {
            let bytes = &self.buffer[self.at..self.filled];
            let step = match self.unfinished.step(bytes, &mut self.spans) {
                Ok(step) => step,
                Err(wrong) => return Err(self.format(wrong)),
            };
            match step {
                Step::Command { bytes, arguments } => {
                    let start = self.at;
                    self.mind_transaction(start, arguments)?;
                    self.at += bytes;
                    self.lines += 1 + 2 * arguments as u64;
                    if !self.transaction {
                        self.valid_up_to = self.offset + self.at as u64;
                    }
                    return Ok(Found::Command { start, arguments });
                }
                Step::Annotation { bytes } => {
                    if self.annotation(bytes)? {
                        self.stopped = true;
                        return Ok(Found::End);
                    }
                    self.at += bytes;
                    if !self.transaction {
                        self.valid_up_to = self.offset + self.at as u64;
                    }
                }
                Step::More { missing } if !self.input_ended => return Ok(Found::Missing(missing)),
                Step::More { .. } => return self.ended(),
            }
        }
    }

    /// Follows where transactions begin and end.
    #[inline]
    fn mind_transaction(&mut self, start: usize, arguments: usize) -> Result<(), ReadError> {
        let name = self.spans[self.spans.len() - arguments];
        if name.len != 4 && name.len != 5 {
            return Ok(());
        }
        let name_start = start + name.start;
        let text = &self.buffer[name_start..name_start + name.len];
        let fault = if text.eq_ignore_ascii_case(b"multi") {
            if !std::mem::replace(&mut self.transaction, true) {
                return Ok(());
            }
            FormatFault::UnexpectedMulti
        } else if text.eq_ignore_ascii_case(b"exec") {
            if std::mem::replace(&mut self.transaction, false) {
                return Ok(());
            }
            FormatFault::UnexpectedExec
        } else {
            return Ok(());
        };
        Err(self.format(Wrong {
            at: name.start,
            fault,
        }))
    }

    /// Looks at an annotation; whether it ends the file.
    fn annotation(&mut self, bytes: usize) -> Result<bool, ReadError> {
        let line = &self.buffer[self.at..self.at + bytes];
        let Some(time) = line.strip_prefix(b"#TS:") else {
            return Ok(false);
        };
        let time = std::str::from_utf8(time.trim_ascii_end()).ok();
        let Some(time) = time.and_then(|time| time.parse::<i64>().ok()) else {
            if self.last_timestamp.is_none() {
                return Ok(false);
            }
            let fault = FormatFault::Timestamp;
            return Err(self.format(Wrong { at: 0, fault }));
        };
        if self.last_timestamp.is_some_and(|last| time > last) {
            return Ok(true);
        }
        self.timestamp = Some(time);
        Ok(false)
    }

    /// What the end of the source means where the reader stands.
    fn ended(&mut self) -> Result<Found, ReadError> {
        let rest = &self.buffer[self.at..self.filled];
        let (at, torn) = match rest.first() {
            None if !self.transaction => return Ok(Found::End),
            None => (0, Torn::Transaction),
            Some(b'#') => (0, Torn::Annotation),
            Some(_) => self.unfinished.torn(rest.len()),
        };
        self.lines += self.unfinished.lines();
        Err(ReadError::Truncated {
            valid_up_to: self.valid_up_to,
            offset: self.offset + (self.at + at) as u64,
            torn,
        })
    }

    fn format(&mut self, wrong: Wrong) -> ReadError {
        self.lines += self.unfinished.lines();
        ReadError::Format {
            valid_up_to: self.valid_up_to,
            offset: self.offset + (self.at + wrong.at) as u64,
            fault: wrong.fault,
        }
    }

    /// Reads once, having made room.
    fn fill(&mut self, missing: usize, target_bytes: usize) {
        if self.filled == self.buffer.len() {
            self.make_room(missing, target_bytes);
        }
        loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.input_ended = true,
                // A source that claims more than it was given room for is not believed.
                Ok(count) => self.filled = (self.filled + count).min(self.buffer.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => {
                    self.failure = Some(ReadError::Io {
                        offset: self.offset + self.filled as u64,
                        source,
                    });
                }
            }
            return;
        }
    }

    /// Makes room for what is missing, but not for more than has arrived already.
    fn make_room(&mut self, missing: usize, target_bytes: usize) {
        if !self.batch_begun {
            self.forget_passed();
        }
        let room = missing.clamp(MIN_ROOM_BYTES, self.filled.max(MIN_ROOM_BYTES));
        let size = (self.filled + room).max(target_bytes + MIN_ROOM_BYTES);
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
    }

    /// Drops the bytes that were passed.
    fn forget_passed(&mut self) {
        if self.at == 0 {
            return;
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        self.offset += self.at as u64;
        self.filled -= self.at;
        self.at = 0;
        if self.buffer.len() > KEPT_BYTES && self.filled < BUFFER_BYTES {
            self.buffer.truncate(BUFFER_BYTES);
            self.buffer.shrink_to_fit();
        }
    }

    /// Hands over the bytes up to `end`, and keeps the rest.
    fn take_buffer(&mut self, batch: &mut CommandBatch, end: usize, target_bytes: usize) {
        let rest = &self.buffer[end..self.filled];
        let mut buffer = std::mem::take(&mut batch.bytes);
        let wanted = if self.input_ended {
            0
        } else {
            target_bytes + MIN_ROOM_BYTES
        };
        buffer.resize(rest.len().max(wanted), 0);
        buffer[..rest.len()].copy_from_slice(rest);
        let kept = rest.len();
        let mut bytes = std::mem::replace(&mut self.buffer, buffer);
        bytes.truncate(end);
        batch.bytes = bytes;
        batch.offset = self.offset;
        self.offset += end as u64;
        self.filled = kept;
        self.at = 0;
    }
}
