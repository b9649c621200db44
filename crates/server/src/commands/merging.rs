//! Sorting in pieces: what comes is sorted in short runs as they fill, and leaves merged,
//! one element after the other. No step takes long, however many elements there are.
//!
//! ```text
//!   push  ──►  open run ──(full: sorted)──►  [3 5 9][1 4 8][2 6 7]  ──►  pop: 1 2 3 …
//!                                             heap of the runs' heads
//! ```
//!
//! Equal elements leave in the order in which they came. Every call must be given the
//! same order.

use std::cmp::Ordering;

/// Elements of a run: sorted in some tens of microseconds.
const RUN_LEN: usize = 1024;

/// Elements that are sorted in runs.
pub struct Runs<T> {
    runs: Vec<std::vec::IntoIter<T>>,
    open: Vec<T>,
    /// Runs that have elements left, by their heads, the next to leave first.
    heap: Vec<usize>,
    len: usize,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self {
            runs: Vec::new(),
            open: Vec::new(),
            heap: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Runs<T> {
    /// How many elements are there.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds an element. Not between pops.
    pub fn push(&mut self, element: T, compare: &impl Fn(&T, &T) -> Ordering) {
        self.open.push(element);
        self.len += 1;
        if self.open.len() == RUN_LEN {
            self.close(compare);
        }
    }

    fn close(&mut self, compare: &impl Fn(&T, &T) -> Ordering) {
        let mut run = std::mem::take(&mut self.open);
        run.sort_by(compare);
        self.runs.push(run.into_iter());
    }

    /// Takes out the first of those left. O(log runs), but for the first call, which is
    /// O(runs).
    pub fn pop(&mut self, compare: &impl Fn(&T, &T) -> Ordering) -> Option<T> {
        if !self.open.is_empty() {
            self.close(compare);
        }
        if self.heap.is_empty() {
            if self.len == 0 {
                return None;
            }
            self.heap = (0..self.runs.len()).collect();
            for place in (0..self.heap.len() / 2).rev() {
                self.sift_down(place, compare);
            }
        }
        let first = *self.heap.first()?;
        let element = self.runs[first].next()?;
        self.len -= 1;
        if self.runs[first].as_slice().is_empty() {
            self.runs[first] = Vec::new().into_iter();
            self.heap.swap_remove(0);
        }
        self.sift_down(0, compare);
        Some(element)
    }

    fn sift_down(&mut self, mut place: usize, compare: &impl Fn(&T, &T) -> Ordering) {
        loop {
            let children = [2 * place + 1, 2 * place + 2];
            let mut least = place;
            for child in children {
                if child < self.heap.len()
                    && self.precedes(self.heap[child], self.heap[least], compare)
                {
                    least = child;
                }
            }
            if least == place {
                return;
            }
            self.heap.swap(place, least);
            place = least;
        }
    }

    /// Whether the head of one run leaves before that of another.
    fn precedes(&self, one: usize, other: usize, compare: &impl Fn(&T, &T) -> Ordering) -> bool {
        let head = |run: usize| self.runs[run].as_slice().first();
        match (head(one), head(other)) {
            (Some(a), Some(b)) => compare(a, b).then(one.cmp(&other)).is_lt(),
            (a, _) => a.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
        #[test]
        fn runs_leave_as_a_stable_sort_has_them(
            keys in prop::collection::vec(0..200_u8, 0..9000),
            is_descending: bool,
        ) {
            let compare = |a: &(u8, usize), b: &(u8, usize)| {
                if is_descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) }
            };
            let mut expected: Vec<(u8, usize)> = keys.into_iter().zip(0..).collect();
            let mut runs = Runs::default();
            for &element in &expected {
                runs.push(element, &compare);
            }
            prop_assert_eq!(runs.len(), expected.len());
            expected.sort_by(compare);
            let popped: Vec<_> = std::iter::from_fn(|| runs.pop(&compare)).collect();
            prop_assert_eq!(popped, expected);
            prop_assert_eq!(runs.len(), 0);
        }
    }
}
