//! Replies that are drawn in slices, over the wire: each is the whole reply as of the
//! moment of its command, whatever others do to the value before it has been read; in
//! order with what follows; and nothing is left of it when its client leaves.

use std::time::{Duration, Instant};

use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::servers::{Server, ServerSpec};

/// Elements of each large value. With their padding they are more than socket buffers
/// hold, so that replies are still being drawn when others write.
const ELEMENTS: usize = 40_000;
const PADDING: usize = 250;

fn start(workers: &str) -> Server {
    start_on(workers, "auto")
}

fn start_on(workers: &str, reactor: &str) -> Server {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(["--io-threads", workers, "--reactor", reactor])
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

fn padded(number: usize) -> String {
    format!("{number:0PADDING$}")
}

/// Runs `head` with the words of `ELEMENTS` elements, a few hundred at a time.
fn fill(connection: &mut Connection, head: &[&str], words: impl Fn(usize) -> Vec<String>) {
    let numbers: Vec<usize> = (0..ELEMENTS).collect();
    for some in numbers.chunks(400) {
        let tail: Vec<String> = some.iter().flat_map(|&number| words(number)).collect();
        let command: Vec<&str> = head
            .iter()
            .copied()
            .chain(tail.iter().map(String::as_str))
            .collect();
        let reply = ask(connection, &command);
        assert!(matches!(reply, Reply::Integer(_)), "{reply:?}");
    }
}

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
}

/// The elements, `width` of them together, in the order of the reply or sorted.
fn content(reply: Reply, width: usize, is_ordered: bool) -> Vec<Vec<Reply>> {
    let Reply::Array(elements) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(elements.len() % width, 0);
    let mut groups: Vec<Vec<Reply>> = elements.chunks(width).map(<[Reply]>::to_vec).collect();
    if !is_ordered {
        groups.sort_by_cached_key(|group| format!("{group:?}"));
    }
    groups
}

/// The reply of a command that runs whole, as all do within a transaction.
fn whole(connection: &mut Connection, words: &[&str]) -> Reply {
    ask(connection, &["MULTI"]);
    ask(connection, words);
    match ask(connection, &["EXEC"]) {
        Reply::Array(mut replies) => replies.pop().expect("one reply"),
        other => panic!("{other:?}"),
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
    ask(connection, &["DEL", "hash", "set"]);
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
    ];
    let server = start("2");
    let mut writer = connect(&server);
    fill_all(&mut writer);
    let mut drawing = Vec::new();
    for &(words, width, is_ordered) in commands {
        let expected = content(whole(&mut writer, words), width, is_ordered);
        assert!(expected.len() >= ELEMENTS / 3, "{words:?}");
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
