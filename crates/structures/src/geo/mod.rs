//! Places on the globe as scores of a sorted set.
//!
//! A position is a geohash of 52 bits, small enough to be exact in a double: latitude and
//! longitude are interleaved, so places with near scores are near, and a square of the globe is a
//! range of scores. [`cell`] holds that encoding, [`distance`] the metric and its units, and
//! [`search`] turns a circle or a box into the ranges of scores to scan and the test for what is
//! found there.
//!
//! Everything is computed as Redis computes it, in the same order of floating-point operations,
//! because positions, distances and the order of results are visible to clients. Nothing here
//! knows sorted sets.

pub mod cell;
pub mod distance;
pub mod search;

pub use cell::{Position, decode, encode, geohash_text};
pub use distance::{Unit, distance_m, push_distance};
pub use search::{Extent, Search};
