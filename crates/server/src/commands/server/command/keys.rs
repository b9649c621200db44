//! COMMAND GETKEYS and GETKEYSANDFLAGS: the keys of an invocation.

use ochre_resp::Reply;

use super::info::statuses;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

pub fn getkeys(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let keys = keys_of(call, args.rest())?;
    out.array(keys.len());
    for (at, _) in keys {
        out.bulk(args.rest()[at]);
    }
    Ok(Flow::Done)
}

pub fn getkeysandflags(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let keys = keys_of(call, args.rest())?;
    out.array(keys.len());
    for (at, flags) in keys {
        out.array(2);
        out.bulk(args.rest()[at]);
        statuses(flags.names(), out);
    }
    Ok(Flow::Done)
}

/// The positions of the keys of the invocation `argv`.
fn keys_of(call: &Call<'_>, argv: &[&[u8]]) -> Result<Vec<(usize, KeyFlags)>, Error> {
    let table = &call.server.commands;
    let known = argv.first().and_then(|name| table.find(name));
    let known = known.and_then(|known| match argv.get(1) {
        Some(sub) if known.is_container() => table.find_subcommand(known, sub),
        _ => Some(known),
    });
    let Some(known) = known else {
        return Err(Error::text("ERR Invalid command specified"));
    };
    if known.command.keys.is_empty() && known.command.find_keys.is_none() {
        return Err(Error::text("ERR The command has no key arguments"));
    }
    if !known.accepts(argv.len()) {
        return Err(Error::text(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    match known.keys(argv) {
        Some(keys) if !keys.is_empty() => Ok(keys),
        _ if known.flags.has(Flags::NO_MANDATORY_KEYS) => Ok(Vec::new()),
        _ => Err(Error::text("ERR Invalid arguments specified for command")),
    }
}
