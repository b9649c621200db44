//! MONITOR.

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

pub const MONITOR: Command = Command {
    summary: "Listens for all requests received by the server in real-time.",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    ..command("monitor", Group::Server, 1, Run::Session(monitor))
};

fn monitor(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if call.session.in_unit {
        return Err(Error::text("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    call.server.monitors.add(&call.session.client);
    call.session.update_flags(|flags| flags.monitor = true);
    out.ok();
    Ok(Flow::Done)
}
