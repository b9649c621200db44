//! How changes to groups are recorded: as the commands that bring about the same state
//! wherever they are run, whatever the time.

use ochre_store::{Recorded, recorded};
use ochre_structures::stream::{Group, Pending, StreamId};

use super::value::IdText;

/// That an entry is pending as it is now, in a group that has read up to `last_id`. If
/// the stream has no such entry any more, it will not be pending.
pub fn pending(key: &[u8], group: &[u8], last_id: StreamId, pending: &Pending<'_>) -> Recorded {
    let (mut time, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
    recorded(&[
        b"XCLAIM",
        key,
        group,
        pending.consumer,
        b"0",
        IdText::new(pending.id).as_bytes(),
        b"TIME",
        time.format(pending.delivery_time_ms).as_bytes(),
        b"RETRYCOUNT",
        count.format(pending.delivery_count).as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        IdText::new(last_id).as_bytes(),
    ])
}

/// How far a group has read.
pub fn position(key: &[u8], name: &[u8], group: &Group) -> Recorded {
    let mut digits = itoa::Buffer::new();
    let entries_read = match group.entries_read() {
        Some(read) => digits.format(read).as_bytes(),
        None => b"-1",
    };
    recorded(&[
        b"XGROUP",
        b"SETID",
        key,
        name,
        IdText::new(group.last_id()).as_bytes(),
        b"ENTRIESREAD",
        entries_read,
    ])
}

/// That a group has a consumer.
pub fn consumer(key: &[u8], group: &[u8], consumer: &[u8]) -> Recorded {
    recorded(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer])
}
