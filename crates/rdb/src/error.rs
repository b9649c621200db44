//! Why bytes are no RDB: what was wrong, where, and in what.

use std::io;

use ochre_structures::{intset, listpack};

/// A failure to read, with its place.
#[derive(Debug, thiserror::Error)]
#[error("{kind}, at byte {offset}, reading {what}")]
pub struct RdbError {
    /// Bytes from the start of the file or payload. Within a string that is
    /// compressed: where that string starts.
    pub offset: u64,
    /// What was being read: "hash field", "checksum".
    pub what: &'static str,
    /// What is wrong with it.
    #[source]
    pub kind: RdbErrorKind,
}

/// What is wrong with the bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RdbErrorKind {
    /// The input ends too early.
    #[error("the input ends {missing} or more bytes too early")]
    Truncated {
        /// How many bytes more are needed at least.
        missing: u64,
    },
    /// The input could not be read.
    #[error("reading failed: {0}")]
    Io(#[source] io::Error),
    /// The file does not start with `REDIS` and four digits.
    #[error("wrong signature, not an RDB file of Redis")]
    Magic,
    /// The file, or dump payload, is of a version that is not known.
    #[error("can't handle RDB format version {0}")]
    Version(u32),
    /// A byte that is neither an opcode nor a type of value.
    #[error("unknown type or opcode {0}")]
    Opcode(u8),
    /// A length was expected, and there is none.
    #[error("invalid length encoding {0:#04x}")]
    Length(u8),
    /// A database number that does not fit.
    #[error("database number {0} is out of range")]
    Database(u64),
    /// A string encoding that is not known.
    #[error("unknown string encoding {0}")]
    StringEncoding(u8),
    /// A compressed string is malformed, or is not as long as announced.
    #[error("invalid LZF compressed string")]
    Compression,
    /// A malformed listpack.
    #[error("{0}")]
    Listpack(#[source] listpack::Error),
    /// A malformed intset.
    #[error("{0}")]
    Intset(#[source] intset::Error),
    /// A malformed ziplist.
    #[error("ziplist is malformed at its byte {at}")]
    Ziplist {
        /// Bytes from the start of the ziplist.
        at: usize,
    },
    /// A malformed zipmap.
    #[error("zipmap is malformed at its byte {at}")]
    Zipmap {
        /// Bytes from the start of the zipmap.
        at: usize,
    },
    /// A small collection that is too large for its encoding.
    #[error("{0} bytes are too many for this encoding")]
    TooLarge(usize),
    /// A member, field, node, group or consumer occurs twice.
    #[error("duplicate")]
    Duplicate,
    /// A collection without elements, which Redis never stores. Redis leaves such
    /// a key out when it loads a file, and refuses it in RESTORE.
    #[error("empty collection")]
    Empty,
    /// A score that is no number.
    #[error("invalid score")]
    Score,
    /// A time to expire that is out of range.
    #[error("invalid expiry")]
    Expiry,
    /// A list node of an unknown kind.
    #[error("unknown list node container {0}")]
    Container(u64),
    /// A stream whose parts do not agree.
    #[error("{0}")]
    Stream(&'static str),
    /// The value of a module.
    #[error("the data type of module {name}, version {version}, is not supported")]
    Module {
        /// The nine characters that name the type.
        name: String,
        /// The version of the type's encoding.
        version: u16,
    },
    /// The data of a module that says nothing of its own length.
    #[error("module data of a Redis 4.0 release candidate is not supported")]
    PreReleaseModule,
    /// A function in the form of a release candidate.
    #[error("functions of a Redis 7.0 release candidate are not supported")]
    PreReleaseFunction,
    /// An unknown part within the data of a module.
    #[error("unknown module opcode {0}")]
    ModuleOpcode(u64),
    /// The checksum does not match.
    #[error("wrong checksum: stored {stored:016x}, computed {computed:016x}")]
    Checksum {
        /// What the file says.
        stored: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// Bytes after the end of a value.
    #[error("{0} bytes too many")]
    Trailing(usize),
}

/// The result of reading.
pub(crate) type Result<T> = std::result::Result<T, RdbError>;
