//! The arithmetic of the table: what the bits of a hash mean, which segment sizes
//! exist, when they are full or too empty. No memory is touched here.
//!
//! ```text
//! hash      63 ........ 32 31 .... 8 7 ... 0
//!           position       (others')  tag
//!
//! position  31 ... | ......... 0        depth bits pick the segment,
//!           depth    the rest           the rest picks the home bucket
//! ```
//!
//! The home bucket is `rest * buckets / 2^(32 - depth)`: it rises with the position
//! whatever the number of buckets, so that the table is ordered by position down to
//! the bucket at every size, and bucket counts need not be powers of two.

use std::num::NonZeroU8;

/// Slots of a bucket.
pub(super) const SLOTS: usize = 7;

/// Bytes of a bucket, of a segment's header, and their alignment: a cache line.
pub(super) const LINE_BYTES: usize = 64;

/// A segment of this many buckets (24 KB with its header) splits instead of growing.
pub(super) const SPLIT_BUCKETS: usize = 6 * PAGE_BYTES / LINE_BYTES - 1;

/// What the system gives and takes memory by.
const PAGE_BYTES: usize = 4096;

/// No segment is deeper. Far above what memory can fill; it keeps shifts in range
/// and leaves room for flags in a segment's handle.
pub(super) const MAX_DEPTH: u32 = 28;

/// The top 32 bits of a hash: where in the table's order the element stands.
#[inline]
pub(super) fn position_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The low byte of a hash, made distinct from "empty".
#[inline]
pub(super) fn tag_of(hash: u64) -> NonZeroU8 {
    NonZeroU8::new(hash as u8).unwrap_or(NonZeroU8::MIN)
}

/// The bucket of `buckets` in a segment of `depth` where `position` belongs.
#[inline]
pub(super) fn home_bucket(position: u32, depth: u32, buckets: usize) -> usize {
    ((u64::from(position << depth) * buckets as u64) >> 32) as usize
}

/// The number of positions that a segment of `depth` covers.
#[inline]
pub(super) fn segment_span(depth: u32) -> u64 {
    1 << (32 - depth)
}

/// The first position that the segment of `depth` around `position` covers.
#[inline]
pub(super) fn segment_start(position: u32, depth: u32) -> u32 {
    (u64::from(position) & !(segment_span(depth) - 1)) as u32
}

/// The first position after those that share their home bucket with `position`;
/// 2^32 after the last bucket of the table.
pub(super) fn end_of_home(position: u32, depth: u32, buckets: usize) -> u64 {
    let after = home_bucket(position, depth, buckets) as u64 + 1;
    u64::from(segment_start(position, depth))
        + (after * segment_span(depth)).div_ceil(buckets as u64)
}

/// The number of elements at which a segment is full: 7/8 of its slots, or all
/// seven of a single bucket.
#[inline]
pub(super) fn full_at(buckets: usize) -> usize {
    if buckets == 1 {
        SLOTS
    } else {
        buckets * SLOTS * 7 / 8
    }
}

/// A segment with fewer elements is shrunk or merged: 3/10 of its slots.
#[inline]
pub(super) fn sparse_below(buckets: usize) -> usize {
    if buckets == 1 {
        1
    } else {
        buckets * SLOTS * 3 / 10
    }
}

/// The smallest bucket count that exists for segments of `depth` and takes `elements`.
pub(super) fn buckets_for(elements: usize, depth: u32) -> usize {
    let buckets = if elements <= SLOTS {
        1
    } else {
        let mut buckets = (elements * 8).div_ceil(SLOTS * 7);
        if full_at(buckets) < elements {
            buckets += 1;
        }
        buckets
    };
    allocation_class((buckets + 1) * LINE_BYTES, depth) / LINE_BYTES - 1
}

/// Rounds up to a size that jemalloc hands out without waste and that is a multiple of a
/// cache line.
///
/// The only segment of a table grows finely: in steps of 64 to 512, then four steps to
/// each doubling. The many segments of a large one grow by whole pages. As hashes spread
/// evenly, all of them come to the end of a size at about the same time; where several
/// share the allocator's runs of pages, the ones that are left keep the places of those
/// that have gone from being given back. Measured on a set of 1M members: 5.3 bytes a
/// member, where the whole table takes 12.
fn allocation_class(bytes: usize, depth: u32) -> usize {
    let step = if depth > 0 {
        PAGE_BYTES
    } else if bytes <= 512 {
        LINE_BYTES
    } else {
        (1 << (bytes - 1).ilog2()) / 4
    };
    bytes.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn segment_sizes_are_allocation_classes() {
        let sizes = |depth| {
            let mut sizes: Vec<usize> = (1..=full_at(SPLIT_BUCKETS))
                .map(|elements| (buckets_for(elements, depth) + 1) * LINE_BYTES)
                .collect();
            sizes.dedup();
            sizes
        };
        assert_eq!(
            sizes(0),
            [
                128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048,
                2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192, 10240, 12288, 14336, 16384, 20480,
                24576
            ]
        );
        assert_eq!(sizes(1), [4096, 8192, 12288, 16384, 20480, 24576]);
    }

    #[test]
    fn tags_are_never_the_empty_mark() {
        assert_eq!(tag_of(0x1200).get(), 1);
        assert_eq!(tag_of(0x12ff).get(), 255);
    }

    proptest! {
        #[test]
        fn sizes_take_what_they_are_asked_for(elements in 0_usize..100_000, depth in 0_u32..2) {
            let buckets = buckets_for(elements, depth);
            prop_assert!(full_at(buckets) >= elements);
            prop_assert!(full_at(buckets) < buckets * SLOTS || buckets == 1);
            prop_assert!(sparse_below(buckets) < full_at(buckets));
        }

        #[test]
        fn homes_are_ordered_and_end_where_the_next_begins(
            position: u32, depth in 0..=MAX_DEPTH, buckets in 1_usize..200,
        ) {
            let home = home_bucket(position, depth, buckets);
            prop_assert!(home < buckets);
            let end = end_of_home(position, depth, buckets);
            prop_assert!(end > u64::from(position));
            let last = u32::try_from(end - 1).unwrap();
            prop_assert_eq!(home_bucket(last, depth, buckets), home);
            prop_assert_eq!(segment_start(last, depth), segment_start(position, depth));
            if let Ok(next) = u32::try_from(end)
                && segment_start(next, depth) == segment_start(position, depth)
            {
                prop_assert!(home_bucket(next, depth, buckets) > home);
            }
        }
    }
}
