//! The table itself: finding, inserting, removing. Entries, scanning, deadlines and
//! resizing extend it from their own files.

use std::fmt;
use std::marker::PhantomData;

use super::Slot;
use super::bucket::Bucket;
use super::deadlines::Deadlines;
use super::directory::Directory;
use super::geometry::{position_of, tag_of};
use super::ownership::{Ownership, Shared, Unique};
use super::probe;

/// A table with one owner, such as the keyspace's.
pub type Table<S> = ExtendibleTable<S, Unique>;

/// A table that can be frozen: see [`freeze`](ExtendibleTable::freeze).
///
/// Whatever changes a segment that a frozen table still holds works on a copy of that
/// one segment, whose slots are cloned.
pub type SharedTable<S> = ExtendibleTable<S, Shared>;

/// An extendible hash table of 8-byte slots, in the order of their hashes.
///
/// The caller computes the hash of a key, and compares: the table knows only
/// [`Slot::position`]. A `hash` argument's top 32 bits are that position, its low 8
/// bits tell slots in the same bucket apart.
///
/// ```
/// use ochre_structures::hash::hash_bytes;
/// use ochre_structures::table::{Slot, Table};
///
/// struct Word(Box<String>);
///
/// impl Slot for Word {
///     fn position(&self) -> u32 {
///         (hash_bytes(self.0.as_bytes()) >> 32) as u32
///     }
/// }
///
/// let mut words = Table::new();
/// for word in ["red", "earth", "red"] {
///     let equal = |slot: &Word| *slot.0 == word;
///     words.find_or_insert_with(hash_bytes(word.as_bytes()), equal, || {
///         Word(Box::new(word.to_owned()))
///     });
/// }
/// assert_eq!(words.len(), 2);
/// assert!(words.find(hash_bytes(b"earth"), |slot| *slot.0 == "earth").is_some());
/// ```
///
/// Functions that take the caller's closures stay consistent when these panic, except
/// that elements may be lost where a slot's own `drop` panics.
pub struct ExtendibleTable<S, O> {
    pub(super) directory: Directory<S, O>,
    pub(super) len: usize,
    pub(super) deadlines: Deadlines,
    /// Where [`drain_segment`](Self::drain_segment) goes on: a hint, nothing more.
    pub(super) released: u32,
    slots: PhantomData<S>,
}

impl<S, O> fmt::Debug for ExtendibleTable<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtendibleTable")
            .field("len", &self.len)
            .field("segments", &self.directory.segments())
            .field("memory_bytes", &self.directory.memory_bytes())
            .finish_non_exhaustive()
    }
}

impl<S> Clone for SharedTable<S> {
    /// A table with the same elements. Costs O(segments) pointer copies, and later
    /// writers of either table one copy of each segment they touch.
    fn clone(&self) -> Self {
        Self {
            directory: self.directory.clone(),
            len: self.len,
            deadlines: self.deadlines.clone(),
            released: self.released,
            slots: PhantomData,
        }
    }
}

impl<S: Slot, O: Ownership<S>> Default for ExtendibleTable<S, O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Slot, O: Ownership<S>> ExtendibleTable<S, O> {
    /// An empty table; it allocates nothing.
    pub fn new() -> Self {
        const { Bucket::<S>::LAYOUT_CHECK };
        Self {
            directory: Directory::new(),
            len: 0,
            deadlines: Deadlines::new(),
            released: 0,
            slots: PhantomData,
        }
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the table has allocated for itself: segments, directory and deadline
    /// index, not what slots point to. O(1).
    pub fn memory_bytes(&self) -> usize {
        self.directory.memory_bytes() + self.deadlines.memory_bytes()
    }

    /// The number of segments: of slices that [`drain_segment`](Self::drain_segment)
    /// or freezing deal in.
    pub fn segment_count(&self) -> usize {
        self.directory.segments()
    }

    /// The element with this hash for which `equal` holds. `equal` is asked about
    /// elements nearby with the same low 8 bits of the hash: one in 40 or so of the
    /// others.
    #[inline]
    pub fn find(&self, hash: u64, equal: impl FnMut(&S) -> bool) -> Option<&S> {
        let position = position_of(hash);
        let found = probe::find(self.directory.at(position), position, tag_of(hash), equal);
        found.map(|(_, element)| element)
    }

    /// As [`find`](Self::find), for changing the element; not its position.
    #[inline]
    pub fn find_mut(&mut self, hash: u64, equal: impl FnMut(&S) -> bool) -> Option<&mut S> {
        let position = position_of(hash);
        let segment = self.directory.at(position);
        let (place, _) = probe::find(segment, position, tag_of(hash), equal)?;
        let segment = self.directory.at_mut(position);
        segment
            .into_buckets()
            .get_mut(place.bucket)?
            .get_mut(place.slot)
    }

    /// Adds an element that the caller knows to be absent. Costs at most the work of
    /// one segment, plus a copy of the directory when that doubles.
    #[inline]
    pub fn insert(&mut self, hash: u64, element: S) {
        self.place(hash, element);
    }

    /// Adds an element; returns where it stands in its segment.
    #[inline]
    pub(super) fn place(&mut self, hash: u64, element: S) -> probe::Place {
        let position = position_of(hash);
        debug_assert_eq!(
            position,
            element.position(),
            "a slot inserted under another hash"
        );
        while !self.directory.at(position).has_room() {
            self.make_room(position);
        }
        let mut segment = self.directory.at_mut(position);
        let place = probe::insert(&mut segment, position, tag_of(hash), element);
        self.len += 1;
        place
    }

    /// Takes out the element with this hash for which `equal` holds. Costs at most the
    /// work of a few segments.
    #[inline]
    pub fn remove(&mut self, hash: u64, equal: impl FnMut(&S) -> bool) -> Option<S> {
        let position = position_of(hash);
        let segment = self.directory.at(position);
        let (place, _) = probe::find(segment, position, tag_of(hash), equal)?;
        self.remove_at(position, place)
    }

    /// Takes out the element at `place` of the segment around `position`.
    #[inline]
    pub(super) fn remove_at(&mut self, position: u32, place: probe::Place) -> Option<S> {
        let mut segment = self.directory.at_mut(position);
        let element = probe::remove(&mut segment, position, place)?;
        self.len -= 1;
        // The caller gets its element even if another slot's code panics in here: it
        // is dropped by the unwinding, once.
        self.give_back(position);
        Some(element)
    }

    /// Begins to load what is touched `step`-th (from 0) on the way to the element with
    /// this `hash`: directory, bucket, what the slots point to. A step reads only what
    /// those before it have loaded. Returns whether there are more.
    #[inline]
    pub fn prefetch_step(&self, step: usize, hash: u64) -> bool {
        match step {
            0 => self.directory.prefetch(position_of(hash)),
            1 => self.prefetch_change(hash),
            2 => self.candidates(hash, Slot::prefetch),
            _ => return false,
        }
        true
    }

    /// Begins to load the home bucket of `hash`. Reads the directory, waits for no
    /// other memory.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        let position = position_of(hash);
        self.directory.at(position).prefetch_home(position);
    }

    /// As [`prefetch_bucket`](Self::prefetch_bucket), for an insertion or a removal:
    /// these touch the segment's header too.
    #[inline]
    pub fn prefetch_change(&self, hash: u64) {
        let position = position_of(hash);
        let segment = self.directory.at(position);
        segment.prefetch_header();
        segment.prefetch_home(position);
    }

    /// Calls `visit` for each slot that [`find`](Self::find) would compare, so that what
    /// it points to can be prefetched.
    #[inline]
    pub fn candidates(&self, hash: u64, visit: impl FnMut(&S)) {
        let position = position_of(hash);
        probe::candidates(self.directory.at(position), position, tag_of(hash), visit);
    }
}
