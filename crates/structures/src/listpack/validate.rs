//! Deep validation of a listpack from outside: a RESTORE payload, an RDB file.
//!
//! Never panics, and allocates (for the check of duplicates) no more than a small
//! multiple of the input.

use std::collections::HashSet;

use super::encoding::{back_length_size, decode_back_length, decode_front};
use super::{END, Element, HEADER_BYTES, UNKNOWN_COUNT};

/// What the listpack is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any elements: a list, a node of a stream.
    Elements,
    /// Distinct elements: a set.
    Members,
    /// Pairs with distinct first elements: a hash, a sorted set.
    Pairs,
}

/// Why bytes are no listpack. Offsets are in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shorter than a header and an end.
    #[error("listpack of {bytes} bytes is too short")]
    TooShort {
        /// The size of the input.
        bytes: usize,
    },
    /// The header states another size than the bytes have.
    #[error("listpack header says {stated} bytes, there are {actual}")]
    Size {
        /// What the header says.
        stated: u32,
        /// The size of the input.
        actual: usize,
    },
    /// The last byte is not the end mark.
    #[error("listpack does not end in 0xFF")]
    NoEnd,
    /// An unknown encoding, an end mark too early, or data cut off.
    #[error("listpack entry at offset {offset} is malformed")]
    Entry {
        /// Where the entry starts.
        offset: usize,
    },
    /// The back length does not lead to the start of its entry.
    #[error("listpack entry at offset {offset} has a wrong back length")]
    BackLength {
        /// Where the entry starts.
        offset: usize,
    },
    /// The header states another number of elements than there are.
    #[error("listpack header says {stated} elements, there are {actual}")]
    Count {
        /// What the header says.
        stated: u16,
        /// The number of entries.
        actual: usize,
    },
    /// Pairs were expected, and one lacks its second element.
    #[error("listpack of pairs has {count} elements")]
    OddCount {
        /// The number of entries.
        count: usize,
    },
    /// A member or field occurs twice.
    #[error("listpack entry at offset {offset} is a duplicate")]
    Duplicate {
        /// Where the second occurrence starts.
        offset: usize,
    },
}

/// Checks every byte of a listpack and returns the number of its elements (not of
/// pairs). O(n).
///
/// # Errors
/// What is wrong, and where. Non-canonical encodings (a number stored as a string,
/// an integer wider than needed) are no error, as they are none to Redis.
pub fn validate(bytes: &[u8], shape: Shape) -> Result<usize, Error> {
    let (Some(&size), Some(&count)) = (
        bytes.first_chunk::<4>(),
        bytes.get(4..).and_then(<[u8]>::first_chunk::<2>),
    ) else {
        return Err(Error::TooShort { bytes: bytes.len() });
    };
    if bytes.len() <= HEADER_BYTES {
        return Err(Error::TooShort { bytes: bytes.len() });
    }
    let stated = u32::from_le_bytes(size);
    if usize::try_from(stated) != Ok(bytes.len()) {
        return Err(Error::Size {
            stated,
            actual: bytes.len(),
        });
    }
    let end = bytes.len() - 1;
    if bytes[end] != END {
        return Err(Error::NoEnd);
    }

    let mut seen = Seen::default();
    let mut actual = 0;
    let mut offset = HEADER_BYTES;
    while offset < end {
        let (element, size) = decode_front(bytes, offset).ok_or(Error::Entry { offset })?;
        let after = offset + size + back_length_size(size);
        if after > end {
            return Err(Error::Entry { offset });
        }
        if decode_back_length(bytes, after) != Some(size) {
            return Err(Error::BackLength { offset });
        }
        let distinct = match shape {
            Shape::Elements => false,
            Shape::Members => true,
            Shape::Pairs => actual % 2 == 0,
        };
        if distinct && !seen.insert(element) {
            return Err(Error::Duplicate { offset });
        }
        actual += 1;
        offset = after;
    }

    let stated = u16::from_le_bytes(count);
    if stated != UNKNOWN_COUNT && usize::from(stated) != actual {
        return Err(Error::Count { stated, actual });
    }
    if shape == Shape::Pairs && actual % 2 != 0 {
        return Err(Error::OddCount { count: actual });
    }
    Ok(actual)
}

/// The elements seen so far, `12` and `"12"` being the same.
#[derive(Default)]
struct Seen<'a> {
    integers: HashSet<i64>,
    strings: HashSet<&'a [u8]>,
}

impl<'a> Seen<'a> {
    fn insert(&mut self, element: Element<'a>) -> bool {
        match element.canonical() {
            Element::Int(value) => self.integers.insert(value),
            Element::Str(bytes) => self.strings.insert(bytes),
        }
    }
}
