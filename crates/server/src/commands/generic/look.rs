//! Whether keys are there and of what type: EXISTS, TOUCH, TYPE, RANDOMKEY.

use ochre_resp::Reply;
use ochre_store::ReadView;

use crate::commands::args::Args;
use crate::commands::spec::*;

const TIPS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

pub const EXISTS: Command = Command {
    summary: "Determines whether one or more keys exist.",
    complexity: "O(N) where N is the number of keys to check.",
    flags: Flags::FAST,
    keys: &[KeySpec::rest(1, RO)],
    args: &[key("key").many()],
    history: &[("3.0.3", "Accepts multiple `key` arguments.")],
    tips: TIPS,
    ..command("exists", Group::Generic, -2, Run::Read(exists))
};

fn exists(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let found = args.rest().iter().filter(|key| view.look(key).is_some());
    out.count(found.count());
    Ok(Flow::Done)
}

pub const TOUCH: Command = Command {
    summary: "Returns the number of existing keys out of those specified after updating the time \
              they were last accessed.",
    since: "3.2.1",
    complexity: "O(N) where N is the number of keys that will be touched.",
    flags: Flags::FAST,
    keys: &[KeySpec::rest(1, RO)],
    args: &[key("key").many()],
    tips: TIPS,
    ..command("touch", Group::Generic, -2, Run::Read(touch))
};

fn touch(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let found = args.rest().iter().filter(|key| view.contains(key));
    out.count(found.count());
    Ok(Flow::Done)
}

pub const TYPE: Command = Command {
    summary: "Determines the type of value stored at a key.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key")],
    ..command("type", Group::Generic, 2, Run::Read(value_type))
};

fn value_type(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let found = view.look(args.next()?);
    out.status(found.map_or("none", |entry| entry.value_type().name()));
    Ok(Flow::Done)
}

pub const RANDOMKEY: Command = Command {
    summary: "Returns a random key name from the database.",
    flags: Flags::READONLY,
    tips: &["request_policy:all_shards", "nondeterministic_output"],
    ..command("randomkey", Group::Generic, 1, Run::Keyspace(random_key))
};

fn random_key(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let local = &mut *whole.call.local;
    let key = whole.view.random_key(&mut || local.random());
    out.bulk_or_null(key.as_deref());
    Ok(Flow::Done)
}
