//! Commands about the server: what it can do, how it is set up, how it fares.

mod command;
mod config;
mod info;
mod keyspace;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &command::COMMAND,
    &config::CONFIG,
    &keyspace::DBSIZE,
    &keyspace::FLUSHALL,
    &keyspace::FLUSHDB,
    &info::INFO,
    &keyspace::SWAPDB,
];
