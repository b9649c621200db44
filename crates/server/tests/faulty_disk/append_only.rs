//! The append-only file cannot be written: what clients see, and that it heals.

use std::path::Path;
use std::time::Duration;

use ochre_journal::disk::{FaultyDisk, Operation};
use ochre_server::config::choices::{AppendFsync, Reactor};
use ochre_testkit::resp::{Connection, Reply};

use crate::fixture::{
    BAD_DISK, Fixture, NO_SPACE, appending, ask, count, counted, is_silent, refusal,
};

fn started(policy: AppendFsync) -> Fixture {
    let fixture = Fixture::start(&appending(policy), FaultyDisk::new(11));
    ask(&mut fixture.connect(), "SET there 1");
    fixture
}

/// What holds for everybody while the file cannot be written.
fn expect_refusals(client: &mut Connection, text: &str) {
    assert_eq!(refusal(client, "SET other 1"), text);
    assert_eq!(refusal(client, "DEL there"), text);
    assert_eq!(refusal(client, "LPUSH list 1"), text);
    assert_eq!(ask(client, "PING"), Reply::Simple(b"PONG".to_vec()));
    assert_eq!(ask(client, "GET there"), Reply::Bulk(b"1".to_vec()));
    ask(client, "MULTI");
    ask(client, "GET there");
    assert_eq!(
        ask(client, "EXEC"),
        Reply::Array(vec![Reply::Bulk(b"1".to_vec())])
    );
    assert_eq!(ask(client, "EXISTS other list"), Reply::Integer(0));
}

#[test]
fn a_full_disk_withholds_replies_and_refuses_writes_until_there_is_space() {
    let server = started(AppendFsync::Always);
    let mut waiting = server.connect();
    let mut other = server.connect();
    server.disk.limit_space(0);
    waiting.send(&["INCR", "counter"]).unwrap();
    server.await_info("aof_last_write_status:err");
    expect_refusals(&mut other, NO_SPACE);
    // Its change is made, but not on disk.
    assert!(is_silent(&mut waiting));
    assert_eq!(count(&mut server.survivor().connect(), "counter"), 0);
    server.disk.return_space();
    assert_eq!(counted(&mut waiting), 1);
    server.await_info("aof_last_write_status:ok");
    ask(&mut other, "SET other 1");
    let left = server.survivor();
    assert_eq!(count(&mut left.connect(), "counter"), 1);
    assert_eq!(count(&mut left.connect(), "other"), 1);
}

/// Replies of those who were served by a change that is not on disk are withheld too.
#[test]
fn a_full_disk_withholds_the_replies_of_blocked_clients() {
    let server = started(AppendFsync::Always);
    let mut blocked = server.connect();
    let mut pusher = server.connect();
    blocked.send(&["BLPOP", "queue", "0"]).unwrap();
    while ask(&mut pusher, "INFO clients")
        .text()
        .is_none_or(|info| !String::from_utf8_lossy(info).contains("blocked_clients:1"))
    {
        std::thread::sleep(Duration::from_millis(1));
    }
    server.disk.limit_space(0);
    pusher.send(&["RPUSH", "queue", "element"]).unwrap();
    server.await_info("aof_last_write_status:err");
    assert!(is_silent(&mut blocked));
    assert!(is_silent(&mut pusher));
    server.disk.return_space();
    assert_eq!(counted(&mut pusher), 1);
    let served = blocked.read_reply().unwrap().reply;
    assert_eq!(served.elements().map(<[Reply]>::len), Some(2));
}

#[test]
fn a_sync_that_fails_is_made_good() {
    let server = started(AppendFsync::Always);
    let mut waiting = server.connect();
    server.disk.fail_syncs(2);
    waiting.send(&["INCR", "counter"]).unwrap();
    server.await_info("aof_last_write_status:err");
    expect_refusals(&mut server.connect(), BAD_DISK);
    assert!(is_silent(&mut waiting));
    // What a failed sync concerned never becomes durable: it has to be written again.
    assert_eq!(counted(&mut waiting), 1);
    assert_eq!(count(&mut server.survivor().connect(), "counter"), 1);
    assert_eq!(
        ask(&mut server.connect(), "INCR counter"),
        Reply::Integer(2)
    );
    assert_eq!(count(&mut server.survivor().connect(), "counter"), 2);
}

/// The sync that failed may concern what was written while nobody waited for the disk: it
/// cannot be written again, and the server goes on.
#[test]
fn a_sync_may_fail_right_after_a_change_of_policy() {
    let server = started(AppendFsync::EverySecond);
    let mut client = server.connect();
    for round in 1..=3 {
        for _ in 0..100 {
            ask(&mut client, "INCR counter");
        }
        server.disk.fail_syncs(1);
        ask(&mut client, "CONFIG SET appendfsync always");
        while ask(&mut client, "SET other 1").error().is_some() {
            std::thread::sleep(Duration::from_millis(5));
        }
        ask(&mut client, "CONFIG SET appendfsync everysec");
        assert_eq!(count(&mut client, "counter"), 100 * round);
    }
}

#[test]
fn a_write_torn_anywhere_leaves_no_trace() {
    let server = started(AppendFsync::Always);
    let mut client = server.connect();
    for (round, bytes) in [1, 7, 20, 33].into_iter().enumerate() {
        // The second time what was written can at first not be cut off.
        server.disk.fail_cuts(u64::from(round == 1));
        server.disk.tear_next_write(bytes);
        assert_eq!(
            ask(&mut client, "INCR counter"),
            Reply::Integer(round as i64 + 1)
        );
    }
    let file = Path::new("/appendonlydir/appendonly.aof.1.incr.aof");
    let text = String::from_utf8(server.disk.content(file).unwrap()).unwrap();
    assert_eq!(
        text.matches("*2\r\n$4\r\nINCR\r\n$7\r\ncounter\r\n")
            .count(),
        4,
        "{text}"
    );
    assert_eq!(count(&mut server.survivor().connect(), "counter"), 4);
}

/// Long replies are drawn in slices, each when the one before has left.
#[test]
fn long_replies_are_drawn_to_their_end_with_always() {
    for reactor in [Reactor::Epoll, Reactor::Auto] {
        let mut config = appending(AppendFsync::Always);
        config.threads.reactor = reactor;
        let server = Fixture::start(&config, FaultyDisk::new(12));
        let mut client = server.connect();
        let mut command = vec!["RPUSH".to_owned(), "list".to_owned()];
        command.extend((0..20_000).map(|number| number.to_string()));
        client.command(&command).unwrap();
        for _ in 0..5 {
            let list = ask(&mut client, "LRANGE list 0 -1");
            assert_eq!(list.elements().map(<[Reply]>::len), Some(20_000));
        }
    }
}

#[test]
fn one_sync_serves_many_clients() {
    const CLIENTS: usize = 40;
    let server = started(AppendFsync::Always);
    let mut clients: Vec<Connection> = (0..CLIENTS).map(|_| server.connect()).collect();
    server
        .disk
        .delay(Operation::Sync, Duration::from_millis(150));
    let before = server.disk.operations();
    for client in &mut clients {
        client.send(&["INCR", "counter"]).unwrap();
    }
    let mut counts: Vec<i64> = clients.iter_mut().map(counted).collect();
    let operations = server.disk.operations() - before;
    counts.sort_unstable();
    assert_eq!(counts, (1..=CLIENTS as i64).collect::<Vec<_>>());
    // Each on its own would be a write and a sync.
    assert!(operations < CLIENTS as u64, "{operations} operations");
    assert_eq!(
        count(&mut server.survivor().connect(), "counter"),
        CLIENTS as u64
    );
}

#[test]
fn every_second_refuses_writes_while_the_disk_fails() {
    let server = started(AppendFsync::EverySecond);
    let mut client = server.connect();
    server.disk.limit_space(0);
    assert_eq!(ask(&mut client, "INCR counter"), Reply::Integer(1));
    server.await_info("aof_last_write_status:err");
    expect_refusals(&mut client, NO_SPACE);
    server.disk.return_space();
    server.await_info("aof_last_write_status:ok");
    assert_eq!(ask(&mut client, "INCR counter"), Reply::Integer(2));
    ask(&mut client, "WAITAOF 1 0 0");
    assert_eq!(count(&mut server.survivor().connect(), "counter"), 2);

    server.disk.fail_syncs(2);
    ask(&mut client, "INCR counter");
    server.await_info("aof_last_write_status:err");
    expect_refusals(&mut client, BAD_DISK);
    server.await_info("aof_last_write_status:ok");
    assert_eq!(ask(&mut client, "INCR counter"), Reply::Integer(4));
    // The disk has dropped what it could not sync: a rewrite makes that good.
    server.await_info("aof_rewrites:1");
    server.await_info("aof_last_bgrewrite_status:ok");
    ask(&mut client, "WAITAOF 1 0 0");
    assert_eq!(count(&mut server.survivor().connect(), "counter"), 4);
}

/// What a failed sync dropped, and nobody can write again, is on disk only when a rewrite
/// has brought it there: WAITAOF does not count on later syncs.
#[test]
fn what_a_failed_sync_dropped_is_no_local_copy_before_a_rewrite() {
    let server = started(AppendFsync::EverySecond);
    let mut client = server.connect();
    server.disk.fail_syncs(1);
    ask(&mut client, "INCR counter");
    server.await_info("aof_last_write_status:err");
    server.await_info("aof_last_write_status:ok");
    // Whatever syncs have succeeded since.
    while copies(&mut client, 10) == 0 {}
    assert_eq!(count(&mut server.survivor().connect(), "counter"), 1);
}

/// How many local copies WAITAOF counts within so many milliseconds.
fn copies(client: &mut Connection, patience_ms: u64) -> i64 {
    let reply = ask(client, &format!("WAITAOF 1 0 {patience_ms}"));
    match reply.elements() {
        Some([Reply::Integer(local), _]) => *local,
        other => panic!("{other:?}"),
    }
}
