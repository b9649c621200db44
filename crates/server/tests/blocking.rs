//! Blocked clients over the wire, on four workers: who is served, in which order, once
//! and only once, whatever races with it.

use std::collections::HashMap;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::servers::{Server, ServerSpec};

fn start() -> Server {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(["--io-threads", "4"])
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn ask(connection: &mut Connection, line: &str) -> Reply {
    let args: Vec<&str> = line.split(' ').collect();
    connection.command(&args).expect("a reply")
}

fn send(connection: &mut Connection, line: &str) {
    let args: Vec<&str> = line.split(' ').collect();
    connection.send(&args).expect("sent");
}

fn answer(connection: &mut Connection) -> Reply {
    connection.read_reply().expect("a reply").reply
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

fn popped(key: &str, element: &str) -> Reply {
    Reply::Array(vec![bulk(key), bulk(element)])
}

fn integer(reply: &Reply) -> i64 {
    match reply {
        Reply::Integer(value) => *value,
        other => panic!("no integer: {other:?}"),
    }
}

fn texts(reply: &Reply) -> Vec<String> {
    reply
        .elements()
        .unwrap_or_default()
        .iter()
        .filter_map(Reply::text)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}

/// Waits until INFO counts so many blocked clients.
fn await_blocked(admin: &mut Connection, count: usize) {
    let line = format!("blocked_clients:{count}\r");
    let start = Instant::now();
    loop {
        let info = ask(admin, "INFO clients");
        let text = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
        if text.split('\n').any(|own| own == line) {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{line} in {text}"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sends commands that wait, each on a connection of its own, one after the other.
fn block_all(server: &Server, admin: &mut Connection, lines: &[String]) -> Vec<Connection> {
    let mut blocked = Vec::new();
    for line in lines {
        let mut connection = connect(server);
        send(&mut connection, line);
        blocked.push(connection);
        await_blocked(admin, blocked.len());
    }
    blocked
}

#[test]
fn each_element_is_delivered_once_and_in_order() {
    const PRODUCERS: usize = 3;
    const CONSUMERS: usize = 6;
    const ELEMENTS: usize = 600;
    const KEYS: [&str; 3] = ["queue:a", "queue:b", "queue:c"];
    let server = start();
    let (received, _) = thread::scope(|scope| {
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|consumer| {
                let mut connection = connect(&server);
                scope.spawn(move || {
                    let mut received: Vec<(String, String)> = Vec::new();
                    let line = match consumer % 3 {
                        0 => format!("BLPOP {} 0", KEYS.join(" ")),
                        1 => format!("BLPOP {} {} {} 0", KEYS[2], KEYS[0], KEYS[1]),
                        _ => format!("BLMPOP 0 3 {} LEFT COUNT 1", KEYS.join(" ")),
                    };
                    loop {
                        let reply = ask(&mut connection, &line);
                        let parts = reply.elements().expect("a pair").to_vec();
                        let key = texts(&reply).first().cloned().unwrap_or_default();
                        let element = match &parts[1] {
                            Reply::Array(_) => texts(&parts[1]).remove(0),
                            own => String::from_utf8_lossy(own.text().unwrap()).into_owned(),
                        };
                        if element == "end" {
                            return received;
                        }
                        received.push((key, element));
                    }
                })
            })
            .collect();
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let mut connection = connect(&server);
                scope.spawn(move || {
                    let mut next = 0;
                    let mut round = producer;
                    while next < ELEMENTS {
                        let key = KEYS[round % 3];
                        match round % 4 {
                            0 => {
                                let line = format!(
                                    "RPUSH {key} {producer}:{next} {producer}:{}",
                                    next + 1
                                );
                                ask(&mut connection, &line);
                                next += 2;
                            }
                            1 => {
                                ask(&mut connection, "MULTI");
                                for _ in 0..2 {
                                    let line = format!("RPUSH {key} {producer}:{next}");
                                    ask(&mut connection, &line);
                                    next += 1;
                                }
                                ask(&mut connection, "EXEC");
                            }
                            _ => {
                                ask(&mut connection, &format!("RPUSH {key} {producer}:{next}"));
                                next += 1;
                            }
                        }
                        round = round.wrapping_mul(7).wrapping_add(3);
                    }
                    next
                })
            })
            .collect();
        let sent: Vec<usize> = producers.into_iter().map(|p| p.join().unwrap()).collect();
        let mut admin = connect(&server);
        for _ in 0..CONSUMERS {
            ask(&mut admin, "RPUSH queue:b end");
        }
        let received: Vec<_> = consumers.into_iter().map(|c| c.join().unwrap()).collect();
        let mut all: Vec<String> = received
            .iter()
            .flatten()
            .map(|(_, element)| element.clone())
            .collect();
        all.sort_unstable();
        let mut expected: Vec<String> = sent
            .iter()
            .enumerate()
            .flat_map(|(producer, &count)| (0..count).map(move |n| format!("{producer}:{n}")))
            .collect();
        expected.sort_unstable();
        assert_eq!(all, expected, "each element once");
        (received, sent)
    });
    // A consumer sees what one producer pushed to one key in the order of the pushes.
    for consumer in received {
        let mut last: HashMap<(String, String), usize> = HashMap::new();
        for (key, element) in consumer {
            let (producer, number) = element.split_once(':').expect("producer:number");
            let number: usize = number.parse().expect("a number");
            let before = last.insert((key, producer.to_owned()), number);
            assert!(before.is_none_or(|before| before < number));
        }
    }
}

#[test]
fn first_come_first_served_even_by_those_who_need_more_stripes() {
    let server = start();
    let mut admin = connect(&server);
    // BLMOVE needs the stripe of its destination, which others keep busy.
    let lines: Vec<String> = (0..16)
        .map(|waiter| match waiter % 3 {
            0 => "BLPOP line 0".to_owned(),
            1 => format!("BLMOVE line busy:{waiter} LEFT RIGHT 0"),
            _ => format!("BLPOP other:{waiter} line 0"),
        })
        .collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        for noise in 0..2 {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || {
                let mut connection = connect(server);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let commands: Vec<Vec<String>> = (0..16)
                        .map(|waiter| {
                            vec![
                                "LPOS".to_owned(),
                                format!("busy:{waiter}"),
                                format!("nothing{noise}"),
                            ]
                        })
                        .collect();
                    connection.pipeline(&commands).expect("replies");
                }
            });
        }
        for round in 0..30 {
            let mut waiters = block_all(&server, &mut admin, &lines);
            let elements: Vec<String> = (0..16).map(|n| format!("{round}:{n}")).collect();
            if round % 2 == 0 {
                ask(&mut admin, &format!("RPUSH line {}", elements.join(" ")));
            } else {
                for element in &elements {
                    ask(&mut admin, &format!("RPUSH line {element}"));
                }
            }
            for (waiter, connection) in waiters.iter_mut().enumerate() {
                let expected = match waiter % 3 {
                    1 => bulk(&elements[waiter]),
                    _ => popped("line", &elements[waiter]),
                };
                assert_eq!(answer(connection), expected, "waiter {waiter}");
            }
            await_blocked(&mut admin, 0);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_chain_of_moves_runs_to_its_end() {
    let server = start();
    let mut admin = connect(&server);
    let lines: Vec<String> = (0..20)
        .map(|n| format!("BLMOVE chain:{n} chain:{} LEFT RIGHT 0", n + 1))
        .collect();
    for _ in 0..20 {
        let mut waiters = block_all(&server, &mut admin, &lines);
        ask(&mut admin, "RPUSH chain:0 x");
        for waiter in &mut waiters {
            assert_eq!(answer(waiter), bulk("x"));
        }
        assert_eq!(ask(&mut admin, "LPOP chain:20"), bulk("x"));
        assert_eq!(ask(&mut admin, "DBSIZE"), Reply::Integer(0));
        await_blocked(&mut admin, 0);
    }
}

#[test]
fn a_ring_of_moves_ends() {
    let server = start();
    let mut admin = connect(&server);
    let lines: Vec<String> = (0..6)
        .map(|n| format!("BLMOVE ring:{n} ring:{} LEFT RIGHT 0", (n + 1) % 6))
        .collect();
    let mut waiters = block_all(&server, &mut admin, &lines);
    ask(&mut admin, "RPUSH ring:3 x");
    for waiter in &mut waiters {
        assert_eq!(answer(waiter), bulk("x"));
    }
    assert_eq!(ask(&mut admin, "LPOP ring:3"), bulk("x"));
}

#[test]
fn what_follows_a_blocked_command_follows_its_reply() {
    let server = start();
    let mut producer = connect(&server);
    let mut consumer = connect(&server);
    const ROUNDS: usize = 300;
    for _ in 0..ROUNDS {
        send(&mut consumer, "BLPOP l 0");
        send(&mut consumer, "ECHO between");
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..ROUNDS {
                ask(&mut producer, &format!("RPUSH l {number}"));
            }
        });
        for number in 0..ROUNDS {
            assert_eq!(
                answer(&mut consumer),
                popped("l", &number.to_string()),
                "in order"
            );
            assert_eq!(answer(&mut consumer), bulk("between"));
        }
    });
}

#[test]
fn no_element_is_lost_to_a_timeout() {
    const ELEMENTS: i64 = 2000;
    let server = start();
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let consumers: Vec<_> = (0..6)
            .map(|consumer| {
                let (server, done) = (&server, &done);
                scope.spawn(move || {
                    let mut connection = connect(server);
                    let mut received = 0;
                    let mut timeouts = 0;
                    let line = match consumer % 2 {
                        0 => "BLPOP t:1 t:2 0.001",
                        _ => "BLMOVE t:1 t:taken LEFT LEFT 0.002",
                    };
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        match ask(&mut connection, line) {
                            Reply::NullArray => timeouts += 1,
                            Reply::Array(_) => received += 1,
                            Reply::Bulk(_) => {}
                            other => panic!("{other:?}"),
                        }
                    }
                    (received, timeouts)
                })
            })
            .collect();
        let mut producer = connect(&server);
        for number in 0..ELEMENTS {
            let key = 1 + number % 2;
            ask(&mut producer, &format!("RPUSH t:{key} {number}"));
            if number % 5 == 0 {
                thread::sleep(Duration::from_micros(700));
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let outcomes: Vec<(i64, i64)> = consumers.into_iter().map(|c| c.join().unwrap()).collect();
        let received: i64 = outcomes.iter().map(|(received, _)| received).sum();
        let timeouts: i64 = outcomes.iter().map(|(_, timeouts)| timeouts).sum();
        assert!(timeouts > 0, "none timed out: nothing was proved");
        let left: i64 = ["t:1", "t:2", "t:taken"]
            .iter()
            .map(|key| integer(&ask(&mut producer, &format!("LLEN {key}"))))
            .sum();
        assert_eq!(received + left, ELEMENTS);
        await_blocked(&mut producer, 0);
    });
}

#[test]
fn unblock_or_element_but_not_both() {
    let server = start();
    let (mut pusher, mut judge, mut waiter) =
        (connect(&server), connect(&server), connect(&server));
    let id = integer(&ask(&mut waiter, "CLIENT ID"));
    let (mut unblocked, mut served) = (0, 0);
    for round in 0..300 {
        send(&mut waiter, "BLPOP u 0");
        await_blocked(&mut judge, 1);
        let barrier = Barrier::new(2);
        let said = thread::scope(|scope| {
            let said = scope.spawn(|| {
                barrier.wait();
                let how = if round % 2 == 0 { "TIMEOUT" } else { "ERROR" };
                integer(&ask(&mut judge, &format!("CLIENT UNBLOCK {id} {how}")))
            });
            barrier.wait();
            ask(&mut pusher, "RPUSH u x");
            said.join().unwrap()
        });
        match answer(&mut waiter) {
            Reply::NullArray => {
                assert_eq!((said, round % 2), (1, 0));
                unblocked += 1;
            }
            Reply::Error(text) => {
                assert_eq!((said, round % 2), (1, 1));
                assert_eq!(text, b"UNBLOCKED client unblocked via CLIENT UNBLOCK");
                unblocked += 1;
            }
            reply => {
                assert_eq!(reply, popped("u", "x"));
                assert_eq!(said, 0);
                served += 1;
            }
        }
        assert_eq!(integer(&ask(&mut pusher, "LLEN u")), said, "not both");
        ask(&mut pusher, "DEL u");
    }
    assert_eq!(unblocked + served, 300);
    // Of somebody who does not wait, or is not there.
    assert_eq!(
        ask(&mut judge, &format!("CLIENT UNBLOCK {id}")),
        Reply::Integer(0)
    );
    assert_eq!(ask(&mut judge, "CLIENT UNBLOCK 999999"), Reply::Integer(0));
}

#[test]
fn unblock_ends_the_wait_it_meant_and_no_later_one() {
    let server = start();
    let (mut judge, mut waiter) = (connect(&server), connect(&server));
    let id = integer(&ask(&mut waiter, "CLIENT ID"));
    for _ in 0..50 {
        send(&mut waiter, "BLPOP v 0");
        send(&mut waiter, "BLPOP v 0");
        await_blocked(&mut judge, 1);
        let first = ask(&mut judge, &format!("CLIENT UNBLOCK {id}"));
        assert_eq!(first, Reply::Integer(1));
        assert_eq!(answer(&mut waiter), Reply::NullArray);
        await_blocked(&mut judge, 1);
        ask(&mut judge, "RPUSH v x");
        assert_eq!(answer(&mut waiter), popped("v", "x"));
    }
}

#[test]
fn clients_that_go_take_nothing_with_them() {
    let server = start();
    let mut admin = connect(&server);
    for round in 0..30 {
        let lines: Vec<String> = (0..8)
            .map(|n| match n % 2 {
                0 => "BLPOP gone other 0".to_owned(),
                _ => "BLMOVE gone elsewhere LEFT LEFT 0".to_owned(),
            })
            .collect();
        let waiters = block_all(&server, &mut admin, &lines);
        drop(waiters);
        await_blocked(&mut admin, 0);
        ask(&mut admin, &format!("RPUSH gone {round}"));
        assert_eq!(
            ask(&mut admin, "LPOP gone"),
            bulk(&round.to_string()),
            "it is there for those who come"
        );
    }
}

#[test]
fn those_who_stay_get_what_those_who_go_do_not() {
    let server = start();
    let mut admin = connect(&server);
    for _ in 0..30 {
        let lines = vec!["BLPOP stay 0".to_owned(); 9];
        let mut waiters = block_all(&server, &mut admin, &lines);
        // Every third goes while elements arrive.
        let goers: Vec<Connection> = (0..3).rev().map(|n| waiters.remove(n * 3)).collect();
        thread::scope(|scope| {
            scope.spawn(move || drop(goers));
            scope.spawn(|| {
                let mut pusher = connect(&server);
                for number in 0..9 {
                    ask(&mut pusher, &format!("RPUSH stay {number}"));
                }
            });
        });
        let mut last = -1;
        for waiter in &mut waiters {
            let got = texts(&answer(waiter)).remove(1).parse::<i32>().unwrap();
            assert!(got > last, "in order");
            last = got;
        }
        await_blocked(&mut admin, 0);
        ask(&mut admin, "DEL stay");
    }
}

#[test]
fn of_several_ready_keys_the_first_named_is_served() {
    // As Redis 7.2, which runs the command again; 7.0 served the first key pushed to.
    let server = start();
    let mut admin = connect(&server);
    let mut waiters = block_all(&server, &mut admin, &["BLPOP a b 0".to_owned()]);
    ask(&mut admin, "MULTI");
    ask(&mut admin, "RPUSH b y");
    ask(&mut admin, "RPUSH a z");
    ask(&mut admin, "EXEC");
    assert_eq!(answer(&mut waiters[0]), popped("a", "z"));
    assert_eq!(
        ask(&mut admin, "LRANGE b 0 -1"),
        Reply::Array(vec![bulk("y")])
    );
}

#[test]
fn a_crowd_on_one_key() {
    let server = start();
    let mut admin = connect(&server);
    let lines: Vec<String> = (0..200).map(|_| "BRPOP crowd 0".to_owned()).collect();
    let mut waiters = block_all(&server, &mut admin, &lines);
    let elements: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    ask(&mut admin, &format!("LPUSH crowd {}", elements.join(" ")));
    for (number, waiter) in waiters.iter_mut().enumerate() {
        assert_eq!(answer(waiter), popped("crowd", &number.to_string()));
    }
    assert_eq!(ask(&mut admin, "EXISTS crowd"), Reply::Integer(0));
}

#[test]
fn a_muted_client_gets_no_reply_when_served() {
    let server = start();
    let mut admin = connect(&server);
    let mut muted = connect(&server);
    send(&mut muted, "CLIENT REPLY SKIP");
    send(&mut muted, "BLPOP m 0");
    await_blocked(&mut admin, 1);
    ask(&mut admin, "RPUSH m x");
    await_blocked(&mut admin, 0);
    assert_eq!(ask(&mut muted, "ECHO next"), bulk("next"));
}

#[test]
fn a_very_long_list_is_read_whole_while_it_changes() {
    const ELEMENTS: usize = 20_000;
    let server = start();
    let mut admin = connect(&server);
    let elements: Vec<String> = (0..ELEMENTS).map(|n| format!("element:{n}")).collect();
    for chunk in elements.chunks(1000) {
        ask(&mut admin, &format!("RPUSH long {}", chunk.join(" ")));
    }
    let mut reader = connect(&server);
    // Pipelined: what follows the slices comes after them.
    send(&mut reader, "LRANGE long 0 -1");
    send(&mut reader, "LLEN long");
    send(&mut reader, "LRANGE long -3000 -2");
    thread::sleep(Duration::from_millis(5));
    assert_eq!(texts(&answer(&mut reader)), elements);
    assert_eq!(answer(&mut reader), Reply::Integer(ELEMENTS as i64));
    assert_eq!(
        texts(&answer(&mut reader)),
        elements[ELEMENTS - 3000..ELEMENTS - 1]
    );
    ask(&mut reader, "MULTI");
    ask(&mut reader, "LRANGE long 0 2999");
    let all = ask(&mut reader, "EXEC");
    let inner = &all.elements().expect("one reply")[0];
    assert_eq!(texts(inner), elements[..3000]);
}
