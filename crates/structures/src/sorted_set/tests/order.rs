//! Bounds, walks, scans and random members.

use proptest::prelude::*;

use super::model::{score, score_bound};
use super::*;

pub(super) fn in_scores(score: f64, min: ScoreBound, max: ScoreBound) -> bool {
    let above = match min {
        ScoreBound::Inclusive(bound) => score >= bound,
        ScoreBound::Exclusive(bound) => score > bound,
    };
    above
        && match max {
            ScoreBound::Inclusive(bound) => score <= bound,
            ScoreBound::Exclusive(bound) => score < bound,
        }
}

fn in_lex(member: &[u8], min: LexBound<'_>, max: LexBound<'_>) -> bool {
    let above = match min {
        LexBound::Min => true,
        LexBound::Max => false,
        LexBound::Inclusive(bound) => member >= bound,
        LexBound::Exclusive(bound) => member > bound,
    };
    above
        && match max {
            LexBound::Min => false,
            LexBound::Max => true,
            LexBound::Inclusive(bound) => member <= bound,
            LexBound::Exclusive(bound) => member < bound,
        }
}

fn lex_bound((kind, member): &(u8, Vec<u8>)) -> LexBound<'_> {
    match kind {
        0 => LexBound::Min,
        1 => LexBound::Max,
        2 | 3 => LexBound::Inclusive(member),
        _ => LexBound::Exclusive(member),
    }
}

fn any_lex_bound() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let near = (0..700_usize, any::<Option<u8>>()).prop_map(|(i, more)| {
        let mut member = pool_member(i);
        member.extend(more);
        member
    });
    (0..6_u8, near)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn score_bounds_select_what_they_say(
        picks in prop::collection::vec((0..700_usize, score()), 0..700),
        bounds in prop::collection::vec((score_bound(), score_bound()), 1..20),
    ) {
        let set: SortedSet = picks.iter().map(|&(i, s)| (pool_member(i), s)).collect();
        let all: Vec<_> = set.iter().collect();
        for (min, max) in bounds {
            let ranks = set.score_ranks(min, max);
            let expected: Vec<_> =
                all.iter().copied().filter(|&(_, s)| in_scores(s, min, max)).collect();
            prop_assert_eq!(ranks.len(), expected.len());
            prop_assert!(set.by_rank(ranks.clone()).eq(expected.iter().copied()));
            prop_assert_eq!(set.freeze().score_ranks(min, max), ranks);
        }
    }

    #[test]
    fn lex_bounds_select_what_they_say(
        picks in prop::collection::vec(0..700_usize, 0..700),
        zero in prop::sample::select(vec![0.0, -0.0, 5.0, f64::INFINITY]),
        bounds in prop::collection::vec((any_lex_bound(), any_lex_bound()), 1..20),
        other_scores in any::<bool>(),
    ) {
        let mut set = SortedSet::new();
        // Other scores that come and go must leave no trace in the separators.
        if other_scores {
            set.extend((0..300).map(|i| (pool_member(i), i as f64)));
        }
        set.extend(picks.iter().map(|&i| (pool_member(i), zero)));
        set.remove_range_by_score(ScoreBound::Inclusive(f64::NEG_INFINITY), ScoreBound::Exclusive(zero), |_, _| ());
        set.remove_range_by_score(ScoreBound::Exclusive(zero), ScoreBound::Inclusive(f64::INFINITY), |_, _| ());
        let all: Vec<_> = set.iter().collect();
        for (min, max) in &bounds {
            let (min, max) = (lex_bound(min), lex_bound(max));
            let ranks = set.lex_ranks(min, max);
            let expected: Vec<_> =
                all.iter().copied().filter(|&(m, _)| in_lex(m, min, max)).collect();
            prop_assert_eq!(ranks.len(), expected.len());
            prop_assert!(set.by_rank(ranks).eq(expected.iter().copied()));
        }
    }

    #[test]
    fn walks_agree_with_a_list_from_both_ends(
        count in 0..600_usize,
        from in 0..700_usize,
        to in 0..700_usize,
        steps in prop::collection::vec((0..4_u8, 0..90_usize), 0..60),
    ) {
        let set: SortedSet = (0..count).map(|i| (pool_member(i), (i % 37) as f64)).collect();
        let all: Vec<_> = set.iter().collect();
        prop_assert_eq!(all.len(), count);
        let mut walk = set.by_rank(from..to);
        let mut expected = all[from.min(count)..to.min(count).max(from.min(count))].iter().copied();
        for (kind, n) in steps {
            match kind {
                0 => prop_assert_eq!(walk.next(), expected.next()),
                1 => prop_assert_eq!(walk.next_back(), expected.next_back()),
                2 => prop_assert_eq!(walk.nth(n), expected.nth(n)),
                _ => prop_assert_eq!(walk.nth_back(n), expected.nth_back(n)),
            }
            prop_assert_eq!(walk.len(), expected.len());
        }
        prop_assert!(walk.rev().eq(expected.rev()));
    }
}

#[test]
fn lex_ranges_follow_members_that_ascend_with_their_scores() {
    let set: SortedSet = (0..5_000)
        .map(|i| (format!("{i:05}"), f64::from(i / 3)))
        .collect();
    let ranks = set.lex_ranks(LexBound::Inclusive(b"01000"), LexBound::Exclusive(b"03001"));
    assert_eq!(ranks, 1000..3001);
}

#[test]
fn a_scan_returns_what_stays_whatever_comes_and_goes() {
    let mut set = SortedSet::new();
    for i in 0..3_000 {
        set.insert(format!("stays:{i}").as_bytes(), f64::from(i));
    }
    let mut random = Random(11);
    let mut seen = std::collections::HashSet::new();
    let (mut position, mut turn) = (0, 0);
    loop {
        let next = set.scan(position, 10, |member, score| {
            assert_eq!(set.score(member), Some(score));
            seen.insert(member.to_vec());
        });
        match next {
            Some(next) => {
                assert!(next > position, "the scan moves on");
                position = next;
            }
            None => break,
        }
        // Grow for a while, then shrink; scores of the others move all the time.
        turn += 1;
        for _ in 0..100 {
            let i = random.below(20_000);
            if turn < 60 {
                set.insert(format!("comes:{i}").as_bytes(), random.below(5_000) as f64);
            } else {
                set.remove(format!("comes:{i}").as_bytes());
            }
            let stays = format!("stays:{}", random.below(3_000));
            set.insert(stays.as_bytes(), random.below(5_000) as f64);
        }
    }
    for i in 0..3_000 {
        assert!(
            seen.contains(format!("stays:{i}").as_bytes()),
            "stays:{i} is missing"
        );
    }
    check_structure(&set);
}

#[test]
fn a_scan_of_an_unchanging_set_returns_each_member_once() {
    let set: SortedSet = (0..2_000).map(|i| (pool_member(i), 1.0)).collect();
    let (mut seen, mut position) = (Vec::new(), Some(0));
    while let Some(from) = position {
        position = set.scan(from, 50, |member, _| seen.push(member.to_vec()));
    }
    seen.sort();
    let mut expected: Vec<_> = (0..2_000).map(pool_member).collect();
    expected.sort();
    assert!(seen == expected, "{} members visited", seen.len());
}

#[test]
fn random_members_are_spread_evenly() {
    let set: SortedSet = (0..1_000).map(|i| (format!("{i}"), f64::from(i))).collect();
    let mut random = Random(3);
    let mut low = 0;
    for _ in 0..10_000 {
        let (_, score) = set.random(&mut || random.next()).expect("not empty");
        low += usize::from(score < 250.0);
    }
    assert!(
        (2_200..2_800).contains(&low),
        "{low} of 10,000 in the first quarter"
    );
    assert!(SortedSet::new().random(&mut || 0).is_none());
}
