//! Transactions and scripts over the wire, on four workers: nobody sees a half of one,
//! nothing that was promised is lost, and a script that runs long stops nobody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::rng::Rng;
use ochre_testkit::servers::{Server, ServerSpec};

fn start(extra: &[&str]) -> Server {
    let mut arguments = vec!["--io-threads", "4"];
    arguments.extend(extra);
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(arguments)
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn ask(connection: &mut Connection, words: &[&str]) -> Reply {
    connection.command(words).expect("a reply")
}

/// MULTI, the commands, EXEC; the reply of EXEC.
fn transact(connection: &mut Connection, commands: &[Vec<String>]) -> Reply {
    let mut all = vec![vec!["MULTI".to_owned()]];
    all.extend_from_slice(commands);
    all.push(vec!["EXEC".to_owned()]);
    let replies = connection.pipeline(&all).expect("replies");
    replies.into_iter().next_back().expect("one of EXEC")
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// The sum of a reply's elements, which are numbers in decimal.
fn sum(reply: &Reply) -> i64 {
    let elements = reply.elements().unwrap_or_else(|| panic!("{reply:?}"));
    elements
        .iter()
        .map(|element| {
            let text = element.text().unwrap_or_else(|| panic!("{reply:?}"));
            String::from_utf8_lossy(text)
                .parse::<i64>()
                .expect("a number")
        })
        .sum()
}

const ACCOUNTS: usize = 6;
const EACH: i64 = 1000;
const TRANSFERS: usize = 300;

fn account(number: usize) -> String {
    format!("account:{number}")
}

#[derive(Debug, Clone, Copy)]
enum Transfer {
    Transaction,
    DeclaredKeys,
    UndeclaredKeys,
}

fn transfer(connection: &mut Connection, rng: &mut Rng, how: Transfer) {
    let (from, to) = (account(rng.below(ACCOUNTS)), account(rng.below(ACCOUNTS)));
    let amount = rng.between(1, 50).to_string();
    match how {
        Transfer::Transaction => {
            let commands = [
                words(&format!("DECRBY {from} {amount}")),
                words(&format!("INCRBY {to} {amount}")),
            ];
            let reply = transact(connection, &commands);
            assert_eq!(reply.elements().map(<[Reply]>::len), Some(2), "{reply:?}");
        }
        Transfer::DeclaredKeys => {
            const BODY: &str = "redis.call('DECRBY', KEYS[1], ARGV[1]) \
                                return redis.call('INCRBY', KEYS[2], ARGV[1])";
            let reply = ask(connection, &["EVAL", BODY, "2", &from, &to, &amount]);
            assert!(matches!(reply, Reply::Integer(_)), "{reply:?}");
        }
        Transfer::UndeclaredKeys => {
            const BODY: &str = "redis.call('DECRBY', ARGV[1], ARGV[3]) \
                                return redis.call('INCRBY', ARGV[2], ARGV[3])";
            let reply = ask(connection, &["EVAL", BODY, "0", &from, &to, &amount]);
            assert!(matches!(reply, Reply::Integer(_)), "{reply:?}");
        }
    }
}

/// Reads all accounts at once.
fn total(connection: &mut Connection, round: usize) -> i64 {
    const BODY: &str = "local all = {} \
         for i = 0, ARGV[1] - 1 do all[#all + 1] = redis.call('GET', 'account:' .. i) end \
         return all";
    let names: Vec<String> = (0..ACCOUNTS).map(account).collect();
    let reply = match round % 3 {
        0 => {
            let gets: Vec<Vec<String>> = names
                .iter()
                .map(|name| vec!["GET".to_owned(), name.clone()])
                .collect();
            transact(connection, &gets)
        }
        1 => ask(connection, &["EVAL", BODY, "0", &ACCOUNTS.to_string()]),
        _ => {
            let mut line = vec!["MGET".to_owned()];
            line.extend(names);
            connection.command(&line).expect("a reply")
        }
    };
    sum(&reply)
}

#[test]
fn transfers_never_change_the_sum_for_any_reader() {
    let server = start(&[]);
    let mut admin = connect(&server);
    for number in 0..ACCOUNTS {
        ask(&mut admin, &["SET", &account(number), &EACH.to_string()]);
    }
    let expected = ACCOUNTS as i64 * EACH;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = [
            Transfer::Transaction,
            Transfer::DeclaredKeys,
            Transfer::UndeclaredKeys,
            Transfer::Transaction,
        ]
        .into_iter()
        .enumerate()
        .map(|(seed, how)| {
            let mut connection = connect(&server);
            scope.spawn(move || {
                let mut rng = Rng::seeded(seed as u64);
                (0..TRANSFERS).for_each(|_| transfer(&mut connection, &mut rng, how));
            })
        })
        .collect();
        let readers: Vec<_> = (0..3)
            .map(|first| {
                let mut connection = connect(&server);
                let is_over = &is_over;
                scope.spawn(move || {
                    let mut round = first;
                    while !is_over.load(Ordering::Relaxed) {
                        assert_eq!(total(&mut connection, round), expected);
                        round += 1;
                    }
                })
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
        assert!(readers.into_iter().all(|reader| reader.join().is_ok()));
    });
    assert_eq!(total(&mut admin, 0), expected);
}

/// Adds one by compare-and-set, trying again until nobody came between.
fn compare_and_set(connection: &mut Connection, key: &str) {
    loop {
        ask(connection, &["WATCH", key]);
        let old = ask(connection, &["GET", key]);
        let text = String::from_utf8_lossy(old.text().unwrap_or(b"0")).into_owned();
        let new = text.parse::<i64>().expect("a number") + 1;
        let reply = transact(connection, &[words(&format!("SET {key} {new}"))]);
        if !reply.is_null() {
            assert_eq!(reply.elements().map(<[Reply]>::len), Some(1), "{reply:?}");
            return;
        }
    }
}

#[test]
fn compare_and_set_under_watch_loses_nothing() {
    const COUNTERS: [&str; 3] = ["counter:a", "counter:b", "counter:c"];
    const EACH: usize = 60;
    const BODY: &str = "return redis.call('SET', ARGV[1], redis.call('GET', ARGV[1]) + 1)";
    let server = start(&[]);
    let mut admin = connect(&server);
    for counter in COUNTERS {
        ask(&mut admin, &["SET", counter, "0"]);
    }
    thread::scope(|scope| {
        for client in 0..6 {
            let mut connection = connect(&server);
            scope.spawn(move || {
                for round in 0..EACH {
                    let counter = COUNTERS[(client + round) % COUNTERS.len()];
                    match client {
                        // Those who do not watch must not be overwritten either.
                        0 => drop(ask(&mut connection, &["INCR", counter])),
                        1 => drop(ask(&mut connection, &["EVAL", BODY, "0", counter])),
                        _ => compare_and_set(&mut connection, counter),
                    }
                }
            });
        }
    });
    let mut line = vec!["MGET"];
    line.extend(COUNTERS);
    assert_eq!(sum(&ask(&mut admin, &line)), 6 * EACH as i64);
}

const ENDLESS: &str = "#!lua name=endless\nredis.register_function('endless', \
     function(keys) redis.call('GET', keys[1]) while true do end end)";

/// Runs a function that never ends, and waits until it runs.
fn occupy(server: &Server, admin: &mut Connection) -> Connection {
    ask(admin, &["FUNCTION", "LOAD", ENDLESS]);
    let mut occupied = connect(server);
    let sent = occupied.send(&["FCALL", "endless", "1", "held"]);
    sent.expect("sent");
    for _ in 0..10_000 {
        let stats = ask(admin, &["FUNCTION", "STATS"]);
        let running = stats.elements().map(|fields| fields[1].clone());
        if running.is_some_and(|running| !running.is_null()) {
            return occupied;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("the function does not start");
}

/// Has the function killed; its client is told.
fn kill(admin: &mut Connection, mut occupied: Connection) {
    assert_eq!(ask(admin, &["FUNCTION", "KILL"]).text(), Some(&b"OK"[..]));
    let ended = occupied.read_reply().expect("a reply").reply;
    let text = String::from_utf8_lossy(ended.error().expect("an error")).into_owned();
    assert!(text.contains("Script killed by user"), "{text}");
    assert_eq!(ask(&mut occupied, &["PING"]).text(), Some(&b"PONG"[..]));
}

#[test]
fn while_a_script_runs_the_other_workers_go_on() {
    let server = start(&["--busy-reply-threshold", "0"]);
    // Each of the first connections has a worker of its own.
    let mut others: Vec<Connection> = (0..3).map(|_| connect(&server)).collect();
    let occupied = occupy(&server, &mut others[0]);
    for (number, connection) in others.iter_mut().enumerate() {
        for round in 0..300 {
            let (key, value) = (format!("free:{number}"), round.to_string());
            let reply = ask(connection, &["SET", &key, &value]);
            assert_eq!(reply.text(), Some(&b"OK"[..]));
            let reply = ask(connection, &["GET", &key]);
            assert_eq!(reply.text(), Some(value.as_bytes()));
        }
        let lines: Vec<Vec<String>> = (0..3)
            .map(|n| words(&format!("APPEND free:{n} x")))
            .collect();
        let reply = transact(connection, &lines);
        assert_eq!(reply.elements().map(<[Reply]>::len), Some(3), "{reply:?}");
    }
    kill(&mut others[1], occupied);
}

#[test]
fn new_clients_are_served_whatever_worker_a_script_occupies() {
    // Nobody is told BUSY, so only other workers can serve them.
    let server = start(&["--busy-reply-threshold", "0"]);
    let mut admin = connect(&server);
    let occupied = occupy(&server, &mut admin);
    for number in 0..12 {
        let mut client = connect(&server);
        let reply = ask(&mut client, &["PING"]);
        assert_eq!(reply.text(), Some(&b"PONG"[..]), "client {number}");
    }
    kill(&mut admin, occupied);
}
