//! Strings as the commands see them: integers, short bytes in the entry, long bytes
//! behind a pointer.

use std::sync::Arc;

use ochre_resp::Reply;
use ochre_store::{Entry, Object, Payload, Value};
use ochre_structures::number;

use crate::commands::args::Args;
use crate::error::Error;

/// The longest string kept in the entry's own allocation, in bytes. Longer ones are
/// shared with the replies that send them.
pub const INLINE_BYTES_MAX: usize = 4096;

/// The longest text that can be an integer: `-9223372036854775808`.
const INTEGER_BYTES_MAX: usize = 20;

/// The payload of a new string of these bytes: an integer where its text is canonical.
pub fn payload(bytes: &[u8]) -> Payload<'_> {
    if bytes.len() <= INTEGER_BYTES_MAX
        && let Some(value) = number::parse_i64(bytes)
    {
        return Payload::Int(value);
    }
    raw_payload(bytes)
}

/// As [`payload`], but never an integer.
pub fn raw_payload(bytes: &[u8]) -> Payload<'_> {
    if bytes.len() <= INLINE_BYTES_MAX {
        Payload::Inline(ochre_store::Kind::Str, bytes)
    } else {
        Payload::Object(Box::new(Object::String(Arc::new(bytes.to_vec()))))
    }
}

/// The payload of the argument at `index`, without copying it when it has a buffer of
/// its own.
pub fn argument_payload<'a>(args: &Args<'a>, index: usize) -> Payload<'a> {
    match args.shared(index) {
        Some(shared) => Payload::Object(Box::new(Object::String(shared))),
        None => payload(args.all()[index]),
    }
}

/// Writes the string of `entry` as a bulk reply.
///
/// # Errors
/// [`Error::WrongType`] if it is not a string.
#[inline]
pub fn reply(entry: &Entry, out: &mut Reply) -> Result<(), Error> {
    match entry.value() {
        Value::Str(bytes) => out.bulk(bytes),
        Value::Int(value) => out.bulk_integer(value),
        Value::Object(Object::String(bytes)) => out.bulk_shared(bytes.clone()),
        _ => return Err(Error::WrongType),
    }
    Ok(())
}

/// Runs `look` on the bytes of a string.
///
/// # Errors
/// [`Error::WrongType`] if it is not a string.
pub fn with_bytes<R>(entry: &Entry, look: impl FnOnce(&[u8]) -> R) -> Result<R, Error> {
    match entry.value() {
        Value::Str(bytes) => Ok(look(bytes)),
        Value::Int(value) => Ok(look(itoa::Buffer::new().format(value).as_bytes())),
        Value::Object(Object::String(bytes)) => Ok(look(bytes)),
        _ => Err(Error::WrongType),
    }
}
