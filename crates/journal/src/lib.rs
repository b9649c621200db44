//! The ordered stream of changes, and the append-only file it is kept in.
//!
//! [`Journal`] is the stream in memory: changes are appended to it under the locks of
//! their keys, and whoever needs them follows with a [`Cursor`]. What a change looks
//! like, who follows and when is not known here.

#![forbid(unsafe_code)]

pub mod aof;
pub mod disk;

mod record;
mod stream;

pub use record::Record;
pub use stream::{Chunk, Cursor, Journal, Wrap};
