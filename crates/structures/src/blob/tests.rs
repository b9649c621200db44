//! Blobs against plain byte vectors.

use proptest::prelude::*;

use super::{Blob, Content, IntOrBlob, read_varint, write_varint};
use crate::size_class::size_class;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(any::<u8>(), 110..140),
        proptest::collection::vec(any::<u8>(), 16_370..16_400),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn varints_read_back(value in any::<usize>(), shift in 0_u32..64) {
        let value = value >> shift;
        let (bytes, used) = write_varint(value);
        prop_assert_eq!(read_varint(&bytes[..used]), (value, used));
    }

    #[test]
    fn a_blob_is_its_parts(mark in any::<u16>(), first in bytes(), second in bytes()) {
        let blob = Blob::new(mark, &[&first, &second]);
        let expected = [first, second].concat();
        prop_assert_eq!(blob.bytes(), &expected[..]);
        prop_assert_eq!((blob.mark(), blob.len()), (mark, expected.len()));
        let prefix = write_varint(expected.len()).1;
        prop_assert_eq!(blob.allocated_bytes(), size_class(4 + prefix + expected.len()));
        let other = blob.clone();
        drop(blob);
        prop_assert_eq!(other.bytes(), &expected[..]);
    }

    #[test]
    fn tails_are_replaced_in_place_or_not_at_all(
        start in bytes(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), bytes(), any::<bool>()), 1..8),
    ) {
        let mut model = start;
        let mut blob = Blob::new(7, &[&model]);
        for (at, tail, shared) in edits {
            let at = at.index(model.len() + 1);
            let other = shared.then(|| blob.clone());
            let before = (blob.allocated_bytes(), model.clone());
            let mut edited = model[..at].to_vec();
            edited.extend_from_slice(&tail);
            let class = Blob::new(0, &[&edited]).allocated_bytes();
            let done = blob.replace_tail(at, &tail);
            prop_assert_eq!(done, !shared && class == before.0);
            if done {
                model = edited;
            }
            prop_assert_eq!(blob.bytes(), &model[..]);
            prop_assert_eq!((blob.mark(), blob.bytes_mut().is_some()), (7, !shared));
            if let Some(other) = other {
                prop_assert_eq!(other.bytes(), &before.1[..]);
            }
        }
    }

    #[test]
    fn integers_need_no_blob(value in prop_oneof![any::<i64>(), -1000_i64..1000, Just(i64::MIN), Just(i64::MAX / 2), Just(i64::MAX / 2 + 1)]) {
        let fits = (i64::MIN / 2..=i64::MAX / 2).contains(&value);
        let slot = IntOrBlob::from_int(value);
        prop_assert_eq!(slot.is_some(), fits);
        if let Some(slot) = slot {
            let copy = slot.clone();
            let read = |slot: &IntOrBlob| match slot.get() {
                Content::Int(value) => Some(value),
                Content::Blob(_) => None,
            };
            prop_assert_eq!((read(&slot), read(&copy)), (Some(value), Some(value)));
        }
    }
}

#[test]
fn a_tagged_blob_is_the_blob() {
    let slot = IntOrBlob::from_blob(Blob::new(0xfffe, &[b"red ", b"earth"]));
    let copy = slot.clone();
    drop(slot);
    let Content::Blob(blob) = copy.get() else {
        panic!("a blob stays one");
    };
    assert_eq!((blob.bytes(), blob.mark()), (&b"red earth"[..], 0xfffe));
    assert!(!blob.is_shared());
}

#[test]
fn owners_on_several_threads_see_the_same_bytes() {
    let blob = Blob::new(0, &[b"ochre"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let blob = blob.clone();
            scope.spawn(move || {
                for _ in 0..200 {
                    assert_eq!(blob.clone().bytes(), b"ochre");
                }
            });
        }
    });
    assert!(!blob.is_shared());
}
