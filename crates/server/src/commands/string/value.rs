//! Strings as the commands see them: integers, short bytes in the entry, long bytes
//! behind a pointer.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use ochre_resp::Reply;
use ochre_store::{Entry, Kind, Object, Payload, Value};
use ochre_structures::number;

use crate::commands::args::Args;
use crate::error::Error;

/// The longest string kept in the entry's own allocation, in bytes. Longer ones are
/// shared with the replies that send them.
pub const INLINE_BYTES_MAX: usize = 4096;

/// The longest text that can be an integer: `-9223372036854775808`.
const INTEGER_BYTES_MAX: usize = 20;

/// The payload of a new string of these bytes: an integer where its text is canonical.
#[inline]
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
        Payload::Inline(Kind::Str, bytes)
    } else {
        long_payload(bytes.to_vec())
    }
}

/// The payload of a string too long for its entry.
pub fn long_payload(bytes: Vec<u8>) -> Payload<'static> {
    Payload::Object(Box::new(Object::String(Arc::new(bytes))))
}

/// The payload of the argument at `index`, without copying it when it has a buffer of
/// its own.
#[inline]
pub fn argument_payload<'a>(args: &Args<'a>, index: usize) -> Payload<'a> {
    match args.shared(index) {
        Some(shared) => Payload::Object(Box::new(Object::String(shared))),
        None => payload(args.all()[index]),
    }
}

/// Writes the string of `entry` as a bulk reply.
///
/// # Errors
/// [`Error::WrongType`] if it is not a string; nothing is written then.
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

/// Writes the string of `entry`, or null where there is none.
///
/// # Errors
/// [`Error::WrongType`] if it is not a string.
#[inline]
pub fn reply_or_null(entry: Option<&Entry>, out: &mut Reply) -> Result<(), Error> {
    match entry {
        Some(entry) => reply(entry, out),
        None => {
            out.null();
            Ok(())
        }
    }
}

/// Writes a range of the string of `entry`, chosen by its length in bytes.
///
/// # Errors
/// [`Error::WrongType`] if it is not a string.
pub fn reply_range(
    entry: &Entry,
    out: &mut Reply,
    choose: impl FnOnce(usize) -> Range<usize>,
) -> Result<(), Error> {
    if let Value::Object(Object::String(bytes)) = entry.value() {
        let range = choose(bytes.len());
        // To hold on to a string for the sake of a small part of it would make the next
        // write copy all of it.
        if range.len() >= bytes.len() / 2 {
            let bytes = bytes.clone();
            out.bulk_shared(Arc::new(Part { bytes, range }));
        } else {
            out.bulk(&bytes[range]);
        }
        return Ok(());
    }
    with_bytes(entry, |bytes| out.bulk(&bytes[choose(bytes.len())]))
}

/// A range of a long string, as a reply sends it.
struct Part {
    bytes: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
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

/// The bytes of a string; those of an integer are made for the occasion.
///
/// # Errors
/// [`Error::WrongType`] if it is not a string.
pub fn bytes(entry: &Entry) -> Result<Cow<'_, [u8]>, Error> {
    match entry.value() {
        Value::Str(bytes) => Ok(Cow::Borrowed(bytes)),
        Value::Int(value) => Ok(Cow::Owned(
            itoa::Buffer::new().format(value).as_bytes().to_vec(),
        )),
        Value::Object(Object::String(bytes)) => Ok(Cow::Borrowed(bytes)),
        _ => Err(Error::WrongType),
    }
}

/// The length of a string in bytes. O(1).
///
/// # Errors
/// [`Error::WrongType`] if it is not a string.
#[inline]
pub fn length(entry: &Entry) -> Result<usize, Error> {
    with_bytes(entry, <[u8]>::len)
}
