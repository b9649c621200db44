//! An extendible hash table that never pauses to grow.
//!
//! Holds slots of 8 bytes, each usually a pointer that owns an element. It knows
//! nothing of keys: callers bring a hash and a comparison.
//!
//! ```text
//! hash ─ top bits ─▶ directory ─▶ segment (≤ 24 KB) ─▶ home bucket (one cache line)
//!                                                       7 tags, 7 slots
//! ```
//!
//! - The top bits of an element's hash pick a segment in the [`directory`], the bits
//!   below pick its home bucket in there. A lookup touches the directory and one line;
//!   sometimes the line after it.
//! - A segment grows in small steps up to 24 KB, then splits into two. So no insertion
//!   costs more than one segment's work (plus a copy of the directory, 8 bytes per
//!   thousand elements or so, when that doubles). Sparse segments shrink, and merge.
//! - Elements stand in the order of their hashes, down to the bucket, whatever the
//!   sizes. So a scan's cursor is a hash, and holds across all growth and shrinkage.
//! - Segments are counted by references. [`SharedTable::freeze`], and cloning such a
//!   table, copy the pointers; a later write to a segment that others hold copies that
//!   one segment. A
//!   [`Table`] has one owner and never looks at the counts.
//! - Each segment knows the earliest deadline of its elements, so that what is due is
//!   found without an index entry per element.
//!
//! `unsafe` is confined to `bucket` (slots that their tags vouch for), `segment`
//! (memory and reference counts), `directory` (which owns segments by several copies of
//! their handle), `group` and `prefetch` (instructions); everything that searches, moves or decides is safe
//! code over them.

mod bucket;
mod deadlines;
mod directory;
mod entry;
mod frozen;
mod geometry;
mod group;
mod ownership;
mod prefetch;
mod probe;
mod reserve;
mod resize;
mod scan;
mod segment;
mod slot;
#[expect(
    clippy::module_inception,
    reason = "the table among the parts of its module"
)]
mod table;
#[cfg(test)]
mod tests;

pub use deadlines::Due;
pub use entry::{Entry, OccupiedSlot, VacantSlot};
pub use frozen::FrozenTable;
pub use ownership::{Ownership, Shared, Unique};
pub use prefetch::prefetch_line;
pub use slot::Slot;
pub use table::{ExtendibleTable, SharedTable, Table};
