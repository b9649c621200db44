//! Promises about the keyspace as a whole, over the wire: what a scan returns while keys
//! come and go, that listing or losing very many keys stalls nobody, and that keys go
//! when their time has come, looked at or not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::servers::{Server, ServerSpec};

fn start(workers: &str) -> Server {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(["--io-threads", workers])
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn ask(connection: &mut Connection, words: &[&str]) -> Reply {
    connection
        .command(words)
        .unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn integer(reply: Reply) -> i64 {
    match reply {
        Reply::Integer(value) => value,
        other => panic!("{other:?}"),
    }
}

fn texts(reply: Reply) -> Vec<String> {
    let Reply::Array(elements) = reply else {
        panic!("{reply:?}");
    };
    elements
        .into_iter()
        .map(|element| match element {
            Reply::Bulk(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Sends commands in large pipelines and ignores their replies.
fn run_all(connection: &mut Connection, commands: impl Iterator<Item = String>) {
    let mut batch = Vec::new();
    let mut count = 0;
    let flush = |connection: &mut Connection, batch: &mut Vec<u8>, count: &mut usize| {
        connection.send_bytes(batch).unwrap();
        for _ in 0..*count {
            connection.read_reply().unwrap();
        }
        batch.clear();
        *count = 0;
    };
    for command in commands {
        batch.extend_from_slice(command.as_bytes());
        batch.extend_from_slice(b"\r\n");
        count += 1;
        if count == 1000 {
            flush(connection, &mut batch, &mut count);
        }
    }
    flush(connection, &mut batch, &mut count);
}

/// One page of a scan: the next cursor and the keys.
fn page(reply: Reply) -> (String, Vec<String>) {
    let Reply::Array(mut parts) = reply else {
        panic!("{reply:?}");
    };
    let keys = texts(parts.pop().unwrap());
    match parts.pop() {
        Some(Reply::Bulk(cursor)) => (String::from_utf8(cursor).unwrap(), keys),
        other => panic!("{other:?}"),
    }
}

fn scan_all(connection: &mut Connection, options: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let words: Vec<&str> = ["SCAN", &cursor].iter().chain(options).copied().collect();
        let (next, keys) = page(ask(connection, &words));
        all.extend(keys);
        if next == "0" {
            return all;
        }
        cursor = next;
    }
}

/// Sends PING after PING until `stop`, counting them; returns the longest round trip.
///
/// Tests assert counts rather than times, which a busy machine stretches: while a worker
/// is stalled, nobody's PING is answered.
fn ping_until(connection: &mut Connection, stop: &AtomicBool, count: &AtomicU64) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        ask(connection, &["PING"]);
        longest = longest.max(sent.elapsed());
        count.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_micros(200));
    }
    longest
}

#[test]
fn a_scan_returns_what_stays_while_others_come_and_go() {
    const STAYING: usize = 3000;
    let server = start("2");
    let mut main = connect(&server);
    run_all(
        &mut main,
        (0..STAYING).map(|i| format!("SET stays:{i} {i}")),
    );
    for count in ["7", "100", "5000"] {
        let stop = AtomicBool::new(false);
        let changed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Grows by 20,000 keys and shrinks again, over and over.
                let mut other = connect(&server);
                while !stop.load(Ordering::Relaxed) {
                    run_all(&mut other, (0..20_000).map(|i| format!("SET goes:{i} x")));
                    run_all(&mut other, (0..20_000).map(|i| format!("DEL goes:{i}")));
                    changed.fetch_add(1, Ordering::Relaxed);
                }
            });
            while changed.load(Ordering::Relaxed) < 2 {
                let found = scan_all(&mut main, &["COUNT", count, "MATCH", "stays:*"]);
                let mut times: HashMap<String, usize> = HashMap::new();
                for key in found {
                    *times.entry(key).or_default() += 1;
                }
                assert_eq!(times.len(), STAYING);
                // Stronger than what Redis promises: exactly once.
                assert!(times.values().all(|&times| times == 1));
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn keys_of_a_large_keyspace_come_whole_and_stall_nobody() {
    const KEYS: usize = 300_000;
    // One worker: KEYS shares it with the client that is watched.
    let server = start("1");
    let mut main = connect(&server);
    run_all(&mut main, (0..KEYS).map(|i| format!("SET key:{i} {i}")));
    let mut other = connect(&server);
    let stop = AtomicBool::new(false);
    let pings = AtomicU64::new(0);
    let longest = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| ping_until(&mut other, &stop, &pings));
        // What follows in the pipeline waits for its turn.
        main.send_bytes(b"KEYS *\r\nDBSIZE\r\nSCAN 0 COUNT 1000000\r\nPING\r\n")
            .unwrap();
        assert!(main.readable(Duration::from_secs(60)));
        let while_gathering = pings.load(Ordering::Relaxed);
        println!("PINGs answered while {KEYS} keys were gathered: {while_gathering}");
        let mut keys = texts(main.read_reply().unwrap().reply);
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), KEYS);
        assert_eq!(integer(main.read_reply().unwrap().reply), KEYS as i64);
        let (cursor, keys) = page(main.read_reply().unwrap().reply);
        assert_eq!((cursor.as_str(), keys.len()), ("0", KEYS));
        assert_eq!(
            main.read_reply().unwrap().reply,
            Reply::Simple(b"PONG".to_vec())
        );
        assert_eq!(texts(ask(&mut main, &["KEYS", "key:29999?"])).len(), 10);
        stop.store(true, Ordering::Relaxed);
        let longest = watcher.join().unwrap();
        assert!(while_gathering >= 5, "{while_gathering} PINGs");
        longest
    });
    println!("longest PING beside KEYS of {KEYS} keys: {longest:?}");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_keys_is_forgotten() {
    let server = start("1");
    let mut main = connect(&server);
    run_all(&mut main, (0..50_000).map(|i| format!("SET key:{i} {i}")));
    for _ in 0..20 {
        let mut leaving = connect(&server);
        leaving.send(&["KEYS", "*"]).unwrap();
        drop(leaving);
    }
    assert_eq!(ask(&mut main, &["PING"]), Reply::Simple(b"PONG".to_vec()));
    assert_eq!(texts(ask(&mut main, &["KEYS", "*"])).len(), 50_000);
    assert_eq!(integer(ask(&mut main, &["DBSIZE"])), 50_000);
}

#[test]
fn lists_of_keys_within_a_transaction_are_whole() {
    let server = start("2");
    let mut main = connect(&server);
    run_all(&mut main, (0..5000).map(|i| format!("SET key:{i} {i}")));
    for words in [
        &["MULTI"][..],
        &["KEYS", "*"],
        &["SCAN", "0", "COUNT", "100000"],
    ] {
        ask(&mut main, words);
    }
    let Reply::Array(mut replies) = ask(&mut main, &["EXEC"]) else {
        panic!("no array");
    };
    assert_eq!(page(replies.pop().unwrap()).1.len(), 5000);
    assert_eq!(texts(replies.pop().unwrap()).len(), 5000);
}

#[test]
fn keys_go_when_their_time_has_come() {
    let server = start("2");
    let mut main = connect(&server);
    // An earlier deadline than all others, after a late one: the alarm is heard.
    ask(&mut main, &["SET", "late", "x", "EX", "1000"]);
    let mut late: Vec<Duration> = Vec::new();
    for round in 0..31 {
        let ttl_ms = 5 + round % 7;
        ask(&mut main, &["SET", "soon", "x", "PX", &ttl_ms.to_string()]);
        let set = Instant::now();
        // DBSIZE counts keys that are there, past their deadline or not.
        while integer(ask(&mut main, &["DBSIZE"])) == 2 {
            assert!(set.elapsed() < Duration::from_secs(5), "round {round}");
            std::thread::sleep(Duration::from_micros(200));
        }
        late.push(set.elapsed().saturating_sub(Duration::from_millis(ttl_ms)));
    }
    late.sort();
    let (median, slowest) = (late[15], late[30]);
    println!("keys went {median:?} (median), {slowest:?} (slowest) after their deadline");
    assert!(median < Duration::from_millis(50), "{median:?}");
}

#[test]
fn a_mass_expiry_stalls_nobody() {
    const KEYS: usize = 200_000;
    let server = start("1");
    let mut main = connect(&server);
    let now = texts(ask(&mut main, &["TIME"]))[0].parse::<i64>().unwrap();
    let deadline = now + 4;
    run_all(
        &mut main,
        (0..KEYS).map(|i| format!("SET key:{i} {i} EXAT {deadline}")),
    );
    assert_eq!(integer(ask(&mut main, &["DBSIZE"])), KEYS as i64);
    let mut other = connect(&server);
    let stop = AtomicBool::new(false);
    let pings = AtomicU64::new(0);
    let longest = std::thread::scope(|scope| {
        while texts(ask(&mut main, &["TIME"]))[0].parse::<i64>().unwrap() < deadline {
            std::thread::sleep(Duration::from_micros(500));
        }
        let watcher = scope.spawn(|| ping_until(&mut other, &stop, &pings));
        let began = Instant::now();
        while integer(ask(&mut main, &["DBSIZE"])) > 0 {
            assert!(began.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(1));
        }
        println!("{KEYS} keys were gone after {:?}", began.elapsed());
        stop.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    });
    let answered = pings.load(Ordering::Relaxed);
    println!("longest of {answered} PINGs beside the expiry of {KEYS} keys: {longest:?}");
    assert!(answered >= 5, "{answered} PINGs, the longest {longest:?}");
}

#[test]
fn far_deadlines_cost_an_idle_server_nothing() {
    let server = start("2");
    let mut main = connect(&server);
    run_all(
        &mut main,
        (0..10_000).map(|i| format!("SET key:{i} {i} EX {}", 1000 + i)),
    );
    let pid = server.pid().expect("a process");
    let used_ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    std::thread::sleep(Duration::from_millis(300));
    let before = used_ticks();
    std::thread::sleep(Duration::from_secs(2));
    // A tick is 10 ms: 1 % of a core would be two.
    assert!(used_ticks() - before <= 1);
}

#[test]
fn an_expired_key_is_announced_without_being_looked_at() {
    let server = start("2");
    let mut main = connect(&server);
    ask(
        &mut main,
        &["CONFIG", "SET", "notify-keyspace-events", "Ex"],
    );
    let mut listener = connect(&server);
    listener
        .send(&["SUBSCRIBE", "__keyevent@0__:expired"])
        .unwrap();
    listener.read_any(Duration::from_secs(5)).unwrap();
    ask(&mut main, &["SET", "soon", "x", "PX", "5"]);
    let event = listener.read_any(Duration::from_secs(5)).unwrap();
    let text = format!("{:?}", event.reply);
    assert!(text.contains("expired"), "{text}");
    let (Reply::Array(parts) | Reply::Push(parts)) = event.reply else {
        panic!("{text}");
    };
    assert_eq!(parts.last(), Some(&Reply::Bulk(b"soon".to_vec())));
}
