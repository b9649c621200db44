//! Ziplists, what small collections were before Redis 7.0, converted to listpacks.
//!
//! ```text
//! ziplist   bytes (u32 LE) | offset of last entry (u32 LE) | entries (u16 LE) | entry … | 0xFF
//! entry     size of previous entry | encoding byte(s) | data
//! size      one byte up to 253, or 0xFE and a u32 LE
//! ```
//!
//! | encoding bytes                 | element                          |
//! |--------------------------------|----------------------------------|
//! | `00llllll`                     | string of up to 63 bytes         |
//! | `01llllll llllllll`            | string of up to 16383 bytes      |
//! | `10000000` u32 BE              | longer string                    |
//! | `11000000` `1101…` `1110…`     | integer of 16, 32, 64 bits, LE   |
//! | `11110000` `11111110`          | integer of 24, 8 bits            |
//! | `1111vvvv`, v from 1 to 13     | v - 1                            |
//!
//! `entries` is 65535 when there are that many or more.

use std::borrow::Cow;

use ochre_structures::listpack::{Element, Shape};

use super::listpacks::{self, Distinct};
use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};

const HEADER_BYTES: usize = 10;
const END: u8 = 0xff;
const LARGE_SIZE: u8 = 0xfe;
const UNKNOWN_COUNT: u16 = u16::MAX;

type Checked<T> = std::result::Result<T, RdbErrorKind>;

/// Reads a ziplist, checks it and converts it. `None` if it is empty.
pub(super) fn to_listpack(cursor: &mut Cursor<'_>, shape: Shape) -> Result<Option<Vec<u8>>> {
    let start = cursor.position();
    let bytes: Cow<'_, [u8]> = cursor.blob()?;
    let packed = elements(&bytes).and_then(|elements| {
        check_shape(&elements, shape)?;
        if elements.is_empty() {
            return Ok(None);
        }
        listpacks::build(&elements, bytes.len()).map(Some)
    });
    packed.map_err(|kind| cursor.error_at(start, kind))
}

fn check_shape(elements: &[Element<'_>], shape: Shape) -> Checked<()> {
    let mut distinct = Distinct::default();
    let step = match shape {
        Shape::Elements => return Ok(()),
        Shape::Members => 1,
        Shape::Pairs => 2,
    };
    if !elements.len().is_multiple_of(step) {
        return Err(RdbErrorKind::Ziplist { at: 0 });
    }
    let mut firsts = elements.iter().step_by(step);
    if firsts.all(|&element| distinct.insert(element)) {
        Ok(())
    } else {
        Err(RdbErrorKind::Duplicate)
    }
}

/// The elements of a ziplist, every byte of which is checked.
fn elements(bytes: &[u8]) -> Checked<Vec<Element<'_>>> {
    let malformed = |at: usize| RdbErrorKind::Ziplist { at };
    let Some((&[a, b, c, d, e, f, g, h, i, j], _)) = bytes.split_first_chunk::<HEADER_BYTES>()
    else {
        return Err(malformed(bytes.len()));
    };
    if usize::try_from(u32::from_le_bytes([a, b, c, d])) != Ok(bytes.len()) {
        return Err(malformed(0));
    }
    let last = u32::from_le_bytes([e, f, g, h]);
    let stated = u16::from_le_bytes([i, j]);
    let end = bytes.len() - 1;
    if end < HEADER_BYTES || bytes[end] != END {
        return Err(malformed(end));
    }

    let mut elements = Vec::with_capacity(usize::from(stated).min(bytes.len() / 2));
    let mut at = HEADER_BYTES;
    let mut previous = 0;
    let mut start_of_last = at;
    while at < end {
        let entry = entry(&bytes[at..end]).ok_or(malformed(at))?;
        if entry.previous_size != previous {
            return Err(malformed(at));
        }
        elements.push(entry.element);
        start_of_last = at;
        previous = entry.size;
        at += entry.size;
    }
    if usize::try_from(last) != Ok(start_of_last) {
        return Err(malformed(4));
    }
    if stated != UNKNOWN_COUNT && usize::from(stated) != elements.len() {
        return Err(malformed(8));
    }
    Ok(elements)
}

struct Entry<'a> {
    previous_size: usize,
    element: Element<'a>,
    size: usize,
}

fn entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let (&first, mut rest) = bytes.split_first()?;
    let previous_size = if first == LARGE_SIZE {
        let (size, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        usize::try_from(u32::from_le_bytes(*size)).ok()?
    } else {
        // The end mark was looked for before.
        usize::from(first)
    };
    let (&encoding, rest) = rest.split_first()?;
    let integer = |size: usize| {
        let (data, rest) = rest.split_at_checked(size)?;
        // Into the upper bytes, from where the sign extends.
        let mut wide = [0; 8];
        wide[8 - size..].copy_from_slice(data);
        let value = i64::from_le_bytes(wide) >> (64 - 8 * size);
        Some((Element::Int(value), rest))
    };
    let (element, rest) = match encoding {
        0x00..=0x3f => string(rest, usize::from(encoding))?,
        0x40..=0x7f => {
            let (&low, rest) = rest.split_first()?;
            string(rest, usize::from(encoding & 0x3f) << 8 | usize::from(low))?
        }
        0x80 => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            string(rest, usize::try_from(u32::from_be_bytes(*len)).ok()?)?
        }
        0xc0 => integer(2)?,
        0xd0 => integer(4)?,
        0xe0 => integer(8)?,
        0xf0 => integer(3)?,
        0xfe => integer(1)?,
        0xf1..=0xfd => (Element::Int(i64::from(encoding) - 0xf1), rest),
        _ => return None,
    };
    Some(Entry {
        previous_size,
        element,
        size: bytes.len() - rest.len(),
    })
}

fn string(rest: &[u8], len: usize) -> Option<(Element<'_>, &[u8])> {
    let (string, rest) = rest.split_at_checked(len)?;
    Some((Element::Str(string), rest))
}

#[cfg(test)]
mod tests {
    use ochre_structures::listpack::Element;

    use super::elements;

    /// `[2, "hello", 1024, -1]`, put together by hand.
    const EXAMPLE: &[u8] = b"\x1b\0\0\0\x17\0\0\0\x04\0\
        \0\xf3\
        \x02\x05hello\
        \x07\xc0\0\x04\
        \x04\xfe\xff\
        \xff";

    #[test]
    fn a_ziplist_by_hand() {
        let mut example = EXAMPLE.to_vec();
        example[0] = example.len() as u8;
        let elements = elements(&example).unwrap();
        let expected: [Element<'_>; 4] = [
            Element::Int(2),
            Element::Str(b"hello"),
            Element::Int(1024),
            Element::Int(-1),
        ];
        assert_eq!(elements, expected);
    }

    #[test]
    fn any_changed_structure_is_seen() {
        let mut example = EXAMPLE.to_vec();
        example[0] = example.len() as u8;
        for at in (0..example.len()).filter(|at| !(14..19).contains(at) && !(21..23).contains(at)) {
            let mut changed = example.clone();
            changed[at] ^= 0x80;
            let same =
                elements(&changed).is_ok_and(|changed| changed == elements(&example).unwrap());
            assert!(!same, "byte {at}");
        }
        for len in 0..example.len() {
            assert!(elements(&example[..len]).is_err(), "{len} bytes");
        }
    }
}
