//! Why a file is not, or not wholly, an append-only file.

use std::io;

/// A failure to read on. All offsets count from the start of the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file ends where it must not: its tail was torn off. What is before
    /// `valid_up_to` is whole.
    #[error("the file ends within {torn} (at byte {offset}), it is valid up to byte {valid_up_to}")]
    Truncated {
        /// The end of the last complete command or annotation outside of any
        /// transaction.
        valid_up_to: u64,
        /// Where the piece that is cut off starts.
        offset: u64,
        /// What is cut off.
        torn: Torn,
    },
    /// The bytes are none that were ever written.
    #[error("{fault} (at byte {offset}), the file is valid up to byte {valid_up_to}")]
    Format {
        /// See [`ReadError::Truncated`].
        valid_up_to: u64,
        /// Where the wrong bytes are.
        offset: u64,
        /// What is wrong with them.
        fault: FormatFault,
    },
    /// The source failed.
    #[error("reading failed at byte {offset}: {source}")]
    Io {
        /// How far it was read.
        offset: u64,
        /// Why.
        source: io::Error,
    },
}

/// What the end of a file cuts off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Torn {
    /// The line with a command's count or an argument's length.
    #[error("a command")]
    Line,
    /// An argument, of whose bytes, with the line end, so many were expected and so
    /// many are there.
    #[error("an argument, {found} of whose {expected} bytes are there")]
    Argument {
        /// The bytes of the argument and its line end.
        expected: u64,
        /// Those that are there.
        found: u64,
    },
    /// A transaction: between two of its commands.
    #[error("a transaction without EXEC")]
    Transaction,
    /// An annotation.
    #[error("an annotation")]
    Annotation,
}

/// What is wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatFault {
    /// Neither a command nor an annotation starts here.
    #[error("expected a command, got byte {found:#04x}")]
    Start {
        /// The byte that is there.
        found: u8,
    },
    /// A command of no arguments, or of too many.
    #[error("invalid number of arguments")]
    Count,
    /// An argument does not start with its length.
    #[error("expected the length of an argument, got byte {found:#04x}")]
    Prefix {
        /// The byte that is there.
        found: u8,
    },
    /// The length of an argument is no number, or out of range.
    #[error("invalid length of an argument")]
    Length,
    /// A line or an argument is not followed by a line end.
    #[error("expected a line end, got bytes {:#04x} {:#04x}", found[0], found[1])]
    LineEnd {
        /// The bytes that are there.
        found: [u8; 2],
    },
    /// A transaction within a transaction.
    #[error("MULTI within a transaction")]
    UnexpectedMulti,
    /// The end of a transaction that has not begun.
    #[error("EXEC without MULTI")]
    UnexpectedExec,
    /// An annotation longer than any that Redis reads.
    #[error("an annotation is too long")]
    LongAnnotation,
    /// A time that is no number. Found only when times matter.
    #[error("invalid timestamp annotation")]
    Timestamp,
}

impl ReadError {
    /// Up to where the file is whole; `None` if it could not be read.
    #[must_use]
    pub fn valid_up_to(&self) -> Option<u64> {
        match self {
            ReadError::Truncated { valid_up_to, .. } | ReadError::Format { valid_up_to, .. } => {
                Some(*valid_up_to)
            }
            ReadError::Io { .. } => None,
        }
    }
}
