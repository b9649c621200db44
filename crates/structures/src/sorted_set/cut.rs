//! Cuts: the places at which an ordered set can be divided in two.
//!
//! Every question about order ("where does this entry go", "how many scores are
//! below 3", "which member is the first from `b` on") is one cut: a test that is true
//! for all entries up to some rank and false for all after it. Cuts know no tree; the
//! tree finds the rank of a cut by binary search, in its inner nodes and in one leaf.

use std::cmp::Ordering;

/// One end of a range of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScoreBound {
    /// The score itself belongs to the range.
    Inclusive(f64),
    /// The range stops just short of the score (Redis writes `(1.5`).
    Exclusive(f64),
}

/// One end of a range of members, for sets whose scores are all equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before every member (Redis writes `-`).
    Min,
    /// After every member (Redis writes `+`).
    Max,
    /// The member itself belongs to the range (Redis writes `[member`).
    Inclusive(&'a [u8]),
    /// The range stops just short of the member (Redis writes `(member`).
    Exclusive(&'a [u8]),
}

/// Compares two entries by score, then by member bytes, as Redis orders a sorted set.
/// `-0.0` and `0.0` are equal scores.
pub(super) fn entry_order(left: (f64, &[u8]), right: (f64, &[u8])) -> Ordering {
    match left.0.partial_cmp(&right.0) {
        Some(Ordering::Less) => Ordering::Less,
        Some(Ordering::Greater) => Ordering::Greater,
        // No score is NaN; if one were, its members would still have some order.
        Some(Ordering::Equal) | None => left.1.cmp(right.1),
    }
}

/// A place between entries: everything that lies before it answers true.
pub(super) trait Cut {
    /// Whether only members count, so that an inner node's separator that holds just
    /// a score cannot answer.
    const NEEDS_MEMBER: bool;

    /// Whether an entry lies before the cut. The member is made only when asked for:
    /// most steps of a binary search are decided by the score.
    fn follows<'m>(&self, score: f64, member: impl FnOnce() -> &'m [u8]) -> bool;
}

/// Cuts just before one entry (or where it would be).
#[derive(Clone, Copy)]
pub(super) struct EntryCut<'a> {
    pub(super) score: f64,
    pub(super) member: &'a [u8],
}

impl Cut for EntryCut<'_> {
    const NEEDS_MEMBER: bool = false;

    #[inline]
    fn follows<'m>(&self, score: f64, member: impl FnOnce() -> &'m [u8]) -> bool {
        score < self.score || (score == self.score && member() < self.member)
    }
}

/// Cuts by score alone.
#[derive(Clone, Copy)]
pub(super) enum ScoreCut {
    /// Just before the first entry with this score.
    Before(f64),
    /// Just after the last entry with this score.
    After(f64),
}

impl ScoreCut {
    /// The cut at which a range with this lower end starts.
    pub(super) fn start(bound: ScoreBound) -> Self {
        match bound {
            ScoreBound::Inclusive(score) => ScoreCut::Before(score),
            ScoreBound::Exclusive(score) => ScoreCut::After(score),
        }
    }

    /// The cut at which a range with this upper end stops.
    pub(super) fn end(bound: ScoreBound) -> Self {
        match bound {
            ScoreBound::Inclusive(score) => ScoreCut::After(score),
            ScoreBound::Exclusive(score) => ScoreCut::Before(score),
        }
    }
}

impl Cut for ScoreCut {
    const NEEDS_MEMBER: bool = false;

    #[inline]
    fn follows<'m>(&self, score: f64, _member: impl FnOnce() -> &'m [u8]) -> bool {
        match *self {
            ScoreCut::Before(limit) => score < limit,
            ScoreCut::After(limit) => score <= limit,
        }
    }
}

/// Cuts by member alone.
#[derive(Clone, Copy)]
pub(super) enum LexCut<'a> {
    Before(&'a [u8]),
    After(&'a [u8]),
}

impl Cut for LexCut<'_> {
    const NEEDS_MEMBER: bool = true;

    #[inline]
    fn follows<'m>(&self, _score: f64, member: impl FnOnce() -> &'m [u8]) -> bool {
        match *self {
            LexCut::Before(limit) => member() < limit,
            LexCut::After(limit) => member() <= limit,
        }
    }
}
