//! What the string commands record and announce. The expectations are a real server's.

use crate::commands::trial::check;

#[test]
fn a_deadline_is_recorded_as_a_point_in_time() {
    let sent = "1 change; SET k v PXAT 11000; set k, expire k";
    check(&[], "SETEX k 10 v", sent);
    check(&[], "PSETEX k 10000 v", sent);
    check(&[], "SET k v EX 10", sent);
    check(&["SET k w"], "SET k v PX 10000 XX GET", sent);
    check(&[], "SET k v EXAT 11", sent);
    check(
        &[],
        "SET k v PXAT 11000",
        "1 change; as sent; set k, expire k",
    );
}

#[test]
fn what_only_answers_is_not_recorded() {
    check(&[], "SET k v", "1 change; as sent; set k");
    check(
        &[],
        "SET k v GET KEEPTTL",
        "1 change; SET k v KEEPTTL; set k",
    );
    check(&[], "SET k GET get NX", "1 change; SET k GET NX; set k");
    check(&["SET k v"], "SET k w NX", "0 changes; nothing; ");
    check(&["SET k v"], "GETSET k w", "1 change; SET k w; set k");
    check(&["SET k v"], "SETNX k w", "0 changes; nothing; ");
    check(&["SET a v"], "MSETNX b 1 a 2", "0 changes; nothing; ");
    check(&[], "MSET a 1 b 2", "2 changes; as sent; set a, set b");
}

#[test]
fn reading_that_changes_the_key() {
    check(&["SET k v"], "GETDEL k", "1 change; DEL k; del k");
    check(&[], "GETDEL k", "0 changes; nothing; ");
    check(&["SET k v"], "GETEX k", "0 changes; nothing; ");
    check(
        &["SET k v"],
        "GETEX k EX 10",
        "1 change; PEXPIREAT k 11000; expire k",
    );
    check(&["SET k v"], "GETEX k PXAT 1000", "1 change; DEL k; del k");
    check(&["SET k v"], "GETEX k PERSIST", "0 changes; nothing; ");
    check(
        &["SET k v EX 10"],
        "GETEX k PERSIST",
        "1 change; PERSIST k; persist k",
    );
    check(&[], "GETEX k EX 10", "0 changes; nothing; ");
}

#[test]
fn numbers() {
    check(&["SET k 5"], "INCR k", "1 change; as sent; incrby k");
    check(&[], "DECRBY k 7", "1 change; as sent; incrby k");
    check(
        &["SET k 9223372036854775807"],
        "INCR k",
        "0 changes; nothing; ",
    );
    check(
        &["SET k 5"],
        "INCRBYFLOAT k 0.25",
        "1 change; SET k 5.25 KEEPTTL; incrbyfloat k",
    );
}

#[test]
fn edits_in_place() {
    check(&[], "APPEND k v", "1 change; as sent; append k");
    check(
        &["SET k v"],
        "SETRANGE k 2 x",
        "1 change; as sent; setrange k",
    );
    check(&["SET k v"], "SETRANGE k 2 ", "0 changes; nothing; ");
}
