//! What SORT sorts: the elements of a list, a set or a sorted set, whatever their
//! encoding.

use std::ops::Range;

use ochre_store::value::set::SetRef;
use ochre_store::value::sorted_set::Frozen;
use ochre_store::{Entry, Object, Type, Value};
use ochre_structures::list::{Cursor, Direction, FrozenList, List};
use ochre_structures::listpack::Listpack;
use ochre_structures::member_set::FrozenMemberSet;
use ochre_structures::sorted_set::SortedSet;

/// Something that has elements, seen in its own order.
#[derive(Clone, Copy)]
pub struct Collection<'a> {
    value_type: Option<Type>,
    source: Source<'a>,
}

/// An encoding of a collection.
#[derive(Clone, Copy)]
enum Source<'a> {
    Empty,
    Listpack(Listpack<'a>),
    /// Members and scores in turn.
    Pairs(Listpack<'a>),
    List(&'a List),
    SortedSet(&'a SortedSet),
    Set(SetRef<'a>),
}

impl<'a> Collection<'a> {
    /// That of a key that is not there.
    pub const EMPTY: Self = Self {
        value_type: None,
        source: Source::Empty,
    };

    /// The collection that `entry` holds, if it holds one that can be sorted.
    pub fn of(entry: &'a Entry) -> Option<Self> {
        let source = match entry.value() {
            Value::PackedList(bytes) => Source::Listpack(Listpack(bytes)),
            Value::PackedSortedSet(bytes) => Source::Pairs(Listpack(bytes)),
            Value::Object(Object::List(list)) => Source::List(list),
            Value::Object(Object::SortedSet(set)) => Source::SortedSet(set),
            _ => Source::Set(SetRef::of(entry).ok()?),
        };
        Some(Self {
            value_type: Some(entry.value_type()),
            source,
        })
    }

    /// The type of the value; `None` when there is none.
    pub fn value_type(&self) -> Option<Type> {
        self.value_type
    }

    pub fn len(&self) -> usize {
        match self.source {
            Source::Empty => 0,
            Source::Listpack(elements) => elements.len(),
            Source::Pairs(pairs) => pairs.len() / 2,
            Source::List(list) => list.len(),
            Source::SortedSet(set) => set.len(),
            Source::Set(set) => set.len(),
        }
    }

    /// Copies the elements with these indices.
    pub fn elements(&self, range: Range<usize>) -> Elements {
        let mut elements = Elements::default();
        let (skip, take) = (range.start, range.len());
        match self.source {
            Source::Empty => {}
            Source::Listpack(all) => {
                for element in all.iter().skip(skip).take(take) {
                    elements.push_with(|bytes| element.write_to(bytes));
                }
            }
            Source::Pairs(all) => {
                for (member, _) in all.pairs().skip(skip).take(take) {
                    elements.push_with(|bytes| member.write_to(bytes));
                }
            }
            Source::List(list) => {
                for element in list.iter_from(skip, Direction::Forward).take(take) {
                    elements.push_with(|bytes| element.write_to(bytes));
                }
            }
            Source::SortedSet(set) => {
                for (member, _) in set.by_rank(range.clone()) {
                    elements.push(member);
                }
            }
            Source::Set(set) => {
                let mut index = 0;
                set.visit_while(|member| {
                    if range.contains(&index) {
                        elements.push_with(|bytes| member.write_to(bytes));
                    }
                    index += 1;
                    index < range.end
                });
            }
        }
        elements
    }
}

impl Collection<'_> {
    /// How many elements have to be passed to come to the end of a range of indices.
    pub fn effort(&self, range: &Range<usize>) -> usize {
        match self.source {
            Source::Set(_) => range.end,
            _ => range.len(),
        }
    }

    /// The elements with these indices as they are now, to be copied without locks, bit by
    /// bit; `None` for a small collection. O(its nodes) pointer copies.
    pub fn freeze(&self, range: Range<usize>) -> Option<FrozenCollection> {
        let source = match self.source {
            Source::List(list) => {
                let list = list.freeze();
                FrozenSource::List {
                    next: Some(list.cursor(range.start)),
                    list,
                }
            }
            Source::SortedSet(set) => FrozenSource::SortedSet(Frozen::Tree(set.freeze())),
            Source::Set(set) => FrozenSource::Set {
                set: set.freeze()?,
                slice: Some(0),
                index: 0,
            },
            Source::Empty | Source::Listpack(_) | Source::Pairs(_) => return None,
        };
        Some(FrozenCollection { source, range })
    }
}

/// A range of the elements of a large collection, as it was.
pub struct FrozenCollection {
    source: FrozenSource,
    /// The indices of those that have not been copied.
    range: Range<usize>,
}

enum FrozenSource {
    List {
        list: FrozenList,
        next: Option<Cursor>,
    },
    SortedSet(Frozen),
    Set {
        set: FrozenMemberSet,
        /// The next slice to be copied, and the index of its first member.
        slice: Option<usize>,
        index: usize,
    },
}

impl FrozenCollection {
    /// Copies some of the elements not copied yet, in order: about as many as `max`. None
    /// of them may be in the range.
    pub fn copy_some(&mut self, max: usize) -> Elements {
        let mut elements = Elements::default();
        let range = &mut self.range;
        let max = max.min(range.len());
        match &mut self.source {
            FrozenSource::List { list, next } => {
                *next = next.and_then(|cursor| {
                    list.visit_from(cursor, max, |element| {
                        elements.push_with(|bytes| element.write_to(bytes));
                    })
                });
                range.start += max;
            }
            FrozenSource::SortedSet(set) => {
                for (member, _) in set.by_rank(range.start..range.start + max) {
                    elements.push_with(|bytes| member.write_to(bytes));
                }
                range.start += max;
            }
            FrozenSource::Set { set, slice, index } => {
                *slice = slice.and_then(|slice| {
                    set.visit_slice(slice, |member| {
                        if range.contains(index) {
                            elements.push_with(|bytes| member.write_to(bytes));
                        }
                        *index += 1;
                    })
                });
                range.start = range.start.max(*index).min(range.end);
                if slice.is_none() {
                    range.start = range.end;
                }
            }
        }
        elements
    }

    /// Whether every element of the range has been copied.
    pub fn is_empty(&self) -> bool {
        self.range.start >= self.range.end
    }
}

/// Elements one behind the other in one buffer.
#[derive(Debug, Default)]
pub struct Elements {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Elements {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The element of this index, which must be below [`Elements::len`].
    #[inline]
    pub fn get(&self, index: u32) -> &[u8] {
        let index = index as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    pub fn push(&mut self, element: &[u8]) {
        self.push_with(|bytes| bytes.extend_from_slice(element));
    }

    fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }
}
