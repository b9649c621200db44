//! Redis's RDB format: bytes to plain entries and back.
//!
//! It is the format of `dump.rdb`, of an AOF's base, of a full synchronization and,
//! for one value at a time, of DUMP, RESTORE and MIGRATE.
//!
//! ```text
//! file    "REDIS" | version (4 digits) | item … | 0xFF | CRC-64 (8 bytes, LE)
//! item    opcode ≥ 243 | operands          aux field, database, size hints, function …
//!         [expiry] [access] type | key | value
//! dump    type | value | version (u16 LE) | CRC-64 (u64 LE)
//! ```
//!
//! Reading has two halves, so that cores can share it. A [`Reader`] only walks over
//! the bytes and hands out [`Batch`]es of whole items; decoding an entry of a batch
//! ([`RawEntry::decode`]) needs nothing but the batch, and borrows from it. Writing
//! is an [`Encoder`] that serializes values piece by piece into any [`std::io::Write`],
//! and a [`Writer`] that makes a file of them.
//!
//! This crate knows no keyspace, no thresholds, no files and no threads.
//!
//! Invariants: bytes from outside lead to an [`RdbError`] that says where and what,
//! never to a panic; and no announced length or count makes an allocation, only data
//! that is there.

#![forbid(unsafe_code)]

pub mod crc64;
pub mod lzf;

mod cursor;
mod decode;
mod dump;
mod error;
mod opcode;
mod read;
mod string;
mod value;
mod value_type;
mod walk;
mod write;

pub use decode::Validation;
pub use dump::{DumpPayload, dump_functions, open_functions, seal_dump};
pub use error::{RdbError, RdbErrorKind};
pub use read::{Access, Batch, ChecksumPolicy, ChecksumState, Item, LyingEntry, RawEntry, Reader};
pub use string::Str;
pub use value::{
    ExpiringField, ListNode, PlainConsumer, PlainGroup, PlainHash, PlainList, PlainPending,
    PlainSet, PlainSortedSet, PlainStream, PlainValue, StreamId, StreamNode,
};
pub use value_type::ValueType;
pub use write::{
    Compression, Encoder, EntryHead, Form, GroupHead, Preamble, Replication, StreamHead, Writer,
};

/// The newest version of the format that is read: that of Redis 7.4 and 8.0.
pub const NEWEST_READABLE: u16 = 12;

/// The versions of the format that can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// What Redis 7.0 reads.
    V10 = 10,
    /// What Redis 7.2 and Valkey read.
    #[default]
    V11 = 11,
    /// What Redis 7.4 reads: hashes may hold fields that expire.
    V12 = 12,
}

impl Version {
    /// The version as a file and a dump state it.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }
}
