//! The commit log of `appendfsync always`: when there is one, and that nothing depends on
//! it but for what it was made for.

use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use ochre_journal::disk::{Disk, FaultyDisk, Operation};
use ochre_server::config::choices::AppendFsync;
use ochre_testkit::resp::{Connection, Reply};

use crate::fixture::{Fixture, appending, ask, count};

const LOG: &str = "/appendonlydir/appendonly.aof.commits";
const FILE: &str = "/appendonlydir/appendonly.aof.1.incr.aof";

fn started() -> Fixture {
    Fixture::start(&appending(AppendFsync::Always), FaultyDisk::new(31))
}

fn has_log(disk: &FaultyDisk) -> bool {
    disk.exists(Path::new(LOG)).unwrap()
}

/// What a power failure leaves without the log.
fn without_log(server: &Fixture) -> Fixture {
    let left = server.disk.crash();
    if has_log(&left) {
        left.remove(Path::new(LOG)).unwrap();
    }
    Fixture::start(&appending(AppendFsync::Always), left)
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never becomes so");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Counts up until that is in the log: the first change after a log was begun is in the
/// file. Returns the count.
fn count_up(server: &Fixture, client: &mut Connection) -> u64 {
    wait_until(|| {
        ask(client, "INCR counter");
        has_log(&server.disk)
    });
    count(client, "counter")
}

#[test]
fn what_was_acknowledged_is_in_the_log_first_and_in_the_file_a_second_later() {
    let server = started();
    let mut client = server.connect();
    let is_in_the_log_alone = (1..=500).any(|_| {
        let last = count_up(&server, &mut client);
        // A power failure may leave more than was synced, but not at each of many tries.
        (0..5).any(|_| count(&mut without_log(&server).connect(), "counter") < last)
    });
    assert!(is_in_the_log_alone);
    let last = count(&mut client, "counter");
    assert_eq!(count(&mut server.survivor().connect(), "counter"), last);
    wait_until(|| {
        let mut lengths = (0..20).map(|_| {
            let left = server.disk.crash();
            left.content(Path::new(FILE)).unwrap().len()
        });
        let whole = server.disk.content(Path::new(FILE)).unwrap().len();
        lengths.all(|length| length == whole)
    });
    assert_eq!(count(&mut without_log(&server).connect(), "counter"), last);
}

/// A start ends with the log taken in: what is cut off the file later stays so.
#[test]
fn a_start_takes_the_log_in() {
    let server = started();
    let mut client = server.connect();
    let last = count_up(&server, &mut client);
    let left = server.disk.crash();
    assert!(has_log(&left));
    let again = Fixture::start(&appending(AppendFsync::Always), left.clone());
    assert_eq!(count(&mut again.connect(), "counter"), last);
    assert!(!has_log(&left));
    assert!(!has_log(&left.crash()));
}

#[test]
fn there_is_a_log_only_where_replies_wait_for_the_disk() {
    let server = started();
    let mut client = server.connect();
    assert!(!has_log(&server.disk));
    for other in ["appendfsync everysec", "aof-commit-log no"].repeat(2) {
        let last = count_up(&server, &mut client);
        ask(&mut client, &format!("CONFIG SET {other}"));
        wait_until(|| !has_log(&server.disk));
        // The file was synced before its log went.
        assert_eq!(count(&mut server.survivor().connect(), "counter"), last);
        ask(&mut client, "INCR counter");
        assert!(!has_log(&server.disk));
        ask(
            &mut client,
            "CONFIG SET appendfsync always aof-commit-log yes",
        );
    }
    count_up(&server, &mut client);
    let disk = server.disk.clone();
    drop(client);
    drop(server);
    assert!(
        !has_log(&disk),
        "whoever ends properly leaves Redis's files"
    );
}

#[test]
fn a_log_that_fails_is_done_without_until_the_next_rewrite() {
    let server = started();
    let mut client = server.connect();
    let last = count_up(&server, &mut client);
    server.disk.fail_syncs(1);
    // No client notices.
    for number in last + 1..last + 4 {
        let expected = Reply::Integer(number as i64);
        assert_eq!(ask(&mut client, "INCR counter"), expected);
        assert!(!has_log(&server.disk));
    }
    assert_eq!(count(&mut server.survivor().connect(), "counter"), last + 3);

    // Space for the file, but not for a log.
    server.run_job("BGREWRITEAOF");
    server.disk.limit_space(100_000);
    for number in last + 4..last + 10 {
        let expected = Reply::Integer(number as i64);
        assert_eq!(ask(&mut client, "INCR counter"), expected);
        assert!(!has_log(&server.disk));
    }
    assert_eq!(count(&mut server.survivor().connect(), "counter"), last + 9);
    server.disk.return_space();
    server.run_job("BGREWRITEAOF");
    count_up(&server, &mut client);
}

/// The file itself cannot be synced, of which clients were told that it is on disk: the log
/// keeps it until the file has it, which is written again byte for byte.
#[test]
fn a_failed_sync_of_the_file_loses_nothing_that_the_log_has() {
    let mut config = appending(AppendFsync::Always);
    config.persistence.aof_timestamp_enabled = true;
    let server = Fixture::start(&config, FaultyDisk::new(32));
    let mut client = server.connect();
    for round in 1..=2 {
        // All in one second: the annotation is not among what is written again.
        wait_until(|| UNIX_EPOCH.elapsed().unwrap().subsec_millis() < 300);
        ask(&mut client, "CONFIG SET aof-commit-log no");
        ask(&mut client, "INCR counter");
        ask(&mut client, "CONFIG SET aof-commit-log yes");
        for _ in 0..9 {
            ask(&mut client, "INCR counter");
        }
        // The next syncs are those of the file, when a second has passed. The power may go
        // out while they last, or the server be killed.
        server.disk.fail_syncs(2);
        let delay = Duration::from_millis(300);
        server.disk.delay(Operation::Sync, delay);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            for left in [server.disk.crash(), server.disk.kill()] {
                let left = Fixture::start(&config, left);
                assert_eq!(count(&mut left.connect(), "counter"), round * 10);
            }
        }
        server.disk.delay(Operation::Sync, Duration::ZERO);
        server.await_info("aof_last_write_status:ok");
    }
}

/// Commands that are larger than what is worth logging.
#[test]
fn large_commands_are_synced_as_they_are() {
    let server = started();
    let mut client = server.connect();
    for round in 1..=5_u64 {
        for bytes in [100, 1 << 20, 3 << 20, 900 << 10] {
            let value = "x".repeat(bytes);
            ask(&mut client, &format!("SET key:{bytes} {value}"));
            ask(&mut client, "INCR counter");
        }
        let left = server.survivor();
        assert_eq!(count(&mut left.connect(), "counter"), round * 4);
    }
}
