//! PUBSUB: who listens to what.

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;
use crate::pubsub::Scope;

const FLAGS: Flags = Flags::PUBSUB.or(Flags::LOADING).or(Flags::STALE);

pub const PUBSUB: Command = Command {
    summary: "A container for Pub/Sub commands.",
    since: "2.8.0",
    complexity: "Depends on subcommand.",
    subcommands: &[
        &CHANNELS,
        &HELP,
        &NUMPAT,
        &NUMSUB,
        &SHARDCHANNELS,
        &SHARDNUMSUB,
    ],
    ..command("pubsub", Group::PubSub, -2, Run::Container)
};

const CHANNELS: Command = Command {
    summary: "Returns the active channels.",
    since: "2.8.0",
    complexity: "O(N) where N is the number of active channels, and assuming constant time \
                 pattern matching (relatively short channels and patterns)",
    flags: FLAGS,
    args: &[pattern("pattern").opt()],
    ..command("channels", Group::PubSub, -2, Run::Session(channels))
};

fn channels(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    names(call, Scope::Channel, args, out)
}

const SHARDCHANNELS: Command = Command {
    summary: "Returns the active shard channels.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of active shard channels, and assuming constant time \
                 pattern matching (relatively short shard channels).",
    flags: FLAGS,
    args: &[pattern("pattern").opt()],
    ..command(
        "shardchannels",
        Group::PubSub,
        -2,
        Run::Session(shardchannels),
    )
};

fn shardchannels(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    names(call, Scope::Shard, args, out)
}

fn names(call: &mut Call<'_>, scope: Scope, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 1 {
        return Err(Error::subcommand("PUBSUB", args.all()[1]));
    }
    let names = call.server.pubsub.names(scope, args.peek());
    out.array(names.len());
    for name in names {
        out.bulk(&name);
    }
    Ok(Flow::Done)
}

const NUMSUB: Command = Command {
    summary: "Returns a count of subscribers to channels.",
    since: "2.8.0",
    complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
    flags: FLAGS,
    args: &[string("channel").opt().many()],
    ..command("numsub", Group::PubSub, -2, Run::Session(numsub))
};

fn numsub(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    counts(call, Scope::Channel, args, out)
}

const SHARDNUMSUB: Command = Command {
    summary: "Returns the count of subscribers of shard channels.",
    since: "7.0.0",
    complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard \
                 channels",
    flags: FLAGS,
    args: &[string("shardchannel").opt().many()],
    ..command("shardnumsub", Group::PubSub, -2, Run::Session(shardnumsub))
};

fn shardnumsub(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    counts(call, Scope::Shard, args, out)
}

fn counts(call: &mut Call<'_>, scope: Scope, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.array(args.len() * 2);
    for name in args.rest() {
        out.bulk(name);
        out.count(call.server.pubsub.subscribers(scope, name));
    }
    Ok(Flow::Done)
}

const NUMPAT: Command = Command {
    summary: "Returns a count of unique pattern subscriptions.",
    since: "2.8.0",
    flags: FLAGS,
    ..command("numpat", Group::PubSub, 2, Run::Session(numpat))
};

fn numpat(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    out.count(call.server.pubsub.pattern_count());
    Ok(Flow::Done)
}

const HELP: Command = Command {
    summary: "Returns helpful text about the different subcommands.",
    since: "6.2.0",
    flags: Flags::LOADING.or(Flags::STALE),
    ..command("help", Group::PubSub, 2, Run::Session(help))
};

fn help(_call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Return the currently active channels matching a <pattern> (default: '*').",
        "NUMPAT",
        "    Return number of subscriptions to patterns.",
        "NUMSUB [<channel> ...]",
        "    Return the number of subscribers for the specified channels, excluding",
        "    pattern subscriptions(default: no channels).",
        "SHARDCHANNELS [<pattern>]",
        "    Return the currently active shard level channels matching a <pattern> (default: '*').",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Return the number of subscribers for the specified shard level channel(s)",
        "HELP",
        "    Print this help.",
    ];
    out.array(LINES.len());
    LINES.iter().for_each(|line| out.status(line));
    Ok(Flow::Done)
}
