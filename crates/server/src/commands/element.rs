//! Elements of collections in replies.

use ochre_resp::Reply;
use ochre_structures::listpack::Element;

/// Collections of more elements than this are sent in slices.
pub const LONG_REPLY: usize = 2000;

/// Writes an element as a bulk string.
#[inline]
pub fn write(element: Element<'_>, out: &mut Reply) {
    match element {
        Element::Int(value) => out.bulk_integer(value),
        Element::Str(bytes) => out.bulk(bytes),
    }
}
