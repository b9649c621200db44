//! Setting strings: SET.

use ochre_resp::Reply;
use ochre_store::{EventClass, Expiry, WriteView};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;

pub const SET: Command = Command {
    summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, OW_UPDATE)],
    args: &[key("key"), string("value")],
    ..command("set", Group::String, -3, Run::Write(set))
};

fn set(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    args.skip(1);
    args.end()?;
    view.set(key, value::argument_payload(args, 2), Expiry::Clear);
    view.modified(key, EventClass::String, "set");
    out.ok();
    Ok(Flow::Done)
}
