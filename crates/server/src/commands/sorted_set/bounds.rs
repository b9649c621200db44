//! The ends of ranges as commands name them: ranks, scores, members.

use std::ops::Range;

use ochre_structures::number;
use ochre_structures::sorted_set::{LexBound, ScoreBound};

use crate::error::Error;

/// Two scores.
///
/// # Errors
/// `min or max is not a float`
pub fn scores(min: &[u8], max: &[u8]) -> Result<(ScoreBound, ScoreBound), Error> {
    score(min)
        .zip(score(max))
        .ok_or(Error::text("ERR min or max is not a float"))
}

/// `1.5`, or `(1.5` for what lies beyond it.
fn score(text: &[u8]) -> Option<ScoreBound> {
    match text.strip_prefix(b"(") {
        Some(text) => lenient_float(text).map(ScoreBound::Exclusive),
        None => lenient_float(text).map(ScoreBound::Inclusive),
    }
}

/// What C's `strtod` makes of a text: it skips leading white space, takes nothing for 0
/// and what is too large for infinite, and ends at a zero byte. NaN is refused.
fn lenient_float(text: &[u8]) -> Option<f64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !is_space(byte))?;
    let text = &text[start..];
    number::parse_f64(text).or_else(|| {
        let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        (!value.is_nan()).then_some(value)
    })
}

/// Two members.
///
/// # Errors
/// `min or max not valid string range item`
pub fn members<'a>(min: &'a [u8], max: &'a [u8]) -> Result<(LexBound<'a>, LexBound<'a>), Error> {
    member(min)
        .zip(member(max))
        .ok_or(Error::text("ERR min or max not valid string range item"))
}

/// `[a`, `(a` for what lies beyond it, `-` and `+` for the ends.
fn member(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        [b'-'] | [b'-', 0, ..] => Some(LexBound::Min),
        [b'+'] | [b'+', 0, ..] => Some(LexBound::Max),
        [b'[', member @ ..] => Some(LexBound::Inclusive(member)),
        [b'(', member @ ..] => Some(LexBound::Exclusive(member)),
        _ => None,
    }
}

/// The ranks from `start` to `stop`, both included, of `len` there are; negative ones
/// count from the end.
pub fn ranks(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_end = |index: i64| {
        if index < 0 {
            index.saturating_add_unsigned(len as u64)
        } else {
            index
        }
    };
    let start = from_end(start).max(0) as usize;
    let stop = from_end(stop);
    if stop < 0 || start as u64 > stop as u64 || start >= len {
        return 0..0;
    }
    start..(stop as usize).saturating_add(1).min(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_as_c_reads_them() {
        for (text, expected) in [
            (&b"1.5"[..], Some(ScoreBound::Inclusive(1.5))),
            (b"(1.5", Some(ScoreBound::Exclusive(1.5))),
            (b"", Some(ScoreBound::Inclusive(0.0))),
            (b"(", Some(ScoreBound::Exclusive(0.0))),
            (b" 2", Some(ScoreBound::Inclusive(2.0))),
            (b"1e400", Some(ScoreBound::Inclusive(f64::INFINITY))),
            (b"-inf", Some(ScoreBound::Inclusive(f64::NEG_INFINITY))),
            (b"3\0x", Some(ScoreBound::Inclusive(3.0))),
            (b" ", None),
            (b"2 ", None),
            (b"nan", None),
            (b"((1", None),
            (b"x", None),
        ] {
            assert_eq!(score(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn members_need_a_mark() {
        assert_eq!(member(b"-"), Some(LexBound::Min));
        assert_eq!(member(b"+"), Some(LexBound::Max));
        assert_eq!(member(b"[a"), Some(LexBound::Inclusive(b"a")));
        assert_eq!(member(b"("), Some(LexBound::Exclusive(b"")));
        for wrong in [&b""[..], b"a", b"-1", b"+a"] {
            assert_eq!(member(wrong), None);
        }
    }

    #[test]
    fn ranks_count_from_either_end() {
        assert_eq!(ranks(0, -1, 5), 0..5);
        assert_eq!(ranks(-2, 100, 5), 3..5);
        assert_eq!(ranks(-100, 1, 5), 0..2);
        assert_eq!(ranks(1, 1, 5), 1..2);
        for empty in [
            ranks(2, 1, 5),
            ranks(5, 9, 5),
            ranks(0, -6, 5),
            ranks(i64::MAX, i64::MIN, 5),
            ranks(0, -1, 0),
        ] {
            assert!(empty.is_empty());
        }
        assert_eq!(ranks(i64::MIN, i64::MAX, 5), 0..5);
    }
}
