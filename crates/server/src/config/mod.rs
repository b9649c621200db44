//! The configuration: every redis.conf directive as a typed value.
//!
//! ```text
//!   sections/*        one line per directive: field, type, default, kind, flags, effect, text
//!      │ folded into
//!      ├─► Config      typed fields that the server reads (`config.memory.maxmemory_bytes`)
//!      ├─► query       CONFIG GET
//!      ├─► change      CONFIG SET, all or nothing, with the list of changed directives
//!      ├─► rewrite     CONFIG REWRITE
//!      ├─► load        configuration file, stdin and `--directive value` into a `Startup`
//!      └─► reference   the text of `ochre.conf`
//! ```
//!
//! What it is not: it holds no socket, starts nothing and knows no server state. A caller swaps
//! an `Arc<Config>` when [`change::set`] gives it a new one, and does the side effects itself.
//!
//! Invariant: a directive is declared once, in `sections`; everything else is a fold over
//! [`directives`].

mod glob;
mod section;

pub mod change;
pub mod choices;
pub mod command_line;
pub mod cpu_list;
pub mod directive;
pub mod load;
pub mod numbers;
pub mod query;
pub mod reference;
pub mod rewrite;
pub mod sections;
pub mod values;
pub mod words;

pub use command_line::Invocation;
pub use directive::{Directive, Effect, Flags, Kind};
pub use load::{Startup, StartupError};
pub use section::{Section, directives, find, sections as all_sections};

use sections::{
    clients, cluster, defrag, encodings, latency, logging, memory, network, notifications,
    persistence, process, replication, scripting, security, shutdown, testing, threads, tls,
};

/// The Redis version whose behaviour and vocabulary this server offers to clients and tools.
pub const REDIS_VERSION: &str = "7.2.4";

/// Every directive's value, split by concern. `Default` is Redis 7.2's defaults, except where
/// [`directives`] says otherwise (`io-threads` is the number of cores, `dir` the working folder).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Listening sockets and connection options.
    pub network: network::Network,
    /// Limits on clients and on what they may send and leave unread.
    pub clients: clients::Clients,
    /// Worker threads, the reactor and the keyspace's stripes.
    pub threads: threads::Threads,
    /// Memory limits, eviction, expiry and lazy freeing.
    pub memory: memory::Memory,
    /// When a collection changes from its compact to its full encoding.
    pub encodings: encodings::Encodings,
    /// Snapshots, the append-only file and where both live.
    pub persistence: persistence::Persistence,
    /// Primaries, replicas and the replication stream.
    pub replication: replication::Replication,
    /// Cluster mode.
    pub cluster: cluster::Cluster,
    /// Passwords, ACLs and protected commands.
    pub security: security::Security,
    /// Scripts and functions.
    pub scripting: scripting::Scripting,
    /// Slow log, latency monitor and latency histograms.
    pub latency: latency::Latency,
    /// Keyspace notifications.
    pub notifications: notifications::Notifications,
    /// Where log lines go and which are written.
    pub logging: logging::Logging,
    /// The process: daemon, pid file, title, CPU and OOM settings.
    pub process: process::Process,
    /// How the server ends.
    pub shutdown: shutdown::Shutdown,
    /// Active defragmentation.
    pub defrag: defrag::Defrag,
    /// TLS.
    pub tls: tls::Tls,
    /// Knobs that only tests turn.
    pub testing: testing::Testing,
    /// Whether checksums of dumps are taken for right. No directive: a switch of DEBUG's,
    /// kept here for all workers to see.
    pub skip_checksums: bool,
    /// From how many bytes on an element of a list gets a node of its own; 0 if it must
    /// be larger than a node. DEBUG's likewise.
    pub list_packed_threshold_bytes: u32,
}

#[cfg(test)]
mod tests;
