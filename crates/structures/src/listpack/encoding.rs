//! One entry as bytes: the encodings of Redis 7.2 and the back length.
//!
//! Decoding is total: bytes that are no entry give `None`. The back length is
//! not looked at when walking forward: its size follows from the entry's.

use super::Element;

const STRING_6_BIT: u8 = 0x80;
const INTEGER_13_BIT: u8 = 0xC0;
const STRING_12_BIT: u8 = 0xE0;
const STRING_32_BIT: u8 = 0xF0;
const INTEGER_16_BIT: u8 = 0xF1;
const INTEGER_24_BIT: u8 = 0xF2;
const INTEGER_32_BIT: u8 = 0xF3;
const INTEGER_64_BIT: u8 = 0xF4;

/// The size in bytes of the entry that stores `element`, back length included.
#[must_use]
pub fn encoded_len<'a>(element: impl Into<Element<'a>>) -> usize {
    entry_len(element.into().canonical())
}

/// As [`encoded_len`], for an element in the form in which it is stored.
#[inline]
pub(super) fn entry_len(canonical: Element<'_>) -> usize {
    match canonical {
        Element::Str(bytes) if bytes.len() < 64 => bytes.len() + 2,
        element => {
            let size = front_len(element);
            size + back_length_size(size)
        }
    }
}

/// The size of encoding and data alone.
fn front_len(canonical: Element<'_>) -> usize {
    match canonical {
        Element::Int(value) => integer_size(value),
        Element::Str(bytes) => match bytes.len() {
            0..64 => 1 + bytes.len(),
            64..4096 => 2 + bytes.len(),
            _ => 5 + bytes.len(),
        },
    }
}

fn integer_size(value: i64) -> usize {
    match value {
        0..=127 => 1,
        -4096..=4095 => 2,
        -0x8000..=0x7FFF => 3,
        -0x80_0000..=0x7F_FFFF => 4,
        -0x8000_0000..=0x7FFF_FFFF => 5,
        _ => 9,
    }
}

/// Writes the entry that stores `canonical`, an element in the form in which it is stored,
/// to the start of `out`, which has room for it; returns the rest of `out`.
#[inline]
pub(super) fn encode<'o>(canonical: Element<'_>, out: &'o mut [u8]) -> &'o mut [u8] {
    let (entry, rest) = out.split_at_mut(entry_len(canonical));
    // The encoding that nearly all elements have, whose back length is one byte.
    match (canonical, &mut *entry) {
        (Element::Str(bytes), [front, string @ .., back]) if bytes.len() < 64 => {
            *front = STRING_6_BIT | bytes.len() as u8;
            string.copy_from_slice(bytes);
            *back = bytes.len() as u8 + 1;
        }
        _ => encode_any(canonical, entry),
    }
    rest
}

fn encode_any(canonical: Element<'_>, entry: &mut [u8]) {
    let size = front_len(canonical);
    let (front, back) = entry.split_at_mut(size);
    match canonical {
        Element::Int(value) => encode_integer(value, front),
        Element::Str(bytes) => {
            let (header, string) = front.split_at_mut(size - bytes.len());
            let len = bytes.len();
            match header {
                [short] => *short = STRING_6_BIT | len as u8,
                [high, low] => [*high, *low] = [STRING_12_BIT | (len >> 8) as u8, len as u8],
                // A length past 32 bits cannot be reached: the editing functions
                // refuse a listpack of that size.
                header => {
                    header[0] = STRING_32_BIT;
                    header[1..].copy_from_slice(&(len as u32).to_le_bytes());
                }
            }
            string.copy_from_slice(bytes);
        }
    }
    encode_back_length(size, back);
}

/// Writes the encoding of an integer, `front` being as long as that is.
fn encode_integer(value: i64, front: &mut [u8]) {
    let bytes = value.to_le_bytes();
    match front {
        [only] => *only = bytes[0],
        // The high bits come first here, and nowhere else.
        [high, low] => [*high, *low] = [INTEGER_13_BIT | (bytes[1] & 0x1F), bytes[0]],
        [kind, number @ ..] => {
            *kind = match number.len() {
                2 => INTEGER_16_BIT,
                3 => INTEGER_24_BIT,
                4 => INTEGER_32_BIT,
                _ => INTEGER_64_BIT,
            };
            number.copy_from_slice(&bytes[..number.len()]);
        }
        [] => {}
    }
}

/// The element at offset `at` and the size of its whole entry, back length included.
/// `None` at the end byte, at an unknown encoding, and when data is cut off.
#[inline]
pub(super) fn decode(bytes: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    // The two encodings that nearly all elements have, whose back length is one byte.
    match *bytes.get(at)? {
        small @ 0..STRING_6_BIT => Some((Element::Int(i64::from(small)), 2)),
        short @ STRING_6_BIT..INTEGER_13_BIT => {
            let len = usize::from(short & 0x3F);
            let string = bytes.get(at + 1..at + 1 + len)?;
            Some((Element::Str(string), len + 2))
        }
        _ => {
            let (element, size) = decode_front(bytes, at)?;
            Some((element, size + back_length_size(size)))
        }
    }
}

/// The size of the entry at offset `at`, as [`decode`] gives it, for passing it by.
#[inline]
pub(super) fn entry_size(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        0..STRING_6_BIT => Some(2),
        short @ STRING_6_BIT..INTEGER_13_BIT => Some(usize::from(short & 0x3F) + 2),
        _ => Some(decode(bytes, at)?.1),
    }
}

/// Like [`decode`], but the size is that of encoding and data alone.
pub(super) fn decode_front(bytes: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let entry = bytes.get(at..)?;
    let first = *entry.first()?;
    let string = |start: usize, len: usize| {
        let end = start.checked_add(len)?;
        Some((Element::Str(entry.get(start..end)?), end))
    };
    match first {
        0..STRING_6_BIT => Some((Element::Int(i64::from(first)), 1)),
        STRING_6_BIT..INTEGER_13_BIT => string(1, usize::from(first & 0x3F)),
        INTEGER_13_BIT..STRING_12_BIT => {
            let raw = i16::from_be_bytes([first & 0x1F, *entry.get(1)?]);
            // Extend the sign of 13 bits.
            Some((Element::Int(i64::from((raw << 3) >> 3)), 2))
        }
        STRING_12_BIT..STRING_32_BIT => {
            let len = u16::from_be_bytes([first & 0x0F, *entry.get(1)?]);
            string(2, usize::from(len))
        }
        STRING_32_BIT => {
            let len = u32::from_le_bytes(*entry.get(1..)?.first_chunk()?);
            string(5, usize::try_from(len).ok()?)
        }
        INTEGER_16_BIT => {
            let value = i16::from_le_bytes(*entry.get(1..)?.first_chunk()?);
            Some((Element::Int(i64::from(value)), 3))
        }
        INTEGER_24_BIT => {
            let [low, mid, high] = *entry.get(1..)?.first_chunk()?;
            let value = i32::from_le_bytes([0, low, mid, high]) >> 8;
            Some((Element::Int(i64::from(value)), 4))
        }
        INTEGER_32_BIT => {
            let value = i32::from_le_bytes(*entry.get(1..)?.first_chunk()?);
            Some((Element::Int(i64::from(value)), 5))
        }
        INTEGER_64_BIT => {
            let value = i64::from_le_bytes(*entry.get(1..)?.first_chunk()?);
            Some((Element::Int(value), 9))
        }
        _ => None,
    }
}

/// How many bytes the back length of an entry of `size` bytes takes. The odd
/// bounds (16383 takes three bytes) are part of the format.
#[inline]
pub(super) fn back_length_size(size: usize) -> usize {
    match size {
        0..128 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// Writes a back length, `back` being as long as that is.
fn encode_back_length(size: usize, back: &mut [u8]) {
    for (group, byte) in back.iter_mut().rev().enumerate() {
        *byte = (size >> (7 * group)) as u8 & 0x7F;
    }
    // All but the leftmost say that there is more to their left.
    for byte in back.iter_mut().skip(1) {
        *byte |= 0x80;
    }
}

/// The size of encoding and data of the entry that ends before offset `end`.
#[inline]
pub(super) fn decode_back_length(bytes: &[u8], end: usize) -> Option<usize> {
    let mut size = 0_u64;
    for (group, &byte) in bytes.get(..end)?.iter().rev().take(5).enumerate() {
        size |= u64::from(byte & 0x7F) << (7 * group);
        if byte & 0x80 == 0 {
            return usize::try_from(size).ok();
        }
    }
    None
}
