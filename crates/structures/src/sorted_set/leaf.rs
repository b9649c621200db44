//! A leaf: a run of consecutive members, packed into one allocation.
//!
//! It knows no tree and no index. It may be shared with frozen sets: every change
//! first makes the leaf this owner's own, by a copy if need be.
//!
//! ```text
//!  refcount  heap_bytes  members  capacity            (32 bytes, the first and last
//! ┌────────┬───────────┬────────┬──────────┐           are the shared pointer's)
//! ├────────┴───────────┴────────┴──────────┴──────────────────────────────┐
//! │ tags n │ ends 2·n │ scores 8·n │ … gap … │ member 0 │ … │ member n-1 │
//! └───────────────────────────────────────────────────────────────────────┘
//!                                             └────── heap_bytes ────────┘
//! ```
//!
//! - `tags[i]` is the low byte of the member's 32-bit position hash: a lookup by
//!   member looks only at those with its tag. They come first, in the cache line of
//!   the header and those after it.
//! - `ends[i]` is the distance in bytes from the end of the buffer to the end of
//!   member `i`, 16 bits little-endian. So member `i` starts where member `i-1` ends, member 0 starts
//!   `heap_bytes` from the end, and an insertion leaves what lies after it untouched.
//! - `scores[i]` is a double, little-endian.
//! - The members lie in order at the end of the buffer, so that both halves grow into
//!   the gap.
//!
//! Invariants: entries ascend strictly by (score, member); a leaf with more than one
//! member has at most [`DATA_BYTES_MAX`] bytes of data (so that `ends` fit 16 bits);
//! a member too long for that is alone in its leaf.

use std::ops::Range;

use triomphe::{Arc, ThinArc};

use super::cut::Cut;
use crate::size_class::size_class;
use crate::table::prefetch_line;

/// Size of a full leaf's allocation, in bytes.
const ALLOCATION_BYTES_MAX: usize = 4096;
/// What precedes the data: refcount, header, capacity.
const PRELUDE_BYTES: usize = 8 + size_of::<Header>() + 8;
/// Most bytes of data in a leaf of several members.
pub(super) const DATA_BYTES_MAX: usize = ALLOCATION_BYTES_MAX - PRELUDE_BYTES;
/// A leaf with less data than this looks for a neighbour to merge with.
pub(super) const DATA_BYTES_MIN: usize = DATA_BYTES_MAX / 3;
/// Leaves up to this size have an allocation of their size class, larger ones one of
/// [`ALLOCATION_BYTES_MAX`]: a page, which leaves no holes when it is freed, as classes
/// between do when the leaves of a growing set pass through them in waves.
const GRADED_BYTES_MAX: usize = ALLOCATION_BYTES_MAX / 2;
/// Score, end and tag of one member.
const FIXED_BYTES: usize = 8 + 2 + 1;

/// Where fresh buffers are copied from: faster than filling byte by byte.
static ZEROS: [u8; ALLOCATION_BYTES_MAX] = [0; ALLOCATION_BYTES_MAX];

#[derive(Clone, Copy)]
struct Header {
    heap_bytes: usize,
    members: usize,
}

/// A shareable run of members. Cloning it shares it.
#[derive(Clone)]
pub(super) struct Leaf(ThinArc<Header, u8>);

impl Leaf {
    /// A leaf of one member.
    pub(super) fn with_entry(score: f64, member: &[u8], tag: u8) -> Self {
        let mut leaf = Self::empty(FIXED_BYTES + member.len());
        leaf.insert(0, score, member, tag);
        leaf
    }

    /// An empty leaf with room for all that a leaf may hold, or for one member that
    /// is longer than that.
    pub(super) fn with_full_room(member_bytes: usize) -> Self {
        Self::empty(DATA_BYTES_MAX.max(FIXED_BYTES + member_bytes))
    }

    /// An empty leaf with room for `data_bytes`, rounded up to a size class.
    fn empty(data_bytes: usize) -> Self {
        let capacity = allocation_for(data_bytes) - PRELUDE_BYTES;
        let header = Header {
            heap_bytes: 0,
            members: 0,
        };
        let zeros = ZEROS.get(..capacity);
        Self(match zeros {
            Some(zeros) => ThinArc::from_header_and_slice(header, zeros),
            None => ThinArc::from_header_and_slice(header, &vec![0; capacity]),
        })
    }

    /// Copies runs of entries, which must be in order, into one new leaf with room
    /// for `spare_bytes` more.
    fn gather(pieces: &[(&Leaf, Range<usize>)], spare_bytes: usize) -> Self {
        let members: usize = pieces.iter().map(|(_, run)| run.len()).sum();
        let heap_bytes: usize = pieces
            .iter()
            .map(|(leaf, run)| leaf.heap_bytes_of(run))
            .sum();
        let mut new = Self::empty(members * FIXED_BYTES + heap_bytes + spare_bytes);
        new.edit(|header, data| {
            header.members = members;
            header.heap_bytes = heap_bytes;
            let capacity = data.len();
            let mut at = 0;
            // Distance from the buffer's end to the end of the current piece.
            let mut piece_start = heap_bytes;
            for (leaf, run) in pieces {
                let bytes = leaf.heap_bytes_of(run);
                let piece_end = piece_start - bytes;
                data[capacity - piece_start..capacity - piece_end]
                    .copy_from_slice(leaf.heap_of(run));
                data[members * 3 + at * 8..][..run.len() * 8]
                    .copy_from_slice(leaf.scores()[run.clone()].as_flattened());
                data[at..at + run.len()].copy_from_slice(&leaf.tags()[run.clone()]);
                let source_end = leaf.boundary(run.end);
                let (ends, _) = data[members + at * 2..][..run.len() * 2].as_chunks_mut();
                for (end, source) in ends.iter_mut().zip(&leaf.ends()[run.clone()]) {
                    let distance = usize::from(u16::from_le_bytes(*source)) - source_end;
                    *end = ((distance + piece_end) as u16).to_le_bytes();
                }
                at += run.len();
                piece_start = piece_end;
            }
        });
        new
    }

    /// Number of members.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.header.header.members
    }

    /// Size of the allocation, in bytes.
    pub(super) fn allocation_bytes(&self) -> usize {
        PRELUDE_BYTES + self.capacity()
    }

    /// Bytes in use, without the gap.
    #[inline]
    pub(super) fn data_bytes(&self) -> usize {
        self.len() * FIXED_BYTES + self.heap_bytes()
    }

    /// Whether a member of `member_bytes` may join this leaf.
    #[inline]
    pub(super) fn fits(&self, member_bytes: usize) -> bool {
        self.len() == 0 || self.data_bytes() + FIXED_BYTES + member_bytes <= DATA_BYTES_MAX
    }

    /// What an entry with a member of this length takes.
    pub(super) fn entry_bytes(member_bytes: usize) -> usize {
        FIXED_BYTES + member_bytes
    }

    /// Whether there are entries, and room for one of `entry_bytes` more.
    pub(super) fn is_usable(&self, entry_bytes: usize) -> bool {
        self.len() > 0 && self.data_bytes() + entry_bytes <= DATA_BYTES_MAX
    }

    /// Whether this leaf holds one member that is too long for a leaf of several.
    pub(super) fn is_oversized(&self) -> bool {
        self.data_bytes() > DATA_BYTES_MAX
    }

    /// How much data may join this leaf.
    pub(super) fn room_bytes(&self) -> usize {
        DATA_BYTES_MAX.saturating_sub(self.data_bytes())
    }

    /// Whether a member of this length is better kept alone than split around.
    pub(super) fn is_bulky(member_bytes: usize) -> bool {
        FIXED_BYTES + member_bytes > DATA_BYTES_MAX / 2
    }

    /// The score of entry `i`.
    #[inline]
    pub(super) fn score(&self, i: usize) -> f64 {
        f64::from_le_bytes(self.scores()[i])
    }

    /// The member of entry `i`.
    #[inline]
    pub(super) fn member(&self, i: usize) -> &[u8] {
        self.heap_of(&(i..i + 1))
    }

    /// The entry `i`.
    #[inline]
    pub(super) fn entry(&self, i: usize) -> (&[u8], f64) {
        (self.member(i), self.score(i))
    }

    /// Begins to load what a lookup by member reads: header, tags, ends. They lie in
    /// lines that would else be waited for one after the other.
    #[inline]
    pub(super) fn prefetch_lookup(&self) {
        self.prefetch_lines(6);
    }

    /// Begins to load what an insertion reads and moves: all but the members.
    #[inline]
    pub(super) fn prefetch_insertion(&self) {
        self.prefetch_lines(20);
    }

    #[inline]
    fn prefetch_lines(&self, lines: usize) {
        let start = self.0.heap_ptr().cast::<u8>();
        for line in 0..lines {
            prefetch_line(start.wrapping_add(line * 64));
        }
    }

    /// Where `member` is in this leaf.
    #[inline]
    pub(super) fn position(&self, tag: u8, member: &[u8]) -> Option<usize> {
        self.tagged(tag).find(|&i| self.member(i) == member)
    }

    /// The entries with this tag.
    #[inline]
    pub(super) fn tagged(&self, tag: u8) -> impl Iterator<Item = usize> {
        memchr::memchr_iter(tag, self.tags())
    }

    /// The number of entries that lie before the cut.
    #[inline]
    pub(super) fn partition(&self, cut: &impl Cut) -> usize {
        let scores = self.scores();
        let mut low = 0;
        let mut high = scores.len();
        while low < high {
            let middle = low.midpoint(high);
            if cut.follows(f64::from_le_bytes(scores[middle]), || self.member(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Inserts an entry at `i`. The caller has checked that it belongs there and
    /// [`fits`](Self::fits).
    pub(super) fn insert(&mut self, i: usize, score: f64, member: &[u8], tag: u8) {
        self.own_with_room(FIXED_BYTES + member.len());
        let boundary = self.boundary(i);
        self.edit(|header, data| {
            let (n, heap) = (header.members, header.heap_bytes);
            let capacity = data.len();
            let from = capacity - heap;
            data.copy_within(from..capacity - boundary, from - member.len());
            data[capacity - boundary - member.len()..capacity - boundary].copy_from_slice(member);
            data.copy_within(3 * n + 8 * i..11 * n, 3 * n + 8 * i + 11);
            data.copy_within(3 * n..3 * n + 8 * i, 3 * n + 3);
            data.copy_within(n + 2 * i..3 * n, n + 2 * i + 3);
            data.copy_within(n..n + 2 * i, n + 1);
            data.copy_within(i..n, i + 1);
            data[i] = tag;
            data[3 * (n + 1) + 8 * i..][..8].copy_from_slice(&score.to_le_bytes());
            let ends = &mut data[n + 1..];
            ends[2 * i..2 * i + 2].copy_from_slice(&(boundary as u16).to_le_bytes());
            shift_ends(&mut ends[..2 * i], member.len() as u16);
            header.members += 1;
            header.heap_bytes += member.len();
        });
    }

    /// Changes the score of entry `from` and moves it to where it belongs: to `to`,
    /// counted without the entry itself.
    pub(super) fn rescore(&mut self, from: usize, to: usize, score: f64) {
        self.own_with_room(0);
        let (low, high) = (from.min(to), from.max(to));
        let moved = self.heap_bytes_of(&(from..from + 1));
        let (heap_start, heap_end) = (self.boundary(low), self.boundary(high + 1));
        self.edit(|header, data| {
            let n = header.members;
            data[3 * n + 8 * from..][..8].copy_from_slice(&score.to_le_bytes());
            if from == to {
                return;
            }
            let capacity = data.len();
            rotate(&mut data[low..high + 1], 1, from < to);
            let scores = &mut data[3 * n + 8 * low..3 * n + 8 * (high + 1)];
            rotate(scores, 8, from < to);
            rotate(
                &mut data[capacity - heap_start..capacity - heap_end],
                moved,
                from < to,
            );
            let ends = &mut data[n + 2 * low..n + 2 * (high + 1)];
            rotate(ends, 2, from < to);
            if from < to {
                let (others, own) = ends.split_at_mut(2 * (high - low));
                shift_ends(others, moved as u16);
                own.copy_from_slice(&(heap_end as u16).to_le_bytes());
            } else {
                let (own, others) = ends.split_at_mut(2);
                shift_ends(others, (moved as u16).wrapping_neg());
                own.copy_from_slice(&((heap_start - moved) as u16).to_le_bytes());
            }
        });
    }

    /// Removes the entries of `run`, and gives memory back when much is unused.
    pub(super) fn remove(&mut self, run: Range<usize>) {
        let left = self.data_bytes() - run.len() * FIXED_BYTES - self.heap_bytes_of(&run);
        let shrunk = allocation_for(left);
        if !self.0.with_arc(Arc::is_unique) || shrunk * 8 <= self.allocation_bytes() * 5 {
            *self = Self::gather(&[(self, 0..run.start), (self, run.end..self.len())], 0);
            return;
        }
        let boundary = self.boundary(run.start);
        let removed = self.heap_bytes_of(&run);
        self.edit(|header, data| {
            let n = header.members;
            let kept = n - run.len();
            let from = data.len() - header.heap_bytes;
            data.copy_within(from..data.len() - boundary, from + removed);
            let distance = (removed as u16).wrapping_neg();
            shift_ends(&mut data[n..n + 2 * run.start], distance);
            data.copy_within(run.end..n, run.start);
            data.copy_within(n..n + 2 * run.start, kept);
            data.copy_within(n + 2 * run.end..3 * n, kept + 2 * run.start);
            data.copy_within(3 * n..3 * n + 8 * run.start, 3 * kept);
            data.copy_within(3 * n + 8 * run.end..11 * n, 3 * kept + 8 * run.start);
            header.members = kept;
            header.heap_bytes -= removed;
        });
    }

    /// Divides the entries into those before `i` and the rest.
    pub(super) fn split(&self, i: usize) -> (Leaf, Leaf) {
        (
            Self::gather(&[(self, 0..i)], 0),
            Self::gather(&[(self, i..self.len())], 0),
        )
    }

    /// One leaf with the entries of both; `right`'s must all follow `left`'s.
    pub(super) fn merged(left: &Leaf, right: &Leaf) -> Leaf {
        Self::gather(&[(left, 0..left.len()), (right, 0..right.len())], 0)
    }

    /// Two leaves with the entries of both, of about equal size, and where that
    /// divides: before which entry of `left`, or of `right` counted on from there.
    pub(super) fn evened(left: &Leaf, right: &Leaf) -> (Leaf, Leaf, usize) {
        let half = (left.data_bytes() + right.data_bytes()) / 2;
        let n = left.len();
        if half < left.data_bytes() {
            let at = left.prefix(half);
            let second = Self::gather(&[(left, at..n), (right, 0..right.len())], 0);
            (Self::gather(&[(left, 0..at)], 0), second, at)
        } else {
            let at = right.prefix(half - left.data_bytes());
            let first = Self::gather(&[(left, 0..n), (right, 0..at)], 0);
            let second = Self::gather(&[(right, at..right.len())], 0);
            (first, second, n + at)
        }
    }

    /// Three leaves of about equal size with the entries of two full ones: the first
    /// and the last hold what remains of each, the middle one what each gives.
    pub(super) fn split_in_three(left: &Leaf, right: &Leaf) -> [Leaf; 3] {
        let third = (left.data_bytes() + right.data_bytes()) / 3;
        let from = left.prefix(third);
        let to = right.prefix((2 * third).saturating_sub(left.data_bytes()));
        [
            Self::gather(&[(left, 0..from)], 0),
            Self::gather(&[(left, from..left.len()), (right, 0..to)], 0),
            Self::gather(&[(right, to..right.len())], 0),
        ]
    }

    /// The entry at which the data divides into two halves of about equal size;
    /// neither is empty when there are two entries or more.
    pub(super) fn middle(&self) -> usize {
        let last = self.len().saturating_sub(1).max(1);
        self.prefix(self.data_bytes() / 2).clamp(1, last)
    }

    /// The least number of entries that take `data_bytes` or more.
    fn prefix(&self, data_bytes: usize) -> usize {
        let taken = |i: usize| i * FIXED_BYTES + (self.heap_bytes() - self.boundary(i));
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if taken(middle) < data_bytes {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Makes the buffer exactly as large as its class needs to be: for leaves that
    /// are expected to stay as they are.
    pub(super) fn shrink(&mut self) {
        if allocation_for(self.data_bytes()) < self.allocation_bytes() {
            *self = Self::gather(&[(self, 0..self.len())], 0);
        }
    }

    /// Makes the leaf this owner's own, with at least `spare_bytes` of gap.
    fn own_with_room(&mut self, spare_bytes: usize) {
        let enough = self.capacity() - self.data_bytes() >= spare_bytes;
        if !enough || !self.0.with_arc(Arc::is_unique) {
            *self = Self::gather(&[(self, 0..self.len())], spare_bytes);
        }
    }

    /// Changes header and buffer in place. The leaf must not be shared.
    #[inline]
    fn edit<R>(&mut self, change: impl FnOnce(&mut Header, &mut [u8]) -> R) -> R {
        self.0.with_arc_mut(|shared| {
            let own = Arc::get_mut(shared).expect("a leaf is its owner's before it is changed");
            let mut header = *own.header();
            let result = change(&mut header, own.slice_mut());
            *own.header_mut() = header;
            result
        })
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.0.slice.len()
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        self.0.header.header.heap_bytes
    }

    #[inline]
    fn scores(&self) -> &[[u8; 8]] {
        let n = self.len();
        self.0.slice[3 * n..11 * n].as_chunks().0
    }

    #[inline]
    fn ends(&self) -> &[[u8; 2]] {
        let n = self.len();
        self.0.slice[n..3 * n].as_chunks().0
    }

    #[inline]
    fn tags(&self) -> &[u8] {
        &self.0.slice[..self.len()]
    }

    /// Distance from the end of the buffer to the start of member `i`, which is the
    /// end of the one before it.
    #[inline]
    fn boundary(&self, i: usize) -> usize {
        match i.checked_sub(1) {
            None => self.heap_bytes(),
            Some(before) => usize::from(u16::from_le_bytes(self.ends()[before])),
        }
    }

    #[inline]
    fn heap_of(&self, run: &Range<usize>) -> &[u8] {
        let capacity = self.capacity();
        &self.0.slice[capacity - self.boundary(run.start)..capacity - self.boundary(run.end)]
    }

    #[inline]
    fn heap_bytes_of(&self, run: &Range<usize>) -> usize {
        self.boundary(run.start) - self.boundary(run.end)
    }
}

/// The size of the allocation for a leaf with this much data.
fn allocation_for(data_bytes: usize) -> usize {
    let bytes = data_bytes + PRELUDE_BYTES;
    if bytes > GRADED_BYTES_MAX && bytes <= ALLOCATION_BYTES_MAX {
        ALLOCATION_BYTES_MAX
    } else {
        size_class(bytes)
    }
}

/// Adds `distance` (modulo 2^16, so that a negative one subtracts) to each end.
#[inline]
fn shift_ends(ends: &mut [u8], distance: u16) {
    for end in ends.as_chunks_mut().0 {
        *end = u16::from_le_bytes(*end)
            .wrapping_add(distance)
            .to_le_bytes();
    }
}

/// Moves the first `width` bytes of `run` to its end, or the last to its start.
#[inline]
fn rotate(run: &mut [u8], width: usize, forward: bool) {
    if forward {
        run.rotate_left(width);
    } else {
        run.rotate_right(width);
    }
}
