//! Listpack.
