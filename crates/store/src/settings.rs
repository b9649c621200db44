//! What the data commands must know of the configuration.

use ochre_structures::list::NodeLimit;

use crate::clock::AccessPolicy;

/// A snapshot of the directives that shape values. Field names are the directives', where
/// nothing is derived from them.
#[derive(Debug, Clone)]
pub struct Settings {
    pub hash_max_listpack_entries: usize,
    pub hash_max_listpack_value: usize,
    pub set_max_intset_entries: usize,
    pub set_max_listpack_entries: usize,
    pub set_max_listpack_value: usize,
    pub zset_max_listpack_entries: usize,
    pub zset_max_listpack_value: usize,
    /// What nodes of lists keep to: `list-max-listpack-size`, and DEBUG's threshold.
    pub list_node_limit: NodeLimit,
    pub stream_node_max_bytes: usize,
    pub stream_node_max_entries: usize,
    pub hll_sparse_max_bytes: usize,
    pub proto_max_bulk_bytes: u64,
    /// The version of the format that DUMP answers.
    pub rdb_version: u16,
    /// `rdbcompression`: whether dumps are compressed.
    pub rdb_compression: bool,
    /// Whether the checksums of dumps are taken for right (a switch of DEBUG's).
    pub skip_checksums: bool,
    pub access_policy: AccessPolicy,
    /// `lazyfree-lazy-user-del`, which decides whether DEL is propagated as UNLINK.
    pub lazy_user_del: bool,
    /// `lazyfree-lazy-expire`: expired keys are propagated as UNLINK.
    pub lazy_expire: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hash_max_listpack_entries: 128,
            hash_max_listpack_value: 64,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            list_node_limit: NodeLimit::from_config(-2),
            stream_node_max_bytes: 4096,
            stream_node_max_entries: 100,
            hll_sparse_max_bytes: 3000,
            proto_max_bulk_bytes: 512 << 20,
            rdb_version: 11,
            rdb_compression: true,
            skip_checksums: false,
            access_policy: AccessPolicy::Lru,
            lazy_user_del: false,
            lazy_expire: false,
        }
    }
}
