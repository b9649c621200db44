//! The quoting rules of configuration lines (and of inline commands).
//!
//! ```text
//!   word word        separated by white space
//!   "a \x41 \n"      double quotes: \xHH, \n \r \t \a \b, and \c for any other c
//!   'a "b" \''       single quotes: only \' is special
//! ```
//!
//! A closing quote must be followed by white space or the end of the line.
//! Invariant: [`split`] of what [`quoted`] writes gives back the same bytes.

use std::fmt::Write as _;

/// Splits a line into words; None when a quote is unbalanced or glued to what follows.
/// O(n), and never more memory than a small multiple of the line.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|byte| is_space(*byte)) {
            at += 1;
        }
        if matches!(line.get(at), None | Some(0)) {
            return Some(words);
        }
        let (word, end) = one_word(line, at)?;
        words.push(word);
        at = end;
    }
}

fn one_word(line: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut word = Vec::new();
    loop {
        match line.get(at) {
            None | Some(b' ' | b'\n' | b'\r' | b'\t' | 0) => return Some((word, at)),
            Some(quote @ (b'"' | b'\'')) => {
                at = match quote {
                    b'"' => double_quoted(line, at + 1, &mut word)?,
                    _ => single_quoted(line, at + 1, &mut word)?,
                };
                return match line.get(at) {
                    None => Some((word, at)),
                    Some(byte) if is_space(*byte) || *byte == 0 => Some((word, at)),
                    Some(_) => None,
                };
            }
            Some(byte) => word.push(*byte),
        }
        at += 1;
    }
}

/// Reads up to the closing quote and returns the place after it.
fn double_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match line.get(at..)? {
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.push(hex_digit(*high) << 4 | hex_digit(*low));
                at += 4;
            }
            [b'\\', escaped, ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                at += 2;
            }
            [b'"', ..] => return Some(at + 1),
            [byte, ..] => {
                word.push(*byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match line.get(at..)? {
            [b'\\', b'\'', ..] => {
                word.push(b'\'');
                at += 2;
            }
            [b'\'', ..] => return Some(at + 1),
            [byte, ..] => {
                word.push(*byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

/// The bytes in double quotes, with everything unprintable escaped.
pub fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'"' => text.push_str("\\\""),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            b' '..=b'~' => text.push(byte.into()),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text.push('"');
    text
}

/// C's isspace in the "C" locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte
            .to_ascii_lowercase()
            .wrapping_sub(b'a')
            .wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(line: &str, expected: Option<&[&str]>) {
        let words = split(line.as_bytes());
        let expected =
            expected.map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect());
        assert_eq!(words, expected, "{line}");
    }

    #[test]
    fn lines_split_as_in_redis() {
        check("", Some(&[]));
        check("  a\tb  ", Some(&["a", "b"]));
        check(r#"save """#, Some(&["save", ""]));
        check(r#""\x41\n\q" 'it\'s "x"'"#, Some(&["A\nq", "it's \"x\""]));
        check(r#"ab"c d" e"#, Some(&["abc d", "e"]));
        check(r#""a"b"#, None);
        check(r#""a"#, None);
        check("'a", None);
        check(r#""a\"#, None);
        check(r#""\xZZ""#, Some(&["xZZ"]));
    }

    proptest! {
        #[test]
        fn quoted_words_read_back(words: Vec<Vec<u8>>) {
            let line: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            prop_assert_eq!(split(line.join(" ").as_bytes()), Some(words));
        }

        #[test]
        fn any_line_splits_or_is_refused(line: Vec<u8>) {
            if let Some(words) = split(&line) {
                prop_assert!(words.iter().map(Vec::len).sum::<usize>() <= line.len());
            }
        }
    }
}
