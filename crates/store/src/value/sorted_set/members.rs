//! Walking over the members of either form, from either end.

use std::ops::Range;

use ochre_structures::listpack::{Element, Iter};
use ochre_structures::sorted_set;

use super::{SortedSetRef, packed};

/// Members with their scores, ascending; reverse it for descending order.
#[derive(Clone)]
pub enum Members<'a> {
    /// The elements of a listpack, and how many members are left to give.
    Packed { elements: Iter<'a>, left: usize },
    /// The members of a tree.
    Tree(sorted_set::Members<'a>),
}

impl<'a> Members<'a> {
    pub(super) fn new(set: SortedSetRef<'a>, ranks: Range<usize>) -> Self {
        match set {
            SortedSetRef::Tree(tree) => Self::Tree(tree.by_rank(ranks)),
            SortedSetRef::Packed(pack) => {
                let len = pack.len() / 2;
                let end = ranks.end.min(len);
                let start = ranks.start.min(end);
                let mut elements = pack.iter();
                if start > 0 {
                    elements.nth(start * 2 - 1);
                }
                if end < len {
                    elements.nth_back((len - end) * 2 - 1);
                }
                Self::Packed {
                    elements,
                    left: end - start,
                }
            }
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Packed { elements, left } => {
                *left = left.checked_sub(1)?;
                let member = elements.next()?;
                Some((member, packed::score_of(elements.next()?)))
            }
            Self::Tree(members) => {
                let (member, score) = members.next()?;
                Some((Element::Str(member), score))
            }
        }
    }

    fn nth(&mut self, skipped: usize) -> Option<Self::Item> {
        match self {
            Self::Packed { .. } => {
                for _ in 0..skipped {
                    self.next()?;
                }
                self.next()
            }
            Self::Tree(members) => {
                let (member, score) = members.nth(skipped)?;
                Some((Element::Str(member), score))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Packed { left, .. } => (*left, Some(*left)),
            Self::Tree(members) => members.size_hint(),
        }
    }
}

impl DoubleEndedIterator for Members<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Packed { elements, left } => {
                *left = left.checked_sub(1)?;
                let score = packed::score_of(elements.next_back()?);
                Some((elements.next_back()?, score))
            }
            Self::Tree(members) => {
                let (member, score) = members.next_back()?;
                Some((Element::Str(member), score))
            }
        }
    }

    fn nth_back(&mut self, skipped: usize) -> Option<Self::Item> {
        match self {
            Self::Packed { .. } => {
                for _ in 0..skipped {
                    self.next_back()?;
                }
                self.next_back()
            }
            Self::Tree(members) => {
                let (member, score) = members.nth_back(skipped)?;
                Some((Element::Str(member), score))
            }
        }
    }
}

impl ExactSizeIterator for Members<'_> {}
