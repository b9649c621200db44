//! Values of every type under the shared key names, and what acts on keys of any type:
//! mixed into every family, so that types collide and keys come, go and are renamed.

use super::Family;

/// Not a family of its own: the others' company.
pub const COMMON: Family = super::of(
    "common",
    &[
        "4 SET anykey value",
        "2 SET anykey number",
        "3 LPUSH anykey member+",
        "3 RPUSH anykey value+",
        "3 HSET anykey (field value)+",
        "3 SADD anykey member+",
        "2 SADD anykey intmember+",
        "3 ZADD anykey (score member)+",
        "2 XADD anykey newid field value",
        "2 PFADD anykey member+",
        "8 DEL anykey+",
        "2 UNLINK anykey+",
        "3 EXPIRE anykey seconds",
        "2 PERSIST anykey",
        "2 RENAME anykey anykey",
        "2 COPY anykey anykey [REPLACE]",
        "3 TYPE anykey",
        "4 OBJECT ENCODING anykey",
        "2 EXISTS anykey+",
        "1 TTL anykey",
        "1 TOUCH anykey+",
    ],
);
