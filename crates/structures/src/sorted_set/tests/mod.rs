//! Tests of the large sorted set against a plain sorted list.
//!
//! `model`: random operations; `order`: bounds and walks; `packing`: one leaf;
//! `sharing`: frozen sets.

mod model;
mod order;
mod packing;
mod sharing;

use std::collections::HashMap;

use super::cut::entry_order;
use super::index::position_of;
use super::*;

/// The same set, kept the simplest way.
#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) scores: HashMap<Vec<u8>, f64>,
}

impl Model {
    pub(super) fn sorted(&self) -> Vec<(Vec<u8>, f64)> {
        let mut all: Vec<_> = self.scores.iter().map(|(m, &s)| (m.clone(), s)).collect();
        all.sort_by(|l, r| entry_order((l.1, &l.0), (r.1, &r.0)));
        all
    }

    pub(super) fn insert(&mut self, member: &[u8], score: f64) -> Insertion {
        match self.scores.get_mut(member) {
            Some(present) if *present == score => Insertion::Unchanged,
            Some(present) => Insertion::Updated(std::mem::replace(present, score)),
            None => {
                self.scores.insert(member.to_vec(), score);
                Insertion::Inserted
            }
        }
    }
}

/// Entries with scores as bits, so that -0.0 and 0.0 are told apart.
pub(super) fn bits<'a>(entries: impl Iterator<Item = (&'a [u8], f64)>) -> Vec<(Vec<u8>, u64)> {
    entries.map(|(m, s)| (m.to_vec(), s.to_bits())).collect()
}

pub(super) fn model_bits(entries: &[(Vec<u8>, f64)]) -> Vec<(Vec<u8>, u64)> {
    bits(entries.iter().map(|(m, s)| (m.as_slice(), *s)))
}

/// A member of a pool in which short, long, empty and very long ones occur.
pub(super) fn pool_member(i: usize) -> Vec<u8> {
    let name = format!("{i}");
    match i % 8 {
        _ if i == 0 => Vec::new(),
        1 => format!("member:{i:017}").into_bytes(),
        2 => format!("{i}:").repeat(80).into_bytes(),
        3 => format!("{}{i}", "prefix".repeat(200)).into_bytes(),
        5 if i % 64 == 5 => format!("{i:>9000}").into_bytes(),
        _ => name.into_bytes(),
    }
}

/// Small deterministic random numbers.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Checks everything that the modules state as invariants.
pub(super) fn check_structure(set: &SortedSet) {
    let slots = set.len() + set.shed.members();
    assert_eq!(set.index.len(), slots, "one slot per member");
    if set.is_empty() {
        assert_eq!(set.tree.height, 0);
        assert_eq!(set.links.leaf_bytes, set.shed.leaf_bytes());
        return;
    }
    let mut leaf_bytes = 0;
    let mut last: Option<(Vec<u8>, f64)> = None;
    let mut check_leaf = |leaf_number: u32, depth_path: &[(u32, usize)]| {
        let leaf = set.tree.leaf(leaf_number);
        assert!(leaf.len() > 0, "no leaf is empty");
        leaf_bytes += leaf.allocation_bytes();
        let path: Vec<_> = set
            .path_of_leaf(leaf_number)
            .iter()
            .map(|step| (step.inner, step.child))
            .collect();
        assert_eq!(path, depth_path, "parents agree with the way down");
        for i in 0..leaf.len() {
            let (member, score) = leaf.entry(i);
            let hash = hash_bytes(member);
            if let Some((before, before_score)) = &last {
                assert!(entry_order((*before_score, before), (score, member)).is_lt());
            }
            last = Some((member.to_vec(), score));
            assert_eq!(set.locate(hash, member), Some((leaf_number, i)));
            assert!(leaf.tagged(leaf_tag(position_of(hash))).any(|at| at == i));
        }
        leaf.len()
    };
    fn walk(
        set: &SortedSet,
        node: u32,
        height: u32,
        path: &mut Vec<(u32, usize)>,
        check_leaf: &mut impl FnMut(u32, &[(u32, usize)]) -> usize,
    ) -> usize {
        if height == 0 {
            return check_leaf(node, path);
        }
        let inner = set.tree.inner(node);
        assert!(inner.len() > 0 && inner.len() <= inner::FANOUT_MAX);
        let mut members = 0;
        for i in 0..inner.len() {
            path.push((node, i));
            let below = walk(set, inner.child(i), height - 1, path, check_leaf);
            path.pop();
            assert_eq!(inner.count(i), below, "count of child {i}");
            if i > 0 {
                let separator = inner.separator_of(i);
                let separator = (separator.score, separator.member.as_slice());
                let (member, score) = set.at_in(inner.child(i), height - 1, false);
                assert!(entry_order(separator, (score, member)).is_le());
                let (member, score) = set.at_in(inner.child(i - 1), height - 1, true);
                assert!(entry_order((score, member), separator).is_le());
            }
            members += below;
        }
        members
    }
    let members = walk(
        set,
        set.tree.root,
        set.tree.height,
        &mut Vec::new(),
        &mut check_leaf,
    );
    assert_eq!(members, set.len());
    assert_eq!(
        leaf_bytes + set.shed.leaf_bytes(),
        set.links.leaf_bytes,
        "leaf memory is accounted for"
    );
    if set.tree.height > 0 {
        assert!(
            set.tree.inner(set.tree.root).len() > 1,
            "a root has two children"
        );
    }
}

impl SortedSet {
    /// The first or last entry below a node.
    fn at_in(&self, mut node: u32, height: u32, last: bool) -> (&[u8], f64) {
        for _ in 0..height {
            let inner = self.tree.inner(node);
            node = inner.child(if last { inner.len() - 1 } else { 0 });
        }
        let leaf = self.tree.leaf(node);
        leaf.entry(if last { leaf.len() - 1 } else { 0 })
    }
}
