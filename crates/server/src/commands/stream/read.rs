//! Reading on from an ID, of several streams at once, waiting for entries if need be:
//! XREAD, and the arguments it shares with XREADGROUP.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_structures::number;
use ochre_structures::stream::StreamId;
use smallvec::SmallVec;

use super::range::{Direction, Span, reply_span};
use super::value::{self, IdText};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

/// Where the streams of XREAD and XREADGROUP are, the words before them searched from
/// this argument on.
pub const fn streams_spec(from: i32) -> KeySpec {
    KeySpec {
        flags: RO_ACCESS,
        begin: Begin::Keyword("STREAMS", from),
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
        notes: "",
    }
}

pub const XREAD: Command = Command {
    summary: "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.",
    since: "5.0.0",
    complexity: "For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.",
    flags: Flags::BLOCKING,
    keys: &[streams_spec(1)],
    find_keys: Some(find_streams),
    args: &[
        integer("count").after("COUNT").opt(),
        integer("milliseconds").after("BLOCK").opt(),
        block("streams", &[key("key").many(), string("id").many()]).after("STREAMS"),
    ],
    ..command("xread", Group::Stream, -4, Run::Read(xread))
};

/// The keys of XREAD and XREADGROUP.
pub fn find_streams(argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
    let mut at = 1;
    loop {
        let word = *argv.get(at)?;
        if is(word, "STREAMS") {
            break;
        } else if is(word, "BLOCK") || is(word, "COUNT") {
            at += 2;
        } else if is(word, "GROUP") {
            at += 3;
        } else if is(word, "NOACK") {
            at += 1;
        } else {
            return None;
        }
    }
    let words = argv.len() - at - 1;
    if words == 0 || words % 2 == 1 {
        return None;
    }
    Some(
        (at + 1..=at + words / 2)
            .map(|at| (at, RO_ACCESS))
            .collect(),
    )
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

/// Which of the two commands reads its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Single,
    Group,
}

/// How long to wait where there is nothing to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    None,
    Milliseconds(u64),
    Endless,
}

/// A group and a consumer of it.
#[derive(Debug, Clone, Copy)]
pub struct Membership<'a> {
    pub group: &'a [u8],
    pub consumer: &'a [u8],
}

/// The arguments of XREAD and XREADGROUP.
#[derive(Debug)]
pub struct Request<'a> {
    pub argv: &'a [&'a [u8]],
    /// The most entries of each stream; 0 for any number.
    pub count: u64,
    pub patience: Patience,
    pub membership: Option<Membership<'a>>,
    pub noack: bool,
    /// The index of the first key. As many IDs follow the keys.
    streams_at: usize,
}

impl<'a> Request<'a> {
    /// Reads the options.
    ///
    /// # Errors
    /// The first that makes no sense; then what is missing.
    pub fn parse(args: &Args<'a>, reader: Reader, now_ms: i64) -> Result<Self, Error> {
        let argv = args.all();
        let mut request = Self {
            argv,
            count: 0,
            patience: Patience::None,
            membership: None,
            noack: false,
            streams_at: 0,
        };
        let mut at = 1;
        while let Some(&word) = argv.get(at) {
            let more = argv.len() - at - 1;
            if is(word, "BLOCK") && more > 0 {
                at += 1;
                request.patience = parse_timeout(argv[at], now_ms)?;
            } else if is(word, "COUNT") && more > 0 {
                at += 1;
                let count = number::parse_i64(argv[at]).ok_or(Error::NotInteger)?;
                request.count = count.max(0) as u64;
            } else if is(word, "STREAMS") && more > 0 {
                if more % 2 == 1 {
                    return Err(unbalanced(reader));
                }
                request.streams_at = at + 1;
                break;
            } else if is(word, "GROUP") && more >= 2 {
                if reader == Reader::Single {
                    return Err(Error::text(
                        "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                request.membership = Some(Membership {
                    group: argv[at + 1],
                    consumer: argv[at + 2],
                });
                at += 2;
            } else if is(word, "NOACK") {
                if reader == Reader::Single {
                    return Err(Error::text(
                        "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                request.noack = true;
            } else {
                return Err(Error::Syntax);
            }
            at += 1;
        }
        if request.streams_at == 0 {
            return Err(Error::Syntax);
        }
        Ok(request)
    }

    /// The keys with their IDs as they were sent.
    pub fn streams(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let words = &self.argv[self.streams_at..];
        let (keys, ids) = words.split_at(words.len() / 2);
        keys.iter().copied().zip(ids.iter().copied())
    }

    fn first_id_at(&self) -> usize {
        self.streams_at + (self.argv.len() - self.streams_at) / 2
    }

    /// Waits for any of the streams, if that was asked for; else answers that there is
    /// nothing.
    pub fn wait(
        &self,
        unblock_on_missing: bool,
        argv: Option<Vec<Vec<u8>>>,
        out: &mut Reply,
    ) -> Outcome {
        let timeout_ms = match self.patience {
            Patience::None => {
                out.null_array();
                return Ok(Flow::Done);
            }
            Patience::Milliseconds(timeout_ms) => Some(timeout_ms),
            Patience::Endless => None,
        };
        Ok(Flow::Block(Box::new(Wait {
            keys: self.streams().map(|(key, _)| key.to_vec()).collect(),
            timeout_ms,
            on_timeout: TimeoutReply::NullArray,
            unblock_on_missing,
            argv,
            until: Until::KeysReady,
        })))
    }
}

fn parse_timeout(text: &[u8], now_ms: i64) -> Result<Patience, Error> {
    let timeout_ms = number::parse_i64(text)
        .ok_or(Error::text("ERR timeout is not an integer or out of range"))?;
    let timeout_ms =
        u64::try_from(timeout_ms).map_err(|_| Error::text("ERR timeout is negative"))?;
    if now_ms.checked_add_unsigned(timeout_ms).is_none() {
        return Err(Error::text("ERR timeout is out of range"));
    }
    Ok(match timeout_ms {
        0 => Patience::Endless,
        _ => Patience::Milliseconds(timeout_ms),
    })
}

#[cold]
fn unbalanced(reader: Reader) -> Error {
    let (name, special) = match reader {
        Reader::Single => ("xread", '$'),
        Reader::Group => ("xreadgroup", '>'),
    };
    Error::owned(format!(
        "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{special}' must be specified."
    ))
}

/// Writes what comes before the entries of one stream: its key.
pub fn begin_stream(key: &[u8], out: &mut Reply) {
    if !out.is_resp3() {
        out.array(2);
    }
    out.bulk(key);
}

/// Puts the header of so many streams in front of what was written since `from`.
pub fn finish_streams(from: usize, streams: usize, out: &mut Reply) {
    if out.is_resp3() {
        out.map_since(from, streams);
    } else {
        out.array_since(from, streams);
    }
}

fn xread(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let request = Request::parse(args, Reader::Single, view.now_ms())?;
    let mut after = SmallVec::<[StreamId; 8]>::new();
    let mut has_end = false;
    for (key, id) in request.streams() {
        let stream = view.find(key).map(value::stream).transpose()?;
        after.push(match id {
            b"$" => {
                has_end = true;
                stream.map_or(StreamId::MIN, |stream| stream.last_id())
            }
            b">" => {
                return Err(Error::text(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                ));
            }
            _ => value::parse_id(id)?,
        });
    }
    let start = out.len();
    let mut served = 0;
    for ((key, _), &after) in request.streams().zip(&after) {
        let Some(entry) = view.peek(key) else {
            continue;
        };
        let stream = value::stream(entry)?;
        let (Some(last), Some(from)) = (stream.last(), after.next()) else {
            continue;
        };
        if last.id <= after {
            continue;
        }
        begin_stream(key, out);
        let span = Span {
            from,
            to: StreamId::MAX,
            direction: Direction::Forward,
            count: request.count,
        };
        reply_span(stream, span, out);
        served += 1;
    }
    if served > 0 {
        finish_streams(start, served, out);
        return Ok(Flow::Done);
    }
    // The end is where it was when the command came, also when it is run again.
    let argv = (has_end && request.patience != Patience::None).then(|| {
        let mut argv: Vec<Vec<u8>> = request.argv.iter().map(|word| word.to_vec()).collect();
        for (word, &after) in argv[request.first_id_at()..].iter_mut().zip(&after) {
            if word == b"$" {
                *word = IdText::new(after).as_bytes().to_vec();
            }
        }
        argv
    });
    request.wait(false, argv, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(line: &str) -> Option<Vec<usize>> {
        let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        Some(find_streams(&argv)?.into_iter().map(|(at, _)| at).collect())
    }

    #[test]
    fn keys_follow_the_word_that_is_no_options_value() {
        assert_eq!(keys("XREAD COUNT 1 STREAMS a b 0 0"), Some(vec![4, 5]));
        assert_eq!(
            keys("XREADGROUP COUNT 2 GROUP streams streams NOACK streams k >"),
            Some(vec![8])
        );
        assert_eq!(keys("XREAD STREAMS a b 0"), None);
        assert_eq!(keys("XREAD STREAMS"), None);
        assert_eq!(keys("XREAD BLOCK"), None);
        assert_eq!(keys("XREAD a STREAMS b 0"), None);
    }
}
