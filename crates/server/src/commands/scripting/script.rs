//! SCRIPT: the cache of scripts, and the script that runs.

use ochre_resp::Reply;

use super::eval::with_engine;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::script::cache::parse_sha;
use crate::script::running::Unkillable;

pub const SCRIPT: Command = Command {
    summary: "A container for Lua scripts management commands.",
    since: "2.6.0",
    complexity: "Depends on subcommand.",
    subcommands: &[&DEBUG, &EXISTS, &FLUSH, &HELP, &KILL, &LOAD],
    not_categories: Categories::SCRIPTING,
    ..command("script", Group::Scripting, -2, Run::Container)
};

const DEBUG: Command = Command {
    summary: "Sets the debug mode of server-side Lua scripts.",
    since: "3.2.0",
    flags: Flags::NOSCRIPT,
    args: &[one_of(
        "mode",
        &[
            token("yes", "YES"),
            token("sync", "SYNC"),
            token("no", "NO"),
        ],
    )],
    ..command("debug", Group::Scripting, 3, Run::Session(debug))
};

fn debug(_call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.keyword("NO") {
        out.ok();
        return Ok(Flow::Done);
    }
    if args.keyword("YES") || args.keyword("SYNC") {
        return Err(Error::text(
            "ERR the Lua debugger is not available; SCRIPT DEBUG accepts only NO",
        ));
    }
    Err(Error::text("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}

const EXISTS: Command = Command {
    summary: "Determines whether server-side Lua scripts exist in the script cache.",
    since: "2.6.0",
    complexity: "O(N) with N being the number of scripts to check (so checking a single script \
                 is an O(1) operation).",
    flags: Flags::NOSCRIPT,
    tips: &[
        "request_policy:all_shards",
        "response_policy:agg_logical_and",
    ],
    args: &[string("sha1").many()],
    ..command("exists", Group::Scripting, -3, Run::Session(exists))
};

fn exists(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.array(args.len());
    for sha in args.rest() {
        let found = parse_sha(sha).and_then(|sha| call.server.scripts.find(&sha));
        out.integer(i64::from(found.is_some()));
    }
    Ok(Flow::Done)
}

const FLUSH: Command = Command {
    summary: "Removes all server-side Lua scripts from the script cache.",
    since: "2.6.0",
    complexity: "O(N) with N being the number of scripts in cache",
    flags: Flags::NOSCRIPT,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    history: &[(
        "6.2.0",
        "Added the `ASYNC` and `SYNC` flushing mode modifiers.",
    )],
    args: &[one_of(
        "flush-type",
        &[token("async", "ASYNC"), token("sync", "SYNC")],
    )
    .opt()
    .since("6.2.0")],
    ..command("flush", Group::Scripting, -2, Run::Session(flush))
};

fn flush(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let known = args.is_empty() || args.keyword("ASYNC") || args.keyword("SYNC");
    if !known || !args.is_empty() {
        return Err(Error::text(
            "ERR SCRIPT FLUSH only support SYNC|ASYNC option",
        ));
    }
    call.server.scripts.flush();
    out.ok();
    Ok(Flow::Done)
}

const KILL: Command = Command {
    summary: "Terminates a server-side Lua script during execution.",
    since: "2.6.0",
    flags: Flags::NOSCRIPT.or(Flags::ALLOW_BUSY),
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    ..command("kill", Group::Scripting, 2, Run::Session(kill))
};

fn kill(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    end(call, false, out)
}

/// SCRIPT KILL and FUNCTION KILL.
pub(super) fn end(call: &Call<'_>, is_function: bool, out: &mut Reply) -> Outcome {
    call.server
        .script
        .kill(is_function)
        .map_err(|why| match why {
            Unkillable::NothingRuns => Error::text("NOTBUSY No scripts in execution right now."),
            Unkillable::HasWritten => Error::text(
                "UNKILLABLE Sorry the script already executed write commands against the \
                 dataset. You can either wait the script termination or kill the server in a \
                 hard way using the SHUTDOWN NOSAVE command.",
            ),
            Unkillable::IsFunction | Unkillable::IsScript => crate::gates::busy(call.server),
        })?;
    out.ok();
    Ok(Flow::Done)
}

const LOAD: Command = Command {
    summary: "Loads a server-side Lua script to the script cache.",
    since: "2.6.0",
    complexity: "O(N) with N being the length in bytes of the script body.",
    flags: Flags::NOSCRIPT.or(Flags::STALE),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    args: &[string("script")],
    ..command("load", Group::Scripting, 3, Run::Session(load))
};

fn load(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let script = call.server.scripts.add(args.next()?)?;
    with_engine(call, |call, engine| {
        engine.compile(&script).map(drop).inspect_err(|_| {
            call.server.scripts.remove(&script.sha);
        })
    })?;
    out.bulk(&script.sha);
    Ok(Flow::Done)
}

const HELP: Command = Command {
    summary: "Returns helpful text about the different subcommands.",
    since: "5.0.0",
    flags: Flags::LOADING.or(Flags::STALE),
    ..command("help", Group::Scripting, 2, Run::Session(help))
};

fn help(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DEBUG (YES|SYNC|NO)",
        "    Set the debug mode for subsequent scripts executed.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Return information about the existence of the scripts in the script cache.",
        "FLUSH [ASYNC|SYNC]",
        "    Flush the Lua scripts cache. Very dangerous on replicas.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the scripts cache.",
        "    * SYNC: Synchronously flush the scripts cache.",
        "KILL",
        "    Kill the currently executing Lua script.",
        "LOAD <script>",
        "    Load a script into the scripts cache without executing it.",
        "HELP",
        "    Prints this help.",
    ];
    out.array(LINES.len());
    LINES.iter().for_each(|line| out.status(line));
    Ok(Flow::Done)
}
