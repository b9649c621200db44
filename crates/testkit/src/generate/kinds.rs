//! Kinds of arguments: what a lower-case word of a template stands for.
//!
//! The key space is small on purpose, a few names per type, and one key in ten belongs
//! to another type. Every kind also yields what the command must refuse.

use super::Generator;
use crate::differential::Command;

/// Appends arguments of one kind.
pub type Kind = fn(&mut Generator, &mut Command);

/// The prefixes of key names; each type has its own names.
const POOLS: &[&str] = &["s", "l", "h", "e", "z", "x", "g", "p", "b"];

macro_rules! kinds {
    ($($name:literal => $fill:expr,)*) => {
        /// Every kind by its name.
        const KINDS: &[(&str, Kind)] = &[$(($name, $fill)),*];
    };
}

/// The kind with this name.
pub fn kind(name: &str) -> Option<Kind> {
    KINDS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, kind)| *kind)
}

kinds! {
    "skey" => |g, out| key(g, out, "s"),
    "lkey" => |g, out| key(g, out, "l"),
    "hkey" => |g, out| key(g, out, "h"),
    "setkey" => |g, out| key(g, out, "e"),
    "zkey" => |g, out| key(g, out, "z"),
    "xkey" => |g, out| key(g, out, "x"),
    "gkey" => |g, out| key(g, out, "g"),
    "pkey" => |g, out| key(g, out, "p"),
    "bkey" => |g, out| key(g, out, "b"),
    "anykey" => |g, out| { let pool = *g.rng.pick(POOLS); key(g, out, pool) },
    "newkey" => |g, out| { let n = g.rng.below(4); out.push(format!("new{n}").into_bytes()) },
    "nlkeys" => |g, out| counted_keys(g, out, &["l"]),
    "nsetkeys" => |g, out| counted_keys(g, out, &["e"]),
    "nzkeys" => |g, out| counted_keys(g, out, &["z", "z", "z", "e"]),
    "value" => |g, out| { let value = value(g); out.push(value) },
    "number" => |g, out| { let value = number(g); out.push(value) },
    "float" => |g, out| pick(g, out, FLOATS),
    "increment" => |g, out| pick(g, out, INCREMENTS),
    "member" => |g, out| { let member = member(g); out.push(member) },
    "field" => |g, out| { let field = member(g); out.push(field) },
    "intmember" => |g, out| { let n = g.rng.between(-300, 300); out.push(n.to_string().into_bytes()) },
    "freshmember" => |g, out| { let n = g.rng.below(1_000); out.push(format!("m{n}").into_bytes()) },
    "score" => |g, out| pick(g, out, SCORES),
    "scoremin" => |g, out| pick(g, out, SCORE_BOUNDS),
    "scoremax" => |g, out| pick(g, out, SCORE_BOUNDS),
    "lexmin" => |g, out| pick(g, out, LEX_BOUNDS),
    "lexmax" => |g, out| pick(g, out, LEX_BOUNDS),
    "index" => |g, out| pick(g, out, INDEXES),
    "count" => |g, out| pick(g, out, COUNTS),
    "signedcount" => |g, out| pick(g, out, SIGNED_COUNTS),
    "weights" => |g, out| for _ in 0..g.last_count { pick(g, out, FLOATS) },
    "offset" => |g, out| pick(g, out, OFFSETS),
    "bit" => |g, out| pick(g, out, &["0", "1", "1", "0", "2", "-1", "x"]),
    "bitfieldtype" => |g, out| pick(g, out, BITFIELD_TYPES),
    "bitfieldoffset" => |g, out| pick(g, out, BITFIELD_OFFSETS),
    "seconds" => |g, out| pick(g, out, SECONDS),
    "millis" => |g, out| pick(g, out, MILLIS),
    "unixtime" => |g, out| pick(g, out, UNIX_TIMES),
    "unixmillis" => |g, out| pick(g, out, UNIX_MILLIS),
    "pattern" => |g, out| pick(g, out, PATTERNS),
    "cursor" => |g, out| pick(g, out, &["0", "0", "0", "0", "0", "0", "abc", "-1", "18446744073709551616", "", " 0"]),
    "streamid" => |g, out| pick(g, out, STREAM_IDS),
    "newid" => new_id,
    "rangeid" => |g, out| pick(g, out, RANGE_IDS),
    "group" => |g, out| pick(g, out, &["g1", "g1", "g1", "g2", "nogroup", ""]),
    "consumer" => |g, out| pick(g, out, &["c1", "c1", "c2", "c3", ""]),
    "minidle" => |g, out| pick(g, out, &["0", "0", "0", "0", "1000000000", "-1", "abc"]),
    "timeout" => |g, out| pick(g, out, &["0.01", "0.01", ".002", "1e-3", "-1", "abc", "nan", "inf", "", "1e300"]),
    "blockms" => |g, out| pick(g, out, &["1", "5", "-1", "abc", "1.5"]),
    "lon" => |g, out| pick(g, out, LONGITUDES),
    "lat" => |g, out| pick(g, out, LATITUDES),
    "place" => |g, out| pick(g, out, &["palermo", "catania", "rome", "oslo", "quito", "suva", "nowhere", ""]),
    "radius" => |g, out| pick(g, out, &["100", "200", "1000", "20000", "0", "0.5", "1e2", "-1", "abc", "nan"]),
    "unit" => |g, out| pick(g, out, &["m", "km", "km", "ft", "mi", "KM", "parsec", ""]),
    "dbindex" => |g, out| pick(g, out, &["0", "0", "1", "1", "2", "3", "15", "16", "-1", "abc", "9999999999"]),
    "flag" => |g, out| pick(g, out, FLAGS),
    "sortby" => |g, out| pick(g, out, &["nosort", "w_*", "h*->f", "*", "s*", "h*->", "l*->x"]),
    "sortget" => |g, out| pick(g, out, &["#", "s*", "h*->f", "*", "x", "e*"]),
    "commandname" => |g, out| pick(g, out, COMMAND_NAMES),
    "setting" => |g, out| pick(g, out, SETTINGS),
    "clientname" => |g, out| pick(g, out, &["alice", "bob", "", "a b", "x\n", "caf\u{e9}"]),
    "channel" => |g, out| pick(g, out, &["ch1", "ch2", "news.*", ""]),
    "text" => |g, out| { let value = value(g); out.push(value) },
}

/// One of the choices. The lists begin with what is ordinary, and half of all picks come
/// from their first third, so that commands more often work than fail.
fn pick(generator: &mut Generator, into: &mut Command, choices: &[&str]) {
    let ordinary = &choices[..choices.len().div_ceil(3)];
    let choices = if generator.rng.chance(50) {
        ordinary
    } else {
        choices
    };
    into.push(generator.rng.pick(choices).as_bytes().to_vec());
}

/// An id to add to a stream: mostly one that is larger than those before it.
fn new_id(generator: &mut Generator, into: &mut Command) {
    if generator.rng.chance(25) {
        return pick(generator, into, NEW_IDS);
    }
    generator.stream_clock += generator.rng.below(2);
    let sequence = *generator.rng.pick(&["-*", "-*", "-*", "-1", "-7", ""]);
    into.push(format!("{}{sequence}", generator.stream_clock).into_bytes());
}

fn key(generator: &mut Generator, into: &mut Command, pool: &str) {
    let rng = &mut generator.rng;
    let pool = if rng.chance(10) {
        *rng.pick(POOLS)
    } else {
        pool
    };
    into.push(match rng.below(100) {
        0 => b"k\x00\r\n\xff".to_vec(),
        1 => Vec::new(),
        2..=4 => format!("{pool}:missing").into_bytes(),
        _ => format!("{pool}{}", rng.between(1, 4)).into_bytes(),
    });
}

/// `numkeys key …`, mostly with the right number.
fn counted_keys(generator: &mut Generator, into: &mut Command, pools: &[&str]) {
    let count = generator.rng.between(1, 3) as usize;
    generator.last_count = count;
    let said = match generator.rng.below(20) {
        0 => (*generator
            .rng
            .pick(&["0", "-1", "abc", "4", "9223372036854775807", ""]))
        .to_string(),
        _ => count.to_string(),
    };
    into.push(said.into_bytes());
    for _ in 0..count {
        let pool = *generator.rng.pick(pools);
        key(generator, into, pool);
    }
}

fn member(generator: &mut Generator) -> Vec<u8> {
    match generator.rng.below(10) {
        0..=5 => vec![b'a' + generator.rng.below(8) as u8],
        6..=7 => generator.rng.between(-3, 12).to_string().into_bytes(),
        _ => value(generator),
    }
}

/// Bytes of every interesting shape and size.
pub fn value(generator: &mut Generator) -> Vec<u8> {
    let rng = &mut generator.rng;
    match rng.below(100) {
        0..=24 => vec![b'a' + rng.below(26) as u8; 1 + rng.below(6)],
        25..=44 => number(generator),
        45..=49 => Vec::new(),
        // Where embstr ends, and where a listpack's values end.
        50..=57 => vec![b'x'; *rng.pick(&[43, 44, 45, 63, 64, 65])],
        58..=61 => b"\x00\r\n\xff\xfe*1\r\n".to_vec(),
        62..=65 => (0..rng.below(20)).map(|_| rng.next() as u8).collect(),
        66..=68 => vec![b'y'; *rng.pick(&[255, 256, 1000, 5000])],
        69..=74 => "h\u{e9}llo \u{1f600}".as_bytes().to_vec(),
        75..=80 => rng.pick(FLOATS).as_bytes().to_vec(),
        81..=84 => b" 12".to_vec(),
        85..=88 => b"hello world".to_vec(),
        89..=91 => rng.pick(FLAGS).as_bytes().to_vec(),
        _ => format!("v{}", rng.below(50)).into_bytes(),
    }
}

fn number(generator: &mut Generator) -> Vec<u8> {
    let rng = &mut generator.rng;
    match rng.below(3) {
        0 => rng.pick(NUMBERS).as_bytes().to_vec(),
        1 => rng.between(-20, 20).to_string().into_bytes(),
        _ => rng.between(0, 100_000).to_string().into_bytes(),
    }
}

/// Numbers at the edges, and texts that are nearly numbers.
pub const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "10",
    "127",
    "128",
    "-128",
    "-129",
    "255",
    "256",
    "4095",
    "4096",
    "32767",
    "32768",
    "-32768",
    "-32769",
    "65535",
    "65536",
    "8388607",
    "8388608",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775807",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999",
    "00",
    "01",
    "+1",
    "-0",
    "1 ",
    " 1",
    "1.0",
    "1e3",
    "0x10",
    "",
    "abc",
];

const INCREMENTS: &[&str] = &[
    "1",
    "1",
    "-1",
    "5",
    "100",
    "-100",
    "0",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775807",
    "abc",
    "1.5",
    "",
    " 1",
    "4611686018427387904",
];

const FLOATS: &[&str] = &[
    "1",
    "0.5",
    "-0.5",
    "3.14159",
    "1e3",
    "-1e-3",
    "0.1",
    "0.2",
    "100.25",
    "-0",
    "0",
    "1e100",
    "-1e100",
    "1e308",
    "1.7976931348623157e308",
    "5e-324",
    "2.2250738585072014e-308",
    "inf",
    "-inf",
    "+inf",
    "nan",
    "-nan",
    "infinity",
    "1e400",
    "123456789.123456789",
    "9007199254740993",
    "0x1p3",
    "1.",
    ".5",
    "",
    "abc",
    "1 ",
    " 1",
    "1e",
    "3.0e3",
    "0.30000000000000004",
];

const SCORES: &[&str] = &[
    "1",
    "2",
    "3",
    "1",
    "2",
    "3",
    "0",
    "-1",
    "1.5",
    "0.1",
    "3.3",
    "1e3",
    "-0",
    "inf",
    "-inf",
    "+inf",
    "1e308",
    "-1e308",
    "5e-324",
    "1e21",
    "123456789012345678",
    "9007199254740993",
    "0.30000000000000004",
    "nan",
    "abc",
    "",
    "1e400",
    "0x10",
    "(1",
];

const SCORE_BOUNDS: &[&str] = &[
    "-inf", "+inf", "0", "1", "2", "3", "(1", "(2", "1.5", "(-inf", "(inf", "-1", "inf", "nan",
    "abc", "", "(", "((1", "1e308", "-0",
];

const LEX_BOUNDS: &[&str] = &[
    "-", "+", "[a", "(a", "[b", "[c", "(c", "[f", "[h", "[", "(", "a", "", "[1", "[zzz", "-inf",
    "++", "[\u{e9}",
];

const INDEXES: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "-2",
    "-3",
    "5",
    "10",
    "-10",
    "100",
    "-100",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "abc",
    "1.5",
    "",
];

const COUNTS: &[&str] = &[
    "1",
    "1",
    "2",
    "3",
    "5",
    "10",
    "100",
    "0",
    "-1",
    "1000000",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "abc",
    "1.5",
    "",
];

const SIGNED_COUNTS: &[&str] = &[
    "1",
    "2",
    "5",
    "10",
    "1000",
    "0",
    "-1",
    "-2",
    "-10",
    "-20",
    "9223372036854775807",
    "-9223372036854775808",
    "4611686018427387904",
    "-4611686018427387904",
    "abc",
    "",
];

const OFFSETS: &[&str] = &[
    "0",
    "1",
    "2",
    "5",
    "7",
    "8",
    "9",
    "31",
    "64",
    "100",
    "1000",
    "-1",
    "4294967296",
    "536870912",
    "9223372036854775807",
    "abc",
    "",
];

const BITFIELD_TYPES: &[&str] = &[
    "u1", "u2", "u8", "i8", "i5", "u16", "i16", "u32", "i32", "u63", "i64", "i63", "u64", "i65",
    "i0", "u0", "x8", "i", "8", "U8", "i-1",
];

const BITFIELD_OFFSETS: &[&str] = &[
    "0",
    "1",
    "3",
    "7",
    "8",
    "63",
    "100",
    "#0",
    "#1",
    "#2",
    "#5",
    "-1",
    "#-1",
    "#",
    "abc",
    "4294967296",
    "",
];

const SECONDS: &[&str] = &[
    "100",
    "100",
    "1000",
    "100000",
    "10000000",
    "0",
    "-1",
    "-100",
    "9223372036854775807",
    "9223372036854775",
    "9223372036854776",
    "-9223372036854775808",
    "-9223372036854775",
    "abc",
    "1.5",
    "",
    "2147483648",
];

const MILLIS: &[&str] = &[
    "100000",
    "100000",
    "1000000",
    "100000000",
    "0",
    "-1",
    "-100000",
    "9223372036854775807",
    "-9223372036854775808",
    "9223370000000000000",
    "abc",
    "1.5",
    "",
];

const UNIX_TIMES: &[&str] = &[
    "33177117420",
    "33177117420",
    "4102444800",
    "1",
    "0",
    "-1",
    "1000000000",
    "9223372036854775807",
    "9223372036854775",
    "9223372036854776",
    "-9223372036854775808",
    "abc",
    "",
];

const UNIX_MILLIS: &[&str] = &[
    "33177117420000",
    "33177117420000",
    "4102444800000",
    "1",
    "0",
    "-1",
    "1000000000000",
    "9223372036854775807",
    "-9223372036854775808",
    "abc",
    "",
];

const PATTERNS: &[&str] = &[
    "*", "*", "s*", "?1", "[a-h]*", "[^a]*", "h\\*", "*1*", "m1*", "", "[", "a", "\\", "[z-a]1",
    "**", "*[*", "?", "[]", "k\u{0}*", "new*",
];

const STREAM_IDS: &[&str] = &[
    "1-1",
    "1-2",
    "2-1",
    "2-2",
    "3-1",
    "5-5",
    "1",
    "2",
    "3",
    "0",
    "0-0",
    "0-1",
    "10-1",
    "100",
    "18446744073709551615-18446744073709551615",
    "18446744073709551615",
    "18446744073709551616",
    "abc",
    "1-",
    "-1-1",
    "1-1-1",
    "",
    "1-abc",
];

/// Ids to add: a `*` alone would depend on the clock.
const NEW_IDS: &[&str] = &[
    "1-1",
    "1-2",
    "2-1",
    "2-*",
    "3-*",
    "3-3",
    "4-*",
    "5-*",
    "6-1",
    "7-*",
    "8",
    "9-*",
    "10-*",
    "11-5",
    "12-*",
    "20-*",
    "0-0",
    "0-1",
    "0-*",
    "1-*",
    "18446744073709551615-18446744073709551615",
    "18446744073709551615-*",
    "18446744073709551616-1",
    "abc",
    "1-",
    "-",
    "*-1",
    "1-**",
    "",
];

const RANGE_IDS: &[&str] = &[
    "-",
    "+",
    "-",
    "+",
    "0",
    "1-1",
    "1-2",
    "2",
    "(1-1",
    "(2-1",
    "(0",
    "5",
    "10-0",
    "(",
    "(-",
    "(+",
    "abc",
    "",
    "$",
    "18446744073709551615-18446744073709551615",
    "(18446744073709551615-18446744073709551615",
    "(0-0",
];

const LONGITUDES: &[&str] = &[
    "13.361389",
    "15.087269",
    "12.5",
    "-78.5",
    "178.4",
    "0",
    "-180",
    "180",
    "180.1",
    "-180.1",
    "abc",
    "nan",
    "",
];

const LATITUDES: &[&str] = &[
    "38.115556",
    "37.502669",
    "41.9",
    "-0.2",
    "-18.1",
    "0",
    "85.05112878",
    "-85.05112878",
    "85.06",
    "-90",
    "abc",
    "inf",
    "",
];

/// Option words that do not belong where they are put.
pub const FLAGS: &[&str] = &[
    "NX",
    "XX",
    "GT",
    "LT",
    "CH",
    "INCR",
    "GET",
    "EX",
    "PX",
    "KEEPTTL",
    "PERSIST",
    "LIMIT",
    "WITHSCORES",
    "COUNT",
    "MATCH",
    "BY",
    "BYSCORE",
    "BYLEX",
    "REV",
    "STORE",
    "ASC",
    "ALPHA",
    "LEFT",
    "RIGHT",
    "BEFORE",
    "REPLACE",
    "DB",
    "WEIGHTS",
    "AGGREGATE",
    "MAXLEN",
    "MINID",
    "~",
    "=",
    "BLOCK",
    "STREAMS",
    "NOSUCHOPTION",
];

const COMMAND_NAMES: &[&str] = &[
    "get",
    "SET",
    "mset",
    "zadd",
    "eval",
    "xreadgroup",
    "sort",
    "object",
    "object|encoding",
    "config|get",
    "nosuch",
    "client",
    "migrate",
    "bitop",
    "georadius",
    "",
];

const SETTINGS: &[&str] = &[
    "hash-max-listpack-entries",
    "hash-max-ziplist-entries",
    "set-max-intset-entries",
    "zset-max-*",
    "maxmemory*",
    "appendonly",
    "appendfsync",
    "slowlog-*",
    "lfu-*",
    "notify-keyspace-events",
    "timeout",
    "databases",
    "nosuch*",
    "list-max-*",
    "lua-time-limit",
    "busy-reply-threshold",
    "proto-max-bulk-len",
    "client-query-buffer-limit",
    "rdbcompression",
    "lazyfree-*",
    "stream-node-*",
    "repl-*",
    "",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_yields_and_names_are_unique() {
        let mut generator = Generator::plain(1);
        generator.last_count = 1;
        for (index, (name, kind)) in KINDS.iter().enumerate() {
            let mut args = Vec::new();
            kind(&mut generator, &mut args);
            assert!(!args.is_empty(), "{name}");
            assert!(
                KINDS[..index].iter().all(|(other, _)| other != name),
                "{name}"
            );
        }
    }
}
