//! What a command sees of the keyspace: exactly the keys whose stripes it holds.
//!
//! A [`ReadView`] cannot change anything but access clocks; a [`WriteView`] records
//! what it changes in [`Effects`](crate::Effects). Both treat a key past its deadline as
//! absent; a write view removes such a key when it meets it. The views never lock: asking
//! for a key whose stripe is not held is a bug in the command's key specification, and is
//! answered as if the key were absent (and caught by a debug assertion).
//!
//! - `scope`: what every view of one command has in common; `read`, `write`: the keys of
//!   the held stripes; `deadlines`: what a write view does about those past theirs;
//!   `keyspace`: all stripes, one after the other or at once.

mod deadlines;
mod keyspace;
mod read;
mod scope;
mod write;

pub use keyspace::KeyspaceView;
pub use read::ReadView;
pub use scope::{Hashed, Observed, Scope};
pub use write::{EntryMut, Expiry, Removal, WriteView};
