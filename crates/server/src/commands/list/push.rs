//! Adding elements at the ends: LPUSH, RPUSH, LPUSHX, RPUSHX.

use ochre_resp::Reply;
use ochre_store::value::list::{self, Side};
use ochre_store::{EventClass, Expiry, WriteView};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;

const PUSH_COMPLEXITY: &str = "O(1) for each element added, so O(N) to add N elements when the \
                               command is called with multiple arguments.";

const PUSH_KEYS: &[KeySpec] = &[KeySpec::one(1, RW_INSERT)];
const PUSH_ARGUMENTS: &[Arg] = &[key("key"), string("element").many()];

const fn push_command(name: &'static str, side: Side, run: Run) -> Command {
    Command {
        complexity: PUSH_COMPLEXITY,
        flags: Flags::DENYOOM.or(Flags::FAST),
        keys: PUSH_KEYS,
        args: PUSH_ARGUMENTS,
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        list_end: side,
        ..command(name, Group::List, -3, run)
    }
}

pub const LPUSH: Command = Command {
    summary: "Prepends one or more elements to a list. Creates the key if it doesn't exist.",
    ..push_command("lpush", Side::Front, Run::Write(lpush))
};

pub const RPUSH: Command = Command {
    summary: "Appends one or more elements to a list. Creates the key if it doesn't exist.",
    ..push_command("rpush", Side::Back, Run::Write(rpush))
};

pub const LPUSHX: Command = Command {
    summary: "Prepends one or more elements to a list only when the list exists.",
    since: "2.2.0",
    history: &[("4.0.0", "Accepts multiple `element` arguments.")],
    ..push_command("lpushx", Side::Front, Run::Write(lpushx))
};

pub const RPUSHX: Command = Command {
    summary: "Appends one or more elements to a list only when the list exists.",
    since: "2.2.0",
    history: &[("4.0.0", "Accepts multiple `element` arguments.")],
    ..push_command("rpushx", Side::Back, Run::Write(rpushx))
};

fn lpush(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    push(view, args, out, Side::Front, IfMissing::Create)
}

fn rpush(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    push(view, args, out, Side::Back, IfMissing::Create)
}

fn lpushx(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    push(view, args, out, Side::Front, IfMissing::Leave)
}

fn rpushx(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    push(view, args, out, Side::Back, IfMissing::Leave)
}

/// What a push does where there is no list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfMissing {
    Create,
    Leave,
}

fn push(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
    side: Side,
    if_missing: IfMissing,
) -> Outcome {
    let key = args.next()?;
    let elements = args.rest();
    let len = match value::find_mut(view, key)? {
        Some(mut list) => list.push(side, elements),
        None if if_missing == IfMissing::Leave => {
            out.integer(0);
            return Ok(Flow::Done);
        }
        None => {
            create(view, key, side, elements);
            elements.len()
        }
    };
    out.count(len);
    view.modified(key, EventClass::List, value::push_event(side));
    view.dirty(elements.len() as u64 - 1);
    Ok(Flow::Done)
}

/// Makes a list of `elements` at `key`, where there is nothing.
pub fn create(view: &mut WriteView<'_, '_>, key: &[u8], side: Side, elements: &[&[u8]]) {
    let mut room = Vec::new();
    let limit = view.settings().list_node_limit;
    let payload = list::payload(side, elements, limit, &mut room);
    view.set(key, payload, Expiry::Clear);
}
