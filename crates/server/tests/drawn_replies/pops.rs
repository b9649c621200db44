//! Elements that are taken out and answered in slices.

use std::time::Duration;

use ochre_testkit::resp::Connection;
use ochre_testkit::resp::Reply;
use ochre_testkit::servers::ServerSpec;

use super::fixture::*;

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
