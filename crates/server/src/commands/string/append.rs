//! Lengthening strings: APPEND.

use ochre_resp::Reply;
use ochre_store::{EventClass, Expiry, WriteView};

use super::{edit, value};
use crate::commands::args::Args;
use crate::commands::spec::*;

pub const APPEND: Command = Command {
    summary: "Appends a string to the value of a key, which is made if it is not there.",
    since: "2.0.0",
    complexity: "O(1). Amortized, for a short value appended to a string of any length.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_INSERT)],
    args: &[key("key"), string("value")],
    ..command("append", Group::String, 3, Run::Write(append))
};

fn append(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (key, tail) = (args.next()?, args.next()?);
    let old = view.find(key).map(value::length).transpose()?;
    if let Some(old) = old {
        edit::check_length(view, old, tail.len())?;
    }
    let len = match view.find_mut(key) {
        Some(mut entry) => edit::append(&mut entry, tail)?,
        None => {
            view.set(key, value::argument_payload(args, 2), Expiry::Clear);
            tail.len()
        }
    };
    view.modified(key, EventClass::String, "append");
    out.count(len);
    Ok(Flow::Done)
}
