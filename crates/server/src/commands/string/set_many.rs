//! Setting several strings at once: MSET, MSETNX.

use std::borrow::Cow;

use ochre_resp::Reply;
use ochre_store::{EventClass, Expiry, WriteView};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

const PAIRS: &[Arg] = &[block("data", &[key("key"), string("value")]).many()];

pub const MSET: Command = Command {
    summary: "Sets the string values of several keys at once.",
    since: "1.0.1",
    complexity: "O(N) where N is the number of keys to set.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::range(1, -1, 2, OW_UPDATE)],
    args: PAIRS,
    tips: &[
        "request_policy:multi_shard",
        "response_policy:all_succeeded",
    ],
    ..command("mset", Group::String, -3, Run::Write(mset))
};

pub const MSETNX: Command = Command {
    summary: "Sets the string values of several keys, if none of them is there yet.",
    since: "1.0.1",
    complexity: "O(N) where N is the number of keys to set.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::range(1, -1, 2, OW_INSERT)],
    args: PAIRS,
    tips: &["request_policy:multi_shard", "response_policy:agg_min"],
    ..command("msetnx", Group::String, -3, Run::Write(msetnx))
};

fn mset(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    check_pairs(args, "mset")?;
    set_all(view, args);
    out.ok();
    Ok(Flow::Done)
}

fn msetnx(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    check_pairs(args, "msetnx")?;
    let is_any_there = args.rest().iter().step_by(2).any(|key| view.contains(key));
    if !is_any_there {
        set_all(view, args);
    }
    out.integer((!is_any_there).into());
    Ok(Flow::Done)
}

fn check_pairs(args: &Args<'_>, command: &'static str) -> Result<(), Error> {
    if args.len().is_multiple_of(2) {
        Ok(())
    } else {
        Err(Error::Arity(Cow::Borrowed(command)))
    }
}

fn set_all(view: &mut WriteView<'_, '_>, args: &Args<'_>) {
    for index in (1..args.all().len()).step_by(2) {
        let key = args.all()[index];
        view.set(key, value::argument_payload(args, index + 1), Expiry::Clear);
        view.modified(key, EventClass::String, "set");
    }
}
