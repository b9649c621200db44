//! Kinds of arguments: what a lower-case word of a template stands for.
//!
//! The key space is small on purpose, a few names per type, and one key in ten belongs
//! to another type. Every kind also yields what the command must refuse.

use super::Generator;
use super::choices::*;
use crate::differential::Command;

/// Appends arguments of one kind.
pub type Kind = fn(&mut Generator, &mut Command);

/// The prefixes of key names; each type has its own names.
const POOLS: &[&str] = &["s", "l", "h", "e", "z", "x", "g", "p", "b"];

/// Makes the second key a copy of the first, with the options given; of a key that is
/// not there, of no payload.
const RESTORE_SCRIPT: &[u8] = b"local payload = redis.call('DUMP', KEYS[1]) or '' \
    return redis.call('RESTORE', KEYS[2], ARGV[1], payload, unpack(ARGV, 2))";

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
    "nulmember" => |g, out| pick(g, out, NUL_MEMBERS),
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
    "restorescript" => |_, out| out.push(RESTORE_SCRIPT.to_vec()),
    "payload" => |g, out| { let payload = payload(g); out.push(payload) },
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

/// A payload of DUMP: that of the string `5` in version 10 of the format, whole, cut or
/// changed somewhere.
fn payload(g: &mut Generator) -> Vec<u8> {
    const WHOLE: &[u8] = b"\x00\xc0\x05\x0a\x00\x63\x2f\x5f\x66\x83\x2f\xb3\x51";
    let mut payload = WHOLE.to_vec();
    match g.rng.below(4) {
        0 => payload.truncate(g.rng.below(WHOLE.len())),
        1 => payload[g.rng.below(WHOLE.len())] ^= 1 << g.rng.below(8),
        _ => (),
    }
    payload
}

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
