//! A member on its way from one sorted set to another.

use ochre_structures::listpack::Element;
use smallvec::SmallVec;

/// The bytes of a member, borrowed from where it lies, or the digits of one that is
/// kept as an integer.
#[derive(Debug, Clone)]
pub enum Name<'a> {
    Bytes(&'a [u8]),
    Digits(SmallVec<[u8; 24]>),
}

impl<'a> From<Element<'a>> for Name<'a> {
    fn from(element: Element<'a>) -> Self {
        match element {
            Element::Str(bytes) => Self::Bytes(bytes),
            Element::Int(value) => Self::Digits(SmallVec::from_slice(
                itoa::Buffer::new().format(value).as_bytes(),
            )),
        }
    }
}

impl AsRef<[u8]> for Name<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Digits(digits) => digits,
        }
    }
}
