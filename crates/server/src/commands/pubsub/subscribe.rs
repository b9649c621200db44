//! SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and their opposites.

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::execute::Call;
use crate::pubsub::Scope;
use crate::server::Server;
use crate::session::Session;

const FLAGS: Flags = Flags::PUBSUB
    .or(Flags::NOSCRIPT)
    .or(Flags::LOADING)
    .or(Flags::STALE);

pub const SUBSCRIBE: Command = Command {
    summary: "Listens for messages published to channels.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of channels to subscribe to.",
    flags: FLAGS,
    args: &[string("channel").many()],
    ..command("subscribe", Group::PubSub, -2, Run::Session(subscribe))
};

pub const PSUBSCRIBE: Command = Command {
    summary: "Listens for messages published to channels that match one or more patterns.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of patterns to subscribe to.",
    flags: FLAGS,
    args: &[pattern("pattern").many()],
    ..command("psubscribe", Group::PubSub, -2, Run::Session(psubscribe))
};

pub const SSUBSCRIBE: Command = Command {
    summary: "Listens for messages published to shard channels.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of shard channels to subscribe to.",
    flags: FLAGS,
    keys: &[KeySpec::rest(1, KeyFlags::NOT_KEY)],
    args: &[string("shardchannel").many()],
    ..command("ssubscribe", Group::PubSub, -2, Run::Session(ssubscribe))
};

pub const UNSUBSCRIBE: Command = Command {
    summary: "Stops listening to messages posted to channels.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of channels to unsubscribe.",
    flags: FLAGS,
    args: &[string("channel").opt().many()],
    ..command("unsubscribe", Group::PubSub, -1, Run::Session(unsubscribe))
};

pub const PUNSUBSCRIBE: Command = Command {
    summary: "Stops listening to messages published to channels that match one or more patterns.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of patterns to unsubscribe.",
    flags: FLAGS,
    args: &[pattern("pattern").opt().many()],
    ..command(
        "punsubscribe",
        Group::PubSub,
        -1,
        Run::Session(punsubscribe),
    )
};

pub const SUNSUBSCRIBE: Command = Command {
    summary: "Stops listening to messages posted to shard channels.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of shard channels to unsubscribe.",
    flags: FLAGS,
    keys: &[KeySpec::rest(1, KeyFlags::NOT_KEY)],
    args: &[string("shardchannel").opt().many()],
    ..command(
        "sunsubscribe",
        Group::PubSub,
        -1,
        Run::Session(sunsubscribe),
    )
};

fn subscribe(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    add(call, Scope::Channel, "subscribe", args, out)
}

fn psubscribe(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    add(call, Scope::Pattern, "psubscribe", args, out)
}

fn ssubscribe(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    add(call, Scope::Shard, "ssubscribe", args, out)
}

fn unsubscribe(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    remove(call, Scope::Channel, "unsubscribe", args, out)
}

fn punsubscribe(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    remove(call, Scope::Pattern, "punsubscribe", args, out)
}

fn sunsubscribe(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    remove(call, Scope::Shard, "sunsubscribe", args, out)
}

fn add(
    call: &mut Call<'_>,
    scope: Scope,
    name: &str,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let session = &mut *call.session;
    let subscriptions = session.subscriptions.get_or_insert_default();
    for channel in args.rest() {
        if subscriptions.of(scope).add(channel) {
            call.server
                .pubsub
                .subscribe(scope, channel, &session.client);
        }
        confirm(name, Some(channel), subscriptions.count(scope), out);
    }
    session.mirror_subscriptions();
    Ok(Flow::Done)
}

fn remove(
    call: &mut Call<'_>,
    scope: Scope,
    name: &str,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let session = &mut *call.session;
    let subscriptions = session.subscriptions.get_or_insert_default();
    let channels: Vec<Vec<u8>> = if args.is_empty() {
        subscriptions.of(scope).all()
    } else {
        args.rest().iter().map(|channel| channel.to_vec()).collect()
    };
    for channel in &channels {
        if subscriptions.of(scope).remove(channel) {
            call.server
                .pubsub
                .unsubscribe(scope, channel, session.client.id);
        }
        confirm(name, Some(channel), subscriptions.count(scope), out);
    }
    if channels.is_empty() {
        confirm(name, None, subscriptions.count(scope), out);
    }
    if subscriptions.is_empty() {
        session.subscriptions = None;
    }
    session.mirror_subscriptions();
    Ok(Flow::Done)
}

fn confirm(name: &str, channel: Option<&[u8]>, count: usize, out: &mut Reply) {
    out.push(3);
    out.bulk(name.as_bytes());
    out.bulk_or_null(channel);
    out.count(count);
}

/// Ends all subscriptions of a session, silently.
pub fn unsubscribe_all(server: &Server, session: &mut Session) {
    let Some(mut subscriptions) = session.subscriptions.take() else {
        return;
    };
    for scope in [Scope::Channel, Scope::Pattern, Scope::Shard] {
        for name in subscriptions.of(scope).all() {
            server.pubsub.unsubscribe(scope, &name, session.client.id);
        }
    }
    session.mirror_subscriptions();
}
