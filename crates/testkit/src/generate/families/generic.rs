//! Keys of any type: naming, copying, counting, databases.

use super::Family;

pub(super) const FAMILY: Family = Family {
    common_percent: 45,
    ..super::of(
        "generic",
        &[
            "5 DEL anykey+",
            "3 UNLINK anykey+",
            "5 EXISTS anykey+",
            "3 TOUCH anykey+",
            "5 TYPE anykey",
            "5 RENAME anykey anykey",
            "4 RENAMENX anykey anykey",
            "3 RENAME anykey newkey",
            "6 COPY anykey anykey {[DB dbindex] [REPLACE]}",
            "4 MOVE anykey dbindex",
            "2 PERSIST anykey",
            "4 KEYS pattern",
            "4 DBSIZE",
            "3 RANDOMKEY",
            "4 SCAN cursor {[MATCH pattern] [COUNT count] [TYPE (STRING|LIST|SET|ZSET|HASH|STREAM|NOSUCH)]}",
            "5 OBJECT ENCODING anykey",
            "2 OBJECT REFCOUNT anykey",
            "2 OBJECT IDLETIME anykey",
            "1 OBJECT FREQ anykey",
            "1 OBJECT HELP",
            "4 SELECT dbindex",
            "1 ! SWAPDB 0 1",
            "2 SWAPDB dbindex dbindex",
            "1 FLUSHDB [ASYNC|SYNC|NOW]",
            "2 DUMP anykey",
            "1 RESTORE newkey seconds value {[REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ count]}",
            "2 SORT anykey [ALPHA]",
            "1 MEMORY USAGE anykey [SAMPLES count]",
            "1 WAIT (0|1|-1) (1|-1)",
            "1 DEBUG OBJECT newkey",
        ],
    )
};
