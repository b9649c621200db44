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

/// Where the numbered place is: within a few degrees, no two at the same place.
fn place(number: usize) -> (String, String) {
    let (east, north) = (number % 200, number / 200);
    let degrees = |steps: usize| format!("{:.3}", 10.0 + steps as f64 / 100.0);
    (degrees(east), degrees(north))
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

/// The texts of an array's elements.
fn texts(reply: &Reply) -> Vec<String> {
    let elements = reply
        .elements()
        .unwrap_or_else(|| panic!("no array: {reply:?}"));
    let text = |element: &Reply| match element {
        Reply::Integer(number) => number.to_string(),
        other => String::from_utf8_lossy(other.text().unwrap_or(b"(null)")).into_owned(),
    };
    elements.iter().map(text).collect()
}

/// What a list, a set or a sorted set (with its scores) holds.
fn all_of(connection: &mut Connection, key: &str) -> Vec<String> {
    let reply = match ask(connection, &["TYPE", key]).text() {
        Some(b"list") => ask(connection, &["LRANGE", key, "0", "-1"]),
        Some(b"zset") => ask(connection, &["ZRANGE", key, "0", "-1", "WITHSCORES"]),
        Some(b"set") => ask(connection, &["SMEMBERS", key]),
        _ => return Vec::new(),
    };
    texts(&reply)
}

/// Pairs of a sorted set in descending order.
fn descending(pairs: &[String]) -> Vec<String> {
    pairs.chunks(2).rev().flatten().cloned().collect()
}

#[test]
fn what_is_popped_is_what_was_there_and_what_stays_is_the_rest() {
    let fill_two = |connection: &mut Connection| {
        ask(connection, &["DEL", "list", "zset"]);
        fill(connection, &["RPUSH", "list"], |n| vec![padded(n)]);
        fill(connection, &["ZADD", "zset"], |n| {
            vec![(n % 977).to_string(), padded(n)]
        });
    };
    let most = (ELEMENTS - 5000).to_string();
    let some = (ELEMENTS / 3 + 1).to_string();
    let all = ELEMENTS.to_string();
    let server = start("2");
    let mut main = connect(&server);
    for count in [&some, &most, &all] {
        let commands: [(&[&str], &str); 7] = [
            (&["LPOP", "list", count], "list"),
            (&["RPOP", "list", count], "list"),
            (
                &["LMPOP", "2", "none", "list", "RIGHT", "COUNT", count],
                "list",
            ),
            (
                &["BLMPOP", "0", "1", "list", "LEFT", "COUNT", count],
                "list",
            ),
            (&["ZPOPMIN", "zset", count], "zset"),
            (&["ZPOPMAX", "zset", count], "zset"),
            (&["ZMPOP", "1", "zset", "MAX", "COUNT", count], "zset"),
        ];
        for (words, key) in commands {
            fill_two(&mut main);
            let mut before = all_of(&mut main, key);
            let is_from_back = words
                .iter()
                .any(|word| matches!(*word, "RPOP" | "RIGHT" | "ZPOPMAX" | "MAX"));
            let width = if key == "zset" { 2 } else { 1 };
            if is_from_back && width == 2 {
                before = descending(&before);
            } else if is_from_back {
                before.reverse();
            }
            let (popped, rest) = before.split_at(count.parse::<usize>().unwrap() * width);
            let mut rest = rest.to_vec();
            if is_from_back && width == 2 {
                rest = descending(&rest);
            } else if is_from_back {
                rest.reverse();
            }
            let mut reader = connect(&server);
            reader.send(words).unwrap();
            reader.send(&["ECHO", "behind"]).unwrap();
            assert!(reader.readable(Duration::from_secs(60)));
            // The value is the rest from the first moment on, and may change and go.
            assert_eq!(all_of(&mut main, key), rest, "{words:?}");
            let exists = ask(&mut main, &["EXISTS", key]).integer();
            assert_eq!(exists, Some(i64::from(!rest.is_empty())));
            if key == "zset" {
                for (rank, pair) in rest.chunks(2).enumerate().step_by(501) {
                    let found = ask(&mut main, &["ZRANK", key, &pair[0]]);
                    assert_eq!(found.integer(), Some(rank as i64));
                }
                for member in popped.iter().step_by(1002) {
                    assert!(ask(&mut main, &["ZSCORE", key, member]).is_null());
                }
            }
            ask(&mut main, &["DEL", key]);
            ask(&mut main, &["SET", key, "x"]);
            ask(&mut main, &["DEL", key]);
            let mut reply = reader.read_reply().unwrap().reply;
            if let Reply::Array(parts) = &mut reply
                && words[0].ends_with("MPOP")
            {
                assert_eq!(parts.len(), 2);
                assert_eq!(parts[0].text(), Some(key.as_bytes()));
                reply = parts.pop().unwrap();
            }
            let got = match words[0] {
                "ZMPOP" => reply.elements().unwrap().iter().flat_map(texts).collect(),
                _ => texts(&reply),
            };
            assert!(got == popped, "{words:?}");
            let behind = reader.read_reply().unwrap().reply;
            assert_eq!(behind, Reply::Bulk(b"behind".to_vec()), "{words:?}");
        }
    }
}

/// Changes that are answered in slices are recorded as ever.
#[test]
fn what_is_popped_is_popped_from_the_append_only_file() {
    let server = ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(["--appendonly", "yes", "--appendfsync", "always"])
        .with_args(["--enable-debug-command", "yes"])
        .start()
        .unwrap_or_else(|error| panic!("{error}"));
    let mut main = connect(&server);
    for key in ["a", "b", "c"] {
        for kind in ["list", "zset", "set"] {
            let name = format!("{kind}:{key}");
            match kind {
                "list" => fill(&mut main, &["RPUSH", &name], |n| vec![n.to_string()]),
                "zset" => fill(&mut main, &["ZADD", &name], |n| {
                    vec![(n % 100).to_string(), n.to_string()]
                }),
                _ => fill(&mut main, &["SADD", &name], |n| vec![format!("member:{n}")]),
            }
        }
    }
    let commands: [&[&str]; 9] = [
        &["LPOP", "list:a", "12345"],
        &["RPOP", "list:b", "40000"],
        &["LMPOP", "1", "list:c", "RIGHT", "COUNT", "30000"],
        &["ZPOPMIN", "zset:a", "12345"],
        &["ZPOPMAX", "zset:b", "40000"],
        &["ZMPOP", "1", "zset:c", "MIN", "COUNT", "39999"],
        &["SPOP", "set:a", "12345"],
        &["SPOP", "set:b", "40000"],
        &["SPOP", "set:c", "39000"],
    ];
    for words in commands {
        // All in one pipeline: each reply, drawn or not, in its place.
        main.send(words).unwrap();
        main.send(&["PING"]).unwrap();
    }
    for words in commands {
        let reply = main.read_reply().unwrap().reply;
        assert!(matches!(reply, Reply::Array(_)), "{words:?}");
        let pong = main.read_reply().unwrap().reply;
        assert_eq!(pong, Reply::Simple(b"PONG".to_vec()), "{words:?}");
    }
    let keys = texts(&ask(&mut main, &["KEYS", "*"]));
    assert_eq!(keys.len(), 6, "{keys:?}");
    assert_eq!(ask(&mut main, &["SCARD", "set:c"]).integer(), Some(1000));
    let digest = ask(&mut main, &["DEBUG", "DIGEST"]);
    let loaded = ask(&mut main, &["DEBUG", "LOADAOF"]);
    assert_eq!(loaded, Reply::Simple(b"OK".to_vec()));
    assert_eq!(ask(&mut main, &["DEBUG", "DIGEST"]), digest);
}

/// What is worked out in slices is what is worked out at once, to be stored.
#[test]
fn what_is_answered_is_what_is_stored() {
    let server = start("1");
    let mut main = connect(&server);
    // Scores that add up differently in another order, infinities and both zeros.
    let scores = |n: usize| match n % 11 {
        0 => "inf".to_owned(),
        1 => "-inf".to_owned(),
        2 => "-0".to_owned(),
        3 => "0".to_owned(),
        4 => format!("1e{}", n % 19),
        _ => format!("{}.{}", n % 301, n % 7),
    };
    for (key, step, turn) in [("x", 1, 0), ("y", 2, 5), ("z", 3, 1)] {
        fill(&mut main, &["ZADD", key], |n| {
            vec![scores(n + turn), format!("m:{}", n * step)]
        });
    }
    fill(&mut main, &["SADD", "plain"], |n| {
        vec![format!("m:{}", n * 5)]
    });
    ask(
        &mut main,
        &["SADD", "few", "m:0", "m:30", "m:60", "nobody's"],
    );
    ask(&mut main, &["ZADD", "pair", "2.5", "m:30", "0.1", "m:6"]);
    let options: [&[&str]; 6] = [
        &["3", "x", "y", "z"],
        &["3", "z", "plain", "y", "WEIGHTS", "0.1", "7", "-3"],
        &["2", "x", "z", "AGGREGATE", "MIN"],
        &[
            "3",
            "y",
            "x",
            "plain",
            "WEIGHTS",
            "0",
            "-1",
            "0.3",
            "AGGREGATE",
            "MAX",
        ],
        &["4", "x", "y", "pair", "z"],
        &["2", "x", "x"],
    ];
    let differences: [&[&str]; 4] = [
        &["3", "x", "y", "plain"],
        &["2", "plain", "x"],
        &["3", "y", "few", "pair"],
        &["3", "y", "none", "none"],
    ];
    let operations = [
        ("ZUNION", &options[..]),
        ("ZINTER", &options[..]),
        ("ZDIFF", &differences[..]),
    ];
    for (name, options) in operations {
        for words in options {
            let store = format!("{name}STORE");
            let stored = [&[&store, "to"][..], words].concat();
            let count = ask(&mut main, &stored).integer();
            let expected = ask(&mut main, &["ZRANGE", "to", "0", "-1", "WITHSCORES"]);
            let answered = [&[name][..], words, &["WITHSCORES"]].concat();
            assert!(ask(&mut main, &answered) == expected, "{answered:?}");
            let mut newer = connect(&server);
            ask(&mut newer, &["HELLO", "3"]);
            let pairs = ask(&mut newer, &answered);
            let expected = ask(&mut newer, &["ZRANGE", "to", "0", "-1", "WITHSCORES"]);
            assert!(pairs == expected, "{answered:?}");
            if name == "ZINTER" {
                let keys = 1 + words[0].parse::<usize>().unwrap();
                let counted = [&["ZINTERCARD"][..], &words[..keys]].concat();
                assert_eq!(ask(&mut main, &counted).integer(), count, "{counted:?}");
                for limit in [1, 600, 3000] {
                    let text = limit.to_string();
                    let limited = [&counted[..], &["LIMIT", &text]].concat();
                    let expected = count.map(|count| count.min(limit));
                    assert_eq!(ask(&mut main, &limited).integer(), expected, "{limited:?}");
                }
            }
        }
    }
    fill(&mut main, &["SADD", "plain3"], |n| {
        vec![format!("m:{}", n * 3)]
    });
    let common = ask(&mut main, &["SINTERSTORE", "to", "plain", "plain3"]).integer();
    assert!(common.is_some_and(|common| common > 5000));
    let words = ["SINTERCARD", "2", "plain3", "plain"];
    assert_eq!(ask(&mut main, &words).integer(), common);
    for limit in [1_i64, 900, 5000] {
        let text = limit.to_string();
        let limited = [&words[..], &["LIMIT", &text]].concat();
        assert_eq!(ask(&mut main, &limited).integer(), Some(limit));
    }
}

#[test]
fn what_is_sorted_is_what_is_stored() {
    let server = start("1");
    let mut main = connect(&server);
    fill(&mut main, &["RPUSH", "list"], |n| {
        vec![format!("{}.{}", n * 7919 % 3001, n % 3)]
    });
    fill(&mut main, &["SADD", "set"], |n| {
        vec![(n * 7919 % 100_003).to_string()]
    });
    fill(&mut main, &["ZADD", "zset"], |n| {
        vec![(n % 97).to_string(), (n * 7919 % 100_003).to_string()]
    });
    let options: [&[&str]; 8] = [
        &[],
        &["DESC"],
        &["ALPHA"],
        &["ALPHA", "DESC", "LIMIT", "5", "7000"],
        &["LIMIT", "39000", "-1"],
        &["LIMIT", "20000", "10", "GET", "#", "GET", "#"],
        &["BY", "nosort", "DESC", "LIMIT", "3", "30000"],
        &["BY", "nosort", "GET", "#"],
    ];
    for key in ["list", "set", "zset"] {
        for words in options {
            let answered = [&["SORT", key][..], words].concat();
            let reply = ask(&mut main, &answered);
            ask(&mut main, &[&answered[..], &["STORE", "to"]].concat());
            let expected = ask(&mut main, &["LRANGE", "to", "0", "-1"]);
            if key == "set" && words.contains(&"nosort") {
                // What is stored of a set is sorted in any case.
                let members = content(ask(&mut main, &["SMEMBERS", key]), 1, false);
                assert!(!words.contains(&"#") || content(reply, 1, false) == members);
                continue;
            }
            assert!(reply == expected, "{answered:?}");
        }
    }
    // Pages of a set fit together, short or long.
    let page = |main: &mut Connection, at: &str, len: &str| {
        texts(&ask(
            main,
            &["SORT", "set", "BY", "nosort", "LIMIT", at, len],
        ))
    };
    let mut pages = page(&mut main, "0", "100");
    pages.extend(page(&mut main, "100", "20000"));
    pages.extend(page(&mut main, "20100", "3"));
    pages.extend(page(&mut main, "20103", "-1"));
    assert_eq!(pages, page(&mut main, "0", "-1"));
    // An element that is no number is found late, and told and counted all the same.
    ask(&mut main, &["RPUSH", "list", "no number"]);
    let before = error_count(&mut main);
    let error = ask(&mut main, &["SORT", "list"]);
    let text = b"ERR One or more scores can't be converted into double";
    assert_eq!(error.error(), Some(&text[..]));
    assert_eq!(error_count(&mut main), before + 1);
    assert_eq!(whole(&mut main, &["SORT", "list"]).error(), Some(&text[..]));
    assert_eq!(error_count(&mut main), before + 2);
    let script = "return redis.pcall('SORT', 'list')['err']";
    let caught = ask(&mut main, &["EVAL", script, "0"]);
    assert_eq!(caught.text(), Some(&text[..]));
    let sorted = ask(
        &mut main,
        &["EVAL", "return #redis.call('SORT', 'set')", "0"],
    );
    assert_eq!(sorted.integer(), Some(ELEMENTS as i64));
}

/// How many errors INFO tells of.
fn error_count(connection: &mut Connection) -> u64 {
    let info = ask(connection, &["INFO", "stats"]);
    let info = String::from_utf8_lossy(info.text().expect("a text")).into_owned();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("total_error_replies:"));
    line.expect("the field").parse().expect("a number")
}

#[test]
fn what_is_found_is_what_is_stored() {
    let server = start("1");
    let mut main = connect(&server);
    fill(&mut main, &["GEOADD", "geo"], |n| {
        let (longitude, latitude) = place(n);
        vec![longitude, latitude, n.to_string()]
    });
    let areas: [&[&str]; 3] = [
        &["BYRADIUS", "9000", "km"],
        &["BYRADIUS", "60", "km"],
        &["BYBOX", "100", "70", "km"],
    ];
    for area in areas {
        for count in [&[][..], &["COUNT", "3000"], &["COUNT", "100", "ANY"]] {
            let query = [&["FROMLONLAT", "11", "11"][..], area, count].concat();
            for order in ["ASC", "DESC"] {
                let words = [&["GEOSEARCH", "geo"][..], &query, &[order, "WITHDIST"]].concat();
                let reply = ask(&mut main, &words);
                let found: Vec<Vec<String>> = reply
                    .elements()
                    .expect("an array")
                    .iter()
                    .map(texts)
                    .collect();
                let distances: Vec<f64> = found
                    .iter()
                    .map(|place| place[1].parse().unwrap())
                    .collect();
                let is_sorted = distances.is_sorted_by(|a, b| match order {
                    "ASC" => a <= b,
                    _ => a >= b,
                });
                assert!(is_sorted, "{words:?}");
                let store = [
                    &["GEOSEARCHSTORE", "to", "geo"][..],
                    &query,
                    &[order, "STOREDIST"],
                ];
                let count = ask(&mut main, &store.concat()).integer();
                assert_eq!(count, Some(found.len() as i64), "{words:?}");
                let mut stored = all_of(&mut main, "to");
                if order == "DESC" {
                    stored = descending(&stored);
                }
                let mut expected: Vec<String> = stored.into_iter().step_by(2).collect();
                let mut names: Vec<String> = found
                    .into_iter()
                    .map(|mut place| place.swap_remove(0))
                    .collect();
                // Places at the same distance are stored in the order of their names.
                expected.sort();
                names.sort();
                assert_eq!(names, expected, "{words:?}");
            }
        }
    }
}

#[test]
fn a_search_through_a_list_finds_what_is_there() {
    let server = start("1");
    let mut main = connect(&server);
    let value = |n: usize| (n * 7919 % 401).to_string();
    fill(&mut main, &["RPUSH", "list"], |n| vec![value(n)]);
    let places: Vec<usize> = (0..ELEMENTS).filter(|&n| value(n) == "77").collect();
    let back: Vec<usize> = places.iter().rev().copied().collect();
    let mut found = |words: &[&str]| texts(&ask(&mut main, words));
    let names = |places: &[usize]| places.iter().map(usize::to_string).collect::<Vec<_>>();
    assert_eq!(found(&["LPOS", "list", "77", "COUNT", "0"]), names(&places));
    let last = ["LPOS", "list", "77", "RANK", "-2", "COUNT", "50"];
    assert_eq!(found(&last), names(&back[1..51]));
    let within = ["LPOS", "list", "77", "COUNT", "0", "MAXLEN", "30000"];
    let expected: Vec<usize> = places.iter().copied().filter(|&n| n < 30_000).collect();
    assert_eq!(found(&within), names(&expected));
    assert_eq!(
        found(&["LPOS", "list", "none", "COUNT", "0"]),
        Vec::<String>::new()
    );
    let ninetieth = ask(&mut main, &["LPOS", "list", "77", "RANK", "90"]);
    assert_eq!(ninetieth.integer(), Some(places[89] as i64));
    let ninetieth = ask(&mut main, &["LPOS", "list", "77", "RANK", "-90"]);
    assert_eq!(ninetieth.integer(), Some(back[89] as i64));
    assert_eq!(ask(&mut main, &["LPOS", "list", "none"]), Reply::NullBulk);
    ask(&mut main, &["HELLO", "3"]);
    assert_eq!(ask(&mut main, &["LPOS", "list", "none"]), Reply::Null);
}

#[test]
fn distinct_draws_differ_and_are_as_many_as_asked_for() {
    let server = start("1");
    let mut main = connect(&server);
    fill(&mut main, &["SADD", "set"], |n| vec![format!("m:{n}")]);
    fill(&mut main, &["HSET", "hash"], |n| {
        vec![format!("m:{n}"), n.to_string()]
    });
    fill(&mut main, &["ZADD", "zset"], |n| {
        vec![n.to_string(), format!("m:{n}")]
    });
    for count in [3000, ELEMENTS / 3, ELEMENTS - 1, ELEMENTS, ELEMENTS * 2] {
        let expected = count.min(ELEMENTS);
        let count = count.to_string();
        let mut seen = Vec::new();
        for words in [
            &["SRANDMEMBER", "set", &count][..],
            &["HRANDFIELD", "hash", &count, "WITHVALUES"],
            &["HRANDFIELD", "hash", &count],
            &["ZRANDMEMBER", "zset", &count, "WITHSCORES"],
        ] {
            let mut drawn = texts(&ask(&mut main, words));
            if words.len() > 3 {
                for pair in drawn.chunks(2) {
                    assert_eq!(pair[0], format!("m:{}", pair[1]), "{words:?}");
                }
                drawn = drawn.into_iter().step_by(2).collect();
            }
            drawn.sort();
            drawn.dedup();
            assert_eq!(drawn.len(), expected, "{words:?}");
            assert!(drawn.iter().all(|name| name.starts_with("m:")));
            seen.push(drawn);
        }
        let differ = expected < ELEMENTS;
        assert_eq!(seen[0] != seen[1], differ, "{count}");
        assert_eq!(seen[1] != seen[3], differ, "{count}");
    }
}
