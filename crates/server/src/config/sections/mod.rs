//! The sections of the configuration, one file each: the only place where a directive is named.
//!
//! Not here: how values are parsed (`directive`, `values`) and used (the rest of the server).

mod names;

pub mod clients;
pub mod cluster;
pub mod defrag;
pub mod encodings;
pub mod latency;
pub mod logging;
pub mod memory;
pub mod network;
pub mod notifications;
pub mod persistence;
pub mod process;
pub mod replication;
pub mod scripting;
pub mod security;
pub mod shutdown;
pub mod testing;
pub mod threads;
pub mod tls;

use super::section::Section;

/// Every section, in the order of `ochre.conf`.
pub(super) const ALL: &[Section] = &[
    network::SECTION,
    tls::SECTION,
    process::SECTION,
    threads::SECTION,
    logging::SECTION,
    persistence::SECTION,
    replication::SECTION,
    security::SECTION,
    clients::SECTION,
    memory::SECTION,
    scripting::SECTION,
    latency::SECTION,
    notifications::SECTION,
    encodings::SECTION,
    cluster::SECTION,
    shutdown::SECTION,
    defrag::SECTION,
    testing::SECTION,
];
