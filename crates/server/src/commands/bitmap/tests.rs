//! What the bitmap commands count, record and announce. The expectations are a real
//! server's, except where a comment says why not.

use crate::commands::trial::check;

#[test]
fn only_real_changes_count() {
    check(&[], "SETBIT k 0 0", "1 change; as sent; setbit k");
    check(&["SETBIT k 0 0"], "SETBIT k 7 0", "0 changes; nothing; ");
    check(
        &["SETBIT k 0 0"],
        "SETBIT k 8 0",
        "1 change; as sent; setbit k",
    );
    check(
        &["SETBIT k 0 0"],
        "SETBIT k 7 1",
        "1 change; as sent; setbit k",
    );
    check(&[], "BITFIELD k GET u8 0", "0 changes; nothing; ");
    check(
        &[],
        "BITFIELD k SET u8 0 0 SET u8 0 0",
        "2 changes; as sent; setbit k",
    );
    check(
        &["BITFIELD k SET u8 0 64"],
        "BITFIELD k SET u8 0 64 SET u8 0 65 INCRBY u8 0 1",
        "2 changes; as sent; setbit k",
    );
    check(
        &["BITFIELD k SET u8 0 64"],
        "BITFIELD k OVERFLOW FAIL SET u8 0 256",
        "0 changes; nothing; ",
    );
    // Redis makes the key and records nothing, so that its replicas differ.
    check(
        &[],
        "BITFIELD k OVERFLOW FAIL SET u8 0 256",
        "1 change; as sent; ",
    );
}

#[test]
fn combining() {
    check(&["SET a x"], "BITOP NOT k a", "1 change; as sent; set k");
    check(&["SET k x"], "BITOP AND k a b", "1 change; as sent; del k");
    check(&[], "BITOP AND k a b", "0 changes; nothing; ");
}
