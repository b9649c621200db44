//! Values as plain data: what an entry holds, in the smallest form that is valid.
//!
//! Small collections stay the listpack or intset that they were stored as, checked
//! and ready to be copied; ziplists and zipmaps were converted to listpacks. Whether
//! a listpack is small enough to be kept as one is the caller's to decide.

use std::borrow::Cow;

pub use ochre_structures::stream::StreamId;

use crate::string::Str;

/// A value that was read. Borrows from the bytes it was read from where it can.
#[derive(Clone, Debug, PartialEq)]
pub enum PlainValue<'a> {
    /// A string. HyperLogLogs, bitmaps and geohashes are strings and sorted sets.
    String(Str<'a>),
    /// A list of at least one element.
    List(PlainList<'a>),
    /// A set of at least one member.
    Set(PlainSet<'a>),
    /// A sorted set of at least one member.
    SortedSet(PlainSortedSet<'a>),
    /// A hash of at least one field.
    Hash(PlainHash<'a>),
    /// A stream, possibly empty.
    Stream(PlainStream<'a>),
}

/// The elements of a list, from its head.
#[derive(Clone, Debug, PartialEq)]
pub enum PlainList<'a> {
    /// One by one.
    Elements(Vec<Str<'a>>),
    /// In nodes.
    Nodes(Vec<ListNode<'a>>),
}

/// Some elements of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum ListNode<'a> {
    /// A listpack of at least one element.
    Packed(Cow<'a, [u8]>),
    /// One element.
    Plain(Cow<'a, [u8]>),
}

/// The members of a set.
#[derive(Clone, Debug, PartialEq)]
pub enum PlainSet<'a> {
    /// An intset.
    Intset(Cow<'a, [u8]>),
    /// A listpack of members.
    Listpack(Cow<'a, [u8]>),
    /// One by one. Distinct only if read with [`crate::Validation::Full`].
    Members(Vec<Str<'a>>),
}

/// The members of a sorted set and their scores, none of which is NaN.
#[derive(Clone, Debug, PartialEq)]
pub enum PlainSortedSet<'a> {
    /// A listpack of members and scores, in the order of the set.
    Listpack(Cow<'a, [u8]>),
    /// One by one, in any order. Distinct only if read with
    /// [`crate::Validation::Full`].
    Pairs(Vec<(Str<'a>, f64)>),
}

/// The fields of a hash and their values.
#[derive(Clone, Debug, PartialEq)]
pub enum PlainHash<'a> {
    /// A listpack of fields and values.
    Listpack(Cow<'a, [u8]>),
    /// One by one. Distinct only if read with [`crate::Validation::Full`].
    Pairs(Vec<(Str<'a>, Str<'a>)>),
    /// One by one, some of which expire. Distinct only if read with
    /// [`crate::Validation::Full`].
    Expiring(Vec<ExpiringField<'a>>),
}

/// A field of a hash that may expire by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpiringField<'a> {
    /// The field.
    pub field: Str<'a>,
    /// Its value.
    pub value: Str<'a>,
    /// When it expires, in milliseconds since 1970.
    pub expiry_ms: Option<u64>,
}

/// A stream in parts.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainStream<'a> {
    /// The nodes, in the order of their IDs.
    pub nodes: Vec<StreamNode<'a>>,
    /// The number of entries that are in the nodes and not deleted.
    pub length: u64,
    /// The greatest ID ever added. Not less than that of any entry.
    pub last_id: StreamId,
    /// The ID of the first entry, or 0-0.
    pub first_id: StreamId,
    /// The greatest ID ever deleted, or 0-0.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    /// The consumer groups.
    pub groups: Vec<PlainGroup<'a>>,
}

/// Some entries of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamNode<'a> {
    /// The ID to which those of the entries are relative.
    pub id: StreamId,
    /// The entries, in the form of Redis 5.0's stream nodes.
    pub listpack: Cow<'a, [u8]>,
}

/// A consumer group.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainGroup<'a> {
    /// Its name.
    pub name: Str<'a>,
    /// The last ID delivered.
    pub last_id: StreamId,
    /// How many entries were delivered, if that is known.
    pub entries_read: Option<u64>,
    /// What was delivered and not acknowledged, in the order of IDs.
    pub pending: Vec<PlainPending>,
    /// The consumers.
    pub consumers: Vec<PlainConsumer<'a>>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainPending {
    /// The entry's ID. The entry itself may have been deleted.
    pub id: StreamId,
    /// When it was delivered last, in milliseconds since 1970.
    pub delivery_time_ms: i64,
    /// How often it was delivered.
    pub delivery_count: u64,
    /// To whom: an index into the group's consumers.
    pub consumer: usize,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainConsumer<'a> {
    /// Its name.
    pub name: Str<'a>,
    /// When it last tried to read, in milliseconds since 1970.
    pub seen_time_ms: i64,
    /// When it last got something, or -1.
    pub active_time_ms: i64,
}
