//! PUBLISH and SPUBLISH.

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::execute::Call;
use crate::pubsub::{self, Kind, Wakes};

const FLAGS: Flags = Flags::PUBSUB
    .or(Flags::LOADING)
    .or(Flags::STALE)
    .or(Flags::FAST)
    .or(Flags::MAY_REPLICATE);

pub const PUBLISH: Command = Command {
    summary: "Posts a message to a channel.",
    since: "2.0.0",
    complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and \
                 M is the total number of subscribed patterns (by any client).",
    flags: FLAGS,
    args: &[string("channel"), string("message")],
    ..command("publish", Group::PubSub, 3, Run::Session(publish))
};

fn publish(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    post(call, Kind::Message, args, out)
}

pub const SPUBLISH: Command = Command {
    summary: "Post a message to a shard channel",
    since: "7.0.0",
    complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
    flags: FLAGS,
    keys: &[KeySpec::one(1, KeyFlags::NOT_KEY)],
    args: &[string("shardchannel"), string("message")],
    ..command("spublish", Group::PubSub, 3, Run::Session(spublish))
};

fn spublish(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    post(call, Kind::ShardMessage, args, out)
}

fn post(call: &mut Call<'_>, kind: Kind, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (channel, message) = (args.next()?, args.next()?);
    let mut wakes = Wakes::default();
    let receivers = pubsub::publish(call.server, kind, channel, message, &mut wakes);
    wakes.wake(call.server);
    out.count(receivers);
    Ok(Flow::Done)
}
