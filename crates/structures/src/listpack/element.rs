//! One element as a reader sees it: an integer or a string.
//!
//! To a client both are strings; the integer is only a smaller form of its own
//! decimal digits. Equality is therefore equality of the digits.

/// The longest decimal form of an `i64`: a sign and 19 digits.
const MAX_INTEGER_DIGITS: usize = 20;

/// An element of a listpack, borrowed from its bytes.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// Stored as an integer; stands for its decimal form.
    Int(i64),
    /// Stored as bytes.
    Str(&'a [u8]),
}

impl<'a> Element<'a> {
    /// Whether this element stands for exactly `bytes`.
    #[must_use]
    pub fn eq_bytes(&self, bytes: &[u8]) -> bool {
        match *self {
            Element::Int(value) => parse_integer(bytes) == Some(value),
            Element::Str(own) => own == bytes,
        }
    }

    /// The length in bytes of what the element stands for.
    #[must_use]
    pub fn len(&self) -> usize {
        match *self {
            Element::Int(value) => decimal_len(value),
            Element::Str(bytes) => bytes.len(),
        }
    }

    /// Whether the element is the empty string.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Element::Str(bytes) if bytes.is_empty())
    }

    /// The bytes the element stands for; an integer is printed into `digits`.
    #[must_use]
    pub fn as_bytes<'b>(&self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match *self {
            Element::Int(value) => digits.format(value).as_bytes(),
            Element::Str(bytes) => bytes,
        }
    }

    /// Appends the bytes the element stands for to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes(&mut itoa::Buffer::new()));
    }

    /// The bytes the element stands for, copied.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.as_bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// The integer this element is, however it is stored.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Element::Int(value) => Some(value),
            Element::Str(bytes) => parse_integer(bytes),
        }
    }

    /// The form in which the element is stored: an integer wherever possible.
    #[inline]
    #[must_use]
    pub fn canonical(self) -> Self {
        match self.as_integer() {
            Some(value) => Element::Int(value),
            None => self,
        }
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.canonical(), other.canonical()) {
            (Element::Int(a), Element::Int(b)) => a == b,
            (Element::Str(a), Element::Str(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Element<'_> {}

impl<'a> From<&'a [u8]> for Element<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Element::Str(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Element<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Element::Str(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Element<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Element::Str(bytes)
    }
}

impl From<i64> for Element<'_> {
    #[inline]
    fn from(value: i64) -> Self {
        Element::Int(value)
    }
}

/// The `i64` whose canonical decimal form is `bytes`: no sign `+`, no leading
/// zeros, no `-0`, no spaces. Exactly the strings that Redis stores as integers.
#[inline]
#[must_use]
pub fn parse_integer(bytes: &[u8]) -> Option<i64> {
    let first = *bytes.first()?;
    // Most elements are no numbers and end here.
    if !(first.is_ascii_digit() || first == b'-') || bytes.len() > MAX_INTEGER_DIGITS {
        return None;
    }
    if bytes == b"0" {
        return Some(0);
    }
    let (negative, digits) = match first {
        b'-' => (true, &bytes[1..]),
        _ => (false, bytes),
    };
    // 19 digits cannot overflow a u64.
    if digits.is_empty() || digits[0] == b'0' || digits.len() >= MAX_INTEGER_DIGITS {
        return None;
    }
    let mut magnitude = 0_u64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit - b'0');
    }
    if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

fn decimal_len(value: i64) -> usize {
    let digits = value
        .unsigned_abs()
        .checked_ilog10()
        .map_or(1, |log| log as usize + 1);
    digits + usize::from(value < 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Element, parse_integer};

    #[test]
    fn only_canonical_decimals_are_integers() {
        for (bytes, expected) in [
            (&b"0"[..], Some(0)),
            (b"-1", Some(-1)),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"-9223372036854775808", Some(i64::MIN)),
            (b"9223372036854775808", None),
            (b"-9223372036854775809", None),
            (b"99999999999999999999", None),
            (b"", None),
            (b"-", None),
            (b"-0", None),
            (b"00", None),
            (b"01", None),
            (b"+1", None),
            (b" 1", None),
            (b"1 ", None),
            (b"1\0", None),
            (b"--1", None),
            (b"1-", None),
        ] {
            assert_eq!(parse_integer(bytes), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn integers_parse_back(value: i64) {
            let text = value.to_string();
            prop_assert_eq!(parse_integer(text.as_bytes()), Some(value));
            prop_assert_eq!(Element::Int(value).len(), text.len());
            prop_assert_eq!(Element::Int(value).to_vec(), text.as_bytes());
            prop_assert!(Element::Int(value).eq_bytes(text.as_bytes()));
            prop_assert_eq!(Element::Int(value), Element::Str(text.as_bytes()));
        }

        #[test]
        fn what_parses_is_canonical(bytes in "[-+0-9 ]{0,21}") {
            if let Some(value) = parse_integer(bytes.as_bytes()) {
                prop_assert_eq!(value.to_string(), bytes);
            }
        }
    }
}
