//! Counts replies without building them: RESP2 and RESP3, split at any byte.
//!
//! A reply tree needs no stack to be skipped, only the number of elements still owed: one
//! at first; a scalar pays one, an array of `n` pays one and owes `n` more. At zero the
//! reply is whole.
//!
//! Invariant: however a stream is cut into pieces, the sum of what [`Skipper::feed`]
//! returns is the same. The skipper holds at most one line, never a payload.

/// No header line of a server is longer; an error's text may be long, but not this long.
const LONGEST_LINE: usize = 64 * 1024;

/// How much of the first error is kept.
const KEPT_ERROR: usize = 200;

/// The server sent what is not RESP.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the server sent what is not RESP: {0:?}")]
pub struct Malformed(pub String);

/// Skips replies, counting them and their errors.
#[derive(Clone, Debug, Default)]
pub struct Skipper {
    /// Elements of the present reply still to come; 0 between replies.
    owed: u64,
    /// The present reply is a push or an attribute, not an answer.
    aside: bool,
    /// Bytes of a payload, its line end included, still to be passed over.
    payload: u64,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    pushes: u64,
    errors: u64,
    first_error: Option<String>,
}

impl Skipper {
    /// A skipper at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Passes over `bytes`; returns how many replies ended within them. Pushes are not
    /// replies: they are counted apart.
    ///
    /// # Errors
    /// When the bytes are not RESP. The stream cannot be followed any further then.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<u64, Malformed> {
        let mut replies = 0;
        while !bytes.is_empty() {
            if self.payload > 0 {
                let passed = self.payload.min(bytes.len() as u64);
                bytes = &bytes[passed as usize..];
                self.payload -= passed;
                if self.payload == 0 {
                    replies += self.pay();
                }
                continue;
            }
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                if self.line.len() + bytes.len() > LONGEST_LINE {
                    return Err(malformed(bytes));
                }
                self.line.extend_from_slice(bytes);
                break;
            };
            let (head, rest) = bytes.split_at(end + 1);
            bytes = rest;
            replies += if self.line.is_empty() {
                self.header(head)?
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                let ended = self.header(&line);
                line.clear();
                self.line = line;
                ended?
            };
        }
        Ok(replies)
    }

    /// How many error replies there were, nested ones included.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// How many out-of-band pushes there were.
    pub fn pushes(&self) -> u64 {
        self.pushes
    }

    /// The text of the first error.
    pub fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }

    /// Reads one header line, its line end included.
    #[inline]
    fn header(&mut self, line: &[u8]) -> Result<u64, Malformed> {
        let Some(text) = line.strip_suffix(b"\r\n").filter(|text| !text.is_empty()) else {
            return Err(malformed(line));
        };
        let outermost = self.owed == 0;
        if outermost {
            self.owed = 1;
            self.aside = false;
        }
        let (kind, rest) = (text[0], &text[1..]);
        match kind {
            b'+' | b':' | b'_' | b',' | b'#' | b'(' => Ok(self.pay()),
            b'-' => {
                self.note_error(rest);
                Ok(self.pay())
            }
            b'$' | b'=' | b'!' => match length(rest) {
                Some(-1) => Ok(self.pay()),
                Some(length @ 0..) => {
                    if kind == b'!' {
                        self.note_error(b"(bulk error)");
                    }
                    self.payload = length as u64 + 2;
                    Ok(0)
                }
                _ => Err(malformed(line)),
            },
            b'*' | b'~' | b'%' | b'>' | b'|' => {
                let count = match length(rest) {
                    Some(-1) => 0,
                    Some(count @ 0..) => count as u64,
                    _ => return Err(malformed(line)),
                };
                let elements = if matches!(kind, b'%' | b'|') {
                    count.checked_mul(2)
                } else {
                    Some(count)
                };
                let more = elements.and_then(|elements| self.owed.checked_add(elements));
                self.owed = more.ok_or_else(|| malformed(line))?;
                // An attribute inside a reply is no element of it: it only adds its own.
                self.aside |= outermost && matches!(kind, b'>' | b'|');
                Ok(if kind == b'|' && !outermost {
                    0
                } else {
                    self.pay()
                })
            }
            _ => Err(malformed(line)),
        }
    }

    /// One element is whole; returns 1 when that makes a reply whole.
    #[inline]
    fn pay(&mut self) -> u64 {
        self.owed -= 1;
        if self.owed > 0 {
            return 0;
        }
        if self.aside {
            self.pushes += 1;
            return 0;
        }
        1
    }

    fn note_error(&mut self, text: &[u8]) {
        self.errors += 1;
        if self.first_error.is_none() {
            let kept = &text[..text.len().min(KEPT_ERROR)];
            self.first_error = Some(String::from_utf8_lossy(kept).into_owned());
        }
    }
}

/// A header's number: decimal, at most 18 digits, −1 for "none".
#[inline]
fn length(digits: &[u8]) -> Option<i64> {
    if digits == b"-1" {
        return Some(-1);
    }
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number: i64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(number)
}

fn malformed(bytes: &[u8]) -> Malformed {
    Malformed(String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(stream: &[u8]) -> (u64, u64, u64) {
        let mut skipper = Skipper::new();
        let replies = skipper.feed(stream).unwrap();
        (replies, skipper.errors(), skipper.pushes())
    }

    #[test]
    fn every_kind() {
        assert_eq!(
            count(b"+OK\r\n:1\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,1.5\r\n(12\r\n"),
            (8, 0, 0)
        );
        assert_eq!(
            count(b"$5\r\na\r\nbc\r\n$0\r\n\r\n=7\r\ntxt:abc\r\n"),
            (3, 0, 0)
        );
        assert_eq!(
            count(b"*2\r\n*0\r\n%1\r\n+a\r\n*1\r\n:1\r\n~1\r\n+x\r\n"),
            (2, 0, 0)
        );
        assert_eq!(
            count(b"-ERR no\r\n*1\r\n-ERR nested\r\n!5\r\nERR x\r\n"),
            (3, 3, 0)
        );
    }

    #[test]
    fn pushes_and_attributes_are_asides() {
        assert_eq!(count(b">2\r\n+message\r\n*1\r\n+x\r\n+OK\r\n"), (1, 0, 1));
        assert_eq!(count(b"|1\r\n+ttl\r\n:3\r\n+OK\r\n"), (1, 0, 1));
        assert_eq!(count(b">0\r\n:1\r\n"), (1, 0, 1));
        // An attribute of an inner element is part of the reply around it.
        assert_eq!(
            count(b"*1\r\n|1\r\n+ttl\r\n:3\r\n+inner\r\n+next\r\n"),
            (2, 0, 0)
        );
    }

    #[test]
    fn the_first_error_is_kept() {
        let mut skipper = Skipper::new();
        skipper.feed(b"-ERR one\r\n-ERR two\r\n").unwrap();
        assert_eq!(skipper.first_error(), Some("ERR one"));
    }

    #[test]
    fn refusals() {
        for bad in [
            &b"hello\r\n"[..],
            b"\r\n",
            b"+OK\n",
            b"$-2\r\n",
            b"$x\r\n",
            b"$\r\n",
            b"*9999999999999999999999\r\n",
        ] {
            assert!(Skipper::new().feed(bad).is_err(), "{bad:?}");
        }
        assert!(Skipper::new().feed(&vec![b'+'; LONGEST_LINE + 1]).is_err());
        let mut nested = Vec::new();
        for _ in 0..40 {
            nested.extend_from_slice(b"%999999999999999999\r\n");
        }
        assert!(
            Skipper::new().feed(&nested).is_err(),
            "the count must not overflow"
        );
    }

    fn reply() -> impl Strategy<Value = Vec<u8>> {
        let scalar = prop_oneof![
            "[a-z]{0,9}".prop_map(|s| format!("+{s}\r\n").into_bytes()),
            "[a-z]{0,9}".prop_map(|s| format!("-{s}\r\n").into_bytes()),
            any::<i64>().prop_map(|n| format!(":{n}\r\n").into_bytes()),
            Just(b"$-1\r\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
                let mut reply = format!("${}\r\n", bytes.len()).into_bytes();
                reply.extend(bytes);
                reply.extend(b"\r\n");
                reply
            }),
        ];
        scalar.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(|items| [
                    format!("*{}\r\n", items.len()).into_bytes(),
                    items.concat()
                ]
                .concat()),
                prop::collection::vec((inner.clone(), inner), 0..3).prop_map(|pairs| {
                    let items: Vec<u8> = pairs
                        .iter()
                        .flat_map(|(a, b)| [a.clone(), b.clone()].concat())
                        .collect();
                    [format!("%{}\r\n", pairs.len()).into_bytes(), items].concat()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_split_counts_alike(
            replies in prop::collection::vec(reply(), 0..8),
            cuts in prop::collection::vec(1usize..20, 1..60),
        ) {
            let stream = replies.concat();
            let mut skipper = Skipper::new();
            let mut counted = 0;
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                counted += skipper.feed(piece).unwrap();
                rest = later;
            }
            prop_assert_eq!(counted, replies.len() as u64);
            let mut whole = Skipper::new();
            whole.feed(&stream).unwrap();
            prop_assert_eq!(whole.errors(), skipper.errors());
        }

        #[test]
        fn any_bytes_are_survived(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..10)) {
            let mut skipper = Skipper::new();
            for piece in pieces {
                if skipper.feed(&piece).is_err() {
                    break;
                }
            }
        }
    }
}
