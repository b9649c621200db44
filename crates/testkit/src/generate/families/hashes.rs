//! Hashes.

use super::Family;

pub(super) const FAMILY: Family = super::of(
    "hashes",
    &[
        "9 HSET hkey (field value)+",
        "1 HSET hkey (freshmember value)*127",
        "2 HMSET hkey (field value)+",
        "1 HSET hkey field",
        "4 HSETNX hkey field value",
        "5 HGET hkey field",
        "4 HMGET hkey field+",
        "4 HGETALL hkey",
        "3 HKEYS hkey",
        "3 HVALS hkey",
        "3 HLEN hkey",
        "3 HEXISTS hkey field",
        "3 HSTRLEN hkey field",
        "6 HDEL hkey field+",
        "5 HINCRBY hkey field increment",
        "5 HINCRBYFLOAT hkey field float",
        "5 HRANDFIELD hkey [signedcount [WITHVALUES]]",
        "4 HSCAN hkey cursor {[MATCH pattern] [COUNT count]}",
        "5 OBJECT ENCODING hkey",
        "1 ! CONFIG SET HASH-MAX-LISTPACK-ENTRIES (4|128|0)",
        "1 ! CONFIG SET HASH-MAX-ZIPLIST-VALUE (4|64)",
    ],
);
