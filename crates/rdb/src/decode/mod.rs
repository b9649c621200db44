//! From the bytes of one value to plain data, checked.
//!
//! Decoding works on bytes that are in memory whole; finding them is `walk`'s task.

mod hash;
mod list;
mod listpacks;
mod set;
mod sorted_set;
mod stream;
mod stream_node;
mod ziplist;
mod zipmap;

use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};
use crate::value::PlainValue;
use crate::value_type::ValueType;

/// How much of a value is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// That every part is well-formed, so that it can be read from end to end: for
    /// files whose checksum vouches for them.
    Structure,
    /// Also that the members and fields of packed values are distinct. Those that are
    /// handed out one by one are left to whoever makes a table of them, and finds
    /// duplicates so, for nothing.
    Packed,
    /// Also that members and fields are distinct, as `sanitize-dump-payload yes` of
    /// Redis does: for payloads from clients.
    #[default]
    Full,
}

/// Decodes a value; the cursor stands after it then.
pub(crate) fn decode<'a>(
    value_type: ValueType,
    cursor: &mut Cursor<'a>,
    validation: Validation,
) -> Result<PlainValue<'a>> {
    cursor.reading(value_type.noun());
    Ok(match value_type {
        ValueType::String => PlainValue::String(cursor.string()?),
        ValueType::List => PlainValue::List(list::elements(cursor)?),
        ValueType::ListZiplist => PlainValue::List(list::ziplist(cursor)?),
        ValueType::ListQuicklist => PlainValue::List(list::ziplists(cursor)?),
        ValueType::ListQuicklist2 => PlainValue::List(list::nodes(cursor)?),
        ValueType::Set => PlainValue::Set(set::members(cursor, validation)?),
        ValueType::SetIntset => PlainValue::Set(set::intset(cursor)?),
        ValueType::SetListpack => PlainValue::Set(set::listpack(cursor, validation)?),
        ValueType::SortedSet | ValueType::SortedSet2 => {
            PlainValue::SortedSet(sorted_set::pairs(cursor, value_type, validation)?)
        }
        ValueType::SortedSetZiplist => PlainValue::SortedSet(sorted_set::ziplist(cursor)?),
        ValueType::SortedSetListpack => {
            PlainValue::SortedSet(sorted_set::listpack(cursor, validation)?)
        }
        ValueType::Hash => PlainValue::Hash(hash::pairs(cursor, validation)?),
        ValueType::HashZipmap => PlainValue::Hash(hash::zipmap(cursor)?),
        ValueType::HashZiplist => PlainValue::Hash(hash::ziplist(cursor)?),
        ValueType::HashListpack => PlainValue::Hash(hash::listpack(cursor, validation)?),
        ValueType::HashExpiringPreRelease => PlainValue::Hash(hash::expiring(
            cursor,
            hash::Deadlines::Absolute,
            validation,
        )?),
        ValueType::HashExpiring => {
            let earliest_ms = hash::earliest_ms(cursor)?;
            let deadlines = hash::Deadlines::From { earliest_ms };
            PlainValue::Hash(hash::expiring(cursor, deadlines, validation)?)
        }
        ValueType::HashExpiringListpackPreRelease => {
            PlainValue::Hash(hash::expiring_listpack(cursor, validation)?)
        }
        ValueType::HashExpiringListpack => {
            hash::earliest_ms(cursor)?;
            PlainValue::Hash(hash::expiring_listpack(cursor, validation)?)
        }
        ValueType::StreamListpacks => {
            PlainValue::Stream(stream::stream(cursor, stream::Generation::One)?)
        }
        ValueType::StreamListpacks2 => {
            PlainValue::Stream(stream::stream(cursor, stream::Generation::Two)?)
        }
        ValueType::StreamListpacks3 => {
            PlainValue::Stream(stream::stream(cursor, stream::Generation::Three)?)
        }
        ValueType::Module2 => {
            let start = cursor.position();
            let (name, version) = module_type(cursor.length()?);
            return Err(cursor.error_at(start, RdbErrorKind::Module { name, version }));
        }
        ValueType::ModulePreRelease => return Err(cursor.error(RdbErrorKind::PreReleaseModule)),
    })
}

/// The name and the encoding version in the number of a module's type: nine
/// characters of six bits, and ten bits.
pub(crate) fn module_type(id: u64) -> (String, u16) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let name = (0..9)
        .rev()
        .map(|place| char::from(LETTERS[(id >> (10 + place * 6)) as usize & 63]))
        .collect();
    (name, (id & 0x3ff) as u16)
}
