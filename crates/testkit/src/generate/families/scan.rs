//! Iterations over keys and over large and small collections.

use super::Family;

pub(super) const FAMILY: Family = Family {
    common_percent: 30,
    ..super::of(
        "scan",
        &[
            "8 SCAN cursor {[MATCH pattern] [COUNT count] [TYPE (STRING|LIST|SET|ZSET|HASH|STREAM|NOSUCH)]}",
            "6 HSCAN hkey cursor {[MATCH pattern] [COUNT count]}",
            "6 SSCAN setkey cursor {[MATCH pattern] [COUNT count]}",
            "6 ZSCAN zkey cursor {[MATCH pattern] [COUNT count]}",
            "1 SSCAN setkey cursor TYPE STRING",
            "2 HSET hkey (freshmember value)*140",
            "2 SADD setkey freshmember*140",
            "1 SADD setkey intmember*600",
            "2 ZADD zkey (score freshmember)*140",
            "4 MSET (newkey value)+",
            "3 HDEL hkey freshmember*20",
            "3 SREM setkey freshmember*20",
            "3 ZREM zkey freshmember*20",
            "3 KEYS pattern",
            "2 DBSIZE",
        ],
    )
};
