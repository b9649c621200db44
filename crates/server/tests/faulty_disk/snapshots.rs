//! Snapshots and rewrites that fail: the old files are whole, and the next one succeeds.

use std::path::Path;

use ochre_journal::disk::{Disk, FaultyDisk};
use ochre_server::config::choices::AppendFsync;
use ochre_testkit::resp::Reply;

use crate::fixture::{Fixture, appending, ask, count, refusal, saving};

const UNABLE_TO_SAVE: &str = "MISCONF Redis is configured to save RDB snapshots, but it's \
    currently unable to persist to disk.";

/// Keys that a snapshot needs some KB for.
fn fill(server: &Fixture) {
    let mut client = server.connect();
    for number in 0..200 {
        ask(
            &mut client,
            &format!("SET key:{number} {number}-{}", "x".repeat(40)),
        );
    }
}

#[test]
fn a_snapshot_without_space_leaves_the_old_one_and_stops_writes() {
    let dump = Path::new("/dump.rdb");
    let server = Fixture::start(&saving(), FaultyDisk::new(3));
    let mut client = server.connect();
    ask(&mut client, "SET counter 1");
    server.run_job("BGSAVE");
    let old = server.disk.content(dump).unwrap();
    fill(&server);
    for space in [0, 10, 3_000] {
        server.disk.limit_space(space);
        server.run_job("BGSAVE");
        server.await_info("rdb_last_bgsave_status:err");
        assert_eq!(server.disk.content(dump).unwrap(), old);
        let names = server.disk.list(Path::new("/")).unwrap();
        assert_eq!(names, ["dump.rdb"], "something is left");
        assert!(refusal(&mut client, "INCR counter").starts_with(UNABLE_TO_SAVE));
        assert_eq!(count(&mut client, "counter"), 1);
        assert_eq!(ask(&mut client, "PING"), Reply::Simple(b"PONG".to_vec()));
        assert_eq!(
            ask(&mut server.survivor().connect(), "DBSIZE"),
            Reply::Integer(1)
        );
    }
    ask(&mut client, "CONFIG SET stop-writes-on-bgsave-error no");
    assert_eq!(ask(&mut client, "INCR counter"), Reply::Integer(2));
    ask(&mut client, "CONFIG SET stop-writes-on-bgsave-error yes");
    server.disk.return_space();
    server.run_job("BGSAVE");
    server.await_info("rdb_last_bgsave_status:ok");
    assert_eq!(ask(&mut client, "INCR counter"), Reply::Integer(3));
    let left = server.survivor();
    assert_eq!(count(&mut left.connect(), "counter"), 2);
    assert_eq!(ask(&mut left.connect(), "DBSIZE"), Reply::Integer(201));
}

#[test]
fn a_snapshot_that_cannot_be_synced_is_none() {
    let server = Fixture::start(&saving(), FaultyDisk::new(4));
    let mut client = server.connect();
    ask(&mut client, "SET counter 1");
    server.run_job("BGSAVE");
    ask(&mut client, "INCR counter");
    server.disk.fail_syncs(1);
    server.run_job("BGSAVE");
    server.await_info("rdb_last_bgsave_status:err");
    assert!(refusal(&mut client, "INCR counter").starts_with(UNABLE_TO_SAVE));
    assert_eq!(count(&mut server.survivor().connect(), "counter"), 1);
    server.run_job("BGSAVE");
    assert_eq!(count(&mut server.survivor().connect(), "counter"), 2);
}

#[test]
fn a_rewrite_without_space_leaves_the_chain_whole() {
    let server = Fixture::start(&appending(AppendFsync::Always), FaultyDisk::new(5));
    let mut client = server.connect();
    fill(&server);
    for (round, space) in [0, 30, 3_000].into_iter().enumerate() {
        let round = round as i64;
        server.disk.limit_space(space);
        server.run_job("BGREWRITEAOF");
        server.await_info("aof_last_bgrewrite_status:err");
        assert_eq!(
            ask(&mut server.survivor().connect(), "DBSIZE"),
            Reply::Integer(200 + round.min(1))
        );
        server.disk.return_space();
        // The switch to the next increment may have met the full disk.
        server.await_info("aof_last_write_status:ok");
        assert_eq!(ask(&mut client, "INCR counter"), Reply::Integer(round + 1));
        let left = server.survivor();
        assert_eq!(count(&mut left.connect(), "counter"), round as u64 + 1);
    }
    server.run_job("BGREWRITEAOF");
    server.await_info("aof_last_bgrewrite_status:ok");
    assert_eq!(ask(&mut client, "INCR counter"), Reply::Integer(4));
    let left = server.survivor();
    assert_eq!(count(&mut left.connect(), "counter"), 4);
    assert_eq!(ask(&mut left.connect(), "DBSIZE"), Reply::Integer(201));
}

/// CONFIG SET appendonly yes: where its first base cannot be written, the server tries
/// again until it can.
#[test]
fn an_append_only_file_that_could_not_be_begun_is_begun_later() {
    let mut config = appending(AppendFsync::Always);
    config.persistence.append_only = false;
    let server = Fixture::start(&config, FaultyDisk::new(6));
    let mut client = server.connect();
    fill(&server);
    server.disk.limit_space(3_000);
    ask(&mut client, "CONFIG SET appendonly yes");
    server.await_info("aof_last_bgrewrite_status:err");
    server.disk.return_space();
    server.await_info("aof_last_bgrewrite_status:ok");
    assert_eq!(ask(&mut client, "INCR counter"), Reply::Integer(1));
    let left = server.survivor();
    assert_eq!(count(&mut left.connect(), "counter"), 1);
    assert_eq!(ask(&mut left.connect(), "DBSIZE"), Reply::Integer(201));
}
