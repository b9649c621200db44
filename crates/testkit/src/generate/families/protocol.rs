//! Bytes instead of commands: inline requests, malformed framing, splits at any byte.
//! Each on a connection of its own, because what follows a protocol error is undefined.

use super::super::kinds::value;
use super::super::{Bundles, Generator};
use super::{Family, QUEUEABLE};
use crate::differential::{Action, Rule, Step, rule_for, words};
use crate::resp::encode_command;

pub(super) const FAMILY: Family = Family {
    common_percent: 20,
    bundles: Some(Bundles {
        percent: 70,
        make: bytes,
    }),
    ..super::of(
        "protocol",
        &["3 PING", "3 ECHO text", "3 SET skey value", "3 GET skey"],
    )
};

/// Requests that are wrong, or nearly wrong, as they are.
const FRAMES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r\n\r\nPING\r\n",
    b"PING\n",
    b"ping\r\n",
    b"PING   \r\n",
    b"  PING\r\n",
    b"PING hello\r\n",
    b"PING 'a b'\r\n",
    b"PING \"a\\x41\\n\\\"b\"\r\n",
    b"PING 'it\\'s'\r\n",
    b"PING \"a\"b\r\n",
    b"PING 'a'b\r\n",
    b"PING \"unbalanced\r\n",
    b"PING 'unbalanced\r\n",
    b"PING \"\\x4\"\r\n",
    b"PING \"\\xzz\"\r\n",
    b"PING \"\"\r\n",
    b"SET s1 \"\\t\\b\\a\\r\"\r\nGET s1\r\n",
    b"PING\x00x\r\n",
    b"*0\r\nPING\r\n",
    b"*-1\r\nPING\r\n",
    b"*-10\r\nPING\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"*1\r\n$0\r\n\r\n",
    b"*2\r\n$4\r\nPING\r\n$0\r\n\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$-2\r\n",
    b"*1\r\n$abc\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$4 \r\nPING\r\n",
    b"*1\r\n$+4\r\nPING\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*01\r\n$4\r\nPING\r\n",
    b"*+1\r\n$4\r\nPING\r\n",
    b"* 1\r\n$4\r\nPING\r\n",
    b"*1 \r\n$4\r\nPING\r\n",
    b"*\r\n",
    b"*abc\r\n",
    b"*1.5\r\n",
    b"*1\r\n:4\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\nPING\r\n",
    b"*2\r\n$4\r\nPING\r\n*1\r\n$1\r\na\r\n",
    b"*1048577\r\n",
    b"*2147483647\r\n",
    b"*2147483648\r\n",
    b"*9223372036854775807\r\n",
    b"*9223372036854775808\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$9223372036854775807\r\n",
    b"*1\r\n$9223372036854775808\r\n",
    b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
    b"*1\r\n$4\r\nPING\n\n*1\r\n$4\r\nPING\r\n",
    b"*1\n$4\r\nPING\r\n",
    b"*1\r\n$4\nPING\r\n",
    b"*1\r\n$3\r\nPING\r\n",
    b"$4\r\nPING\r\n",
    b"+PING\r\n",
    b":1\r\n",
    b"%1\r\n",
    b"\x00\r\n",
    b"\xff\xfe\r\n",
    b"GET / HTTP/1.1\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"Host: x\r\n",
    b"*3\r\n$3\r\nSET\r\n$2\r\ns1\r\n$6\r\n\r\n*1\r\n\r\n*2\r\n$3\r\nGET\r\n$2\r\ns1\r\n",
    b"QUIT\r\nPING\r\n",
    b"*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n",
    b"CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n",
    b"CLIENT REPLY SKIP\r\nPING\r\nPING again\r\n",
    b"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nPING again\r\n",
    b"SUBSCRIBE a b\r\nPING\r\nGET s1\r\nUNSUBSCRIBE a b\r\nGET s1\r\n",
    b"MULTI\r\nPING\r\nGET s1\r\nEXEC\r\n",
    b"RESET\r\nSELECT 1\r\nPING\r\n",
];

fn bytes(generator: &mut Generator) -> Vec<Step> {
    let connection = 9;
    let stream = match generator.rng.below(10) {
        0..=4 => generator.rng.pick(FRAMES).to_vec(),
        5..=6 => pipeline(generator, false),
        7 => pipeline(generator, true),
        8 => {
            // One byte of something right is made wrong.
            let mut stream = pipeline(generator, false);
            stream.truncate(400);
            let at = generator.rng.below(stream.len());
            // No NUL: Redis, a C program, takes it for the end of what has arrived.
            stream[at] = *generator.rng.pick(b"\r\n*$:-0129 \xffaZ");
            without_random_names(stream)
        }
        _ => {
            let mut stream = [value(generator), b"\r\n".to_vec()].concat();
            stream.extend(b"PING\r\n");
            stream
        }
    };
    vec![
        Step {
            connection,
            action: Action::Raw(split(generator, stream)),
        },
        Step {
            connection,
            action: Action::Reconnect,
        },
    ]
}

/// Several right commands in one go.
fn pipeline(generator: &mut Generator, inline: bool) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..generator.rng.between(1, 4) {
        let family = *generator.rng.pick(QUEUEABLE);
        let command = generator.plain_command(family);
        // Only replies that are the same byte for byte can be compared as bytes.
        if rule_for(&command) != Rule::Exact || command.iter().map(Vec::len).sum::<usize>() > 2_000
        {
            continue;
        }
        if is_numeric_reply(&command[0]) {
            continue;
        }
        if inline {
            // The text form's quoting is the inline protocol's, save for its shorthand.
            let line = words(&command);
            if !line.contains('@') {
                stream.extend_from_slice(line.as_bytes());
                stream.extend_from_slice(b"\r\n");
            }
        } else {
            stream.extend(encode_command(&command));
        }
    }
    if stream.is_empty() {
        b"PING\r\n".to_vec()
    } else {
        stream
    }
}

/// Scores may be printed in two ways, which only a rule can tell.
fn is_numeric_reply(name: &[u8]) -> bool {
    let name = name.to_ascii_uppercase();
    name.starts_with(b"Z")
        || name.starts_with(b"GEO")
        || name.starts_with(b"X")
        || name.starts_with(b"BZ")
}

/// Corruption may turn one command into another whose reply is random.
fn without_random_names(stream: Vec<u8>) -> Vec<u8> {
    let upper = stream.to_ascii_uppercase();
    let is_risky = ["TIME", "SAVE", "TTL", "HELLO"]
        .iter()
        .any(|name| upper.windows(name.len()).any(|w| w == name.as_bytes()));
    if is_risky {
        b"PING\r\n".to_vec()
    } else {
        stream
    }
}

/// Cuts a stream into up to four pieces, anywhere.
fn split(generator: &mut Generator, stream: Vec<u8>) -> Vec<Vec<u8>> {
    let mut cuts: Vec<usize> = (0..generator.rng.below(4))
        .map(|_| generator.rng.below(stream.len() + 1))
        .collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2)
        .map(|cut| stream[cut[0]..cut[1]].to_vec())
        .filter(|piece| !piece.is_empty())
        .collect()
}
