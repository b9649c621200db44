//! Looking into a hash: HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HSTRLEN, HEXISTS.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_store::value::hash::HashRef;

use super::slices::{self, Part};
use crate::commands::args::Args;
use crate::commands::element;
use crate::commands::spec::*;
use crate::error::Error;

pub const HGET: Command = Command {
    summary: "Returns the value of one field of a hash.",
    since: "2.0.0",
    complexity: "O(1)",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), string("field")],
    ..command("hget", Group::Hash, 3, Run::Read(hget))
};

pub const HMGET: Command = Command {
    summary: "Returns the values of several fields of a hash.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields being requested.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), string("field").many()],
    ..command("hmget", Group::Hash, -3, Run::Read(hmget))
};

pub const HGETALL: Command = Command {
    summary: "Returns every field of a hash with its value.",
    since: "2.0.0",
    complexity: "O(N) where N is the size of the hash.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key")],
    tips: &["nondeterministic_output_order"],
    ..command("hgetall", Group::Hash, 2, Run::Read(hgetall))
};

pub const HKEYS: Command = Command {
    summary: "Returns the names of all fields of a hash.",
    since: "2.0.0",
    complexity: "O(N) where N is the size of the hash.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key")],
    tips: &["nondeterministic_output_order"],
    ..command("hkeys", Group::Hash, 2, Run::Read(hkeys))
};

pub const HVALS: Command = Command {
    summary: "Returns the values of all fields of a hash.",
    since: "2.0.0",
    complexity: "O(N) where N is the size of the hash.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key")],
    tips: &["nondeterministic_output_order"],
    ..command("hvals", Group::Hash, 2, Run::Read(hvals))
};

pub const HLEN: Command = Command {
    summary: "Counts the fields of a hash.",
    since: "2.0.0",
    complexity: "O(1)",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key")],
    ..command("hlen", Group::Hash, 2, Run::Read(hlen))
};

pub const HSTRLEN: Command = Command {
    summary: "Returns the length of a field's value.",
    since: "3.2.0",
    complexity: "O(1)",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key"), string("field")],
    ..command("hstrlen", Group::Hash, 3, Run::Read(hstrlen))
};

pub const HEXISTS: Command = Command {
    summary: "Tells whether a hash has a field.",
    since: "2.0.0",
    complexity: "O(1)",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key"), string("field")],
    ..command("hexists", Group::Hash, 3, Run::Read(hexists))
};

/// The hash that a key holds, if it is there.
///
/// # Errors
/// The value is of another type.
#[inline]
pub fn find<'v>(view: &ReadView<'v>, key: &[u8]) -> Result<Option<HashRef<'v>>, Error> {
    let now_ms = view.deadline_now_ms();
    Ok(view
        .find(key)
        .map(|entry| HashRef::of(entry, now_ms))
        .transpose()?)
}

fn hget(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let hash = find(view, args.next()?)?;
    let name = args.next()?;
    match hash.and_then(|hash| hash.find(name)) {
        Some(field) => element::write(field.value, out),
        None => out.null(),
    }
    Ok(Flow::Done)
}

fn hmget(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let hash = find(view, args.next()?)?;
    out.array(args.len());
    for name in args.rest() {
        match hash.and_then(|hash| hash.find(name)) {
            Some(field) => element::write(field.value, out),
            None => out.null(),
        }
    }
    Ok(Flow::Done)
}

fn hgetall(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    all(view, args, Part::Both, out)
}

fn hkeys(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    all(view, args, Part::Names, out)
}

fn hvals(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    all(view, args, Part::Values, out)
}

fn all(view: &ReadView<'_>, args: &mut Args<'_>, part: Part, out: &mut Reply) -> Outcome {
    let hash = find(view, args.next()?)?;
    let len = hash.map_or(0, |hash| hash.len());
    if part == Part::Both {
        out.map(len);
    } else {
        out.array(len);
    }
    if let Some(hash) = hash {
        slices::write_fields(hash, view.deadline_now_ms(), part, out);
    }
    Ok(Flow::Done)
}

fn hlen(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let hash = find(view, args.next()?)?;
    out.count(hash.map_or(0, |hash| hash.len()));
    Ok(Flow::Done)
}

fn hstrlen(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let hash = find(view, args.next()?)?;
    let name = args.next()?;
    let field = hash.and_then(|hash| hash.find(name));
    out.count(field.map_or(0, |field| field.value.len()));
    Ok(Flow::Done)
}

fn hexists(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let hash = find(view, args.next()?)?;
    let name = args.next()?;
    let field = hash.and_then(|hash| hash.find(name));
    out.integer(i64::from(field.is_some()));
    Ok(Flow::Done)
}
