//! What a generated command must not do: wait for ever, eat the machine's memory, or
//! depend on the clock or on chance in a way that two right servers cannot agree on.
//!
//! Works on finished commands, after mutation, by position; hand-picked cases are not
//! guarded.

use crate::differential::Command;

/// Bits or bytes that a generated string may grow to.
const LENGTH_LIMIT: i128 = 100_000;
/// From here on a bit's offset, or a byte's, is refused by a server.
const BITS_REFUSED: i128 = 1 << 32;
const BYTES_REFUSED: i128 = 512 << 20;
/// Elements that a random choice with repeats may have.
const REPEATS_LIMIT: i128 = 2_000;

/// Makes a command harmless, or drops it.
pub fn guarded(mut command: Command) -> Option<Command> {
    let name = String::from_utf8_lossy(command.first()?).to_ascii_uppercase();
    let last = command.len() - 1;
    match name.as_str() {
        "BLPOP" | "BRPOP" | "BRPOPLPUSH" | "BLMOVE" | "BZPOPMIN" | "BZPOPMAX" if last > 0 => {
            tame_timeout(&mut command[last], "0.01");
        }
        "BLMPOP" | "BZMPOP" | "WAIT" if last > 0 => {
            let at = if name == "WAIT" { last } else { 1 };
            tame_timeout(&mut command[at], if name == "WAIT" { "10" } else { "0.01" });
        }
        "XREAD" | "XREADGROUP" => {
            if let Some(at) = position(&command, "BLOCK") {
                tame_timeout(command.get_mut(at + 1)?, "5");
            }
        }
        "XADD" => {
            command
                .iter_mut()
                .skip(1)
                .filter(|arg| arg.as_slice() == b"*")
                .for_each(|arg| *arg = b"5-*".to_vec());
        }
        "SETBIT" if last >= 2 => tame_length(&mut command[2], BITS_REFUSED),
        "SETRANGE" if last >= 2 => tame_length(&mut command[2], BYTES_REFUSED),
        "BITFIELD" | "BITFIELD_RO" => tame_bitfield(&mut command),
        "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" if last >= 2 => {
            let huge = integer(&command[2])
                .is_some_and(|count| (i128::from(i64::MIN) + 1..-REPEATS_LIMIT).contains(&count));
            if huge {
                command[2] = b"-7".to_vec();
            }
        }
        // Positive times so short that one server may pass them and the other not.
        "EXPIRE" | "SETEX" if last >= 2 => tame_expiry(&mut command[2], 60, "100"),
        "PEXPIRE" | "PSETEX" if last >= 2 => tame_expiry(&mut command[2], 60_000, "100000"),
        "RESTORE" if last >= 2 => tame_expiry(&mut command[2], 60_000, "100000"),
        "SET" | "GETEX" => {
            for (token, limit, instead) in [("EX", 60, "100"), ("PX", 60_000, "100000")] {
                for at in 2..last {
                    if command[at].eq_ignore_ascii_case(token.as_bytes()) {
                        tame_expiry(&mut command[at + 1], limit, instead);
                    }
                }
            }
        }
        // The order of a set, or of equal distances, would become data.
        "SORT" if has(&command, "STORE") && (has(&command, "BY") || has(&command, "GET")) => {
            return None;
        }
        "GEORADIUS" | "GEORADIUSBYMEMBER" | "GEOSEARCHSTORE"
            if has(&command, "ANY")
                && (name == "GEOSEARCHSTORE"
                    || has(&command, "STORE")
                    || has(&command, "STOREDIST")) =>
        {
            return None;
        }
        _ => {}
    }
    Some(command)
}

/// Whether a command's effects depend on chance, so that it may not stand in a
/// transaction, where the tester cannot align the servers afterwards.
pub fn is_random_write(command: &[Vec<u8>]) -> bool {
    command
        .first()
        .is_some_and(|name| name.eq_ignore_ascii_case(b"SPOP"))
}

fn has(command: &[Vec<u8>], token: &str) -> bool {
    position(command, token).is_some()
}

fn position(command: &[Vec<u8>], token: &str) -> Option<usize> {
    command
        .iter()
        .position(|arg| arg.eq_ignore_ascii_case(token.as_bytes()))
}

fn integer(arg: &[u8]) -> Option<i128> {
    std::str::from_utf8(arg).ok()?.parse().ok()
}

/// Zero blocks for ever, and anything above some milliseconds for too long. What the
/// server will refuse stays.
fn tame_timeout(arg: &mut Vec<u8>, instead: &str) {
    let limit: f64 = if instead.contains('.') { 0.05 } else { 50.0 };
    let text = std::str::from_utf8(arg)
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let seconds = match text.strip_prefix("0x") {
        Some(_) => Some(1e9),
        None => text.parse::<f64>().ok(),
    };
    let blocks =
        seconds.is_some_and(|seconds| (seconds == 0.0 || seconds > limit) && seconds < 1e19);
    if blocks {
        *arg = instead.as_bytes().to_vec();
    }
}

/// Lengths that are refused stay; those that are granted are small.
fn tame_length(arg: &mut Vec<u8>, refused: i128) {
    if integer(arg).is_some_and(|length| (LENGTH_LIMIT..refused).contains(&length)) {
        *arg = b"7".to_vec();
    }
}

fn tame_bitfield(command: &mut Command) {
    for at in 2..command.len() {
        let is_operation = ["GET", "SET", "INCRBY"]
            .iter()
            .any(|name| command[at].eq_ignore_ascii_case(name.as_bytes()));
        let Some(offset) = command.get(at + 2).filter(|_| is_operation) else {
            continue;
        };
        let digits = offset.strip_prefix(b"#").unwrap_or(offset);
        if integer(digits).is_some_and(|offset| (LENGTH_LIMIT / 64..BITS_REFUSED).contains(&offset))
        {
            command[at + 2] = b"#3".to_vec();
        }
    }
}

fn tame_expiry(arg: &mut Vec<u8>, limit: i128, instead: &str) {
    if integer(arg).is_some_and(|time| (1..limit).contains(&time)) {
        *arg = instead.as_bytes().to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::{parse_words, words};

    fn after(line: &str) -> Option<String> {
        guarded(parse_words(line).expect("words")).map(|command| words(&command))
    }

    #[test]
    fn nothing_waits_for_ever() {
        assert_eq!(after("blpop a b 0").as_deref(), Some("blpop a b 0.01"));
        assert_eq!(after("BLPOP a -1").as_deref(), Some("BLPOP a -1"));
        assert_eq!(
            after("BLMPOP 30 1 a LEFT").as_deref(),
            Some("BLMPOP 0.01 1 a LEFT")
        );
        assert_eq!(
            after("XREAD BLOCK 0 STREAMS x $").as_deref(),
            Some("XREAD BLOCK 5 STREAMS x $")
        );
    }

    #[test]
    fn nothing_eats_the_memory_or_reads_the_clock() {
        assert_eq!(
            after("SETBIT k 4294967295 1").as_deref(),
            Some("SETBIT k 7 1")
        );
        assert_eq!(
            after("SETBIT k 4294967296 1").as_deref(),
            Some("SETBIT k 4294967296 1")
        );
        assert_eq!(
            after("SRANDMEMBER k -2147483648").as_deref(),
            Some("SRANDMEMBER k -7")
        );
        assert_eq!(
            after("SRANDMEMBER k -9223372036854775808").as_deref(),
            Some("SRANDMEMBER k -9223372036854775808")
        );
        assert_eq!(after("XADD x * f v").as_deref(), Some("XADD x 5-* f v"));
        assert_eq!(after("SET k v PX 1").as_deref(), Some("SET k v PX 100000"));
        assert_eq!(after("EXPIRE k -1").as_deref(), Some("EXPIRE k -1"));
        assert_eq!(after("SORT e BY nosort STORE l"), None);
    }
}
