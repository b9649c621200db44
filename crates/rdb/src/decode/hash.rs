//! Hashes: pairs one by one, a zipmap, a ziplist or a listpack; and, since Redis 7.4,
//! with fields that expire.

use std::borrow::Cow;

use ochre_structures::listpack::{Element, Listpack, Shape};

use super::listpacks::Distinct;
use super::{Validation, listpacks, ziplist, zipmap};
use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};
use crate::string::Str;
use crate::value::{ExpiringField, PlainHash};

/// Redis keeps deadlines of fields in 48 bits.
const MAX_EXPIRY_MS: u64 = (1 << 48) - 1;

/// How the deadlines of fields are stored.
pub(super) enum Deadlines {
    /// In milliseconds since 1970; 0 is none.
    Absolute,
    /// In milliseconds after the earliest, plus one; 0 is none.
    From { earliest_ms: u64 },
}

pub(super) fn pairs<'a>(cursor: &mut Cursor<'a>, validation: Validation) -> Result<PlainHash<'a>> {
    let start = cursor.position();
    let count = cursor.length()?;
    if count == 0 {
        return Err(cursor.error_at(start, RdbErrorKind::Empty));
    }
    let mut pairs = Vec::with_capacity(cursor.capacity(count.div_ceil(2)));
    for _ in 0..count {
        let field = cursor.reading("hash field").string()?;
        let value = cursor.reading("hash value").string()?;
        pairs.push((field, value));
    }
    if validation == Validation::Full && !Distinct::all(pairs.iter().map(|(field, _)| field)) {
        cursor.reading("hash field");
        return Err(cursor.error_at(start, RdbErrorKind::Duplicate));
    }
    Ok(PlainHash::Pairs(pairs))
}

pub(super) fn zipmap<'a>(cursor: &mut Cursor<'a>) -> Result<PlainHash<'a>> {
    zipmap::to_listpack(cursor).map(|packed| PlainHash::Listpack(packed.into()))
}

pub(super) fn ziplist<'a>(cursor: &mut Cursor<'a>) -> Result<PlainHash<'a>> {
    let start = cursor.position();
    match ziplist::to_listpack(cursor, Shape::Pairs)? {
        Some(packed) => Ok(PlainHash::Listpack(packed.into())),
        None => Err(cursor.error_at(start, RdbErrorKind::Empty)),
    }
}

pub(super) fn listpack<'a>(
    cursor: &mut Cursor<'a>,
    validation: Validation,
) -> Result<PlainHash<'a>> {
    listpacks::read(cursor, Shape::Pairs, validation).map(PlainHash::Listpack)
}

/// The earliest deadline, which stands before the fields.
pub(super) fn earliest_ms(cursor: &mut Cursor<'_>) -> Result<u64> {
    let start = cursor.reading("earliest expiry of a field").position();
    // Without any deadline, Redis writes the first that is out of range.
    u64::try_from(cursor.i64()?)
        .ok()
        .filter(|&earliest_ms| earliest_ms <= MAX_EXPIRY_MS + 1)
        .ok_or_else(|| cursor.error_at(start, RdbErrorKind::Expiry))
}

pub(super) fn expiring<'a>(
    cursor: &mut Cursor<'a>,
    deadlines: Deadlines,
    validation: Validation,
) -> Result<PlainHash<'a>> {
    let start = cursor.reading("hash").position();
    let count = cursor.length()?;
    if count == 0 {
        return Err(cursor.error_at(start, RdbErrorKind::Empty));
    }
    let mut fields = Vec::with_capacity(cursor.capacity(count.div_ceil(3)));
    for _ in 0..count {
        let expiry_start = cursor.reading("expiry of a hash field").position();
        let stored = cursor.length()?;
        let absolute_ms = match deadlines {
            Deadlines::From { earliest_ms } if stored > 0 => earliest_ms.checked_add(stored - 1),
            _ => Some(stored),
        };
        let expiry_ms = absolute_ms
            .filter(|&absolute_ms| absolute_ms <= MAX_EXPIRY_MS)
            .ok_or_else(|| cursor.error_at(expiry_start, RdbErrorKind::Expiry))?;
        let field = cursor.reading("hash field").string()?;
        let value = cursor.reading("hash value").string()?;
        fields.push(ExpiringField {
            field,
            value,
            expiry_ms: Some(expiry_ms).filter(|&expiry_ms| expiry_ms > 0),
        });
    }
    distinct(&fields, validation).map_err(|kind| cursor.error_at(start, kind))?;
    Ok(PlainHash::Expiring(fields))
}

/// A listpack of field, value, deadline; the deadlines are absolute and 0 is none.
pub(super) fn expiring_listpack<'a>(
    cursor: &mut Cursor<'a>,
    validation: Validation,
) -> Result<PlainHash<'a>> {
    let start = cursor.reading("hash").position();
    let packed = listpacks::read(cursor, Shape::Elements, validation)?;
    let fields = match &packed {
        Cow::Borrowed(bytes) => triples(bytes),
        Cow::Owned(bytes) => triples(bytes).map(|fields| {
            let owned = fields.into_iter().map(|field| ExpiringField {
                field: field.field.into_owned(),
                value: field.value.into_owned(),
                expiry_ms: field.expiry_ms,
            });
            owned.collect()
        }),
    };
    let fields = fields.and_then(|fields: Vec<ExpiringField<'a>>| {
        distinct(&fields, validation)?;
        Ok(fields)
    });
    fields
        .map(PlainHash::Expiring)
        .map_err(|kind| cursor.error_at(start, kind))
}

fn triples(bytes: &[u8]) -> std::result::Result<Vec<ExpiringField<'_>>, RdbErrorKind> {
    let mut elements = Listpack(bytes).iter();
    let mut fields = Vec::new();
    while let Some(field) = elements.next() {
        let (Some(value), Some(expiry)) = (elements.next(), elements.next()) else {
            return Err(RdbErrorKind::Listpack(
                ochre_structures::listpack::Error::OddCount {
                    count: Listpack(bytes).len(),
                },
            ));
        };
        let expiry_ms = Element::as_integer(&expiry)
            .and_then(|expiry_ms| u64::try_from(expiry_ms).ok())
            .filter(|&expiry_ms| expiry_ms <= MAX_EXPIRY_MS)
            .ok_or(RdbErrorKind::Expiry)?;
        fields.push(ExpiringField {
            field: Str::from(field),
            value: Str::from(value),
            expiry_ms: Some(expiry_ms).filter(|&expiry_ms| expiry_ms > 0),
        });
    }
    Ok(fields)
}

fn distinct(
    fields: &[ExpiringField<'_>],
    validation: Validation,
) -> std::result::Result<(), RdbErrorKind> {
    if validation == Validation::Full && !Distinct::all(fields.iter().map(|field| &field.field)) {
        return Err(RdbErrorKind::Duplicate);
    }
    Ok(())
}
