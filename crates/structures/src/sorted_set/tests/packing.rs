//! One leaf against a plain list of entries: every way to change or divide it.

use proptest::prelude::*;

use super::model::score;
use super::*;
use crate::sorted_set::cut::EntryCut;
use crate::sorted_set::leaf::Leaf;

type Entries = Vec<(Vec<u8>, f64)>;

#[derive(Debug, Clone)]
enum Change {
    Insert(Vec<u8>, f64),
    Remove(usize, usize),
    Rescore(usize, f64),
    Share,
    Shrink,
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 0..400),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        10 => (member(), score()).prop_map(|(member, score)| Change::Insert(member, score)),
        2 => (any::<usize>(), 0..9_usize).prop_map(|(at, n)| Change::Remove(at, n)),
        4 => (any::<usize>(), score()).prop_map(|(at, score)| Change::Rescore(at, score)),
        1 => Just(Change::Share),
        1 => Just(Change::Shrink),
    ]
}

fn tag_of(member: &[u8]) -> u8 {
    leaf_tag(position_of(hash_bytes(member)))
}

fn entries(leaf: &Leaf) -> Entries {
    (0..leaf.len())
        .map(|i| (leaf.member(i).to_vec(), leaf.score(i)))
        .collect()
}

fn same(leaf: &Leaf, expected: &[(Vec<u8>, f64)]) -> bool {
    let bytes: usize = expected
        .iter()
        .map(|(m, _)| Leaf::entry_bytes(m.len()))
        .sum();
    model_bits(&entries(leaf)) == model_bits(expected)
        && leaf.data_bytes() == bytes
        && leaf.allocation_bytes() >= bytes
        && (0..leaf.len()).all(|i| leaf.position(tag_of(leaf.member(i)), leaf.member(i)) == Some(i))
}

/// Applies changes to a leaf and to a list; returns both, and what was shared.
fn changed(changes: &[Change]) -> (Leaf, Entries, Vec<(Leaf, Entries)>) {
    let mut leaf = Leaf::with_entry(0.0, b"", tag_of(b""));
    let mut list: Entries = vec![(Vec::new(), 0.0)];
    let mut shared = Vec::new();
    for change in changes {
        match change {
            Change::Insert(member, score) => {
                if list.iter().any(|(m, _)| m == member) || !leaf.fits(member.len()) {
                    continue;
                }
                let at = leaf.partition(&EntryCut {
                    score: *score,
                    member,
                });
                leaf.insert(at, *score, member, tag_of(member));
                list.push((member.clone(), *score));
            }
            &Change::Remove(at, count) => {
                let start = at % (list.len() + 1);
                let end = (start + count).min(list.len());
                leaf.remove(start..end);
                list.drain(start..end);
            }
            &Change::Rescore(at, score) if !list.is_empty() => {
                let from = at % list.len();
                let after = leaf.partition(&EntryCut {
                    score,
                    member: &list[from].0,
                });
                leaf.rescore(from, after - usize::from(after > from), score);
                list[from].1 = score;
            }
            Change::Rescore(..) => {}
            Change::Share => shared.push((leaf.clone(), list.clone())),
            Change::Shrink => leaf.shrink(),
        }
        list.sort_by(|l, r| entry_order((l.1, &l.0), (r.1, &r.0)));
    }
    (leaf, list, shared)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_leaf_is_a_list(changes in prop::collection::vec(change(), 0..200)) {
        let (leaf, list, shared) = changed(&changes);
        prop_assert!(same(&leaf, &list));
        for (leaf, list) in &shared {
            prop_assert!(same(leaf, list), "a shared leaf has changed");
        }
        if list.len() > 1 {
            let at = leaf.middle();
            prop_assert!(at > 0 && at < list.len());
            let (left, right) = leaf.split(at);
            prop_assert!(same(&left, &list[..at]) && same(&right, &list[at..]));
            prop_assert!(same(&Leaf::merged(&left, &right), &list));
        }
    }

    #[test]
    fn two_leaves_divide_evenly(
        changes in prop::collection::vec(change(), 0..200),
        at in any::<usize>(),
    ) {
        let (leaf, list, _) = changed(&changes);
        let at = at % (list.len() + 1);
        let (left, right) = leaf.split(at);
        let (first, second, divide) = Leaf::evened(&left, &right);
        prop_assert!(same(&first, &list[..divide]) && same(&second, &list[divide..]));
        let largest = list.iter().map(|(m, _)| Leaf::entry_bytes(m.len())).max().unwrap_or(0);
        prop_assert!(first.data_bytes().abs_diff(second.data_bytes()) <= 2 * largest + 1);
        let parts = Leaf::split_in_three(&left, &right);
        let mut rest = list.as_slice();
        for part in &parts {
            prop_assert!(part.len() <= rest.len());
            prop_assert!(same(part, &rest[..part.len()]));
            rest = &rest[part.len()..];
        }
        prop_assert!(rest.is_empty());
    }
}

#[test]
fn a_member_beyond_a_leafs_size_is_alone_in_it() {
    let long = vec![7; 1 << 20];
    let mut leaf = Leaf::with_entry(1.5, &long, tag_of(&long));
    assert!(same(&leaf, &[(long.clone(), 1.5)]));
    assert!(!leaf.fits(0));
    leaf.rescore(0, 0, 2.5);
    assert!(same(&leaf, &[(long, 2.5)]));
}
