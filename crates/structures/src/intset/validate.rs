//! Deep validation of an intset from outside. Never panics, allocates nothing.

use super::{HEADER_BYTES, Intset, Width};

/// Why bytes are no intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shorter than a header.
    #[error("intset of {bytes} bytes is too short")]
    TooShort {
        /// The size of the input.
        bytes: usize,
    },
    /// The width is none of 2, 4 and 8.
    #[error("intset has unknown encoding {code}")]
    Width {
        /// What the header says.
        code: u32,
    },
    /// The size of the input is not that of so many integers.
    #[error("intset header says {len} members, which is not what {actual} bytes hold")]
    Size {
        /// What the header says.
        len: u32,
        /// The size of the input in bytes.
        actual: usize,
    },
    /// No members. Redis stores no empty set, and refuses one.
    #[error("intset is empty")]
    Empty,
    /// A member is not greater than the one before it.
    #[error("intset member with rank {rank} is out of order")]
    Order {
        /// The rank of the second of the two.
        rank: usize,
    },
}

/// Checks every byte of an intset and returns the number of its members. O(n).
///
/// # Errors
/// What is wrong. A width larger than needed is no error, as it is none to Redis.
pub fn validate(bytes: &[u8]) -> Result<usize, Error> {
    let Some((&[a, b, c, d, e, f, g, h], integers)) = bytes.split_first_chunk::<HEADER_BYTES>()
    else {
        return Err(Error::TooShort { bytes: bytes.len() });
    };
    let code = u32::from_le_bytes([a, b, c, d]);
    let len = u32::from_le_bytes([e, f, g, h]);
    let width = Width::from_code(code).ok_or(Error::Width { code })?;
    if u64::from(len) * width.bytes() as u64 != integers.len() as u64 {
        return Err(Error::Size {
            len,
            actual: bytes.len(),
        });
    }
    let set = Intset::new(bytes);
    let mut members = set.iter();
    let Some(mut previous) = members.next() else {
        return Err(Error::Empty);
    };
    for (rank, member) in (1..).zip(members) {
        if member <= previous {
            return Err(Error::Order { rank });
        }
        previous = member;
    }
    Ok(set.len())
}
