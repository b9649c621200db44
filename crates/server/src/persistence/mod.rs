//! Between the keyspace and Redis's files: values as they are written, and read back.
//!
//! ```text
//!   store ──► image ──► RDB items, dumps, commands of an append-only file
//!   store ◄── restore ◄── plain values of an RDB ◄── load (all cores), RESTORE
//! ```
//!
//! Nothing here decides when anything is written, or opens a file.

pub mod image;
pub mod load;
pub mod restore;
#[cfg(test)]
pub(crate) mod samples;
