//! Changing an intset in any [`Buffer`].
//!
//! Every edit is one splice and one patch of the header; only an insertion that
//! widens the set rewrites it whole.
//!
//! Invariant: the buffer holds a well-formed intset before and after.

use super::{Buffer, HEADER_BYTES, Intset, Width, size_bytes};

/// Adds `value`; says whether it was new. O(n) bytes moved.
pub fn insert(buffer: &mut impl Buffer, value: i64) -> bool {
    let set = Intset::new(buffer.bytes());
    let (len, width) = (set.len(), set.width());
    let needed = Width::of(value);
    if needed > width {
        // Outside the range of all present members: it goes to one of the ends.
        let mut wide = Vec::with_capacity(size_bytes(len + 1, needed));
        wide.extend_from_slice(&header(needed, len + 1));
        let (low, high) = if value < 0 {
            (Some(value), None)
        } else {
            (None, Some(value))
        };
        for member in low.into_iter().chain(set.iter()).chain(high) {
            wide.extend_from_slice(&member.to_le_bytes()[..needed.bytes()]);
        }
        let old_size = buffer.bytes().len();
        buffer.splice(0, old_size, &wide);
        return true;
    }
    let Err(rank) = set.search(value) else {
        return false;
    };
    let at = size_bytes(rank, width);
    buffer.splice(at, 0, &value.to_le_bytes()[..width.bytes()]);
    buffer.bytes_mut()[..HEADER_BYTES].copy_from_slice(&header(width, len + 1));
    true
}

/// Takes `value` out; says whether it was a member. O(n) bytes moved.
pub fn remove(buffer: &mut impl Buffer, value: i64) -> bool {
    let set = Intset::new(buffer.bytes());
    let (len, width) = (set.len(), set.width());
    let Ok(rank) = set.search(value) else {
        return false;
    };
    buffer.splice(size_bytes(rank, width), width.bytes(), &[]);
    buffer.bytes_mut()[..HEADER_BYTES].copy_from_slice(&header(width, len - 1));
    true
}

/// # Panics
/// With more than 2^32 members: owners convert to another encoding long before.
fn header(width: Width, len: usize) -> [u8; HEADER_BYTES] {
    let len = u32::try_from(len).expect("an intset is small");
    let mut header = [0; HEADER_BYTES];
    header[0] = width as u8;
    header[4..].copy_from_slice(&len.to_le_bytes());
    header
}
