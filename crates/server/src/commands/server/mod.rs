//! Commands about the server: what it can do, how it is set up, how it fares.

mod access;
mod command;
mod config;
mod debug;
pub mod info;
mod keyspace;
mod latency;
mod lolwut;
mod memory;
mod monitor;
mod process;
mod replication;
mod save;
mod slowlog;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &access::ACL,
    &save::BGREWRITEAOF,
    &save::BGSAVE,
    &command::COMMAND,
    &config::CONFIG,
    &keyspace::DBSIZE,
    &debug::DEBUG,
    &keyspace::FLUSHALL,
    &keyspace::FLUSHDB,
    &info::INFO,
    &save::LASTSAVE,
    &latency::LATENCY,
    &lolwut::LOLWUT,
    &memory::MEMORY,
    &access::MODULE,
    &monitor::MONITOR,
    &replication::REPLICAOF,
    &replication::ROLE,
    &save::SAVE,
    &process::SHUTDOWN,
    &replication::SLAVEOF,
    &slowlog::SLOWLOG,
    &keyspace::SWAPDB,
    &process::TIME,
    &replication::WAIT,
    &save::WAITAOF,
];
