//! A stream as the RDB format has it: nodes as they are, the figures, the groups with
//! their pending entries and consumers.

use std::io::{self, Write};

use ochre_rdb::{Encoder, GroupHead, PlainPending, StreamHead};
use ochre_structures::stream::{Group, Stream};

/// Written where a consumer has never got anything.
const NEVER_ACTIVE: i64 = -1;

/// Writes a stream, without type and key.
///
/// # Errors
/// Those of `out`.
pub(super) fn encode(
    stream: &Stream,
    encoder: &mut Encoder,
    out: &mut impl Write,
) -> io::Result<()> {
    encoder.count(out, stream.node_count() as u64)?;
    for (id, bytes) in stream.nodes() {
        encoder.stream_node(out, id, bytes)?;
    }
    let head = StreamHead {
        length: stream.len(),
        last_id: stream.last_id(),
        first_id: stream.first_id(),
        max_deleted_id: stream.max_deleted_id(),
        entries_added: stream.entries_added(),
        groups: stream.group_count() as u64,
    };
    encoder.stream_head(out, &head)?;
    for (name, group) in stream.groups() {
        encode_group(name, group, encoder, out)?;
    }
    Ok(())
}

fn encode_group(
    name: &[u8],
    group: &Group,
    encoder: &mut Encoder,
    out: &mut impl Write,
) -> io::Result<()> {
    let head = GroupHead {
        name,
        last_id: group.last_id(),
        entries_read: group.entries_read(),
        pending: group.pending_len() as u64,
    };
    encoder.group_head(out, &head)?;
    for pending in group.pending() {
        let pending = PlainPending {
            id: pending.id,
            delivery_time_ms: pending.delivery_time_ms,
            delivery_count: pending.delivery_count,
            // Whose it is follows from the consumers' own lists.
            consumer: 0,
        };
        encoder.pending(out, &pending)?;
    }
    encoder.count(out, group.consumer_count() as u64)?;
    let mut consumers: Vec<_> = group.consumers().collect();
    consumers.sort_unstable_by_key(|consumer| consumer.name());
    for consumer in consumers {
        encoder.consumer(
            out,
            consumer.name(),
            consumer.seen_time_ms(),
            consumer.active_time_ms().unwrap_or(NEVER_ACTIVE),
            consumer.pending_len() as u64,
        )?;
        for id in consumer.pending_ids() {
            encoder.stream_id(out, id)?;
        }
    }
    Ok(())
}
