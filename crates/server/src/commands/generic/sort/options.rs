//! The options of SORT, and the errors they give, in Redis's order.

use std::ops::Range;

use super::pattern::Pattern;
use crate::commands::args::Args;
use crate::error::Error;

/// Whether the result may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    Storing,
    ReadOnly,
}

/// ASC or DESC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Ascending,
    Descending,
}

impl Order {
    pub fn is_descending(self) -> bool {
        self == Self::Descending
    }
}

/// What orders the elements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum By<'a> {
    #[default]
    Element,
    /// The value of the key (or of the hash field) that the element names.
    Key(Pattern<'a>),
    /// The collection's own order.
    Nothing,
}

#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    pub by: By<'a>,
    pub get: Vec<Pattern<'a>>,
    pub order: Order,
    /// Compares bytes, not numbers.
    pub alpha: bool,
    pub store: Option<&'a [u8]>,
    limit: Option<(i64, i64)>,
}

impl<'a> Options<'a> {
    /// # Errors
    /// Syntax errors, and limits that are no integers.
    pub fn parse(args: &mut Args<'a>, variant: Variant) -> Result<Self, Error> {
        let mut options = Self::default();
        while !args.is_empty() {
            let values = args.len() - 1;
            if args.keyword("ASC") {
                options.order = Order::Ascending;
            } else if args.keyword("DESC") {
                options.order = Order::Descending;
            } else if args.keyword("ALPHA") {
                options.alpha = true;
            } else if values >= 2 && args.keyword("LIMIT") {
                options.limit = Some((args.integer()?, args.integer()?));
            } else if variant == Variant::Storing && values >= 1 && args.keyword("STORE") {
                options.store = Some(args.next()?);
            } else if values >= 1 && args.keyword("BY") {
                let pattern = args.next()?;
                options.by = if pattern.contains(&b'*') {
                    By::Key(Pattern::new(pattern))
                } else {
                    By::Nothing
                };
            } else if values >= 1 && args.keyword("GET") {
                options.get.push(Pattern::new(args.next()?));
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(options)
    }

    /// Whether the elements keep the collection's own order.
    pub fn is_unsorted(&self) -> bool {
        self.by == By::Nothing
    }

    /// Which of `len` sorted elements LIMIT asks for: a negative offset counts as 0, a
    /// negative count as all.
    pub fn range(&self, len: usize) -> Range<usize> {
        let (offset, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset.max(0))
            .unwrap_or(usize::MAX)
            .min(len);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(words: &'a [&'a [u8]]) -> Result<Options<'a>, Error> {
        Options::parse(&mut Args::new(words, 0, &[]), Variant::Storing)
    }

    #[test]
    fn limits_are_clamped() {
        let range =
            |offset: &[u8], count: &[u8]| parse(&[b"LIMIT", offset, count]).unwrap().range(10);
        assert_eq!(range(b"2", b"3"), 2..5);
        assert_eq!(range(b"-2", b"3"), 0..3);
        assert_eq!(range(b"8", b"-1"), 8..10);
        assert_eq!(range(b"20", b"3"), 10..10);
        assert_eq!(
            range(b"9223372036854775807", b"9223372036854775807"),
            10..10
        );
        assert_eq!(range(b"3", b"0"), 3..3);
    }

    #[test]
    fn the_last_by_counts_and_store_is_for_sort_alone() {
        let options = parse(&[b"BY", b"w_*", b"BY", b"nosort"]).unwrap();
        assert!(options.is_unsorted());
        assert!(parse(&[b"STORE"]).is_err());
        let words: &[&[u8]] = &[b"STORE", b"x"];
        let read_only = Options::parse(&mut Args::new(words, 0, &[]), Variant::ReadOnly);
        assert_eq!(read_only.unwrap_err(), Error::Syntax);
        assert_eq!(
            parse(&[b"LIMIT", b"a", b"1"]).unwrap_err(),
            Error::NotInteger
        );
    }
}
