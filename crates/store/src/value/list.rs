//! Lists as the handlers see them: small ones are one listpack in the entry
//! (`listpack`), larger ones an [`Object::List`] (`quicklist`).
//!
//! What converts and when is Redis 7.2's: a listpack becomes a quicklist before
//! elements are added that would take it beyond `list-max-listpack-size`; a quicklist of
//! one packed node becomes a listpack after elements were removed, once it is within
//! half of that. The module knows no replies and no events.
//!
//! Invariant: an entry whose list has become empty is removed by the handler before its
//! locks are released; until then an empty list is as good as any.

use ochre_structures::list::{Direction, FrozenList, List, Stretch, resolve_range};
use ochre_structures::listpack::{self, Buffer, Listpack};

pub use ochre_structures::list::{Element, NodeLimit, Place, Side};

use crate::entry::{Entry, Kind, Payload, Value};
use crate::object::Object;
use crate::view::EntryMut;

/// A list, to be read.
#[derive(Clone, Copy, Debug)]
pub enum ListRef<'a> {
    Packed(Listpack<'a>),
    Large(&'a List),
}

/// A list, to be changed in place.
pub struct ListMut<'v> {
    entry: EntryMut<'v>,
    limit: NodeLimit,
}

impl<'a> ListRef<'a> {
    /// The list of an entry; `None` if it is of another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        match entry.value() {
            Value::PackedList(bytes) => Some(Self::Packed(Listpack(bytes))),
            Value::Object(Object::List(list)) => Some(Self::Large(list)),
            _ => None,
        }
    }

    /// The number of elements. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Packed(pack) => pack.len(),
            Self::Large(list) => list.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element with this index; a negative one counts from the end.
    pub fn get(&self, index: i64) -> Option<Element<'a>> {
        match self {
            Self::Packed(pack) => pack.index(index),
            Self::Large(list) => list.get(index),
        }
    }

    /// Hands `count` elements from index `start` on to `visit`, in this direction.
    /// O(nodes) of the nearer half to start, then O(elements).
    pub fn visit(
        &self,
        start: usize,
        count: usize,
        direction: Direction,
        mut visit: impl FnMut(Element<'a>),
    ) {
        match self {
            Self::Large(list) => {
                for element in list.iter_from(start, direction).take(count) {
                    visit(element);
                }
            }
            Self::Packed(pack) => {
                let Some(position) = pack.position(start as i64) else {
                    return;
                };
                match direction {
                    Direction::Forward => {
                        for entry in pack.entries_from(position).take(count) {
                            visit(entry.element);
                        }
                    }
                    Direction::Backward => {
                        if let (true, Some(element)) = (count > 0, pack.at(position)) {
                            visit(element);
                        }
                        for entry in pack
                            .entries_before(position)
                            .rev()
                            .take(count.saturating_sub(1))
                        {
                            visit(entry.element);
                        }
                    }
                }
            }
        }
    }

    /// The indices of elements equal to `element`, as LPOS finds them: from the
    /// `rank`-th match on, at most `count` of them (0: all), within the first `max_len`
    /// elements looked at (0: all). A negative rank looks from the back.
    pub fn positions(&self, element: &[u8], rank: i64, count: usize, max_len: usize) -> Vec<usize> {
        match self {
            Self::Large(list) => list.positions(element, rank, count, max_len),
            Self::Packed(pack) => packed_positions(*pack, element, rank, count, max_len),
        }
    }

    /// A large list as it is now, to be read without locks; `None` for one that is read
    /// in no time. O(nodes) pointer copies.
    pub fn freeze(&self) -> Option<FrozenList> {
        match self {
            Self::Packed(_) => None,
            Self::Large(list) => Some(list.freeze()),
        }
    }

    /// Up to `count` elements of an end of a large list as they are now, to be read without
    /// locks; `None` for one that is read in no time. O(nodes) pointer copies.
    pub fn share_stretch(&self, side: Side, count: usize) -> Option<Stretch> {
        match self {
            Self::Packed(_) => None,
            Self::Large(list) => Some(list.share_stretch(side, count)),
        }
    }
}

fn packed_positions(
    pack: Listpack<'_>,
    element: &[u8],
    rank: i64,
    count: usize,
    max_len: usize,
) -> Vec<usize> {
    let bounded = |limit: usize| if limit == 0 { usize::MAX } else { limit };
    let Some(skipped) = rank.unsigned_abs().checked_sub(1) else {
        return Vec::new();
    };
    let number = listpack::parse_integer(element);
    let is_match = |own: &Element<'_>| match *own {
        Element::Int(value) => number == Some(value),
        Element::Str(bytes) => bytes == element,
    };
    let mut found = Vec::new();
    let mut seen = 0;
    let last = pack.len().saturating_sub(1);
    let mut look = |index: usize, own: Element<'_>| {
        if is_match(&own) {
            seen += 1;
            if seen > skipped {
                found.push(index);
            }
        }
        found.len() < bounded(count)
    };
    if rank > 0 {
        for (step, own) in pack.iter().take(bounded(max_len)).enumerate() {
            if !look(step, own) {
                break;
            }
        }
    } else {
        for (step, own) in pack.iter().rev().take(bounded(max_len)).enumerate() {
            if !look(last - step, own) {
                break;
            }
        }
    }
    found
}

/// The payload of a new list of `elements`, pushed at `side` one after the other.
pub fn payload<'b>(
    side: Side,
    elements: &[&[u8]],
    limit: NodeLimit,
    room: &'b mut Vec<u8>,
) -> Payload<'b> {
    let bytes: usize = elements.iter().map(|element| element.len()).sum();
    if limit.is_exceeded_by(listpack::EMPTY.len() + bytes, elements.len()) {
        let mut list = List::new(limit);
        for element in elements {
            list.push(side, element);
        }
        return Payload::Object(Box::new(Object::List(list)));
    }
    room.clear();
    room.extend_from_slice(&listpack::EMPTY);
    match side {
        Side::Front => listpack::append_all(room, elements.iter().rev().copied()),
        Side::Back => listpack::append_all(room, elements.iter().copied()),
    }
    Payload::Inline(Kind::PackedList, room)
}

impl<'v> ListMut<'v> {
    /// The list of an entry; `None` if it is of another type. `limit` is that of new
    /// nodes' size: a large list keeps to the one that it was made with, but for the
    /// threshold of plain nodes.
    #[inline]
    pub fn of(mut entry: EntryMut<'v>, limit: NodeLimit) -> Option<Self> {
        if let Some(Object::List(list)) = entry.object_mut() {
            list.set_packed_threshold(limit.packed_threshold());
        } else if entry.kind() != Kind::PackedList {
            return None;
        }
        Some(Self { entry, limit })
    }

    /// The list, for reading.
    #[inline]
    pub fn read(&self) -> ListRef<'_> {
        ListRef::of(&self.entry).unwrap_or(ListRef::Packed(Listpack(&listpack::EMPTY)))
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn large(&mut self) -> Option<&mut List> {
        match self.entry.object_mut() {
            Some(Object::List(list)) => Some(list),
            _ => None,
        }
    }

    /// Runs one of two edits, as the encoding has it.
    #[inline]
    fn edit<R>(
        &mut self,
        large: impl FnOnce(&mut List) -> R,
        packed: impl FnOnce(&mut crate::entry::InlineBuffer<'_>) -> R,
    ) -> R {
        match self.entry.inner().object_mut() {
            Some(Object::List(list)) => large(list),
            // `of` has seen that it is one or the other.
            _ => {
                let mut buffer = self.entry.inner().buffer();
                packed(buffer.as_mut().expect("a packed list lies in its entry"))
            }
        }
    }

    /// Becomes large if adding these elements would take it beyond the limit.
    #[inline]
    fn grow(&mut self, elements: &[&[u8]]) {
        if self.entry.kind() == Kind::PackedList {
            self.grow_packed(elements);
        }
    }

    fn grow_packed(&mut self, elements: &[&[u8]]) {
        let ListRef::Packed(pack) = self.read() else {
            return;
        };
        let added: usize = elements.iter().map(|element| element.len()).sum();
        if self
            .limit
            .is_exceeded_by(pack.byte_len() + added, pack.len() + elements.len())
        {
            let list = if pack.is_empty() {
                List::new(self.limit)
            } else {
                List::from_listpack(self.limit, pack.0)
            };
            self.entry
                .replace(Payload::Object(Box::new(Object::List(list))));
        }
    }

    /// Becomes a listpack again if it is within half of the limit: what is due after
    /// elements were removed. Only [`ListMut::pop`] leaves it to its caller, who may have
    /// something to push first.
    #[inline]
    pub fn shrink(&mut self) {
        let halved = self.limit.halved();
        let Some(list) = self.large() else {
            return;
        };
        let len = list.len();
        let Some(pack) = list.as_listpack() else {
            return;
        };
        if len > 0 && !halved.is_exceeded_by(pack.len(), len) {
            let pack = pack.to_vec();
            self.entry.replace(Payload::Inline(Kind::PackedList, &pack));
        }
    }

    /// Pushes elements at an end, one after the other, and returns how many there are
    /// then. No allocation where there is room.
    #[inline]
    pub fn push(&mut self, side: Side, elements: &[&[u8]]) -> usize {
        self.grow(elements);
        self.edit(
            |list| {
                for element in elements {
                    list.push(side, element);
                }
                list.len()
            },
            |pack| {
                match side {
                    Side::Front => listpack::prepend_all(pack, elements.iter().rev().copied()),
                    Side::Back => listpack::append_all(pack, elements.iter().copied()),
                }
                Listpack(pack.bytes()).len()
            },
        )
    }

    /// Hands the element at an end to `take`, and removes it. See [`ListMut::shrink`].
    #[inline]
    pub fn pop<R>(&mut self, side: Side, take: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        match self.entry.inner().object_mut() {
            Some(Object::List(list)) => list.pop(side, take),
            _ => {
                let mut pack = self.entry.inner().buffer()?;
                match side {
                    Side::Front => listpack::pop_first(&mut pack, take),
                    Side::Back => listpack::pop_last(&mut pack, take),
                }
            }
        }
    }

    /// Takes up to `count` elements off an end of a large list, to be read without locks;
    /// `None`, with nothing taken, of a small one. O(nodes).
    pub fn take_stretch(&mut self, side: Side, count: usize) -> Option<Stretch> {
        let stretch = self.large()?.take_stretch(side, count);
        self.shrink();
        Some(stretch)
    }

    /// Removes up to `count` elements from index `start` on and returns how many.
    pub fn remove_range(&mut self, start: usize, count: usize) -> usize {
        let removed = self.edit(
            |list| list.delete_range(start, count),
            |pack| listpack::delete_range(pack, start as i64, count),
        );
        self.shrink();
        removed
    }

    /// Keeps the elements from index `start` to `stop`, both included and counted from
    /// the end if negative; returns how many were removed.
    pub fn trim(&mut self, start: i64, stop: i64) -> usize {
        let len = self.len();
        let kept = resolve_range(start, stop, len);
        let removed = len - kept.len();
        if removed == 0 {
            self.shrink();
            return 0;
        }
        self.edit(
            |list| list.trim(start, stop),
            |pack| {
                listpack::delete_range(pack, kept.end as i64, len - kept.end);
                listpack::delete_range(pack, 0, kept.start);
            },
        );
        self.shrink();
        removed
    }

    /// Removes elements equal to `element` and returns how many: with a positive
    /// `count` that many from the front, with a negative one from the back, with 0 all.
    pub fn remove(&mut self, count: i64, element: &[u8]) -> usize {
        let removed = self.edit(
            |list| list.remove(count, element),
            |pack| remove_packed(pack, count, element),
        );
        if removed > 0 {
            self.shrink();
        }
        removed
    }

    /// Puts `element` in the place of the one with this index (negative: from the end);
    /// says whether there is one.
    pub fn set(&mut self, index: i64, element: &[u8]) -> bool {
        self.grow(&[element]);
        let set = self.edit(
            |list| list.set(index, element),
            |pack| {
                let position = Listpack(pack.bytes()).position(index);
                if let Some(position) = position {
                    listpack::replace(pack, position, element);
                }
                position.is_some()
            },
        );
        if set {
            self.shrink();
        }
        set
    }

    /// Adds `element` beside the first one equal to `pivot`; says whether there is one.
    /// As in Redis, a listpack that it would take beyond the limit is converted first,
    /// whether the pivot is found or not.
    pub fn insert(&mut self, pivot: &[u8], place: Place, element: &[u8]) -> bool {
        self.grow(&[element]);
        self.edit(
            |list| list.insert(pivot, place, element),
            |pack| match Listpack(pack.bytes()).find(pivot, 0) {
                Some(position) => listpack::insert(pack, position, place, element).is_some(),
                None => false,
            },
        )
    }
}

fn remove_packed(pack: &mut impl Buffer, count: i64, element: &[u8]) -> usize {
    let number = listpack::parse_integer(element);
    let is_match = |own: &Element<'_>| match *own {
        Element::Int(value) => number == Some(value),
        Element::Str(bytes) => bytes == element,
    };
    let matching = Listpack(pack.bytes()).iter().filter(is_match).count();
    let limit = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let removed = if count == 0 {
        matching
    } else {
        matching.min(limit)
    };
    if removed == 0 {
        return 0;
    }
    let doomed = if count < 0 {
        matching - removed..matching
    } else {
        0..removed
    };
    let mut seen = 0;
    listpack::retain(pack, |own| {
        if !is_match(&own) {
            return true;
        }
        seen += 1;
        !doomed.contains(&(seen - 1))
    })
}
