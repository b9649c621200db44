//! The patterns of BY and GET: keys, or fields of hashes, that an element names.

use ochre_store::value::hash::HashRef;
use ochre_store::{Entry, ReadView};

use crate::commands::string::value;

/// A pattern, taken apart.
///
/// ```text
///   weight_*->field      prefix `weight_`, suffix ``, field `field`
///   #                    the element itself
///   constant             names nothing
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern<'a> {
    Element,
    Nothing,
    Key {
        prefix: &'a [u8],
        suffix: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    pub fn new(pattern: &'a [u8]) -> Self {
        if pattern == b"#" {
            return Self::Element;
        }
        let Some(star) = memchr::memchr(b'*', pattern) else {
            return Self::Nothing;
        };
        let (prefix, rest) = (&pattern[..star], &pattern[star + 1..]);
        // An arrow with nothing behind it is part of the key.
        match memchr::memmem::find(rest, b"->").filter(|&arrow| arrow + 2 < rest.len()) {
            Some(arrow) => Self::Key {
                prefix,
                suffix: &rest[..arrow],
                field: Some(&rest[arrow + 2..]),
            },
            None => Self::Key {
                prefix,
                suffix: rest,
                field: None,
            },
        }
    }

    /// Runs `look` on the value that `element` leads to; `None` where there is none.
    /// `key` is room for the key's name.
    pub fn with_value<R>(
        &self,
        view: &ReadView<'_>,
        element: &[u8],
        key: &mut Vec<u8>,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        match self {
            Self::Element => Some(look(element)),
            Self::Nothing => None,
            Self::Key {
                prefix,
                suffix,
                field,
            } => {
                key.clear();
                key.extend_from_slice(prefix);
                key.extend_from_slice(element);
                key.extend_from_slice(suffix);
                let entry = view.find(key)?;
                match field {
                    Some(field) => with_field(entry, field, view.now_ms(), look),
                    None => value::with_bytes(entry, look).ok(),
                }
            }
        }
    }
}

/// Runs `look` on the value of a field of a hash.
fn with_field<R>(
    entry: &Entry,
    field: &[u8],
    now_ms: i64,
    look: impl FnOnce(&[u8]) -> R,
) -> Option<R> {
    let hash = HashRef::of(entry, u64::try_from(now_ms).unwrap_or(0)).ok()?;
    let found = hash.find(field)?;
    Some(look(found.value.as_bytes(&mut itoa::Buffer::new())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(pattern: &[u8]) -> (&[u8], &[u8], Option<&[u8]>) {
        match Pattern::new(pattern) {
            Pattern::Key {
                prefix,
                suffix,
                field,
            } => (prefix, suffix, field),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn patterns_are_taken_apart_as_redis_does() {
        assert_eq!(Pattern::new(b"#"), Pattern::Element);
        assert_eq!(Pattern::new(b"constant"), Pattern::Nothing);
        assert_eq!(parts(b"w_*"), (&b"w_"[..], &b""[..], None));
        assert_eq!(
            parts(b"w_*_x->f"),
            (&b"w_"[..], &b"_x"[..], Some(&b"f"[..]))
        );
        assert_eq!(parts(b"a->b*->"), (&b"a->b"[..], &b"->"[..], None));
        assert_eq!(parts(b"*->a->b"), (&b""[..], &b""[..], Some(&b"a->b"[..])));
        assert_eq!(parts(b"**"), (&b""[..], &b"*"[..], None));
    }
}
