//! Bits within strings.

use super::Family;

pub(super) const FAMILY: Family = super::of(
    "bitmaps",
    &[
        "9 SETBIT bkey offset bit",
        "5 GETBIT bkey offset",
        "3 SET bkey value",
        "2 SETRANGE bkey offset value",
        "5 BITCOUNT bkey",
        "5 BITCOUNT bkey index index [BYTE|BIT]",
        "1 BITCOUNT bkey index",
        "3 BITPOS bkey bit",
        "3 BITPOS bkey bit index",
        "5 BITPOS bkey bit index index [BYTE|BIT]",
        "5 BITOP (AND|OR|XOR) bkey bkey+",
        "3 BITOP NOT bkey bkey",
        "1 BITOP (NOT|NAND|AND) bkey bkey+",
        "6 BITFIELD bkey (GET bitfieldtype bitfieldoffset|SET bitfieldtype bitfieldoffset increment|INCRBY bitfieldtype bitfieldoffset increment|OVERFLOW (WRAP|SAT|FAIL|MAYBE))+",
        "4 BITFIELD bkey [OVERFLOW (WRAP|SAT|FAIL)] INCRBY bitfieldtype bitfieldoffset increment",
        "3 BITFIELD_RO bkey (GET bitfieldtype bitfieldoffset)+",
        "1 BITFIELD_RO bkey SET bitfieldtype 0 1",
        "1 BITFIELD bkey",
        "3 GET bkey",
        "2 OBJECT ENCODING bkey",
        "2 STRLEN bkey",
    ],
);
