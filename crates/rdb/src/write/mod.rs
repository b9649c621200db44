//! Writing: values piece by piece, and files of them.

mod encoder;
mod file;
mod primitives;
mod stream;
mod whole;

pub use encoder::{Compression, Encoder, EntryHead, Form};
pub use file::{Preamble, Replication, Writer};
pub use stream::{GroupHead, StreamHead};
