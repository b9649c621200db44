//! Results that are worked out in slices: they are those that are stored, worked out at
//! once, or those of a simple model.

use ochre_testkit::resp::{Connection, Reply};

use super::fixture::*;

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
