//! What Redis calls the type and the encoding of a value. The names are Redis 7.2's,
//! whatever is behind them here.

use super::{Entry, Value};
use crate::object::Type;

/// The longest string that Redis keeps in one allocation with its header (`embstr`).
const EMBEDDED_BYTES_MAX: usize = 44;

impl Entry {
    /// The type of the value, as TYPE names it.
    pub fn value_type(&self) -> Type {
        match self.value() {
            Value::Int(_) | Value::Str(_) => Type::String,
            Value::PackedList(_) => Type::List,
            Value::PackedHash(_) | Value::PackedHashEx(_) => Type::Hash,
            Value::IntSet(_) | Value::PackedSet(_) => Type::Set,
            Value::PackedSortedSet(_) => Type::SortedSet,
            Value::Object(object) => object.value_type(),
        }
    }
}

/// The encoding of a value as OBJECT ENCODING of Redis 7.2 names it (`listpackex`, of
/// hashes with deadlines on fields, as 7.4 does).
pub fn encoding_name(entry: &Entry) -> &'static str {
    match entry.value() {
        Value::Int(_) => "int",
        Value::Str(bytes) if bytes.len() <= EMBEDDED_BYTES_MAX && !entry.is_raw() => "embstr",
        Value::Str(_) => "raw",
        Value::PackedList(_)
        | Value::PackedHash(_)
        | Value::PackedSet(_)
        | Value::PackedSortedSet(_) => "listpack",
        Value::PackedHashEx(_) => "listpackex",
        Value::IntSet(_) => "intset",
        Value::Object(object) => object.encoding_name(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Kind, Payload};
    use super::*;
    use crate::object::Object;

    fn named(payload: Payload<'_>) -> (&'static str, &'static str) {
        let entry = Entry::new(b"k", payload, None);
        (entry.value_type().name(), encoding_name(&entry))
    }

    #[test]
    fn every_kind_has_the_names_of_redis() {
        assert_eq!(named(Payload::Int(1)), ("string", "int"));
        for (kind, names) in [
            (Kind::PackedList, ("list", "listpack")),
            (Kind::PackedHash, ("hash", "listpack")),
            (Kind::PackedHashEx, ("hash", "listpackex")),
            (Kind::IntSet, ("set", "intset")),
            (Kind::PackedSet, ("set", "listpack")),
            (Kind::PackedSortedSet, ("zset", "listpack")),
        ] {
            assert_eq!(named(Payload::Inline(kind, b"")), names);
        }
        let long = Box::new(Object::String(Arc::new(vec![0; 10])));
        assert_eq!(named(Payload::Object(long)), ("string", "raw"));
    }

    #[test]
    fn strings_are_raw_when_long_or_edited() {
        assert_eq!(named(Payload::Inline(Kind::Str, &[b'x'; 44])).1, "embstr");
        assert_eq!(named(Payload::Inline(Kind::Str, &[b'x'; 45])).1, "raw");
        let mut entry = Entry::new(b"k", Payload::Inline(Kind::Str, b"x"), None);
        entry.mark_raw();
        assert_eq!(encoding_name(&entry), "raw");
    }
}
