//! Reading a listpack: from either end, by index, by element.
//!
//! Invariant: any bytes can be read without a panic. Malformed ones look like a
//! shorter listpack.

use super::encoding::{back_length_size, decode, decode_back_length, entry_size};
use super::{END, Element, HEADER_BYTES, UNKNOWN_COUNT, parse_integer};

/// Where an entry starts: a byte offset into one listpack. An edit before or at
/// it makes it stale; editing functions return the positions that still hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub(super) usize);

impl Position {
    /// The offset in bytes from the start of the listpack.
    #[must_use]
    pub fn offset(self) -> usize {
        self.0
    }
}

/// An element and where it is.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Where the entry starts.
    pub position: Position,
    /// What it holds.
    pub element: Element<'a>,
}

/// A view of bytes as a listpack.
#[derive(Clone, Copy, Debug)]
pub struct Listpack<'a>(pub &'a [u8]);

impl<'a> Listpack<'a> {
    /// The size in bytes, header and end included.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.0.len()
    }

    /// The number of elements. O(1) up to 65,534 elements, else O(n).
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match self.known_len() {
            Some(len) => len,
            None => self.entries().count(),
        }
    }

    /// Whether there is no element. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    fn known_len(&self) -> Option<usize> {
        match self.0.get(4..HEADER_BYTES) {
            Some(&[low, high]) => {
                let count = u16::from_le_bytes([low, high]);
                (count != UNKNOWN_COUNT).then_some(usize::from(count))
            }
            _ => Some(0),
        }
    }

    /// The offset of the end byte.
    pub(super) fn end(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// The elements, in order; can be reversed.
    pub fn iter(&self) -> Iter<'a> {
        Iter(self.entries())
    }

    /// The elements with their positions, in order; can be reversed.
    pub fn entries(&self) -> Entries<'a> {
        Entries {
            bytes: self.0,
            front: HEADER_BYTES,
            back: self.end(),
        }
    }

    /// The entries from `position` to the last.
    pub fn entries_from(&self, position: Position) -> Entries<'a> {
        Entries {
            front: position.0.max(HEADER_BYTES),
            ..self.entries()
        }
    }

    /// The entries from the first up to, and without, the one at `position`.
    pub fn entries_before(&self, position: Position) -> Entries<'a> {
        Entries {
            back: position.0.min(self.end()),
            ..self.entries()
        }
    }

    /// The position of the first element.
    #[must_use]
    pub fn first(&self) -> Option<Position> {
        Some(self.entries().next()?.position)
    }

    /// The position of the last element.
    #[must_use]
    pub fn last(&self) -> Option<Position> {
        Some(self.entries().next_back()?.position)
    }

    /// The position after the one given.
    #[must_use]
    pub fn next(&self, position: Position) -> Option<Position> {
        Some(self.entries_from(position).nth(1)?.position)
    }

    /// The position before the one given.
    #[must_use]
    pub fn previous(&self, position: Position) -> Option<Position> {
        Some(self.entries_before(position).next_back()?.position)
    }

    /// The element at `position`.
    #[inline]
    #[must_use]
    pub fn at(&self, position: Position) -> Option<Element<'a>> {
        Some(decode(self.0, position.0)?.0)
    }

    /// The position of the element with this index; a negative one counts from
    /// the end, -1 being the last. O(n), from the nearer end.
    #[must_use]
    pub fn position(&self, index: i64) -> Option<Position> {
        Some(self.entry(index)?.position)
    }

    /// The element with this index, as [`Listpack::position`] counts.
    #[must_use]
    pub fn index(&self, index: i64) -> Option<Element<'a>> {
        Some(self.entry(index)?.element)
    }

    fn entry(&self, index: i64) -> Option<Entry<'a>> {
        let distance = usize::try_from(index.unsigned_abs()).ok()?;
        let len = self.known_len();
        if index >= 0 {
            match len {
                Some(len) if distance >= len => None,
                Some(len) if distance > len / 2 => self.entries().nth_back(len - 1 - distance),
                _ => self.entries().nth(distance),
            }
        } else {
            match len {
                Some(len) if distance > len => None,
                Some(len) if distance > len / 2 => self.entries().nth(len - distance),
                _ => self.entries().nth_back(distance - 1),
            }
        }
    }

    /// The first element equal to `needle`, looking at every `skip + 1`-th one
    /// from the first on: 0 looks at all, 1 at the fields of field-value pairs. O(n).
    #[must_use]
    pub fn find(&self, needle: &[u8], skip: usize) -> Option<Position> {
        self.find_from(Position(HEADER_BYTES), needle, skip)
    }

    /// Like [`Listpack::find`], starting with the element at `from`.
    #[must_use]
    pub fn find_from(&self, from: Position, needle: &[u8], skip: usize) -> Option<Position> {
        let number = parse_integer(needle);
        let end = self.end();
        let mut at = from.0.max(HEADER_BYTES);
        while at < end {
            let (element, size) = decode(self.0, at)?;
            let found = match element {
                Element::Int(value) => number == Some(value),
                // Names that differ often do so in their last byte: most of the
                // comparisons end there.
                Element::Str(bytes) => {
                    bytes.len() == needle.len() && bytes.last() == needle.last() && bytes == needle
                }
            };
            if found {
                return (at + size <= end).then_some(Position(at));
            }
            at += size;
            for _ in 0..skip {
                at += entry_size(self.0, at)?;
            }
        }
        None
    }

    /// The field-value pairs, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> + use<'a> {
        let mut elements = self.iter();
        std::iter::from_fn(move || Some((elements.next()?, elements.next()?)))
    }

    /// The bytes of all entries, without header and end.
    pub(super) fn entry_bytes(&self) -> &'a [u8] {
        self.0.get(HEADER_BYTES..self.end()).unwrap_or_default()
    }
}

impl<'a> IntoIterator for Listpack<'a> {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Walks the entries of a listpack from both ends.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    /// Where the next entry starts.
    front: usize,
    /// Where the next entry from the back ends.
    back: usize,
}

impl Entries<'_> {
    /// Where the next entry starts: the position after the last one returned,
    /// or that of the end byte.
    #[must_use]
    pub fn front(&self) -> Position {
        Position(self.front)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.front >= self.back {
            return None;
        }
        let position = Position(self.front);
        match decode(self.bytes, self.front) {
            Some((element, size)) if size <= self.back - self.front => {
                self.front += size;
                Some(Entry { position, element })
            }
            _ => {
                self.front = self.back;
                None
            }
        }
    }

    fn nth(&mut self, skipped: usize) -> Option<Entry<'a>> {
        for _ in 0..skipped {
            if self.front >= self.back {
                return None;
            }
            // Past the end if malformed: `next` finds nothing there.
            self.front = match entry_size(self.bytes, self.front) {
                Some(size) => self.front + size,
                None => self.back,
            };
        }
        self.next()
    }
}

impl<'a> DoubleEndedIterator for Entries<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Entry<'a>> {
        if self.front >= self.back {
            return None;
        }
        let before = |back: usize| {
            let size = decode_back_length(self.bytes, back)?;
            let start = back.checked_sub(size.checked_add(back_length_size(size))?)?;
            if start < self.front || self.bytes.get(start) == Some(&END) {
                return None;
            }
            let (element, whole) = decode(self.bytes, start)?;
            (start + whole == back).then_some(Entry {
                position: Position(start),
                element,
            })
        };
        let entry = before(self.back);
        self.back = match &entry {
            Some(entry) => entry.position.0,
            None => self.front,
        };
        entry
    }
}

/// Walks the elements of a listpack from both ends.
#[derive(Clone, Debug)]
pub struct Iter<'a>(Entries<'a>);

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        Some(self.0.next()?.element)
    }
}

impl<'a> DoubleEndedIterator for Iter<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Element<'a>> {
        Some(self.0.next_back()?.element)
    }
}
