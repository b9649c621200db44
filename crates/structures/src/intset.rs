//! Intset.
