//! Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.

mod exec;
mod multi;
mod watch;

pub use multi::{Transaction, forget_transaction, queue, runs_within_multi};
pub use watch::{Watching, forget};

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &multi::DISCARD,
    &exec::EXEC,
    &multi::MULTI,
    &watch::UNWATCH,
    &watch::WATCH,
];
