//! MONITOR: the client is shown every command from now on.

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::execute::Call;

pub const MONITOR: Command = Command {
    summary: "Listen for all requests received by the server in real time.",
    complexity: "",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    ..command("monitor", Group::Server, 1, Run::Session(monitor))
};

fn monitor(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let client = &call.session.client;
    // Whoever monitors already is not answered a second time, as in Redis.
    if !client.state.lock().flags.monitor {
        call.session.update_flags(|flags| flags.monitor = true);
        call.server.monitors.add(client);
        out.ok();
    }
    Ok(Flow::Done)
}
