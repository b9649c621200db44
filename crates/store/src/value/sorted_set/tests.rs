//! Both forms of a sorted set against a plain sorted vector.

use std::collections::BTreeMap;

use ochre_structures::sorted_set::{Insertion, LexBound, ScoreBound};
use proptest::prelude::*;

use super::{Direction, Limits, NewSortedSet, SortedSetMut, SortedSetRef, new_payload};
use crate::entry::{Entry, Kind};

const SMALL: Limits = Limits {
    entries_max: 8,
    member_bytes_max: 6,
};

fn ordered(model: &BTreeMap<Vec<u8>, f64>) -> Vec<(Vec<u8>, f64)> {
    let mut all: Vec<_> = model.iter().map(|(m, s)| (m.clone(), *s)).collect();
    all.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
    all
}

fn contents(set: SortedSetRef<'_>) -> Vec<(Vec<u8>, f64)> {
    set.iter().map(|(m, s)| (m.to_vec(), s)).collect()
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (-3_i64..12).prop_map(|n| n.to_string().into_bytes()),
        "[a-c]{0,7}".prop_map(String::into_bytes),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-4_i32..4).prop_map(f64::from),
        Just(0.1),
        Just(-0.0),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(1e300),
        Just(9_007_199_254_740_993.0),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<u8>, f64),
    Remove(Vec<u8>),
    RemoveRanks(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (member(), score()).prop_map(|(m, s)| Step::Insert(m, s)),
        1 => member().prop_map(Step::Remove),
        1 => (0_usize..10, 0_usize..4).prop_map(|(a, n)| Step::RemoveRanks(a, n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn behaves_as_a_sorted_vector(steps in proptest::collection::vec(step(), 1..60)) {
        let mut model = BTreeMap::new();
        let mut entry = Entry::new(b"k", new_payload(SMALL, 1, 1), None);
        let mut converted = false;
        for step in steps {
            let mut set = SortedSetMut::of(&mut entry, SMALL).unwrap();
            match step {
                Step::Insert(member, score) => {
                    let before = model.get(&member).copied();
                    let insertion = set.insert_with(&member, |present| {
                        assert_eq!(present, before);
                        Some(score)
                    });
                    match before {
                        None => {
                            converted |= model.len() >= 8 || member.len() > 6;
                            prop_assert_eq!(insertion, Insertion::Inserted);
                        }
                        Some(old) if old == score => {
                            prop_assert_eq!(insertion, Insertion::Unchanged);
                        }
                        Some(old) => prop_assert_eq!(insertion, Insertion::Updated(old)),
                    }
                    if before != Some(score) {
                        model.insert(member, score);
                    }
                }
                Step::Remove(member) => {
                    prop_assert_eq!(set.remove(&member), model.remove(&member));
                }
                Step::RemoveRanks(start, count) => {
                    let doomed: Vec<_> =
                        ordered(&model).into_iter().skip(start).take(count).collect();
                    prop_assert_eq!(set.remove_ranks(start..start + count), doomed.len());
                    for (member, _) in doomed {
                        model.remove(&member);
                    }
                }
            }
            let expected = ordered(&model);
            let set = SortedSetRef::of(&entry).unwrap();
            prop_assert_eq!(contents(set), expected.clone());
            prop_assert_eq!(set.len(), expected.len());
            prop_assert_eq!(entry.kind() == Kind::Object, converted);
            for (rank, (member, score)) in expected.iter().enumerate() {
                prop_assert_eq!(set.rank_and_score(member), Some((rank, *score)));
                prop_assert_eq!(set.score(member), Some(*score));
                prop_assert_eq!(set.at(rank).map(|(m, s)| (m.to_vec(), s)), expected.get(rank).cloned());
            }
        }
    }

    #[test]
    fn both_forms_agree(
        members in proptest::collection::btree_map(member(), score(), 1..20),
        (min, max) in (score(), score()),
        (low, high) in (member(), member()),
        (start, end) in (0_usize..22, 0_usize..22),
        exclusive: bool,
    ) {
        let all = ordered(&members);
        let with = |entries_max| {
            let limits = Limits { entries_max, member_bytes_max: 64 };
            NewSortedSet::of(limits, &all).store(|payload| Entry::new(b"k", payload, None))
        };
        let (packed, tree) = (with(64), with(0));
        prop_assert_eq!(packed.kind(), Kind::PackedSortedSet);
        prop_assert_eq!(tree.kind(), Kind::Object);
        let bound = if exclusive { ScoreBound::Exclusive } else { ScoreBound::Inclusive };
        let same_score: Vec<_> = members.keys().map(|m| (m.clone(), 1.0)).collect();
        for entry in [&packed, &tree] {
            let set = SortedSetRef::of(entry).unwrap();
            prop_assert_eq!(contents(set), all.clone());
            let within: Vec<_> = all.iter().filter(|(_, s)| {
                if exclusive { *s > min && *s <= max } else { *s >= min && *s <= max }
            }).cloned().collect();
            let ranks = set.score_ranks(bound(min), ScoreBound::Inclusive(max));
            let found: Vec<_> = set.by_rank(ranks).map(|(m, s)| (m.to_vec(), s)).collect();
            prop_assert_eq!(found, within);
            let run: Vec<_> = set.by_rank(start..end).rev().map(|(m, s)| (m.to_vec(), s)).collect();
            let mut expected: Vec<_> = all.iter().skip(start).take(end.saturating_sub(start)).cloned().collect();
            expected.reverse();
            prop_assert_eq!(run, expected.clone());
            let frozen = set.freeze();
            let run: Vec<_> = frozen.by_rank(start..end).rev().map(|(m, s)| (m.to_vec(), s)).collect();
            prop_assert_eq!(run, expected);
        }
        for entries_max in [64, 0] {
            let limits = Limits { entries_max, member_bytes_max: 64 };
            let entry = NewSortedSet::of(limits, &same_score).store(|payload| Entry::new(b"k", payload, None));
            let set = SortedSetRef::of(&entry).unwrap();
            let expected: Vec<_> = members.keys().filter(|m| {
                (if exclusive { **m > low } else { **m >= low }) && **m <= high
            }).cloned().collect();
            let min = if exclusive { LexBound::Exclusive(&low) } else { LexBound::Inclusive(&low) };
            for direction in [Direction::Ascending, Direction::Descending] {
                let ranks = set.lex_ranks(min, LexBound::Inclusive(&high), direction);
                let found: Vec<_> = set.by_rank(ranks).map(|(m, _)| m.to_vec()).collect();
                prop_assert_eq!(found, expected.clone());
            }
        }
    }
}
