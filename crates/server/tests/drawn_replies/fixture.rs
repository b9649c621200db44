//! What these tests share: a server, large values, and what they hold.

use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::servers::{Server, ServerSpec};

/// Elements of each large value. With their padding they are more than socket buffers
/// hold, so that replies are still being drawn when others write.
pub const ELEMENTS: usize = 40_000;
pub const PADDING: usize = 250;

pub fn start(workers: &str) -> Server {
    start_on(workers, "auto")
}

pub fn start_on(workers: &str, reactor: &str) -> Server {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(["--io-threads", workers, "--reactor", reactor])
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}

pub fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

pub fn ask(connection: &mut Connection, words: &[&str]) -> Reply {
    connection
        .command(words)
        .unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

pub fn padded(number: usize) -> String {
    format!("{number:0PADDING$}")
}

/// Runs `head` with the words of `ELEMENTS` elements, a few hundred at a time.
pub fn fill(connection: &mut Connection, head: &[&str], words: impl Fn(usize) -> Vec<String>) {
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

/// The elements, `width` of them together, in the order of the reply or sorted.
pub fn content(reply: Reply, width: usize, is_ordered: bool) -> Vec<Vec<Reply>> {
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
pub fn whole(connection: &mut Connection, words: &[&str]) -> Reply {
    ask(connection, &["MULTI"]);
    ask(connection, words);
    match ask(connection, &["EXEC"]) {
        Reply::Array(mut replies) => replies.pop().expect("one reply"),
        other => panic!("{other:?}"),
    }
}

/// Where the numbered place is: within a few degrees, no two at the same place.
pub fn place(number: usize) -> (String, String) {
    let (east, north) = (number % 200, number / 200);
    let degrees = |steps: usize| format!("{:.3}", 10.0 + steps as f64 / 100.0);
    (degrees(east), degrees(north))
}

/// The texts of an array's elements.
pub fn texts(reply: &Reply) -> Vec<String> {
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
pub fn all_of(connection: &mut Connection, key: &str) -> Vec<String> {
    let reply = match ask(connection, &["TYPE", key]).text() {
        Some(b"list") => ask(connection, &["LRANGE", key, "0", "-1"]),
        Some(b"zset") => ask(connection, &["ZRANGE", key, "0", "-1", "WITHSCORES"]),
        Some(b"set") => ask(connection, &["SMEMBERS", key]),
        _ => return Vec::new(),
    };
    texts(&reply)
}

/// Pairs of a sorted set in descending order.
pub fn descending(pairs: &[String]) -> Vec<String> {
    pairs.chunks(2).rev().flatten().cloned().collect()
}
