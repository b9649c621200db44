//! Limits on clients, and on what they may send and leave unread.

use crate::config::directive::Effect::Live;
use crate::config::numbers::MemoryShare;
use crate::config::section::section;
use crate::config::values::OutputBufferLimits;

section! {
    /// Limits on clients.
    Clients at clients titled "CLIENTS" {
        output_buffer_limits: OutputBufferLimits = OutputBufferLimits::default(), value, [MULTI], Live,
            "client-output-buffer-limit" =>
            "Closes clients that leave too much output unread: at the hard limit at once, at the soft limit after so many seconds above it. Classes not named keep their limits.";
        query_buffer_limit_bytes: u64 = 1 << 30, memory(1 << 20, i64::MAX), [], Live,
            "client-query-buffer-limit" =>
            "The most bytes of an unfinished command that are kept for a client.";
        max_clients: u32 = 10_000, integer(1, u32::MAX), [], Live,
            "maxclients" =>
            "The most clients at a time.";
        max_memory: MemoryShare = MemoryShare::Bytes(0), memory_share, [], Live,
            "maxmemory-clients" =>
            "The most memory for all clients' buffers together, in bytes or in percent of maxmemory; 0 is no limit.";
        max_bulk_bytes: u64 = 512 << 20, memory(1 << 20, i64::MAX), [], Live,
            "proto-max-bulk-len" =>
            "The longest single argument of a command.";
        idle_timeout_seconds: u32 = 0, integer(0, i32::MAX), [], Live,
            "timeout" =>
            "Closes clients that have been idle for so many seconds; 0 never does.";
        tracking_table_max_keys: u64 = 1_000_000, integer(0, i64::MAX), [], Live,
            "tracking-table-max-keys" =>
            "The most keys that are remembered for client-side caching; 0 is no limit.";
    }
}
