//! Reading strings whole: GET, MGET, STRLEN.

use ochre_resp::Reply;
use ochre_store::ReadView;

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;

pub const GET: Command = Command {
    summary: "Returns the string value of a key.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key")],
    ..command("get", Group::String, 2, Run::Read(get))
};

pub const MGET: Command = Command {
    summary: "Returns the string values of several keys at once.",
    complexity: "O(N) where N is the number of keys to retrieve.",
    flags: Flags::FAST,
    keys: &[KeySpec::rest(1, RO_ACCESS)],
    args: &[key("key").many()],
    tips: &["request_policy:multi_shard"],
    ..command("mget", Group::String, -2, Run::Read(mget))
};

pub const STRLEN: Command = Command {
    summary: "Returns the length of a string value.",
    since: "2.2.0",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key")],
    ..command("strlen", Group::String, 2, Run::Read(strlen))
};

fn get(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    value::reply_or_null(view.find(args.next()?), out)?;
    Ok(Flow::Done)
}

fn mget(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let keys = args.rest();
    out.array(keys.len());
    for key in keys {
        // A value of another type counts as missing.
        if value::reply_or_null(view.find(key), out).is_err() {
            out.null();
        }
    }
    Ok(Flow::Done)
}

fn strlen(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let length = match view.find(args.next()?) {
        Some(entry) => value::length(entry)?,
        None => 0,
    };
    out.count(length);
    Ok(Flow::Done)
}
