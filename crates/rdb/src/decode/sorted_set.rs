//! Sorted sets: pairs one by one, a ziplist, or a listpack.
//!
//! A listpack must be in the order of the set to be of use; one that is not is
//! taken apart.

use std::borrow::Cow;

use ochre_structures::listpack::{Element, Listpack, Shape};
use ochre_structures::number;

use super::listpacks::Distinct;
use super::{Validation, listpacks, ziplist};
use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};
use crate::string::Str;
use crate::value::PlainSortedSet;
use crate::value_type::ValueType;

pub(super) fn pairs<'a>(
    cursor: &mut Cursor<'a>,
    value_type: ValueType,
    validation: Validation,
) -> Result<PlainSortedSet<'a>> {
    let start = cursor.position();
    let count = cursor.length()?;
    if count == 0 {
        return Err(cursor.error_at(start, RdbErrorKind::Empty));
    }
    let mut pairs = Vec::with_capacity(cursor.capacity(count.div_ceil(2)));
    for _ in 0..count {
        let member = cursor.reading("sorted set member").string()?;
        cursor.reading("score");
        let score_start = cursor.position();
        let score = match value_type {
            ValueType::SortedSet => cursor.ascii_double()?,
            _ => Some(cursor.binary_double()?).filter(|score| !score.is_nan()),
        };
        let Some(score) = score else {
            return Err(cursor.error_at(score_start, RdbErrorKind::Score));
        };
        pairs.push((member, score));
    }
    if validation == Validation::Full && !Distinct::all(pairs.iter().map(|(member, _)| member)) {
        cursor.reading("sorted set member");
        return Err(cursor.error_at(start, RdbErrorKind::Duplicate));
    }
    Ok(PlainSortedSet::Pairs(pairs))
}

pub(super) fn ziplist<'a>(cursor: &mut Cursor<'a>) -> Result<PlainSortedSet<'a>> {
    let start = cursor.position();
    match ziplist::to_listpack(cursor, Shape::Pairs)? {
        Some(packed) => sorted(packed.into()).map_err(|kind| cursor.error_at(start, kind)),
        None => Err(cursor.error_at(start, RdbErrorKind::Empty)),
    }
}

pub(super) fn listpack<'a>(
    cursor: &mut Cursor<'a>,
    validation: Validation,
) -> Result<PlainSortedSet<'a>> {
    let start = cursor.position();
    let packed = listpacks::read(cursor, Shape::Pairs, validation)?;
    sorted(packed).map_err(|kind| cursor.error_at(start, kind))
}

/// A well-formed listpack of pairs, if its order is right; else its pairs.
fn sorted(packed: Cow<'_, [u8]>) -> std::result::Result<PlainSortedSet<'_>, RdbErrorKind> {
    let mut in_order = true;
    let mut previous: Option<(f64, Element<'_>)> = None;
    for (member, score) in Listpack(&packed).pairs() {
        let score = score_of(score).ok_or(RdbErrorKind::Score)?;
        in_order &= previous.is_none_or(|(before, other)| {
            before < score || before == score && precedes(other, member)
        });
        previous = Some((score, member));
    }
    if in_order {
        return Ok(PlainSortedSet::Listpack(packed));
    }
    let pairs = Listpack(&packed)
        .pairs()
        .filter_map(|(member, score)| Some((Str::from(member).into_owned(), score_of(score)?)));
    Ok(PlainSortedSet::Pairs(pairs.collect()))
}

fn score_of(element: Element<'_>) -> Option<f64> {
    match element {
        Element::Int(value) => Some(value as f64),
        Element::Str(text) => number::parse_f64(text).filter(|score| !score.is_nan()),
    }
}

fn precedes(a: Element<'_>, b: Element<'_>) -> bool {
    let (mut a_digits, mut b_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    a.as_bytes(&mut a_digits) < b.as_bytes(&mut b_digits)
}
