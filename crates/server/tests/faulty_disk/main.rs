//! What persistence promises, with a disk that fails, fills up, tears and delays writes,
//! and loses power: servers in this process on an injected disk.
//!
//! ```text
//! fixture      a server on a faulty disk, its clients, a second server on what is left
//! append_only  what clients see while the append-only file cannot be written, and after
//! commits      the log that stands in for syncs of the append-only file
//! snapshots    snapshots and rewrites that fail
//! power        the power goes out at any moment, also while the disk fails
//! ```
//!
//! Unlike `kill -9`, a crash of this disk loses whatever was not synced.

mod append_only;
mod commits;
mod fixture;
mod power;
mod snapshots;
