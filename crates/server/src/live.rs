//! The configuration as workers use it: swapped as a whole by CONFIG SET.

use ochre_store::Settings;
use ochre_store::clock::AccessPolicy;
use ochre_store::value::list::NodeLimit;

use crate::config::Config;
use crate::config::choices::{EvictionPolicy, RdbVersion};
use crate::pubsub::{KEYEVENT, KEYSPACE};

/// A configuration and what is derived from it once.
#[derive(Debug, Clone)]
pub struct Live {
    pub config: Config,
    pub settings: Settings,
    /// Classes of keyspace events that are announced, with `K` and `E`; 0 where neither
    /// of those is on.
    pub wanted_events: u32,
}

impl Live {
    pub fn new(config: Config) -> Self {
        let settings = settings_of(&config);
        let events = config.notifications.keyspace_events;
        let channels = events.bits() & (KEYSPACE | KEYEVENT);
        Self {
            settings,
            wanted_events: if channels == 0 { 0 } else { events.bits() },
            config,
        }
    }
}

fn settings_of(config: &Config) -> Settings {
    let encodings = &config.encodings;
    let memory = &config.memory;
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Settings {
        hash_max_listpack_entries: size(encodings.hash_max_listpack_entries),
        hash_max_listpack_value: size(encodings.hash_max_listpack_value_bytes),
        set_max_intset_entries: size(encodings.set_max_intset_entries),
        set_max_listpack_entries: size(encodings.set_max_listpack_entries),
        set_max_listpack_value: size(encodings.set_max_listpack_value_bytes),
        zset_max_listpack_entries: size(encodings.zset_max_listpack_entries),
        zset_max_listpack_value: size(encodings.zset_max_listpack_value_bytes),
        list_node_limit: NodeLimit::from_config(i64::from(encodings.list_max_listpack_size))
            .with_packed_threshold(config.list_packed_threshold_bytes),
        stream_node_max_bytes: size(encodings.stream_node_max_bytes),
        stream_node_max_entries: size(encodings.stream_node_max_entries),
        hll_sparse_max_bytes: size(encodings.hll_sparse_max_bytes),
        proto_max_bulk_bytes: config.clients.max_bulk_bytes,
        rdb_version: match config.persistence.rdb_version {
            RdbVersion::V10 => 10,
            RdbVersion::V11 => 11,
        },
        rdb_compression: config.persistence.rdb_compression,
        skip_checksums: config.skip_checksums,
        access_policy: if matches!(
            memory.maxmemory_policy,
            EvictionPolicy::AllKeysLfu | EvictionPolicy::VolatileLfu
        ) {
            AccessPolicy::Lfu {
                log_factor: memory.lfu_log_factor,
                decay_minutes: memory.lfu_decay_minutes,
            }
        } else {
            AccessPolicy::Lru
        },
        lazy_user_del: memory.lazy_user_delete,
        lazy_expire: memory.lazy_expire,
    }
}
