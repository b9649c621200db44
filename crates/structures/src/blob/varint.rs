//! Lengths in as few bytes as they need: seven bits a byte, the lowest first, the top
//! bit set on all but the last.
//!
//! Invariant: what [`write_varint`] writes, [`read_varint`] reads, in as many bytes.

/// Bytes of the longest length.
pub(crate) const VARINT_BYTES_MAX: usize = 10;

/// Writes `value`; returns the buffer and how many of its bytes are used.
#[inline]
pub(crate) fn write_varint(value: usize) -> ([u8; VARINT_BYTES_MAX], usize) {
    let mut bytes = [0; VARINT_BYTES_MAX];
    let mut rest = value;
    let mut used = 0;
    while rest >= 0x80 {
        bytes[used] = rest as u8 | 0x80;
        rest >>= 7;
        used += 1;
    }
    bytes[used] = rest as u8;
    (bytes, used + 1)
}

/// Reads a length from bytes given one by one; returns it and how many it took.
#[inline]
pub(super) fn read_varint_with(mut byte_at: impl FnMut(usize) -> u8) -> (usize, usize) {
    let first = byte_at(0);
    if first < 0x80 {
        return (usize::from(first), 1);
    }
    let mut value = usize::from(first & 0x7f);
    let mut used = 1;
    while used < VARINT_BYTES_MAX {
        let byte = byte_at(used);
        value |= usize::from(byte & 0x7f) << (7 * used);
        used += 1;
        if byte < 0x80 {
            break;
        }
    }
    (value, used)
}

/// Reads a length from the start of `bytes`; returns it and how many bytes it took.
/// Bytes that are missing count as 0.
#[inline]
pub(crate) fn read_varint(bytes: &[u8]) -> (usize, usize) {
    read_varint_with(|at| bytes.get(at).copied().unwrap_or(0))
}
