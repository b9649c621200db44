//! The list commands that wait: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH.
//!
//! A handler only says that it must wait and for which keys; it is run again, by
//! whoever makes one of them ready. What it does then is what it would have done at
//! once, and is recorded as the command that does not wait.

use ochre_resp::Reply;
use ochre_store::WriteView;
use ochre_store::value::list::Side;

use super::pop::Several;
use super::{shift, value};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::timeout;

const POP_KEYS: &[KeySpec] = &[KeySpec::range(1, -2, 1, RW_ACCESS_DELETE)];
const POP_ARGUMENTS: &[Arg] = &[key("key").many(), double("timeout")];
const TIMEOUT_HISTORY: &[(&str, &str)] = &[(
    "6.0.0",
    "`timeout` is interpreted as a double instead of an integer.",
)];

const fn pop_command(name: &'static str, run: Run) -> Command {
    Command {
        since: "2.0.0",
        complexity: "O(N) where N is the number of provided keys.",
        flags: Flags::NOSCRIPT.or(Flags::BLOCKING),
        keys: POP_KEYS,
        args: POP_ARGUMENTS,
        history: TIMEOUT_HISTORY,
        ..command(name, Group::List, -3, run)
    }
}

pub const BLPOP: Command = Command {
    summary: "Removes and returns the first element in a list. Blocks until an element is \
              available otherwise. Deletes the list if the last element was popped.",
    ..pop_command("blpop", Run::Write(blpop))
};

pub const BRPOP: Command = Command {
    summary: "Removes and returns the last element in a list. Blocks until an element is \
              available otherwise. Deletes the list if the last element was popped.",
    ..pop_command("brpop", Run::Write(brpop))
};

fn blpop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    pop(view, args, out, Side::Front)
}

fn brpop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    pop(view, args, out, Side::Back)
}

fn pop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply, side: Side) -> Outcome {
    let keys = args.rest();
    let Some((last, keys)) = keys.split_last() else {
        return Err(crate::error::Error::Syntax);
    };
    let timeout_ms = timeout::seconds(last, view.now_ms())?;
    let event = value::pop_event(side);
    for &key in keys {
        let Some(mut list) = value::find_mut(view, key)? else {
            continue;
        };
        out.array(2);
        out.bulk(key);
        list.pop(side, |element| value::reply(element, out));
        list.shrink();
        let left = list.len();
        value::removed(view, key, event, 1, left);
        view.effects
            .propagate_as(|| vec![vec![event.to_ascii_uppercase().into_bytes(), key.to_vec()]]);
        return Ok(Flow::Done);
    }
    Ok(wait(keys, timeout_ms, TimeoutReply::NullArray))
}

pub const BLMPOP: Command = Command {
    summary: "Pops the first element from one of multiple lists. Blocks until an element is \
              available otherwise. Deletes the list if the last element was popped.",
    since: "7.0.0",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements \
                 returned.",
    flags: Flags::BLOCKING,
    keys: &[KeySpec::counted(2, RW_ACCESS_DELETE)],
    args: &[
        double("timeout"),
        integer("numkeys"),
        key("key").many(),
        value::side_argument("where"),
        integer("count").after("COUNT").opt(),
    ],
    ..command("blmpop", Group::List, -5, Run::Write(blmpop))
};

fn blmpop(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let seconds = args.next()?;
    let several = Several::parse(args)?;
    let timeout_ms = timeout::seconds(seconds, view.now_ms())?;
    if several.pop(view, out)? {
        return Ok(Flow::Done);
    }
    Ok(wait(several.keys, timeout_ms, TimeoutReply::NullArray))
}

pub const BLMOVE: Command = Command {
    summary: "Pops an element from a list, pushes it to another list and returns it. Blocks \
              until an element is available otherwise. Deletes the list if the last element was \
              moved.",
    since: "6.2.0",
    flags: Flags::DENYOOM.or(Flags::NOSCRIPT).or(Flags::BLOCKING),
    keys: shift::KEYS,
    args: &[
        key("source"),
        key("destination").spec(1),
        value::side_argument("wherefrom"),
        value::side_argument("whereto"),
        double("timeout"),
    ],
    ..command("blmove", Group::List, 6, Run::Write(blmove))
};

fn blmove(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let instead = &args.rest()[..4.min(args.len())];
    let (source, destination) = (args.next()?, args.next()?);
    let (from, to) = (value::side(args)?, value::side(args)?);
    let timeout_ms = timeout::seconds(args.next()?, view.now_ms())?;
    if !shift::shift(view, (source, from), (destination, to), out)? {
        return Ok(wait(&[source], timeout_ms, TimeoutReply::NullOrNullArray));
    }
    propagate(view, b"LMOVE", instead);
    Ok(Flow::Done)
}

pub const BRPOPLPUSH: Command = Command {
    summary: "Pops an element from a list, pushes it to another list and returns it. Block until \
              an element is available otherwise. Deletes the list if the last element was popped.",
    since: "2.2.0",
    flags: Flags::DENYOOM.or(Flags::NOSCRIPT).or(Flags::BLOCKING),
    keys: shift::KEYS,
    args: &[key("source"), key("destination").spec(1), double("timeout")],
    history: TIMEOUT_HISTORY,
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`BLMOVE` with the `RIGHT` and `LEFT` arguments"),
    ..command("brpoplpush", Group::List, 4, Run::Write(brpoplpush))
};

fn brpoplpush(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let instead = &args.rest()[..2.min(args.len())];
    let (source, destination) = (args.next()?, args.next()?);
    let timeout_ms = timeout::seconds(args.next()?, view.now_ms())?;
    if !shift::shift(view, (source, Side::Back), (destination, Side::Front), out)? {
        return Ok(wait(&[source], timeout_ms, TimeoutReply::NullOrNullArray));
    }
    propagate(view, b"RPOPLPUSH", instead);
    Ok(Flow::Done)
}

fn propagate(view: &mut WriteView<'_, '_>, name: &[u8], arguments: &[&[u8]]) {
    view.effects.propagate_as(|| {
        let mut command = vec![name.to_vec()];
        command.extend(arguments.iter().map(|argument| argument.to_vec()));
        vec![command]
    });
}

fn wait(keys: &[&[u8]], timeout_ms: Option<u64>, on_timeout: TimeoutReply) -> Flow {
    Flow::Block(Box::new(Wait {
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        timeout_ms,
        on_timeout,
        unblock_on_missing: false,
        argv: None,
        until: Until::KeysReady,
    }))
}
