//! The power goes out, or the server is killed: nothing that was acknowledged is lost, and
//! units are whole.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ochre_journal::disk::{FaultyDisk, Operation};
use ochre_server::config::choices::AppendFsync;
use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::rng::Rng;

use crate::fixture::{Fixture, appending, ask, count};

const CLIENTS: usize = 3;

/// How far a client is.
#[derive(Default)]
struct Count {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

/// Counts up two keys of its own, which always are equal, until told to end or the
/// connection breaks. A refused attempt is made again.
fn count_up(mut connection: Connection, number: usize, count: &Count, ended: &AtomicBool) {
    let (left, right) = (format!("left:{number}"), format!("right:{number}"));
    let commands: Vec<Vec<&str>> = vec![
        vec!["MULTI"],
        vec!["INCR", &left],
        vec!["INCR", &right],
        vec!["EXEC"],
    ];
    connection.set_reply_timeout(Duration::from_secs(120));
    while !ended.load(Ordering::SeqCst) {
        let next = count.acknowledged.load(Ordering::SeqCst) + 1;
        count.sent.store(next, Ordering::SeqCst);
        let Ok(replies) = connection.pipeline(&commands) else {
            return;
        };
        match &replies[3] {
            Reply::Array(counts) => {
                let expected = Reply::Integer(next as i64);
                assert_eq!(counts, &[expected.clone(), expected]);
                count.acknowledged.store(next, Ordering::SeqCst);
            }
            other => {
                // MISCONF on the commands, EXECABORT, or MISCONF on EXEC itself.
                assert!(other.error().is_some(), "{other:?}");
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn read(counts: &[Count], which: impl Fn(&Count) -> &AtomicU64) -> Vec<u64> {
    counts
        .iter()
        .map(|count| which(count).load(Ordering::SeqCst))
        .collect()
}

fn compare(left: &Fixture, acknowledged: &[u64], sent: &[u64], what: &str) {
    let mut connection = left.connect();
    for number in 0..CLIENTS {
        let found = count(&mut connection, &format!("left:{number}"));
        let twin = count(&mut connection, &format!("right:{number}"));
        assert_eq!(found, twin, "{what}: half a transaction of client {number}");
        assert!(
            (acknowledged[number]..=sent[number]).contains(&found),
            "{what}: client {number} has {found} of {acknowledged:?} to {sent:?}"
        );
    }
}

/// Has clients count while `meanwhile` does its work.
fn under_load(server: &Fixture, meanwhile: impl FnOnce(&[Count])) {
    let counts: [Count; CLIENTS] = Default::default();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (number, count) in counts.iter().enumerate() {
            let (connection, ended) = (server.connect(), &ended);
            scope.spawn(move || count_up(connection, number, count, ended));
        }
        // The clients are to end also when something is found: then this panics.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| meanwhile(&counts)));
        ended.store(true, Ordering::SeqCst);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Asks for a rewrite; one may be running already, or be impossible just now.
fn rewrite(connection: &mut Connection) {
    ask(connection, "BGREWRITEAOF");
}

#[test]
fn nothing_acknowledged_is_lost_at_any_moment() {
    let server = Fixture::start(&appending(AppendFsync::Always), FaultyDisk::new(21));
    let mut control = server.connect();
    let mut rng = Rng::seeded(21);
    server
        .disk
        .delay(Operation::Sync, Duration::from_micros(300));
    under_load(&server, |counts| {
        for moment in 0..40 {
            std::thread::sleep(Duration::from_micros(rng.next() % 12_000));
            if moment % 3 == 0 {
                rewrite(&mut control);
                std::thread::sleep(Duration::from_micros(rng.next() % 6_000));
            }
            let acknowledged = read(counts, |count| &count.acknowledged);
            let left = server.disk.crash();
            let sent = read(counts, |count| &count.sent);
            let left = Fixture::start(&appending(AppendFsync::Always), left);
            compare(&left, &acknowledged, &sent, &format!("moment {moment}"));
        }
    });
}

/// One rewrite after the other: each time the writing thread must go over to another
/// increment at exactly the right change, whatever it is doing.
#[test]
fn no_change_misses_its_increment() {
    let server = Fixture::start(&appending(AppendFsync::Always), FaultyDisk::new(24));
    under_load(&server, |counts| {
        for group in 0..20 {
            for _ in 0..15 {
                server.run_job("BGREWRITEAOF");
            }
            let acknowledged = read(counts, |count| &count.acknowledged);
            let left = server.disk.crash();
            let sent = read(counts, |count| &count.sent);
            let left = Fixture::start(&appending(AppendFsync::Always), left);
            compare(&left, &acknowledged, &sent, &format!("group {group}"));
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost_while_the_disk_fails_and_recovers() {
    let server = Fixture::start(&appending(AppendFsync::Always), FaultyDisk::new(22));
    let mut control = server.connect();
    let mut rng = Rng::seeded(22);
    server
        .disk
        .delay(Operation::Sync, Duration::from_micros(300));
    under_load(&server, |counts| {
        for moment in 0..24 {
            match moment % 6 {
                0 => server.disk.fail_syncs(1),
                1 => server.disk.tear_next_write(rng.below(80)),
                2 => server.disk.fail_writes(1),
                3 => server.disk.limit_space(rng.next() % 2_000),
                4 => {
                    server.disk.fail_cuts(1);
                    server.disk.tear_next_write(rng.below(80));
                }
                _ => server.disk.return_space(),
            }
            if rng.chance(60) {
                std::thread::sleep(Duration::from_micros(rng.next() % 2_000));
                rewrite(&mut control);
            }
            std::thread::sleep(Duration::from_millis(rng.next() % 400));
            for kills in [false, true] {
                let acknowledged = read(counts, |count| &count.acknowledged);
                let disk = &server.disk;
                let left = if kills { disk.kill() } else { disk.crash() };
                let sent = read(counts, |count| &count.sent);
                let left = Fixture::start(&appending(AppendFsync::Always), left);
                let what = format!("moment {moment}, killed: {kills}");
                compare(&left, &acknowledged, &sent, &what);
            }
        }
        server.disk.return_space();
        server.await_info("aof_last_write_status:ok");
    });
}

/// The power goes out after a number of operations, be it in the middle of a rewrite. The
/// server is then on a dead disk, and ends nevertheless.
#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes_out_between_any_two_operations() {
    let mut rng = Rng::seeded(23);
    for run in 0..30 {
        let disk = FaultyDisk::new(run);
        let server = Fixture::start(&appending(AppendFsync::Always), disk.clone());
        let counts: [Count; CLIENTS] = Default::default();
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for (number, count) in counts.iter().enumerate() {
                let (connection, ended) = (server.connect(), &ended);
                scope.spawn(move || count_up(connection, number, count, ended));
            }
            std::thread::sleep(Duration::from_micros(rng.next() % 3_000));
            let last = 1 + rng.next() % 60;
            disk.halt_after(last);
            let target = disk.operations() + last;
            // Its reply may be one of those that never come.
            let mut control = server.connect();
            control.send(&["BGREWRITEAOF"]).expect("sent");
            let deadline = Instant::now() + Duration::from_secs(60);
            while disk.operations() < target && Instant::now() < deadline {
                std::thread::sleep(Duration::from_micros(100));
            }
            ended.store(true, Ordering::SeqCst);
            let acknowledged = read(&counts, |count| &count.acknowledged);
            let left = disk.crash();
            let sent = read(&counts, |count| &count.sent);
            // Breaks the connections of those who wait for what never comes.
            drop(server);
            let left = Fixture::start(&appending(AppendFsync::Always), left);
            compare(&left, &acknowledged, &sent, &format!("run {run}"));
        });
    }
}
