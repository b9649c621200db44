//! Replies that are drawn in slices, over the wire: each is the whole reply as of the
//! moment of its command, whatever others do to the value before it has been read; in
//! order with what follows; and nothing is left of it when its client leaves.

mod fixture;
mod pops;
mod results;

use std::time::{Duration, Instant};

use fixture::*;
use ochre_testkit::resp::{Connection, Reply};

fn fill_all(connection: &mut Connection) {
    fill(connection, &["HSET", "hash"], |n| {
        vec![format!("field:{n}"), padded(n)]
    });
    fill(connection, &["SADD", "set"], |n| vec![padded(n)]);
    fill(connection, &["SADD", "half"], |n| vec![padded(n * 2)]);
    fill(connection, &["RPUSH", "list"], |n| vec![padded(n)]);
    fill(connection, &["ZADD", "zset"], |n| {
        vec![(n % 977).to_string(), padded(n)]
    });
    fill(connection, &["ZADD", "odd"], |n| {
        vec![(n % 13).to_string(), padded(n * 3)]
    });
    fill(connection, &["GEOADD", "geo"], |n| {
        let (longitude, latitude) = place(n);
        vec![longitude, latitude, padded(n)]
    });
    fill(connection, &["RPUSH", "numbers"], |n| {
        vec![(n * 7919 % 30_011).to_string()]
    });
    fill_stream(connection, "stream");
    fill_stream(connection, "other");
}

fn fill_stream(connection: &mut Connection, key: &str) {
    for number in 0..ELEMENTS {
        let id = format!("{}-1", number + 1);
        connection
            .send(&["XADD", key, &id, "field", &padded(number)])
            .unwrap();
        if number % 400 == 399 {
            for _ in 0..400 {
                assert!(connection.read_reply().unwrap().reply.error().is_none());
            }
        }
    }
}

/// Changes a good part of each value, and then all of it.
fn change_all(connection: &mut Connection) {
    for number in (0..ELEMENTS).step_by(501) {
        let (name, member) = (format!("field:{number}"), padded(number));
        let index = number.to_string();
        ask(connection, &["HSET", "hash", &name, "changed"]);
        ask(
            connection,
            &["HDEL", "hash", &format!("field:{}", number + 1)],
        );
        ask(connection, &["SREM", "set", &member]);
        ask(connection, &["SADD", "half", &format!("new:{number}")]);
        ask(connection, &["SREM", "half", &padded(number * 2)]);
        ask(connection, &["LSET", "list", &index, "changed"]);
        ask(connection, &["LPUSH", "list", "new"]);
        ask(connection, &["ZADD", "zset", "-1", &member]);
    }
    for number in (0..ELEMENTS).step_by(501) {
        let member = padded(number);
        ask(connection, &["ZADD", "odd", "999999", &member]);
        ask(connection, &["ZREM", "geo", &member]);
        ask(connection, &["LSET", "numbers", "0", "changed"]);
        ask(
            connection,
            &["XDEL", "stream", &format!("{}-1", number + 1)],
        );
    }
    ask(connection, &["DEL", "hash", "set", "stream", "odd"]);
    ask(connection, &["SET", "list", "x"]);
    ask(connection, &["FLUSHALL"]);
}

#[test]
fn a_reply_is_what_the_value_was_whatever_becomes_of_it() {
    let last = (ELEMENTS - 1).to_string();
    let commands: &[(&[&str], usize, bool)] = &[
        (&["HGETALL", "hash"], 2, false),
        (&["HVALS", "hash"], 1, false),
        (&["SMEMBERS", "set"], 1, false),
        (&["SINTER", "set", "half"], 1, false),
        (&["SUNION", "set", "half"], 1, false),
        (&["SDIFF", "set", "half"], 1, false),
        (&["SDIFF", "set", "half", "half", "half"], 1, false),
        (&["LRANGE", "list", "0", &last], 1, true),
        (&["ZRANGE", "zset", "0", "-1", "WITHSCORES"], 2, true),
        (&["ZRANGE", "zset", "0", "-1", "REV"], 1, true),
        (&["ZRANGEBYSCORE", "zset", "5", "900"], 1, true),
        (
            &["ZUNION", "3", "zset", "odd", "set", "WITHSCORES"],
            2,
            true,
        ),
        (&["ZINTER", "2", "zset", "set"], 1, true),
        (
            &[
                "ZINTER",
                "2",
                "odd",
                "zset",
                "WEIGHTS",
                "-1",
                "0.5",
                "WITHSCORES",
            ],
            2,
            true,
        ),
        (&["ZDIFF", "2", "zset", "odd", "WITHSCORES"], 2, true),
        (
            &[
                "GEOSEARCH",
                "geo",
                "FROMLONLAT",
                "11",
                "11",
                "BYRADIUS",
                "9000",
                "km",
                "DESC",
            ],
            1,
            true,
        ),
        (
            &[
                "GEORADIUS",
                "geo",
                "11",
                "11",
                "9000",
                "km",
                "WITHDIST",
                "WITHCOORD",
                "COUNT",
                "20000",
                "ANY",
            ],
            1,
            true,
        ),
        (&["SORT", "list", "ALPHA", "DESC"], 1, true),
        (
            &["SORT", "list", "BY", "nosort", "GET", "#", "DESC"],
            1,
            true,
        ),
        (
            &["SORT_RO", "zset", "BY", "nosort", "LIMIT", "100", "30000"],
            1,
            true,
        ),
        (
            &["SORT", "set", "GET", "#", "GET", "nothing", "ALPHA"],
            2,
            true,
        ),
        (
            &["XREAD", "STREAMS", "stream", "none", "other", "7", "0", "0"],
            1,
            true,
        ),
        (&["SRANDMEMBER", "set", "1000000"], 1, false),
        (&["HRANDFIELD", "hash", "1000000", "WITHVALUES"], 2, false),
        (&["ZRANDMEMBER", "zset", "1000000"], 1, false),
        (
            &["LPOS", "numbers", "5", "COUNT", "0", "RANK", "-1"],
            1,
            true,
        ),
    ];
    let server = start("2");
    let mut writer = connect(&server);
    fill_all(&mut writer);
    let mut drawing = Vec::new();
    for &(words, width, is_ordered) in commands {
        let expected = content(whole(&mut writer, words), width, is_ordered);
        let is_short = matches!(words[0], "LPOS" | "XREAD");
        assert!(is_short || expected.len() >= ELEMENTS / 4, "{words:?}");
        let mut reader = connect(&server);
        reader.send(words).unwrap();
        reader.send(&["ECHO", "behind"]).unwrap();
        drawing.push((reader, expected, words, width, is_ordered));
    }
    // All have run once a part of each reply is there.
    for (reader, ..) in &mut drawing {
        assert!(reader.readable(Duration::from_secs(60)));
    }
    change_all(&mut writer);
    // The last first: nobody's reply waits for another's.
    for (mut reader, expected, words, width, is_ordered) in drawing.into_iter().rev() {
        let reply = reader.read_reply().unwrap().reply;
        let got = content(reply, width, is_ordered);
        assert!(
            got == expected,
            "{words:?}: {} of {}",
            got.len(),
            expected.len()
        );
        let behind = reader.read_reply().unwrap().reply;
        assert_eq!(behind, Reply::Bulk(b"behind".to_vec()), "{words:?}");
    }
}

#[test]
fn clients_that_leave_in_the_middle_are_forgotten() {
    let server = start("1");
    let mut main = connect(&server);
    fill_all(&mut main);
    let before = whole(&mut main, &["SINTER", "set", "half"]);
    for words in [
        &["HGETALL", "hash"][..],
        &["SUNION", "set", "half"],
        &["SINTER", "set", "half"],
        &["LRANGE", "list", "0", "-1"],
        &["ZRANGE", "zset", "0", "-1"],
        &["ZUNION", "2", "zset", "odd"],
        &["SORT", "list", "ALPHA"],
        &["XREAD", "STREAMS", "stream", "0"],
        &["GEORADIUS_RO", "geo", "11", "11", "9000", "km", "ASC"],
        &["SRANDMEMBER", "set", "30000"],
        &["RPOP", "numbers", "30000"],
    ] {
        // At once, and with the reply half drawn.
        for is_begun in [false, true] {
            let mut leaving = connect(&server);
            leaving.send(words).unwrap();
            assert!(!is_begun || leaving.readable(Duration::from_secs(60)));
        }
    }
    let began = Instant::now();
    loop {
        let Reply::Bulk(list) = ask(&mut main, &["CLIENT", "LIST"]) else {
            panic!("no list");
        };
        if list.iter().filter(|&&byte| byte == b'\n').count() == 1 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(10));
    }
    let after = ask(&mut main, &["SINTER", "set", "half"]);
    assert_eq!(content(after, 1, false), content(before, 1, false));
}

#[test]
fn many_readers_of_one_worker_all_get_on() {
    const READERS: usize = 12;
    for reactor in ["auto", "epoll"] {
        let server = start_on("1", reactor);
        let mut main = connect(&server);
        fill(&mut main, &["HSET", "hash"], |n| {
            vec![format!("field:{n}"), padded(n)]
        });
        // Alone, nobody else wakes the worker.
        let expected = content(ask(&mut main, &["HGETALL", "hash"]), 2, false);
        assert_eq!(expected.len(), ELEMENTS);
        std::thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| {
                    let reply = ask(&mut connect(&server), &["HGETALL", "hash"]);
                    assert!(content(reply, 2, false) == expected);
                });
            }
        });
    }
}
