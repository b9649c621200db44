//! When a collection changes from its compact to its full encoding.

use crate::config::directive::Effect::{Inert, Live};
use crate::config::section::section;

section! {
    /// Limits of the compact encodings.
    Encodings at encodings titled "ENCODINGS" {
        hash_max_listpack_entries: u64 = 512, integer(0, i64::MAX), [], Live,
            "hash-max-listpack-entries" | "hash-max-ziplist-entries" =>
            "The most fields of a hash that is a listpack.";
        hash_max_listpack_value_bytes: u64 = 64, memory(0, i64::MAX), [], Live,
            "hash-max-listpack-value" | "hash-max-ziplist-value" =>
            "The longest field or value of a hash that is a listpack.";
        hll_sparse_max_bytes: u64 = 3000, memory(0, i64::MAX), [], Live,
            "hll-sparse-max-bytes" =>
            "The largest HyperLogLog in the sparse representation.";
        list_compress_depth: u32 = 0, integer(0, i32::MAX), [], Inert("nodes of lists are not compressed"),
            "list-compress-depth" =>
            "How many nodes at each end of a list stay uncompressed; 0 compresses none.";
        list_max_listpack_size: i32 = -2, integer(i32::MIN, i32::MAX), [], Live,
            "list-max-listpack-size" | "list-max-ziplist-size" =>
            "The size of a list's nodes: so many elements, or, from -1 to -5, at most 4, 8, 16, 32 or 64 kilobytes.";
        set_max_intset_entries: u64 = 512, integer(0, i64::MAX), [], Live,
            "set-max-intset-entries" =>
            "The most members of a set of integers that is an intset.";
        set_max_listpack_entries: u64 = 128, integer(0, i64::MAX), [], Live,
            "set-max-listpack-entries" =>
            "The most members of a set that is a listpack.";
        set_max_listpack_value_bytes: u64 = 64, memory(0, i64::MAX), [], Live,
            "set-max-listpack-value" =>
            "The longest member of a set that is a listpack.";
        stream_node_max_bytes: u64 = 4096, memory(0, i64::MAX), [], Live,
            "stream-node-max-bytes" =>
            "The largest node of a stream; 0 is no limit.";
        stream_node_max_entries: u64 = 100, integer(0, i64::MAX), [], Live,
            "stream-node-max-entries" =>
            "The most entries of a stream's node; 0 is no limit.";
        zset_max_listpack_entries: u64 = 128, integer(0, i64::MAX), [], Live,
            "zset-max-listpack-entries" | "zset-max-ziplist-entries" =>
            "The most members of a sorted set that is a listpack.";
        zset_max_listpack_value_bytes: u64 = 64, memory(0, i64::MAX), [], Live,
            "zset-max-listpack-value" | "zset-max-ziplist-value" =>
            "The longest member of a sorted set that is a listpack.";
    }
}
