//! Lists against `VecDeque`, frozen ones against what they were.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::listpack::{self, Shape, validate};

fn limit() -> impl Strategy<Value = NodeLimit> {
    prop_oneof![
        Just(NodeLimit::from_config(-1)),
        (1..6_i64).prop_map(NodeLimit::from_config),
        Just(NodeLimit::from_config(4).with_packed_threshold(12)),
        Just(NodeLimit::from_config(-1).with_packed_threshold(700)),
    ]
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (-6..6_i64).prop_map(|i| i.to_string().into_bytes()),
        2 => any::<i64>().prop_map(|i| i.to_string().into_bytes()),
        4 => vec(prop_oneof![Just(b'a'), Just(b'b')], 0..4),
        1 => vec(any::<u8>(), 0..20),
        2 => (600..900_usize).prop_map(|len| vec![b'l'; len]),
        1 => (4000..4200_usize).prop_map(|len| vec![b'p'; len]),
    ]
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Front), Just(Side::Back)]
}

#[derive(Clone, Debug)]
enum Step {
    Push(Side, Vec<u8>),
    Pop(Side),
    Set(i64, Vec<u8>),
    Insert(Vec<u8>, Place, Vec<u8>),
    Remove(i64, Vec<u8>),
    Trim(i64, i64),
    DeleteRange(usize, usize),
    TakeStretch(Side, usize, usize),
    Freeze,
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    let place = prop_oneof![Just(Place::Before), Just(Place::After)];
    let near = || -12..12_i64;
    prop_oneof![
        12 => (side(), element()).prop_map(|(side, e)| Step::Push(side, e)),
        2 => side().prop_map(Step::Pop),
        3 => (near(), element()).prop_map(|(i, e)| Step::Set(i, e)),
        5 => (element(), place, element()).prop_map(|(p, at, e)| Step::Insert(p, at, e)),
        2 => (-3..4_i64, element()).prop_map(|(n, e)| Step::Remove(n, e)),
        1 => (0..3_i64, prop_oneof![-3..0_i64, 8..40_i64]).prop_map(|(a, b)| Step::Trim(a, b)),
        1 => (0..20_usize, 0..8_usize).prop_map(|(at, n)| Step::DeleteRange(at, n)),
        1 => (side(), 0..30_usize, 1..5_usize).prop_map(|(side, n, by)| Step::TakeStretch(side, n, by)),
        2 => Just(Step::Freeze),
        1 => Just(Step::Reload),
    ]
}

type Model = VecDeque<Vec<u8>>;

fn model_index(model: &Model, index: i64) -> Option<usize> {
    let index = if index < 0 {
        index + model.len() as i64
    } else {
        index
    };
    (0..model.len() as i64)
        .contains(&index)
        .then_some(index as usize)
}

/// The elements of a stretch, read so many at a time.
fn read_stretch(mut stretch: Stretch, slice: usize) -> Vec<Vec<u8>> {
    let mut read = Vec::new();
    while !stretch.is_empty() {
        let (before, left) = (read.len(), stretch.len());
        stretch.read(slice, |element| read.push(element.to_vec()));
        assert_eq!(read.len() - before, slice.min(left));
        assert_eq!(stretch.len(), left - slice.min(left));
    }
    stretch.read(slice, |_| panic!("nothing is left"));
    read
}

fn apply(list: &mut List, model: &mut Model, step: Step) {
    match step {
        Step::Push(side, element) => {
            list.push(side, &element);
            match side {
                Side::Front => model.push_front(element),
                Side::Back => model.push_back(element),
            }
        }
        Step::Pop(side) => {
            let expected = match side {
                Side::Front => model.pop_front(),
                Side::Back => model.pop_back(),
            };
            assert_eq!(list.peek(side).map(|e| e.to_vec()), expected);
            assert_eq!(list.pop(side, |e| e.to_vec()), expected);
        }
        Step::Set(index, element) => {
            let at = model_index(model, index);
            assert_eq!(list.set(index, &element), at.is_some());
            if let Some(at) = at {
                model[at] = element;
            }
        }
        Step::Insert(pivot, place, element) => {
            let at = model.iter().position(|e| *e == pivot);
            assert_eq!(list.insert(&pivot, place, &element), at.is_some());
            if let Some(at) = at {
                model.insert(at + usize::from(place == Place::After), element);
            }
        }
        Step::Remove(count, element) => {
            let mut doomed: Vec<usize> =
                (0..model.len()).filter(|&i| model[i] == element).collect();
            if count < 0 {
                doomed.reverse();
            }
            if count != 0 {
                doomed.truncate(count.unsigned_abs() as usize);
            }
            assert_eq!(list.remove(count, &element), doomed.len());
            doomed.sort_unstable();
            for index in doomed.into_iter().rev() {
                model.remove(index);
            }
        }
        Step::Trim(start, stop) => {
            list.trim(start, stop);
            let kept = resolve_range(start, stop, model.len());
            *model = model.range(kept).cloned().collect();
        }
        Step::DeleteRange(start, count) => {
            let start = start.min(model.len());
            let end = (start + count).min(model.len());
            assert_eq!(list.delete_range(start, count), end - start);
            drop(model.drain(start..end));
        }
        Step::TakeStretch(side, count, slice) => {
            let expected: Vec<Vec<u8>> = match side {
                Side::Front => model.iter().take(count).cloned().collect(),
                Side::Back => model.iter().rev().take(count).cloned().collect(),
            };
            // As delete_range leaves it, node by node.
            let mut twin = list.clone();
            let start = match side {
                Side::Front => 0,
                Side::Back => list.len() - count.min(list.len()),
            };
            twin.delete_range(start, count);
            let shared = list.share_stretch(side, count);
            assert_eq!(read_stretch(shared, slice), expected);
            let taken = list.take_stretch(side, count);
            let nodes = |list: &List| -> Vec<Vec<u8>> {
                list.nodes().map(|node| node.bytes.to_vec()).collect()
            };
            assert_eq!(nodes(list), nodes(&twin));
            assert_eq!(read_stretch(taken, slice), expected);
            drop(model.drain(start..start + expected.len()));
        }
        Step::Freeze => {}
        Step::Reload => {
            let mut loaded = List::new(list.limit());
            for node in list.nodes() {
                let bytes = node.bytes.to_vec();
                match node.container {
                    Container::Plain => loaded.push_plain_node(bytes),
                    Container::Packed => loaded.push_packed_node(bytes).expect("well formed"),
                }
            }
            assert_eq!(loaded.node_count(), list.node_count());
            *list = loaded;
        }
    }
}

fn check(list: &List, model: &Model) {
    assert_eq!(list.len(), model.len());
    assert_eq!(list.is_empty(), model.is_empty());
    let forward: Model = list.iter().map(|e| e.to_vec()).collect();
    assert_eq!(&forward, model);
    let mut counted = 0;
    for node in list.nodes() {
        let count = match node.container {
            Container::Plain => Ok(1),
            Container::Packed => validate(node.bytes, Shape::Elements),
        };
        assert_eq!(count, Ok(node.count));
        assert!(node.count > 0, "an empty node");
        let single = node.count == 1;
        // A part of a split node takes the element that split it, at the cut, even if
        // that is too much, as in Redis: so each end may hold one beyond the limit.
        let bytes = node.bytes.len().saturating_sub(64) / 3;
        assert!(single || !list.limit().is_exceeded_by(bytes, node.count));
        counted += node.count;
    }
    assert_eq!(counted, list.len());
    let bytes: usize = list.nodes().map(|node| node.bytes.len()).sum();
    assert_eq!(list.content_bytes(), bytes);
    assert!(list.memory_bytes() > bytes);
    let only_node = list
        .nodes()
        .next()
        .filter(|node| node.container == Container::Packed && list.node_count() == 1);
    assert_eq!(list.as_listpack(), only_node.map(|node| node.bytes));
}

fn check_reads(list: &List, model: &Model) {
    let len = model.len();
    for index in 0..len {
        let element = &model[index];
        assert!(list.get(index as i64).is_some_and(|e| e.eq_bytes(element)));
        let from_end = index as i64 - len as i64;
        assert!(list.get(from_end).is_some_and(|e| e.eq_bytes(element)));
        let onward: Vec<_> = list
            .iter_from(index, Direction::Forward)
            .map(|e| e.to_vec())
            .collect();
        assert!(onward.iter().eq(model.range(index..)));
        let back: Vec<_> = list
            .iter_from(index, Direction::Backward)
            .map(|e| e.to_vec())
            .collect();
        assert!(back.iter().eq(model.range(..=index).rev()));
    }
    assert!(list.get(len as i64).is_none() && list.get(-(len as i64) - 1).is_none());
    assert!(list.get(i64::MIN).is_none() && list.get(i64::MAX).is_none());
    assert_eq!(list.iter_from(len, Direction::Forward).count(), 0);
    assert_eq!(list.iter_from(usize::MAX, Direction::Backward).count(), 0);
}

fn check_frozen(frozen: &FrozenList, model: &Model, slice: usize) {
    let mut seen = Model::new();
    let mut cursor = Some(frozen.cursor(0));
    while let Some(here) = cursor {
        let before = seen.len();
        assert_eq!(here, frozen.cursor(before), "one cursor an element");
        cursor = frozen.visit_from(here, slice, |e| seen.push_back(e.to_vec()));
        assert!(seen.len() - before <= slice);
        assert!(cursor.is_none() || seen.len() - before == slice);
    }
    assert_eq!(&seen, model);
    check(frozen, model);
}

fn positions(model: &Model, element: &[u8], rank: i64, count: usize, max_len: usize) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..model.len()).collect();
    if rank < 0 {
        indices.reverse();
    }
    if max_len > 0 {
        indices.truncate(max_len);
    }
    indices.retain(|&index| model[index] == element);
    let mut found: Vec<_> = indices
        .into_iter()
        .skip(rank.unsigned_abs() as usize - 1)
        .collect();
    if count > 0 {
        found.truncate(count);
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn writes_match_a_deque_and_leave_frozen_lists_alone(
        limit in limit(),
        steps in vec(step(), 1..120),
        slice in 1..9_usize,
    ) {
        let (mut list, mut model) = (List::new(limit), Model::new());
        let mut frozen = Vec::new();
        for step in steps {
            if matches!(step, Step::Freeze) {
                frozen.push((list.freeze(), model.clone()));
            }
            apply(&mut list, &mut model, step);
            check(&list, &model);
        }
        check_reads(&list, &model);
        for (mut frozen, then) in frozen {
            check_frozen(&frozen, &then, slice);
            let nodes = frozen.node_count();
            prop_assert_eq!(frozen.drop_some(1), nodes <= 1);
            prop_assert!(frozen.drop_some(nodes) && frozen.is_empty());
        }
        check(&list, &model);
    }

    #[test]
    fn positions_match_lpos(
        limit in limit(),
        elements in vec(-3..3_i64, 0..40),
        needle in -3..3_i64,
        rank in prop_oneof![1..4_i64, -4..0_i64],
        count in 0..4_usize,
        max_len in 0..30_usize,
    ) {
        let (mut list, mut model) = (List::new(limit), Model::new());
        for element in elements {
            apply(&mut list, &mut model, Step::Push(Side::Back, element.to_string().into()));
        }
        let needle = needle.to_string().into_bytes();
        prop_assert_eq!(
            list.positions(&needle, rank, count, max_len),
            positions(&model, &needle, rank, count, max_len)
        );
        prop_assert!(list.positions(&needle, 0, 0, 0).is_empty());
        prop_assert!(list.positions(&needle, i64::MIN, 0, 0).is_empty());
    }

    #[test]
    fn ranges_resolve_as_lrange_does(start in -8..8_i64, stop in -8..8_i64, len in 0..6_usize) {
        let signed = len as i64;
        let from = if start < 0 { start + signed } else { start };
        let to = if stop < 0 { stop + signed } else { stop };
        let expected: Vec<usize> = (0..len)
            .filter(|&index| from <= index as i64 && index as i64 <= to)
            .collect();
        prop_assert_eq!(resolve_range(start, stop, len).collect::<Vec<_>>(), expected);
        let whole = resolve_range(i64::MIN, i64::MAX, len);
        prop_assert_eq!(whole, 0..len);
        prop_assert!(resolve_range(i64::MAX, i64::MIN, len).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_damaged_node_is_refused_or_makes_a_sound_list(
        elements in vec(element(), 1..8),
        damage in vec((any::<usize>(), any::<u8>()), 0..3),
        steps in vec(step(), 0..12),
    ) {
        let mut bytes = listpack::EMPTY.to_vec();
        listpack::append_all(&mut bytes, elements.iter().filter(|e| e.len() < 30));
        let len = bytes.len();
        for (at, byte) in damage {
            bytes[at % len] = byte;
        }
        let mut list = List::new(NodeLimit::from_config(-1));
        let loaded = list.push_packed_node(bytes.clone());
        prop_assert_eq!(loaded, validate(&bytes, Shape::Elements).map(drop));
        let mut model: Model = list.iter().map(|e| e.to_vec()).collect();
        prop_assert_eq!(model.len(), list.len());
        for step in steps {
            apply(&mut list, &mut model, step);
            check(&list, &model);
        }
    }
}

fn numbers(count: i64, limit: i64) -> List {
    let mut list = List::new(NodeLimit::from_config(limit));
    for i in 0..count {
        list.push(Side::Back, format!("element:{i}").as_bytes());
    }
    list
}

#[test]
fn a_list_crosses_to_another_thread_when_frozen() {
    let mut list = numbers(5000, -1);
    let frozen = list.freeze();
    let reader = std::thread::spawn(move || frozen.iter().map(|e| e.len()).sum::<usize>());
    list.trim(1, 0);
    assert!(list.is_empty() && list.node_count() == 0);
    assert_eq!(
        reader.join().ok(),
        Some((0..5000).map(|i| format!("element:{i}").len()).sum())
    );
}

#[test]
fn a_write_copies_one_node_of_a_frozen_list() {
    let mut list = numbers(10_000, -2);
    let frozen = list.freeze();
    assert!(list.set(5000, b"new"));
    let copied = list
        .nodes()
        .zip(frozen.nodes())
        .filter(|(own, theirs)| own.bytes.as_ptr() != theirs.bytes.as_ptr())
        .count();
    assert_eq!(copied, 1);
    assert!(list.node_count() > 10);
}

#[test]
fn nodes_that_shrink_are_merged() {
    let mut list = List::new(NodeLimit::from_config(-1));
    for i in 0..32_000 {
        list.push(Side::Back, if i % 8 == 0 { b"keep" } else { b"drop" });
    }
    let before = list.node_count();
    assert_eq!(list.remove(0, b"drop"), 28_000);
    assert_eq!(list.len(), 4000);
    assert!(
        list.node_count() * 7 < before,
        "{} of {before}",
        list.node_count()
    );
}

#[test]
fn a_listpack_becomes_a_list_and_back() {
    let mut bytes = listpack::EMPTY.to_vec();
    assert!(List::from_listpack(NodeLimit::from_config(-2), &bytes).is_empty());
    listpack::append_all(&mut bytes, [b"a", b"1", b"b"]);
    let mut list = List::from_listpack(NodeLimit::from_config(-2), &bytes);
    assert_eq!(list.as_listpack(), Some(&bytes[..]));
    list.push(Side::Front, &[b'x'; 9000]);
    assert_eq!(list.as_listpack(), None);
    assert_eq!(list.pop(Side::Front, |e| e.len()), Some(9000));
    assert_eq!(list.as_listpack(), Some(&bytes[..]));
    assert!(list.push_packed_node(b"no listpack".to_vec()).is_err());
    assert!(list.push_packed_node(listpack::EMPTY.to_vec()).is_ok());
    assert_eq!((list.len(), list.node_count()), (3, 1));
}
