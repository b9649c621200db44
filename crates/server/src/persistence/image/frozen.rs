//! An entry as it was, to be encoded without a lock.

use std::io::{self, Write};
use std::sync::Arc;

use ochre_rdb::{Access, Encoder, EntryHead};
use ochre_store::{Entry, Kind, Object, Value};
use ochre_structures::field_map::FrozenFieldMap;
use ochre_structures::list::FrozenList;
use ochre_structures::member_set::FrozenMemberSet;
use ochre_structures::sorted_set::FrozenSortedSet;
use ochre_structures::stream::FrozenStream;

use super::value::{HashFields, HashTable, SetTable};
use super::{KeptAccess, ValueImage, commands, encode};

/// An entry that no longer changes, whatever is written to the one it was taken from.
/// It shares that one's nodes; those are freed with the last that has them.
pub struct FrozenEntry {
    key: Box<[u8]>,
    expiry_ms: Option<i64>,
    access: Option<Access>,
    value: FrozenValue,
}

enum FrozenValue {
    Integer(i64),
    /// The payload of an entry of this kind, copied.
    Inline(Kind, Box<[u8]>),
    String(Arc<Vec<u8>>),
    List(FrozenList),
    Set(FrozenMemberSet),
    SortedSet(FrozenSortedSet),
    Hash {
        fields: FrozenFieldMap,
        with_deadline: usize,
        earliest_ms: u64,
    },
    Stream(FrozenStream),
}

const _: () = {
    const fn sendable<T: Send>() {}
    sendable::<FrozenEntry>();
};

impl FrozenEntry {
    /// The entry as it is now. O(nodes) pointer copies; a value in one piece within its
    /// entry is copied.
    pub fn new(entry: &Entry, kept: KeptAccess) -> Self {
        let value = match entry.value() {
            Value::Int(value) => FrozenValue::Integer(value),
            Value::Object(object) => freeze(object),
            Value::Str(bytes)
            | Value::PackedList(bytes)
            | Value::PackedHash(bytes)
            | Value::PackedHashEx(bytes)
            | Value::IntSet(bytes)
            | Value::PackedSet(bytes)
            | Value::PackedSortedSet(bytes) => FrozenValue::Inline(entry.kind(), bytes.into()),
        };
        Self {
            key: entry.key().into(),
            expiry_ms: entry.expiry_ms(),
            access: kept.of(entry),
            value,
        }
    }

    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The deadline in milliseconds of Unix time.
    pub fn expiry_ms(&self) -> Option<i64> {
        self.expiry_ms
    }

    /// The value, for reading.
    pub fn value(&self) -> ValueImage<'_> {
        match &self.value {
            FrozenValue::Integer(value) => ValueImage::Integer(*value),
            FrozenValue::Inline(kind, bytes) => ValueImage::of_bytes(*kind, bytes),
            FrozenValue::String(bytes) => ValueImage::String(bytes),
            FrozenValue::List(list) => ValueImage::List(list),
            FrozenValue::Set(set) => ValueImage::Set(SetTable::Frozen(set)),
            FrozenValue::SortedSet(set) => ValueImage::SortedSet(set.iter()),
            FrozenValue::Hash {
                fields,
                with_deadline,
                earliest_ms,
            } => ValueImage::Hash(HashTable {
                fields: HashFields::Frozen(fields),
                with_deadline: *with_deadline,
                earliest_ms: *earliest_ms,
            }),
            FrozenValue::Stream(stream) => ValueImage::Stream(stream),
        }
    }

    /// Writes it as a whole RDB item. O(bytes).
    ///
    /// # Errors
    /// Those of `out`.
    pub fn encode(self, encoder: &mut Encoder, out: &mut impl Write) -> io::Result<()> {
        let head = EntryHead {
            key: &self.key,
            expiry_ms: self.expiry_ms,
            access: self.access,
        };
        encode(&head, &self.value(), encoder, out)
    }

    /// Writes it as the commands that make it. O(bytes).
    ///
    /// # Errors
    /// Those of `out`.
    pub fn encode_as_commands(self, out: &mut impl Write) -> io::Result<()> {
        commands::write(&self.key, self.expiry_ms, &self.value(), out)
    }
}

fn freeze(object: &Object) -> FrozenValue {
    match object {
        Object::String(bytes) => FrozenValue::String(bytes.clone()),
        Object::List(list) => FrozenValue::List(list.freeze()),
        Object::SortedSet(set) => FrozenValue::SortedSet(set.freeze()),
        Object::Stream(stream) => FrozenValue::Stream(stream.freeze()),
        Object::Hash(map) => FrozenValue::Hash {
            fields: map.freeze(),
            with_deadline: map.with_deadline(),
            earliest_ms: map.earliest_deadline_ms(),
        },
        Object::Set(set) => FrozenValue::Set(set.freeze()),
    }
}

impl std::fmt::Debug for FrozenEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrozenEntry")
            .field("key", &self.key.escape_ascii().to_string())
            .field("form", &self.value().form())
            .field("expiry_ms", &self.expiry_ms)
            .finish()
    }
}
