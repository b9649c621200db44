//! Adding, removing and moving members: SADD, SREM, SMOVE.

use ochre_resp::Reply;
use ochre_store::value::set::{SetMut, SetRef, new_set};
use ochre_store::{EventClass, Expiry, WriteView};
use ochre_structures::listpack::Element;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const SADD: Command = Command {
    summary: "Adds members to a set, which is created if need be.",
    since: "1.0.0",
    complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_INSERT)],
    args: &[key("key"), string("member").many()],
    history: &[("2.4.0", "Accepts multiple `member` arguments.")],
    ..command("sadd", Group::Set, -3, Run::Write(sadd))
};

pub const SREM: Command = Command {
    summary: "Removes members from a set, and the set with the last of them.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of members to be removed.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), string("member").many()],
    history: &[("2.4.0", "Accepts multiple `member` arguments.")],
    ..command("srem", Group::Set, -3, Run::Write(srem))
};

pub const SMOVE: Command = Command {
    summary: "Moves a member from one set to another.",
    since: "1.0.0",
    complexity: "O(1)",
    flags: Flags::FAST,
    keys: &[
        KeySpec::one(1, RW_ACCESS_DELETE),
        KeySpec::one(2, RW_INSERT),
    ],
    args: &[key("source"), key("destination").spec(1), string("member")],
    ..command("smove", Group::Set, 4, Run::Write(smove))
};

fn sadd(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let added = add(view, key, args.rest())?;
    if added > 0 {
        view.modified(key, EventClass::Set, "sadd");
        view.dirty(added as u64 - 1);
    }
    out.count(added);
    Ok(Flow::Done)
}

/// Adds `members` to the set `key`, made if there is none; says how many were new.
fn add(view: &mut WriteView<'_, '_>, key: &[u8], members: &[&[u8]]) -> Result<usize, Error> {
    let settings = view.settings();
    let entry = match view.find_mut(key) {
        Some(entry) => entry,
        None => {
            let first = members.first().ok_or(Error::Syntax)?;
            view.set(key, new_set(first, members.len(), settings), Expiry::Clear);
            view.find_mut(key).expect("just made")
        }
    };
    let mut set = SetMut::of(entry.into_inner(), settings)?;
    set.expect(members.len());
    Ok(members
        .iter()
        .filter(|member| set.add(Element::Str(member)))
        .count())
}

fn srem(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let settings = view.settings();
    let Some(entry) = view.find_mut(key) else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    let mut set = SetMut::of(entry.into_inner(), settings)?;
    let mut removed = 0;
    for member in args.rest() {
        removed += usize::from(set.remove(Element::Str(member)));
        if set.is_empty() {
            break;
        }
    }
    let emptied = set.is_empty();
    if removed > 0 {
        view.modified(key, EventClass::Set, "srem");
        view.dirty(removed as u64 - 1);
    }
    if emptied {
        view.remove(key);
        view.notify(key, EventClass::Generic, "del");
    }
    out.count(removed);
    Ok(Flow::Done)
}

fn smove(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (from, to, member) = (args.next()?, args.next()?, args.next()?);
    let settings = view.settings();
    let Some(source) = view.find(from) else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    let is_member = SetRef::of(source)?.contains(Element::Str(member));
    if let Some(target) = view.find(to) {
        SetRef::of(target)?;
    }
    if from == to || !is_member {
        out.integer(i64::from(is_member));
        return Ok(Flow::Done);
    }
    if let Some(entry) = view.find_mut(from) {
        let mut source = SetMut::of(entry.into_inner(), settings)?;
        source.remove(Element::Str(member));
        let emptied = source.is_empty();
        view.modified(from, EventClass::Set, "srem");
        if emptied {
            view.remove(from);
            view.notify(from, EventClass::Generic, "del");
        }
    }
    if add(view, to, &[member])? > 0 {
        view.modified(to, EventClass::Set, "sadd");
    }
    out.integer(1);
    Ok(Flow::Done)
}
