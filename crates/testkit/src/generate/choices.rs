//! Lists of argument texts: what is ordinary first, then what lies at the edges, then what
//! must be refused. Data only; [`super::kinds`] says which list an argument is drawn from.

/// Numbers at the edges, and texts that are nearly numbers.
#[rustfmt::skip]
pub const NUMBERS: &[&str] = &[
    "0", "1", "-1", "10", "127", "128", "-128", "-129", "255", "256", "4095", "4096", "32767",
    "32768", "-32768", "-32769", "65535", "65536", "8388607", "8388608", "2147483647",
    "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296", "9223372036854775806",
    "9223372036854775807", "9223372036854775808", "-9223372036854775807", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "99999999999999999999", "00", "01", "+1", "-0", "1 ", " 1", "1.0", "1e3", "0x10", "", "abc",
];

/// What counters are moved by.
#[rustfmt::skip]
pub const INCREMENTS: &[&str] = &[
    "1", "1", "-1", "5", "100", "-100", "0", "9223372036854775807", "-9223372036854775808",
    "9223372036854775808", "-9223372036854775807", "abc", "1.5", "", " 1", "4611686018427387904",
];

/// Floating-point numbers, their limits, and texts that are nearly such numbers.
#[rustfmt::skip]
pub const FLOATS: &[&str] = &[
    "1", "0.5", "-0.5", "3.14159", "1e3", "-1e-3", "0.1", "0.2", "100.25", "-0", "0", "1e100",
    "-1e100", "1e308", "1.7976931348623157e308", "5e-324", "2.2250738585072014e-308", "inf",
    "-inf", "+inf", "nan", "-nan", "infinity", "1e400", "123456789.123456789", "9007199254740993",
    "0x1p3", "1.", ".5", "", "abc", "1 ", " 1", "1e", "3.0e3", "0.30000000000000004",
];

/// Elements with a NUL among others: where C's functions see the end of a string.
#[rustfmt::skip]
pub const NUL_MEMBERS: &[&str] = &[
    "a\0b", "a\0a", "a\0", "a", "ab", "\0", "\0\0", "", "b\0", "1\x002", "1", "b",
];

/// Scores of sorted sets.
#[rustfmt::skip]
pub const SCORES: &[&str] = &[
    "1", "2", "3", "1", "2", "3", "0", "-1", "1.5", "0.1", "3.3", "1e3", "-0", "inf", "-inf",
    "+inf", "1e308", "-1e308", "5e-324", "1e21", "123456789012345678", "9007199254740993",
    "0.30000000000000004", "nan", "abc", "", "1e400", "0x10", "(1",
];

/// Bounds of score ranges.
#[rustfmt::skip]
pub const SCORE_BOUNDS: &[&str] = &[
    "-inf", "+inf", "0", "1", "2", "3", "(1", "(2", "1.5", "(-inf", "(inf", "-1", "inf", "nan",
    "abc", "", "(", "((1", "1e308", "-0",
];

/// Bounds of lexicographic ranges.
#[rustfmt::skip]
pub const LEX_BOUNDS: &[&str] = &[
    "-", "+", "[a", "(a", "[b", "[c", "(c", "[f", "[h", "[", "(", "a", "", "[1", "[zzz", "-inf",
    "++", "[\u{e9}",
];

/// Positions, from either end and beyond both.
#[rustfmt::skip]
pub const INDEXES: &[&str] = &[
    "0", "1", "2", "-1", "-2", "-3", "5", "10", "-10", "100", "-100", "2147483648",
    "9223372036854775807", "-9223372036854775808", "9223372036854775808", "abc", "1.5", "",
];

/// Counts that may not be negative.
#[rustfmt::skip]
pub const COUNTS: &[&str] = &[
    "1", "1", "2", "3", "5", "10", "100", "0", "-1", "1000000", "9223372036854775807",
    "-9223372036854775808", "9223372036854775808", "abc", "1.5", "",
];

/// Counts whose sign means something.
#[rustfmt::skip]
pub const SIGNED_COUNTS: &[&str] = &[
    "1", "2", "5", "10", "1000", "0", "-1", "-2", "-10", "-20", "9223372036854775807",
    "-9223372036854775808", "4611686018427387904", "-4611686018427387904", "abc", "",
];

/// Offsets in bits or bytes.
#[rustfmt::skip]
pub const OFFSETS: &[&str] = &[
    "0", "1", "2", "5", "7", "8", "9", "31", "64", "100", "1000", "-1", "4294967296", "536870912",
    "9223372036854775807", "abc", "",
];

/// Integer types of BITFIELD.
#[rustfmt::skip]
pub const BITFIELD_TYPES: &[&str] = &[
    "u1", "u2", "u8", "i8", "i5", "u16", "i16", "u32", "i32", "u63", "i64", "i63", "u64", "i65",
    "i0", "u0", "x8", "i", "8", "U8", "i-1",
];

/// Offsets of BITFIELD, also in units of the type.
#[rustfmt::skip]
pub const BITFIELD_OFFSETS: &[&str] = &[
    "0", "1", "3", "7", "8", "63", "100", "#0", "#1", "#2", "#5", "-1", "#-1", "#", "abc",
    "4294967296", "",
];

/// Times to live in seconds: long, past, or refused.
#[rustfmt::skip]
pub const SECONDS: &[&str] = &[
    "100", "100", "1000", "100000", "10000000", "0", "-1", "-100", "9223372036854775807",
    "9223372036854775", "9223372036854776", "-9223372036854775808", "-9223372036854775", "abc",
    "1.5", "", "2147483648",
];

/// Times to live in milliseconds.
#[rustfmt::skip]
pub const MILLIS: &[&str] = &[
    "100000", "100000", "1000000", "100000000", "0", "-1", "-100000", "9223372036854775807",
    "-9223372036854775808", "9223370000000000000", "abc", "1.5", "",
];

/// Deadlines in seconds.
#[rustfmt::skip]
pub const UNIX_TIMES: &[&str] = &[
    "33177117420", "33177117420", "4102444800", "1", "0", "-1", "1000000000",
    "9223372036854775807", "9223372036854775", "9223372036854776", "-9223372036854775808", "abc",
    "",
];

/// Deadlines in milliseconds.
#[rustfmt::skip]
pub const UNIX_MILLIS: &[&str] = &[
    "33177117420000", "33177117420000", "4102444800000", "1", "0", "-1", "1000000000000",
    "9223372036854775807", "-9223372036854775808", "abc", "",
];

/// Glob patterns.
#[rustfmt::skip]
pub const PATTERNS: &[&str] = &[
    "*", "*", "s*", "?1", "[a-h]*", "[^a]*", "h\\*", "*1*", "m1*", "", "[", "a", "\\", "[z-a]1",
    "**", "*[*", "?", "[]", "k\u{0}*", "new*",
];

/// Ids of stream entries.
#[rustfmt::skip]
pub const STREAM_IDS: &[&str] = &[
    "1-1", "1-2", "2-1", "2-2", "3-1", "5-5", "1", "2", "3", "0", "0-0", "0-1", "10-1", "100",
    "18446744073709551615-18446744073709551615", "18446744073709551615", "18446744073709551616",
    "abc", "1-", "-1-1", "1-1-1", "", "1-abc",
];

/// Ids to add: a `*` alone would depend on the clock.
#[rustfmt::skip]
pub const NEW_IDS: &[&str] = &[
    "1-1", "1-2", "2-1", "2-*", "3-*", "3-3", "4-*", "5-*", "6-1", "7-*", "8", "9-*", "10-*",
    "11-5", "12-*", "20-*", "0-0", "0-1", "0-*", "1-*",
    "18446744073709551615-18446744073709551615", "18446744073709551615-*",
    "18446744073709551616-1", "abc", "1-", "-", "*-1", "1-**", "",
];

/// Bounds of stream ranges.
#[rustfmt::skip]
pub const RANGE_IDS: &[&str] = &[
    "-", "+", "-", "+", "0", "1-1", "1-2", "2", "(1-1", "(2-1", "(0", "5", "10-0", "(", "(-",
    "(+", "abc", "", "$", "18446744073709551615-18446744073709551615",
    "(18446744073709551615-18446744073709551615", "(0-0",
];

/// Degrees east.
#[rustfmt::skip]
pub const LONGITUDES: &[&str] = &[
    "13.361389", "15.087269", "12.5", "-78.5", "178.4", "0", "-180", "180", "180.1", "-180.1",
    "abc", "nan", "",
];

/// Degrees north.
#[rustfmt::skip]
pub const LATITUDES: &[&str] = &[
    "38.115556", "37.502669", "41.9", "-0.2", "-18.1", "0", "85.05112878", "-85.05112878",
    "85.06", "-90", "abc", "inf", "",
];

/// Option words that do not belong where they are put.
#[rustfmt::skip]
pub const FLAGS: &[&str] = &[
    "NX", "XX", "GT", "LT", "CH", "INCR", "GET", "EX", "PX", "KEEPTTL", "PERSIST", "LIMIT",
    "WITHSCORES", "COUNT", "MATCH", "BY", "BYSCORE", "BYLEX", "REV", "STORE", "ASC", "ALPHA",
    "LEFT", "RIGHT", "BEFORE", "REPLACE", "DB", "WEIGHTS", "AGGREGATE", "MAXLEN", "MINID", "~",
    "=", "BLOCK", "STREAMS", "NOSUCHOPTION",
];

/// Names of commands and subcommands.
#[rustfmt::skip]
pub const COMMAND_NAMES: &[&str] = &[
    "get", "SET", "mset", "zadd", "eval", "xreadgroup", "sort", "object", "object|encoding",
    "config|get", "nosuch", "client", "migrate", "bitop", "georadius", "",
];

/// Names and patterns of settings.
#[rustfmt::skip]
pub const SETTINGS: &[&str] = &[
    "hash-max-listpack-entries", "hash-max-ziplist-entries", "set-max-intset-entries",
    "zset-max-*", "maxmemory*", "appendonly", "appendfsync", "slowlog-*", "lfu-*",
    "notify-keyspace-events", "timeout", "databases", "nosuch*", "list-max-*", "lua-time-limit",
    "busy-reply-threshold", "proto-max-bulk-len", "client-query-buffer-limit", "rdbcompression",
    "lazyfree-*", "stream-node-*", "repl-*", "",
];
