//! Random operations on a set and on its model, which must agree throughout.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Insert(usize, f64),
    InsertRun(usize, usize, f64),
    Nudge(u16, f64),
    Remove(usize),
    RemoveAt(u16),
    RemoveRanks(u16, u16),
    ShedRanks(u16, u16),
    RemoveScores(ScoreBound, ScoreBound),
    RemoveLex(usize, usize),
    PopFirst,
    PopLast,
    Freeze,
}

pub(super) fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => prop::sample::select(vec![f64::NEG_INFINITY, -1.0, -0.0, 0.0, 1.0, 1.5, f64::INFINITY]),
        4 => (0..50_i32).prop_map(f64::from),
        2 => any::<f64>().prop_filter("not NaN", |score| !score.is_nan()),
    ]
}

pub(super) fn score_bound() -> impl Strategy<Value = ScoreBound> {
    (score(), any::<bool>()).prop_map(|(score, inclusive)| match inclusive {
        true => ScoreBound::Inclusive(score),
        false => ScoreBound::Exclusive(score),
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (0..600_usize, score()).prop_map(|(i, score)| Op::Insert(i, score)),
        4 => (0..600_usize, 1..120_usize, score()).prop_map(|(i, n, s)| Op::InsertRun(i, n, s)),
        6 => (any::<u16>(), score()).prop_map(|(at, score)| Op::Nudge(at, score)),
        6 => (0..600_usize).prop_map(Op::Remove),
        4 => any::<u16>().prop_map(Op::RemoveAt),
        1 => (any::<u16>(), 0..200_u16).prop_map(|(at, n)| Op::RemoveRanks(at, n)),
        2 => (any::<u16>(), 0..400_u16).prop_map(|(at, n)| Op::ShedRanks(at, n)),
        1 => (score_bound(), score_bound()).prop_map(|(a, b)| Op::RemoveScores(a, b)),
        1 => (0..600_usize, 0..600_usize).prop_map(|(a, b)| Op::RemoveLex(a, b)),
        1 => Just(Op::PopFirst),
        1 => Just(Op::PopLast),
        1 => Just(Op::Freeze),
    ]
}

/// Removes what the set says it removed from the model, and checks that it is so.
fn expect_removed(model: &mut Model, removed: &[(Vec<u8>, f64)], sorted: &[(Vec<u8>, f64)]) {
    assert_eq!(model_bits(removed), model_bits(sorted));
    for (member, _) in removed {
        assert!(model.scores.remove(member).is_some());
    }
}

fn apply(set: &mut SortedSet, model: &mut Model, op: &Op) {
    let mut removed = Vec::new();
    let mut note = |member: &[u8], score: f64| removed.push((member.to_vec(), score));
    match *op {
        Op::Insert(i, score) => {
            let member = pool_member(i);
            assert_eq!(set.insert(&member, score), model.insert(&member, score));
        }
        Op::InsertRun(start, count, score) => {
            for i in start..start + count {
                let member = pool_member(i);
                let score = if i % 2 == 0 { score } else { i as f64 };
                assert_eq!(set.insert(&member, score), model.insert(&member, score));
            }
        }
        Op::Nudge(at, delta) => {
            if let Some((member, score)) = set.at(usize::from(at) % set.len().max(1)) {
                let (member, score) = (member.to_vec(), score + delta / 8.0);
                if !score.is_nan() {
                    assert_eq!(set.insert(&member, score), model.insert(&member, score));
                }
            }
        }
        Op::Remove(i) => {
            let member = pool_member(i);
            assert_eq!(set.remove(&member), model.scores.remove(&member));
        }
        Op::RemoveAt(at) => {
            if let Some((member, score)) = set.at(usize::from(at) % set.len().max(1)) {
                let member = member.to_vec();
                assert_eq!(set.remove(&member), Some(score));
                assert_eq!(model.scores.remove(&member), Some(score));
            }
        }
        Op::RemoveRanks(at, count) => {
            let sorted = model.sorted();
            let start = usize::from(at) % (sorted.len() + 2);
            let end = start + usize::from(count);
            let count = set.remove_range_by_rank(start..end, &mut note);
            assert_eq!(count, removed.len());
            let end = end.min(sorted.len());
            expect_removed(model, &removed, &sorted[start.min(end)..end]);
        }
        Op::ShedRanks(at, count) => {
            let sorted = model.sorted();
            let start = usize::from(at) % (sorted.len() + 2);
            let end = (start + usize::from(count)).min(sorted.len());
            let gone = &sorted[start.min(end)..end];
            assert_eq!(set.shed_range_by_rank(start..end), gone.len());
            for (member, _) in gone {
                assert_eq!(set.score(member), None);
            }
            expect_removed(model, gone, gone);
        }
        Op::RemoveScores(min, max) => {
            let mut sorted = model.sorted();
            sorted.retain(|(_, score)| order::in_scores(*score, min, max));
            assert_eq!(set.remove_range_by_score(min, max, &mut note), sorted.len());
            expect_removed(model, &removed, &sorted);
        }
        Op::RemoveLex(from, to) => {
            let (from, to) = (pool_member(from), pool_member(to));
            let (min, max) = (LexBound::Inclusive(&from), LexBound::Exclusive(&to));
            let ranks = set.lex_ranks(min, max);
            let sorted = model.sorted();
            assert_eq!(set.remove_range_by_lex(min, max, &mut note), ranks.len());
            expect_removed(model, &removed, &sorted[ranks]);
        }
        Op::PopFirst => {
            let first = model.sorted().first().cloned();
            if let Some((member, _)) = &first {
                model.scores.remove(member);
            }
            assert_eq!(set.pop_first(), first);
        }
        Op::PopLast => {
            let last = model.sorted().last().cloned();
            if let Some((member, _)) = &last {
                model.scores.remove(member);
            }
            assert_eq!(set.pop_last(), last);
        }
        Op::Freeze => {}
    }
    assert_eq!(set.len(), model.scores.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn agrees_with_the_model(ops in prop::collection::vec(op(), 1..120)) {
        let mut set = SortedSet::new();
        let mut model = Model::default();
        let mut frozen = Vec::new();
        for op in &ops {
            apply(&mut set, &mut model, op);
            if matches!(op, Op::Freeze) {
                frozen.push((set.freeze(), set.freeze_members(), model_bits(&model.sorted())));
            }
        }
        check_structure(&set);
        let sorted = model.sorted();
        prop_assert_eq!(bits(set.iter()), model_bits(&sorted));
        for (rank, (member, score)) in sorted.iter().enumerate() {
            prop_assert_eq!(set.score(member), Some(*score));
            prop_assert_eq!(set.rank(member), Some(rank));
            prop_assert_eq!(set.rev_rank(member), Some(sorted.len() - 1 - rank));
        }
        for (frozen, members, then) in &frozen {
            prop_assert_eq!(&bits(frozen.iter()), then);
            for (member, score) in then {
                let found = members.score(member).map(f64::to_bits);
                prop_assert_eq!(found, Some(*score));
            }
            for (member, _) in &sorted {
                let was_there = then.iter().any(|(then, _)| then == member);
                prop_assert_eq!(members.score(member).is_some(), was_there);
            }
        }
        for (_, mut members, _) in frozen {
            while !members.drop_some() {}
        }
        while !set.is_empty() {
            set.pop_last();
        }
        check_structure(&set);
    }
}

#[test]
fn a_large_set_grows_and_shrinks_without_a_flaw() {
    let mut set = SortedSet::new();
    let mut model = Model::default();
    let mut random = Random(7);
    for round in 0..6 {
        let growing = round % 2 == 0;
        for _ in 0..12_000 {
            let member = format!("member:{:017}", random.below(20_000)).into_bytes();
            if growing || random.below(4) == 0 {
                let score = match round {
                    0 => 0.0,
                    _ => random.below(100_000) as f64,
                };
                assert_eq!(set.insert(&member, score), model.insert(&member, score));
            } else {
                assert_eq!(set.remove(&member), model.scores.remove(&member));
            }
        }
        check_structure(&set);
        assert_eq!(bits(set.iter()), model_bits(&model.sorted()));
    }
    assert!(
        set.tree.height >= 2,
        "the test reaches inner nodes above inner nodes"
    );
    let (half, all) = (set.len() / 2, set.len());
    let mut expected = model.sorted();
    expected.drain(half / 2..half / 2 + half);
    assert_eq!(
        set.remove_range_by_rank(half / 2..half / 2 + half, |_, _| ()),
        half
    );
    assert_eq!(set.len(), all - half);
    check_structure(&set);
    assert_eq!(bits(set.iter()), model_bits(&expected));
    assert_eq!(
        set.remove_range_by_rank(0..usize::MAX, |_, _| ()),
        all - half
    );
    check_structure(&set);
}

#[test]
fn members_that_were_shed_are_gone_and_may_come_back() {
    let mut random = Random(11);
    let name = |i: usize| format!("member:{i:017}").into_bytes();
    let mut set: SortedSet = (0..60_000).map(|i| (name(i), (i % 1000) as f64)).collect();
    let full_bytes = set.memory_bytes();
    for round in 0..4 {
        let expected = bits(set.iter());
        let from = if round % 2 == 0 { 0 } else { set.len() - 9_000 };
        assert_eq!(set.shed_range_by_rank(from..from + 9_000), 9_000);
        check_structure(&set);
        let left = expected[..from].iter().chain(&expected[from + 9_000..]);
        assert!(bits(set.iter()).iter().eq(left));
        let mut scanned = 0;
        let mut next = Some(0);
        while let Some(position) = next {
            next = set.scan(position, 500, |_, _| scanned += 1);
        }
        assert_eq!(scanned, set.len());
        // Some come back at once, others later.
        for _ in 0..100 {
            let member = name(random.below(60_000));
            let was_there = set.score(&member).is_some();
            let insertion = set.insert(&member, -5.0);
            assert_eq!(insertion == Insertion::Inserted, !was_there);
            assert_eq!(set.score(&member), Some(-5.0));
        }
        check_structure(&set);
    }
    assert!(set.shed.members() > 10_000);
    for i in 0..2_000 {
        set.remove(&name(i));
        set.insert(&name(i), 1.0);
    }
    assert!(set.shed.is_empty());
    check_structure(&set);
    assert!(set.memory_bytes() < full_bytes * 3 / 4);
    assert_eq!(set.shed_range_by_rank(0..usize::MAX), set.shed.members());
    check_structure(&set);
    set.insert(b"another", 1.0);
    check_structure(&set);
    while !set.drop_some() {}
    check_structure(&set);
}

#[test]
fn leaves_are_full_after_appending_and_small_after_removing() {
    for descending in [false, true] {
        let mut set = SortedSet::new();
        for i in 0..20_000 {
            let score = if descending {
                -f64::from(i)
            } else {
                f64::from(i)
            };
            set.insert(format!("member:{i:017}").as_bytes(), score);
        }
        check_structure(&set);
        let per_member = set.links.leaf_bytes as f64 / 20_000.0;
        assert!(per_member < 36.5, "{per_member} bytes of leaf per member");
        for i in 0..20_000 {
            if i % 50 != 0 {
                set.remove(format!("member:{i:017}").as_bytes());
            }
        }
        check_structure(&set);
        let per_member = set.links.leaf_bytes as f64 / 400.0;
        assert!(per_member < 60.0, "{per_member} bytes of leaf per member");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn built_in_any_order_is_the_same_set(
        picks in prop::collection::vec((0..700_usize, score()), 0..700),
        arrangement in 0..4_u8,
    ) {
        let mut model = Model::default();
        for &(i, score) in &picks {
            model.scores.entry(pool_member(i)).or_insert(score);
        }
        let sorted = model.sorted();
        let mut entries = sorted.clone();
        match arrangement {
            0 => {}
            1 => entries.reverse(),
            2 => entries = picks.iter().map(|&(i, score)| (pool_member(i), score)).collect(),
            _ => { let half = entries.len() / 2; entries.rotate_left(half); }
        }
        let mut builder = SortedSetBuilder::new();
        let mut seen = std::collections::HashSet::new();
        for (member, score) in &entries {
            let expected = if seen.insert(member.clone()) { Ok(()) } else { Err(DuplicateMember) };
            prop_assert_eq!(builder.push(member, *score), expected);
        }
        let mut set = builder.finish();
        check_structure(&set);
        prop_assert_eq!(bits(set.iter()), model_bits(&sorted));
        for (i, (member, _)) in sorted.iter().enumerate() {
            prop_assert_eq!(set.insert(member, i as f64) == Insertion::Inserted, false);
        }
        check_structure(&set);
    }
}

#[test]
fn the_caller_decides_once_for_present_and_absent_members() {
    let mut set = SortedSet::new();
    assert_eq!(
        set.insert_with(b"a", |present| present),
        Insertion::Unchanged
    );
    assert!(set.is_empty());
    let add_two = |present: Option<f64>| Some(present.unwrap_or(0.0) + 2.0);
    assert_eq!(set.insert_with(b"a", add_two), Insertion::Inserted);
    assert_eq!(set.insert_with(b"a", add_two), Insertion::Updated(2.0));
    assert_eq!(set.insert_with(b"a", |_| None), Insertion::Unchanged);
    assert_eq!(set.score(b"a"), Some(4.0));
    assert_eq!(set.insert(b"a", 4.0), Insertion::Unchanged);
}

#[test]
fn zeros_are_equal_and_the_first_one_stays() {
    let mut set: SortedSet = [("b", -0.0), ("a", 0.0), ("c", 0.0)].into_iter().collect();
    assert_eq!(set.insert(b"b", 0.0), Insertion::Unchanged);
    let order: Vec<_> = set.iter().map(|(member, _)| member).collect();
    assert_eq!(order, [b"a", b"b", b"c"]);
    assert!(set.score(b"b").is_some_and(f64::is_sign_negative));
    assert_eq!(set.rank(b"c"), Some(2));
}
