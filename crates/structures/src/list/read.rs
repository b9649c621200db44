//! Reading a list: by index, along a range, by element.

use std::collections::vec_deque;
use std::ops::Range;

use super::node::{Container, Slot};
use super::{Element, List, Side};
use crate::listpack::{self, Listpack};

/// Which way to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the back.
    Forward,
    /// Towards the front.
    Backward,
}

/// The indices that a `start` and a `stop` of LRANGE or LTRIM select from a list of
/// `len` elements: both are included, count from the end if negative, and may lie
/// outside.
#[must_use]
pub fn resolve_range(start: i64, stop: i64, len: usize) -> Range<usize> {
    let signed_len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_front = |index: i64| {
        if index < 0 {
            index.saturating_add(signed_len)
        } else {
            index
        }
    };
    let start = from_front(start).max(0);
    let stop = from_front(stop).min(signed_len - 1);
    if start > stop {
        return 0..0;
    }
    // Both lie between 0 and `len` now.
    start as usize..stop as usize + 1
}

impl List {
    /// The element with this index; a negative one counts from the end. O(nodes) of
    /// the nearer half, and one node.
    #[must_use]
    pub fn get(&self, index: i64) -> Option<Element<'_>> {
        let (node, inside) = self.locate_signed(index)?;
        self.nodes[node].get(inside)
    }

    /// The element at an end. O(1).
    #[must_use]
    pub fn peek(&self, side: Side) -> Option<Element<'_>> {
        match side {
            Side::Front => self.nodes.front()?.get(0),
            Side::Back => {
                let slot = self.nodes.back()?;
                slot.get(slot.count().checked_sub(1)?)
            }
        }
    }

    pub(super) fn locate_signed(&self, index: i64) -> Option<(usize, usize)> {
        let distance = usize::try_from(index.unsigned_abs()).ok()?;
        self.locate(if index < 0 {
            self.len.checked_sub(distance)?
        } else {
            distance
        })
    }

    /// All elements, from the front.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0, Direction::Forward)
    }

    /// The elements from this index on (included) in this direction; none if the list
    /// is not that long. To start is O(nodes) of the nearer half, and one node.
    #[must_use]
    pub fn iter_from(&self, index: usize, direction: Direction) -> Iter<'_> {
        let Some((node, inside)) = self.locate(index) else {
            return Iter {
                rest: Rest::Forward(vec_deque::Iter::default()),
                current: Elements::Plain(None),
            };
        };
        let current = elements(&self.nodes[node], inside, direction);
        let rest = match direction {
            Direction::Forward => Rest::Forward(self.nodes.range(node + 1..)),
            Direction::Backward => Rest::Backward(self.nodes.range(..node)),
        };
        Iter { rest, current }
    }

    /// The indices of elements equal to `element`, as LPOS finds them: from the
    /// `rank`-th match on, at most `count` of them (0: all), within the first
    /// `max_len` elements looked at (0: all). A negative rank looks from the back,
    /// a rank of 0 finds nothing. O(elements looked at).
    #[must_use]
    pub fn positions(&self, element: &[u8], rank: i64, count: usize, max_len: usize) -> Vec<usize> {
        let bounded = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        let Some(skipped) = rank
            .unsigned_abs()
            .checked_sub(1)
            .and_then(|skipped| usize::try_from(skipped).ok())
        else {
            return Vec::new();
        };
        let number = listpack::parse_integer(element);
        let is_match = |own: &Element<'_>| match *own {
            Element::Int(value) => number == Some(value),
            Element::Str(bytes) => bytes == element,
        };
        let (start, direction) = if rank > 0 {
            (0, Direction::Forward)
        } else {
            (self.len.saturating_sub(1), Direction::Backward)
        };
        self.iter_from(start, direction)
            .take(bounded(max_len))
            .enumerate()
            .filter(|(_, own)| is_match(own))
            .skip(skipped)
            .take(bounded(count))
            .map(|(step, _)| match direction {
                Direction::Forward => step,
                Direction::Backward => start - step,
            })
            .collect()
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Walks a list from one element on.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    /// The nodes not begun yet.
    rest: Rest<'a>,
    current: Elements<'a>,
}

#[derive(Clone, Debug)]
enum Rest<'a> {
    Forward(vec_deque::Iter<'a, Slot>),
    Backward(vec_deque::Iter<'a, Slot>),
}

/// The elements of one node not visited yet.
#[derive(Clone, Debug)]
enum Elements<'a> {
    Forward(listpack::Entries<'a>),
    Backward(listpack::Entries<'a>),
    Plain(Option<&'a [u8]>),
}

/// The elements of a node from this index on.
fn elements(slot: &Slot, index: usize, direction: Direction) -> Elements<'_> {
    let node = slot.as_ref();
    if node.container == Container::Plain {
        return Elements::Plain((index == 0).then_some(node.bytes));
    }
    let pack = Listpack(node.bytes);
    match direction {
        Direction::Forward if index == 0 => Elements::Forward(pack.entries()),
        Direction::Forward => match pack.position(index as i64) {
            Some(position) => Elements::Forward(pack.entries_from(position)),
            None => Elements::Plain(None),
        },
        Direction::Backward => match pack.position(index as i64 + 1) {
            Some(position) => Elements::Backward(pack.entries_before(position)),
            None => Elements::Backward(pack.entries()),
        },
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let element = match &mut self.current {
                Elements::Forward(entries) => entries.next().map(|entry| entry.element),
                Elements::Backward(entries) => entries.next_back().map(|entry| entry.element),
                Elements::Plain(element) => element.take().map(Element::Str),
            };
            if element.is_some() {
                return element;
            }
            self.current = match &mut self.rest {
                Rest::Forward(nodes) => elements(nodes.next()?, 0, Direction::Forward),
                Rest::Backward(nodes) => {
                    let slot = nodes.next_back()?;
                    elements(slot, slot.count().saturating_sub(1), Direction::Backward)
                }
            };
        }
    }
}
