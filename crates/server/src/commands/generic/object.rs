//! OBJECT: how a value is kept, and when it was last used.

use ochre_resp::Reply;
use ochre_store::clock::AccessPolicy;
use ochre_store::{Entry, ReadView, Value, encoding_name};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

/// Integers below this are objects that Redis shares among all keys.
const SHARED_INTEGERS: i64 = 10_000;
/// The reference count of shared objects.
const SHARED_REFERENCES: i64 = i32::MAX as i64;

pub const OBJECT: Command = Command {
    summary: "A container for object introspection commands.",
    since: "2.2.3",
    complexity: "Depends on subcommand.",
    not_categories: Categories::KEYSPACE,
    subcommands: &[&ENCODING, &FREQ, &HELP, &IDLETIME, &REFCOUNT],
    ..command("object", Group::Generic, -2, Run::Container)
};

const KEYS: &[KeySpec] = &[KeySpec::one(2, RO)];
const ARGS: &[Arg] = &[key("key")];

const fn about(name: &'static str, run: Run) -> Command {
    Command {
        since: "2.2.3",
        keys: KEYS,
        args: ARGS,
        tips: &["nondeterministic_output"],
        ..command(name, Group::Generic, 3, run)
    }
}

const ENCODING: Command = Command {
    summary: "Returns the internal encoding of a Redis object.",
    ..about("encoding", Run::Read(encoding))
};

const FREQ: Command = Command {
    summary: "Returns the logarithmic access frequency counter of a Redis object.",
    since: "4.0.0",
    ..about("freq", Run::Read(frequency))
};

const IDLETIME: Command = Command {
    summary: "Returns the time since the last access to a Redis object.",
    ..about("idletime", Run::Read(idle_time))
};

const REFCOUNT: Command = Command {
    summary: "Returns the reference count of a value of a key.",
    ..about("refcount", Run::Read(reference_count))
};

const HELP: Command = Command {
    summary: "Returns helpful text about the different subcommands.",
    since: "6.2.0",
    flags: Flags::LOADING.or(Flags::STALE),
    ..command("help", Group::Generic, 2, Run::Session(help))
};

/// Finds the key without a trace on its access clock, or answers null.
fn find<'a>(
    view: &ReadView<'a>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Result<Option<&'a Entry>, Error> {
    let found = view.look(args.next()?);
    if found.is_none() {
        out.null();
    }
    Ok(found)
}

fn encoding(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if let Some(entry) = find(view, args, out)? {
        out.bulk(encoding_name(entry).as_bytes());
    }
    Ok(Flow::Done)
}

fn frequency(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if let Some(entry) = find(view, args, out)? {
        let policy = view.settings().access_policy;
        if policy == AccessPolicy::Lru {
            return Err(Error::text(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. \
                 Please note that when switching between policies at runtime LRU and LFU data \
                 will take some time to adjust.",
            ));
        }
        out.integer(i64::from(policy.frequency(entry.access(), view.now_ms())));
    }
    Ok(Flow::Done)
}

fn idle_time(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if let Some(entry) = find(view, args, out)? {
        let policy = view.settings().access_policy;
        if policy != AccessPolicy::Lru {
            return Err(Error::text(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note \
                 that when switching between policies at runtime LRU and LFU data will take \
                 some time to adjust.",
            ));
        }
        out.integer(i64::from(
            policy.idle_seconds(entry.access(), view.now_ms()),
        ));
    }
    Ok(Flow::Done)
}

fn reference_count(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if let Some(entry) = find(view, args, out)? {
        out.integer(match entry.value() {
            Value::Int(0..SHARED_INTEGERS) => SHARED_REFERENCES,
            _ => 1,
        });
    }
    Ok(Flow::Done)
}

fn help(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    const LINES: [&str; 15] = [
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
        "HELP",
        "    Prints this help.",
    ];
    out.array(LINES.len());
    LINES.iter().for_each(|line| out.status(line));
    Ok(Flow::Done)
}
