//! SHUTDOWN and TIME.

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::server::{AfterEnd, SaveAtEnd, StopRequest};
use crate::unit::Unit;

pub const SHUTDOWN: Command = Command {
    summary: "Synchronously save the dataset to disk and then shut down the server.",
    complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::NO_MULTI)
        .or(Flags::ALLOW_BUSY),
    args: &[
        one_of(
            "nosave_save",
            &[token("nosave", "NOSAVE"), token("save", "SAVE")],
        )
        .opt(),
        token("now", "NOW").since("7.0.0").opt(),
        token("force", "FORCE").since("7.0.0").opt(),
        token("abort", "ABORT").since("7.0.0").opt(),
    ],
    history: &[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")],
    ..command("shutdown", Group::Server, -1, Run::Unit(shutdown))
};

pub const TIME: Command = Command {
    summary: "Return the current server time.",
    since: "2.6.0",
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
    tips: &["nondeterministic_output"],
    ..command("time", Group::Server, 1, Run::Session(time))
};

fn shutdown<'c>(
    call: &mut Call<'c>,
    _unit: &mut Unit<'c>,
    args: &mut Args<'_>,
    _out: &mut Reply,
) -> Outcome {
    let (mut save, mut nosave, mut now, mut force, mut abort) = (false, false, false, false, false);
    while !args.is_empty() {
        if args.keyword("NOSAVE") {
            nosave = true;
        } else if args.keyword("SAVE") {
            save = true;
        } else if args.keyword("NOW") {
            now = true;
        } else if args.keyword("FORCE") {
            force = true;
        } else if args.keyword("ABORT") {
            abort = true;
        } else {
            return Err(Error::Syntax);
        }
    }
    if abort && (save || nosave || now || force) || save && nosave {
        return Err(Error::Syntax);
    }
    if abort {
        // A shutdown waits for nobody, so there is never one to abort.
        return Err(Error::text("ERR No shutdown in progress."));
    }
    call.server.log.warning("User requested shutdown...");
    let save = if nosave || call.server.persistence.loading.is_active() {
        SaveAtEnd::No
    } else if save {
        SaveAtEnd::Yes
    } else {
        SaveAtEnd::ByRules
    };
    let request = StopRequest {
        status: 0,
        save,
        force,
        then: AfterEnd::Exit,
    };
    // The server's end is the answer, unless it cannot end.
    Ok(Flow::Block(Wait::until(
        Until::Ended(request),
        None,
        TimeoutReply::Null,
    )))
}

fn time(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    const US_PER_SECOND: i64 = 1_000_000;
    let now_us = crate::clock::now_us();
    out.array(2);
    out.bulk_integer(now_us / US_PER_SECOND);
    out.bulk_integer(now_us % US_PER_SECOND);
    Ok(Flow::Done)
}
