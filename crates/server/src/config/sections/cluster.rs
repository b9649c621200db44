//! Cluster mode.

use crate::config::choices::EndpointType;
use crate::config::directive::Effect::{AtStart, Live};
use crate::config::section::section;
use crate::config::sections::names;

section! {
    /// Cluster mode.
    Cluster at cluster titled "CLUSTER" {
        allow_pubsubshard_when_down: bool = true, yes_no, [], Live,
            "cluster-allow-pubsubshard-when-down" =>
            "Whether shard channels work while the cluster is down.";
        allow_reads_when_down: bool = false, yes_no, [], Live,
            "cluster-allow-reads-when-down" =>
            "Whether a node answers reads of its slots while the cluster is down.";
        allow_replica_migration: bool = true, yes_no, [], Live,
            "cluster-allow-replica-migration" =>
            "Whether replicas move to primaries that have none left.";
        announce_bus_port: u16 = 0, integer(0, 65535), [], Live,
            "cluster-announce-bus-port" =>
            "The bus port that other nodes are told; 0 is the real one.";
        announce_hostname: String = String::new(), optional_text(names::hostname), [], Live,
            "cluster-announce-hostname" =>
            "The host name that other nodes and clients are told.";
        announce_human_nodename: String = String::new(), optional_text(names::human_nodename), [], Live,
            "cluster-announce-human-nodename" =>
            "A name for the node in logs.";
        announce_address: String = String::new(), optional_text, [], Live,
            "cluster-announce-ip" =>
            "The address that other nodes are told, where it differs from the one they see.";
        announce_port: u16 = 0, integer(0, 65535), [], Live,
            "cluster-announce-port" =>
            "The port that other nodes are told; 0 is the real one.";
        announce_tls_port: u16 = 0, integer(0, 65535), [], Live,
            "cluster-announce-tls-port" =>
            "The TLS port that other nodes are told; 0 is the real one.";
        config_file: String = "nodes.conf".into(), text, [IMMUTABLE], AtStart,
            "cluster-config-file" =>
            "The file, inside dir, in which the node keeps its view of the cluster. The server writes it.";
        enabled: bool = false, yes_no, [IMMUTABLE], AtStart,
            "cluster-enabled" =>
            "Whether this server is a node of a cluster.";
        link_send_buffer_limit_bytes: u64 = 0, memory(0, u64::MAX), [], Live,
            "cluster-link-sendbuf-limit" =>
            "The most unsent bytes on a link to another node, above which it is reset; 0 is no limit.";
        migration_barrier: u32 = 1, integer(0, i32::MAX), [], Live,
            "cluster-migration-barrier" =>
            "How many replicas a primary must keep when one moves to another.";
        node_timeout_ms: u64 = 15_000, integer(0, i64::MAX), [], Live,
            "cluster-node-timeout" =>
            "After how many milliseconds of silence a node is suspected to be down.";
        ping_interval_ms: u32 = 1000, integer(0, i32::MAX), [HIDDEN], Live,
            "cluster-ping-interval" =>
            "Milliseconds between pings to other nodes.";
        port: u16 = 0, integer(0, 65535), [IMMUTABLE], AtStart,
            "cluster-port" =>
            "The port of the cluster bus; 0 is the data port plus 10000.";
        preferred_endpoint_type: EndpointType = EndpointType::Ip, choice, [], Live,
            "cluster-preferred-endpoint-type" =>
            "Under which name clients are sent to other nodes.";
        replica_no_failover: bool = false, yes_no, [], Live,
            "cluster-replica-no-failover" | "cluster-slave-no-failover" =>
            "Whether this replica never tries to take over on its own.";
        replica_validity_factor: u32 = 10, integer(0, i32::MAX), [], Live,
            "cluster-replica-validity-factor" | "cluster-slave-validity-factor" =>
            "How stale, in multiples of the node timeout, a replica may be to take over; 0 is any.";
        require_full_coverage: bool = true, yes_no, [], Live,
            "cluster-require-full-coverage" =>
            "Whether the whole cluster refuses commands while any slot has no node.";
    }
}
