//! Memory limits, eviction, expiry and lazy freeing.

use crate::config::choices::EvictionPolicy;
use crate::config::directive::Effect::{Inert, Live};
use crate::config::section::section;

section! {
    /// Memory limits, eviction, expiry and lazy freeing.
    Memory at memory titled "MEMORY, EVICTION AND EXPIRY" {
        active_expire_effort: u8 = 1, integer(1, 10), [], Inert("expired keys are reclaimed when they are due, not found by sampling"),
            "active-expire-effort" =>
            "How hard to look for expired keys, from 1 to 10.";
        active_rehashing: bool = true, yes_no, [], Inert("tables grow a segment at a time and are never rehashed"),
            "activerehashing" =>
            "Whether idle time goes into the rehashing of tables.";
        dynamic_hz: bool = true, yes_no, [], Inert("timers run when they are due"),
            "dynamic-hz" =>
            "Whether background work runs more often while many clients are connected.";
        hz: u32 = 10, integer(0, i32::MAX), [], Inert("timers run when they are due"),
            "hz" =>
            "How often a second background work runs, from 1 to 500.";
        jemalloc_background_thread: bool = true, yes_no, [], Live,
            "jemalloc-bg-thread" =>
            "Whether memory is given back to the system by a thread of its own, in small steps.";
        lazy_expire_nested_arbitrary_keys: bool = true, yes_no, [HIDDEN], Live,
            "lazyexpire-nested-arbitrary-keys" =>
            "Whether commands that reach keys that they do not name may delete the expired ones.";
        lazy_eviction: bool = false, yes_no, [], Live,
            "lazyfree-lazy-eviction" =>
            "Whether evicted values are freed in the background. Large values always are.";
        lazy_expire: bool = false, yes_no, [], Live,
            "lazyfree-lazy-expire" =>
            "Whether expired values are freed in the background. Large values always are.";
        lazy_server_delete: bool = false, yes_no, [], Live,
            "lazyfree-lazy-server-del" =>
            "Whether values that commands overwrite are freed in the background. Large values always are.";
        lazy_user_delete: bool = false, yes_no, [], Live,
            "lazyfree-lazy-user-del" =>
            "Whether DEL does what UNLINK does, and is propagated as UNLINK.";
        lazy_user_flush: bool = false, yes_no, [], Live,
            "lazyfree-lazy-user-flush" =>
            "Whether FLUSHALL, FLUSHDB, SCRIPT FLUSH and FUNCTION FLUSH are ASYNC unless they say SYNC.";
        lfu_decay_minutes: u32 = 1, integer(0, i32::MAX), [], Live,
            "lfu-decay-time" =>
            "After how many minutes without use a key's frequency counter is lowered by one; 0 never lowers it.";
        lfu_log_factor: u32 = 10, integer(0, i32::MAX), [], Live,
            "lfu-log-factor" =>
            "How slowly frequency counters grow: the higher, the more uses it takes to reach the top.";
        maxmemory_bytes: u64 = 0, memory(0, u64::MAX), [], Live,
            "maxmemory" =>
            "The most memory for data; at it, maxmemory-policy applies. 0 is no limit.";
        eviction_tenacity: u8 = 10, integer(0, 100), [], Live,
            "maxmemory-eviction-tenacity" =>
            "How long eviction may delay commands, from 0 (hardly) to 100 (as long as it takes).";
        maxmemory_policy: EvictionPolicy = EvictionPolicy::NoEviction, choice, [], Live,
            "maxmemory-policy" =>
            "What is evicted when maxmemory is reached.";
        maxmemory_samples: u32 = 5, integer(1, i32::MAX), [], Live,
            "maxmemory-samples" =>
            "How many keys eviction compares to find the best one to evict.";
    }
}
