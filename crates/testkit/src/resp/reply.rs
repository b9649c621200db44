//! One reply as a tree, for every type of RESP2 and RESP3.
//!
//! ```text
//! +simple  -error  :integer  $bulk  *array              RESP2 ($-1, *-1: its two nulls)
//! _null  #boolean  ,double  (bignumber  !bulk-error     RESP3
//! =verbatim  %map  ~set  >push  |attributes then the reply they describe
//! ```
//!
//! The tree keeps doubles and big numbers as the text that was sent: how a server
//! prints a number is part of what is compared. Streamed types (`$?`, `*?`) are
//! refused: no server sends them.

use std::fmt;

/// Nesting deeper than this is refused instead of recursed into.
const DEPTH_LIMIT: usize = 128;

/// One reply. Byte strings are not assumed to be UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reply {
    /// `+text`
    Simple(Vec<u8>),
    /// `-CODE text`
    Error(Vec<u8>),
    /// `:number`
    Integer(i64),
    /// `$length`, bytes
    Bulk(Vec<u8>),
    /// `$-1`
    NullBulk,
    /// `*-1`
    NullArray,
    /// `_`
    Null,
    /// `*count`
    Array(Vec<Reply>),
    /// `%count`, in the order sent
    Map(Vec<(Reply, Reply)>),
    /// `~count`, in the order sent
    Set(Vec<Reply>),
    /// `>count`: out of band, answers no request
    Push(Vec<Reply>),
    /// `,text`: the text as sent
    Double(Vec<u8>),
    /// `(text`: the text as sent
    BigNumber(Vec<u8>),
    /// `#t`, `#f`
    Boolean(bool),
    /// `=length`, `txt:` or `mkd:`, bytes
    Verbatim {
        /// The three bytes before the colon.
        format: [u8; 3],
        /// What follows the colon.
        text: Vec<u8>,
    },
    /// `!length`, bytes
    BulkError(Vec<u8>),
    /// `|count`, pairs, then the reply proper
    Attributed {
        /// The pairs, in the order sent.
        attributes: Vec<(Reply, Reply)>,
        /// The reply they describe.
        reply: Box<Reply>,
    },
}

impl Reply {
    /// The error text, for either kind of error.
    pub fn error(&self) -> Option<&[u8]> {
        match self {
            Reply::Error(text) | Reply::BulkError(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a string-like reply: bulk, simple, verbatim, and numbers sent as text.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Reply::Bulk(text)
            | Reply::Simple(text)
            | Reply::Double(text)
            | Reply::BigNumber(text)
            | Reply::Verbatim { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value of an integer reply.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Reply::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of an array, set or push.
    pub fn elements(&self) -> Option<&[Reply]> {
        match self {
            Reply::Array(elements) | Reply::Set(elements) | Reply::Push(elements) => Some(elements),
            _ => None,
        }
    }

    /// Whether this is one of the three nulls.
    pub fn is_null(&self) -> bool {
        matches!(self, Reply::NullBulk | Reply::NullArray | Reply::Null)
    }

    /// The type alone, as it is named in reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Reply::Simple(_) => "simple string",
            Reply::Error(_) => "error",
            Reply::Integer(_) => "integer",
            Reply::Bulk(_) => "bulk string",
            Reply::NullBulk => "null bulk string",
            Reply::NullArray => "null array",
            Reply::Null => "null",
            Reply::Array(_) => "array",
            Reply::Map(_) => "map",
            Reply::Set(_) => "set",
            Reply::Push(_) => "push",
            Reply::Double(_) => "double",
            Reply::BigNumber(_) => "big number",
            Reply::Boolean(_) => "boolean",
            Reply::Verbatim { .. } => "verbatim string",
            Reply::BulkError(_) => "bulk error",
            Reply::Attributed { .. } => "attributed reply",
        }
    }
}

/// Close to how redis-cli prints it, on one line, every byte visible.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = |f: &mut fmt::Formatter<'_>, pairs: &[(Reply, Reply)]| {
            for (index, (key, value)) in pairs.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                write!(f, "{comma}{key:?} => {value:?}")?;
            }
            Ok(())
        };
        match self {
            Reply::Simple(text) => write!(f, "+{}", text.escape_ascii()),
            Reply::Error(text) => write!(f, "-{}", text.escape_ascii()),
            Reply::Integer(value) => write!(f, ":{value}"),
            Reply::Bulk(text) => write!(f, "\"{}\"", text.escape_ascii()),
            Reply::NullBulk => write!(f, "nil($-1)"),
            Reply::NullArray => write!(f, "nil(*-1)"),
            Reply::Null => write!(f, "nil(_)"),
            Reply::Array(elements) => f.debug_list().entries(elements).finish(),
            Reply::Set(elements) => {
                write!(f, "~").and_then(|()| f.debug_list().entries(elements).finish())
            }
            Reply::Push(elements) => {
                write!(f, ">").and_then(|()| f.debug_list().entries(elements).finish())
            }
            Reply::Map(entries) => {
                write!(f, "%{{")?;
                pairs(f, entries)?;
                write!(f, "}}")
            }
            Reply::Double(text) => write!(f, ",{}", text.escape_ascii()),
            Reply::BigNumber(text) => write!(f, "({}", text.escape_ascii()),
            Reply::Boolean(value) => write!(f, "#{value}"),
            Reply::Verbatim { format, text } => {
                write!(f, "={}:\"{}\"", format.escape_ascii(), text.escape_ascii())
            }
            Reply::BulkError(text) => write!(f, "!{}", text.escape_ascii()),
            Reply::Attributed { attributes, reply } => {
                write!(f, "|{{")?;
                pairs(f, attributes)?;
                write!(f, "}} {reply:?}")
            }
        }
    }
}

/// Bytes that are no reply, and where they went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed reply at byte {offset}: {what}")]
pub struct Malformed {
    /// Offset from the start of the reply.
    pub offset: usize,
    /// What was expected there.
    pub what: &'static str,
}

/// Reads the first reply in `bytes`.
///
/// `Ok(None)` means that it is not complete yet; otherwise the reply and its length in
/// bytes. O(length); never allocates more than a small multiple of `bytes`.
///
/// # Errors
/// [`Malformed`] when no continuation could make `bytes` a reply.
pub fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
    let mut parser = Parser { bytes, at: 0 };
    match parser.reply(0) {
        Ok(reply) => Ok(Some((reply, parser.at))),
        Err(Stop::Incomplete) => Ok(None),
        Err(Stop::Malformed(error)) => Err(error),
    }
}

enum Stop {
    Incomplete,
    Malformed(Malformed),
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn malformed<T>(&self, what: &'static str) -> Result<T, Stop> {
        Err(Stop::Malformed(Malformed {
            offset: self.at,
            what,
        }))
    }

    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(Stop::Incomplete);
        };
        if length == 0 || rest[length - 1] != b'\r' {
            return self.malformed("a line that ends in \\r\\n");
        }
        self.at += length + 1;
        Ok(&rest[..length - 1])
    }

    fn number(&mut self) -> Result<i64, Stop> {
        let line = self.line()?;
        let number = std::str::from_utf8(line)
            .ok()
            .and_then(|text| text.parse().ok());
        match number {
            Some(number) => Ok(number),
            None => self.malformed("a decimal number"),
        }
    }

    fn blob(&mut self, length: i64) -> Result<&'a [u8], Stop> {
        let Ok(length) = usize::try_from(length) else {
            return self.malformed("a length that is not negative");
        };
        let rest = &self.bytes[self.at..];
        if rest.len() < length.saturating_add(2) {
            return Err(Stop::Incomplete);
        }
        if &rest[length..length + 2] != b"\r\n" {
            return self.malformed("\\r\\n after the payload");
        }
        self.at += length + 2;
        Ok(&rest[..length])
    }

    fn many(&mut self, count: i64, depth: usize) -> Result<Vec<Reply>, Stop> {
        if count < 0 {
            return self.malformed("a count that is not negative");
        }
        // No capacity from the wire: the vector grows as elements really arrive.
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(self.reply(depth)?);
        }
        Ok(elements)
    }

    fn pairs(&mut self, depth: usize) -> Result<Vec<(Reply, Reply)>, Stop> {
        let count = self.number()?;
        if count < 0 {
            return self.malformed("a count that is not negative");
        }
        let mut pairs = Vec::new();
        for _ in 0..count {
            pairs.push((self.reply(depth)?, self.reply(depth)?));
        }
        Ok(pairs)
    }

    fn reply(&mut self, depth: usize) -> Result<Reply, Stop> {
        if depth > DEPTH_LIMIT {
            return self.malformed("less nesting");
        }
        let Some(&mark) = self.bytes.get(self.at) else {
            return Err(Stop::Incomplete);
        };
        self.at += 1;
        let below = depth + 1;
        Ok(match mark {
            b'+' => Reply::Simple(self.line()?.to_vec()),
            b'-' => Reply::Error(self.line()?.to_vec()),
            b':' => Reply::Integer(self.number()?),
            b',' => Reply::Double(self.line()?.to_vec()),
            b'(' => Reply::BigNumber(self.line()?.to_vec()),
            b'$' => match self.number()? {
                -1 => Reply::NullBulk,
                length => Reply::Bulk(self.blob(length)?.to_vec()),
            },
            b'!' => {
                let length = self.number()?;
                Reply::BulkError(self.blob(length)?.to_vec())
            }
            b'=' => {
                let length = self.number()?;
                let blob = self.blob(length)?;
                match blob.split_first_chunk::<4>() {
                    Some(([a, b, c, b':'], text)) => Reply::Verbatim {
                        format: [*a, *b, *c],
                        text: text.to_vec(),
                    },
                    _ => return self.malformed("a verbatim string with its format"),
                }
            }
            b'_' => match self.line()? {
                b"" => Reply::Null,
                _ => return self.malformed("an empty line after _"),
            },
            b'#' => match self.line()? {
                b"t" => Reply::Boolean(true),
                b"f" => Reply::Boolean(false),
                _ => return self.malformed("t or f after #"),
            },
            b'*' => match self.number()? {
                -1 => Reply::NullArray,
                count => Reply::Array(self.many(count, below)?),
            },
            b'~' => {
                let count = self.number()?;
                Reply::Set(self.many(count, below)?)
            }
            b'>' => {
                let count = self.number()?;
                Reply::Push(self.many(count, below)?)
            }
            b'%' => Reply::Map(self.pairs(below)?),
            b'|' => Reply::Attributed {
                attributes: self.pairs(below)?,
                reply: Box::new(self.reply(below)?),
            },
            _ => {
                self.at -= 1;
                return self.malformed("a type mark");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(bytes: &[u8]) -> Reply {
        let (reply, length) = parse(bytes).expect("well formed").expect("complete");
        assert_eq!(length, bytes.len());
        reply
    }

    #[test]
    fn every_type_is_read() {
        for (bytes, printed) in [
            (&b"+OK\r\n"[..], "+OK"),
            (b"-ERR no\r\n", "-ERR no"),
            (b":-7\r\n", ":-7"),
            (b"$3\r\na\r\n\r\n", "\"a\\r\\n\""),
            (b"$-1\r\n", "nil($-1)"),
            (b"*-1\r\n", "nil(*-1)"),
            (b"_\r\n", "nil(_)"),
            (b"*2\r\n:1\r\n*0\r\n", "[:1, []]"),
            (b"%1\r\n+a\r\n,1.50\r\n", "%{+a => ,1.50}"),
            (b"~1\r\n#t\r\n", "~[#true]"),
            (b">2\r\n+message\r\n#f\r\n", ">[+message, #false]"),
            (
                b"(123456789012345678901234567890\r\n",
                "(123456789012345678901234567890",
            ),
            (b"=6\r\ntxt:hi\r\n", "=txt:\"hi\""),
            (b"!5\r\nERR x\r\n", "!ERR x"),
            (b"|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n", "|{+ttl => :3} \"v\""),
        ] {
            assert_eq!(format!("{:?}", whole(bytes)), printed);
            for cut in 0..bytes.len() {
                assert_eq!(
                    parse(&bytes[..cut]),
                    Ok(None),
                    "a prefix of {printed} is incomplete"
                );
            }
        }
    }

    #[test]
    fn nonsense_is_an_error_and_large_counts_allocate_nothing() {
        assert!(parse(b"?\r\n").is_err());
        assert!(parse(b":x\r\n").is_err());
        assert!(parse(b"$2\r\nabcd").is_err());
        assert!(parse(b"#x\r\n").is_err());
        assert_eq!(parse(b"*9223372036854775807\r\n:1\r\n"), Ok(None));
        assert_eq!(parse(b"$9223372036854775807\r\nx"), Ok(None));
        assert!(parse(&b"*1\r\n".repeat(1000)).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&bytes);
        }
    }
}
