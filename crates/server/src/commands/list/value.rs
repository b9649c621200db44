//! What the list commands share: finding lists, naming events, writing elements.

use ochre_resp::Reply;
use ochre_store::value::list::{Element, ListMut, ListRef, Side};
use ochre_store::{EventClass, ReadView, WriteView};

use crate::commands::args::Args;
use crate::commands::spec::{Arg, one_of, token};
use crate::error::Error;

const SIDES: &[Arg] = &[token("left", "LEFT"), token("right", "RIGHT")];

/// The argument LEFT or RIGHT, for COMMAND DOCS.
pub const fn side_argument(name: &'static str) -> Arg {
    one_of(name, SIDES)
}

/// The next argument as LEFT or RIGHT.
pub fn side(args: &mut Args<'_>) -> Result<Side, Error> {
    if args.keyword("LEFT") {
        Ok(Side::Front)
    } else if args.keyword("RIGHT") {
        Ok(Side::Back)
    } else {
        Err(Error::Syntax)
    }
}

/// The next argument as an integer that has a negative counterpart.
pub fn negatable(args: &mut Args<'_>) -> Result<i64, Error> {
    match args.integer()? {
        i64::MIN => Err(Error::text(
            "ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        )),
        value => Ok(value),
    }
}

/// The event of a push at an end.
pub fn push_event(side: Side) -> &'static str {
    match side {
        Side::Front => "lpush",
        Side::Back => "rpush",
    }
}

/// The event of a pop at an end, which is the command's name too.
pub fn pop_event(side: Side) -> &'static str {
    match side {
        Side::Front => "lpop",
        Side::Back => "rpop",
    }
}

/// The list at `key`, for reading.
///
/// # Errors
/// [`Error::WrongType`].
#[inline]
pub fn find<'a>(view: &ReadView<'a>, key: &[u8]) -> Result<Option<ListRef<'a>>, Error> {
    match view.find(key) {
        Some(entry) => ListRef::of(entry).map(Some).ok_or(Error::WrongType),
        None => Ok(None),
    }
}

/// The list at `key`, to be changed.
///
/// # Errors
/// [`Error::WrongType`].
#[inline]
pub fn find_mut<'v>(
    view: &'v mut WriteView<'_, '_>,
    key: &[u8],
) -> Result<Option<ListMut<'v>>, Error> {
    let limit = view.settings().list_node_limit;
    match view.find_mut(key) {
        Some(entry) => ListMut::of(entry, limit).map(Some).ok_or(Error::WrongType),
        None => Ok(None),
    }
}

/// Writes an element as a bulk string.
#[inline]
pub fn reply(element: Element<'_>, out: &mut Reply) {
    match element {
        Element::Int(value) => out.bulk_integer(value),
        Element::Str(bytes) => out.bulk(bytes),
    }
}

/// After `count` elements were removed from `key`, of which `left` remain: announces it
/// as `event`, and removes a list that is empty now.
#[inline]
pub fn removed(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    event: &'static str,
    count: usize,
    left: usize,
) {
    if count > 0 {
        view.modified(key, EventClass::List, event);
        view.dirty(count as u64 - 1);
    } else {
        view.mark_changed(key);
        view.notify(key, EventClass::List, event);
    }
    if left == 0 {
        view.remove(key);
        view.notify(key, EventClass::Generic, "del");
    }
}
