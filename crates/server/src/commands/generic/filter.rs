//! What SCAN, HSCAN, SSCAN, ZSCAN and KEYS are asked for: cursor, MATCH, COUNT, TYPE.

use ochre_store::Entry;
use ochre_structures::glob::{self, Case};
use ochre_structures::number;

use crate::commands::args::Args;
use crate::error::Error;

/// Elements per call where COUNT is not given.
const DEFAULT_COUNT: usize = 10;

/// The next argument as a scan's cursor: what C's `strtoul` reads to the end, but no
/// leading white space.
///
/// # Errors
/// `invalid cursor`
pub fn cursor(args: &mut Args<'_>) -> Result<u64, Error> {
    let text = args.next()?;
    // C stops at a NUL.
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    // No digits at all read as 0.
    if text.is_empty() {
        return Ok(0);
    }
    let is_negative = text[0] == b'-';
    let magnitude = text.get(usize::from(is_negative)..).unwrap_or_default();
    let starts_well = match magnitude.first() {
        Some(b'+') => !is_negative,
        first => first.is_some_and(u8::is_ascii_digit),
    };
    starts_well
        .then(|| number::parse_u64_lenient(magnitude))
        .flatten()
        .map(|value| {
            if is_negative {
                value.wrapping_neg()
            } else {
                value
            }
        })
        .ok_or(Error::text("ERR invalid cursor"))
}

/// A pattern of names; `None` matches all, the empty one included.
#[derive(Debug, Clone, Default)]
pub struct Pattern(Option<Box<[u8]>>);

impl Pattern {
    pub fn new(pattern: &[u8]) -> Self {
        Self((pattern != b"*").then(|| pattern.into()))
    }

    #[inline]
    pub fn matches(&self, name: &[u8]) -> bool {
        self.0
            .as_deref()
            .is_none_or(|pattern| glob::matches(pattern, name, Case::Sensitive))
    }
}

/// What a scan is to return.
#[derive(Debug, Clone)]
pub struct Filter {
    pub pattern: Pattern,
    /// At least as many elements are looked at.
    pub count: usize,
    /// Fields without their values.
    pub names_only: bool,
    /// The name of a type, in any case, known or not.
    kind: Option<Box<[u8]>>,
}

/// What is scanned: only keys have types, only fields have values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanned {
    Keys,
    Elements,
    Fields,
}

impl Filter {
    /// All keys that match.
    pub fn matching(pattern: &[u8]) -> Self {
        Self {
            pattern: Pattern::new(pattern),
            count: usize::MAX,
            names_only: false,
            kind: None,
        }
    }

    /// The options behind the cursor.
    ///
    /// # Errors
    /// Unknown options, and counts that are no positive integers.
    pub fn parse(args: &mut Args<'_>, scanned: Scanned) -> Result<Self, Error> {
        let mut filter = Self {
            pattern: Pattern::default(),
            count: DEFAULT_COUNT,
            names_only: false,
            kind: None,
        };
        while !args.is_empty() {
            let has_value = args.len() > 1;
            if has_value && args.keyword("COUNT") {
                let count = args.integer()?;
                filter.count = usize::try_from(count)
                    .ok()
                    .filter(|&count| count > 0)
                    .ok_or(Error::Syntax)?;
            } else if has_value && args.keyword("MATCH") {
                filter.pattern = Pattern::new(args.next()?);
            } else if has_value && scanned == Scanned::Keys && args.keyword("TYPE") {
                filter.kind = Some(args.next()?.into());
            } else if scanned == Scanned::Fields && args.keyword("NOVALUES") {
                filter.names_only = true;
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(filter)
    }

    /// Whether a key is wanted.
    #[inline]
    pub fn admits(&self, entry: &Entry) -> bool {
        self.pattern.matches(entry.key())
            && self
                .kind
                .as_deref()
                .is_none_or(|kind| kind.eq_ignore_ascii_case(entry.value_type().name().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_cursor(text: &[u8]) -> Option<u64> {
        cursor(&mut Args::new(&[text], 0, &[])).ok()
    }

    #[test]
    fn cursors_are_what_strtoul_reads() {
        assert_eq!(read_cursor(b"0"), Some(0));
        assert_eq!(read_cursor(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(read_cursor(b"007"), Some(7));
        assert_eq!(read_cursor(b"+7"), Some(7));
        assert_eq!(read_cursor(b"-1"), Some(u64::MAX));
        assert_eq!(read_cursor(b""), Some(0));
        assert_eq!(read_cursor(b"5\0x"), Some(5));
        assert_eq!(read_cursor(b"\0\r"), Some(0));
        assert_eq!(read_cursor(b"7\0x"), Some(7));
        for wrong in [
            &b" 1"[..],
            b"1 ",
            b"x",
            b"-",
            b"--1",
            b"-+1",
            b"18446744073709551616",
            b"1.0",
        ] {
            assert_eq!(read_cursor(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn a_lone_star_matches_even_the_empty_name() {
        assert!(Pattern::new(b"*").matches(b""));
        assert!(!Pattern::new(b"**").matches(b""));
        assert!(Pattern::new(b"a*").matches(b"abc"));
    }

    #[test]
    fn options() {
        let parse =
            |words: &[&[u8]], scanned| Filter::parse(&mut Args::new(words, 0, &[]), scanned);
        let all = parse(
            &[b"count", b"5", b"MATCH", b"a", b"type", b"Hash"],
            Scanned::Keys,
        )
        .unwrap();
        assert_eq!(all.count, 5);
        assert!(parse(&[b"TYPE", b"hash"], Scanned::Elements).is_err());
        assert_eq!(
            parse(&[b"COUNT", b"0"], Scanned::Keys).unwrap_err(),
            Error::Syntax
        );
        assert_eq!(
            parse(&[b"COUNT", b"x"], Scanned::Keys).unwrap_err(),
            Error::NotInteger
        );
        assert_eq!(
            parse(&[b"COUNT"], Scanned::Keys).unwrap_err(),
            Error::Syntax
        );
    }
}
