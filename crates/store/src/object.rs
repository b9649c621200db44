//! The large values: those that do not live inside an entry's allocation.

use std::sync::Arc;

use ochre_structures::field_map::FieldMap;
use ochre_structures::hash::hash_bytes;
use ochre_structures::list::{List, Side};
use ochre_structures::member_set::MemberSet;
use ochre_structures::sorted_set::SortedSet;
use ochre_structures::stream::Stream;

/// The type of a value, as TYPE names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
}

impl Type {
    /// The name that TYPE answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
        }
    }
}

/// A large value.
#[derive(Debug)]
pub enum Object {
    /// The bytes of a long string. Shared with replies that are being sent; whoever
    /// writes while it is shared copies it first ([`Arc::make_mut`]).
    String(Arc<Vec<u8>>),
    /// A list of more than one node (`quicklist`).
    List(List),
    /// A sorted set by rank and by member (`skiplist`).
    SortedSet(SortedSet),
    /// A log of entries with consumer groups.
    Stream(Stream),
    /// A hash by field (`hashtable`).
    Hash(FieldMap),
    /// A set by member (`hashtable`).
    Set(MemberSet),
}

impl Object {
    /// A copy that shares nothing mutable with the original.
    pub fn duplicate(&self) -> Self {
        match self {
            Self::String(bytes) => Self::String(Arc::new(bytes.as_ref().clone())),
            Self::List(list) => Self::List(list.clone()),
            Self::SortedSet(set) => Self::SortedSet(set.iter().collect()),
            Self::Stream(stream) => Self::Stream(stream.duplicate()),
            Self::Hash(map) => Self::Hash(map.clone()),
            Self::Set(set) => Self::Set(set.clone()),
        }
    }

    pub fn value_type(&self) -> Type {
        match self {
            Self::String(_) => Type::String,
            Self::List(_) => Type::List,
            Self::SortedSet(_) => Type::SortedSet,
            Self::Stream(_) => Type::Stream,
            Self::Hash(_) => Type::Hash,
            Self::Set(_) => Type::Set,
        }
    }

    /// The encoding as OBJECT ENCODING of Redis 7.2 names it.
    pub fn encoding_name(&self) -> &'static str {
        match self {
            Self::String(_) => "raw",
            Self::List(_) => "quicklist",
            Self::SortedSet(_) => "skiplist",
            Self::Stream(_) => "stream",
            Self::Hash(_) | Self::Set(_) => "hashtable",
        }
    }

    /// How many allocations dropping the value frees, roughly: what decides whether
    /// that is left to the freeing thread.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::String(_) => 1,
            Self::List(list) => list.node_count(),
            Self::SortedSet(set) => set.len(),
            Self::Stream(stream) => stream.node_count(),
            Self::Hash(map) => map.len(),
            Self::Set(set) => set.len(),
        }
    }

    /// Frees a part of the value, some tens of microseconds' worth of it, and says whether
    /// anything is left: for dropping a huge value in slices. The value is good for
    /// nothing else afterwards.
    pub fn drop_some(&mut self) -> bool {
        /// Of a few KB each.
        const NODES: usize = 64;
        match self {
            // One allocation, or one that somebody else holds too.
            Self::String(_) => false,
            Self::List(list) => !list.drop_some(NODES),
            Self::SortedSet(set) => !set.drop_some(),
            Self::Stream(stream) => !stream.drop_some(NODES),
            Self::Hash(map) => map.drop_some(),
            Self::Set(set) => set.drop_some(),
        }
    }

    /// The hash by which the value finds the element that a command most likely names,
    /// whose first and last arguments behind the key are these; 0 where nothing is found
    /// by hash.
    #[inline]
    pub fn hash_of_named(&self, first: &[u8], last: &[u8]) -> u64 {
        match self {
            Self::Hash(_) => hash_bytes(first),
            Self::Set(_) => MemberSet::hash_of(first),
            // Behind its score, if there is one.
            Self::SortedSet(_) => hash_bytes(last),
            Self::String(_) | Self::List(_) | Self::Stream(_) => 0,
        }
    }

    /// Begins to load what a command touches `step`-th (from 0): on the way to the
    /// element with this hash, to this end of a list, to the last entry of a stream. A
    /// step reads only what those before it have loaded. Returns whether there are more.
    #[inline]
    pub fn prefetch_step(&self, step: usize, hash: u64, end: Side) -> bool {
        match self {
            Self::String(_) => false,
            Self::List(list) => list.prefetch_step(step, end),
            Self::SortedSet(set) => set.prefetch_step(step, hash),
            Self::Stream(stream) => stream.prefetch_step(step),
            Self::Hash(map) => map.prefetch_step(step, hash),
            Self::Set(set) => set.prefetch_step(step, hash),
        }
    }

    /// Bytes allocated for the value beyond its entry.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::String(bytes) => size_of::<Self>() + size_of::<Vec<u8>>() + 16 + bytes.capacity(),
            Self::List(list) => size_of::<Self>() + list.memory_bytes(),
            Self::SortedSet(set) => size_of::<Self>() + set.memory_bytes(),
            Self::Stream(stream) => size_of::<Self>() + stream.memory_bytes(),
            Self::Hash(map) => size_of::<Self>() + map.memory_bytes(),
            Self::Set(set) => size_of::<Self>() + set.memory_bytes(),
        }
    }
}
