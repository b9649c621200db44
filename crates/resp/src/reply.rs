//! Replies to bytes, in the protocol version of the client.
//!
//! A [`Reply`] collects the replies of one connection in order. Most are bytes in one
//! buffer. Two kinds of insert interrupt the bytes: a shared value, sent without being
//! copied, and a [`Source`], a reply too large to be made at once, which is drawn in
//! slices as the connection drains.
//!
//! ```text
//!   buffer   +OK\r\n$1048576\r\n | \r\n*3000000\r\n | :1\r\n
//!   inserts                      ^ shared value     ^ source
//! ```

use std::sync::Arc;

/// The version of the protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// A value sent from where it lies. Shared with the store: it must not change.
pub type Shared = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A reply that is made in slices.
pub trait Source: Send {
    /// Appends elements to `out` until it holds about `budget_bytes` more or the
    /// reply is complete. Returns whether elements are left.
    ///
    /// A source that must work before it knows what to write may append nothing: it is
    /// asked again after others had their turn.
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool;
}

/// What interrupts the bytes of a [`Reply`].
pub enum Insert {
    Shared(Shared),
    Source(Box<dyn Source>),
}

/// Values of at least this many bytes are sent from where they lie.
pub const SHARED_BYTES: usize = 32 * 1024;

/// The replies of one connection, in order.
#[derive(Default)]
pub struct Reply {
    bytes: Vec<u8>,
    inserts: Vec<(usize, Insert)>,
    protocol: Protocol,
    errors: u32,
}

impl Reply {
    pub fn new(protocol: Protocol) -> Self {
        Self::with_buffer(Vec::new(), protocol)
    }

    /// Replies appended to `bytes`, which keeps its capacity.
    pub fn with_buffer(bytes: Vec<u8>, protocol: Protocol) -> Self {
        Self {
            bytes,
            inserts: Vec::new(),
            protocol,
            errors: 0,
        }
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// The bytes so far, inserts left out.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes so far, inserts left out.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.inserts.is_empty()
    }

    /// Whether the replies are nothing but bytes.
    pub fn is_plain(&self) -> bool {
        self.inserts.is_empty()
    }

    /// Whether a reply among them is made in slices.
    pub fn has_source(&self) -> bool {
        self.inserts
            .iter()
            .any(|(_, insert)| matches!(insert, Insert::Source(_)))
    }

    /// How many error replies were written.
    pub fn errors(&self) -> u32 {
        self.errors
    }

    /// The bytes and the inserts with their offsets in them, ascending.
    pub fn into_parts(self) -> (Vec<u8>, Vec<(usize, Insert)>) {
        (self.bytes, self.inserts)
    }

    /// Takes out all replies so far, leaving `empty` in their place.
    pub fn take(&mut self, empty: Vec<u8>) -> (Vec<u8>, Vec<(usize, Insert)>) {
        (
            std::mem::replace(&mut self.bytes, empty),
            std::mem::take(&mut self.inserts),
        )
    }

    /// Forgets everything written after the reply was `len` bytes long, inserts at its
    /// very end included: nothing follows a source, and a line break every shared value.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.inserts.retain(|(at, _)| *at < len);
    }

    /// Draws every source to its end, in place: for replies that must be complete now.
    pub fn draw_sources(&mut self) {
        if !self.has_source() {
            return;
        }
        let (bytes, inserts) = self.take(Vec::new());
        let mut from = 0;
        for (at, insert) in inserts {
            self.bytes.extend_from_slice(&bytes[from..at]);
            from = at;
            match insert {
                Insert::Shared(_) => self.inserts.push((self.bytes.len(), insert)),
                Insert::Source(mut source) => while source.draw(self, usize::MAX) {},
            }
        }
        self.bytes.extend_from_slice(&bytes[from..]);
    }

    /// All replies as bytes, shared values copied, sources drawn.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.draw_sources();
        if self.inserts.is_empty() {
            return self.bytes;
        }
        let mut all = Vec::with_capacity(self.bytes.len());
        let mut from = 0;
        for (at, insert) in self.inserts {
            all.extend_from_slice(&self.bytes[from..at]);
            from = at;
            if let Insert::Shared(shared) = insert {
                all.extend_from_slice((*shared).as_ref());
            }
        }
        all.extend_from_slice(&self.bytes[from..]);
        all
    }

    /// Appends replies made elsewhere, in this protocol version.
    pub fn append(&mut self, other: Self) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.inserts.extend(
            other
                .inserts
                .into_iter()
                .map(|(at, insert)| (base + at, insert)),
        );
        self.errors += other.errors;
    }

    /// Appends bytes that are a complete reply already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A status line: `+text`.
    #[inline]
    pub fn status(&mut self, text: &str) {
        self.bytes.push(b'+');
        self.line(text.as_bytes());
    }

    /// As [`Reply::status`], for bytes without line breaks.
    pub fn status_bytes(&mut self, text: &[u8]) {
        self.bytes.push(b'+');
        self.line(text);
    }

    /// An error line; `text` begins with its code (`ERR …`). Line breaks within it
    /// become spaces, as a line cannot hold them.
    #[cold]
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// As [`Reply::error`], for texts that quote a client's bytes.
    #[cold]
    pub fn error_bytes(&mut self, text: &[u8]) {
        self.errors += 1;
        self.bytes.push(b'-');
        self.bytes.extend(text.iter().map(|&byte| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                byte
            }
        }));
        self.raw(b"\r\n");
    }

    /// `:value`
    #[inline]
    pub fn integer(&mut self, value: i64) {
        match value {
            0 => self.raw(b":0\r\n"),
            1 => self.raw(b":1\r\n"),
            _ => self.header(b':', value),
        }
    }

    /// A count or length as an integer.
    #[inline]
    pub fn count(&mut self, value: usize) {
        self.integer(value as i64);
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.bytes.reserve(bytes.len() + 16);
        self.header(b'$', bytes.len() as i64);
        self.bytes.extend_from_slice(bytes);
        self.raw(b"\r\n");
    }

    /// A bulk string of the decimal form of `value`.
    #[inline]
    pub fn bulk_integer(&mut self, value: i64) {
        let mut buffer = itoa::Buffer::new();
        self.bulk(buffer.format(value).as_bytes());
    }

    /// A bulk string sent from where it lies, when it is long enough to be worth it.
    pub fn bulk_shared(&mut self, value: Shared) {
        let len = (*value).as_ref().len();
        if len < SHARED_BYTES {
            return self.bulk((*value).as_ref());
        }
        self.header(b'$', len as i64);
        self.inserts.push((self.bytes.len(), Insert::Shared(value)));
        self.raw(b"\r\n");
    }

    /// A reply that is made in slices. Its header (array, map or set) has been written
    /// already, or the source writes it when it has counted the elements.
    pub fn source(&mut self, source: Box<dyn Source>) {
        self.inserts
            .push((self.bytes.len(), Insert::Source(source)));
    }

    /// The null of a missing value: `$-1` or `_`.
    #[inline]
    pub fn null(&mut self) {
        self.raw(if self.is_resp3() {
            b"_\r\n"
        } else {
            b"$-1\r\n"
        });
    }

    /// The null of a missing array: `*-1` or `_`.
    pub fn null_array(&mut self) {
        self.raw(if self.is_resp3() {
            b"_\r\n"
        } else {
            b"*-1\r\n"
        });
    }

    /// A bulk string, or null.
    #[inline]
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// The header of an array of `len` elements.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }

    /// Puts the header of an array of `len` elements in front of what was written since
    /// the replies were `from` bytes long: for elements that are counted as they are
    /// written. Moves those bytes.
    pub fn array_since(&mut self, from: usize, len: usize) {
        self.header_since(from, |reply| reply.array(len));
    }

    /// As [`Reply::array_since`], for a map of `pairs` pairs.
    pub fn map_since(&mut self, from: usize, pairs: usize) {
        self.header_since(from, |reply| reply.map(pairs));
    }

    fn header_since(&mut self, from: usize, write: impl FnOnce(&mut Self)) {
        let end = self.bytes.len();
        write(self);
        self.bring_forward(from, end);
    }

    /// Puts what was written since the replies were `middle` bytes long in front of what
    /// was written between `from` and `middle`: for what is known last and comes first.
    pub fn bring_forward(&mut self, from: usize, middle: usize) {
        let moved = self.bytes.len() - middle;
        self.bytes[from..].rotate_right(moved);
        // An insert belongs to what ends where it is.
        for (at, _) in &mut self.inserts {
            if *at > middle {
                *at -= middle - from;
            } else if *at > from {
                *at += moved;
            }
        }
        self.inserts.sort_by_key(|(at, _)| *at);
    }

    /// The header of a map of `pairs` pairs; in RESP2 an array of twice as many.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        if self.is_resp3() {
            self.header(b'%', pairs as i64);
        } else {
            self.header(b'*', pairs as i64 * 2);
        }
    }

    /// The header of a set; in RESP2 an array.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.header(if self.is_resp3() { b'~' } else { b'*' }, len as i64);
    }

    /// The header of a push message; in RESP2 an array.
    pub fn push(&mut self, len: usize) {
        self.header(if self.is_resp3() { b'>' } else { b'*' }, len as i64);
    }

    /// The header of an attribute of `pairs` pairs. RESP3 only.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.is_resp3());
        self.header(b'|', pairs as i64);
    }

    /// A boolean; in RESP2 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        self.raw(match (self.protocol, value) {
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
        });
    }

    /// A double, given as the text Redis prints for it; in RESP2 a bulk string.
    pub fn double_text(&mut self, text: &[u8]) {
        if self.is_resp3() {
            self.bytes.push(b',');
            self.line(text);
        } else {
            self.bulk(text);
        }
    }

    /// A big number, given in decimal; in RESP2 a bulk string.
    pub fn big_number(&mut self, decimal: &[u8]) {
        if self.is_resp3() {
            self.bytes.push(b'(');
            self.line(decimal);
        } else {
            self.bulk(decimal);
        }
    }

    /// A text for people, of the three-letter `format` `txt` or `mkd`; in RESP2 a
    /// bulk string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3);
        if self.is_resp3() {
            self.header(b'=', text.len() as i64 + 4);
            self.raw(format.as_bytes());
            self.bytes.push(b':');
            self.line(text);
        } else {
            self.bulk(text);
        }
    }

    #[inline]
    fn header(&mut self, kind: u8, value: i64) {
        // Most numbers are small: lengths above all.
        match value {
            0..10 => return self.raw(&[kind, b'0' + value as u8, b'\r', b'\n']),
            10..100 => {
                let [tens, units] = [value / 10, value % 10].map(|digit| b'0' + digit as u8);
                return self.raw(&[kind, tens, units, b'\r', b'\n']);
            }
            _ => {}
        }
        let mut buffer = itoa::Buffer::new();
        self.bytes.push(kind);
        self.line(buffer.format(value).as_bytes());
    }

    #[inline]
    fn line(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("bytes", &self.bytes.escape_ascii().to_string())
            .field("inserts", &self.inserts.len())
            .field("protocol", &self.protocol)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(write: impl Fn(&mut Reply)) -> (String, String) {
        let text = |protocol| {
            let mut reply = Reply::new(protocol);
            write(&mut reply);
            String::from_utf8(reply.bytes().to_vec()).unwrap()
        };
        (text(Protocol::Resp2), text(Protocol::Resp3))
    }

    #[test]
    fn each_type_in_both_versions() {
        fn check(write: impl Fn(&mut Reply), resp2: &str, resp3: &str) {
            let (two, three) = both(write);
            assert_eq!(two, resp2);
            assert_eq!(three, resp3);
        }
        check(|r| r.null(), "$-1\r\n", "_\r\n");
        check(|r| r.null_array(), "*-1\r\n", "_\r\n");
        check(|r| r.map(12), "*24\r\n", "%12\r\n");
        check(|r| r.set(3), "*3\r\n", "~3\r\n");
        check(|r| r.push(3), "*3\r\n", ">3\r\n");
        check(|r| r.boolean(true), ":1\r\n", "#t\r\n");
        check(|r| r.double_text(b"1.5"), "$3\r\n1.5\r\n", ",1.5\r\n");
        check(|r| r.big_number(b"12"), "$2\r\n12\r\n", "(12\r\n");
        check(
            |r| r.verbatim("txt", b"hi"),
            "$2\r\nhi\r\n",
            "=6\r\ntxt:hi\r\n",
        );
        check(|r| r.integer(-42), ":-42\r\n", ":-42\r\n");
        check(|r| r.bulk_integer(-42), "$3\r\n-42\r\n", "$3\r\n-42\r\n");
        check(|r| r.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n");
    }

    #[test]
    fn a_header_comes_before_what_was_counted() {
        let value = Arc::new(vec![b'x'; SHARED_BYTES]);
        let mut reply = Reply::new(Protocol::Resp3);
        reply.ok();
        let from = reply.len();
        reply.integer(7);
        reply.bulk_shared(value);
        reply.array_since(from, 12);
        reply.map_since(from, 1);
        let (bytes, inserts) = reply.into_parts();
        assert_eq!(bytes, b"+OK\r\n%1\r\n*12\r\n:7\r\n$32768\r\n\r\n");
        assert_eq!(inserts[0].0, bytes.len() - 2);
    }

    #[test]
    fn truncating_takes_back_a_source_without_header() {
        struct Nothing;
        impl Source for Nothing {
            fn draw(&mut self, _out: &mut Reply, _budget_bytes: usize) -> bool {
                false
            }
        }
        let mut reply = Reply::new(Protocol::Resp2);
        reply.ok();
        let written = reply.len();
        reply.source(Box::new(Nothing));
        reply.truncate(written);
        assert!(reply.is_plain());
        assert_eq!(reply.bytes(), b"+OK\r\n");
    }

    #[test]
    fn a_large_value_is_not_copied() {
        let value = Arc::new(vec![b'x'; SHARED_BYTES]);
        let mut reply = Reply::new(Protocol::Resp2);
        reply.bulk_shared(value.clone());
        reply.ok();
        let (bytes, inserts) = reply.into_parts();
        assert_eq!(bytes, b"$32768\r\n\r\n+OK\r\n");
        assert_eq!(inserts.len(), 1);
        assert_eq!(inserts[0].0, 8);
    }
}
