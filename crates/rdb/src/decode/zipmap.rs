//! Zipmaps, what small hashes were before Redis 2.6, converted to listpacks.
//!
//! ```text
//! zipmap   pairs (u8) | pair … | 0xFF
//! pair     length | field | length | unused (u8) | value | unused bytes
//! length   one byte up to 253, or 0xFE and a u32 LE
//! ```
//!
//! `pairs` is 254 or more when it says nothing.

use ochre_structures::listpack::Element;

use super::listpacks::{self, Distinct};
use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};

const LARGE_LENGTH: u8 = 0xfe;
const END: u8 = 0xff;

type Checked<T> = std::result::Result<T, RdbErrorKind>;

/// Reads a zipmap, checks it and converts it.
pub(super) fn to_listpack(cursor: &mut Cursor<'_>) -> Result<Vec<u8>> {
    let start = cursor.position();
    let bytes = cursor.blob()?;
    let packed = elements(&bytes).and_then(|elements| {
        if elements.is_empty() {
            return Err(RdbErrorKind::Empty);
        }
        let mut distinct = Distinct::default();
        let mut fields = elements.iter().step_by(2);
        if !fields.all(|&field| distinct.insert(field)) {
            return Err(RdbErrorKind::Duplicate);
        }
        listpacks::build(&elements, bytes.len())
    });
    packed.map_err(|kind| cursor.error_at(start, kind))
}

/// The fields and values of a zipmap, every byte of which is checked.
fn elements(bytes: &[u8]) -> Checked<Vec<Element<'_>>> {
    let malformed = |rest: &[u8]| RdbErrorKind::Zipmap {
        at: bytes.len() - rest.len(),
    };
    let Some((&stated, mut rest)) = bytes.split_first() else {
        return Err(malformed(bytes));
    };
    let mut elements = Vec::new();
    while rest != [END] {
        let (field, value, after) = pair(rest).ok_or(malformed(rest))?;
        elements.push(Element::Str(field));
        elements.push(Element::Str(value));
        rest = after;
    }
    if stated < LARGE_LENGTH && usize::from(stated) != elements.len() / 2 {
        return Err(malformed(bytes));
    }
    Ok(elements)
}

/// A pair, and what is after it.
fn pair(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (len, rest) = length(bytes)?;
    let (field, rest) = rest.split_at_checked(len)?;
    let (len, rest) = length(rest)?;
    let (&unused, rest) = rest.split_first()?;
    let (value, rest) = rest.split_at_checked(len)?;
    Some((field, value, rest.get(usize::from(unused)..)?))
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes.split_first()? {
        (&END, _) => None,
        (&LARGE_LENGTH, rest) => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            Some((usize::try_from(u32::from_le_bytes(*len)).ok()?, rest))
        }
        (&len, rest) => Some((usize::from(len), rest)),
    }
}

#[cfg(test)]
mod tests {
    use ochre_structures::listpack::Element;

    use super::elements;

    /// With three unused bytes after the first value.
    const EXAMPLE: &[u8] = b"\x02\x03foo\x03\x03bar...\x05hello\x05\0world\xff";

    #[test]
    fn a_zipmap_by_hand() {
        let expected: [Element<'_>; 4] = [
            Element::Str(b"foo"),
            Element::Str(b"bar"),
            Element::Str(b"hello"),
            Element::Str(b"world"),
        ];
        assert_eq!(elements(EXAMPLE).unwrap(), expected);
        assert_eq!(elements(b"\0\xff").unwrap(), []);
        let mut uncounted = EXAMPLE.to_vec();
        uncounted[0] = 254;
        assert_eq!(elements(&uncounted).unwrap(), expected);
        let long = [b"\x01\xfe\x01\0\0\0k\x01\0v\xff".as_slice()].concat();
        assert_eq!(
            elements(&long).unwrap(),
            [Element::Str(b"k"), Element::Str(b"v")]
        );
    }

    #[test]
    fn truncated_or_miscounted_is_refused() {
        for len in 0..EXAMPLE.len() {
            assert!(elements(&EXAMPLE[..len]).is_err(), "{len} bytes");
        }
        let mut miscounted = EXAMPLE.to_vec();
        miscounted[0] = 3;
        assert!(elements(&miscounted).is_err());
        assert!(elements(&[EXAMPLE, b"x"].concat()).is_err());
    }
}
