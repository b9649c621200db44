//! Lists, without waiting.

use super::Family;

pub(super) const FAMILY: Family = super::of(
    "lists",
    &[
        "8 LPUSH lkey member+",
        "8 RPUSH lkey member+",
        "1 RPUSH lkey value*130",
        "1 RPUSH lkey intmember*600",
        "3 LPUSHX lkey member+",
        "3 RPUSHX lkey member+",
        "5 LPOP lkey [count]",
        "5 RPOP lkey [count]",
        "3 LLEN lkey",
        "7 LRANGE lkey index index",
        "5 LINDEX lkey index",
        "5 LSET lkey index member",
        "5 LINSERT lkey (BEFORE|AFTER) member member",
        "5 LREM lkey signedcount member",
        "4 LTRIM lkey index index",
        "6 LPOS lkey member {[RANK signedcount] [COUNT count] [MAXLEN count]}",
        "5 LMOVE lkey lkey (LEFT|RIGHT) (LEFT|RIGHT)",
        "4 RPOPLPUSH lkey lkey",
        "5 LMPOP nlkeys (LEFT|RIGHT) [COUNT count]",
        "3 SORT lkey {[ALPHA] [ASC|DESC] [LIMIT index count]}",
        "4 OBJECT ENCODING lkey",
        "1 ! CONFIG SET LIST-MAX-LISTPACK-SIZE (3|-2|-1|128)",
    ],
);
