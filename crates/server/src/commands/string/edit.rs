//! Changing strings in place, as APPEND, SETRANGE and the commands on bits do.
//!
//! A string that was changed in place is reported as `raw` from then on, however short
//! it is. Its bytes stay in the entry up to [`INLINE_BYTES_MAX`]; beyond, they are a
//! vector behind a pointer, which is copied only while a reply still sends it.

use std::sync::Arc;

use ochre_store::view::EntryMut;
use ochre_store::{Expiry, Kind, Object, Payload, Value, WriteView};

use super::value::{self, INLINE_BYTES_MAX};
use crate::error::Error;

/// Up to this length a growing vector doubles; beyond, it grows by a quarter, so that
/// huge strings do not waste as much again.
const DOUBLED_BYTES_MAX: usize = 1 << 20;

/// What came of an edit.
pub struct Edited<R> {
    pub result: R,
    /// Whether the string was made, or made longer, for the edit.
    pub grown: bool,
}

/// Checks the length a string is about to have, `len` plus `more` bytes.
///
/// # Errors
/// [`Error::MaxString`] beyond `proto-max-bulk-len`.
pub fn check_length(view: &WriteView<'_, '_>, len: usize, more: usize) -> Result<(), Error> {
    let total = (len as u64).checked_add(more as u64);
    if total.is_some_and(|total| total <= view.settings().proto_max_bulk_bytes) {
        Ok(())
    } else {
        Err(Error::MaxString)
    }
}

/// Appends `tail` to a string and returns its new length in bytes. Amortized O(length
/// of the tail).
///
/// # Errors
/// [`Error::WrongType`] if it is not a string.
pub fn append(entry: &mut EntryMut<'_>, tail: &[u8]) -> Result<usize, Error> {
    let old = make_text(entry)?;
    let len = old + tail.len();
    if let Some(bytes) = long(entry, len) {
        bytes.extend_from_slice(tail);
    } else if let Some(bytes) = entry.inner().stretch_string(len) {
        bytes[old..].copy_from_slice(tail);
    }
    Ok(len)
}

/// Runs `change` on the bytes of the string at `key`, which is made if it is not there,
/// and filled up with zeros to `len` bytes if it is shorter. The caller has checked
/// `len` against the limit on a string's length.
///
/// # Errors
/// [`Error::WrongType`] if it is not a string.
pub fn edit<R>(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    len: usize,
    change: impl FnOnce(&mut [u8]) -> R,
) -> Result<Edited<R>, Error> {
    let Some(mut entry) = view.find_mut(key) else {
        let mut bytes = vec![0; len];
        let result = change(&mut bytes);
        set_raw(view, key, bytes);
        return Ok(Edited {
            result,
            grown: true,
        });
    };
    let old = make_text(&mut entry)?;
    let len = len.max(old);
    let result = if let Some(bytes) = long(&mut entry, len) {
        bytes.resize(len, 0);
        change(bytes)
    } else {
        // Neither long nor of another type: the bytes are in the entry.
        let bytes = entry.inner().stretch_string(len);
        change(bytes.ok_or(Error::WrongType)?)
    };
    Ok(Edited {
        result,
        grown: len > old,
    })
}

/// Gives `key` a string that is reported as `raw`, without a deadline.
pub fn set_raw(view: &mut WriteView<'_, '_>, key: &[u8], bytes: Vec<u8>) {
    if bytes.len() > INLINE_BYTES_MAX {
        view.set(key, value::long_payload(bytes), Expiry::Clear);
        return;
    }
    view.set(key, Payload::Inline(Kind::Str, &bytes), Expiry::Clear);
    if let Some(mut entry) = view.find_mut(key) {
        entry.inner().mark_raw();
    }
}

/// Replaces the value by a string that is reported as `raw`; the deadline stays.
pub fn replace_raw(entry: &mut EntryMut<'_>, bytes: Vec<u8>) {
    if bytes.len() > INLINE_BYTES_MAX {
        entry.replace(value::long_payload(bytes));
    } else {
        entry.replace(Payload::Inline(Kind::Str, &bytes));
        entry.inner().mark_raw();
    }
}

/// The vector of a long string, for edits that keep it long.
pub fn long_bytes<'e>(entry: &'e mut EntryMut<'_>) -> Option<&'e mut Vec<u8>> {
    match entry.object_mut() {
        Some(Object::String(shared)) => Some(Arc::make_mut(shared)),
        _ => None,
    }
}

/// Turns an integer into its text; returns the length of the string in bytes.
fn make_text(entry: &mut EntryMut<'_>) -> Result<usize, Error> {
    if let Value::Int(value) = entry.value() {
        let mut text = itoa::Buffer::new();
        entry.replace(Payload::Inline(Kind::Str, text.format(value).as_bytes()));
    }
    value::length(entry)
}

/// The vector of a string that is, or with `len` bytes has to be, a long one; it has
/// room for as many. `None` where the bytes stay in the entry.
fn long<'e>(entry: &'e mut EntryMut<'_>, len: usize) -> Option<&'e mut Vec<u8>> {
    if let Value::Str(bytes) = entry.value() {
        if len <= INLINE_BYTES_MAX {
            return None;
        }
        let mut grown = Vec::with_capacity(roomy(len));
        grown.extend_from_slice(bytes);
        entry.replace(value::long_payload(grown));
    }
    let Some(Object::String(shared)) = entry.object_mut() else {
        return None;
    };
    if Arc::get_mut(shared).is_none() {
        // A reply still sends it: copy once, with the room that is needed.
        let mut copy = Vec::with_capacity(roomy(len).max(shared.len()));
        copy.extend_from_slice(shared);
        *shared = Arc::new(copy);
    }
    let bytes = Arc::make_mut(shared);
    if bytes.capacity() < len {
        bytes.reserve_exact(roomy(len) - bytes.len());
    }
    Some(bytes)
}

/// The capacity for a string that has just grown to `len` bytes.
fn roomy(len: usize) -> usize {
    if len < DOUBLED_BYTES_MAX {
        len * 2
    } else {
        len + len / 4
    }
}
