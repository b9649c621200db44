//! Changing lists in their middle: LINSERT, LREM, LSET, LTRIM.

use ochre_resp::Reply;
use ochre_store::value::list::Place;
use ochre_store::{EventClass, WriteView};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const LINSERT: Command = Command {
    summary: "Inserts an element before or after another element in a list.",
    since: "2.2.0",
    complexity: "O(N) where N is the number of elements to traverse before seeing the value \
                 pivot. This means that inserting somewhere on the left end on the list (head) \
                 can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, RW_INSERT)],
    args: &[
        key("key"),
        one_of(
            "where",
            &[token("before", "BEFORE"), token("after", "AFTER")],
        ),
        string("pivot"),
        string("element"),
    ],
    ..command("linsert", Group::List, 5, Run::Write(linsert))
};

fn linsert(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let place = if args.keyword("AFTER") {
        Place::After
    } else if args.keyword("BEFORE") {
        Place::Before
    } else {
        return Err(Error::Syntax);
    };
    let (pivot, element) = (args.next()?, args.next()?);
    let Some(mut list) = value::find_mut(view, key)? else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    if list.insert(pivot, place, element) {
        out.count(list.len());
        view.modified(key, EventClass::List, "linsert");
    } else {
        out.integer(-1);
    }
    Ok(Flow::Done)
}

pub const LSET: Command = Command {
    summary: "Sets the value of an element in a list by its index.",
    complexity: "O(N) where N is the length of the list. Setting either the first or the last \
                 element of the list is O(1).",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[key("key"), integer("index"), string("element")],
    ..command("lset", Group::List, 4, Run::Write(lset))
};

fn lset(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let mut list = value::find_mut(view, key)?.ok_or(Error::NoSuchKey)?;
    let index = args.integer()?;
    if !list.set(index, args.next()?) {
        return Err(Error::IndexOutOfRange);
    }
    out.ok();
    view.modified(key, EventClass::List, "lset");
    Ok(Flow::Done)
}

pub const LREM: Command = Command {
    summary: "Removes elements from a list. Deletes the list if the last element was removed.",
    complexity: "O(N+M) where N is the length of the list and M is the number of elements \
                 removed.",
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), integer("count"), string("element")],
    ..command("lrem", Group::List, 4, Run::Write(lrem))
};

fn lrem(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let count = value::negatable(args)?;
    let element = args.next()?;
    let Some(mut list) = value::find_mut(view, key)? else {
        out.integer(0);
        return Ok(Flow::Done);
    };
    let removed = list.remove(count, element);
    let left = list.len();
    out.count(removed);
    if removed > 0 {
        value::removed(view, key, "lrem", removed, left);
    }
    Ok(Flow::Done)
}

pub const LTRIM: Command = Command {
    summary: "Removes elements from both ends a list. Deletes the list if all elements were \
              trimmed.",
    complexity: "O(N) where N is the number of elements to be removed by the operation.",
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), integer("start"), integer("stop")],
    ..command("ltrim", Group::List, 4, Run::Write(ltrim))
};

fn ltrim(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    out.ok();
    let Some(mut list) = value::find_mut(view, key)? else {
        return Ok(Flow::Done);
    };
    let removed = list.trim(start, stop);
    let left = list.len();
    value::removed(view, key, "ltrim", removed, left);
    Ok(Flow::Done)
}
