//! An ordered map from IDs, made of shared chunks: what holds the nodes of a log and
//! the pending entries of groups and consumers.
//!
//! ```text
//! spine  ┌ first ID, ─┬─ first ID, ─┬─ … ─┐   VecDeque, 24 bytes a chunk
//!        └── Arc ─────┴── Arc ──────┴─────┘
//!             │
//!        (ID, value), (ID, value), …          up to 64, sorted
//! ```
//!
//! A clone copies the spine and shares the chunks; a later write copies the one chunk
//! it touches. IDs mostly come in at the back and go at the front, and both ends cost
//! O(1) there; anywhere else, a binary search and the move of part of a chunk.
//!
//! Invariant: IDs increase strictly throughout, no chunk is empty or above
//! [`MAX_CHUNK`], each slot's first ID is its chunk's, and `len` is the sum.

use std::collections::VecDeque;

use triomphe::Arc;

use super::StreamId;
use crate::table::prefetch_line;

/// The most pairs in a chunk.
pub(super) const MAX_CHUNK: usize = 64;

/// A chunk that a removal leaves with fewer pairs is merged into a neighbour, if both
/// fill no more than three quarters then.
const MIN_CHUNK: usize = MAX_CHUNK / 4;

/// Where a pair is: its chunk and its index there.
type Place = (usize, usize);

#[derive(Debug)]
struct Slot<V> {
    first: StreamId,
    chunk: Arc<Vec<(StreamId, V)>>,
}

impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        Slot {
            first: self.first,
            chunk: Arc::clone(&self.chunk),
        }
    }
}

/// An ordered map from IDs to values.
#[derive(Debug)]
pub(super) struct Chunks<V> {
    slots: VecDeque<Slot<V>>,
    len: usize,
}

impl<V> Clone for Chunks<V> {
    fn clone(&self) -> Self {
        Chunks {
            slots: self.slots.clone(),
            len: self.len,
        }
    }
}

impl<V> Default for Chunks<V> {
    fn default() -> Self {
        Chunks {
            slots: VecDeque::new(),
            len: 0,
        }
    }
}

impl<V> Chunks<V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Begins to load what is touched `step`-th (from 0) on the way to the last pair; a
    /// step reads only what those before it have loaded.
    #[inline]
    pub(super) fn prefetch_last(&self, step: usize) {
        if let Some(slot) = self.slots.back() {
            match step {
                0 => prefetch_line(slot),
                1 => prefetch_line(&*slot.chunk),
                _ => prefetch_line(slot.chunk.as_ptr().wrapping_add(slot.chunk.len() - 1)),
            }
        }
    }

    /// The last value.
    #[inline]
    pub(super) fn last_value(&self) -> Option<&V> {
        Some(&self.slots.back()?.chunk.last()?.1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pair with the smallest ID.
    pub(super) fn first(&self) -> Option<(StreamId, &V)> {
        pair(self.slots.front()?.chunk.first())
    }

    /// The pair with the greatest ID.
    pub(super) fn last(&self) -> Option<(StreamId, &V)> {
        pair(self.slots.back()?.chunk.last())
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&V> {
        let (slot, index) = self.find(id)?;
        Some(&self.slots[slot].chunk[index].1)
    }

    /// All pairs, in order; can be reversed.
    pub(super) fn iter(&self) -> Iter<'_, V> {
        Iter {
            chunks: self,
            front: (0, 0),
            back: (self.slots.len(), 0),
        }
    }

    /// The pairs from `from` to `to`, both included; can be reversed. O(log n) to
    /// start.
    pub(super) fn range(&self, from: StreamId, to: StreamId) -> Iter<'_, V> {
        Iter {
            chunks: self,
            front: self.partition(|id| id < from),
            back: self.partition(|id| id <= to),
        }
    }

    /// The greatest ID that is not above `id`, or else the smallest ID there is:
    /// where a walk over spans that start at the IDs has to begin.
    pub(super) fn floor(&self, id: StreamId) -> StreamId {
        self.range(StreamId::MIN, id)
            .next_back()
            .or_else(|| self.first())
            .map_or(StreamId::MIN, |(id, _)| id)
    }

    /// The bytes of spine and chunks; what values own beyond themselves comes on top.
    pub(super) fn memory_bytes(&self) -> usize {
        let chunk_overhead = size_of::<usize>() + size_of::<Vec<(StreamId, V)>>();
        let chunks: usize = (self.slots.iter())
            .map(|slot| slot.chunk.capacity() * size_of::<(StreamId, V)>() + chunk_overhead)
            .sum();
        self.slots.capacity() * size_of::<Slot<V>>() + chunks
    }

    /// Drops the last chunk and returns how many pairs it had.
    pub(super) fn drop_chunk(&mut self) -> Option<usize> {
        let dropped = self.slots.pop_back()?.chunk.len();
        self.len -= dropped;
        Some(dropped)
    }

    /// The place of the first pair whose ID is not `below`; all that are come first.
    fn partition(&self, below: impl Fn(StreamId) -> bool) -> Place {
        let after = self.slots.partition_point(|slot| below(slot.first));
        let Some(slot) = after.checked_sub(1) else {
            return (0, 0);
        };
        let chunk = &self.slots[slot].chunk;
        let index = chunk.partition_point(|&(id, _)| below(id));
        if index == chunk.len() {
            (after, 0)
        } else {
            (slot, index)
        }
    }

    fn find(&self, id: StreamId) -> Option<Place> {
        let slot = self.slot_of(id)?;
        let index = search(&self.slots[slot].chunk, id).ok()?;
        Some((slot, index))
    }

    /// The chunk in which the ID is, if it is anywhere.
    fn slot_of(&self, id: StreamId) -> Option<usize> {
        match self.slots.back() {
            // Most questions are about the newest.
            Some(last) if last.first <= id => Some(self.slots.len() - 1),
            _ => self
                .slots
                .partition_point(|slot| slot.first <= id)
                .checked_sub(1),
        }
    }
}

impl<V: Clone> Chunks<V> {
    /// The last value, to be changed.
    pub(super) fn last_mut(&mut self) -> Option<(StreamId, &mut V)> {
        let slot = self.slots.back_mut()?;
        let (id, value) = Arc::make_mut(&mut slot.chunk).last_mut()?;
        Some((*id, value))
    }

    /// The first value, to be changed.
    pub(super) fn first_mut(&mut self) -> Option<(StreamId, &mut V)> {
        let slot = self.slots.front_mut()?;
        let (id, value) = Arc::make_mut(&mut slot.chunk).first_mut()?;
        Some((*id, value))
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut V> {
        let (slot, index) = self.find(id)?;
        Some(&mut Arc::make_mut(&mut self.slots[slot].chunk)[index].1)
    }

    /// Adds a pair, or replaces the value of one, which is returned.
    pub(super) fn insert(&mut self, id: StreamId, value: V) -> Option<V> {
        let Some(place) = self.slot_of(id) else {
            // Below the first ID, or the first of all.
            match self.slots.front_mut() {
                Some(slot) if slot.chunk.len() < MAX_CHUNK => {
                    Arc::make_mut(&mut slot.chunk).insert(0, (id, value));
                    slot.first = id;
                }
                _ => self.slots.push_front(Slot::of(vec![(id, value)], id)),
            }
            self.len += 1;
            return None;
        };
        let count = self.slots.len();
        let slot = &mut self.slots[place];
        let index = match search(&slot.chunk, id) {
            Ok(index) => {
                let old = &mut Arc::make_mut(&mut slot.chunk)[index].1;
                return Some(std::mem::replace(old, value));
            }
            Err(index) => index,
        };
        self.len += 1;
        if slot.chunk.len() < MAX_CHUNK {
            Arc::make_mut(&mut slot.chunk).insert(index, (id, value));
        } else if index == MAX_CHUNK && place + 1 == count {
            // Appending leaves full chunks behind.
            self.slots.push_back(Slot::of(vec![(id, value)], id));
        } else {
            let chunk = Arc::make_mut(&mut slot.chunk);
            let mut upper = chunk.split_off(MAX_CHUNK / 2);
            match index.checked_sub(chunk.len()) {
                Some(index) => upper.insert(index, (id, value)),
                None => chunk.insert(index, (id, value)),
            }
            let first = upper[0].0;
            self.slots.insert(place + 1, Slot::of(upper, first));
        }
        None
    }

    /// Removes a pair and returns its value.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<V> {
        let (place, index) = self.find(id)?;
        let slot = &mut self.slots[place];
        let chunk = Arc::make_mut(&mut slot.chunk);
        let (_, value) = chunk.remove(index);
        self.len -= 1;
        match chunk.first() {
            Some(&(first, _)) => slot.first = first,
            None => {
                self.slots.remove(place);
                return Some(value);
            }
        }
        if slot.chunk.len() < MIN_CHUNK && !self.merge_with_next(place) && place > 0 {
            self.merge_with_next(place - 1);
        }
        Some(value)
    }

    /// Appends the chunk after this one to it, if there is room to spare then.
    fn merge_with_next(&mut self, place: usize) -> bool {
        let Some(next) = self.slots.get(place + 1) else {
            return false;
        };
        let together = self.slots[place].chunk.len() + next.chunk.len();
        if together > MAX_CHUNK - MIN_CHUNK {
            return false;
        }
        if let Some(next) = self.slots.remove(place + 1) {
            Arc::make_mut(&mut self.slots[place].chunk).extend_from_slice(&next.chunk);
        }
        true
    }
}

impl<V> Slot<V> {
    fn of(chunk: Vec<(StreamId, V)>, first: StreamId) -> Self {
        Slot {
            first,
            chunk: Arc::new(chunk),
        }
    }
}

/// The index of an ID, or where it would be.
fn search<V>(chunk: &[(StreamId, V)], id: StreamId) -> Result<usize, usize> {
    match chunk.last() {
        Some(&(last, _)) if last < id => Err(chunk.len()),
        _ => chunk.binary_search_by_key(&id, |&(id, _)| id),
    }
}

fn pair<V>(found: Option<&(StreamId, V)>) -> Option<(StreamId, &V)> {
    found.map(|(id, value)| (*id, value))
}

/// Walks the pairs of an interval from both ends.
#[derive(Debug)]
pub(super) struct Iter<'a, V> {
    chunks: &'a Chunks<V>,
    /// The place of the next pair.
    front: Place,
    /// The place after the next pair from the back.
    back: Place,
}

impl<V> Clone for Iter<'_, V> {
    fn clone(&self) -> Self {
        Iter { ..*self }
    }
}

impl<V> Iter<'_, V> {
    /// The same walk at its end.
    pub(super) fn none_left(&self) -> Self {
        Iter {
            front: self.back,
            ..*self
        }
    }
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (StreamId, &'a V);

    #[inline]
    fn next(&mut self) -> Option<(StreamId, &'a V)> {
        if self.front >= self.back {
            return None;
        }
        let (slot, index) = self.front;
        let chunk = &self.chunks.slots.get(slot)?.chunk;
        self.front = if index + 1 < chunk.len() {
            (slot, index + 1)
        } else {
            (slot + 1, 0)
        };
        pair(chunk.get(index))
    }
}

impl<'a, V> DoubleEndedIterator for Iter<'a, V> {
    #[inline]
    fn next_back(&mut self) -> Option<(StreamId, &'a V)> {
        if self.front >= self.back {
            return None;
        }
        self.back = match self.back {
            (slot, 0) => {
                let slot = slot.checked_sub(1)?;
                (
                    slot,
                    self.chunks.slots.get(slot)?.chunk.len().checked_sub(1)?,
                )
            }
            (slot, index) => (slot, index - 1),
        };
        let (slot, index) = self.back;
        pair(self.chunks.slots.get(slot)?.chunk.get(index))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Chunks, MAX_CHUNK};
    use crate::stream::StreamId;

    fn check(map: &Chunks<u32>, model: &BTreeMap<StreamId, u32>) {
        assert_eq!(map.len(), model.len());
        assert_eq!(map.is_empty(), model.is_empty());
        assert!(
            map.iter()
                .map(|(id, v)| (id, *v))
                .eq(model.iter().map(|(id, v)| (*id, *v)))
        );
        assert!(
            map.iter()
                .rev()
                .map(|(id, _)| id)
                .eq(model.keys().rev().copied())
        );
        for slot in &map.slots {
            assert!((1..=MAX_CHUNK).contains(&slot.chunk.len()));
            assert_eq!(slot.first, slot.chunk[0].0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn like_a_btree_map(
            steps in proptest::collection::vec((0..12_u8, 0..400_u64, any::<u32>()), 0..900),
        ) {
            let mut map = Chunks::default();
            let mut model = BTreeMap::new();
            let mut frozen = Vec::new();
            for (kind, seq, value) in steps {
                let id = StreamId::new(seq / 20, seq % 20);
                match kind {
                    0..4 => prop_assert_eq!(map.insert(id, value), model.insert(id, value)),
                    4..6 => {
                        let end = model.keys().next_back().copied().unwrap_or_default();
                        let end = StreamId::new(end.ms + 1, 0);
                        prop_assert_eq!(map.insert(end, value), model.insert(end, value));
                    }
                    6..8 => prop_assert_eq!(map.remove(id), model.remove(&id)),
                    8 => {
                        let first = map.first().map(|(id, _)| id);
                        prop_assert_eq!(first, model.keys().next().copied());
                        if let Some(first) = first {
                            prop_assert_eq!(map.remove(first), model.remove(&first));
                        }
                    }
                    9 => {
                        if let Some(own) = map.get_mut(id) {
                            *own = value;
                        }
                        if let Some(own) = model.get_mut(&id) {
                            *own = value;
                        }
                        prop_assert_eq!(map.get(id), model.get(&id));
                    }
                    10 => {
                        let to = StreamId::new(id.ms + u64::from(value % 9), 3);
                        if id > to {
                            prop_assert_eq!(map.range(id, to).next(), None);
                            prop_assert_eq!(map.range(id, to).next_back(), None);
                            continue;
                        }
                        let own = map.range(id, to).map(|(id, v)| (id, *v));
                        prop_assert!(own.eq(model.range(id..=to).map(|(id, v)| (*id, *v))));
                        let own = map.range(id, to).rev().map(|(id, v)| (id, *v));
                        prop_assert!(own.eq(model.range(id..=to).rev().map(|(id, v)| (*id, *v))));
                        let floor = model.range(..=id).next_back().or(model.iter().next());
                        prop_assert_eq!(map.floor(id), floor.map_or(StreamId::MIN, |f| *f.0));
                    }
                    _ => {
                        prop_assert_eq!(map.last().map(|l| l.0), model.keys().next_back().copied());
                        if let Some((_, last)) = map.last_mut() {
                            *last = value;
                        }
                        if let Some(mut last) = model.last_entry() {
                            last.insert(value);
                        }
                        if frozen.len() < 4 {
                            frozen.push((map.clone(), model.clone()));
                        }
                    }
                }
            }
            check(&map, &model);
            for (map, model) in &frozen {
                check(map, model);
            }
            while let Some(dropped) = map.drop_chunk() {
                prop_assert!(dropped > 0);
            }
            prop_assert_eq!(map.len(), 0);
        }
    }
}
