//! Whether two replies to one command agree, under the rules of [`super::rules`].
//!
//! Pure: it sees two trees and the command. What needs more reads from the servers
//! (iterations, membership) is done by the runner, with the functions of [`super::random`].

use super::rules::{
    DOUBLE_COMMANDS, ENCODING_CHANGES, ERROR_CHANGES, Rule, meant, name_of, rule_as_ordered,
    rule_for,
};
use crate::resp::{Frame, Reply};

/// Unix times in milliseconds are larger than this (September 2020).
const CLOCK_FLOOR_MS: i64 = 1_600_000_000_000;
/// How far two servers' readings of the clock may be apart.
const CLOCK_TOLERANCE_MS: i64 = 10_000;

/// Compares two frames; the error says what differs, in one line.
///
/// # Errors
/// The reason why they do not agree.
pub fn compare_frames(
    args: &[Vec<u8>],
    oracle: &Frame,
    subject: &Frame,
    reference: (u32, u32),
) -> Result<(), String> {
    if oracle.raw == subject.raw {
        return Ok(());
    }
    compare_replies(args, &oracle.reply, &subject.reply, reference)?;
    if oracle.reply == subject.reply {
        return Err("equal values, but not the same bytes".into());
    }
    Ok(())
}

/// Compares two trees, as [`compare_frames`] does; for replies within an EXEC's.
///
/// # Errors
/// The reason why they do not agree.
pub fn compare_replies(
    args: &[Vec<u8>],
    oracle: &Reply,
    subject: &Reply,
    reference: (u32, u32),
) -> Result<(), String> {
    if oracle == subject {
        return Ok(());
    }
    if let (Some(left), Some(right)) = (oracle.error(), subject.error()) {
        let changed =
            oracle.kind() == subject.kind() && is_known_error_change(args, left, right, reference);
        return if changed {
            Ok(())
        } else {
            Err("error texts differ".into())
        };
    }
    if oracle.error().is_some() || subject.error().is_some() {
        return Err("one is an error".into());
    }
    let name = name_of(args);
    let leniency = Leniency {
        doubles: reference < (7, 2) && DOUBLE_COMMANDS.contains(&name.as_str()),
        clocks: false,
        tolerance: 0,
    };
    let rule = match rule_for(args) {
        Rule::AsOrdered => rule_as_ordered(args),
        other => other,
    };
    compare_under(rule, oracle, subject, leniency, reference)
}

fn compare_under(
    rule: Rule,
    oracle: &Reply,
    subject: &Reply,
    leniency: Leniency,
    reference: (u32, u32),
) -> Result<(), String> {
    match rule {
        Rule::Exact | Rule::AsOrdered => leniency.equal(oracle, subject),
        Rule::Unordered => leniency.equal(&unordered(oracle), &unordered(subject)),
        Rule::UnorderedThroughout => leniency.equal(&sorted(oracle), &sorted(subject)),
        Rule::UnorderedPairs => leniency.equal(&unordered_pairs(oracle), &unordered_pairs(subject)),
        Rule::Within { tolerance } => Leniency {
            tolerance,
            ..leniency
        }
        .equal(oracle, subject),
        Rule::Fields { dropped, blurred } => {
            let lenient = Leniency {
                clocks: true,
                ..leniency
            };
            lenient.equal(
                &without_fields(oracle, dropped, blurred),
                &without_fields(subject, dropped, blurred),
            )
        }
        Rule::StreamInfo { dropped, blurred } => {
            let lenient = Leniency {
                clocks: true,
                ..leniency
            };
            let comparable = |reply: &Reply| {
                let reply = without_fields(reply, dropped, blurred);
                if reference < (7, 2) {
                    without_idle_consumers(&reply)
                } else {
                    reply
                }
            };
            lenient.equal(&comparable(oracle), &comparable(subject))
        }
        Rule::KindBefore72 if reference < (7, 2) => same_kind(oracle, subject),
        Rule::KindBefore72 => leniency.equal(oracle, subject),
        Rule::Encoding => compare_encodings(oracle, subject, reference),
        Rule::Superset => superset(oracle, subject),
        Rule::SharedPairs { blurred } => shared_pairs(oracle, subject, blurred),
        Rule::PendingEntries => leniency.equal(&without_idle(oracle), &without_idle(subject)),
        Rule::Dump => compare_dumps(oracle, subject, leniency),
        Rule::Kind => same_kind(oracle, subject),
        Rule::Scan => match (oracle.elements(), subject.elements()) {
            (Some([_, left]), Some([_, right])) => same_kind(left, right),
            _ => same_kind(oracle, subject),
        },
        // Membership is checked by the runner, which can ask the servers.
        Rule::Members | Rule::Pop => same_shape(oracle, subject),
    }
}

fn compare_dumps(oracle: &Reply, subject: &Reply, leniency: Leniency) -> Result<(), String> {
    /// A set and a hash as their elements; a stream, which tells when a group was read.
    const UNDEFINED: [u8; 3] = [2, 4, 19];
    /// A packed sorted set, whose scores have 17 digits before 7.2.
    const LONG_WINDED: u8 = 17;
    let (Some(theirs), Some(own)) = (oracle.text(), subject.text()) else {
        return leniency.equal(oracle, subject);
    };
    match (theirs.first(), own.first()) {
        (Some(kind), Some(own_kind)) if kind == own_kind && UNDEFINED.contains(kind) => {
            if theirs.len() == own.len() {
                Ok(())
            } else {
                Err(format!("{} bytes against {}", theirs.len(), own.len()))
            }
        }
        (Some(&LONG_WINDED), Some(&LONG_WINDED)) => Ok(()),
        _ => leniency.equal(oracle, subject),
    }
}

fn same_kind(oracle: &Reply, subject: &Reply) -> Result<(), String> {
    if oracle.kind() == subject.kind() {
        Ok(())
    } else {
        Err(format!("{} against {}", oracle.kind(), subject.kind()))
    }
}

fn same_shape(oracle: &Reply, subject: &Reply) -> Result<(), String> {
    same_kind(oracle, subject)?;
    match (oracle.elements(), subject.elements()) {
        (Some(left), Some(right)) if left.len() != right.len() => {
            Err(format!("{} elements against {}", left.len(), right.len()))
        }
        (Some(left), Some(right)) => left
            .iter()
            .zip(right)
            .try_for_each(|(left, right)| same_shape(left, right)),
        _ => Ok(()),
    }
}

/// Whether the reference may say one encoding where the subject says the other.
pub fn is_known_encoding_change(oracle: &[u8], subject: &[u8], reference: (u32, u32)) -> bool {
    ENCODING_CHANGES.iter().any(|change| {
        reference < change.since
            && change.reference.as_bytes() == oracle
            && change.subject.as_bytes() == subject
    })
}

fn compare_encodings(oracle: &Reply, subject: &Reply, reference: (u32, u32)) -> Result<(), String> {
    match (oracle, subject) {
        (Reply::Bulk(left), Reply::Bulk(right))
            if is_known_encoding_change(left, right, reference) =>
        {
            Ok(())
        }
        _ => Err("encodings differ".into()),
    }
}

fn is_known_error_change(
    args: &[Vec<u8>],
    oracle: &[u8],
    subject: &[u8],
    reference: (u32, u32),
) -> bool {
    let name = name_of(meant(args));
    ERROR_CHANGES.iter().any(|change| {
        reference < change.since
            && (change.command == "*" || change.command == name)
            && oracle.starts_with(change.reference.as_bytes())
            && subject.starts_with(change.subject.as_bytes())
    })
}

#[derive(Clone, Copy)]
struct Leniency {
    /// Texts that differ but are the same number agree.
    doubles: bool,
    /// Unix times in milliseconds may be apart.
    clocks: bool,
    /// Integers may be this far apart when neither is negative.
    tolerance: i64,
}

impl Leniency {
    fn equal(self, oracle: &Reply, subject: &Reply) -> Result<(), String> {
        self.agree(oracle, subject)
            .map_err(|path| match path.as_str() {
                "" => "values differ".to_string(),
                path => format!("values differ at element {path}"),
            })
    }

    /// The error is the path of the first difference, `2.0.1`.
    fn agree(self, oracle: &Reply, subject: &Reply) -> Result<(), String> {
        let below = |index: usize, outcome: Result<(), String>| {
            outcome.map_err(|path| {
                if path.is_empty() {
                    index.to_string()
                } else {
                    format!("{index}.{path}")
                }
            })
        };
        if oracle == subject {
            return Ok(());
        }
        match (oracle, subject) {
            (Reply::Array(left), Reply::Array(right))
            | (Reply::Set(left), Reply::Set(right))
            | (Reply::Push(left), Reply::Push(right)) => {
                for (index, (left, right)) in left.iter().zip(right).enumerate() {
                    below(index, self.agree(left, right))?;
                }
                if left.len() == right.len() {
                    Ok(())
                } else {
                    Err(left.len().min(right.len()).to_string())
                }
            }
            (Reply::Map(left), Reply::Map(right)) => {
                for (index, (left, right)) in left.iter().zip(right).enumerate() {
                    below(index, self.agree(&left.0, &right.0))?;
                    below(index, self.agree(&left.1, &right.1))?;
                }
                if left.len() == right.len() {
                    Ok(())
                } else {
                    Err(left.len().min(right.len()).to_string())
                }
            }
            (Reply::Integer(left), Reply::Integer(right)) => {
                let apart = left.abs_diff(*right);
                let clocks = self.clocks && *left > CLOCK_FLOOR_MS && *right > CLOCK_FLOOR_MS;
                let near = *left >= 0 && *right >= 0 && apart <= self.tolerance.unsigned_abs();
                if near || (clocks && apart <= CLOCK_TOLERANCE_MS.unsigned_abs()) {
                    Ok(())
                } else {
                    Err(String::new())
                }
            }
            (Reply::Bulk(left), Reply::Bulk(right))
            | (Reply::Double(left), Reply::Double(right))
                if self.doubles && same_number(left, right) =>
            {
                Ok(())
            }
            _ => Err(String::new()),
        }
    }
}

/// Whether two texts are the same finite number, bit for bit.
fn same_number(left: &[u8], right: &[u8]) -> bool {
    let number = |text: &[u8]| -> Option<f64> {
        let plain = text
            .iter()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte));
        if plain {
            std::str::from_utf8(text).ok()?.parse().ok()
        } else {
            None
        }
    };
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left.to_bits() == right.to_bits(),
        _ => false,
    }
}

/// The reply with its top-level elements sorted.
pub fn unordered(reply: &Reply) -> Reply {
    let sorted = |elements: &[Reply]| {
        let mut elements = elements.to_vec();
        elements.sort();
        elements
    };
    match reply {
        Reply::Array(elements) => Reply::Array(sorted(elements)),
        Reply::Set(elements) => Reply::Set(sorted(elements)),
        other => other.clone(),
    }
}

/// The reply with its elements sorted at every level.
fn sorted(reply: &Reply) -> Reply {
    match reply {
        Reply::Array(elements) => unordered(&Reply::Array(elements.iter().map(sorted).collect())),
        Reply::Set(elements) => unordered(&Reply::Set(elements.iter().map(sorted).collect())),
        Reply::Map(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (name.clone(), sorted(value)));
            unordered_pairs(&Reply::Map(pairs.collect()))
        }
        other => other.clone(),
    }
}

/// The reply with its top-level pairs sorted.
pub fn unordered_pairs(reply: &Reply) -> Reply {
    match reply {
        Reply::Map(pairs) => {
            let mut pairs = pairs.clone();
            pairs.sort();
            Reply::Map(pairs)
        }
        Reply::Array(elements)
            if elements.len() % 2 == 0 && elements.iter().all(|e| e.elements().is_none()) =>
        {
            let mut pairs: Vec<&[Reply]> = elements.chunks(2).collect();
            pairs.sort();
            Reply::Array(pairs.concat())
        }
        other => unordered(other),
    }
}

/// Removes named fields at any depth, in maps and in flat arrays of pairs.
fn without_fields(reply: &Reply, dropped: &[&str], blurred: &[&str]) -> Reply {
    let is_in = |name: &Reply, list: &[&str]| {
        name.text()
            .is_some_and(|name| list.iter().any(|entry| entry.as_bytes() == name))
    };
    let below = |reply: &Reply| without_fields(reply, dropped, blurred);
    match reply {
        Reply::Map(pairs) => Reply::Map(
            pairs
                .iter()
                .filter(|(name, _)| !is_in(name, dropped))
                .map(|(name, value)| {
                    let value = if is_in(name, blurred) {
                        Reply::Simple(value.kind().into())
                    } else {
                        below(value)
                    };
                    (name.clone(), value)
                })
                .collect(),
        ),
        Reply::Array(elements) => {
            let mut kept = Vec::new();
            let mut rest = elements.iter();
            while let Some(element) = rest.next() {
                if is_in(element, dropped) {
                    rest.next();
                } else if is_in(element, blurred) {
                    kept.push(element.clone());
                    kept.extend(rest.next().map(|value| Reply::Simple(value.kind().into())));
                } else {
                    kept.push(below(element));
                }
            }
            Reply::Array(kept)
        }
        other => other.clone(),
    }
}

/// Leaves out consumers with nothing pending, and their number.
fn without_idle_consumers(reply: &Reply) -> Reply {
    let field = |reply: &Reply, name: &str| -> Option<Reply> {
        match reply {
            Reply::Map(pairs) => pairs
                .iter()
                .find(|(key, _)| key.text() == Some(name.as_bytes()))
                .map(|(_, value)| value.clone()),
            Reply::Array(elements) => elements
                .chunks_exact(2)
                .find(|pair| pair[0].text() == Some(name.as_bytes()))
                .map(|pair| pair[1].clone()),
            _ => None,
        }
    };
    let is_idle_consumer = |reply: &Reply| {
        let none = Some(Reply::Integer(0));
        let in_list = field(reply, "idle").is_some() && field(reply, "pending") == none;
        in_list || field(reply, "seen-time").is_some() && field(reply, "pel-count") == none
    };
    let below = |name: Option<&Reply>, value: &Reply| {
        let is_count = matches!(value, Reply::Integer(_));
        if is_count && name.and_then(Reply::text) == Some(b"consumers") {
            Reply::Simple(value.kind().into())
        } else {
            without_idle_consumers(value)
        }
    };
    match reply {
        Reply::Map(pairs) => Reply::Map(
            pairs
                .iter()
                .map(|(name, value)| (name.clone(), below(Some(name), value)))
                .collect(),
        ),
        Reply::Array(elements) => {
            let mut kept = Vec::new();
            let mut previous = None;
            for element in elements {
                if !is_idle_consumer(element) {
                    kept.push(below(previous, element));
                }
                previous = Some(element);
            }
            Reply::Array(kept)
        }
        other => other.clone(),
    }
}

fn without_idle(reply: &Reply) -> Reply {
    match reply {
        Reply::Array(entries) => Reply::Array(
            entries
                .iter()
                .map(|entry| match entry {
                    Reply::Array(fields) if fields.len() == 4 => Reply::Array(vec![
                        fields[0].clone(),
                        fields[1].clone(),
                        fields[3].clone(),
                    ]),
                    other => other.clone(),
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

fn superset(oracle: &Reply, subject: &Reply) -> Result<(), String> {
    same_kind(oracle, subject)?;
    let (Some(left), Some(right)) = (oracle.elements(), subject.elements()) else {
        return Err("values differ".into());
    };
    let missing: Vec<&Reply> = left
        .iter()
        .filter(|element| !right.contains(element))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("missing: {missing:?}"))
    }
}

fn shared_pairs(oracle: &Reply, subject: &Reply, blurred: &[&str]) -> Result<(), String> {
    same_kind(oracle, subject)?;
    let pairs = |reply: &Reply| -> Vec<(Reply, Reply)> {
        match reply {
            Reply::Map(pairs) => pairs.clone(),
            Reply::Array(flat) => flat
                .chunks_exact(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect(),
            _ => Vec::new(),
        }
    };
    let subject = pairs(subject);
    for (name, value) in pairs(oracle) {
        let label = String::from_utf8_lossy(name.text().unwrap_or_default()).into_owned();
        match subject.iter().find(|(other, _)| *other == name) {
            None => return Err(format!("{label} is missing")),
            Some((_, other)) if *other != value && !blurred.contains(&label.as_str()) => {
                return Err(format!("{label} is {value:?} against {other:?}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::step::parse_words;
    use crate::resp::parse;

    const OLD: (u32, u32) = (7, 0);

    fn verdict(
        command: &str,
        oracle: &[u8],
        subject: &[u8],
        reference: (u32, u32),
    ) -> Result<(), String> {
        let frame = |raw: &[u8]| Frame {
            reply: parse(raw).expect("well formed").expect("complete").0,
            raw: raw.to_vec(),
        };
        compare_frames(
            &parse_words(command).expect("words"),
            &frame(oracle),
            &frame(subject),
            reference,
        )
    }

    #[test]
    fn exact_is_the_default() {
        assert_eq!(
            verdict("GET k", b"$1\r\na\r\n", b"$1\r\na\r\n", OLD),
            Ok(())
        );
        assert!(verdict("GET k", b"$1\r\na\r\n", b"$1\r\nb\r\n", OLD).is_err());
        assert!(verdict("GET k", b"$-1\r\n", b"_\r\n", OLD).is_err());
        assert!(
            verdict(
                "LRANGE k 0 -1",
                b"*2\r\n:1\r\n:2\r\n",
                b"*2\r\n:2\r\n:1\r\n",
                OLD
            )
            .is_err()
        );
        assert!(
            verdict("INCR k", b":1\r\n", b":+1\r\n", OLD).is_err(),
            "not the same bytes"
        );
    }

    #[test]
    fn unordered_replies() {
        assert_eq!(
            verdict(
                "SMEMBERS k",
                b"~2\r\n+1\r\n+2\r\n",
                b"~2\r\n+2\r\n+1\r\n",
                OLD
            ),
            Ok(())
        );
        assert!(verdict("SMEMBERS k", b"~1\r\n+1\r\n", b"*1\r\n+1\r\n", OLD).is_err());
        assert!(
            verdict(
                "SMEMBERS k",
                b"~2\r\n+1\r\n+1\r\n",
                b"~2\r\n+1\r\n+2\r\n",
                OLD
            )
            .is_err()
        );
        let (ab, ba) = (
            b"*4\r\n+a\r\n+1\r\n+b\r\n+2\r\n",
            b"*4\r\n+b\r\n+2\r\n+a\r\n+1\r\n",
        );
        assert_eq!(verdict("HGETALL k", ab, ba, OLD), Ok(()));
        assert!(verdict("HGETALL k", ab, b"*4\r\n+b\r\n+1\r\n+a\r\n+2\r\n", OLD).is_err());
    }

    #[test]
    fn doubles_of_an_older_reference_are_numbers() {
        let (long, short) = (b",0.10000000000000001\r\n", b",0.1\r\n");
        assert_eq!(verdict("ZSCORE k m", long, short, OLD), Ok(()));
        assert!(verdict("ZSCORE k m", long, short, (7, 2)).is_err());
        assert!(verdict("ZSCORE k m", long, b",0.2\r\n", OLD).is_err());
        assert!(verdict("ZSCORE k m", b",0\r\n", b",-0\r\n", OLD).is_err());
        assert!(verdict("GET k", b"$3\r\n0.1\r\n", b"$4\r\n0.10\r\n", OLD).is_err());
    }

    #[test]
    fn clocks_and_tolerances() {
        assert_eq!(verdict("PTTL k", b":5000\r\n", b":4000\r\n", OLD), Ok(()));
        assert!(verdict("PTTL k", b":-1\r\n", b":0\r\n", OLD).is_err());
        assert!(verdict("TTL k", b":100\r\n", b":200\r\n", OLD).is_err());
        let entry =
            |idle: &str| format!("*1\r\n*4\r\n+1-1\r\n+c\r\n:{idle}\r\n:1\r\n").into_bytes();
        assert_eq!(
            verdict("XPENDING k g - + 1", &entry("3"), &entry("900"), OLD),
            Ok(())
        );
        let info = b"*6\r\n+name\r\n+a\r\n+idle\r\n:3\r\n+pending\r\n:0\r\n";
        let newer = b"*8\r\n+name\r\n+a\r\n+idle\r\n:7\r\n+inactive\r\n:9\r\n+pending\r\n:0\r\n";
        assert_eq!(verdict("XINFO CONSUMERS k g", info, newer, OLD), Ok(()));
        let none = b"*0\r\n";
        let idle = b"*1\r\n*6\r\n+name\r\n+a\r\n+idle\r\n:7\r\n+pending\r\n:0\r\n";
        let busy = b"*1\r\n*6\r\n+name\r\n+a\r\n+idle\r\n:7\r\n+pending\r\n:1\r\n";
        assert_eq!(verdict("XINFO CONSUMERS k g", none, idle, OLD), Ok(()));
        assert!(verdict("XINFO CONSUMERS k g", none, idle, (7, 2)).is_err());
        assert!(verdict("XINFO CONSUMERS k g", none, busy, OLD).is_err());
    }

    #[test]
    fn errors_and_encodings() {
        assert!(verdict("GET k", b"-ERR a\r\n", b"-ERR b\r\n", OLD).is_err());
        assert!(verdict("SMEMBERS k", b"-ERR a\r\n", b"*0\r\n", OLD).is_err());
        assert_eq!(
            verdict(
                "OBJECT ENCODING k",
                b"$9\r\nhashtable\r\n",
                b"$8\r\nlistpack\r\n",
                OLD
            ),
            Ok(())
        );
        assert!(
            verdict(
                "OBJECT ENCODING k",
                b"$8\r\nlistpack\r\n",
                b"$3\r\nraw\r\n",
                OLD
            )
            .is_err()
        );
    }
}
