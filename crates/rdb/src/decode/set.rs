//! Sets: members one by one, an intset, or a listpack.

use ochre_structures::intset;
use ochre_structures::listpack::Shape;

use super::listpacks::Distinct;
use super::{Validation, listpacks};
use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};
use crate::value::PlainSet;

pub(super) fn members<'a>(cursor: &mut Cursor<'a>, validation: Validation) -> Result<PlainSet<'a>> {
    let start = cursor.position();
    let count = cursor.length()?;
    if count == 0 {
        return Err(cursor.error_at(start, RdbErrorKind::Empty));
    }
    cursor.reading("set member");
    let mut members = Vec::with_capacity(cursor.capacity(count));
    for _ in 0..count {
        members.push(cursor.string()?);
    }
    if validation == Validation::Full && !Distinct::all(members.iter()) {
        return Err(cursor.error_at(start, RdbErrorKind::Duplicate));
    }
    Ok(PlainSet::Members(members))
}

pub(super) fn intset<'a>(cursor: &mut Cursor<'a>) -> Result<PlainSet<'a>> {
    let start = cursor.position();
    let bytes = cursor.blob()?;
    match intset::validate(&bytes) {
        Ok(_) => Ok(PlainSet::Intset(bytes)),
        Err(intset::Error::Empty) => Err(cursor.error_at(start, RdbErrorKind::Empty)),
        Err(error) => Err(cursor.error_at(start, RdbErrorKind::Intset(error))),
    }
}

pub(super) fn listpack<'a>(
    cursor: &mut Cursor<'a>,
    validation: Validation,
) -> Result<PlainSet<'a>> {
    listpacks::read(cursor, Shape::Members, validation).map(PlainSet::Listpack)
}
