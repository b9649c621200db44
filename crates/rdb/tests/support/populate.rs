//! One key of every type and encoding that Redis 7.0 has.

use super::server::Server;

/// Bytes without any pattern.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ len as u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

pub fn populate(server: &mut Server) {
    strings(server);
    lists(server);
    sets(server);
    sorted_sets(server);
    hashes(server);
    streams(server);
    server.command(&["SELECT", "3"]);
    server.command(&["SET", "in:three", "x", "PXAT", "4102444800123"]);
    server.command(&["RPUSH", "list:expiring", "a", "b"]);
    server.command(&["EXPIREAT", "list:expiring", "4102444800"]);
    server.command(&["SELECT", "0"]);
    let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    server.command(&["FUNCTION", "LOAD", library]);
}

fn strings(server: &mut Server) {
    for text in [
        "0",
        "-1",
        "127",
        "128",
        "-128",
        "-129",
        "32767",
        "32768",
        "-32769",
        "2147483647",
        "2147483648",
        "-2147483648",
        "-2147483649",
        "9223372036854775807",
        "-9223372036854775808",
        "007",
        "",
        "3.14",
        "1e5",
        "+1",
        " 1",
    ] {
        server.command(&["SET", &format!("string:{text}"), text]);
    }
    let long_text = "all work and no play makes jack a dull boy. ".repeat(500);
    server.command(&["SET", "string:compressible", &long_text]);
    for len in [20, 21, 44, 45, 63, 64, 16383, 16384, 300_000] {
        let key = format!("string:noise:{len}").into_bytes();
        server.command(&[b"SET".to_vec(), key, noise(len)]);
        let key = format!("string:zeros:{len}").into_bytes();
        server.command(&[b"SET".to_vec(), key, vec![0; len]]);
    }
    server.command(&[&b"SET"[..], b"\0binary\r\nkey\xff", b"\0\xff\r\n"]);
    server.command(&["SET", "12345", "an integer for a key"]);
    server.command(&["SET", &"long key ".repeat(100), "compressible key"]);
    server.command(&["SETBIT", "string:bits", "100000", "1"]);
    server.command(&["PFADD", "string:hyperloglog", "a", "b", "c"]);
}

fn lists(server: &mut Server) {
    server.command(&[
        "RPUSH",
        "list:small",
        "a",
        "1",
        "-5",
        "",
        "99999999999",
        "x y",
    ]);
    for at in 0_i64..2000 {
        server.command(&["RPUSH", "list:nodes", &format!("element {at}")]);
        server.command(&["LPUSH", "list:integers", &(at * 7919 - 3000).to_string()]);
    }
    server.command(&["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "200b"]);
    for len in [10, 199, 200, 300, 5000, 12] {
        server.command(&[b"RPUSH".to_vec(), b"list:plain".to_vec(), noise(len)]);
        server.command(&[b"RPUSH".to_vec(), b"list:plain".to_vec(), vec![b'z'; len]]);
    }
    server.command(&["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "0"]);
}

fn sets(server: &mut Server) {
    server.command(&["SADD", "set:16", "1", "2", "-3", "32767"]);
    server.command(&["SADD", "set:32", "1", "2", "-70000"]);
    server.command(&["SADD", "set:64", "1", "-9223372036854775808", "5000000000"]);
    server.command(&["SADD", "set:small", "a", "1", "", "2147483648"]);
    for at in 0_i64..1500 {
        server.command(&["SADD", "set:large", &format!("member:{at}")]);
        server.command(&["SADD", "set:integers", &(at * at * 1000).to_string()]);
    }
}

fn sorted_sets(server: &mut Server) {
    for key in ["zset:small", "zset:large"] {
        for (score, member) in [
            ("1", "a"),
            ("1", "b"),
            ("-0", "zero"),
            ("inf", "max"),
            ("-inf", "min"),
            ("3.14159265358979", "pi"),
            ("1e300", "huge"),
            ("5e-324", "tiny"),
            ("0.1", "17"),
            ("9007199254740993", "odd"),
            ("-2.5", ""),
        ] {
            server.command(&["ZADD", key, score, member]);
        }
    }
    for at in 0..500 {
        server.command(&[
            "ZADD",
            "zset:large",
            &(f64::from(at) / 7.0).to_string(),
            &format!("m{at}"),
        ]);
    }
}

fn hashes(server: &mut Server) {
    server.command(&[
        "HSET",
        "hash:small",
        "f",
        "v",
        "1",
        "2",
        "",
        "empty",
        "n",
        "-123456",
    ]);
    server.command(&[
        b"HSET".to_vec(),
        b"hash:wide".to_vec(),
        b"field".to_vec(),
        noise(1000),
        noise(70),
        vec![b'y'; 1000],
    ]);
    for at in 0..1000 {
        server.command(&[
            "HSET",
            "hash:large",
            &format!("field:{at}"),
            &format!("{}", at * 3),
        ]);
    }
}

fn streams(server: &mut Server) {
    for at in 1..=350 {
        let id = format!("{}-{}", 1000 + at / 3, at);
        server.command(&[
            "XADD",
            "stream:large",
            &id,
            "temperature",
            "21",
            "at",
            &at.to_string(),
        ]);
    }
    server.command(&["XADD", "stream:large", "2000-5", "other", "fields"]);
    server.command(&[
        "XADD",
        "stream:large",
        "2001-1",
        "other",
        "fields",
        "more",
        "of them",
    ]);
    for at in [5, 6, 100, 350] {
        server.command(&["XDEL", "stream:large", &format!("{}-{}", 1000 + at / 3, at)]);
    }
    server.command(&["XGROUP", "CREATE", "stream:large", "first", "0"]);
    server.command(&["XGROUP", "CREATE", "stream:large", "last", "$"]);
    server.command(&["XGROUP", "CREATE", "stream:large", "middle", "1050-150"]);
    for (consumer, count) in [("alice", "10"), ("bob", "3"), ("alice", "2")] {
        server.command(&[
            "XREADGROUP",
            "GROUP",
            "first",
            consumer,
            "COUNT",
            count,
            "STREAMS",
            "stream:large",
            ">",
        ]);
    }
    server.command(&["XACK", "stream:large", "first", "1000-1", "1000-2"]);
    server.command(&["XGROUP", "CREATECONSUMER", "stream:large", "last", "idle"]);
    server.command(&["XGROUP", "CREATE", "stream:empty", "group", "$", "MKSTREAM"]);
    server.command(&["XADD", "stream:emptied", "7-7", "a", "b"]);
    server.command(&["XDEL", "stream:emptied", "7-7"]);
    server.command(&[
        "XADD",
        "stream:max",
        "18446744073709551615-18446744073709551615",
        "a",
        "b",
    ]);
    server.command(&["XADD", "stream:set", "5-5", "a", "b"]);
    server.command(&[
        "XSETID",
        "stream:set",
        "900-1",
        "ENTRIESADDED",
        "5000000000",
        "MAXDELETEDID",
        "3-3",
    ]);
}
