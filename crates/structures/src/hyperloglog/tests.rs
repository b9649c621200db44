//! HyperLogLog against values made by a real server, and against a plain array of registers.

use super::*;
use proptest::prelude::*;
use sha1::{Digest, Sha1};

const SPARSE_MAX_BYTES: usize = 3000;

fn filled(prefix: &str, elements: u32) -> Vec<u8> {
    let mut value = empty();
    for element in 0..elements {
        let element = format!("{prefix}:{element}");
        add(&mut value, element.as_bytes(), SPARSE_MAX_BYTES).unwrap();
    }
    value
}

fn sha1_hex(bytes: &[u8]) -> String {
    let digest = Sha1::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Made by a server with `PFADD k foo bar zap` and `PFADD k ""`.
#[test]
fn small_values_are_those_of_a_server() {
    let mut value = empty();
    for element in ["foo", "bar", "zap"] {
        assert_eq!(
            add(&mut value, element.as_bytes(), SPARSE_MAX_BYTES),
            Ok(true)
        );
        assert_eq!(
            add(&mut value, element.as_bytes(), SPARSE_MAX_BYTES),
            Ok(false)
        );
    }
    assert_eq!(cached_cardinality(&value), Ok(None));
    let cardinality = estimate(&value).unwrap();
    cache_cardinality(&mut value, cardinality).unwrap();
    assert_eq!(cached_cardinality(&value), Ok(Some(3)));
    assert_eq!(
        value,
        b"HYLL\x01\0\0\0\x03\0\0\0\0\0\0\0\\\xb3\x90B\x07\x84HX\x80X\xe7"
    );
    let mut value = empty();
    add(&mut value, b"", SPARSE_MAX_BYTES).unwrap();
    assert_eq!(value, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80W1\x84h\xcc");
    assert_eq!(decode(&value).unwrap(), "Z:5938 v:2,1 Z:10445");
}

/// Elements `element:0` to `element:N-1` added on a server, then `PFCOUNT`, `STRLEN` and the
/// SHA-1 of `GET`.
#[test]
fn filled_values_are_those_of_a_server() {
    for (elements, cardinality, length, sha1) in [
        (1, 1, 21, "946a3f384bd41aeac7fc2f5baa171a9779cbb61a"),
        (10, 10, 48, "e3e04df1a81a6ff6519b7fbb700d7061cc170f4c"),
        (100, 99, 285, "4d1b3bef5d497d64c4202942021f568e478230c6"),
        (1000, 997, 1897, "600cc26e1c0791fccdb3cde0fabfa0c84550674a"),
        (1500, 1500, 2722, "e31c9dd1080de9d25485a8f50abe3730da1b9d27"),
        (
            10000,
            10017,
            12304,
            "ef0d216c5cd0e96ffaaeaaefbc929816d6a0f5d7",
        ),
        (
            200_000,
            198_321,
            12304,
            "7f3b0a6039136b3dbabcf29d568cb873f3bc90d5",
        ),
    ] {
        let mut value = filled("element", elements);
        assert_eq!(estimate(&value), Ok(cardinality));
        assert_eq!(registers(&value).unwrap().estimate(), cardinality);
        cache_cardinality(&mut value, cardinality).unwrap();
        assert_eq!(value.len(), length);
        assert_eq!(sha1_hex(&value), sha1, "{elements} elements");
    }
}

/// `PFMERGE m a b` on a server.
#[test]
fn a_merged_value_is_that_of_a_server() {
    let mut union = registers(&filled("a", 1000)).unwrap();
    union.merge(&filled("b", 500)).unwrap();
    assert_eq!(union.estimate(), 1509);
    let mut target = empty();
    union.store(&mut target, SPARSE_MAX_BYTES).unwrap();
    assert_eq!(validate(&target), Ok(Encoding::Sparse));
    assert_eq!(target.len(), 2719);
    assert_eq!(
        sha1_hex(&target),
        "b77529af7e58c1994c78c0f85797fd61b6b26081"
    );
}

#[test]
fn merging_a_dense_value_makes_the_target_dense() {
    let mut source = filled("x", 10);
    assert_eq!(to_dense(&mut source), Ok(true));
    assert_eq!(to_dense(&mut source), Ok(false));
    let mut target = empty();
    registers(&source)
        .unwrap()
        .store(&mut target, SPARSE_MAX_BYTES)
        .unwrap();
    assert_eq!(validate(&target), Ok(Encoding::Dense));
    assert_eq!(target, source);
}

/// The distinctions that a server makes.
#[test]
fn damage_is_told_from_other_strings() {
    let header = |encoding: u8, tail: &[u8]| {
        let mut value = b"HYLL\0\0\0\0\0\0\0\0\0\0\0\x80".to_vec();
        value[ENCODING_AT] = encoding;
        value.extend_from_slice(tail);
        value
    };
    for value in [
        b"".to_vec(),
        b"HYLL".to_vec(),
        header(0, b""),
        header(2, b""),
        vec![0; 64],
    ] {
        assert_eq!(validate(&value), Err(HllError::NotHyperLogLog));
        assert_eq!(estimate(&value), Err(HllError::NotHyperLogLog));
        assert_eq!(
            add(&mut value.clone(), b"a", 0),
            Err(HllError::NotHyperLogLog)
        );
    }
    for tail in [
        &b""[..],
        b"\x40",
        b"\x7f\xff\x00",
        b"\x7f\xfe",
        b"\x7f\xfe\xff",
    ] {
        let mut value = header(1, tail);
        assert_eq!(validate(&value), Ok(Encoding::Sparse));
        assert_eq!(estimate(&value), Err(HllError::Corrupted), "{tail:?}");
        assert_eq!(registers(&value).err(), Some(HllError::Corrupted));
        assert_eq!(to_dense(&mut value), Err(HllError::Corrupted));
        assert_eq!(value, header(1, tail));
    }
    let mut dense = empty();
    to_dense(&mut dense).unwrap();
    assert_eq!(decode(&dense), Err(HllError::NotSparse));
}

#[test]
fn a_value_beyond_the_sparse_form_makes_it_dense() {
    let mut value = empty();
    assert_eq!(
        raise(&mut value, 7, 32, SPARSE_MAX_BYTES, &mut Cursor::start()),
        Ok(true)
    );
    assert_eq!(validate(&value), Ok(Encoding::Sparse));
    assert_eq!(
        raise(&mut value, 9, 33, SPARSE_MAX_BYTES, &mut Cursor::start()),
        Ok(true)
    );
    assert_eq!(validate(&value), Ok(Encoding::Dense));
    let found = registers(&value).unwrap();
    assert_eq!(found.as_slice()[6..11], [0, 32, 0, 33, 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Crowded indexes, so that runs meet, split and join.
    #[test]
    fn registers_follow_the_model(
        changes in proptest::collection::vec((0usize..200, 1u8..6), 1..300),
        top in proptest::collection::vec((REGISTERS - 70..REGISTERS, 1u8..52), 0..5),
        limit in prop_oneof![Just(40usize), Just(300), Just(3000)],
    ) {
        let mut model = vec![0; REGISTERS];
        let mut value = empty();
        for (index, count) in changes.into_iter().chain(top) {
            let changed = model[index] < count;
            model[index] = count.max(model[index]);
            prop_assert_eq!(raise(&mut value, index, count, limit, &mut Cursor::start()), Ok(changed));
            if validate(&value) == Ok(Encoding::Sparse) {
                prop_assert!(value.len() <= limit);
            }
        }
        let found = registers(&value).unwrap();
        prop_assert_eq!(found.as_slice(), &model[..]);
        prop_assert_eq!(estimate(&value).unwrap(), found.estimate());
        let mut copy = empty();
        found.store(&mut copy, limit).unwrap();
        let stored = registers(&copy).unwrap();
        prop_assert_eq!(stored.as_slice(), &model[..]);
        to_dense(&mut value).unwrap();
        let unpacked = registers(&value).unwrap();
        prop_assert_eq!(unpacked.as_slice(), &model[..]);
    }

    #[test]
    fn any_bytes_are_safe(tail: Vec<u8>, encoding in 0u8..3, element: Vec<u8>, limit in 0usize..4000) {
        let mut value = b"HYLL\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        value[ENCODING_AT] = encoding;
        value.extend_from_slice(&tail);
        let _ = (decode(&value), estimate(&value), cached_cardinality(&value));
        let _ = Registers::new().store(&mut value.clone(), limit);
        if let Ok(found) = registers(&value) {
            prop_assert_eq!(found.estimate(), estimate(&value).unwrap());
            prop_assert!(add(&mut value, &element, limit).is_ok());
            prop_assert!(registers(&value).is_ok());
        } else {
            let _ = (add(&mut value, &element, limit), to_dense(&mut value));
        }
        let _ = (estimate(&tail), add(&mut tail.clone(), &element, limit));
    }
}
