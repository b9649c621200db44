//! Keys under another name: RENAME, RENAMENX.

use ochre_resp::Reply;
use ochre_store::{EventClass, WriteView};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const RENAME: Command = Command {
    summary: "Renames a key and overwrites the destination.",
    keys: &[
        KeySpec::one(1, RW_ACCESS_DELETE),
        KeySpec::one(2, OW_UPDATE),
    ],
    args: &[key("key"), key("newkey").spec(1)],
    ..command("rename", Group::Generic, 3, Run::Write(rename))
};

pub const RENAMENX: Command = Command {
    summary: "Renames a key only when the target key name doesn't exist.",
    flags: Flags::FAST,
    keys: &[
        KeySpec::one(1, RW_ACCESS_DELETE),
        KeySpec::one(2, OW_INSERT),
    ],
    args: &[key("key"), key("newkey").spec(1)],
    history: &[(
        "3.2.0",
        "The command no longer returns an error when source and destination names are the same.",
    )],
    ..command("renamenx", Group::Generic, 3, Run::Write(renamenx))
};

/// What becomes of a key that has the new name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Overwritten,
    Spared,
}

fn rename(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    give_name(view, args, Existing::Overwritten)?;
    out.ok();
    Ok(Flow::Done)
}

fn renamenx(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let renamed = give_name(view, args, Existing::Spared)?;
    out.integer(i64::from(renamed));
    Ok(Flow::Done)
}

/// Returns whether anything changed.
fn give_name(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    existing: Existing,
) -> Result<bool, Error> {
    let (old, new) = (args.next()?, args.next()?);
    if view.find(old).is_none() {
        return Err(Error::NoSuchKey);
    }
    if old == new || existing == Existing::Spared && view.contains(new) {
        return Ok(false);
    }
    let entry = view.take(old).ok_or(Error::NoSuchKey)?;
    view.put(entry.renamed(new));
    view.modified(old, EventClass::Generic, "rename_from");
    view.mark_changed(new);
    view.notify(new, EventClass::Generic, "rename_to");
    Ok(true)
}
