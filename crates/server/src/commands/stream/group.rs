//! Groups and their consumers made, moved and removed: XGROUP.

use ochre_resp::Reply;
use ochre_store::freeing::Garbage;
use ochre_store::{EventClass, Expiry, WriteView};
use ochre_structures::number;
use ochre_structures::stream::{Group as ConsumerGroup, Presence, Stream, StreamId};

use super::value;
use crate::commands::args::Args;
use crate::commands::help;
use crate::commands::spec::*;
use crate::error::Error;

pub const XGROUP: Command = Command {
    summary: "A container for consumer groups commands.",
    since: "5.0.0",
    complexity: "Depends on subcommand.",
    not_categories: Categories::STREAM,
    subcommands: &[
        &CREATE,
        &CREATECONSUMER,
        &DELCONSUMER,
        &DESTROY,
        &HELP,
        &SETID,
    ],
    ..command("xgroup", Group::Stream, -2, Run::Container)
};

const HELP: Command = help::help(Group::Stream);

const ID_SELECTOR: Arg = one_of("id-selector", &[string("id"), token("new-id", "$")]);
const ENTRIES_READ: Arg = integer("entries-read").after("ENTRIESREAD").opt();
const HISTORY: &[(&str, &str)] = &[("7.0.0", "Added the `entries_read` named argument.")];

const CREATE: Command = Command {
    summary: "Creates a consumer group.",
    since: "5.0.0",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(2, RW_INSERT)],
    args: &[
        key("key"),
        string("group"),
        ID_SELECTOR,
        token("mkstream", "MKSTREAM").opt(),
        ENTRIES_READ,
    ],
    history: HISTORY,
    ..command("create", Group::Stream, -5, Run::Write(create))
};

const SETID: Command = Command {
    summary: "Sets the last-delivered ID of a consumer group.",
    since: "5.0.0",
    keys: &[KeySpec::one(2, RW_UPDATE)],
    args: &[key("key"), string("group"), ID_SELECTOR, ENTRIES_READ],
    history: &[("7.0.0", "Added the optional `entries_read` argument.")],
    ..command("setid", Group::Stream, -5, Run::Write(set_id))
};

const DESTROY: Command = Command {
    summary: "Destroys a consumer group.",
    since: "5.0.0",
    complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
    keys: &[KeySpec::one(2, RW_DELETE)],
    args: &[key("key"), string("group")],
    ..command("destroy", Group::Stream, 4, Run::Write(destroy))
};

const CREATECONSUMER: Command = Command {
    summary: "Creates a consumer in a consumer group.",
    since: "6.2.0",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(2, RW_INSERT)],
    args: &[key("key"), string("group"), string("consumer")],
    ..command(
        "createconsumer",
        Group::Stream,
        5,
        Run::Write(create_consumer),
    )
};

const DELCONSUMER: Command = Command {
    summary: "Deletes a consumer from a consumer group.",
    since: "5.0.0",
    keys: &[KeySpec::one(2, RW_DELETE)],
    args: &[key("key"), string("group"), string("consumer")],
    ..command("delconsumer", Group::Stream, 5, Run::Write(delete_consumer))
};

/// The options of CREATE and SETID.
#[derive(Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(argv: &[&[u8]], may_make_stream: bool) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut words = argv[5..].iter();
        while let Some(word) = words.next() {
            if may_make_stream && word.eq_ignore_ascii_case(b"MKSTREAM") {
                options.makes_stream = true;
            } else if word.eq_ignore_ascii_case(b"ENTRIESREAD")
                && let Some(read) = words.next()
            {
                let read = number::parse_i64(read).ok_or(Error::NotInteger)?;
                if read < -1 {
                    return Err(Error::text(
                        "ERR value for ENTRIESREAD must be positive or -1",
                    ));
                }
                options.entries_read = u64::try_from(read).ok();
            } else {
                return Err(value::subcommand_syntax(argv));
            }
        }
        Ok(options)
    }
}

const NO_KEY: Error = Error::text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);

/// The stream of `key`, which must be there.
fn existing<'v>(view: &'v mut WriteView<'_, '_>, key: &[u8]) -> Result<&'v mut Stream, Error> {
    value::stream_mut(view, key)?.ok_or(NO_KEY)
}

/// The group of the stream of `key`, which must be there.
fn existing_group<'v>(
    view: &'v mut WriteView<'_, '_>,
    key: &[u8],
    name: &[u8],
) -> Result<&'v mut ConsumerGroup, Error> {
    existing(view, key)?
        .group_mut(name)
        .ok_or_else(|| value::no_group(key, name))
}

fn create(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    // Redis's limit; each option twice.
    const WORDS_MAX: usize = 8;
    let argv = args.all();
    let (key, name, id) = (args.next()?, args.next()?, args.next()?);
    let options = Options::parse(argv, true)?;
    let stream = value::stream_mut(view, key)?;
    if stream.is_none() && !options.makes_stream {
        return Err(NO_KEY);
    }
    if argv.len() > WORDS_MAX {
        return Err(value::subcommand_syntax(argv));
    }
    let id = match id {
        b"$" => (stream.as_ref()).map_or(StreamId::MIN, |stream| stream.last_id()),
        _ => value::parse_id(id)?,
    };
    const EXISTS: Error = Error::text("BUSYGROUP Consumer Group name already exists");
    match stream {
        Some(stream) => stream
            .create_group(name, id, options.entries_read)
            .map_err(|_| EXISTS)?,
        None => {
            let mut stream = Stream::new();
            stream
                .create_group(name, id, options.entries_read)
                .map_err(|_| EXISTS)?;
            view.set(key, value::payload(stream), Expiry::Clear);
            view.mark_changed(key);
        }
    }
    view.dirty(1);
    view.notify(key, EventClass::Stream, "xgroup-create");
    out.ok();
    Ok(Flow::Done)
}

fn set_id(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let argv = args.all();
    let (key, name, id) = (args.next()?, args.next()?, args.next()?);
    let options = Options::parse(argv, false)?;
    let stream = existing(view, key)?;
    let last_id = stream.last_id();
    let group = stream
        .group_mut(name)
        .ok_or_else(|| value::no_group(key, name))?;
    if argv.len() != 5 && argv.len() != 7 {
        return Err(value::subcommand_syntax(argv));
    }
    let id = match id {
        b"$" => last_id,
        _ => StreamId::parse(id, 0).map_err(|_| value::INVALID_ID)?,
    };
    group.set_position(id, options.entries_read);
    view.dirty(1);
    view.notify(key, EventClass::Stream, "xgroup-setid");
    out.ok();
    Ok(Flow::Done)
}

fn destroy(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    /// More pending entries are for the freeing thread.
    const FEW: usize = 64;
    let (key, name) = (args.next()?, args.next()?);
    let group = existing(view, key)?.destroy_group(name);
    out.integer(group.is_some().into());
    if let Some(group) = group {
        if group.pending_len() > FEW {
            view.effects.garbage.push(Garbage::Part(Box::new(group)));
        }
        view.dirty(1);
        view.notify(key, EventClass::Stream, "xgroup-destroy");
        // Who waits for entries as a consumer of the group waits in vain.
        view.ready(key);
    }
    Ok(Flow::Done)
}

fn create_consumer(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, name, consumer) = (args.next()?, args.next()?, args.next()?);
    let now_ms = view.now_ms();
    let (_, presence) = existing_group(view, key, name)?.ensure_consumer(consumer, now_ms);
    let is_new = presence == Presence::Created;
    if is_new {
        view.dirty(1);
        view.notify(key, EventClass::Stream, "xgroup-createconsumer");
    }
    out.integer(is_new.into());
    Ok(Flow::Done)
}

fn delete_consumer(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, name, consumer) = (args.next()?, args.next()?, args.next()?);
    let pending = existing_group(view, key, name)?.delete_consumer(consumer);
    if pending.is_some() {
        view.dirty(1);
        view.notify(key, EventClass::Stream, "xgroup-delconsumer");
    }
    out.count(pending.unwrap_or(0));
    Ok(Flow::Done)
}
