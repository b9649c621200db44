//! Whether two servers hold the same data: every key of every database, its type,
//! encoding, time to live and value.

use super::Mismatch;
use super::compare::{compare_replies, is_known_encoding_change, unordered, unordered_pairs};
use super::side::Side;
use super::step::{Command, parse_words};
use crate::resp::{Reply, WireError};

/// Databases that a default configuration has.
const DATABASES: u32 = 16;
/// How far two servers' times to live may be apart, in milliseconds.
const TTL_TOLERANCE_MS: u64 = 5_000;
/// Up to here 7.2 keeps a set in a listpack.
const SET_LISTPACK_ENTRIES: usize = 128;
const SET_LISTPACK_VALUE: usize = 64;

fn command(text: &str) -> Command {
    parse_words(text).unwrap_or_default()
}

/// Compares everything; `None` when nothing differs.
pub(super) fn compare_states(
    oracle: &mut Side,
    subject: &mut Side,
    reference: (u32, u32),
) -> Result<Option<Mismatch>, WireError> {
    let keys: Vec<Command> = (0..DATABASES)
        .flat_map(|database| [command(&format!("SELECT {database}")), command("KEYS *")])
        .collect();
    let left = oracle.admin()?.pipeline(&keys)?;
    let right = subject.admin()?.pipeline(&keys)?;
    for database in 0..DATABASES {
        let at = database as usize * 2 + 1;
        let (left, right) = (unordered(&left[at]), unordered(&right[at]));
        if left != right {
            return Ok(Some(mismatch(
                database,
                "KEYS *",
                &left,
                &right,
                "the sets of keys differ",
            )));
        }
        let keys = left.elements().unwrap_or_default();
        if !keys.is_empty() {
            let found = compare_keys(oracle, subject, database, keys, reference)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

fn mismatch(database: u32, what: &str, oracle: &Reply, subject: &Reply, why: &str) -> Mismatch {
    Mismatch {
        step: None,
        what: format!("state of database {database}: {what}"),
        oracle: format!("{oracle:?}"),
        subject: format!("{subject:?}"),
        why: why.to_string(),
    }
}

fn compare_keys(
    oracle: &mut Side,
    subject: &mut Side,
    database: u32,
    keys: &[Reply],
    reference: (u32, u32),
) -> Result<Option<Mismatch>, WireError> {
    let names: Vec<&[u8]> = keys.iter().filter_map(Reply::text).collect();
    let select = command(&format!("SELECT {database}"));
    let mut questions = vec![select.clone()];
    for name in &names {
        questions.push(with_key("TYPE", name, ""));
        questions.push(with_key("OBJECT ENCODING", name, ""));
        questions.push(with_key("PTTL", name, ""));
    }
    let left = oracle.admin()?.pipeline(&questions)?;
    let right = subject.admin()?.pipeline(&questions)?;
    let mut reads = vec![select];
    for (index, question) in questions.iter().enumerate().skip(1) {
        let (ours, theirs) = (&left[index], &right[index]);
        let key = names[(index - 1) / 3];
        let same = match (index - 1) % 3 {
            0 => {
                reads.extend(value_reads(ours, key));
                ours == theirs
            }
            // Whether a changed encoding is right depends on the value, below.
            1 => ours == theirs || encoding_may_differ(ours, theirs, reference),
            _ => match (ours.integer(), theirs.integer()) {
                (Some(ours), Some(theirs)) if ours >= 0 && theirs >= 0 => {
                    ours.abs_diff(theirs) <= TTL_TOLERANCE_MS
                }
                _ => ours == theirs,
            },
        };
        if !same {
            let what = super::step::words(question);
            return Ok(Some(mismatch(
                database,
                &what,
                ours,
                theirs,
                "the keys differ",
            )));
        }
    }
    let left_values = oracle.admin()?.pipeline(&reads)?;
    let right_values = subject.admin()?.pipeline(&reads)?;
    for (index, read) in reads.iter().enumerate().skip(1) {
        let (ours, theirs) = (&left_values[index], &right_values[index]);
        let (ours, theirs) = match read[0].as_slice() {
            b"SMEMBERS" => (unordered(ours), unordered(theirs)),
            b"HGETALL" => (unordered_pairs(ours), unordered_pairs(theirs)),
            _ => (ours.clone(), theirs.clone()),
        };
        if let Err(why) = compare_replies(read, &ours, &theirs, reference) {
            return Ok(Some(mismatch(
                database,
                &super::step::words(read),
                &ours,
                &theirs,
                &why,
            )));
        }
        if read[0] == b"SMEMBERS" {
            let at = names
                .iter()
                .position(|name| *name == read[1].as_slice())
                .unwrap_or_default()
                * 3
                + 2;
            if right[at].text() == Some(b"listpack")
                && !fits_set_listpack(&theirs)
                && left[at] != right[at]
            {
                let why = "a set too large for a listpack";
                return Ok(Some(mismatch(
                    database,
                    &super::step::words(&questions[at]),
                    &left[at],
                    &right[at],
                    why,
                )));
            }
        }
    }
    Ok(None)
}

fn encoding_may_differ(oracle: &Reply, subject: &Reply, reference: (u32, u32)) -> bool {
    match (oracle.text(), subject.text()) {
        (Some(oracle), Some(subject)) => is_known_encoding_change(oracle, subject, reference),
        _ => false,
    }
}

fn fits_set_listpack(members: &Reply) -> bool {
    let members = members.elements().unwrap_or_default();
    members.len() <= SET_LISTPACK_ENTRIES
        && members.iter().all(|member| {
            member
                .text()
                .is_some_and(|member| member.len() <= SET_LISTPACK_VALUE)
        })
}

fn with_key(before: &str, key: &[u8], after: &str) -> Command {
    let mut args = command(before);
    args.push(key.to_vec());
    args.extend(command(after));
    args
}

/// The commands that read a whole value of this type.
fn value_reads(kind: &Reply, key: &[u8]) -> Vec<Command> {
    match kind.text() {
        Some(b"string") => vec![with_key("GET", key, "")],
        Some(b"list") => vec![with_key("LRANGE", key, "0 -1")],
        Some(b"set") => vec![with_key("SMEMBERS", key, "")],
        Some(b"hash") => vec![with_key("HGETALL", key, "")],
        Some(b"zset") => vec![with_key("ZRANGE", key, "0 -1 WITHSCORES")],
        Some(b"stream") => vec![
            with_key("XRANGE", key, "- +"),
            with_key("XINFO STREAM", key, "FULL COUNT 0"),
        ],
        _ => Vec::new(),
    }
}
