//! Setting and removing fields: HSET, HMSET, HSETNX, HDEL.

use ochre_resp::Reply;
use ochre_store::value::hash::{HashMut, empty_hash};
use ochre_store::{EventClass, Expiry, WriteView};
use ochre_structures::field_map::FieldDeadline;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const HSET: Command = Command {
    summary: "Sets the values of fields of a hash, which is created if need be.",
    since: "2.0.0",
    complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[
        key("key"),
        block("field_value", &[string("field"), string("value")]).many(),
    ],
    history: &[("4.0.0", "Accepts multiple `field` and `value` arguments.")],
    ..command("hset", Group::Hash, -4, Run::Write(hset))
};

pub const HMSET: Command = Command {
    summary: "Sets the values of several fields of a hash.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields being set.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[
        key("key"),
        block("field_value", &[string("field"), string("value")]).many(),
    ],
    deprecated_since: Some("4.0.0"),
    replaced_by: Some("`HSET` with multiple field-value pairs"),
    ..command("hmset", Group::Hash, -4, Run::Write(hmset))
};

pub const HSETNX: Command = Command {
    summary: "Sets the value of a field unless the hash has it already.",
    since: "2.0.0",
    complexity: "O(1)",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_INSERT)],
    args: &[key("key"), string("field"), string("value")],
    ..command("hsetnx", Group::Hash, 4, Run::Write(hsetnx))
};

pub const HDEL: Command = Command {
    summary: "Removes fields from a hash, and the hash with the last of them.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields to be removed.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RW_DELETE)],
    args: &[key("key"), string("field").many()],
    history: &[("2.4.0", "Accepts multiple `field` arguments.")],
    ..command("hdel", Group::Hash, -3, Run::Write(hdel))
};

/// Sets fields to values, given in turn; says how many fields are new.
fn set_fields(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    fields_and_values: &[&[u8]],
) -> Result<usize, Error> {
    let settings = view.settings();
    let entry = match view.find_mut(key) {
        Some(entry) => entry,
        None => {
            view.set(key, empty_hash(), Expiry::Clear);
            view.find_mut(key).expect("just made")
        }
    };
    let mut hash = HashMut::of(entry.into_inner(), settings)?;
    hash.expect(fields_and_values);
    Ok(fields_and_values
        .chunks_exact(2)
        .filter(|pair| hash.set(pair[0], pair[1], FieldDeadline::Clear))
        .count())
}

fn set_pairs(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    name: &'static str,
) -> Result<usize, Error> {
    let key = args.next()?;
    let pairs = args.rest();
    if !pairs.len().is_multiple_of(2) {
        return Err(Error::Arity(name.into()));
    }
    let new = set_fields(view, key, pairs)?;
    view.modified(key, EventClass::Hash, "hset");
    view.dirty(pairs.len() as u64 / 2 - 1);
    Ok(new)
}

fn hset(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let new = set_pairs(view, args, "hset")?;
    out.count(new);
    Ok(Flow::Done)
}

fn hmset(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    set_pairs(view, args, "hmset")?;
    out.ok();
    Ok(Flow::Done)
}

fn hsetnx(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, field, value) = (args.next()?, args.next()?, args.next()?);
    let settings = view.settings();
    if let Some(entry) = view.find_mut(key) {
        let hash = HashMut::of(entry.into_inner(), settings)?;
        if hash.view().find(field).is_some() {
            out.integer(0);
            return Ok(Flow::Done);
        }
    }
    set_fields(view, key, &[field, value])?;
    view.modified(key, EventClass::Hash, "hset");
    out.integer(1);
    Ok(Flow::Done)
}

fn hdel(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let removed = remove_fields(view, key, args.rest(), |_| {})?;
    out.count(removed);
    Ok(Flow::Done)
}

/// Removes fields, and the key with the last of them; announces that. Each field is shown
/// to `before` with its value, or as `None` where there is no such field, before it goes.
/// Says how many were removed.
pub fn remove_fields(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    names: &[&[u8]],
    mut before: impl FnMut(Option<ochre_store::value::hash::Field<'_>>),
) -> Result<usize, Error> {
    let settings = view.settings();
    let Some(entry) = view.find_mut(key) else {
        names.iter().for_each(|_| before(None));
        return Ok(0);
    };
    let mut hash = HashMut::of(entry.into_inner(), settings)?;
    let mut removed = 0;
    for name in names {
        before(hash.view().find(name));
        removed += usize::from(hash.remove(name));
    }
    let emptied = hash.is_empty();
    if removed > 0 {
        view.modified(key, EventClass::Hash, "hdel");
        view.dirty(removed as u64 - 1);
    }
    if emptied {
        view.remove(key);
        view.notify(key, EventClass::Generic, "del");
    }
    Ok(removed)
}
