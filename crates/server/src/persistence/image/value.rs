//! A value, live or frozen, as the RDB format has it.
//!
//! Encodings are those that Redis 7.2 writes for the same OBJECT ENCODING: a listpack
//! is written as it is, a tree of members from the greatest score down, a table in the
//! order of its hashes.

use std::io::{self, Write};

use ochre_rdb::{Encoder, Form};
use ochre_store::{Entry, Kind, Object, Value};
use ochre_structures::field_map::{FieldMap, FieldRef, FrozenFieldMap};
use ochre_structures::list::{Container, List};
use ochre_structures::listpack::{Element, Listpack};
use ochre_structures::member_set::{FrozenMemberSet, MemberSet};
use ochre_structures::sorted_set;
use ochre_structures::stream::Stream;

use super::stream;

/// Up to how many parts a value of many parts may have for its bytes to be counted.
const FEW_PARTS: usize = 4;

/// About how many bytes a pending entry of a stream takes in a file.
const PENDING_BYTES: usize = 40;

/// A value, borrowed from an entry or from what was frozen of it.
#[derive(Clone)]
pub enum ValueImage<'a> {
    Integer(i64),
    String(&'a [u8]),
    PackedList(&'a [u8]),
    List(&'a List),
    IntSet(&'a [u8]),
    PackedSet(&'a [u8]),
    Set(SetTable<'a>),
    PackedSortedSet(&'a [u8]),
    /// Members in ascending order.
    SortedSet(sorted_set::Members<'a>),
    PackedHash(&'a [u8]),
    /// A listpack of fields, values and deadlines.
    PackedHashEx(&'a [u8]),
    Hash(HashTable<'a>),
    Stream(&'a Stream),
}

/// The members of a set that is a table.
#[derive(Clone, Copy)]
pub enum SetTable<'a> {
    Live(&'a MemberSet),
    Frozen(&'a FrozenMemberSet),
}

/// The fields of a hash that is a table.
#[derive(Clone, Copy)]
pub struct HashTable<'a> {
    pub fields: HashFields<'a>,
    /// How many of them have a deadline.
    pub with_deadline: usize,
    /// No deadline is before this one.
    pub earliest_ms: u64,
}

/// Where the fields of a hash are.
#[derive(Clone, Copy)]
pub enum HashFields<'a> {
    Live(&'a FieldMap),
    Frozen(&'a FrozenFieldMap),
}

impl<'a> ValueImage<'a> {
    /// The value of an entry. O(1).
    pub fn of(entry: &'a Entry) -> Self {
        match entry.value() {
            Value::Int(value) => Self::Integer(value),
            Value::Object(object) => Self::of_object(object),
            Value::Str(bytes) => Self::String(bytes),
            Value::PackedList(bytes) => Self::PackedList(bytes),
            Value::PackedHash(bytes) => Self::PackedHash(bytes),
            Value::PackedHashEx(bytes) => Self::PackedHashEx(bytes),
            Value::IntSet(bytes) => Self::IntSet(bytes),
            Value::PackedSet(bytes) => Self::PackedSet(bytes),
            Value::PackedSortedSet(bytes) => Self::PackedSortedSet(bytes),
        }
    }

    fn of_object(object: &'a Object) -> Self {
        match object {
            Object::String(bytes) => Self::String(bytes),
            Object::List(list) => Self::List(list),
            Object::SortedSet(set) => Self::SortedSet(set.iter()),
            Object::Stream(stream) => Self::Stream(stream),
            Object::Hash(map) => Self::Hash(HashTable {
                fields: HashFields::Live(map),
                with_deadline: map.with_deadline(),
                earliest_ms: map.earliest_deadline_ms(),
            }),
            Object::Set(set) => Self::Set(SetTable::Live(set)),
        }
    }

    /// The value of these bytes, which are the payload of an entry of this kind.
    pub(super) fn of_bytes(kind: Kind, bytes: &'a [u8]) -> Self {
        match kind {
            Kind::PackedList => Self::PackedList(bytes),
            Kind::PackedHash => Self::PackedHash(bytes),
            Kind::PackedHashEx => Self::PackedHashEx(bytes),
            Kind::IntSet => Self::IntSet(bytes),
            Kind::PackedSet => Self::PackedSet(bytes),
            Kind::PackedSortedSet => Self::PackedSortedSet(bytes),
            // Integers and objects have no bytes of their own.
            Kind::Str | Kind::Int | Kind::Object => Self::String(bytes),
        }
    }

    /// Whether the value is of about so many bytes or fewer. O(1).
    pub(super) fn is_within(&self, bytes: usize) -> bool {
        let size = match self {
            Self::Integer(_) => 0,
            Self::String(of)
            | Self::PackedList(of)
            | Self::IntSet(of)
            | Self::PackedSet(of)
            | Self::PackedSortedSet(of)
            | Self::PackedHash(of)
            | Self::PackedHashEx(of) => of.len(),
            Self::List(list) if list.node_count() <= FEW_PARTS => list.content_bytes(),
            Self::Set(SetTable::Live(set)) => set.memory_bytes(),
            Self::Hash(HashTable {
                fields: HashFields::Live(map),
                ..
            }) => map.memory_bytes(),
            Self::SortedSet(members) => return sorted_set_is_within(members, bytes),
            Self::Stream(stream) if is_of_few_parts(stream) => {
                let nodes = stream.nodes().map(|(_, bytes)| bytes.len());
                let groups = stream.groups().map(|(_, group)| {
                    (group.pending_len() + group.consumer_count()).saturating_mul(PENDING_BYTES)
                });
                nodes.chain(groups).sum()
            }
            // Frozen because they are large; or of many parts.
            Self::Set(_) | Self::Hash(_) | Self::List(_) | Self::Stream(_) => return false,
        };
        size <= bytes
    }

    /// The form in which [`ValueImage::encode`] writes the value.
    pub fn form(&self) -> Form {
        match self {
            Self::Integer(_) | Self::String(_) => Form::String,
            Self::PackedList(_) | Self::List(_) => Form::ListNodes,
            Self::IntSet(_) => Form::SetIntset,
            Self::PackedSet(_) => Form::SetListpack,
            Self::Set(_) => Form::SetMembers,
            Self::PackedSortedSet(_) => Form::SortedSetListpack,
            Self::SortedSet(_) => Form::SortedSetMembers,
            Self::PackedHash(_) => Form::HashListpack,
            Self::PackedHashEx(bytes) if earliest_ms(bytes).is_some() => Form::HashExpiringFields,
            Self::Hash(table) if table.with_deadline > 0 => Form::HashExpiringFields,
            Self::PackedHashEx(_) | Self::Hash(_) => Form::HashFields,
            Self::Stream(_) => Form::Stream,
        }
    }

    /// Writes the value, without type and key. O(bytes).
    ///
    /// # Errors
    /// Those of `out`.
    pub fn encode(&self, encoder: &mut Encoder, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Integer(value) => encoder.integer(out, *value),
            Self::String(bytes) => encoder.string(out, bytes),
            Self::PackedList(bytes) => {
                encoder.count(out, 1)?;
                encoder.packed_node(out, bytes)
            }
            Self::List(list) => {
                encoder.count(out, list.node_count() as u64)?;
                list.nodes().try_for_each(|node| match node.container {
                    Container::Packed => encoder.packed_node(out, node.bytes),
                    Container::Plain => encoder.plain_node(out, node.bytes),
                })
            }
            Self::IntSet(bytes) => encoder.intset(out, bytes),
            Self::PackedSet(bytes) => encoder.set_listpack(out, bytes),
            Self::Set(table) => {
                encoder.count(out, table.len() as u64)?;
                table.try_each(|member| encoder.element(out, member))
            }
            Self::PackedSortedSet(bytes) | Self::PackedHash(bytes) => encoder.listpack(out, bytes),
            Self::SortedSet(members) => {
                encoder.count(out, members.len() as u64)?;
                // From the greatest down, as Redis does, so that loading only appends.
                members.clone().rev().try_for_each(|(member, score)| {
                    encoder.scored_member(out, Element::Str(member), score)
                })
            }
            Self::PackedHashEx(bytes) => {
                let count = (Listpack(bytes).len() / 3) as u64;
                match earliest_ms(bytes) {
                    None => {
                        encoder.count(out, count)?;
                        triples(bytes).try_for_each(|(field, value, _)| {
                            encoder.element(out, field)?;
                            encoder.element(out, value)
                        })
                    }
                    Some(earliest) => {
                        encoder.expiring_fields(out, count, earliest)?;
                        triples(bytes).try_for_each(|(field, value, deadline)| {
                            encoder.expiring_field(out, field, value, deadline, earliest)
                        })
                    }
                }
            }
            Self::Hash(table) if table.with_deadline == 0 => {
                encoder.count(out, table.len() as u64)?;
                table.try_each(|field| {
                    encoder.string(out, field.field)?;
                    encoder.string(out, field.value)
                })
            }
            Self::Hash(table) => {
                let earliest = table.earliest_ms;
                encoder.expiring_fields(out, table.len() as u64, earliest)?;
                table.try_each(|field| {
                    let (name, value) = (Element::Str(field.field), Element::Str(field.value));
                    encoder.expiring_field(out, name, value, field.deadline_ms, earliest)
                })
            }
            Self::Stream(stream) => stream::encode(stream, encoder, out),
        }
    }
}

/// About 60 bytes are allocated for a member of a tree, whatever its length: members
/// are counted, and the first ones weighed.
fn sorted_set_is_within(members: &sorted_set::Members<'_>, bytes: usize) -> bool {
    const LEAST_MEMBER_BYTES: usize = 10;
    let mut left = bytes;
    members.len() <= bytes / LEAST_MEMBER_BYTES
        && members.clone().all(|(member, _)| {
            let fits = left.checked_sub(member.len() + LEAST_MEMBER_BYTES);
            left = fits.unwrap_or(0);
            fits.is_some()
        })
}

fn is_of_few_parts(stream: &Stream) -> bool {
    stream.node_count() <= FEW_PARTS && stream.group_count() <= FEW_PARTS
}

impl SetTable<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Live(set) => set.len(),
            Self::Frozen(set) => set.len(),
        }
    }

    pub(super) fn try_each(
        &self,
        visit: impl FnMut(Element<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Self::Live(set) => set.iter().try_for_each(visit),
            Self::Frozen(set) => set.iter().try_for_each(visit),
        }
    }
}

impl HashTable<'_> {
    pub(super) fn len(&self) -> usize {
        match self.fields {
            HashFields::Live(map) => map.len(),
            HashFields::Frozen(map) => map.len(),
        }
    }

    pub(super) fn try_each(
        &self,
        visit: impl FnMut(FieldRef<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.fields {
            HashFields::Live(map) => map.iter().try_for_each(visit),
            HashFields::Frozen(map) => map.iter().try_for_each(visit),
        }
    }
}

/// Fields, values and deadlines of a listpack of all three.
pub(super) fn triples(
    bytes: &[u8],
) -> impl Iterator<Item = (Element<'_>, Element<'_>, Option<u64>)> {
    let mut elements = Listpack(bytes).iter();
    std::iter::from_fn(move || {
        let (field, value, deadline) = (elements.next()?, elements.next()?, elements.next()?);
        let deadline = deadline.as_integer().unwrap_or(0);
        let deadline = u64::try_from(deadline).ok().filter(|&at| at != 0);
        Some((field, value, deadline))
    })
}

/// The earliest deadline in such a listpack.
fn earliest_ms(bytes: &[u8]) -> Option<u64> {
    triples(bytes).filter_map(|(_, _, deadline)| deadline).min()
}
