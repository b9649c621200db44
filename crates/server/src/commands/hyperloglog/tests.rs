//! What the HyperLogLog commands count, record and announce. The expectations are a
//! real server's.

use crate::commands::trial::check;

#[test]
fn changes_of_registers_count() {
    check(&[], "PFADD k a b c", "4 changes; as sent; pfadd k");
    check(&[], "PFADD k", "1 change; as sent; pfadd k");
    check(&["PFADD k a"], "PFADD k a", "0 changes; nothing; ");
    check(&["PFADD k a"], "PFMERGE k k", "1 change; as sent; pfadd k");
    check(&[], "PFMERGE k", "1 change; as sent; pfadd k");
}

#[test]
fn an_estimate_is_cached_in_the_value() {
    check(&["PFADD k a"], "PFCOUNT k", "1 change; as sent; ");
    check(
        &["PFADD k a", "PFCOUNT k"],
        "PFCOUNT k",
        "0 changes; nothing; ",
    );
    check(&["PFADD k a"], "PFCOUNT k j", "0 changes; nothing; ");
    check(&["PFADD k a"], "PFDEBUG TODENSE k", "1 change; as sent; ");
}
