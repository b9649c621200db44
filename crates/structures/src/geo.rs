//! Geohash.
