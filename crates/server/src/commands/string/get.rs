//! Reading strings: GET.

use ochre_resp::Reply;
use ochre_store::ReadView;

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;

pub const GET: Command = Command {
    summary: "Returns the string value of a key.",
    flags: Flags::FAST,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key")],
    ..command("get", Group::String, 2, Run::Read(get))
};

fn get(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    match view.find(args.next()?) {
        Some(entry) => value::reply(entry, out)?,
        None => out.null(),
    }
    Ok(Flow::Done)
}
