//! Entries of an interval: XRANGE, XREVRANGE; how XREAD writes them, too.
//!
//! Many entries are written from a frozen stream, in slices as the connection drains.
//! The header comes first and tells how many they are; so where that is not known, a
//! first pass counts them, in slices as well.

use ochre_resp::{Reply, Source};
use ochre_store::ReadView;
use ochre_structures::stream::{Entry, FrozenStream, Stream, StreamId};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

/// The most entries written at once.
const AT_ONCE_MAX: u64 = 2_000;
/// How many entries a slice counts.
const COUNTED_PER_SLICE: usize = 10_000;
/// How many entries are written between looks at the budget.
const WRITTEN_PER_STEP: u64 = 32;

const COMPLEXITY: &str = "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).";
const HISTORY: &[(&str, &str)] = &[("6.2.0", "Added exclusive ranges.")];

pub const XRANGE: Command = Command {
    summary: "Returns the messages from a stream within a range of IDs.",
    since: "5.0.0",
    complexity: COMPLEXITY,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("start"),
        string("end"),
        integer("count").after("COUNT").opt(),
    ],
    history: HISTORY,
    ..command("xrange", Group::Stream, -4, Run::Read(xrange))
};

pub const XREVRANGE: Command = Command {
    summary: "Returns the messages from a stream within a range of IDs in reverse order.",
    since: "5.0.0",
    complexity: COMPLEXITY,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("end"),
        string("start"),
        integer("count").after("COUNT").opt(),
    ],
    history: HISTORY,
    ..command("xrevrange", Group::Stream, -4, Run::Read(xrevrange))
};

/// From which end entries are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Back,
}

/// Some entries of a stream: those from `from` to `to`, both included, `count` at most,
/// where that is not 0.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub from: StreamId,
    pub to: StreamId,
    pub direction: Direction,
    pub count: u64,
}

fn xrange(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, Direction::Forward, out)
}

fn xrevrange(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, Direction::Back, out)
}

fn answer(
    view: &ReadView<'_>,
    args: &mut Args<'_>,
    direction: Direction,
    out: &mut Reply,
) -> Outcome {
    let key = args.next()?;
    let (first, second) = (args.next()?, args.next()?);
    let (from, to) = match direction {
        Direction::Forward => (first, second),
        Direction::Back => (second, first),
    };
    let (from, to) = (value::parse_start(from)?, value::parse_end(to)?);
    let mut count = None;
    while !args.is_empty() {
        if args.len() < 2 || !args.keyword("COUNT") {
            return Err(Error::Syntax);
        }
        count = Some(args.integer()?.max(0) as u64);
    }
    let Some(entry) = view.find(key) else {
        out.array(0);
        return Ok(Flow::Done);
    };
    let stream = value::stream(entry)?;
    if count == Some(0) {
        out.null_array();
        return Ok(Flow::Done);
    }
    let span = Span {
        from,
        to,
        direction,
        count: count.unwrap_or(0),
    };
    reply_span(stream, span, out);
    Ok(Flow::Done)
}

/// Writes some entries of a stream as an array.
pub fn reply_span(stream: &Stream, span: Span, out: &mut Reply) {
    let limit = span.limit();
    let is_whole = span.from <= stream.first_id() && stream.last_id() <= span.to;
    if stream.len().min(limit) <= AT_ONCE_MAX {
        let start = out.len();
        let mut written = 0;
        span.each(stream, limit, |entry| {
            value::reply_entry(entry, out);
            written += 1;
        });
        return out.array_since(start, written);
    }
    if is_whole {
        let entries = stream.len().min(limit);
        out.array(entries as usize);
        return out.source(Box::new(Rest::new(stream, span, Phase::Write(entries))));
    }
    // There are more entries in the stream than are written at once, but maybe not in
    // the interval.
    let mut counted = 0;
    span.each(stream, AT_ONCE_MAX + 1, |_| counted += 1);
    if counted <= AT_ONCE_MAX {
        out.array(counted as usize);
        span.each(stream, counted, |entry| value::reply_entry(entry, out));
    } else {
        out.source(Box::new(Rest::new(stream, span, Phase::Count(0))));
    }
}

impl Span {
    fn limit(&self) -> u64 {
        match self.count {
            0 => u64::MAX,
            count => count,
        }
    }

    /// Shows `max` entries at most to `visit`.
    fn each(&self, stream: &Stream, max: u64, visit: impl FnMut(Entry<'_>)) {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        match self.direction {
            Direction::Forward => stream.range(self.from, self.to).take(max).for_each(visit),
            Direction::Back => (stream.range_back(self.from, self.to))
                .take(max)
                .for_each(visit),
        }
    }
}

/// Entries that are written, or counted first, in slices.
struct Rest {
    stream: FrozenStream,
    span: Span,
    /// What of the interval is left in this phase; `None` at its end.
    left: Option<(StreamId, StreamId)>,
    phase: Phase,
}

enum Phase {
    /// So many entries are counted.
    Count(u64),
    /// So many entries are to be written yet.
    Write(u64),
}

impl Rest {
    fn new(stream: &Stream, span: Span, phase: Phase) -> Self {
        Self {
            stream: stream.freeze(),
            span,
            left: Some((span.from, span.to)),
            phase,
        }
    }

    /// Shows `max` entries at most to `visit`, and goes on behind them next time.
    fn step(&mut self, max: usize, visit: impl FnMut(Entry<'_>)) {
        let Some((from, to)) = self.left else { return };
        self.left = match self.span.direction {
            Direction::Forward => (self.stream.visit(from, to, max, visit)).map(|next| (next, to)),
            Direction::Back => {
                (self.stream.visit_back(from, to, max, visit)).map(|next| (from, next))
            }
        };
    }
}

impl Source for Rest {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        match self.phase {
            Phase::Count(mut counted) => {
                self.step(COUNTED_PER_SLICE, |_| counted += 1);
                let limit = self.span.limit();
                self.phase = if self.left.is_none() || counted >= limit {
                    let entries = counted.min(limit);
                    out.array(entries as usize);
                    self.left = Some((self.span.from, self.span.to));
                    Phase::Write(entries)
                } else {
                    Phase::Count(counted)
                };
                true
            }
            Phase::Write(mut entries) => {
                let start = out.len();
                while entries > 0 && self.left.is_some() && out.len() - start < budget_bytes {
                    self.step(entries.min(WRITTEN_PER_STEP) as usize, |entry| {
                        value::reply_entry(entry, out);
                        entries -= 1;
                    });
                }
                self.phase = Phase::Write(entries);
                entries > 0 && self.left.is_some()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ochre_resp::Protocol;
    use ochre_structures::stream::{NewId, NodeLimits};

    use super::*;

    fn stream_of(entries: u64) -> Stream {
        let mut stream = Stream::new();
        for n in 1..=entries {
            let id = NewId::Exact(StreamId::new(n, 0));
            let pairs = [(&b"f"[..], &b"v"[..])].into_iter();
            stream.append(id, 0, pairs, NodeLimits::default()).unwrap();
        }
        stream
    }

    fn at_once(stream: &Stream, span: Span) -> Vec<u8> {
        let mut out = Reply::new(Protocol::Resp2);
        let mut written = 0;
        span.each(stream, span.limit(), |entry| {
            value::reply_entry(entry, &mut out);
            written += 1;
        });
        out.array_since(0, written);
        out.into_bytes()
    }

    #[test]
    fn slices_make_the_same_reply() {
        let stream = stream_of(25_000);
        let id = |ms| StreamId::new(ms, 0);
        for direction in [Direction::Forward, Direction::Back] {
            for (from, to) in [(0, 30_000), (5, 24_000), (100, 2_099), (100, 2_100)] {
                for count in [0, 1, 2_000, 2_001, 11_000] {
                    let span = Span {
                        from: id(from),
                        to: id(to),
                        direction,
                        count,
                    };
                    let mut out = Reply::new(Protocol::Resp2);
                    reply_span(&stream, span, &mut out);
                    assert!(out.into_bytes() == at_once(&stream, span), "{span:?}");
                }
            }
        }
    }

    #[test]
    fn a_slice_keeps_to_its_budget() {
        let stream = stream_of(10_000);
        let span = Span {
            from: StreamId::MIN,
            to: StreamId::MAX,
            direction: Direction::Forward,
            count: 0,
        };
        let mut rest = Rest::new(&stream, span, Phase::Write(10_000));
        let mut out = Reply::new(Protocol::Resp2);
        assert!(rest.draw(&mut out, 1_000));
        assert!((1_000..3_000).contains(&out.len()), "{}", out.len());
    }
}
