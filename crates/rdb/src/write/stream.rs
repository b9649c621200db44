//! Streams as bytes, piece by piece:
//!
//! ```text
//! count (nodes) | stream_node … | stream_head
//!     | group … each: group_head | pending … | count (consumers) | consumer …
//!                                each of which: consumer | stream_id …
//! ```

use std::io::{self, Write};

use super::encoder::Encoder;
use super::primitives;
use crate::Version;
use crate::value::{PlainPending, StreamId};

/// What is known of a stream as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHead {
    /// The number of entries that are not deleted.
    pub length: u64,
    /// The greatest ID ever added.
    pub last_id: StreamId,
    /// The ID of the first entry, or 0-0.
    pub first_id: StreamId,
    /// The greatest ID ever deleted, or 0-0.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    /// How many groups follow.
    pub groups: u64,
}

/// What is known of a consumer group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupHead<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The last ID delivered.
    pub last_id: StreamId,
    /// How many entries were delivered, if that is known.
    pub entries_read: Option<u64>,
    /// How many pending entries follow.
    pub pending: u64,
}

impl Encoder {
    /// A node of a stream.
    pub fn stream_node(
        &mut self,
        out: &mut impl Write,
        id: StreamId,
        listpack: &[u8],
    ) -> io::Result<()> {
        primitives::plain_string(out, &id.to_bytes())?;
        self.bytes(out, listpack)
    }

    /// What follows the nodes.
    pub fn stream_head(&mut self, out: &mut impl Write, head: &StreamHead) -> io::Result<()> {
        primitives::length(out, head.length)?;
        for id in [head.last_id, head.first_id, head.max_deleted_id] {
            stream_id_as_lengths(out, id)?;
        }
        primitives::length(out, head.entries_added)?;
        primitives::length(out, head.groups)
    }

    /// The start of a group.
    pub fn group_head(&mut self, out: &mut impl Write, head: &GroupHead<'_>) -> io::Result<()> {
        self.string(out, head.name)?;
        stream_id_as_lengths(out, head.last_id)?;
        primitives::length(out, head.entries_read.unwrap_or(u64::MAX))?;
        primitives::length(out, head.pending)
    }

    /// A pending entry of a group; in the order of IDs.
    pub fn pending(&mut self, out: &mut impl Write, pending: &PlainPending) -> io::Result<()> {
        out.write_all(&pending.id.to_bytes())?;
        out.write_all(&pending.delivery_time_ms.to_le_bytes())?;
        primitives::length(out, pending.delivery_count)
    }

    /// A consumer of a group, of whose pending entries as many follow, as
    /// [`Encoder::stream_id`]. Its active time is lost in version 10.
    pub fn consumer(
        &mut self,
        out: &mut impl Write,
        name: &[u8],
        seen_time_ms: i64,
        active_time_ms: i64,
        pending: u64,
    ) -> io::Result<()> {
        self.string(out, name)?;
        out.write_all(&seen_time_ms.to_le_bytes())?;
        if self.version >= Version::V11 {
            out.write_all(&active_time_ms.to_le_bytes())?;
        }
        primitives::length(out, pending)
    }

    /// The ID of a consumer's pending entry.
    pub fn stream_id(&mut self, out: &mut impl Write, id: StreamId) -> io::Result<()> {
        out.write_all(&id.to_bytes())
    }
}

fn stream_id_as_lengths(out: &mut impl Write, id: StreamId) -> io::Result<()> {
    primitives::length(out, id.ms)?;
    primitives::length(out, id.seq)
}
