//! Streams: nodes, then what is known of the whole, then consumer groups.
//!
//! Redis 5.0 wrote the first generation, 7.0 the second (which remembers what was
//! deleted and how much was read), 7.2 the third (consumers' last activity). What an
//! older generation lacks is filled in as Redis fills it in.

use std::borrow::Cow;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};

use ochre_structures::listpack::Shape;

use super::{Validation, listpacks, stream_node};
use crate::cursor::Cursor;
use crate::error::{RdbErrorKind, Result};
use crate::string::Str;
use crate::value::{PlainConsumer, PlainGroup, PlainPending, PlainStream, StreamId, StreamNode};

/// Stored where the number of entries read is not known.
const UNKNOWN_ENTRIES_READ: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Generation {
    One,
    Two,
    Three,
}

pub(super) fn stream<'a>(
    cursor: &mut Cursor<'a>,
    generation: Generation,
) -> Result<PlainStream<'a>> {
    let start = cursor.position();
    let (nodes, contents) = nodes(cursor)?;

    cursor.reading("stream length");
    let length_start = cursor.position();
    let stated_length = cursor.length()?;
    if stated_length > 0 && nodes.is_empty() {
        let kind = RdbErrorKind::Stream("stream with a length and without nodes");
        return Err(cursor.error_at(length_start, kind));
    }
    let stated_last = cursor.reading("last ID of stream").stream_id()?;
    let first_live = contents.first_live.unwrap_or_default();
    let mut stream = PlainStream {
        nodes,
        length: contents.live,
        last_id: contents
            .last
            .map_or(stated_last, |last| last.max(stated_last)),
        first_id: first_live,
        max_deleted_id: StreamId::default(),
        entries_added: contents.live,
        groups: Vec::new(),
    };
    if generation >= Generation::Two {
        // The first ID follows from the nodes.
        cursor.reading("first ID of stream").stream_id()?;
        stream.max_deleted_id = cursor.reading("greatest deleted ID").stream_id()?;
        stream.entries_added = cursor.reading("count of entries added").length()?;
    }

    let groups = cursor.reading("count of groups").length()?;
    let mut names = HashSet::new();
    for _ in 0..groups {
        let group = group(cursor, generation, &stream)?;
        if !names.insert(group.name.clone().into_vec()) {
            cursor.reading("consumer group");
            return Err(cursor.error_at(start, RdbErrorKind::Duplicate));
        }
        stream.groups.push(group);
    }
    Ok(stream)
}

/// The nodes in order, and what they hold together.
fn nodes<'a>(cursor: &mut Cursor<'a>) -> Result<(Vec<StreamNode<'a>>, stream_node::Summary)> {
    cursor.reading("stream node");
    let start = cursor.position();
    let count = cursor.length()?;
    let mut checked: Vec<(StreamNode<'a>, stream_node::Summary)> = Vec::new();
    for _ in 0..count {
        let node_start = cursor.position();
        let key: Cow<'a, [u8]> = cursor.blob()?;
        let Ok(key) = <[u8; 16]>::try_from(&key[..]) else {
            let kind = RdbErrorKind::Stream("stream node without ID of 16 bytes");
            return Err(cursor.error_at(node_start, kind));
        };
        let id = StreamId::from_bytes(key);
        let node_start = cursor.position();
        let listpack = listpacks::read(cursor, Shape::Elements, Validation::Full)?;
        let summary = stream_node::check(&listpack, id)
            .map_err(|wrong| cursor.error_at(node_start, RdbErrorKind::Stream(wrong)))?;
        checked.push((StreamNode { id, listpack }, summary));
    }
    if !checked.is_sorted_by_key(|(node, _)| node.id) {
        checked.sort_by_key(|(node, _)| node.id);
    }

    let mut whole = stream_node::Summary::default();
    for (node, summary) in &checked {
        if whole.last.is_some_and(|last| last >= node.id) {
            let kind = RdbErrorKind::Stream("stream nodes overlap");
            return Err(cursor.error_at(start, kind));
        }
        whole.live += summary.live;
        whole.first_live = whole.first_live.or(summary.first_live);
        whole.last = summary.last.or(Some(node.id));
    }
    let nodes = checked.into_iter().map(|(node, _)| node).collect();
    Ok((nodes, whole))
}

fn group<'a>(
    cursor: &mut Cursor<'a>,
    generation: Generation,
    stream: &PlainStream<'_>,
) -> Result<PlainGroup<'a>> {
    let name = cursor.reading("name of group").string()?;
    let last_id = cursor.reading("last ID of group").stream_id()?;
    let entries_read = if generation >= Generation::Two {
        let entries_read = cursor.reading("count of entries read").length()?;
        Some(entries_read).filter(|&entries_read| entries_read != UNKNOWN_ENTRIES_READ)
    } else {
        entries_read_up_to(last_id, stream)
    };

    cursor.reading("pending entry");
    let start = cursor.position();
    let mut pending = pending(cursor)?;
    let consumers = consumers(cursor, generation, &mut pending)?;
    cursor.reading("pending entry");
    let mut owned = Vec::with_capacity(pending.len());
    for (id, delivery) in pending {
        let Some(consumer) = delivery.consumer else {
            let kind = RdbErrorKind::Stream("pending entry without consumer");
            return Err(cursor.error_at(start, kind));
        };
        owned.push(PlainPending {
            id,
            delivery_time_ms: delivery.time_ms,
            delivery_count: delivery.count,
            consumer,
        });
    }
    owned.sort_unstable_by_key(|pending| pending.id);
    Ok(PlainGroup {
        name,
        last_id,
        entries_read,
        pending: owned,
        consumers,
    })
}

/// An entry of a group's that is waiting for the consumer it belongs to.
struct Delivery {
    time_ms: i64,
    count: u64,
    consumer: Option<usize>,
}

fn pending(cursor: &mut Cursor<'_>) -> Result<HashMap<StreamId, Delivery>> {
    let count = cursor.length()?;
    let mut pending = HashMap::new();
    for _ in 0..count {
        let start = cursor.position();
        let id = StreamId::from_bytes(cursor.array()?);
        let delivery = Delivery {
            time_ms: cursor.i64()?,
            count: cursor.length()?,
            consumer: None,
        };
        match pending.entry(id) {
            Entry::Vacant(place) => place.insert(delivery),
            Entry::Occupied(_) => return Err(cursor.error_at(start, RdbErrorKind::Duplicate)),
        };
    }
    Ok(pending)
}

/// The consumers; the pending entries learn whose they are.
fn consumers<'a>(
    cursor: &mut Cursor<'a>,
    generation: Generation,
    pending: &mut HashMap<StreamId, Delivery>,
) -> Result<Vec<PlainConsumer<'a>>> {
    let count = cursor.reading("count of consumers").length()?;
    let mut consumers = Vec::new();
    let mut names = HashSet::new();
    for _ in 0..count {
        let start = cursor.reading("consumer").position();
        let name: Str<'a> = cursor.string()?;
        if !names.insert(name.clone().into_vec()) {
            return Err(cursor.error_at(start, RdbErrorKind::Duplicate));
        }
        let seen_time_ms = cursor.i64()?;
        let active_time_ms = if generation >= Generation::Three {
            cursor.i64()?
        } else {
            seen_time_ms
        };
        let count = cursor.reading("pending entry of consumer").length()?;
        for _ in 0..count {
            let start = cursor.position();
            let id = StreamId::from_bytes(cursor.array()?);
            let delivery = pending.get_mut(&id);
            let Some(delivery) = delivery.filter(|delivery| delivery.consumer.is_none()) else {
                let kind = RdbErrorKind::Stream("pending entry that is not its group's");
                return Err(cursor.error_at(start, kind));
            };
            delivery.consumer = Some(consumers.len());
        }
        consumers.push(PlainConsumer {
            name,
            seen_time_ms,
            active_time_ms,
        });
    }
    Ok(consumers)
}

/// How many entries a group has read that stands at this ID, as far as that can be
/// told of a stream that never said what was deleted from it.
fn entries_read_up_to(id: StreamId, stream: &PlainStream<'_>) -> Option<u64> {
    if stream.entries_added == 0 {
        return Some(0);
    }
    if id == stream.last_id {
        return Some(stream.entries_added);
    }
    if id > stream.last_id {
        return None;
    }
    match id.cmp(&stream.first_id) {
        std::cmp::Ordering::Less => Some(stream.entries_added - stream.length),
        std::cmp::Ordering::Equal => Some(stream.entries_added - stream.length + 1),
        std::cmp::Ordering::Greater => None,
    }
}

impl Cursor<'_> {
    fn stream_id(&mut self) -> Result<StreamId> {
        Ok(StreamId {
            ms: self.length()?,
            seq: self.length()?,
        })
    }
}
