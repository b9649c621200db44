//! Reading the commands of an append-only file, one by one or in batches.
//!
//! ```text
//! scan     bytes ─► one step: a command, an annotation, bytes missing, or a fault
//! buffered a source and a buffer; commands that are slices of the buffer
//! batch    consecutive commands with the bytes they are slices of, for another thread
//! ```
//!
//! An RDB preamble is not read here: the caller passes it by, and says where it ended.
//!
//! Invariants: announced counts and lengths make no allocation, only bytes that have
//! arrived do, in proportion; and what is known to be valid ends outside of any
//! transaction.

mod batch;
mod buffered;
mod error;
mod scan;

pub use batch::{Command, CommandBatch};
pub use buffered::AofReader;
pub use error::{FormatFault, ReadError, Torn};

#[cfg(test)]
mod tests;
