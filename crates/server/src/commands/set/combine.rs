//! Intersections, unions and differences: SINTER, SUNION, SDIFF and their kin.
//!
//! Large ones are only begun here, and worked out in slices ([`super::algebra`]), but for
//! those that are stored: a change is whole when its locks are released.
//!
//! The new sets get the encodings that Redis 7.2 gives them: its steps are followed, down
//! to which set they begin with.

use ochre_resp::Reply;
use ochre_store::value::set::{NewSet, SetEncoding, SetRef};
use ochre_store::{EventClass, Expiry, ReadView, Settings, WriteView};
use ochre_structures::listpack::Element;
use ochre_structures::member_set::MemberSet;
use ochre_structures::number;

use super::algebra::{self, Change, Wanted};
use super::{read, slices};
use crate::commands::args::Args;
use crate::commands::element::{self, LONG_REPLY};
use crate::commands::spec::*;
use crate::error::Error;

pub const SINTER: Command = Command {
    summary: "Returns the members that all the sets have in common.",
    since: "1.0.0",
    complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
    keys: &[KeySpec::rest(1, RO_ACCESS)],
    args: &[key("key").many()],
    tips: &["nondeterministic_output_order"],
    ..command("sinter", Group::Set, -2, Run::Read(sinter))
};

pub const SINTERCARD: Command = Command {
    summary: "Counts the members that all the sets have in common.",
    since: "7.0.0",
    complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
    flags: Flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, RO_ACCESS)],
    args: &[
        integer("numkeys"),
        key("key").many(),
        integer("limit").after("LIMIT").opt(),
    ],
    ..command("sintercard", Group::Set, -3, Run::Read(sintercard))
};

pub const SINTERSTORE: Command = Command {
    summary: "Stores the members that all the sets have in common in a key.",
    since: "1.0.0",
    complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, RW_UPDATE), KeySpec::rest(2, RO_ACCESS)],
    args: &[key("destination"), key("key").spec(1).many()],
    ..command("sinterstore", Group::Set, -3, Run::Write(sinterstore))
};

pub const SUNION: Command = Command {
    summary: "Returns the members of any of the sets.",
    since: "1.0.0",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    keys: &[KeySpec::rest(1, RO_ACCESS)],
    args: &[key("key").many()],
    tips: &["nondeterministic_output_order"],
    ..command("sunion", Group::Set, -2, Run::Read(sunion))
};

pub const SUNIONSTORE: Command = Command {
    summary: "Stores the members of any of the sets in a key.",
    since: "1.0.0",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::rest(2, RO_ACCESS)],
    args: &[key("destination"), key("key").spec(1).many()],
    ..command("sunionstore", Group::Set, -3, Run::Write(sunionstore))
};

pub const SDIFF: Command = Command {
    summary: "Returns the members of the first set that none of the others has.",
    since: "1.0.0",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    keys: &[KeySpec::rest(1, RO_ACCESS)],
    args: &[key("key").many()],
    tips: &["nondeterministic_output_order"],
    ..command("sdiff", Group::Set, -2, Run::Read(sdiff))
};

pub const SDIFFSTORE: Command = Command {
    summary: "Stores the members of the first set that none of the others has in a key.",
    since: "1.0.0",
    complexity: "O(N) where N is the total number of elements in all given sets.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::rest(2, RO_ACCESS)],
    args: &[key("destination"), key("key").spec(1).many()],
    ..command("sdiffstore", Group::Set, -3, Run::Write(sdiffstore))
};

/// The sets that keys hold, in their order.
///
/// # Errors
/// One of the values is of another type.
fn sets<'v>(view: &ReadView<'v>, keys: &[&[u8]]) -> Result<Vec<Option<SetRef<'v>>>, Error> {
    keys.iter().map(|key| read::find(view, key)).collect()
}

/// The sets, the smallest first; `None` where one is missing, so that they have nothing
/// in common.
fn by_size<'v>(view: &ReadView<'v>, keys: &[&[u8]]) -> Result<Option<Vec<SetRef<'v>>>, Error> {
    let sets: Option<Vec<_>> = sets(view, keys)?.into_iter().collect();
    Ok(sets.map(|mut sets| {
        sets.sort_by_key(SetRef::len);
        sets
    }))
}

/// Shows the members that all `sets` have, until `visit` says to stop.
fn intersect<'v>(sets: &[SetRef<'v>], mut visit: impl FnMut(Element<'v>) -> bool) {
    if let Some((first, others)) = sets.split_first() {
        first.visit_while(|member| !others.iter().all(|set| set.contains(member)) || visit(member));
    }
}

/// Writes what `make` shows as a set.
fn write_set<'v>(out: &mut Reply, make: impl FnOnce(&mut dyn FnMut(Element<'v>))) {
    let mut members = Reply::new(out.protocol());
    let mut count = 0;
    make(&mut |member| {
        element::write(member, &mut members);
        count += 1;
    });
    out.set(count);
    out.append(members);
}

/// Gives the key `to` the new set, or removes it where that is empty.
fn store(
    view: &mut WriteView<'_, '_>,
    to: &[u8],
    mut set: NewSet<'_>,
    event: &'static str,
    out: &mut Reply,
) {
    let len = set.edit().len();
    if len > 0 {
        set.store(|payload| view.set(to, payload, Expiry::Clear));
        view.modified(to, EventClass::Set, event);
    } else if view.remove(to) {
        view.modified(to, EventClass::Generic, "del");
    }
    out.count(len);
}

fn sinter(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    match by_size(view, args.rest())?.as_deref() {
        None => out.set(0),
        Some([only]) => slices::write_members(*only, out),
        Some([smallest, others @ ..]) if smallest.len() > LONG_REPLY => {
            algebra::write_sieved(*smallest, others, Wanted::InAll, out);
        }
        Some(sets) => write_set(out, |show| {
            intersect(sets, |member| {
                show(member);
                true
            });
        }),
    }
    Ok(Flow::Done)
}

fn sintercard(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let wrong_count = Error::text("ERR numkeys should be greater than 0");
    let count = number::parse_i64(args.next()?)
        .and_then(|count| usize::try_from(count).ok())
        .filter(|&count| count > 0)
        .ok_or(wrong_count)?;
    if count > args.len() {
        return Err(Error::text(
            "ERR Number of keys can't be greater than number of args",
        ));
    }
    let keys = &args.rest()[..count];
    args.skip(count);
    let mut limit = 0;
    while !args.is_empty() {
        if args.len() < 2 || !args.keyword("LIMIT") {
            return Err(Error::Syntax);
        }
        limit = number::parse_i64(args.next()?)
            .and_then(|limit| usize::try_from(limit).ok())
            .ok_or(Error::text("ERR LIMIT can't be negative"))?;
    }
    let limit = if limit == 0 { usize::MAX } else { limit };
    let Some(sets) = by_size(view, keys)? else {
        out.count(0);
        return Ok(Flow::Done);
    };
    let is_long = sets[0].len() > LONG_REPLY;
    // A low limit is reached soon, most times.
    let looked_at = if is_long { LONG_REPLY } else { usize::MAX };
    let found = match is_long && limit > LONG_REPLY {
        true => 0,
        false => count_common(&sets, limit, looked_at),
    };
    if is_long && found < limit {
        algebra::write_count(sets[0], &sets[1..], limit, out);
    } else {
        out.count(found);
    }
    Ok(Flow::Done)
}

/// How many members all `sets` have: `limit` at most, and of the first `looked_at` of the
/// first set's.
fn count_common(sets: &[SetRef<'_>], limit: usize, looked_at: usize) -> usize {
    let (mut found, mut left) = (0, looked_at);
    sets[0].visit_while(|member| {
        found += usize::from(sets[1..].iter().all(|set| set.contains(member)));
        left -= 1;
        found < limit && left > 0
    });
    found
}

fn sinterstore(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (to, settings) = (args.next()?, view.settings());
    let mut result = NewSet::new(SetEncoding::IntSet, settings);
    if let Some(sets) = by_size(&view.read(), args.rest())? {
        if let Some(smallest) = sets.first() {
            result = NewSet::new(smallest.encoding(), settings);
        }
        let mut only_integers = true;
        intersect(&sets, |member| {
            only_integers &= member.as_integer().is_some();
            result.edit().add(member);
            true
        });
        if only_integers {
            result.edit().make_intset();
        }
    }
    store(view, to, result, "sinterstore", out);
    Ok(Flow::Done)
}

/// All members of `sets`.
fn union<'s>(
    sets: &[Option<SetRef<'_>>],
    encoding: SetEncoding,
    settings: &'s Settings,
) -> NewSet<'s> {
    let mut result = NewSet::new(encoding, settings);
    for set in sets.iter().flatten() {
        set.visit(|member| {
            result.edit().add(member);
        });
    }
    result
}

fn sunion(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let sets = sets(view, args.rest())?;
    if let [only] = sets[..] {
        match only {
            Some(set) => slices::write_members(set, out),
            None => out.set(0),
        }
        return Ok(Flow::Done);
    }
    let present: Vec<SetRef<'_>> = sets.iter().copied().flatten().collect();
    if total_len(&present) > LONG_REPLY {
        algebra::write_changed(MemberSet::new(), &present, Change::Add, out);
        return Ok(Flow::Done);
    }
    let integers = sets
        .iter()
        .flatten()
        .all(|set| set.encoding() == SetEncoding::IntSet);
    let encoding = if integers {
        SetEncoding::IntSet
    } else {
        SetEncoding::Table
    };
    let mut result = union(&sets, encoding, view.settings());
    slices::write_members(result.edit().view(), out);
    Ok(Flow::Done)
}

fn sunionstore(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (to, settings) = (args.next()?, view.settings());
    let result = union(
        &sets(&view.read(), args.rest())?,
        SetEncoding::IntSet,
        settings,
    );
    store(view, to, result, "sunionstore", out);
    Ok(Flow::Done)
}

fn total_len(sets: &[SetRef<'_>]) -> usize {
    sets.iter().map(SetRef::len).sum()
}

/// Whether it is less work to look each member of the first set up in the others than to
/// remove the others' members from a copy of it.
fn looks_up(first: SetRef<'_>, others: &[SetRef<'_>]) -> bool {
    let looking = first.len() * (others.len() + 1) / 2;
    let removing = first.len() + total_len(others);
    looking <= removing
}

/// The sets, the one that is the most likely to have a member first: the largest.
fn by_chance<'v>(sets: &[SetRef<'v>]) -> Vec<SetRef<'v>> {
    let mut sets = sets.to_vec();
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    sets
}

/// Shows the members of `first` that none of `others` has.
fn subtract<'v>(first: SetRef<'v>, others: &[SetRef<'v>], mut visit: impl FnMut(Element<'v>)) {
    let others = by_chance(others);
    first.visit(|member| {
        if !others.iter().any(|set| set.contains(member)) {
            visit(member);
        }
    });
}

/// The members of the first set that none of the others has.
fn difference<'s>(sets: &[Option<SetRef<'_>>], settings: &'s Settings) -> NewSet<'s> {
    let mut result = NewSet::new(SetEncoding::IntSet, settings);
    let Some((Some(first), others)) = sets.split_first() else {
        return result;
    };
    let present: Vec<SetRef<'_>> = others.iter().copied().flatten().collect();
    if looks_up(*first, &present) {
        subtract(*first, &present, |member| {
            result.edit().add(member);
        });
        return result;
    }
    first.visit(|member| {
        result.edit().add(member);
    });
    for set in present {
        set.visit_while(|member| {
            result.edit().remove(member);
            !result.edit().is_empty()
        });
    }
    result
}

fn sdiff(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let sets = sets(view, args.rest())?;
    let Some((Some(first), others)) = sets.split_first() else {
        out.set(0);
        return Ok(Flow::Done);
    };
    let present: Vec<SetRef<'_>> = others.iter().copied().flatten().collect();
    if present.is_empty() {
        slices::write_members(*first, out);
    } else if looks_up(*first, &present) {
        if first.len() > LONG_REPLY {
            algebra::write_sieved(*first, &by_chance(&present), Wanted::InNone, out);
            return Ok(Flow::Done);
        }
        write_set(out, |show| subtract(*first, &present, show));
    } else if total_len(&present) > LONG_REPLY {
        algebra::write_changed(first.to_table(), &present, Change::Remove, out);
    } else {
        let mut result = difference(&sets, view.settings());
        slices::write_members(result.edit().view(), out);
    }
    Ok(Flow::Done)
}

fn sdiffstore(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (to, settings) = (args.next()?, view.settings());
    let result = difference(&sets(&view.read(), args.rest())?, settings);
    store(view, to, result, "sdiffstore", out);
    Ok(Flow::Done)
}
