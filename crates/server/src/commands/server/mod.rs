//! Commands about the server: what it can do, how it is set up, how it fares.

mod access;
mod command;
mod config;
mod debug;
mod info;
mod keyspace;
mod latency;
mod lolwut;
mod memory;
mod monitor;
mod process;
mod replication;
mod slowlog;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &access::ACL,
    &command::COMMAND,
    &config::CONFIG,
    &keyspace::DBSIZE,
    &debug::DEBUG,
    &keyspace::FLUSHALL,
    &keyspace::FLUSHDB,
    &info::INFO,
    &latency::LATENCY,
    &lolwut::LOLWUT,
    &memory::MEMORY,
    &access::MODULE,
    &monitor::MONITOR,
    &replication::REPLICAOF,
    &replication::ROLE,
    &process::SHUTDOWN,
    &replication::SLAVEOF,
    &slowlog::SLOWLOG,
    &keyspace::SWAPDB,
    &process::TIME,
    &replication::WAIT,
];
