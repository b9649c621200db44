//! Looking into a set: SCARD, SISMEMBER, SMISMEMBER, SMEMBERS.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_store::value::set::SetRef;
use ochre_structures::listpack::Element;

use super::slices;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const SISMEMBER: Command = Command {
    summary: "Tells whether a value is a member of a set.",
    since: "1.0.0",
    complexity: "O(1)",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key"), string("member")],
    ..command("sismember", Group::Set, 3, Run::Read(sismember))
};

pub const SMISMEMBER: Command = Command {
    summary: "Tells for several values whether they are members of a set.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of elements being checked for membership",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), string("member").many()],
    ..command("smismember", Group::Set, -3, Run::Read(smismember))
};

pub const SMEMBERS: Command = Command {
    summary: "Returns all members of a set.",
    since: "1.0.0",
    complexity: "O(N) where N is the set cardinality.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key")],
    tips: &["nondeterministic_output_order"],
    ..command("smembers", Group::Set, 2, Run::Read(smembers))
};

pub const SCARD: Command = Command {
    summary: "Counts the members of a set.",
    since: "1.0.0",
    complexity: "O(1)",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO)],
    args: &[key("key")],
    ..command("scard", Group::Set, 2, Run::Read(scard))
};

/// The set that a key holds, if it is there.
///
/// # Errors
/// The value is of another type.
pub fn find<'v>(view: &ReadView<'v>, key: &[u8]) -> Result<Option<SetRef<'v>>, Error> {
    Ok(view.find(key).map(SetRef::of).transpose()?)
}

fn sismember(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let set = find(view, args.next()?)?;
    let member = Element::Str(args.next()?);
    out.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    Ok(Flow::Done)
}

fn smismember(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let set = find(view, args.next()?)?;
    out.array(args.len());
    for member in args.rest() {
        let is_member = set.is_some_and(|set| set.contains(Element::Str(member)));
        out.integer(i64::from(is_member));
    }
    Ok(Flow::Done)
}

fn smembers(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    match find(view, args.next()?)? {
        Some(set) => slices::write_members(set, out),
        None => out.set(0),
    }
    Ok(Flow::Done)
}

fn scard(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let set = find(view, args.next()?)?;
    out.count(set.map_or(0, |set| set.len()));
    Ok(Flow::Done)
}
