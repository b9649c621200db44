//! Intsets: a sorted run of distinct integers of one width, in the format of
//! Redis 7.2: the encoding of small sets that hold integers only.
//!
//! ```text
//! intset   width (u32 LE: 2, 4 or 8) | length (u32 LE) | integer (LE) …
//! ```
//!
//! The width is that of the widest integer the set ever held: it grows with an
//! insertion and, as in Redis, never shrinks. Like listpacks, intsets live inside
//! the allocation of their key, so writing works on any [`Buffer`].
//!
//! Invariant: the integers ascend strictly. Readers accept any bytes and never
//! panic; bytes from outside go through [`validate`] first.

mod edit;
mod validate;

#[cfg(test)]
mod tests;

pub use crate::listpack::Buffer;
pub use edit::{insert, remove};
pub use validate::{Error, validate};

/// Bytes before the first integer.
pub const HEADER_BYTES: usize = 8;

/// The bytes of an intset without members: what a fresh [`Buffer`] must hold.
pub const EMPTY: [u8; HEADER_BYTES] = [2, 0, 0, 0, 0, 0, 0, 0];

/// How many bytes each integer of an intset takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// 16 bits.
    Two = 2,
    /// 32 bits.
    Four = 4,
    /// 64 bits.
    Eight = 8,
}

impl Width {
    /// The smallest width that can hold `value`.
    #[must_use]
    pub fn of(value: i64) -> Self {
        if i16::try_from(value).is_ok() {
            Width::Two
        } else if i32::try_from(value).is_ok() {
            Width::Four
        } else {
            Width::Eight
        }
    }

    /// The width in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        self as usize
    }

    fn from_code(code: u32) -> Option<Self> {
        match code {
            2 => Some(Width::Two),
            4 => Some(Width::Four),
            8 => Some(Width::Eight),
            _ => None,
        }
    }
}

/// The size in bytes of an intset of `len` members of this width.
#[must_use]
pub fn size_bytes(len: usize, width: Width) -> usize {
    HEADER_BYTES + len * width.bytes()
}

/// A view of bytes as an intset.
#[derive(Clone, Copy, Debug)]
pub struct Intset<'a> {
    width: Width,
    /// Whole integers of `width` bytes each.
    integers: &'a [u8],
}

impl<'a> Intset<'a> {
    /// Views `bytes`. Of malformed ones, what can be read.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let word = |at: usize| {
            let word = bytes.get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes(*word))
        };
        let width = word(0).and_then(Width::from_code).unwrap_or(Width::Two);
        let available = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let stated = word(4)
            .and_then(|len| usize::try_from(len).ok())
            .unwrap_or_default();
        let len = stated.min(available.len() / width.bytes());
        Intset {
            width,
            integers: &available[..len * width.bytes()],
        }
    }

    /// The number of members. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.integers.len() / self.width.bytes()
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.integers.is_empty()
    }

    /// How wide each member is stored.
    #[must_use]
    pub fn width(&self) -> Width {
        self.width
    }

    /// Whether `value` is a member. O(log n).
    #[inline]
    #[must_use]
    pub fn contains(&self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    /// The rank of `value` among the members, or, as an error, the rank it would
    /// have. O(log n).
    pub fn search(&self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.read(middle) {
                found if found < value => low = middle + 1,
                found if found > value => high = middle,
                _ => return Ok(middle),
            }
        }
        Err(low)
    }

    /// The member with this rank, 0 being the smallest. O(1). For a random member,
    /// ask with a random rank below [`Intset::len`].
    #[must_use]
    pub fn get(&self, rank: usize) -> Option<i64> {
        (rank < self.len()).then(|| self.read(rank))
    }

    /// The smallest member.
    #[must_use]
    pub fn min(&self) -> Option<i64> {
        self.get(0)
    }

    /// The largest member.
    #[must_use]
    pub fn max(&self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The members in ascending order; can be reversed.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone + use<'a> {
        let set = *self;
        (0..self.len()).map(move |rank| set.read(rank))
    }

    #[inline]
    fn read(&self, rank: usize) -> i64 {
        let integer = &self.integers[rank * self.width.bytes()..];
        match self.width {
            Width::Two => i64::from(i16::from_le_bytes([integer[0], integer[1]])),
            Width::Four => i64::from(
                integer
                    .first_chunk()
                    .map_or(0, |bytes| i32::from_le_bytes(*bytes)),
            ),
            Width::Eight => integer
                .first_chunk()
                .map_or(0, |bytes| i64::from_le_bytes(*bytes)),
        }
    }
}
