//! One node of a log: up to a few KB of entries in one listpack, in Redis's format.
//!
//! ```text
//! master entry   live | deleted | fields n | name × n | 0
//! entry          flags | ms − master | seq − master | value × n        | size
//!    or          flags | ms − master | seq − master | m | (name value) × m | size
//! ```
//!
//! The node's key is the ID of its first entry, the master; entries hold their distance
//! to it. The first form has the flag 2, "same fields as the master entry". An entry
//! with the flag 1 is deleted and only takes up room. `size` is the number of the
//! entry's elements before it, for walking backwards.
//!
//! Invariant: any bytes can be read without a panic, malformed ones look like a
//! shorter node. Writing expects a node that was made or validated here; its live
//! entries have increasing IDs.

use super::{NodeLimits, StreamId};
use crate::listpack::{self, Element, Entries, Listpack, Position};

/// The flag of a deleted entry.
pub(super) const DELETED: i64 = 1;

/// The flag of an entry whose names are those of the master entry.
pub(super) const SAME_FIELDS: i64 = 2;

/// The elements of an entry with the master's fields, values and size left out.
pub(super) const FIXED_ELEMENTS: i64 = 3;

/// What a node takes beside its listpack: the count of its owners and the handle of
/// its bytes.
pub(super) const OVERHEAD_BYTES: usize = size_of::<usize>() + size_of::<Node>();

/// The bytes of a node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    bytes: Vec<u8>,
}

/// Names and values of an entry to be added.
pub trait Pairs<'a>: ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone {}

impl<'a, P: ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone> Pairs<'a> for P {}

impl Node {
    /// Takes over a listpack, which must be a valid node.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Node {
        Node { bytes }
    }

    /// A node of one entry, which is its master.
    pub(super) fn of_one<'a>(pairs: impl Pairs<'a>) -> Node {
        let mut bytes = Vec::with_capacity(listpack::EMPTY.len() + 64);
        bytes.extend_from_slice(&listpack::EMPTY);
        let count = pairs.len() as i64;
        let header = [1, 0, count].map(Element::Int);
        let names = pairs.clone().map(|(name, _)| Element::Str(name));
        let entry = [0, SAME_FIELDS, 0, 0].map(Element::Int);
        let values = pairs.map(|(_, value)| Element::Str(value));
        let size = Element::Int(FIXED_ELEMENTS + count);
        listpack::append_all(
            &mut bytes,
            (header.into_iter().chain(names))
                .chain(entry.into_iter().chain(values))
                .chain([size]),
        );
        Node { bytes }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes the node's content has room for.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether an entry of `content_bytes` bytes of names and values has to go into
    /// a new node, as Redis decides it: deleted entries count.
    pub(super) fn is_full(&self, content_bytes: usize, limits: NodeLimits) -> bool {
        if self.bytes.len().saturating_add(content_bytes) >= limits.effective_bytes() {
            return true;
        }
        match limits.max_entries {
            0 => false,
            max => {
                let (live, deleted) = self.counts();
                live.saturating_add(deleted) >= i64::try_from(max).unwrap_or(i64::MAX)
            }
        }
    }

    /// Adds an entry, which becomes the last.
    pub(super) fn append<'a>(&mut self, master: StreamId, id: StreamId, pairs: impl Pairs<'a>) {
        let own_count = pairs.len();
        let mut names = Listpack(&self.bytes).entries();
        let live =
            (names.next()).map(|entry| (entry.position, entry.element.as_integer().unwrap_or(0)));
        // Past the number of deleted entries.
        let master_count = names.nth(1).and_then(|entry| entry.element.as_integer());
        let same_fields = master_count == i64::try_from(own_count).ok()
            && (pairs.clone())
                .all(|(name, _)| names.next().is_some_and(|own| own.element.eq_bytes(name)));
        if let Some((position, live)) = live {
            listpack::replace(&mut self.bytes, position, live.saturating_add(1));
        }
        let ms = id.ms.wrapping_sub(master.ms) as i64;
        let seq = id.seq.wrapping_sub(master.seq) as i64;
        let count = own_count as i64;
        if same_fields {
            let fixed = [SAME_FIELDS, ms, seq].map(Element::Int);
            let values = pairs.map(|(_, value)| Element::Str(value));
            let size = Element::Int(FIXED_ELEMENTS + count);
            let elements = fixed.into_iter().chain(values).chain([size]);
            listpack::append_all(&mut self.bytes, elements);
        } else {
            let fixed = [0, ms, seq, count].map(Element::Int);
            let pairs = pairs.flat_map(|(name, value)| [Element::Str(name), Element::Str(value)]);
            let size = Element::Int(FIXED_ELEMENTS + 1 + 2 * count);
            let elements = fixed.into_iter().chain(pairs).chain([size]);
            listpack::append_all(&mut self.bytes, elements);
        }
    }

    /// Gives back room for growth, when no more entries will be added.
    pub(super) fn seal(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// The numbers of live and of deleted entries.
    #[inline]
    pub(super) fn counts(&self) -> (i64, i64) {
        let mut elements = Listpack(&self.bytes).iter();
        let mut count = || {
            elements
                .next()
                .and_then(|element| element.as_integer())
                .unwrap_or(0)
        };
        (count(), count())
    }

    /// Marks the entry at this position as deleted; `flags` are those it has. The
    /// counts are left to [`Node::set_counts`]. Positions up to this one stay valid.
    pub(super) fn mark_deleted(&mut self, at: Position, flags: i64) {
        listpack::replace(&mut self.bytes, at, flags | DELETED);
    }

    /// States how many entries are live and how many are deleted.
    pub(super) fn set_counts(&mut self, live: i64, deleted: i64) {
        for (index, count) in [(0, live), (1, deleted)] {
            let pack = Listpack(&self.bytes);
            if let Some(position) = pack.position(index)
                && pack.at(position).and_then(|old| old.as_integer()) != Some(count)
            {
                listpack::replace(&mut self.bytes, position, count);
            }
        }
    }

    /// A reader of the node, whose key is `master`.
    #[inline]
    pub(super) fn read(&self, master: StreamId) -> Option<Reader<'_>> {
        Reader::new(&self.bytes, master)
    }
}

/// Walks the entries of one node.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    pack: Listpack<'a>,
    master: StreamId,
    /// The names of the master entry come next.
    names: Entries<'a>,
    name_count: usize,
    /// Where the first entry starts.
    first: Position,
}

/// An entry of a node, deleted or not: where it is, without its fields.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    /// Where the entry starts.
    pub(super) at: Position,
    /// Where the next one starts, or the listpack ends.
    pub(super) after: Position,
    pub(super) flags: i64,
    pub(super) id: StreamId,
    /// The names and values, or the values alone, come next.
    fields: Entries<'a>,
    field_count: usize,
}

impl Found<'_> {
    pub(super) fn is_live(&self) -> bool {
        self.flags & DELETED == 0
    }
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], master: StreamId) -> Option<Reader<'a>> {
        let pack = Listpack(bytes);
        let mut elements = pack.entries();
        let count = elements.nth(2)?.element.as_integer()?;
        let name_count = usize::try_from(count).ok()?;
        let names = elements.clone();
        // The names, and the 0 after them.
        elements.nth(name_count)?;
        Some(Reader {
            pack,
            master,
            names,
            name_count,
            first: elements.front(),
        })
    }

    /// Where the first entry starts.
    pub(super) fn start(&self) -> Position {
        self.first
    }

    /// Where the last entry ends.
    pub(super) fn end(&self) -> Position {
        let Some(last) = self.pack.last() else {
            return self.first;
        };
        let mut tail = self.pack.entries_from(last);
        tail.next();
        tail.front()
    }

    /// The entry that starts here.
    pub(super) fn at(&self, at: Position) -> Option<Found<'a>> {
        let mut elements = self.pack.entries_from(at);
        let flags = elements.next()?.element.as_integer()?;
        let ms = elements.next()?.element.as_integer()?;
        let seq = elements.next()?.element.as_integer()?;
        let id = StreamId {
            ms: self.master.ms.wrapping_add(ms as u64),
            seq: self.master.seq.wrapping_add(seq as u64),
        };
        let (field_count, skipped) = if flags & SAME_FIELDS != 0 {
            (self.name_count, self.name_count)
        } else {
            let count = elements.next()?.element.as_integer()?;
            let count = usize::try_from(count).ok()?;
            (count, count.checked_mul(2)?)
        };
        let fields = elements.clone();
        // Names and values, and the size.
        elements.nth(skipped)?;
        Some(Found {
            at,
            after: elements.front(),
            flags,
            id,
            fields,
            field_count,
        })
    }

    /// The entry found, with its fields.
    pub(super) fn entry(&self, found: Found<'a>) -> Entry<'a> {
        let names = (found.flags & SAME_FIELDS != 0).then(|| self.names.clone());
        Entry {
            id: found.id,
            fields: Fields {
                names,
                values: found.fields,
                left: found.field_count,
            },
        }
    }

    /// The entry that ends here.
    pub(super) fn before(&self, end: Position) -> Option<Found<'a>> {
        if end <= self.first {
            return None;
        }
        let mut elements = self.pack.entries_before(end);
        let size = elements.next_back()?.element.as_integer()?;
        let size = usize::try_from(size).ok()?.checked_sub(1)?;
        let found = self.at(elements.nth_back(size)?.position)?;
        (found.at >= self.first && found.after == end).then_some(found)
    }

    /// Where an entry starts before which all live ones are below `from`, looking back
    /// from the end over a few entries; `None` if that does not tell.
    pub(super) fn start_near_end(&self, from: StreamId) -> Option<Position> {
        const LOOK_BACK: usize = 8;
        let mut end = self.end();
        for _ in 0..LOOK_BACK {
            let found = self.before(end)?;
            if found.is_live() && found.id < from {
                return Some(end);
            }
            end = found.at;
        }
        None
    }

    /// All entries, deleted ones too, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = Found<'a>> + use<'a, '_> {
        let mut at = self.first;
        std::iter::from_fn(move || {
            let found = self.at(at)?;
            at = found.after;
            Some(found)
        })
    }
}

/// An entry of a stream.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its ID.
    pub id: StreamId,
    /// Its fields, in the order in which they were given.
    pub fields: Fields<'a>,
}

/// The names and values of an entry.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// The names, if they are the master entry's, apart from the values.
    names: Option<Entries<'a>>,
    values: Entries<'a>,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Element<'a>, Element<'a>)> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next()?,
            None => self.values.next()?,
        };
        Some((name.element, self.values.next()?.element))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// The number of fields is known, as a reply needs it first.
impl ExactSizeIterator for Fields<'_> {}
