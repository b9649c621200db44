//! Listpacks that arrive, and those that older forms are converted to.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

use ochre_structures::hash::hash_bytes;
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
        Validation::Packed | Validation::Full => shape,
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
    integers: HashSet<i64, Seeded>,
    strings: HashSet<&'a [u8], Seeded>,
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
    pub(super) fn all(strings: impl ExactSizeIterator<Item = &'a Str<'a>> + Clone) -> bool {
        let mut distinct = Distinct::default();
        // To grow on the way would cost more than to look twice.
        let integers = strings.clone().filter(|string| is_integer(string)).count();
        distinct.integers.reserve(integers);
        distinct.strings.reserve(strings.len() - integers);
        strings
            .map(Str::element)
            .all(|element| distinct.insert(element))
    }
}

fn is_integer(string: &Str<'_>) -> bool {
    string.element().as_integer().is_some()
}

/// The hash of the project, which clients cannot foresee, for the standard's sets.
#[derive(Clone, Default)]
struct Seeded(u64);

impl BuildHasher for Seeded {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Seeded(0)
    }
}

impl Hasher for Seeded {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ hash_bytes(bytes);
    }

    fn write_usize(&mut self, length: usize) {
        self.0 ^= length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
