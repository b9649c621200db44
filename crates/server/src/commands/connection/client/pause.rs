//! CLIENT PAUSE, UNPAUSE and UNBLOCK: making clients wait, and ending their waits.

use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::net::mail::Mail;
use crate::pause::Paused;

pub const PAUSE: Command = Command {
    summary: "Stop processing commands from clients for some time.",
    since: "2.9.50",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    args: &[
        integer("timeout"),
        one_of("mode", &[token("write", "WRITE"), token("all", "ALL")])
            .since("6.2.0")
            .opt(),
    ],
    history: &[(
        "6.2.0",
        "`CLIENT PAUSE WRITE` mode added along with the `mode` option.",
    )],
    ..command("pause", Group::Connection, -3, Run::Session(pause))
};

pub const UNPAUSE: Command = Command {
    summary: "Resume processing of clients that were paused.",
    since: "6.2.0",
    complexity: "O(N) Where N is the number of paused clients",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    ..command("unpause", Group::Connection, 2, Run::Session(unpause))
};

pub const UNBLOCK: Command = Command {
    summary: "Unblock a client blocked in a blocking command from a different connection.",
    since: "5.0.0",
    complexity: "O(log N) where N is the number of client connections",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    args: &[
        integer("client-id"),
        one_of(
            "timeout_error",
            &[token("timeout", "TIMEOUT"), token("error", "ERROR")],
        )
        .opt(),
    ],
    ..command("unblock", Group::Connection, -3, Run::Session(unblock))
};

fn pause(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 2 {
        return Err(Error::subcommand("CLIENT", args.all()[1]));
    }
    let timeout = args.next()?;
    let what = if args.is_empty() || args.keyword("ALL") {
        Paused::All
    } else if args.keyword("WRITE") {
        Paused::Writes
    } else {
        return Err(Error::text("ERR CLIENT PAUSE mode must be WRITE or ALL"));
    };
    let timeout_ms = number::parse_i64(timeout)
        .ok_or(Error::text("ERR timeout is not an integer or out of range"))?;
    if timeout_ms < 0 {
        return Err(Error::text("ERR timeout is negative"));
    }
    let now_ms = call.local.now_ms;
    let until_ms = now_ms
        .checked_add(timeout_ms)
        .ok_or(Error::text("ERR timeout is out of range"))?;
    call.server.pause.begin(what, until_ms, now_ms);
    call.server.pause_changed();
    out.ok();
    Ok(Flow::Done)
}

fn unpause(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    call.server.pause.end();
    call.server.pause_changed();
    out.ok();
    Ok(Flow::Done)
}

fn unblock(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 2 {
        return Err(Error::subcommand("CLIENT", args.all()[1]));
    }
    let id = args.next()?;
    let error = if args.is_empty() || args.keyword("TIMEOUT") {
        false
    } else if args.keyword("ERROR") {
        true
    } else {
        return Err(Error::text(
            "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
        ));
    };
    let id = number::parse_i64(id).ok_or(Error::NotInteger)?;
    let ended = u64::try_from(id)
        .ok()
        .and_then(|id| call.server.clients.get(id))
        .and_then(|client| client.wait.lock().clone())
        // Somebody may be serving it: then it is blocked no more.
        .filter(|wait| wait.end());
    if let Some(wait) = &ended {
        wait.client.send(Mail::Unblock {
            to: wait.client.token,
            wait: wait.number,
            error,
        });
    }
    out.integer(i64::from(ended.is_some()));
    Ok(Flow::Done)
}
