//! Listpacks that arrive, and those that older forms are converted to.

use std::borrow::Cow;
use std::collections::HashSet;

use ochre_structures::listpack::{self, Element, Shape};

use super::Validation;
use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};
use crate::string::Str;

/// Reads a listpack and checks it. It has at least one element.
pub(super) fn read<'a>(
    cursor: &mut Cursor<'a>,
    shape: Shape,
    validation: Validation,
) -> Result<Cow<'a, [u8]>> {
    let start = cursor.position();
    let bytes = cursor.blob()?;
    let count = check(&bytes, shape, validation).map_err(|kind| cursor.error_at(start, kind))?;
    if count == 0 {
        return Err(cursor.error_at(start, RdbErrorKind::Empty));
    }
    Ok(bytes)
}

/// Checks a listpack; how many elements it has.
pub(super) fn check(
    bytes: &[u8],
    shape: Shape,
    validation: Validation,
) -> std::result::Result<usize, RdbErrorKind> {
    let checked = match validation {
        Validation::Full => shape,
        // Without the search for duplicates.
        Validation::Structure => Shape::Elements,
    };
    let count = listpack::validate(bytes, checked).map_err(RdbErrorKind::Listpack)?;
    if shape == Shape::Pairs && count % 2 != 0 {
        return Err(RdbErrorKind::Listpack(listpack::Error::OddCount { count }));
    }
    Ok(count)
}

/// The listpack of these elements, which come from `bytes` bytes of an older form.
pub(super) fn build(
    elements: &[Element<'_>],
    bytes: usize,
) -> std::result::Result<Vec<u8>, RdbErrorKind> {
    if bytes > listpack::MAX_BYTES {
        return Err(RdbErrorKind::TooLarge(bytes));
    }
    let mut packed = listpack::EMPTY.to_vec();
    listpack::append_all(&mut packed, elements.iter().copied());
    Ok(packed)
}

/// Whether elements are distinct, `12` stored as an integer and `"12"` being the same.
#[derive(Default)]
pub(super) struct Distinct<'a> {
    integers: HashSet<i64>,
    strings: HashSet<&'a [u8]>,
}

impl<'a> Distinct<'a> {
    /// Whether the element is new.
    pub(super) fn insert(&mut self, element: Element<'a>) -> bool {
        match element.canonical() {
            Element::Int(value) => self.integers.insert(value),
            Element::Str(bytes) => self.strings.insert(bytes),
        }
    }

    /// Whether all these are distinct.
    pub(super) fn all(elements: impl Iterator<Item = &'a Str<'a>>) -> bool {
        let mut distinct = Distinct::default();
        elements
            .map(Str::element)
            .all(|element| distinct.insert(element))
    }
}
