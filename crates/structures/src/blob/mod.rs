//! Blobs: counted byte strings behind one thin pointer, the elements of large hashes
//! and sets.
//!
//! ```text
//!   slot (8 bytes)                      allocation (a size class of jemalloc)
//!   mark u16 │ address 48 bits ───────▶ count u32 │ length varint │ bytes …
//!   integer 63 bits │ 1                 (no allocation)
//! ```
//!
//! [`Blob`] owns such bytes together with others of its kind: cloning one counts, so a
//! table that is copied for a frozen reader copies 8 bytes an element. The 16 bits that
//! an address leaves free carry a mark of the owner's: the leading bits of a hash, so
//! that tables grow without touching their elements. [`IntOrBlob`] is a blob or, without
//! any allocation, an integer.
//!
//! The bytes mean nothing here: what a field's record looks like is the map's business.
//! There is no spare capacity but what the size class has anyway.
//!
//! `unsafe` is confined to `bytes` (the allocation) and `tagged` (telling integers from
//! pointers).
//!
//! Invariant: the bytes of a blob change only while it has one owner.

mod bytes;
mod tagged;
mod varint;

#[cfg(test)]
mod tests;

pub use bytes::Blob;
pub use tagged::{Content, IntOrBlob};
pub(crate) use varint::{read_varint, write_varint};
