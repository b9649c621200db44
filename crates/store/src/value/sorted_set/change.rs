//! Changing sorted sets, and making whole ones.

use std::ops::Range;

use ochre_structures::listpack::{self, Buffer, Element, Listpack};
use ochre_structures::sorted_set::{Insertion, SortedSet, SortedSetBuilder};

use super::{SortedSetRef, packed};
use crate::entry::{Entry, Kind, Payload};
use crate::object::Object;
use crate::value::WrongType;

/// Up to where a sorted set is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `zset-max-listpack-entries`
    pub entries_max: usize,
    /// `zset-max-listpack-value`
    pub member_bytes_max: usize,
}

/// A sorted set to be changed. It may be left empty: whoever changed it removes its key
/// then.
pub struct SortedSetMut<'e> {
    entry: &'e mut Entry,
    limits: Limits,
}

/// The payload of a sorted set that is about to get its first members: `members` of
/// them, the first of this length. As in Redis it may be a tree for members that turn
/// out to be the same.
pub fn new_payload(limits: Limits, members: usize, member_bytes: usize) -> Payload<'static> {
    if members <= limits.entries_max && member_bytes <= limits.member_bytes_max {
        Payload::Inline(Kind::PackedSortedSet, &listpack::EMPTY)
    } else {
        Payload::Object(Box::new(Object::SortedSet(SortedSet::new())))
    }
}

/// A sorted set made whole, in the encoding that fits it: what a command stores.
pub enum NewSortedSet {
    /// The bytes of a listpack.
    Packed(Vec<u8>),
    /// A large one.
    Tree(Box<Object>),
}

impl NewSortedSet {
    /// Makes one of distinct members, which come sorted by score and member.
    pub fn of(limits: Limits, members: &[(impl AsRef<[u8]>, f64)]) -> Self {
        let lengths = || members.iter().map(|(member, _)| member.as_ref().len());
        let packed = members.len() <= limits.entries_max
            && lengths().max().unwrap_or(0) <= limits.member_bytes_max
            && listpack::fits(0, lengths().sum());
        if packed {
            let mut bytes = listpack::EMPTY.to_vec();
            for (member, score) in members {
                packed::append(&mut bytes, member.as_ref(), *score);
            }
            Self::Packed(bytes)
        } else {
            let mut builder = SortedSetBuilder::new();
            builder.extend(members.iter().map(|(member, score)| (member, *score)));
            Self::Tree(Box::new(Object::SortedSet(builder.finish())))
        }
    }

    /// Hands it over as the payload of an entry.
    pub fn store<R>(self, store: impl FnOnce(Payload<'_>) -> R) -> R {
        match self {
            Self::Packed(bytes) => store(Payload::Inline(Kind::PackedSortedSet, &bytes)),
            Self::Tree(object) => store(Payload::Object(object)),
        }
    }
}

impl<'e> SortedSetMut<'e> {
    /// The sorted set of an entry.
    ///
    /// # Errors
    /// [`WrongType`] if its value is of another type.
    pub fn of(entry: &'e mut Entry, limits: Limits) -> Result<Self, WrongType> {
        SortedSetRef::of(entry)?;
        Ok(Self { entry, limits })
    }

    /// The same, to look at.
    pub fn read(&self) -> SortedSetRef<'_> {
        SortedSetRef::of(self.entry).expect("checked when this was made")
    }

    pub fn len(&self) -> usize {
        self.read().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Prepares for so many members to come: more than may be packed make it a tree at
    /// once, as in Redis, even if it turns out that they are there already.
    pub fn expect_members(&mut self, members: usize) {
        if members > self.limits.entries_max {
            self.unpack();
        }
    }

    /// Adds a member or changes its score: `decide` sees the present score and gives
    /// the new one (never NaN), or `None` to leave things as they are. O(log n); while
    /// packed O(n).
    pub fn insert_with(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Insertion {
        if self.entry.kind() != Kind::PackedSortedSet {
            return match self.entry.object_mut() {
                Some(Object::SortedSet(set)) => set.insert_with(member, decide),
                _ => Insertion::Unchanged,
            };
        }
        let Some(mut buffer) = self.entry.buffer() else {
            return Insertion::Unchanged;
        };
        let pack = Listpack(buffer.bytes());
        let found = packed::find(pack, member);
        let Some(score) = decide(found.map(|(_, score)| score)) else {
            return Insertion::Unchanged;
        };
        debug_assert!(!score.is_nan(), "the caller keeps NaN out");
        match found {
            Some((_, present)) if present == score => Insertion::Unchanged,
            Some((position, present)) => {
                packed::remove(&mut buffer, position, 1);
                packed::insert(&mut buffer, member, score);
                Insertion::Updated(present)
            }
            None => {
                let fits = pack.len() / 2 < self.limits.entries_max
                    && member.len() <= self.limits.member_bytes_max
                    && listpack::fits(pack.byte_len(), member.len());
                if fits {
                    packed::insert(&mut buffer, member, score);
                } else if let Some(set) = self.unpack() {
                    set.insert(member, score);
                }
                Insertion::Inserted
            }
        }
    }

    /// Removes a member and returns its score. O(log n); while packed O(n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        if let Some(Object::SortedSet(set)) = self.entry.object_mut() {
            return set.remove(member);
        }
        let mut buffer = self.entry.buffer()?;
        let (position, score) = packed::find(Listpack(buffer.bytes()), member)?;
        packed::remove(&mut buffer, position, 1);
        Some(score)
    }

    /// Removes a run of ranks, cut to those that exist. Returns how many.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) -> usize {
        /// Up to so many are removed one by one.
        const FEW: usize = 500;
        if let Some(Object::SortedSet(set)) = self.entry.object_mut() {
            return match ranks.len() {
                ..=FEW => set.remove_range_by_rank(ranks, |_, _| ()),
                _ => set.shed_range_by_rank(ranks),
            };
        }
        let Some(mut buffer) = self.entry.buffer() else {
            return 0;
        };
        let pack = Listpack(buffer.bytes());
        let end = ranks.end.min(pack.len() / 2);
        let count = end.saturating_sub(ranks.start);
        let Ok(first) = i64::try_from(ranks.start * 2) else {
            return 0;
        };
        let Some(position) = pack.position(first).filter(|_| count > 0) else {
            return 0;
        };
        packed::remove(&mut buffer, position, count);
        count
    }

    /// Makes a packed set a tree, and returns the tree.
    fn unpack(&mut self) -> Option<&mut SortedSet> {
        if self.entry.kind() == Kind::PackedSortedSet {
            let mut builder = SortedSetBuilder::new();
            let mut digits = itoa::Buffer::new();
            for (member, score) in self.read().iter() {
                let member: Element<'_> = member;
                // Of a member that a foreign file names twice the first one stays.
                let _ = builder.push(member.as_bytes(&mut digits), score);
            }
            let object = Object::SortedSet(builder.finish());
            let old = self.entry.replace(Payload::Object(Box::new(object)));
            debug_assert!(old.is_none(), "a packed set is within its entry");
        }
        match self.entry.object_mut() {
            Some(Object::SortedSet(set)) => Some(set),
            _ => None,
        }
    }
}
