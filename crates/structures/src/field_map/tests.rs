//! The map against `BTreeMap`, frozen and while it changes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0_u32..150).prop_map(|value| format!("field:{value}").into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..3),
        1 => (0_u8..3).prop_map(|byte| vec![byte; 70]),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..30),
        1 => proptest::collection::vec(any::<u8>(), 100..300),
    ]
}

fn content<'a>(fields: impl Iterator<Item = FieldRef<'a>>) -> Model {
    let mut content = Model::new();
    for view in fields {
        let value = (view.value.to_vec(), view.deadline_ms);
        let twice = content.insert(view.field.to_vec(), value);
        assert!(twice.is_none(), "a field stands twice");
    }
    content
}

fn check_counts(map: &FieldMap) {
    let blobs: usize = map.records.iter().map(Record::allocated_bytes).sum();
    let dated = map.iter().filter(|view| view.deadline_ms.is_some()).count();
    assert_eq!((map.blob_bytes, map.with_deadline), (blobs, dated));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn behaves_like_a_btree_map(
        steps in proptest::collection::vec((0_u8..12, name(), value(), 1_u64..100), 1..500),
    ) {
        let mut map = FieldMap::new();
        let mut model = Model::new();
        let mut frozen = Vec::new();
        let mut now_ms = 0;
        for (step, field, value, moment) in steps {
            match step {
                0..5 => {
                    let deadline = match step {
                        0..3 => FieldDeadline::Keep,
                        3 => FieldDeadline::Clear,
                        _ => FieldDeadline::AtMs(now_ms + moment),
                    };
                    let present = model.get(&field).and_then(|(_, deadline)| *deadline);
                    let entry = (value.clone(), deadline.over(present));
                    let new = model.insert(field.clone(), entry).is_none();
                    prop_assert_eq!(map.set(&field, &value, deadline), new);
                }
                5 => prop_assert_eq!(map.remove(&field), model.remove(&field).is_some()),
                6..9 => {
                    let deadline = (step < 8).then_some(now_ms + moment);
                    let expected = model
                        .get_mut(&field)
                        .map(|(_, present)| std::mem::replace(present, deadline));
                    prop_assert_eq!(map.set_deadline(&field, deadline), expected);
                }
                9 => {
                    now_ms += moment / 4;
                    let due: Vec<_> = model
                        .iter()
                        .filter(|(_, (_, deadline))| deadline.is_some_and(|at| at <= now_ms))
                        .map(|(field, _)| field.clone())
                        .collect();
                    prop_assert_eq!(map.count_due(now_ms), due.len());
                    let mut removed = Vec::new();
                    while map.expire_due(now_ms, 2, |field| removed.push(field.to_vec())) {}
                    removed.sort();
                    prop_assert_eq!(&removed, &due);
                    for field in &due {
                        model.remove(field);
                    }
                }
                10 if frozen.len() < 4 => frozen.push((map.freeze(), model.clone())),
                _ => {
                    let found = map.find(&field).map(|v| (v.value.to_vec(), v.deadline_ms));
                    prop_assert_eq!(found.as_ref(), model.get(&field));
                }
            }
            prop_assert_eq!(map.len(), model.len());
        }
        prop_assert_eq!(&content(map.iter()), &model);
        prop_assert_eq!(&content(map.clone().iter()), &model);
        check_counts(&map);
        for (frozen, then) in frozen {
            prop_assert_eq!(content(frozen.iter()), then);
        }
        for field in model.keys() {
            prop_assert!(map.remove(field));
        }
        check_counts(&map);
    }

    #[test]
    fn a_scan_emits_what_stays_exactly_once(
        size in 0_u32..2000,
        changes in proptest::collection::vec((0_u32..4000, any::<bool>()), 0..1000),
        count in 1_usize..60,
    ) {
        let name = |n: u32| format!("field:{n}").into_bytes();
        let mut map = FieldMap::new();
        for n in 0..size {
            map.set(&name(n), b"v", FieldDeadline::Clear);
        }
        let mut seen = BTreeMap::<Vec<u8>, u32>::new();
        let mut changes = changes.into_iter();
        let mut cursor = Some(0);
        while let Some(position) = cursor {
            cursor = map.scan(position, count, |view| *seen.entry(view.field.to_vec()).or_default() += 1);
            for (n, insert) in changes.by_ref().take(30) {
                if insert {
                    map.set(&name(10_000 + n), b"v", FieldDeadline::Clear);
                } else {
                    map.remove(&name(10_000 + n));
                }
            }
        }
        for n in 0..size {
            prop_assert_eq!(seen.get(&name(n)), Some(&1));
        }
    }
}

#[test]
fn a_value_of_the_same_size_class_is_changed_in_place() {
    let mut map = FieldMap::new();
    map.set(b"field", b"red", FieldDeadline::AtMs(5));
    let place = |map: &FieldMap| map.find(b"field").unwrap().field.as_ptr();
    let before = place(&map);
    map.set(b"field", b"ochre", FieldDeadline::Keep);
    map.set_deadline(b"field", Some(7));
    assert_eq!(place(&map), before);
    let frozen = map.freeze();
    map.set(b"field", b"earth", FieldDeadline::Keep);
    assert_ne!(place(&map), before);
    let then = frozen.iter().next().unwrap();
    assert_eq!((then.value, then.deadline_ms), (&b"ochre"[..], Some(7)));
}

#[test]
fn a_frozen_map_is_read_while_the_map_changes() {
    let mut map = FieldMap::new();
    let name = |n: u32| format!("field:{n}").into_bytes();
    for n in 0..10_000 {
        map.set(&name(n), b"0", FieldDeadline::Clear);
    }
    for round in 1..5_u32 {
        let frozen = map.freeze();
        let expected = content(map.iter());
        std::thread::scope(|scope| {
            scope.spawn(move || assert_eq!(content(frozen.iter()), expected));
            for n in 0..10_000 {
                map.set(&name(n), &[b'0' + round as u8], FieldDeadline::Keep);
                map.set_deadline(&name(n), Some(u64::from(round + n)));
            }
        });
    }
    assert!(map.iter().all(|view| view.value == b"4"));
    check_counts(&map);
    while map.drop_some() {}
    assert!(map.is_empty());
}
