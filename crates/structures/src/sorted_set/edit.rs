//! How a sorted set changes shape: entries enter and leave, leaves split and merge.
//!
//! It answers no questions about order (`tree` does). Every leaf has its parent's
//! number beside it, so that a member found through the index is removed without a
//! search from the root, and every change of a leaf's members is told to the index.
//!
//! A full leaf first shares with a neighbour that has room; when both are full, the
//! two become three, so that leaves are more than four fifths full on average under
//! random insertion. Where a set is being appended to (or prepended to), a full leaf
//! stays full and a new one begins.

use std::ops::Range;

use smallvec::SmallVec;

use super::SortedSet;
use super::cut::EntryCut;
use super::index::{leaf_tag, position_of};
use super::inner::{FANOUT_MAX, FANOUT_MIN, Inner, Separator};
use super::leaf::{DATA_BYTES_MAX, DATA_BYTES_MIN, Leaf};
use super::tree::{Path, Step, Tree};
use crate::hash::hash_bytes;

/// A full leaf shares with a neighbour that has at least this much room; with less it
/// would soon be full again.
const SHARED_ROOM_MIN: usize = DATA_BYTES_MAX / 16;

/// Parents and free numbers: what only a set that changes needs.
#[derive(Default)]
pub(super) struct Links {
    /// By leaf number: the inner node above it. Without meaning for a root.
    leaf_parents: Vec<u32>,
    /// By inner number: the inner node above it. Without meaning for a root.
    inner_parents: Vec<u32>,
    free_leaves: Vec<u32>,
    free_inners: Vec<u32>,
    /// Bytes allocated for leaves.
    pub(super) leaf_bytes: usize,
}

impl Links {
    /// Makes the number of a leaf free, of which so many bytes were allocated.
    pub(super) fn release_leaf(&mut self, number: u32, bytes: usize) {
        self.leaf_bytes -= bytes;
        self.free_leaves.push(number);
    }

    /// Bytes allocated for the links themselves.
    pub(super) fn memory_bytes(&self) -> usize {
        let numbers = self.leaf_parents.capacity()
            + self.inner_parents.capacity()
            + self.free_leaves.capacity()
            + self.free_inners.capacity();
        numbers * size_of::<u32>()
    }
}

impl SortedSet {
    /// The way to a leaf from the root.
    pub(super) fn path_of_leaf(&self, leaf: u32) -> Path {
        let mut path = Path::new();
        let mut node = leaf;
        for height in 0..self.tree.height {
            let parents = match height {
                0 => &self.links.leaf_parents,
                _ => &self.links.inner_parents,
            };
            let inner = parents[node as usize];
            let child = self.tree.inner(inner).position(node);
            path.push(Step { inner, child });
            node = inner;
        }
        path.reverse();
        path
    }

    /// The rank of an entry of a leaf.
    pub(super) fn rank_in_leaf(&self, leaf: u32, position: usize) -> usize {
        let mut rank = position;
        let mut node = leaf;
        for height in 0..self.tree.height {
            let parents = match height {
                0 => &self.links.leaf_parents,
                _ => &self.links.inner_parents,
            };
            let parent = parents[node as usize];
            let inner = self.tree.inner(parent);
            rank += inner.members_before(inner.position(node));
            node = parent;
        }
        rank
    }

    /// Enters a new member where it belongs and returns its leaf. The index does not
    /// learn of it here.
    pub(super) fn place(&mut self, hash: u64, member: &[u8], score: f64) -> u32 {
        let tag = leaf_tag(position_of(hash));
        if self.tree.len == 0 {
            let leaf = self.add_leaf(Leaf::with_entry(score, member, tag));
            self.tree.root = leaf;
            self.tree.len = 1;
            return leaf;
        }
        let cut = EntryCut { score, member };
        loop {
            let (path, number) = self.tree.path_of_cut(&cut);
            let leaf = self.tree.leaf(number);
            leaf.prefetch_insertion();
            let position = leaf.partition(&cut);
            if leaf.fits(member.len()) {
                self.edit_leaf(number, |leaf| leaf.insert(position, score, member, tag));
                self.change_counts(&path, 1, 0);
                return number;
            }
            let alone = leaf.len() == 1 || Leaf::is_bulky(member.len());
            let new = || Leaf::with_entry(score, member, tag);
            if position == leaf.len() && (alone || self.tree.is_last(&path)) {
                let separator = Separator::between(leaf.entry(position - 1), (member, score));
                let (left, right) = (number, self.add_leaf(new()));
                self.change_counts(&path, 1, 0);
                self.link_split(&path, left, right, separator);
                return right;
            }
            if position == 0 && (alone || Tree::is_first(&path)) {
                let separator = Separator::between((member, score), leaf.entry(0));
                let (left, right) = (self.add_leaf(new()), number);
                self.change_counts(&path, 1, 0);
                self.link_split(&path, left, right, separator);
                return left;
            }
            let split_bulk = alone && position > 0 && position < leaf.len();
            if split_bulk {
                self.split_leaf(&path, number, position);
            } else {
                self.make_room(&path, number, Leaf::entry_bytes(member.len()));
            }
        }
    }

    /// Makes room in a full leaf: shares with a neighbour, or turns both into three.
    /// A leaf that cannot do either, having no neighbour or few and long members, is
    /// split.
    fn make_room(&mut self, path: &Path, number: u32, entry_bytes: usize) {
        let neighbour = path.last().and_then(|step| {
            let parent = self.tree.inner(step.inner);
            let neighbours = [step.child.checked_sub(1), Some(step.child + 1)];
            let neighbour = |child: usize| self.tree.leaf(parent.child(child));
            let room = |&child: &usize| neighbour(child).room_bytes();
            neighbours
                .into_iter()
                .flatten()
                .filter(|&child| child < parent.len() && !neighbour(child).is_oversized())
                .max_by_key(room)
                .map(|child| (step, child.min(step.child), room(&child)))
        });
        let made = neighbour.is_some_and(|(step, at, room)| {
            if room >= SHARED_ROOM_MIN.max(3 * entry_bytes) {
                self.even_out(step, at, entry_bytes)
            } else {
                self.split_in_three(path, at, entry_bytes)
            }
        });
        if !made {
            let middle = self.tree.leaf(number).middle();
            self.split_leaf(path, number, middle);
        }
    }

    /// Makes children `at` and `at + 1` of a node equally full. False, and nothing
    /// done, when that leaves no room for `entry_bytes` in each.
    fn even_out(&mut self, step: &Step, at: usize, entry_bytes: usize) -> bool {
        let parent = self.tree.inner(step.inner);
        let numbers = [parent.child(at), parent.child(at + 1)];
        let [left, right] = numbers.map(|number| self.tree.leaf(number));
        let kept = left.len();
        let (first, second, divide) = Leaf::evened(left, right);
        let parts = [first, second];
        if parts.iter().any(|part| !part.is_usable(entry_bytes)) {
            return false;
        }
        let separator = Separator::between_leaves(&parts[0], &parts[1]);
        if divide < kept {
            self.tell_moved(&parts[1], 0..kept - divide, numbers[0], numbers[1]);
        } else {
            self.tell_moved(&parts[0], kept..divide, numbers[1], numbers[0]);
        }
        let counts = parts.each_ref().map(Leaf::len);
        for (number, part) in numbers.into_iter().zip(parts) {
            self.edit_leaf(number, |leaf| *leaf = part);
        }
        let parent = self.tree.inner_mut(step.inner);
        parent.replace(at, numbers[0], counts[0]);
        parent.replace(at + 1, numbers[1], counts[1]);
        parent.set_separator(at + 1, separator);
        true
    }

    /// Makes three leaves of children `at` and `at + 1` of the last node of a way.
    /// False, and nothing done, when that leaves no room for `entry_bytes` in each.
    fn split_in_three(&mut self, path: &Path, at: usize, entry_bytes: usize) -> bool {
        let Some((step, above)) = path.split_last() else {
            return false;
        };
        let parent = self.tree.inner(step.inner);
        let numbers = [parent.child(at), parent.child(at + 1)];
        let [left, right] = numbers.map(|number| self.tree.leaf(number));
        let given = left.len();
        let parts = Leaf::split_in_three(left, right);
        if parts.iter().any(|part| !part.is_usable(entry_bytes)) {
            return false;
        }
        let [first, middle, last] = parts;
        let given = given - first.len();
        let separators = [
            Separator::between_leaves(&first, &middle),
            Separator::between_leaves(&middle, &last),
        ];
        let counts = [first.len(), middle.len(), last.len()];
        self.edit_leaf(numbers[0], |leaf| *leaf = first);
        self.edit_leaf(numbers[1], |leaf| *leaf = last);
        let new = self.add_leaf(middle.clone());
        self.tell_moved(&middle, 0..given, numbers[0], new);
        self.tell_moved(&middle, given..counts[1], numbers[1], new);
        let [before, after] = separators;
        let parent = self.tree.inner_mut(step.inner);
        parent.replace(at, numbers[0], counts[0]);
        parent.replace(at + 1, numbers[1], counts[2]);
        parent.set_separator(at + 1, after);
        let left_step = Step {
            inner: step.inner,
            child: at,
        };
        let mut path: Path = above.into();
        path.push(left_step);
        self.insert_child(&path, new, counts[1], before);
        true
    }

    /// Gives an entry another score, and returns the leaf that it is in then.
    pub(super) fn move_entry(
        &mut self,
        hash: u64,
        (number, position): (u32, usize),
        member: &[u8],
        score: f64,
    ) {
        let leaf = self.tree.leaf(number);
        let after = leaf.partition(&EntryCut { score, member });
        // The entry itself still counts among those before its new place.
        let target = after - usize::from(after > position);
        let inside = after > 0 && after < leaf.len();
        if inside || self.owns(number, after, score, member) {
            self.edit_leaf(number, |leaf| leaf.rescore(position, target, score));
            return;
        }
        let path = self.path_of_leaf(number);
        self.edit_leaf(number, |leaf| leaf.remove(position..position + 1));
        self.change_counts(&path, 0, 1);
        let target = self.place(hash, member, score);
        if target != number {
            self.index.relocate(hash, number, target);
        }
        self.rebalance(number);
    }

    /// Removes entries of one leaf from tree and index, telling each to `removed`.
    pub(super) fn remove_run(
        &mut self,
        number: u32,
        run: Range<usize>,
        mut removed: impl FnMut(&[u8], f64),
    ) {
        let leaf = self.tree.leaf(number);
        for position in run.clone() {
            let (member, score) = leaf.entry(position);
            self.index.remove(hash_bytes(member), number);
            removed(member, score);
        }
        let path = self.path_of_leaf(number);
        self.change_counts(&path, 0, run.len());
        self.edit_leaf(number, |leaf| leaf.remove(run));
        self.rebalance(number);
    }

    /// Whether an entry that sorts before (`position` 0) or after all others of a
    /// leaf belongs into it nevertheless.
    fn owns(&self, number: u32, position: usize, score: f64, member: &[u8]) -> bool {
        if self.tree.height == 0 {
            return true;
        }
        let inner = self.tree.inner(self.links.leaf_parents[number as usize]);
        let child = inner.position(number);
        if position == 0 {
            inner.owns_before(child, score, member)
        } else {
            inner.owns_after(child, score, member)
        }
    }

    /// Changes a leaf and keeps count of its memory.
    pub(super) fn edit_leaf(&mut self, number: u32, change: impl FnOnce(&mut Leaf)) {
        let slot = self.tree.leaf_slot(number);
        let leaf = slot.as_mut().expect("a leaf number in use has a leaf");
        let before = leaf.allocation_bytes();
        change(leaf);
        self.links.leaf_bytes = self.links.leaf_bytes - before + leaf.allocation_bytes();
    }

    pub(super) fn add_leaf(&mut self, leaf: Leaf) -> u32 {
        let number = self.links.free_leaves.pop().unwrap_or_else(|| {
            self.links.leaf_parents.push(0);
            (self.links.leaf_parents.len() - 1) as u32
        });
        self.links.leaf_bytes += leaf.allocation_bytes();
        *self.tree.leaf_slot(number) = Some(leaf);
        number
    }

    fn free_leaf(&mut self, number: u32) {
        if let Some(leaf) = self.tree.leaf_slot(number).take() {
            self.links.leaf_bytes -= leaf.allocation_bytes();
        }
        self.links.free_leaves.push(number);
    }

    /// Adds an inner node `height` levels above the leaves and becomes its children's
    /// parent.
    pub(super) fn add_inner(&mut self, node: Inner, height: u32) -> u32 {
        let number = self.links.free_inners.pop().unwrap_or_else(|| {
            self.links.inner_parents.push(0);
            (self.links.inner_parents.len() - 1) as u32
        });
        self.adopt(number, node.children(), height);
        self.tree.set_inner(number, node);
        number
    }

    /// Makes an inner node the parent of `children`.
    fn adopt(&mut self, parent: u32, children: &[u32], height: u32) {
        let parents = match height {
            1 => &mut self.links.leaf_parents,
            _ => &mut self.links.inner_parents,
        };
        for &child in children {
            parents[child as usize] = parent;
        }
    }

    /// Counts members in or out along a way.
    pub(super) fn change_counts(&mut self, path: &Path, added: usize, removed: usize) {
        for step in path {
            let inner = self.tree.inner_mut(step.inner);
            inner.change_count(step.child, added, removed);
        }
        self.tree.len = self.tree.len + added - removed;
    }

    /// Divides a leaf at an entry. The larger part keeps the number, so that as few
    /// members as possible have to be told to the index.
    fn split_leaf(&mut self, path: &Path, number: u32, at: usize) {
        let (left, right) = self.tree.leaf(number).split(at);
        let separator = Separator::between_leaves(&left, &right);
        let keeps_left = left.len() >= right.len();
        let (kept, moved) = if keeps_left {
            (left, right)
        } else {
            (right, left)
        };
        self.edit_leaf(number, |leaf| *leaf = kept);
        let new = self.add_leaf(moved.clone());
        self.tell_moved(&moved, 0..moved.len(), number, new);
        let (left, right) = if keeps_left {
            (number, new)
        } else {
            (new, number)
        };
        self.link_split(path, left, right, separator);
    }

    /// Tells the index that a run of `leaf` was in leaf `from` and is in leaf `to`.
    fn tell_moved(&mut self, leaf: &Leaf, run: Range<usize>, from: u32, to: u32) {
        let hashes: SmallVec<[u64; 128]> = run.map(|i| hash_bytes(leaf.member(i))).collect();
        for &hash in &hashes {
            self.index.prefetch(hash);
        }
        for hash in hashes {
            self.index.relocate(hash, from, to);
        }
    }

    /// Puts two leaves where the way leads to one.
    fn link_split(&mut self, path: &Path, left: u32, right: u32, separator: Separator) {
        let (left_count, right_count) = (self.tree.leaf(left).len(), self.tree.leaf(right).len());
        let Some(step) = path.last() else {
            self.grow_root(left, left_count, right, right_count, separator);
            return;
        };
        self.links.leaf_parents[left as usize] = step.inner;
        let inner = self.tree.inner_mut(step.inner);
        inner.replace(step.child, left, left_count);
        self.insert_child(path, right, right_count, separator);
    }

    /// Inserts a child just after the one to which the last step of `path` leads, and
    /// splits what overflows.
    fn insert_child(&mut self, path: &[Step], child: u32, count: usize, separator: Separator) {
        let Some((step, above)) = path.split_last() else {
            return;
        };
        let height = self.tree.height - above.len() as u32;
        self.adopt(step.inner, &[child], height);
        let inner = self.tree.inner_mut(step.inner);
        inner.insert(step.child + 1, child, count, separator);
        if inner.len() <= FANOUT_MAX {
            return;
        }
        // After the last child there is likely to come another: leave little room.
        let appended = step.child + 2 == inner.len();
        let middle = if appended {
            FANOUT_MAX * 7 / 8
        } else {
            FANOUT_MAX / 2
        };
        let separator = inner.separator_of(middle);
        let right = inner.split_off(middle);
        let (left_count, right_count) = (inner.members(), right.members());
        let right = self.add_inner(right, height);
        match above.last() {
            None => self.grow_root(step.inner, left_count, right, right_count, separator),
            Some(parent) => {
                let node = self.tree.inner_mut(parent.inner);
                node.replace(parent.child, step.inner, left_count);
                self.insert_child(above, right, right_count, separator);
            }
        }
    }

    /// Makes a new root above two nodes.
    fn grow_root(
        &mut self,
        left: u32,
        left_count: usize,
        right: u32,
        right_count: usize,
        separator: Separator,
    ) {
        let mut root = Inner::default();
        root.push(left, left_count, Separator::default());
        root.push(right, right_count, separator);
        self.tree.height += 1;
        self.tree.root = self.add_inner(root, self.tree.height);
    }

    /// Sees to a leaf that has lost entries: an empty one goes, a small one merges
    /// with a neighbour that has room.
    fn rebalance(&mut self, number: u32) {
        let leaf = self.tree.leaf(number);
        if leaf.len() > 0 && leaf.data_bytes() >= DATA_BYTES_MIN {
            return;
        }
        let path = self.path_of_leaf(number);
        let Some(&step) = path.last() else {
            if leaf.len() == 0 {
                self.free_leaf(number);
            }
            return;
        };
        if leaf.len() == 0 {
            self.free_leaf(number);
            self.remove_child(&path, step.child);
            return;
        }
        let parent = self.tree.inner(step.inner);
        let neighbours = [step.child.checked_sub(1), Some(step.child + 1)];
        let merges = |&neighbour: &usize| {
            neighbour < parent.len() && {
                let other = self.tree.leaf(parent.child(neighbour));
                other.data_bytes() + leaf.data_bytes() <= DATA_BYTES_MAX * 5 / 6
            }
        };
        if let Some(neighbour) = neighbours.into_iter().flatten().find(merges) {
            self.merge_leaves(&path, step.child.min(neighbour));
        }
    }

    /// Merges children `at` and `at + 1` of the last node of a way into the one that
    /// has more members.
    fn merge_leaves(&mut self, path: &Path, at: usize) {
        let Some(step) = path.last() else {
            return;
        };
        let parent = self.tree.inner(step.inner);
        let numbers = (parent.child(at), parent.child(at + 1));
        let (left, right) = (self.tree.leaf(numbers.0), self.tree.leaf(numbers.1));
        let merged = Leaf::merged(left, right);
        let count = merged.len();
        let (kept, gone) = if left.len() >= right.len() {
            numbers
        } else {
            (numbers.1, numbers.0)
        };
        let moved = self.tree.leaf(gone).clone();
        self.tell_moved(&moved, 0..moved.len(), gone, kept);
        self.free_leaf(gone);
        self.edit_leaf(kept, |leaf| *leaf = merged);
        self.tree.inner_mut(step.inner).replace(at, kept, count);
        self.remove_child(path, at + 1);
    }

    /// Removes a child of the last node of a way, and the nodes that this leaves
    /// empty or nearly so.
    pub(super) fn remove_child(&mut self, path: &[Step], child: usize) {
        let Some((step, above)) = path.split_last() else {
            return;
        };
        let inner = self.tree.inner_mut(step.inner);
        inner.remove(child);
        let children = inner.len();
        let Some(parent_step) = above.last() else {
            return self.lower_root();
        };
        if children == 0 {
            self.free_inner(step.inner);
            return self.remove_child(above, parent_step.child);
        }
        if children >= FANOUT_MIN {
            return;
        }
        let parent = self.tree.inner(parent_step.inner);
        let neighbours = [
            parent_step.child.checked_sub(1),
            Some(parent_step.child + 1),
        ];
        let merges = |&neighbour: &usize| {
            neighbour < parent.len() && {
                let other = self.tree.inner(parent.child(neighbour));
                other.len() + children <= FANOUT_MAX * 3 / 4
            }
        };
        let Some(neighbour) = neighbours.into_iter().flatten().find(merges) else {
            return;
        };
        let at = parent_step.child.min(neighbour);
        let (left, right) = (parent.child(at), parent.child(at + 1));
        let count = parent.count(at) + parent.count(at + 1);
        let separator = parent.separator_of(at + 1);
        let gone = self.free_inner(right);
        self.adopt(left, gone.children(), self.tree.height - above.len() as u32);
        self.tree.inner_mut(left).append(&gone, separator);
        self.tree
            .inner_mut(parent_step.inner)
            .replace(at, left, count);
        self.remove_child(above, at + 1);
    }

    /// Takes away roots that have less than two children.
    fn lower_root(&mut self) {
        while self.tree.height > 0 {
            let root = self.tree.root;
            match self.tree.inner(root).children() {
                [] => {
                    self.tree.height = 0;
                }
                &[only] => {
                    self.tree.root = only;
                    self.tree.height -= 1;
                }
                _ => return,
            }
            self.free_inner(root);
        }
    }

    fn free_inner(&mut self, number: u32) -> Inner {
        self.links.free_inners.push(number);
        self.tree.take_inner(number)
    }
}
