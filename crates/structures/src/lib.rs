//! The containers behind the values. No keys, no locks, no protocol.

pub mod bits;
pub mod blob;
pub mod field_map;
pub mod geo;
pub mod glob;
pub mod hash;
pub mod hyperloglog;
pub mod intset;
pub mod lcs;
pub mod list;
pub mod listpack;
pub mod member_set;
pub mod number;
mod size_class;
pub mod sorted_set;
pub mod stream;
pub mod table;
