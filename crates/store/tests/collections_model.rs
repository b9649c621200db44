//! Hashes and sets over their encodings against std collections, with the encoding that
//! Redis 7.2 reports at every step.

use std::collections::{BTreeMap, BTreeSet};

use ochre_store::value::hash::{HashMut, HashRef, earliest_field_deadline_ms, empty_hash};
use ochre_store::value::set::{NewSet, SetEncoding, SetMut, SetRef, new_set};
use ochre_store::{Entry, Settings, encoding_name};
use ochre_structures::field_map::FieldDeadline;
use ochre_structures::listpack::Element;
use proptest::prelude::*;

/// Limits low enough for a test to pass them.
fn settings() -> Settings {
    Settings {
        hash_max_listpack_entries: 8,
        hash_max_listpack_value: 12,
        set_max_intset_entries: 6,
        set_max_listpack_entries: 8,
        set_max_listpack_value: 12,
        ..Settings::default()
    }
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0_u32..8).prop_map(|n| format!("f{n}").into_bytes()),
        2 => (-4_i64..8).prop_map(|n| n.to_string().into_bytes()),
        1 => (0_u32..40).prop_map(|n| format!("field-{n}").into_bytes()),
        1 => Just(b"longer than twelve".to_vec()),
    ]
}

type HashModel = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn hash_content(entry: &Entry, now_ms: u64) -> HashModel {
    let hash = HashRef::of(entry, now_ms).unwrap();
    let mut content = HashModel::new();
    hash.visit(|field| {
        let value = (field.value.to_vec(), field.deadline_ms);
        assert!(content.insert(field.name.to_vec(), value).is_none());
    });
    assert_eq!(hash.len(), content.len());
    content
}

fn live(model: &HashModel, now_ms: u64) -> HashModel {
    let is_live = |deadline: &Option<u64>| deadline.is_none_or(|at| at > now_ms);
    let fields = model.iter().filter(|(_, (_, deadline))| is_live(deadline));
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn set_content(set: SetRef<'_>) -> BTreeSet<Vec<u8>> {
    let mut content = BTreeSet::new();
    set.visit(|member| assert!(content.insert(member.to_vec()), "a member stands twice"));
    assert_eq!(set.len(), content.len());
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_hash_is_a_map_in_every_encoding(
        steps in proptest::collection::vec((0_u8..8, name(), name(), 1_u64..50), 1..60),
    ) {
        let settings = settings();
        let mut entry = Entry::new(b"key", empty_hash(), None);
        let mut model = HashModel::new();
        let mut now_ms = 1;
        let mut encoding = "listpack";
        for (step, name, value, moment) in steps {
            let mut hash = HashMut::of(&mut entry, &settings).unwrap();
            match step {
                0..4 => {
                    let deadline = match step {
                        0 => FieldDeadline::Keep,
                        1 | 2 => FieldDeadline::Clear,
                        _ => FieldDeadline::AtMs(now_ms + moment),
                    };
                    let present = model.get(&name).and_then(|(_, deadline)| *deadline);
                    let stored = (value.clone(), deadline.over(present));
                    let new = model.insert(name.clone(), stored).is_none();
                    prop_assert_eq!(hash.set(&name, &value, deadline), new);
                    let long = name.len() > 12 || value.len() > 12;
                    if encoding != "hashtable" && (long || model.len() > 8) {
                        encoding = "hashtable";
                    } else if encoding == "listpack" && step == 3 {
                        encoding = "listpackex";
                    }
                }
                4 => prop_assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
                5 => {
                    let deadline = (moment % 3 > 0).then_some(now_ms + moment);
                    let expected = model
                        .get_mut(&name)
                        .map(|(_, present)| std::mem::replace(present, deadline));
                    prop_assert_eq!(hash.set_deadline(&name, deadline), expected.is_some());
                    let changes = expected.is_some_and(|present| present != deadline);
                    if changes && encoding == "listpack" {
                        encoding = "listpackex";
                    }
                }
                6 => {
                    now_ms += moment / 3;
                    prop_assert_eq!(hash_content(&entry, now_ms), live(&model, now_ms));
                    let mut removed = Vec::new();
                    let mut hash = HashMut::of(&mut entry, &settings).unwrap();
                    hash.expire_due(now_ms, usize::MAX, |name| removed.push(name.to_vec()));
                    removed.sort();
                    let kept = live(&model, now_ms);
                    let due: Vec<_> =
                        model.keys().filter(|name| !kept.contains_key(*name)).cloned().collect();
                    prop_assert_eq!(removed, due);
                    model = kept;
                }
                _ => {
                    let view = hash.view();
                    let found = view.find(&name).map(|f| (f.value.to_vec(), f.deadline_ms));
                    prop_assert_eq!(found.as_ref(), model.get(&name));
                    let mut page = 0;
                    let mut cursor = view.scan(0, 3, |_| page += 1);
                    while cursor != 0 {
                        cursor = view.scan(cursor, 3, |_| page += 1);
                    }
                    prop_assert_eq!(page, model.len());
                    prop_assert_eq!(view.random(&mut || moment).is_some(), !model.is_empty());
                }
            }
            prop_assert_eq!(encoding_name(&entry), encoding);
            prop_assert_eq!(&hash_content(&entry, 0), &model);
            let earliest = model.values().filter_map(|(_, deadline)| *deadline).min();
            let known = earliest_field_deadline_ms(&entry);
            prop_assert!(earliest.is_none() || known <= earliest, "{known:?} {earliest:?}");
            prop_assert_eq!(known.is_some(), earliest.is_some());
        }
    }

    #[test]
    fn a_set_is_a_set_in_every_encoding(
        first in name(),
        steps in proptest::collection::vec((0_u8..6, name()), 1..60),
    ) {
        let settings = settings();
        let is_int = |member: &[u8]| Element::Str(member).as_integer().is_some();
        let mut entry = Entry::new(b"key", new_set(&first, 1, &settings), None);
        let mut encoding = if is_int(&first) { "intset" } else { "listpack" };
        let mut model = BTreeSet::new();
        let all = std::iter::once((0, first)).chain(steps);
        for (step, member) in all {
            let mut set = SetMut::of(&mut entry, &settings).unwrap();
            match step {
                0..4 => {
                    let longest = model.iter().map(Vec::len).max().unwrap_or(0).max(member.len());
                    let len = model.len();
                    let new = model.insert(member.clone());
                    prop_assert_eq!(set.add(Element::Str(&member)), new);
                    encoding = match encoding {
                        "intset" if is_int(&member) && model.len() <= 6 => "intset",
                        "intset" if is_int(&member) => "hashtable",
                        "intset" | "listpack" if !new || (len < 8 && longest <= 12) => "listpack",
                        _ => "hashtable",
                    };
                }
                4 => prop_assert_eq!(set.remove(Element::Str(&member)), model.remove(&member)),
                _ => {
                    let view = set.view();
                    prop_assert_eq!(view.contains(Element::Str(&member)), model.contains(&member));
                    let mut page = 0;
                    let mut cursor = view.scan(0, 3, |_| page += 1);
                    while cursor != 0 {
                        cursor = view.scan(cursor, 3, |_| page += 1);
                    }
                    prop_assert_eq!(page, model.len());
                    prop_assert_eq!(view.random(&mut || 3).is_some(), !model.is_empty());
                }
            }
            prop_assert_eq!(encoding_name(&entry), encoding);
            prop_assert_eq!(&set_content(SetRef::of(&entry).unwrap()), &model);
        }
    }
}

#[test]
fn many_arguments_make_large_collections_at_once() {
    let settings = settings();
    let encoding_of = |first: &[u8], expected| {
        encoding_name(&Entry::new(
            b"key",
            new_set(first, expected, &settings),
            None,
        ))
    };
    assert_eq!(encoding_of(b"1", 6), "intset");
    assert_eq!(encoding_of(b"1", 7), "listpack");
    assert_eq!(encoding_of(b"x", 8), "listpack");
    assert_eq!(encoding_of(b"1", 9), "hashtable");
    let mut entry = Entry::new(b"key", empty_hash(), None);
    let pairs = [&b"same"[..]; 18];
    HashMut::of(&mut entry, &settings)
        .unwrap()
        .expect(&pairs[..16]);
    assert_eq!(encoding_name(&entry), "listpack");
    HashMut::of(&mut entry, &settings).unwrap().expect(&pairs);
    assert_eq!(encoding_name(&entry), "hashtable");
}

#[test]
fn a_new_set_of_integers_becomes_an_intset() {
    let settings = settings();
    let mut set = NewSet::new(SetEncoding::Table, &settings);
    for value in [3, -70_000, 12] {
        set.edit().add(Element::Int(value));
    }
    set.edit().make_intset();
    let entry = set.store(|payload| Entry::new(b"key", payload, None));
    let SetRef::Ints(ints) = SetRef::of(&entry).unwrap() else {
        panic!("it is an intset");
    };
    assert_eq!(ints.iter().collect::<Vec<_>>(), [-70_000, 3, 12]);
}
