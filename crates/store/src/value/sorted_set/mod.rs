//! Sorted sets: a listpack within the entry while small, a tree behind a pointer when
//! not (`listpack` and `skiplist` of OBJECT ENCODING).
//!
//! ```text
//!   packed   member | score | member | score | …      ascending by (score, member)
//! ```
//!
//! A packed score is an integer where it is one, and else its shortest text (Redis
//! 7.2); whatever text is there is read. A sorted set converts to a tree when a member
//! is added that is too long or one too many (`zset-max-listpack-entries`,
//! `zset-max-listpack-value`), and never back; only results that are stored whole
//! ([`NewSortedSet`]) take the encoding that fits them.
//!
//! - `packed`: reading and editing the listpack; `members`: walking either form;
//!   `change`: adding and removing.
//!
//! Invariant: no sorted set is empty, but within a change that is not concluded.

mod change;
mod frozen;
mod members;
mod packed;

#[cfg(test)]
mod tests;

use std::ops::Range;

use ochre_structures::listpack::{Element, Listpack};
use ochre_structures::sorted_set::{FrozenSortedSet, LexBound, ScoreBound, SortedSet};

use crate::entry::{Entry, Value};
use crate::object::Object;
use crate::settings::Settings;
use crate::value::WrongType;

pub use change::{Limits, NewSortedSet, SortedSetMut, new_payload};
pub use frozen::{Frozen, FrozenScores};
pub use members::Members;

/// The end from which a range is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the least member up.
    Ascending,
    /// From the greatest member down.
    Descending,
}

/// A sorted set to look at.
#[derive(Debug, Clone, Copy)]
pub enum SortedSetRef<'a> {
    /// A listpack of members and scores in turn.
    Packed(Listpack<'a>),
    /// A large one.
    Tree(&'a SortedSet),
}

impl<'a> SortedSetRef<'a> {
    /// The sorted set of an entry.
    ///
    /// # Errors
    /// [`WrongType`] if its value is of another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Result<Self, WrongType> {
        match entry.value() {
            Value::PackedSortedSet(bytes) => Ok(Self::Packed(Listpack(bytes))),
            Value::Object(Object::SortedSet(set)) => Ok(Self::Tree(set)),
            _ => Err(WrongType),
        }
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Packed(pack) => pack.len() / 2,
            Self::Tree(set) => set.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of a member. O(1); of a packed set O(n).
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Packed(pack) => packed::find(*pack, member).map(|(_, score)| score),
            Self::Tree(set) => set.score(member),
        }
    }

    /// How many members come before this one, and its score. O(log n); of a packed set
    /// O(n).
    pub fn rank_and_score(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            Self::Packed(pack) => packed::rank_and_score(*pack, member),
            Self::Tree(set) => set.rank_and_score(member),
        }
    }

    /// The member of a rank, with its score. O(log n); of a packed set O(n).
    pub fn at(&self, rank: usize) -> Option<(Element<'a>, f64)> {
        self.by_rank(rank..rank + 1).next()
    }

    /// All members in order, with their scores.
    pub fn iter(&self) -> Members<'a> {
        self.by_rank(0..self.len())
    }

    /// The members of a run of ranks, cut to those that exist; reversible.
    pub fn by_rank(&self, ranks: Range<usize>) -> Members<'a> {
        Members::new(*self, ranks)
    }

    /// The ranks of the members whose score lies between two bounds. O(log n); of a
    /// packed set O(n).
    pub fn score_ranks(&self, min: ScoreBound, max: ScoreBound) -> Range<usize> {
        match self {
            Self::Packed(pack) => packed::score_ranks(*pack, min, max),
            Self::Tree(set) => sensible(set.score_ranks(min, max)),
        }
    }

    /// The ranks of the members that lie between two bounds. O(log n); of a packed set
    /// O(n). When scores are not all equal this is some run of ranks, which depends on
    /// the end from which they are looked for.
    pub fn lex_ranks(
        &self,
        min: LexBound<'_>,
        max: LexBound<'_>,
        direction: Direction,
    ) -> Range<usize> {
        match self {
            Self::Tree(set) if set.len() > MIXED_WALK_MAX || !is_mixed(set) => {
                sensible(set.lex_ranks(min, max))
            }
            // What Redis finds depends on where it starts: that is followed as long as it
            // is cheap.
            _ => packed::lex_ranks(self.iter(), min, max, direction),
        }
    }

    /// The set as it is now, to be read without a lock. Cheap for large ones; a packed
    /// one is copied.
    pub fn freeze(&self) -> Frozen {
        match self {
            Self::Packed(pack) => Frozen::packed(pack.0),
            Self::Tree(set) => Frozen::tree(set.freeze()),
        }
    }

    /// The members as they are now, to be looked up without a lock. Cheap for large sets; a
    /// packed one is copied.
    pub fn freeze_scores(&self) -> FrozenScores {
        match self {
            Self::Packed(pack) => FrozenScores::Packed(pack.0.into()),
            Self::Tree(set) => FrozenScores::Tree(set.freeze_members()),
        }
    }

    /// Visits members in hash order from `position` on, as
    /// [`SortedSet::scan`] does; a packed set is visited whole.
    pub fn scan(
        &self,
        position: u32,
        count: usize,
        mut visit: impl FnMut(Element<'_>, f64),
    ) -> Option<u32> {
        match self {
            Self::Packed(_) => {
                for (member, score) in self.iter() {
                    visit(member, score);
                }
                None
            }
            Self::Tree(set) => set.scan(position, count, |member, score| {
                visit(Element::Str(member), score);
            }),
        }
    }
}

/// Members up to which a range of members is looked for one by one where scores differ.
const MIXED_WALK_MAX: usize = 1_024;

/// Whether not all scores are equal.
fn is_mixed(set: &SortedSet) -> bool {
    set.first().map(|(_, score)| score) != set.last().map(|(_, score)| score)
}

/// A run of ranks that does not end before it starts.
fn sensible(ranks: Range<usize>) -> Range<usize> {
    ranks.start..ranks.end.max(ranks.start)
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self {
            entries_max: settings.zset_max_listpack_entries,
            member_bytes_max: settings.zset_max_listpack_value,
        }
    }
}

/// Whether a frozen tree is worth its trouble for this many members: below, a reply is
/// made at once.
pub const SLICED_MEMBERS_MIN: usize = 2_000;

impl Frozen {
    fn tree(set: FrozenSortedSet) -> Self {
        Self::Tree(set)
    }

    fn packed(bytes: &[u8]) -> Self {
        Self::Packed(bytes.into())
    }
}
