//! Fields as counters: HINCRBY, HINCRBYFLOAT.

use ochre_resp::Reply;
use ochre_store::value::hash::{HashMut, empty_hash};
use ochre_store::{EventClass, Expiry, WriteView, recorded};
use ochre_structures::field_map::FieldDeadline;
use ochre_structures::listpack::Element;
use ochre_structures::number::Extended;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const HINCRBY: Command = Command {
    summary: "Adds to the integer value of a field; a missing field counts as 0.",
    since: "2.0.0",
    complexity: "O(1)",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key"), string("field"), integer("increment")],
    ..command("hincrby", Group::Hash, 4, Run::Write(hincrby))
};

pub const HINCRBYFLOAT: Command = Command {
    summary: "Adds a floating-point number to the value of a field; a missing field counts as 0.",
    since: "2.6.0",
    complexity: "O(1)",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_ACCESS_UPDATE)],
    args: &[key("key"), string("field"), double("increment")],
    ..command("hincrbyfloat", Group::Hash, 4, Run::Write(hincrbyfloat))
};

/// Puts what `next` makes of a field's value (`None` where there is none) in its place.
fn change<R>(
    view: &mut WriteView<'_, '_>,
    key: &[u8],
    name: &[u8],
    next: impl FnOnce(Option<Element<'_>>) -> Result<(R, Vec<u8>), Error>,
) -> Result<(R, Vec<u8>), Error> {
    let settings = view.settings();
    let entry = match view.find_mut(key) {
        Some(entry) => entry,
        None => {
            let made = next(None)?;
            view.set(key, empty_hash(), Expiry::Clear);
            let entry = view.find_mut(key).expect("just made");
            let mut hash = HashMut::of(entry.into_inner(), settings)?;
            hash.set(name, &made.1, FieldDeadline::Keep);
            return Ok(made);
        }
    };
    let mut hash = HashMut::of(entry.into_inner(), settings)?;
    let made = next(hash.view().find(name).map(|field| field.value))?;
    hash.set(name, &made.1, FieldDeadline::Keep);
    Ok(made)
}

fn hincrby(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, name, by) = (args.next()?, args.next()?, args.integer()?);
    let (sum, _) = change(view, key, name, |present| {
        let present = match present {
            Some(value) => value
                .as_integer()
                .ok_or(Error::text("ERR hash value is not an integer"))?,
            None => 0,
        };
        let sum = present.checked_add(by).ok_or(Error::Overflow)?;
        Ok((sum, sum.to_string().into_bytes()))
    })?;
    view.modified(key, EventClass::Hash, "hincrby");
    out.integer(sum);
    Ok(Flow::Done)
}

fn hincrbyfloat(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, name) = (args.next()?, args.next()?);
    let by = Extended::parse(args.next()?).ok_or(Error::NotFloat)?;
    if by.is_nan() || by.is_infinite() {
        return Err(Error::text("ERR value is NaN or Infinity"));
    }
    let ((), text) = change(view, key, name, |present| {
        let present = match present {
            Some(value) => Extended::parse(value.as_bytes(&mut itoa::Buffer::new()))
                .ok_or(Error::text("ERR hash value is not a float"))?,
            None => Extended::from_f64(0.0),
        };
        let sum = present + by;
        if sum.is_nan() || sum.is_infinite() {
            return Err(Error::NotFinite);
        }
        Ok(((), sum.format_human()))
    })?;
    view.modified(key, EventClass::Hash, "hincrbyfloat");
    out.bulk(&text);
    // The sum, not the increment: a replica may compute with other rounding. HSET would
    // clear a deadline, which the increment keeps.
    let deadline_ms = field_deadline(view, key, name);
    view.effects.propagate_as(|| {
        let mut commands = vec![recorded(&[b"HSET", key, name, &text])];
        if let Some(deadline_ms) = deadline_ms {
            let deadline = deadline_ms.to_string();
            let words = [
                b"HPEXPIREAT",
                key,
                deadline.as_bytes(),
                b"FIELDS",
                b"1",
                name,
            ];
            commands.push(recorded(&words));
        }
        commands
    });
    Ok(Flow::Done)
}

fn field_deadline(view: &WriteView<'_, '_>, key: &[u8], name: &[u8]) -> Option<u64> {
    if !view.effects.recording {
        return None;
    }
    let entry = view.read().peek(key)?;
    let hash = ochre_store::value::hash::HashRef::of(entry, 0).ok()?;
    hash.find(name)?.deadline_ms
}
