//! A sorted set as it was at one moment: what long replies are made from.

use std::ops::Range;

use ochre_structures::listpack::Listpack;
use ochre_structures::sorted_set::{FrozenMembers, FrozenSortedSet};

use super::{Members, SortedSetRef};

/// A sorted set that never changes again.
pub enum Frozen {
    /// A copy of a listpack.
    Packed(Box<[u8]>),
    /// A large one; shares its nodes with the set it came from.
    Tree(FrozenSortedSet),
}

impl Frozen {
    /// Number of members.
    pub fn len(&self) -> usize {
        match self {
            Self::Packed(bytes) => SortedSetRef::Packed(Listpack(bytes)).len(),
            Self::Tree(set) => set.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The members of a run of ranks, cut to those that exist; reversible.
    pub fn by_rank(&self, ranks: Range<usize>) -> Members<'_> {
        match self {
            Self::Packed(bytes) => SortedSetRef::Packed(Listpack(bytes)).by_rank(ranks),
            Self::Tree(set) => Members::Tree(set.by_rank(ranks)),
        }
    }

    /// Empties the set and gives up a part of what it holds, some tens of microseconds'
    /// worth of it; true when nothing is left. It matters when the set it came from is gone.
    pub fn drop_some(&mut self) -> bool {
        /// Of 128 KB each.
        const CHUNKS: usize = 8;
        match self {
            Self::Packed(bytes) => {
                *bytes = Box::new([]);
                true
            }
            Self::Tree(set) => (0..CHUNKS).any(|_| set.drop_some()),
        }
    }
}

/// The members of a sorted set as they were at one moment, to be looked up.
pub enum FrozenScores {
    /// A copy of a listpack.
    Packed(Box<[u8]>),
    /// Those of a large one, which shares its nodes.
    Tree(FrozenMembers),
}

impl FrozenScores {
    /// The score of a member. O(1); of a packed set O(n).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Packed(bytes) => SortedSetRef::Packed(Listpack(bytes)).score(member),
            Self::Tree(members) => members.score(member),
        }
    }
}
