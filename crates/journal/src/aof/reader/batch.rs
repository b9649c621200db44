//! Commands as they were found: slices of the bytes they were read into.

use super::scan::Span;

/// A command. Borrows from what it was read by.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// From its first byte on.
    bytes: &'a [u8],
    spans: &'a [Span],
    offset: u64,
    end: u64,
}

impl<'a> Command<'a> {
    pub(super) fn new(bytes: &'a [u8], spans: &'a [Span], offset: u64) -> Self {
        Command {
            bytes,
            spans,
            offset,
            end: offset + bytes.len() as u64,
        }
    }

    /// The number of its arguments with its name; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether it has no arguments. Never so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Its name, as written.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.argument(0).unwrap_or_default()
    }

    /// An argument; the name is number 0.
    #[must_use]
    pub fn argument(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| self.slice(*span))
    }

    /// The arguments, from the name on.
    pub fn arguments(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let command = *self;
        self.spans.iter().map(move |span| command.slice(*span))
    }

    /// The whole command as it is in the file.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where it starts in the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Where it ends in the file.
    #[must_use]
    pub fn end_offset(&self) -> u64 {
        self.end
    }

    /// Whether it begins a transaction.
    #[must_use]
    #[inline]
    pub fn is_multi(&self) -> bool {
        self.name().eq_ignore_ascii_case(b"multi")
    }

    /// Whether it ends a transaction.
    #[must_use]
    #[inline]
    pub fn is_exec(&self) -> bool {
        self.name().eq_ignore_ascii_case(b"exec")
    }

    #[inline]
    fn slice(&self, span: Span) -> &'a [u8] {
        // A span lies within its command: the scan has seen its bytes.
        self.bytes
            .get(span.start..span.start + span.len)
            .unwrap_or_default()
    }
}

/// Where a command of a batch starts and ends, and where its spans end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) spans_end: usize,
}

/// Consecutive commands of a file. Owns its bytes, so it can be sent to another
/// thread. Holds transactions whole.
#[derive(Clone, Debug, Default)]
pub struct CommandBatch {
    pub(super) bytes: Vec<u8>,
    pub(super) spans: Vec<Span>,
    pub(super) commands: Vec<Placed>,
    /// Where the bytes start in the file.
    pub(super) offset: u64,
}

impl CommandBatch {
    /// The number of commands; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there are no commands. Never so for a batch that a reader gave.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Where the batch starts in the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the last command ends in the file.
    #[must_use]
    pub fn end_offset(&self) -> u64 {
        self.offset + self.commands.last().map_or(0, |last| last.end as u64)
    }

    /// The commands, in the order of the file.
    pub fn commands(&self) -> impl ExactSizeIterator<Item = Command<'_>> {
        let mut spans_start = 0;
        self.commands.iter().map(move |placed| {
            let spans = self.spans.get(spans_start..placed.spans_end);
            spans_start = placed.spans_end;
            let bytes = self.bytes.get(placed.start..placed.end);
            Command::new(
                bytes.unwrap_or_default(),
                spans.unwrap_or_default(),
                self.offset + placed.start as u64,
            )
        })
    }
}
