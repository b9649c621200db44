//! Commands that block, with timeouts of milliseconds; who is woken by whom is for the
//! hand-picked cases.

use super::Family;

pub(super) const FAMILY: Family = Family {
    common_percent: 30,
    ..super::of(
        "blocking",
        &[
            "3 BLPOP lkey+ timeout",
            "3 BRPOP lkey+ timeout",
            "3 BLMOVE lkey lkey (LEFT|RIGHT) (LEFT|RIGHT) timeout",
            "2 BRPOPLPUSH lkey lkey timeout",
            "3 BLMPOP timeout nlkeys (LEFT|RIGHT) [COUNT count]",
            "3 BZPOPMIN zkey+ timeout",
            "3 BZPOPMAX zkey+ timeout",
            "3 BZMPOP timeout nzkeys (MIN|MAX) [COUNT count]",
            "2 XREAD {[COUNT count] BLOCK blockms} STREAMS xkey (0|$|streamid)",
            "2 XREADGROUP {GROUP group consumer [COUNT count] BLOCK blockms [NOACK]} STREAMS xkey >",
            "10 RPUSH lkey member+",
            "10 ZADD zkey (score member)+",
            "8 XADD xkey newid field value",
            "4 XGROUP CREATE xkey group (0|$) MKSTREAM",
            "4 LRANGE lkey 0 -1",
        ],
    )
};
