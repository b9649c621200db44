//! Crash tests: a server under load is killed with `kill -9` at a random moment, started
//! again on the same folder, and what it loads is compared with what it had acknowledged.
//!
//! ```text
//! plan       what a round is made of, all drawn from one seed
//! dataset    what a client's steps make of its keys: commands, and the same as a model
//! load       clients that send steps and note when each was sent and acknowledged
//! tail       the end of the append-only file: where it is whole, and how it is torn
//! round      serve, load, kill, tear, restart, compare; several lives on one folder
//! verdict    whether what was loaded may be
//! ```
//!
//! Each client has keys of its own and its steps are numbered. So whatever is loaded must
//! be, for each client, the outcome of its first *k* steps for one *k*, with all keys of a
//! step changed or none. How small *k* may be is the promise of the policy; it is never
//! larger than what was sent; and the clients' *k* must be a cut through real time: a step
//! that was acknowledged before another one was sent is there if the other is.
//!
//! Not here: a power failure. `kill -9` leaves to the file system what was written but not
//! synced; the tests with an injected disk are beside the server.

mod dataset;
mod load;
mod plan;
mod round;
mod tail;
mod verdict;

pub use plan::{Life, Moment, Plan, Policy, Tear};
pub use round::{Report, run};

use std::path::PathBuf;

use crate::resp::WireError;
use crate::servers::ServerError;

/// Why a round has failed.
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    /// The server did not start, or not again on what it had left.
    #[error("{0}")]
    Server(#[from] ServerError),
    /// It went away, or answered no longer, before it was killed.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// A file could not be looked at or torn.
    #[error("the files: {0}")]
    Files(#[from] std::io::Error),
    /// It answered with something that cannot be.
    #[error("unexpected reply: {0}")]
    Reply(String),
    /// What was loaded breaks a promise.
    #[error("{what}\nthe folder is kept: {}\n{log}", .folder.display())]
    Broken {
        /// Which promise, and how.
        what: String,
        /// The server's folder.
        folder: PathBuf,
        /// The end of the server's log.
        log: String,
    },
}
