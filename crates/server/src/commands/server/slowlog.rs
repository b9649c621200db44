//! SLOWLOG: the commands that took long.

use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::help::help;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

/// Entries that GET shows when it is not told how many.
const DEFAULT_COUNT: usize = 10;

pub const SLOWLOG: Command = Command {
    summary: "A container for slow log commands.",
    since: "2.2.12",
    complexity: "Depends on subcommand.",
    subcommands: &[&GET, &HELP, &LEN, &RESET],
    ..command("slowlog", Group::Server, -2, Run::Container)
};

const GET: Command = Command {
    summary: "Get the slow log's entries.",
    since: "2.2.12",
    complexity: "O(N) where N is the number of entries returned",
    flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    args: &[integer("count").opt()],
    history: &[(
        "4.0.0",
        "Added client IP address, port and name to the reply.",
    )],
    ..command("get", Group::Server, -2, Run::Session(get))
};

const HELP: Command = help(Group::Server);

const LEN: Command = Command {
    summary: "Get the slow log's length.",
    since: "2.2.12",
    flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    ..command("len", Group::Server, 2, Run::Session(len))
};

const RESET: Command = Command {
    summary: "Clear all entries from the slow log.",
    since: "2.2.12",
    complexity: "O(N) where N is the number of entries in the slowlog",
    flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..command("reset", Group::Server, 2, Run::Session(reset))
};

fn get(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let count = match args.rest() {
        [] => DEFAULT_COUNT,
        [_, _, ..] => return Err(Error::subcommand("SLOWLOG", args.all()[1])),
        [count] => {
            let error = Error::text("ERR count should be greater than or equal to -1");
            match number::parse_i64(count) {
                Some(-1) => usize::MAX,
                Some(count @ 0..) => count as usize,
                _ => return Err(error),
            }
        }
    };
    let entries = call.server.slowlog.newest(count);
    out.array(entries.len());
    for entry in entries {
        out.array(6);
        out.integer(entry.id as i64);
        out.integer(entry.at_s);
        out.integer(entry.microseconds as i64);
        out.array(entry.arguments.len());
        for argument in &entry.arguments {
            out.bulk(argument);
        }
        out.bulk(entry.address.as_bytes());
        out.bulk(&entry.client_name);
    }
    Ok(Flow::Done)
}

fn len(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.count(call.server.slowlog.len());
    Ok(Flow::Done)
}

fn reset(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    call.server.slowlog.clear();
    out.ok();
    Ok(Flow::Done)
}
