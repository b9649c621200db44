//! Linearizability: whether a history of concurrent operations can be explained by some
//! order of them that respects real time.
//!
//! ```text
//! model     what the operations do to a small keyspace, one after another
//! history   operations with the times of their calls and returns
//! checker   Wing & Gong's search with Lowe's memoization, per group of connected keys
//! workload  threads that record a history against a server
//! ```

mod checker;
mod history;
mod model;
mod workload;

pub use checker::{CheckerError, Verdict, check};
pub use history::{Event, History, Recorder};
pub use model::{Keyspace, Operation, Outcome, Value};
pub use workload::{Workload, record};
