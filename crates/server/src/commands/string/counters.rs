//! Strings as numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.

use ochre_resp::Reply;
use ochre_store::{EventClass, Expiry, Object, Payload, Value, WriteView, recorded};
use ochre_structures::number::{self, Extended};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const INCR: Command = Command {
    summary: "Adds one to the integer value of a key; a missing key counts as 0.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key")],
    ..command("incr", Group::String, 2, Run::Write(incr))
};

pub const DECR: Command = Command {
    summary: "Subtracts one from the integer value of a key; a missing key counts as 0.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key")],
    ..command("decr", Group::String, 2, Run::Write(decr))
};

pub const INCRBY: Command = Command {
    summary: "Adds a number to the integer value of a key; a missing key counts as 0.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key"), integer("increment")],
    ..command("incrby", Group::String, 3, Run::Write(incrby))
};

pub const DECRBY: Command = Command {
    summary: "Subtracts a number from the integer value of a key; a missing key counts as 0.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key"), integer("decrement")],
    ..command("decrby", Group::String, 3, Run::Write(decrby))
};

pub const INCRBYFLOAT: Command = Command {
    summary: "Adds a floating-point number to the value of a key; a missing key counts as 0.",
    since: "2.6.0",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key"), double("increment")],
    ..command("incrbyfloat", Group::String, 3, Run::Write(incrbyfloat))
};

fn incr(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    add(view, args.next()?, 1, out)
}

fn decr(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    add(view, args.next()?, -1, out)
}

fn incrby(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    add(view, key, args.integer()?, out)
}

fn decrby(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let by = args.integer()?.checked_neg();
    add(
        view,
        key,
        by.ok_or(Error::text("ERR decrement would overflow"))?,
        out,
    )
}

/// Adds to an integer where it lies; allocates nothing if it is stored as one.
#[inline]
fn add(view: &mut WriteView<'_, '_>, key: &[u8], by: i64, out: &mut Reply) -> Outcome {
    let sum = match view.find_mut(key) {
        Some(mut entry) => {
            let old = match entry.value() {
                Value::Int(old) => old,
                Value::Str(text) => number::parse_i64(text).ok_or(Error::NotInteger)?,
                Value::Object(Object::String(_)) => return Err(Error::NotInteger),
                _ => return Err(Error::WrongType),
            };
            let sum = old.checked_add(by).ok_or(Error::Overflow)?;
            entry.replace(Payload::Int(sum));
            sum
        }
        None => {
            view.set(key, Payload::Int(by), Expiry::Clear);
            by
        }
    };
    view.modified(key, EventClass::String, "incrby");
    out.integer(sum);
    Ok(Flow::Done)
}

fn incrbyfloat(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, by) = (args.next()?, args.next()?);
    let old = match view.find(key) {
        Some(entry) => value::with_bytes(entry, Extended::parse)?.ok_or(Error::NotFloat)?,
        None => Extended::from_f64(0.0),
    };
    let sum = old + Extended::parse(by).ok_or(Error::NotFloat)?;
    if sum.is_nan() || sum.is_infinite() {
        return Err(Error::NotFinite);
    }
    let text = sum.format_human();
    // Even a whole number is kept as text, as in Redis.
    view.set(key, value::raw_payload(&text), Expiry::Keep);
    view.modified(key, EventClass::String, "incrbyfloat");
    out.bulk(&text);
    // The sum, not the increment: a replica may compute with other rounding.
    view.effects
        .propagate_as(|| vec![recorded(&[b"SET", key, &text, b"KEEPTTL"])]);
    Ok(Flow::Done)
}
