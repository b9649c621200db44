//! Some consecutive items of a file: their bytes, and where each of them is.
//!
//! ```text
//! bytes   … | item | item | … | item        one run of the file
//! items       kind, where its key and value are in `bytes`
//! ```
//!
//! Invariant: the ranges of the items lie within the bytes, and values were walked to
//! their end.

use std::ops::Range;

use crate::cursor::{self, Cursor};
use crate::decode::{self, Validation};
use crate::error::{RdbErrorKind, Result};
use crate::string::Str;
use crate::value::PlainValue;
use crate::value_type::ValueType;

/// How a key was used, for eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Seconds since its last use.
    Idle {
        /// The seconds.
        seconds: u64,
    },
    /// The logarithmic counter of its uses.
    Frequency(u8),
}

/// What became of the checksum at the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumState {
    /// It is right.
    Verified,
    /// The file was written without, or it was not to be looked at.
    Unchecked,
    /// Files of versions up to 4 have none.
    Absent,
}

/// One item of a file.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A named fact about the file: `redis-ver`, `ctime`, `aof-base` …
    Aux {
        /// Its name.
        key: Str<'a>,
        /// The fact.
        value: Str<'a>,
    },
    /// The entries that follow belong to this database.
    SelectDb(u32),
    /// How many keys follow in this database: a hint, not to be trusted.
    ResizeDb {
        /// All keys.
        keys: u64,
        /// Those that expire.
        expires: u64,
    },
    /// How many keys of a cluster slot follow: a hint, not to be trusted.
    SlotInfo {
        /// The slot.
        slot: u64,
        /// All keys.
        keys: u64,
        /// Those that expire.
        expires: u64,
    },
    /// Data of a module that belongs to no key. It was passed by.
    ModuleAux {
        /// The nine characters that name the module's type.
        module: String,
    },
    /// The code of a function library.
    Function(Str<'a>),
    /// A key and its value.
    Entry(RawEntry<'a>),
    /// The end of the file.
    Eof(ChecksumState),
}

/// A key, and the bytes of its value.
#[derive(Clone, Debug)]
pub struct RawEntry<'a> {
    /// The key's database.
    pub database: u32,
    /// The key.
    pub key: Str<'a>,
    /// When the key expires, in milliseconds since 1970; may be long ago.
    pub expiry_ms: Option<i64>,
    /// How the key was used.
    pub access: Option<Access>,
    /// How the value is stored.
    pub value_type: ValueType,
    /// The value's bytes.
    pub value: &'a [u8],
    /// Where the value starts in the file.
    pub value_offset: u64,
}

impl<'a> RawEntry<'a> {
    /// The value. O(its bytes).
    ///
    /// # Errors
    /// What is malformed in it, or of a module, or empty ([`RdbErrorKind::Empty`]).
    pub fn decode(&self, validation: Validation) -> Result<PlainValue<'a>> {
        let mut cursor = Cursor::new(self.value, self.value_offset, "value");
        let value = decode::decode(self.value_type, &mut cursor, validation)?;
        match cursor.remaining() {
            0 => Ok(value),
            rest => Err(cursor.error(RdbErrorKind::Trailing(rest))),
        }
    }
}

/// A key and its value as they lie in a batch: two words, of which nothing was read.
#[derive(Clone, Copy, Debug)]
pub struct LyingEntry<'a> {
    batch: &'a Batch,
    placed: &'a PlacedEntry,
}

impl<'a> LyingEntry<'a> {
    /// The key's database.
    #[inline]
    #[must_use]
    pub fn database(&self) -> u32 {
        self.placed.database
    }

    /// How the value is stored.
    #[inline]
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.placed.value_type
    }

    /// When the key expires, in milliseconds since 1970; may be long ago.
    #[inline]
    #[must_use]
    pub fn expiry_ms(&self) -> Option<i64> {
        self.placed.metadata.expiry_ms
    }

    /// How the key was used.
    #[inline]
    #[must_use]
    pub fn access(&self) -> Option<Access> {
        self.placed.metadata.access
    }

    /// Where the value starts in the file.
    #[inline]
    #[must_use]
    pub fn value_offset(&self) -> u64 {
        self.batch.offset + self.placed.value.start as u64
    }

    /// Key and value, if that is a string and both are stored as they are: what most
    /// entries of most files are, without the detours that the others need.
    #[inline]
    #[must_use]
    pub fn plain_text(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.placed.value_type != ValueType::String {
            return None;
        }
        let bytes = &self.batch.bytes[..];
        let key = bytes.get(self.placed.key.clone())?;
        let value = bytes.get(self.placed.value.clone())?;
        Some((cursor::plain_string(key)?, cursor::plain_string(value)?))
    }

    /// The entry, its key read.
    ///
    /// # Errors
    /// The key is compressed and cannot be decompressed.
    pub fn raw(&self) -> Result<RawEntry<'a>> {
        self.batch.raw_entry(self.placed)
    }
}

/// Where a string is in a batch.
pub(super) type Place = Range<usize>;

/// An item as a batch keeps it.
#[derive(Clone, Debug)]
pub(super) enum Placed {
    Aux { key: Place, value: Place },
    SelectDb(u32),
    ResizeDb { keys: u64, expires: u64 },
    SlotInfo { slot: u64, keys: u64, expires: u64 },
    ModuleAux { module: u64 },
    Function(Place),
    Entry(PlacedEntry),
    Eof(ChecksumState),
}

#[derive(Clone, Debug)]
pub(super) struct PlacedEntry {
    pub(super) database: u32,
    pub(super) metadata: Metadata,
    pub(super) value_type: ValueType,
    pub(super) key: Place,
    pub(super) value: Place,
}

/// What was said of the next key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Metadata {
    pub(super) expiry_ms: Option<i64>,
    pub(super) access: Option<Access>,
}

/// Consecutive items of a file. Owns its bytes, so it can be sent to another thread.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(super) bytes: Vec<u8>,
    /// Where the bytes start in the file.
    pub(super) offset: u64,
    pub(super) items: Vec<Placed>,
}

impl Batch {
    /// The number of items; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no items. Never so for a batch that a reader gave.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Where the batch starts in the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The items, in the order of the file.
    ///
    /// # Errors
    /// Of an item: its compressed key, name or function cannot be decompressed.
    pub fn items(&self) -> impl Iterator<Item = Result<Item<'_>>> {
        self.items.iter().map(|placed| self.item(placed))
    }

    /// The items that are entries, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = LyingEntry<'_>> {
        self.items.iter().filter_map(|placed| match placed {
            Placed::Entry(placed) => Some(LyingEntry {
                batch: self,
                placed,
            }),
            _ => None,
        })
    }

    /// The items that are no entries, in the order of the file. Costs next to nothing
    /// for entries.
    ///
    /// # Errors
    /// As of [`Batch::items`].
    pub fn facts(&self) -> impl Iterator<Item = Result<Item<'_>>> {
        self.items
            .iter()
            .filter(|placed| !matches!(placed, Placed::Entry(_)))
            .map(|placed| self.item(placed))
    }

    fn item(&self, placed: &Placed) -> Result<Item<'_>> {
        Ok(match placed {
            Placed::Aux { key, value } => Item::Aux {
                key: self.string(key, "auxiliary field")?,
                value: self.string(value, "auxiliary field")?,
            },
            &Placed::SelectDb(database) => Item::SelectDb(database),
            &Placed::ResizeDb { keys, expires } => Item::ResizeDb { keys, expires },
            &Placed::SlotInfo {
                slot,
                keys,
                expires,
            } => Item::SlotInfo {
                slot,
                keys,
                expires,
            },
            &Placed::ModuleAux { module } => Item::ModuleAux {
                module: decode::module_type(module).0,
            },
            Placed::Function(code) => Item::Function(self.string(code, "function library")?),
            Placed::Entry(entry) => Item::Entry(self.raw_entry(entry)?),
            &Placed::Eof(state) => Item::Eof(state),
        })
    }

    fn raw_entry(&self, entry: &PlacedEntry) -> Result<RawEntry<'_>> {
        Ok(RawEntry {
            database: entry.database,
            key: self.string(&entry.key, "key")?,
            expiry_ms: entry.metadata.expiry_ms,
            access: entry.metadata.access,
            value_type: entry.value_type,
            value: self.bytes.get(entry.value.clone()).unwrap_or_default(),
            value_offset: self.offset + entry.value.start as u64,
        })
    }

    fn string(&self, place: &Place, what: &'static str) -> Result<Str<'_>> {
        let bytes = self.bytes.get(place.clone()).unwrap_or_default();
        Cursor::new(bytes, self.offset + place.start as u64, what).string()
    }
}
