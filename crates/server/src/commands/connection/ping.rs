//! PING and ECHO.

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

pub const ECHO: Command = Command {
    summary: "Returns the given string.",
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
    args: &[string("message")],
    ..command("echo", Group::Connection, 2, Run::Session(echo))
};

fn echo(_call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.bulk(args.next()?);
    Ok(Flow::Done)
}

pub const PING: Command = Command {
    summary: "Returns the server's liveliness response.",
    flags: Flags::FAST,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    args: &[string("message").opt()],
    ..command("ping", Group::Connection, -1, Run::Session(ping))
};

fn ping(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 1 {
        return Err(Error::Arity("ping".into()));
    }
    if call.session.is_subscriber() {
        out.array(2);
        out.bulk(b"pong");
        out.bulk(args.peek().unwrap_or_default());
        return Ok(Flow::Done);
    }
    match args.peek() {
        Some(message) => out.bulk(message),
        None => out.status("PONG"),
    }
    Ok(Flow::Done)
}
