//! DUMP and RESTORE: what is dumped is compared byte for byte where its order is
//! defined, everything comes back, and what is no dump is refused. The servers must
//! write the same version of the format, without compression, which has many right
//! forms.

use super::Family;

pub(super) const FAMILY: Family = Family {
    common_percent: 45,
    ..super::of(
        "dump",
        &[
            "8 DUMP skey",
            "6 DUMP lkey",
            "6 DUMP zkey",
            "3 DUMP hkey",
            "2 DUMP setkey",
            "2 DUMP xkey",
            "8 EVAL restorescript 2 anykey anykey (0|millis) {[REPLACE] [ABSTTL]}",
            "6 EVAL restorescript 2 anykey newkey (0|millis) {[REPLACE] [ABSTTL] [IDLETIME seconds]}",
            "2 EVAL restorescript 2 anykey newkey 0 {[REPLACE] [FREQ (0|5|255|256|-1)] [IDLETIME (0|10)]}",
            "6 RESTORE anykey (0|millis) payload {[REPLACE] [ABSTTL]}",
            "3 RESTORE newkey (0|unixmillis) payload {ABSTTL [REPLACE]}",
            "2 RESTORE-ASKING newkey 0 payload [REPLACE]",
            "1 RESTORE newkey 0 value",
            "4 SET skey (value|number)",
            "3 RPUSH lkey (value|number)+",
            "3 ZADD zkey (score member)+",
            "3 HSET hkey (field value)+",
            "3 SADD setkey (intmember|member)+",
            "2 XADD xkey newid (field value)+",
            "1 ! CONFIG SET ZSET-MAX-LISTPACK-ENTRIES (2|128)",
            "1 ! CONFIG SET HASH-MAX-LISTPACK-ENTRIES (2|128)",
            "1 ! CONFIG SET SET-MAX-INTSET-ENTRIES (2|512)",
            "1 ! CONFIG SET LIST-MAX-LISTPACK-SIZE (2|-2)",
            "1 MIGRATE 127.0.0.1 1 anykey 0 count [COPY|KEYS skey|AUTH|NOSUCH]",
        ],
    )
};
