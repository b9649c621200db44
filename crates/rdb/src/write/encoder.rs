//! Values as bytes, piece by piece.
//!
//! The pieces of a value are written in the order of its grammar: for a large
//! collection its count first, then as many elements, whenever and in as many slices
//! as the caller likes. In between the caller may keep nothing but its own place.
//!
//! ```text
//! string                          string | integer
//! list, `nodes`                   count (nodes)   | packed_node or plain_node …
//! set, one by one                 count (members) | element …
//! sorted set, one by one          count (members) | scored_member …
//! hash, one by one                count (fields)  | element, element …
//! hash with fields that expire    expiring_fields | expiring_field …
//! any of them as a listpack       listpack, or set_listpack; intset
//! ```
//!
//! Invariant: what is written depends on the version alone, never on what was written
//! before: values can be encoded by several encoders and put together.

use std::io::{self, Write};

use ochre_structures::listpack::{Element, Listpack, parse_integer};

use super::primitives;
use crate::Version;
use crate::lzf::Compressor;
use crate::opcode;
use crate::read::Access;
use crate::value_type::ValueType;

/// Strings of more bytes than these may be compressed.
const MAX_UNCOMPRESSED: usize = 20;

/// What Redis lets compression save at least.
const MIN_SAVED: usize = 4;

/// The longest decimal form of a 32-bit integer.
const MAX_INTEGER_DIGITS: usize = 11;

const PLAIN_NODE: u64 = 1;
const PACKED_NODE: u64 = 2;

/// A listpack of one element, the empty string.
const EMPTY_ELEMENT: [u8; 9] = [9, 0, 0, 0, 1, 0, 0x80, 1, 0xff];

/// The setting `rdbcompression`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Strings of more than 20 bytes are compressed where that saves anything.
    #[default]
    Lzf,
    /// Strings are stored as they are.
    Off,
}

/// In what form a value is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A string.
    String,
    /// A list in nodes.
    ListNodes,
    /// A set as an intset.
    SetIntset,
    /// A set as a listpack; in version 10, which knows none, as its members.
    SetListpack,
    /// A set, member by member.
    SetMembers,
    /// A sorted set as a listpack.
    SortedSetListpack,
    /// A sorted set, member by member.
    SortedSetMembers,
    /// A hash as a listpack.
    HashListpack,
    /// A hash, field by field.
    HashFields,
    /// A hash, field by field, some of which expire. Only Redis 7.4 and later, and
    /// Ochre, read it, whatever version the file states: there is no older form.
    HashExpiringFields,
    /// A stream.
    Stream,
}

/// What stands before a value.
#[derive(Clone, Copy, Debug)]
pub struct EntryHead<'a> {
    /// The key.
    pub key: &'a [u8],
    /// When it expires, in milliseconds since 1970.
    pub expiry_ms: Option<i64>,
    /// How it was used, if that is to be kept.
    pub access: Option<Access>,
}

/// Writes values. Holds 32 KB for compression, so it is made once and kept.
#[derive(Clone, Debug)]
pub struct Encoder {
    pub(super) version: Version,
    compressor: Option<Compressor>,
}

impl Encoder {
    /// An encoder for files, or dumps, of this version.
    #[must_use]
    pub fn new(version: Version, compression: Compression) -> Self {
        Encoder {
            version,
            compressor: match compression {
                Compression::Lzf => Some(Compressor::new()),
                Compression::Off => None,
            },
        }
    }

    /// The version that is written.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The version that a dump of this form must state: that which first knew it, if
    /// it is newer than the encoder's.
    #[must_use]
    pub fn dump_version(&self, form: Form) -> Version {
        match form {
            Form::HashExpiringFields => Version::V12,
            _ => self.version,
        }
    }

    /// The type that values of this form have in this version.
    #[must_use]
    pub fn value_type(&self, form: Form) -> ValueType {
        match form {
            Form::String => ValueType::String,
            Form::ListNodes => ValueType::ListQuicklist2,
            Form::SetIntset => ValueType::SetIntset,
            Form::SetListpack if self.version >= Version::V11 => ValueType::SetListpack,
            Form::SetListpack | Form::SetMembers => ValueType::Set,
            Form::SortedSetListpack => ValueType::SortedSetListpack,
            Form::SortedSetMembers => ValueType::SortedSet2,
            Form::HashListpack => ValueType::HashListpack,
            Form::HashFields => ValueType::Hash,
            Form::HashExpiringFields => ValueType::HashExpiring,
            Form::Stream if self.version >= Version::V11 => ValueType::StreamListpacks3,
            Form::Stream => ValueType::StreamListpacks2,
        }
    }

    /// All that stands before a value in a file. The value must follow.
    pub fn entry_head(
        &mut self,
        out: &mut impl Write,
        head: &EntryHead<'_>,
        form: Form,
    ) -> io::Result<()> {
        if let Some(expiry_ms) = head.expiry_ms {
            out.write_all(&[opcode::EXPIRY_MS])?;
            out.write_all(&expiry_ms.to_le_bytes())?;
        }
        match head.access {
            None => (),
            Some(Access::Idle { seconds }) => {
                out.write_all(&[opcode::IDLE])?;
                primitives::length(out, seconds)?;
            }
            Some(Access::Frequency(frequency)) => {
                out.write_all(&[opcode::FREQUENCY, frequency])?;
            }
        }
        self.dump_head(out, form)?;
        self.string(out, head.key)
    }

    /// All that stands before a value in a dump: its type.
    pub fn dump_head(&self, out: &mut impl Write, form: Form) -> io::Result<()> {
        out.write_all(&[self.value_type(form).code()])
    }

    /// A string: also a whole value of the form [`Form::String`].
    pub fn string(&mut self, out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() <= MAX_INTEGER_DIGITS
            && let Some(value) = parse_integer(bytes)
        {
            return primitives::integer_string(out, value);
        }
        self.bytes(out, bytes)
    }

    /// An integer in place of a string.
    pub fn integer(&mut self, out: &mut impl Write, value: i64) -> io::Result<()> {
        primitives::integer_string(out, value)
    }

    /// An element of a collection: a member, field or value.
    pub fn element(&mut self, out: &mut impl Write, element: Element<'_>) -> io::Result<()> {
        match element {
            Element::Int(value) => self.integer(out, value),
            Element::Str(bytes) => self.string(out, bytes),
        }
    }

    /// How many nodes, members or fields follow; at least one.
    pub fn count(&mut self, out: &mut impl Write, count: u64) -> io::Result<()> {
        primitives::length(out, count)
    }

    /// A node of a list that is a listpack.
    pub fn packed_node(&mut self, out: &mut impl Write, listpack: &[u8]) -> io::Result<()> {
        primitives::length(out, PACKED_NODE)?;
        self.bytes(out, listpack)
    }

    /// A node of a list that is one element.
    pub fn plain_node(&mut self, out: &mut impl Write, element: &[u8]) -> io::Result<()> {
        if element.is_empty() {
            // Redis takes a plain node without bytes for a broken file.
            return self.packed_node(out, &EMPTY_ELEMENT);
        }
        primitives::length(out, PLAIN_NODE)?;
        self.bytes(out, element)
    }

    /// An intset: a whole value of the form [`Form::SetIntset`].
    pub fn intset(&mut self, out: &mut impl Write, intset: &[u8]) -> io::Result<()> {
        self.bytes(out, intset)
    }

    /// A listpack: a whole sorted set or hash, or a node of a stream.
    pub fn listpack(&mut self, out: &mut impl Write, listpack: &[u8]) -> io::Result<()> {
        self.bytes(out, listpack)
    }

    /// A whole value of the form [`Form::SetListpack`].
    pub fn set_listpack(&mut self, out: &mut impl Write, listpack: &[u8]) -> io::Result<()> {
        if self.value_type(Form::SetListpack) == ValueType::SetListpack {
            return self.bytes(out, listpack);
        }
        let members = Listpack(listpack);
        self.count(out, members.len() as u64)?;
        for member in members.iter() {
            self.element(out, member)?;
        }
        Ok(())
    }

    /// A member of a sorted set.
    pub fn scored_member(
        &mut self,
        out: &mut impl Write,
        member: Element<'_>,
        score: f64,
    ) -> io::Result<()> {
        self.element(out, member)?;
        out.write_all(&score.to_le_bytes())
    }

    /// How many fields follow of a hash some fields of which expire, the first of
    /// them at `earliest_ms` (any time, if none does).
    pub fn expiring_fields(
        &mut self,
        out: &mut impl Write,
        count: u64,
        earliest_ms: u64,
    ) -> io::Result<()> {
        out.write_all(&earliest_ms.to_le_bytes())?;
        primitives::length(out, count)
    }

    /// A field of such a hash, and its value. `earliest_ms` is that of the hash, and
    /// no deadline is before it.
    pub fn expiring_field(
        &mut self,
        out: &mut impl Write,
        field: Element<'_>,
        value: Element<'_>,
        expiry_ms: Option<u64>,
        earliest_ms: u64,
    ) -> io::Result<()> {
        let after = expiry_ms.map_or(0, |expiry_ms| expiry_ms.saturating_sub(earliest_ms) + 1);
        primitives::length(out, after)?;
        self.element(out, field)?;
        self.element(out, value)
    }

    /// A string that is not looked at for an integer.
    pub(super) fn bytes(&mut self, out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > MAX_UNCOMPRESSED
            && let Some(compressor) = &mut self.compressor
            && let Some(compressed) = compressor.compress(bytes, bytes.len() - MIN_SAVED)
        {
            return primitives::compressed_string(out, compressed, bytes.len());
        }
        primitives::plain_string(out, bytes)
    }
}
