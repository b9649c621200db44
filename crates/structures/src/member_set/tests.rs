//! The set against `BTreeSet`, frozen and while it changes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-300_i64..300).prop_map(|value| value.to_string().into_bytes()),
        1 => (i64::MAX / 2 - 2..i64::MAX / 2 + 3).prop_map(|value| value.to_string().into_bytes()),
        1 => Just(i64::MIN.to_string().into_bytes()),
        4 => (0_u32..300).prop_map(|value| format!("member:{value}").into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..3),
        1 => (0_u8..4).prop_map(|byte| vec![byte; 300]),
    ]
}

fn content(members: impl Iterator<Item = Vec<u8>>) -> BTreeSet<Vec<u8>> {
    let mut content = BTreeSet::new();
    for member in members {
        assert!(content.insert(member), "a member stands twice");
    }
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn behaves_like_a_btree_set(
        steps in proptest::collection::vec((0_u8..8, member()), 1..600),
    ) {
        let mut set = MemberSet::new();
        let mut model = BTreeSet::new();
        let mut frozen = Vec::new();
        for (step, member) in steps {
            let bytes = &member[..];
            match step {
                0..4 => prop_assert_eq!(set.insert(bytes), model.insert(member.clone())),
                4..6 => prop_assert_eq!(set.remove(bytes), model.remove(&member)),
                6 => prop_assert_eq!(set.contains(bytes), model.contains(&member)),
                _ if frozen.len() < 4 => frozen.push((set.freeze(), model.clone())),
                _ => {}
            }
            prop_assert_eq!(set.len(), model.len());
        }
        prop_assert_eq!(&content(set.iter().map(|e| e.to_vec())), &model);
        prop_assert_eq!(&content(set.clone().iter().map(|e| e.to_vec())), &model);
        for (frozen, then) in frozen {
            prop_assert_eq!(&content(frozen.iter().map(|e| e.to_vec())), &then);
            let mut visited = Vec::new();
            let mut slice = (!then.is_empty()).then_some(0);
            while let Some(at) = slice {
                slice = frozen.visit_slice(at, |e| visited.push(e.to_vec()));
            }
            prop_assert_eq!(&content(visited.into_iter()), &then);
            let (mut frozen, mut taken) = (frozen, Vec::new());
            while frozen.take_slice(|e| taken.push(e.to_vec())) {}
            prop_assert_eq!(content(taken.into_iter()), then);
            prop_assert!(frozen.is_empty());
        }
        let blobs: usize = set.members.iter().map(Member::allocated_bytes).sum();
        prop_assert_eq!(set.memory_bytes(), set.members.memory_bytes() + blobs);
        for member in &model {
            prop_assert!(set.remove(&member[..]));
        }
        prop_assert_eq!(set.blob_bytes, 0);
    }

    #[test]
    fn a_scan_emits_what_stays_exactly_once(
        stay in proptest::collection::btree_set(0_i64..5000, 0..800),
        others in proptest::collection::vec((0_i64..5000, any::<bool>()), 0..800),
        count in 1_usize..40,
    ) {
        let mut set: MemberSet = stay.iter().copied().collect();
        let mut seen = Vec::new();
        let mut others = others.into_iter().filter(|(value, _)| !stay.contains(value));
        let mut cursor = Some(0);
        while let Some(position) = cursor {
            cursor = set.scan(position, count, |member| seen.extend(member.as_integer()));
            prop_assert_ne!(cursor, Some(0));
            for (value, insert) in others.by_ref().take(20) {
                if insert { set.insert(value) } else { set.remove(value) };
            }
        }
        let kept: Vec<i64> = seen.into_iter().filter(|value| stay.contains(value)).collect();
        prop_assert_eq!(kept.len(), stay.len());
        prop_assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), stay);
    }
}

#[test]
fn an_integer_has_one_form() {
    let mut set = MemberSet::new();
    assert!(set.insert(12) && !set.insert(&b"12"[..]) && set.insert(&b"012"[..]));
    assert!(set.insert(i64::MAX) && !set.insert(i64::MAX.to_string().as_bytes()));
    assert!(set.contains(i64::MAX) && set.remove(&b"12"[..]) && set.len() == 2);
}

#[test]
fn random_members_are_spread_evenly() {
    let set: MemberSet = (0..100_i64).collect();
    let mut state = 7_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut counts = [0_u32; 100];
    for _ in 0..20_000 {
        let value = set.random(&mut random).and_then(|e| e.as_integer());
        counts[value.unwrap() as usize] += 1;
    }
    assert!(
        counts.iter().all(|count| (100..300).contains(count)),
        "{counts:?}"
    );
    assert!(MemberSet::new().random(&mut random).is_none());
}

#[test]
fn a_frozen_set_is_read_while_the_set_changes() {
    let mut set: MemberSet = (0..20_000_i64).collect();
    set.extend((0..5000).map(|n| Element::Str([&b"one"[..], &b"two"[..]][n % 2])));
    for round in 0..4_i64 {
        let frozen = set.freeze();
        let expected = content(set.iter().map(|e| e.to_vec()));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                assert_eq!(content(frozen.iter().map(|e| e.to_vec())), expected);
            });
            for value in 0..5000 {
                set.remove(value * 4 + round);
                set.insert(format!("new:{round}:{value}").as_bytes());
            }
        });
    }
    assert_eq!(set.len(), 20_002);
    while set.drop_some() {}
    assert!(set.is_empty());
}
