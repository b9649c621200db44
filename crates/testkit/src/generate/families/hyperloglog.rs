//! HyperLogLogs, down to their bytes: the final state compares them as strings.

use super::Family;

pub(super) const FAMILY: Family = super::of(
    "hyperloglog",
    &[
        "9 PFADD pkey member+",
        "3 PFADD pkey freshmember*150",
        "2 PFADD pkey",
        "6 PFCOUNT pkey",
        "4 PFCOUNT pkey+",
        "5 PFMERGE pkey pkey+",
        "1 PFMERGE pkey",
        "3 GET pkey",
        "2 STRLEN pkey",
        "2 TYPE pkey",
        "2 PFDEBUG ENCODING pkey",
        "1 PFDEBUG DECODE pkey",
        "1 PFDEBUG TODENSE pkey",
        "1 PFDEBUG GETREG pkey",
        "1 PFDEBUG NOSUCH pkey",
        "2 SETRANGE pkey offset value",
        "2 APPEND pkey value",
        "1 COPY pkey pkey REPLACE",
        "1 ! CONFIG SET HLL-SPARSE-MAX-BYTES (50|3000|0)",
    ],
);
