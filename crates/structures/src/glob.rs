//! Glob patterns exactly as Redis matches them: KEYS, SCAN, PSUBSCRIBE, ACL,
//! CONFIG GET.
//!
//! | pattern  | matches                                                         |
//! |----------|-----------------------------------------------------------------|
//! | `*`      | any bytes, also none; alone it does not match the empty text    |
//! | `?`      | one byte                                                        |
//! | `[ab]`   | one of these bytes; `[^ab]` one of all others                   |
//! | `[a-z]`  | one byte of the range, whose ends may come in either order      |
//! | `\x`     | `x` itself, in a class too; a last `\` stands for itself        |
//!
//! A class without its `]` ends with the pattern. KEYS and SCAN let `*` alone match
//! the empty key too: they ask for no match then. This is no general matcher of
//! globs: the corner cases are Redis's, bug for bug, because clients see them.
//!
//! Invariant: time is O(pattern × text) and no memory is used, whatever the
//! pattern: only the last `*` is ever extended. For when what follows it fits
//! nowhere in the rest of the text, an earlier `*` that eats more leaves only less
//! to fit it in.

/// More `*` than this (neighbours counting as one) match nothing: the bound that
/// Redis 7.2 put on its recursion, visible to clients.
const MAX_STARS: usize = 1000;

/// Whether letters must agree in case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `a` is not `A`.
    Sensitive,
    /// ASCII letters match in either case, except after `\` in a class.
    Insensitive,
}

impl Case {
    #[inline]
    fn fold(self, byte: u8) -> u8 {
        match self {
            Case::Sensitive => byte,
            Case::Insensitive => byte.to_ascii_lowercase(),
        }
    }
}

/// Whether the whole of `text` matches `pattern`. O(pattern × text), usually O(text).
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    let mut stars = 0;
    // What follows the last `*`, and where in the text it is being tried.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let fitting = match pattern.get(p) {
            Some(b'*') => {
                while pattern.get(p + 1) == Some(&b'*') {
                    p += 1;
                }
                p += 1;
                if p == pattern.len() {
                    return true;
                }
                stars += 1;
                if stars > MAX_STARS {
                    return false;
                }
                retry = Some((p, t));
                continue;
            }
            Some(_) => match_one(pattern, p, text[t], case),
            None => None,
        };
        if let Some(next) = fitting {
            p = next;
            t += 1;
            if t == text.len() {
                // To try the last `*` further on would run out of text as well.
                return pattern[p..].iter().all(|&byte| byte == b'*');
            }
        } else {
            let Some((after_star, tried)) = retry else {
                return false;
            };
            if tried + 1 == text.len() {
                return false;
            }
            retry = Some((after_star, tried + 1));
            (p, t) = (after_star, tried + 1);
        }
    }
}

/// Matches one byte of text with the pattern's item at `p`, which is no `*`;
/// returns where the next item starts.
#[inline]
fn match_one(pattern: &[u8], p: usize, byte: u8, case: Case) -> Option<usize> {
    let literal = match pattern[p] {
        b'?' => return Some(p + 1),
        b'[' => return match_class(pattern, p + 1, byte, case),
        b'\\' if p + 1 < pattern.len() => p + 1,
        _ => p,
    };
    (case.fold(pattern[literal]) == case.fold(byte)).then_some(literal + 1)
}

/// Matches one byte of text with the class whose `[` is before `p`.
fn match_class(pattern: &[u8], mut p: usize, byte: u8, case: Case) -> Option<usize> {
    let negated = pattern.get(p) == Some(&b'^');
    if negated {
        p += 1;
    }
    let mut listed = false;
    loop {
        match pattern.get(p..).unwrap_or_default() {
            [] => break,
            [b'\\', escaped, ..] => {
                listed |= *escaped == byte;
                p += 2;
            }
            [b']', ..] => {
                p += 1;
                break;
            }
            // The `]` of `[a-]` is the end of a range.
            [first, b'-', last, ..] => {
                listed |= in_range(*first, *last, byte, case);
                p += 3;
            }
            [own, ..] => {
                listed |= case.fold(*own) == case.fold(byte);
                p += 1;
            }
        }
    }
    (listed != negated).then_some(p)
}

/// Redis orders bytes as C's signed `char` does (128 to 255 come before 0), and
/// puts the ends in order before it folds their case.
fn in_range(first: u8, last: u8, byte: u8, case: Case) -> bool {
    let (low, high) = match (first as i8) <= (last as i8) {
        true => (first, last),
        false => (last, first),
    };
    let key = |byte: u8| case.fold(byte) as i8;
    (key(low)..=key(high)).contains(&key(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Case, match_one, matches};

    /// Answers of redis-server 7.0.15 to KEYS, the text being the only key.
    const SENSITIVE: &[(&[u8], &[u8], bool)] = &[
        (b"h?llo", b"hello", true),
        (b"h?llo", b"hllo", false),
        (b"h*llo", b"hllo", true),
        (b"h*llo", b"heeeello", true),
        (b"h*llo", b"heeeell", false),
        (b"h[ae]llo", b"hallo", true),
        (b"h[ae]llo", b"hillo", false),
        (b"h[^e]llo", b"hallo", true),
        (b"h[^e]llo", b"hello", false),
        (b"h[a-b]llo", b"hbllo", true),
        (b"h[a-b]llo", b"hcllo", false),
        (b"h[b-a]llo", b"hbllo", true),
        (b"", b"", true),
        (b"", b"a", false),
        (b"**", b"", false),
        (b"?", b"", false),
        (b"**", b"a", true),
        (b"a*", b"a", true),
        (b"a***", b"a", true),
        (b"a*?", b"a", false),
        (b"*a", b"a", true),
        (b"*a*", b"bab", true),
        (b"*ab", b"aab", true),
        (b"*a*b*c", b"xaybzc", true),
        (b"*a*b*c", b"xaybzcd", false),
        (b"a?", b"a", false),
        (b"Hello", b"hello", false),
        (b"\\*", b"*", true),
        (b"\\*", b"a", false),
        (b"\\a", b"a", true),
        (b"\\", b"\\", true),
        (b"a\\", b"a\\", true),
        (b"a\\", b"a", false),
        (b"\\\\", b"\\", true),
        (b"\\\\", b"\\\\", false),
        (b"[", b"[", false),
        (b"[", b"a", false),
        (b"[^", b"a", true),
        (b"[^", b"ab", false),
        (b"a[^", b"a", false),
        (b"[a", b"a", true),
        (b"[ab", b"b", true),
        (b"[ab", b"ab", false),
        (b"[]", b"]", false),
        (b"[]", b"a", false),
        (b"[]a]", b"a]", false),
        (b"[]a]", b"]", false),
        (b"[^]", b"a", true),
        (b"[^]", b"]", true),
        (b"[^]a", b"ba", true),
        (b"[\\]]", b"]", true),
        (b"[\\]", b"]", true),
        (b"[\\]", b"\\", false),
        (b"[\\", b"\\", true),
        (b"[a\\-z]", b"-", true),
        (b"[a\\-z]", b"b", false),
        (b"[a-]", b"-", false),
        (b"[a-]", b"a", true),
        (b"[a-]", b"^", true),
        (b"[a-]b", b"`b", false),
        (b"[a-]b", b"`", true),
        (b"[-a]", b"-", true),
        (b"[-a]", b"a", true),
        (b"[a^]", b"^", true),
        (b"[^^]", b"^", false),
        (b"[^^]", b"a", true),
        (b"[a-c-e]", b"d", false),
        (b"[a-c-e]", b"-", true),
        (b"[a-c-e]", b"e", true),
        (b"[*]", b"*", true),
        (b"[*]", b"a", false),
        (b"[?]", b"?", true),
        (b"[a-z]*[0-9]", b"key:1", true),
        (b"[a-z]*[0-9]", b"key:x", false),
        (b"[\x80-a]", b"\x7f", false),
        (b"[\x80-a]", b"\xff", true),
        (b"[\x80-a]", b"A", true),
        (b"[a-\xff]", b"b", false),
        (b"[a-\xff]", b"\x00", true),
        (b"\xff?", b"\xff\xfe", true),
        (b"a\x00*", b"a\x00b", true),
        (b"a\x00b", b"a\x00c", false),
        (b"*?", b"\x00", true),
    ];

    /// Answers of redis-server 7.0.15 to COMMAND LIST FILTERBY PATTERN.
    const INSENSITIVE: &[(&[u8], &[u8], bool)] = &[
        (b"GET", b"get", true),
        (b"g[E]t", b"get", true),
        (b"g[\\E]t", b"get", false),
        (b"g[\\e]t", b"get", true),
        (b"g[A-z]t", b"get", true),
        (b"g[Z-a]t", b"get", false),
        (b"g[a-Z]t", b"get", false),
        (b"g[E-F]t", b"get", true),
        (b"\\GET", b"get", true),
        (b"*EX", b"getex", true),
        (b"g[^E]t", b"get", false),
        (b"[^G]et", b"set", true),
    ];

    #[test]
    fn the_table_of_answers_holds() {
        for (case, table) in [
            (Case::Sensitive, SENSITIVE),
            (Case::Insensitive, INSENSITIVE),
        ] {
            for &(pattern, text, expected) in table {
                assert_eq!(
                    matches(pattern, text, case),
                    expected,
                    "{} in {} ({case:?})",
                    pattern.escape_ascii(),
                    text.escape_ascii(),
                );
            }
        }
    }

    /// Verified on redis-server 7.0.15 as well: the thousandth star is the last.
    #[test]
    fn stars_are_limited_but_neighbours_count_as_one() {
        let pattern = |stars: usize, end: &str| ["a*".repeat(stars), end.into()].concat();
        let text = |letters: usize, end: &str| ["a".repeat(letters), end.into()].concat();
        let check = |pattern: &str, text: &str| {
            matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive)
        };
        assert!(check(&pattern(1000, "b"), &text(1000, "b")));
        assert!(!check(&pattern(1001, "b"), &text(1001, "b")));
        assert!(check(&pattern(1001, ""), &text(1001, "")));
        assert!(check(
            &["*".repeat(3000), "b".into()].concat(),
            &text(9, "b")
        ));
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = "a*".repeat(900) + "b";
        let text = "a".repeat(20_000);
        assert!(!matches(
            pattern.as_bytes(),
            text.as_bytes(),
            Case::Sensitive
        ));
    }

    /// Tries every length for every star.
    fn exhaustive(pattern: &[u8], text: &[u8], case: Case) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => {
                (0..=text.len()).any(|eaten| exhaustive(rest, &text[eaten..], case))
            }
            (_, []) => false,
            (_, [byte, rest @ ..]) => match_one(pattern, 0, *byte, case)
                .is_some_and(|next| exhaustive(&pattern[next..], rest, case)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn one_retry_is_as_good_as_all(
            pattern in r"[ab*?\[\]^A\\-]{0,12}",
            text in r"[abA]{1,10}",
            insensitive: bool,
        ) {
            let case = if insensitive { Case::Insensitive } else { Case::Sensitive };
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text, case), exhaustive(pattern, text, case));
        }

        #[test]
        fn any_bytes_are_matched_without_a_panic(
            pattern in proptest::collection::vec(
                prop_oneof![any::<u8>(), proptest::sample::select(&b"*?[]^\\-"[..])], 0..24),
            text in proptest::collection::vec(any::<u8>(), 0..24),
        ) {
            let sensitive = matches(&pattern, &text, Case::Sensitive);
            // Escaping every byte makes a pattern that matches its origin alone.
            let literal: Vec<u8> = text.iter().flat_map(|&byte| [b'\\', byte]).collect();
            prop_assert!(matches(&literal, &text, Case::Insensitive));
            let plain = !pattern.iter().any(|byte| b"*?[\\".contains(byte));
            if plain {
                prop_assert_eq!(sensitive, pattern == text);
            }
        }
    }
}
