//! Switches of DEBUG, over the wire: what they change for everybody.

use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::servers::{Server, ServerSpec};

fn start() -> Server {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(["--enable-debug-command", "yes"])
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn ask(connection: &mut Connection, words: &[&str]) -> Reply {
    connection
        .command(words)
        .unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// The figure of this name that DEBUG OBJECT gives.
fn figure(connection: &mut Connection, key: &str, name: &str) -> Option<String> {
    let Reply::Simple(line) = ask(connection, &["DEBUG", "OBJECT", key]) else {
        panic!("no line about {key}");
    };
    let line = String::from_utf8(line).unwrap();
    let found = line
        .split(' ')
        .find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
    found.map(str::to_owned)
}

#[test]
fn a_threshold_gives_large_elements_nodes_of_their_own() {
    let server = start();
    let mut connection = server.connect().expect("a connection");
    let run = &mut connection;
    ask(run, &["CONFIG", "SET", "list-max-listpack-size", "4"]);
    ask(run, &["RPUSH", "list", "1", "2", "3", "4", "5"]);
    assert_eq!(figure(run, "list", "ql_nodes").as_deref(), Some("2"));
    assert_eq!(figure(run, "list", "ql_avg_node").as_deref(), Some("2.50"));
    assert_eq!(figure(run, "list", "ql_listpack_max").as_deref(), Some("4"));
    // A list that was there before heeds it as well.
    ask(run, &["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "10b"]);
    ask(run, &["RPUSH", "list", "ten bytes."]);
    assert_eq!(figure(run, "list", "ql_nodes").as_deref(), Some("3"));
    ask(run, &["RPUSH", "list", "nine byte", "nine byte"]);
    assert_eq!(figure(run, "list", "ql_nodes").as_deref(), Some("4"));
    ask(run, &["LSET", "list", "0", "and another ten"]);
    assert_eq!(figure(run, "list", "ql_nodes").as_deref(), Some("5"));
    // 0 is how it was.
    ask(run, &["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "0"]);
    ask(run, &["RPUSH", "list", "ten bytes."]);
    assert_eq!(figure(run, "list", "ql_nodes").as_deref(), Some("5"));
    for wrong in ["4gb", "-1", "abc"] {
        let reply = ask(run, &["DEBUG", "QUICKLIST-PACKED-THRESHOLD", wrong]);
        let text = b"ERR argument must be a memory value bigger than 1 and smaller than 4gb";
        assert!(
            matches!(reply, Reply::Error(error) if error == text),
            "{wrong}"
        );
    }
    // A listpack has no nodes to tell of.
    ask(run, &["RPUSH", "small", "1"]);
    assert_eq!(figure(run, "small", "ql_nodes"), None);
}
