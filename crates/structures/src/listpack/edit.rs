//! Changing a listpack in any [`Buffer`].
//!
//! Every edit is one splice and one patch of the header, however many elements
//! it adds or removes.
//!
//! Invariant: the buffer holds a well-formed listpack before and after. Positions
//! come from this listpack as it is; one that is not the start of an entry makes an
//! edit do nothing.
//!
//! # Panics
//! Growing past 4 GiB panics, as the header cannot say it: owners ask
//! [`super::fits`], whose bound is lower, before they add.

use super::encoding::{decode, encode, entry_len};
use super::{Buffer, END, Element, HEADER_BYTES, Listpack, Position, UNKNOWN_COUNT};

/// On which side of an element to insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Towards the first element.
    Before,
    /// Towards the last element.
    After,
}

/// Adds an element at the end.
#[inline]
pub fn append<'a>(buffer: &mut impl Buffer, element: impl Into<Element<'a>>) {
    let at = Listpack(buffer.bytes()).end();
    splice_element(buffer, at, element.into());
}

/// Adds elements at the end, in their order.
pub fn append_all<'a, E: Into<Element<'a>>>(
    buffer: &mut impl Buffer,
    elements: impl IntoIterator<Item = E, IntoIter: Clone>,
) {
    let at = Listpack(buffer.bytes()).end();
    splice_elements(buffer, at, elements);
}

/// Adds an element at the front.
#[inline]
pub fn prepend<'a>(buffer: &mut impl Buffer, element: impl Into<Element<'a>>) {
    splice_element(buffer, HEADER_BYTES, element.into());
}

/// Adds elements at the front, so that they come first in their order.
pub fn prepend_all<'a, E: Into<Element<'a>>>(
    buffer: &mut impl Buffer,
    elements: impl IntoIterator<Item = E, IntoIter: Clone>,
) {
    splice_elements(buffer, HEADER_BYTES, elements);
}

/// Adds an element beside the one at `position` and returns where it is now.
pub fn insert<'a>(
    buffer: &mut impl Buffer,
    position: Position,
    place: Place,
    element: impl Into<Element<'a>>,
) -> Option<Position> {
    insert_all(buffer, position, place, [element.into()])
}

/// Adds elements, in their order, beside the one at `position`, and returns
/// where the first of them is now.
pub fn insert_all<'a, E: Into<Element<'a>>>(
    buffer: &mut impl Buffer,
    position: Position,
    place: Place,
    elements: impl IntoIterator<Item = E, IntoIter: Clone>,
) -> Option<Position> {
    let (_, size) = decode(buffer.bytes(), position.0)?;
    let at = match place {
        Place::Before => position.0,
        Place::After => position.0 + size,
    };
    splice_elements(buffer, at, elements);
    Some(Position(at))
}

/// Puts `element` in the place of the one at `position`, which stays valid.
pub fn replace<'a>(buffer: &mut impl Buffer, position: Position, element: impl Into<Element<'a>>) {
    let Some((_, size)) = decode(buffer.bytes(), position.0) else {
        return;
    };
    let element = element.into().canonical();
    let len = entry_len(element);
    if len == size {
        encode(
            element,
            &mut buffer.bytes_mut()[position.0..position.0 + size],
        );
    } else {
        encode(element, gap(buffer, position.0, size, len));
        patch_header(buffer, 0, 0);
    }
}

/// Hands the first element to `take`, and removes it.
#[inline]
pub fn pop_first<R>(buffer: &mut impl Buffer, take: impl FnOnce(Element<'_>) -> R) -> Option<R> {
    let mut entries = Listpack(buffer.bytes()).entries();
    let taken = take(entries.next()?.element);
    let size = entries.front().0 - HEADER_BYTES;
    splice_entries(buffer, HEADER_BYTES, size, &[], 0, 1);
    Some(taken)
}

/// Hands the last element to `take`, and removes it.
#[inline]
pub fn pop_last<R>(buffer: &mut impl Buffer, take: impl FnOnce(Element<'_>) -> R) -> Option<R> {
    let pack = Listpack(buffer.bytes());
    let last = pack.entries().next_back()?;
    let (at, size) = (last.position.0, pack.end() - last.position.0);
    let taken = take(last.element);
    splice_entries(buffer, at, size, &[], 0, 1);
    Some(taken)
}

/// Removes the element at `position`. Afterwards `position` is that of the
/// element that followed it; `None` if it was the last.
pub fn delete(buffer: &mut impl Buffer, position: Position) -> Option<Position> {
    delete_at(buffer, position, 1);
    Listpack(buffer.bytes()).at(position).map(|_| position)
}

/// Removes up to `count` elements from `position` on and returns how many. A
/// field and its value are two elements.
pub fn delete_at(buffer: &mut impl Buffer, position: Position, count: usize) -> usize {
    let mut doomed = Listpack(buffer.bytes()).entries_from(position);
    let removed = doomed.by_ref().take(count).count();
    let end = doomed.front().0;
    if removed > 0 {
        splice_entries(buffer, position.0, end - position.0, &[], 0, removed);
    }
    removed
}

/// Removes up to `count` elements from index `start` on (negative: from the end)
/// and returns how many.
pub fn delete_range(buffer: &mut impl Buffer, start: i64, count: usize) -> usize {
    match Listpack(buffer.bytes()).position(start) {
        Some(position) => delete_at(buffer, position, count),
        None => 0,
    }
}

/// Keeps the elements for which `keep` says so, in one pass, and returns how many
/// went. O(bytes), whatever their number.
pub fn retain(buffer: &mut impl Buffer, mut keep: impl FnMut(Element<'_>) -> bool) -> usize {
    let bytes = buffer.bytes_mut();
    let end = Listpack(bytes).end();
    let (mut read, mut written, mut removed) = (HEADER_BYTES, HEADER_BYTES, 0);
    while read < end {
        let Some((element, size)) = decode(bytes, read) else {
            break;
        };
        let after = (read + size).min(end);
        if keep(element) {
            if written < read {
                bytes.copy_within(read..after, written);
            }
            written += after - read;
        } else {
            removed += 1;
        }
        read = after;
    }
    if removed > 0 {
        splice_entries(buffer, written, read - written, &[], 0, removed);
    }
    removed
}

/// Adds all elements of `other` at the end.
pub fn append_listpack(buffer: &mut impl Buffer, other: Listpack<'_>) {
    let at = Listpack(buffer.bytes()).end();
    splice_entries(buffer, at, 0, other.entry_bytes(), other.len(), 0);
}

/// Cuts the listpack before `position` and returns the rest, from the element at
/// `position` on, as a listpack of its own.
#[must_use]
pub fn split_off(buffer: &mut impl Buffer, position: Position) -> Vec<u8> {
    let whole = Listpack(buffer.bytes());
    let count = whole.entries_from(position).count();
    let start = position
        .0
        .clamp(HEADER_BYTES, whole.end().max(HEADER_BYTES));
    let entries = whole.0.get(start..whole.end()).unwrap_or_default();
    let mut rest = Vec::with_capacity(entries.len() + super::EMPTY.len());
    rest.extend_from_slice(&super::EMPTY[..HEADER_BYTES]);
    rest.extend_from_slice(entries);
    rest.push(END);
    patch_header(&mut rest, count, 0);
    let size = entries.len();
    splice_entries(buffer, start, size, &[], 0, count);
    rest
}

#[inline]
fn splice_element(buffer: &mut impl Buffer, at: usize, element: Element<'_>) {
    let element = element.canonical();
    encode(element, gap(buffer, at, 0, entry_len(element)));
    patch_header(buffer, 1, 0);
}

#[inline]
fn splice_elements<'a, E: Into<Element<'a>>>(
    buffer: &mut impl Buffer,
    at: usize,
    elements: impl IntoIterator<Item = E, IntoIter: Clone>,
) {
    let elements = elements
        .into_iter()
        .map(|element| element.into().canonical());
    let (mut bytes, mut added) = (0, 0);
    for element in elements.clone() {
        bytes += entry_len(element);
        added += 1;
    }
    if added > 0 {
        let mut entries = gap(buffer, at, 0, bytes);
        for element in elements {
            entries = encode(element, entries);
        }
        patch_header(buffer, added, 0);
    }
}

fn splice_entries(
    buffer: &mut impl Buffer,
    at: usize,
    remove: usize,
    insert: &[u8],
    added: usize,
    removed: usize,
) {
    gap(buffer, at, remove, insert.len()).copy_from_slice(insert);
    patch_header(buffer, added, removed);
}

/// As [`Buffer::gap`], for a listpack that its header can still describe.
#[inline]
fn gap<B: Buffer>(buffer: &mut B, at: usize, remove: usize, len: usize) -> &mut [u8] {
    let total = buffer.bytes().len() - remove + len;
    assert!(
        u32::try_from(total).is_ok(),
        "a listpack of {total} bytes: its owner did not ask whether it fits"
    );
    buffer.gap(at, remove, len)
}

#[inline]
fn patch_header(buffer: &mut impl Buffer, added: usize, removed: usize) {
    let total = buffer.bytes().len();
    let known = u16::from_le_bytes([buffer.bytes()[4], buffer.bytes()[5]]);
    let count = if known != UNKNOWN_COUNT {
        Some((usize::from(known) + added).saturating_sub(removed))
    } else if total < 2 * usize::from(UNKNOWN_COUNT) {
        // An entry has two bytes at least: it is small again, so count it once
        // rather than at each question for its length.
        Some(Listpack(buffer.bytes()).entries().count())
    } else {
        None
    };
    let count = count
        .and_then(|count| u16::try_from(count).ok())
        .unwrap_or(UNKNOWN_COUNT);
    let header = buffer.bytes_mut();
    header[..4].copy_from_slice(&(total as u32).to_le_bytes());
    header[4..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
}
