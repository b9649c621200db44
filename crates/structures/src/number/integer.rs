//! 64-bit integers as text: the canonical decimal form, and the lenient one of stream IDs.
//!
//! Invariant: [`parse_i64`] accepts a text exactly when [`format_i64`] of the result gives that
//! text back. This is what lets a string value be stored as an integer and still be returned byte
//! for byte.

/// Room for the longest 64-bit integer, in a buffer that needs no allocation.
pub type I64Text = itoa::Buffer;

/// The longest canonical text: `-9223372036854775808`.
const MAX_I64_LEN: usize = 20;

/// Reads a signed integer as Redis's `string2ll` does: no spaces, no `+`, no leading zeros, no
/// `-0`, the whole range of `i64`. O(length), which is at most 20.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    if text.len() > MAX_I64_LEN {
        return None;
    }
    match text {
        [b'-', digits @ ..] => {
            let magnitude = canonical_magnitude(digits)?;
            // "-0" is not what zero prints as.
            if magnitude == 0 || magnitude > i64::MIN.unsigned_abs() {
                return None;
            }
            Some((magnitude as i64).wrapping_neg())
        }
        digits => i64::try_from(canonical_magnitude(digits)?).ok(),
    }
}

/// Reads an unsigned integer in its canonical form: no sign, no spaces, no leading zeros, the
/// whole range of `u64`.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    if text.len() > MAX_I64_LEN {
        return None;
    }
    canonical_magnitude(text)
}

/// Reads an unsigned integer as Redis's `string2ull` does, which is how the two halves of a stream
/// ID are read: a canonical integer that is not negative, or else whatever C's `strtoull` takes,
/// which admits leading white space, a sign and leading zeros. As in C, a sign that `string2ll` did
/// not refuse already negates modulo 2^64.
pub fn parse_u64_lenient(text: &[u8]) -> Option<u64> {
    if let Some(value) = parse_i64(text) {
        return u64::try_from(value).ok();
    }
    let blank = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
        .count();
    let (negative, digits) = match &text[blank..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0u64, |value, &byte| {
        let digit = digit(byte)?;
        value.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative {
        magnitude.wrapping_neg()
    } else {
        magnitude
    })
}

/// Prints a signed integer into `text`.
pub fn format_i64(value: i64, text: &mut I64Text) -> &str {
    text.format(value)
}

/// Appends a signed integer to `out`.
pub fn push_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(I64Text::new().format(value).as_bytes());
}

fn canonical_magnitude(digits: &[u8]) -> Option<u64> {
    match digits {
        [] => None,
        [b'0'] => Some(0),
        [b'0', ..] => None,
        _ => digits.iter().try_fold(0u64, |value, &byte| {
            let digit = digit(byte)?;
            value.checked_mul(10)?.checked_add(digit)
        }),
    }
}

fn digit(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(u64::from(digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges_of_the_range() {
        assert_eq!(parse_i64(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse_i64(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_i64(b"9223372036854775808"), None);
        assert_eq!(parse_i64(b"-9223372036854775809"), None);
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
    }

    #[test]
    fn only_canonical_texts_are_integers() {
        for text in [
            "", "-", "+", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1a", "0x1", "1.0", "--1",
            "1e3", "१",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
            assert_eq!(parse_u64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_u64(b"-1"), None);
        assert_eq!(parse_i64(&[b'1'; 1000]), None);
    }

    /// Each row was asked of a real server as the first half of a stream ID.
    #[test]
    fn lenient_reading_follows_strtoull() {
        for (text, expected) in [
            ("7", Some(7)),
            ("007", Some(7)),
            ("+5", Some(5)),
            (" 5", Some(5)),
            ("5 ", None),
            ("", None),
            ("-3", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("00018446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
        ] {
            assert_eq!(parse_u64_lenient(text.as_bytes()), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(value: i64, unsigned: u64) {
            let mut text = I64Text::new();
            prop_assert_eq!(parse_i64(format_i64(value, &mut text).as_bytes()), Some(value));
            prop_assert_eq!(parse_u64(unsigned.to_string().as_bytes()), Some(unsigned));
        }

        #[test]
        fn what_is_read_is_canonical(text in "[-+0-9 a]{0,22}") {
            let expected = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
            prop_assert_eq!(parse_i64(text.as_bytes()), expected);
        }
    }
}
