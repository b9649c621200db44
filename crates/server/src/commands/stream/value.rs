//! Streams as the commands see them: finding them, their IDs and entries in replies,
//! and the errors that several commands have in common.

use ochre_resp::Reply;
use ochre_store::{Entry, Object, Payload, Value, WriteView};
use ochre_structures::stream::{Entry as StreamEntry, IntervalError, NodeLimits, Stream, StreamId};

use crate::error::{Error, quoted};

/// The error of an ID that is none.
pub const INVALID_ID: Error =
    Error::text("ERR Invalid stream ID specified as stream command argument");

/// The stream of an entry.
///
/// # Errors
/// [`Error::WrongType`] if it is not a stream.
#[inline]
pub fn stream(entry: &Entry) -> Result<&Stream, Error> {
    match entry.value() {
        Value::Object(Object::Stream(stream)) => Ok(stream),
        _ => Err(Error::WrongType),
    }
}

/// The stream of `key`, to be changed.
///
/// # Errors
/// [`Error::WrongType`] if the key is there and not a stream.
#[inline]
pub fn stream_mut<'v>(
    view: &'v mut WriteView<'_, '_>,
    key: &[u8],
) -> Result<Option<&'v mut Stream>, Error> {
    let Some(entry) = view.find_mut(key) else {
        return Ok(None);
    };
    match entry.into_inner().object_mut() {
        Some(Object::Stream(stream)) => Ok(Some(stream)),
        _ => Err(Error::WrongType),
    }
}

/// The payload of a new stream.
pub fn payload(stream: Stream) -> Payload<'static> {
    Payload::Object(Box::new(Object::Stream(stream)))
}

/// When nodes are full.
pub fn node_limits(settings: &ochre_store::Settings) -> NodeLimits {
    NodeLimits {
        max_bytes: settings.stream_node_max_bytes,
        max_entries: settings.stream_node_max_entries as u64,
    }
}

/// Reads an ID that names one entry; a missing second half is 0.
///
/// # Errors
/// [`INVALID_ID`].
#[inline]
pub fn parse_id(text: &[u8]) -> Result<StreamId, Error> {
    StreamId::parse_strict(text, 0).map_err(|_| INVALID_ID)
}

/// Reads the first ID of an interval.
///
/// # Errors
/// An ID that is none, or an excluded one that nothing follows.
pub fn parse_start(text: &[u8]) -> Result<StreamId, Error> {
    StreamId::parse_interval_start(text).map_err(|error| match error {
        IntervalError::Invalid => INVALID_ID,
        IntervalError::Empty => Error::text("ERR invalid start ID for the interval"),
    })
}

/// Reads the last ID of an interval.
///
/// # Errors
/// An ID that is none, or an excluded one that nothing precedes.
pub fn parse_end(text: &[u8]) -> Result<StreamId, Error> {
    StreamId::parse_interval_end(text).map_err(|error| match error {
        IntervalError::Invalid => INVALID_ID,
        IntervalError::Empty => Error::text("ERR invalid end ID for the interval"),
    })
}

/// The text of an ID, made without allocating.
pub struct IdText {
    bytes: [u8; Self::BYTES_MAX],
    len: usize,
}

impl IdText {
    /// Twice the greatest number of 64 bits, and what is between.
    const BYTES_MAX: usize = 20 + 1 + 20;

    pub fn new(id: StreamId) -> Self {
        let mut text = Self {
            bytes: [0; Self::BYTES_MAX],
            len: 0,
        };
        let mut digits = itoa::Buffer::new();
        text.push(digits.format(id.ms).as_bytes());
        text.push(b"-");
        text.push(digits.format(id.seq).as_bytes());
        text
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Writes an ID as a bulk string.
#[inline]
pub fn reply_id(id: StreamId, out: &mut Reply) {
    out.bulk(IdText::new(id).as_bytes());
}

/// Writes an entry: its ID, and its names and values in turn.
pub fn reply_entry(entry: StreamEntry<'_>, out: &mut Reply) {
    out.array(2);
    reply_id(entry.id, out);
    out.array(2 * entry.fields.len());
    let mut digits = itoa::Buffer::new();
    for (name, value) in entry.fields {
        out.bulk(name.as_bytes(&mut digits));
        out.bulk(value.as_bytes(&mut digits));
    }
}

/// `NOGROUP` of commands that need key and group; `where_` ends the sentence.
#[cold]
pub fn no_key_or_group(key: &[u8], group: &[u8], where_: &str) -> Error {
    Error::Bytes(
        [
            b"NOGROUP No such key '",
            quoted(key, usize::MAX),
            b"' or consumer group '",
            quoted(group, usize::MAX),
            b"'",
            where_.as_bytes(),
        ]
        .concat(),
    )
}

/// `NOGROUP` of commands about a group of a stream that is there.
#[cold]
pub fn no_group(key: &[u8], group: &[u8]) -> Error {
    Error::Bytes(
        [
            b"NOGROUP No such consumer group '",
            quoted(group, usize::MAX),
            b"' for key name '",
            quoted(key, usize::MAX),
            b"'",
        ]
        .concat(),
    )
}

/// The error of a subcommand whose options make no sense; `argv` is as it was sent.
#[cold]
pub fn subcommand_syntax(argv: &[&[u8]]) -> Error {
    let mut text = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
    text.extend_from_slice(quoted(argv[1], 128));
    text.extend_from_slice(b"'. Try ");
    text.extend(argv[0].to_ascii_uppercase());
    text.extend_from_slice(b" HELP.");
    Error::Bytes(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_id_is_that_of_the_structure() {
        for id in [StreamId::MIN, StreamId::MAX, StreamId::new(15, 7)] {
            assert_eq!(IdText::new(id).as_bytes(), id.to_string().as_bytes());
        }
    }
}
