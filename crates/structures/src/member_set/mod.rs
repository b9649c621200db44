//! Large sets: members by hash, behind what OBJECT ENCODING calls `hashtable`.
//!
//! ```text
//!   table slot (8 bytes)  ─▶  integer of 63 bits, in the slot itself
//!                         ─▶  blob: count, length, bytes of the member
//! ```
//!
//! A member of 16 bytes costs 32 and its share of the table, about 11; an integer the
//! share alone. Nothing is kept about a member but itself. The set knows no keys and no
//! locks; small sets are intsets and listpacks, another module's.
//!
//! Invariant: a member that is the decimal form of an integer of 63 bits is always kept
//! as that integer, so each member has one form, one hash and one slot.

mod frozen;

#[cfg(test)]
mod tests;

use crate::blob::{Blob, Content, IntOrBlob};
use crate::hash::hash_bytes;
use crate::listpack::{Element, parse_integer};
use crate::table::{Entry, SharedTable, Slot};

pub use frozen::FrozenMemberSet;

/// A member in its slot.
#[derive(Clone)]
struct Member(IntOrBlob);

fn hash_int(value: i64) -> u64 {
    hash_bytes(&value.to_le_bytes())
}

impl Member {
    fn new(wanted: Wanted<'_>, hash: u64) -> Self {
        let slot = match wanted {
            Wanted::Int(value) => IntOrBlob::from_int(value),
            Wanted::Bytes(_) => None,
        };
        Self(slot.unwrap_or_else(|| {
            let mut digits = itoa::Buffer::new();
            let bytes = match wanted {
                Wanted::Int(value) => digits.format(value).as_bytes(),
                Wanted::Bytes(bytes) => bytes,
            };
            IntOrBlob::from_blob(Blob::new((hash >> 48) as u16, &[bytes]))
        }))
    }

    #[inline]
    fn element(&self) -> Element<'_> {
        match self.0.get() {
            Content::Int(value) => Element::Int(value),
            Content::Blob(blob) => Element::Str(blob.bytes()),
        }
    }

    fn allocated_bytes(&self) -> usize {
        match self.0.get() {
            Content::Int(_) => 0,
            Content::Blob(blob) => blob.allocated_bytes(),
        }
    }
}

impl Slot for Member {
    const KNOWN_BITS: u32 = 16;

    #[inline]
    fn position(&self) -> u32 {
        let hash = match self.0.get() {
            Content::Int(value) => hash_int(value),
            Content::Blob(blob) => hash_bytes(blob.bytes()),
        };
        (hash >> 32) as u32
    }

    #[inline]
    fn known_position(&self) -> u32 {
        match self.0.get() {
            Content::Int(value) => (hash_int(value) >> 48 << 16) as u32,
            Content::Blob(blob) => u32::from(blob.mark()) << 16,
        }
    }

    #[inline]
    fn prefetch(&self) {
        if let Content::Blob(blob) = self.0.get() {
            blob.prefetch();
        }
    }
}

/// A member that is looked for, in the form it has in a slot.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> Wanted<'a> {
    /// `digits` keeps the text of an integer too large for a slot.
    #[inline]
    fn new(element: Element<'a>, digits: &'a mut itoa::Buffer) -> Self {
        let value = match element {
            Element::Int(value) => value,
            Element::Str(bytes) => match parse_integer(bytes) {
                Some(value) => value,
                None => return Self::Bytes(bytes),
            },
        };
        if value << 1 >> 1 == value {
            Self::Int(value)
        } else {
            Self::Bytes(digits.format(value).as_bytes())
        }
    }

    #[inline]
    fn hash(self) -> u64 {
        match self {
            Self::Int(value) => hash_int(value),
            Self::Bytes(bytes) => hash_bytes(bytes),
        }
    }

    #[inline]
    fn is(self, member: &Member) -> bool {
        match (self, member.0.get()) {
            (Self::Int(value), Content::Int(own)) => value == own,
            (Self::Bytes(bytes), Content::Blob(blob)) => bytes == blob.bytes(),
            _ => false,
        }
    }
}

/// A set of distinct byte strings.
///
/// Members come and go as [`Element`]s (`&[u8]` and `i64` are some): integers by value,
/// whatever form they were given in, like the elements of listpacks.
#[derive(Clone, Default)]
pub struct MemberSet {
    members: SharedTable<Member>,
    /// Bytes allocated for members, not for the table.
    blob_bytes: usize,
}

impl MemberSet {
    /// An empty set; it allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of members. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether `member` is in the set. O(1).
    #[inline]
    pub fn contains<'a>(&self, member: impl Into<Element<'a>>) -> bool {
        let mut digits = itoa::Buffer::new();
        let wanted = Wanted::new(member.into(), &mut digits);
        self.members
            .find(wanted.hash(), |member| wanted.is(member))
            .is_some()
    }

    /// Adds `member`; says whether it was new. O(1).
    #[inline]
    pub fn insert<'a>(&mut self, member: impl Into<Element<'a>>) -> bool {
        let mut digits = itoa::Buffer::new();
        let wanted = Wanted::new(member.into(), &mut digits);
        let hash = wanted.hash();
        match self.members.entry(hash, |member| wanted.is(member)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(slot) => {
                let member = Member::new(wanted, hash);
                self.blob_bytes += member.allocated_bytes();
                slot.insert(member);
                true
            }
        }
    }

    /// Takes `member` out; says whether it was there. O(1).
    #[inline]
    pub fn remove<'a>(&mut self, member: impl Into<Element<'a>>) -> bool {
        let mut digits = itoa::Buffer::new();
        let wanted = Wanted::new(member.into(), &mut digits);
        match self
            .members
            .remove(wanted.hash(), |member| wanted.is(member))
        {
            Some(member) => {
                self.blob_bytes -= member.allocated_bytes();
                true
            }
            None => false,
        }
    }

    /// The members, in the order of their hashes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Element<'_>> {
        self.members.iter().map(Member::element)
    }

    /// A member by chance, each about equally likely. `random` gives 64 random bits a
    /// call. O(1).
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<Element<'_>> {
        self.members.random(random).map(Member::element)
    }

    /// Emits about `count` members from `position` on (0 at first) and returns the
    /// position to go on from, never 0; `None` at the end. A member that stays in the
    /// set from the first call to the last is emitted exactly once.
    pub fn scan(
        &self,
        position: u32,
        count: usize,
        mut emit: impl FnMut(Element<'_>),
    ) -> Option<u32> {
        self.members
            .scan(position, count, |member| emit(member.element()))
    }

    /// The set as it is now, in O(n / 1500) pointer copies. While the result lives, a
    /// write copies the segment (about 1500 slots) that it touches, the first time.
    pub fn freeze(&self) -> FrozenMemberSet {
        FrozenMemberSet::new(self.members.freeze())
    }

    /// Frees about 1500 members. False when there was nothing left. For dropping a large
    /// set in slices.
    pub fn drop_some(&mut self) -> bool {
        // Sizes need not be followed any more: the set is on its way out.
        self.blob_bytes = 0;
        self.members.release_segment()
    }

    /// Bytes allocated for table and members. O(1).
    pub fn memory_bytes(&self) -> usize {
        self.members.memory_bytes() + self.blob_bytes
    }

    /// The hash of `member`, in whatever form it is kept.
    #[inline]
    pub fn hash_of(member: &[u8]) -> u64 {
        let mut digits = itoa::Buffer::new();
        Wanted::new(member.into(), &mut digits).hash()
    }

    /// Begins to load what is touched `step`-th on the way to the member with this hash;
    /// returns whether there are more steps. See [`SharedTable::prefetch_step`].
    #[inline]
    pub fn prefetch_step(&self, step: usize, hash: u64) -> bool {
        self.members.prefetch_step(step, hash)
    }
}

impl<'a, E: Into<Element<'a>>> Extend<E> for MemberSet {
    fn extend<I: IntoIterator<Item = E>>(&mut self, members: I) {
        for member in members {
            self.insert(member);
        }
    }
}

impl<'a, E: Into<Element<'a>>> FromIterator<E> for MemberSet {
    fn from_iter<I: IntoIterator<Item = E>>(members: I) -> Self {
        let mut set = Self::new();
        set.extend(members);
        set
    }
}

impl std::fmt::Debug for MemberSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemberSet({} members)", self.len())
    }
}
