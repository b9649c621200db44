//! Strings and counters.

use super::Family;

pub(super) const FAMILY: Family = super::of(
    "strings",
    &[
        "8 SET skey value",
        "8 SET skey value {[NX|XX] [GET] [EX seconds|PX millis|EXAT unixtime|PXAT unixmillis|KEEPTTL]}",
        "5 SET skey number",
        "6 GET skey",
        "3 GETSET skey value",
        "3 GETDEL skey",
        "4 GETEX skey [EX seconds|PX millis|EXAT unixtime|PXAT unixmillis|PERSIST]",
        "3 SETEX skey seconds value",
        "3 PSETEX skey millis value",
        "3 SETNX skey value",
        "4 MSET (skey value)+",
        "3 MSETNX (skey value)+",
        "4 MGET skey+",
        "1 MGET anykey+",
        "5 APPEND skey value",
        "3 STRLEN skey",
        "5 SETRANGE skey offset value",
        "5 GETRANGE skey index index",
        "2 SUBSTR skey index index",
        "5 INCR skey",
        "4 DECR skey",
        "5 INCRBY skey increment",
        "4 DECRBY skey increment",
        "5 INCRBYFLOAT skey float",
        "2 LCS skey skey {[LEN] [IDX] [MINMATCHLEN count] [WITHMATCHLEN]}",
        "2 LCS skey skey [LEN|IDX|IDX WITHMATCHLEN|IDX MINMATCHLEN count|IDX MINMATCHLEN count WITHMATCHLEN]",
        "4 OBJECT ENCODING skey",
        "2 TTL skey",
    ],
);
