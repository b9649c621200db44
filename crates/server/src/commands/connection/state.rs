//! QUIT, RESET and SELECT.

use ochre_resp::{Protocol, Reply};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::{pubsub, transactions};
use crate::execute::Call;

pub const QUIT: Command = Command {
    summary: "Close the connection.",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::NO_AUTH)
        .or(Flags::ALLOW_BUSY),
    ..command("quit", Group::Connection, -1, Run::Session(quit))
};

pub const RESET: Command = Command {
    summary: "Reset the connection.",
    since: "6.2.0",
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::NO_AUTH)
        .or(Flags::ALLOW_BUSY),
    ..command("reset", Group::Connection, 1, Run::Session(reset))
};

pub const SELECT: Command = Command {
    summary: "Change the selected database for the current connection.",
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
    args: &[integer("index")],
    ..command("select", Group::Connection, 2, Run::Session(select))
};

fn quit(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    call.session.close = true;
    out.ok();
    Ok(Flow::Done)
}

fn reset(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let authenticated = call.live.config.security.password.is_empty();
    call.session.multi = None;
    transactions::forget(call.server, call.session);
    pubsub::unsubscribe_all(call.server, call.session);
    call.server.monitors.remove(call.session.id());
    call.server.trackers.set(&call.session.client, None);
    call.session.reset(authenticated);
    out.set_protocol(Protocol::Resp2);
    out.status("RESET");
    Ok(Flow::Done)
}

fn select(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let db = args.database(call.server.store.databases())?;
    call.session.select(db);
    out.ok();
    Ok(Flow::Done)
}
