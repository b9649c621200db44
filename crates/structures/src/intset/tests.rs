//! Intsets against bytes made by a real Redis, against `BTreeSet`, and against noise.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The values that redis-server 7.0.15 gave to DUMP.
#[test]
fn the_bytes_are_what_redis_writes() {
    let mut bytes = EMPTY.to_vec();
    for value in [5, -3, 70_000, 1] {
        assert!(insert(&mut bytes, value));
    }
    assert_eq!(
        bytes,
        [
            4, 0, 0, 0, 4, 0, 0, 0, 0xFD, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 5, 0, 0, 0, 0x70, 0x11, 1,
            0
        ]
    );
    assert!(insert(&mut bytes, 1 << 40));
    assert!(remove(&mut bytes, 1 << 40));
    assert_eq!(
        Intset::new(&bytes).width(),
        Width::Eight,
        "never narrower again"
    );
    assert_eq!(validate(&bytes), Ok(4));
}

#[test]
fn validation_says_what_is_wrong() {
    let good = [2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0];
    assert_eq!(validate(&good), Ok(2));
    let broken = |at: usize, byte: u8| {
        let mut bytes = good;
        bytes[at] = byte;
        validate(&bytes)
    };
    assert_eq!(validate(&good[..7]), Err(Error::TooShort { bytes: 7 }));
    assert_eq!(validate(&EMPTY), Err(Error::Empty));
    assert_eq!(broken(0, 3), Err(Error::Width { code: 3 }));
    assert_eq!(broken(0, 4), Err(Error::Size { len: 2, actual: 12 }));
    assert_eq!(broken(4, 3), Err(Error::Size { len: 3, actual: 12 }));
    assert_eq!(
        broken(7, 0xFF),
        Err(Error::Size {
            len: 0xFF00_0002,
            actual: 12
        })
    );
    assert_eq!(broken(10, 1), Err(Error::Order { rank: 1 }));
    assert_eq!(broken(11, 0xFF), Err(Error::Order { rank: 1 }));
}

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -20_i64..20,
        1 => any::<i16>().prop_map(i64::from),
        1 => (0..64_u32, any::<i64>()).prop_map(|(shift, value)| value >> shift),
        1 => prop_oneof![
            Just(i64::MIN), Just(i64::MAX), Just(0x7FFF), Just(0x8000), Just(-0x8000),
            Just(-0x8001), Just(0x7FFF_FFFF), Just(0x8000_0000), Just(-0x8000_0000),
        ],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn edits_match_a_btree_set(edits in vec((any::<bool>(), value()), 0..120)) {
        let (mut bytes, mut model) = (EMPTY.to_vec(), BTreeSet::new());
        let mut widest = Width::Two;
        for (add, value) in edits {
            if add {
                widest = widest.max(Width::of(value));
                prop_assert_eq!(insert(&mut bytes, value), model.insert(value));
            } else {
                prop_assert_eq!(remove(&mut bytes, value), model.remove(&value));
            }
            let set = Intset::new(&bytes);
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.width(), widest);
            prop_assert_eq!(bytes.len(), size_bytes(model.len(), widest));
            prop_assert_eq!(set.contains(value), model.contains(&value));
            let rank = model.range(..value).count();
            let expected = if model.contains(&value) { Ok(rank) } else { Err(rank) };
            prop_assert_eq!(set.search(value), expected);
        }
        let set = Intset::new(&bytes);
        prop_assert!(set.iter().eq(model.iter().copied()));
        prop_assert!(set.iter().rev().eq(model.iter().rev().copied()));
        prop_assert_eq!(set.min(), model.first().copied());
        prop_assert_eq!(set.max(), model.last().copied());
        prop_assert_eq!(set.get(model.len()), None);
        prop_assert_eq!(validate(&bytes).ok(), (!model.is_empty()).then_some(model.len()));
    }

    #[test]
    fn noise_is_refused_or_read_without_a_panic(
        code in prop_oneof![Just(2_u32), Just(4), Just(8), any::<u32>()],
        len in prop_oneof![0..8_u32, any::<u32>()],
        integers in vec(any::<u8>(), 0..40),
        cut in 0..48_usize,
    ) {
        let mut bytes = [code.to_le_bytes(), len.to_le_bytes()].concat();
        bytes.extend_from_slice(&integers);
        bytes.truncate(cut);
        let set = Intset::new(&bytes);
        prop_assert!(set.iter().count() <= bytes.len());
        let _ = (set.contains(1), set.get(usize::MAX), set.min(), set.max());
        if let Ok(count) = validate(&bytes) {
            let members: BTreeSet<i64> = set.iter().collect();
            prop_assert_eq!(members.len(), count);
            prop_assert!(set.iter().eq(members));
        }
    }
}
