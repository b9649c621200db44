//! Reading as a consumer of a group: XREADGROUP.
//!
//! `>` asks for entries that the group has delivered to nobody yet, an ID for those that
//! the consumer has got before and not acknowledged.

use ochre_resp::Reply;
use ochre_store::{EventClass, Recorded, WriteView};
use ochre_structures::stream::{Acknowledgement, Presence, StreamId};
use smallvec::SmallVec;

use super::read::{
    Membership, Reader, Request, begin_stream, find_streams, finish_streams, streams_spec,
};
use super::{propagate, value};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const XREADGROUP: Command = Command {
    summary: "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.",
    since: "5.0.0",
    complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
    flags: Flags::BLOCKING,
    keys: &[streams_spec(4)],
    find_keys: Some(find_streams),
    args: &[
        block("group-block", &[string("group"), string("consumer")]).after("GROUP"),
        integer("count").after("COUNT").opt(),
        integer("milliseconds").after("BLOCK").opt(),
        token("noack", "NOACK").opt(),
        block("streams", &[key("key").many(), string("id").many()]).after("STREAMS"),
    ],
    ..command("xreadgroup", Group::Stream, -7, Run::Write(xreadgroup))
};

/// What a consumer asks of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// `>`
    New,
    /// Its own pending entries after this ID.
    After(StreamId),
}

fn xreadgroup(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let request = Request::parse(args, Reader::Group, view.now_ms())?;
    let membership = request
        .membership
        .ok_or(Error::text("ERR Missing GROUP option for XREADGROUP"))?;
    let wanted = check(view, &request, membership)?;
    let start = out.len();
    let mut served = 0;
    let mut commands = Vec::new();
    for ((key, _), &wanted) in request.streams().zip(&wanted) {
        served += usize::from(serve(
            view,
            &request,
            membership,
            (key, wanted),
            &mut commands,
            out,
        )?);
    }
    view.effects.propagate_as(|| commands);
    if served > 0 {
        finish_streams(start, served, out);
        return Ok(Flow::Done);
    }
    request.wait(true, None, out)
}

/// Checks that the group is there in every stream, and reads the IDs.
fn check(
    view: &WriteView<'_, '_>,
    request: &Request<'_>,
    membership: Membership<'_>,
) -> Result<SmallVec<[Wanted; 8]>, Error> {
    let mut all = SmallVec::new();
    for (key, id) in request.streams() {
        let stream = view.read().find(key).map(value::stream).transpose()?;
        if stream.is_none_or(|stream| stream.group(membership.group).is_none()) {
            let place = " in XREADGROUP with GROUP option";
            return Err(value::no_key_or_group(key, membership.group, place));
        }
        all.push(match id {
            b"$" => {
                return Err(Error::text(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
                ));
            }
            b">" => Wanted::New,
            _ => match value::parse_id(id)? {
                // So it is to Redis: nothing can come after it.
                StreamId::MAX => Wanted::New,
                id => Wanted::After(id),
            },
        });
    }
    Ok(all)
}

/// Serves the consumer from one stream, if there is something for it.
fn serve(
    view: &mut WriteView<'_, '_>,
    request: &Request<'_>,
    membership: Membership<'_>,
    (key, wanted): (&[u8], Wanted),
    commands: &mut Vec<Recorded>,
    out: &mut Reply,
) -> Result<bool, Error> {
    let (now_ms, recording) = (view.now_ms(), view.effects.recording);
    let Membership { group: name, .. } = membership;
    let Some((log, group)) =
        value::stream_mut(view, key)?.and_then(|stream| stream.log_and_group_mut(name))
    else {
        return Ok(false);
    };
    let (consumer, presence) = group.see_consumer(membership.consumer, now_ms);
    if presence == Presence::Created && recording {
        commands.push(propagate::consumer(key, name, membership.consumer));
    }
    let is_served = match wanted {
        Wanted::New => log.last().is_some_and(|last| last.id > group.last_id()),
        Wanted::After(_) => true,
    };
    if is_served {
        begin_stream(key, out);
        let start = out.len();
        let delivered = match wanted {
            Wanted::New => {
                let acknowledgement = if request.noack {
                    Acknowledgement::None
                } else {
                    Acknowledgement::Expected
                };
                let delivered = group.deliver_new(
                    log,
                    consumer,
                    request.count,
                    acknowledgement,
                    now_ms,
                    |group, entry| {
                        if recording
                            && acknowledgement == Acknowledgement::Expected
                            && let Some(pending) = group.pending_entry(entry.id)
                        {
                            let last_id = group.last_id();
                            commands.push(propagate::pending(key, name, last_id, &pending));
                        }
                        value::reply_entry(entry, out);
                    },
                );
                if recording {
                    commands.push(propagate::position(key, name, group));
                }
                delivered
            }
            Wanted::After(id) => {
                let from = id.next().unwrap_or(StreamId::MAX);
                group.deliver_again(log, consumer, from, request.count, now_ms, |id, entry| {
                    match entry {
                        Some(entry) => value::reply_entry(entry, out),
                        None => {
                            out.array(2);
                            value::reply_id(id, out);
                            out.null_array();
                        }
                    }
                })
            }
        };
        out.array_since(start, delivered as usize);
    }
    if presence == Presence::Created {
        view.dirty(1);
        view.notify(key, EventClass::Stream, "xgroup-createconsumer");
    }
    view.dirty(is_served.into());
    Ok(is_served)
}
