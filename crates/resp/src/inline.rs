//! Splitting a line into words with the quoting rules of Redis's inline commands
//! (and of its configuration file).

/// Splits `line` into words, appending their bytes to `text` and their lengths to
/// `word`. Double quotes know `\n \r \t \b \a \xHH \\ \"`, single quotes know `\'`;
/// a closing quote must be followed by a space or the end.
///
/// Returns `false` where quotes are unbalanced.
pub fn split(line: &[u8], mut word: impl FnMut(&[u8])) -> bool {
    let mut rest = line;
    let mut text = Vec::new();
    loop {
        while let [first, tail @ ..] = rest
            && first.is_ascii_whitespace_or_vt()
        {
            rest = tail;
        }
        if rest.is_empty() || rest[0] == 0 {
            return true;
        }
        text.clear();
        match take_word(rest, &mut text) {
            Some(after) => {
                word(&text);
                rest = after;
            }
            None => return false,
        }
    }
}

/// C's `isspace`, which counts vertical tab too.
trait Space {
    fn is_ascii_whitespace_or_vt(&self) -> bool;
}

impl Space for u8 {
    fn is_ascii_whitespace_or_vt(&self) -> bool {
        matches!(self, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
    }
}

/// Reads one word from the start of `rest`; what follows it, or `None` where a
/// quote is not closed.
fn take_word<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] | [0, ..] => return Some(rest),
            [b' ' | b'\n' | b'\r' | b'\t', ..] => return Some(rest),
            [b'"', tail @ ..] => return take_double_quoted(tail, text),
            [b'\'', tail @ ..] => return take_single_quoted(tail, text),
            [byte, tail @ ..] => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
}

fn take_double_quoted<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return None,
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                text.push(hex_digit(*high) << 4 | hex_digit(*low));
                rest = tail;
            }
            [b'\\', escaped, tail @ ..] => {
                text.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest = tail;
            }
            [b'"', tail @ ..] => return closed(tail),
            [byte, tail @ ..] => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return None,
            [b'\\', b'\'', tail @ ..] => {
                text.push(b'\'');
                rest = tail;
            }
            [b'\'', tail @ ..] => return closed(tail),
            [byte, tail @ ..] => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
}

fn closed(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [] => Some(rest),
        [next, ..] if next.is_ascii_whitespace_or_vt() => Some(rest),
        _ => None,
    }
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    fn words(line: &str) -> Option<Vec<Vec<u8>>> {
        let mut words = Vec::new();
        split(line.as_bytes(), |word| words.push(word.to_vec())).then_some(words)
    }

    #[test]
    fn words_and_quotes() {
        let some = |list: &[&[u8]]| Some(list.iter().map(|w| w.to_vec()).collect::<Vec<_>>());
        assert_eq!(words("  set a  b "), some(&[b"set", b"a", b"b"]));
        assert_eq!(words(""), some(&[]));
        assert_eq!(words(r#"set "a b" 'c d'"#), some(&[b"set", b"a b", b"c d"]));
        assert_eq!(words(r#""\x41\n\"" '\''"#), some(&[b"A\n\"", b"'"]));
        assert_eq!(words(r#"pre"fix""#), some(&[b"prefix"]));
        assert_eq!(words(r#""""#), some(&[b""]));
        assert_eq!(words(r#""open"#), None);
        assert_eq!(words(r#""a"b"#), None);
        assert_eq!(words(r"'a'b"), None);
        assert_eq!(words(r#""\xzz""#), some(&[b"xzz"]));
    }
}
