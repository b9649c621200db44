//! The ID of a stream entry: 128 bits, ordered, in two halves.
//!
//! Invariant: what [`StreamId`] prints parses back to the same ID. Parsing accepts
//! what Redis 7.2 accepts, leniencies included: leading zeros and blanks in either
//! half, and anything after a NUL byte.

use std::fmt;

use crate::number::parse_u64_lenient;

/// Longer texts are no IDs to Redis.
const MAX_TEXT_LEN: usize = 127;

/// The bytes of an ID in files and as a key: both halves, big endian.
pub const ID_BYTES: usize = 16;

/// The ID of an entry: by convention, when it was added and its number within that
/// millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970.
    pub ms: u64,
    /// The number within the millisecond.
    pub seq: u64,
}

/// The text is no ID: "Invalid stream ID specified as stream command argument".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid stream ID")]
pub struct InvalidId;

/// Why the end of an interval cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// The text is no ID.
    #[error("invalid stream ID")]
    Invalid,
    /// An excluded ID that has no neighbour inside the interval: nothing is greater
    /// than the greatest ID, or smaller than the smallest.
    #[error("no ID lies beyond the excluded one")]
    Empty,
}

/// Which ID a new entry is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// `*`: from the clock, or the next after the last one if the clock is behind.
    Auto,
    /// `ms-*`: the next free one in this millisecond.
    InMillisecond(u64),
    /// `ms-seq`: this one.
    Exact(StreamId),
}

impl StreamId {
    /// `0-0`, which no entry has.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };

    /// The greatest ID.
    pub const MAX: StreamId = StreamId {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// The ID of these halves.
    #[must_use]
    pub const fn new(ms: u64, seq: u64) -> Self {
        StreamId { ms, seq }
    }

    /// Whether this is `0-0`, which stands for "none" in several places.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == StreamId::MIN
    }

    /// The ID after this one; `None` after the greatest.
    #[must_use]
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId {
                ms: self.ms.checked_add(1)?,
                seq: 0,
            }),
        }
    }

    /// The ID before this one; `None` before `0-0`.
    #[must_use]
    pub fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId {
                ms: self.ms.checked_sub(1)?,
                seq: u64::MAX,
            }),
        }
    }

    /// Reads `ms-seq` or `ms`, the latter with `missing_seq`; also `-` and `+` for
    /// the smallest and the greatest ID.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &[u8], missing_seq: u64) -> Result<StreamId, InvalidId> {
        match c_text(text) {
            b"-" => Ok(StreamId::MIN),
            b"+" => Ok(StreamId::MAX),
            _ => StreamId::parse_strict(text, missing_seq),
        }
    }

    /// Like [`StreamId::parse`], without `-` and `+`: for IDs that name one entry.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse_strict(text: &[u8], missing_seq: u64) -> Result<StreamId, InvalidId> {
        match NewId::parse_halves(text, missing_seq)? {
            (ms, Some(seq)) => Ok(StreamId { ms, seq }),
            (_, None) => Err(InvalidId),
        }
    }

    /// Reads the first ID of an interval: `-`, `+`, `ms`, `ms-seq`, or `(ID` for the
    /// one after ID. A missing sequence number is 0.
    ///
    /// # Errors
    /// See [`IntervalError`].
    pub fn parse_interval_start(text: &[u8]) -> Result<StreamId, IntervalError> {
        match text {
            [b'(', id @ ..] if !id.is_empty() => {
                let id = StreamId::parse_strict(id, 0).map_err(|_| IntervalError::Invalid)?;
                id.next().ok_or(IntervalError::Empty)
            }
            _ => StreamId::parse(text, 0).map_err(|_| IntervalError::Invalid),
        }
    }

    /// Reads the last ID of an interval, as [`StreamId::parse_interval_start`] does
    /// the first; a missing sequence number is the greatest.
    ///
    /// # Errors
    /// See [`IntervalError`].
    pub fn parse_interval_end(text: &[u8]) -> Result<StreamId, IntervalError> {
        match text {
            [b'(', id @ ..] if !id.is_empty() => {
                let id =
                    StreamId::parse_strict(id, u64::MAX).map_err(|_| IntervalError::Invalid)?;
                id.previous().ok_or(IntervalError::Empty)
            }
            _ => StreamId::parse(text, u64::MAX).map_err(|_| IntervalError::Invalid),
        }
    }

    /// The ID as RDB files have it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ID_BYTES] {
        let bits = u128::from(self.ms) << 64 | u128::from(self.seq);
        bits.to_be_bytes()
    }

    /// The ID of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; ID_BYTES]) -> StreamId {
        let bits = u128::from_be_bytes(bytes);
        StreamId {
            ms: (bits >> 64) as u64,
            seq: bits as u64,
        }
    }

    /// Appends the text `ms-seq` to `out`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(digits.format(self.ms).as_bytes());
        out.push(b'-');
        out.extend_from_slice(digits.format(self.seq).as_bytes());
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl NewId {
    /// Reads the ID argument of XADD: `*`, `ms-*`, `ms-seq` or `ms` (for `ms-0`).
    ///
    /// # Errors
    /// Anything else. `0-0` is no error here: [`super::Log::append`] refuses it.
    pub fn parse(text: &[u8]) -> Result<NewId, InvalidId> {
        if text == b"*" {
            return Ok(NewId::Auto);
        }
        Ok(match NewId::parse_halves(text, 0)? {
            (ms, Some(seq)) => NewId::Exact(StreamId { ms, seq }),
            (ms, None) => NewId::InMillisecond(ms),
        })
    }

    /// The two halves; the second is unset for `ms-*`.
    fn parse_halves(text: &[u8], missing_seq: u64) -> Result<(u64, Option<u64>), InvalidId> {
        if text.len() > MAX_TEXT_LEN {
            return Err(InvalidId);
        }
        let text = c_text(text);
        let half = |half: &[u8]| parse_u64_lenient(half).ok_or(InvalidId);
        match memchr::memchr(b'-', text) {
            None => Ok((half(text)?, Some(missing_seq))),
            Some(dash) => {
                let ms = half(&text[..dash])?;
                match &text[dash + 1..] {
                    b"*" => Ok((ms, None)),
                    seq => Ok((ms, Some(half(seq)?))),
                }
            }
        }
    }
}

/// The text up to its first NUL, where C ends it.
fn c_text(text: &[u8]) -> &[u8] {
    match memchr::memchr(0, text) {
        Some(end) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{IntervalError, InvalidId, NewId, StreamId};

    const MAX: u64 = u64::MAX;

    #[test]
    fn forms_of_ids() {
        for (text, expected) in [
            (&b"5"[..], Some((5, 7))),
            (b"5-3", Some((5, 3))),
            (b"-", Some((0, 0))),
            (b"+", Some((MAX, MAX))),
            (b"0-0", Some((0, 0))),
            (
                b"18446744073709551615-18446744073709551615",
                Some((MAX, MAX)),
            ),
            (b"18446744073709551616-0", None),
            (b"005-003", Some((5, 3))),
            (b"5\0-9", Some((5, 7))),
            (b"5-", None),
            (b"-5", None),
            (b"", None),
            (b"5-*", None),
            (b"*", None),
            (b"5-3-1", None),
            (b"x", None),
            (b"$", None),
        ] {
            let expected = expected.map(|(ms, seq)| StreamId::new(ms, seq));
            assert_eq!(StreamId::parse(text, 7).ok(), expected, "{text:?}");
        }
        assert_eq!(StreamId::parse_strict(b"-", 0), Err(InvalidId));
        assert_eq!(StreamId::parse_strict(b"+", 0), Err(InvalidId));
        assert_eq!(StreamId::parse(&[b'0'; 128], 0), Err(InvalidId));
        assert_eq!(StreamId::parse(&[b'0'; 127], 0), Ok(StreamId::MIN));
        assert_eq!(NewId::parse(b"*"), Ok(NewId::Auto));
        assert_eq!(NewId::parse(b"9-*"), Ok(NewId::InMillisecond(9)));
        assert_eq!(NewId::parse(b"9"), Ok(NewId::Exact(StreamId::new(9, 0))));
        assert_eq!(NewId::parse(b"9-**"), Err(InvalidId));
        assert_eq!(NewId::parse(b"-"), Err(InvalidId));
    }

    #[test]
    fn intervals() {
        let id = StreamId::new;
        let start = StreamId::parse_interval_start;
        let end = StreamId::parse_interval_end;
        assert_eq!(start(b"5"), Ok(id(5, 0)));
        assert_eq!(end(b"5"), Ok(id(5, MAX)));
        assert_eq!(start(b"(5"), Ok(id(5, 1)));
        assert_eq!(end(b"(5"), Ok(id(5, MAX - 1)));
        assert_eq!(end(b"(5-0"), Ok(id(4, MAX)));
        assert_eq!(start(b"("), Err(IntervalError::Invalid));
        assert_eq!(start(b"(-"), Err(IntervalError::Invalid));
        assert_eq!(end(b"(0-0"), Err(IntervalError::Empty));
        let greatest = b"(18446744073709551615-18446744073709551615";
        assert_eq!(start(greatest), Err(IntervalError::Empty));
    }

    proptest! {
        #[test]
        fn texts_bytes_and_neighbours(ms: u64, seq in prop_oneof![any::<u64>(), Just(0), Just(MAX)]) {
            let id = StreamId::new(ms, seq);
            let mut text = Vec::new();
            id.write_to(&mut text);
            prop_assert_eq!(String::from_utf8_lossy(&text), id.to_string());
            prop_assert_eq!(StreamId::parse_strict(&text, 1), Ok(id));
            prop_assert_eq!(StreamId::from_bytes(id.to_bytes()), id);
            if let Some(next) = id.next() {
                prop_assert!(next > id && next.to_bytes() > id.to_bytes());
                prop_assert_eq!(next.previous(), Some(id));
            } else {
                prop_assert_eq!(id, StreamId::MAX);
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..140)) {
            if let Ok(NewId::Exact(id)) = NewId::parse(&text) {
                prop_assert_eq!(StreamId::parse(&text, 0), Ok(id));
            }
        }
    }
}
