//! COMMAND: the commands described, from the very table that runs them.

mod docs;
mod info;
mod keys;
mod list;

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::help::help;
use crate::commands::spec::*;
use crate::commands::table::Known;
use crate::execute::Call;

pub const COMMAND: Command = Command {
    summary: "Get array of Redis command details.",
    since: "2.8.13",
    complexity: "O(N) where N is the total number of Redis commands",
    flags: Flags::LOADING.or(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output_order"],
    subcommands: SUBCOMMANDS,
    ..command("command", Group::Server, -1, Run::Session(all))
};

const COUNT: Command = Command {
    summary: "Get total number of Redis commands.",
    since: "2.8.13",
    flags: Flags::LOADING.or(Flags::STALE),
    categories: Categories::CONNECTION,
    ..command("count", Group::Server, 2, Run::Session(count))
};

const DOCS: Command = Command {
    summary: "Get array of specific Redis command documentation.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of commands to look up",
    flags: Flags::LOADING.or(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output_order"],
    args: &[string("command-name").opt().many()],
    ..command("docs", Group::Server, -2, Run::Session(docs))
};

const GETKEYS: Command = Command {
    summary: "Extract keys given a full Redis command.",
    since: "2.8.13",
    complexity: "O(N) where N is the number of arguments to the command",
    flags: Flags::LOADING.or(Flags::STALE),
    categories: Categories::CONNECTION,
    ..command("getkeys", Group::Server, -4, Run::Session(keys::getkeys))
};

const GETKEYSANDFLAGS: Command = Command {
    summary: "Extract keys and access flags given a full Redis command.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of arguments to the command",
    flags: Flags::LOADING.or(Flags::STALE),
    categories: Categories::CONNECTION,
    ..command(
        "getkeysandflags",
        Group::Server,
        -4,
        Run::Session(keys::getkeysandflags),
    )
};

const HELP: Command = help(Group::Server);

const INFO: Command = Command {
    summary: "Get array of specific Redis command details, or all when no argument is given.",
    since: "2.8.13",
    complexity: "O(N) where N is the number of commands to look up",
    flags: Flags::LOADING.or(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output_order"],
    args: &[string("command-name").opt().many()],
    history: &[(
        "7.0.0",
        "Allowed to be called with no argument to get info on all commands.",
    )],
    ..command("info", Group::Server, -2, Run::Session(info))
};

const LIST: Command = Command {
    summary: "Get an array of Redis command names.",
    since: "7.0.0",
    complexity: "O(N) where N is the total number of Redis commands",
    flags: Flags::LOADING.or(Flags::STALE),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output_order"],
    args: &[one_of(
        "filterby",
        &[
            string("module-name").after("MODULE"),
            string("category").after("ACLCAT"),
            pattern("pattern").after("PATTERN"),
        ],
    )
    .after("FILTERBY")
    .opt()],
    ..command("list", Group::Server, -2, Run::Session(list::list))
};

const SUBCOMMANDS: &[&Command] = &[
    &COUNT,
    &DOCS,
    &GETKEYS,
    &GETKEYSANDFLAGS,
    &HELP,
    &INFO,
    &LIST,
];

fn all(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let table = &call.server.commands;
    out.array(table.top_level().count());
    for known in table.top_level() {
        info::write(table, known, out);
    }
    Ok(Flow::Done)
}

fn count(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.count(call.server.commands.top_level().count());
    Ok(Flow::Done)
}

fn info(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.is_empty() {
        return all(call, args, out);
    }
    let table = &call.server.commands;
    out.array(args.len());
    for name in args.rest() {
        match table.find_full(name) {
            Some(known) => info::write(table, known, out),
            None => out.null(),
        }
    }
    Ok(Flow::Done)
}

fn docs(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let table = &call.server.commands;
    let wanted: Vec<&Known> = if args.is_empty() {
        table.top_level().collect()
    } else {
        let names = args.rest().iter();
        names.filter_map(|name| table.find_full(name)).collect()
    };
    out.map(wanted.len());
    for known in wanted {
        out.bulk(known.full_name.as_bytes());
        docs::write(table, known, out);
    }
    Ok(Flow::Done)
}
