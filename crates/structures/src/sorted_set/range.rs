//! Walking over ranks, from either end.
//!
//! A walker holds a place in a leaf at each of its ends and goes down from the root
//! again only when that leaf is through, which costs little per member.
//!
//! Invariant: a place, where there is one, is the place of its end's next rank.

use std::iter::FusedIterator;

use super::leaf::Leaf;
use super::tree::Tree;

/// The members of a run of ranks with their scores, ascending; reverse it for
/// descending order. Skipping ahead (`nth`) costs O(log n).
#[derive(Clone)]
pub struct Members<'a> {
    tree: &'a Tree,
    next: usize,
    end: usize,
    front: Option<(&'a Leaf, usize)>,
    back: Option<(&'a Leaf, usize)>,
}

impl<'a> Members<'a> {
    /// Walks the ranks `range`, cut to those that exist.
    pub(super) fn new(tree: &'a Tree, range: std::ops::Range<usize>) -> Self {
        let end = range.end.min(tree.len);
        Self {
            tree,
            next: range.start.min(end),
            end,
            front: None,
            back: None,
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        let (leaf, position) = match self.front {
            Some((leaf, position)) if position < leaf.len() => (leaf, position),
            _ => self.tree.at_rank(self.next)?,
        };
        self.next += 1;
        self.front = Some((leaf, position + 1));
        Some(leaf.entry(position))
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        let skipped = n.min(self.end - self.next);
        self.next += skipped;
        self.front = self
            .front
            .and_then(|(leaf, position)| Some((leaf, position.checked_add(skipped)?)));
        if self
            .front
            .is_some_and(|(leaf, position)| position > leaf.len())
        {
            self.front = None;
        }
        self.next()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl DoubleEndedIterator for Members<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        let (leaf, position) = match self.back {
            Some((leaf, after)) if after > 0 => (leaf, after - 1),
            _ => self.tree.at_rank(self.end - 1)?,
        };
        self.end -= 1;
        self.back = Some((leaf, position));
        Some(leaf.entry(position))
    }

    fn nth_back(&mut self, n: usize) -> Option<Self::Item> {
        let skipped = n.min(self.end - self.next);
        self.end -= skipped;
        self.back = self
            .back
            .and_then(|(leaf, after)| Some((leaf, after.checked_sub(skipped)?)));
        self.next_back()
    }
}

impl ExactSizeIterator for Members<'_> {}
impl FusedIterator for Members<'_> {}
