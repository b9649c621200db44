//! HyperLogLogs as values of keys: Redis's errors, and changes in place.

use std::borrow::Cow;

use ochre_store::view::EntryMut;
use ochre_store::{Entry, Value};
use ochre_structures::hyperloglog::{self, HllError};

use crate::commands::string::{edit, value};
use crate::error::Error;

/// The bytes of a HyperLogLog whose header is in order.
///
/// # Errors
/// [`Error::WrongType`] if it is not a string, and the error of [`refusal`] if its
/// bytes are no HyperLogLog.
pub fn bytes(entry: &Entry) -> Result<Cow<'_, [u8]>, Error> {
    let bytes = value::bytes(entry)?;
    hyperloglog::validate(&bytes).map_err(refusal)?;
    Ok(bytes)
}

/// Runs `change` on the bytes of a HyperLogLog and keeps what becomes of them, also
/// when it fails halfway. Those of a long one, hence of every dense one, are changed in
/// place.
///
/// # Errors
/// As [`bytes`].
pub fn change<R>(
    entry: &mut EntryMut<'_>,
    change: impl FnOnce(&mut Vec<u8>) -> R,
) -> Result<R, Error> {
    let mut changed = match entry.value() {
        Value::Object(_) => {
            bytes(entry)?;
            let long = edit::long_bytes(entry).ok_or(Error::WrongType)?;
            return Ok(change(long));
        }
        _ => bytes(entry)?.into_owned(),
    };
    let result = change(&mut changed);
    edit::replace_raw(entry, changed);
    Ok(result)
}

/// What a client is told about bytes that are no HyperLogLog.
pub fn refusal(error: HllError) -> Error {
    Error::text(match error {
        HllError::NotHyperLogLog => "WRONGTYPE Key is not a valid HyperLogLog string value.",
        HllError::NotSparse => "ERR HLL encoding is not sparse",
        _ => "INVALIDOBJ Corrupted HLL object detected",
    })
}
