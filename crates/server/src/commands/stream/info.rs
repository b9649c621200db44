//! What is known about a stream, its groups and their consumers: XINFO.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_structures::number;
use ochre_structures::stream::{Consumer, Group as ConsumerGroup, Stream, StreamId};

use super::range::{Direction, Span, reply_span};
use super::value;
use crate::commands::args::Args;
use crate::commands::help;
use crate::commands::spec::*;
use crate::error::Error;

pub const XINFO: Command = Command {
    summary: "A container for stream introspection commands.",
    since: "5.0.0",
    complexity: "Depends on subcommand.",
    not_categories: Categories::STREAM,
    subcommands: &[&CONSUMERS, &GROUPS, &HELP, &STREAM],
    ..command("xinfo", Group::Stream, -2, Run::Container)
};

const HELP: Command = help::help(Group::Stream);

const KEYS: &[KeySpec] = &[KeySpec::one(2, RO_ACCESS)];

const STREAM: Command = Command {
    summary: "Returns information about a stream.",
    since: "5.0.0",
    keys: KEYS,
    args: &[
        key("key"),
        block(
            "full-block",
            &[token("full", "FULL"), integer("count").after("COUNT").opt()],
        )
        .opt(),
    ],
    history: &[
        ("6.0.0", "Added the `FULL` modifier."),
        (
            "7.0.0",
            "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields",
        ),
        (
            "7.2.0",
            "Added the `active-time` field, and changed the meaning of `seen-time`.",
        ),
    ],
    ..command("stream", Group::Stream, -3, Run::Read(stream))
};

const GROUPS: Command = Command {
    summary: "Returns a list of the consumer groups of a stream.",
    since: "5.0.0",
    keys: KEYS,
    args: &[key("key")],
    history: &[("7.0.0", "Added the `entries-read` and `lag` fields")],
    ..command("groups", Group::Stream, 3, Run::Read(groups))
};

const CONSUMERS: Command = Command {
    summary: "Returns a list of the consumers in a consumer group.",
    since: "5.0.0",
    keys: KEYS,
    args: &[key("key"), string("group")],
    history: &[(
        "7.2.0",
        "Added the `inactive` field, and changed the meaning of `idle`.",
    )],
    tips: &["nondeterministic_output"],
    ..command("consumers", Group::Stream, 4, Run::Read(consumers))
};

/// How much XINFO STREAM tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Summary,
    /// FULL, with so many entries and pending entries at most; 0 for all.
    Full(u64),
}

fn parse_detail(argv: &[&[u8]]) -> Result<Detail, Error> {
    const COUNT: u64 = 10;
    let (full, count) = match argv[3..] {
        [] => return Ok(Detail::Summary),
        [full] => (full, None),
        [full, word, count] if word.eq_ignore_ascii_case(b"COUNT") => (full, Some(count)),
        _ => return Err(value::subcommand_syntax(argv)),
    };
    if !full.eq_ignore_ascii_case(b"FULL") {
        return Err(value::subcommand_syntax(argv));
    }
    let count = match count {
        Some(count) => number::parse_i64(count).ok_or(Error::NotInteger)?,
        None => COUNT as i64,
    };
    Ok(Detail::Full(u64::try_from(count).unwrap_or(COUNT)))
}

fn find<'a>(view: &ReadView<'a>, key: &[u8]) -> Result<&'a Stream, Error> {
    value::stream(view.find(key).ok_or(Error::NoSuchKey)?)
}

fn field(name: &str, out: &mut Reply) {
    out.bulk(name.as_bytes());
}

fn stream(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let stream = find(view, args.next()?)?;
    let detail = parse_detail(args.all())?;
    out.map(match detail {
        Detail::Summary => 10,
        Detail::Full(_) => 9,
    });
    field("length", out);
    out.integer(stream.len() as i64);
    field("radix-tree-keys", out);
    out.count(stream.node_count());
    field("radix-tree-nodes", out);
    out.integer(stream.radix_node_count() as i64);
    field("last-generated-id", out);
    value::reply_id(stream.last_id(), out);
    field("max-deleted-entry-id", out);
    value::reply_id(stream.max_deleted_id(), out);
    field("entries-added", out);
    out.integer(stream.entries_added() as i64);
    field("recorded-first-entry-id", out);
    value::reply_id(stream.first_id(), out);
    match detail {
        Detail::Summary => {
            field("groups", out);
            out.count(stream.group_count());
            for (name, entry) in [
                ("first-entry", stream.first()),
                ("last-entry", stream.last()),
            ] {
                field(name, out);
                match entry {
                    Some(entry) => value::reply_entry(entry, out),
                    None => out.null(),
                }
            }
        }
        Detail::Full(count) => {
            field("entries", out);
            let span = Span {
                from: StreamId::MIN,
                to: StreamId::MAX,
                direction: Direction::Forward,
                count,
            };
            reply_span(stream, span, out);
            field("groups", out);
            out.array(stream.group_count());
            for (name, group) in stream.groups() {
                describe_group(stream, name, group, count, out);
            }
        }
    }
    Ok(Flow::Done)
}

/// Writes the fields that tell how far a group has read.
fn describe_position(stream: &Stream, group: &ConsumerGroup, out: &mut Reply) {
    field("last-delivered-id", out);
    value::reply_id(group.last_id(), out);
    field("entries-read", out);
    integer_or_null(group.entries_read().map(|read| read as i64), out);
    field("lag", out);
    integer_or_null(group.lag(stream), out);
}

fn integer_or_null(value: Option<i64>, out: &mut Reply) {
    match value {
        Some(value) => out.integer(value),
        None => out.null(),
    }
}

fn describe_group(
    stream: &Stream,
    name: &[u8],
    group: &ConsumerGroup,
    count: u64,
    out: &mut Reply,
) {
    let max = match count {
        0 => usize::MAX,
        _ => usize::try_from(count).unwrap_or(usize::MAX),
    };
    out.map(7);
    field("name", out);
    out.bulk(name);
    describe_position(stream, group, out);
    field("pel-count", out);
    out.count(group.pending_len());
    field("pending", out);
    out.array(group.pending_len().min(max));
    for pending in group.pending().take(max) {
        out.array(4);
        value::reply_id(pending.id, out);
        out.bulk(pending.consumer);
        out.integer(pending.delivery_time_ms);
        out.integer(pending.delivery_count as i64);
    }
    field("consumers", out);
    out.array(group.consumer_count());
    for consumer in group.consumers() {
        describe_consumer(group, consumer, max, out);
    }
}

fn describe_consumer(group: &ConsumerGroup, consumer: &Consumer, max: usize, out: &mut Reply) {
    const NEVER: i64 = -1;
    out.map(5);
    field("name", out);
    out.bulk(consumer.name());
    field("seen-time", out);
    out.integer(consumer.seen_time_ms());
    field("active-time", out);
    out.integer(consumer.active_time_ms().unwrap_or(NEVER));
    field("pel-count", out);
    out.count(consumer.pending_len());
    field("pending", out);
    out.array(consumer.pending_len().min(max));
    let pending = group.pending_range_of(consumer, StreamId::MIN, StreamId::MAX);
    for pending in pending.take(max) {
        out.array(3);
        value::reply_id(pending.id, out);
        out.integer(pending.delivery_time_ms);
        out.integer(pending.delivery_count as i64);
    }
}

fn groups(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let stream = find(view, args.next()?)?;
    out.array(stream.group_count());
    for (name, group) in stream.groups() {
        out.map(6);
        field("name", out);
        out.bulk(name);
        field("consumers", out);
        out.count(group.consumer_count());
        field("pending", out);
        out.count(group.pending_len());
        describe_position(stream, group, out);
    }
    Ok(Flow::Done)
}

fn consumers(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, name) = (args.next()?, args.next()?);
    let group = find(view, key)?
        .group(name)
        .ok_or_else(|| value::no_group(key, name))?;
    let now_ms = view.now_ms();
    let since = |time_ms: i64| now_ms.saturating_sub(time_ms).max(0);
    out.array(group.consumer_count());
    for consumer in group.consumers() {
        out.map(4);
        field("name", out);
        out.bulk(consumer.name());
        field("pending", out);
        out.count(consumer.pending_len());
        field("idle", out);
        out.integer(since(consumer.seen_time_ms()));
        field("inactive", out);
        out.integer(consumer.active_time_ms().map_or(-1, since));
    }
    Ok(Flow::Done)
}
