//! Primaries, replicas and the replication stream.

use crate::config::choices::{DisklessLoad, PropagationError};
use crate::config::directive::Effect::{AtStart, Live};
use crate::config::section::section;
use crate::config::values::PrimaryAddress;

section! {
    /// Primaries, replicas and the replication stream.
    Replication at replication titled "REPLICATION" {
        primary_password: Vec<u8> = Vec::new(), secret, [SENSITIVE], Live,
            "masterauth" valkey "primaryauth" =>
            "The password with which a replica authenticates to its primary.";
        primary_user: String = String::new(), optional_text, [SENSITIVE], Live,
            "masteruser" valkey "primaryuser" =>
            "The user as whom a replica authenticates to its primary.";
        min_replicas_max_lag_seconds: u32 = 10, integer(0, i32::MAX), [], Live,
            "min-replicas-max-lag" | "min-slaves-max-lag" =>
            "How long ago a replica may last have been heard of to count for min-replicas-to-write.";
        min_replicas_to_write: u32 = 0, integer(0, i32::MAX), [], Live,
            "min-replicas-to-write" | "min-slaves-to-write" =>
            "Refuses writes while fewer replicas than this are in good order; 0 never does.";
        propagation_error: PropagationError = PropagationError::Ignore, choice, [], Live,
            "propagation-error-behavior" =>
            "What happens when a command from the primary or the append-only file fails.";
        backlog_bytes: u64 = 1 << 20, memory(1, i64::MAX), [], Live,
            "repl-backlog-size" =>
            "How much of the stream is kept in memory for replicas that come back.";
        backlog_ttl_seconds: u64 = 3600, integer(0, i64::MAX), [], Live,
            "repl-backlog-ttl" =>
            "After how many seconds without replicas the backlog is given up; 0 keeps it.";
        disable_tcp_nodelay: bool = false, yes_no, [], Live,
            "repl-disable-tcp-nodelay" =>
            "Whether the stream may wait up to 40 ms to be sent in fuller packets.";
        diskless_load: DisklessLoad = DisklessLoad::Disabled, choice, [DENY_LOADING], Live,
            "repl-diskless-load" =>
            "Whether a replica loads a full sync from the socket instead of through a file.";
        diskless_sync: bool = true, yes_no, [], Live,
            "repl-diskless-sync" =>
            "Whether a full sync is sent to the socket as it is made, without a file.";
        diskless_sync_delay_seconds: u32 = 5, integer(0, i32::MAX), [], Live,
            "repl-diskless-sync-delay" =>
            "How long a full sync waits for more replicas to share it.";
        diskless_sync_max_replicas: u32 = 0, integer(0, i32::MAX), [], Live,
            "repl-diskless-sync-max-replicas" =>
            "Starts a full sync without further waiting when so many replicas wait; 0 waits for the delay.";
        ping_period_seconds: u32 = 10, integer(1, i32::MAX), [], Live,
            "repl-ping-replica-period" | "repl-ping-slave-period" =>
            "Seconds between the pings that a primary sends to its replicas.";
        timeout_seconds: u32 = 60, integer(1, i32::MAX), [], Live,
            "repl-timeout" =>
            "After how many seconds of silence either side gives the link up.";
        announce_address: String = String::new(), optional_text, [], Live,
            "replica-announce-ip" | "slave-announce-ip" =>
            "The address that a replica tells its primary, where it is reached by another than it connects from.";
        announce_port: u16 = 0, integer(0, 65535), [], Live,
            "replica-announce-port" | "slave-announce-port" =>
            "The port that a replica tells its primary; 0 is its own.";
        announced: bool = true, yes_no, [], Live,
            "replica-announced" =>
            "Whether sentinels are told of this replica.";
        ignore_disk_write_errors: bool = false, yes_no, [], Live,
            "replica-ignore-disk-write-errors" =>
            "Whether a replica that cannot write to its disk goes on applying the stream instead of stopping.";
        ignore_maxmemory: bool = true, yes_no, [], Live,
            "replica-ignore-maxmemory" | "slave-ignore-maxmemory" =>
            "Whether a replica leaves eviction to its primary.";
        lazy_flush: bool = false, yes_no, [], Live,
            "replica-lazy-flush" | "slave-lazy-flush" =>
            "Whether a replica frees its old data in the background before it loads a full sync.";
        priority: u32 = 100, integer(0, i32::MAX), [], Live,
            "replica-priority" | "slave-priority" =>
            "Which replica sentinels prefer to promote: the lowest first, 0 never.";
        read_only: bool = true, yes_no, [], Live,
            "replica-read-only" | "slave-read-only" =>
            "Whether a replica refuses writes from clients.";
        serve_stale_data: bool = true, yes_no, [], Live,
            "replica-serve-stale-data" | "slave-serve-stale-data" =>
            "Whether a replica that has lost its primary goes on answering reads.";
        replica_of: PrimaryAddress = PrimaryAddress::default(), value, [IMMUTABLE MULTI], AtStart,
            "replicaof" | "slaveof" =>
            "The primary to replicate. At run time the REPLICAOF command changes it.";
    }
}
