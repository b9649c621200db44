//! SORT and SORT_RO over every source.
//!
//! Scores are integers here: Redis 7.0 takes a score that is out of range, or close to 0, for
//! a fault of the next SORT, as that asks for an error number which nobody has reset.

use super::Family;

pub(super) const FAMILY: Family = Family {
    common_percent: 25,
    ..super::of(
        "sort",
        &[
            "10 SORT anykey {[ALPHA] [ASC|DESC] [LIMIT index count] [BY sortby] [GET sortget] [GET sortget]}",
            "6 SORT lkey {[ALPHA] [ASC|DESC] [LIMIT index count] [BY sortby] [GET sortget]}",
            "5 SORT lkey {[ALPHA] [ASC|DESC] [LIMIT index count] STORE lkey}",
            "4 SORT_RO anykey {[ALPHA] [ASC|DESC] [LIMIT index count] [BY sortby] [GET sortget]}",
            "1 SORT_RO lkey STORE lkey",
            "4 RPUSH lkey intmember+",
            "3 RPUSH lkey member+",
            "3 RPUSH lkey nulmember+",
            "3 SADD setkey intmember+",
            "3 ZADD zkey (intmember intmember)+",
            "5 MSET (skey number)+",
            "3 HSET hkey F number",
            "4 SORT zkey {BY sortby [ASC|DESC] [LIMIT index count]}",
            "2 LRANGE lkey 0 -1",
        ],
    )
};
