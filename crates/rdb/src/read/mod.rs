//! Reading a file: the scan on one thread, decoding wherever the caller likes.

mod batch;
mod reader;
mod scan;

pub use batch::{Access, Batch, ChecksumState, Item, LyingEntry, RawEntry};
pub use reader::{ChecksumPolicy, Reader};
