//! Bytes to requests, in place.
//!
//! A request is an array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or an
//! inline line (`GET k\r\n`). The parser copies nothing: it appends [`Span`]s, which
//! point into the input it was given. It resumes: a request that arrives in a
//! thousand pieces is scanned once.
//!
//! ```text
//!   input   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n…
//!   spans               ^^^         ^
//!   at      ----------------------------> (start of the next request)
//! ```

use crate::{Limits, ProtocolError, inline, number::parse_length};

/// From this length on, an argument that has not arrived whole is collected in a
/// buffer of its own, so that a handler can keep it without copying it again.
pub const BIG_ARGUMENT_BYTES: usize = 64 * 1024;

/// Where an argument lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Offset in the input, or [`Span::BIG`].
    pub start: u32,
    /// Length in bytes; for a big argument its index among the request's big ones.
    pub len: u32,
}

impl Span {
    /// Marks an argument that lies in a buffer of its own.
    pub const BIG: u32 = u32::MAX;

    /// The argument's bytes within `input`.
    #[inline]
    pub fn of(self, input: &[u8]) -> &[u8] {
        &input[self.start as usize..self.start as usize + self.len as usize]
    }
}

/// How far the parser came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A request is complete: its spans are in `spans`, the next one starts at
    /// [`Parser::position`]. It may have no argument at all (an empty line, `*0`),
    /// which calls for no reply.
    Complete,
    /// An inline request is complete; its words are in the parser's scratch, to
    /// which the spans refer.
    CompleteInline,
    /// More bytes are needed.
    Incomplete,
}

/// What an incomplete request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The rest of a line.
    Line,
    /// This many bytes, the CR LF of the argument included.
    Bytes(usize),
    /// An argument of at least [`BIG_ARGUMENT_BYTES`]: collect this many bytes (its
    /// CR LF included) elsewhere and call [`Parser::big_argument_done`].
    Big(usize),
}

/// The state of the request being read. A fresh one stands at the start of an input.
#[derive(Debug, Default)]
pub struct Parser {
    at: usize,
    /// Arguments still to come of the current request.
    remaining: u64,
    /// The length of the argument whose bytes come next.
    bulk: Option<usize>,
    scratch: Vec<u8>,
}

impl Parser {
    /// Offset in the input of the first byte not consumed yet.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The words of the last inline request.
    pub fn scratch(&self) -> &[u8] {
        &self.scratch
    }

    /// Forgets all state and stands at `at` of a new input.
    #[inline]
    pub fn restart(&mut self, at: usize) {
        self.at = at;
        self.remaining = 0;
        self.bulk = None;
    }

    /// Moves the state to an input that lacks the first `bytes` of the old one.
    pub fn rebase(&mut self, bytes: usize) {
        self.at -= bytes;
    }

    /// Takes over the state of `other`, leaving it at `at` of its input.
    pub fn take(&mut self, at: usize) -> Self {
        let taken = Self {
            at: self.at,
            remaining: self.remaining,
            bulk: self.bulk,
            scratch: Vec::new(),
        };
        self.restart(at);
        taken
    }

    /// Whether a request has begun but not ended.
    pub fn is_within_request(&self) -> bool {
        self.remaining > 0
    }

    /// What the current request waits for, given the input seen so far.
    pub fn missing(&self, input_bytes: usize) -> Missing {
        match self.bulk {
            None => Missing::Line,
            Some(len) if len >= BIG_ARGUMENT_BYTES => Missing::Big(len + 2),
            Some(len) => Missing::Bytes((self.at + len + 2).saturating_sub(input_bytes)),
        }
    }

    /// Counts the big argument, collected elsewhere as number `index`, as read.
    pub fn big_argument_done(&mut self, index: usize, spans: &mut Vec<Span>) -> Status {
        self.bulk = None;
        self.remaining -= 1;
        spans.push(Span {
            start: Span::BIG,
            len: index as u32,
        });
        if self.remaining == 0 {
            Status::Complete
        } else {
            Status::Incomplete
        }
    }

    /// Reads on in `input`, appending the spans of complete arguments to `spans`.
    ///
    /// # Errors
    /// Any violation of the protocol or of `limits`; the input is then worthless.
    #[inline]
    pub fn parse(
        &mut self,
        input: &[u8],
        spans: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Status, ProtocolError> {
        if self.remaining == 0 {
            match input.get(self.at) {
                None => return Ok(Status::Incomplete),
                Some(b'*') => {}
                Some(_) => return self.parse_inline(input, spans, limits),
            }
            // Nearly every request has one to nine arguments: "*N\r\n".
            if let Some(count @ 1..=9) = word_at(input, self.at).and_then(|word| digit(word, b'*'))
            {
                self.at += 4;
                self.remaining = u64::from(count);
                return self.parse_arguments(input, spans, limits);
            }
            let Some((line, after)) = self.line(input, limits, ProtocolError::CountLineTooBig)?
            else {
                return Ok(Status::Incomplete);
            };
            let count = parse_length(&line[1..])
                .filter(|&count| count <= i64::from(i32::MAX))
                .ok_or(ProtocolError::InvalidCount)?;
            if count > 0 && count as u64 > limits.max_arguments {
                return Err(if limits.unauthenticated {
                    ProtocolError::UnauthenticatedCount
                } else {
                    ProtocolError::InvalidCount
                });
            }
            self.at = after;
            if count <= 0 {
                return Ok(Status::Complete);
            }
            self.remaining = count as u64;
        }
        self.parse_arguments(input, spans, limits)
    }

    #[inline]
    fn parse_arguments(
        &mut self,
        input: &[u8],
        spans: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Status, ProtocolError> {
        while self.remaining > 0 {
            let (len, start) = match self.bulk {
                Some(len) => (len, self.at),
                None => match short_header(input, self.at) {
                    Some(header) => header,
                    None => match self.bulk_header(input, limits)? {
                        Some(header) => header,
                        None => return Ok(Status::Incomplete),
                    },
                },
            };
            // Redis does not look at the two bytes behind an argument either.
            let end = start + len + 2;
            if end > input.len() {
                self.at = start;
                self.bulk = Some(len);
                return Ok(Status::Incomplete);
            }
            spans.push(Span {
                start: start as u32,
                len: len as u32,
            });
            self.at = end;
            self.bulk = None;
            self.remaining -= 1;
        }
        Ok(Status::Complete)
    }

    /// The length announced by `$N\r\n` at the current position and the offset
    /// behind it.
    #[inline(never)]
    fn bulk_header(
        &self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Option<(usize, usize)>, ProtocolError> {
        let Some((line, after)) = self.line(input, limits, ProtocolError::BulkLineTooBig)? else {
            return Ok(None);
        };
        if line.first() != Some(&b'$') {
            // An empty line begins with its own CR.
            return Err(ProtocolError::ExpectedBulk(
                line.first().copied().unwrap_or(b'\r'),
            ));
        }
        let len = parse_length(&line[1..])
            .and_then(|len| u64::try_from(len).ok())
            .ok_or(ProtocolError::InvalidBulkLength)?;
        if len > limits.max_bulk_bytes {
            return Err(if limits.unauthenticated {
                ProtocolError::UnauthenticatedBulkLength
            } else {
                ProtocolError::InvalidBulkLength
            });
        }
        // Spans count in 32 bits.
        let len = u32::try_from(len).map_err(|_| ProtocolError::InvalidBulkLength)?;
        Ok(Some((len as usize, after)))
    }

    /// The line at the current position without its CR LF, and the offset behind it.
    #[inline]
    fn line<'a>(
        &self,
        input: &'a [u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<Option<(&'a [u8], usize)>, ProtocolError> {
        let rest = &input[self.at..];
        match memchr::memchr(b'\r', rest) {
            // The LF is not looked at, but must be there.
            Some(end) if end + 2 <= rest.len() => Ok(Some((&rest[..end], self.at + end + 2))),
            None if rest.len() > limits.max_line_bytes => Err(too_big),
            _ => Ok(None),
        }
    }

    #[cold]
    fn parse_inline(
        &mut self,
        input: &[u8],
        spans: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Status, ProtocolError> {
        let rest = &input[self.at..];
        // Redis looks for the end of the line as C does, which stops at a NUL.
        let end = memchr::memchr2(b'\n', 0, rest).filter(|&end| rest[end] == b'\n');
        let Some(end) = end else {
            return if rest.len() > limits.max_line_bytes {
                Err(ProtocolError::InlineTooBig)
            } else {
                Ok(Status::Incomplete)
            };
        };
        let line = match &rest[..end] {
            [line @ .., b'\r'] => line,
            line => line,
        };
        self.scratch.clear();
        let scratch = &mut self.scratch;
        let balanced = inline::split(line, |word| {
            spans.push(Span {
                start: scratch.len() as u32,
                len: word.len() as u32,
            });
            scratch.extend_from_slice(word);
        });
        self.at += end + 1;
        if balanced {
            Ok(Status::CompleteInline)
        } else {
            Err(ProtocolError::UnbalancedQuotes)
        }
    }
}

/// The eight bytes at `at` as a number, the first one lowest; `None` near the end.
#[inline]
fn word_at(input: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*input.get(at..)?.first_chunk()?))
}

/// N of a word that begins with `kind N CR LF`, N being one digit.
#[inline]
fn digit(word: u64, kind: u8) -> Option<u8> {
    let digit = (word >> 8) as u8;
    let is_framed = word & 0xFFFF_00FF == 0x0A0D_0000 | u64::from(kind);
    (is_framed && digit.is_ascii_digit()).then(|| digit - b'0')
}

/// The length that the header at `at` announces and the offset behind it, if it is one of
/// those that nearly all arguments have, being shorter than 100 bytes: `$N\r\n` and
/// `$NN\r\n`. `None` for any other, and near the end of the input.
#[inline]
fn short_header(input: &[u8], at: usize) -> Option<(usize, usize)> {
    let word = word_at(input, at)?;
    if let Some(len) = digit(word, b'$') {
        return Some((usize::from(len), at + 4));
    }
    let [tens, ones] = [(word >> 8) as u8, (word >> 16) as u8];
    let is_framed = word & 0xFF_FF00_00FF == 0x0A_0D00_0000 | u64::from(b'$');
    // Without a leading zero, which is no length.
    (is_framed && tens.is_ascii_digit() && tens != b'0' && ones.is_ascii_digit()).then(|| {
        let len = usize::from(tens - b'0') * 10 + usize::from(ones - b'0');
        (len, at + 5)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits::authenticated(512 * 1024 * 1024);

    fn parse_all(input: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
        let mut parser = Parser::default();
        let mut requests = Vec::new();
        loop {
            let mut spans = Vec::new();
            let words: Vec<Vec<u8>> = match parser.parse(input, &mut spans, &LIMITS)? {
                Status::Incomplete => return Ok(requests),
                Status::Complete => spans.iter().map(|s| s.of(input).to_vec()).collect(),
                Status::CompleteInline => spans
                    .iter()
                    .map(|s| s.of(parser.scratch()).to_vec())
                    .collect(),
            };
            requests.push(words);
        }
    }

    fn encode(request: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
        for argument in request {
            bytes.extend(format!("${}\r\n", argument.len()).bytes());
            bytes.extend(argument);
            bytes.extend(b"\r\n");
        }
        bytes
    }

    #[test]
    fn errors_have_redis_texts() {
        for (input, text) in [
            (
                &b"*1\r\nx3\r\n"[..],
                "Protocol error: expected '$', got 'x'",
            ),
            (b"*x\r\n", "Protocol error: invalid multibulk length"),
            (
                b"*2147483648\r\n",
                "Protocol error: invalid multibulk length",
            ),
            (b"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"),
            (
                b"*1\r\n$536870913\r\n",
                "Protocol error: invalid bulk length",
            ),
            (b"*1\r\n$1a\r\n", "Protocol error: invalid bulk length"),
            (
                b"set \"a\r\n",
                "Protocol error: unbalanced quotes in request",
            ),
        ] {
            assert_eq!(parse_all(input).unwrap_err().to_string(), text, "{input:?}");
        }
        let long = vec![b'a'; 70_000];
        assert_eq!(parse_all(&long), Err(ProtocolError::InlineTooBig));
        let long = [b"*".to_vec(), vec![b'1'; 70_000]].concat();
        assert_eq!(parse_all(&long), Err(ProtocolError::CountLineTooBig));
        let long = [b"*1\r\n$".to_vec(), vec![b'1'; 70_000]].concat();
        assert_eq!(parse_all(&long), Err(ProtocolError::BulkLineTooBig));
    }

    #[test]
    fn unauthenticated_clients_have_tight_limits() {
        let mut spans = Vec::new();
        let limits = Limits::unauthenticated();
        assert_eq!(
            Parser::default().parse(b"*11\r\n", &mut spans, &limits),
            Err(ProtocolError::UnauthenticatedCount)
        );
        assert_eq!(
            Parser::default().parse(b"*1\r\n$16385\r\n", &mut spans, &limits),
            Err(ProtocolError::UnauthenticatedBulkLength)
        );
    }

    #[test]
    fn empty_requests_are_complete_and_empty() {
        assert_eq!(
            parse_all(b"*0\r\n*-1\r\n\r\nPING\r\n"),
            Ok(vec![vec![], vec![], vec![], vec![b"PING".to_vec()]])
        );
    }

    #[test]
    fn a_big_argument_is_asked_for_and_counted() {
        let mut parser = Parser::default();
        let mut spans = Vec::new();
        let input = b"*2\r\n$4\r\nECHO\r\n$100000\r\nabc";
        assert_eq!(
            parser.parse(input, &mut spans, &LIMITS),
            Ok(Status::Incomplete)
        );
        assert_eq!(parser.missing(input.len()), Missing::Big(100_002));
        assert_eq!(parser.big_argument_done(0, &mut spans), Status::Complete);
        assert_eq!(
            spans[1],
            Span {
                start: Span::BIG,
                len: 0
            }
        );
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_requests(
            requests in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(any::<u8>(), 0..150), 1..5), 1..5),
            piece in 1_usize..40,
        ) {
            let bytes: Vec<u8> = requests.iter().flat_map(|r| encode(r)).collect();
            let mut parser = Parser::default();
            let mut spans = Vec::new();
            let mut parsed = Vec::new();
            let mut end = 0;
            while end < bytes.len() {
                end = (end + piece).min(bytes.len());
                let input = &bytes[..end];
                while parser.parse(input, &mut spans, &LIMITS).unwrap() == Status::Complete {
                    parsed.push(spans.drain(..).map(|s| s.of(input).to_vec()).collect::<Vec<_>>());
                }
                if end < bytes.len() && parser.is_within_request()
                    && let Missing::Bytes(n) = parser.missing(end) {
                    prop_assert!(n > 0 && end + n <= bytes.len());
                }
            }
            prop_assert_eq!(parsed, requests);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_all(&bytes);
        }

        #[test]
        fn no_protocol_like_bytes_make_it_panic(bytes in "[*$0-9\r\n\"'\\\\x -]{0,200}") {
            let _ = parse_all(bytes.as_bytes());
        }
    }
}
