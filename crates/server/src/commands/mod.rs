//! The commands: one folder a family, one file an idea, each command declared once.
//!
//! [`FAMILIES`] is the list from which the server's table is made. A command that is
//! missing from its family's list is dead code, which the build refuses.

pub mod args;
pub mod bitmap;
pub mod connection;
pub mod element;
mod found;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod help;
pub mod hyperloglog;
pub mod list;
mod merging;
mod names;
pub mod pubsub;
pub mod sampling;
pub mod scripting;
pub mod server;
pub mod set;
pub mod sorted_set;
pub mod spec;
pub mod stream;
pub mod string;
pub mod table;
mod timeout;
pub mod transactions;
#[cfg(test)]
mod trial;

use spec::Command;

/// All commands, family by family.
pub const FAMILIES: &[&[&Command]] = &[
    bitmap::COMMANDS,
    connection::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    list::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    stream::COMMANDS,
    string::COMMANDS,
    transactions::COMMANDS,
];
