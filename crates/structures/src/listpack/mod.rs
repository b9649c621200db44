//! Listpacks: a sequence of strings and integers in one run of bytes, in the
//! format of Redis 7.2. Small lists, hashes, sets and sorted sets, the nodes of
//! large lists and of streams, and their images in RDB files are listpacks.
//!
//! ```text
//! listpack   total bytes (u32 LE) | elements (u16 LE) | entry … | 0xFF
//! entry      encoding byte(s) | data | back length
//! ```
//!
//! `elements` is 65535 when there are that many or more: then one has to count.
//! The back length is the size of encoding and data, in 7-bit groups that are
//! read from right to left, so that a listpack can be walked from its end.
//!
//! | encoding bytes        | element                                     |
//! |-----------------------|---------------------------------------------|
//! | `0xxxxxxx`            | integer 0 to 127                            |
//! | `10xxxxxx`            | string of up to 63 bytes                    |
//! | `110xxxxx xxxxxxxx`   | 13-bit signed integer                       |
//! | `1110xxxx xxxxxxxx`   | string of up to 4095 bytes                  |
//! | `11110000` u32 LE     | longer string                               |
//! | `11110001` … `…0100`  | integer of 16, 24, 32, 64 bits, LE          |
//!
//! This module is the format alone: it knows no value types, no thresholds and
//! no owner of the bytes. Reading works on `&[u8]` ([`Listpack`]), writing on any
//! [`Buffer`], because small collections live inside the allocation of their key.
//!
//! Invariant: what the editing functions write is canonical (an element that is
//! the decimal form of an `i64` is stored as an integer, in the smallest
//! encoding). Readers accept any bytes: on malformed ones they end early, and
//! never panic. Bytes from outside go through [`validate`] first.

mod buffer;
mod edit;
mod element;
mod encoding;
mod read;
mod validate;

#[cfg(test)]
mod tests;

pub use buffer::Buffer;
pub use edit::{
    Place, append, append_all, append_listpack, delete, delete_at, delete_range, insert,
    insert_all, pop_first, pop_last, prepend, prepend_all, replace, retain, split_off,
};
pub use element::{Element, parse_integer};
pub use encoding::encoded_len;
pub use read::{Entries, Entry, Iter, Listpack, Position};
pub use validate::{Error, Shape, validate};

/// Bytes before the first entry.
pub const HEADER_BYTES: usize = 6;

/// The byte after the last entry.
pub const END: u8 = 0xFF;

/// The bytes of a listpack without elements: what a fresh [`Buffer`] must hold.
pub const EMPTY: [u8; HEADER_BYTES + 1] = [7, 0, 0, 0, 0, 0, END];

/// The size in bytes beyond which Redis refuses to let a listpack grow.
pub const MAX_BYTES: usize = 1 << 30;

/// The element count of the header that means "unknown: count them".
const UNKNOWN_COUNT: u16 = u16::MAX;

/// Whether a listpack of `current_bytes` may take `extra_bytes` more. Owners
/// that find it may not convert to another encoding before they write.
#[inline]
#[must_use]
pub fn fits(current_bytes: usize, extra_bytes: usize) -> bool {
    current_bytes
        .checked_add(extra_bytes)
        .is_some_and(|total| total <= MAX_BYTES)
}
