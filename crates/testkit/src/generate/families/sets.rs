//! Sets.

use super::Family;

pub(super) const FAMILY: Family = super::of(
    "sets",
    &[
        "9 SADD setkey member+",
        "6 SADD setkey intmember+",
        "1 SADD setkey freshmember*128",
        "1 SADD setkey intmember*512",
        "1 SADD setkey number+",
        "6 SREM setkey member+",
        "3 SREM setkey intmember+",
        "4 SMEMBERS setkey",
        "3 SCARD setkey",
        "4 SISMEMBER setkey member",
        "4 SMISMEMBER setkey member+",
        "5 SMOVE setkey setkey member",
        "4 SPOP setkey [count]",
        "5 SRANDMEMBER setkey [signedcount]",
        "4 SUNION setkey+",
        "4 SINTER setkey+",
        "4 SDIFF setkey+",
        "4 SUNIONSTORE setkey setkey+",
        "4 SINTERSTORE setkey setkey+",
        "4 SDIFFSTORE setkey setkey+",
        "4 SINTERCARD nsetkeys [LIMIT count]",
        "4 SSCAN setkey cursor {[MATCH pattern] [COUNT count]}",
        "5 OBJECT ENCODING setkey",
        "2 SORT setkey ALPHA [LIMIT index count]",
        "1 ! CONFIG SET SET-MAX-INTSET-ENTRIES (4|512|0)",
    ],
);
