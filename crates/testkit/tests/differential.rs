//! The differential tester tested: a real server never disagrees with itself, and a
//! doctored one is caught, and the sequence that caught it is made small.

use std::sync::Arc;

use ochre_testkit::differential::{CORPORA, DifferentialError, Endpoint, Pair, Step, parse_words};
use ochre_testkit::generate::families::FAMILIES;
use ochre_testkit::proxy::Proxy;
use ochre_testkit::resp::Protocol;
use ochre_testkit::servers::{Address, Listen, ServerError, ServerSpec};

fn redis() -> ServerSpec {
    ServerSpec::redis().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_real_server_agrees_with_itself_on_every_corpus() {
    let mut pair = Pair::start(&redis()).unwrap_or_else(|error| panic!("{error}"));
    for corpus in CORPORA {
        let summary = pair
            .check_corpus(corpus.name)
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(summary.sequences > 0, "{}", corpus.name);
    }
}

#[test]
fn a_real_server_agrees_with_itself_on_every_family() {
    let mut pair = Pair::start(&redis()).unwrap_or_else(|error| panic!("{error}"));
    for family in FAMILIES {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let summary = pair
                .check_family(family, 3, 120, protocol)
                .unwrap_or_else(|error| panic!("{error}"));
            assert!(summary.steps >= 120, "{}", family.name);
            assert!(
                summary.errors < summary.steps * 2 / 3,
                "{}: {summary:?}",
                family.name
            );
        }
    }
}

#[test]
fn a_doctored_reply_is_caught_and_shrunk() {
    let oracle = redis().start().expect("a server");
    let hidden = redis().start().expect("a server");
    // The tenth member of a sorted set is counted twice.
    let doctor = Arc::new(|args: &[Vec<u8>], frame: &ochre_testkit::resp::Frame| {
        (args[0].eq_ignore_ascii_case(b"ZCARD") && frame.raw == b":10\r\n")
            .then(|| b":11\r\n".to_vec())
    });
    let proxy = Proxy::start(hidden.address().clone(), doctor).expect("a proxy");
    let mut pair = Pair::of(
        Endpoint::Process(Box::new(oracle)),
        Endpoint::Remote(proxy.address().clone()),
    )
    .expect("a pair");
    let mut steps = Vec::new();
    for number in 0..40 {
        for line in [
            format!("ZADD z {number} member:{number}"),
            format!("SET k:{number} v EX 100"),
            "ZCARD z".into(),
        ] {
            steps.push(Step::command(parse_words(&line).expect("words")));
        }
    }
    let outcome = pair.check("doctored", Protocol::Resp2, &steps);
    let Err(DifferentialError::Disagreement(failure)) = outcome else {
        panic!("not caught: {outcome:?}")
    };
    assert_eq!(failure.mismatch.what, "1> ZCARD z");
    assert_eq!(failure.mismatch.step, Some(29));
    assert_eq!(
        (
            failure.mismatch.oracle.as_str(),
            failure.mismatch.subject.as_str()
        ),
        (":10", ":11")
    );
    // Ten additions and the question; nothing less can show it.
    assert_eq!(failure.shrunk.steps.len(), 11, "{failure}");
    assert!(failure.to_string().contains("1> ZCARD"), "{failure}");
}

#[test]
fn an_incomplete_server_is_compared_in_what_it_has() {
    let without: Vec<&str> = ["zadd", "lpush", "rpush", "hset", "xadd", "multi"]
        .iter()
        .flat_map(|name| ["--rename-command", name, ""])
        .collect();
    let mut pair =
        Pair::start(&redis().with_args(without)).unwrap_or_else(|error| panic!("{error}"));
    pair.only_known_commands()
        .unwrap_or_else(|error| panic!("{error}"));
    for name in ["zsets", "lists", "strings", "transactions"] {
        let family = FAMILIES
            .iter()
            .find(|family| family.name == name)
            .expect("a family");
        pair.check_family(family, 1, 240, Protocol::Resp3)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let summary = pair
        .check_corpus("collections")
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.skipped > 3 && summary.sequences > 3, "{summary:?}");
}

#[test]
fn a_difference_in_data_alone_is_caught() {
    let oracle = redis().start().expect("a server");
    let hidden = redis().start().expect("a server");
    let doctor = Arc::new(|args: &[Vec<u8>], _: &ochre_testkit::resp::Frame| {
        (args[0].eq_ignore_ascii_case(b"PTTL")).then(|| b":-1\r\n".to_vec())
    });
    let proxy = Proxy::start(hidden.address().clone(), doctor).expect("a proxy");
    let mut pair = Pair::of(
        Endpoint::Process(Box::new(oracle)),
        Endpoint::Remote(proxy.address().clone()),
    )
    .expect("a pair");
    let steps: Vec<Step> = ["SET a 1", "SET b 2 EX 100", "GET b"]
        .map(|line| Step::command(parse_words(line).expect("words")))
        .into();
    let outcome = pair.check("doctored", Protocol::Resp3, &steps);
    let Err(DifferentialError::Disagreement(failure)) = outcome else {
        panic!("not caught: {outcome:?}")
    };
    assert_eq!(failure.mismatch.step, None);
    assert_eq!(failure.shrunk.steps.len(), 1, "{failure}");
}

#[test]
fn servers_stop_restart_and_listen_on_unix_sockets() {
    let mut server = redis()
        .with_only_args(["--save", "", "--appendonly", "yes"])
        .start()
        .expect("a server");
    let mut connection = server.connect().expect("a connection");
    connection.command(&["SET", "k", "v"]).expect("a reply");
    server.kill_hard();
    assert!(!server.is_running());
    assert!(connection.command(&["GET", "k"]).is_err());
    server.restart().expect("restarts");
    let reply = server
        .connect()
        .expect("a connection")
        .command(&["GET", "k"])
        .expect("a reply");
    assert_eq!(reply.text(), Some(&b"v"[..]));
    assert!(server.stop().expect("it ran").success());
    assert!(server.log().contains("ready to exit"), "{}", server.log());

    let socket = redis()
        .listening_on(Listen::Unix)
        .start()
        .expect("a server");
    assert!(matches!(socket.address(), Address::Unix(_)));
    assert!(
        socket
            .connect_with(Protocol::Resp3)
            .expect("a connection")
            .command(&["PING"])
            .is_ok()
    );
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let outcome = redis().with_args(["--no-such-directive", "1"]).start();
    match outcome {
        Err(ServerError::Ended { log, .. }) => assert!(log.contains("no-such-directive"), "{log}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}
