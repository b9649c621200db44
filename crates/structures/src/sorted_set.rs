//! Sorted set.
