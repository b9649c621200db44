//! Pending entries that change their owner: XCLAIM, XAUTOCLAIM.

use ochre_resp::Reply;
use ochre_store::{EventClass, WriteView};
use ochre_structures::number;
use ochre_structures::stream::{
    Claim, Claimed, DeliveryCount, NotPending, Pending, Presence, Stream, StreamId,
};
use smallvec::SmallVec;

use super::{propagate, value};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::{Error, quoted};

pub const XCLAIM: Command = Command {
    summary: "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.",
    since: "5.0.0",
    complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[
        key("key"),
        string("group"),
        string("consumer"),
        string("min-idle-time"),
        string("id").many(),
        integer("ms").after("IDLE").opt(),
        unix_time("unix-time-milliseconds").after("TIME").opt(),
        integer("count").after("RETRYCOUNT").opt(),
        token("force", "FORCE").opt(),
        token("justid", "JUSTID").opt(),
        string("lastid").after("LASTID").opt(),
    ],
    tips: &["nondeterministic_output"],
    ..command("xclaim", Group::Stream, -6, Run::Write(xclaim))
};

pub const XAUTOCLAIM: Command = Command {
    summary: "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.",
    since: "6.2.0",
    complexity: "O(1) if COUNT is small.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[
        key("key"),
        string("group"),
        string("consumer"),
        string("min-idle-time"),
        string("start"),
        integer("count").after("COUNT").opt(),
        token("justid", "JUSTID").opt(),
    ],
    history: &[(
        "7.0.0",
        "Added an element to the reply array, containing deleted entries the command cleared from the PEL",
    )],
    tips: &["nondeterministic_output"],
    ..command("xautoclaim", Group::Stream, -6, Run::Write(xautoclaim))
};

/// What is told of an entry that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Entry,
    /// JUSTID
    Id,
}

/// The options of XCLAIM.
struct Options {
    ids: SmallVec<[StreamId; 8]>,
    claim: Claim,
    last_id: StreamId,
    told: Told,
}

impl Options {
    /// Reads the IDs and the words behind them.
    fn parse(words: &[&[u8]], min_idle_ms: i64, now_ms: i64) -> Result<Self, Error> {
        // What is no ID begins the options.
        let ids: SmallVec<[StreamId; 8]> = words
            .iter()
            .map_while(|word| value::parse_id(word).ok())
            .collect();
        let mut options = Self {
            claim: Claim {
                min_idle_ms,
                delivery_time_ms: now_ms,
                delivery_count: DeliveryCount::Increment,
                not_pending: NotPending::Skip,
            },
            last_id: StreamId::MIN,
            told: Told::Entry,
            ids,
        };
        let (mut time_ms, mut retries) = (-1, -1);
        let mut words = words[options.ids.len()..].iter();
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let has_more = words.len() > 0;
            if is("FORCE") {
                options.claim.not_pending = NotPending::Create;
            } else if is("JUSTID") {
                options.told = Told::Id;
            } else if is("IDLE") && has_more {
                let idle_ms =
                    integer_or(words.next(), "ERR Invalid IDLE option argument for XCLAIM")?;
                time_ms = now_ms.wrapping_sub(idle_ms);
            } else if is("TIME") && has_more {
                time_ms = integer_or(words.next(), "ERR Invalid TIME option argument for XCLAIM")?;
            } else if is("RETRYCOUNT") && has_more {
                retries = integer_or(
                    words.next(),
                    "ERR Invalid RETRYCOUNT option argument for XCLAIM",
                )?;
            } else if is("LASTID") && has_more {
                options.last_id = value::parse_id(words.next().unwrap_or(word))?;
            } else {
                let text = [
                    b"ERR Unrecognized XCLAIM option '",
                    quoted(word, usize::MAX),
                    b"'",
                ];
                return Err(Error::Bytes(text.concat()));
            }
        }
        // Clients reckon with clocks of their own: no reason to refuse.
        if (0..=now_ms).contains(&time_ms) {
            options.claim.delivery_time_ms = time_ms;
        }
        if let Ok(count) = u64::try_from(retries) {
            options.claim.delivery_count = DeliveryCount::Set(count);
        } else if options.told == Told::Id {
            options.claim.delivery_count = DeliveryCount::Keep;
        }
        Ok(options)
    }
}

fn integer_or(word: Option<&&[u8]>, error: &'static str) -> Result<i64, Error> {
    word.and_then(|word| number::parse_i64(word))
        .ok_or(Error::text(error))
}

fn parse_min_idle(word: &[u8], error: &'static str) -> Result<i64, Error> {
    Ok(integer_or(Some(&word), error)?.max(0))
}

/// The stream of `key` if it has the group.
fn stream_with_group<'v>(
    view: &'v mut WriteView<'_, '_>,
    key: &[u8],
    group: &[u8],
) -> Result<&'v mut Stream, Error> {
    value::stream_mut(view, key)?
        .filter(|stream| stream.group(group).is_some())
        .ok_or_else(|| value::no_key_or_group(key, group, ""))
}

/// Writes an entry that was claimed, or its ID.
fn reply_claimed(told: Told, entry: ochre_structures::stream::Entry<'_>, out: &mut Reply) {
    match told {
        Told::Entry => value::reply_entry(entry, out),
        Told::Id => value::reply_id(entry.id, out),
    }
}

fn xclaim(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, name, consumer_name) = (args.next()?, args.next()?, args.next()?);
    let (now_ms, recording) = (view.now_ms(), view.effects.recording);
    let stream = stream_with_group(view, key, name)?;
    let min_idle_ms = parse_min_idle(
        args.next()?,
        "ERR Invalid min-idle-time argument for XCLAIM",
    )?;
    let options = Options::parse(args.rest(), min_idle_ms, now_ms)?;
    let Some((log, group)) = stream.log_and_group_mut(name) else {
        return Err(value::no_key_or_group(key, name, ""));
    };
    let has_advanced = group.advance_to(options.last_id);
    let (consumer, presence) = group.see_consumer(consumer_name, now_ms);
    let last_id = group.last_id();
    let start = out.len();
    let (mut moved, mut changes) = (0, 0);
    let mut commands = Vec::new();
    let mut record = |pending: &Pending<'_>| {
        if recording {
            commands.push(propagate::pending(key, name, last_id, pending));
        }
    };
    for &id in &options.ids {
        match group.claim(log, consumer, id, &options.claim, now_ms) {
            Claimed::Moved { pending, entry } => {
                reply_claimed(options.told, entry, out);
                record(&pending);
                (moved, changes) = (moved + 1, changes + 1);
            }
            Claimed::Deleted { pending } => {
                record(&pending);
                changes += 1;
            }
            Claimed::Untouched => {}
        }
    }
    out.array_since(start, moved);
    // Whatever is recorded as pending brings the last ID with it.
    if has_advanced && changes == 0 {
        changes += 1;
        if recording {
            commands.push(propagate::position(key, name, group));
        }
    }
    conclude(
        view,
        (key, name, consumer_name),
        presence,
        changes,
        commands,
    );
    Ok(Flow::Done)
}

fn xautoclaim(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, name, consumer_name) = (args.next()?, args.next()?, args.next()?);
    let (now_ms, recording) = (view.now_ms(), view.effects.recording);
    let min_idle_ms = parse_min_idle(
        args.next()?,
        "ERR Invalid min-idle-time argument for XAUTOCLAIM",
    )?;
    let from = value::parse_start(args.next()?)?;
    let (mut count, mut told) = (100, Told::Entry);
    while !args.is_empty() {
        if args.len() > 1 && args.keyword("COUNT") {
            // Redis makes room for so many IDs, of 16 bytes each.
            const COUNT_MAX: i64 = i64::MAX / 16;
            count = number::parse_i64(args.next()?)
                .filter(|count| (1..=COUNT_MAX).contains(count))
                .ok_or(Error::text("ERR COUNT must be > 0"))? as u64;
        } else if args.keyword("JUSTID") {
            told = Told::Id;
        } else {
            return Err(Error::Syntax);
        }
    }
    let stream = stream_with_group(view, key, name)?;
    let Some((log, group)) = stream.log_and_group_mut(name) else {
        return Err(value::no_key_or_group(key, name, ""));
    };
    let (consumer, presence) = group.see_consumer(consumer_name, now_ms);
    let last_id = group.last_id();
    let delivery_count = match told {
        Told::Entry => DeliveryCount::Increment,
        Told::Id => DeliveryCount::Keep,
    };
    let mut deleted = Vec::new();
    let mut moved = 0;
    let mut commands = Vec::new();
    let start = out.len();
    let next = group.claim_idle(
        log,
        consumer,
        from,
        min_idle_ms,
        count,
        delivery_count,
        now_ms,
        |claimed| {
            let pending = match claimed {
                Claimed::Moved { pending, entry } => {
                    reply_claimed(told, entry, out);
                    moved += 1;
                    pending
                }
                Claimed::Deleted { pending } => {
                    deleted.push(pending.id);
                    pending
                }
                Claimed::Untouched => return,
            };
            if recording {
                commands.push(propagate::pending(key, name, last_id, &pending));
            }
        },
    );
    // Where to go on precedes the entries.
    out.array_since(start, moved);
    let entries_end = out.len();
    value::reply_id(next, out);
    out.bring_forward(start, entries_end);
    out.array_since(start, 3);
    out.array(deleted.len());
    for &id in &deleted {
        value::reply_id(id, out);
    }
    let changes = moved + deleted.len();
    conclude(
        view,
        (key, name, consumer_name),
        presence,
        changes,
        commands,
    );
    Ok(Flow::Done)
}

/// Counts, announces and records what a claim did.
fn conclude(
    view: &mut WriteView<'_, '_>,
    (key, group, consumer): (&[u8], &[u8], &[u8]),
    presence: Presence,
    changes: usize,
    mut commands: Vec<ochre_store::Recorded>,
) {
    if presence == Presence::Created {
        view.dirty(1);
        view.notify(key, EventClass::Stream, "xgroup-createconsumer");
    }
    view.dirty(changes as u64);
    view.effects.propagate_as(|| {
        if presence == Presence::Created {
            commands.insert(0, propagate::consumer(key, group, consumer));
        }
        commands
    });
}
