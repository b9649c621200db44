//! The containers behind the values. No keys, no locks, no protocol.
pub mod table;
pub mod hash;
pub mod listpack;
pub mod intset;
pub mod list;
pub mod sorted_set;
pub mod stream;
pub mod hyperloglog;
pub mod geo;
pub mod glob;
pub mod number;
