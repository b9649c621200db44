//! Finding, placing and removing within one segment.
//!
//! An element is placed in the first bucket with a free slot from its home on, going
//! round at the segment's end. Every bucket it was pushed past notes that in its
//! overflow filter, so a search may stop at the first bucket past which nothing of the
//! kind was pushed.

use std::num::NonZeroU8;

use super::Slot;
use super::bucket::Bucket;
use super::geometry::home_bucket;
use super::segment::{Segment, SegmentMut, SegmentRef};

/// Where an element stands in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: usize,
    pub(super) slot: usize,
}

/// The buckets from `home` on, each once.
#[inline]
fn run<S>(buckets: &[Bucket<S>], home: usize) -> impl Iterator<Item = (usize, &Bucket<S>)> {
    let mut next = home;
    let mut left = buckets.len();
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let index = next;
        next = if index + 1 == buckets.len() {
            0
        } else {
            index + 1
        };
        Some((index, &buckets[index]))
    })
}

/// The element at `position` with this tag for which `equal` holds.
#[inline]
pub(super) fn find<'a, S>(
    segment: SegmentRef<'a, S>,
    position: u32,
    tag: NonZeroU8,
    mut equal: impl FnMut(&S) -> bool,
) -> Option<(Place, &'a S)> {
    let buckets = segment.buckets();
    let home = segment.home(position);
    let bucket = &buckets[home];
    if let Some((slot, element)) = bucket.find(tag, &mut equal) {
        return Some((Place { bucket: home, slot }, element));
    }
    if bucket.overflows(tag) {
        find_past(buckets, home, tag, &mut equal)
    } else {
        None
    }
}

/// Goes on with [`find`] after the home bucket. Apart, so that what nearly every search
/// runs is short and straight.
#[inline(never)]
fn find_past<'a, S>(
    buckets: &'a [Bucket<S>],
    home: usize,
    tag: NonZeroU8,
    equal: &mut impl FnMut(&S) -> bool,
) -> Option<(Place, &'a S)> {
    for (index, bucket) in run(buckets, home).skip(1) {
        if let Some((slot, element)) = bucket.find(tag, equal) {
            return Some((
                Place {
                    bucket: index,
                    slot,
                },
                element,
            ));
        }
        if !bucket.overflows(tag) {
            break;
        }
    }
    None
}

/// Calls `visit` for each element that a search would compare.
pub(super) fn candidates<S>(
    segment: SegmentRef<'_, S>,
    position: u32,
    tag: NonZeroU8,
    mut visit: impl FnMut(&S),
) {
    // Answering "never equal" walks the whole run.
    find(segment, position, tag, |element| {
        visit(element);
        false
    });
}

/// Calls `visit` for each element whose home is the bucket `home`, with its position.
pub(super) fn visit_home<S: Slot>(
    segment: SegmentRef<'_, S>,
    home: usize,
    mut visit: impl FnMut(u32, &S),
) {
    for (_, bucket) in run(segment.buckets(), home) {
        for element in bucket.elements() {
            let position = element.position();
            if segment.home(position) == home {
                visit(position, element);
            }
        }
        if !bucket.overflows_any() {
            break;
        }
    }
}

/// Places an element. The segment has room.
#[inline]
pub(super) fn insert<S>(
    segment: &mut SegmentMut<'_, S>,
    position: u32,
    tag: NonZeroU8,
    element: S,
) -> Place {
    let home = segment.as_ref().home(position);
    let len = segment.as_ref().len();
    let place = insert_at(segment.buckets_mut(), home, tag, element);
    segment.set_len(len + 1);
    place
}

#[inline]
fn insert_at<S>(buckets: &mut [Bucket<S>], home: usize, tag: NonZeroU8, element: S) -> Place {
    let mut index = home;
    loop {
        if let Some(slot) = buckets[index].first_free() {
            buckets[index].put(slot, tag, element);
            return Place {
                bucket: index,
                slot,
            };
        }
        buckets[index].mark_overflow(tag);
        index = if index + 1 == buckets.len() {
            0
        } else {
            index + 1
        };
        assert!(
            index != home,
            "an element is placed only where there is room"
        );
    }
}

/// Takes out the element at `place`, whose position is `position`.
#[inline]
pub(super) fn remove<S>(segment: &mut SegmentMut<'_, S>, position: u32, place: Place) -> Option<S> {
    let len = segment.as_ref().len();
    let (_, element) = segment
        .buckets_mut()
        .get_mut(place.bucket)?
        .take(place.slot)?;
    segment.set_len(len - 1);
    if segment.as_ref().home(position) != place.bucket {
        segment.count_stale();
    }
    Some(element)
}

/// The positions of the segment's elements, bucket by bucket, slot by slot; or other
/// positions that are as good: those for which `same` holds between the lowest and the
/// highest that an element may have, by the bits its slot holds.
///
/// This is the part of moving a segment that runs the slots' own code, and may panic;
/// nothing has changed by then.
pub(super) fn positions<S: Slot>(
    segment: SegmentRef<'_, S>,
    same: impl Fn(u32, u32) -> bool,
) -> Vec<u32> {
    /// Buckets: far enough ahead for a cache miss, near enough not to be evicted again.
    const AHEAD: usize = 2;
    let known = |element: &S| {
        let lowest = element.known_position();
        let highest = lowest | u32::MAX.checked_shr(S::KNOWN_BITS).unwrap_or(0);
        (S::KNOWN_BITS > 0 && same(lowest, highest)).then_some(lowest)
    };
    let prefetch = |bucket: &Bucket<S>| {
        for element in bucket.elements() {
            if known(element).is_none() {
                element.prefetch();
            }
        }
    };
    let buckets = segment.buckets();
    let mut positions = Vec::with_capacity(segment.len());
    buckets.iter().take(AHEAD).for_each(prefetch);
    for (index, bucket) in buckets.iter().enumerate() {
        buckets.get(index + AHEAD).into_iter().for_each(prefetch);
        for element in bucket.elements() {
            positions.push(known(element).unwrap_or_else(|| element.position()));
        }
    }
    positions
}

/// Moves all elements of `from`, whose [`positions`] were computed just before, to the
/// segments that `choose` names by position. They have room.
pub(super) fn scatter<S, const N: usize>(
    from: &mut SegmentMut<'_, S>,
    positions: &[u32],
    to: &mut [Segment<S>; N],
    choose: impl Fn(u32) -> usize,
) {
    let mut positions = positions.iter();
    let mut targets = to.each_mut().map(|target| {
        let (depth, len) = (target.as_ref().depth(), target.as_ref().len());
        let buckets: &mut [Bucket<S>] = if target.as_ref().is_vacant() {
            &mut []
        } else {
            target.as_mut().into_buckets()
        };
        (buckets, depth, len)
    });
    for bucket in from.buckets_mut() {
        for slot in bucket.occupied() {
            if let (Some((tag, element)), Some(&position)) = (bucket.take(slot), positions.next()) {
                let (buckets, depth, len) = &mut targets[choose(position)];
                let home = home_bucket(position, *depth, buckets.len());
                insert_at(buckets, home, tag, element);
                *len += 1;
            }
        }
    }
    let lens = targets.map(|(_, _, len)| len);
    for (target, len) in to.iter_mut().zip(lens) {
        if len > 0 {
            target.as_mut().set_len(len);
        }
    }
    from.set_len(0);
}
