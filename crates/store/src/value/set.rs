//! Sets: an intset, a listpack or a table, in that order of size.
//!
//! | encoding  | lies            | until                                              |
//! |-----------|-----------------|----------------------------------------------------|
//! | intset    | in the entry    | a member is no integer, or `set-max-intset-entries` |
//! | listpack  | in the entry    | `set-max-listpack-entries` or `-value`             |
//! | hashtable | behind a pointer |                                                   |
//!
//! The rules are those of Redis 7.2. No set goes back by itself; commands that make a
//! new set may choose a smaller encoding.

use ochre_structures::intset::{self, Intset};
use ochre_structures::listpack::{self, Element, Listpack, parse_integer};
use ochre_structures::member_set::{FrozenMemberSet, MemberSet};

use super::WrongType;
use crate::entry::{Entry, Kind, Payload, Value};
use crate::object::Object;
use crate::settings::Settings;

/// Redis's own limit on the length of an intset.
const INTSET_LEN_MAX: usize = 1 << 30;

/// How a set is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetEncoding {
    IntSet,
    Listpack,
    Table,
}

/// A set, for reading.
#[derive(Debug, Clone, Copy)]
pub enum SetRef<'a> {
    Ints(Intset<'a>),
    Packed(Listpack<'a>),
    Table(&'a MemberSet),
}

impl<'a> SetRef<'a> {
    /// The set that `entry` holds.
    ///
    /// # Errors
    /// The value is of another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Result<Self, WrongType> {
        match entry.value() {
            Value::IntSet(bytes) => Ok(Self::Ints(Intset::new(bytes))),
            Value::PackedSet(bytes) => Ok(Self::Packed(Listpack(bytes))),
            Value::Object(Object::Set(set)) => Ok(Self::Table(set)),
            _ => Err(WrongType),
        }
    }

    pub fn encoding(&self) -> SetEncoding {
        match self {
            Self::Ints(_) => SetEncoding::IntSet,
            Self::Packed(_) => SetEncoding::Listpack,
            Self::Table(_) => SetEncoding::Table,
        }
    }

    /// The number of members. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(set) => set.len(),
            Self::Packed(list) => list.len(),
            Self::Table(set) => set.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `member` is in the set.
    #[inline]
    pub fn contains(&self, member: Element<'_>) -> bool {
        match self {
            Self::Ints(set) => member.as_integer().is_some_and(|value| set.contains(value)),
            Self::Packed(list) => {
                let mut digits = itoa::Buffer::new();
                list.find(member.as_bytes(&mut digits), 0).is_some()
            }
            Self::Table(set) => set.contains(member),
        }
    }

    /// Visits every member: in ascending order, as added, or in the order of hashes.
    pub fn visit(&self, mut visit: impl FnMut(Element<'a>)) {
        match self {
            Self::Ints(set) => set.iter().for_each(|value| visit(Element::Int(value))),
            Self::Packed(list) => list.iter().for_each(visit),
            Self::Table(set) => set.iter().for_each(visit),
        }
    }

    /// Visits members until `visit` says to stop.
    pub fn visit_while(&self, mut visit: impl FnMut(Element<'a>) -> bool) {
        match self {
            Self::Ints(set) => {
                let _ = set.iter().all(|value| visit(Element::Int(value)));
            }
            Self::Packed(list) => {
                let _ = list.iter().all(visit);
            }
            Self::Table(set) => {
                let _ = set.iter().all(visit);
            }
        }
    }

    /// A member by chance, each equally likely (nearly, in a table). O(1), O(n) in a
    /// listpack.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<Element<'a>> {
        match self {
            Self::Ints(set) => {
                let rank = (random() as usize).checked_rem(set.len())?;
                set.get(rank).map(Element::Int)
            }
            Self::Packed(list) => {
                let index = (random() as usize).checked_rem(list.len())?;
                list.index(index as i64)
            }
            Self::Table(set) => set.random(random),
        }
    }

    /// Emits about `count` members from `cursor` on and returns the cursor to go on from;
    /// 0 is both start and end. A small set is emitted whole.
    pub fn scan(&self, cursor: u64, count: usize, emit: impl FnMut(Element<'_>)) -> u64 {
        match self {
            Self::Table(set) => {
                let Ok(position) = u32::try_from(cursor) else {
                    return 0;
                };
                set.scan(position, count, emit).map_or(0, u64::from)
            }
            _ => {
                self.visit(emit);
                0
            }
        }
    }

    /// The set as it is now, when it is a table: for replies made in slices.
    pub fn freeze(&self) -> Option<FrozenMemberSet> {
        match self {
            Self::Table(set) => Some(set.freeze()),
            _ => None,
        }
    }

    /// The same members as a table of the caller's own. A table shares its segments.
    pub fn to_table(&self) -> MemberSet {
        match self {
            Self::Ints(set) => set.iter().collect(),
            Self::Packed(list) => list.iter().collect(),
            Self::Table(set) => (*set).clone(),
        }
    }
}

/// The payload of an empty set of this encoding.
pub fn empty_set(encoding: SetEncoding) -> Payload<'static> {
    match encoding {
        SetEncoding::IntSet => Payload::Inline(Kind::IntSet, &intset::EMPTY),
        SetEncoding::Listpack => Payload::Inline(Kind::PackedSet, &listpack::EMPTY),
        SetEncoding::Table => Payload::Object(Box::new(Object::Set(MemberSet::new()))),
    }
}

/// The payload of an empty set that `first` is going to be added to, and perhaps
/// `expected` members in all.
pub fn new_set(first: &[u8], expected: usize, settings: &Settings) -> Payload<'static> {
    let encoding = if parse_integer(first).is_some() && expected <= settings.set_max_intset_entries
    {
        SetEncoding::IntSet
    } else if expected <= settings.set_max_listpack_entries {
        SetEncoding::Listpack
    } else {
        SetEncoding::Table
    };
    empty_set(encoding)
}

/// A set, for changing it.
#[derive(Debug)]
pub struct SetMut<'e> {
    entry: &'e mut Entry,
    settings: &'e Settings,
}

impl<'e> SetMut<'e> {
    /// The set that `entry` holds.
    ///
    /// # Errors
    /// The value is of another type.
    #[inline]
    pub fn of(entry: &'e mut Entry, settings: &'e Settings) -> Result<Self, WrongType> {
        SetRef::of(entry)?;
        Ok(Self { entry, settings })
    }

    /// The set, for reading.
    #[inline]
    pub fn view(&self) -> SetRef<'_> {
        match SetRef::of(self.entry) {
            Ok(set) => set,
            Err(WrongType) => unreachable!("checked when the entry was borrowed"),
        }
    }

    /// The number of members. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn table(&mut self) -> Option<&mut MemberSet> {
        match self.entry.object_mut() {
            Some(Object::Set(set)) => Some(set),
            _ => None,
        }
    }

    /// Makes it a table if `expected` members are too many for what it is.
    pub fn expect(&mut self, expected: usize) {
        let limit = match self.view().encoding() {
            SetEncoding::IntSet => self.settings.set_max_intset_entries,
            SetEncoding::Listpack => self.settings.set_max_listpack_entries,
            SetEncoding::Table => return,
        };
        if expected > limit {
            self.make_table();
        }
    }

    fn make_table(&mut self) {
        let table = self.view().to_table();
        let old = self
            .entry
            .replace(Payload::Object(Box::new(Object::Set(table))));
        debug_assert!(old.is_none(), "it was small");
    }

    fn make_listpack(&mut self) {
        let mut bytes = listpack::EMPTY.to_vec();
        if let SetRef::Ints(set) = self.view() {
            listpack::append_all(&mut bytes, set.iter());
        }
        let old = self.entry.replace(Payload::Inline(Kind::PackedSet, &bytes));
        debug_assert!(old.is_none(), "it was small");
    }

    /// Adds `member`; says whether it was new.
    #[inline]
    pub fn add(&mut self, member: Element<'_>) -> bool {
        if let Some(set) = self.table() {
            return set.insert(member);
        }
        if self.entry.kind() == Kind::IntSet {
            self.add_to_intset(member)
        } else {
            self.add_to_listpack(member)
        }
    }

    fn add_to_intset(&mut self, member: Element<'_>) -> bool {
        let Some(value) = member.as_integer() else {
            if self.fits_listpack(member) {
                self.make_listpack();
            } else {
                self.make_table();
            }
            return self.append(member);
        };
        let added = self
            .entry
            .buffer()
            .is_some_and(|mut buffer| intset::insert(&mut buffer, value));
        let most = self.settings.set_max_intset_entries.min(INTSET_LEN_MAX);
        if added && self.len() > most {
            self.make_table();
        }
        added
    }

    /// Whether the intset with `member` would be within the limits of a listpack.
    fn fits_listpack(&self, member: Element<'_>) -> bool {
        let SetRef::Ints(set) = self.view() else {
            return false;
        };
        let longest = [set.min(), set.max()]
            .into_iter()
            .flatten()
            .map(|value| Element::Int(value).len())
            .max()
            .unwrap_or(0);
        set.len() < self.settings.set_max_listpack_entries
            && member.len().max(longest) <= self.settings.set_max_listpack_value
            && listpack::fits(set.len() * 11, member.len() + 10)
    }

    fn add_to_listpack(&mut self, member: Element<'_>) -> bool {
        let SetRef::Packed(list) = self.view() else {
            return false;
        };
        let mut digits = itoa::Buffer::new();
        if list.find(member.as_bytes(&mut digits), 0).is_some() {
            return false;
        }
        if list.len() >= self.settings.set_max_listpack_entries
            || member.len() > self.settings.set_max_listpack_value
            || !listpack::fits(list.byte_len(), member.len() + 10)
        {
            self.make_table();
        }
        self.append(member)
    }

    /// Adds a member that is known to be absent to a listpack or table.
    fn append(&mut self, member: Element<'_>) -> bool {
        match self.entry.buffer() {
            Some(mut buffer) => {
                listpack::append(&mut buffer, member);
                true
            }
            None => self.table().is_some_and(|set| set.insert(member)),
        }
    }

    /// Takes `member` out; says whether it was there.
    #[inline]
    pub fn remove(&mut self, member: Element<'_>) -> bool {
        if let Some(set) = self.table() {
            return set.remove(member);
        }
        let kind = self.entry.kind();
        let Some(mut buffer) = self.entry.buffer() else {
            return false;
        };
        if kind == Kind::IntSet {
            member
                .as_integer()
                .is_some_and(|value| intset::remove(&mut buffer, value))
        } else {
            let mut digits = itoa::Buffer::new();
            let bytes = listpack::Buffer::bytes(&buffer);
            match Listpack(bytes).find(member.as_bytes(&mut digits), 0) {
                Some(position) => listpack::delete_at(&mut buffer, position, 1) == 1,
                None => false,
            }
        }
    }

    /// Makes it an intset if that can hold as many: for a new set whose members are known
    /// to be integers.
    pub fn make_intset(&mut self) {
        let most = self.settings.set_max_intset_entries.min(INTSET_LEN_MAX);
        let view = self.view();
        if view.encoding() == SetEncoding::IntSet || view.len() > most {
            return;
        }
        let mut values = Vec::new();
        view.visit(|member| values.extend(member.as_integer()));
        debug_assert_eq!(values.len(), view.len());
        values.sort_unstable();
        let mut bytes = intset::EMPTY.to_vec();
        for value in values {
            intset::insert(&mut bytes, value);
        }
        // The old value is as small as an intset may be.
        drop(self.entry.replace(Payload::Inline(Kind::IntSet, &bytes)));
    }
}

/// A set that no key has yet: the result of an operation on others.
#[derive(Debug)]
pub struct NewSet<'s> {
    entry: Entry,
    settings: &'s Settings,
}

impl<'s> NewSet<'s> {
    pub fn new(encoding: SetEncoding, settings: &'s Settings) -> Self {
        Self {
            entry: Entry::new(b"", empty_set(encoding), None),
            settings,
        }
    }

    /// The set, for changing it.
    pub fn edit(&mut self) -> SetMut<'_> {
        SetMut {
            entry: &mut self.entry,
            settings: self.settings,
        }
    }

    /// Gives a key this value.
    pub fn store<R>(mut self, store: impl FnOnce(Payload<'_>) -> R) -> R {
        if let Some(object) = self.entry.take_object() {
            return store(Payload::Object(object));
        }
        match self.entry.value() {
            Value::IntSet(bytes) => store(Payload::Inline(Kind::IntSet, bytes)),
            Value::PackedSet(bytes) => store(Payload::Inline(Kind::PackedSet, bytes)),
            _ => unreachable!("it is a set"),
        }
    }
}
