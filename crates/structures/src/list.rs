//! Quicklist.
