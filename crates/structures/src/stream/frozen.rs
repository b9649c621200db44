//! Streams as wholes: frozen, copied, weighed and dropped.

use std::ops::Deref;

use triomphe::Arc;

use super::{Entry, Stream, StreamId, node};

/// A stream that no longer changes, whatever is written to the one it came from. It
/// can be sent to another thread. What it shares is freed with the last that has it.
///
/// To read it in slices, remember the ID to go on from: nothing else is needed.
#[derive(Clone, Debug)]
pub struct FrozenStream(Stream);

const _: () = {
    const fn shareable<T: Send + Sync>() {}
    shareable::<FrozenStream>();
};

impl Stream {
    /// The stream as it is now. Costs one pointer copy for up to 64 nodes and one for
    /// each group, with all that is pending; afterwards, the first write to each part
    /// copies that part.
    #[must_use]
    pub fn freeze(&self) -> FrozenStream {
        FrozenStream(self.clone())
    }

    /// A copy of the stream, groups and pending entries included: COPY. Costs what a
    /// freeze does.
    #[must_use]
    pub fn duplicate(&self) -> Stream {
        self.clone()
    }

    /// About how many bytes of memory the stream takes, what it shares with frozen
    /// copies included and allocator rounding left out. O(nodes + chunks).
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let nodes: usize = (self.nodes.iter())
            .map(|(_, node)| node::OVERHEAD_BYTES + node.capacity())
            .sum();
        let groups: usize = (self.groups.iter())
            .map(|(name, group)| {
                size_of_val(name) + name.len() + 2 * size_of::<usize>() + group.memory_bytes()
            })
            .sum();
        size_of::<Stream>() + self.nodes.memory_bytes() + nodes + groups
    }

    /// Frees up to about `parts` nodes, pending entries and consumers from the back,
    /// at least one, and says whether nothing is left: for freeing a huge stream in
    /// slices. The stream is good for nothing else afterwards. What is shared with a
    /// frozen copy goes at once, as it is not freed.
    #[must_use]
    pub fn drop_some(&mut self, parts: usize) -> bool {
        let mut left = parts.max(1);
        while left > 0 {
            if let Some(dropped) = self.log.nodes.drop_chunk() {
                left = left.saturating_sub(dropped);
                continue;
            }
            let Some(mut group) = self.groups.last_entry() else {
                break;
            };
            let hollow = match Arc::get_mut(group.get_mut()) {
                Some(group) => {
                    left = group.drop_some(left);
                    group.is_hollow()
                }
                None => true,
            };
            if hollow {
                group.remove();
                left = left.saturating_sub(1);
            }
        }
        self.log.nodes.is_empty() && self.groups.is_empty()
    }
}

impl FrozenStream {
    /// Hands up to `max_entries` (at least one) entries with IDs from `from` to `to` to
    /// `visit`, and returns the ID to go on from; `None` at the end.
    pub fn visit(
        &self,
        from: StreamId,
        to: StreamId,
        max_entries: usize,
        mut visit: impl FnMut(Entry<'_>),
    ) -> Option<StreamId> {
        let mut entries = self.0.range(from, to);
        for entry in entries.by_ref().take(max_entries.max(1)) {
            visit(entry);
        }
        entries.next().map(|entry| entry.id)
    }

    /// Like [`FrozenStream::visit`], from the last entry to the first; the ID returned
    /// is the `to` to go on with.
    pub fn visit_back(
        &self,
        from: StreamId,
        to: StreamId,
        max_entries: usize,
        mut visit: impl FnMut(Entry<'_>),
    ) -> Option<StreamId> {
        let mut entries = self.0.range_back(from, to);
        for entry in entries.by_ref().take(max_entries.max(1)) {
            visit(entry);
        }
        entries.next().map(|entry| entry.id)
    }

    /// Gives parts back from the end; see [`Stream::drop_some`].
    #[must_use]
    pub fn drop_some(&mut self, parts: usize) -> bool {
        self.0.drop_some(parts)
    }
}

impl Deref for FrozenStream {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.0
    }
}
