//! Entries delivered and not acknowledged: XACK, XPENDING.

use ochre_resp::Reply;
use ochre_store::{ReadView, WriteView};
use ochre_structures::number;
use ochre_structures::stream::{Group as ConsumerGroup, StreamId};
use smallvec::SmallVec;

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const XACK: Command = Command {
    summary: "Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.",
    since: "5.0.0",
    complexity: "O(1) for each message ID processed.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[key("key"), string("group"), string("id").many()],
    ..command("xack", Group::Stream, -4, Run::Write(xack))
};

pub const XPENDING: Command = Command {
    summary: "Returns the information and entries from a stream consumer group's pending entries list.",
    since: "5.0.0",
    complexity: "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("group"),
        block(
            "filters",
            &[
                integer("min-idle-time").after("IDLE").opt().since("6.2.0"),
                string("start"),
                string("end"),
                integer("count"),
                string("consumer").opt(),
            ],
        )
        .opt(),
    ],
    history: &[(
        "6.2.0",
        "Added the `IDLE` option and exclusive range intervals.",
    )],
    tips: &["nondeterministic_output"],
    ..command("xpending", Group::Stream, -3, Run::Read(xpending))
};

fn xack(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, name) = (args.next()?, args.next()?);
    let group = value::stream_mut(view, key)?.and_then(|stream| stream.group_mut(name));
    let Some(group) = group else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    let ids: SmallVec<[StreamId; 8]> = args
        .rest()
        .iter()
        .map(|id| value::parse_id(id))
        .collect::<Result<_, _>>()?;
    let acknowledged = ids.iter().filter(|&&id| group.acknowledge(id)).count();
    view.dirty(acknowledged as u64);
    out.count(acknowledged);
    Ok(Flow::Done)
}

/// Which pending entries XPENDING lists.
struct Filter<'a> {
    from: StreamId,
    to: StreamId,
    count: u64,
    /// Delivered at least so long ago; 0 for any time.
    min_idle_ms: i64,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// Reads the arguments behind key and group, of which there are three at least.
    fn parse(words: &[&'a [u8]]) -> Result<Self, Error> {
        let (min_idle_ms, words) = match words {
            [idle, ms, rest @ ..] if idle.eq_ignore_ascii_case(b"IDLE") => {
                let min_idle_ms = number::parse_i64(ms).ok_or(Error::NotInteger)?;
                (min_idle_ms, rest)
            }
            _ => (0, words),
        };
        let [from, to, count, rest @ ..] = words else {
            return Err(Error::Syntax);
        };
        let count = number::parse_i64(count).ok_or(Error::NotInteger)?;
        Ok(Self {
            count: count.max(0) as u64,
            from: value::parse_start(from)?,
            to: value::parse_end(to)?,
            min_idle_ms,
            consumer: rest.first().copied(),
        })
    }
}

fn xpending(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, name) = (args.next()?, args.next()?);
    let filter = match args.len() {
        0 => None,
        3..=6 => Some(Filter::parse(args.rest())?),
        _ => return Err(Error::Syntax),
    };
    let stream = view.find(key).map(value::stream).transpose()?;
    let group = stream
        .and_then(|stream| stream.group(name))
        .ok_or_else(|| value::no_key_or_group(key, name, ""))?;
    match filter {
        None => summarize(group, out),
        Some(filter) => list(group, &filter, view.now_ms(), out),
    }
    Ok(Flow::Done)
}

fn summarize(group: &ConsumerGroup, out: &mut Reply) {
    out.array(4);
    out.count(group.pending_len());
    let mut pending = group.pending();
    let Some(first) = pending.next() else {
        out.null();
        out.null();
        out.null_array();
        return;
    };
    let last = pending.next_back().unwrap_or(first);
    value::reply_id(first.id, out);
    value::reply_id(last.id, out);
    let start = out.len();
    let mut consumers = 0;
    for consumer in group.consumers().filter(|one| one.pending_len() > 0) {
        out.array(2);
        out.bulk(consumer.name());
        out.bulk_integer(consumer.pending_len() as i64);
        consumers += 1;
    }
    out.array_since(start, consumers);
}

fn list(group: &ConsumerGroup, filter: &Filter<'_>, now_ms: i64, out: &mut Reply) {
    let pending = match filter.consumer {
        None => group.pending_range(filter.from, filter.to),
        Some(name) => match group.consumer(name) {
            Some(consumer) => group.pending_range_of(consumer, filter.from, filter.to),
            None => return out.array(0),
        },
    };
    let start = out.len();
    let mut listed = 0;
    let max = usize::try_from(filter.count).unwrap_or(usize::MAX);
    for entry in pending
        .filter(|entry| filter.min_idle_ms == 0 || entry.idle_ms(now_ms) >= filter.min_idle_ms)
        .take(max)
    {
        out.array(4);
        value::reply_id(entry.id, out);
        out.bulk(entry.consumer);
        out.integer(entry.idle_ms(now_ms).max(0));
        out.integer(entry.delivery_count as i64);
        listed += 1;
    }
    out.array_since(start, listed);
}
