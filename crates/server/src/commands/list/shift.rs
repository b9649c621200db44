//! From one list to another: LMOVE, RPOPLPUSH.

use ochre_resp::Reply;
use ochre_store::value::list::Side;
use ochre_store::{EventClass, WriteView};
use smallvec::SmallVec;

use super::{push, value};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

/// The keys of source and destination.
pub const KEYS: &[KeySpec] = &[
    KeySpec::one(1, RW_ACCESS_DELETE),
    KeySpec::one(2, RW_INSERT),
];

pub const LMOVE: Command = Command {
    summary: "Returns an element after popping it from one list and pushing it to another. \
              Deletes the list if the last element was moved.",
    since: "6.2.0",
    flags: Flags::DENYOOM,
    keys: KEYS,
    args: &[
        key("source"),
        key("destination").spec(1),
        value::side_argument("wherefrom"),
        value::side_argument("whereto"),
    ],
    ..command("lmove", Group::List, 5, Run::Write(lmove))
};

fn lmove(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (source, destination) = (args.next()?, args.next()?);
    let (from, to) = (value::side(args)?, value::side(args)?);
    if !shift(view, (source, from), (destination, to), out)? {
        out.null();
    }
    Ok(Flow::Done)
}

pub const RPOPLPUSH: Command = Command {
    summary: "Returns the last element of a list after removing and pushing it to another list. \
              Deletes the list if the last element was popped.",
    since: "1.2.0",
    flags: Flags::DENYOOM,
    keys: KEYS,
    args: &[key("source"), key("destination").spec(1)],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`LMOVE` with the `RIGHT` and `LEFT` arguments"),
    ..command("rpoplpush", Group::List, 3, Run::Write(rpoplpush))
};

fn rpoplpush(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (source, destination) = (args.next()?, args.next()?);
    if !shift(view, (source, Side::Back), (destination, Side::Front), out)? {
        out.null();
    }
    Ok(Flow::Done)
}

/// Moves one element and replies with it; says whether there was one.
///
/// # Errors
/// [`Error::WrongType`], with nothing moved.
pub fn shift(
    view: &mut WriteView<'_, '_>,
    (source, from): (&[u8], Side),
    (destination, to): (&[u8], Side),
    out: &mut Reply,
) -> Result<bool, Error> {
    if value::find_mut(view, source)?.is_none() {
        return Ok(false);
    }
    let is_new = value::find_mut(view, destination)?.is_none();
    let Some(mut list) = value::find_mut(view, source)? else {
        return Ok(false);
    };
    let mut moved = SmallVec::<[u8; 64]>::new();
    list.pop(from, |element| {
        moved.extend_from_slice(element.as_bytes(&mut itoa::Buffer::new()));
    });
    if is_new {
        push::create(view, destination, to, &[&moved]);
    } else if let Some(mut list) = value::find_mut(view, destination)? {
        list.push(to, &[&moved]);
    }
    view.mark_changed(destination);
    view.notify(destination, EventClass::List, value::push_event(to));
    out.bulk(&moved);
    let left = value::find_mut(view, source)?.map_or(0, |mut list| {
        list.shrink();
        list.len()
    });
    value::removed(view, source, value::pop_event(from), 1, left);
    Ok(true)
}
