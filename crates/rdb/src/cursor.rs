//! A place in bytes that are in memory, and the primitives of the format.
//!
//! ```text
//! length   00llllll                           6 bits
//!          01llllll llllllll                  14 bits
//!          10000000 | u32 BE,  10000001 | u64 BE
//! string   length | bytes
//!          11000000 | i8,  11000001 | i16 LE,  11000010 | i32 LE     its decimal form
//!          11000011 | compressed length | length | LZF
//! double   length byte | ASCII      253: NaN, 254: infinity, 255: -infinity
//! ```
//!
//! Invariant: a read that fails for want of bytes says so as
//! [`RdbErrorKind::Truncated`]; whoever can get more puts the place back and repeats it.

use std::borrow::Cow;

use ochre_structures::number;

use crate::error::{RdbError, RdbErrorKind, Result};
use crate::lzf;
use crate::string::Str;

const ENCODED_INT8: u8 = 0;
const ENCODED_INT16: u8 = 1;
const ENCODED_INT32: u8 = 2;
const ENCODED_LZF: u8 = 3;

const NAN: u8 = 253;
const INFINITY: u8 = 254;
const NEGATIVE_INFINITY: u8 = 255;

/// A length, or what stands in its place before a string.
enum Length {
    Bytes(u64),
    Encoded(u8),
}

/// The bytes of a string that takes all of `stored` and is stored as it is, with a length
/// of the first two forms. `None` is no error: a [`Cursor`] knows all forms.
#[inline]
pub(crate) fn plain_string(stored: &[u8]) -> Option<&[u8]> {
    let (&first, rest) = stored.split_first()?;
    let low = usize::from(first & 0x3f);
    let (length, text) = match first >> 6 {
        0 => (low, rest),
        1 => {
            let (&second, text) = rest.split_first()?;
            (low << 8 | usize::from(second), text)
        }
        _ => return None,
    };
    (text.len() == length).then_some(text)
}

#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The offset of the first byte in the file.
    base: u64,
    /// What is being read.
    what: &'static str,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], base: u64, what: &'static str) -> Self {
        Cursor {
            bytes,
            at: 0,
            base,
            what,
        }
    }

    /// Says what is read from here on.
    #[inline]
    pub(crate) fn reading(&mut self, what: &'static str) -> &mut Self {
        self.what = what;
        self
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes to a position that was reached before.
    #[inline]
    pub(crate) fn seek(&mut self, position: usize) {
        self.at = position.min(self.bytes.len());
    }

    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// An error at this place.
    #[cold]
    pub(crate) fn error(&self, kind: RdbErrorKind) -> RdbError {
        self.error_at(self.at, kind)
    }

    /// An error at an earlier place.
    #[cold]
    pub(crate) fn error_at(&self, position: usize, kind: RdbErrorKind) -> RdbError {
        RdbError {
            offset: self.base + position as u64,
            what: self.what,
            kind,
        }
    }

    #[cold]
    fn truncated(&self, needed: u64) -> RdbError {
        self.error(RdbErrorKind::Truncated {
            missing: needed.saturating_sub(self.remaining() as u64),
        })
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8> {
        let Some(&byte) = self.bytes.get(self.at) else {
            return Err(self.truncated(1));
        };
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(count)
            .ok()
            .and_then(|count| rest.get(..count));
        let Some(taken) = taken else {
            return Err(self.truncated(count));
        };
        self.at += taken.len();
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some(array) = self.bytes[self.at..].first_chunk::<N>() else {
            return Err(self.truncated(N as u64));
        };
        self.at += N;
        Ok(*array)
    }

    #[inline]
    fn length_or_encoding(&mut self) -> Result<Length> {
        let start = self.at;
        let first = self.u8()?;
        let low = first & 0x3f;
        Ok(match first >> 6 {
            0 => Length::Bytes(u64::from(low)),
            1 => match self.u8() {
                Ok(second) => Length::Bytes(u64::from(low) << 8 | u64::from(second)),
                Err(error) => return Err(self.back_to(start, error)),
            },
            2 => match low {
                0 => Length::Bytes(u64::from(u32::from_be_bytes(self.array()?))),
                1 => Length::Bytes(u64::from_be_bytes(self.array()?)),
                _ => return Err(self.error_at(start, RdbErrorKind::Length(first))),
            },
            _ => Length::Encoded(low),
        })
    }

    #[cold]
    fn back_to(&mut self, start: usize, error: RdbError) -> RdbError {
        self.at = start;
        error
    }

    /// A plain length or count.
    #[inline]
    pub(crate) fn length(&mut self) -> Result<u64> {
        let start = self.at;
        match self.length_or_encoding()? {
            Length::Bytes(length) => Ok(length),
            Length::Encoded(encoding) => {
                Err(self.error_at(start, RdbErrorKind::Length(0xc0 | encoding)))
            }
        }
    }

    /// A count of things that take a byte at least, as a capacity to start with.
    pub(crate) fn capacity(&self, count: u64) -> usize {
        usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(self.remaining())
    }

    pub(crate) fn string(&mut self) -> Result<Str<'a>> {
        let start = self.at;
        Ok(match self.length_or_encoding()? {
            Length::Bytes(length) => Str::Slice(self.take(length)?),
            Length::Encoded(ENCODED_INT8) => {
                Str::Integer(i64::from(i8::from_le_bytes(self.array()?)))
            }
            Length::Encoded(ENCODED_INT16) => {
                Str::Integer(i64::from(i16::from_le_bytes(self.array()?)))
            }
            Length::Encoded(ENCODED_INT32) => {
                Str::Integer(i64::from(i32::from_le_bytes(self.array()?)))
            }
            Length::Encoded(ENCODED_LZF) => {
                let compressed_length = self.length()?;
                let length = self.length()?;
                let compressed = self.take(compressed_length)?;
                let bytes = usize::try_from(length)
                    .ok()
                    .and_then(|length| lzf::decompress(compressed, length));
                match bytes {
                    Some(bytes) => Str::Owned(bytes),
                    None => return Err(self.error_at(start, RdbErrorKind::Compression)),
                }
            }
            Length::Encoded(encoding) => {
                return Err(self.error_at(start, RdbErrorKind::StringEncoding(encoding)));
            }
        })
    }

    /// A string that is to be taken as bytes: a listpack, a function.
    pub(crate) fn blob(&mut self) -> Result<Cow<'a, [u8]>> {
        Ok(self.string()?.into_bytes())
    }

    /// Passes a string by. It is not checked that a compressed one can be decompressed.
    #[inline]
    pub(crate) fn skip_string(&mut self) -> Result<()> {
        let start = self.at;
        let length = match self.length_or_encoding()? {
            Length::Bytes(length) => length,
            Length::Encoded(ENCODED_INT8) => 1,
            Length::Encoded(ENCODED_INT16) => 2,
            Length::Encoded(ENCODED_INT32) => 4,
            Length::Encoded(ENCODED_LZF) => {
                let compressed_length = self.length()?;
                self.length()?;
                compressed_length
            }
            Length::Encoded(encoding) => {
                return Err(self.error_at(start, RdbErrorKind::StringEncoding(encoding)));
            }
        };
        self.take(length)?;
        Ok(())
    }

    /// Milliseconds, or any other 64 bits.
    pub(crate) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A double in eight bytes.
    pub(crate) fn binary_double(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A double in ASCII, which is `None` if it makes no sense.
    pub(crate) fn ascii_double(&mut self) -> Result<Option<f64>> {
        Ok(match self.u8()? {
            NAN => None,
            INFINITY => Some(f64::INFINITY),
            NEGATIVE_INFINITY => Some(f64::NEG_INFINITY),
            length => number::parse_f64(self.take(u64::from(length))?),
        })
    }

    pub(crate) fn skip_ascii_double(&mut self) -> Result<()> {
        let length = self.u8()?;
        if length < NAN {
            self.take(u64::from(length))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_string_is_what_a_cursor_reads(
            first: u8,
            rest in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let stored = [&[first][..], &rest].concat();
            if let Some(plain) = plain_string(&stored) {
                let mut cursor = Cursor::new(&stored, 0, "test");
                let Ok(Str::Slice(read)) = cursor.string() else {
                    panic!("no plain string");
                };
                prop_assert_eq!(read, plain);
                prop_assert_eq!(cursor.remaining(), 0);
            }
        }

        #[test]
        fn short_strings_are_plain(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let length = match text.len() {
                short @ ..64 => vec![short as u8],
                long => vec![0x40 | (long >> 8) as u8, long as u8],
            };
            let stored = [&length[..], &text].concat();
            prop_assert_eq!(plain_string(&stored), Some(&text[..]));
            prop_assert_eq!(plain_string(&stored[..stored.len() - 1]), None);
        }
    }
}
