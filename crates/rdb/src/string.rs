//! A string as the format holds it: plain bytes, an integer, or compressed bytes.

use std::borrow::Cow;

use ochre_structures::listpack::Element;

/// A string that was read. To a client all forms are strings; an integer stands for
/// its decimal digits.
#[derive(Clone, Debug)]
pub enum Str<'a> {
    /// Bytes of the input.
    Slice(&'a [u8]),
    /// Stored as an integer.
    Integer(i64),
    /// Bytes that were stored compressed, or copied.
    Owned(Vec<u8>),
}

impl<'a> Str<'a> {
    /// The bytes the string stands for; an integer is printed into `digits`.
    #[must_use]
    pub fn as_bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Str::Slice(bytes) => bytes,
            Str::Integer(value) => digits.format(*value).as_bytes(),
            Str::Owned(bytes) => bytes,
        }
    }

    /// The string as an element of a collection.
    #[must_use]
    pub fn element(&self) -> Element<'_> {
        match self {
            Str::Slice(bytes) => Element::Str(bytes),
            Str::Integer(value) => Element::Int(*value),
            Str::Owned(bytes) => Element::Str(bytes),
        }
    }

    /// The length in bytes of what the string stands for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.element().len()
    }

    /// Whether this is the empty string.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.element().is_empty()
    }

    /// The bytes the string stands for, copied if need be.
    #[must_use]
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Str::Slice(bytes) => Cow::Borrowed(bytes),
            Str::Integer(value) => Cow::Owned(itoa::Buffer::new().format(value).into()),
            Str::Owned(bytes) => Cow::Owned(bytes),
        }
    }

    /// The bytes the string stands for, copied unless they are owned.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.into_bytes().into_owned()
    }

    /// The string without its tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Str<'static> {
        match self {
            Str::Slice(bytes) => Str::Owned(bytes.to_vec()),
            Str::Integer(value) => Str::Integer(value),
            Str::Owned(bytes) => Str::Owned(bytes),
        }
    }
}

/// Equality of what the strings stand for.
impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.element() == other.element()
    }
}

impl Eq for Str<'_> {}

impl<'a> From<&'a [u8]> for Str<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Str::Slice(bytes)
    }
}

impl<'a> From<Element<'a>> for Str<'a> {
    fn from(element: Element<'a>) -> Self {
        match element {
            Element::Int(value) => Str::Integer(value),
            Element::Str(bytes) => Str::Slice(bytes),
        }
    }
}
