//! Frozen sets: what they hold stays, in this thread and in others.

use super::*;

fn filled(count: usize) -> SortedSet {
    (0..count)
        .map(|i| (format!("member:{i:017}"), (i * 7919 % count) as f64))
        .collect()
}

#[test]
fn frozen_sets_may_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<FrozenSortedSet>();
    check::<FrozenMembers>();
    check::<SortedSet>();
}

#[test]
fn a_write_copies_only_what_it_touches() {
    let mut set = filled(20_000);
    let leaves = |tree: &Tree| -> Vec<*const u8> {
        (0..tree.len)
            .map(|rank| {
                tree.at_rank(rank)
                    .map_or(std::ptr::null(), |(leaf, _)| leaf.member(0).as_ptr())
            })
            .collect()
    };
    let frozen = set.freeze();
    assert_eq!(leaves(&set.tree), leaves(&frozen.clone().into_tree()));
    set.insert(b"member:00000000000000100", 0.5);
    let (now, then) = (leaves(&set.tree), leaves(&frozen.into_tree()));
    let copied = now.iter().filter(|leaf| !then.contains(leaf)).count();
    assert!(
        copied > 0 && copied < 250,
        "{copied} members lie in copied leaves"
    );
}

#[test]
fn readers_in_other_threads_see_the_frozen_set_while_writes_go_on() {
    let mut set = filled(20_000);
    let mut random = Random(5);
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for _ in 0..8 {
            let frozen = set.freeze();
            let expected = bits(set.iter());
            readers.push(scope.spawn(move || {
                let mut seen = Vec::new();
                let mut next = Some(0);
                while let Some(rank) = next {
                    next = frozen.visit_from(rank, 100, |member, score| {
                        seen.push((member.to_vec(), score.to_bits()));
                    });
                    std::thread::yield_now();
                }
                assert!(seen == expected, "forwards");
                let mut next = Some(frozen.len());
                while let Some(rank) = next {
                    next = frozen.visit_back_from(rank, 333, |member, score| {
                        let expected = seen.pop();
                        assert_eq!(expected, Some((member.to_vec(), score.to_bits())));
                    });
                }
                assert!(seen.is_empty(), "backwards");
            }));
            for _ in 0..3_000 {
                let member = format!("member:{:017}", random.below(30_000));
                match random.below(3) {
                    0 => drop(set.remove(member.as_bytes())),
                    _ => drop(set.insert(member.as_bytes(), random.below(20_000) as f64)),
                }
            }
        }
        for reader in readers {
            reader.join().expect("a reader has seen what it should");
        }
    });
    check_structure(&set);
}

#[test]
fn dropping_in_slices_frees_all_and_leaves_an_empty_set() {
    let mut set = filled(20_000);
    let mut frozen = set.freeze();
    assert!(set.memory_bytes() > 20_000 * 35);
    assert!(!set.drop_some());
    assert!(set.is_empty());
    assert_eq!(set.score(b"member:00000000000000001"), None);
    set.insert(b"again", 1.0);
    check_structure(&set);
    let mut slices = 1;
    while !set.drop_some() {
        slices += 1;
    }
    assert!(slices > 5, "freed in {slices} slices");
    assert!(set.is_empty() && set.memory_bytes() < 1_000);
    assert_eq!(frozen.len(), 20_000);
    assert_eq!(frozen.iter().count(), 20_000);
    while !frozen.drop_some() {}
    assert!(frozen.is_empty() && frozen.iter().next().is_none());
}

#[test]
fn memory_follows_what_is_stored() {
    let mut set = filled(10_000);
    let full = set.memory_bytes();
    set.remove_range_by_rank(100..10_000, |_, _| ());
    assert!(
        set.memory_bytes() < full / 5,
        "{} of {full}",
        set.memory_bytes()
    );
}
