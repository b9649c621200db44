//! The quoting of words in a manifest: that of redis.conf.
//!
//! ```text
//!   word word        separated by white space
//!   "a \x41 \n"      double quotes: \xHH, \n \r \t \a \b, and \c for any other c
//!   'a "b" \''       single quotes: only \' is special
//! ```
//!
//! Invariant: [`split`] of what [`append_word`] writes gives back the same bytes.

/// The words of a line; `None` when a quote is not closed, or glued to what follows.
pub(super) fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let mut word = Vec::new();
        while let Some((&byte, after)) = rest.split_first() {
            match byte {
                b'"' | b'\'' => {
                    rest = quoted(byte, after, &mut word)?;
                    // The closing quote ends the word.
                    if rest.first().is_some_and(|byte| !is_space(*byte)) {
                        return None;
                    }
                    break;
                }
                byte if is_space(byte) => break,
                byte => {
                    word.push(byte);
                    rest = after;
                }
            }
        }
        words.push(word);
        while let Some((&byte, after)) = rest.split_first()
            && is_space(byte)
        {
            rest = after;
        }
    }
    Some(words)
}

/// Reads up to the closing quote, and gives what follows it.
fn quoted<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'\\', b'\'', after @ ..] if quote == b'\'' => {
                word.push(b'\'');
                after
            }
            [b'\\', b'x', high, low, after @ ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(hex_digit(*high) << 4 | hex_digit(*low));
                after
            }
            [b'\\', escaped, after @ ..] if quote == b'"' => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                after
            }
            [byte, after @ ..] if *byte == quote => return Some(after),
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

/// Which bytes are written as `\xHH`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// All that are not printable ASCII, as Redis does.
    NotPrintable,
    /// Control characters.
    Controls,
}

/// Writes a word, in quotes if it has characters that need them.
pub(super) fn append_word(text: &mut Vec<u8>, word: &[u8], escape: Escape) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\\\"'".contains(byte);
    if !word.is_empty() && word.iter().all(is_plain) {
        text.extend_from_slice(word);
        return;
    }
    text.push(b'"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => text.extend_from_slice(&[b'\\', byte]),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\t' => text.extend_from_slice(b"\\t"),
            0x07 => text.extend_from_slice(b"\\a"),
            0x08 => text.extend_from_slice(b"\\b"),
            b' ' => text.push(byte),
            byte if byte.is_ascii_graphic() => text.push(byte),
            0x80.. if escape == Escape::Controls => text.push(byte),
            byte => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                text.extend_from_slice(&[b'\\', b'x', DIGITS[high], DIGITS[low]]);
            }
        }
    }
    text.push(b'"');
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}
